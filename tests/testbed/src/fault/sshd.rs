//! Faults of a host's SSH server. Sessions that were open before stay open.

use std::{
    io::{BufReader, Read, Write},
    net::{Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, ensure};

use super::Undo;
use crate::host::Host;

/// Where the real sshd listens while something else sits at port 22.
const BEHIND: u16 = 2222;

pub(super) fn silent(host: &Host) -> Result<Undo> {
    host.stop_sshd()?;
    let impostor = Impostor::sit(host, |_| ())?;
    let host = host.clone();
    Ok(Box::new(move || {
        impostor.leave()?;
        host.start_sshd(&[])
    }))
}

/// One connection that never logs in keeps sshd at its limit, so that it rolls its dice for every other one.
pub(super) fn max_startups(host: &Host, percent: u8) -> Result<Undo> {
    ensure!((1..=100).contains(&percent), "sshd drops 1 to 100 percent, not {percent}");
    host.stop_sshd()?;
    host.start_sshd(&[&format!("MaxStartups=1:{percent}:1000"), "LoginGraceTime=0"])?;
    let held = hold_a_place(host)?;
    let host = host.clone();
    Ok(Box::new(move || {
        drop(held);
        host.stop_sshd()?;
        host.start_sshd(&[])
    }))
}

/// A connection that has got sshd's banner and says nothing. The wait for the port may still count as one for a moment, so
/// the first try can be among the dropped.
fn hold_a_place(host: &Host) -> Result<TcpStream> {
    let started = Instant::now();
    loop {
        let mut client = TcpStream::connect((host.ip4(), 22))?;
        client.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut greeting = [0; 4];
        if client.read_exact(&mut greeting).is_ok() && &greeting == b"SSH-" {
            return Ok(client);
        }
        ensure!(started.elapsed() < Duration::from_secs(60), "sshd greeted nobody for 60 s");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(super) fn trickle(host: &Host, pause: Duration) -> Result<Undo> {
    host.stop_sshd()?;
    host.start_sshd(&[&format!("Port={BEHIND}")])?;
    let impostor = Impostor::sit(host, move |client| {
        // A client that hangs up early, or a server that does, simply ends the relay.
        let _ = relay(client, pause);
    })?;
    let host = host.clone();
    Ok(Box::new(move || {
        impostor.leave()?;
        host.stop_sshd()?;
        host.start_sshd(&[])
    }))
}

/// Something else than sshd at port 22 of a host.
struct Impostor {
    leaving: Arc<AtomicBool>,
    clients: Arc<Mutex<Vec<TcpStream>>>,
    listening: JoinHandle<()>,
}

impl Impostor {
    /// Takes the port; each client is handed to `serve` on a thread of its own and held until the impostor leaves.
    fn sit(host: &Host, serve: impl Fn(&TcpStream) + Send + Sync + 'static) -> Result<Self> {
        let (leaving, clients) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let serve = Arc::new(serve);
        let listening = host.in_network(|| {
            let listener = TcpListener::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 22)))?;
            listener.set_nonblocking(true)?;
            let (leaving, clients) = (leaving.clone(), clients.clone());
            Ok(std::thread::spawn(move || {
                while !leaving.load(Ordering::Relaxed) {
                    let Ok((client, _)) = listener.accept() else {
                        std::thread::sleep(Duration::from_millis(10));
                        continue;
                    };
                    let Ok(kept) = client.try_clone() else { continue };
                    if let Ok(mut clients) = clients.lock() {
                        clients.push(kept);
                    }
                    let serve = serve.clone();
                    std::thread::spawn(move || {
                        let _ = client.set_nonblocking(false);
                        serve(&client);
                    });
                }
            }))
        })?;
        Ok(Self { leaving, clients, listening })
    }

    fn leave(self) -> Result<()> {
        self.leaving.store(true, Ordering::Relaxed);
        self.listening.join().map_err(|_| anyhow!("the listener at port 22 panicked"))?;
        for client in self.clients.lock().map_err(|_| anyhow!("a thread at port 22 panicked"))?.drain(..) {
            // A client that has gone cannot be shut down again.
            let _ = client.shutdown(Shutdown::Both);
        }
        Ok(())
    }
}

fn relay(client: &TcpStream, pause: Duration) -> Result<()> {
    let server = TcpStream::connect((Ipv6Addr::LOCALHOST, BEHIND))?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let up = std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Both);
    });
    let mut to_client = client.try_clone()?;
    for byte in BufReader::new(server).bytes() {
        to_client.write_all(&[byte?])?;
        std::thread::sleep(pause);
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = up.join();
    Ok(())
}

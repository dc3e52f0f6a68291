//! Connections that were open before, and those that must not notice anything.

use std::{
    io::Write,
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use breakglass::host::gate::{self, Allow, BackEnd, Balancer, Reply, Stage, Why};
use libtest_mimic::Trial;
use testbed::{Host, Probe};

use crate::stand::{LIMIT, PORT, Stand, Standing, connect, each, opening, ping, until};

pub(crate) fn tests() -> Vec<Trial> {
    [
        each("servers_sockets_end_without_ss", servers_sockets_end_without_ss),
        each("allowed_streams_lose_nothing", allowed_streams_lose_nothing),
        each("rates_are_kept", rates_are_kept),
        each("silence_is_silent", silence_is_silent),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A server that sends a byte each 50 ms and never reads: a watch.
fn watch_server(host: &Host, port: u16) -> Result<()> {
    let listener = host.in_network(|| Ok(TcpListener::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)))?))?;
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                while stream.write_all(b"x").is_ok() {
                    thread::sleep(Duration::from_millis(50));
                }
            });
        }
    });
    Ok(())
}

fn established(host: &Host, port: u16) -> Result<usize> {
    Ok(host.sh(&format!("ss -Htn state established '( sport = :{port} )'"))?.ok()?.lines().count())
}

/// A client's own reset ends the server's socket too, but a client that hears nothing sends none.
fn servers_sockets_end_without_ss(back_end: BackEnd) -> Result<()> {
    for answer in [Reply::Reset, Reply::Silence] {
        let stand = Stand::new(if answer == Reply::Reset { "rst" } else { "mute" }, back_end)?;
        let watched = 6444;
        watch_server(&stand.api, watched)?;
        let mut spec = stand.spec(vec![Stage::Share(5)]);
        spec.answer = answer;
        spec.side = gate::Side::Server { ports: vec![PORT, watched] };
        let open = |a: IpAddr| {
            let to = SocketAddr::new(a, watched);
            stand.client.in_network(|| Ok(std::net::TcpStream::connect_timeout(&to, LIMIT)?))
        };
        let clients = stand.addresses().map(open);
        let kept = std::net::TcpStream::connect((stand.api.ip4(), watched))?;
        until(|| Ok(established(&stand.api, watched)? == 3))?;
        stand.close(&spec, back_end)?;
        let closed = Instant::now();
        let ended = until(|| Ok(established(&stand.api, watched)? == 1))?;
        let stayed = ended.after.saturating_duration_since(closed);
        ensure!(stayed < Duration::from_secs(1), "the server's sockets were still there after {stayed:?}");
        let counters = stand.status()?.map(|s| s.counters);
        ensure!(counters.is_some_and(|c| c.returned + c.refused >= 2), "{counters:?}");
        ensure!(answer == Reply::Reset || counters.is_some_and(|c| c.returned >= 2), "{counters:?}");
        drop((clients, kept));
    }
    Ok(())
}

fn allowed_streams_lose_nothing(back_end: BackEnd) -> Result<()> {
    let stand = Stand::new("str", back_end)?;
    let mut spec = stand.spec([1, 5, 25].map(Stage::Share).into());
    for addr in [IpAddr::from(stand.client.ip4()), stand.client.ip6().into()] {
        spec.allow.push(Allow { net: addr.into(), why: Why::Asked });
    }
    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|s| {
        let streams: Vec<_> = stand
            .addresses()
            .into_iter()
            .map(|to| {
                let (stand, stop, done) = (&stand, &stop, &done);
                s.spawn(move || -> Result<()> {
                    let mut kept = connect(&stand.client, to)?;
                    while !stop.load(Ordering::Relaxed) {
                        ping(&mut kept)?;
                        connect(&stand.client, to)?;
                        done.fetch_add(2, Ordering::Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        let acted = (|| -> Result<()> {
            for _ in 0..5 {
                stand.close(&spec, back_end)?;
                stand.say(&gate::cut(&spec))?;
                for level in [0, 1, 2, 3, 2, 0] {
                    ensure!(stand.arm(&spec, back_end, level, 60)? == Standing::Armed);
                }
                ensure!(stand.outcome(&opening(&spec, back_end))? == Standing::Open);
            }
            Ok(())
        })();
        stop.store(true, Ordering::Relaxed);
        for stream in streams {
            stream.join().map_err(|_| anyhow::anyhow!("a stream panicked"))??;
        }
        acted
    })?;
    let done = done.into_inner();
    println!("{back_end}: {done} requests of allowed clients, none lost");
    ensure!(done > 100, "only {done} requests were made");
    Ok(())
}

/// Tries without pause for three seconds: the connections must be a burst of one second's worth and so many a second.
fn gets(stand: &Stand, per_second: f64) -> Result<()> {
    let (started, mut count, mut tried) = (Instant::now(), 0.0, 0.0);
    while started.elapsed() < Duration::from_secs(3) {
        count += f64::from(u8::from(stand.client.probe(stand.api.ip4(), PORT, LIMIT)? == Probe::Open));
        tried += 1.0;
    }
    // A busy machine may take longer over the last one, and try fewer than would be let in.
    let due = per_second * (started.elapsed().as_secs_f64() + 1.0);
    let (least, most) = (due.min(tried) * 0.6, due * 1.2);
    ensure!((least..most).contains(&count), "{count} connections of {tried} where {per_second}/s make {due}");
    Ok(())
}

fn rates_are_kept(back_end: BackEnd) -> Result<()> {
    let stand = Stand::new("rate", back_end)?;
    let mut spec = stand.spec(vec![Stage::Rate(10)]);
    stand.close(&spec, back_end)?;
    ensure!(stand.arm(&spec, back_end, 1, 60)? == Standing::Armed);
    gets(&stand, 10.0)?;
    ensure!(stand.outcome(&opening(&spec, back_end))? == Standing::Open);
    spec.stages.clear();
    spec.balancer = Some(Balancer { nets: vec![IpAddr::from(stand.client.ip4()).into()], per_second: 5 });
    stand.close(&spec, back_end)?;
    gets(&stand, 5.0)?;
    ensure!(stand.client.probe(stand.api.ip6(), PORT, LIMIT)? == Probe::Refused);
    Ok(())
}

fn silence_is_silent(back_end: BackEnd) -> Result<()> {
    let stand = Stand::new("sil", back_end)?;
    let mut spec = stand.spec(vec![]);
    spec.answer = Reply::Silence;
    stand.close(&spec, back_end)?;
    ensure!(stand.client.probe(stand.api.ip4(), PORT, Duration::from_millis(500))? == Probe::Timeout);
    ensure!(stand.operator_meets()? == [Probe::Open; 2]);
    Ok(())
}

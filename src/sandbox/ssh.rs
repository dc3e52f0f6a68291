//! A simulated host behind a real SSH server.

use std::collections::HashMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use russh::keys::PrivateKey;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::ssh_key::{LineEnding, PublicKey};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelOpenFailure, Preferred};
use tokio::net::{TcpListener, TcpStream};

use super::host;
use super::world::World;

/// More than any script of ours; a client that sends more is cut off.
const MOST_INPUT: usize = 4 << 20;

/// An Ed25519 key.
#[derive(Clone)]
pub(super) struct Keypair(PrivateKey);

impl Keypair {
    pub(super) fn generate() -> Result<Self> {
        let mut seed = [0_u8; 32];
        ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut seed)
            .map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
        let pair = KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed));
        Ok(Self(PrivateKey::new(pair, "breakglass-sandbox")?))
    }

    /// The public key as it stands in a known_hosts file, without the host.
    pub(super) fn public_line(&self) -> Result<String> {
        Ok(self.0.public_key().to_openssh()?)
    }

    /// Writes the private key for its owner alone.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let text = self.0.to_openssh(LineEnding::LF)?;
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
    }

    fn is(&self, public: &PublicKey) -> bool {
        self.0.public_key().key_data() == public.key_data()
    }
}

/// What a session on a simulated host can reach.
#[derive(Clone)]
pub(super) struct Guest {
    pub(super) world: Arc<World>,
    pub(super) index: usize,
    pub(super) api: SocketAddr,
    /// Where a recovery API server of this host serves, once one was started.
    pub(super) recovery: SocketAddr,
    /// The SSH servers of all hosts, so that each can be a jump host for the others.
    pub(super) beside: Arc<[SocketAddr]>,
    pub(super) operator: Keypair,
}

/// Serves one host until the task is dropped.
pub(super) async fn serve(listener: TcpListener, key: Keypair, guest: Guest) {
    let config = Arc::new(Config {
        keys: vec![key.0],
        auth_rejection_time: Duration::ZERO,
        preferred: Preferred::default(),
        nodelay: true,
        ..Config::default()
    });
    loop {
        let Ok((stream, peer)) = listener.accept().await else { continue };
        let handler = Connection { guest: guest.clone(), peer, input: HashMap::new() };
        let config = Arc::clone(&config);
        tokio::spawn(async move {
            // A client that goes away in the middle is nobody's fault.
            if let Ok(session) = russh::server::run_stream(config, stream, handler).await {
                let _ = session.await;
            }
        });
    }
}

struct Connection {
    guest: Guest,
    peer: SocketAddr,
    /// Standard input of the commands that were asked for, until its end.
    input: HashMap<ChannelId, Vec<u8>>,
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, _user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        Ok(if self.guest.operator.is(key.public_key) { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }

    /// All that is behind a simulated host, whatever address is asked for: its own API server, the recovery API server that was
    /// started there, and SSH to the other hosts.
    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        _host: &str,
        port: u32,
        _origin: &str,
        _origin_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let mut behind = [self.guest.api].into_iter().chain(self.guest.beside.iter().copied());
        let there = behind.find(|address| u32::from(address.port()) == port);
        let recovery = || self.guest.world.recovers(self.guest.index, port).then_some(self.guest.recovery);
        let stream = match there.or_else(recovery) {
            Some(address) => TcpStream::connect(address).await.ok(),
            None => None,
        };
        // As a host says that nobody listens there: not that it forbids to ask.
        let Some(mut stream) = stream else {
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        };
        reply.accept().await;
        tokio::spawn(async move {
            let mut channel = channel.into_stream();
            // Either end may go away at any time.
            let _ = tokio::io::copy_bidirectional(&mut channel, &mut stream).await;
        });
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        // Scripts arrive on standard input; any other command is told so when its input ends.
        let command = String::from_utf8_lossy(command).into_owned();
        self.input.insert(channel, Vec::new());
        session.channel_success(channel)?;
        if !matches!(command.as_str(), "sh -s" | "sudo -n sh -s") {
            self.input.insert(channel, format!("# breakglass not-a-script command={command:?}\n").into_bytes());
        }
        Ok(())
    }

    async fn data(&mut self, channel: ChannelId, data: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        let Some(input) = self.input.get_mut(&channel) else { return Ok(()) };
        if input.len() + data.len() > MOST_INPUT {
            self.input.remove(&channel);
            return session.close(channel);
        }
        input.extend_from_slice(data);
        Ok(())
    }

    async fn channel_eof(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        let Some(input) = self.input.remove(&channel) else { return Ok(()) };
        let (handle, guest, peer) = (session.handle(), self.guest.clone(), self.peer);
        tokio::spawn(async move {
            let said = host::run(&guest.world, guest.index, peer, &String::from_utf8_lossy(&input)).await;
            // The client may be gone; what was done was done.
            let stdout = format!("{}{}", crate::script::MARK, said.stdout);
            let _ = handle.data(channel, stdout.into_bytes()).await;
            let _ = handle.extended_data(channel, 1, said.stderr.into_bytes()).await;
            let _ = handle.exit_status_request(channel, said.status).await;
            let _ = handle.eof(channel).await;
            let _ = handle.close(channel).await;
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_for_its_owner_alone_and_reads_back() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("id");
        let key = Keypair::generate().unwrap();
        key.write(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read = PrivateKey::read_openssh_file(&path).unwrap();
        assert!(key.is(read.public_key()));
        assert!(!key.is(Keypair::generate().unwrap().0.public_key()));
    }
}

//! Jump hosts: a few sessions to each, shared by everybody who goes through it.
//!
//! libssh2 opens one channel at a time per session, and sshd waits minutes for an address that swallows packets. So an
//! open has a session (a lane) to itself until it is answered, slow lanes don't count against the usual number, and a
//! lane whose open was given up is not used for new ones.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokio::net::UnixStream;
use tokio::sync::Notify;

use super::error::{Fault, SshError, Stage};
use super::session::{Handle, Session, failure};
use super::{Endpoint, lookup_name};

/// Lanes that answer promptly; more only cost the jump host log-ins.
const LANES: usize = 4;
/// All lanes, also those that wait for dead addresses.
const ALL_LANES: usize = 48;
/// An open that takes longer makes its lane slow.
const SLOW: Duration = Duration::from_secs(1);

static JUMPS: Mutex<Option<HashMap<String, Weak<Jump>>>> = Mutex::new(None);

/// How a session to a jump host is opened: jump hosts stand below what opens sessions.
type Open = for<'a> fn(&'a Endpoint, Instant) -> BoxFuture<'a, Result<Session, SshError>>;

/// One jump host, reached in one way as one user.
pub(super) struct Jump {
    endpoint: Endpoint,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    lanes: Vec<Lane>,
    logging_in: usize,
    next: u64,
    /// The last log-in failed with this. Lives as long as somebody waits or is connected through here.
    failed: Option<SshError>,
}

struct Lane {
    id: u64,
    session: Weak<Handle>,
    /// Since when an open is under way.
    busy: Option<Instant>,
    /// The server refused to carry more than this many tunnels in one session.
    full: Option<usize>,
}

impl Lane {
    fn is_full(&self) -> bool {
        let carried = || self.session.upgrade().map_or(0, |handle| Session { handle }.tunnels());
        self.full.is_some_and(|most| carried() >= most)
    }
}

/// Keeps the way open for a session that goes through it.
pub(super) struct Via {
    _jump: Arc<Jump>,
    _session: Session,
}

/// The lane of one open. Dropped without an answer, the lane is used no more.
struct Taken {
    jump: Arc<Jump>,
    session: Session,
    id: u64,
    answered: bool,
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut state = self.jump.state();
        if self.answered {
            state.lanes.iter_mut().filter(|lane| lane.id == self.id).for_each(|lane| lane.busy = None);
        } else {
            state.lanes.retain(|lane| lane.id != self.id);
        }
        drop(state);
        self.jump.changed.notify_waiters();
    }
}

/// A place among the log-ins under way.
struct LoggingIn<'a>(&'a Jump);

impl Drop for LoggingIn<'_> {
    fn drop(&mut self) {
        self.0.state().logging_in -= 1;
        self.0.changed.notify_waiters();
    }
}

enum Pick {
    Free(Session, u64),
    LogIn,
    Failed(SshError),
    Wait,
}

/// The jump host at the end of `way`, shared with all who go the same way with the same keys.
pub(super) fn at_end_of(way: &[Endpoint]) -> Option<Arc<Jump>> {
    let (last, before) = way.split_last()?;
    let name = way.iter().map(identity_of).collect::<Vec<_>>().join("\n");
    let mut jumps = JUMPS.lock().unwrap_or_else(PoisonError::into_inner);
    let jumps = jumps.get_or_insert_default();
    if let Some(jump) = jumps.get(&name).and_then(Weak::upgrade) {
        return Some(jump);
    }
    jumps.retain(|_, jump| jump.strong_count() > 0);
    let endpoint = Endpoint { jumps: before.to_vec(), ..last.clone() };
    let jump = Arc::new(Jump { endpoint, state: Mutex::default(), changed: Notify::new() });
    jumps.insert(name, Arc::downgrade(&jump));
    Some(jump)
}

/// Whether the server would have opened it in a session that carries less.
fn lacks_room(error: &SshError) -> bool {
    matches!(&*error.fault, Fault::TunnelRefused { why, .. } if why.contains("resource shortage"))
}

/// Everything that makes two endpoints the same log-in. What vouches for the key counts by what it says, not by where it was
/// read: each host of a kit has its own copy.
fn identity_of(hop: &Endpoint) -> String {
    let Endpoint { address, port, user, identities, identities_only, certificates, agent, host_keys, .. } = hop;
    let known = host_keys.known.digest();
    let name = (lookup_name(address, *port), user, &host_keys.alias, &host_keys.host, known);
    format!("{name:?} {identities:?} {identities_only} {certificates:?} {agent:?}")
}

impl Jump {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A tunnel from the jump host to `host:port`, and what keeps it.
    pub(super) async fn dial(
        self: &Arc<Self>,
        host: &str,
        port: u16,
        deadline: Instant,
        open: Open,
    ) -> Result<(UnixStream, Via), SshError> {
        loop {
            let mut lane = self.lane(deadline, open).await?;
            let carried = lane.session.tunnels();
            let result = lane.session.dial(host, port, deadline).await;
            lane.answered = match &result {
                Ok(_) => true,
                Err(error) => !matches!(*error.fault, Fault::Timeout { .. } | Fault::Lost { .. }),
            };
            if let Err(error) = &result
                && carried > 0
                && lacks_room(error)
            {
                // OpenSSH counts no tunnels (MaxSessions is about commands), but other servers do. Another log-in has room.
                let mut state = self.state();
                state.lanes.iter_mut().filter(|known| known.id == lane.id).for_each(|known| known.full = Some(carried));
                continue;
            }
            let via = Via { _jump: Arc::clone(self), _session: lane.session.clone() };
            return Ok((result?, via));
        }
    }

    async fn lane(self: &Arc<Self>, deadline: Instant, open: Open) -> Result<Taken, SshError> {
        let started = Instant::now();
        loop {
            let changed = self.changed.notified();
            let picked = self.pick();
            match picked {
                Pick::Free(session, id) => return Ok(self.take(session, id)),
                Pick::Failed(error) => return Err(error),
                Pick::LogIn => return self.log_in(deadline, open).await,
                Pick::Wait if Instant::now() >= deadline => {
                    let late = Fault::Timeout { stage: Stage::Queue, sent: false };
                    let known = self.state().failed.clone();
                    return Err(known.unwrap_or_else(|| failure(&self.endpoint, started, 0, late)));
                }
                // A lane becomes slow without anybody saying so.
                Pick::Wait => {
                    drop(tokio::time::timeout_at(deadline.min(Instant::now() + SLOW / 4).into(), changed).await);
                }
            }
        }
    }

    fn pick(&self) -> Pick {
        let mut state = self.state();
        state.lanes.retain(|lane| lane.session.upgrade().is_some_and(|handle| !Session { handle }.is_closed()));
        for lane in &mut state.lanes {
            if lane.busy.is_none()
                && !lane.is_full()
                && let Some(handle) = lane.session.upgrade()
            {
                lane.busy = Some(Instant::now());
                return Pick::Free(Session { handle }, lane.id);
            }
        }
        // Who it is and who we are does not change by asking again; asking again hundreds of times gets us locked out.
        if let Some(error) = &state.failed
            && matches!(*error.fault, Fault::HostKey(_) | Fault::Auth { .. } | Fault::KeyFile(_))
        {
            return Pick::Failed(error.clone());
        }
        let prompt = state.lanes.iter().filter(|lane| lane.busy.is_some_and(|since| since.elapsed() < SLOW)).count();
        let usable = state.lanes.iter().filter(|lane| !lane.is_full()).count();
        if prompt + state.logging_in < LANES && usable + state.logging_in < ALL_LANES {
            state.logging_in += 1;
            return Pick::LogIn;
        }
        Pick::Wait
    }

    async fn log_in(self: &Arc<Self>, deadline: Instant, open: Open) -> Result<Taken, SshError> {
        let place = LoggingIn(self);
        let result = open(&self.endpoint, deadline).await;
        let mut state = self.state();
        state.failed = result.as_ref().err().cloned();
        let session = match result {
            Ok(session) => session,
            Err(error) => {
                drop(state);
                drop(place);
                return Err(error);
            }
        };
        state.next += 1;
        let id = state.next;
        state.lanes.push(Lane { id, session: Arc::downgrade(&session.handle), busy: Some(Instant::now()), full: None });
        drop(state);
        drop(place);
        Ok(self.take(session, id))
    }

    fn take(self: &Arc<Self>, session: Session, id: u64) -> Taken {
        Taken { jump: Arc::clone(self), session, id, answered: false }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use russh::keys::PrivateKey;
    use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
    use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session as Serving, VerifiedPublicKey};
    use russh::{Channel, ChannelOpenFailure};
    use tokio::net::{TcpListener, TcpStream};

    use super::super::{HostKeys, KnownHosts};
    use super::*;

    /// A session of a bastion that carries at most so many tunnels.
    struct Narrow {
        most: usize,
        carried: Arc<AtomicUsize>,
        target: SocketAddr,
    }

    impl Handler for Narrow {
        type Error = russh::Error;

        async fn auth_publickey(&mut self, _: &str, _: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
            Ok(Auth::Accept)
        }

        async fn channel_open_direct_tcpip(
            &mut self,
            channel: Channel<Msg>,
            _host: &str,
            _port: u32,
            _origin: &str,
            _origin_port: u32,
            reply: ChannelOpenHandle,
            _session: &mut Serving,
        ) -> Result<(), Self::Error> {
            if self.carried.fetch_add(1, Ordering::SeqCst) >= self.most {
                self.carried.fetch_sub(1, Ordering::SeqCst);
                reply.reject(ChannelOpenFailure::ResourceShortage).await;
                return Ok(());
            }
            let mut stream = TcpStream::connect(self.target).await?;
            reply.accept().await;
            let carried = Arc::clone(&self.carried);
            tokio::spawn(async move {
                let _ = tokio::io::copy_bidirectional(&mut channel.into_stream(), &mut stream).await;
                carried.fetch_sub(1, Ordering::SeqCst);
            });
            Ok(())
        }
    }

    fn key(seed: u8) -> PrivateKey {
        PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&[seed; 32])), "test").unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_bastion_that_carries_few_tunnels_a_session_is_logged_in_to_again() {
        use russh::keys::ssh_key::LineEnding;
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let identity = folder.path().join("id");
        std::fs::write(&identity, key(2).to_openssh(LineEnding::LF).unwrap().as_bytes()).unwrap();
        std::fs::set_permissions(&identity, std::fs::Permissions::from_mode(0o600)).unwrap();
        // Whoever connects there is kept.
        let behind = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let target = behind.local_addr().unwrap();
        tokio::spawn(async move {
            let mut all = Vec::new();
            while let Ok(one) = behind.accept().await {
                all.push(one);
            }
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let bastion = listener.local_addr().unwrap();
        let logins = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&logins);
        tokio::spawn(async move {
            let config = Arc::new(Config { keys: vec![key(1)], ..Config::default() });
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let narrow = Narrow { most: 10, carried: Arc::default(), target };
                let config = Arc::clone(&config);
                tokio::spawn(async move { russh::server::run_stream(config, stream, narrow).await?.await });
            }
        });
        let mut known = KnownHosts::default();
        let line = key(1).public_key().to_openssh().unwrap();
        known.add("test", &format!("[127.0.0.1]:{} {line}", bastion.port()));
        let way = Endpoint {
            name: "bastion".into(),
            address: bastion.ip().to_string(),
            port: bastion.port(),
            user: "ops".into(),
            identities: vec![identity],
            identities_only: true,
            certificates: Vec::new(),
            agent: None,
            host_keys: HostKeys { known: Arc::new(known), alias: None, host: None },
            jumps: Vec::new(),
            sudo: false,
        };
        let jump = at_end_of(&[way]).unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        let dials =
            (0..45).map(|_| jump.dial("127.0.0.1", target.port(), deadline, crate::link::ssh::connect::on_the_way));
        let open: Vec<_> = futures::future::join_all(dials).await.into_iter().map(Result::unwrap).collect();
        let logins = logins.load(Ordering::SeqCst);
        assert!((5..=8).contains(&logins), "{logins} log-ins for {} tunnels, 10 each", open.len());
    }
}

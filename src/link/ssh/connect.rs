//! The way to a session: TCP or a jump host's tunnel, then a thread that logs in.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};

use super::channel::Line;
use super::error::{Fault, Reach, SshError, Stage};
use super::jump::{self, Via};
use super::login::{self, NoLogin};
use super::places;
use super::session::{Handle, Session, failure};
use super::worker::Worker;
use super::{Endpoint, host_key, with_grace};

/// libssh2 needs little stack, but OpenSSL's key exchange some.
const STACK: usize = 256 << 10;
/// Log-ins under way at once to one address: sshd's MaxStartups starts to drop at 10, counting everybody's.
const LOGINS_PER_ADDRESS: usize = 4;
/// A server that drops us before its first word is tried again for this long: with few places, most log-ins that come at once
/// are dropped, and on a starved host each that is not takes a second of its place.
const DROPPED: Duration = Duration::from_secs(10);
/// The pause before the second attempt; doubled each time up to the longest, and half of it is chance.
const PAUSE: Duration = Duration::from_millis(150);
const LONGEST_PAUSE: Duration = Duration::from_millis(1200);

static LOGINS: Mutex<Option<HashMap<String, Weak<Semaphore>>>> = Mutex::new(None);

impl Session {
    /// Connects, checks the host key and logs in, all before `deadline`.
    ///
    /// # Errors
    ///
    /// [`SshError`] names the hop that failed, the stage, and the next command. No command has been sent then.
    pub async fn connect(endpoint: &Endpoint, deadline: Instant) -> Result<Self, SshError> {
        Self::connect_within(endpoint, deadline, Duration::MAX).await
    }

    /// The same, of which at most `login` may pass once there is a place among the sessions of this process: how long that takes
    /// says nothing about the host.
    pub(super) async fn connect_within(
        endpoint: &Endpoint,
        deadline: Instant,
        login: Duration,
    ) -> Result<Self, SshError> {
        let started = Instant::now();
        let late = || failure(endpoint, started, 0, Fault::Timeout { stage: Stage::Queue, sent: false });
        // Behind a jump host the address may be a different machine for each, but then the jump host's own queue counts.
        let gate = login_gate(&format!("{}:{}", endpoint.address, endpoint.port));
        let turn = tokio::time::timeout_at(deadline.into(), gate.acquire()).await;
        let (Ok(Ok(_turn)), Some(place)) = (turn, places::take(endpoint, deadline).await) else { return Err(late()) };
        let until = Instant::now().checked_add(login).map_or(deadline, |until| until.min(deadline));
        Self::open(endpoint, Some(place), until).await
    }

    /// The session of a jump host, whose descriptors are counted with those of the hosts behind it.
    pub(super) async fn on_the_way(endpoint: &Endpoint, deadline: Instant) -> Result<Self, SshError> {
        let started = Instant::now();
        let gate = login_gate(&format!("{}:{}", endpoint.address, endpoint.port));
        let Ok(Ok(_turn)) = tokio::time::timeout_at(deadline.into(), gate.acquire()).await else {
            return Err(failure(endpoint, started, 0, Fault::Timeout { stage: Stage::Queue, sent: false }));
        };
        Self::open(endpoint, None, deadline).await
    }

    async fn open(
        endpoint: &Endpoint,
        mut place: Option<SemaphorePermit<'static>>,
        deadline: Instant,
    ) -> Result<Self, SshError> {
        let started = Instant::now();
        let fail = |attempts, fault| failure(endpoint, started, attempts, fault);
        let shared = Arc::new(endpoint.clone());
        let mut attempt = 0;
        let (mut pause, give_up) = (PAUSE, deadline.min(started + DROPPED));
        loop {
            attempt += 1;
            let (stream, via) =
                reach(endpoint, deadline).await.map_err(|e| e.for_endpoint(endpoint, started, attempt))?;
            let dropped = match start(&shared, stream, via, &mut place, deadline).await {
                Ok(session) => return Ok(session),
                Err(NoLogin::Fault(fault)) => return Err(fail(attempt, fault)),
                Err(NoLogin::Dropped(why)) => why,
            };
            let next = Instant::now() + jittered(pause);
            if next >= give_up {
                let why = format!(
                    "the server hung up before it said a word ({dropped}); its MaxStartups or a filter may be at work"
                );
                return Err(fail(attempt, Fault::Handshake(why)));
            }
            tokio::time::sleep_until(next.into()).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Log-ins to one address queue here.
fn login_gate(address: &str) -> Arc<Semaphore> {
    let mut gates = LOGINS.lock().unwrap_or_else(PoisonError::into_inner);
    let gates = gates.get_or_insert_default();
    if let Some(gate) = gates.get(address).and_then(Weak::upgrade) {
        return gate;
    }
    gates.retain(|_, gate| gate.strong_count() > 0);
    let gate = Arc::new(Semaphore::new(LOGINS_PER_ADDRESS));
    gates.insert(address.to_owned(), Arc::downgrade(&gate));
    gate
}

/// Half of `pause` for sure, the other half by chance, so that many that were dropped together don't return together.
fn jittered(pause: Duration) -> Duration {
    use std::hash::{BuildHasher as _, RandomState};
    let chance = RandomState::new().hash_one(0_u8) % 1024;
    pause / 2 + pause / 2 * u32::try_from(chance).unwrap_or(0) / 1024
}

/// No stream: the endpoint's own fault, or that of a jump host before it.
enum NoStream {
    Here(Fault),
    Before(SshError),
}

impl From<Fault> for NoStream {
    fn from(fault: Fault) -> Self {
        Self::Here(fault)
    }
}

impl NoStream {
    fn for_endpoint(self, endpoint: &Endpoint, started: Instant, attempts: u32) -> SshError {
        match self {
            Self::Here(fault) => failure(endpoint, started, attempts, fault),
            Self::Before(error) => error,
        }
    }
}

/// [`Session::on_the_way`], boxed: a jump host may be behind another one.
pub(super) fn on_the_way(endpoint: &Endpoint, deadline: Instant) -> BoxFuture<'_, Result<Session, SshError>> {
    Box::pin(Session::on_the_way(endpoint, deadline))
}

/// A connected stream to the SSH port, and what keeps it when it goes through a jump host.
async fn reach(endpoint: &Endpoint, deadline: Instant) -> Result<(OwnedFd, Option<Via>), NoStream> {
    let Some(jump) = jump::at_end_of(&endpoint.jumps) else {
        return Ok((reach_directly(endpoint, deadline).await?, None));
    };
    let (stream, via) =
        jump.dial(&endpoint.address, endpoint.port, deadline, on_the_way).await.map_err(|e| match *e.fault {
            Fault::TunnelRefused { why, .. } => {
                NoStream::Here(Fault::NotReached(Reach::Unreachable(format!("{} says: {why}", e.target))))
            }
            Fault::Timeout { stage: Stage::Open, .. } => NoStream::Here(Fault::NotReached(Reach::TimedOut)),
            _ => NoStream::Before(e),
        })?;
    let stream = stream.into_std().map_err(|e| Fault::Local(format!("socket: {e}")))?;
    Ok((stream.into(), Some(via)))
}

async fn reach_directly(hop: &Endpoint, deadline: Instant) -> Result<OwnedFd, Fault> {
    let local = |e: std::io::Error| Fault::Local(format!("socket: {e}"));
    let Ok(ip) = hop.address.parse::<IpAddr>() else {
        let why = format!("{} is a name, and names are not looked up while connecting", hop.address);
        return Err(Fault::NotReached(Reach::Unreachable(why)));
    };
    let dialled = tokio::time::timeout_at(deadline.into(), TcpStream::connect(SocketAddr::new(ip, hop.port))).await;
    let stream = match dialled {
        Err(_) => return Err(Fault::NotReached(Reach::TimedOut)),
        Ok(Err(e)) if e.kind() == std::io::ErrorKind::ConnectionRefused => {
            return Err(Fault::NotReached(Reach::Refused));
        }
        Ok(Err(e)) if e.kind() == std::io::ErrorKind::TimedOut => return Err(Fault::NotReached(Reach::TimedOut)),
        Ok(Err(e)) => return Err(Fault::NotReached(Reach::Unreachable(e.to_string()))),
        Ok(Ok(stream)) => stream,
    };
    stream.set_nodelay(true).map_err(local)?;
    // What was sent and is not acknowledged for this long means that the peer is gone; keepalives make sure that
    // something is always sent. Without it a cut cable would be noticed after a quarter of an hour.
    rustix::net::sockopt::set_tcp_user_timeout(&stream, 30_000).map_err(|e| local(e.into()))?;
    stream.into_std().map(OwnedFd::from).map_err(local)
}

/// Starts the thread and waits until it has logged in. Takes the place once there is a thread to keep it.
async fn start(
    endpoint: &Arc<Endpoint>,
    stream: OwnedFd,
    via: Option<Via>,
    place: &mut Option<SemaphorePermit<'static>>,
    deadline: Instant,
) -> Result<Session, NoLogin> {
    let local = |what: &str, e: std::io::Error| NoLogin::Fault(Fault::Local(format!("{what}: {e}")));
    let flags = rustix::event::EventfdFlags::CLOEXEC | rustix::event::EventfdFlags::NONBLOCK;
    let wake = Arc::new(rustix::event::eventfd(0, flags).map_err(|e| local("no event descriptor", e.into()))?);
    let ended = Arc::new(Mutex::new(None));
    let tunnels = Arc::new(AtomicUsize::new(0));
    let (requests, inbox) = mpsc::channel();
    let (ready, logged_in) = oneshot::channel();
    let fd = Arc::new(stream);
    let thread = {
        let (endpoint, wake, ended) = (Arc::clone(endpoint), Arc::clone(&wake), Arc::clone(&ended));
        let tunnels = Arc::clone(&tunnels);
        move |held: oneshot::Receiver<SemaphorePermit<'static>>| match login::login(&fd, &endpoint, deadline) {
            Ok(session) => {
                let shown = session.host_key().map(|(key, _)| host_key::shown(key)).unwrap_or_default();
                if ready.send(Ok(shown)).is_ok() {
                    let _place = held.blocking_recv();
                    Worker::new(Line { session, fd }, inbox, wake, ended, tunnels).run();
                }
            }
            Err(error) => drop(ready.send(Err(error))),
        }
    };
    let (keep, held) = oneshot::channel();
    std::thread::Builder::new()
        .name(format!("ssh {}", endpoint.name))
        .stack_size(STACK)
        .spawn(move || thread(held))
        .map_err(|e| local("no thread", e))?;
    let host_key = match tokio::time::timeout_at(with_grace(deadline), logged_in).await {
        Ok(Ok(result)) => result?,
        Ok(Err(_)) => return Err(Fault::Handshake("the SSH library failed on what the server sent".into()).into()),
        Err(_) => return Err(Fault::Timeout { stage: Stage::Auth, sent: false }.into()),
    };
    if let Some(place) = place.take() {
        let _ = keep.send(place);
    }
    let via = via.map(|via| Box::new(via) as Box<dyn std::any::Any + Send + Sync>);
    let handle = Handle { requests, wake, ended, endpoint: Arc::clone(endpoint), host_key, tunnels, _via: via };
    Ok(Session { handle: Arc::new(handle) })
}

//! The handle that callers hold on a session that is logged in.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Instant;

use tokio::net::UnixStream;
use tokio::sync::oneshot;

use super::error::{Fault, SshError, Stage};
use super::worker::Request;
use super::{Endpoint, Output, Reply, with_grace};

/// A logged-in SSH session. Cheap to clone; the connection ends when the last clone and the last tunnel are gone.
#[derive(Clone)]
pub struct Session {
    pub(super) handle: Arc<Handle>,
}

pub(super) struct Handle {
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) wake: Arc<OwnedFd>,
    pub(super) ended: Arc<Mutex<Option<String>>>,
    pub(super) endpoint: Arc<Endpoint>,
    /// What the host showed on the way in.
    pub(super) host_key: String,
    /// How many tunnels it carries.
    pub(super) tunnels: Arc<AtomicUsize>,
    /// What carries this session, behind a jump host.
    pub(super) _via: Option<Box<dyn std::any::Any + Send + Sync>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        let _ = self.requests.send(Request::Release);
        wake(&self.wake);
    }
}

fn wake(fd: &OwnedFd) {
    // Full means that a wake-up is pending already.
    let _ = rustix::io::write(fd, &1_u64.to_ne_bytes());
}

impl Session {
    /// Runs `command` by the user's login shell, with all of `stdin` and then end of file as its input.
    ///
    /// # Errors
    ///
    /// Ask [`SshError::outcome_unknown`] before running it again. An exit status other than 0 is not an error.
    pub async fn exec(&self, command: &str, stdin: Vec<u8>, deadline: Instant) -> Result<Output, SshError> {
        let command = command.to_owned();
        self.ask(deadline, Stage::Command, true, |reply| Request::Exec { command, stdin, deadline, reply }).await
    }

    /// Connects on from the host to `host:port`, as the host sees and resolves it (direct-tcpip).
    ///
    /// Opens of one session come one after the other: an address that swallows packets holds up the next until the
    /// server gives up on it. Use another session for what must not wait. The stream ends when the SSH connection does.
    ///
    /// # Errors
    ///
    /// [`Fault::TunnelRefused`] when the server forbids it or nobody listens there.
    pub async fn dial(&self, host: &str, port: u16, deadline: Instant) -> Result<UnixStream, SshError> {
        let started = Instant::now();
        let host = host.to_owned();
        let stream =
            self.ask(deadline, Stage::Open, false, |reply| Request::Dial { host, port, deadline, reply }).await?;
        UnixStream::from_std(stream)
            .map_err(|e| failure(&self.handle.endpoint, started, 1, Fault::Local(format!("no tunnel socket: {e}"))))
    }

    /// Ends the session and all its tunnels now, for every clone.
    pub async fn close(self) {
        let _ = self.handle.requests.send(Request::Close);
        wake(&self.handle.wake);
        tokio::task::yield_now().await;
    }

    /// Whose session it is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.handle.endpoint
    }

    /// The host key it was opened with, as `TYPE SHA256:...`.
    pub fn host_key(&self) -> &str {
        &self.handle.host_key
    }

    /// How many tunnels it carries.
    pub(super) fn tunnels(&self) -> usize {
        self.handle.tunnels.load(Ordering::SeqCst)
    }

    /// Whether the connection has ended; a session that is not closed may still turn out to be dead when used.
    pub fn is_closed(&self) -> bool {
        self.handle.ended.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    async fn ask<T>(
        &self,
        deadline: Instant,
        stage: Stage,
        sends: bool,
        request: impl FnOnce(Reply<T>) -> Request,
    ) -> Result<T, SshError> {
        let started = Instant::now();
        let fail = |fault| failure(&self.handle.endpoint, started, 1, fault);
        let (reply, answer) = oneshot::channel();
        let ended = || self.handle.ended.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let not_sent = |detail| Err(fail(Fault::Lost { sent: false, detail }));
        // Once it has ended, its worker takes no more; until that is seen, nobody knows what it has taken.
        if let Some(detail) = ended() {
            return not_sent(detail);
        }
        if self.handle.requests.send(request(reply)).is_err() {
            return not_sent(ended().unwrap_or_else(|| "the session has ended".into()));
        }
        wake(&self.handle.wake);
        // The worker answers by itself at the deadline, knowing more than we do; this is for a worker that hangs.
        match tokio::time::timeout_at(with_grace(deadline), answer).await {
            Ok(Ok(result)) => result.map_err(fail),
            Ok(Err(_)) => {
                let detail = ended().unwrap_or_else(|| "the session's thread ended".into());
                Err(fail(Fault::Lost { sent: sends, detail }))
            }
            Err(_) => Err(fail(Fault::Timeout { stage, sent: sends })),
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("endpoint", &self.handle.endpoint.label()).finish_non_exhaustive()
    }
}

pub(super) fn failure(endpoint: &Endpoint, started: Instant, attempts: u32, fault: Fault) -> SshError {
    SshError {
        target: endpoint.label(),
        login: endpoint.login(),
        through: endpoint.through(),
        after: started.elapsed(),
        attempts,
        fault: Box::new(fault),
    }
}

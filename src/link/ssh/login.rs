//! From a connected stream to a session that may run commands: handshake, host key, authentication.
//!
//! Runs on the session's own thread. libssh2 is never in blocking mode: its timeout counts per call, so a server that
//! sends a byte a second would hold it for ever. Every call is repeated here until it is done or the deadline passes.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use libssh2_sys as raw;
use rustix::event::{PollFd, PollFlags, Timespec};
use ssh2::{BlockDirections, ErrorCode, MethodType, Session};

use super::Endpoint;
use super::error::{Fault, Stage};
use super::identity::{self, Identity};

/// libssh2's "try again when the socket is ready".
pub(super) const EAGAIN: ErrorCode = ErrorCode::Session(raw::LIBSSH2_ERROR_EAGAIN);
/// What a server accepts that has hung up on the log-in.
const NO_MORE_TRIES: &str = "no more tries, see MaxAuthTries";
/// How many failures OpenSSH's server takes by default.
const MAX_AUTH_TRIES: usize = 6;
/// The server's "no" to one key.
const REFUSED: [ErrorCode; 2] = [
    ErrorCode::Session(raw::LIBSSH2_ERROR_AUTHENTICATION_FAILED),
    ErrorCode::Session(raw::LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED),
];

/// Why a login did not come about.
pub(super) enum NoLogin {
    /// Dropped before the server said a word: MaxStartups and the like. Worth another try.
    Dropped(String),
    /// Final.
    Fault(Fault),
}

impl From<Fault> for NoLogin {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

struct Login<'a> {
    fd: &'a Arc<OwnedFd>,
    session: Session,
    endpoint: &'a Endpoint,
    deadline: Instant,
}

/// How one repeated call ended without success.
enum Stop {
    Deadline,
    Said(ssh2::Error),
}

/// Makes an authenticated session out of a connected stream.
pub(super) fn login(fd: &Arc<OwnedFd>, endpoint: &Endpoint, deadline: Instant) -> Result<Session, NoLogin> {
    #[expect(clippy::disallowed_methods, reason = "the one place where sessions are made: never blocking")]
    let session = Session::new().map_err(|e| Fault::Local(format!("no SSH session: {}", e.message())))?;
    session.set_blocking(false);
    let mut login = Login { fd, session, endpoint, deadline };
    login.handshake()?;
    login.authenticate()?;
    Ok(login.session)
}

impl Login<'_> {
    fn handshake(&mut self) -> Result<(), NoLogin> {
        let expected = self.endpoint.host_keys.expect(&self.endpoint.address, self.endpoint.port);
        let setup = |e: ssh2::Error| Fault::Local(format!("SSH set-up: {}", e.message()));
        self.session.method_pref(MethodType::HostKey, &expected.algorithms()).map_err(setup)?;
        self.session.set_tcp_stream(Arc::clone(self.fd));
        let mut session = self.session.clone();
        if let Err(stop) = self.drive(|| session.handshake()) {
            // Whatever line came last; a server that is full may say so instead of greeting.
            let line = String::from_utf8_lossy(self.session.banner_bytes().unwrap_or_default()).trim().to_owned();
            let greeted = line.starts_with("SSH-");
            return Err(match stop {
                Stop::Deadline => Fault::Timeout { stage: Stage::Handshake, sent: false }.into(),
                Stop::Said(e) if greeted => Fault::Handshake(e.message().to_owned()).into(),
                Stop::Said(_) if !line.is_empty() => NoLogin::Dropped(line),
                Stop::Said(e) => NoLogin::Dropped(e.message().to_owned()),
            });
        }
        let shown = self.session.host_key().map(|(key, _)| key.to_vec()).unwrap_or_default();
        #[expect(clippy::disallowed_methods, reason = "a certificate is valid by the clock on the wall")]
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        expected.judge(&shown, now).map_err(Fault::HostKey)?;
        Ok(())
    }

    fn authenticate(&self) -> Result<(), Fault> {
        let user = self.endpoint.user.as_str();
        let accepts = match self.drive(|| self.session.auth_methods(user).map(str::to_owned)) {
            Ok(methods) => methods,
            Err(stop) => return Err(broken(stop)),
        };
        if self.session.authenticated() {
            return Ok(());
        }
        let mut tried = Vec::new();
        let identities = identity::load_all(self.endpoint);
        let done = self.try_agent(&identities, true, &mut tried)?
            || self.try_files(&identities, &mut tried)?
            || (!self.endpoint.identities_only && self.try_agent(&identities, false, &mut tried)?);
        if done {
            return Ok(());
        }
        let mut unusable = identities.into_iter().filter_map(|identity| identity.private.err());
        if tried.is_empty()
            && let Some(fault) = unusable.next()
        {
            return Err(Fault::KeyFile(fault));
        }
        tried.extend(unusable.map(|fault| fault.to_string()));
        // libssh2 may tell a hang-up in the middle of the keys as one more no.
        let accepts = if tried.len() >= MAX_AUTH_TRIES && self.hung_up() { NO_MORE_TRIES.to_owned() } else { accepts };
        Err(Fault::Auth { tried, accepts })
    }

    /// Whether the server has closed the connection, as it does when MaxAuthTries is used up.
    fn hung_up(&self) -> bool {
        let mut polled = [PollFd::new(self.fd, PollFlags::RDHUP)];
        // Its last word and its close are two packets.
        let moment = Timespec { tv_sec: 0, tv_nsec: 300_000_000 };
        rustix::event::poll(&mut polled, Some(&moment)).is_ok()
            && polled[0].revents().intersects(PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR)
    }

    /// Keys that the agent holds: those of the identity files (`named`), or all others.
    fn try_agent(&self, identities: &[Identity], named: bool, tried: &mut Vec<String>) -> Result<bool, Fault> {
        let Some(socket) = &self.endpoint.agent else { return Ok(false) };
        let Ok(mut agent) = self.session.agent() else { return Ok(false) };
        // An agent that is gone is not the host's fault: say it once, go on with the files.
        if let Err(error) =
            agent.set_identity_path(socket).and_then(|()| agent.connect()).and_then(|()| agent.list_identities())
        {
            if named {
                tried.push(format!("agent {} does not answer: {}", socket.display(), error.message()));
            }
            return Ok(false);
        }
        let ours = |blob: &[u8]| {
            identities
                .iter()
                .any(|i| i.public.as_deref() == Some(blob) || i.certificates.iter().any(|c| c.blob == blob))
        };
        for key in agent.identities().unwrap_or_default() {
            if ours(key.blob()) != named {
                continue;
            }
            let label = format!("agent key {} ({})", identity::name_of_blob(key.blob()), key.comment());
            if self.attempt(label, tried, || agent.userauth(&self.endpoint.user, &key))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn try_files(&self, identities: &[Identity], tried: &mut Vec<String>) -> Result<bool, Fault> {
        let user = self.endpoint.user.as_str();
        for identity in identities {
            let Ok(private) = &identity.private else { continue };
            let path = identity.path.display();
            for certificate in &identity.certificates {
                let by = || self.session.userauth_pubkey_memory(user, Some(&certificate.text), private, None);
                if self.attempt(format!("certificate {}", certificate.path.display()), tried, by)? {
                    return Ok(true);
                }
            }
            // Without the public half libssh2 would derive it, which it can't for every kind of file.
            let public = identity.public.as_deref().map(identity::line_of_blob);
            let by = || self.session.userauth_pubkey_memory(user, public.as_deref(), private, None);
            if self.attempt(format!("key {path}"), tried, by)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// One key. `Ok(false)`: the server (or the library, for a key it can't use) said no; go on with the next.
    fn attempt(
        &self,
        label: String,
        tried: &mut Vec<String>,
        by: impl FnMut() -> Result<(), ssh2::Error>,
    ) -> Result<bool, Fault> {
        match self.drive(by) {
            Ok(()) => Ok(true),
            Err(Stop::Said(e)) if REFUSED.contains(&e.code()) => {
                tried.push(label);
                Ok(false)
            }
            Err(Stop::Said(e)) if is_broken(&e) && !tried.is_empty() => {
                // sshd hangs up when MaxAuthTries is used up; what was tried is the message then.
                tried.push(format!("{label}: the server hung up"));
                Err(Fault::Auth { tried: std::mem::take(tried), accepts: NO_MORE_TRIES.into() })
            }
            Err(Stop::Said(e)) if !is_broken(&e) => {
                tried.push(format!("{label}: {}", e.message()));
                Ok(false)
            }
            Err(stop) => Err(broken(stop)),
        }
    }

    /// Repeats a non-blocking call until it is done or the deadline passes.
    fn drive<T>(&self, mut call: impl FnMut() -> Result<T, ssh2::Error>) -> Result<T, Stop> {
        loop {
            match call() {
                Err(e) if e.code() == EAGAIN => {}
                other => return other.map_err(Stop::Said),
            }
            let left = self.deadline.saturating_duration_since(Instant::now());
            let Ok(timeout) = Timespec::try_from(left) else { return Err(Stop::Deadline) };
            if left.is_zero() {
                return Err(Stop::Deadline);
            }
            let want = match self.session.block_directions() {
                BlockDirections::Outbound => PollFlags::OUT,
                BlockDirections::Both => PollFlags::IN | PollFlags::OUT,
                BlockDirections::Inbound | BlockDirections::None => PollFlags::IN,
            };
            // An interrupted poll is simply repeated by the loop.
            let _ = rustix::event::poll(&mut [PollFd::new(self.fd, want)], Some(&timeout));
        }
    }
}

/// Whether the connection itself is gone: closed, or send or receive failed.
fn is_broken(error: &ssh2::Error) -> bool {
    let ErrorCode::Session(code) = error.code() else { return false };
    [
        raw::LIBSSH2_ERROR_SOCKET_SEND,
        raw::LIBSSH2_ERROR_SOCKET_DISCONNECT,
        raw::LIBSSH2_ERROR_SOCKET_RECV,
        raw::LIBSSH2_ERROR_SOCKET_TIMEOUT,
        raw::LIBSSH2_ERROR_BAD_SOCKET,
        raw::LIBSSH2_ERROR_INVALID_MAC,
        raw::LIBSSH2_ERROR_DECRYPT,
    ]
    .contains(&code)
}

fn broken(stop: Stop) -> Fault {
    match stop {
        Stop::Deadline => Fault::Timeout { stage: Stage::Auth, sent: false },
        Stop::Said(e) => Fault::Lost { sent: false, detail: format!("while logging in: {}", e.message()) },
    }
}

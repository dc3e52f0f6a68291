//! What went wrong, on which side, at which stage, and what to type next.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::host_key::HostKeyFault;

/// A failure of one SSH session: which host, after how long, what, and (by [`SshError::hint`]) the next command.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{target}: {fault} (after {:.1} s{})", after.as_secs_f64(), often(*attempts))]
pub struct SshError {
    /// The host that failed, as `name (user@address:port)`. With jump hosts it is the hop that failed, not the last host.
    pub target: String,
    /// `user@address -p port` for the hints.
    pub(super) login: String,
    /// The same for the jump host before it.
    pub(super) through: Option<String>,
    /// How long it took from the call to the failure.
    pub after: Duration,
    /// Log-in attempts made; more than 1 when the server dropped us before it said anything (MaxStartups).
    pub attempts: u32,
    /// What happened.
    pub fault: Box<Fault>,
}

/// The ways to fail. Callers match on this; people read it by `Display`.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Fault {
    /// No TCP connection (or, behind a jump host, no tunnel) to the SSH port.
    #[error(transparent)]
    NotReached(Reach),
    /// TCP was there, but no SSH session came of it: dropped, or no common algorithm.
    #[error("no SSH session: {0}")]
    Handshake(String),
    /// The host's key is not one we may trust. Nothing was sent but the key exchange.
    #[error(transparent)]
    HostKey(Box<HostKeyFault>),
    /// The host is who it should be, but lets us in with none of our keys.
    #[error("login refused: {} (the server accepts {accepts})", keys(tried))]
    Auth {
        /// One entry per key tried or refused locally, with its origin.
        tried: Vec<String>,
        /// What the server says it would accept, comma separated.
        accepts: String,
    },
    /// No key was left to try, because this one can't be used.
    #[error(transparent)]
    KeyFile(KeyFileFault),
    /// The connection broke.
    #[error("the connection broke {}: {detail}", if *sent { "after the command was sent, its outcome is unknown" } else { "before the command was sent" })]
    Lost {
        /// Whether (part of) the command may have reached the host: its outcome is unknown then.
        sent: bool,
        /// What the library or the system said.
        detail: String,
    },
    /// The deadline passed.
    #[error("deadline passed while {stage}{}", if *sent { ", its outcome is unknown" } else { "; no command was sent" })]
    Timeout {
        /// What was under way.
        stage: Stage,
        /// Whether (part of) the command may have reached the host: its outcome is unknown then.
        sent: bool,
    },
    /// The SSH server would not, or could not, connect on to `to`.
    #[error("the SSH server did not connect on to {to}: {why}")]
    TunnelRefused {
        /// `host:port` as asked for.
        to: String,
        /// The server's reason.
        why: String,
    },
    /// The host's server refused to run the command at all (forced command, no session allowed).
    #[error("the SSH server did not run the command: {0}")]
    Refused(String),
    /// The command wrote more than we keep; it was cut off, so its outcome is unknown.
    #[error("the command wrote more than {limit} bytes and was cut off, its outcome is unknown")]
    TooLong {
        /// Bytes of stdout and stderr together.
        limit: usize,
    },
    /// Something on this machine: no thread, no socket, no file descriptor.
    #[error("on this machine: {0}")]
    Local(String),
}

/// Why there was no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reach {
    /// The host answered that nobody listens there.
    #[error("connection refused: no SSH server on that port")]
    Refused,
    /// No answer within the deadline.
    #[error("no answer to the TCP connection")]
    TimedOut,
    /// The network said no; the system's words.
    #[error("not reached: {0}")]
    Unreachable(String),
}

/// Where a session is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Waiting for a free place among the sessions or log-ins that may be under way at once.
    Queue,
    /// Banner and key exchange.
    Handshake,
    /// Proving who we are.
    Auth,
    /// Opening a channel.
    Open,
    /// The command was started and did not end.
    Command,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queue => "waiting for a free place among the sessions under way",
            Self::Handshake => {
                "the SSH handshake (the port is open, but what answers does not speak SSH, or too slowly)"
            }
            Self::Auth => "logging in",
            Self::Open => "opening a channel",
            Self::Command => "running the command",
        })
    }
}

/// Why a private key file can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", problem.of(path))]
pub struct KeyFileFault {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: KeyFileProblem,
}

/// See [`KeyFileFault`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyFileProblem {
    /// Readable or writable for others than its owner; the mode bits.
    OpenPermissions(u32),
    /// Needs a passphrase, which an unattended fan-out can't ask for.
    Encrypted,
    /// Lives in a hardware token, which only an agent can talk to.
    Hardware,
    /// Its public half alone is there.
    PublicOnly,
    /// Can't be read or is not a key; the reason.
    Unreadable(String),
}

impl KeyFileProblem {
    fn of(&self, path: &Path) -> String {
        let path = path.display();
        match self {
            Self::OpenPermissions(mode) => {
                format!("private key {path} is open to others (mode {mode:04o}) and is not used, as ssh does")
            }
            Self::Encrypted => format!("private key {path} needs a passphrase and no agent holds it"),
            Self::Hardware => format!("key {path} lives in a security key and no agent holds it"),
            Self::PublicOnly => format!("{path}: only the public key is there and no agent holds the private one"),
            Self::Unreadable(why) => format!("private key {path} can't be read: {why}"),
        }
    }
}

impl KeyFileFault {
    /// The same before any agent was asked.
    pub(super) fn beforehand(&self) -> String {
        let path = self.path.display();
        match &self.problem {
            KeyFileProblem::OpenPermissions(_) => format!("{self} ({})", self.hint()),
            KeyFileProblem::Encrypted => format!("private key {path} needs a passphrase, so only an agent can use it"),
            KeyFileProblem::Hardware => format!("key {path} lives in a security key, so only an agent can use it"),
            KeyFileProblem::PublicOnly => format!("{path} is a public key, so only an agent can use its private half"),
            KeyFileProblem::Unreadable(_) => self.to_string(),
        }
    }

    fn hint(&self) -> String {
        let path = crate::shell::word(&self.path.display().to_string());
        match &self.problem {
            KeyFileProblem::OpenPermissions(_) => format!("chmod 600 {path}"),
            KeyFileProblem::PublicOnly => "ssh-add -l".into(),
            KeyFileProblem::Encrypted | KeyFileProblem::Hardware => format!("eval \"$(ssh-agent)\"; ssh-add {path}"),
            KeyFileProblem::Unreadable(_) => format!("ssh-keygen -y -f {path}"),
        }
    }
}

fn often(attempts: u32) -> String {
    if attempts > 1 { format!(", {attempts} attempts") } else { String::new() }
}

fn keys(tried: &[String]) -> String {
    if tried.is_empty() { "there was no key to try".into() } else { format!("tried {}", tried.join("; ")) }
}

impl SshError {
    /// Whether the command may have run, wholly or in part: look again before doing anything twice.
    pub fn outcome_unknown(&self) -> bool {
        matches!(
            *self.fault,
            Fault::Lost { sent: true, .. } | Fault::Timeout { sent: true, .. } | Fault::TooLong { .. }
        )
    }

    /// The host was reached and tried to connect on, in vain: nothing is wrong with SSH.
    pub fn nobody_listens(&self) -> bool {
        matches!(&*self.fault, Fault::TunnelRefused { why, .. } if why.contains("connect failed"))
    }

    /// The host was reached and may not connect on: its SSH server forbids it.
    pub fn forbidden(&self) -> bool {
        matches!(&*self.fault, Fault::TunnelRefused { why, .. } if why.contains("administratively prohibited"))
    }

    /// The next command to type.
    pub fn hint(&self) -> String {
        let login = &self.login;
        match &*self.fault {
            Fault::HostKey(fault) => fault.hint(self.through.as_deref()),
            Fault::KeyFile(fault) => fault.hint(),
            Fault::Auth { .. } => format!("ssh -v {login} true; ssh-add -l"),
            Fault::TunnelRefused { .. } if self.nobody_listens() => format!("ssh {login} 'sudo ss -ltnp'"),
            Fault::TunnelRefused { .. } => {
                format!("ssh {login} 'sudo sshd -T | grep -iE \"allowtcpforwarding|permitopen\"'")
            }
            Fault::Local(_) => "ulimit -u; ulimit -n".to_owned(),
            Fault::Lost { sent: true, .. } | Fault::Timeout { sent: true, .. } | Fault::TooLong { .. } => {
                format!("ssh {login} 'ps -ef'")
            }
            _ => format!("ssh -v -o ConnectTimeout=5 {login} true"),
        }
    }
}

#[cfg(test)]
impl SshError {
    /// One as the link makes it.
    pub fn sample(fault: Fault) -> Self {
        let (target, login) = ("cp1 (root@10.0.0.1:22)".into(), "root@10.0.0.1 -p 22".into());
        Self { target, login, through: None, after: Duration::ZERO, attempts: 1, fault: Box::new(fault) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_port_behind_a_host_is_told_from_an_ssh_server_that_forbids_it() {
        // As libssh2 says them.
        let refused = |why: &str| {
            let (to, why) = ("127.0.0.1:6443".to_owned(), format!("[Session(-21)] Channel open failure ({why})"));
            SshError::sample(Fault::TunnelRefused { to, why })
        };
        let closed = refused("connect failed");
        assert!(closed.nobody_listens() && !closed.forbidden() && !closed.hint().contains("sshd"), "{}", closed.hint());
        let forbidden = refused("administratively prohibited");
        assert!(!forbidden.nobody_listens() && forbidden.forbidden(), "{forbidden}");
        assert!(forbidden.hint().contains("allowtcpforwarding"), "{}", forbidden.hint());
        let short = refused("resource shortage");
        assert!(!short.nobody_listens() && !short.forbidden(), "{short}");
    }
}

//! SSH to a host: run a command, open a tunnel, and say exactly what failed when it fails.
//!
//! ```no_run
//! # async fn example(endpoint: breakglass::link::ssh::Endpoint) -> Result<(), breakglass::link::ssh::SshError> {
//! use std::time::{Duration, Instant};
//! use breakglass::link::ssh::Session;
//!
//! let session = Session::connect(&endpoint, Instant::now() + Duration::from_secs(20)).await?;
//! let output = session.exec("sh -s", b"uname -r\n".to_vec(), Instant::now() + Duration::from_secs(10)).await?;
//! let tunnel = session.dial("127.0.0.1", 6443, Instant::now() + Duration::from_secs(5)).await?;
//! # drop((output, tunnel)); session.close().await; Ok(()) }
//! ```
//!
//! Each session has one operating system thread of its own ([`worker`]), so that nothing libssh2 does can hold up the
//! program. Every wait has a deadline. Names are never looked up here: an [`Endpoint`] is an IP address, made by the
//! kit or by [`config`].

use std::path::PathBuf;
use std::time::Instant;

mod certificate;
mod channel;
pub mod config;
mod connect;
mod error;
mod exec;
#[cfg(test)]
mod fuzz;
mod host_key;
mod identity;
mod jump;
mod kept;
mod known_hosts;
mod lesson;
mod login;
mod places;
mod session;
mod tunnel;
mod worker;

pub use error::{Fault, KeyFileFault, KeyFileProblem, Reach, SshError, Stage};
pub use host_key::{HostKeyFault, HostKeyProblem, HostKeys};
pub use kept::{Kept, Lent};
pub use known_hosts::{KnownHosts, lookup_name};
pub use session::Session;

/// How to get into one host.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// As the operator named it.
    pub name: String,
    /// An IP address. A name is good behind a jump host only, which looks it up; connecting directly refuses it,
    /// since there may be no DNS.
    pub address: String,
    /// 22 unless said otherwise.
    pub port: u16,
    /// The remote user.
    pub user: String,
    /// Private key files, in the order to try. Those that don't exist are passed over.
    pub identities: Vec<PathBuf>,
    /// Only keys of `identities` are tried, also from the agent.
    pub identities_only: bool,
    /// User certificates that don't lie beside their key as `-cert.pub`.
    pub certificates: Vec<PathBuf>,
    /// The agent's socket.
    pub agent: Option<PathBuf>,
    /// Which host keys are good.
    pub host_keys: HostKeys,
    /// Hosts to go through, first one first. Each is reached through those before it; their own `jumps` are not read.
    pub jumps: Vec<Endpoint>,
    /// Scripts run as root by `sudo -n`.
    pub sudo: bool,
}

impl Endpoint {
    /// The command that runs a script given on stdin, as root if `sudo` is set. `-n`: sudo never asks, it fails.
    pub fn script_command(&self) -> &'static str {
        if self.sudo { "sudo -n sh -s" } else { "sh -s" }
    }

    /// `name (user@address:port)`, for messages.
    pub fn label(&self) -> String {
        let address = if self.address.contains(':') { format!("[{}]", self.address) } else { self.address.clone() };
        format!("{} ({}@{address}:{})", self.name, self.user, self.port)
    }

    /// The arguments of `ssh` that reach the same place, for hints.
    fn login(&self) -> String {
        use crate::shell::word;
        let mut line = String::new();
        if !self.jumps.is_empty() {
            let hops: Vec<_> = self.jumps.iter().map(|j| format!("{}@{}:{}", j.user, j.address, j.port)).collect();
            line = format!("-J {} ", word(&hops.join(",")));
        }
        line + &format!("-p {} {}", self.port, word(&format!("{}@{}", self.user, self.address)))
    }

    /// The same for the jump host before it.
    fn through(&self) -> Option<String> {
        let (last, before) = self.jumps.split_last()?;
        Some(Self { jumps: before.to_vec(), ..last.clone() }.login())
    }

    /// Whether one of our keys can be used as it stands in its file at a moment (Unix seconds), and what is wrong with the
    /// others: one sentence each. No agent is asked.
    pub fn keys(&self, now: u64) -> (bool, Vec<String>) {
        identity::beforehand(self, now)
    }

    /// The next commands to type where no key of the host is known.
    pub fn learn_host_key(&self) -> String {
        let (keys, through) = (&self.host_keys, self.through());
        let name = keys.expect(&self.address, self.port).into_name();
        let (address, port, files) = (&self.address, self.port, keys.known.files());
        lesson::Lesson { name: &name, address, port, files, through: through.as_deref() }.look_and_learn()
    }
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// Its exit status.
    Status(i32),
    /// Killed by this signal (`TERM`, `KILL`, …; without `SIG`).
    Signal(String),
}

/// What a command said.
#[derive(Debug, Clone)]
pub struct Output {
    /// How it ended.
    pub exit: Exit,
    /// Everything it wrote to stdout.
    pub stdout: Vec<u8>,
    /// Everything it wrote to stderr.
    pub stderr: Vec<u8>,
    /// Bytes of command and stdin that went out (payload, without SSH's own).
    pub bytes_sent: u64,
    /// Bytes of stdout and stderr that came back.
    pub bytes_received: u64,
}

impl Output {
    /// Exit status 0.
    pub fn success(&self) -> bool {
        self.exit == Exit::Status(0)
    }
}

type Reply<T> = tokio::sync::oneshot::Sender<Result<T, Fault>>;

/// `base` and some of the time until `deadline`; for waits that the worker ends by itself, a little late at worst.
fn with_grace(deadline: Instant) -> tokio::time::Instant {
    tokio::time::Instant::from_std(deadline + std::time::Duration::from_millis(500))
}

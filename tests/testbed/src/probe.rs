//! What a TCP port answers to one connection attempt.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Result, bail};

/// What one connection attempt met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    Open,
    /// A reset in answer to the SYN: nothing listens, or a firewall rejects with a reset.
    Refused,
    /// The firewall answered with an ICMP "unreachable".
    Unreachable,
    /// Nothing came back within the limit.
    Timeout,
}

impl Probe {
    /// Connects from the namespace of the calling thread and hangs up at once.
    ///
    /// # Errors
    /// Those that say nothing about the port: no route from here, no free local port.
    pub(crate) fn connect(to: SocketAddr, limit: Duration) -> Result<Self> {
        Ok(match TcpStream::connect_timeout(&to, limit) {
            Ok(_) => Self::Open,
            Err(error) => match error.kind() {
                ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => Self::Refused,
                ErrorKind::HostUnreachable | ErrorKind::PermissionDenied => Self::Unreachable,
                ErrorKind::TimedOut | ErrorKind::WouldBlock => Self::Timeout,
                _ => bail!("a probe of {to} failed on this side: {error}"),
            },
        })
    }
}

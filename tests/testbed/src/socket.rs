//! TCP sockets of a host as its kernel lists them.

use std::{net::SocketAddr, process::Command, time::Duration};

use anyhow::{Context, Result};

use crate::{command::run, host::Host};

/// One TCP socket. An IPv4 peer of a dual-stack socket is given as IPv4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// As `ss` names it: `LISTEN`, `ESTAB`, `TIME-WAIT`, …
    pub state: String,
    pub local: SocketAddr,
    pub peer: SocketAddr,
}

impl Host {
    /// Every TCP socket of the host, listening ones included; read without touching the host's own files.
    pub fn sockets(&self) -> Result<Vec<Socket>> {
        let list = || run(Command::new("ss").args(["-H", "-t", "-a", "-n"]), b"", Duration::from_secs(30));
        let lines = self.in_network(list)?.ok()?;
        lines.lines().map(|line| parse(line).with_context(|| format!("unread line of ss: {line}"))).collect()
    }

    /// Its established connections whose own port is `port`: what a listener there has been given.
    pub fn connections_to(&self, port: u16) -> Result<Vec<Socket>> {
        let mut sockets = self.sockets()?;
        sockets.retain(|socket| socket.state == "ESTAB" && socket.local.port() == port);
        Ok(sockets)
    }
}

fn parse(line: &str) -> Option<Socket> {
    let mut fields = line.split_whitespace();
    let state = fields.next()?.to_owned();
    let mut addresses = fields.skip(2);
    Some(Socket { state, local: address(addresses.next()?)?, peer: address(addresses.next()?)? })
}

/// `ss` writes `*` for any address or port, and `%eth0` behind an address bound to a device.
fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']').split('%').next()?;
    let host = if host == "*" { "::" } else { host };
    let port = if port == "*" { 0 } else { port.parse().ok()? };
    Some(SocketAddr::new(host.parse::<std::net::IpAddr>().ok()?.to_canonical(), port))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn every_form_of_address_is_read() {
        for (line, local, peer) in [
            ("LISTEN 0 128 0.0.0.0:22 0.0.0.0:*", "0.0.0.0:22", "0.0.0.0:0"),
            ("LISTEN 0 128 [::]:22 [::]:*", "[::]:22", "[::]:0"),
            ("LISTEN 0 4096 *:6443 *:*", "[::]:6443", "[::]:0"),
            ("ESTAB 0 0 [::ffff:10.90.1.1]:22 [::ffff:10.90.0.1]:40000", "10.90.1.1:22", "10.90.0.1:40000"),
            ("ESTAB 0 0 10.90.1.1%eth0:22 10.90.0.1:40000", "10.90.1.1:22", "10.90.0.1:40000"),
        ] {
            let socket = parse(line).expect(line);
            assert_eq!((socket.local.to_string().as_str(), socket.peer.to_string().as_str()), (local, peer), "{line}");
        }
    }
}

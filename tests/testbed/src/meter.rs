//! What the operator's machine really sent to a server, and got back: counted by the kernel, not by the program under test.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{
    Lab,
    command::{Output, run},
};

const LIMIT: Duration = Duration::from_secs(30);

/// Traffic between the operator and one server since the meter was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Connection attempts, those that were refused or dropped included.
    pub connections: u64,
    /// Bytes of IP packets, so with their headers.
    pub sent: u64,
    pub received: u64,
}

/// Counts until it is dropped.
#[derive(Debug)]
pub struct Meter {
    table: String,
    servers: Vec<SocketAddr>,
}

impl Meter {
    /// Counts what goes to and comes from each of `servers`: an API server's port, a host's SSH port.
    pub fn start(_lab: &Lab, servers: &[SocketAddr]) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let meter =
            Self { table: format!("meter_{}", NEXT.fetch_add(1, Ordering::Relaxed)), servers: servers.to_vec() };
        nft(&["-f", "-"], &ruleset(&meter.table, servers))?.ok()?;
        Ok(meter)
    }

    /// The traffic so far, in the order of the servers.
    pub fn read(&self) -> Result<Vec<Traffic>> {
        let text = nft(&["-j", "list", "counters", "table", "inet", &self.table], "")?.ok()?;
        let listed: Value = serde_json::from_str(&text).context(text)?;
        let value = |name: &str, field: &str| {
            let counters = listed["nftables"].as_array().into_iter().flatten().map(|entry| &entry["counter"]);
            counters.filter(|counter| counter["name"] == name).find_map(|counter| counter[field].as_u64())
        };
        let traffic = |at: usize| {
            Some(Traffic {
                connections: value(&format!("new{at}"), "packets")?,
                sent: value(&format!("sent{at}"), "bytes")?,
                received: value(&format!("received{at}"), "bytes")?,
            })
        };
        (0..self.servers.len()).map(|at| traffic(at).context("a counter of the meter is gone")).collect()
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        // The lab's end takes it away otherwise.
        let _ = nft(&["delete", "table", "inet", &self.table], "");
    }
}

fn ruleset(table: &str, servers: &[SocketAddr]) -> String {
    let (mut counters, mut out, mut back) = (String::new(), String::new(), String::new());
    for (at, server) in servers.iter().enumerate() {
        let (family, ip, port) = (if server.is_ipv4() { "ip" } else { "ip6" }, server.ip(), server.port());
        let to = format!("{family} daddr {ip} tcp dport {port}");
        let _ = writeln!(counters, "counter new{at} {{ }}\ncounter sent{at} {{ }}\ncounter received{at} {{ }}");
        let _ = writeln!(out, "{to} tcp flags & (syn | ack) == syn counter name new{at}\n{to} counter name sent{at}");
        let _ = writeln!(back, "{family} saddr {ip} tcp sport {port} counter name received{at}");
    }
    format!(
        "table inet {table} {{\n{counters}chain out {{\ntype filter hook output priority -300\n{out}}}\n\
         chain back {{\ntype filter hook input priority -300\n{back}}}\n}}\n"
    )
}

fn nft(arguments: &[&str], stdin: &str) -> Result<Output> {
    run(Command::new("nft").args(arguments), stdin.as_bytes(), LIMIT)
}

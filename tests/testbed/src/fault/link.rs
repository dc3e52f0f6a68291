//! Faults of a host's wire. They act on the operator's end of it and on the bridge, never on the host's own ruleset.

use std::{process::Command, time::Duration};

use anyhow::{Result, ensure};

use super::Undo;
use crate::{command::run, host::Host, net::ip_batch};

const LIMIT: Duration = Duration::from_secs(30);

pub(super) fn down(host: &Host) -> Result<Undo> {
    let link = host.link().to_owned();
    ip_batch(&[], &format!("link set {link} down\n"))?;
    Ok(Box::new(move || ip_batch(&[], &format!("link set {link} up\n"))))
}

pub(super) fn loss(host: &Host, percent: u8) -> Result<Undo> {
    ensure!(percent <= 100, "{percent} percent of the packets cannot be lost");
    let table = format!("loss_{}", host.link());
    let chain = |hook: &str, direction: &str| {
        format!(
            "chain {hook} {{ type filter hook {hook} priority 0; {direction} {} numgen random mod 100 < {percent} drop; }}",
            host.link()
        )
    };
    nft(&format!(
        "table bridge {table} {{\n{}\n{}\n}}\n",
        chain("prerouting", "iifname"),
        chain("postrouting", "oifname")
    ))?;
    Ok(Box::new(move || nft(&format!("delete table bridge {table}\n"))))
}

pub(super) fn slow(host: &Host, kbit: u32) -> Result<Undo> {
    let host = host.clone();
    shape("add", host.link(), kbit)?;
    if let Err(error) = host.in_network(|| shape("add", "eth0", kbit)) {
        shape("del", host.link(), kbit)?;
        return Err(error);
    }
    Ok(Box::new(move || {
        let inner = host.in_network(|| shape("del", "eth0", kbit));
        shape("del", host.link(), kbit).and(inner)
    }))
}

/// A token bucket with room for a few packets and half a second of queue: netem is not in every kernel.
fn shape(verb: &str, link: &str, kbit: u32) -> Result<()> {
    let mut tc = Command::new("tc");
    tc.args(["qdisc", verb, "dev", link, "root", "tbf"]);
    tc.args(["rate", &format!("{kbit}kbit"), "burst", "8kb", "latency", "500ms"]);
    run(&mut tc, b"", LIMIT)?.ok()?;
    Ok(())
}

fn nft(rules: &str) -> Result<()> {
    run(Command::new("nft").args(["-f", "-"]), rules.as_bytes(), LIMIT)?.ok()?;
    Ok(())
}

//! One host from closing to opening, and what is refused.

use std::{
    io::Read,
    net::{IpAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use testbed::{Host, Lab, Probe};

use crate::program::{LIMIT, PORT, Program, listen, status, until};

/// Somebody else's rules, in every kind of table: iptables leaves a built-in chain behind wherever it was first.
pub(crate) const OTHERS: &str = "for t in iptables-legacy ip6tables-legacy iptables-nft ip6tables-nft; do \
    for c in INPUT OUTPUT; do $t -A $c -p udp --dport 9 -j DROP; done; done";

pub(crate) fn stand(name: &str) -> Result<(Program, Host, Host)> {
    let mut hosts = Lab::shared()?.hosts([format!("{name}-a"), format!("{name}-c")])?;
    let (Some(client), Some(api)) = (hosts.pop(), hosts.pop()) else { bail!("two hosts were asked for") };
    listen(&api)?;
    api.sh(OTHERS)?.ok()?;
    let program = Program::new(name, std::slice::from_ref(&api), std::slice::from_ref(&client))?;
    Ok((program, api, client))
}

pub(crate) fn closed_and_opened(back_end: &'static str) -> Result<()> {
    let name = format!("whole-{}", back_end.replace("iptables-", "i"));
    let (program, api, client) = stand(&name)?;
    let before = api.snapshot()?.firewall();
    let mut open = client.in_network(|| Ok(TcpStream::connect((api.ip4(), PORT))?))?;
    open.set_read_timeout(Some(Duration::from_secs(5)))?;
    let words = ["gate", "close", "--port", "6443", "--back-end", back_end, "--yes", "--reason", "it drowns"];
    let said = program.run(&[&words[..], &["--stages", "50,100", "--probe-from", client.name()]].concat())?;
    ensure!(said.success(), "{said:?}");
    for part in ["closed", "open connections cut, none left", "is refused"] {
        ensure!(said.stderr.contains(part) || said.stdout.contains(part), "{part:?} is not said: {said:?}");
    }
    // The connection from before is gone, new ones are refused, the operator's is not.
    ensure!(!matches!(open.read(&mut [0]), Ok(1..)), "the old connection lives");
    for to in [IpAddr::from(api.ip4()), api.ip6().into()] {
        ensure!(client.probe(to, PORT, LIMIT)? == Probe::Refused);
    }
    ensure!(Lab::shared()?.probe(api.ip4(), PORT, LIMIT)? == Probe::Open);
    // Who is kept out is told by his address, and by nothing else.
    let top = program.run(&["top", "--source", "gate"])?;
    for part in [client.ip4().to_string(), client.ip6().to_string(), format!("gates: told by {}", api.name())] {
        ensure!(top.success() && top.stdout.contains(&part), "{part}: {top:?}");
    }
    let state = status(&api)?.context("no gate")?;
    ensure!(state.stands() && state.confirmed && state.level() == 0, "{state:?}");
    // A second run is told whose gate it is, and changes nothing.
    let second = program.run(&["gate", "close", "--port", "6443", "--yes"])?;
    let run = state.mark.as_ref().context("no mark")?.run.clone();
    ensure!(!second.success() && second.stderr.contains(&run), "{second:?}");
    let shown = program.run(&["gate", "status"])?;
    ensure!(shown.success() && shown.stdout.contains(&run) && shown.stdout.contains("closed"), "{shown:?}");
    let watched = program.run(&["gate", "watch", "--for", "1s", "--every", "400ms"])?;
    ensure!(watched.success() && watched.stdout.contains(&format!("east/{}", api.name())), "{watched:?}");
    let longer = program.run(&["gate", "confirm", "--for", "1h", "--yes"])?;
    ensure!(longer.success(), "{longer:?}");
    let state = status(&api)?.context("no gate")?;
    ensure!(state.next_ms() > 3_500_000 && state.level() == 0, "{state:?}");
    // It is in the hands of that run now: taking the first one back leaves it closed, and says what would open it.
    let undone = program.run(&["undo", &run, "--yes"])?;
    let told = format!("{}{}", undone.stdout, undone.stderr);
    ensure!(!undone.success() && told.contains(&format!("breakglass gate open --of {run}")), "{undone:?}");
    ensure!(status(&api)?.is_some_and(|state| state.stands() && state.level() == 0), "undo opened it: {undone:?}");
    // Nothing here answers as an API server, so that no stage is ever good: it stays shut, and says why.
    let held =
        program.run(&["gate", "open", "--window", "1s", "--p99", "100ms", "--yes", "--request-timeout", "12s"])?;
    ensure!(!held.success() && held.stderr.contains("readyz"), "{held:?}");
    ensure!(status(&api)?.is_some_and(|state| state.stands() && state.level() == 0), "it opened while all was bad");
    let opened = program.run(&["gate", "open", "--at-once", "--yes"])?;
    ensure!(opened.success(), "{opened:?}");
    ensure!(client.probe(api.ip4(), PORT, LIMIT)? == Probe::Open);
    before.changes_until(&api.snapshot()?.firewall()).expect_none()
}

pub(crate) fn refused() -> Result<()> {
    let (program, api, _) = stand("refused")?;
    let before = api.snapshot()?.firewall();
    for (words, part) in [
        (&["--port", "22"][..], "SSH"),
        (&["--port", "7777"], "nothing listens on port 7777"),
        (&["--port", "6443", "--allow", "0.0.0.0/0"], "whole internet"),
        (&["--port", "6443", "--allow", "cp1"], "cp1"),
        (&["--port", "6443", "--stages", "25,5"], "no more than the one before"),
        (
            &["--port", "6443", "--stages", "5n,1 source"],
            "stage 1 source lets in no more than the one before, 5 sources",
        ),
        (&["--port", "6443", "--stages", "0n"], "0 is no number of sources"),
        (&["--port", "6443", "--stages", "nodes"], "no set \"nodes\""),
        (&["--port", "6443", "--for", "0s"], "--for"),
        (&["--port", "6443", "--for", "25h"], "1 day"),
        (&["--port", "6443", "--probe-from", "nobody"], "no host \"nobody\""),
        (&["--targets", "nobody"], "nobody"),
    ] {
        let said = program.run(&[&["gate", "close", "--yes"], words].concat())?;
        ensure!(!said.success() && said.stderr.contains(part), "{words:?}: {part:?} is not in {said:?}");
    }
    before.changes_until(&api.snapshot()?.firewall()).expect_none()
}

/// Only the first SSH connection gets in: the session that closes the gate lives, and must not be enough.
pub(crate) fn unconfirmed() -> Result<()> {
    let (program, api, client) = stand("unconf")?;
    api.sh(
        "nft add table inet t; nft 'add chain inet t i { type filter hook input priority 0; }'; \
         nft 'add rule inet t i tcp dport 22 tcp flags & (syn | ack) == syn limit rate over 1/hour burst 1 packets drop'",
    )?
    .ok()?;
    let words = ["gate", "close", "--port", "6443", "--confirm-within", "4s", "--yes", "--request-timeout", "20s"];
    let run = program.start(&words)?;
    let meets = |wanted: Probe| client.probe(api.ip4(), PORT, LIMIT).map(|met| met == wanted);
    until(LIMIT, || meets(Probe::Refused))?;
    let stood = until(Duration::from_mins(1), || meets(Probe::Open))?;
    let said = run.wait(LIMIT)?;
    ensure!(!said.success(), "nobody could confirm it, and it says all is well: {said:?}");
    let state = status(&api)?.context("no gate was put up")?;
    ensure!(!state.confirmed && !state.stands(), "{stood:?}: {state:?} {said:?}");
    Ok(())
}

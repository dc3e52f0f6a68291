//! Many hosts of many clusters at once, a third of them dead or stalling.

use std::time::Instant;

use anyhow::{Result, ensure};
use testbed::{Fault, Host, Lab, Probe};

use crate::program::{LIMIT, PORT, Program, listen, status};

const HOSTS: usize = 200;
/// Hosts of one control plane.
const PLANE: usize = 5;

pub(crate) fn two_hundred() -> Result<()> {
    let lab = Lab::shared()?;
    let hosts = lab.hosts((0..HOSTS).map(|n| format!("fl{n}")))?;
    hosts.iter().try_for_each(listen)?;
    let mut faults = Vec::new();
    let (mut dead, mut alive): (Vec<&Host>, Vec<&Host>) = (Vec::new(), Vec::new());
    // Of every ten: one cut off, one without sshd, one with a port that accepts and never says a word.
    for (n, host) in hosts.iter().enumerate() {
        match n % 10 {
            0 => faults.push(Fault::LinkDown.inject(host)?),
            3 => host.stop_sshd()?,
            6 => faults.push(Fault::SilentSsh.inject(host)?),
            _ => {
                alive.push(host);
                continue;
            }
        }
        dead.push(host);
    }
    let planes: Vec<&[Host]> = hosts.chunks(PLANE).collect();
    let program = Program::fleet("fleet", &planes)?;
    let clusters = ["--cluster", "all", "--fanout", "40", "--no-canary", "--max-failures", "40"];
    // With the time to confirm that holds when nobody says another, though hundreds of sshd share the processors.
    let words = ["gate", "close", "--port", "6443", "--for", "10m", "--yes"];
    let began = Instant::now();
    let said =
        program.run(&[&words[..], &clusters, &["--request-timeout", "3m", "--reason", "a test", "-v"]].concat())?;
    eprintln!("{} of {HOSTS} hosts closed, {} dead, within {:.1?}", alive.len(), dead.len(), began.elapsed());
    ensure!(said.code != 0, "a third is dead, and it says all is well");
    for host in &alive {
        let state = status(host)?;
        ensure!(
            state.as_ref().is_some_and(|s| s.stands() && s.confirmed),
            "{}: {state:?}: {}",
            host.name(),
            about(host.name(), &said.stderr)
        );
    }
    let client = lab.host("fl-client")?;
    for host in [alive[0], alive[alive.len() / 2], alive[alive.len() - 1]] {
        ensure!(client.probe(host.ip4(), PORT, LIMIT)? == Probe::Refused, "{}", host.name());
    }
    for host in &dead {
        ensure!(said.stderr.contains(&format!("{}: ", host.name())), "{} is not named", host.name());
        ensure!(status(host)?.is_none(), "{} has a gate", host.name());
    }
    let shown = program.run(&["gate", "status", "--cluster", "all"])?;
    let half = shown.stdout.matches("is half closed").count();
    ensure!(
        shown.success() && half == planes.len(),
        "{half} of {} planes are half closed: {}",
        planes.len(),
        shown.stdout
    );
    Ok(())
}

/// What was said of one host.
fn about(host: &str, said: &str) -> String {
    let its = |line: &&str| line.contains(&format!("{host}:")) || line.contains(&format!("{host} "));
    said.lines().filter(its).collect::<Vec<_>>().join("\n")
}

//! A client that dies at a random moment of closing.

use std::{
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result, anyhow, ensure};
use testbed::{Host, Lab, Probe};

use crate::program::{LIMIT, PORT, Program, listen, status};

/// Seconds that a gate stands which nobody confirmed.
const UNCONFIRMED: u64 = 3;
/// The same for a client that comes to its end: it must be able to confirm on a machine that is busy.
const IN_TIME: u64 = 30;
/// Seconds that a confirmed one stands.
const CONFIRMED: u64 = 6;
/// How much later than its time it may be seen open.
const LATE: Duration = Duration::from_secs(2);
/// How many clients at a time.
const HOSTS: usize = 11;
/// About as many lines as the journal of a closing has.
const LINES: u64 = 10;
/// Of so many turns one lets the client come to its end: on a busy machine the dice alone may miss that moment.
const WHOLE: usize = 8;

/// What became of one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    Unconfirmed,
    Confirmed,
}

/// A sequence of numbers that differs from run to run; printed, so that a failure can be looked into.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

pub(crate) fn at_random(back_end: &'static str, times: usize) -> Result<()> {
    let lab = Lab::shared()?;
    let tag = back_end.replace("iptables-", "i");
    let mut hosts = lab.hosts((0..=HOSTS).map(|n| format!("kill-{tag}-{n}")))?;
    let client = hosts.pop().context("a host for the client")?;
    hosts.iter().try_for_each(listen)?;
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.subsec_nanos();
    eprintln!("{back_end}: dice begin at {seed}");
    let left = thread::scope(|scope| {
        let lanes: Vec<_> = hosts
            .iter()
            .enumerate()
            .map(|(lane, host)| {
                let client = &client;
                scope.spawn(move || {
                    let program = Program::new(&format!("kill-{back_end}-{lane}"), std::slice::from_ref(host), &[])?;
                    let mut dice = Dice(u64::from(seed) + lane as u64 * 7919);
                    (lane..times)
                        .step_by(HOSTS)
                        .map(|turn| {
                            let lines = if turn % WHOLE == WHOLE - 1 { u64::MAX } else { dice.roll(LINES) };
                            one(&program, host, client, back_end, lines, &mut dice)
                                .with_context(|| format!("turn {turn}"))
                        })
                        .collect::<Result<Vec<Left>>>()
                })
            })
            .collect();
        let ended = lanes.into_iter().map(|lane| lane.join().map_err(|_| anyhow!("a lane panicked"))?);
        ended.collect::<Result<Vec<Vec<Left>>>>()
    })?;
    let all: Vec<Left> = left.into_iter().flatten().collect();
    let count = |which| all.iter().filter(|left| **left == which).count();
    let [nothing, unconfirmed, confirmed] = [Left::Nothing, Left::Unconfirmed, Left::Confirmed].map(count);
    eprintln!("{back_end}: killed before {nothing}, unconfirmed {unconfirmed}, confirmed {confirmed}");
    ensure!(all.len() == times && unconfirmed > 0 && confirmed > 0, "the dice missed a kind of moment: {all:?}");
    Ok(())
}

/// One client, killed once its journal has so many lines or it has ended, and a little later.
fn one(program: &Program, host: &Host, client: &Host, back_end: &str, lines: u64, dice: &mut Dice) -> Result<Left> {
    program.forget()?;
    let unconfirmed = if lines == u64::MAX { IN_TIME } else { UNCONFIRMED };
    let (within, hold) = (format!("{unconfirmed}s"), format!("{CONFIRMED}s"));
    let words =
        ["gate", "close", "--port", "6443", "--back-end", back_end, "--confirm-within", &within, "--for", &hold];
    let mut run = program.start(&[&words[..], &["--stages", "100", "--yes", "--reason", "a test"]].concat())?;
    let waited = Instant::now();
    while run.is_running() && (program.journal_lines() as u64) < lines && waited.elapsed() < LIMIT {
        thread::sleep(Duration::from_millis(2));
    }
    thread::sleep(Duration::from_millis(dice.roll(150)));
    drop(run);
    let killed = Instant::now();
    // What the client had sent is still at work for a moment; the gate's time begins no later than its end.
    let mut last_work = killed;
    let mut latest_closed = None;
    loop {
        let working = is_at_work(host)?;
        let looked = Instant::now();
        if working {
            last_work = looked;
        }
        ensure!(Lab::shared()?.probe(host.ip4(), 22, LIMIT)? == Probe::Open, "SSH is lost");
        match client.probe(host.ip4(), PORT, LIMIT)? {
            Probe::Open if !working && looked.duration_since(killed) > Duration::from_millis(500) => break,
            Probe::Open => {}
            _ => latest_closed = Some(looked),
        }
        ensure!(killed.elapsed() < LIMIT, "the gate stays shut");
        thread::sleep(Duration::from_millis(50));
    }
    let state = status(host)?;
    let Some(state) = state else {
        ensure!(latest_closed.is_none(), "refused without a gate");
        return Ok(Left::Nothing);
    };
    let (left, limit) = if state.confirmed { (Left::Confirmed, CONFIRMED) } else { (Left::Unconfirmed, unconfirmed) };
    if let Some(closed) = latest_closed {
        let after = closed.saturating_duration_since(last_work);
        ensure!(
            after <= Duration::from_secs(limit) + LATE,
            "{left:?}: still shut {after:?} after the last script ended, {:?} after the kill",
            closed.duration_since(killed)
        );
    }
    // A login, not only a port.
    Lab::shared()?.ssh(&[host.name(), "true"])?.ok()?;
    Ok(left)
}

/// Whether a login of the client, or a script that it had started, still lives on the host.
fn is_at_work(host: &Host) -> Result<bool> {
    Ok(host.processes()?.iter().any(|process| {
        process.argv.first().is_some_and(|title| title.contains("@notty"))
            || process.argv.iter().any(|word| word == "-s")
    }))
}

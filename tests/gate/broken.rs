//! Closing broken off at many points: the client killed, what runs on the host killed or told to end, the host stopped and
//! started. Then `resume`, or `undo` alone, comes to the same end.
//!
//! `BREAKGLASS_POINTS=20 cargo test --test gate a_closing_broken_off` tries so many points of time for each way; in the suite it is one
//! for each way and back end.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use rustix::process::Signal;
use testbed::{Host, Lab, Output, Probe};

use crate::{
    program::{LIMIT, PORT, Program, listen, status, until},
    whole::OTHERS,
};

/// How many hosts at a time.
const LANES: usize = 6;
const BACK_ENDS: [&str; 3] = ["nft", "iptables-nft", "iptables-legacy"];

/// What breaks off.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// The program on the operator's machine.
    Client,
    /// The scripts on the host.
    Script,
    /// The same, told to end.
    ScriptTold,
    /// The host, as it stops and starts: its logins and what they run die, and the kernel knows no rule any more.
    Host,
}

const WAYS: [Way; 4] = [Way::Client, Way::Script, Way::ScriptTold, Way::Host];

/// One try.
#[derive(Debug, Clone, Copy)]
struct Point {
    way: Way,
    back_end: &'static str,
    /// The part of the undisturbed time after which it breaks off.
    at: f64,
    /// `resume` and then `undo`, or `undo` alone.
    resumes: bool,
}

fn points() -> Result<Vec<Point>> {
    let each: u32 = std::env::var("BREAKGLASS_POINTS").ok().map_or(Ok(3), |text| text.parse())?;
    let of = |(number, way): (u32, Way)| {
        (0..each).zip(BACK_ENDS.into_iter().cycle()).map(move |(point, back_end)| Point {
            way,
            back_end,
            at: (f64::from(point) + (f64::from(number) + 1.0) / 5.0) / f64::from(each),
            resumes: (point + number).is_multiple_of(2),
        })
    };
    Ok((0..).zip(WAYS).flat_map(of).collect())
}

pub(crate) fn anywhere() -> Result<()> {
    let lab = Lab::shared()?;
    let mut hosts = lab.hosts((0..=LANES).map(|n| format!("broken-{n}")))?;
    let client = hosts.pop().context("a host for the client")?;
    hosts.iter().try_for_each(listen)?;
    let points = points()?;
    let faults = thread::scope(|scope| {
        let lanes: Vec<_> = (0..)
            .zip(&hosts)
            .map(|(lane, host): (usize, _)| {
                let (client, mine) = (&client, points.iter().skip(lane).step_by(LANES));
                scope.spawn(move || -> Result<Vec<String>> {
                    let bench = Bench::new(lane, host, client)?;
                    let faults = mine.map(|point| {
                        let fault = bench.broken_off(*point).err().map(|error| format!("{error:#}"));
                        eprintln!("{point:?}: {}", fault.as_deref().unwrap_or("fine"));
                        fault.map(|fault| format!("{point:?}: {fault}"))
                    });
                    Ok(faults.flatten().collect())
                })
            })
            .collect();
        let ended = lanes.into_iter().map(|lane| lane.join().map_err(|_| anyhow!("a lane panicked"))?);
        ended.collect::<Result<Vec<_>>>()
    })?;
    let faults = faults.concat();
    eprintln!("{} of {} are fine", points.len() - faults.len(), points.len());
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

struct Bench<'a> {
    program: Program,
    host: &'a Host,
    client: &'a Host,
    /// How long an undisturbed closing takes.
    whole: Duration,
}

impl<'a> Bench<'a> {
    fn new(lane: usize, host: &'a Host, client: &'a Host) -> Result<Self> {
        host.sh(OTHERS)?.ok()?;
        let program = Program::new(&format!("broken-{lane}"), std::slice::from_ref(host), &[])?;
        let mut bench = Self { program, host, client, whole: Duration::ZERO };
        let began = Instant::now();
        let said = bench.program.run(&close("nft"))?;
        bench.whole = began.elapsed();
        ensure!(said.success(), "undisturbed: {said:?}");
        bench.taken_back()?;
        Ok(bench)
    }

    fn broken_off(&self, point: Point) -> Result<()> {
        self.program.forget()?;
        // What the last point left, if it was no good one, is not this one's.
        if status(self.host)?.is_some() {
            self.program.run(&["gate", "open", "--at-once", "--yes"])?;
            self.program.forget()?;
        }
        let before = self.host.snapshot()?.firewall();
        let mut run = self.program.start(&close(point.back_end))?;
        until(LIMIT, || Ok(self.program.journal_lines() > 0 || !run.is_running()))?;
        thread::sleep(self.whole.mul_f64(point.at));
        let rules = self.host.sh("nft list ruleset; iptables-legacy-save; ip6tables-legacy-save")?.ok()?;
        match point.way {
            Way::Client => drop(run),
            Way::Script => {
                self.scripts(Signal::KILL)?;
                run.wait(LIMIT)?;
            }
            Way::ScriptTold => {
                self.scripts(Signal::TERM)?;
                run.wait(LIMIT)?;
            }
            Way::Host => {
                self.host.stop_sshd()?;
                let dies = |name: &str| name.starts_with("sshd") || matches!(name, "sh" | "nft" | "ss");
                let processes = self.host.processes()?;
                processes
                    .iter()
                    .filter(|process| dies(process.name()))
                    .for_each(|process| process.signal(Signal::KILL));
                drop(run);
                self.forgets_its_rules()?;
                self.host.start_sshd(&[])?;
            }
        }
        ensure!(Lab::shared()?.probe(self.host.ip4(), 22, LIMIT)? == Probe::Open, "SSH is lost; rules then: {rules}");
        if point.resumes {
            self.gone_on_with()?;
        }
        self.taken_back()?;
        before.changes_until(&self.host.snapshot()?.firewall()).expect_none()
    }

    /// Signals what a login of ours runs on the host; there is none before it began and after it ended.
    fn scripts(&self, signal: Signal) -> Result<()> {
        let runs = |words: &[String]| words.iter().any(|word| word == "-s");
        for process in self.host.processes()?.into_iter().filter(|process| runs(&process.argv)) {
            process.signal(signal);
        }
        Ok(())
    }

    /// As a kernel that has just started: nobody's rules, but those that somebody else loads at the start.
    fn forgets_its_rules(&self) -> Result<()> {
        let legacy = "for t in iptables-legacy ip6tables-legacy; do $t -F; $t -X; done; ipset destroy 2>/dev/null";
        self.host.sh(&format!("nft flush ruleset; {legacy}; {OTHERS}"))?.ok()?;
        Ok(())
    }

    fn gone_on_with(&self) -> Result<()> {
        let said = self.program.run(&["resume", "last", "--yes"])?;
        // What died on the host was seen and mended by the run itself.
        if told(&said).contains("every run came to its end") {
            return Ok(());
        }
        ensure!(said.success(), "resume: {said:?}");
        let state = status(self.host)?.context("resumed, and there is no gate")?;
        ensure!(state.stands() && state.confirmed, "resumed, and {state:?}");
        ensure!(self.client.probe(self.host.ip4(), PORT, LIMIT)? == Probe::Refused, "resumed, and others get in");
        Ok(())
    }

    fn taken_back(&self) -> Result<()> {
        let said = self.program.run(&["undo", "last", "--yes"])?;
        // What ended before the first rule was written has nothing to take back.
        ensure!(said.success() || said.stderr.contains("no run has changed anything"), "undo: {said:?}");
        let verified = self.program.run(&["journal", "verify", "last"])?;
        ensure!(verified.success(), "{verified:?}");
        let state = status(self.host)?;
        if let Some(state) = state {
            bail!("undone, and there is a gate: {state:?}");
        }
        ensure!(self.client.probe(self.host.ip4(), PORT, LIMIT)? == Probe::Open, "undone, and others do not get in");
        Ok(())
    }
}

fn close(back_end: &'static str) -> [&'static str; 9] {
    ["gate", "close", "--port", "6443", "--back-end", back_end, "--yes", "--reason", "a test"]
}

fn told(said: &Output) -> String {
    format!("{}{}", said.stdout, said.stderr)
}

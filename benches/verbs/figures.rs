//! Samples, and how they are told.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// One finished command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// From before its start until its end was seen.
    pub(crate) wall: Duration,
    /// User and system time of it and of its own children.
    pub(crate) cpu: Duration,
}

/// Runs a command that has to succeed. Nothing else may end meanwhile: processor time is that of all ended children.
pub(crate) fn sample(command: &mut Command) -> Result<Sample> {
    let before = ended_children()?;
    let started = Instant::now();
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let wall = started.elapsed();
    let cpu = ended_children()?.saturating_sub(before);
    ensure!(
        output.status.success(),
        "{command:?} ended with {}: {}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(Sample { wall, cpu })
}

fn ended_children() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let time = |value: TimeVal| -> Result<Duration> {
        Ok(Duration::new(value.tv_sec().try_into()?, u32::try_from(value.tv_usec())? * 1000))
    };
    Ok(time(usage.user_time())? + time(usage.system_time())?)
}

/// Smallest, middle and largest, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of at least one time.
    pub(crate) fn of(times: impl Iterator<Item = Duration>) -> Self {
        let mut all: Vec<f64> = times.map(|time| time.as_secs_f64() * 1000.0).collect();
        all.sort_by(f64::total_cmp);
        Self { min: all[0], median: all[all.len() / 2], max: all[all.len() - 1] }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:8.1} {:8.1} {:8.1}", self.min, self.median, self.max)
    }
}

/// Prints a table: each peer's wall and processor time, and both as multiples of the first peer's median.
pub(crate) fn table(title: &str, peers: &[(&str, Vec<Sample>)]) {
    println!("\n{title}; milliseconds, min median max");
    println!("{:34} {:>26} {:>26}   median wall, CPU", "", "wall", "CPU");
    let spreads = |samples: &[Sample]| {
        (Spread::of(samples.iter().map(|one| one.wall)), Spread::of(samples.iter().map(|one| one.cpu)))
    };
    let Some((first, samples)) = peers.first() else { return };
    let base = spreads(samples);
    for (name, samples) in peers {
        let (wall, cpu) = spreads(samples);
        let times = (wall.median / base.0.median, cpu.median / base.1.median);
        println!("{name:34} {wall} {cpu}   {:.2} x, {:.2} x {first}", times.0, times.1);
    }
}

/// Processors and load of the machine now.
pub(crate) fn machine() -> Result<String> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    Ok(format!("{} processors, load {}", std::thread::available_parallelism()?, load.join(" ")))
}

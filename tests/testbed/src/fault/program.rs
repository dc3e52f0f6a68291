//! Faults of single programs on a host.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rustix::process::Signal;

use super::Undo;
use crate::{host::Host, process::Process};

/// A process that is deep in the kernel stops when it comes back from there.
const LIMIT: Duration = Duration::from_secs(30);

pub(super) fn stop(host: &Host, program: &str) -> Result<Undo> {
    let stopped = signal_all(host, program, Signal::STOP)?;
    let started = Instant::now();
    let goes_on = |process: &Process| Process::read(process.pid).is_some_and(|now| !matches!(now.state, 'T' | 'Z'));
    while stopped.iter().any(goes_on) {
        ensure!(started.elapsed() < LIMIT, "`{program}` still ran {LIMIT:?} after SIGSTOP");
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(Box::new(move || {
        for process in stopped {
            process.signal(Signal::CONT);
        }
        Ok(())
    }))
}

pub(super) fn kill(host: &Host, program: &str) -> Result<Undo> {
    signal_all(host, program, Signal::KILL)?;
    Ok(Box::new(|| Ok(())))
}

fn signal_all(host: &Host, program: &str, signal: Signal) -> Result<Vec<Process>> {
    let processes = host.processes_named(program)?;
    ensure!(!processes.is_empty(), "no process of `{program}` runs there");
    for process in &processes {
        process.signal(signal);
    }
    Ok(processes)
}

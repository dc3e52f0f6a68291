//! What each test binary takes of the machine, and which of those that wait may start.
//!
//! Most of what runs on real parts waits for timers, so far more of it fits side by side than there are processors. What is
//! new here is taken for [`UNKNOWN`] until its line is measured: `tests/run` prints the figures of each binary at its end.

use std::{fmt, fs, thread::available_parallelism};

/// What one test binary takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Needs {
    name: &'static str,
    /// How long it takes, so that the longest starts first.
    pub(crate) seconds: u32,
    /// Of one processor, on average.
    percent: u32,
    megabytes: u32,
    /// How many of its tests run side by side; as many as there are processors where nothing is said.
    pub(crate) threads: Option<u32>,
    /// The end of a whole run waits for it.
    pub(crate) last: bool,
}

const fn needs_of(name: &'static str, seconds: u32, percent: u32, megabytes: u32, threads: Option<u32>) -> Needs {
    Needs { name, seconds, percent, megabytes, threads, last: false }
}

/// Storms take turns, so all of them together are what a whole run waits for in the end.
const fn storms(name: &'static str, seconds: u32, percent: u32, megabytes: u32, threads: Option<u32>) -> Needs {
    Needs { last: true, ..needs_of(name, seconds, percent, megabytes, threads) }
}

/// Whatever has no line.
const UNKNOWN: Needs = needs_of("", 60, 50, 1000, None);

/// Measured on two processors. On a machine there blow no more storms at once than it has processors (`Beside` of the testbed),
/// so that what several binaries of them take together is what two storms take.
const MEASURED: &[Needs] = &[
    storms("storm_ends", 600, 60, 3000, Some(3)),
    needs_of("recovery", 400, 25, 3500, Some(3)),
    storms("lockouts", 320, 45, 4000, Some(3)),
    storms("reopen", 300, 30, 2000, None),
    needs_of("gate", 300, 45, 1500, Some(3)),
    needs_of("gate_rules", 290, 50, 500, Some(3)),
    needs_of("api_real", 290, 30, 1000, None),
    // Only the processor holds it up, and the others come first.
    needs_of("lib", 280, 10, 500, None),
    storms("storm", 270, 20, 3000, Some(3)),
    needs_of("collectors", 150, 30, 2500, Some(4)),
    needs_of("jail", 200, 45, 4600, Some(2)),
    needs_of("sandbox", 160, 15, 500, None),
    needs_of("ssh", 100, 20, 500, Some(4)),
    needs_of("k8s", 90, 40, 2500, None),
    needs_of("api_link", 80, 5, 100, None),
    needs_of("gitops", 70, 70, 1100, None),
    needs_of("kubelet", 50, 20, 2000, None),
    needs_of("hosts", 35, 20, 3000, None),
    needs_of("kubelet_leaves_nothing", 40, 20, 1500, None),
    needs_of("faults", 30, 15, 500, Some(4)),
];

/// What the binary of this name takes.
pub(crate) fn needs(name: &str) -> Needs {
    MEASURED.iter().find(|needs| needs.name == name).copied().unwrap_or(UNKNOWN)
}

/// What may be promised in all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    percent: u32,
    megabytes: u32,
}

/// Of each processor; the shares are averages, and not all are busy at once. With 130 of it two processors had fifty at work in
/// the first eight minutes, and tests failed that others held up. What waits for turns, the storms, comes first in any case.
const PROMISED: u32 = 110;

impl Budget {
    pub(crate) fn of_this_machine() -> Self {
        let processors = available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX));
        let free = fs::read_to_string("/proc/meminfo").ok().as_deref().and_then(available);
        // A tenth stays for whoever else is here.
        let megabytes = free.map_or(u32::MAX, |kilobytes| u32::try_from(kilobytes / 1000 * 9 / 10).unwrap_or(u32::MAX));
        Self { percent: processors.saturating_mul(PROMISED), megabytes }
    }

    /// Which of those that wait starts now, beside those that are running. One at least always runs.
    pub(crate) fn next(self, waiting: &[Needs], running: &[Needs]) -> Option<usize> {
        let percent: u32 = running.iter().map(|needs| needs.percent).sum();
        let megabytes: u32 = running.iter().map(|needs| needs.megabytes).sum();
        let fits = |needs: &Needs| {
            running.is_empty()
                || (percent + needs.percent <= self.percent && megabytes + needs.megabytes <= self.megabytes)
        };
        waiting.iter().position(fits)
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a budget of {} % of a processor and {} MB", self.percent, self.megabytes)
    }
}

/// Kilobytes that may be used without swapping.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_fits_starts_and_one_always_does() {
        let [big, small, fat] = [("big", 200, 100), ("small", 50, 100), ("fat", 10, 5000)]
            .map(|(name, percent, megabytes)| needs_of(name, 1, percent, megabytes, None));
        let budget = Budget { percent: 260, megabytes: 4000 };
        assert_eq!(budget.next(&[big, small], &[]), Some(0));
        assert_eq!(budget.next(&[big, small], &[big]), Some(1), "the first does not fit, the next does");
        assert_eq!(budget.next(&[big, small], &[big, small]), None);
        assert_eq!(budget.next(&[fat], &[small]), None, "memory counts, too");
        assert_eq!(budget.next(&[fat], &[]), Some(0), "alone it runs whatever it takes");
        assert_eq!(budget.next(&[], &[]), None);
    }

    #[test]
    fn what_has_no_line_is_taken_for_the_unknown() {
        assert_eq!(needs("lib").name, "lib");
        assert_eq!(needs("no such binary"), UNKNOWN);
    }

    #[test]
    fn memory_is_read_as_the_kernel_writes_it() {
        assert_eq!(available("MemTotal:  24684084 kB\nMemAvailable:   21845520 kB\n"), Some(21_845_520));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
    }
}

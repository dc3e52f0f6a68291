//! What counts as good, as a runbook says it.

use super::Limits;
use crate::duration::HumanDuration;
use crate::steps::Fault;

/// The slowest small GET that still counts as good, where nothing else is said.
pub(in crate::steps) fn p99() -> HumanDuration {
    HumanDuration::secs(1)
}

/// Small GETs to each API server at each look, likewise.
pub(in crate::steps) fn samples() -> u8 {
    3
}

/// The most memory that an API server or its host may use, likewise.
pub(in crate::steps) fn memory_percent() -> u8 {
    90
}

impl Limits {
    /// Reads the parameters `p99`, `samples`, `rejectsPerSecond` and `memoryPercent`, with what is wrong with them.
    pub(in crate::steps) fn read(
        p99: HumanDuration,
        samples: u8,
        rejects: Option<u32>,
        memory: u8,
    ) -> (Self, Vec<Fault>) {
        let mut faults = Vec::new();
        if p99.0.is_zero() {
            faults.push(Fault::at("p99", "it must be longer than 0s"));
        }
        if !(1..=100).contains(&memory) {
            faults.push(Fault::at("memoryPercent", "1 to 100"));
        }
        (Self { slowest: p99.0, samples: samples.max(1), rejects, memory }, faults)
    }
}

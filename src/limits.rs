//! How many at a time, and when no new ones are begun: one value for the targets of a step and for the clusters of a run.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many items (targets of a step, or clusters of a run) are worked on at a time, and in which order.
///
/// Its written form is part of a plan's digest: `{"fanout": 16, "canary": false, "batch": 0, "max_failures": 1}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limits {
    /// At most this many at a time; at least 1 is used.
    #[serde(rename = "fanout")]
    pub at_once: usize,
    /// The first alone, before the others. When it fails, the others are not begun.
    pub canary: bool,
    /// Groups of this many after the canary, each done before the next begins; 0: one group.
    pub batch: usize,
    /// No new ones are begun once this many have failed; at least 1 is used.
    pub max_failures: usize,
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = if self.canary { "the first alone, then " } else { "" };
        write!(f, "{first}at most {} at a time", self.at_once.max(1))?;
        if self.batch > 0 {
            write!(f, ", in groups of {}", self.batch)?;
        }
        match self.max_failures.max(1) {
            1 => f.write_str(", no new one once one has failed"),
            many => write!(f, ", no new one once {many} have failed"),
        }
    }
}

impl Limits {
    /// For the targets of a step whose runbook says nothing.
    pub const TARGETS: Self = Self { at_once: 16, canary: false, batch: 0, max_failures: 1 };

    /// For the clusters of a run whose operator says nothing: each through all its steps, the first alone.
    pub const CLUSTERS: Self = Self { at_once: 8, canary: true, batch: 0, max_failures: 1 };

    /// So many at a time whatever becomes of them: no canary, no groups, no end.
    pub fn whatever_fails(at_once: usize) -> Self {
        Self { at_once, canary: false, batch: 0, max_failures: usize::MAX }
    }
}

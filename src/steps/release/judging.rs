//! What follows from a look at a stage: pure, but for how long it has gone well.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::words;

/// So many bad looks in a row are no accident.
const BAD_LOOKS: u32 = 2;
/// By then the controller has heard of a stage; whatever it does not want then, it wants on no node of that stage.
const HEARD_AFTER: Duration = Duration::from_secs(30);

/// How fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// How long all must be well.
    pub(super) window: Duration,
    /// How long pods may take to be ready.
    pub(super) pods_within: Duration,
}

/// A stage that was let come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stage {
    /// Which, from 1.
    pub(super) number: usize,
    /// How many there are, the one that lets it come everywhere among them.
    pub(super) of: usize,
    /// What it is: `7 of 25 nodes`.
    pub(super) what: String,
    /// How many pods it should have; `None`: as many as its controller says.
    pub(super) pods: Option<u64>,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stage {} of {} ({})", self.number, self.of, self.what)
    }
}

/// The pods of a workload, as its own status counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pods {
    /// So many its controller wants.
    pub(super) wanted: u64,
    /// So many are ready.
    pub(super) ready: u64,
    /// The controller has seen the newest spec.
    pub(super) current: bool,
}

impl Pods {
    pub(super) fn of_daemon_set(object: &Value) -> Self {
        Self::read(object, number(object, "/status/desiredNumberScheduled"), "/status/numberReady")
    }

    pub(super) fn of_replicas(object: &Value, wanted: u64) -> Self {
        Self::read(object, wanted, "/status/readyReplicas")
    }

    fn read(object: &Value, wanted: u64, ready: &str) -> Self {
        let (seen, newest) = (number(object, "/status/observedGeneration"), number(object, "/metadata/generation"));
        Self { wanted, ready: number(object, ready), current: seen >= newest }
    }

    /// Nine of ten are ready: a node that is away for its own reasons holds up nobody.
    fn enough(self) -> bool {
        self.wanted > 0 && self.ready * 10 >= self.wanted * 9
    }
}

impl fmt::Display for Pods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} ready", self.ready, words::count(usize::try_from(self.wanted).unwrap_or(usize::MAX), "pod"))
    }
}

fn number(object: &Value, pointer: &str) -> u64 {
    object.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// It is waited for this.
    Wait(String),
    /// The next stage may come.
    Next,
    /// All of it is taken back, for this reason.
    Back(String),
}

/// What is remembered of the stage that stands.
#[derive(Debug, Default)]
pub(super) struct Watch(Mutex<Option<Memory>>);

#[derive(Debug)]
struct Memory {
    stage: usize,
    since: Instant,
    well_since: Option<Instant>,
    bad_looks: u32,
}

impl Watch {
    /// One look: what was bad of the API servers, and whether one of them did not answer at all.
    pub(super) fn judge(&self, stage: &Stage, pods: Pods, (bad, lost): (Option<&str>, bool), pace: &Pace) -> Act {
        // A panic elsewhere leaves nothing half written.
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let memory = match &mut *memory {
            Some(memory) if memory.stage == stage.number => memory,
            other => other.insert(Memory { stage: stage.number, since: now, well_since: None, bad_looks: 0 }),
        };
        if let Some(bad) = bad {
            memory.well_since = None;
            memory.bad_looks += 1;
            if lost || memory.bad_looks >= BAD_LOOKS {
                return Act::Back(format!("{stage} went badly: {bad}"));
            }
            return Act::Wait(format!("{stage} to go well: {bad}"));
        }
        memory.bad_looks = 0;
        let stood = memory.since.elapsed();
        let all_wanted = stage.pods.is_none_or(|pods_of| pods.wanted >= pods_of) || stood >= HEARD_AFTER;
        if !(pods.current && pods.enough() && all_wanted) {
            memory.well_since = None;
            let of = stage.pods.map_or_else(String::new, |pods_of| format!(" (the stage has {pods_of})"));
            if stood >= pace.pods_within {
                let seen = if pods.current { "" } else { ", and its controller has not seen the last change" };
                return Act::Back(format!("{stage} went badly: {pods}{of} after {} s{seen}", stood.as_secs()));
            }
            return Act::Wait(format!("the pods of {stage} to be ready: {pods}{of}"));
        }
        let well = memory.well_since.get_or_insert(now).elapsed();
        if well >= pace.window {
            return Act::Next;
        }
        Act::Wait(format!("{stage} to go well for {} s: {} so far", pace.window.as_secs(), well.as_secs()))
    }
}

//! Drives a plan: forward, backward, over many targets at a time. Prints nothing.
//!
//! `forward` takes clusters and steps in order, `target` runs one step on one target (survey, journal, perform, survey
//! again), `backward` takes standing changes back, newest first. All three talk to the world through its traits, write
//! the journal before and after each act, and say what happens as events.

mod backward;
mod cancel;
mod consent;
mod ending;
mod fanout;
mod forward;
mod found;
mod index;
mod keeper;
mod record;
mod strangers;
mod target;
#[cfg(test)]
mod tests;
mod together;
mod turn;
mod until;

use std::time::Duration;

use backward::backward;
pub use backward::undo;
pub use cancel::{Cancel, Canceller, Stop, pair as cancel_pair};
pub use consent::{Consent, Operator};
pub use forward::forward;
pub use found::left_to_type;
pub use record::Record;

use crate::cost::Costs;
use crate::error::Class;
use crate::event::Listener;
use crate::steps::Mark;
use crate::world::World;

/// An op ends by itself within its limit; one that does not is given up after this much more.
const GRACE: Duration = Duration::from_secs(5);

/// What every part of the engine works with.
#[derive(Clone, Copy)]
pub struct Engine<'a> {
    /// The border with reality.
    pub world: &'a dyn World,
    /// The journal.
    pub record: &'a Record,
    /// Where events go.
    pub events: &'a dyn Listener,
    /// Who answers questions.
    pub operator: &'a dyn Operator,
    /// The cancel flag.
    pub cancel: &'a Cancel,
    /// The run's mark.
    pub mark: &'a Mark,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// `None`: everything is done.
    pub class: Option<Class>,
    /// In one sentence.
    pub why: String,
    /// What was spent, by API server and host.
    pub costs: Costs,
    /// The changes by what became of them.
    pub tally: Tally,
}

/// Counts of changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Standing.
    pub done: usize,
    /// Taken back.
    pub undone: usize,
    /// Do not stand any more, and needed no taking back.
    pub needless: usize,
    /// Outcome not known.
    pub unknown: usize,
    /// Could not be taken back.
    pub stuck: usize,
}

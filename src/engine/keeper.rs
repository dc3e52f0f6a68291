//! Leases that are renewed for as long as the run lives, so that a dead client cannot leave one standing.
//!
//! Which leases there are is read from the journal each time: a resumed run renews what it finds there, and what was
//! taken back is renewed no longer.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::Engine;
use crate::change::{HostCommand, Op, Outcome, Target};
use crate::event::Event;

/// The longest one renewal may take.
const RENEWAL_LIMIT: Duration = Duration::from_secs(15);

/// A lease that stands.
#[derive(Debug, Clone)]
pub(super) struct Lease {
    /// The step that took it.
    pub(super) step: usize,
    /// Where.
    pub(super) target: Target,
    /// Which.
    pub(super) name: String,
    /// How often it is renewed.
    pub(super) every: Duration,
    /// How.
    pub(super) op: HostCommand,
}

/// Renews what is due, for ever; dropped when the run ends.
pub(super) async fn renew(engine: Engine<'_>) {
    let mut due: HashMap<(Target, String), Instant> = HashMap::new();
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if engine.world.pretends() {
            continue;
        }
        let leases = engine.record.leases();
        let now = Instant::now();
        due.retain(|(target, name), _| leases.iter().any(|lease| lease.target == *target && lease.name == *name));
        let renewals = leases.into_iter().filter_map(|lease| {
            let at = due.entry((lease.target.clone(), lease.name.clone())).or_insert(now + lease.every);
            if *at > now {
                return None;
            }
            *at = now + lease.every;
            Some(renew_one(engine, lease))
        });
        futures::future::join_all(renewals).await;
    }
}

async fn renew_one(engine: Engine<'_>, lease: Lease) {
    let outcome = engine.world.perform(&lease.target, &Op::Host(lease.op), RENEWAL_LIMIT).await;
    if let Outcome::Failed(why) | Outcome::Unknown(why) = outcome {
        let what = format!("{} could not be renewed and will run out by itself: {why}", lease.name);
        engine.events.hear(Event::Trouble { target: lease.target, step: lease.step, what, hint: None, again: true });
    }
}

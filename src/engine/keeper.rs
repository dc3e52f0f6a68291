//! Leases that are renewed for as long as the run lives, so that a dead client cannot leave one standing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Engine;
use crate::change::{Change, HostCommand, Keep, Op, Outcome, Target};
use crate::event::Event;

/// The longest one renewal may take.
const RENEWAL_LIMIT: Duration = Duration::from_secs(15);

/// The leases of a run.
#[derive(Debug, Default)]
pub(super) struct Keepers {
    leases: Mutex<HashMap<(Target, String), Lease>>,
}

#[derive(Debug, Clone)]
struct Lease {
    every: Duration,
    due: Instant,
    op: HostCommand,
}

impl Keepers {
    /// Takes note of a change that was made: it may start or end a lease.
    pub(super) fn note(&self, engine: Engine<'_>, target: &Target, change: &Change) {
        if engine.world.pretends() {
            return;
        }
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        match &change.keep {
            Keep::Nothing => {}
            Keep::Renew { lease, every_secs, op } => {
                let every = Duration::from_secs((*every_secs).max(1));
                let entry = Lease { every, due: Instant::now() + every, op: (**op).clone() };
                leases.insert((target.clone(), lease.clone()), entry);
            }
            Keep::Release { lease } => {
                leases.remove(&(target.clone(), lease.clone()));
            }
        }
    }

    /// Renews what is due, for ever; dropped when the run ends.
    pub(super) async fn renew(&self, engine: Engine<'_>) {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let due: Vec<(Target, HostCommand)> = {
                let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
                let now = Instant::now();
                leases
                    .iter_mut()
                    .filter(|(_, lease)| lease.due <= now)
                    .map(|((target, _), lease)| {
                        lease.due = now + lease.every;
                        (target.clone(), lease.op.clone())
                    })
                    .collect()
            };
            let renewals = due.into_iter().map(|(target, command)| async move {
                let outcome = engine.world.perform(&target, &Op::Host(command), RENEWAL_LIMIT).await;
                if let Outcome::Failed(why) | Outcome::Unknown(why) = outcome {
                    let what = format!("a lease could not be renewed and will run out by itself: {why}");
                    engine.events.hear(Event::Trouble { target, step: 0, what, hint: None, again: true });
                }
            });
            futures::future::join_all(renewals).await;
        }
    }
}

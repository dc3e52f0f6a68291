//! Leases that are renewed for as long as the run lives, so that a dead client cannot leave one standing.
//!
//! Which leases there are is read from the journal: a resumed run renews what it finds there, and what was taken back is
//! renewed no longer. Each second costs as much as comes due in it, however many leases stand.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::Engine;
use crate::change::{HostCommand, Renewal, Target};
use crate::event::Event;

/// The longest one renewal may take.
const RENEWAL_LIMIT: Duration = Duration::from_secs(15);

/// A lease that stands.
#[derive(Debug, Clone)]
pub(super) struct Lease {
    /// The change that took it.
    pub(super) change: u32,
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
    /// What shows how it stands.
    pub(super) look: Option<String>,
}

/// Renews what is due, for ever; dropped when the run ends.
pub(super) async fn renew(engine: Engine<'_>) {
    // What is due first stands first. That a lease was released or taken back is found out when its turn comes.
    let mut due: BTreeSet<(Instant, u32)> = BTreeSet::new();
    // Each change that is or was in the row; nothing stands for a lease that was lost, so it is not asked for again.
    let mut queued: HashSet<u32> = HashSet::new();
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if engine.world.pretends() {
            continue;
        }
        let now = Instant::now();
        for lease in engine.record.leases_moved() {
            if queued.insert(lease.change) {
                due.insert((now + lease.every, lease.change));
            }
        }
        let later = due.split_off(&(now, u32::MAX));
        let ripe = std::mem::replace(&mut due, later);
        let mut renewals = Vec::new();
        for (_, change) in ripe {
            match engine.record.lease(change) {
                Some(lease) => {
                    due.insert((now + lease.every, change));
                    renewals.push(renew_one(engine, lease));
                }
                // It may come back: what released it may be taken back.
                None => drop(queued.remove(&change)),
            }
        }
        for lost in futures::future::join_all(renewals).await.into_iter().flatten() {
            due.retain(|(_, change)| *change != lost);
        }
    }
}

/// Renews a lease; the change that took it, if it is lost.
async fn renew_one(engine: Engine<'_>, lease: Lease) -> Option<u32> {
    let renewal = engine.world.renew(&lease.target, &lease.op, RENEWAL_LIMIT).await;
    let tell = |what, hint, again| {
        engine.events.hear(Event::Trouble { target: lease.target.clone(), step: lease.step, what, hint, again });
    };
    match renewal {
        Renewal::Held => None,
        Renewal::Lost(why) => {
            let what = format!("the {} is no longer this run's to hold: {why}", lease.name);
            tell(what, lease.look.clone(), false);
            Some(lease.change)
        }
        Renewal::Missed(why) => {
            let what = format!("the {} could not be renewed and will run out by itself: {why}", lease.name);
            tell(what, None, true);
            None
        }
    }
}

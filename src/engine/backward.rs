//! Standing changes, newest first, taken back by their inverses. Reads the journal only.

use std::time::{Duration, Instant};

use super::forward::UNDO_AT_LEAST;
use super::target::{JournalLost, millis};
use super::{Consent, Engine, Stop};
use crate::change::{Inverse, Outcome};
use crate::error::Class;
use crate::event::{ChangeEnd, Event};
use crate::journal::{ChangeRecord, Entry};

/// How an undo ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UndoEnd {
    pub(super) class: Option<Class>,
    pub(super) why: String,
}

/// Takes back what stands, on one cluster or on all. Goes on past what is stuck, and says so at the end.
pub(super) async fn backward(
    engine: Engine<'_>,
    cluster: Option<&str>,
    consent: &Consent,
) -> Result<UndoEnd, JournalLost> {
    if !consent.covers(&engine.record.run().header.plan) {
        return Ok(UndoEnd { class: Some(Class::Bug), why: "the consent was given to another plan".into() });
    }
    let standing = engine.record.standing(cluster)?;
    let run = engine.mark.run.clone();
    engine.events.hear(Event::UndoStarted { run, changes: standing.len() });
    let (mut stuck, mut left) = (Vec::new(), 0);
    for (position, record) in standing.iter().enumerate() {
        if engine.cancel.level() >= Stop::Soon {
            left = standing.len() - position;
            break;
        }
        if !take_back(engine, record).await? {
            stuck.push(format!("{} on {}", record.change.op.summary(), record.target));
        }
    }
    Ok(if left > 0 {
        let why = format!("stopped by a signal with {} not yet taken back", crate::words::count(left, "change"));
        UndoEnd { class: Some(Class::Interrupted), why }
    } else if stuck.is_empty() {
        UndoEnd { class: None, why: format!("{} taken back", crate::words::count(standing.len(), "change")) }
    } else {
        UndoEnd { class: Some(Class::Stuck), why: format!("could not take back: {}", stuck.join("; ")) }
    })
}

/// Takes one change back; whether nothing of it stands any more.
async fn take_back(engine: Engine<'_>, record: &ChangeRecord) -> Result<bool, JournalLost> {
    let began = Instant::now();
    engine.record.append(Entry::Undoing { id: record.id })?;
    let (done, said) = match &record.change.inverse {
        Inverse::NotNeeded(why) => (true, format!("nothing to take back: {why}")),
        Inverse::Impossible(why) => (false, format!("it cannot be taken back: {why}")),
        Inverse::By(op) => {
            let limit = Duration::from_secs(record.change.deadline_secs).max(UNDO_AT_LEAST);
            let outcome = tokio::select! {
                outcome = engine.world.perform(&record.target, op, limit) => outcome,
                () = engine.cancel.reached(Stop::Now) => Outcome::Unknown("given up by the operator while in flight".into()),
            };
            match outcome {
                Outcome::Done(said) => (true, said),
                Outcome::Failed(why) => (false, why),
                Outcome::Unknown(why) => (false, format!("the reply was lost ({why}); `breakglass undo` looks again")),
            }
        }
    };
    let entry = if done {
        Entry::Undone { id: record.id, said: said.clone() }
    } else {
        Entry::Stuck { id: record.id, why: said.clone() }
    };
    engine.record.append(entry)?;
    engine.events.hear(Event::ChangeEnded {
        target: record.target.clone(),
        id: record.id,
        what: match &record.change.inverse {
            Inverse::By(op) => op.summary(),
            _ => record.change.op.summary(),
        },
        state: if done { ChangeEnd::Undone } else { ChangeEnd::Stuck },
        said,
        took_ms: millis(began.elapsed()),
        by_hand: (!done).then(|| by_hand(record)),
    });
    Ok(done)
}

/// What a person would look at or type when the inverse did not take.
fn by_hand(record: &ChangeRecord) -> String {
    match &record.change.inverse {
        Inverse::By(op) => format!("look at {} yourself; the inverse was: {}", record.target, op.summary()),
        _ => format!("look at {} yourself; what was done: {}", record.target, record.change.by_hand),
    }
}

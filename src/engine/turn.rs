//! Taking an exchange of a manifest back takes one out, too, and so waits for its turn as a first exchange does: this run marks
//! its own host, looks at all the others, and begins when nobody else has marked one or begun.

use std::time::Duration;

use tokio::time::Instant;

use super::{Engine, GRACE, Stop};
use crate::change::{Op, Outcome};
use crate::event::Event;
use crate::host::swap::Place;
use crate::journal::ChangeRecord;
use crate::steps::{History, Look, Turn, mark_of, taken_out_by, turn};

/// The longest that somebody else is waited for: two exchanges that go wrong, one after the other.
const WITHIN: Duration = Duration::from_mins(10);
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(2);
const MARK_LIMIT: Duration = Duration::from_secs(30);
/// How often the mark is sent when it is not known to have arrived.
const TRIES: u32 = 3;

/// What taking one change back came to.
pub(super) enum Back {
    /// Nothing of it stands any more.
    Undone(String),
    /// It stands, and is not forced.
    Stuck(String),
    /// The reply was lost, and looking did not tell.
    Unknown(String),
}

/// Waits until an inverse may be sent; why it is not, otherwise.
pub(super) async fn wait(engine: Engine<'_>, record: &ChangeRecord, op: &Op) -> Result<(), Back> {
    let Some(place) = taken_out_by(op) else { return Ok(()) };
    let place = Place { operator: engine.mark.operator.clone(), ..place };
    let history = History::default();
    let (target, step) = (&record.target, record.step);
    let look = Look { target, reads: engine.world, history: &history, mark: engine.mark, step };
    let until = Instant::now() + WITHIN;
    let (mut marked, mut tries, mut told): (Option<Instant>, u32, Vec<String>) = (None, TRIES, Vec::new());
    loop {
        if engine.cancel.level() >= Stop::Soon {
            return Err(Back::Stuck("stopped by a signal before it was sent".into()));
        }
        let (next, unasked) = turn(look, &place, marked.map(|at| at.elapsed()))
            .await
            .map_err(|error| Back::Stuck(format!("not sent: {error}")))?;
        for what in unasked {
            if !told.contains(&what) {
                told.push(what.clone());
                engine.events.hear(Event::Saw { target: target.clone(), step, what: what.into() });
            }
        }
        match next {
            Turn::Go => return Ok(()),
            Turn::Mark => match mark(engine, record, &place).await {
                Ok(()) => marked = Some(Instant::now()),
                Err(why) if tries <= 1 => {
                    return Err(Back::Stuck(format!("not sent: the mark that others see could not be set: {why}")));
                }
                Err(_) => tries -= 1,
            },
            Turn::Wait(what) => {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    let secs = WITHIN.as_secs();
                    return Err(Back::Stuck(format!("not sent: still waiting after {secs} s for {what}")));
                }
                engine.events.hear(Event::Waiting { target: target.clone(), step, what, left_secs: left.as_secs() });
                tokio::select! {
                    () = tokio::time::sleep(LOOK_AGAIN_AFTER) => {}
                    () = engine.cancel.reached(Stop::Soon) => {}
                }
            }
        }
    }
}

async fn mark(engine: Engine<'_>, record: &ChangeRecord, place: &Place) -> Result<(), String> {
    let op = mark_of(place);
    let outcome = tokio::select! {
        outcome = engine.world.perform(&record.target, &op, MARK_LIMIT) => outcome,
        () = tokio::time::sleep(MARK_LIMIT + GRACE) => Outcome::Unknown(format!("no outcome after {}s", MARK_LIMIT.as_secs())),
    };
    match outcome {
        Outcome::Done(_) => Ok(()),
        Outcome::Failed(why) | Outcome::NotTaken(why) | Outcome::Unknown(why) => Err(why),
    }
}

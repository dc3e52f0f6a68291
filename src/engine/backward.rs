//! Standing changes, newest first, taken back by their inverses. Reads the journal only.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::FutureExt as _;
use serde_json::Value;
use tokio::time::Instant;

use super::ending::{Goes, finish, report};
use super::fanout::fan_out;
use super::strangers::Strangers;
use super::target::JournalLost;
use super::turn::Back;
use super::{Consent, Engine, GRACE, Report, Stop, Tally, turn};
use crate::change::{Holds, Inverse, KubeCall, Op, Outcome, Target};
use crate::error::Class;
use crate::event::{ChangeEnd, Event};
use crate::journal::{ChangeRecord, ChangeState, Entry};
use crate::limits::Limits;
use crate::world::{Accept, KubeRead};
use crate::{saved, words};

/// Taking one change back may take at least this long, whatever its own deadline says.
const AT_LEAST: Duration = Duration::from_secs(30);
/// How long the look after a refused or unanswered inverse may take.
const LOOK_LIMIT: Duration = Duration::from_secs(30);
/// How often an inverse that may be repeated is sent when its reply is lost.
const TRIES: u32 = 3;
/// How many of the changes that are left are named.
const NAMED: usize = 5;
/// How many clusters at a time.
const CLUSTERS_AT_ONCE: usize = 8;

/// How an undo ended on a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UndoEnd {
    pub(super) class: Option<Class>,
    pub(super) why: String,
    /// How many changes were taken back now.
    undone: usize,
    /// How many needed no taking back, and do not stand any more.
    needless: usize,
}

/// Runs `undo` as a command: everything that stands, newest first, all clusters side by side, then the last line. What
/// stands on a cluster that is `left_out` is left as it is, for the reason that stands there.
pub async fn undo(engine: Engine<'_>, consent: &Consent, left_out: &BTreeMap<String, String>) -> Report {
    let began = Instant::now();
    let header = engine.record.read(|run| run.header.clone());
    if header.drill {
        let mut report = report(engine, Vec::new());
        report.why = format!("run {} was a drill: nothing was changed, so nothing is taken back", header.run);
        return finish(engine, report, began, Goes::Back).await;
    }
    let worked_on = header.clusters.iter().filter(|cluster| !left_out.contains_key(*cluster));
    began_on(engine, worked_on.map(|cluster| (cluster.as_str(), engine.record.standing(cluster))));
    let limits = Limits::whatever_fails(CLUSTERS_AT_ONCE);
    let work = |index: usize| {
        let cluster = &header.clusters[index];
        async move {
            if let Some(why) = left_out.get(cluster) {
                return Ok(left(engine, cluster, why));
            }
            let end = take_all_back(engine, consent, &engine.record.standing(cluster)).await;
            engine.world.rest(cluster);
            end
        }
        .boxed()
    };
    let results = fan_out(header.clusters.len(), limits, work, |_| false).await;
    let (mut undone, mut needless) = (0, 0);
    let ends = results
        .into_iter()
        .flatten()
        .zip(&header.clusters)
        .map(|(result, cluster)| match result {
            Ok(end) => {
                undone += end.undone;
                needless += end.needless;
                end.class.map(|class| (class, format!("{cluster}: {}", end.why)))
            }
            Err(JournalLost(error)) => Some((Class::Journal, error.to_string())),
        })
        .collect();
    let mut report = report(engine, ends);
    if report.class.is_none() {
        report.why = taken_back(engine, (undone, needless), report.tally);
    }
    finish(engine, report, began, Goes::Back).await
}

/// How an undo ends on a cluster that it has to leave as it is.
fn left(engine: Engine<'_>, cluster: &str, why: &str) -> UndoEnd {
    let (standing, run) = (engine.record.standing(cluster), &engine.mark.run);
    let left = match standing.iter().filter(|record| !record.needs_no_undo()).count() {
        0 => format!("{} left, with nothing to take back", words::count(standing.len(), "change")),
        back => format!("{} not taken back", words::count(back, "change")),
    };
    let why = format!("{left}, for this cluster cannot be worked on: {why}; `breakglass undo {run}` goes on");
    UndoEnd { class: (!standing.is_empty()).then_some(Class::Stuck), why, undone: 0, needless: 0 }
}

/// What an undo that met nothing came to: what it took back itself and what needed none, and where that is nothing, what was
/// taken back before.
fn taken_back(engine: Engine<'_>, (undone, needless): (usize, usize), all: Tally) -> String {
    match (undone + needless, all.undone, all.needless) {
        (_, 0, 0) => "nothing of this run stands: it changed nothing".into(),
        // The state is what it was before the undo: that must not sound as if something had been done.
        (_, 0, every) => {
            let reasons = engine.record.read(|run| {
                let reason = |record: &ChangeRecord| match &record.change.inverse {
                    Inverse::NotNeeded(why) if record.state == ChangeState::Undone => Some(why.clone()),
                    Inverse::NotNeeded(_) | Inverse::By(_) | Inverse::Impossible(_) => None,
                };
                run.changes.values().filter_map(reason).collect::<BTreeSet<_>>()
            });
            let reasons = reasons.into_iter().collect::<Vec<_>>().join("; ");
            format!("nothing to take back of {}: {reasons}", words::count(every, "change"))
        }
        (0, undone, needless) => {
            let none = if needless > 0 { format!(", {needless} needed none") } else { String::new() };
            format!("nothing of this run stands: {} taken back before{none}", words::count(undone, "change"))
        }
        _ => format!("{}; nothing of this run stands", words::taken_back(undone, needless)),
    }
}

/// Says what is taken back now. Two clusters may have hosts of the same names: so whoever reads on must know of all clusters
/// from the start.
fn began_on<'a, S: AsRef<[ChangeRecord]>>(engine: Engine<'_>, all: impl Iterator<Item = (&'a str, S)>) {
    let (mut clusters, mut changes, mut needless) = (Vec::new(), 0, 0);
    for (cluster, standing) in all {
        let standing = standing.as_ref();
        if standing.is_empty() {
            continue;
        }
        clusters.push(cluster.to_owned());
        changes += standing.len();
        needless += standing.iter().filter(|record| record.needs_no_undo()).count();
    }
    if !clusters.is_empty() {
        engine.events.hear(Event::UndoStarted { run: engine.mark.run.clone(), clusters, changes, needless });
    }
}

/// Takes back what stands on one cluster in the middle of a run, because a step failed there.
pub(super) async fn backward(engine: Engine<'_>, cluster: &str, consent: &Consent) -> Result<UndoEnd, JournalLost> {
    let standing = engine.record.standing(cluster);
    began_on(engine, std::iter::once((cluster, &standing)));
    take_all_back(engine, consent, &standing).await
}

/// Takes back what stands on one cluster. Goes on past what is stuck, and says so at the end; but what the same step did
/// there before stays, because a second try may need it (the kept copy of a manifest that is still in place). Objects of
/// the API do not need one another.
async fn take_all_back(
    engine: Engine<'_>,
    consent: &Consent,
    standing: &[ChangeRecord],
) -> Result<UndoEnd, JournalLost> {
    if !engine.record.read(|run| consent.covers(&run.header.plan)) {
        let why = "the consent was given to another plan".to_owned();
        return Ok(UndoEnd { class: Some(Class::Bug), why, undone: 0, needless: 0 });
    }
    let strangers = Strangers::among(engine, standing).await;
    let (mut undone, mut needless, mut left) = (0, 0, &standing[..0]);
    let (mut stuck, mut open) = (Vec::new(), Vec::new());
    let (mut held, mut kept): (Vec<&ChangeRecord>, usize) = (Vec::new(), 0);
    for (position, record) in standing.iter().enumerate() {
        if engine.cancel.level() >= Stop::Soon {
            left = &standing[position..];
            break;
        }
        if held.iter().any(|held| needs(held, record)) {
            kept += 1;
            continue;
        }
        let what = format!("change {} ({}) on {}", record.id, record.change.op.summary(), record.target);
        match take_back(engine, record, strangers.forbid(record)).await? {
            Back::Undone(_) if record.needs_no_undo() => needless += 1,
            Back::Undone(_) => undone += 1,
            Back::Stuck(why) => {
                held.push(record);
                stuck.push(format!("{what}: {why}"));
            }
            Back::Unknown(why) => {
                held.push(record);
                open.push(format!("{what}: {why}"));
            }
        }
    }
    let mut why = vec![words::taken_back(undone, needless)];
    if !stuck.is_empty() {
        why.push(format!("could not take back {}", stuck.join("; ")));
    }
    if !open.is_empty() {
        let run = &engine.mark.run;
        why.push(format!("not known whether taken back: {}; `breakglass undo {run}` looks again", open.join("; ")));
    }
    if kept > 0 {
        why.push(format!("{} of the same steps left for the next try", words::count(kept, "change")));
    }
    if !left.is_empty() {
        // What is half taken back may be worse than either end: a thaw is taken back before the freeze that it ended.
        let named = left.iter().take(NAMED).map(|record| {
            format!("change {} on {} ({})", record.id, record.target.short(), words::one_line(&record.change.because))
        });
        let (named, run) = (named.collect::<Vec<_>>().join("; "), &engine.mark.run);
        let more = if left.len() > NAMED { "; and more" } else { "" };
        let count = words::count(left.len(), "change");
        why.push(format!("stopped by a signal with {count} left: {named}{more}; `breakglass undo {run}` goes on"));
    }
    let class = match (left.is_empty(), stuck.is_empty(), open.is_empty()) {
        (true, true, true) => None,
        (true, true, false) => Some(Class::Partial),
        (true, false, _) => Some(Class::Stuck),
        (false, ..) => Some(Class::Interrupted),
    };
    Ok(UndoEnd { class, why: why.join("; "), undone, needless })
}

/// Whether taking back the one that is stuck may need what the other left.
fn needs(stuck: &ChangeRecord, other: &ChangeRecord) -> bool {
    let apart = matches!((object(stuck), object(other)), (Some(one), Some(other)) if one != other);
    stuck.step == other.step && stuck.target == other.target && !apart
}

/// The object of the API that an inverse is about.
fn object(record: &ChangeRecord) -> Option<&str> {
    match &record.change.inverse {
        Inverse::By(op) => match &**op {
            Op::Kube(KubeCall { holds: Some(holds), .. }) => Some(&holds.path),
            Op::Kube(KubeCall { holds: None, .. }) | Op::Host(_) | Op::File(_) | Op::Http(_) | Op::Local(_) => None,
        },
        Inverse::NotNeeded(_) | Inverse::Impossible(_) => None,
    }
}

/// Takes one change back, and writes down what came of it. An unknown outcome stays `Undoing` in the journal, which
/// says just that.
async fn take_back(engine: Engine<'_>, record: &ChangeRecord, forbidden: Option<String>) -> Result<Back, JournalLost> {
    let began = Instant::now();
    engine.record.append(Entry::Undoing { id: record.id }).await?;
    let back = match &record.change.inverse {
        Inverse::By(_) if forbidden.is_some() => Back::Stuck(forbidden.unwrap_or_default()),
        Inverse::NotNeeded(why) => Back::Undone(format!("nothing to take back: {why}")),
        Inverse::Impossible(why) => Back::Stuck(format!("it cannot be taken back: {why}")),
        Inverse::By(op) => by(engine, record, (**op).clone()).await,
    };
    let (state, said) = match &back {
        Back::Undone(said) => {
            engine.record.append(Entry::Undone { id: record.id, said: said.clone() }).await?;
            (ChangeEnd::Undone, said)
        }
        Back::Stuck(why) => {
            engine.record.append(Entry::Stuck { id: record.id, why: why.clone() }).await?;
            (ChangeEnd::Stuck, why)
        }
        Back::Unknown(why) => (ChangeEnd::Unknown, why),
    };
    engine.events.hear(Event::ChangeEnded {
        target: record.target.clone(),
        id: record.id,
        what: match &record.change.inverse {
            Inverse::By(op) => op.summary(),
            Inverse::NotNeeded(_) | Inverse::Impossible(_) => record.change.op.summary(),
        },
        state,
        said: said.clone(),
        took_ms: crate::words::as_millis(began.elapsed()),
        by_hand: (state != ChangeEnd::Undone).then(|| by_hand(record)),
        unsent: state == ChangeEnd::Undone && record.needs_no_undo(),
    });
    Ok(back)
}

/// Performs an inverse. A no or a silence is looked into before it is believed.
async fn by(engine: Engine<'_>, record: &ChangeRecord, mut op: Op) -> Back {
    if let Err(error) = engine.record.fill(&mut op) {
        return Back::Stuck(error.to_string());
    }
    if let Err(back) = turn::wait(engine, record, &op).await {
        return back;
    }
    let mut tries = if op.idempotent() { TRIES } else { 1 };
    if let Op::Kube(call) = &op
        && call.wants_a_look()
    {
        return delete(engine, record, call).await;
    }
    loop {
        let (why, lost) = match perform(engine, record, &op).await {
            Ok(said) => return Back::Undone(said),
            Err(NotDone::GivenUp) => return Back::Unknown(GIVEN_UP.into()),
            Err(NotDone::Refused(why)) => (why, false),
            Err(NotDone::Lost(why)) => (why, true),
        };
        match differs(engine, &record.target, &op).await {
            Some(all) if all.is_empty() => return Back::Undone(format!("a look found it as it was ({why})")),
            Some(all) if !lost => return Back::Stuck(format!("{why}; what is there differs at {}", all.join(", "))),
            None if !lost => return Back::Stuck(why),
            _ => {}
        }
        tries -= 1;
        if tries == 0 || engine.cancel.level() >= Stop::Soon {
            return Back::Unknown(format!("what came of it is not known: {why}"));
        }
    }
}

/// Why an inverse is not known to be done.
enum NotDone {
    Refused(String),
    Lost(String),
    GivenUp,
}

const GIVEN_UP: &str = "given up by the operator while in flight";

/// Sends an inverse once; what the far side said of it.
async fn perform(engine: Engine<'_>, record: &ChangeRecord, op: &Op) -> Result<String, NotDone> {
    let limit = Duration::from_secs(record.change.deadline_secs).max(AT_LEAST);
    let outcome = tokio::select! {
        outcome = engine.world.perform(&record.target, op, limit) => outcome,
        () = tokio::time::sleep(limit + GRACE) => Outcome::Unknown(format!("no outcome after {}s", limit.as_secs())),
        () = engine.cancel.reached(Stop::Now) => return Err(NotDone::GivenUp),
    };
    match outcome {
        Outcome::Done(said) => Ok(said.words),
        Outcome::Failed(why) | Outcome::NotTaken(why) => Err(NotDone::Refused(why)),
        Outcome::Unknown(why) => Err(NotDone::Lost(why)),
    }
}

/// Deletes what a change created, as a look finds it: only what still is what was created, and only in the version that was seen.
async fn delete(engine: Engine<'_>, record: &ChangeRecord, call: &KubeCall) -> Back {
    let Some(holds) = &call.holds else { return Back::Stuck("it is not known what was created".into()) };
    let mut before: Option<NotDone> = None;
    for _ in 0..TRIES {
        let there = match look(engine, &record.target, holds).await {
            There::Is(object) => object,
            There::Absent if before.is_some() => return Back::Undone("a look found it gone".into()),
            There::Absent => return Back::Undone("it is not there any more: nothing to delete".into()),
            There::Unseen(why) => {
                return Back::Unknown(format!("it could not be looked at before it is deleted: {why}"));
            }
        };
        let call = call.as_seen(&there);
        let all = call.holds.as_ref().map_or_else(Vec::new, |holds| holds.differs(&there, None));
        if !all.is_empty() {
            return Back::Stuck(format!("it is not what was created any more: it differs at {}", all.join(", ")));
        }
        match perform(engine, record, &Op::Kube(call)).await {
            Ok(said) => return Back::Undone(said),
            Err(NotDone::GivenUp) => return Back::Unknown(GIVEN_UP.into()),
            Err(not_done) => before = Some(not_done),
        }
        if engine.cancel.level() >= Stop::Soon {
            break;
        }
    }
    match before {
        Some(NotDone::Refused(why)) => Back::Stuck(why),
        Some(NotDone::Lost(why)) => Back::Unknown(format!("what came of it is not known: {why}")),
        Some(NotDone::GivenUp) | None => Back::Unknown(GIVEN_UP.into()),
    }
}

/// What a look at the object of an inverse came to.
enum There {
    Is(Value),
    Absent,
    Unseen(String),
}

async fn look(engine: Engine<'_>, target: &Target, holds: &Holds) -> There {
    let read = KubeRead { path: holds.path.clone(), accept: Accept::Json, limit: LOOK_LIMIT };
    let answer = tokio::select! {
        answer = engine.world.kube(target, &read) => match answer {
            Ok(answer) => answer,
            Err(error) => return There::Unseen(error.to_string()),
        },
        () = tokio::time::sleep(LOOK_LIMIT + GRACE) => {
            return There::Unseen(format!("no answer after {}s", LOOK_LIMIT.as_secs()));
        }
        () = engine.cancel.reached(Stop::Now) => return There::Unseen(GIVEN_UP.into()),
    };
    let there = answer.json();
    match answer.code {
        200 => match saved::another(&holds.path, &there) {
            Some(other) => There::Unseen(format!("what answered is {other}")),
            None => There::Is(there),
        },
        // Without a name it is the whole resource that is not served, yet.
        404 if there.pointer("/details/name").is_some_and(Value::is_string) => There::Absent,
        code => There::Unseen(format!("{code}: {}", answer.message())),
    }
}

/// Where what is there differs from the state that an op wants; `None` when that cannot be seen.
async fn differs(engine: Engine<'_>, target: &Target, op: &Op) -> Option<Vec<String>> {
    let Op::Kube(KubeCall { holds: Some(holds), body, .. }) = op else { return None };
    let There::Is(there) = look(engine, target, holds).await else { return None };
    let sent = body.bytes().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Some(holds.differs(&there, sent.as_ref()))
}

/// What a person would look at or type when the inverse did not take.
fn by_hand(record: &ChangeRecord) -> String {
    match &record.change.inverse {
        Inverse::By(op) => format!("look at {} yourself; the inverse was: {}", record.target, op.summary()),
        Inverse::NotNeeded(_) | Inverse::Impossible(_) => {
            format!("look at {} yourself; what was done: {}", record.target, record.change.by_hand)
        }
    }
}

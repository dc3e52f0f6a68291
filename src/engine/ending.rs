//! How a run ends: its class and sentence from those of its clusters, its last line, the commands that come next.

use tokio::time::Instant;

use super::{Engine, Report};
use crate::error::Class;
use crate::event::Event;
use crate::journal::{ChangeRecord, Entry};

/// How a run ended on one cluster; `None`: every step is done.
pub(super) type LaneEnd = Option<(Class, String)>;

/// What the ends of the clusters come to together.
pub(super) fn report(engine: Engine<'_>, ends: Vec<LaneEnd>) -> Report {
    let tally = engine.record.tally();
    let mut failures: Vec<(Class, String)> = ends.into_iter().flatten().collect();
    if failures.is_empty() && tally.unknown > 0 {
        let why = format!("it is not known whether {} took effect", crate::words::count(tally.unknown, "change"));
        failures.push((Class::Partial, why));
    }
    let class = failures.iter().map(|(class, _)| *class).max_by_key(|class| gravity(*class));
    // "No route" and "refused" promise that nothing is changed; "partial" that something is, or may be.
    let remains = !engine.world.pretends() && tally.done + tally.unknown + tally.stuck > 0;
    let class = class.map(|class| match class {
        Class::NoRoute | Class::Refused if remains => Class::Partial,
        Class::Partial if !remains => Class::Refused,
        other => other,
    });
    let why = if failures.is_empty() {
        format!("every step is done; {}", crate::words::count(tally.done, "change"))
    } else {
        // One line for each cluster that failed, however many lines its error has.
        failures.into_iter().map(|(_, why)| crate::words::one_line(&why)).collect::<Vec<_>>().join("\n")
    };
    Report { class, why, costs: engine.world.costs(), tally }
}

/// Which of several failures names the run's end.
fn gravity(class: Class) -> u8 {
    match class {
        // No run ends so: the last is the end of a look.
        Class::Usage | Class::Refused | Class::Stands => 0,
        Class::Declined => 1,
        Class::NoRoute => 2,
        Class::TimedOut => 3,
        Class::Partial => 4,
        Class::Stuck => 5,
        Class::Interrupted => 6,
        Class::Bug => 7,
        Class::Journal => 8,
    }
}

/// Writes the last line and says the last event.
pub(super) async fn finish(engine: Engine<'_>, mut report: Report, began: Instant, goes: Goes) -> Report {
    let code = report.class.map_or(0, Class::exit_code);
    if report.class != Some(Class::Journal)
        && let Err(error) = engine
            .record
            .append(Entry::Ended {
                code,
                why: report.why.clone(),
                costs: Some(report.costs.clone()),
                stands: Some(engine.record.read(|run| run.standing().count())),
            })
            .await
    {
        report.class = Some(Class::Journal);
        report.why = error.to_string();
    }
    if report.class != Some(Class::Journal) {
        engine.record.keep_head();
    }
    engine.events.hear(Event::RunEnded {
        run: engine.mark.run.clone(),
        code: report.class.map_or(0, Class::exit_code),
        why: report.why.clone(),
        costs: report.costs.clone(),
        took_ms: crate::words::as_millis(began.elapsed()),
        next: next(engine, &report, goes),
    });
    report
}

/// Which way a run went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goes {
    Forward,
    Back,
}

/// Whether going on where a run ended can come to another end.
fn resumable(class: Class) -> bool {
    match class {
        Class::NoRoute | Class::Partial | Class::Declined | Class::TimedOut | Class::Interrupted | Class::Stuck => true,
        // What was refused is refused again, until something else is done: then the command is given again.
        Class::Refused | Class::Usage | Class::Journal | Class::Bug | Class::Stands => false,
    }
}

/// The next commands to type.
fn next(engine: Engine<'_>, report: &Report, goes: Goes) -> Vec<String> {
    let run = &engine.mark.run;
    let mut next = Vec::new();
    if engine.world.pretends() {
        return next;
    }
    // A practice cluster is gone with its process: nothing can go on there, or be taken back.
    if engine.record.read(|run| run.header.is_practice()) {
        next.push(format!("breakglass show {run}"));
        return next;
    }
    // What only looked is looked at anew, and who takes back does not want to go on.
    let on = goes == Goes::Forward && engine.record.read(|run| run.header.writes);
    if on && report.class.is_some_and(resumable) {
        next.push(format!("breakglass resume {run}"));
    }
    // What cannot be taken back is done by hand: another undo would come to the same.
    if engine.record.read(|run| run.standing().any(ChangeRecord::has_a_way_back)) {
        next.push(format!("breakglass undo {run}"));
    }
    next.push(format!("breakglass show {run}"));
    next
}

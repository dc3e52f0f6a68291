//! Clusters and steps, in order.

use futures::FutureExt as _;
use tokio::time::Instant;

use super::ending::{Goes, LaneEnd, finish, report};
use super::fanout::fan_out;
use super::found;
use super::keeper;
use super::target::{End, JournalLost, OnTarget};
use super::together::Together;
use super::{Consent, Engine, Report, Stop, backward};
use crate::change::{Part, Target};
use crate::error::Class;
use crate::event::Event;
use crate::journal::{Entry, StepState};
use crate::plan::{Plan, PlannedStep};
use crate::runbook::OnFailure;
use crate::steps::{Look, Question};

/// The question before a step, as the journal names it.
const BEFORE_STEP: &str = "before the step";

/// Drives a plan to its end. Steps that the journal says are done are passed over, so this is `resume` too.
///
/// As many clusters at a time as the plan says. The journal failing ends the run at once; every other failure is dealt with
/// by the policy of its step.
pub async fn forward(engine: Engine<'_>, plan: &Plan, consent: &Consent) -> Report {
    let began = Instant::now();
    let (planned, drill) = engine.record.read(|run| (run.header.plan == plan.digest, run.header.drill));
    let wrong = if !consent.covers(&plan.digest) {
        Some("the consent was given to another plan")
    } else if !planned {
        Some("the journal belongs to another plan")
    } else if drill != engine.world.pretends() {
        Some("a drill cannot be gone on with for real, nor the other way round: start a new run")
    } else {
        None
    };
    if let Some(why) = wrong {
        return report(engine, vec![Some((Class::Bug, why.into()))]);
    }
    let run = &engine.mark.run;
    engine.events.hear(Event::RunStarted {
        run: run.clone(),
        runbook: plan.name.clone(),
        drill: engine.world.pretends(),
        clusters: plan.clusters.iter().map(|cluster| cluster.name.clone()).collect(),
        steps: plan.steps.len(),
    });
    let lanes = fan_out(
        plan.clusters.len(),
        plan.fleet,
        |index| {
            let cluster = &plan.clusters[index].name;
            async move {
                let end = lane(engine, plan, cluster, consent).await;
                engine.world.rest(cluster);
                end
            }
            .boxed()
        },
        |end: &Result<LaneEnd, JournalLost>| !matches!(end, Ok(None)),
    );
    let lanes = tokio::select! {
        lanes = lanes => lanes,
        () = keeper::renew(engine) => Vec::new(),
    };
    let ends = lanes
        .into_iter()
        .zip(&plan.clusters)
        .map(|(lane, cluster)| match lane {
            None => Some((Class::Refused, format!("{}: not begun, because others had failed", cluster.name))),
            Some(Ok(end)) => end,
            Some(Err(JournalLost(error))) => Some((Class::Journal, error.to_string())),
        })
        .collect();
    finish(engine, report(engine, ends), began, Goes::Forward).await
}

/// All steps on one cluster.
async fn lane(engine: Engine<'_>, plan: &Plan, cluster: &str, consent: &Consent) -> Result<LaneEnd, JournalLost> {
    let mut worst: LaneEnd = None;
    for (index, planned) in plan.steps.iter().enumerate() {
        if engine.record.step_ended(cluster, index) == Some(StepState::Done) {
            // One that was left out won nothing.
            if found::left_out(engine, plan, index, cluster).is_none() {
                win_again(engine, planned, index, cluster).await;
            }
            continue;
        }
        if engine.cancel.level() >= Stop::Soon {
            return Ok(Some((Class::Interrupted, format!("{cluster}: stopped before step {:?}", planned.name))));
        }
        let end = step(engine, plan, index, cluster).await?;
        let Some(class) = end.class else { continue };
        let failure = (class, format!("{cluster}: step {:?}: {}", planned.name, end.why));
        let stops = matches!(class, Class::Interrupted | Class::Declined);
        match planned.policy.on_failure {
            OnFailure::Continue if !stops => worst = worst.or(Some(failure)),
            OnFailure::Undo if !stops => {
                let undone = backward(engine, cluster, consent).await?;
                let why = format!("{}; {}", failure.1, undone.why);
                return Ok(Some((undone.class.unwrap_or(class), why)));
            }
            _ => return Ok(Some(failure)),
        }
    }
    Ok(worst)
}

/// The ways in that a step which is done had won for a process that is gone.
async fn win_again(engine: Engine<'_>, planned: &PlannedStep, step: usize, cluster: &str) {
    for target in planned.targets_on(cluster) {
        let history = engine.record.history(step, target);
        let look = Look { target, reads: engine.world, history: &history, mark: engine.mark, step };
        if let Some(won) = planned.step.win_again(look) {
            tokio::select! {
                () = won => {}
                () = engine.cancel.reached(Stop::Soon) => return,
            }
        }
    }
}

/// One step on all its targets of one cluster.
async fn step(engine: Engine<'_>, plan: &Plan, index: usize, cluster: &str) -> Result<End, JournalLost> {
    let planned = &plan.steps[index];
    let (began, spent) = (Instant::now(), engine.world.costs_on(cluster));
    let targets: Vec<_> = planned.targets_on(cluster).collect();
    engine.record.append(Entry::StepStarted { cluster: cluster.to_owned(), step: index }).await?;
    engine.events.hear(Event::StepStarted {
        cluster: cluster.to_owned(),
        step: index,
        name: planned.name.clone(),
        intent: planned.step.intent(),
        why: planned.why.clone(),
        targets: targets.len(),
    });
    let left_out = found::left_out(engine, plan, index, cluster);
    let asks = planned.policy.confirm && left_out.is_none();
    let asked = if asks { confirmed(engine, planned, index, cluster).await? } else { Some(true) };
    let unasked = |state, class, why: &str| End { state, class: Some(class), why: why.into(), changes: 0 };
    let end = match (left_out, asked, &planned.later) {
        (Some(end), ..) => end,
        (None, None, _) => unasked(StepState::Interrupted, Class::Interrupted, "stopped by a signal"),
        (None, Some(false), _) => unasked(StepState::Declined, Class::Declined, "the operator said no"),
        (None, Some(true), None) => on_targets(engine, planned, index, &targets).await?,
        (None, Some(true), Some(unfilled)) => match found::fill(engine, plan, (index, unfilled), cluster).await? {
            Ok(filled) => on_targets(engine, &filled, index, &targets).await?,
            Err(end) => end,
        },
    };
    let (state, why, cluster) = (end.state, end.why.clone(), cluster.to_owned());
    // Its steps come one after another, so all that was spent on it since then is this step's.
    let costs = engine.world.costs_on(&cluster).on_since(&cluster, &spent);
    engine
        .record
        .append(Entry::StepEnded {
            cluster: cluster.clone(),
            step: index,
            state,
            why: why.clone(),
            costs: Some(costs.clone()),
        })
        .await?;
    let (name, took_ms) = (planned.name.clone(), crate::words::as_millis(began.elapsed()));
    engine.events.hear(Event::StepEnded { cluster, step: index, name, state, why, costs, took_ms });
    Ok(end)
}

/// One step on these targets, within the limits of its policy.
async fn on_targets(
    engine: Engine<'_>,
    planned: &PlannedStep,
    index: usize,
    targets: &[&Target],
) -> Result<End, JournalLost> {
    let together = &Together::new(planned.step.interval());
    let work = |i: usize| {
        let target = targets[i];
        async move {
            let end = OnTarget { engine, index, planned, target, together }.run().await?;
            let (target, state, why) = (target.clone(), end.state, end.why.clone());
            engine.events.hear(Event::TargetEnded { target, step: index, state, changes: end.changes, why });
            Ok(end)
        }
        .boxed()
    };
    let failed = |end: &Result<End, JournalLost>| !matches!(end, Ok(end) if end.class.is_none());
    fold_ends(targets, fan_out(targets.len(), planned.policy.limits, work, failed).await)
}

/// Asks before a step whose policy says so; `None` when the operator stopped the run instead. A yes is remembered.
async fn confirmed(
    engine: Engine<'_>,
    planned: &PlannedStep,
    index: usize,
    cluster: &str,
) -> Result<Option<bool>, JournalLost> {
    let key = (cluster.to_owned(), index, BEFORE_STEP.to_owned());
    if engine.record.read(|run| run.answers.get(&key) == Some(&true)) {
        return Ok(Some(true));
    }
    let question = Question {
        id: BEFORE_STEP.into(),
        text: format!("{cluster}: {} — go on?", planned.step.intent()),
        typed: None,
        unattended: true,
        otherwise: None,
    };
    let yes = tokio::select! {
        answer = engine.operator.ask(&question) => answer.unwrap_or(false),
        () = engine.cancel.reached(Stop::Soon) => return Ok(None),
    };
    let (cluster, question) = (cluster.to_owned(), question.id);
    engine.record.append(Entry::Answered { cluster, step: index, question, yes }).await?;
    Ok(Some(yes))
}

/// A reason with its target before it, once. What befell the cluster as a whole needs no name: the run's end has it.
fn named(target: &Target, why: &str) -> String {
    let (long, short) = (format!("{target}: "), format!("{}: ", target.short()));
    let why = why.strip_prefix(&long).or_else(|| why.strip_prefix(&short)).unwrap_or(why);
    if target.part == Part::Cluster { why.to_owned() } else { format!("{short}{why}") }
}

/// The targets' ends as the step's: one dead target never hides what the others came to.
fn fold_ends(targets: &[&Target], results: Vec<Option<Result<End, JournalLost>>>) -> Result<End, JournalLost> {
    let (mut changes, mut not_begun) = (0, Vec::new());
    let mut failures: Vec<(&Target, End)> = Vec::new();
    for (target, result) in targets.iter().zip(results) {
        match result {
            None => not_begun.push(target.short().to_owned()),
            Some(Err(lost)) => return Err(lost),
            Some(Ok(end)) => {
                changes += end.changes;
                if end.class.is_some() {
                    failures.push((target, end));
                }
            }
        }
    }
    let Some((_, first)) = failures.first() else {
        let why = if changes == 0 { "nothing had to change".into() } else { crate::words::count(changes, "change") };
        return Ok(End { state: StepState::Done, class: None, why, changes });
    };
    let (state, class) = (first.state, first.class);
    let mut why = failures.iter().map(|(target, end)| named(target, &end.why)).collect::<Vec<_>>().join("; ");
    if !not_begun.is_empty() {
        why.push_str(&format!("; not begun: {}", crate::words::fold(&not_begun)));
    }
    Ok(End { state, class, why, changes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_named_once() {
        let host = Target::host("prod", "cp1");
        for why in ["gone", "cp1: gone", "prod/cp1: gone"] {
            assert_eq!(named(&host, why), "cp1: gone");
        }
        let cluster = Target { cluster: "prod".into(), part: Part::Cluster };
        assert_eq!((named(&cluster, "prod: gone"), named(&cluster, "gone")), ("gone".into(), "gone".into()));
    }
}

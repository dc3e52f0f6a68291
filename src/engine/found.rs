//! Before a step that uses what earlier steps found: one that is not to be run for it is left out, the values are put in, and where the step would change something by
//! them, the operator types them, for the consent to the plan was given before anybody knew them.

use super::target::{End, JournalLost};
use super::{Engine, Stop};
use crate::error::Class;
use crate::found::YES;
use crate::journal::{Entry, Run, StepState};
use crate::plan::{Plan, PlannedStep, Unfilled};
use crate::runbook::Later;
use crate::steps::{Announced, Question};

/// Which result is still to be typed in a run that goes on, and for which step: nobody said yes to it yet, and the step is not done.
pub fn left_to_type<'a>(plan: &'a Plan, run: &Run) -> Option<(&'a PlannedStep, &'a Later)> {
    let undone = |index: usize| {
        plan.clusters
            .iter()
            .filter(move |cluster| run.steps.get(&(cluster.name.clone(), index)) != Some(&StepState::Done))
    };
    let agreed = |cluster: &str, hole: &Later| {
        let about = id(hole, "");
        run.answers.iter().any(|((at, _, id), yes)| *yes && at == cluster && id.starts_with(&about))
    };
    plan.write_what_is_found().find_map(|(planned, unfilled)| {
        let index = plan.steps.iter().position(|step| step.name == planned.name)?;
        let mut holes = unfilled.holes.iter();
        let open = |hole: &&Later| undone(index).any(|cluster| !agreed(&cluster.name, hole));
        holes.find(open).map(|hole| (planned, hole))
    })
}

/// By what the journal knows a question about a value that was found.
fn id(hole: &Later, value: &str) -> String {
    format!("{} {value}", hole.placeholder())
}

/// Why a step is not run on this cluster, as its end there; `None`: it is.
pub(super) fn left_out(engine: Engine<'_>, plan: &Plan, index: usize, cluster: &str) -> Option<End> {
    let only = plan.steps[index].only.as_ref()?;
    let (state, class, why) = match value(engine, plan, only, cluster).as_deref() {
        Some(YES) => return None,
        Some(_) => (StepState::Done, None, format!("left out: {} is no, as step {:?} found", only.result, only.step)),
        None => (StepState::Failed, Some(Class::Refused), unfound(only)),
    };
    Some(End { state, class, why, changes: 0 })
}

/// What an earlier step found, where that is what it should be: a journal may say anything.
fn value(engine: Engine<'_>, plan: &Plan, hole: &Later, cluster: &str) -> Option<String> {
    let from = plan.steps.iter().position(|step| step.name == hole.step)?;
    let key = (cluster.to_owned(), from, hole.result.clone());
    let found = engine.record.read(|run| run.found.get(&key).filter(|found| found.of == hole.of).cloned());
    found.filter(|found| found.of.fits(&found.value)).map(|found| found.value)
}

fn unfound(hole: &Later) -> String {
    format!("it needs the {} that step {:?} was to find, and that found none", hole.result, hole.step)
}

/// The later steps that change something by the same value: who says yes to it is not asked once more for these.
fn too(plan: &Plan, index: usize, hole: &Later) -> String {
    let later = plan.write_what_is_found().filter(|(step, unfilled)| {
        let same = |other: &Later| (&other.step, &other.result) == (&hole.step, &hole.result);
        plan.steps.iter().position(|known| known.name == step.name) > Some(index) && unfilled.holes.iter().any(same)
    });
    let names: Vec<String> = later.map(|(step, _)| format!("{:?}", step.name)).collect();
    if names.is_empty() { String::new() } else { format!(", and {} by the same", names.join(", ")) }
}

/// The step as it is run on this cluster, or how it ends there.
pub(super) async fn fill(
    engine: Engine<'_>,
    plan: &Plan,
    (index, unfilled): (usize, &Unfilled),
    cluster: &str,
) -> Result<Result<PlannedStep, End>, JournalLost> {
    let planned = &plan.steps[index];
    let end = |state, class, why: String| Ok(Err(End { state, class: Some(class), why, changes: 0 }));
    let mut values = Vec::new();
    for hole in &unfilled.holes {
        let Some(found) = value(engine, plan, hole, cluster) else {
            return end(StepState::Failed, Class::Refused, unfound(hole));
        };
        values.push(found);
    }
    let step = match unfilled.fill(&values) {
        Ok(step) => step,
        Err(why) => return end(StepState::Failed, Class::Refused, format!("what was found does not fit: {why}")),
    };
    let filled = PlannedStep {
        name: planned.name.clone(),
        kind: planned.kind,
        why: planned.why.clone(),
        step,
        targets: planned.targets.clone(),
        policy: planned.policy.clone(),
        only: planned.only.clone(),
        later: None,
    };
    let targets = || filled.targets_on(cluster).filter_map(move |target| Some((target, plan.cluster(cluster)?)));
    for (target, known) in targets() {
        if let Some(why) = filled.step.refuse(target, known).into_iter().next() {
            return end(StepState::Failed, Class::Refused, why);
        }
    }
    let writes = targets().any(|(target, known)| filled.step.announce(target, known).iter().any(Announced::writes));
    if !writes || engine.world.pretends() {
        return Ok(Ok(filled));
    }
    for (hole, value) in unfilled.holes.iter().zip(&values) {
        let id = id(hole, value);
        if engine
            .record
            .read(|run| run.answers.iter().any(|((at, _, about), yes)| *yes && at == cluster && *about == id))
        {
            continue;
        }
        let question = Question {
            id: id.clone(),
            text: format!(
                "{cluster}: step {:?} found the {}: {value}. Now {:?} is to {}{}. Type {value} if that is meant",
                hole.step,
                hole.result,
                planned.name,
                filled.step.intent(),
                too(plan, index, hole)
            ),
            typed: Some(value.clone()),
            unattended: false,
            otherwise: None,
        };
        let answer = tokio::select! {
            answer = engine.operator.ask(&question) => answer,
            () = engine.cancel.reached(Stop::Soon) => {
                return end(StepState::Interrupted, Class::Interrupted, "stopped by a signal".into());
            }
        };
        let Some(yes) = answer else {
            let why = format!("nobody could be asked: {}", question.text);
            return end(StepState::Declined, Class::Declined, why);
        };
        let entry = Entry::Answered { cluster: cluster.to_owned(), step: index, question: id, yes };
        engine.record.append(entry).await?;
        if !yes {
            let why = format!("the operator said no to the {} that was found, {value}", hole.result);
            return end(StepState::Declined, Class::Declined, why);
        }
    }
    Ok(Ok(filled))
}

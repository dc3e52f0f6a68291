//! Entries to state. The one match that lists every legal move of a change; anything else is damage.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Entry, Header, Line, Written, old};
use crate::change::{Change, Facts, Inverse, Target};
use crate::cost::Costs;
use crate::found::Found;

/// Where a change stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeState {
    /// Written down, not yet answered.
    Intended,
    /// Made.
    Done,
    /// Refused by the far side; nothing was changed.
    Failed,
    /// The reply was lost.
    Unknown,
    /// Looked at again: had not been made.
    NotMade,
    /// Being taken back.
    Undoing,
    /// Taken back.
    Undone,
    /// Could not be taken back.
    Stuck,
}

impl ChangeState {
    /// Nobody knows whether it was made.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Intended | Self::Unknown)
    }
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// Nothing left to change and nothing awaited.
    Done,
    /// It failed, or a wait ended; the policy said to go on or to stop.
    Failed,
    /// The operator said no.
    Declined,
    /// A signal stopped it.
    Interrupted,
}

/// One change as the journal tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeRecord {
    /// Its number in the run, from 1.
    pub id: u32,
    /// Position of its step in the plan, from 0.
    pub step: usize,
    /// Where.
    pub target: Target,
    /// What.
    pub change: Change,
    /// The key that the host had shown on the way in, where that is known.
    pub host_key: Option<String>,
    /// Where it stands.
    pub state: ChangeState,
    /// What was last said of it.
    pub said: String,
    /// What is known for code from when it was done.
    pub facts: Facts,
    /// When it was intended.
    pub intended_at: jiff::Timestamp,
    /// When its state last moved.
    pub moved_at: jiff::Timestamp,
}

/// A whole run as its journal tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The first line.
    pub header: Header,
    /// The format of its last lines: that of the header, or a newer one in which it was gone on with.
    pub written: Written,
    /// The changes by number.
    pub changes: BTreeMap<u32, ChangeRecord>,
    /// How each step ended on each cluster: (cluster, step).
    pub steps: BTreeMap<(String, usize), StepState>,
    /// The answers given: (cluster, step, question).
    pub answers: BTreeMap<(String, usize, String), bool>,
    /// What steps found for later ones: (cluster, step, name of the result). The newest counts.
    pub found: BTreeMap<(String, usize, String), Found>,
    /// The API servers and hosts that have answered anything; `None`: nobody knows, because the run
    /// was killed in the middle of a step, or its journal is older than the costs in it.
    pub answered: Option<BTreeSet<Target>>,
    /// How the run last ended: exit code and sentence. `None`: it is under way, or was killed.
    pub ended: Option<(u8, String)>,
    /// When the first and the last line were written.
    pub span: (jiff::Timestamp, jiff::Timestamp),
}

impl Run {
    /// The changes that stand: made, or perhaps made.
    pub fn standing(&self) -> impl Iterator<Item = &ChangeRecord> {
        self.changes.values().filter(|record| record.stands())
    }
}

impl ChangeRecord {
    /// It was made, or perhaps made, and not taken back.
    pub fn stands(&self) -> bool {
        use ChangeState::{Done, Intended, Stuck, Undoing, Unknown};
        matches!(self.state, Done | Intended | Unknown | Undoing | Stuck)
    }

    /// Whether an undo can do something about it.
    pub fn has_a_way_back(&self) -> bool {
        match self.change.inverse {
            Inverse::By(_) | Inverse::NotNeeded(_) => true,
            Inverse::Impossible(_) => false,
        }
    }

    /// An undo sends nothing for it: it ends by itself, or there is nothing to take back.
    pub fn needs_no_undo(&self) -> bool {
        matches!(self.change.inverse, Inverse::NotNeeded(_))
    }
}

/// The state of a run after these lines.
#[cfg(test)]
pub(crate) fn fold(lines: &[Line]) -> Result<Run, String> {
    let (first, rest) = lines.split_first().ok_or("the journal is empty")?;
    let mut run = start(first)?;
    rest.iter().try_for_each(|line| advance(&mut run, line))?;
    Ok(run)
}

/// The state of a run after its first line.
pub(super) fn start(first: &Line) -> Result<Run, String> {
    let Entry::Started(header) = &first.entry else { return Err("the first line does not start a run".into()) };
    Ok(Run {
        header: (**header).clone(),
        written: Written::from(&**header),
        changes: BTreeMap::new(),
        steps: BTreeMap::new(),
        answers: BTreeMap::new(),
        found: BTreeMap::new(),
        answered: Some(BTreeSet::new()),
        ended: None,
        span: (first.at, first.at),
    })
}

/// Moves the state of a run by one line.
pub(crate) fn advance(run: &mut Run, line: &Line) -> Result<(), String> {
    apply(run, line)?;
    run.span.1 = line.at;
    Ok(())
}

fn apply(run: &mut Run, line: &Line) -> Result<(), String> {
    let ended = run.ended.take();
    if let Some(written) = &line.written {
        run.written = written.clone();
    }
    match &line.entry {
        Entry::Started(_) => return Err("a second start".into()),
        Entry::Resumed { .. } => {
            // A no ended the run; whoever takes it up again wants to be asked again.
            run.answers.retain(|_, yes| *yes);
            if ended.is_none() {
                run.answered = None;
            }
        }
        Entry::Saw { .. } | Entry::StepStarted { .. } => {}
        Entry::StepEnded { cluster, step, state, costs, .. } => {
            run.steps.insert((cluster.clone(), *step), *state);
            heard(run, costs.as_ref());
        }
        Entry::Answered { cluster, step, question, yes } => {
            run.answers.insert((cluster.clone(), *step, question.clone()), *yes);
        }
        Entry::Found { target, step, found } => {
            run.found.insert((target.cluster.clone(), *step, found.name.clone()), found.clone());
        }
        Entry::Intended { id, step, target, change, host_key } => {
            let (target, mut change, host_key) = (target.clone(), (**change).clone(), host_key.clone());
            // What a line has it keeps. One without may be an older program's, whatever was written before it.
            if change.note.is_none() {
                change.note = old::note(&change, &run.header.run);
            }
            let (at, said) = (line.at, String::new());
            let state = ChangeState::Intended;
            let record = ChangeRecord {
                id: *id,
                step: *step,
                target,
                change,
                host_key,
                state,
                said,
                facts: Facts::default(),
                intended_at: at,
                moved_at: at,
            };
            if run.changes.insert(*id, record).is_some() {
                return Err(format!("change {id} is intended twice"));
            }
        }
        Entry::Done { id, said, facts } => {
            step_change(run, line, *id, ChangeState::Done, said)?;
            if let Some(record) = run.changes.get_mut(id) {
                record.facts = if facts.is_empty() { old::facts(&record.change.op, said) } else { facts.clone() };
            }
        }
        Entry::Failed { id, why } => step_change(run, line, *id, ChangeState::Failed, why)?,
        Entry::Unknown { id, why } => step_change(run, line, *id, ChangeState::Unknown, why)?,
        Entry::NotMade { id } => step_change(run, line, *id, ChangeState::NotMade, "")?,
        Entry::Undoing { id } => step_change(run, line, *id, ChangeState::Undoing, "")?,
        Entry::Undone { id, said } => {
            step_change(run, line, *id, ChangeState::Undone, said)?;
            reopen(run, *id);
        }
        Entry::Stuck { id, why } => step_change(run, line, *id, ChangeState::Stuck, why)?,
        Entry::Ended { code, why, costs, .. } => {
            run.ended = Some((*code, why.clone()));
            heard(run, costs.as_ref());
        }
    }
    Ok(())
}

/// Whoever sent a byte back has answered.
fn heard(run: &mut Run, costs: Option<&Costs>) {
    match (&mut run.answered, costs) {
        (Some(answered), Some(costs)) => {
            answered.extend(costs.answered().cloned());
        }
        (answered, _) => *answered = None,
    }
}

/// A step whose change was taken back is not done any more, nor is what came after it: a resumed run does, waits and
/// asks all of it again.
fn reopen(run: &mut Run, id: u32) {
    let Some(record) = run.changes.get(&id) else { return };
    let (cluster, first) = (record.target.cluster.clone(), record.step);
    let steps = run.steps.range((cluster.clone(), first)..).take_while(|((c, _), _)| *c == cluster);
    let steps: Vec<_> = steps.map(|(key, _)| key.clone()).collect();
    for key in &steps {
        run.steps.remove(key);
    }
    let found = run.found.range((cluster.clone(), first, String::new())..);
    let found: Vec<_> = found.take_while(|((c, ..), _)| *c == cluster).map(|(key, _)| key.clone()).collect();
    for key in &found {
        run.found.remove(key);
    }
    let answers = run.answers.range((cluster.clone(), first, String::new())..);
    let answers: Vec<_> = answers.take_while(|((c, ..), _)| *c == cluster).map(|(key, _)| key.clone()).collect();
    for key in &answers {
        run.answers.remove(key);
    }
}

fn step_change(run: &mut Run, line: &Line, id: u32, to: ChangeState, said: &str) -> Result<(), String> {
    let record = run.changes.get_mut(&id).ok_or_else(|| format!("change {id} was never intended"))?;
    if !legal(record.state, to) {
        return Err(format!("change {id} cannot go from {:?} to {to:?}", record.state));
    }
    record.state = to;
    record.moved_at = line.at;
    if !said.is_empty() {
        said.clone_into(&mut record.said);
    }
    Ok(())
}

/// Every legal move of a change.
///
/// `Intended` left by a kill is an unknown outcome: a later survey settles it the same way.
fn legal(from: ChangeState, to: ChangeState) -> bool {
    use ChangeState::{Done, Failed, Intended, NotMade, Stuck, Undoing, Undone, Unknown};
    matches!(
        (from, to),
        (Intended, Done | Failed | Unknown | NotMade)
            | (Unknown, Done | NotMade | Undoing)
            // It arrived after the look that missed it.
            | (NotMade, Done)
            | (Intended | Done | Undoing | Stuck, Undoing)
            | (Undoing, Undone | Stuck)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_legal_moves_are_legal() {
        use ChangeState::{Done, Failed, Intended, NotMade, Stuck, Undoing, Undone, Unknown};
        let all = [Intended, Done, Failed, Unknown, NotMade, Undoing, Undone, Stuck];
        let allowed: Vec<_> = all
            .iter()
            .flat_map(|from| all.iter().map(move |to| (*from, *to)))
            .filter(|(from, to)| legal(*from, *to))
            .collect();
        assert_eq!(
            allowed,
            [
                (Intended, Done),
                (Intended, Failed),
                (Intended, Unknown),
                (Intended, NotMade),
                (Intended, Undoing),
                (Done, Undoing),
                (Unknown, Done),
                (Unknown, NotMade),
                (Unknown, Undoing),
                (NotMade, Done),
                (Undoing, Undoing),
                (Undoing, Undone),
                (Undoing, Stuck),
                (Stuck, Undoing),
            ]
        );
    }
}

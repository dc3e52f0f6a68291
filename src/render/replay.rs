//! A journal told again in the words of the run it records.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::story::Story;
use super::{Output, Screen, json, told};
use crate::change::Inverse;
use crate::event::{ChangeEnd, Event};
use crate::journal::{ChangeRecord, Entry, Header, Journal, Line, StepState};

/// Tells a run from its journal and the lines of it. `steps`: the steps' names, as far as they are known.
pub(crate) fn show(screen: &Screen, output: Output, journal: &Journal, lines: &[Line], steps: &[String]) {
    let mut story = Story::default();
    let mut teller = Teller::new(&journal.run.header, steps, journal, lines);
    for line in lines {
        for event in teller.events(line) {
            match output {
                Output::Json => screen.out(&json::event(&event, line.at)),
                Output::Text => {
                    let mut lines = story.hear(&event, Instant::now());
                    let end = story.end(&event);
                    lines.extend(end.report);
                    lines.extend(end.failure);
                    if !lines.is_empty() {
                        screen.out(&told(&lines, screen.out_paint(), screen.out_width()));
                    }
                }
            }
        }
    }
}

struct Teller<'a> {
    header: &'a Header,
    steps: &'a [String],
    journal: &'a Journal,
    lines: &'a [Line],
    began: BTreeMap<(String, usize), jiff::Timestamp>,
    sent: BTreeMap<u32, jiff::Timestamp>,
    start: jiff::Timestamp,
    undoing: bool,
    /// The changes that stand after the lines told so far.
    stand: BTreeSet<u32>,
    /// The clusters on which a step has failed since the run began or was taken up, and whether what stood there was taken
    /// back then; nothing after its end.
    failed: BTreeMap<String, bool>,
}

impl<'a> Teller<'a> {
    fn new(header: &'a Header, steps: &'a [String], journal: &'a Journal, lines: &'a [Line]) -> Self {
        let (began, sent) = (BTreeMap::new(), BTreeMap::new());
        let (start, stand, failed) = (journal.run.span.0, BTreeSet::new(), BTreeMap::new());
        Self { header, steps, journal, lines, began, sent, start, undoing: false, stand, failed }
    }

    fn started(&self) -> Event {
        Event::RunStarted {
            run: self.header.run.clone(),
            runbook: self.header.name.clone(),
            drill: self.header.drill,
            clusters: self.header.clusters.clone(),
            steps: self.steps.len(),
        }
    }

    fn name(&self, step: usize) -> String {
        self.steps.get(step).cloned().unwrap_or_else(|| format!("step {}", step.saturating_add(1)))
    }

    fn record(&self, id: u32) -> Option<&'a ChangeRecord> {
        self.journal.run.changes.get(&id)
    }

    fn events(&mut self, line: &Line) -> Vec<Event> {
        let events = self.of(line);
        match line.entry {
            Entry::Intended { id, .. } | Entry::Done { id, .. } => _ = self.stand.insert(id),
            Entry::Failed { id, .. } | Entry::NotMade { id } | Entry::Undone { id, .. } => _ = self.stand.remove(&id),
            _ => {}
        }
        events
    }

    fn of(&mut self, line: &Line) -> Vec<Event> {
        match &line.entry {
            Entry::Started(_) => vec![self.started()],
            Entry::Resumed { .. } => {
                (self.start, self.undoing) = (line.at, false);
                self.failed.clear();
                vec![self.started()]
            }
            Entry::StepStarted { cluster, step } => {
                self.began.insert((cluster.clone(), *step), line.at);
                self.failed.remove(cluster);
                let intent = format!("at {}", line.at.strftime("%Y-%m-%d %H:%M:%S UTC"));
                let (cluster, name) = (cluster.clone(), self.name(*step));
                vec![Event::StepStarted { cluster, step: *step, name, intent, why: String::new(), targets: 1 }]
            }
            Entry::StepEnded { cluster, step, state, why, costs } => {
                if matches!(state, StepState::Failed | StepState::Declined) {
                    self.failed.insert(cluster.clone(), false);
                }
                let began = self.began.get(&(cluster.clone(), *step)).copied();
                let (name, why, cluster) = (self.name(*step), why.clone(), cluster.clone());
                let took_ms = millis(began.unwrap_or(line.at), line.at);
                let costs = costs.clone().unwrap_or_default();
                vec![Event::StepEnded { cluster, step: *step, name, state: *state, why, costs, took_ms }]
            }
            Entry::Saw { target, step, what } => {
                vec![Event::Saw { target: target.clone(), step: *step, what: what.clone() }]
            }
            Entry::Found { target, step, found } => {
                let (name, value) = (found.name.clone(), found.value.clone());
                vec![Event::Found { target: target.clone(), step: *step, name, value }]
            }
            Entry::Answered { cluster, step, question, yes } => {
                let what = format!("asked ({question}), the operator said {}", if *yes { "yes" } else { "no" });
                vec![Event::Saw { target: crate::change::Target::cluster(cluster), step: *step, what: what.into() }]
            }
            Entry::Intended { id, step, target, change, .. } => {
                self.sent.insert(*id, line.at);
                let (what, because) = (change.op.summary(), change.because.clone());
                vec![Event::ChangeSent {
                    target: target.clone(),
                    step: *step,
                    id: *id,
                    what,
                    because,
                    loads: Vec::new(),
                }]
            }
            Entry::Done { id, said, .. } => self.ended(line, *id, self.done(), said),
            Entry::Failed { id, why } => self.ended(line, *id, ChangeEnd::Failed, why),
            Entry::Unknown { id, why } => self.ended(line, *id, ChangeEnd::Unknown, why),
            Entry::NotMade { id } => self.ended(line, *id, ChangeEnd::Failed, "a new look found it not made"),
            Entry::Undoing { id } => self.undoing(line, *id),
            Entry::Undone { id, said } => self.ended(line, *id, ChangeEnd::Undone, said),
            Entry::Stuck { id, why } => self.ended(line, *id, ChangeEnd::Stuck, why),
            Entry::Ended { code, why, costs, .. } => {
                self.undoing = false;
                self.failed.clear();
                vec![Event::RunEnded {
                    run: self.header.run.clone(),
                    code: *code,
                    why: why.clone(),
                    costs: costs.clone().unwrap_or_default(),
                    took_ms: millis(self.start, line.at),
                    next: Vec::new(),
                }]
            }
        }
    }

    fn done(&self) -> ChangeEnd {
        if self.header.drill { ChangeEnd::Pretended } else { ChangeEnd::Done }
    }

    /// The first change of an undo says that one began. The journal has no line for that. Where the run was not at its end and
    /// a step had failed on each of these clusters, the run itself took back what stood there.
    fn undoing(&mut self, line: &Line, id: u32) -> Vec<Event> {
        self.sent.insert(id, line.at);
        let (false, Some(record)) = (self.undoing, self.record(id)) else { return Vec::new() };
        let cluster = record.target.cluster.as_str();
        if self.failed.get(cluster) == Some(&true) {
            return Vec::new();
        }
        let back = |entry: &Entry| matches!(entry, Entry::Undoing { .. } | Entry::Undone { .. } | Entry::Stuck { .. });
        let rest = self.lines.iter().skip_while(|other| other.seq < line.seq).take_while(|other| back(&other.entry));
        let clusters = rest.filter_map(|other| match &other.entry {
            Entry::Undoing { id } => self.record(*id).map(|record| record.target.cluster.as_str()),
            _ => None,
        });
        let clusters: BTreeSet<&str> = clusters.collect();
        if clusters.iter().all(|cluster| self.failed.contains_key(*cluster)) {
            self.failed.insert(cluster.to_owned(), true);
            return vec![self.undo_started(&[cluster].into())];
        }
        (self.start, self.undoing) = (line.at, true);
        vec![self.undo_started(&clusters)]
    }

    /// What stood on these clusters when it began to be taken back.
    fn undo_started(&self, on: &BTreeSet<&str>) -> Event {
        let standing: Vec<_> = self.stand.iter().filter_map(|id| self.record(*id)).collect();
        let standing = standing.into_iter().filter(|record| on.contains(record.target.cluster.as_str()));
        let (needless, back): (Vec<_>, Vec<_>) = standing.partition(|record| record.needs_no_undo());
        let clusters = self.header.clusters.iter().filter(|cluster| on.contains(cluster.as_str())).cloned().collect();
        let (changes, needless) = (needless.len() + back.len(), needless.len());
        Event::UndoStarted { run: self.header.run.clone(), clusters, changes, needless }
    }

    fn ended(&self, line: &Line, id: u32, state: ChangeEnd, said: &str) -> Vec<Event> {
        let Some(record) = self.record(id) else { return Vec::new() };
        let what = match (&record.change.inverse, state) {
            (Inverse::By(op), ChangeEnd::Undone | ChangeEnd::Stuck) => op.summary(),
            _ => record.change.op.summary(),
        };
        let by_hand = state.left_to_hand().map(|refused| record.change.by_hand_after(refused));
        let took_ms = millis(self.sent.get(&id).copied().unwrap_or(line.at), line.at);
        vec![Event::ChangeEnded {
            target: record.target.clone(),
            id,
            what,
            state,
            said: said.to_owned(),
            took_ms,
            by_hand,
            unsent: state == ChangeEnd::Undone && record.needs_no_undo(),
        }]
    }
}

fn millis(from: jiff::Timestamp, to: jiff::Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}

#[cfg(test)]
mod tests;

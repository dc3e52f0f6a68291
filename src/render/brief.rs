//! A run as its operator wants to read it: for each step what was found, by groups of hosts, and what it cost. Whatever is left
//! out here is told with `-v`, by `show`, and stands in the journal. Pure: takes events, gives lines.

mod gist;

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

pub(super) use self::gist::short;
use self::gist::{gist, joined, nameless, told};
use super::alike::{Alike, Gathered, names};
use super::fold::{Fold, News};
use super::paint::Tone;
use super::story::step_word;
use super::summary::change_word;
use super::{Line, about, summary};
use crate::change::{Part, Target};
use crate::event::{ChangeEnd, Event};
use crate::finding::Finding;
use crate::found::NO;
use crate::journal::StepState;
use crate::words;

/// Width of a step's number and name; what is told of it stands right of that.
const LABEL: usize = 24;
/// The same for a run of one step, whose name has no other below it.
const LABEL_OF_ONE: usize = 11;
/// What is told of a group of hosts is no longer than this, in characters, as far as it can end after a sentence.
const LONGEST: usize = 140;
/// So many sentences of one group are told in a run of one step, however long they are.
const MOST_OF_ONE: usize = 12;
/// So many reasons why API servers answer as they do are told.
const MOST_DETAILS: usize = 12;
/// Steps of several clusters that end alike within this time are told together.
const WAIT: Duration = Duration::from_secs(1);
/// A step that waits says so this often, where no live line shows it.
const WAITS_EVERY: Duration = Duration::from_secs(30);

/// What was told so far, and what is gathered for later.
#[derive(Debug, Default)]
pub(super) struct Brief {
    /// A live line shows what is waited for.
    live: bool,
    fleet: bool,
    drill: bool,
    clusters: Vec<String>,
    steps: usize,
    under_way: BTreeMap<(String, usize), Block>,
    /// Steps that ended, of clusters whose likes may end alike in a moment.
    ended: Vec<(Instant, StepState, Block)>,
    /// The step that each change belongs to, and what it is.
    changes: HashMap<u32, (usize, String)>,
    fold: Fold,
    summary: summary::Summary,
    /// Changes taken back without anything sent.
    unsent: usize,
    /// Why steps did not get to their end, as told then.
    told: Vec<summary::Told>,
}

/// One step on a cluster, or on several that came to the same.
#[derive(Debug)]
struct Block {
    step: usize,
    name: String,
    /// Of each cluster, how many targets the step had and how many came to an end.
    targets: BTreeMap<String, (usize, usize)>,
    saw: Gathered,
    /// Changes on a cluster as a whole: told in any case.
    made: Gathered,
    /// Changes on hosts: told of those of which nothing was seen.
    made_on_hosts: Vec<(Target, String)>,
    bad: Gathered,
    /// Of API servers that were probed, why each answers as it does, and the next command.
    details: Vec<(Target, String, Option<String>)>,
    hints: Vec<String>,
    why: Gathered,
    changes: usize,
    spent: summary::Spent,
    took: Option<(u64, u64)>,
    quiet_since: Instant,
}

impl Brief {
    /// `live`: the terminal shows what is under way.
    pub(super) fn new(live: bool) -> Self {
        Self { live, ..Self::default() }
    }

    /// Takes an event; the lines that can be said now.
    pub(super) fn hear(&mut self, event: &Event, now: Instant) -> Vec<Line> {
        self.summary.hear(event);
        match event {
            Event::RunStarted { run, runbook, drill, clusters, steps } => {
                (self.fleet, self.drill, self.steps) = (clusters.len() > 1, *drill, *steps);
                self.clusters.clone_from(clusters);
                return vec![summary::head(run, runbook, *drill, clusters, *steps)];
            }
            Event::StepStarted { cluster, step, name, targets, .. } => {
                let targets = BTreeMap::from([(cluster.clone(), (*targets, 0))]);
                self.under_way.insert((cluster.clone(), *step), Block::new(*step, name, targets, now));
            }
            Event::Saw { target, step, what } => {
                let (about, whole) = (about(target, what), self.steps == 1);
                match self.block(target, *step) {
                    Some(block) if what.server().is_some() => block.probed(about, what, whole),
                    Some(block) if whole => block.saw.add_pieces(&about, &told(&what.sentence())),
                    Some(block) => block.saw.add_pieces(&about, &gist(what)),
                    None => {
                        let text = what.sentence().to_string();
                        self.fold.add(self.news("saw", Tone::Plain, &about, text), now);
                    }
                }
            }
            Event::Waiting { target, step, what, left_secs } => {
                return self.waits(target, *step, what, *left_secs, now);
            }
            Event::ChangeSent { id, step, what, .. } => {
                self.changes.insert(*id, (*step, what.clone()));
            }
            Event::ChangeEnded { unsent: true, .. } => self.unsent += 1,
            Event::ChangeEnded { .. } => self.change_ended(event, now),
            Event::Trouble { target, step, what, hint, again: false } => {
                let what = nameless(target, what);
                match self.block(target, *step) {
                    Some(block) => {
                        block.bad.add(target, what);
                        block.hint(hint.as_slice());
                    }
                    None => self.fold.add(self.news("trouble", Tone::Warn, target, what.to_owned()), now),
                }
            }
            Event::TargetEnded { target, step, state, changes, why } => {
                if let Some(block) = self.block(target, *step) {
                    block.changes += changes;
                    block.targets.entry(target.cluster.clone()).or_default().1 += 1;
                    if *state != StepState::Done {
                        block.bad.add(target, nameless(target, why));
                    }
                }
            }
            Event::StepEnded { cluster, step, state, why, costs, took_ms, .. } => {
                if let Some(mut block) = self.under_way.remove(&(cluster.clone(), *step)) {
                    block.why.add(&Target::cluster(cluster), why);
                    block.spent.add(costs);
                    block.took = Some((*took_ms, *took_ms));
                    let told = (words::one_line(why), step_word(*state).0);
                    if *state != StepState::Done && !self.told.contains(&told) {
                        self.told.push(told);
                    }
                    self.step_ended(block, *state, now);
                }
            }
            Event::UndoStarted { .. } => return self.undo_started(event, now),
            Event::RunEnded { .. } => {
                let mut lines = self.flush();
                if self.unsent > 0 {
                    lines.push(Line::new(Tone::Dim, "           ", summary::needless(self.unsent)));
                }
                return lines;
            }
            // What is not so is told with the step that is left out for it.
            Event::Found { value, .. } if value == NO => {}
            Event::Found { target, step, name, value } => {
                let what = format!("{name} is {value}");
                match self.block(target, *step) {
                    Some(block) => block.saw.add(target, &what),
                    None => self.fold.add(self.news("found", Tone::Plain, target, what), now),
                }
            }
            Event::Trouble { again: true, .. } => {}
        }
        self.tick(now)
    }

    /// What has waited long enough for its like.
    pub(super) fn tick(&mut self, now: Instant) -> Vec<Line> {
        let mut lines = self.fold.due(now);
        let due = self.ended.iter().take_while(|(since, ..)| !self.fleet || now.duration_since(*since) >= WAIT).count();
        let ended: Vec<_> = self.ended.drain(..due).collect();
        lines.extend(ended.iter().flat_map(|(_, state, block)| self.tell(block, Some(*state))));
        lines
    }

    /// Everything that waits, and what was found so far by the steps that are under way: a question follows, or the end.
    pub(super) fn flush(&mut self) -> Vec<Line> {
        let mut lines = self.fold.all();
        let ended = std::mem::take(&mut self.ended);
        lines.extend(ended.iter().flat_map(|(_, state, block)| self.tell(block, Some(*state))));
        let mut under_way = std::mem::take(&mut self.under_way);
        for block in under_way.values_mut().filter(|block| block.has_news()) {
            lines.extend(self.tell(block, None));
            (block.saw, block.made, block.bad) = Default::default();
            (block.made_on_hosts, block.details, block.hints) = Default::default();
        }
        self.under_way = under_way;
        lines
    }

    /// What it came to and cost, what is left, the next command; and what went wrong.
    pub(super) fn end(&self, event: &Event) -> summary::End {
        self.summary.brief_end(event, self.drill, &self.clusters, &self.told)
    }

    fn undo_started(&mut self, event: &Event, now: Instant) -> Vec<Line> {
        let Event::UndoStarted { run, clusters, changes, needless } = event else { return Vec::new() };
        match &clusters[..] {
            // A step has failed on one cluster while the others go on: what it came to is told first.
            [one] if self.fleet => {
                let ended = std::mem::take(&mut self.ended);
                let lines = ended.iter().flat_map(|(_, state, block)| self.tell(block, Some(*state))).collect();
                let (label, who, text) = ("begins", one.clone(), summary::undo_begins(run, *changes, *needless));
                self.fold.add(News { label, tone: Tone::Head, who, text, took_ms: None, below: Vec::new() }, now);
                lines
            }
            all => {
                let mut lines = self.flush();
                if self.clusters.is_empty() {
                    (self.fleet, self.clusters) = (all.len() > 1, all.to_vec());
                }
                lines.push(Line::head(summary::undo_head(run, all, *changes, *needless)));
                lines
            }
        }
    }

    fn block(&mut self, target: &Target, step: usize) -> Option<&mut Block> {
        self.under_way.get_mut(&(target.cluster.clone(), step))
    }

    fn news(&self, label: &'static str, tone: Tone, target: &Target, text: String) -> News {
        let who = if self.fleet { target.to_string() } else { target.short().to_owned() };
        News { label, tone, who, text, took_ms: None, below: Vec::new() }
    }

    fn change_ended(&mut self, event: &Event, now: Instant) {
        let Event::ChangeEnded { target, id, what, state, said, by_hand, unsent, .. } = event else { return };
        let (label, tone) = change_word(*state, *unsent);
        let sent = self.changes.remove(id);
        let step = sent.as_ref().map(|(step, _)| *step);
        let drill = *state == ChangeEnd::Pretended;
        match (state, step.and_then(|step| self.block(target, step))) {
            (ChangeEnd::Done | ChangeEnd::Pretended, Some(block)) => {
                let what = short(&sent.map_or_else(|| what.clone(), |(_, what)| what));
                let text = if drill { format!("would {what}") } else { format!("{what}: {said}") };
                match target.part {
                    Part::Cluster | Part::Local => block.made.add(target, &text),
                    Part::ApiServer(_) | Part::Host(_) if drill => block.made.add(target, &text),
                    Part::ApiServer(_) | Part::Host(_) => {
                        block.made_on_hosts.retain(|(known, _)| known != target);
                        block.made_on_hosts.push((target.clone(), text));
                    }
                }
            }
            (ChangeEnd::Failed | ChangeEnd::Unknown, Some(block)) => {
                block.bad.add(target, &format!("{label}: {}: {said}", short(what)));
            }
            (state, _) => {
                let text = match state {
                    ChangeEnd::Undone => format!("{}: {said}", short(what)),
                    _ => format!("{what}: {said}"),
                };
                let below = by_hand.as_deref().map(summary::by_hand).unwrap_or_default();
                let news = News { below, ..self.news(label, tone, target, text) };
                self.fold.add(news, now);
            }
        }
    }

    fn waits(&mut self, target: &Target, step: usize, what: &str, left_secs: u64, now: Instant) -> Vec<Line> {
        let mut lines = self.tick(now);
        let (live, fleet) = (self.live, self.fleet);
        if let Some(block) = self.block(target, step)
            && !live
            && now.duration_since(block.quiet_since) >= WAITS_EVERY
        {
            block.quiet_since = now;
            let who = names(std::slice::from_ref(target), fleet);
            let who = if who.is_empty() { who } else { format!("{who} ") };
            let text = format!("{who}waits for {what}; {} left", words::millis(left_secs.saturating_mul(1000)));
            let label = self.label(step, &self.under_way[&(target.cluster.clone(), step)].name);
            lines.push(Line::new(Tone::Warn, label, text));
        }
        lines
    }

    fn step_ended(&mut self, block: Block, state: StepState, now: Instant) {
        let alike = self.ended.iter_mut().find(|(_, other, known)| *other == state && known.step == block.step);
        match alike {
            Some((_, _, known)) if self.fleet => known.join(block),
            _ => self.ended.push((now, state, block)),
        }
    }

    fn label(&self, step: usize, name: &str) -> String {
        let number = step.saturating_add(1);
        let width = if self.steps == 1 { LABEL_OF_ONE } else { LABEL };
        format!("{:<width$}", format!("[{number}/{}] {name} ", self.steps.max(number)))
    }

    /// The lines of a step; with its end, when it has ended.
    fn tell(&self, block: &Block, state: Option<StepState>) -> Vec<Line> {
        let done = matches!(state, None | Some(StepState::Done));
        let (word, tone) = state.map_or(("", Tone::Head), step_word);
        let mut texts = Vec::new();
        if !done {
            let missing: usize = block.targets.values().map(|(targets, ended)| targets.saturating_sub(*ended)).sum();
            let more = if missing > 0 && !block.bad.is_empty() {
                vec![format!("not begun: {}", words::count(missing, "target"))]
            } else {
                Vec::new()
            };
            let why = if block.bad.is_empty() { block.why.all() } else { &[] };
            texts.extend(why.iter().map(|alike| self.named(alike)));
            texts.extend(block.bad.all().iter().map(|alike| self.named(alike)).chain(more));
            let first = texts.first_mut();
            first.into_iter().for_each(|text| *text = format!("{word}: {text}"));
        }
        if done && state.is_some() && block.is_left_out() {
            texts.extend(block.why.all().iter().map(|alike| self.named(alike)));
        }
        texts.extend(self.found(&[&block.made, &block.saw]));
        let mut on_hosts = Gathered::default();
        let silent = |target: &Target| !block.saw.all().iter().any(|alike| alike.targets().contains(target));
        let of_silent = block.made_on_hosts.iter().filter(|(target, _)| silent(target));
        of_silent.for_each(|(target, text)| on_hosts.add(target, text));
        texts.extend(self.found(&[&on_hosts]));
        if done {
            texts.extend(block.bad.all().iter().map(|alike| self.named(alike)));
        }
        if let Some(tally) = state.map(|state| block.tally(state == StepState::Done && texts.is_empty())) {
            match texts.last_mut() {
                Some(last) => *last = format!("{last} ({tally})"),
                None => texts.push(tally),
            }
        }
        let label = self.label(block.step, &block.name);
        let below = " ".repeat(label.chars().count());
        let line = |(at, text): (usize, String)| match at {
            0 => Line::new(tone, label.clone(), text),
            _ => Line::new(Tone::Plain, below.clone(), text),
        };
        let mut lines: Vec<Line> = texts.into_iter().enumerate().map(line).collect();
        if !done || self.steps == 1 {
            lines.extend(self.details(block, &below));
        }
        lines.extend(block.hints.iter().map(|hint| Line::new(Tone::Warn, format!("{below}hint: "), hint.clone())));
        lines
    }

    /// Why API servers answer as they do, one by one, each with the next command, which can be copied.
    fn details(&self, block: &Block, below: &str) -> Vec<Line> {
        let one = |(target, why, next): &(Target, String, Option<String>)| {
            let who = names(std::slice::from_ref(target), self.fleet);
            let why =
                (!why.is_empty()).then(|| Line::new(Tone::Plain, below, format!("{who}: {}", nameless(target, why))));
            let next = next.as_ref().map(|next| Line::new(Tone::Warn, format!("{below}next: "), next.clone()).whole());
            why.into_iter().chain(next).collect::<Vec<_>>()
        };
        let mut lines: Vec<Line> = block.details.iter().take(MOST_DETAILS).flat_map(one).collect();
        let more = block.details.len().saturating_sub(MOST_DETAILS);
        lines.extend((more > 0).then(|| Line::new(Tone::Plain, below, format!("and {more} more (-v)"))));
        lines
    }

    /// A sentence with the names before it.
    fn named(&self, alike: &Alike) -> String {
        let (who, text) = (names(alike.targets(), self.fleet), alike.text());
        if who.is_empty() { text } else { format!("{who}: {text}") }
    }

    /// Sentences as paragraphs: what the same targets said, in one. Of a long one the first sentences, and how many more
    /// there are; a run of one step has more room.
    fn found(&self, said: &[&Gathered]) -> Vec<String> {
        let mut groups: Vec<(&[Target], Vec<String>)> = Vec::new();
        for alike in said.iter().flat_map(|said| said.all()) {
            let same = |(targets, _): &&mut (&[Target], _)| {
                targets.len() == alike.targets().len() && alike.targets().iter().all(|target| targets.contains(target))
            };
            match groups.iter_mut().find(same) {
                Some((_, texts)) => texts.push(alike.text()),
                None => groups.push((alike.targets(), vec![alike.text()])),
            }
        }
        let one = self.steps == 1;
        let paragraph = |(targets, texts): (&[Target], Vec<String>)| {
            let who = names(targets, self.fleet);
            let mut length = who.chars().count();
            let fits = texts.iter().enumerate().take_while(|(at, text)| {
                length += text.chars().count() + 2;
                length <= LONGEST || one && *at < MOST_OF_ONE
            });
            let kept = fits.count().max(1);
            let mut text = texts[..kept].join("; ");
            if kept < texts.len() {
                text.push_str(&format!("; {} more (-v)", texts.len() - kept));
            }
            if who.is_empty() { text } else { format!("{who}: {text}") }
        };
        groups.into_iter().map(paragraph).collect()
    }
}

impl Block {
    fn new(step: usize, name: &str, targets: BTreeMap<String, (usize, usize)>, now: Instant) -> Self {
        Self {
            step,
            name: name.to_owned(),
            targets,
            saw: Gathered::default(),
            made: Gathered::default(),
            made_on_hosts: Vec::new(),
            bad: Gathered::default(),
            details: Vec::new(),
            hints: Vec::new(),
            why: Gathered::default(),
            changes: 0,
            spent: summary::Spent::default(),
            took: None,
            quiet_since: now,
        }
    }

    /// Takes in how an API server answers: what many have in common stands before the reasons of each. `reasons`: they will be
    /// told, whatever comes of the step.
    fn probed(&mut self, server: Target, what: &Finding, reasons: bool) {
        let sentence = what.sentence();
        let alike = if reasons { joined(&sentence, |clause| clause.main.clone()) } else { gist(what) };
        self.saw.add_pieces(&server, &alike);
        let reasons = sentence.0.iter().filter(|clause| !clause.after().is_empty());
        self.details.extend(reasons.map(|clause| (server.clone(), clause.rest.clone(), clause.next.clone())));
    }

    /// Takes in what may be typed, each once.
    fn hint(&mut self, hints: &[String]) {
        for hint in hints {
            if !self.hints.contains(hint) {
                self.hints.push(hint.clone());
            }
        }
    }

    fn has_news(&self) -> bool {
        !(self.saw.is_empty() && self.made.is_empty() && self.bad.is_empty() && self.made_on_hosts.is_empty())
    }

    /// It came to an end that none of its targets came to: it was not run.
    fn is_left_out(&self) -> bool {
        self.targets.values().any(|(targets, _)| *targets > 0) && self.targets.values().all(|(_, ended)| *ended == 0)
    }

    /// Takes in the same step of another cluster.
    fn join(&mut self, other: Self) {
        self.targets.extend(other.targets);
        self.saw.join(other.saw);
        self.made.join(other.made);
        self.made_on_hosts.extend(other.made_on_hosts);
        self.bad.join(other.bad);
        self.details.extend(other.details);
        self.why.join(other.why);
        self.changes += other.changes;
        self.spent.join(&other.spent);
        self.hint(&other.hints);
        self.took = self.took.zip(other.took).map(|(a, b)| (a.0.min(b.0), a.1.max(b.1)));
    }

    /// What it changed and cost, and how long it took. `bare`: nothing else is told of it.
    fn tally(&self, bare: bool) -> String {
        let clusters = self.targets.len();
        let on = (clusters > 1).then(|| words::count(clusters, "cluster"));
        let changes = (self.changes > 0).then(|| words::count(self.changes, "change"));
        let idle = (bare && self.changes == 0).then(|| "nothing had to change".to_owned());
        let took = self.took.map(|(least, most)| {
            let (least, most) = (words::millis(least), words::millis(most));
            if least == most { most } else { format!("{least} to {most}") }
        });
        let parts = on.into_iter().chain(changes).chain(idle).chain(self.spent.short()).chain(took);
        parts.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests;

//! The end of a run: what was done, what it cost, what is left, the next command.

use std::collections::BTreeMap;

use super::Line;
use super::alike::{Alike, Gathered, names};
use super::paint::Tone;
use crate::change::{Part, Target};
use crate::cost::{Cost, Costs};
use crate::event::{ChangeEnd, Event};
use crate::words;

/// Width of the word before the text.
const LABEL: usize = 9;

/// What became of each change, gathered while it is told.
#[derive(Debug, Default)]
pub(super) struct Summary {
    changes: BTreeMap<u32, Known>,
}

#[derive(Debug)]
struct Known {
    target: Target,
    what: String,
    state: ChangeEnd,
    unsent: bool,
    by_hand: Option<String>,
}

/// The end, for both streams.
#[derive(Debug, Default)]
pub(super) struct End {
    /// The report: data.
    pub(super) report: Vec<Line>,
    /// What went wrong, and what to type next.
    pub(super) failure: Vec<Line>,
}

impl Summary {
    /// Takes note of an event.
    pub(super) fn hear(&mut self, event: &Event) {
        match event {
            Event::ChangeSent { target, id, what, .. } => {
                let (target, what) = (target.clone(), what.clone());
                let state = ChangeEnd::Unknown;
                self.changes.insert(*id, Known { target, what, state, unsent: false, by_hand: None });
            }
            Event::ChangeEnded { target, id, what, state, by_hand, unsent, .. } => {
                let (target, what, state, unsent) = (target.clone(), what.clone(), *state, *unsent);
                let known = self.changes.entry(*id).or_insert(Known { target, what, state, unsent, by_hand: None });
                (known.state, known.unsent, known.by_hand) = (state, unsent, by_hand.clone());
            }
            _ => {}
        }
    }

    /// The lines of the end; none when the event is not the run's last.
    pub(super) fn end(&self, event: &Event, drill: bool) -> End {
        let Event::RunEnded { code, why, costs, next, .. } = event else { return End::default() };
        let mut report: Vec<Line> = outcome(event, drill).into_iter().collect();
        report.extend(self.changed().into_iter().map(|(_, line)| line));
        report.extend(costs.iter().enumerate().map(|(i, (target, cost))| {
            labelled(Tone::Dim, if i == 0 { "cost" } else { "" }, format!("{target}: {}", price(&cost)))
        }));
        report.extend(self.left());
        if *code == 0 {
            report.extend(commands(next));
        }
        let lines: Vec<String> = why.lines().map(str::to_owned).collect();
        End { report, failure: if *code == 0 { Vec::new() } else { failure(lines, next) } }
    }

    /// The same in short: what was made is counted, not listed, and the cost is one sum.
    /// `told`: reasons that stand above, and how the step ended that had each.
    pub(super) fn brief_end(&self, event: &Event, drill: bool, clusters: &[String], told: &[Told]) -> End {
        let Event::RunEnded { code, why, costs, next, .. } = event else { return End::default() };
        let mut report: Vec<Line> = outcome(event, drill).into_iter().collect();
        report.extend(self.changed().into_iter().filter_map(|(state, line)| {
            let told = !matches!(state, ChangeEnd::Done | ChangeEnd::Undone | ChangeEnd::Pretended);
            told.then_some(line)
        }));
        let mut spent = Spent::default();
        spent.add(costs);
        report.extend(spent.long().map(|cost| labelled(Tone::Dim, "cost", cost)));
        report.extend(self.left());
        if *code == 0 {
            report.extend(commands(next));
        }
        End { report, failure: if *code == 0 { Vec::new() } else { failure(causes(why, clusters, told), next) } }
    }

    /// The changes by their end, equal ones of many targets on one line.
    fn changed(&self) -> Vec<(ChangeEnd, Line)> {
        let mut groups: Vec<((ChangeEnd, bool, &str), Vec<String>)> = Vec::new();
        for known in self.changes.values() {
            let (who, came) = (known.target.to_string(), (known.state, known.unsent, known.what.as_str()));
            match groups.iter_mut().find(|(same, _)| *same == came) {
                Some((_, all)) => all.push(who),
                None => groups.push((came, vec![who])),
            }
        }
        let line = |((state, unsent, what), who): ((ChangeEnd, bool, &str), Vec<String>)| {
            let (label, tone) = change_word(state, unsent);
            (state, labelled(tone, label, format!("{what} on {}", words::fold(&who))))
        };
        groups.into_iter().map(line).collect()
    }

    /// What a person still has to look at.
    fn left(&self) -> Vec<Line> {
        let left = |known: &Known| {
            let lines = known.by_hand.as_deref().map(by_hand).unwrap_or_default();
            let target = known.target.to_string();
            let line = move |(at, line)| match at {
                0 => labelled(Tone::Warn, "left", format!("{target}: {line}")).whole(),
                _ => labelled(Tone::Warn, "", line).whole(),
            };
            lines.into_iter().enumerate().map(line).collect::<Vec<_>>()
        };
        self.changes.values().flat_map(left).collect()
    }
}

/// The word for how a change came out. `unsent`: it does not stand any more, though nothing was done for that.
pub(super) fn change_word(state: ChangeEnd, unsent: bool) -> (&'static str, Tone) {
    match state {
        ChangeEnd::Undone if unsent => ("no need", Tone::Dim),
        ChangeEnd::Done => ("done", Tone::Good),
        ChangeEnd::Pretended => ("would", Tone::Plain),
        ChangeEnd::Failed => ("failed", Tone::Bad),
        ChangeEnd::Unknown => ("unknown", Tone::Warn),
        ChangeEnd::Undone => ("undone", Tone::Good),
        ChangeEnd::Stuck => ("stuck", Tone::Bad),
    }
}

/// Changes that an undo sends nothing for.
pub(super) fn needless(count: usize) -> String {
    let need = if count == 1 { "needs" } else { "need" };
    format!("{} {need} no taking back", words::count(count, "change"))
}

/// The command for a person; one of several lines keeps them, so that it can be copied.
pub(super) fn by_hand(command: &str) -> Vec<String> {
    let lines = command.trim_end().lines().enumerate();
    lines.map(|(at, line)| format!("{}{line}", if at == 0 { "by hand: " } else { "  " })).collect()
}

/// How a run began.
pub(super) fn head(run: &str, runbook: &str, drill: bool, clusters: &[String], steps: usize) -> Line {
    let what = if drill { "drill" } else { "run" };
    let honest = if drill { "; looks are real, writes are pretended" } else { "" };
    let on = words::fold(clusters);
    Line::head(format!("{what} {run}: {runbook} on {on}, {}{honest}", words::count(steps, "step")))
}

/// How an undo began.
pub(super) fn undo_head(run: &str, clusters: &[String], changes: usize, needless: usize) -> String {
    format!("{} on {}", undo_begins(run, changes, needless), words::fold(clusters))
}

/// The same on one of several clusters, whose name stands before it.
pub(super) fn undo_begins(run: &str, changes: usize, needless: usize) -> String {
    match changes.saturating_sub(needless) {
        0 => format!("nothing to take back of run {run}"),
        back => format!("taking back {} of run {run}", words::count(back, "change")),
    }
}

/// How it came out, in one line.
fn outcome(event: &Event, drill: bool) -> Option<Line> {
    let Event::RunEnded { run, code, why, took_ms, .. } = event else { return None };
    let what = if drill { "drill" } else { "run" };
    let took = words::millis(*took_ms);
    Some(if *code == 0 {
        Line::new(Tone::Good, format!("{what} {run}: "), format!("{why}, in {took}"))
    } else {
        Line::new(Tone::Bad, format!("{what} {run}: "), format!("exit code {code} after {took}"))
    })
}

fn commands(next: &[String]) -> impl Iterator<Item = Line> {
    next.iter()
        .enumerate()
        .map(|(i, command)| labelled(Tone::Plain, if i == 0 { "next" } else { "" }, command.clone()).whole())
}

/// Why a step did not get to its end, as one line, and how that is called: `failed`.
pub(super) type Told = (String, &'static str);

/// Each cause once, with the clusters of it: a run's reason has one line for each cluster that failed.
fn causes(why: &str, clusters: &[String], told: &[Told]) -> Vec<String> {
    let mut causes = Gathered::default();
    for line in why.lines() {
        let above =
            told.iter().find_map(|(why, how)| Some((line.strip_suffix(why.as_str())?.strip_suffix(": ")?, how)));
        let line = &above.map_or_else(|| line.to_owned(), |(step, how)| format!("{step} {how}, see above"));
        let of = |cluster: &&String| line.strip_prefix(cluster.as_str()).is_some_and(|rest| rest.starts_with(": "));
        match clusters.iter().find(of) {
            Some(cluster) => causes.add(&Target::cluster(cluster), &line[cluster.len() + 2..]),
            None => causes.add(&Target::local(""), line),
        }
    }
    let named = |alike: &Alike| match alike.targets() {
        [Target { part: Part::Local, .. }] => alike.text(),
        targets => format!("{}: {}", names(targets, true), alike.text()),
    };
    causes.all().iter().map(named).collect()
}

fn failure(reasons: Vec<String>, next: &[String]) -> Vec<Line> {
    let mut lines = match reasons.as_slice() {
        [one] => vec![Line::new(Tone::Bad, "error: ", one.clone())],
        many => {
            let text = format!("{} did not get to the end", words::count(many.len(), "cluster"));
            let causes = many
                .iter()
                .enumerate()
                .map(|(i, cause)| Line::new(Tone::Plain, format!("  {}: ", i + 1), cause.clone()));
            std::iter::once(Line::new(Tone::Bad, "error: ", text)).chain(causes).collect()
        }
    };
    lines.extend(next.iter().map(|command| Line::hint(format!("`{command}`"))));
    lines
}

/// What API servers and hosts were sent, in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Spent {
    requests: u64,
    commands: u64,
    bytes: (u64, u64),
}

impl Spent {
    /// Adds what each API server and host was sent.
    pub(super) fn add(&mut self, costs: &Costs) {
        for (target, cost) in costs.iter() {
            *(match target.part {
                Part::ApiServer(_) | Part::Cluster => &mut self.requests,
                Part::Host(_) | Part::Local => &mut self.commands,
            }) += cost.requests;
            self.bytes = (self.bytes.0 + cost.bytes_out, self.bytes.1 + cost.bytes_in);
        }
    }

    /// Both together.
    pub(super) fn join(&mut self, other: &Self) {
        (self.requests, self.commands) = (self.requests + other.requests, self.commands + other.commands);
        self.bytes = (self.bytes.0 + other.bytes.0, self.bytes.1 + other.bytes.1);
    }

    /// `3 requests, 15 commands`; nothing, when nothing was sent.
    pub(super) fn short(&self) -> Option<String> {
        self.sent("request", ", ")
    }

    /// With the bytes.
    fn long(&self) -> Option<String> {
        let (out, back) = (words::bytes(self.bytes.0), words::bytes(self.bytes.1));
        self.sent("API request", " and ").map(|sent| format!("{sent}, {out} sent, {back} received"))
    }

    fn sent(&self, request: &str, and: &str) -> Option<String> {
        let count = |number: u64, noun: &str| words::count(usize::try_from(number).unwrap_or(usize::MAX), noun);
        let all = [(self.requests, request), (self.commands, "command")];
        let sent: Vec<String> = all.iter().filter(|(n, _)| *n > 0).map(|(n, noun)| count(*n, noun)).collect();
        (!sent.is_empty()).then(|| sent.join(and))
    }
}

/// What a step cost in all; nothing, when it sent nothing.
pub(super) fn spent(costs: &Costs) -> Option<String> {
    let mut spent = Spent::default();
    spent.add(costs);
    spent.long().map(|spent| format!("cost: {spent}"))
}

fn price(cost: &Cost) -> String {
    let requests = words::count(usize::try_from(cost.requests).unwrap_or(usize::MAX), "request");
    format!("{requests}, {} sent, {} received", words::bytes(cost.bytes_out), words::bytes(cost.bytes_in))
}

fn labelled(tone: Tone, label: &str, text: String) -> Line {
    Line::new(tone, format!("  {label:<LABEL$}"), text)
}

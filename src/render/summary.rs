//! The end of a run: what was done, what it cost, what is left, the next command.

use std::collections::BTreeMap;

use super::Line;
use super::paint::Tone;
use super::story::change_word;
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
                self.changes.insert(*id, Known { target, what, state: ChangeEnd::Unknown, by_hand: None });
            }
            Event::ChangeEnded { target, id, what, state, by_hand, .. } => {
                let (target, what, by_hand) = (target.clone(), what.clone(), by_hand.clone());
                let known = self.changes.entry(*id).or_insert(Known { target, what, state: *state, by_hand: None });
                (known.state, known.by_hand) = (*state, by_hand);
            }
            _ => {}
        }
    }

    /// The lines of the end; none when the event is not the run's last.
    pub(super) fn end(&self, event: &Event, drill: bool) -> End {
        let Event::RunEnded { run, code, why, costs, took_ms, next } = event else { return End::default() };
        let what = if drill { "drill" } else { "run" };
        let took = words::millis(*took_ms);
        let mut report = vec![if *code == 0 {
            Line { tone: Tone::Good, head: format!("{what} {run}: "), text: format!("{why}, in {took}") }
        } else {
            Line { tone: Tone::Bad, head: format!("{what} {run}: "), text: format!("exit code {code} after {took}") }
        }];
        report.extend(self.changed());
        report.extend(costs.iter().enumerate().map(|(i, (target, cost))| {
            labelled(Tone::Dim, if i == 0 { "cost" } else { "" }, format!("{target}: {}", price(&cost)))
        }));
        report.extend(self.left());
        if *code == 0 {
            report.extend(
                next.iter()
                    .enumerate()
                    .map(|(i, command)| labelled(Tone::Plain, if i == 0 { "next" } else { "" }, command.clone())),
            );
        }
        End { report, failure: if *code == 0 { Vec::new() } else { failure(why, next) } }
    }

    /// The changes by their end, equal ones of many targets on one line.
    fn changed(&self) -> Vec<Line> {
        let mut groups: Vec<(ChangeEnd, &str, Vec<String>)> = Vec::new();
        for known in self.changes.values() {
            let who = known.target.to_string();
            match groups.iter_mut().find(|(state, what, _)| *state == known.state && *what == known.what) {
                Some((_, _, all)) => all.push(who),
                None => groups.push((known.state, &known.what, vec![who])),
            }
        }
        let line = |(state, what, who): (ChangeEnd, &str, Vec<String>)| {
            let (label, tone) = change_word(state);
            labelled(tone, label, format!("{what} on {}", words::fold(&who)))
        };
        groups.into_iter().map(line).collect()
    }

    /// What a person still has to look at.
    fn left(&self) -> Vec<Line> {
        let left = |known: &Known| {
            let lines = known.by_hand.as_deref().map(by_hand).unwrap_or_default();
            let target = known.target.to_string();
            let line = move |(at, line)| match at {
                0 => labelled(Tone::Warn, "left", format!("{target}: {line}")),
                _ => labelled(Tone::Warn, "", line),
            };
            lines.into_iter().enumerate().map(line).collect::<Vec<_>>()
        };
        self.changes.values().flat_map(left).collect()
    }
}

/// The command for a person; one of several lines keeps them, so that it can be copied.
pub(super) fn by_hand(command: &str) -> Vec<String> {
    let lines = command.trim_end().lines().enumerate();
    lines.map(|(at, line)| format!("{}{line}", if at == 0 { "by hand: " } else { "  " })).collect()
}

fn failure(why: &str, next: &[String]) -> Vec<Line> {
    let reasons: Vec<&str> = why.lines().collect();
    let mut lines = match reasons.as_slice() {
        [one] => vec![Line { tone: Tone::Bad, head: "error: ".into(), text: (*one).to_owned() }],
        many => {
            let text = format!("{} did not get to the end", words::count(many.len(), "cluster"));
            let causes = many.iter().enumerate().map(|(i, cause)| Line::plain(format!("  {}: {cause}", i + 1)));
            std::iter::once(Line { tone: Tone::Bad, head: "error: ".into(), text }).chain(causes).collect()
        }
    };
    lines.extend(next.iter().map(|command| Line::hint(format!("`{command}`"))));
    lines
}

/// What a step cost in all; nothing, when it sent nothing.
pub(super) fn spent(costs: &Costs) -> Option<String> {
    let (mut servers, mut hosts, mut bytes) = (0, 0, (0, 0));
    for (target, cost) in costs.iter() {
        *(match target.part {
            Part::ApiServer(_) | Part::Cluster => &mut servers,
            Part::Host(_) | Part::Local => &mut hosts,
        }) += cost.requests;
        bytes = (bytes.0 + cost.bytes_out, bytes.1 + cost.bytes_in);
    }
    let count = |number: u64, noun| words::count(usize::try_from(number).unwrap_or(usize::MAX), noun);
    let all = [(servers, "API request"), (hosts, "command")];
    let sent: Vec<String> = all.iter().filter(|(n, _)| *n > 0).map(|(n, noun)| count(*n, noun)).collect();
    let (out, back) = (words::bytes(bytes.0), words::bytes(bytes.1));
    (!sent.is_empty()).then(|| format!("cost: {}, {out} sent, {back} received", sent.join(" and ")))
}

fn price(cost: &Cost) -> String {
    let requests = words::count(usize::try_from(cost.requests).unwrap_or(usize::MAX), "request");
    format!("{requests}, {} sent, {} received", words::bytes(cost.bytes_out), words::bytes(cost.bytes_in))
}

fn labelled(tone: Tone, label: &str, text: String) -> Line {
    Line { tone, head: format!("  {label:<LABEL$}"), text }
}

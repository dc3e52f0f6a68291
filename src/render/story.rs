//! Events as a person reads them who wants all of it: `-v` and `show`. Pure: takes events, gives lines.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::fold::{self, Fold, News};
use super::paint::Tone;
use super::{Line, about, plan, summary};
use crate::change::Target;
use crate::event::{ChangeEnd, Event};
use crate::journal::StepState;

/// What was told so far.
#[derive(Debug, Default)]
pub(super) struct Story {
    fold: Fold,
    /// More than one cluster: names are said with their cluster.
    fleet: bool,
    drill: bool,
    steps: usize,
    /// What each target was last said to wait for, and how much time was left then.
    waits: HashMap<(Target, usize), (String, u64)>,
    /// What each step last said to wait for, and when.
    waited: HashMap<(String, usize), (String, Instant)>,
    summary: summary::Summary,
}

/// Steps are counted from 1. A journal may say any number.
fn number(step: usize) -> usize {
    step.saturating_add(1)
}

/// A wait is mentioned again after this many seconds.
const WAIT_AGAIN_SECS: u64 = 30;
/// A step says at most so often what it waits for; what many of its targets wait for alike is said together.
const WAITS_EVERY: Duration = Duration::from_secs(5);

impl Story {
    /// Takes an event; the lines that can be said now. A run's last event gives what is left of them, see [`Story::end`].
    pub(super) fn hear(&mut self, event: &Event, now: Instant) -> Vec<Line> {
        self.summary.hear(event);
        match event {
            Event::RunStarted { run, runbook, drill, clusters, steps } => {
                (self.fleet, self.drill, self.steps) = (clusters.len() > 1, *drill, *steps);
                vec![summary::head(run, runbook, *drill, clusters, *steps)]
            }
            Event::StepStarted { cluster, step, name, intent, why, targets } => {
                let mut lines = if self.fleet { self.fold.due(now) } else { self.fold.all() };
                let text = format!("[{}/{}] {name}: {intent}", number(*step), self.steps.max(number(*step)));
                if self.fleet {
                    self.fold.add(news("begins", Tone::Head, cluster, text), now);
                } else {
                    let many = if *targets > 1 { format!(" ({targets} targets)") } else { String::new() };
                    lines.push(Line::head(text + &many));
                    if !why.is_empty() {
                        lines.push(Line::plain(format!("  {why}")));
                    }
                }
                lines
            }
            Event::StepEnded { cluster, step, name, state, why, costs, took_ms } => {
                let (label, tone) = step_word(*state);
                let text =
                    if self.fleet { format!("[{}/{}] {name}: {why}", number(*step), self.steps) } else { why.clone() };
                let mut ended = news(label, tone, cluster, text);
                ended.took_ms = Some(*took_ms);
                if !self.fleet {
                    ended.below.extend(summary::spent(costs));
                }
                self.fold.add(ended, now);
                if self.fleet { self.fold.due(now) } else { self.fold.all() }
            }
            Event::UndoStarted { run, clusters, changes, needless } => match &clusters[..] {
                // A step has failed on one cluster while the others go on.
                [one] if self.fleet => {
                    let text = summary::undo_begins(run, *changes, *needless);
                    self.fold.add(news("begins", Tone::Head, one, text), now);
                    self.fold.due(now)
                }
                all => {
                    let mut lines = self.fold.all();
                    self.fleet |= all.len() > 1;
                    lines.push(Line::head(summary::undo_head(run, all, *changes, *needless)));
                    lines
                }
            },
            Event::RunEnded { .. } => {
                // In a journal an undo may follow, which says itself on which clusters.
                self.fleet = false;
                self.fold.all()
            }
            _ => {
                if let Some(news) = self.news(event, now) {
                    self.fold.add(news, now);
                }
                self.fold.due(now)
            }
        }
    }

    /// What has waited long enough for its like.
    pub(super) fn tick(&mut self, now: Instant) -> Vec<Line> {
        self.fold.due(now)
    }

    /// Everything that waits.
    pub(super) fn flush(&mut self) -> Vec<Line> {
        self.fold.all()
    }

    /// What was done, what it cost, what is left, the next command; and what went wrong.
    pub(super) fn end(&self, event: &Event) -> summary::End {
        self.summary.end(event, self.drill)
    }

    fn who(&self, target: &Target) -> String {
        if self.fleet { target.to_string() } else { target.short().to_owned() }
    }

    fn news(&mut self, event: &Event, now: Instant) -> Option<News> {
        Some(match event {
            Event::Saw { target, what, .. } => {
                let (target, what) = (about(target, what), what.sentence());
                news("saw", Tone::Plain, &self.who(&target), what.to_string())
            }
            Event::Found { target, name, value, .. } => {
                news("found", Tone::Plain, &self.who(target), format!("{name}: {value}"))
            }
            Event::Waiting { target, step, what, left_secs } => {
                let before = self.waits.get(&(target.clone(), *step));
                if before.is_some_and(|(said, left)| said == what && left_secs + WAIT_AGAIN_SECS > *left) {
                    return None;
                }
                let waited = self.waited.entry((target.cluster.clone(), *step)).or_insert_with(|| (what.clone(), now));
                let (said, at) = (&waited.0, now.duration_since(waited.1));
                let alike = said == what && at < fold::WAIT;
                if !alike && at < WAITS_EVERY {
                    return None;
                }
                if !alike {
                    *waited = (what.clone(), now);
                }
                self.waits.insert((target.clone(), *step), (what.clone(), *left_secs));
                news("waits", Tone::Warn, &self.who(target), format!("for {what}, at most {left_secs} s"))
            }
            Event::ChangeSent { target, what, because, loads, .. } => {
                let label = if self.drill { "would" } else { "sends" };
                let below = plan::loaded(loads);
                News { below, ..news(label, Tone::Plain, &self.who(target), format!("{what}, because {because}")) }
            }
            // The line before said it already.
            Event::ChangeEnded { state: ChangeEnd::Pretended, .. } => return None,
            Event::ChangeEnded { target, what, state, said, took_ms, by_hand, unsent, .. } => {
                let (label, tone) = summary::change_word(*state, *unsent);
                let text = match state {
                    ChangeEnd::Done | ChangeEnd::Pretended => said.clone(),
                    _ => format!("{what}: {said}"),
                };
                let below = by_hand.as_deref().map(summary::by_hand).unwrap_or_default();
                News { took_ms: Some(*took_ms), below, ..news(label, tone, &self.who(target), text) }
            }
            Event::Trouble { target, what, hint, again, .. } => {
                let again = if *again { "; tries again" } else { "" };
                let below = hint.iter().map(|hint| format!("hint: {hint}")).collect();
                let what = what.strip_prefix(&format!("{target}: ")).unwrap_or(what);
                News { below, ..news("trouble", Tone::Warn, &self.who(target), format!("{what}{again}")) }
            }
            _ => return None,
        })
    }
}

/// The word for how a step came out.
pub(super) fn step_word(state: StepState) -> (&'static str, Tone) {
    match state {
        StepState::Done => ("ok", Tone::Good),
        StepState::Failed => ("failed", Tone::Bad),
        StepState::Declined => ("declined", Tone::Warn),
        StepState::Interrupted => ("stopped", Tone::Warn),
    }
}

fn news(label: &'static str, tone: Tone, who: &str, text: String) -> News {
    News { label, tone, who: who.to_owned(), text, took_ms: None, below: Vec::new() }
}

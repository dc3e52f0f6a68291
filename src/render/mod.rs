//! The only user of indicatif and of standard output and standard error. Listens to events; can never end a run.
//!
//! Data goes to standard output (the report of a run, lists, plans, events as JSON), everything else to standard error.

mod alike;
mod bars;
mod brief;
mod clean;
mod failure;
mod fold;
mod json;
mod outline;
mod paint;
mod plan;
mod price;
mod replay;
mod screen;
mod standing;
mod story;
mod summary;
mod table;
mod tone;
pub(crate) mod view;
mod wrap;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub(crate) use clean::{one_line, without_color};
pub(crate) use failure::{Refusals, show as show_failure};
pub(crate) use json::VERSION;
pub(crate) use outline::outline as plan_outline;
pub(crate) use paint::{Color, Paint, Tone};
pub(crate) use plan::{json as plan_json, text as plan_text};
pub(crate) use replay::show as show_run;
pub(crate) use screen::Screen;
pub(crate) use standing::{standing_text, undo_question};
pub(crate) use table::table;

use crate::change::Target;
use crate::event::{Event, Listener};
use crate::finding::Finding;
use crate::process::Clock;

/// The form of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

/// What a finding is about: the API server that it names, or where it was looked.
fn about(target: &Target, what: &Finding) -> Target {
    what.server().map_or_else(|| target.clone(), |server| Target::api_server(&target.cluster, server))
}

/// One line before it is cleaned and painted: whatever is in it, it comes out as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    /// The tone of the head.
    tone: Tone,
    /// What is painted.
    head: String,
    /// What is not.
    text: String,
    /// It is a command, or what is read with one: never broken, so that it can be copied.
    whole: bool,
}

impl Line {
    fn new(tone: Tone, head: impl Into<String>, text: impl Into<String>) -> Self {
        Self { tone, head: head.into(), text: text.into(), whole: false }
    }

    fn plain(text: impl Into<String>) -> Self {
        Self::new(Tone::Plain, "", text)
    }

    fn head(text: impl Into<String>) -> Self {
        Self::new(Tone::Head, text, "")
    }

    fn hint(text: impl Into<String>) -> Self {
        Self::new(Tone::Warn, "hint: ", text)
    }

    fn whole(self) -> Self {
        Self { whole: true, ..self }
    }

    /// As lines no longer than `width`; the head is painted, also where it goes on.
    fn painted(&self, paint: Paint, width: Option<usize>) -> String {
        let (head, text) = (clean::one_line(&self.head), clean::one_line(&self.text));
        let (mut left, width) = (head.chars().count(), width.filter(|_| !self.whole));
        let hang = if text.is_empty() { 0 } else { left };
        let mut out = String::new();
        for piece in wrap::wrap(&format!("{head}{text}"), hang, width) {
            let at = piece.char_indices().nth(left).map_or(piece.len(), |(at, _)| at);
            let (of_head, of_text) = piece.split_at(at);
            left = if text.is_empty() { left } else { 0 };
            out.push_str(&format!("{}{of_text}\n", paint.tone(self.tone, of_head)));
        }
        out
    }
}

fn painted(lines: &[Line], paint: Paint, width: Option<usize>) -> String {
    lines.iter().map(|line| line.painted(paint, width)).collect()
}

/// The same for what is told while things happen: whatever a far side says, a line has a length that a person reads. A plan
/// is shown whole.
fn told(lines: &[Line], paint: Paint, width: Option<usize>) -> String {
    let cut = |line: &Line| Line { head: clean::cut(&line.head), text: clean::cut(&line.text), ..line.clone() };
    lines.iter().map(|line| cut(line).painted(paint, width)).collect()
}

/// Words with what they mean, in two columns, `width` characters wide in all: a sentence that is longer goes on in its own.
pub(crate) fn glossary(heading: [&str; 2], rows: &[(String, String)], paint: Paint, width: Option<usize>) -> String {
    let column = rows.iter().map(|(word, _)| word.chars().count()).chain([heading[0].len()]).max().unwrap_or(0) + 2;
    let line = |tone, word: &str, text: &str| Line::new(tone, format!("{word:<column$}"), text);
    let head = Line::head(format!("{:<column$}{}", heading[0], heading[1]));
    let rows = rows.iter().map(|(word, text)| line(Tone::Plain, word, text));
    painted(&std::iter::once(head).chain(rows).collect::<Vec<_>>(), paint, width)
}

/// Tells a run while it happens: live progress when standard error is a terminal, plain lines otherwise, or JSON.
pub(crate) struct Renderer {
    screen: Arc<Screen>,
    clock: Clock,
    form: Form,
}

enum Form {
    Json,
    Text(Box<Mutex<Telling>>),
}

struct Telling {
    teller: Teller,
    bars: Option<bars::Bars>,
}

/// How much is told.
enum Teller {
    /// What was found, step by step.
    Brief(brief::Brief),
    /// All that was sent, done and seen, host by host.
    Long(story::Story),
}

impl Teller {
    fn hear(&mut self, event: &Event, now: Instant) -> Vec<Line> {
        match self {
            Self::Brief(brief) => brief.hear(event, now),
            Self::Long(story) => story.hear(event, now),
        }
    }

    fn tick(&mut self, now: Instant) -> Vec<Line> {
        match self {
            Self::Brief(brief) => brief.tick(now),
            Self::Long(story) => story.tick(now),
        }
    }

    fn flush(&mut self) -> Vec<Line> {
        match self {
            Self::Brief(brief) => brief.flush(),
            Self::Long(story) => story.flush(),
        }
    }

    fn end(&self, event: &Event) -> summary::End {
        match self {
            Self::Brief(brief) => brief.end(event),
            Self::Long(story) => story.end(event),
        }
    }
}

impl Renderer {
    /// The form is picked once, here. `verbose`: all that is sent, done and seen, host by host.
    pub(crate) fn new(screen: Arc<Screen>, output: Output, verbose: bool, clock: Clock) -> Self {
        let form = match output {
            Output::Json => Form::Json,
            Output::Text => {
                let bars = screen.bars().cloned().map(bars::Bars::new);
                let teller = if verbose {
                    Teller::Long(story::Story::default())
                } else {
                    Teller::Brief(brief::Brief::new(bars.is_some()))
                };
                Form::Text(Box::new(Mutex::new(Telling { teller, bars })))
            }
        };
        Self { screen, clock, form }
    }

    /// Says what has waited long enough for its like; to be called a few times a second.
    pub(crate) fn tick(&self) {
        if let Form::Text(telling) = &self.form {
            let mut telling = locked(telling);
            if let Some(bars) = &mut telling.bars {
                bars.tick(Instant::now());
            }
            let lines = telling.teller.tick(Instant::now());
            self.say(&lines);
        }
    }

    /// Says everything that waits: a question follows.
    pub(crate) fn flush(&self) {
        if let Form::Text(telling) = &self.form {
            let lines = locked(telling).teller.flush();
            self.say(&lines);
        }
    }

    /// A remark about one attempt, for `-v`.
    pub(crate) fn note(&self, text: &str) {
        match &self.form {
            Form::Json => self.screen.out(&json::note(text, self.clock.now())),
            Form::Text(_) => {
                self.say(&[Line::new(Tone::Dim, format!("  note     {text}"), "")]);
            }
        }
    }

    fn say(&self, lines: &[Line]) {
        if !lines.is_empty() {
            self.screen.err_lines(&told(lines, self.screen.err_paint(), self.screen.err_width()));
        }
    }
}

fn locked(telling: &Mutex<Telling>) -> MutexGuard<'_, Telling> {
    telling.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Listener for Renderer {
    fn hear(&self, event: Event) {
        let Form::Text(telling) = &self.form else {
            return self.screen.out(&json::event(&event, self.clock.now()));
        };
        let mut telling = locked(telling);
        if let Some(bars) = &mut telling.bars {
            bars.hear(&event);
        }
        self.say(&telling.teller.hear(&event, Instant::now()));
        if matches!(event, Event::RunEnded { .. }) {
            let end = telling.teller.end(&event);
            self.screen.out(&told(&end.report, self.screen.out_paint(), self.screen.out_width()));
            self.say(&end.failure);
        }
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

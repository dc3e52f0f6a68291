//! The only user of indicatif and of standard output and standard error. Listens to events; can never end a run.
//!
//! Data goes to standard output (the report of a run, lists, plans, events as JSON), everything else to standard error.

mod bars;
mod clean;
mod failure;
mod fold;
mod json;
mod paint;
mod plan;
mod replay;
mod screen;
mod standing;
mod story;
mod summary;
mod table;
mod tone;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub use clean::{one_line, without_color};
pub use failure::{Refusals, show as show_failure};
pub use json::VERSION;
pub use paint::{Color, Paint, Tone};
pub use plan::{Detail, json as plan_json, text as plan_text};
pub use replay::show as show_run;
pub use screen::Screen;
pub use standing::standing_text;
pub use table::table;

use crate::event::{Event, Listener};
use crate::process::Clock;

/// The form of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
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
}

impl Line {
    fn plain(text: impl Into<String>) -> Self {
        Self { tone: Tone::Plain, head: String::new(), text: text.into() }
    }

    fn head(text: impl Into<String>) -> Self {
        Self { tone: Tone::Head, head: text.into(), text: String::new() }
    }

    fn hint(text: impl Into<String>) -> Self {
        Self { tone: Tone::Warn, head: "hint: ".into(), text: text.into() }
    }

    fn painted(&self, paint: Paint) -> String {
        format!("{}{}\n", paint.tone(self.tone, &self.head), clean::one_line(&self.text))
    }
}

fn painted(lines: &[Line], paint: Paint) -> String {
    lines.iter().map(|line| line.painted(paint)).collect()
}

/// The same for what is told while things happen: whatever a far side says, a line has a length that a person reads. A plan
/// is shown whole.
fn told(lines: &[Line], paint: Paint) -> String {
    let cut = |line: &Line| Line { tone: line.tone, head: clean::cut(&line.head), text: clean::cut(&line.text) };
    lines.iter().map(|line| cut(line).painted(paint)).collect()
}

/// Tells a run while it happens: live progress when standard error is a terminal, plain lines otherwise, or JSON.
pub struct Renderer {
    screen: Arc<Screen>,
    clock: Clock,
    form: Form,
}

enum Form {
    Json,
    Text(Box<Mutex<Telling>>),
}

struct Telling {
    story: story::Story,
    bars: Option<bars::Bars>,
}

impl Renderer {
    /// The form is picked once, here.
    pub fn new(screen: Arc<Screen>, output: Output, clock: Clock) -> Self {
        let form = match output {
            Output::Json => Form::Json,
            Output::Text => {
                let bars = screen.bars().cloned().map(bars::Bars::new);
                Form::Text(Box::new(Mutex::new(Telling { story: story::Story::default(), bars })))
            }
        };
        Self { screen, clock, form }
    }

    /// Says what has waited long enough for its like; to be called a few times a second.
    pub fn tick(&self) {
        if let Form::Text(telling) = &self.form {
            let lines = locked(telling).story.tick(Instant::now());
            self.say(&lines);
        }
    }

    /// Says everything that waits: a question follows.
    pub fn flush(&self) {
        if let Form::Text(telling) = &self.form {
            let lines = locked(telling).story.flush();
            self.say(&lines);
        }
    }

    /// A remark about one attempt, for `-v`.
    pub fn note(&self, text: &str) {
        match &self.form {
            Form::Json => self.screen.out(&json::note(text, self.clock.now())),
            Form::Text(_) => {
                self.say(&[Line { tone: Tone::Dim, head: format!("  note     {text}"), text: String::new() }]);
            }
        }
    }

    fn say(&self, lines: &[Line]) {
        if !lines.is_empty() {
            self.screen.err_lines(&told(lines, self.screen.err_paint()));
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
        self.say(&telling.story.hear(&event, Instant::now()));
        if matches!(event, Event::RunEnded { .. }) {
            let end = telling.story.end(&event);
            self.screen.out(&told(&end.report, self.screen.out_paint()));
            self.say(&end.failure);
        }
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

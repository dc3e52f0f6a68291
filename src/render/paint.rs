//! Colour as an extra: everything is readable without it.

use super::clean;
use crate::process::Process;

/// When colour is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Color {
    /// On a terminal that wants it.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether a stream gets colour. The flag wins over the environment, the environment over the terminal.
    pub fn on(self, process: &Process, terminal: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if process.var("NO_COLOR").is_some() => false,
            Self::Auto if process.var("CLICOLOR_FORCE").is_some_and(|v| v != "0") => true,
            Self::Auto if process.var("CLICOLOR") == Some("0") || process.var("TERM") == Some("dumb") => false,
            Self::Auto => terminal,
        }
    }
}

/// What a piece of text is, as far as colour goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Ordinary.
    Plain,
    /// A heading.
    Head,
    /// It went well.
    Good,
    /// Look here.
    Warn,
    /// It went wrong.
    Bad,
    /// Less important.
    Dim,
}

impl Tone {
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Head => Some("\x1b[1m"),
            Self::Good => Some("\x1b[32m"),
            Self::Warn => Some("\x1b[33m"),
            Self::Bad => Some("\x1b[1;31m"),
            Self::Dim => Some("\x1b[2m"),
        }
    }
}

/// Puts colour on text, or leaves it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// With or without colour.
    pub fn new(on: bool) -> Self {
        Self { on }
    }

    /// Whether there is colour.
    pub fn is_on(self) -> bool {
        self.on
    }

    /// The text in a tone, as a part of one line: what is in it cannot end the line, nor the tone.
    pub fn tone(self, tone: Tone, text: &str) -> String {
        let text = clean::one_line(text);
        match tone.code() {
            Some(code) if self.on => format!("{code}{text}{OFF}"),
            _ => text,
        }
    }
}

/// Back to ordinary.
const OFF: &str = "\x1b[0m";
/// What clap paints its help and its errors with, besides what we use ourselves.
const OF_CLAP: [&str; 2] = ["\x1b[4m", "\x1b[31m"];

/// The colour code that a text begins with, if it is one that this program prints.
pub(super) fn own_code(text: &str) -> Option<&'static str> {
    let tones = [Tone::Head, Tone::Good, Tone::Warn, Tone::Bad, Tone::Dim];
    let own = tones.into_iter().filter_map(Tone::code).chain(OF_CLAP).chain([OFF]);
    own.into_iter().find(|code| text.starts_with(code))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use super::*;
    use crate::process::Clock;

    fn process(env: &[(&str, &str)]) -> Process {
        Process {
            args: Vec::new(),
            env: env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>(),
            cwd: PathBuf::from("/"),
            interactive: false,
            stdout_terminal: false,
            stderr_terminal: false,
            clock: Clock::steady(),
        }
    }

    #[test]
    fn the_flag_wins_over_the_environment_and_that_over_the_terminal() {
        assert!(Color::Auto.on(&process(&[]), true));
        assert!(!Color::Auto.on(&process(&[]), false));
        assert!(!Color::Auto.on(&process(&[("NO_COLOR", "1")]), true));
        assert!(Color::Auto.on(&process(&[("NO_COLOR", "")]), true), "an empty NO_COLOR says nothing");
        assert!(Color::Auto.on(&process(&[("CLICOLOR_FORCE", "1")]), false));
        assert!(!Color::Auto.on(&process(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]), true));
        assert!(!Color::Auto.on(&process(&[("CLICOLOR", "0")]), true));
        assert!(!Color::Auto.on(&process(&[("TERM", "dumb")]), true));
        assert!(Color::Always.on(&process(&[("NO_COLOR", "1")]), false));
        assert!(!Color::Never.on(&process(&[("CLICOLOR_FORCE", "1")]), true));
    }

    #[test]
    fn without_colour_the_text_is_untouched() {
        assert_eq!(Paint::new(false).tone(Tone::Bad, "x"), "x");
        assert_eq!(Paint::new(true).tone(Tone::Bad, "x"), "\x1b[1;31mx\x1b[0m");
    }
}

//! Colour as an extra: everything is readable without it.

use super::clean;
use super::tone::OFF;
use crate::process::Process;

pub(crate) use super::tone::Tone;

/// When colour is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Color {
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
    pub(crate) fn on(self, process: &Process, terminal: bool) -> bool {
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

/// Puts colour on text, or leaves it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    /// With or without colour.
    pub(crate) fn new(on: bool) -> Self {
        Self { on }
    }

    /// Whether there is colour.
    pub(crate) fn is_on(self) -> bool {
        self.on
    }

    /// The text in a tone, as a part of one line: what is in it cannot end the line, nor the tone.
    pub(crate) fn tone(self, tone: Tone, text: &str) -> String {
        let text = clean::one_line(text);
        match tone.code() {
            Some(code) if self.on => format!("{code}{text}{OFF}"),
            _ => text,
        }
    }
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

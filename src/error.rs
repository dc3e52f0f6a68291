//! What ends a command: a class that picks the exit code, the cause, and the next thing to type.

use std::fmt;

/// Why a command ended as it did. Each class has one exit code; the table in README and `--help` is made from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Something that should not happen: a fault of this program; or nobody could be told, for its output could not be written.
    Bug,
    /// The command line could not be read. What it asks for may be wrong all the same: that is refused.
    Usage,
    /// Refused, by us or by the far side; nothing is changed.
    Refused,
    /// No way led to the target, or it did not answer; nothing is changed.
    NoRoute,
    /// Something is changed, or may be, and the end was not reached.
    Partial,
    /// An undo left something standing because somebody else had worked there.
    Stuck,
    /// The journal could not be written, or is damaged.
    Journal,
    /// The operator said no.
    Declined,
    /// Something of ours stands, which somebody wanted to be told by the exit code.
    Stands,
    /// A wait ended before its condition held.
    TimedOut,
    /// Stopped by a signal.
    Interrupted,
}

impl Class {
    /// Every class, in the order of its exit code.
    pub const ALL: [Self; 11] = [
        Self::Bug,
        Self::Usage,
        Self::Refused,
        Self::NoRoute,
        Self::Partial,
        Self::Stuck,
        Self::Journal,
        Self::Declined,
        Self::Stands,
        Self::TimedOut,
        Self::Interrupted,
    ];

    /// The exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Bug => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::NoRoute => 4,
            Self::Partial => 5,
            Self::Stuck => 6,
            Self::Journal => 7,
            Self::Declined => 8,
            Self::Stands => 9,
            Self::TimedOut => 124,
            Self::Interrupted => 130,
        }
    }

    /// What the code means, for the table.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Bug => {
                "its output could not be written, which it says; else a fault of breakglass itself: please report it"
            }
            Self::Usage => "the command line could not be read: an unknown verb, flag or value",
            Self::Refused => {
                "refused, nothing is changed: what was asked for, a kit, runbook or parameter is wrong, or an API server or host said no"
            }
            Self::NoRoute => "no way led to a target, or nothing answered there in time; nothing is changed",
            Self::Partial => "the end was not reached, and something is changed or may be; resume or undo",
            Self::Stuck => {
                "an undo left something standing: somebody else worked there since, or it cannot be taken back"
            }
            Self::Journal => "the journal could not be written or is damaged; no further write was made",
            Self::Declined => "the operator said no",
            Self::Stands => "`status --exit-code`: something of ours stands",
            Self::TimedOut => "a wait ended before its condition held",
            Self::Interrupted => "stopped by Ctrl-C or a signal",
        }
    }
}

/// A failure as the operator sees it: one sentence, its causes, and hints with the next command to type.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Picks the exit code.
    pub class: Class,
    /// The sentence and its chain of causes.
    pub source: anyhow::Error,
    /// Further lines, last on the screen.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure with one sentence.
    pub(crate) fn new(class: Class, message: impl fmt::Display + fmt::Debug + Send + Sync + 'static) -> Self {
        Self { class, source: anyhow::Error::msg(message), hints: Vec::new() }
    }

    /// A failure that carries its causes.
    pub(crate) fn from_error(class: Class, source: impl Into<anyhow::Error>) -> Self {
        Self { class, source: source.into(), hints: Vec::new() }
    }

    /// Adds a line with what to do next.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.source)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_has_every_exit_code() {
        let readme = include_str!("../README.md");
        for class in Class::ALL {
            let row = format!("| {} | {} |", class.exit_code(), class.meaning());
            assert!(readme.contains(&row), "not in README.md: {row}");
        }
    }
}

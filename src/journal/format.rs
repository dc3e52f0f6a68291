//! The two numbers of a journal's format, and what this program makes of other ones.
//!
//! | format | what came with it |
//! |---|---|
//! | 1.0 | the first; the costs of steps and runs, what tells clusters and hosts apart, and whether a plan writes came later, in fields that may be missing |
//! | 1.1 | the limits of the fleet (`fleet`), which are part of the plan's digest from then on; how much stood at an end (`stands`) |
//! | 1.2 | what a step found for later ones (the line `found`) |
//! | 1.3 | what a step remembers of a change (`note`) and whether a DELETE left nothing (`gone`), which before could be read from keys, scripts and sentences alone (`old.rs`); what a look found as a value beside its sentence (`finding`); the format of the lines from here on where it is not that of the first (`written`) |
//! | 1.4 | what a step found is a yes or no, for which later ones are run or left out (`of` in the line `found`) |
//! | 1.5 | what a step found is a workload (`of` in the line `found`) |
//!
//! A run that a newer program takes up again goes on in that program's format: the next line says so. A program of format 1.3
//! or newer appends nothing to it then when it is older than that, and takes a line that it does not know for newer, not for
//! damaged. Programs before 1.3 look at the first line alone. They go on with such a run, and nothing says which lines are
//! theirs: so a change without a note is read as they wrote it, wherever it stands.
//!
//! A field that may be missing raises the second number; what an older program would misread, the first. Of each, a whole run
//! is kept in `tests/fixtures/journals`, and read, shown, taken up again and taken back in tests.
//! `1.2-keys` is a run whose steps remembered by keys; `1.3-then-1.2` is the same one, taken up again by 1.3 in the middle of its
//! re-opening, and then by 1.2 once more.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{FORMAT, Header, JournalError, MINOR};

/// The format that lines are written in, and by which version of the program, as the first of them says it or another that
/// goes on in a newer format.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Written {
    #[serde(default)]
    format: u32,
    #[serde(default)]
    minor: u32,
    #[serde(default)]
    version: String,
}

impl Written {
    /// As this program writes.
    pub(super) fn here() -> Self {
        Self { format: FORMAT, minor: MINOR, version: env!("CARGO_PKG_VERSION").into() }
    }

    /// Whether it is older than this format.
    pub(super) fn is_before(&self, format: u32, minor: u32) -> bool {
        (self.format, self.minor) < (format, minor)
    }

    /// As the first line of a file says it, proven or not; all zeros where it says nothing.
    pub(super) fn on(line: &str) -> Self {
        let value: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        let header = value.pointer("/entry/started").cloned().unwrap_or_default();
        serde_json::from_value(header).unwrap_or_default()
    }

    /// As a line that cannot be read says it, when it says anything of it.
    pub(super) fn from_on(line: &str) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        serde_json::from_value(value.get("written")?.clone()).ok()
    }

    /// Refuses what this program cannot read: a newer format may hold lines that it does not know, or be sealed in another way.
    pub(super) fn readable(&self, path: &Path) -> Result<(), JournalError> {
        if self.format > FORMAT { Err(self.newer(path)) } else { Ok(()) }
    }

    /// Whether a program of the same first number wrote it, and a newer one: a line that is not known is no damage then.
    pub(super) fn is_newer(&self) -> bool {
        (self.format, self.minor) > (FORMAT, MINOR)
    }

    /// It is of a newer format.
    pub(super) fn newer(&self, path: &Path) -> JournalError {
        let version = (!self.version.is_empty()).then(|| self.version.clone());
        JournalError::Newer { path: path.to_owned(), format: self.format, minor: self.minor, version }
    }
}

impl From<&Header> for Written {
    fn from(header: &Header) -> Self {
        Self { format: header.format, minor: header.minor, version: header.version.clone() }
    }
}

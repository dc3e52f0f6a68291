//! The two numbers of a journal's format, and what this program makes of other ones.
//!
//! | format | what came with it |
//! |---|---|
//! | 1.0 | the first; the costs of steps and runs, what tells clusters and hosts apart, and whether a plan writes came later, in fields that may be missing |
//! | 1.1 | the limits of the fleet (`fleet`), which are part of the plan's digest from then on; how much stood at an end (`stands`) |
//! | 1.2 | what a step found for later ones (the line `found`) |
//!
//! A field that may be missing raises the second number; what an older program would misread, the first. Of each, a whole run
//! is kept in `tests/fixtures/journals`, and read, shown, taken up again and taken back in tests.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Header, JournalError};

/// The first number of the format that this program writes. It reads this and all older ones.
pub const FORMAT: u32 = 1;

/// The second number. A journal with a higher one is read as far as its lines are known, and never appended to.
pub const MINOR: u32 = 2;

/// What a first line says of its format, whatever else it has become.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Written {
    #[serde(default)]
    format: u32,
    #[serde(default)]
    minor: u32,
    #[serde(default)]
    version: String,
}

impl Written {
    /// As the first line of a file says it, proven or not; all zeros where it says nothing.
    pub(super) fn on(line: &str) -> Self {
        let value: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        let header = value.pointer("/entry/started").cloned().unwrap_or_default();
        serde_json::from_value(header).unwrap_or_default()
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

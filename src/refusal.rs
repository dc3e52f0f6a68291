//! Why something is refused before anything is contacted, and where it is written.

use std::fmt;

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Location {
    /// The file as the operator named it, or `built-in NAME`, or `command line`.
    pub file: String,
    /// From 1; 0 when there is no line to point at.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 { f.write_str(&self.file) } else { write!(f, "{}:{}:{}", self.file, self.line, self.column) }
    }
}

/// Why something is refused before anything is contacted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// Where it is written.
    pub at: Location,
    /// What is wrong and what was expected, in one sentence.
    pub what: String,
    /// The nearest thing that would be right, or the next command to type.
    pub hint: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.what)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

//! The refusals of one file, collected.

use std::collections::HashSet;

use crate::refusal::{Location, Refusal};

/// The refusals of one file, in the order they were found; the same one is not said twice.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    file: String,
    found: Vec<Refusal>,
    /// The same ones: a file may have thousands.
    said: HashSet<Refusal>,
}

impl Faults {
    /// None yet, in this file.
    pub(crate) fn new(file: impl Into<String>) -> Self {
        Self { file: file.into(), ..Self::default() }
    }

    /// The file.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// Something is wrong at a line and column; line 0 when no line can be pointed at.
    pub(crate) fn place(&mut self, line: usize, column: usize, what: impl Into<String>, hint: Option<String>) {
        self.add(Refusal { at: Location { file: self.file.clone(), line, column }, what: what.into(), hint });
    }

    fn add(&mut self, refusal: Refusal) {
        if self.said.insert(refusal.clone()) {
            self.found.push(refusal);
        }
    }

    /// Whether nothing is wrong so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Adds others, found elsewhere.
    pub(crate) fn extend(&mut self, others: impl IntoIterator<Item = Refusal>) {
        others.into_iter().for_each(|refusal| self.add(refusal));
    }

    /// The refusals, by file and line.
    pub(crate) fn into_vec(mut self) -> Vec<Refusal> {
        self.found.sort_by(|a, b| (&a.at.file, a.at.line, a.at.column).cmp(&(&b.at.file, b.at.line, b.at.column)));
        self.found
    }

    /// `value` when nothing is wrong.
    ///
    /// # Errors
    /// Every refusal.
    pub(crate) fn or<T>(self, value: T) -> Result<T, Vec<Refusal>> {
        if self.is_empty() { Ok(value) } else { Err(self.into_vec()) }
    }
}

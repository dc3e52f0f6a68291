//! What is wrong with the parameters of a step, and with which of them.

use std::fmt;

/// One fault of a step's parameters, beyond what their schema can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The parameter's keys from `with` inwards, such as `sets`, `web`; empty: the step as a whole.
    pub at: Vec<String>,
    /// What is wrong with it and what was expected, in one sentence without the parameter's name.
    pub why: String,
}

impl Fault {
    /// Of one parameter.
    pub fn at(key: impl Into<String>, why: impl Into<String>) -> Self {
        Self { at: vec![key.into()], why: why.into() }
    }

    /// Of the parameters together.
    pub fn whole(why: impl Into<String>) -> Self {
        Self { at: Vec::new(), why: why.into() }
    }

    /// The same, of parameters that stand under this key.
    #[must_use]
    pub fn under(mut self, key: impl Into<String>) -> Self {
        self.at.insert(0, key.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.at.is_empty() { f.write_str(&self.why) } else { write!(f, "{}: {}", self.at.join("."), self.why) }
    }
}

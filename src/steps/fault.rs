//! What is wrong with the parameters of a step, and with which of them.

/// One fault of a step's parameters, beyond what their schema can say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{why}", at.iter().map(String::as_str).collect::<Vec<_>>().join(".") + if at.is_empty() { "" } else { ": " })]
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

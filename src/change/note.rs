//! What a step keeps with a change for its own later looks.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A value of a type of the step's own, in the form in which the journal keeps it: whoever changes such a type changes the
/// journal's format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Note(Value);

impl Note {
    /// The note that says this, which is something that JSON can say.
    pub fn of(what: &impl Serialize) -> Self {
        Self(serde_json::to_value(what).unwrap_or_default())
    }

    /// What it says; `None` where that is nothing of this type.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        T::deserialize(&self.0).ok()
    }
}

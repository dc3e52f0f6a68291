//! The mark that `park` has left: it goes with what it stands for, and comes back with it.

use serde_json::{Value, json};

use super::PARKED;

/// Where `park` leaves whose it is.
pub(super) const MARK: &str = "/metadata/annotations/breakglass.io~1parked";
pub(super) const ANNOTATIONS: &str = "/metadata/annotations";

/// What becomes of the mark of whoever parked it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mark<'a> {
    /// Nothing.
    Stays,
    /// It goes.
    Off(&'a str),
    /// It comes back; `alone`: there is no other annotation, and with the last one the map of them goes.
    On { run: &'a str, alone: bool },
}

impl Mark<'_> {
    /// What is tested, and what is done then.
    pub(super) fn ops(self) -> (Option<Value>, Option<Value>) {
        match self {
            Self::Stays => (None, None),
            Self::Off(run) => {
                (Some(json!({"op": "test", "path": MARK, "value": run})), Some(json!({"op": "remove", "path": MARK})))
            }
            Self::On { run, alone: false } => (None, Some(json!({"op": "add", "path": MARK, "value": run}))),
            Self::On { run, alone: true } => (
                Some(json!({"op": "test", "path": ANNOTATIONS, "value": null})),
                Some(json!({"op": "add", "path": ANNOTATIONS, "value": {PARKED: run}})),
            ),
        }
    }
}

/// Whether the mark is the only annotation: with it the map of them goes.
pub(super) fn alone(object: &Value) -> bool {
    object.pointer(ANNOTATIONS).and_then(Value::as_object).is_none_or(|all| all.len() == 1)
}

/// The run that left a mark.
pub(super) fn whose(mark: &str) -> &str {
    mark.split(' ').next().unwrap_or(mark)
}

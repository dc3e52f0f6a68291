//! Events for machines: one JSON object a line, each with the version of its form and its time.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::error::Failure;
use crate::event::Event;

/// The version of the form. Fields may be added without a new one; anything else raises it.
pub(crate) const VERSION: u32 = 1;

/// One event as a line.
pub(super) fn event(event: &Event, at: Timestamp) -> String {
    let mut object = Map::new();
    object.insert("v".into(), VERSION.into());
    object.insert("at".into(), at.to_string().into());
    match serde_json::to_value(event) {
        Ok(Value::Object(fields)) => object.extend(fields),
        Ok(other) => _ = object.insert("event".into(), other),
        Err(error) => _ = object.insert("unprintable".into(), error.to_string().into()),
    }
    Value::Object(object).to_string()
}

/// A remark about one attempt, which only `-v` asks for.
pub(super) fn note(text: &str, at: Timestamp) -> String {
    json!({ "v": VERSION, "at": at.to_string(), "event": "note", "what": text }).to_string()
}

/// A failure as a line.
pub(super) fn failure(failure: &Failure, sentence: &str, causes: &[String]) -> String {
    json!({
        "v": VERSION,
        "event": "error",
        "code": failure.class.exit_code(),
        "what": sentence,
        "causes": causes,
        "hints": failure.hints,
    })
    .to_string()
}

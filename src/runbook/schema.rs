//! The JSON Schema of the runbook's file.

use std::sync::OnceLock;

use serde_json::{Value, json};

use super::file::{RunbookFile, StepFile};
use crate::steps::{KINDS, schema_of};

/// The file around the steps: what each step is checked against is [`step`].
pub(super) fn envelope() -> Value {
    static ENVELOPE: OnceLock<Value> = OnceLock::new();
    ENVELOPE
        .get_or_init(|| {
            let mut schema = schema_of::<RunbookFile>();
            schema["properties"]["spec"]["properties"]["steps"]["items"] = json!({ "type": "object" });
            schema
        })
        .clone()
}

/// One step without what its kind says.
pub(super) fn step() -> Value {
    static STEP: OnceLock<Value> = OnceLock::new();
    STEP.get_or_init(schema_of::<StepFile>).clone()
}

/// The whole file, for editors: every kind with its own parameters (draft 2020-12).
pub fn schema() -> Value {
    let mut step = step();
    if let Some(map) = step.as_object_mut() {
        map.remove("$schema");
        map.remove("title");
    }
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.name()).collect();
    let cases: Vec<Value> = KINDS
        .iter()
        .map(|kind| {
            let mut with = kind.schema();
            if let Some(map) = with.as_object_mut() {
                map.remove("$schema");
                map.insert("description".into(), kind.doc().into());
            }
            allow_parameters(&mut with);
            let missing = with.get("required").is_some();
            let mut then = json!({ "properties": { "with": with } });
            if missing {
                then["required"] = json!(["with"]);
            }
            json!({ "if": { "properties": { "kind": { "const": kind.name() } }, "required": ["kind"] }, "then": then })
        })
        .collect();
    allow_parameters(&mut step);
    step["properties"]["kind"] = json!({ "description": "What is done.", "enum": names });
    step["allOf"] = cases.into();
    let mut root = schema_of::<RunbookFile>();
    root["title"] = "A runbook of breakglass".into();
    root["properties"]["spec"]["properties"]["steps"]["items"] = step;
    root
}

/// Wherever a value that is no free text is expected, `${name}` may stand instead.
fn allow_parameters(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else { return };
    for key in ["anyOf", "oneOf", "allOf"] {
        map.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten().for_each(allow_parameters);
    }
    map.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten().for_each(|(_, s)| or_parameter(s));
    for key in ["items", "additionalProperties"] {
        map.get_mut(key).filter(|schema| schema.is_object()).into_iter().for_each(or_parameter);
    }
}

fn or_parameter(schema: &mut Value) {
    allow_parameters(schema);
    let free = schema.get("type").and_then(Value::as_str) == Some("string")
        && ["enum", "format", "pattern"].iter().all(|word| schema.get(word).is_none());
    let any = schema.as_object().is_some_and(|map| {
        !map.contains_key("type")
            && !map.contains_key("anyOf")
            && !map.contains_key("oneOf")
            && !map.contains_key("enum")
    });
    if free || any {
        return;
    }
    let description = schema.as_object_mut().and_then(|map| map.remove("description"));
    let mut either = json!({ "anyOf": [schema.take(), { "type": "string", "pattern": "\\$\\{" }] });
    if let Some(description) = description {
        either["description"] = description;
    }
    *schema = either;
}

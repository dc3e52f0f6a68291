//! What a step of a runbook can be.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::render::{Paint, VERSION, glossary};
use crate::steps::{KINDS, Kind, Scope};

/// Every kind with a short sentence.
pub(crate) fn list(paint: Paint, width: Option<usize>) -> String {
    let row = |kind: &&dyn Kind| (kind.name().to_owned(), gist(kind.doc()));
    let rows: Vec<_> = KINDS.iter().map(row).collect();
    glossary(["KIND", "WHAT IT DOES"], &rows, paint, width)
}

/// One kind, in full.
pub(crate) fn json(kind: &dyn Kind) -> Value {
    json!({ "v": VERSION, "kind": kind.name(), "doc": kind.doc(), "scope": scope(kind.scope()), "with": kind.schema() })
}

/// The first sentence, or its first clause; what stands in backticks is not looked into.
fn gist(doc: &str) -> String {
    let line = doc.lines().next().unwrap_or_default();
    let mut quoted = false;
    let end = line.char_indices().find(|(at, c)| {
        quoted ^= *c == '`';
        !quoted && matches!(c, '.' | ':' | ';') && line[at + 1..].chars().next().is_none_or(|next| next == ' ')
    });
    line[..end.map_or(line.len(), |(at, _)| at)].replace('`', "")
}

fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::ApiHosts => "every host that runs an API server",
        Scope::ApiServers => "every API server",
        Scope::Cluster => "the cluster as a whole",
        Scope::Local => "the operator's machine",
    }
}

/// The same as a page.
pub(crate) fn page(kind: &dyn Kind) -> String {
    let mut out = format!("{}\n\n{}\n\nActs on: {}\n", kind.name(), kind.doc().trim(), scope(kind.scope()));
    let schema = kind.schema();
    if schema["properties"].as_object().is_none_or(serde_json::Map::is_empty) {
        out.push_str("Takes no parameters.\n");
        return out;
    }
    out.push_str("\nwith:\n");
    keys(&schema, 2, &mut out);
    out
}

/// The keys of an object and those below them, each set in by so many blanks.
fn keys(schema: &Value, indent: usize, out: &mut String) {
    let required: Vec<&str> = strings(&schema["required"]).collect();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let need = match (&property["default"], required.contains(&name.as_str())) {
            (_, true) => "required".to_owned(),
            (Value::Null, false) => "optional".to_owned(),
            (default, false) => format!("default {default}"),
        };
        let _ = writeln!(out, "{:indent$}{name}: {} ({need})", "", type_of(property));
        for line in property["description"].as_str().unwrap_or_default().lines() {
            let _ = writeln!(out, "{:indent$}    {line}", "");
        }
        // An object, a list of them, or one of several things of which one is an object.
        let several = ["oneOf", "anyOf"].iter().filter_map(|all| property[*all].as_array()).flatten();
        for below in [property, &property["items"]].into_iter().chain(several) {
            keys(below, indent + 4, out);
        }
    }
}

fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// The type of a parameter in a few words.
fn type_of(schema: &Value) -> String {
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(|word| word.as_str().unwrap_or("null")).collect::<Vec<_>>().join(" | ");
    }
    if schema["format"] == crate::duration::FORMAT {
        return "duration like 90s or 5m".into();
    }
    for several in ["oneOf", "anyOf"] {
        if let Some(all) = schema[several].as_array() {
            let mut names: Vec<String> = all.iter().map(type_of).filter(|name| name != "null").collect();
            names.dedup();
            return names.join(" | ");
        }
    }
    match &schema["type"] {
        Value::String(one) if one == "array" => format!("list of {}", type_of(&schema["items"])),
        Value::String(one) if one == "object" && schema["additionalProperties"].is_object() => {
            format!("map to {}", type_of(&schema["additionalProperties"]))
        }
        Value::String(one) => one.clone(),
        Value::Array(_) => strings(&schema["type"]).filter(|name| *name != "null").collect::<Vec<_>>().join(" | "),
        _ => schema["const"].as_str().unwrap_or("anything").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::kind;

    #[test]
    fn each_kind_is_told_in_one_short_sentence() {
        assert_eq!(gist("Runs it with `a: b`. More."), "Runs it with a: b");
        for kind in KINDS {
            let gist = gist(kind.doc());
            assert!((10..110).contains(&gist.len()) && !gist.contains(". "), "{}: {gist}", kind.name());
        }
    }

    #[test]
    fn nested_keys_are_told() {
        let page = page(kind("wait-for").unwrap());
        for line in
            ["  podsGone: object (optional)", "      namespace: string (required)", "      selector: string (required)"]
        {
            assert!(page.lines().any(|told| told == line), "{line:?} is not in: {page}");
        }
    }
}

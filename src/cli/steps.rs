//! `steps`

use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::App;
use crate::error::{Class, Failure};
use crate::render::{Output, VERSION, table};
use crate::steps::{KINDS, Kind, Scope, kind};
use crate::words;

/// What a step of a runbook can be, with every parameter.
#[derive(Debug, clap::Args)]
pub(super) struct Steps {
    /// One kind, in full.
    kind: Option<String>,
}

impl Steps {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let Some(name) = self.kind else {
            app.screen.out(&list(app.output));
            return Ok(ExitCode::SUCCESS);
        };
        let found = kind(&name).ok_or_else(|| {
            let failure = Failure::new(Class::Refused, format!("no step kind is called {name:?}"));
            match words::nearest(&name, KINDS.iter().map(|kind| kind.name())) {
                Some(near) => failure.hint(format!("did you mean {near}?")),
                None => failure.hint("`breakglass steps` lists them"),
            }
        })?;
        app.screen.out(&match app.output {
            Output::Json => value(found).to_string(),
            Output::Text => page(found),
        });
        Ok(ExitCode::SUCCESS)
    }
}

fn list(output: Output) -> String {
    if output == Output::Json {
        return KINDS.iter().map(|kind| format!("{}\n", value(*kind))).collect();
    }
    let row = |kind: &&dyn Kind| vec![kind.name().to_owned(), first_line(kind.doc()).to_owned()];
    table(&["KIND", "WHAT IT DOES"], &KINDS.iter().map(row).collect::<Vec<_>>())
}

fn value(kind: &dyn Kind) -> Value {
    json!({ "v": VERSION, "kind": kind.name(), "doc": kind.doc(), "scope": scope(kind.scope()), "with": kind.schema() })
}

fn first_line(doc: &str) -> &str {
    doc.lines().next().unwrap_or_default()
}

fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::ApiHosts => "every host that runs an API server",
        Scope::ApiServers => "every API server",
        Scope::Cluster => "the cluster as a whole",
        Scope::Local => "the operator's machine",
    }
}

fn page(kind: &dyn Kind) -> String {
    let mut out = format!("{}\n\n{}\n\nActs on: {}\n", kind.name(), kind.doc().trim(), scope(kind.scope()));
    let schema = kind.schema();
    let required: Vec<&str> = strings(&schema["required"]).collect();
    let Some(properties) = schema["properties"].as_object().filter(|all| !all.is_empty()) else {
        out.push_str("Takes no parameters.\n");
        return out;
    };
    out.push_str("\nwith:\n");
    for (name, property) in properties {
        let need = match (&property["default"], required.contains(&name.as_str())) {
            (_, true) => "required".to_owned(),
            (Value::Null, false) => "optional".to_owned(),
            (default, false) => format!("default {default}"),
        };
        let _ = writeln!(out, "  {name}: {} ({need})", type_of(property));
        for line in property["description"].as_str().unwrap_or_default().lines() {
            let _ = writeln!(out, "      {line}");
        }
    }
    out
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

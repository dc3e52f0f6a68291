//! A single verb is a runbook of one step, written out so that the journal keeps it and a resume reads it again.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::file::{FileKind, Metadata, RunbookFile, Spec, StepFile};
use super::parse::{COMMAND_LINE, Runbook};
use super::{On, Policy, Resolved};
use crate::refusal::{Location, Refusal};
use crate::steps;
use crate::yaml::ApiVersion;

impl Resolved {
    /// One step of a kind. `with` are its parameters, `targets` words as in a runbook.
    ///
    /// # Errors
    /// Everything that is wrong with it, by the same rules as in a file, placed on the command line.
    pub fn single(
        kind: &str,
        with: Map<String, Value>,
        targets: Option<&str>,
        policy: &Policy,
    ) -> Result<Self, Vec<Refusal>> {
        let doc = steps::kind(kind).map_or("", |kind| kind.doc());
        let purpose = doc.lines().find(|line| !line.trim().is_empty()).unwrap_or(kind).trim().to_owned();
        let with = with.into_iter().map(|(key, value)| (key, plain(value))).collect();
        let targets = targets.map(|words| words.replace("${", "$${"));
        let file = RunbookFile {
            api_version: ApiVersion::V1,
            kind: FileKind::Runbook,
            metadata: Metadata { name: kind.to_owned(), purpose },
            spec: Spec {
                params: BTreeMap::new(),
                typed_consent: None,
                steps: vec![StepFile::new(kind, with, targets, policy)],
            },
        };
        // JSON is YAML, and it is written by no second set of quoting rules.
        let text = serde_json::to_string_pretty(&file).map_err(|error| {
            let at = Location { file: COMMAND_LINE.into(), ..Location::default() };
            vec![Refusal { at, what: error.to_string(), hint: None }]
        })?;
        Runbook::parse(&text, COMMAND_LINE)?.resolve(&BTreeMap::new(), On::NotYet)
    }
}

/// Nothing that was typed for a verb is a parameter of a runbook.
fn plain(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace("${", "$${")),
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Object(map) => Value::Object(map.into_iter().map(|(key, value)| (key, plain(value))).collect()),
        other => other,
    }
}

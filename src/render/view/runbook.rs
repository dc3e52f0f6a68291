//! Runbooks: what they are for, what they take.

use serde_json::json;

use crate::render::{VERSION, one_line, table};
use crate::runbook::{Param, Runbook};

/// A line for each.
pub(crate) fn list(all: &[Runbook]) -> String {
    let row = |runbook: &Runbook| vec![runbook.name.clone(), runbook.purpose.clone()];
    table(&["RUNBOOK", "PURPOSE"], &all.iter().map(row).collect::<Vec<_>>())
}

/// One that nothing is wrong with, and what it takes.
pub(crate) fn checked(runbook: &Runbook) -> String {
    let head = one_line(&format!("{}: {}", runbook.name, runbook.purpose));
    let param = |param: &Param| format!("  {}\n", one_line(&format!("{}: {}", param.name, about(param))));
    let params: String = runbook.params.iter().map(param).collect();
    format!("{head}\nnothing is wrong with it; parameters:\n{params}")
}

fn about(param: &Param) -> String {
    let need = match &param.default {
        Some(default) => format!("default {default}"),
        None if param.required => "required".into(),
        None => "optional".into(),
    };
    let help = if param.help.is_empty() { String::new() } else { format!(", {}", param.help) };
    format!("{} ({need}){help}", param.expected())
}

/// One with its parameters and its text.
pub(crate) fn json(runbook: &Runbook) -> serde_json::Value {
    let params = runbook.params.iter().map(|param| {
        json!({
            "name": param.name,
            "expected": param.expected(),
            "required": param.required,
            "default": param.default,
            "help": param.help,
        })
    });
    json!({
        "v": VERSION,
        "runbook": runbook.name,
        "purpose": runbook.purpose,
        "params": params.collect::<Vec<_>>(),
        "text": runbook.text,
    })
}

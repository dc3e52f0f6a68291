//! `runbook list|show|check|schema`

use std::process::ExitCode;

use serde_json::json;

use super::{App, inputs};
use crate::error::Failure;
use crate::render::{Output, VERSION, one_line, table};
use crate::runbook::builtin::BUILTINS;
use crate::runbook::{Param, Runbook, schema};

/// Read runbooks: what they do, what they take, what is wrong with them.
#[derive(Debug, clap::Args)]
pub(super) struct RunbookVerb {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List the runbooks inside the binary.
    List,
    /// Print a runbook with its parameters.
    Show {
        /// The runbook.
        runbook: String,
    },
    /// Read a runbook and say everything that is wrong with it, each with line and column.
    Check {
        /// The runbook.
        runbook: String,
    },
    /// Print the JSON Schema of runbooks, for editors.
    Schema,
}

impl RunbookVerb {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        match self.verb {
            Verb::List => {
                let all = BUILTINS.iter().filter_map(|builtin| builtin.runbook().ok()).collect::<Vec<_>>();
                let row = |runbook: &Runbook| vec![runbook.name.clone(), runbook.purpose.clone()];
                app.screen.out(&match app.output {
                    Output::Json => all.iter().map(|runbook| format!("{}\n", value(runbook))).collect(),
                    Output::Text => table(&["RUNBOOK", "PURPOSE"], &all.iter().map(row).collect::<Vec<_>>()),
                });
            }
            Verb::Show { runbook } => {
                let runbook = inputs::runbook(app, &runbook)?;
                app.screen.out(&match app.output {
                    Output::Json => value(&runbook).to_string(),
                    Output::Text => runbook.text.clone(),
                });
            }
            Verb::Check { runbook } => {
                let runbook = inputs::runbook(app, &runbook)?;
                app.screen.out(&match app.output {
                    Output::Json => value(&runbook).to_string(),
                    Output::Text => text(&runbook),
                });
            }
            Verb::Schema => app.screen.out(&format!("{:#}", schema())),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn text(runbook: &Runbook) -> String {
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

fn value(runbook: &Runbook) -> serde_json::Value {
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

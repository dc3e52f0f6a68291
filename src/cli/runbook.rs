//! `runbook list|show|check|schema`

use std::process::ExitCode;

use super::{App, inputs};
use crate::error::Failure;
use crate::render::{Output, view};
use crate::runbook::builtin::BUILTINS;
use crate::runbook::schema;

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
                app.screen.out(&match app.output {
                    Output::Json => all.iter().map(|runbook| format!("{}\n", view::runbook::json(runbook))).collect(),
                    Output::Text => view::runbook::list(&all),
                });
            }
            Verb::Show { runbook } => {
                let runbook = inputs::runbook(app, &runbook)?;
                app.screen.out(&match app.output {
                    Output::Json => view::runbook::json(&runbook).to_string(),
                    Output::Text => runbook.text.clone(),
                });
            }
            Verb::Check { runbook } => {
                let runbook = inputs::runbook(app, &runbook)?;
                app.screen.out(&match app.output {
                    Output::Json => view::runbook::json(&runbook).to_string(),
                    Output::Text => view::runbook::checked(&runbook),
                });
            }
            Verb::Schema => app.screen.out(&format!("{:#}", schema())),
        }
        Ok(ExitCode::SUCCESS)
    }
}

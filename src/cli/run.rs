//! `run`

use std::process::ExitCode;

use super::drive::Mode;
use super::inputs::RunbookArgs;
use super::{App, begin};
use crate::error::Failure;

/// Run a runbook: shows the plan, asks, does it, keeps a journal
///
/// Examples:
///   breakglass run api-overload --cluster prod -p offender=daemonsets.apps/monitoring/agent
///   breakglass run ./my-runbook.yaml --cluster all --yes --reason INC-4711
///   breakglass run --sandbox api-overload --yes       on the embedded practice cluster
///
/// Nothing is contacted before the answer is yes. The first Ctrl-C lets the request or command in flight finish and
/// stops; the second stops now. `breakglass resume RUN` goes on, `breakglass undo RUN` takes back.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct RunVerb {
    #[command(flatten)]
    runbook: RunbookArgs,
}

impl RunVerb {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        begin::runbook(&self.runbook, app, Mode::Run)
    }
}

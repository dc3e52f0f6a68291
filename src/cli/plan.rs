//! `plan`

use std::process::ExitCode;

use super::clusters::{self, KNOWN_IN_SANDBOX};
use super::inputs::RunbookArgs;
use super::{App, drive};
use crate::error::Failure;

/// Print a runbook's plan: every request with its body, every command with its text; contacts nothing
///
/// Examples:
///   breakglass plan api-overload --cluster prod -p offender=daemonsets.apps/monitoring/agent
///   breakglass plan api-overload --cluster all -o json | jq '.steps[].targets[].sends'
///
/// What only a look can know stands in angle brackets; `breakglass drill` looks.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct PlanVerb {
    #[command(flatten)]
    runbook: RunbookArgs,
}

impl PlanVerb {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let known = if app.flags.clusters.sandbox { KNOWN_IN_SANDBOX } else { &[] };
        let resolved = self.runbook.resolve(app, known)?;
        let plan = drive::block_on(async { drive::build(resolved, &clusters::choose(app).await?.clusters) })?;
        drive::print(app, &plan);
        Ok(ExitCode::SUCCESS)
    }
}

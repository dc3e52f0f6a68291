//! `plan`

use std::process::ExitCode;

use super::inputs::RunbookArgs;
use super::{App, clusters, drive};
use crate::error::Failure;
use crate::runbook::On;

/// Print a runbook's plan: every request with its body, every command with its text; contacts no API server and no host
///
/// Examples:
///   breakglass plan api-overload --cluster prod -p offender=daemonsets.apps/monitoring/agent
///   breakglass plan api-overload --cluster all -o json | jq '.steps[].targets[].sends'
///
/// What only a look can know stands in angle brackets; `breakglass drill` looks. With a kit nothing is contacted at all. Without
/// one, a server that is given by its name is looked up, `--via` asks `ssh -G` (which runs what `Match exec` says), and a
/// plugin of the kubeconfig is named and not run.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct PlanVerb {
    #[command(flatten)]
    runbook: RunbookArgs,
}

impl PlanVerb {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        self.runbook.resolve(app, On::NotYet)?;
        let plan = drive::block_on(async {
            let chosen = clusters::choose(app).await?;
            let resolved = self.runbook.resolve(app, chosen.on())?;
            drive::build(resolved, &chosen.clusters, app.flags.safety.fleet())
        })?;
        drive::print(app, &plan);
        Ok(ExitCode::SUCCESS)
    }
}

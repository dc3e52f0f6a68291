//! `drill`

use std::process::ExitCode;

use super::drive::Mode;
use super::inputs::RunbookArgs;
use super::{App, begin};
use crate::error::Failure;

/// Rehearse a runbook: looks for real, pretends the writes, by the same engine in the same order
///
/// Examples:
///   breakglass drill api-overload --cluster prod -p offender=daemonsets.apps/monitoring/agent
///   breakglass drill --sandbox api-overload
///
/// A step sees the world as it is: what an earlier step only pretended is not there, and is taken for made where the step
/// could not go on without it (a gate that is confirmed). The practice cluster is on a quiet day then.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Drill {
    #[command(flatten)]
    runbook: RunbookArgs,
}

impl Drill {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        begin::runbook(&self.runbook, app, Mode::Drill)
    }
}

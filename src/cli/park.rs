//! `park`

use std::process::ExitCode;

use super::App;
use super::single::{How, ObjectArgs, Single};
use crate::error::Failure;

/// Take a workload out of the way without deleting it; `undo` puts it back as it was
///
/// Examples:
///   breakglass park ds/telemetry-agent -n monitoring
///   breakglass park deployment telemetry-gateway -n monitoring --drill
///
/// A DaemonSet gets a node selector that no node fits, a Deployment or StatefulSet no replicas, a CronJob is suspended.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Park {
    #[command(flatten)]
    object: ObjectArgs,

    #[command(flatten)]
    how: How,
}

impl Park {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        Single { kind: "park", with: self.object.params(app), targets: None, how: self.how }.run(app)
    }
}

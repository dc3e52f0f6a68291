//! `park`

use std::process::ExitCode;

use super::App;
use super::single::{How, ObjectArgs, Single};
use crate::error::Failure;

/// Take a workload, or all of a namespace, out of the way without deleting it; `undo` puts it back as it was
///
/// Examples:
///   breakglass park ds/telemetry-agent -n monitoring
///   breakglass park deployment telemetry-gateway -n monitoring --drill
///   breakglass park ns/monitoring --drill                          all workloads of it, as one set
///
/// A DaemonSet gets a node selector that no node fits, a Deployment or StatefulSet no replicas, a CronJob or Job is suspended.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Park {
    #[command(flatten)]
    object: ObjectArgs,

    /// Of a namespace: do not ask although the cluster itself needs some of it, by the priority of their pods.
    #[arg(long)]
    accept_critical: bool,

    #[command(flatten)]
    how: How,
}

impl Park {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let mut with = self.object.params(app);
        if self.accept_critical {
            with.insert("acceptCritical".into(), true.into());
        }
        Single { kind: "park", with, targets: None, how: self.how }.run(app)
    }
}

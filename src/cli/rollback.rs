//! `rollback`

use std::process::ExitCode;

use super::App;
use super::single::{How, ObjectArgs, Single};
use crate::duration::HumanDuration;
use crate::error::Failure;

/// Put the pod template of a DaemonSet, StatefulSet or Deployment back to the revision before
///
/// Examples:
///   breakglass rollback ds/telemetry-agent -n monitoring
///   breakglass rollback deployment telemetry-gateway -n monitoring --to-revision 7
///   breakglass rollback ds/monitoring/telemetry-agent --wait 5m     and wait for its pods
///
/// As `kubectl rollout undo`, by two looks and one patch. What was rolled back already is not rolled back again unless
/// --to-revision says so. `undo` brings back the template that was there.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Rollback {
    #[command(flatten)]
    object: ObjectArgs,

    /// The number of the revision; the one before the one that it has when it is not said.
    #[arg(long, value_name = "NUMBER")]
    to_revision: Option<i64>,

    /// The uid it must have; anything else of that name is left alone.
    #[arg(long)]
    uid: Option<String>,

    /// How long to wait for its pods to be what the template says; not at all when it is not said.
    #[arg(long, value_name = "DURATION")]
    wait: Option<HumanDuration>,

    /// Do not ask although the cluster itself needs it: what is in kube-system, or of a system-critical priority.
    #[arg(long)]
    accept_critical: bool,

    #[command(flatten)]
    how: How,
}

impl Rollback {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let mut with = self.object.params(app);
        if let Some(number) = self.to_revision {
            with.insert("toRevision".into(), number.into());
        }
        if let Some(uid) = self.uid {
            with.insert("uid".into(), uid.into());
        }
        if let Some(wait) = self.wait {
            with.insert("wait".into(), wait.to_string().into());
        }
        if self.accept_critical {
            with.insert("acceptCritical".into(), true.into());
        }
        Single { kind: "rollback", with, targets: None, how: self.how }.run(app)
    }
}

//! `end-pods`

use std::process::ExitCode;

use super::App;
use super::single::{How, ObjectArgs, Single};
use crate::error::Failure;

/// End the pods of one workload through the API, and none but those
///
/// Examples:
///   breakglass end-pods ds/telemetry-agent -n monitoring            each within its own grace
///   breakglass end-pods ds/telemetry-agent -n monitoring --force    behind a gate, where no kubelet hears of it
///   breakglass end-pods ds/monitoring/telemetry-agent --selector app=agent     the DaemonSet is gone already
///
/// Park the workload first: its controller makes new pods in place of those that end. What must never run twice (a
/// StatefulSet, pods with volumes of their own) is ended by force only when its name is typed.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct EndPods {
    #[command(flatten)]
    object: ObjectArgs,

    /// By force: the API forgets the pods at once, while their containers run on until their kubelets hear of it.
    #[arg(long)]
    force: bool,

    /// Seconds that the pods get to end by themselves; each pod's own value when it is not said.
    #[arg(long, value_name = "SECONDS", conflicts_with = "force")]
    grace: Option<u32>,

    /// Labels that its pods have and no others, as kubectl takes them; for a workload that is gone already.
    #[arg(long, short = 'l', value_name = "LABELS")]
    selector: Option<String>,

    #[command(flatten)]
    how: How,
}

impl EndPods {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let mut with = self.object.params(app);
        if let Some(object) = with.remove("object") {
            with.insert("workload".into(), object);
        }
        if self.force {
            with.insert("force".into(), true.into());
        }
        if let Some(seconds) = self.grace {
            with.insert("grace".into(), seconds.into());
        }
        if let Some(selector) = self.selector {
            with.insert("selector".into(), selector.into());
        }
        Single { kind: "end-pods", with, targets: None, how: self.how }.run(app)
    }
}

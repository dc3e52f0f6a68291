//! `freeze-pods`

use std::process::ExitCode;

use super::App;
use super::single::{How, ObjectArgs, Single};
use crate::duration::HumanDuration;
use crate::error::Failure;
use crate::limits::Limits;
use crate::runbook::Policy;

/// How many hosts at a time.
const AT_ONCE: usize = 32;

/// Freeze a workload's pods on their nodes, over SSH, without any API server; they go on by `undo`, and by themselves after their time
///
/// Examples:
///   breakglass freeze-pods ds/telemetry-agent -n monitoring --targets role:node
///   breakglass freeze-pods ds/monitoring/telemetry-agent --targets 'n[001-400]' --for 2h
///
/// No process of the pods runs any more, also none that their kubelet starts in there; nothing is deleted. The first host goes alone, and
/// where it cannot be done there, it is done nowhere.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct FreezePods {
    #[command(flatten)]
    object: ObjectArgs,

    /// How long, with nobody to end it [default: 30m].
    #[arg(long = "for", value_name = "TIME")]
    time: Option<HumanDuration>,

    /// Do not ask although it is in kube-system.
    #[arg(long)]
    accept_critical: bool,

    /// On these hosts, by their names in the kit.
    #[arg(long, value_name = "NAMES", required = true)]
    targets: Option<String>,

    #[command(flatten)]
    how: How,
}

impl FreezePods {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let mut with = self.object.params(app);
        with.extend(self.time.map(|time| ("for".to_owned(), time.to_string().into())));
        if self.accept_critical {
            with.insert("acceptCritical".into(), true.into());
        }
        // One node that cannot be reached keeps no other from it; the first shows whether it can be done at all.
        let limits = Limits { canary: true, ..Limits::whatever_fails(AT_ONCE) };
        let policy = Policy { limits, ..Policy::default() };
        Single { kind: "freeze-pods", with, targets: self.targets, how: self.how }.run_with(app, policy)
    }
}

//! `freeze-automation`

use std::process::ExitCode;

use super::App;
use super::automation::AutomationArgs;
use super::single::{How, Single};
use crate::error::Failure;

/// Keep an object from being put back: freeze the GitOps that manages it, from the top down; `undo` gives it back as it was
///
/// Examples:
///   breakglass freeze-automation ds/agent -n telemetry --drill     who puts it back, and what would be changed
///   breakglass freeze-automation ds/agent -n telemetry
///   breakglass freeze-automation application/argocd/edge           where the workload is gone already
///   breakglass freeze-automation --all argo-cd                     every Application of the cluster
///
/// An Application loses syncPolicy.automated, an ApplicationSet gets applicationsSync: create-only, a Kustomization or
/// HelmRelease suspend: true. What was there is noted in the object itself: `thaw-automation` needs no journal.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct FreezeAutomation {
    #[command(flatten)]
    whose: AutomationArgs,

    #[command(flatten)]
    how: How,
}

impl FreezeAutomation {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        Single { kind: "freeze-automation", with: self.whose.params(app), targets: None, how: self.how }.run(app)
    }
}

//! `thaw-automation`

use std::process::ExitCode;

use super::App;
use super::automation::AutomationArgs;
use super::single::{How, Single};
use crate::error::Failure;

/// Give back what `freeze-automation` took, by the marks in the objects: for a run whose journal is elsewhere
///
/// Examples:
///   breakglass thaw-automation application/argocd/edge             and what manages that
///   breakglass thaw-automation --all flux --drill                  what stands frozen, and what would be given back
///
/// What somebody has set anew since stands, and only the mark goes; what has no mark is left as it is.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct ThawAutomation {
    #[command(flatten)]
    whose: AutomationArgs,

    #[command(flatten)]
    how: How,
}

impl ThawAutomation {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        Single { kind: "thaw-automation", with: self.whose.params(app), targets: None, how: self.how }.run(app)
    }
}

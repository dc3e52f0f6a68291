//! `refuse-return`

use std::process::ExitCode;

use super::App;
use super::single::{How, ObjectArgs, Single};
use crate::duration::HumanDuration;
use crate::error::Failure;

/// Keep one object away: API servers refuse whoever makes it again, until a time; `undo` lets it in
///
/// Examples:
///   breakglass refuse-return ds/agent -n telemetry --ask 'on-call of platform, 5555'
///   breakglass refuse-return ds/agent -n telemetry --lasts 2h --drill
///
/// By a ValidatingAdmissionPolicy (Kubernetes 1.30 and later): no webhook, no pod. Whoever is refused reads why, until when,
/// and whom to ask. For where what puts it back is not known, or cannot be stopped: else freeze-automation.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct RefuseReturn {
    #[command(flatten)]
    object: ObjectArgs,

    /// For how long [default: 1d].
    #[arg(long, value_name = "DURATION")]
    lasts: Option<HumanDuration>,

    /// Whom to ask, for whoever is refused to read [default: who runs this].
    #[arg(long, value_name = "WHO")]
    ask: Option<String>,

    #[command(flatten)]
    how: How,
}

impl RefuseReturn {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let mut with = self.object.params(app);
        with.extend(self.lasts.map(|lasts| ("lasts".to_owned(), lasts.to_string().into())));
        with.extend(self.ask.map(|who| ("ask".to_owned(), who.into())));
        Single { kind: "refuse-return", with, targets: None, how: self.how }.run(app)
    }
}

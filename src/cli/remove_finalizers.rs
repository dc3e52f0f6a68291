//! `remove-finalizers`

use std::process::ExitCode;

use super::App;
use super::single::{How, ObjectArgs, Single};
use crate::error::Failure;

/// End an object that was deleted and does not go away: take the finalizers that hold it off it, by typed consent
///
/// Examples:
///   breakglass remove-finalizers ns/team --drill                     what holds it; nothing is changed
///   breakglass remove-finalizers widgets.v1.example.com/team/one
///   breakglass remove-finalizers svc/team/front --finalizer service.kubernetes.io/load-balancer-cleanup
///
/// What a finalizer guards is not cleaned up then: first see whether its controller can be started. Its name has to be typed;
/// unattended: --yes --consent NAME. `undo` makes the object anew from a copy that is kept.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct RemoveFinalizers {
    #[command(flatten)]
    object: ObjectArgs,

    /// This finalizer only; may be repeated [default: all that are on it, but the garbage collector's own].
    #[arg(long, value_name = "FINALIZER")]
    finalizer: Vec<String>,

    /// Also where nobody has deleted the object yet: a later deletion does not wait for them.
    #[arg(long)]
    before_delete: bool,

    /// The uid it must have; anything else of that name is left alone.
    #[arg(long)]
    uid: Option<String>,

    #[command(flatten)]
    how: How,
}

impl RemoveFinalizers {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let mut with = self.object.params(app);
        if !self.finalizer.is_empty() {
            with.insert("finalizers".into(), self.finalizer.into());
        }
        if self.before_delete {
            with.insert("beforeDelete".into(), true.into());
        }
        with.extend(self.uid.map(|uid| ("uid".to_owned(), uid.into())));
        Single { kind: "remove-finalizers", with, targets: None, how: self.how }.run(app)
    }
}

//! `delete`

use std::process::ExitCode;

use super::App;
use super::single::{How, ObjectArgs, Single};
use crate::error::Failure;

/// Delete one object by its exact name: two API requests, saved first so that `undo` can put it back
///
/// Examples:
///   breakglass delete ds/telemetry-agent -n monitoring
///   breakglass delete daemonset telemetry-agent -n monitoring --no-save      one request
///   breakglass delete ds/monitoring/telemetry-agent --via cp1 --plan
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Delete {
    #[command(flatten)]
    object: ObjectArgs,

    /// Do not read and keep the object first: exactly one request, and no way back.
    #[arg(long)]
    no_save: bool,

    /// The uid it must have; anything else of that name is left alone.
    #[arg(long)]
    uid: Option<String>,

    /// Do not ask where more goes with it than `undo` can bring back: volumes, what is in a namespace.
    #[arg(long)]
    accept_data_loss: bool,

    #[command(flatten)]
    how: How,
}

impl Delete {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let mut with = self.object.params(app);
        if self.no_save {
            with.insert("save".into(), false.into());
        }
        if self.accept_data_loss {
            with.insert("acceptDataLoss".into(), true.into());
        }
        if let Some(uid) = self.uid {
            with.insert("uid".into(), uid.into());
        }
        Single { kind: "delete", with, targets: None, how: self.how }.run(app)
    }
}

//! `delete`

use std::process::ExitCode;

use super::App;
use super::single::{How, ObjectArgs, Single};
use crate::duration::HumanDuration;
use crate::error::Failure;

/// Delete one object by its exact name: two API requests, saved first so that `undo` can put it back
///
/// Examples:
///   breakglass delete ds/telemetry-agent -n monitoring
///   breakglass delete daemonset telemetry-agent -n monitoring --no-save      one request
///   breakglass delete ds/monitoring/telemetry-agent --via cp1 --plan
///   breakglass delete widgets.v1.example.com/team/one        a type that is no built-in one
///   breakglass delete ds/telemetry-agent -n monitoring --propagation orphan      its pods stay
///
/// What does not go away is named with what holds it: then remove-finalizers.
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

    /// What becomes of what it owns: goes afterwards (background), goes first (foreground), or stays (orphan).
    #[arg(long, visible_alias = "cascade", value_name = "HOW", default_value = "background")]
    #[arg(value_parser = ["background", "foreground", "orphan"])]
    propagation: String,

    /// Seconds that a pod gets to end by itself [default: its own].
    #[arg(long, value_name = "SECONDS")]
    grace: Option<u32>,

    /// How long it is waited for until it is gone, its grace apart, before what holds it is said [default: 30s].
    #[arg(long, value_name = "DURATION")]
    gone_within: Option<HumanDuration>,

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
        if self.propagation != "background" {
            with.insert("propagation".into(), self.propagation.into());
        }
        with.extend(self.grace.map(|seconds| ("gracePeriodSeconds".to_owned(), seconds.into())));
        with.extend(self.gone_within.map(|time| ("goneWithin".to_owned(), time.to_string().into())));
        Single { kind: "delete", with, targets: None, how: self.how }.run(app)
    }
}

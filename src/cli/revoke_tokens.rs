//! `revoke-tokens`

use std::process::ExitCode;

use serde_json::Map;

use super::App;
use super::single::{How, Single};
use crate::duration::HumanDuration;
use crate::error::Failure;

/// Have every token of a service account refused: its account is deleted; `undo` makes it anew, not the tokens
///
/// Examples:
///   breakglass revoke-tokens sa/monitoring/telemetry-agent
///   breakglass revoke-tokens system:serviceaccount:monitoring:telemetry-agent --plan
///   breakglass revoke-tokens sa/monitoring/telemetry-agent --yes --consent telemetry-agent      unattended
///
/// For an offender whose rights come from anywhere, or who floods with requests that are refused: 401 costs an API server
/// next to nothing, and takes no seat. Its pods are refused until they are new: first see whether revoke, jail or throttle do.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct RevokeTokens {
    /// Whose: serviceaccount/NAMESPACE/NAME or system:serviceaccount:NAMESPACE:NAME.
    subject: String,

    /// The uid it must have; another account of that name is left alone.
    #[arg(long)]
    uid: Option<String>,

    /// How long it may take until no API server holds a request of it [default: 90s].
    #[arg(long, value_name = "TIME")]
    within: Option<HumanDuration>,

    #[command(flatten)]
    how: How,
}

impl RevokeTokens {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let mut with = Map::new();
        with.insert("subject".into(), self.subject.into());
        let namespace = app.flags.connection.namespace.clone();
        with.extend(namespace.map(|namespace| ("namespace".to_owned(), namespace.into())));
        with.extend(self.uid.map(|uid| ("uid".to_owned(), uid.into())));
        with.extend(self.within.map(|within| ("within".to_owned(), within.to_string().into())));
        Single { kind: "revoke-tokens", with, targets: None, how: self.how }.run(app)
    }
}

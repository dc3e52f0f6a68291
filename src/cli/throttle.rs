//! `throttle`

use std::process::ExitCode;

use super::App;
use super::client::ClientArgs;
use super::single::{How, Single};
use crate::duration::HumanDuration;
use crate::error::Failure;

/// Let in one request of a client at a time, by priority and fairness; `undo` takes that back
///
/// Examples:
///   breakglass throttle serviceaccount/monitoring/telemetry-agent       all of its requests
///   breakglass throttle sa/monitoring/telemetry-agent --verbs list,watch --resources pods,nodes
///   breakglass throttle group/ci --plan                                 what would be sent; nothing is contacted
///
/// Two objects in the API, for any cluster of Kubernetes 1.29 or newer; system:masters is exempt. Where the API takes no
/// request, or all of the client's are to be refused: `breakglass jail`, by a file of the hosts.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Throttle {
    #[command(flatten)]
    client: ClientArgs,

    /// How long the API servers may take to heed it [default: 60s].
    #[arg(long, value_name = "TIME")]
    within: Option<HumanDuration>,

    #[command(flatten)]
    how: How,
}

impl Throttle {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let mut with = self.client.params(app);
        with.extend(self.within.map(|within| ("within".to_owned(), within.to_string().into())));
        Single { kind: "throttle", with, targets: None, how: self.how }.run(app)
    }
}

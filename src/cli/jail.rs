//! `jail`

use std::process::ExitCode;

use super::App;
use super::client::ClientArgs;
use super::single::{How, Single};
use crate::duration::HumanDuration;
use crate::error::Failure;

/// Have the API servers refuse one client, by a file of their hosts and no API request; `undo` lets it out again
///
/// Examples:
///   breakglass jail serviceaccount/monitoring/telemetry-agent           all of its requests
///   breakglass jail sa/monitoring/telemetry-agent --verbs list,watch --resources pods,nodes
///   breakglass jail group/ci --plan                                     what would be sent; nothing is contacted
///   breakglass undo last                                                out again, to the byte
///
/// In force within a second, without a restart. For API servers that run with --authorization-config: those of
/// `breakglass prepare authorization-config`. Its connections, and the watches that are open, go on.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Jail {
    #[command(flatten)]
    client: ClientArgs,

    /// How long a request of it is looked for that shows whether the jail is in force [default: 15s].
    #[arg(long, value_name = "TIME")]
    within: Option<HumanDuration>,

    /// Only these hosts, by their names in the kit.
    #[arg(long, value_name = "NAMES")]
    targets: Option<String>,

    #[command(flatten)]
    how: How,
}

impl Jail {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let mut with = self.client.params(app);
        with.extend(self.within.map(|within| ("within".to_owned(), within.to_string().into())));
        Single { kind: "jail", with, targets: self.targets, how: self.how }.run(app)
    }
}

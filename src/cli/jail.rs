//! `jail`

use std::process::ExitCode;

use serde_json::Map;

use super::App;
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
    /// Whom: system:serviceaccount:NAMESPACE:NAME, serviceaccount/NAMESPACE/NAME, user/NAME, group/NAME, or a user name.
    subject: String,

    /// Only requests of these verbs (get, list, watch, create, update, patch, delete, deletecollection).
    #[arg(long, value_name = "VERBS", value_delimiter = ',')]
    verbs: Vec<String>,

    /// Only requests for these (pods, deployments, PLURAL.GROUP).
    #[arg(long, value_name = "RESOURCES", value_delimiter = ',')]
    resources: Vec<String>,

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
        let mut with = Map::new();
        with.insert("subject".into(), self.subject.into());
        for (key, list) in [("verbs", self.verbs), ("resources", self.resources)] {
            if !list.is_empty() {
                with.insert(key.into(), list.into());
            }
        }
        let namespace = app.flags.connection.namespace.clone();
        with.extend(namespace.map(|namespace| ("namespace".to_owned(), namespace.into())));
        with.extend(self.within.map(|within| ("within".to_owned(), within.to_string().into())));
        Single { kind: "jail", with, targets: self.targets, how: self.how }.run(app)
    }
}

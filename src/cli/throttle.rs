//! `throttle`

use std::process::ExitCode;

use serde_json::Map;

use super::App;
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
    /// Whom: system:serviceaccount:NAMESPACE:NAME, serviceaccount/NAMESPACE/NAME, user/NAME, group/NAME, or a user name.
    subject: String,

    /// Only requests of these verbs (get, list, watch, create, update, patch, delete, deletecollection).
    #[arg(long, value_name = "VERBS", value_delimiter = ',')]
    verbs: Vec<String>,

    /// Only requests for these (pods, deployments, PLURAL.GROUP).
    #[arg(long, value_name = "RESOURCES", value_delimiter = ',')]
    resources: Vec<String>,

    /// How long the API servers may take to heed it [default: 60s].
    #[arg(long, value_name = "TIME")]
    within: Option<HumanDuration>,

    #[command(flatten)]
    how: How,
}

impl Throttle {
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
        Single { kind: "throttle", with, targets: None, how: self.how }.run(app)
    }
}

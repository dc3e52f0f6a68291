//! A client that a verb is about, and which of its requests.

use serde_json::{Map, Value};

use crate::cli::App;

/// Whom, and which requests.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ClientArgs {
    /// Whom: system:serviceaccount:NAMESPACE:NAME, serviceaccount/NAMESPACE/NAME, user/NAME, group/NAME, or a user name.
    subject: String,

    /// Only requests of these verbs (get, list, watch, create, update, patch, delete, deletecollection).
    #[arg(long, value_name = "VERBS", value_delimiter = ',')]
    verbs: Vec<String>,

    /// Only requests for these (pods, deployments, PLURAL.GROUP).
    #[arg(long, value_name = "RESOURCES", value_delimiter = ',')]
    resources: Vec<String>,
}

impl ClientArgs {
    /// As the parameters `subject`, `namespace`, `verbs` and `resources` of a step.
    pub(in crate::cli) fn params(self, app: &App) -> Map<String, Value> {
        let mut with = Map::new();
        with.insert("subject".into(), self.subject.into());
        for (key, list) in [("verbs", self.verbs), ("resources", self.resources)] {
            if !list.is_empty() {
                with.insert(key.into(), list.into());
            }
        }
        let namespace = app.flags.connection.namespace.clone();
        with.extend(namespace.map(|namespace| ("namespace".to_owned(), namespace.into())));
        with
    }
}

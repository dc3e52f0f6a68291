//! `revoke`

use std::process::ExitCode;

use serde_json::Map;

use super::App;
use super::single::{How, Single};
use crate::error::Failure;

/// Take away what RBAC allows a service account, user or group; `undo` puts the bindings back
///
/// Examples:
///   breakglass revoke serviceaccount/monitoring/telemetry-agent
///   breakglass revoke --workload ds/telemetry-agent -n monitoring            whatever its pods run as
///   breakglass revoke sa/monitoring/telemetry-agent --binding clusterrolebinding/telemetry-agent
///
/// From then on each of its requests is answered with 403 at once, also where nothing can reach and stop what sends
/// them. With --binding: two requests for each, and no LIST.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Revoke {
    /// Whose rights: system:serviceaccount:NAMESPACE:NAME, serviceaccount/NAMESPACE/NAME, user/NAME, group/NAME, or a
    /// user name.
    #[arg(required_unless_present = "workload")]
    subject: Option<String>,

    /// Instead: what the pods of this workload run as (TYPE/NAME with -n, or TYPE/NAMESPACE/NAME).
    #[arg(long, value_name = "OBJECT", conflicts_with = "subject")]
    workload: Option<String>,

    /// Look at this binding only: clusterrolebinding/NAME or rolebinding/NAMESPACE/NAME; may be given several times.
    #[arg(long = "binding", value_name = "NAME")]
    bindings: Vec<String>,

    /// When more bindings than this name it, change nothing [default: 10].
    #[arg(long, value_name = "NUMBER")]
    at_most: Option<u32>,

    #[command(flatten)]
    how: How,
}

impl Revoke {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let mut with = Map::new();
        let namespace = app.flags.connection.namespace.clone();
        for (key, value) in [("subject", self.subject), ("workload", self.workload), ("namespace", namespace)] {
            with.extend(value.map(|value| (key.to_owned(), value.into())));
        }
        if !self.bindings.is_empty() {
            with.insert("bindings".into(), self.bindings.into());
        }
        with.extend(self.at_most.map(|number| ("atMost".to_owned(), number.into())));
        Single { kind: "revoke", with, targets: None, how: self.how }.run(app)
    }
}

//! `disarm`

use std::process::ExitCode;

use serde_json::Map;

use super::App;
use super::single::{How, Single};
use crate::error::Failure;

/// Take an admission webhook or policy that refuses or hangs out of the way; `undo` arms it again as it was
///
/// Examples:
///   breakglass disarm --drill                                          which webhooks cannot answer, and why
///   breakglass disarm --webhook validate.kyverno.svc-fail              the one that a refusal quotes
///   breakglass disarm validatingwebhookconfiguration/policy --exclude-namespace kube-system
///   breakglass disarm validatingadmissionpolicybinding/hold-all        it warns where it refused
///
/// With nothing named: each webhook with failurePolicy Fail that cannot answer gets Ignore, one PATCH for each
/// configuration. Admission is never asked about these objects, so that this gets through.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Disarm {
    /// What to disarm: validatingwebhookconfiguration/NAME, mutatingwebhookconfiguration/NAME,
    /// validatingadmissionpolicybinding/NAME, mutatingadmissionpolicybinding/NAME or apiservice/NAME.
    #[arg(num_args = 0..=2, value_name = "OBJECT")]
    object: Vec<String>,

    /// Only this webhook, by its own name as a refusal quotes it.
    #[arg(long, value_name = "NAME")]
    webhook: Option<String>,

    /// Leave its failurePolicy, and do not have it asked about this namespace; may be given several times.
    #[arg(long = "exclude-namespace", value_name = "NAMESPACE", conflicts_with = "delete")]
    namespaces: Vec<String>,

    /// Save the whole object and delete it.
    #[arg(long)]
    delete: bool,

    /// When more configurations than this have webhooks that cannot answer, change nothing [default: 10].
    #[arg(long, value_name = "NUMBER")]
    at_most: Option<u32>,

    /// Look at the conversion webhooks of custom resources, too; they are only told.
    #[arg(long)]
    conversions: bool,

    #[command(flatten)]
    how: How,
}

impl Disarm {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let mut with = Map::new();
        if !self.object.is_empty() {
            with.insert("object".into(), self.object.join("/").into());
        }
        with.extend(self.webhook.map(|name| ("webhook".to_owned(), name.into())));
        if !self.namespaces.is_empty() {
            with.insert("namespaces".into(), self.namespaces.into());
        }
        if self.delete {
            with.insert("how".into(), "delete".into());
        }
        with.extend(self.at_most.map(|number| ("atMost".to_owned(), number.into())));
        if self.conversions {
            with.insert("conversions".into(), true.into());
        }
        Single { kind: "disarm", with, targets: None, how: self.how }.run(app)
    }
}

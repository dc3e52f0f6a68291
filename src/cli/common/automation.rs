//! Whose automation a verb is about.

use serde_json::{Map, Value};

use crate::cli::App;

/// The flags of `freeze-automation` and `thaw-automation`.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct AutomationArgs {
    /// The workload, or what puts it back: application/NAMESPACE/NAME, applicationset/…, kustomization/… or helmrelease/….
    #[arg(required_unless_present = "all", num_args = 1..=2, value_name = "OBJECT")]
    object: Vec<String>,

    /// In place of an object: all of the cluster.
    #[arg(long, value_name = "WHOSE", conflicts_with = "object")]
    all: Option<All>,

    /// With --all: when more objects than this would be changed, change nothing [default: 200].
    #[arg(long, value_name = "NUMBER", requires = "all")]
    at_most: Option<u32>,

    /// The namespace of Argo CD, where an Application is looked for that is named without one [default: argocd].
    #[arg(long, value_name = "NAMESPACE")]
    argocd_namespace: Option<String>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum All {
    /// Argo CD: Applications, and the ApplicationSets that make them
    ArgoCd,
    /// Flux: Kustomizations and HelmReleases
    Flux,
}

impl AutomationArgs {
    /// As parameters of a step.
    pub(in crate::cli) fn params(self, app: &App) -> Map<String, Value> {
        let mut with = Map::new();
        if !self.object.is_empty() {
            with.insert("object".into(), self.object.join("/").into());
        }
        let all = self.all.map(|all| match all {
            All::ArgoCd => "argo-cd",
            All::Flux => "flux",
        });
        with.extend(all.map(|all| ("all".to_owned(), all.into())));
        with.extend(self.at_most.map(|number| ("atMost".to_owned(), number.into())));
        with.extend(self.argocd_namespace.map(|name| ("argocdNamespace".to_owned(), name.into())));
        if let Some(namespace) = &app.flags.connection.namespace {
            with.insert("namespace".into(), namespace.as_str().into());
        }
        with
    }
}

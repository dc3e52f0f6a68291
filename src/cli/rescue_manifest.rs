//! `rescue-manifest`

use std::process::ExitCode;

use serde_json::Map;

use super::App;
use super::single::{How, Single};
use crate::error::Failure;

/// Bring back a component that its static pod keeps down: the bad flag or the stray file out; `undo` puts it back
///
/// Examples:
///   breakglass rescue-manifest                         the API server, on every control-plane host, one after another
///   breakglass rescue-manifest etcd --targets cp1
///   breakglass rescue-manifest --stray kube-apiserver.yaml.bak
///   breakglass rescue-manifest --targets cp1 --from kit
///   breakglass rescue-manifest --targets cp1 --from /etc/kubernetes/before.yaml
///
/// Whatever else keeps it down is told with what shows it, and nothing is changed.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct RescueManifest {
    /// Which component.
    #[arg(value_name = "PROGRAM", default_value = "kube-apiserver", value_parser = ["kube-apiserver", "etcd", "kube-scheduler", "kube-controller-manager"])]
    program: String,

    /// The file to move out of the manifests' folder, by its path or name; only needed where it cannot be told which one is the
    /// stray.
    #[arg(long, value_name = "FILE")]
    stray: Option<String>,

    /// Another text of the manifest: `kit` for what `kit refresh` kept, or a file of the host. It is put in the place of the one that
    /// keeps it down, or that is gone.
    #[arg(long, value_name = "FILE", conflicts_with = "stray")]
    from: Option<String>,

    /// Only these hosts, by their names in the kit.
    #[arg(long, value_name = "NAMES")]
    targets: Option<String>,

    #[command(flatten)]
    how: How,
}

impl RescueManifest {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let mut with = Map::new();
        with.insert("program".into(), self.program.into());
        if let Some(stray) = self.stray {
            with.insert("stray".into(), stray.into());
        }
        if let Some(from) = self.from {
            with.insert("from".into(), from.into());
        }
        Single { kind: "rescue-manifest", with, targets: self.targets, how: self.how }.run(app)
    }
}

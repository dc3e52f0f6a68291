//! `prepare authorization-config`

use std::process::ExitCode;

use serde_json::Map;

use super::App;
use super::single::{How, Single};
use crate::error::Failure;

/// Have API servers read their authorizers from a file, one restart each, so that `jail` works at once; `undo` goes back
///
/// Examples:
///   breakglass prepare authorization-config --drill      what would be done on each host; nothing is changed
///   breakglass prepare authorization-config              one control-plane host after another
///
/// For API servers that kubelets run from a manifest with --authorization-mode of Node and RBAC (kubeadm), Kubernetes 1.30 or later.
/// Who is allowed what does not change. A manifest whose process does not answer gives way to the old one by itself.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(in crate::cli) struct AuthorizationConfig {
    /// The file [default: /etc/kubernetes/authorization/config.yaml].
    #[arg(long, value_name = "FILE")]
    file: Option<String>,

    /// Only these hosts, by their names in the kit.
    #[arg(long, value_name = "NAMES")]
    targets: Option<String>,

    #[command(flatten)]
    how: How,
}

impl AuthorizationConfig {
    pub(in crate::cli) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let mut with = Map::new();
        with.extend(self.file.map(|file| ("file".to_owned(), file.into())));
        Single { kind: "prepare-authorization-config", with, targets: self.targets, how: self.how }.run(app)
    }
}

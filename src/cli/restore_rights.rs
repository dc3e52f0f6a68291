//! `restore-rights`

use std::process::ExitCode;

use serde_json::Map;

use super::App;
use super::single::{How, Single};
use crate::error::Failure;

/// Put the rights of administrators back where their binding is gone, empty or gives another role
///
/// Examples:
///   breakglass restore-rights --kubeconfig super-admin.conf             kubeadm:cluster-admins and cluster-admin
///   breakglass restore-rights --binding oncall --group oncall
///   breakglass restore-rights --binding audit --role view --user jane --drill
///
/// It takes a credential that no binding can take rights from, or one that has these rights: kubeadm's super-admin.conf is
/// one. `undo` deletes what was created and takes out what was added.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct RestoreRights {
    /// The ClusterRoleBinding; without it kubeadm:cluster-admins, and with it cluster-admin.
    #[arg(long, value_name = "NAME")]
    binding: Option<String>,

    /// The ClusterRole that it gives [default: cluster-admin].
    #[arg(long, value_name = "NAME")]
    role: Option<String>,

    /// A group that it has to name; may be given several times.
    #[arg(long = "group", value_name = "NAME")]
    groups: Vec<String>,

    /// A user that it has to name, or system:serviceaccount:NAMESPACE:NAME; may be given several times.
    #[arg(long = "user", value_name = "NAME")]
    users: Vec<String>,

    #[command(flatten)]
    how: How,
}

impl RestoreRights {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let mut with = Map::new();
        for (key, value) in [("binding", self.binding), ("role", self.role)] {
            with.extend(value.map(|value| (key.to_owned(), value.into())));
        }
        for (key, names) in [("groups", self.groups), ("users", self.users)] {
            with.insert(key.into(), names.into());
        }
        Single { kind: "restore-rights", with, targets: None, how: self.how }.run(app)
    }
}

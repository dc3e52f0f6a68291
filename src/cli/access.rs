//! `access`

use std::path::Path;
use std::process::ExitCode;

use serde_json::Map;

use super::common::entrance::{self, WriteKubeconfig};
use super::common::hosts::Hosts;
use super::single::{How, Single};
use super::{App, clusters, drive};
use crate::duration::HumanDuration;
use crate::error::{Class, Failure};
use crate::host::credentials;
use crate::kit::held::{self, Entrance};
use crate::limits::Limits;
use crate::runbook::Policy;

/// See which credential of the cluster a control-plane host has, or have one signed there; runbooks use it in later steps
///
/// Examples:
///   breakglass access                                           reads what lies on the hosts, and says which would be taken
///   breakglass access --write-kubeconfig admin.conf             for kubectl
///   breakglass access --mint --for 1h                           has the cluster's CA sign one, after a typed word
///   breakglass access --mint --write-kubeconfig colleague.conf  and gives it to somebody
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Access {
    /// Have a new client certificate of system:masters signed by the cluster's CA on its host.
    #[arg(long)]
    mint: bool,

    /// Of this group instead, with the rights that the cluster's bindings give it.
    #[arg(long, value_name = "NAME", requires = "mint")]
    group: Option<String>,

    /// How long such a certificate is good [default: 1h].
    #[arg(long = "for", value_name = "TIME", requires = "mint")]
    time: Option<HumanDuration>,

    #[command(flatten)]
    kubeconfig: WriteKubeconfig,

    /// Only these hosts, by their names in the kit, in this order.
    #[arg(long, value_name = "NAMES")]
    targets: Option<String>,

    #[command(flatten)]
    how: How,
}

impl Access {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        if let Some(file) = self.kubeconfig.file()?
            && !self.mint
        {
            return read(app, self.targets.as_deref(), file);
        }
        let mut with = Map::new();
        if self.mint {
            with.insert("mint".into(), true.into());
        }
        with.extend(self.group.map(|group| ("group".to_owned(), group.into())));
        with.extend(self.time.map(|time| ("for".to_owned(), time.to_string().into())));
        let policy = Policy { limits: Limits::whatever_fails(1), ..Policy::default() };
        let single = Single { kind: "access", with, targets: self.targets, how: self.how };
        single.run_for(app, policy, &self.kubeconfig)
    }
}

/// Reads what lies on the hosts, and writes the first that is good down as a kubeconfig.
fn read(app: &App, targets: Option<&str>, file: &Path) -> Result<ExitCode, Failure> {
    drive::block_on(async {
        let chosen = clusters::choose(app).await?;
        let cluster = entrance::only(&chosen.clusters)?;
        let hosts = Hosts::new(app, &chosen, targets)?;
        let mut faults = Vec::new();
        for (target, said) in hosts.ask(&credentials::read()).await {
            match said.and_then(|keeps| keeps) {
                Ok(keeps) => match held::best(&keeps, cluster, target.short(), app.process.clock.now()) {
                    Ok(won) => {
                        let Some(server) = cluster.api_servers.first().cloned() else { continue };
                        let (trust, name) = (cluster.ca.clone(), cluster.tls_server_name.clone());
                        entrance::write(app, file, cluster, &Entrance { server, trust, name, won })?;
                        return Ok(ExitCode::SUCCESS);
                    }
                    Err(all) => faults.extend(all),
                },
                Err(why) => faults.push(format!("{target}: {why}")),
            }
        }
        let none = "no kubeconfig of an administrator lies on any of the hosts".to_owned();
        let why = if faults.is_empty() { none } else { faults.join("; ") };
        Err(Failure::new(Class::Refused, why).hint("breakglass access --mint has the cluster's CA sign one"))
    })
}

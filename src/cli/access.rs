//! `access`

use std::process::ExitCode;

use serde_json::Map;

use super::common::hosts::Hosts;
use super::single::{How, Single};
use super::{App, clusters, drive, inputs};
use crate::duration::HumanDuration;
use crate::error::{Class, Failure};
use crate::host::credentials;
use crate::kit::{Cluster, held};
use crate::limits::Limits;
use crate::runbook::Policy;

/// See which credential of the cluster a control-plane host has, or have one signed there; runbooks use it in later steps
///
/// Examples:
///   breakglass access                  reads what lies on the hosts, and says which would be taken
///   breakglass access --print-kubeconfig >admin.conf; chmod 600 admin.conf
///   breakglass access --mint --for 1h  has the cluster's CA sign one, after a typed word
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Access {
    /// Have a new client certificate of system:masters signed by the cluster's CA on its host.
    #[arg(long)]
    mint: bool,

    /// How long such a certificate is good [default: 1h].
    #[arg(long = "for", value_name = "TIME", requires = "mint")]
    time: Option<HumanDuration>,

    /// Print a kubeconfig with the credential that lies on a host, for kubectl: it is a secret, and goes to standard output alone.
    #[arg(long, conflicts_with_all = ["mint", "plan", "drill"])]
    print_kubeconfig: bool,

    /// Only these hosts, by their names in the kit, in this order.
    #[arg(long, value_name = "NAMES")]
    targets: Option<String>,

    #[command(flatten)]
    how: How,
}

impl Access {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        if self.print_kubeconfig {
            return print(app, self.targets.as_deref());
        }
        let mut with = Map::new();
        if self.mint {
            with.insert("mint".into(), true.into());
        }
        with.extend(self.time.map(|time| ("for".to_owned(), time.to_string().into())));
        let policy = Policy { limits: Limits::whatever_fails(1), ..Policy::default() };
        Single { kind: "access", with, targets: self.targets, how: self.how }.run_with(app, policy)
    }
}

/// What brings kubectl to the first API server of the kit, where only SSH leads there.
fn tunnel(cluster: &Cluster) -> Option<String> {
    let server = cluster.api_servers.first()?;
    let host = cluster.host(server.via.as_ref()?)?;
    let (address, port) = (server.address, server.address.port());
    Some(format!(
        "ssh -N -L {address}:{address} -p {} {}@{}, where port {port} of that address is free here",
        host.ssh.port, host.ssh.user, host.address
    ))
}

/// Reads what lies on the hosts, and prints the first that is good as a kubeconfig.
fn print(app: &App, targets: Option<&str>) -> Result<ExitCode, Failure> {
    drive::block_on(async {
        let chosen = clusters::choose(app).await?;
        let [cluster] = chosen.clusters.as_slice() else {
            return Err(inputs::refuse("--print-kubeconfig is for one cluster", "name it with --cluster"));
        };
        let hosts = Hosts::new(app, &chosen, targets)?;
        let mut faults = Vec::new();
        for (target, said) in hosts.ask(&credentials::read()).await {
            match said.and_then(|keeps| keeps) {
                Ok(keeps) => match held::best(&keeps, cluster, target.short(), app.process.clock.now()) {
                    Ok(good) => {
                        app.screen.err(&format!("{}: this is a secret", good.of));
                        if let Some(tunnel) = tunnel(cluster) {
                            app.screen.err(&format!("its API server is reached through SSH; for kubectl: {tunnel}"));
                        }
                        app.screen.out(&held::kubeconfig(cluster, &good.credential));
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

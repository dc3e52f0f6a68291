//! `kit import`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{App, drive, failure, inputs};
use crate::error::Failure;
use crate::kit::adhoc::{Asking, Plugins};
use crate::kit::import::{self, HostWord};
use crate::kit::{self, Cluster, Host, adhoc};
use crate::link::names;
use crate::link::ssh::config::Overrides;
use crate::refusal::Refusal;

/// `ssh -G` for every host, one name looked up and one credential plugin end by then.
const FIND_WITHIN: Duration = Duration::from_secs(60);

/// Make a file of the kit from what kubectl's and SSH's configurations say today, so that an incident needs neither
///
/// Examples:
///   breakglass kit import prod --context prod-admin --host cp1 --host cp2 --host cp3
///   breakglass kit import prod --host cp1=10.0.0.1,user=ops,sudo --host node7=10.0.0.7,role=node
///   breakglass kit import --kubeconfig admin.conf --tls-server-name kubernetes --replace
///   breakglass kit import rke2 --host cp1=10.0.0.1,manifests=/var/lib/rancher/rke2/agent/pod-manifests
///   breakglass kit import mk8s --host cp1=10.0.0.1,api=16443
///
/// A host takes two more words: `manifests=` is the folder of its static pods; `api=` is the API server's port on it, which
/// is else the port of the kubeconfig where that names a host's own address, and 6443 where it names a load balancer.
///
/// Nothing is connected to; names are looked up now and not in an incident. Certificates and keys of the kubeconfig go
/// into the file, which only its owner can read, and so do the host keys that known_hosts has; SSH keys stay where they
/// are.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Import {
    /// The cluster's name in the kit [default: the context's name].
    name: Option<String>,

    /// A host; may be given several times. A name of `ssh_config`, or
    /// NAME=ADDRESS[:PORT][,user=NAME][,identity=FILE][,jump=HOST][,role=control-plane|node][,sudo].
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<HostWord>,

    /// Write over the cluster's file.
    #[arg(long)]
    replace: bool,
}

impl Import {
    /// Writes the file and gives back what is read from it.
    pub(super) fn run(self, app: &App, folder: &Path) -> Result<Vec<Cluster>, Failure> {
        let connection = &app.flags.connection;
        if connection.via.is_some() || !app.flags.clusters.cluster.is_empty() || app.flags.clusters.sandbox {
            let what = "kit import takes one cluster of the kubeconfig; --via, --cluster and --sandbox mean others";
            return Err(inputs::refuse(what, "hosts are given by --host, the cluster by --context"));
        }
        let kit_refused = |refusal| failure::refused("the kit", vec![refusal]);
        let (hosts, mut found) = drive::block_on(async {
            let deadline = Instant::now() + FIND_WITHIN;
            let (hosts, notes) = self.hosts(app, deadline).await.map_err(|all| failure::refused("the hosts", all))?;
            let found = cluster(app, &hosts, deadline).await.map_err(|all| failure::refused("the cluster", all))?;
            notes.iter().chain(&found.notes).for_each(|note| app.screen.err(&format!("note: {note}")));
            Ok((hosts, found))
        })?;
        let name = self.name.unwrap_or_else(|| found.cluster.name.clone());
        if !kit::load::is_name(&name) {
            let what =
                format!("{name:?} cannot be a name in the kit: letters, digits, dots, dashes and underscores can");
            return Err(inputs::refuse(what, "give one: breakglass kit import NAME"));
        }
        if found.cluster.tls_server_name.is_none()
            && let Some(server) = found.cluster.api_servers.first().filter(|_| !hosts.is_empty())
        {
            // On a host's loopback the certificate does not stand for the address that is dialled.
            let ip = server.address.ip().to_string();
            app.screen.err(&format!(
                "note: through hosts, certificates are verified against {ip} too; when those of other API servers do not \
                 hold it, give a name that all of them do: --tls-server-name kubernetes"
            ));
            found.cluster.tls_server_name = Some(ip);
        }
        let ports = self.hosts.iter().filter_map(|word| Some((word.name.clone(), word.api_port?))).collect();
        let whole = import::with_hosts(found.cluster, hosts, &ports);
        if let Some(note) = other_port(&whole, &ports) {
            app.screen.err(&note);
        }
        let text = import::text(&name, &whole, app.process).map_err(|all| failure::refused("what was found", all))?;
        let path = import::write(folder, &name, &text, self.replace).map_err(kit_refused)?;
        app.screen.err(&format!("wrote {}; next: breakglass probe --cluster {name}", path.display()));
        kit::load::clusters(folder, &[name], app.process).map_err(|all| failure::refused("the kit", all))
    }

    /// Every host that was given, by the operator's own SSH configuration; or everything that is wrong with them.
    async fn hosts(&self, app: &App<'_>, deadline: Instant) -> Result<(Vec<Host>, Vec<String>), Vec<Refusal>> {
        let resolver = names::resolver(app.process);
        let (mut hosts, mut notes, mut refusals) = (Vec::new(), Vec::new(), Vec::new());
        for word in &self.hosts {
            let overrides = Overrides {
                address: word.address,
                user: word.user.clone(),
                port: word.port,
                identities: word.identities.iter().map(|path| absolute(app, path)).collect(),
                jump: word.jump.clone(),
                sudo: word.sudo,
            };
            match names::host(&resolver, &word.name, &overrides, deadline).await {
                Ok(named) => {
                    notes.extend(named.notes);
                    let mut host = Host { roles: word.roles.clone(), ..named.host };
                    if let Some(folder) = &word.manifests {
                        host.manifests.clone_from(folder);
                    }
                    notes.extend(names::copy_host_keys(&mut host));
                    hosts.push(host);
                }
                Err(refusal) => refusals.push(refusal),
            }
        }
        if refusals.is_empty() { Ok((hosts, notes)) } else { Err(refusals) }
    }
}

/// The cluster of the kubeconfig and the flags. With hosts of the control plane its own address need not be found.
async fn cluster(app: &App<'_>, hosts: &[Host], deadline: Instant) -> Result<adhoc::Found, Vec<Refusal>> {
    let flags = |via| app.flags.connection.flags(via);
    let hear = |line: &str| app.screen.err(line);
    let asking = Asking { deadline, plugins: Plugins::Run, hear: &hear };
    let refusals = match adhoc::cluster(&flags(None), app.process, &asking).await {
        Ok(found) => return Ok(found),
        Err(refusals) => refusals,
    };
    let Some(host) = hosts.iter().find(|host| host.roles.contains(&kit::Role::ControlPlane)) else {
        return Err(refusals);
    };
    let mut found = adhoc::cluster(&flags(Some(host.clone())), app.process, &asking).await?;
    let why = refusals.iter().map(|refusal| refusal.what.as_str()).collect::<Vec<_>>().join("; ");
    found.notes.push(format!("no direct route, only through hosts: {why}"));
    Ok(found)
}

/// That the port on the hosts is a guess, when the only port that is known is of something before them.
fn other_port(cluster: &Cluster, said: &BTreeMap<String, u16>) -> Option<String> {
    let (through, direct): (Vec<_>, Vec<_>) = cluster.api_servers.iter().partition(|server| server.via.is_some());
    let guessed = through.iter().find(|server| !said.contains_key(&server.name))?;
    let port = guessed.address.port();
    let other = direct.iter().find(|server| server.host.is_none())?;
    if direct.iter().any(|server| server.address.port() == port) {
        return None;
    }
    Some(format!(
        "note: on the hosts the API server's port is taken to be {port}; {} is of something before them; where it is another, \
         say it: --host {}=ADDRESS,api=PORT",
        other.address, guessed.name
    ))
}

/// A path as it must stand in the kit, whose paths are relative to its own files.
fn absolute(app: &App, path: &Path) -> PathBuf {
    match path.strip_prefix("~") {
        Ok(rest) => app.process.home().join(rest),
        Err(_) => app.process.cwd.join(path),
    }
}

//! `--write-kubeconfig`: a way in, for somebody's kubectl.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::inputs;
use crate::cli::App;
use crate::error::{Class, Failure};
use crate::kit::Cluster;
use crate::kit::held::{Entrance, kubeconfig};
use crate::world::Reads;

/// Where to write one.
#[derive(Debug, Clone, Default, clap::Args)]
pub(in crate::cli) struct WriteKubeconfig {
    /// Write a kubeconfig with that credential to a new file that only its owner may read: it is a secret.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["plan", "drill"])]
    write_kubeconfig: Option<PathBuf>,
}

impl WriteKubeconfig {
    /// The file; refused, before anything is done, where there is one already.
    pub(in crate::cli) fn file(&self) -> Result<Option<&Path>, Failure> {
        let Some(file) = &self.write_kubeconfig else { return Ok(None) };
        if file.symlink_metadata().is_ok() {
            let what = format!("{} is there already; nothing was contacted or changed", file.display());
            return Err(inputs::refuse(what, "--write-kubeconfig takes the name of a new file"));
        }
        Ok(Some(file))
    }
}

/// The one cluster that a kubeconfig is for; refused, before anything is done, where there are several.
pub(in crate::cli) fn only(clusters: &[Cluster]) -> Result<&Cluster, Failure> {
    match clusters {
        [cluster] => Ok(cluster),
        _ => Err(inputs::refuse("--write-kubeconfig is for one cluster", "name it with --cluster")),
    }
}

/// Writes down what a run won for a cluster.
pub(in crate::cli) fn of_run(app: &App, reads: &dyn Reads, file: &Path, cluster: &Cluster) -> Result<(), Failure> {
    match reads.entrance(&cluster.name) {
        Some(entrance) => write(app, file, cluster, &entrance),
        None => Err(Failure::new(Class::Refused, "no credential was won that a kubeconfig could hold")
            .hint("breakglass access says what lies on the hosts")),
    }
}

/// What brings kubectl to a server, where only SSH leads there.
fn tunnel(cluster: &Cluster, entrance: &Entrance) -> Option<String> {
    let server = &entrance.server;
    let host = cluster.host(server.via.as_ref()?)?;
    let (address, port) = (server.address, server.address.port());
    Some(format!(
        "ssh -N -L {address}:{address} -p {} {}@{}, where port {port} of that address is free here",
        host.ssh.port, host.ssh.user, host.address
    ))
}

pub(in crate::cli) fn write(app: &App, file: &Path, cluster: &Cluster, entrance: &Entrance) -> Result<(), Failure> {
    let text = kubeconfig(&cluster.name, entrance);
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    made.and_then(|mut made| made.write_all(text.as_bytes())).map_err(|error| {
        Failure::new(Class::Refused, format!("{} could not be written: {error}", file.display()))
            .hint("--write-kubeconfig takes the name of a new file in a folder that you may write to")
    })?;
    let shown = file.display();
    app.screen.err(&format!("{shown} has {}: a secret; kubectl --kubeconfig {shown} get nodes", entrance.won.of));
    if let Some(tunnel) = tunnel(cluster, entrance) {
        app.screen.err(&format!("its API server is reached through SSH; for kubectl: {tunnel}"));
    }
    Ok(())
}

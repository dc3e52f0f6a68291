//! A host that the operator names, by their own SSH configuration, as a host of a cluster.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Instant;

use super::ssh::config::{Overrides, Resolver, Surroundings};
use super::ssh::{Endpoint, lookup_name};
use crate::kit::{Host, Jump, Role, SshAccess};
use crate::process::Process;
use crate::refusal::{Location, Refusal};

/// Where static pods stand when nothing else is said.
const MANIFESTS: &str = "/etc/kubernetes/manifests";

/// A host, and what should be known about how it was found.
#[derive(Debug, Clone)]
pub struct Named {
    /// The host; it is one of the control plane until said otherwise.
    pub host: Host,
    /// One sentence each: names that were looked up, options that are not done.
    pub notes: Vec<String>,
}

/// A resolver for this process: its OpenSSH client, its home, its agent.
pub fn resolver(process: &Process) -> Resolver {
    let paths = process.var("PATH").unwrap_or("/usr/bin:/bin").split(':');
    let client = paths.map(|folder| PathBuf::from(folder).join("ssh")).find(|path| path.is_file());
    Resolver::new(Surroundings {
        client,
        config: None,
        home: process.home(),
        user: process.operator(),
        agent: process.var("SSH_AUTH_SOCK").map(PathBuf::from),
    })
}

/// The host that a name stands for. Nothing is connected to; at most one name is looked up.
///
/// # Errors
/// What the configuration or the name service says.
pub async fn host(resolver: &Resolver, name: &str, overrides: &Overrides, deadline: Instant) -> Result<Named, Refusal> {
    let refuse = |what: String, hint: String| Refusal {
        at: Location { file: "command line".into(), ..Location::default() },
        what,
        hint: Some(hint),
    };
    let found = resolver
        .resolve(name, overrides, deadline)
        .await
        .map_err(|error| refuse(error.to_string(), error.hint().to_owned()))?;
    let mut notes = found.notes;
    if found.looked_up {
        notes.push(format!("{name}: a name was looked up to find it; that needs DNS to be up"));
    }
    let address = |endpoint: &Endpoint| {
        endpoint.address.parse::<IpAddr>().map_err(|_| {
            let what =
                format!("{}: {} is no IP address, and jump hosts stand before it", endpoint.name, endpoint.address);
            refuse(what, format!("give its IP address as HostName of {} in ~/.ssh/config", endpoint.name))
        })
    };
    let mut jumps = Vec::new();
    for hop in &found.endpoint.jumps {
        jumps.push(Jump { name: hop.name.clone(), address: address(hop)?, ssh: access(hop, Vec::new()) });
    }
    let host = Host {
        name: name.to_owned(),
        address: address(&found.endpoint)?,
        ssh: access(&found.endpoint, jumps),
        roles: vec![Role::ControlPlane],
        manifests: MANIFESTS.into(),
    };
    Ok(Named { host, notes })
}

fn access(endpoint: &Endpoint, jumps: Vec<Jump>) -> SshAccess {
    let keys = &endpoint.host_keys;
    // An alias is looked up as it is, so the name that the configuration uses can stand there with its port.
    let name = keys.host.as_deref().filter(|host| *host != endpoint.address);
    let alias = keys.alias.clone().or_else(|| name.map(|host| lookup_name(host, endpoint.port)));
    SshAccess {
        port: endpoint.port,
        user: endpoint.user.clone(),
        identities: endpoint.identities.clone(),
        identities_only: endpoint.identities_only,
        certificates: endpoint.certificates.clone(),
        agent: endpoint.agent.clone(),
        host_keys: Vec::new(),
        known_hosts: keys.known.sources().iter().map(PathBuf::from).collect(),
        host_key_alias: alias,
        jumps,
        sudo: endpoint.sudo,
    }
}

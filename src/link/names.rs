//! A host that the operator names, by their own SSH configuration, as a host of a cluster.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Instant;

use super::ssh::config::{Overrides, Resolver, Surroundings};
use super::ssh::{Endpoint, KnownHosts, lookup_name};
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

/// Copies what the operator's known_hosts files say of a host, and of the jump hosts before it, into its entry, so that
/// the kit needs none of these files. Returns the names of whom they say nothing; these keep the files.
pub fn copy_host_keys(host: &mut Host) -> Vec<String> {
    let jumps = host.ssh.jumps.iter_mut().map(|jump| (&jump.name, jump.address, &mut jump.ssh));
    let mut unknown: Vec<String> = jumps.filter_map(|(name, address, ssh)| keep_keys(name, address, ssh)).collect();
    // The host's own jumps are part of its way in, so they are done apart from it.
    unknown.extend(keep_keys(&host.name, host.address, &mut host.ssh));
    unknown
}

/// One of them; its name when nothing is said of it.
fn keep_keys(name: &str, address: IpAddr, ssh: &mut SshAccess) -> Option<String> {
    let lines = KnownHosts::from_files(&ssh.known_hosts).lines_of(&key_name(address, ssh));
    if lines.iter().all(|line| line.starts_with("@revoked ")) {
        return Some(name.to_owned());
    }
    ssh.known_hosts.clear();
    for line in lines {
        if !ssh.host_keys.contains(&line) {
            ssh.host_keys.push(line);
        }
    }
    None
}

/// Whether a key of a host, or of an authority for it, is known: in its entry or in its files.
pub fn knows_host_key(address: IpAddr, ssh: &SshAccess) -> bool {
    let in_files = || KnownHosts::from_files(&ssh.known_hosts).lines_of(&key_name(address, ssh));
    let good = |line: &String| !line.starts_with("@revoked ");
    ssh.host_keys.iter().any(good) || in_files().iter().any(good)
}

/// The name under which its keys are looked up.
fn key_name(address: IpAddr, ssh: &SshAccess) -> String {
    ssh.host_key_alias.clone().unwrap_or_else(|| lookup_name(&address.to_string(), ssh.port))
}

fn access(endpoint: &Endpoint, jumps: Vec<Jump>) -> SshAccess {
    let keys = &endpoint.host_keys;
    // An alias is looked up as it is, so the name that the configuration uses can stand there with its port.
    let name = keys.host.as_deref().filter(|host| *host != endpoint.address);
    let alias = keys.alias.clone().or_else(|| name.map(|host| lookup_name(host, endpoint.port)));
    let looked_up = alias.clone().unwrap_or_else(|| lookup_name(&endpoint.address, endpoint.port));
    SshAccess {
        port: endpoint.port,
        user: endpoint.user.clone(),
        identities: endpoint.identities.clone(),
        identities_only: endpoint.identities_only,
        certificates: endpoint.certificates.clone(),
        agent: endpoint.agent.clone(),
        // A RevokedHostKeys file is none of the files below.
        host_keys: keys.known.revoked_of(&looked_up),
        known_hosts: keys.known.sources().iter().map(PathBuf::from).collect(),
        host_key_alias: alias,
        jumps,
        sudo: endpoint.sudo,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::sample;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPXXLZu1LxKz8JUHOzSUDKTgvJEoxzTNoDsAV5Yjn1S";

    fn ssh(known_hosts: PathBuf, port: u16) -> SshAccess {
        SshAccess { port, known_hosts: vec![known_hosts], ..sample::ssh() }
    }

    #[test]
    fn host_keys_move_into_the_kit_and_who_has_none_keeps_the_files() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("known_hosts");
        std::fs::write(&file, format!("10.0.0.1,[10.0.0.1]:2222 {KEY}\n@revoked * {KEY}\n")).unwrap();
        let jump = |address: &str, port| Jump {
            name: format!("{address}:{port}"),
            address: address.parse().unwrap(),
            ssh: ssh(file.clone(), port),
        };
        let mut host = Host {
            name: "cp1".into(),
            address: "10.0.0.1".parse().unwrap(),
            ssh: SshAccess { jumps: vec![jump("10.0.0.1", 2222), jump("10.0.0.2", 22)], ..ssh(file.clone(), 22) },
            roles: vec![Role::ControlPlane],
            manifests: MANIFESTS.into(),
        };
        assert!(knows_host_key(host.address, &host.ssh));
        assert!(!knows_host_key(host.ssh.jumps[1].address, &host.ssh.jumps[1].ssh));
        assert_eq!(copy_host_keys(&mut host), ["10.0.0.2:22"]);
        assert!(knows_host_key(host.address, &host.ssh));
        assert_eq!(host.ssh.host_keys, [format!("10.0.0.1 {KEY}"), format!("@revoked 10.0.0.1 {KEY}")]);
        assert_eq!(host.ssh.jumps[0].ssh.host_keys[0], format!("[10.0.0.1]:2222 {KEY}"));
        assert!(host.ssh.known_hosts.is_empty() && host.ssh.jumps[0].ssh.known_hosts.is_empty());
        let unknown = &host.ssh.jumps[1].ssh;
        assert!(unknown.host_keys.is_empty() && unknown.known_hosts == [file], "{unknown:?}");
    }
}

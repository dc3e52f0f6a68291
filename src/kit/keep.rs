//! What an import does not bring stays as it was in the file that it replaces: hosts and the ways to them, API servers that
//! were found by hand, the name they are verified against, sets.

use std::path::Path;

use super::import::DIRECT;
use super::load::{self, SSH_PORT};
use super::{ApiServer, Cluster, Role, pem};
use crate::host::manifest::MANIFESTS;
use crate::process::Process;
use crate::refusal::{Location, Refusal};

/// The file that an import replaces, when there is one.
///
/// # Errors
/// Everything for which it cannot be loaded: what stands in it would be lost unseen.
pub fn old(folder: &Path, name: &str, process: &Process) -> Result<Option<Cluster>, Vec<Refusal>> {
    let path = load::path_of(folder, name);
    if !path.exists() {
        return Ok(None);
    }
    load::file(&path, process).map(Some).map_err(|mut all| {
        let what = "what stands in it cannot be kept, since it cannot be read as a file of the kit".to_owned();
        let hint = "mend it, or give its hosts anew: --host cp1=ADDRESS, or take the file away".to_owned();
        all.push(Refusal { at: at(&path.display().to_string()), what, hint: Some(hint) });
        all
    })
}

/// The cluster with everything of the old file that it does not bring itself.
///
/// # Errors
/// When the old file's hosts may be another cluster's: the authority is another.
pub fn keep(new: Cluster, old: Cluster) -> Result<Cluster, Refusal> {
    if !same_authority(&old, &new) {
        if old.hosts.is_empty() {
            return Ok(new);
        }
        let words: Vec<String> = old.hosts.iter().map(|host| word(&old, &host.name)).collect();
        let what = "its certificate authority is another than the kubeconfig's, so its hosts may be another cluster's";
        let hint = format!(
            "where they are this cluster's, say so: {}; else give another name: breakglass kit import NAME",
            words.join(" ")
        );
        return Err(Refusal { at: at(&old.source), what: what.into(), hint: Some(hint) });
    }
    let mut servers = old.api_servers;
    for server in new.api_servers.into_iter().filter(|server| server.via.is_none()) {
        if servers.iter().any(|known| known.via.is_none() && known.address == server.address) {
            continue;
        }
        // What an earlier import called so was the kubeconfig's address then.
        servers.retain(|known| known.name != DIRECT || known.via.is_some());
        let free = |name: &String| servers.iter().all(|known| known.name != *name);
        // Among one more than there are, one is free.
        let numbered = (1..=servers.len()).map(|n| format!("{DIRECT}{n}"));
        let name = std::iter::once(DIRECT.to_owned()).chain(numbered).find(free);
        let host = old.hosts.iter().find(|host| host.address == server.address.ip()).map(|host| host.name.clone());
        servers.push(ApiServer { name: name.unwrap_or(server.name), address: server.address, via: None, host });
    }
    Ok(Cluster { api_servers: servers, hosts: old.hosts, sets: old.sets, ..new })
}

/// Whether one key vouches for the API servers of both: a certificate that was made anew for it is the same authority.
pub fn same_authority(one: &Cluster, other: &Cluster) -> bool {
    let keys = |cluster: &Cluster| {
        let all = pem::certificates(&cluster.ca).unwrap_or_default();
        all.into_iter().map(|cert| cert.public_key).collect::<Vec<_>>()
    };
    let known = keys(other);
    keys(one).iter().any(|key| known.contains(key))
}

/// A host as it is given on the command line.
fn word(cluster: &Cluster, name: &str) -> String {
    let Some(host) = cluster.host(name) else { return String::new() };
    let ssh = &host.ssh;
    let address = match (host.address, ssh.port) {
        (ip, SSH_PORT) => ip.to_string(),
        (ip, port) => std::net::SocketAddr::new(ip, port).to_string(),
    };
    let mut word = format!("--host {name}={address},user={}", ssh.user);
    for identity in &ssh.identities {
        word += &format!(",identity={}", identity.display());
    }
    // A chain of them has no place in a word.
    if let [jump] = ssh.jumps.as_slice() {
        let place = std::net::SocketAddr::new(jump.address, jump.ssh.port);
        word += &format!(",jump={}@{place}", jump.ssh.user);
    }
    for role in &host.roles {
        word += match role {
            Role::ControlPlane => ",role=control-plane",
            Role::Node => ",role=node",
        };
    }
    if host.manifests != MANIFESTS {
        word += &format!(",manifests={}", host.manifests);
    }
    if let Some(server) = cluster.api_servers.iter().find(|server| server.via.as_deref() == Some(name)) {
        word += &format!(",api={}", server.address.port());
    }
    if ssh.sudo {
        word += ",sudo";
    }
    word
}

fn at(file: &str) -> Location {
    Location { file: file.to_owned(), ..Location::default() }
}

#[cfg(test)]
mod tests {
    use super::super::{sample, tests::pair};
    use super::*;

    fn found(server: &str, ca: &str) -> Cluster {
        let mut new = sample::cluster("prod", 0);
        new.api_servers.truncate(1);
        new.api_servers[0] = ApiServer { name: server.into(), address: server.parse().unwrap(), via: None, host: None };
        Cluster { ca: ca.into(), ..new }
    }

    fn servers(cluster: &Cluster) -> Vec<String> {
        cluster.api_servers.iter().map(|server| format!("{} {}", server.name, server.address)).collect()
    }

    #[test]
    fn what_an_import_does_not_bring_stays() {
        let ca = pair("ca", 2020, 2030).0;
        let mut old = sample::cluster("prod", 2);
        old.ca = ca.clone().into();
        old.sets.insert("pool".into(), Vec::new());
        old.api_servers[0].via = Some("cp1".into());
        old.api_servers[1].name = DIRECT.into();
        let new = found("10.0.0.2:6443", &ca);
        let whole = keep(new, old.clone()).unwrap();
        assert_eq!((&whole.hosts, &whole.sets), (&old.hosts, &old.sets));
        assert_eq!(servers(&whole), ["api1 10.0.0.1:6443", "direct 10.0.0.2:6443"]);
        // Another address takes the place of the one that came by an import, and of nothing else.
        let whole = keep(found("10.0.0.9:443", &ca), old.clone()).unwrap();
        assert_eq!(servers(&whole), ["api1 10.0.0.1:6443", "direct 10.0.0.9:443"]);
        old.api_servers[1].name = "lb".into();
        let whole = keep(found("10.0.0.9:443", &ca), old).unwrap();
        assert_eq!(servers(&whole), ["api1 10.0.0.1:6443", "lb 10.0.0.2:6443", "direct 10.0.0.9:443"]);
    }

    #[test]
    fn hosts_of_what_may_be_another_cluster_are_not_kept_and_named() {
        let mut old = sample::cluster("prod", 2);
        old.ca = pair("ca", 2020, 2030).0.into();
        old.hosts[1].ssh.port = 2222;
        old.hosts[1].ssh.sudo = true;
        let other = pair("ca", 2020, 2030).0;
        let said = keep(found("10.0.0.9:443", &other), old.clone()).unwrap_err().to_string();
        for word in [
            "--host cp1=10.0.0.1,user=root,role=control-plane --host",
            "--host cp2=10.0.0.2:2222,user=root,role=control-plane,sudo;",
        ] {
            assert!(said.contains(word), "{word}: {said}");
        }
        for word in said.split("--host ").skip(1).map(|rest| rest.split([' ', ';']).next().unwrap()) {
            assert!(word.parse::<super::super::import::HostWord>().is_ok(), "{word}");
        }
        old.hosts.clear();
        assert_eq!(servers(&keep(found("10.0.0.9:443", &other), old).unwrap()), ["10.0.0.9:443 10.0.0.9:443"]);
    }
}

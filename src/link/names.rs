//! A host that the operator names, by their own SSH configuration, as a host of a cluster.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Instant;

use jiff::Timestamp;

use super::hosts;
use super::ssh::config::{Overrides, Resolver, Surroundings};
use super::ssh::{Endpoint, lookup_name};
use crate::host::manifest::MANIFESTS;
use crate::kit::check::Keys;
use crate::kit::{Host, Jump, Role, SshAccess};
use crate::process::Process;
use crate::refusal::{Location, Refusal};

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
        uid: rustix::process::getuid().as_raw(),
        machine: process.hostname(),
        env: process.env.clone(),
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
        jumps.push(Jump { name: hop.name.clone(), address: address(hop)?, ssh: access(hop, Vec::new(), false) });
    }
    let host = Host {
        name: name.to_owned(),
        address: address(&found.endpoint)?,
        ssh: access(&found.endpoint, jumps, overrides.address.is_some()),
        roles: vec![Role::ControlPlane],
        manifests: MANIFESTS.into(),
        recovery_program: None,
    };
    Ok(Named { host, notes })
}

/// Copies what the operator's known_hosts files say of a host, and of the jump hosts before it, into its entry, so that
/// the kit needs none of these files. Returns a sentence with the next command for each of whom they say nothing; these keep
/// the files.
pub fn copy_host_keys(host: &mut Host) -> Vec<String> {
    let endpoint = hosts::endpoint(host, &hosts::Library::default());
    let ways = (0..endpoint.jumps.len())
        .map(|at| Endpoint { jumps: endpoint.jumps[..at].to_vec(), ..endpoint.jumps[at].clone() });
    let ways: Vec<Endpoint> = ways.chain([endpoint.clone()]).collect();
    let jumps = host.ssh.jumps.iter_mut().map(|jump| &mut jump.ssh);
    let mut unknown: Vec<String> = jumps.zip(&ways).filter_map(|(ssh, way)| keep_keys(way, ssh)).collect();
    // The host's own jumps are part of its way in, so they are done apart from it.
    unknown.extend(keep_keys(&endpoint, &mut host.ssh));
    unknown
}

/// One of them; what is to be done when nothing is said of it.
fn keep_keys(way: &Endpoint, ssh: &mut SshAccess) -> Option<String> {
    let keys = &way.host_keys;
    if keys.found_under(&way.address, way.port).is_none() {
        return Some(format!("{}: its host key is not known; import again after: {}", way.name, way.learn_host_key()));
    }
    ssh.known_hosts.clear();
    let name = keys.alias.clone().unwrap_or_else(|| lookup_name(&way.address, way.port));
    for line in keys.lines_as(&name, &way.address, way.port) {
        if !ssh.host_keys.contains(&line) {
            ssh.host_keys.push(line);
        }
    }
    None
}

/// Whether a key of a host, or of an authority for it, is known: in its entry or in its files.
pub fn knows_host_key(address: IpAddr, ssh: &SshAccess) -> bool {
    let shown = address.to_string();
    let way = hosts::hop(&shown, address, ssh, Vec::new(), &hosts::Library::default());
    way.host_keys.found_under(&shown, ssh.port).is_some()
}

/// What SSH would do with the keys of a way in.
pub fn keys(ssh: &SshAccess, now: Timestamp) -> Keys {
    let way = hosts::hop("", std::net::Ipv4Addr::UNSPECIFIED.into(), ssh, Vec::new(), &hosts::Library::default());
    let (usable, faults) = way.keys(u64::try_from(now.as_second()).unwrap_or(0));
    Keys { usable, faults }
}

/// The name to look the host's keys up under, where the kit has only one: the one that they are known under today. When none is
/// known, the name that ssh will learn them under: the configuration's, but not one that only the command line has given to an
/// address.
fn key_name(endpoint: &Endpoint, addressed: bool) -> Option<String> {
    let keys = &endpoint.host_keys;
    if keys.alias.is_some() {
        return keys.alias.clone();
    }
    let of_address = [lookup_name(&endpoint.address, endpoint.port), endpoint.address.clone()];
    if let Some(name) = keys.found_under(&endpoint.address, endpoint.port) {
        return Some(name).filter(|name| !of_address.contains(name));
    }
    let host = keys.host.as_deref().filter(|host| *host != endpoint.address)?;
    (!addressed || host != endpoint.name).then(|| lookup_name(host, endpoint.port))
}

fn access(endpoint: &Endpoint, jumps: Vec<Jump>, addressed: bool) -> SshAccess {
    let keys = &endpoint.host_keys;
    let alias = key_name(endpoint, addressed);
    let looked_up = alias.clone().unwrap_or_else(|| lookup_name(&endpoint.address, endpoint.port));
    // A RevokedHostKeys file is none of the known_hosts files.
    let lines = keys.lines_as(&looked_up, &endpoint.address, endpoint.port);
    SshAccess {
        port: endpoint.port,
        user: endpoint.user.clone(),
        identities: endpoint.identities.clone(),
        identities_only: endpoint.identities_only,
        certificates: endpoint.certificates.clone(),
        agent: endpoint.agent.clone(),
        host_keys: lines.into_iter().filter(|line| line.starts_with("@revoked ")).collect(),
        known_hosts: keys.known.files().to_vec(),
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
            recovery_program: None,
        };
        assert!(knows_host_key(host.address, &host.ssh));
        assert!(!knows_host_key(host.ssh.jumps[1].address, &host.ssh.jumps[1].ssh));
        let unknown = copy_host_keys(&mut host);
        assert!(
            matches!(&unknown[..], [one] if one.contains("10.0.0.2:22: its host key is not known") && one.contains("ssh -p 2222 root@10.0.0.1 'ssh-keyscan")),
            "{unknown:?}"
        );
        assert!(knows_host_key(host.address, &host.ssh));
        assert_eq!(host.ssh.host_keys, [format!("10.0.0.1 {KEY}"), format!("@revoked 10.0.0.1 {KEY}")]);
        assert_eq!(host.ssh.jumps[0].ssh.host_keys[0], format!("[10.0.0.1]:2222 {KEY}"));
        assert!(host.ssh.known_hosts.is_empty() && host.ssh.jumps[0].ssh.known_hosts.is_empty());
        let unknown = &host.ssh.jumps[1].ssh;
        assert!(unknown.host_keys.is_empty() && unknown.known_hosts == [file], "{unknown:?}");
    }

    /// By the real ssh-keygen: each kind of key file as SSH would take it.
    #[test]
    fn keys_are_judged_before_anybody_logs_in() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        let keygen = |args: &[&str]| {
            let done =
                std::process::Command::new("ssh-keygen").current_dir(folder.path()).arg("-q").args(args).output();
            assert!(done.as_ref().unwrap().status.success(), "{args:?}: {done:?}");
        };
        for (name, passphrase) in
            [("good", ""), ("locked", "secret"), ("open", ""), ("old", ""), ("gone", ""), ("ca", "")]
        {
            keygen(&["-t", "ed25519", "-N", passphrase, "-C", name, "-f", name]);
        }
        std::fs::set_permissions(at("open"), std::fs::Permissions::from_mode(0o644)).unwrap();
        std::fs::remove_file(at("gone")).unwrap();
        std::fs::write(at("junk"), "junk").unwrap();
        std::fs::set_permissions(at("junk"), std::fs::Permissions::from_mode(0o600)).unwrap();
        keygen(&["-s", "ca", "-I", "me", "-n", "root", "-V", "20200101000000Z:20210101000000Z", "old.pub"]);
        keygen(&["-s", "ca", "-I", "me", "-n", "root", "good.pub"]);
        let now: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
        let judged = |names: &[&str]| {
            keys(&SshAccess { identities: names.iter().map(|n| at(n)).collect(), ..sample::ssh() }, now)
        };
        assert_eq!(judged(&["good"]), Keys { usable: true, faults: Vec::new() });
        for (name, usable, expected) in [
            ("locked", false, "locked needs a passphrase, so only an agent can use it"),
            ("open", false, "open is open to others (mode 0644) and is not used, as ssh does (chmod 600 "),
            ("good.pub", false, "good.pub is a public key, so only an agent can use its private half"),
            ("gone", false, "gone is a public key, so only an agent can use its private half"),
            ("nothing", false, "nothing is not there"),
            ("junk", false, "it is not a private key"),
            // Without its certificate the key may still be known.
            ("old", true, "old-cert.pub ended on 2021-01-01T00:00:00Z"),
        ] {
            let one = judged(&[name]);
            assert_eq!(one.usable, usable, "{name}: {one:?}");
            assert!(one.faults.len() == 1 && one.faults[0].contains(expected), "{name}: {one:?}");
            // A bad one beside a good one is passed over.
            let both = judged(&[name, "good"]);
            assert!(both.usable && both.faults == one.faults, "{both:?}");
        }
        let apart = SshAccess { certificates: vec![at("nothing-cert.pub")], ..sample::ssh() };
        assert!(keys(&apart, now).faults[0].contains("nothing-cert.pub is not there or no SSH certificate"));
    }

    /// `kit import --host cp1=10.0.0.11`, with known_hosts as people's machines have it.
    #[tokio::test]
    async fn the_key_is_found_under_the_name_or_the_address_as_ssh_would_find_it() {
        type Case<'a> = (&'a str, Option<u16>, Option<&'a str>, &'a [&'a str]);
        let (cp1, ip) = ("cp1", "10.0.0.11");
        let table: &[Case<'_>] = &[
            ("", None, None, &[]),
            ("10.0.0.11", None, None, &[ip]),
            ("cp1", None, Some(cp1), &[cp1]),
            // The name goes before the address.
            ("10.0.0.11\ncp1,other", None, Some(cp1), &[cp1]),
            ("[10.0.0.11]:2222", Some(2222), None, &["[10.0.0.11]:2222"]),
            ("[cp1]:2222", Some(2222), Some("[cp1]:2222"), &["[cp1]:2222"]),
            // A line without a port serves every port.
            ("cp1", Some(2222), Some(cp1), &[cp1]),
            ("10.0.0.11", Some(2222), None, &["[10.0.0.11]:2222"]),
            ("[10.0.0.11]:22", Some(2222), None, &[]),
        ];
        for (lines, port, alias, kept) in table {
            let home = tempfile::TempDir::new().unwrap();
            std::fs::create_dir(home.path().join(".ssh")).unwrap();
            let text: String = lines.lines().map(|names| format!("{names} {KEY}\n")).collect();
            std::fs::write(home.path().join(".ssh/known_hosts"), text).unwrap();
            let resolver = Resolver::new(Surroundings { home: home.path().into(), ..Surroundings::default() });
            let overrides = Overrides { address: Some(ip.parse().unwrap()), port: *port, ..Overrides::default() };
            let deadline = Instant::now() + std::time::Duration::from_secs(60);
            let mut host = super::host(&resolver, cp1, &overrides, deadline).await.unwrap().host;
            assert_eq!(host.ssh.host_key_alias.as_deref(), *alias, "{lines}");
            // The way as it is dialled finds what the kit is given.
            let way = hosts::endpoint(&host, &hosts::Library::default());
            assert_eq!(way.host_keys.found_under(&way.address, way.port).is_some(), !kept.is_empty(), "{lines}");
            assert_eq!(copy_host_keys(&mut host).is_empty(), !kept.is_empty(), "{lines}");
            let wanted: Vec<_> = kept.iter().map(|name| format!("{name} {KEY}")).collect();
            assert_eq!(host.ssh.host_keys, wanted, "{lines}");
        }
    }
}

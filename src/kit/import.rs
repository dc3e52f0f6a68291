//! Makes a file of the kit from what kubectl's and SSH's configurations say today, so that an incident needs neither.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use base64::Engine as _;

use super::file::{ApiServerFile, ClusterFile, ClusterSpec, FileKind, HostFile, JumpFile, Metadata, SshFile, UserFile};
use super::load::{self, is_name};
use super::{ApiServer, Cluster, Credential, Host, Role, SshAccess};
use super::{put, read};
use crate::host::apiserver::API_PORT;
use crate::host::manifest::MANIFESTS;
use crate::process::Process;
use crate::refusal::{Location, Refusal};
use crate::yaml::ApiVersion;

/// What an API server is called whose address came from the kubeconfig.
pub(super) const DIRECT: &str = "direct";

/// A host as it is given on the command line: `cp1=10.0.0.1:22,user=ops,role=control-plane,sudo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostWord {
    /// Its name in the kit and, without an address, in `ssh_config`.
    pub name: String,
    /// Its address; without one, `ssh_config` says it.
    pub address: Option<IpAddr>,
    /// The port of its SSH server.
    pub port: Option<u16>,
    /// The user.
    pub user: Option<String>,
    /// Private keys, `identity=FILE`, may be given several times.
    pub identities: Vec<PathBuf>,
    /// `jump=…`, as for `ssh -J`.
    pub jump: Option<String>,
    /// Commands need `sudo -n`.
    pub sudo: bool,
    /// `role=…`; the control plane when none is given.
    pub roles: Vec<Role>,
    /// `manifests=…`: the folder of its static pods.
    pub manifests: Option<String>,
    /// `api=…`: the port of the API server on it.
    pub api_port: Option<u16>,
}

impl std::str::FromStr for HostWord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',').map(str::trim);
        let first = parts.next().unwrap_or_default();
        let (name, place) = first.split_once('=').map_or((first, None), |(name, place)| (name, Some(place)));
        if !is_name(name) {
            return Err(format!("{text:?}: expected NAME=ADDRESS, like cp1=10.0.0.1,user=root"));
        }
        let (address, port) = match place {
            None => (None, None),
            Some(place) => match (place.parse::<SocketAddr>(), place.parse::<IpAddr>()) {
                (Ok(both), _) => (Some(both.ip()), Some(both.port())),
                (_, Ok(ip)) => (Some(ip), None),
                _ => return Err(format!("{place:?} is not an IP address; names are not looked up in an incident")),
            },
        };
        let mut word = Self {
            name: name.to_owned(),
            address,
            port,
            user: None,
            identities: Vec::new(),
            jump: None,
            sudo: false,
            roles: Vec::new(),
            manifests: None,
            api_port: None,
        };
        for part in parts {
            match part.split_once('=') {
                Some(("user", user)) => word.user = Some(user.to_owned()),
                Some(("identity", path)) => word.identities.push(path.into()),
                Some(("jump", jump)) => word.jump = Some(jump.to_owned()),
                Some(("role", "control-plane")) => word.roles.push(Role::ControlPlane),
                Some(("role", "node")) => word.roles.push(Role::Node),
                Some(("manifests", folder)) if folder.starts_with('/') => word.manifests = Some(folder.to_owned()),
                Some(("manifests", folder)) => {
                    return Err(format!("manifests={folder:?}: expected a folder from / on"));
                }
                Some(("api", port)) => match port.parse::<u16>() {
                    Ok(port) if port > 0 => word.api_port = Some(port),
                    _ => return Err(format!("api={port:?}: expected the API server's port on the host, like 6443")),
                },
                None if part == "sudo" => word.sudo = true,
                _ => {
                    return Err(format!(
                        "{part:?}: expected user=, identity=, jump=, role=control-plane|node, manifests=, api= or sudo"
                    ));
                }
            }
        }
        if word.roles.is_empty() {
            word.roles.push(Role::ControlPlane);
        }
        Ok(word)
    }
}

/// Gives a cluster its hosts: its API servers are reached through the control plane's loopback first, then directly.
/// `ports` has the API server's port on hosts by their names, where it was said; else it is that of the host's own address
/// among the cluster's, else that of another host's, since the API servers of one cluster are made alike.
pub fn with_hosts(mut cluster: Cluster, hosts: Vec<Host>, ports: &BTreeMap<String, u16>) -> Cluster {
    let direct: Vec<SocketAddr> = cluster.api_servers.iter().filter(|s| s.via.is_none()).map(|s| s.address).collect();
    let own = |host: &Host| direct.iter().find(|server| server.ip() == host.address).map(SocketAddr::port);
    let alike = hosts.iter().find_map(own).unwrap_or(API_PORT);
    let port = |host: &Host| ports.get(&host.name).copied().or_else(|| own(host)).unwrap_or(alike);
    let through = hosts.iter().filter(|host| host.roles.contains(&Role::ControlPlane)).map(|host| ApiServer {
        name: host.name.clone(),
        address: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port(host)),
        via: Some(host.name.clone()),
        host: Some(host.name.clone()),
    });
    let direct = direct.iter().enumerate().map(|(n, address)| {
        let on = hosts.iter().find(|host| host.address == address.ip());
        ApiServer {
            name: if n == 0 { DIRECT.into() } else { format!("{DIRECT}{n}") },
            address: *address,
            via: None,
            host: on.map(|host| host.name.clone()),
        }
    });
    cluster.api_servers = through.chain(direct).collect();
    cluster.hosts = hosts;
    cluster
}

/// The text of a cluster's file of the kit.
///
/// # Errors
/// Everything that would be refused when it is loaded; names that cannot stand in a kit.
pub fn text(name: &str, cluster: &Cluster, process: &Process) -> Result<String, Vec<Refusal>> {
    let file = file(name, cluster, process.var("SSH_AUTH_SOCK").map(Path::new));
    let at = || Location { file: "command line".into(), ..Location::default() };
    let text = serde_saphyr::to_string(&file)
        .map_err(|error| vec![Refusal { at: at(), what: error.to_string(), hint: None }])?;
    // It is read back before it is written: a kit that cannot be loaded is found today and not in an incident.
    load::parse(&text, Path::new(&format!("{name}.yaml (to be written)")), process)?;
    Ok(text)
}

/// What was written.
#[derive(Debug)]
pub struct Written {
    /// The cluster's file.
    pub path: PathBuf,
    /// Where the one is that stood there before.
    pub before: Option<PathBuf>,
}

/// Writes it as NAME.yaml into the kit's folder, for its owner only. An existing file stays unless `replace`, and then it
/// is kept beside as NAME.yaml~: somebody may have worked at it.
///
/// # Errors
/// When it is there already, or cannot be written.
pub fn write(folder: &Path, name: &str, text: &str, replace: bool) -> Result<Written, Refusal> {
    let path = load::path_of(folder, name);
    let refuse = |what: String, hint: Option<&str>| Refusal {
        at: Location { file: path.display().to_string(), ..Location::default() },
        what,
        hint: hint.map(str::to_owned),
    };
    if path.exists() && !replace {
        return Err(refuse("is there already".into(), Some("--replace writes it anew")));
    }
    let before = path.exists().then(|| put::before(&path));
    if let Some(before) = &before {
        read::read(&path)
            .and_then(|bytes| put::put(before, &bytes))
            .map_err(|error| refuse(format!("cannot be kept as {}: {error}", before.display()), None))?;
    }
    let written = put::folder(folder).and_then(|()| put::put(&path, text.as_bytes()));
    written.map_err(|error| refuse(format!("cannot be written: {error}"), None))?;
    Ok(Written { path, before })
}

fn file(name: &str, cluster: &Cluster, usual_agent: Option<&Path>) -> ClusterFile {
    let hosts = &cluster.hosts;
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let user = match &cluster.credential {
        Credential::Certificate { cert, key } => UserFile {
            client_certificate_data: Some(base64(cert)),
            client_key_data: Some(base64(key)),
            ..UserFile::default()
        },
        Credential::Token(token) => UserFile { token: Some(token.clone()), ..UserFile::default() },
        Credential::Anonymous => UserFile::default(),
    };
    let acting_as = cluster.acting_as.clone().unwrap_or_default();
    let user = UserFile {
        token_ends: cluster.credential_ends.map(|end| end.to_string()),
        acting_as: Some(acting_as.user).filter(|user| !user.is_empty()),
        as_groups: acting_as.groups,
        as_uid: acting_as.uid,
        as_user_extra: acting_as.extra,
        ..user
    };
    let servers = cluster.api_servers.iter().map(|server| ApiServerFile {
        name: server.name.clone(),
        address: server.address.to_string(),
        via: server.via.clone(),
        host: server.host.clone().filter(|host| server.via.as_ref() != Some(host)),
    });
    let mut jumps: Vec<JumpFile> = Vec::new();
    for jump in hosts.iter().flat_map(|host| &host.ssh.jumps) {
        if !jumps.iter().any(|known| known.name == jump.name) {
            let (name, address) = (jump.name.clone(), jump.address.to_string());
            jumps.push(JumpFile { name, address, ssh: SshFile { jumps: None, ..ssh(&jump.ssh, usual_agent) } });
        }
    }
    ClusterFile {
        api_version: ApiVersion::V1,
        kind: FileKind::Cluster,
        metadata: Metadata { name: name.to_owned() },
        spec: ClusterSpec {
            sets: cluster
                .sets
                .iter()
                .map(|(name, nets)| (name.clone(), nets.iter().map(ToString::to_string).collect()))
                .collect(),
            tls_server_name: cluster.tls_server_name.clone(),
            certificate_authority: None,
            certificate_authority_data: (!cluster.ca.is_empty()).then(|| base64(&cluster.ca)),
            user,
            api_servers: servers.collect(),
            ssh: SshFile::default(),
            jumps,
            hosts: hosts
                .iter()
                .map(|host| HostFile {
                    name: host.name.clone(),
                    address: host.address.to_string(),
                    roles: Some(host.roles.clone()),
                    manifests: (host.manifests != MANIFESTS).then(|| host.manifests.clone()),
                    recovery_program: host.recovery_program.clone(),
                    ssh: ssh(&host.ssh, usual_agent),
                })
                .collect(),
        },
    }
}

fn ssh(access: &SshAccess, usual_agent: Option<&Path>) -> SshFile {
    let paths = |paths: &[PathBuf]| -> Option<Vec<String>> {
        (!paths.is_empty()).then(|| paths.iter().map(|path| path.display().to_string()).collect())
    };
    // ssh_config names its default keys whether they exist or not; in a kit a key that is named must be there.
    let there: Vec<PathBuf> = access.identities.iter().filter(|path| path.exists()).cloned().collect();
    SshFile {
        port: (access.port != load::SSH_PORT).then_some(access.port),
        user: Some(access.user.clone()),
        identities: paths(&there),
        identities_only: Some(access.identities_only),
        certificates: paths(&access.certificates),
        // The usual one has another socket after every login.
        agent: (access.agent.as_deref() != usual_agent)
            .then(|| access.agent.as_ref().map_or_else(|| "none".into(), |socket| socket.display().to_string())),
        host_keys: (!access.host_keys.is_empty()).then(|| access.host_keys.clone()),
        known_hosts: paths(&access.known_hosts),
        host_key_alias: access.host_key_alias.clone(),
        jumps: (!access.jumps.is_empty()).then(|| access.jumps.iter().map(|jump| jump.name.clone()).collect()),
        sudo: access.sudo.then_some(true),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::tests::{pair, process};
    use super::*;
    use crate::kit::Jump;

    #[test]
    fn host_words_are_read() {
        let word: HostWord = "cp1=10.0.0.1:2222,user=ops,identity=a,identity=b,role=node,sudo".parse().unwrap();
        assert_eq!((word.address, word.port), (Some("10.0.0.1".parse().unwrap()), Some(2222)));
        assert_eq!((word.user.as_deref(), word.identities.len(), word.sudo), (Some("ops"), 2, true));
        assert_eq!(word.roles, [Role::Node]);
        assert_eq!("cp1".parse::<HostWord>().unwrap().roles, [Role::ControlPlane]);
        assert_eq!("cp1=fd00::1".parse::<HostWord>().unwrap().address, Some("fd00::1".parse().unwrap()));
        let word: HostWord =
            "s1=10.0.0.1,manifests=/var/lib/rancher/rke2/agent/pod-manifests,api=16443".parse().unwrap();
        assert_eq!(word.manifests.as_deref(), Some("/var/lib/rancher/rke2/agent/pod-manifests"));
        assert_eq!(word.api_port, Some(16443));
        for wrong in ["cp1,api=0", "cp1,api=x", "cp1,api=70000", "cp1,manifests=", "cp1,manifests=here"] {
            assert!(wrong.parse::<HostWord>().is_err(), "{wrong}");
        }
        for wrong in ["", "=10.0.0.1", "cp1=cp1.example.com", "cp1=10.0.0.1,users=x", "cp1=10.0.0.1,role=master"] {
            assert!(wrong.parse::<HostWord>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_port_on_a_host_is_the_host_s() {
        let mut cluster = crate::kit::sample::cluster("c", 3);
        for (server, said, expected) in [
            // The host's own, and that of the others like it.
            ("10.0.0.1:16443", None, [16443, 16443, 16443]),
            ("10.0.0.2:443", Some(("cp3", 7443)), [443, 443, 7443]),
            // A load balancer's says nothing of the hosts.
            ("10.0.0.99:443", None, [6443, 6443, 6443]),
            ("10.0.0.99:443", Some(("cp2", 443)), [6443, 443, 6443]),
        ] {
            let (hosts, mut one) = (std::mem::take(&mut cluster.hosts), cluster.clone());
            one.api_servers.truncate(1);
            one.api_servers[0].address = server.parse().unwrap();
            let ports = said.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect();
            let whole = with_hosts(one, hosts.clone(), &ports);
            let through = whole.api_servers.iter().filter(|server| server.via.is_some());
            assert_eq!(through.map(|server| server.address.port()).collect::<Vec<_>>(), expected, "{server} {said:?}");
            cluster.hosts = hosts;
        }
    }

    #[test]
    fn what_is_imported_is_loaded_again_as_it_was() {
        let dir = tempfile::TempDir::new().unwrap();
        let mut process = process(dir.path());
        process.env.insert("SSH_AUTH_SOCK".into(), "/run/usual".into());
        let (cert, key) = pair("me", 2020, 2030);
        let access = |jumps: Vec<Jump>| SshAccess {
            port: 2222,
            user: "ops".into(),
            identities: vec![dir.path().join("not-there")],
            identities_only: false,
            certificates: Vec::new(),
            // A bastion's own agent, and none for the host: the usual one is neither.
            agent: jumps.is_empty().then(|| "/run/ops/agent".into()),
            host_keys: Vec::new(),
            known_hosts: vec![dir.path().join("known_hosts")],
            host_key_alias: Some("cp1".into()),
            jumps,
            sudo: true,
        };
        let jump = Jump { name: "bastion".into(), address: "192.0.2.1".parse().unwrap(), ssh: access(Vec::new()) };
        let host = Host {
            name: "cp1".into(),
            address: "10.0.0.1".parse().unwrap(),
            ssh: access(vec![jump]),
            roles: vec![Role::ControlPlane],
            manifests: "/m".into(),
            recovery_program: Some("/opt/kube-apiserver".into()),
        };
        let cluster = Cluster {
            name: "ctx".into(),
            api_servers: vec![ApiServer {
                name: "x".into(),
                address: "10.0.0.1:6443".parse().unwrap(),
                via: None,
                host: None,
            }],
            hosts: Vec::new(),
            tls_server_name: Some("kubernetes".into()),
            ca: pair("ca", 2020, 2030).0.into_bytes(),
            credential: Credential::Certificate { cert: cert.into_bytes(), key: key.into_bytes() },
            credential_ends: None,
            acting_as: None,
            sets: std::collections::BTreeMap::new(),
            source: String::new(),
            kept: None,
        };
        let folder = dir.path().join("kit");
        let other = crate::kit::ActingAs {
            user: "alice".into(),
            groups: vec!["dev".into()],
            uid: Some("u-1".into()),
            extra: [("scopes".to_owned(), vec!["x".to_owned(), "y".to_owned()])].into(),
        };
        let cluster = Cluster { acting_as: Some(other), ..cluster };
        let cluster = with_hosts(cluster, vec![host.clone()], &BTreeMap::new());
        let text = text("prod", &cluster, &process).unwrap();
        let path = write(&folder, "prod", &text, false).unwrap().path;
        let closed = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777 == 0o600;
        assert!(closed(&path));
        assert!(write(&folder, "prod", &text, false).unwrap_err().to_string().contains("--replace"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let by_hand = format!("# by hand\n{text}");
        std::fs::write(&path, &by_hand).unwrap();
        let before = write(&folder, "prod", &text, true).unwrap().before.unwrap();
        assert_eq!(before, folder.join("prod.yaml~"));
        assert!(closed(&path) && closed(&before) && std::fs::read_to_string(&before).unwrap() == by_hand);
        let listed = load::listed(&folder).unwrap();
        assert_eq!((listed.names, listed.passed_over), (vec!["prod".to_owned()], Vec::<String>::new()));

        let loaded = load::file(&path, &process).unwrap();
        assert_eq!(loaded.acting_as, cluster.acting_as);
        assert_eq!((loaded.ca, loaded.tls_server_name), (cluster.ca, cluster.tls_server_name));
        let servers: Vec<_> = loaded.api_servers.iter().map(|s| (s.name.as_str(), s.via.as_deref())).collect();
        assert_eq!(servers, [("cp1", Some("cp1")), ("direct", None)]);
        assert_eq!(loaded.api_servers[1].host.as_deref(), Some("cp1"));
        let mut expected = host;
        expected.ssh.identities.clear();
        expected.ssh.jumps[0].ssh.identities.clear();
        assert_eq!(loaded.hosts, [expected]);
    }
}

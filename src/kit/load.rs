//! A file of the kit to a [`Cluster`]: everything read into memory, everything that can be known wrong said at once.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize as _;

use super::file::{ClusterFile, ClusterSpec, SshFile, schema};
use super::read::{self, Either, Place, Whose};
use super::{ActingAs, ApiServer, Cluster, Credential, Host, Jump, Role, SshAccess};
use crate::host::apiserver::API_PORT;
use crate::host::manifest::MANIFESTS;
use crate::host::net::Net;
use crate::process::Process;
use crate::refusal::{Location, Refusal};
use crate::words;
use crate::yaml::{self, Faults, Node};

/// The port of an SSH server when none is written.
pub(super) const SSH_PORT: u16 = 22;

/// The names of the clusters in a kit's folder, sorted. A folder that is not there has none.
///
/// # Errors
/// When the folder cannot be read.
pub fn names(folder: &Path) -> Result<Vec<String>, Refusal> {
    Ok(listed(folder)?.names)
}

/// What stands in a kit's folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The clusters by name, sorted.
    pub names: Vec<String>,
    /// YAML files that are none of them, and why: one sentence each.
    pub passed_over: Vec<String>,
}

/// What stands in a kit's folder: NAME.yaml or NAME.yml is a cluster. What an editor or a system left beside it (`NAME~.yaml`,
/// `.NAME.yaml`, `NAME copy.yaml`) is none: an old address or credential must not come back by it.
///
/// # Errors
/// When the folder cannot be read.
pub fn listed(folder: &Path) -> Result<Listed, Refusal> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Listed::default()),
        Err(error) => return Err(refusal(folder, format!("cannot read the kit's folder: {error}"), None)),
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    // NAME.yaml stands before NAME.yml.
    paths.sort();
    let mut found = Listed::default();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|end| end == "yaml" || end == "yml")) {
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let why = match stem.filter(|stem| is_name(stem) && !stem.starts_with('.')) {
            Some(name) if found.names.iter().any(|known| known == name) => format!("{name}.yaml stands beside it"),
            Some(name) => {
                found.names.push(name.to_owned());
                continue;
            }
            None => "a cluster's file is NAME.yaml, with letters, digits, dots, dashes and underscores".to_owned(),
        };
        found.passed_over.push(format!("{} is passed over: {why}", path.display()));
    }
    found.names.sort();
    Ok(found)
}

/// The file of a cluster: NAME.yaml, else NAME.yml.
pub fn path_of(folder: &Path, name: &str) -> PathBuf {
    let [long, short] = ["yaml", "yml"].map(|end| folder.join(format!("{name}.{end}")));
    if !long.exists() && short.exists() { short } else { long }
}

/// The clusters that words choose, in the order of the words, each once. Words as for targets: names, `eu[1-3]`, `all`,
/// `!name`.
///
/// # Errors
/// Every unknown name and everything wrong with each chosen file, all at once.
pub fn clusters(folder: &Path, words: &[String], process: &Process) -> Result<Vec<Cluster>, Vec<Refusal>> {
    let (loaded, refusals) = each(folder, words, process)?;
    if refusals.is_empty() { Ok(loaded) } else { Err(refusals) }
}

/// The same, file by file: those that can be loaded, and everything wrong with the others.
///
/// # Errors
/// When the words choose no cluster.
pub fn each(folder: &Path, words: &[String], process: &Process) -> Result<(Vec<Cluster>, Vec<Refusal>), Vec<Refusal>> {
    let known = names(folder).map_err(|refusal| vec![refusal])?;
    if known.is_empty() {
        let hint = "breakglass kit import --help; or without a kit: --kubeconfig FILE --via HOST".to_owned();
        return Err(vec![refusal(folder, "no cluster in the kit".into(), Some(hint))]);
    }
    let chosen = chosen(&known, words).map_err(|fault| {
        let at = Location { file: "command line".into(), ..Location::default() };
        let hint = Some(format!("the kit {} has {}", folder.display(), words::fold(&known)));
        vec![Refusal { at, what: format!("cluster {fault}"), hint }]
    })?;
    let mut loaded = Vec::new();
    let mut refusals = Vec::new();
    for at in chosen {
        match file(&path_of(folder, &known[at]), process) {
            Ok(cluster) => loaded.push(cluster),
            Err(faults) => refusals.extend(faults),
        }
    }
    Ok((loaded, refusals))
}

/// The places of the clusters that words choose among these names.
///
/// # Errors
/// One sentence.
pub fn chosen(known: &[String], words: &[String]) -> Result<Vec<usize>, String> {
    let things: Vec<super::select::Thing<'_>> =
        known.iter().map(|name| super::select::Thing { name, roles: &[] }).collect();
    super::select::choose(&things, &words.join(","))
}

/// One cluster from its file.
///
/// # Errors
/// Everything that is wrong, each with its line.
pub fn file(path: &Path, process: &Process) -> Result<Cluster, Vec<Refusal>> {
    let bytes = read::read(path).map_err(|error| vec![refusal(path, format!("cannot be read: {error}"), None)])?;
    let text = read::text(bytes).map_err(|fault| vec![refusal(path, fault.into(), None)])?;
    let cluster = parse(&text, path, process)?;
    match path.file_stem().and_then(|stem| stem.to_str()) {
        Some(stem) if stem == cluster.name => Ok(cluster),
        _ => {
            let what = format!("cluster {} must stand in a file of its name", cluster.name);
            Err(vec![refusal(path, what, Some(format!("call it {}.yaml", cluster.name)))])
        }
    }
}

/// One cluster from a text; `path` is where it stands, for messages and relative paths.
///
/// # Errors
/// Everything that is wrong, each with its line.
pub fn parse(text: &str, path: &Path, process: &Process) -> Result<Cluster, Vec<Refusal>> {
    let mut faults = Faults::new(path.display().to_string());
    let Some(root) = yaml::parse(text, &mut faults) else { return Err(faults.into_vec()) };
    yaml::check(&root, &schema(), "", &mut faults);
    let file = match ClusterFile::deserialize(root.to_json()) {
        Ok(file) => file,
        Err(error) => {
            if faults.is_empty() {
                faults.refuse(&root, error.to_string(), None);
            }
            return Err(faults.into_vec());
        }
    };
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let mut loader =
        Loader { place: Place { folder, process, whose: Whose::Kit }, spec: &file.spec, root: &root, faults };
    let user = loader.spec_node("user");
    if file.spec.user.holds_secret() && path.exists() {
        read::closed(path, user.unwrap_or(&root), &mut loader.faults);
    }
    for trusted in [Some(path), path.parent()].into_iter().flatten().filter(|_| path.exists()) {
        read::trusted(trusted, &root, &mut loader.faults);
    }
    let ca = loader.authority();
    let credential = loader.credential();
    let credential_ends = loader.credential_ends(&credential);
    let acting_as = loader.acting_as(&credential);
    let jumps = loader.jumps();
    let hosts = loader.hosts(&jumps);
    let api_servers = loader.api_servers();
    let sets = loader.sets();
    let faults = loader.faults;
    faults.or(Cluster {
        name: file.metadata.name.clone(),
        api_servers,
        hosts,
        tls_server_name: file.spec.tls_server_name.clone(),
        ca: ca.unwrap_or_default(),
        credential,
        credential_ends,
        acting_as,
        sets,
        source: path.display().to_string(),
        kept: Some(path.with_extension("kept")),
    })
}

struct Loader<'a> {
    place: Place<'a>,
    spec: &'a ClusterSpec,
    root: &'a Node,
    faults: Faults,
}

impl<'a> Loader<'a> {
    /// Whom the API servers are verified against: never the machine's own list of authorities, which any of them could
    /// sign a server into.
    fn authority(&mut self) -> Option<Vec<u8>> {
        let spec = self.spec_node("");
        let either = Either::of(spec, "certificateAuthority");
        if either.node().is_none() {
            let hint = "certificateAuthority: FILE, or certificateAuthorityData: the base64 of one".to_owned();
            let what = "no certificate authority to verify the API servers with";
            self.faults.refuse(spec.unwrap_or(self.root), what, Some(hint));
        }
        self.place.authority(either, &mut self.faults)
    }

    /// The node under a key of `spec`, or `spec` itself.
    fn spec_node(&self, key: &str) -> Option<&'a Node> {
        let spec = self.root.get("spec")?;
        if key.is_empty() { Some(spec) } else { spec.get(key) }
    }

    /// The node of a key of an item of a list under `spec`; the nearest one around it when it is not there.
    fn item(&self, list: &str, at: usize, key: &str) -> &'a Node {
        let item = self.spec_node(list).and_then(|list| list.items().get(at));
        item.and_then(|item| item.get(key)).or(item).unwrap_or(self.root)
    }

    fn credential(&mut self) -> Credential {
        let user = self.spec_node("user");
        let cert = self.place.certificate(
            Either::of(user, "clientCertificate"),
            Either::of(user, "clientKey"),
            &mut self.faults,
        );
        let get = |key: &str| user.and_then(|user| user.get(key));
        let token = self.place.token(get("tokenFile"), get("token"), &mut self.faults);
        if let (Some(_), Some(_), Some(node)) = (&cert, &token, user) {
            self.faults.refuse(node, "both a certificate and a token are given; one is used", None);
        }
        cert.or(token).unwrap_or(Credential::Anonymous)
    }

    /// The end of a token that does not say its own.
    fn credential_ends(&mut self, credential: &Credential) -> Option<Timestamp> {
        let text = self.spec.user.token_ends.as_ref()?;
        let node = self.spec_node("user").and_then(|user| user.get("tokenEnds")).unwrap_or(self.root);
        if !matches!(credential, Credential::Token(_)) {
            self.faults.refuse(node, "tokenEnds: there is no token", None);
        }
        match text.parse() {
            Ok(end) => Some(end),
            Err(error) => {
                self.faults.refuse(
                    node,
                    format!("tokenEnds: expected a time like 2026-12-01T12:00:00Z: {error}"),
                    None,
                );
                None
            }
        }
    }

    fn acting_as(&mut self, credential: &Credential) -> Option<ActingAs> {
        let acting_as = self.spec.user.acting_as()?;
        let user = self.spec_node("user").unwrap_or(self.root);
        let node = user.get("as").unwrap_or(user);
        if let Some(fault) = acting_as.fault() {
            self.faults.refuse(node, fault, None);
        }
        if matches!(credential, Credential::Anonymous) && self.faults.is_empty() {
            self.faults.refuse(node, "as: nobody may act as somebody else without a credential", None);
        }
        Some(acting_as)
    }

    fn jumps(&mut self) -> BTreeMap<&'a str, Jump> {
        let mut jumps = BTreeMap::new();
        for (at, file) in self.spec.jumps.iter().enumerate() {
            let ssh = file.ssh.over(&self.spec.ssh);
            let Ok(address) = file.address.parse::<IpAddr>() else { continue };
            if file.ssh.jumps.is_some() {
                let what = format!("jump host {}: has jumps of its own; name all of them at the host", file.name);
                self.faults.refuse(self.item("jumps", at, "ssh"), what, None);
            }
            let ssh = self.access(&SshFile { jumps: None, ..ssh }, address, ("jumps", at), &BTreeMap::new());
            let jump = Jump { name: file.name.clone(), address, ssh };
            if jumps.insert(file.name.as_str(), jump).is_some() {
                self.twice("jumps", at, &file.name);
            }
        }
        jumps
    }

    fn hosts(&mut self, jumps: &BTreeMap<&str, Jump>) -> Vec<Host> {
        let mut hosts: Vec<Host> = Vec::new();
        for (at, file) in self.spec.hosts.iter().enumerate() {
            if hosts.iter().any(|host| host.name == file.name) {
                self.twice("hosts", at, &file.name);
            }
            if !is_name(&file.name) {
                let what = format!("host name {:?}: expected letters, digits, dots and dashes", file.name);
                self.faults.refuse(self.item("hosts", at, "name"), what, None);
            }
            // What is no address was said by the schema's check.
            let Ok(address) = file.address.parse::<IpAddr>() else { continue };
            let ssh = self.access(&file.ssh.over(&self.spec.ssh), address, ("hosts", at), jumps);
            let runs_api = self.spec.api_servers.iter().any(|s| s.host.as_ref().or(s.via.as_ref()) == Some(&file.name));
            let role = if runs_api { Role::ControlPlane } else { Role::Node };
            hosts.push(Host {
                name: file.name.clone(),
                address,
                ssh,
                roles: file.roles.clone().unwrap_or_else(|| vec![role]),
                manifests: file.manifests.clone().unwrap_or_else(|| MANIFESTS.into()),
                recovery_program: file.recovery_program.clone(),
            });
        }
        hosts
    }

    fn api_servers(&mut self) -> Vec<ApiServer> {
        let mut servers: Vec<ApiServer> = Vec::new();
        for (at, file) in self.spec.api_servers.iter().enumerate() {
            if servers.iter().any(|server| server.name == file.name) {
                self.twice("apiServers", at, &file.name);
            }
            for (key, name) in [("via", &file.via), ("host", &file.host)] {
                let Some(name) = name else { continue };
                if !self.spec.hosts.iter().any(|host| host.name == *name) {
                    let known = || self.spec.hosts.iter().map(|host| host.name.as_str());
                    let hint = words::nearest(name, known()).map(|near| format!("did you mean {near:?}?"));
                    let what = format!("{key}: no host {name:?} under hosts");
                    self.faults.refuse(self.item("apiServers", at, key), what, hint);
                }
            }
            match address(&file.address) {
                Ok(address) => servers.push(ApiServer {
                    name: file.name.clone(),
                    address,
                    via: file.via.clone(),
                    host: file.host.clone().or_else(|| file.via.clone()),
                }),
                Err((what, hint)) => self.faults.refuse(self.item("apiServers", at, "address"), what, hint),
            }
        }
        servers
    }

    fn sets(&mut self) -> BTreeMap<String, Vec<Net>> {
        let mut sets = BTreeMap::new();
        for (name, words) in &self.spec.sets {
            let mut nets = Vec::new();
            for word in words {
                match word.parse() {
                    Ok(net) => nets.push(net),
                    Err(error) => {
                        let node = self.spec_node("sets").and_then(|sets| sets.get(name)).unwrap_or(self.root);
                        self.faults.refuse(node, format!("sets: {name}: {error}"), None);
                    }
                }
            }
            sets.insert(name.clone(), nets);
        }
        sets
    }

    fn twice(&mut self, list: &str, at: usize, name: &str) {
        self.faults.refuse(self.item(list, at, "name"), format!("{list}: {name:?} is there twice"), None);
    }

    fn access(
        &mut self,
        ssh: &SshFile,
        address: IpAddr,
        (list, at): (&str, usize),
        jumps: &BTreeMap<&str, Jump>,
    ) -> SshAccess {
        let item = self.item(list, at, "ssh");
        let port = ssh.port.unwrap_or(SSH_PORT);
        let paths = |paths: &Option<Vec<String>>| -> Vec<PathBuf> {
            paths.iter().flatten().map(|path| self.place.path(path)).collect()
        };
        let identities = paths(&ssh.identities);
        let mut known_hosts = paths(&ssh.known_hosts);
        if ssh.known_hosts.is_none() && ssh.host_keys.is_none() {
            known_hosts = vec![self.place.process.home().join(".ssh/known_hosts"), "/etc/ssh/ssh_known_hosts".into()];
        }
        let agent = match ssh.agent.as_deref() {
            Some("none") => None,
            Some(socket) => Some(self.place.path(socket)),
            None => self.place.process.var("SSH_AUTH_SOCK").map(PathBuf::from),
        };
        // What every host shares is refused once: the place of the shared default is the same for all.
        let place =
            |key: &str| item.get(key).or_else(|| self.spec_node("ssh").and_then(|ssh| ssh.get(key))).unwrap_or(item);
        let (jumps_at, known_at) = (place("jumps"), place("knownHosts"));
        for path in &known_hosts {
            read::trusted(path, known_at, &mut self.faults);
        }
        let way = ssh.jumps.iter().flatten().filter_map(|name| {
            let found = jumps.get(name.as_str()).cloned();
            if found.is_none() && list == "hosts" {
                let hint = words::nearest(name, jumps.keys().copied()).map(|near| format!("did you mean {near:?}?"));
                self.faults.refuse(jumps_at, format!("no jump host {name:?} under jumps"), hint);
            }
            found
        });
        let jumps = way.collect();
        let key_name = ssh.host_key_alias.clone().unwrap_or_else(|| key_name(address, port));
        SshAccess {
            port,
            user: ssh.user.clone().unwrap_or_else(|| "root".into()),
            identities_only: ssh.identities_only.unwrap_or(!identities.is_empty()),
            identities,
            certificates: paths(&ssh.certificates),
            agent,
            host_keys: ssh.host_keys.iter().flatten().map(|line| host_key_line(line, &key_name)).collect(),
            known_hosts,
            host_key_alias: ssh.host_key_alias.clone(),
            jumps,
            sudo: ssh.sudo.unwrap_or(false),
        }
    }
}

/// The address of an API server: an IP address with or without its port.
pub(super) fn address(text: &str) -> Result<SocketAddr, (String, Option<String>)> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    bare.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, API_PORT)).map_err(|_| {
        let name = text.rsplit_once(':').map_or(text, |(name, _)| name);
        let what = format!("address: expected an IP address and a port, found {text:?}: names are not looked up");
        (what, Some(format!("getent ahosts {name}")))
    })
}

/// The name that a host's key stands under in known_hosts.
pub(super) fn key_name(address: IpAddr, port: u16) -> String {
    if port == SSH_PORT { address.to_string() } else { format!("[{address}]:{port}") }
}

/// A line of known_hosts from one that may be only type and key.
fn host_key_line(line: &str, name: &str) -> String {
    let first = line.split_ascii_whitespace().next().unwrap_or_default();
    let only_key = ["ssh-", "ecdsa-", "sk-"].iter().any(|start| first.starts_with(start));
    if only_key { format!("{name} {line}") } else { line.to_owned() }
}

/// Whether a name can be said in the grammar for targets.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "._-".contains(c)) && name != "all"
}

fn refusal(path: &Path, what: String, hint: Option<String>) -> Refusal {
    Refusal { at: Location { file: path.display().to_string(), ..Location::default() }, what, hint }
}

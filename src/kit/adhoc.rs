//! No kit: one cluster from kubectl's configuration and flags, and one host on the way when there is one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Instant;

pub use super::exec_plugin::{Asking, Plugins};
use super::kubeconfig::{Context, Kubeconfig, Server, command_line};
use super::read::{Either, Place, Whose, open_note};
use super::{ApiServer, Cluster, Credential, Host};
use crate::host::apiserver::API_PORT;
use crate::process::Process;
use crate::refusal::Refusal;
use crate::yaml::{Faults, Node, Tree};

/// What was given on the command line, by kubectl's names.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--kubeconfig`; else `$KUBECONFIG`, a list of paths; else `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`; else the current one.
    pub context: Option<String>,
    /// `--server`.
    pub server: Option<String>,
    /// `--tls-server-name`.
    pub tls_server_name: Option<String>,
    /// `--certificate-authority`.
    pub certificate_authority: Option<PathBuf>,
    /// `--client-certificate`.
    pub client_certificate: Option<PathBuf>,
    /// `--client-key`.
    pub client_key: Option<PathBuf>,
    /// `--token`.
    pub token: Option<String>,
    /// `--via`, as resolved by the operator's SSH configuration: the API server is reached on this host's loopback.
    pub via: Option<Host>,
}

/// A cluster, and what should be known about how it was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The cluster.
    pub cluster: Cluster,
    /// One sentence each: names that were looked up, plugins that were run.
    pub notes: Vec<String>,
}

/// The cluster that the flags and kubectl's configuration stand for. What the flags say is not asked of the
/// configuration: with a server, an authority and a credential by flags no file is read.
///
/// # Errors
/// Everything that is wrong, all at once.
pub async fn cluster(flags: &Flags, process: &Process, asking: &Asking<'_>) -> Result<Found, Vec<Refusal>> {
    let mut notes = Vec::new();
    let mut refusals = Vec::new();
    let by_flag = credential(flags, process, &mut refusals);
    notes.extend(flags.client_key.as_ref().and_then(|key| open_note(&place(process).path(&key.display().to_string()))));
    let ca_by_flag = flags.certificate_authority.as_deref().and_then(|path| {
        let mut faults = Faults::new("--certificate-authority");
        let node = path_node(path);
        let found = place(process).authority(Either { path: Some(&node), data: None }, &mut faults);
        refusals.extend(faults.into_vec());
        found
    });
    let needs_file = (flags.server.is_none() && flags.via.is_none())
        || flags.certificate_authority.is_none()
        || (by_flag.is_none() && refusals.is_empty());
    let config = if needs_file || flags.kubeconfig.is_some() || flags.context.is_some() {
        Kubeconfig::open(flags.kubeconfig.as_deref(), process).map_err(|faults| refusals.extend(faults)).ok()
    } else {
        None
    };
    let context = match config.as_ref().map(|config| config.context(flags.context.as_deref())) {
        Some(Ok(context)) => {
            notes.extend(context.notes.iter().cloned());
            Some(context)
        }
        Some(Err(refusal)) => {
            refusals.push(refusal);
            None
        }
        None => None,
    };
    let ca = match (&ca_by_flag, &context) {
        (None, Some(context)) if flags.certificate_authority.is_none() => {
            context.authority(process).map_err(|faults| refusals.extend(faults)).unwrap_or_default()
        }
        _ => ca_by_flag.unwrap_or_default(),
    };
    let said = match (&flags.server, &context) {
        (Some(text), context) => {
            if let Some(proxy) = context.as_ref().and_then(Context::proxy).filter(|_| flags.via.is_none()) {
                notes.push(format!("{proxy} is not used: --server is dialled without a proxy"));
            }
            Server::parse(text).map(Some).map_err(|fault| command_line(format!("--server: {fault}"), None))
        }
        // Through a host the server's name is only what its certificate may say.
        (None, Some(context)) if flags.via.is_some() => Ok(context.server().ok()),
        (None, Some(context)) => context.server_without_proxy().map(Some),
        (None, None) => Ok(None),
    };
    let said = said.map_err(|refusal| refusals.push(refusal)).ok().flatten();
    let address =
        if refusals.is_empty() { address(flags, said.as_ref(), asking.deadline, &mut notes).await } else { Ok(None) };
    let address = address.map_err(|refusal| refusals.push(refusal)).ok().flatten();
    // Only now: a plugin is not run for a command that is refused anyhow.
    let found = match (by_flag, &context) {
        (None, Some(context)) if refusals.is_empty() => {
            context.credential(process, asking, &mut notes).await.map_err(|faults| refusals.extend(faults)).ok()
        }
        (by_flag, _) => by_flag.map(|credential| (credential, None)),
    };
    let (credential, credential_ends) = found.unwrap_or((Credential::Anonymous, None));
    let acting_as = match context.as_ref().map(Context::acting_as) {
        Some(Ok(acting_as)) => acting_as,
        Some(Err(refusal)) => {
            refusals.push(refusal);
            None
        }
        None => None,
    };
    let nobody = matches!(credential, Credential::Anonymous) && asking.plugins == Plugins::Run;
    if let Some(acting_as) = acting_as.as_ref().filter(|_| nobody && refusals.is_empty()) {
        let what = format!("as: nobody may act as {} without a credential of their own", acting_as.user);
        refusals.push(command_line(what, Some(super::kubeconfig::BY_FLAGS.into())));
    }
    let (Some(address), true) = (address, refusals.is_empty()) else { return Err(refusals) };
    let written = context.as_ref().and_then(Context::tls_server_name);
    let tls_server_name = flags.tls_server_name.clone().or(written).or_else(|| tls_name(said.as_ref(), address));
    let name = context.as_ref().map_or_else(|| address.ip().to_string(), |context| context.name.clone());
    let via = flags.via.as_ref().map(|host| host.name.clone());
    let cluster = Cluster {
        name,
        api_servers: vec![ApiServer {
            name: via.clone().unwrap_or_else(|| address.to_string()),
            address,
            via: via.clone(),
            host: via,
        }],
        hosts: flags.via.iter().cloned().collect(),
        tls_server_name,
        ca,
        credential,
        credential_ends,
        acting_as,
        sets: std::collections::BTreeMap::new(),
        source: context.as_ref().map_or_else(|| "flags".into(), |c| format!("kubeconfig, context {}", c.name)),
        kept: None,
    };
    Ok(Found { cluster, notes })
}

/// Where to dial: the host's loopback when there is a host and no server by flag, else the server.
async fn address(
    flags: &Flags,
    said: Option<&Server>,
    deadline: Instant,
    notes: &mut Vec<String>,
) -> Result<Option<SocketAddr>, Refusal> {
    if let Some(host) = flags.via.as_ref().filter(|_| flags.server.is_none()) {
        // The port is the host's only where the host's own address stands there: a load balancer has a port of its own.
        let own = said.filter(|server| server.host.parse() == Ok(host.address));
        let port = own.map_or(API_PORT, |server| server.port);
        return Ok(Some(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)));
    }
    let Some(server) = said else { return Ok(None) };
    server.address(deadline, notes).await.map(Some).map_err(|fault| {
        let hint = "give its IP address: --server ADDRESS, or a host that runs it: --via HOST".to_owned();
        command_line(fault, Some(hint))
    })
}

/// The name to verify against when none is given: that of the server, unless it is the very address that is dialled.
fn tls_name(said: Option<&Server>, address: SocketAddr) -> Option<String> {
    let host = &said?.host;
    (host.parse::<IpAddr>() != Ok(address.ip())).then(|| host.clone())
}

/// The credential of the flags; kubectl's flags go before its files.
fn credential(flags: &Flags, process: &Process, refusals: &mut Vec<Refusal>) -> Option<Credential> {
    if let Some(token) = &flags.token {
        if flags.client_certificate.is_some() || flags.client_key.is_some() {
            let what = "both a token and a client certificate are given; one is used".to_owned();
            refusals
                .push(command_line(what, Some("leave out --token, or --client-certificate and --client-key".into())));
            return None;
        }
        let mut faults = Faults::new("--token");
        let node = Node { line: 0, column: 0, bytes: 0..0, tree: Tree::String(token.clone()) };
        let found = place(process).token(None, Some(&node), &mut faults);
        refusals.extend(faults.into_vec());
        return found;
    }
    let cert = flags.client_certificate.as_deref().map(path_node);
    let key = flags.client_key.as_deref().map(path_node);
    let file = if cert.is_some() { "--client-certificate" } else { "--client-key" };
    let mut faults = Faults::new(file);
    let either = |path| Either { path, data: None };
    let found = place(process).certificate(either(cert.as_ref()), either(key.as_ref()), &mut faults);
    refusals.extend(faults.into_vec());
    found
}

fn place(process: &Process) -> Place<'_> {
    Place { folder: process.cwd.clone(), process, whose: Whose::Kubectl }
}

fn path_node(path: &Path) -> Node {
    Node { line: 0, column: 0, bytes: 0..0, tree: Tree::String(path.display().to_string()) }
}

//! What was prepared in peace: clusters, API servers, hosts, credentials. Needs no DNS, no identity provider, no server.

pub mod adhoc;
#[cfg(test)]
mod adhoc_tests;
pub mod check;
mod exec_plugin;
mod file;
mod finding;
#[cfg(test)]
mod fuzz;
pub mod held;
pub mod import;
pub mod keep;
pub mod kept;
mod known_as;
pub mod kubeconfig;
mod kuberc;
pub mod load;
mod logins;
pub mod pem;
pub mod proxy;
mod put;
mod read;
pub mod reissue;
pub mod request;
#[cfg(test)]
pub(crate) mod sample;
pub mod select;
#[cfg(test)]
mod tests;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::host::net::Net;
use crate::shell::quote;

pub use file::schema;
pub use known_as::{KnownAs, MASTERS};

/// What to type about a credential that the API does not know any more.
pub const RENEW: &str = "is this machine's clock right (date -u)? If it is: the same with --access, by a credential that lies \
                         on a control-plane host; or make a new one there: \
                         sudo kubeadm kubeconfig user --org system:masters --client-name NAME >admin.conf, then --kubeconfig \
                         admin.conf, or breakglass kit import NAME --replace --kubeconfig \
                         admin.conf";

/// One cluster, everything resolved: addresses are IPs, key material is in memory.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Its name in the kit.
    pub name: String,
    /// Its API servers, in the order they are tried when nothing is known of them.
    pub api_servers: Vec<ApiServer>,
    /// Its hosts.
    pub hosts: Vec<Host>,
    /// The name in the API servers' certificates.
    pub tls_server_name: Option<String>,
    /// The certificates that API servers are verified against, PEM.
    pub ca: Vec<u8>,
    /// Who we are to the API.
    pub credential: Credential,
    /// When the credential ends, where it does not say so itself.
    pub credential_ends: Option<Timestamp>,
    /// Whom our requests are made as, when that is somebody else.
    pub acting_as: Option<ActingAs>,
    /// Named addresses, for the stages of a gate.
    pub sets: BTreeMap<String, Vec<Net>>,
    /// Where this was read: a file of the kit, or the flags that replaced it.
    pub source: String,
    /// The folder of what is kept of its hosts ([`kept`]); `None` where it stands in no file of a kit.
    pub kept: Option<PathBuf>,
}

/// One API server and the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiServer {
    /// Its name in the kit.
    pub name: String,
    /// Where it listens: dialled directly, or from the host when `via` is set.
    pub address: SocketAddr,
    /// The host whose loopback or network it is reached through, by SSH; its name in the kit.
    pub via: Option<String>,
    /// The host it runs on, by its name in the kit, when that is known.
    pub host: Option<String>,
}

/// One host and the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its name in the kit.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
    /// How SSH gets in.
    pub ssh: SshAccess,
    /// What it is for.
    pub roles: Vec<Role>,
    /// The folder of its static pods.
    pub manifests: String,
    /// A file of it that is kube-apiserver, for a recovery API server where no process and no container has one.
    pub recovery_program: Option<String>,
}

impl Host {
    /// What a person types to run this on it.
    pub fn by_hand(&self, command: &str) -> String {
        format!("ssh -p {} {}@{} {}", self.ssh.port, self.ssh.user, self.address, quote(command))
    }
}

/// How SSH gets into a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshAccess {
    /// The port of its SSH server.
    pub port: u16,
    /// The user.
    pub user: String,
    /// Private keys; empty: the agent only.
    pub identities: Vec<PathBuf>,
    /// Only keys of `identities` are tried, also from the agent.
    pub identities_only: bool,
    /// User certificates, beside those that stand next to the identities.
    pub certificates: Vec<PathBuf>,
    /// The agent's socket.
    pub agent: Option<PathBuf>,
    /// Host keys as lines of a known_hosts file.
    pub host_keys: Vec<String>,
    /// Files with host keys.
    pub known_hosts: Vec<PathBuf>,
    /// The name its key stands under, when it is not the address.
    pub host_key_alias: Option<String>,
    /// Jump hosts on the way, the first one first.
    pub jumps: Vec<Jump>,
    /// Commands need `sudo -n`.
    pub sudo: bool,
}

/// A host on the way to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jump {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
    /// How SSH gets in; its own jumps are empty.
    pub ssh: SshAccess,
}

/// What a host is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It runs an API server.
    ControlPlane,
    /// It runs workloads.
    Node,
}

/// Who we are to the API. The bytes are in memory only.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A client certificate and its key, PEM.
    Certificate {
        /// The chain.
        cert: Vec<u8>,
        /// The key.
        key: Vec<u8>,
    },
    /// A bearer token.
    Token(String),
    /// None: health endpoints and hosts only.
    Anonymous,
}

/// Somebody else whose rights our requests have: impersonation, for those whom RBAC allows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ActingAs {
    /// The user.
    pub user: String,
    /// The user's groups; when none are given, those that the API server knows.
    pub groups: Vec<String>,
    /// The user's uid.
    pub uid: Option<String>,
    /// What else the user has, each key with its values.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl ActingAs {
    /// The headers that say so, as client-go writes them.
    pub fn headers(&self) -> Vec<(String, &str)> {
        let mut headers = vec![("impersonate-user".to_owned(), &*self.user)];
        headers.extend(self.groups.iter().map(|group| ("impersonate-group".to_owned(), &**group)));
        headers.extend(self.uid.iter().map(|uid| ("impersonate-uid".to_owned(), &**uid)));
        for (key, values) in &self.extra {
            let name = format!("impersonate-extra-{}", header_key(key));
            headers.extend(values.iter().map(|value| (name.clone(), &**value)));
        }
        headers
    }

    /// Why it cannot be said to an API server.
    pub fn fault(&self) -> Option<String> {
        if self.user.is_empty() {
            return Some("groups, a uid or extras of somebody else are given, but not as whom".into());
        }
        let bad = |value: &str| value.is_empty() || value.bytes().any(|byte| byte < 0x20 || byte == 0x7f);
        let headers = self.headers();
        let (name, _) = headers.iter().find(|(_, value)| bad(value))?;
        Some(format!("{name}: expected a word without control characters"))
    }

    /// The user and the groups, for people.
    pub fn said(&self) -> String {
        match self.groups.as_slice() {
            [] => self.user.clone(),
            groups => format!("{} of {}", self.user, groups.join(", ")),
        }
    }
}

/// A key as a part of a header's name: what may not stand there is escaped with %, and the server undoes it.
fn header_key(key: &str) -> String {
    /// All but what a token of HTTP may hold; `%` is the escape itself.
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'!')
        .remove(b'#')
        .remove(b'$')
        .remove(b'&')
        .remove(b'\'')
        .remove(b'*')
        .remove(b'+')
        .remove(b'-')
        .remove(b'.')
        .remove(b'^')
        .remove(b'_')
        .remove(b'`')
        .remove(b'|')
        .remove(b'~');
    utf8_percent_encode(key, ESCAPED).to_string()
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Certificate { .. } => "Certificate(..)",
            Self::Token(_) => "Token(..)",
            Self::Anonymous => "Anonymous",
        })
    }
}

impl Credential {
    /// Why the API does not know it at a moment, as far as it says itself: its dates, and how far away they are. `ends`: when it
    /// ends, where it does not say so itself.
    pub fn void(&self, now: Timestamp, ends: Option<Timestamp>) -> Option<String> {
        match self {
            Self::Certificate { cert, .. } => {
                let fault = pem::certificates(cert).ok()?.first()?.fault(now)?;
                Some(format!("our client {fault}"))
            }
            Self::Token(token) => {
                if let Some(start) = pem::token_start(token).filter(|start| *start > now) {
                    let until = pem::age(start.duration_since(now));
                    return Some(format!("our token is not valid before {start}, in {until}"));
                }
                let end = pem::token_end(token).or(ends).filter(|end| *end < now)?;
                Some(format!("our token expired on {end}, {} ago", pem::age(now.duration_since(end))))
            }
            Self::Anonymous => None,
        }
    }
}

impl Cluster {
    /// Why the API does not know our credential at a moment, as far as it says itself.
    pub fn void(&self, now: Timestamp) -> Option<String> {
        self.credential.void(now, self.credential_ends)
    }

    /// The same as a note before anything is done: what still works and what to type next.
    pub fn void_note(&self, now: Timestamp) -> Option<String> {
        let why = self.void(now)?;
        Some(format!("cluster {}: {why}: its API will not know us, what goes by SSH works; next: {RENEW}", self.name))
    }

    /// The host with this name.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.name == name)
    }

    /// The API server with this name.
    pub fn api_server(&self, name: &str) -> Option<&ApiServer> {
        self.api_servers.iter().find(|server| server.name == name)
    }

    /// The hosts that run an API server.
    pub fn api_hosts(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().filter(|host| host.roles.contains(&Role::ControlPlane))
    }
}

//! One write, as a value: what is done, what must still be true for it, how it is taken back, and why.
//!
//! Everything here is closed, serialisable and pure: the plan prints it, the journal keeps it, the world performs it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::host::{Script, gate};

/// What a change is made on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Target {
    /// The cluster's name in the kit.
    pub cluster: String,
    /// Which part of it.
    pub part: Part,
}

/// The part of a cluster that a target names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The cluster as a whole: whichever API server answers.
    Cluster,
    /// One API server, by its name in the kit.
    ApiServer(String),
    /// One host, by its name in the kit.
    Host(String),
    /// The operator's own machine: hooks and local commands.
    Local,
}

impl Target {
    /// The cluster as a whole.
    pub fn cluster(cluster: impl Into<String>) -> Self {
        Self { cluster: cluster.into(), part: Part::Cluster }
    }

    /// One host of a cluster.
    pub fn host(cluster: impl Into<String>, host: impl Into<String>) -> Self {
        Self { cluster: cluster.into(), part: Part::Host(host.into()) }
    }

    /// One API server of a cluster.
    pub fn api_server(cluster: impl Into<String>, name: impl Into<String>) -> Self {
        Self { cluster: cluster.into(), part: Part::ApiServer(name.into()) }
    }

    /// The operator's machine, on behalf of a cluster.
    pub fn local(cluster: impl Into<String>) -> Self {
        Self { cluster: cluster.into(), part: Part::Local }
    }

    /// The name without the cluster, as shown beside a step.
    pub fn short(&self) -> &str {
        match &self.part {
            Part::Cluster => &self.cluster,
            Part::ApiServer(name) | Part::Host(name) => name,
            Part::Local => "local",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.part {
            Part::Cluster => write!(f, "{}", self.cluster),
            Part::ApiServer(name) => write!(f, "{}/api/{name}", self.cluster),
            Part::Host(name) => write!(f, "{}/{name}", self.cluster),
            Part::Local => write!(f, "{}/local", self.cluster),
        }
    }
}

/// Bytes that are kept beside the journal and named in it by their hash only: saved objects and manifests may hold
/// secrets, and no secret ever enters the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// Lower-case hex of the SHA-256 of the bytes.
    pub sha256: String,
    /// Length in bytes.
    pub len: u64,
    /// The bytes; absent when the record was read back from a journal and not yet filled from its store.
    #[serde(skip)]
    pub bytes: Option<Arc<[u8]>>,
}

impl Blob {
    /// Takes bytes in and hashes them.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self { sha256: sha256_hex(&bytes), len: bytes.len() as u64, bytes: Some(bytes) }
    }
}

/// The SHA-256 of some bytes, as lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

/// The methods that are ever sent to an API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads one thing.
    Get,
    /// Creates, or calls a hook.
    Post,
    /// Replaces.
    Put,
    /// Changes part of an object.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// The word as sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// The body of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// No body.
    Empty,
    /// A JSON body that holds no secret and may stand in the journal.
    Json(Value),
    /// A JSON body kept beside the journal.
    Saved(Blob),
}

impl Body {
    /// The bytes as sent, or `None` when a saved body has not been filled from its store.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Empty => Some(Vec::new()),
            Self::Json(value) => serde_json::to_vec(value).ok(),
            Self::Saved(blob) => blob.bytes.as_ref().map(|b| b.to_vec()),
        }
    }
}

/// One write through the Kubernetes API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubeCall {
    /// The method.
    pub method: Method,
    /// Path and query, from `/`.
    pub path: String,
    /// `Content-Type` of the body.
    pub content_type: String,
    /// The body.
    pub body: Body,
    /// May be in flight more than once at a time: true only for what its own guard (uid, resourceVersion) makes idempotent.
    pub idempotent: bool,
    /// Status codes, beside 2xx, that mean the wanted state holds already (404 for a DELETE with a uid precondition).
    pub already: Vec<u16>,
    /// How to see that the wanted state holds. An inverse needs it: when it was refused, or its reply was lost, the
    /// engine looks before it says that something could not be taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<Holds>,
}

/// A state that one GET can prove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holds {
    /// The object's path; it must be there.
    pub path: String,
    /// JSON pointers into it, each with the value that must stand there; `Null`: nothing may stand there.
    pub fields: Vec<(String, Value)>,
    /// The object must also be what the op's own body says, but for what a server sets by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub as_sent: bool,
}

impl Holds {
    /// Where an object differs from this state, as JSON pointers; nothing: it is in it. `sent` is the op's body.
    pub fn differs(&self, object: &Value, sent: Option<&Value>) -> Vec<String> {
        let differs = |(pointer, value): &&(String, Value)| object.pointer(pointer).unwrap_or(&Value::Null) != value;
        let mut all: Vec<String> = self.fields.iter().filter(differs).map(|(pointer, _)| pointer.clone()).collect();
        if self.as_sent {
            all.extend(sent.into_iter().flat_map(|sent| crate::saved::differs(sent, object)));
        }
        all
    }
}

/// A command on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostCommand {
    /// What is run.
    pub script: Script,
    /// Must travel over a connection opened for it alone: proves that a new connection still gets through.
    pub fresh_connection: bool,
    /// May be repeated when the reply was lost.
    pub idempotent: bool,
    /// What it prints is its author's, and may be a secret: only its exit status and how much it printed are kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quiet: bool,
}

/// A file put on a host: written beside its folder, fsynced, and renamed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePut {
    /// Absolute path on the host.
    pub path: String,
    /// Permission bits; owner and group are kept when the file exists.
    pub mode: u32,
    /// What to write; `None` removes the file.
    pub content: Option<Blob>,
    /// What must be there now.
    pub expect: Expect,
}

/// What must be on the host for a file to be put there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// No file of that name.
    Absent,
    /// A file with this SHA-256 (lower-case hex).
    Sha256(String),
}

/// A call to something that is not a Kubernetes API server: a traffic manager, a pager, a load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpCall {
    /// The method.
    pub method: Method,
    /// The whole URL; never holds a credential.
    pub url: String,
    /// Addresses to dial instead of looking the URL's host up, so that a hook works without DNS.
    pub dial: Vec<SocketAddr>,
    /// Headers without secrets.
    pub headers: Vec<(String, String)>,
    /// Headers whose value is read from a file when the call is made: (name, path). The value stands nowhere else.
    pub secret_headers: Vec<(String, String)>,
    /// A file whose text follows the URL, read when the call is made: for hooks whose address is the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_path: Option<String>,
    /// The body.
    pub body: Body,
    /// A file that is sent as the body instead, read when the call is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_body: Option<String>,
    /// Status codes that mean success; empty means any 2xx.
    pub expect: Vec<u16>,
    /// May be repeated when the reply was lost.
    pub idempotent: bool,
}

/// A command on the operator's machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalCommand {
    /// Program and arguments; no shell is involved.
    pub argv: Vec<String>,
    /// May be repeated when its outcome is not known.
    pub idempotent: bool,
    /// As of a command on a host.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quiet: bool,
}

/// The closed set of writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Op {
    /// A Kubernetes call.
    Kube(KubeCall),
    /// A command on a host.
    Host(HostCommand),
    /// A file put on a host.
    File(FilePut),
    /// An HTTP call to a hook.
    Http(HttpCall),
    /// A command on the operator's machine.
    Local(LocalCommand),
}

impl Op {
    /// The blobs that must be kept beside the journal.
    pub fn blobs(&self) -> Vec<&Blob> {
        match self {
            Self::Kube(KubeCall { body: Body::Saved(blob), .. })
            | Self::Http(HttpCall { body: Body::Saved(blob), .. }) => {
                vec![blob]
            }
            Self::File(FilePut { content: Some(blob), .. }) => vec![blob],
            _ => Vec::new(),
        }
    }

    /// The same blobs, to be filled from the store after a journal was read back.
    pub fn blobs_mut(&mut self) -> Vec<&mut Blob> {
        match self {
            Self::Kube(KubeCall { body: Body::Saved(blob), .. })
            | Self::Http(HttpCall { body: Body::Saved(blob), .. }) => {
                vec![blob]
            }
            Self::File(FilePut { content: Some(blob), .. }) => vec![blob],
            _ => Vec::new(),
        }
    }

    /// May a second attempt be started while the outcome of the first is not known?
    pub fn idempotent(&self) -> bool {
        match self {
            Self::Kube(call) => call.idempotent,
            Self::Host(command) => command.idempotent,
            // The hash that must be there makes a second put either a no-op or a refusal.
            Self::File(_) => true,
            Self::Http(call) => call.idempotent,
            Self::Local(command) => command.idempotent,
        }
    }

    /// What a command on a host loads into its kernel: text by text, each with the command that reads it. Empty for all
    /// but the closing of a gate.
    pub fn loads(&self) -> Vec<(String, String)> {
        match self {
            Self::Host(command) => gate::rules_of(&command.script).unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// One line for plans, progress and messages.
    pub fn summary(&self) -> String {
        match self {
            Self::Kube(call) => format!("{} {}", call.method.as_str(), call.path),
            Self::Host(command) => title(&command.script),
            Self::File(put) => match &put.content {
                // In a plan neither its length nor its hash is known yet.
                Some(blob) if blob.sha256.starts_with('<') => format!("put {} (sha256 {})", put.path, blob.sha256),
                Some(blob) => format!("put {} ({} bytes, sha256 {})", put.path, blob.len, short_hash(&blob.sha256)),
                None => format!("remove {}", put.path),
            },
            Self::Http(call) => format!("{} {}", call.method.as_str(), call.url),
            Self::Local(command) => command.argv.join(" "),
        }
    }
}

/// The longest value that is shown whole in a [`title`]: the path of a manifest still is.
const SHOWN: usize = 60;

/// A host script in one line: its name and its words; without any, what it was given, long values cut short.
pub fn title(script: &Script) -> String {
    if !script.words.is_empty() {
        return format!("{} {}", script.name, script.words);
    }
    script.args.iter().fold(script.name.clone(), |line, (key, value)| format!("{line} {key}={}", shown(value)))
}

fn shown(value: &str) -> String {
    if value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit()) {
        return short_hash(value).to_owned();
    }
    match value.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}\u{2026}", &value[..end]),
        None => value.to_owned(),
    }
}

/// The first twelve digits of a hash, enough to compare by eye; a placeholder of a plan stays whole.
pub fn short_hash(hash: &str) -> &str {
    if hash.starts_with('<') { hash } else { hash.get(..12).unwrap_or(hash) }
}

/// How a change is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Inverse {
    /// By this op, made from what the survey saw.
    By(Box<Op>),
    /// Nothing has to be taken back, for this reason.
    NotNeeded(String),
    /// It cannot be taken back, for this reason.
    Impossible(String),
}

/// One write: an op, its inverse, its guard and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Says which of a step's changes this is, the same at every survey (`close`, `confirm`, `delete`).
    pub key: String,
    /// What is written.
    pub op: Op,
    /// What must still be true for the op to run, as a sentence; the op itself enforces it.
    pub guard: String,
    /// How it is taken back.
    pub inverse: Inverse,
    /// Why it is made.
    pub because: String,
    /// The command that a person would type to do the same by hand.
    pub by_hand: String,
    /// How long one performance may take, in seconds; after that the outcome is unknown and is looked at again.
    pub deadline_secs: u64,
    /// Whether something has to be renewed while the run lives.
    pub keep: Keep,
}

impl Change {
    /// What a person would type after it failed or was lost. An API server that said no says it again to the same words of the
    /// same user: then what stands is looked at, and another credential is named.
    pub fn by_hand_after(&self, refused: bool) -> String {
        let Op::Kube(call) = &self.op else { return self.by_hand.clone() };
        if !refused {
            return self.by_hand.clone();
        }
        let path = call.path.split('?').next().unwrap_or_default().replace('\'', r"'\''");
        format!(
            "kubectl get --raw '{path}'   # what stands; why it was refused is said above\n\
             export KUBECONFIG=/etc/kubernetes/admin.conf   # as root on a control-plane host: another credential, then\n\
             {}",
            self.by_hand
        )
    }
}

#[cfg(test)]
impl Change {
    /// A change that says nothing but what it writes, for tests.
    pub(crate) fn sample(key: &str, op: Op) -> Self {
        Self {
            key: key.to_owned(),
            op,
            guard: String::new(),
            inverse: Inverse::NotNeeded(String::new()),
            because: String::new(),
            by_hand: String::new(),
            deadline_secs: 1,
            keep: Keep::Nothing,
        }
    }
}

/// What a change asks of the run for as long as it lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Nothing.
    Nothing,
    /// Renew from now on: a lease on the host that would run out by itself.
    Renew {
        /// Which lease, unique on its target.
        lease: String,
        /// How often, in seconds.
        every_secs: u64,
        /// How; must be idempotent. An answer with `lost=WHY` in it means that there is nothing left to renew.
        op: Box<HostCommand>,
    },
    /// Renew no longer.
    Release {
        /// Which lease.
        lease: String,
    },
}

/// Stands in what is said of a DELETE whose answer tells that the object is gone. Without it the object may still be there,
/// held by a finalizer or by its grace period: a 200 says only that the wish was taken in.
pub const GONE: &str = "and it is gone";

/// What performing an op came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The far side did it, and said this.
    Done(String),
    /// The far side said no, and nothing was changed.
    Failed(String),
    /// The far side never took it in: it turned it away unread, or nobody was there. Nothing was changed, and the same
    /// may be sent again.
    NotTaken(String),
    /// The reply was lost: it may or may not have been done.
    Unknown(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was just refused is not what to try next.
    #[test]
    fn after_a_no_another_way_is_named_than_the_same_words() {
        let call = KubeCall {
            method: Method::Delete,
            path: "/api/v1/namespaces/a/pods?labelSelector=x".into(),
            content_type: String::new(),
            body: Body::Empty,
            idempotent: true,
            already: Vec::new(),
            holds: None,
        };
        let change = Change { by_hand: "kubectl delete x".into(), ..Change::sample("delete", Op::Kube(call)) };
        assert_eq!(change.by_hand_after(false), "kubectl delete x");
        let refused = change.by_hand_after(true);
        assert!(refused.starts_with("kubectl get --raw '/api/v1/namespaces/a/pods' "), "{refused}");
        assert!(refused.contains("admin.conf") && refused.ends_with("\nkubectl delete x"), "{refused}");
    }
}

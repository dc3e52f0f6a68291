//! The closed set of writes.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::blob::{Blob, short_hash};
use crate::script::Script;

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

    /// What is kept of it beside the journal.
    fn saved(&self) -> Option<&Blob> {
        match self {
            Self::Saved(blob) => Some(blob),
            Self::Empty | Self::Json(_) => None,
        }
    }

    fn saved_mut(&mut self) -> Option<&mut Blob> {
        match self {
            Self::Saved(blob) => Some(blob),
            Self::Empty | Self::Json(_) => None,
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

/// Stands in the preconditions of an inverse DELETE for what only a look before it can tell.
pub const AS_SEEN: &str = "<as the look before it sees it>";

impl KubeCall {
    /// A DELETE that is to be sent only once a look has told which uid and version the object has. No server takes it as it is.
    pub fn wants_a_look(&self) -> bool {
        self.method == Method::Delete && self.demanded_uid() == Some(AS_SEEN)
    }

    /// The same, for the object as it was just seen.
    #[must_use]
    pub fn as_seen(&self, object: &Value) -> Self {
        let mut call = self.clone();
        for (pointer, value) in call.holds.iter_mut().flat_map(|holds| &mut holds.fields) {
            if *value == AS_SEEN {
                *value = object.pointer(pointer).cloned().unwrap_or_default();
            }
        }
        if let Body::Json(options) = &mut call.body {
            for field in ["uid", "resourceVersion"] {
                if options["preconditions"][field] == AS_SEEN {
                    options["preconditions"][field] = object["metadata"][field].clone();
                }
            }
        }
        call
    }

    /// The uid that the object must have, by the precondition of a DELETE.
    pub fn demanded_uid(&self) -> Option<&str> {
        match &self.body {
            Body::Json(options) => options.pointer("/preconditions/uid")?.as_str(),
            Body::Empty | Body::Saved(_) => None,
        }
    }
}

/// A state that one GET can prove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holds {
    /// The object's path; it must be there.
    pub path: String,
    /// JSON pointers into it, each with the value that must stand there; `Null`: nothing may stand there.
    pub fields: Vec<(String, Value)>,
    /// The object must also be what the op's own body says, or what its patch makes of it, but for what a server sets by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub as_sent: bool,
}

impl Holds {
    /// Where an object differs from this state, as JSON pointers; nothing: it is in it. `sent` is the op's body.
    pub fn differs(&self, object: &Value, sent: Option<&Value>) -> Vec<String> {
        let differs = |(pointer, value): &&(String, Value)| object.pointer(pointer).unwrap_or(&Value::Null) != value;
        let mut all: Vec<String> = self.fields.iter().filter(differs).map(|(pointer, _)| pointer.clone()).collect();
        if self.as_sent {
            all.extend(sent.into_iter().flat_map(|sent| match sent.as_array() {
                Some(patch) => crate::saved::unlike(patch, object),
                None => crate::saved::differs(sent, object),
            }));
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
    /// A script of ours on a host, which may be repeated when its reply was lost.
    pub fn order(script: Script) -> Self {
        Self::Host(HostCommand { script, fresh_connection: false, idempotent: true, quiet: false })
    }

    /// The blob that must be kept beside the journal.
    pub fn blob(&self) -> Option<&Blob> {
        match self {
            Self::Kube(call) => call.body.saved(),
            Self::Http(call) => call.body.saved(),
            Self::File(put) => put.content.as_ref(),
            Self::Host(_) | Self::Local(_) => None,
        }
    }

    /// The same, to be filled from the store after a journal was read back.
    pub fn blob_mut(&mut self) -> Option<&mut Blob> {
        match self {
            Self::Kube(call) => call.body.saved_mut(),
            Self::Http(call) => call.body.saved_mut(),
            Self::File(put) => put.content.as_mut(),
            Self::Host(_) | Self::Local(_) => None,
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

    /// What a command on a host loads into its kernel, as whoever made its script says; see [`Script::loads`].
    pub fn loads(&self) -> &[(String, String)] {
        match self {
            Self::Host(command) => &command.script.loads,
            Self::Kube(_) | Self::File(_) | Self::Http(_) | Self::Local(_) => &[],
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

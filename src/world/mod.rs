//! The border with reality: what a step may look at, and what the engine performs.
//!
//! `live` goes to real systems, `drill` looks for real and pretends to write, `fake` is for tests. The engine cannot
//! tell them apart, but for one question: `World::pretends`.

pub mod drill;
#[cfg(test)]
pub(crate) mod fake;
pub mod live;

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::Value;

use crate::change::{HostCommand, Op, Outcome, Renewal, Target};
use crate::cost::{Cost, Costs};
use crate::kit::Cluster;
use crate::script::Script;

/// One read through the Kubernetes API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeRead {
    /// Path and query, from `/`.
    pub path: String,
    /// What is asked for.
    pub accept: Accept,
    /// The longest that all attempts together may take.
    pub limit: Duration,
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accept {
    /// The whole object, as JSON.
    Json,
    /// Only its metadata, as JSON.
    Metadata,
    /// Of a list, only the metadata of its items, as JSON.
    MetadataList,
    /// Text: health endpoints, metrics, the priority-and-fairness dump.
    Text,
}

impl Accept {
    /// The `Accept` header.
    pub fn header(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Metadata => "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json",
            Self::MetadataList => "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
            Self::Text => "text/plain, */*",
        }
    }
}

/// What an API server answered, whatever the status code: a 404 is an answer, not an error.
#[derive(Debug, Clone, PartialEq)]
pub struct KubeAnswer {
    /// The status code.
    pub code: u16,
    /// The body as text.
    pub text: String,
    /// The API server that answered, by its name in the kit.
    pub server: String,
    /// What the clock of that server said; to the second.
    pub date: Option<jiff::Timestamp>,
    /// From the question to the answer, all attempts and pauses on the way included.
    pub took: Duration,
    /// It did not know our credential, and why that is no wonder: one line.
    pub void: Option<String>,
}

impl KubeAnswer {
    /// The body as JSON, `Null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// The message of a Kubernetes `Status`, or the start of the body, as one line.
    pub fn message(&self) -> String {
        let json = self.json();
        let text = json.get("message").and_then(Value::as_str).unwrap_or(&self.text);
        let start: String = text.chars().take(300).collect();
        let said = start.split_whitespace().collect::<Vec<_>>().join(" ");
        self.void.iter().fold(said, |said, void| format!("{said}: {void}"))
    }
}

/// What a host script printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptOutput {
    /// The exit status; a signal counts as 128 + its number.
    pub status: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Why nothing could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    /// What kind of failure.
    pub kind: ReadErrorKind,
    /// One sentence per attempt: on what, by which route, how long, what came of it.
    pub tried: Vec<String>,
    /// The next command to type.
    pub hint: Option<String>,
}

/// The kinds of failed reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadErrorKind {
    /// No route led there.
    NoRoute,
    /// Something was there, and did not answer in time.
    TimedOut,
    /// Something was there, and hung up without an answer.
    Cut,
    /// The way is shut: a certificate, key or host key that one side does not accept.
    Refused,
    /// It answered that we may not: a credential that it does not know, or rights that are missing.
    Denied,
    /// It answered something that makes no sense.
    Nonsense,
}

impl ReadErrorKind {
    /// Asking again brings the same.
    pub fn lasts(self) -> bool {
        match self {
            Self::Refused | Self::Denied => true,
            Self::NoRoute | Self::TimedOut | Self::Cut | Self::Nonsense => false,
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            ReadErrorKind::NoRoute => "no route",
            ReadErrorKind::TimedOut => "no answer in time",
            ReadErrorKind::Cut => "the connection was cut",
            ReadErrorKind::Refused => "no way in",
            ReadErrorKind::Denied => "refused",
            ReadErrorKind::Nonsense => "an answer that makes no sense",
        };
        write!(f, "{what}: {}", self.tried.join("; "))
    }
}

impl std::error::Error for ReadError {}

/// Looking. Nothing here changes anything.
pub trait Reads: Send + Sync {
    /// What the kit knows of a cluster.
    fn cluster(&self, name: &str) -> Option<&Cluster>;

    /// Asks an API server: the named one, or for a cluster target whichever answers.
    fn kube<'a>(&'a self, target: &'a Target, read: &'a KubeRead) -> BoxFuture<'a, Result<KubeAnswer, ReadError>>;

    /// The same without our certificate or token: tells a server that is well and does not know us from one that is not.
    fn kube_anonymous<'a>(
        &'a self,
        target: &'a Target,
        read: &'a KubeRead,
    ) -> BoxFuture<'a, Result<KubeAnswer, ReadError>> {
        self.kube(target, read)
    }

    /// Runs a script that only looks, on a host. `fresh` opens a connection for it alone.
    fn script<'a>(
        &'a self,
        target: &'a Target,
        script: &'a Script,
        limit: Duration,
    ) -> BoxFuture<'a, Result<ScriptOutput, ReadError>>;

    /// As [`Self::script`], for what many targets of a step want to know of one host at the same time: they share one look, which
    /// may be a moment old.
    fn script_for_many<'a>(
        &'a self,
        target: &'a Target,
        script: &'a Script,
        limit: Duration,
    ) -> BoxFuture<'a, Result<ScriptOutput, ReadError>> {
        self.script(target, script, limit)
    }

    /// The key that a host shows on the way in, as `TYPE SHA256:...`; a connection is opened where there is none. `None`
    /// where there is nothing to show one.
    fn host_key<'a>(
        &'a self,
        _target: &'a Target,
        _limit: Duration,
    ) -> BoxFuture<'a, Result<Option<String>, ReadError>> {
        Box::pin(async { Ok(None) })
    }

    /// Opens a TCP connection from the operator's machine and closes it: how long it took, or why not.
    fn connect<'a>(
        &'a self,
        address: std::net::SocketAddr,
        limit: Duration,
    ) -> BoxFuture<'a, Result<Duration, ReadError>>;

    /// The address that the operator's machine sends from to reach another, as it sees itself; beyond a NAT it is
    /// another. `None` where that cannot be told. Nothing is sent.
    fn source_towards(&self, _to: std::net::SocketAddr) -> Option<std::net::IpAddr> {
        None
    }
}

/// Performing.
pub trait Writes: Send + Sync {
    /// Performs one op within `limit`. Never returns `Failed` for a reply that was lost.
    fn perform<'a>(&'a self, target: &'a Target, op: &'a Op, limit: Duration) -> BoxFuture<'a, Outcome>;

    /// Renews a lease within `limit`.
    fn renew<'a>(&'a self, target: &'a Target, command: &'a HostCommand, limit: Duration) -> BoxFuture<'a, Renewal> {
        let op = Op::Host(command.clone());
        Box::pin(async move { self.perform(target, &op, limit).await.into() })
    }
}

/// Both, and what they cost.
pub trait World: Reads + Writes {
    /// What was spent so far.
    fn costs(&self) -> Costs;

    /// What was spent so far on one cluster: it costs no more where there are many others.
    fn costs_on(&self, cluster: &str) -> Costs {
        self.costs().on_since(cluster, &Costs::default())
    }

    /// What was spent so far on one API server or host.
    fn cost_of(&self, target: &Target) -> Cost {
        self.costs().of(target)
    }

    /// Nothing more is to be done on a cluster for now: gives connections to it back, so that they are there for others.
    fn rest(&self, _cluster: &str) {}

    /// The writes are pretended, so a later look cannot see them.
    fn pretends(&self) -> bool {
        false
    }
}

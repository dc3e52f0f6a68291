//! The border with reality: what a step may look at, and what the engine performs.
//!
//! `live` goes to real systems, `drill` looks for real and pretends to write, `fake` is for tests. The engine cannot
//! tell them apart, but for one question: `World::pretends`.

pub mod drill;
#[cfg(test)]
pub(crate) mod fake;
pub mod live;

use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::Value;

use crate::change::{HostCommand, Op, Outcome, Renewal, Target};
use crate::cost::{Cost, Costs};
use crate::host::order::{Order, Query};
use crate::kit::Cluster;
use crate::kit::held::{Entrance, Won};
use crate::script::Script;
use crate::words::one_line;

/// How names end of the admission that an API server reads from files: it is not in the API.
pub(crate) const FROM_FILES: &str = ".static.k8s.io";

/// What to do about admission from files.
pub(crate) const ABOUT_FILES: &str = "on each control-plane host: grep -e --admission-control-config-file \
     /etc/kubernetes/manifests/kube-apiserver.yaml; that file names the folder of the manifests, and one that is moved out of it \
     is asked no longer";

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
    /// It is the no to a question after its health, and the server may be starting and know nobody yet. To all other questions
    /// such a no is none that counts: [`ReadErrorKind::TimedOut`].
    pub early: bool,
}

impl KubeAnswer {
    /// Whether it says that we may not look, and no waiting changes that.
    pub fn is_denied(&self) -> bool {
        matches!(self.code, 401 | 403) && !self.early
    }

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
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", kind.words(), tried.join("; "))]
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
    /// Something was there, and did not answer in time, or only with the no of a server that starts and knows nobody yet.
    TimedOut,
    /// Something was there, and hung up without an answer.
    Cut,
    /// The way is shut: a certificate, key or host key that one side does not accept.
    Refused,
    /// It answered that we may not: a credential that it does not know, or rights that are missing.
    Denied,
    /// It answered something that makes no sense.
    Malformed,
}

impl ReadErrorKind {
    fn words(self) -> &'static str {
        match self {
            Self::NoRoute => "no route",
            Self::TimedOut => "no answer in time",
            Self::Cut => "the connection was cut",
            Self::Refused => "no way in",
            Self::Denied => "refused",
            Self::Malformed => "an answer that makes no sense",
        }
    }

    /// Asking again brings the same.
    pub fn lasts(self) -> bool {
        match self {
            Self::Refused | Self::Denied => true,
            Self::NoRoute | Self::TimedOut | Self::Cut | Self::Malformed => false,
        }
    }
}

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

    /// Runs a script that only looks, on a host. What a runbook's own text means is its author's to know; an order of ours is
    /// asked by `ask`, which reads the answer.
    fn script<'a>(
        &'a self,
        target: &'a Target,
        script: &'a Script,
        limit: Duration,
    ) -> BoxFuture<'a, Result<ScriptOutput, ReadError>>;

    /// The same for what many targets of a step want to know of one host at the same time: they share one look, which
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
    fn connect(&self, address: std::net::SocketAddr, limit: Duration) -> BoxFuture<'_, Result<Duration, ReadError>>;

    /// The address that the operator's machine sends from to reach another, as it sees itself; beyond a NAT it is
    /// another. `None` where that cannot be told. Nothing is sent.
    fn source_towards(&self, _to: std::net::SocketAddr) -> Option<std::net::IpAddr> {
        None
    }

    /// Takes a new way in to a cluster into use, for all that this process asks of it from now on.
    fn learn(&self, _cluster: &str, _way: Way) {}

    /// Whose credential was won for a cluster in this process, if one was.
    fn known_by(&self, _cluster: &str) -> Option<String> {
        None
    }

    /// The hosts of a cluster that have a recovery API server which this process knows.
    fn recoveries(&self, _cluster: &str) -> Vec<String> {
        Vec::new()
    }

    /// The way in by a credential that was won for a cluster in this process, if one was: to a recovery API server before all
    /// others.
    fn entrance(&self, _cluster: &str) -> Option<Entrance> {
        None
    }
}

impl dyn Reads + '_ {
    /// Asks a host what an order asks, and reads its answer.
    ///
    /// # Errors
    /// Where it could not be asked, and [`ReadErrorKind::Malformed`] where it said something that cannot be understood: who, to
    /// what, and what came.
    pub async fn ask<O: Order>(
        &self,
        host: &Target,
        query: &Query<O>,
        limit: Duration,
    ) -> Result<O::Answer, ReadError> {
        self.understood(host, query, &self.script(host, query.script(), limit).await?)
    }

    /// The same for what many targets of a step want to know of one host at the same time; see [`Reads::script_for_many`].
    ///
    /// # Errors
    /// As `ask`.
    pub async fn ask_for_many<O: Order>(
        &self,
        host: &Target,
        query: &Query<O>,
        limit: Duration,
    ) -> Result<O::Answer, ReadError> {
        self.understood(host, query, &self.script_for_many(host, query.script(), limit).await?)
    }

    fn understood<O: Order>(
        &self,
        host: &Target,
        query: &Query<O>,
        output: &ScriptOutput,
    ) -> Result<O::Answer, ReadError> {
        query.read(&output.stdout).map_err(|why| {
            let came = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
            let came: String = one_line(came).chars().take(CAME).collect();
            let came = if came.is_empty() { "nothing came".to_owned() } else { format!("it said: {came}") };
            let tried = vec![format!("{host} to {}: {why}; exit status {}, {came}", O::NAME, output.status)];
            let known = self.cluster(&host.cluster).and_then(|cluster| cluster.host(host.short()));
            let hint = known.map(|host| host.by_hand("id; uptime; df /"));
            ReadError { kind: ReadErrorKind::Malformed, tried, hint }
        })
    }
}

/// A way in that was found or made during a run. It is known to this process alone: a run that is gone on with finds it anew.
#[derive(Debug, Clone)]
pub enum Way {
    /// An API server of our own on a host's loopback, from now on asked first for objects.
    Recovery {
        /// The host, by its name in the kit.
        host: String,
        /// Its port on 127.0.0.1.
        port: u16,
        /// The certificates that it is verified against, PEM, as the host told them.
        trust: Vec<u8>,
        /// What we are known by there alone, where that is not what the cluster knows us by.
        own: Option<Won>,
    },
    /// The one on this host is there no more.
    NoRecovery {
        /// The host, by its name in the kit.
        host: String,
    },
    /// From now on we are known to the cluster by this.
    Credential(Won),
}

/// How a recovery API server is called in reports.
pub fn recovery_name(host: &str) -> String {
    format!("recovery-{host}")
}

/// The most that is told of an answer that is not understood, in characters.
const CAME: usize = 300;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::gate;

    /// What a host answers to a look at its gate.
    async fn asked(status: i32, stdout: &'static str, stderr: &'static str) -> Result<bool, String> {
        let fake = fake::Fake::new(vec![crate::kit::sample::cluster("east", 1)]);
        fake.on_script(Box::new(move |_, _| {
            Some(ScriptOutput { status, stdout: stdout.to_owned(), stderr: stderr.to_owned() })
        }));
        let reads: &dyn Reads = &fake;
        let state = reads.ask(&Target::host("east", "cp1"), &gate::status(), Duration::from_secs(1)).await;
        state.map(|state| state.is_some()).map_err(|error| {
            assert_eq!(error.hint.as_deref(), Some("ssh -p 22 root@10.0.0.1 'id; uptime; df /'"));
            error.to_string()
        })
    }

    #[tokio::test]
    async fn an_answer_is_read_and_one_that_is_not_understood_is_told_with_who_what_and_what_came() {
        assert_eq!(asked(0, "uptime=9.0\nback_end=none\n", "").await, Ok(false));
        let told = |what: &str| Err(format!("an answer that makes no sense: east/cp1 to gate.status: {what}"));
        let broke_off = "the answer broke off; exit status 137, it said: uptime=9.0 / listen=";
        assert_eq!(asked(137, "uptime=9.0\nlisten=\n", "").await, told(broke_off));
        assert_eq!(asked(0, "", "").await, told("the answer broke off; exit status 0, nothing came"));
        let busy = "xtables is busy; exit status 1, it said: lock held";
        assert_eq!(asked(1, "failed=xtables is busy\n", "lock held\n").await, told(busy));
    }
}

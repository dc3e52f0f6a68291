//! What a look saw, as a value: with its numbers and names where code or a report wants them, and else as a note.
//!
//! `Display` is the sentence that a person reads. In the journal and in events the sentence stands beside the value: `what`, and
//! `finding` where it is more than a note. What an older version wrote down as a sentence alone is read as a note; so is what a
//! newer one knows and this one does not.

pub(crate) mod ranking;
mod sentence;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) use sentence::{Clause, Piece, Sentence};

/// What a look saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Finding {
    /// A sentence.
    #[serde(skip)]
    Note(String),
    /// How one API server answers a probe.
    Probe(Box<Probe>),
    /// An API server is not well.
    Unwell {
        /// The API server's name in the kit.
        server: String,
        /// In what way.
        how: Unwell,
    },
    /// Memory is nearly used up.
    Memory {
        /// On which host.
        host: String,
        /// Whose share it is: that of an API server, or of all processes of the host.
        of_server: bool,
        /// The share, in percent.
        percent: u64,
        /// Of so many megabytes.
        of_mb: u64,
    },
    /// An API server that is not judged.
    LeftOut {
        /// The API server's name in the kit.
        server: String,
        /// The reason, as a fragment.
        why: String,
    },
    /// Every API server was ready, several times in a row.
    Ready {
        /// How many API servers.
        servers: usize,
        /// How often in a row.
        times: u32,
        /// The slowest answer.
        slowest_ms: u64,
    },
    /// How fast small requests are answered.
    Latency {
        /// Of so many samples from each API server.
        samples: u32,
        /// The 99th percentile on the slowest one.
        p99_ms: u64,
    },
    /// How often a client asks, counted in the audit logs.
    ClientRate {
        /// The user, or how its user agent begins.
        who: String,
        /// Its requests, over all API servers.
        requests: u64,
        /// Counted for so long.
        over_ms: u64,
    },
    /// How many requests of a client the API servers hold at a moment.
    ClientRequests {
        /// The user.
        user: String,
        /// The most at any look, over all API servers.
        most: usize,
    },
    /// Pods that are left.
    PodsLeft {
        /// So many.
        pods: usize,
        /// With these labels.
        selector: String,
        /// In this namespace.
        namespace: String,
    },
    /// Pods that are to end, or do not.
    Pods {
        /// So many.
        pods: usize,
        /// Whose: `of ds/NAMESPACE/NAME`, `with app=agent`.
        whose: String,
        /// What becomes of them.
        are: Pods,
        /// The same in words.
        says: String,
    },
    /// Who loads the API servers.
    Ranking(Box<ranking::Ranking>),
    /// What is left of an offender once everybody is let in.
    Offender(Box<Offender>),
    /// A re-opening comes no further.
    Stuck(Box<Stuck>),
    /// Where a gate stands.
    Gate {
        /// `closed`, `open for 5 % (stage 2)`.
        now: String,
        /// What enforces it.
        back_end: String,
        /// Who is let in next without anybody's doing, and in how many seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<(String, u64)>,
        /// In whose hands it is, where that is another run than the one that closed it, in words.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        taken_over: String,
    },
    /// Connections that were open when a gate was closed.
    Cut {
        /// So many were there.
        before: u64,
        /// So many are left.
        after: u64,
    },
    /// What a gate has done since it was closed.
    Rejects {
        /// New connections that were tried.
        tried: u64,
        /// Of these, let in.
        let_in: u64,
        /// Packets that were refused.
        refused: u64,
    },
    /// Who knocks at a gate.
    Knocking {
        /// How many sources within a minute.
        sources: u64,
        /// The loudest of them, and how often each has tried.
        loudest: Vec<(String, u64)>,
    },
    /// The operator's own request gets through a gate.
    GetsThrough {
        /// The API server that answered.
        server: String,
        /// The HTTP status.
        code: u16,
        /// How long that took.
        took_ms: u64,
    },
    /// A jail holds: requests of whom it is for were refused, and none was served any more.
    Jailed {
        /// So many were refused.
        refused: u64,
        /// Since the file was changed so long ago.
        secs: u64,
        /// What shows it: `the audit log`.
        shown_by: String,
    },
    /// A process is ready with its new manifest.
    Restarted {
        /// Its number.
        pid: u64,
    },
}

/// How one API server answers a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// The API server's name in the kit.
    pub server: String,
    /// The TCP connection, where it is reached directly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<Connection>,
    /// What it says to `/livez`.
    pub live: Answer,
    /// What it says to `/readyz`; `None`: not asked, because it was silent before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Answer>,
    /// `/readyz` was asked without our credential, which the server does not know.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anonymous: bool,
}

/// A TCP connection that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// To where.
    pub address: SocketAddr,
    /// How long it took; `None`: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// Why there was none; else empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// What a health endpoint says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The HTTP status; `None`: no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// How long the answer took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// It came, and came late.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub slow: bool,
    /// What that means, in words that name the layer; empty for a plain `ok`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub says: String,
    /// What was tried, where no answer came; else empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tried: String,
    /// What to type next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// In what way an API server is not well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Unwell {
    /// `/readyz` says this HTTP status.
    NotReady {
        /// The status.
        code: u16,
    },
    /// `/readyz` is answered by something else than an API server.
    NoServer {
        /// What was seen of it.
        why: String,
    },
    /// `/readyz` is not answered in time.
    NotHeard {
        /// So long was waited.
        within_secs: u64,
    },
    /// Small requests are not answered in time.
    Silent {
        /// So long was waited.
        within_secs: u64,
    },
    /// A small request is answered, and not with a Kubernetes object.
    NoObject,
    /// The credential may not read what the judgement needs.
    Denied {
        /// 401 or 403.
        code: u16,
        /// What the server says.
        message: String,
    },
    /// A small request is answered with this HTTP status.
    Refuses {
        /// The status.
        code: u16,
    },
    /// A small request is answered late.
    Slow {
        /// So late.
        took_ms: u64,
    },
    /// It turns requests away.
    Rejects {
        /// So many a second.
        per_second: u64,
    },
}

/// What becomes of pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pods {
    /// They are to be ended now.
    Ended,
    /// They came since, and were not.
    New,
    /// They are ending; their kubelets have not said so yet.
    Ending,
    /// Only finalizers hold them.
    Held,
}

/// What an offender still does.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Offender {
    /// The workload, or the user.
    pub name: String,
    /// Its pods in the API; `None` where they could not be counted.
    pub pods: Option<u64>,
    /// There are more of them than were counted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// Of them, so many are marked to be deleted.
    #[serde(default)]
    pub ending: u64,
    /// The gate is closed for everybody, so that their kubelets hear of nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shut_out: bool,
    /// Its requests that are served, a second; `None` where they could not be counted.
    pub served: Option<f64>,
    /// Those that are refused with a 403, a second.
    pub refused: Option<f64>,
    /// Those with a token that is void, which are refused with a 401, a second.
    pub unknown: Option<f64>,
    /// Open connections of all clients but the hosts' own.
    pub connections: Option<u64>,
}

/// A re-opening that comes no further.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stuck {
    /// For so long.
    pub secs: u64,
    /// At this level of the gate: 0 is closed.
    pub level: usize,
    /// What is bad.
    pub bad: Vec<Finding>,
    /// What the offender still does.
    pub offender: Option<Offender>,
    /// Who has the most connections: a host of the kit or an address, and how many.
    pub loudest: Vec<(String, u64)>,
}

impl Finding {
    /// The API server that it is about: a report may put the name before it, or fold the names of several.
    pub fn server(&self) -> Option<&str> {
        match self {
            Self::Probe(probe) => Some(&probe.server),
            _ => None,
        }
    }

    /// What a person reads of it, in pieces, without the name of [`Finding::server`].
    pub fn sentence(&self) -> Sentence {
        sentence::of(self)
    }
}

/// Findings as one text.
pub(crate) fn joined(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(server) = self.server() {
            write!(f, "{server}: ")?;
        }
        self.sentence().fmt(f)
    }
}

impl From<String> for Finding {
    fn from(note: String) -> Self {
        Self::Note(note)
    }
}

impl From<&str> for Finding {
    fn from(note: &str) -> Self {
        Self::Note(note.to_owned())
    }
}

/// A finding as it is written down.
#[derive(Serialize, Deserialize)]
struct Written {
    what: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finding: Option<serde_json::Value>,
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let finding = match self {
            Self::Note(_) => None,
            typed => Some(Self::serialize(typed, serde_json::value::Serializer).map_err(serde::ser::Error::custom)?),
        };
        Written { what: self.to_string(), finding }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Finding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { what, finding } = Written::deserialize(deserializer)?;
        let typed = finding.and_then(|finding| Self::deserialize(finding).ok());
        Ok(typed.unwrap_or(Self::Note(what)))
    }
}

//! Who asks the most of a cluster's API servers, as far as what was read can tell.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Clients of a cluster's API servers, those that load them most first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ranking {
    /// The most first.
    pub clients: Vec<Client>,
    /// So many others were seen, and are not among them.
    #[serde(default)]
    pub others: usize,
    /// What their shares are shares of.
    pub by: Measure,
    /// What was read, and what each could not tell.
    pub sources: Vec<Told>,
    /// The one that stands out, by its place in `clients`; `None`: none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offender: Option<usize>,
}

/// What a share is a share of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// The time that requests spent in the API servers.
    #[default]
    Time,
    /// The seats that priority and fairness has given out at a moment, and those that are waited for.
    Seats,
    /// What was sent over connections.
    Bytes,
    /// The new connections that a gate saw tried.
    Attempts,
}

/// Where something was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The audit logs on the hosts.
    Audit,
    /// The requests that the API servers hold, as they say themselves.
    Requests,
    /// The API servers' own logs on the hosts.
    Log,
    /// The open connections on the hosts.
    Sockets,
    /// The gates that stand on the hosts, which count who tries.
    Gate,
}

/// How a client is told from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// By its user: who it is to the API server.
    User,
    /// By what it calls itself.
    Agent,
    /// By where it comes from.
    Address,
}

/// One client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Client {
    /// Its user, its user agent or its address.
    pub name: String,
    /// Which of these.
    pub known: Known,
    /// Its share, in tenths of a percent.
    pub share: u32,
    /// What it calls itself, the most frequent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<String>,
    /// What it asks for, what costs most first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<Asks>,
    /// Its requests, each once; `None` where that is not known.
    pub requests: Option<u64>,
    /// Watches that began and were not seen to end.
    pub watches: Option<u64>,
    /// Of its requests, so many were turned away: 401, 403, 429, 5xx.
    pub refused: Option<u64>,
    /// The time that its requests spent in the API servers, in milliseconds.
    pub millis: Option<u64>,
    /// The seats that it has, or waits for.
    pub seats: Option<u64>,
    /// Its open connections.
    pub connections: Option<u64>,
    /// What was sent to it over these.
    pub bytes: Option<u64>,
    /// New connections that it tried at gates within the last minute or two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u64>,
    /// Addresses that it comes from, the loudest first; not all where there are many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpAddr>,
    /// So many there are at least.
    pub sources: u64,
    /// On so many nodes at least; 0: not known.
    pub nodes: u64,
    /// So many seconds ago it was first seen in what was read.
    pub since_secs: Option<u64>,
    /// Workloads that its pods are of, by the pods' names; the one with the most pods first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<String>,
    /// A part of the cluster itself, or us: never called an offender.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own: bool,
}

/// One kind of request of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asks {
    /// The verb, as the audit log says it; `watch from the start` sends all objects first.
    pub verb: String,
    /// The resource, with its group and its subresource; or a path.
    pub resource: String,
    /// So many.
    pub requests: u64,
}

/// What one source told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// Which.
    pub source: Source,
    /// The hosts or API servers that told something.
    pub by: Vec<String>,
    /// Those that told nothing, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silent: Vec<(String, String)>,
    /// Over how long, in seconds; `None`: of a moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_secs: Option<u64>,
    /// What it cannot know, or did not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
}

impl Source {
    /// What it is called in a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::Audit => "audit logs",
            Self::Requests => "requests held by priority and fairness",
            Self::Log => "API servers' logs",
            Self::Sockets => "open connections",
            Self::Gate => "gates",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

impl Measure {
    /// What a share is of.
    pub fn words(self) -> &'static str {
        match self {
            Self::Time => "of the time that requests took",
            Self::Seats => "of the seats of priority and fairness",
            Self::Bytes => "of what was sent",
            Self::Attempts => "of the connections tried at the gate",
        }
    }
}

impl fmt::Display for Asks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, resource, .. } = self;
        match (verb.is_empty(), resource.is_empty()) {
            (false, false) => write!(f, "{verb} {resource}"),
            _ => write!(f, "{verb}{resource}"),
        }
    }
}

impl Client {
    /// Its share in percent, as it is written.
    pub fn percent(&self) -> String {
        match self.share {
            0..10 => "<1 %".to_owned(),
            share => format!("{} %", (share + 5) / 10),
        }
    }
}

impl Ranking {
    /// The one that stands out.
    pub fn offender(&self) -> Option<&Client> {
        self.clients.get(self.offender?)
    }

    /// Over how long the longest of the sources reaches back, in seconds.
    pub fn span_secs(&self) -> Option<u64> {
        self.sources.iter().filter(|told| !told.by.is_empty()).filter_map(|told| told.span_secs).max()
    }

    /// The sources that told something, in words.
    pub(super) fn told_by(&self) -> String {
        let told: Vec<&str> =
            self.sources.iter().filter(|told| !told.by.is_empty()).map(|told| told.source.words()).collect();
        told.join(", ")
    }
}

//! What a look at a kit found.

use std::net::IpAddr;

use jiff::Timestamp;

use super::{Cluster, SshAccess};
use crate::refusal::{Location, Refusal};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// What: `client certificate`, `hosts cp[1-3]`, …
    pub about: String,
    /// How it is.
    pub level: Level,
    /// One sentence.
    pub says: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// How a thing is that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Good,
    /// It works, and will not for ever, or not in every incident.
    Warning,
    /// It would not work tonight.
    Broken,
}

impl Finding {
    /// As it stands among what was refused when the file was read.
    pub fn refusal(&self, cluster: &Cluster) -> Refusal {
        let at = Location { file: cluster.source.clone(), ..Location::default() };
        Refusal { at, what: format!("{}: {}", self.about, self.says), hint: self.hint.clone() }
    }
}

/// What is asked of the rooms that know it.
#[derive(Clone, Copy)]
pub struct Asks<'a> {
    /// Whether the key of a host at this address is known.
    pub knows_host_key: &'a dyn Fn(IpAddr, &SshAccess) -> bool,
    /// What SSH would do with the keys of a way.
    pub keys: &'a dyn Fn(&SshAccess, Timestamp) -> Keys,
}

/// What SSH would do with the keys of a way, as far as it can be said without asking an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// One of them can be used as it stands in its file.
    pub usable: bool,
    /// What is wrong with the others, and with their certificates: one sentence each.
    pub faults: Vec<String>,
}

pub(super) fn finding(about: &str, level: Level, says: impl Into<String>, hint: Option<&str>) -> Finding {
    Finding { about: about.to_owned(), level, says: says.into(), hint: hint.map(str::to_owned) }
}

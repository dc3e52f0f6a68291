//! The append-only, hash-chained, fsynced record of one run. Undo and resume read nothing else.
//!
//! A run is a folder: `journal.jsonl` and `blobs/` (saved objects and manifests, by their hash). Folders are 0700 and
//! files 0600. Each line ends in the SHA-256 of the line before it and its own text, so a line that was changed,
//! removed or put in later breaks the chain; see `verify`.

mod error;
pub(crate) mod fold;
mod format;
#[cfg(test)]
mod fuzz;
mod glance;
mod old;
mod read;
mod store;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::change::{Change, Facts, Target};
use crate::cost::Costs;
use crate::finding::Finding;
use crate::found::Found;
use crate::limits::Limits;

pub use error::{JournalError, StoreError};
#[cfg(test)]
pub(crate) use fold::fold;
pub use fold::{ChangeRecord, ChangeState, Run, StepState};
pub use format::Written;
pub use glance::{Glance, glance};
pub use read::{Journal, Verified, read, read_each, verify};
pub use store::{RunFolder, Store, began, new_id};
#[cfg(test)]
pub(crate) use write::Disk;
pub(crate) use write::Tail;
pub use write::Writer;

/// The first number of the format that this program writes. It reads this and all older ones.
pub const FORMAT: u32 = 1;

/// The second number. A journal with a higher one is read as far as its lines are known, and never appended to.
pub const MINOR: u32 = 5;

/// One line of the journal, without its hash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Position in the file, from 1.
    pub seq: u64,
    /// When it was written, UTC.
    pub at: Timestamp,
    /// The format from here on, where it is another than before: a newer program has taken the run up again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Written>,
    /// What it says.
    pub entry: Entry,
}

/// What started a run: enough to build the same plan again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The first number of the file's format.
    pub format: u32,
    /// The second; 0 in journals of versions that knew only one.
    #[serde(default)]
    pub minor: u32,
    /// The run's id.
    pub run: String,
    /// Who ran it.
    pub operator: String,
    /// On which machine.
    pub machine: String,
    /// The version of the program.
    pub version: String,
    /// Why, in the operator's words.
    pub reason: Option<String>,
    /// A drill: its writes were pretended.
    pub drill: bool,
    /// Its plan had writes in it; taken to be so where a version did not write it down.
    #[serde(default = "yes")]
    pub writes: bool,
    /// The runbook's text as it was run.
    pub runbook: String,
    /// The runbook's name, for lists.
    pub name: String,
    /// Its parameters, resolved.
    pub params: serde_json::Map<String, serde_json::Value>,
    /// The clusters it ran on, in order.
    pub clusters: Vec<String>,
    /// Where the clusters were found: the kit's folder, or the flags that replaced it.
    pub kit: String,
    /// The digest of the plan that was consented to.
    pub plan: String,
    /// How many of its clusters at a time, which is part of the plan; `None` before format 1.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<Limits>,
    /// Which clusters were meant by their names; empty in journals of versions that did not write it down.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<Identity>,
}

fn yes() -> bool {
    true
}

/// The word for a kit that lives as long as the process which made the run.
pub const PRACTICE: &str = "sandbox";

impl Header {
    /// It was made on a practice cluster of its own process: nothing of it can be gone on with, or taken back.
    pub fn is_practice(&self) -> bool {
        self.kit == PRACTICE
    }
}

#[cfg(test)]
impl Header {
    /// The header of a run on the cluster `east`, for tests.
    pub(crate) fn sample(run: &str) -> Self {
        Self {
            format: FORMAT,
            minor: MINOR,
            run: run.to_owned(),
            operator: "eve".into(),
            machine: "laptop".into(),
            version: "0".into(),
            reason: None,
            drill: false,
            writes: true,
            runbook: String::new(),
            name: "test".into(),
            params: serde_json::Map::new(),
            clusters: vec!["east".into()],
            kit: "a test".into(),
            plan: String::new(),
            fleet: None,
            identities: Vec::new(),
        }
    }
}

/// What tells a cluster from another of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its name.
    pub cluster: String,
    /// The addresses of its API servers, `IP:PORT`.
    pub servers: Vec<String>,
    /// SHA-256 of the certificates that its API servers are verified against, in hexadecimal.
    pub ca: String,
    /// Where SSH is on each of its hosts, `IP:PORT`; `None` in journals of versions that did not write it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts: Option<BTreeMap<String, String>>,
}

impl Identity {
    /// Why a cluster now cannot be the one of then; `None` when it may be. `acted`: the hosts that it matters for each.
    ///
    /// An address on loopback counts for nothing: every cluster that is reached through SSH has the same.
    pub fn differs(&self, now: &Self, acted: &[&str]) -> Option<String> {
        if self.ca != now.ca {
            return Some(format!(
                "its API servers were verified against other certificates (sha256 {} then, {} now)",
                crate::change::short_hash(&self.ca),
                crate::change::short_hash(&now.ca)
            ));
        }
        let places = |all: &mut dyn Iterator<Item = &String>| -> Vec<String> {
            all.filter(|address| tells_apart(address)).cloned().collect()
        };
        let moved = |what: &str, then: Vec<String>, now: Vec<String>| {
            let shared = then.is_empty() || now.is_empty() || then.iter().any(|place| now.contains(place));
            let (then, now) = (then.join(", "), now.join(", "));
            (!shared).then(|| format!("none of its {what} is where it was ({then} then, {now} now)"))
        };
        let servers = moved("API servers", places(&mut self.servers.iter()), places(&mut now.servers.iter()));
        let (Some(then_hosts), Some(now_hosts)) = (&self.hosts, &now.hosts) else { return servers };
        let host = || {
            acted.iter().find_map(|name| {
                let (then, now) = (then_hosts.get(*name)?, now_hosts.get(*name)?);
                let differs = then != now && tells_apart(then) && tells_apart(now);
                differs.then(|| format!("its host {name} is somewhere else ({then} then, {now} now)"))
            })
        };
        let hosts = || moved("hosts", places(&mut then_hosts.values()), places(&mut now_hosts.values()));
        servers.or_else(host).or_else(|| if self.servers_tell(now) { None } else { hosts() })
    }

    /// What cannot be compared; `None` when enough can.
    pub fn unknown(&self, now: &Self, acted: &[&str]) -> Option<String> {
        let known = |hosts: &Option<BTreeMap<String, String>>, name: &str| {
            hosts.as_ref().and_then(|hosts| hosts.get(name)).is_some_and(|at| tells_apart(at))
        };
        let dark: Vec<String> =
            acted.iter().filter(|name| !known(&self.hosts, name)).map(|name| (*name).to_owned()).collect();
        if !dark.is_empty() {
            return Some(format!(
                "where {} was is not in its journal, so that is not compared",
                crate::words::fold(&dark)
            ));
        }
        let any_host = |one: &Self| one.hosts.iter().flatten().any(|(_, at)| tells_apart(at));
        let told = self.servers_tell(now) || (any_host(self) && any_host(now));
        (!told).then(|| {
            "its API servers were reached on loopback, which is the same for every cluster: only its certificates are \
             compared"
                .to_owned()
        })
    }

    /// Whether the addresses of the API servers say anything.
    fn servers_tell(&self, now: &Self) -> bool {
        [self, now].iter().all(|one| one.servers.iter().any(|server| tells_apart(server)))
    }
}

/// Whether an address, `IP:PORT`, is one that two clusters cannot both have.
fn tells_apart(address: &str) -> bool {
    let ip = address.parse::<SocketAddr>().map(|address| address.ip().to_canonical());
    !ip.is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified())
}

/// What can happen in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// The first line.
    Started(Box<Header>),
    /// The run was taken up again.
    Resumed {
        /// Who took it up.
        operator: String,
    },
    /// A step began on a cluster.
    StepStarted {
        /// The cluster.
        cluster: String,
        /// Position in the plan, from 0.
        step: usize,
    },
    /// A step ended on a cluster.
    StepEnded {
        /// The cluster.
        cluster: String,
        /// Position in the plan, from 0.
        step: usize,
        /// How it ended.
        state: StepState,
        /// Why, in one sentence.
        why: String,
        /// What it cost, by API server and host; `None` in journals of versions that did not write it down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        costs: Option<Costs>,
    },
    /// The operator was asked.
    Answered {
        /// The cluster.
        cluster: String,
        /// Position in the plan, from 0.
        step: usize,
        /// Which question.
        question: String,
        /// The answer.
        yes: bool,
    },
    /// What a step saw that a later reader wants to know: counters, rates, latencies.
    Saw {
        /// The host, API server or cluster that it is about.
        target: Target,
        /// Position in the plan, from 0.
        step: usize,
        /// What: a sentence, and beside it the value, where it is more than a note and the format is 1.3 or newer.
        #[serde(flatten)]
        what: Finding,
    },
    /// A step found a result for later steps of its cluster; from format 1.2 on.
    Found {
        /// The host, API server or cluster that it is about.
        target: Target,
        /// Position in the plan, from 0.
        step: usize,
        /// The value and its type.
        found: Found,
    },
    /// A change is about to be made.
    Intended {
        /// The change's number in this run, from 1.
        id: u32,
        /// Position in the plan, from 0.
        step: usize,
        /// The host, API server or cluster that it is about.
        target: Target,
        /// The op with its inverse, as it is sent.
        change: Box<Change>,
        /// The key that the host had shown on the way in; `None`: not seen, no host, or of a version that did not write it
        /// down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host_key: Option<String>,
    },
    /// It was done.
    Done {
        /// The change.
        id: u32,
        /// What the far side said.
        said: String,
        /// The same for code; nothing in journals of versions that did not write it down.
        #[serde(default, skip_serializing_if = "Facts::is_empty")]
        facts: Facts,
    },
    /// The far side said no.
    Failed {
        /// The change.
        id: u32,
        /// What it said.
        why: String,
    },
    /// The reply was lost.
    Unknown {
        /// The change.
        id: u32,
        /// What was seen of it.
        why: String,
    },
    /// A new survey found that a change whose reply was lost had not been made; not yet, if `Done` follows.
    NotMade {
        /// The change.
        id: u32,
    },
    /// A change is about to be taken back.
    Undoing {
        /// The change.
        id: u32,
    },
    /// It was taken back, or needed no taking back.
    Undone {
        /// The change.
        id: u32,
        /// What the far side said.
        said: String,
    },
    /// It could not be taken back.
    Stuck {
        /// The change.
        id: u32,
        /// What keeps it from being taken back.
        why: String,
    },
    /// The run stopped here.
    Ended {
        /// The exit code.
        code: u8,
        /// In one sentence.
        why: String,
        /// What was spent since the run began, was taken up again or an undo began; `None` as for a step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        costs: Option<Costs>,
        /// How many changes stood then, so that a list of runs need not read them all; `None` before format 1.1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stands: Option<usize>,
    },
}

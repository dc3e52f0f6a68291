//! Status: every change of ours that still stands, anywhere. What the marks on hosts and objects say, and what the journals here say,
//! as one list.
//!
//! The marks are the truth of a host; a journal knows the way back, and what leaves no mark. What could not be looked at is
//! neither there nor gone: it is not known.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::change::{Part, Target};

pub mod hosts;
pub mod journals;
mod merge;
pub mod objects;
#[cfg(test)]
mod tests;

pub use merge::merge;

/// Something of ours that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stands {
    /// The cluster.
    pub cluster: String,
    /// Where.
    pub place: Place,
    /// What sort of thing.
    pub kind: Kind,
    /// What tells it from others of its kind at its place: a folder. Empty where there is one alone.
    pub part: String,
    /// In words.
    pub what: String,
    /// The run; empty where its mark does not say.
    pub run: String,
    /// Who, where that is known.
    pub operator: Option<String>,
    /// Why, in the operator's words; and who has it in hand now, where that is somebody else.
    pub about: String,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
    /// What ends it by itself, if anything does.
    pub ends: Option<Ends>,
    /// Who says so.
    pub seen: Seen,
    /// What takes it back.
    pub back: Back,
}

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// On a host, by its name in the kit.
    Host(String),
    /// An object, as it can be typed; or the API itself.
    Object(String),
    /// On the machine of whoever did it, or at a hook.
    Elsewhere,
}

impl Place {
    /// Of a change's target; objects have names of their own.
    fn of(target: &Target) -> Self {
        match &target.part {
            Part::Host(name) => Self::Host(name.clone()),
            Part::ApiServer(name) => Self::Object(format!("API server {name}")),
            Part::Cluster => Self::Object("API".into()),
            Part::Local => Self::Elsewhere,
        }
    }

    /// As a person reads it.
    pub fn name(&self) -> &str {
        match self {
            Self::Host(name) | Self::Object(name) => name,
            Self::Elsewhere => "elsewhere",
        }
    }
}

/// What sort of thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A gate.
    Gate,
    /// A recovery API server.
    Recovery,
    /// A client that is jailed.
    Jail,
    /// Pods that stand still.
    FrozenPods,
    /// What a run has in its folder beside the manifests.
    Manifest,
    /// Certificates that were renewed.
    Certificates,
    /// What a script was killed over.
    Scratch,
    /// A workload that is parked.
    Parked,
    /// Rights that were taken away.
    Revoked,
    /// Rights that were put back.
    Restored,
    /// Admission that was disarmed.
    Disarmed,
    /// A client that is throttled.
    Throttled,
    /// An object that is refused whoever makes it.
    Refused,
    /// A workload whose template is an earlier one.
    RolledBack,
    /// Automation that was told to leave things alone.
    Frozen,
    /// What leaves no mark: only a journal tells of it.
    Unmarked,
}

impl Kind {
    /// The word for machines.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Recovery => "recovery-apiserver",
            Self::Jail => "jail",
            Self::FrozenPods => "frozen-pods",
            Self::Manifest => "manifest",
            Self::Certificates => "certificates",
            Self::Scratch => "scratch",
            Self::Parked => "parked",
            Self::Revoked => "revoked",
            Self::Restored => "restored",
            Self::Disarmed => "disarmed",
            Self::Throttled => "throttled",
            Self::Refused => "refused",
            Self::RolledBack => "rolled-back",
            Self::Frozen => "frozen",
            Self::Unmarked => "unmarked",
        }
    }
}

/// What ends something by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ends {
    /// In how many seconds it is over.
    pub seconds: u64,
    /// In words, with what comes before.
    pub how: String,
}

/// Who says that something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// Its mark, and no journal here.
    Mark,
    /// Its mark, and a journal here.
    Both,
    /// A journal here; it could not be looked at, or leaves no mark.
    Journal,
    /// A journal here, and it is there no more: its place was looked at.
    Gone,
}

/// What takes something back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Back {
    /// `undo` of its run: its journal is here.
    Undo,
    /// A verb of ours, without the program's name and the cluster's; with the hosts that it stands on, where `targets`.
    Verb {
        /// The words.
        words: String,
        /// The hosts have to be named.
        targets: bool,
    },
    /// A command on its host.
    OnHost {
        /// As it is typed there.
        command: String,
        /// As it is typed here.
        from_here: String,
    },
    /// A command to be typed here.
    Typed(String),
    /// Nothing: the reason.
    Nothing(String),
}

/// What was looked at to its end: a cluster's host for a kind of mark, or without a host its objects.
pub type Looked = BTreeSet<(String, Option<String>, Kind)>;

/// Something that could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotKnown {
    /// The cluster; `None`: it is about a journal.
    pub cluster: Option<String>,
    /// The host, where it is one.
    pub host: Option<String>,
    /// What is not known for it.
    pub what: String,
    /// Why.
    pub why: String,
}

/// What a look found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// What stands.
    pub stands: Vec<Stands>,
    /// What was looked at.
    pub looked: Looked,
    /// What was not.
    pub not_known: Vec<NotKnown>,
    /// What is no change of ours, and worth a line.
    pub remarks: Vec<String>,
}

impl Found {
    /// Takes in what another look found.
    pub fn add(&mut self, other: Self) {
        self.stands.extend(other.stands);
        self.looked.extend(other.looked);
        self.not_known.extend(other.not_known);
        self.remarks.extend(other.remarks);
    }
}

/// So many seconds before now.
fn ago(now: Timestamp, seconds: u64) -> Option<Timestamp> {
    now.checked_sub(jiff::SignedDuration::from_secs(i64::try_from(seconds).ok()?)).ok()
}

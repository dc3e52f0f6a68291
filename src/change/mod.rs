//! One write, as a value: what is done, what must still be true for it, how it is taken back, and why.
//!
//! Everything here is closed, serialisable and pure: the plan prints it, the journal keeps it, the world performs it.

#![warn(clippy::wildcard_enum_match_arm, reason = "a new op has to be thought of everywhere")]

use serde::{Deserialize, Serialize};

use crate::script::Answer;

mod blob;
mod note;
mod op;
mod target;

pub use blob::{Blob, hex, sha256_hex, short_hash};
pub use note::Note;
pub use op::{AS_SEEN, Body, Expect, FilePut, Holds, HostCommand, HttpCall, KubeCall, LocalCommand, Method, Op, title};
pub use target::{Part, Target};

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
    /// Says which of a step's changes this is, the same at every survey (`close`, `confirm`, `delete`), and nothing else.
    pub key: String,
    /// What the step wants to know of it at a later look, also after a kill and a resume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
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
             export KUBECONFIG=/etc/kubernetes/super-admin.conf   # as root on a control-plane host (before kubeadm 1.29: \
             admin.conf): another credential, then\n\
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
            note: None,
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
        /// How; must be idempotent. See [`Renewal`] for its answer.
        op: Box<HostCommand>,
        /// The command that shows what stands there now, for whoever hears that it is lost.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        look: Option<String>,
    },
    /// Renew no longer.
    Release {
        /// Which lease.
        lease: String,
    },
}

/// What performing an op came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The far side did it, and said this.
    Done(Said),
    /// The far side said no, and nothing was changed.
    Failed(String),
    /// The far side never took it in: it turned it away unread, or nobody was there. Nothing was changed, and the same
    /// may be sent again.
    NotTaken(String),
    /// The reply was lost: it may or may not have been done.
    Unknown(String),
}

impl Outcome {
    /// Done, with nothing said but these words.
    pub fn done(words: impl Into<String>) -> Self {
        Self::Done(Said { words: words.into(), facts: Facts::default() })
    }

    /// A DELETE whose object is gone.
    pub fn gone(words: impl Into<String>) -> Self {
        Self::Done(Said { words: words.into(), facts: Facts { gone: true, ..Facts::default() } })
    }
}

/// What the far side said of an op that it did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// For a person.
    pub words: String,
    /// For code.
    pub facts: Facts,
}

/// What code may want to know of an op that was done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// What a script of ours on a host answered; of a runbook's own text nothing.
    #[serde(default, skip_serializing_if = "Answer::is_empty")]
    pub answer: Answer,
    /// The answer to a DELETE told that the object is gone. Without it the object may still be there, held by a finalizer or
    /// by its grace period: a 200 says only that the wish was taken in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
}

impl Facts {
    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.answer.is_empty() && !self.gone
    }
}

/// What renewing a lease came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// It is held for the time that it gives.
    Held,
    /// There is nothing left that this run could hold, for this reason: it is not asked for again.
    Lost(String),
    /// It could not be renewed now, for this reason.
    Missed(String),
}

impl From<Outcome> for Renewal {
    /// A script that renews a lease answers `lost=WHY` where it is no longer this run's.
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done(said) => said.facts.answer.get("lost").map_or(Self::Held, |why| Self::Lost(why.to_owned())),
            Outcome::Failed(why) | Outcome::NotTaken(why) | Outcome::Unknown(why) => Self::Missed(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewal_is_what_its_script_answered() {
        let said = |stdout: &str| {
            let facts = Facts { answer: Answer::parse(stdout), ..Facts::default() };
            Renewal::from(Outcome::Done(Said { words: "lost=only words".into(), facts }))
        };
        assert_eq!(said("result=armed\n"), Renewal::Held);
        let taken = "another run sets its fuses now: lost=x";
        assert_eq!(said(&format!("result=moved\nlost={taken}\n")), Renewal::Lost(taken.into()));
        assert_eq!(Renewal::from(Outcome::Unknown("no reply".into())), Renewal::Missed("no reply".into()));
    }

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

//! What a runbook can say: one file per step kind, and for each a `mod` line and a line in `kinds!` below.
//!
//! A step looks, then says what has to change; it never writes. "Done" means nothing left to change and nothing
//! awaited, so idempotence, skipping, resuming and waiting are one idea.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::change::{Change, Target};
use crate::finding::Finding;
use crate::found::Found;
use crate::journal::{ChangeRecord, ChangeState};
use crate::kit::Cluster;
use crate::world::{ReadError, Reads};

/// One step of a runbook, parameters filled in and checked.
pub trait Step: Send + Sync {
    /// The sentence shown to the operator before anything happens.
    fn intent(&self) -> String;

    /// Everything the step may send to this target, as it will be sent; made without contacting anything.
    fn announce(&self, target: &Target, cluster: &Cluster) -> Vec<Announced>;

    /// Why the step cannot be run on this target, as far as that can be known without contacting it.
    fn refuse(&self, _target: &Target, _cluster: &Cluster) -> Vec<String> {
        Vec::new()
    }

    /// Looks at the target and says what still has to change, or what is being waited for.
    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>>;

    /// Of a step that is done already, in a run that is gone on with: finds again what lives in one process only, a way in that it
    /// had won. It looks, and changes nothing.
    fn win_again<'a>(&'a self, _look: Look<'a>) -> Option<BoxFuture<'a, ()>> {
        None
    }

    /// How often a survey is repeated while something is awaited.
    fn interval(&self) -> Duration {
        Duration::from_secs(2)
    }
}

/// What a survey is given.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// Where it looks.
    pub target: &'a Target,
    /// How it looks.
    pub reads: &'a dyn Reads,
    /// What this step did here before, in this run, also before a kill and a resume.
    pub history: &'a History,
    /// Who does this and why, for the marks left on hosts.
    pub mark: &'a Mark,
    /// Which step of the plan this is, from 0: two steps of one kind must not share what they leave on a host.
    pub step: usize,
}

/// The run, as it marks what it leaves on hosts and in the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The run's id.
    pub run: String,
    /// Who.
    pub operator: String,
    /// Why, in the operator's words; empty when not given.
    pub reason: String,
}

/// What a step did on a target before, read from the journal.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Its changes here, oldest first.
    pub changes: Vec<ChangeRecord>,
    /// The answers given to its questions here.
    pub answers: Vec<(String, bool)>,
    /// When it first began here.
    pub since: Option<jiff::Timestamp>,
    /// Now, by the same clock.
    pub now: jiff::Timestamp,
    /// Since when this process has had the run in hand, by the same clock. Before that another process wrote the times, by a
    /// clock that may have been set since.
    pub here: jiff::Timestamp,
    /// The API servers of its cluster that have answered anything in this run; `None`: nobody knows.
    pub answered: Option<BTreeSet<Target>>,
    /// In a drill: what earlier steps of the run only pretended to change here, oldest first. No look shows it.
    pub pretended: Vec<Change>,
}

impl History {
    /// The newest change with this key.
    pub fn last(&self, key: &str) -> Option<&ChangeRecord> {
        self.changes.iter().rev().find(|record| record.change.key == key)
    }

    /// Was a change with this key made?
    pub fn done(&self, key: &str) -> bool {
        self.changes.iter().any(|record| record.change.key == key && record.state == ChangeState::Done)
    }

    /// The change with this key that must have arrived after a look, when its mark is there and no look has found it made:
    /// the newest that a look had given up.
    pub fn missed(&self, key: &str) -> Option<u32> {
        let all = || self.changes.iter().rev().filter(|record| record.change.key == key);
        let told = all().any(|record| record.state.is_open() || record.state == ChangeState::Done);
        let missed = all().find(|record| record.state == ChangeState::NotMade).map(|record| record.id);
        missed.filter(|_| !told)
    }

    /// Adds one that has answered since.
    pub fn heard(&mut self, target: Target) {
        if let Some(answered) = &mut self.answered {
            answered.insert(target);
        }
    }

    /// The changes that were noted with something of this type, and what, oldest first.
    pub fn notes<T: DeserializeOwned>(&self) -> impl DoubleEndedIterator<Item = (&ChangeRecord, T)> {
        self.changes.iter().filter_map(|record| Some((record, record.change.note.as_ref()?.read()?)))
    }

    /// Is it certain that this API server of the step's cluster has not answered once in this run?
    pub fn silent(&self, target: &Target) -> bool {
        self.answered.as_ref().is_some_and(|answered| !answered.contains(target))
    }

    /// The answer to a question.
    pub fn answer(&self, question: &str) -> Option<bool> {
        self.answers.iter().rev().find(|(id, _)| id == question).map(|(_, yes)| *yes)
    }

    /// For how long it has been so at least, since a moment that was written down: what this process has not seen itself
    /// is counted from when it took the run over.
    pub fn ago(&self, at: jiff::Timestamp) -> Duration {
        Duration::try_from(self.now.duration_since(at.max(self.here))).unwrap_or_default()
    }

    /// Whether what is known of a change is from this process, and not from one before that took the run as far.
    pub fn here(&self, record: &ChangeRecord) -> bool {
        record.moved_at >= self.here
    }

    /// Whether a change was made by this process, and less than so long ago.
    pub fn just_now(&self, record: &ChangeRecord, within: Duration) -> bool {
        self.here(record) && self.ago(record.moved_at) < within
    }
}

pub use crate::kit::select::Scope;
pub use crate::yaml::schema_of;
pub use announced::{Announced, Sends, Times};
pub(crate) use automation::freezable;
pub use elsewhere::{Turn, mark_of, taken_out_by, turn};
pub use fault::Fault;
pub(crate) use kube_object::{encode, items, next_page};
pub(crate) use marking::{
    DISARMED, FROZEN, PARKED, REFUSED, REFUSED_OBJECT, REFUSED_UNTIL, RESTORED, REVOKED, ROLLED_BACK, THROTTLED,
    unsigned as unsigned_mark,
};
pub use object::ObjectRef;
pub(crate) use rbac::kubectl_flag;
pub(crate) use rescue_manifest::Program;
pub use results::{Gives, Takes};

/// What a survey found. No changes, nothing awaited, nothing asked: done.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// What still has to change, in this order.
    pub changes: Vec<Change>,
    /// What is being waited for.
    pub waiting_for: Option<String>,
    /// What has to be asked before going on.
    pub ask: Option<Question>,
    /// What could not be read, where that is why it asks: it names the end where nobody answers.
    pub unread: Option<ReadError>,
    /// What was seen and belongs in the report and the journal.
    pub saw: Vec<Finding>,
    /// What was seen ends the step: said after it, and not once more in there.
    pub fails: Option<StepError>,
    /// Results for later steps of the cluster.
    pub found: Vec<Found>,
    /// Changes, by number, that this look finds made: their reply was lost, or they arrived after an earlier look that had
    /// found them not made.
    pub arrived: Vec<u32>,
    /// Changes, by number, whose reply was lost and that this look finds not made, whatever is wanted now.
    pub not_made: Vec<u32>,
    /// The changes could not be looked for: one whose outcome is not known is sent again under its own number, and stays
    /// unknown until the far side says that it did it.
    pub blind: bool,
    /// The changes only put right what broke off, or prepare. What was sent before and has no outcome is not made by that: it
    /// stays unknown until a look that says what is still wanted.
    pub mends: bool,
}

impl Survey {
    /// Nothing left.
    pub fn done() -> Self {
        Self::default()
    }

    /// One change.
    pub fn change(change: Change) -> Self {
        Self { changes: vec![change], ..Self::default() }
    }

    /// One change that cannot be looked for.
    pub fn blind(change: Change) -> Self {
        Self { blind: true, ..Self::change(change) }
    }

    /// One change that puts right what broke off, or prepares.
    pub fn mending(change: Change) -> Self {
        Self { mends: true, ..Self::change(change) }
    }

    /// Waiting.
    pub fn waiting(what: impl Into<String>) -> Self {
        Self { waiting_for: Some(what.into()), ..Self::default() }
    }

    /// Adds a result.
    #[must_use]
    pub fn gives(mut self, found: Option<Found>) -> Self {
        self.found.extend(found);
        self
    }

    /// Adds something seen.
    #[must_use]
    pub fn saw(mut self, what: impl Into<Finding>) -> Self {
        self.saw.push(what.into());
        self
    }

    /// Adds all of these.
    pub fn see<F: Into<Finding>>(&mut self, what: impl IntoIterator<Item = F>) {
        self.saw.extend(what.into_iter().map(Into::into));
    }
}

/// A question to the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Tells it from the step's other questions.
    pub id: String,
    /// The question.
    pub text: String,
    /// The word that has to be typed; `None`: yes or no.
    pub typed: Option<String>,
    /// What `--yes` answers.
    pub unattended: bool,
    /// What a no leads to, where that is not the end: `and they get their own grace`.
    pub otherwise: Option<String>,
}

/// Why a step cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// It could not look. Tried again by the step's policy.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It saw something it will not act on; trying again would not help.
    #[error("{why}")]
    Refused {
        /// One sentence: what was seen, where.
        why: String,
        /// The next command to type.
        hint: Option<String>,
    },
    /// The operator's answer ends it.
    #[error("the operator said no to: {0}")]
    Declined(String),
}

impl StepError {
    /// A refusal without a hint.
    pub fn refused(why: impl Into<String>) -> Self {
        Self::Refused { why: why.into(), hint: None }
    }
}

/// A kind of step: its name, its parameters, and how it is made from them.
pub trait Kind: Send + Sync {
    /// The word in the runbook.
    fn name(&self) -> &'static str;

    /// What it does, what it costs, how it is undone: the reference page.
    fn doc(&self) -> &'static str;

    /// Where it acts.
    fn scope(&self) -> Scope;

    /// Where a step with these parameters acts.
    fn scope_of(&self, _with: &Value) -> Scope {
        self.scope()
    }

    /// It must never act on two targets at the same time, whatever the runbook says.
    fn one_at_a_time(&self) -> bool {
        false
    }

    /// It must act on all its targets of a cluster at the same time, whatever the runbook says, and one that cannot be
    /// reached must not keep it from the others.
    fn all_together(&self) -> bool {
        false
    }

    /// What it finds out for later steps of the cluster; only a kind that acts on the cluster as a whole gives anything.
    fn gives(&self) -> &'static [Gives] {
        &[]
    }

    /// Its parameters in whose place a result of an earlier step may stand.
    fn takes(&self) -> &'static [Takes] {
        &[]
    }

    /// The JSON Schema of its parameters; the parser checks against it, editors complete from it.
    fn schema(&self) -> Value;

    /// Makes the step from parameters that fit the schema.
    ///
    /// # Errors
    /// What the schema cannot say, every fault.
    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>>;
}

/// Reads the parameters of a step.
///
/// # Errors
/// What serde says, as one sentence.
pub fn params<P: DeserializeOwned>(with: Value) -> Result<P, Vec<Fault>> {
    serde_json::from_value(with).map_err(|e| vec![Fault::whole(e.to_string())])
}

/// The registry of the step kinds. The modules are declared apart from it: rustfmt sees no module that a macro declares.
macro_rules! kinds {
    ($($module:ident :: $kind:ident),* $(,)?) => {
        /// Every kind of step, in the order of the reference page.
        pub const KINDS: &[&dyn Kind] = &[$(&$module::$kind),*];

        /// The same by name: what has to be there for each kind, the compiler demands of a new one (a match over all).
        #[cfg(test)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Known {
            $($kind),*
        }

        #[cfg(test)]
        impl Known {
            /// All of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$kind),*];

            /// The kind itself.
            pub(crate) fn kind(self) -> &'static dyn Kind {
                match self {
                    $(Self::$kind => &$module::$kind),*
                }
            }
        }
    };
}

mod access;
mod again;
mod along;
mod announced;
mod automation;
mod confirm;
mod controllers;
mod delete;
mod diagnose;
mod disarm;
mod dump;
mod elsewhere;
mod end_pods;
mod exec;
mod fault;
mod finalizers;
pub(crate) mod find_offender;
mod freeze_automation;
mod freeze_nodes;
mod freeze_pods;
mod gate;
mod gate_close;
mod gate_confirm;
mod gate_open;
mod health;
mod http;
mod jail;
mod kube_object;
mod levels;
mod marking;
mod object;
mod owners;
mod park;
mod pod_names;
mod pods;
mod preflight;
mod prepare_authorization_config;
mod probe;
mod rbac;
mod recovery;
mod recovery_apiserver_start;
mod recovery_apiserver_stop;
mod refuse_return;
mod release;
mod remove_finalizers;
mod renew_certificates;
mod requests;
mod rescue_manifest;
mod restore_rights;
mod results;
mod revoke;
mod revoke_tokens;
mod rollback;
mod rollout;
mod scale_apiserver;
mod servers;
mod static_pod;
#[cfg(test)]
mod tests;
mod thaw_automation;
mod thaw_nodes;
mod throttle;
mod vital;
mod wait_for;
mod workload;

kinds! {
    probe::Probe,
    diagnose::Diagnose,
    find_offender::FindOffender,
    confirm::Confirm,
    park::Park,
    release::Release,
    rollback::Rollback,
    end_pods::EndPods,
    freeze_pods::FreezePods,
    delete::Delete,
    remove_finalizers::RemoveFinalizers,
    revoke::Revoke,
    revoke_tokens::RevokeTokens,
    jail::JailClient,
    throttle::Throttle,
    restore_rights::RestoreRights,
    disarm::Disarm,
    freeze_automation::FreezeAutomation,
    thaw_automation::ThawAutomation,
    refuse_return::RefuseReturn,
    http::Http,
    exec::Exec,
    wait_for::WaitFor,
    scale_apiserver::ScaleApiserver,
    gate_close::GateClose,
    gate_confirm::GateConfirm,
    gate_open::GateOpen,
    freeze_nodes::FreezeNodes,
    thaw_nodes::ThawNodes,
    recovery_apiserver_start::RecoveryStart,
    recovery_apiserver_stop::RecoveryStop,
    rescue_manifest::RescueManifest,
    prepare_authorization_config::PrepareAuthorizationConfig,
    access::Access,
    renew_certificates::RenewCertificates,
}

/// The kind with this name.
pub fn kind(name: &str) -> Option<&'static dyn Kind> {
    KINDS.iter().copied().find(|kind| kind.name() == name)
}

//! `delete`: one named object, saved first.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::along::{goes_with, takes_along};
use super::automation;
use super::kube_object::{self, Going, Made, Seen, text};
use super::results::Takes;
use super::{
    Announced, Fault, Kind, Look, ObjectRef, Question, Scope, Step, StepError, Survey, Times, params, schema_of,
};
use crate::change::{Body, Change, Inverse, Keep, KubeCall, Method, Op, Target};
use crate::duration::HumanDuration;
use crate::found::Type;
use crate::journal::{ChangeRecord, ChangeState};
use crate::kit::Cluster;
use crate::world::{Accept, ReadErrorKind};

const KEY: &str = "delete";
const UNSAVED: &str = "unsaved";
const DATA_LOSS: &str = "data-loss";
/// Stands in the plan for what only a look can know.
const UID: &str = "<uid seen by the GET>";

/// The kind.
pub(super) struct Delete;

/// Deletes one object by its exact name.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// The object: `daemonsets.apps/NAMESPACE/NAME`, `ds/NAMESPACE/NAME`, or `GROUP/VERSION/RESOURCE/NAMESPACE/NAME`.
    object: String,
    /// Its namespace, when the name does not say it.
    #[serde(default)]
    namespace: Option<String>,
    /// Read and keep the object first, so that `undo` can put it back: one request more.
    #[serde(default = "yes")]
    save: bool,
    /// What to do when the object could not be read in time.
    #[serde(default)]
    when_unsaved: WhenUnsaved,
    /// How long reading it may take.
    #[serde(default = "save_within")]
    save_within: HumanDuration,
    /// The uid that the object must have, when it is known already.
    #[serde(default)]
    uid: Option<String>,
    /// What becomes of what the object owns.
    #[serde(default)]
    propagation: Propagation,
    /// Seconds that pods get to end by themselves; the object's own value when it is not said.
    #[serde(default)]
    grace_period_seconds: Option<u32>,
    /// Go on without a question although more goes with it than the object, which `undo` cannot bring back: the volume of
    /// a claim, all that is in a namespace, the claims of a StatefulSet whose policy is `whenDeleted: Delete`.
    #[serde(default)]
    accept_data_loss: bool,
    /// How long the DELETE may stay unanswered, all attempts together, before the outcome is looked at.
    #[serde(default = "kube_object::write_deadline")]
    deadline: HumanDuration,
    /// How long an object that a finalizer or a grace period still holds is waited for before the step fails and says what
    /// holds it. Its own grace period comes on top.
    #[serde(default = "gone_within")]
    gone_within: HumanDuration,
}

/// What to do when the object could not be saved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum WhenUnsaved {
    /// Ask; with `--yes` the answer is no.
    #[default]
    Ask,
    /// Delete it all the same; it cannot be put back then.
    Delete,
    /// End the step.
    Stop,
}

/// What becomes of what the object owns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Propagation {
    /// The object goes at once, what it owns afterwards.
    #[default]
    Background,
    /// What it owns goes first.
    Foreground,
    /// What it owns stays.
    Orphan,
}

fn yes() -> bool {
    true
}

fn save_within() -> HumanDuration {
    HumanDuration::secs(20)
}

fn gone_within() -> HumanDuration {
    HumanDuration::secs(30)
}

struct Deletion {
    object: ObjectRef,
    with: Params,
}

impl Kind for Delete {
    fn name(&self) -> &'static str {
        "delete"
    }

    fn doc(&self) -> &'static str {
        "Deletes one object by its exact name. Two requests: a GET that saves the object beside the journal, and a \
         DELETE with the uid that the GET saw as precondition; one with `save: false`. When the reply to the DELETE is \
         lost, one GET more says what came of it: gone, another uid or a deletion timestamp all mean that it was done. \
         What would lose more than the object (a claim's volume, what is in a namespace) is asked about, by name. \
         `undo` creates the saved object again, without what the server had set and without its owners: an owner that \
         is gone by then would have it collected as garbage at once, and a controller takes back what its selector fits. \
         Where an object of that name is there already, `undo` compares spec, labels and data with the saved ones, and \
         names what differs instead of taking it for the saved one. Where the answer to the DELETE does not say that the \
         object is gone (a finalizer or a grace period holds it), a GET every 2 s looks for it, for `goneWithin` and its \
         grace at most; then the step fails with what holds it, and names `remove-finalizers`, which ends it. Nothing is ever \
         forced. What the object owned (pods) goes only when the garbage collector works: follow with `wait-for` and `podsGone`. With \
         `propagation: foreground` the object itself waits for it, and for what is held among it; with `orphan` it stays."
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn takes(&self) -> &'static [Takes] {
        &[Takes { at: &["object"], of: Type::Workload }]
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let with: Params = params(with)?;
        let object = ObjectRef::parse(&with.object, with.namespace.as_deref());
        let mut faults: Vec<Fault> = object.as_ref().err().map(|why| Fault::at("object", why)).into_iter().collect();
        faults.extend(kube_object::too_short(with.deadline));
        match object {
            Ok(object) if faults.is_empty() => Ok(Box::new(Deletion { object, with })),
            _ => Err(faults),
        }
    }
}

impl Step for Deletion {
    fn intent(&self) -> String {
        let saved = if self.with.save { "saving it first" } else { "without saving it" };
        format!("delete {}, {saved}", self.object)
    }

    fn announce(&self, _: &Target, _: &Cluster) -> Vec<Announced> {
        let get = |times, why: &str| Announced::get(self.object.path(), times, why);
        let seen = if self.with.save { Some(UID) } else { self.with.uid.as_deref() };
        let delete = |seen, times, why: &str| Announced::op(Op::Kube(self.call(seen)), times, why);
        let mut all = Vec::new();
        if self.with.save {
            all.push(get(Times::Once, "saves the object, so that undo can put it back"));
        }
        all.push(delete(seen, Times::Once, "deletes it"));
        if self.with.save && self.with.when_unsaved != WhenUnsaved::Stop {
            let why = "instead, when it could not be saved and that was accepted";
            all.push(delete(self.with.uid.as_deref(), Times::AtMost(1), why));
        }
        if !self.with.save && self.with.uid.is_none() {
            all.push(delete(Some(UID), Times::AtMost(2), "again, when a look found that the first did not arrive"));
        }
        all.push(get(Times::AtMost(3), "when the reply to the DELETE is lost: looks whether it was done"));
        // Only pods have a grace, which is theirs to say.
        let pods = self.object.group.is_empty() && self.object.plural == "pods";
        let until = if pods { Duration::MAX } else { self.with.gone_within.0 };
        let times = Times::Every { interval: self.interval(), until };
        all.push(get(times, "when the reply does not say that it is gone: looks until it is, or what holds it"));
        all
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        async move {
            match look.history.last(KEY) {
                Some(record) if record.state == ChangeState::Done && record.facts.gone => Ok(Survey::done()),
                Some(record) if record.state == ChangeState::Done => self.effect(look, record).await,
                Some(record) if matches!(record.state, ChangeState::Intended | ChangeState::Unknown) => {
                    self.settle(look, record).await
                }
                _ => self.fresh(look).await,
            }
        }
        .boxed()
    }
}

impl Deletion {
    /// Nothing of ours is under way.
    async fn fresh(&self, look: Look<'_>) -> Result<Survey, StepError> {
        if let Some(what) = goes_with(&self.object)
            && let Some(asked) = self.consented(look, what)?
        {
            return Ok(asked);
        }
        if !self.with.save {
            return Ok(Survey::change(self.change(self.with.uid.as_deref(), self.unsaved("save: false"))));
        }
        match look.history.answer(UNSAVED) {
            Some(true) => {
                let why = self.unsaved("it could not be read, and the operator accepted that");
                return Ok(Survey::change(self.change(self.with.uid.as_deref(), why)));
            }
            Some(false) => return Err(StepError::Declined(format!("delete {} without saving it", self.object))),
            None => {}
        }
        match kube_object::get(look, &self.object, Accept::Json, self.with.save_within.0).await {
            Ok(Seen::Absent) => Ok(Survey::done().saw(format!("{} is not there", self.object))),
            Ok(Seen::There(object)) => self.found(look, &object),
            Err(StepError::Read(error)) => match self.with.when_unsaved {
                WhenUnsaved::Stop => Err(StepError::Read(error)),
                WhenUnsaved::Delete => {
                    let why = self.unsaved("it could not be read, and the runbook says to go on");
                    Ok(Survey::change(self.change(self.with.uid.as_deref(), why))
                        .saw(format!("{} could not be saved: {error}", self.object)))
                }
                // Where nothing gets through, or the answer is a no, whether to go on without the save is no question.
                WhenUnsaved::Ask if error.kind == ReadErrorKind::NoRoute || error.kind.lasts() => {
                    Err(StepError::Read(error))
                }
                WhenUnsaved::Ask => {
                    let saw = format!("{} could not be saved: {error}", self.object);
                    Ok(Survey { ask: Some(self.question()), unread: Some(error), ..Survey::default() }.saw(saw))
                }
            },
            Err(other) => Err(other),
        }
    }

    /// The question whether what goes with the object may be lost; `None` when it may.
    fn consented(&self, look: Look<'_>, what: &str) -> Result<Option<Survey>, StepError> {
        match look.history.answer(DATA_LOSS) {
            _ if self.with.accept_data_loss => Ok(None),
            Some(true) => Ok(None),
            Some(false) => Err(StepError::Declined(format!("delete {}: {what}", self.object))),
            None => {
                let question = Question {
                    id: DATA_LOSS.into(),
                    text: format!("{}: {what}, and nothing here can bring that back. Delete it?", self.object),
                    typed: Some(self.object.name.clone()),
                    unattended: false,
                    otherwise: None,
                };
                Ok(Some(Survey { ask: Some(question), ..Survey::default() }))
            }
        }
    }

    fn question(&self) -> Question {
        Question {
            id: UNSAVED.into(),
            text: format!(
                "{} could not be saved within {}. Delete it all the same, with no way to put it back?",
                self.object, self.with.save_within
            ),
            typed: None,
            unattended: false,
            otherwise: None,
        }
    }

    /// The object as it stands before we touched it.
    fn found(&self, look: Look<'_>, object: &Value) -> Result<Survey, StepError> {
        kube_object::is_meant(&self.object, self.with.uid.as_deref(), object)?;
        if let Some(going) = Going::of(object) {
            // Somebody else deletes it: nothing is left to send, and it is not gone.
            return self.awaited(look, look.history.since, &going);
        }
        if let Some(what) = takes_along(&self.object, object, self.with.propagation == Propagation::Orphan)
            && let Some(asked) = self.consented(look, what)?
        {
            return Ok(asked);
        }
        let mut survey = Survey::change(self.change(Some(text(object, "/metadata/uid")), self.put_back(object)));
        survey.see(automation::comes_back(&self.object, object));
        survey.see(kube_object::without_owner(&self.object, object));
        survey.see(self.stays());
        Ok(survey)
    }

    /// What an orphaning delete leaves.
    fn stays(&self) -> Option<String> {
        (self.with.propagation == Propagation::Orphan).then(|| {
            format!(
                "what it owns stays, without an owner: undo makes {} anew, and what then has it again is what its controller takes by \
                 its selector, nothing else",
                self.object
            )
        })
    }

    /// A DELETE of ours was sent and its reply never came: what is there now?
    async fn settle(&self, look: Look<'_>, record: &ChangeRecord) -> Result<Survey, StepError> {
        let within = self.with.save_within.0;
        let (object, date) = match kube_object::dated(look, &self.object, Accept::Json, within).await? {
            (Seen::Absent, _) => return Ok(Survey::done()),
            (Seen::There(object), date) => (object, date),
        };
        let uid = text(&object, "/metadata/uid");
        let made = made_since(look, record, &object, date);
        if made == Made::Since {
            return Ok(Survey::done().saw(format!("{} is gone, and there again with uid {uid}", self.object)));
        }
        if let Some(going) = Going::of(&object) {
            let survey = self.awaited(look, Some(record.moved_at), &going)?;
            return Ok(Survey { arrived: vec![record.id], ..survey });
        }
        if made == Made::NotKnown
            && let Some(asked) = self.same_one(look, record, &object)?
        {
            return Ok(asked);
        }
        let inverse = if self.with.save { self.put_back(&object) } else { self.unsaved("save: false") };
        Ok(Survey::change(self.change(Some(uid), inverse)))
    }

    /// The question whether what is there is still what was to be deleted; `None` when it is.
    fn same_one(&self, look: Look<'_>, record: &ChangeRecord, object: &Value) -> Result<Option<Survey>, StepError> {
        let id = format!("the one that change {} was to delete", record.id);
        let created = text(object, "/metadata/creationTimestamp");
        match look.history.answer(&id) {
            Some(true) => Ok(None),
            Some(false) => Err(StepError::Declined(format!("delete {} again", self.object))),
            None => {
                let text = format!(
                    "The reply to the DELETE of {} was lost, and one is there with uid {}, made {created} by the server's \
                     clock. It is not known whether it is the same or was made anew since. Delete it?",
                    self.object,
                    text(object, "/metadata/uid")
                );
                let ask = Some(Question { id, text, typed: None, unattended: false, otherwise: None });
                Ok(Some(Survey { ask, ..Survey::default() }))
            }
        }
    }

    /// The DELETE was taken in, and its answer did not say that the object is gone: is it?
    async fn effect(&self, look: Look<'_>, record: &ChangeRecord) -> Result<Survey, StepError> {
        let since = Some(record.moved_at);
        match kube_object::dated(look, &self.object, Accept::Json, self.with.save_within.0).await {
            Ok((Seen::Absent, _)) => Ok(Survey::done().saw(format!("{} is gone", self.object))),
            Ok((Seen::There(object), date)) if is_another(made_since(look, record, &object, date), &object) => {
                let uid = text(&object, "/metadata/uid");
                Ok(Survey::done().saw(format!("{} is gone, and there again with uid {uid}", self.object)))
            }
            Ok((Seen::There(object), _)) => self.awaited(look, since, &Going::of(&object).unwrap_or_default()),
            // It was taken in: that nobody can look now makes it no failure to get in.
            Err(StepError::Read(error)) => self.awaited(look, since, &Going::unseen(error.to_string())),
            Err(other) => Err(other),
        }
    }

    /// Waits for an object that is still there, up to an end, which says what holds it.
    fn awaited(&self, look: Look<'_>, since: Option<jiff::Timestamp>, going: &Going) -> Result<Survey, StepError> {
        let waited = since.map(|since| look.history.ago(since)).unwrap_or_default();
        if waited < self.with.gone_within.0 + going.grace {
            return Ok(Survey::waiting(format!("{} to be gone: {going}", self.object)));
        }
        Err(StepError::Refused {
            why: format!("{} is not gone after {} s: {going}", self.object, waited.as_secs()),
            hint: Some(going.hint(&self.object)),
        })
    }

    fn call(&self, uid: Option<&str>) -> KubeCall {
        let policy = match self.with.propagation {
            Propagation::Background => "Background",
            Propagation::Foreground => "Foreground",
            Propagation::Orphan => "Orphan",
        };
        let mut options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": policy});
        if let Some(uid) = uid {
            options["preconditions"] = json!({"uid": uid});
        }
        if let Some(seconds) = self.with.grace_period_seconds {
            options["gracePeriodSeconds"] = json!(seconds);
        }
        KubeCall {
            method: Method::Delete,
            path: self.object.path(),
            content_type: "application/json".into(),
            body: Body::Json(options),
            // By name only, a second DELETE could hit what was made anew after the first.
            idempotent: uid.is_some(),
            already: vec![404],
            holds: None,
        }
    }

    fn change(&self, uid: Option<&str>, inverse: Inverse) -> Change {
        let call = self.call(uid);
        let by_hand = match &call.body {
            Body::Json(options) => format!("echo '{options}' | kubectl delete --raw '{}' -f -", call.path),
            _ => format!("kubectl delete --raw '{}'", call.path),
        };
        Change {
            key: KEY.into(),
            note: None,
            op: Op::Kube(call),
            guard: uid
                .map_or_else(|| "none: by name only".into(), |uid| format!("{} still has uid {uid}", self.object)),
            inverse,
            because: format!("{} is to be gone", self.object),
            by_hand,
            deadline_secs: self.with.deadline.0.as_secs().max(1),
            keep: Keep::Nothing,
        }
    }

    fn unsaved(&self, why: &str) -> Inverse {
        Inverse::Impossible(format!("{} was not saved ({why})", self.object))
    }

    /// Creates the saved object again.
    fn put_back(&self, object: &Value) -> Inverse {
        if let Some(what) = takes_along(&self.object, object, self.with.propagation == Propagation::Orphan) {
            return Inverse::Impossible(format!("{}: {what}", self.object));
        }
        kube_object::created_again(&self.object, object)
    }
}

/// Whether what is there was made before or after a DELETE of ours was sent.
fn made_since(look: Look<'_>, record: &ChangeRecord, object: &Value, date: Option<jiff::Timestamp>) -> Made {
    let demanded = match &record.change.op {
        Op::Kube(call) => call.demanded_uid(),
        Op::Host(_) | Op::File(_) | Op::Http(_) | Op::Local(_) => None,
    };
    match demanded {
        Some(ours) if ours == text(object, "/metadata/uid") => Made::Before,
        Some(_) => Made::Since,
        // Deleted by name only: what was made since then is not what we were asked to delete.
        None => kube_object::made(object, date, look.history.now.as_second() - record.intended_at.as_second()),
    }
}

/// Whether what is there after a DELETE that was taken in is not what that was about: what it was about would be going.
fn is_another(made: Made, object: &Value) -> bool {
    match made {
        Made::Before => false,
        Made::Since => true,
        Made::NotKnown => Going::of(object).is_none(),
    }
}

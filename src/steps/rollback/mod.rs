//! `rollback`: a workload's pod template, put back to an earlier one that its controller has kept.

mod effect;
mod revisions;
#[cfg(test)]
mod tests;

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::revisions::{CAUSE, Choice, Now, PAGE, PAGES, Revision, Told, collection, images, kubectl};
use super::automation;
use super::kube_object::{self, Seen, text};
use super::marking::{self, Edit, ROLLED_BACK};
use super::rollout;
use super::{
    Announced, Fault, Kind, Look, ObjectRef, Question, Scope, Sends, Step, StepError, Survey, Times, params, pods,
    schema_of, workload,
};
use crate::change::{Blob, Body, Change, Holds, Inverse, Keep, KubeCall, Note, Op, Target, sha256_hex, short_hash};
use crate::duration::HumanDuration;
use crate::journal::ChangeState;
use crate::kit::Cluster;
use crate::saved;
use crate::world::Accept;

const KEY: &str = "rollback";
const TEMPLATE: &str = "/spec/template";
/// Stands in the plan for what only a look can know.
const SELECTOR: &str = "<selector of the workload>";
/// How many of the places where two templates differ are named.
const NAMED: usize = 4;

/// The kind.
pub(super) struct Rollback;

/// Puts the pod template of a workload back to an earlier revision.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// The workload: `ds/NAMESPACE/NAME`, `sts/NAMESPACE/NAME` or `deploy/NAMESPACE/NAME`.
    object: String,
    /// Its namespace, when the name does not say it.
    #[serde(default)]
    namespace: Option<String>,
    /// The number of the revision; the one before the one that it has when it is not said.
    #[serde(default)]
    to_revision: Option<i64>,
    /// The uid that the workload must have, when it is known already.
    #[serde(default)]
    uid: Option<String>,
    /// How long its pods are waited for until they are what the template says; not at all when it is not said.
    #[serde(default)]
    wait: Option<HumanDuration>,
    /// Do not ask although the cluster itself needs it: what is in kube-system, or of a system-critical priority.
    #[serde(default)]
    accept_critical: bool,
    /// How long one look at it, or at a page of its revisions, may take.
    #[serde(default = "kube_object::look_within")]
    look_within: HumanDuration,
    /// How long the PATCH may stay unanswered, all attempts together, before the outcome is looked at.
    #[serde(default = "kube_object::write_deadline")]
    deadline: HumanDuration,
}

struct Rolling {
    object: ObjectRef,
    revisions: String,
    with: Params,
}

/// What was decided at the first look, for the later ones: what somebody else has changed since is not decided about anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Decided {
    uid: String,
    /// The SHA-256 of the template that was there.
    template: String,
    /// The revision that is put back.
    to: i64,
}

impl Kind for Rollback {
    fn name(&self) -> &'static str {
        "rollback"
    }

    fn doc(&self) -> &'static str {
        "Puts the pod template of a DaemonSet, StatefulSet or Deployment back to an earlier revision. The one before, \
         unless `toRevision` says another: what `kubectl rollout undo` does, by three requests and no discovery. A GET \
         of the workload; a LIST of its revisions, by its labels in its namespace (ControllerRevisions, of a Deployment \
         its ReplicaSets; whole, a few KB each, 100 a page, five pages at most), of which those count whose controller \
         is the workload by its uid; and one JSON patch that tests the uid and the template that was seen, so that \
         status updates and scaling do not stand in its way. Of a Deployment the change cause comes back with it; \
         no other field is touched, and the run's id is left in the annotation breakglass.io/rolled-back. Both \
         templates are kept beside the journal, as they may hold secrets. `undo` puts the template back that was there, \
         exactly, if what stands there is still what was put. What was rolled back already, by whomever, is not rolled \
         back again unless a revision is named, for that would bring back what was got rid of; nor is what was changed by \
         somebody else since the first look. Revisions that are only a parking are passed over. A paused Deployment is \
         refused. In kube-system, and for pods of a system-critical priority, the name has to be typed, which is two reads more. \
         Done: the template is there. Pods change as their controller and their nodes hear of it, behind a closed gate \
         they do not, and what they are is called unknown; with `wait` the step waits for them, one GET every 5 s, and fails \
         with what stands when that time is over, or when somebody else has put the template from before back."
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let with: Params = params(with)?;
        let object =
            ObjectRef::parse(&with.object, with.namespace.as_deref()).map_err(|why| vec![Fault::at("object", why)])?;
        let Some(revisions) = collection(&object) else {
            let why = format!(
                "{} cannot be rolled back; what can: daemonsets, statefulsets, deployments (whoever else keeps earlier \
                 templates, such as Argo Rollouts, is asked for them by its own program)",
                object.resource()
            );
            return Err(vec![Fault::at("object", why)]);
        };
        let mut faults = Vec::new();
        if with.to_revision.is_some_and(|number| number < 1) {
            faults.push(Fault::at("toRevision", "revisions are counted from 1; leave it out for the one before"));
        }
        if with.wait.is_some_and(|wait| wait.0 < Duration::from_secs(1)) {
            faults.push(Fault::at("wait", "it must be at least 1s"));
        }
        faults.extend(kube_object::too_short(with.deadline));
        if faults.is_empty() { Ok(Box::new(Rolling { object, revisions, with })) } else { Err(faults) }
    }
}

impl Step for Rolling {
    fn intent(&self) -> String {
        let to =
            self.with.to_revision.map_or_else(|| "the revision before".into(), |number| format!("revision {number}"));
        let wait = self.with.wait.map(|wait| format!(", and wait for its pods, {wait} at most"));
        format!("put the pod template of {} back to {to}{}", self.object, wait.unwrap_or_default())
    }

    fn announce(&self, _: &Target, _: &Cluster) -> Vec<Announced> {
        let get = |times, why: &str| Announced::get(self.object.path(), times, why);
        let list = pods::path(&self.revisions, SELECTOR, PAGE);
        let page = format!("{list}&continue={}", pods::TOKEN);
        let mut all = vec![
            get(Times::Once, "sees its uid and the template that undo puts back"),
            Announced::get(
                list.clone(),
                Times::Once,
                "its revisions (whole, a few KB each; one namespace, by its labels)",
            ),
            Announced::get(
                page,
                Times::AtMost(4 * (PAGES - 1)),
                "the pages after the first, which a controller hardly ever fills",
            ),
        ];
        let mut patch = |causes: Option<(Value, Value)>, times, why: &str| {
            let ops = marking::announced(&edits(json!("<as seen>"), json!("<that of the revision>"), causes));
            all.push(Announced::op(Op::Kube(marking::patching(&self.object, ops, None)), times, why));
        };
        patch(None, Times::Once, "puts the template back; both are kept beside the journal");
        if self.object.plural == "deployments" {
            let why = "instead, when its change cause has to come back, too";
            patch(Some((json!("<as seen>"), json!("<as it was>"))), Times::AtMost(1), why);
            patch(Some((json!("<as seen>"), Value::Null)), Times::AtMost(1), "instead, when there was none then");
        }
        if !self.with.accept_critical {
            let what = Sends::Ask(
                self.question("it is in kube-system, or its pods are system-critical", "<the one before>").text,
            );
            all.push(Announced::new(
                what,
                Times::AtMost(1),
                "only for what the cluster itself needs; then both looks are made again",
            ));
        }
        all.push(get(Times::AtMost(3), "looks again when the PATCH was refused or its reply was lost"));
        all.push(Announced::get(list, Times::AtMost(3), "the same, of its revisions"));
        if let Some(wait) = self.with.wait {
            let times = Times::Every { interval: self.interval(), until: wait.0 };
            all.push(get(times, "how far its pods are what the template says"));
        }
        all
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        async move {
            match look.history.last(KEY) {
                Some(record) if record.state == ChangeState::Done => self.rolled_back(look, record).await,
                _ => self.decide(look).await,
            }
        }
        .boxed()
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(5)
    }
}

impl Rolling {
    /// Nothing of ours is known to be there.
    async fn decide(&self, look: Look<'_>) -> Result<Survey, StepError> {
        let object = &self.object;
        let (seen, date) = match kube_object::dated(look, object, Accept::Json, self.with.look_within.0).await? {
            (Seen::There(seen), date) => (seen, date),
            (Seen::Absent, _) => {
                return Err(StepError::Refused {
                    why: format!("{object} is not there: there is nothing to roll back"),
                    hint: Some(
                        "breakglass runs tells whether a run has deleted it; breakglass undo RUN puts it back".into(),
                    ),
                });
            }
        };
        let decided = look.history.notes::<Decided>().next_back();
        if marked_by(&seen) == look.mark.run {
            let Some((record, _)) = decided else {
                return Err(StepError::Refused {
                    why: format!(
                        "an earlier step of this run has rolled {object} back already: what undo puts back would not be clear"
                    ),
                    hint: Some(format!("breakglass show {}", look.mark.run)),
                });
            };
            let open = look.history.last(KEY).filter(|record| record.state.is_open()).map(|record| record.id);
            let arrived = look.history.missed(KEY).or(open).into_iter().collect();
            return Ok(Survey { arrived, ..self.over(look, &seen, Some(record.moved_at))? });
        }
        self.can_be(&seen, decided.as_ref().map(|(_, decided)| decided))?;
        let now = Now { object, seen: &seen, date };
        let wanted = self.with.to_revision.or(decided.map(|(_, decided)| decided.to));
        let revisions = revisions::of(look, &now, wanted, self.with.look_within.0).await?;
        let (from, to, passed) = match now.choose(&revisions, wanted)? {
            Choice::Goes { from, to, passed } => (from, to, passed),
            Choice::Already(why) => {
                return Ok(self.over(look, &seen, look.history.since)?.saw(why));
            }
        };
        let saw = self.tells(&seen, from, to, &passed, date).into_iter().map(Into::into).collect();
        let mut survey = Survey { saw, ..Survey::default() };
        if let Some(why) =
            workload::critical(object, &seen["spec"]["template"]["spec"]).filter(|_| !self.with.accept_critical)
        {
            let question = self.question(&why, &Told(to, date).to_string());
            match look.history.answer(&question.id) {
                Some(true) => {}
                Some(false) => return Err(StepError::Declined(format!("roll {object} back"))),
                None => return Ok(Survey { ask: Some(question), ..survey }),
            }
        }
        survey.changes.push(self.change(&seen, from, to, look));
        Ok(survey)
    }

    /// What speaks against it, before its revisions are asked for.
    fn can_be(&self, seen: &Value, decided: Option<&Decided>) -> Result<(), StepError> {
        let (object, uid) = (&self.object, text(seen, "/metadata/uid"));
        let wanted = self.with.uid.as_deref().or(decided.map(|decided| decided.uid.as_str()));
        if let Some(wanted) = wanted.filter(|wanted| *wanted != uid) {
            return Err(StepError::Refused {
                why: format!("{object} has uid {uid}, not {wanted}: it is another object by the same name"),
                hint: Some(format!("kubectl rollout history {}; then the same again", kubectl(object))),
            });
        }
        if decided.is_some_and(|decided| decided.template != hash(seen)) {
            return Err(StepError::Refused {
                why: format!(
                    "somebody else has changed the template of {object} since it was first looked at ({} now): what was \
                     decided then is not done to it",
                    images(&seen["spec"]["template"])
                ),
                hint: Some(format!("kubectl rollout history {}; then the same again", kubectl(object))),
            });
        }
        if let Some(going) = kube_object::Going::of(seen) {
            return Err(StepError::Refused {
                why: format!("{object} cannot be rolled back: {going}"),
                hint: Some(going.hint(object)),
            });
        }
        if object.plural == "deployments" && seen["spec"]["paused"] == true {
            return Err(StepError::Refused {
                why: format!("{object} is paused: its controller would not roll anything out"),
                hint: Some(format!("kubectl rollout resume {}; then the same again", kubectl(object))),
            });
        }
        Ok(())
    }

    /// What belongs into the report before it is done.
    fn tells(
        &self,
        seen: &Value,
        from: Option<i64>,
        to: &Revision,
        passed: &[i64],
        date: Option<jiff::Timestamp>,
    ) -> Vec<String> {
        let (object, template) = (&self.object, &seen["spec"]["template"]);
        let from =
            from.map_or_else(|| "a template that has no number yet".into(), |number| format!("revision {number}"));
        let mut places = saved::differences(&to.template, template);
        let more =
            if places.len() > NAMED { format!(" and at {} places more", places.len() - NAMED) } else { String::new() };
        places.truncate(NAMED);
        let mut all = vec![format!(
            "{object} goes from {from} ({}) back to revision {}; they differ at {}{more}",
            images(template),
            Told(to, date),
            places.join(", ")
        )];
        if !passed.is_empty() {
            let numbers: Vec<String> = passed.iter().map(ToString::to_string).collect();
            all.push(format!("passed over, because they are only a parking: revision {}", numbers.join(", ")));
        }
        if let Some(run) = to.parked_by() {
            all.push(format!("that revision is parked, by run {run}: its pods go to no node"));
        }
        all.extend(automation::comes_back(object, seen));
        all.extend(rollout::by_hand(object, seen));
        let ordered = object.plural == "statefulsets" && text(seen, "/spec/podManagementPolicy") != "Parallel";
        if ordered && text(seen, "/spec/updateStrategy/type") != "OnDelete" {
            all.push(format!(
                "its controller waits for a pod that does not become ready, also when it is of the bad template: \
                 breakglass end-pods {object} ends it"
            ));
        }
        all
    }

    fn question(&self, why: &str, to: &str) -> Question {
        Question {
            // Another revision is another question.
            id: format!("critical: {}", to.split_whitespace().next().unwrap_or_default()),
            text: format!("{}: {why}. Roll it back to revision {to}?", self.object),
            typed: Some(self.object.name.clone()),
            unattended: false,
            otherwise: None,
        }
    }

    fn change(&self, seen: &Value, from: Option<i64>, to: &Revision, look: Look<'_>) -> Change {
        let object = &self.object;
        let cause = seen.pointer(CAUSE).cloned().unwrap_or_default();
        // Where there are no annotations at all its controller has not been here, and there is no cause either.
        let causes =
            (object.plural == "deployments" && cause != to.cause && seen["metadata"]["annotations"].is_object())
                .then(|| (cause, to.cause.clone()));
        let edits = edits(seen["spec"]["template"].clone(), to.template.clone(), causes);
        let from = from.map_or_else(String::new, |number| format!(" revision={number}"));
        let by = marking::signed(&format!("{}{from}", look.mark.run), &look.mark.operator);
        let (there, back) = marking::patches(seen, &edits, ROLLED_BACK, &by);
        let holds = Holds { path: object.path(), fields: Vec::new(), as_sent: true };
        let decided = Decided { uid: text(seen, "/metadata/uid").into(), template: hash(seen), to: to.number };
        Change {
            key: KEY.into(),
            guard: format!(
                "{object} still has uid {} and the template that was seen (sha256 {})",
                decided.uid,
                short_hash(&decided.template)
            ),
            note: Some(Note::of(&decided)),
            op: Op::Kube(self.kept(&there, None)),
            inverse: Inverse::By(Box::new(Op::Kube(self.kept(&back, Some(holds))))),
            because: format!("{object} is to run revision {} again", to.number),
            by_hand: format!("kubectl rollout undo {} --to-revision={}", kubectl(object), to.number),
            deadline_secs: self.with.deadline.0.as_secs().max(1),
            keep: Keep::Nothing,
        }
    }

    /// A patch that is kept beside the journal: a template may hold secrets.
    fn kept(&self, ops: &Value, holds: Option<Holds>) -> KubeCall {
        let bytes = ops.to_string().into_bytes();
        KubeCall { body: Body::Saved(Blob::new(bytes)), ..marking::patching(&self.object, Value::Null, holds) }
    }
}

/// The run that left its mark in an object; empty where none did.
fn marked_by(seen: &Value) -> &str {
    marking::marked_by(seen, ROLLED_BACK).split(' ').next().unwrap_or_default()
}

/// Of two API servers of which one writes nulls and the other does not, both say the same.
fn hash(seen: &Value) -> String {
    sha256_hex(saved::bare(&seen["spec"]["template"]).to_string().as_bytes())
}

/// The template, and the change cause where that is another.
fn edits(before: Value, after: Value, causes: Option<(Value, Value)>) -> Vec<Edit> {
    let edit = |field: &str, before, after| Edit { field: field.into(), beside: None, before, after };
    let cause = causes.map(|(before, after)| edit(CAUSE, before, after));
    std::iter::once(edit(TEMPLATE, before, after)).chain(cause).collect()
}

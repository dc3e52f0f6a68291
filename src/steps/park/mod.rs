//! `park`: a workload, or all of a namespace, taken out of the way, and put back by `undo` as it was.

mod all;
mod how;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use self::all::ParkingAll;
use self::how::How;
use super::automation;
use super::kube_object::{self, Seen, text};
use super::marking::PARKED;
use super::rbac::subject::Subject;
use super::results::{CLIENT, Gives, Takes};
use super::workload::pod_spec;
use super::{Announced, Fault, Kind, Look, Mark, ObjectRef, Scope, Step, StepError, Survey, Times, params, schema_of};
use crate::change::{Body, Change, Holds, Inverse, Keep, KubeCall, Method, Op, Target};
use crate::duration::HumanDuration;
use crate::found::{Found, Type};
use crate::kit::Cluster;
use crate::world::Accept;

const KEY: &str = "park";
/// Where it is left who parked an object, and what has to come back that nothing else tells.
const MARK: &str = "/metadata/annotations/breakglass.io~1parked";
const ANNOTATIONS: &str = "/metadata/annotations";
/// What becomes of the volume claims of a StatefulSet's pods that are scaled away. It may be changed in place.
const WHEN_SCALED: &str = "/spec/persistentVolumeClaimRetentionPolicy/whenScaled";
const DELETE: &str = "Delete";
const RETAIN: &str = "Retain";
const UID: &str = "<uid seen by the GET>";
const RUN: &str = "<this run>";
const MARKED: &str = "<this run, what it was before, and who>";

/// The kind.
pub(super) struct Park;

/// Takes a workload out of the way without deleting it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// The workload: `ds/NAMESPACE/NAME`, `deploy/NAMESPACE/NAME`, `sts/…`, `rs/…`, `cj/…` or `job/…`; or `ns/NAMESPACE` for
    /// all workloads of a namespace.
    object: String,
    /// Its namespace, when the name does not say it.
    #[serde(default)]
    namespace: Option<String>,
    /// Of a namespace: do not ask although the cluster itself needs some of it, by the system-critical priority of their pods.
    #[serde(default)]
    accept_critical: bool,
    /// How long looking at it, or at a page of a list, may take.
    #[serde(default = "kube_object::look_within")]
    look_within: HumanDuration,
    /// How long the PATCH may stay unanswered, all attempts together, before the outcome is looked at.
    #[serde(default = "kube_object::write_deadline")]
    deadline: HumanDuration,
}

struct Parking {
    object: ObjectRef,
    how: How,
    with: Params,
}

impl Kind for Park {
    fn name(&self) -> &'static str {
        "park"
    }

    fn doc(&self) -> &'static str {
        "Takes a workload out of the way without deleting it: a DaemonSet gets a node selector that no node fits, a \
         Deployment, StatefulSet or ReplicaSet 0 replicas, a CronJob or Job is suspended. Two requests: a GET, and a \
         JSON patch that tests the uid and the old value of the one field it changes, so that a busy controller's \
         status updates do not stand in its way. A StatefulSet whose policy deletes the volume claims of pods that are \
         scaled away (whenScaled: Delete) is told in the same patch to retain them, until `undo`. Jobs that a CronJob has \
         started go on; they are named. A Job's own pods are ended, and it starts anew with `undo`. A \
         HorizontalPodAutoscaler leaves what is at 0 replicas alone, unless its minReplicas is 0; KEDA does not, and neither \
         does the owner of a ReplicaSet: whoever is known to set it again by what is in the object is named. The run's id is left in the object, in \
         the annotation breakglass.io/parked, with who and how many replicas there were; a DaemonSet's node selector has it, too. `undo` puts the old value back, only if both still are as we left them. \
         Pods go when the controllers work: follow with `wait-for` and `podsGone`.\n\
         `ns/NAMESPACE` parks all workloads of a namespace as one set, what makes others first: seven LISTs of whole objects, 100 a page and \
         five pages of each kind at most, and one such patch for each of at most 200 workloads; `undo` puts each back as it was. \
         ReplicaSets of Deployments, Jobs that are over and what is at rest already are left alone; pods without a workload \
         are, too. What comes into the namespace afterwards is not parked. kube-system is refused; where pods are of a \
         system-critical priority, the name of the namespace has to be typed, and the lists are read once more. Gives `client`, the service account \
         that the pods run as, to later steps."
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn gives(&self) -> &'static [Gives] {
        &[CLIENT]
    }

    fn takes(&self) -> &'static [Takes] {
        &[Takes { at: &["object"], of: Type::Workload }]
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let with: Params = params(with)?;
        let object =
            ObjectRef::parse(&with.object, with.namespace.as_deref()).map_err(|why| vec![Fault::at("object", why)])?;
        if (object.group.as_str(), object.plural.as_str()) == ("", "namespaces") {
            return ParkingAll::of(object.name, with).map(|all| Box::new(all) as Box<dyn Step>);
        }
        if with.accept_critical {
            return Err(vec![Fault::at("acceptCritical", "it is for a whole namespace (ns/NAMESPACE)")]);
        }
        let Some(how) = How::of(&object) else {
            let why = format!(
                "{} cannot be parked; what can: daemonsets, deployments, statefulsets, replicasets, cronjobs, \
                 jobs, or namespaces for all of these in one (for others there is `delete`)",
                object.resource()
            );
            return Err(vec![Fault::at("object", why)]);
        };
        if let Some(fault) = kube_object::too_short(with.deadline) {
            return Err(vec![fault]);
        }
        Ok(Box::new(Parking { object, how, with }))
    }
}

impl Step for Parking {
    fn intent(&self) -> String {
        format!("park {}: {}", self.object, self.how.effect())
    }

    fn announce(&self, _: &Target, _: &Cluster) -> Vec<Announced> {
        let get = |times, why: &str| Announced::get(self.object.path(), times, why);
        let seen = json!(format!("<{} seen by the GET>", self.how.field()));
        let parked = match self.how {
            How::Nowhere => json!({"<node selector seen by the GET>": "<its value>", PARKED: RUN}),
            _ => self.how.value(&Value::Null, ""),
        };
        let patch = |annotations: &Value, claims_go, times, why: &str| {
            let ops = self.parking_ops(UID, &seen, &parked, (annotations, claims_go), MARKED);
            Announced::op(Op::Kube(self.patch(&ops, None)), times, why)
        };
        let mut all = vec![
            get(Times::Once, "sees its uid and the value that undo puts back"),
            patch(&json!({}), false, Times::Once, &format!("parks it {}", self.how.effect())),
        ];
        all.push(patch(&Value::Null, false, Times::AtMost(1), "instead, when it has no annotations yet"));
        if self.object.plural == "statefulsets" {
            let why = "instead, when its policy would delete the volume claims of its pods";
            all.push(patch(&json!({}), true, Times::AtMost(1), why));
            all.push(patch(&Value::Null, true, Times::AtMost(1), why));
        }
        all.push(get(Times::AtMost(3), "looks again when the PATCH was refused or its reply was lost"));
        all
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        async move {
            if look.history.done(KEY) {
                return Ok(Survey::done());
            }
            let object = match kube_object::get(look, &self.object, Accept::Json, self.with.look_within.0).await? {
                Seen::Absent => return Ok(Survey::done().saw(format!("{} is not there", self.object))),
                Seen::There(object) => object,
            };
            let now = object.pointer(self.how.field()).unwrap_or(&Value::Null);
            if let Some(parked) = self.how.parked(now) {
                let by = self.how.by(&object);
                let who = by.map_or_else(String::new, |run| format!(", by run {run}"));
                let mut survey = Survey::done().gives(self.client(&object));
                survey = survey.saw(format!("{} {parked}{who}", self.object));
                survey.see(self.jobs_go_on(&object));
                if by == Some(&look.mark.run) {
                    survey.arrived.extend(look.history.missed(KEY));
                }
                return Ok(survey);
            }
            let mut survey = Survey::change(self.change(&object, now, look)).gives(self.client(&object));
            survey.see(self.tells(&object));
            survey.see(self.jobs_go_on(&object));
            Ok(survey)
        }
        .boxed()
    }
}

impl Parking {
    /// What belongs into the report before it is parked.
    fn tells(&self, object: &Value) -> Vec<String> {
        let claims = self.claims_go(object).then(|| {
            format!(
                "the policy of {} deletes the volume claims of pods that are scaled away; it is set to retain them, until undo",
                self.object
            )
        });
        let autoscaler = (self.how == How::Zero).then(|| autoscaler(&self.object, object)).flatten();
        [automation::comes_back(&self.object, object), autoscaler, claims].into_iter().flatten().collect()
    }

    /// The service account that its pods run as, as a user.
    fn client(&self, object: &Value) -> Option<Found> {
        let spec = object.pointer(pod_spec(&self.object)?)?;
        Subject::of_pod(self.object.namespace.as_deref()?, spec).user_name().map(|name| CLIENT.found(name))
    }

    /// Whether scaling it down takes the volume claims of its pods, and what is in them, away for good.
    fn claims_go(&self, object: &Value) -> bool {
        self.object.plural == "statefulsets" && text(object, WHEN_SCALED) == DELETE
    }

    /// The Jobs that a CronJob has started: no more come, and these stay.
    fn jobs_go_on(&self, object: &Value) -> Option<String> {
        let active = object.pointer("/status/active")?.as_array()?;
        let names: Vec<String> = active.iter().map(|job| text(job, "/name").to_owned()).collect();
        let namespace = self.object.namespace.as_deref().unwrap_or_default();
        let next = names.iter().take(3).map(|name| format!("breakglass park job/{namespace}/{name}"));
        let next = next.collect::<Vec<_>>().join("; ");
        let go = if names.len() == 1 { "goes" } else { "go" };
        (!names.is_empty() && self.object.plural == "cronjobs").then(|| {
            format!(
                "{} starts no more Jobs, but {} that it has started {go} on ({}); next: {next}",
                self.object,
                crate::words::count(names.len(), "Job"),
                crate::words::fold(&names)
            )
        })
    }

    fn change(&self, object: &Value, now: &Value, look: Look<'_>) -> Change {
        let Mark { run, operator, .. } = look.mark;
        let uid = text(object, "/metadata/uid");
        let parked = self.how.value(now, run);
        let annotations = object.pointer(ANNOTATIONS).unwrap_or(&Value::Null);
        let claims_go = self.claims_go(object);
        let mark = self.how.mark(now, claims_go, run, operator);
        let ops = self.parking_ops(uid, now, &parked, (annotations, claims_go), &mark);
        let by_hand = format!(
            "kubectl patch {} {} {}--type=json -p '{ops}'",
            self.object.resource(),
            self.object.name,
            self.object.namespace.as_ref().map_or_else(String::new, |namespace| format!("-n {namespace} "))
        );
        Change {
            key: KEY.into(),
            note: None,
            op: Op::Kube(self.patch(&ops, None)),
            guard: format!("{} still has uid {uid}, and {} is still {now}", self.object, self.how.field()),
            inverse: self.unpark(now, &parked, claims_go, &mark),
            because: format!("{} is to run {}", self.object, self.how.effect()),
            by_hand,
            deadline_secs: self.with.deadline.0.as_secs().max(1),
            keep: Keep::Nothing,
        }
    }

    fn parking_ops(
        &self,
        uid: &str,
        now: &Value,
        parked: &Value,
        (annotations, claims_go): (&Value, bool),
        mark: &str,
    ) -> Value {
        let field = self.how.field();
        let mut ops = vec![
            json!({"op": "test", "path": "/metadata/uid", "value": uid}),
            json!({"op": "test", "path": field, "value": now}),
        ];
        if claims_go {
            ops.extend(retention(DELETE, RETAIN));
        }
        ops.push(json!({"op": "add", "path": field, "value": parked}));
        if annotations.is_object() {
            ops.push(json!({"op": "add", "path": MARK, "value": mark}));
        } else {
            ops.push(json!({"op": "test", "path": ANNOTATIONS, "value": null}));
            ops.push(json!({"op": "add", "path": ANNOTATIONS, "value": {PARKED: mark}}));
        }
        Value::Array(ops)
    }

    /// Puts the old value back, if the field still has ours. No uid: what was deleted and put back meanwhile is parked still.
    fn unpark(&self, before: &Value, parked: &Value, claims_go: bool, mark: &str) -> Inverse {
        let field = self.how.field();
        let test = json!({"op": "test", "path": field, "value": parked});
        let ours = json!({"op": "test", "path": MARK, "value": mark});
        let put = if before.is_null() {
            json!({"op": "remove", "path": field})
        } else {
            json!({"op": "replace", "path": field, "value": before})
        };
        let mut fields = vec![(field.into(), before.clone())];
        let mut ops = vec![test, ours, put, json!({"op": "remove", "path": MARK})];
        if claims_go {
            fields.push((WHEN_SCALED.into(), json!(DELETE)));
            // Tested before anything is put back.
            ops.splice(1..1, retention(RETAIN, DELETE));
        }
        let holds = Holds { path: self.object.path(), fields, as_sent: false };
        Inverse::By(Box::new(Op::Kube(self.patch(&Value::Array(ops), Some(holds)))))
    }

    fn patch(&self, ops: &Value, holds: Option<Holds>) -> KubeCall {
        KubeCall {
            method: Method::Patch,
            path: self.object.path(),
            content_type: "application/json-patch+json".into(),
            body: Body::Json(ops.clone()),
            // Its own tests fail once it was applied.
            idempotent: true,
            already: Vec::new(),
            holds,
        }
    }
}

/// What sets the replicas of a workload by its load, as far as it has done so: then the number is its own.
fn autoscaler(at: &ObjectRef, object: &Value) -> Option<String> {
    let entries = object.pointer("/metadata/managedFields")?.as_array()?;
    let scales = |entry: &&Value| {
        text(entry, "/subresource") == "scale" && entry.pointer("/fieldsV1/f:spec/f:replicas").is_some()
    };
    let manager = text(entries.iter().find(scales)?, "/manager");
    (manager == "kube-controller-manager" || manager.contains("keda")).then(|| {
        let namespace = at.namespace.as_deref().unwrap_or_default();
        format!(
            "an autoscaler sets the replicas of {at} ({manager}): a HorizontalPodAutoscaler leaves what is at 0 alone, unless its own \
             minReplicas is 0 (kubectl get hpa -n {namespace}); KEDA scales it up again, until its ScaledObject has the annotation \
             autoscaling.keda.sh/paused=true"
        )
    })
}

/// Ops that change what becomes of the claims of pods that are scaled away.
fn retention(from: &str, to: &str) -> [Value; 2] {
    [
        json!({"op": "test", "path": WHEN_SCALED, "value": from}),
        json!({"op": "replace", "path": WHEN_SCALED, "value": to}),
    ]
}

//! `park`: a workload taken out of the way, and put back by `undo` as it was.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::kube_object::{self, Seen, text};
use super::{Announced, Kind, Look, ObjectRef, Scope, Sends, Step, StepError, Survey, Times, params, schema_of};
use crate::change::{Body, Change, Holds, Inverse, Keep, KubeCall, Method, Op, Target};
use crate::duration::HumanDuration;
use crate::kit::Cluster;
use crate::world::Accept;

const KEY: &str = "park";
/// The node label that no node has.
const PARKED: &str = "breakglass.io/parked";
const UID: &str = "<uid seen by the GET>";

/// The kind.
pub(super) struct Park;

/// Takes a workload out of the way without deleting it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// The workload: `ds/NAMESPACE/NAME`, `deploy/NAMESPACE/NAME`, `sts/…`, `rs/…`, `cj/…` or `job/…`.
    object: String,
    /// Its namespace, when the name does not say it.
    #[serde(default)]
    namespace: Option<String>,
    /// How long looking at it may take.
    #[serde(default = "look_within")]
    look_within: HumanDuration,
    /// How long the PATCH may stay unanswered, all attempts together, before the outcome is looked at.
    #[serde(default = "deadline")]
    deadline: HumanDuration,
}

fn look_within() -> HumanDuration {
    HumanDuration::secs(30)
}

/// Longer than the longest pause of a crash loop: what is sent is guarded, so it may knock until the server is back.
fn deadline() -> HumanDuration {
    HumanDuration::secs(330)
}

struct Parking {
    object: ObjectRef,
    how: How,
    with: Params,
}

/// How a resource is parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// A node selector that no node fits.
    Nowhere,
    /// No replicas.
    Zero,
    /// Suspended.
    Suspend,
}

impl How {
    fn of(object: &ObjectRef) -> Option<Self> {
        match (object.group.as_str(), object.plural.as_str()) {
            ("apps", "daemonsets") => Some(Self::Nowhere),
            ("apps", "deployments" | "statefulsets" | "replicasets") | ("", "replicationcontrollers") => {
                Some(Self::Zero)
            }
            ("batch", "cronjobs" | "jobs") => Some(Self::Suspend),
            _ => None,
        }
    }

    /// The one field that is changed.
    fn field(self) -> &'static str {
        match self {
            Self::Nowhere => "/spec/template/spec/nodeSelector",
            Self::Zero => "/spec/replicas",
            Self::Suspend => "/spec/suspend",
        }
    }

    /// Whether the field says that it is parked already, and by whom.
    fn parked(self, now: &Value) -> Option<String> {
        match self {
            Self::Nowhere => now.get(PARKED).map(|run| format!("is parked already, by run {}", run.as_str().unwrap_or("?"))),
            Self::Zero => (*now == json!(0)).then(|| "is at 0 replicas already".into()),
            Self::Suspend => (*now == json!(true)).then(|| "is suspended already".into()),
        }
    }

    /// The field's value once parked.
    fn value(self, now: &Value, run: &str) -> Value {
        match self {
            Self::Nowhere => {
                let mut selector: Map<String, Value> = now.as_object().cloned().unwrap_or_default();
                selector.insert(PARKED.into(), json!(run));
                Value::Object(selector)
            }
            Self::Zero => json!(0),
            Self::Suspend => json!(true),
        }
    }

    fn effect(self) -> &'static str {
        match self {
            Self::Nowhere => "to no node at all, so that its controller removes its pods",
            Self::Zero => "at 0 replicas",
            Self::Suspend => "suspended",
        }
    }
}

impl Kind for Park {
    fn name(&self) -> &'static str {
        "park"
    }

    fn doc(&self) -> &'static str {
        "Takes a workload out of the way without deleting it: a DaemonSet gets a node selector that no node fits, a \
         Deployment, StatefulSet or ReplicaSet 0 replicas, a CronJob or Job is suspended. Two requests: a GET, and a \
         JSON patch that tests the uid and the old value of the one field it changes, so that a busy controller's \
         status updates do not stand in its way. `undo` puts the old value back, only if the field still has ours. \
         Pods go when the controllers work: follow with `wait-for` and `podsGone`."
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<String>> {
        let with: Params = params(with)?;
        let object = ObjectRef::parse(&with.object, with.namespace.as_deref()).map_err(|f| vec![format!("object: {f}")])?;
        let Some(how) = How::of(&object) else {
            return Err(vec![format!(
                "object: {} cannot be parked; what can: daemonsets, deployments, statefulsets, replicasets, cronjobs, \
                 jobs (for others there is `delete`)",
                object.resource()
            )]);
        };
        if with.deadline.0 < Duration::from_secs(1) {
            return Err(vec!["deadline: it must be at least 1s; a drowning server needs 30s and more".into()]);
        }
        Ok(Box::new(Parking { object, how, with }))
    }
}

impl Step for Parking {
    fn intent(&self) -> String {
        format!("park {}: {}", self.object, self.how.effect())
    }

    fn announce(&self, _: &Target, _: &Cluster) -> Vec<Announced> {
        let get = |times, why: &str| Announced {
            what: Sends::Get(self.object.path()),
            writes: false,
            times,
            why: why.into(),
        };
        let seen = json!(format!("<{} seen by the GET>", self.how.field()));
        let parked = match self.how {
            How::Nowhere => json!({"<node selector seen by the GET>": "<its value>", PARKED: "<this run>"}),
            _ => self.how.value(&Value::Null, ""),
        };
        vec![
            get(Times::Once, "sees its uid and the value that undo puts back"),
            Announced {
                what: Sends::Op(Box::new(Op::Kube(self.patch(&self.parking_ops(UID, &seen, &parked), None)))),
                writes: true,
                times: Times::Once,
                why: format!("parks it {}", self.how.effect()),
            },
            get(Times::AtMost(3), "looks again when the PATCH was refused or its reply was lost"),
        ]
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
                return Ok(Survey::done().saw(format!("{} {parked}", self.object)));
            }
            let mut survey = Survey::change(self.change(text(&object, "/metadata/uid"), now, &look.mark.run));
            survey.saw.extend(kube_object::comes_back(&self.object, &object));
            Ok(survey)
        }
        .boxed()
    }
}

impl Parking {
    fn change(&self, uid: &str, now: &Value, run: &str) -> Change {
        let parked = self.how.value(now, run);
        let ops = self.parking_ops(uid, now, &parked);
        let by_hand = format!(
            "kubectl patch {} {} {}--type=json -p '{ops}'",
            self.object.resource(),
            self.object.name,
            self.object.namespace.as_ref().map_or_else(String::new, |namespace| format!("-n {namespace} "))
        );
        Change {
            key: KEY.into(),
            op: Op::Kube(self.patch(&ops, None)),
            guard: format!("{} still has uid {uid}, and {} is still {now}", self.object, self.how.field()),
            inverse: self.unpark(now, &parked),
            because: format!("{} is to run {}", self.object, self.how.effect()),
            by_hand,
            deadline_secs: self.with.deadline.0.as_secs().max(1),
            keep: Keep::Nothing,
        }
    }

    fn parking_ops(&self, uid: &str, now: &Value, parked: &Value) -> Value {
        let field = self.how.field();
        json!([
            {"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "test", "path": field, "value": now},
            {"op": "add", "path": field, "value": parked},
        ])
    }

    /// Puts the old value back, if the field still has ours. No uid: what was deleted and put back meanwhile is parked still.
    fn unpark(&self, before: &Value, parked: &Value) -> Inverse {
        let field = self.how.field();
        let test = json!({"op": "test", "path": field, "value": parked});
        let put = if before.is_null() {
            json!({"op": "remove", "path": field})
        } else {
            json!({"op": "replace", "path": field, "value": before})
        };
        let holds = Holds { path: self.object.path(), fields: vec![(field.into(), before.clone())] };
        Inverse::By(Box::new(Op::Kube(self.patch(&json!([test, put]), Some(holds)))))
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

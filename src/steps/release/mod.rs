//! `release`: a parked workload comes back in stages, each judged by what the API servers answer, and goes again by itself when
//! that is bad.
//!
//! A DaemonSet comes by its nodes: the selector that parks it is made to ask for this release's label, which a share of the
//! nodes gets. A new pod template for each stage would start the pods of all stages before anew; a label starts only what it adds.
//! One patch of the DaemonSet takes all of it back, however many nodes there are. What has replicas comes by their number.

mod judging;
mod mark;
mod nodes;
mod on_nodes;
mod replicas;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::judging::{Act, Pace, Pods, Stage, Watch};
use self::nodes::Nodes;
use super::health::{Health, Limits, READYZ, SMALL, judge, memory_percent, p99, samples};
use super::kube_object::{self, Seen};
use super::marking::PARKED;
use super::results::Takes;
use super::{
    Announced, Fault, History, Kind, Look, ObjectRef, Scope, Sends, Step, StepError, Survey, Times, params, schema_of,
    servers,
};
use crate::change::{Change, Inverse, Keep, KubeCall, Note, Op, Target};
use crate::duration::HumanDuration;
use crate::finding;
use crate::found::Type;
use crate::host::gate;
use crate::kit::Cluster;
use crate::world::Accept;

/// The key of the change that takes all of it back.
const BACK: &str = "back";
/// Stands in the plan for what only a look can tell.
const UID: &str = "<uid seen by the look>";
const AS_SEEN: &str = "<as seen>";

/// The kind.
pub(super) struct Release;

/// How a workload is let come back, and by what that is judged.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// The workload: `ds/NAMESPACE/NAME`, `deploy/NAMESPACE/NAME`, `sts/…`, `rs/…` or `rc/…`.
    object: String,
    /// Its namespace, when the name does not say it.
    #[serde(default)]
    namespace: Option<String>,
    /// The stages, in percent of the nodes that it fits (of `replicas`), each larger than the one before; after the last one
    /// it is let come everywhere.
    #[serde(default = "stages")]
    stages: Vec<u8>,
    /// How many replicas it had, where it has replicas: `replicas=` in its annotation `breakglass.io/parked`.
    #[serde(default)]
    replicas: Option<u32>,
    /// How long its pods must be ready, and everything in good order, before the next stage.
    #[serde(default = "window")]
    window: HumanDuration,
    /// How long the pods of a stage may take to be ready before all of it is taken back.
    #[serde(default = "pods_within")]
    pods_within: HumanDuration,
    /// The slowest small GET that still counts as good.
    #[serde(default = "p99")]
    p99: HumanDuration,
    /// Small GETs to each API server at each look.
    #[serde(default = "samples")]
    samples: u8,
    /// The most requests a second that priority and fairness may reject on one API server; none: not looked at.
    #[serde(default)]
    rejects_per_second: Option<u32>,
    /// The most memory, in percent, that an API server may hold of its control group's limit or of its host's memory, and
    /// all processes of the host together of the latter; 100: not looked at.
    #[serde(default = "memory_percent")]
    #[schemars(range(min = 1, max = 100))]
    memory_percent: u8,
    /// API servers (`NAME`, or `CLUSTER/NAME`) that are neither asked nor judged: dead for good, and somebody knows it.
    #[serde(default)]
    without: Vec<String>,
    /// How long a look at the object or the nodes may take.
    #[serde(default = "kube_object::look_within")]
    look_within: HumanDuration,
    /// How long a PATCH may stay unanswered, all attempts together, before the outcome is looked at.
    #[serde(default = "kube_object::write_deadline")]
    deadline: HumanDuration,
}

fn stages() -> Vec<u8> {
    vec![1, 5, 25, 50]
}

fn window() -> HumanDuration {
    HumanDuration::secs(30)
}

fn pods_within() -> HumanDuration {
    HumanDuration::secs(300)
}

/// By what a workload comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Node by node.
    Nodes,
    /// By the number of its replicas.
    Replicas,
}

impl Way {
    fn of(object: &ObjectRef) -> Option<Self> {
        match (object.group.as_str(), object.plural.as_str()) {
            ("apps", "daemonsets") => Some(Self::Nodes),
            ("apps", "deployments" | "statefulsets" | "replicasets") | ("", "replicationcontrollers") => {
                Some(Self::Replicas)
            }
            _ => None,
        }
    }
}

/// A release as it was asked for, and what is remembered of it from look to look: how long a stage has gone well, and which
/// nodes there are. A resumed run measures anew.
struct Releasing {
    object: ObjectRef,
    way: Way,
    limits: Limits,
    pace: Pace,
    with: Params,
    watch: Watch,
    nodes: Mutex<Option<Nodes>>,
}

/// Why all of it was taken back, as the journal keeps it: a run that is gone on with decides nothing anew.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct TakenBack {
    why: String,
}

impl Kind for Release {
    fn name(&self) -> &'static str {
        "release"
    }

    fn doc(&self) -> &'static str {
        "Lets a parked workload come back in stages, and takes all of it back by itself when one goes badly.\n\n\
         A DaemonSet that is parked asks for a node label that no node has (`breakglass.io/parked`). It is made to ask for \
         this release's value of it, and each stage gives that label to more of the nodes that the rest of its selector fits: in an \
         order that their names' hashes make, control-plane nodes last. After the last stage the selector goes, so that it \
         comes everywhere, and then the labels. A Deployment, StatefulSet or ReplicaSet at no replicas gets a share of \
         `replicas`. A stage is well when nine of ten of its pods are ready, every API server is ready and answers small \
         GETs in time, and its host has memory to spare (what `gate-open` judges by), all for a whole window. Two bad looks in a row, one that is not \
         answered at all, pods that are not ready in time, or somebody else who scales it: one PATCH parks it as it was \
         before, the labels go, and the step fails with what was seen. Costs one GET of the workload at each look (a \
         quarter of the window, at most 5 s), one GET /readyz and `samples` small GETs to each API server, a script to \
         each host; for a DaemonSet one LIST of the nodes' metadata in pages of 500, two PATCHes of each node of the last \
         stage, and three of itself. When the selector goes the template of its pods changes: those of the stages are \
         replaced in the way of its own updateStrategy. Nobody judges while the run does not live: a stage that was let \
         come stays. `undo` parks it again as it was."
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
        let object =
            ObjectRef::parse(&with.object, with.namespace.as_deref()).map_err(|why| vec![Fault::at("object", why)])?;
        let Some(way) = Way::of(&object) else {
            let why = format!(
                "{} does not come in stages; what does: daemonsets, deployments, statefulsets, replicasets \
                 (a CronJob or Job that `park` has suspended goes on with `undo`)",
                object.resource()
            );
            return Err(vec![Fault::at("object", why)]);
        };
        let (limits, mut faults) = Limits::read(with.p99, with.samples, with.rejects_per_second, with.memory_percent);
        faults.extend(with.faults(way));
        if !faults.is_empty() {
            return Err(faults);
        }
        let pace = Pace { window: with.window.0, pods_within: with.pods_within.0 };
        Ok(Box::new(Releasing { object, way, limits, pace, with, watch: Watch::default(), nodes: Mutex::new(None) }))
    }
}

impl Params {
    fn faults(&self, way: Way) -> Vec<Fault> {
        let mut faults: Vec<Fault> = kube_object::too_short(self.deadline).into_iter().collect();
        let rising = self.stages.windows(2).all(|two| two[0] < two[1]);
        if self.stages.is_empty() || !rising || self.stages.iter().any(|share| !(1..=100).contains(share)) {
            faults
                .push(Fault::at("stages", "percentages from 1 to 100, at least one, each larger than the one before"));
        }
        match (way, self.replicas) {
            (Way::Nodes, Some(_)) => faults.push(Fault::at("replicas", "a DaemonSet has none: it comes by its nodes")),
            (Way::Replicas, None) => faults.push(Fault::at(
                "replicas",
                "how many it had before it was parked: its annotation breakglass.io/parked says it, and the run that did it \
                 (`breakglass show last`)",
            )),
            (Way::Replicas, Some(0)) => faults.push(Fault::at("replicas", "at least 1")),
            (Way::Nodes, None) | (Way::Replicas, Some(_)) => {}
        }
        for (name, time) in [("window", self.window), ("podsWithin", self.pods_within)] {
            if time.0 < Duration::from_secs(1) {
                faults.push(Fault::at(name, "it must be 1s or longer"));
            }
        }
        faults
    }
}

impl Step for Releasing {
    fn intent(&self) -> String {
        let shares: Vec<String> = self.with.stages.iter().map(|share| format!("{share} %")).collect();
        let of = match self.way {
            Way::Nodes => "the nodes",
            Way::Replicas => "its replicas",
        };
        format!(
            "release {} on {} of {of}, then on all, each after {} in good order",
            self.object,
            shares.join(", "),
            self.with.window
        )
    }

    fn announce(&self, _: &Target, cluster: &Cluster) -> Vec<Announced> {
        let looks = Times::Every { interval: self.interval(), until: (self.pace.window + self.pace.pods_within) * 8 };
        let look = |what, why: &str| Announced::new(what, looks, why);
        let mut sent =
            vec![look(Sends::Get(self.object.path()), "whether it is parked, at which stage, and how its pods are")];
        for server in servers::asked(cluster, &self.with.without).0 {
            sent.push(look(Sends::Get(READYZ.into()), &format!("{} is ready", server.name)));
            let samples = format!(
                "{} of them, as many again after a bad answer: {} answers in time",
                self.limits.samples, server.name
            );
            sent.push(look(Sends::Get(SMALL.into()), &samples));
        }
        for (what, why) in servers::announced(cluster, &self.with.without) {
            sent.push(look(what, &why));
        }
        if self.limits.memory_counts() {
            sent.push(look(Sends::Look(gate::memory().into()), "on each API host: memory in use"));
        }
        sent.extend(match self.way {
            Way::Nodes => self.announce_nodes(),
            Way::Replicas => self.announce_replicas(),
        });
        sent
    }

    fn refuse(&self, _: &Target, cluster: &Cluster) -> Vec<String> {
        let mut faults = servers::refuse(cluster, &self.with.without);
        if cluster.api_servers.is_empty() {
            faults.push("stages are judged by the API servers' answers, and the kit names none".into());
        }
        faults
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        async move {
            let object = match kube_object::get(look, &self.object, Accept::Json, self.with.look_within.0).await? {
                Seen::There(object) => object,
                Seen::Absent => {
                    return Err(StepError::Refused {
                        why: format!("{} is not there: nothing can be released", self.object),
                        hint: Some("breakglass runs names the run that deleted it; breakglass undo RUN".into()),
                    });
                }
            };
            match self.way {
                Way::Nodes => self.on_nodes(look, &object).await,
                Way::Replicas => self.by_replicas(look, &object).await,
            }
        }
        .boxed()
    }

    fn interval(&self) -> Duration {
        (self.pace.window / 4).clamp(Duration::from_millis(500), Duration::from_secs(5))
    }
}

impl Releasing {
    /// How the API servers are.
    async fn health(&self, look: Look<'_>) -> Result<Health, StepError> {
        let Some(cluster) = look.reads.cluster(&look.target.cluster) else {
            return Err(StepError::refused(format!("{}: the kit does not know this cluster", look.target)));
        };
        let health = judge(look, cluster, (&self.with.without, &BTreeSet::new()), &self.limits).await;
        if health.denied {
            return Err(StepError::Refused {
                why: format!("stages cannot be judged: {}", finding::joined(&health.bad)),
                hint: Some("use a credential that may read namespaces: --kubeconfig or the kit's `credential`".into()),
            });
        }
        Ok(health)
    }

    /// Waits until the API servers are in good order before anything comes; `None`: they are.
    async fn not_yet(&self, look: Look<'_>) -> Result<Option<Survey>, StepError> {
        let health = self.health(look).await?;
        if health.bad.is_empty() {
            return Ok(None);
        }
        let mut survey = Survey::waiting("the API servers to be in good order before anything comes");
        survey.see(health.bad);
        survey.see(health.without);
        Ok(Some(survey))
    }

    /// What comes next at a stage that stands.
    async fn at_stage(&self, look: Look<'_>, stage: &Stage, pods: Pods) -> Result<(Act, Survey), StepError> {
        let health = self.health(look).await?;
        let bad = (!health.bad.is_empty()).then(|| finding::joined(&health.bad));
        let act = self.watch.judge(stage, pods, (bad.as_deref(), health.lost), &self.pace);
        let mut survey = match &act {
            Act::Wait(what) => Survey::waiting(what.clone()),
            Act::Next | Act::Back(_) => Survey::done(),
        };
        survey.see(health.without);
        if act == Act::Next {
            let slowest = health
                .slowest
                .map_or_else(String::new, |took| format!(", small GETs took {} ms at most", took.as_millis()));
            survey = survey.saw(format!("{stage} went well: {pods}{slowest}"));
        }
        Ok((act, survey))
    }

    /// After all of it was taken back: once the API servers are well, the rest goes (its changes are in `survey`, with what a look
    /// found of others), and then the step fails with the reason.
    async fn after_back(&self, look: Look<'_>, why: &str, mut survey: Survey) -> Result<Survey, StepError> {
        survey.arrived.extend(arrived(look.history, BACK));
        if !(survey.arrived.is_empty() && survey.not_made.is_empty()) {
            return Ok(Survey {
                changes: Vec::new(),
                waiting_for: Some("the journal to say what was made".into()),
                ..survey
            });
        }
        let health = self.health(look).await?;
        if !health.bad.is_empty() {
            let mut survey = Survey::waiting(format!(
                "the API servers to be in good order again, now that it is parked ({why}); if they do not get there: \
                 breakglass run api-overload -p offender={}",
                self.object
            ));
            survey.see(health.bad);
            return Ok(survey);
        }
        if !survey.changes.is_empty() {
            return Ok(survey);
        }
        Err(StepError::Refused {
            why: format!("{why}: all of it is taken back, and {} is parked as it was before", self.object),
            hint: Some(format!(
                "breakglass top; then, with what was wrong mended, in smaller stages: breakglass release {} --stages 1,2,3,5",
                self.object
            )),
        })
    }

    /// Why all of it is to be taken back, where that was decided before.
    fn decided(history: &History) -> Option<String> {
        history.last(BACK)?.change.note.as_ref()?.read::<TakenBack>().map(|back| back.why)
    }

    /// The change that takes all of it back.
    fn back(&self, call: KubeCall, guard: String, why: String) -> Change {
        let because = format!("{why}: all of it is taken back");
        let inverse = Inverse::NotNeeded("it is parked as it was before the release".into());
        let change = self.change(&self.object, (BACK.into(), call, inverse), guard, because);
        Change { note: Some(Note::of(&TakenBack { why })), ..change }
    }

    fn change(
        &self,
        at: &ObjectRef,
        (key, call, inverse): (String, KubeCall, Inverse),
        guard: String,
        because: String,
    ) -> Change {
        Change {
            by_hand: by_hand(at, &call),
            key,
            note: None,
            op: Op::Kube(call),
            guard,
            inverse,
            because,
            deadline_secs: self.with.deadline.0.as_secs().max(1),
            keep: Keep::Nothing,
        }
    }

    /// It cannot be released: nobody has parked it.
    fn not_parked(&self, look: Look<'_>, how: &str) -> Result<Survey, StepError> {
        let on_it = |change: &Change| matches!(&change.op, Op::Kube(call) if call.path == self.object.path());
        if look.history.pretended.iter().any(on_it) {
            return Ok(Survey::done()
                .saw(format!("would release {} in stages: in this drill it was not really parked", self.object)));
        }
        Err(StepError::Refused {
            why: format!("{} is not parked ({how}): nothing is left to be released", self.object),
            hint: Some(format!(
                "breakglass park {}; a new one is made with the node selector {PARKED}: new (a Deployment with replicas: 0)",
                self.object
            )),
        })
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, Option<Nodes>> {
        // A panic elsewhere leaves no list half written.
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a person would type for a patch.
fn by_hand(at: &ObjectRef, call: &KubeCall) -> String {
    let ops = String::from_utf8_lossy(&call.body.bytes().unwrap_or_default()).into_owned();
    let namespace = at.namespace.as_ref().map(|namespace| format!("-n {namespace} ")).unwrap_or_default();
    format!("kubectl patch {} {} {namespace}--type=json -p {}", at.resource(), at.name, crate::shell::word(&ops))
}

/// The change with this key that a look finds made, where the journal does not know it yet: its reply was lost, or it arrived
/// after a look that had not found it.
fn arrived(history: &History, key: &str) -> Option<u32> {
    let open = history.last(key).filter(|record| record.state.is_open()).map(|record| record.id);
    open.or_else(|| history.missed(key))
}

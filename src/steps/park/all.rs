//! All workloads of a namespace, parked as one set.

use std::collections::BTreeSet;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{How, KEY, Params, Parking};
use crate::change::{Body, Change, KubeCall, Method, Note, Op, Target};
use crate::journal::ChangeState;
use crate::kit::Cluster;
use crate::steps::kube_object::{self, items, next_page, text};
use crate::steps::workload::{self, pod_spec};
use crate::steps::{Announced, Fault, Look, ObjectRef, Question, Sends, Step, StepError, Survey, Times, pods};
use crate::words;
use crate::world::Accept;

/// Workloads of one page of a list.
const PAGE: u32 = 100;
/// Pages of one kind that one look reads at most.
const PAGES: u32 = 5;
/// How many workloads one step parks.
const MOST: usize = 200;
/// How often all of it is looked at: first, after a question, and where somebody else was at work meanwhile or a reply was lost.
const LOOKS: u32 = 6;
/// How many of what may be many are told one by one.
const TOLD: usize = 8;
/// What a Deployment's own ReplicaSets are left out by: each Deployment has eleven of them.
const BARE: &str = "!pod-template-hash";

/// What makes pods, in the order in which it is parked: what makes others first.
const SORTS: [(&str, &str, &str); 7] = [
    ("batch", "cronjobs", ""),
    ("apps", "deployments", ""),
    ("apps", "replicasets", BARE),
    ("", "replicationcontrollers", ""),
    ("apps", "statefulsets", ""),
    ("batch", "jobs", ""),
    ("apps", "daemonsets", ""),
];

pub(super) struct ParkingAll {
    namespace: String,
    with: Params,
}

/// What is kept with each change.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// How many workloads the set has, as far as was known then.
    set: usize,
}

/// What one look found.
#[derive(Default)]
struct Found {
    /// To be parked, and how each is seen.
    parked: Vec<(Parking, Value)>,
    /// The keys of what this run has parked.
    ours: BTreeSet<String>,
    /// At rest already.
    at_rest: Vec<String>,
    /// Owned by somebody else, scaled by an autoscaler, and the like.
    told: Vec<String>,
    /// Why the cluster itself may not do without one, and which.
    critical: Option<String>,
}

impl ParkingAll {
    pub(super) fn of(namespace: String, with: Params) -> Result<Self, Vec<Fault>> {
        if namespace == "kube-system" {
            let why = "kube-system is not parked as a whole: the cluster itself runs on what is in it; park by its name what does harm";
            return Err(vec![Fault::at("object", why)]);
        }
        match kube_object::too_short(with.deadline) {
            Some(fault) => Err(vec![fault]),
            None => Ok(Self { namespace, with }),
        }
    }

    fn at(&self, (group, plural, _): (&str, &str, &str), name: &str) -> ObjectRef {
        ObjectRef {
            group: group.into(),
            version: "v1".into(),
            plural: plural.into(),
            namespace: Some(self.namespace.clone()),
            name: name.into(),
        }
    }

    fn list(&self, sort: (&str, &str, &str)) -> String {
        pods::path(&self.at(sort, "").collection(), sort.2, PAGE)
    }
}

impl Step for ParkingAll {
    fn intent(&self) -> String {
        format!("park all workloads of namespace {}: at 0 replicas, suspended, or to no node", self.namespace)
    }

    fn announce(&self, _: &Target, _: &Cluster) -> Vec<Announced> {
        let mut all = Vec::new();
        for sort in SORTS {
            let why = "what there is of this kind, and the values that undo puts back (whole objects)";
            all.push(Announced::get(self.list(sort), Times::AtMost(LOOKS), why));
            let next = format!("{}&continue={}", self.list(sort), pods::TOKEN);
            all.push(Announced::get(next, Times::AtMost(LOOKS * (PAGES - 1)), "the next page, where there are more"));
        }
        if !self.with.accept_critical {
            let what = Sends::Ask(self.question("some of its pods are system-critical").text);
            all.push(Announced::new(what, Times::AtMost(1), "only where the cluster itself needs some of it"));
        }
        let patch = KubeCall {
            method: Method::Patch,
            path: format!("/<its group and version>/namespaces/{}/<its kind>/<its name>", self.namespace),
            content_type: "application/json-patch+json".into(),
            body: Body::Json(json!(
                "<tests its uid and what was seen in one field, sets that and leaves this run as a mark>"
            )),
            idempotent: true,
            already: Vec::new(),
            holds: None,
        };
        let most = u32::try_from(MOST).unwrap_or(u32::MAX);
        all.push(Announced::op(Op::Kube(patch), Times::AtMost(most), "parks each, as `park` does one"));
        all
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        self.look(look).boxed()
    }
}

impl ParkingAll {
    async fn look(&self, look: Look<'_>) -> Result<Survey, StepError> {
        let done: BTreeSet<&str> = look
            .history
            .changes
            .iter()
            .filter(|record| record.state == ChangeState::Done)
            .map(|record| record.change.key.as_str())
            .collect();
        let set = look.history.notes::<Kept>().next_back().map(|(_, kept)| kept.set);
        if set.is_some_and(|set| done.len() >= set) {
            return Ok(Survey::done());
        }
        let found = self.find(look).await?;
        if found.parked.len() > MOST {
            return Err(StepError::Refused {
                why: format!(
                    "namespace {} has {} workloads to park, more than {MOST}",
                    self.namespace,
                    found.parked.len()
                ),
                hint: Some(format!("park what does harm by its name: breakglass park deploy/{}/NAME", self.namespace)),
            });
        }
        let mut survey = Survey::default();
        if set.is_none() {
            survey.see(self.tells(&found));
        }
        if let Some(why) = found.critical.as_ref().filter(|_| !self.with.accept_critical) {
            let question = self.question(why);
            match look.history.answer(&question.id) {
                Some(true) => {}
                Some(false) => return Err(StepError::Declined(format!("park namespace {}", self.namespace))),
                None => return Ok(Survey { ask: Some(question), ..survey }),
            }
        }
        // What was parked and set going again by somebody else is parked again: it belongs to the set once.
        let again = found.parked.iter().filter(|(one, _)| done.contains(one.key().as_str())).count();
        let set = done.len() + found.parked.len() - again;
        for (one, seen) in &found.parked {
            let now = seen.pointer(one.how.field()).unwrap_or(&Value::Null);
            let change = one.change(seen, now, look);
            survey.changes.push(Change { key: one.key(), note: Some(Note::of(&Kept { set })), ..change });
        }
        for record in &look.history.changes {
            let key = record.change.key.as_str();
            if found.ours.contains(key) {
                survey.arrived.extend(look.history.missed(key).filter(|missed| *missed == record.id));
            } else if record.state.is_open() && !survey.changes.iter().any(|change| change.key == key) {
                survey.not_made.push(record.id);
            }
        }
        Ok(survey)
    }

    async fn find(&self, look: Look<'_>) -> Result<Found, StepError> {
        let mut found = Found::default();
        for sort in SORTS {
            for seen in self.listed(look, sort).await? {
                let object = self.at(sort, text(&seen, "/metadata/name"));
                let Some(how) = How::of(&object) else { continue };
                let now = seen.pointer(how.field()).unwrap_or(&Value::Null);
                let one = Parking { object, how, with: self.with.clone() };
                if how.parked(now).is_some() {
                    match how.by(&seen) {
                        Some(run) if run == look.mark.run => drop(found.ours.insert(one.key())),
                        Some(run) => found.at_rest.push(format!("{} (by run {run})", one.object)),
                        None => found.at_rest.push(one.object.to_string()),
                    }
                } else if !pods::going(&seen) && !is_over(&seen) {
                    found.told.extend(one.tells(&seen));
                    let spec = pod_spec(&one.object).and_then(|at| seen.pointer(at)).unwrap_or(&Value::Null);
                    let critical = workload::critical(&one.object, spec).map(|why| format!("{}: {why}", one.object));
                    found.critical = found.critical.take().or(critical);
                    found.parked.push((one, seen));
                }
            }
        }
        Ok(found)
    }

    /// All of one kind that no other of these kinds makes.
    async fn listed(&self, look: Look<'_>, sort: (&str, &str, &str)) -> Result<Vec<Value>, StepError> {
        let base = self.list(sort);
        let (mut all, mut token): (Vec<Value>, Option<String>) = (Vec::new(), None);
        for _ in 0..PAGES {
            let path =
                token.map_or_else(|| base.clone(), |token| format!("{base}&continue={}", kube_object::encode(&token)));
            let list = kube_object::list(look, &path, Accept::Json, self.with.look_within.0).await?;
            all.extend(items(&list).iter().cloned());
            token = next_page(&list).map(str::to_owned);
            if token.is_none() {
                return Ok(all);
            }
        }
        Err(StepError::Refused {
            why: format!(
                "namespace {} has more than {} {}: they are not looked through",
                self.namespace,
                PAGE * PAGES,
                sort.1
            ),
            hint: Some(format!("park what does harm by its name: breakglass park deploy/{}/NAME", self.namespace)),
        })
    }

    /// What belongs into the report before anything is parked.
    fn tells(&self, found: &Found) -> Vec<String> {
        let all = |what: &[String]| {
            let more = what.len().saturating_sub(TOLD);
            let and = if more > 0 { format!(", and {more} more") } else { String::new() };
            what.iter().take(TOLD).map(String::as_str).collect::<Vec<_>>().join(", ") + &and
        };
        let names: Vec<String> = found.parked.iter().map(|(one, _)| one.object.to_string()).collect();
        let mut said = vec![if names.is_empty() {
            format!(
                "namespace {} has nothing to park: no workload that wants pods (one that is not there has none, too)",
                self.namespace
            )
        } else {
            format!(
                "{} of namespace {} to park: {}",
                words::count(names.len(), "workload"),
                self.namespace,
                all(&names)
            )
        }];
        if !found.at_rest.is_empty() {
            said.push(format!("at rest already: {}", all(&found.at_rest)));
        }
        let more = found.told.len().saturating_sub(TOLD);
        said.extend(found.told.iter().take(TOLD).cloned());
        if more > 0 {
            said.push(format!("{more} more may be set going again by others"));
        }
        said
    }

    fn question(&self, why: &str) -> Question {
        Question {
            id: "critical".into(),
            text: format!("the cluster itself needs some of namespace {} ({why}). Park all of it?", self.namespace),
            typed: Some(self.namespace.clone()),
            unattended: false,
            otherwise: None,
        }
    }
}

impl Parking {
    /// Which change of the set is about it.
    fn key(&self) -> String {
        format!("{KEY} {}", self.object)
    }
}

/// Whether it is a Job that has ended, however.
fn is_over(seen: &Value) -> bool {
    let conditions = seen.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let mut over =
        conditions.filter(|one| matches!(text(one, "/type"), "Complete" | "Failed") && one["status"] == "True");
    over.next().is_some()
}

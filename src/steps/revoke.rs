//! `revoke`: what RBAC allows an offender, taken away, and put back by `undo`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::automation;
use super::kube_object::{self, Seen};
use super::rbac::binding::{self, Binding, CLUSTER, NAMESPACED, short};
use super::rbac::subject::Subject;
use super::rbac::{seek, taking};
use super::results::{CLIENT, Gives, Takes};
use super::workload::pod_spec;
use super::{
    Announced, Fault, History, Kind, Look, ObjectRef, Question, Scope, Sends, Step, StepError, Survey, Times, params,
    schema_of,
};
use crate::change::{Inverse, KubeCall, Method, Op, Target};
use crate::duration::HumanDuration;
use crate::finding::Finding;
use crate::found::Type;
use crate::journal::{ChangeRecord, ChangeState};
use crate::kit::Cluster;
use crate::words;
use crate::world::Accept;

/// The question about a subject that the cluster may live by.
const VITAL: &str = "vital";

/// The kind.
pub(super) struct Revoke;

/// Takes away what RBAC allows a subject.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// Whose rights: `system:serviceaccount:NAMESPACE:NAME`, `serviceaccount/NAMESPACE/NAME`, `user/NAME`, `group/NAME`,
    /// or a user name.
    #[serde(default)]
    subject: Option<String>,
    /// Instead of `subject`: a workload (`ds/NAMESPACE/NAME`, as for `park`, or a pod), for the service account that its
    /// pods run as. One request more.
    #[serde(default)]
    workload: Option<String>,
    /// The namespace of the workload or the service account, when the name does not say it.
    #[serde(default)]
    namespace: Option<String>,
    /// The bindings, when they are known: `clusterrolebinding/NAME` or `rolebinding/NAMESPACE/NAME`. Only these are
    /// looked at then, one request each, and nothing is listed.
    #[serde(default)]
    #[schemars(length(min = 1))]
    bindings: Option<Vec<String>>,
    /// When more bindings than this name the subject, nothing is changed.
    #[serde(default = "at_most")]
    at_most: u32,
    /// How long each request that looks may take.
    #[serde(default = "kube_object::look_within")]
    look_within: HumanDuration,
    /// How long each write may stay unanswered, all attempts together, before the outcome is looked at.
    #[serde(default = "kube_object::write_deadline")]
    deadline: HumanDuration,
}

fn at_most() -> u32 {
    10
}

/// Whose rights, as the runbook says it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Whose {
    Named(Subject),
    /// Of what this runs as.
    Runs(ObjectRef),
}

struct Revoking {
    whose: Whose,
    bindings: Option<Vec<ObjectRef>>,
    with: Params,
    /// What the first look found on each target: a later one asks for these alone. Lost with the process, and found again.
    found: Mutex<BTreeMap<Target, Found>>,
}

/// Whose rights, and once that is known which bindings gave them.
#[derive(Debug, Clone)]
struct Found {
    subject: Subject,
    bindings: Option<Vec<ObjectRef>>,
}

impl Whose {
    fn read(with: &Params) -> Result<Self, Fault> {
        let namespace = with.namespace.as_deref();
        match (&with.subject, &with.workload) {
            (Some(subject), None) => {
                let subject = Subject::parse(subject, namespace).map_err(|why| Fault::at("subject", why))?;
                match subject.out_of_reach() {
                    Some(why) => Err(Fault::at("subject", why)),
                    None => Ok(Self::Named(subject)),
                }
            }
            (None, Some(workload)) => {
                let object = ObjectRef::parse(workload, namespace).map_err(|why| Fault::at("workload", why))?;
                match pod_spec(&object) {
                    Some(_) if object.namespace.is_some() => Ok(Self::Runs(object)),
                    _ => {
                        let why = format!("{} run as no service account; name it as `subject`", object.resource());
                        Err(Fault::at("workload", why))
                    }
                }
            }
            (Some(_), Some(_)) => Err(Fault::at("subject", "it and `workload` exclude each other")),
            (None, None) => Err(Fault::at("subject", "say whose rights, or name a `workload` that runs as it")),
        }
    }
}

impl Kind for Revoke {
    fn name(&self) -> &'static str {
        "revoke"
    }

    fn doc(&self) -> &'static str {
        "Takes away what RBAC allows a user, a group or a service account, in every binding that names it: from then on \
         its requests are answered with 403, which costs an API server a fraction of a millisecond, also where nothing \
         can reach and stop what sends them. Watches that are open go on until they end.\n\n\
         With `bindings`: a GET and a write for each. Without: one LIST of the cluster role bindings and one of the role \
         bindings (whole objects, 500 a page, at most 10 pages of each), and a write for each that names it. A binding \
         that names others too is never deleted: a JSON patch takes the subject out of it, which tests its uid and the \
         subjects as seen, and leaves the run's id in the annotation breakglass.io/revoked. One of the subject alone is \
         saved beside the journal and deleted, with its uid and version as precondition. `undo` puts each back with the \
         same subjects in the same order, or names the ones that somebody has changed since and leaves those.\n\n\
         Bindings are all that it can see. It tells which rights are left through the groups of a service account; what \
         a webhook, a policy file or the certificate's own groups allow, it cannot know. `system:masters` and nodes are \
         refused: their rights come from no binding. A subject that the cluster may live by has to be typed again. More \
         than `atMost` bindings are not touched: name those that matter. When the workload is gone, its service account \
         cannot be read: that is said, and the step ends; `subject` is the way then. Gives `client`, the user \
         whose rights they are, to later steps; not of a group."
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn gives(&self) -> &'static [Gives] {
        &[CLIENT]
    }

    fn takes(&self) -> &'static [Takes] {
        &[Takes { at: &["subject"], of: Type::User }, Takes { at: &["workload"], of: Type::Workload }]
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let with: Params = params(with)?;
        let mut faults = Vec::new();
        let mut bindings: Vec<ObjectRef> = Vec::new();
        for typed in with.bindings.iter().flatten() {
            match binding::parse(typed) {
                Ok(at) if bindings.contains(&at) => {
                    faults.push(Fault::at("bindings", format!("{typed:?} is named twice")));
                }
                Ok(at) => bindings.push(at),
                Err(why) => faults.push(Fault::at("bindings", why)),
            }
        }
        faults.extend(kube_object::too_short(with.deadline));
        match Whose::read(&with) {
            Ok(whose) if faults.is_empty() => {
                let bindings = with.bindings.is_some().then_some(bindings);
                Ok(Box::new(Revoking { whose, bindings, with, found: Mutex::default() }))
            }
            whose => Err(whose.err().into_iter().chain(faults).collect()),
        }
    }
}

impl Step for Revoking {
    fn intent(&self) -> String {
        let whose = match &self.whose {
            Whose::Named(subject) => subject.to_string(),
            Whose::Runs(object) => format!("the service account of {object}"),
        };
        format!(
            "take away what {} allow {whose}: its requests are refused at once, its open watches go on",
            self.which()
        )
    }

    fn announce(&self, _: &Target, _: &Cluster) -> Vec<Announced> {
        let mut all = Vec::new();
        if let Whose::Runs(object) = &self.whose {
            all.push(Announced::get(object.path(), Times::Once, "says which service account its pods run as"));
        }
        if let Some(why) = self.vital() {
            let what = Sends::Ask(format!("whether it is meant: {why}"));
            all.push(Announced::new(what, Times::AtMost(1), "it is typed out"));
        }
        let (bindings, at_most) = match &self.bindings {
            Some(bindings) => {
                let why = "sees its version, and whom it names";
                all.extend(bindings.iter().map(|at| Announced::get(at.path(), Times::Once, why)));
                (bindings.clone(), 1)
            }
            None => {
                for plural in [CLUSTER, NAMESPACED] {
                    all.push(Announced::get(seek::first_page(plural), Times::Once, "finds the bindings that name it"));
                    let next = format!("{}&continue=<where the page before ended>", seek::first_page(plural));
                    all.push(Announced::get(
                        next,
                        Times::AtMost(seek::PAGES - 1),
                        "the next page, when there are more",
                    ));
                }
                let plural = "<clusterrolebindings, or namespaces/NAMESPACE/rolebindings>";
                (vec![binding::at(plural, None, "<each that names it>")], self.with.at_most)
            }
        };
        for at in &bindings {
            let op = |op, why: &str| Announced::op(op, Times::AtMost(at_most), why);
            let (patch, delete) = taking::announced(at);
            all.push(op(patch, "takes the subject out, when it names others too"));
            all.push(op(delete, "deletes it instead, when it names nobody else"));
            let why = "looks again when a write was refused or its reply was lost";
            all.push(Announced::get(at.path(), Times::AtMost(3), why));
        }
        all
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        self.look(look).boxed()
    }
}

impl Revoking {
    fn which(&self) -> String {
        match &self.bindings {
            Some(bindings) => bindings.iter().map(short).collect::<Vec<_>>().join(", "),
            None => "all bindings that name it".into(),
        }
    }

    fn found(&self) -> MutexGuard<'_, BTreeMap<Target, Found>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why it is asked about, as far as that can be known without a look.
    fn vital(&self) -> Option<&'static str> {
        match &self.whose {
            Whose::Named(subject) => subject.vital(),
            Whose::Runs(object) => {
                let subject = Subject::of_pod(object.namespace.as_deref()?, &Value::Null);
                subject.vital().or_else(|| subject.shared())
            }
        }
    }

    async fn look(&self, look: Look<'_>) -> Result<Survey, StepError> {
        let before = self.found().get(look.target).cloned();
        let names = before.as_ref().and_then(|found| found.bindings.clone()).or_else(|| self.bindings.clone());
        let to_do = |all: Vec<ObjectRef>| all.into_iter().filter(|at| !look.history.done(&taking::key(at))).collect();
        let names: Option<Vec<ObjectRef>> = names.map(to_do);
        if names.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Survey::done());
        }
        let mut saw = Vec::new();
        let subject = match before.map(|found| found.subject) {
            Some(subject) => subject,
            None => match self.subject(look, &mut saw).await? {
                Some(subject) => subject,
                None => return Ok(Survey { saw, ..Survey::done() }),
            },
        };
        self.found().entry(look.target.clone()).or_insert_with(|| Found { subject: subject.clone(), bindings: None });
        let found_out = matches!(self.whose, Whose::Runs(_));
        if let Some(why) = subject.vital().or_else(|| subject.shared().filter(|_| found_out)) {
            match look.history.answer(VITAL) {
                Some(true) => {}
                // Nobody named this account: who does not want that wants the rest all the same.
                Some(false) if found_out => {
                    saw.push(
                        format!("{subject} keeps its rights: that it loses them was not agreed to ({why})").into(),
                    );
                    return Ok(Survey { saw, ..Survey::done() });
                }
                Some(false) => return Err(StepError::Declined(format!("take {subject}'s rights away"))),
                None => {
                    let question = self.question(&subject, why);
                    return Ok(Survey { ask: Some(question), saw, ..Survey::default() });
                }
            }
        }
        let client = subject.user_name().map(|name| CLIENT.found(name));
        let seen = match &names {
            Some(names) => seek::each(look, names, self.with.look_within.0, &mut saw).await?,
            None => seek::all(look, &subject, self.with.look_within.0, &mut saw).await?,
        };
        Ok(self.judge(look, &subject, &seen, saw)?.gives(client))
    }

    /// Whose rights; `None` when the workload that would tell is gone.
    async fn subject(&self, look: Look<'_>, saw: &mut Vec<Finding>) -> Result<Option<Subject>, StepError> {
        let object = match &self.whose {
            Whose::Named(subject) => return Ok(Some(subject.clone())),
            Whose::Runs(object) => object,
        };
        let (Some(namespace), Some(pod_spec)) = (object.namespace.as_deref(), pod_spec(object)) else {
            return Err(StepError::refused(format!("{object} runs as no service account")));
        };
        match kube_object::get(look, object, Accept::Json, self.with.look_within.0).await? {
            Seen::There(seen) => {
                let subject = Subject::of_pod(namespace, seen.pointer(pod_spec).unwrap_or(&Value::Null));
                let shared = matches!(&subject, Subject::Account { name, .. } if name == "default");
                let too = if shared { ", as all pods of the namespace do that do not say another" } else { "" };
                saw.push(format!("{object} runs as {subject}{too}").into());
                Ok(Some(subject))
            }
            // What is not seen again is taken for made: that would be a guess here.
            Seen::Absent if look.history.changes.iter().any(|record| stands(record.state)) => Err(StepError::Refused {
                why: format!("{object} is gone, and with it whose rights were being taken away"),
                hint: Some("name the service account as `subject`".into()),
            }),
            Seen::Absent => {
                let unknown = format!(
                    "{object} is not there, so that nobody can tell which service account it ran as: no rights were taken \
                     away; name the service account as `subject`"
                );
                saw.push(unknown.into());
                Ok(None)
            }
        }
    }

    /// What has to be done about what was seen.
    fn judge(
        &self,
        look: Look<'_>,
        subject: &Subject,
        seen: &[Binding],
        saw: Vec<Finding>,
    ) -> Result<Survey, StepError> {
        let mut survey = Survey { saw, ..Survey::default() };
        let (run, by, deadline) =
            (look.mark.run.as_str(), look.mark.operator.as_str(), self.with.deadline.0.as_secs().max(1));
        survey.arrived.extend(gone(look.history, seen));
        let mut bindings = Vec::new();
        for binding in seen {
            let Some(change) = taking::change(binding, subject, (run, by), deadline) else {
                if taking::is_marked(binding, run, subject) {
                    survey.arrived.extend(look.history.missed(&taking::key(&binding.at)));
                } else if self.bindings.is_some() {
                    survey.saw.push(format!("{} does not name {subject}", short(&binding.at)).into());
                }
                continue;
            };
            survey.see(automation::comes_back(&binding.at, &binding.object));
            survey.see(binding.comes_back());
            if matches!(&change.inverse, Inverse::By(op) if op.blob().is_some()) {
                survey.see(kube_object::without_owner(&binding.at, &binding.object));
            }
            bindings.push(binding.at.clone());
            survey.changes.push(change);
        }
        if self.bindings.is_none() && bindings.len() > self.with.at_most as usize {
            let named: Vec<String> = bindings.iter().take(seek::TOLD).map(short).collect();
            return Err(StepError::Refused {
                why: format!(
                    "{subject} is named by {} ({}, …), more than `atMost` allows",
                    words::count(bindings.len(), "binding"),
                    named.join(", ")
                ),
                hint: Some("raise `atMost`, or name those that matter as `bindings`".into()),
            });
        }
        let mut found = self.found();
        let Some(found) = found.get_mut(look.target).filter(|found| found.bindings.is_none()) else {
            return Ok(survey);
        };
        if bindings.is_empty() && look.history.changes.is_empty() {
            let which = if self.bindings.is_some() { "no binding that was looked at" } else { "no binding" };
            survey.saw.push(format!("{which} names {subject}: what it may do comes another way").into());
        }
        survey.saw.push(self.unseen(subject).into());
        found.bindings = Some(bindings);
        Ok(survey)
    }

    fn question(&self, subject: &Subject, why: &str) -> Question {
        let otherwise = match self.whose {
            Whose::Named(_) => None,
            Whose::Runs(_) => Some("to leave them to it and go on".to_owned()),
        };
        Question { otherwise, ..question(subject, why) }
    }

    /// What nobody looked for.
    fn unseen(&self, subject: &Subject) -> String {
        let only =
            if self.bindings.is_some() { "only the bindings that were named are" } else { "bindings are all that is" };
        let groups =
            if matches!(subject, Subject::User(_)) { ", or the groups that its credential puts it in," } else { "" };
        format!(
            "{only} looked at: what a webhook or a policy file of the API server{groups} may allow {subject}, stays"
        )
    }
}

/// DELETEs of ours that a look had found not made, and whose binding is gone by now: they arrived in between.
fn gone(history: &History, seen: &[Binding]) -> Vec<u32> {
    let there: BTreeSet<String> = seen.iter().map(|binding| taking::key(&binding.at)).collect();
    let deletes = |record: &&ChangeRecord| {
        matches!(&record.change.op, Op::Kube(KubeCall { method: Method::Delete, .. }))
            && !there.contains(&record.change.key)
    };
    let keys: BTreeSet<&str> =
        history.changes.iter().filter(deletes).map(|record| record.change.key.as_str()).collect();
    keys.into_iter().filter_map(|key| history.missed(key)).collect()
}

/// Whether a change was made, or may have been.
fn stands(state: ChangeState) -> bool {
    state.is_open() || state == ChangeState::Done
}

fn question(subject: &Subject, why: &str) -> Question {
    Question {
        id: VITAL.into(),
        text: format!("{subject} is to lose its rights, and {why}. Type {subject} if that is meant"),
        typed: Some(subject.to_string()),
        unattended: false,
        otherwise: None,
    }
}

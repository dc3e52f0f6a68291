//! One page of pods ended, and what is said about it: before, and of those that stay.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Ending, Known};
use crate::change::{Body, Change, Inverse, Keep, KubeCall, Method, Note, Op};
use crate::finding::{Finding, Pods};
use crate::journal::ChangeState;
use crate::steps::kube_object::text;
use crate::steps::pods::{self, Page};
use crate::steps::{History, Question, Survey, workload};
use crate::words;

/// Every page's DELETE has a key of its own: this, and how many pages were left to be sent.
pub(super) const KEY: &str = "end-pods";
/// The question whether force is meant.
pub(super) const FORCE: &str = "force";
/// How long pods that only their finalizers hold are waited for.
const HELD: Duration = Duration::from_secs(30);
/// What by force means for a node that hears nothing.
pub(super) const BY_FORCE: &str = "the API forgets them at once, their containers run on until their kubelets hear of \
                                   it, and tokens that are bound to them are refused from then on";

/// The list whose page a DELETE ends, as it notes it.
#[derive(Serialize, Deserialize)]
pub(super) struct Listed {
    /// Its revision.
    pub(super) revision: u64,
}

/// The key of a page's DELETE, with so many pages left to be sent.
pub(super) fn key(left: usize) -> String {
    format!("{KEY}-{left}")
}

impl Ending {
    /// What has to be said before pods are ended.
    pub(super) fn warnings(&self, known: &Known, count: usize, force: bool) -> Vec<Finding> {
        let how = match (force, self.with.force, self.with.grace) {
            (true, ..) => format!("by force: {BY_FORCE}"),
            (false, true, _) => "with their own grace, not by force: that was not agreed to".into(),
            (false, false, Some(seconds)) => format!("within {seconds} s each"),
            (false, false, None) => "with their own grace".into(),
        };
        let mut all = vec![self.pods(count, Some(&known.selector), Pods::Ended, format!("are ended {how}"))];
        match &known.workload {
            Some(_) if workload::owner(&self.object) == Some("CronJob") => all.push(format!(
                "the Jobs of {} may make new pods in place of those that end, up to their backoffLimit: park or delete them",
                self.object
            ).into()),
            Some(workload) if !workload.at_rest => all.push(format!(
                "{} is not parked: its controller makes new pods in place of those that end; park it first",
                self.object
            ).into()),
            _ => {}
        }
        if let Some(workload) = known.workload.as_ref().filter(|_| force) {
            all.push(format!("its pods run as the service account {}", workload.service_account).into());
        }
        all
    }

    /// So many of its pods.
    fn pods(&self, pods: usize, selector: Option<&str>, are: Pods, says: String) -> Finding {
        let with = selector.map(|selector| format!(" with {selector}")).unwrap_or_default();
        Finding::Pods { pods, whose: format!("of {}{with}", self.object), are, says }
    }

    /// Nothing is left to send: what may still be said of those that are there.
    pub(super) fn over<'a>(
        &self,
        history: &History,
        known: &Known,
        there: impl Iterator<Item = &'a Value>,
        force: bool,
    ) -> Survey {
        let (ended, new): (Vec<&Value>, Vec<&Value>) = there.partition(|pod| ended(pod, force));
        let mut survey = Survey::done();
        if !new.is_empty() {
            let rests = known.workload.as_ref().is_none_or(|workload| workload.at_rest);
            let what = if rests { "end its pods again" } else { "park it first, then end its pods again" };
            let says = format!("came since and were not ended: {what}");
            survey.saw.push(self.pods(new.len(), None, Pods::New, says));
        }
        if !force {
            if !ended.is_empty() {
                let (whose, says) =
                    (format!("with {}", known.selector), "are ending; their kubelets have not said so yet");
                survey.saw.push(Finding::Pods { pods: ended.len(), whose, are: Pods::Ending, says: says.into() });
            }
            return survey;
        }
        let Some(first) = ended.first() else { return survey };
        let finalizers: Vec<&str> =
            first["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let held = format!(
            "are held in the API by finalizers ({} by {})",
            text(first, "/metadata/name"),
            finalizers.join(", ")
        );
        let last =
            history.changes.iter().filter(|record| record.state == ChangeState::Done).map(|record| record.moved_at);
        if last.max().is_some_and(|at| history.ago(at) < HELD) {
            let pods = words::count(ended.len(), "pod");
            survey.waiting_for = Some(format!("the end of pods: {pods} of {} {held}", self.object));
        } else {
            let says = format!("{held}; all that is left to do is to take these away");
            survey.saw.push(self.pods(ended.len(), None, Pods::Held, says));
        }
        survey
    }

    pub(super) fn question(&self, why: &str) -> Question {
        Question {
            id: FORCE.into(),
            text: format!("{}: {why}. By force {BY_FORCE}. End its pods by force all the same?", self.object),
            typed: Some(self.object.name.clone()),
            unattended: false,
            otherwise: Some("to let them end within their own grace".into()),
        }
    }

    pub(super) fn call(&self, path: String, force: bool) -> KubeCall {
        let mut options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"});
        if let Some(seconds) = if force { Some(0) } else { self.with.grace } {
            options["gracePeriodSeconds"] = json!(seconds);
        }
        KubeCall {
            method: Method::Delete,
            path,
            content_type: "application/json".into(),
            body: Body::Json(options),
            // A second one does no harm, but it is dear: never two of them at a time.
            idempotent: false,
            already: Vec::new(),
            holds: None,
        }
    }

    pub(super) fn change(&self, known: &Known, page: &Page, left: usize, which: &str, force: bool) -> Change {
        let grace = match (force, self.with.grace) {
            (true, _) => " --grace-period=0 --force".to_owned(),
            (false, Some(seconds)) => format!(" --grace-period={seconds}"),
            (false, None) => String::new(),
        };
        Change {
            // The same page has the same key at every look, and what is done has none.
            key: key(left),
            note: page.revision.map(|revision| Note::of(&Listed { revision })),
            op: Op::Kube(self.call(page.again.clone(), force)),
            guard: format!(
                "only pods that the list saw: it is sent at the list's revision, where all pods with {} belonged to {}; \
                 a later pod of the same name (a StatefulSet's) is not told from the one before",
                known.selector, self.object
            ),
            inverse: Inverse::NotNeeded(format!(
                "pods come back with their workload: what parked or deleted {} puts it back by its own undo",
                self.object
            )),
            because: format!("the pods of {} are to end ({which})", self.object),
            by_hand: format!("kubectl delete pods -n {} -l '{}' --wait=false{grace}", self.namespace, known.selector),
            deadline_secs: self.with.deadline.0.as_secs().max(1),
            keep: Keep::Nothing,
        }
    }
}

/// Nothing more can be done about it: it is ending, and by force nothing but a finalizer holds it.
pub(super) fn ended(pod: &Value, force: bool) -> bool {
    pods::going(pod) && (!force || pod.pointer("/metadata/deletionGracePeriodSeconds") == Some(&json!(0)))
}

//! Whose a pod is, by the reference to its controller.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::kube_object::text;
use super::workload::owner;
use super::{Look, ObjectRef, StepError, pods};

/// Those whose pods are a workload's pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owners {
    /// Controllers with these uids: the workload itself, or what it made.
    Uids(BTreeSet<String>),
    /// A workload that is gone: only its name is left, in what it made.
    Named(ObjectRef),
}

impl Owners {
    /// Of a workload that is there. A Deployment's pods belong to its ReplicaSets, a CronJob's to its Jobs: one list more.
    ///
    /// # Errors
    /// When these could not be listed.
    pub(super) async fn of(
        look: Look<'_>,
        object: &ObjectRef,
        uid: &str,
        selector: &str,
        within: Duration,
    ) -> Result<Self, StepError> {
        let Some(collection) = between(object) else { return Ok(Self::Uids([uid.to_owned()].into())) };
        // What a CronJob says of its pods' labels need not be true of its Jobs.
        let selector = if owner(object) == Some("CronJob") { "" } else { selector };
        let pages = pods::pages(look, &collection, selector, pods::PAGE, within, pods::TOO_MANY).await?;
        let made = pages
            .iter()
            .flat_map(|page| &page.items)
            .filter(|one| controller(one).is_some_and(|reference| text(reference, "/uid") == uid));
        Ok(Self::Uids(made.map(|one| text(one, "/metadata/uid").to_owned()).collect()))
    }

    /// Is it one of theirs?
    pub(super) fn have(&self, pod: &Value) -> bool {
        let Some(reference) = controller(pod) else { return false };
        let (kind, name) = (text(reference, "/kind"), text(reference, "/name"));
        match self {
            Self::Uids(uids) => uids.contains(text(reference, "/uid")),
            Self::Named(object) => {
                let group = text(reference, "/apiVersion").rsplit_once('/').map_or("", |(group, _)| group);
                let child = name.strip_prefix(&object.name).and_then(|rest| rest.strip_prefix('-')).unwrap_or_default();
                group == object.group
                    && match owner(object) {
                        Some("Deployment") => {
                            kind == "ReplicaSet"
                                && !child.is_empty()
                                && child == text(pod, "/metadata/labels/pod-template-hash")
                        }
                        Some("CronJob") => {
                            kind == "Job" && !child.is_empty() && child.bytes().all(|byte| byte.is_ascii_digit())
                        }
                        own => own == Some(kind) && name == object.name,
                    }
            }
        }
    }

    /// Pods that are not theirs, as one sentence's end; `None`: all are.
    pub(super) fn strangers<'a>(&self, pods: impl Iterator<Item = &'a Value>) -> Option<String> {
        let mut strangers = pods.filter(|pod| !self.have(pod));
        let first = strangers.next()?;
        let whose = controller(first).map_or_else(
            || "which no controller owns".to_owned(),
            |reference| format!("which belongs to {} {}", text(reference, "/kind"), text(reference, "/name")),
        );
        let more = match strangers.count() {
            0 => String::new(),
            more => format!(" (and {more} more that are not its own)"),
        };
        Some(format!("pod {}, {whose}{more}", text(first, "/metadata/name")))
    }
}

/// Where that stands which a workload makes to make its pods.
pub(super) fn between(object: &ObjectRef) -> Option<String> {
    let plural = match owner(object)? {
        "Deployment" => "replicasets",
        "CronJob" => "jobs",
        _ => return None,
    };
    Some(ObjectRef { plural: plural.into(), ..object.clone() }.collection())
}

/// The labels that all of some pods have in common.
pub(super) fn common_labels<'a>(pods: impl Iterator<Item = &'a Value>) -> BTreeMap<String, Value> {
    let labels = |pod: &Value| -> BTreeMap<String, Value> {
        let labels = pod.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
        labels.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let both = |mut common: BTreeMap<String, Value>, other: BTreeMap<String, Value>| {
        common.retain(|key, value| other.get(key) == Some(value));
        common
    };
    pods.map(labels).reduce(both).unwrap_or_default()
}

/// The reference to the one controller of an object.
pub(super) fn controller(object: &Value) -> Option<&Value> {
    object.pointer("/metadata/ownerReferences")?.as_array()?.iter().find(|reference| reference["controller"] == true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(api: &str, kind: &str, name: &str) -> Value {
        json!({"metadata": {"name": "p", "labels": {"pod-template-hash": "7d4f"}, "ownerReferences": [
            {"apiVersion": "v1", "kind": "Node", "name": "agent", "uid": "n"},
            {"apiVersion": api, "kind": kind, "name": name, "uid": "u", "controller": true}]}})
    }

    #[test]
    fn what_a_workload_that_is_gone_has_left_is_known_by_kind_group_and_name() {
        let named = |object: &str| Owners::Named(ObjectRef::parse(object, Some("telemetry")).unwrap());
        for (object, api, kind, name, own) in [
            ("ds/agent", "apps/v1", "DaemonSet", "agent", true),
            ("ds/agent", "apps/v1", "StatefulSet", "agent", false),
            ("ds/agent", "apps/v1", "DaemonSet", "agent-2", false),
            // Others make things that are called the same.
            ("ds/agent", "apps.kruise.io/v1alpha1", "DaemonSet", "agent", false),
            ("deploy/agent", "apps/v1", "ReplicaSet", "agent-7d4f", true),
            ("deploy/agent", "apps/v1", "ReplicaSet", "agent-web-7d4f", false),
            ("deploy/agent", "apps/v1", "ReplicaSet", "agent-1234", false),
            ("cj/agent", "batch/v1", "Job", "agent-29384", true),
            ("cj/agent", "batch/v1", "Job", "agent-web-29384", false),
            ("rc/agent", "v1", "ReplicationController", "agent", true),
        ] {
            assert_eq!(named(object).have(&pod(api, kind, name)), own, "{object}: {api} {kind} {name}");
        }
        assert!(!named("ds/agent").have(&json!({"metadata": {"name": "bare"}})));
    }

    #[test]
    fn strangers_are_named_with_their_owner() {
        let ours = Owners::Uids(["u".to_owned()].into());
        let bare = json!({"metadata": {"name": "bare"}});
        let own = pod("apps/v1", "DaemonSet", "agent");
        assert_eq!(ours.strangers([&own].into_iter()), None);
        let said = ours.strangers([&own, &bare, &bare].into_iter()).unwrap();
        assert_eq!(said, "pod bare, which no controller owns (and 1 more that are not its own)");
        let other = Owners::Uids(BTreeSet::new()).strangers([&own].into_iter()).unwrap();
        assert_eq!(other, "pod p, which belongs to DaemonSet agent");
    }

    #[test]
    fn labels_that_some_lack_are_not_common() {
        let pod = |labels: Value| json!({"metadata": {"labels": labels}});
        let (a, b) = (pod(json!({"app": "x", "hash": "1"})), pod(json!({"app": "x", "hash": "2", "more": "y"})));
        assert_eq!(common_labels([&a, &b].into_iter()), [("app".to_owned(), json!("x"))].into());
        assert_eq!(common_labels([&a, &pod(json!(null))].into_iter()), BTreeMap::new());
    }
}

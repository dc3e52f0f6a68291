//! How each kind of workload is parked: by one field, and who left it so.

use serde_json::{Map, Value, json};

use super::DELETE;
use crate::steps::ObjectRef;
use crate::steps::marking::{PARKED, marked_by, signed};

/// How a resource is parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// A node selector that no node fits.
    Nowhere,
    /// No replicas.
    Zero,
    /// Suspended.
    Suspend,
}

impl How {
    pub(super) fn of(object: &ObjectRef) -> Option<Self> {
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
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Nowhere => "/spec/template/spec/nodeSelector",
            Self::Zero => "/spec/replicas",
            Self::Suspend => "/spec/suspend",
        }
    }

    /// Whether the field says that it is parked already, and how.
    pub(super) fn parked(self, now: &Value) -> Option<&'static str> {
        match self {
            Self::Nowhere => now.get(PARKED).map(|_| "is parked already"),
            Self::Zero => (*now == json!(0)).then_some("is at 0 replicas already"),
            Self::Suspend => (*now == json!(true)).then_some("is suspended already"),
        }
    }

    /// The run that parked a parked object, if it was one of ours.
    pub(super) fn by(self, object: &Value) -> Option<&str> {
        match self {
            Self::Nowhere => object.pointer(self.field())?.get(PARKED)?.as_str(),
            Self::Zero | Self::Suspend => marked_by(object, PARKED).split(' ').next().filter(|run| !run.is_empty()),
        }
    }

    /// What is left in the object: the run, what has to come back that nothing else tells, and who. A list of metadata has it.
    pub(super) fn mark(self, now: &Value, claims_go: bool, run: &str, operator: &str) -> String {
        let mut mark = run.to_owned();
        if let (Self::Zero, Some(replicas)) = (self, now.as_u64()) {
            mark.push_str(&format!(" replicas={replicas}"));
        }
        if claims_go {
            mark.push_str(&format!(" whenScaled={DELETE}"));
        }
        signed(&mark, operator)
    }

    /// The field's value once parked.
    pub(super) fn value(self, now: &Value, run: &str) -> Value {
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

    pub(super) fn effect(self) -> &'static str {
        match self {
            Self::Nowhere => "to no node at all, so that its controller removes its pods",
            Self::Zero => "at 0 replicas",
            Self::Suspend => "suspended",
        }
    }
}

//! How each kind of workload is parked: by one field, and who left it so.

use serde_json::{Map, Value, json};

use super::{ANNOTATIONS, MARK};
use crate::steps::ObjectRef;
use crate::steps::workload::PARKED;

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
            Self::Zero | Self::Suspend => object.pointer(MARK)?.as_str(),
        }
    }

    /// Ops that leave the run's id in an object with these annotations. A node selector has it in its own value.
    pub(super) fn mark(self, annotations: &Value, run: &str) -> Vec<Value> {
        match self {
            Self::Nowhere => Vec::new(),
            _ if annotations.is_object() => vec![json!({"op": "add", "path": MARK, "value": run})],
            _ => vec![
                json!({"op": "test", "path": ANNOTATIONS, "value": null}),
                json!({"op": "add", "path": ANNOTATIONS, "value": {PARKED: run}}),
            ],
        }
    }

    /// Ops that take the mark away: the first for before, the second for after the field is put back.
    pub(super) fn unmark(self, run: &str) -> Option<(Value, Value)> {
        let ops = (json!({"op": "test", "path": MARK, "value": run}), json!({"op": "remove", "path": MARK}));
        (self != Self::Nowhere).then_some(ops)
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

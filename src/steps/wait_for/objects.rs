//! Objects and pods that are gone.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Asked, Condition, Found};
use crate::finding::Finding;
use crate::kit::{ApiServer, Cluster};
use crate::steps::kube_object::{self, Seen, text};
use crate::steps::pods::{self, Left};
use crate::steps::{Fault, Look, ObjectRef, Sends, StepError};
use crate::world::{Accept, ReadErrorKind};

/// The longest one look may take.
const LIMIT: Duration = Duration::from_secs(30);
/// How often a look is repeated at most, for the plan.
const EVERY: Duration = Duration::from_secs(5);
/// More pods than this are not counted.
const AT_MOST: u32 = 50;

/// An object is gone.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Absent {
    /// The object: `ds/NAMESPACE/NAME` and the other forms that `delete` takes.
    object: String,
    /// Its namespace, when the name does not say it.
    #[serde(default)]
    namespace: Option<String>,
}

/// Pods are gone.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct PodsGone {
    /// Their namespace.
    namespace: String,
    /// Their labels, as kubectl takes them: `app=agent,tier!=web`.
    selector: String,
    /// So many may be left, at most 49.
    #[serde(default)]
    at_most: u32,
}

impl Absent {
    fn object(&self) -> Result<ObjectRef, String> {
        ObjectRef::parse(&self.object, self.namespace.as_deref())
    }
}

impl Condition for Absent {
    fn intent(&self) -> String {
        format!("{} is gone", self.object)
    }

    fn sends(&self, _: &[&ApiServer], _: &Cluster) -> Vec<(Sends, Duration, String)> {
        let path = self.object().map(|object| object.path());
        path.into_iter().map(|path| (Sends::Get(path), EVERY, "is it gone (metadata only)".into())).collect()
    }

    fn faults(&self) -> Vec<Fault> {
        self.object().err().into_iter().map(Fault::whole).collect()
    }

    fn look<'a>(&'a self, look: Look<'a>, _: Asked<'a>) -> BoxFuture<'a, Result<Found, StepError>> {
        async move {
            let object = self.object().map_err(StepError::refused)?;
            Ok(match kube_object::get(look, &object, Accept::Metadata, LIMIT).await? {
                Seen::Absent => Found::Holds(vec![format!("{object} is gone").into()]),
                Seen::There(seen) => {
                    let state = match text(&seen, "/metadata/deletionTimestamp") {
                        "" => "it is not being deleted".to_owned(),
                        since => format!("it is being deleted since {since}"),
                    };
                    Found::NotYet(format!("{object} to be gone ({state}, uid {})", text(&seen, "/metadata/uid")))
                }
            })
        }
        .boxed()
    }
}

impl PodsGone {
    fn path(&self) -> String {
        pods::path(&pods::collection(&self.namespace), &self.selector, AT_MOST)
    }
}

impl Condition for PodsGone {
    fn intent(&self) -> String {
        match self.at_most {
            0 => format!("no pod with {} is left in {}", self.selector, self.namespace),
            most => format!("at most {most} pods with {} are left in {}", self.selector, self.namespace),
        }
    }

    fn sends(&self, _: &[&ApiServer], _: &Cluster) -> Vec<(Sends, Duration, String)> {
        vec![(Sends::Get(self.path()), EVERY, "which pods are left (metadata only, one page)".into())]
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if ObjectRef::parse("pods/x", Some(&self.namespace)).is_err() {
            faults.push(Fault::at("namespace", format!("{:?} is no name", self.namespace)));
        }
        if self.selector.trim().is_empty() {
            faults.push(Fault::at("selector", "it is empty; all pods of a namespace are never listed"));
        }
        if self.at_most >= AT_MOST {
            faults.push(Fault::at("atMost", format!("more than {} cannot be told apart", AT_MOST - 1)));
        }
        faults
    }

    fn look<'a>(&'a self, look: Look<'a>, _: Asked<'a>) -> BoxFuture<'a, Result<Found, StepError>> {
        async move {
            let Left { pods, going, more } =
                match pods::pods_left(look, &self.namespace, &self.selector, AT_MOST, LIMIT).await {
                    Ok(left) => left,
                    // Too busy to answer, or half an answer: that may change.
                    Err(StepError::Read(error)) if error.kind == ReadErrorKind::Malformed => {
                        return Ok(Found::NotYet(format!("an answer to which pods are left ({error})")));
                    }
                    Err(error) => return Err(error),
                };
            if pods <= self.at_most as usize {
                let (selector, namespace) = (self.selector.clone(), self.namespace.clone());
                return Ok(Found::Holds(vec![Finding::PodsLeft { pods, selector, namespace }]));
            }
            let more = if more { " or more" } else { "" };
            let (selector, namespace) = (&self.selector, &self.namespace);
            Ok(Found::NotYet(format!(
                "pods with {selector} in {namespace} to be gone ({pods}{more} left, {going} of them being deleted)"
            )))
        }
        .boxed()
    }
}

//! Objects and pods that are gone.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Asked, Condition, Found, denied};
use crate::kit::{ApiServer, Cluster};
use crate::steps::kube_object::{self, Seen, text};
use crate::steps::{Look, ObjectRef, Sends, StepError};
use crate::world::{Accept, KubeRead};

/// The longest one look may take.
const LIMIT: Duration = Duration::from_secs(30);
/// How often a look is repeated at most, for the plan.
const EVERY: Duration = Duration::from_secs(5);
/// More pods than this are not counted.
const AT_MOST: usize = 50;

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

    fn faults(&self) -> Vec<String> {
        self.object().err().into_iter().collect()
    }

    fn look<'a>(&'a self, look: Look<'a>, _: Asked<'a>) -> BoxFuture<'a, Result<Found, StepError>> {
        async move {
            let object = self.object().map_err(StepError::refused)?;
            Ok(match kube_object::get(look, &object, Accept::Metadata, LIMIT).await? {
                Seen::Absent => Found::Holds(vec![format!("{object} is gone")]),
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
        format!(
            "/api/v1/namespaces/{}/pods?labelSelector={}&limit={AT_MOST}",
            self.namespace,
            encode(&self.selector)
        )
    }
}

/// Percent-encodes all that may not stand in the value of a query.
fn encode(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
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

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if ObjectRef::parse("pods/x", Some(&self.namespace)).is_err() {
            faults.push(format!("namespace: {:?} is no name", self.namespace));
        }
        if self.selector.trim().is_empty() {
            faults.push("selector: it is empty; all pods of a namespace are never listed".into());
        }
        if self.at_most as usize >= AT_MOST {
            faults.push(format!("atMost: more than {} cannot be told apart", AT_MOST - 1));
        }
        faults
    }

    fn look<'a>(&'a self, look: Look<'a>, _: Asked<'a>) -> BoxFuture<'a, Result<Found, StepError>> {
        async move {
            let read = KubeRead { path: self.path(), accept: Accept::MetadataList, limit: LIMIT };
            let answer = look.reads.kube(look.target, &read).await?;
            let list = answer.json();
            let items = match &list["items"] {
                Value::Array(items) if answer.code == 200 => items.as_slice(),
                // An empty list of metadata comes as `"items": null`.
                Value::Null if answer.code == 200 && text(&list, "/kind").ends_with("List") => &[],
                _ => {
                    denied(look.target, &answer)?;
                    let why = format!("{}: {}", answer.code, answer.message());
                    return Ok(Found::NotYet(format!("an answer to which pods are left ({why})")));
                }
            };
            let left = items.len();
            if left <= self.at_most as usize {
                let what = format!("{left} pods with {} are left in {}", self.selector, self.namespace);
                return Ok(Found::Holds(vec![what]));
            }
            let going = items.iter().filter(|pod| pod.pointer("/metadata/deletionTimestamp").is_some()).count();
            let more = list.pointer("/metadata/continue").and_then(Value::as_str).is_some_and(|token| !token.is_empty());
            let more = if more { " or more" } else { "" };
            let (selector, namespace) = (&self.selector, &self.namespace);
            Ok(Found::NotYet(format!(
                "pods with {selector} in {namespace} to be gone ({left}{more} left, {going} of them being deleted)"
            )))
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_cannot_leave_its_place_in_the_query() {
        let pods = PodsGone { namespace: "telemetry".into(), selector: "app in (a,b)&limit=9".into(), at_most: 0 };
        assert_eq!(
            pods.path(),
            "/api/v1/namespaces/telemetry/pods?labelSelector=app%20in%20%28a%2Cb%29%26limit%3D9&limit=50"
        );
    }
}

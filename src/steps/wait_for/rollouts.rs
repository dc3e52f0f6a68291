//! Pods that are what the template of their workload says.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Asked, Condition, Found};
use crate::kit::{ApiServer, Cluster};
use crate::steps::kube_object::{self, Seen};
use crate::steps::rollout::{self, Rollout};
use crate::steps::{Fault, Look, ObjectRef, Sends, StepError};
use crate::world::Accept;

/// The longest one look may take.
const LIMIT: Duration = Duration::from_secs(30);
/// How often a look is repeated at most, for the plan.
const EVERY: Duration = Duration::from_secs(5);

/// The pods of a workload are what its template says.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RolledOut {
    /// The workload: `ds/NAMESPACE/NAME`, `sts/NAMESPACE/NAME` or `deploy/NAMESPACE/NAME`.
    object: String,
    /// Its namespace, when the name does not say it.
    #[serde(default)]
    namespace: Option<String>,
    /// It is enough that its controller has seen the template, so that pods which it makes from now on are of it: behind a
    /// closed gate no node hears of it.
    #[serde(default)]
    seen: bool,
}

impl RolledOut {
    fn object(&self) -> Result<ObjectRef, String> {
        let object = ObjectRef::parse(&self.object, self.namespace.as_deref())?;
        if rollout::is_read(&object) {
            return Ok(object);
        }
        Err(format!("{} roll nothing out; what does: daemonsets, statefulsets, deployments", object.resource()))
    }
}

impl Condition for RolledOut {
    fn intent(&self) -> String {
        let what =
            if self.seen { "its controller has seen the template" } else { "its pods are what the template says" };
        format!("of {} {what}", self.object)
    }

    fn sends(&self, _: &[&ApiServer], _: &Cluster) -> Vec<(Sends, Duration, String)> {
        let path = self.object().map(|object| object.path());
        path.into_iter().map(|path| (Sends::Get(path), EVERY, "its status".into())).collect()
    }

    fn faults(&self) -> Vec<Fault> {
        self.object().err().into_iter().map(|why| Fault::at("object", why)).collect()
    }

    fn look<'a>(&'a self, look: Look<'a>, _: Asked<'a>) -> BoxFuture<'a, Result<Found, StepError>> {
        async move {
            let object = self.object().map_err(StepError::refused)?;
            let Seen::There(seen) = kube_object::get(look, &object, Accept::Json, LIMIT).await? else {
                return Err(StepError::refused(format!("{object} is not there")));
            };
            if self.seen {
                return Ok(if rollout::seen(&seen) {
                    Found::Holds(vec![format!("the controller of {object} has seen its template").into()])
                } else {
                    Found::NotYet(format!("the controller of {object} to see its template"))
                });
            }
            match rollout::read(&object, &seen) {
                Rollout::Over(said) => Ok(Found::Holds(vec![format!("{object}: {said}").into()])),
                Rollout::Going(said) => Ok(Found::NotYet(format!("the pods of {object}: {said}"))),
                Rollout::Stands(said) => Err(StepError::refused(format!("{object}: {said}"))),
            }
        }
        .boxed()
    }
}

//! `thaw-nodes`: the node lifecycle is switched on again, once the nodes report.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::controllers::{CONTROLLERS, controller_manager, controllers, wanted};
use super::static_pod::Progress;
use super::{Announced, Fault, Kind, Look, Scope, Step, StepError, Survey, Times, params, schema_of};
use crate::change::Target;
use crate::duration::HumanDuration;
use crate::host::manifest::Edit;
use crate::host::room::Ask;
use crate::kit::Cluster;
use crate::world::{Accept, KubeRead};

const PAGE: usize = 500;
const LOOK_LIMIT: Duration = Duration::from_secs(30);

/// The step kind.
pub(super) struct ThawNodes;

/// When nodes count as reporting.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// A node reports when it renewed its lease within this time.
    #[serde(default = "fresh")]
    fresh: HumanDuration,
    /// So many nodes may still be silent.
    #[serde(default)]
    silent_at_most: usize,
}

fn fresh() -> HumanDuration {
    HumanDuration::secs(40)
}

impl Kind for ThawNodes {
    fn name(&self) -> &'static str {
        "thaw-nodes"
    }

    fn doc(&self) -> &'static str {
        "Waits until the nodes report, then switches on again what `freeze-nodes` switched off.\n\n\
         A node reports when its lease was renewed a short while ago: while frozen, its Ready condition says nothing. \
         Costs one LIST of the leases in kube-node-lease per look, in pages of 500. Edits the static-pod manifest of \
         kube-controller-manager, one host at a time; `undo` puts the old text back, \
         so of a run that froze and thawed it freezes again first: one that is stopped then says so, and goes on when it is \
         typed again."
    }

    fn scope(&self) -> Scope {
        Scope::ApiHosts
    }

    fn one_at_a_time(&self) -> bool {
        true
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let params: Params = params(with)?;
        if params.fresh.0 < Duration::from_secs(10) {
            return Err(vec![Fault::at("fresh", "kubelets renew their lease every 10s, so it must be 10s or longer")]);
        }
        Ok(Box::new(Thaw { params }))
    }
}

struct Thaw {
    params: Params,
}

/// The path of one page of the leases.
fn page(token: &str) -> String {
    let more = if token.is_empty() { String::new() } else { format!("&continue={token}") };
    format!("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases?limit={PAGE}{more}")
}

/// The nodes of a page whose lease is older than this.
fn silent(list: &Value, now: jiff::Timestamp, fresh: Duration) -> Vec<String> {
    let items = list.pointer("/items").and_then(Value::as_array).into_iter().flatten();
    let old = |lease: &&Value| {
        let renewed = lease.pointer("/spec/renewTime").and_then(Value::as_str).and_then(|at| at.parse().ok());
        renewed.is_none_or(|at: jiff::Timestamp| now.duration_since(at).unsigned_abs() > fresh)
    };
    let name = |lease: &Value| lease.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    items.filter(old).map(name).collect()
}

impl Thaw {
    fn edit(manifest: &str) -> Result<Edit, String> {
        // A manifest that says nothing about controllers is not made to.
        let Some(mut list) = controllers(manifest)? else { return Ok(Edit::default()) };
        list.retain(|word| !CONTROLLERS.iter().any(|controller| word.strip_prefix('-') == Some(controller)));
        Ok(wanted(&list))
    }

    /// Every silent node; the clock is the operator's, so a wrong one shows as silence.
    async fn silent(&self, look: Look<'_>) -> Result<Vec<String>, StepError> {
        let target = Target::cluster(&look.target.cluster);
        let (mut silent_nodes, mut token) = (Vec::new(), String::new());
        loop {
            let read = KubeRead { path: page(&token), accept: Accept::Json, limit: LOOK_LIMIT };
            let answer = look.reads.kube(&target, &read).await?;
            if answer.code != 200 {
                let why = format!("the leases of the nodes cannot be listed: {} {}", answer.code, answer.message());
                return Err(StepError::refused(why));
            }
            let list = answer.json();
            silent_nodes.extend(silent(&list, look.history.now, self.params.fresh.0));
            list.pointer("/metadata/continue").and_then(Value::as_str).unwrap_or_default().clone_into(&mut token);
            if token.is_empty() {
                return Ok(silent_nodes);
            }
        }
    }
}

impl Step for Thaw {
    fn intent(&self) -> String {
        "thaw the node lifecycle, once the nodes report".into()
    }

    fn announce(&self, target: &Target, cluster: &Cluster) -> Vec<Announced> {
        let mut sent = controller_manager("thaw").announce(target, cluster, &Ask::default());
        let times = Times::Every { interval: self.interval(), until: Duration::MAX };
        sent.push(Announced::get(page(""), times, "which nodes report; once for every 500 of them"));
        sent
    }

    fn refuse(&self, target: &Target, cluster: &Cluster) -> Vec<String> {
        controller_manager("thaw").refuse(target, cluster)
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        async move {
            let survey = match controller_manager("thaw")
                .survey(look, &Ask::default(), |text| Self::edit(text).map(Into::into))
                .await?
            {
                Progress::Settled { ours: true, .. } => return Ok(Survey::done().saw("the node lifecycle runs again")),
                Progress::Settled { .. } => return Ok(Survey::done().saw("it was not frozen")),
                Progress::Open(survey) => survey,
            };
            if survey.changes.is_empty() {
                return Ok(survey);
            }
            let silent = self.silent(look).await?;
            if silent.len() > self.params.silent_at_most {
                let some: Vec<String> = silent.iter().take(5).cloned().collect();
                let nodes = crate::words::count(silent.len(), "silent node");
                return Ok(Survey::waiting(format!("{nodes} to report ({})", crate::words::fold(&some))));
            }
            Ok(survey)
        }
        .boxed()
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(5)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_was_frozen_is_thawed() {
        let edit = |command: &str| {
            let command = format!("[kube-controller-manager{command}]");
            Thaw::edit(&format!("kind: Pod\nspec:\n  containers:\n  - command: {command}\n")).unwrap()
        };
        let frozen = edit(", \"--controllers=*,tokencleaner,-node-lifecycle-controller,-taint-eviction-controller\"");
        assert_eq!(frozen.flags["controllers"].as_deref(), Some("*,tokencleaner"));
        assert_eq!(edit(""), Edit::default());
        assert_eq!(edit(", --controllers, \"*\"").flags["controllers"].as_deref(), Some("*"));
    }

    #[test]
    fn a_node_is_silent_when_its_lease_is_old_or_empty() {
        let list = json!({ "items": [
            { "metadata": { "name": "a" }, "spec": { "renewTime": "2026-01-01T00:00:30.000000Z" } },
            { "metadata": { "name": "b" }, "spec": { "renewTime": "2026-01-01T00:00:00.000000Z" } },
            { "metadata": { "name": "c" }, "spec": {} },
        ] });
        let now = "2026-01-01T00:00:45Z".parse().unwrap();
        assert_eq!(silent(&list, now, Duration::from_secs(40)), ["b", "c"]);
    }
}

//! `scale-apiserver`: give API servers more room, one static-pod manifest at a time.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::static_pod::{Patience, Progress, StaticPod, ready_again};
use super::{Announced, Fault, Kind, Look, Scope, Step, StepError, Survey, Times, params, schema_of};
use crate::change::Target;
use crate::host::manifest::{Edit, absurd, quantity};
use crate::host::room::Ask;
use crate::kit::Cluster;

/// So long may the old process take to exit unless its manifest lets it take longer, in seconds.
const EXIT_SECS: u64 = 60;

/// The step kind.
pub(super) struct ScaleApiserver;

/// Resources and flags of the kube-apiserver container. An entry of `null` is removed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// Resource limits: `memory: 8Gi`, `cpu: "4"`.
    #[serde(default)]
    limits: BTreeMap<String, Option<String>>,
    /// Resource requests.
    #[serde(default)]
    requests: BTreeMap<String, Option<String>>,
    /// Command-line flags without the dashes: `max-requests-inflight: "800"`.
    #[serde(default)]
    flags: BTreeMap<String, Option<String>>,
    /// How long the old process may take to exit, in seconds. Without it: 60, or as long as its manifest lets it take.
    #[serde(default)]
    exit_seconds: Option<u64>,
    /// How long the new process may take to answer before the old manifest comes back, in seconds.
    #[serde(default = "ready_seconds")]
    ready_seconds: u64,
}

fn ready_seconds() -> u64 {
    90
}

impl Kind for ScaleApiserver {
    fn name(&self) -> &'static str {
        "scale-apiserver"
    }

    fn doc(&self) -> &'static str {
        "Gives API servers more room by editing their static-pod manifest: limits, requests, flags.\n\n\
         One host at a time. The manifest is taken out, the process's exit awaited, the edited one put in, its answer \
         awaited; when none comes the old text is put back by the host itself. Copies stand beside the manifests' \
         folder, never inside. Refused before anything is taken out: a limit that would shrink or is below what the process \
         uses, a request that the host or its pods cannot have, a flag that the kube-apiserver there does not know (it is asked by \
         `--help`), an edit that would touch anything else. A manifest that a program writes again is named. Costs no API \
         request but one GET /readyz per look; the API server on the host is away for the time of a restart (7 to 60 s). Undone by the same exchange backwards, to the same bytes."
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
        let mut faults = Vec::new();
        if params.limits.is_empty() && params.requests.is_empty() && params.flags.is_empty() {
            faults.push(Fault::whole("nothing to change: give limits, requests or flags"));
        }
        for (of, resources) in [("limits", &params.limits), ("requests", &params.requests)] {
            for (name, value) in resources {
                if !matches!(name.as_str(), "cpu" | "memory") {
                    faults.push(Fault::at(name, "only cpu and memory can be set").under(of));
                }
                if let Some(why) = value.as_ref().and_then(|value| absurd(name, value)) {
                    faults.push(Fault::at(name, why).under(of));
                }
            }
        }
        for (name, limit) in &params.limits {
            let (Some(limit), Some(Some(request))) = (limit, params.requests.get(name)) else { continue };
            if quantity(limit) < quantity(request) {
                let why = format!("its limit {limit} is less than its request {request}");
                faults.push(Fault::at(name, why).under("limits"));
            }
        }
        for name in params.flags.keys().filter(|name| name.starts_with('-') || name.contains('=') || name.is_empty()) {
            faults.push(Fault::at("flags", format!("{name:?} must stand without dashes and without a value")));
        }
        let exit = params.exit_seconds.unwrap_or(EXIT_SECS);
        for (name, seconds) in [("exitSeconds", exit), ("readySeconds", params.ready_seconds)] {
            if !(5..=600).contains(&seconds) {
                faults.push(Fault::at(name, format!("{seconds} is not between 5 and 600")));
            }
        }
        if faults.is_empty() { Ok(Box::new(Scale { params })) } else { Err(faults) }
    }
}

struct Scale {
    params: Params,
}

impl Scale {
    fn pod(&self) -> StaticPod {
        StaticPod {
            program: "kube-apiserver",
            tag: "room",
            health: "/livez",
            port: 6443,
            patience: Patience { exit: EXIT_SECS, asked: self.params.exit_seconds, ready: self.params.ready_seconds },
            lasting: false,
        }
    }

    fn edit(&self) -> Edit {
        Edit {
            requests: self.params.requests.clone(),
            limits: self.params.limits.clone(),
            flags: self.params.flags.clone(),
            ..Edit::default()
        }
    }

    /// What the API server itself has to know.
    fn ask(&self) -> Ask {
        let given = self.params.flags.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        Ask { flags: given.map(|(name, value)| format!("--{name}={value}")).collect(), names: Vec::new() }
    }
}

impl Step for Scale {
    fn intent(&self) -> String {
        let parts =
            [("limits.", &self.params.limits), ("requests.", &self.params.requests), ("--", &self.params.flags)];
        let words: Vec<String> = parts
            .iter()
            .flat_map(|(before, map)| {
                map.iter()
                    .map(move |(name, value)| format!("{before}{name}={}", value.as_deref().unwrap_or("(removed)")))
            })
            .collect();
        format!("give each API server room, one host at a time: {}", words.join(", "))
    }

    fn announce(&self, target: &Target, cluster: &Cluster) -> Vec<Announced> {
        let mut sent = self.pod().announce(target, cluster, &self.ask());
        let until = Duration::from_secs(self.params.ready_seconds);
        let times = Times::Every { interval: self.interval(), until };
        sent.push(Announced::get("/readyz", times, "the new process is ready"));
        sent
    }

    fn refuse(&self, target: &Target, cluster: &Cluster) -> Vec<String> {
        self.pod().refuse(target, cluster)
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        async move {
            match self.pod().survey(look, &self.ask(), |_| Ok(self.edit().into())).await? {
                Progress::Open(survey) => Ok(survey),
                Progress::Settled { ours: false, .. } => Ok(Survey::done().saw("its manifest says so already")),
                Progress::Settled { seen, .. } => ready_again(look, &seen).await,
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(with: Value, part: &str) {
        let faults = ScaleApiserver.build(with).err().unwrap_or_default();
        assert!(faults.iter().any(|fault| fault.to_string().contains(part)), "{faults:?}");
    }

    #[test]
    fn bad_parameters_are_refused_by_name() {
        use serde_json::json;
        refused(json!({}), "nothing to change");
        refused(json!({ "limits": { "memory": "8 gigs" } }), "memory");
        refused(json!({ "limits": { "disk": "8Gi" } }), "disk");
        refused(json!({ "limits": { "memory": "512m" } }), "512Mi was probably meant");
        refused(json!({ "requests": { "memory": "8192" } }), "8192Mi was probably meant");
        refused(
            json!({ "limits": { "cpu": "1" }, "requests": { "cpu": "1500m" } }),
            "limit 1 is less than its request",
        );
        refused(json!({ "flags": { "--v": "4" } }), "without dashes");
        refused(json!({ "limit": {} }), "unknown field");
        assert!(ScaleApiserver.build(json!({ "limits": { "memory": "8Gi", "cpu": null } })).is_ok());
    }
}

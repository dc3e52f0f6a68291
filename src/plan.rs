//! Runbook + kit + parameters, fully resolved, printable, with a digest. Pure: nothing is contacted.
//!
//! Everything that can be refused without touching a host is refused here, all refusals together.

use serde_json::{Value, json};

use crate::change::{Target, sha256_hex};
use crate::kit::{Cluster, select};
use crate::limits::Limits;
use crate::runbook::{Later, Policy, Refusal, Resolved};
use crate::steps::{Announced, Kind, Sends, Step, Times};

/// What will be done.
pub struct Plan {
    /// The runbook's name.
    pub name: String,
    /// Its purpose.
    pub purpose: String,
    /// The runbook as resolved, for the journal.
    pub runbook: Resolved,
    /// The clusters, in the order they are worked on; the first is the canary.
    pub clusters: Vec<Cluster>,
    /// How many of the clusters at a time.
    pub fleet: Limits,
    /// The steps, in order.
    pub steps: Vec<PlannedStep>,
    /// SHA-256 over all of the above but credentials: what consent is given to.
    pub digest: String,
}

/// One step with its targets.
pub struct PlannedStep {
    /// Its name in the runbook.
    pub name: String,
    /// Its kind's name.
    pub kind: &'static str,
    /// Why the runbook has it; may be empty.
    pub why: String,
    /// The step itself.
    pub step: Box<dyn Step>,
    /// Its targets, over all clusters, in the order they are worked on.
    pub targets: Vec<Target>,
    /// How it is run.
    pub policy: Policy,
    /// What an earlier step has to find for it to be run; `None`: it is run in any case.
    pub only: Option<Later>,
    /// What of it is known only once earlier steps have found it; the step above has placeholders there.
    pub later: Option<Unfilled>,
}

/// A step whose parameters are not all known yet.
#[derive(Clone)]
pub struct Unfilled {
    /// Its kind.
    pub kind: &'static dyn Kind,
    /// Its parameters, a placeholder in each hole.
    pub with: Value,
    /// The holes.
    pub holes: Vec<Later>,
}

impl Unfilled {
    /// The step, once there is a value for each hole, in their order.
    ///
    /// # Errors
    /// Why the values do not make one.
    pub fn fill(&self, values: &[String]) -> Result<Box<dyn Step>, String> {
        let mut with = self.with.clone();
        self.holes.iter().zip(values).for_each(|(hole, value)| hole.fill(&mut with, value));
        self.kind.build(with).map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }
}

impl PlannedStep {
    /// Its targets on one cluster.
    pub fn targets_on<'a>(&'a self, cluster: &'a str) -> impl Iterator<Item = &'a Target> {
        self.targets.iter().filter(move |target| target.cluster == cluster)
    }

    /// What it may send to one of its targets; nothing goes on longer than the step itself.
    pub fn announce(&self, target: &Target, cluster: &Cluster) -> Vec<Announced> {
        let mut announced = self.step.announce(target, cluster);
        for one in &mut announced {
            if let Times::Every { until, .. } = &mut one.times {
                *until = self.policy.timeout.min(*until);
            }
        }
        announced
    }
}

impl Plan {
    /// The cluster with this name.
    pub fn cluster(&self, name: &str) -> Option<&Cluster> {
        self.clusters.iter().find(|cluster| cluster.name == name)
    }

    /// The same plan under the digest that it had before format 1.1 of the journal, when the limits of the fleet were no part
    /// of it: what a run was consented to that an older version began.
    #[must_use]
    pub fn as_before_fleets(mut self) -> Self {
        self.digest = digest(&self.runbook, &self.clusters, &self.steps, None);
        self
    }

    /// What each step may send to each of its targets.
    pub fn announced(&self) -> impl Iterator<Item = (&PlannedStep, &Target, Vec<Announced>)> {
        self.steps.iter().flat_map(move |planned| {
            planned.targets.iter().filter_map(move |target| {
                Some((planned, target, planned.announce(target, self.cluster(&target.cluster)?)))
            })
        })
    }
}

/// Builds the plan, or says everything that is wrong. `fleet`: how many of the clusters at a time.
///
/// # Errors
/// Every refusal at once.
pub fn build(runbook: Resolved, clusters: Vec<Cluster>, fleet: Limits) -> Result<Plan, Vec<Refusal>> {
    let mut refusals = Vec::new();
    let mut steps = Vec::new();
    for decl in &runbook.steps {
        let mut refuse = |what: String| refusals.push(Refusal { at: decl.at.clone(), what, hint: None });
        let step = match decl.kind.build(decl.with.clone()) {
            Ok(step) => step,
            Err(faults) => {
                faults.into_iter().for_each(|fault| refuse(format!("step {:?}: {fault}", decl.name)));
                continue;
            }
        };
        let mut targets = Vec::new();
        for cluster in &clusters {
            match select::targets(cluster, decl.kind.scope_of(&decl.with), decl.targets.as_deref()) {
                Ok(found) => targets.extend(found),
                Err(fault) => refuse(format!("step {:?}: {fault}", decl.name)),
            }
        }
        for target in &targets {
            let Some(cluster) = clusters.iter().find(|cluster| cluster.name == target.cluster) else { continue };
            for fault in step.refuse(target, cluster) {
                refuse(format!("step {:?} on {target}: {fault}", decl.name));
            }
        }
        let mut policy = decl.policy.clone();
        if decl.kind.one_at_a_time() {
            policy.limits.at_once = 1;
            policy.limits.max_failures = 1;
        }
        if decl.kind.all_together() {
            let all = targets.len().max(1);
            policy.limits = Limits { at_once: all, canary: false, batch: 0, max_failures: all };
        }
        let (name, kind, why) = (decl.name.clone(), decl.kind.name(), decl.why.clone());
        let unfilled = || Unfilled { kind: decl.kind, with: decl.with.clone(), holes: decl.later.clone() };
        let later = (!decl.later.is_empty()).then(unfilled);
        let only = decl.only.clone();
        steps.push(PlannedStep { name, kind, why, step, targets, policy, only, later });
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let digest = digest(&runbook, &clusters, &steps, Some(fleet));
    let (name, purpose) = (runbook.name.clone(), runbook.purpose.clone());
    Ok(Plan { name, purpose, runbook, clusters, fleet, steps, digest })
}

fn digest(runbook: &Resolved, clusters: &[Cluster], steps: &[PlannedStep], fleet: Option<Limits>) -> String {
    let clusters: Vec<_> = clusters
        .iter()
        .map(|cluster| {
            json!({
                "name": cluster.name,
                "apiServers": cluster.api_servers.iter().map(|s| json!([s.name, s.address, s.via])).collect::<Vec<_>>(),
                "hosts": cluster.hosts.iter().map(|h| json!([h.name, h.address, h.ssh.port, h.ssh.user])).collect::<Vec<_>>(),
            })
        })
        .collect();
    let steps: Vec<_> = steps
        .iter()
        .zip(&runbook.steps)
        .map(|(planned, decl)| {
            let mut step = json!([planned.name, planned.kind, decl.with, planned.targets, planned.policy]);
            // Plans of steps that are run in any case keep the digest that they had before there were others.
            if let (Some(only), Some(parts)) = (&decl.only, step.as_array_mut()) {
                parts.push(json!([only.step, only.result]));
            }
            step
        })
        .collect();
    let mut value = json!({ "runbook": runbook.name, "params": runbook.params, "clusters": clusters, "steps": steps });
    if let Some(fleet) = fleet {
        value["fleet"] = json!(fleet);
    }
    sha256_hex(value.to_string().as_bytes())
}

impl Plan {
    /// Whether any step announces a write, on any of its targets.
    pub fn writes(&self) -> bool {
        self.steps.iter().any(|planned| {
            planned.targets.iter().any(|target| {
                let cluster = self.clusters.iter().find(|cluster| cluster.name == target.cluster);
                cluster.is_some_and(|cluster| planned.step.announce(target, cluster).iter().any(Announced::writes))
            })
        })
    }
}

impl Plan {
    /// The steps that change something by what an earlier step has still to find: each is asked about once that is known.
    pub fn write_what_is_found(&self) -> impl Iterator<Item = (&PlannedStep, &Unfilled)> {
        let holes = self.steps.iter().filter_map(|planned| Some((planned, planned.later.as_ref()?)));
        holes.filter(|(planned, _)| self.step_writes(planned))
    }

    fn step_writes(&self, planned: &PlannedStep) -> bool {
        planned.targets.iter().any(|target| {
            let cluster = self.cluster(&target.cluster);
            cluster.is_some_and(|cluster| planned.step.announce(target, cluster).iter().any(Announced::writes))
        })
    }

    /// Whether any step may ask the operator something.
    pub fn asks(&self) -> bool {
        let asks = |one: &Announced| matches!(one.what, Sends::Ask(_));
        self.steps.iter().any(|planned| planned.policy.confirm)
            || self.write_what_is_found().next().is_some()
            || self.announced().any(|(_, _, announced)| announced.iter().any(asks))
    }
}

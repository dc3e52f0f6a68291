//! The simulated state: objects, hosts, and the offender's pods.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::objects::NODES_PATH;
use super::storm::{self, Load};
use super::{Weather, objects, patch, revisions};
use crate::host::authorizers;
use crate::host::gate::{Driver, GateSpec, Mark, Stage};
use crate::host::manifest::MANIFESTS;
use crate::host::pods::PodsFreeze;
use crate::process::Clock;

/// The programs that run there as static pods.
pub(super) const APISERVER: &str = "kube-apiserver";
const CONTROLLER_MANAGER: &str = "kube-controller-manager";
/// Path of the nodes' leases.
pub(super) const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
/// Where priority levels and flow schemas are that somebody made.
pub(super) const LEVELS_MADE: &str = "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations/";
const FLOWS_MADE: &str = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas/";
/// Path of the binding that gives the offender its rights.
pub(super) const BINDING: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/telemetry-agent";
/// Path of the account that its pods run as.
const ACCOUNT: &str = "/api/v1/namespaces/telemetry/serviceaccounts/agent";
/// Where roles and bindings are.
pub(super) const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1/";
/// Path of the webhooks of a policy engine none of whose pods is left.
const POLICY: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/policy";
/// Path of an Application of Argo CD, whose controller nobody simulates: the offender is not among what it manages.
const APPLICATION: &str = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/edge";
/// Path of the offender in the API.
pub(super) const OFFENDER: &str = "/apis/apps/v1/namespaces/telemetry/daemonsets/agent";
/// The image of the offender that drowns the API, and that of the version before.
const BAD: &str = "registry.sandbox.internal/telemetry-agent:1.2";
const GOOD: &str = "registry.sandbox.internal/telemetry-agent:1.1";
/// How long the offender's pods take to go, or to come back.
const PODS_MOVE_IN: Duration = Duration::from_secs(5);
/// Memory of the API servers' manifests at the start; their capacity grows with it.
const INITIAL_MEMORY_GI: f64 = 4.0;
/// How long a simulated API server is away when its manifest is exchanged.
const RESTART: Duration = Duration::from_secs(3);

/// How long a recovery API server takes to listen.
const RECOVERY_STARTS: Duration = Duration::from_secs(2);

/// What the hosts hold of the cluster's certificates.
#[derive(Default)]
pub(super) struct Papers {
    /// Who signed all of them, PEM.
    pub(super) authority: String,
    /// The kubeconfig of an administrator.
    pub(super) admin: String,
}

pub(super) struct World {
    pub(super) papers: Papers,
    state: Mutex<State>,
}

pub(super) struct State {
    /// Objects by path.
    pub(super) objects: BTreeMap<String, Value>,
    offender: Offender,
    pub(super) hosts: Vec<SimHost>,
    pub(super) began: Instant,
    clock: Clock,
    /// When the nodes that are not let in have last been heard of.
    heard: jiff::Timestamp,
    version: u64,
}

/// What there is of the offender beside its object.
struct Offender {
    /// The share of the nodes on which its containers run, from 0 to 1. A node starts or ends them only while its kubelet
    /// is let in: behind a closed gate it hears nothing.
    running: f64,
    /// The API has forgotten its pods by force; what runs on has tokens that are void.
    forgotten: bool,
    at: Instant,
}

pub(super) struct SimHost {
    pub(super) gate: Option<Gate>,
    pub(super) recovery: Option<SimRecovery>,
    /// Freezes of pods, also those that are over.
    pub(super) frozen: Vec<SimFreeze>,
    pub(super) files: BTreeMap<String, String>,
    /// Processes by program.
    pids: BTreeMap<&'static str, u32>,
    restarted: Option<Instant>,
    load: Load,
}

/// Pods that were frozen on a host.
pub(super) struct SimFreeze {
    pub(super) order: PodsFreeze,
    pub(super) began: Instant,
}

/// A recovery API server that was started on a host.
pub(super) struct SimRecovery {
    /// The client certificates that it takes beside those of the cluster.
    pub(super) own: String,
    pub(super) run: String,
    pub(super) operator: String,
    pub(super) port: u64,
    pub(super) began: Instant,
    pub(super) until: Instant,
}

impl SimRecovery {
    pub(super) fn stands(&self) -> bool {
        self.until > Instant::now()
    }

    pub(super) fn listens(&self) -> bool {
        self.stands() && self.began.elapsed() >= RECOVERY_STARTS
    }
}

/// A simulated gate: fuses as moments.
pub(super) struct Gate {
    pub(super) spec: GateSpec,
    pub(super) mark: Mark,
    pub(super) driver: Driver,
    pub(super) confirmed: bool,
    pub(super) armed: Instant,
    pub(super) until: Vec<Instant>,
    pub(super) closed: Instant,
}

impl Gate {
    /// The share of sources it lets in now, from 0 to 1.
    pub(super) fn admitted(&self, now: Instant) -> f64 {
        if self.armed <= now {
            return 1.0;
        }
        let through = self.until.iter().take_while(|until| **until <= now).count();
        self.spec.stages.iter().take(through).fold(0.0, |share, stage| {
            share.max(match stage {
                Stage::Share(percent) => f64::from(*percent) / 100.0,
                // A source is one of the nodes.
                Stage::Count(sources) => (f64::from(*sources) / f64::from(storm::NODES)).min(1.0),
                // A named set or a rate is worth a tenth here: the sandbox's sources have no addresses.
                Stage::Set { .. } | Stage::Rate(_) => 0.1,
            })
        })
    }
}

impl World {
    pub(super) fn new(hosts: &[&str], weather: Weather, papers: Papers) -> Self {
        let now = Instant::now();
        let host = |(index, name): (usize, &&str)| SimHost {
            gate: None,
            recovery: None,
            frozen: Vec::new(),
            files: authorizers(weather)
                .into_iter()
                .chain([
                    (format!("{MANIFESTS}/{APISERVER}.yaml"), manifest(name, weather)),
                    (format!("{MANIFESTS}/{CONTROLLER_MANAGER}.yaml"), controller_manager()),
                ])
                .collect(),
            pids: BTreeMap::from([APISERVER, CONTROLLER_MANAGER].map(|program| {
                let first = if program == APISERVER { 1000 } else { 2000 };
                (program, first + u32::try_from(index).unwrap_or(0))
            })),
            restarted: None,
            load: match weather {
                Weather::Storm => Load::drowning(now),
                Weather::Peace => Load::peaceful(now),
            },
        };
        let agent = objects::offender(BAD);
        let before = &objects::offender(GOOD)["spec"]["template"];
        let state = State {
            objects: BTreeMap::from([
                revisions::revision(&agent, 1, "2024-11-20T09:30:00Z", before),
                revisions::revision(&agent, 2, "2024-12-11T23:12:00Z", &agent["spec"]["template"]),
                (OFFENDER.to_owned(), agent),
                (BINDING.to_owned(), objects::binding()),
                (ACCOUNT.to_owned(), objects::account()),
                // Of kubeadm's binding of its administrators there is none: whoever cleans up takes it for somebody's leftover.
                (format!("{RBAC}clusterroles/cluster-admin"), objects::cluster_admin()),
                (format!("{RBAC}clusterrolebindings/cluster-admin"), objects::masters()),
                (POLICY.to_owned(), objects::policy()),
                ("/api/v1/namespaces/policy/services/policy".to_owned(), objects::policy_service()),
                (APPLICATION.to_owned(), objects::application()),
                // What a health check reads.
                (
                    "/api/v1/namespaces/kube-system".to_owned(),
                    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "kube-system" } }),
                ),
            ])
            .into_iter()
            .chain(objects::nodes())
            .collect(),
            offender: Offender { running: 1.0, forgotten: false, at: now },
            hosts: hosts.iter().enumerate().map(host).collect(),
            began: now,
            clock: Clock::steady(),
            heard: Clock::steady().now(),
            version: 5000,
        };
        Self { papers, state: Mutex::new(state) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a recovery API server of this host serves on a port.
    pub(super) fn recovers(&self, index: usize, port: u32) -> bool {
        let state = self.state();
        state
            .hosts
            .get(index)
            .and_then(|host| host.recovery.as_ref())
            .is_some_and(|one| one.listens() && one.port == u64::from(port))
    }
}

impl State {
    /// The next resourceVersion.
    pub(super) fn next_version(&mut self) -> String {
        self.version += 1;
        self.version.to_string()
    }

    /// On which share of the nodes the offender's controller wants a pod.
    fn scheduled(&self) -> f64 {
        let Some(object) = self.objects.get(OFFENDER) else { return 0.0 };
        let selector = object.pointer("/spec/template/spec/nodeSelector").and_then(Value::as_object);
        let Some(selector) = selector.filter(|selector| !selector.is_empty()) else { return 1.0 };
        let fits = |node: &&Value| {
            selector.iter().all(|(key, value)| node.pointer("/metadata/labels").is_some_and(|all| all[key] == *value))
        };
        let nodes = u32::try_from(self.nodes().filter(fits).count()).unwrap_or(u32::MAX);
        f64::from(nodes) / f64::from(storm::NODES)
    }

    /// The same of pods of the version that drowns the API.
    fn wanted(&self) -> f64 {
        let image =
            self.objects.get(OFFENDER).and_then(|object| object.pointer("/spec/template/spec/containers/0/image"));
        if image.and_then(Value::as_str) == Some(GOOD) { 0.0 } else { self.scheduled() }
    }

    /// The nodes.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Value> {
        let below = format!("{NODES_PATH}/");
        self.objects.range(below.clone()..).take_while(move |(path, _)| path.starts_with(&below)).map(|(_, node)| node)
    }

    /// The time by its servers' clock, to the second.
    pub(super) fn now(&self) -> String {
        self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// Puts what was changed in its place, as its server and its controller would.
    pub(super) fn put(&mut self, path: &str, object: &mut Value) {
        patch::no_empty_maps(object);
        let before = self.objects.insert(path.to_owned(), object.clone());
        let spec = |of: &Value| of["spec"].clone();
        if path != OFFENDER || before.as_ref().map(spec) == Some(spec(object)) {
            return;
        }
        let generation = object["metadata"]["generation"].as_i64().unwrap_or_default() + 1;
        object["metadata"]["generation"] = json!(generation);
        let now = self.clock.now().to_string();
        revisions::number(&mut self.objects, object, &now);
        self.objects.insert(path.to_owned(), object.clone());
    }

    /// The offender with its status: a pod of the version before is there, and ready, as soon as its node has heard.
    pub(super) fn offender(&mut self) -> Option<Value> {
        let (scheduled, wanted, running) = (share_of_nodes(self.scheduled()), self.wanted(), self.running());
        let (ready, old) = if wanted > 0.0 { (running.min(scheduled), 0) } else { (scheduled, running.min(scheduled)) };
        let mut object = self.objects.get(OFFENDER)?.clone();
        object["status"] = json!({
            "observedGeneration": object["metadata"]["generation"], "desiredNumberScheduled": scheduled,
            "currentNumberScheduled": scheduled, "updatedNumberScheduled": scheduled - old,
            "numberReady": ready, "numberAvailable": ready,
        });
        Some(object)
    }

    /// The share of the nodes whose kubelets get through: they take whichever API server lets them in.
    fn let_in(&self) -> f64 {
        let now = Instant::now();
        let gates = self.hosts.iter().map(|host| host.gate.as_ref().map_or(1.0, |gate| gate.admitted(now)));
        gates.fold(0.0, f64::max)
    }

    /// The lease of each node, with when it was renewed: just now by one that gets through.
    pub(super) fn leases(&mut self) -> Vec<(String, jiff::Timestamp)> {
        let now = self.clock.now();
        let share = self.let_in();
        let (within, silent) = (share_of_nodes(share), self.heard);
        (0..storm::NODES).map(|n| (format!("node-{n:05}"), if n < within { now } else { silent })).collect()
    }

    /// Moves the offender's pods to now, before anything else is changed or asked.
    pub(super) fn advance(&mut self) {
        let now = Instant::now();
        let moved = (now - self.offender.at).as_secs_f64() / PODS_MOVE_IN.as_secs_f64();
        self.offender.at = now;
        let heard = self.let_in();
        if heard >= 1.0 {
            self.heard = self.clock.now();
        }
        let (running, wanted) = (self.offender.running, self.wanted());
        self.offender.forgotten &= wanted <= 0.0;
        self.offender.running = if running < wanted {
            (running + moved).min(wanted).min(heard.max(running))
        } else {
            (running - moved).max(wanted).max((1.0 - heard).min(running))
        };
    }

    /// Forgets the offender's pods by force, as a delete of the collection without grace does.
    pub(super) fn forget_pods(&mut self) {
        self.advance();
        self.offender.forgotten = self.ending();
    }

    /// The nodes on which the offender's containers run now.
    pub(super) fn running(&mut self) -> u32 {
        self.advance();
        share_of_nodes(self.offender.running)
    }

    /// The offender's pods in the API: what is marked to be deleted stays until its kubelet says that it is over.
    pub(super) fn pods(&mut self) -> u32 {
        if self.offender.forgotten { 0 } else { self.running() }
    }

    /// Whether its pods are marked to be deleted.
    pub(super) fn ending(&self) -> bool {
        self.wanted() <= 0.0
    }

    /// Whether what it still asks is refused: its rights are taken away, its tokens are void, or it is throttled.
    pub(super) fn refused(&self) -> bool {
        let subjects = self.objects.get(BINDING).and_then(|binding| binding["subjects"].as_array());
        let named = subjects.into_iter().flatten().any(|subject| subject["name"] == "agent");
        self.offender.forgotten || !named || !self.knows_offender() || self.throttled()
    }

    /// Whether its tokens are of an account that is there; else none of its requests gets a seat.
    pub(super) fn knows_offender(&self) -> bool {
        self.objects.get(ACCOUNT).is_some_and(|account| account["metadata"]["uid"] == objects::ACCOUNT_UID)
    }

    /// Whether priority and fairness lets in one of its requests at a time.
    fn throttled(&self) -> bool {
        let flows = self.objects.iter().filter(|(path, _)| path.starts_with(FLOWS_MADE));
        flows.into_iter().any(|(_, flow)| {
            flow.pointer("/spec/rules/0/subjects/0/serviceAccount/name").is_some_and(|name| *name == "agent")
        })
    }

    /// How hard a host's API server is pressed now; `None` while it restarts.
    pub(super) fn pressure(&mut self, index: usize) -> Option<f64> {
        let now = Instant::now();
        let refused = self.refused() || self.hosts.get(index).is_some_and(SimHost::jails_the_offender);
        let cost = if refused { storm::REFUSED } else { 1.0 };
        let offenders = f64::from(self.running()) / f64::from(storm::NODES) * cost;
        let host = self.hosts.get_mut(index)?;
        if host.restarted.is_some_and(|at| at.elapsed() < RESTART) {
            return None;
        }
        let admitted = host.gate.as_ref().map_or(1.0, |gate| gate.admitted(now));
        let capacity = host.memory_gi() / INITIAL_MEMORY_GI;
        Some(host.load.pressure(now, offenders, admitted, capacity))
    }
}

impl SimHost {
    /// Whether its API server refuses the offender by a jail.
    fn jails_the_offender(&self) -> bool {
        let file = self.files.get(authorizers::FILE);
        file.is_some_and(|text| text.contains("'system:serviceaccount:telemetry:agent'"))
    }

    /// The manifest's memory limit.
    fn memory_gi(&self) -> f64 {
        let text = self.files.get(&format!("{MANIFESTS}/kube-apiserver.yaml")).map_or("", String::as_str);
        let limit = text.lines().find_map(|line| line.trim().strip_prefix("memory: ")).unwrap_or("4Gi");
        limit.trim_end_matches("Gi").parse().unwrap_or(INITIAL_MEMORY_GI)
    }

    /// The process of a program; 0 where there is none.
    pub(super) fn pid(&self, program: &str) -> u32 {
        self.pids.get(program).copied().unwrap_or(0)
    }

    /// The process of a program starts anew.
    pub(super) fn restart(&mut self, program: &str) {
        if let Some(pid) = self.pids.get_mut(program) {
            *pid += 100;
        }
        if program == APISERVER {
            self.restarted = Some(Instant::now());
        }
    }
}

/// In peace its API servers are still to be prepared for a jail; when the storm comes somebody has done it.
fn authorizers(weather: Weather) -> Option<(String, String)> {
    match weather {
        Weather::Peace => None,
        Weather::Storm => {
            let modes = ["Node", "RBAC"].map(str::to_owned);
            authorizers::text(&modes, None).ok().map(|text| (authorizers::FILE.to_owned(), text))
        }
    }
}

fn manifest(host: &str, weather: Weather) -> String {
    let flag = match weather {
        Weather::Peace => "--authorization-mode=Node,RBAC".to_owned(),
        Weather::Storm => format!("--authorization-config={}", authorizers::FILE),
    };
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: kube-apiserver\n  namespace: kube-system\nspec:\n  containers:\n  \
         - command:\n    - kube-apiserver\n    - {flag}\n    - --secure-port=6443\n    - --max-requests-inflight=400\n    \
         - --audit-log-path=/var/log/{host}-audit.log\n    image: registry.k8s.io/kube-apiserver:v1.34.4\n    \
         name: kube-apiserver\n    resources:\n      limits:\n        memory: 4Gi\n    volumeMounts:\n    \
         - mountPath: /etc/kubernetes/pki\n      name: k8s-certs\n      readOnly: true\n  hostNetwork: true\n  volumes:\n  \
         - hostPath:\n      path: /etc/kubernetes/pki\n      type: DirectoryOrCreate\n    name: k8s-certs\n"
    )
}

fn controller_manager() -> String {
    "apiVersion: v1\nkind: Pod\nmetadata:\n  name: kube-controller-manager\n  namespace: kube-system\nspec:\n  containers:\n  \
     - command:\n    - kube-controller-manager\n    - --leader-elect=true\n    \
     image: registry.k8s.io/kube-controller-manager:v1.34.4\n    name: kube-controller-manager\n  hostNetwork: true\n"
        .to_owned()
}

fn share_of_nodes(share: f64) -> u32 {
    // A share of NODES, which fits.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to NODES")]
    let nodes = (f64::from(storm::NODES) * share).round() as u32;
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::gate::{self, sample};

    #[test]
    fn a_source_is_one_of_the_nodes() {
        let stages = vec![Stage::Count(6), Stage::Count(1000), Stage::Share(100)];
        let spec = GateSpec { stages, ..sample() };
        let now = Instant::now();
        let later = now + Duration::from_secs(9);
        let gate = |until| gate_of(&spec, later, until).admitted(now);
        assert!((gate(vec![later, later]) - 0.0).abs() < 1e-9);
        assert!((gate(vec![now, later]) - 6.0 / 240.0).abs() < 1e-9);
        assert!((gate(vec![now, now]) - 1.0).abs() < 1e-9, "no more than all of them");
    }

    fn gate_of(spec: &gate::GateSpec, armed: Instant, until: Vec<Instant>) -> Gate {
        let (mark, driver) = (spec.mark(), spec.driver());
        Gate { spec: spec.clone(), mark, driver, confirmed: true, armed, until, closed: armed }
    }
}

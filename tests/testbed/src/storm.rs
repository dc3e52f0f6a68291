//! Storms: a telemetry service whose agents list and re-list the whole cluster, one pod on each node, as on 2024-12-11.
//!
//! The pods are a real DaemonSet on hollow nodes. Hollow pods run nothing, so one process on the nodes' host plays the
//! agents of exactly those pods that etcd holds: an agent lives until its node's kubelet has seen its pod deleted.

use std::{
    fmt,
    fs::{self, File},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Host, Lab, Running,
    access::Access,
    binaries,
    component::{Component, wait_until},
    components::ApiFlags,
    control_plane::{ApiServer, ControlPlane, Options, UP, hollow_nodes},
    image,
    kubectl::Curl,
    kubelet::{KubeletPlane, pod_process},
    limits::CpuLimit,
    pki::{User, Validity, put},
};

/// The exact settings of a storm.
#[derive(Clone, Debug)]
pub struct Settings {
    pub name: &'static str,
    pub priority_and_fairness: bool,
    /// What the API server may use of one processor.
    pub cpu_percent: u32,
    /// Hollow nodes; each runs one pod of the telemetry service.
    pub nodes: u8,
    /// Collectors of one pod; they speak from their node's address, and each has a connection of its own.
    pub collectors: u64,
    /// From one answered list of a collector to its next; zero: as soon as it can.
    pub every: Duration,
    /// After a list that was not answered, or with a 429.
    pub pause: Duration,
    /// What the collectors list, in turn.
    pub lists: &'static [&'static str],
    /// Objects that make the lists long: pods of 10 KB, configmaps of 4 KB, daemonsets that run nowhere.
    pub ballast: [usize; 3],
    /// The storm has risen when a bare request over a new connection takes longer, three times in a row.
    pub slow: Duration,
}

/// A server starved of processor time without priority and fairness: a lone kubectl fails or takes more than 20 seconds.
pub const STORM: Settings = Settings {
    name: "storm",
    priority_and_fairness: false,
    cpu_percent: 15,
    nodes: 25,
    collectors: 8,
    every: Duration::ZERO,
    pause: Duration::from_millis(100),
    lists: &["/api/v1/pods", "/api/v1/pods?resourceVersion=0", "/api/v1/configmaps"],
    ballast: [2000, 500, 300],
    slow: Duration::from_secs(5),
};

/// The same server under collectors that keep a rhythm, and shorter lists: what all of them ask for drowns a server of five
/// times that size, too (a round of theirs takes it longer than the pause between two), and a few of them are no burden.
pub const STORM_RHYTHM: Settings = Settings {
    name: "storm-rhythm",
    every: Duration::from_secs(6),
    pause: Duration::from_secs(3),
    ballast: [250, 50, 100],
    ..STORM
};

/// The same server with priority and fairness, which queues or sheds most of 80 collectors: slow, but open.
pub const STORM_APF: Settings = Settings {
    name: "storm-apf",
    priority_and_fairness: true,
    cpu_percent: 25,
    nodes: 20,
    collectors: 4,
    slow: Duration::from_secs(1),
    ..STORM
};

/// The settings of a storm that kills.
#[derive(Clone, Debug)]
pub struct OomSettings {
    /// What the API server's pod may use.
    pub memory: &'static str,
    /// Collectors of the one pod on the worker.
    pub collectors: u32,
    /// curl's user agent gets indented JSON, which the server builds whole in its memory.
    pub user_agent: &'static str,
    pub list: &'static str,
    /// Pods of 10 KB.
    pub ballast: usize,
}

/// A static pod that is killed for its memory again and again, by a shell script's worth of curl on one worker.
pub const STORM_OOM: OomSettings =
    OomSettings { memory: "600Mi", collectors: 40, user_agent: "curl/7.88.1", list: "/api/v1/pods", ballast: 1200 };

/// The telemetry service's namespace and rights.
const SERVICE_ACCOUNT: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: telemetry}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: agent, namespace: telemetry}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: telemetry-agent}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: agent, namespace: telemetry}]
";

/// The DaemonSet with the given pod: JSON in YAML, so that the pod can be text of any shape.
fn service(pod: &Value) -> String {
    let labels = json!({"app": "telemetry-agent"});
    let spec = json!({
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    });
    let metadata = json!({"name": "telemetry-agent", "namespace": "telemetry"});
    let set = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata, "spec": spec});
    format!("{SERVICE_ACCOUNT}---\n{set}\n")
}

/// The user that the agents are to the API server.
pub const OFFENDER: &str = "system:serviceaccount:telemetry:agent";
/// A storm that blows.
pub struct Storm {
    plane: ControlPlane,
    nodes: Host,
    agents: Component,
    cpu: CpuLimit,
    _turn: File,
}

/// What the agents have seen so far; `agents` is how many collectors run now.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Agents {
    pub pods: u64,
    pub agents: u64,
    pub ok: u64,
    pub throttled: u64,
    pub failed: u64,
    pub bytes: u64,
}

impl fmt::Display for Agents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pods, agents, ok, throttled, failed, bytes } = self;
        write!(
            f,
            "{agents} collectors of {pods} pods: {ok} lists ({} MB), {throttled} x 429, {failed} failed",
            bytes / 1_000_000
        )
    }
}

impl Storm {
    /// Waits until no other storm blows on this machine, builds a control plane on `host` and a fleet of hollow nodes on
    /// `nodes`, fills it with ballast, deploys the telemetry service and waits until the storm has risen.
    pub fn start(lab: &Lab, host: &Host, nodes: &Host, settings: &Settings) -> Result<Self> {
        // Storms of other test binaries wait for this one's end: each needs what processor time there is.
        let turn = File::open(binaries::telemetry_agent()?)?;
        turn.lock()?;
        let api = ApiFlags { priority_and_fairness: settings.priority_and_fairness, ..ApiFlags::default() };
        let mut plane = ControlPlane::start(lab, &[host], &Options { api, ..Options::default() })?;
        plane.add_hollow_nodes(nodes, settings.nodes)?;
        load(plane.access(), settings.ballast)?;
        let masters = plane.kubectl(User::Masters)?;
        masters.apply(&service(&json!({
            "serviceAccountName": "agent",
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "agent", "image": "telemetry.invalid/agent:v1.2"}],
        })))?;
        let status = ["get", "daemonset", "-n", "telemetry", "telemetry-agent", "-o", "jsonpath={.status.numberReady}"];
        wait_until("the telemetry service on every node", UP, || {
            Ok(masters.run(&status)?.stdout == settings.nodes.to_string())
        })?;
        let token = masters.run(&["create", "token", "agent", "-n", "telemetry", "--duration=24h"])?.ok()?;
        let cpu = CpuLimit::new(settings.name, &plane.servers()[0].component().process()?, settings.cpu_percent)?;
        let agents = start_agents(&plane, nodes, settings, &token)?;
        let storm = Self { plane, nodes: nodes.clone(), agents, cpu, _turn: turn };
        let collectors = u64::from(settings.nodes) * settings.collectors;
        storm.agents.wait(UP, || Ok(storm.agents()?.agents == collectors))?;
        storm.wait_slow(settings.slow)?;
        Ok(storm)
    }

    pub fn plane(&self) -> &ControlPlane {
        &self.plane
    }

    /// The host of all nodes and agents.
    pub fn nodes(&self) -> &Host {
        &self.nodes
    }

    /// The API server's share of the processor, which a test may raise.
    pub fn cpu(&self) -> &CpuLimit {
        &self.cpu
    }

    /// What the agents have seen until a second ago.
    pub fn agents(&self) -> Result<Agents> {
        // The log is there as soon as the agents' process has got so far.
        let log = fs::read_to_string(self.agents.log()).unwrap_or_default();
        let line = log.lines().rev().find(|line| line.starts_with('{') && line.ends_with('}'));
        line.map_or_else(|| Ok(Agents::default()), |line| serde_json::from_str(line).with_context(|| line.to_owned()))
    }

    fn wait_slow(&self, slow: Duration) -> Result<()> {
        let curl = Curl::new(self.plane.access(), User::Alice)?;
        let url = format!("{}/version", self.plane.access().endpoint());
        let mut in_a_row = 0;
        wait_until(&format!("a request that takes {slow:?}, three times in a row"), UP, || {
            in_a_row = if curl.get(&url, slow)?.success() { 0 } else { in_a_row + 1 };
            Ok(in_a_row == 3)
        })
    }

    /// Waits until no agent is left, because all pods of the telemetry service are gone.
    pub fn wait_calm(&self, limit: Duration) -> Result<()> {
        let calm = wait_until("the end of all agents", limit, || Ok(self.agents()?.agents == 0));
        calm.map_err(|error| anyhow!("{error}\n{}", self.agents.tail()))
    }
}

fn load(access: &Access, [pods, configmaps, daemonsets]: [usize; 3]) -> Result<()> {
    let [ca, cert, key] = access.credential_files(User::Masters)?;
    let mut ballast = Command::new(binaries::telemetry_agent()?);
    ballast.args(["ballast", "--servers", access.endpoint()]).args(["--pods", &pods.to_string()]);
    ballast.arg("--ca").arg(ca).arg("--cert").arg(cert).arg("--key").arg(key);
    ballast.args(["--configmaps", &configmaps.to_string(), "--daemonsets", &daemonsets.to_string()]);
    Running::start(&mut ballast, b"")?.wait(UP * 3)?.ok().map(|_| ())
}

fn start_agents(plane: &ControlPlane, nodes: &Host, settings: &Settings, token: &str) -> Result<Component> {
    let folder = nodes.dir().join("telemetry");
    fs::create_dir_all(&folder)?;
    put(&folder.join("token"), token, 0o600)?;
    put(&folder.join("ca.crt"), &plane.access().pki().cluster.pem(), 0o644)?;
    put(&folder.join("etcd-ca.crt"), &plane.access().pki().etcd.pem(), 0o644)?;
    plane.access().pki().etcd.client("testbed", None, Validity::Now)?.write(&folder.join("etcd"))?;
    let addresses = hollow_nodes(nodes, settings.nodes);
    let addresses: Vec<String> = addresses.iter().map(|(name, address)| format!("{name}={address}")).collect();
    let servers: Vec<String> = plane.servers().iter().map(ApiServer::url).collect();
    let etcds: Vec<String> =
        plane.servers().iter().map(|server| format!("https://{}:2379", server.host().ip4())).collect();
    let file = |name: &str| folder.join(name).display().to_string();
    let arguments = [
        "storm".to_owned(),
        format!("--servers={}", servers.join(",")),
        format!("--ca={}", file("ca.crt")),
        format!("--token={}", file("token")),
        format!("--per-pod={}", settings.collectors),
        format!("--every={}ms", settings.every.as_millis()),
        format!("--pause={}ms", settings.pause.as_millis()),
        format!("--nodes={}", addresses.join(",")),
        format!("--paths={}", settings.lists.join(" ")),
        format!("--etcd={}", etcds.join(",")),
        "--pods=/registry/pods/telemetry/".to_owned(),
        format!("--etcd-ca={}", file("etcd-ca.crt")),
        format!("--etcd-cert={}", file("etcd.crt")),
        format!("--etcd-key={}", file("etcd.key")),
    ];
    let program = binaries::telemetry_agent()?.display().to_string();
    Component::start_program(nodes, "telemetry-agent", &program, &arguments)
}

/// Starts a control plane of static pods on `host` and a worker, fills it, and lets a real pod of the telemetry service
/// loose on the worker, until the pod is deleted: the API server is killed for its memory, starts, and is killed again.
pub fn start_storm_oom(lab: &Lab, host: &Host, worker: &Host, settings: &OomSettings) -> Result<KubeletPlane> {
    let mut plane = KubeletPlane::start(lab, host, Some(settings.memory))?;
    plane.add_worker(worker)?;
    load(plane.access(), [settings.ballast, 0, 0])?;
    let program = binaries::telemetry_agent()?;
    let secrets = "/var/run/secrets/kubernetes.io/serviceaccount";
    let pod = json!({
        "serviceAccountName": "agent",
        "hostNetwork": true,
        "terminationGracePeriodSeconds": 1,
        "volumes": [{"name": "programs", "hostPath": {"path": program.parent()}}],
        "containers": [{
            "name": "agent",
            "image": image::BUSYBOX,
            "volumeMounts": [{"name": "programs", "mountPath": "/k"}],
            "command": [
                "telemetry-agent", "storm",
                format!("--servers={}", plane.access().endpoint()),
                format!("--ca={secrets}/ca.crt"),
                format!("--token={secrets}/token"),
                format!("--user-agent={}", settings.user_agent),
                format!("--per-pod={}", settings.collectors),
                format!("--paths={}", settings.list),
            ],
        }],
    });
    plane.kubectl(User::Masters)?.apply(&service(&pod))?;
    wait_until("the telemetry service on the worker", UP, || Ok(pod_process(worker, "telemetry-agent").is_some()))?;
    Ok(plane)
}

//! The telemetry service as objects of the cluster, and the process that plays its agents.

use std::{fs, process::Command};

use anyhow::Result;
use serde_json::{Value, json};

use super::settings::{Settings, Tokens};
use crate::{
    Host, Running,
    access::Access,
    binaries,
    component::{Component, wait_until},
    control_plane::{ApiServer, ControlPlane, UP, hollow_kubelets},
    pki::{User, put},
};

/// The user that the agents are to the API server.
pub const OFFENDER: &str = "system:serviceaccount:telemetry:agent";

/// The telemetry service's namespace and rights.
pub(super) const ACCOUNT: &str = "
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

/// A token that no pod is bound to; the controller manager writes it.
const SECRET: &str = "
apiVersion: v1
kind: Secret
type: kubernetes.io/service-account-token
metadata: {name: agent-token, namespace: telemetry, annotations: {kubernetes.io/service-account.name: agent}}
";

/// A pod's token on a hollow node, whose kubelet keeps its volumes in a folder that it names itself.
const TOKEN: &str = "/tmp/hollow-kubelet.*/pods/{pod}/volumes/*/*/token";

/// The DaemonSet with the given pod: JSON is YAML, too.
pub(super) fn daemon_set(pod: &Value) -> String {
    let labels = json!({"app": "telemetry-agent"});
    let spec = json!({
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    });
    let metadata = json!({"name": "telemetry-agent", "namespace": "telemetry"});
    json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata, "spec": spec}).to_string()
}

/// Deploys the telemetry service on hollow nodes, and waits until it is Ready on every one.
pub(super) fn deploy(plane: &ControlPlane, settings: &Settings) -> Result<()> {
    let masters = plane.kubectl(User::Masters)?;
    masters.apply(ACCOUNT)?;
    let mut pod = json!({
        "serviceAccountName": "agent",
        "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "agent", "image": "telemetry.invalid/agent:v1.2"}],
    });
    if settings.tokens == Tokens::Secret {
        masters.apply(SECRET)?;
        let token = ["get", "secret", "-n", "telemetry", "agent-token", "-o", "jsonpath={.data.token}"];
        wait_until("a token in the Secret", UP, || Ok(!masters.run(&token)?.stdout.is_empty()))?;
        pod["automountServiceAccountToken"] = json!(false);
        pod["volumes"] = json!([{"name": "token", "secret": {"secretName": "agent-token"}}]);
        let place = "/var/run/secrets/kubernetes.io/serviceaccount";
        pod["containers"][0]["volumeMounts"] = json!([{"name": "token", "mountPath": place}]);
    }
    masters.apply(&daemon_set(&pod))?;
    wait_deployed(plane, settings)
}

/// Waits until the telemetry service is Ready on every node.
pub(super) fn wait_deployed(plane: &ControlPlane, settings: &Settings) -> Result<()> {
    let masters = plane.kubectl(User::Masters)?;
    let status = ["get", "daemonset", "-n", "telemetry", "telemetry-agent", "-o", "jsonpath={.status.numberReady}"];
    wait_until("the telemetry service on every node", UP, || {
        Ok(masters.run(&status)?.stdout == settings.nodes.to_string())
    })
}

/// Fills the cluster with pods of 10 KB, configmaps of 4 KB and daemonsets that run nowhere, up to these counts.
///
/// # Errors
/// If one could not be created within some minutes.
pub fn ballast(access: &Access, [pods, configmaps, daemonsets]: [usize; 3]) -> Result<()> {
    let [ca, cert, key] = access.credential_files(User::Masters)?;
    let mut ballast = Command::new(binaries::telemetry_agent()?);
    ballast.args(["ballast", "--servers", access.endpoint()]).args(["--pods", &pods.to_string()]);
    ballast.arg("--ca").arg(ca).arg("--cert").arg(cert).arg("--key").arg(key);
    ballast.args(["--configmaps", &configmaps.to_string(), "--daemonsets", &daemonsets.to_string()]);
    Running::start(&mut ballast, b"")?.wait(UP * 3)?.ok().map(|_| ())
}

/// Starts the process that plays the agents of those pods that the hollow kubelets run.
pub(super) fn start_agents(plane: &ControlPlane, nodes: &Host, settings: &Settings) -> Result<Component> {
    let folder = nodes.dir().join("telemetry");
    fs::create_dir_all(&folder)?;
    let ca = folder.join("ca.crt");
    put(&ca, &plane.access().pki().cluster.pem(), 0o644)?;
    let kubelets = hollow_kubelets(nodes, settings.nodes);
    let kubelets: Vec<String> = kubelets.iter().map(|(address, port)| format!("{address}=127.0.0.1:{port}")).collect();
    let servers: Vec<String> = plane.servers().iter().map(ApiServer::url).collect();
    let mut arguments = vec![
        "storm".to_owned(),
        format!("--servers={}", servers.join(",")),
        format!("--ca={}", ca.display()),
        format!("--per-pod={}", settings.collectors),
        format!("--every={}ms", settings.every.as_millis()),
        format!("--pause={}ms", settings.pause.as_millis()),
        format!("--nodes={}", kubelets.join(",")),
        format!("--paths={}", settings.lists.join(" ")),
    ];
    if settings.tokens == Tokens::Masters {
        let pair = folder.join("masters");
        plane.access().pki().credentials(User::Masters)?.write(&pair)?;
        arguments.extend([format!("--cert={}.crt", pair.display()), format!("--key={}.key", pair.display())]);
    } else {
        arguments.push(format!("--tokens={TOKEN}"));
    }
    let program = binaries::telemetry_agent()?.display().to_string();
    Component::start_program(nodes, "telemetry-agent", &program, &arguments)
}

/// Makes a service account that may read, and starts a client that does so with its token.
pub(super) fn innocent(plane: &ControlPlane, nodes: &Host, name: &str) -> Result<Component> {
    let masters = plane.kubectl(User::Masters)?;
    masters.run(&["create", "serviceaccount", name, "-n", "default"])?.ok()?;
    let account = format!("--serviceaccount=default:{name}");
    masters.run(&["create", "clusterrolebinding", name, "--clusterrole=view", &account])?.ok()?;
    let token = masters.run(&["create", "token", name, "-n", "default"])?.ok()?;
    let folder = nodes.dir().join(name);
    fs::create_dir_all(&folder)?;
    put(&folder.join("token"), token.trim(), 0o600)?;
    put(&folder.join("ca.crt"), &plane.access().pki().cluster.pem(), 0o644)?;
    let servers: Vec<String> = plane.servers().iter().map(ApiServer::url).collect();
    let arguments = [
        "storm".to_owned(),
        format!("--servers={}", servers.join(",")),
        format!("--ca={}", folder.join("ca.crt").display()),
        format!("--token={}", folder.join("token").display()),
        format!("--user-agent={name}/v1"),
        "--every=200ms".to_owned(),
        "--paths=/api/v1/namespaces/default/configmaps/kube-root-ca.crt".to_owned(),
    ];
    let program = binaries::telemetry_agent()?.display().to_string();
    Component::start_program(nodes, "telemetry-agent", &program, &arguments)
}

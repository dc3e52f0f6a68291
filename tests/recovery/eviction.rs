//! What becomes of the pods of nodes that a gate keeps from the API for longer than the node grace period, in a real
//! controller manager whose grace period is short.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testbed::{User, wait_until};

use super::{LONG, Scene, scene};

/// Kubelets renew their lease every 10 s.
const GRACE: Duration = Duration::from_secs(20);
/// How long the pod bears a node that is lost.
const BEARS: Duration = Duration::from_secs(5);

const PATIENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: patient, namespace: default}
spec:
  replicas: 1
  selector: {matchLabels: {app: patient}}
  template:
    metadata: {labels: {app: patient}}
    spec:
      nodeSelector: {kubernetes.io/hostname: WORKER}
      terminationGracePeriodSeconds: 1
      tolerations:
      - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 5}
      - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 5}
      containers:
      - {name: main, image: 'bg.local/busybox:1', command: [sleep, '54321']}
";

/// The same cut twice: as it is, and with the node lifecycle frozen before it and thawed after it.
pub(crate) fn only_frozen_nodes_keep_their_pods() -> Result<()> {
    let scene = &*scene()?;
    let manifests = scene.manifests()?;
    let manager = scene.plane.manifests().join("kube-controller-manager.yaml");
    let as_it_was = std::fs::read_to_string(&manager)?;
    manifest(
        scene,
        &as_it_was.replacen(
            "- --leader-elect",
            "- --node-monitor-grace-period=20s\n    - --node-monitor-period=2s\n    - --leader-elect",
            1,
        ),
    )?;
    wait_until("the short grace period", LONG, || Ok(runs_with(scene, "--node-monitor-grace-period=20s")))?;
    let ended = cut_twice(scene);
    manifest(scene, &as_it_was)?;
    wait_until("the old grace period", LONG, || Ok(!runs_with(scene, "--node-monitor-grace-period=20s")))?;
    ended?;
    ensure!(scene.manifests()? == manifests, "the manifests are not what they were, to the byte");
    Ok(())
}

fn cut_twice(scene: &Scene) -> Result<()> {
    let masters = scene.plane.kubectl(User::Masters)?;
    masters.apply(&PATIENT.replace("WORKER", &scene.worker))?;
    let first = running(scene, "")?;
    let began = Instant::now();
    scene.run("cut", &["gate", "close", "--for", "10m", "--yes", "--reason", "a test"])?;
    wait_until("the taint of a lost node", LONG, || tainted(scene))?;
    let lost = began.elapsed();
    wait_until("the eviction", LONG, || Ok(pod(scene)?.is_none_or(|pod| pod.leaving || pod.uid != first)))?;
    let evicted = began.elapsed();
    println!(
        "not frozen: the node counts as lost {lost:.0?} after the cut, and its pod is evicted after {evicted:.0?}"
    );
    ensure!(lost + Duration::from_secs(11) > GRACE, "lost after {lost:?}, before its time");
    scene.run("cut", &["gate", "open", "--at-once", "--yes"])?;
    wait_until("the node to come back", LONG, || Ok(!tainted(scene)?))?;

    let second = running(scene, &first)?;
    step(scene, "freeze-nodes")?;
    let began = Instant::now();
    scene.run("cut", &["gate", "close", "--for", "10m", "--yes", "--reason", "a test"])?;
    // Twice as long as the eviction took before.
    while began.elapsed() < evicted * 2 {
        unharmed(scene, &second, "while it is cut off")?;
        std::thread::sleep(Duration::from_secs(1));
    }
    let cut = began.elapsed();
    scene.run("cut", &["gate", "open", "--at-once", "--yes"])?;
    step(scene, "thaw-nodes")?;
    let thawed = Instant::now();
    while thawed.elapsed() < GRACE + BEARS * 2 {
        unharmed(scene, &second, "after the thaw")?;
        std::thread::sleep(Duration::from_secs(1));
    }
    println!("frozen: cut off for {cut:.0?}, opened and thawed: no taint, and the pod is the same one");
    masters.run(&["delete", "deployment", "patient"])?.ok()?;
    Ok(())
}

/// Puts the text of the controller manager's manifest in its place, whole.
fn manifest(scene: &Scene, text: &str) -> Result<()> {
    let beside = scene.host().etc_kubernetes().join("next.yaml");
    std::fs::write(&beside, text)?;
    std::fs::rename(beside, scene.plane.manifests().join("kube-controller-manager.yaml"))?;
    Ok(())
}

fn runs_with(scene: &Scene, flag: &str) -> bool {
    let Some(manager) = scene.plane.static_pod("kube-controller-manager") else { return false };
    std::fs::read_to_string(format!("/proc/{}/cmdline", manager.pid)).is_ok_and(|line| line.contains(flag))
}

fn step(scene: &Scene, kind: &str) -> Result<()> {
    let file = scene.folder.join(format!("cut-{kind}.yaml"));
    let head = "apiVersion: breakglass/v1\nkind: Runbook\nmetadata: {name: it, purpose: A test.}\n";
    std::fs::write(&file, format!("{head}spec:\n  steps:\n    - {{name: it, kind: {kind}, timeout: 5m}}\n"))?;
    println!("{}", scene.run("cut", &["run", file.to_str().context("an odd path")?, "--cluster", "lab", "--yes"])?);
    Ok(())
}

struct Pod {
    uid: String,
    running: bool,
    leaving: bool,
}

/// The deployment's pod: the one that stays, where there are two.
fn pod(scene: &Scene) -> Result<Option<Pod>> {
    let masters = scene.plane.kubectl(User::Masters)?;
    let list: Value = serde_json::from_str(&masters.run(&["get", "pods", "-l", "app=patient", "-o", "json"])?.ok()?)?;
    let pods = list["items"].as_array().into_iter().flatten().map(|pod| Pod {
        uid: pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned(),
        running: pod["status"]["phase"] == "Running",
        leaving: !pod["metadata"]["deletionTimestamp"].is_null(),
    });
    Ok(pods.min_by_key(|pod| pod.leaving))
}

/// The pod's uid, once one other than `before` runs.
fn running(scene: &Scene, before: &str) -> Result<String> {
    let mut uid = String::new();
    wait_until("a running pod", LONG, || {
        let found = pod(scene)?.filter(|pod| pod.running && !pod.leaving && pod.uid != before);
        uid = found.map(|pod| pod.uid).unwrap_or_default();
        Ok(!uid.is_empty())
    })?;
    Ok(uid)
}

/// Whether the node has a taint that evicts.
fn tainted(scene: &Scene) -> Result<bool> {
    let masters = scene.plane.kubectl(User::Masters)?;
    let node: Value = serde_json::from_str(&masters.run(&["get", "node", &scene.worker, "-o", "json"])?.ok()?)?;
    Ok(node["spec"]["taints"].as_array().into_iter().flatten().any(|taint| taint["effect"] == "NoExecute"))
}

fn unharmed(scene: &Scene, uid: &str, when: &str) -> Result<()> {
    ensure!(!tainted(scene)?, "{when}: the node has the taint of a lost one");
    let same = pod(scene)?.is_some_and(|pod| pod.uid == uid && !pod.leaving);
    ensure!(same, "{when}: the pod was evicted");
    Ok(())
}

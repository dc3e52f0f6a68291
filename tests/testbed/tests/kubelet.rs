//! The kubelet kind: static pods are real containers, and a kubelet does with their manifests what a kubelet does.

use std::{process::ExitCode, sync::OnceLock, time::Duration};

use anyhow::{Context, Result, anyhow};
use testbed::{KubeletPlane, Lab, User, test, wait_until};

const LONG: Duration = Duration::from_mins(5);

fn main() -> ExitCode {
    testbed::main_with_kubernetes(vec![
        test("static_pods_are_containers_of_kubelet_and_containerd", static_pods),
        test("worker_runs_daemonset_pods_until_the_daemonset_goes", daemonset),
    ])
}

/// One control-plane host and one worker for all tests.
fn shared() -> Result<&'static KubeletPlane> {
    static PLANE: OnceLock<Result<KubeletPlane, String>> = OnceLock::new();
    let start = || -> Result<KubeletPlane> {
        let lab = Lab::shared()?;
        let mut plane = KubeletPlane::start(lab, &lab.host("cp1")?, None)?;
        plane.add_worker(&lab.host("worker1")?)?;
        Ok(plane)
    };
    let plane = PLANE.get_or_init(|| start().map_err(|error| format!("{error:#}")));
    plane.as_ref().map_err(|error| anyhow!("{error}"))
}

fn static_pods() -> Result<()> {
    let plane = shared()?;
    let containers = plane.host().sh("ctr -a /run/containerd/containerd.sock -n k8s.io containers list")?.ok()?;
    assert!(containers.contains("bg.local/busybox:1"), "{containers}");
    for name in ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
        let process = plane.static_pod(name).with_context(|| format!("{name} does not run"))?;
        let group = std::fs::read_to_string(format!("/proc/{}/cgroup", process.pid))?;
        assert!(group.contains("/cp1/kubepods/"), "{name}: {group}");
    }
    // A kubelet starts what ends: that is what makes it a static pod.
    let before = plane.static_pod("kube-scheduler").context("no scheduler")?;
    before.signal(rustix::process::Signal::KILL);
    wait_until("a new scheduler", LONG, || {
        Ok(plane.static_pod("kube-scheduler").is_some_and(|now| now.pid != before.pid))
    })?;
    let node = plane.kubectl(User::Alice)?.json(&["get", "node", "cp1"])?;
    let info = &node["status"]["nodeInfo"];
    assert_eq!(info["kubeletVersion"], "v1.34.4");
    assert!(
        info["containerRuntimeVersion"].as_str().is_some_and(|version| version.starts_with("containerd://")),
        "{info}"
    );
    Ok(())
}

const AGENT: &str = "
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: log-agent}
spec:
  selector: {matchLabels: {app: log-agent}}
  template:
    metadata: {labels: {app: log-agent}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: main, image: 'bg.local/busybox:1', command: [sleep, '54321']}
";

fn daemonset() -> Result<()> {
    let plane = shared()?;
    let alice = plane.kubectl(User::Alice)?;
    alice.apply(AGENT)?;
    let pods =
        || -> Result<String> { alice.run(&["get", "pods", "-l", "app=log-agent", "--no-headers", "-o", "wide"])?.ok() };
    wait_until("a Running pod on the worker", LONG, || Ok(pods()?.contains("Running")))?;
    let pod = pods()?;
    assert!(pod.contains("worker1") && pod.contains("10.244.1."), "{pod}");
    alice.run(&["delete", "daemonset", "log-agent", "--wait=false"])?.ok()?;
    wait_until("the end of its pod", LONG, || Ok(pods()?.is_empty()))?;
    Ok(())
}

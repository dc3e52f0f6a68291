//! A roll-out that went wrong: the version before comes back on a real kubelet, behind a closed gate, too, and undo brings the bad one.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testbed::{User, wait_until};

use super::{LONG, Scene, flat, scene};

/// How the good and the bad version are told apart: no other process of the lab sleeps for so long.
const GOOD: &str = "31111";
const BAD: &str = "32222";

fn agent(seconds: &str) -> String {
    format!(
        "
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: rolled}}
spec:
  selector: {{matchLabels: {{app: rolled}}}}
  template:
    metadata: {{labels: {{app: rolled}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {{name: main, image: 'bg.local/busybox:1', command: [sleep, '{seconds}']}}
"
    )
}

/// How many processes of that version run, on all nodes.
fn running(seconds: &str) -> Result<usize> {
    let wanted = format!("sleep\0{seconds}\0");
    let of = |entry: std::io::Result<std::fs::DirEntry>| -> bool {
        entry.and_then(|entry| std::fs::read(entry.path().join("cmdline"))).is_ok_and(|line| line == wanted.as_bytes())
    };
    Ok(std::fs::read_dir("/proc")?.map(of).filter(|is| *is).count())
}

fn template(scene: &Scene) -> Result<Value> {
    let seen = scene.plane.kubectl(User::Masters)?.json(&["get", "daemonset", "rolled"])?;
    Ok(seen["spec"]["template"].clone())
}

pub(super) fn it_comes_back_behind_a_gate() -> Result<()> {
    let scene = &*scene()?;
    let kubectl = scene.kubectl()?;
    kubectl.apply(&agent(GOOD))?;
    wait_until("the good version on its nodes", LONG, || Ok(running(GOOD)? > 0))?;
    wait_until("its first revision to be over", LONG, || {
        Ok(kubectl.run(&["rollout", "status", "ds/rolled"])?.success())
    })?;
    let nodes = running(GOOD)?;
    kubectl.apply(&agent(BAD))?;
    wait_until("the bad version everywhere", LONG, || Ok(running(BAD)? == nodes && running(GOOD)? == 0))?;
    let before = template(scene)?;

    let command = ["run", "roll-back", "-p", "offender=ds/default/rolled", "-p", "gate=true", "-p", "window=5s"];
    let mark = scene.plane.audit().mark()?;
    let told =
        flat(&scene.run(&[&command[..], &["--cluster", "lab", "--yes", "--reason", "a rehearsal", "-v"]].concat())?);
    for word in ["back to revision 1", "pods are new and available"] {
        ensure!(told.contains(word), "{word}: {told}");
    }
    ensure!(running(GOOD)? == nodes, "{} of {nodes} run the good version", running(GOOD)?);
    wait_until("the last of the bad version to end", LONG, || Ok(running(BAD)? == 0))?;
    let writes: Vec<String> =
        scene.plane.audit().by("alice", mark)?.iter().filter(|one| one.is_write()).map(|one| one.uri.clone()).collect();
    let patch = writes.first().context("a PATCH")?;
    ensure!(patch.ends_with("/daemonsets/rolled") && writes.len() == 2, "a patch, and the end of its pods: {writes:?}");

    scene.run(&["undo", "last", "--yes"])?;
    ensure!(template(scene)? == before, "{} and {before}", template(scene)?);
    wait_until("the bad version again", LONG, || Ok(running(BAD)? == nodes && running(GOOD)? == 0))?;
    kubectl.run(&["delete", "daemonset", "rolled"])?.ok()?;
    wait_until("its pods to end", LONG, || Ok(running(BAD)? == 0))
}

/// One replica, of an image that is on the nodes or of one that is nowhere.
fn stuck(image: &str) -> String {
    format!(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {{name: stuck}}
spec:
  replicas: 1
  progressDeadlineSeconds: 2
  selector: {{matchLabels: {{app: stuck}}}}
  template:
    metadata: {{labels: {{app: stuck}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {{name: main, image: 'bg.local/{image}', imagePullPolicy: Never, command: [sleep, '33333']}}
"
    )
}

/// Its controller still says so of the version before when the good one is there already: that must not be taken for an end.
pub(super) fn one_that_its_controller_gave_up_is_waited_for() -> Result<()> {
    let scene = &*scene()?;
    let kubectl = scene.kubectl()?;
    kubectl.apply(&stuck("busybox:1"))?;
    wait_until("the good version to be available", LONG, || {
        // No answer is none yet: a host that starves has its API server restarted.
        Ok(kubectl.json(&["get", "deployment", "stuck"]).is_ok_and(|seen| seen["status"]["availableReplicas"] == 1))
    })?;
    kubectl.apply(&stuck("nowhere:2"))?;
    wait_until("its controller to give it up", LONG, || {
        let gave_up = |seen: Value| seen["status"].to_string().contains("ProgressDeadlineExceeded");
        Ok(kubectl.json(&["get", "deployment", "stuck"]).is_ok_and(gave_up))
    })?;
    let rollback = ["rollback", "deploy/stuck", "-n", "default", "--wait", "2m", "--cluster", "lab", "--yes", "-v"];
    let told = flat(&scene.run(&rollback)?);
    ensure!(told.contains("all 1 pods are new and available (bg.local/busybox:1)"), "{told}");
    ensure!(running("33333")? == 1);
    let status = &kubectl.json(&["get", "deployment", "stuck"])?["status"];
    ensure!(status["replicas"] == 1 && status["availableReplicas"] == 1, "{status}");
    kubectl.run(&["delete", "deployment", "stuck"])?.ok()?;
    wait_until("its pods to end", LONG, || Ok(running("33333")? == 0))
}

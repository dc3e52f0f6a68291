//! The telemetry service comes back in stages: where a share of it drowns the server it is taken back, on a larger server it
//! comes everywhere.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use testbed::{STORM_RHYTHM, Settings, User, wait_until};

use super::{ENDED_WITHIN, LAG, LONG, Scene, small_gets_are_quick};

const WORKLOAD: &str = "ds/telemetry/telemetry-agent";
/// The server is one on which a fifth of the nodes' collectors cannot be served; with this all of them can.
const LARGER: u32 = 400;

pub(crate) fn in_stages() -> Result<()> {
    let settings = Settings { name: "release", story: Duration::from_secs(200), ..STORM_RHYTHM };
    let scene = Scene::new(1, &settings)?;
    let audit = scene.storm.plane().servers()[0].audit();
    let lull = scene.storm.lull()?;
    scene.alice.run("park", &["park", WORKLOAD, "--yes"])?;
    let parked = selector(&scene)?;
    // While the collectors stand still: a server that drowns keeps the kubelets from ending what drowns it.
    wait_until("the end of its pods", LONG, || {
        Ok(ask(&scene, &["get", "pods", "-n", "telemetry", "--no-headers", "-o", "name"])?.is_empty())
    })?;
    drop(lull);
    scene.storm.wait_calm(LONG)?;
    small_gets_are_quick(scene.storm.plane().access())?;

    let mark = audit.mark()?;
    let release = ["release", WORKLOAD, "--window", "8s", "--yes"];
    let output = scene.alice.start("badly", &release)?.wait(ENDED_WITHIN * 2)?;
    let said = format!("{}{}", output.stdout, output.stderr);
    println!("{said}\ntaken back after {:.1} s", output.took.as_secs_f32());
    ensure!(output.code == 5, "it ended with {}", output.code);
    for part in ["stage 1 of 5 (1 of 25 nodes) went well", "went badly", "all of it is taken back"] {
        ensure!(said.contains(part), "{part:?} is not said");
    }
    ensure!(selector(&scene)? == parked, "it is parked otherwise than before: {}", selector(&scene)?);
    ensure!(labelled(&scene)?.is_empty(), "nodes have the label still: {}", labelled(&scene)?);
    scene.storm.wait_calm(LAG)?;
    small_gets_are_quick(scene.storm.plane().access())?;
    // What the audit log says that it cost: one PATCH each way of the DaemonSet, two of each node of a stage.
    let writes = audit.by("alice", mark)?;
    // What a drowned server did not answer in time is sent once more, and refused by its own tests where the first arrived.
    let patched = |what: &str| {
        writes.iter().filter(|one| one.verb == "patch" && one.uri.contains(what) && one.code() == Some(200)).count()
    };
    let (workload, nodes) = (patched("/daemonsets/telemetry-agent"), patched("/nodes/"));
    println!("{workload} patches of the workload, {nodes} of nodes");
    ensure!(workload == 2, "{workload} patches of the workload");
    ensure!(nodes.is_multiple_of(2) && nodes < 2 * 25, "{nodes} patches of nodes");

    scene.storm.cpu().set(LARGER)?;
    // That it comes everywhere is what is tried here, not how quick a busy machine is.
    let release = [&release[..], &["--p99", "4s"]].concat();
    let output = scene.alice.start("well", &release)?.wait(ENDED_WITHIN * 2)?;
    println!("{}{}\neverywhere after {:.1} s", output.stdout, output.stderr, output.took.as_secs_f32());
    output.ok()?;
    scene.storm.wait_deployed()?;
    ensure!(selector(&scene)?.is_empty(), "it is not everywhere: {}", selector(&scene)?);
    ensure!(labelled(&scene)?.is_empty(), "nodes have the label still: {}", labelled(&scene)?);

    scene.alice.run("well", &["undo", "last", "--yes"])?;
    ensure!(selector(&scene)? == parked, "undo parks it otherwise than before: {}", selector(&scene)?);
    scene.storm.wait_calm(LONG)
}

fn selector(scene: &Scene) -> Result<String> {
    ask(scene, &["get", "-n", "telemetry", "ds/telemetry-agent", "-o", "jsonpath={.spec.template.spec.nodeSelector}"])
}

fn labelled(scene: &Scene) -> Result<String> {
    ask(scene, &["get", "nodes", "-l", "breakglass.io/parked", "-o", "name"])
}

/// What kubectl says, once it is answered.
fn ask(scene: &Scene, words: &[&str]) -> Result<String> {
    let masters = scene.storm.plane().kubectl(User::Masters)?;
    let mut said = None;
    wait_until("an answer to kubectl", LONG, || {
        said = masters.run_within(words, b"", LONG).ok().filter(testbed::Output::success).map(|output| output.stdout);
        Ok(said.is_some())
    })?;
    said.context("no answer")
}

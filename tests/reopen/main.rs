//! The real program against a real storm: everybody let back at once drowns the server again, in stages they do not.

#![expect(clippy::disallowed_macros, reason = "a test says the figures it measured")]

use std::{
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use testbed::{Beside, Host, Lab, Running, STORM_RHYTHM, Settings, Storm, User, hollow_nodes, test, wait_until};

mod engineer;
mod pulse;

use engineer::Engineer;
use pulse::{LIMIT, Pulse};

/// More than anything but the storm itself and the re-opening takes here.
const LONG: Duration = Duration::from_mins(2);
/// More than the re-opening takes, with a stage or two that are closed again.
const OPENING: Duration = Duration::from_mins(8);
/// As long as a hurried engineer would wait for one command.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long the nodes are cut off before everybody is let back at once: in an incident it is longer. By then their kubelets
/// pause for up to half a minute between two tries, and the collectors, which never pause, are back before them.
const CUT: Duration = Duration::from_secs(45);
/// How many nodes make a pool, which is a stage of the re-opening.
const POOL: usize = 3;
/// Unanswered requests in a row that make a drowned server.
const DROWNED: usize = 3;

fn main() -> ExitCode {
    testbed::main_with_kubernetes(vec![
        test("let_back_in_stages_it_does_not_drown", in_stages),
        test("let_back_at_once_it_drowns_again", at_once),
    ])
}

/// A storm behind a gate, with its offender deleted: what is left is to let everybody back.
struct Scene {
    storm: Storm,
    api: Host,
    alice: Engineer,
    /// How many pools there are: the stages of the gate.
    pools: usize,
}

impl Scene {
    /// `meanwhile` happens in the storm.
    fn new(settings: &Settings, meanwhile: impl FnOnce(&Storm) -> Result<()>) -> Result<Self> {
        let lab = Lab::shared()?;
        let [api, nodes] = ["cp1", "nodes"].map(|role| format!("{}-{role}", settings.name));
        let (api, nodes) = (lab.host(&api)?, lab.host(&nodes)?);
        let storm = Storm::start(lab, &api, &nodes, settings)?;
        println!("storm: {}", storm.agents()?);
        meanwhile(&storm)?;
        let credentials = storm.plane().access().credential_files(User::Alice)?;
        let alice = Engineer::new(settings.name, &credentials, std::slice::from_ref(&api), &nodes)?;
        let pools = pools(&nodes);
        alice.run("gate", &closing(&pools))?;
        delete_the_offender(&storm, &alice)?;
        Ok(Self { storm, api, alice, pools: pools.len() })
    }
}

fn at_once() -> Result<()> {
    let settings = Settings { name: "at-once", ..STORM_RHYTHM };
    let scene = Scene::new(&settings, |storm| {
        let locked_out = lone_kubectl(storm)?;
        println!("a lone kubectl delete: {locked_out}");
        Ok(())
    })?;
    thread::sleep(CUT);
    let pulse = Pulse::start(&scene.storm)?;
    scene.alice.run("gate", &["gate", "open", "--at-once", "--yes"])?;
    let opened = Instant::now();
    wait_until("a server that drowns again", LONG, || Ok(pulse.unanswered_in_a_row() >= DROWNED))
        .map_err(|error| anyhow!("{error:#}: {}", pulse.take()))?;
    let (took, left) = (opened.elapsed().as_secs_f32(), scene.storm.agents()?);
    println!("at once: drowned after {took:.0} s: {}; {left}", pulse.take());
    Ok(())
}

/// The same storm, before the same kind of server.
fn in_stages() -> Result<()> {
    let settings = Settings { name: "in-stages", beside: Beside::Nothing, ..STORM_RHYTHM };
    let Scene { storm, api, alice, pools } = Scene::new(&settings, |_| Ok(()))?;
    let pulse = Pulse::start(&storm)?;
    let opened = Instant::now();
    let opening = alice.start("gate", &["gate", "open", "--window", "10s", "--p99", "2s", "--yes"])?;
    let levels = levels_until_its_end(&api, opening)?;
    let beats = pulse.take();
    println!("in stages: open after {:.0} s, by way of {levels:?}: {beats}", opened.elapsed().as_secs_f32());
    ensure!((0..=pools).all(|level| levels.contains(&Some(level))), "a stage was left out: {levels:?}");
    // A stage that goes badly is open until a look, which takes up to five seconds, has seen it: two in a row, and not three.
    ensure!(beats.unanswered_in_a_row() < DROWNED, "requests in a row were not answered within {LIMIT:?}: {beats}");
    ensure!(beats.percentile(95) < LIMIT, "it was not well most of the time: {beats}");
    storm.wait_calm(LONG)?;
    wait_until("every node to be Ready", LONG, || {
        let nodes = storm.plane().kubectl(User::Alice)?.run(&["get", "nodes", "--no-headers"])?.ok()?;
        let ready = nodes.lines().filter(|line| line.split_whitespace().nth(1) == Some("Ready")).count();
        Ok(ready == usize::from(settings.nodes))
    })
}

/// Deletes a bystander; what came of it, which is told and not judged (`storm` of the testbed is). The storm goes on.
fn lone_kubectl(storm: &Storm) -> Result<String> {
    let kubectl = storm.plane().kubectl(User::Alice)?;
    let output = kubectl.run_within(&["delete", "daemonset", "bystander-0", "--wait=false"], b"", PATIENCE);
    let Ok(output) = output else { return Ok(format!("nothing within {PATIENCE:?}")) };
    let came = if output.success() { "done" } else { "failed" };
    Ok(format!("{came} after {:.0} s", output.took.as_secs_f32()))
}

/// The nodes' addresses by pools, as `--set` takes them.
fn pools(nodes: &Host) -> Vec<(String, String)> {
    let nodes = hollow_nodes(nodes, STORM_RHYTHM.nodes);
    let pool = |(number, pool): (usize, &[(String, std::net::Ipv4Addr)])| {
        let addresses: Vec<String> = pool.iter().map(|(_, address)| address.to_string()).collect();
        let name = format!("pool-{}", number + 1);
        (name.clone(), format!("{name}={}", addresses.join(",")))
    };
    nodes.chunks(POOL).enumerate().map(pool).collect()
}

fn closing(pools: &[(String, String)]) -> Vec<&str> {
    let mut words = vec!["gate", "close", "--yes", "--reason", "it drowns"];
    for (name, set) in pools {
        words.extend(["--stages", name, "--set", set]);
    }
    words
}

/// Behind the gate, by one request, whose end is the audit log's word.
fn delete_the_offender(storm: &Storm, alice: &Engineer) -> Result<()> {
    let audit = storm.plane().servers()[0].audit();
    let mark = audit.mark()?;
    alice.run("delete", &["delete", "ds/telemetry-agent", "-n", "telemetry", "--yes"])?;
    let deletes = audit.by("alice", mark)?;
    let done = |uri: &str| uri.starts_with("/apis/apps/v1/namespaces/telemetry/daemonsets/telemetry-agent");
    ensure!(
        deletes.iter().any(|one| one.verb == "delete" && done(&one.uri) && one.code() == Some(200)),
        "the audit log shows no DELETE: {deletes:?}"
    );
    // The garbage collector marks the pods; only their kubelets can end them.
    let kubectl = storm.plane().kubectl(User::Alice)?;
    let marks = ["get", "pods", "-n", "telemetry", "-o", "jsonpath={.items[*].metadata.deletionTimestamp}"];
    wait_until("a mark of deletion on every pod", LONG, || {
        Ok(kubectl.run(&marks)?.stdout.split_whitespace().count() == usize::from(STORM_RHYTHM.nodes))
    })
}

/// At which levels the gate was, until the command that opens it has ended well; `None` without a gate.
fn levels_until_its_end(api: &Host, mut opening: Running) -> Result<Vec<Option<usize>>> {
    let began = Instant::now();
    let mut levels = Vec::new();
    while opening.is_running() && began.elapsed() < OPENING {
        let level = engineer::level(api)?;
        if levels.last() != Some(&level) {
            levels.push(level);
        }
        thread::sleep(Duration::from_secs(1));
    }
    opening.wait(Duration::from_secs(1)).with_context(|| format!("it had come by way of {levels:?}"))?.ok()?;
    ensure!(engineer::level(api)?.is_none(), "the gate is still there");
    Ok(levels)
}

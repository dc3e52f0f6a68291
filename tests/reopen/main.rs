//! The real program against a real storm: everybody let back at once drowns the server again, in stages they do not.

#![expect(clippy::disallowed_macros, reason = "a test says the figures it measured")]

use std::{
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use testbed::{Host, Lab, Running, STORM_RHYTHM, Storm, User, hollow_nodes, test, wait_until};

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
/// What lets a storm come back to its full strength.
const PLENTY: u32 = 200;
/// How long the nodes are cut off before everybody is let back at once: in an incident it is longer. By then their kubelets
/// pause for up to half a minute between two tries, and the collectors, which never pause, are back before them.
const CUT: Duration = Duration::from_secs(45);
/// How many nodes make a pool, which is a stage of the re-opening.
const POOL: usize = 3;
/// Unanswered requests in a row that make a drowned server.
const DROWNED: usize = 3;

fn main() -> ExitCode {
    testbed::main_with_kubernetes(vec![test(
        "let_back_at_once_it_drowns_again_and_in_stages_it_does_not",
        side_by_side,
    )])
}

fn side_by_side() -> Result<()> {
    let lab = Lab::shared()?;
    let hosts = lab.hosts(["cp1", "nodes"])?;
    let (api, nodes) = (&hosts[0], &hosts[1]);
    let storm = Storm::start(lab, api, nodes, &STORM_RHYTHM)?;
    let locked_out = lone_kubectl(&storm)?;
    println!("storm: {}; a lone kubectl delete: {locked_out}", storm.agents()?);

    let credentials = storm.plane().access().credential_files(User::Alice)?;
    let alice = Engineer::new("reopen", &credentials, std::slice::from_ref(api), nodes)?;
    let pools = pools(nodes);
    let close = closing(&pools);
    alice.run("gate", &close)?;
    let collectors = storm.agents()?.agents;
    delete_the_offender(&storm, &alice)?;

    let pulse = Pulse::start(&storm)?;
    let opened = Instant::now();
    let opening = alice.start("gate", &["gate", "open", "--window", "10s", "--p99", "2s", "--yes"])?;
    let levels = levels_until_its_end(api, opening)?;
    let beats = pulse.take();
    println!("in stages: open after {:.0} s, by way of {levels:?}: {beats}", opened.elapsed().as_secs_f32());
    ensure!((0..=pools.len()).all(|level| levels.contains(&Some(level))), "a stage was left out: {levels:?}");
    ensure!(beats.unanswered_in_a_row() < 2, "requests in a row were not answered within {LIMIT:?}: {beats}");
    ensure!(beats.percentile(99) < LIMIT, "it was not well all the time: {beats}");
    storm.wait_calm(LONG)?;
    wait_until("every node to be Ready", LONG, || {
        let nodes = storm.plane().kubectl(User::Alice)?.run(&["get", "nodes", "--no-headers"])?.ok()?;
        let ready = nodes.lines().filter(|line| line.split_whitespace().nth(1) == Some("Ready")).count();
        Ok(ready == usize::from(STORM_RHYTHM.nodes))
    })?;

    // The same storm once more, before the same server: the program puts back what it deleted, and deletes it again. The
    // nodes' kubelets have to hear of the new pods and to fetch their tokens, so they come back while there is room.
    storm.cpu().set(PLENTY)?;
    alice.run("delete", &["undo", "last", "--yes"])?;
    wait_until("the same collectors again", LONG, || Ok(storm.agents()?.agents == collectors))?;
    storm.cpu().set(STORM_RHYTHM.cpu_percent)?;
    alice.run("gate", &close)?;
    let cut = Instant::now();
    delete_the_offender(&storm, &alice)?;
    thread::sleep(CUT.saturating_sub(cut.elapsed()));
    pulse.take();
    alice.run("gate", &["gate", "open", "--at-once", "--yes"])?;
    let opened = Instant::now();
    wait_until("a server that drowns again", LONG, || Ok(pulse.unanswered_in_a_row() >= DROWNED))
        .map_err(|error| anyhow!("{error:#}: {}", pulse.take()))?;
    let (took, left) = (opened.elapsed().as_secs_f32(), storm.agents()?);
    println!("at once: drowned after {took:.0} s: {}; {left}", pulse.take());
    Ok(())
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

//! The whole recovery against real storms: from the command to everybody back in, unattended.
//!
//! What a storm is has its word from outside the program: the collectors count themselves, the API server's host its
//! connections, and curl what a small GET takes.

#![expect(clippy::disallowed_macros, reason = "a test says the figures it measured")]

use std::{
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use testbed::{
    Access, Curl, Host, Lab, STORM, STORM_APF, STORM_HA, STORM_UNBOUND, STORM_WATCH, Settings, Storm, User, test,
    wait_until,
};

#[path = "../reopen/engineer.rs"]
mod engineer;
mod named;
mod oom;
mod released;

use engineer::Engineer;

/// More than anything but the storm itself takes here.
const LONG: Duration = Duration::from_mins(2);
/// From the command to everybody back in; on a quiet machine a fifth of it (docs/figures.md), beside ten builds more than a third.
const ENDED_WITHIN: Duration = Duration::from_mins(5);
/// The same where one of three API servers has to be waited for, which the program does for half a minute, twice.
const ENDED_WITHOUT_ONE_WITHIN: Duration = Duration::from_mins(7);
/// What a small GET may take once it is over, 99 of 100.
const QUICK: Duration = Duration::from_secs(1);
/// After the program's end: a kubelet that was cut off for long pauses for up to a minute between two tries.
const LAG: Duration = Duration::from_mins(1);
const OFFENDER: &str = "offender=ds/telemetry/telemetry-agent";

fn main() -> ExitCode {
    // The longest first: they take turns with all other storms.
    testbed::main_with_kubernetes(vec![
        test("a_storm_ends_again_and_again_and_undo_brings_back_what_it_was_made_of", again_and_again),
        test("a_storm_ends_although_one_of_three_api_servers_is_dead_on_a_living_host", without_one),
        test("a_storm_ends_that_kills_the_api_server_again_and_again", oom::ends_all_the_same),
        test("the_offender_comes_back_in_stages_and_is_taken_back_where_it_drowns_the_server", released::in_stages),
        test("a_storm_ends_whose_tokens_outlive_their_pods", || once(&STORM_UNBOUND)),
        test("a_storm_of_lists_is_named_by_each_source_that_can_and_ends", || named::and_ends(&STORM_APF)),
        test("a_storm_of_watches_is_named_by_each_source_that_can_and_ends", || named::and_ends(&STORM_WATCH)),
    ])
}

/// A storm and whoever ends it.
struct Scene {
    /// What a later storm would need is gone when this is.
    storm: Storm,
    servers: Vec<Host>,
    alice: Engineer,
}

impl Scene {
    /// So many API servers, `storm-cp1` and so on for the settings `storm`.
    fn new(servers: u8, settings: &Settings) -> Result<Self> {
        let lab = Lab::shared()?;
        let servers = lab.hosts((1..=servers).map(|n| format!("{}-cp{n}", settings.name)))?;
        let nodes = lab.host(&format!("{}-nodes", settings.name))?;
        let storm = Storm::start_on(lab, &servers.iter().collect::<Vec<_>>(), &nodes, settings)?;
        let credentials = storm.plane().access().credential_files(User::Alice)?;
        let alice = Engineer::new(settings.name, &credentials, &servers, &nodes)?;
        println!("{}: {}", settings.name, storm.agents()?);
        Ok(Self { storm, servers, alice })
    }

    /// Starts the recovery, unattended; its run is kept under `name`.
    fn recovery(&self, name: &str) -> Result<testbed::Running> {
        self.alice.start(name, &["run", "api-overload", "-p", OFFENDER, "-p", "delete=true", "--yes", "-v"])
    }

    /// The end that every way has to come to.
    fn is_over(&self) -> Result<()> {
        for server in &self.servers {
            ensure!(engineer::level(server)?.is_none(), "a gate was left on {}", server.name());
        }
        self.workload_is_gone()?;
        // They count themselves once a second.
        self.storm.wait_calm(LAG)?;
        small_gets_are_quick(self.storm.plane().access())
    }

    fn workload_is_gone(&self) -> Result<()> {
        let masters = self.storm.plane().kubectl(User::Masters)?;
        let left = masters.run(&["get", "pods,daemonsets", "-n", "telemetry", "--no-headers", "-o", "name"])?.ok()?;
        ensure!(left.is_empty(), "the offender is still in the API: {left}");
        Ok(())
    }

    fn rights_are_gone(&self) -> Result<()> {
        let masters = self.storm.plane().kubectl(User::Masters)?;
        let bindings = masters.run(&["get", "clusterrolebindings", "-o", "name"])?.ok()?;
        ensure!(!bindings.contains("telemetry-agent"), "the rights were not taken away");
        Ok(())
    }

    /// What undo has to bring back: the binding's role, subjects and labels, and the workload's spec. Asked in a lull: in the
    /// storm itself nobody is answered.
    fn made_of(&self) -> Result<(String, String)> {
        let masters = self.storm.plane().kubectl(User::Masters)?;
        let binding =
            ["get", "clusterrolebinding", "telemetry-agent", "-o", "jsonpath={.roleRef}{.subjects}{.metadata.labels}"];
        let workload = ["get", "daemonset", "telemetry-agent", "-n", "telemetry", "-o", "jsonpath={.spec}"];
        let mut both = (String::new(), String::new());
        wait_until("the binding and the workload", LONG * 3, || {
            let ask = |words: &[&str]| masters.run_within(words, b"", LONG).ok().filter(testbed::Output::success);
            let Some((binding, workload)) = ask(&binding).zip(ask(&workload)) else { return Ok(false) };
            both = (binding.stdout, workload.stdout);
            Ok(true)
        })?;
        Ok(both)
    }

    /// Takes a run back; the storm comes with it, once all that it is made of is there.
    fn take_back(&self, name: &str, before: &(String, String)) -> Result<()> {
        self.alice.run(name, &["undo", "last", "--yes"])?;
        let lull = self.storm.lull()?;
        self.storm.wait_deployed()?;
        let now = self.made_of()?;
        ensure!(now == *before, "it came back different: {now:?}");
        drop(lull);
        self.storm.wait_risen()
    }
}

/// Small GETs come back under a second, 25 in a row, each over a new connection; what else this machine does may hold up
/// single ones.
fn small_gets_are_quick(access: &Access) -> Result<()> {
    let curl = Curl::new(access, User::Alice)?;
    let url = format!("{}/api/v1/namespaces/kube-system", access.endpoint());
    let mut slow = Vec::new();
    let mut in_a_row = 0;
    wait_until("25 quick small GETs in a row", LAG, || {
        while in_a_row < 25 {
            let answer = curl.get(&url, LONG)?;
            let took = answer.took;
            answer.ok()?;
            if took >= QUICK {
                slow.push(took);
                in_a_row = 0;
                return Ok(false);
            }
            in_a_row += 1;
            thread::sleep(Duration::from_millis(100));
        }
        Ok(true)
    })
    .with_context(|| format!("slow ones: {slow:?}"))
}

/// Waits for a recovery that has to come to its end well, and in time.
fn ends(running: testbed::Running, within: Duration) -> Result<String> {
    let output = running.wait(within * 2)?;
    println!("{}{}", output.stdout, output.stderr);
    let took = output.took;
    println!("over after {:.1} s", took.as_secs_f32());
    ensure!(took < within, "it took {took:?}");
    let said = format!("{}{}", output.stdout, output.stderr);
    output.ok()?;
    Ok(said)
}

fn again_and_again() -> Result<()> {
    let scene = Scene::new(1, &Settings { story: Duration::from_secs(250), ..STORM })?;
    let lull = scene.storm.lull()?;
    let before = scene.made_of()?;
    drop(lull);
    scene.storm.wait_risen()?;
    ends(scene.recovery("first")?, ENDED_WITHIN)?;
    scene.is_over()?;
    scene.rights_are_gone()?;
    scene.take_back("first", &before)?;

    // The second is killed in the middle of the re-opening, and taken up again.
    let running = scene.recovery("second")?;
    wait_until("the first stage of the re-opening", ENDED_WITHIN, || {
        Ok(engineer::level(&scene.servers[0])?.is_some_and(|level| level > 0))
    })?;
    drop(running);
    let resumed = scene.alice.start("second", &["resume", "last", "--yes"])?;
    ends(resumed, ENDED_WITHIN)?;
    scene.is_over()?;
    scene.take_back("second", &before)
}

fn once(settings: &Settings) -> Result<()> {
    let scene = Scene::new(1, settings)?;
    ends(scene.recovery("once")?, ENDED_WITHIN)?;
    scene.is_over()
}

fn without_one() -> Result<()> {
    let scene = Scene::new(3, &STORM_HA)?;
    let dead = &scene.storm.plane().servers()[1];
    dead.component().kill()?;
    let began = Instant::now();
    let output = scene.recovery("ha")?.wait(ENDED_WITHOUT_ONE_WITHIN * 2)?;
    println!("{}{}\nover after {:.1} s", output.stdout, output.stderr, began.elapsed().as_secs_f32());
    ensure!(output.took < ENDED_WITHOUT_ONE_WITHIN, "it took {:?}", output.took);
    let said = format!("{}{}", output.stdout, output.stderr);
    // One API server is dead, and stays so: that is not "done", and it is the only thing that is missing.
    ensure!(output.code == 5, "it ended with {}", output.code);
    for part in ["nothing listens on port 6443", "its gate stays closed until it answers", "left closed"] {
        ensure!(said.contains(part), "{part:?} is not said");
    }
    let levels: Vec<Option<usize>> = scene.servers.iter().map(engineer::level).collect::<Result<_>>()?;
    ensure!(levels == [None, Some(0), None], "the gates stand at {levels:?}");
    scene.workload_is_gone()?;
    scene.storm.wait_calm(LAG)?;

    // The dead one comes back behind its gate, and is opened last.
    dead.restart().context("the API server that was dead")?;
    scene.alice.run("last", &["gate", "open", "--targets", dead.host().name(), "--window", "2s", "--yes"])?;
    scene.is_over()
}

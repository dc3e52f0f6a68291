//! The main job on real parts: a control plane of static pods under a real kubelet, a worker with real pods, and the
//! program itself, run as an engineer runs it.

#![expect(clippy::disallowed_methods, reason = "a test has no `Process` to ask")]
#![expect(clippy::disallowed_macros, reason = "a test says on its standard output what the program said")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testbed::{Host, Kit, KubeletPlane, Lab, Lent, Pool, User, test, wait_until};

mod eviction;
mod points;
mod refused;

/// The API server listens here of its host's own address and on no other: nothing may look for it on loopback, or at 6443.
const PORT: u16 = 7443;
const LONG: Duration = Duration::from_mins(3);
const OFFENDER: &str = "daemonsets.apps/telemetry/agent";

const TELEMETRY: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: telemetry}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: telemetry}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: main, image: 'bg.local/busybox:1', command: [sleep, '54321']}
";

fn main() -> ExitCode {
    testbed::main_with_kubernetes(vec![
        // The longest first: they run side by side.
        test("an_exchange_broken_off_at_any_point_is_gone_on_with_and_taken_back", points::broken_off_anywhere),
        test(
            "nodes_that_a_gate_cuts_off_keep_their_pods_only_where_the_lifecycle_is_frozen",
            eviction::only_frozen_nodes_keep_their_pods,
        ),
        test("a_real_control_plane_is_recovered_and_all_of_it_is_undone_to_the_same_bytes", recovered_and_undone),
        test("a_run_killed_in_the_middle_of_a_manifest_is_taken_up_to_the_same_end", killed_and_resumed),
        test("the_node_lifecycle_is_frozen_and_thawed_in_a_real_controller_manager", frozen_and_thawed),
        test("an_api_server_that_did_not_come_is_told_by_its_log", refused::or_told_by_its_log),
        test("what_an_api_server_would_not_take_is_refused_and_it_stays_untouched", refused::with_the_server_untouched),
    ])
}

struct Scene {
    plane: KubeletPlane,
    worker: String,
    /// The kit, the home and the runs of the engineer.
    folder: PathBuf,
}

/// A control plane that no other test has: each turns its own over, and puts it right again.
fn scene() -> Result<Lent<Scene>> {
    static SCENES: Pool<Scene> = Pool::of(3);
    SCENES.take(|number| {
        let lab = Lab::shared()?;
        let (cp, worker) = (lab.host(&format!("cp{number}"))?, lab.host(&format!("worker{number}"))?);
        let mut plane = KubeletPlane::start_at(lab, &cp, PORT)?;
        plane.add_worker(&worker)?;
        let folder = lab.folder("engineer")?;
        let name = worker.name().to_owned();
        Kit::through_at(&[cp], PORT)
            .and_nodes(&[worker])
            .with_credentials(&plane.access().credential_files(User::Masters)?)
            .write(lab, &folder.join("kit"), "lab")?;
        Ok(Scene { plane, worker: name, folder })
    })
}

impl Scene {
    /// The program with these arguments; its runs are kept under `name`.
    fn program(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.folder)
            .env("USER", "alice")
            .env("BREAKGLASS_KIT", self.folder.join("kit"))
            .env("BREAKGLASS_STATE", self.folder.join(name))
            .stdin(Stdio::null());
        command
    }

    /// Runs it to its end; what it printed on both streams.
    fn run(&self, name: &str, arguments: &[&str]) -> Result<String> {
        let output = self.program(name, arguments).output()?;
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "breakglass {} ended with {}:\n{text}", arguments.join(" "), output.status);
        Ok(text)
    }

    fn host(&self) -> &Host {
        self.plane.host()
    }

    /// Every file of the manifests' folder, by name.
    fn manifests(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(self.plane.manifests())? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.push((name, std::fs::read(&path)?));
        }
        files.sort();
        Ok(files)
    }

    /// Folders that runs of ours left beside the manifests.
    fn left_beside(&self) -> Result<BTreeSet<PathBuf>> {
        let all = std::fs::read_dir(self.host().etc_kubernetes())?.filter_map(Result::ok).map(|entry| entry.path());
        Ok(all.filter(|path| path.to_string_lossy().contains("breakglass")).collect())
    }

    /// The manifests to the byte, and beside them only what was there before: a test that takes nothing back keeps its
    /// copies.
    fn is_as_it_was(&self, manifests: &[(String, Vec<u8>)], beside: &BTreeSet<PathBuf>) -> Result<()> {
        ensure!(self.manifests()? == manifests, "the manifests are not what they were, to the byte");
        let left = self.left_beside()?;
        ensure!(left == *beside, "left beside the manifests: {:?}", left.difference(beside).collect::<Vec<_>>());
        Ok(())
    }

    fn gate_stands(&self) -> Result<bool> {
        Ok(self.host().sh("nft list table inet breakglass")?.success())
    }

    fn daemonset(&self) -> Result<Option<Value>> {
        let masters = self.plane.kubectl(User::Masters)?;
        let output = masters.run(&["get", "daemonset", "agent", "-n", "telemetry", "-o", "json"])?;
        Ok(if output.success() { Some(serde_json::from_str(&output.ok()?)?) } else { None })
    }

    fn pods(&self) -> Result<String> {
        let masters = self.plane.kubectl(User::Masters)?;
        masters.run(&["get", "pods", "-n", "telemetry", "--no-headers"])?.ok()
    }

    fn offender_runs(&self) -> Result<()> {
        let masters = self.plane.kubectl(User::Masters)?;
        masters.apply(TELEMETRY)?;
        wait_until("a Running pod of the offender", LONG, || Ok(self.pods()?.contains("Running")))
    }

    /// The end that every way has to come to.
    fn recovered(&self, before: &[(String, Vec<u8>)]) -> Result<()> {
        wait_until("a ready API server", LONG, || self.plane.is_ready())?;
        ensure!(self.daemonset()?.is_none(), "the offender is still there");
        wait_until("the end of the offender's pods", LONG, || Ok(self.pods()?.is_empty()))?;
        ensure!(!self.gate_stands()?, "the gate was left");
        let after = self.manifests()?;
        let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        ensure!(names(&after) == names(before), "other files than before: {:?}", names(&after));
        let server = after.iter().find(|(name, _)| name.starts_with("kube-apiserver")).context("no manifest")?;
        ensure!(String::from_utf8_lossy(&server.1).contains("1500Mi"), "the manifest was not changed");
        Ok(())
    }
}

/// The arguments of the recovery, for `run`, `drill` and `plan`.
fn recovery(verb: &'static str) -> Vec<&'static str> {
    let offender = concat!("offender=", "daemonsets.apps/telemetry/agent");
    vec![
        verb,
        "api-overload",
        "--cluster",
        "lab",
        "-p",
        offender,
        "-p",
        "delete=true",
        "-p",
        "memory=1500Mi",
        "-p",
        "window=2s",
    ]
}

/// `METHOD path` of all that a plan announces, without queries.
fn announced(plan: &Value) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let sends = plan["steps"].as_array().into_iter().flatten();
    let sends = sends.flat_map(|step| step["targets"].as_array().into_iter().flatten());
    for send in sends.flat_map(|target| target["sends"].as_array().into_iter().flatten()) {
        if let Some(path) = send["get"].as_str() {
            all.insert(request("get", path));
        }
        let call = &send["op"]["op"]["kube"];
        if let (Some(method), Some(path)) = (call["method"].as_str(), call["path"].as_str()) {
            all.insert(request(&method.to_lowercase(), path));
        }
    }
    all
}

fn request(verb: &str, path: &str) -> String {
    let verb = match verb {
        "list" => "get",
        "create" => "post",
        "deletecollection" => "delete",
        other => other,
    };
    format!("{verb} {}", path.split('?').next().unwrap_or_default())
}

fn recovered_and_undone() -> Result<()> {
    let scene = &*scene()?;
    scene.offender_runs()?;
    let (manifests, beside) = (scene.manifests()?, scene.left_beside()?);
    let spec = scene.daemonset()?.context("no offender")?["spec"].clone();
    let before = scene.plane.static_pod("kube-apiserver").context("no API server")?;

    let mut plan = recovery("plan");
    plan.extend(["-o", "json"]);
    let output = scene.program("first", &plan).output()?;
    let announced = announced(&serde_json::from_slice(&output.stdout)?);
    ensure!(
        announced.contains(&request("delete", "/apis/apps/v1/namespaces/telemetry/daemonsets/agent")),
        "{announced:?}"
    );

    let audit = scene.plane.audit();
    let mark = audit.mark()?;
    let mut arguments = recovery("run");
    arguments.extend(["--yes", "--reason", "a rehearsal"]);
    println!("{}", scene.run("first", &arguments)?);
    scene.recovered(&manifests)?;
    let after = scene.plane.static_pod("kube-apiserver").context("no API server")?;
    ensure!(after.pid != before.pid, "the API server was not started anew");

    let ours: Vec<_> = audit.since(mark)?.into_iter().filter(|r| r.user_agent.starts_with("breakglass/")).collect();
    ensure!(ours.iter().any(|r| r.verb == "delete"), "the audit log shows no DELETE of ours");
    let strange = ours.iter().find(|r| !announced.contains(&request(&r.verb, &r.uri)));
    ensure!(strange.is_none(), "not announced: {}", strange.map(ToString::to_string).unwrap_or_default());
    // Pods by the page, as often as there are some left; all else once.
    let mut writes = BTreeMap::<String, usize>::new();
    for write in ours.iter().filter(|r| r.is_write() && r.is_complete()) {
        *writes.entry(request(&write.verb, &write.uri)).or_default() += 1;
    }
    let often = |(what, times): &(&String, &usize)| **times > if what.ends_with("/pods") { 3 } else { 1 };
    ensure!(!writes.iter().any(|write| often(&write)), "too often: {writes:?}");
    scene.run("first", &["journal", "verify", "last"])?;

    println!("{}", scene.run("first", &["undo", "last", "--yes"])?);
    wait_until("a ready API server", LONG, || scene.plane.is_ready())?;
    scene.is_as_it_was(&manifests, &beside)?;
    let back = scene.daemonset()?.with_context(|| format!("{OFFENDER} did not come back"))?;
    ensure!(back["spec"] == spec, "the offender came back different: {}", back["spec"]);
    wait_until("its pods again", LONG, || Ok(scene.pods()?.contains("Running")))
}

fn killed_and_resumed() -> Result<()> {
    let scene = &*scene()?;
    scene.offender_runs()?;
    let (manifests, beside) = (scene.manifests()?, scene.left_beside()?);
    let mut arguments = recovery("run");
    arguments.push("--yes");
    let mut child = scene.program("second", &arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let runs = scene.folder.join("second/runs");
    let killed = wait_until("the exchange of the manifest", LONG, || Ok(exchange_began(&runs)));
    kill(&mut child)?;
    killed?;
    println!("{}", scene.run("second", &["resume", "last", "--yes"])?);
    scene.recovered(&manifests)?;
    scene.run("second", &["journal", "verify", "last"])?;
    scene.run("second", &["undo", "last", "--yes"])?;
    scene.is_as_it_was(&manifests, &beside)
}

fn frozen_and_thawed() -> Result<()> {
    let scene = &*scene()?;
    let (manifests, beside) = (scene.manifests()?, scene.left_beside()?);
    let lifecycle_is_off = || -> Result<bool> {
        let manager = scene.plane.static_pod("kube-controller-manager").context("no controller manager")?;
        let arguments = std::fs::read_to_string(format!("/proc/{}/cmdline", manager.pid))?;
        Ok(arguments.contains("-node-lifecycle-controller,-taint-eviction-controller"))
    };
    for (kind, off) in [("freeze-nodes", true), ("thaw-nodes", false)] {
        let file = scene.folder.join(format!("{kind}.yaml"));
        let step = format!("{{name: it, kind: {kind}, timeout: 5m}}");
        let head = "apiVersion: breakglass/v1\nkind: Runbook\nmetadata: {name: it, purpose: A test.}\n";
        std::fs::write(&file, format!("{head}spec:\n  steps:\n    - {step}\n"))?;
        let file = file.to_str().context("an odd path")?;
        println!("{}", scene.run(kind, &["run", file, "--cluster", "lab", "--yes"])?);
        ensure!(lifecycle_is_off()? == off, "{kind}: the process does not have the flags");
    }
    // Newest first, as a person would.
    for kind in ["thaw-nodes", "freeze-nodes"] {
        scene.run(kind, &["undo", "last", "--yes"])?;
    }
    scene.is_as_it_was(&manifests, &beside)
}

/// Whether the journal of the only run says that the exchange is intended.
fn exchange_began(runs: &Path) -> bool {
    let folders = std::fs::read_dir(runs).into_iter().flatten().filter_map(Result::ok);
    let texts = folders.filter_map(|entry| std::fs::read_to_string(entry.path().join("journal.jsonl")).ok());
    texts.into_iter().any(|text| text.contains("\"manifest.swap\""))
}

fn kill(child: &mut Child) -> Result<()> {
    child.kill()?;
    child.wait()?;
    Ok(())
}

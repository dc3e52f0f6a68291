//! What `rollback` asks of a real API server and what a real controller manager makes of it, beside `kubectl rollout undo` on a
//! twin.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use serde_json::Value;
use testbed::Kubectl;
use testbed::audit::Request;

use super::{Kit, LIMIT, Lab, Plane, Result, User, ensure, shared, turn};

/// A workload of one of the three kinds, with an image of that number.
fn manifest(kind: &str, name: &str, number: u32) -> String {
    let more = match kind {
        "StatefulSet" => "\n  serviceName: x\n  replicas: 1",
        "Deployment" => "\n  replicas: 1",
        _ => "",
    };
    format!(
        "
apiVersion: apps/v1
kind: {kind}
metadata: {{name: {name}, annotations: {{kubernetes.io/change-cause: to {number}, team: edge}}}}
spec:{more}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}, annotations: {{number: \"{number}\"}}}}
    spec:
      containers:
      - {{name: main, image: none.invalid/none:{number}, env: [{{name: TOKEN, value: s3cret-{number}}}]}}
      tolerations: [{{key: a, operator: Exists}}]
"
    )
}

/// Times of creation are whole seconds, by which revisions are told apart.
#[expect(clippy::disallowed_methods, reason = "a test has no `Process` to ask for the time")]
fn next_second() -> Result<()> {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default();
    let before = now();
    testbed::wait_until("the next second", LIMIT, || Ok(now() > before))
}

/// Three revisions by the real controllers, whose names are their numbers.
fn make(kubectl: &Kubectl, kind: &str, name: &str) -> Result<()> {
    for number in 1..=3 {
        next_second()?;
        kubectl.apply(&manifest(kind, name, number))?;
        seen(kubectl, kind, name)?;
    }
    Ok(())
}

/// Waits until the controller has seen what is wanted of it.
fn seen(kubectl: &Kubectl, kind: &str, name: &str) -> Result<()> {
    testbed::wait_until("its controller to have seen it", LIMIT, || {
        let seen = kubectl.json(&["get", kind, name])?;
        Ok(seen["status"]["observedGeneration"] == seen["metadata"]["generation"])
    })
}

fn template(kubectl: &Kubectl, kind: &str, name: &str) -> Result<Value> {
    Ok(kubectl.json(&["get", kind, name])?["spec"]["template"].clone())
}

struct Engineer {
    folder: PathBuf,
}

impl Engineer {
    fn new() -> Result<Self> {
        let Plane { plane, hosts } = shared()?;
        let lab = Lab::shared()?;
        let folder = lab.folder("kits")?.join("rollback");
        let credentials = plane.access().credential_files(User::Alice)?;
        Kit::direct(hosts).with_credentials(&credentials).write(lab, &folder, "lab")?;
        Ok(Self { folder })
    }

    fn run(&self, words: &[&str]) -> Result<(Output, String)> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass"));
        command.args(words).arg("--yes").env("BREAKGLASS_STATE", self.folder.join("state"));
        let output = command.arg("--kit").arg(&self.folder).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok((output, said))
    }

    fn rolls_back(&self, object: &str, more: &[&str]) -> Result<(Output, String)> {
        self.run(&[&["rollback", object, "-n", "default", "--cluster", "lab"], more].concat())
    }
}

fn alice(work: impl FnOnce() -> Result<()>) -> Result<Vec<Request>> {
    let audit = shared()?.plane.servers()[0].audit();
    let mark = audit.mark()?;
    work()?;
    audit.by("alice", mark)
}

pub(crate) fn as_kubectl_does() -> Result<()> {
    let _turn = turn();
    let kubectl = shared()?.plane.kubectl(User::Masters)?;
    let engineer = Engineer::new()?;
    for (kind, plural, revisions) in [
        ("DaemonSet", "daemonsets", "controllerrevisions"),
        ("StatefulSet", "statefulsets", "controllerrevisions"),
        ("Deployment", "deployments", "replicasets"),
    ] {
        make(&kubectl, kind, "edge")?;
        make(&kubectl, kind, "twin")?;
        let object = format!("{kind}/edge").to_lowercase();
        for (to, expected) in [(None, "to 2"), (Some("1"), "to 1")] {
            let before = template(&kubectl, kind, "edge")?;
            let revision = to.map(|number| format!("--to-revision={number}"));
            let undo: Vec<&str> = ["rollout", "undo", kind, "twin"].into_iter().chain(revision.as_deref()).collect();
            kubectl.run(&undo)?.ok()?;
            let mut said = String::new();
            let requests = alice(|| {
                let (output, text) =
                    engineer.rolls_back(&object, &revision.as_deref().into_iter().collect::<Vec<_>>())?;
                ensure!(output.status.success(), "{text}");
                said = text;
                Ok(())
            })?;
            let path = format!("/apis/apps/v1/namespaces/default/{plural}/edge");
            let list = format!("/apis/apps/v1/namespaces/default/{revisions}?labelSelector=app%3Dedge&limit=100");
            let sent: Vec<_> = requests.iter().map(|one| (one.verb.as_str(), one.uri.as_str())).collect();
            ensure!(sent == [("get", path.as_str()), ("list", &list), ("patch", &path)], "{kind}: {sent:?}");
            ensure!(said.contains("none.invalid/none:3) back to revision"), "{said}");
            ensure!(said.contains("kubectl rollout status"), "{said}");

            // The twin is the same but for its name, and was put back by kubectl.
            let (ours, twin) = (template(&kubectl, kind, "edge")?, template(&kubectl, kind, "twin")?);
            let twin: Value = serde_json::from_str(&twin.to_string().replace("twin", "edge"))?;
            ensure!(ours == twin, "{kind}: {ours} and {twin}");
            ensure!(ours != before, "{kind}: nothing was put back");
            let cause = |name: &str| -> Result<Value> {
                Ok(kubectl.json(&["get", kind, name])?["metadata"]["annotations"]["kubernetes.io/change-cause"].clone())
            };
            ensure!(cause("edge")? == cause("twin")?, "{kind}: {} and {}", cause("edge")?, cause("twin")?);
            ensure!(kind != "Deployment" || cause("edge")? == expected, "{}", cause("edge")?);

            // The same words would bring the newest one back: its controller has numbered it anew.
            seen(&kubectl, kind, "edge")?;
            if to.is_none() {
                let requests = alice(|| {
                    let (output, said) = engineer.rolls_back(&object, &[])?;
                    ensure!(output.status.code() == Some(3) && said.contains("was rolled back already"), "{said}");
                    let numbers = ["4 (none.invalid/none:2", "3 (none.invalid/none:3", "--to-revision 3"];
                    ensure!(numbers.iter().all(|number| said.contains(number)), "{said}");
                    Ok(())
                })?;
                ensure!(requests.iter().all(|request| !request.is_write()), "{requests:?}");
            }
            let (undone, said) = engineer.run(&["undo", "last"])?;
            // A refused run is a run, too.
            let (undone, said) = if said.contains("changed nothing") {
                engineer.run(&["undo", &run_before(&engineer)?])?
            } else {
                (undone, said)
            };
            ensure!(undone.status.success(), "{said}");
            let after = template(&kubectl, kind, "edge")?;
            ensure!(after == before, "{kind}: {after} and {before}");
            seen(&kubectl, kind, "edge")?;
            // The twin stands where it began, too.
            kubectl.apply(&manifest(kind, "twin", 3))?;
            seen(&kubectl, kind, "twin")?;
        }
        kubectl.run(&["delete", kind, "edge", "twin", "--wait=false"])?.ok()?;
    }
    Ok(())
}

/// The run before the last one.
fn run_before(engineer: &Engineer) -> Result<String> {
    let mut runs: Vec<String> = std::fs::read_dir(engineer.folder.join("state/runs"))?
        .map(|run| Ok(run?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    runs.sort();
    runs.iter().nth_back(1).cloned().context("two runs")
}

pub(crate) fn what_stands_against_it() -> Result<()> {
    let _turn = turn();
    let kubectl = shared()?.plane.kubectl(User::Masters)?;
    let engineer = Engineer::new()?;
    make(&kubectl, "Deployment", "edge")?;
    let uid = |kubectl: &Kubectl| -> Result<String> {
        let seen = kubectl.json(&["get", "deployment", "edge"])?;
        Ok(seen["metadata"]["uid"].as_str().context("a uid")?.to_owned())
    };
    let refused = |more: &[&str], words: &[&str]| -> Result<()> {
        let requests = alice(|| {
            let (output, said) = engineer.rolls_back("deploy/edge", more)?;
            ensure!(output.status.code() == Some(3), "{said}");
            for word in words {
                ensure!(said.contains(word), "{word:?}: {said}");
            }
            Ok(())
        })?;
        ensure!(requests.len() <= 2 && requests.iter().all(|request| !request.is_write()), "{requests:?}");
        Ok(())
    };
    refused(&["--to-revision", "9"], &["has no revision 9", "3 (none.invalid/none:3", "1 (none.invalid/none:1"])?;
    kubectl.run(&["rollout", "pause", "deployment/edge"])?.ok()?;
    refused(&[], &["is paused", "kubectl rollout resume"])?;
    kubectl.run(&["rollout", "resume", "deployment/edge"])?.ok()?;

    // It is deleted and made anew by somebody else.
    let before = uid(&kubectl)?;
    kubectl.run(&["delete", "deployment", "edge", "--cascade=foreground"])?.ok()?;
    make(&kubectl, "Deployment", "edge")?;
    let now = uid(&kubectl)?;
    ensure!(before != now);
    refused(&["--uid", &before], &[&before, &now, "another object by the same name"])?;

    // Others scale it and its status changes all the while: that is nothing that a roll back minds.
    kubectl.run(&["scale", "deployment", "edge", "--replicas=3"])?.ok()?;
    let (output, said) = engineer.rolls_back("deploy/edge", &["--uid", &now, "--wait", "2s"])?;
    ensure!(output.status.code() == Some(5), "no node runs its pods: {said}");
    ensure!(said.contains("the template of deployments.apps/default/edge is back, its pods are not"), "{said}");
    let image = template(&kubectl, "Deployment", "edge")?["spec"]["containers"][0]["image"].clone();
    ensure!(image == "none.invalid/none:2", "{image}");
    kubectl.run(&["delete", "deployment", "edge", "--wait=false"])?.ok()?;
    testbed::wait_until("it to be gone", Duration::from_mins(1), || {
        Ok(!kubectl.run(&["get", "deployment", "edge"])?.success())
    })
}

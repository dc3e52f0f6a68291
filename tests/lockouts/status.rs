//! After a night: what stands on real parts is named from a laptop without a journal, by the marks alone; what that laptop is told
//! to type takes it back, and nothing is left once the rest is undone.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testbed::{Kubectl, Lab, User};

use super::bad_manifest::{beside, files};
use super::{Scene, ends, scene};

const OBJECTS: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: store, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: 'bg.local/busybox:1', command: [sleep, '54321']}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: default}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: 'bg.local/busybox:1', command: [sleep, '54321']}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: shared}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: mallory}
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: jane doe}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: nobody-answers}
webhooks:
- name: nobody.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  clientConfig: {service: {name: nobody, namespace: default}}
  rules: [{apiGroups: [example.com], apiVersions: [v1], operations: [CREATE], resources: [nothings]}]
";

const FREEZE: &str = "
apiVersion: breakglass/v1
kind: Runbook
metadata: {name: freeze, purpose: Freeze the node lifecycle.}
spec:
  steps: [{name: freeze, kind: freeze-nodes}]
";

/// Kind, and what takes it back.
type Counted = BTreeMap<(String, String), usize>;

/// What an engineer with this folder is told.
fn status(folder: &Path) -> Result<(Value, Counted)> {
    let said = ends(folder, &["status", "--api", "-o", "json"])?;
    ensure!(said.success(), "{said:?}");
    let status: Value = serde_json::from_str(&said.stdout)?;
    ensure!(status["notKnown"] == Value::Array(Vec::new()), "{status:#}");
    let mut counted = Counted::new();
    for one in status["stands"].as_array().context("no list")? {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        *counted.entry((word(&one["kind"]), word(&one["back"]["by"]))).or_default() += 1;
    }
    Ok((status, counted))
}

fn counted(all: &[(&str, &str)]) -> Counted {
    let mut counted = Counted::new();
    for (kind, by) in all {
        *counted.entry(((*kind).to_owned(), (*by).to_owned())).or_default() += 1;
    }
    counted
}

/// What is told to be typed for the first thing of a kind.
fn command(status: &Value, kind: &str, object: &str) -> Result<String> {
    let all = status["stands"].as_array().context("no list")?;
    let is = |one: &&Value| one["kind"] == kind && (object.is_empty() || one["object"] == object);
    let one = all.iter().find(is).with_context(|| format!("no {kind}: {status:#}"))?;
    Ok(one["back"]["command"].as_str().context("no command")?.to_owned())
}

/// Types a line of kubectl's into a shell.
fn typed(kubectl: &Kubectl, line: &str) -> Result<()> {
    let program = kubectl.command(&[])?;
    let program = program.get_program().to_string_lossy().into_owned();
    let line = line.replace("kubectl ", &format!("{program} --kubeconfig {} ", kubectl.kubeconfig().display()));
    let output = Command::new("sh").args(["-c", &line]).output()?;
    ensure!(output.status.success(), "{line}: {output:?}");
    Ok(())
}

pub(super) fn from_an_empty_laptop() -> Result<()> {
    let scene = &*scene()?;
    // What others did with this cluster is over. Alice did it all; bob has a kit, and no journal.
    let _ = fs::remove_dir_all(scene.folder.join("state"));
    let bob = Lab::shared()?.folder("empty-laptop")?;
    let kit = bob.join("kit");
    fs::create_dir_all(&kit)?;
    for entry in fs::read_dir(scene.folder.join("kit"))? {
        let entry = entry?;
        fs::copy(entry.path(), kit.join(entry.file_name()))?;
    }
    fs::set_permissions(&kit, fs::metadata(scene.folder.join("kit"))?.permissions())?;
    let kubectl = scene.plane.kubectl(User::Masters)?;
    kubectl.apply(OBJECTS)?;
    let (already, kinds) = status(&bob)?;
    ensure!(kinds == Counted::new(), "something stands already: {already:#}");
    let (manifests, around) = (files(&scene.plane.manifests())?, beside(scene)?);
    let file = scene.folder.join("freeze.yaml");
    fs::write(&file, FREEZE)?;

    for arguments in [
        &["park", "deploy/default/store"][..],
        &["park", "ds/default/agent"],
        &["revoke", "user/jane doe"],
        &["disarm", "validatingwebhookconfiguration/nobody-answers"],
        &["restore-rights", "--binding", "on-call", "--role", "view", "--user", "erin"],
        &["run", &file.display().to_string()],
        &["recovery-apiserver", "start", "--for", "30m"],
        &["gate", "close", "--reason", "INC-4711"],
    ] {
        scene.run(&[arguments, &["--yes"]].concat())?;
    }
    let marks = [
        ("disarmed", "kubectl"),
        ("gate", "verb"),
        ("manifest", "host"),
        ("parked", "kubectl"),
        ("parked", "kubectl"),
        ("recovery-apiserver", "verb"),
        ("restored", "kubectl"),
        ("revoked", "kubectl"),
    ];
    let began = Instant::now();
    let (seen, kinds) = status(&bob)?;
    println!("status --api: {:.1} s, {}", began.elapsed().as_secs_f64(), seen["api"]);
    ensure!(kinds == counted(&marks), "{seen:#}");
    for one in seen["stands"].as_array().context("no list")? {
        ensure!(one["operator"] == "alice" && one["seen"] == "mark" && one["since"].is_string(), "{one:#}");
    }
    let told = ends(&bob, &["status", "--api", "--exit-code"])?;
    for part in
        ["8 things stand", "gate: closed", "(INC-4711)", "node lifecycle frozen", "at 0 of 2 replicas", "jane doe"]
    {
        ensure!(told.code == 9 && told.stdout.contains(part), "{part}: {told:?}");
    }
    let here: Vec<(&str, &str)> = marks.iter().map(|(kind, _)| (*kind, "undo")).collect();
    ensure!(status(&scene.folder)?.1 == counted(&here), "its own journal says something else");

    // What bob is told to type.
    let before = scene.object("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/shared")?;
    ensure!(before["subjects"].as_array().map(Vec::len) == Some(1), "{before:#}");
    for (kind, object) in [
        ("parked", "deployments/default/store"),
        ("parked", "daemonsets/default/agent"),
        ("revoked", ""),
        ("restored", ""),
    ] {
        typed(&kubectl, &command(&seen, kind, object)?)?;
    }
    let store = scene.object("/apis/apps/v1/namespaces/default/deployments/store")?;
    ensure!(store["spec"]["replicas"] == 2, "{store:#}");
    let agent = scene.object("/apis/apps/v1/namespaces/default/daemonsets/agent")?;
    ensure!(agent["spec"]["template"]["spec"]["nodeSelector"].get("breakglass.io/parked").is_none(), "{agent:#}");
    let shared = scene.object("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/shared")?;
    ensure!(shared["subjects"].as_array().map(Vec::len) == Some(2), "{shared:#}");
    let on_host = command(&seen, "manifest", "")?;
    let on_host = on_host.split_once('\'').and_then(|(_, rest)| rest.rsplit_once('\'')).context("no quotes")?.0;
    scene.host().sh(on_host)?.ok()?;
    ensure!(files(&scene.plane.manifests())? == manifests && beside(scene)? == around, "not the same bytes: {on_host}");
    for kind in ["recovery-apiserver", "gate"] {
        let line = command(&seen, kind, "")?;
        let line: Vec<&str> = line.split(' ').skip(1).chain(["--yes"]).collect();
        // Everybody at once: what judges the stages is not what is looked at here.
        let at_once: &[&str] = if kind == "gate" { &["--at-once"] } else { &[] };
        let said = ends(&bob, &[&line[..], at_once].concat())?;
        ensure!(said.success(), "{said:?}");
    }
    let left = status(&bob)?.1;
    ensure!(left == counted(&[("disarmed", "kubectl")]), "{left:?}");

    // Alice closes her books, and arms what bob left to her.
    let mine = status(&scene.folder)?.0;
    ensure!(mine["gone"].as_array().map(Vec::len) == Some(7), "{mine:#}");
    let runs = ["stands", "gone"].into_iter().flat_map(|list| mine[list].as_array().into_iter().flatten());
    for run in runs.filter_map(|one| one["run"].as_str()) {
        scene.run(&["undo", run, "--yes"])?;
    }
    let armed = scene.object("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/nobody-answers")?;
    ensure!(armed["webhooks"][0]["failurePolicy"] == "Fail", "{armed:#}");
    for folder in [&bob, &scene.folder] {
        let told = ends(folder, &["status", "--api", "--exit-code"])?;
        ensure!(told.code == 0 && told.stdout.starts_with("lab: nothing stands\n"), "{told:?}");
    }
    tidied(scene, &kubectl)
}

fn tidied(scene: &Scene, kubectl: &Kubectl) -> Result<()> {
    for object in [
        "deployment/store",
        "daemonset/agent",
        "clusterrolebinding/shared",
        "validatingwebhookconfiguration/nobody-answers",
    ] {
        kubectl.run(&["delete", object, "-n", "default", "--wait=false"])?.ok()?;
    }
    scene.kubectl()?.run(&["get", "nodes"])?.ok().map(|_| ())
}

//! `end-pods` against a real control plane: which pods are ended, in how many requests, and what is left of their tokens.

use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testbed::{Kit, Kubectl, Lab, User, wait_until};

use super::{Plane, shared, turn};

const LIMIT: Duration = Duration::from_secs(120);

/// A node without a kubelet: what is bound to it hears nothing, as behind a gate.
const NODE: &str = "{apiVersion: v1, kind: Node, metadata: {name: deaf}}";

/// Whose pods are of a crew; it knows them by the label `team`.
fn replica_set(name: &str, crew: &str, replicas: usize) -> String {
    let known_by = if name == crew { format!("crew: {crew}") } else { format!("team: {name}") };
    format!(
        "
apiVersion: apps/v1
kind: ReplicaSet
metadata: {{name: {name}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{{known_by}}}}}
  template:
    metadata: {{labels: {{crew: {crew}, team: {name}}}}}
    spec: {{nodeName: deaf, containers: [{{name: main, image: none.invalid/none:1}}]}}
"
    )
}

/// The pods of a crew: name, uid, and whether it is ending.
fn pods(kubectl: &Kubectl, crew: &str) -> Result<Vec<(String, String, bool)>> {
    let list = kubectl.json(&["get", "pods", "-l", &format!("crew={crew}")])?;
    let text = |pod: &Value, field: &str| pod["metadata"][field].as_str().unwrap_or_default().to_owned();
    let pods = list["items"].as_array().context("items")?;
    Ok(pods
        .iter()
        .map(|pod| (text(pod, "name"), text(pod, "uid"), !text(pod, "deletionTimestamp").is_empty()))
        .collect())
}

struct Field {
    kubectl: Kubectl,
    folder: std::path::PathBuf,
}

impl Field {
    fn new(name: &str) -> Result<Self> {
        let Plane { plane, hosts } = shared()?;
        let lab = Lab::shared()?;
        let folder = lab.folder("kits")?.join(name);
        Kit::direct(hosts)
            .with_credentials(&plane.access().credential_files(User::Alice)?)
            .write(lab, &folder, "lab")?;
        let kubectl = plane.kubectl(User::Masters)?;
        kubectl.apply(NODE)?;
        Ok(Self { kubectl, folder })
    }

    /// Makes a ReplicaSet and waits for its pods.
    fn crew(&self, name: &str, count: usize) -> Result<()> {
        self.kubectl.apply(&replica_set(name, name, count))?;
        wait_until(&format!("{count} pods of {name}"), LIMIT, || Ok(pods(&self.kubectl, name)?.len() == count))
    }

    /// What `park` does to it; its controller marks its pods, and no kubelet hears of that.
    fn park(&self, name: &str) -> Result<()> {
        self.kubectl.run(&["scale", "replicaset", name, "--replicas=0"])?.ok()?;
        wait_until("all pods to be ending", LIMIT, || Ok(pods(&self.kubectl, name)?.iter().all(|(.., ending)| *ending)))
    }

    fn run(&self, words: &[&str]) -> Result<Output> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass"));
        command.args(words).args(["-n", "default", "--cluster", "lab", "--yes", "--reason", "drill", "--kit"]);
        command.arg(&self.folder).env("BREAKGLASS_STATE", self.folder.join("state"));
        Ok(command.output()?)
    }

    /// What alice sent meanwhile: verbs.
    fn counted<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<(T, Vec<String>)> {
        let audit = shared()?.plane.servers()[0].audit();
        let mark = audit.mark()?;
        let done = work()?;
        Ok((done, audit.by("alice", mark)?.into_iter().map(|request| request.verb).collect()))
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The whole life of it: gracefully while its controller is at work, by force once it is parked.
pub(super) fn ended() -> Result<()> {
    let _turn = turn();
    let field = Field::new("r-end-pods")?;
    field.crew("agent", 4)?;
    field.crew("web", 2)?;
    let before = pods(&field.kubectl, "agent")?;

    let (output, verbs) = field.counted(|| field.run(&["end-pods", "rs/agent", "--grace", "3600"]))?;
    ensure!(output.status.success() && said(&output).contains("is not parked"), "{}", said(&output));
    ensure!(verbs == ["get", "list", "deletecollection", "get", "list"], "{verbs:?}");
    let after = pods(&field.kubectl, "agent")?;
    let ending = |uid: &str| after.iter().any(|(_, one, ending)| one == uid && *ending);
    ensure!(before.iter().all(|(_, uid, _)| ending(uid)), "{before:?} {after:?}");
    let seconds = field.kubectl.json(&["get", "pod", &before[0].0])?["metadata"]["deletionGracePeriodSeconds"].clone();
    ensure!(seconds == 3600, "{seconds}");

    field.park("agent")?;
    let one = &pods(&field.kubectl, "agent")?[0];
    let token = token(&field.kubectl, &one.0, &one.1)?;
    ensure!(asks_with(&token)? == "403", "a token of a pod that is there");
    let (output, verbs) = field.counted(|| field.run(&["end-pods", "rs/agent", "--force"]))?;
    ensure!(output.status.success(), "{}", said(&output));
    ensure!(verbs == ["get", "list", "deletecollection", "get", "list"], "{verbs:?}");
    ensure!(pods(&field.kubectl, "agent")?.is_empty(), "{:?}", pods(&field.kubectl, "agent")?);
    let others = pods(&field.kubectl, "web")?;
    ensure!(others.len() == 2 && others.iter().all(|(.., ending)| !ending), "{others:?}");
    // API servers remember a token for ten seconds.
    wait_until("its token to be refused", Duration::from_secs(30), || Ok(asks_with(&token)? == "401"))?;

    let (output, verbs) = field.counted(|| field.run(&["end-pods", "rs/agent", "--force"]))?;
    ensure!(output.status.success() && verbs == ["get", "list"], "{verbs:?} {}", said(&output));
    field.clear(&["agent", "web"])
}

/// Each page is ended at the revision of the list; what came since stays, whoever's it is.
pub(super) fn paged() -> Result<()> {
    let _turn = turn();
    let field = Field::new("r-end-pods-pages")?;
    let run = |how: &str| {
        let runbook = field.folder.join("pages.yaml");
        let text = format!(
            "apiVersion: breakglass/v1\nkind: Runbook\nmetadata: {{name: pages, purpose: pages}}\nspec:\n  steps:\n    \
             - name: end\n      kind: end-pods\n      with: {{workload: rs/default/agent, page: 2, {how}}}\n"
        );
        std::fs::write(&runbook, text)?;
        let (output, verbs) = field.counted(|| field.run(&["run", &runbook.display().to_string()]))?;
        ensure!(output.status.success(), "{}", said(&output));
        Ok(verbs.iter().filter(|verb| *verb == "deletecollection").count())
    };
    field.crew("agent", 5)?;
    let before = pods(&field.kubectl, "agent")?;
    // Its controller is at work, and makes a new pod for each that ends, on pages that are yet to be ended.
    ensure!(run("grace: 3600")? == 3, "five pods are three pages of two");
    wait_until("five new pods", LIMIT, || Ok(pods(&field.kubectl, "agent")?.len() == 10))?;
    for (name, uid, ending) in pods(&field.kubectl, "agent")? {
        ensure!(ending == before.iter().any(|(_, one, _)| *one == uid), "{name} of {before:?}");
    }
    field.park("agent")?;
    ensure!(run("force: true")? == 5 && pods(&field.kubectl, "agent")?.is_empty(), "ten pods are five pages");
    field.clear(&["agent"])
}

/// Another controller's pod has the workload's labels; and then the workload is gone, and its pods are found by its name.
pub(super) fn told_apart() -> Result<()> {
    let _turn = turn();
    let field = Field::new("r-end-pods-others")?;
    field.crew("agent", 3)?;
    field.kubectl.apply(&replica_set("web", "agent", 1))?;
    wait_until("a pod of web", LIMIT, || Ok(pods(&field.kubectl, "agent")?.len() == 4))?;
    let (output, verbs) = field.counted(|| field.run(&["end-pods", "rs/agent", "--force"]))?;
    let text = said(&output);
    ensure!(!output.status.success() && text.contains(", which belongs to ReplicaSet web"), "{text}");
    ensure!(verbs == ["get", "list"], "{verbs:?}");
    ensure!(pods(&field.kubectl, "agent")?.iter().all(|(.., ending)| !ending), "nothing was ended");

    field.kubectl.run(&["delete", "replicaset", "web"])?.ok()?;
    field.kubectl.run(&["delete", "pods", "-l", "team=web", "--force", "--grace-period=0"])?.ok()?;
    wait_until("the end of the pod of web", LIMIT, || Ok(pods(&field.kubectl, "agent")?.len() == 3))?;
    field.kubectl.run(&["delete", "replicaset", "agent", "--cascade=orphan"])?.ok()?;
    let orphans = pods(&field.kubectl, "agent")?;
    ensure!(orphans.len() == 3, "{orphans:?}");
    // Orphaned: no controller is named in them any more, so they are nobody's, and are left alone.
    let output = field.run(&["end-pods", "rs/agent", "--force"])?;
    ensure!(output.status.success() && pods(&field.kubectl, "agent")?.len() == 3, "{}", said(&output));
    field.crew("agent", 3)?;
    // Adopted again; the collector of garbage leaves them their owner while they are ending.
    field.kubectl.run(&["delete", "replicaset", "agent", "--cascade=background"])?.ok()?;
    wait_until("all pods to be ending", LIMIT, || {
        let pods = pods(&field.kubectl, "agent")?;
        Ok(pods.len() == 3 && pods.iter().all(|(.., ending)| *ending))
    })?;
    let (output, verbs) = field.counted(|| field.run(&["end-pods", "rs/agent", "--force"]))?;
    ensure!(output.status.success() && pods(&field.kubectl, "agent")?.is_empty(), "{}", said(&output));
    // The workload, the namespace, its pods, one of them; and after the DELETE the first two again.
    ensure!(verbs == ["get", "list", "list", "get", "deletecollection", "get", "list"], "{verbs:?}");
    field.clear(&["agent"])
}

impl Field {
    fn clear(&self, crews: &[&str]) -> Result<()> {
        for crew in crews {
            self.kubectl.run(&["delete", "replicaset", crew, "--ignore-not-found"])?.ok()?;
            let all = format!("crew={crew}");
            wait_until("an empty stage", LIMIT, || {
                self.kubectl.run(&["delete", "pods", "-l", &all, "--force", "--grace-period=0"])?.ok()?;
                Ok(pods(&self.kubectl, crew)?.is_empty())
            })?;
        }
        self.kubectl.run(&["delete", "node", "deaf"])?.ok().map(|_| ())
    }
}

/// A token as a pod has it: bound to the pod.
fn token(kubectl: &Kubectl, pod: &str, uid: &str) -> Result<String> {
    let words = ["create", "token", "default", "--bound-object-kind=Pod"];
    let bound = [format!("--bound-object-name={pod}"), format!("--bound-object-uid={uid}")];
    let output = kubectl.run(&[&words[..], &[&bound[0], &bound[1]]].concat())?.ok()?;
    Ok(output.trim().to_owned())
}

/// The status code that a request with this token gets.
fn asks_with(token: &str) -> Result<String> {
    let url = format!("https://{}:6443/api/v1/namespaces/default/pods?limit=1", shared()?.hosts[0].ip4());
    let header = format!("Authorization: Bearer {token}");
    let output = Command::new("curl")
        .args(["-sk", "-m", "20", "-o", "/dev/null", "-w", "%{http_code}", "-H", &header, &url])
        .output()?;
    Ok(String::from_utf8(output.stdout)?)
}

//! A loop that does as Argo CD does: it applies what an Application stands for, whenever that is to be synced by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use super::*;

const AGENT: [&str; 2] = ["daemonset", "agent"];
const EDGE: [&str; 4] = ["application", "edge", "-n", "argocd"];
const ROOT: [&str; 4] = ["application", "root", "-n", "argocd"];
const SET: [&str; 4] = ["applicationset", "edges", "-n", "argocd"];
const APPLICATIONS: &str = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications";

/// What the Application `edge` stands for.
pub(super) const WORKLOAD: &str = "
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: agent
  annotations: {argocd.argoproj.io/tracking-id: 'edge:apps/DaemonSet:default/agent'}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: main, image: none.invalid/none:1}]}
";

/// What the Application `root` stands for.
const CHILD: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: edge
  namespace: argocd
  annotations: {argocd.argoproj.io/tracking-id: 'root:argoproj.io/Application:argocd/edge'}
spec: {project: default, syncPolicy: {automated: {prune: true, selfHeal: true}, syncOptions: [CreateNamespace=true]}}
";

const PARENT: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: root, namespace: argocd}
spec: {project: default, syncPolicy: {automated: {selfHeal: true}}}
";

const MAKER: &str = "
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: edges, namespace: argocd}
spec: {template: {spec: {project: default}}}
";

/// The loop; it ends when this is dropped.
pub(super) struct Argo {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    over: AtomicBool,
    rounds: AtomicU64,
    /// Those in which nothing was refused.
    done: AtomicU64,
}

impl Argo {
    /// Starts it. `made`: the Application is made by an ApplicationSet, and not by another Application.
    pub(super) fn start(kubectl: Kubectl, made: bool) -> Self {
        Self::going_round(move || round(&kubectl, made))
    }

    /// The same over the workload alone: nothing says who does so.
    pub(super) fn over_one(kubectl: Kubectl) -> Self {
        Self::going_round(move || kubectl.apply(WORKLOAD))
    }

    fn going_round(round: impl Fn() -> Result<()> + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let its = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            while !its.over.load(Ordering::Relaxed) {
                // What goes wrong in a round goes wrong in that round.
                if round().is_ok() {
                    its.done.fetch_add(1, Ordering::Relaxed);
                }
                its.rounds.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        Self { shared, thread: Some(thread) }
    }

    /// In how many rounds nothing was refused.
    pub(super) fn done(&self) -> u64 {
        self.shared.done.load(Ordering::Relaxed)
    }

    /// Waits until it has looked so often again.
    pub(super) fn rounds(&self, more: u64) -> Result<()> {
        let until = self.shared.rounds.load(Ordering::Relaxed) + more;
        wait_until("more rounds", LONG, || Ok(self.shared.rounds.load(Ordering::Relaxed) >= until))
    }
}

impl Drop for Argo {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

fn round(kubectl: &Kubectl, made: bool) -> Result<()> {
    let object = |of: &[&str]| kubectl.json(&[&["get"], of].concat());
    let syncs = |application: &Value| application["spec"]["syncPolicy"]["automated"].is_object();
    if made {
        let set = object(&SET)?;
        if set["spec"]["syncPolicy"]["applicationsSync"] != "create-only" {
            let owner = format!(
                "ownerReferences: [{{apiVersion: argoproj.io/v1alpha1, kind: ApplicationSet, name: edges, controller: true, uid: {}}}]",
                set["metadata"]["uid"]
            );
            kubectl.apply(&CHILD.replace(
                "annotations: {argocd.argoproj.io/tracking-id: 'root:argoproj.io/Application:argocd/edge'}",
                &owner,
            ))?;
        }
    } else if syncs(&object(&ROOT)?) {
        kubectl.apply(CHILD)?;
    }
    if syncs(&object(&EDGE)?) {
        kubectl.apply(WORKLOAD)?;
    }
    Ok(())
}

/// Deletes the workload as anybody would, and waits until it is back: how long that takes.
pub(super) fn beaten(kubectl: &Kubectl) -> Result<Duration> {
    let before = uid(kubectl, &AGENT)?.context("a workload")?;
    kubectl.run(&["delete", "daemonset", "agent"])?.ok()?;
    let began = Instant::now();
    wait_until("the workload to be put back", LONG, || Ok(uid(kubectl, &AGENT)?.is_some_and(|now| now != before)))?;
    Ok(began.elapsed())
}

pub(super) fn there(kubectl: &Kubectl, of: &[&str]) -> Result<()> {
    wait_until(&format!("{of:?}"), LONG, || Ok(uid(kubectl, of)?.is_some()))
}

pub(super) fn tidied(kubectl: &Kubectl) -> Result<()> {
    for all in [&["applications,applicationsets", "-n", "argocd"][..], &["daemonset,deployment"]] {
        kubectl.run(&[&["delete", "--all", "--wait=true"], all].concat())?.ok()?;
    }
    Ok(())
}

pub(super) fn frozen() -> Result<()> {
    let _turn = turn();
    let Plane { plane, .. } = shared()?;
    let (kubectl, engineer) = (plane.kubectl(User::Masters)?, Engineer::new("argo")?);
    kubectl.apply(PARENT)?;
    let argo = Argo::start(plane.kubectl(User::Masters)?, false);
    there(&kubectl, &AGENT)?;
    println!("testbed: deleted, the workload is back after {:.1} s", beaten(&kubectl)?.as_secs_f64());

    let before = [whole(&kubectl, &ROOT)?, whole(&kubectl, &EDGE)?];
    let mark = plane.servers()[0].audit().mark()?;
    let began = Instant::now();
    let told = engineer.does(&["freeze-automation", "ds/default/agent"])?;
    println!("testbed: frozen {:.2} s after the command", began.elapsed().as_secs_f64());
    let (edge, root) = (format!("{APPLICATIONS}/edge"), format!("{APPLICATIONS}/root"));
    let agent = "/apis/apps/v1/namespaces/default/daemonsets/agent";
    let get = |path: &str| format!("get {path}");
    let patch = |path: &str| format!("patch {path}");
    // A sync that was under way may set it going once more: then there is a PATCH more, and what comes after one.
    let wanted = [get(agent), get(&edge), get(&root), patch(&root), patch(&edge), get(&edge), get(&root)];
    let sent_now = sent(mark)?;
    ensure!(
        sent_now.starts_with(&wanted) && (sent_now.len() == 9 || sent_now[7..].contains(&patch(&edge))),
        "{sent_now:?}"
    );
    let mark = plane.servers()[0].audit().mark()?;
    engineer.does(&["delete", "ds/default/agent"])?;
    ensure!(sent(mark)?.len() == 2, "{:?}", sent(mark)?);
    argo.rounds(ROUNDS)?;
    ensure!(uid(&kubectl, &AGENT)?.is_none(), "it is back");
    let again = engineer.does(&["freeze-automation", "application/edge"])?;
    ensure!(again.contains("at rest already: application/argocd/root (frozen by run "), "{again}");

    engineer.undoes(&told)?;
    ensure!([whole(&kubectl, &ROOT)?, whole(&kubectl, &EDGE)?] == before, "{before:?}");
    there(&kubectl, &AGENT)?;
    drop(argo);
    tidied(&kubectl)
}

pub(super) fn thawed() -> Result<()> {
    let _turn = turn();
    let Plane { plane, .. } = shared()?;
    let (kubectl, engineer) = (plane.kubectl(User::Masters)?, Engineer::new("sets")?);
    kubectl.apply(MAKER)?;
    let argo = Argo::start(plane.kubectl(User::Masters)?, true);
    // A DaemonSet may be left of another test.
    there(&kubectl, &EDGE)?;
    there(&kubectl, &AGENT)?;
    // Told by hand, the Application alone is set going again by what made it.
    let stop = r#"[{"op": "remove", "path": "/spec/syncPolicy/automated"}]"#;
    kubectl.run(&["patch", "application", "edge", "-n", "argocd", "--type=json", "-p", stop])?.ok()?;
    let automated = || -> Result<bool> { Ok(whole(&kubectl, &EDGE)?["spec"]["syncPolicy"]["automated"].is_object()) };
    wait_until("the Application to be set going again", LONG, &automated)?;

    let before = [whole(&kubectl, &SET)?, whole(&kubectl, &EDGE)?];
    let told = engineer.does(&["freeze-automation", "ds/agent", "-n", "default"])?;
    ensure!(told.contains("application/argocd/edge is put back by applicationset/argocd/edges"), "{told}");
    engineer.does(&["delete", "ds/default/agent"])?;
    argo.rounds(ROUNDS)?;
    ensure!(uid(&kubectl, &AGENT)?.is_none() && !automated()?, "it is back");

    // Another laptop, without the journal.
    let other = Engineer::new("other")?;
    let told = other.does(&["thaw-automation", "application/edge"])?;
    ensure!([whole(&kubectl, &SET)?, whole(&kubectl, &EDGE)?] == before, "{before:?}");
    there(&kubectl, &AGENT)?;
    // And once more, all of the cluster, which is thawed by undo.
    other.undoes(&told)?;
    // Undo does not wait for what was under way, which may set the Application going once more.
    let frozen = whole(&kubectl, &SET)?;
    ensure!(frozen["spec"]["syncPolicy"]["applicationsSync"] == "create-only", "it was to be frozen again: {frozen}");
    other.does(&["thaw-automation", "--all", "argo-cd"])?;
    let told = other.does(&["freeze-automation", "--all", "argo-cd"])?;
    let both = ["applicationsets/edges", "applications/edge"].iter().all(|path| told.contains(path));
    ensure!(!automated()? && both, "{told}");
    other.undoes(&told)?;
    ensure!([whole(&kubectl, &SET)?, whole(&kubectl, &EDGE)?] == before, "{before:?}");
    drop(argo);
    tidied(&kubectl)
}

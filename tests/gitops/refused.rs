//! One object kept away by a policy, whoever puts it back.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use testbed::{Kubectl, Output, User, wait_until};

use super::argo::{self, Argo};
use super::{Engineer, LONG, Plane, ROUNDS, sent, shared, turn, uid};

const AGENT: [&str; 2] = ["daemonset", "agent"];
const POLICIES: &str = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";
const BINDINGS: &str = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings";

/// A workload that nobody refuses.
fn workload(kind: &str, name: &str, namespace: &str) -> String {
    format!(
        "
apiVersion: apps/v1
kind: {kind}
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: main, image: none.invalid/none:1}}]}}
"
    )
}

/// A change of the spec of the workload that only the API server judges, and nobody makes.
fn changes(kubectl: &Kubectl, namespace: &str, kind: &str) -> Result<Output> {
    let patch = r#"{"spec": {"minReadySeconds": 7}}"#;
    kubectl.run(&["patch", kind, "agent", "-n", namespace, "--type=merge", "--dry-run=server", "-p", patch])
}

/// How many requests of each kind the program sent.
fn ours(mark: testbed::audit::Mark, verb: &str) -> Result<Vec<String>> {
    Ok(sent(mark)?.into_iter().filter(|one| one.starts_with(verb)).collect())
}

pub(super) fn kept_away() -> Result<()> {
    let _turn = turn();
    let Plane { plane, .. } = shared()?;
    let (kubectl, engineer) = (plane.kubectl(User::Masters)?, Engineer::new("refused")?);
    let argo = Argo::over_one(plane.kubectl(User::Masters)?);
    argo::there(&kubectl, &AGENT)?;
    println!("testbed: deleted, the workload is back after {:.1} s", argo::beaten(&kubectl)?.as_secs_f64());
    let deployment = workload("Deployment", "agent", "default");
    kubectl.apply(&deployment)?;

    let mark = plane.servers()[0].audit().mark()?;
    let told = engineer.does(&["refuse-return", "ds/default/agent", "--ask", "the platform team", "--lasts", "1h"])?;
    let answered = Instant::now();
    ensure!(sent(mark)?.len() == 5 && ours(mark, "get ")?.len() == 3, "{:?}", sent(mark)?);
    let created = [format!("create {POLICIES}"), format!("create {BINDINGS}")];
    ensure!(ours(mark, "create ")? == created, "{:?}", sent(mark)?);
    wait_until("the policy to be in force", LONG, || Ok(!changes(&kubectl, "default", "daemonset")?.success()))?;
    println!("testbed: in force {:.1} s after the command", answered.elapsed().as_secs_f64());
    // It is there and stays; what does not change its spec goes on.
    kubectl.run(&["annotate", "daemonset", "agent", "a=b"])?.ok()?;

    engineer.does(&["delete", "ds/default/agent"])?;
    // A round that had found it there before it was deleted has gone well.
    argo.rounds(2)?;
    let before = argo.done();
    argo.rounds(ROUNDS)?;
    ensure!(uid(&kubectl, &AGENT)?.is_none(), "it is back");
    ensure!(argo.done() == before, "somebody could put it back");
    // A POST, and a PATCH that makes what is not there, as Flux sends it.
    for how in [&["create", "-f", "-"][..], &["apply", "--server-side", "-f", "-"]] {
        let refused = kubectl.run_within(how, argo::WORKLOAD.as_bytes(), LONG)?;
        for word in ["is kept away until 20", "Ask the platform team before you bring it back", "breakglass undo "] {
            ensure!(!refused.success() && refused.stderr.contains(word), "{word}: {refused:?}");
        }
    }
    // Of what is another kind, another name or in another namespace, nothing is refused.
    ensure!(changes(&kubectl, "default", "deployment")?.success(), "another kind");
    kubectl.run(&["scale", "deployment", "agent", "--replicas=3"])?.ok()?;
    for (name, namespace) in [("other", "default"), ("agent", "argocd")] {
        kubectl.apply(&workload("DaemonSet", name, namespace))?;
        kubectl.apply(&workload("DaemonSet", name, namespace).replace("none:1", "none:2"))?;
        kubectl.run(&["delete", "daemonset", name, "-n", namespace])?.ok()?;
    }
    // Whoever does it again changes nothing.
    let again = engineer.does(&["refuse-return", "ds/default/agent"])?;
    ensure!(again.contains("is kept away by run ") && again.contains("0 changes"), "{again}");

    let mark = plane.servers()[0].audit().mark()?;
    engineer.undoes(&told)?;
    ensure!(ours(mark, "delete ")?.len() == 2, "{:?}", sent(mark)?);
    let about = r"jsonpath={.items[*].metadata.annotations.breakglass\.io/object}";
    for plural in ["validatingadmissionpolicies", "validatingadmissionpolicybindings"] {
        let left = kubectl.run(&["get", plural, "-o", about])?.ok()?;
        ensure!(!left.contains("/default/"), "{left}");
    }
    argo::there(&kubectl, &AGENT)?;

    // What is scaled is refused, too.
    let told = engineer.does(&["refuse-return", "deploy/default/agent"])?;
    let scale = |to: &str| kubectl.run(&["scale", "deployment", "agent", "--dry-run=server", to]);
    wait_until("the policy to be in force", LONG, || Ok(!scale("--replicas=5")?.success()))?;
    engineer.undoes(&told)?;
    wait_until("the policy to be gone", LONG, || Ok(scale("--replicas=5")?.success()))?;
    drop(argo);
    argo::tidied(&kubectl)
}

/// It takes no turn: it is not alice whose requests it sends, nor anybody else's workload.
pub(super) fn ends() -> Result<()> {
    let Plane { plane, .. } = shared()?;
    let (kubectl, engineer) = (plane.kubectl(User::Masters)?, Engineer::of("ends", User::Masters)?);
    kubectl.apply("{apiVersion: v1, kind: Namespace, metadata: {name: ends}}")?;
    let (agent, other) = (workload("DaemonSet", "agent", "ends"), workload("DaemonSet", "gone", "ends"));
    kubectl.apply(&agent)?;
    let began = Instant::now();
    let told = engineer.does(&["refuse-return", "ds/ends/agent", "--lasts", "30s"])?;
    let gone = engineer.does(&["refuse-return", "ds/ends/gone", "--lasts", "30s"])?;
    let changes = || changes(&kubectl, "ends", "daemonset");
    let creates = || kubectl.run_within(&["create", "-f", "-", "--dry-run=server"], other.as_bytes(), LONG);
    wait_until("the policies to be in force", LONG, || Ok(!changes()?.success() && !creates()?.success()))?;
    let refused = began.elapsed();
    wait_until("the policies to end by themselves", LONG, || Ok(changes()?.success() && creates()?.success()))?;
    let over = began.elapsed();
    // The server tells its time to the second.
    ensure!(over >= Duration::from_secs(29), "{over:?}");
    println!("testbed: in force after {:.1} s, over after {:.1} s", refused.as_secs_f64(), over.as_secs_f64());
    // They are still there, and whoever asks for it again is told so.
    let again = engineer.says(&["refuse-return", "ds/ends/agent", "--cluster", "lab", "--yes", "--reason", "x"])?;
    ensure!(!again.success() && again.stderr.contains("which is over"), "{again:?}");
    engineer.undoes(&told)?;
    engineer.undoes(&gone)
}

//! Deletes that end: what holds an object in a real API server, and what takes it off.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use testbed::{Kubectl, Output, audit};

use super::{Kit, LIMIT, Lab, Plane, Result, User, ensure, shared, turn};

const WIDGETS: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.deletes.test}
spec:
  group: deletes.test
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";
/// Held by a controller that is not there.
const ONE: &str = "
apiVersion: deletes.test/v1
kind: Widget
metadata: {name: one, namespace: default, labels: {app: one}, finalizers: [deletes.test/hold, deletes.test/too]}
spec: {size: 3}
";
const AT: &str = "/apis/deletes.test/v1/namespaces/default/widgets/one";

struct Bench {
    folder: PathBuf,
    kubectl: Kubectl,
}

impl Bench {
    fn new(name: &str) -> Result<Self> {
        let Plane { plane, hosts } = shared()?;
        let lab = Lab::shared()?;
        let folder = lab.folder(name)?;
        let files = plane.access().credential_files(User::Alice)?;
        Kit::direct(hosts).with_credentials(&files).write(lab, &folder.join("kit"), "lab")?;
        Ok(Self { folder, kubectl: plane.kubectl(User::Masters)? })
    }

    /// Runs the program: how it ended, and all that it said.
    fn run(&self, words: &str) -> Result<(Output, String)> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass"));
        command.args(words.split(' ')).args(["--cluster", "lab"]);
        command.env_clear().env("HOME", &self.folder).env("PATH", "/usr/bin:/bin").env("USER", "alice");
        command.env("BREAKGLASS_KIT", self.folder.join("kit")).env("BREAKGLASS_STATE", self.folder.join("state"));
        let output = testbed::Running::start(&mut command, b"")?.wait(LIMIT * 2)?;
        let said = format!("{}{}", output.stdout, output.stderr);
        Ok((output, said))
    }

    fn done(&self, words: &str) -> Result<String> {
        let (output, said) = self.run(words)?;
        ensure!(output.success(), "{words}: {said}");
        Ok(said)
    }

    /// It ends with an error that says all of these.
    fn fails(&self, words: &str, with: &[&str]) -> Result<String> {
        let (output, said) = self.run(words)?;
        ensure!(!output.success(), "{words}: {said}");
        for word in with {
            // A terminal's lines are broken where they end.
            ensure!(flat(&said).contains(word), "{words}: {word:?} is not in {said}");
        }
        Ok(said)
    }

    /// Takes the last run back; `undo` asks no cluster.
    fn undo(&self) -> Result<(Output, String)> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass"));
        command.args(["undo", "last", "--yes"]).env_clear().env("HOME", &self.folder).env("PATH", "/usr/bin:/bin");
        command.env("BREAKGLASS_KIT", self.folder.join("kit")).env("BREAKGLASS_STATE", self.folder.join("state"));
        let output = testbed::Running::start(&mut command, b"")?.wait(LIMIT * 2)?;
        let said = format!("{}{}", output.stdout, output.stderr);
        Ok((output, said))
    }

    /// An object as JSON; `None`: it is not there.
    fn object(&self, path: &str) -> Result<Option<Value>> {
        let said = self.kubectl.run(&["get", "--raw", path])?;
        if said.success() {
            return Ok(Some(serde_json::from_str(&said.stdout)?));
        }
        ensure!(said.stderr.contains("NotFound"), "{said:?}");
        Ok(None)
    }

    fn there(&self, path: &str) -> Result<Value> {
        self.object(path)?.with_context(|| format!("{path} is not there"))
    }

    fn gone(&self, path: &str) -> Result<()> {
        testbed::wait_until(&format!("{path} to be gone"), LIMIT, || Ok(self.object(path)?.is_none()))
    }
}

fn flat(said: &str) -> String {
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Requests as they stand in the audit log.
fn seen(mark: audit::Mark) -> Result<Vec<String>> {
    let requests = shared()?.plane.servers()[0].audit().by("alice", mark)?;
    Ok(requests.iter().map(|one| format!("{} {}", one.verb.to_uppercase(), one.uri)).collect())
}

/// What is there of an object that matters to whoever gets it back.
fn kept(object: &Value) -> (Value, Value, Value) {
    (object["spec"].clone(), object["metadata"]["labels"].clone(), object["metadata"]["finalizers"].clone())
}

pub(super) fn a_stuck_object_ends() -> Result<()> {
    let _turn = turn();
    let bench = Bench::new("deletes")?;
    bench.kubectl.apply(WIDGETS)?;
    testbed::wait_until("a kind that is served", LIMIT, || Ok(bench.kubectl.apply(ONE).is_ok()))?;
    let before = bench.there(AT)?;

    // Nobody has deleted it: nothing is changed.
    let refused = "remove-finalizers widgets.v1.deletes.test/default/one --yes --consent one";
    bench.fails(refused, &["nobody has deleted widgets.deletes.test/default/one"])?;
    // The delete names what holds it, and the command that ends it.
    let next = "remove-finalizers deletes.test/v1/widgets/default/one --finalizer deletes.test/hold --finalizer deletes.test/too";
    let delete = "delete widgets.v1.deletes.test/default/one --yes --gone-within 3s";
    bench.fails(delete, &["held by deletes.test/hold, deletes.test/too", &format!("breakglass {next}")])?;

    // One of them: it is held by the other one still, and the server takes none back.
    let first = next.replace(" --finalizer deletes.test/too", "");
    let audit = shared()?.plane.servers()[0].audit();
    let plan = bench.done(&format!("{first} --plan"))?;
    let mark = audit.mark()?;
    let said = bench.done(&format!("{first} --yes --consent one -v"))?;
    ensure!(flat(&said).contains("is not gone: it is being deleted"), "{said}");
    ensure!(seen(mark)? == [format!("GET {AT}"), format!("GET {AT}"), format!("PATCH {AT}"), format!("GET {AT}")]);
    ensure!(["GET", "PATCH"].iter().all(|verb| plan.contains(&format!("{verb} {AT}"))), "{plan}");
    let (output, said) = bench.undo()?;
    ensure!(!output.success() && said.contains("lets nobody add a finalizer"), "{said}");
    let add = r#"[{"op":"add","path":"/metadata/finalizers/-","value":"deletes.test/hold"}]"#;
    let said = bench.kubectl.run(&["patch", "widgets.deletes.test", "one", "--type=json", "-p", add])?;
    ensure!(!said.success() && said.stderr.contains("no new finalizers can be added"), "{said:?}");
    ensure!(bench.there(AT)?["metadata"]["finalizers"] == serde_json::json!(["deletes.test/too"]));

    // All that is left, by name or not: gone. Without the typed name nothing is sent but the look.
    let rest = "remove-finalizers deletes.test/v1/widgets/default/one --yes";
    let mark = audit.mark()?;
    bench.fails(rest, &["--consent"])?;
    ensure!(seen(mark)? == [format!("GET {AT}")], "{:?}", seen(mark)?);
    let said = bench.done(&format!("{rest} --consent one -v"))?;
    ensure!(flat(&said).contains("widgets.deletes.test/default/one is gone"), "{said}");
    ensure!(bench.object(AT)?.is_none());
    // Made anew: whole but for what was taken off before, another uid, not being deleted.
    let (output, said) = bench.undo()?;
    ensure!(output.success(), "{said}");
    let back = bench.there(AT)?;
    ensure!(back["metadata"]["uid"] != before["metadata"]["uid"] && back["metadata"]["deletionTimestamp"].is_null());
    ensure!((kept(&back).0, kept(&back).1) == (kept(&before).0, kept(&before).1), "{back}");
    ensure!(back["metadata"]["finalizers"] == serde_json::json!(["deletes.test/too"]), "{back}");

    // Before a deletion: taken off, put back exactly; then a delete goes through at once.
    let ahead = "remove-finalizers widgets.v1.deletes.test/default/one --before-delete --yes --consent one";
    bench.done(ahead)?;
    ensure!(bench.there(AT)?["metadata"]["finalizers"].is_null());
    let (output, said) = bench.undo()?;
    ensure!(output.success() && kept(&bench.there(AT)?) == kept(&back), "{said}");
    bench.done(ahead)?;
    bench.done("delete widgets.v1.deletes.test/default/one --yes")?;
    ensure!(bench.object(AT)?.is_none());
    // Its own undo puts back what it saved, which had none.
    let (output, said) = bench.undo()?;
    ensure!(output.success() && bench.there(AT)?["metadata"]["finalizers"].is_null(), "{said}");
    bench.kubectl.run(&["delete", "crd", "widgets.deletes.test"])?.ok().map(drop)
}

/// An owner, and what it owns and waits for, which a finalizer holds.
const OWNER: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: owner, namespace: default}
";

fn owned(uid: &str, finalizers: &str) -> String {
    format!(
        "
apiVersion: v1
kind: ConfigMap
metadata:
  name: owned
  namespace: default
  finalizers: [{finalizers}]
  ownerReferences: [{{apiVersion: v1, kind: ConfigMap, name: owner, uid: {uid}, blockOwnerDeletion: true}}]
"
    )
}

const OWNER_AT: &str = "/api/v1/namespaces/default/configmaps/owner";
const OWNED_AT: &str = "/api/v1/namespaces/default/configmaps/owned";

impl Bench {
    fn owner_and_owned(&self, finalizers: &str) -> Result<()> {
        self.kubectl.apply(OWNER)?;
        let uid = self.there(OWNER_AT)?["metadata"]["uid"].as_str().context("a uid")?.to_owned();
        self.kubectl.apply(&owned(&uid, finalizers))
    }
}

pub(super) fn what_goes_first_is_held_itself() -> Result<()> {
    let _turn = turn();
    let bench = Bench::new("deletes-foreground")?;
    bench.owner_and_owned("deletes.test/hold")?;
    let delete = "delete cm/default/owner --propagation foreground --yes --gone-within 5s";
    bench.fails(delete, &["held by foregroundDeletion", "does a finalizer hold what it owns?"])?;
    // The garbage collector's own way is named with what it means, and not swept away.
    let all = "remove-finalizers cm/default/owner --yes --consent owner";
    bench.fails(all, &["what the object owns goes first", "--finalizer foregroundDeletion"])?;
    ensure!(bench.object(OWNER_AT)?.is_some());
    bench.done("remove-finalizers cm/default/owned --yes --consent owned")?;
    bench.gone(OWNER_AT)?;
    ensure!(bench.object(OWNED_AT)?.is_none());
    Ok(())
}

const FRONT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: front, namespace: default}
spec:
  replicas: 1
  selector: {matchLabels: {app: front}}
  template:
    metadata: {labels: {app: front}}
    spec: {containers: [{name: main, image: none.invalid/none:1}]}
";
const FRONT_AT: &str = "/apis/apps/v1/namespaces/default/deployments/front";

pub(super) fn what_it_owned_stays_and_comes_back() -> Result<()> {
    let _turn = turn();
    let bench = Bench::new("deletes-orphan")?;
    bench.kubectl.apply(FRONT)?;
    let sets = || -> Result<Vec<Value>> {
        let all = bench.kubectl.json(&["get", "replicasets", "-l", "app=front"])?;
        Ok(all["items"].as_array().cloned().unwrap_or_default())
    };
    let owner = |set: &Value| set["metadata"]["ownerReferences"][0]["uid"].clone();
    testbed::wait_until("its ReplicaSet", LIMIT, || Ok(sets()?.len() == 1))?;
    let before = sets()?;
    let said = bench.done("delete deploy/default/front --cascade orphan --yes -v")?;
    ensure!(flat(&said).contains("what it owns stays"), "{said}");
    bench.gone(FRONT_AT)?;
    let orphaned = sets()?;
    ensure!(orphaned.len() == 1 && orphaned[0]["metadata"]["uid"] == before[0]["metadata"]["uid"], "{orphaned:?}");
    ensure!(owner(&orphaned[0]).is_null(), "{orphaned:?}");
    let (output, said) = bench.undo()?;
    ensure!(output.success(), "{said}");
    let uid = bench.there(FRONT_AT)?["metadata"]["uid"].clone();
    testbed::wait_until("its own again", LIMIT, || Ok(sets()?.iter().all(|set| owner(set) == uid)))?;
    ensure!(sets()?.len() == 1 && sets()?[0]["metadata"]["uid"] == before[0]["metadata"]["uid"]);
    bench.kubectl.run(&["delete", "deployment", "front"])?.ok()?;

    // Nobody collects: one that comes later and never saw the deletion takes what was to stay for garbage.
    bench.owner_and_owned("")?;
    let manager = shared()?.plane.component("kube-controller-manager", "cp1")?;
    let process = manager.process()?;
    let parent = Pid::from_raw(i32::try_from(process.parent)?).context("what starts it again")?;
    kill_process(parent, Signal::STOP)?;
    process.signal(Signal::TERM);
    let held = (|| -> Result<()> {
        testbed::wait_until("the controllers to be gone", LIMIT, || Ok(manager.process().is_err()))?;
        bench.fails("delete cm/default/owner --propagation orphan --yes --gone-within 3s", &["held by orphan"])?;
        bench.fails("remove-finalizers cm/default/owner --yes --consent owner", &["is DELETED as garbage"])?;
        bench.done("remove-finalizers cm/default/owner --finalizer orphan --yes --consent owner")?;
        ensure!(bench.object(OWNER_AT)?.is_none() && bench.object(OWNED_AT)?.is_some());
        Ok(())
    })();
    kill_process(parent, Signal::CONT)?;
    held?;
    bench.gone(OWNED_AT)
}

const ACCOUNT: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: caller, namespace: default, labels: {app: caller}}
---
apiVersion: v1
kind: Secret
metadata: {name: caller-token, namespace: default, annotations: {kubernetes.io/service-account.name: caller}}
type: kubernetes.io/service-account-token
";
const ACCOUNT_AT: &str = "/api/v1/namespaces/default/serviceaccounts/caller";

/// What the API server answers to who comes with this token: 403 is somebody whom it knows.
fn answered(token: &str) -> Result<String> {
    let Plane { plane, .. } = shared()?;
    let [ca, ..] = plane.access().credential_files(User::Alice)?;
    let mut command = Command::new("curl");
    command.args(["-sS", "-m", "30", "-o", "/dev/null", "-w", "%{http_code}", "--cacert"]).arg(ca);
    command.args(["-H", &format!("Authorization: Bearer {token}")]);
    command.arg(format!("{}/api/v1/namespaces/default/pods", plane.servers()[0].url()));
    testbed::Running::start(&mut command, b"")?.wait(LIMIT)?.ok()
}

pub(super) fn tokens_are_refused() -> Result<()> {
    let _turn = turn();
    let bench = Bench::new("revoke-tokens")?;
    bench
        .fails("revoke-tokens sa/kube-system/default --yes --consent default", &["a part of Kubernetes runs as it"])?;
    // One that is not there is no error: no token of it is taken.
    bench.done("revoke-tokens sa/default/none --yes --consent none")?;
    bench.kubectl.apply(ACCOUNT)?;
    let token = || Ok::<_, anyhow::Error>(bench.kubectl.run(&["create", "token", "caller"])?.ok()?.trim().to_owned());
    let legacy = "/api/v1/namespaces/default/secrets/caller-token";
    for round in 0..3 {
        let old = token()?;
        testbed::wait_until("a token that is known", LIMIT, || Ok(answered(&old)? == "403"))?;
        let audit = shared()?.plane.servers()[0].audit();
        let mark = audit.mark()?;
        let (began, mut refused) = (Instant::now(), None);
        let said = std::thread::scope(|scope| -> Result<String> {
            let program = scope.spawn(|| bench.done("revoke-tokens sa/default/caller --yes --consent caller -v"));
            let mut gone = None;
            while refused.is_none() && began.elapsed() < LIMIT {
                let code = answered(&old)?;
                gone = gone.or(bench.object(ACCOUNT_AT)?.is_none().then(|| began.elapsed()));
                if code == "401" {
                    refused = Some(began.elapsed().saturating_sub(gone.unwrap_or_default()));
                }
            }
            program.join().map_err(|_| anyhow::anyhow!("it broke"))?
        })?;
        let soon = refused.is_some_and(|took| took < Duration::from_secs(30));
        ensure!(soon && answered(&old)? == "401", "round {round}: {refused:?}: {said}");
        ensure!(flat(&said).contains("hold no request of system:serviceaccount:default:caller"), "{said}");
        let asked = seen(mark)?;
        let writes: Vec<&String> = asked.iter().filter(|one| !one.starts_with("GET ")).collect();
        ensure!(writes == [&format!("DELETE {ACCOUNT_AT}")], "{asked:?}");
        bench.gone(legacy)?;
        // Undo makes the account anew; the old token stays refused, a new one is taken.
        let (output, said) = bench.undo()?;
        ensure!(output.success() && bench.there(ACCOUNT_AT)?["metadata"]["labels"]["app"] == "caller", "{said}");
        let new = token()?;
        testbed::wait_until("a new token that is known", LIMIT, || Ok(answered(&new)? == "403"))?;
        ensure!(answered(&old)? == "401", "an old token is good again");
    }
    bench.kubectl.run(&["delete", "serviceaccount", "caller"])?.ok().map(drop)
}

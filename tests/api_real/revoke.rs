//! Rights taken away from a real service account, and given back.

use std::process::Command;

use serde_json::Value;

use super::*;

/// A binding of the agent's own, one that it shares and is also called a user in, and one of a group that it is in.
const BOUND: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: revoke}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: agent, namespace: revoke}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: other, namespace: revoke}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: 'revoke:reader'}
rules: [{apiGroups: [''], resources: [pods], verbs: [get, list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: 'revoke:own', labels: {app: agent}, annotations: {note: keep me}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: 'revoke:reader'}
subjects: [{kind: ServiceAccount, name: agent, namespace: revoke}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: shared, namespace: revoke, labels: {app: readers}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: 'revoke:reader'}
subjects:
- {kind: User, apiGroup: rbac.authorization.k8s.io, name: 'system:serviceaccount:revoke:agent'}
- {kind: ServiceAccount, name: other, namespace: revoke}
- {kind: ServiceAccount, name: agent, namespace: revoke}
- {kind: Group, apiGroup: rbac.authorization.k8s.io, name: readers}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: group, namespace: revoke}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: nothing}
subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: 'system:serviceaccounts:revoke'}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: revoke}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {serviceAccountName: agent, containers: [{name: main, image: none.invalid/none:1}]}
";
const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const OWN: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/revoke:own";
const SHARED: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/revoke/rolebindings/shared";

struct Bench {
    folder: std::path::PathBuf,
    masters: testbed::Kubectl,
    ca: std::path::PathBuf,
    url: String,
}

impl Bench {
    fn new(name: &str) -> Result<Self> {
        let Plane { plane, hosts } = shared()?;
        let lab = Lab::shared()?;
        let folder = lab.folder(name)?;
        let files = plane.access().credential_files(User::Alice)?;
        Kit::direct(hosts).with_credentials(&files).write(lab, &folder.join("kit"), "lab")?;
        let masters = plane.kubectl(User::Masters)?;
        masters.apply(BOUND)?;
        let [ca, ..] = files;
        Ok(Self { folder, masters, ca, url: plane.servers()[0].url() })
    }

    /// Runs the program.
    fn run(&self, words: &[&str]) -> Result<testbed::Output> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass"));
        command.args(words).env_clear().env("HOME", &self.folder).env("PATH", "/usr/bin:/bin");
        command.env("BREAKGLASS_KIT", self.folder.join("kit")).env("BREAKGLASS_STATE", self.folder.join("state"));
        testbed::Running::start(&mut command, b"")?.wait(LIMIT * 2)
    }

    /// Takes the rights away: all that was said.
    fn revoke(&self, words: &[&str]) -> Result<String> {
        let said = self.run(&[&["revoke", "--cluster", "lab", "--yes", "--reason", "drill"], words].concat())?;
        ensure!(said.success(), "{said:?}");
        Ok(said.stdout + &said.stderr)
    }

    /// Takes back the run that said this.
    fn undo(&self, told: &str) -> Result<testbed::Output> {
        self.run(&["undo", run(told)?, "--yes"])
    }

    fn token(&self, account: &str) -> Result<String> {
        Ok(self.masters.run(&["create", "token", account, "-n", "revoke"])?.ok()?.trim().to_owned())
    }

    /// What a LIST of the namespace's pods is answered with.
    fn list(&self, token: &str) -> Result<String> {
        let mut command = Command::new("curl");
        command.args(["-sS", "-m", "30", "-o", "/dev/null", "-w", "%{http_code}", "--cacert"]).arg(&self.ca);
        command.args(["-H", &format!("Authorization: Bearer {token}")]);
        command.arg(format!("{}/api/v1/namespaces/revoke/pods", self.url));
        testbed::Running::start(&mut command, b"")?.wait(LIMIT)?.ok()
    }

    /// How long it takes until a LIST is answered so.
    fn becomes(&self, token: &str, code: &str) -> Result<Duration> {
        let began = Instant::now();
        while self.list(token)? != code {
            ensure!(began.elapsed() < Duration::from_secs(20), "it is not {code} but {}", self.list(token)?);
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(began.elapsed())
    }

    /// The bindings without what a server sets; `None` for one that is not there.
    fn bindings(&self) -> Result<Vec<Option<Value>>> {
        let one = |path: &str| -> Result<Option<Value>> {
            let said = self.masters.run(&["get", "--raw", path])?;
            if !said.success() {
                ensure!(said.stderr.contains("NotFound"), "{said:?}");
                return Ok(None);
            }
            let mut object: Value = serde_json::from_str(&said.stdout)?;
            let metadata = object["metadata"].as_object_mut().context("metadata")?;
            for field in ["uid", "resourceVersion", "creationTimestamp", "managedFields"] {
                metadata.remove(field);
            }
            Ok(Some(object))
        };
        [OWN, SHARED].into_iter().map(one).collect()
    }
}

/// Requests as they stand in the audit log.
fn seen(mark: testbed::audit::Mark) -> Result<Vec<String>> {
    let requests = shared()?.plane.servers()[0].audit().by("alice", mark)?;
    let line = |one: &testbed::audit::Request| format!("{} {}", one.verb.to_uppercase(), one.uri);
    Ok(requests.iter().map(line).collect())
}

pub(super) fn rights_are_gone_and_come_back() -> Result<()> {
    let _turn = turn();
    let audit = shared()?.plane.servers()[0].audit();
    let bench = Bench::new("revoke")?;
    let (agent, other) = (bench.token("agent")?, bench.token("other")?);
    bench.becomes(&agent, "200")?;
    bench.becomes(&other, "200")?;
    let before = bench.bindings()?;

    let lists = [format!("LIST {RBAC}/clusterrolebindings?limit=500"), format!("LIST {RBAC}/rolebindings?limit=500")];
    let writes = [format!("DELETE {OWN}"), format!("PATCH {SHARED}")];
    let gets = [format!("GET {OWN}"), format!("GET {SHARED}")];
    let workload = "GET /apis/apps/v1/namespaces/revoke/daemonsets/agent".to_owned();
    let names = ["--binding", "clusterrolebinding/revoke:own", "--binding", "rolebinding/revoke/shared"];
    let by_name = [&["system:serviceaccount:revoke:agent"][..], &names].concat();
    let by_workload = ["--workload", "ds/agent", "-n", "revoke"];
    for (words, reads) in [
        (&["sa/revoke/agent"][..], lists.to_vec()),
        (&by_name, gets.to_vec()),
        (&by_workload, [&[workload][..], &lists].concat()),
    ] {
        let plan = bench.run(&[&["revoke", "--cluster", "lab", "--plan"], words].concat())?.ok()?;
        let mark = audit.mark()?;
        let told = bench.revoke(words)?;
        let took = bench.becomes(&agent, "403")?;
        ensure!(took < Duration::from_secs(15), "{took:?}");
        ensure!(bench.list(&other)? == "200", "others keep what they had");
        let requests = seen(mark)?;
        ensure!(requests == [reads.clone(), writes.to_vec()].concat(), "{requests:#?}");
        if words.contains(&"--binding") {
            for request in &requests {
                ensure!(plan.contains(request.as_str()), "{request} was not announced: {plan}");
            }
        } else {
            ensure!(
                told.contains("system:serviceaccounts:revoke by rolebinding/revoke/group (Role nothing)"),
                "{told}"
            );
            ensure!(reads.iter().all(|read| plan.contains(&read.replace("LIST ", "GET "))), "{plan}");
        }
        let now = bench.bindings()?;
        ensure!(now[0].is_none(), "{now:?}");
        let subjects = now[1].as_ref().map(|shared| shared["subjects"].as_array().map_or(0, Vec::len));
        ensure!(subjects == Some(2), "{now:?}");
        // A second time there is nothing to do, and nothing is written.
        let mark = audit.mark()?;
        let again = bench.revoke(words)?;
        ensure!(again.contains("what it may do comes another way"), "{again}");
        ensure!(seen(mark)?.iter().all(|one| !writes.contains(one)), "{again}");
        bench.undo(&told)?.ok()?;
        let back = bench.bindings()?;
        ensure!(back == before, "{back:#?} is not {before:#?}");
        bench.becomes(&agent, "200")?;
    }
    Ok(())
}

/// The run that said this.
fn run(told: &str) -> Result<&str> {
    let id = told.strip_prefix("run ").and_then(|rest| rest.split(':').next());
    id.with_context(|| told.to_owned())
}

pub(super) fn what_others_hold_or_change_is_not_forced() -> Result<()> {
    let _turn = turn();
    let bench = Bench::new("revoke-held")?;
    let agent = bench.token("agent")?;
    bench.becomes(&agent, "200")?;
    // One that a finalizer holds would give its rights for as long as it is held: it is emptied.
    let finalizers = r#"{"metadata":{"finalizers":["example.com/held"],"annotations":null}}"#;
    bench.masters.run(&["patch", "clusterrolebinding", "revoke:own", "--type=merge", "-p", finalizers])?.ok()?;
    let before = bench.bindings()?;
    let told = bench.revoke(&["sa/revoke/agent"])?;
    bench.becomes(&agent, "403")?;
    let now = bench.bindings()?;
    ensure!(now[0].as_ref().is_some_and(|own| own["subjects"].is_null()), "{now:?}");
    bench.undo(&told)?.ok()?;
    let back = bench.bindings()?;
    ensure!(back == before, "{back:#?} is not {before:#?}");
    bench.becomes(&agent, "200")?;

    // Somebody takes the group out meanwhile: theirs is left, and named; the other one is put back all the same.
    let told = bench.revoke(&["sa/revoke/agent"])?;
    let theirs = r#"[{"op":"remove","path":"/subjects/1"}]"#;
    bench.masters.run(&["patch", "rolebinding", "shared", "-n", "revoke", "--type=json", "-p", theirs])?.ok()?;
    let said = bench.undo(&told)?;
    ensure!(!said.success() && format!("{said:?}").contains("rolebindings/shared"), "{said:?}");
    let now = bench.bindings()?;
    ensure!(now[0] == before[0], "{now:?}");
    let subjects = now[1].as_ref().map(|shared| shared["subjects"].as_array().map_or(0, Vec::len));
    ensure!(subjects == Some(1), "{now:?}");
    let free = r#"{"metadata":{"finalizers":null}}"#;
    bench.masters.run(&["patch", "clusterrolebinding", "revoke:own", "--type=merge", "-p", free])?.ok()?;
    Ok(())
}

//! L7: an admission webhook whose own pods are gone refuses every pod, also those that would bring it back; and what else refuses
//! on admission.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use testbed::{Kubectl, Output, Running, User, wait_until};

use super::{LONG, Scene, scene};

const NAMESPACE: &str = "policy";
pub(super) const ADMISSION: &str = "/apis/admissionregistration.k8s.io/v1";
const API_SERVICE: &str = "/apis/apiregistration.k8s.io/v1/apiservices/v1.dead.example.com";

/// A policy engine as clusters have it: it judges pods and workloads of every namespace, also of its own, and while it does
/// not answer nothing passes.
const ENGINE: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: policy}
---
apiVersion: v1
kind: Service
metadata: {name: policy, namespace: policy}
spec:
  selector: {app: policy}
  ports: [{port: 443, targetPort: 8443}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: policy, namespace: policy}
spec:
  selector: {matchLabels: {app: policy}}
  template:
    metadata: {labels: {app: policy}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: main, image: 'bg.local/busybox:1', command: [sleep, '54321']}
";

/// It asks to be asked about webhook configurations, too: no API server ever does that.
const WEBHOOKS: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: policy}
webhooks:
- name: pods.policy.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  timeoutSeconds: 2
  clientConfig: {service: {name: policy, namespace: policy, path: /validate}}
  rules:
  - {apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}
  - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}
  - {apiGroups: [admissionregistration.k8s.io], apiVersions: ['*'], operations: ['*'], resources: ['*']}
";

/// The engine runs, then its node is emptied: its pods are gone, and nothing may make new ones.
pub(super) fn locked_out(kubectl: &Kubectl) -> Result<()> {
    // That of a test before may not be quite gone.
    wait_until("a namespace for the engine", LONG, || Ok(kubectl.apply(ENGINE).is_ok()))?;
    wait_until("a running pod of the engine", LONG, || Ok(pods(kubectl)?.contains("Running")))?;
    kubectl.apply(WEBHOOKS)?;
    kubectl.run(&["delete", "pods", "-n", NAMESPACE, "--all"])?.ok()?;
    wait_until("no pod of the engine", LONG, || {
        let refused = kubectl.run(&["get", "events", "-n", NAMESPACE, "--field-selector", "reason=FailedCreate"])?;
        Ok(pods(kubectl)?.is_empty() && refused.stdout.contains("pods.policy.example.com"))
    })
}

fn pods(kubectl: &Kubectl) -> Result<String> {
    kubectl.run(&["get", "pods", "-n", NAMESPACE, "--no-headers"])?.ok()
}

/// A pod by hand, as whoever tries to help would start one; the server does all but keep it.
fn tries(kubectl: &Kubectl, namespace: &str) -> Result<Output> {
    let words = ["run", "help", "--image=bg.local/busybox:1", "--dry-run=server", "-n", namespace];
    kubectl.run(&words)
}

fn configuration(scene: &Scene, plural: &str, name: &str) -> Result<String> {
    Ok(scene.object(&format!("{ADMISSION}/{plural}/{name}"))?.to_string())
}

pub(super) fn opened_and_undone() -> Result<()> {
    let scene = &*scene()?;
    let kubectl = scene.kubectl()?;
    locked_out(&kubectl)?;
    let webhook = "failed calling webhook \"pods.policy.example.com\"";
    for refused in
        [tries(&kubectl, "default")?, kubectl.run(&["rollout", "restart", "deployment/policy", "-n", NAMESPACE])?]
    {
        ensure!(!refused.success() && refused.stderr.contains(webhook), "kubectl is not out: {refused:?}");
    }
    let before = configuration(scene, "validatingwebhookconfigurations", "policy")?;

    let began = Instant::now();
    let run = ["run", "webhook-deadlock", "--cluster", "lab", "--yes", "--reason", "a rehearsal", "-v"];
    let told = scene.run(&run)?;
    wait_until("a pod that is let in", LONG, || Ok(tries(&kubectl, "default")?.success()))?;
    println!("testbed: a pod is let in {:.2} s after the command", began.elapsed().as_secs_f64());
    for word in ["service policy/policy:443: it has no endpoints", "it cannot come back by itself"] {
        ensure!(told.contains(word), "{word}: {told}");
    }
    wait_until("a running pod of the engine", LONG, || Ok(pods(&kubectl)?.contains("Running")))?;

    scene.run(&["undo", "last", "--yes"])?;
    let after = configuration(scene, "validatingwebhookconfigurations", "policy")?;
    ensure!(after == before, "{after} is not {before}");
    tidied(&kubectl)
}

/// The next test finds nothing refused: the API server hears of a deletion a moment later.
pub(super) fn tidied(kubectl: &Kubectl) -> Result<()> {
    kubectl.run(&["delete", "validatingwebhookconfiguration", "policy"])?.ok()?;
    kubectl.run(&["delete", "namespace", NAMESPACE])?.ok()?;
    wait_until("a pod that is let in", LONG, || is_let_in(kubectl))
}

pub(super) fn is_let_in(kubectl: &Kubectl) -> Result<bool> {
    Ok(tries(kubectl, "default")?.success())
}

/// Two dead webhooks, one that has somebody to answer, and one at a URL. Each is asked about one namespace only, or about
/// nothing that anybody makes here.
const SEVERAL: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: several}
---
apiVersion: v1
kind: Service
metadata: {name: well, namespace: several}
spec: {ports: [{port: 443}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: well-1, namespace: several, labels: {kubernetes.io/service-name: well}}
addressType: IPv4
ports: [{port: 443}]
endpoints: [{addresses: [10.90.0.1], conditions: {ready: true}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: dead}
webhooks:
- &webhook
  name: first.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  timeoutSeconds: 2
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: several}}
  clientConfig: {service: {name: none, namespace: several}}
  rules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
- {<<: *webhook, name: second.example.com}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: well}
webhooks:
- name: well.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: nowhere}}
  clientConfig: {service: {name: well, namespace: several}}
  rules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: url}
webhooks:
- name: url.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: nowhere}}
  clientConfig: {url: 'https://policy.example.com/validate'}
  rules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
";

pub(super) fn only_the_dead() -> Result<()> {
    let scene = &*scene()?;
    let kubectl = scene.kubectl()?;
    kubectl.apply(SEVERAL)?;
    wait_until("a refusal", LONG, || Ok(tries(&kubectl, "several")?.stderr.contains("failed calling webhook")))?;
    let of = |plural: &str, name: &str| configuration(scene, &format!("{plural}webhookconfigurations"), name);
    let all = || -> Result<_> { Ok([of("validating", "dead")?, of("validating", "well")?, of("mutating", "url")?]) };
    let before = all()?;
    let open = |namespace: &str| wait_until("a pod that is let in", LONG, || Ok(tries(&kubectl, namespace)?.success()));
    let shut =
        |namespace: &str| wait_until("a pod that is refused", LONG, || Ok(!tries(&kubectl, namespace)?.success()));
    let disarm = |words: &[&str]| {
        scene.run(&[&["disarm", "--cluster", "lab", "--yes", "--reason", "a rehearsal", "-v"], words].concat())
    };
    let undo = || -> Result<()> {
        scene.run(&["undo", "last", "--yes"])?;
        let after = all()?;
        ensure!(after == before, "{after:#?} is not {before:#?}");
        Ok(())
    };

    // Whatever cannot answer, and nothing else.
    let told = disarm(&[])?;
    open("several")?;
    let now = all()?;
    ensure!(now[0].matches("\"Ignore\"").count() == 2 && now[1..] == before[1..], "{now:#?}");
    ensure!(told.contains("service several/none:443: which is not there"), "{told}");
    ensure!(told.contains("https://policy.example.com/validate, and whether it answers cannot be seen"), "{told}");
    undo()?;
    shut("several")?;

    // Killed at any moment, gone on with, and taken back.
    let mut gone_on = 0;
    for moment in 0..12 {
        let state = scene.folder.join(format!("killed-{moment}"));
        let program = |words: &[&str]| {
            let mut command = scene.program(words);
            command.env("BREAKGLASS_STATE", &state);
            command
        };
        let mut child = program(&["disarm", "--cluster", "lab", "--yes"]);
        let mut child = child.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        std::thread::sleep(Duration::from_millis(6 * moment));
        child.kill()?;
        child.wait()?;
        let resumed = Running::start(&mut program(&["resume", "last", "--yes"]), b"")?.wait(LONG)?;
        if resumed.success() {
            gone_on += 1;
            ensure!(of("validating", "dead")?.matches("\"Ignore\"").count() == 2, "{moment}: {resumed:?}");
        }
        let undone = Running::start(&mut program(&["undo", "last", "--yes"]), b"")?.wait(LONG)?;
        ensure!(all()? == before, "{moment}: {resumed:?} {undone:?}");
    }
    println!("testbed: {gone_on} of 12 killed runs were gone on with");

    // One namespace only, of one webhook only: the other still refuses.
    let named = ["validatingwebhookconfiguration/dead", "--exclude-namespace", "several"];
    disarm(&[&named[..], &["--webhook", "second.example.com"]].concat())?;
    let now = of("validating", "dead")?;
    ensure!(now.matches("NotIn").count() == 1 && !now.contains("Ignore"), "{now}");
    wait_until("a refusal by the first", LONG, || {
        Ok(tries(&kubectl, "several")?.stderr.contains("first.example.com"))
    })?;
    undo()?;
    disarm(&named)?;
    open("several")?;
    undo()?;
    shut("several")?;

    // Saved and deleted, and created again as it was.
    disarm(&["validatingwebhookconfiguration/dead", "--delete"])?;
    open("several")?;
    scene.run(&["undo", "last", "--yes"])?;
    shut("several")?;

    // What somebody has changed since is not forced.
    disarm(&["--webhook", "first.example.com"])?;
    let theirs = r#"[{"op": "remove", "path": "/webhooks/0"}]"#;
    kubectl.run(&["patch", "validatingwebhookconfiguration", "dead", "--type=json", "-p", theirs])?.ok()?;
    let edited = of("validating", "dead")?;
    let stuck = scene.ends(&["undo", "last", "--yes"])?;
    ensure!(stuck.code == 6 && of("validating", "dead")? == edited, "{stuck:?}");

    let wrong = scene.ends(&["disarm", "validatingwebhookconfiguration/daed", "--cluster", "lab", "--yes"])?;
    ensure!(wrong.code == 3 && format!("{wrong:?}").contains("validatingwebhookconfiguration/well"), "{wrong:?}");
    kubectl.run(&["delete", "validatingwebhookconfiguration", "dead", "well"])?.ok()?;
    kubectl.run(&["delete", "mutatingwebhookconfiguration", "url"])?.ok()?;
    kubectl.run(&["delete", "namespace", "several"])?.ok().map(|_| ())
}

/// A policy that refuses what it should not, its own kind included, which no API server asks it about; and an aggregated API
/// that is dead.
const POLICY: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: hold}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - {apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}
    - {apiGroups: [admissionregistration.k8s.io], apiVersions: ['*'], operations: ['*'], resources: ['*']}
  validations: [{expression: 'false', message: not today}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: hold-all}
spec: {policyName: hold, validationActions: [Deny, Audit]}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.dead.example.com}
spec:
  {group: dead.example.com, version: v1, groupPriorityMinimum: 100, versionPriority: 100, insecureSkipTLSVerify: true,
   service: {namespace: default, name: dead}}
";

pub(super) fn policies_and_aggregated_apis() -> Result<()> {
    let scene = &*scene()?;
    let kubectl = scene.kubectl()?;
    kubectl.apply(POLICY)?;
    let create = || kubectl.run(&["create", "configmap", "x", "-n", "default", "--dry-run=server"]);
    wait_until("a refusal", LONG, || {
        Ok(create()?.stderr.contains("with binding 'hold-all' denied request: not today"))
    })?;
    let binding = || configuration(scene, "validatingadmissionpolicybindings", "hold-all");
    let before = binding()?;

    let nothing = scene.run(&["disarm", "--cluster", "lab", "--yes", "-v"])?;
    ensure!(nothing.contains("validatingadmissionpolicybinding/hold-all"), "{nothing}");
    ensure!(nothing.contains("apiservice/v1.dead.example.com -> service default/dead:443: not available"), "{nothing}");
    ensure!(binding()? == before, "it was not named");

    scene.run(&["disarm", "validatingadmissionpolicybinding/hold-all", "--cluster", "lab", "--yes"])?;
    wait_until("a warning", LONG, || {
        let created = create()?;
        Ok(created.success() && created.stderr.contains("not today"))
    })?;
    scene.run(&["undo", "last", "--yes"])?;
    ensure!(binding()? == before, "{} is not {before}", binding()?);
    wait_until("a refusal", LONG, || Ok(!create()?.success()))?;

    scene.run(&["disarm", "apiservice/v1.dead.example.com", "--cluster", "lab", "--yes"])?;
    let masters = scene.plane.kubectl(User::Masters)?;
    ensure!(!masters.run(&["get", "--raw", API_SERVICE])?.success(), "it is still there");
    scene.run(&["undo", "last", "--yes"])?;
    ensure!(scene.object(API_SERVICE)?["spec"]["service"]["name"] == "dead");
    let local = scene.ends(&["disarm", "apiservice/v1.apps", "--cluster", "lab", "--yes"])?;
    ensure!(local.code == 3 && masters.run(&["get", "deployments", "-A"])?.success(), "{local:?}");

    kubectl.run(&["delete", "validatingadmissionpolicybinding/hold-all", "validatingadmissionpolicy/hold"])?.ok()?;
    kubectl.run(&["delete", "apiservice", "v1.dead.example.com"])?.ok()?;
    wait_until("a config map that is let in", LONG, || {
        let created = create()?;
        Ok(created.success() && created.stderr.is_empty())
    })
}

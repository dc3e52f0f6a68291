//! L7: an admission webhook whose own pods are gone refuses every pod, also those that would bring it back.

use anyhow::{Result, ensure};
use testbed::{Kubectl, Output, wait_until};

use super::{LONG, Scene, scene};

const NAMESPACE: &str = "policy";
const CONFIGURATION: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/policy";

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
";

/// The engine runs, then its node is emptied: its pods are gone, and nothing may make new ones.
fn locked_out(scene: &Scene) -> Result<()> {
    let kubectl = scene.kubectl()?;
    kubectl.apply(ENGINE)?;
    wait_until("a running pod of the engine", LONG, || Ok(pods(&kubectl)?.contains("Running")))?;
    kubectl.apply(WEBHOOKS)?;
    kubectl.run(&["delete", "pods", "-n", NAMESPACE, "--all"])?.ok()?;
    wait_until("no pod of the engine", LONG, || {
        let refused = kubectl.run(&["get", "events", "-n", NAMESPACE, "--field-selector", "reason=FailedCreate"])?;
        Ok(pods(&kubectl)?.is_empty() && refused.stdout.contains("pods.policy.example.com"))
    })
}

fn pods(kubectl: &Kubectl) -> Result<String> {
    kubectl.run(&["get", "pods", "-n", NAMESPACE, "--no-headers"])?.ok()
}

/// A pod by hand, as whoever tries to help would start one.
fn tries(kubectl: &Kubectl, name: &str) -> Result<Output> {
    kubectl.run(&["run", name, "-n", "default", "--image=bg.local/busybox:1", "--restart=Never", "--", "sleep", "1"])
}

pub(super) fn opened_and_undone() -> Result<()> {
    let scene = &*scene()?;
    let kubectl = scene.kubectl()?;
    locked_out(scene)?;
    let refused = tries(&kubectl, "help")?;
    let webhook = "failed calling webhook \"pods.policy.example.com\"";
    ensure!(!refused.success() && refused.stderr.contains(webhook), "{refused:?}");
    let restart = kubectl.run(&["rollout", "restart", "deployment/policy", "-n", NAMESPACE])?;
    ensure!(!restart.success() && restart.stderr.contains(webhook), "{restart:?}");

    let before = scene.object(CONFIGURATION)?;
    scene.run(&["delete", "validatingwebhookconfiguration/policy", "--yes", "--reason", "a rehearsal"])?;
    wait_until("a pod that is let in", LONG, || Ok(tries(&kubectl, "help")?.success()))?;
    wait_until("a running pod of the engine", LONG, || Ok(pods(&kubectl)?.contains("Running")))?;

    scene.run(&["undo", "last", "--yes"])?;
    let mut after = scene.object(CONFIGURATION)?;
    for field in ["uid", "creationTimestamp"] {
        after["metadata"][field] = before["metadata"][field].clone();
    }
    ensure!(after == before, "{after:#} is not {before:#}");
    kubectl.run(&["delete", "validatingwebhookconfiguration", "policy"])?.ok()?;
    kubectl.run(&["delete", "namespace", NAMESPACE])?.ok()?;
    kubectl.run(&["delete", "pod", "help", "--now"])?.ok().map(|_| ())
}

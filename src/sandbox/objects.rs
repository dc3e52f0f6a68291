//! What is in the simulated API at the start.

use serde_json::{Value, json};

use super::storm;

/// Path of the nodes.
pub(super) const NODES_PATH: &str = "/api/v1/nodes";
pub(super) const OFFENDER_UID: &str = "5a3d0c1e-0000-4000-8000-20241211f00d";
pub(super) const ACCOUNT_UID: &str = "5a3d0c1e-0000-4000-8000-20241211a330";

pub(super) fn nodes() -> impl Iterator<Item = (String, Value)> {
    (0..storm::NODES).map(|n| {
        let name = format!("node-{n:05}");
        let mut labels = json!({ "kubernetes.io/hostname": name, "kubernetes.io/os": "linux" });
        if n < 3 {
            labels["node-role.kubernetes.io/control-plane"] = json!("");
        }
        let uid = format!("5a3d0c1e-0000-4000-8002-{n:0>12}");
        let metadata = json!({ "name": name, "uid": uid, "resourceVersion": "4700", "labels": labels });
        (format!("{NODES_PATH}/{name}"), json!({ "apiVersion": "v1", "kind": "Node", "metadata": metadata }))
    })
}

/// The account that the offender's pods run as, and took their tokens from.
pub(super) fn account() -> Value {
    json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": { "name": "agent", "namespace": "telemetry", "uid": ACCOUNT_UID, "resourceVersion": "4700" },
    })
}

pub(super) fn binding() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {
            "name": "telemetry-agent",
            "uid": "5a3d0c1e-0000-4000-8000-20241211b1d0",
            "resourceVersion": "4712",
            "creationTimestamp": "2024-12-11T23:12:00Z"
        },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" },
        "subjects": [{ "kind": "ServiceAccount", "name": "agent", "namespace": "telemetry" }]
    })
}

pub(super) fn cluster_admin() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {
            "name": "cluster-admin",
            "uid": "5a3d0c1e-0000-4000-8000-20241211b1d1",
            "resourceVersion": "71",
            "creationTimestamp": "2024-01-01T00:00:00Z",
            "labels": { "kubernetes.io/bootstrapping": "rbac-defaults" },
            "annotations": { "rbac.authorization.kubernetes.io/autoupdate": "true" }
        },
        "rules": [
            { "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] },
            { "nonResourceURLs": ["*"], "verbs": ["*"] }
        ]
    })
}

pub(super) fn masters() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {
            "name": "cluster-admin",
            "uid": "5a3d0c1e-0000-4000-8000-20241211b1d2",
            "resourceVersion": "136",
            "creationTimestamp": "2024-01-01T00:00:00Z",
            "labels": { "kubernetes.io/bootstrapping": "rbac-defaults" },
            "annotations": { "rbac.authorization.kubernetes.io/autoupdate": "true" }
        },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:masters" }]
    })
}

/// One that judges every pod, also its own, so that none comes back.
pub(super) fn policy() -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {
            "name": "policy",
            "uid": "5a3d0c1e-0000-4000-8000-20241211ad01",
            "resourceVersion": "4713",
            "creationTimestamp": "2024-12-11T23:12:00Z"
        },
        "webhooks": [{
            "name": "pods.policy.sandbox.internal",
            "admissionReviewVersions": ["v1"],
            "clientConfig": { "service": { "name": "policy", "namespace": "policy", "path": "/validate", "port": 443 } },
            "failurePolicy": "Fail",
            "matchPolicy": "Equivalent",
            "namespaceSelector": {},
            "objectSelector": {},
            "rules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"], "scope": "*"
            }],
            "sideEffects": "None",
            "timeoutSeconds": 10
        }]
    })
}

pub(super) fn application() -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {
            "name": "edge", "namespace": "argocd", "uid": "5a3d0c1e-0000-4000-8000-20241211a990", "resourceVersion": "4711",
            "finalizers": ["resources-finalizer.argocd.argoproj.io"],
        },
        "spec": { "project": "default", "syncPolicy": { "automated": { "prune": true, "selfHeal": true } } },
    })
}

pub(super) fn policy_service() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": "policy", "namespace": "policy", "uid": "5a3d0c1e-0000-4000-8000-20241211ad02" },
        "spec": { "clusterIP": "10.96.0.17", "ports": [{ "port": 443, "targetPort": 8443 }], "selector": { "app": "policy" } }
    })
}

pub(super) fn offender(image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {
            "name": "agent",
            "namespace": "telemetry",
            "uid": OFFENDER_UID,
            "resourceVersion": "4711",
            "generation": 1,
            "creationTimestamp": "2024-12-11T23:12:00Z",
            "labels": { "app": "telemetry-agent" }
        },
        "spec": {
            "selector": { "matchLabels": { "app": "telemetry-agent" } },
            "template": {
                "metadata": { "labels": { "app": "telemetry-agent" } },
                "spec": {
                    "serviceAccountName": "agent",
                    "containers": [{ "name": "agent", "image": image }]
                }
            },
            "updateStrategy": { "type": "RollingUpdate" }
        }
    })
}

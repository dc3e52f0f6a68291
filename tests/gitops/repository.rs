//! What the tests' GitOps works by: the resources, as far as an API server has to know them.

use std::fmt::Write as _;

use testbed::Kubectl;

/// Group, version, plural, kind.
const RESOURCES: [(&str, &str, &str, &str); 6] = [
    ("argoproj.io", "v1alpha1", "applications", "Application"),
    ("argoproj.io", "v1alpha1", "applicationsets", "ApplicationSet"),
    ("kustomize.toolkit.fluxcd.io", "v1", "kustomizations", "Kustomization"),
    ("source.toolkit.fluxcd.io", "v1", "gitrepositories", "GitRepository"),
    ("source.toolkit.fluxcd.io", "v1", "ocirepositories", "OCIRepository"),
    ("source.toolkit.fluxcd.io", "v1", "buckets", "Bucket"),
];

/// The definitions of them: whatever stands in an object is kept.
pub(super) fn definitions() -> String {
    RESOURCES.iter().fold(String::new(), |mut text, (group, version, plural, kind)| {
        let (singular, status) = (kind.to_lowercase(), if group.starts_with("argo") { "" } else { "subresources: {status: {}}, " });
        let _ = write!(
            text,
            "---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {plural}.{group}}}
spec:
  group: {group}
  names: {{plural: {plural}, singular: {singular}, kind: {kind}, listKind: {kind}List}}
  scope: Namespaced
  versions:
  - {{name: {version}, served: true, storage: true, {status}schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}}}
"
        );
        text
    })
}

/// Whether all of them are served.
pub(super) fn served(kubectl: &Kubectl) -> bool {
    RESOURCES.iter().all(|(group, version, plural, _)| {
        let path = format!("/apis/{group}/{version}/{plural}?limit=1");
        kubectl.run(&["get", "--raw", &path]).is_ok_and(|said| said.success())
    })
}

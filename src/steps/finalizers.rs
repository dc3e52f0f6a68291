//! What the finalizers protect that people meet, and whose they are. Where each is from stands in docs/deletes.md.

/// How a name is told.
enum Called {
    Exactly(&'static str),
    /// A driver or a group follows.
    Begins(&'static str),
}
use Called::{Begins, Exactly};

/// Set by the API server for its garbage collector when an object is deleted; each means a way to delete.
pub(super) const FOREGROUND: &str = "foregroundDeletion";
/// The other one.
pub(super) const ORPHAN: &str = "orphan";
/// Stands in the spec of a namespace, not in its metadata.
pub(super) const NAMESPACE: &str = "kubernetes";

/// What each is there for, and so what may be left behind without it.
const KNOWN: &[(Called, &str)] = &[
    (
        Exactly(FOREGROUND),
        "the garbage collector's: what the object owns goes first. Without it the object goes at once, and what it owns is \
         collected afterwards, as in the background",
    ),
    (
        Exactly(ORPHAN),
        "the garbage collector's: what the object owns is to stay, and its owner is taken out of it first. Without it that does not \
         happen: what it owns has an owner that is gone, and is DELETED as garbage",
    ),
    (
        Exactly("kubernetes.io/pvc-protection"),
        "keeps a claim while a pod uses it: that pod may lose its volume under its feet",
    ),
    (Exactly("kubernetes.io/pv-protection"), "keeps a volume while a claim is bound to it: that claim loses it"),
    (Exactly("kubernetes.io/vac-protection"), "keeps a class of volume attributes while a volume uses it"),
    (
        Exactly("external-provisioner.volume.kubernetes.io/finalizer"),
        "the storage behind a volume is deleted first: it stays, and is paid for",
    ),
    (Exactly("kubernetes.io/pv-controller"), "the storage behind a volume is deleted first: it stays, and is paid for"),
    (
        Begins("external-attacher/"),
        "a volume is detached from its node first: it may stay attached, and no other node gets it",
    ),
    (
        Begins("snapshot.storage.kubernetes.io/"),
        "keeps a snapshot, its content or its source while one needs the other: the snapshot in the storage stays",
    ),
    (
        Exactly("service.kubernetes.io/load-balancer-cleanup"),
        "the cloud's load balancer is taken down first: it stays, answers on its address, and is paid for",
    ),
    (Exactly("service.k8s.aws/resources"), "the load balancer in AWS is taken down first: it stays, and is paid for"),
    (Begins("ingress.k8s.aws/"), "the load balancer in AWS is taken down first: it stays, and is paid for"),
    (Begins("group.ingress.k8s.aws/"), "the load balancer in AWS is taken down first: it stays, and is paid for"),
    (Exactly("elbv2.k8s.aws/resources"), "targets are taken out of a group in AWS first: they stay in it"),
    (
        Exactly("customresourcecleanup.apiextensions.k8s.io"),
        "all objects of the kind are deleted first, each by its own finalizers: they stay in etcd, where nobody sees them, and are \
         there again when the kind is",
    ),
    (
        Exactly("batch.kubernetes.io/job-tracking"),
        "a Job counts its pod first: it may be counted as neither done nor failed, and be run again",
    ),
    (
        Exactly("resource.kubernetes.io/delete-protection"),
        "keeps a claim while devices are allocated for it or a pod uses it",
    ),
    (Exactly("networking.k8s.io/service-cidr-finalizer"), "keeps a range while services have addresses in it"),
    (
        Begins("resources-finalizer.argocd.argoproj.io"),
        "Argo CD deletes what the Application deployed first: all of that stays, and nobody manages it",
    ),
    (
        Begins("post-delete-finalizer.argocd.argoproj.io"),
        "Argo CD runs the Application's hooks for after its end first: they are not run",
    ),
    (
        Exactly("finalizers.fluxcd.io"),
        "Flux deletes what it applied, or uninstalls the release, first: all of that stays, and nobody manages it",
    ),
    (
        Exactly("finalizer.managedresource.crossplane.io"),
        "Crossplane deletes what the object stands for in the cloud first: that stays, and is paid for",
    ),
    (
        Exactly("karpenter.sh/termination"),
        "Karpenter drains the node and ends its machine first: pods are not drained, and the machine may go on and be paid for",
    ),
    (
        Exactly("acme.cert-manager.io/finalizer"),
        "cert-manager takes the records of a challenge away first: they stay in DNS, or in the ingress",
    ),
    (
        Exactly("finalizer.acme.cert-manager.io"),
        "cert-manager takes the records of a challenge away first: they stay in DNS, or in the ingress",
    ),
];

/// What is known of a finalizer; nothing of most: they are their controllers' own.
pub(super) fn protects(finalizer: &str) -> Option<&'static str> {
    let fits = |called: &Called| match called {
        Exactly(name) => finalizer == *name,
        Begins(name) => finalizer.starts_with(name),
    };
    KNOWN.iter().find(|(called, _)| fits(called)).map(|(_, what)| *what)
}

/// Whether the garbage collector's own way of a deletion is in it.
pub(super) fn of_collector(finalizer: &str) -> bool {
    finalizer == FOREGROUND || finalizer == ORPHAN
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever reads the documents finds the same ones.
    #[test]
    fn each_that_is_known_stands_in_the_documents() {
        let document = include_str!("../../docs/deletes.md");
        for (Exactly(name) | Begins(name), _) in KNOWN {
            assert!(document.contains(&format!("`{name}")), "{name}");
        }
        assert_eq!(protects("example.com/hold"), None);
        assert!(protects("external-attacher/ebs-csi-aws-com").is_some());
        assert!(protects("resources-finalizer.argocd.argoproj.io/background").is_some());
    }
}

//! What goes with an object that ends, and no saved copy brings back.

use serde_json::Value;

use super::ObjectRef;
use super::kube_object::text;

/// What goes with this object and is in no saved copy of it: by its resource, or by a StatefulSet's own policy, unless what it owns
/// is to stay.
pub(super) fn takes_along(at: &ObjectRef, object: &Value, orphans: bool) -> Option<&'static str> {
    let policy = text(object, "/spec/persistentVolumeClaimRetentionPolicy/whenDeleted") == "Delete";
    let claims = "its policy (whenDeleted: Delete) deletes the volume claims of its pods with it";
    goes_with(at).or_else(|| (policy && !orphans).then_some(claims))
}

/// The same, as far as the resource alone tells.
pub(super) fn goes_with(object: &ObjectRef) -> Option<&'static str> {
    match (object.group.as_str(), object.plural.as_str()) {
        ("", "namespaces") => Some("everything in it goes with it"),
        ("apiextensions.k8s.io", "customresourcedefinitions") => Some("every object of its kind goes with it"),
        ("", "persistentvolumeclaims") => Some("its volume goes with it where the reclaim policy is Delete"),
        ("", "persistentvolumes") => Some("what it holds may go with it, and no claim finds it again"),
        ("snapshot.storage.k8s.io", "volumesnapshots" | "volumesnapshotcontents") => {
            Some("the snapshot goes with it where the deletion policy is Delete")
        }
        _ => None,
    }
}

//! A Kubernetes object as it is kept to be put back, and whether another one is the same.

use std::collections::BTreeSet;

use serde_json::Value;

/// An object without what the server sets, so that it can be created again, and without its owners: an owner that is
/// gone by then (or there again with another uid) would have it collected as garbage at once, and silently.
pub(crate) fn cleaned(object: &Value) -> Value {
    const TAKEN_OUT: [&str; 9] = [
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "generation",
        "managedFields",
        "selfLink",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "ownerReferences",
    ];
    let mut object = object.clone();
    if let Some(map) = object.as_object_mut() {
        map.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        TAKEN_OUT.iter().for_each(|field| drop(metadata.remove(*field)));
    }
    // A Service keeps its address: others have it in their configuration. A Job's selector names its old uid.
    if object["kind"] == "Job" && object.pointer("/spec/manualSelector") != Some(&Value::Bool(true)) {
        drop(object["spec"].as_object_mut().map(|spec| spec.remove("selector")));
        for labels in ["/metadata/labels", "/spec/template/metadata/labels"] {
            if let Some(labels) = object.pointer_mut(labels).and_then(Value::as_object_mut) {
                labels.remove("controller-uid");
                labels.remove("batch.kubernetes.io/controller-uid");
            }
        }
    }
    object
}

/// Where an object that is there differs from a saved one in what matters: its labels and everything beside its
/// metadata. JSON pointers, no values: they may be secrets.
pub(crate) fn differs(saved: &Value, now: &Value) -> Vec<String> {
    let mut all = Vec::new();
    let (saved, now) = (&cleaned(saved), &cleaned(now));
    for field in fields(saved, now).iter().filter(|field| !["apiVersion", "kind", "metadata"].contains(field)) {
        compare(&format!("/{field}"), &saved[*field], &now[*field], &mut all);
    }
    compare("/metadata/labels", &saved["metadata"]["labels"], &now["metadata"]["labels"], &mut all);
    all
}

/// Where an object is not what a JSON patch would make of it. As [`differs`], no values.
pub(crate) fn unlike(patch: &[Value], now: &Value) -> Vec<String> {
    let mut all = Vec::new();
    for op in patch {
        let pointer = op["path"].as_str().unwrap_or_default();
        let there = now.pointer(pointer).unwrap_or(&Value::Null);
        match op["op"].as_str() {
            Some("add" | "replace") => compare(pointer, &op["value"], there, &mut all),
            Some("remove") => compare(pointer, &Value::Null, there, &mut all),
            _ => {}
        }
    }
    all
}

/// Whether two values say the same: servers leave nulls out, or write them.
pub(crate) fn same(one: &Value, other: &Value) -> bool {
    bare(one) == bare(other)
}

/// Where two values that are not the same differ, as JSON pointers.
pub(crate) fn differences(one: &Value, other: &Value) -> Vec<String> {
    let mut all = Vec::new();
    compare("", &bare(one), &bare(other), &mut all);
    all
}

/// Without the fields that say nothing.
pub(crate) fn bare(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let said = map.iter().filter(|(_, value)| !value.is_null());
            Value::Object(said.map(|(key, value)| (key.clone(), bare(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(bare).collect()),
        other => other.clone(),
    }
}

fn fields<'a>(one: &'a Value, other: &'a Value) -> BTreeSet<&'a str> {
    [one, other].into_iter().filter_map(Value::as_object).flat_map(|map| map.keys().map(String::as_str)).collect()
}

fn compare(pointer: &str, saved: &Value, now: &Value, all: &mut Vec<String>) {
    match (saved, now) {
        (Value::Object(_), Value::Object(_)) => {
            for field in fields(saved, now) {
                let below = format!("{pointer}/{}", field.replace('~', "~0").replace('/', "~1"));
                compare(&below, &saved[field], &now[field], all);
            }
        }
        _ if saved == now || (nothing(saved) && nothing(now)) => {}
        _ => all.push(pointer.to_owned()),
    }
}

/// Servers leave empty things out, or write them, as their version likes.
fn nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// What an object is, if it is another one than stands at this path: what is sent to it would be decided by the wrong one. What
/// an object does not say of itself is not held against it.
pub(crate) fn another(path: &str, object: &Value) -> Option<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let [above @ .., plural, name] = parts.as_slice() else { return None };
    let namespace = match above {
        [.., "namespaces", namespace] => Some(*namespace),
        _ => None,
    };
    let said = |field: &str| object["metadata"][field].as_str().filter(|said| !said.is_empty());
    if let Some(is) = said("name").filter(|is| *is != decoded(name)) {
        return Some(format!("another object, by the name {is:?}"));
    }
    if let Some(is) = said("namespace").filter(|is| Some(*is) != namespace) {
        return Some(format!("another object, in the namespace {is:?}"));
    }
    let kind = object["kind"].as_str().filter(|kind| *kind != "PartialObjectMetadata")?;
    // Elsewhere a resource may have a kind of any name.
    let ours = matches!(above, ["api", "v1", ..] | ["apis", "apps" | "batch" | "rbac.authorization.k8s.io", ..]);
    (ours && !is_plural(plural, kind)).then(|| format!("another object, of the kind {kind:?}"))
}

/// Whether a resource is called after this kind.
fn is_plural(plural: &str, kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    let ies = kind.strip_suffix('y').map(|stem| format!("{stem}ies"));
    plural == kind
        || plural.strip_prefix(kind.as_str()).is_some_and(|end| end == "s" || end == "es")
        || ies.is_some_and(|ies| ies == plural)
}

/// A segment of a path as it was before it was encoded.
fn decoded(segment: &str) -> String {
    let mut parts = segment.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => bytes.extend([&[byte], &part.as_bytes()[2..]].concat()),
            None => bytes.extend([b"%", part.as_bytes()].concat()),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_about_another_object_is_known() {
        const DS: &str = "/apis/apps/v1/namespaces/telemetry/daemonsets/agent";
        let object = |kind: &str, namespace: &str, name: &str| json!({"kind": kind, "metadata": {"namespace": namespace, "name": name}});
        let cluster = |kind: &str, name: &str| json!({"kind": kind, "metadata": {"name": name}});
        for (path, right) in [
            (DS, object("DaemonSet", "telemetry", "agent")),
            (DS, object("PartialObjectMetadata", "telemetry", "agent")),
            (DS, json!({})),
            ("/api/v1/namespaces/telemetry", cluster("Namespace", "telemetry")),
            ("/api/v1/namespaces/kube-system/endpoints/x", object("Endpoints", "kube-system", "x")),
            ("/apis/rbac.authorization.k8s.io/v1/clusterroles/a%20b:%25c", cluster("ClusterRole", "a b:%c")),
            ("/apis/metrics.k8s.io/v1beta1/namespaces/a/pods/x", object("PodMetrics", "a", "x")),
            ("/apis/example.com/v1/namespaces/a/oxen/x", object("Ox", "a", "x")),
        ] {
            assert_eq!(another(path, &right), None, "{path}");
        }
        for (path, wrong, word) in [
            (DS, object("DaemonSet", "telemetry", "other"), "other"),
            (DS, object("DaemonSet", "kube-system", "agent"), "kube-system"),
            (DS, object("Deployment", "telemetry", "agent"), "Deployment"),
            (DS, json!({"kind": "DaemonSetList", "items": []}), "DaemonSetList"),
            ("/api/v1/namespaces/telemetry", cluster("Namespace", "default"), "default"),
            ("/api/v1/nodes/n1", object("Node", "telemetry", "n1"), "telemetry"),
        ] {
            let said = another(path, &wrong).unwrap();
            assert!(said.contains(word), "{path}: {said}");
        }
    }

    #[test]
    fn what_the_server_sets_is_taken_out_and_all_else_is_kept() {
        let object = json!({
            "kind": "DaemonSet",
            "metadata": {"name": "agent", "uid": "1", "resourceVersion": "2", "generation": 3, "managedFields": [],
                "creationTimestamp": "x", "labels": {"app": "agent"}, "finalizers": ["a/b"],
                "ownerReferences": [{"uid": "9"}]},
            "spec": {"selector": {"matchLabels": {"app": "agent"}}},
            "status": {"numberReady": 3},
        });
        let expected = json!({
            "kind": "DaemonSet",
            "metadata": {"name": "agent", "labels": {"app": "agent"}, "finalizers": ["a/b"]},
            "spec": {"selector": {"matchLabels": {"app": "agent"}}},
        });
        assert_eq!(cleaned(&object), expected);
    }

    #[test]
    fn a_job_is_made_anew_without_the_selector_that_named_its_uid() {
        let job = json!({
            "kind": "Job",
            "metadata": {"name": "x", "labels": {"controller-uid": "1", "app": "x"}},
            "spec": {"selector": {"matchLabels": {"controller-uid": "1"}},
                "template": {"metadata": {"labels": {"batch.kubernetes.io/controller-uid": "1"}}}},
        });
        let cleaned = cleaned(&job);
        assert_eq!(cleaned["metadata"]["labels"], json!({"app": "x"}));
        assert_eq!(cleaned["spec"], json!({"template": {"metadata": {"labels": {}}}}));
    }

    #[track_caller]
    fn case(change: impl FnOnce(&mut Value), expected: &[&str]) {
        let saved = json!({
            "kind": "ConfigMap", "metadata": {"name": "x", "labels": {"app": "x", "tier": "1"}, "annotations": {"a": "b"}},
            "spec": {"replicas": 3, "containers": [{"image": "one"}], "paused": null}, "data": {"token": "secret"},
        });
        let mut now = saved.clone();
        now["metadata"]["uid"] = json!("another");
        now["metadata"]["resourceVersion"] = json!("7");
        now["status"] = json!({"ready": 1});
        change(&mut now);
        assert_eq!(differs(&cleaned(&saved), &now), expected);
    }

    #[test]
    fn what_matters_is_compared_and_named_without_its_values() {
        case(|_| {}, &[]);
        case(|now| now["metadata"]["annotations"] = json!({"other": "one"}), &[]);
        case(|now| now["metadata"]["ownerReferences"] = json!([{"uid": "9"}]), &[]);
        case(|now| now["spec"]["volumes"] = json!([]), &[]);
        case(|now| now["spec"]["replicas"] = json!(5), &["/spec/replicas"]);
        case(|now| now["spec"]["containers"][0]["image"] = json!("two"), &["/spec/containers"]);
        case(|now| now["spec"]["paused"] = json!(true), &["/spec/paused"]);
        case(|now| now["data"] = json!({"token": "other", "more": "1"}), &["/data/more", "/data/token"]);
        case(|now| drop(now.as_object_mut().unwrap().remove("data")), &["/data"]);
        case(|now| now["metadata"]["labels"] = json!({"app": "y"}), &["/metadata/labels/app", "/metadata/labels/tier"]);
    }

    #[test]
    fn a_job_is_the_same_whatever_uid_its_server_put_into_it() {
        let job = |uid: &str| {
            json!({"kind": "Job", "metadata": {"labels": {"controller-uid": uid}}, "spec": {
                "selector": {"matchLabels": {"controller-uid": uid}},
                "template": {"metadata": {"labels": {"controller-uid": uid}}},
            }})
        };
        assert_eq!(differs(&cleaned(&job("1")), &job("2")), [] as [&str; 0]);
    }
}

#[cfg(test)]
mod fuzz {
    use super::*;

    /// What is kept is kept once and for all, is the same as itself, and differs without saying a value.
    #[test]
    fn any_object_is_kept_and_compared() {
        const OBJECTS: &[&str] = &[
            r#"{"kind":"Job","apiVersion":"batch/v1","metadata":{"name":"x","uid":"1","labels":{"controller-uid":"1","app":"x"},"ownerReferences":[{"uid":"9"}]},"spec":{"selector":{"matchLabels":{"controller-uid":"1"}},"template":{"metadata":{"labels":{"a":"SECRET"}}}},"status":{}}"#,
            r#"{"kind":"Secret","metadata":{"name":"x","resourceVersion":"7"},"data":{"token":"SECRET","~/":"SECRET"},"spec":null}"#,
            r#"{"kind":"PodList","items":[{"metadata":{"name":"p"}}],"metadata":{"continue":"x"}}"#,
        ];
        let object = || crate::fuzz::mangled(OBJECTS);
        crate::fuzz::each(4_000, &(object(), object()), |(one, other)| {
            let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
            let (one, other) = (read(&one), read(&other));
            let kept = cleaned(&one);
            proptest::prop_assert_eq!(cleaned(&kept), kept.clone());
            proptest::prop_assert!(differs(&kept, &one).is_empty());
            let there = differs(&kept, &other);
            proptest::prop_assert_eq!(there.is_empty(), differs(&cleaned(&other), &one).is_empty());
            proptest::prop_assert!(
                !there.iter().any(|pointer| pointer.contains("SECRET") && !pointer.contains("/SECRET"))
            );
            Ok(())
        });
    }
}

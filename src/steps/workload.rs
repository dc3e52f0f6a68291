//! What a workload's own object tells about its pods: whose they are, by which labels they are found, and what would be
//! dangerous to do to them.

use serde_json::{Map, Value};

use super::ObjectRef;
use super::kube_object::text;
use super::marking::PARKED;

/// The volumes that any number of pods may have at a time. Whatever is not among them counts as one that may not be
/// mounted twice: an unknown kind of volume is no reason to hope.
const SHARED_VOLUMES: [&str; 11] = [
    "configMap",
    "secret",
    "downwardAPI",
    "projected",
    "emptyDir",
    "hostPath",
    "image",
    "csi",
    "nfs",
    "cephfs",
    "azureFile",
];

/// A workload, as far as its pods are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Workload {
    /// Its uid.
    pub(super) uid: String,
    /// The label selector of its pods, as text. That only its own pods have these labels is for a look to tell.
    pub(super) selector: String,
    /// The service account that its pods run as.
    pub(super) service_account: String,
    /// Why its pods must not be forgotten while they may still run; `None`: no reason is known.
    pub(super) exclusive: Option<String>,
    /// Its controller makes no pods, or takes them away: parked, at no replicas, or suspended.
    pub(super) at_rest: bool,
}

impl Workload {
    /// Reads a workload's own object.
    ///
    /// # Errors
    /// One sentence: why its pods cannot be told from others.
    pub(super) fn read(object: &ObjectRef, seen: &Value) -> Result<Self, String> {
        let (Some(owner), Some(pod_spec)) = (owner(object), pod_spec(object)) else {
            return Err(format!("{object} is no workload that makes pods"));
        };
        let selector = match owner {
            // It has no selector: its Jobs have, each one that fits its own pods only.
            "CronJob" => labels_text(seen.pointer("/spec/jobTemplate/spec/template/metadata/labels")),
            "ReplicationController" => labels_text(seen.pointer("/spec/selector")),
            _ => selector_text(&seen["spec"]["selector"])?,
        };
        narrow(&selector)
            .map_err(|why| format!("the pods of {object} cannot be told from others by their labels: {why}"))?;
        let spec = seen.pointer(pod_spec).unwrap_or(&Value::Null);
        Ok(Self {
            uid: text(seen, "/metadata/uid").to_owned(),
            selector,
            service_account: service_account(spec).to_owned(),
            exclusive: exclusive(object, spec),
            at_rest: at_rest(&seen["spec"]),
        })
    }
}

/// The `kind` by which a workload stands in the owner references of what it makes; `None`: it makes no pods.
pub(super) fn owner(object: &ObjectRef) -> Option<&'static str> {
    match (object.group.as_str(), object.plural.as_str()) {
        ("apps", "daemonsets") => Some("DaemonSet"),
        ("apps", "deployments") => Some("Deployment"),
        ("apps", "statefulsets") => Some("StatefulSet"),
        ("apps", "replicasets") => Some("ReplicaSet"),
        ("", "replicationcontrollers") => Some("ReplicationController"),
        ("batch", "jobs") => Some("Job"),
        ("batch", "cronjobs") => Some("CronJob"),
        _ => None,
    }
}

/// Where what runs pods says how; `None` for what runs none.
pub(super) fn pod_spec(object: &ObjectRef) -> Option<&'static str> {
    match (object.group.as_str(), object.plural.as_str()) {
        ("", "pods") => Some("/spec"),
        ("batch", "cronjobs") => Some("/spec/jobTemplate/spec/template/spec"),
        _ => owner(object).map(|_| "/spec/template/spec"),
    }
}

/// The service account that pods of this spec run as; `serviceAccount` is its name of old.
pub(super) fn service_account(spec: &Value) -> &str {
    let names = ["/serviceAccountName", "/serviceAccount"].map(|path| text(spec, path));
    names.into_iter().find(|name| !name.is_empty()).unwrap_or("default")
}

/// Why the API must not forget pods of this workload with this spec while their containers may still run.
pub(super) fn exclusive(object: &ObjectRef, spec: &Value) -> Option<String> {
    if owner(object) == Some("StatefulSet") {
        return Some("it is a StatefulSet: two pods of one identity must never run at a time".into());
    }
    let kinds =
        |volume: &Value| -> Vec<String> { volume.as_object().into_iter().flat_map(Map::keys).cloned().collect() };
    let volumes = spec["volumes"].as_array().into_iter().flatten();
    let mut alone = volumes.flat_map(|volume| kinds(volume).into_iter().map(move |kind| (kind, text(volume, "/name"))));
    let (kind, name) = alone.find(|(kind, _)| kind != "name" && !SHARED_VOLUMES.contains(&kind.as_str()))?;
    Some(format!("its pods use the volume {name} ({kind}), and nobody here knows whether it may be mounted twice"))
}

/// Why a cluster may not do without this workload, with pods of this spec.
pub(super) fn critical(object: &ObjectRef, spec: &Value) -> Option<String> {
    if object.namespace.as_deref() == Some("kube-system") {
        return Some("it is in kube-system, with what the cluster itself runs on".into());
    }
    let class = text(spec, "/priorityClassName");
    ["system-node-critical", "system-cluster-critical"].contains(&class).then(|| format!("its pods are {class}"))
}

fn at_rest(spec: &Value) -> bool {
    let selector = spec.pointer("/template/spec/nodeSelector");
    selector.is_some_and(|selector| selector.get(PARKED).is_some()) || spec["replicas"] == 0 || spec["suspend"] == true
}

/// Labels as a selector that all of them have to fit; empty when there are none.
pub(super) fn labels_text(labels: Option<&Value>) -> String {
    let labels = labels.and_then(Value::as_object).into_iter().flatten();
    labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect::<Vec<_>>().join(",")
}

/// A `LabelSelector` in the words of a query.
pub(super) fn selector_text(selector: &Value) -> Result<String, String> {
    let labels = labels_text(selector.get("matchLabels"));
    let mut all: Vec<String> = if labels.is_empty() { Vec::new() } else { vec![labels] };
    for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
        let key = text(expression, "/key");
        let values: Vec<&str> =
            expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let values = values.join(",");
        all.push(match text(expression, "/operator") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            other => return Err(format!("its selector has the operator {other:?}, which is not known here")),
        });
    }
    Ok(all.join(","))
}

/// Whether a selector asks for at least one label: one that only says what pods must not have fits nearly all there are.
///
/// # Errors
/// One sentence: what it would fit.
pub(super) fn narrow(selector: &str) -> Result<(), String> {
    if selector.trim().is_empty() {
        return Err("the selector is empty and would fit every pod of the namespace".into());
    }
    let asks = |one: &&str| {
        let one = one.trim();
        !one.is_empty() && !one.starts_with('!') && !one.contains("!=") && !one.contains(" notin")
    };
    if requirements(selector).iter().any(|one| asks(&one.as_str())) {
        return Ok(());
    }
    Err(format!("{selector:?} asks for no label and would fit nearly every pod of the namespace"))
}

/// A selector's requirements: cut at the commas that stand in no parentheses.
fn requirements(selector: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut depth = 0_u32;
    for c in selector.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                all.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = all.last_mut() {
            last.push(c);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(object: &str, seen: &Value) -> Result<Workload, String> {
        Workload::read(&ObjectRef::parse(object, Some("telemetry")).unwrap(), seen)
    }

    #[test]
    fn a_selector_is_read_with_its_expressions() {
        let selector = json!({"matchLabels": {"app": "agent", "tier": "node"}, "matchExpressions": [
            {"key": "track", "operator": "In", "values": ["a", "b"]}, {"key": "old", "operator": "NotIn", "values": ["x"]},
            {"key": "zone", "operator": "Exists"}, {"key": "legacy", "operator": "DoesNotExist"}]});
        let text = read("ds/agent", &json!({"spec": {"selector": selector}})).unwrap().selector;
        assert_eq!(text, "app=agent,tier=node,track in (a,b),old notin (x),zone,!legacy");
        assert_eq!(read("rc/agent", &json!({"spec": {"selector": {"app": "a"}}})).unwrap().selector, "app=a");
        let labels = json!({"jobTemplate": {"spec": {"template": {"metadata": {"labels": {"app": "sweep"}}}}}});
        assert_eq!(read("cj/sweep", &json!({ "spec": labels })).unwrap().selector, "app=sweep");
    }

    #[test]
    fn what_runs_pods_says_how_in_a_place_of_its_own() {
        for (object, path) in [
            ("pod/agent", Some("/spec")),
            ("ds/agent", Some("/spec/template/spec")),
            ("rc/agent", Some("/spec/template/spec")),
            ("cj/agent", Some("/spec/jobTemplate/spec/template/spec")),
            ("cm/agent", None),
        ] {
            assert_eq!(pod_spec(&ObjectRef::parse(object, Some("telemetry")).unwrap()), path, "{object}");
        }
    }

    #[test]
    fn a_selector_that_fits_everything_is_refused() {
        for (object, selector) in [
            ("ds/agent", json!({})),
            ("ds/agent", json!({"matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]})),
            ("ds/agent", json!({"matchExpressions": [{"key": "x", "operator": "NotIn", "values": ["a", "b"]}]})),
            ("rc/agent", json!({})),
            ("cj/agent", json!({})),
        ] {
            let why = read(object, &json!({"spec": {"selector": selector}})).unwrap_err();
            assert!(why.contains("every pod of the namespace"), "{object}: {why}");
        }
        assert!(read("cm/agent", &json!({})).unwrap_err().contains("no workload"));
        assert!(narrow("a!=b,!c").is_err() && narrow("x notin (a,b)").is_err() && narrow(" ").is_err());
        assert!(narrow("!c,app in (a,b)").is_ok() && narrow("app").is_ok());
    }

    #[test]
    fn what_must_not_run_twice_is_seen_in_the_template() {
        let with = |object: &str, volume: Value| {
            let spec = json!({"serviceAccountName": "agent", "volumes": [{"name": "token", "projected": {}}, volume]});
            let selector = json!({"matchLabels": {"app": "agent"}});
            let workload = read(object, &json!({"spec": {"selector": selector, "template": {"spec": spec}}})).unwrap();
            assert_eq!(workload.service_account, "agent");
            workload.exclusive
        };
        assert_eq!(with("ds/agent", json!({"name": "host", "hostPath": {}})), None);
        assert!(with("sts/agent", json!({"name": "x", "emptyDir": {}})).unwrap().contains("StatefulSet"));
        for kind in ["persistentVolumeClaim", "ephemeral", "iscsi", "kindOfTheFuture"] {
            let why = with("deploy/agent", json!({"name": "data", kind: {}})).unwrap();
            assert!(why.contains(&format!("the volume data ({kind})")), "{why}");
        }
    }
}

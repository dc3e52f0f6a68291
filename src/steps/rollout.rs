//! How far the pods of a workload are what its template says, as its own status tells: by what `kubectl rollout status` judges.

use serde_json::Value;

use super::ObjectRef;
use super::kube_object::text;
use super::workload::owner;

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rollout {
    /// All pods are of the newest template, and available.
    Over(String),
    /// Not yet.
    Going(String),
    /// It will not go on by itself.
    Stands(String),
}

/// Why the template of this object reaches no pod by itself; `None`: it does.
pub(super) fn by_hand(object: &ObjectRef, seen: &Value) -> Option<String> {
    if text(seen, "/spec/updateStrategy/type") == "OnDelete" {
        return Some(format!(
            "the update strategy of {object} is OnDelete: its pods stay as they are until they end (breakglass end-pods {object})"
        ));
    }
    let kept = partition(seen);
    (kept > 0 && kept >= replicas(seen)).then(|| {
        format!(
            "the partition of {object} is {kept}, and it has {} pods: all are kept back as they are",
            replicas(seen)
        )
    })
}

/// The pods below this one of a StatefulSet are kept back.
fn partition(seen: &Value) -> i64 {
    number(seen, "/spec/updateStrategy/rollingUpdate/partition")
}

fn replicas(seen: &Value) -> i64 {
    seen.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1)
}

/// Whether its controller has seen what is wanted of it.
pub(super) fn seen(seen: &Value) -> bool {
    number(seen, "/status/observedGeneration") >= number(seen, "/metadata/generation")
}

fn number(seen: &Value, pointer: &str) -> i64 {
    seen.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

/// Whether the status of this resource can be read here.
pub(super) fn is_read(object: &ObjectRef) -> bool {
    matches!(owner(object), Some("DaemonSet" | "StatefulSet" | "Deployment"))
}

/// Reads the status of a DaemonSet, StatefulSet or Deployment.
pub(super) fn read(object: &ObjectRef, seen: &Value) -> Rollout {
    if !self::seen(seen) {
        return Rollout::Going("its controller has not seen it yet".into());
    }
    match (counted(object, seen), by_hand(object, seen)) {
        (Rollout::Going(said), Some(why)) => Rollout::Stands(format!("{said}; {why}")),
        (counted, _) => counted,
    }
}

/// What the numbers in its status say.
fn counted(object: &ObjectRef, seen: &Value) -> Rollout {
    let status = |field: &str| number(seen, &format!("/status/{field}"));
    let replicas = replicas(seen);
    match owner(object) {
        Some("DaemonSet") => {
            let wanted = status("desiredNumberScheduled");
            share(status("updatedNumberScheduled"), status("numberAvailable"), wanted)
        }
        Some("Deployment") => {
            let old = status("replicas") - status("updatedReplicas");
            let going = if status("updatedReplicas") >= replicas && old > 0 {
                Rollout::Going(format!("{old} of its old pods have not ended"))
            } else {
                share(status("updatedReplicas"), status("availableReplicas"), replicas)
            };
            match going {
                Rollout::Going(said) => Rollout::Going(said + &late(seen)),
                other => other,
            }
        }
        Some("StatefulSet") => {
            let kept = partition(seen);
            let wanted = replicas.saturating_sub(kept).max(0);
            // Once all are updated, its status counts them as current; not so where each has to be ended by hand.
            let one = text(seen, "/status/updateRevision") == text(seen, "/status/currentRevision");
            let updated = if one { replicas } else { status("updatedReplicas") };
            let last = !one && kept == 0 && text(seen, "/spec/updateStrategy/type") != "OnDelete";
            match share(updated.min(wanted), status("readyReplicas").min(wanted), wanted) {
                Rollout::Over(_) if last => Rollout::Going("its last pod is being updated".into()),
                Rollout::Over(said) if kept > 0 => {
                    Rollout::Over(format!("{said}; those below {kept} are kept back by its partition"))
                }
                other => other,
            }
        }
        _ => Rollout::Stands("it rolls nothing out".into()),
    }
}

/// That the controller of a Deployment has given it up. It says so of the version before, too, until the first pod of the next one
/// is there or the last old one has gone, and it goes on all the same: for nobody here an end.
fn late(seen: &Value) -> String {
    let conditions = seen.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let late =
        conditions.filter(|one| one["type"] == "Progressing").find(|one| one["reason"] == "ProgressDeadlineExceeded");
    late.map(|late| format!("; its controller says ({})", text(late, "/message"))).unwrap_or_default()
}

fn share(updated: i64, available: i64, wanted: i64) -> Rollout {
    if updated < wanted || available < wanted {
        return Rollout::Going(format!("{updated} of {wanted} pods are new, {available} are available"));
    }
    Rollout::Over(format!("all {wanted} pods are new and available"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn case(object: &str, spec: Value, mut status: Value, expected: &str) {
        if status.get("observedGeneration").is_none() {
            status["observedGeneration"] = json!(7);
        }
        let seen = json!({"metadata": {"generation": 7}, "spec": spec, "status": status});
        let object = ObjectRef::parse(object, Some("telemetry")).unwrap();
        assert_eq!(format!("{:?}", read(&object, &seen)), expected, "{seen}");
    }

    #[test]
    fn a_status_of_before_says_nothing_and_what_is_not_rolled_out_by_itself_stands() {
        for object in ["ds/a", "sts/a", "deploy/a"] {
            case(object, json!({}), json!({"observedGeneration": 6}), r#"Going("its controller has not seen it yet")"#);
        }
        let spec = json!({"updateStrategy": {"type": "OnDelete"}});
        let why = "the update strategy of daemonsets.apps/telemetry/a is OnDelete: its pods stay as they are until they end \
                   (breakglass end-pods daemonsets.apps/telemetry/a)";
        let status =
            |new: i64| json!({"desiredNumberScheduled": 2, "updatedNumberScheduled": new, "numberAvailable": 2});
        let stands = format!("1 of 2 pods are new, 2 are available; {why}");
        case("ds/a", spec.clone(), status(1), &format!("Stands({stands:?})"));
        // Somebody has ended them all.
        case("ds/a", spec, status(2), r#"Over("all 2 pods are new and available")"#);
        let spec = json!({"replicas": 1, "updateStrategy": {"type": "OnDelete"}});
        let status = json!({"updatedReplicas": 1, "readyReplicas": 1, "updateRevision": "b", "currentRevision": "a"});
        case("sts/a", spec, status, r#"Over("all 1 pods are new and available")"#);
    }

    #[test]
    fn a_roll_out_is_over_when_all_pods_are_new_and_available() {
        let ds = |new: i64, up: i64| json!({"desiredNumberScheduled": 5, "updatedNumberScheduled": new, "numberAvailable": up});
        case("ds/a", json!({}), ds(4, 5), r#"Going("4 of 5 pods are new, 5 are available")"#);
        case("ds/a", json!({}), ds(5, 4), r#"Going("5 of 5 pods are new, 4 are available")"#);
        case("ds/a", json!({}), ds(5, 5), r#"Over("all 5 pods are new and available")"#);
        let status =
            |all: i64, new: i64, up: i64| json!({"replicas": all, "updatedReplicas": new, "availableReplicas": up});
        let three = || json!({"replicas": 3});
        case("deploy/a", three(), status(3, 2, 3), r#"Going("2 of 3 pods are new, 3 are available")"#);
        case("deploy/a", three(), status(4, 3, 3), r#"Going("1 of its old pods have not ended")"#);
        case("deploy/a", three(), status(3, 3, 3), r#"Over("all 3 pods are new and available")"#);
        case("deploy/a", json!({"replicas": 0}), json!({}), r#"Over("all 0 pods are new and available")"#);
        let mut late = status(4, 1, 3);
        late["conditions"] = json!([{"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "x"}]);
        case("deploy/a", three(), late, r#"Going("1 of 3 pods are new, 3 are available; its controller says (x)")"#);
    }

    #[test]
    fn a_stateful_set_counts_its_updated_pods_as_current_once_all_are() {
        let status = |new: i64, ready: i64, over: bool| json!({"updatedReplicas": new, "readyReplicas": ready, "updateRevision": "b", "currentRevision": if over { "b" } else { "a" }});
        let three = || json!({"replicas": 3});
        case("sts/a", three(), status(2, 3, false), r#"Going("2 of 3 pods are new, 3 are available")"#);
        case("sts/a", three(), status(3, 3, false), r#"Going("its last pod is being updated")"#);
        case("sts/a", three(), status(0, 3, true), r#"Over("all 3 pods are new and available")"#);
        case("sts/a", three(), status(0, 2, true), r#"Going("3 of 3 pods are new, 2 are available")"#);
        let kept = json!({"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}});
        let said = r#"Over("all 1 pods are new and available; those below 2 are kept back by its partition")"#;
        case("sts/a", kept, status(1, 3, false), said);
        let all = json!({"spec": {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 3}}}});
        let said = by_hand(&ObjectRef::parse("sts/telemetry/a", None).unwrap(), &all).unwrap();
        assert!(said.contains("is 3, and it has 3 pods: all are kept back"), "{said}");
    }
}

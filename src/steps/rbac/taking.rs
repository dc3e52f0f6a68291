//! The write that takes a subject out of a binding, and the one that puts it back.

use serde_json::{Value, json};

use super::binding::{Binding, short};
use super::subject::Subject;
use crate::change::{Change, Holds, Inverse, Keep, Op};
use crate::shell;
use crate::steps::ObjectRef;
use crate::steps::kube_object::{self, text};
use crate::steps::marking::{self, REVOKED, deleting, patching};

/// Who took whom out is left in the binding, where it stays.
const MARK: &str = "/metadata/annotations/breakglass.io~1revoked";
const ANNOTATIONS: &str = "/metadata/annotations";
const SUBJECTS: &str = "/subjects";

/// Which change of a step a binding's is.
pub(in crate::steps) fn key(at: &ObjectRef) -> String {
    match &at.namespace {
        Some(namespace) => format!("revoke-rolebinding-{namespace}/{}", at.name),
        None => format!("revoke-clusterrolebinding-{}", at.name),
    }
}

/// What a run leaves in a binding that it took a subject out of, but for who.
fn mark(run: &str, subject: &Subject) -> String {
    format!("{run} {subject}")
}

/// Whether a run left its mark for this subject.
pub(in crate::steps) fn is_marked(binding: &Binding, run: &str, subject: &Subject) -> bool {
    marking::marked_by(&binding.object, REVOKED) == mark(run, subject)
}

/// What may be sent for a binding, with placeholders for what only a look can know: to one that names others too, and to
/// one that names nobody else.
pub(in crate::steps) fn announced(at: &ObjectRef) -> (Op, Op) {
    let patch = json!([
        {"op": "test", "path": "/metadata/uid", "value": "<uid seen by the look>"},
        {"op": "test", "path": SUBJECTS, "value": "<subjects seen by the look>"},
        {"op": "<replace; remove when nobody is left and a finalizer holds it>", "path": SUBJECTS, "<value>": "<the others, in their order>"},
        {"op": "test", "path": "<the annotation breakglass.io/revoked, or all annotations>", "value": "<as seen>"},
        {"op": "add", "path": "<the same>", "value": "<this run and the subject>"},
    ]);
    (
        Op::Kube(patching(at, patch, None)),
        Op::Kube(deleting(at, "<uid seen by the look>", "<version seen by the look>")),
    )
}

/// The change that takes a subject out of a binding, by a run and its operator; `None` when it does not name it.
pub(in crate::steps) fn change(
    binding: &Binding,
    subject: &Subject,
    by: (&str, &str),
    deadline_secs: u64,
) -> Option<Change> {
    let Binding { at, object } = binding;
    let named = |entry: &&Value| subject.is(entry, at.namespace.as_deref());
    let others: Vec<Value> = binding.subjects().iter().filter(|entry| !named(entry)).cloned().collect();
    if others.len() == binding.subjects().len() {
        return None;
    }
    let uid = text(object, "/metadata/uid");
    // One that is held, or going already, stays in force until it is gone.
    let held = object["metadata"]["finalizers"].as_array().is_some_and(|all| !all.is_empty())
        || object.pointer("/metadata/deletionTimestamp").is_some();
    let (call, inverse, guard, by_hand) = if others.is_empty() && !held {
        let version = text(object, "/metadata/resourceVersion");
        let call = deleting(at, uid, version);
        let options = call.body.bytes().unwrap_or_default();
        let options = shell::word(&String::from_utf8_lossy(&options));
        let by_hand = format!("echo {options} | kubectl delete --raw {} -f -", shell::word(&call.path));
        let guard = format!("{} still has uid {uid} and version {version}", short(at));
        (call, kube_object::created_again(at, object), guard, by_hand)
    } else {
        let (there, back) = patches(object, &others, &marking::signed(&mark(by.0, subject), by.1));
        let holds =
            Holds { path: at.path(), fields: vec![(SUBJECTS.into(), object["subjects"].clone())], as_sent: false };
        let inverse = Inverse::By(Box::new(Op::Kube(patching(at, back, Some(holds)))));
        let by_hand = format!(
            "kubectl patch {} {} {}--type=json -p {}",
            at.resource(),
            shell::word(&at.name),
            at.namespace.as_ref().map_or_else(String::new, |namespace| format!("-n {namespace} ")),
            shell::word(&there.to_string())
        );
        let guard = format!("{} still has uid {uid}, and names whom it named", short(at));
        (patching(at, there, None), inverse, guard, by_hand)
    };
    Some(Change {
        key: key(at),
        note: None,
        op: Op::Kube(call),
        guard,
        inverse,
        because: format!("{subject} is to lose {}, which {} gives it", binding.role(), short(at)),
        by_hand,
        deadline_secs,
        keep: Keep::Nothing,
    })
}

/// The patch that leaves only these, and the one that puts all back in their order. The second tests no uid: what was
/// deleted and put back meanwhile lacks the subject still.
fn patches(object: &Value, others: &[Value], mark: &str) -> (Value, Value) {
    let all = &object["subjects"];
    // A server keeps no empty list: it leaves the field out.
    let (left, take, put) = if others.is_empty() {
        (Value::Null, json!({"op": "remove", "path": SUBJECTS}), "add")
    } else {
        (json!(others), json!({"op": "replace", "path": SUBJECTS, "value": others}), "replace")
    };
    let marked = object.pointer(MARK);
    let (seen, add) = if object.pointer(ANNOTATIONS).is_some_and(Value::is_object) {
        (json!({"op": "test", "path": MARK, "value": marked}), json!({"op": "add", "path": MARK, "value": mark}))
    } else {
        (
            json!({"op": "test", "path": ANNOTATIONS, "value": null}),
            json!({"op": "add", "path": ANNOTATIONS, "value": {REVOKED: mark}}),
        )
    };
    let unmark = marked.map_or_else(
        || json!({"op": "remove", "path": MARK}),
        |before| json!({"op": "replace", "path": MARK, "value": before}),
    );
    let there = json!([
        {"op": "test", "path": "/metadata/uid", "value": object["metadata"]["uid"]},
        {"op": "test", "path": SUBJECTS, "value": all},
        take,
        seen,
        add,
    ]);
    let back = json!([
        {"op": "test", "path": SUBJECTS, "value": left},
        {"op": "test", "path": MARK, "value": mark},
        {"op": put, "path": SUBJECTS, "value": all},
        unmark,
    ]);
    (there, back)
}

#[cfg(test)]
mod tests {
    use super::super::binding::{CLUSTER, NAMESPACED};
    use super::*;
    use crate::change::{Body, KubeCall, Method};

    fn account(name: &str) -> Value {
        json!({"kind": "ServiceAccount", "name": name, "namespace": "telemetry"})
    }

    fn binding(plural: &str, metadata: Value, subjects: Vec<Value>) -> Binding {
        let mut item = json!({
            "metadata": {"name": "b", "uid": "u", "resourceVersion": "7"},
            "roleRef": {"kind": "ClusterRole", "name": "view"},
            "subjects": subjects,
        });
        if let (Some(all), Value::Object(more)) = (item["metadata"].as_object_mut(), metadata) {
            all.extend(more);
        }
        Binding::item(plural, item)
    }

    fn agent() -> Subject {
        Subject::parse("sa/telemetry/agent", None).unwrap()
    }

    #[track_caller]
    fn taken(binding: &Binding) -> (Method, Value, Inverse) {
        let change = change(binding, &agent(), ("r1", "eve"), 60).unwrap();
        let Op::Kube(KubeCall { method, body: Body::Json(body), .. }) = change.op else { panic!("{:?}", change.op) };
        (method, body, change.inverse)
    }

    #[track_caller]
    fn back(inverse: &Inverse) -> Value {
        match inverse {
            Inverse::By(op) => match &**op {
                Op::Kube(KubeCall { body: Body::Json(body), .. }) => body.clone(),
                Op::Kube(call) => serde_json::from_slice(&call.body.bytes().unwrap()).unwrap(),
                op => panic!("{op:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_binding_that_others_share_loses_only_the_subject_and_gets_back_the_same_list() {
        let user = json!({"kind": "User", "name": "system:serviceaccount:telemetry:agent"});
        let all = vec![account("other"), account("agent"), json!({"kind": "Group", "name": "oncall"}), user];
        let shared = binding(CLUSTER, json!({}), all.clone());
        let (method, body, inverse) = taken(&shared);
        let others = json!([account("other"), {"kind": "Group", "name": "oncall"}]);
        assert_eq!(method, Method::Patch);
        assert_eq!(body[0], json!({"op": "test", "path": "/metadata/uid", "value": "u"}));
        assert_eq!(body[1], json!({"op": "test", "path": "/subjects", "value": all}));
        assert_eq!(body[2], json!({"op": "replace", "path": "/subjects", "value": others}));
        let mark = "r1 serviceaccount/telemetry/agent by=eve";
        let expected = json!([
            {"op": "test", "path": "/subjects", "value": others},
            {"op": "test", "path": "/metadata/annotations/breakglass.io~1revoked", "value": mark},
            {"op": "replace", "path": "/subjects", "value": all},
            {"op": "remove", "path": "/metadata/annotations/breakglass.io~1revoked"},
        ]);
        assert_eq!(back(&inverse), expected);
    }

    #[test]
    fn a_binding_of_the_subject_alone_is_deleted_as_it_was_seen_and_created_again() {
        let alone =
            binding(NAMESPACED, json!({"namespace": "telemetry", "labels": {"a": "b"}}), vec![account("agent")]);
        let (method, body, inverse) = taken(&alone);
        assert_eq!(method, Method::Delete);
        assert_eq!(body["preconditions"], json!({"uid": "u", "resourceVersion": "7"}));
        let again = back(&inverse);
        assert_eq!(again["kind"], "RoleBinding");
        assert_eq!(again["metadata"], json!({"name": "b", "namespace": "telemetry", "labels": {"a": "b"}}));
        assert_eq!(again["subjects"], json!([account("agent")]));
        let Inverse::By(op) = inverse else { panic!("{inverse:?}") };
        assert_eq!(op.summary(), "POST /apis/rbac.authorization.k8s.io/v1/namespaces/telemetry/rolebindings");
        assert!(op.blob().is_some(), "it is kept beside the journal");
    }

    /// It would give its rights for as long as the finalizer holds it.
    #[test]
    fn a_binding_that_would_not_go_at_once_is_emptied() {
        for metadata in [json!({"finalizers": ["a/b"]}), json!({"deletionTimestamp": "2025-01-01T00:00:00Z"})] {
            let (method, body, inverse) = taken(&binding(CLUSTER, metadata, vec![account("agent")]));
            assert_eq!((method, &body[2]), (Method::Patch, &json!({"op": "remove", "path": "/subjects"})));
            let back = back(&inverse);
            assert_eq!(back[0], json!({"op": "test", "path": "/subjects", "value": null}));
            assert_eq!(back[2], json!({"op": "add", "path": "/subjects", "value": [account("agent")]}));
        }
    }

    #[test]
    fn the_mark_of_an_earlier_revoke_is_put_back() {
        let earlier = json!({"annotations": {REVOKED: "r0 user/jane"}});
        let (_, body, inverse) = taken(&binding(CLUSTER, earlier, vec![account("agent"), account("other")]));
        assert_eq!(body[3], json!({"op": "test", "path": MARK, "value": "r0 user/jane"}));
        assert_eq!(back(&inverse)[3], json!({"op": "replace", "path": MARK, "value": "r0 user/jane"}));
    }

    #[test]
    fn a_binding_that_names_others_is_left_alone() {
        let others = binding(CLUSTER, json!({}), vec![account("other")]);
        assert!(change(&others, &agent(), ("r1", "eve"), 60).is_none());
        assert!(change(&binding(CLUSTER, json!({}), Vec::new()), &agent(), ("r1", "eve"), 60).is_none());
    }
}

//! What each kind is told, what its mark says, and how it is typed.

use serde_json::{Value, json};

use super::*;
use crate::change::Inverse;
use crate::change::Op;

fn seen(sort: Sort, metadata: &Value, spec: &Value) -> Automation {
    let at = sort.at(sort.versions()[0], "a", "x").unwrap();
    let mut object = json!({"metadata": metadata, "spec": spec});
    object["metadata"]["uid"] = json!("u");
    Automation { named: Named::new(sort, "a", "x"), at, object }
}

fn rest(sort: Sort, spec: &Value) -> Option<(String, Value, Value)> {
    seen(sort, &json!({}), spec).rest().map(|edit| (edit.field, edit.before, edit.after))
}

fn ops(op: &Op) -> Value {
    let Op::Kube(call) = op else { panic!("{op:?}") };
    serde_json::from_slice(&call.body.bytes().unwrap()).unwrap()
}

#[test]
fn each_kind_is_told_by_one_field_of_its_own() {
    let automated = json!({"prune": true});
    let policy = |automated: &Value| json!({"syncPolicy": {"automated": automated}});
    assert_eq!(rest(Sort::Application, &policy(&automated)), Some((AUTOMATED.into(), automated, Value::Null)));
    let empty = rest(Sort::Application, &policy(&json!({})));
    assert_eq!(empty, Some((AUTOMATED.into(), json!({}), Value::Null)), "an empty one is automation all the same");
    for at_rest in [json!({}), json!({"syncPolicy": {}}), policy(&Value::Null), policy(&json!({"enabled": false}))] {
        assert_eq!(rest(Sort::Application, &at_rest), None, "{at_rest}");
    }
    let skipped = json!({"annotations": {"argocd.argoproj.io/skip-reconcile": "true"}});
    assert!(seen(Sort::Application, &skipped, &policy(&json!({}))).rest().is_none());

    let set = |policy: Value| rest(Sort::ApplicationSet, &json!({ "syncPolicy": policy }));
    assert_eq!(set(Value::Null), Some((SYNC_POLICY.into(), Value::Null, json!({"applicationsSync": "create-only"}))));
    let other = set(json!({"preserveResourcesOnDeletion": true}));
    assert_eq!(other, Some((APPLICATIONS_SYNC.into(), Value::Null, json!("create-only"))));
    let update = set(json!({"applicationsSync": "create-update"}));
    assert_eq!(update, Some((APPLICATIONS_SYNC.into(), json!("create-update"), json!("create-only"))));
    for at_rest in ["create-only", "create-delete"] {
        assert_eq!(set(json!({"applicationsSync": at_rest})), None, "{at_rest}");
    }
    for sort in [Sort::Kustomization, Sort::HelmRelease, Sort::CronJob] {
        assert_eq!(rest(sort, &json!({})), Some((SUSPEND.into(), Value::Null, json!(true))));
        assert_eq!(rest(sort, &json!({"suspend": false})), Some((SUSPEND.into(), json!(false), json!(true))));
        assert_eq!(rest(sort, &json!({"suspend": true})), None);
    }
}

/// What a frozen object says is enough to put back what was there, without the run that froze it.
#[test]
fn a_mark_alone_gives_back_what_was_there() {
    let automated = json!({"prune": true, "selfHeal": true});
    for (sort, spec) in [
        (Sort::Application, json!({"syncPolicy": {"automated": automated, "syncOptions": ["a"]}})),
        (Sort::ApplicationSet, json!({"template": {}})),
        (Sort::ApplicationSet, json!({"syncPolicy": {"applicationsSync": "sync"}})),
        (Sort::Kustomization, json!({"suspend": false})),
        (Sort::HelmRelease, json!({"chart": {}})),
    ] {
        for metadata in [json!({}), json!({"annotations": {"b": "c"}})] {
            let before = seen(sort, &metadata, &spec);
            let change = before.freeze(&before.rest().unwrap(), ("r1", "eve"), 60);
            let mut frozen = before.clone();
            crate::world::fake::patched(&mut frozen.object, &ops(&change.op));
            assert_eq!((frozen.frozen_by().as_deref(), frozen.rest().is_some()), (Some("r1"), false), "{sort:?}");
            let Inverse::By(inverse) = &change.inverse else { panic!("{change:?}") };
            let thaw = frozen.thaw(60).unwrap().unwrap();
            for op in [&**inverse, &thaw.op] {
                let mut after = frozen.object.clone();
                crate::world::fake::patched(&mut after, &ops(op));
                assert_eq!(after, before.object, "{sort:?}");
            }
            let Inverse::By(again) = &thaw.inverse else { panic!("{thaw:?}") };
            let mut after = before.object.clone();
            crate::world::fake::patched(&mut after, &ops(again));
            assert_eq!(after, frozen.object, "{sort:?}");
        }
    }
}

#[test]
fn what_was_set_anew_since_stands_and_a_mark_that_says_nothing_of_use_is_left() {
    let marked = |said: &str, spec: Value| seen(Sort::Application, &json!({"annotations": {MARK: said}}), &spec);
    let anew = marked(r#"r1 {"/spec/syncPolicy/automated":{"prune":true}}"#, json!({"syncPolicy": {"automated": {}}}));
    let change = anew.thaw(60).unwrap().unwrap();
    assert!(change.because.contains("only its mark is left"), "{}", change.because);
    assert_eq!(ops(&change.op).as_array().unwrap().len(), 3, "{:?}", change.op);
    // No mark leads to another field than the one that its kind is frozen by.
    for said in
        ["r1", "r1 x", r#"r1 {"/metadata/finalizers":null}"#, r#"r1 {"/spec/source/repoURL":"https://evil.test"}"#]
    {
        let why = marked(said, json!({})).thaw(60).unwrap().unwrap_err();
        assert!(why.contains("does not say"), "{said}: {why}");
    }
    assert!(seen(Sort::Application, &json!({}), &json!({})).thaw(60).is_none());
}

#[test]
fn what_goes_on_for_a_while_is_told() {
    let mut one = seen(Sort::Application, &json!({}), &json!({}));
    assert_eq!(one.under_way(), None);
    one.object["status"] = json!({"operationState": {"phase": "Running"}});
    assert!(one.under_way().unwrap().contains("argocd app terminate-op x"));
    let mut one = seen(Sort::Kustomization, &json!({}), &json!({}));
    let condition = |reason: &str| json!({"conditions": [{"type": "Reconciling", "status": "True", "reason": reason}]});
    one.object["status"] = condition("Progressing");
    assert!(one.under_way().is_some());
    // What failed waits for its next turn, which does not come.
    one.object["status"] = condition("ProgressingWithRetry");
    assert_eq!(one.under_way(), None);
}

#[test]
fn it_is_typed_as_its_own_tools_call_it() {
    let parse = |typed: &str, namespace| Named::parse(typed, namespace, "argocd");
    let read = |typed: &str, namespace| parse(typed, namespace).unwrap().unwrap().to_string();
    assert_eq!(read("app/edge", None), "application/argocd/edge");
    assert_eq!(read("applications.argoproj.io/team/edge", None), "application/team/edge");
    assert_eq!(read("ks/apps", Some("flux-system")), "kustomization/flux-system/apps");
    assert_eq!(read("HelmRelease/a/x", Some("a")), "helmrelease/a/x");
    let spelled = parse("helm.toolkit.fluxcd.io/v2beta1/helmreleases/a/x", None).unwrap().unwrap();
    assert_eq!((spelled.to_string().as_str(), spelled.version.as_deref()), ("helmrelease/a/x", Some("v2beta1")));
    for (typed, why) in [
        ("ks/apps", "needs a namespace"),
        ("app/a/b/c", "is no name"),
        ("app/../x", "exact name"),
        ("app/a?b/x", "exact name"),
        ("app", "is no name"),
    ] {
        let said = parse(typed, None).unwrap().unwrap_err();
        assert!(said.contains(why), "{typed}: {said}");
    }
    assert!(parse("hr/a/x", Some("b")).unwrap().unwrap_err().contains("namespace says"));
    for other in ["ds/a/x", "cj/a/x", "applications.app.k8s.io/a/x", "kustomize.config.k8s.io/v1/kustomizations/a/x"] {
        assert!(parse(other, None).is_none(), "{other}");
    }
}

//! Administrators' rights put back, whatever others do to the bindings meanwhile.

use std::time::Duration;

use serde_json::{Value, json};

use super::announced::all_announced;
use super::support::*;
use crate::change::{Op, Target};
use crate::error::Class;
use crate::journal::Entry;
use crate::world::fake::{Fault, Sent};

const ONCALL: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/oncall";

fn bench_of(steps: &[Spec]) -> Bench {
    let fake = world(&["east"]);
    rights_gone(&fake);
    Bench::new(fake, plan(&["east"], steps, &policy()))
}

fn bench(with: Value) -> Bench {
    bench_of(&[("rights", "restore-rights", with)])
}

fn oncall() -> Bench {
    bench(json!({"binding": "oncall", "groups": ["oncall"]}))
}

fn bound(role: &str, subjects: &[Value]) -> Value {
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role});
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {}, "roleRef": role,
        "subjects": subjects})
}

fn group(name: &str) -> Value {
    json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": name})
}

/// More than what gives everything, which is as good.
fn all_rules() -> Value {
    let objects = json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*", "get"]});
    json!([objects, {"nonResourceURLs": ["*"], "verbs": ["*"]}])
}

/// As somebody else edits it.
fn edit(bench: &Bench, path: &str, field: &str, value: Value) {
    bench.fake.objects("east", |o| o.edit(path, |object| object[field] = value));
}

/// Method and path of all that was sent, in order.
fn sent(bench: &Bench) -> Vec<String> {
    let line = |sent: &Sent| match sent {
        Sent::Get(_, path) => format!("GET {path}"),
        Sent::Op(_, op) => op.summary(),
        other => format!("{other:?}"),
    };
    bench.fake.take_sent().iter().map(line).collect()
}

fn field(bench: &Bench, path: &str, pointer: &str) -> Option<Value> {
    bench.fake.objects("east", |o| o.at(path).map(|object| object.pointer(pointer).cloned().unwrap_or_default()))
}

fn said(bench: &Bench) -> String {
    let saw = |entry: Entry| if let Entry::Saw { what, .. } = entry { Some(what.to_string()) } else { None };
    bench.lines().into_iter().filter_map(|line| saw(line.entry)).collect::<Vec<_>>().join("\n")
}

#[test]
fn just_what_is_missing_is_put_back_and_undo_takes_just_that_away() {
    paused(async {
        let bench = bench(json!({}));
        let before = bench.fake.snapshot();
        assert_eq!(bench.run().await.class, None);
        let list = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
        let expected = [EVERYTHING, ADMINS, MASTERS].map(|path| format!("GET {path}"));
        let writes = [format!("PATCH {EVERYTHING}"), format!("POST {list}"), format!("PATCH {MASTERS}")];
        assert_eq!(sent(&bench), [expected, writes].concat());
        assert_eq!(field(&bench, ADMINS, "/subjects"), Some(json!([group("kubeadm:cluster-admins")])));
        assert_eq!(field(&bench, ADMINS, "/roleRef/name"), Some(json!("cluster-admin")));
        assert_eq!(field(&bench, MASTERS, "/subjects"), Some(json!([group("system:masters")])));
        assert_eq!(field(&bench, EVERYTHING, "/rules/1/nonResourceURLs"), Some(json!(["*"])));
        assert_eq!(field(&bench, EVERYTHING, "/metadata/labels"), Some(json!({"a": "b"})), "nothing else is touched");
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(bench.fake.snapshot(), before);
    });
}

#[test]
fn where_nothing_is_missing_nothing_is_written() {
    paused(async {
        let bench = oncall();
        assert_eq!(
            bench_of(&[("a", "restore-rights", json!({})), ("b", "restore-rights", json!({}))]).run().await.tally.done,
            3
        );
        edit(&bench, EVERYTHING, "rules", all_rules());
        bench.fake.objects("east", |o| {
            o.put(ONCALL, bound("cluster-admin", &[group("others"), group("oncall")]));
        });
        let report = bench.run().await;
        assert_eq!((report.class, bench.fake.ops()), (None, 0), "{}", report.why);
        assert!(said(&bench).contains("clusterrolebinding/oncall lacks nothing"), "{}", said(&bench));
    });
}

#[test]
fn somebody_who_edits_the_binding_between_the_look_and_the_patch_keeps_what_he_wrote() {
    paused(async {
        let bench = oncall();
        bench.fake.objects("east", |o| o.put(ONCALL, bound("cluster-admin", &[group("a")])));
        bench.fake.meddle(2, "east", |o| o.edit(ONCALL, |it| it["subjects"] = json!([group("a"), group("b")])));
        assert_eq!(bench.run().await.class, None);
        let all = json!([group("a"), group("b"), group("oncall")]);
        assert_eq!(field(&bench, ONCALL, "/subjects"), Some(all));
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(field(&bench, ONCALL, "/subjects"), Some(json!([group("a"), group("b")])));
    });
}

#[test]
fn what_somebody_else_created_meanwhile_is_not_ours_to_delete() {
    paused(async {
        let bench = oncall();
        bench.fake.meddle(2, "east", |o| o.put(ONCALL, bound("cluster-admin", &[group("oncall")])));
        let report = bench.run().await;
        assert_eq!(report.class, None, "{}", report.why);
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(field(&bench, ONCALL, "/subjects"), Some(json!([group("oncall")])));
    });
}

#[test]
fn what_somebody_else_created_while_our_reply_was_lost_is_not_taken_for_ours() {
    paused(async {
        let bench = oncall();
        bench.fake.meddle(2, "east", |o| o.put(ONCALL, bound("cluster-admin", &[group("oncall")])));
        bench.fake.fault(2, Fault::LoseNotMade);
        let report = bench.run().await;
        assert_eq!((report.class, report.tally.done), (None, 1), "{}", report.why);
        let report = bench.undo().await;
        assert_eq!(report.class, None, "{}", report.why);
        assert_eq!(field(&bench, ONCALL, "/subjects"), Some(json!([group("oncall")])));
    });
}

#[test]
fn what_was_created_and_edited_by_somebody_else_since_is_left_and_named() {
    paused(async {
        for (pointer, edit) in [
            ("/subjects", json!([group("oncall"), group("b")])),
            ("/metadata/labels", json!({"team": "b"})),
            ("/metadata/annotations", json!({"team": "b"})),
        ] {
            let bench = oncall();
            assert_eq!(bench.run().await.class, None);
            let changed = edit.clone();
            bench.fake.objects("east", |o| {
                o.edit(ONCALL, |it| match pointer.strip_prefix("/metadata/") {
                    Some(field) => it["metadata"][field] = changed,
                    None => it["subjects"] = changed,
                });
            });
            let report = bench.undo().await;
            assert_eq!(report.class, Some(Class::Stuck), "{}", report.why);
            assert!(report.why.contains(&format!("it differs at {pointer}")), "{}", report.why);
            assert_eq!(field(&bench, ONCALL, pointer), Some(edit));
            // What stands alone is still taken back: the rules.
            assert_eq!(field(&bench, EVERYTHING, "/rules"), Some(Value::Null));
        }
    });
}

#[test]
fn what_is_edited_between_the_look_and_the_delete_of_an_undo_is_left() {
    paused(async {
        let bench = oncall();
        assert_eq!(bench.run().await.class, None);
        bench.fake.meddle(3, "east", |o| o.edit(ONCALL, |it| it["subjects"] = json!([group("b")])));
        let report = bench.undo().await;
        assert_eq!(report.class, Some(Class::Stuck), "{}", report.why);
        assert_eq!(field(&bench, ONCALL, "/subjects"), Some(json!([group("b")])));
    });
}

#[test]
fn what_somebody_else_deleted_since_needs_no_deleting() {
    paused(async {
        let bench = oncall();
        let before = bench.fake.snapshot();
        assert_eq!(bench.run().await.class, None);
        bench.fake.objects("east", |o| o.remove(ONCALL));
        let report = bench.undo().await;
        assert_eq!(report.class, None, "{}", report.why);
        assert_eq!(bench.fake.snapshot(), before);
    });
}

#[test]
fn an_undo_that_cannot_look_deletes_nothing_and_goes_on_later() {
    paused(async {
        let bench = oncall();
        let before = bench.fake.snapshot();
        assert_eq!(bench.run().await.class, None);
        bench.fake.take_sent();
        bench.fake.deny_reads(1);
        let report = bench.undo().await;
        assert_eq!(report.class, Some(Class::Partial), "{}", report.why);
        assert!(!sent(&bench).iter().any(|line| line.starts_with("DELETE")));
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(bench.fake.snapshot(), before);
    });
}

#[test]
fn a_binding_of_another_role_is_made_anew_once_its_name_is_typed_and_comes_back_whole() {
    paused(async {
        let with_old = || {
            let bench = oncall();
            let mut old = bound("view", &[group("readers")]);
            old["metadata"]["labels"] = json!({"team": "b"});
            bench.fake.objects("east", |o| o.put(ONCALL, old));
            bench
        };
        for says in [Some(false), None] {
            let bench = with_old();
            let before = bench.fake.snapshot();
            let report = bench.go(Verb::Run, &How { says, ..How::default() }).await.unwrap();
            assert_eq!(report.class, Some(Class::Declined), "{}", report.why);
            assert_eq!(bench.fake.snapshot(), before);
            let asked = bench.asked.lock().unwrap();
            assert_eq!((asked[0].typed.as_deref(), asked[0].unattended), (Some("oncall"), false));
            assert!(asked[0].text.contains("gives ClusterRole view"), "{}", asked[0].text);
        }
        let bench = with_old();
        let before = bench.fake.snapshot();
        let report = bench.run().await;
        assert_eq!(report.class, None, "{}", report.why);
        all_announced(&bench.plan, &bench.fake.take_sent());
        assert_eq!(field(&bench, ONCALL, "/roleRef/name"), Some(json!("cluster-admin")));
        assert_eq!(field(&bench, ONCALL, "/subjects"), Some(json!([group("oncall")])), "others do not gain by it");
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(bench.fake.snapshot(), before);
        // A drill shows both writes.
        let bench = with_old();
        let report = bench.go(Verb::Run, &How { drill: true, ..How::default() }).await.unwrap();
        assert_eq!((report.class, report.tally.done), (None, 3), "{}", report.why);
    });
}

#[test]
fn two_steps_on_one_binding_are_taken_back_one_after_the_other() {
    paused(async {
        let step = |name, group: &str| (name, "restore-rights", json!({"binding": "oncall", "groups": [group]}));
        let bench = bench_of(&[step("one", "a"), step("two", "b")]);
        let before = bench.fake.snapshot();
        assert_eq!(bench.run().await.class, None);
        assert_eq!(field(&bench, ONCALL, "/subjects"), Some(json!([group("a"), group("b")])));
        let report = bench.undo().await;
        assert_eq!(report.class, None, "{}", report.why);
        assert_eq!(bench.fake.snapshot(), before);
    });
}

#[test]
fn rights_for_everybody_want_a_word_typed() {
    paused(async {
        for (list, name) in [
            ("groups", "system:authenticated"),
            ("groups", "system:unauthenticated"),
            ("groups", "system:serviceaccounts"),
            ("users", "system:anonymous"),
        ] {
            let bench = bench(json!({"binding": "oncall", list: [name]}));
            let report = bench.go(Verb::Run, &How { says: None, ..How::default() }).await.unwrap();
            assert_eq!((report.class, bench.fake.ops()), (Some(Class::Declined), 0), "{}", report.why);
            assert!(bench.fake.take_sent().is_empty(), "it is asked before anything is looked at");
            let asked = bench.asked.lock().unwrap();
            assert!(asked[0].typed.as_ref().unwrap().ends_with(name) && !asked[0].unattended, "{asked:?}");
        }
    });
}

#[test]
fn a_no_to_our_credential_says_which_it_is_and_where_another_one_is() {
    paused(async {
        let bench = bench(json!({}));
        let no = json!({"kind": "Status", "code": 403, "message": "User \"alice\" cannot get resource"}).to_string();
        bench.fake.answer(EVERYTHING, 403, &no, Duration::ZERO);
        let how = How::default();
        let report = bench.go(Verb::Run, &how).await.unwrap();
        assert_eq!(report.class, Some(Class::Refused), "{}", report.why);
        assert!(report.why.contains("our credential is the one of"), "{}", report.why);
        let hints: Vec<String> = heard_hints(&how);
        assert!(hints.iter().any(|hint| hint.contains("super-admin.conf")), "{hints:?}");

        // It may look, and not give what it has not itself; the same is not sent again.
        let bench = oncall();
        edit(&bench, EVERYTHING, "rules", all_rules());
        bench.fake.fault(1, Fault::Refuse);
        let how = How::default();
        let report = bench.go(Verb::Run, &how).await.unwrap();
        assert_eq!((report.class, bench.fake.ops()), (Some(Class::Refused), 1), "{}", report.why);
        assert!(report.why.contains("not today") && report.why.contains("has not himself"), "{}", report.why);
        assert!(heard_hints(&how).iter().any(|hint| hint.contains("super-admin.conf")));
        // With another credential, or once the rights are there, the run goes on.
        assert_eq!(bench.resume().await.class, None);
    });
}

fn heard_hints(how: &How) -> Vec<String> {
    let heard = how.ears.heard.lock().unwrap();
    let hint = |event: &crate::event::Event| match event {
        crate::event::Event::Trouble { hint, .. } => hint.clone(),
        _ => None,
    };
    heard.iter().filter_map(hint).collect()
}

#[test]
fn a_role_that_is_not_there_and_one_that_is_written_by_a_controller_are_refused() {
    paused(async {
        let bench = bench(json!({"binding": "oncall", "role": "nobody-knows", "groups": ["oncall"]}));
        let report = bench.run().await;
        assert_eq!((report.class, bench.fake.ops()), (Some(Class::Refused), 0), "{}", report.why);
        assert!(report.why.contains("clusterrole/nobody-knows is not there"), "{}", report.why);
        let bench = oncall();
        edit(&bench, EVERYTHING, "aggregationRule", json!({"clusterRoleSelectors": []}));
        let report = bench.run().await;
        assert_eq!((report.class, bench.fake.ops()), (Some(Class::Refused), 0), "{}", report.why);
        assert!(report.why.contains("aggregationRule"), "{}", report.why);
    });
}

#[test]
fn a_binding_that_is_going_is_waited_out_by_nobody_and_said() {
    paused(async {
        let bench = oncall();
        let mut going = bound("cluster-admin", &[]);
        going["metadata"] = json!({"deletionTimestamp": "2025-01-01T00:00:00Z", "finalizers": ["a/b"]});
        bench.fake.objects("east", |o| o.put(ONCALL, going));
        let report = bench.run().await;
        assert_eq!(report.class, Some(Class::Refused), "{}", report.why);
        assert!(report.why.contains("it is being deleted") && report.why.contains("held by a/b"), "{}", report.why);
    });
}

/// What an inverse DELETE lacks no server takes: a program that does not look first deletes nothing by it.
#[test]
fn the_delete_in_the_journal_fits_no_object() {
    paused(async {
        let bench = oncall();
        assert_eq!(bench.run().await.class, None);
        let made = bench.journal().run.changes.into_values().find(|it| it.change.key.ends_with("/oncall")).unwrap();
        let crate::change::Inverse::By(op) = made.change.inverse else { panic!("no inverse") };
        let Op::Kube(call) = &*op else { panic!("{op:?}") };
        assert!(call.wants_a_look());
        let world = &bench.fake;
        let outcome = crate::world::Writes::perform(world, &Target::cluster("east"), &op, Duration::from_secs(1)).await;
        assert!(matches!(outcome, crate::change::Outcome::Failed(_)), "{outcome:?}");
        // Nor does it then take what is there for what it wants.
        let there = bench.fake.objects("east", |o| o.at(ONCALL).unwrap().clone());
        assert_eq!(call.holds.as_ref().unwrap().differs(&there, None), ["/metadata/uid"]);
        assert!(call.as_seen(&there).holds.unwrap().differs(&there, None).is_empty());
    });
}

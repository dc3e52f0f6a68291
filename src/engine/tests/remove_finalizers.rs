//! What holds an object that is being deleted, taken off it: what is asked before, what is refused, and what undo can do.

use serde_json::{Value, json};

use super::announced::all_announced;
use super::support::*;
use crate::change::{Method, Op};
use crate::engine::Report;
use crate::error::Class;
use crate::world::fake::{Objects, Sent};

const HOLD: &str = "example.com/hold";
const WIDGET: &str = "/apis/example.com/v1/namespaces/team/widgets/one";
const NAMED: &str = "widgets.v1.example.com/team/one";

/// Puts something into a cluster.
type Put<'a> = &'a dyn Fn(&mut Objects);

/// An object that was deleted and is held by these.
fn held(objects: &mut Objects, path: &str, finalizers: &[&str]) {
    objects.put(path, json!({"metadata": {"finalizers": finalizers}, "spec": {"size": 3}}));
    objects.edit(path, |it| {
        it["metadata"]["deletionTimestamp"] = json!("2025-01-01T00:00:00Z");
        it["metadata"]["deletionGracePeriodSeconds"] = json!(0);
    });
}

fn bench(with: Value) -> Bench {
    Bench::new(world(&["east"]), plan(&["east"], &[("end", "remove-finalizers", with)], &policy()))
}

/// How it ends, all that was said, and what was sent in this order.
async fn run(bench: &Bench, says: Option<bool>) -> (Report, String, Vec<&'static str>) {
    let how = How { says, ..How::default() };
    let report = bench.go(Verb::Run, &how).await.unwrap();
    let sent = bench.fake.take_sent();
    all_announced(&bench.plan, &sent);
    let method = |sent: &Sent| match sent {
        Sent::Get(..) => "GET",
        Sent::Op(_, Op::Kube(call)) if call.method == Method::Patch => "PATCH",
        _ => "another",
    };
    let said = format!("{} {:?}", report.why, how.ears.heard.lock().unwrap());
    (report, said, sent.iter().map(method).collect())
}

fn there(bench: &Bench, path: &str) -> Option<Value> {
    bench.fake.objects("east", |objects| objects.at(path).cloned())
}

#[test]
fn an_object_without_its_last_finalizer_is_gone_in_one_patch_and_undo_makes_it_anew() {
    paused(async {
        let bench = bench(json!({"object": NAMED}));
        bench.fake.objects("east", |objects| held(objects, WIDGET, &[HOLD, "finalizers.fluxcd.io"]));
        let (report, said, sent) = run(&bench, Some(true)).await;
        assert_eq!((report.class, there(&bench, WIDGET)), (None, None), "{said}");
        assert_eq!(sent, ["GET", "GET", "PATCH", "GET"]);
        assert!(said.contains("widgets.example.com/team/one is gone"), "{said}");
        let asked = bench.asked.lock().unwrap().clone();
        let [question] = asked.as_slice() else { panic!("{asked:?}") };
        assert_eq!((question.typed.as_deref(), question.unattended), (Some("one"), false));
        for word in [
            "is being deleted, since 2025-01-01",
            HOLD,
            "not known here",
            "Flux deletes what it applied",
            "makes it anew",
        ] {
            assert!(question.text.contains(word), "{word}: {}", question.text);
        }
        assert_eq!(bench.undo().await.class, None);
        let back = there(&bench, WIDGET).unwrap();
        assert_eq!(back["metadata"]["finalizers"], json!([HOLD, "finalizers.fluxcd.io"]));
        assert!(back["metadata"].get("deletionTimestamp").is_none() && back["spec"]["size"] == 3, "{back}");
    });
}

#[test]
fn one_of_several_is_taken_off_and_that_it_is_held_still_and_cannot_be_taken_back_is_said_before() {
    paused(async {
        let bench = bench(json!({"object": NAMED, "finalizers": [HOLD]}));
        bench.fake.objects("east", |objects| held(objects, WIDGET, &["a/b", HOLD]));
        let (report, said, _) = run(&bench, Some(true)).await;
        assert_eq!(report.class, None, "{said}");
        assert!(said.contains("is not gone: it is being deleted") && said.contains("held by a/b"), "{said}");
        assert_eq!(there(&bench, WIDGET).unwrap()["metadata"]["finalizers"], json!(["a/b"]));
        let asked = bench.asked.lock().unwrap()[0].text.clone();
        assert!(asked.contains("a/b still hold it then, and undo can put none back"), "{asked}");
        let undone = bench.undo().await;
        assert_eq!(undone.class, Some(Class::Stuck));
        assert!(undone.why.contains("lets nobody add a finalizer"), "{}", undone.why);
    });
}

/// Nothing is sent but the look, and what would be right is said.
#[test]
fn what_is_not_meant_is_refused_with_nothing_changed() {
    let widget = |finalizers: &'static [&'static str]| move |o: &mut Objects| held(o, WIDGET, finalizers);
    let stands = |o: &mut Objects| o.put(WIDGET, json!({"metadata": {"finalizers": [HOLD]}}));
    let namespace = |o: &mut Objects| {
        held(o, "/api/v1/namespaces/team", &[]);
        let says = json!([{"type": "NamespaceDeletionDiscoveryFailure", "status": "True", "message": "Discovery failed for some groups"}]);
        o.edit("/api/v1/namespaces/team", |it| {
            it["spec"] = json!({"finalizers": ["kubernetes"]});
            it["status"] = json!({"conditions": says});
        });
    };
    let cases: [(Value, Put, &[&str]); 7] = [
        (
            json!({"object": NAMED}),
            &stands,
            &["nobody has deleted", HOLD, "breakglass delete example.com/v1/widgets/team/one"],
        ),
        (
            json!({"object": NAMED, "finalizers": ["c/d", HOLD]}),
            &widget(&[HOLD]),
            &["c/d is not on", "on it: example.com/hold"],
        ),
        (json!({"object": NAMED, "uid": "other"}), &widget(&[HOLD]), &["has uid uid-", "another object"]),
        (
            json!({"object": NAMED}),
            &widget(&[HOLD, "orphan"]),
            &["has an owner that is gone, and is DELETED", "--finalizer example.com/hold --finalizer orphan"],
        ),
        (json!({"object": NAMED}), &widget(&["foregroundDeletion"]), &["what the object owns goes first"]),
        (json!({"object": NAMED}), &widget(&[]), &["no finalizer is on", "it is being deleted"]),
        (
            json!({"object": "ns/team"}),
            &namespace,
            &["stays in etcd", "breakglass disarm", "/api/v1/namespaces/team/finalize"],
        ),
    ];
    for (with, put, words) in cases {
        paused(async {
            let bench = bench(with);
            bench.fake.objects("east", put);
            let (report, said, sent) = run(&bench, Some(true)).await;
            assert_eq!((report.class, sent), (Some(Class::Refused), vec!["GET"]), "{said}");
            for word in words {
                assert!(said.contains(word), "{word}: {said}");
            }
        });
    }
}

#[test]
fn a_drill_of_an_object_that_is_going_ends_as_a_run_would() {
    paused(async {
        let bench = bench(json!({"object": NAMED}));
        bench.fake.objects("east", |objects| held(objects, WIDGET, &[HOLD]));
        let report = bench.go(Verb::Run, &How { drill: true, ..How::default() }).await.unwrap();
        assert_eq!((report.class, bench.fake.ops()), (None, 0), "{}", report.why);
    });
}

#[test]
fn who_does_not_type_the_name_changes_nothing() {
    for (says, class) in [(Some(false), Class::Declined), (None, Class::Declined)] {
        paused(async {
            let bench = bench(json!({"object": NAMED}));
            bench.fake.objects("east", |objects| held(objects, WIDGET, &[HOLD]));
            let (report, said, sent) = run(&bench, says).await;
            assert_eq!(report.class, Some(class), "{said}");
            assert!(!sent.contains(&"PATCH"), "{sent:?}");
        });
    }
}

/// The consent was given for what was seen: what is on it now is asked about anew, or refused.
#[test]
fn a_list_that_somebody_changes_meanwhile_is_not_overwritten() {
    paused(async {
        let bench = bench(json!({"object": NAMED}));
        bench.fake.objects("east", |objects| held(objects, WIDGET, &[HOLD]));
        bench.fake.meddle(1, "east", |objects| {
            objects.edit(WIDGET, |it| it["metadata"]["finalizers"] = json!([HOLD, "new.example.com/too"]));
        });
        let (_, said, _) = run(&bench, Some(true)).await;
        let asked = bench.asked.lock().unwrap().iter().map(|one| one.text.clone()).collect::<Vec<_>>();
        let left = there(&bench, WIDGET);
        assert!(left.is_some() || asked.len() == 2 && asked[1].contains("new.example.com/too"), "{said} {asked:?}");
    });
}

#[test]
fn what_is_put_back_at_once_is_no_success() {
    paused(async {
        let bench = bench(json!({"object": NAMED, "beforeDelete": true}));
        bench.fake.objects("east", |objects| objects.put(WIDGET, json!({"metadata": {"finalizers": [HOLD]}})));
        let uid = there(&bench, WIDGET).unwrap()["metadata"]["uid"].clone();
        for version in ["7", "7", "9"] {
            let seen = json!({"metadata": {"uid": uid, "resourceVersion": version, "finalizers": [HOLD]}});
            bench.fake.answer(WIDGET, 200, &seen.to_string(), std::time::Duration::ZERO);
        }
        let (report, said, _) = run(&bench, Some(true)).await;
        assert!(report.class.is_some() && said.contains("somebody has put back"), "{said}");
    });
}

/// Ours came back whole: it is not the one that was, or it is deleted meanwhile.
#[test]
fn what_was_taken_off_before_a_deletion_is_not_forced_onto_another_object() {
    paused(async {
        let bench = bench(json!({"object": NAMED, "beforeDelete": true}));
        bench.fake.objects("east", |objects| objects.put(WIDGET, json!({"metadata": {"finalizers": [HOLD]}})));
        assert_eq!(run(&bench, Some(true)).await.0.class, None);
        bench.fake.objects("east", |objects| {
            objects.remove(WIDGET);
            objects.put(WIDGET, json!({"metadata": {}}));
        });
        let undone = bench.undo().await;
        assert_eq!(undone.class, Some(Class::Stuck), "{}", undone.why);
        assert!(there(&bench, WIDGET).unwrap()["metadata"].get("finalizers").is_none());
    });
}

#[test]
fn a_delete_that_is_held_names_what_ends_it() {
    paused(async {
        let delete = ("kill", "delete", json!({"object": NAMED, "goneWithin": "4s"}));
        let bench = Bench::new(world(&["east"]), plan(&["east"], &[delete], &policy()));
        bench.fake.objects("east", |o| o.put(WIDGET, json!({"metadata": {"finalizers": [HOLD, "foo bar"]}})));
        let how = How::default();
        let report = bench.go(Verb::Run, &how).await.unwrap();
        assert!(report.why.contains("held by example.com/hold"), "{}", report.why);
        let hints = format!("{:?}", how.ears.heard.lock().unwrap());
        let next = "breakglass remove-finalizers example.com/v1/widgets/team/one --finalizer example.com/hold --finalizer 'foo bar'";
        assert!(hints.contains(next), "{hints}");
    });
}

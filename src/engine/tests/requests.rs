//! What a delete costs, and what it does when it cannot save or cannot know.

use serde_json::{Value, json};

use super::support::*;
use crate::change::{Inverse, Method, Op};
use crate::error::Class;
use crate::world::fake::{Fault, Sent};

fn bench(kind: &'static str, with: Value) -> Bench {
    Bench::new(world(&["east"]), plan(&["east"], &[("one", kind, with)], &policy()))
}

/// Methods in the order they were sent.
fn methods(bench: &Bench) -> Vec<&'static str> {
    let method = |sent: &Sent| match sent {
        Sent::Get(..) => "GET",
        Sent::Op(_, Op::Kube(call)) if call.method == Method::Delete => "DELETE",
        _ => "another",
    };
    bench.fake.take_sent().iter().map(method).collect()
}

#[test]
fn a_delete_is_two_requests_when_it_saves_and_one_when_it_does_not() {
    paused(async {
        for (save, requests) in [(true, &["GET", "DELETE"][..]), (false, &["DELETE"][..])] {
            let bench = bench("delete", json!({"object": "ds/telemetry/agent", "save": save}));
            assert_eq!(bench.run().await.class, None);
            assert_eq!(methods(&bench), requests);
        }
    });
}

/// A 200 to a DELETE is no end: a finalizer keeps the object.
#[test]
fn what_holds_a_deleted_object_is_waited_for_and_then_named() {
    paused(async {
        for (lets_go, fault) in
            [(None, None), (Some(3), None), (None, Some(Fault::LoseMade)), (Some(3), Some(Fault::LoseMade))]
        {
            let bench = bench("delete", json!({"object": "ds/telemetry/agent", "goneWithin": "20s"}));
            bench.fake.objects("east", |o| o.edit(DS, |ds| ds["metadata"]["finalizers"] = json!(["example.com/hold"])));
            if let Some(fault) = fault {
                bench.fake.fault(1, fault);
            }
            if let Some(looks) = lets_go {
                let held = json!({"metadata": {"uid": "uid-1", "finalizers": ["example.com/hold"]}});
                bench.fake.answer(DS, 200, &held.to_string(), std::time::Duration::ZERO);
                let mut going = held;
                going["metadata"]["deletionTimestamp"] = json!("2025-01-01T00:00:00Z");
                (0..looks).for_each(|_| bench.fake.answer(DS, 200, &going.to_string(), std::time::Duration::ZERO));
                let gone = json!({"kind": "Status", "code": 404, "details": {"name": "agent"}});
                bench.fake.answer(DS, 404, &gone.to_string(), std::time::Duration::ZERO);
            }
            let how = How::default();
            let report = bench.go(Verb::Run, &how).await.unwrap();
            assert_eq!(bench.fake.ops(), 1, "it is sent once, and nothing is forced");
            if lets_go.is_some() {
                assert_eq!(report.class, None, "{}", report.why);
                continue;
            }
            assert_eq!((report.class, report.tally.done), (Some(Class::Partial), 1), "{}", report.why);
            assert!(report.why.contains("is not gone after 20 s: it is being deleted"), "{}", report.why);
            assert!(report.why.contains("held by example.com/hold"), "{}", report.why);
            let hints = format!("{:?}", how.ears.heard.lock().unwrap());
            assert!(hints.contains("start whoever serves example.com/hold"), "{hints}");
        }
    });
}

/// Somebody else has deleted it, and it is not gone.
#[test]
fn an_object_that_somebody_else_deletes_is_not_done_either() {
    paused(async {
        let bench = bench("delete", json!({"object": "ds/telemetry/agent"}));
        bench.fake.objects("east", |o| {
            o.edit(DS, |ds| {
                ds["metadata"]["finalizers"] = json!(["example.com/hold"]);
                ds["metadata"]["deletionTimestamp"] = json!("2025-01-01T00:00:00Z");
            });
        });
        let report = bench.run().await;
        assert!(report.class.is_some() && report.why.contains("held by example.com/hold"), "{}", report.why);
        assert_eq!(bench.fake.ops(), 0);
    });
}

#[test]
fn a_lost_delete_by_name_only_is_repeated_with_the_uid_that_the_look_saw() {
    paused(async {
        let bench = bench("delete", json!({"object": "ds/telemetry/agent", "save": false}));
        bench.fake.objects("east", |objects| objects.date = Some("2025-01-02T00:00:00Z".parse().unwrap()));
        bench.fake.fault(1, Fault::LoseNotMade);
        assert_eq!(bench.run().await.class, None);
        let sent = bench.fake.take_sent();
        let uid = match &sent[2] {
            Sent::Op(_, op) => serde_json::to_value(op).unwrap().pointer("/kube/body/json/preconditions/uid").cloned(),
            other => panic!("{other:?}"),
        };
        assert_eq!((sent.len(), uid), (3, Some(json!("uid-1"))));
    });
}

#[test]
fn what_was_made_anew_after_a_lost_delete_is_left_alone() {
    paused(async {
        let bench = bench("delete", json!({"object": "ds/telemetry/agent"}));
        bench.fake.fault(1, Fault::LoseNotMade);
        bench.fake.meddle(1, "east", |objects| {
            objects.remove(DS);
            objects.put(DS, json!({"metadata": {}, "spec": {"anew": true}}));
        });
        let report = bench.run().await;
        assert_eq!(report.class, None, "{}", report.why);
        assert_eq!(methods(&bench), ["GET", "DELETE", "GET"]);
        bench.fake.objects("east", |objects| assert_eq!(objects.at(DS).unwrap()["spec"]["anew"], true));
    });
}

#[test]
fn an_object_that_cannot_be_saved_is_deleted_only_when_that_was_accepted() {
    paused(async {
        for (choice, says, class, gone) in [
            ("stop", Some(true), Some(Class::NoRoute), false),
            ("ask", Some(false), Some(Class::Declined), false),
            // Nobody said no: what could not be read names the end.
            ("ask", None, Some(Class::NoRoute), false),
            ("ask", Some(true), None, true),
            ("delete", Some(false), None, true),
        ] {
            let bench = bench("delete", json!({"object": "ds/telemetry/agent", "whenUnsaved": choice}));
            bench.fake.deny_reads(1);
            let report = bench.go(Verb::Run, &How { says, ..How::default() }).await.unwrap();
            assert_eq!(report.class, class, "{choice} {says:?}: {}", report.why);
            bench.fake.objects("east", |objects| assert_eq!(objects.at(DS).is_none(), gone, "{choice} {says:?}"));
        }
    });
}

/// Where no way leads, a DELETE would not get through either: that is what is said, and nobody is asked anything.
#[test]
fn an_object_that_nobody_can_reach_is_no_question() {
    paused(async {
        let bench = bench("delete", json!({"object": "ds/telemetry/agent"}));
        let target = bench.plan.steps[0].targets_on("east").next().unwrap().clone();
        bench.fake.dies_after(target, 0);
        let report = bench.go(Verb::Run, &How { says: Some(true), ..How::default() }).await.unwrap();
        assert_eq!((report.class, bench.fake.ops()), (Some(Class::NoRoute), 0), "{}", report.why);
        assert!(report.why.contains("no way led there"), "{}", report.why);
    });
}

#[test]
fn what_cannot_be_looked_at_is_asked_about_and_never_guessed() {
    paused(async {
        let with = json!({"run": "set gate closed", "undo": {"run": "unset gate"}, "local": true});
        for (says, class) in [(Some(true), None), (Some(false), Some(Class::Declined)), (None, Some(Class::Partial))] {
            let mut bench = bench("exec", with.clone());
            bench.fake.fault(1, Fault::LoseMade);
            let report = bench.go(Verb::Run, &How { says, ..How::default() }).await.unwrap();
            let (unknown, ops) = if class.is_none() { (0, 2) } else { (1, 1) };
            assert_eq!((report.class, report.tally.unknown), (class, unknown), "{}", report.why);
            assert_eq!(bench.fake.ops(), ops);
            if says == Some(false) {
                assert!(report.why.contains("not known whether change 1"), "{}", report.why);
            }
            // Silence is no answer: who goes on is asked.
            if says.is_none() {
                bench.plan = plan(&["east"], &[("one", "exec", with.clone())], &policy());
                assert_eq!(bench.resume().await.class, None);
                assert_eq!(bench.fake.ops(), 2);
            }
        }
    });
}

/// Who was not there said no to nothing, and the words that the end names do answer.
#[test]
fn a_word_that_nobody_typed_is_asked_for_again() {
    paused(async {
        let claim = "/api/v1/namespaces/telemetry/persistentvolumeclaims/data";
        let with = json!({"object": "pvc/telemetry/data"});
        let mut bench = bench("delete", with.clone());
        bench.fake.objects("east", |objects| objects.put(claim, json!({"metadata": {}})));
        let report = bench.go(Verb::Run, &How { says: None, ..How::default() }).await.unwrap();
        assert_eq!((report.class, bench.fake.ops()), (Some(Class::Declined), 0), "{}", report.why);
        assert!(report.why.contains(&format!("`breakglass resume {RUN} --yes --consent 'data'`")), "{}", report.why);
        bench.plan = plan(&["east"], &[("one", "delete", with)], &policy());
        assert_eq!(bench.resume().await.class, None);
        bench.fake.objects("east", |objects| assert!(objects.at(claim).is_none()));
    });
}

/// What undo would only seem to bring back: an empty volume, a claim that is bound to nothing, an empty namespace.
#[test]
fn what_takes_data_with_it_is_asked_about_by_name_and_never_called_undoable() {
    let sts = |policy: &str| json!({"metadata": {}, "spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": policy}}});
    let cases = [
        ("pvc/telemetry/data", "/api/v1/namespaces/telemetry/persistentvolumeclaims/data", json!({"metadata": {}})),
        ("pv/disk", "/api/v1/persistentvolumes/disk", json!({"metadata": {}})),
        ("ns/telemetry", "/api/v1/namespaces/telemetry", json!({"metadata": {}})),
        ("sts/telemetry/store", "/apis/apps/v1/namespaces/telemetry/statefulsets/store", sts("Delete")),
    ];
    paused(async {
        let run = async |object: &str, path: &str, seen: &Value, says, more: Value| {
            let mut with = json!({"object": object});
            with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let bench = bench("delete", with);
            bench.fake.objects("east", |objects| objects.put(path, seen.clone()));
            let report = bench.go(Verb::Run, &How { says, ..How::default() }).await.unwrap();
            let mut gone = false;
            bench.fake.objects("east", |objects| gone = objects.at(path).is_none());
            let undoable =
                bench.journal().run.changes.values().all(|record| matches!(record.change.inverse, Inverse::By(_)));
            (report.class, gone, undoable, bench.asked.lock().unwrap().clone())
        };
        for (object, path, seen) in &cases {
            let (class, gone, _, asked) = run(object, path, seen, Some(false), json!({})).await;
            assert_eq!((class, gone), (Some(Class::Declined), false), "{object}");
            let name = path.rsplit('/').next().map(str::to_owned);
            assert!(asked.iter().all(|q| !q.unattended && q.typed == name) && asked.len() == 1, "{asked:?}");
            let (class, gone, undoable, _) = run(object, path, seen, Some(true), json!({})).await;
            assert_eq!((class, gone, undoable), (None, true, false), "{object}");
            let accepted = json!({"acceptDataLoss": true});
            let (class, gone, undoable, asked) = run(object, path, seen, None, accepted).await;
            assert_eq!((class, gone, undoable, asked.len()), (None, true, false, 0), "{object}");
        }
        let (object, path, _) = &cases[3];
        for (policy, more) in [("Retain", json!({})), ("Delete", json!({"propagation": "orphan"}))] {
            let (class, gone, undoable, asked) = run(object, path, &sts(policy), None, more).await;
            assert_eq!((class, gone, undoable, asked.len()), (None, true, true, 0), "{policy}");
        }
    });
}

/// Whoever says no says it again: that is no reason to knock four times at a server that drowns.
#[test]
fn a_403_is_asked_for_once() {
    paused(async {
        let again = crate::runbook::Policy { retries: 3, ..policy() };
        let specs = [("one", "delete", json!({"object": "ds/telemetry/agent", "whenUnsaved": "stop"}))];
        for (code, body, looks) in [(403, "not you", 1), (401, "who are you", 1), (500, "broken", 4)] {
            let bench = Bench::new(world(&["east"]), plan(&["east"], &specs, &again));
            bench.fake.answer(DS, code, body, std::time::Duration::ZERO);
            let how = How::default();
            let report = bench.go(Verb::Run, &how).await.unwrap();
            assert_eq!((report.class, methods(&bench).len()), (Some(Class::Refused), looks), "{code}: {}", report.why);
            let next = format!("{:?}", how.ears.heard.lock().unwrap().last());
            assert!(!next.contains("breakglass resume"), "{code}: {next}");
        }
    });
}

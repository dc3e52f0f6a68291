//! What a delete costs, and what it does when it cannot save or cannot know.

use serde_json::{Value, json};

use super::support::*;
use crate::change::{Method, Op};
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

#[test]
fn a_lost_delete_by_name_only_is_repeated_with_the_uid_that_the_look_saw() {
    paused(async {
        let bench = bench("delete", json!({"object": "ds/telemetry/agent", "save": false}));
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
            ("ask", None, Some(Class::Declined), false),
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

#[test]
fn what_cannot_be_looked_at_is_asked_about_and_never_guessed() {
    paused(async {
        let with = json!({"run": "set gate closed", "undo": {"run": "unset gate"}, "local": true});
        for (says, class, unknown) in [(true, None, 0), (false, Some(Class::Declined), 1)] {
            let bench = bench("exec", with.clone());
            bench.fake.fault(1, Fault::LoseMade);
            let report = bench.go(Verb::Run, &How { says: Some(says), ..How::default() }).await.unwrap();
            assert_eq!((report.class, report.tally.unknown), (class, unknown), "{}", report.why);
            assert_eq!(bench.fake.ops(), if says { 2 } else { 1 });
            if !says {
                assert!(report.why.contains("not known whether change 1"), "{}", report.why);
            }
        }
    });
}

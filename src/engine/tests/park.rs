//! Parking what would lose something by it, or what goes on all the same.

use serde_json::{Value, json};

use super::announced::all_announced;
use super::support::*;
use crate::error::Class;

const STORE: &str = "/apis/apps/v1/namespaces/telemetry/statefulsets/store";
const POLICY: &str = "/spec/persistentVolumeClaimRetentionPolicy/whenScaled";

fn bench(object: &'static str, path: &str, seen: Value) -> Bench {
    let bench = Bench::new(world(&["east"]), plan(&["east"], &[("one", "park", json!({"object": object}))], &policy()));
    bench.fake.objects("east", |objects| objects.put(path, seen));
    bench
}

fn store(policy: &str, metadata: &Value) -> Value {
    json!({"metadata": metadata, "spec": {"replicas": 3,
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": policy}}})
}

fn at(bench: &Bench, path: &str, field: &str) -> Value {
    bench.fake.objects("east", |objects| objects.at(path).unwrap().pointer(field).cloned().unwrap_or_default())
}

#[test]
fn a_stateful_set_that_deletes_what_is_scaled_away_keeps_its_claims_while_it_is_parked() {
    paused(async {
        for metadata in [json!({}), json!({"annotations": {"a": "b"}})] {
            let bench = bench("sts/telemetry/store", STORE, store("Delete", &metadata));
            let before = bench.fake.snapshot();
            let report = bench.run().await;
            assert_eq!(report.class, None, "{}", report.why);
            assert_eq!((at(&bench, STORE, POLICY), at(&bench, STORE, "/spec/replicas")), (json!("Retain"), json!(0)));
            all_announced(&bench.plan, &bench.fake.take_sent());
            assert_eq!(bench.undo().await.class, None);
            assert_eq!(bench.fake.snapshot(), before);
        }
        // One that keeps them anyway is left as it is.
        let bench = bench("sts/telemetry/store", STORE, store("Retain", &json!({})));
        assert_eq!(bench.run().await.class, None);
        bench
            .fake
            .objects("east", |objects| objects.edit(STORE, |it| *it.pointer_mut(POLICY).unwrap() = json!("Delete")));
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(at(&bench, STORE, POLICY), "Delete", "somebody else's wish stands");
    });
}

/// The policy that was seen is the one that is changed, and undo changes only its own.
#[test]
fn a_retention_policy_that_somebody_else_changes_is_not_overwritten() {
    paused(async {
        let bench = bench("sts/telemetry/store", STORE, store("Delete", &json!({})));
        let change = |to: &'static str| {
            move |objects: &mut crate::world::fake::Objects| {
                objects.edit(STORE, |it| *it.pointer_mut(POLICY).unwrap() = json!(to));
            }
        };
        bench.fake.meddle(1, "east", change("Retain"));
        let report = bench.run().await;
        assert_eq!(report.class, None, "it was looked at again: {}", report.why);
        assert_eq!((at(&bench, STORE, POLICY), at(&bench, STORE, "/spec/replicas")), (json!("Retain"), json!(0)));
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(at(&bench, STORE, POLICY), "Retain");

        let bench = self::bench("sts/telemetry/store", STORE, store("Delete", &json!({})));
        bench.run().await;
        bench.fake.meddle(2, "east", change("Delete"));
        let report = bench.undo().await;
        assert_eq!(report.class, Some(Class::Stuck), "{}", report.why);
        assert_eq!(at(&bench, STORE, "/spec/replicas"), 0);
    });
}

#[test]
fn jobs_that_a_cron_job_has_started_are_named() {
    paused(async {
        let active: Vec<Value> = (1..=4).map(|n| json!({"kind": "Job", "name": format!("sweep-{n}")})).collect();
        for suspended in [false, true] {
            let seen = json!({"metadata": {}, "spec": {"suspend": suspended}, "status": {"active": active}});
            let bench = bench("cj/telemetry/sweep", CRON, seen);
            let how = How::default();
            assert_eq!(bench.go(Verb::Run, &how).await.unwrap().class, None);
            let heard = format!("{:?}", how.ears.heard.lock().unwrap());
            for word in ["4 Jobs that it has started go on", "sweep-[1-4]", "breakglass park job/telemetry/sweep-1"] {
                assert!(heard.contains(word), "{word}: {heard}");
            }
        }
    });
}

/// What is sent would be decided by an object that nobody asked for.
#[test]
fn an_answer_about_another_object_is_none() {
    paused(async {
        let bench = bench("sts/telemetry/store", STORE, store("Retain", &json!({})));
        bench.fake.objects("east", |objects| objects.edit(STORE, |it| it["metadata"]["name"] = json!("other")));
        let report = bench.run().await;
        assert!(report.class.is_some() && report.why.contains("another object"), "{}", report.why);
        assert!(!bench.fake.take_sent().iter().any(|sent| matches!(sent, crate::world::fake::Sent::Op(..))));
    });
}

//! Parking what would lose something by it, or what goes on all the same.

use serde_json::{Value, json};

use super::announced::{all_announced, as_often_as_announced};
use super::support::*;
use crate::error::Class;
use crate::world::fake::{Objects, Sent};

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

const EDGE: &str = "/apis/apps/v1/namespaces/edge";
const BATCH: &str = "/apis/batch/v1/namespaces/edge";

/// A namespace with two of what makes pods of each kind: one at work, and one that is to be left alone.
fn edge(objects: &mut Objects) {
    let replicas = |count: u64| json!({"metadata": {}, "spec": {"replicas": count}});
    let suspended = |is: bool| json!({"metadata": {"annotations": {"a": "b"}}, "spec": {"suspend": is}});
    objects.put(&format!("{BATCH}/cronjobs/night"), json!({"metadata": {}, "spec": {}}));
    objects.put(&format!("{BATCH}/cronjobs/off"), suspended(true));
    objects.put(&format!("{EDGE}/deployments/front"), replicas(3));
    objects.put(&format!("{EDGE}/deployments/idle"), replicas(0));
    objects.put(&format!("{EDGE}/replicasets/bare"), replicas(2));
    let mut owned = replicas(3);
    owned["metadata"]["labels"] = json!({"pod-template-hash": "5d4f"});
    objects.put(&format!("{EDGE}/replicasets/front-5d4f"), owned);
    objects.put("/api/v1/namespaces/edge/replicationcontrollers/old", replicas(1));
    objects.put(&format!("{EDGE}/statefulsets/store"), store("Delete", &json!({})));
    objects.put(&format!("{BATCH}/jobs/sweep"), suspended(false));
    let mut over = suspended(false);
    over["status"] = json!({"conditions": [{"type": "Complete", "status": "True"}]});
    objects.put(&format!("{BATCH}/jobs/swept"), over);
    objects.put(&format!("{EDGE}/daemonsets/agent"), json!({"metadata": {}, "spec": {"template": {"spec": {}}}}));
    objects.put("/apis/apps/v1/namespaces/other/deployments/front", replicas(3));
}

fn of_edge(with: Value, change: impl FnOnce(&mut Objects)) -> Bench {
    let bench = Bench::new(world(&["east"]), plan(&["east"], &[("all", "park", with)], &policy()));
    bench.fake.objects("east", |objects| {
        edge(objects);
        change(objects);
    });
    bench
}

async fn told(bench: &Bench) -> (crate::engine::Report, String) {
    let how = How::default();
    let report = bench.go(Verb::Run, &how).await.unwrap();
    let heard = format!("{:?}", how.ears.heard.lock().unwrap());
    (report, heard)
}

fn written(bench: &Bench) -> Vec<String> {
    let sent = bench.fake.take_sent();
    all_announced(&bench.plan, &sent);
    as_often_as_announced(&bench.plan, &sent);
    sent.iter().filter(|sent| matches!(sent, Sent::Op(..))).map(|sent| format!("{sent:?}")).collect()
}

#[test]
fn all_of_a_namespace_is_parked_what_makes_others_first_and_undo_is_exact() {
    paused(async {
        let bench = of_edge(json!({"object": "ns/edge"}), |_| ());
        let before = bench.fake.snapshot();
        let (report, heard) = told(&bench).await;
        assert_eq!(report.class, None, "{}", report.why);
        let sent = bench.fake.take_sent();
        all_announced(&bench.plan, &sent);
        as_often_as_announced(&bench.plan, &sent);
        assert_eq!(sent.len(), 7 + 7, "seven lists, and a patch for each: {sent:?}");
        let kinds: Vec<String> = sent[7..].iter().map(|sent| format!("{sent:?}")).collect();
        let order = [
            "cronjobs/night",
            "deployments/front",
            "replicasets/bare",
            "controllers/old",
            "statefulsets/store",
            "jobs/sweep",
            "daemonsets/agent",
        ];
        for (kind, sent) in order.iter().zip(&kinds) {
            assert!(sent.contains(kind), "{kind}: {sent}");
        }
        for (path, field, value) in [
            ("statefulsets/store", "/spec/replicas", json!(0)),
            ("statefulsets/store", POLICY, json!("Retain")),
            ("deployments/front", "/spec/replicas", json!(0)),
            ("replicasets/bare", "/spec/replicas", json!(0)),
            ("replicasets/front-5d4f", "/spec/replicas", json!(3)),
        ] {
            assert_eq!(at(&bench, &format!("{EDGE}/{path}"), field), value, "{path}");
        }
        assert_eq!(at(&bench, &format!("{BATCH}/jobs/sweep"), "/spec/suspend"), true);
        assert_eq!(at(&bench, &format!("{BATCH}/jobs/swept"), "/spec/suspend"), false, "it is over");
        assert_eq!(at(&bench, "/apis/apps/v1/namespaces/other/deployments/front", "/spec/replicas"), 3);
        for word in [
            "7 workloads of namespace edge to park: cronjobs.batch/edge/night, deployments.apps/edge/front",
            "at rest already: cronjobs.batch/edge/off, deployments.apps/edge/idle",
            "set to retain them, until undo",
        ] {
            assert!(heard.contains(word), "{word}: {heard}");
        }
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(bench.fake.snapshot().to_string(), before.to_string(), "to the byte");
    });
}

#[test]
fn one_of_a_namespace_that_somebody_changes_meanwhile_is_looked_at_again_and_comes_back_as_it_was_then() {
    paused(async {
        let bench = of_edge(json!({"object": "ns/edge"}), |_| ());
        let front = format!("{EDGE}/deployments/front");
        let scaled = front.clone();
        bench.fake.meddle(2, "east", move |it| it.edit(&scaled, |it| it["spec"]["replicas"] = json!(5)));
        let (report, _) = told(&bench).await;
        assert_eq!(report.class, None, "{}", report.why);
        assert_eq!(at(&bench, &front, "/spec/replicas"), 0);
        written(&bench);
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(at(&bench, &front, "/spec/replicas"), 5);
    });
}

#[test]
fn what_the_cluster_needs_is_not_parked_with_its_namespace_unless_its_name_is_typed() {
    let with = json!({"object": "ns/kube-system"});
    let faults = crate::steps::kind("park").unwrap().build(with).err().unwrap();
    assert!(format!("{faults:?}").contains("kube-system is not parked as a whole"), "{faults:?}");
    let single = json!({"object": "ds/edge/agent", "acceptCritical": true});
    assert!(crate::steps::kind("park").unwrap().build(single).is_err());
    paused(async {
        let critical = |it: &mut Objects| {
            it.edit(&format!("{EDGE}/daemonsets/agent"), |it| {
                it["spec"]["template"]["spec"]["priorityClassName"] = json!("system-node-critical");
            });
        };
        for says in [true, false] {
            let bench = of_edge(json!({"object": "ns/edge"}), critical);
            let report = bench.go(Verb::Run, &How { says: Some(says), ..How::default() }).await.unwrap();
            assert_eq!(report.class.is_none(), says, "{}", report.why);
            let asked = bench.asked.lock().unwrap().pop().unwrap();
            assert_eq!(asked.typed.as_deref(), Some("edge"));
            assert!(
                asked.text.contains("daemonsets.apps/edge/agent: its pods are system-node-critical"),
                "{}",
                asked.text
            );
            assert_eq!(written(&bench).len(), if says { 7 } else { 0 });
        }
        let bench = of_edge(json!({"object": "ns/edge", "acceptCritical": true}), critical);
        assert_eq!(bench.run().await.class, None);
        assert!(bench.asked.lock().unwrap().is_empty());
    });
}

#[test]
fn a_namespace_with_too_much_or_with_nothing_is_said_and_nothing_is_touched() {
    paused(async {
        let many = |count: usize| {
            move |objects: &mut Objects| {
                for number in 0..count {
                    let path = format!("{EDGE}/deployments/more-{number:03}");
                    objects.put(&path, json!({"metadata": {}, "spec": {"replicas": 1}}));
                }
            }
        };
        // One more is over, over more than one page.
        let bench = of_edge(json!({"object": "ns/edge"}), many(193));
        assert_eq!(bench.run().await.class, None);
        assert_eq!(written(&bench).len(), 200);
        for (count, word) in [(194, "has 201 workloads to park, more than 200"), (600, "has more than 500 deployments")]
        {
            let bench = of_edge(json!({"object": "ns/edge"}), many(count));
            let (report, heard) = told(&bench).await;
            assert!(report.class.is_some() && format!("{} {heard}", report.why).contains(word), "{}", report.why);
            assert!(written(&bench).is_empty());
        }
        let bench = of_edge(json!({"object": "ns/nowhere"}), |_| ());
        let (report, heard) = told(&bench).await;
        assert!(report.class.is_none() && heard.contains("namespace nowhere has nothing to park"), "{heard}");
        assert!(written(&bench).is_empty());
    });
}

/// Whoever sets the replicas by the scale of a workload stands in it.
#[test]
fn an_autoscaler_that_has_set_the_replicas_is_told_and_a_person_is_not() {
    paused(async {
        for (manager, is) in [("kube-controller-manager", true), ("keda", true), ("kubectl", false)] {
            let seen = json!({"spec": {"replicas": 3}, "metadata": {"managedFields": [
                {"manager": manager, "subresource": "status", "fieldsV1": {"f:status": {}}},
                {"manager": manager, "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            ]}});
            let bench = bench("deploy/telemetry/front", "/apis/apps/v1/namespaces/telemetry/deployments/front", seen);
            let (report, heard) = told(&bench).await;
            assert_eq!(report.class, None);
            assert_eq!(heard.contains("leaves what is at 0 alone"), is, "{manager}: {heard}");
        }
    });
}

#[test]
fn one_of_a_namespace_that_somebody_has_set_going_since_is_left_so_and_the_others_come_back() {
    paused(async {
        let bench = of_edge(json!({"object": "ns/edge"}), |_| ());
        assert_eq!(bench.run().await.class, None);
        let bare = format!("{EDGE}/replicasets/bare");
        bench.fake.objects("east", |it| it.edit(&bare, |it| it["spec"]["replicas"] = json!(4)));
        let report = bench.undo().await;
        assert_eq!(report.class, Some(Class::Stuck), "{}", report.why);
        assert!(report.why.contains("replicasets"), "{}", report.why);
        assert_eq!(at(&bench, &bare, "/spec/replicas"), 4);
        assert_eq!(at(&bench, &format!("{EDGE}/deployments/front"), "/spec/replicas"), 3);
        assert_eq!(at(&bench, &format!("{EDGE}/statefulsets/store"), "/spec/replicas"), 3);
    });
}

//! Whose pods are ended, how, and what is said of those that stay.

use serde_json::{Value, json};

use super::support::*;
use crate::change::{Body, KubeCall, Method, Op};
use crate::error::Class;
use crate::journal::Entry;
use crate::world::fake::{Fault, Objects, Sent};

const STS: &str = "/apis/apps/v1/namespaces/telemetry/statefulsets/store";
const COLLECTOR: &str = "ds/telemetry/collector";

fn bench(with: Value) -> Bench {
    Bench::new(world(&["east"]), plan(&["east"], &[("end", "end-pods", with)], &policy()))
}

fn with(workload: &str, more: Value) -> Value {
    let mut with = more;
    with["workload"] = workload.into();
    with
}

/// The DELETEs that were sent: path and body.
fn deletes(bench: &Bench) -> Vec<(String, Value)> {
    let delete = |sent: Sent| match sent {
        Sent::Op(_, Op::Kube(KubeCall { method: Method::Delete, path, body: Body::Json(body), .. })) => {
            Some((path, body))
        }
        _ => None,
    };
    bench.fake.take_sent().into_iter().filter_map(delete).collect()
}

fn said(bench: &Bench) -> String {
    let saw = |entry: &Entry| match entry {
        Entry::Saw { what, .. } => Some(what.to_string()),
        _ => None,
    };
    bench.lines().iter().filter_map(|line| saw(&line.entry)).collect::<Vec<_>>().join("\n")
}

/// How many pods of that name are there, and how many of them are ending.
fn pods(bench: &Bench, name: &str) -> (usize, usize) {
    bench.fake.objects("east", |objects| {
        let all = (1..=6000).filter_map(|n| objects.at(&pod_path(name, n)));
        let ending: Vec<bool> = all.map(|pod| pod["metadata"].get("deletionTimestamp").is_some()).collect();
        (ending.len(), ending.iter().filter(|ending| **ending).count())
    })
}

fn each(objects: &mut Objects, name: &str, edit: impl Fn(&mut Value)) {
    for path in (1..=6000).map(|n| pod_path(name, n)) {
        if objects.at(&path).is_some() {
            objects.edit(&path, &edit);
        }
    }
}

#[test]
fn pods_are_ended_with_the_grace_that_was_asked_for_and_not_waited_for() {
    paused(async {
        for (more, seconds) in [(json!({}), Value::Null), (json!({"grace": 5}), json!(5))] {
            let bench = bench(with(COLLECTOR, more));
            let report = bench.run().await;
            assert_eq!(report.class, None, "{}", report.why);
            let [(path, body)] = &deletes(&bench)[..] else { panic!("one DELETE") };
            assert!(
                path.starts_with(
                    "/api/v1/namespaces/telemetry/pods?labelSelector=app%3Dcollector&limit=500&resourceVersion="
                ),
                "{path}"
            );
            assert_eq!(
                (body["gracePeriodSeconds"].clone(), &body["propagationPolicy"]),
                (seconds, &json!("Background"))
            );
            assert_eq!((pods(&bench, "collector"), pods(&bench, "agent")), ((3, 3), (1, 0)));
            assert!(said(&bench).contains("is not parked"), "{}", said(&bench));
            assert!(said(&bench).contains("3 pods with app=collector are ending"), "{}", said(&bench));
        }
    });
}

#[test]
fn by_force_none_is_left_and_what_that_means_is_said() {
    paused(async {
        let bench = bench(with(COLLECTOR, json!({"force": true})));
        // They were on their way already, but behind a gate nobody hears of that.
        bench.fake.objects("east", |o| {
            each(o, "collector", |pod| {
                pod["metadata"]["deletionTimestamp"] = json!("2025-01-01T00:00:00Z");
                pod["metadata"]["deletionGracePeriodSeconds"] = json!(30);
            });
        });
        let report = bench.go(Verb::Run, &How { says: None, ..How::default() }).await.unwrap();
        assert_eq!(report.class, None, "nobody is asked: {}", report.why);
        assert_eq!(deletes(&bench)[0].1["gracePeriodSeconds"], 0);
        assert_eq!((pods(&bench, "collector"), pods(&bench, "agent")), ((0, 0), (1, 0)));
        assert!(said(&bench).contains("their containers run on until their kubelets hear of it"), "{}", said(&bench));
    });
}

fn dangerous(objects: &mut Objects, kind: &str) -> (&'static str, &'static str) {
    match kind {
        "StatefulSet" => {
            objects.put(STS, json!({"metadata": {}, "spec": {"selector": {"matchLabels": {"app": "store"}}}}));
            objects.run(STS, (1..=2).map(|n| (pod_path("store", n), pod_of("StatefulSet", "store"))));
            ("sts/telemetry/store", "store")
        }
        _ => {
            objects.edit(DS_PARKED, |ds| {
                ds["spec"]["template"]["spec"]["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {}}]);
            });
            (COLLECTOR, "collector")
        }
    }
}

#[test]
fn what_must_not_run_twice_is_ended_by_force_only_when_its_name_is_typed() {
    paused(async {
        for kind in ["StatefulSet", "claim"] {
            let world = world(&["east"]);
            let (workload, name) = world.objects("east", |o| dangerous(o, kind));
            let specs = [("end", "end-pods", with(workload, json!({"force": true})))];
            let bench = Bench::new(world, plan(&["east"], &specs, &policy()));
            let report = bench.go(Verb::Run, &How { says: None, ..How::default() }).await.unwrap();
            assert_eq!((report.class, deletes(&bench).len()), (Some(Class::Declined), 0), "{}", report.why);
            let typed = |question: &crate::steps::Question| (question.typed.clone(), question.unattended);
            assert_eq!(typed(&bench.asked.lock().unwrap()[0]), (Some(name.to_owned()), false), "{kind}");
            // The answer of `--yes`.
            let report = bench.go(Verb::Resume, &How { says: Some(false), ..How::default() }).await.unwrap();
            assert_eq!(report.class, None, "{}", report.why);
            assert!(deletes(&bench)[0].1.get("gracePeriodSeconds").is_none());
            assert!(said(&bench).contains("with their own grace, not by force"), "{}", said(&bench));
            let (there, ending) = pods(&bench, name);
            assert!(there == ending && there > 0, "{kind}");
        }
        for kind in ["StatefulSet", "claim"] {
            let world = world(&["east"]);
            let (workload, name) = world.objects("east", |o| dangerous(o, kind));
            let specs = [("end", "end-pods", with(workload, json!({"force": true})))];
            let bench = Bench::new(world, plan(&["east"], &specs, &policy()));
            assert_eq!(bench.run().await.class, None);
            assert_eq!(pods(&bench, name), (0, 0), "{kind}");
        }
    });
}

#[test]
fn a_selector_that_fits_pods_of_others_is_refused_with_both_named() {
    paused(async {
        for (stranger, named) in [
            (json!({"metadata": {"labels": {"app": "collector"}}}), "pod web-1, which no controller owns"),
            (
                {
                    let mut pod = pod_of("StatefulSet", "web");
                    pod["metadata"]["labels"]["app"] = json!("collector");
                    pod
                },
                "pod web-1, which belongs to StatefulSet web",
            ),
        ] {
            let bench = bench(with(COLLECTOR, json!({"force": true})));
            bench.fake.objects("east", |o| o.put(&pod_path("web", 1), stranger));
            let report = bench.run().await;
            assert_eq!((report.class, bench.fake.ops()), (Some(Class::Refused), 0), "{}", report.why);
            assert!(report.why.contains(named), "{}", report.why);
            assert!(report.why.contains("app=collector of daemonsets.apps/telemetry/collector"), "{}", report.why);
            assert_eq!((pods(&bench, "web"), pods(&bench, "collector")), ((1, 0), (3, 0)));
        }
    });
}

#[test]
fn an_empty_selector_is_refused() {
    paused(async {
        let bench = bench(with(COLLECTOR, json!({})));
        bench.fake.objects("east", |o| o.edit(DS_PARKED, |ds| ds["spec"]["selector"] = json!({})));
        let report = bench.run().await;
        assert_eq!((report.class, bench.fake.ops()), (Some(Class::Refused), 0));
        assert!(report.why.contains("would fit every pod of the namespace"), "{}", report.why);
    });
}

/// Another pod of the same labels comes between the look and the write.
#[test]
fn what_came_after_the_look_is_not_hit() {
    paused(async {
        let bench = bench(with(COLLECTOR, json!({"force": true})));
        let mut stranger = pod_of("StatefulSet", "web");
        stranger["metadata"]["labels"]["app"] = json!("collector");
        bench.fake.meddle(1, "east", |o| o.put(&pod_path("web", 1), stranger));
        let report = bench.run().await;
        assert_eq!((report.class, bench.fake.ops()), (Some(Class::Partial), 1), "{}", report.why);
        assert!(report.why.contains("StatefulSet web"), "{}", report.why);
        assert_eq!((pods(&bench, "web"), pods(&bench, "collector")), ((1, 0), (0, 0)));
    });
}

#[test]
fn new_pods_of_its_controller_are_said_and_not_chased() {
    paused(async {
        for (more, left) in [(json!({"force": true}), (1, 0)), (json!({}), (4, 3))] {
            let bench = bench(with(COLLECTOR, more));
            let uid = bench.fake.objects("east", |o| o.at(DS_PARKED).unwrap()["metadata"]["uid"].clone());
            bench.fake.meddle(1, "east", move |o| {
                let mut pod = pod_of("DaemonSet", "collector");
                pod["metadata"]["ownerReferences"][0]["uid"] = uid;
                o.put(&pod_path("collector", 9), pod);
            });
            let report = bench.run().await;
            assert_eq!((report.class, bench.fake.ops()), (None, 1), "{}", report.why);
            assert_eq!(pods(&bench, "collector"), left);
            let new = "1 pod of daemonsets.apps/telemetry/collector came since and were not ended: park it first";
            assert!(said(&bench).contains(new), "{}", said(&bench));
        }
    });
}

fn crowd(objects: &mut Objects, pods: usize) {
    objects.run(DS_PARKED, (1..=pods).map(|n| (pod_path("collector", n), pod_of("DaemonSet", "collector"))));
}

#[test]
fn five_thousand_pods_are_ended_in_ten_requests() {
    paused(async {
        let bench = bench(with(COLLECTOR, json!({"force": true})));
        bench.fake.objects("east", |o| crowd(o, 5000));
        let report = bench.run().await;
        assert_eq!((report.class, bench.fake.ops()), (None, 10), "{}", report.why);
        assert_eq!((pods(&bench, "collector"), pods(&bench, "agent")), ((0, 0), (1, 0)));
        assert!(deletes(&bench).iter().all(|(path, _)| path.contains("&limit=500&")));
    });
}

#[test]
fn pages_are_ended_one_by_one_whatever_is_lost_on_the_way() {
    paused(async {
        for force in [true, false] {
            for fault in [None, Some(Fault::LoseMade), Some(Fault::LoseNotMade), Some(Fault::Late)] {
                let bench = bench(with(COLLECTOR, json!({"force": force, "page": 10})));
                bench.fake.objects("east", |o| crowd(o, 100));
                if let Some(fault) = fault {
                    bench.fake.fault(4, fault);
                }
                let report = bench.run().await;
                assert_eq!((report.class, report.tally.unknown), (None, 0), "{force} {fault:?}: {}", report.why);
                let again = usize::from(!matches!(fault, None | Some(Fault::LoseMade)));
                assert_eq!(bench.fake.ops(), 10 + again, "{force} {fault:?}");
                assert_eq!(pods(&bench, "collector"), if force { (0, 0) } else { (100, 100) }, "{force} {fault:?}");
            }
        }
    });
}

#[test]
fn pods_that_do_not_end_are_not_tried_for_ever() {
    paused(async {
        let bench = bench(with(COLLECTOR, json!({"force": true})));
        for number in 1..=99 {
            bench.fake.fault(number, Fault::Refuse);
            // The revision moves on, and with it the request.
            bench.fake.meddle(number, "east", |o| o.edit(DEPLOY, |_| ()));
        }
        let report = bench.run().await;
        assert_eq!((report.class, bench.fake.ops()), (Some(Class::Refused), 3), "{}", report.why);
        assert_eq!(pods(&bench, "collector"), (3, 0));
    });
}

#[test]
fn what_a_finalizer_holds_is_waited_for_and_named() {
    paused(async {
        for released in [true, false] {
            let bench = bench(with(COLLECTOR, json!({"force": true})));
            let hold = |pod: &mut Value| pod["metadata"]["finalizers"] = json!(["example.com/hold"]);
            bench.fake.objects("east", |o| o.edit(&pod_path("collector", 2), hold));
            let began = tokio::time::Instant::now();
            let how = How::default();
            let report = if released {
                let run = bench.go(Verb::Run, &how);
                let release = async {
                    tokio::time::sleep(std::time::Duration::from_secs(12)).await;
                    bench.fake.objects("east", |o| drop(o.remove(&pod_path("collector", 2))));
                };
                tokio::join!(run, release).0.unwrap()
            } else {
                bench.run().await
            };
            assert_eq!((report.class, bench.fake.ops()), (None, 1), "{}", report.why);
            let took = began.elapsed().as_secs();
            let held = "collector-2 by example.com/hold";
            assert_eq!(said(&bench).contains(held), !released, "{}", said(&bench));
            assert!(if released { (10..20).contains(&took) } else { (30..40).contains(&took) }, "{took}");
        }
    });
}

#[test]
fn the_pods_of_a_workload_that_is_gone_are_found_by_its_name() {
    paused(async {
        for (more, gets) in [(json!({}), 3), (json!({"selector": "app in (collector),!x"}), 2)] {
            let bench = bench(with(COLLECTOR, more));
            bench.fake.objects("east", |o| {
                for (n, hash) in [(1, "a"), (2, "b")] {
                    o.edit(&pod_path("collector", n), |pod| pod["metadata"]["labels"]["hash"] = json!(hash));
                }
                o.remove(DS_PARKED);
            });
            let report = bench.run().await;
            assert_eq!(report.class, None, "{}", report.why);
            assert_eq!((pods(&bench, "collector"), pods(&bench, "agent")), ((3, 3), (1, 0)));
            let sent = bench.fake.take_sent();
            let before = sent.iter().position(|sent| matches!(sent, Sent::Op(..)));
            assert_eq!(before, Some(gets), "{sent:?}");
        }
        let bench = bench(with("ds/telemetry/never-was", json!({})));
        assert_eq!((bench.run().await.class, bench.fake.ops()), (None, 0));
        assert!(said(&bench).contains("is not there, and no pod of it is left"), "{}", said(&bench));
    });
}

#[test]
fn labels_that_others_have_too_do_not_end_the_pods_of_a_workload_that_is_gone() {
    paused(async {
        let bench = bench(with(COLLECTOR, json!({})));
        bench.fake.objects("east", |o| {
            o.remove(DS_PARKED);
            o.put(&pod_path("web", 1), json!({"metadata": {"labels": {"app": "collector"}}}));
        });
        let report = bench.run().await;
        assert_eq!((report.class, bench.fake.ops()), (Some(Class::Refused), 0), "{}", report.why);
        assert!(report.why.contains("pod web-1, which no controller owns"), "{}", report.why);
        bench.fake.objects("east", |o| {
            o.remove(&pod_path("web", 1));
            each(o, "collector", |pod| drop(pod["metadata"].as_object_mut().unwrap().remove("labels")));
        });
        let report = bench.resume().await;
        assert_eq!((report.class, bench.fake.ops()), (Some(Class::Refused), 0), "{}", report.why);
        assert!(report.why.contains("no label in common"), "{}", report.why);
    });
}

/// The template is gone with the workload, so one of its pods is read.
#[test]
fn the_volumes_of_a_workload_that_is_gone_are_seen_in_one_of_its_pods() {
    paused(async {
        for (volume, class) in [("hostPath", None), ("persistentVolumeClaim", Some(Class::Declined))] {
            let bench = bench(with(COLLECTOR, json!({"force": true})));
            bench.fake.objects("east", |o| {
                o.remove(DS_PARKED);
                each(o, "collector", |pod| pod["spec"]["volumes"] = json!([{"name": "data", volume: {}}]));
            });
            let report = bench.go(Verb::Run, &How { says: None, ..How::default() }).await.unwrap();
            assert_eq!(report.class, class, "{volume}: {}", report.why);
            let sent = bench.fake.take_sent();
            let one = |sent: &&Sent| matches!(sent, Sent::Get(_, path) if *path == pod_path("collector", 1));
            assert_eq!(sent.iter().filter(one).count(), 1, "{sent:?}");
        }
    });
}

#[test]
fn a_deployments_pods_belong_to_its_replica_sets() {
    paused(async {
        let bench = bench(with("deploy/telemetry/gateway", json!({})));
        let at = |name: &str| format!("/apis/apps/v1/namespaces/telemetry/replicasets/{name}");
        let crew = |o: &mut Objects, owner: &str, pod: usize| {
            let labels = json!({"app": "gateway"});
            let uid = o.at(DEPLOY).unwrap()["metadata"]["uid"].clone();
            let reference = json!({"kind": "Deployment", "name": owner, "uid": uid, "controller": true});
            let owned = if owner == "gateway" { json!([reference]) } else { json!([]) };
            o.put(&at(&format!("{owner}-1")), json!({"metadata": {"labels": labels, "ownerReferences": owned}}));
            let uid = o.at(&at(&format!("{owner}-1"))).unwrap()["metadata"]["uid"].clone();
            let mut one = pod_of("ReplicaSet", &format!("{owner}-1"));
            one["metadata"]["labels"] = labels;
            one["metadata"]["ownerReferences"][0]["uid"] = uid;
            o.put(&pod_path("gateway", pod), one);
        };
        bench.fake.objects("east", |o| {
            o.edit(DEPLOY, |d| d["spec"]["selector"] = json!({"matchLabels": {"app": "gateway"}}));
            crew(o, "gateway", 1);
            crew(o, "stray", 2);
        });
        let report = bench.run().await;
        assert_eq!((report.class, bench.fake.ops()), (Some(Class::Refused), 0), "{}", report.why);
        assert!(report.why.contains("pod gateway-2, which belongs to ReplicaSet stray-1"), "{}", report.why);
        bench.fake.objects("east", |o| o.remove(&pod_path("gateway", 2)));
        let report = bench.resume().await;
        assert_eq!((report.class, pods(&bench, "gateway")), (None, (1, 1)), "{}", report.why);
    });
}

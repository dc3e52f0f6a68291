//! Releases: in stages, and back again by themselves.

use serde_json::{Value, json};

use super::announced::all_announced;
use super::support::*;
use crate::change::Op;
use crate::engine::Report;
use crate::error::Class;
use crate::world::fake::Sent;

const LIGHTS: &str = "/apis/apps/v1/namespaces/telemetry/daemonsets/lights";
const DESK: &str = "/apis/apps/v1/namespaces/telemetry/deployments/desk";
const THEN: &str = "20240101T000000Z-then";
const SMALL: &str = "/api/v1/namespaces/kube-system";

fn lights() -> Spec {
    let with = json!({"object": "ds/telemetry/lights", "stages": [25, 50, 75], "window": "4s", "podsWithin": "1m"});
    ("one", "release", with)
}

fn desk() -> Spec {
    ("one", "release", json!({"object": "deploy/telemetry/desk", "stages": [10, 50], "replicas": 8, "window": "4s"}))
}

/// What was parked long ago, four nodes and one that it does not fit; the controllers work.
fn bench(spec: Spec) -> Bench {
    let bench = Bench::new(world(&["east"]), plan_for(&spec));
    bench.fake.objects("east", |objects| {
        objects.put(SMALL, json!({"kind": "Namespace", "metadata": {}}));
        let selector = json!({"breakglass.io/parked": THEN, "disk": "ssd"});
        objects.put(LIGHTS, json!({"metadata": {}, "spec": {"template": {"spec": {"nodeSelector": selector}}}}));
        let mark = json!({"breakglass.io/parked": THEN});
        objects.put(DESK, json!({"metadata": {"annotations": mark}, "spec": {"replicas": 0}}));
        for (name, disk) in [("n1", "ssd"), ("n2", "ssd"), ("n3", "ssd"), ("n5", "tape")] {
            objects.put(&node(name), json!({"metadata": {"labels": {"disk": disk}}}));
        }
        let labels = json!({"disk": "ssd", "node-role.kubernetes.io/control-plane": ""});
        objects.put(&node("n4"), json!({"metadata": {"labels": labels}}));
        objects.follow(LIGHTS);
        objects.follow(DESK);
    });
    bench
}

fn plan_for(spec: &Spec) -> crate::plan::Plan {
    plan(&["east"], std::slice::from_ref(spec), &policy())
}

fn node(name: &str) -> String {
    format!("/api/v1/nodes/{name}")
}

fn at(bench: &Bench, path: &str, field: &str) -> Value {
    bench.fake.objects("east", |objects| objects.at(path).unwrap().pointer(field).cloned().unwrap_or_default())
}

/// The writes, each as what it is done to and its last word.
fn writes(sent: &[Sent]) -> Vec<(String, Value)> {
    let op = |sent: &Sent| match sent {
        Sent::Op(_, Op::Kube(call)) => {
            let ops: Value = serde_json::from_slice(&call.body.bytes().unwrap()).unwrap();
            let put = ops.as_array().unwrap().iter().find(|op| op["op"] != "test").unwrap();
            Some((call.path.rsplit('/').next().unwrap().to_owned(), put.get("value").cloned().unwrap_or_default()))
        }
        _ => None,
    };
    sent.iter().filter_map(op).collect()
}

fn names(writes: &[(String, Value)]) -> Vec<&str> {
    writes.iter().map(|(name, _)| name.as_str()).collect()
}

/// A run that has to end with all of it taken back.
#[track_caller]
fn taken_back(bench: &Bench, report: &Report, before: &Value, why: &str) {
    assert_eq!(report.class, Some(Class::Partial), "{}", report.why);
    assert!(report.why.contains(why), "{}", report.why);
    assert!(report.why.contains("all of it is taken back"), "{}", report.why);
    let open: Vec<_> = bench
        .journal()
        .run
        .changes
        .into_values()
        .filter(|it| it.state.is_open())
        .map(|it| (it.id, it.change.key))
        .collect();
    assert_eq!(open, [], "{}", report.why);
    assert_eq!(bench.fake.snapshot(), *before);
}

#[test]
fn a_daemon_set_comes_to_more_and_more_nodes_and_at_last_everywhere() {
    paused(async {
        let bench = bench(lights());
        let before = bench.fake.snapshot();
        let began = tokio::time::Instant::now();
        let report = bench.run().await;
        assert_eq!(report.class, None, "{}", report.why);
        assert!(began.elapsed().as_secs() >= 4 * 4, "each stage is judged for a window: {:?}", began.elapsed());
        assert_eq!(at(&bench, LIGHTS, "/spec/template/spec/nodeSelector"), json!({"disk": "ssd"}));
        for name in ["n1", "n2", "n3", "n4", "n5"] {
            assert_eq!(at(&bench, &node(name), "/metadata/labels/breakglass.io~1parked"), Value::Null, "{name}");
        }
        let sent = bench.fake.take_sent();
        all_announced(&bench.plan, &sent);
        let writes = writes(&sent);
        let names = names(&writes);
        assert_eq!((names[0], names[4], names.len()), ("lights", "lights", 8), "{names:?}");
        assert!(
            !names.contains(&"n5") && !names.contains(&"n4"),
            "not where it does not fit, and the control plane last"
        );
        assert_eq!(writes[0].1, json!({"breakglass.io/parked": format!("{RUN}.1"), "disk": "ssd"}));
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(bench.fake.snapshot(), before);
    });
}

#[test]
fn a_stage_that_drowns_the_servers_takes_all_of_it_back_by_one_patch() {
    paused(async {
        let bench = bench(lights());
        bench.fake.objects("east", |objects| objects.drowns_at = Some(3));
        let before = bench.fake.snapshot();
        let report = bench.run().await;
        taken_back(&bench, &report, &before, "stage 3 of 4 (3 of 4 nodes) went badly");
        let sent = bench.fake.take_sent();
        all_announced(&bench.plan, &sent);
        let writes = writes(&sent);
        assert_eq!(names(&writes)[4], "lights", "the DaemonSet goes before any label does: {writes:?}");
        assert_eq!(writes[4].1, json!({"breakglass.io/parked": THEN, "disk": "ssd"}));
        // Nothing is left to be taken back, and that is no failure.
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(bench.fake.snapshot(), before);
    });
}

/// Nobody decides anew what was decided, and half a release is taken back like a whole one.
#[test]
fn killed_anywhere_in_a_release_that_goes_badly_it_comes_to_the_same_end() {
    paused(async {
        for spec in [lights, desk] {
            let prepare = || {
                let bench = bench(spec());
                bench.fake.objects("east", |objects| objects.drowns_at = Some(3));
                bench
            };
            let whole = prepare();
            let before = whole.fake.snapshot();
            taken_back(&whole, &whole.run().await, &before, "went badly");
            for line in 1..whole.lines().len() {
                for at in [Trap::Before(line), Trap::After(line)] {
                    let mut killed = prepare();
                    if killed.go(Verb::Run, &trap(at)).await.is_some() {
                        continue;
                    }
                    killed.plan = plan_for(&spec());
                    let report = killed.resume().await;
                    taken_back(&killed, &report, &before, "went badly");
                    let killed = prepare();
                    killed.go(Verb::Run, &trap(at)).await;
                    let report = killed.undo().await;
                    assert_eq!(report.class, None, "{at:?}: {}", report.why);
                    assert_eq!(killed.fake.snapshot(), before, "{at:?}");
                }
            }
        }
    });
}

#[test]
fn drowned_by_the_last_stage_it_is_parked_again_too() {
    paused(async {
        for (spec, pods, stage) in
            [(lights(), 4, "stage 4 of 4 (everywhere)"), (desk(), 8, "stage 3 of 3 (8 of 8 replicas)")]
        {
            let bench = bench(spec);
            bench.fake.objects("east", |objects| objects.drowns_at = Some(pods));
            let before = bench.fake.snapshot();
            let report = bench.run().await;
            taken_back(&bench, &report, &before, stage);
            assert_eq!(bench.undo().await.class, None);
            assert_eq!(bench.fake.snapshot(), before);
        }
    });
}

#[test]
fn pods_that_do_not_get_ready_are_no_stage_that_went_well() {
    paused(async {
        let bench = bench(lights());
        bench.fake.objects("east", |objects| objects.ready_at_most = Some(1));
        let before = bench.fake.snapshot();
        let began = tokio::time::Instant::now();
        let report = bench.run().await;
        bench.fake.objects("east", |objects| objects.ready_at_most = None);
        taken_back(
            &bench,
            &report,
            &before,
            "stage 2 of 4 (2 of 4 nodes) went badly: 1 of 2 pods ready (the stage has 2) after 60 s",
        );
        assert!(began.elapsed().as_secs() < 90, "{:?}", began.elapsed());
    });
}

#[test]
fn replicas_come_in_shares_and_somebody_else_who_scales_ends_it() {
    paused(async {
        let bench = bench(desk());
        let before = bench.fake.snapshot();
        let report = bench.run().await;
        assert_eq!(report.class, None, "{}", report.why);
        let sent = bench.fake.take_sent();
        all_announced(&bench.plan, &sent);
        let counts: Vec<Value> = writes(&sent).into_iter().map(|(_, value)| value).collect();
        assert_eq!(counts, [json!(1), json!(4), json!(8)]);
        assert_eq!(at(&bench, DESK, "/metadata/annotations"), Value::Null, "nobody says that it is parked");
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(bench.fake.snapshot(), before);

        let bench = self::bench(desk());
        bench.fake.meddle(2, "east", |objects| objects.edit(DESK, |desk| desk["spec"]["replicas"] = json!(20)));
        let report = bench.run().await;
        taken_back(&bench, &report, &before, "somebody else scaled it to 20 replicas");
    });
}

#[test]
fn nothing_is_sent_where_the_servers_are_not_well_or_nothing_is_parked() {
    paused(async {
        let bench = bench(lights());
        bench.fake.objects("east", |objects| objects.drowns_at = Some(0));
        let report = bench.run().await;
        assert_eq!(report.class, Some(Class::TimedOut), "{}", report.why);
        assert!(report.why.contains("the API servers to be in good order before anything comes"), "{}", report.why);
        assert_eq!(bench.fake.ops(), 0);

        for (path, spec) in [(LIGHTS, lights()), (DESK, desk())] {
            let bench = self::bench(spec);
            bench.fake.objects("east", |objects| {
                objects.edit(path, |object| {
                    object["spec"]["replicas"] = json!(3);
                    object["spec"]["template"]["spec"]["nodeSelector"] = json!({});
                });
            });
            let report = bench.run().await;
            assert_eq!(report.class, Some(Class::Refused), "{}", report.why);
            assert!(report.why.contains("is not parked"), "{}", report.why);
            assert_eq!(bench.fake.ops(), 0);
        }
    });
}

/// A node that goes while a stage comes is no reason to stop.
#[test]
fn a_node_that_goes_in_the_middle_is_left_out() {
    paused(async {
        let bench = bench(lights());
        bench.fake.meddle(2, "east", |objects| {
            let first = ["n1", "n2", "n3"].into_iter().min_by_key(|name| crate::change::sha256_hex(name.as_bytes()));
            objects.remove(&node(first.unwrap()));
        });
        let report = bench.run().await;
        assert_eq!(report.class, None, "{}", report.why);
        assert_eq!(at(&bench, LIGHTS, "/spec/template/spec/nodeSelector"), json!({"disk": "ssd"}));
        assert_eq!(bench.undo().await.class, None);
    });
}

/// What is gone has no label: that is nothing that undo could not take back.
#[test]
fn a_node_that_goes_with_its_label_is_taken_back_all_the_same() {
    paused(async {
        let bench = bench(lights());
        bench.fake.meddle(6, "east", |objects| drop(["n1", "n2", "n3"].map(|name| objects.remove(&node(name)))));
        let report = bench.run().await;
        assert_eq!(report.class, None, "{}", report.why);
        let undone = bench.undo().await;
        assert_eq!(undone.class, None, "{}", undone.why);
    });
}

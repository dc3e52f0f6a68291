//! Somebody else worked there since.

use serde_json::json;

use super::support::*;
use crate::error::Class;

#[test]
fn what_somebody_else_changed_since_is_left_alone() {
    paused(async {
        let bench = Bench::everything();
        bench.run().await;
        bench.fake.objects("east", |o| {
            o.edit(DS_PARKED, |ds| ds["spec"]["template"]["spec"]["nodeSelector"] = json!({"disk": "nvme"}));
        });
        let report = bench.undo().await;
        assert_eq!(report.class, Some(Class::Stuck), "{}", report.why);
        assert_eq!(report.tally.stuck, 1);
        assert!(report.why.contains("collector"), "{}", report.why);
        bench.fake.objects("east", |o| {
            assert_eq!(
                o.at(DS_PARKED).unwrap().pointer("/spec/template/spec/nodeSelector"),
                Some(&json!({"disk": "nvme"}))
            );
            assert!(o.at(DS).is_some(), "the others are taken back all the same");
            assert_eq!(o.at(DEPLOY).unwrap()["spec"]["replicas"], 3);
        });
    });
}

#[test]
fn what_somebody_else_put_back_needs_no_taking_back() {
    paused(async {
        let bench = Bench::everything();
        let before = bench.fake.snapshot();
        bench.run().await;
        bench.fake.objects("east", |o| o.edit(DEPLOY, |d| d["spec"]["replicas"] = 3.into()));
        let report = bench.undo().await;
        assert_eq!(report.class, None, "{}", report.why);
        // What they left of ours is the mark alone.
        bench.fake.objects("east", |o| {
            assert!(o.at(DEPLOY).unwrap()["metadata"]["annotations"].is_object());
            o.edit(DEPLOY, |d| d["metadata"]["annotations"] = json!({}));
        });
        assert_eq!(bench.fake.snapshot(), before);
    });
}

#[test]
fn an_object_that_is_still_going_is_not_taken_for_one_that_is_back() {
    paused(async {
        let specs = [("kill", "delete", json!({"object": "ds/telemetry/agent", "propagation": "foreground"}))];
        let bench = Bench::new(world(&["east"]), plan(&["east"], &specs, &policy()));
        bench.fake.objects("east", |o| o.edit(DS, |ds| ds["metadata"]["finalizers"] = json!(["foregroundDeletion"])));
        assert_eq!(bench.run().await.class, Some(Class::Partial));
        let report = bench.undo().await;
        assert_eq!(report.class, Some(Class::Stuck), "{}", report.why);
        bench.fake.objects("east", |o| o.remove(DS));
        assert_eq!(bench.undo().await.class, None);
        bench.fake.objects("east", |o| assert!(o.at(DS).is_some()));
    });
}

#[test]
fn what_has_no_inverse_is_said_and_left() {
    paused(async {
        let specs = [("kill", "delete", json!({"object": "ds/telemetry/agent", "save": false}))];
        let bench = Bench::new(world(&["east"]), plan(&["east"], &specs, &policy()));
        assert_eq!(bench.run().await.class, None);
        assert_eq!(bench.fake.take_sent().len(), 1, "exactly one request");
        let report = bench.undo().await;
        assert_eq!(report.class, Some(Class::Stuck), "{}", report.why);
        assert!(report.why.contains("was not saved"), "{}", report.why);
    });
}

/// What is there by the name is looked at before it counts as put back.
#[test]
fn another_object_of_the_same_name_is_not_taken_for_the_saved_one() {
    paused(async {
        let specs = [("kill", "delete", json!({"object": "ds/telemetry/agent"}))];
        let pod = |image: &str, app: &str| json!({"metadata": {"labels": {"app": app}}, "spec": {"template": {"spec": {"containers": [{"image": image}]}}}});
        for (other, class, said) in [
            (pod("new", "x"), Some(Class::Stuck), "/spec/template/spec/containers"),
            (pod("old", "y"), Some(Class::Stuck), "/metadata/labels/app"),
            (pod("old", "x"), None, ""),
        ] {
            let bench = Bench::new(world(&["east"]), plan(&["east"], &specs, &policy()));
            bench.fake.objects("east", |o| o.put(DS, pod("old", "x")));
            assert_eq!(bench.run().await.class, None);
            bench.fake.objects("east", |o| o.put(DS, other.clone()));
            let report = bench.undo().await;
            assert_eq!(report.class, class, "{}", report.why);
            assert!(report.why.contains(said), "{}", report.why);
            bench.fake.objects("east", |o| assert_eq!(o.at(DS).unwrap()["spec"], other["spec"], "it is left alone"));
        }
    });
}

/// The collector of garbage removes at once what names an owner that is gone.
#[test]
fn what_belonged_to_somebody_is_put_back_without_its_owner_and_that_is_said() {
    paused(async {
        let specs = [("kill", "delete", json!({"object": "ds/telemetry/agent"}))];
        let bench = Bench::new(world(&["east"]), plan(&["east"], &specs, &policy()));
        let owner = json!([{"kind": "Operator", "name": "telemetry", "uid": "gone"}]);
        bench.fake.objects("east", |o| o.edit(DS, |ds| ds["metadata"]["ownerReferences"] = owner));
        assert_eq!(bench.run().await.class, None);
        let said = bench.lines().iter().any(
            |line| matches!(&line.entry, crate::journal::Entry::Saw { what, .. } if what.to_string().contains("without its owner")),
        );
        assert!(said);
        assert_eq!(bench.undo().await.class, None);
        bench.fake.objects("east", |o| assert!(o.at(DS).unwrap()["metadata"].get("ownerReferences").is_none()));
    });
}

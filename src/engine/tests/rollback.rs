//! Pod templates put back: which one, by how much, and what speaks against it.

use serde_json::{Value, json};

use super::announced::{all_announced, as_often_as_announced};
use super::support::*;
use crate::engine::Report;
use crate::error::Class;
use crate::world::fake::{Objects, Sent};

const EDGE: &str = "/apis/apps/v1/namespaces/telemetry/daemonsets/edge";
const FRONT: &str = "/apis/apps/v1/namespaces/telemetry/deployments/front";
const DB: &str = "/apis/apps/v1/namespaces/telemetry/statefulsets/db";
const PROXY: &str = "/apis/apps/v1/namespaces/kube-system/daemonsets/proxy";
const PARKED: &str = "breakglass.io/parked";

fn template(app: &str, number: i64) -> Value {
    json!({
        "metadata": {"labels": {"app": app}},
        "spec": {"containers": [{
            "name": "main", "image": format!("registry.test/{app}:{number}"),
            "env": [{"name": "TOKEN", "value": format!("s3cret-{number}")}],
        }]},
    })
}

/// A workload that has the newest of these revisions.
fn workload(objects: &mut Objects, path: &str, numbers: &[i64]) {
    let app = path.rsplit('/').next().unwrap();
    let (base, plural) = path.rsplit_once('/').and_then(|(base, _)| base.rsplit_once('/')).unwrap();
    let newest = numbers.last().copied().unwrap_or(9);
    let mut annotations = json!({"team": "edge"});
    if plural == "deployments" {
        annotations["kubernetes.io/change-cause"] = json!(format!("to {newest}"));
    }
    objects.put(
        path,
        json!({"metadata": {"annotations": annotations, "generation": newest}, "status": {"observedGeneration": newest},
            "spec": {"selector": {"matchLabels": {"app": app}}, "template": template(app, newest)}}),
    );
    for number in numbers {
        revision(objects, (base, plural, path), *number, template(app, *number));
    }
}

fn revision(objects: &mut Objects, (base, plural, path): (&str, &str, &str), number: i64, mut template: Value) {
    let app = path.rsplit('/').next().unwrap();
    let owner = json!([{"controller": true, "uid": objects.at(path).unwrap()["metadata"]["uid"]}]);
    let mut metadata = json!({"labels": {"app": app}, "ownerReferences": owner});
    if plural == "deployments" {
        metadata["annotations"] = json!({"deployment.kubernetes.io/revision": number.to_string()});
        // The first was made before anybody gave a cause.
        if number > 1 {
            metadata["annotations"]["kubernetes.io/change-cause"] = json!(format!("to {number}"));
        }
        template["metadata"]["labels"]["pod-template-hash"] = json!(format!("{number}d4f"));
        let set = json!({"metadata": metadata, "spec": {"template": template}});
        return objects.put(&format!("{base}/replicasets/{app}-{number}"), set);
    }
    template["$patch"] = json!("replace");
    let kept = json!({"metadata": metadata, "revision": number, "data": {"spec": {"template": template}}});
    objects.put(&format!("{base}/controllerrevisions/{app}-{number}"), kept);
}

/// Three revisions each of a DaemonSet and a Deployment.
pub(super) fn revisions(objects: &mut Objects) {
    workload(objects, EDGE, &[1, 2, 3]);
    workload(objects, FRONT, &[1, 2, 3]);
}

fn bench(with: Value, change: impl FnOnce(&mut Objects)) -> Bench {
    let plan = plan(&["east"], &[("back", "rollback", with)], &policy());
    let bench = Bench::new(world(&["east"]), plan);
    bench.fake.objects("east", |objects| {
        revisions(objects);
        change(objects);
    });
    bench
}

fn of(path: &str) -> Value {
    let words: Vec<&str> = path.rsplit('/').collect();
    json!({"object": format!("{}/{}/{}", words[1], words[2], words[0])})
}

fn at(bench: &Bench, path: &str, field: &str) -> Value {
    bench.fake.objects("east", |objects| objects.at(path).unwrap().pointer(field).cloned().unwrap_or_default())
}

fn image(bench: &Bench, path: &str) -> String {
    at(bench, path, "/spec/template/spec/containers/0/image").as_str().unwrap().rsplit(':').next().unwrap().into()
}

/// What was heard, and how it ended.
async fn told(bench: &Bench) -> (Report, String) {
    let how = How::default();
    let report = bench.go(Verb::Run, &how).await.unwrap();
    let heard = format!("{:?}", how.ears.heard.lock().unwrap());
    (report, heard)
}

/// Nothing is sent, and these words say why.
fn refused(with: Value, change: impl FnOnce(&mut Objects), words: &[&str]) {
    paused(async {
        let bench = bench(with, change);
        let (report, heard) = told(&bench).await;
        let said = format!("{} {heard}", report.why);
        assert!(report.class.is_some(), "{said}");
        for word in words {
            assert!(said.contains(word), "{word:?}: {said}");
        }
        assert!(!bench.fake.take_sent().iter().any(|sent| matches!(sent, Sent::Op(..))));
    });
}

#[test]
fn the_template_of_the_revision_before_comes_back_and_undo_brings_the_newest_one_exactly() {
    paused(async {
        for path in [EDGE, FRONT, DB] {
            let bench = bench(of(path), |objects| workload(objects, DB, &[1, 2, 3]));
            let before = bench.fake.snapshot();
            let (report, heard) = told(&bench).await;
            assert_eq!(report.class, None, "{}", report.why);
            let app = path.rsplit('/').next().unwrap();
            assert_eq!(at(&bench, path, "/spec/template"), template(app, 2), "no hash, no $patch");
            assert_eq!(at(&bench, path, "/metadata/annotations/team"), "edge");
            let cause = at(&bench, path, "/metadata/annotations/kubernetes.io~1change-cause");
            assert_eq!(cause, if path == FRONT { json!("to 2") } else { Value::Null });
            for word in [
                format!("goes from revision 3 (registry.test/{app}:3) back to revision 2 (registry.test/{app}:2"),
                "differ at /spec/containers".into(),
                "kubectl rollout status".into(),
            ] {
                assert!(heard.contains(&word), "{word}: {heard}");
            }
            let sent = bench.fake.take_sent();
            assert_eq!(sent.len(), 3, "{sent:?}");
            all_announced(&bench.plan, &sent);
            as_often_as_announced(&bench.plan, &sent);
            assert_eq!(bench.undo().await.class, None);
            assert_eq!(bench.fake.snapshot().to_string(), before.to_string(), "to the byte");
        }
    });
}

#[test]
fn a_cause_that_was_not_there_is_taken_away_and_comes_back() {
    paused(async {
        let with = json!({"object": "deploy/telemetry/front", "toRevision": 1});
        let bench = bench(with, |_| ());
        let before = bench.fake.snapshot();
        assert_eq!(bench.run().await.class, None);
        assert_eq!(image(&bench, FRONT), "1");
        assert_eq!(at(&bench, FRONT, "/metadata/annotations/kubernetes.io~1change-cause"), Value::Null);
        all_announced(&bench.plan, &bench.fake.take_sent());
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(bench.fake.snapshot(), before);
    });
}

/// Values of the environment are secrets often enough.
#[test]
fn no_value_of_a_template_gets_into_the_journal_or_onto_the_screen() {
    paused(async {
        let bench = bench(of(EDGE), |_| ());
        let (_, heard) = told(&bench).await;
        bench.undo().await;
        let journal = std::fs::read_to_string(bench.folder().journal()).unwrap();
        assert!(journal.contains("registry.test/edge:2") && !journal.contains("s3cret"));
        assert!(!heard.contains("s3cret"));
    });
}

/// It would be another step back, or one forward: to what was got rid of.
#[test]
fn what_others_have_changed_since_the_first_look_is_not_decided_about_anew() {
    paused(async {
        for lost in [false, true] {
            let bench = bench(of(EDGE), |_| ());
            bench.fake.meddle(1, "east", |objects| {
                objects.edit(EDGE, |it| it["spec"]["template"] = template("edge", 4));
            });
            if lost {
                bench.fake.fault(1, crate::world::fake::Fault::LoseNotMade);
            }
            let (report, heard) = told(&bench).await;
            let class = if lost { Class::Partial } else { Class::Refused };
            assert_eq!(report.class, Some(class), "{}", report.why);
            assert!(heard.contains("somebody else has changed the template"), "{heard}");
            assert_eq!(image(&bench, EDGE), "4");
            assert_eq!(at(&bench, EDGE, "/metadata/annotations"), json!({"team": "edge"}));
        }
    });
}

/// As when the look went to another API server than the patch, of another version.
#[test]
fn a_template_that_only_gained_a_null_was_not_changed_by_anybody() {
    paused(async {
        let bench = bench(of(EDGE), |_| ());
        bench.fake.meddle(1, "east", |objects| {
            objects.edit(EDGE, |it| it["spec"]["template"]["metadata"]["creationTimestamp"] = Value::Null);
        });
        let (report, heard) = told(&bench).await;
        assert_eq!(report.class, None, "{} {heard}", report.why);
        assert_eq!(image(&bench, EDGE), "2");
    });
}

#[test]
fn another_object_by_the_same_name_is_left_alone_and_both_uids_are_told() {
    paused(async {
        let bench = bench(of(EDGE), |_| ());
        let uid = at(&bench, EDGE, "/metadata/uid");
        bench.fake.meddle(1, "east", |objects| {
            let object = objects.remove(EDGE).unwrap();
            objects.put(EDGE, object);
        });
        let report = bench.run().await;
        let now = at(&bench, EDGE, "/metadata/uid");
        assert_eq!((report.class, image(&bench, EDGE).as_str()), (Some(Class::Refused), "3"), "{}", report.why);
        for word in [&uid, &now] {
            assert!(report.why.contains(word.as_str().unwrap()), "{word}: {}", report.why);
        }
    });
    refused(json!({"object": "ds/telemetry/edge", "uid": "u-0"}), |_| (), &["has uid uid-", "not u-0"]);
}

#[test]
fn what_stands_against_it_is_said_in_one_message() {
    refused(of(EDGE), |it| drop(it.remove(EDGE)), &["daemonsets.apps/telemetry/edge is not there", "breakglass undo"]);
    refused(
        of(FRONT),
        |it| it.edit(FRONT, |it| it["spec"]["paused"] = json!(true)),
        &["is paused", "kubectl rollout resume"],
    );
    let with = json!({"object": "ds/telemetry/edge", "toRevision": 7});
    let all = ["has no revision 7", "3 (registry.test/edge:3", "2 (registry.test/edge:2", "1 (registry.test/edge:1"];
    refused(with, |_| (), &all);
    refused(
        of(DB),
        |it| workload(it, DB, &[1]),
        &["no revision before", "there are 1 (registry.test/db:1", "breakglass park"],
    );
    let none = |it: &mut Objects| {
        workload(it, DB, &[]);
        it.edit(DB, |it| it["spec"]["revisionHistoryLimit"] = json!(0));
    };
    refused(of(DB), none, &["revisionHistoryLimit is 0", "its controller keeps none"]);
    let going = |it: &mut Objects| {
        it.edit(EDGE, |it| it["metadata"]["deletionTimestamp"] = json!("2025-01-01T00:00:00Z"));
    };
    refused(of(EDGE), going, &["it is being deleted"]);
}

#[test]
fn a_template_that_is_the_same_already_is_left_alone() {
    paused(async {
        let bench = bench(json!({"object": "ds/telemetry/edge", "toRevision": 3}), |_| ());
        let (report, heard) = told(&bench).await;
        assert_eq!(report.class, None, "{}", report.why);
        assert!(heard.contains("has the template of revision 3 already"), "{heard}");
        assert!(!bench.fake.take_sent().iter().any(|sent| matches!(sent, Sent::Op(..))));
    });
}

#[test]
fn what_the_cluster_itself_needs_is_asked_about_by_name() {
    paused(async {
        let critical = |it: &mut Objects| {
            it.edit(EDGE, |it| it["spec"]["template"]["spec"]["priorityClassName"] = json!("system-node-critical"));
        };
        let proxy = |it: &mut Objects| workload(it, PROXY, &[1, 2]);
        for (path, why) in [(PROXY, "it is in kube-system"), (EDGE, "its pods are system-node-critical")] {
            for says in [true, false] {
                let bench = bench(of(path), |it| if path == PROXY { proxy(it) } else { critical(it) });
                let report = bench.go(Verb::Run, &How { says: Some(says), ..How::default() }).await.unwrap();
                assert_eq!(report.class.is_none(), says, "{}", report.why);
                let asked = bench.asked.lock().unwrap().pop().unwrap();
                assert!(asked.text.contains(why) && asked.text.contains("registry.test/"), "{}", asked.text);
                assert_eq!(asked.typed.as_deref(), path.rsplit('/').next());
                let sent = bench.fake.take_sent();
                assert!(sent.len() <= 5, "{sent:?}");
                as_often_as_announced(&bench.plan, &sent);
            }
            let mut with = of(path);
            with["acceptCritical"] = json!(true);
            let bench = bench(with, |it| if path == PROXY { proxy(it) } else { critical(it) });
            assert_eq!(bench.run().await.class, None);
            assert!(bench.asked.lock().unwrap().is_empty());
        }
    });
}

#[test]
fn its_pods_are_waited_for_where_that_was_asked_for_and_what_stands_at_the_end_is_said() {
    paused(async {
        let with = |wait: &str| json!({"object": "ds/telemetry/edge", "wait": wait});
        let status = |new: u64| json!({"observedGeneration": 3, "desiredNumberScheduled": 5, "updatedNumberScheduled": new, "numberAvailable": 5});
        for (new, over) in [(2, false), (5, true)] {
            let bench = bench(with("60s"), |it| it.edit(EDGE, |it| it["status"] = status(new)));
            let (report, heard) = told(&bench).await;
            assert_eq!(report.class.is_none(), over, "{}", report.why);
            let word = if over { "all 5 pods are new and available" } else { "2 of 5 pods are new" };
            assert!(heard.contains(word), "{heard}");
            assert!(over || heard.contains("the template of daemonsets.apps/telemetry/edge is back, its pods are not"));
            assert_eq!(image(&bench, EDGE), "2", "whatever its pods are");
            all_announced(&bench.plan, &bench.fake.take_sent());
        }
        // What others put there meanwhile is not this run's roll-out.
        let bench = bench(with("10s"), |it| it.edit(EDGE, |it| it["status"] = status(2)));
        bench.run().await;
        bench.fake.objects("east", |it| it.edit(EDGE, |it| it["status"] = status(5)));
        bench.fake.objects("east", |it| it.edit(EDGE, |it| it["metadata"]["annotations"] = json!({})));
        let report = bench.resume().await;
        assert!(report.why.contains("not what this run has put"), "{}", report.why);

        // Nor is what Git has put back, under the mark of this run: all its pods are new, and bad.
        let bench = self::bench(with("10s"), |it| it.edit(EDGE, |it| it["status"] = status(2)));
        bench.run().await;
        bench.fake.objects("east", |it| it.edit(EDGE, |it| it["status"] = status(5)));
        bench.fake.objects("east", |it| it.edit(EDGE, |it| it["spec"]["template"] = template("edge", 3)));
        let report = bench.resume().await;
        assert!(report.class.is_some() && report.why.contains("somebody else has put that there"), "{}", report.why);
    });
}

#[test]
fn revisions_are_looked_for_page_by_page_up_to_an_end() {
    let others = |count: usize| {
        move |objects: &mut Objects| {
            for number in 0..count {
                let path = format!("/apis/apps/v1/namespaces/telemetry/controllerrevisions/a-{number:04}");
                objects.put(&path, json!({"metadata": {"labels": {"app": "edge"}}, "revision": 8, "data": {}}));
            }
        }
    };
    paused(async {
        let bench = bench(of(EDGE), others(150));
        assert_eq!(bench.run().await.class, None);
        assert_eq!(image(&bench, EDGE), "2");
        let sent = bench.fake.take_sent();
        assert_eq!(sent.len(), 4, "{sent:?}");
        as_often_as_announced(&bench.plan, &sent);
    });
    refused(
        of(EDGE),
        others(500),
        &["more than 500 objects", "kubectl rollout history daemonsets.apps/edge -n telemetry"],
    );
}

#[test]
fn undo_is_stuck_where_somebody_else_has_worked_and_names_the_places_without_values() {
    paused(async {
        let bench = bench(of(EDGE), |_| ());
        bench.run().await;
        bench.fake.objects("east", |it| it.edit(EDGE, |it| it["spec"]["template"] = template("edge", 5)));
        let report = bench.undo().await;
        assert_eq!(report.class, Some(Class::Stuck), "{}", report.why);
        assert!(report.why.contains("differs at /spec/template/spec/containers"), "{}", report.why);
        assert!(!report.why.contains("s3cret"), "{}", report.why);
        assert_eq!(image(&bench, EDGE), "5");

        // Somebody has put back just what undo would.
        let bench = self::bench(of(EDGE), |_| ());
        let before = at(&bench, EDGE, "");
        bench.run().await;
        bench.fake.objects("east", |it| it.edit(EDGE, |it| *it = before.clone()));
        let report = bench.undo().await;
        assert_eq!(report.class, None, "{}", report.why);
    });
}

/// That a DaemonSet is parked is a revision, too: the one before it is what it was parked for.
#[test]
fn a_parking_is_no_revision_to_go_back_to() {
    let parked = |number: i64| {
        let mut template = template("edge", number);
        template["spec"]["nodeSelector"] = json!({PARKED: "r1"});
        template
    };
    let ways = ("/apis/apps/v1/namespaces/telemetry", "daemonsets", EDGE);
    let park = |it: &mut Objects| {
        revision(it, ways, 4, parked(3));
        it.edit(EDGE, |it| it["spec"]["template"] = parked(3));
    };
    refused(of(EDGE), park, &["is parked by run r1", "4 (registry.test/edge:3, parked by run r1", "--to-revision 2"]);
    paused(async {
        let bench = bench(json!({"object": "ds/telemetry/edge", "toRevision": 2}), park);
        assert_eq!(bench.run().await.class, None);
        assert_eq!(at(&bench, EDGE, "/spec/template"), template("edge", 2), "it is not parked then");
        // Parked, and unparked since.
        let bench = self::bench(of(EDGE), |it| {
            drop(it.remove("/apis/apps/v1/namespaces/telemetry/controllerrevisions/edge-2"));
            revision(it, ways, 2, parked(3));
        });
        let (report, heard) = told(&bench).await;
        assert_eq!(report.class, None, "{}", report.why);
        assert!(heard.contains("only a parking: revision 2"), "{heard}");
        assert_eq!(image(&bench, EDGE), "1");
    });
}

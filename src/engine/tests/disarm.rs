//! Disarming: what is touched, what is left, and what is said of it.

use serde_json::{Value, json};

use super::announced::all_announced;
use super::support::*;
use crate::engine::Report;
use crate::error::Class;
use crate::world::fake::{Objects, Sent};

const POLICY: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/policy";
const OTHER: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/other";
const HOLD: &str = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/hold";
const METRICS: &str = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io";

fn webhook(name: &str, policy: &str, service: &str) -> Value {
    json!({"name": name, "failurePolicy": policy, "clientConfig": {"service": {"namespace": "ops", "name": service}}})
}

fn service(objects: &mut Objects, name: &str, ready: &[bool]) {
    objects.put(
        &format!("/api/v1/namespaces/ops/services/{name}"),
        json!({"metadata": {}, "spec": {"ports": [{"port": 443}]}}),
    );
    let endpoints: Vec<Value> = ready.iter().map(|ready| json!({"conditions": {"ready": ready}})).collect();
    objects.put(
        &format!("/apis/discovery.k8s.io/v1/namespaces/ops/endpointslices/{name}-1"),
        json!({"metadata": {"labels": {"kubernetes.io/service-name": name}}, "endpoints": endpoints}),
    );
}

/// One webhook that is dead, one of the same configuration that answers, and a configuration of others.
fn bench(with: Value) -> Bench {
    let bench = Bench::new(world(&["east"]), plan(&["east"], &[("one", "disarm", with)], &policy()));
    bench.fake.objects("east", |objects| {
        service(objects, "dead", &[false, false]);
        service(objects, "well", &[false, true]);
        let all = json!([webhook("well.ops", "Fail", "well"), webhook("dead.ops", "Fail", "dead")]);
        objects.put(POLICY, json!({"metadata": {}, "webhooks": all}));
        objects.put(OTHER, json!({"metadata": {}, "webhooks": [webhook("hangs.ops", "Ignore", "gone")]}));
    });
    bench
}

/// How it ends, and all that was heard.
async fn run(bench: &Bench) -> (Report, String) {
    let how = How::default();
    let report = bench.go(Verb::Run, &how).await.unwrap();
    all_announced(&bench.plan, &bench.fake.take_sent());
    let heard = format!("{:?}", how.ears.heard.lock().unwrap());
    (report, heard)
}

fn policies(bench: &Bench) -> Vec<Value> {
    let field = |path: &str, place: usize| {
        bench.fake.objects("east", |objects| objects.at(path).unwrap()["webhooks"][place]["failurePolicy"].clone())
    };
    vec![field(POLICY, 0), field(POLICY, 1), field(OTHER, 0)]
}

#[test]
fn only_the_webhook_that_cannot_answer_is_let_through_and_the_chain_of_each_is_told() {
    paused(async {
        let bench = bench(json!({}));
        let before = bench.fake.snapshot();
        let (report, heard) = run(&bench).await;
        assert_eq!(report.class, None, "{}", report.why);
        assert_eq!(policies(&bench), ["Fail", "Ignore", "Ignore"]);
        for word in [
            "dead.ops (Fail",
            "service ops/dead:443: none of its 2 endpoints is ready",
            "hangs.ops (Ignore: let through",
            "service ops/gone:443: which is not there",
            "1 webhook more with somebody ready to answer",
        ] {
            assert!(heard.contains(word), "{word}: {heard}");
        }
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(bench.fake.snapshot(), before);
    });
}

#[test]
fn an_edit_between_the_look_and_the_patch_is_not_overwritten() {
    paused(async {
        // Another webhook is put first: the place that was seen is another's now.
        let bench = self::bench(json!({}));
        let first = |objects: &mut Objects| {
            objects.edit(POLICY, |it| {
                it["webhooks"].as_array_mut().unwrap().insert(0, webhook("new.ops", "Fail", "well"));
            });
        };
        bench.fake.meddle(1, "east", first);
        let (report, _) = run(&bench).await;
        assert_eq!(report.class, None, "it was looked at again: {}", report.why);
        let all = bench.fake.objects("east", |objects| objects.at(POLICY).unwrap()["webhooks"].clone());
        let now: Vec<&Value> = all.as_array().unwrap().iter().map(|one| &one["failurePolicy"]).collect();
        assert_eq!(now, ["Fail", "Fail", "Ignore"]);

        // Somebody else was as quick: nothing is left to do, and nothing is ours to take back.
        let bench = self::bench(json!({}));
        let ignored = |objects: &mut Objects| {
            objects.edit(POLICY, |it| it["webhooks"][1]["failurePolicy"] = json!("Ignore"));
        };
        bench.fake.meddle(1, "east", ignored);
        let (report, _) = run(&bench).await;
        assert_eq!((report.class, report.tally.done), (None, 0), "{}", report.why);
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(policies(&bench), ["Fail", "Ignore", "Ignore"]);
    });
}

#[test]
fn what_somebody_has_changed_since_is_not_forced_back() {
    paused(async {
        let bench = self::bench(json!({}));
        run(&bench).await;
        // At the place of ours there is another one now, which is at Ignore, too.
        bench.fake.objects("east", |objects| {
            let new = webhook("new.ops", "Ignore", "well");
            objects.edit(POLICY, |it| it["webhooks"].as_array_mut().unwrap().insert(1, new));
        });
        let before = bench.fake.snapshot();
        let report = bench.undo().await;
        assert_eq!(report.class, Some(Class::Stuck), "{}", report.why);
        assert_eq!(bench.fake.snapshot(), before);
    });
}

#[test]
fn a_name_that_is_not_there_is_refused_with_those_that_are() {
    paused(async {
        for (with, words) in [
            (json!({"object": "validatingwebhookconfiguration/polcy"}), ["is not there; there is", "/policy"]),
            (
                json!({"object": "validatingwebhookconfiguration/policy", "webhook": "ded.ops"}),
                ["no webhook", "well.ops, dead.ops"],
            ),
            (json!({"webhook": "ded.ops"}), ["no configuration in the API has", "among 3 webhooks"]),
            (json!({"object": "validatingadmissionpolicybinding/hold"}), ["is not there", "there is none at all"]),
        ] {
            let bench = self::bench(with.clone());
            let before = bench.fake.snapshot();
            let (report, heard) = run(&bench).await;
            assert_eq!(report.class, Some(Class::Refused), "{with}: {}", report.why);
            for word in words {
                assert!(report.why.contains(word) || heard.contains(word), "{with}: {word}: {} {heard}", report.why);
            }
            assert_eq!((bench.fake.snapshot(), bench.fake.ops()), (before, 0));
        }
    });
}

#[test]
fn the_one_that_is_named_is_touched_and_no_other() {
    paused(async {
        for (with, changed) in [
            (json!({"webhook": "well.ops"}), ["Ignore", "Fail", "Ignore"]),
            (
                json!({"object": "validatingwebhookconfiguration/policy", "webhook": "dead.ops"}),
                ["Fail", "Ignore", "Ignore"],
            ),
            (json!({"object": "validatingwebhookconfiguration/policy"}), ["Ignore", "Ignore", "Ignore"]),
        ] {
            let bench = self::bench(with.clone());
            let before = bench.fake.snapshot();
            let (report, heard) = run(&bench).await;
            assert_eq!((report.class, report.tally.done), (None, 1), "{with}: {}", report.why);
            assert_eq!(policies(&bench), changed, "{with}");
            let told = heard.contains("a no stays a no");
            assert_eq!(told, changed[0] == "Ignore", "{with}: {heard}");
            assert_eq!(bench.undo().await.class, None);
            assert_eq!(bench.fake.snapshot(), before);
        }
        // One that only hangs is told how it could be got rid of.
        let bench = self::bench(json!({"webhook": "hangs.ops"}));
        let (report, heard) = run(&bench).await;
        assert_eq!((report.class, report.tally.done), (None, 0), "{}", report.why);
        assert!(heard.contains("is at Ignore already") && heard.contains("`how: exclude`"), "{heard}");
    });
}

#[test]
fn a_name_that_two_configurations_have_must_be_said_with_its_configuration() {
    paused(async {
        let bench = self::bench(json!({"webhook": "dead.ops"}));
        bench.fake.objects("east", |objects| {
            objects.edit(OTHER, |it| it["webhooks"] = json!([webhook("dead.ops", "Fail", "dead")]));
        });
        let (report, _) = run(&bench).await;
        assert_eq!((report.class, bench.fake.ops()), (Some(Class::Refused), 0), "{}", report.why);
        assert!(report.why.contains("mutatingwebhookconfiguration/other"), "{}", report.why);
    });
}

/// Where everything looks dead it is more likely that the look is wrong.
#[test]
fn more_than_are_allowed_are_not_touched() {
    paused(async {
        let bench = self::bench(json!({"atMost": 1}));
        bench.fake.objects("east", |objects| {
            objects.edit(OTHER, |it| it["webhooks"][0]["failurePolicy"] = json!("Fail"));
        });
        let (report, _) = run(&bench).await;
        assert_eq!((report.class, bench.fake.ops()), (Some(Class::Refused), 0), "{}", report.why);
        assert!(report.why.contains("2 configurations have webhooks that cannot answer"), "{}", report.why);
    });
}

#[test]
fn what_refuses_otherwise_and_what_is_dead_beside_is_told() {
    paused(async {
        let bench = self::bench(json!({}));
        bench.fake.objects("east", |objects| {
            objects.edit(POLICY, |it| drop(it["webhooks"].as_array_mut().unwrap().remove(1)));
            objects.put(HOLD, json!({"metadata": {}, "spec": {"validationActions": ["Deny"]}}));
            let no = json!([{"type": "Available", "status": "False", "reason": "MissingEndpoints", "message": "none"}]);
            let service = json!({"namespace": "ops", "name": "metrics"});
            objects.put(METRICS, json!({"metadata": {}, "spec": {"service": service}, "status": {"conditions": no}}));
        });
        let (report, heard) = run(&bench).await;
        assert_eq!((report.class, bench.fake.ops()), (None, 0), "{}", report.why);
        for word in [
            "no webhook with failurePolicy Fail was found",
            "policies refuse by validatingadmissionpolicybinding/hold",
            "apiservice/v1beta1.metrics.k8s.io -> service ops/metrics:443: not available (MissingEndpoints: none)",
        ] {
            assert!(heard.contains(word), "{word}: {heard}");
        }
    });
}

/// Taking away what the API server serves itself would take its resources away.
#[test]
fn an_api_that_the_server_serves_itself_is_not_taken_away() {
    paused(async {
        let bench = self::bench(json!({"object": "apiservice/v1.apps"}));
        bench.fake.objects("east", |objects| {
            objects.put("/apis/apiregistration.k8s.io/v1/apiservices/v1.apps", json!({"metadata": {}, "spec": {}}));
        });
        let (report, _) = run(&bench).await;
        assert_eq!((report.class, bench.fake.ops()), (Some(Class::Refused), 0), "{}", report.why);
        assert!(report.why.contains("served by the API server itself"), "{}", report.why);
    });
}

#[test]
fn what_a_finalizer_would_keep_in_force_is_not_deleted() {
    paused(async {
        let bench = self::bench(json!({"object": "validatingwebhookconfiguration/policy", "how": "delete"}));
        bench.fake.objects("east", |objects| {
            objects.edit(POLICY, |it| it["metadata"]["finalizers"] = json!(["example.com/hold"]));
        });
        let (report, _) = run(&bench).await;
        assert_eq!((report.class, bench.fake.ops()), (Some(Class::Refused), 0), "{}", report.why);
        assert!(report.why.contains("held by example.com/hold"), "{}", report.why);
    });
}

#[test]
fn who_may_put_it_back_is_told_before_it_is_changed() {
    paused(async {
        for with in [json!({}), json!({"object": "validatingwebhookconfiguration/policy", "how": "delete"})] {
            let bench = self::bench(with);
            bench.fake.objects("east", |objects| {
                objects.edit(POLICY, |it| it["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "Helm"}));
            });
            let before = bench.fake.snapshot();
            let (report, heard) = run(&bench).await;
            assert_eq!((report.class, report.tally.done), (None, 1), "{}", report.why);
            assert!(heard.contains("belongs to Helm"), "{heard}");
            assert_eq!(bench.undo().await.class, None);
            assert_eq!(bench.fake.snapshot(), before);
        }
    });
}

/// A lost reply, and the webhook is well again by the next look: what was not made is not called made.
#[test]
fn a_patch_that_never_arrived_is_not_taken_for_made_when_it_is_no_longer_wanted() {
    paused(async {
        let bench = self::bench(json!({}));
        bench.fake.fault(1, crate::world::fake::Fault::LoseNotMade);
        let how = How::default();
        bench.fake.meddle(1, "east", |objects| {
            objects.edit(POLICY, |it| it["webhooks"][1]["failurePolicy"] = json!("Ignore"));
        });
        let report = bench.go(Verb::Run, &how).await.unwrap();
        assert_eq!((report.class, report.tally.done, report.tally.unknown), (None, 0, 0), "{}", report.why);
        assert!(bench.fake.take_sent().iter().any(|sent| matches!(sent, Sent::Op(..))));
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(policies(&bench), ["Fail", "Ignore", "Ignore"], "somebody else's stays");
    });
}

/// What is not seen is not judged, and what nobody serves is not waited for.
#[test]
fn what_may_not_be_looked_at_is_told_and_left_and_what_is_not_served_ends_it() {
    const LIST: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations?limit=500";
    let quick = std::time::Duration::from_millis(2);
    paused(async {
        let bench = self::bench(json!({}));
        bench.fake.answer("/api/v1/namespaces/ops/services/dead", 403, "{\"message\": \"not you\"}", quick);
        let (report, heard) = run(&bench).await;
        assert_eq!((report.class, bench.fake.ops()), (None, 0), "{}", report.why);
        assert!(
            heard.contains("service ops/dead:443: not looked at: refused: ") && heard.contains("not you"),
            "{heard}"
        );

        for (code, text, says) in [(403, "{}", "we may not"), (404, "404 page not found", "does not serve")] {
            let bench = self::bench(json!({}));
            bench.fake.answer(LIST, code, text, quick);
            let (report, _) = run(&bench).await;
            assert_eq!((report.class, bench.fake.ops()), (Some(Class::Refused), 0), "{code}: {}", report.why);
            assert!(report.why.contains(says), "{code}: {}", report.why);
        }
    });
}

//! Refusing an object's return: what is made for it, whose it is where it is there already, and what undo leaves.

use std::time::Duration;

use serde_json::{Value, json};

use super::announced::all_announced;
use super::support::*;
use crate::change::Op;
use crate::engine::Report;
use crate::error::Class;
use crate::world::fake::{Objects, Sent};

const AGENT: &str = "ds/telemetry/agent";
const ADMISSION: &str = "/apis/admissionregistration.k8s.io/v1";

fn bench() -> Bench {
    let with = json!({"object": AGENT, "ask": "the platform team"});
    Bench::new(world(&["east"]), plan(&["east"], &[("away", "refuse-return", with)], &policy()))
}

/// How it ends, and what was written in this order.
async fn run(bench: &Bench) -> (Report, Vec<Value>) {
    let report = bench.run().await;
    let sent = bench.fake.take_sent();
    all_announced(&bench.plan, &sent);
    let written = sent.iter().filter_map(|sent| match sent {
        Sent::Op(_, Op::Kube(call)) => call.body.bytes(),
        _ => None,
    });
    (report, written.map(|body| serde_json::from_slice(&body).unwrap()).collect())
}

/// Where the two stand, once they were made.
fn paths(written: &[Value]) -> [String; 2] {
    let name = written[0]["metadata"]["name"].as_str().unwrap();
    ["validatingadmissionpolicies", "validatingadmissionpolicybindings"]
        .map(|plural| format!("{ADMISSION}/{plural}/{name}"))
}

#[test]
fn two_objects_are_made_the_binding_last_and_undo_takes_both_away() {
    paused(async {
        let bench = bench();
        let before = bench.fake.snapshot();
        let (report, written) = run(&bench).await;
        assert_eq!(report.class, None, "{}", report.why);
        let kinds: Vec<&str> = written.iter().filter_map(|body| body["kind"].as_str()).collect();
        assert_eq!(kinds, ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]);
        assert_eq!(written[0]["metadata"]["annotations"], written[1]["metadata"]["annotations"]);
        assert_eq!(written[0]["metadata"]["annotations"]["breakglass.io/object"], "daemonsets.apps/telemetry/agent");
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(bench.fake.snapshot(), before);
    });
}

#[test]
fn an_api_server_that_has_no_policies_is_told_of_and_nothing_is_made() {
    paused(async {
        let (_, written) = run(&bench()).await;
        let bench = bench();
        bench.fake.answer(&paths(&written)[0], 404, "404 page not found", Duration::ZERO);
        let (report, written) = run(&bench).await;
        assert_eq!((report.class, written.len()), (Some(Class::Refused), 0), "{}", report.why);
        assert!(report.why.contains("since 1.30"), "{}", report.why);
    });
}

#[test]
fn what_another_run_refuses_is_left_to_it_and_what_is_over_or_nobodys_is_not_taken_for_it() {
    paused(async {
        let (_, written) = run(&bench()).await;
        let marked = |by: &str, until: &str| {
            let bench = bench();
            for (path, body) in paths(&written).iter().zip(&written) {
                let mut object = body.clone();
                object["metadata"]["annotations"] = json!({"breakglass.io/refused": by, "breakglass.io/until": until});
                bench.fake.objects("east", |objects: &mut Objects| objects.put(path, object));
            }
            bench
        };
        let (report, sent) = run(&marked("r0 step 1", "2999-01-01T00:00:00Z")).await;
        assert_eq!((report.class, sent.len()), (None, 0), "{}", report.why);
        for (by, until, word) in
            [("r0 step 1", "2000-01-01T00:00:00Z", "which is over"), ("", "", "nothing in it says")]
        {
            let (report, sent) = run(&marked(by, until)).await;
            assert_eq!((report.class, sent.len()), (Some(Class::Refused), 0), "{}", report.why);
            assert!(report.why.contains(word), "{}", report.why);
        }
    });
}

#[test]
fn what_somebody_has_changed_since_is_left_by_undo() {
    paused(async {
        let bench = bench();
        let (_, written) = run(&bench).await;
        let [policy, binding] = paths(&written);
        bench.fake.objects("east", |objects| objects.edit(&policy, |it| it["spec"]["validations"] = json!([])));
        let report = bench.undo().await;
        assert_eq!(report.class, Some(Class::Stuck), "{}", report.why);
        bench.fake.objects("east", |objects| assert!(objects.at(&policy).is_some() && objects.at(&binding).is_none()));
    });
}

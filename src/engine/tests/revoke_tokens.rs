//! Tokens that are refused: what is asked before, what is refused, and what a look says afterwards.

use serde_json::{Value, json};

use super::announced::all_announced;
use super::support::*;
use crate::engine::Report;
use crate::error::Class;

const AGENT: &str = "/api/v1/namespaces/telemetry/serviceaccounts/agent";
const DUMP: &str = "/debug/api_priority_and_fairness/dump_requests";

fn bench(with: Value) -> Bench {
    let bench = Bench::new(world(&["east"]), plan(&["east"], &[("void", "revoke-tokens", with)], &policy()));
    bench.fake.objects("east", |objects| objects.put(AGENT, json!({"kind": "ServiceAccount", "metadata": {}})));
    bench
}

async fn run(bench: &Bench, says: Option<bool>) -> (Report, String) {
    let how = How { says, ..How::default() };
    let report = bench.go(Verb::Run, &how).await.unwrap();
    all_announced(&bench.plan, &bench.fake.take_sent());
    let said = format!("{} {:?}", report.why, how.ears.heard.lock().unwrap());
    (report, said)
}

fn uid(bench: &Bench) -> Value {
    bench.fake.objects("east", |objects| objects.at(AGENT).map(|it| it["metadata"]["uid"].clone()).unwrap_or_default())
}

#[test]
fn an_account_goes_by_its_name_and_undo_makes_another_of_that_name() {
    paused(async {
        let bench = bench(json!({"subject": "sa/telemetry/agent"}));
        let before = uid(&bench);
        let (report, said) = run(&bench, Some(true)).await;
        assert_eq!((report.class, uid(&bench)), (None, Value::Null), "{said}");
        assert!(said.contains("hold no request of system:serviceaccount:telemetry:agent"), "{said}");
        let asked = bench.asked.lock().unwrap().clone();
        assert_eq!((asked.len(), asked[0].typed.as_deref()), (1, Some("agent")));
        assert!(asked[0].text.contains("Undo makes an account of that name anew, not the tokens"), "{}", asked[0].text);
        assert_eq!(bench.undo().await.class, None);
        assert!(![before, Value::Null].contains(&uid(&bench)));
    });
}

/// An API server that still works for it is no end.
#[test]
fn requests_that_are_still_held_are_no_success() {
    paused(async {
        let bench = bench(json!({"subject": "sa/telemetry/agent", "within": "20s"}));
        let held = "PriorityLevelName, FlowDistingsher\nworkload-low, system:serviceaccount:telemetry:agent\n";
        (0..60).for_each(|_| bench.fake.answer(DUMP, 200, held, std::time::Duration::ZERO));
        let (report, said) = run(&bench, Some(true)).await;
        assert_eq!(report.class, Some(Class::Partial), "{said}");
        assert!(
            said.contains("still hold") && said.contains("breakglass jail serviceaccount/telemetry/agent"),
            "{said}"
        );
    });
}

#[test]
fn who_does_not_type_the_name_or_means_another_account_changes_nothing() {
    for (with, says, class) in [
        (json!({"subject": "sa/telemetry/agent"}), Some(false), Class::Declined),
        (json!({"subject": "sa/telemetry/agent"}), None, Class::Declined),
        (json!({"subject": "sa/telemetry/agent", "uid": "other"}), Some(true), Class::Refused),
    ] {
        paused(async {
            let bench = bench(with);
            let (report, said) = run(&bench, says).await;
            assert_eq!(report.class, Some(class), "{said}");
            assert_ne!(uid(&bench), Value::Null);
        });
    }
}

#[test]
fn what_is_no_account_or_one_that_the_cluster_lives_by_is_refused_before_anything_is_contacted() {
    let kind = crate::steps::kind("revoke-tokens").unwrap();
    for (subject, word) in [
        ("user/jane", "is no service account"),
        ("group/oncall", "is no service account"),
        ("sa/kube-system/coredns", "a part of Kubernetes runs as it"),
        ("sa/telemetry/*", "is a wildcard"),
        ("sa/agent", "needs a namespace"),
    ] {
        let Err(faults) = kind.build(json!({"subject": subject})) else { panic!("{subject}") };
        assert!(format!("{faults:?}").contains(word), "{faults:?}");
    }
}

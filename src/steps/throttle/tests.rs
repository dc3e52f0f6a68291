//! What is refused before anything is sent, and what the objects say.

use serde_json::{Value, json};

use super::objects::Objects;
use super::{Kind as _, Throttle};
use crate::change::Op;
use crate::steps::rbac::subject::Subject;
use crate::steps::requests::Requests;

fn faults(with: Value) -> Vec<String> {
    Throttle.build(with).err().into_iter().flatten().map(|fault| fault.to_string()).collect()
}

#[test]
fn whom_priority_and_fairness_does_not_count_is_refused_and_so_is_what_is_no_request() {
    assert!(faults(json!({"subject": "sa/telemetry/agent", "verbs": ["list"], "resources": ["pods"]})).is_empty());
    for (with, why) in [
        (json!({"subject": "group/system:masters"}), "is exempt"),
        (json!({"subject": "system:apiserver"}), "what API servers call themselves"),
        (json!({"subject": "ds/telemetry/agent"}), "is an object"),
        (json!({"subject": "sa/telemetry/agent", "verbs": []}), "it is empty"),
        (json!({"subject": "sa/telemetry/agent", "resources": []}), "it is empty"),
        (json!({"subject": "sa/telemetry/agent", "verbs": ["lits"]}), "did you mean list"),
        (json!({"subject": "sa/telemetry/agent", "within": "1s"}), "between 5s and 10m"),
        (json!({"subject": "sa/telemetry/agent", "deadline": "0s"}), "at least 1s"),
    ] {
        let all = faults(with.clone());
        assert!(matches!(all.as_slice(), [one] if one.contains(why)), "{with}: {all:?}");
    }
}

/// The rules of the schema that is made.
fn rules(subject: &str, verbs: Option<&[&str]>, resources: Option<&[&str]>) -> Value {
    let owned = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let (requests, faults) = Requests::read(verbs.map(owned), resources.map(owned));
    assert!(faults.is_empty(), "{faults:?}");
    let both = Objects::planned().announced(&Subject::parse(subject, None).unwrap(), &requests);
    let [level, body] = both.map(|(op, _)| match op {
        Op::Kube(call) => serde_json::from_slice::<Value>(&call.body.bytes().unwrap()).unwrap(),
        other => panic!("{other:?}"),
    });
    let nothing = json!({"nominalConcurrencyShares": 0, "lendablePercent": 0, "borrowingLimitPercent": 0,
        "limitResponse": {"type": "Reject"}});
    assert_eq!(level["spec"]["limited"], nothing, "it has no seat, gets none, and nobody waits for one");
    assert_eq!(body["spec"]["matchingPrecedence"], 2, "1 is `exempt`'s alone");
    body["spec"]["rules"].clone()
}

#[test]
fn a_schema_matches_the_requests_of_the_client_and_nobody_elses() {
    assert_eq!(
        rules("sa/telemetry/agent", None, None),
        json!([{
            "subjects": [{"kind": "ServiceAccount", "serviceAccount": {"namespace": "telemetry", "name": "agent"}}],
            "resourceRules": [
                {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": true, "namespaces": ["*"]}
            ],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        }])
    );
    let some = rules("group/ci", Some(&["list", "watch"]), Some(&["pods", "deployments.apps"]));
    assert_eq!(some[0]["subjects"], json!([{"kind": "Group", "group": {"name": "ci"}}]));
    assert_eq!(some[0]["resourceRules"][0]["verbs"], json!(["list", "watch"]));
    assert_eq!(some[0]["resourceRules"][1]["apiGroups"], json!(["apps"]));
    assert_eq!(some[0].get("nonResourceRules"), None, "resources are named: nothing else is meant");
    assert_eq!(rules("user/jane", None, None)[0]["subjects"], json!([{"kind": "User", "user": {"name": "jane"}}]));
}

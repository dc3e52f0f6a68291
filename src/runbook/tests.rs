//! Runbooks as operators write them, right and wrong.

use std::collections::BTreeMap;

use serde_json::{Map, json};

use super::*;

pub(super) const GOOD: &str = r#"apiVersion: breakglass/v1
kind: Runbook
metadata:
  name: more-room
  purpose: Give API servers room.
spec:
  params:
    memory: {type: string, help: the new memory limit}
    wait: {type: duration, default: 5m}
    seconds: {type: int, default: 60}
    cpu: {required: false}
    more: {type: bool, default: true}
  typedConsent: ${cluster}
  steps:
    - name: room
      kind: scale-apiserver
      with:
        limits: {memory: "${memory}", cpu: "${cpu}"}
        flags: {audit-log-path: "/var/log/${memory}-$${plain}.log"}
        exitSeconds: ${seconds}
      timeout: ${wait}
      onFailure: undo
      canary: true
    - kind: scale-apiserver
      when: ${more}
      with: {requests: {memory: "${memory}"}}
"#;

pub(super) fn words(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn refusals(text: &str) -> Vec<String> {
    Runbook::parse(text, "r.yaml").expect_err("refused").iter().map(ToString::to_string).collect()
}

/// A runbook around some steps.
fn with_steps(steps: &str) -> String {
    format!(
        "apiVersion: breakglass/v1\nkind: Runbook\nmetadata: {{name: x, purpose: y}}\nspec:\n  params:\n    \
         memory: {{default: 8Gi}}\n  steps:\n{steps}"
    )
}

#[test]
fn values_take_their_place_and_keep_their_type() {
    let runbook = Runbook::parse(GOOD, "r.yaml").unwrap();
    let resolved = runbook.resolve(&words(&[("memory", "8Gi"), ("seconds", "90")]), On::One("prod")).unwrap();
    assert_eq!(resolved.typed_consent.as_deref(), Some("prod"));
    let step = &resolved.steps[0];
    assert_eq!(
        step.with,
        json!({
            "limits": {"memory": "8Gi"},
            "flags": {"audit-log-path": "/var/log/8Gi-${plain}.log"},
            "exitSeconds": 90,
        })
    );
    assert_eq!(step.policy.timeout, Duration::from_mins(5));
    assert_eq!(step.policy.on_failure, OnFailure::Undo);
    assert!(step.policy.limits.canary);
    assert_eq!(step.at, Location { file: "r.yaml".into(), line: 15, column: 7 });
    assert_eq!(resolved.steps[1].name, "scale-apiserver");
    assert_eq!(resolved.steps[1].policy, Policy::default());

    let again = runbook.resolve_again(&resolved.params).unwrap();
    assert_eq!(again.steps[0].with, step.with);
}

/// A word that nobody could type must not become no word at all.
#[test]
fn a_typed_consent_without_a_word_is_refused() {
    let said = |consent: &str, on| {
        let text = GOOD.replace("typedConsent: ${cluster}", &format!("typedConsent: {consent}"));
        let resolved = Runbook::parse(&text, "r.yaml").unwrap().resolve(&words(&[("memory", "8Gi")]), on);
        resolved.map(|resolved| resolved.typed_consent).map_err(|all| all[0].to_string())
    };
    assert_eq!(said("${cluster}", On::One("prod")).unwrap().as_deref(), Some("prod"));
    assert_eq!(said("' destroy ${cluster} '", On::One("prod")).unwrap().as_deref(), Some("destroy prod"));
    for consent in ["${cluster}", "destroy ${cluster}"] {
        let why = said(consent, On::Several).unwrap_err();
        assert!(why.starts_with("r.yaml:13:17: ${cluster} is the name of one cluster"), "{why}");
    }
    assert!(said("${cpu}", On::One("prod")).unwrap_err().contains("--param cpu=VALUE"));
    assert!(said("${seconds}", On::One("prod")).is_err() && said("' '", On::One("prod")).is_err());
}

#[test]
fn the_name_of_the_cluster_is_not_given_by_hand() {
    let runbook = Runbook::parse(GOOD, "r.yaml").unwrap();
    let given = words(&[("memory", "8Gi"), ("cluster", "other")]);
    let why = runbook.resolve(&given, On::One("prod")).unwrap_err()[0].to_string();
    assert!(why.contains("cannot be given"), "{why}");
    let declared = GOOD.replace("    cpu: {required: false}", "    cpu: {required: false}\n    cluster: {default: x}");
    assert!(refusals(&declared)[0].contains("is there already"), "{:?}", refusals(&declared));
}

#[test]
fn a_step_that_is_switched_off_is_not_there() {
    let runbook = Runbook::parse(GOOD, "r.yaml").unwrap();
    let resolved = runbook.resolve(&words(&[("memory", "8Gi"), ("more", "false")]), On::One("prod")).unwrap();
    assert_eq!(resolved.steps.len(), 1);
}

#[test]
fn everything_wrong_with_the_values_is_said_at_once() {
    let runbook = Runbook::parse(GOOD, "r.yaml").unwrap();
    let given = words(&[("memroy", "8Gi"), ("wait", "5"), ("seconds", "many")]);
    let said: Vec<String> = runbook.resolve(&given, On::NotYet).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "command line: runbook more-room has no parameter \"memroy\" (did you mean \"memory\"?)",
            "command line: parameter \"seconds\": expected a whole number, found \"many\"",
            "command line: parameter \"wait\": expected a duration like 90s, 5m or 1h30m, found \"5\"",
            "command line: parameter \"memory\" is missing: the new memory limit; expected text \
             (give it with --param memory=VALUE)",
        ]
    );
}

#[test]
fn everything_wrong_with_a_file_is_said_at_once_with_its_place() {
    let text = r#"apiVersion: breakglass/v2
kind: Runbook
metadata:
  name: More Room
spec:
  parms: {}
  params:
    n: {type: intt}
    d: {type: int, default: many}
  steps:
    - name: room
      kind: scale-apiservr
    - kind: scale-apiserver
      with: {limit: {memory: 8Gi}, exitSeconds: soon, flags: {a: 5}}
      timeout: 90
      onFailure: retry
      fanout: 0
    - kind: scale-apiserver
      with: {limits: {memory: "${memoryy}"}, limits: {}}
    - timeout: 5x
"#;
    let kinds: Vec<&str> = crate::steps::KINDS.iter().map(|kind| kind.name()).collect();
    let unknown = format!(
        "r.yaml:12:13: unknown step kind \"scale-apiservr\": expected one of {} (did you mean \"scale-apiserver\"?)",
        kinds.join(", ")
    );
    assert_eq!(
        refusals(text),
        [
            "r.yaml:1:13: apiVersion: expected breakglass/v1, found \"breakglass/v2\" (did you mean \"breakglass/v1\"?)",
            "r.yaml:4:3: missing key \"purpose\" in metadata: expected text",
            "r.yaml:4:9: metadata.name: \"More Room\" does not fit: expected text like api-overload",
            "r.yaml:6:3: unknown key \"parms\" in spec: expected params, typedConsent, steps (did you mean \"params\"?)",
            "r.yaml:8:15: spec.params.n.type: expected one of string, int, number, bool, duration, percent, list, \
         found \"intt\" (did you mean \"int\"?)",
            "r.yaml:9:29: parameter \"d\": default: expected a whole number, found \"many\"",
            &unknown,
            "r.yaml:14:14: step \"scale-apiserver\": unknown key \"limit\": expected limits, requests, flags, exitSeconds, \
         readySeconds (did you mean \"limits\"?)",
            "r.yaml:14:49: step \"scale-apiserver\": exitSeconds: expected a whole number from 0, found \"soon\"",
            "r.yaml:14:66: step \"scale-apiserver\": flags.a: expected text, found the number 5 (write \"5\" with quotes)",
            "r.yaml:15:16: step.timeout: expected a duration like 90s, 5m or 1h30m, found the number 90 \
         (write 90s for seconds)",
            "r.yaml:16:18: step.onFailure: expected one of stop, continue, undo, found \"retry\"",
            "r.yaml:17:15: step.fanout: expected a whole number from 1 to 1000, found 0",
            "r.yaml:19:31: unknown parameter \"memoryy\" (declared under spec.params: n, d, cluster; write $${ for a plain ${)",
            "r.yaml:19:46: key \"limits\" is given twice; the first is on line 19",
            "r.yaml:20:7: missing key \"kind\" in step: expected text",
            "r.yaml:20:16: step.timeout: \"5x\" is not a duration: expected one like 90s, 5m, 1h30m or 250ms",
        ]
    );
}

#[test]
fn each_fault_has_its_place_and_its_hint() {
    for (steps, expected) in [
        ("    - kind: scale-apiservr\n", "r.yaml:8:13: unknown step kind \"scale-apiservr\": expected one of"),
        (
            "    - kind: scale-apiserver\n      with:\n        limit: {memory: 8Gi}\n",
            "r.yaml:10:9: step \"scale-apiserver\": unknown key \"limit\": expected",
        ),
        (
            "    - kind: scale-apiserver\n      with:\n        exitSeconds: soon\n",
            "r.yaml:10:22: step \"scale-apiserver\": exitSeconds: expected a whole number from 0, found \"soon\"",
        ),
        (
            "    - kind: scale-apiserver\n      with: {flags: {a: 5}}\n",
            "r.yaml:9:25: step \"scale-apiserver\": flags.a: expected text, found the number 5 (write \"5\" with quotes)",
        ),
        (
            "    - kind: scale-apiserver\n      with: {limits: {memory: many}}\n",
            "r.yaml:9:31: step \"scale-apiserver\": limits.memory: \"many\" is not a quantity",
        ),
        (
            "    - kind: gate-close\n      with:\n        sets:\n          web: [10.0.0.300]\n",
            "r.yaml:11:16: step \"gate-close\": sets.web: `10.0.0.300` is",
        ),
        (
            "    - kind: http\n      with:\n        url: https://x\n        undo:\n          url: https://x\n          headers:\n            Cookie: a\n",
            "r.yaml:14:21: step \"http\": undo.headers.Cookie: it looks like a secret",
        ),
        (
            "    - kind: wait-for\n      with: {health: {times: 0}}\n",
            "r.yaml:9:30: step \"wait-for\": health.times: it must be at least 1",
        ),
        ("    - kind: exec\n      with: {run: 'true'}\n", "r.yaml:9:13: step \"exec\": undo: say what takes it back"),
        (
            "    - kind: scale-apiserver\n      timeout: 90\n",
            "r.yaml:9:16: step.timeout: expected a duration like 90s, 5m or 1h30m, found the number 90 \
             (write 90s for seconds)",
        ),
        ("    - kind: scale-apiserver\n      timeout: 5x\n", "r.yaml:9:16: step.timeout: \"5x\" is not a duration"),
        (
            "    - kind: scale-apiserver\n      onFailure: retry\n",
            "expected one of stop, continue, undo, found \"retry\"",
        ),
        (
            "    - kind: scale-apiserver\n      fanout: 0\n",
            "step.fanout: expected a whole number from 1 to 1000, found 0",
        ),
        ("    - kind: scale-apiserver\n      tagets: all\n", "r.yaml:9:7: unknown key \"tagets\" in step"),
        ("    - timeout: 5m\n", "r.yaml:8:7: missing key \"kind\" in step: expected text"),
        (
            "    - kind: scale-apiserver\n      with: {limits: {memory: \"${memoryy}\"}}\n",
            "r.yaml:9:31: unknown parameter \"memoryy\" (did you mean ${memory}?)",
        ),
        (
            "    - kind: scale-apiserver\n      with: {limits: {memory: \"${memory\"}}\n",
            "r.yaml:9:31: \"${\" without its \"}\"",
        ),
        (
            "    - {kind: scale-apiserver, with: {limits: {cpu: '1'}}}\n    - {kind: scale-apiserver, with: {limits: {cpu: '2'}}}\n",
            "two steps are called \"scale-apiserver\"; the first is on line 8",
        ),
        ("    []\n", "spec.steps: expected at least 1 item"),
        ("    - *nothing\n", "not readable as YAML"),
        ("    - <<: {}\n", "not readable as YAML"),
    ] {
        let said = refusals(&with_steps(steps));
        assert!(said.iter().any(|line| line.contains(expected)), "{steps}\nexpected {expected}\nsaid {said:#?}");
    }
}

#[test]
fn anchors_are_followed_and_bombs_are_not() {
    let steps = "    - kind: scale-apiserver\n      with: &room {limits: {cpu: '1'}}\n    \
                 - {name: b, kind: scale-apiserver, with: *room}\n";
    let runbook = Runbook::parse(&with_steps(steps), "r.yaml").unwrap();
    assert_eq!(runbook.resolve(&BTreeMap::new(), On::NotYet).unwrap().steps[1].with, json!({"limits": {"cpu": "1"}}));

    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..10 {
        let many = vec![format!("*a{}", i - 1); 10].join(", ");
        bomb += &format!("a{i}: &a{i} [{many}]\n");
    }
    let deep = "[".repeat(100_000);
    for (name, text) in [("aliases", bomb), ("depth", deep), ("size", "x".repeat(2 << 20))] {
        let said = refusals(&text);
        assert_eq!(said.len(), 1, "{name}: {said:?}");
    }
}

#[test]
fn a_verb_is_a_runbook_that_can_be_read_again() {
    let with: Map<String, serde_json::Value> =
        serde_json::from_value(json!({"limits": {"memory": "8Gi"}, "flags": {"x": "${not-a-param}"}})).unwrap();
    let policy = Policy { timeout: Duration::from_secs(90), confirm: true, ..Policy::default() };
    let single = Resolved::single("scale-apiserver", with.clone(), Some("cp[1-3]"), &policy).unwrap();
    assert_eq!(single.steps[0].with, serde_json::Value::Object(with));
    assert_eq!(single.steps[0].policy, policy);
    assert_eq!(single.steps[0].at.to_string(), "command line");
    assert!(single.purpose.starts_with("Gives API servers more room"));

    let again = Runbook::parse(&single.text, COMMAND_LINE).unwrap().resolve_again(&single.params).unwrap();
    assert_eq!(again.steps[0].with, single.steps[0].with);
    assert_eq!(again.steps[0].policy, policy);
    assert_eq!(again.steps[0].targets.as_deref(), Some("cp[1-3]"));
}

#[test]
fn what_is_wrong_with_a_verb_is_said_of_the_command_line() {
    let with = serde_json::from_value(json!({"limit": {}})).unwrap();
    let said = Resolved::single("scale-apiserver", with, None, &Policy::default()).unwrap_err();
    assert!(said[0].to_string().starts_with("command line: step \"scale-apiserver\": unknown key \"limit\""));
    assert!(Resolved::single("scale", Map::new(), None, &Policy::default()).is_err());
}

#[test]
fn the_schema_of_the_file_holds_every_kind_and_nothing_that_points_elsewhere() {
    let schema = schema();
    let kinds = &schema["properties"]["spec"]["properties"]["steps"]["items"]["properties"]["kind"]["enum"];
    assert_eq!(kinds.as_array().map(Vec::len), Some(crate::steps::KINDS.len()));
    let text = schema.to_string();
    assert!(!text.contains("$ref"), "a schema with references cannot be put into another one");
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

#[test]
fn every_pattern_of_every_schema_is_one() {
    fn patterns<'a>(value: &'a serde_json::Value, found: &mut Vec<&'a str>) {
        match value {
            serde_json::Value::Object(map) => map.iter().for_each(|(key, value)| match value.as_str() {
                Some(pattern) if key == "pattern" => found.push(pattern),
                _ => patterns(value, found),
            }),
            serde_json::Value::Array(items) => items.iter().for_each(|item| patterns(item, found)),
            _ => {}
        }
    }
    let schema = schema();
    let mut found = Vec::new();
    patterns(&schema, &mut found);
    assert!(found.len() > 1);
    for pattern in found {
        assert!(regex::Regex::new(pattern).is_ok(), "{pattern}");
    }
}

//! What can be practised, and taken back, on the practice cluster.

use serde_json::Value;

use crate::{Home, Practice};

/// Every kind of step that can be practised, each as it follows from those before it.
const EVERY_KIND: &str = "\
apiVersion: breakglass/v1
kind: Runbook
metadata: {name: every-kind, purpose: Practise every kind of step.}
spec:
  steps:
    - {name: look, kind: probe, with: {within: 1s}, onFailure: continue}
    - {name: why, kind: diagnose}
    - {name: find, kind: find-offender}
    - {name: known, kind: access, when: '${steps.why.answers}'}
    - {name: beside, kind: recovery-apiserver-start}
    - {name: sure, kind: confirm, with: {question: Shall it begin?, unattended: 'yes'}}
    - {name: freeze, kind: freeze-nodes}
    - {name: close, kind: gate-close, with: {for: 15m, stages: ['50%', '100%']}}
    - {name: confirmed, kind: gate-confirm}
    - {name: back, kind: rollback, with: {object: ds/telemetry/agent}}
    - {name: park, kind: park, with: {object: ds/telemetry/agent}}
    - {name: file, kind: prepare-authorization-config}
    - {name: jail, kind: jail, with: {subject: sa/telemetry/agent}}
    - {name: throttle, kind: throttle, with: {subject: sa/telemetry/agent}}
    - {name: revoke, kind: revoke, with: {workload: ds/telemetry/agent}}
    - {name: void, kind: revoke-tokens, with: {subject: sa/telemetry/agent}}
    - {name: rights, kind: restore-rights}
    - {name: admit, kind: disarm}
    - {name: still, kind: freeze-automation, with: {object: application/argocd/edge}}
    - {name: stop, kind: freeze-pods, with: {object: ds/telemetry/agent}}
    - {name: end, kind: end-pods, with: {workload: ds/telemetry/agent, force: true}}
    - {name: rescue, kind: rescue-manifest}
    - {name: renew, kind: renew-certificates}
    - {name: room, kind: scale-apiserver, with: {limits: {memory: 8Gi}}}
    - {name: healthy, kind: wait-for, with: {health: {times: 1}}}
    - {name: open, kind: gate-open, with: {window: 1s}}
    - {name: release, kind: release, with: {object: ds/telemetry/agent, stages: [1, 10], window: 1s}}
    - {name: away, kind: refuse-return, with: {object: ds/telemetry/agent}}
    - {name: delete, kind: delete, with: {object: ds/telemetry/agent}}
    - {name: off, kind: remove-finalizers, with: {object: applications.v1alpha1.argoproj.io/argocd/edge, beforeDelete: true}}
    - {name: thaw, kind: thaw-nodes}
    - {name: again, kind: thaw-automation, with: {all: argo-cd}}
    - {name: over, kind: recovery-apiserver-stop}
    - {name: told, kind: exec, with: {argv: ['true'], local: true, noUndo: it changes nothing}}
";

#[test]
fn what_was_released_is_parked_again_by_undo_as_it_was() {
    let home = Home::new();
    let practice = Practice::start(&home, &["--peace"]);
    let with_kit = |args: &[&str]| practice.run(&home, args);
    let _ = with_kit(&["park", "ds/telemetry/agent", "--yes"]).is(0, &["every step is done"]);
    let told = with_kit(&["status", "--api"]).is(0, &["parked: to no node"]).out;
    let release = ["release", "ds/telemetry/agent", "--stages", "2", "--window", "1s", "--yes"];
    let _ = with_kit(&release).is(0, &["every step is done"]);
    let _ = with_kit(&["undo", "last", "--yes"]).is(0, &["nothing of this run stands"]);
    let again = with_kit(&["status", "--api"]).is(0, &["1 thing stands", "parked: to no node"]).out;
    assert_eq!(again, told, "not as it was");
    practice.end();
}

#[test]
fn a_deadlock_of_webhooks_is_practised_with_servers_that_answer() {
    let home = Home::new();
    let run = home.run(&["run", "--sandbox", "webhook-deadlock", "--yes", "-v"]).is(0, &["every step is done"]);
    let said = format!("{}{}", run.out, run.err);
    assert!(said.contains("service policy/policy:443: it has no endpoints") && said.contains("1 change"), "{said}");
    let wrong = ["disarm", "validatingwebhookconfiguration/polcy", "--sandbox", "--yes"];
    let _ = home.run(&wrong).is(3, &["is not there; there is validatingwebhookconfiguration/policy"]);
}

#[test]
fn a_client_is_jailed_and_let_out_again_and_what_has_to_be_prepared_before_is_said() {
    let home = Home::new();
    let client = ["-p", "client=sa/telemetry/agent"];
    let run = [&["run", "--sandbox", "jail-client", "--yes", "-v"], &client[..]].concat();
    let _ = home.run(&run).is(0, &["every step is done", "in force: ", "ready 2 times in a row"]);
    let practice = Practice::start(&home, &["--peace"]);
    let with_kit = |args: &[&str]| practice.run(&home, args);
    let jail = ["jail", "sa/telemetry/agent", "--verbs", "list,watch", "--yes"];
    let _ = with_kit(&jail).is(3, &["--authorization-mode=Node,RBAC", "breakglass prepare authorization-config"]);
    let _ = with_kit(&["prepare", "authorization-config", "--yes"]).is(0, &["it runs with --authorization-config="]);
    let plan = with_kit(&["jail", "sa/telemetry/agent", "--plan"]).is(0, &["0 API requests", "failurePolicy: Deny"]);
    assert!(!plan.out.contains("GET "), "{}", plan.out);
    let _ = with_kit(&jail).is(0, &["in force: "]);
    let _ = with_kit(&["undo", "last", "--yes"]).is(0, &["nothing of this run stands"]);
    let vital = with_kit(&["jail", "sa/kube-system/coredns", "--yes"]).is(8, &["a part of Kubernetes runs as it"]);
    assert!(vital.err.contains("--consent"), "{}", vital.err);
    practice.end();
}

#[test]
fn whoever_knows_only_that_kubectl_does_not_work_can_practise_that() {
    let home = Home::new();
    let _ = home.run(&["drill", "--sandbox", "regain-access"]).is(0, &["would PATCH validatingwebhookconfigurations"]);
    let run = home.run(&["run", "--sandbox", "regain-access", "--yes"]).is(0, &["every step is done", "1 change"]);
    let said = format!("{}{}", run.out, run.err);
    for left_out in ["silent is no", "needsCredential is no", "lacksRights is no"] {
        assert!(said.contains(left_out), "{left_out:?}: {said}");
    }
}

#[test]
fn a_delete_that_does_not_end_is_practised_and_ended_by_the_command_that_it_names() {
    let home = Home::new();
    let practice = Practice::start(&home, &["--peace"]);
    let with_kit = |args: &[&str]| practice.run(&home, args);
    let at = "argoproj.io/v1alpha1/applications/argocd/edge";
    let next = format!("breakglass remove-finalizers {at} --finalizer resources-finalizer.argocd.argoproj.io");
    let _ = with_kit(&["delete", at, "--yes", "--gone-within", "2s"]).is(5, &["held by", &next]);
    let _ = with_kit(&["remove-finalizers", at, "--yes"]).is(8, &["nobody manages it", "--consent"]);
    let _ = with_kit(&["remove-finalizers", at, "--yes", "--consent", "edge"]).is(0, &["every step is done"]);
    let _ = with_kit(&["delete", at, "--yes"]).is(0, &["is not there"]);
    practice.end();
}

/// Kinds that the sandbox has nothing for, and why.
const NOT_PRACTISED: [(&str, &str); 1] =
    [("http", "a hook is somebody else's server, and there is none in the sandbox")];

#[test]
fn every_kind_of_step_can_be_practised_and_freezing_is_undone_by_thawing() {
    let home = Home::new();
    let kinds = home.run(&["steps", "-o", "json"]).is(0, &[]);
    for line in kinds.out.lines() {
        let kind: Value = serde_json::from_str(line).unwrap();
        let kind = kind["kind"].as_str().unwrap();
        let practised =
            EVERY_KIND.contains(&format!("kind: {kind}, ")) || EVERY_KIND.contains(&format!("kind: {kind}}}"));
        let left_out = NOT_PRACTISED.iter().any(|(name, _)| *name == kind);
        assert!(practised != left_out, "{kind}: practise it in EVERY_KIND, or say in NOT_PRACTISED why that cannot be");
    }
    let practice = Practice::start(&home, &["--peace"]);
    std::fs::write(home.path("every-kind.yaml"), EVERY_KIND).unwrap();
    let run = practice
        .run(&home, &["run", "every-kind.yaml", "--yes", "--consent", "edge", "--consent", "agent"])
        .is(0, &["every step is done"]);
    let said = format!("{}{}", run.out, run.err);
    assert!(!said.contains("does not simulate") && !said.contains("is not told"), "{said}");
    for word in ["frozen", "the node lifecycle runs again"] {
        assert!(said.contains(word), "{word:?}: {said}");
    }
    practice.end();
}

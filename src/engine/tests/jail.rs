//! Jails through the engine: asked about once for all hosts, put beside those of others, and taken out alone.

use serde_json::json;

use super::samples::bench_of;
use super::support::*;
use crate::change::Target;
use crate::error::Class;
use crate::world::fake::jail::AUTHORIZERS;

fn hosts() -> [Target; 2] {
    ["cp1", "cp2"].map(|name| Target::host("east", name))
}

fn text(bench: &Bench, host: &Target) -> String {
    bench.fake.files(host).get(AUTHORIZERS).cloned().unwrap_or_default()
}

#[test]
fn what_is_to_be_typed_is_asked_once_for_all_hosts() {
    paused(async {
        let vital = || vec![("jail", "jail", json!({"subject": "sa/kube-system/coredns"}))];
        let bench = bench_of(&vital());
        let report = bench.run().await;
        assert_eq!(report.class, None, "{}", report.why);
        assert_eq!(bench.journal().run.answers.len(), 1);
        assert_eq!(bench.asked.lock().unwrap().len(), 1);
        for host in hosts() {
            assert!(text(&bench, &host).contains("serviceaccount/kube-system/coredns"), "{host}");
        }
    });
}

#[test]
fn another_jail_and_an_edit_beside_it_stay_and_an_edit_in_it_is_left_and_said() {
    paused(async {
        let bench = bench_of(&[("jail", "jail", json!({"subject": "sa/telemetry/agent"}))]);
        let [cp1, cp2] = hosts();
        let before = text(&bench, &cp1);
        let other = before.replace("authorizers:\n", "authorizers:\n# breakglass jail other step 1: begin\n- {type: Webhook, name: other}\n# breakglass jail other step 1: end\n");
        bench.fake.write(&cp1, AUTHORIZERS, &other);
        let report = bench.run().await;
        assert_eq!(report.class, None, "{}", report.why);
        let jailed = text(&bench, &cp2);
        bench.fake.write(&cp2, AUTHORIZERS, &jailed.replace("timeout: 1s", "timeout: 9s"));
        let report = bench.undo().await;
        assert_eq!(report.class, Some(Class::Stuck), "{}", report.why);
        assert!(report.why.contains("cp2"), "{}", report.why);
        assert_eq!(text(&bench, &cp1), other);
        bench.fake.write(&cp2, AUTHORIZERS, &jailed);
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(text(&bench, &cp2), before);
    });
}

#[test]
fn a_host_that_is_not_prepared_keeps_no_other_host_from_being_jailed() {
    paused(async {
        let bench = bench_of(&[("jail", "jail", json!({"subject": "sa/telemetry/agent"}))]);
        let [cp1, cp2] = hosts();
        bench.fake.remove(&cp1, AUTHORIZERS);
        let report = bench.run().await;
        assert_eq!(report.class, Some(Class::Partial), "{}", report.why);
        assert!(report.why.contains("--authorization-mode=Node,RBAC"), "{}", report.why);
        assert!(text(&bench, &cp2).contains(" begin\n"));
    });
}

/// The way back would end a jail that somebody else has put there since.
#[test]
fn what_was_prepared_is_not_taken_back_while_a_jail_stands() {
    paused(async {
        let bench = bench_of(&[("file", "prepare-authorization-config", json!({}))]);
        let report = bench.run().await;
        assert_eq!(report.class, None, "{}", report.why);
        let [cp1, cp2] = hosts();
        let manifest = "/etc/kubernetes/manifests/kube-apiserver.yaml";
        let (prepared, with_jail) = (text(&bench, &cp1), format!("{}# a jail\n", text(&bench, &cp1)));
        bench.fake.write(&cp1, AUTHORIZERS, &with_jail);
        let report = bench.undo().await;
        assert_eq!(report.class, Some(Class::Stuck), "{}", report.why);
        assert_eq!(text(&bench, &cp1), with_jail);
        assert!(bench.fake.files(&cp1)[manifest].contains("--authorization-config="));
        assert!(bench.fake.files(&cp2)[manifest].contains("--authorization-mode="), "the other host has none");
        bench.fake.write(&cp1, AUTHORIZERS, &prepared);
        assert_eq!(bench.undo().await.class, None);
        assert!(bench.fake.files(&cp1)[manifest].contains("--authorization-mode="));
        assert_eq!(text(&bench, &cp1), "");
    });
}

/// A file that is there and says something else is nobody's to guess about.
#[test]
fn a_file_that_is_there_already_is_taken_as_it_is_or_not_at_all() {
    paused(async {
        let bench = bench_of(&[("file", "prepare-authorization-config", json!({}))]);
        let [cp1, _] = hosts();
        bench.fake.write(&cp1, AUTHORIZERS, "authorizers: []\n");
        let report = bench.run().await;
        assert_eq!(report.class, Some(Class::Refused), "{}", report.why);
        assert!(report.why.contains("says something else"), "{}", report.why);
        assert_eq!(bench.fake.ops(), 0);
    });
}

//! Rights taken away and given back, whatever others do to the bindings meanwhile.

use std::time::Duration;

use serde_json::{Value, json};

use super::announced::all_announced;
use super::support::*;
use crate::change::{Method, Op, Target};
use crate::error::Class;
use crate::journal::Entry;
use crate::world::fake::{Fake, Fault, Sent};
use crate::world::{Accept, KubeRead, Reads as _};

const CLUSTER_LIST: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings?limit=500";
const LIST: &str = "/apis/rbac.authorization.k8s.io/v1/rolebindings?limit=500";

fn bench(with: Value) -> Bench {
    Bench::new(world(&["east"]), plan(&["east"], &[("revoke", "revoke", with)], &policy()))
}

fn named() -> Bench {
    let bindings = ["clusterrolebinding/agent", "rolebinding/telemetry/readers"];
    bench(json!({"subject": "sa/telemetry/agent", "bindings": bindings}))
}

/// What the objects of the world would be listed as: items say neither kind nor version.
fn items(fake: &Fake, paths: &[&str], more: &[Value]) -> Vec<Value> {
    let object = |path: &&str| {
        let mut object = fake.objects("east", |o| o.at(path).unwrap().clone());
        if path.contains("/namespaces/") {
            object["metadata"]["namespace"] = json!("telemetry");
        }
        object
    };
    paths.iter().map(object).chain(more.iter().cloned()).collect()
}

fn answer(fake: &Fake, path: &str, kind: &str, items: &[Value], next: &str) {
    let list = json!({"kind": kind, "metadata": {"continue": next}, "items": items});
    fake.answer(path, 200, &list.to_string(), Duration::ZERO);
}

fn listed(bench: &Bench, more: &[Value]) {
    let fake = &bench.fake;
    answer(fake, CLUSTER_LIST, "ClusterRoleBindingList", &items(fake, &[OWN], more), "");
    answer(fake, LIST, "RoleBindingList", &items(fake, &[SHARED], &[]), "");
}

fn bound(name: &str, role: &str, subject: &Value) -> Value {
    json!({"metadata": {"name": name}, "roleRef": {"kind": "ClusterRole", "name": role}, "subjects": [subject]})
}

/// Method and path of all that was sent, in order.
fn sent(bench: &Bench) -> Vec<String> {
    let line = |sent: &Sent| match sent {
        Sent::Get(_, path) => format!("GET {path}"),
        Sent::Op(_, op) => op.summary(),
        other => format!("{other:?}"),
    };
    bench.fake.take_sent().iter().map(line).collect()
}

fn said(bench: &Bench) -> Vec<String> {
    let lines = bench.lines();
    let saw = |entry: Entry| if let Entry::Saw { what, .. } = entry { Some(what.to_string()) } else { None };
    lines.into_iter().filter_map(|line| saw(line.entry)).collect()
}

fn subjects(bench: &Bench, path: &str) -> Option<Value> {
    bench.fake.objects("east", |o| o.at(path).map(|object| object["subjects"].clone()))
}

fn jane() -> Value {
    json!({"kind": "User", "name": "jane"})
}

fn agent() -> Value {
    json!({"kind": "ServiceAccount", "namespace": "telemetry", "name": "agent"})
}

#[test]
fn a_binding_that_is_named_costs_two_requests_and_nothing_is_listed() {
    paused(async {
        let bench = named();
        let before = bench.fake.snapshot();
        let report = bench.run().await;
        assert_eq!(report.class, None, "{}", report.why);
        let expected =
            [format!("GET {OWN}"), format!("GET {SHARED}"), format!("DELETE {OWN}"), format!("PATCH {SHARED}")];
        assert_eq!(sent(&bench), expected);
        assert_eq!((subjects(&bench, OWN), subjects(&bench, SHARED)), (None, Some(json!([jane()]))));
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(bench.fake.snapshot(), before);
    });
}

#[test]
fn without_names_two_lists_find_all_bindings_and_what_groups_allow_is_told() {
    paused(async {
        let bench = bench(json!({"subject": "system:serviceaccount:telemetry:agent"}));
        let before = bench.fake.snapshot();
        let group = |name: &str| json!({"kind": "Group", "name": name});
        let more = [
            bound("wide", "edit", &group("system:serviceaccounts:telemetry")),
            bound("system:discovery", "system:discovery", &group("system:authenticated")),
            bound("elsewhere", "edit", &group("system:serviceaccounts:edge")),
        ];
        listed(&bench, &more);
        let report = bench.run().await;
        assert_eq!(report.class, None, "{}", report.why);
        let expected =
            [format!("GET {CLUSTER_LIST}"), format!("GET {LIST}"), format!("DELETE {OWN}"), format!("PATCH {SHARED}")];
        assert_eq!(sent(&bench), expected, "and no second list");
        let left = "serviceaccount/telemetry/agent is still allowed through group system:serviceaccounts:telemetry by \
                    clusterrolebinding/wide (ClusterRole edit)";
        let said = said(&bench);
        assert_eq!(said.iter().filter(|what| what.contains("still allowed")).collect::<Vec<_>>(), [left]);
        assert!(said.iter().any(|what| what.contains("a webhook or a policy file")), "{said:?}");
        assert_eq!(bench.undo().await.class, None);
        // What was saved is an item of a list, and comes back as an object.
        bench.fake.objects("east", |o| {
            o.edit(OWN, |object| {
                assert_eq!(object["kind"], "ClusterRoleBinding");
                let map = object.as_object_mut().unwrap();
                map.remove("kind");
                map.remove("apiVersion");
            });
        });
        assert_eq!(bench.fake.snapshot(), before);
    });
}

#[test]
fn what_a_list_leads_to_was_announced_whatever_goes_wrong() {
    paused(async {
        for number in 1..=2 {
            for fault in [Fault::Refuse, Fault::LoseMade, Fault::LoseNotMade, Fault::Late] {
                let bench = bench(json!({"subject": "sa/telemetry/agent"}));
                listed(&bench, &[]);
                bench.fake.fault(number, fault);
                bench.run().await;
                all_announced(&bench.plan, &bench.fake.take_sent());
            }
        }
    });
}

#[test]
fn lists_are_read_page_by_page_and_not_without_end() {
    paused(async {
        for (pages, stops) in [(3, false), (10, false), (11, true)] {
            let bench = bench(json!({"subject": "sa/telemetry/agent"}));
            let fake = &bench.fake;
            for page in 1..=pages {
                let path = match page {
                    1 => CLUSTER_LIST.to_owned(),
                    page => format!("{CLUSTER_LIST}&continue=to%2F{page}%3D"),
                };
                let next = if page < pages { format!("to/{}=", page + 1) } else { String::new() };
                let paths: &[&str] = if page == pages.min(10) { &[OWN] } else { &[] };
                answer(
                    fake,
                    &path,
                    "ClusterRoleBindingList",
                    &items(fake, paths, &[bound("x", "view", &jane())]),
                    &next,
                );
            }
            fake.answer(LIST, 200, r#"{"kind":"RoleBindingList","items":null}"#, Duration::ZERO);
            let report = bench.run().await;
            assert_eq!(report.class, None, "{pages}: {}", report.why);
            assert_eq!(sent(&bench).len(), pages.min(10) + 2, "{pages}");
            assert_eq!(subjects(&bench, OWN), None, "{pages}: what is on the last page counts, too");
            let told = said(&bench).iter().any(|what| what.contains("there are more than 11 clusterrolebindings"));
            assert_eq!(told, stops, "{pages}");
        }
    });
}

#[test]
fn a_subject_that_no_binding_names_is_said_and_nothing_is_changed() {
    paused(async {
        let bench = bench(json!({"subject": "sa/telemetry/nobody"}));
        listed(&bench, &[]);
        assert_eq!(bench.run().await.class, None);
        assert_eq!((bench.fake.ops(), sent(&bench).len()), (0, 2));
        let said = said(&bench);
        let words = "no binding names serviceaccount/telemetry/nobody: what it may do comes another way";
        assert!(said.iter().any(|what| what == words), "{said:?}");
    });
}

#[test]
fn a_binding_that_changed_between_look_and_write_is_looked_at_again() {
    paused(async {
        // Somebody else is bound to it meanwhile: it is no longer the agent's alone.
        let bench = named();
        bench.fake.meddle(1, "east", |o| o.edit(OWN, |object| object["subjects"] = json!([jane(), agent()])));
        let report = bench.run().await;
        assert_eq!(report.class, None, "{}", report.why);
        assert_eq!(subjects(&bench, OWN), Some(json!([jane()])));
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(subjects(&bench, OWN), Some(json!([jane(), agent()])));

        let bench = named();
        bench.fake.meddle(2, "east", |o| o.edit(SHARED, |object| object["subjects"] = json!([agent()])));
        let report = bench.run().await;
        assert_eq!(report.class, None, "{}", report.why);
        assert_eq!(subjects(&bench, SHARED), None, "it has become the agent's alone");
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(subjects(&bench, SHARED), Some(json!([agent()])));
    });
}

#[test]
fn what_somebody_changed_since_is_named_and_left_and_the_other_is_put_back() {
    paused(async {
        let bench = named();
        bench.run().await;
        let theirs = json!([jane(), {"kind": "User", "name": "joe"}]);
        bench.fake.objects("east", |o| o.edit(SHARED, |object| object["subjects"] = theirs.clone()));
        let report = bench.undo().await;
        assert_eq!((report.class, report.tally.stuck), (Some(Class::Stuck), 1), "{}", report.why);
        assert!(report.why.contains("rolebindings/readers") && report.why.contains("/subjects"), "{}", report.why);
        assert_eq!(subjects(&bench, SHARED), Some(theirs));
        assert_eq!(subjects(&bench, OWN), Some(json!([agent()])), "one that is stuck keeps no other one back");
    });
}

#[test]
fn another_binding_of_the_same_name_is_not_taken_for_the_saved_one() {
    paused(async {
        let bench = named();
        bench.run().await;
        let mut other = bound("agent", "edit", &agent());
        other["metadata"]["labels"] = json!({"app": "x"});
        bench.fake.objects("east", |o| o.put(OWN, other));
        let report = bench.undo().await;
        assert_eq!(report.class, Some(Class::Stuck), "{}", report.why);
        assert!(report.why.contains("/roleRef/name"), "{}", report.why);
    });
}

/// Two of us at the same moment: the other one's comes first, and is not ours to take back.
#[test]
fn what_somebody_else_took_out_meanwhile_is_not_ours() {
    paused(async {
        let bench = bench(json!({"subject": "sa/telemetry/agent", "bindings": ["rolebinding/telemetry/readers"]}));
        bench.fake.fault(1, Fault::LoseNotMade);
        bench.fake.meddle(2, "east", |o| {
            o.edit(SHARED, |object| {
                object["subjects"] = json!([jane()]);
                object["metadata"]["annotations"] =
                    json!({"breakglass.io/revoked": "another serviceaccount/telemetry/agent"});
            });
        });
        let report = bench.run().await;
        assert_eq!((report.class, report.tally.done), (None, 0), "{}", report.why);
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(subjects(&bench, SHARED), Some(json!([jane()])));
    });
}

/// The process that listed is dead, and a write that a look had given up arrives after that.
#[test]
fn what_arrives_late_is_ours_also_after_a_resume_that_lists_anew() {
    paused(async {
        let with = json!({"subject": "sa/telemetry/agent"});
        let mut bench = bench(with.clone());
        bench.fake.objects("east", |o| o.remove(OWN));
        let list = |bench: &Bench| {
            answer(&bench.fake, CLUSTER_LIST, "ClusterRoleBindingList", &[], "");
            answer(&bench.fake, LIST, "RoleBindingList", &items(&bench.fake, &[SHARED], &[]), "");
        };
        list(&bench);
        let before = bench.fake.snapshot();
        bench.fake.fault(1, Fault::LoseNotMade);
        // Killed before its second attempt is written down.
        let lines = {
            let probe = Bench::new(world(&["east"]), plan(&["east"], &[("revoke", "revoke", with.clone())], &policy()));
            probe.fake.objects("east", |o| o.remove(OWN));
            list(&probe);
            probe.fake.fault(1, Fault::LoseNotMade);
            probe.run().await;
            let lines = probe.lines();
            lines.iter().rposition(|line| matches!(line.entry, Entry::NotMade { .. })).unwrap()
        };
        assert!(bench.go(Verb::Run, &trap(Trap::After(lines))).await.is_none());
        bench.fake.objects("east", |o| {
            o.edit(SHARED, |object| {
                object["subjects"] = json!([jane()]);
                let run = "20250101T000000Z-test serviceaccount/telemetry/agent by=eve";
                object["metadata"]["annotations"] = json!({"breakglass.io/revoked": run});
            });
        });
        list(&bench);
        // The lists of before are over.
        for path in [CLUSTER_LIST, LIST] {
            let read = KubeRead { path: path.into(), accept: Accept::Json, limit: Duration::from_secs(1) };
            bench.fake.kube(&Target::cluster("east"), &read).await.unwrap();
        }
        bench.plan = plan(&["east"], &[("revoke", "revoke", with)], &policy());
        let report = bench.resume().await;
        assert_eq!((report.class, report.tally.done), (None, 1), "{}", report.why);
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(bench.fake.snapshot(), before);
    });
}

/// An account that nobody named: that of a part of Kubernetes, and the one that all pods share that name no other.
#[test]
fn an_account_that_others_may_run_as_keeps_its_rights_unless_that_was_typed_and_the_run_goes_on() {
    paused(async {
        for (namespace, says, taken) in
            [("telemetry", Some(false), false), ("telemetry", Some(true), true), ("kube-system", Some(false), false)]
        {
            let path = DS.replace("telemetry", namespace);
            let bench =
                bench(json!({"workload": format!("ds/{namespace}/agent"), "bindings": ["clusterrolebinding/agent"]}));
            let account = json!({"kind": "ServiceAccount", "namespace": namespace, "name": "default"});
            bench.fake.objects("east", |o| {
                o.put(&path, json!({"metadata": {}, "spec": {"template": {"spec": {}}}}));
                o.edit(OWN, |object| object["subjects"] = json!([account]));
            });
            let report = bench.go(Verb::Run, &How { says, ..How::default() }).await.unwrap();
            assert_eq!(report.class, None, "{}", report.why);
            assert_eq!(subjects(&bench, OWN).is_none(), taken, "{namespace} {says:?}");
            assert!(taken || said(&bench).iter().any(|what| what.contains("keeps its rights")), "{:?}", said(&bench));
        }
    });
}

#[test]
fn a_binding_that_somebody_else_deleted_meanwhile_is_not_given_back() {
    paused(async {
        let bench = bench(json!({"subject": "sa/telemetry/agent", "bindings": ["clusterrolebinding/agent"]}));
        bench.fake.meddle(1, "east", |objects| drop(objects.remove(OWN)));
        assert_eq!(bench.run().await.class, None);
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(subjects(&bench, OWN), None, "it was another's decision");
    });
}

/// The DELETE of the subject's own binding leaves no mark: that it is gone is what tells.
#[test]
fn a_delete_that_arrives_after_the_look_that_missed_it_is_taken_back() {
    paused(async {
        let bench = bench(json!({"subject": "sa/telemetry/agent", "bindings": ["clusterrolebinding/agent"]}));
        let before = bench.fake.snapshot();
        bench.fake.fault(1, Fault::Late);
        bench.fake.fault(2, Fault::Busy);
        let report = bench.run().await;
        assert_eq!((report.class, report.tally.done), (None, 1), "{}", report.why);
        assert_eq!(subjects(&bench, OWN), None);
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(bench.fake.snapshot(), before);
    });
}

#[test]
fn a_workload_says_whose_rights_and_one_that_is_gone_is_said() {
    paused(async {
        let bindings = json!(["clusterrolebinding/agent"]);
        let of = |object: &str| bench(json!({"workload": object, "bindings": bindings}));
        let bench = of("ds/telemetry/agent");
        bench.fake.objects("east", |o| {
            o.edit(DS, |ds| ds["spec"]["template"]["spec"]["serviceAccountName"] = json!("agent"));
        });
        assert_eq!(bench.run().await.class, None);
        assert_eq!(sent(&bench), [format!("GET {DS}"), format!("GET {OWN}"), format!("DELETE {OWN}")]);

        // A cron job has its pods' template one storey deeper.
        let bench = of("cj/telemetry/sweep");
        bench.fake.objects("east", |o| {
            let template = json!({"spec": {"template": {"spec": {"serviceAccountName": "agent"}}}});
            o.edit(CRON, |cj| cj["spec"]["jobTemplate"] = template);
        });
        assert_eq!(bench.run().await.class, None);
        assert_eq!(subjects(&bench, OWN), None);

        let bench = of("ds/telemetry/agent");
        bench.run().await;
        assert!(said(&bench).iter().any(|what| what.contains("runs as serviceaccount/telemetry/default, as all pods")));

        let bench = of("ds/telemetry/gone");
        let report = bench.run().await;
        assert_eq!((report.class, bench.fake.ops()), (None, 0), "{}", report.why);
        assert!(said(&bench).iter().any(|what| what.contains("as `subject`")), "{:?}", said(&bench));
    });
}

/// With the workload gone, nobody could look whether the first write was made.
#[test]
fn a_workload_that_goes_while_an_outcome_is_open_is_no_proof_of_it() {
    paused(async {
        let with = json!({"workload": "ds/telemetry/agent", "bindings": ["clusterrolebinding/agent"]});
        let mut bench = bench(with.clone());
        bench.fake.objects("east", |o| {
            o.edit(DS, |ds| ds["spec"]["template"]["spec"]["serviceAccountName"] = json!("agent"));
        });
        let lines = {
            let probe = Bench::new(world(&["east"]), plan(&["east"], &[("r", "revoke", with.clone())], &policy()));
            probe.fake.objects("east", |o| {
                o.edit(DS, |ds| ds["spec"]["template"]["spec"]["serviceAccountName"] = json!("agent"));
            });
            probe.run().await;
            let lines = probe.lines();
            lines.iter().position(|line| matches!(line.entry, Entry::Intended { .. })).unwrap()
        };
        assert!(bench.go(Verb::Run, &trap(Trap::After(lines))).await.is_none());
        bench.fake.objects("east", |o| o.remove(DS));
        bench.plan = plan(&["east"], &[("revoke", "revoke", with)], &policy());
        let report = bench.resume().await;
        assert_eq!((report.class, report.tally.unknown), (Some(Class::Partial), 1), "{}", report.why);
    });
}

#[test]
fn what_the_cluster_may_live_by_is_taken_only_when_that_was_typed() {
    paused(async {
        let scheduler = json!({"kind": "User", "name": "system:kube-scheduler"});
        for (says, class) in [(Some(true), None), (Some(false), Some(Class::Declined)), (None, Some(Class::Declined))] {
            let bench = bench(json!({"subject": "system:kube-scheduler", "bindings": ["clusterrolebinding/agent"]}));
            bench.fake.objects("east", |o| o.edit(OWN, |object| object["subjects"] = json!([scheduler])));
            let report = bench.go(Verb::Run, &How { says, ..How::default() }).await.unwrap();
            assert_eq!(report.class, class, "{}", report.why);
            assert_eq!(bench.fake.ops(), usize::from(class.is_none()));
            assert_eq!(sent(&bench).len(), 2 * usize::from(class.is_none()), "nothing is looked at before");
        }
    });
}

#[test]
fn more_bindings_than_were_allowed_are_not_touched() {
    paused(async {
        for (at_most, class) in [(1, Some(Class::Refused)), (2, None)] {
            let bench = bench(json!({"subject": "sa/telemetry/agent", "atMost": at_most}));
            listed(&bench, &[]);
            let report = bench.run().await;
            assert_eq!(report.class, class, "{}", report.why);
            assert_eq!(bench.fake.ops(), if class.is_none() { 2 } else { 0 });
            assert!(class.is_none() || report.why.contains("named by 2 bindings"), "{}", report.why);
        }
    });
}

/// A controller, or the API server itself at its next start.
#[test]
fn who_puts_a_binding_back_is_told() {
    paused(async {
        let bench = named();
        bench.fake.objects("east", |o| {
            let annotations = json!({"rbac.authorization.kubernetes.io/autoupdate": "true"});
            o.edit(SHARED, |object| object["metadata"]["annotations"] = annotations);
            o.edit(OWN, |object| {
                object["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "Helm"});
                object["metadata"]["ownerReferences"] = json!([{"kind": "Operator", "name": "t", "uid": "1"}]);
            });
        });
        bench.run().await;
        let said = said(&bench).join("\n");
        for part in ["when it starts (autoupdate)", "belongs to Operator t, Helm", "back without its owner"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    });
}

#[test]
fn a_delete_names_uid_and_version_and_what_is_saved_stands_beside_the_journal() {
    paused(async {
        let bench = named();
        bench.run().await;
        let sent = bench.fake.take_sent();
        let deletes = sent.iter().filter_map(|sent| match sent {
            Sent::Op(_, op @ Op::Kube(call)) if call.method == Method::Delete => {
                Some(serde_json::to_string(op).unwrap())
            }
            _ => None,
        });
        for op in deletes {
            assert!(op.contains("resourceVersion") && op.contains("uid-"), "{op}");
        }
        let journal = std::fs::read_to_string(bench.folder().journal()).unwrap();
        assert!(!journal.contains("roleRef"), "what is saved stands beside the journal");
    });
}

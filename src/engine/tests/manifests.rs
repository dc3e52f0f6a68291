//! Manifests as tools and people write them, through the whole loop of edit and undo; and what is refused before an exchange,
//! said of it, and told when it failed.

use serde_json::json;

use super::support::*;
use crate::change::{Inverse, Op, Target};
use crate::engine::Report;
use crate::error::Class;
use crate::journal::{ChangeRecord, Entry};
use crate::world::ScriptOutput;
use crate::world::fake::{Exchange, Fake};

const FILE: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";

/// A run of one step over hosts that have this manifest; `room` is what they say of themselves.
fn bench(text: &str, kind: &'static str, with: serde_json::Value, room: Option<&'static str>) -> Bench {
    let fake = world(&["east"]);
    let program = if kind == "freeze-nodes" { "kube-controller-manager" } else { "kube-apiserver" };
    for host in hosts(&fake) {
        fake.write(&host, &FILE.replace("kube-apiserver", program), text);
    }
    if let Some(room) = room {
        fake.on_script(Box::new(move |_, script| {
            let stdout = format!("{room}\nend=yes\n");
            (script.name == "manifest.room").then(|| ScriptOutput { status: 0, stdout, stderr: String::new() })
        }));
    }
    Bench::new(fake, plan(&["east"], &[("more", kind, with)], &policy()))
}

fn hosts(fake: &Fake) -> Vec<Target> {
    use crate::world::Reads as _;
    fake.cluster("east").unwrap().hosts.iter().map(|host| Target::host("east", &host.name)).collect()
}

fn pod(lines: &[&str]) -> String {
    let command: String = lines.iter().map(|line| format!("    {line}\n")).collect();
    format!(
        "kind: Pod\nspec:\n  containers:\n  - name: api\n    command:\n{command}    resources:\n      limits:\n        memory: 4Gi # RFC-17\n"
    )
}

fn saw(bench: &Bench) -> String {
    let all = bench.lines().into_iter().filter_map(|line| match line.entry {
        Entry::Saw { what, .. } => Some(what.to_string()),
        _ => None,
    });
    all.collect::<Vec<_>>().join("\n")
}

fn swap(bench: &Bench) -> ChangeRecord {
    bench.journal().run.changes.values().find(|record| record.change.key == "swap").unwrap().clone()
}

/// Only the wanted bytes differ, and undo brings all of them back.
#[test]
fn manifests_as_they_are_written_are_edited_and_taken_back_to_the_same_bytes() {
    paused(async {
        let plain = pod(&["- kube-apiserver", "- --max-requests-inflight=400 # INC-1"]);
        let to = |text: &str, from: &str, into: &str| (text.to_owned(), text.replace(from, into).replace("4Gi", "8Gi"));
        let cases = [
            to(&plain, "=400", "=800"),
            to(&plain.replace('\n', "\r\n"), "=400", "=800"),
            to(&format!("{plain}---\n"), "=400", "=800"),
            to(&format!("---\n{plain}---\nkind: Pod\n"), "=400", "=800"),
            to(&plain.replace("- kube-apiserver", "- kube-apiserver # do not reorder"), "=400", "=800"),
            to(&pod(&["- kube-apiserver", "- --max-requests-inflight", "- \"400\""]), "\"400\"", "\"800\""),
            to(
                &pod(&["- kube-apiserver", "- --max-requests-inflight=400", "- --max-requests-inflight=600"]),
                "=600",
                "=800",
            ),
            to(
                &pod(&["- kube-apiserver", "# was --max-requests-inflight=9", "- --max-requests-inflight=400"]),
                "=400",
                "=800",
            ),
            to(
                &pod(&["- /go-runner", "- --log-file=/x", "- /k/kube-apiserver", "- --max-requests-inflight=400"]),
                "=400",
                "=800",
            ),
            to(
                "{\"kind\":\"Pod\",\"spec\":{\"containers\":[{\"name\":\"a\",\"command\":[\"kube-apiserver\",\"--max-requests-inflight=400\"],\"resources\":{\"limits\":{\"memory\":\"4Gi\"}}}]}}",
                "=400",
                "=800",
            ),
        ];
        for (text, wanted) in cases {
            let with = json!({"flags": {"max-requests-inflight": "800"}, "limits": {"memory": "8Gi"}});
            let bench = bench(&text, "scale-apiserver", with, None);
            let before: Vec<_> = hosts(&bench.fake).iter().map(|host| bench.fake.files(host)).collect();
            let report = bench.run().await;
            assert_eq!(report.class, None, "{text}: {}", report.why);
            for host in hosts(&bench.fake) {
                assert_eq!(bench.fake.files(&host)[FILE], wanted);
            }
            assert_eq!(bench.undo().await.class, None, "{text}");
            let after: Vec<_> = hosts(&bench.fake).iter().map(|host| bench.fake.files(host)).collect();
            assert_eq!(after, before, "{text}");
        }
    });
}

/// What is said of a run that must not touch anything.
async fn refused(kind: &'static str, text: &str, with: serde_json::Value, room: &'static str) -> Report {
    let bench = bench(text, kind, with, Some(room));
    let report = bench.run().await;
    assert_eq!(report.class, Some(Class::Refused), "{}", report.why);
    assert_eq!(bench.fake.ops(), 0, "{}", report.why);
    report
}

#[test]
fn what_cannot_work_on_a_host_is_refused_before_anything_is_sent() {
    paused(async {
        let text = "kind: Pod\nspec:\n  containers:\n  - name: a\n    command: [kube-apiserver]\n";
        let flags = json!({"flags": {"max-request-inflight": "800"}});
        let memory = json!({"limits": {"memory": "8Gi"}});
        let host = "total=16384000\ncpus=8\nmemory=2500000 2600000";
        let unknown =
            "total=16384000\ncpus=8\nrefuses=unknown flag: --max-request-inflight\nflag=max-requests-inflight";
        let report = refused("scale-apiserver", text, flags, unknown).await;
        assert!(report.why.contains("unknown flag: --max-request-inflight"), "{}", report.why);
        let report = refused("scale-apiserver", text, json!({"limits": {"memory": "2Gi"}}), host).await;
        assert!(report.why.contains("2Gi is not more than what kube-apiserver uses now, 2.4Gi"), "{}", report.why);
        let report = refused("scale-apiserver", text, json!({"limits": {"memory": "64Gi"}}), host).await;
        assert!(report.why.contains("is 64Gi, and the host has 15.7Gi"), "{}", report.why);
        let report = refused(
            "scale-apiserver",
            &text.replace("[kube-apiserver]", "[haproxy, \"kube-apiserver\"]"),
            memory,
            host,
        )
        .await;
        assert!(report.why.contains("no manifest") && report.why.contains("only names it"), "{}", report.why);
        let manager = "kind: Pod\nspec:\n  containers:\n  - name: a\n    command: [kube-controller-manager]\n";
        let report = refused("freeze-nodes", manager, json!({}), "lacks=taint-eviction-controller").await;
        assert!(report.why.contains("does not know taint-eviction-controller"), "{}", report.why);
    });
}

#[test]
fn what_cannot_be_told_is_said_and_does_not_stand_in_the_way() {
    paused(async {
        let text = "# Ansible managed\nkind: Pod\nspec:\n  containers:\n  - name: a\n    command: [kube-apiserver]\n";
        let with = json!({"flags": {"max-requests-inflight": "800"}, "limits": {"memory": "8Gi"}});
        let bench = bench(text, "scale-apiserver", with, Some("unasked=no process of kube-apiserver runs"));
        let report = bench.run().await;
        assert_eq!(report.class, None, "{}", report.why);
        let saw = saw(&bench);
        for part in [
            "not checked whether this version of kube-apiserver knows --max-requests-inflight=800: no process",
            "not checked whether the host has enough memory",
            "not checked whether kube-apiserver needs more than limits.memory",
            "may be put back by whoever its remark names (\"Ansible managed\")",
        ] {
            assert!(saw.contains(part), "{part} is not in\n{saw}");
        }
    });
}

/// The old process is waited for as long as its manifest lets it take, unless somebody asked for less, which is said.
#[test]
fn the_old_process_is_waited_for_as_long_as_its_manifest_lets_it_take() {
    paused(async {
        let patient = pod(&["- kube-apiserver", "- --shutdown-delay-duration=70s"])
            .replace("spec:\n", "spec:\n  terminationGracePeriodSeconds: 135\n");
        let more = |exit: Option<u64>| json!({"flags": {"max-requests-inflight": "800"}, "exitSeconds": exit});
        let lets = "its manifest lets it take 205 s (terminationGracePeriodSeconds 135, shutdown delay 70 s)";
        let forever = patient.replace("135", "3600");
        for (text, exit, waits, said) in [
            (pod(&["- kube-apiserver"]), None, 60, String::new()),
            (patient.clone(), None, 205, format!("is waited for up to 205 s: {lets}")),
            (patient.clone(), Some(300), 300, String::new()),
            (
                patient,
                Some(20),
                20,
                format!("is waited for 20 s, and {lets}: where it has not ended by then, the old manifest comes back"),
            ),
            (forever, None, 600, "is waited for 600 s, and its manifest lets it take 3670 s".into()),
        ] {
            let bench = bench(&text, "scale-apiserver", more(exit), None);
            assert_eq!(bench.run().await.class, None);
            let (saw, swap) = (saw(&bench), swap(&bench).change);
            assert!(saw.contains(&said) && (!said.is_empty() || !saw.contains("is waited for")), "{said:?}: {saw}");
            let Op::Host(command) = &swap.op else { panic!("{swap:?}") };
            assert!(command.script.body.contains(&format!("EXIT={waits};")), "{exit:?}: {}", command.script.body);
            assert!(swap.deadline_secs > 2 * waits, "{}", swap.deadline_secs);
            let Inverse::By(back) = &swap.inverse else { panic!("{swap:?}") };
            assert!(format!("{back:?}").contains(&format!("EXIT={waits};")), "the way back");
        }
    });
}

#[test]
fn an_exchange_that_failed_tells_why_and_is_not_recommended_again() {
    paused(async {
        let text = pod(&["- kube-apiserver"]);
        let bench = bench(&text, "scale-apiserver", json!({"flags": {"max-requests-inflight": "800"}}), None);
        bench.fake.exchange(Exchange::Reverts);
        let report = bench.run().await;
        assert_eq!(report.class, Some(Class::Partial));
        assert!(report.why.contains("HTTP 500; its log ends: Error: it did not like it"), "{}", report.why);
        let by_hand = swap(&bench).change.by_hand;
        assert!(by_hand.contains("before.yaml") && by_hand.contains(".log"), "{by_hand}");
        assert!(!by_hand.contains("mv ") && !by_hand.contains(&format!("next.yaml {FILE}")), "{by_hand}");
    });
}

//! Waiting for an effect.

use std::time::Duration;

use serde_json::{Value, json};

use super::support::*;
use crate::change::Target;
use crate::engine::Report;
use crate::error::Class;
use crate::finding::Finding;
use crate::journal::Entry;
use crate::runbook::Policy;
use crate::world::fake::{Fake, Sent, kube_answer};
use crate::world::{KubeAnswer, ScriptOutput};

const DUMP: &str = "/debug/api_priority_and_fairness/dump_requests";
const SMALL: &str = "/api/v1/namespaces/kube-system";
const OBJECT: &str = r#"{"kind": "PartialObjectMetadata"}"#;

/// Waits in a world prepared like this; the report, and how many seconds went by.
async fn wait(with: Value, prepare: impl FnOnce(&Fake)) -> (Report, u64) {
    let bench = Bench::new(world(&["east"]), plan(&["east"], &[("wait", "wait-for", with)], &policy()));
    prepare(&bench.fake);
    let began = tokio::time::Instant::now();
    let report = bench.run().await;
    assert_eq!(bench.fake.ops(), 0);
    (report, began.elapsed().as_secs())
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn health_is_asked_again_until_it_holds_in_a_row() {
    paused(async {
        let (report, took) = wait(json!({"health": {"times": 3}}), |fake| {
            for code in [500, 200, 200, 500] {
                fake.answer("/readyz", code, "", millis(5));
            }
            fake.answer("/readyz", 200, "ok", millis(5));
        })
        .await;
        // Two looks are bad, five seconds after each; the third takes two pauses of a second.
        assert_eq!(report.class, None, "{}", report.why);
        assert!((11..=13).contains(&took), "{took}");
    });
}

#[test]
fn silence_is_waited_through_and_ends_with_the_step() {
    paused(async {
        let (report, _) = wait(json!({"health": {"times": 1}}), |fake| fake.deny_reads(20)).await;
        assert_eq!(report.class, None, "{}", report.why);
        let (report, took) = wait(json!({"health": {"times": 1}}), |fake| fake.deny_reads(9999)).await;
        assert_eq!(report.class, Some(Class::TimedOut));
        assert!(report.why.contains("still waiting for api1 to be ready (no answer in time"), "{}", report.why);
        assert!((590..=600).contains(&took), "{took}");
    });
}

/// A world in which one of two API servers is gone, and perhaps its host; what the run said it saw.
async fn half(specs: &[Spec], server: usize, host: Option<usize>) -> (Report, u64, String) {
    let bench = Bench::new(world(&["east"]), plan(&["east"], specs, &policy()));
    bench.fake.dies_after(Target::api_server("east", "api2"), server);
    host.into_iter().for_each(|reads| bench.fake.dies_after(Target::host("east", "cp2"), reads));
    let began = tokio::time::Instant::now();
    let report = bench.run().await;
    let saw = |line: &crate::journal::Line| match &line.entry {
        Entry::Saw { what, .. } => Some(format!("{what}\n")),
        _ => None,
    };
    let took = began.elapsed().as_secs();
    (report, took, bench.lines().iter().filter_map(saw).collect())
}

#[test]
fn a_server_that_was_dead_all_along_holds_nothing_up_and_is_named() {
    paused(async {
        let waits = [
            json!({"health": {"times": 2}}),
            json!({"latency": {"p99": "500ms", "samples": 2}}),
            json!({"clientRequests": {"user": "agent", "times": 2}}),
        ];
        for with in waits {
            let dump = "PriorityLevelName, FlowDistingsher\n";
            let spec = [("wait", "wait-for", with.clone())];
            let bench = Bench::new(world(&["east"]), plan(&["east"], &spec, &policy()));
            bench.fake.answer(DUMP, 200, dump, millis(5));
            bench.fake.answer(SMALL, 200, OBJECT, millis(5));
            bench.fake.dies_after(Target::api_server("east", "api2"), 0);
            bench.fake.dies_after(Target::host("east", "cp2"), 0);
            let began = tokio::time::Instant::now();
            let report = bench.run().await;
            assert_eq!(report.class, None, "{with}: {}", report.why);
            assert!((30..60).contains(&began.elapsed().as_secs()), "{with}: not before it was asked for a while");
            let said = bench.lines().iter().any(|line| {
                let what = if let Entry::Saw { what, .. } = &line.entry { what.to_string() } else { String::new() };
                what.contains("judged without api2") && what.contains("cp2")
            });
            assert!(said, "{with}");
        }
    });
}

#[test]
fn a_server_counts_while_its_host_is_there_or_when_it_had_answered() {
    paused(async {
        let wait = ("wait", "wait-for", json!({"health": {"times": 2}}));
        let (report, _, _) = half(std::slice::from_ref(&wait), 0, None).await;
        assert_eq!(report.class, Some(Class::TimedOut), "{}", report.why);
        let (report, _, _) = half(&[("look", "probe", json!({})), wait.clone()], 2, Some(0)).await;
        assert_eq!(report.class, Some(Class::TimedOut), "{}", report.why);
        // It answers once in the wait itself, and goes with its host.
        let (report, _, _) = half(&[wait], 1, Some(0)).await;
        assert_eq!(report.class, Some(Class::TimedOut), "{}", report.why);
    });
}

#[test]
fn a_server_that_the_runbook_names_is_neither_asked_nor_judged() {
    paused(async {
        let with = json!({"health": {"times": 2}, "without": ["api2", "west/api1"]});
        let (report, took, saw) = half(&[("wait", "wait-for", with)], 0, None).await;
        assert_eq!(report.class, None, "{}", report.why);
        assert!(took < 10, "{took}");
        assert!(saw.contains("judged without api2"), "{saw}");
    });
}

#[test]
fn a_silent_server_is_asked_one_question_only() {
    paused(async {
        for (silent, asked) in [(0, &["/livez", "/readyz"][..]), (9999, &["/livez"])] {
            let bench = Bench::new(world(&["east"]), plan(&["east"], &[("look", "probe", json!({}))], &policy()));
            bench.fake.deny_reads(silent);
            assert_eq!(bench.run().await.class, None);
            let mut paths = Vec::new();
            for sent in bench.fake.take_sent() {
                if let Sent::Get(target, path) = sent
                    && target.short() == "api1"
                {
                    paths.push(path);
                }
            }
            assert_eq!(paths, asked);
        }
    });
}

/// Each server is told once and by itself, however often it was looked at; the end does not say all of it again.
#[test]
fn a_probe_of_a_dead_cluster_finds_each_server_by_itself() {
    paused(async {
        let probe = ("look", "probe", json!({"require": "answers", "atLeast": "any"}));
        let bench = Bench::new(world(&["east"]), plan(&["east"], &[probe], &Policy { retries: 2, ..policy() }));
        bench.fake.deny_reads(9999);
        let report = bench.run().await;
        assert_eq!(report.class, Some(Class::NoRoute), "{}", report.why);
        assert!(report.why.ends_with("none of 2 API servers answers"), "{}", report.why);
        let found = bench.lines().into_iter().filter_map(|line| match line.entry {
            Entry::Saw { what: Finding::Probe(probe), .. } => Some((probe.server, probe.live.code)),
            _ => None,
        });
        assert_eq!(found.collect::<Vec<_>>(), [("api1".to_owned(), None), ("api2".to_owned(), None)]);
    });
}

#[test]
fn who_is_not_let_in_does_not_wait_outside() {
    paused(async {
        for (path, with) in [
            ("/readyz", json!({"health": {"times": 1}})),
            (SMALL, json!({"latency": {"p99": "500ms", "samples": 2}})),
            (DUMP, json!({"clientRequests": {"user": "agent", "atMost": 1, "times": 1}})),
        ] {
            let (report, took) = wait(with, |fake| fake.answer(path, 403, "not you", millis(5))).await;
            assert_eq!(report.class, Some(Class::Refused), "{}", report.why);
            assert!(report.why.contains("403"), "{}", report.why);
            assert!(took < 30, "{path}: {took}");
        }
    });
}

/// Just after a start an API server refuses even the question after its health.
#[test]
fn who_is_not_known_yet_waits() {
    paused(async {
        let (report, _) = wait(json!({"health": {"times": 1}}), |fake| {
            let early = KubeAnswer { early: true, ..kube_answer(403, "not you", millis(5)) };
            // Of two API servers each.
            (0..2).for_each(|_| fake.says("/readyz", early.clone()));
            (0..2).for_each(|_| fake.answer("/readyz", 500, "[-]informer-sync failed", millis(5)));
            fake.answer("/readyz", 200, "ok", millis(5));
        })
        .await;
        assert_eq!(report.class, None, "{}", report.why);
    });
}

#[test]
fn latency_is_the_slowest_of_few_samples() {
    paused(async {
        let with = json!({"latency": {"p99": "500ms", "samples": 4, "every": "100ms"}});
        let (report, _) = wait(with, |fake| {
            for took in [10, 10, 900, 10, 10, 10, 10, 10] {
                fake.answer(SMALL, 200, OBJECT, millis(took));
            }
            fake.answer(SMALL, 200, OBJECT, millis(20));
        })
        .await;
        assert_eq!(report.class, None, "{}", report.why);
        let with = json!({"latency": {"p99": "500ms", "samples": 4}});
        let (report, _) = wait(with, |fake| fake.answer(SMALL, 200, OBJECT, millis(501))).await;
        assert_eq!(report.class, Some(Class::TimedOut), "{}", report.why);
        assert!(report.why.contains("p99 is 501 ms"), "{}", report.why);
    });
}

/// What is fast because nothing was read says nothing of the API; a path where no objects are is only timed.
#[test]
fn a_fast_page_of_something_else_is_no_answer_of_an_api_server() {
    paused(async {
        let page = "<html>sign in</html>";
        let with = json!({"latency": {"p99": "500ms", "samples": 2}});
        let (report, _) = wait(with, |fake| fake.answer(SMALL, 200, page, millis(5))).await;
        assert_eq!(report.class, Some(Class::TimedOut), "{}", report.why);
        assert!(report.why.contains("no Kubernetes object: something else answers"), "{}", report.why);
        let with = json!({"latency": {"p99": "500ms", "samples": 2, "path": "/version"}});
        let (report, _) = wait(with, |fake| fake.answer("/version", 200, page, millis(5))).await;
        assert_eq!(report.class, None, "{}", report.why);
    });
}

#[test]
fn a_client_is_counted_over_all_api_servers() {
    paused(async {
        let head = "PriorityLevelName, FlowSchemaName, QueueIndex, RequestIndexInQueue, FlowDistingsher, ArriveTime\n";
        let row = "workload-low, service-accounts, 1, 0, agent, 2025\n";
        let with = json!({"clientRequests": {"user": "agent", "atMost": 1, "times": 1}});
        let (report, took) = wait(with.clone(), |fake| {
            for rows in [1, 1, 0] {
                fake.answer(DUMP, 200, &format!("{head}{}", row.repeat(rows)), millis(5));
            }
        })
        .await;
        assert_eq!(report.class, None, "{}", report.why);
        assert!(took >= 5, "one on each of two servers is two");
        let (report, _) = wait(with, |fake| fake.answer(DUMP, 404, "404 page not found", millis(5))).await;
        assert_eq!(report.class, Some(Class::Refused));
        assert!(report.why.contains("switched off"), "{}", report.why);
    });
}

#[test]
fn a_rate_is_summed_over_hosts() {
    paused(async {
        let with = json!({"clientRate": {"user": "agent", "atMost": 3, "over": "10s"}});
        let says = |text: &'static str| {
            move |fake: &Fake| {
                fake.on_script(Box::new(move |_, script| {
                    (script.name == "audit.count").then(|| ScriptOutput {
                        status: 0,
                        stdout: text.into(),
                        stderr: String::new(),
                    })
                }));
            }
        };
        // Three hosts: 30 requests in 10 s are 3 a second.
        let (report, _) = wait(with.clone(), says("log=/a\nrequests=10\n")).await;
        assert_eq!(report.class, None, "{}", report.why);
        let (report, _) = wait(with.clone(), says("log=/a\nrequests=11\n")).await;
        assert_eq!(report.class, Some(Class::TimedOut));
        assert!(report.why.contains("33 requests in 10s (3.3/s)"), "{}", report.why);
        // Lines in another form name nobody in the way that is looked for: that is not quiet.
        let (report, _) = wait(with.clone(), says("log=/a\nlines=9\nevents=0\nknown=0\nrequests=0\n")).await;
        assert_eq!(report.class, Some(Class::Refused));
        assert!(report.why.contains("not in the JSON form"), "{}", report.why);
        let (report, _) = wait(with, says("log=none\n")).await;
        assert_eq!(report.class, Some(Class::Refused));
        assert!(report.why.contains("no audit log can be read on cp1"), "{}", report.why);
    });
}

#[test]
fn pods_and_objects_are_waited_for_until_they_are_gone() {
    paused(async {
        let with = json!({"podsGone": {"namespace": "telemetry", "selector": "app=agent"}});
        let path = "/api/v1/namespaces/telemetry/pods?labelSelector=app%3Dagent&limit=50";
        let (report, took) = wait(with.clone(), |fake| {
            let pods = json!({"metadata": {}, "items": [{"metadata": {}}]}).to_string();
            fake.answer(path, 200, &pods, millis(5));
            fake.answer(path, 429, "", millis(5));
            fake.answer(path, 200, "{}", millis(5));
            // As a real API server says it.
            let none = r#"{"kind": "PartialObjectMetadataList", "metadata": {}, "items": null}"#;
            fake.answer(path, 200, none, millis(5));
        })
        .await;
        assert_eq!(report.class, None, "{}", report.why);
        assert!((15..20).contains(&took), "{took}");
        let (report, _) = wait(with, |_| ()).await;
        assert!(report.why.contains("1 left, 0 of them being deleted"), "{}", report.why);

        let (report, _) = wait(json!({"absent": {"object": "ds/telemetry/agent"}}), |_| ()).await;
        assert_eq!(report.class, Some(Class::TimedOut));
        assert!(report.why.contains("uid uid-"), "{}", report.why);
    });
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_contacted() {
    let kind = crate::steps::kind("wait-for").unwrap();
    let faults = |with: Value| {
        let faults = kind.build(with).err().unwrap_or_default();
        faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    assert!(faults(json!({})).contains("nothing to wait for"));
    assert!(faults(json!({"health": {"times": 0}})).contains("health.times"));
    assert!(faults(json!({"clientRate": {"atMost": 1}})).contains("one of user and userAgent"));
    assert!(faults(json!({"podsGone": {"namespace": "x", "selector": " "}})).contains("never listed"));
    assert!(faults(json!({"absent": {"object": "ds/x"}})).contains("needs a namespace"));
    assert!(faults(json!({"interval": "10ms", "health": {}})).contains("interval"));
}

/// A look that the step's time cuts short says what it had run into, and ends as that: nothing was waited for.
#[test]
fn the_time_of_a_step_hides_no_reason() {
    paused(async {
        for (timeout, looks) in [(5, 0), (5, 3), (12, 3)] {
            let short = Policy { timeout: Duration::from_secs(timeout), retries: looks, ..policy() };
            let park = ("park", "park", json!({"object": "deployments.apps/telemetry/agent"}));
            let bench = Bench::new(world(&["east"]), plan(&["east"], &[park], &short));
            bench.fake.hangs(Target::cluster("east"));
            let began = tokio::time::Instant::now();
            let report = bench.run().await;
            assert!(report.why.contains("no answer"), "{timeout} s, {looks}: {}", report.why);
            assert_eq!(report.class, Some(Class::NoRoute), "{timeout} s, {looks}: {}", report.why);
            assert!(began.elapsed() <= Duration::from_secs(timeout + 1), "{:?}", began.elapsed());
        }
    });
}

//! One op goes wrong, each in its turn.

use std::time::Duration;

use serde_json::json;

use super::support::*;
use crate::error::Class;
use crate::runbook::OnFailure;
use crate::world::fake::Fault;

#[test]
fn a_refused_change_ends_the_run_and_undo_takes_back_the_others() {
    paused(async {
        let Ideal { before, after, ops, .. } = ideal().await;
        for number in 1..=ops {
            let bench = Bench::everything();
            bench.fake.fault(number, Fault::Refuse);
            let report = bench.run().await;
            // Before the first change nothing is changed.
            let class = if number == 1 { Class::Refused } else { Class::Partial };
            assert_eq!(report.class, Some(class), "op {number}: {}", report.why);
            assert!(report.why.contains("not today"), "op {number}: {}", report.why);
            assert_ne!(bench.fake.snapshot(), after, "op {number}");
            assert_eq!(bench.undo().await.class, None, "op {number}");
            assert_eq!(bench.fake.snapshot(), before, "op {number}");
        }
    });
}

#[test]
fn a_policy_of_undo_takes_back_at_once() {
    paused(async {
        let Ideal { before, after, ops, .. } = ideal().await;
        for number in 1..=ops {
            let undoing = crate::runbook::Policy { on_failure: OnFailure::Undo, ..policy() };
            let bench = Bench::new(world(&["east"]), plan(&["east"], &everything(), &undoing));
            bench.fake.fault(number, Fault::Refuse);
            let report = bench.run().await;
            // All of it is taken back: nothing is changed any more.
            assert_eq!(report.class, Some(Class::Refused), "op {number}: {}", report.why);
            assert_eq!(bench.fake.snapshot(), before, "op {number}");
            assert_eq!(bench.resume().await.class, None, "op {number}");
            assert_eq!(bench.fake.snapshot(), after, "op {number}");
        }
    });
}

#[test]
fn a_lost_reply_is_looked_into_and_the_run_goes_on() {
    paused(async {
        let Ideal { before, after, ops, .. } = ideal().await;
        for fault in [Fault::LoseMade, Fault::LoseNotMade, Fault::Hang, Fault::Late] {
            for number in 1..=ops {
                let bench = Bench::everything();
                bench.fake.fault(number, fault);
                let report = bench.run().await;
                assert_eq!(report.class, None, "op {number} {fault:?}: {}", report.why);
                assert_eq!(report.tally.unknown, 0, "op {number} {fault:?}");
                assert_eq!(bench.fake.snapshot(), after, "op {number} {fault:?}");
                let report = bench.undo().await;
                assert_eq!(report.class, None, "op {number} {fault:?}: {}", report.why);
                assert_eq!(bench.fake.snapshot(), before, "op {number} {fault:?}");
            }
        }
    });
}

/// The reply is lost, and then no look gets through either.
#[test]
fn an_unknown_outcome_is_named_and_is_neither_done_nor_failed() {
    paused(async {
        for fault in [Fault::LoseMade, Fault::LoseNotMade] {
            for (kind, with) in [("delete", "ds/telemetry/agent"), ("park", "ds/telemetry/agent")] {
                let specs = [("one", kind, json!({"object": with}))];
                let bench = Bench::new(world(&["east"]), plan(&["east"], &specs, &policy()));
                let before = bench.fake.snapshot();
                bench.fake.fault(1, fault);
                bench.fake.deny_reads_after(1, 1);
                let report = bench.run().await;
                assert_eq!(report.class, Some(Class::Partial), "{kind} {fault:?}: {}", report.why);
                assert!(report.why.contains("not known whether change 1"), "{}", report.why);
                assert!(report.why.contains("daemonsets/agent"), "{}", report.why);
                assert_eq!(report.tally.unknown, 1);

                let undone = bench.undo().await;
                assert_eq!(undone.class, None, "{kind} {fault:?}: {}", undone.why);
                assert_eq!(bench.fake.snapshot(), before, "{kind} {fault:?}");
            }
        }
    });
}

#[test]
fn an_inverse_whose_reply_is_lost_is_looked_into() {
    paused(async {
        let Ideal { before, ops, inverses, .. } = ideal().await;
        for fault in [Fault::LoseMade, Fault::LoseNotMade, Fault::Hang] {
            for number in 1..=inverses {
                let bench = Bench::everything();
                bench.run().await;
                bench.fake.fault(ops + number, fault);
                let report = bench.undo().await;
                // Commands that are not said to be idempotent are sent once, and cannot be looked at.
                if report.class.is_some() {
                    assert_eq!(report.class, Some(Class::Partial), "inverse {number} {fault:?}: {}", report.why);
                    assert!(report.why.contains("not known whether taken back: change"), "{}", report.why);
                    assert_eq!(report.tally.unknown, 1);
                    assert_eq!(bench.undo().await.class, None, "inverse {number} {fault:?}");
                }
                assert_eq!(bench.fake.snapshot(), before, "inverse {number} {fault:?}");
            }
        }
    });
}

#[test]
fn a_refused_inverse_is_stuck_and_all_others_are_taken_back() {
    paused(async {
        let Ideal { before, ops, inverses, .. } = ideal().await;
        for number in 1..=inverses {
            let bench = Bench::everything();
            bench.run().await;
            bench.fake.fault(ops + number, Fault::Refuse);
            let report = bench.undo().await;
            assert_eq!(report.class, Some(Class::Stuck), "inverse {number}: {}", report.why);
            let gone = report.tally.undone + report.tally.needless;
            assert_eq!((report.tally.stuck, gone), (1, ops - 1), "inverse {number}");
            assert_eq!(bench.undo().await.class, None, "inverse {number}");
            assert_eq!(bench.fake.snapshot(), before, "inverse {number}");
        }
    });
}

#[test]
fn looks_are_repeated_as_often_as_the_policy_says() {
    paused(async {
        let patient = crate::runbook::Policy { retries: 2, ..policy() };
        let specs = [("kill", "delete", json!({"object": "ds/telemetry/agent", "whenUnsaved": "stop"}))];
        for (denied, class) in [(2, None), (3, Some(Class::NoRoute))] {
            let bench = Bench::new(world(&["east"]), plan(&["east"], &specs, &patient));
            bench.fake.deny_reads(denied);
            let report = bench.run().await;
            assert_eq!(report.class, class, "{}", report.why);
            assert_eq!(bench.fake.ops(), usize::from(class.is_none()));
        }
    });
}

#[test]
fn an_object_that_changed_between_look_and_write_is_looked_at_again() {
    paused(async {
        let specs = [("park", "park", json!({"object": "deploy/telemetry/gateway"}))];
        let bench = Bench::new(world(&["east"]), plan(&["east"], &specs, &policy()));
        bench.fake.meddle(1, "east", |o| o.edit(DEPLOY, |d| d["spec"]["replicas"] = 5.into()));
        let report = bench.run().await;
        assert_eq!((report.class, bench.fake.ops()), (None, 2), "{}", report.why);
        bench.undo().await;
        bench.fake.objects("east", |o| assert_eq!(o.at(DEPLOY).unwrap()["spec"]["replicas"], 5));
    });
}

/// The reply is lost, a look finds nothing, and then it arrives after all: the second one is refused by its own guard.
#[test]
fn what_arrives_after_the_look_is_ours_and_is_taken_back() {
    paused(async {
        for object in ["ds/telemetry/collector", "deploy/telemetry/gateway", "cj/telemetry/sweep"] {
            let specs = [("one", "park", json!({ "object": object }))];
            let bench = Bench::new(world(&["east"]), plan(&["east"], &specs, &policy()));
            let before = bench.fake.snapshot();
            bench.fake.fault(1, Fault::Late);
            let report = bench.run().await;
            assert_eq!((report.class, report.tally.done), (None, 1), "{object}: {}", report.why);
            assert_ne!(bench.fake.snapshot(), before, "{object}");
            assert_eq!(bench.undo().await.class, None, "{object}");
            assert_eq!(bench.fake.snapshot(), before, "{object}");
        }
    });
}

/// Two of us at the same moment: the other one's comes first, and is not ours to take back.
#[test]
fn what_somebody_else_parked_meanwhile_is_not_ours() {
    paused(async {
        let specs = [("one", "park", json!({"object": "deploy/telemetry/gateway"}))];
        let bench = Bench::new(world(&["east"]), plan(&["east"], &specs, &policy()));
        bench.fake.fault(1, Fault::LoseNotMade);
        bench.fake.meddle(2, "east", |o| {
            o.edit(DEPLOY, |d| {
                d["spec"]["replicas"] = 0.into();
                d["metadata"]["annotations"] = json!({"breakglass.io/parked": "another run"});
            });
        });
        let report = bench.run().await;
        assert_eq!((report.class, report.tally.done), (None, 0), "{}", report.why);
        assert_eq!(bench.undo().await.class, None);
        bench.fake.objects("east", |o| assert_eq!(o.at(DEPLOY).unwrap()["spec"]["replicas"], 0));
    });
}

#[test]
fn what_is_never_taken_in_is_sent_again_until_the_step_ends() {
    paused(async {
        let specs = [("park", "park", json!({"object": "deploy/telemetry/gateway", "deadline": "60s"}))];
        for (busy, class) in [(3, None), (99, Some(Class::TimedOut))] {
            let bench = Bench::new(world(&["east"]), plan(&["east"], &specs, &policy()));
            (1..=busy).for_each(|number| bench.fake.fault(number, Fault::Busy));
            let began = tokio::time::Instant::now();
            let report = bench.run().await;
            assert_eq!((report.class, report.tally.unknown), (class, 0), "{}", report.why);
            assert!(class.is_none() || report.why.contains("429"), "{}", report.why);
            assert!(began.elapsed() < Duration::from_secs(610), "{:?}", began.elapsed());
            assert_eq!(bench.undo().await.class, None);
        }
    });
}

/// However long the looks took and whatever deadline the op has.
#[test]
fn a_step_ends_with_its_time_whatever_it_does() {
    paused(async {
        let short = crate::runbook::Policy { timeout: Duration::from_secs(60), ..policy() };
        for fault in [Fault::Busy, Fault::Hang, Fault::LoseNotMade] {
            let specs = [("park", "park", json!({"object": "deploy/telemetry/gateway"}))];
            let bench = Bench::new(world(&["east"]), plan(&["east"], &specs, &short));
            let object = bench.fake.objects("east", |o| o.at(DEPLOY).unwrap().to_string());
            bench.fake.answer(DEPLOY, 200, &object, Duration::from_secs(25));
            (1..=99).for_each(|number| bench.fake.fault(number, fault));
            let began = tokio::time::Instant::now();
            let report = bench.run().await;
            assert!(matches!(report.class, Some(Class::TimedOut | Class::Partial)), "{fault:?}: {}", report.why);
            assert!(began.elapsed() <= Duration::from_secs(65), "{fault:?}: {:?}", began.elapsed());
        }
    });
}

/// It cannot be looked at: that a second call was refused says nothing about the first.
#[test]
fn a_hook_that_may_have_been_called_is_taken_back_although_a_repetition_was_refused() {
    paused(async {
        for (kind, with) in [
            (
                "http",
                json!({"method": "PUT", "url": "https://pager.test/1", "body": {"on": true},
                "undo": {"method": "DELETE", "url": "https://pager.test/1"}}),
            ),
            (
                "exec",
                json!({"argv": ["set", "here", "yes"], "local": true, "idempotent": true,
                "undo": {"argv": ["unset", "here"]}}),
            ),
        ] {
            let bench = Bench::new(world(&["east"]), plan(&["east"], &[("one", kind, with)], &policy()));
            let before = bench.fake.snapshot();
            bench.fake.fault(1, Fault::LoseMade);
            bench.fake.fault(2, Fault::Refuse);
            let report = bench.run().await;
            assert_eq!(report.class, Some(Class::Partial), "{kind}: {}", report.why);
            assert!(report.why.contains("not known whether change 1"), "{kind}: {}", report.why);
            assert_eq!((report.tally.unknown, bench.fake.ops()), (1, 2), "{kind}");
            assert_eq!(bench.undo().await.class, None, "{kind}");
            assert_eq!(bench.fake.snapshot(), before, "{kind}");
        }
    });
}

#[test]
fn what_may_be_repeated_is_not_repeated_without_end() {
    paused(async {
        let with = json!({"method": "PUT", "url": "https://pager.test/1", "noUndo": "it is a page"});
        let bench = Bench::new(world(&["east"]), plan(&["east"], &[("one", "http", with)], &policy()));
        (1..=99).for_each(|number| bench.fake.fault(number, Fault::Late));
        let report = bench.run().await;
        assert_eq!((report.class, report.tally.unknown), (Some(Class::Partial), 1), "{}", report.why);
        assert_eq!(bench.fake.ops(), 3);
    });
}

/// A command that is cut off by its deadline may still be running.
#[test]
fn a_command_that_may_still_run_is_not_started_again_unasked() {
    paused(async {
        let with = json!({"run": "set gate closed", "unless": "has gate", "undo": {"run": "unset gate"}});
        for (says, ops, class) in [(Some(false), 1, Some(Class::Declined)), (Some(true), 4, None)] {
            let bench = Bench::new(world(&["east"]), plan(&["east"], &[("mark", "exec", with.clone())], &policy()));
            bench.fake.fault(1, Fault::LoseNotMade);
            let report = bench.go(Verb::Run, &How { says, ..How::default() }).await.unwrap();
            assert_eq!((bench.fake.ops(), report.class), (ops, class), "{}", report.why);
        }
    });
}

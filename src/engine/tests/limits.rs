//! Canaries, batches, failures and leases.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::json;

use super::support::*;
use crate::change::{Change, HostCommand, Inverse, Keep, Op, Part, Target};
use crate::error::Class;
use crate::event::Event;
use crate::kit::Cluster;
use crate::limits::Limits;
use crate::runbook::{OnFailure, Policy};
use crate::script::Script;
use crate::steps::{Announced, Look, Step, StepError, Survey};
use crate::world::ScriptOutput;
use crate::world::fake::{Fault, Sent};

fn marks() -> [Spec; 1] {
    [("mark", "exec", json!({"run": "set gate closed", "unless": "has gate", "undo": {"run": "unset gate"}}))]
}

/// One host at a time until the first that fails.
const ONE: Limits = Limits { at_once: 1, canary: false, batch: 0, max_failures: 1 };

#[track_caller]
fn case(limits: Limits, faults: &[usize], ops: usize, class: Option<Class>) {
    paused(async {
        let bench = Bench::new(world(&["east"]), plan(&["east"], &marks(), &Policy { limits, ..policy() }));
        faults.iter().for_each(|number| bench.fake.fault(*number, Fault::Refuse));
        let report = bench.run().await;
        assert_eq!((bench.fake.ops(), report.class), (ops, class), "{}", report.why);
    });
}

#[test]
fn hosts_go_canary_first_and_stop_after_enough_failures() {
    case(policy().limits, &[], 3, None);
    case(policy().limits, &[1], 1, Some(Class::Refused));
    case(ONE, &[1], 1, Some(Class::Refused));
    case(Limits { max_failures: 9, ..ONE }, &[1], 3, Some(Class::Partial));
    case(Limits { at_once: 4, batch: 2, ..ONE }, &[2], 2, Some(Class::Partial));
}

#[test]
fn a_failed_canary_cluster_spares_the_rest() {
    paused(async {
        let names = ["east", "west", "north"];
        for (max_failures, begun) in [(1, 1), (9, 1)] {
            let fleet = Limits { at_once: 2, canary: true, batch: 0, max_failures };
            let clusters = names.iter().map(|name| cluster(name)).collect();
            let bench = Bench::new(world(&names), plan_within(clusters, &marks(), &policy(), fleet));
            bench.fake.fault(1, Fault::Refuse);
            let report = bench.run().await;
            assert_eq!((bench.fake.ops(), report.class), (begun, Some(Class::Refused)), "{}", report.why);
            assert!(report.why.contains("north: not begun"), "{}", report.why);
        }
    });
}

#[test]
fn a_policy_of_continue_goes_on_and_still_says_that_it_failed() {
    paused(async {
        let going_on = Policy { on_failure: OnFailure::Continue, ..policy() };
        let bench = Bench::new(world(&["east"]), plan(&["east"], &everything(), &going_on));
        bench.fake.fault(1, Fault::Refuse);
        let report = bench.run().await;
        assert_eq!(report.class, Some(Class::Partial));
        bench.fake.objects("east", |o| assert!(o.at(DS).is_none(), "the last step was reached"));
    });
}

/// Takes a lease, or waits for something that never comes.
struct Leased {
    renew: bool,
    looks: AtomicUsize,
}

impl Step for Leased {
    fn intent(&self) -> String {
        "hold a lease".into()
    }

    fn announce(&self, _: &Target, _: &Cluster) -> Vec<Announced> {
        Vec::new()
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        let command = |body: &str| HostCommand {
            script: Script::new("lease", body),
            fresh_connection: false,
            idempotent: true,
            quiet: false,
        };
        let survey = if !self.renew {
            Survey::waiting("what never comes")
        } else if look.history.done("lease") {
            Survey::done()
        } else {
            Survey::change(Change {
                key: "lease".into(),
                note: None,
                op: Op::Host(command("set lease taken")),
                guard: String::new(),
                inverse: Inverse::By(Box::new(Op::Host(command("unset lease")))),
                because: String::new(),
                by_hand: String::new(),
                deadline_secs: 5,
                keep: Keep::Renew {
                    lease: "gate".into(),
                    every_secs: 10,
                    op: Box::new(command("set lease renewed")),
                    look: None,
                },
            })
        };
        async move { Ok(survey) }.boxed()
    }
}

fn leased(timeout: u64) -> Bench {
    let short = Policy { timeout: Duration::from_secs(timeout), ..policy() };
    let mut plan = plan(&["east"], &[marks()[0].clone(), ("wait", "confirm", json!({"question": "?"}))], &short);
    for (planned, renew) in plan.steps.iter_mut().zip([true, false]) {
        planned.step = Box::new(Leased { renew, looks: AtomicUsize::new(0) });
    }
    plan.steps[0].targets.truncate(1);
    Bench::new(world(&["east"]), plan)
}

fn renewals(bench: &Bench) -> usize {
    let renewal = |sent: &Sent| matches!(sent, Sent::Op(Target { part: Part::Host(_), .. }, Op::Host(c)) if c.script.body == "set lease renewed");
    bench.fake.take_sent().iter().filter(|sent| renewal(sent)).count()
}

#[test]
fn leases_are_renewed_while_the_run_lives_and_again_by_resume() {
    paused(async {
        let bench = leased(60);
        let report = bench.run().await;
        assert_eq!(report.class, Some(Class::TimedOut), "{}", report.why);
        let first = renewals(&bench);
        assert!((5..=6).contains(&first), "{first} renewals in a minute, one each ten seconds");
        // The change is done and not made again, but what it holds is held on to.
        bench.resume().await;
        let second = renewals(&bench);
        assert!((5..=6).contains(&second), "{second} renewals after the resume");
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(renewals(&bench), 0);
    });
}

#[test]
fn a_lease_that_is_lost_is_asked_for_once_and_never_again() {
    paused(async {
        let bench = leased(60);
        bench.fake.on_script(Box::new(|_, script| {
            let lost = "result=moved\nlost=another run sets its fuses now\n".to_owned();
            let output = ScriptOutput { status: 0, stdout: lost, stderr: String::new() };
            (script.body == "set lease renewed").then_some(output)
        }));
        let how = How::default();
        assert_eq!(bench.go(Verb::Run, &how).await.unwrap().class, Some(Class::TimedOut));
        assert_eq!(renewals(&bench), 1);
        let lost = |event: &&Event| matches!(event, Event::Trouble { what, again: false, .. } if what.contains("another run sets"));
        assert_eq!(how.ears.heard.lock().unwrap().iter().filter(lost).count(), 1);
    });
}

#[test]
fn a_wait_ends_with_its_step() {
    paused(async {
        let bench = leased(60);
        let began = tokio::time::Instant::now();
        let report = bench.run().await;
        assert_eq!(report.class, Some(Class::TimedOut));
        assert!(report.why.contains("what never comes"), "{}", report.why);
        assert!(began.elapsed() < Duration::from_secs(70));
    });
}

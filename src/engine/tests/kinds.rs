//! Every kind of step, by its own example: killed at each line of the journal, a full disk at each line, each reply lost or
//! late, hosts that start anew; then `resume`, and `undo`, come to the same end.

use std::panic::AssertUnwindSafe;

use serde_json::Value;

use super::announced::{all_announced, as_often_as_announced};
use super::samples::{bench, plan_of};
use super::support::*;
use crate::change::{Inverse, Op};
use crate::engine::Report;
use crate::error::Class;
use crate::journal::{ChangeRecord, ChangeState, Entry};
use crate::steps::Known;
use crate::world::fake::{Fault, Sent};

/// Each way in which a reply can fail to come.
const UNHEARD: [Fault; 5] = [Fault::LoseMade, Fault::LoseNotMade, Fault::Hang, Fault::Late, Fault::Cut];

/// A kind, its example on a bench, and how that ends when nothing goes wrong.
struct Kind {
    kind: Known,
    before: Value,
    after: Value,
    ops: usize,
    lines: usize,
    /// The lines after which something is sent.
    intended: Vec<usize>,
}

impl Kind {
    async fn ideal(kind: Known) -> Self {
        let bench = bench(kind);
        let before = bench.fake.snapshot();
        let report = bench.run().await;
        assert_eq!(report.class, None, "{kind:?}: {}", report.why);
        let (after, ops) = (bench.fake.snapshot(), bench.fake.ops());
        // The first one, which says what the run is, is there before anything can go wrong.
        let lines = bench.lines().split_off(1);
        let intended =
            |(at, line): (usize, &crate::journal::Line)| matches!(line.entry, Entry::Intended { .. }).then_some(at + 1);
        let intended: Vec<usize> = lines.iter().enumerate().filter_map(intended).collect();
        Self { kind, before, after, ops, lines: lines.len(), intended }
    }

    /// Everywhere a process can die so that it makes a difference: nothing is sent but after the word that it will be.
    fn deaths(&self) -> Vec<Trap> {
        let after = self.intended.iter().map(|line| Trap::After(*line));
        (1..=self.lines).map(Trap::Before).chain(after).collect()
    }

    async fn killed(&self, at: Trap) -> Bench {
        let bench = bench(self.kind);
        assert!(bench.go(Verb::Run, &trap(at)).await.is_none(), "{:?} {at:?}", self.kind);
        bench
    }

    /// `resume` in a process of its own.
    async fn resumed(&self, bench: &mut Bench) -> Report {
        bench.plan = plan_of(self.kind);
        bench.resume().await
    }

    async fn resumes(&self, bench: &mut Bench, what: &str) {
        let report = self.resumed(bench).await;
        assert_eq!(report.class, None, "{:?} {what}: {}", self.kind, report.why);
        assert_eq!(report.tally.unknown, 0, "{:?} {what}", self.kind);
        assert_eq!(bench.fake.snapshot(), self.after, "{:?} {what}", self.kind);
    }

    async fn resumes_on_hosts_started_anew(&self, bench: &mut Bench, what: &str) {
        let report = self.resumed(bench).await;
        let now = bench.fake.snapshot();
        if !self.is_a_gate() {
            assert_eq!((report.class, &now), (None, &self.after), "{:?} {what}: {}", self.kind, report.why);
            return;
        }
        assert!(
            report.class.is_none() || report.why.contains("no gate stands here"),
            "{:?} {what}: {}",
            self.kind,
            report.why
        );
        // Each host for itself: one whose gate was not closed yet is closed now, where another's went with its reboot.
        let ours = now["gates"].as_array().unwrap().iter().all(|gate| gate[1][0] == RUN);
        assert!(ours, "{:?} {what}: {:#}", self.kind, now["gates"]);
        let rest = |of: &Value| {
            of.as_object().unwrap().clone().into_iter().filter(|(key, _)| key != "gates").collect::<Value>()
        };
        assert!([&self.before, &self.after].map(rest).contains(&rest(&now)), "{:?} {what}: {now:#}", self.kind);
    }

    async fn undoes(&self, bench: &Bench, what: &str) {
        let report = bench.undo().await;
        assert_eq!(report.class, None, "{:?} {what}: {}", self.kind, report.why);
        assert_eq!(bench.fake.snapshot(), self.before, "{:?} {what}", self.kind);
    }

    /// What it does goes on on hosts, and ends with them.
    fn is_on_hosts(&self) -> bool {
        match self.kind {
            Known::ScaleApiserver | Known::FreezeNodes | Known::ThawNodes => true,
            Known::PrepareAuthorizationConfig => true,
            Known::GateClose | Known::GateConfirm | Known::GateOpen => true,
            Known::RecoveryStart | Known::RecoveryStop | Known::FreezePods => true,
            Known::RescueManifest | Known::RenewCertificates | Known::JailClient => false,
            Known::Probe
            | Known::Diagnose
            | Known::FindOffender
            | Known::Confirm
            | Known::Park
            | Known::Release
            | Known::Throttle
            | Known::EndPods
            | Known::Delete
            | Known::RemoveFinalizers => false,
            Known::Revoke | Known::RevokeTokens | Known::RestoreRights | Known::Disarm | Known::Http | Known::Exec => {
                false
            }
            Known::WaitFor | Known::Access | Known::Rollback => false,
            Known::FreezeAutomation | Known::ThawAutomation | Known::RefuseReturn => false,
        }
    }

    /// A host that starts anew has no gate; a step that is over does not put one up again, and one that extends it says so.
    fn is_a_gate(&self) -> bool {
        matches!(self.kind, Known::GateClose | Known::GateConfirm | Known::GateOpen)
    }
}

/// The changes that count as made because a look found them so. Not one that another change has made by the same act since, and
/// which knows the way back: an exchange sets its mark anew, and with it its folder.
fn found_made(bench: &Bench) -> Vec<u32> {
    let all = bench.journal().run.changes;
    let done = || all.values().filter(|it| it.state == ChangeState::Done);
    let by_another = |it: &ChangeRecord| {
        matches!(it.change.inverse, Inverse::By(_))
            && done().any(|other| other.id != it.id && other.target == it.target && other.change.op == it.change.op)
    };
    done().filter(|it| it.said.contains("a new look found it made") && !by_another(it)).map(|it| it.id).collect()
}

/// Does something with each kind, in the runtime whose clock jumps.
fn each(test: impl AsyncFn(&Kind)) {
    paused(async {
        for kind in Known::ALL {
            test(&Kind::ideal(*kind).await).await;
        }
    });
}

/// Where a run comes to its end only because an earlier step did something, its drill does so too, although that was only
/// pretended.
#[test]
fn a_drill_takes_what_an_earlier_step_pretended_for_made_where_a_later_one_needs_it() {
    paused(async {
        let own =
            |kind: Known| super::samples::sample(kind).into_iter().filter(move |(_, is, _)| *is == kind.kind().name());
        let ends = async |specs: Vec<Spec>, drill: bool| {
            let bench = super::samples::bench_of(&specs);
            bench.go(Verb::Run, &How { drill, ..How::default() }).await.unwrap()
        };
        let mut pairs = 0;
        for second in Known::ALL {
            if ends(own(*second).collect(), false).await.class.is_none() {
                continue;
            }
            for first in Known::ALL {
                let specs: Vec<Spec> = own(*first).chain(own(*second)).collect();
                if ends(specs.clone(), false).await.class.is_none() {
                    pairs += 1;
                    let drill = ends(specs, true).await;
                    assert_eq!(drill.class, None, "{first:?}, then {second:?}: {}", drill.why);
                }
            }
        }
        assert!(pairs > 0, "no step needs another");
    });
}

#[test]
fn whatever_is_sent_was_announced_and_no_more_often() {
    each(async |ideal| {
        let bench = bench(ideal.kind);
        bench.run().await;
        let sent = bench.fake.take_sent();
        all_announced(&bench.plan, &sent);
        as_often_as_announced(&bench.plan, &sent);
        let drill = self::bench(ideal.kind);
        let report = drill.go(Verb::Run, &How { drill: true, ..How::default() }).await.unwrap();
        assert_eq!(report.class, None, "{:?}: {}", ideal.kind, report.why);
        assert_eq!((drill.fake.snapshot(), drill.fake.ops()), (ideal.before.clone(), 0), "{:?}", ideal.kind);
        // A change that the next look wants under another key would be pretended once more, and without end.
        let pretended = drill.journal().run.changes.len();
        assert!(pretended <= ideal.intended.len(), "{:?}: {pretended} pretended", ideal.kind);
    });
}

#[test]
fn what_is_sent_too_often_would_be_found() {
    each(async |ideal| {
        let bench = bench(ideal.kind);
        bench.run().await;
        let sent = bench.fake.take_sent();
        let one = sent.iter().find(|sent| matches!(sent, Sent::Op(..)));
        // How many there are that put something back, nobody knows before.
        let more = match ideal.kind {
            Known::FreezeAutomation | Known::ThawAutomation => 300,
            _ => 1,
        };
        let more = one.into_iter().flat_map(|one| std::iter::repeat_n(one, more));
        let twice = sent.iter().chain(more).cloned().collect::<Vec<_>>();
        let caught = std::panic::catch_unwind(AssertUnwindSafe(|| as_often_as_announced(&bench.plan, &twice)));
        assert_eq!(caught.is_err(), one.is_some(), "{:?}", ideal.kind);
    });
}

#[test]
fn killed_anywhere_resume_and_undo_come_to_the_same_end() {
    each(async |ideal| {
        for at in ideal.deaths() {
            let what = format!("{at:?}");
            let mut bench = ideal.killed(at).await;
            let unsent = bench.lines().pop().filter(|_| matches!(at, Trap::After(_)));
            ideal.resumes(&mut bench, &what).await;
            if let Some(Entry::Intended { id, .. }) = unsent.map(|line| line.entry) {
                let told = found_made(&bench);
                assert!(!told.contains(&id), "{:?} {what}: a look found made what was never sent", ideal.kind);
            }
            ideal.undoes(&bench, &what).await;
            ideal.undoes(&ideal.killed(at).await, &what).await;
        }
    });
}

#[test]
fn killed_and_the_hosts_started_anew_nothing_is_lost() {
    each(async |ideal| {
        if !ideal.is_on_hosts() {
            return;
        }
        for at in ideal.deaths() {
            let what = format!("{at:?}, then a reboot");
            let mut bench = ideal.killed(at).await;
            bench.fake.reboot();
            ideal.resumes_on_hosts_started_anew(&mut bench, &what).await;
            ideal.undoes(&bench, &what).await;
            let bench = ideal.killed(at).await;
            bench.fake.reboot();
            ideal.undoes(&bench, &what).await;
        }
    });
}

/// The host says no, its last word before it goes down; whoever goes on wants what was wanted then.
#[test]
fn refused_killed_and_the_hosts_started_anew_nothing_is_lost() {
    each(async |ideal| {
        if !ideal.is_on_hosts() {
            return;
        }
        let mut refused = 0;
        for (number, line) in ideal.intended.iter().enumerate() {
            for later in 1..=3 {
                let what = format!("op {} refused, killed {later} lines later, then a reboot", number + 1);
                let mut bench = bench(ideal.kind);
                bench.fake.fault(number + 1, Fault::Refuse);
                bench.go(Verb::Run, &trap(Trap::After(line + later))).await;
                // Hosts take their turns in any order: the op may not have been sent yet, and is not to be refused later.
                refused += bench.fake.heal();
                bench.fake.reboot();
                tokio::time::sleep(std::time::Duration::from_secs(60)).await;
                ideal.resumes_on_hosts_started_anew(&mut bench, &what).await;
                ideal.undoes(&bench, &what).await;
            }
        }
        assert!(refused > 0, "{:?}: nothing was refused", ideal.kind);
    });
}

#[test]
fn killed_while_taking_back_undo_goes_on() {
    each(async |ideal| {
        for line in 1.. {
            for at in [Trap::Before(line), Trap::After(line)] {
                let bench = bench(ideal.kind);
                bench.run().await;
                if bench.go(Verb::Undo, &trap(at)).await.is_some() {
                    return;
                }
                ideal.undoes(&bench, &format!("undo killed {at:?}")).await;
            }
        }
    });
}

#[test]
fn a_full_disk_ends_the_run_and_nothing_was_sent_that_is_not_written_down() {
    each(async |ideal| {
        for line in 1..ideal.lines {
            let what = format!("full at line {line}");
            let mut bench = bench(ideal.kind);
            let report = bench.go(Verb::Run, &trap(Trap::Full(line))).await.unwrap();
            assert_eq!(report.class, Some(Class::Journal), "{:?} {what}: {}", ideal.kind, report.why);
            // What holds a gate shut is sent again and again by the change that took it.
            let counts = |sent: &&Sent| match sent {
                Sent::Op(_, Op::Host(command)) => command.script.name != "gate.renew",
                Sent::Op(..) => true,
                Sent::Get(..) | Sent::Look(..) | Sent::Connect(_) => false,
            };
            let ops = bench.fake.take_sent().iter().filter(counts).count();
            let intended = |line: &&crate::journal::Line| matches!(line.entry, Entry::Intended { .. });
            // A line that went to the full disk with one that did not fit may be there whole: nothing was sent for it.
            assert!(ops <= bench.lines().iter().filter(intended).count(), "{:?} {what}", ideal.kind);
            ideal.resumes(&mut bench, &what).await;
            ideal.undoes(&bench, &what).await;
            let bench = self::bench(ideal.kind);
            bench.go(Verb::Run, &trap(Trap::Full(line))).await.unwrap();
            ideal.undoes(&bench, &what).await;
        }
    });
}

#[test]
fn a_reply_that_does_not_come_is_looked_into_and_the_run_goes_on() {
    each(async |ideal| {
        for (fault, number) in UNHEARD.into_iter().flat_map(|fault| (1..=ideal.ops).map(move |n| (fault, n))) {
            let what = format!("op {number} {fault:?}");
            let bench = bench(ideal.kind);
            bench.fake.fault(number, fault);
            let report = bench.run().await;
            assert_eq!(report.class, None, "{:?} {what}: {}", ideal.kind, report.why);
            assert_eq!(report.tally.unknown, 0, "{:?} {what}", ideal.kind);
            assert_eq!(bench.fake.snapshot(), ideal.after, "{:?} {what}", ideal.kind);
            if fault == Fault::LoseNotMade {
                assert_eq!(found_made(&bench), Vec::<u32>::new(), "{:?} {what}", ideal.kind);
            }
            all_announced(&bench.plan, &bench.fake.take_sent());
            ideal.undoes(&bench, &what).await;
        }
    });
}

/// The process dies with a reply on its way; what the host was told goes on there.
#[test]
fn killed_while_a_host_is_at_it_resume_and_undo_come_to_the_same_end() {
    each(async |ideal| {
        if !ideal.is_on_hosts() {
            return;
        }
        for (number, line) in ideal.intended.iter().enumerate() {
            for (after, reboot) in [(0, false), (5, false), (60, false), (0, true)] {
                let what = format!("cut off at op {}, {after} s, reboot {reboot}", number + 1);
                let killed = async || {
                    let bench = bench(ideal.kind);
                    bench.fake.fault(number + 1, Fault::Cut);
                    bench.go(Verb::Run, &trap(Trap::Before(line + 1))).await;
                    bench.fake.heal();
                    tokio::time::sleep(std::time::Duration::from_secs(after)).await;
                    if reboot {
                        bench.fake.reboot();
                    }
                    bench
                };
                let mut bench = killed().await;
                let report = ideal.resumed(&mut bench).await;
                if !(reboot && ideal.is_a_gate()) {
                    assert_eq!(report.class, None, "{:?} {what}: {}", ideal.kind, report.why);
                    assert_eq!(bench.fake.snapshot(), ideal.after, "{:?} {what}", ideal.kind);
                }
                ideal.undoes(&bench, &what).await;
                let bench = killed().await;
                // What is still under way on a host is waited for.
                ideal.undoes(&bench, &what).await;
            }
        }
    });
}

#[test]
fn an_inverse_that_is_not_heard_of_is_looked_into() {
    each(async |ideal| {
        let bench = bench(ideal.kind);
        bench.run().await;
        let began = bench.fake.ops();
        bench.undo().await;
        let inverses = bench.fake.ops() - began;
        for (fault, number) in UNHEARD.into_iter().flat_map(|fault| (1..=inverses).map(move |n| (fault, n))) {
            let what = format!("inverse {number} {fault:?}");
            let bench = self::bench(ideal.kind);
            bench.run().await;
            bench.fake.fault(bench.fake.ops() + number, fault);
            let report = bench.undo().await;
            assert!(report.class.is_none() || report.tally.unknown + report.tally.stuck > 0, "{what}: {}", report.why);
            ideal.undoes(&bench, &what).await;
        }
    });
}

#[test]
fn a_refused_change_ends_the_run_and_undo_takes_back_the_others() {
    each(async |ideal| {
        for number in 1..=ideal.ops {
            let what = format!("op {number} refused");
            let bench = bench(ideal.kind);
            bench.fake.fault(number, Fault::Refuse);
            let report = bench.run().await;
            // Something remains only where something was changed before.
            let class = if report.tally.done > 0 { Class::Partial } else { Class::Refused };
            assert_eq!(report.class, Some(class), "{:?} {what}: {}", ideal.kind, report.why);
            assert!(report.why.contains("not today"), "{:?} {what}: {}", ideal.kind, report.why);
            all_announced(&bench.plan, &bench.fake.take_sent());
            ideal.undoes(&bench, &what).await;
        }
    });
}

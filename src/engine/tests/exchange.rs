//! Manifests exchanged on hosts: killed anywhere, broken off, put back by the host, twice in one run.

use std::collections::BTreeMap;

use serde_json::json;

use super::support::*;
use crate::change::{Op, Target};
use crate::error::Class;
use crate::event::Event;
use crate::journal::{ChangeState, Entry};
use crate::world::fake::{Exchange, Fake, Fault, Sent};

const FILE: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";
const OLD: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: kube-apiserver\nspec:\n  containers:\n  - name: kube-apiserver\n    \
                   command:\n    - kube-apiserver\n    - --secure-port=6443\n";

fn hosts(fake: &Fake) -> Vec<Target> {
    use crate::world::Reads as _;
    fake.cluster("east").unwrap().hosts.iter().map(|host| Target::host("east", &host.name)).collect()
}

/// What stands on every host.
fn all(fake: &Fake) -> BTreeMap<Target, BTreeMap<String, String>> {
    hosts(fake).into_iter().map(|host| (host.clone(), fake.files(&host))).collect()
}

/// A runbook that gives room in as many steps, over hosts that have a manifest each.
fn room(steps: usize) -> Bench {
    let flags = ["max-requests-inflight", "max-mutating-requests-inflight"];
    let specs: Vec<Spec> = ["more", "still more"]
        .into_iter()
        .zip(flags)
        .take(steps)
        .map(|(name, flag)| (name, "scale-apiserver", json!({"flags": {flag: "800"}})))
        .collect();
    let fake = world(&["east"]);
    for host in hosts(&fake) {
        fake.write(&host, FILE, OLD);
    }
    Bench::new(fake, plan(&["east"], &specs, &policy()))
}

fn edited(bench: &Bench, flag: &str) -> bool {
    all(&bench.fake).values().all(|files| files.get(FILE).is_some_and(|text| text.contains(flag)))
}

#[test]
fn two_exchanges_of_one_run_are_both_taken_back() {
    paused(async {
        let bench = room(2);
        let before = all(&bench.fake);
        let report = bench.run().await;
        assert_eq!(report.class, None, "{}", report.why);
        assert!(
            edited(&bench, "--max-requests-inflight=800") && edited(&bench, "--max-mutating-requests-inflight=800")
        );
        let report = bench.undo().await;
        assert_eq!(report.class, None, "{}", report.why);
        assert_eq!(all(&bench.fake), before);
    });
}

/// The manifest is out: whatever the journal says of the exchange, it is not that it was made.
#[test]
fn an_exchange_that_broke_off_is_never_told_as_made() {
    paused(async {
        for how in [Exchange::Dies, Exchange::DiesIn] {
            let bench = room(1);
            let before = all(&bench.fake);
            bench.fake.exchange(how);
            let report = bench.run().await;
            assert_eq!(report.class, None, "{how:?}: {}", report.why);
            assert_eq!(report.tally.unknown, 0, "{how:?}");
            assert!(edited(&bench, "=800"), "{how:?}");
            let journal = bench.journal();
            let first = journal.run.changes.values().find(|record| record.change.key == "swap").unwrap();
            let made = if how == Exchange::Dies { ChangeState::NotMade } else { ChangeState::Done };
            assert_eq!(first.state, made, "{how:?}");
            let mend = journal.run.changes.values().find(|record| record.change.key == "mend").unwrap();
            let at = |id: u32| {
                let settled = |entry: &Entry| matches!(entry, Entry::Done { id: of, .. } | Entry::NotMade { id: of } if *of == id);
                bench.lines().iter().position(|line| settled(&line.entry)).unwrap()
            };
            assert!(at(mend.id) < at(first.id), "{how:?}: settled only after the mending");
            let report = bench.undo().await;
            assert_eq!(report.class, None, "{how:?}: {}", report.why);
            assert_eq!(all(&bench.fake), before, "{how:?}");
        }
    });
}

/// The operator goes away with the manifest out of its place; whoever comes next finds the copies and puts it back.
#[test]
fn what_broke_off_is_taken_back_by_undo_alone_and_the_copies_stay_until_then() {
    paused(async {
        for how in [Exchange::Dies, Exchange::DiesIn] {
            let bench = room(1);
            let before = all(&bench.fake);
            bench.fake.exchange(how);
            bench.fake.deny_reads_after(4, 1);
            let report = bench.run().await;
            assert_eq!(report.class, Some(Class::Partial), "{how:?}: {}", report.why);
            assert_eq!(report.tally.unknown, 1, "{how:?}: {}", report.why);
            let kept = all(&bench.fake);
            let copies = kept.values().flat_map(BTreeMap::keys).filter(|path| path.ends_with("/before.yaml")).count();
            assert_eq!(copies, 1, "{how:?}");
            let report = bench.undo().await;
            assert_eq!(report.class, None, "{how:?}: {}", report.why);
            assert_eq!(all(&bench.fake), before, "{how:?}");
        }
    });
}

#[test]
fn what_the_host_put_back_itself_is_no_obstacle_to_undo() {
    paused(async {
        let bench = room(1);
        let before = all(&bench.fake);
        bench.fake.exchange(Exchange::Reverts);
        let report = bench.run().await;
        assert_eq!(report.class, Some(Class::Partial), "{}", report.why);
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(all(&bench.fake), before);
        // The same with the reply lost.
        let bench = room(1);
        bench.fake.exchange(Exchange::Reverts);
        bench.fake.fault(4, Fault::LoseMade);
        bench.run().await;
        let report = bench.undo().await;
        assert_eq!(report.class, None, "{}", report.why);
        assert_eq!(all(&bench.fake), before);
    });
}

#[test]
fn killed_anywhere_an_exchange_is_gone_on_with_and_taken_back() {
    paused(async {
        let bench = room(2);
        let before = all(&bench.fake);
        bench.run().await;
        let (after, lines) = (all(&bench.fake), bench.lines().len());
        let mut killed = 0;
        for line in 1..=lines {
            for at in [Trap::Before(line), Trap::After(line)] {
                let bench = room(2);
                killed += usize::from(bench.go(Verb::Run, &trap(at)).await.is_none());
                let report = bench.undo().await;
                assert_eq!(report.class, None, "{at:?}: {}", report.why);
                assert_eq!(all(&bench.fake), before, "{at:?}");
                let bench = room(2);
                bench.go(Verb::Run, &trap(at)).await;
                let report = bench.resume().await;
                assert_eq!(report.class, None, "{at:?}: {}", report.why);
                assert_eq!(all(&bench.fake), after, "{at:?}");
                let report = bench.undo().await;
                assert_eq!(report.class, None, "{at:?}: {}", report.why);
                assert_eq!(all(&bench.fake), before, "{at:?}");
            }
        }
        assert!(killed > 30, "only {killed} of the traps sprang");
    });
}

#[test]
fn a_lost_reply_of_an_exchange_is_looked_into_both_ways() {
    paused(async {
        let bench = room(1);
        let before = all(&bench.fake);
        bench.run().await;
        let (after, ops) = (all(&bench.fake), bench.fake.ops());
        for fault in [Fault::LoseMade, Fault::LoseNotMade, Fault::Late] {
            for number in 1..=ops {
                let bench = room(1);
                bench.fake.fault(number, fault);
                let report = bench.run().await;
                assert_eq!(report.class, None, "op {number} {fault:?}: {}", report.why);
                assert_eq!((report.tally.unknown, all(&bench.fake)), (0, after.clone()), "op {number} {fault:?}");
                bench.fake.fault(bench.fake.ops() + 1, fault);
                bench.undo().await;
                let report = bench.undo().await;
                assert_eq!(report.class, None, "op {number} {fault:?}: {}", report.why);
                assert_eq!(all(&bench.fake), before, "op {number} {fault:?}");
            }
        }
    });
}

/// What another run left beside the manifests of a host.
fn left(bench: &Bench, host: usize, run: &str, files: &[(&str, &str)]) {
    let at = &hosts(&bench.fake)[host];
    for (name, text) in files {
        bench.fake.write(at, &format!("/etc/kubernetes/breakglass-{run}-1-room/{name}"), text);
    }
}

/// Swaps and marks in the order they were sent, each with its host, and the looks for those of others.
fn order(bench: &Bench) -> Vec<(String, String)> {
    let one = |sent: Sent| match sent {
        Sent::Look(at, script) if script.name == "manifest.under-way" => Some((at.short().to_owned(), script.name)),
        Sent::Op(at, Op::Host(command)) if command.script.name != "manifest.mend" => {
            Some((at.short().to_owned(), command.script.name))
        }
        _ => None,
    };
    bench.fake.take_sent().into_iter().filter_map(one).collect()
}

const THEIRS: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml\nx-y\n20240101T000000Z-bob\nbob\nkube-apiserver\n";

/// Whoever looks sees what stands there and whose it is, without the journal of another laptop.
#[test]
fn a_second_engineer_is_told_of_the_manifest_that_lies_beside_its_folder() {
    paused(async {
        for host in 0..hosts(&room(1).fake).len() {
            let bench = room(1);
            let at = hosts(&bench.fake)[host].clone();
            bench.fake.remove(&at, FILE);
            left(&bench, host, "20240101T000000Z-bob", &[("order", THEIRS), ("state", "broken"), ("out.yaml", OLD)]);
            let report = bench.run().await;
            // Where another host is looked at first, that is marked already.
            let class = if report.tally.done > 0 { Class::Partial } else { Class::Refused };
            assert_eq!(report.class, Some(class), "{}", report.why);
            for part in [
                "out of its place",
                "bob (run 20240101T000000Z-bob)",
                "breakglass-20240101T000000Z-bob-1-room/out.yaml",
            ] {
                assert!(report.why.contains(part), "{host} {part}: {}", report.why);
            }
            // Nobody takes a second one out meanwhile.
            assert!(order(&bench).iter().all(|(_, name)| name != "manifest.swap"), "{host}");
            bench.fake.write(&at, FILE, OLD);
            left(&bench, host, "20240101T000000Z-bob", &[("state", "ready")]);
            let report = bench.resume().await;
            assert_eq!(report.class, None, "{host}: {}", report.why);
        }
    });
}

#[test]
fn a_host_is_marked_before_the_others_are_looked_at_and_only_then_its_manifest_is_taken_out() {
    paused(async {
        let bench = room(1);
        assert_eq!(bench.run().await.class, None);
        let sent = order(&bench);
        let swaps: Vec<usize> = (0..sent.len()).filter(|i| sent[*i].1 == "manifest.swap").collect();
        assert_eq!(swaps.len(), 3);
        for swap in swaps {
            let here = &sent[swap].0;
            let mark = sent.iter().position(|one| one == &(here.clone(), "manifest.folder".to_owned())).unwrap();
            let looked: std::collections::BTreeSet<_> =
                sent[mark..swap].iter().filter(|(_, name)| name == "manifest.under-way").map(|(at, _)| at).collect();
            assert_eq!(looked.len(), 2, "{sent:?}");
        }
    });
}

#[test]
fn two_engineers_never_have_two_manifests_out_at_once() {
    paused(async {
        let moving = [("order", THEIRS), ("state", "out")];
        let early = [("mark", "20240101T000000Z-bob\nbob\nkube-apiserver\n10\n")];
        let late = [("mark", "20990101T000000Z-bob\nbob\nkube-apiserver\n10\n")];
        for theirs in [&moving[..], &early, &late] {
            let bench = room(1);
            left(&bench, 1, "20240101T000000Z-bob", theirs);
            let report = bench.run().await;
            assert!(report.class.is_some(), "{theirs:?}");
            assert!(order(&bench).iter().all(|(_, name)| name != "manifest.swap"), "{theirs:?}");
            assert!(report.why.contains("cp2") && report.why.contains("bob"), "{theirs:?}: {}", report.why);
            // A resume looks at the others as well.
            assert!(bench.resume().await.class.is_some(), "{theirs:?}");
            assert!(order(&bench).iter().all(|(_, name)| name != "manifest.swap"), "{theirs:?}");
            left(&bench, 1, "20240101T000000Z-bob", &[("state", "ready"), ("mark", "")]);
            let report = bench.resume().await;
            assert_eq!(report.class, None, "{theirs:?}: {}", report.why);
            assert!(edited(&bench, "=800"));
        }
        // A mark has an end.
        let old = [("mark", "20240101T000000Z-bob\nbob\nkube-apiserver\n91\n")];
        let bench = room(1);
        left(&bench, 1, "20240101T000000Z-bob", &old);
        let report = bench.run().await;
        assert_eq!(report.class, None, "{}", report.why);
    });
}

/// Taking back takes a manifest out, too.
#[test]
fn an_undo_waits_for_other_engineers_as_a_first_exchange_does() {
    paused(async {
        let moving = [("order", THEIRS), ("state", "out")];
        let gone = [("order", THEIRS), ("state", "broken"), ("out.yaml", OLD)];
        let early = [("mark", "20240101T000000Z-bob\nbob\nkube-apiserver\n10\n")];
        for theirs in [&moving[..], &gone, &early] {
            let bench = room(1);
            let before = all(&bench.fake);
            assert_eq!(bench.run().await.class, None);
            order(&bench);
            left(&bench, 1, "20240101T000000Z-bob", theirs);
            let there = hosts(&bench.fake)[1].clone();
            let text = bench.fake.files(&there)[FILE].clone();
            if theirs.len() == gone.len() {
                bench.fake.remove(&there, FILE);
            }
            let report = bench.undo().await;
            assert_eq!(report.class, Some(Class::Stuck), "{theirs:?}: {}", report.why);
            assert!(report.why.contains("cp2") && report.why.contains("bob"), "{theirs:?}: {}", report.why);
            let sent = order(&bench);
            assert!(sent.iter().all(|(_, name)| name != "manifest.swap"), "{theirs:?}: {sent:?}");
            bench.fake.write(&there, FILE, &text);
            for (name, _) in theirs {
                bench.fake.remove(&there, &format!("/etc/kubernetes/breakglass-20240101T000000Z-bob-1-room/{name}"));
            }
            let report = bench.undo().await;
            assert_eq!(report.class, None, "{theirs:?}: {}", report.why);
            assert_eq!(all(&bench.fake), before);
        }
    });
}

/// What the host noted is what is told, and what is named to look at is there.
#[test]
fn why_the_old_manifest_is_in_its_place_is_told_as_the_host_noted_it() {
    paused(async {
        let ends = [
            ("reverted", "the new process did not answer within"),
            ("stayed", "the old process did not exit within"),
            ("untaken", "could not be taken out of its folder"),
            ("unwritten", "could not be put in its place"),
        ];
        for (state, _) in ends {
            let bench = room(1);
            bench.fake.exchange(Exchange::Ends(state));
            let how = How::default();
            let report = bench.go(Verb::Run, &how).await.unwrap();
            for (other, said) in ends {
                assert_eq!(report.why.contains(said), other == state, "{state}: {}", report.why);
            }
            let heard = how.ears.heard.lock().unwrap();
            let hints: Vec<&String> = heard
                .iter()
                .filter_map(|event| match event {
                    Event::Trouble { hint, .. } => hint.as_ref(),
                    _ => None,
                })
                .collect();
            // Only an edited manifest whose process was waited for in vain is kept as the refused one.
            let refused = hints.iter().any(|hint| hint.contains("refused.yaml"));
            assert_eq!((hints.is_empty(), refused), (false, state == "reverted"), "{state}: {hints:?}");
        }
    });
}

//! What an undo tells of itself: where it works, and how much it took back.

use serde_json::json;

use super::samples::bench_of;
use super::support::*;
use crate::error::Class;
use crate::event::Event;
use crate::journal::Entry;
use crate::runbook::{OnFailure, Policy};
use crate::world::fake::Fault;

const BOTH: [&str; 2] = ["east", "west"];

/// One change on each of three hosts.
fn mark() -> Spec {
    ("mark", "exec", json!({"run": "set gate closed", "unless": "has gate", "undo": {"run": "unset gate"}}))
}

/// What was said when taking back began: on which clusters, how many changes stood, how many of them needed nothing.
fn began(how: &How) -> Vec<(Vec<String>, usize, usize)> {
    let heard = how.ears.heard.lock().unwrap();
    let began = heard.iter().filter_map(|event| match event {
        Event::UndoStarted { clusters, changes, needless, .. } => Some((clusters.clone(), *changes, *needless)),
        _ => None,
    });
    began.collect()
}

fn named(clusters: &[&str]) -> Vec<String> {
    clusters.iter().map(|name| (*name).to_owned()).collect()
}

/// A gate that is closed on two hosts is two changes to take back; what sets its fuses ends with it.
#[test]
fn what_needs_no_undo_does_not_count_as_taken_back() {
    paused(async {
        let bench = bench_of(&[("shut", "gate-close", json!({"stages": ["25%", "100%"]}))]);
        assert_eq!(bench.run().await.class, None);
        let how = How::default();
        let report = bench.go(Verb::Undo, &how).await.unwrap();
        assert_eq!((report.tally.undone, report.tally.needless), (2, 4), "{}", report.why);
        assert_eq!(report.why, "2 changes taken back, 4 needed none; nothing of this run stands");
        assert_eq!(began(&how), [(named(&["east"]), 6, 4)]);
        let last = bench.lines().pop().map(|line| line.entry);
        assert!(matches!(&last, Some(Entry::Ended { why, .. }) if *why == report.why), "{last:?}");

        let again = How::default();
        let report = bench.go(Verb::Undo, &again).await.unwrap();
        assert_eq!(report.why, "nothing of this run stands: 2 changes taken back before, 4 needed none");
        assert_eq!(began(&again), []);
    });
}

/// The reason of an undo that was held up counts the same way.
#[test]
fn an_undo_that_is_held_up_counts_apart_what_needed_nothing() {
    paused(async {
        let bench = bench_of(&[("shut", "gate-close", json!({"stages": ["25%", "100%"]})), mark()]);
        assert_eq!(bench.run().await.class, None);
        bench.fake.fault(bench.fake.ops() + 1, Fault::Refuse);
        let report = bench.undo().await;
        assert_eq!(report.class, Some(Class::Stuck), "{}", report.why);
        assert!(
            report.why.contains("3 changes taken back, 4 needed none; could not take back change"),
            "{}",
            report.why
        );
    });
}

#[test]
fn an_undo_says_once_and_first_on_which_clusters_it_works() {
    paused(async {
        let names = ["east", "north", "west"];
        let bench = Bench::new(world(&names), plan(&names, &[mark()], &policy()));
        assert_eq!(bench.run().await.class, None);
        let how = How { left_out: [("north".to_owned(), "its kit is broken".to_owned())].into(), ..How::default() };
        let _ = bench.go(Verb::Undo, &how).await.unwrap();
        assert_eq!(began(&how), [(named(&BOTH), 6, 0)]);
        let first = how.ears.heard.lock().unwrap().first().cloned();
        assert!(matches!(first, Some(Event::UndoStarted { .. })), "{first:?}");
        // What stands on the third is all that is left.
        let rest = How::default();
        let _ = bench.go(Verb::Undo, &rest).await.unwrap();
        assert_eq!(began(&rest), [(named(&["north"]), 3, 0)]);
    });
}

#[test]
fn a_run_that_takes_back_on_a_cluster_says_so_for_that_cluster() {
    paused(async {
        let undoing = Policy { on_failure: OnFailure::Undo, ..policy() };
        let refused = json!({"object": "ds/telemetry/agent", "uid": "another"});
        let bench = Bench::new(world(&BOTH), plan(&BOTH, &[mark(), ("kill", "delete", refused)], &undoing));
        let how = How::default();
        let report = bench.go(Verb::Run, &how).await.unwrap();
        let mut began = began(&how);
        began.sort();
        assert_eq!(began, [(named(&["east"]), 3, 0), (named(&["west"]), 3, 0)]);
        for cluster in BOTH {
            let why = report.why.lines().find(|line| line.starts_with(&format!("{cluster}: step \"kill\": ")));
            assert!(why.is_some_and(|why| why.ends_with("; 3 changes taken back")), "{}", report.why);
        }
    });
}

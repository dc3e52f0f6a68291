//! An undo that is stopped in the middle, or cannot go everywhere.

use std::sync::Arc;

use serde_json::json;

use super::support::*;
use crate::engine::cancel_pair;
use crate::error::Class;
use crate::event::{ChangeEnd, Event};

/// A run that froze and thawed something is taken back by freezing it again first: who stops there must be told.
#[test]
fn what_an_undo_leaves_when_it_is_stopped_is_named() {
    paused(async {
        let step = |value: &str, back: &str| {
            let (run, undo) = (format!("set lifecycle {value}"), format!("set lifecycle {back}"));
            json!({"run": run, "undo": {"run": undo}})
        };
        let specs: [Spec; 2] =
            [("freeze", "exec", step("frozen", "running")), ("thaw", "exec", step("running", "frozen"))];
        let bench = Bench::new(world(&["east"]), plan(&["east"], &specs, &policy()));
        assert_eq!(bench.run().await.class, None);
        let (canceller, cancel) = cancel_pair();
        let canceller = Arc::new(canceller);
        let raise = canceller.clone();
        let on = move |event: &Event| {
            if matches!(event, Event::ChangeEnded { state: ChangeEnd::Undone, id: 4, .. }) {
                raise.raise();
            }
        };
        let (spare, _) = cancel_pair();
        let ears = Ears { on: Some(Box::new(on)), ..Ears::default() };
        let how = How { cancel: (spare, cancel), ears, ..How::default() };
        let report = bench.go(Verb::Undo, &how).await.unwrap();
        assert_eq!((report.class, report.tally.undone), (Some(Class::Interrupted), 3), "{}", report.why);
        for word in ["3 changes left", "change 3 on cp3 (", "change 2 on cp2 (", "change 1 on cp1 (", "goes on"] {
            assert!(report.why.contains(word), "{word}: {}", report.why);
        }
        assert_eq!(bench.undo().await.class, None);
    });
}

/// The kit of one cluster may be broken tonight: the others are taken back all the same.
#[test]
fn a_cluster_that_cannot_be_worked_on_holds_up_no_other() {
    paused(async {
        let both = ["east", "west"];
        let bench = Bench::new(world(&both), plan(&both, &everything(), &policy()));
        let before = bench.fake.snapshot();
        assert_eq!(bench.run().await.class, None);
        let (all, east) = (bench.journal().run, "east".to_owned());
        let stands = all.standing().filter(|record| record.target.cluster == east).count();
        assert!(0 < stands && stands < all.standing().count());
        let how = How { left_out: [(east.clone(), "its kit is broken".into())].into(), ..How::default() };
        let report = bench.go(Verb::Undo, &how).await.unwrap();
        let gone = report.tally.undone + report.tally.needless;
        assert_eq!((report.class, gone), (Some(Class::Stuck), all.standing().count() - stands));
        // What needs no taking back is not counted here, as it is not where it is taken back.
        let of_east = all.standing().filter(|record| record.target.cluster == east);
        let back = of_east.filter(|record| !record.needs_no_undo()).count();
        assert!(back < stands);
        let why =
            format!("east: {back} changes not taken back, for this cluster cannot be worked on: its kit is broken");
        assert!(report.why.contains(&why), "{}", report.why);
        assert!(bench.journal().run.standing().all(|record| record.target.cluster == east));
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(bench.fake.snapshot(), before);
        // Where nothing stands, nothing holds anybody up.
        assert_eq!(bench.go(Verb::Undo, &how).await.unwrap().class, None);
    });
}

/// Another undo would come to the same, for ever.
#[test]
fn what_cannot_be_taken_back_is_not_offered_to_another_undo() {
    paused(async {
        let specs: [Spec; 1] = [("told", "exec", json!({"run": "set lifecycle frozen", "noUndo": "it is told"}))];
        let bench = Bench::new(world(&["east"]), plan(&["east"], &specs, &policy()));
        for (verb, class) in [(Verb::Run, None), (Verb::Undo, Some(Class::Stuck))] {
            let how = How::default();
            let report = bench.go(verb, &how).await.unwrap();
            assert_eq!(report.class, class, "{}", report.why);
            let heard = how.ears.heard.lock().unwrap();
            let Some(Event::RunEnded { next, .. }) = heard.last() else { panic!("{heard:?}") };
            assert!(next.iter().all(|next| next.starts_with("breakglass show ")) && !next.is_empty(), "{next:?}");
        }
    });
}

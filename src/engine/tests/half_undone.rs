//! An undo that is stopped in the middle.

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

//! The operator stops a run.

use std::sync::Arc;

use super::support::*;
use crate::engine::cancel_pair;
use crate::error::Class;
use crate::event::Event;
use crate::world::fake::Fault;

/// Raises the flag so many levels when change number `id` is sent.
fn stop_at(id: u32, levels: usize) -> How {
    let (canceller, cancel) = cancel_pair();
    let canceller = Arc::new(canceller);
    let raise = canceller.clone();
    let on = move |event: &Event| {
        if matches!(event, Event::ChangeSent { id: sent, .. } if *sent == id) {
            for _ in 0..levels {
                raise.raise();
            }
        }
    };
    let (spare, _) = cancel_pair();
    // The sender lives on in the listener.
    How { cancel: (spare, cancel), ears: Ears { on: Some(Box::new(on)), ..Ears::default() }, ..How::default() }
}

#[test]
fn the_first_signal_lets_the_op_in_flight_end() {
    paused(async {
        let Ideal { before, after, ops, .. } = ideal().await;
        for id in 1..=u32::try_from(ops).unwrap() {
            let bench = Bench::everything();
            let report = bench.go(Verb::Run, &stop_at(id, 1)).await.unwrap();
            assert_eq!(report.class, Some(Class::Interrupted), "change {id}: {}", report.why);
            assert_eq!(report.tally.unknown, 0, "change {id}");
            if id % 2 == 0 {
                assert_eq!(bench.undo().await.class, None, "change {id}");
                assert_eq!(bench.fake.snapshot(), before, "change {id}");
            } else {
                assert_eq!(bench.resume().await.class, None, "change {id}");
                assert_eq!(bench.fake.snapshot(), after, "change {id}");
            }
        }
    });
}

#[test]
fn the_second_signal_stops_now_and_says_what_is_not_known() {
    paused(async {
        let Ideal { after, ops, .. } = ideal().await;
        for id in 1..=u32::try_from(ops).unwrap() {
            let bench = Bench::everything();
            bench.fake.fault(id as usize, Fault::LoseMade);
            let report = bench.go(Verb::Run, &stop_at(id, 2)).await.unwrap();
            assert_eq!(report.class, Some(Class::Interrupted), "change {id}: {}", report.why);
            assert!(report.why.contains(&format!("not known whether change {id} (")), "{}", report.why);
            assert!(report.tally.unknown >= 1, "change {id}");
            assert_eq!(bench.resume().await.class, None, "change {id}");
            assert_eq!(bench.fake.snapshot(), after, "change {id}");
        }
    });
}

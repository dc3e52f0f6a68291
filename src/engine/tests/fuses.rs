//! The fuses of a gate whose API servers are in bad order: each setting is told of as what it came to, and a drill ends.

use std::time::Duration;

use super::formats::{READY, remembering, runs_badly, sets};
use super::support::*;
use crate::engine::Report;
use crate::journal::{ChangeState, Entry};
use crate::world::Reads as _;
use crate::world::fake::Fault;

/// The keys of what the re-opening did on the host that leads, with what became of it.
fn told(bench: &Bench) -> Vec<(String, ChangeState)> {
    let changes = bench.journal().run.changes.into_values();
    let led = changes.filter(|record| record.step == 1 && record.target.short() == "cp1");
    led.map(|record| (record.change.key, record.state)).collect()
}

/// So many lines to the first that begins so, from the first on that can fail.
fn line(bench: &Bench, begins: &str) -> usize {
    bench.lines().iter().position(|line| sets(line, begins)).unwrap()
}

/// The whole run, nothing lost.
async fn whole() -> Bench {
    let bench = remembering();
    assert_eq!(runs_badly(&bench, Trap::Never).await.unwrap().class, None);
    bench
}

/// Goes on with the API servers in bad order until this was written down so often, in good order from then on.
async fn resumed_until(bench: &Bench, begins: &str, times: usize) -> Report {
    let until = async {
        while bench.lines().iter().filter(|line| sets(line, begins)).count() < times {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bench.fake.answer(READY, 200, "ok", Duration::from_millis(5));
        std::future::pending::<()>().await;
    };
    let how = How::default();
    tokio::select! {
        report = bench.go(Verb::Resume, &how) => report.unwrap(),
        () = until => unreachable!(),
    }
}

#[test]
fn a_setting_that_was_written_down_and_never_sent_is_not_told_as_made() {
    paused(async {
        let whole = whole().await;
        for begins in ["close-again-1", "hold-"] {
            let killed = remembering();
            assert!(runs_badly(&killed, Trap::After(line(&whole, begins))).await.is_none());
            let Some(Entry::Intended { id, .. }) = killed.lines().pop().map(|line| line.entry) else { unreachable!() };
            let report = resumed_until(&killed, "hold-", if begins == "hold-" { 2 } else { 1 }).await;
            assert_eq!(report.class, None, "{begins}: {}", report.why);
            assert_eq!(killed.journal().run.changes[&id].state, ChangeState::NotMade, "{begins}: {:?}", told(&killed));
            let made = |bench: &Bench| {
                told(bench)
                    .into_iter()
                    .filter(|(_, state)| *state == ChangeState::Done)
                    .map(|(key, _)| key)
                    .collect::<Vec<_>>()
            };
            assert_eq!(made(&killed), made(&whole), "{begins}");
        }
    });
}

/// What was closed again without a reply is not opened by the next look, and what was held is not sent once more.
#[test]
fn a_setting_whose_reply_is_lost_is_told_as_what_a_look_finds() {
    paused(async {
        let whole = whole().await;
        for begins in ["close-again-1", "hold-"] {
            // How much was sent before it: what holds the gate sends, too.
            let before = remembering();
            assert!(runs_badly(&before, Trap::After(line(&whole, begins))).await.is_none());
            let number = before.fake.ops() + 1;
            for (fault, expected) in [(Fault::Cut, ChangeState::Done), (Fault::LoseNotMade, ChangeState::NotMade)] {
                let bench = remembering();
                bench.fake.fault(number, fault);
                // While a reply is waited for the kernel goes on, and bad order may end the run.
                runs_badly(&bench, Trap::Never).await.unwrap();
                let told = told(&bench);
                let (_, state) = told.iter().find(|(key, _)| key.starts_with(begins)).unwrap();
                assert_eq!(*state, expected, "{begins} {fault:?}: {told:?}");
                if expected == ChangeState::Done {
                    assert_eq!(told, self::told(&whole), "{begins} {fault:?}");
                }
            }
        }
    });
}

/// Nothing that a drill pretends stands at the next look.
#[test]
fn a_drill_sets_no_fuse_twice() {
    paused(async {
        let whole = whole().await;
        // Killed with the stage open, and with it closed again and its fuse nearly burned down.
        for (begins, rest, expected) in [("stage-1", 0, "close-again-1"), ("close-again-1", 20, "hold-0")] {
            let killed = remembering();
            assert!(runs_badly(&killed, Trap::After(line(&whole, begins) + 1)).await.is_none());
            killed.fake.answer(READY, 500, "not ok", Duration::from_millis(5));
            tokio::time::sleep(Duration::from_secs(rest)).await;
            let cluster = killed.fake.cluster("east").unwrap().clone();
            let specs: [Spec; 1] = [("in", "gate-open", serde_json::json!({"window": "2s"}))];
            let drill = Bench::new(killed.fake, plan_over(vec![cluster], &specs, &policy()));
            let report = drill.go(Verb::Run, &How { drill: true, ..How::default() }).await.unwrap();
            assert_eq!(report.class, None, "{begins}: {}", report.why);
            let set = |host: &str| {
                let changes = drill.journal().run.changes.into_values().filter(|it| it.target.short() == host);
                changes.map(|record| record.change.key).collect::<Vec<_>>()
            };
            assert_eq!(set("cp1"), [expected], "{begins}");
            assert!(set("cp2").len() <= 1, "{begins}: {:?}", set("cp2"));
        }
    });
}

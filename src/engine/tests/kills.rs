//! The process dies, or its disk fills up, at each line of the journal.

use super::support::*;
use crate::error::Class;
use crate::journal::Entry;

fn traps(lines: usize) -> impl Iterator<Item = Trap> {
    (1..=lines).flat_map(|line| [Trap::Before(line), Trap::Torn(line), Trap::After(line)])
}

#[test]
fn killed_anywhere_resume_ends_in_the_same_state() {
    paused(async {
        let Ideal { before, after, lines, .. } = ideal().await;
        let mut killed = 0;
        for trap_at in traps(lines) {
            let bench = Bench::everything();
            killed += usize::from(bench.go(Verb::Run, &trap(trap_at)).await.is_none());
            let report = bench.resume().await;
            assert_eq!(report.class, None, "{trap_at:?}: {}", report.why);
            assert_eq!(report.tally.unknown, 0, "{trap_at:?}");
            assert_eq!(bench.fake.snapshot(), after, "{trap_at:?}");
            assert_eq!(bench.undo().await.class, None, "{trap_at:?}");
            assert_eq!(bench.fake.snapshot(), before, "{trap_at:?}");
        }
        assert!(killed > 100, "only {killed} of the traps sprang");
    });
}

#[test]
fn killed_anywhere_undo_takes_everything_back() {
    paused(async {
        let Ideal { before, lines, .. } = ideal().await;
        for trap_at in traps(lines) {
            let bench = Bench::everything();
            bench.go(Verb::Run, &trap(trap_at)).await;
            let report = bench.undo().await;
            assert_eq!(report.class, None, "{trap_at:?}: {}", report.why);
            assert_eq!(bench.fake.snapshot(), before, "{trap_at:?}");
        }
    });
}

#[test]
fn killed_while_taking_back_undo_goes_on() {
    paused(async {
        let Ideal { before, ops, .. } = ideal().await;
        for trap_at in traps(2 * ops) {
            let bench = Bench::everything();
            bench.run().await;
            assert!(bench.go(Verb::Undo, &trap(trap_at)).await.is_none(), "{trap_at:?}");
            let report = bench.undo().await;
            assert_eq!(report.class, None, "{trap_at:?}: {}", report.why);
            assert_eq!(bench.fake.snapshot(), before, "{trap_at:?}");
        }
    });
}

#[test]
fn no_write_happens_that_could_not_be_written_down() {
    paused(async {
        let Ideal { before, lines, .. } = ideal().await;
        for line in 1..lines {
            let bench = Bench::everything();
            let report = bench.go(Verb::Run, &trap(Trap::Full(line))).await.unwrap();
            assert_eq!(report.class, Some(Class::Journal), "line {line}: {}", report.why);
            let intended = bench.lines().iter().filter(|line| matches!(line.entry, Entry::Intended { .. })).count();
            // A line that went to the full disk with one that did not fit may be there whole: nothing was sent for it.
            assert!(bench.fake.ops() <= intended, "line {line}");
            assert_eq!(bench.undo().await.class, None, "line {line}");
            assert_eq!(bench.fake.snapshot(), before, "line {line}");
        }
    });
}

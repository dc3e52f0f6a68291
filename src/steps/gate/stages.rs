//! What comes next in a re-opening: pure, from what stands on the host, what the journal says, and one verdict.

use std::time::Duration;

use crate::journal::{ChangeRecord, ChangeState};
use crate::steps::History;

/// A wait is never longer than this, however often it was doubled.
const LONGEST_WAIT: Duration = Duration::from_mins(10);
/// The time that looks and orders take on a bad line; a fuse is always longer than the wait by this.
const SLACK: Duration = Duration::from_secs(30);

/// The first part of the key of a stage that was closed again.
pub(in crate::steps) const CLOSE_AGAIN: &str = "close-again-";

/// How fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::steps) struct Pace {
    /// How long all must be well after a stage.
    pub(in crate::steps) window: Duration,
    /// How often a stage is closed again before giving up.
    pub(in crate::steps) most: u32,
}

impl Pace {
    /// The wait before the next stage, doubled with each one that was closed again.
    fn wait(&self, tries: u32) -> Duration {
        let factor = 2_u32.checked_pow(tries).unwrap_or(u32::MAX);
        self.window.checked_mul(factor).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT.max(self.window))
    }

    /// Seconds until the kernel opens the next stage by itself: later than we would, so that a living client decides.
    pub(in crate::steps) fn fuse(&self, tries: u32) -> u32 {
        super::secs(self.wait(tries) * 2 + SLACK)
    }
}

/// What stands on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::steps) struct Standing {
    /// How many stages are through; not more than there are.
    pub(in crate::steps) level: usize,
    /// How many there are.
    pub(in crate::steps) stages: usize,
    /// Until the next one comes by itself.
    pub(in crate::steps) next: Duration,
    /// Between two that come by themselves.
    pub(in crate::steps) step: Duration,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::steps) enum Act {
    /// Open up to this level; the next stage comes by itself after so many seconds.
    Stage {
        /// The level.
        level: usize,
        /// Seconds.
        hold: u32,
    },
    /// Close the last stage again.
    CloseAgain {
        /// The level that is left.
        level: usize,
        /// Seconds.
        hold: u32,
    },
    /// Keep the kernel from opening the next stage while it goes badly.
    HoldOn {
        /// The level that stays.
        level: usize,
        /// Seconds.
        hold: u32,
    },
    /// Everybody is let in: take the gate away.
    Open,
    /// Look again.
    Wait {
        /// How long it has gone well.
        so_far: Duration,
        /// How long it must.
        of: Duration,
    },
    /// It went badly too often.
    GiveUp,
}

/// How often a stage was closed again.
pub(in crate::steps) fn closed_again(history: &History) -> u32 {
    let again = made(history).filter(|(_, _, key)| key.starts_with(CLOSE_AGAIN)).count();
    u32::try_from(again).unwrap_or(u32::MAX)
}

/// What was made here, oldest first: the record, its level, its key.
fn made(history: &History) -> impl DoubleEndedIterator<Item = (&ChangeRecord, usize, &str)> {
    history.changes.iter().filter(|record| record.state == ChangeState::Done).filter_map(|record| {
        let crate::change::Op::Host(command) = &record.change.op else { return None };
        let level = command.script.args.iter().find(|(key, _)| key == "level")?.1.parse().ok()?;
        Some((record, level, record.change.key.as_str()))
    })
}

/// What comes next. `well`: every API server is in good order right now.
pub(in crate::steps) fn next(now: &Standing, history: &History, well: bool, pace: &Pace) -> Act {
    let tries = closed_again(history);
    let last = made(history).next_back();
    let by_itself = now.step.saturating_sub(now.next);
    let (ours, since) = match last {
        Some((record, level, _)) if level == now.level => (true, history.ago(record.moved_at)),
        // Somebody has set it back: a renewal that was on its way, or another client.
        Some((_, level, _)) if level > now.level => return Act::Stage { level, hold: pace.fuse(tries) },
        // The kernel has opened it by itself.
        Some(_) => (false, by_itself),
        None => (false, if now.level == 0 { Duration::MAX } else { by_itself }),
    };
    let recovering = ours && last.is_some_and(|(_, _, key)| key.starts_with(CLOSE_AGAIN));
    let wait = if recovering { pace.wait(tries) } else { pace.window };
    if well && since < wait {
        Act::Wait { so_far: since, of: wait }
    } else if well && now.level >= now.stages {
        Act::Open
    } else if well {
        Act::Stage { level: now.level + 1, hold: pace.fuse(tries) }
    } else if tries >= pace.most {
        Act::GiveUp
    } else if now.level > 0 && !(recovering && since < pace.window) {
        Act::CloseAgain { level: now.level - 1, hold: pace.fuse(tries + 1) }
    } else if now.next < SLACK.min(pace.window) {
        // What was just closed again needs a moment to be better for it, and the kernel must not open it meanwhile.
        Act::HoldOn { level: now.level, hold: pace.fuse(tries) }
    } else {
        Act::Wait { so_far: Duration::ZERO, of: wait }
    }
}

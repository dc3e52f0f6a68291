//! What comes next in a re-opening: pure, from what stands on the host, what the journal says, and one verdict.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::journal::{ChangeRecord, ChangeState};
use crate::steps::History;

/// A wait is never longer than this, however often it was doubled.
const LONGEST_WAIT: Duration = Duration::from_mins(10);
/// The time that looks and orders take on a bad line; a fuse is always longer than the wait by this.
const SLACK: Duration = Duration::from_secs(30);

/// A living client that must hold on does so this long before the fuse has burned down: longer than two looks may take.
/// Every fuse is longer than that by at least ten seconds.
const HOLD_ON: Duration = Duration::from_secs(20);

/// The host that leads sets its fuses anew where it is no sooner than this: a fuse is longer by so much than what is held on at.
const LEADS_ON: Duration = Duration::from_secs(10);

/// How fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::steps) struct Pace {
    /// How long all must be well after a stage.
    pub(in crate::steps) window: Duration,
    /// How often stages are closed again without getting any further before giving up.
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

    /// The time left of a fuse at which a living client that must hold on does so.
    fn hold_on(&self) -> Duration {
        HOLD_ON
    }

    /// Whether nobody can be left who drives a gate with so much time to its next stage.
    pub(in crate::steps) fn abandoned(&self, next: Duration) -> bool {
        next < self.hold_on() / 2
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

/// How it goes at a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::steps) enum Going {
    /// Every API server is in good order. `settled`: it has been for long enough to know that whoever was let in by the
    /// last stage is no burden, so that the rest of the window need not be waited for.
    Well {
        /// See above.
        settled: bool,
    },
    /// Not in good order, but what is wrong gets less: the offender's pods, connections or requests.
    Better,
    /// Not in good order, and nothing shows that it gets better.
    Badly,
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

/// A setting of the fuses, as the change notes it that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::steps) struct Fuses {
    /// What for.
    pub(in crate::steps) purpose: Purpose,
    /// How many stages are through then.
    pub(in crate::steps) level: usize,
}

/// What fuses are set for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::steps) enum Purpose {
    /// To open a stage.
    Stage,
    /// To close one again.
    CloseAgain,
    /// To keep the next one from coming by itself.
    HoldOn,
    /// To be where the host is that leads.
    Follow,
}

/// The key of the change that sets fuses after all these, for so many seconds: the same at every look until it is seen made.
///
/// What was sent or written down alone raises no number. Nor does what was answered and does not stand: else a drill, in
/// which nothing ever does, would send it again and again under new keys, and a host that does not obey would never be found.
pub(in crate::steps) fn key(set: Fuses, hold: u32, before: &History) -> String {
    if let Some((record, _)) =
        made(before).next_back().filter(|(record, last)| *last == set && fresh(before, (record, set.purpose), hold))
    {
        return record.change.key.clone();
    }
    // Over all, not since the last stage that went well.
    let closed = closed_again(before);
    let done = before.changes.iter().filter(|record| record.state == ChangeState::Done).count();
    match set.purpose {
        Purpose::Stage if closed == 0 => format!("stage-{}", set.level),
        Purpose::Stage => format!("stage-{}-try-{}", set.level, closed + 1),
        Purpose::CloseAgain => format!("close-again-{}", closed + 1),
        Purpose::HoldOn => format!("hold-{done}"),
        Purpose::Follow => format!("follow-{}", done + 1),
    }
}

/// Set by this process so short a while ago, for so many seconds, that nothing can have burned down since. What is wanted
/// again nevertheless has not taken.
fn fresh(history: &History, (record, purpose): (&ChangeRecord, Purpose), hold: u32) -> bool {
    let spare = Duration::from_secs(hold.into()).saturating_sub(SLACK) / 2;
    history.just_now(record, if purpose == Purpose::Follow { spare.max(LEADS_ON) } else { spare })
}

/// What a look at the host says of changes whose reply did not come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::steps) struct LookedInto {
    /// By number, those that stand.
    pub(in crate::steps) made: Vec<u32>,
    /// Those that do not.
    pub(in crate::steps) not_made: Vec<u32>,
}

/// Looks into each change of which nobody knows whether it was made, on a host whose gate stands; and the history as it is
/// with that known. What is wanted next does not tell: after one that was not made, something else may be wanted.
pub(in crate::steps) fn look_into(history: &History, level: usize, next: Duration) -> (History, LookedInto) {
    let (mut history, mut found) = (history.clone(), LookedInto::default());
    for record in history.changes.iter_mut().filter(|record| record.state.is_open()) {
        let set: Option<Fuses> = record.change.note.as_ref().and_then(crate::change::Note::read);
        let stands = set.is_some_and(|set| match set.purpose {
            Purpose::Stage => level >= set.level,
            Purpose::CloseAgain => level <= set.level,
            Purpose::HoldOn => level == set.level && next >= HOLD_ON,
            // Whether its fuse is that of the host that leads is seen when that one is looked at.
            Purpose::Follow => level == set.level,
        });
        // The only one that sets nothing takes the gate away, and here it stands.
        if stands {
            (record.state, record.moved_at) = (ChangeState::Done, history.now);
            found.made.push(record.id);
        } else {
            record.state = ChangeState::NotMade;
            found.not_made.push(record.id);
        }
    }
    (history, found)
}

/// Whether the fuses stand here as another host had them.
pub(in crate::steps) fn follows(history: &History) -> bool {
    let last = history.changes.iter().rfind(|record| record.state == ChangeState::Done);
    let set: Option<Fuses> = last.and_then(|record| record.change.note.as_ref()?.read());
    set.is_some_and(|set| set.purpose == Purpose::Follow)
}

/// How often a stage was closed again.
pub(in crate::steps) fn closed_again(history: &History) -> u32 {
    let again = made(history).filter(|(_, set)| set.purpose == Purpose::CloseAgain).count();
    u32::try_from(again).unwrap_or(u32::MAX)
}

/// How often stages were closed again since it came further than ever before: a stage that went well has shown that the
/// pace is right, and the next one begins without the waits that this one needed.
pub(in crate::steps) fn tries(history: &History) -> u32 {
    let (mut furthest, mut tries) = (0, 0);
    for (_, Fuses { purpose, level }) in made(history) {
        let again = purpose == Purpose::CloseAgain;
        let reached = if again { level + 1 } else { level };
        if reached > furthest {
            (furthest, tries) = (reached, 0);
        }
        tries += u32::from(again);
    }
    tries
}

/// How fuses were set here, oldest first.
fn made(history: &History) -> impl DoubleEndedIterator<Item = (&ChangeRecord, Fuses)> {
    history.notes().filter(|(record, _)| record.state == ChangeState::Done)
}

/// What comes next. `gone`: nothing is left of what drowned the API servers, so that a stage that was closed again needs
/// no longer wait than the others.
pub(in crate::steps) fn next(now: &Standing, history: &History, going: Going, gone: bool, pace: &Pace) -> Act {
    let tries = tries(history);
    let last = made(history).next_back();
    let by_itself = now.step.saturating_sub(now.next);
    let (ours, since) = match last {
        Some((record, Fuses { level, .. })) if level == now.level => (true, history.ago(record.moved_at)),
        // Somebody has set it back: a renewal that was on its way, or another client.
        Some((_, Fuses { level, .. })) if level > now.level => return Act::Stage { level, hold: pace.fuse(tries) },
        // It was closed again, and has not taken: the kernel opens nothing so soon.
        Some((record, Fuses { purpose: Purpose::CloseAgain, level }))
            if fresh(history, (record, Purpose::CloseAgain), pace.fuse(tries)) =>
        {
            return Act::CloseAgain { level, hold: pace.fuse(tries) };
        }
        // The kernel has opened it by itself.
        Some(_) => (false, by_itself),
        None => (false, if now.level == 0 { Duration::MAX } else { by_itself }),
    };
    let recovering = ours && last.is_some_and(|(_, set)| set.purpose == Purpose::CloseAgain);
    let wait = if recovering && !gone { pace.wait(tries) } else { pace.window };
    match going {
        Going::Well { settled } if since < wait && !(settled && (gone || !recovering)) => {
            Act::Wait { so_far: since, of: wait }
        }
        Going::Well { .. } if now.level >= now.stages => Act::Open,
        Going::Well { .. } => Act::Stage { level: now.level + 1, hold: pace.fuse(tries) },
        Going::Badly if tries >= pace.most => Act::GiveUp,
        Going::Badly if now.level > 0 && !(recovering && since < pace.window) => {
            Act::CloseAgain { level: now.level - 1, hold: pace.fuse(tries + 1) }
        }
        // What gets better, or was just closed again, needs a moment, and the kernel must not open the next meanwhile.
        Going::Better | Going::Badly if now.next < pace.hold_on() => {
            Act::HoldOn { level: now.level, hold: pace.fuse(tries) }
        }
        Going::Better | Going::Badly => Act::Wait { so_far: Duration::ZERO, of: wait },
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::change::{Change, Facts, LocalCommand, Note, Op, Target};

    const PACE: Pace = Pace { window: Duration::from_secs(20), most: 2 };

    /// Acts of ours, each so many seconds ago: what for, level, age.
    pub(in super::super) fn history(acts: &[(Purpose, usize, i64)]) -> History {
        let set = |(purpose, level, age): &(Purpose, usize, i64)| {
            ("set", Some(Fuses { purpose: *purpose, level: *level }), *age)
        };
        changes(&acts.iter().map(set).collect::<Vec<_>>())
    }

    /// Changes of ours, each so many seconds ago: key, note, age.
    pub(in super::super) fn changes(all: &[(&str, Option<Fuses>, i64)]) -> History {
        let now = jiff::Timestamp::from_second(1_790_000_000).unwrap();
        let record = |(key, set, age): &(&str, Option<Fuses>, i64)| {
            let at = jiff::Timestamp::from_second(1_790_000_000 - age).unwrap();
            let op = Op::Local(LocalCommand { argv: Vec::new(), idempotent: true, quiet: false });
            let change = Change { note: set.as_ref().map(Note::of), ..Change::sample(key, op) };
            let state = ChangeState::Done;
            let target = Target::host("east", "cp1");
            ChangeRecord {
                id: 1,
                step: 0,
                target,
                change,
                host_key: None,
                state,
                said: String::new(),
                facts: Facts::default(),
                intended_at: at,
                moved_at: at,
            }
        };
        History { changes: all.iter().map(record).collect(), since: Some(now), now, ..History::default() }
    }

    /// Three stages, a minute apart, the next one in `next` seconds.
    fn at(level: usize, next: u64) -> Standing {
        Standing { level, stages: 3, next: Duration::from_secs(next), step: Duration::from_secs(60) }
    }

    #[track_caller]
    fn case(now: Standing, acts: &[(Purpose, usize, i64)], well: bool, expected: Act) {
        let going = if well { Going::Well { settled: false } } else { Going::Badly };
        assert_eq!(next(&now, &history(acts), going, false, &PACE), expected, "{now:?} {acts:?} {well}");
    }

    #[track_caller]
    fn goes(now: Standing, acts: &[(Purpose, usize, i64)], going: Going, gone: bool, expected: Act) {
        assert_eq!(next(&now, &history(acts), going, gone, &PACE), expected, "{now:?} {acts:?} {going:?} {gone}");
    }

    #[test]
    fn what_has_settled_is_not_waited_for_any_longer() {
        let settled = Going::Well { settled: true };
        goes(at(1, 60), &[(Purpose::Stage, 1, 3)], settled, false, Act::Stage { level: 2, hold: 70 });
        goes(at(3, 60), &[(Purpose::Stage, 3, 3)], settled, false, Act::Open);
        // A stage that was closed again waits its time, unless nothing is left of what closed it.
        let closed = [(Purpose::Stage, 2, 100), (Purpose::CloseAgain, 1, 3)];
        goes(at(1, 60), &closed, settled, false, wait(3, 40));
        goes(at(1, 60), &closed, settled, true, Act::Stage { level: 2, hold: 110 });
        goes(at(1, 60), &closed, Going::Well { settled: false }, true, wait(3, 20));
    }

    #[test]
    fn what_gets_better_is_left_to_go_on_and_held_where_it_is() {
        goes(at(2, 60), &[(Purpose::Stage, 2, 30)], Going::Better, false, wait(0, 20));
        goes(at(2, 15), &[(Purpose::Stage, 2, 55)], Going::Better, false, Act::HoldOn { level: 2, hold: 70 });
        goes(at(2, 60), &[(Purpose::Stage, 2, 30)], Going::Badly, true, Act::CloseAgain { level: 1, hold: 110 });
    }

    fn wait(so_far: u64, of: u64) -> Act {
        Act::Wait { so_far: Duration::from_secs(so_far), of: Duration::from_secs(of) }
    }

    #[test]
    fn stages_follow_each_other_while_all_is_well() {
        case(at(0, 800), &[], true, Act::Stage { level: 1, hold: 70 });
        case(at(1, 60), &[(Purpose::Stage, 1, 10)], true, wait(10, 20));
        case(at(1, 50), &[(Purpose::Stage, 1, 20)], true, Act::Stage { level: 2, hold: 70 });
        case(at(3, 50), &[(Purpose::Stage, 3, 19)], true, wait(19, 20));
        case(at(3, 50), &[(Purpose::Stage, 3, 20)], true, Act::Open);
    }

    #[test]
    fn a_bad_look_closes_the_last_stage_at_once_and_doubles_the_wait() {
        case(at(2, 60), &[(Purpose::Stage, 2, 1)], false, Act::CloseAgain { level: 1, hold: 110 });
        let once = [(Purpose::Stage, 2, 100), (Purpose::CloseAgain, 1, 30)];
        case(at(1, 60), &once, true, wait(30, 40));
        let long_enough = [(Purpose::Stage, 2, 100), (Purpose::CloseAgain, 1, 40)];
        case(at(1, 60), &long_enough, true, Act::Stage { level: 2, hold: 110 });
    }

    #[test]
    fn what_was_closed_again_gets_a_window_to_recover_and_then_one_more_is_closed() {
        case(at(1, 60), &[(Purpose::Stage, 2, 100), (Purpose::CloseAgain, 1, 5)], false, wait(0, 40));
        let still_bad = [(Purpose::Stage, 2, 100), (Purpose::CloseAgain, 1, 20)];
        case(at(1, 60), &still_bad, false, Act::CloseAgain { level: 0, hold: 190 });
    }

    #[test]
    fn too_many_tries_end_it() {
        let twice = [(Purpose::CloseAgain, 1, 90), (Purpose::Stage, 2, 40), (Purpose::CloseAgain, 1, 30)];
        case(at(1, 60), &twice, false, Act::GiveUp);
    }

    #[test]
    fn a_stage_that_went_well_takes_the_tries_of_the_one_before_with_it() {
        let (opened, closed) = ((Purpose::Stage, 1, 500), (Purpose::CloseAgain, 0, 490));
        let second = [opened, closed, (Purpose::Stage, 1, 400), (Purpose::Stage, 2, 5)];
        assert_eq!((tries(&history(&second)), closed_again(&history(&second))), (0, 1));
        case(at(2, 60), &second, false, Act::CloseAgain { level: 1, hold: 110 });
        // A stage below that is closed, too, and comes back, is no way forward.
        let back = [
            (Purpose::Stage, 2, 500),
            (Purpose::CloseAgain, 1, 490),
            (Purpose::CloseAgain, 0, 400),
            (Purpose::Stage, 1, 5),
        ];
        assert_eq!(tries(&history(&back)), 2);
    }

    #[test]
    fn the_kernel_does_not_open_a_closed_gate_while_it_goes_badly_and_somebody_looks() {
        case(at(0, 800), &[], false, wait(0, 20));
        case(at(0, 15), &[], false, Act::HoldOn { level: 0, hold: 70 });
        case(at(0, 65), &[(Purpose::HoldOn, 0, 5)], false, wait(0, 20));
    }

    #[test]
    fn the_key_of_a_setting_is_the_same_until_it_is_seen_made() {
        for purpose in [Purpose::Stage, Purpose::CloseAgain, Purpose::HoldOn, Purpose::Follow] {
            let set = Fuses { purpose, level: 1 };
            let wanted = key(set, 70, &history(&[(Purpose::Stage, 2, 100)]));
            let after = |state: ChangeState, age: i64| {
                let mut after = history(&[(Purpose::Stage, 2, 100), (purpose, 1, age)]);
                after.changes[1].state = state;
                after.changes[1].change.key.clone_from(&wanted);
                key(set, 70, &after)
            };
            for state in [ChangeState::Intended, ChangeState::Unknown, ChangeState::NotMade, ChangeState::Failed] {
                assert_eq!(after(state, 1), wanted, "{purpose:?} {state:?}");
            }
            // It was answered and has not taken, or its fuse has burned down since.
            assert_eq!(after(ChangeState::Done, 1), wanted, "{purpose:?}");
            assert_eq!(after(ChangeState::Done, 50) == wanted, purpose == Purpose::Stage, "{purpose:?}");
        }
    }

    #[test]
    fn a_look_says_which_settings_stand_whose_reply_was_lost() {
        let stands = |set: (Purpose, usize), level: usize, next: u64| {
            let mut before = history(&[(set.0, set.1, 1)]);
            before.changes[0].state = ChangeState::Unknown;
            let (after, found) = look_into(&before, level, Duration::from_secs(next));
            let made = after.changes[0].state == ChangeState::Done;
            let (yes, no) = if made { (vec![1], Vec::new()) } else { (Vec::new(), vec![1]) };
            assert_eq!(found, LookedInto { made: yes, not_made: no });
            made
        };
        for (set, level, next, expected) in [
            ((Purpose::Stage, 2), 1, 60, false),
            ((Purpose::Stage, 2), 2, 60, true),
            // It was set, and the kernel has opened one more since.
            ((Purpose::Stage, 2), 3, 60, true),
            ((Purpose::CloseAgain, 1), 2, 60, false),
            ((Purpose::CloseAgain, 1), 1, 60, true),
            ((Purpose::HoldOn, 1), 1, 10, false),
            ((Purpose::HoldOn, 1), 1, 60, true),
            ((Purpose::HoldOn, 1), 2, 60, false),
            ((Purpose::Follow, 1), 0, 60, false),
            ((Purpose::Follow, 1), 1, 60, true),
        ] {
            assert_eq!(stands(set, level, next), expected, "{set:?} {level} {next}");
        }
    }

    #[test]
    fn what_was_closed_again_and_has_not_taken_is_closed_again() {
        case(
            at(2, 60),
            &[(Purpose::Stage, 2, 9), (Purpose::CloseAgain, 1, 1)],
            true,
            Act::CloseAgain { level: 1, hold: 110 },
        );
        // The kernel has opened it since.
        case(at(2, 60), &[(Purpose::Stage, 2, 200), (Purpose::CloseAgain, 1, 111)], true, wait(0, 20));
    }

    #[test]
    fn a_stage_that_came_by_itself_counts_from_when_it_came() {
        case(at(1, 50), &[], true, wait(10, 20));
        case(at(1, 30), &[], true, Act::Stage { level: 2, hold: 70 });
        case(at(2, 50), &[(Purpose::Stage, 1, 300)], false, Act::CloseAgain { level: 1, hold: 110 });
    }

    #[test]
    fn what_somebody_set_back_is_set_again() {
        case(at(0, 300), &[(Purpose::Stage, 1, 2)], true, Act::Stage { level: 1, hold: 70 });
    }

    /// A run that was resumed watches a stage anew, whatever the two processes' clocks show.
    #[test]
    fn what_an_earlier_process_saw_ends_no_window() {
        let well = Going::Well { settled: false };
        for age in [86_400, 30, -3600] {
            let mut resumed = history(&[(Purpose::Stage, 1, age)]);
            resumed.here = resumed.now;
            assert_eq!(next(&at(1, 60), &resumed, well, false, &PACE), wait(0, 20), "{age}");
            resumed.now = resumed.now.saturating_add(PACE.window).unwrap();
            let passed = next(&at(1, 60), &resumed, well, false, &PACE);
            // A time that lies ahead is put right when the journal is read.
            assert_eq!(passed == Act::Stage { level: 2, hold: 70 }, age > 0, "{age}: {passed:?}");
        }
    }

    #[test]
    fn a_fuse_is_always_longer_than_the_wait_and_never_for_ever() {
        for tries in [0, 1, 5, 40] {
            let (fuse, wait) = (u64::from(PACE.fuse(tries)), PACE.wait(tries).as_secs());
            assert!(fuse > wait && fuse <= 1230, "{tries}: {fuse} {wait}");
        }
    }
}

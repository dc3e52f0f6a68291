//! The re-opening itself: one look at the leading host, and what follows from it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::time::Instant;

use super::leader::{leader, open_before, waits_for_its_server};
use super::offender::{Offender, Sample};
use super::progress::{Order, Progress, Verdict};
use super::stages::{self, Act, Fuses, Going, LookedInto, Pace, Purpose, Standing};
use super::{FOUR_MINUTES, LEASE, ORDER_SECS, Whose};
use crate::change::{Change, Inverse, Keep, Note, Op, Target};
use crate::duration::HumanDuration;
use crate::finding::{self, Finding, Unwell};
use crate::host::gate::{self, BackEnd, Driver, GateState, Mark, Turn};
use crate::journal::ChangeState;
use crate::kit::{Cluster, Host};
use crate::steps::gate as common;
use crate::steps::health::{Health, Limits, READYZ, SMALL, judge};
use crate::steps::{Announced, History, Look, Sends, Step, StepError, Survey, Times, servers};

pub(super) const OPEN: &str = "open";
/// Milliseconds that the fuses of two hosts may be apart.
const FUSES_APART: u64 = 15_000;
/// The longest that a host which leads may go without a new fuse while somebody is at it: an order whose reply is lost, and
/// the look after it.
const TAKEN_UP: Duration = Duration::from_secs(ORDER_SECS + 15);
/// Looks that follow an offender come this soon after each other.
const QUICK: Duration = Duration::from_millis(500);

/// A re-opening, as it was asked for.
pub(in crate::steps) struct Open {
    pub(in crate::steps) whose: Whose,
    pub(in crate::steps) pace: Pace,
    pub(in crate::steps) limits: Limits,
    pub(in crate::steps) without: Vec<String>,
    pub(in crate::steps) at_once: bool,
    pub(in crate::steps) each: bool,
    pub(in crate::steps) offender: Option<Offender>,
    /// What is remembered from look to look.
    pub(in crate::steps) progress: Progress,
    /// The hosts that open last.
    pub(in crate::steps) late: Late,
    /// The hosts that follow.
    pub(in crate::steps) following: Following,
}

/// The hosts whose API server was seen to be away: they lead nobody and open after all the others, also when the server is
/// back in between. With each, since when it has waited with the others open.
#[derive(Debug, Default)]
pub(in crate::steps) struct Late(Mutex<BTreeMap<Target, Option<Instant>>>);

impl Late {
    fn all(&self) -> MutexGuard<'_, BTreeMap<Target, Option<Instant>>> {
        // A panic elsewhere leaves no entry half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, host: &Target) {
        self.all().entry(host.clone()).or_default();
    }

    /// By their names, on one cluster.
    pub(super) fn on(&self, cluster: &Cluster) -> BTreeSet<String> {
        let all = self.all();
        all.keys().filter(|host| host.cluster == cluster.name).map(|host| host.short().to_owned()).collect()
    }

    /// How long a host has waited with the others open.
    pub(super) fn waited(&self, host: &Target) -> Duration {
        self.all().entry(host.clone()).or_default().get_or_insert_with(Instant::now).elapsed()
    }
}

/// Since when the host that leads has seemed to be left alone, and at which level it was then, by the hosts that follow.
#[derive(Debug, Default)]
pub(in crate::steps) struct Following(Mutex<BTreeMap<Target, (usize, Instant)>>);

impl Following {
    /// Whether the host that leads has been left alone for so long that nobody can be at it: what it was told may be
    /// under way, and a run that is gone on with finds a fuse that has burned low.
    fn is_alone(&self, host: &Target, leader: (usize, bool)) -> bool {
        // A panic elsewhere leaves no entry half written.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (leader, all.get(host)) {
            ((_, true), Some((_, since))) => since.elapsed() > TAKEN_UP,
            ((level, true), None) => {
                all.insert(host.clone(), (level, Instant::now()));
                false
            }
            // A stage that came by itself has a long fuse, too.
            ((level, false), Some((before, _))) if level == *before => {
                all.remove(host);
                false
            }
            ((_, false), _) => false,
        }
    }
}

/// What a look of the leading host came to.
pub(super) struct Looked {
    pub(super) health: Health,
    pub(super) verdict: Verdict,
    pub(super) sample: Option<Sample>,
}

/// A gate that stands, and into whose hands its fuses go.
pub(super) struct Held<'a> {
    pub(super) mark: &'a Mark,
    pub(super) back_end: BackEnd,
    pub(super) was: String,
    pub(super) by: Driver,
}

impl Step for Open {
    fn intent(&self) -> String {
        if self.at_once {
            return "open the gate for everybody at once".into();
        }
        let window = HumanDuration(self.pace.window);
        match &self.offender {
            Some(offender) => {
                format!(
                    "open the gate stage by stage, each as soon as {} is no burden any more, or after {window}",
                    offender.name()
                )
            }
            None => format!("open the gate stage by stage, each after {window} in good order"),
        }
    }

    fn announce(&self, _: &Target, cluster: &Cluster) -> Vec<Announced> {
        let mark = common::unknown_mark(4);
        let held = Held { mark: &mark, back_end: BackEnd::Nft, was: mark.run.clone(), by: common::unknown_driver() };
        let looks = if self.at_once {
            Times::AtMost(3)
        } else {
            Times::Every { interval: self.interval(), until: self.pace.window * 64 }
        };
        let look = |what, why: &str| Announced::new(what, looks, why);
        let mut sent = vec![look(
            Sends::Look(gate::status().into()),
            "whose gate, at which stage, and when the next one comes; here and on the host that leads",
        )];
        if !self.at_once {
            for server in servers::asked(cluster, &self.without).0 {
                sent.push(look(Sends::Get(READYZ.into()), &format!("{} is ready", server.name)));
                let times = format!(
                    "{} of them, as many again after a bad answer: {} answers in time",
                    self.limits.samples, server.name
                );
                sent.push(look(Sends::Get(SMALL.into()), &times));
            }
            for (what, why) in servers::announced(cluster, &self.without) {
                sent.push(look(what, &why));
            }
            for (what, why) in self.offender.iter().flat_map(|offender| offender.announced(cluster)) {
                sent.push(look(what, &why));
            }
            if self.limits.memory_counts() {
                sent.push(look(Sends::Look(gate::memory().into()), "on each API host: memory in use"));
            }
            let due = self.pace.fuse(0);
            let first = Fuses { purpose: Purpose::Stage, level: 1 };
            let arm = self.arm(&held, &History::default(), first, due, String::new());
            let why = "opens one stage or closes it again, with the gate's own ports, stages and back end";
            sent.push(Announced::op(arm.op, Times::AtMost(64), why));
        }
        let open = self.open(&held, String::new());
        sent.push(Announced::op(open.op, Times::Once, "takes the gate away: everybody is in"));
        sent
    }

    fn refuse(&self, target: &Target, cluster: &Cluster) -> Vec<String> {
        let mut faults = common::refuse(target, cluster);
        if cluster.api_servers.is_empty() && !self.at_once {
            faults.push(
                "stages are judged by the API servers' answers, and the kit names none; atOnce judges nothing".into(),
            );
        }
        faults.extend(servers::refuse(cluster, &self.without));
        faults
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        async move {
            let (cluster, host) = common::host(look)?;
            let Some(state) = common::status(look).await? else { return self.after(look, cluster).await };
            let Some(mark) = &state.mark else {
                return Err(StepError::Refused {
                    why: format!("{}: rules with our name that are not ours are here", look.target),
                    hint: Some(gate::look_by_hand()),
                });
            };
            self.whose.allows(mark, look)?;
            let (history, found) =
                stages::look_into(look.history, state.level(), Duration::from_millis(state.next_ms()));
            let look = Look { history: &history, ..look };
            let mut survey = self.standing(look, (cluster, host), &state, mark).await?;
            settle(&mut survey, found, &history);
            Ok(survey)
        }
        .boxed()
    }

    fn interval(&self) -> Duration {
        if self.offender.is_some() {
            return QUICK;
        }
        (self.pace.window / 4).clamp(Duration::from_millis(500), Duration::from_secs(5))
    }
}

impl Open {
    /// What is to be done where a gate stands, or has run out.
    async fn standing(
        &self,
        look: Look<'_>,
        (cluster, host): (&Cluster, &Host),
        state: &GateState,
        mark: &Mark,
    ) -> Result<Survey, StepError> {
        let by = common::driver(look);
        let was = state.driven_by().map_or_else(|| mark.run.clone(), |driver| driver.run);
        let held = Held { mark, back_end: state.back_end, was, by };
        if !state.stands() {
            let because = "it has run out by itself; this takes its rules away".to_owned();
            return Ok(Survey::change(self.open(&held, because)));
        }
        if self.at_once {
            let because = "everybody is let in at once, as asked".to_owned();
            return Ok(Survey::change(self.open(&held, because)));
        }
        still_ours(look, state, &held.by)?;
        let away = waits_for_its_server(cluster, host, state);
        if away {
            self.late.add(look.target);
        }
        let late = self.late.on(cluster);
        if late.contains(&host.name)
            && state.level() == 0
            && let Some(survey) = self.last(look, (cluster, host), (state, away), &held).await?
        {
            return Ok(survey);
        }
        if !self.each
            && let Some((name, leader)) = leader(look, cluster, (host, mark, state.level()), &late).await
        {
            return self.follow(look, state, &held, &name, &leader);
        }
        if !self.each
            && follows_to_the_end(look.history, state)
            && let Some(name) = open_before(look, cluster, host, &late).await
        {
            // While one host is open and the others are shut, it gets everything.
            return Ok(Survey::change(self.open(&held, format!("{name}, which led, is open for everybody"))));
        }
        let looked = self.look(look, cluster, state.level(), state.counters.admitted).await;
        if looked.health.denied {
            return Err(blind(look, state, &looked.health.bad));
        }
        let mut survey = self.next(look, state, &held, &looked)?;
        survey.see(stood(mark, look.history));
        survey.see(self.stuck(cluster, &looked, state.level()));
        survey.see(looked.health.without);
        // What gets better is said while it is waited for; with its numbers it is another sentence at each look.
        if looked.verdict.going == Going::Badly {
            survey.see(looked.health.bad);
        }
        Ok(survey)
    }

    /// How the API servers are, and what is left of the offender.
    /// `admitted`: new connections that the gate has let in so far.
    pub(super) async fn look(&self, look: Look<'_>, cluster: &Cluster, level: usize, admitted: u64) -> Looked {
        let offender = async {
            match &self.offender {
                Some(offender) => Some(offender.look(look, cluster).await),
                None => None,
            }
        };
        let mut late = self.late.on(cluster);
        // The last ones are judged by themselves.
        if late.contains(look.target.short()) {
            late.clear();
        }
        let (health, sample) = futures::join!(judge(look, cluster, (&self.without, &late), &self.limits), offender);
        let verdict = self.progress.judge(look.target, (level, admitted), Order::of(&health), sample.as_ref());
        Looked { health, verdict, sample }
    }

    /// What comes next, by what stands, what was done, and how it goes.
    fn next(&self, look: Look<'_>, state: &GateState, held: &Held<'_>, looked: &Looked) -> Result<Survey, StepError> {
        let (bad, verdict) = (finding::joined(&looked.health.bad), &looked.verdict);
        let mark = held.mark;
        let name = |level: usize| match mark.rungs.get(level.wrapping_sub(1)) {
            Some(rung) => format!("stage {level} of {} ({rung})", mark.rungs.len()),
            None => format!("level {level}"),
        };
        let standing = Standing {
            level: state.level(),
            stages: mark.rungs.len(),
            next: Duration::from_millis(state.next_ms()),
            step: Duration::from_secs(mark.step.into()),
        };
        let arm = |purpose, level, hold, because| {
            Ok(Survey::change(self.arm(held, look.history, Fuses { purpose, level }, hold, because)))
        };
        let left = self.left(looked, standing.level).and_then(|left| left.words());
        let left = left.map_or_else(String::new, |left| format!(" ({left})"));
        match stages::next(&standing, look.history, verdict.going, verdict.gone, &self.pace) {
            Act::Stage { level, hold } => {
                let because = format!("lets in {}; without us the next comes in {hold} s", name(level));
                arm(Purpose::Stage, level, hold, because)
            }
            Act::CloseAgain { level, hold } => {
                let because = format!("closes {} again: {}", name(level + 1), bad);
                arm(Purpose::CloseAgain, level, hold, because)
            }
            Act::HoldOn { level, hold } => {
                let because = format!("holds it where it is: {bad}");
                arm(Purpose::HoldOn, level, hold, because)
            }
            Act::Open => {
                let because = "every stage went well: everybody is in".to_owned();
                Ok(Survey::change(self.open(held, because)))
            }
            Act::Wait { so_far, of } => {
                let pause = of > self.pace.window;
                let (so_far, of) = (so_far.as_secs(), of.as_secs());
                let what = match (standing.level, verdict.going) {
                    (0, Going::Badly | Going::Better) => {
                        "the API servers to be in good order before anybody is let in".to_owned()
                    }
                    (level, Going::Better) => {
                        format!("{} to end well, it gets better: {bad}", name(level))
                    }
                    (_, Going::Badly) => format!("the API servers to recover: {bad}"),
                    (_, Going::Well { .. }) if pause || standing.level == 0 => {
                        format!("the next try: {so_far} s of {of} s")
                    }
                    (level, Going::Well { .. }) => format!("{} to go well: {so_far} s of {of} s at most", name(level)),
                };
                Ok(Survey::waiting(format!("{what}{left}")))
            }
            Act::GiveUp => Err(StepError::Refused {
                why: format!(
                    "{}: stages were closed again {} times without getting any further, and it still goes badly: {}; \
                     the gate stands at level {}, and goes on by itself in {}",
                    look.target,
                    stages::tries(look.history),
                    bad,
                    standing.level,
                    common::words(state.next_ms())
                ),
                hint: Some(
                    "breakglass gate confirm holds it where it is; look for what still hammers: breakglass gate watch"
                        .into(),
                ),
            }),
        }
    }

    /// Goes where the host that leads is.
    fn follow(
        &self,
        look: Look<'_>,
        state: &GateState,
        held: &Held<'_>,
        name: &str,
        leader: &GateState,
    ) -> Result<Survey, StepError> {
        let left = leader.next_ms();
        // A client that drives the leader sets its fuse anew long before it burns down.
        let abandoned = self.pace.abandoned(Duration::from_millis(left));
        if self.following.is_alone(look.target, (leader.level(), abandoned)) {
            return Err(StepError::Refused {
                why: format!(
                    "{}: {name}, which leads, is not driven any more; both go on by their timetable: {leader}",
                    look.target
                ),
                hint: Some("breakglass gate status; breakglass gate open tries again".into()),
            });
        }
        if state.level() == leader.level() && state.next_ms() + FUSES_APART > left {
            return Ok(Survey::waiting(format!("{name}, which leads and is {}", leader.now())));
        }
        let set = Fuses { purpose: Purpose::Follow, level: leader.level() };
        let hold = common::secs(Duration::from_millis(left));
        let because = format!("{name}, which leads, is {}", leader.now());
        Ok(Survey::change(self.arm(held, look.history, set, hold, because)))
    }

    pub(super) fn arm(&self, held: &Held<'_>, before: &History, set: Fuses, hold: u32, because: String) -> Change {
        let turn = Turn { level: set.level, hold, was: held.was.clone(), by: held.by.clone() };
        let op = common::op(gate::arm(held.mark, held.back_end, &turn));
        Change { note: Some(Note::of(&set)), ..self.change(held, stages::key(set, hold, before), op, because) }
    }

    fn open(&self, held: &Held<'_>, because: String) -> Change {
        let order = common::order(gate::open(&held.mark.run, held.back_end, &held.was, &held.by), false);
        let by_hand = held.back_end.away_by_hand().to_owned();
        Change { by_hand, ..self.change(held, OPEN.into(), Op::Host(order), because) }
    }

    fn change(&self, held: &Held<'_>, key: String, op: Op, because: String) -> Change {
        Change {
            key,
            note: None,
            op,
            guard: format!(
                "the gate of run {} still stands, and nobody else has set its fuses meanwhile",
                held.mark.run
            ),
            inverse: Inverse::NotNeeded("opening is not taken back; close it anew with gate-close".into()),
            because,
            by_hand: "set the fuses as docs/gate.md shows them".into(),
            deadline_secs: ORDER_SECS,
            // From here on the kernel's timetable holds it, not a run that would close it again.
            keep: Keep::Release { lease: LEASE.into() },
        }
    }
}

/// Says what became of changes whose reply was lost. One whose act is wanted again under its own key was not made.
fn settle(survey: &mut Survey, found: LookedInto, history: &History) {
    let wanted = |id: &u32| {
        let record = history.changes.iter().find(|record| record.id == *id);
        record.is_some_and(|record| survey.changes.iter().any(|change| change.key == record.change.key))
    };
    let (again, made): (Vec<u32>, Vec<u32>) = found.made.into_iter().partition(wanted);
    survey.arrived.extend(made);
    survey.not_made.extend(found.not_made.into_iter().chain(again));
}

/// Whether this host stands at the last stage because it has followed another one there.
fn follows_to_the_end(history: &History, state: &GateState) -> bool {
    stages::follows(history) && state.mark.as_ref().is_some_and(|mark| state.level() >= mark.rungs.len())
}

/// Nobody is let in by a judgement that cannot be made.
fn blind(look: Look<'_>, state: &GateState, bad: &[Finding]) -> StepError {
    let denied = |why: &Finding| matches!(why, Finding::Unwell { how: Unwell::Denied { .. }, .. });
    StepError::Refused {
        why: format!(
            "{}: {}; the gate is {state}",
            look.target,
            finding::joined(&bad.iter().filter(|why| denied(why)).cloned().collect::<Vec<_>>())
        ),
        hint: Some(
            "a credential that may get the namespace kube-system (kubectl auth can-i get ns/kube-system); or \
             breakglass gate open --at-once, which judges nothing"
                .into(),
        ),
    }
}

/// Two that open or close the same gate would undo each other's work: the one that began later goes on.
fn still_ours(look: Look<'_>, state: &GateState, by: &Driver) -> Result<(), StepError> {
    let begun = look.history.changes.iter().any(|record| record.state == ChangeState::Done);
    match &state.driver {
        Some(driver) if begun && driver.run != by.run => Err(StepError::Refused {
            why: format!("{}: run {} of {} has taken the gate over", look.target, driver.run, driver.operator),
            hint: Some("breakglass gate status; breakglass gate open takes it back".into()),
        }),
        _ => Ok(()),
    }
}

/// A warning where the gate has stood for so long that nodes count as lost.
fn stood(mark: &Mark, history: &History) -> Option<String> {
    let at = jiff::Timestamp::from_second(i64::try_from(mark.at).ok()?).ok()?;
    let first = history.changes.is_empty();
    // By the clock of whoever closed it, which is only said, never waited for.
    let stood = Duration::try_from(history.now.duration_since(at)).unwrap_or_default();
    (first && mark.at > 0 && stood > FOUR_MINUTES).then(|| {
        format!(
            "the gate has stood for {}: if it refused the kubelets, too, nodes count as lost by now; freeze the node \
             lifecycle before they come back one by one (step freeze-nodes), and thaw it when they have reported",
            common::words(u64::try_from(stood.as_millis()).unwrap_or(0))
        )
    })
}

//! `gate-open`: lets everybody back in stages, each judged by what the API servers answer.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::gate::health::{Health, Limits, SMALL, judge};
use super::gate::stages::{self, Act, CLOSE_AGAIN, Pace, Standing};
use super::gate::{self as common, FOUR_MINUTES, LEASE, ORDER_SECS, Whose};
use super::{Announced, History, Kind, Look, Scope, Sends, Step, StepError, Survey, Times, params, schema_of, servers};
use crate::change::{Change, Inverse, Keep, Op, Target};
use crate::duration::HumanDuration;
use crate::host::gate::{self, BackEnd, Driver, GateState, Mark, Turn};
use crate::journal::ChangeState;
use crate::kit::{Cluster, Host, Role};

const OPEN: &str = "open";
/// The longest that a look at the leading host may take.
const LEADER_LIMIT: Duration = Duration::from_secs(10);
/// Milliseconds that the fuses of two hosts may be apart.
const FUSES_APART: u64 = 15_000;

/// The step kind.
pub(super) struct GateOpen;

/// How fast, and by what it is judged.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// Whose gate: a run's id, or `any`; none: this run's own.
    of: Option<String>,
    /// How long everything must be in good order before the next stage is opened.
    #[serde(default = "window")]
    window: HumanDuration,
    /// The slowest small GET that still counts as good.
    #[serde(default = "p99")]
    p99: HumanDuration,
    /// Small GETs to each API server at each look.
    #[serde(default = "samples")]
    samples: u8,
    /// The most requests a second that priority and fairness may reject on one API server; none: not looked at.
    rejects_per_second: Option<u32>,
    /// The most memory, in percent, that an API server may hold of its control group's limit or of its host's memory, and
    /// all processes of the host together of the latter; 100: not looked at.
    #[serde(default = "memory_percent")]
    #[schemars(range(min = 1, max = 100))]
    memory_percent: u8,
    /// How often stages are closed again without getting any further before the step gives up.
    #[serde(default = "max_tries")]
    max_tries: u32,
    /// API servers (`NAME`, or `CLUSTER/NAME`) that are neither asked nor judged: dead for good, and somebody knows it.
    #[serde(default)]
    without: Vec<String>,
    /// Opens for everybody now, and judges nothing.
    #[serde(default)]
    at_once: bool,
    /// Each host for itself instead of all at the stage of the first: where the targets are only some of the closed hosts.
    #[serde(default)]
    each: bool,
}

fn window() -> HumanDuration {
    HumanDuration::secs(20)
}

fn p99() -> HumanDuration {
    HumanDuration::secs(1)
}

fn samples() -> u8 {
    3
}

fn memory_percent() -> u8 {
    90
}

fn max_tries() -> u32 {
    4
}

impl Kind for GateOpen {
    fn name(&self) -> &'static str {
        "gate-open"
    }

    fn doc(&self) -> &'static str {
        "Opens a gate stage by stage, on all hosts of a cluster together, and takes it away after the last one.\n\n\
         The stages are those that the gate was closed with. Each is armed in the kernel before it is due, so that a gate \
         whose operator is gone goes on opening. After each one, every API server must be ready and answer small GETs in \
         time, and its host must have memory to spare, for a whole window; a bad look closes the last stage again, says why, \
         and doubles the wait before the next try: at once where something is not answered, after a second bad answer a \
         second later otherwise. The first host leads, the others follow it. Costs, per look (a quarter of the window, at \
         most 5 s): one GET /readyz and `samples` small GETs to each API server, twice that where an answer was bad, and \
         two or three scripts to each host. Nothing to take back: close it anew with gate-close. With atOnce, everybody \
         comes back at the same moment: what drowned the API may drown it again."
    }

    fn scope(&self) -> Scope {
        Scope::ApiHosts
    }

    fn all_together(&self) -> bool {
        true
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<String>> {
        let given: Params = params(with)?;
        let mut faults = Vec::new();
        if given.window.0 < Duration::from_secs(1) {
            faults.push("window: it must be 1s or longer".to_owned());
        }
        if given.p99.0.is_zero() {
            faults.push("p99: it must be longer than 0s".to_owned());
        }
        if !(1..=100).contains(&given.memory_percent) {
            faults.push("memoryPercent: 1 to 100".to_owned());
        }
        if given.max_tries == 0 {
            faults.push("maxTries: at least 1".to_owned());
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Box::new(Open {
            whose: Whose::of(given.of),
            pace: Pace { window: given.window.0, most: given.max_tries },
            limits: Limits {
                slowest: given.p99.0,
                samples: given.samples.max(1),
                rejects: given.rejects_per_second,
                memory: given.memory_percent,
            },
            without: given.without,
            at_once: given.at_once,
            each: given.each,
        }))
    }
}

struct Open {
    whose: Whose,
    pace: Pace,
    limits: Limits,
    without: Vec<String>,
    at_once: bool,
    each: bool,
}

/// A gate that stands, and into whose hands its fuses go.
struct Held<'a> {
    mark: &'a Mark,
    back_end: BackEnd,
    was: String,
    by: Driver,
}

impl Step for Open {
    fn intent(&self) -> String {
        if self.at_once {
            return "open the gate for everybody at once".into();
        }
        format!("open the gate stage by stage, each after {} in good order", HumanDuration(self.pace.window))
    }

    fn announce(&self, _: &Target, cluster: &Cluster) -> Vec<Announced> {
        let mark = common::unknown_mark(4);
        let held = Held { mark: &mark, back_end: BackEnd::Nft, was: mark.run.clone(), by: common::unknown_driver() };
        let look = |what, why: &str| Announced {
            what,
            writes: false,
            times: if self.at_once {
                Times::AtMost(3)
            } else {
                Times::Every { interval: self.interval(), until: self.pace.window * 64 }
            },
            why: why.into(),
        };
        let write = |change: Change, times, why: &str| Announced {
            what: Sends::Op(Box::new(change.op)),
            writes: true,
            times,
            why: why.into(),
        };
        let mut sent = vec![look(Sends::Look(gate::status()), "whose gate, at which stage, and when the next one comes; here and on the host that leads")];
        if !self.at_once {
            for server in servers::asked(cluster, &self.without).0 {
                sent.push(look(Sends::Get("/readyz".into()), &format!("{} is ready", server.name)));
                let times = format!("{} of them, as many again after a bad answer: {} answers in time", self.limits.samples, server.name);
                sent.push(look(Sends::Get(SMALL.into()), &times));
            }
            for (what, why) in servers::announced(cluster, &self.without) {
                sent.push(look(what, &why));
            }
            if self.limits.memory_counts() {
                sent.push(look(Sends::Look(gate::memory()), "on each API host: memory in use"));
            }
            let due = self.pace.fuse(0);
            let arm = self.arm(&held, "stage-1", 1, due, String::new());
            let why = "opens one stage or closes it again, with the gate's own ports, stages and back end";
            sent.push(write(arm, Times::AtMost(64), why));
        }
        let open = self.open(&held, String::new());
        sent.push(write(open, Times::Once, "takes the gate away: everybody is in"));
        sent
    }

    fn refuse(&self, target: &Target, cluster: &Cluster) -> Vec<String> {
        let mut faults = common::refuse(target, cluster);
        if cluster.api_servers.is_empty() && !self.at_once {
            faults.push("stages are judged by the API servers' answers, and the kit names none; atOnce judges nothing".into());
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
                    hint: Some("nft list table inet breakglass; ipset list -n".into()),
                });
            };
            self.whose.allows(mark, look)?;
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
            still_ours(look, &state, &held.by)?;
            if !self.each
                && let Some((name, leader)) = leader(look, cluster, host, mark).await
            {
                return self.follow(look, &state, &held, &name, &leader);
            }
            let health = judge(look, cluster, &self.without, &self.limits).await;
            let mut survey = self.next(look, &state, &held, &health.bad)?;
            survey.saw.extend(stood(mark, look.history));
            survey.saw.extend(health.without.into_iter().chain(health.bad));
            Ok(survey)
        }
        .boxed()
    }

    fn interval(&self) -> Duration {
        (self.pace.window / 4).clamp(Duration::from_millis(500), Duration::from_secs(5))
    }
}

impl Open {
    /// What comes next, by what stands, what was done, and how the API servers are.
    fn next(&self, look: Look<'_>, state: &GateState, held: &Held<'_>, bad: &[String]) -> Result<Survey, StepError> {
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
        let arm = |key: String, level, hold, because| {
            Ok(Survey::change(self.arm(held, &key, level, hold, because)))
        };
        // Over all, not since the last stage that went well: a key is given once.
        let closed = stages::closed_again(look.history);
        match stages::next(&standing, look.history, bad.is_empty(), &self.pace) {
            Act::Stage { level, hold } => {
                let key = if closed == 0 { format!("stage-{level}") } else { format!("stage-{level}-try-{}", closed + 1) };
                let because = format!("lets in {}; without us the next comes in {hold} s", name(level));
                arm(key, level, hold, because)
            }
            Act::CloseAgain { level, hold } => {
                let because = format!("closes {} again: {}", name(level + 1), bad.join("; "));
                arm(format!("{CLOSE_AGAIN}{}", closed + 1), level, hold, because)
            }
            Act::HoldOn { level, hold } => {
                let because = format!("holds it where it is: {}", bad.join("; "));
                arm(format!("hold-{}", look.history.changes.len()), level, hold, because)
            }
            Act::Open => {
                let because = "every stage went well: everybody is in".to_owned();
                Ok(Survey::change(self.open(held, because)))
            }
            Act::Wait { so_far, of } => {
                let pause = of > self.pace.window;
                let (so_far, of) = (so_far.as_secs(), of.as_secs());
                let what = match (standing.level, bad.is_empty()) {
                    (0, false) => "the API servers to be in good order before anybody is let in".to_owned(),
                    (_, false) => format!("the API servers to recover: {}", bad.join("; ")),
                    (_, true) if pause || standing.level == 0 => format!("the next try: {so_far} s of {of} s"),
                    (level, true) => format!("{} to go well: {so_far} s of {of} s", name(level)),
                };
                Ok(Survey::waiting(what))
            }
            Act::GiveUp => Err(StepError::Refused {
                why: format!(
                    "{}: stages were closed again {} times without getting any further, and it still goes badly: {}; \
                     the gate stands at level {}, and goes on by itself in {}",
                    look.target,
                    stages::tries(look.history),
                    bad.join("; "),
                    standing.level,
                    common::words(state.next_ms())
                ),
                hint: Some("breakglass gate confirm holds it where it is; look for what still hammers: breakglass gate watch".into()),
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
        if self.pace.abandoned(Duration::from_millis(left)) {
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
        let key = format!("follow-{}", look.history.changes.len() + 1);
        let hold = common::secs(Duration::from_millis(left));
        let because = format!("{name}, which leads, is {}", leader.now());
        Ok(Survey::change(self.arm(held, &key, leader.level(), hold, because)))
    }

    fn arm(&self, held: &Held<'_>, key: &str, level: usize, hold: u32, because: String) -> Change {
        let turn = Turn { level, hold, was: held.was.clone(), by: held.by.clone() };
        Change {
            key: key.into(),
            op: common::op(gate::arm(held.mark, held.back_end, &turn)),
            guard: format!("the gate of run {} still stands, and nobody else has set its fuses meanwhile", held.mark.run),
            inverse: Inverse::NotNeeded("opening is not taken back; close it anew with gate-close".into()),
            because,
            by_hand: "set the fuses as docs/gate.md shows them".into(),
            deadline_secs: ORDER_SECS,
            // From here on the kernel's timetable holds it, not a run that would close it again.
            keep: Keep::Release { lease: LEASE.into() },
        }
    }

    fn open(&self, held: &Held<'_>, because: String) -> Change {
        let by_hand = match held.back_end {
            BackEnd::Nft => "nft delete table inet breakglass".to_owned(),
            _ => "ipset flush bg_armed".to_owned(),
        };
        Change {
            op: Op::Host(common::order(gate::open(&held.mark.run, held.back_end), false)),
            by_hand,
            ..self.arm(held, OPEN, 0, 1, because)
        }
    }

    /// No gate stands: was it we who opened it, and did that go well?
    async fn after(&self, look: Look<'_>, cluster: &Cluster) -> Result<Survey, StepError> {
        let opened = look.history.changes.iter().find(|r| r.change.key == OPEN && r.state == ChangeState::Done);
        if opened.is_none() {
            return Ok(Survey::done().saw("no gate stands here: it is open already"));
        }
        if self.at_once {
            return Ok(Survey::done().saw("open for everybody"));
        }
        let Health { bad, without } = judge(look, cluster, &self.without, &self.limits).await;
        if bad.is_empty() {
            let mut survey = Survey::done().saw("open for everybody, and the API servers are in good order");
            survey.saw.extend(without);
            return Ok(survey);
        }
        Err(StepError::Refused {
            why: format!("{}: everybody is let in, and it goes badly: {}", look.target, bad.join("; ")),
            hint: Some("breakglass gate close".into()),
        })
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

/// The first host of the kit, of those before this one, where the same run's gate stands: it alone is judged, and the
/// others follow it, so that no host is open while the others are shut.
async fn leader(look: Look<'_>, cluster: &Cluster, host: &Host, mark: &Mark) -> Option<(String, GateState)> {
    let same = |other: &&Host| other.roles.contains(&Role::ControlPlane) == host.roles.contains(&Role::ControlPlane);
    for other in cluster.hosts.iter().filter(same).take_while(|other| other.name != host.name) {
        let target = Target::host(&cluster.name, &other.name);
        let Ok(output) = look.reads.script(&target, &gate::status(), LEADER_LIMIT).await else { continue };
        let state = gate::parse_status(&output.stdout).flatten().filter(GateState::stands);
        if let Some(state) = state.filter(|state| state.mark.as_ref().is_some_and(|known| known.run == mark.run)) {
            return Some((other.name.clone(), state));
        }
    }
    None
}

/// A warning where the gate has stood for so long that nodes count as lost.
fn stood(mark: &Mark, history: &History) -> Option<String> {
    let at = jiff::Timestamp::from_second(i64::try_from(mark.at).ok()?).ok()?;
    let first = history.changes.is_empty();
    (first && mark.at > 0 && history.ago(at) > FOUR_MINUTES).then(|| {
        format!(
            "the gate has stood for {}: if it refused the kubelets, too, nodes count as lost by now; freeze the node \
             lifecycle before they come back one by one (step freeze-nodes), and thaw it when they have reported",
            common::words(u64::try_from(history.ago(at).as_millis()).unwrap_or(0))
        )
    })
}

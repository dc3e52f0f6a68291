//! The end of a re-opening: what stands in its way, the last of the offender, and the host that opens last.

use std::time::Duration;

use super::leader::{known_servers, others};
use super::opening::{Held, Looked, OPEN, Open};
use super::stages::{Fuses, Going, Purpose};
use crate::duration::HumanDuration;
use crate::finding::{self, Finding};
use crate::host::gate::GateState;
use crate::kit::{Cluster, Host};
use crate::steps::health::judge;
use crate::steps::{Look, StepError, Survey, servers};

/// Milliseconds left of a fuse at which a gate that waits for its API server is held shut.
const HELD_BEFORE: u64 = 30_000;
/// How long it is watched once everybody is in, until the API servers are in good order.
const LAST_LOOKS: Duration = Duration::from_mins(1);
/// How long of that the last of an offender is waited for: what is left of it ends no run, and bad order at that moment has
/// to have time to pass.
const LAST_OF_IT: Duration = Duration::from_secs(45);
/// How long a host whose API server is away is waited for once the others are open.
const LATE: Duration = Duration::from_secs(10);

/// Bad order with everybody in. There is nothing left to be closed again, and one slow answer is no verdict over a run: it
/// gets its time, whoever led.
fn in_bad_order(look: Look<'_>, watched: Duration, better: bool, bad: &[Finding]) -> Result<Survey, StepError> {
    let bad = finding::joined(bad);
    if watched < LAST_LOOKS {
        let better = if better { ", it gets better" } else { "" };
        return Ok(Survey::waiting(format!("the API servers to be in good order with everybody in{better}: {bad}")));
    }
    Err(StepError::Refused {
        why: format!(
            "{}: everybody has been let in for {}, and it goes badly: {bad}",
            look.target,
            HumanDuration(Duration::from_secs(watched.as_secs()))
        ),
        hint: Some("breakglass gate close".into()),
    })
}

impl Open {
    /// What is left of the offender, where one is named.
    pub(super) fn left(&self, looked: &Looked, level: usize) -> Option<finding::Offender> {
        Some(self.offender.as_ref()?.left(looked.sample.as_ref()?, level))
    }

    /// What keeps it from ending and what to do about it, where it came no further for long.
    pub(super) fn stuck(&self, cluster: &Cluster, looked: &Looked, level: usize) -> Option<Finding> {
        let secs = looked.verdict.stuck?.as_secs();
        let bad = looked.health.bad.clone();
        let offender = self.left(looked, level).filter(|left| left.words().is_some());
        // A healthy pause stands in nobody's way, whoever is connected.
        if bad.is_empty() && offender.is_none() {
            return None;
        }
        let loudest = looked.sample.iter().flat_map(|sample| &sample.loudest).take(5);
        let loudest = loudest.map(|(source, count)| {
            let host = cluster.hosts.iter().find(|host| host.address == *source);
            (host.map_or_else(|| source.to_string(), |host| host.name.clone()), *count)
        });
        let loudest = loudest.collect();
        Some(Finding::Stuck(Box::new(finding::Stuck { secs, level, bad, offender, loudest })))
    }

    /// No gate stands: was it we who opened it, and did that go well?
    pub(super) async fn after(&self, look: Look<'_>, cluster: &Cluster) -> Result<Survey, StepError> {
        if !look.history.done(OPEN) {
            return Ok(Survey::done().saw("no gate stands here: it is open already"));
        }
        if self.at_once {
            return Ok(Survey::done().saw("open for everybody"));
        }
        let watched = self.progress.open_for(look.target);
        if !self.progress.knows(look.target) {
            // It followed: the one that led watches the last of the offender.
            let health = judge(look, cluster, (&self.without, &self.late.on(cluster)), &self.limits).await;
            return if health.bad.is_empty() {
                let survey = Survey::done().saw("open for everybody, and the API servers are in good order");
                Ok(health.without.into_iter().fold(survey, Survey::saw))
            } else {
                in_bad_order(look, watched, false, &health.bad)
            };
        }
        let looked = self.look(look, cluster, usize::MAX, 1).await;
        let left = self.left(&looked, usize::MAX);
        match (looked.verdict.going, left) {
            (Going::Well { settled: false }, Some(_)) if watched < LAST_OF_IT => {
                Ok(Survey::waiting("three good looks in a row with everybody in"))
            }
            (Going::Well { .. }, Some(left)) if left.is_silent() == Some(false) && watched < LAST_OF_IT => {
                Ok(Survey::waiting(format!("the last of the offender: {}", left.words().unwrap_or_default())))
            }
            (Going::Well { .. }, left) => {
                let mut survey = Survey::done().saw("open for everybody, and the API servers are in good order");
                survey.see(left.map(|left| Finding::Offender(Box::new(left))));
                survey.see(looked.health.without);
                Ok(survey)
            }
            (going, _) => in_bad_order(look, watched, going == Going::Better, &looked.health.bad),
        }
    }

    /// A host whose API server was away: its gate stays closed, so that the server does not come back into the herd, until
    /// all the others are open. `None`: they are, and it is back: it opens like any other.
    pub(super) async fn last(
        &self,
        look: Look<'_>,
        (cluster, host): (&Cluster, &Host),
        (state, away): (&GateState, bool),
        held: &Held<'_>,
    ) -> Result<Option<Survey>, StepError> {
        if state.next_ms() < HELD_BEFORE {
            let set = Fuses { purpose: Purpose::HoldOn, level: 0 };
            let because = "its API server was away: holds its gate shut until its turn".to_owned();
            return Ok(Some(Survey::change(self.arm(held, look.history, set, self.pace.fuse(0), because))));
        }
        let late = self.late.on(cluster);
        let others = if self.each { Vec::new() } else { others(look, cluster, (host, held.mark), &late).await };
        if !others.is_empty() {
            let names = others.join(", ");
            return Ok(Some(Survey::waiting(format!(
                "{names}, which opens first: its API server was away, so this gate opens last"
            ))));
        }
        if !away {
            return Ok(None);
        }
        let what = servers::presence_on(look, look.target).await.unwrap_or_else(|| "does not listen".to_owned());
        let all_late = known_servers(cluster).all(|other| late.contains(&other.name));
        let health = judge(look, cluster, (&self.without, &late), &self.limits).await;
        if all_late || !health.bad.is_empty() {
            return Ok(Some(Survey::waiting(format!("the API server of {}: it {what}", host.name))));
        }
        if self.late.waited(look.target) < LATE {
            return Ok(Some(Survey::waiting(format!("its API server, the last: the others are open, and it {what}"))));
        }
        Ok(Some(Survey::done().saw(format!(
            "left closed: the API server behind this gate {what}. It opens by itself ({}); when its API server answers: \
             breakglass gate open --targets {}",
            state.then(),
            host.name
        ))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::opening::{Following, Late};
    use super::super::progress::{Order, Progress};
    use super::super::stages::{Pace, tests::changes};
    use super::super::tests::Seat;
    use super::*;
    use crate::change::Target;
    use crate::script::Script;
    use crate::steps::gate::{Whose, offender};
    use crate::steps::health::{Health, Limits, SMALL};
    use crate::world::ScriptOutput;

    fn open() -> Open {
        Open {
            whose: Whose::of(None),
            pace: Pace { window: Duration::from_secs(20), most: 4 },
            limits: Limits { slowest: Duration::from_secs(1), samples: 1, rejects: None, memory: 100 },
            without: Vec::new(),
            at_once: false,
            each: false,
            offender: None,
            progress: Progress::default(),
            late: Late::default(),
            following: Following::default(),
        }
    }

    /// What a host tells of an offender that is served as ever.
    fn still_served(_: &Target, script: &Script) -> Option<ScriptOutput> {
        let stdout = "connections=9\nsources=1\nlog=/a\nsize=9\nserved=900\nrefused=0\nunknown=0\nend=yes\n".to_owned();
        (script.name == "offender.look").then_some(ScriptOutput { status: 0, stdout, stderr: String::new() })
    }

    /// What the look after the opening says on this host, with small GETs that take so many milliseconds.
    async fn seen(open: &Open, host: &str, millis: u64) -> Result<Survey, StepError> {
        // As in a run that was resumed an hour later: what counts is how long somebody has looked.
        let seat = Seat::at(host, changes(&[(OPEN, None, 3600)]));
        seat.fake.on_script(Box::new(still_served));
        seat.fake.answer(SMALL, 200, r#"{"kind":"Namespace"}"#, Duration::from_millis(millis));
        open.after(seat.look(), seat.cluster()).await
    }

    #[tokio::test(start_paused = true)]
    async fn with_everybody_in_a_slow_answer_is_given_a_minute_whoever_led() {
        let waiting = "the API servers to be in good order with everybody in: a small GET to api1 took 2700 ms; \
                       a small GET to api2 took 2700 ms";
        for leads in [false, true] {
            let open = open();
            if leads {
                open.progress.judge(&Target::host("east", "cp1"), (2, 9), Order::of(&Health::default()), None);
            }
            let slow = seen(&open, "cp1", 2700).await.unwrap();
            assert_eq!(slow.waiting_for.as_deref(), Some(waiting), "{leads}");
            tokio::time::advance(Duration::from_secs(40)).await;
            assert_eq!(seen(&open, "cp1", 2700).await.unwrap().waiting_for.as_deref(), Some(waiting), "{leads}");
            let well = seen(&open, "cp1", 5).await.unwrap();
            assert!(
                well.waiting_for.is_none() && well.saw[0].to_string().contains("in good order"),
                "{leads}: {well:?}"
            );
            tokio::time::advance(Duration::from_secs(20)).await;
            let error = seen(&open, "cp1", 2700).await.unwrap_err().to_string();
            assert!(error.contains("let in for 1m") && error.contains("it goes badly"), "{leads}: {error}");
            // Another host has its own minute.
            assert!(seen(&open, "cp2", 2700).await.unwrap().waiting_for.is_some(), "{leads}");
        }
    }
    #[tokio::test(start_paused = true)]
    async fn the_last_of_an_offender_is_waited_for_and_leaves_bad_order_its_time() {
        let user: offender::Params = serde_json::from_value(serde_json::json!({"user": "agent"})).unwrap();
        let open = Open { offender: Some(user.read().unwrap()), ..open() };
        open.progress.judge(&Target::host("east", "cp1"), (2, 9), Order::of(&Health::default()), None);
        assert!(seen(&open, "cp1", 5).await.unwrap().waiting_for.is_some());
        tokio::time::advance(Duration::from_secs(40)).await;
        assert!(seen(&open, "cp1", 5).await.unwrap().waiting_for.is_some());
        // It would end here, but for one slow look.
        tokio::time::advance(Duration::from_secs(6)).await;
        let slow = seen(&open, "cp1", 2700).await.unwrap().waiting_for;
        assert!(slow.as_deref().is_some_and(|what| what.contains("in good order")), "{slow:?}");
        let end = seen(&open, "cp1", 5).await.unwrap();
        assert!(end.waiting_for.is_none() && end.saw[1].to_string().contains("borne, but not over"), "{end:?}");
    }
}

//! The end of a re-opening: what stands in its way, the last of the offender, and the host that opens last.

use std::time::Duration;

use super::health::judge;
use super::leader::{known_servers, others};
use super::opening::{Held, Looked, OPEN, Open};
use super::stages::Going;
use crate::duration::HumanDuration;
use crate::host::gate::GateState;
use crate::journal::ChangeState;
use crate::kit::{Cluster, Host};
use crate::steps::{Look, StepError, Survey, servers};

/// Milliseconds left of a fuse at which a gate that waits for its API server is held shut.
const HELD_BEFORE: u64 = 30_000;
/// How long the last of an offender is watched once everybody is in.
const LAST_LOOKS: Duration = Duration::from_mins(1);
/// How long a host whose API server is away is waited for once the others are open.
const LATE: Duration = Duration::from_secs(10);

fn open_and_bad(look: Look<'_>, bad: &[String]) -> StepError {
    StepError::Refused {
        why: format!("{}: everybody is let in, and it goes badly: {}", look.target, bad.join("; ")),
        hint: Some("breakglass gate close".into()),
    }
}

impl Open {
    /// What is left of the offender, in words.
    pub(super) fn left(&self, looked: &Looked, level: usize) -> Option<String> {
        self.offender.as_ref()?.left(looked.sample.as_ref()?, level)
    }

    /// What keeps it from ending and what to do about it, where it came no further for long.
    pub(super) fn stuck(&self, cluster: &Cluster, looked: &Looked, level: usize) -> Option<String> {
        let since = looked.verdict.stuck?;
        let mut whys = looked.health.bad.clone();
        whys.extend(self.left(looked, level));
        let loudest = looked.sample.iter().flat_map(|sample| &sample.loudest).take(5);
        let loudest: Vec<String> = loudest
            .map(|(source, count)| match cluster.hosts.iter().find(|host| host.address == *source) {
                Some(host) => format!("{} ({count})", host.name),
                None => format!("{source} ({count})"),
            })
            .collect();
        // A healthy pause stands in nobody's way, whoever is connected.
        if whys.is_empty() {
            return None;
        }
        if !loudest.is_empty() {
            whys.push(format!("most connections: {}", loudest.join(", ")));
        }
        Some(format!(
            "no further for {} (level {level}): {}. To do: stop what runs there by SSH (crictl ps, crictl stop), keep those \
             nodes from the API (breakglass gate close --nodes --targets NODES), or give the API servers more \
             (breakglass scale-apiserver); see who knocks with breakglass gate watch",
            HumanDuration(Duration::from_secs(since.as_secs())),
            whys.join("; ")
        ))
    }

    /// No gate stands: was it we who opened it, and did that go well?
    pub(super) async fn after(&self, look: Look<'_>, cluster: &Cluster) -> Result<Survey, StepError> {
        let opened = look.history.changes.iter().find(|r| r.change.key == OPEN && r.state == ChangeState::Done);
        let Some(opened) = opened else {
            return Ok(Survey::done().saw("no gate stands here: it is open already"));
        };
        if self.at_once {
            return Ok(Survey::done().saw("open for everybody"));
        }
        if !self.progress.knows(look.target) {
            // It followed: the one that led watches the last of the offender.
            let health = judge(look, cluster, (&self.without, &self.late.on(cluster)), &self.limits).await;
            return if health.bad.is_empty() {
                let survey = Survey::done().saw("open for everybody, and the API servers are in good order");
                Ok(health.without.into_iter().fold(survey, Survey::saw))
            } else {
                Err(open_and_bad(look, &health.bad))
            };
        }
        let looked = self.look(look, cluster, usize::MAX, 1).await;
        let since = look.history.ago(opened.moved_at);
        match (looked.verdict.going, &looked.sample) {
            (Going::Well { settled: false }, Some(_)) if since < LAST_LOOKS => {
                Ok(Survey::waiting("everybody is in: three good looks in a row"))
            }
            (Going::Well { .. }, Some(sample)) if sample.is_silent() == Some(false) && since < LAST_LOOKS => {
                let left = self.left(&looked, usize::MAX).unwrap_or_default();
                Ok(Survey::waiting(format!("the last of the offender: {left}")))
            }
            (Going::Well { .. }, sample) => {
                let mut survey = Survey::done().saw("open for everybody, and the API servers are in good order");
                if let Some(sample) = sample {
                    let left = self.left(&looked, usize::MAX);
                    let connections = sample.connections.map(|count| format!(", {count} connections are open"));
                    let connections = connections.unwrap_or_default();
                    survey.saw.push(match (left, sample.is_silent()) {
                        (Some(left), _) => format!("it is borne, but not over: {left}{connections}"),
                        (None, Some(_)) => format!("nothing is left of the offender{connections}"),
                        (None, None) => format!(
                            "what is left of the offender is not known: its pods could not be counted, and no audit log \
                             tells of its requests{connections}"
                        ),
                    });
                }
                survey.saw.extend(looked.health.without);
                Ok(survey)
            }
            // There is nothing left to be closed again: what only asks in vain gets its time.
            (Going::Better | Going::Badly, Some(_)) if looked.verdict.gone && since < LAST_LOOKS => {
                let bad = looked.health.bad.join("; ");
                Ok(Survey::waiting(format!("everybody is in, and the API servers to be in good order: {bad}")))
            }
            (Going::Better, _) if since < LAST_LOOKS => {
                let bad = looked.health.bad.join("; ");
                Ok(Survey::waiting(format!("everybody is in, and it gets better: {bad}")))
            }
            (Going::Better | Going::Badly, _) => Err(open_and_bad(look, &looked.health.bad)),
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
            let key = format!("hold-{}", look.history.changes.len());
            let because = "its API server was away: holds its gate shut until its turn".to_owned();
            return Ok(Some(Survey::change(self.arm(held, &key, 0, self.pace.fuse(0), because))));
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

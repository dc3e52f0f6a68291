//! What the gate's steps share: looks at a host, whose gate it is, and words for what was seen.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{History, Look, StepError};
use crate::change::{HostCommand, Note, Op, Part, Target};
use crate::duration::HumanDuration;
use crate::finding::Finding;
use crate::host::apiserver::API_PORT;
use crate::host::gate::{self, BackEnd, BusySource, Counters, Driver, GateSpec, GateState, Mark};
use crate::kit::{Cluster, Host};
use crate::script::Script;
use crate::world::{ReadError, ReadErrorKind};

mod ending;
mod leader;
pub(super) mod offender;
pub(super) mod opening;
pub(super) mod progress;
pub(super) mod proof;
mod senders;
pub(super) mod stages;
pub(super) mod ways;
pub(super) mod wish;

/// The longest that one look at a host may take.
pub(super) const LOOK_LIMIT: Duration = Duration::from_secs(30);
/// The longest that one order to a host may take, in seconds.
pub(super) const ORDER_SECS: u64 = 45;
/// The lease by which a living run holds its gate.
pub(super) const LEASE: &str = "gate";
/// A node that was silent for this long has its pods evicted about a minute later; see the node grace period.
pub(super) const FOUR_MINUTES: Duration = Duration::from_mins(4);

/// What was closed, as the change notes it that closed it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Closed {
    /// The gate.
    pub(super) spec: GateSpec,
    /// What holds it.
    pub(super) back_end: BackEnd,
    /// The API servers to which this run's own way was open before.
    pub(super) ways: Vec<String>,
}

/// Whose gate a step acts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whose {
    /// The gate of the run that the step is part of.
    Own,
    /// Whoever's gate stands there.
    Any,
    /// The gate of the run with this id.
    Run(String),
}

impl Whose {
    /// From the parameter `of`: nothing, `any`, or a run's id.
    pub(super) fn of(word: Option<String>) -> Self {
        match word {
            None => Self::Own,
            Some(word) if word == "any" => Self::Any,
            Some(run) => Self::Run(run),
        }
    }

    /// Refuses a gate that is not meant.
    pub(super) fn allows(&self, mark: &Mark, look: Look<'_>) -> Result<(), StepError> {
        let meant = match self {
            Self::Any => return Ok(()),
            Self::Own => look.mark.run.as_str(),
            Self::Run(run) => run,
        };
        if mark.run == meant {
            return Ok(());
        }
        Err(StepError::Refused {
            why: format!("{}: the gate there is run {}'s, put up by {}", look.target, mark.run, mark.by()),
            hint: Some(format!("breakglass gate status; or name it with --of {}", mark.run)),
        })
    }
}

/// The host that a look is about.
pub(super) fn host(look: Look<'_>) -> Result<(&Cluster, &Host), StepError> {
    let cluster = look.reads.cluster(&look.target.cluster);
    let found = cluster.and_then(|cluster| Some((cluster, host_of(look.target, cluster)?)));
    found.ok_or_else(|| StepError::refused(format!("{} is not a host of the kit", look.target)))
}

/// The host that a target names.
pub(super) fn host_of<'a>(target: &Target, cluster: &'a Cluster) -> Option<&'a Host> {
    let Part::Host(name) = &target.part else { return None };
    cluster.host(name)
}

/// A gate stands on hosts; anything else is no target for it.
pub(super) fn refuse(target: &Target, cluster: &Cluster) -> Vec<String> {
    match host_of(target, cluster) {
        Some(_) => Vec::new(),
        None => vec!["a gate stands on a host, and this is none of the kit's hosts".into()],
    }
}

/// Asks a host what it is.
pub(super) async fn survey(look: Look<'_>, host: &Host) -> Result<gate::Survey, StepError> {
    let query = gate::survey(std::slice::from_ref(&host.manifests));
    look.reads.ask(look.target, &query, LOOK_LIMIT).await.map_err(|error| broke_off(look.target, error))
}

/// Asks a host what stands there.
pub(super) async fn status(look: Look<'_>) -> Result<Option<GateState>, StepError> {
    look.reads.ask(look.target, &gate::status(), LOOK_LIMIT).await.map_err(|error| broke_off(look.target, error))
}

/// The gate that an earlier step of a drill only pretended to close here, as it would stand by now.
pub(super) fn pretended(history: &History) -> Option<(Mark, BackEnd)> {
    let mut notes = history.pretended.iter().rev().filter_map(|change| change.note.as_ref());
    let Closed { spec, back_end, .. } = notes.find_map(Note::read)?;
    Some((spec.mark(), back_end))
}

/// Says how to look again at what could not be understood.
fn broke_off(target: &Target, mut error: ReadError) -> StepError {
    if error.kind == ReadErrorKind::Malformed {
        error.hint = Some(format!("breakglass gate status --targets {}", target.short()));
    }
    StepError::Read(error)
}

/// The run that looks, as the one that sets fuses.
pub(super) fn driver(look: Look<'_>) -> Driver {
    Driver { run: look.mark.run.clone(), operator: look.mark.operator.clone() }
}

/// The mark in what is announced.
pub(super) fn unknown_mark(stages: usize) -> Mark {
    let unknown = |what: &str| format!("<{what} of the gate>");
    Mark {
        run: unknown("run"),
        operator: unknown("operator"),
        reason: unknown("reason"),
        at: 0,
        ports: vec![API_PORT],
        hold: 900,
        step: 60,
        rungs: vec![gate::Rung::Share(1); stages],
        number: "0".repeat(8),
    }
}

/// Who sets the fuses, in what is announced.
pub(super) fn unknown_driver() -> Driver {
    Driver { run: "<run>".into(), operator: "<operator>".into() }
}

/// An order to the host. All of them may be repeated: each sets a state, and looks whose gate it is first.
pub(super) fn order(script: Script, fresh_connection: bool) -> HostCommand {
    HostCommand { script, fresh_connection, idempotent: true, quiet: false }
}

/// The same as an op.
pub(super) fn op(script: Script) -> Op {
    Op::Host(order(script, false))
}

/// The seed of the shares: the same on every host of a run, so that a source is in on all of them or on none.
pub(super) fn seed(run: &str) -> u32 {
    crate::words::fnv(run.bytes())
}

/// Whole seconds, at least one.
pub(super) fn secs(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX).max(1)
}

/// Milliseconds as people write them, without their fraction of a second.
pub(super) fn words(ms: u64) -> String {
    HumanDuration(Duration::from_secs(ms / 1000)).to_string()
}

/// What a gate has done so far.
pub(super) fn counted(state: &GateState) -> Finding {
    let Counters { attempts: tried, admitted: let_in, refused, .. } = state.counters;
    Finding::Rejects { tried, let_in, refused }
}

/// Who knocks loudest.
pub(super) fn loudest(state: &GateState, most: usize) -> Option<Finding> {
    let loudest: Vec<(String, u64)> = state
        .talkers
        .iter()
        .filter(|talker| talker.attempts > 0)
        .take(most)
        .map(|BusySource { addr, attempts }| (addr.to_string(), *attempts))
        .collect();
    (!loudest.is_empty()).then_some(Finding::Knocking { sources: state.sources, loudest })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::steps::{History, Mark as Run};
    use crate::world::fake::{Answering, Fake};
    use crate::world::{Reads as _, ScriptOutput};

    /// Two API servers on two hosts.
    pub(in crate::steps) fn cluster() -> Cluster {
        crate::kit::sample::cluster("east", 2)
    }

    /// Everything that a look of run `r` at a host is made of.
    pub(in crate::steps) struct Seat {
        pub(in crate::steps) fake: Fake,
        pub(in crate::steps) history: History,
        target: Target,
        mark: Run,
    }

    impl Seat {
        pub(in crate::steps) fn at(host: &str, history: History) -> Self {
            let mark = Run { run: "r".into(), operator: "eve".into(), reason: String::new() };
            Self { fake: Fake::new(vec![cluster()]), history, target: Target::host("east", host), mark }
        }

        pub(in crate::steps) fn look(&self) -> Look<'_> {
            Look { target: &self.target, reads: &self.fake, history: &self.history, mark: &self.mark, step: 0 }
        }

        pub(in crate::steps) fn cluster(&self) -> &Cluster {
            self.fake.cluster("east").unwrap()
        }

        pub(in crate::steps) fn host(&self) -> &Host {
            self.cluster().host(self.target.short()).unwrap()
        }
    }

    /// What one host answers: a gate of run `r` at this level (beyond the last: none) with two stages, who listens, and how
    /// often its API server's process, which is young or gone, was started anew. Other hosts answer nothing of it.
    pub(in crate::steps) fn gate_on(
        name: &'static str,
        level: u32,
        listening: &'static [u16],
        restarts: u32,
    ) -> Answering {
        Box::new(move |target: &Target, script: &Script| {
            if *target != Target::host("east", name) {
                return None;
            }
            let ports: Vec<String> = listening.iter().map(|port| format!("{port:04X}")).collect();
            let fuse = |stage: u32| if stage > level { " elements = { 6443 timeout 15m expires 14m }" } else { "" };
            let stdout = match script.name.as_str() {
                "gate.status" if level > 2 => format!("listen={}\nback_end=none\n", ports.join(" ")),
                "gate.status" => format!(
                    "listen={}\nback_end=nft\nowner=run=r by=eve at=7 ports=6443 hold=900 step=60 stage=share:5 stage=share:25 why=x\n\
                     set.armed=elements = {{ 6443 timeout 15m expires 14m }}\nset.until_1={}\nset.until_2={}\n",
                    ports.join(" "),
                    fuse(1),
                    fuse(2)
                ),
                "apiserver.presence" if listening.contains(&6443) => {
                    format!("process=7 9\nstarted={restarts}\nend=yes\n")
                }
                "apiserver.presence" => format!("started={restarts}\nend=yes\n"),
                _ => return None,
            };
            Some(ScriptOutput { status: 0, stdout, stderr: String::new() })
        })
    }

    #[test]
    fn the_seed_is_the_run_s() {
        assert_eq!(seed("r1"), seed("r1"));
        assert_ne!(seed("r1"), seed("r2"));
    }
}

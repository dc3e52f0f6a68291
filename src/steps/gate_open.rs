//! `gate-open`: lets everybody back in stages, each judged by what the API servers answer.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::gate::Whose;
use super::gate::offender;
use super::gate::opening::{Following, Late, Open};
use super::gate::progress::Progress;
use super::gate::stages::Pace;
use super::health::{Limits, memory_percent, p99, samples};
use super::results::Takes;
use super::{Fault, Kind, Scope, Step, params, schema_of};
use crate::duration::HumanDuration;
use crate::found::Type;

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
    /// Who drowned the API: what is left of it is counted at each look, and a stage in which that gets less is left to go on.
    #[serde(default)]
    offender: Option<offender::Params>,
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
         second later otherwise. With an `offender`, each look also counts its pods, its connections and what it is served \
         and refused: three good looks in a row without a rise end a stage before its window does; a stage in which these \
         numbers fall is left to go on for up to a minute, though slow; waits do not double once it is gone; and what is \
         left of it is named. The first host leads, the others follow it. A host whose API server is away keeps its gate \
         and opens last, when the server answers; if that takes more than 10 s after the others are open, the step ends \
         without it and says so. Costs, per look (a quarter of the window, at most 5 s; with an offender every half \
         second): one GET /readyz and `samples` small GETs to each API server, twice that where an answer was bad, two or \
         three scripts to each host; with an offender one LIST of its pods (metadata, one page) and one script more to each \
         API host. Nothing to take back: close it anew with gate-close. With atOnce, everybody \
         comes back at the same moment: what drowned the API may drown it again."
    }

    fn scope(&self) -> Scope {
        Scope::ApiHosts
    }

    fn all_together(&self) -> bool {
        true
    }

    fn takes(&self) -> &'static [Takes] {
        &[Takes { at: &["offender", "workload"], of: Type::Workload }]
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let given: Params = params(with)?;
        let mut faults = Vec::new();
        if given.window.0 < Duration::from_secs(1) {
            faults.push(Fault::at("window", "it must be 1s or longer"));
        }
        let (limits, wrong) = Limits::read(given.p99, given.samples, given.rejects_per_second, given.memory_percent);
        faults.extend(wrong);
        if given.max_tries == 0 {
            faults.push(Fault::at("maxTries", "at least 1"));
        }
        let offender = given.offender.map(offender::Params::read).transpose().unwrap_or_else(|all| {
            faults.extend(all.into_iter().map(|fault| fault.under("offender")));
            None
        });
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Box::new(Open {
            whose: Whose::of(given.of),
            pace: Pace { window: given.window.0, most: given.max_tries },
            limits,
            without: given.without,
            at_once: given.at_once,
            each: given.each,
            offender,
            progress: Progress::default(),
            late: Late::default(),
            following: Following::default(),
        }))
    }
}

//! `gate-confirm`: proves over a new connection that the operator still gets in, and lets a gate stand longer.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::gate::{self as common, ORDER_SECS, Whose};
use super::{Announced, Fault, Kind, Look, Scope, Step, StepError, Survey, Times, params, schema_of};
use crate::change::{Change, Inverse, Keep, Op, Target};
use crate::duration::HumanDuration;
use crate::host::gate::{self, BackEnd, Driver, GateState, Mark, Turn};
use crate::kit::Cluster;

const CONFIRM: &str = "confirm";
/// A day: nobody means to shut an API for longer than that by a timer.
const LONGEST_SECS: u64 = 86_400;

/// The step kind.
pub(super) struct GateConfirm;

/// Which gate, and for how long.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// Whose gate: a run's id, or `any`; none: this run's own.
    of: Option<String>,
    /// How long it stands from now on before its next stage comes by itself; none: as long as it was given at first.
    #[serde(rename = "for")]
    hold: Option<HumanDuration>,
}

impl Kind for GateConfirm {
    fn name(&self) -> &'static str {
        "gate-confirm"
    }

    fn doc(&self) -> &'static str {
        "Confirms or extends a gate that stands, over a new SSH connection, at the stage it is at.\n\n\
         The run that held it before is told so and renews it no longer. Costs no API request. Nothing to take back: the gate ends by itself, only later. A gate that has run out is not \
         put up again by this."
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

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let Params { of, hold } = params(with)?;
        match hold {
            Some(hold) if !(1..=LONGEST_SECS).contains(&hold.0.as_secs()) => {
                Err(vec![Fault::at("for", format!("{hold}: take 1 second to 1 day"))])
            }
            _ => Ok(Box::new(Confirm { whose: Whose::of(of), hold: hold.map(|hold| common::secs(hold.0)) })),
        }
    }
}

struct Confirm {
    whose: Whose,
    hold: Option<u32>,
}

impl Confirm {
    fn change(&self, mark: &Mark, back_end: BackEnd, level: usize, was: String, by: Driver) -> Change {
        let hold = self.hold.unwrap_or(mark.hold);
        let turn = Turn { level, hold, was, by };
        Change {
            key: CONFIRM.into(),
            note: None,
            op: Op::Host(common::order(gate::arm(mark, back_end, &turn), true)),
            guard: format!("the gate of run {} still stands, and nobody else has set its fuses meanwhile", mark.run),
            inverse: Inverse::NotNeeded("the gate ends by itself".into()),
            because: format!("a new connection gets in, so the gate may stand for {hold} s"),
            by_hand: "ssh in anew; then the fuses, as docs/gate.md shows them".into(),
            deadline_secs: ORDER_SECS,
            keep: Keep::Nothing,
        }
    }
}

impl Step for Confirm {
    fn intent(&self) -> String {
        "confirm the gate over a new connection, and let it stand longer".into()
    }

    fn announce(&self, _: &Target, _: &Cluster) -> Vec<Announced> {
        let mark = common::unknown_mark(4);
        let change = self.change(&mark, BackEnd::Nft, 0, mark.run.clone(), common::unknown_driver());
        vec![
            Announced::look(gate::status(), Times::AtMost(2), "what stands, and whose it is"),
            Announced::op(
                change.op,
                Times::Once,
                "with the gate's own ports, stages and back end, at the stage it is at",
            ),
        ]
    }

    fn refuse(&self, target: &Target, cluster: &Cluster) -> Vec<String> {
        common::refuse(target, cluster)
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        async move {
            let state = common::status(look).await?;
            if state.is_none()
                && let Some((mark, back_end)) = common::pretended(look.history)
            {
                self.whose.allows(&mark, look)?;
                let (was, by) = (mark.run.clone(), common::driver(look));
                return Ok(Survey::change(self.change(&mark, back_end, 0, was, by)).saw(
                    "no gate stands here: the one that an earlier step would have closed by now is taken for it",
                ));
            }
            let standing = state.as_ref().filter(|state| state.stands());
            let Some((state, mark)) = standing.and_then(|state| Some((state, state.mark.as_ref()?))) else {
                return Err(no_gate(look.target, state.as_ref()));
            };
            self.whose.allows(mark, look)?;
            if look.history.done(CONFIRM) {
                return Ok(Survey::done().saw(state));
            }
            let was = state.driven_by().map_or_else(|| mark.run.clone(), |driver| driver.run);
            Ok(Survey::change(self.change(mark, state.back_end, state.level(), was, common::driver(look))))
        }
        .boxed()
    }
}

fn no_gate(target: &Target, state: Option<&GateState>) -> StepError {
    let why = match state {
        None => "no gate stands here: it was never closed, or the host was restarted, or its rules were flushed",
        Some(state) if state.mark.is_none() => "rules with our name that are not ours are here",
        Some(_) => "the gate has run out: it is open",
    };
    StepError::Refused { why: format!("{target}: {why}"), hint: Some("breakglass gate close".into()) }
}

//! The declarative file: parameters and a list of steps.

pub mod builtin;
mod file;
mod fill;
#[cfg(test)]
mod fuzz;
mod params;
mod parse;
mod results;
mod schema;
mod single;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::limits::Limits;
use crate::steps::Kind;

pub use crate::refusal::{Location, Refusal};
pub use params::{Param, ParamType};
pub use parse::{COMMAND_LINE, Runbook};
pub use results::Later;
pub use schema::schema;

/// What to do when a step fails on a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum OnFailure {
    /// Leave everything as it stands and stop on this cluster.
    Stop,
    /// Go on with the next step.
    Continue,
    /// Take back what this run changed on this cluster, then stop there.
    Undo,
}

/// How a step is run over its targets.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Policy {
    /// The end of the step on one target, whatever it waits for.
    pub timeout: Duration,
    /// How often a failed look is repeated.
    pub retries: u32,
    /// What a failure leads to.
    pub on_failure: OnFailure,
    /// How many of its targets at a time. The step fails once any has.
    #[serde(flatten)]
    pub limits: Limits,
    /// The operator is asked before the step.
    pub confirm: bool,
}

/// A step as the runbook says it, parameters filled in and checked against its kind's schema.
#[derive(Clone)]
pub struct StepDecl {
    /// Its name in the runbook; unique.
    pub name: String,
    /// Its kind.
    pub kind: &'static dyn Kind,
    /// Why it is there, in one sentence; may be empty.
    pub why: String,
    /// The kind's parameters.
    pub with: Value,
    /// What an earlier step of the cluster has to find for this one to be run; `None`: it is run in any case.
    pub only: Option<Later>,
    /// The parameters that earlier steps of the cluster find out during the run; until then a placeholder stands there.
    pub later: Vec<Later>,
    /// Which targets, in the words of `kit::select`; `None`: the kind's own scope.
    pub targets: Option<String>,
    /// How it is run.
    pub policy: Policy,
    /// Where it is written.
    pub at: Location,
}

impl fmt::Debug for StepDecl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepDecl")
            .field("name", &self.name)
            .field("kind", &self.kind.name())
            .field("with", &self.with)
            .finish_non_exhaustive()
    }
}

/// What a runbook is run on, as far as its text may speak of it: `${cluster}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On<'a> {
    /// The clusters are not chosen yet: all else is checked, with a name in that place.
    NotYet,
    /// One cluster, by its name.
    One(&'a str),
    /// Several, which have no name together: what uses `${cluster}` is refused.
    Several,
}

impl On<'_> {
    fn cluster(&self) -> Option<&str> {
        match self {
            Self::NotYet => Some("not-yet"),
            Self::One(name) => Some(name),
            Self::Several => None,
        }
    }
}

/// A runbook with its parameters resolved: what a plan is built from.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The runbook's name.
    pub name: String,
    /// Its purpose, in one sentence.
    pub purpose: String,
    /// The text it was read from, as kept in the journal.
    pub text: String,
    /// Every parameter with its value.
    pub params: Map<String, Value>,
    /// The steps.
    pub steps: Vec<StepDecl>,
    /// The word that must be typed before the run begins, beyond a yes.
    pub typed_consent: Option<String>,
}

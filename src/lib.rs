//! `breakglass`: get into a drowning Kubernetes control plane, gate it, remove the offender, re-open in stages.
//!
//! The rooms. A module may use what stands below it, never above, and never a sibling inside `cli`, `steps` or `link`.
//!
//! - `cli`: the only user of clap, one file per verb
//! - `render`: the only user of indicatif and of stdout and stderr
//! - `engine`: drives a plan forward and backward; prints nothing
//! - `plan`: (runbook, kit) to a plan, or every refusal at once; pure
//! - `journal`: the append-only, hash-chained record of a run
//! - `runbook`: the declarative file
//! - `steps`: one file per step kind
//! - `world`: the border with reality: what a step may look at, what the engine performs
//! - `link`: the only users of kube, reqwest and ssh2
//! - `host`: what is said to hosts, as pure text
//! - `kit`: clusters, hosts, credentials
//! - `sandbox`: the embedded practice cluster
//! - `bounded`, `change`, `cost`, `descriptors`, `duration`, `event`, `error`, `guarded`, `limits`, `process`, `refusal`, `saved`, `script`,
//!   `words`, `yaml`: small shared values, for everybody

pub mod bounded;
pub mod change;
pub mod cli;
pub mod cost;
pub mod descriptors;
pub mod duration;
pub mod engine;
pub mod error;
pub mod event;
pub mod found;
#[cfg(test)]
mod fuzz;
pub mod guarded;
pub mod host;
pub mod journal;
pub mod kit;
pub mod limits;
pub mod link;
pub mod plan;
pub mod process;
pub mod refusal;
pub mod render;
#[cfg(test)]
mod rooms;
pub mod runbook;
#[cfg(feature = "sandbox")]
pub mod sandbox;
#[cfg(not(feature = "sandbox"))]
#[path = "sandbox/absent.rs"]
pub mod sandbox;
pub mod saved;
pub mod script;
pub mod steps;
pub mod words;
pub mod world;
pub mod yaml;

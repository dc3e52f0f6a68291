//! `breakglass`: get into a drowning Kubernetes control plane, gate it, remove the offender, re-open in stages.
//!
//! The rooms. A module uses what stands below it in this list, never what stands above, and never a sibling inside `cli`,
//! `steps` or `link`. The whole order, and the tests that hold it, are in `rooms.rs`; docs/design/001-rooms.md says why.
//!
//! - `cli`: the only user of clap, one file per verb
//! - `render`: the only user of indicatif and of stdout and stderr
//! - `sandbox`: the embedded practice cluster
//! - `engine`: drives a plan forward and backward; prints nothing
//! - `plan`: (runbook, kit) to a plan, or every refusal at once; pure
//! - `runbook`: the declarative file
//! - `status`: every change of ours that still stands, anywhere
//! - `steps`: one file per step kind
//! - `world`: the border with reality: what a step may look at, what the engine performs
//! - `link`: the only users of kube, reqwest and ssh2
//! - `kit`: clusters, hosts, credentials, and which of them are chosen
//! - `event`: what the engine says while it works
//! - `journal`: the append-only, hash-chained record of a run
//! - `host`: what is said to hosts, as pure text
//! - `cost`, `finding`, `change`, `saved`: what was spent, what was seen, one write with its inverse, what a saved object is
//!   compared by
//! - `script`: a text for a host's shell with its arguments
//! - `guarded`, `yaml`, `refusal`, `duration`, `limits`, `error`, `process`, `bounded`, `descriptors`, `shell`, `words`: small
//!   shared values, for everybody
//!
//! A room is `pub` only where `main.rs`, `tests` or `benches` use it: in all others the compiler finds what nobody uses.

#![warn(clippy::missing_errors_doc)]

pub(crate) mod bounded;
pub mod change;
pub mod cli;
pub mod cost;
pub mod descriptors;
pub(crate) mod duration;
pub mod engine;
pub(crate) mod error;
pub mod event;
pub(crate) mod finding;
pub(crate) mod found;
#[cfg(test)]
mod fuzz;
pub(crate) mod guarded;
pub mod host;
pub mod journal;
pub mod kit;
pub mod limits;
pub mod link;
pub mod plan;
pub mod process;
pub(crate) mod refusal;
pub(crate) mod render;
#[cfg(test)]
mod rooms;
pub mod runbook;
#[cfg(feature = "sandbox")]
pub(crate) mod sandbox;
#[cfg(not(feature = "sandbox"))]
#[path = "sandbox/absent.rs"]
pub(crate) mod sandbox;
pub(crate) mod saved;
pub mod script;
pub(crate) mod shell;
pub mod status;
pub mod steps;
pub(crate) mod words;
pub mod world;
pub(crate) mod yaml;

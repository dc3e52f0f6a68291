//! What verbs share: flags, clusters and parameters as typed, the way of a plan to its end, answers, failures.

pub(super) mod automation;
pub(super) mod begin;
pub(super) mod client;
pub(super) mod clusters;
pub(super) mod drive;
pub(super) mod entrance;
pub(super) mod failure;
pub(super) mod flags;
pub(super) mod hosts;
pub(super) mod inputs;
pub(super) mod last;
pub(super) mod operator;
pub(super) mod signals;
pub(super) mod single;
pub(super) mod trust;
pub(super) mod ways;

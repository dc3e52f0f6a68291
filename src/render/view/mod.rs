//! What verbs without a run show: each a pure function from values to text, and one to JSON.

pub(crate) mod gate_status;
pub(crate) mod gate_watch;
pub(crate) mod journal;
pub(crate) mod kept;
pub(crate) mod kit;
pub(crate) mod recovery;
pub(crate) mod runbook;
pub(crate) mod runs;
pub(crate) mod sandbox;
pub(crate) mod status;
pub(crate) mod steps;
pub(crate) mod top;

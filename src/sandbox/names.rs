//! What the practice cluster is called, which a build without it knows, too.

/// The name of the cluster.
pub(crate) const NAME: &str = "sandbox";

/// The workload that drowns it, as a runbook's parameter names it.
pub(crate) const OFFENDER: &str = "daemonsets.apps/telemetry/agent";

/// How hard the practice cluster is pressed when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Already drowning.
    Storm,
    /// Quiet, the offender there and harmless: where nothing is written nothing can end a storm, so drills need this.
    Peace,
}

//! In the place of the practice cluster where the feature `sandbox` is off: there is none, and whoever asks is told so.

mod names;

use std::convert::Infallible;
use std::path::Path;

use anyhow::{Result, bail};

use crate::kit::Cluster;
pub(crate) use names::{NAME, OFFENDER, Weather};

/// Whether this build has a practice cluster.
pub(crate) const BUILT_IN: bool = false;

/// There is never one.
pub(crate) struct Sandbox {
    /// The cluster as a kit would describe it.
    pub cluster: Cluster,
    never: Infallible,
}

impl Sandbox {
    /// Starts nothing.
    ///
    /// # Errors
    /// Always; ask [`BUILT_IN`] first.
    #[expect(clippy::unused_async, reason = "as where there is one")]
    pub(crate) async fn start(_: Weather) -> Result<Self> {
        bail!("this build has no practice cluster")
    }

    /// A folder that only the operator can look into.
    pub(crate) fn folder(&self) -> &Path {
        match self.never {}
    }
}

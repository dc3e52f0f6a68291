//! Signals to the cancel flag.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use crate::engine::{Canceller, Stop};
use crate::render::Screen;

/// Comes with the first Ctrl-C, SIGTERM or lost terminal: for a wait that changes nothing and can be dropped as it is.
pub(in crate::cli) async fn stopped() -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}

/// Raises the flag: the first Ctrl-C, a SIGTERM and a lost terminal let the op in flight finish, a second Ctrl-C stops
/// now. Returns at the third Ctrl-C, when even that took too long.
pub(in crate::cli) async fn watch(canceller: Canceller, screen: Arc<Screen>) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut level = Stop::No;
    loop {
        let by_hand = tokio::select! {
            _ = interrupt.recv() => true,
            _ = terminate.recv() => false,
            _ = hangup.recv() => false,
        };
        level = match (level, by_hand) {
            (Stop::No, _) => {
                screen.err("stopping: what is in flight finishes first; Ctrl-C again stops now and leaves it unknown");
                canceller.raise()
            }
            (Stop::Soon, true) => {
                screen.err(
                    "stopping now: the outcome of what is in flight is unknown; `breakglass resume last` looks again",
                );
                canceller.raise()
            }
            (Stop::Now, true) => return Ok(()),
            (level, false) => level,
        };
    }
}

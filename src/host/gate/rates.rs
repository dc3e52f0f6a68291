//! What a gate does a second, from two looks at it.

use std::net::IpAddr;

use super::GateState;

/// What a gate did a second between two looks.
#[derive(Clone, Debug, PartialEq)]
pub struct Rates {
    /// New connections tried by those not let through by name.
    pub tried: f64,
    /// New connections let in.
    pub admitted: f64,
    /// New connections tried, of each source that was among the loudest in both looks.
    pub sources: Vec<(IpAddr, f64)>,
}

impl GateState {
    /// What it did since an earlier look, by its host's own clock.
    pub fn rates_since(&self, earlier: &Self) -> Rates {
        let millis = self.uptime_ms.saturating_sub(earlier.uptime_ms);
        let rate = |before: u64, now: u64| rate(before, now, millis);
        // A source that was not among the loudest before is counted from its next look on.
        let sources = self.talkers.iter().filter_map(|talker| {
            let known = earlier.talkers.iter().find(|known| known.addr == talker.addr)?;
            Some((talker.addr, rate(known.attempts, talker.attempts)))
        });
        Rates {
            tried: rate(earlier.counters.attempts, self.counters.attempts),
            admitted: rate(earlier.counters.admitted, self.counters.admitted),
            sources: sources.collect(),
        }
    }
}

/// How much a count grew a second. One that went down began anew.
fn rate(before: u64, now: u64, millis: u64) -> f64 {
    let grown = if now >= before { now - before } else { now };
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    let rate = grown as f64 * 1000.0 / millis.max(1) as f64;
    rate
}

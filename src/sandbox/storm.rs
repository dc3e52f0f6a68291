//! The simulated load: how hard an API server is pressed, and what that does to an answer.
//!
//! A model, not a measurement. It has the shape of the incident of 2024-12-11: load grows with the nodes that run the
//! offender, a gate takes it away within seconds, more resources hold more of it, and whoever is let back in all at
//! once brings a second wave.

use std::time::{Duration, Instant};

/// Nodes that run the offender.
pub(super) const NODES: u32 = 240;

/// How quickly pressure follows its cause.
const SETTLES_IN: f64 = 1.2;
/// How quickly the wave of clients that come back ebbs away.
const WAVE_EBBS_IN: f64 = 3.0;
/// The wave of everybody coming back at once, in units of an API server's initial capacity.
const WAVE: f64 = 4.0;
/// Load of the offender with all nodes on one API server, in the same units ...
const OFFENDER: f64 = 2.5;
/// ... and of what was there before the version that drowns it was rolled out.
const OFFENDER_IN_PEACE: f64 = 0.2;
/// What a request of the offender costs that is refused, beside a list that is served.
pub(super) const REFUSED: f64 = 0.02;
/// Load of everybody else.
const EVERYBODY: f64 = 0.25;

/// One API server's load.
#[derive(Debug)]
pub(super) struct Load {
    pressure: f64,
    wave: f64,
    admitted: f64,
    /// Load of the offender with all nodes.
    offender: f64,
    at: Instant,
}

impl Load {
    /// Already drowning.
    pub(super) fn drowning(now: Instant) -> Self {
        Self { pressure: OFFENDER + EVERYBODY, wave: 0.0, admitted: 1.0, offender: OFFENDER, at: now }
    }

    /// A quiet day, on which everything answers.
    pub(super) fn peaceful(now: Instant) -> Self {
        Self { pressure: EVERYBODY, offender: OFFENDER_IN_PEACE, ..Self::drowning(now) }
    }

    /// Moves to now and says how hard it is pressed: 1 is as much as it can do.
    ///
    /// `offenders` and `admitted` are shares from 0 to 1; `capacity` is in units of the initial one.
    pub(super) fn pressure(&mut self, now: Instant, offenders: f64, admitted: f64, capacity: f64) -> f64 {
        let passed = now.duration_since(self.at).as_secs_f64();
        self.at = now;
        self.wave *= (-passed / WAVE_EBBS_IN).exp();
        self.wave += (admitted - self.admitted).max(0.0) * WAVE;
        self.admitted = admitted;
        let target = (admitted * (offenders * self.offender + EVERYBODY) + self.wave) / capacity;
        self.pressure = target + (self.pressure - target) * (-passed / SETTLES_IN).exp();
        self.pressure
    }
}

/// How long an answer takes at this pressure.
pub(super) fn latency(pressure: f64) -> Duration {
    let millis = if pressure < 0.7 {
        4.0 + 10.0 * pressure
    } else if pressure < 1.0 {
        11.0 + (pressure - 0.7) * 2_000.0
    } else {
        600.0 + (pressure - 1.0) * 16_000.0
    };
    Duration::from_secs_f64((millis / 1000.0).min(40.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(load: &mut Load, from: Instant, seconds: f64, offenders: f64, admitted: f64) -> f64 {
        let mut last = 0.0;
        for tenth in 0..=10 {
            let now = from + Duration::from_secs_f64(seconds * f64::from(tenth) / 10.0);
            last = load.pressure(now, offenders, admitted, 1.0);
        }
        last
    }

    #[test]
    fn a_closed_gate_makes_room_within_seconds() {
        let start = Instant::now();
        let mut load = Load::drowning(start);
        assert!(latency(load.pressure(start, 1.0, 1.0, 1.0)) > Duration::from_secs(20));
        assert!(latency(after(&mut load, start, 6.0, 1.0, 0.0)) < Duration::from_millis(100));
    }

    #[test]
    fn everybody_at_once_drowns_it_again_and_a_twentieth_does_not() {
        let start = Instant::now();
        for (share, drowns) in [(1.0, true), (0.05, false)] {
            let mut load = Load::drowning(start);
            after(&mut load, start, 20.0, 0.0, 0.0);
            let pressure = after(&mut load, start + Duration::from_secs(20), 1.5, 0.0, share);
            assert_eq!(pressure > 1.0, drowns, "{share}: {pressure}");
        }
    }
}

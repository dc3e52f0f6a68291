//! What the simulated hosts tell of who loads their API servers: the offender, as long as it has pods, beside two that harm nobody.

use std::fmt::Write as _;
use std::time::Instant;

use super::world::SimHost;
use crate::host::ranking::{AuditRank, LogRank};

/// The user that the offender's pods are to the API.
pub(super) const CLIENT: &str = "system:serviceaccount:telemetry:agent";
/// The user agent that they give.
pub(super) const AGENT: &str = "telemetry-agent/1.2";
/// What each of its pods tries, in requests a second.
pub(super) const TRIES: f64 = 2.0;
/// Over so many seconds.
const OVER: u64 = 300;
/// What one of its lists takes, in milliseconds.
const TOOK: u64 = 2500;
/// The characters of names that Kubernetes makes up.
const MADE_UP: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// The name of one of its pods.
fn pod(number: u32) -> String {
    let mut rest = usize::try_from(number).unwrap_or(0) * 7919 + 104_729;
    let suffix = (0..5).map(|_| {
        let one = char::from(MADE_UP[rest % MADE_UP.len()]);
        rest /= MADE_UP.len();
        one
    });
    format!("agent-{}", suffix.collect::<String>())
}

fn address(number: u32) -> String {
    format!("10.64.{}.{}", number / 250, number % 250 + 1)
}

/// Requests of all pods to one of `servers` API servers while that was counted.
fn asked((pods, servers): (u32, usize), seconds: u64) -> u64 {
    let each = TRIES * f64::from(pods) / f64::from(u32::try_from(servers.max(1)).unwrap_or(1));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "thousands at most"
    )]
    let whole = (each * seconds as f64).round() as u64;
    whole
}

fn over(seconds: u64) -> u64 {
    if seconds == 0 { OVER } else { seconds.min(OVER) }
}

fn sources(pods: u32, asked: u64) -> String {
    let each = asked / u64::from(pods.max(1));
    (0..pods.min(50)).fold(String::new(), |mut all, number| {
        let _ = write!(all, " {}={each}", address(number));
        all
    })
}

/// The audit log of a host.
pub(super) fn audit(scale: (u32, usize), order: &AuditRank) -> String {
    let now = jiff::Timestamp::now();
    let seconds = over(order.seconds);
    let at = |ago: u64| {
        (now - jiff::SignedDuration::from_secs(i64::try_from(ago).unwrap_or(0))).strftime("%Y-%m-%dT%H:%M:%S")
    };
    let (first, last) = (at(seconds), at(0));
    let log = if order.log.is_empty() { "/var/log/kubernetes/audit.log" } else { &order.log };
    let asked = asked(scale, seconds);
    let lines = asked + seconds * 12;
    let mut out = format!(
        "now={}\nlog={log}\nlines={lines}\nevents={lines}\nskipped=0\nother=0\nbeyond=0\ncut=no\nstages=0 1 {lines}\n",
        now.as_second()
    );
    if asked > 0 {
        let pods = (0..scale.0.min(5)).fold(String::new(), |all, number| format!("{all} {}", pod(number)));
        let _ = writeln!(
            out,
            "row=:\t{CLIENT}\t{AGENT}\tlist\tpods\t0\t0\t{asked}\t{}\t{}\t{first}\t{last}\t{pods}\t{pods}\t{names}\t{sources}\t.",
            asked / 9,
            asked * TOOK,
            pods = scale.0,
            names = pods,
            sources = sources(scale.0, asked),
        );
    }
    for (user, agent, asks, a_second, took) in [
        ("system:serviceaccount:ci:runner", "runner/2.3", "get\tconfigmaps", 2, 4),
        ("system:apiserver", "kube-apiserver/v1.34.4", "get\tleases.coordination.k8s.io", 10, 2),
    ] {
        let requests = seconds * a_second;
        let _ = writeln!(
            out,
            "row=:\t{user}\t{agent}\t{asks}\t0\t0\t{requests}\t0\t{}\t{first}\t{last}\t1\t0\t\t 10.64.9.9={requests}\t.",
            requests * took
        );
    }
    let _ = write!(out, "bytes={}\nwhole=yes\nend=yes\n", lines * 900);
    out
}

/// The API server's own log.
pub(super) fn log(scale: (u32, usize), order: &LogRank) -> String {
    let log = if order.log.is_empty() {
        "/var/log/pods/kube-system_kube-apiserver-sandbox/kube-apiserver/0.log"
    } else {
        &order.log
    };
    let asked = asked(scale, over(order.seconds));
    let mut out = format!("log={log}\nlines={asked}\nevents={asked}\nbeyond=0\ncut=no\n");
    if asked > 0 {
        let _ = writeln!(
            out,
            "row=:\t\t{AGENT}\tlist\tpods\t0\t0\t{asked}\t0\t{}\t\t\t{}\t0\t\t{}\t.",
            asked * TOOK,
            scale.0,
            sources(scale.0, asked)
        );
    }
    out + "end=yes\n"
}

/// The connections of a host: of those that its gate lets in.
pub(super) fn sockets(host: &SimHost, (pods, servers): (u32, usize)) -> String {
    let admitted = host.gate.as_ref().map_or(1.0, |gate| gate.admitted(Instant::now()));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "thousands at most")]
    let open = (f64::from(pods) * admitted / f64::from(u32::try_from(servers.max(1)).unwrap_or(1))).round() as u32;
    let line = |number| format!("peer={} 1 5200000 yes \n", address(number));
    (0..open.min(200)).map(line).collect::<String>() + "end=yes\n"
}

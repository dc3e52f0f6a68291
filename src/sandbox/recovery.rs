//! A simulated recovery API server: it answers at once, whatever the storm, and ends by itself.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use base64::Engine as _;

use super::said::Said;
use super::world::{APISERVER, SimHost, SimRecovery};
use crate::host::manifest::MANIFESTS;
use crate::host::recovery::{MOST, RecoveryExtend, RecoveryStart};

/// What one would be made of, and the one that stands.
pub(super) fn survey(host: &SimHost, authority: &str) -> String {
    let file = format!("{MANIFESTS}/{APISERVER}.yaml");
    let text = host.files.get(&file).map(|text| base64::engine::general_purpose::STANDARD.encode(text));
    let mut out = status(host, authority);
    let _ = write!(out, "file={file}\ntext={}\navailable=9000000\nend=yes\n", text.unwrap_or_default());
    out
}

/// The one that stands, without the last line.
pub(super) fn status(host: &SimHost, authority: &str) -> String {
    let Some(one) = host.recovery.as_ref().filter(|one| one.stands()) else { return String::new() };
    let left = one.until.saturating_duration_since(Instant::now());
    let listens = if one.listens() { "recovery.listens=yes\n" } else { "" };
    format!(
        "recovery.run={}\nrecovery.by={}\nrecovery.port={}\nrecovery.age={}\nrecovery.left={}\nrecovery.watched=yes\n\
         recovery.server=1900\nrecovery.memory=400000\n{listens}recovery.trust={}\nrecovery.own={}\n",
        one.run,
        one.operator,
        one.port,
        one.began.elapsed().as_secs(),
        left.as_secs(),
        base64::engine::general_purpose::STANDARD.encode(authority),
        base64::engine::general_purpose::STANDARD.encode(&one.own),
    )
}

pub(super) fn start(host: &mut SimHost, order: &RecoveryStart) -> Said {
    let now = Instant::now();
    if let Some(one) = host.recovery.as_ref().filter(|one| one.stands()) {
        if one.run == order.run {
            return Said::ok("started=already\n".into());
        }
        let why = format!("a recovery API server of run {} ({}) stands here already", one.run, one.operator);
        return Said::failed(5, &why);
    }
    host.recovery = Some(SimRecovery {
        run: order.run.clone(),
        operator: order.operator.clone(),
        port: order.port.parse().unwrap_or(0),
        began: now,
        until: now + Duration::from_secs(order.seconds),
        own: order.own.clone(),
    });
    Said::ok("started=yes\n".into())
}

pub(super) fn extend(host: &mut SimHost, order: &RecoveryExtend) -> Said {
    match host.recovery.as_mut().filter(|one| one.stands() && one.run == order.run) {
        Some(one) => {
            one.until = (Instant::now() + Duration::from_secs(order.seconds)).min(one.began + MOST).max(one.until);
            one.own.push_str(&order.own);
            Said::ok(String::new())
        }
        None => Said::failed(4, "no recovery API server of that run stands here"),
    }
}

pub(super) fn stop(host: &mut SimHost, run: &str) -> Said {
    if let Some(one) = host.recovery.as_ref().filter(|one| one.stands() && one.run != run) {
        return Said::failed(5, &format!("the recovery API server here is of another run now: {}", one.run));
    }
    host.recovery = None;
    Said::ok("recovery=absent\n".into())
}

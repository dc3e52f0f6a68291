//! Simulated pods of the offender on a host, which are frozen and go on again by themselves.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::said::Said;
use super::world::{SimFreeze, SimHost};
use crate::host::pods::{PodsFreeze, PodsLook, PodsNetwork};

/// The offender's pod on each host.
const NAMESPACE: &str = "telemetry";
const POD: &str = "agent-7xk2p";
const FORM: &str = "agent-[";

/// Its pod, where it is one of those that are looked for, and what freezes stand.
pub(super) fn look(host: &SimHost, running: u32, order: &PodsLook) -> String {
    let mut out = frozen(host);
    if running > 0 && order.namespace == NAMESPACE && order.forms.starts_with(FORM) {
        let still = if host.frozen.iter().any(SimFreeze::stands) { "yes" } else { "no" };
        let _ = writeln!(out, "pod=25100346-8177-4ea8-95c8-4a40b468054f {POD} 2 {still}");
    }
    out + "end=yes\n"
}

/// What its pod sends from.
pub(super) fn network(running: u32, order: &PodsNetwork) -> String {
    let here = running > 0 && order.namespace == NAMESPACE && order.forms.starts_with(FORM);
    if here { format!("pod={POD}\naddress=10.244.7.9\nend=yes\n") } else { "end=yes\n".into() }
}

/// What freezes stand, without the last line.
pub(super) fn frozen(host: &SimHost) -> String {
    let one = |one: &SimFreeze| {
        format!(
            "frozen.folder={}\nfrozen.run={}\nfrozen.by={}\nfrozen.object={}\nfrozen.why={}\nfrozen.age={}\nfrozen.left={}\n\
             frozen.watched=yes\nfrozen.held=1\n",
            one.order.folder,
            one.order.run,
            one.order.operator,
            one.order.object,
            one.order.reason,
            one.began.elapsed().as_secs(),
            one.until().saturating_duration_since(Instant::now()).as_secs()
        )
    };
    host.frozen.iter().filter(|freeze| freeze.stands()).map(one).collect()
}

pub(super) fn freeze(host: &mut SimHost, order: &PodsFreeze) -> Said {
    host.frozen.retain(SimFreeze::stands);
    if !host.frozen.iter().any(|one| one.order.folder == order.folder) {
        host.frozen.push(SimFreeze { order: order.clone(), began: Instant::now() });
    }
    Said::ok("pods=1\nfrozen=1\n".into())
}

pub(super) fn thaw(host: &mut SimHost, folder: &str) -> Said {
    let before = host.frozen.len();
    host.frozen.retain(|one| one.stands() && one.order.folder != folder);
    Said::ok(if host.frozen.len() < before { "thawed=1\n".into() } else { "thawed=absent\n".into() })
}

impl SimFreeze {
    fn until(&self) -> Instant {
        self.began + Duration::from_secs(self.order.seconds)
    }

    pub(super) fn stands(&self) -> bool {
        self.until() > Instant::now()
    }
}

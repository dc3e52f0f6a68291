//! What the steps share that start and end a recovery API server.

use std::time::Duration;

use super::Look;
use crate::change::{Op, Part, Target};
use crate::duration::HumanDuration;
use crate::host::recovery::{self, Recovery};
use crate::kit::held::Won;
use crate::kit::{Cluster, Host};
use crate::words;
use crate::world::Way;

/// How long a look at a host may take.
pub(super) const LOOK_LIMIT: Duration = Duration::from_secs(30);
/// How long an order to a host may take: the server makes its certificate and asks its etcd meanwhile.
pub(super) const ORDER_SECS: u64 = 60;

/// The host that a step acts on, by its name, and what the kit knows of it.
pub(super) fn host<'a>(target: &'a Target, cluster: &'a Cluster) -> Option<&'a Host> {
    let Part::Host(name) = &target.part else { return None };
    cluster.host(name)
}

/// The order that ends one.
pub(super) fn stop(run: &str) -> Op {
    Op::order(recovery::stop(run))
}

/// From now on requests go to it first; it knows us by `own`, if that is said, and as all others do if not.
pub(super) fn learn(look: Look<'_>, one: &Recovery, own: Option<Won>) {
    let (Part::Host(host), Some(trust)) = (&look.target.part, &one.trust) else { return };
    let way = Way::Recovery { host: host.clone(), port: one.port, trust: trust.clone(), own };
    look.reads.learn(&look.target.cluster, way);
}

/// How it is, in words: `127.0.0.1:16443, since 12s, ends by itself in 14m`.
pub(super) fn said(one: &Recovery) -> String {
    let left = HumanDuration(one.left);
    let memory = one.memory.map_or_else(String::new, |bytes| format!(", holds {}", words::bytes(bytes)));
    format!("127.0.0.1:{}, ends by itself in {left}{memory}", one.port)
}

//! Live reads, pretended writes. It swaps what performs, not what decides.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{KubeAnswer, KubeRead, ReadError, Reads, ScriptOutput, Way, World, Writes};
use crate::change::{KubeCall, Method, Op, Outcome, Part, Target};
use crate::cost::{Cost, Costs};
use crate::host::order::Order as _;
use crate::host::recovery::{RecoveryStart, RecoveryStop};
use crate::kit::Cluster;
use crate::kit::held::Entrance;
use crate::script::Script;

/// A world in which nothing can be written.
#[derive(Debug)]
pub struct Drill<W> {
    inner: W,
    /// The hosts, with their clusters, that would have a recovery API server by now: later ones need none.
    recoveries: Mutex<BTreeSet<(String, String)>>,
}

impl<W: World> Drill<W> {
    /// Takes a world's writes away.
    pub fn new(inner: W) -> Self {
        Self { inner, recoveries: Mutex::default() }
    }
}

impl<W> Drill<W> {
    fn pretended(&self) -> MutexGuard<'_, BTreeSet<(String, String)>> {
        self.recoveries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: World> Reads for Drill<W> {
    fn cluster(&self, name: &str) -> Option<&Cluster> {
        self.inner.cluster(name)
    }

    fn kube<'a>(&'a self, target: &'a Target, read: &'a KubeRead) -> BoxFuture<'a, Result<KubeAnswer, ReadError>> {
        self.inner.kube(target, read)
    }

    fn kube_anonymous<'a>(
        &'a self,
        target: &'a Target,
        read: &'a KubeRead,
    ) -> BoxFuture<'a, Result<KubeAnswer, ReadError>> {
        self.inner.kube_anonymous(target, read)
    }

    fn script<'a>(
        &'a self,
        target: &'a Target,
        script: &'a Script,
        limit: Duration,
    ) -> BoxFuture<'a, Result<ScriptOutput, ReadError>> {
        self.inner.script(target, script, limit)
    }

    fn connect(&self, address: SocketAddr, limit: Duration) -> BoxFuture<'_, Result<Duration, ReadError>> {
        self.inner.connect(address, limit)
    }

    fn source_towards(&self, to: SocketAddr) -> Option<std::net::IpAddr> {
        self.inner.source_towards(to)
    }

    fn learn(&self, cluster: &str, way: Way) {
        self.inner.learn(cluster, way);
    }

    fn known_by(&self, cluster: &str) -> Option<String> {
        self.inner.known_by(cluster)
    }

    fn entrance(&self, cluster: &str) -> Option<Entrance> {
        self.inner.entrance(cluster)
    }

    fn recoveries(&self, cluster: &str) -> Vec<String> {
        let pretended = self.pretended();
        let here = pretended.iter().filter(|(known, _)| known == cluster).map(|(_, host)| host.clone());
        self.inner.recoveries(cluster).into_iter().chain(here).collect()
    }
}

impl<W: World> Writes for Drill<W> {
    fn perform<'a>(&'a self, target: &'a Target, op: &'a Op, _limit: Duration) -> BoxFuture<'a, Outcome> {
        if let (Op::Host(command), Part::Host(host)) = (op, &target.part) {
            let here = (target.cluster.clone(), host.clone());
            if RecoveryStart::of(&command.script).is_some() {
                self.pretended().insert(here);
            } else if RecoveryStop::of(&command.script).is_some() {
                self.pretended().remove(&here);
            }
        }
        let said = format!("pretended: {}", op.summary());
        let outcome = match op {
            // As if nothing held it: what does would be looked for after the real one.
            Op::Kube(KubeCall { method: Method::Delete, .. }) => Outcome::gone(said + ", and it is gone"),
            Op::Kube(_) | Op::Host(_) | Op::File(_) | Op::Http(_) | Op::Local(_) => Outcome::done(said),
        };
        async move { outcome }.boxed()
    }
}

impl<W: World> World for Drill<W> {
    fn costs(&self) -> Costs {
        self.inner.costs()
    }

    fn costs_on(&self, cluster: &str) -> Costs {
        self.inner.costs_on(cluster)
    }

    fn cost_of(&self, target: &Target) -> Cost {
        self.inner.cost_of(target)
    }

    fn rest(&self, cluster: &str) {
        self.inner.rest(cluster);
    }

    fn pretends(&self) -> bool {
        true
    }
}

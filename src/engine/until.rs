//! Looks that end with the time of their step. A read that is dropped by a clock outside of it says nothing; one whose own
//! limit passes says what was tried, and what came of it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;

use super::together::Together;
use crate::change::Target;
use crate::kit::Cluster;
use crate::kit::held::Entrance;
use crate::script::Script;
use crate::world::{KubeAnswer, KubeRead, ReadError, Reads, ScriptOutput, Way, World};

/// A world's looks, none of which lasts beyond an instant.
pub(super) struct UpTo<'w> {
    pub(super) reads: &'w dyn World,
    pub(super) until: Instant,
    pub(super) together: &'w Together,
}

impl UpTo<'_> {
    fn cap(&self, limit: Duration) -> Duration {
        limit.min(self.until.saturating_duration_since(Instant::now()))
    }

    fn capped(&self, read: &KubeRead) -> KubeRead {
        KubeRead { limit: self.cap(read.limit), ..read.clone() }
    }
}

impl Reads for UpTo<'_> {
    fn cluster(&self, name: &str) -> Option<&Cluster> {
        self.reads.cluster(name)
    }

    fn kube<'a>(&'a self, target: &'a Target, read: &'a KubeRead) -> BoxFuture<'a, Result<KubeAnswer, ReadError>> {
        Box::pin(async move { self.reads.kube(target, &self.capped(read)).await })
    }

    fn kube_anonymous<'a>(
        &'a self,
        target: &'a Target,
        read: &'a KubeRead,
    ) -> BoxFuture<'a, Result<KubeAnswer, ReadError>> {
        Box::pin(async move { self.reads.kube_anonymous(target, &self.capped(read)).await })
    }

    fn script<'a>(
        &'a self,
        target: &'a Target,
        script: &'a Script,
        limit: Duration,
    ) -> BoxFuture<'a, Result<ScriptOutput, ReadError>> {
        Box::pin(async move { self.reads.script(target, script, self.cap(limit)).await })
    }

    fn script_for_many<'a>(
        &'a self,
        target: &'a Target,
        script: &'a Script,
        limit: Duration,
    ) -> BoxFuture<'a, Result<ScriptOutput, ReadError>> {
        Box::pin(async move { self.together.script(self.reads, target, script, self.cap(limit)).await })
    }

    fn host_key<'a>(&'a self, target: &'a Target, limit: Duration) -> BoxFuture<'a, Result<Option<String>, ReadError>> {
        Box::pin(async move { self.reads.host_key(target, self.cap(limit)).await })
    }

    fn connect(&self, address: SocketAddr, limit: Duration) -> BoxFuture<'_, Result<Duration, ReadError>> {
        Box::pin(async move { self.reads.connect(address, self.cap(limit)).await })
    }

    fn source_towards(&self, to: SocketAddr) -> Option<IpAddr> {
        self.reads.source_towards(to)
    }

    fn learn(&self, cluster: &str, way: Way) {
        self.reads.learn(cluster, way);
    }

    fn known_by(&self, cluster: &str) -> Option<String> {
        self.reads.known_by(cluster)
    }

    fn entrance(&self, cluster: &str) -> Option<Entrance> {
        self.reads.entrance(cluster)
    }

    fn recoveries(&self, cluster: &str) -> Vec<String> {
        self.reads.recoveries(cluster)
    }
}

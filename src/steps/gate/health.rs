//! How the API servers are: ready, quick, and not turning requests away.

use std::time::Duration;

use futures::future::join_all;

use crate::change::Target;
use crate::kit::{ApiServer, Cluster};
use crate::world::{Accept, KubeRead, Reads};

/// The small request that is timed: one object, which every cluster has.
pub(in crate::steps) const SMALL: &str = "/api/v1/namespaces/kube-system";
/// Says, per priority level, how many requests were rejected so far.
const LEVELS: &str = "/debug/api_priority_and_fairness/dump_priority_levels";

/// What counts as good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::steps) struct Limits {
    /// The slowest small GET.
    pub(in crate::steps) slowest: Duration,
    /// How many of them at each look.
    pub(in crate::steps) samples: u8,
    /// Rejected requests a second.
    pub(in crate::steps) rejects: Option<u32>,
}

/// Looks at every API server of a cluster; what is bad, one sentence each. Empty: all is well.
pub(in crate::steps) async fn judge(reads: &dyn Reads, cluster: &Cluster, limits: &Limits) -> Vec<String> {
    let looks = cluster.api_servers.iter().map(|server| one(reads, cluster, server, limits));
    join_all(looks).await.into_iter().flatten().collect()
}

async fn one(reads: &dyn Reads, cluster: &Cluster, server: &ApiServer, limits: &Limits) -> Vec<String> {
    let target = Target::api_server(&cluster.name, &server.name);
    // An answer later than that is bad whatever it says.
    let limit = (limits.slowest * 2).max(Duration::from_secs(5));
    let read = |path: &str, accept| KubeRead { path: path.into(), accept, limit };
    let (ready, small, levels) =
        (read("/readyz", Accept::Text), read(SMALL, Accept::Metadata), read(LEVELS, Accept::Text));
    let rejected = async || match limits.rejects {
        Some(_) => reads.kube(&target, &levels).await.ok().and_then(|answer| rejected(&answer.text)),
        None => None,
    };
    let began = tokio::time::Instant::now();
    let before = rejected().await;
    let samples = join_all((0..limits.samples).map(|_| reads.kube(&target, &small)));
    let (readyz, samples) = futures::join!(reads.kube(&target, &ready), samples);
    // Long enough for a count to tell.
    if before.is_some() {
        tokio::time::sleep_until(began + Duration::from_secs(1)).await;
    }
    let after = rejected().await;
    let mut bad = Vec::new();
    let name = &server.name;
    match readyz {
        Ok(answer) if answer.code == 200 => {}
        Ok(answer) => bad.push(format!("/readyz of {name} says {}", answer.code)),
        Err(_) => bad.push(format!("/readyz of {name} is not answered within {} s", limit.as_secs())),
    }
    let answered: Vec<_> = samples.into_iter().flatten().collect();
    if answered.len() < usize::from(limits.samples) {
        bad.push(format!("small GETs to {name} are not answered within {} s", limit.as_secs()));
    }
    if let Some(answer) = answered.iter().find(|answer| answer.code == 429 || answer.code >= 500) {
        bad.push(format!("a small GET to {name} came back with {}", answer.code));
    }
    if let Some(slowest) = answered.iter().map(|answer| answer.took).max().filter(|took| *took > limits.slowest) {
        bad.push(format!("a small GET to {name} took {} ms", slowest.as_millis()));
    }
    if let (Some(before), Some(after), Some(most)) = (before, after, limits.rejects) {
        let rate =
            (after.saturating_sub(before) * 1000) / u64::try_from(began.elapsed().as_millis()).unwrap_or(1000).max(1);
        if rate > u64::from(most) {
            bad.push(format!("{name} rejects {rate} requests a second"));
        }
    }
    bad
}

/// The sum of the column `RejectedRequests`.
fn rejected(dump: &str) -> Option<u64> {
    let mut lines = dump.lines().map(|line| line.split(',').map(str::trim).collect::<Vec<_>>());
    let column = lines.next()?.iter().position(|name| *name == "RejectedRequests")?;
    Some(lines.filter_map(|row| row.get(column)?.parse::<u64>().ok()).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_are_summed_over_the_levels() {
        let dump = "PriorityLevelName, ActiveQueues, IsIdle, IsQuiescing, WaitingRequests, ExecutingRequests, \
                    DispatchedRequests, RejectedRequests, TimedoutRequests, CancelledRequests\n\
                    exempt, <none>, <none>, <none>, <none>, <none>, <none>, <none>, <none>, <none>\n\
                    global-default, 0, true, false, 0, 0, 40, 7, 0, 0\nworkload-low, 1, false, false, 3, 1, 9, 5, 1, 0\n";
        assert_eq!(rejected(dump), Some(12));
        assert_eq!(rejected("no such page"), None);
    }
}

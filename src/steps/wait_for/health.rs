//! API servers that are ready, and fast.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Condition, Found, denied, unanswered};
use crate::change::Target;
use crate::duration::HumanDuration;
use crate::kit::Cluster;
use crate::steps::{Look, Sends, StepError};
use crate::world::{Accept, KubeRead, ReadErrorKind};

const READYZ: &str = "/readyz";
/// The longest one of the requests may take; slower is not healthy.
const LIMIT: Duration = Duration::from_secs(10);

/// Every API server says that it is ready, several times in a row.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Health {
    /// How often in a row.
    #[serde(default = "three")]
    times: u32,
    /// The pause between two looks.
    #[serde(default = "one_second")]
    every: HumanDuration,
}

/// Every API server answers a small GET fast.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Latency {
    /// The latency that 99 of 100 samples stay below; of fewer samples, all of them.
    p99: HumanDuration,
    /// How many samples from each API server.
    #[serde(default = "twenty")]
    samples: u32,
    /// The pause between two samples.
    #[serde(default = "half_a_second")]
    every: HumanDuration,
    /// What is asked for: one small object.
    #[serde(default = "small")]
    path: String,
}

fn three() -> u32 {
    3
}

fn twenty() -> u32 {
    20
}

fn one_second() -> HumanDuration {
    HumanDuration::secs(1)
}

fn half_a_second() -> HumanDuration {
    HumanDuration(Duration::from_millis(500))
}

fn small() -> String {
    "/api/v1/namespaces/kube-system".into()
}

/// The API servers of the cluster that is looked at.
pub(super) fn servers(look: Look<'_>) -> Vec<Target> {
    let cluster = look.reads.cluster(&look.target.cluster);
    let servers = cluster.into_iter().flat_map(|cluster| &cluster.api_servers);
    servers.map(|server| Target::api_server(&look.target.cluster, &server.name)).collect()
}

impl Condition for Health {
    fn intent(&self) -> String {
        format!("every API server is ready {} times in a row", self.times)
    }

    fn sends(&self, cluster: &Cluster) -> Vec<(Sends, Duration, String)> {
        let one = |server: &crate::kit::ApiServer| {
            (Sends::Get(READYZ.into()), self.every.0, format!("is {} ready", server.name))
        };
        cluster.api_servers.iter().map(one).collect()
    }

    fn faults(&self) -> Vec<String> {
        if self.times == 0 { vec!["times: it must be at least 1".into()] } else { Vec::new() }
    }

    fn look<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Found, StepError>> {
        async move {
            let servers = servers(look);
            let read = KubeRead { path: READYZ.into(), accept: Accept::Text, limit: LIMIT };
            let mut slowest = Duration::ZERO;
            for round in 0..self.times {
                if round > 0 {
                    tokio::time::sleep(self.every.0).await;
                }
                let answers = join_all(servers.iter().map(|server| look.reads.kube(server, &read))).await;
                for (server, answer) in servers.iter().zip(answers) {
                    match answer {
                        Ok(answer) if answer.code == 200 => slowest = slowest.max(answer.took),
                        Ok(answer) => {
                            denied(server, &answer)?;
                            let what = format!("{} to be ready ({}: {})", server.short(), answer.code, answer.message());
                            return Ok(Found::NotYet(what));
                        }
                        Err(error) if error.kind == ReadErrorKind::Refused => return Err(error.into()),
                        Err(error) => return Ok(Found::NotYet(format!("{} to be ready ({error})", server.short()))),
                    }
                }
            }
            let (servers, times) = (crate::words::count(servers.len(), "API server"), self.times);
            Ok(Found::Holds(format!("{servers} ready {times} times in a row, in at most {} ms", slowest.as_millis())))
        }
        .boxed()
    }
}

impl Latency {
    /// The samples of one server, the fastest first; why not, when one was no good.
    async fn sample(&self, look: Look<'_>, server: &Target) -> Result<Result<Vec<Duration>, String>, StepError> {
        // Waiting longer than what is wanted proves nothing more, but tells how far away it is.
        let limit = LIMIT.max(self.p99.0 * 2);
        let read = KubeRead { path: self.path.clone(), accept: Accept::Metadata, limit };
        let mut samples = Vec::new();
        for number in 0..self.samples {
            if number > 0 {
                tokio::time::sleep(self.every.0).await;
            }
            match look.reads.kube(server, &read).await {
                Ok(answer) if answer.code == 200 => samples.push(answer.took),
                Ok(answer) => {
                    denied(server, &answer)?;
                    return Ok(Err(format!("{}: {} {}", server.short(), answer.code, answer.message())));
                }
                Err(error) => return unanswered(server, error).map(Err),
            }
        }
        samples.sort_unstable();
        Ok(Ok(samples))
    }
}

/// The nearest-rank percentile of sorted samples.
fn p99(sorted: &[Duration]) -> Duration {
    let rank = (sorted.len() * 99).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

impl Condition for Latency {
    fn intent(&self) -> String {
        format!("every API server answers within {} (p99 of {} samples)", self.p99, self.samples)
    }

    fn sends(&self, cluster: &Cluster) -> Vec<(Sends, Duration, String)> {
        let one = |server: &crate::kit::ApiServer| {
            (Sends::Get(self.path.clone()), self.every.0, format!("how fast is {}", server.name))
        };
        cluster.api_servers.iter().map(one).collect()
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.samples == 0 {
            faults.push("samples: it must be at least 1".into());
        }
        if self.every.0 < Duration::from_millis(100) {
            faults.push("every: shorter than 100ms would add to the load".into());
        }
        if !self.path.starts_with('/') {
            faults.push(format!("path: {:?} does not begin with a slash", self.path));
        }
        faults
    }

    fn look<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Found, StepError>> {
        async move {
            let servers = servers(look);
            let sampled = join_all(servers.iter().map(|server| self.sample(look, server))).await;
            let mut worst = Duration::ZERO;
            for (server, samples) in servers.iter().zip(sampled) {
                let found = match samples? {
                    Ok(samples) => p99(&samples),
                    Err(why) => return Ok(Found::NotYet(format!("answers within {} ({why})", self.p99))),
                };
                if found > self.p99.0 {
                    let (name, wanted) = (server.short(), self.p99);
                    let what = format!("{name} to answer within {wanted} (p99 is {} ms)", found.as_millis());
                    return Ok(Found::NotYet(what));
                }
                worst = worst.max(found);
            }
            let samples = self.samples;
            Ok(Found::Holds(format!("p99 of {samples} samples is {} ms on the slowest API server", worst.as_millis())))
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentile_is_the_slowest_until_there_are_enough_samples() {
        let millis = |n: u64| (1..=n).map(Duration::from_millis).collect::<Vec<_>>();
        assert_eq!(p99(&millis(20)), Duration::from_millis(20));
        assert_eq!(p99(&millis(100)), Duration::from_millis(99));
        assert_eq!(p99(&millis(1)), Duration::from_millis(1));
        assert_eq!(p99(&[]), Duration::ZERO);
    }
}

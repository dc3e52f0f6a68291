//! API servers that are ready, and fast.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Asked, Condition, Found, denied, unanswered};
use crate::change::Target;
use crate::duration::HumanDuration;
use crate::finding::Finding;
use crate::kit::{ApiServer, Cluster};
use crate::steps::health::{Flaw, IN_A_WAIT, READYZ, SMALL, ready, small};
use crate::steps::{Fault, Look, Sends, StepError, servers};
use crate::words;

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
    #[serde(default = "path")]
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

fn path() -> String {
    SMALL.into()
}

impl Condition for Health {
    fn intent(&self) -> String {
        format!("every API server is ready {} times in a row", self.times)
    }

    fn sends(&self, servers: &[&ApiServer], _: &Cluster) -> Vec<(Sends, Duration, String)> {
        let one = |server: &&ApiServer| (Sends::Get(READYZ.into()), self.every.0, format!("is {} ready", server.name));
        servers.iter().map(one).collect()
    }

    fn judges_servers(&self) -> bool {
        true
    }

    fn faults(&self) -> Vec<Fault> {
        if self.times == 0 { vec![Fault::at("times", "it must be at least 1")] } else { Vec::new() }
    }

    fn look<'a>(&'a self, look: Look<'a>, mut asked: Asked<'a>) -> BoxFuture<'a, Result<Found, StepError>> {
        async move {
            let mut slowest = Duration::ZERO;
            for round in 0..self.times {
                if round > 0 {
                    tokio::time::sleep(self.every.0).await;
                }
                let servers = asked.servers.clone();
                let targets: Vec<Target> = servers.iter().map(|server| asked.target(server)).collect();
                let answers = join_all(targets.iter().map(|server| ready(look.reads, server, IN_A_WAIT))).await;
                let heard = answers.iter().any(|answer| !matches!(answer, Err(Flaw::Silent(_))));
                for ((known, server), answer) in servers.iter().zip(&targets).zip(answers) {
                    match answer {
                        Ok(took) => slowest = slowest.max(took),
                        Err(Flaw::Code(answer) | Flaw::NoObject(answer)) => {
                            denied(server, &answer)?;
                            let what = format!("{} to be ready ({}: {})", known.name, answer.code, answer.message());
                            return Ok(Found::NotYet(what));
                        }
                        Err(Flaw::Silent(error)) if error.kind.lasts() => return Err(error.into()),
                        Err(Flaw::Silent(_)) if heard && asked.leave_out(look, known).await => {}
                        Err(Flaw::Silent(error)) => {
                            let loops = servers::crash_loop(look, asked.cluster, known).await;
                            return Ok(Found::NotYet(format!("{} to be ready ({error}{loops})", known.name)));
                        }
                    }
                }
            }
            let (servers, slowest_ms) = (asked.servers.len(), words::as_millis(slowest));
            Ok(asked.holds(Finding::Ready { servers, times: self.times, slowest_ms }))
        }
        .boxed()
    }
}

/// Why the samples of a server are no good.
struct Bad {
    why: String,
    /// It answered nothing at all.
    silent: bool,
}

impl Latency {
    /// The samples of one server, the fastest first.
    async fn sample(
        &self,
        look: Look<'_>,
        asked: &Asked<'_>,
        known: &ApiServer,
    ) -> Result<Result<Vec<Duration>, Bad>, StepError> {
        let server = &asked.target(known);
        // Waiting longer than what is wanted proves nothing more, but tells how far away it is.
        let limit = IN_A_WAIT.max(self.p99.0 * 2);
        let mut samples = Vec::new();
        for number in 0..self.samples {
            if number > 0 {
                tokio::time::sleep(self.every.0).await;
            }
            match small(look.reads, server, &self.path, limit).await {
                Ok(took) => samples.push(took),
                Err(Flaw::Code(answer)) => {
                    denied(server, &answer)?;
                    let why = format!("{}: {} {}", known.name, answer.code, answer.message());
                    return Ok(Err(Bad { why, silent: false }));
                }
                Err(Flaw::NoObject(_)) => {
                    let why = format!("{}: 200 and no Kubernetes object: something else answers", known.name);
                    return Ok(Err(Bad { why, silent: false }));
                }
                Err(Flaw::Silent(error)) => {
                    return Ok(Err(Bad { why: unanswered(known, error)?, silent: samples.is_empty() }));
                }
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

    fn sends(&self, servers: &[&ApiServer], _: &Cluster) -> Vec<(Sends, Duration, String)> {
        let one =
            |server: &&ApiServer| (Sends::Get(self.path.clone()), self.every.0, format!("how fast is {}", server.name));
        servers.iter().map(one).collect()
    }

    fn judges_servers(&self) -> bool {
        true
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.samples == 0 {
            faults.push(Fault::at("samples", "it must be at least 1"));
        }
        if self.every.0 < Duration::from_millis(100) {
            faults.push(Fault::at("every", "shorter than 100ms would add to the load"));
        }
        if !self.path.starts_with('/') {
            faults.push(Fault::at("path", format!("{:?} does not begin with a slash", self.path)));
        }
        faults
    }

    fn look<'a>(&'a self, look: Look<'a>, mut asked: Asked<'a>) -> BoxFuture<'a, Result<Found, StepError>> {
        async move {
            let servers = asked.servers.clone();
            let sampled = join_all(servers.iter().map(|server| self.sample(look, &asked, server))).await;
            let heard = sampled.iter().any(|samples| !matches!(samples, Ok(Err(Bad { silent: true, .. }))));
            let mut worst = Duration::ZERO;
            for (server, samples) in servers.iter().zip(sampled) {
                let found = match samples? {
                    Ok(samples) => p99(&samples),
                    Err(bad) if heard && bad.silent && asked.leave_out(look, server).await => continue,
                    Err(bad) => return Ok(Found::NotYet(format!("answers within {} ({})", self.p99, bad.why))),
                };
                if found > self.p99.0 {
                    let (name, wanted) = (&server.name, self.p99);
                    let what = format!("{name} to answer within {wanted} (p99 is {} ms)", found.as_millis());
                    return Ok(Found::NotYet(what));
                }
                worst = worst.max(found);
            }
            Ok(asked.holds(Finding::Latency { samples: self.samples, p99_ms: words::as_millis(worst) }))
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

//! `release`

use std::process::ExitCode;

use super::App;
use super::single::{How, ObjectArgs, Single};
use crate::duration::HumanDuration;
use crate::error::Failure;
use crate::runbook::Policy;

/// Let a parked workload come back in stages; a stage that goes badly takes all of it back by itself
///
/// Examples:
///   breakglass release ds/telemetry-agent -n monitoring                 on 1, 5, 25, 50 % of its nodes, then on all
///   breakglass release ds/telemetry-agent -n monitoring --stages 1,2,4,8 --window 5m
///   breakglass release deploy/telemetry-gateway -n monitoring --replicas 40
///   breakglass undo last                                                parked again, as it was
///
/// Each stage is judged by what the API servers answer. A new DaemonSet comes in the same way: make it with the node
/// selector breakglass.io/parked: new.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Release {
    #[command(flatten)]
    object: ObjectArgs,

    /// The stages, in percent of the nodes (of --replicas); then it comes everywhere [default: 1,5,25,50].
    #[arg(long, value_name = "PERCENT", value_delimiter = ',')]
    stages: Vec<u8>,

    /// How many replicas it had, where it has replicas.
    #[arg(long, value_name = "NUMBER")]
    replicas: Option<u32>,

    /// How long all must be well before the next stage [default: 30s].
    #[arg(long, value_name = "TIME")]
    window: Option<HumanDuration>,

    /// How long the pods of a stage may take to be ready before all of it is taken back [default: 5m].
    #[arg(long, value_name = "TIME")]
    pods_within: Option<HumanDuration>,

    /// The slowest small GET that still counts as good [default: 1s].
    #[arg(long, value_name = "TIME")]
    p99: Option<HumanDuration>,

    /// The most requests a second that priority and fairness may reject on one API server [default: not looked at].
    #[arg(long, value_name = "NUMBER")]
    rejects: Option<u32>,

    /// The most memory that an API server or its host may use, in percent; 100: not looked at [default: 90].
    #[arg(long, value_name = "PERCENT")]
    memory: Option<u8>,

    /// API servers that are neither asked nor judged, by their names in the kit.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    without: Vec<String>,

    #[command(flatten)]
    how: How,
}

/// The longest that a release may take when no time is given.
const RELEASING: std::time::Duration = std::time::Duration::from_hours(6);

impl Release {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let mut with = self.object.params(app);
        let times = [("window", self.window), ("podsWithin", self.pods_within), ("p99", self.p99)];
        with.extend(times.into_iter().filter_map(|(key, time)| Some((key.to_owned(), time?.to_string().into()))));
        let numbers = [("replicas", self.replicas), ("rejectsPerSecond", self.rejects)];
        with.extend(numbers.into_iter().filter_map(|(key, number)| Some((key.to_owned(), number?.into()))));
        with.extend(self.memory.map(|percent| ("memoryPercent".to_owned(), percent.into())));
        if !self.stages.is_empty() {
            with.insert("stages".into(), self.stages.into());
        }
        if !self.without.is_empty() {
            with.insert("without".into(), self.without.into());
        }
        let policy = Policy { timeout: RELEASING, ..Policy::default() };
        Single { kind: "release", with, targets: None, how: self.how }.run_with(app, policy)
    }
}

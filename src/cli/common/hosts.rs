//! Asking every host what stands there, all at the same time.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;

use super::clusters::{self, Chosen};
use super::inputs;
use crate::change::Target;
use crate::cli::App;
use crate::error::Failure;
use crate::host::order::{Order, Query};
use crate::kit::{Cluster, select};
use crate::steps::Scope;
use crate::world::Reads;
use crate::world::live::{Live, Options};

/// Hosts asked at the same time.
const AT_ONCE: usize = 64;
/// The longest that one host may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The hosts of a command and the way to them.
pub(in crate::cli) struct Hosts {
    /// The world that they are in.
    pub(in crate::cli) live: Live,
    targets: Vec<Target>,
}

impl Hosts {
    /// Of the clusters that the flags choose.
    pub(in crate::cli) async fn chosen(app: &App<'_>, words: Option<&str>) -> Result<Self, Failure> {
        Self::new(app, &clusters::choose(app).await?, words)
    }

    /// All hosts, or those that are named. A cluster need not have any.
    pub(in crate::cli) fn all(app: &App, chosen: &Chosen, words: Option<&str>) -> Result<Self, Failure> {
        if words.is_some() {
            return Self::new(app, chosen, words);
        }
        let hosts = |cluster: &Cluster| {
            let name = cluster.name.clone();
            cluster.hosts.iter().map(move |host| Target::host(&name, &host.name)).collect::<Vec<_>>()
        };
        Ok(Self::of(app, chosen, chosen.clusters.iter().flat_map(hosts).collect()))
    }

    /// The hosts of the API servers, or those that are named.
    pub(in crate::cli) fn new(app: &App, chosen: &Chosen, words: Option<&str>) -> Result<Self, Failure> {
        let mut targets = Vec::new();
        for cluster in &chosen.clusters {
            let found = select::targets(cluster, Scope::ApiHosts, words).map_err(|fault| {
                inputs::refuse(format!("--targets: {fault}"), "breakglass kit list names the hosts")
            })?;
            targets.extend(found);
        }
        Ok(Self::of(app, chosen, targets))
    }

    fn of(app: &App, chosen: &Chosen, targets: Vec<Target>) -> Self {
        let options = Options { run: crate::journal::new_id(app.process.clock.now()), tell: None };
        Self { live: Live::new(chosen.clusters.iter().cloned(), &options), targets }
    }

    /// Who they are.
    pub(in crate::cli) fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Asks all of them the same once; in the order of the kit.
    pub(in crate::cli) async fn ask<O: Order>(&self, query: &Query<O>) -> Vec<(Target, Result<O::Answer, String>)> {
        self.each(async |target| {
            let said = self.one(&target, query).await;
            (target, said)
        })
        .await
    }

    /// Asks one of them.
    pub(in crate::cli) async fn one<O: Order>(&self, target: &Target, query: &Query<O>) -> Result<O::Answer, String> {
        let reads: &dyn Reads = &self.live;
        reads.ask(target, query, LIMIT).await.map_err(|error| error.to_string())
    }

    /// Does something with each of them, with many at the same time; in the order of the kit.
    pub(in crate::cli) async fn each<T>(&self, does: impl AsyncFn(Target) -> T) -> Vec<T> {
        stream::iter(self.targets.iter().cloned().map(|target| does(target))).buffered(AT_ONCE).collect().await
    }
}

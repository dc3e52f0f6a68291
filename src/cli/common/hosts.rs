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
use crate::kit::select;
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

    /// The hosts of the API servers, or those that are named.
    pub(in crate::cli) fn new(app: &App, chosen: &Chosen, words: Option<&str>) -> Result<Self, Failure> {
        let mut targets = Vec::new();
        for cluster in &chosen.clusters {
            let found = select::targets(cluster, Scope::ApiHosts, words).map_err(|fault| {
                inputs::refuse(format!("--targets: {fault}"), "breakglass kit list names the hosts")
            })?;
            targets.extend(found);
        }
        let options = Options { run: crate::journal::new_id(app.process.clock.now()), tell: None };
        Ok(Self { live: Live::new(chosen.clusters.iter().cloned(), &options), targets })
    }

    /// Asks all of them the same once; in the order of the kit.
    pub(in crate::cli) async fn ask<O: Order>(&self, query: &Query<O>) -> Vec<(Target, Result<O::Answer, String>)> {
        let ask = |target: &Target| {
            let target = target.clone();
            async move {
                let reads: &dyn Reads = &self.live;
                let said = reads.ask(&target, query, LIMIT).await;
                (target, said.map_err(|error| error.to_string()))
            }
        };
        stream::iter(self.targets.iter().map(ask)).buffered(AT_ONCE).collect().await
    }
}

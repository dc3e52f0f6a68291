//! Ways in that stand on the hosts already, looked for before a run begins: `--recovery` and `--access`.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use crate::change::Target;
use crate::cli::App;
use crate::host::{credentials, recovery};
use crate::kit::{Cluster, held};
use crate::world::{Reads, Way};

/// How long the hosts may take together.
const LIMIT: Duration = Duration::from_secs(20);

/// Asks the control-plane hosts of these clusters, all at once, for what the flags want, and says what was found.
pub(in crate::cli) async fn find(app: &App<'_>, reads: &dyn Reads, clusters: &[String]) {
    let flags = &app.flags.connection;
    if !flags.recovery && !flags.access {
        return;
    }
    let known = clusters.iter().filter_map(|name| reads.cluster(name));
    let hosts = known.flat_map(|cluster| cluster.api_hosts().map(move |host| (cluster, host.name.as_str())));
    let mut asked: FuturesUnordered<_> = hosts.map(|(cluster, host)| on(app, reads, cluster, host)).collect();
    while let Some(said) = asked.next().await {
        said.iter().for_each(|line| app.screen.err(line));
    }
    for cluster in clusters {
        if flags.recovery && reads.recoveries(cluster).is_empty() {
            app.screen.err(&format!(
                "{cluster}: no recovery API server stands; breakglass recovery-apiserver start begins one"
            ));
        }
        if flags.access && reads.known_by(cluster).is_none() {
            app.screen
                .err(&format!("{cluster}: no credential that is good lies on a host; breakglass access says why"));
        }
    }
}

/// What one host has.
async fn on(app: &App<'_>, reads: &dyn Reads, cluster: &Cluster, host: &str) -> Vec<String> {
    let (target, flags) = (Target::host(&cluster.name, host), &app.flags.connection);
    let mut said = Vec::new();
    if flags.recovery
        && let Ok(Some(one)) = reads.ask(&target, &recovery::status(), LIMIT).await
        && let Some(trust) = one.trust.filter(|_| one.died.is_none())
    {
        reads.learn(&cluster.name, Way::Recovery { host: host.to_owned(), port: one.port, trust, own: None });
        said.push(format!(
            "{target}: requests go first to the recovery API server of {} there (run {})",
            one.operator, one.run
        ));
    }
    if flags.access
        && let Ok(Ok(keeps)) = reads.ask(&target, &credentials::read(), LIMIT).await
        && let Ok(good) = held::best(&keeps, cluster, host, app.process.clock.now())
        // Of several hosts the first that answers is taken.
        && reads.known_by(&cluster.name).is_none()
    {
        said.push(format!("{target}: known to the API by {}", good.of));
        reads.learn(&cluster.name, Way::Credential(good));
    }
    said
}

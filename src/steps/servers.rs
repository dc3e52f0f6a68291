//! Which API servers a judgement is about: all that the kit names, but for those that the runbook leaves out and those
//! that were dead all along (docs/design/003-dead-servers.md). Each that is left out is named in every judgement.

use std::time::Duration;

use super::{Look, Sends};
use crate::change::Target;
use crate::host::Script;
use crate::kit::{ApiServer, Cluster};
use crate::world::ReadErrorKind;

/// For how long a step has asked a server in vain before it may count as dead.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest that the look whether its host is there may take.
const HOST_LIMIT: Duration = Duration::from_secs(10);

/// Does nothing: that it was run says that the host is there.
fn hello() -> Script {
    Script::new("host.there", ":\n")
}

/// The API servers of a cluster that are asked, and a sentence for each that `without` leaves out.
pub(super) fn asked<'a>(cluster: &'a Cluster, without: &[String]) -> (Vec<&'a ApiServer>, Vec<String>) {
    let left_out = |server: &&ApiServer| without.iter().any(|word| names(word, cluster, server));
    let (out, asked): (Vec<_>, Vec<_>) = cluster.api_servers.iter().partition(left_out);
    let said = |server: &ApiServer| format!("judged without {}: the runbook leaves it out", server.name);
    (asked, out.into_iter().map(said).collect())
}

/// What is wrong with the names in `without`.
pub(super) fn refuse(cluster: &Cluster, without: &[String]) -> Vec<String> {
    let here = |word: &&String| word.split_once('/').is_none_or(|(name, _)| name == cluster.name);
    let unknown = |word: &&String| !cluster.api_servers.iter().any(|server| names(word, cluster, server));
    let all: Vec<&str> = cluster.api_servers.iter().map(|server| server.name.as_str()).collect();
    let fault = |word| format!("without: {} has no API server {word:?}; it has {}", cluster.name, all.join(", "));
    let mut faults: Vec<String> = without.iter().filter(here).filter(unknown).map(fault).collect();
    if !all.is_empty() && asked(cluster, without).0.is_empty() {
        faults.push(format!("without: no API server of {} is left to be judged", cluster.name));
    }
    faults
}

/// `SERVER` on every cluster, `CLUSTER/SERVER` on one.
fn names(word: &str, cluster: &Cluster, server: &ApiServer) -> bool {
    word == server.name || word.split_once('/') == Some((&cluster.name, &server.name))
}

/// The look at a silent server's host, as it is announced.
pub(super) fn announced(cluster: &Cluster, without: &[String]) -> Vec<(Sends, String)> {
    let one = |server: &ApiServer| {
        let host = host(server)?;
        Some((Sends::Look(hello()), format!("when {} gives no answer for {PATIENCE:?}: is {host} there", server.name)))
    };
    asked(cluster, without).0.into_iter().filter_map(one).collect()
}

fn host(server: &ApiServer) -> Option<&str> {
    server.host.as_deref().or(server.via.as_deref())
}

/// Why a server that gives no answer counts as dead, as a sentence; `None`: it may live, and is waited for.
///
/// It has not answered once in this run, it was asked for a while, and its host cannot be reached either. One that has
/// answered and went silent may have been drowned by what the run did: it always counts.
pub(super) async fn dead(look: Look<'_>, cluster: &Cluster, server: &ApiServer) -> Option<String> {
    let target = Target::api_server(&cluster.name, &server.name);
    let asked_for = look.history.since.map(|since| look.history.ago(since)).unwrap_or_default();
    if !look.history.silent(&target) || asked_for < PATIENCE {
        return None;
    }
    let host = host(server)?;
    let error = look.reads.script(&Target::host(&cluster.name, host), &hello(), HOST_LIMIT).await.err()?;
    // A login that is refused says that somebody is there.
    matches!(error.kind, ReadErrorKind::NoRoute | ReadErrorKind::TimedOut).then(|| {
        format!(
            "judged without {}: it has not answered once in this run, and its host {host} cannot be reached ({error})",
            server.name
        )
    })
}

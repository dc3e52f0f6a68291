//! Which API servers a judgement is about: all that the kit names, but for those that the runbook leaves out and those
//! that were dead all along (docs/design/003-dead-servers.md). Each that is left out is named in every judgement.

use std::time::Duration;

use futures::join;

use super::{Look, Sends};
use crate::change::Target;
use crate::finding::Finding;
use crate::host::apiserver::{Presence, presence};
use crate::host::gate::{self, GateState};
use crate::kit::{ApiServer, Cluster};
use crate::world::{ReadError, ReadErrorKind};

/// For how long a step has asked a server in vain before it may count as dead.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest that the look whether its host is there may take.
const HOST_LIMIT: Duration = Duration::from_secs(10);

/// The API servers of a cluster that are asked, and those that `without` leaves out.
pub(super) fn asked<'a>(cluster: &'a Cluster, without: &[String]) -> (Vec<&'a ApiServer>, Vec<Finding>) {
    let left_out = |server: &&ApiServer| without.iter().any(|word| names(word, cluster, server));
    let (out, asked): (Vec<_>, Vec<_>) = cluster.api_servers.iter().partition(left_out);
    let said = |server: &ApiServer| not_judged(server, "the runbook leaves it out".into());
    (asked, out.into_iter().map(said).collect())
}

/// That a server is not judged, and why.
pub(super) fn not_judged(server: &ApiServer, why: String) -> Finding {
    Finding::LeftOut { server: server.name.clone(), why }
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

/// The looks at a silent server's host, as they are announced.
pub(super) fn announced(cluster: &Cluster, without: &[String]) -> Vec<(Sends, String)> {
    let one = |server: &ApiServer| {
        let host = host(server)?;
        let why =
            format!("when {} gives no answer for {PATIENCE:?}: is {host} there, and what runs on it", server.name);
        let gate = format!("likewise: does a gate keep everybody from {} until it is back", server.name);
        Some([(Sends::Look(presence().into()), why), (Sends::Look(gate::status().into()), gate)])
    };
    asked(cluster, without).0.into_iter().filter_map(one).flatten().collect()
}

fn host(server: &ApiServer) -> Option<&str> {
    server.host.as_deref().or(server.via.as_deref())
}

/// Why a server that gives no answer is left out; `None`: it may live, and is waited for.
///
/// Either its host is gone with it: it has not answered once in this run, it was asked for a while, and its host cannot be
/// reached. One that has answered and went silent may have been drowned by what the run did: there it counts.
///
/// Or its process is away on a living host behind a closed gate: see [`away`]. `at_once`: that is asked at the first look;
/// without it only after the same while, and one that crash-loops is away, too.
pub(super) async fn left_out(look: Look<'_>, cluster: &Cluster, server: &ApiServer, at_once: bool) -> Option<Finding> {
    let asked_for = look.history.since.map(|since| look.history.ago(since)).unwrap_or_default();
    let waited = asked_for >= PATIENCE;
    if !waited && !at_once {
        return None;
    }
    let host = host(server)?;
    let error = match away(look, cluster, server, !at_once).await {
        Ok(why) => return why,
        Err(error) => error,
    };
    let silent = look.history.silent(&Target::api_server(&cluster.name, &server.name));
    // A login that is refused says that somebody is there.
    let gone = matches!(error.kind, ReadErrorKind::NoRoute | ReadErrorKind::TimedOut);
    (waited && silent && gone).then(|| {
        let why = format!("it has not answered once in this run, and its host {host} cannot be reached ({error})");
        not_judged(server, why)
    })
}

/// Why a server whose process is away on a living host is left out: a gate stands closed before it, so that
/// whenever it is back, nobody gets to it before that gate opens, which is the last of all. `None`: it may live. `loops`: one
/// that is started again and again is away even while it listens; whoever asks has waited for it long enough to know.
///
/// # Errors
/// When its host cannot be asked.
pub(super) async fn away(
    look: Look<'_>,
    cluster: &Cluster,
    server: &ApiServer,
    loops: bool,
) -> Result<Option<Finding>, ReadError> {
    let Some(host) = host(server) else { return Ok(None) };
    let target = Target::host(&cluster.name, host);
    let (presence, gate) = (presence(), gate::status());
    let (there, gate) =
        join!(look.reads.ask(&target, &presence, HOST_LIMIT), look.reads.ask(&target, &gate, HOST_LIMIT));
    // One that says something else may live.
    let Some(there) = known(there)? else { return Ok(None) };
    let gate = known(gate)?.flatten().filter(GateState::stands);
    let closed = gate.filter(|gate| gate.level() == 0 && (gate.nobody_listens() || loops && there.crash_loops()));
    let why = || format!("it {there}; its gate stays closed until it answers, and opens last");
    Ok(closed.map(|_| not_judged(server, why())))
}

/// What a host says of its API server's process, as the end of a sentence.
pub(super) async fn presence_on(look: Look<'_>, host: &Target) -> Option<String> {
    let there = look.reads.ask(host, &presence(), HOST_LIMIT).await.ok()?;
    Some(there.to_string())
}

/// What was answered, where that is understood.
fn known<A>(answer: Result<A, ReadError>) -> Result<Option<A>, ReadError> {
    match answer {
        Err(error) if error.kind == ReadErrorKind::Malformed => Ok(None),
        answer => answer.map(Some),
    }
}

/// That a server crash-loops, where its host says so, as a fragment for a sentence; else nothing.
pub(super) async fn crash_loop(look: Look<'_>, cluster: &Cluster, server: &ApiServer) -> String {
    let Some(host) = host(server) else { return String::new() };
    let there = look.reads.ask(&Target::host(&cluster.name, host), &presence(), HOST_LIMIT).await;
    let there = there.ok().filter(Presence::crash_loops);
    there.map_or_else(String::new, |there| format!("; it {there}"))
}

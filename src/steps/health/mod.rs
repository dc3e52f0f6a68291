//! How the API servers are: ready, quick, not turning requests away, and not about to die of their memory.
//!
//! Whoever judges them asks the same questions, reads the answers the same way, and leaves the same servers out. The gate judges
//! all of it at each look; `wait-for` asks over a window for what its runbook names.

mod answer;
mod wish;

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;

pub(super) use answer::{Flaw, READYZ, SMALL, ready, small};
pub(super) use wish::{memory_percent, p99, samples};

use crate::change::Target;
use crate::finding::{Finding, Unwell};
use crate::host::gate;
use crate::kit::{ApiServer, Cluster, Host};
use crate::steps::{Look, levels, servers};
use crate::words;
use crate::world::{Accept, KubeRead, ReadErrorKind, Reads};

/// A bad answer is given this long before it is asked for once more.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A server that has not answered by then has its host asked what became of it.
const KEPT_WAITING: Duration = Duration::from_millis(700);
/// The longest that a host may take to say how much memory is in use.
const HOST_LIMIT: Duration = Duration::from_secs(5);
/// The longest that an answer is waited for at a look that decides at once whether a gate's stage is closed again.
const AT_ONCE: Duration = Duration::from_secs(5);
/// The same where nothing but a wait hangs on it: a late answer tells how far away good order is.
pub(super) const IN_A_WAIT: Duration = Duration::from_secs(10);

/// What counts as good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// The slowest small GET.
    pub(super) slowest: Duration,
    /// How many of them at each look.
    pub(super) samples: u8,
    /// Rejected requests a second.
    pub(super) rejects: Option<u32>,
    /// The most memory that an API server may hold of its control group's limit or of its host's, and all processes
    /// together of the latter, in percent; 100: not looked at.
    pub(super) memory: u8,
}

impl Limits {
    /// Whether hosts are asked for their memory.
    pub(super) fn memory_counts(&self) -> bool {
        self.memory < 100
    }
}

/// A judgement over the API servers of a cluster.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Health {
    /// What is bad. Empty: all is well.
    pub(super) bad: Vec<Finding>,
    /// Who or what is left out, and why.
    pub(super) without: Vec<Finding>,
    /// Something was not answered at all.
    pub(super) lost: bool,
    /// The credential may not read what the judgement needs, and no waiting changes that.
    pub(super) denied: bool,
    /// The slowest small GET that was answered.
    pub(super) slowest: Option<Duration>,
}

/// What is wrong with the memory of a host, or why that is not known: a host that cannot be reached says nothing about it.
async fn room(reads: &dyn Reads, cluster: &Cluster, host: &str, most: u8) -> Result<Option<Finding>, Finding> {
    let target = Target::host(&cluster.name, host);
    let unseen = |why: String| Finding::Note(format!("the memory of {host} is not judged: {why}"));
    let memory = reads.ask(&target, &gate::memory(), HOST_LIMIT).await.map_err(|error| unseen(error.to_string()))?;
    Ok(memory.heavy(most).map(|heavy| heavy.on(host)))
}

/// Looks at every API server of a cluster but those in `without`, and for their memory at the hosts. One that was dead all
/// along counts only as long as none of the others is well without it.
/// The servers of the hosts in `late` are left out, too: their gates open last.
pub(super) async fn judge(
    look: Look<'_>,
    cluster: &Cluster,
    (without, late): (&[String], &BTreeSet<String>),
    limits: &Limits,
) -> Health {
    let (mut asked, mut without) = servers::asked(cluster, without);
    asked.retain(|server| {
        let waits = server.host.as_ref().is_some_and(|host| late.contains(host));
        if waits {
            without.push(servers::not_judged(server, "it was away, and its gate opens last".to_owned()));
        }
        !waits
    });
    let seen = join_all(asked.iter().map(|server| judged(look, cluster, server, limits)));
    let left_out = |host: &&Host| {
        let here = |server: &&ApiServer| server.host.as_deref() == Some(host.name.as_str());
        cluster.api_servers.iter().any(|server| here(&server)) && !asked.iter().any(here)
    };
    let hosts = cluster.api_hosts().filter(|host| limits.memory_counts() && !left_out(host));
    let rooms = join_all(hosts.map(|host| room(look.reads, cluster, &host.name, limits.memory)));
    let (seen, rooms) = futures::join!(seen, rooms);
    let mut health = Health { without, ..Health::default() };
    let mut silent = Vec::new();
    let mut away = 0;
    for (server, judged) in asked.iter().zip(seen) {
        let Seen { bad, heard, whole, denied, slowest } = match judged {
            Judged::Seen(seen) => seen,
            Judged::Away(why) => {
                away += 1;
                health.without.push(why);
                continue;
            }
        };
        health.slowest = health.slowest.max(slowest);
        health.denied |= denied;
        if heard {
            health.lost |= !whole;
            health.bad.extend(bad);
        } else {
            silent.push((*server, bad));
        }
    }
    if away == asked.len() {
        health.lost = true;
        health.bad.push("no API server is left to be judged".into());
    }
    // With the others bad it goes badly anyway, and the look would only hold up what follows from that.
    let others = health.bad.is_empty() && silent.len() + away < asked.len();
    for (server, bad) in silent {
        match if others { servers::left_out(look, cluster, server, true).await } else { None } {
            Some(why) => health.without.push(why),
            None => {
                health.lost = true;
                health.bad.extend(bad);
            }
        }
    }
    for room in rooms {
        match room {
            Ok(heavy) => health.bad.extend(heavy),
            Err(why) => health.without.push(why),
        }
    }
    health
}

/// What was seen of one API server.
struct Seen {
    /// What is bad.
    bad: Vec<Finding>,
    /// It answered anything at all.
    heard: bool,
    /// It answered everything.
    whole: bool,
    /// The credential may not read what is asked for.
    denied: bool,
    /// The slowest small GET that it answered.
    slowest: Option<Duration>,
}

/// What a look at one API server came to.
enum Judged {
    Seen(Seen),
    /// It is left out, for this reason.
    Away(Finding),
}

/// Asks one server; its host is asked as soon as the server keeps one waiting, so that a dead process does not hold up each
/// look for as long as a drowning one may take to answer.
async fn judged(look: Look<'_>, cluster: &Cluster, server: &ApiServer, limits: &Limits) -> Judged {
    let away = async {
        tokio::time::sleep(KEPT_WAITING).await;
        match servers::away(look, cluster, server, false).await {
            Ok(Some(why)) => why,
            Ok(None) | Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        seen = settled(look.reads, cluster, server, limits) => Judged::Seen(seen),
        why = away => Judged::Away(why),
    }
}

/// Whoever was just let in comes with all of its connections in one second. So what was answered badly is asked once more
/// after a second; what is not answered is bad at once.
async fn settled(reads: &dyn Reads, cluster: &Cluster, server: &ApiServer, limits: &Limits) -> Seen {
    let seen = one(reads, cluster, server, limits).await;
    if seen.bad.is_empty() || !seen.whole {
        return seen;
    }
    tokio::time::sleep(AGAIN_AFTER).await;
    one(reads, cluster, server, limits).await
}

async fn one(reads: &dyn Reads, cluster: &Cluster, server: &ApiServer, limits: &Limits) -> Seen {
    let target = Target::api_server(&cluster.name, &server.name);
    // An answer later than that is bad whatever it says.
    let limit = AT_ONCE.max(limits.slowest * 2);
    let dump = KubeRead { path: levels::LEVELS.into(), accept: Accept::Text, limit };
    let rejected = async || match limits.rejects {
        Some(_) => reads.kube(&target, &dump).await.ok().and_then(|answer| levels::rejected(&answer.text)),
        None => None,
    };
    let began = Instant::now();
    let before = rejected().await;
    let samples = join_all((0..limits.samples).map(|_| small(reads, &target, SMALL, limit)));
    let (readyz, samples) = futures::join!(ready(reads, &target, limit), samples);
    // Long enough for a count to tell.
    if before.is_some() {
        tokio::time::sleep_until(began + Duration::from_secs(1)).await;
    }
    let after = rejected().await;
    let (mut bad, within_secs) = (Vec::new(), limit.as_secs());
    let silent = |asked: &Result<Duration, Flaw>| matches!(asked, Err(Flaw::Silent(_)));
    let heard = before.is_some() || after.is_some() || !silent(&readyz) || !samples.iter().all(silent);
    let whole = !silent(&readyz) && !samples.iter().any(silent);
    match readyz {
        Ok(_) => {}
        Err(Flaw::Code(answer) | Flaw::NoObject(answer)) => bad.push(Unwell::NotReady { code: answer.code }),
        Err(Flaw::Silent(error)) if error.kind == ReadErrorKind::Malformed => {
            bad.push(Unwell::NoServer { why: error.tried.join("; ") });
        }
        Err(Flaw::Silent(_)) => bad.push(Unwell::NotHeard { within_secs }),
    }
    if samples.iter().any(silent) {
        bad.push(Unwell::Silent { within_secs });
    }
    let flaws = || samples.iter().filter_map(|sample| sample.as_ref().err());
    let denied = flaws().any(Flaw::is_denied);
    let flawed = flaws().find_map(|flaw| Some((flaw, flaw.answer()?)));
    bad.extend(flawed.map(|(flaw, answer)| match flaw {
        Flaw::NoObject(_) => Unwell::NoObject,
        _ if flaw.is_denied() => Unwell::Denied { code: answer.code, message: answer.message() },
        Flaw::Code(_) | Flaw::Silent(_) => Unwell::Refuses { code: answer.code },
    }));
    let took = |sample: &Result<Duration, Flaw>| match sample {
        Ok(took) => Some(*took),
        Err(flaw) => flaw.answer().map(|answer| answer.took),
    };
    let slowest = samples.iter().filter_map(took).max();
    if let Some(slowest) = slowest.filter(|took| *took > limits.slowest) {
        bad.push(Unwell::Slow { took_ms: words::as_millis(slowest) });
    }
    if let (Some(before), Some(after), Some(most)) = (before, after, limits.rejects) {
        let rate =
            (after.saturating_sub(before) * 1000) / u64::try_from(began.elapsed().as_millis()).unwrap_or(1000).max(1);
        if rate > u64::from(most) {
            bad.push(Unwell::Rejects { per_second: rate });
        }
    }
    let of_server = |how| Finding::Unwell { server: server.name.clone(), how };
    Seen { bad: bad.into_iter().map(of_server).collect(), heard, whole, denied, slowest }
}

#[cfg(test)]
mod tests;

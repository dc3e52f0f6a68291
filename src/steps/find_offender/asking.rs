//! What is read: on all hosts and from all API servers at the same time, each source for itself.

use std::time::Duration;

use futures::future::{join, join_all};

use super::Params;
use super::dump::{self, DUMP, Held};
use crate::change::Target;
use crate::finding::ranking::Source;
use crate::host::gate::{self, GateState};
use crate::host::order::{Order, Query};
use crate::host::ranking::{self, Audited, Ranked, Row};
use crate::kit::Cluster;
use crate::steps::gate::wish::usual_ports;
use crate::world::{Accept, KubeRead, Reads};

/// The longest that a host may take with its logs: the scripts end themselves before.
const LOG_LIMIT: Duration = Duration::from_secs(40);
/// The same of what is told at once.
const LIMIT: Duration = Duration::from_secs(10);
/// The longest that an API server may take for its dump: up to 5.5 s were measured where it drowned and answered at all.
const DUMP_LIMIT: Duration = Duration::from_secs(10);

/// What one host or API server told, or why not.
pub(super) struct Heard<T> {
    /// Its name.
    pub(super) by: String,
    pub(super) told: Result<T, String>,
}

/// All that was read of a cluster.
#[derive(Default)]
pub(super) struct Read {
    pub(super) audit: Vec<Heard<Ranked>>,
    pub(super) requests: Vec<Heard<(Vec<Held>, usize)>>,
    pub(super) log: Vec<Heard<Ranked>>,
    pub(super) sockets: Vec<Heard<Vec<Row>>>,
    /// Of hosts that have a gate, and of those that did not say.
    pub(super) gates: Vec<Heard<GateState>>,
}

/// The hosts that run an API server.
pub(super) fn hosts(cluster: &Cluster) -> Vec<Target> {
    cluster.api_hosts().map(|host| Target::host(&cluster.name, &host.name)).collect()
}

impl Params {
    pub(super) fn audit(&self) -> Query<ranking::AuditRank> {
        ranking::audit(self.audit_log.as_deref().unwrap_or_default(), self.last.0.as_secs(), self.most_mb << 20)
    }

    pub(super) fn server_log(&self) -> Query<ranking::LogRank> {
        ranking::server_log(self.server_log.as_deref().unwrap_or_default(), self.last.0.as_secs(), self.most_mb << 20)
    }

    pub(super) fn sockets(cluster: &Cluster, host: &Target) -> Query<ranking::SocketRank> {
        let ports = cluster.host(host.short()).map(|host| usual_ports(cluster, host)).unwrap_or_default();
        ranking::sockets(&ports)
    }

    /// Reads all that is wanted.
    pub(super) async fn read(&self, reads: &dyn Reads, cluster: &Cluster) -> Read {
        let hosts = hosts(cluster);
        let of = |source| if self.wants(source) { hosts.as_slice() } else { &[] };
        let on_hosts = async {
            let audits = each(reads, of(Source::Audit), |_| self.audit(), LOG_LIMIT);
            let logs = each(reads, of(Source::Log), |_| self.server_log(), LOG_LIMIT);
            let open = each(reads, of(Source::Sockets), |host| Self::sockets(cluster, host), LIMIT);
            let gates = each(reads, of(Source::Gate), |_| gate::status(), LIMIT);
            // One after another on a host: it is short of processor time.
            (audits.await, logs.await, open.await, gates.await)
        };
        let ((audit, log, sockets, gates), requests) = join(on_hosts, self.dumps(reads, cluster)).await;
        Read {
            audit: audit.into_iter().map(|heard| heard.and_then(audited)).collect(),
            requests,
            log: log.into_iter().map(|heard| heard.and_then(logged)).collect(),
            sockets,
            gates: gates.into_iter().filter_map(Heard::flatten).collect(),
        }
    }

    async fn dumps(&self, reads: &dyn Reads, cluster: &Cluster) -> Vec<Heard<(Vec<Held>, usize)>> {
        if !self.wants(Source::Requests) {
            return Vec::new();
        }
        let read = KubeRead { path: DUMP.into(), accept: Accept::Text, limit: DUMP_LIMIT };
        let one = async |name: &String| {
            let target = Target::api_server(&cluster.name, name);
            let told = match reads.kube(&target, &read).await {
                Err(error) => Err(error.to_string()),
                Ok(answer) if answer.code == 404 => Err("priority and fairness is switched off there".to_owned()),
                Ok(answer) if answer.code != 200 => Err(format!("{} {}", answer.code, answer.message())),
                Ok(answer) => dump::read(&answer.text).ok_or_else(|| "its dump names no users".to_owned()),
            };
            Heard { by: name.clone(), told }
        };
        let names: Vec<String> = cluster.api_servers.iter().map(|server| server.name.clone()).collect();
        join_all(names.iter().map(one)).await
    }
}

impl<T> Heard<T> {
    fn and_then<U>(self, then: impl Fn(T) -> Result<U, String>) -> Heard<U> {
        Heard { by: self.by, told: self.told.and_then(then) }
    }
}

impl<T> Heard<Option<T>> {
    /// What it told; `None` where it told that there is nothing.
    fn flatten(self) -> Option<Heard<T>> {
        self.told.transpose().map(|told| Heard { by: self.by, told })
    }
}

/// Asks each of the hosts.
async fn each<O: Order>(
    reads: &dyn Reads,
    hosts: &[Target],
    query: impl Fn(&Target) -> Query<O>,
    limit: Duration,
) -> Vec<Heard<O::Answer>> {
    join_all(hosts.iter().map(async |host| {
        let told = reads.ask(host, &query(host), limit).await.map_err(|error| error.to_string());
        Heard { by: host.short().to_owned(), told }
    }))
    .await
}

fn audited(said: Audited) -> Result<Ranked, String> {
    match said {
        Audited::NoLog => Err("it has no audit log that can be read".to_owned()),
        Audited::NotJson => Err("its audit log is not in the JSON form".to_owned()),
        Audited::Ranked(ranked) => Ok(ranked),
    }
}

fn logged(said: Option<Ranked>) -> Result<Ranked, String> {
    said.ok_or_else(|| "no log of kube-apiserver was found; --server-log names it".to_owned())
}

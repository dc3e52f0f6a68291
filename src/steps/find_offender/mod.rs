//! `find-offender`: who loads the API servers, with or without the API.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::results::{CLIENT, Gives};
use super::{Announced, Fault, Kind, Look, Scope, Sends, Step, StepError, Survey, Times, params, schema_of};
use crate::change::Target;
use crate::duration::HumanDuration;
use crate::finding::Finding;
use crate::finding::ranking::{Ranking, Source};
use crate::found::Type;
use crate::host::gate;
use crate::kit::Cluster;
use crate::world::Reads;

mod asking;
mod dump;
mod merge;
#[cfg(test)]
mod tests;

const OFFENDER: Gives = Gives {
    name: "offender",
    of: Type::Workload,
    what: "the workload that the client's pods are of, where their names tell it",
};

/// The kind.
pub(super) struct FindOffender;

/// Looks for who loads the API servers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Params {
    /// What is read.
    #[schemars(length(min = 1))]
    sources: Vec<Reading>,
    /// How far back logs are read, by the hosts' own clocks.
    last: HumanDuration,
    /// The most of its newest logs that a host reads, in megabytes.
    most_mb: u64,
    /// The audit log on the hosts; without it, the one that the running kube-apiserver was told to write.
    audit_log: Option<String>,
    /// The API server's own log on the hosts; without it, where the kubelet or journald keeps it.
    server_log: Option<String>,
    /// What must be found; otherwise the step fails.
    require: Require,
}

/// Where it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Reading {
    /// The audit logs on the hosts: users, what they call themselves, what they ask for, from where, watches too.
    Audit,
    /// The requests that each API server holds, one GET of its dump of priority and fairness: users, and the seats they have.
    Requests,
    /// The API servers' own logs on the hosts: what clients call themselves and their addresses, of slow requests.
    Log,
    /// The open connections on the hosts: addresses, and how much was sent to them.
    Sockets,
    /// The gates that stand on the hosts: addresses, and how often each tried.
    Gate,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Require {
    /// Nothing: tell what is seen and go on.
    #[default]
    Nothing,
    /// A user that stands out.
    Client,
    /// And the workload that its pods are of.
    Workload,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            sources: vec![Reading::Audit, Reading::Requests, Reading::Log, Reading::Sockets, Reading::Gate],
            last: HumanDuration::secs(300),
            most_mb: 256,
            audit_log: None,
            server_log: None,
            require: Require::Nothing,
        }
    }
}

impl Reading {
    fn source(self) -> Source {
        match self {
            Self::Audit => Source::Audit,
            Self::Requests => Source::Requests,
            Self::Log => Source::Log,
            Self::Sockets => Source::Sockets,
            Self::Gate => Source::Gate,
        }
    }
}

impl Kind for FindOffender {
    fn name(&self) -> &'static str {
        "find-offender"
    }

    fn doc(&self) -> &'static str {
        "Looks for who loads the API servers, also where they do not answer, and tells later steps.\n\n\
         The clients of a cluster are ranked by their share of the time that requests spent in its API servers: user, user agent, what \
         they ask for, requests and open watches, addresses, nodes. Read are the audit logs on the hosts, streamed and counted there; \
         the requests that each API server holds (one GET of its dump of priority and fairness, 12 to 50 KB; nothing else asks the API); \
         the API servers' own logs; open connections; and, where a gate stands, who tries there. Each is optional, and what it cannot know is said. The source that knows \
         most says who the clients are. Gives `client`, the user that stands out: a quarter of all at least, and twice as much as the \
         next; what is part of the cluster itself never does. Gives `offender`, its workload, where the names of its pods tell it. \
         They may mislead: whoever acts by that name is asked to type it. Changes nothing. Fails only with `require`."
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn gives(&self) -> &'static [Gives] {
        &[CLIENT, OFFENDER]
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let with: Params = params(with)?;
        let faults = with.faults();
        if faults.is_empty() { Ok(Box::new(with)) } else { Err(faults) }
    }
}

impl Params {
    /// From what was typed for the verb: as a runbook says it.
    ///
    /// # Errors
    /// Every fault.
    pub(crate) fn typed(with: Value) -> Result<Self, Vec<Fault>> {
        let with: Self = params(with)?;
        let faults = with.faults();
        if faults.is_empty() { Ok(with) } else { Err(faults) }
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.sources.is_empty() {
            faults.push(Fault::at("sources", "it is empty"));
        }
        if self.last.0 < Duration::from_secs(1) || self.last.0 > Duration::from_hours(24) {
            faults.push(Fault::at("last", format!("{}: take between 1s and 24h", self.last)));
        }
        if !(1..=65_536).contains(&self.most_mb) {
            faults.push(Fault::at("mostMb", "it must be between 1 and 65536"));
        }
        for (at, path) in [("auditLog", &self.audit_log), ("serverLog", &self.server_log)] {
            if path.as_ref().is_some_and(|path| !path.starts_with('/')) {
                faults.push(Fault::at(at, "it must be an absolute path"));
            }
        }
        faults
    }

    fn wants(&self, source: Source) -> bool {
        self.sources.iter().any(|reading| reading.source() == source)
    }

    /// Looks once.
    pub(crate) async fn rank(&self, reads: &dyn Reads, cluster: &Cluster) -> Ranking {
        merge::merge(&self.read(reads, cluster).await)
    }

    /// Why what was found is not what is required, and what helps further.
    fn lacks(&self, ranking: &Ranking) -> Option<StepError> {
        let refused = |why: String, hint: &str| Some(StepError::Refused { why, hint: Some(hint.to_owned()) });
        if self.require == Require::Nothing {
            return None;
        }
        let said = Finding::Ranking(Box::new(ranking.clone()));
        let Some(first) = ranking.offender() else {
            return refused(format!("no client stands out: {said}"), "breakglass top shows all of them");
        };
        if client(ranking).is_none() {
            let hint = "breakglass top -o json; who comes from these addresses: breakglass gate watch, ss on the hosts";
            return refused(format!("{} stands out, and which user that is was told by no source", first.name), hint);
        }
        if self.require == Require::Workload && first.workloads.is_empty() {
            let why = format!("{} stands out, and no name of a pod tells which workload that is", first.name);
            return refused(
                why,
                "breakglass revoke user/NAME takes its rights away; kubectl get pods -A with its service account names the workload, for \
                 -p offender=KIND/NAMESPACE/NAME",
            );
        }
        None
    }
}

/// The user that stands out.
fn client(ranking: &Ranking) -> Option<String> {
    let first = ranking.offender()?;
    (first.known == crate::finding::ranking::Known::User).then(|| first.name.clone())
}

impl Step for Params {
    fn intent(&self) -> String {
        "look for who loads the API servers".into()
    }

    fn announce(&self, _: &Target, cluster: &Cluster) -> Vec<Announced> {
        let mut all = Vec::new();
        for host in asking::hosts(cluster) {
            let looks = [
                (Source::Audit, self.audit().into(), "ranks clients in the audit log"),
                (Source::Log, self.server_log().into(), "ranks clients in the API server's log"),
                (Source::Sockets, Self::sockets(cluster, &host).into(), "counts open connections"),
                (Source::Gate, gate::status().into(), "who tries at a gate that stands"),
            ];
            let wanted = looks.into_iter().filter(|(source, ..)| self.wants(*source));
            all.extend(wanted.map(|(_, script, what)| {
                let why = format!("{what} of {}; no API request", host.short());
                Announced::new(Sends::Look(script), Times::AtMost(1), why)
            }));
        }
        if self.wants(Source::Requests) {
            all.extend(cluster.api_servers.iter().map(|server| {
                let why = format!("whose requests does {} hold (12 to 50 KB)", server.name);
                Announced::new(Sends::Get(dump::DUMP.into()), Times::AtMost(1), why)
            }));
        }
        all
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        async move {
            let cluster = look.reads.cluster(&look.target.cluster);
            let cluster = cluster.ok_or_else(|| StepError::refused(format!("the kit has no {}", look.target)))?;
            let ranking = self.rank(look.reads, cluster).await;
            let workload = ranking.offender().and_then(|first| first.workloads.first().cloned());
            let found = [client(&ranking).map(|user| CLIENT.found(user)), workload.map(|name| OFFENDER.found(name))];
            let fails = self.lacks(&ranking);
            let mut survey = Survey { fails, ..Survey::done() }.saw(Finding::Ranking(Box::new(ranking)));
            for found in found {
                survey = survey.gives(found);
            }
            Ok(survey)
        }
        .boxed()
    }
}

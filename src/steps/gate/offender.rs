//! What an offender still does: its pods in the API, its connections and its requests on the API hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use super::wish::usual_ports;
use crate::change::Target;
use crate::finding;
use crate::host::offender::{self, Read};
use crate::kit::{Cluster, Host};
use crate::steps::kube_object::{self, Seen};
use crate::steps::pods::{self, Left, PAGE};
use crate::steps::workload::Workload;
use crate::steps::{Fault, Look, ObjectRef, Sends};
use crate::world::Accept;

/// The longest that the list of its pods may take: a look that hangs says that it drowns, and others say that sooner.
const PODS_WITHIN: Duration = Duration::from_secs(5);
/// The longest that a host may take to say what it sees.
const HOST_LIMIT: Duration = Duration::from_secs(5);
/// Placeholders of the plan.
const SELECTOR: &str = "<selector of the workload>";

/// Whoever drowned the API.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(inline)]
pub(in crate::steps) struct Params {
    /// Its workload, as `park` takes it: its pods are counted, and its service account is whose requests are.
    #[serde(default)]
    workload: Option<String>,
    /// The workload's namespace, when the name does not say it.
    #[serde(default)]
    namespace: Option<String>,
    /// The user whose requests are counted: `system:serviceaccount:NAMESPACE:NAME`. Without it, the workload's own.
    #[serde(default)]
    user: Option<String>,
}

/// The same, read, with what was learned about it.
#[derive(Debug)]
pub(in crate::steps) struct Offender {
    workload: Option<ObjectRef>,
    user: Option<String>,
    learned: Mutex<BTreeMap<Target, Learned>>,
}

/// What one looking host knows of it.
#[derive(Debug, Clone, Default)]
struct Learned {
    /// It was looked at.
    looked: bool,
    /// Its pods' labels.
    selector: Option<String>,
    user: Option<String>,
    /// For each API host, how far its audit log was read, and when.
    read: BTreeMap<String, (Read, Instant)>,
    /// The most requests a second with a token that is void.
    most_unknown: f64,
}

/// One look at it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::steps) struct Sample {
    /// Its pods in the API; `None` where they could not be counted.
    pub(in crate::steps) pods: Option<u64>,
    /// There are more of them than were counted.
    pub(in crate::steps) more: bool,
    /// Of them, so many are marked to be deleted.
    pub(in crate::steps) ending: u64,
    /// Open connections of all clients but the hosts' own.
    pub(in crate::steps) connections: Option<u64>,
    /// The sources with the most connections.
    pub(in crate::steps) loudest: Vec<(IpAddr, u64)>,
    /// Its requests that were served, a second.
    pub(in crate::steps) served: Option<f64>,
    /// Its requests that were refused with a 403, a second.
    pub(in crate::steps) refused: Option<f64>,
    /// Requests of nobody in particular that were refused with a 401, a second, where they may be its own: once its pods
    /// are gone their tokens are void, and until there are few of them beside the most that there were.
    pub(in crate::steps) unknown: Option<f64>,
    /// The API hosts that told: numbers of others are not compared with these.
    pub(in crate::steps) told_by: BTreeSet<String>,
}

/// Fewer than this share of the most requests with void tokens are somebody else's.
const OTHERS: f64 = 0.05;

impl Sample {
    /// Nothing is left of it but what asks in vain: its pods are gone, or all that it asks is refused.
    pub(in crate::steps) fn is_gone(&self) -> bool {
        let ended = self.pods.is_none_or(|pods| !self.more && self.ending >= pods);
        let only_refused = self.served.is_some_and(|rate| rate < 1.0) && self.refused.is_some_and(|rate| rate >= 1.0);
        self.pods == Some(0) || (only_refused && ended)
    }
}

impl Params {
    /// Reads the names.
    ///
    /// # Errors
    /// Every fault.
    pub(in crate::steps) fn read(self) -> Result<Offender, Vec<Fault>> {
        let workload = match &self.workload {
            _ if self.user.as_deref() == Some("") => return Err(vec![Fault::at("user", "it is empty")]),
            None if self.user.is_none() => return Err(vec![Fault::whole("give workload, user, or both")]),
            None => None,
            Some(name) => {
                let object = ObjectRef::parse(name, self.namespace.as_deref());
                let object = object.map_err(|why| vec![Fault::at("workload", why)])?;
                if crate::steps::workload::owner(&object).is_none() {
                    return Err(vec![Fault::at("workload", format!("{object} is no workload that makes pods"))]);
                }
                Some(object)
            }
        };
        Ok(Offender { workload, user: self.user, learned: Mutex::default() })
    }
}

impl Offender {
    fn learned(&self) -> MutexGuard<'_, BTreeMap<Target, Learned>> {
        // A panic elsewhere leaves no entry half written.
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it is called in sentences.
    pub(in crate::steps) fn name(&self) -> String {
        match (&self.workload, &self.user) {
            (Some(object), _) => object.to_string(),
            (None, Some(user)) => user.clone(),
            (None, None) => "the offender".to_owned(),
        }
    }

    /// What a look sends: once, and at each look; on which part, what, and what for.
    pub(in crate::steps) fn announced(&self, cluster: &Cluster) -> Vec<(Sends, String)> {
        let mut all = Vec::new();
        if let Some(object) = &self.workload {
            all.push((
                Sends::Get(object.path()),
                "once for each host that leads: the offender's pods and service account".to_owned(),
            ));
            let namespace = object.namespace.as_deref().unwrap_or_default();
            let path = pods::path(&pods::collection(namespace), SELECTOR, PAGE);
            all.push((Sends::Get(path), "how many of its pods are left (metadata, one page)".to_owned()));
        }
        for host in cluster.api_hosts() {
            let look = offender::look(&usual_ports(cluster, host), self.user.as_deref(), None);
            let why = format!("on {}: open connections by source, and its requests in the audit log", host.name);
            all.push((Sends::Look(look.into()), why));
        }
        all
    }

    /// Looks at it. What cannot be seen stays unknown: a look at an offender never ends a step.
    pub(in crate::steps) async fn look(&self, look: Look<'_>, cluster: &Cluster) -> Sample {
        let known = self.learn(look).await;
        let hosts: Vec<&Host> = cluster.api_hosts().collect();
        let (left, seen) = futures::join!(
            self.pods(look, &known),
            join_all(hosts.iter().map(|host| on_host(look, cluster, host, &known)))
        );
        let mut sample = Sample::default();
        if let Some(left) = left {
            (sample.pods, sample.ending, sample.more) = (Some(left.pods as u64), left.going as u64, left.more);
        }
        let mut sources: BTreeMap<IpAddr, u64> = BTreeMap::new();
        let mut read = BTreeMap::new();
        for (host, seen) in hosts.iter().zip(seen) {
            let Some(seen) = seen else { continue };
            sample.told_by.insert(host.name.clone());
            sample.connections = add(sample.connections, seen.connections);
            for (source, count) in &seen.loudest {
                *sources.entry(*source).or_default() += count;
            }
            let now = Instant::now();
            if let Some(((_, then), requests)) = known.read.get(&host.name).zip(seen.requests) {
                let seconds = (now - *then).as_secs_f64().max(0.1);
                #[expect(clippy::cast_precision_loss, reason = "counts of requests in seconds")]
                let rate = |sum: Option<f64>, count: u64| Some(sum.unwrap_or(0.0) + count as f64 / seconds);
                sample.served = rate(sample.served, requests.served);
                sample.refused = rate(sample.refused, requests.refused);
                sample.unknown = rate(sample.unknown, requests.unknown);
            }
            read.extend(seen.read.map(|at| (host.name.clone(), (at, now))));
        }
        sample.loudest = sources.into_iter().collect();
        sample.loudest.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut learned = self.learned();
        let entry = learned.entry(look.target.clone()).or_default();
        entry.read.extend(read);
        entry.most_unknown = entry.most_unknown.max(sample.unknown.unwrap_or(0.0));
        // While its pods are there its tokens are good, and a few void ones are always somebody's.
        let own = |rate: &f64| sample.pods == Some(0) && *rate >= entry.most_unknown * OTHERS;
        sample.unknown = sample.unknown.map(|rate| Some(rate).filter(own).unwrap_or(0.0));
        sample
    }

    /// What is known of it here; at first that is asked of the API, once it has answered.
    async fn learn(&self, look: Look<'_>) -> Learned {
        let known = self.learned().get(look.target).cloned().unwrap_or_default();
        if known.looked {
            return known;
        }
        let mut known = Learned { user: self.user.clone(), ..known };
        let Some(object) = &self.workload else { return known };
        match kube_object::get(look, object, Accept::Json, PODS_WITHIN).await {
            Ok(Seen::There(seen)) => {
                known.looked = true;
                if let Ok(workload) = Workload::read(object, &seen) {
                    let namespace = object.namespace.as_deref().unwrap_or_default();
                    let account = || format!("system:serviceaccount:{namespace}:{}", workload.service_account);
                    known.user = known.user.or_else(|| Some(account()));
                    known.selector = Some(workload.selector);
                }
            }
            Ok(Seen::Absent) => known.looked = true,
            Err(_) => return known,
        }
        self.learned().insert(look.target.clone(), known.clone());
        known
    }

    async fn pods(&self, look: Look<'_>, known: &Learned) -> Option<Left> {
        let (object, selector) = (self.workload.as_ref()?, known.selector.as_ref()?);
        let namespace = object.namespace.as_deref().unwrap_or_default();
        pods::pods_left(look, namespace, selector, PAGE, PODS_WITHIN).await.ok()
    }

    /// What is left of it, at this level of the gate.
    pub(in crate::steps) fn left(&self, sample: &Sample, level: usize) -> finding::Offender {
        finding::Offender {
            name: self.name(),
            pods: sample.pods,
            more: sample.more,
            ending: sample.ending,
            shut_out: level == 0,
            served: sample.served,
            refused: sample.refused,
            unknown: sample.unknown,
            connections: sample.connections,
        }
    }
}

fn add(sum: Option<u64>, more: Option<u64>) -> Option<u64> {
    more.map(|more| sum.unwrap_or(0) + more).or(sum)
}

async fn on_host(look: Look<'_>, cluster: &Cluster, host: &Host, known: &Learned) -> Option<offender::Seen> {
    let last = known.read.get(&host.name).map(|(read, _)| read);
    let query = offender::look(&usual_ports(cluster, host), known.user.as_deref(), last);
    look.reads.ask(&Target::host(&cluster.name, &host.name), &query, HOST_LIMIT).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(pods: Option<u64>, served: Option<f64>, refused: f64) -> Sample {
        Sample { pods, served, refused: served.map(|_| refused), ..Sample::default() }
    }

    #[test]
    fn it_is_gone_without_pods_or_when_all_that_it_asks_is_refused() {
        assert!(sample(Some(0), None, 0.0).is_gone());
        assert!(sample(None, Some(0.0), 9.0).is_gone());
        assert!(Sample { ending: 5, ..sample(Some(5), Some(0.0), 9.0) }.is_gone());
        // Its pods stay; it is served; it asks nothing, because nobody is let in; more pods than were counted.
        assert!(!sample(Some(5), Some(0.0), 9.0).is_gone());
        assert!(!sample(None, Some(9.0), 9.0).is_gone());
        assert!(!sample(None, Some(0.0), 0.0).is_gone());
        assert!(!Sample { ending: 500, more: true, ..sample(Some(500), Some(0.0), 9.0) }.is_gone());
    }

    #[test]
    fn who_it_is_has_to_be_said() {
        let read = |with: serde_json::Value| serde_json::from_value::<Params>(with).unwrap().read().err();
        let fault = |with| read(with).unwrap_or_default().iter().map(ToString::to_string).collect::<String>();
        assert!(fault(serde_json::json!({})).contains("give workload, user, or both"));
        assert!(fault(serde_json::json!({"user": ""})).contains("user: it is empty"));
        assert!(fault(serde_json::json!({"workload": "cm/a/b"})).contains("no workload that makes pods"));
        assert_eq!(read(serde_json::json!({"workload": "ds/a/b"})), None);
    }
}

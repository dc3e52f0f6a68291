//! What an operator asks of a gate, and the gate that follows from it on one host. Pure.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::duration::HumanDuration;
use crate::host::apiserver::API_PORT;
use crate::host::gate::{self, Allow, BackEnd, Balancer, GateSpec, Reply, Scope, Side, Stage, Why};
use crate::host::net::Net;
use crate::host::pods::{Sender, Which};
use crate::kit::{Cluster, Host, Role};
use crate::steps::pod_names::forms;
use crate::steps::{Fault, Mark, ObjectRef};

use super::senders::scope;
use super::{secs, seed};

/// The set that stands for the kit's nodes.
const KUBELETS: &str = "kubelets";

/// Whom a gate stops, for how long, and how it opens.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::steps) struct Params {
    /// The API's ports on the host; none: those that its API servers' processes and manifests name.
    #[serde(default)]
    ports: Vec<u16>,
    /// Addresses and prefixes that are never stopped.
    #[serde(default)]
    allow: Vec<String>,
    /// The operator's addresses, where the host does not show them by itself.
    #[serde(default)]
    allow_operator: Vec<String>,
    /// Leaves the kubelets through: the kit's nodes, and the addresses of the set `kubelets`.
    #[serde(default)]
    allow_kubelets: bool,
    /// Load balancers whose health checks may pass.
    balancer: Option<BalancerParams>,
    /// How long a gate stands that nobody confirmed over a new connection.
    #[serde(default = "confirm_within")]
    confirm_within: HumanDuration,
    /// How long a confirmed gate stands before it opens by itself, stage by stage; extended while the run lives.
    #[serde(default = "hold", rename = "for")]
    hold: HumanDuration,
    /// The time between two stages when it opens by itself.
    #[serde(default = "step")]
    step: HumanDuration,
    /// The stages of the re-opening: `5` or `"5%"` of the sources, `"5n"` or `"5 sources"` for so many of them, `"50/s"` new
    /// connections, or the name of a set.
    #[serde(default = "stages")]
    stages: Vec<StageWord>,
    /// Named addresses and prefixes, for stages; one of the same name in the kit does not count then.
    #[serde(default)]
    sets: BTreeMap<String, Vec<String>>,
    /// What a refused client gets.
    #[serde(default)]
    answer: Answer,
    /// Confirms the gate even if it cuts the run's own direct way to the API: SSH is enough.
    #[serde(default)]
    ssh_only: bool,
    /// Closes IPv4 alone where the host's iptables has no IPv6 side: clients that have IPv6 go round the gate.
    #[serde(default)]
    ipv4_only: bool,
    /// The back end; none: nftables where it works, else the iptables that the host uses.
    back_end: Option<BackEnd>,
    /// Stops what the host sends to the API instead of what comes in for it: for nodes.
    nodes: Option<NodeParams>,
    /// Hosts of the kit that try the port after it was closed: the proof from outside.
    #[serde(default)]
    pub(in crate::steps) probe_from: Vec<String>,
}

/// Load balancers before the API.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct BalancerParams {
    /// Their addresses and prefixes.
    addresses: Vec<String>,
    /// New connections a second that all of them together may open.
    per_second: u32,
}

/// A gate on nodes.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NodeParams {
    /// Addresses and ports of the API beside those of the kit: the `kubernetes` service's, a load balancer's.
    #[serde(default)]
    service: Vec<String>,
    /// Only what comes from these addresses: the offender's pods.
    #[serde(default)]
    sources: Vec<String>,
    /// Only what processes of this version 2 control group send.
    cgroup: Option<String>,
    /// Only what the pods of this workload send that each node finds itself: a DaemonSet, Deployment, StatefulSet, ReplicaSet, Job or
    /// CronJob.
    offender: Option<String>,
    /// Its namespace, where the name has none.
    namespace: Option<String>,
}

/// What a refused client gets.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
enum Answer {
    /// A TCP reset: it fails at once and knows it.
    #[default]
    Reset,
    /// Nothing: it hangs until its own time-outs, and all come back at once.
    Drop,
}

/// One stage as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
struct StageWord(Stage);

impl TryFrom<Value> for StageWord {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let text = text.trim();
        let number = |digits: &str| digits.trim().parse::<u32>().ok();
        // A set may end in n, too: it is a number that nothing but a number stands before.
        let sources = ["n", " source", " sources"].iter().find_map(|word| text.strip_suffix(word)).filter(|digits| {
            digits.contains(|c: char| c.is_ascii_digit())
                && digits.chars().all(|c| c.is_ascii_digit() || "+-., ".contains(c))
        });
        let percent =
            |n: u32| u8::try_from(n).map(Stage::Share).map_err(|_| format!("{n} % is no share of the sources"));
        Ok(Self(if let Some(n) = number(text.strip_suffix('%').unwrap_or(text)) {
            percent(n)?
        } else if let Some(rate) = text.strip_suffix("/s") {
            Stage::Rate(number(rate).ok_or_else(|| format!("{text:?} is no rate such as 50/s"))?)
        } else if let Some(digits) = sources {
            Stage::Count(number(digits).ok_or_else(|| format!("{text:?} is no number of sources such as 5n"))?)
        } else {
            Stage::Set { name: text.to_owned(), nets: Vec::new() }
        }))
    }
}

impl JsonSchema for StageWord {
    fn schema_name() -> Cow<'static, str> {
        "Stage".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["integer", "string"], "examples": [5, "5%", "5n", "5 sources", "50/s", "kubelets"] })
    }
}

fn confirm_within() -> HumanDuration {
    HumanDuration::secs(30)
}

fn hold() -> HumanDuration {
    HumanDuration::secs(15 * 60)
}

fn step() -> HumanDuration {
    HumanDuration::secs(60)
}

fn stages() -> Vec<StageWord> {
    [1, 5, 25, 50, 100].map(|n| StageWord(Stage::Share(n))).into()
}

/// The same, read and checked: everything but what only a kit and a host can say.
#[derive(Debug, Clone)]
pub(in crate::steps) struct Wish {
    ports: Vec<u16>,
    allow: BTreeSet<Allow>,
    kubelets: Vec<Net>,
    pub(in crate::steps) allow_kubelets: bool,
    balancer: Option<Balancer>,
    pub(in crate::steps) confirm_within: u32,
    pub(in crate::steps) hold: u32,
    step: u32,
    stages: Vec<Stage>,
    sets: BTreeMap<String, Vec<Net>>,
    answer: Reply,
    pub(in crate::steps) ssh_only: bool,
    pub(in crate::steps) ipv4_only: bool,
    pub(in crate::steps) back_end: Option<BackEnd>,
    nodes: Option<Nodes>,
    pub(in crate::steps) probe_from: Vec<String>,
}

#[derive(Debug, Clone)]
struct Nodes {
    service: Vec<SocketAddr>,
    sources: Vec<Net>,
    cgroup: Option<String>,
    offender: Option<Which>,
}

impl Params {
    /// Reads addresses, stages and times.
    ///
    /// # Errors
    /// Every fault.
    pub(in crate::steps) fn read(self) -> Result<Wish, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut sets: BTreeMap<String, Vec<Net>> = BTreeMap::new();
        for (name, words) in &self.sets {
            sets.insert(name.clone(), nets(&["sets", name], words, &mut faults));
        }
        let asked = nets(&["allow"], &self.allow, &mut faults).into_iter().map(|net| (net, Why::Asked));
        let operator = nets(&["allowOperator"], &self.allow_operator, &mut faults);
        let operator = operator.into_iter().map(|net| (net, Why::Named));
        let allow = asked.chain(operator).map(|(net, why)| Allow { net, why }).collect();
        let balancer = self.balancer.map(|balancer| Balancer {
            nets: nets(&["balancer", "addresses"], &balancer.addresses, &mut faults),
            per_second: balancer.per_second,
        });
        let stages = self.stages.into_iter().map(|StageWord(stage)| stage).collect();
        let nodes = self.nodes.map(|nodes| read_nodes(nodes, &mut faults));
        if nodes.is_some() && !self.ports.is_empty() {
            faults.push(Fault::at(
                "ports",
                "a gate on nodes goes by addresses and their ports; put them under nodes.service",
            ));
        }
        let kubelets = sets.remove(KUBELETS).unwrap_or_default();
        let wish = Wish {
            ports: self.ports,
            allow,
            kubelets,
            allow_kubelets: self.allow_kubelets,
            balancer,
            confirm_within: time(self.confirm_within),
            hold: time(self.hold),
            step: time(self.step),
            stages,
            sets,
            answer: match self.answer {
                Answer::Reset => Reply::Reset,
                Answer::Drop => Reply::Silence,
            },
            ssh_only: self.ssh_only,
            ipv4_only: self.ipv4_only,
            back_end: self.back_end,
            nodes,
            probe_from: self.probe_from,
        };
        if faults.is_empty() { Ok(wish) } else { Err(faults) }
    }
}

/// Seconds; a time below one second is no time at all, and is refused with the others.
fn time(duration: HumanDuration) -> u32 {
    if duration.0.as_secs() == 0 { 0 } else { secs(duration.0) }
}

fn read_nodes(nodes: NodeParams, faults: &mut Vec<Fault>) -> Nodes {
    let mut service = Vec::new();
    for word in &nodes.service {
        match word.parse() {
            Ok(addr) => service.push(addr),
            Err(_) => {
                let why = format!("{word:?} is no address with a port such as 10.96.0.1:443");
                faults.push(Fault::at("service", why).under("nodes"));
            }
        }
    }
    let named = [nodes.cgroup.is_some(), !nodes.sources.is_empty(), nodes.offender.is_some()];
    if named.into_iter().filter(|is| *is).count() > 1 {
        faults.push(Fault::at("nodes", "give one of sources, cgroup and offender"));
    }
    let offender = nodes.offender.and_then(|text| {
        let object = ObjectRef::parse(&text, nodes.namespace.as_deref());
        let which = object.and_then(|object| {
            let forms = forms(&object)?;
            Ok(Which { object: object.to_string(), namespace: object.namespace.unwrap_or_default(), forms })
        });
        which.map_err(|why| faults.push(Fault::at("offender", why).under("nodes"))).ok()
    });
    let sources = nets(&["nodes", "sources"], &nodes.sources, faults);
    Nodes { service, sources, cgroup: nodes.cgroup, offender }
}

fn nets(at: &[&str], words: &[String], faults: &mut Vec<Fault>) -> Vec<Net> {
    let mut nets = Vec::new();
    for word in words {
        match word.parse::<Net>() {
            Ok(net) => nets.push(net),
            Err(error) => {
                faults.push(Fault { at: at.iter().map(|key| (*key).to_owned()).collect(), why: error.to_string() });
            }
        }
    }
    nets
}

impl Wish {
    /// The gate on one host. Without a survey: as far as it can be told beforehand, on the ports that the kit knows.
    pub(in crate::steps) fn spec(
        &self,
        mark: &Mark,
        at: u64,
        cluster: &Cluster,
        host: &Host,
        seen: Option<&gate::Survey>,
    ) -> GateSpec {
        let kubelets = self.kubelets_of(cluster);
        let mut stages = self.stages.clone();
        for stage in &mut stages {
            if let Stage::Set { name, nets } = stage {
                *nets = self.named(name, cluster, &kubelets).unwrap_or_default();
            }
        }
        GateSpec {
            run: mark.run.clone(),
            operator: mark.operator.clone(),
            reason: mark.reason.clone(),
            at,
            side: self.side(cluster, host, seen),
            allow: self.allowed(cluster, seen, &kubelets),
            balancer: self.balancer.clone(),
            answer: self.answer,
            confirm_within: self.confirm_within,
            hold: self.hold,
            step: self.step,
            stages,
            seed: seed(&mark.run),
        }
    }

    /// The addresses of a set: the step's, the kit's, or the kit's nodes.
    fn named(&self, name: &str, cluster: &Cluster, kubelets: &[Net]) -> Option<Vec<Net>> {
        if name == KUBELETS {
            return Some(kubelets.to_vec());
        }
        self.sets.get(name).or_else(|| cluster.sets.get(name)).cloned()
    }

    /// Stages that name a set which neither the step nor the kit knows, one sentence each.
    pub(in crate::steps) fn unknown_sets(&self, cluster: &Cluster) -> Vec<String> {
        let unknown = self.stages.iter().filter_map(|stage| match stage {
            Stage::Set { name, .. } => self.named(name, cluster, &[]).is_none().then_some(name),
            Stage::Share(_) | Stage::Rate(_) | Stage::Count(_) => None,
        });
        let known: BTreeSet<&str> = self.sets.keys().chain(cluster.sets.keys()).map(String::as_str).collect();
        let known: Vec<&str> = known.into_iter().filter(|name| *name != KUBELETS).chain([KUBELETS]).collect();
        unknown.map(|name| format!("stages: there is no set {name:?}; there are: {}", known.join(", "))).collect()
    }

    /// Whether the gate is on a node.
    pub(in crate::steps) fn on_nodes(&self) -> bool {
        self.nodes.is_some()
    }

    /// Whose pods' traffic is meant, where each node finds them itself.
    pub(in crate::steps) fn offender(&self) -> Option<&Which> {
        self.nodes.as_ref()?.offender.as_ref()
    }

    /// The same, about what these pods of a node send; `None`: it has none.
    ///
    /// # Errors
    /// One sentence: what they send cannot be told from what others send.
    pub(in crate::steps) fn about(&self, senders: &[Sender]) -> Result<Option<Self>, String> {
        let mut here = self.clone();
        let scope = scope(senders)?;
        if let Some(nodes) = &mut here.nodes {
            match &scope {
                Some(Scope::Sources(nets)) => nodes.sources.clone_from(nets),
                Some(Scope::Cgroup(path)) => nodes.cgroup = Some(path.clone()),
                Some(Scope::All { .. }) | None => {}
            }
        }
        Ok(scope.map(|_| here))
    }

    fn kubelets_of(&self, cluster: &Cluster) -> Vec<Net> {
        let nodes = cluster.hosts.iter().filter(|host| host.roles.contains(&Role::Node));
        let all: BTreeSet<Net> =
            nodes.map(|host| Net::from(host.address)).chain(self.kubelets.iter().copied()).collect();
        all.into_iter().collect()
    }

    fn side(&self, cluster: &Cluster, host: &Host, seen: Option<&gate::Survey>) -> Side {
        let Some(nodes) = &self.nodes else {
            let ports = match seen {
                _ if !self.ports.is_empty() => self.ports.clone(),
                // A server that was just killed leaves no process, and one that is no static pod no manifest either.
                Some(seen) if seen.api_ports().is_empty() => known_ports(cluster, host),
                Some(seen) => seen.api_ports().into_iter().collect(),
                None => usual_ports(cluster, host),
            };
            return Side::Server { ports };
        };
        let spare = seen.and_then(|seen| seen.kubelet_cgroup.clone()).filter(|_| self.allow_kubelets);
        let scope = match &nodes.cgroup {
            Some(path) => Scope::Cgroup(path.clone()),
            // Before its node was asked: nobody's.
            None if !nodes.sources.is_empty() || nodes.offender.is_some() => Scope::Sources(nodes.sources.clone()),
            None => Scope::All { spare_cgroup: spare },
        };
        Side::Client { endpoints: endpoints(cluster), service: nodes.service.clone(), scope }
    }

    fn allowed(&self, cluster: &Cluster, seen: Option<&gate::Survey>, kubelets: &[Net]) -> Vec<Allow> {
        let mut all = self.allow.clone();
        let mut add = |net: Net, why| all.insert(Allow { net, why });
        if let Some(address) = seen.and_then(|seen| seen.operator) {
            add(address.into(), Why::Operator);
        }
        // The host itself with them: it is let through anyway, and the rules are the same on all of them.
        for peer in cluster.api_hosts() {
            add(peer.address.into(), Why::Peer);
        }
        for peer in seen.iter().flat_map(|seen| &seen.peers) {
            add((*peer).into(), Why::Found);
        }
        if self.allow_kubelets {
            for net in kubelets {
                add(*net, Why::Kubelet);
            }
        }
        all.into_iter().collect()
    }
}

/// The ports on which the kit knows API servers of a host.
pub(in crate::steps) fn known_ports(cluster: &Cluster, host: &Host) -> Vec<u16> {
    let here = |server: &&crate::kit::ApiServer| server.host.as_deref() == Some(host.name.as_str());
    let known: BTreeSet<u16> = cluster.api_servers.iter().filter(here).map(|server| server.address.port()).collect();
    known.into_iter().collect()
}

/// The same, or else the usual one: what is announced where only a survey can know them.
pub(in crate::steps) fn usual_ports(cluster: &Cluster, host: &Host) -> Vec<u16> {
    let known = known_ports(cluster, host);
    if known.is_empty() { vec![API_PORT] } else { known }
}

/// Where the cluster's API servers listen, seen from its nodes.
pub(in crate::steps) fn endpoints(cluster: &Cluster) -> Vec<SocketAddr> {
    let seen = cluster.api_servers.iter().filter_map(|server| {
        if !server.address.ip().is_loopback() {
            return Some(server.address);
        }
        let host = cluster.host(server.host.as_ref().or(server.via.as_ref())?)?;
        Some(SocketAddr::new(host.address, server.address.port()))
    });
    seen.collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(with: Value) -> Result<Wish, Vec<Fault>> {
        serde_json::from_value::<Params>(with).map_err(|e| vec![Fault::whole(e.to_string())])?.read()
    }

    #[test]
    fn stages_are_read_as_people_write_them() {
        let with = json!({ "stages": ["web", 5, "25%", "50/s"] });
        let stages = read(with).unwrap().stages;
        let web = Stage::Set { name: "web".into(), nets: Vec::new() };
        assert_eq!(stages, [web, Stage::Share(5), Stage::Share(25), Stage::Rate(50)]);
    }

    #[test]
    fn a_number_of_sources_is_told_from_a_share_and_from_a_set() {
        let stages = read(json!({ "stages": ["1n", "5 n", "1 source", "5 sources", "25", " 7n"] })).unwrap().stages;
        let counts = [1, 5, 1, 5].map(Stage::Count);
        assert_eq!(stages, [&counts[..], &[Stage::Share(25), Stage::Count(7)]].concat());
        let named = ["n", "lan", "3rd-gen", "10.0-lan", "sources", "open sources"];
        for stage in read(json!({ "stages": named })).unwrap().stages {
            assert!(matches!(&stage, Stage::Set { name, .. } if named.contains(&name.as_str())), "{stage:?}");
        }
    }

    #[test]
    fn a_set_is_the_step_s_or_the_kit_s() {
        let net = |text: &str| vec![text.parse::<Net>().unwrap()];
        let sets = [("pool", "10.9.0.0/16"), ("web", "10.8.0.0/16")];
        let cluster = Cluster {
            name: "east".into(),
            api_servers: Vec::new(),
            hosts: Vec::new(),
            tls_server_name: None,
            ca: Vec::new(),
            credential: crate::kit::Credential::Anonymous,
            credential_ends: None,
            acting_as: None,
            sets: sets.map(|(name, text)| (name.to_owned(), net(text))).into(),
            source: String::new(),
            kept: None,
        };
        let wish = read(json!({ "stages": ["pool", "web", "kubelets"], "sets": { "web": ["10.1.0.0/16"] } })).unwrap();
        assert_eq!(wish.unknown_sets(&cluster), Vec::<String>::new());
        let known = |name: &str| wish.named(name, &cluster, &[]);
        assert_eq!((known("pool"), known("web")), (Some(net("10.9.0.0/16")), Some(net("10.1.0.0/16"))));
        let wish = read(json!({ "stages": ["wbe", 5] })).unwrap();
        assert_eq!(wish.unknown_sets(&cluster), ["stages: there is no set \"wbe\"; there are: pool, web, kubelets"]);
    }

    #[track_caller]
    fn refused(with: Value, part: &str) {
        let faults = read(with).err().unwrap_or_default();
        assert!(faults.iter().any(|fault| fault.to_string().contains(part)), "{faults:?}");
    }

    #[test]
    fn bad_parameters_are_refused_by_name() {
        refused(json!({ "allow": ["10.0.0.300"] }), "allow: `10.0.0.300`");
        refused(json!({ "stages": ["x/s"] }), "no rate");
        for word in ["99999999999n", "-5n", "1.5n", "1-5 sources", "5,000 sources"] {
            refused(json!({ "stages": [word] }), &format!("{word:?} is no number of sources"));
        }
        refused(json!({ "nodes": { "service": ["10.96.0.1"] } }), "nodes.service");
        refused(json!({ "nodes": {}, "ports": [6443] }), "ports:");
        refused(json!({ "nodes": { "offender": "ds/agent" } }), "needs a namespace");
        refused(json!({ "nodes": { "offender": "svc/a/b" } }), "makes no pods");
        let both = json!({ "nodes": { "offender": "ds/agent", "namespace": "a", "sources": ["10.0.0.1"] } });
        refused(both, "give one of sources, cgroup and offender");
        refused(json!({ "backEnd": "pf" }), "pf");
        refused(json!({ "hold": "15m" }), "unknown field");
    }
}

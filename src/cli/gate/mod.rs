//! `gate`: close, confirm, open, and two ways of looking at it.

mod status;
mod watch;

use std::process::ExitCode;

use serde_json::{Map, Value};

use super::App;
use super::single::{How, Single};
use crate::duration::HumanDuration;
use crate::error::Failure;
use crate::host::gate::BackEnd;
use crate::limits::Limits;
use crate::runbook::Policy;

/// Hosts at a time when a gate is closed on many.
const FANOUT: usize = 256;

/// Block the admin API's ports for all but the operator and the control plane, and let everybody back in stages
///
/// Examples:
///   breakglass gate close --reason "telemetry agent"      closes; the kernel opens it again if nobody confirms
///   breakglass gate watch                                 who hammers, live, without an API request
///   breakglass gate confirm --for 30m                     lets it stand longer
///   breakglass gate open                                  stage by stage, each judged by the API servers' answers
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Gate {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Close(Close),
    Open(Open),
    Confirm(Confirm),
    Status(status::Status),
    Watch(watch::Watch),
}

impl Gate {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        match self.verb {
            Verb::Close(verb) => verb.run(app),
            Verb::Open(verb) => verb.run(app),
            Verb::Confirm(verb) => verb.run(app),
            Verb::Status(verb) => verb.run(app),
            Verb::Watch(verb) => verb.run(app),
        }
    }
}

/// Close the gate: it stands for --confirm-within, and for --for once a new SSH connection has confirmed it
///
/// SSH, loopback, the control plane's other hosts and your own address stay open by construction.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct Close {
    /// A port of the API; may be given several times [default: those that the API servers' processes name].
    #[arg(long = "port", value_name = "PORT")]
    ports: Vec<u16>,

    /// An address or prefix that is never stopped; may be given several times.
    #[arg(long, value_name = "CIDR")]
    allow: Vec<String>,

    /// Your own address, where the host does not show it by itself.
    #[arg(long, value_name = "ADDRESS")]
    allow_operator: Vec<String>,

    /// Leave the kubelets through.
    #[arg(long)]
    allow_kubelets: bool,

    /// A load balancer whose health checks may pass; may be given several times.
    #[arg(long, value_name = "CIDR")]
    balancer: Vec<String>,

    /// New connections a second that all balancers together may open.
    #[arg(long, value_name = "N", default_value_t = 5, requires = "balancer")]
    balancer_rate: u32,

    /// How long it stands unconfirmed [default: 30s].
    #[arg(long, value_name = "TIME")]
    confirm_within: Option<HumanDuration>,

    /// How long it stands confirmed before it opens by itself, stage by stage [default: 15m].
    #[arg(long = "for", value_name = "TIME")]
    hold: Option<HumanDuration>,

    /// Between two stages when it opens by itself [default: 1m].
    #[arg(long, value_name = "TIME")]
    step: Option<HumanDuration>,

    /// The stages of the re-opening: percent of the sources, a number of sources as 5n, connections as 50/s, names of sets
    /// [default: 1,5,25,50,100].
    #[arg(long, value_name = "STAGES", value_delimiter = ',')]
    stages: Vec<String>,

    /// A named set of addresses for a stage; may be given several times.
    #[arg(long = "set", value_name = "NAME=CIDR,...", value_parser = set)]
    sets: Vec<(String, Vec<String>)>,

    /// Answer nothing instead of a reset: clients hang until their time-outs, and all come back at once.
    #[arg(long)]
    drop: bool,

    /// Let it stand even if it cuts this run's own direct requests to the API: SSH is enough.
    #[arg(long)]
    ssh_only: bool,

    /// Close IPv4 alone where the host's iptables has no IPv6 side: clients that have IPv6 go round the gate.
    #[arg(long)]
    ipv4_only: bool,

    /// By which packet filter [default: what the host has].
    #[arg(long, value_name = "BACK-END", value_enum)]
    back_end: Option<BackEnd>,

    /// Stop what hosts send to the API instead: for nodes, named by --targets.
    #[arg(long, requires = "targets")]
    nodes: bool,

    /// With --nodes: an address and port of the API beside those of the kit; may be given several times.
    #[arg(long, value_name = "ADDRESS:PORT", requires = "nodes")]
    service: Vec<String>,

    /// With --nodes: only what comes from these addresses, the offender's pods; may be given several times.
    #[arg(long, value_name = "CIDR", requires = "nodes")]
    source: Vec<String>,

    /// With --nodes: only what processes of this version 2 control group send.
    #[arg(long, value_name = "PATH", requires = "nodes", conflicts_with = "source")]
    cgroup: Option<String>,

    /// With --nodes: only what the pods of this workload send, as `park` takes it; each node finds its own, without the API.
    #[arg(long, value_name = "OBJECT", requires = "nodes", conflicts_with_all = ["source", "cgroup"])]
    offender: Option<String>,

    /// A host of the kit that tries the port afterwards, to prove it from outside; may be given several times.
    #[arg(long, value_name = "HOST")]
    probe_from: Vec<String>,

    /// The first host alone before the others; if it cannot be closed, none is.
    #[arg(long)]
    host_canary: bool,

    /// Only these hosts, by their names in the kit.
    #[arg(long, value_name = "NAMES")]
    targets: Option<String>,

    #[command(flatten)]
    how: How,
}

impl clap::ValueEnum for BackEnd {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.word()))
    }
}

/// `NAME=CIDR,CIDR`.
fn set(text: &str) -> Result<(String, Vec<String>), String> {
    match text.split_once('=') {
        Some((name, nets)) if !name.is_empty() && !nets.is_empty() => {
            Ok((name.to_owned(), nets.split(',').map(str::to_owned).collect()))
        }
        _ => Err("expected NAME=CIDR,CIDR".into()),
    }
}

impl Close {
    fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let limits = Limits { canary: self.host_canary, ..Limits::whatever_fails(FANOUT) };
        let policy = Policy { limits, ..Policy::default() };
        let namespace = app.flags.connection.namespace.clone().filter(|_| self.offender.is_some());
        let (mut with, targets, how) = self.params();
        if let (Some(namespace), Some(nodes)) = (namespace, with.get_mut("nodes")) {
            nodes["namespace"] = namespace.into();
        }
        Single { kind: "gate-close", with, targets, how }.run_with(app, policy)
    }

    fn params(self) -> (Map<String, Value>, Option<String>, How) {
        let mut with = Map::new();
        let mut put = |key: &str, value: Value| {
            let empty = match &value {
                Value::Null | Value::Bool(false) => true,
                Value::Array(items) => items.is_empty(),
                Value::Object(map) => map.is_empty(),
                _ => false,
            };
            if !empty {
                with.insert(key.to_owned(), value);
            }
        };
        put("ports", self.ports.into());
        put("allow", self.allow.into());
        put("allowOperator", self.allow_operator.into());
        put("allowKubelets", self.allow_kubelets.into());
        if !self.balancer.is_empty() {
            put("balancer", serde_json::json!({ "addresses": self.balancer, "perSecond": self.balancer_rate }));
        }
        put("confirmWithin", time(self.confirm_within));
        put("for", time(self.hold));
        put("step", time(self.step));
        put("stages", self.stages.into());
        put("sets", self.sets.into_iter().map(|(name, nets)| (name, Value::from(nets))).collect::<Map<_, _>>().into());
        if self.drop {
            put("answer", "drop".into());
        }
        put("sshOnly", self.ssh_only.into());
        put("ipv4Only", self.ipv4_only.into());
        put("backEnd", self.back_end.map(BackEnd::word).into());
        put("probeFrom", self.probe_from.into());
        if self.nodes {
            let mut nodes = serde_json::json!({ "service": self.service, "sources": self.source });
            if let Some(cgroup) = self.cgroup {
                nodes["cgroup"] = cgroup.into();
            }
            if let Some(offender) = self.offender {
                nodes["offender"] = offender.into();
            }
            with.insert("nodes".into(), nodes);
        }
        (with, self.targets, self.how)
    }
}

fn time(time: Option<HumanDuration>) -> Value {
    time.map_or(Value::Null, |time| time.to_string().into())
}

/// Open the gate stage by stage, each judged by what the API servers answer; a bad one is closed again at once
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct Open {
    /// Only the gate of this run [default: whoever's].
    #[arg(long, value_name = "RUN", default_value = "any", hide_default_value = true)]
    of: String,

    /// How long all must be well after a stage [default: 20s].
    #[arg(long, value_name = "TIME")]
    window: Option<HumanDuration>,

    /// The slowest small GET that still counts as good [default: 1s].
    #[arg(long, value_name = "TIME")]
    p99: Option<HumanDuration>,

    /// The most requests a second that priority and fairness may reject on one API server.
    #[arg(long, value_name = "N")]
    rejects: Option<u32>,

    /// The most memory an API server may hold of what it may, and all processes of its host; 100: not looked at
    /// [default: 90].
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    memory: Option<u8>,

    /// How often stages are closed again without getting any further before giving up [default: 4].
    #[arg(long, value_name = "N")]
    max_tries: Option<u32>,

    /// Who drowned the API, as `park` takes it: what is left of it is counted at each look, and a stage in which that gets
    /// less is left to go on.
    #[arg(long, value_name = "OBJECT")]
    offender: Option<String>,

    /// The user whose requests are counted [default: the service account of --offender].
    #[arg(long, value_name = "USER")]
    offender_user: Option<String>,

    /// An API server that is dead for good: neither asked nor judged; may be given several times.
    #[arg(long, value_name = "NAME")]
    without: Vec<String>,

    /// Let everybody in now, judging nothing.
    #[arg(long)]
    at_once: bool,

    /// Only these hosts, by their names in the kit, each judged for itself.
    #[arg(long, value_name = "NAMES")]
    targets: Option<String>,

    #[command(flatten)]
    how: How,
}

/// The longest that a re-opening may take when no time is given.
const OPENING: std::time::Duration = std::time::Duration::from_hours(2);

impl Open {
    fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let mut with = Map::from_iter([("of".to_owned(), self.of.into())]);
        for (key, value) in [("window", time(self.window)), ("p99", time(self.p99))] {
            if !value.is_null() {
                with.insert(key.into(), value);
            }
        }
        for (key, value) in [("rejectsPerSecond", self.rejects), ("maxTries", self.max_tries)] {
            with.extend(value.map(|value| (key.to_owned(), value.into())));
        }
        with.extend(self.memory.map(|percent| ("memoryPercent".to_owned(), percent.into())));
        let namespace = app.flags.connection.namespace.clone().filter(|_| self.offender.is_some());
        let offender = [("workload", self.offender), ("namespace", namespace), ("user", self.offender_user)];
        let offender: Map<String, Value> =
            offender.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.into()))).collect();
        if !offender.is_empty() {
            with.insert("offender".into(), offender.into());
        }
        if !self.without.is_empty() {
            with.insert("without".into(), self.without.into());
        }
        if self.at_once {
            with.insert("atOnce".into(), true.into());
        }
        if self.targets.is_some() {
            with.insert("each".into(), true.into());
        }
        let policy = Policy { timeout: OPENING, ..Policy::default() };
        Single { kind: "gate-open", with, targets: self.targets, how: self.how }.run_with(app, policy)
    }
}

/// Confirm or extend the gate over a new SSH connection, at the stage it is at
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct Confirm {
    /// Only the gate of this run [default: whoever's].
    #[arg(long, value_name = "RUN", default_value = "any", hide_default_value = true)]
    of: String,

    /// How long it stands from now on before its next stage comes by itself [default: as long as at first].
    #[arg(long = "for", value_name = "TIME")]
    hold: Option<HumanDuration>,

    /// Only these hosts, by their names in the kit.
    #[arg(long, value_name = "NAMES")]
    targets: Option<String>,

    #[command(flatten)]
    how: How,
}

impl Confirm {
    fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let mut with = Map::from_iter([("of".to_owned(), self.of.into())]);
        with.extend(self.hold.map(|hold| ("for".to_owned(), hold.to_string().into())));
        Single { kind: "gate-confirm", with, targets: self.targets, how: self.how }.run(app)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read() {
        assert_eq!(set("web=10.0.0.1,10.1.0.0/16"), Ok(("web".into(), vec!["10.0.0.1".into(), "10.1.0.0/16".into()])));
        assert!(set("web").is_err() && set("=x").is_err() && set("web=").is_err());
    }
}

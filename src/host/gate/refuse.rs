//! Why a gate is not put up: pure, all reasons at once, before anything is written.

use std::fmt;

use super::{BackEnd, Found, GateSpec, Mark, Net, Scope, Side, Stage, Survey, Why};

/// A day: nobody means to shut an API for longer than that by a timer.
const LONGEST: u32 = 86_400;

/// One reason not to put up a gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The gate would be about a port that SSH uses.
    CutsSsh(u16),
    /// The host does not show where the operator comes from, and no address was given.
    OperatorUnknown,
    /// The operator's address is not among those let through.
    OperatorShutOut(std::net::IpAddr),
    /// There is no port at all to guard.
    NoPort,
    /// Nothing listens there, no API server's process or manifest names it.
    NobodyListens(u16, Vec<u16>),
    /// An allowed range is the whole internet.
    Everything(Net),
    /// A stage lets in less than the one before.
    GoesDown(u8, u8),
    /// A share of nothing, or of more than everybody.
    NotAShare(u8),
    /// A rate of zero, or above what every back end can count.
    NotARate(u32),
    /// A named set without addresses.
    EmptySet(String),
    /// A time of zero or over a day.
    BadTime(&'static str, u32),
    /// The kubelet cannot be told from the host's other processes here.
    NoCgroups,
    /// Rules with our name that are not ours.
    Foreign(BackEnd),
    /// Another run's gate.
    Held(Box<Mark>),
    /// Nothing here can hold a gate; what each was found to lack.
    NoBackEnd(String),
    /// The session has no right to write rules.
    NotRoot,
}

/// Every reason not to put this gate up on this host.
pub fn refuse(spec: &GateSpec, survey: &Survey) -> Vec<Refusal> {
    let mut all = refuse_spec(spec);
    if let Side::Server { ports } = &spec.side {
        let found: Vec<u16> = survey.api_ports().into_iter().collect();
        for port in ports {
            if survey.ssh_ports.contains(port) {
                all.push(Refusal::CutsSsh(*port));
            } else if !survey.listens(*port) && !found.contains(port) {
                all.push(Refusal::NobodyListens(*port, found.clone()));
            }
        }
        match survey.operator {
            Some(addr) if !spec.allow.iter().any(|a| a.net.contains(addr)) => {
                all.push(Refusal::OperatorShutOut(addr));
            }
            None if !spec.allow.iter().any(|a| a.why == Why::Operator) => all.push(Refusal::OperatorUnknown),
            _ => {}
        }
    }
    let needs_cgroups =
        matches!(&spec.side, Side::Client { scope: Scope::Cgroup(_) | Scope::All { spare_cgroup: Some(_) }, .. });
    if needs_cgroups && survey.kubelet_cgroup.is_none() {
        all.push(Refusal::NoCgroups);
    }
    match &survey.gate {
        Some(Found { mark: None, back_end, .. }) => all.push(Refusal::Foreign(*back_end)),
        Some(Found { mark: Some(mark), stands: true, .. }) if mark.run != spec.run => {
            all.push(Refusal::Held(Box::new(mark.clone())));
        }
        _ => {}
    }
    if !survey.root {
        all.push(Refusal::NotRoot);
    } else if survey.choose().is_none() {
        all.push(Refusal::NoBackEnd(lacks(survey)));
    }
    all
}

/// The reasons that need no look at a host.
pub fn refuse_spec(spec: &GateSpec) -> Vec<Refusal> {
    let mut all = Vec::new();
    if spec.ports().is_empty() {
        all.push(Refusal::NoPort);
    }
    let balancer = spec.balancer.iter().flat_map(|b| b.nets.iter().copied());
    let named = spec.stages.iter().filter_map(|s| match s {
        Stage::Set { nets, .. } => Some(nets.iter().copied()),
        _ => None,
    });
    let nets = spec.allow.iter().map(|a| a.net).chain(balancer).chain(named.flatten());
    all.extend(nets.filter(|n| n.is_everything()).map(Refusal::Everything));
    let times = [("--confirm-within", spec.confirm_within), ("--for", spec.hold), ("--step", spec.step)];
    all.extend(times.into_iter().filter(|(_, t)| !(1..=LONGEST).contains(t)).map(|(n, t)| Refusal::BadTime(n, t)));
    let mut highest = 0;
    for stage in &spec.stages {
        match stage {
            Stage::Share(percent) if !(1..=100).contains(percent) => all.push(Refusal::NotAShare(*percent)),
            Stage::Share(percent) if *percent <= highest => all.push(Refusal::GoesDown(highest, *percent)),
            Stage::Share(percent) => highest = *percent,
            Stage::Rate(rate) if !(1..=10_000).contains(rate) => all.push(Refusal::NotARate(*rate)),
            Stage::Set { name, nets } if nets.is_empty() => all.push(Refusal::EmptySet(name.clone())),
            Stage::Rate(_) | Stage::Set { .. } => {}
        }
    }
    if let Some(balancer) = spec.balancer.as_ref().filter(|b| !(1..=10_000).contains(&b.per_second)) {
        all.push(Refusal::NotARate(balancer.per_second));
    }
    all
}

fn lacks(survey: &Survey) -> String {
    let one = |name: &str, tool: &super::Tool| match (&tool.error, tool.works) {
        (Some(error), _) => format!("{name}: {error}"),
        (None, true) => format!("{name}: works"),
        (None, false) => format!("{name}: not there"),
    };
    [
        one("nft", &survey.nft),
        one("iptables-nft", &survey.iptables_nft),
        one("iptables-legacy", &survey.iptables_legacy),
        one("ipset", &survey.ipset),
    ]
    .join("; ")
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutsSsh(port) => write!(f, "port {port} is SSH's: closing it would cut the operator's own way in"),
            Self::OperatorUnknown => f.write_str(
                "the host does not show which address the operator comes from; name it with --allow-operator ADDRESS",
            ),
            Self::OperatorShutOut(addr) => {
                write!(f, "the operator's address, as the host sees it, is {addr} and would be shut out")
            }
            Self::NoPort => f.write_str("no API port was found or given; name it with --port"),
            Self::NobodyListens(port, found) if found.is_empty() => {
                write!(f, "nothing listens on port {port}, and no API server's process or manifest is on this host")
            }
            Self::NobodyListens(port, found) => {
                write!(f, "nothing listens on port {port}; the API servers here have {found:?}")
            }
            Self::Everything(net) => write!(f, "{net} is the whole internet: a gate that lets it in is none"),
            Self::GoesDown(before, after) => write!(f, "stage {after} % lets in no more than the one before, {before} %"),
            Self::NotAShare(percent) => write!(f, "{percent} % is no share of the sources; take 1 to 100"),
            Self::NotARate(rate) => write!(f, "{rate} connections a second is no rate; take 1 to 10000"),
            Self::EmptySet(name) => write!(f, "the set `{name}` has no addresses"),
            Self::BadTime(name, seconds) => write!(f, "{name} {seconds} s: take 1 second to 1 day"),
            Self::NoCgroups => f.write_str(
                "this host has no version 2 control groups, so its processes cannot be told apart; gate its pods by address",
            ),
            Self::Foreign(back_end) => {
                write!(f, "rules named breakglass that carry no mark of this program are in {back_end}; look at them first")
            }
            Self::Held(mark) => write!(
                f,
                "the gate of run {} stands here, put up by {} at {} ({})",
                mark.run,
                mark.operator,
                jiff::Timestamp::from_second(i64::try_from(mark.at).unwrap_or(0)).unwrap_or_default(),
                mark.reason
            ),
            Self::NoBackEnd(lacks) => write!(f, "nothing on this host can hold a gate that ends by itself ({lacks})"),
            Self::NotRoot => f.write_str("rules need root; log in as root or with a user whose sudo asks nothing"),
        }
    }
}

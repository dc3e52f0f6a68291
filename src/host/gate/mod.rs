//! The gate: the network block before the admin API, as the texts that a host is given.
//!
//! Three things hold on every back end, and the rest follows from them:
//!
//! * **Fuses.** What refuses is guarded by sets whose elements the kernel itself forgets after their time. `armed` holds
//!   the whole gate; `until_1`, `until_2`, ... hold one stage of the re-opening each and burn down one after the other. A
//!   host with nobody on it therefore opens, stage by stage, with no process and no client.
//! * **Only taking away.** The rules look at packets of the API's ports alone and either refuse them or let them go on to
//!   whatever rules the host has besides. They never let through what another program refuses, and they track no connections.
//! * **One mark.** The rules carry who made them, in which run, when, and with which stages, so that a second run, or a
//!   later one with an empty laptop, reads it all from the host.

#![warn(clippy::wildcard_enum_match_arm, reason = "a new back end, side or stage has to be thought of everywhere")]

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::net::Net;

mod back_end;
mod count;
mod cut;
mod filter;
mod iptables;
mod knock;
mod mark;
mod memory;
mod nft;
mod orders;
mod rates;
mod refuse;
mod share;
mod state;
mod survey;

pub use back_end::{BackEnd, look_by_hand};
pub use cut::{Cut, GateCut, cut, parse_cut};
pub use filter::{Manager, Turn};
pub use knock::{GateKnock, Knock, knock};
pub use mark::{Driver, Mark, Rung};
pub use memory::{GateMemory, Memory, MemoryPressure, memory};
pub use orders::{GateArm, GateClose, GateOpen, GateRenew, arm, close, open, renew, rules};
pub use rates::Rates;
pub use refuse::{Refusal, refuse, refuse_spec};
pub use state::{BusySource, Counters, Fuse, GateState, GateStatus, status};
pub use survey::{ApiProcess, Found, GateSurvey, Listener, Survey, Tool, survey, v6_hole};

/// The name of our nftables table, and in its variations of our chains and ipsets.
pub const NAME: &str = "breakglass";

/// One gate on one host, fully said: the rules follow from this alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateSpec {
    /// The run that makes it; a second run on the same host is refused by it.
    pub run: String,
    /// Who makes it.
    pub operator: String,
    /// Why, in the operator's words.
    pub reason: String,
    /// When, in seconds since 1970 by the operator's clock; only shown, never compared.
    pub at: u64,
    /// Which traffic is stopped.
    pub side: Side,
    /// Whom the gate never stops.
    pub allow: Vec<Allow>,
    /// Load balancers whose health checks may pass, at a low rate.
    pub balancer: Option<Balancer>,
    /// What a refused client gets.
    pub answer: Reply,
    /// Seconds until a gate that nobody confirmed is gone.
    pub confirm_within: u32,
    /// Seconds that a confirmed gate stands before it starts opening by itself.
    pub hold: u32,
    /// Seconds between two stages when it opens by itself.
    pub step: u32,
    /// The stages of the re-opening, each in addition to those before it; "everybody" comes after the last by itself.
    pub stages: Vec<Stage>,
    /// Seed of the hash that picks the shares; the same on every host of a fleet, so that a source is in on all or on none.
    pub seed: u32,
}

/// Which traffic is stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// On a host with an API server: what comes in for these TCP ports.
    Server {
        /// The API's ports.
        ports: Vec<u16>,
    },
    /// On a node: what goes out to the API, from the host's own processes and from its pods.
    Client {
        /// The API servers' own addresses and ports.
        endpoints: Vec<SocketAddr>,
        /// The `kubernetes` service's address and port, for what is not translated yet when the rules see it.
        service: Vec<SocketAddr>,
        /// Whose traffic.
        scope: Scope,
    },
}

/// Whose traffic a gate on a node stops.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Everybody's, but for the processes in one control group where it is named (the kubelet's, for one).
    All {
        /// A control group (version 2) under the root, such as `system.slice/kubelet.service`.
        spare_cgroup: Option<String>,
    },
    /// Only what comes from these addresses: the offender's pods.
    Sources(Vec<Net>),
    /// Only what processes of this control group (version 2) send from the host's own network.
    Cgroup(String),
}

/// One address range that the gate never stops, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Allow {
    /// The addresses.
    pub net: Net,
    /// The reason.
    pub why: Why,
}

/// Why an address is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The operator's address as the host sees it.
    Operator,
    /// Named as the operator's address.
    Named,
    /// A host of the control plane, by the kit.
    Peer,
    /// A host of the control plane, by what the API server or etcd on the host was started with.
    Found,
    /// Asked for as the kubelets' addresses.
    Kubelet,
    /// Asked for by the operator.
    Asked,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Operator => "the operator, as the host sees it",
            Self::Named => "the operator, as named",
            Self::Peer => "the control plane, by the kit",
            Self::Found => "the control plane, by --etcd-servers or --initial-cluster on the host",
            Self::Kubelet => "kubelets, as asked",
            Self::Asked => "as asked",
        })
    }
}

/// How many addresses are named for one reason; the gate of a large fleet may have thousands.
const NAMED: usize = 12;

/// Load balancers whose health checks pass. Behind a balancer that hides its clients' addresses, the clients share this rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balancer {
    /// Its addresses.
    pub nets: Vec<Net>,
    /// New connections a second that all of them together may open.
    pub per_second: u32,
}

/// What a refused client gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// A TCP reset: it fails at once and knows it.
    #[default]
    Reset,
    /// Nothing: it hangs until its own time-outs, and holds its connection until then.
    Silence,
}

/// One stage of the re-opening: who is let in from here on, besides those let in before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// A share of the source addresses, in percent, picked by a hash of the address: always the same ones.
    Share(u8),
    /// Named addresses.
    Set {
        /// The name, for people.
        name: String,
        /// The addresses.
        nets: Vec<Net>,
    },
    /// Everybody, at so many new connections a second.
    Rate(u32),
    /// So many source addresses of each family, in all: whoever knocks first from then on, for as long as the gate stands.
    Count(u32),
}

/// Who is let in at one level: everything that the stages up to it add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Admission {
    /// Indices into the stages that are named sets.
    pub(crate) sets: Vec<usize>,
    /// Indices into the stages that are a number of sources.
    pub(crate) counts: Vec<usize>,
    /// Percent of the sources.
    pub(crate) percent: u8,
    /// New connections a second for all the others; they are refused if there is none.
    pub(crate) rate: Option<u32>,
}

impl GateSpec {
    /// The ports that the gate's fuses are about, in order.
    pub fn ports(&self) -> Vec<u16> {
        let ports: BTreeSet<u16> = match &self.side {
            Side::Server { ports } => ports.iter().copied().collect(),
            Side::Client { endpoints, service, .. } => endpoints.iter().chain(service).map(SocketAddr::port).collect(),
        };
        ports.into_iter().collect()
    }

    /// The stages that need a fuse of their own: all but a last one that lets everybody in, which `armed` is for.
    pub fn rungs(&self) -> &[Stage] {
        match self.stages.split_last() {
            Some((Stage::Share(100), others)) => others,
            _ => &self.stages,
        }
    }

    /// Who is let in once `level` stages are through; level 0 is fully closed.
    pub(crate) fn admission(&self, level: usize) -> Admission {
        let mut sum = Admission::default();
        for (i, stage) in self.rungs().iter().take(level).enumerate() {
            match stage {
                Stage::Share(percent) => sum.percent = *percent,
                Stage::Set { .. } => sum.sets.push(i),
                Stage::Rate(rate) => sum.rate = Some(*rate),
                Stage::Count(_) => sum.counts.push(i),
            }
        }
        sum
    }

    /// The addresses let through, of one family.
    pub(crate) fn allowed(&self, v6: bool) -> Vec<Net> {
        let nets: BTreeSet<Net> = self.allow.iter().map(|a| a.net).filter(|n| n.is_v6() == v6).collect();
        nets.into_iter().collect()
    }

    /// Everybody whom it never stops, and why: `192.0.2.10 (the operator, as the host sees it), ...`.
    pub fn let_through(&self) -> String {
        let reasons: BTreeSet<Why> = self.allow.iter().map(|a| a.why).collect();
        let one = |why: Why| {
            let nets: BTreeSet<Net> = self.allow.iter().filter(|a| a.why == why).map(|a| a.net).collect();
            let mut words: Vec<String> = nets.iter().take(NAMED).map(ToString::to_string).collect();
            if nets.len() > NAMED {
                words.push(format!("{} more", nets.len() - NAMED));
            }
            format!("{} ({why})", words.join(", "))
        };
        let all: Vec<String> = reasons.into_iter().map(one).collect();
        if all.is_empty() { "nobody".to_owned() } else { all.join(", ") }
    }

    /// Who sets its fuses at first.
    pub fn driver(&self) -> Driver {
        Driver { run: self.run.clone(), operator: self.operator.clone() }
    }

    /// What the host keeps about the gate.
    pub fn mark(&self) -> Mark {
        Mark {
            run: self.run.clone(),
            operator: self.operator.clone(),
            reason: self.reason.clone(),
            at: self.at,
            ports: self.ports(),
            hold: self.hold,
            step: self.step,
            rungs: self.rungs().iter().map(Rung::from).collect(),
            number: self.number(),
        }
    }

    /// A number for whom it refuses and what they get: the same for two gates that differ at most in what a look at the
    /// host adds by itself (the operator's address and the control plane's).
    pub fn number(&self) -> String {
        let asked = |a: &&Allow| match a.why {
            Why::Named | Why::Kubelet | Why::Asked => true,
            Why::Operator | Why::Peer | Why::Found => false,
        };
        let allow: BTreeSet<Net> = self.allow.iter().filter(asked).map(|a| a.net).collect();
        let mut side = self.side.clone();
        match &mut side {
            Side::Server { ports } => *ports = self.ports(),
            Side::Client { endpoints, service, .. } => {
                endpoints.sort_unstable();
                service.sort_unstable();
            }
        }
        // Nothing in it that JSON cannot say.
        let all = serde_json::to_string(&(side, allow, &self.balancer, self.answer, &self.stages)).unwrap_or_default();
        format!("{:08x}", mark::key("", &all))
    }
}

/// Fuse times: seconds until each stage comes by itself, and at last everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    /// For each stage's fuse its seconds; `None` for a stage that is through.
    pub(crate) until: Vec<Option<u32>>,
    /// Seconds of the whole gate.
    pub(crate) armed: u32,
}

impl Times {
    /// A gate that nobody has confirmed: everything goes at the same moment.
    pub(crate) fn unconfirmed(rungs: usize, seconds: u32) -> Self {
        Self { until: vec![Some(seconds); rungs], armed: seconds }
    }

    /// A gate with `level` stages through, the next after `hold` seconds, the others `step` seconds apart.
    pub(crate) fn confirmed(rungs: usize, level: usize, hold: u32, step: u32) -> Self {
        let level = level.min(rungs);
        let after = |n: usize| hold.saturating_add(step.saturating_mul(u32::try_from(n).unwrap_or(u32::MAX)));
        let until = (0..rungs).map(|k| (k >= level).then(|| after(k - level))).collect();
        Self { until, armed: after(rungs - level) }
    }
}

/// The gate that `docs/gate.md` shows the rules of.
#[cfg(test)]
pub(crate) fn sample() -> GateSpec {
    let net = |text: &str| text.parse().expect("a prefix");
    GateSpec {
        run: "20261122-1342-k3v9".into(),
        operator: "alice@example.com".into(),
        reason: "telemetry agent lists pods".into(),
        at: 1_790_000_000,
        side: Side::Server { ports: vec![6443] },
        allow: vec![
            Allow { net: net("192.0.2.10"), why: Why::Operator },
            Allow { net: net("192.0.2.2"), why: Why::Peer },
            Allow { net: net("2001:db8::2"), why: Why::Peer },
        ],
        balancer: None,
        answer: Reply::Reset,
        confirm_within: 30,
        hold: 900,
        step: 60,
        stages: vec![
            Stage::Set { name: "kubelets".into(), nets: vec![net("198.51.100.0/24")] },
            Stage::Share(25),
            Stage::Share(100),
        ],
        seed: 0xbeef,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is documented is what is written.
    #[test]
    fn the_documentation_shows_these_very_rules() {
        let docs = include_str!("../../../docs/gate.md");
        let all = rules(&sample(), BackEnd::Nft).into_iter().chain(rules(&sample(), BackEnd::IptablesNft));
        let (mark, times) = (sample().mark(), Times::confirmed(2, 0, 900, 60));
        let (run, by) = (mark.run.as_str(), sample().driver());
        let fuses = [nft::rearm(&mark, &times, run, &by, false), iptables::rearm(&mark, &times, run, &by)];
        let fuses = fuses.map(|t| ("confirm".to_owned(), t));
        // The IPv6 rules of iptables differ from the IPv4 ones in nothing worth a page.
        for (command, text) in all.filter(|(command, _)| !command.starts_with("ip6")).chain(fuses) {
            assert!(docs.contains(&format!("```\n{}\n```", text.trim_end())), "docs/gate.md, `{command}`:\n{text}");
        }
    }

    #[test]
    fn times_go_on_from_the_level_that_is_open() {
        let t = Times::confirmed(3, 1, 100, 10);
        assert_eq!((t.until, t.armed), (vec![None, Some(100), Some(110)], 120));
        let t = Times::confirmed(0, 0, 900, 60);
        assert_eq!((t.until, t.armed), (vec![], 900));
        let t = Times::confirmed(2, 9, u32::MAX, u32::MAX);
        assert_eq!((t.until, t.armed), (vec![None, None], u32::MAX));
    }

    #[test]
    fn a_last_stage_of_everybody_needs_no_fuse_of_its_own() {
        assert_eq!(sample().rungs().len(), 2);
        let who = sample().admission(2);
        assert_eq!((who.sets, who.percent, who.rate), (vec![0], 25, None));
        assert_eq!(sample().admission(0), Admission::default());
    }
}

//! Why a gate is not put up: pure, all reasons at once, before anything is written.

use std::collections::BTreeSet;

use super::{BackEnd, Found, GateSpec, Mark, Net, Rung, Scope, Side, Stage, Survey, Tool, Why, count};

/// A day: nobody means to shut an API for longer than that by a timer.
const LONGEST: u32 = 86_400;

/// One reason not to put up a gate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The gate would be about a port that SSH uses.
    #[error("port {0} is SSH's: closing it would cut the operator's own way in")]
    CutsSsh(u16),
    /// The host does not show where the operator comes from, and no address was given.
    #[error("the host does not show which address the operator comes from; name it with --allow-operator ADDRESS")]
    OperatorUnknown,
    /// The operator's address is not among those let through.
    #[error("the operator's address, as the host sees it, is {0} and would be shut out")]
    OperatorShutOut(std::net::IpAddr),
    /// There is no port at all to guard.
    #[error("no API port was found or given; name it with --port")]
    NoPort,
    /// Nothing listens there, no API server's process or manifest names it.
    #[error("nothing listens on port {0}{instead}", instead = api_elsewhere(.1))]
    NobodyListens(u16, Vec<u16>),
    /// An allowed range is the whole internet.
    #[error("{0} is the whole internet; name the addresses that are meant")]
    Everything(Net),
    /// A stage lets in less than the one before.
    #[error("stage {1} % lets in no more than the one before, {0} %")]
    GoesDown(u8, u8),
    /// A number of sources that is no greater than the one before.
    #[error("stage {} lets in no more than the one before, {}", Rung::Count(*.1), Rung::Count(*.0))]
    NoMoreSources(u32, u32),
    /// No source at all, or more than what every back end can count.
    #[error("{0} is no number of sources; take 1 to {most}, beyond that a share", most = count::MOST)]
    NotACount(u32),
    /// A share of nothing, or of more than everybody.
    #[error("{0} % is no share of the sources; take 1 to 100")]
    NotAShare(u8),
    /// A rate of zero, or above what every back end can count.
    #[error("{0} connections a second is no rate; take 1 to 10000")]
    NotARate(u32),
    /// A named set without addresses.
    #[error("the set `{0}` has no addresses")]
    EmptySet(String),
    /// A time of zero or over a day.
    #[error("{0} {1} s: take 1 second to 1 day")]
    BadTime(&'static str, u32),
    /// The kubelet cannot be told from the host's other processes here.
    #[error(
        "this host has no version 2 control groups, so its processes cannot be told apart; gate its pods by address"
    )]
    NoCgroups,
    /// Not the path of a control group below the root, or one with characters that rules cannot hold.
    #[error("`{0}` cannot be named in a rule; take a path such as system.slice/kubelet.service")]
    BadCgroup(String),
    /// Rules with our name that are not ours.
    #[error("rules named breakglass that carry no mark of this program are in {0}; look at them first")]
    Foreign(BackEnd),
    /// Another run's gate.
    #[error("the gate of run {} stands here, put up at {} by {}", .0.run, since_1970(.0.at), .0.by())]
    Held(Box<Mark>),
    /// This run's gate, and not the one that is asked for: how it differs.
    #[error("this run's gate stands here already, and another one is asked for ({}): nothing was closed or cut by this; one gate-close has to name all of it", .0.join("; "))]
    Another(Vec<String>),
    /// Nothing here can hold a gate; what each was found to lack.
    #[error("nothing on this host can hold a gate that ends by itself ({0})")]
    NoBackEnd(String),
    /// Another program holds the lock of x_tables.
    #[error("{0}")]
    Busy(String),
    /// The session has no right to write rules.
    #[error("rules need root; log in as root or with a user whose sudo asks nothing")]
    NotRoot,
}

/// Every reason not to put this gate up on this host. `known`: ports on which the operator's kit knows API servers here,
/// which nobody may listen on just now.
pub fn refuse(spec: &GateSpec, survey: &Survey, known: &[u16]) -> Vec<Refusal> {
    let mut all = refuse_spec(spec);
    if let Side::Server { ports } = &spec.side {
        let found: Vec<u16> = survey.api_ports().into_iter().collect();
        for port in ports {
            if survey.ssh_ports.contains(port) {
                all.push(Refusal::CutsSsh(*port));
            } else if !survey.listens(*port) && !found.contains(port) && !known.contains(port) {
                all.push(Refusal::NobodyListens(*port, found.clone()));
            }
        }
        match survey.operator {
            Some(addr) if !spec.allow.iter().any(|a| a.net.contains(addr)) => {
                all.push(Refusal::OperatorShutOut(addr));
            }
            None if !spec.allow.iter().any(|a| matches!(a.why, Why::Operator | Why::Named)) => {
                all.push(Refusal::OperatorUnknown);
            }
            _ => {}
        }
    }
    if cgroup(spec).is_some() && !survey.cgroup2 {
        all.push(Refusal::NoCgroups);
    }
    match &survey.gate {
        Some(Found { mark: None, back_end, .. }) => all.push(Refusal::Foreign(*back_end)),
        Some(Found { mark: Some(mark), stands: true, .. }) if mark.run != spec.run => {
            all.push(Refusal::Held(Box::new(mark.clone())));
        }
        Some(Found { mark: Some(mark), stands: true, .. }) => {
            let differs = mark.differs(&spec.mark());
            if !differs.is_empty() {
                all.push(Refusal::Another(differs));
            }
        }
        _ => {}
    }
    if !survey.root {
        all.push(Refusal::NotRoot);
    } else if survey.choose().is_none() {
        all.push(survey.busy.clone().map_or_else(|| Refusal::NoBackEnd(lacks(survey)), Refusal::Busy));
    }
    all
}

/// The reasons that need no look at a host.
pub fn refuse_spec(spec: &GateSpec) -> Vec<Refusal> {
    let mut all = Vec::new();
    if spec.ports().is_empty() {
        all.push(Refusal::NoPort);
    }
    if let Some(path) = cgroup(spec).filter(|p| !is_plain_path(p)) {
        all.push(Refusal::BadCgroup(path.to_owned()));
    }
    let balancer = spec.balancer.iter().flat_map(|b| b.nets.iter().copied());
    let named = spec.stages.iter().filter_map(|s| match s {
        Stage::Set { nets, .. } => Some(nets.iter().copied()),
        Stage::Share(_) | Stage::Rate(_) | Stage::Count(_) => None,
    });
    let scope = match &spec.side {
        Side::Client { scope: Scope::Sources(nets), .. } => nets.as_slice(),
        Side::Client { scope: Scope::All { .. } | Scope::Cgroup(_), .. } | Side::Server { .. } => &[],
    };
    let nets = spec.allow.iter().map(|a| a.net).chain(balancer).chain(named.flatten()).chain(scope.iter().copied());
    all.extend(nets.filter(|n| n.is_everything()).map(Refusal::Everything));
    let times = [("--confirm-within", spec.confirm_within), ("--for", spec.hold), ("--step", spec.step)];
    all.extend(times.into_iter().filter(|(_, t)| !(1..=LONGEST).contains(t)).map(|(n, t)| Refusal::BadTime(n, t)));
    let (mut highest, mut most) = (0, 0);
    for stage in &spec.stages {
        match stage {
            Stage::Share(percent) if !(1..=100).contains(percent) => all.push(Refusal::NotAShare(*percent)),
            Stage::Share(percent) if *percent <= highest => all.push(Refusal::GoesDown(highest, *percent)),
            Stage::Share(percent) => highest = *percent,
            Stage::Rate(rate) if !(1..=10_000).contains(rate) => all.push(Refusal::NotARate(*rate)),
            Stage::Count(sources) if !(1..=count::MOST).contains(sources) => all.push(Refusal::NotACount(*sources)),
            Stage::Count(sources) if *sources <= most => all.push(Refusal::NoMoreSources(most, *sources)),
            Stage::Count(sources) => most = *sources,
            Stage::Set { name, nets } if nets.is_empty() => all.push(Refusal::EmptySet(name.clone())),
            Stage::Rate(_) | Stage::Set { .. } => {}
        }
    }
    if let Some(balancer) = spec.balancer.as_ref().filter(|b| !(1..=10_000).contains(&b.per_second)) {
        all.push(Refusal::NotARate(balancer.per_second));
    }
    all
}

/// The control group that the rules of this gate name.
fn cgroup(spec: &GateSpec) -> Option<&str> {
    match &spec.side {
        Side::Client { scope: Scope::Cgroup(path) | Scope::All { spare_cgroup: Some(path) }, .. } => Some(path),
        Side::Client { scope: Scope::Sources(_) | Scope::All { spare_cgroup: None }, .. } | Side::Server { .. } => None,
    }
}

/// The path stands between double quotes in nftables and iptables files, where a backslash means something else in each.
fn is_plain_path(path: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._@:-/".contains(c);
    !path.is_empty() && path.chars().all(plain) && path.split('/').all(|part| !part.is_empty() && part != "..")
}

fn lacks(survey: &Survey) -> String {
    let one = |name: &str| match survey.tool(name) {
        Tool { error: Some(error), .. } => format!("{name}: {error}"),
        Tool { works: true, .. } => format!("{name}: works"),
        Tool { works: false, .. } => format!("{name}: not there"),
    };
    // Each back end's own program first, then what several of them need.
    let besides: BTreeSet<&str> = BackEnd::ALL.into_iter().flat_map(|b| b.needs().skip(1)).collect();
    let all: Vec<String> = BackEnd::ALL.map(BackEnd::word).into_iter().chain(besides).map(one).collect();
    all.join("; ")
}

/// What is there instead where nothing listens.
fn api_elsewhere(found: &[u16]) -> String {
    match found {
        [] => ", and no API server's process or manifest is on this host".to_owned(),
        found => format!("; the API servers here have {found:?}"),
    }
}

fn since_1970(secs: u64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(i64::try_from(secs).unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::IpAddr;

    use super::*;
    use crate::host::gate::{ApiProcess, Listener, sample};

    fn host() -> Survey {
        let works = Tool { works: true, v6: true, error: None };
        Survey {
            root: true,
            operator: Some(IpAddr::from([192, 0, 2, 10])),
            ssh_ports: [22].into(),
            tools: BTreeMap::from([("nft".to_owned(), works)]),
            api: vec![ApiProcess { pid: 7, port: 6443 }],
            listeners: vec![Listener { port: 6443, v6: true, process: Some("kube-apiserver".into()) }],
            has_ss: true,
            ..Survey::default()
        }
    }

    #[test]
    fn a_sound_gate_on_a_sound_host_is_not_refused() {
        assert_eq!(refuse(&sample(), &host(), &[]), []);
        // A crash-looping API server does not listen, and that is when it needs a gate.
        let survey = Survey { listeners: Vec::new(), ..host() };
        assert_eq!(refuse(&sample(), &survey, &[]), []);
        // One that was just killed leaves nothing but the kit's word.
        let survey = Survey { api: Vec::new(), ..survey };
        assert_eq!(refuse(&sample(), &survey, &[6443]), []);
        assert_eq!(refuse(&sample(), &survey, &[]), [Refusal::NobodyListens(6443, Vec::new())]);
        // A gate of this very run, and one that has run out, are in nobody's way.
        for (run, stands) in [("20261122-1342-k3v9", true), ("another", false)] {
            let mark = Mark { run: run.into(), ..sample().mark() };
            let gate = Some(Found { back_end: BackEnd::Nft, mark: Some(mark), stands });
            assert_eq!(refuse(&sample(), &Survey { gate, ..host() }, &[]), []);
        }
    }

    #[test]
    fn this_run_s_gate_is_no_answer_to_another_wish() {
        let standing = Some(Found { back_end: BackEnd::Nft, mark: Some(sample().mark()), stands: true });
        let survey = Survey { gate: standing, ..host() };
        let changed = |change: &dyn Fn(&mut GateSpec)| {
            let mut spec = sample();
            change(&mut spec);
            refuse(&spec, &survey, &[6443, 8443])
        };
        let net = |text: &str| text.parse::<Net>().unwrap();
        // What a look adds by itself may have changed since, and so may the order of what was given.
        let same: [&dyn Fn(&mut GateSpec); 4] = [
            &|_| {},
            &|spec| spec.allow.push(crate::host::gate::Allow { net: net("192.0.2.77"), why: Why::Found }),
            &|spec| spec.allow.retain(|a| a.why != Why::Peer),
            &|spec| (spec.at, spec.confirm_within) = (7, 60),
        ];
        for change in same {
            assert_eq!(changed(change), []);
        }
        let another: [(&str, &dyn Fn(&mut GateSpec)); 10] = [
            ("ports: 6443 there, 6443, 8443 asked for", &|spec| spec.side = Side::Server { ports: vec![8443, 6443] }),
            ("ports: 6443 there, 8443 asked for", &|spec| spec.side = Side::Server { ports: vec![8443] }),
            ("stages before everybody: kubelets, 25 % there, 25 %", &|spec| drop(spec.stages.remove(0))),
            ("for: 900 s there, 60 s asked for", &|spec| spec.hold = 60),
            ("step: 60 s there, 61 s asked for", &|spec| spec.step = 61),
            ("answer", &|spec| spec.answer = crate::host::gate::Reply::Silence),
            ("allowed", &|spec| spec.allow.push(crate::host::gate::Allow { net: net("10.9.9.9"), why: Why::Asked })),
            ("allowed", &|spec| spec.allow.push(crate::host::gate::Allow { net: net("10.9.9.9"), why: Why::Named })),
            ("balancer", &|spec| {
                spec.balancer = Some(crate::host::gate::Balancer { nets: vec![net("10.9.9.9")], per_second: 5 });
            }),
            ("side", &|spec| {
                let endpoints = vec!["192.0.2.2:6443".parse().unwrap()];
                spec.side = Side::Client { endpoints, service: Vec::new(), scope: Scope::All { spare_cgroup: None } };
            }),
        ];
        for (part, change) in another {
            let all = changed(change);
            assert!(
                matches!(all.as_slice(), [Refusal::Another(_)]) && all[0].to_string().contains(part),
                "{part}: {all:?}"
            );
        }
    }

    #[test]
    fn every_fault_of_a_gate_is_named_at_once() {
        let mut spec = sample();
        spec.side = Side::Server { ports: vec![22, 7777] };
        spec.allow[0].net = "0.0.0.0/0".parse().unwrap();
        (spec.hold, spec.confirm_within, spec.step) = (0, 86_401, 60);
        spec.stages = vec![Stage::Share(25), Stage::Share(5), Stage::Share(101), Stage::Rate(0)];
        spec.stages.extend([Stage::Count(5), Stage::Count(1), Stage::Count(0), Stage::Count(1001)]);
        spec.stages.push(Stage::Set { name: "kubelets".into(), nets: Vec::new() });
        let everything = spec.allow[0].net;
        let want = [
            Refusal::Everything(everything),
            Refusal::BadTime("--confirm-within", 86_401),
            Refusal::BadTime("--for", 0),
            Refusal::GoesDown(25, 5),
            Refusal::NotAShare(101),
            Refusal::NotARate(0),
            Refusal::NoMoreSources(5, 1),
            Refusal::NotACount(0),
            Refusal::NotACount(1001),
            Refusal::EmptySet("kubelets".into()),
            Refusal::CutsSsh(22),
            Refusal::NobodyListens(7777, vec![6443]),
        ];
        assert_eq!(refuse(&spec, &host(), &[]), want);
        assert!(want.iter().all(|r| !r.to_string().is_empty() && !r.to_string().contains('\n')));
    }

    #[test]
    fn what_the_host_is_or_holds_is_reason_enough() {
        let one = |survey: Survey| {
            let all = refuse(&sample(), &survey, &[]);
            assert_eq!(all.len(), 1, "{all:?}");
            all[0].to_string()
        };
        let far = Some(IpAddr::from([198, 51, 100, 7]));
        assert!(one(Survey { operator: far, ..host() }).contains("198.51.100.7 and would be shut out"));
        assert!(one(Survey { root: false, ..host() }).contains("root"));
        let broken = Tool { error: Some("Operation not supported".into()), ..Tool::default() };
        let tools = BTreeMap::from([("nft".to_owned(), broken)]);
        assert!(
            one(Survey { tools, ..host() }).contains(
                "nft: Operation not supported; iptables-nft: not there; iptables-legacy: not there; ipset: not"
            )
        );
        let busy = Some("process 7 (kube-proxy) holds the lock".to_owned());
        let told = one(Survey { tools: BTreeMap::new(), busy: busy.clone(), ..host() });
        assert_eq!(Some(told), busy, "a lock is no lack");
        assert_eq!(refuse(&sample(), &Survey { busy, ..host() }, &[]), []);
        let found = |mark| Some(Found { back_end: BackEnd::Nft, mark, stands: true });
        assert!(one(Survey { gate: found(None), ..host() }).contains("no mark of this program"));
        let mark = Mark { run: "r7".into(), operator: "bob".into(), ..sample().mark() };
        let held = one(Survey { gate: found(Some(mark)), ..host() });
        assert!(held.contains("run r7") && held.contains("bob") && held.contains("2026-09-21T14:13:20Z"), "{held}");
    }

    #[test]
    fn a_control_group_cannot_smuggle_in_a_rule() {
        let mut spec = sample();
        for (path, good) in [
            ("system.slice/kubelet.service", true),
            ("/system.slice", false),
            ("a\" accept; }", false),
            ("a\nflush ruleset", false),
            ("a/../b", false),
            ("", false),
        ] {
            let api = vec!["192.0.2.1:6443".parse().unwrap()];
            spec.side = Side::Client { endpoints: api, service: Vec::new(), scope: Scope::Cgroup(path.into()) };
            assert_eq!(refuse_spec(&spec).is_empty(), good, "{path}");
        }
    }
}

//! What the kernel is given: the sets as `ipset restore` reads them, chains and jumps as `iptables-restore` does.

use std::fmt::Write;
use std::net::Ipv4Addr;

use crate::host::gate::share::{End, bytecode};
use crate::host::gate::{Driver, GateSpec, Net, Reply, Scope, Side, Stage, Times, count};

const SYN: &str = "-p tcp --syn";

/// Which end of a packet is the client, seen from a chain.
#[derive(Clone, Copy)]
struct Way {
    /// The client's end, as ipset and the hash name it.
    end: &'static str,
    hashed: End,
    /// The API's end.
    api: &'static str,
    /// First part of the level chains' names.
    level: &'static str,
    /// The chain that refuses.
    no: &'static str,
}

const FROM: Way = Way { end: "src", hashed: End::Source, api: "dst", level: "BREAKGLASS-L", no: "BREAKGLASS-NO" };
const TO: Way = Way { end: "dst", hashed: End::Destination, api: "src", level: "BREAKGLASS-B", no: "BREAKGLASS-BACK" };

/// The sets, to be loaded with `ipset restore`: fuses first, their time running.
pub(in crate::host::gate) fn sets(spec: &GateSpec) -> String {
    let mut lines = Vec::new();
    let ports = spec.ports();
    let (low, high) = (ports.first().copied().unwrap_or(0), ports.last().copied().unwrap_or(0));
    let times = Times::unconfirmed(spec.rungs().len(), spec.confirm_within);
    let fuse = |lines: &mut Vec<String>, name: &str, seconds: u32| {
        lines.push(format!("create {name} bitmap:port range {low}-{high} timeout {seconds}"));
        lines.extend(ports.iter().map(|p| format!("add {name} {p}")));
    };
    fuse(&mut lines, "bg_armed", times.armed);
    for (k, seconds) in times.until.iter().enumerate() {
        fuse(&mut lines, &format!("bg_until_{}", k + 1), seconds.unwrap_or(0));
    }
    lines.push(format!("create bg_confirmed bitmap:port range {low}-{high}"));
    lines.push("create bg_driver hash:ip family inet comment".to_owned());
    lines.push(driver("bg_driver", &spec.run, &spec.driver()));
    for v6 in [false, true] {
        let (tail, family) = if v6 { ('6', "inet6") } else { ('4', "inet") };
        let nets = |lines: &mut Vec<String>, name: &str, all: &[Net]| {
            lines.push(format!("create {name}{tail} hash:net family {family}"));
            lines.extend(all.iter().filter(|n| n.is_v6() == v6).map(|n| format!("add {name}{tail} {n} -exist")));
        };
        nets(&mut lines, "bg_allow", &spec.allowed(v6));
        for (k, stage) in spec.rungs().iter().enumerate() {
            if let Stage::Set { nets: all, .. } = stage {
                nets(&mut lines, &format!("bg_stage_{}_", k + 1), all);
            }
        }
        for (k, places) in spec.places() {
            let end = format!("{}_{tail}", k + 1);
            lines.push(format!("create bg_stage_{end} hash:ip family {family} maxelem {places}"));
            lines.push(format!("create bg_knocks_{end} bitmap:port range {low}-{high} counters"));
            lines.extend(ports.iter().map(|p| format!("add bg_knocks_{end} {p}")));
        }
        if let Some(balancer) = &spec.balancer {
            nets(&mut lines, "bg_balancer", &balancer.nets);
        }
        if let Side::Client { endpoints, service, scope } = &spec.side {
            lines.push(format!("create bg_api{tail} hash:ip,port family {family}"));
            let own = endpoints.iter().chain(service).filter(|e| e.is_ipv6() == v6);
            lines.extend(own.map(|e| format!("add bg_api{tail} {},tcp:{} -exist", e.ip(), e.port())));
            if let Scope::Sources(all) = scope {
                nets(&mut lines, "bg_scope", all);
            }
        }
        lines.push(format!("create bg_talkers{tail} hash:ip family {family} counters timeout 60 maxelem 65535"));
    }
    lines.join("\n")
}

struct Table {
    v6: bool,
    chains: Vec<String>,
    rules: Vec<String>,
}

impl Table {
    fn chain(&mut self, name: &str) {
        self.chains.push(format!(":{name} - [0:0]"));
    }

    fn rule(&mut self, chain: &str, rest: &str) {
        self.rules.push(format!("-A {chain} {rest}"));
    }

    fn tail(&self) -> char {
        if self.v6 { '6' } else { '4' }
    }
}

/// One family's chains and jumps, to be loaded with `iptables-restore --noflush`: one commit, others' rules stay.
pub(in crate::host::gate) fn table(spec: &GateSpec, v6: bool) -> String {
    let mut t = Table { v6, chains: Vec::new(), rules: Vec::new() };
    t.chain("BREAKGLASS-OWNER");
    for comment in spec.mark().comments() {
        t.rule("BREAKGLASS-OWNER", &format!("-m comment --comment \"{comment}\" -j RETURN"));
    }
    verdicts(&mut t, spec);
    levels(&mut t, spec, FROM);
    gate(&mut t, spec, FROM, "BREAKGLASS-GATE");
    if matches!(spec.side, Side::Server { .. }) {
        levels(&mut t, spec, TO);
        gate(&mut t, spec, TO, "BREAKGLASS-BACKGATE");
    }
    jumps(&mut t, spec);
    let mut text = String::from("*filter\n");
    for line in t.chains.iter().chain(&t.rules) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{line}");
    }
    text.push_str("COMMIT");
    text
}

fn verdicts(t: &mut Table, spec: &GateSpec) {
    t.chain("BREAKGLASS-YES");
    t.rule("BREAKGLASS-YES", &format!("{SYN} -j RETURN"));
    t.chain("BREAKGLASS-NO");
    let answer = match spec.answer {
        Reply::Reset => "-p tcp -j REJECT --reject-with tcp-reset",
        Reply::Silence => "-j DROP",
    };
    t.rule("BREAKGLASS-NO", answer);
    if matches!(spec.side, Side::Server { .. }) {
        t.chain("BREAKGLASS-BACK");
        t.rule("BREAKGLASS-BACK", "-p tcp -j REJECT --reject-with tcp-reset");
    }
}

fn levels(t: &mut Table, spec: &GateSpec, way: Way) {
    let places = spec.places();
    for level in 0..=spec.rungs().len() {
        let who = spec.admission(level);
        let chain = format!("{}{level}", way.level);
        t.chain(&chain);
        for k in who.sets.iter().chain(&who.counts) {
            let set = format!("bg_stage_{}_{}", k + 1, t.tail());
            t.rule(&chain, &format!("-m set --match-set {set} {} -g BREAKGLASS-YES", way.end));
        }
        if who.percent > 0 {
            let program = bytecode(t.v6, way.hashed, spec.seed, who.percent);
            t.rule(&chain, &format!("-m bpf --bytecode \"{program}\" -g BREAKGLASS-YES"));
        }
        for (k, places) in places.iter().filter(|(k, _)| way.end == "src" && who.counts.contains(k)) {
            let (end, knocks) = (format!("{}_{}", k + 1, t.tail()), count::knocks(*places));
            let few = format!("{SYN} -m set --match-set bg_knocks_{end} {} --packets-lt {knocks}", way.api);
            t.rule(&chain, &format!("{few} -j SET --add-set bg_stage_{end} src"));
            t.rule(&chain, &format!("{SYN} -m set --match-set bg_stage_{end} src -g BREAKGLASS-YES"));
        }
        match who.rate {
            Some(rate) if way.end == "src" => {
                t.rule(&chain, &format!("{SYN} -m limit --limit {rate}/sec --limit-burst {rate} -g BREAKGLASS-YES"));
                t.rule(&chain, &format!("{SYN} -g {}", way.no));
            }
            Some(_) => {}
            None => t.rule(&chain, &format!("-g {}", way.no)),
        }
    }
}

fn gate(t: &mut Table, spec: &GateSpec, way: Way, chain: &str) {
    t.chain(chain);
    let tail = t.tail();
    let arriving = matches!(spec.side, Side::Server { .. }) && way.end == "src";
    t.rule(chain, if arriving { "-i lo -j RETURN" } else { "-o lo -j RETURN" });
    t.rule(chain, "-p tcp --tcp-flags RST RST -j RETURN");
    t.rule(chain, &format!("-m set --match-set bg_allow{tail} {} -g BREAKGLASS-YES", way.end));
    if let Some(balancer) = &spec.balancer {
        let from = format!("-m set --match-set bg_balancer{tail} {}", way.end);
        if way.end == "src" {
            let rate = balancer.per_second;
            t.rule(chain, &format!("{from} {SYN} -m limit --limit {rate}/sec --limit-burst {rate} -g BREAKGLASS-YES"));
            t.rule(chain, &format!("{from} {SYN} -g {}", way.no));
        }
        t.rule(chain, &format!("{from} -j RETURN"));
    }
    if way.end == "src" {
        // The first look counts a talker that is known already, the second makes a new one known.
        t.rule(chain, &format!("{SYN} -m set --match-set bg_talkers{tail} src"));
        t.rule(
            chain,
            &format!("{SYN} -m set ! --match-set bg_talkers{tail} src -j SET --add-set bg_talkers{tail} src"),
        );
        t.rule(chain, &format!("{SYN} -m comment --comment \"breakglass attempts\""));
    }
    for k in 0..spec.rungs().len() {
        t.rule(chain, &format!("-p tcp -m set --match-set bg_until_{} {} -g {}{k}", k + 1, way.api, way.level));
    }
    t.rule(chain, &format!("-g {}{}", way.level, spec.rungs().len()));
}

/// Before all other rules of the hook, because a rule of another program may accept for good.
fn jumps(t: &mut Table, spec: &GateSpec) {
    let tail = t.tail();
    let mut jump = |hook: &str, rest: &str| t.rules.push(format!("-I {hook} 1 -p tcp {rest}"));
    match &spec.side {
        Side::Server { .. } => {
            jump("INPUT", "-m set --match-set bg_armed dst -j BREAKGLASS-GATE");
            jump("OUTPUT", "-m set --match-set bg_armed src -j BREAKGLASS-BACKGATE");
        }
        Side::Client { scope, .. } => {
            let to_api =
                format!("-m set --match-set bg_api{tail} dst,dst -m set --match-set bg_armed dst -j BREAKGLASS-GATE");
            match scope {
                Scope::All { spare_cgroup } => {
                    let spare = spare_cgroup.as_ref().map(|path| format!("-m cgroup ! --path \"{path}\" "));
                    jump("OUTPUT", &format!("{}{to_api}", spare.unwrap_or_default()));
                    jump("FORWARD", &to_api);
                }
                Scope::Sources(_) => {
                    let from = format!("-m set --match-set bg_scope{tail} src {to_api}");
                    jump("OUTPUT", &from);
                    jump("FORWARD", &from);
                }
                Scope::Cgroup(path) => jump("OUTPUT", &format!("-m cgroup --path \"{path}\" {to_api}")),
            }
        }
    }
}

/// The line that puts the fuses of the gate of `of` into a run's hands: sets hold no numbers, so an address stands for it.
pub(super) fn driver(set: &str, of: &str, by: &Driver) -> String {
    format!("add {set} {} comment \"{}\" -exist", Ipv4Addr::from(by.key(of)), by.comment())
}

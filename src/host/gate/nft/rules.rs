//! The table as `nft -f` reads it: sets, chains and hooks, refusing nobody yet.

use std::fmt::Write;
use std::net::SocketAddr;

use crate::host::gate::{Driver, GateSpec, Mark, NAME, Net, Reply, Scope, Side, Stage};

/// Before the filter chains of others (priority 0 and later), after connection tracking and address translation (-200, -100):
/// an address of the `kubernetes` service has become an API server's own by then.
const PRIORITY: &str = "filter - 10";

/// A new connection's first packet.
const SYN: &str = "tcp flags & (fin | syn | rst | ack) == syn";

/// One address family, as nft spells it.
struct Family {
    v6: bool,
    /// `ip` or `ip6`.
    word: &'static str,
    /// Suffix of set names.
    tail: char,
    /// The sets' type.
    kind: &'static str,
}

const FAMILIES: [Family; 2] = [
    Family { v6: false, word: "ip", tail: '4', kind: "ipv4_addr" },
    Family { v6: true, word: "ip6", tail: '6', kind: "ipv6_addr" },
];

/// The end of a packet's way that is the client, seen from a chain.
#[derive(Clone, Copy)]
enum Way {
    /// Packets from a client.
    From,
    /// Packets to a client.
    To,
}

impl Way {
    fn addr(self) -> &'static str {
        match self {
            Self::From => "saddr",
            Self::To => "daddr",
        }
    }

    /// The port of the API server on this way.
    fn port(self) -> &'static str {
        match self {
            Self::From => "dport",
            Self::To => "sport",
        }
    }

    /// Prefix of chain names.
    fn chain(self) -> &'static str {
        match self {
            Self::From => "",
            Self::To => "back_",
        }
    }
}

struct Text(String);

impl Text {
    fn line(&mut self, depth: usize, text: impl AsRef<str>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{}{}", "\t".repeat(depth), text.as_ref());
    }

    fn open(&mut self, text: impl AsRef<str>) {
        self.line(1, format!("{} {{", text.as_ref()));
    }

    fn close(&mut self) {
        self.line(1, "}");
    }
}

/// The whole table, refusing nobody yet, to be loaded with `nft -f`; it fails as a whole if there is one of this name.
pub(in crate::host::gate) fn ruleset(spec: &GateSpec) -> String {
    let mut t = Text(String::new());
    t.line(0, format!("create table inet {NAME}"));
    t.line(0, format!("table inet {NAME} {{"));
    owner(&mut t, &spec.mark());
    for counter in ["attempts", "admitted", "refused", "returned"] {
        t.line(1, format!("counter {counter} {{ }}"));
    }
    sets(&mut t, spec);
    verdicts(&mut t, spec);
    levels(&mut t, spec, Way::From);
    gate(&mut t, spec, Way::From);
    match &spec.side {
        Side::Server { .. } => {
            levels(&mut t, spec, Way::To);
            gate(&mut t, spec, Way::To);
            hook(&mut t, "input", &["tcp dport @armed jump gate".to_owned()]);
            hook(&mut t, "output", &["tcp sport @armed jump back_gate".to_owned()]);
        }
        Side::Client { scope, .. } => client_hooks(&mut t, scope),
    }
    t.line(0, "}");
    t.0
}

fn owner(t: &mut Text, mark: &Mark) {
    t.open("chain owner");
    for comment in mark.comments() {
        t.line(2, format!("return comment \"{comment}\""));
    }
    t.close();
}

fn elements<T: ToString>(items: &[T]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    format!(" elements = {{ {} }}", items.join(", "))
}

fn nets(t: &mut Text, name: &str, all: &[Net]) {
    for f in FAMILIES {
        let own: Vec<Net> = all.iter().copied().filter(|n| n.is_v6() == f.v6).collect();
        let (tail, kind) = (f.tail, f.kind);
        t.line(1, format!("set {name}{tail} {{ type {kind}; flags interval; auto-merge;{} }}", elements(&own)));
    }
}

fn sets(t: &mut Text, spec: &GateSpec) {
    t.line(1, format!("set driver {{ type mark; elements = {{ {} }} }}", driver(&spec.run, &spec.driver())));
    t.line(1, "set confirmed { type inet_service; }");
    fuse(t, "armed");
    for k in 1..=spec.rungs().len() {
        fuse(t, &format!("until_{k}"));
    }
    let allowed: Vec<Net> = [false, true].into_iter().flat_map(|v6| spec.allowed(v6)).collect();
    nets(t, "allow", &allowed);
    for (k, stage) in spec.rungs().iter().enumerate() {
        if let Stage::Set { nets: all, .. } = stage {
            nets(t, &format!("stage_{}_", k + 1), all);
        }
    }
    for (k, places) in spec.places() {
        for f in FAMILIES {
            t.line(1, format!("set stage_{}_{} {{ type {}; flags dynamic; size {places}; }}", k + 1, f.tail, f.kind));
        }
    }
    if let Some(balancer) = &spec.balancer {
        nets(t, "balancer", &balancer.nets);
    }
    if let Side::Client { endpoints, service, scope } = &spec.side {
        for f in FAMILIES {
            let own = endpoints.iter().chain(service).filter(|e| e.is_ipv6() == f.v6);
            let own: Vec<String> = own.map(|e: &SocketAddr| format!("{} . {}", e.ip(), e.port())).collect();
            t.line(1, format!("set api{} {{ type {} . inet_service;{} }}", f.tail, f.kind, elements(&own)));
        }
        if let Scope::Sources(all) = scope {
            nets(t, "scope", all);
        }
    }
    for f in FAMILIES {
        // A full set makes the rule that fills it fail, and no packet's fate hangs on that rule.
        let flags = "flags dynamic,timeout; timeout 60s; size 65535; counter;";
        t.line(1, format!("set talkers{} {{ type {}; {flags} }}", f.tail, f.kind));
    }
}

fn fuse(t: &mut Text, name: &str) {
    t.line(1, format!("set {name} {{ type inet_service; flags timeout; }}"));
}

fn verdicts(t: &mut Text, spec: &GateSpec) {
    let answer = match spec.answer {
        Reply::Reset => "reject with tcp reset",
        Reply::Silence => "drop",
    };
    t.open("chain admit");
    t.line(2, format!("{SYN} counter name admitted"));
    t.line(2, "accept");
    t.close();
    t.open("chain refuse");
    t.line(2, "counter name refused");
    t.line(2, answer);
    t.close();
    if matches!(spec.side, Side::Server { .. }) {
        // The reset of this one goes to the server's own socket, which frees what the refused client still holds.
        t.open("chain back_refuse");
        t.line(2, "counter name returned");
        t.line(2, "reject with tcp reset");
        t.close();
    }
}

/// One chain per level: who is let in there; the last line is for everybody else.
fn levels(t: &mut Text, spec: &GateSpec, way: Way) {
    let (chain, addr) = (way.chain(), way.addr());
    let yes = match way {
        Way::From => "goto admit",
        Way::To => "accept",
    };
    for level in 0..=spec.rungs().len() {
        let who = spec.admission(level);
        t.open(format!("chain {chain}level_{level}"));
        for k in who.sets.iter().chain(&who.counts) {
            for f in FAMILIES {
                t.line(2, format!("{} {addr} @stage_{}_{} {yes}", f.word, k + 1, f.tail));
            }
        }
        if who.percent > 0 {
            for f in FAMILIES {
                let hash = format!("jhash {} {addr} mod 100 seed {:#x}", f.word, spec.seed);
                t.line(2, format!("{hash} < {} {yes}", who.percent));
            }
        }
        if matches!(way, Way::From) {
            // A full set makes the rule end here, and the packet goes on to the next one.
            for k in &who.counts {
                for f in FAMILIES {
                    t.line(2, format!("{SYN} add @stage_{}_{} {{ {} {addr} }} {yes}", k + 1, f.tail, f.word));
                }
            }
        }
        match (who.rate, way) {
            (Some(rate), Way::From) => {
                t.line(2, format!("{SYN} limit rate over {rate}/second burst {rate} packets goto refuse"));
                t.line(2, yes);
            }
            // Whoever got a connection keeps it.
            (Some(_), Way::To) => t.line(2, yes),
            (None, _) => t.line(2, format!("goto {chain}refuse")),
        }
        t.close();
    }
}

/// The way every packet of the gate's ports takes while the gate stands.
fn gate(t: &mut Text, spec: &GateSpec, way: Way) {
    let (chain, addr) = (way.chain(), way.addr());
    t.open(format!("chain {chain}gate"));
    // A controller manager or a scheduler beside the API server comes this way, whichever of the host's addresses it uses.
    let arriving = matches!((&spec.side, way), (Side::Server { .. }, Way::From));
    t.line(2, if arriving { "iif \"lo\" accept" } else { "oif \"lo\" accept" });
    // A reset opens nothing, and it is what ends the other side's socket.
    t.line(2, "tcp flags & rst == rst accept");
    let yes = if matches!(way, Way::From) { "goto admit" } else { "accept" };
    for f in FAMILIES {
        t.line(2, format!("{} {addr} @allow{} {yes}", f.word, f.tail));
    }
    if let Some(balancer) = &spec.balancer {
        for f in FAMILIES {
            let from = format!("{} {addr} @balancer{}", f.word, f.tail);
            if matches!(way, Way::From) {
                let over = format!("limit rate over {}/second burst {0} packets", balancer.per_second);
                t.line(2, format!("{from} {SYN} {over} goto refuse"));
            }
            t.line(2, format!("{from} {yes}"));
        }
    }
    if matches!(way, Way::From) {
        t.line(2, format!("{SYN} counter name attempts"));
        for f in FAMILIES {
            t.line(2, format!("{SYN} update @talkers{} {{ {} saddr }}", f.tail, f.word));
        }
    }
    for k in 0..spec.rungs().len() {
        t.line(2, format!("tcp {} @until_{} goto {chain}level_{k}", way.port(), k + 1));
    }
    t.line(2, format!("goto {chain}level_{}", spec.rungs().len()));
    t.close();
}

fn hook(t: &mut Text, name: &str, rules: &[String]) {
    t.open(format!("chain {name}"));
    t.line(2, format!("type filter hook {name} priority {PRIORITY}; policy accept;"));
    for rule in rules {
        t.line(2, rule);
    }
    t.close();
}

/// On a node: what the host itself sends, and what its pods send through it.
fn client_hooks(t: &mut Text, scope: &Scope) {
    let to_api = |before: &str| -> Vec<String> {
        let one =
            |f: &Family| format!("{before}{0} daddr . tcp dport @api{1} tcp dport @armed jump gate", f.word, f.tail);
        FAMILIES.iter().map(one).collect()
    };
    let from_scope = || -> Vec<String> {
        let one = |f: &Family| {
            let from = format!("{0} saddr @scope{1}", f.word, f.tail);
            format!("{from} {0} daddr . tcp dport @api{1} tcp dport @armed jump gate", f.word, f.tail)
        };
        FAMILIES.iter().map(one).collect()
    };
    let in_group = |path: &str| format!("socket cgroupv2 level {} \"{path}\" ", path.split('/').count());
    match scope {
        Scope::All { spare_cgroup } => {
            let mut output: Vec<String> = Vec::new();
            output.extend(spare_cgroup.iter().map(|path| format!("{}accept", in_group(path))));
            output.extend(to_api(""));
            hook(t, "output", &output);
            hook(t, "forward", &to_api(""));
        }
        Scope::Sources(_) => {
            hook(t, "output", &from_scope());
            hook(t, "forward", &from_scope());
        }
        Scope::Cgroup(path) => hook(t, "output", &to_api(&in_group(path))),
    }
}

/// The element of the `driver` set that stands for a run at work on the gate of `of`.
pub(super) fn driver(of: &str, by: &Driver) -> String {
    format!("{:#010x} comment \"{}\"", by.key(of), by.comment())
}

//! The gate in nftables: one table of our own, written in one transaction.

use std::fmt::Write;
use std::net::SocketAddr;

use super::filter::{Filter, Toolset};
use super::mark::{key, run_field};
use super::{Driver, GateSpec, Manager, Mark, NAME, Net, Reply, Scope, Side, Stage, Times, Turn, count};
use crate::shell::quote;

/// Before the filter chains of others (priority 0 and later), after connection tracking and address translation (-200, -100):
/// an address of the `kubernetes` service has become an API server's own by then.
const PRIORITY: &str = "filter - 10";

/// A new connection's first packet.
const SYN: &str = "tcp flags & (fin | syn | rst | ack) == syn";

/// Shell functions that look at our table. `nft -t` leaves out what is in the sets.
const LIB: &str = r#"nft_there() { have nft && nft -t list table inet breakglass >/dev/null 2>&1; }
nft_handle() { nft -t -a list table inet breakglass 2>/dev/null | sed -n '1s/.*# handle \([0-9][0-9]*\).*/\1/p'; }
nft_owner() { nft list chain inet breakglass owner 2>/dev/null | sed -n 's/.*comment "breakglass\/1 \([^"]*\)".*/\1/p' | tr '\n' ' '; }
nft_driver() { nft list set inet breakglass driver 2>/dev/null | sed -n 's/.*comment "\([^"]*\)".*/\1/p'; }
nft_burns() { nft list set inet breakglass "$1" 2>/dev/null | grep -q expires; }
nft_alive() { nft_burns armed; }
nft_load() { printf '%s\n' "$1" | nft -f - 2>&1; }
"#;

/// Loads a table of every construct the gate uses into the kernel's checker (`-c`), which throws it away again.
const NFT_TRY: &str = r#"nft_try() { printf '%s\n' 'table inet breakglass_try {
set s { type inet_service; flags timeout; elements = { 1 timeout 1s } }
set d { type mark; elements = { 0x1 comment "run=x" } }
set t { type ipv4_addr; flags dynamic,timeout; timeout 60s; size 16; counter; }
set n { type ipv4_addr; flags dynamic; size 1; }
chain r { reject with tcp reset
}
chain c { type filter hook input priority filter - 10; policy accept;
tcp flags & (fin | syn | rst | ack) == syn update @t { ip saddr }
tcp flags & (fin | syn | rst | ack) == syn add @n { ip saddr } goto r
tcp dport @s jhash ip6 saddr mod 100 seed 0x1 < 5 goto r
}
}' | nft -c -f - 2>&1; }
"#;

/// How a host is asked for nftables.
pub(super) static TOOLSET: Toolset = Toolset {
    lib: LIB,
    tries: NFT_TRY,
    works: r#"nft_error='not on this host'
if have nft; then
  say nft.version "$(nft --version 2>/dev/null)"
  nft_error=$(nft_try)
  [ -n "$nft_error" ] || say nft yes
fi
say nft.error "$nft_error"
"#,
    there: "nft_there",
    found: r#"  say gate nft
  say gate_owner "$(nft_owner)"
  nft_alive && say gate_alive yes
"#,
    status: r#"if nft_there; then
  say back_end nft
  say owner "$(nft_owner)"
  say driver "$(nft_driver)"
  for set in armed confirmed $(nft -t list table inet breakglass | sed -n 's/^[[:space:]]*set \(until_[0-9]*\) {$/\1/p'); do
    say "set.$set" "$(nft list set inet breakglass "$set" 2>/dev/null)"
  done
  say counters "$(nft list counters table inet breakglass 2>/dev/null)"
  for family in 4 6; do nft list set inet breakglass talkers$family 2>/dev/null; done | tr ',{}' '\n\n\n' |
    talkers 's/^[[:space:]]*\([0-9a-f.:]*\) .*counter packets \([0-9]*\) .*/\2 \1/p'
  return 0
fi
"#,
    look: "nft list table inet breakglass",
};

/// nftables, as a back end.
pub(super) struct Nft;

impl Filter for Nft {
    fn word(&self) -> &'static str {
        "nft"
    }

    fn toolset(&self) -> &'static Toolset {
        &TOOLSET
    }

    fn functions(&self) -> &'static str {
        "nft"
    }

    fn ready(&self) -> String {
        "have nft || fail 'nft is not on this host'".to_owned()
    }

    fn besides(&self) -> &'static [&'static str] {
        &[]
    }

    fn v6_apart(&self) -> bool {
        false
    }

    fn rank(&self, _: bool) -> u8 {
        0
    }

    fn rules(&self, spec: &GateSpec) -> Vec<(String, String)> {
        vec![("nft -f -".to_owned(), ruleset(spec)), ("nft -f -".to_owned(), arming(spec))]
    }

    fn close_body(&self, spec: &GateSpec) -> String {
        close_body(spec)
    }

    fn arm_body(&self, mark: &Mark, times: &Times, turn: &Turn, renewal: bool) -> String {
        arm_body(mark, times, &turn.was, &turn.by, renewal)
    }

    fn open_body(&self, run: &str, was: &str, by: &str) -> String {
        open_body(run, was, by)
    }

    fn confirmed(&self, set: &str) -> bool {
        set.contains("elements")
    }

    fn beside(&self, _: Manager) -> &'static str {
        "keeps its own rules; the gate's table comes before them and only ever refuses"
    }

    fn away(&self) -> &'static str {
        "nft delete table inet breakglass"
    }
}

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
pub(super) fn ruleset(spec: &GateSpec) -> String {
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
fn driver(of: &str, by: &Driver) -> String {
    format!("{:#010x} comment \"{}\"", by.key(of), by.comment())
}

/// The transaction that closes the gate once its table is loaded, to be gone after `confirm_within` seconds.
///
/// Not in one with the table: `armed` was then in force a moment before the interval sets of the allowed were, and one
/// closing in ten reset somebody who was on the list (Linux 6.18). Fails as a whole if the table is another run's by now.
fn arming(spec: &GateSpec) -> String {
    let mark = spec.mark();
    let times = Times::unconfirmed(mark.rungs.len(), spec.confirm_within);
    let by = spec.driver();
    format!("{}{}{}", takes(&mark, &by.run), taken(&mark, &by), fuses(&mark, &times))
}

/// The transaction that sets the fuses anew and confirms the gate. It fails as a whole if the gate has burnt down in the
/// meantime, if another run than `was` has set the fuses, or, for a renewal, if a stage is through: an element that has
/// expired or is not there cannot be deleted.
pub(super) fn rearm(mark: &Mark, times: &Times, was: &str, by: &Driver, renewal: bool) -> String {
    let ports = ports(mark);
    let untouched = if renewal && !mark.rungs.is_empty() {
        format!("delete element inet {NAME} until_1 {{ {ports} }}\n")
    } else {
        String::new()
    };
    let emptied: String =
        count::emptied(mark, times).iter().map(|set| format!("flush set inet {NAME} stage_{set}\n")).collect();
    format!(
        "{}{}{untouched}delete element inet {NAME} armed {{ {ports} }}\n{}{emptied}add element inet {NAME} confirmed \
         {{ {ports} }}\n",
        takes(mark, was),
        taken(mark, by),
        fuses(mark, times)
    )
}

/// Takes the fuses out of a run's hands.
fn takes(mark: &Mark, was: &str) -> String {
    format!("delete element inet {NAME} driver {{ {:#010x} }}\n", key(&mark.run, was))
}

/// Puts them into another's, or the same one's.
fn taken(mark: &Mark, by: &Driver) -> String {
    format!("add element inet {NAME} driver {{ {} }}\n", driver(&mark.run, by))
}

fn ports(mark: &Mark) -> String {
    mark.ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn fuses(mark: &Mark, times: &Times) -> String {
    let with =
        |seconds: u32| mark.ports.iter().map(|p| format!("{p} timeout {seconds}s")).collect::<Vec<_>>().join(", ");
    let mut text = format!("add element inet {NAME} armed {{ {} }}\n", with(times.armed));
    for (k, seconds) in times.until.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "flush set inet {NAME} until_{}", k + 1);
        if let Some(seconds) = seconds {
            let _ = writeln!(text, "add element inet {NAME} until_{} {{ {} }}", k + 1, with(*seconds));
        }
    }
    text
}

/// Puts the gate up, over the remains of a burnt-down one if need be.
fn close_body(spec: &GateSpec) -> String {
    format!(
        r#"have nft || fail 'nft is not on this host'
refuse_others() {{
  [ -n "$owner" ] || {{ say result foreign; fail 'a table inet {NAME} that is not ours is there; look with: nft list table inet {NAME}'; }}
  nft_alive || return 0
  case " $owner" in
  *' {run} '*' {number} '*) say result already; exit 0 ;;
  *' {run} '*) say result another; fail "another gate of this very run stands here: $owner" ;;
  *) say result held; say owner "$owner"; fail "the gate of another run stands here: $owner" ;;
  esac
}}
if nft_there; then
  handle=$(nft_handle)
  owner=$(nft_owner)
  refuse_others
  # What is left of a gate that has run out. By its handle: a new one in its place has another.
  nft delete table inet handle "$handle" >/dev/null 2>&1
fi
lost() {{
  owner=$(nft_owner)
  [ -z "$owner" ] || refuse_others
  say result failed; fail "nft did not take the $1: $err"
}}
err=$(nft_load {rules}) || lost rules
err=$(nft_load {arming}) || lost fuses
say result closed
"#,
        run = run_field(&spec.run),
        number = spec.mark().number_field(),
        rules = quote(&ruleset(spec)),
        arming = quote(&arming(spec)),
    )
}

/// Sets the fuses of a gate that stands, if `was` or `by` itself set them last. With `renewal`, only if no stage is through.
fn arm_body(mark: &Mark, times: &Times, was: &str, by: &Driver, renewal: bool) -> String {
    let load = |hands: &str| format!("err=$(nft_load {})", quote(&rearm(mark, times, hands, by, renewal)));
    // The reply to an earlier sending of this very order may have been lost.
    let again = if was == by.run { String::new() } else { format!(" || {}", load(&by.run)) };
    let came = if renewal && !mark.rungs.is_empty() {
        "  nft_burns until_1 || no moved 'its first stage has come by the kernel'\\''s timetable'\n"
    } else {
        ""
    };
    format!(
        r#"{first}{again} || {{
  nft_alive || no open 'the gate has run out in the meantime: close it again'
  driver=$(nft_driver)
  case "$driver " in
  '{mine} '*) ;;
  *) say driver "$driver"; no moved "another run sets its fuses now: $driver" ;;
  esac
{came}  say result failed; fail "nft did not take the fuses: $err"
}}
say result armed
"#,
        first = load(was),
        mine = run_field(&by.run),
    )
}

/// Takes our table away and nothing else: one that still refuses somebody only out of the hands of `was` or `by`. By its
/// handle: a new one in its place has another.
fn open_body(run: &str, was: &str, by: &str) -> String {
    let hands = |of: &str| format!("'delete element inet {NAME} driver {{ {:#010x} }}\n'", key(run, of));
    format!(
        r#"handle=$(nft_handle)
away() {{ nft_load "$1delete table inet handle $handle"; }}
if nft_alive; then
  # Gone: it is the answer to an earlier sending of this very order that was lost.
  err=$(away {was}) || err=$(away {by}) || ! nft_there || {{
    driver=$(nft_driver)
    case "$driver " in
    '{its} '* | '{mine} '*) say result failed; fail "nft did not delete the table: $err" ;;
    esac
    say driver "$driver"; taken "$driver"
  }}
else
  err=$(away '') || ! nft_there || {{ say result failed; fail "nft did not delete the table: $err"; }}
fi
say result open
"#,
        was = hands(was),
        by = hands(by),
        its = run_field(was),
        mine = run_field(by),
    )
}

//! The gate in iptables and ipset, for hosts without a usable nftables: the same fuses, sets and levels.
//!
//! Sets are called `bg_...`, chains `BREAKGLASS-...`. The sets come first, with their time running, then the chains, and
//! the jumps last: whatever breaks off in between opens by itself or was never shut. IPv4's chains, in which the mark stands,
//! are the last to come and the last to go: where the mark is, nothing is missing.

use std::fmt::Write;
use std::net::Ipv4Addr;

use super::filter::{Filter, Toolset};
use super::mark::{key, run_field};
use super::share::{End, bytecode};
use super::{Driver, GateSpec, Manager, Mark, Net, Reply, Scope, Side, Stage, Times, Turn, count};
use crate::shell::quote;

const SYN: &str = "-p tcp --syn";

/// Picks the commands of one flavour into `$v4` and `$v6`. Old releases have no suffixed names: there the version tells.
/// Another program may hold the lock of x_tables, and kube-proxy with many rules does so for long: a script waits for it for
/// [`WAIT`] seconds in all and then says who has it (`ipt_busy`). That is never taken for an answer.
///
/// Unlike an nft transaction, sets and chains are written by several commands. `ipt_lock` keeps two orders apart: adding an
/// element that is there already fails. The element names its owner's process; what a killed one left is taken away by the
/// next, and what nobody can tell is gone after a minute. Its second element keeps two from taking it away at once. One that took
/// longer than its minute leaves the set alone: by then it may be the turn of another.
const LIB: &str = r#"ipt_pick() {
  case $1 in
  iptables-nft) want=nf_tables ;;
  *) want=legacy ;;
  esac
  v4= v6=
  for c in "$1" iptables; do
    have "$c" && have "$c-restore" || continue
    case $("$c" -V 2>/dev/null) in
    *nf_tables*) is=nf_tables ;;
    *) is=legacy ;;
    esac
    [ "$is" = "$want" ] || continue
    v4=$c v6=ip6${c#ip}
    have "$v6" && have "$v6-restore" || v6=
    return 0
  done
  return 1
}
ipt_time() { read -r up rest </proc/uptime; up=${up%%.*}; }
ipt_patience() { ipt_time; ipt_until=$((up + $1)); }
ipt_patience 20
ipt_left() { ipt_time; left=$((ipt_until - up)); [ "$left" -ge 1 ] || left=1; }
ipt_busy() { ipt_unlock; say result busy; fail "$1"; }
ipt_holder() {
  inode=$(stat -c %i /run/xtables.lock 2>/dev/null)
  holder=$(sed -n "s/^[^>]*FLOCK *ADVISORY *WRITE \([0-9]*\) .*:${inode:-none} .*/\1/p" /proc/locks | sed -n 1p)
  [ -z "$holder" ] || printf 'process %s (%s)' "$holder" "$(cat "/proc/$holder/comm" 2>/dev/null)"
}
# Asks iptables: the program, then what. What it prints is in $asked.
ipt_ask() {
  tool=$1
  shift
  ipt_left
  waited=$left
  asked=$("$tool" -w "$left" "$@" 2>/dev/null) && return 0 || code=$?
  [ "$code" = 4 ] || return "$code"
  asked=$("$tool" -w 1 "$@" 2>&1) && return 0 || code=$?
  case $code:$asked in
  4:*'xtables lock'*)
    holder=$(ipt_holder)
    ipt_busy "${holder:-another program} holds the lock of x_tables (/run/xtables.lock) of this host, and held it for $((waited + 1)) s of waiting: whether a gate stands and whether one can be put up is not known; try again, or end what holds it"
    ;;
  esac
  return "$code"
}
# What ipt_there has found.
ipt_owner() { printf '%s\n' "$asked" | sed -n 's/.*--comment "breakglass\/1 \([^"]*\)".*/\1/p' | tr '\n' ' '; }
ipt_there() { ipt_ask "$v4" -S BREAKGLASS-OWNER; }
# Without its first set there is no gate of ours: no lock need be waited for to know it.
ipt_none() { ! ipset list -n 2>/dev/null | grep -qx bg_armed; }
ipt_driver() { ipset list bg_driver 2>/dev/null | sed -n 's/.* comment "\([^"]*\)".*/\1/p'; }
ipt_burns() { ipset list "$1" 2>/dev/null | grep -q '^[0-9][0-9]* timeout'; }
ipt_alive() { ipt_burns bg_armed; }
ipt_load() {
  ipt_left
  printf '%s\n' "$2" | "$1-restore" -w "$left" --noflush 2>&1
}
ipt_start() { sed -n 's/^.*) //p' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
ipt_turn() { ipset list bg_turn 2>/dev/null | sed -n 's/^192\.0\.2\.1 .*comment "\(.*\)"$/\1/p'; }
ipt_lock() {
  err=$(ipset create bg_turn hash:ip timeout 60 comment -exist 2>&1) || fail "ipset does not work here: $err"
  space=$(readlink /proc/self/ns/pid)
  ipt_patience 15
  mine="space=$space pid=$$ start=$(ipt_start $$)"
  until ipset add bg_turn 192.0.2.1 comment "$mine" 2>/dev/null; do
    whose=$(ipt_turn)
    pid=${whose#*pid=}
    start=${pid#*start=}
    pid=${pid%% *}
    case $whose in
    "space=$space "*)
      if [ "$(ipt_start "$pid")" != "$start" ] && ipset add bg_turn 192.0.2.2 timeout 3 2>/dev/null; then
        [ "$(ipt_turn)" != "$whose" ] || ipset del bg_turn 192.0.2.1 2>/dev/null
        ipset del bg_turn 192.0.2.2 2>/dev/null
        continue
      fi
      ;;
    esac
    ipt_time
    [ "$up" -lt "$ipt_until" ] || {
      say result held
      fail "another order to the gate of this host is under way (process ${pid:-not known}), and was for 15 s of waiting; it counts for a minute at most; then try again"
    }
    sleep 1
    ipset create bg_turn hash:ip timeout 60 comment -exist 2>/dev/null
  done
  ipt_patience 20
  locked=yes
}
ipt_unlock() {
  [ -n "${locked:-}" ] || return 0
  locked=
  turn=$(ipset list bg_turn 2>/dev/null | sed -n 's/^192\.0\.2\.1 timeout //p')
  # In its last seconds it runs out by itself.
  [ "${turn#* }" != "comment \"$mine\"" ] || [ "${turn%% *}" -lt 3 ] || ipset destroy bg_turn 2>/dev/null
}
ipt_clear() {
  for t in "$v6" "$v4"; do
    [ -n "$t" ] || continue
    ipt_left
    rules=$("$t" -w "$left" -S 2>&1) || [ $? != 4 ] || { printf '%s\n' "$rules"; return 1; }
    rules=$(printf '%s\n' "$rules" | sed -n '/BREAKGLASS-/p')
    [ -n "$rules" ] || continue
    ipt_load "$t" "*filter
$(printf '%s\n' "$rules" | sed -n 's/^-A\( [^B].* -j BREAKGLASS-.*\)$/-D\1/p')
$(printf '%s\n' "$rules" | sed -n 's/^-N/-F/p')
$(printf '%s\n' "$rules" | sed -n 's/^-N/-X/p')
COMMIT" || return 1
  done
  for set in $(ipset list -n 2>/dev/null | sed -n -e '/^bg_turn$/d' -e '/^bg_/p'); do ipset destroy "$set" 2>&1; done
}
"#;

/// How a host is asked for both kinds of iptables.
pub(super) static TOOLSET: Toolset = Toolset {
    lib: LIB,
    tries: "",
    works: r#"if have ipset; then
  say ipset.version "$(ipset -v 2>/dev/null | sed -n 1p)"
  err=$(ipset list -n 2>&1 >/dev/null) && say ipset yes || say ipset.error "$err"
fi
# Where nft holds the gate, nothing hangs on the lock of x_tables.
[ -n "$nft_error" ] || ipt_patience 2
ipt_busy() { busy=$1; say busy "$1"; }
for flavour in iptables-nft iptables-legacy; do
  if ipt_pick "$flavour"; then
    busy=
    if ipt_ask "$v4" -S INPUT; then
      say "$flavour" yes
    else
      say "$flavour.error" "${busy:-$("$v4" -w 1 -S INPUT 2>&1 >/dev/null)}"
    fi
    [ -n "$v6" ] && say "$flavour.v6" yes
  fi
done | sed 's/^iptables-/iptables_/'
[ -s /proc/net/ip_tables_names ] && say legacy_in_use yes
"#,
    there: "! ipt_none",
    found: r#"  for flavour in iptables-nft iptables-legacy; do
    ipt_pick "$flavour" && ipt_there || continue
    say gate "$flavour"
    say gate_owner "$(ipt_owner)"
    ipt_alive && say gate_alive yes
    break
  done
"#,
    status: r#"for flavour in iptables-nft iptables-legacy; do
  ipt_none && break
  ipt_pick "$flavour" && ipt_there || continue
  say back_end "$flavour"
  say owner "$(ipt_owner)"
  say driver "$(ipt_driver)"
  [ -n "$v6" ] || say v6 no
  for set in $(ipset list -n 2>/dev/null | sed -n -e '/^bg_until_/p' -e '/^bg_armed$/p' -e '/^bg_confirmed$/p'); do
    say "set.${set#bg_}" "$(ipset list "$set" 2>/dev/null | sed -n '/^[0-9]/p')"
  done
  for t in "$v4" "$v6"; do
    [ -n "$t" ] || continue
    ipt_left
    row() { "$t" -w "$left" -nvxL "BREAKGLASS-$2" 2>/dev/null | sed -n "s/^ *\([0-9][0-9]*\) .*$3.*/count.$1=\1/p"; }
    row attempts GATE 'breakglass attempts'
    row admitted YES RETURN
    row refused NO '\(REJECT\|DROP\)'
    row returned BACK REJECT
  done
  for family in 4 6; do ipset list bg_talkers$family 2>/dev/null; done |
    talkers 's/^\([0-9a-f.:]*\) timeout [0-9]* packets \([0-9]*\) .*/\2 \1/p'
  return 0
done
"#,
    look: "ipset list -n",
};

/// iptables, as a back end: on nf_tables or on x_tables.
pub(super) enum Iptables {
    /// On nf_tables.
    Nft,
    /// On x_tables.
    Legacy,
}

impl Filter for Iptables {
    fn word(&self) -> &'static str {
        match self {
            Self::Nft => "iptables-nft",
            Self::Legacy => "iptables-legacy",
        }
    }

    fn toolset(&self) -> &'static Toolset {
        &TOOLSET
    }

    fn functions(&self) -> &'static str {
        "ipt"
    }

    fn ready(&self) -> String {
        let word = self.word();
        format!("ipt_pick {word} || fail 'no usable {word} on this host'")
    }

    fn besides(&self) -> &'static [&'static str] {
        // For a gate that ends by itself.
        &["ipset"]
    }

    fn v6_apart(&self) -> bool {
        true
    }

    fn rank(&self, legacy_in_use: bool) -> u8 {
        match (self, legacy_in_use) {
            (Self::Nft, false) | (Self::Legacy, true) => 1,
            (Self::Nft, true) | (Self::Legacy, false) => 2,
        }
    }

    fn rules(&self, spec: &GateSpec) -> Vec<(String, String)> {
        let word = self.word();
        vec![
            ("ipset restore".to_owned(), sets(spec)),
            (format!("ip6{}-restore -w 20 --noflush", &word[2..]), table(spec, true)),
            (format!("{word}-restore -w 20 --noflush"), table(spec, false)),
        ]
    }

    fn close_body(&self, spec: &GateSpec) -> String {
        close_body(spec, self.word())
    }

    fn arm_body(&self, mark: &Mark, times: &Times, turn: &Turn, renewal: bool) -> String {
        arm_body(mark, times, &turn.was, &turn.by, renewal)
    }

    fn open_body(&self, run: &str, was: &str, by: &str) -> String {
        open_body(run, was, by)
    }

    fn confirmed(&self, _: &str) -> bool {
        // A set without elements is not spoken of.
        true
    }

    fn beside(&self, manager: Manager) -> &'static str {
        match manager {
            Manager::Firewalld => "a reload of firewalld removes the gate's jump and so opens it",
            Manager::Ufw => "a reload of ufw may move its chains; the gate's jump stands first until then",
            Manager::Calico => "Felix puts its own jump first again within 90 s, and what it accepts passes the gate",
            Manager::KubeProxy => "kube-proxy writes its own chains and leaves the gate's jump where it is",
            Manager::Cilium => "pods' packets may pass the kernel's filter by; host processes are met",
        }
    }

    fn away(&self) -> &'static str {
        "ipset flush bg_armed"
    }
}

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
pub(super) fn sets(spec: &GateSpec) -> String {
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
pub(super) fn table(spec: &GateSpec, v6: bool) -> String {
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
fn driver(set: &str, of: &str, by: &Driver) -> String {
    format!("add {set} {} comment \"{}\" -exist", Ipv4Addr::from(by.key(of)), by.comment())
}

/// The element that stands in `bg_driver` for a run at work on the gate of another.
fn hand(gate: &str, run: &str) -> Ipv4Addr {
    key(gate, run).into()
}

/// The `ipset restore` text that sets the fuses anew: in whose hands they are at one stroke and before any of them, so that a
/// kill in between leaves none that are nobody's; then the long ones first, so that no moment is less shut than it should be.
pub(super) fn rearm(mark: &Mark, times: &Times, was: &str, by: &Driver) -> String {
    let mut lines = Vec::new();
    if was == by.run {
        lines.push(driver("bg_driver", &mark.run, by));
    } else {
        lines.push("create bg_driver_next hash:ip family inet comment -exist".to_owned());
        lines.push("flush bg_driver_next".to_owned());
        lines.push(driver("bg_driver_next", &mark.run, by));
        lines.push("swap bg_driver_next bg_driver".to_owned());
    }
    let mut fuse = |name: &str, seconds: Option<u32>| match seconds {
        Some(s) => lines.extend(mark.ports.iter().map(|p| format!("add {name} {p} timeout {s} -exist"))),
        None => lines.push(format!("flush {name}")),
    };
    fuse("bg_armed", Some(times.armed));
    for (k, seconds) in times.until.iter().enumerate().rev() {
        fuse(&format!("bg_until_{}", k + 1), *seconds);
    }
    for set in count::emptied(mark, times) {
        lines.push(format!("flush bg_stage_{set}"));
        lines.extend(mark.ports.iter().map(|p| format!("add bg_knocks_{set} {p} packets 0 bytes 0 -exist")));
    }
    lines.extend(mark.ports.iter().map(|p| format!("add bg_confirmed {p} -exist")));
    if was != by.run {
        lines.push("destroy bg_driver_next".to_owned());
    }
    lines.join("\n")
}

/// Puts the gate up, over the remains of a burnt-down one if need be.
fn close_body(spec: &GateSpec, back_end: &str) -> String {
    format!(
        r#"ipt_pick {back_end} || fail 'no usable {back_end} on this host'
have ipset || fail 'ipset is not on this host: {back_end} cannot hold a gate that ends by itself'
ipt_lock
quit() {{ ipt_unlock; say result "$1"; fail "$2"; }}
broke() {{ left=$(ipt_clear); quit failed "$1"; }}
if ipt_there; then
  owner=$(ipt_owner)
  [ -n "$owner" ] || quit foreign "a chain BREAKGLASS-OWNER that is not ours is there; look with: $v4 -S BREAKGLASS-OWNER"
  if ipt_alive; then
    case " $owner" in
    *' {run} '*' {number} '*) ipt_unlock; say result already; return 0 ;;
    *' {run} '*) quit another "another gate of this very run stands here: $owner" ;;
    *) say owner "$owner"; quit held "the gate of another run stands here: $owner" ;;
    esac
  fi
fi
left=$(ipt_clear)
err=$(printf '%s\n' {sets} | ipset restore 2>&1) || broke "ipset did not take the sets: $err"
if [ -n "$v6" ]; then
  err=$(ipt_load "$v6" {v6}) || broke "$v6-restore did not take the rules: $err"
fi
err=$(ipt_load "$v4" {v4}) || broke "$v4-restore did not take the rules: $err"
ipt_unlock
say result closed
"#,
        run = run_field(&spec.run),
        number = spec.mark().number_field(),
        sets = quote(&sets(spec)),
        v4 = quote(&table(spec, false)),
        v6 = quote(&table(spec, true)),
    )
}

/// Sets the fuses of a gate that stands, if `was` or `by` itself set them last. With `renewal`, only if no stage is through.
fn arm_body(mark: &Mark, times: &Times, was: &str, by: &Driver, renewal: bool) -> String {
    let came = if renewal && !mark.rungs.is_empty() {
        "ipt_burns bg_until_1 || no moved 'its first stage has come by the kernel'\\''s timetable'\n"
    } else {
        ""
    };
    format!(
        r#"ipt_lock
ipt_alive || no open 'the gate has run out in the meantime: close it again'
ipset test bg_driver {was} 2>/dev/null || ipset test bg_driver {by} 2>/dev/null || {{
  driver=$(ipt_driver)
  say driver "$driver"; no moved "another run sets its fuses now: $driver"
}}
{came}err=$(printf '%s\n' {text} | ipset restore 2>&1) || {{ ipt_unlock; say result failed; fail "ipset did not take the fuses: $err"; }}
ipt_unlock
say result armed
"#,
        was = hand(&mark.run, was),
        by = hand(&mark.run, &by.run),
        text = quote(&rearm(mark, times, was, by)),
    )
}

/// Takes our jumps, chains and sets away and nothing else: those of a gate that still refuses somebody only out of the hands
/// of `was` or `by`.
fn open_body(run: &str, was: &str, by: &str) -> String {
    format!(
        r#"ipt_lock
if ipt_alive && ! ipset test bg_driver {was} 2>/dev/null && ! ipset test bg_driver {by} 2>/dev/null; then
  driver=$(ipt_driver)
  say driver "$driver"; taken "$driver"
fi
left=$(ipt_clear)
ipt_unlock
if ipt_there; then say result failed; fail "the chains did not go: $left"; fi
say result open
"#,
        was = hand(run, was),
        by = hand(run, by),
    )
}

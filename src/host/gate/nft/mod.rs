//! The gate in nftables: one table of our own, written in one transaction.

use std::fmt::Write;

use super::filter::{Filter, Toolset};
use super::mark::{key, run_field};
use super::{Driver, GateSpec, Manager, Mark, NAME, Times, Turn, count};
use crate::shell::quote;

mod rules;

use rules::driver;
pub(super) use rules::ruleset;

/// Shell functions that look at our table. `nft -t` leaves out what is in the sets. That it is there, its handle and whose it is
/// are one answer of the kernel's: a table that is taken away between two of them would be one without an owner, and
/// that is said of tables that are not ours.
const LIB: &str = r#"nft_there() { have nft && asked=$(nft -t -a list table inet breakglass 2>/dev/null); }
# What nft_there has found.
nft_handle() { printf '%s\n' "$asked" | sed -n '1s/.*# handle \([0-9][0-9]*\).*/\1/p'; }
nft_owner() { printf '%s\n' "$asked" | sed -n 's/.*comment "breakglass\/1 \([^"]*\)".*/\1/p' | tr '\n' ' '; }
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
  handle=$(nft_handle)
  say back_end nft
  say owner "$(nft_owner)"
  say driver "$(nft_driver)"
  for set in armed confirmed $(printf '%s\n' "$asked" | sed -n 's/^[[:space:]]*set \(until_[0-9]*\) {.*/\1/p'); do
    say "set.$set" "$(nft list set inet breakglass "$set" 2>/dev/null)"
  done
  say counters "$(nft list counters table inet breakglass 2>/dev/null)"
  for family in 4 6; do nft list set inet breakglass talkers$family 2>/dev/null; done | tr ',{}' '\n\n\n' |
    talkers 's/^[[:space:]]*\([0-9a-f.:]*\) .*counter packets \([0-9]*\) .*/\2 \1/p'
  nft_there && [ "$(nft_handle)" = "$handle" ]
  return
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
  nft_there
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

//! The gate in iptables and ipset, for hosts without a usable nftables: the same fuses, sets and levels.
//!
//! Sets are called `bg_...`, chains `BREAKGLASS-...`. The sets come first, with their time running, then the chains, and
//! the jumps last: whatever breaks off in between opens by itself or was never shut. IPv4's chains, in which the mark stands,
//! are the last to come and the last to go: where the mark is, nothing is missing.

use std::net::Ipv4Addr;

use super::filter::{Filter, Toolset};
use super::mark::{key, run_field};
use super::{Driver, GateSpec, Manager, Mark, Times, Turn, count};
use crate::shell::quote;

mod rules;
mod tools;

use rules::driver;
pub(super) use rules::{sets, table};
pub(super) use tools::TOOLSET;

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

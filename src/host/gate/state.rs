//! What stands on a host right now: fuses, counters, and who knocks.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::back_end::{TOOLSETS, libs};
use super::{BackEnd, Driver, Mark};
use crate::duration::HumanDuration;
use crate::finding::Finding;
use crate::host::order::{Order, Query, order};
use crate::script::{Answer, MOST, amount};

/// How many of the loudest sources a host reports; it sends no more over a bad line.
const TALKERS: usize = 20;

/// How often a host looks where the gate comes or goes under the look.
const LOOKS: u32 = 5;

/// A gate as it stands on a host, or what is left of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateState {
    /// What enforces it.
    pub back_end: BackEnd,
    /// Whose it is; `None` for rules with our name that are not ours.
    pub mark: Option<Mark>,
    /// Who set its fuses last.
    pub driver: Option<Driver>,
    /// It has no rules for IPv6: the host's iptables has no such side.
    pub ipv4_only: bool,
    /// Whether its closing was confirmed over a new connection.
    pub confirmed: bool,
    /// Milliseconds until it is open for everybody; 0 for one that has run out.
    pub armed_ms: u64,
    /// The stages' fuses, in order, those that are through with 0.
    pub fuses: Vec<Fuse>,
    /// What it has done.
    pub counters: Counters,
    /// The loudest sources, the loudest first.
    pub talkers: Vec<BusySource>,
    /// How many sources have tried within the last minute.
    pub sources: u64,
    /// The host's uptime at this look, in milliseconds: two looks make a rate.
    pub uptime_ms: u64,
    /// Every TCP port that somebody listens on; `None` where the host did not say.
    #[serde(default)]
    pub listening: Option<BTreeSet<u16>>,
}

/// One stage's fuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fuse {
    /// Milliseconds until the stage comes by itself.
    pub left_ms: u64,
}

/// Totals since the gate was put up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// New connections tried by those not let through by name.
    pub attempts: u64,
    /// New connections let in.
    pub admitted: u64,
    /// Packets refused.
    pub refused: u64,
    /// Packets of the server to refused clients that were sent back to it as a reset.
    pub returned: u64,
}

/// One source and how often it has tried since it was first seen within the last minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusySource {
    /// Its address.
    pub addr: IpAddr,
    /// New connections it tried.
    pub attempts: u64,
}

impl GateState {
    /// Whether the gate refuses anybody at all.
    pub fn stands(&self) -> bool {
        self.armed_ms > 0
    }

    /// Whether it is certain that nobody listens on any of the gate's ports: its API server is away.
    pub fn nobody_listens(&self) -> bool {
        let Some((mark, listening)) = self.mark.as_ref().zip(self.listening.as_ref()) else { return false };
        mark.ports.iter().all(|port| !listening.contains(port))
    }

    /// How many stages are through; past the last one when the gate has run out.
    pub fn level(&self) -> usize {
        let through = self.fuses.iter().take_while(|f| f.left_ms == 0).count();
        if self.stands() { through } else { self.fuses.len() + 1 }
    }

    /// Where it stands, in words: `closed`, `open for 5 % (stage 2)`, `open`.
    pub fn now(&self) -> String {
        let rung = |level: usize| self.mark.as_ref()?.rungs.get(level.checked_sub(1)?);
        match self.level() {
            0 if self.ipv4_only => "closed over IPv4 alone".to_owned(),
            0 => "closed".to_owned(),
            _ if !self.stands() => "open".to_owned(),
            level => match rung(level) {
                Some(rung) => format!("open for {rung} (stage {level})"),
                None => format!("stage {level}"),
            },
        }
    }

    /// What comes by itself and when, in words: `25 % in 14m`; empty when nothing does.
    pub fn then(&self) -> String {
        if !self.stands() {
            return String::new();
        }
        format!("{} in {}", self.next(), HumanDuration(Duration::from_secs(self.next_ms() / 1000)))
    }

    /// Who is let in next: those of a stage, or everybody.
    fn next(&self) -> String {
        let rung = self.mark.as_ref().and_then(|mark| mark.rungs.get(self.level()));
        rung.map_or_else(|| "everybody".to_owned(), ToString::to_string)
    }

    /// The run that set the fuses last, or else the one whose gate it is.
    pub fn driven_by(&self) -> Option<Driver> {
        let owner = |mark: &Mark| Driver { run: mark.run.clone(), operator: mark.operator.clone() };
        self.driver.clone().or_else(|| self.mark.as_ref().map(owner))
    }

    /// Who sets the fuses now, where that is another run than the one that closed it, in words; else empty.
    pub fn taken_over(&self) -> String {
        match (&self.driver, &self.mark) {
            (Some(driver), Some(mark)) if driver.run != mark.run => {
                format!("in the hands of run {} of {}", driver.run, driver.operator)
            }
            _ => String::new(),
        }
    }

    /// Milliseconds until the next stage (or at last everybody) comes by itself.
    pub fn next_ms(&self) -> u64 {
        self.fuses.iter().map(|f| f.left_ms).find(|ms| *ms > 0).unwrap_or(self.armed_ms)
    }
}

impl fmt::Display for GateState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Finding::from(self).fmt(f)
    }
}

impl From<&GateState> for Finding {
    fn from(state: &GateState) -> Self {
        let next = state.stands().then(|| (state.next(), state.next_ms() / 1000));
        Self::Gate { now: state.now(), back_end: state.back_end.to_string(), next, taken_over: state.taken_over() }
    }
}

order! {
    /// Looks at what stands.
    GateStatus = "gate.status" {} -> Option<GateState>, |_, stdout| parse_status(stdout)
}

/// Looks at the gate of a host, whichever back end it stands in. Writes nothing.
pub fn status() -> Query<GateStatus> {
    let body = format!(
        r#"{libs}
talkers() {{
  all=$(sed -n "$1" | sort -rn)
  [ -z "$all" ] || {{ say talkers "$(printf '%s\n' "$all" | wc -l)"; printf '%s\n' "$all" | sed -n '1,{TALKERS}s/^/talker=/p'; }}
}}
look() {{
read -r up rest </proc/uptime; say uptime "$up"
say listen "$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | sed -n 's/^ *[0-9]*: [0-9A-F]*:\([0-9A-F]*\) [0-9A-F]*:[0-9A-F]* 0A .*/\1/p' | sort -u | tr '\n' ' ')"
{stands}say back_end none
}}
looks=1
# Half of a gate is none that ever stood: it would be one of another stage.
until seen=$(look); do
  case "
$seen" in *'
failed='*) printf '%s\n' "$seen"; exit 1 ;; esac
  looks=$((looks + 1))
  [ "$looks" -le {LOOKS} ] || fail 'a gate came or went under each of {LOOKS} looks: what stands here now is not known; look again'
done
printf '%s\n' "$seen"
"#,
        libs = libs(),
        stands = TOOLSETS.map(|toolset| toolset.status).concat(),
    );
    GateStatus {}.query(body)
}

/// Reads the answer of [`status`]: `None` if it broke off, `Some(None)` if the host has no gate.
pub(in crate::host) fn parse_status(stdout: &str) -> Option<<GateStatus as Order>::Answer> {
    let answer = Answer::parse(stdout);
    let word = answer.get("back_end")?;
    if word == "none" {
        return Some(None);
    }
    let back_end = BackEnd::from_word(word)?;
    let mark = answer.get("owner").and_then(Mark::read);
    let driver = answer.get("driver").and_then(Driver::read);
    let fuse = |name: &str| answer.get(&format!("set.{name}")).map_or(0, left_ms);
    let known = (1..).take_while(|k| answer.pairs().any(|(key, _)| key == format!("set.until_{k}")));
    let fuses = known.map(|k| Fuse { left_ms: fuse(&format!("until_{k}")) }).collect();
    let confirmed = answer.get("set.confirmed").is_some_and(|set| back_end.filter().confirmed(set));
    let talkers = answer.all("talker").filter_map(|line| {
        let (attempts, addr) = line.split_once(' ')?;
        Some(BusySource { addr: addr.trim().parse().ok()?, attempts: amount(attempts)? })
    });
    Some(Some(GateState {
        back_end,
        mark,
        driver,
        ipv4_only: answer.get("v6") == Some("no"),
        confirmed,
        armed_ms: fuse("armed"),
        fuses,
        counters: counters(&answer),
        talkers: talkers.collect(),
        sources: answer.number("talkers").unwrap_or(0),
        uptime_ms: answer.get("uptime").map_or(0, uptime_ms),
        listening: answer.get("listen").map(ports_of),
    }))
}

/// Ports as the kernel lists them: in hexadecimal.
fn ports_of(text: &str) -> BTreeSet<u16> {
    text.split_whitespace().filter_map(|port| u16::from_str_radix(port, 16).ok()).collect()
}

/// nft lists its counters as `counter NAME { packets N bytes N }`; iptables gave one line per family.
fn counters(answer: &Answer) -> Counters {
    let words: Vec<&str> = answer.get("counters").unwrap_or("").split_whitespace().collect();
    let of = |name: &str| {
        let listed = words.windows(5).find_map(|w| match w {
            ["counter", n, "{", "packets", count] if *n == name => amount(count),
            _ => None,
        });
        let key = format!("count.{name}");
        listed.unwrap_or_else(|| answer.all(&key).filter_map(amount).fold(0, u64::saturating_add).min(MOST))
    };
    Counters { attempts: of("attempts"), admitted: of("admitted"), refused: of("refused"), returned: of("returned") }
}

/// The longest time left of a set's elements: `... expires 14m59s984ms` (nft) or `6443 timeout 27` (ipset).
fn left_ms(set: &str) -> u64 {
    let words: Vec<&str> = set.split_whitespace().map(|w| w.trim_end_matches(',')).collect();
    let longest = |key: &str| words.windows(2).filter(|w| w[0] == key).map(|w| span_ms(w[1])).max();
    longest("expires").or_else(|| longest("timeout")).unwrap_or(0)
}

/// Ten years: a set without an end in sight, and a time that can be added to any clock.
const LONGEST_MS: u64 = 10 * 365 * 86_400_000;

/// `1d2h3m4s5ms` in milliseconds, up to ten years; a bare number is seconds.
fn span_ms(text: &str) -> u64 {
    let digit = |c: char| c.is_ascii_digit();
    if !text.starts_with(digit) {
        return 0;
    }
    let unit = if text.ends_with(digit) { "s" } else { "" };
    // Too long to be counted.
    let span = format!("{text}{unit}").parse().unwrap_or(HumanDuration(Duration::MAX));
    u64::try_from(span.0.as_millis()).unwrap_or(u64::MAX).min(LONGEST_MS)
}

/// `12.34` seconds in milliseconds.
fn uptime_ms(text: &str) -> u64 {
    let (seconds, part) = text.split_once('.').unwrap_or((text, ""));
    let part: String = part.chars().chain("000".chars()).take(3).collect();
    amount(seconds).unwrap_or(0) * 1000 + part.parse::<u64>().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_nft_and_ipset_are_read() {
        for (text, ms) in [("14m59s984ms", 899_984), ("27", 27_000), ("1d2h", 93_600_000), ("964ms", 964), ("", 0)] {
            assert_eq!(span_ms(text), ms, "{text}");
        }
        assert_eq!(left_ms("elements = { 6443 timeout 30s expires 29s964ms, 8443 timeout 30s expires 28s }"), 29_964);
        assert_eq!(left_ms("6443 timeout 27 8443 timeout 26"), 27_000);
        assert_eq!(left_ms("set armed { type inet_service flags timeout }"), 0);
        assert_eq!(uptime_ms("12.3"), 12_300);
        // What no clock can show.
        let years = 315_360_000_000;
        for beyond in ["18446744073709551615", "18446744073709551615d1h", "9999999d9999999h"] {
            assert_eq!(span_ms(beyond), years, "{beyond}");
        }
        assert_eq!(uptime_ms("18446744073709551615.99"), 990);
    }

    #[test]
    fn no_gate_and_no_answer_are_told_apart() {
        assert_eq!(parse_status(""), None);
        assert_eq!(parse_status("uptime=1.00\nback_end=none\n"), Some(None));
    }

    #[test]
    fn an_nft_gate_is_read() {
        let text = "uptime=100.50\nback_end=nft\n\
            owner=run=r1 by=alice at=7 ports=6443 hold=900 step=60 stage=share:5 stage=share:25 why=x \n\
            set.armed=table inet breakglass { set armed { elements = { 6443 timeout 15m expires 14m } } }\n\
            set.confirmed=table inet breakglass { set confirmed { type inet_service elements = { 6443 } } }\n\
            set.until_1=table inet breakglass { set until_1 { type inet_service flags timeout } }\n\
            set.until_2=table inet breakglass { set until_2 { elements = { 6443 timeout 15m expires 13m } } }\n\
            counters=table inet breakglass { counter attempts { packets 7 bytes 1 } counter refused { packets 5 bytes 1 } }\n\
            talkers=2\ntalker=5 10.0.0.9\ntalker=2 fd90::9\n";
        let state = parse_status(text).unwrap().unwrap();
        assert_eq!((state.level(), state.next_ms(), state.armed_ms, state.confirmed), (1, 780_000, 840_000, true));
        assert_eq!((state.counters.attempts, state.counters.refused, state.counters.admitted), (7, 5, 0));
        assert_eq!(state.talkers[1].addr.to_string(), "fd90::9");
        assert_eq!(state.mark.as_ref().unwrap().rungs.len(), 2);
        assert!(!state.nobody_listens(), "the host did not say who listens");
    }

    #[test]
    fn whether_anybody_listens_behind_the_gate_is_the_host_s_word() {
        let owner = "owner=run=r1 by=alice at=7 ports=6443,8443 hold=900 step=60 why=x \n";
        let nobody = |listen: &str| {
            let text = format!("back_end=nft\n{owner}set.armed=x\n{listen}\n");
            parse_status(&text).unwrap().unwrap().nobody_listens()
        };
        assert!(nobody("listen=0016 094B"));
        assert!(!nobody("listen=0016 192B"));
        assert!(!nobody("listen=20FB"));
        assert!(!nobody(""));
    }

    #[test]
    fn a_number_of_sources_is_said_as_one() {
        let at = |first: &str| {
            let text = format!(
                "back_end=nft\nowner=run=r1 by=a at=7 ports=6443 hold=900 step=60 stage=count:1 stage=count:5 stage=share:25\n\
                 set.armed=6443 expires 14m\nset.until_1={first}\nset.until_2={first}\nset.until_3=6443 expires 13m\n"
            );
            let state = parse_status(&text).unwrap().unwrap();
            (state.now(), state.then())
        };
        assert_eq!(at("6443 expires 12m"), ("closed".into(), "1 source in 12m".into()));
        assert_eq!(at(""), ("open for 5 sources (stage 2)".into(), "25 % in 13m".into()));
    }
}

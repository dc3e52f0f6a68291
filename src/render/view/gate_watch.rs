//! Who hammers: what two looks at the hosts differ by.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use serde_json::json;

use super::gate_status::{self, Said};
use crate::change::Target;
use crate::host::gate::Rates;
use crate::render::{VERSION, one_line};
use crate::words;

/// What changed between two looks.
pub(crate) struct Frame {
    /// Per host: where, in which state, and what it does.
    hosts: Vec<Line>,
    /// New connections tried, a second, over all hosts.
    tried: f64,
    /// Let in, likewise.
    admitted: f64,
    /// Attempts a second of each source, over all hosts, the most first.
    sources: Vec<(IpAddr, f64)>,
}

/// One host, or what many of them have in common.
struct Line {
    target: Target,
    /// Its state in words, the same on hosts in the same one.
    state: String,
    /// Its rates in words; empty where there are none.
    rates: String,
    /// What comes by itself, and in how many milliseconds.
    then: Option<(u64, String)>,
}

impl Line {
    fn text(&self) -> String {
        let then = self.then.as_ref().map(|(_, then)| format!(", {then} by itself")).unwrap_or_default();
        let rates = if self.rates.is_empty() { String::new() } else { format!("; {}", self.rates) };
        format!("{}{then}{rates}", self.state)
    }
}

impl Frame {
    /// The last look and the one before it.
    pub(crate) fn between(before: &[(Target, Said)], now: &[(Target, Said)]) -> Self {
        let mut frame = Self { hosts: Vec::new(), tried: 0.0, admitted: 0.0, sources: Vec::new() };
        let mut sources: BTreeMap<IpAddr, f64> = BTreeMap::new();
        for (target, said) in now {
            let earlier =
                before.iter().find(|(known, _)| known == target).and_then(|(_, said)| gate_status::state(said));
            let (state, rates) = match (said, earlier) {
                (Err(why), _) => (format!("cannot be asked: {why}"), String::new()),
                (Ok(None), _) => ("open: no gate".into(), String::new()),
                (Ok(Some(gate)), None) => (gate.now(), String::new()),
                (Ok(Some(gate)), Some(earlier)) => {
                    let Rates { tried, admitted, sources: of_host } = gate.rates_since(earlier);
                    frame.tried += tried;
                    frame.admitted += admitted;
                    for (source, rate) in of_host {
                        *sources.entry(source).or_default() += rate;
                    }
                    let number = usize::try_from(gate.sources).unwrap_or(usize::MAX);
                    let from = words::count(number, "source");
                    (gate.now(), format!("{tried:.1}/s tried, {admitted:.1}/s let in, {from} within a minute"))
                }
            };
            let standing = gate_status::state(said).filter(|gate| gate.stands());
            let then = standing.map(|gate| (gate.next_ms(), gate.then()));
            frame.hosts.push(Line { target: target.clone(), state, rates, then });
        }
        frame.sources = sources.into_iter().filter(|(_, rate)| *rate > 0.0).collect();
        frame.sources.sort_by(|a, b| b.1.total_cmp(&a.1));
        frame
    }

    /// Hosts of a cluster in the same state that do the same, as one line; with the soonest of what comes by itself.
    fn folded(&self) -> Vec<(String, String)> {
        let mut groups: Vec<(&Line, Vec<String>)> = Vec::new();
        for line in &self.hosts {
            let key = |line: &Line| (line.target.cluster.clone(), line.state.clone(), line.rates.clone());
            match groups.iter_mut().find(|(first, _)| key(first) == key(line)) {
                Some((first, members)) => {
                    members.push(line.target.short().to_owned());
                    if line.then < first.then {
                        *first = line;
                    }
                }
                None => groups.push((line, vec![line.target.short().to_owned()])),
            }
        }
        let named = |(line, members): (&Line, Vec<String>)| {
            (format!("{}/{}", line.target.cluster, words::fold(&members)), line.text())
        };
        groups.into_iter().map(named).collect()
    }

    /// A line for hosts that do the same, the sum, and so many of the loudest sources.
    pub(crate) fn text(&self, top: usize) -> String {
        let mut text = String::new();
        for (members, line) in self.folded() {
            let _ = writeln!(text, "{}", one_line(&format!("{members}: {line}")));
        }
        let _ = writeln!(text, "all: {:.1}/s tried, {:.1}/s let in", self.tried, self.admitted);
        for (addr, rate) in self.sources.iter().take(top) {
            let _ = writeln!(text, "  {rate:>8.1}/s  {addr}");
        }
        text.push('\n');
        text
    }

    /// The same.
    pub(crate) fn json(&self, top: usize) -> serde_json::Value {
        let hosts: serde_json::Map<String, serde_json::Value> =
            self.hosts.iter().map(|line| (line.target.to_string(), line.text().into())).collect();
        let sources: Vec<_> =
            self.sources.iter().take(top).map(|(addr, rate)| json!({ "address": addr, "perSecond": rate })).collect();
        json!({ "v": VERSION, "hosts": hosts, "tried": self.tried, "admitted": self.admitted, "sources": sources })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::gate::status;

    fn look(host: &str, uptime: u64, attempts: u64) -> (Target, Said) {
        let text = format!(
            "uptime={uptime}.00\nback_end=nft\nowner=run=r1 by=a at=7 ports=6443 hold=900 step=60\n\
             set.armed={{ 6443 expires 900s }}\nset.confirmed=elements\n\
             counters=counter attempts {{ packets {attempts} bytes 1 }}\ntalkers=1\ntalker={attempts} 10.0.0.9\n"
        );
        (Target::host("east", host), Ok(status().read(&text).unwrap()))
    }

    #[test]
    fn sources_are_summed_over_the_hosts_by_the_hosts_own_clocks() {
        let frame =
            Frame::between(&[look("cp1", 10, 100), look("cp2", 50, 40)], &[look("cp1", 12, 120), look("cp2", 54, 60)]);
        assert_eq!(frame.sources, [(IpAddr::from([10, 0, 0, 9]), 15.0)]);
        assert!(frame.text(5).contains("all: 15.0/s tried"), "{}", frame.text(5));
    }

    #[test]
    fn quiet_hosts_are_one_line_and_a_loud_one_is_its_own() {
        let quiet = |at: u64| ["cp1", "cp2"].map(|host| look(host, at, 5)).to_vec();
        let (mut before, mut now) = (quiet(10), quiet(12));
        before.push(look("cp3", 10, 5));
        now.push(look("cp3", 12, 9));
        let text = Frame::between(&before, &now).text(5);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("east/cp[1-2]: closed, everybody in 15m by itself; 0.0/s tried"), "{text}");
        assert!(
            lines[1].starts_with("east/cp3: ") && lines[1].contains("2.0/s tried") && lines[1].contains("1 source "),
            "{text}"
        );
        assert!(lines[2].starts_with("all: 2.0/s tried"), "{text}");
    }

    #[test]
    fn the_first_look_has_no_rates_and_a_new_gate_counts_from_zero() {
        assert!(Frame::between(&[], &[look("cp1", 10, 100)]).sources.is_empty());
        assert_eq!(Frame::between(&[look("cp1", 10, 100)], &[look("cp1", 12, 4)]).tried.to_string(), "2");
    }
}

//! What a plan costs at most: what is sent a known number of times, and apart from it what is sent per second of a wait.

use crate::change::Op;
use crate::steps::{Announced, Sends, Times};
use crate::words;

/// The price of a step on some targets, or of a plan, when no reply is lost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Price {
    /// Requests to API servers.
    pub(super) requests: Count,
    /// Commands and files on hosts.
    pub(super) commands: Count,
    /// How many of both change something.
    pub(super) writes: u64,
}

/// How often one kind of thing is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Count {
    /// At most, apart from waits.
    pub(super) fixed: u64,
    /// While a step waits, a second.
    pub(super) a_second: f64,
}

impl Price {
    /// Adds what is announced for one target.
    pub(super) fn add(&mut self, announced: &Announced) {
        let count = match &announced.what {
            Sends::Op(op) => match op.as_ref() {
                Op::Kube(_) => &mut self.requests,
                Op::Host(_) | Op::File(_) => &mut self.commands,
                Op::Http(_) | Op::Local(_) => return,
            },
            Sends::Get(_) => &mut self.requests,
            Sends::Look(_) => &mut self.commands,
            Sends::Connect(_) | Sends::Ask(_) => return,
        };
        let times = match announced.times {
            Times::Once => 1,
            Times::AtMost(number) => u64::from(number),
            Times::Every { interval, .. } => {
                count.a_second += 1.0 / interval.as_secs_f64().max(0.001);
                return;
            }
        };
        count.fixed += times;
        if announced.writes() {
            self.writes += times;
        }
    }

    /// Adds a step that comes after: its waits are not at the same time.
    pub(super) fn then(&mut self, next: &Self) {
        self.requests.then(&next.requests);
        self.commands.then(&next.commands);
        self.writes += next.writes;
    }

    /// Adds what is sent to another cluster; `at_once`: at the same time.
    pub(super) fn beside(&mut self, other: &Self, at_once: bool) {
        for (mine, others) in [(&mut self.requests, &other.requests), (&mut self.commands, &other.commands)] {
            mine.fixed += others.fixed;
            mine.a_second += if at_once { others.a_second } else { 0.0 };
        }
        self.writes += other.writes;
    }

    /// The dearer of two clusters, in each respect.
    pub(super) fn or(&mut self, other: &Self) {
        for (mine, others) in [(&mut self.requests, &other.requests), (&mut self.commands, &other.commands)] {
            mine.fixed = mine.fixed.max(others.fixed);
            mine.a_second = mine.a_second.max(others.a_second);
        }
        self.writes = self.writes.max(other.writes);
    }

    /// The price of a whole plan, in a sentence.
    pub(super) fn sentence(&self) -> String {
        let count = |n: u64, noun| words::count(usize::try_from(n).unwrap_or(usize::MAX), noun);
        let mut text = format!(
            "at most {} and {} on hosts ({} among them)",
            count(self.requests.fixed, "API request"),
            count(self.commands.fixed, "command"),
            count(self.writes, "write"),
        );
        let waits = [("request", self.requests.a_second), ("command", self.commands.a_second)];
        let waits = waits.iter().filter_map(|(noun, often)| {
            let (number, unit) = rate(*often)?;
            Some(format!("{} a {unit}", count(number, *noun)))
        });
        let waits: Vec<String> = waits.collect();
        if !waits.is_empty() {
            text.push_str(&format!("; while it waits, up to {} more", waits.join(" and ")));
        }
        text
    }
}

impl Count {
    fn then(&mut self, next: &Self) {
        self.fixed += next.fixed;
        self.a_second = self.a_second.max(next.a_second);
    }

    /// `6`, `18/s`, `6+18/s`; nothing for nothing.
    pub(super) fn short(&self) -> String {
        let rate = rate(self.a_second)
            .map(|(number, unit)| format!("{number}/{}", if unit == "second" { "s" } else { "min" }));
        match (self.fixed, rate) {
            (0, None) => "-".to_owned(),
            (fixed, None) => fixed.to_string(),
            (0, Some(rate)) => rate,
            (fixed, Some(rate)) => format!("{fixed}+{rate}"),
        }
    }
}

/// So many a second, or a minute where it is rarer than that; never said to be less than it is.
fn rate(a_second: f64) -> Option<(u64, &'static str)> {
    // A third of a second, three times, is one a second. Beyond what a number holds it is the greatest, which is as well.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count above zero, saturating")]
    let up = |number: f64| (number - 1e-6).ceil() as u64;
    match a_second {
        none if none <= 0.0 => None,
        often if often > 1.0 - 1e-6 => Some((up(often), "second")),
        seldom => Some((up(seldom * 60.0), "minute")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn get(times: Times) -> Announced {
        Announced::get("/readyz", times, "")
    }

    fn every(interval: Duration) -> Announced {
        get(Times::Every { interval, until: Duration::from_secs(900) })
    }

    #[test]
    fn waits_are_told_by_the_second_and_no_sum_of_them() {
        let mut step = Price::default();
        for announced in [get(Times::Once), get(Times::AtMost(3)), every(Duration::from_millis(500))] {
            step.add(&announced);
        }
        assert_eq!(step.requests.short(), "4+2/s");
        let mut plan = step;
        plan.then(&step);
        assert_eq!(plan.requests.short(), "8+2/s", "one wait after the other");
        assert_eq!(
            plan.sentence(),
            "at most 8 API requests and 0 commands on hosts (0 writes among them); while it waits, up to 2 requests a \
             second more"
        );
        assert_eq!(Price::default().requests.short(), "-");
    }

    #[test]
    fn a_look_at_a_host_is_a_command_too() {
        let mut step = Price::default();
        let look = Sends::Look(crate::script::Script::new("host.up", "uptime"));
        step.add(&Announced { what: look, times: Times::AtMost(2), why: String::new() });
        assert_eq!((step.commands.fixed, step.requests.fixed, step.writes), (2, 0, 0));
    }

    /// Of clusters that take turns one waits at a time.
    #[test]
    fn of_clusters_all_is_sent_and_only_those_at_once_wait_at_once() {
        let mut cluster = Price::default();
        [get(Times::Once), every(Duration::from_secs(1))].iter().for_each(|announced| cluster.add(announced));
        let two = |at_once: bool| {
            let mut both = cluster;
            both.beside(&cluster, at_once);
            both.requests.short()
        };
        assert_eq!((two(true), two(false)), ("2+2/s".to_owned(), "2+1/s".to_owned()));
    }

    #[test]
    fn what_is_rare_is_told_by_the_minute() {
        assert_eq!(rate(0.0), None);
        assert_eq!(rate(1.0 / 300.0), Some((1, "minute")));
        assert_eq!(rate(0.2), Some((12, "minute")));
        assert_eq!(rate(3.0 * (1.0 / 3.0)), Some((1, "second")));
        assert_eq!(rate(1.5), Some((2, "second")));
    }
}

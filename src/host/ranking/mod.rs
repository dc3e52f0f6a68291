//! Who loads an API server, as its host can tell without asking it: clients in its audit log, in its own log, and over its
//! connections.

mod audit;
mod log;
mod sockets;

use std::collections::BTreeMap;
use std::net::IpAddr;

pub use audit::{AuditRank, audit};
pub use log::{LogRank, server_log};
pub use sockets::{SocketRank, sockets};

use crate::script::amount;

/// The verb of a watch that sends all objects first, as client-go has it in place of a LIST since 1.35.
pub const FROM_THE_START: &str = "watch from the start";
/// How many addresses of one row are told.
const ADDRESSES: usize = 50;
/// How many names of pods.
const PODS: usize = 5;
/// More rows than this are of no host that is in its right mind.
const ROWS: usize = 1000;

/// Who asked for what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// The user; `None` where the source does not know it.
    pub user: Option<String>,
    /// The user agent, as the client says it.
    pub agent: Option<String>,
    /// The verb; empty where it is not known.
    pub verb: String,
    /// The resource with its group and its subresource (`pods`, `deployments.apps`, `pods/log`), or a path.
    pub resource: String,
    /// Requests, each once; of sockets, connections.
    pub requests: u64,
    /// Watches that began, and that were not seen to end in what was read.
    pub watches: u64,
    /// Of the requests, those that were turned away: 401, 403, 429, 5xx.
    pub refused: u64,
    /// The time that requests took in the server, in milliseconds, without watches.
    pub millis: Option<u64>,
    /// What was sent over connections.
    pub bytes: Option<u64>,
    /// Where they came from, and how many from each; not all where there are many.
    pub sources: Vec<(IpAddr, u64)>,
    /// From how many addresses at least.
    pub source_count: u64,
    /// On how many nodes at least; 0: not known.
    pub nodes: u64,
    /// Pods that the client's tokens are bound to; some of them.
    pub pods: Vec<String>,
    /// So many seconds before the host's own now the first one began.
    pub first: u64,
    /// The same of the last one.
    pub last: u64,
    /// Through which next hop the host reaches the address, where that is another one.
    pub via: Option<IpAddr>,
}

/// What a log told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranked {
    /// The dearest of them.
    pub rows: Vec<Row>,
    /// The log.
    pub from: String,
    /// So much of it, and of those rotated from it, was read.
    pub bytes: u64,
    /// So many lines.
    pub lines: u64,
    /// Of these, so many were events that could not be read.
    pub skipped: u64,
    /// From the first event to the last, in seconds.
    pub span: u64,
    /// All that was wanted was read, in the time and within the length that there is for it.
    pub whole: bool,
    /// The stages of which there were events.
    pub stages: Stages,
}

/// Which stages of requests an audit log has events of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stages {
    /// `RequestReceived`.
    pub received: bool,
    /// `ResponseStarted`, of what goes on: watches.
    pub started: bool,
    /// `ResponseComplete`.
    pub complete: bool,
}

/// What an audit log told, or why it did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audited {
    /// There is none that can be read.
    NoLog,
    /// It is in no form that is known.
    NotJson,
    /// This.
    Ranked(Ranked),
}

impl Ranked {
    /// Whether its policy leaves out a watch until that ends: as far as can be told from what there is.
    pub fn leaves_out_watches(&self) -> bool {
        self.stages.complete && !self.stages.started && !self.stages.received
    }
}

/// One line of an answer: a client, a kind of request, and how much of it.
struct RowText<'a> {
    who: [&'a str; 4],
    stages: (u64, u64, u64),
    refused: u64,
    millis: u64,
    first: &'a str,
    last: &'a str,
    source_count: u64,
    nodes: u64,
    pods: &'a str,
    sources: &'a str,
}

impl<'a> RowText<'a> {
    /// Reads one; `None` if it is cut.
    fn read(text: &'a str) -> Option<Self> {
        let cells: Vec<&str> = text.split('\t').collect();
        let [
            ":",
            user,
            agent,
            verb,
            resource,
            received,
            started,
            complete,
            refused,
            millis,
            first,
            last,
            from,
            nodes,
            pods,
            sources,
            ".",
        ] = *cells.as_slice()
        else {
            return None;
        };
        Some(Self {
            who: [user, agent, verb, resource],
            stages: (amount(received)?, amount(started)?, amount(complete)?),
            refused: amount(refused)?,
            millis: amount(millis.trim_start_matches('-'))?,
            first,
            last,
            source_count: amount(from)?,
            nodes: amount(nodes)?,
            pods,
            sources,
        })
    }
}

/// A text of JSON as it was meant; as it stands, where that is no such text.
fn unescaped(text: &str) -> String {
    serde_json::from_str(&format!("\"{text}\"")).unwrap_or_else(|_| text.to_owned())
}

/// Whose pieces of one row are put together: those of one client and kind of request.
#[derive(Default)]
struct Sum<'a> {
    stages: (u64, u64, u64),
    refused: u64,
    millis: u64,
    first: Option<&'a str>,
    last: Option<&'a str>,
    source_count: u64,
    nodes: u64,
    pods: Vec<String>,
    sources: BTreeMap<IpAddr, u64>,
}

/// Rows of several pieces of a log as one; ages are counted back from `now`, in seconds since 1970 by the host's clock.
fn together<'a>(rows: impl Iterator<Item = RowText<'a>>, now: i64) -> Vec<Row> {
    let mut sums: BTreeMap<[&str; 4], Sum<'_>> = BTreeMap::new();
    for row in rows.take(ROWS) {
        let sum = sums.entry(row.who).or_default();
        let (a, b) = (sum.stages, row.stages);
        sum.stages = (a.0.saturating_add(b.0), a.1.saturating_add(b.1), a.2.saturating_add(b.2));
        sum.refused = sum.refused.saturating_add(row.refused);
        sum.millis = sum.millis.saturating_add(row.millis);
        sum.first = sum.first.into_iter().chain([row.first]).min();
        sum.last = sum.last.into_iter().chain([row.last]).max();
        sum.source_count = sum.source_count.max(row.source_count);
        sum.nodes = sum.nodes.max(row.nodes);
        for pod in row.pods.split(' ').filter(|pod| !pod.is_empty()) {
            if sum.pods.len() < PODS && !sum.pods.iter().any(|known| known == pod) {
                sum.pods.push(unescaped(pod));
            }
        }
        for one in row.sources.split(' ').take(ADDRESSES) {
            let Some((address, count)) = one.split_once('=') else { continue };
            if let (Ok(address), Some(count)) = (address.parse(), amount(count)) {
                let known = sum.sources.entry(address).or_default();
                *known = known.saturating_add(count);
            }
        }
    }
    sums.into_iter().map(|(who, sum)| sum.row(who, now)).collect()
}

impl Sum<'_> {
    fn row(self, [user, agent, verb, resource]: [&str; 4], now: i64) -> Row {
        let mut sources: Vec<(IpAddr, u64)> = self.sources.into_iter().collect();
        sources.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let some = |text: &str| Some(unescaped(text)).filter(|text| !text.is_empty());
        Row {
            user: some(user),
            agent: some(agent),
            verb: unescaped(verb),
            resource: unescaped(resource),
            refused: self.refused,
            millis: Some(self.millis).filter(|_| !verb.starts_with("watch")),
            source_count: self.source_count.max(sources.len() as u64),
            sources,
            nodes: self.nodes,
            pods: self.pods,
            first: age(self.first, now),
            last: age(self.last, now),
            ..Row::default()
        }
        .counted(self.stages)
    }
}

/// How long ago a time was, as an API server writes it without its fraction.
fn age(at: Option<&str>, now: i64) -> u64 {
    let at = at.and_then(|at| format!("{at}Z").parse::<jiff::Timestamp>().ok());
    at.map_or(0, |at| u64::try_from(now.saturating_sub(at.as_second())).unwrap_or(0))
}

/// From the first of all to the last.
fn span(rows: &[Row]) -> u64 {
    let first = rows.iter().map(|row| row.first).max().unwrap_or(0);
    first.saturating_sub(rows.iter().map(|row| row.last).min().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::script::Script;

    /// Runs a script as a host does, and gives what it printed.
    pub(super) fn run(script: Script) -> String {
        run_with(script, &[])
    }

    /// The same with these functions before it: programs of its own.
    pub(super) fn run_with(mut script: Script, functions: &[&str]) -> String {
        script.body = format!("{}\n{}", functions.join("\n"), script.body);
        let mut child = Command::new("sh")
            .arg("-s")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(script.text().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[test]
    fn pieces_of_one_row_are_put_together() {
        let piece = |received, started, complete, sources: &'static str, pods: &'static str| RowText {
            who: ["u", "a\\u0041", "watch", "pods"],
            stages: (received, started, complete),
            refused: 1,
            millis: 0,
            first: "2026-11-28T07:00:00",
            last: "2026-11-28T07:00:09",
            source_count: 1,
            nodes: 2,
            pods,
            sources,
        };
        let rows = together(
            [piece(0, 5, 1, "10.0.0.1=5", "a-1"), piece(0, 1, 2, "10.0.0.2=6 x", "a-1 a-2")].into_iter(),
            1_795_849_210,
        );
        let [row] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!((row.requests, row.watches, row.refused, row.nodes), (6, 3, 2, 2));
        assert_eq!((row.agent.as_deref(), row.millis), (Some("aA"), None));
        assert_eq!(row.sources, [("10.0.0.2".parse().unwrap(), 6), ("10.0.0.1".parse().unwrap(), 5)]);
        assert_eq!((row.pods.len(), row.source_count), (2, 2));
        assert_eq!((row.first, row.last, span(&rows)), (10, 1, 9));
    }
}

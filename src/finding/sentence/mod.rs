//! A finding as a sentence, in pieces: a report that tells many alike knows what an amount is, and what may be left out.

use std::fmt;
use std::time::Duration;

use super::{Answer, Connection, Finding, Offender, Probe, Stuck, Unwell};
use crate::duration::HumanDuration;
use crate::words;

mod ranked;

/// What to do about a re-opening that is stuck.
const TO_DO: &str = "To do: stop what runs there by SSH (crictl ps, crictl stop), keep those nodes from the API (breakglass gate close \
                     --nodes --targets NODES), or give the API servers more (breakglass scale-apiserver); see who knocks with \
                     breakglass gate watch";

/// A piece of a sentence.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// Words.
    Text(String),
    /// The name of an API server or a host.
    Name(String),
    /// An amount: what it comes to, to compare it with others of its kind, and as it is written.
    Amount(f64, String),
}

/// One clause: what is always told, and what a short report leaves out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Clause {
    /// What is always told.
    pub main: Vec<Piece>,
    /// Stands before the rest: a colon, mostly.
    pub sign: &'static str,
    /// What may be left out: a reason.
    pub rest: String,
    /// The next command to type.
    pub next: Option<String>,
}

/// Clauses that are told with a semicolon between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Sentence(pub Vec<Clause>);

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Name(text) | Self::Amount(_, text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, clause) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            clause.main.iter().try_for_each(|piece| piece.fmt(f))?;
            f.write_str(&clause.after())?;
        }
        Ok(())
    }
}

impl Clause {
    fn text(mut self, text: impl Into<String>) -> Self {
        self.main.push(Piece::Text(text.into()));
        self
    }

    fn name(mut self, name: &str) -> Self {
        self.main.push(Piece::Name(name.to_owned()));
        self
    }

    /// A number as it is, with its unit or what is counted.
    fn amount(self, number: u64, unit: &str) -> Self {
        self.written(number, format!("{number}{unit}"))
    }

    /// `1 pod`, `3 pods`.
    fn count(self, number: usize, noun: &str) -> Self {
        self.written(number as u64, words::count(number, noun))
    }

    fn duration(self, secs: u64) -> Self {
        self.written(secs, HumanDuration(Duration::from_secs(secs)).to_string())
    }

    #[expect(clippy::cast_precision_loss, reason = "to compare amounts with each other")]
    fn written(mut self, number: u64, text: String) -> Self {
        self.main.push(Piece::Amount(number as f64, text));
        self
    }

    fn piece(mut self, piece: Piece) -> Self {
        self.main.push(piece);
        self
    }

    fn rest(self, sign: &'static str, text: impl Into<String>) -> Self {
        Self { sign, rest: text.into(), ..self }
    }

    /// What stands after its main part; empty where there is no more.
    pub fn after(&self) -> String {
        let next = self.next.as_ref().map(|next| format!("; next: {next}")).unwrap_or_default();
        format!("{}{}{next}", self.sign, self.rest)
    }
}

fn say() -> Clause {
    Clause::default()
}

/// What is said of a finding, without the name of its API server where that stands before it.
pub(super) fn of(finding: &Finding) -> Sentence {
    let clause = match finding {
        Finding::Probe(probe) => return probed(probe),
        Finding::Note(note) => say().text(note),
        Finding::Unwell { server, how } => unwell(server, how),
        Finding::Memory { host, of_server: true, percent, of_mb } => {
            let clause = say().text("on ").name(host).text(" the API server holds ").amount(*percent, " %");
            clause.text(" of the ").amount(*of_mb, " MB").text(" that it may")
        }
        Finding::Memory { host, of_server: false, percent, of_mb } => {
            let clause = say().text("on ").name(host).text(" ").amount(*percent, " %");
            clause.text(" of the host's ").amount(*of_mb, " MB").text(" are in use")
        }
        Finding::LeftOut { server, why } => say().text("judged without ").name(server).rest(": ", why),
        Finding::Ready { servers, times, slowest_ms } => {
            let clause =
                say().count(*servers, "API server").text(format!(" ready {times} times in a row, in at most "));
            clause.amount(*slowest_ms, " ms")
        }
        Finding::Latency { samples, p99_ms } => {
            let clause = say().text(format!("p99 of {samples} samples is ")).amount(*p99_ms, " ms");
            clause.text(" on the slowest API server")
        }
        Finding::ClientRate { who, requests, over_ms } => {
            let over = Duration::from_millis(*over_ms);
            #[expect(clippy::cast_precision_loss, reason = "a count of requests in minutes")]
            let rate = *requests as f64 / over.as_secs_f64().max(f64::MIN_POSITIVE);
            let clause = say().text(format!("{who} made ")).amount(*requests, " requests");
            let mut clause = clause.text(format!(" in {} (", HumanDuration(over)));
            clause.main.push(Piece::Amount(rate, format!("{rate:.1}/s")));
            clause.text(")")
        }
        Finding::ClientRequests { user, most } => {
            let clause = say().text("the API servers hold at most ").amount(*most as u64, " requests");
            let seen = "watches that have begun are not among them, whether they start again only clientRate sees";
            clause.text(format!(" of {user}")).rest("; ", seen)
        }
        Finding::PodsLeft { pods, selector, namespace } => {
            say().amount(*pods as u64, " pods").text(format!(" with {selector} are left in {namespace}"))
        }
        Finding::Pods { pods, whose, says, .. } => say().count(*pods, "pod").text(format!(" {whose} {says}")),
        Finding::Offender(offender) => over(offender),
        Finding::Ranking(ranking) => ranked::ranked(ranking),
        Finding::Stuck(stuck) => no_further(stuck),
        Finding::Gate { now, back_end, next, taken_over } => {
            let clause = say().text(format!("{now} ({back_end})"));
            let Some((who, secs)) = next else { return Sentence(vec![clause]) };
            let taken = if taken_over.is_empty() { String::new() } else { format!(", {taken_over}") };
            clause.text(format!(", {who} in ")).duration(*secs).text(format!(" by itself{taken}"))
        }
        Finding::Cut { before, after: 0 } => say().amount(*before, " open connections").text(" cut, none left"),
        Finding::Cut { before, after } => {
            let clause = say().amount(*before, " open connections").text(", ").amount(*after, " left");
            clause.text(" that the kernel does not close").rest(": ", "each is reset as the server next sends")
        }
        Finding::Rejects { tried, let_in, refused } => {
            let clause =
                say().amount(*tried, " new connections").text(" tried, ").amount(*let_in, "").text(" let in, ");
            clause.amount(*refused, " packets").text(" refused")
        }
        Finding::Knocking { sources, loudest } => {
            let loudest: Vec<String> = loudest.iter().map(|(who, count)| format!("{who} ({count})")).collect();
            say().amount(*sources, " sources").text(format!(" within a minute, the loudest: {}", loudest.join(", ")))
        }
        Finding::GetsThrough { server, code, took_ms } => {
            let clause = say().text("the operator gets through: /livez of ").name(server);
            clause.text(format!(" says {code} in ")).amount(*took_ms, " ms")
        }
        Finding::Jailed { refused, secs, shown_by } => {
            let clause = say().text("in force: ").count(usize::try_from(*refused).unwrap_or(usize::MAX), "request");
            let clause = clause.text(" of it refused within ").duration(*secs).text(", and none served any more");
            clause.rest(": ", format!("{shown_by} shows it"))
        }
        Finding::Restarted { pid } => say().text("ready with the new manifest, process ").amount(*pid, ""),
    };
    Sentence(vec![clause])
}

fn probed(probe: &Probe) -> Sentence {
    let without = if probe.anonymous { " without our credential:" } else { "" };
    let connection = probe.connection.iter().map(connected);
    let ready = probe.ready.iter().map(|answer| answered(&format!("/readyz{without} "), answer));
    Sentence(connection.chain([answered("/livez ", &probe.live)]).chain(ready).collect())
}

fn connected(connection: &Connection) -> Clause {
    let clause = say().text(format!("{} ", connection.address));
    match connection.took_ms {
        Some(took) => clause.text("connected in ").amount(took, " ms"),
        None => clause.text("no connection").rest(": ", &connection.why),
    }
}

fn answered(path: &str, answer: &Answer) -> Clause {
    let clause = say().text(path);
    let clause = match (answer.code, answer.took_ms) {
        (Some(200), Some(took)) if answer.slow => clause.text("ok, but slow: ").amount(took, " ms"),
        (Some(200), Some(took)) => clause.text("ok in ").amount(took, " ms"),
        (Some(code), Some(took)) => clause.text(format!("{code} in ")).amount(took, " ms"),
        (Some(code), None) => clause.text(code.to_string()),
        (None, _) => clause.text(&answer.says).rest(": ", &answer.tried),
    };
    let clause = match answer.code {
        Some(_) if !answer.says.is_empty() => clause.text(format!(": {}", answer.says)),
        _ => clause,
    };
    Clause { next: answer.next.clone(), ..clause }
}

fn unwell(server: &str, how: &Unwell) -> Clause {
    match how {
        Unwell::NotReady { code } => say().text("/readyz of ").name(server).text(format!(" says {code}")),
        Unwell::NoServer { why } => {
            say().text("/readyz of ").name(server).text(format!(" is answered by no API server ({why})"))
        }
        Unwell::NotHeard { within_secs } => {
            say().text("/readyz of ").name(server).text(format!(" is not answered within {within_secs} s"))
        }
        Unwell::Silent { within_secs } => {
            say().text("small GETs to ").name(server).text(format!(" are not answered within {within_secs} s"))
        }
        Unwell::NoObject => {
            let clause = say().text("a small GET to ").name(server);
            clause.text(" came back with 200 and no Kubernetes object: something else answers")
        }
        Unwell::Denied { code, message } => say()
            .text("the storage behind ")
            .name(server)
            .text(format!(" cannot be judged with this credential: a small GET came back with {code} ({message})")),
        Unwell::Refuses { code } => say().text("a small GET to ").name(server).text(format!(" came back with {code}")),
        Unwell::Slow { took_ms } => say().text("a small GET to ").name(server).text(" took ").amount(*took_ms, " ms"),
        Unwell::Rejects { per_second } => {
            say().name(server).text(" rejects ").amount(*per_second, " requests").text(" a second")
        }
    }
}

impl Offender {
    /// What is left of it, in words; `None`: nothing that was counted.
    pub fn words(&self) -> Option<String> {
        let mut all = Vec::new();
        if let Some(pods) = self.pods.filter(|pods| *pods > 0) {
            let still = match self.ending {
                _ if self.shut_out => "still run on nodes that are refused, and whose kubelets hear nothing",
                0 => "are left, and nobody has ended them (breakglass end-pods OBJECT)",
                ending if ending >= pods => "are to end as soon as their kubelets hear of it",
                _ => "are left, not all of them marked to end",
            };
            let more = if self.more { "more than " } else { "" };
            let pods = words::count(usize::try_from(pods).unwrap_or(usize::MAX), "pod");
            all.push(format!("{more}{pods} of {} {still}", self.name));
        }
        let asks = [
            (self.served, "requests of it are served a second"),
            (self.refused, "are refused a second (403)"),
            (self.unknown, "come a second with a token that is void (401)"),
        ];
        let asks = asks
            .into_iter()
            .filter_map(|(rate, what)| rate.filter(|rate| *rate >= 1.0).map(|rate| format!("{rate:.0} {what}")));
        all.extend(asks);
        (!all.is_empty()).then(|| all.join(", "))
    }

    /// Whether it asks for nothing any more; `None`: neither its pods nor its requests could be counted.
    pub fn is_silent(&self) -> Option<bool> {
        if self.pods.is_none() && self.served.is_none() {
            return None;
        }
        let few = |rate: Option<f64>| rate.is_none_or(|rate| rate < 1.0);
        Some(self.pods.is_none_or(|pods| pods == 0) && few(self.served) && few(self.refused) && few(self.unknown))
    }
}

fn over(offender: &Offender) -> Clause {
    let open = offender.connections.map(|count| format!("{count} connections are open"));
    let and_open = open.as_ref().map(|open| format!(", {open}")).unwrap_or_default();
    match (offender.words(), offender.is_silent()) {
        (Some(left), _) => say().text("it is borne, but not over").rest(": ", format!("{left}{and_open}")),
        (None, Some(_)) => {
            let clause = say().text("nothing is left of the offender");
            open.map_or(clause.clone(), |open| clause.rest(", ", open))
        }
        (None, None) => {
            let why = "its pods could not be counted, and no audit log tells of its requests";
            say().text("what is left of the offender is not known").rest(": ", format!("{why}{and_open}"))
        }
    }
}

fn no_further(stuck: &Stuck) -> Clause {
    let mut whys: Vec<String> = stuck.bad.iter().map(ToString::to_string).collect();
    whys.extend(stuck.offender.as_ref().and_then(Offender::words));
    if !stuck.loudest.is_empty() {
        let loudest: Vec<String> = stuck.loudest.iter().map(|(who, count)| format!("{who} ({count})")).collect();
        whys.push(format!("most connections: {}", loudest.join(", ")));
    }
    let clause = say().text("no further for ").duration(stuck.secs).text(format!(" (level {})", stuck.level));
    clause.rest(": ", format!("{}. {TO_DO}", whys.join("; ")))
}

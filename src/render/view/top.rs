//! Who loads the API servers of each cluster.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;

use crate::duration::HumanDuration;
use crate::finding::ranking::{Client, Known, Measure, Ranking, Told};
use crate::render::{VERSION, one_line, table};
use crate::words;

const HEADING: [&str; 14] = [
    "SHARE",
    "CLIENT",
    "AGENT",
    "ASKS FOR",
    "REQUESTS",
    "REFUSED",
    "WATCHES",
    "SEATS",
    "OPEN",
    "SENT",
    "TRIED",
    "ADDRESSES",
    "SINCE",
    "WORKLOAD",
];
/// A name is cut in a table; JSON has it whole.
const NAME: usize = 60;

/// One cluster.
pub(crate) fn json(cluster: &str, ranking: &Ranking) -> serde_json::Value {
    json!({ "v": VERSION, "cluster": cluster, "top": ranking })
}

/// All clusters, so many clients of each.
pub(crate) fn text(all: &[(String, Ranking)], most: usize) -> String {
    all.iter().map(|(cluster, ranking)| one(cluster, ranking, most)).collect::<Vec<_>>().join("\n")
}

fn one(cluster: &str, ranking: &Ranking, most: usize) -> String {
    let mut text = String::new();
    let over = ranking.span_secs().map(|secs| format!(" in the last {}", age(secs))).unwrap_or_default();
    if ranking.clients.is_empty() {
        let _ = writeln!(text, "{}: no client was seen", one_line(cluster));
    } else {
        let _ = writeln!(text, "{}: shares {}{over}", one_line(cluster), ranking.by.words());
        let rows: Vec<Vec<String>> = ranking.clients.iter().take(most).map(row).collect();
        text.push_str(&narrowed(&rows));
        let more = ranking.clients.len().saturating_sub(most) + ranking.others;
        if more > 0 {
            let _ = writeln!(text, "and {}", words::count(more, "other client"));
        }
    }
    for told in &ranking.sources {
        let _ = writeln!(text, "{}", one_line(&by(told)));
    }
    let _ = writeln!(text, "{}", one_line(&next(ranking)));
    text
}

fn age(secs: u64) -> String {
    HumanDuration(Duration::from_secs(secs)).to_string()
}

fn number(number: Option<u64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

/// The first of several, and how many more there are.
fn first<T: ToString>(all: &[T]) -> String {
    match all {
        [] => String::new(),
        [one] => one.to_string(),
        [one, rest @ ..] => format!("{} +{}", one.to_string(), rest.len()),
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= NAME {
        return text.to_owned();
    }
    let start: String = text.chars().take(NAME - 1).collect();
    format!("{start}…")
}

fn row(client: &Client) -> Vec<String> {
    let nodes = if client.nodes > 0 {
        format!(" on {}", words::count(usize::try_from(client.nodes).unwrap_or(usize::MAX), "node"))
    } else {
        String::new()
    };
    vec![
        client.percent(),
        cut(&client.name),
        cut(&first(&client.agents)),
        cut(&first(&client.asks)),
        number(client.requests),
        number(client.refused.filter(|refused| *refused > 0)),
        number(client.watches.filter(|watches| *watches > 0)),
        number(client.seats),
        number(client.connections),
        client.bytes.map(words::bytes).unwrap_or_default(),
        number(client.attempts),
        if client.sources > 0 { format!("{}{nodes}", client.sources) } else { String::new() },
        client.since_secs.map(age).unwrap_or_default(),
        if client.own { "(the cluster's own)".to_owned() } else { cut(&first(&client.workloads)) },
    ]
}

/// The table without the columns that nobody has anything in.
fn narrowed(rows: &[Vec<String>]) -> String {
    let used: Vec<usize> = (0..HEADING.len()).filter(|&at| rows.iter().any(|row| !row[at].is_empty())).collect();
    let heading: Vec<&str> = used.iter().map(|&at| HEADING[at]).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(|row| used.iter().map(|&at| row[at].clone()).collect()).collect();
    table(&heading, &rows)
}

/// What a source told, who did not tell, and what it cannot know.
fn by(told: &Told) -> String {
    let span = told.span_secs.map(|secs| format!(", {}", age(secs))).unwrap_or_default();
    let mut text = match told.by.as_slice() {
        [] => format!("{}: nothing", told.source),
        by => format!("{}: told by {}{span}", told.source, words::fold(by)),
    };
    // Hosts that say the same are told as one; what was tried on each is in the JSON.
    let mut silent: Vec<(String, Vec<String>)> = Vec::new();
    for (who, why) in &told.silent {
        let why = why.split(": ").next().unwrap_or_default();
        match silent.iter_mut().find(|(known, _)| known == why) {
            Some((_, all)) => all.push(who.clone()),
            None => silent.push((why.to_owned(), vec![who.clone()])),
        }
    }
    for (why, all) in silent {
        let _ = write!(text, "; not by {}: {why}", words::fold(&all));
    }
    for limit in &told.limits {
        let _ = write!(text, "; {limit}");
    }
    text
}

/// What to type next.
fn next(ranking: &Ranking) -> String {
    let Some(client) = ranking.offender() else {
        return match ranking.clients.first() {
            Some(_) => "nobody stands out among those that are no part of the cluster itself".to_owned(),
            None => "next: breakglass gate close, which makes room without knowing who it is".to_owned(),
        };
    };
    match (client.workloads.first(), client.known) {
        (Some(workload), _) => format!(
            "{} stands out; its pods' names say {workload}. next: breakglass park {workload}; or all of it: \
             breakglass run api-overload -p offender={workload}",
            client.name
        ),
        (None, Known::User) => {
            format!("{} stands out; no pod's name tells its workload. next: breakglass revoke user/NAME", client.name)
        }
        (None, Known::Agent) => format!(
            "what calls itself {} stands out; no source tells its user: read an audit log, or ask who it is at {}",
            client.name,
            first(&client.addresses)
        ),
        (None, Known::Address) if ranking.by == Measure::Attempts => format!(
            "{} tries most at the gate; no source tells who that is. next: breakglass gate close --nodes --targets HOST keeps a host \
             from the API",
            client.name
        ),
        (None, Known::Address) => format!(
            "most is sent to {}; no source tells who that is. next: breakglass gate close --nodes --targets HOST keeps a host from the API",
            client.name
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::ranking::{Asks, Source};

    fn client(name: &str, share: u32, own: bool) -> Client {
        Client {
            name: name.into(),
            known: Known::User,
            share,
            agents: vec!["agent/1.0".into(), "other".into()],
            asks: vec![Asks { verb: "list".into(), resource: "pods".into(), requests: 40 }],
            requests: Some(41),
            watches: Some(0),
            refused: Some(0),
            millis: Some(9000),
            seats: None,
            connections: None,
            bytes: None,
            attempts: None,
            addresses: vec!["10.0.0.9".parse().unwrap()],
            sources: 25,
            nodes: 25,
            since_secs: Some(240),
            workloads: Vec::new(),
            own,
        }
    }

    fn ranking(clients: Vec<Client>, offender: Option<usize>) -> Ranking {
        let told = Told {
            source: Source::Audit,
            by: vec!["cp1".into(), "cp2".into()],
            silent: vec![("cp3".into(), "no route".into())],
            span_secs: Some(300),
            limits: Vec::new(),
        };
        Ranking { clients, others: 3, by: Measure::Time, sources: vec![told], offender }
    }

    #[test]
    fn who_stands_out_is_named_with_what_to_type() {
        let mut first = client("system:serviceaccount:telemetry:agent", 968, false);
        first.workloads = vec!["daemonsets.apps/telemetry/agent".into()];
        let all = [("prod".to_owned(), ranking(vec![first, client("system:apiserver", 20, true)], Some(0)))];
        let text = text(&all, 1);
        let expected = "prod: shares of the time that requests took in the last 5m\n\
            SHARE  CLIENT                                 AGENT         ASKS FOR   REQUESTS  ADDRESSES       SINCE  WORKLOAD\n\
            97 %   system:serviceaccount:telemetry:agent  agent/1.0 +1  list pods  41        25 on 25 nodes  4m     daemonsets.apps/telemetry/agent\n\
            and 4 other clients\n\
            audit logs: told by cp[1-2], 5m; not by cp3: no route\n\
            system:serviceaccount:telemetry:agent stands out; its pods' names say daemonsets.apps/telemetry/agent. next: breakglass park daemonsets.apps/telemetry/agent; or all of it: breakglass run api-overload -p offender=daemonsets.apps/telemetry/agent\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn where_nobody_stands_out_nothing_is_called_an_offender() {
        let said = text(&[("prod".into(), ranking(vec![client("jane", 500, false)], None))], 5);
        assert!(said.contains("nobody stands out"), "{said}");
        let said = text(&[("prod".into(), ranking(Vec::new(), None))], 5);
        assert!(said.contains("no client was seen") && said.contains("gate close"), "{said}");
    }

    #[test]
    fn a_name_of_a_stranger_stays_in_its_line() {
        let said = text(&[("prod".into(), ranking(vec![client("x\n\u{1b}[2Jroot", 900, false)], Some(0)))], 5);
        assert!(!said.contains('\u{1b}') && said.lines().count() == 6, "{said:?}");
    }

    #[test]
    fn all_that_is_known_is_in_the_json() {
        let value = json("prod", &ranking(vec![client("jane", 900, false)], Some(0)));
        assert_eq!(value["top"]["clients"][0]["asks"][0]["verb"], "list");
        assert_eq!((&value["cluster"], &value["top"]["offender"]), (&"prod".into(), &0.into()));
    }
}

//! What is said of a finding, and what is written down of it.

use serde_json::{Value, json};

use super::*;

fn pods(are: Pods, says: &str) -> Finding {
    Finding::Pods { pods: 2, whose: "of ds/telemetry/agent".into(), are, says: says.into() }
}

fn offender() -> Offender {
    Offender {
        name: "ds/telemetry/agent".into(),
        pods: Some(3),
        served: Some(12.4),
        refused: Some(0.5),
        ..Offender::default()
    }
}

/// One of each, with its sentence.
fn all() -> Vec<(Finding, &'static str)> {
    [probes(), servers(), waits(), gates(), rankings()].concat()
}

fn unwell(how: Unwell) -> Finding {
    Finding::Unwell { server: "api1".into(), how }
}

fn probes() -> Vec<(Finding, &'static str)> {
    let live = Answer { code: Some(200), took_ms: Some(12), ..Answer::default() };
    let silent = Answer { says: "no way in".into(), tried: "refused".into(), ..Answer::default() };
    let address = "10.0.0.1:6443".parse().unwrap();
    let probe = |connection, live, ready, anonymous| {
        let server = "api1".into();
        Finding::Probe(Box::new(Probe { server, connection, live, ready, anonymous }))
    };
    let connection = |took_ms, why: &str| Some(Connection { address, took_ms, why: why.into() });
    let well = Answer { says: "the server is well, our credential is not".into(), ..live.clone() };
    vec![
        (Finding::Note("it was frozen already".into()), "it was frozen already"),
        (
            probe(connection(Some(2), ""), live.clone(), Some(Answer { slow: true, ..live.clone() }), false),
            "api1: 10.0.0.1:6443 connected in 2 ms; /livez ok in 12 ms; /readyz ok, but slow: 12 ms",
        ),
        (
            probe(connection(None, "refused"), silent, None, false),
            "api1: 10.0.0.1:6443 no connection: refused; /livez no way in: refused",
        ),
        (
            probe(None, Answer { code: Some(401), next: Some("kit check".into()), ..well.clone() }, Some(well), true),
            "api1: /livez 401 in 12 ms: the server is well, our credential is not; next: kit check; /readyz without our \
             credential: ok in 12 ms: the server is well, our credential is not",
        ),
    ]
}

fn rankings() -> Vec<(Finding, &'static str)> {
    use ranking::{Asks, Client, Known, Ranking, Source, Told};
    let client = Client {
        name: "system:serviceaccount:a:b".into(),
        known: Known::User,
        share: 968,
        agents: vec!["b/1".into()],
        asks: vec![Asks { verb: "list".into(), resource: "pods".into(), requests: 9 }],
        requests: Some(9),
        watches: Some(0),
        refused: None,
        millis: Some(5000),
        seats: None,
        connections: None,
        bytes: None,
        attempts: None,
        addresses: vec!["10.0.0.9".parse().unwrap()],
        sources: 25,
        nodes: 25,
        since_secs: Some(7),
        workloads: vec!["daemonsets.apps/a/b".into()],
        own: false,
    };
    let told = |by: &[&str], silent: Vec<(String, String)>| Told {
        source: Source::Audit,
        by: by.iter().map(|&name| name.to_owned()).collect(),
        silent,
        span_secs: Some(300),
        limits: Vec::new(),
    };
    let one = |clients: Vec<Client>, offender, told| {
        Finding::Ranking(Box::new(Ranking { clients, offender, sources: vec![told], ..Ranking::default() }))
    };
    vec![
        (
            one(vec![client.clone()], Some(0), told(&["cp1"], Vec::new())),
            "system:serviceaccount:a:b takes 97 % of the time that requests took: most for list pods, from 25 addresses, its pods are of \
             daemonsets.apps/a/b, by audit logs",
        ),
        (
            one(vec![Client { workloads: Vec::new(), sources: 1, ..client }], None, told(&["cp1"], Vec::new())),
            "system:serviceaccount:a:b takes 97 % of the time that requests took, and none stands out: most for list pods, from 1 \
             address, by audit logs",
        ),
        (
            one(Vec::new(), None, told(&[], vec![("cp1".into(), "no route".into())])),
            "nothing was read that tells who loads the API servers: audit logs, cp1: no route",
        ),
        (
            one(Vec::new(), None, told(&["cp1"], Vec::new())),
            "nothing was read that tells who loads the API servers: no client was seen",
        ),
    ]
}

fn servers() -> Vec<(Finding, &'static str)> {
    vec![
        (unwell(Unwell::NotReady { code: 500 }), "/readyz of api1 says 500"),
        (unwell(Unwell::NoServer { why: "html".into() }), "/readyz of api1 is answered by no API server (html)"),
        (unwell(Unwell::NotHeard { within_secs: 5 }), "/readyz of api1 is not answered within 5 s"),
        (unwell(Unwell::Silent { within_secs: 5 }), "small GETs to api1 are not answered within 5 s"),
        (
            unwell(Unwell::NoObject),
            "a small GET to api1 came back with 200 and no Kubernetes object: something else answers",
        ),
        (
            unwell(Unwell::Denied { code: 403, message: "no".into() }),
            "the storage behind api1 cannot be judged with this credential: a small GET came back with 403 (no)",
        ),
        (unwell(Unwell::Refuses { code: 429 }), "a small GET to api1 came back with 429"),
        (unwell(Unwell::Slow { took_ms: 1200 }), "a small GET to api1 took 1200 ms"),
        (unwell(Unwell::Rejects { per_second: 9 }), "api1 rejects 9 requests a second"),
        (
            Finding::Memory { host: "cp1".into(), of_server: true, percent: 95, of_mb: 4096 },
            "on cp1 the API server holds 95 % of the 4096 MB that it may",
        ),
        (
            Finding::Memory { host: "cp1".into(), of_server: false, percent: 98, of_mb: 7812 },
            "on cp1 98 % of the host's 7812 MB are in use",
        ),
        (
            Finding::LeftOut { server: "api2".into(), why: "the runbook leaves it out".into() },
            "judged without api2: the runbook leaves it out",
        ),
    ]
}

fn waits() -> Vec<(Finding, &'static str)> {
    vec![
        (
            Finding::Ready { servers: 3, times: 2, slowest_ms: 40 },
            "3 API servers ready 2 times in a row, in at most 40 ms",
        ),
        (Finding::Latency { samples: 20, p99_ms: 13 }, "p99 of 20 samples is 13 ms on the slowest API server"),
        (
            Finding::ClientRate { who: "agent".into(), requests: 33, over_ms: 10_000 },
            "agent made 33 requests in 10s (3.3/s)",
        ),
        (
            Finding::ClientRequests { user: "agent".into(), most: 1 },
            "the API servers hold at most 1 requests of agent; watches that have begun are not among them, whether they \
             start again only clientRate sees",
        ),
        (
            Finding::PodsLeft { pods: 0, selector: "app=agent".into(), namespace: "telemetry".into() },
            "0 pods with app=agent are left in telemetry",
        ),
        (pods(Pods::Ended, "are ended within 5 s each"), "2 pods of ds/telemetry/agent are ended within 5 s each"),
    ]
}

fn gates() -> Vec<(Finding, &'static str)> {
    let stuck = |offender| {
        let bad = vec![unwell(Unwell::Slow { took_ms: 2700 })];
        Finding::Stuck(Box::new(Stuck { secs: 90, level: 1, bad, offender, loudest: vec![("cp1".into(), 7)] }))
    };
    vec![
        (
            Finding::Offender(Box::new(Offender { connections: Some(9), ..offender() })),
            "it is borne, but not over: 3 pods of ds/telemetry/agent are left, and nobody has ended them (breakglass \
             end-pods OBJECT), 12 requests of it are served a second, 9 connections are open",
        ),
        (
            Finding::Offender(Box::new(Offender { pods: Some(0), ..Offender::default() })),
            "nothing is left of the offender",
        ),
        (
            Finding::Offender(Box::new(Offender { pods: Some(0), connections: Some(9), ..Offender::default() })),
            "nothing is left of the offender, 9 connections are open",
        ),
        (
            Finding::Offender(Box::default()),
            "what is left of the offender is not known: its pods could not be counted, and no audit log tells of its requests",
        ),
        (
            stuck(None),
            "no further for 1m30s (level 1): a small GET to api1 took 2700 ms; most connections: cp1 (7). To do: stop what \
             runs there by SSH (crictl ps, crictl stop), keep those nodes from the API (breakglass gate close --nodes \
             --targets NODES), or give the API servers more (breakglass scale-apiserver); see who knocks with breakglass \
             gate watch",
        ),
        (
            Finding::Gate {
                now: "closed".into(),
                back_end: "nft".into(),
                next: Some(("5 %".into(), 899)),
                taken_over: "in the hands of run r2 of eve".into(),
            },
            "closed (nft), 5 % in 14m59s by itself, in the hands of run r2 of eve",
        ),
        (
            Finding::Gate { now: "open".into(), back_end: "nft".into(), next: None, taken_over: String::new() },
            "open (nft)",
        ),
        (Finding::Cut { before: 82, after: 0 }, "82 open connections cut, none left"),
        (
            Finding::Cut { before: 82, after: 1 },
            "82 open connections, 1 left that the kernel does not close: each is reset as the server next sends",
        ),
        (
            Finding::Rejects { tried: 12, let_in: 1, refused: 40 },
            "12 new connections tried, 1 let in, 40 packets refused",
        ),
        (
            Finding::Knocking { sources: 4, loudest: vec![("10.0.0.7".into(), 9), ("10.0.0.8".into(), 2)] },
            "4 sources within a minute, the loudest: 10.0.0.7 (9), 10.0.0.8 (2)",
        ),
        (
            Finding::GetsThrough { server: "api1".into(), code: 200, took_ms: 468 },
            "the operator gets through: /livez of api1 says 200 in 468 ms",
        ),
        (
            Finding::Jailed { refused: 37, secs: 4, shown_by: "the audit log".into() },
            "in force: 37 requests of it refused within 4s, and none served any more: the audit log shows it",
        ),
        (Finding::Restarted { pid: 1101 }, "ready with the new manifest, process 1101"),
    ]
}

#[test]
fn a_finding_is_told_as_a_sentence() {
    for (finding, sentence) in all() {
        assert_eq!(finding.to_string(), sentence);
    }
}

#[test]
fn a_finding_is_written_beside_its_sentence_and_read_back() {
    for (finding, sentence) in all() {
        let written = serde_json::to_value(&finding).unwrap();
        assert_eq!(written["what"], sentence);
        assert_eq!(written.get("finding").is_none(), matches!(finding, Finding::Note(_)), "{written}");
        assert_eq!(serde_json::from_value::<Finding>(written).unwrap(), finding);
    }
    let written = serde_json::to_value(Finding::Latency { samples: 20, p99_ms: 13 }).unwrap();
    assert_eq!(written["finding"], json!({"kind": "latency", "samples": 20, "p99Ms": 13}));
}

#[test]
fn what_another_version_wrote_is_read_as_its_sentence() {
    let read = |written: Value| serde_json::from_value::<Finding>(written).unwrap();
    let note = Finding::Note("closed (nft)".into());
    assert_eq!(read(json!({"what": "closed (nft)"})), note);
    assert_eq!(read(json!({"what": "closed (nft)", "finding": {"kind": "of-tomorrow", "x": 1}})), note);
    assert_eq!(read(json!({"what": "closed (nft)", "finding": {"kind": "latency"}})), note);
}

#[test]
fn nobody_says_of_an_offender_that_it_is_silent_who_could_not_count() {
    let silent =
        |pods, served, refused, unknown| Offender { pods, served, refused, unknown, ..Offender::default() }.is_silent();
    assert_eq!(silent(None, None, None, None), None);
    assert_eq!(silent(Some(0), None, None, None), Some(true));
    assert_eq!(silent(Some(1), None, None, None), Some(false));
    assert_eq!(silent(None, Some(0.0), Some(3.0), None), Some(false));
    assert_eq!(silent(Some(0), Some(0.0), Some(0.0), Some(40.0)), Some(false));
}

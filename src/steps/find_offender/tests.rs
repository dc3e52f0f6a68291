//! Who is called an offender, out of what the sources tell.

use super::asking::{Heard, Read};
use super::dump::Held;
use super::merge::merge;
use super::*;
use crate::finding::ranking::{Known, Measure};
use crate::host::ranking::{FROM_THE_START, Ranked, Row};

const AGENT: &str = "system:serviceaccount:telemetry:agent";

fn row(user: &str, verb: &str, resource: &str, requests: u64, millis: u64) -> Row {
    Row {
        user: Some(user.into()),
        agent: Some("agent/1.0".into()),
        verb: verb.into(),
        resource: resource.into(),
        requests,
        millis: Some(millis),
        sources: vec![("10.1.0.9".parse().unwrap(), requests)],
        source_count: 1,
        first: 240,
        ..Row::default()
    }
}

fn heard<T>(by: &str, told: T) -> Heard<T> {
    Heard { by: by.into(), told: Ok(told) }
}

fn ranked(rows: Vec<Row>) -> Ranked {
    Ranked { rows, span: 300, whole: true, ..Ranked::default() }
}

/// Two clients that are busy and harm nobody, and the parts of the cluster.
fn innocent() -> Vec<Row> {
    let calls = |agent: &str, row: Row| Row { agent: Some(agent.into()), ..row };
    vec![
        row("system:serviceaccount:ci:runner", "get", "pods", 3000, 9000),
        row("jane", "list", "deployments.apps", 300, 12_000),
        row("system:apiserver", "get", "leases.coordination.k8s.io", 4000, 4000),
        row("system:node:n1", "update", "leases.coordination.k8s.io", 900, 2000),
        row("system:node:n2", "update", "leases.coordination.k8s.io", 900, 2000),
        calls(
            "kube-controller-manager/v1.34 (linux/amd64)",
            row("system:serviceaccount:kube-system:node-controller", "list", "nodes", 500, 900_000),
        ),
    ]
}

fn audit(rows: Vec<Row>) -> Read {
    Read { audit: vec![heard("cp1", ranked(rows))], ..Read::default() }
}

fn named(read: &Read) -> Option<String> {
    merge(read).offender().map(|client| client.name.clone())
}

#[test]
fn a_storm_of_lists_is_named_among_busy_innocents() {
    let mut rows = innocent();
    let pods = vec!["agent-7xk2p".to_owned(), "agent-9d8sz".to_owned()];
    rows.push(Row { pods, nodes: 2, ..row(AGENT, "list", "pods", 600, 2_000_000) });
    rows.push(row(AGENT, "get", "configmaps", 5000, 5000));
    let ranking = merge(&audit(rows));
    let first = ranking.offender().unwrap();
    assert_eq!((first.name.as_str(), first.asks[0].to_string().as_str()), (AGENT, "list pods"));
    assert_eq!((first.requests, first.nodes), (Some(5600), 2));
    assert_eq!(first.workloads, ["daemonsets.apps/telemetry/agent"]);
    let nodes = ranking.clients.iter().find(|client| client.name == "system:node:*").unwrap();
    assert_eq!((nodes.requests, nodes.nodes, nodes.own), (Some(1800), 2, true));
    let controller = ranking.clients.iter().find(|client| client.name.ends_with("node-controller")).unwrap();
    assert!(controller.own && controller.share > nodes.share);
}

/// Nothing in an audit log says what a watch cost that sends all objects first.
#[test]
fn a_storm_of_watches_from_the_start_is_named_by_their_number() {
    let mut rows = innocent();
    rows.retain(|row| !row.user.as_ref().unwrap().ends_with("node-controller"));
    rows.push(Row { millis: None, watches: 200, ..row(AGENT, FROM_THE_START, "pods", 900, 0) });
    let ranking = merge(&audit(rows));
    let first = ranking.offender().unwrap();
    assert_eq!((first.name.as_str(), first.watches), (AGENT, Some(200)));
}

#[test]
fn a_request_that_goes_on_for_as_long_as_its_client_wants_is_no_load() {
    let mut rows = innocent();
    rows.push(row("eve", "get", "pods/log", 3, 90_000_000));
    rows.push(row("adam", "connect", "pods/exec", 3, 90_000_000));
    rows.push(row(AGENT, "list", "pods", 600, 2_000_000));
    assert_eq!(named(&audit(rows)).as_deref(), Some(AGENT));
}

#[test]
fn nobody_stands_out_where_two_do() {
    let two = vec![row("a", "list", "pods", 10, 10_000), row("b", "list", "pods", 10, 9_000)];
    assert_eq!(named(&audit(two)), None);
    let many = (0..20).map(|n| row(&format!("u{n}"), "list", "pods", 10, 1000)).collect();
    assert_eq!(named(&audit(many)), None);
    // The cluster's own parts are nobody's offender, whatever they ask.
    assert_eq!(named(&audit(vec![row("system:kube-scheduler", "list", "pods", 10, 10_000)])), None);
    // An account that calls itself the controller manager is believed only where that one's accounts are.
    let sly = Row { agent: Some("kube-controller-manager/v1".into()), ..row(AGENT, "list", "pods", 10, 10_000) };
    assert_eq!(named(&audit(vec![sly])).as_deref(), Some(AGENT));
}

#[test]
fn what_several_hosts_tell_of_one_client_is_one_client() {
    let one =
        |address: &str| Row { sources: vec![(address.parse().unwrap(), 5)], ..row(AGENT, "list", "pods", 5, 5000) };
    let read = Read {
        audit: vec![
            heard("cp1", ranked(vec![one("10.1.0.1")])),
            heard("cp2", ranked(vec![one("10.1.0.2")])),
            Heard { by: "cp3".into(), told: Err("no route".into()) },
        ],
        ..Read::default()
    };
    let ranking = merge(&read);
    let first = ranking.offender().unwrap();
    assert_eq!((first.requests, first.sources, first.share), (Some(10), 2, 1000));
    let told = &ranking.sources[0];
    assert_eq!((told.by.len(), told.silent.len(), told.span_secs), (2, 1, Some(300)));
}

fn held(user: &str, number: usize) -> Vec<Held> {
    let one = Held { user: user.into(), verb: "list".into(), resource: "pods".into(), seats: 10 };
    vec![one; number]
}

#[test]
fn without_audit_logs_the_dumps_name_a_user_by_its_seats() {
    let mut all = held(AGENT, 30);
    all.extend(held("jane", 2));
    let read = Read {
        audit: vec![Heard { by: "cp1".into(), told: Err("it has no audit log that can be read".into()) }],
        requests: vec![heard("api1", (all, 0))],
        ..Read::default()
    };
    let ranking = merge(&read);
    let first = ranking.offender().unwrap();
    assert_eq!((first.name.as_str(), first.seats, first.requests), (AGENT, Some(300), None));
    assert_eq!((ranking.by, first.known), (Measure::Seats, Known::User));
}

#[test]
fn a_servers_log_names_what_a_client_calls_itself_and_sockets_an_address() {
    let calls =
        |agent: &str, millis| Row { user: None, agent: Some(agent.into()), ..row("", "LIST", "pods", 9, millis) };
    let log = ranked(vec![calls("agent/1.0", 90_000), calls("kubelet/v1.34", 150_000), calls("kubectl/v1", 100)]);
    let open = |address: &str, bytes| Row {
        bytes: Some(bytes),
        sources: vec![(address.parse().unwrap(), 8)],
        requests: 8,
        ..Row::default()
    };
    let sockets = || vec![heard("cp1", vec![open("10.1.0.9", 90_000_000), open("10.1.0.7", 1000)])];
    let by_log = Read { log: vec![heard("cp1", log)], sockets: sockets(), ..Read::default() };
    let first = merge(&by_log).offender().unwrap().clone();
    assert_eq!((first.name.as_str(), first.known), ("agent/1.0", Known::Agent));
    let by_sockets = Read { sockets: sockets(), ..Read::default() };
    let ranking = merge(&by_sockets);
    let first = ranking.offender().unwrap();
    assert_eq!((first.name.as_str(), first.known, first.connections), ("10.1.0.9", Known::Address, Some(8)));
    assert_eq!(client(&ranking), None, "an address is no user");
}

/// Who is kept out has no connection, and asks for nothing that a log would tell of: he is seen where he tries.
#[test]
fn behind_a_gate_those_who_try_are_told_by_how_often() {
    let gate = |tries: &str| {
        let said = format!("back_end=nft\nlisten=\nuptime=1\ntalkers=30\n{tries}");
        let state = gate::status().read(&said).unwrap().unwrap();
        vec![heard("cp1", state)]
    };
    let tries = || gate("talker=900 10.1.0.9\ntalker=80 10.1.0.1\ntalker=7 10.1.0.7\n");
    let open = |address: &str| Row {
        bytes: Some(90_000_000),
        requests: 8,
        sources: vec![(address.parse().unwrap(), 8)],
        ..Row::default()
    };
    let sockets = || vec![heard("cp1", vec![open("10.1.0.7")])];
    let ranking = merge(&Read { gates: tries(), sockets: sockets(), ..Read::default() });
    let first = ranking.offender().unwrap();
    assert_eq!((first.name.as_str(), first.known, first.attempts), ("10.1.0.9", Known::Address, Some(900)));
    assert_eq!((ranking.by, ranking.clients[2].connections), (Measure::Attempts, Some(8)));
    let told = ranking.sources.iter().find(|told| told.source == Source::Gate).unwrap();
    assert!(told.limits.iter().any(|limit| limit.contains("27 more tried")), "{told:?}");
    // A user that the audit log knows from before is known by its address, where it is the only one there.
    let from = |address: &str, user: &str, millis| Row {
        sources: vec![(address.parse().unwrap(), 1)],
        ..row(user, "list", "pods", 9, millis)
    };
    let rows = vec![from("10.1.0.9", AGENT, 9000), from("10.1.0.1", "a", 90), from("10.1.0.1", "b", 80)];
    let ranking = merge(&Read { audit: vec![heard("cp1", ranked(rows))], gates: tries(), ..Read::default() });
    let tried: Vec<Option<u64>> = ranking.clients.iter().map(|client| client.attempts).collect();
    assert_eq!(tried, [Some(900), None, None]);
}

/// Where two clients come from one address, nobody knows whose connections these are.
#[test]
fn connections_are_counted_to_the_only_client_of_an_address() {
    let from = |address: &str, row: Row| Row { sources: vec![(address.parse().unwrap(), 1)], ..row };
    let rows = vec![
        from("10.1.0.1", row("a", "list", "pods", 1, 1000)),
        from("10.1.0.1", row("b", "list", "pods", 1, 1000)),
        from("10.1.0.2", row("c", "list", "pods", 1, 1000)),
    ];
    let open = |address: &str| Row {
        bytes: Some(7),
        requests: 3,
        sources: vec![(address.parse().unwrap(), 3)],
        ..Row::default()
    };
    let sockets = vec![heard("cp1", vec![open("10.1.0.1"), open("10.1.0.2"), open("10.1.0.3")])];
    let ranking = merge(&Read { audit: vec![heard("cp1", ranked(rows))], sockets, ..Read::default() });
    let connections: Vec<Option<u64>> = ranking.clients.iter().map(|client| client.connections).collect();
    assert_eq!(connections, [None, None, Some(3)]);
}

#[test]
fn what_is_required_and_not_found_ends_the_step_with_what_helps_further() {
    let needs = |require, rows: Vec<Row>| {
        let params = Params { require, ..Params::default() };
        params.lacks(&merge(&audit(rows))).map(|error| error.to_string())
    };
    let agent = || row(AGENT, "list", "pods", 600, 2_000_000);
    assert_eq!(needs(Require::Nothing, Vec::new()), None);
    assert!(needs(Require::Client, Vec::new()).unwrap().starts_with("no client stands out"));
    assert_eq!(needs(Require::Client, vec![agent()]), None);
    assert!(needs(Require::Workload, vec![agent()]).unwrap().contains("no name of a pod"));
    let pods = vec!["agent-7xk2p".to_owned()];
    assert_eq!(needs(Require::Workload, vec![Row { pods, ..agent() }]), None);
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (with, at) in [
        (serde_json::json!({"last": "0s"}), "last"),
        (serde_json::json!({"mostMb": 0}), "mostMb"),
        (serde_json::json!({"auditLog": "audit.log"}), "auditLog"),
        (serde_json::json!({"serverLog": "x"}), "serverLog"),
        (serde_json::json!({"sources": []}), "sources"),
    ] {
        let faults = Params::typed(with.clone()).unwrap_err();
        assert!(faults.iter().any(|fault| fault.to_string().contains(at)), "{with}: {faults:?}");
    }
    assert!(Params::typed(serde_json::json!({})).is_ok());
}

//! One ranking out of what all sources told.
//!
//! The source that knows most says who the clients are: audit logs and dumps know users, the API servers' logs what clients call
//! themselves, sockets only addresses. What the others know of the same client is added to it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::asking::{Heard, Read};
use super::dump::Held;
use crate::finding::ranking::{Asks, Client, Known, Measure, Ranking, Source, Told};
use crate::host::ranking::{FROM_THE_START, Ranked, Row};
use crate::steps::pod_names;
use crate::words;

/// How many clients a ranking names.
const CLIENTS: usize = 50;
/// How many kinds of request of one client, and how many of its names.
const ASKS: usize = 5;
/// How many addresses of one client.
const ADDRESSES: usize = 100;
/// In milliseconds: what a watch counts for at least that sends all objects first. Nothing in an audit log says how long that took; 123 ms
/// of processor time were measured for 5 MB of objects (Kubernetes 1.34).
const FROM_THE_START_MS: u64 = 100;
/// Where requests have to wait, all times in a log are those of waiting: there it counts for so many times what one takes on average.
const FROM_THE_START_TIMES: u64 = 5;
/// The same of what goes on for as long as its client wants.
const GOES_ON_MS: u64 = 1;
/// Whose share is less stands out in nothing, in tenths of a percent.
const OUTSTANDING: u32 = 250;
/// So many times as much as the next one has who stands out.
const TIMES: u64 = 2;
/// Requests that go on for as long as their client wants: their time is no load.
const LONG: [&str; 5] = ["log", "exec", "attach", "portforward", "proxy"];
/// The kubelets are one client.
const NODE: &str = "system:node:";
const NODES: &str = "system:node:*";
const ACCOUNT: &str = "system:serviceaccount:";

/// What is known of one client.
#[derive(Default)]
struct Sum {
    load: u64,
    agents: BTreeMap<String, u64>,
    asks: BTreeMap<(String, String), (u64, u64)>,
    requests: Option<u64>,
    watches: Option<u64>,
    refused: Option<u64>,
    millis: Option<u64>,
    seats: Option<u64>,
    connections: Option<u64>,
    bytes: Option<u64>,
    attempts: Option<u64>,
    addresses: BTreeMap<IpAddr, u64>,
    sources: u64,
    nodes: u64,
    members: BTreeSet<String>,
    pods: BTreeSet<String>,
    since: Option<u64>,
}

type Clients = BTreeMap<String, Sum>;

/// The ranking.
pub(super) fn merge(read: &Read) -> Ranking {
    let (mut clients, known, by) = first_of(read);
    if known == Known::User && by == Measure::Time {
        seats(&mut clients, &read.requests);
    }
    if known != Known::Address {
        by_address(&mut clients, read);
    }
    let total: u64 = clients.values().map(|sum| sum.load).sum();
    let mut all: Vec<(String, Sum)> = clients.into_iter().collect();
    all.sort_by(|a, b| b.1.load.cmp(&a.1.load).then_with(|| a.0.cmp(&b.0)));
    let loads: Vec<u64> = all.iter().map(|(_, sum)| sum.load).collect();
    let others = all.len().saturating_sub(CLIENTS);
    let clients: Vec<Client> =
        all.into_iter().take(CLIENTS).map(|(name, sum)| sum.client(name, known, total)).collect();
    let offender = outstanding(&clients, &loads);
    Ranking { offender, clients, others, by, sources: told(read) }
}

/// The clients of the source that knows most.
fn first_of(read: &Read) -> (Clients, Known, Measure) {
    let audit = of_rows(&read.audit, |row| row.user.clone());
    if !audit.is_empty() {
        return (audit, Known::User, Measure::Time);
    }
    let mut held = Clients::new();
    seats(&mut held, &read.requests);
    if !held.is_empty() {
        held.values_mut().for_each(|sum| sum.load = sum.seats.unwrap_or(0));
        return (held, Known::User, Measure::Seats);
    }
    let log = of_rows(&read.log, |row| row.agent.clone());
    if !log.is_empty() {
        return (log, Known::Agent, Measure::Time);
    }
    let mut open = Clients::new();
    for row in told_of(&read.sockets).flatten() {
        let Some((address, _)) = row.sources.first() else { continue };
        open.entry(address.to_string()).or_default().add_socket(row);
    }
    for talker in told_of(&read.gates).flat_map(|gate| &gate.talkers) {
        let sum = open.entry(talker.addr.to_string()).or_default();
        sum.addresses.entry(talker.addr).or_default();
        add(&mut sum.attempts, talker.attempts);
    }
    // Behind a gate those are connected who are let in: who is kept out only tries.
    let by = if open.values().any(|sum| sum.attempts.is_some()) { Measure::Attempts } else { Measure::Bytes };
    for sum in open.values_mut() {
        let of = if by == Measure::Attempts { sum.attempts } else { sum.bytes };
        sum.load = of.unwrap_or(0);
    }
    (open, Known::Address, by)
}

fn told_of<T>(heard: &[Heard<T>]) -> impl Iterator<Item = &T> {
    heard.iter().filter_map(|heard| heard.told.as_ref().ok())
}

fn of_rows(heard: &[Heard<Ranked>], name: impl Fn(&Row) -> Option<String>) -> Clients {
    let mut clients = Clients::new();
    let rows = || told_of(heard).flat_map(|ranked| &ranked.rows);
    let ended = rows().filter(|row| !goes_on(row)).filter_map(|row| Some((row.requests, row.millis?)));
    let (requests, millis) = ended.fold((0_u64, 0_u64), |(requests, millis), (more, took)| {
        (requests.saturating_add(more), millis.saturating_add(took))
    });
    let from_the_start = (millis / requests.max(1) * FROM_THE_START_TIMES).max(FROM_THE_START_MS);
    for row in told_of(heard).flat_map(|ranked| &ranked.rows) {
        let Some(name) = name(row) else { continue };
        let node = name.strip_prefix(NODE).filter(|node| !node.is_empty()).map(str::to_owned);
        let sum = clients.entry(node.as_ref().map_or(name, |_| NODES.to_owned())).or_default();
        sum.members.extend(node);
        sum.add(row, load(row, from_the_start));
    }
    clients
}

/// Whether requests of this kind take as long as their client wants.
fn goes_on(row: &Row) -> bool {
    let part = row.resource.rsplit_once('/').map(|(_, part)| part);
    row.verb.starts_with("watch") || row.verb == "connect" || part.is_some_and(|part| LONG.contains(&part))
}

/// What requests of this kind cost, in milliseconds, where a watch that sends all objects first costs so much.
fn load(row: &Row, from_the_start: u64) -> u64 {
    match row.millis {
        _ if row.verb == FROM_THE_START => row.requests.saturating_mul(from_the_start),
        _ if goes_on(row) => row.requests.saturating_mul(GOES_ON_MS),
        millis => millis.unwrap_or(0).max(row.requests),
    }
}

fn add(to: &mut Option<u64>, more: u64) {
    *to = Some(to.unwrap_or(0).saturating_add(more));
}

impl Sum {
    fn add(&mut self, row: &Row, load: u64) {
        self.load = self.load.saturating_add(load);
        if let Some(agent) = &row.agent {
            *self.agents.entry(agent.clone()).or_default() += row.requests;
        }
        let asks = self.asks.entry((row.verb.clone(), row.resource.clone())).or_default();
        *asks = (asks.0.saturating_add(row.requests), asks.1.saturating_add(load));
        add(&mut self.requests, row.requests);
        add(&mut self.watches, row.watches);
        add(&mut self.refused, row.refused);
        if let Some(millis) = row.millis {
            add(&mut self.millis, millis);
        }
        for (address, requests) in &row.sources {
            *self.addresses.entry(*address).or_default() += requests;
        }
        self.sources = self.sources.max(row.source_count);
        self.nodes = self.nodes.max(row.nodes);
        self.pods.extend(row.pods.iter().cloned());
        self.since = self.since.max(Some(row.first).filter(|age| *age > 0));
    }

    fn add_socket(&mut self, row: &Row) {
        add(&mut self.connections, row.requests);
        if let Some(bytes) = row.bytes {
            add(&mut self.bytes, bytes);
        }
        for (address, number) in &row.sources {
            *self.addresses.entry(*address).or_default() += number;
        }
    }

    fn client(self, name: String, known: Known, total: u64) -> Client {
        let share = u32::try_from(u128::from(self.load) * 1000 / u128::from(total.max(1))).unwrap_or(1000);
        let namespace =
            name.strip_prefix(ACCOUNT).and_then(|rest| rest.split_once(':')).map(|(namespace, _)| namespace);
        let pods: Vec<String> = self.pods.into_iter().collect();
        let workloads = namespace.map(|namespace| pod_names::workloads(namespace, &pods)).unwrap_or_default();
        let own = is_own(&name, known, &self.agents);
        let mut asks: Vec<((String, String), (u64, u64))> = self.asks.into_iter().collect();
        asks.sort_by_key(|(_, (requests, load))| std::cmp::Reverse((*load, *requests)));
        let asks = asks.into_iter().take(ASKS);
        Client {
            known,
            share,
            agents: loudest(self.agents, ASKS),
            asks: asks.map(|((verb, resource), (requests, _))| Asks { verb, resource, requests }).collect(),
            requests: self.requests,
            watches: self.watches,
            refused: self.refused,
            millis: self.millis,
            seats: self.seats,
            connections: self.connections,
            bytes: self.bytes,
            attempts: self.attempts,
            sources: self.sources.max(self.addresses.len() as u64),
            addresses: loudest(self.addresses, ADDRESSES),
            nodes: self.nodes.max(self.members.len() as u64),
            since_secs: self.since,
            workloads,
            own,
            name,
        }
    }
}

fn loudest<T>(all: BTreeMap<T, u64>, most: usize) -> Vec<T> {
    let mut all: Vec<(T, u64)> = all.into_iter().collect();
    all.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
    all.into_iter().take(most).map(|(one, _)| one).collect()
}

/// A part of the cluster itself. The controllers of the controller manager have service accounts of their own; what a client calls
/// itself proves nothing, and is believed only of those.
fn is_own(name: &str, known: Known, agents: &BTreeMap<String, u64>) -> bool {
    match known {
        Known::User if name.starts_with("system:serviceaccount:kube-system:") => {
            !agents.is_empty() && agents.keys().all(|agent| agent.starts_with("kube-controller-manager/"))
        }
        Known::User => name.starts_with("system:") && !name.starts_with(ACCOUNT) && name != "system:anonymous",
        Known::Agent => ["kube-controller-manager/", "kube-scheduler/", "kube-apiserver/", "kubelet/"]
            .iter()
            .any(|own| name.starts_with(own)),
        Known::Address => false,
    }
}

/// The seats of each user, added to the clients.
fn seats(clients: &mut Clients, heard: &[Heard<(Vec<Held>, usize)>]) {
    for held in told_of(heard).flat_map(|(held, _)| held) {
        let name = if held.user.starts_with(NODE) { NODES } else { &held.user };
        let sum = clients.entry(name.to_owned()).or_default();
        add(&mut sum.seats, held.seats);
        if sum.requests.is_none() {
            let asks = sum.asks.entry((held.verb.clone(), held.resource.clone())).or_default();
            *asks = (asks.0 + 1, asks.1 + held.seats);
        }
    }
}

/// What is known of an address, added to its client where no other comes from there.
fn by_address(clients: &mut Clients, read: &Read) {
    let mut only: BTreeMap<IpAddr, Option<String>> = BTreeMap::new();
    for (name, sum) in &*clients {
        for address in sum.addresses.keys() {
            only.entry(*address).and_modify(|client| *client = None).or_insert_with(|| Some(name.clone()));
        }
    }
    let client_at = |address: IpAddr| only.get(&address)?.as_ref();
    for row in told_of(&read.sockets).flatten() {
        let client = row.sources.first().and_then(|(address, _)| client_at(*address));
        let Some(sum) = client.and_then(|client| clients.get_mut(client)) else { continue };
        add(&mut sum.connections, row.requests);
        if let Some(bytes) = row.bytes {
            add(&mut sum.bytes, bytes);
        }
    }
    for talker in told_of(&read.gates).flat_map(|gate| &gate.talkers) {
        if let Some(sum) = client_at(talker.addr).and_then(|client| clients.get_mut(client)) {
            add(&mut sum.attempts, talker.attempts);
        }
    }
}

/// The place of the one that stands out among those that are no part of the cluster itself.
fn outstanding(clients: &[Client], loads: &[u64]) -> Option<usize> {
    let mut others = clients.iter().zip(loads).enumerate().filter(|(_, (client, _))| !client.own);
    let (at, (first, load)) = others.next()?;
    let next = others.next().map_or(0, |(_, (_, load))| *load);
    (*load > 0 && first.share >= OUTSTANDING && *load >= next.saturating_mul(TIMES)).then_some(at)
}

/// What each source that was asked told.
fn told(read: &Read) -> Vec<Told> {
    let mut all = Vec::new();
    let logs = |source, heard: &[Heard<Ranked>], always: &[&str]| {
        let mut limits: Vec<String> = always.iter().map(|&limit| limit.to_owned()).collect();
        for heard in heard {
            if let Ok(ranked) = &heard.told {
                limits.extend(limits_of(ranked).into_iter().map(|limit| format!("{}: {limit}", heard.by)));
            }
        }
        let span = told_of(heard).map(|ranked| ranked.span).max().filter(|span| *span > 0);
        said(source, heard, span, limits)
    };
    all.extend(logs(Source::Audit, &read.audit, &[]));
    let unread: usize = told_of(&read.requests).map(|(_, unread)| unread).sum();
    let mut limits = vec!["of a moment: who asks rarely is missed, and so is a watch that has begun".to_owned()];
    limits.extend((unread > 0).then(|| format!("{} could not be read", words::count(unread, "row"))));
    all.extend(said(Source::Requests, &read.requests, None, limits));
    let slow = "no user stands there, no watch, and below a verbosity of 2 (kubeadm leaves it at 0) no request at all";
    all.extend(logs(Source::Log, &read.log, &[slow]));
    let nobody = "an address is no user, and behind a NAT many are one";
    all.extend(said(Source::Sockets, &read.sockets, None, vec![nobody.to_owned()]));
    let mut limits = vec!["who is let in by name is not counted".to_owned(), nobody.to_owned()];
    let quiet = told_of(&read.gates).map(|gate| gate.sources.saturating_sub(gate.talkers.len() as u64)).sum::<u64>();
    limits.extend((quiet > 0).then(|| format!("the loudest of each host alone, {quiet} more tried")));
    all.extend(said(Source::Gate, &read.gates, None, limits));
    all
}

fn limits_of(ranked: &Ranked) -> Vec<String> {
    let mut limits = Vec::new();
    if !ranked.whole {
        limits.push(format!("only the newest {} were read", words::bytes(ranked.bytes)));
    }
    if ranked.skipped > 0 {
        let lines = usize::try_from(ranked.skipped).unwrap_or(usize::MAX);
        limits.push(format!("{} could not be read as events", words::count(lines, "line")));
    }
    if ranked.leaves_out_watches() {
        limits.push("its policy leaves watches out until they end".to_owned());
    }
    limits
}

fn said<T>(source: Source, heard: &[Heard<T>], span_secs: Option<u64>, limits: Vec<String>) -> Option<Told> {
    if heard.is_empty() {
        return None;
    }
    let by: Vec<String> = heard.iter().filter(|heard| heard.told.is_ok()).map(|heard| heard.by.clone()).collect();
    let silent = heard.iter().filter_map(|heard| Some((heard.by.clone(), heard.told.as_ref().err()?.clone())));
    let limits = if by.is_empty() { Vec::new() } else { limits };
    Some(Told { source, silent: silent.collect(), span_secs, limits, by })
}

//! What one more target, and one more line of a journal, costs when there are thousands of others.
//!
//!     cargo bench --bench growth
//!
//! Each case runs in a process of its own, on a world in memory that answers at once: what is measured is the engine and its
//! journal, written to the temporary folder and fsynced. Processor time is that of the process, memory what it held at its
//! most beyond what it held before. Flat means that the figures by line and by target stay where they are from row to row.

#![expect(clippy::disallowed_macros, reason = "a benchmark prints its result")]
#![expect(clippy::unwrap_used, reason = "a benchmark may stop where it stands")]

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use breakglass::change::{Op, Outcome, Target, sha256_hex};
use breakglass::cost::Costs;
use breakglass::engine::{self, Consent, Engine, Operator, Record, cancel_pair};
use breakglass::event::{Event, Listener};
use breakglass::journal::{self, FORMAT, Header, MINOR, RunFolder, Store, Writer};
use breakglass::kit::{ApiServer, Cluster, Credential, Host, Role, SshAccess};
use breakglass::limits::Limits;
use breakglass::plan::{self, Plan};
use breakglass::process::Clock;
use breakglass::runbook::{On, Runbook};
use breakglass::script::Script;
use breakglass::steps::{Mark, Question};
use breakglass::world::{KubeAnswer, KubeRead, ReadError, Reads, ScriptOutput, World, Writes};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use nix::sys::resource::{UsageWho, getrusage};

/// One step on every host, looked at before and after, and taken back by another command.
const RUNBOOK: &str = "apiVersion: breakglass/v1
kind: Runbook
metadata: {name: growth, purpose: Set a mark on every host.}
spec:
  steps:
    - kind: exec
      with: {run: mark, unless: look, undo: {run: unmark}, idempotent: true}
      targets: all
      fanout: 64
";

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => all(),
        ["run", clusters, hosts] => run(clusters.parse().unwrap(), hosts.parse().unwrap()),
        ["read", lines] => read(lines.parse().unwrap()),
        other => panic!("unknown words: {other:?}"),
    }
}

fn all() {
    println!(
        "clusters x hosts: lines; for each target, forward and undo: CPU us; memory KiB; to the row of 100 targets"
    );
    let mut base = None;
    for (clusters, hosts) in [(1, 10), (1, 100), (1, 1000), (1, 3000), (300, 10)] {
        let [lines, forward, undo, kib] = case(&["run", &clusters.to_string(), &hosts.to_string()]);
        let targets = f64::from(clusters * hosts);
        let each = [forward / targets, undo / targets, kib / targets];
        let base = base.get_or_insert(each);
        if targets <= 100.0 {
            *base = each;
        }
        let [f, u, m] = each;
        println!(
            "{clusters:4} x {hosts:4}: {lines:6}; {f:8.1} {u:8.1} us; {m:7.2} KiB;   {:5.2} {:5.2} {:5.2} x",
            f / base[0],
            u / base[1],
            m / base[2]
        );
    }
    println!("lines read back: for each line: CPU us; memory bytes; to the row of 10,000 lines");
    let mut base = None;
    for lines in [1_000, 10_000, 100_000] {
        let [count, us, kib, _] = case(&["read", &lines.to_string()]);
        let each = [us / count, kib * 1024.0 / count];
        let base = base.get_or_insert(each);
        if lines <= 10_000 {
            *base = each;
        }
        println!(
            "{count:7}: {:6.2} us; {:7.1} B;   {:5.2} {:5.2} x",
            each[0],
            each[1],
            each[0] / base[0],
            each[1] / base[1]
        );
    }
}

/// The four figures of one case, from a process of its own.
fn case(words: &[&str]) -> [f64; 4] {
    let output = Command::new(std::env::current_exe().unwrap()).args(words).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{words:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    let figures: Vec<f64> = said.split_whitespace().map(|figure| figure.parse().unwrap()).collect();
    figures.try_into().unwrap()
}

/// Lines; microseconds of processor time forward and back; KiB.
fn run(clusters: u32, hosts: u32) {
    let dir = tempfile::tempdir().unwrap();
    let clusters: Vec<Cluster> = (1..=clusters).map(|number| cluster(&format!("c{number:03}"), hosts)).collect();
    let world = Quiet { marked: Mutex::default(), clusters: clusters.clone() };
    let resolved = Runbook::parse(RUNBOOK, "growth").unwrap().resolve(&BTreeMap::new(), On::Several).unwrap();
    let plan = plan::build(resolved, clusters, Limits { canary: false, ..Limits::CLUSTERS }).unwrap();
    let folder = Store::at(dir.path()).create("growth").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let before = resident("VmRSS:");
    let writer = Writer::create(folder.clone(), header(&plan), Clock::steady()).unwrap();
    let forward = drive(&runtime, &world, writer, Some(&plan));
    assert_eq!(world.marked.lock().unwrap().len(), plan.steps[0].targets.len());
    let undo = drive(&runtime, &world, Writer::open(folder.clone(), Clock::steady()).unwrap(), None);
    assert!(world.marked.lock().unwrap().is_empty());
    let lines = journal::verify(&folder, None).unwrap().lines;
    println!("{lines} {} {} {}", forward.as_micros(), undo.as_micros(), resident("VmHWM:").saturating_sub(before));
}

/// Forward along a plan, or back; what that took of the processor.
fn drive(runtime: &tokio::runtime::Runtime, world: &Quiet, writer: Writer, plan: Option<&Plan>) -> Duration {
    let began = cpu();
    let record = Record::new(writer, Clock::steady()).unwrap();
    let (_canceller, cancel) = cancel_pair();
    let mark = Mark { run: "growth".into(), operator: "bench".into(), reason: String::new() };
    let engine = Engine { world, record: &record, events: &Deaf, operator: &Nobody, cancel: &cancel, mark: &mark };
    let report = match plan {
        Some(plan) => runtime.block_on(engine::forward(engine, plan, &Consent::for_drill(plan))),
        None => {
            let consent = record.read(Consent::to_undo);
            runtime.block_on(engine::undo(engine, &consent, &BTreeMap::new()))
        }
    };
    assert_eq!(report.class, None, "{}", report.why);
    cpu().saturating_sub(began)
}

/// Lines; microseconds; KiB; nothing.
fn read(lines: usize) {
    let dir = tempfile::tempdir().unwrap();
    let folder = written(dir.path(), lines);
    let (before, began) = (resident("VmRSS:"), cpu());
    let journal = journal::read(&folder).unwrap();
    let (took, kib) = (cpu().saturating_sub(began), resident("VmHWM:").saturating_sub(before));
    assert_eq!(journal.run.changes.len(), 10);
    println!("{lines} {} {kib} 0", took.as_micros());
}

/// A journal of so many lines: ten changes, and what was seen around them, as a long wait leaves it.
fn written(root: &Path, lines: usize) -> RunFolder {
    use std::io::Write as _;
    let clusters = vec![cluster("c001", 10)];
    let world = Quiet { marked: Mutex::default(), clusters: clusters.clone() };
    let resolved = Runbook::parse(RUNBOOK, "growth").unwrap().resolve(&BTreeMap::new(), On::Several).unwrap();
    let plan = plan::build(resolved, clusters, Limits::CLUSTERS).unwrap();
    let folder = Store::at(root).create("growth").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let writer = Writer::create(folder.clone(), header(&plan), Clock::steady()).unwrap();
    drive(&runtime, &world, writer, Some(&plan));
    let said = journal::verify(&folder, None).unwrap();
    let mut file = std::io::BufWriter::new(std::fs::File::options().append(true).open(folder.journal()).unwrap());
    let mut hash = said.head;
    for seq in said.lines + 1..=lines {
        let saw = serde_json::json!({"target": {"cluster": "c001", "part": {"host": "h0001"}}, "step": 0,
            "what": format!("look {seq}: p99 12 ms, rejects 0/s, connections 431")});
        let text = serde_json::json!({"seq": seq, "at": "2026-01-01T00:00:00Z", "entry": {"saw": saw}}).to_string();
        hash = sha256_hex(format!("{hash}\n{text}").as_bytes());
        writeln!(file, "{},\"hash\":\"{hash}\"}}", text.strip_suffix('}').unwrap()).unwrap();
    }
    file.flush().unwrap();
    folder
}

fn header(plan: &Plan) -> Header {
    Header {
        format: FORMAT,
        minor: MINOR,
        run: "growth".into(),
        operator: "bench".into(),
        machine: "bench".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        reason: None,
        drill: false,
        writes: true,
        runbook: plan.runbook.text.clone(),
        name: plan.name.clone(),
        params: plan.runbook.params.clone(),
        clusters: plan.clusters.iter().map(|cluster| cluster.name.clone()).collect(),
        kit: "bench".into(),
        plan: plan.digest.clone(),
        fleet: Some(plan.fleet),
        identities: Vec::new(),
    }
}

fn cluster(name: &str, hosts: u32) -> Cluster {
    let ssh = SshAccess {
        port: 22,
        user: "root".into(),
        identities: Vec::new(),
        identities_only: false,
        certificates: Vec::new(),
        agent: None,
        host_keys: Vec::new(),
        known_hosts: Vec::new(),
        host_key_alias: None,
        jumps: Vec::new(),
        sudo: false,
    };
    let host = |number: u32| Host {
        name: format!("h{number:04}"),
        address: std::net::Ipv4Addr::from_bits((10 << 24) + number).into(),
        ssh: ssh.clone(),
        roles: vec![Role::Node],
        manifests: "/etc/kubernetes/manifests".into(),
        recovery_program: None,
    };
    let address: SocketAddr = ([10, 255, 0, 1], 6443).into();
    Cluster {
        name: name.into(),
        api_servers: vec![ApiServer { name: "api1".into(), address, via: None, host: None }],
        hosts: (1..=hosts).map(host).collect(),
        tls_server_name: None,
        ca: Vec::new(),
        credential: Credential::Anonymous,
        credential_ends: None,
        acting_as: None,
        sets: BTreeMap::new(),
        source: "bench".into(),
        kept: None,
    }
}

/// Of this process, user and system.
fn cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let spent = |time: nix::sys::time::TimeVal| {
        Duration::from_secs(u64::try_from(time.tv_sec()).unwrap())
            + Duration::from_micros(u64::try_from(time.tv_usec()).unwrap())
    };
    spent(usage.user_time()) + spent(usage.system_time())
}

/// What this process holds, in KiB.
fn resident(which: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(which)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// Hosts that remember whether they were marked.
struct Quiet {
    marked: Mutex<HashSet<Target>>,
    clusters: Vec<Cluster>,
}

impl Reads for Quiet {
    fn cluster(&self, name: &str) -> Option<&Cluster> {
        // Names sort as they were made.
        self.clusters.binary_search_by(|cluster| cluster.name.as_str().cmp(name)).ok().map(|at| &self.clusters[at])
    }

    fn kube<'a>(&'a self, _: &'a Target, _: &'a KubeRead) -> BoxFuture<'a, Result<KubeAnswer, ReadError>> {
        panic!("nothing here asks the API")
    }

    fn script<'a>(
        &'a self,
        target: &'a Target,
        _: &'a Script,
        _: Duration,
    ) -> BoxFuture<'a, Result<ScriptOutput, ReadError>> {
        let status = i32::from(!self.marked.lock().unwrap().contains(target));
        async move { Ok(ScriptOutput { status, stdout: String::new(), stderr: String::new() }) }.boxed()
    }

    fn connect(&self, _: SocketAddr, _: Duration) -> BoxFuture<'_, Result<Duration, ReadError>> {
        panic!("nothing here connects")
    }
}

impl Writes for Quiet {
    fn perform<'a>(&'a self, target: &'a Target, op: &'a Op, _: Duration) -> BoxFuture<'a, Outcome> {
        let Op::Host(command) = op else { panic!("only commands on hosts") };
        let mut marked = self.marked.lock().unwrap();
        if command.script.text().contains("unmark") {
            marked.remove(target);
        } else {
            marked.insert(target.clone());
        }
        async { Outcome::done("exit status 0") }.boxed()
    }
}

impl World for Quiet {
    fn costs(&self) -> Costs {
        Costs::default()
    }
}

struct Deaf;

impl Listener for Deaf {
    fn hear(&self, _: Event) {}
}

struct Nobody;

impl Operator for Nobody {
    fn ask<'a>(&'a self, _: &'a Question) -> BoxFuture<'a, Option<bool>> {
        async { None }.boxed()
    }
}

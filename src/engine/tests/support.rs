//! A bench: a fake world with two clusters, a plan over it, and runs that can be killed at any line of their journal.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::Path;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::change::{Inverse, Target};
use crate::engine::{Cancel, Canceller, Consent, Engine, Operator, Record, Report, cancel_pair, forward, undo};
use crate::event::{Event, Listener};
use crate::journal::{ChangeRecord, Disk, Entry, Header, Journal, Line, RunFolder, Store, Writer, read, read_each};
use crate::kit::{Cluster, sample};
use crate::limits::Limits;
use crate::plan::{self, Plan};
use crate::process::Clock;
use crate::runbook::{Location, OnFailure, Policy, Resolved, StepDecl};
use crate::steps::{self, Mark, Question};
use crate::world::World;
use crate::world::drill::Drill;
use crate::world::fake::Fake;

pub(super) const DS: &str = "/apis/apps/v1/namespaces/telemetry/daemonsets/agent";
pub(super) const DS_PARKED: &str = "/apis/apps/v1/namespaces/telemetry/daemonsets/collector";
pub(super) const DEPLOY: &str = "/apis/apps/v1/namespaces/telemetry/deployments/gateway";
/// A binding of the agent's own, and one that it shares.
pub(super) const OWN: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/agent";
pub(super) const SHARED: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/telemetry/rolebindings/readers";
/// The role that gives everything, its binding, and the one of kubeadm's administrators.
pub(super) const EVERYTHING: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles/cluster-admin";
pub(super) const MASTERS: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/cluster-admin";
pub(super) const ADMINS: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/kubeadm:cluster-admins";
pub(super) const CRON: &str = "/apis/batch/v1/namespaces/telemetry/cronjobs/sweep";
pub(super) const RUN: &str = "20250101T000000Z-test";

pub(super) fn cluster(name: &str) -> Cluster {
    let mut cluster = sample::cluster(name, 3);
    cluster.api_servers[1].via = Some("cp2".into());
    cluster
}

/// A world with something to break in it.
pub(super) fn world(names: &[&str]) -> Fake {
    world_of(names.iter().map(|name| cluster(name)).collect())
}

pub(super) fn world_of(clusters: Vec<Cluster>) -> Fake {
    let names: Vec<String> = clusters.iter().map(|cluster| cluster.name.clone()).collect();
    let fake = Fake::new(clusters);
    for name in &names {
        fake.objects(name, |objects| {
            let pod = |spec: Value| json!({"metadata": {"labels": {"app": "x"}}, "spec": {"template": {"spec": spec}}});
            objects.put(DS, pod(json!({"containers": []})));
            let mut collector = pod(json!({"nodeSelector": {"disk": "ssd"}}));
            collector["spec"]["selector"] = json!({"matchLabels": {"app": "collector"}});
            objects.put(DS_PARKED, collector);
            objects.run(DS_PARKED, (1..=3).map(|n| (pod_path("collector", n), pod_of("DaemonSet", "collector"))));
            objects.put(DEPLOY, json!({"metadata": {}, "spec": {"replicas": 3}}));
            objects.put(CRON, json!({"metadata": {}, "spec": {"schedule": "* * * * *"}}));
            objects.put(&pod_path("agent", 1), pod_of("DaemonSet", "agent"));
            let bound = |subjects: Value| json!({"metadata": {"labels": {"app": "x"}}, "roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": subjects});
            let agent = json!({"kind": "ServiceAccount", "namespace": "telemetry", "name": "agent"});
            let jane = json!({"kind": "User", "name": "jane"});
            objects.put(OWN, bound(json!([agent])));
            objects.put(SHARED, bound(json!([agent, jane])));
        });
    }
    fake
}

/// The role that gives everything without its rules, its binding without whom it named, and none for kubeadm's administrators.
pub(super) fn rights_gone(fake: &Fake) {
    fake.objects("east", |objects| {
        objects.put(EVERYTHING, json!({"kind": "ClusterRole", "metadata": {"labels": {"a": "b"}}}));
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"});
        objects.put(MASTERS, json!({"kind": "ClusterRoleBinding", "metadata": {}, "roleRef": role}));
    });
}

/// Where a pod stands.
pub(super) fn pod_path(name: &str, number: usize) -> String {
    format!("/api/v1/namespaces/telemetry/pods/{name}-{number}")
}

/// A pod of a controller of that name, labelled with it.
pub(super) fn pod_of(kind: &str, owner: &str) -> Value {
    let reference = json!({"apiVersion": "apps/v1", "kind": kind, "name": owner, "controller": true});
    json!({"metadata": {"labels": {"app": owner}, "ownerReferences": [reference]}, "spec": {}})
}

pub(super) fn policy() -> Policy {
    Policy {
        timeout: Duration::from_secs(600),
        retries: 0,
        on_failure: OnFailure::Stop,
        limits: Limits { at_once: 4, canary: true, batch: 0, max_failures: 1 },
        confirm: false,
    }
}

/// A step of a plan: name, kind, parameters.
pub(super) type Spec = (&'static str, &'static str, Value);

/// One of each kind that this world understands, as an incident would have them.
pub(super) fn everything() -> Vec<Spec> {
    vec![
        ("look", "probe", json!({})),
        (
            "page",
            "http",
            json!({"method": "PUT", "url": "https://pager.test/1", "body": {"on": true},
            "undo": {"method": "DELETE", "url": "https://pager.test/1"}}),
        ),
        ("mark", "exec", json!({"run": "set gate closed", "unless": "has gate", "undo": {"run": "unset gate"}})),
        (
            "here",
            "exec",
            json!({"argv": ["set", "here", "yes"], "local": true, "idempotent": true,
            "undo": {"argv": ["unset", "here"]}}),
        ),
        ("sure", "confirm", json!({"question": "Does it look right?"})),
        ("park", "park", json!({"object": "ds/telemetry/collector"})),
        ("end", "end-pods", json!({"workload": "ds/telemetry/collector", "force": true})),
        ("scale", "park", json!({"object": "deploy/gateway", "namespace": "telemetry"})),
        ("hold", "park", json!({"object": "cj/telemetry/sweep"})),
        (
            "revoke",
            "revoke",
            json!({"subject": "sa/telemetry/agent",
            "bindings": ["clusterrolebinding/agent", "rolebinding/telemetry/readers"]}),
        ),
        ("kill", "delete", json!({"object": "daemonsets.apps/telemetry/agent"})),
        ("effect", "wait-for", json!({"health": {}, "absent": {"object": "ds/telemetry/agent"}})),
    ]
}

pub(super) fn resolved(specs: &[Spec], policy: &Policy) -> Resolved {
    let steps = specs
        .iter()
        .map(|(name, kind, with)| StepDecl {
            name: (*name).into(),
            kind: steps::kind(kind).unwrap(),
            why: String::new(),
            with: with.clone(),
            only: None,
            later: Vec::new(),
            targets: None,
            policy: policy.clone(),
            at: Location::default(),
        })
        .collect();
    Resolved {
        name: "test".into(),
        purpose: "a test".into(),
        text: String::new(),
        params: serde_json::Map::new(),
        steps,
        typed_consent: None,
    }
}

pub(super) fn plan(names: &[&str], specs: &[Spec], policy: &Policy) -> Plan {
    plan_over(names.iter().map(|name| cluster(name)).collect(), specs, policy)
}

pub(super) fn plan_over(clusters: Vec<Cluster>, specs: &[Spec], policy: &Policy) -> Plan {
    // Side by side, whatever fails: most tests are about what befalls each.
    plan_within(clusters, specs, policy, Limits { at_once: 8, canary: false, batch: 0, max_failures: 9 })
}

pub(super) fn plan_within(clusters: Vec<Cluster>, specs: &[Spec], policy: &Policy, fleet: Limits) -> Plan {
    plan::build(resolved(specs, policy), clusters, fleet).unwrap_or_else(|refusals| panic!("{refusals:?}"))
}

/// Where a run dies or its disk fills up, counted in lines of its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trap {
    Never,
    /// Killed before this line is written.
    Before(usize),
    /// Killed with half of this line written.
    Torn(usize),
    /// Killed once this line is written.
    After(usize),
    /// No line from this one on fits on the disk.
    Full(usize),
}

/// The unwinding of a killed run.
struct Killed;

/// A file without fsync (nobody pulls the plug on a test) and with a trap.
#[derive(Debug)]
struct Trapped {
    file: File,
    /// Holds the lock.
    _held: Box<dyn Disk>,
    trap: Trap,
    lines: usize,
}

impl Disk for Trapped {
    fn append(&mut self, record: &[u8]) -> io::Result<()> {
        self.lines += 1;
        match self.trap {
            Trap::Before(at) if at == self.lines => resume_unwind(Box::new(Killed)),
            Trap::Torn(at) if at == self.lines => {
                self.file.write_all(&record[..record.len() / 2])?;
                resume_unwind(Box::new(Killed))
            }
            Trap::Full(at) if at <= self.lines => {
                self.file.write_all(&record[..record.len() / 3])?;
                return Err(io::ErrorKind::StorageFull.into());
            }
            _ => self.file.write_all(record)?,
        }
        if self.trap == Trap::After(self.lines) {
            resume_unwind(Box::new(Killed));
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Hears everything, and may pull the cancel flag.
#[derive(Default)]
pub(super) struct Ears {
    pub(super) heard: Mutex<Vec<Event>>,
    pub(super) on: Option<Box<dyn Fn(&Event) + Send + Sync>>,
}

impl Listener for Ears {
    fn hear(&self, event: Event) {
        if let Some(on) = &self.on {
            on(&event);
        }
        self.heard.lock().unwrap().push(event);
    }
}

/// Answers everything the same, and keeps what it was asked.
struct Says<'a>(Option<bool>, &'a Mutex<Vec<Question>>);

impl Operator for Says<'_> {
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Option<bool>> {
        self.1.lock().unwrap().push(question.clone());
        let answer = self.0;
        // A person takes a while, and others go on meanwhile.
        async move {
            tokio::task::yield_now().await;
            answer
        }
        .boxed()
    }
}

/// How a run goes.
pub(super) struct How {
    pub(super) trap: Trap,
    pub(super) says: Option<bool>,
    pub(super) drill: bool,
    pub(super) cancel: (Canceller, Cancel),
    pub(super) ears: Ears,
    /// The clusters that an undo leaves as they are.
    pub(super) left_out: BTreeMap<String, String>,
}

impl Default for How {
    fn default() -> Self {
        Self {
            trap: Trap::Never,
            says: Some(true),
            drill: false,
            cancel: cancel_pair(),
            ears: Ears::default(),
            left_out: BTreeMap::new(),
        }
    }
}

pub(super) fn trap(trap: Trap) -> How {
    How { trap, ..How::default() }
}

/// What is done with a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Run,
    Resume,
    Undo,
}

/// A world, a plan over it, and the folder of one run.
pub(super) struct Bench {
    pub(super) fake: Fake,
    pub(super) plan: Plan,
    pub(super) asked: Mutex<Vec<Question>>,
    store: Store,
    /// When it was first used: time goes on from run to resume to undo.
    since: OnceLock<tokio::time::Instant>,
    _dir: tempfile::TempDir,
}

impl Bench {
    pub(super) fn new(fake: Fake, plan: Plan) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path().join("runs"));
        Self { fake, plan, asked: Mutex::default(), store, since: OnceLock::new(), _dir: dir }
    }

    /// One cluster, every kind.
    pub(super) fn everything() -> Self {
        Self::new(world(&["east"]), plan(&["east"], &everything(), &policy()))
    }

    /// Takes a journal over that another version wrote.
    pub(super) fn adopt(&self, from: &Path) {
        let to = self.store.root().join(RUN);
        std::fs::create_dir_all(to.join("blobs")).unwrap();
        std::fs::copy(from.join("journal.jsonl"), to.join("journal.jsonl")).unwrap();
        for blob in std::fs::read_dir(from.join("blobs")).unwrap() {
            let blob = blob.unwrap();
            std::fs::copy(blob.path(), to.join("blobs").join(blob.file_name())).unwrap();
        }
    }

    pub(super) fn folder(&self) -> RunFolder {
        self.store.open(RUN).unwrap()
    }

    pub(super) fn journal(&self) -> Journal {
        read(&self.folder()).unwrap()
    }

    pub(super) fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        read_each(&self.folder(), |line, _| lines.push(line)).unwrap();
        lines
    }

    fn writer(&self, verb: Verb, how: &How, clock: Clock) -> Writer {
        let writer = if verb == Verb::Run {
            let header = Header {
                drill: how.drill,
                clusters: self.plan.clusters.iter().map(|c| c.name.clone()).collect(),
                plan: self.plan.digest.clone(),
                fleet: Some(self.plan.fleet),
                ..Header::sample(RUN)
            };
            Writer::create(self.store.create(RUN).unwrap(), header, clock).unwrap()
        } else {
            Writer::open(self.folder(), clock).unwrap()
        };
        let file = File::options().append(true).open(self.folder().journal()).unwrap();
        let trap = how.trap;
        writer.through(|held| Box::new(Trapped { file, _held: held, trap, lines: 0 }))
    }

    /// Does it; `None`: killed on the way.
    pub(super) async fn go(&self, verb: Verb, how: &How) -> Option<Report> {
        let at = *self.since.get_or_init(tokio::time::Instant::now);
        let clock = Clock::Paced { shows: "2025-01-01T00:00:00Z".parse().unwrap(), at };
        let work = async {
            let record = Record::new(self.writer(verb, how, clock), clock).unwrap();
            if verb == Verb::Resume && record.append(Entry::Resumed { operator: "eve".into() }).await.is_err() {
                return None;
            }
            let drill = Drill::new(&self.fake);
            let world: &dyn World = if how.drill { &drill } else { &self.fake };
            let mark = Mark { run: RUN.into(), operator: "eve".into(), reason: String::new() };
            let operator = Says(how.says, &self.asked);
            let engine = Engine {
                world,
                record: &record,
                events: &how.ears,
                operator: &operator,
                cancel: &how.cancel.1,
                mark: &mark,
            };
            let consent = Consent::for_drill(&self.plan);
            Some(match verb {
                Verb::Undo => undo(engine, &Consent::to_undo(&record.run()), &how.left_out).await,
                Verb::Run | Verb::Resume => forward(engine, &self.plan, &consent).await,
            })
        };
        match AssertUnwindSafe(work).catch_unwind().await {
            Ok(report) => report,
            Err(cause) if cause.is::<Killed>() => None,
            Err(cause) => resume_unwind(cause),
        }
    }

    pub(super) async fn run(&self) -> Report {
        self.go(Verb::Run, &How::default()).await.unwrap()
    }

    pub(super) async fn undo(&self) -> Report {
        self.go(Verb::Undo, &How::default()).await.unwrap()
    }

    pub(super) async fn resume(&self) -> Report {
        self.go(Verb::Resume, &How::default()).await.unwrap()
    }
}

/// What a world looks like when the plan went well, and how many ops and lines that took.
pub(super) struct Ideal {
    pub(super) before: Value,
    pub(super) after: Value,
    pub(super) ops: usize,
    /// Of these, those that an op takes back.
    pub(super) inverses: usize,
    pub(super) lines: usize,
}

pub(super) async fn ideal() -> Ideal {
    let bench = Bench::everything();
    let before = bench.fake.snapshot();
    let report = bench.run().await;
    assert_eq!(report.class, None, "{}", report.why);
    let after = bench.fake.snapshot();
    assert_ne!(before, after);
    let journal = bench.journal();
    let by_op = |record: &&ChangeRecord| matches!(record.change.inverse, Inverse::By(_));
    let inverses = journal.run.changes.values().filter(by_op).count();
    Ideal { before, after, ops: bench.fake.ops(), inverses, lines: journal.count }
}

/// Runs a test on a clock that jumps to the next timer.
pub(super) fn paused(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(test);
}

/// The changes that were sent, in order.
pub(super) fn sent(ears: &Ears) -> Vec<(Target, String)> {
    let heard = ears.heard.lock().unwrap();
    let sent = |event: &Event| match event {
        Event::ChangeSent { target, what, .. } => Some((target.clone(), what.clone())),
        _ => None,
    };
    heard.iter().filter_map(sent).collect()
}

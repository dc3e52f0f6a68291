//! The disk is slow, and hundreds of targets write to one journal.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use super::support::*;
use crate::change::Op;
use crate::engine::{Consent, Engine, Operator, Record, cancel_pair, forward};
use crate::journal::{Disk, Header, Store, Writer, verify};
use crate::limits::Limits;
use crate::plan::{self, Plan};
use crate::process::Clock;
use crate::steps::{Mark, Question};
use crate::world::ScriptOutput;
use crate::world::fake::Fake;

/// One fsync of a disk that others keep busy.
const SYNC: Duration = Duration::from_millis(50);
/// A gate that is not confirmed by then opens by itself; the default of `gate close`.
const CONFIRM_WITHIN: Duration = Duration::from_secs(30);
const HOSTS: usize = 256;

#[derive(Debug)]
struct Slow {
    file: Box<dyn Disk>,
    syncs: Arc<AtomicUsize>,
}

impl Disk for Slow {
    fn append(&mut self, record: &[u8]) -> io::Result<()> {
        self.file.append(record)
    }

    fn sync(&mut self) -> io::Result<()> {
        std::thread::sleep(SYNC);
        self.syncs.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

struct Nobody;

impl Operator for Nobody {
    fn ask<'a>(&'a self, _: &'a Question) -> futures::future::BoxFuture<'a, Option<bool>> {
        Box::pin(async { None })
    }
}

/// Hosts on which a gate can be closed and confirmed, and nothing more; how long each waited between the two.
fn gates(plan: &Plan) -> (Fake, Arc<Mutex<BTreeMap<String, (Instant, Option<Duration>)>>>) {
    let fake = Fake::new(plan.clusters.clone());
    let heard = Arc::new(Mutex::new(BTreeMap::new()));
    let waits = Arc::clone(&heard);
    fake.on_script(Box::new(move |target, script| {
        let host = target.short().to_owned();
        let answer = |stdout: &str| Some(ScriptOutput { status: 0, stdout: stdout.into(), stderr: String::new() });
        let now = Instant::now();
        match script.name.as_str() {
            "gate.survey" => answer(
                "uid=0\nnow=1733958960\nkernel=6.1.0\nssh=192.0.2.9 50000 10.0.0.1 22\nnft=yes\nss=yes\ndestroy=yes\n\
                 api=7 6443\nlisten=*:6443 kube-apiserver\nlisten=0.0.0.0:22 sshd\nown=127.0.0.1/8\nend=yes\n",
            ),
            "gate.close" => {
                waits.lock().unwrap().insert(host, (now, None));
                answer("result=closed\n")
            }
            "gate.arm" => {
                if let Some((closed, waited)) = waits.lock().unwrap().get_mut(&host) {
                    waited.get_or_insert(now - *closed);
                }
                answer("result=armed\n")
            }
            "gate.cut" => answer("before=1\nafter=0\n"),
            // What comes after does not matter here.
            _ => Some(ScriptOutput { status: 1, stdout: String::new(), stderr: "no more".into() }),
        }
    }));
    (fake, heard)
}

/// 256 hosts close their gates at once, and each confirms its own long before it falls: what waits for the disk is the
/// line, not the run.
#[test]
fn hundreds_of_gates_are_confirmed_in_time_on_a_slow_disk() {
    let mut east = cluster("east");
    let host = east.hosts[0].clone();
    east.hosts = (0..HOSTS)
        .map(|n| {
            let address = [10, 1, u8::try_from(n / 200).unwrap(), u8::try_from(n % 200 + 1).unwrap()].into();
            crate::kit::Host { name: format!("cp{n}"), address, ..host.clone() }
        })
        .collect();
    east.api_servers.truncate(1);
    let specs: [Spec; 1] = [("close", "gate-close", json!({"sshOnly": true}))];
    let policy = crate::runbook::Policy { limits: Limits::whatever_fails(HOSTS), ..policy() };
    let plan =
        plan::build(resolved(&specs, &policy), vec![east], Limits::CLUSTERS).unwrap_or_else(|all| panic!("{all:?}"));
    let (fake, waits) = gates(&plan);

    let dir = tempfile::tempdir().unwrap();
    let folder = Store::at(dir.path()).create("run").unwrap();
    let header = Header { plan: plan.digest.clone(), ..Header::sample("run") };
    let syncs = Arc::new(AtomicUsize::new(0));
    let writer = Writer::create(folder.clone(), header, Clock::steady()).unwrap();
    let writer = writer.through(|file| Box::new(Slow { file, syncs: Arc::clone(&syncs) }));
    let record = Record::new(writer, Clock::steady()).unwrap();
    let mark = Mark { run: "run".into(), operator: "eve".into(), reason: String::new() };
    let (_canceller, cancel) = cancel_pair();
    let ears = Ears::default();
    let engine =
        Engine { world: &fake, record: &record, events: &ears, operator: &Nobody, cancel: &cancel, mark: &mark };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let report = runtime.block_on(forward(engine, &plan, &Consent::for_drill(&plan)));

    let waits = waits.lock().unwrap();
    assert_eq!(waits.len(), HOSTS, "{}", report.why);
    let longest = waits.values().map(|(_, waited)| waited.expect("confirmed")).max().unwrap();
    assert!(longest < CONFIRM_WITHIN, "the last gate was confirmed after {longest:?}");
    let lines = verify(&folder, None).unwrap().lines;
    let syncs = syncs.load(Ordering::SeqCst);
    assert!(syncs * 8 < lines, "{lines} lines took {syncs} syncs");
    let mut remembered = record.run();
    for record in remembered.changes.values_mut() {
        // What is loaded is shown while it is sent, and made anew from the order: no line has it.
        if let Op::Host(command) = &mut record.change.op {
            command.script.loads = Arc::default();
        }
    }
    assert_eq!(remembered, crate::journal::read(&folder).unwrap().run, "what is remembered is what was written");
}

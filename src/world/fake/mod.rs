//! A world in memory, with faults on demand: objects behind an API server that knows uids, preconditions and patches,
//! hosts with files, flags, exchanges of manifests and gates, hooks that remember what they were told.

mod api;
mod border;
pub(crate) mod certificates;
mod gate;
mod host;
pub(crate) mod jail;
mod list;
mod rescue;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

pub(crate) use self::api::{Objects, patched};
pub(crate) use self::host::Exchange;
use super::{KubeAnswer, ReadError, ReadErrorKind, ScriptOutput};
use crate::change::{Expect, Facts, FilePut, HttpCall, Method, Op, Outcome, Said, Target, sha256_hex};
use crate::cost::Cost;
use crate::host::order::Order as _;
use crate::host::orders::Orders;
use crate::host::swap::ManifestSwap;
use crate::kit::Cluster;
use crate::script::{Answer, Script};

/// How long an API server takes that is well.
const QUICK: Duration = Duration::from_millis(2);

/// What an API server answers, that says nothing else of itself.
pub(crate) fn kube_answer(code: u16, text: impl Into<String>, took: Duration) -> KubeAnswer {
    KubeAnswer { code, text: text.into(), server: "api1".into(), date: None, took, void: None, early: false }
}

/// What goes wrong with an op.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The far side says no.
    Refuse,
    /// It is made, and the reply is lost.
    LoseMade,
    /// It never arrives, and nobody hears of that.
    LoseNotMade,
    /// It never arrives, and whoever performs it never returns.
    Hang,
    /// The reply is lost, and it arrives only just before the next op.
    Late,
    /// The reply is lost at once. What takes its time on a host goes on there by itself.
    Cut,
    /// The far side takes nothing in, for as long as it is tried.
    Busy,
}

/// Something that was sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Sent {
    Get(Target, String),
    Look(Target, Script),
    Connect(SocketAddr),
    Op(Target, Op),
}

/// Says what an API server or a host answers instead of what it would.
pub(crate) type Answering = Box<dyn Fn(&Target, &Script) -> Option<ScriptOutput> + Send + Sync>;

/// What somebody else does to a cluster, and to which one.
type Meddler = (String, Box<dyn FnOnce(&mut Objects) + Send>);

/// How long an exchange of a manifest takes that goes on without whoever ordered it.
const EXCHANGE: Duration = Duration::from_secs(20);

/// An exchange of a manifest that its host is at.
struct Moving {
    due: Instant,
    target: Target,
    op: Op,
}

pub(crate) struct Fake {
    clusters: Vec<Cluster>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    clusters: BTreeMap<String, Objects>,
    files: BTreeMap<(Target, String), (u32, Vec<u8>)>,
    flags: BTreeMap<(Target, String), String>,
    hooks: BTreeMap<String, Value>,
    faults: BTreeMap<usize, Fault>,
    deny_reads: usize,
    refuse_connections: usize,
    /// API servers and hosts that let a read wait for as long as it may.
    hanging: Vec<Target>,
    /// API servers and hosts that answer so many more reads, and then never again.
    dying: BTreeMap<Target, usize>,
    costs: BTreeMap<Target, Cost>,
    /// From which op on, and how often.
    deny_after: Option<(usize, usize)>,
    meddlers: BTreeMap<usize, Meddler>,
    /// What is still on its way.
    late: Vec<(Target, Op)>,
    answers: BTreeMap<String, VecDeque<KubeAnswer>>,
    scripts: Option<Answering>,
    host_keys: BTreeMap<Target, String>,
    /// What becomes of the next exchange of a manifest.
    exchange: Option<Exchange>,
    moving: Vec<Moving>,
    /// What stands on the hosts that can have a gate; `None`: their scripts mean nothing here.
    gates: Option<gate::Gates>,
    /// The recovery API servers that were told of: (cluster, host).
    recoveries: std::collections::BTreeSet<(String, String)>,
    /// The client certificates of our own that the recovery API server of a host takes. Another each time: no part of a snapshot.
    own: BTreeMap<Target, String>,
    /// Whose credential was won, by cluster.
    won: BTreeMap<String, String>,
    ops: usize,
    sent: Vec<Sent>,
}

impl Fake {
    pub(crate) fn new(clusters: Vec<Cluster>) -> Self {
        Self { clusters, state: Mutex::new(State::default()) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The objects of a cluster, to be filled or changed by a third party.
    pub(crate) fn objects<R>(&self, cluster: &str, with: impl FnOnce(&mut Objects) -> R) -> R {
        with(self.state().clusters.entry(cluster.to_owned()).or_default())
    }

    /// The op with this number, from 1, goes wrong.
    pub(crate) fn fault(&self, number: usize, fault: Fault) {
        self.state().faults.insert(number, fault);
    }

    /// Nothing more goes wrong; how many of the ops that should have did arrive.
    pub(crate) fn heal(&self) -> usize {
        let mut state = self.state();
        let ops = state.ops;
        std::mem::take(&mut state.faults).into_keys().filter(|number| *number <= ops).count()
    }

    /// Somebody else gets in just before the op with this number arrives.
    pub(crate) fn meddle(&self, number: usize, cluster: &str, with: impl FnOnce(&mut Objects) + Send + 'static) {
        self.state().meddlers.insert(number, (cluster.to_owned(), Box::new(with)));
    }

    /// Every read finds no way from the op with this number on, so many times.
    pub(crate) fn deny_reads_after(&self, number: usize, reads: usize) {
        self.state().deny_after = Some((number, reads));
    }

    /// This API server or host answers so many more reads, and then never again.
    pub(crate) fn dies_after(&self, target: Target, reads: usize) {
        self.state().dying.insert(target, reads);
    }

    /// The next so many reads find no way.
    pub(crate) fn deny_reads(&self, reads: usize) {
        self.state().deny_reads = reads;
    }

    /// This API server or host answers no read before its time is used up.
    pub(crate) fn hangs(&self, target: Target) {
        self.state().hanging.push(target);
    }

    /// The next so many connections are refused.
    pub(crate) fn refuse_connections(&self, connections: usize) {
        self.state().refuse_connections = connections;
    }

    /// What a path answers next, instead of what the objects say; the last one stays.
    pub(crate) fn answer(&self, path: &str, code: u16, text: &str, took: Duration) {
        self.says(path, kube_answer(code, text, took));
    }

    /// The same, whole.
    pub(crate) fn says(&self, path: &str, answer: KubeAnswer) {
        self.state().answers.entry(path.to_owned()).or_default().push_back(answer);
    }

    /// What hosts answer.
    pub(crate) fn on_script(&self, script: Answering) {
        self.state().scripts = Some(script);
    }

    /// A host shows this key from now on.
    pub(crate) fn shows_key(&self, target: &Target, key: &str) {
        self.state().host_keys.insert(target.clone(), key.to_owned());
    }

    /// A file of a host, as somebody else put it there.
    pub(crate) fn write(&self, target: &Target, path: &str, text: &str) {
        self.state().files.insert((target.clone(), path.to_owned()), (0o600, text.as_bytes().to_vec()));
    }

    /// The same with these permission bits.
    pub(crate) fn write_as(&self, target: &Target, path: &str, mode: u32, text: &str) {
        self.state().files.insert((target.clone(), path.to_owned()), (mode, text.as_bytes().to_vec()));
    }

    /// The same, taken away.
    pub(crate) fn remove(&self, target: &Target, path: &str) {
        self.state().files.remove(&(target.clone(), path.to_owned()));
    }

    /// A host's files, by path.
    pub(crate) fn files(&self, target: &Target) -> BTreeMap<String, String> {
        let state = self.state();
        let here = state.files.iter().filter(|((at, _), _)| at == target);
        here.map(|((_, path), (_, bytes))| (path.clone(), String::from_utf8_lossy(bytes).into_owned())).collect()
    }

    /// The next exchange of a manifest goes wrong, on whatever host.
    pub(crate) fn exchange(&self, how: Exchange) {
        self.state().exchange = Some(how);
    }

    /// From now on hosts can have a gate.
    pub(crate) fn with_gates(self) -> Self {
        self.state().gates = Some(gate::Gates::new());
        self
    }

    /// Every host starts anew: no gate is left, and what was at an exchange is dead.
    pub(crate) fn reboot(&self) {
        let mut state = self.state();
        state.gates.iter_mut().for_each(gate::Gates::clear);
        for Moving { target, op, .. } in std::mem::take(&mut state.moving) {
            let ManifestSwap { beside, .. } = exchange_of(&op).expect("only exchanges go on by themselves");
            state.files.insert((target, format!("{beside}/state")), (0o600, b"broken".to_vec()));
        }
    }

    /// How many ops were performed.
    pub(crate) fn ops(&self) -> usize {
        self.state().ops
    }

    /// Everything that was sent, and a clean sheet.
    pub(crate) fn take_sent(&self) -> Vec<Sent> {
        std::mem::take(&mut self.state().sent)
    }

    /// All that there is, without what a server sets anew each time.
    pub(crate) fn snapshot(&self) -> Value {
        let state = self.state();
        let clusters: Vec<Value> =
            state.clusters.iter().map(|(name, objects)| json!([name, objects.snapshot()])).collect();
        let files: Vec<Value> = state.files.iter().map(|(at, (mode, bytes))| json!([at, mode, bytes])).collect();
        let flags: Vec<Value> = state.flags.iter().map(|(at, value)| json!([at, value])).collect();
        let gates: Vec<Value> = state.gates.iter().flatten().map(|(at, gate)| json!([at, gate.snapshot()])).collect();
        json!({"clusters": clusters, "files": files, "flags": flags, "hooks": state.hooks, "gates": gates})
    }
}

/// An exchange of a manifest; `None`: it is none.
fn exchange_of(op: &Op) -> Option<ManifestSwap> {
    match op {
        Op::Host(command) => ManifestSwap::of(&command.script),
        _ => None,
    }
}

impl State {
    /// What goes on by itself has gone on until now.
    fn settle(&mut self) {
        let now = Instant::now();
        let (due, moving) = std::mem::take(&mut self.moving).into_iter().partition(|it: &Moving| it.due <= now);
        self.moving = moving;
        for Moving { target, op, .. } in due {
            let Some(ManifestSwap { file, beside, .. }) = exchange_of(&op) else { continue };
            if let Some(text) = self.files.remove(&(target.clone(), format!("{beside}/out.yaml"))) {
                self.files.insert((target.clone(), file), text);
            }
            self.files.remove(&(target.clone(), format!("{beside}/state")));
            self.make(&target, &op);
        }
    }

    /// Begins an op whose reply nobody hears.
    fn begin(&mut self, target: &Target, op: &Op) {
        let at = |path: &str| (target.clone(), path.to_owned());
        let Some(ManifestSwap { file, beside, from, .. }) = exchange_of(op) else {
            return drop(self.make(target, op));
        };
        let text = self.files.get(&at(&file)).filter(|(_, bytes)| sha256_hex(bytes) == from).cloned();
        let Some(text) = text else { return drop(self.make(target, op)) };
        self.files.remove(&at(&file));
        self.files.insert(at(&format!("{beside}/out.yaml")), text);
        for (name, what) in [("state", "out"), ("order", &file)] {
            self.files.insert(at(&format!("{beside}/{name}")), (0o600, what.as_bytes().to_vec()));
        }
        self.moving.push(Moving { due: Instant::now() + EXCHANGE, target: target.clone(), op: op.clone() });
    }

    /// When the exchange ends that this op meets on its host, the same one or the way back: it is waited for.
    fn met(&self, target: &Target, op: &Op) -> Option<Instant> {
        let beside = exchange_of(op)?.beside;
        let mut here = self.moving.iter().filter(|it| it.target == *target);
        here.find(|it| exchange_of(&it.op).is_some_and(|other| other.beside == beside)).map(|it| it.due)
    }

    /// Performs an op without any fault.
    fn make(&mut self, target: &Target, op: &Op) -> Outcome {
        match op {
            Op::Kube(call) => self.clusters.entry(target.cluster.clone()).or_default().perform(call),
            Op::Host(command) => match self.run(target, &command.script) {
                ScriptOutput { status: 0, stdout, .. } => {
                    let facts = Facts { answer: Answer::parse(&stdout), ..Facts::default() };
                    Outcome::Done(Said { words: stdout, facts })
                }
                ScriptOutput { stdout, .. } if stdout.starts_with("unknown=") => Outcome::Unknown(stdout),
                output => {
                    let why = format!("exit status {}: {}", output.status, output.stderr);
                    if command.script.is_a_runbook_s() { Outcome::Unknown(why) } else { Outcome::Failed(why) }
                }
            },
            Op::Local(command) => {
                let script = Script::new("exec.run", command.argv.join(" "));
                self.run(target, &script);
                Outcome::done("exit status 0")
            }
            Op::File(put) => self.put(target, put),
            Op::Http(call) => self.call(call),
        }
    }

    /// `set KEY VALUE`, `unset KEY`, `has KEY`, and most orders are all that these hosts understand.
    fn run(&mut self, target: &Target, script: &Script) -> ScriptOutput {
        if let Some(output) = self.scripts.as_ref().and_then(|scripts| scripts(target, script)) {
            return output;
        }
        if let Some(output) = Orders::read(&script.name, &script.args).ok().and_then(|order| self.obey(target, &order))
        {
            return output;
        }
        let words: Vec<&str> = script.body.split_whitespace().collect();
        let status = match words.as_slice() {
            ["set", key, value] => {
                self.flags.insert((target.clone(), (*key).to_owned()), (*value).to_owned());
                0
            }
            ["unset", key] => {
                self.flags.remove(&(target.clone(), (*key).to_owned()));
                0
            }
            ["has", key] => i32::from(!self.flags.contains_key(&(target.clone(), (*key).to_owned()))),
            _ => 127,
        };
        ScriptOutput { status, stdout: String::new(), stderr: String::new() }
    }

    /// What a host does with an order; `None`: these hosts do not understand it.
    fn obey(&mut self, at: &Target, order: &Orders) -> Option<ScriptOutput> {
        let ended = |stdout: &str| host::ended(0, stdout);
        let mut host = host::Host { files: &mut self.files, own: self.own.entry(at.clone()).or_default(), at };
        let gate = self.gates.as_mut().map(|gates| gate::Host { gates, at });
        let said = |output: Result<ScriptOutput, gate::No>| output.unwrap_or_else(gate::No::into);
        Some(match order {
            Orders::ManifestLook(look) => host.look(look),
            Orders::ManifestUnderWay(look) => host.under_way(look),
            Orders::ManifestLeft(look) => host.left(&look.manifests),
            Orders::ManifestFolder(folder) => host.folder(folder),
            Orders::ManifestFolderAway(folder) => host.folder_away(&folder.path),
            Orders::ManifestMend(mend) => host.mend(&mend.beside),
            Orders::ManifestSwap(swap) => host.swap(swap, &mut self.exchange),
            Orders::ManifestRoom(_) => {
                ended("total=16384000\navailable=9000000\ncpus=8\nmemory=2500000 2600000\nend=yes\n")
            }
            Orders::ManifestWhy(_) => ended("said=HTTP 500\nlog=Error: it did not like it\nend=yes\n"),
            Orders::ManifestEvidence(look) => host.evidence(look),
            Orders::ManifestCopy(copy) => host.copy(copy),
            Orders::ManifestReplace(replace) => host.replace(replace),
            Orders::ManifestMove(file) => host.moved(file),
            Orders::JailLook(look) => host.jail_look(look),
            Orders::JailPut(put) => host.jail_put(put),
            Orders::JailTakeOut(out) => host.jail_take_out(out),
            Orders::JailsStand(_) => host.jails(),
            Orders::AuthorizersLook(look) => host.authorizers(look),
            Orders::AuthorizersPut(put) => host.authorizers_put(put),
            Orders::AuthorizersAway(away) => host.authorizers_away(away),
            Orders::GateSurvey(_) => gate?.survey(),
            Orders::GateStatus(_) => gate?.status(),
            Orders::GateClose(close) => said(gate?.close(close)),
            Orders::GateArm(arm) => said(gate?.arm(arm)),
            Orders::GateRenew(renew) => gate?.renew(renew).unwrap_or_else(gate::No::lost),
            Orders::GateOpen(open) => said(gate?.open(open)),
            Orders::GateCut(_) => gate.map(|_| ended("before=80\nafter=0\n"))?,
            Orders::GateMemory(_) => {
                gate.map(|_| ended("total=16384000\navailable=9000000\napi=2500000 \nend=yes\n"))?
            }
            Orders::ApiServerPresence(_) => gate.map(|_| ended("process=900 3600\nstarted=0\nend=yes\n"))?,
            Orders::CredentialsRead(_) => ended(&host::credentials()),
            Orders::CredentialsSign(_) => ended("certificate=Qw==\nsigned=yes\n"),
            Orders::CertificatesLook(look) => host.certificates(look),
            Orders::CertificatesKeep(keep) => host.keep_certificates(keep),
            Orders::CertificatesKeepAway(keep) => host.keep_certificates_away(keep),
            Orders::CertificatesSign(sign) => host.sign_certificate(sign),
            Orders::CertificatesSplice(splice) => host.splice(splice),
            Orders::PodsLook(look) => host.pods(look),
            Orders::PodsNetwork(_) => ended("pod=agent-7xk2p\naddress=10.244.7.9\nend=yes\n"),
            Orders::PodsFrozen(_) => ended(&(host.frozen() + "end=yes\n")),
            Orders::PodsFreeze(freeze) => host.freeze(freeze),
            Orders::PodsThaw(thaw) => host.thaw(&thaw.folder),
            Orders::RecoverySurvey(look) => host.recovery_survey(look),
            Orders::RecoveryStatus(_) => ended(&(host.recovery() + "end=yes\n")),
            Orders::RecoveryStart(start) => host.recovery_start(start),
            Orders::RecoveryExtend(extend) => host.recovery_extend(&extend.own),
            Orders::RecoveryStop(_) => host.recovery_stop(),
            Orders::AuditRank(_) | Orders::LogRank(_) => ended("log=none\n"),
            Orders::SocketRank(_) => ended(""),
            // What these say, a test says itself; files are put by an op of their own.
            Orders::GateKnock(_) | Orders::AuditCount(_) | Orders::OffenderLook(_) | Orders::PutFile(_) => return None,
        })
    }

    fn put(&mut self, target: &Target, put: &FilePut) -> Outcome {
        let at = (target.clone(), put.path.clone());
        let now = self.files.get(&at).map(|(_, bytes)| sha256_hex(bytes));
        let wanted = put.content.as_ref().map(|blob| blob.sha256.clone());
        let expected = match &put.expect {
            Expect::Absent => None,
            Expect::Sha256(hash) => Some(hash.clone()),
        };
        if now == wanted {
            return Outcome::done("it is there already");
        }
        if now != expected {
            return Outcome::Failed("somebody else changed it".into());
        }
        match put.content.as_ref().map(|blob| blob.bytes.clone()) {
            None => drop(self.files.remove(&at)),
            Some(Some(bytes)) => drop(self.files.insert(at, (put.mode, bytes.to_vec()))),
            Some(None) => return Outcome::Failed("its bytes were not filled in".into()),
        }
        Outcome::done("put")
    }

    fn call(&mut self, call: &HttpCall) -> Outcome {
        let body = call.body.bytes().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or(Value::Null);
        match call.method {
            Method::Delete => drop(self.hooks.remove(&call.url)),
            Method::Get => {}
            Method::Post | Method::Put | Method::Patch => drop(self.hooks.insert(call.url.clone(), body)),
        }
        Outcome::done("200")
    }

    fn deny(&mut self, target: &Target) -> Result<(), ReadError> {
        let dead = match self.dying.get_mut(target) {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        };
        if self.deny_reads == 0 && !dead {
            let cost = self.costs.entry(target.clone()).or_default();
            *cost = Cost { requests: cost.requests + 1, bytes_out: cost.bytes_out + 10, bytes_in: cost.bytes_in + 100 };
            return Ok(());
        }
        self.deny_reads -= usize::from(!dead);
        // What is dead is not reached; what is denied a look drowns.
        let (kind, why) = if dead {
            (ReadErrorKind::NoRoute, "no way led there")
        } else {
            (ReadErrorKind::TimedOut, "no answer in time")
        };
        Err(ReadError { kind, tried: vec![why.into()], hint: Some("breakglass probe".into()) })
    }
}

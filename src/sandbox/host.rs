//! What a simulated host does with a script: it acts on the name and the arguments, and prints what the real one would.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;

use super::ranking::{self, AGENT, CLIENT, TRIES};
use super::recovery;
use super::said::Said;
use super::world::{APISERVER, SimHost, World};
use super::{certificates, gate, jail, pods, rescue};
use crate::change::sha256_hex;
use crate::host::audit::AuditCount;
use crate::host::file::PutFile;
use crate::host::left::ManifestLeft;
use crate::host::offender::OffenderLook;
use crate::host::orders::{Orders, Unread};
use crate::host::swap::{ManifestFolder, ManifestLook, ManifestSwap};
use crate::script::Head;

/// The exit status of a shell that does not know a command.
const NOT_KNOWN: u32 = 127;
/// How long a simulated exchange of a manifest takes.
const EXCHANGE: Duration = Duration::from_secs(2);

/// The length of one line in an audit log, in bytes.
const LINE: u64 = 700;

/// Runs one script on one host.
pub(super) async fn run(world: &World, index: usize, peer: SocketAddr, text: &str) -> Said {
    let Some(Head { name, args }) = Head::parse(text) else {
        return Said::failed(NOT_KNOWN, "the sandbox only runs breakglass's own scripts");
    };
    let order = match Orders::read(&name, &args) {
        Ok(order) => order,
        Err(Unread::Name(name)) => {
            return Said::failed(NOT_KNOWN, &format!("the sandbox does not simulate {name:?} and runs no commands"));
        }
        Err(torn @ Unread::Told(_)) => return Said::failed(1, &torn.to_string()),
    };
    // What takes its time takes it with the lock not held.
    if let Some(time) = takes(&order) {
        tokio::time::sleep(time).await;
    }
    let mut state = world.state();
    let (began, pods, servers, refused) = (state.began, state.running(), state.hosts.len(), state.refused());
    let Some(host) = state.hosts.get_mut(index) else { return Said::failed(1, "no such host") };
    // Every order is named, so that a new one has to be thought of here.
    match &order {
        Orders::GateSurvey(_) => Said::ok(gate::survey(host, peer)),
        Orders::GateClose(order) => gate::close(host, &order.spec),
        Orders::GateArm(order) => gate::arm(host, order),
        Orders::GateRenew(order) => gate::renew(host, order),
        Orders::GateOpen(order) => gate::open(host, order),
        Orders::GateCut(_) => Said::ok(format!("before={}\nafter=0\n", 80 + index)),
        Orders::GateKnock(_) => Said::ok(gate::knock(host)),
        Orders::GateMemory(_) => Said::ok("total=16384000\navailable=9000000\napi=2500000 \nend=yes\n".into()),
        Orders::GateStatus(_) => Said::ok(gate::status(host, began, pods)),
        Orders::AuditCount(order) => Said::ok(count(host, pods, servers, order)),
        Orders::AuditRank(order) => Said::ok(ranking::audit((pods, servers), order)),
        Orders::LogRank(order) => Said::ok(ranking::log((pods, servers), order)),
        Orders::SocketRank(_) => Said::ok(ranking::sockets(host, (pods, servers))),
        Orders::OffenderLook(order) => Said::ok(offender(host, began, (pods, servers, refused), order)),
        Orders::JailLook(order) => Said::ok(jail::look(host, pods, order)),
        Orders::JailPut(order) => jail::put(host, order),
        Orders::JailTakeOut(order) => jail::take_out(host, order),
        Orders::JailsStand(_) => Said::ok(jail::stands(host)),
        Orders::AuthorizersLook(order) => Said::ok(jail::authorizers(host, order)),
        Orders::AuthorizersPut(order) => jail::authorizers_put(host, order),
        Orders::AuthorizersAway(order) => jail::authorizers_away(host, order),
        Orders::ApiServerPresence(_) => Said::ok(format!("process={} 3600\nstarted=0\nend=yes\n", host.pid(APISERVER))),
        Orders::ManifestLook(order) => Said::ok(look(host, order)),
        Orders::ManifestRoom(_) => Said::ok(format!(
            "total=16384000\navailable=9000000\ncpus=8\nmemory={api} {api}\nasked=yes\nend=yes\n",
            api = 2_500_000
        )),
        Orders::ManifestUnderWay(_) => Said::ok("looked=yes\n".into()),
        Orders::ManifestLeft(order) => Said::ok(left(host, order)),
        Orders::ManifestSwap(order) => swap(host, order),
        // An exchange comes to its end here, and its new process answers.
        Orders::ManifestMend(_) => Said::ok("mended=yes\n".into()),
        Orders::ManifestWhy(_) => Said::ok("end=yes\n".into()),
        Orders::ManifestEvidence(order) => Said::ok(rescue::evidence(host, order)),
        Orders::ManifestCopy(order) => Said::ok(rescue::copy(host, order)),
        Orders::ManifestReplace(order) => rescue::replace(host, order),
        Orders::ManifestMove(order) => rescue::moved(host, order),
        Orders::ManifestFolder(order) => folder(host, order),
        Orders::ManifestFolderAway(order) => folder_away(host, &order.path),
        Orders::CredentialsRead(_) => Said::ok(credentials(&world.papers.admin)),
        Orders::CredentialsSign(_) => Said::failed(3, "the practice cluster keeps the key of its CA to itself"),
        Orders::CertificatesLook(_) => Said::ok(certificates::look(&world.papers.authority)),
        Orders::CertificatesKeep(_) | Orders::CertificatesKeepAway(_) => Said::ok("kept=none\n".into()),
        Orders::CertificatesSign(_) | Orders::CertificatesSplice(_) => {
            Said::failed(3, "no certificate of the practice cluster has ended")
        }
        Orders::PutFile(order) => put(host, order, text),
        Orders::PodsLook(order) => Said::ok(pods::look(host, pods, order)),
        Orders::PodsNetwork(order) => Said::ok(pods::network(pods, order)),
        Orders::PodsFrozen(_) => Said::ok(pods::frozen(host) + "end=yes\n"),
        Orders::PodsFreeze(order) => pods::freeze(host, order),
        Orders::PodsThaw(order) => pods::thaw(host, &order.folder),
        Orders::RecoverySurvey(_) => Said::ok(recovery::survey(host, &world.papers.authority)),
        Orders::RecoveryStatus(_) => Said::ok(recovery::status(host, &world.papers.authority) + "end=yes\n"),
        Orders::RecoveryStart(order) => recovery::start(host, order),
        Orders::RecoveryExtend(order) => recovery::extend(host, order),
        Orders::RecoveryStop(order) => recovery::stop(host, &order.run),
    }
}

/// What a host of kubeadm has; the key of the CA is kept by the practice cluster itself.
fn credentials(admin: &str) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(admin);
    format!(
        "file=/etc/kubernetes/super-admin.conf\ntext={text}\nunsigned=the practice cluster keeps the key of its CA to itself\nend=yes\n"
    )
}

/// How long an order takes here, where that is to be felt.
fn takes(order: &Orders) -> Option<Duration> {
    if let Orders::AuditCount(order) = order {
        return Some(Duration::from_secs(order.seconds));
    }
    matches!(order, Orders::ManifestSwap(_)).then_some(EXCHANGE)
}

/// What the audit log of one of `servers` API servers gained: the offender's requests, two a second from each pod left.
fn count(host: &SimHost, pods: u32, servers: usize, order: &AuditCount) -> String {
    let admitted = host.gate.as_ref().map_or(1.0, |gate| gate.admitted(Instant::now()));
    let by_agent = || !order.agent.is_empty() && AGENT.starts_with(&order.agent);
    let offender = order.user == CLIENT || by_agent();
    let servers = f64::from(u32::try_from(servers).unwrap_or(1));
    let share = TRIES * f64::from(pods) * admitted * Duration::from_secs(order.seconds).as_secs_f64() / servers;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "thousands at most")]
    let requests = if offender { share.round() as u64 } else { 0 };
    let log = if order.log.is_empty() { "/var/log/kubernetes/audit.log" } else { &order.log };
    format!("log={log}\nbytes={}\nrequests={requests}\n", requests * LINE)
}

/// What an API host sees of the offender. The length of its audit log is the time, in milliseconds, so that where the last
/// look ended says how long ago that was.
fn offender(
    host: &SimHost,
    began: Instant,
    (pods, servers, refused): (u32, usize, bool),
    order: &OffenderLook,
) -> String {
    let admitted = host.gate.as_ref().map_or(1.0, |gate| gate.admitted(Instant::now()));
    let servers = f64::from(u32::try_from(servers).unwrap_or(1));
    let now = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "thousands at most")]
    let whole = |number: f64| number.round() as u64;
    let connections = whole(f64::from(pods) * admitted / servers);
    let mut out = format!("connections={connections}\nsources={connections}\n");
    for n in 0..connections.min(10) {
        let _ = writeln!(out, "source=1 10.64.0.{}", n + 1);
    }
    if order.user == CLIENT {
        let _ = writeln!(out, "log=/var/log/kubernetes/audit.log\nsize={now}");
        if let Ok(from) = order.from.parse::<u64>() {
            let seconds = Duration::from_millis(now.saturating_sub(from)).as_secs_f64();
            let asked = whole(TRIES * f64::from(pods) * admitted * seconds / servers);
            let (served, turned_away) = if refused { (0, asked) } else { (asked, 0) };
            let _ = writeln!(out, "served={served}\nrefused={turned_away}\nunknown=0");
        }
    }
    out.push_str("end=yes\n");
    out
}

fn look(host: &SimHost, order: &ManifestLook) -> String {
    let ManifestLook { manifests, program, beside } = order;
    let file = format!("{}/{program}.yaml", manifests.trim_end_matches('/'));
    let mut out = String::new();
    if let Some(text) = host.files.get(&file) {
        let encoded = base64::engine::general_purpose::STANDARD.encode(text);
        let _ = write!(out, "file={file}\nsha256={}\nmode=600\ntext={encoded}\n", sha256_hex(text.as_bytes()));
    }
    let pid = host.pid(program);
    let _ = writeln!(out, "process={pid}:{pid}");
    for name in ["before", "next"] {
        if let Some(text) = host.files.get(&format!("{beside}/{name}.yaml")) {
            let _ = writeln!(out, "{name}={}", sha256_hex(text.as_bytes()));
        }
    }
    if host.files.contains_key(&format!("{beside}/.")) {
        let _ = writeln!(out, "folder={beside}");
    }
    if host.files.contains_key(&format!("{beside}/mark")) {
        out.push_str("marked=0\n");
    }
    if let Some(state) = host.files.get(&format!("{beside}/state")) {
        let _ = writeln!(out, "state={state}");
    }
    out.push_str("looked=yes\n");
    out
}

fn swap(host: &mut SimHost, order: &ManifestSwap) -> Said {
    let ManifestSwap { file, staged, from, to, beside, program, only_while, .. } = order;
    let sum = |host: &SimHost, path: &str| host.files.get(path).map(|text| sha256_hex(text.as_bytes()));
    if sum(host, file).as_ref() == Some(to) {
        // Put back already, or done before.
        host.files.remove(&format!("{beside}/mark"));
        return Said::ok("state=ready\n".into());
    }
    if sum(host, file).as_ref() != Some(from) {
        return Said::failed(4, &format!("{file} is not what was seen before: somebody else has changed it"));
    }
    if sum(host, staged).as_ref() != Some(to) {
        return Said::failed(4, &format!("{staged} is not what was staged"));
    }
    if let Some((path, sha256)) = only_while.as_ref().and_then(|file| file.rsplit_once(' '))
        && sum(host, path).as_deref() != Some(sha256)
    {
        return Said::failed(4, &format!("{path} is not what was put there"));
    }
    let text = host.files.get(staged).cloned().unwrap_or_default();
    host.files.insert(file.clone(), text);
    host.files.insert(format!("{beside}/state"), "ready".into());
    host.files.remove(&format!("{beside}/mark"));
    host.restart(program);
    Said::ok("state=ready\n".into())
}

fn put(host: &mut SimHost, order: &PutFile, text: &str) -> Said {
    let PutFile { path, expect, sha256: wanted } = order;
    let was = host.files.get(path).map_or_else(|| "absent".to_owned(), |text| sha256_hex(text.as_bytes()));
    if was != *wanted && was != *expect {
        return Said::failed(4, &format!("{path} is not what was expected: sha256 {was}"));
    }
    if wanted == "absent" {
        host.files.remove(path);
    } else if was != *wanted {
        let Some(content) = content(text, wanted) else { return Said::failed(1, "the content did not arrive whole") };
        host.files.insert(path.clone(), content);
    }
    Said::ok(format!("was={was}\nsha256={wanted}\n"))
}

/// The content of a file in a script: the lines of base64 that have the announced hash.
fn content(script: &str, sha256: &str) -> Option<String> {
    let lines: Vec<&str> = script.lines().collect();
    (0..lines.len()).find_map(|start| {
        let encoded: String = lines[start..].iter().take_while(|line| is_base64(line)).copied().collect();
        let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).ok()?;
        (sha256_hex(&bytes) == sha256).then(|| String::from_utf8(bytes).ok()).flatten()
    })
}

fn folder(host: &mut SimHost, order: &ManifestFolder) -> Said {
    let ManifestFolder { path, run, operator, program } = order;
    host.files.insert(format!("{path}/."), format!("{run}\n{operator}\n{program}\n"));
    host.files.insert(format!("{path}/mark"), String::new());
    Said::ok(format!("folder={path}\n"))
}

/// What stands beside the manifests. A folder says whose it is also where its mark is gone.
fn left(host: &SimHost, order: &ManifestLeft) -> String {
    let manifests = order.manifests.trim_end_matches('/');
    let beside = format!("{}/breakglass-", manifests.rsplit_once('/').map_or("", |(parent, _)| parent));
    let sum = |path: &str| host.files.get(path).map(|text| sha256_hex(text.as_bytes()));
    let mut out = String::new();
    for (path, mark) in host.files.iter().filter(|(path, _)| path.starts_with(&beside) && path.ends_with("/.")) {
        let folder = path.trim_end_matches("/.");
        let mut words = mark.lines();
        let mut word = || words.next().unwrap_or_default();
        let _ = write!(out, "folder={folder}\nrun={}\nby={}\nprogram={}\nage=1\n", word(), word(), word());
        if let Some(state) = host.files.get(&format!("{folder}/state")) {
            let _ = writeln!(out, "state={state}");
        }
        for name in ["before", "next"] {
            if let Some(sum) = sum(&format!("{folder}/{name}.yaml")) {
                let _ = writeln!(out, "{name}={sum}");
            }
        }
    }
    for (path, text) in host.files.iter().filter(|(path, _)| path.starts_with(&format!("{manifests}/"))) {
        let _ = writeln!(out, "manifest={} {path}", sha256_hex(text.as_bytes()));
        if text.contains("node-lifecycle-controller") {
            let _ = writeln!(out, "controllers={}", base64::engine::general_purpose::STANDARD.encode(text));
        }
    }
    out.push_str("end=yes\n");
    out
}

fn folder_away(host: &mut SimHost, path: &str) -> Said {
    for name in ["state", "mark", "."] {
        host.files.remove(&format!("{path}/{name}"));
    }
    Said::ok(format!("folder={path}\n"))
}

fn is_base64(line: &str) -> bool {
    !line.is_empty() && line.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::super::world::Papers;
    use super::*;
    use crate::host::manifest::MANIFESTS;
    use crate::host::order::{Order, Query};
    use crate::host::{audit, gate, swap};
    use crate::script::Script;

    const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 50_000);

    fn spec(run: &str) -> gate::GateSpec {
        gate::GateSpec {
            run: run.into(),
            operator: "alice".into(),
            reason: "a drill".into(),
            at: 1,
            side: gate::Side::Server { ports: vec![6443] },
            allow: Vec::new(),
            balancer: None,
            answer: gate::Reply::Reset,
            confirm_within: 30,
            hold: 900,
            step: 60,
            stages: vec![gate::Stage::Share(5), gate::Stage::Share(50), gate::Stage::Share(100)],
            seed: 1,
        }
    }

    async fn say(world: &World, script: &Script) -> Said {
        run(world, 0, PEER, &script.text()).await
    }

    async fn ask<O: Order>(world: &World, query: Query<O>) -> O::Answer {
        query.read(&say(world, query.script()).await.stdout).unwrap()
    }

    #[tokio::test]
    async fn the_gates_own_parsers_read_what_a_simulated_host_says() {
        let world = World::new(&["cp1"], super::super::Weather::Storm, Papers::default());
        let survey = ask(&world, gate::survey(&[])).await;
        assert_eq!(survey.api_ports().into_iter().collect::<Vec<_>>(), [6443]);
        assert!(survey.gate.is_none() && survey.choose() == Some(gate::BackEnd::Nft));
        let spec = spec("r1");
        let nft = gate::BackEnd::Nft;
        assert_eq!(say(&world, &gate::close(&spec, nft)).await.stdout, "result=closed\n");
        let other = say(&world, &gate::close(&self::spec("r2"), nft)).await;
        assert!(other.status == 1 && other.stdout.starts_with("result=held\nowner=run=r1 "), "{}", other.stdout);
        let turn = |level, by: &str| {
            let by = gate::Driver { run: by.into(), operator: "bob".into() };
            gate::Turn { level, hold: 900, was: "r1".into(), by }
        };
        say(&world, &gate::arm(&spec.mark(), nft, &turn(1, "r2"))).await;
        let late = say(&world, &gate::renew(&spec.mark(), nft, 900, &spec.driver())).await;
        assert!(
            late.status == 0 && late.stdout.contains("lost=another run sets its fuses now: run=r2"),
            "{}",
            late.stdout
        );
        assert_eq!(say(&world, &gate::arm(&spec.mark(), nft, &turn(0, "r3"))).await.status, 1);
        let state = ask(&world, gate::status()).await.unwrap();
        assert_eq!((state.level(), state.confirmed, state.fuses.len()), (1, true, 2));
        let first = say(&world, &gate::open("r1", nft, "r1", &spec.driver())).await;
        assert!(first.status == 1 && first.stdout.starts_with("result=moved\n"), "{}", first.stdout);
        say(&world, &gate::open("r1", nft, "r2", &spec.driver())).await;
        assert_eq!(ask(&world, gate::status()).await, None);
    }

    #[tokio::test]
    async fn a_simulated_manifest_is_looked_at_like_a_real_one() {
        let world = World::new(&["cp1"], super::super::Weather::Storm, Papers::default());
        let place = swap::Place {
            manifests: MANIFESTS.into(),
            program: "kube-apiserver".into(),
            run: "r1".into(),
            operator: "alice".into(),
            tag: "room".into(),
        };
        let seen = ask(&world, swap::look(&place)).await.unwrap();
        assert!(seen.text.contains("--secure-port=6443"));
        assert_eq!(seen.sha256, sha256_hex(seen.text.as_bytes()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_knock_meets_the_gate_and_the_audit_log_counts_the_offender_only() {
        let world = World::new(&["cp1"], super::super::Weather::Storm, Papers::default());
        let count = |user: &str| audit::count("", &audit::Client::User(user.into()), 10);
        let met = async || ask(&world, gate::knock(PEER)).await;
        let requests = async |user| match ask(&world, count(user)).await {
            audit::Counted::Requests { added, .. } => Some(added),
            _ => None,
        };
        assert_eq!((met().await, requests(CLIENT).await), (gate::Knock::Open, Some(4800)));
        say(&world, &gate::close(&spec("r1"), gate::BackEnd::Nft)).await;
        assert_eq!((met().await, requests(CLIENT).await), (gate::Knock::Refused, Some(0)));
        say(&world, &gate::open("r1", gate::BackEnd::Nft, "r1", &spec("r1").driver())).await;
        assert_eq!((met().await, requests("system:serviceaccount:a:b").await), (gate::Knock::Open, Some(0)));
    }

    #[tokio::test]
    async fn no_command_is_ever_run() {
        let world = World::new(&["cp1"], super::super::Weather::Storm, Papers::default());
        for text in ["rm -rf /", "# breakglass exec command=\"reboot\"\nmain() {\nreboot\n}\nmain\n"] {
            assert_eq!(run(&world, 0, PEER, text).await.status, NOT_KNOWN);
        }
    }
}

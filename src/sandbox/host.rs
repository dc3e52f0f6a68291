//! What a simulated host does with a script: it acts on the name and the arguments, and prints what the real one would.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;

use super::world::{Gate, MANIFESTS, SimHost, World};
use crate::change::sha256_hex;
use crate::host::gate::{Driver, GateSpec, Rung};
use crate::script::Head;

/// The exit status of a shell that does not know a command.
const NOT_KNOWN: u32 = 127;
/// How long a simulated exchange of a manifest takes.
const EXCHANGE: Duration = Duration::from_secs(2);

/// The user that the offender's pods are to the API.
const CLIENT: &str = "system:serviceaccount:telemetry:agent";
/// The user agent that they give.
const AGENT: &str = "telemetry-agent/1.2";
/// What each of its pods tries, in requests a second.
const TRIES: f64 = 2.0;
/// The length of one line in an audit log, in bytes.
const LINE: u64 = 700;

/// What a script came to.
pub(super) struct Said {
    pub(super) status: u32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Said {
    fn ok(stdout: String) -> Self {
        Self { status: 0, stdout, stderr: String::new() }
    }

    fn failed(status: u32, why: &str) -> Self {
        Self { status, stdout: format!("failed={why}\n"), stderr: String::new() }
    }
}

/// Runs one script on one host.
pub(super) async fn run(world: &World, index: usize, peer: SocketAddr, text: &str) -> Said {
    let Some(head) = Head::parse(text) else {
        return Said::failed(NOT_KNOWN, "the sandbox only runs breakglass's own scripts");
    };
    // What takes its time takes it with the lock not held.
    match head.name.as_str() {
        "manifest.swap" => tokio::time::sleep(EXCHANGE).await,
        "audit.count" => tokio::time::sleep(window(&head)).await,
        _ => {}
    }
    let mut state = world.state();
    let (began, pods, servers, refused) = (state.began, state.running(), state.hosts.len(), state.refused());
    let Some(host) = state.hosts.get_mut(index) else { return Said::failed(1, "no such host") };
    match head.name.as_str() {
        "gate.survey" => Said::ok(survey(host, peer)),
        "gate.close" => close(host, &head),
        "gate.arm" | "gate.renew" => arm(host, &head),
        "gate.open" => open(host, &head),
        "gate.cut" => Said::ok(format!("before={}\nafter=0\n", 80 + index)),
        "gate.knock" => Said::ok(knock(host)),
        "gate.memory" => Said::ok("total=16384000\navailable=9000000\napi=2500000 \nend=yes\n".into()),
        "audit.count" => Said::ok(count(host, pods, servers, &head)),
        "offender.look" => Said::ok(offender(host, began, (pods, servers, refused), &head)),
        "apiserver.presence" => Said::ok(format!("process={} 3600\nstarted=0\nend=yes\n", host.pid)),
        "gate.status" => Said::ok(status(host, began, pods)),
        "manifest.look" => Said::ok(look(host, &head)),
        "manifest.room" => Said::ok(format!(
            "total=16384000\navailable=9000000\ncpus=8\nmemory={api} {api}\nasked=yes\nend=yes\n",
            api = 2_500_000
        )),
        "manifest.under-way" => Said::ok("looked=yes\n".into()),
        "manifest.swap" => swap(host, &head),
        "file.put" => put(host, &head, text),
        "manifest.folder" | "manifest.folder-away" => folder(host, &head),
        other => Said::failed(NOT_KNOWN, &format!("the sandbox does not simulate {other:?} and runs no commands")),
    }
}

fn survey(host: &SimHost, peer: SocketAddr) -> String {
    let mut out = format!(
        "uid=0\nnow=1733958960\nkernel=6.1.0-sandbox\nssh={} {} 127.0.0.1 22\nnft=yes\nss=yes\ndestroy=yes\n\
         api={} 6443\nlisten=*:6443 kube-apiserver\nlisten=0.0.0.0:22 sshd\nlisten=127.0.0.1:2379 etcd\n\
         proc=900 etcd\nproc=901 kubelet\nproc=902 kube-controller-manager\nown=127.0.0.1/8\n",
        peer.ip(),
        peer.port(),
        host.pid
    );
    if let Some(gate) = &host.gate {
        let _ = write!(out, "gate=nft\ngate_owner={}\n", owner(gate));
        if gate.armed > Instant::now() {
            out.push_str("gate_alive=yes\n");
        }
    }
    out.push_str("end=yes\n");
    out
}

/// The mark as the rules' comments hold it.
fn owner(gate: &Gate) -> String {
    let word = |text: &str| text.replace(|c: char| !c.is_ascii_alphanumeric() && !"._:@+-,".contains(c), "_");
    let mark = &gate.mark;
    let ports: Vec<String> = mark.ports.iter().map(ToString::to_string).collect();
    let stages: String = mark
        .rungs
        .iter()
        .map(|rung| match rung {
            Rung::Share(percent) => format!(" stage=share:{percent}"),
            Rung::Set(name) => format!(" stage=set:{}", word(name)),
            Rung::Rate(rate) => format!(" stage=rate:{rate}"),
            Rung::Count(sources) => format!(" stage=count:{sources}"),
        })
        .collect();
    format!(
        "run={} by={} at={} ports={} hold={} step={} is={}{stages} why={}",
        word(&mark.run),
        word(&mark.operator),
        mark.at,
        ports.join(","),
        mark.hold,
        mark.step,
        mark.number,
        word(&mark.reason)
    )
}

fn close(host: &mut SimHost, head: &Head) -> Said {
    let spec = head.get("spec").and_then(|spec| serde_json::from_str::<GateSpec>(spec).ok());
    let Some(spec) = spec else { return Said::failed(1, "the gate's description did not arrive whole") };
    let now = Instant::now();
    if let Some(gate) = host.gate.as_ref().filter(|gate| gate.armed > now) {
        if gate.mark.run == spec.run && gate.mark.number == spec.number() {
            return Said::ok("result=already\n".into());
        }
        let why = format!("result=held\nowner={}\nfailed=the gate of another run stands here\n", owner(gate));
        return Said { status: 1, stdout: why, stderr: String::new() };
    }
    let gone = now + Duration::from_secs(u64::from(spec.confirm_within));
    let until = vec![gone; spec.rungs().len()];
    host.gate = Some(Gate {
        mark: spec.mark(),
        driver: spec.driver(),
        spec,
        confirmed: false,
        armed: gone,
        until,
        closed: now,
    });
    Said::ok("result=closed\n".into())
}

/// Our own standing gate, or what to say instead.
fn ours<'a>(host: &'a mut SimHost, head: &Head) -> Result<&'a mut Gate, Said> {
    let refused = |stdout: String| Said { status: 1, stdout, stderr: String::new() };
    let Some(gate) = &mut host.gate else {
        return Err(refused("result=open\nfailed=no gate stands here any more\n".into()));
    };
    if head.get("run") == Some(gate.mark.run.as_str()) {
        return Ok(gate);
    }
    Err(refused(format!("result=held\nowner={}\nfailed=the gate of another run stands here\n", owner(gate))))
}

fn arm(host: &mut SimHost, head: &Head) -> Said {
    let number = |key: &str| head.get(key).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let (level, hold, step) = (number("level"), number("hold"), number("step"));
    let gate = match ours(host, head) {
        Ok(gate) => gate,
        Err(said) => return said,
    };
    let now = Instant::now();
    let renewal = head.name == "gate.renew";
    let no = |result: &str, why: &str| {
        let (status, key) = if renewal { (0, "lost") } else { (1, "failed") };
        Said { status, stdout: format!("result={result}\n{key}={why}\n"), stderr: String::new() }
    };
    if gate.armed <= now {
        return no("open", "the gate has run out");
    }
    let word = |key: &str| head.get(key).unwrap_or_default().to_owned();
    let by = Driver { run: word("by"), operator: word("operator") };
    if head.get("was") != Some(gate.driver.run.as_str()) && by.run != gate.driver.run {
        return no("moved", &format!("another run sets its fuses now: {}", gate.driver.comment()));
    }
    if renewal && gate.until.first().is_some_and(|until| *until <= now) {
        return no("moved", "its first stage has come by the kernel's timetable");
    }
    gate.driver = by;
    let after = |n: u64| now + Duration::from_secs(hold + step * n);
    let rungs = gate.until.len() as u64;
    gate.until = (0..rungs).map(|k| if k < level { now } else { after(k - level) }).collect();
    gate.armed = after(rungs.saturating_sub(level));
    gate.confirmed = true;
    Said::ok("result=armed\n".into())
}

fn open(host: &mut SimHost, head: &Head) -> Said {
    if host.gate.is_none() {
        return Said::ok("result=open\n".into());
    }
    let gate = match ours(host, head) {
        Ok(gate) => gate,
        Err(said) => return said,
    };
    let hands = [head.get("was"), head.get("by")];
    if gate.armed > Instant::now() && !hands.contains(&Some(gate.driver.run.as_str())) {
        let why = format!("another run sets the fuses of this gate now: {}", gate.driver.comment());
        return Said { status: 1, stdout: format!("result=moved\nfailed={why}\n"), stderr: String::new() };
    }
    host.gate = None;
    Said::ok("result=open\n".into())
}

fn status(host: &SimHost, began: Instant, pods: u32) -> String {
    let mut out = format!("uptime={:.2}\nlisten=0016 094B 192B\n", 86_400.0 + began.elapsed().as_secs_f64());
    let Some(gate) = &host.gate else {
        out.push_str("back_end=none\n");
        return out;
    };
    let now = Instant::now();
    let set = |name: &str, until: Instant| {
        let left = until.saturating_duration_since(now).as_millis();
        let element =
            if left > 0 { format!(" elements = {{ 6443 timeout 900s expires {left}ms }}") } else { String::new() };
        format!("set.{name}=table inet breakglass {{ set {name} {{ flags timeout{element} }} }}\n")
    };
    let _ = write!(out, "back_end=nft\nowner={}\ndriver={}\n", owner(gate), gate.driver.comment());
    out.push_str(&set("armed", gate.armed));
    if gate.confirmed {
        out.push_str("set.confirmed=set confirmed { elements = { 6443 } }\n");
    }
    for (k, until) in gate.until.iter().enumerate() {
        out.push_str(&set(&format!("until_{}", k + 1), *until));
    }
    // Each agent tries twice a second; what is not admitted is refused.
    let tries = gate.closed.elapsed().as_secs() * 2 * u64::from(pods);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a share")]
    let admitted = (tries as f64 * gate.admitted(now)) as u64;
    let _ = writeln!(
        out,
        "counters=table inet breakglass {{ counter attempts {{ packets {tries} bytes 0 }} counter admitted {{ packets \
         {admitted} bytes 0 }} counter refused {{ packets {} bytes 0 }} counter returned {{ packets 0 bytes 0 }} }}",
        tries - admitted
    );
    let _ = writeln!(out, "talkers={pods}");
    for n in 0..pods.min(20) {
        let _ = writeln!(out, "talker={} 10.64.{}.{}", tries / u64::from(pods.max(1)), n / 250, n % 250 + 1);
    }
    out
}

/// A connection as a node makes it: an address that is not let through meets the gate of the host that it is on.
fn knock(host: &SimHost) -> String {
    let shut = host.gate.as_ref().is_some_and(|gate| gate.admitted(Instant::now()) < 1.0);
    format!("with=curl\nknock={}\n", if shut { "refused" } else { "open" })
}

/// How long an audit log is watched.
fn window(head: &Head) -> Duration {
    Duration::from_secs(head.get("seconds").and_then(|text| text.parse().ok()).unwrap_or(1))
}

/// What the audit log of one of `servers` API servers gained: the offender's requests, two a second from each pod left.
fn count(host: &SimHost, pods: u32, servers: usize, head: &Head) -> String {
    let admitted = host.gate.as_ref().map_or(1.0, |gate| gate.admitted(Instant::now()));
    let by_agent = || head.get("agent").is_some_and(|agent| !agent.is_empty() && AGENT.starts_with(agent));
    let offender = head.get("user") == Some(CLIENT) || by_agent();
    let servers = f64::from(u32::try_from(servers).unwrap_or(1));
    let share = TRIES * f64::from(pods) * admitted * window(head).as_secs_f64() / servers;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "thousands at most")]
    let requests = if offender { share.round() as u64 } else { 0 };
    let log = head.get("log").filter(|log| !log.is_empty()).unwrap_or("/var/log/kubernetes/audit.log");
    format!("log={log}\nbytes={}\nrequests={requests}\n", requests * LINE)
}

/// What an API host sees of the offender. The length of its audit log is the time, in milliseconds, so that where the last
/// look ended says how long ago that was.
fn offender(host: &SimHost, began: Instant, (pods, servers, refused): (u32, usize, bool), head: &Head) -> String {
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
    if head.get("user") == Some(CLIENT) {
        let _ = writeln!(out, "log=/var/log/kubernetes/audit.log\nsize={now}");
        if let Some(from) = head.get("from").and_then(|from| from.parse::<u64>().ok()) {
            let seconds = Duration::from_millis(now.saturating_sub(from)).as_secs_f64();
            let asked = whole(TRIES * f64::from(pods) * admitted * seconds / servers);
            let (served, turned_away) = if refused { (0, asked) } else { (asked, 0) };
            let _ = writeln!(out, "served={served}\nrefused={turned_away}\nunknown=0");
        }
    }
    out.push_str("end=yes\n");
    out
}

/// The folder beside the manifests that a step keeps its copies in.
fn beside(head: &Head) -> &str {
    head.get("beside").unwrap_or_default()
}

fn look(host: &SimHost, head: &Head) -> String {
    let file = format!("{MANIFESTS}/kube-apiserver.yaml");
    let mut out = String::new();
    if let Some(text) = host.files.get(&file) {
        let encoded = base64::engine::general_purpose::STANDARD.encode(text);
        let _ = write!(out, "file={file}\nsha256={}\nmode=600\ntext={encoded}\n", sha256_hex(text.as_bytes()));
    }
    let _ = writeln!(out, "process={}:{}", host.pid, host.pid);
    for name in ["before", "next"] {
        if let Some(text) = host.files.get(&format!("{}/{name}.yaml", beside(head))) {
            let _ = writeln!(out, "{name}={}", sha256_hex(text.as_bytes()));
        }
    }
    if host.files.contains_key(&format!("{}/.", beside(head))) {
        let _ = writeln!(out, "folder={}", beside(head));
    }
    if host.files.contains_key(&format!("{}/mark", beside(head))) {
        out.push_str("marked=0\n");
    }
    if let Some(state) = host.files.get(&format!("{}/state", beside(head))) {
        let _ = writeln!(out, "state={state}");
    }
    out.push_str("looked=yes\n");
    out
}

fn swap(host: &mut SimHost, head: &Head) -> Said {
    let (Some(file), Some(staged)) = (head.get("file"), head.get("staged")) else {
        return Said::failed(1, "the order did not arrive whole");
    };
    let sum = |host: &SimHost, path: &str| host.files.get(path).map(|text| sha256_hex(text.as_bytes()));
    if sum(host, file).as_deref() == head.get("to") {
        // Put back already, or done before.
        host.files.remove(&format!("{}/mark", beside(head)));
        return Said::ok("state=ready\n".into());
    }
    if sum(host, file).as_deref() != head.get("from") {
        return Said::failed(4, &format!("{file} is not what was seen before: somebody else has changed it"));
    }
    if sum(host, staged).as_deref() != head.get("to") {
        return Said::failed(4, &format!("{staged} is not what was staged"));
    }
    let text = host.files.get(staged).cloned().unwrap_or_default();
    host.files.insert(file.to_owned(), text);
    host.files.insert(format!("{}/state", beside(head)), "ready".into());
    host.files.remove(&format!("{}/mark", beside(head)));
    host.restart();
    Said::ok("state=ready\n".into())
}

fn put(host: &mut SimHost, head: &Head, text: &str) -> Said {
    let (path, wanted) = (head.get("path").unwrap_or_default(), head.get("sha256").unwrap_or("absent"));
    let was = host.files.get(path).map_or_else(|| "absent".to_owned(), |text| sha256_hex(text.as_bytes()));
    if was != wanted && Some(was.as_str()) != head.get("expect") {
        return Said::failed(4, &format!("{path} is not what was expected: sha256 {was}"));
    }
    if wanted == "absent" {
        host.files.remove(path);
    } else if was != wanted {
        let Some(content) = content(text, wanted) else { return Said::failed(1, "the content did not arrive whole") };
        host.files.insert(path.to_owned(), content);
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

fn folder(host: &mut SimHost, head: &Head) -> Said {
    let path = head.get("path").unwrap_or_default();
    if head.name == "manifest.folder-away" {
        for name in ["state", "mark", "."] {
            host.files.remove(&format!("{path}/{name}"));
        }
    } else {
        host.files.insert(format!("{path}/."), String::new());
        host.files.insert(format!("{path}/mark"), String::new());
    }
    Said::ok(format!("folder={path}\n"))
}

fn is_base64(line: &str) -> bool {
    !line.is_empty() && line.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{gate, swap};
    use crate::script::{Answer, Script};

    const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 50_000);

    fn spec(run: &str) -> GateSpec {
        GateSpec {
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

    #[tokio::test]
    async fn the_gates_own_parsers_read_what_a_simulated_host_says() {
        let world = World::new(&["cp1"], super::super::Weather::Storm);
        let survey = gate::parse_survey(&say(&world, &gate::survey(&[])).await.stdout).unwrap();
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
        let state = gate::parse_status(&say(&world, &gate::status()).await.stdout).unwrap().unwrap();
        assert_eq!((state.level(), state.confirmed, state.fuses.len()), (1, true, 2));
        let first = say(&world, &gate::open("r1", nft, "r1", &spec.driver())).await;
        assert!(first.status == 1 && first.stdout.starts_with("result=moved\n"), "{}", first.stdout);
        say(&world, &gate::open("r1", nft, "r2", &spec.driver())).await;
        assert_eq!(gate::parse_status(&say(&world, &gate::status()).await.stdout), Some(None));
    }

    #[tokio::test]
    async fn a_simulated_manifest_is_looked_at_like_a_real_one() {
        let world = World::new(&["cp1"], super::super::Weather::Storm);
        let place = swap::Place {
            manifests: MANIFESTS.into(),
            program: "kube-apiserver".into(),
            run: "r1".into(),
            operator: "alice".into(),
            tag: "room".into(),
        };
        let seen = swap::seen(&say(&world, &swap::look(&place)).await.stdout, &place.program).unwrap();
        assert!(seen.text.contains("--secure-port=6443"));
        assert_eq!(seen.sha256, sha256_hex(seen.text.as_bytes()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_knock_meets_the_gate_and_the_audit_log_counts_the_offender_only() {
        let world = World::new(&["cp1"], super::super::Weather::Storm);
        let count = |user: &str| Script::new("audit.count", "").arg("log", "").arg("user", user).arg("seconds", "10");
        let met = async || gate::parse_knock(&say(&world, &gate::knock(PEER)).await.stdout);
        let requests = async |user| Answer::parse(&say(&world, &count(user)).await.stdout).number("requests");
        assert_eq!((met().await, requests(CLIENT).await), (gate::Knock::Open, Some(4800)));
        say(&world, &gate::close(&spec("r1"), gate::BackEnd::Nft)).await;
        assert_eq!((met().await, requests(CLIENT).await), (gate::Knock::Refused, Some(0)));
        say(&world, &gate::open("r1", gate::BackEnd::Nft, "r1", &spec("r1").driver())).await;
        assert_eq!((met().await, requests("system:serviceaccount:a:b").await), (gate::Knock::Open, Some(0)));
    }

    #[tokio::test]
    async fn no_command_is_ever_run() {
        let world = World::new(&["cp1"], super::super::Weather::Storm);
        for text in ["rm -rf /", "# breakglass exec command=\"reboot\"\nmain() {\nreboot\n}\nmain\n"] {
            assert_eq!(run(&world, 0, PEER, text).await.status, NOT_KNOWN);
        }
    }
}

//! What a storm's collectors owe to the truth: they end when their node has heard of it, and their tokens as real ones do.

use std::{
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use testbed::{
    API_PORT, Beside, Host, Lab, OPERATOR_IP4, STORM, Settings, Storm, Tokens, User, hollow_nodes, test, wait_until,
};

const LONG: Duration = Duration::from_mins(5);
/// For so long an API server may remember that a token was good.
const REMEMBERED: Duration = Duration::from_secs(10);
/// A storm that troubles nobody: any request takes longer than its `slow`.
const BREEZE: Settings = Settings {
    name: "breeze",
    cpu_percent: 100,
    nodes: 3,
    collectors: 2,
    every: Duration::from_millis(500),
    ballast: [20, 0, 0],
    slow: Duration::from_millis(1),
    beside: Beside::Whatever,
    ..STORM
};

fn main() -> ExitCode {
    testbed::main_with_kubernetes(vec![
        test("a_pods_collectors_go_on_while_their_node_is_cut_off_and_end_once_it_is_let_in", cut_off),
        test("a_pods_own_token_is_refused_after_its_end", bound),
        test("the_token_of_a_secret_outlives_the_pods", unbound),
        test("collectors_and_nodes_of_a_killed_server_turn_to_the_others", killed),
    ])
}

/// Closes the API server to everybody but the operator and itself, and ends what is open.
fn cut(host: &Host) -> Result<()> {
    let door = format!(
        "table inet byhand {{\nset in {{\ntype ipv4_addr\n}}\nchain c {{\ntype filter hook input priority 0\niif lo accept\n\
         ip saddr {{ {OPERATOR_IP4}, {own} }} accept\nip saddr @in accept\ntcp dport {API_PORT} reject with tcp reset\n}}\n}}\n",
        own = host.ip4()
    );
    host.command_within(&["nft", "-f", "-"], door.as_bytes(), LONG)?.ok()?;
    host.sh(&format!("ss -K -tn 'sport = :{API_PORT} and not dst {OPERATOR_IP4}'"))?;
    Ok(())
}

/// Ends the telemetry service: its DaemonSet, and every pod at once and by force.
fn end_by_force(storm: &Storm) -> Result<()> {
    let alice = storm.plane().kubectl(User::Alice)?;
    alice.run(&["delete", "daemonset", "-n", "telemetry", "telemetry-agent"])?.ok()?;
    alice.run(&["delete", "pods", "-n", "telemetry", "--all", "--grace-period=0", "--force"])?.ok()?;
    wait_until("etcd without the pods", LONG, || {
        Ok(alice.run(&["get", "pods", "-n", "telemetry", "-o", "name"])?.ok()?.is_empty())
    })
}

fn cut_off() -> Result<()> {
    let lab = Lab::shared()?;
    let hosts = lab.hosts(["cut-cp1", "cut-nodes"])?;
    let storm = Storm::start(lab, &hosts[0], &hosts[1], &BREEZE)?;
    wait_until("an open connection of every collector and kubelet", LONG, || Ok(storm.connections()?.len() >= 6 + 3))?;
    cut(&hosts[0])?;
    end_by_force(&storm)?;
    wait_until("the end of all connections", LONG, || Ok(storm.connections()?.is_empty()))?;
    thread::sleep(REMEMBERED + Duration::from_secs(5));
    let (cut_off, all) = (storm.agents()?, storm.collectors());
    assert_eq!((cut_off.agents, cut_off.pods), (all, 3), "no kubelet can have heard of it: {cut_off}");

    let (_, first) = hollow_nodes(&hosts[1], 1)[0].clone();
    let let_in = Instant::now();
    hosts[0].sh(&format!("nft add element inet byhand in '{{ {first} }}'"))?.ok()?;
    wait_until("the end of the collectors on the node that was let in", LONG, || Ok(storm.agents()?.agents < all))?;
    println!("their kubelet ended its collectors {:.0} s after it was let in", let_in.elapsed().as_secs_f32());
    thread::sleep(Duration::from_secs(5));
    let left = storm.agents()?;
    assert_eq!((left.agents, left.pods), (4, 2), "only of that node: {left}");
    assert_eq!(left.ok, cut_off.ok, "no list was answered with a token of a pod that is gone: {left}");

    hosts[0].sh("nft delete table inet byhand")?.ok()?;
    storm.wait_calm(LONG)
}

/// What the API server says to a request with this token.
fn code(host: &Host, token: &str) -> Result<String> {
    let pods = format!("https://{}:{API_PORT}/api/v1/pods?limit=1", host.ip4());
    host.sh(&format!("curl -sk -m 30 -o /dev/null -w '%{{http_code}}' -H 'Authorization: Bearer {token}' '{pods}'"))?
        .ok()
}

/// The token of some pod of the telemetry service, as its node has it.
fn token(nodes: &Host) -> Result<String> {
    let files = nodes.sh("cat $(ls -d /tmp/hollow-kubelet.*/pods/*/volumes/*/*/token | head -n 1)")?.ok()?;
    files.lines().next().map(str::to_owned).context("no token")
}

fn bound() -> Result<()> {
    let lab = Lab::shared()?;
    let hosts = lab.hosts(["bound-cp1", "bound-nodes"])?;
    let storm = Storm::start(lab, &hosts[0], &hosts[1], &BREEZE)?;
    let token = token(&hosts[1])?;
    assert_eq!(code(&hosts[0], &token)?, "200");
    end_by_force(&storm)?;
    let ended = Instant::now();
    wait_until("a 401", REMEMBERED + Duration::from_secs(5), || Ok(code(&hosts[0], &token)? == "401"))?;
    println!("refused {:.1} s after the pod's end", ended.elapsed().as_secs_f32());
    storm.wait_calm(LONG)
}

fn unbound() -> Result<()> {
    let lab = Lab::shared()?;
    let hosts = lab.hosts(["free-cp1", "free-nodes"])?;
    let storm = Storm::start(lab, &hosts[0], &hosts[1], &Settings { tokens: Tokens::Secret, ..BREEZE })?;
    let token = token(&hosts[1])?;
    wait_until("lists that are answered", LONG, || Ok(storm.agents()?.ok > 0))?;
    end_by_force(&storm)?;
    thread::sleep(REMEMBERED + Duration::from_secs(5));
    assert_eq!(code(&hosts[0], &token)?, "200");
    storm.wait_calm(LONG)?;
    assert_eq!(storm.agents()?.unauthorized, 0);
    storm.plane().kubectl(User::Alice)?.run(&["delete", "secret", "-n", "telemetry", "agent-token"])?.ok()?;
    wait_until("a 401", LONG, || Ok(code(&hosts[0], &token)? == "401"))
}

fn killed() -> Result<()> {
    let lab = Lab::shared()?;
    let hosts = lab.hosts(["one", "two", "three", "ha-nodes"])?;
    let [one, two, three, nodes] = &hosts[..] else { anyhow::bail!("four hosts were asked for") };
    let storm = Storm::start_on(lab, &[one, two, three], nodes, &BREEZE)?;
    let on = |host: &Host| -> Result<usize> {
        Ok(storm.connections()?.iter().filter(|socket| socket.local.ip() == host.ip4()).count())
    };
    wait_until("connections to every server", LONG, || Ok(on(one)? > 0 && on(two)? > 0 && on(three)? > 0))?;
    storm.plane().servers()[1].component().kill()?;
    let killed = Instant::now();
    wait_until("all collectors and kubelets at the two others", LONG, || Ok(on(one)? + on(three)? >= 6 + 3))?;
    let before = storm.agents()?;
    wait_until("lists that are answered, and every collector there", LONG, || {
        let after = storm.agents()?;
        Ok(after.agents == storm.collectors() && after.ok > before.ok)
    })?;
    end_by_force(&storm)?;
    storm.wait_calm(LONG)?;
    println!("all over {:.0} s after the death of one of three", killed.elapsed().as_secs_f32());
    ensure!(storm.plane().servers()[1].component().process().is_err(), "it came back");
    ensure!(on(two)? == 0, "somebody found a dead server");
    Ok(())
}

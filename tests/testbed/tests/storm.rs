//! Storms: what a lone engineer with kubectl meets, in numbers, and what makes room in them.

use std::{
    fs,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use testbed::{
    API_PORT, Curl, Host, Lab, OPERATOR_IP4, STORM, STORM_APF, STORM_OOM, Storm, User, place_for_a_storm, pod_process,
    start_storm_oom, test, wait_until, watch_restarts,
};

/// As long as a patient engineer would wait for one command.
const PATIENCE: Duration = Duration::from_mins(1);

fn main() -> ExitCode {
    testbed::main_with_kubernetes(vec![
        test("storm_locks_a_lone_kubectl_out_until_its_agents_are_gated", storm),
        test("storm_apf_is_slow_but_open", storm_apf),
        test("storm_oom_kills_the_static_pod_until_its_client_is_blocked_and_deleted", storm_oom),
    ])
}

/// One cold `kubectl delete` of some DaemonSet, alone; its verdict and seconds.
fn lone_kubectl(storm: &Storm, victim: &str) -> Result<(bool, f32)> {
    let arguments = ["delete", "daemonset", victim, "--wait=false"];
    let mut command = storm.plane().kubectl(User::Alice)?.command(&arguments)?;
    let started = Instant::now();
    let done = testbed::Running::start(&mut command, b"")?.wait(PATIENCE).is_ok_and(|output| output.success());
    Ok((done, started.elapsed().as_secs_f32()))
}

/// The same as one bare request with curl.
fn lone_curl(storm: &Storm, victim: &str) -> Result<(bool, f32)> {
    let curl = Curl::new(storm.plane().access(), User::Alice)?;
    let url = format!("{}/apis/apps/v1/namespaces/default/daemonsets/{victim}", storm.plane().access().endpoint());
    let output = curl.delete(&url, PATIENCE)?;
    Ok((output.success(), output.took.as_secs_f32()))
}

fn storm() -> Result<()> {
    let lab = Lab::shared()?;
    let hosts = lab.hosts(["cp1", "nodes"])?;
    let storm = Storm::start(lab, &hosts[0], &hosts[1], &STORM)?;
    let (kubectl_done, kubectl) = lone_kubectl(&storm, "bystander-0")?;
    let (curl_done, curl) = lone_curl(&storm, "bystander-1")?;
    println!(
        "storm: lone kubectl {} after {kubectl:.1} s, lone curl {} after {curl:.1} s; {}",
        verdict(kubectl_done),
        verdict(curl_done),
        storm.agents()?
    );
    assert!(!kubectl_done || kubectl > 20.0, "a lone kubectl must fail or take more than 20 s");

    // What an engineer would do by hand: close the door and delete the offender. How everybody is let back in is what
    // the program's own test of this name is about.
    let own = hosts[0].ip4();
    let door = format!(
        "table inet byhand {{\nchain c {{\ntype filter hook input priority 0\nip saddr {{ {OPERATOR_IP4}, {own} }} accept\n\
         iif lo accept\ntcp dport {API_PORT} reject with tcp reset\n}}\n}}\n"
    );
    hosts[0].command_within(&["nft", "-f", "-"], door.as_bytes(), PATIENCE)?.ok()?;
    hosts[0].sh(&format!("ss -K -tn 'sport = :{API_PORT} and not dst {OPERATOR_IP4}'"))?;
    let alice = storm.plane().kubectl(User::Alice)?;
    let gated = alice.run(&["delete", "daemonset", "-n", "telemetry", "telemetry-agent", "--wait=false"])?;
    println!("storm: behind a closed door the same kubectl took {:.1} s", gated.took.as_secs_f32());
    gated.ok()?;
    let closed = storm.agents()?;
    assert_eq!(closed.agents, storm.collectors(), "the agents' kubelets can't have heard of it: {closed}");
    // The garbage collector marks the pods; only their kubelets can end them.
    let marks = ["get", "pods", "-n", "telemetry", "-o", "jsonpath={.items[*].metadata.deletionTimestamp}"];
    wait_until("a mark of deletion on every pod", PATIENCE, || {
        Ok(alice.run(&marks)?.stdout.split_whitespace().count() == usize::from(STORM.nodes))
    })?;
    let marked = storm.agents()?;
    assert_eq!(marked.agents, storm.collectors(), "the agents' kubelets can't have heard of it: {marked}");
    Ok(())
}

fn storm_apf() -> Result<()> {
    let lab = Lab::shared()?;
    let hosts = lab.hosts(["apf-cp1", "apf-nodes"])?;
    let storm = Storm::start(lab, &hosts[0], &hosts[1], &STORM_APF)?;
    let (done, kubectl) = lone_kubectl(&storm, "bystander-0")?;
    let agents = storm.agents()?;
    println!("storm-apf: lone kubectl {} after {kubectl:.1} s; {agents}", verdict(done));
    assert!(done && kubectl > 2.0, "slow, but open");
    Ok(())
}

fn storm_oom() -> Result<()> {
    let _place = place_for_a_storm(Duration::from_secs(90))?;
    let lab = Lab::shared()?;
    let hosts = lab.hosts(["oom-cp1", "worker1"])?;
    let plane = start_storm_oom(lab, &hosts[0], &hosts[1], &STORM_OOM)?;
    let started = Instant::now();
    let ids = watch_restarts(&plane, 2, PATIENCE * 3)?;
    let by = token_of_the_agent(&hosts[1])?;
    assert!(by.contains(r#""pod":{"name":"telemetry-agent-"#), "the agent's token is its pod's own: {by}");
    println!("storm-oom: two restarts in {:.0} s: processes {ids:?}", started.elapsed().as_secs_f32());
    let (server, worker) = (hosts[0].ip4(), hosts[1].ip4());
    let door = format!(
        "table inet byhand {{\nchain c {{\ntype filter hook input priority 0\n\
         ip saddr {worker} tcp dport {API_PORT} reject with tcp reset\n}}\n}}\n"
    );
    hosts[0].command_within(&["nft", "-f", "-"], door.as_bytes(), PATIENCE)?.ok()?;
    hosts[0].sh(&format!("ss -K -tn 'sport = :{API_PORT} and dst {worker}'"))?;
    let alice = plane.kubectl(User::Alice)?;
    let delete = ["delete", "daemonset", "-n", "telemetry", "telemetry-agent", "--wait=false"];
    let blocked = Instant::now();
    // The kubelet waits out its back-off first, and a server that has just started forbids everything for a moment.
    wait_until("the end of the crash loop", PATIENCE * 4, || Ok(alice.run(&delete)?.success()))?;
    println!("storm-oom: deleted {:.0} s after {server} was closed to the worker", blocked.elapsed().as_secs_f32());
    wait_until("the kubelet's word that the kernel killed the server for its memory", PATIENCE * 3, || {
        let pod = alice.run(&["get", "pod", "-n", "kube-system", "kube-apiserver-oom-cp1", "-o", "json"])?;
        Ok(pod.stdout.contains(r#""reason": "OOMKilled""#))
    })?;
    // With the DaemonSet gone nobody makes the pod anew. Its controller would end it, but the controller manager died as
    // often as the server did, and its kubelet lets it wait for up to five minutes.
    let pods = ["delete", "pods", "-n", "telemetry", "--all", "--wait=false"];
    wait_until("the mark of deletion on the pod", PATIENCE, || Ok(alice.run(&pods)?.success()))?;
    // A bigger server, as on that day: else it is dead again before the worker's kubelet has heard of the deletion.
    let before = plane.static_pod("kube-apiserver").map(|process| process.pid);
    hosts[0].sh("cd /etc/kubernetes && sed 's/memory: 600Mi/memory: 4Gi/' manifests/kube-apiserver.yaml >room && mv room manifests/kube-apiserver.yaml")?.ok()?;
    wait_until("a bigger server", PATIENCE * 3, || {
        let now = plane.static_pod("kube-apiserver").map(|process| process.pid);
        Ok(now.is_some() && now != before && plane.is_ready()?)
    })?;
    hosts[0].sh("nft delete table inet byhand")?.ok()?;
    wait_until("the end of the agent on the worker", PATIENCE * 3, || {
        Ok(pod_process(&hosts[1], "telemetry-agent").is_none())
    })?;
    Ok(())
}

/// The claims of the token that the agent's pod on this worker asks with: a list that no server lives to answer leaves no
/// line in an audit log.
fn token_of_the_agent(worker: &Host) -> Result<String> {
    let agent = pod_process(worker, "telemetry-agent").context("the agent runs on its worker")?;
    let path = format!("/proc/{}/root/var/run/secrets/kubernetes.io/serviceaccount/token", agent.pid);
    let token = fs::read_to_string(&path).with_context(|| path)?;
    let claims = token.split('.').nth(1).context("a token has three parts")?;
    Ok(String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(claims)?)?)
}

fn verdict(done: bool) -> &'static str {
    if done { "done" } else { "failed" }
}

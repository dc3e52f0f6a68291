//! Control planes: every component is the real one, and does what a real one does.

use std::{
    fs,
    process::ExitCode,
    sync::OnceLock,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::Signal;
use testbed::{
    API_PORT, CONTROL_PLANE, ControlPlane, Curl, Host, Lab, Meter, NameServer, Options, Probe, User, test, wait_until,
};

const SHORT: Duration = Duration::from_secs(10);
const LONG: Duration = Duration::from_mins(5);
const NODES: u8 = 24;
/// What every user asks for to learn what it may do.
const ASKED: &str = "/api/v1/namespaces/default/pods?limit=1";

fn main() -> ExitCode {
    testbed::main_with_kubernetes(vec![
        test("components_are_kubernetes_1_34_and_etcd_3_6", versions),
        test("users_have_the_rights_that_they_should_have", users),
        test("audit_log_tells_who_asked_what_from_where", audit),
        test("meter_counts_what_went_to_a_server", meter),
        test("daemonset_runs_on_every_hollow_node_and_goes", hollow_nodes),
        test("one_of_three_servers_killed_paused_or_forged", faults_of_one_in_three),
        test("a_name_server_knows_what_the_api_server_told_it_and_forgets_it_with_its_process", names),
    ])
}

struct Plane {
    plane: ControlPlane,
    host: Host,
}

/// One control plane for all tests that leave it as it was.
fn shared() -> Result<&'static Plane> {
    static PLANE: OnceLock<Result<Plane, String>> = OnceLock::new();
    let start = || -> Result<Plane> {
        let lab = Lab::shared()?;
        let host = lab.host("cp1")?;
        let mut plane = ControlPlane::start(lab, &[&host], &Options::default())?;
        plane.add_hollow_nodes(&lab.host("nodes")?, NODES)?;
        Ok(Plane { plane, host })
    };
    let plane = PLANE.get_or_init(|| start().map_err(|error| format!("{error:#}")));
    plane.as_ref().map_err(|error| anyhow!("{error}"))
}

fn versions() -> Result<()> {
    let Plane { plane, host } = shared()?;
    let version = plane.kubectl(User::Alice)?.run(&["get", "--raw", "/version"])?.ok()?;
    assert!(version.contains(r#""gitVersion": "v1.34.4""#), "{version}");
    let etcd = host.sh("curl -s http://127.0.0.1:2381/metrics | grep '^etcd_server_version'")?.ok()?;
    assert!(etcd.contains("3.6.4"), "{etcd}");
    for name in ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
        assert_eq!(host.processes_named(name)?.len(), 1, "{name}");
        plane.component(name, "cp1")?.process()?;
    }
    Ok(())
}

fn users() -> Result<()> {
    let Plane { plane, .. } = shared()?;
    let says = |user: User| -> Result<String> {
        let output = plane.kubectl(user)?.run(&["get", "--raw", ASKED])?;
        Ok(format!("{} {}{}", output.code, output.stdout, output.stderr))
    };
    for user in [User::Masters, User::Alice] {
        assert!(says(user)?.starts_with("0 {"), "{user:?}: {}", says(user)?);
    }
    assert!(says(User::Nobody)?.contains("Forbidden"), "{}", says(User::Nobody)?);
    for user in [User::Expired, User::Foreign] {
        assert!(says(user)?.contains("Unauthorized"), "{user:?}: {}", says(user)?);
    }
    Ok(())
}

fn audit() -> Result<()> {
    let Plane { plane, .. } = shared()?;
    let audit = plane.servers()[0].audit();
    let mark = audit.mark()?;
    plane.kubectl(User::Nobody)?.run(&["delete", "--raw", "/api/v1/namespaces/default/pods/none"])?;
    let mut requests = audit.by("nobody", mark)?;
    // Another test asks for this as the same user.
    requests.retain(|request| request.uri != ASKED);
    let [request] = &requests[..] else { bail!("one request, not {requests:?}") };
    assert_eq!((request.verb.as_str(), request.code()), ("delete", Some(403)), "{request}");
    assert_eq!(request.uri, "/api/v1/namespaces/default/pods/none");
    assert_eq!(request.source_ips, [testbed::OPERATOR_IP4.to_string()]);
    assert!(request.user_agent.starts_with("kubectl/v1.34.4") && request.is_write(), "{request}");
    Ok(())
}

fn meter() -> Result<()> {
    let Plane { plane, host } = shared()?;
    let meter = Meter::start(Lab::shared()?, &[(host.ip6(), API_PORT).into()])?;
    let curl = Curl::new(plane.access(), User::Alice)?;
    let url = format!("https://[{}]:{API_PORT}/version", host.ip6());
    for connections in 1..=2 {
        curl.get(&url, SHORT)?.ok()?;
        let traffic = meter.read()?[0];
        assert_eq!(traffic.connections, connections, "{traffic:?}");
        assert!(traffic.sent > 1000 * connections && traffic.received > 1000 * connections, "{traffic:?}");
    }
    Ok(())
}

const AGENT: &str = "
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: log-agent}
spec:
  selector: {matchLabels: {app: log-agent}}
  template:
    metadata: {labels: {app: log-agent}}
    spec:
      containers: [{name: main, image: none.invalid/none:1}]
";

fn hollow_nodes() -> Result<()> {
    let Plane { plane, .. } = shared()?;
    let alice = plane.kubectl(User::Alice)?;
    alice.apply(AGENT)?;
    let pods = || -> Result<Vec<String>> {
        let pods = alice.run(&["get", "pods", "-l", "app=log-agent", "--no-headers", "-o", "wide"])?.ok()?;
        Ok(pods.lines().map(str::to_owned).collect())
    };
    wait_until("a Running pod on each node", LONG, || {
        Ok(pods()?.iter().filter(|pod| pod.contains("Running")).count() == usize::from(NODES))
    })?;
    alice.run(&["delete", "daemonset", "log-agent", "--wait=false"])?.ok()?;
    wait_until("the end of its pods", LONG, || Ok(pods()?.is_empty()))?;
    Ok(())
}

fn faults_of_one_in_three() -> Result<()> {
    let lab = Lab::shared()?;
    let hosts = lab.hosts(["ha1", "ha2", "ha3"])?;
    let options = Options { balancer: Some(lab.host("lb")?), ..Options::default() };
    let plane = ControlPlane::start(lab, &hosts.iter().collect::<Vec<_>>(), &options)?;
    let alice = plane.kubectl(User::Alice)?;
    let works = || -> Result<bool> { Ok(alice.run(&["get", "--raw", "/api/v1/namespaces"])?.success()) };
    let marks: Vec<_> = plane.servers().iter().map(|server| server.audit().mark()).collect::<Result<_, _>>()?;
    for _ in 0..6 {
        assert!(works()?);
    }
    for (server, mark) in plane.servers().iter().zip(marks) {
        assert!(!server.audit().by("alice", mark)?.is_empty(), "nothing was balanced to {}", server.url());
    }

    let first = &plane.servers()[0];
    let before = first.component().process()?.pid;
    first.component().kill()?;
    assert_eq!(lab.probe(first.host().ip4(), API_PORT, SHORT)?, Probe::Refused);
    wait_until("a balancer that has noticed", LONG, works)?;
    first.restart()?;
    assert_ne!(first.component().process()?.pid, before);

    first.component().process()?.signal(Signal::STOP);
    assert_eq!(lab.probe(first.host().ip4(), API_PORT, SHORT)?, Probe::Open);
    let started = Instant::now();
    let direct = Curl::new(plane.access(), User::Alice)?;
    let output = direct.get(&format!("{}/readyz", first.url()), SHORT)?;
    assert_eq!((output.code, started.elapsed() >= SHORT), (28, true), "{output:?}");
    first.component().process()?.signal(Signal::CONT);
    first.wait_ready(LONG)?;

    let forged = first.with_wrong_certificate(plane.access().pki())?;
    let output = direct.get(&format!("{}/readyz", first.url()), SHORT)?;
    assert_eq!(output.code, 60, "curl must not trust it: {output:?}");
    drop(forged);
    assert!(direct.get(&format!("{}/readyz", first.url()), SHORT)?.success());
    Ok(())
}

fn names() -> Result<()> {
    let lab = Lab::shared()?;
    let hosts = lab.hosts(["cp-named", "dns", "bastion"])?;
    let [cp, dns, bastion] = &hosts[..] else { bail!("three hosts were asked for") };
    let plane = ControlPlane::start(lab, &[cp], &Options::default())?;
    let coredns = NameServer::start(dns, plane.access(), cp)?;
    // It listens before it says who it is.
    let said = || Ok(fs::read_to_string(coredns.component().log())?.contains("CoreDNS-1.13.1"));
    wait_until("CoreDNS to say its version", LONG, said).with_context(|| coredns.component().tail())?;
    coredns.serve_bastion(bastion, plane.access())?;

    let found = |name: &str| -> Result<Option<String>> {
        let said = bastion.command(&["getent", "ahostsv4", name])?;
        Ok(said.stdout.split_whitespace().next().map(str::to_owned))
    };
    let by_name = || -> Result<bool> {
        Ok(bastion.sh("kubectl get --raw /api/v1/namespaces/default --request-timeout 5s")?.success())
    };
    assert_eq!(found(CONTROL_PLANE)?, Some(cp.ip4().to_string()));
    assert_eq!(found("later.default.svc.cluster.local")?, None);
    assert!(by_name()?);
    plane.kubectl(User::Alice)?.run(&["create", "service", "clusterip", "later", "--tcp", "80"])?.ok()?;
    wait_until("the name of a new service", LONG, || Ok(found("later.default.svc.cluster.local")?.is_some()))?;

    // What it knows it goes on telling, until it is started anew.
    let api = plane.servers()[0].component().process()?;
    api.signal(Signal::STOP);
    assert_eq!(found(CONTROL_PLANE)?, Some(cp.ip4().to_string()));
    coredns.restart()?;
    assert_eq!(found(CONTROL_PLANE)?, None);
    assert!(!by_name()?);
    api.signal(Signal::CONT);
    wait_until("the names, told once more", LONG, || Ok(found(CONTROL_PLANE)?.is_some()))?;
    Ok(())
}

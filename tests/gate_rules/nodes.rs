//! The gate on a node: what its own processes and its pods send to the API, by address and through the service.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Result, bail, ensure};
use breakglass::host::gate::{self, BackEnd, GateSpec, Scope, Side, Stage};
use breakglass::script::Answer;
use libtest_mimic::Trial;
use testbed::{Host, Lab, Probe};

use crate::stand::{LIMIT, PORT, Stand, Standing, connect, each, echo, opening, ping, say, turn};

const SERVICE: &str = "10.96.0.1:443";
const POD: &str = "10.200.0.2";

pub(crate) fn tests() -> Vec<Trial> {
    [each("node_and_pods_are_met", node_and_pods_are_met), each("pods_alone_are_met", pods_alone_are_met)]
        .into_iter()
        .flatten()
        .collect()
}

/// A pod's network behind the client host, and the service's address translated as kube-proxy does it.
fn node(name: &str, back_end: BackEnd) -> Result<Stand> {
    let stand = Stand::new(name, back_end)?;
    let (api, node) = (stand.api.ip4(), stand.client.ip4());
    stand.api.sh(&format!("ip route add 10.200.0.0/24 via {node}"))?.ok()?;
    let setup = format!(
        "set -e; mkdir -p /run/netns; ip netns add pod; ip link add veth0 type veth peer name eth0 netns pod
ip addr add 10.200.0.1/24 dev veth0; ip link set veth0 up; ip -n pod addr add {POD}/24 dev eth0
ip -n pod link set eth0 up; ip -n pod route add default via 10.200.0.1; echo 1 >/proc/sys/net/ipv4/ip_forward
ip route add 10.96.0.0/16 via {api}
nft 'add table ip svc; add chain ip svc pre {{ type nat hook prerouting priority -100; }}
add chain ip svc out {{ type nat hook output priority -100; }}'
for chain in pre out; do nft add rule ip svc $chain ip daddr 10.96.0.1 tcp dport 443 dnat to {api}:{PORT}; done"
    );
    stand.client.sh(&setup)?.ok()?;
    echo(&stand.client, 7777)?;
    Ok(stand)
}

fn spec(stand: &Stand, scope: Scope) -> Result<GateSpec> {
    let endpoints = stand.addresses().map(|a| SocketAddr::new(a, PORT)).to_vec();
    let mut spec = stand.spec(vec![Stage::Count(1), Stage::Share(50)]);
    spec.side = Side::Client { endpoints, service: vec![SERVICE.parse()?], scope };
    Ok(spec)
}

/// What a connection from the pod or from the node meets.
fn meets(host: &Host, pod: bool, to: SocketAddr) -> Result<Probe> {
    let inside = if pod { "ip netns exec pod " } else { "" };
    let output = host.sh(&format!("{inside}timeout 5 bash -c 'exec 3<>/dev/tcp/{}/{}'", to.ip(), to.port()))?;
    Ok(match output.code {
        0 => Probe::Open,
        1 if output.stderr.contains("refused") => Probe::Refused,
        124 => Probe::Timeout,
        _ => bail!("{output:?}"),
    })
}

fn order(stand: &Stand, script: &breakglass::script::Script) -> Result<Standing> {
    let output = say(&stand.client, "dash", script)?;
    ensure!(output.success(), "{output:?}");
    let Some(standing) = Standing::read(&output.stdout) else { bail!("{output:?}") };
    Ok(standing)
}

fn node_and_pods_are_met(back_end: BackEnd) -> Result<()> {
    let stand = node("nod", back_end)?;
    let spec = spec(&stand, Scope::All { spare_cgroup: None })?;
    let [v4, v6] = stand.addresses();
    let service: SocketAddr = SERVICE.parse()?;
    let all = |want: Probe| -> Result<()> {
        for (pod, to) in [
            (false, (v4, PORT).into()),
            (false, (v6, PORT).into()),
            (false, service),
            (true, (v4, PORT).into()),
            (true, service),
        ] {
            let met = meets(&stand.client, pod, to)?;
            ensure!(met == want, "pod {pod} to {to}: {met:?}");
        }
        Ok(())
    };
    all(Probe::Open)?;
    let mut open = [connect(&stand.client, v4)?, connect(&stand.client, v6)?];
    ensure!(order(&stand, &gate::close(&spec, back_end))? == Standing::Closed);
    all(Probe::Refused)?;
    let cut = gate::parse_cut(&Answer::parse(&say(&stand.client, "dash", &gate::cut(&spec))?.stdout));
    ensure!(cut.as_ref().is_some_and(|c| c.before == 2 && c.after == 0), "{cut:?}");
    for stream in &mut open {
        ensure!(ping(stream).is_err());
    }
    // Nothing else of the node is touched: its own services, SSH, and what it asks of the same host on another port.
    let lab = Lab::shared()?;
    ensure!(
        lab.probe(stand.client.ip4(), 22, LIMIT)? == Probe::Open
            && lab.probe(stand.client.ip4(), 7777, LIMIT)? == Probe::Open
    );
    ensure!(meets(&stand.client, true, (v4, 22).into())? == Probe::Open);
    ensure!(stand.operator_meets()? == [Probe::Open; 2]);
    ensure!(order(&stand, &gate::arm(&spec.mark(), back_end, &turn(&spec, 0, 60)))? == Standing::Armed);
    all(Probe::Refused)?;
    // The first of the node's sources that asks is let in.
    ensure!(order(&stand, &gate::arm(&spec.mark(), back_end, &turn(&spec, 1, 60)))? == Standing::Armed);
    for (pod, want) in [(true, Probe::Open), (false, Probe::Refused), (true, Probe::Open)] {
        ensure!(meets(&stand.client, pod, (v4, PORT).into())? == want, "pod {pod}");
    }
    ensure!(order(&stand, &opening(&spec, back_end))? == Standing::Open);
    all(Probe::Open)
}

fn pods_alone_are_met(back_end: BackEnd) -> Result<()> {
    let stand = node("pod", back_end)?;
    let pod: IpAddr = POD.parse()?;
    let spec = spec(&stand, Scope::Sources(vec![pod.into()]))?;
    let api = SocketAddr::from((stand.api.ip4(), PORT));
    ensure!(order(&stand, &gate::close(&spec, back_end))? == Standing::Closed);
    for to in [api, SERVICE.parse()?] {
        ensure!(meets(&stand.client, true, to)? == Probe::Refused, "{to}");
        ensure!(meets(&stand.client, false, to)? == Probe::Open, "{to}");
    }
    Ok(())
}

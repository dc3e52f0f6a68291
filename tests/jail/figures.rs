//! What a jail costs, beside what kubectl does for the same end, and what a refusal costs an API server.
//!
//!     BREAKGLASS_JAILS=20 tests/run jail what_a_jail_costs

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use testbed::User;

use super::clients::{Asking, Client, Who, asks_in_a_row};
use super::one_client::{AGENT, first, last, renamed, since, told};
use super::scene::{Scene, scene};

/// So many requests in a row, for the processor time of one.
const REQUESTS: u32 = 3000;

/// The offender's own rights, as kubectl takes them away.
const OWN: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: agent}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{kind: ServiceAccount, name: agent, namespace: telemetry}]
";
const CALM: &str = r#"[{"op": "remove", "path": "/subjects/0"}]"#;

/// Processor time of all children that have ended, in milliseconds.
fn of_children() -> Result<f64> {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN)?;
    let ms = |time: nix::sys::time::TimeVal| {
        Duration::new(u64::try_from(time.tv_sec()).unwrap_or(0), 0).as_secs_f64() * 1000.0
            + f64::from(u32::try_from(time.tv_usec()).unwrap_or(0)) / 1000.0
    };
    Ok(ms(usage.user_time()) + ms(usage.system_time()))
}

/// The same end by kubectl, which deletes the client's binding: from the command to the last request that was served, on each server.
fn beside_kubectl(scene: &Scene, offender: &Asking, rounds: usize) -> Result<()> {
    let (masters, alice) = (scene.plane.kubectl(User::Masters)?, scene.plane.kubectl(User::Alice)?);
    masters.apply(OWN)?;
    masters.run(&["patch", "clusterrolebinding", "readers", "--type=json", "-p", CALM])?.ok()?;
    let (mut kubectl, mut jail, mut cpu) = (Vec::new(), Vec::new(), [0.0, 0.0]);
    let mut requests = 0;
    for _ in 0..rounds {
        for by in [false, true] {
            offender.answered(200)?;
            let marks = scene.servers().iter().map(|server| server.audit().mark()).collect::<Result<Vec<_>>>()?;
            let (began, before) = (SystemTime::now(), of_children()?);
            if by {
                scene.alice.run(&["jail", AGENT, "--yes"])?;
            } else {
                alice.run(&["delete", "clusterrolebinding", "agent"])?.ok()?;
            }
            cpu[usize::from(by)] += of_children()? - before;
            offender.answered(if by { 500 } else { 403 })?;
            let (over, asked) = (SystemTime::now(), offender.so_far());
            let into = if by { &mut jail } else { &mut kubectl };
            for server in 0..scene.servers().len() {
                into.push(since(last(&asked, server, 200, over).context("it was never served")?.at, began));
            }
            if by {
                scene.alice.run(&["undo", "last", "--yes"])?;
            } else {
                for (server, mark) in scene.servers().iter().zip(marks) {
                    requests += server
                        .audit()
                        .by("alice", mark)?
                        .iter()
                        .filter(|one| one.user_agent.starts_with("kubectl"))
                        .count();
                }
                masters.apply(OWN)?;
            }
        }
    }
    told("kubectl delete clusterrolebinding, to the last request that was served", &mut kubectl);
    told("breakglass jail, beside it", &mut jail);
    let each = |all: f64| all / f64::from(u32::try_from(rounds).unwrap_or(1));
    println!(
        "jail: processor time of the client, ms: kubectl {:.0}, breakglass {:.0}; requests of kubectl: {requests} in {} rounds",
        each(cpu[0]),
        each(cpu[1]),
        rounds
    );
    Ok(())
}

/// Processor time that the first API server has taken, in milliseconds.
fn of_server(scene: &Scene) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", scene.servers()[0].component().process()?.pid))?;
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks * 10.0)
}

/// Of one request that is answered so, what it costs the API server, beside what it does anyhow in that time.
fn a_request(scene: &Scene, token: &str, code: u16) -> Result<()> {
    let url = format!("{}/api/v1/namespaces?limit=500", scene.servers()[0].url());
    let (began, before) = (SystemTime::now(), of_server(scene)?);
    asks_in_a_row(scene.plane.access(), &url, token, (REQUESTS, code))?;
    let (took, spent) = (began.elapsed()?, of_server(scene)? - before);
    let before = of_server(scene)?;
    std::thread::sleep(took);
    let anyhow = of_server(scene)? - before;
    let each = (spent - anyhow) / f64::from(REQUESTS);
    println!("jail: a request that is answered with {code}: {each:.2} ms of a processor ({REQUESTS} in {took:.1?})");
    Ok(())
}

/// From the rename to the first request that is refused.
fn from_the_rename(scene: &Scene, offender: &Asking, rounds: usize) -> Result<()> {
    let mut all = Vec::new();
    for _ in 0..rounds {
        offender.answered(200)?;
        let began = SystemTime::now();
        scene.alice.run(&["jail", AGENT, "--yes"])?;
        offender.answered(500)?;
        let asked = offender.so_far();
        for server in 0..scene.servers().len() {
            let refused = first(&asked, server, 500, began).context("it was never refused")?;
            all.push(since(refused.at, renamed(&scene.config(server))?));
        }
        scene.alice.run(&["undo", "last", "--yes"])?;
    }
    told("from the rename to the first request that was refused", &mut all);
    Ok(())
}

pub(super) fn what_a_jail_costs(rounds: usize) -> Result<()> {
    let scene = &*scene()?;
    let token = scene.token("agent")?;
    a_request(scene, &token, 200)?;
    scene.alice.run(&["jail", AGENT, "--within", "5s", "--yes"])?;
    a_request(scene, &token, 500)?;
    scene.alice.run(&["undo", "last", "--yes"])?;
    let offender = Client {
        who: Who::Token(token.clone()),
        path: "/api/v1/namespaces?limit=500",
        pause: Duration::from_millis(5),
    };
    let offender = scene.asks(&offender)?;
    from_the_rename(scene, &offender, rounds)?;
    beside_kubectl(scene, &offender, rounds)?;
    offender.answered(200)?;
    drop(offender);
    scene.plane.kubectl(User::Masters)?.run(&["delete", "clusterrolebinding", "agent"])?.ok()?;
    std::thread::sleep(Duration::from_secs(2));
    a_request(scene, &token, 403)
}

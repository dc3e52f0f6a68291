//! The figures on a server that has nothing else to do.

use std::process::Command;

use anyhow::Result;
use testbed::{API_PORT, Lab, Meter};

use crate::Asked;
use crate::figures::{Sample, sample, table};
use crate::scene::{AGENT, PATCH, Scene, Way};

/// Rounds that count; one more comes before them and only warms up.
const ROUNDS: usize = 15;
/// Starts are short: this many rounds for each of the others.
const STARTS: usize = 5;

/// What a verb acts on is made anew before it.
type Made = fn(&Scene) -> Result<()>;
type Client = (&'static str, fn(&Scene) -> Result<Command>);

const BACKGROUND: &str = r#"{"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Background"}"#;
const MERGE: &str = "application/strategic-merge-patch+json";

/// The barest client first: the others are told as multiples of it.
const DELETE: [Client; 8] = [
    ("curl", |scene| Ok(scene.curl("DELETE", Some(("application/json", BACKGROUND))))),
    ("breakglass delete --no-save", |scene| Ok(scene.breakglass(Way::Direct, "delete", &["--no-save"]))),
    ("breakglass delete", |scene| Ok(scene.breakglass(Way::Direct, "delete", &[]))),
    ("breakglass delete, through SSH", |scene| Ok(scene.breakglass(Way::Ssh, "delete", &[]))),
    ("kubectl delete --raw", |scene| scene.warm(&["delete", "--raw", AGENT])),
    ("kubectl delete --wait=false, warm", |scene| scene.warm(&["delete", "ds", "agent", "--wait=false"])),
    ("kubectl delete --wait=false, cold", |scene| scene.cold(&["delete", "ds", "agent", "--wait=false"])),
    ("kubectl delete, cold", |scene| scene.cold(&["delete", "ds", "agent"])),
];

const PARK: [Client; 5] = [
    ("curl (PATCH)", |scene| Ok(scene.curl("PATCH", Some((MERGE, PATCH))))),
    ("breakglass park", |scene| Ok(scene.breakglass(Way::Direct, "park", &[]))),
    ("breakglass park, through SSH", |scene| Ok(scene.breakglass(Way::Ssh, "park", &[]))),
    ("kubectl patch, warm", |scene| scene.warm(&["patch", "ds", "agent", "-p", PATCH])),
    ("kubectl patch, cold", |scene| scene.cold(&["patch", "ds", "agent", "-p", PATCH])),
];

const ROLLBACK: [Client; 4] = [
    ("breakglass rollback", |scene| Ok(scene.breakglass(Way::Direct, "rollback", &[]))),
    ("breakglass rollback, through SSH", |scene| Ok(scene.breakglass(Way::Ssh, "rollback", &[]))),
    ("kubectl rollout undo, warm", |scene| scene.warm(&["rollout", "undo", "ds/agent"])),
    ("kubectl rollout undo, cold", |scene| scene.cold(&["rollout", "undo", "ds/agent"])),
];

pub(crate) fn run(asked: &Asked) -> Result<()> {
    let rounds = asked.rounds.unwrap_or(ROUNDS);
    starts(asked, rounds * STARTS)?;
    let scene = Scene::start(&asked.program)?;
    println!("\nrequests by the audit log, connections and bytes of IP packets by the kernel's counters");
    let verbs: [(&str, &[Client], Made); 3] = [
        ("delete one DaemonSet", &DELETE, Scene::make_agent),
        ("park one DaemonSet", &PARK, Scene::make_agent),
        ("roll one DaemonSet of three revisions back", &ROLLBACK, Scene::make_revisions),
    ];
    for (_, clients, make) in verbs {
        for (name, client) in clients {
            make(&scene)?;
            println!("{name:34} {}", price(&scene, *client)?);
        }
    }
    for (title, clients, make) in verbs {
        let mut all: Vec<(&str, Vec<Sample>)> = clients.iter().map(|(name, _)| (*name, Vec::new())).collect();
        for round in 0..=rounds {
            for ((_, client), (_, samples)) in clients.iter().zip(&mut all) {
                make(&scene)?;
                let one = sample(&mut client(&scene)?)?;
                if round > 0 {
                    samples.push(one);
                }
            }
        }
        table(&format!("{title}, idle server, {rounds} rounds"), &all);
    }
    println!("\nat the end: {}", crate::figures::machine()?);
    Ok(())
}

/// What one command asks of the server.
fn price(scene: &Scene, client: fn(&Scene) -> Result<Command>) -> Result<String> {
    let audit = scene.plane.servers()[0].audit();
    let mut command = client(scene)?;
    let address = scene.host.ip4();
    let meter = Meter::start(Lab::shared()?, &[(address, API_PORT).into(), (address, 22).into()])?;
    let mark = audit.mark()?;
    sample(&mut command)?;
    let requests = audit.by("alice", mark)?;
    let traffic = meter.read()?;
    let sum = |part: fn(&testbed::Traffic) -> u64| traffic.iter().map(part).sum::<u64>();
    let verbs: Vec<_> = requests.iter().map(|one| one.verb.as_str()).collect();
    Ok(format!(
        "{} requests, {} connections, {:6} bytes sent, {:6} received   {}",
        requests.len(),
        sum(|one| one.connections),
        sum(|one| one.sent),
        sum(|one| one.received),
        verbs.join(" ")
    ))
}

/// How long it takes to say a version, against a program that does nothing.
fn starts(asked: &Asked, rounds: usize) -> Result<()> {
    let commands = || {
        let mut all = ["/bin/true", "curl"].map(Command::new);
        all[1].arg("--version");
        let mut ours = Command::new(&asked.program);
        ours.arg("--version");
        all.into_iter().chain([ours])
    };
    let mut all = ["/bin/true", "curl --version", "breakglass --version"].map(|name| (name, Vec::new()));
    for round in 0..=rounds {
        for (mut command, (_, samples)) in commands().zip(&mut all) {
            let one = sample(&mut command)?;
            if round > 0 {
                samples.push(one);
            }
        }
    }
    table(&format!("start and end, {rounds} rounds"), &all);
    Ok(())
}

//! From the command to "proved closed", on one host and on many: the program, and a prepared script of ssh, nft and ss.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use testbed::{API_PORT, Host, Lab, OPERATOR_IP4, Probe, unknown_authority};

use crate::figures::{Sample, machine, sample, table};

const MANY: usize = 50;
/// Hosts of one cluster.
const PLANE: usize = 5;
/// Clients that hold a connection to each host, to be cut.
const CLIENTS: usize = 4;
const LIMIT: Duration = Duration::from_secs(10);
const SCRIPT: &str = include_str!("close.sh");

pub(crate) fn run(program: &Path, rounds: usize) -> Result<()> {
    let lab = Lab::shared()?;
    let hosts = lab.hosts((0..MANY).map(|n| format!("cp{n}")))?;
    hosts.iter().try_for_each(listen)?;
    let client = lab.host("client")?;
    for hosts in [&hosts[..1], &hosts] {
        let field = Field::new(program, hosts, &client)?;
        let peers: [(&str, fn(&Field) -> Command); 2] = [
            ("close.sh: xargs -P, ssh, nft, ss", |field| field.script()),
            ("breakglass gate close", |field| field.breakglass()),
        ];
        let mut all = peers.map(|(name, _)| (name, Vec::<Sample>::new()));
        for round in 0..=rounds {
            // Whoever goes first in one round goes last in the next; the first round only warms up.
            for turn in 0..peers.len() {
                let at = (turn + round) % peers.len();
                let one = field.closed(&mut peers[at].1(&field))?;
                if round > 0 {
                    all[at].1.push(one);
                }
            }
        }
        table(&format!("from the command to proved closed, {} hosts, {rounds} rounds", hosts.len()), &all);
    }
    println!("\nat the end: {}", machine()?);
    Ok(())
}

/// Hosts, a client that is connected to all of them, and what either peer needs.
struct Field<'a> {
    program: &'a Path,
    hosts: &'a [Host],
    client: &'a Host,
    folder: TempDir,
}

impl<'a> Field<'a> {
    fn new(program: &'a Path, hosts: &'a [Host], client: &'a Host) -> Result<Self> {
        let field = Self { program, hosts, client, folder: TempDir::new()? };
        let kit = field.folder.path().join("kit");
        fs::create_dir_all(&kit)?;
        for (number, plane) in hosts.chunks(PLANE).enumerate() {
            fs::write(kit.join(format!("c{number}.yaml")), cluster(&format!("c{number}"), plane)?)?;
        }
        fs::write(field.file("rules"), rules())?;
        fs::write(field.file("close.sh"), SCRIPT)?;
        Ok(field)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn script(&self) -> Command {
        let mut command = Command::new("sh");
        command.arg(self.file("close.sh")).arg(Lab::shared().map_or(Path::new(""), Lab::ssh_config));
        command.arg(self.file("rules")).arg(OPERATOR_IP4.to_string()).args(self.hosts.iter().map(Host::name));
        command.stdin(Stdio::null());
        command
    }

    fn breakglass(&self) -> Command {
        let mut command = crate::program(self.program, self.folder.path());
        command.args(["gate", "close", "--cluster", "all", "--yes", "--no-canary", "--fanout", "64"]);
        command.args(["--port", &API_PORT.to_string(), "--reason", "a benchmark"]);
        command
    }

    /// Runs it while clients are connected, looks from a client's side whether it is true, and opens everything again.
    fn closed(&self, command: &mut Command) -> Result<Sample> {
        let at = |host: &Host| SocketAddr::from((host.ip4(), API_PORT));
        let streams = self.client.in_network(|| {
            let all = self.hosts.iter().flat_map(|host| std::iter::repeat_n(at(host), CLIENTS));
            Ok(all.map(TcpStream::connect).collect::<Result<Vec<_>, _>>()?)
        })?;
        let one = sample(command)?;
        for host in self.hosts {
            let met = self.client.probe(host.ip4(), API_PORT, LIMIT)?;
            ensure!(met == Probe::Refused, "{}: a client meets {met:?} after {command:?}", host.name());
            let left = host.sh(&format!("ss -Htn 'sport = :{API_PORT} and not dst {OPERATOR_IP4}' | wc -l"))?.ok()?;
            ensure!(left == "0", "{}: {left} connections were not cut by {command:?}", host.name());
            host.sh("nft flush ruleset")?.ok()?;
        }
        drop(streams);
        Ok(one)
    }
}

/// A cluster whose API servers are not asked, because here only listens something in their place.
fn cluster(name: &str, hosts: &[Host]) -> Result<String> {
    let lab = Lab::shared()?;
    let (key, known) = (lab.identity().key().display(), lab.known_hosts().display());
    let first = hosts.first().context("a cluster without hosts")?;
    let mut text = format!(
        "apiVersion: breakglass/v1\nkind: Cluster\nmetadata: {{name: {name}}}\nspec:\n{}  \
         ssh: {{user: root, identities: [{key}], agent: none, knownHosts: [{known}]}}\n  \
         apiServers:\n    - {{name: balancer, address: '{}:{API_PORT}'}}\n  hosts:\n",
        unknown_authority()?,
        first.ip4()
    );
    for host in hosts {
        let _ = writeln!(text, "    - {{name: {}, address: {}, roles: [control-plane]}}", host.name(), host.ip4());
    }
    Ok(text)
}

/// The script's: they end by themselves unless confirmed, and leave the operator and the host itself alone.
pub(crate) fn rules() -> String {
    format!(
        "table inet byhand {{\nset armed {{ type inet_service; flags timeout; elements = {{ {API_PORT} timeout 30s }} }}\n\
         chain input {{\ntype filter hook input priority -10\niif lo accept\nip saddr {OPERATOR_IP4} accept\n\
         tcp dport @armed reject with tcp reset\n}}\n}}\n"
    )
}

/// Something that listens where an API server would, and holds its connections.
fn listen(host: &Host) -> Result<()> {
    let listener = host.in_network(|| Ok(TcpListener::bind((Ipv6Addr::UNSPECIFIED, API_PORT))?))?;
    thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming().flatten() {
            open.push(stream);
        }
    });
    Ok(())
}

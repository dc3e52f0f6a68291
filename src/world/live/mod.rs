//! Real API servers, real hosts.

mod api;
mod host;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::{KubeAnswer, KubeRead, ReadError, ReadErrorKind, Reads, ScriptOutput, Way, World, Writes, recovery_name};
use crate::change::{HttpCall, LocalCommand, Op, Outcome, Part, Target};
use crate::cost::{Cost, Costs};
use crate::kit::held::Entrance;
use crate::kit::{ApiServer, Cluster};
use crate::link::api::{Api, Recovery};
use crate::link::dial::{Dial, Direct};
use crate::link::hosts::{Hosts, Library};
use crate::link::{hook, local};
use crate::script::Script;
use crate::words;

pub use crate::link::api::Tell;

/// What a live world is told about the run it serves.
#[derive(Clone, Default)]
pub struct Options {
    /// The run's id; it stands in every request's `User-Agent`, so that it is found in the audit log.
    pub run: String,
    /// Hears one sentence per attempt, as it ends.
    pub tell: Option<Tell>,
}

/// The links of one cluster.
struct Links {
    cluster: Arc<Cluster>,
    api: Api,
    hosts: Arc<Hosts>,
}

/// Real API servers and hosts. Making one reads nothing and contacts nothing; connections are opened when they are
/// needed, and kept for the run.
pub struct Live {
    clusters: BTreeMap<String, Links>,
}

impl Live {
    /// The world of these clusters.
    pub fn new(clusters: impl IntoIterator<Item = Cluster>, options: &Options) -> Self {
        let user_agent: Arc<str> = format!("breakglass/{} (run {})", env!("CARGO_PKG_VERSION"), options.run).into();
        let library = Arc::new(Library::default());
        let links = |cluster: Cluster| {
            let cluster = Arc::new(cluster);
            let hosts = Arc::new(Hosts::new(Arc::clone(&cluster), Arc::clone(&library)));
            let way = |server: &ApiServer| -> Arc<dyn Dial> {
                match &server.via {
                    Some(host) => hosts.way(host, server.address),
                    None => Arc::new(Direct(server.address)),
                }
            };
            let api = Api::new(&cluster, way, &user_agent, options.tell.clone());
            (cluster.name.clone(), Links { cluster, api, hosts })
        };
        Self { clusters: clusters.into_iter().map(links).collect() }
    }
}

impl Reads for Live {
    fn cluster(&self, name: &str) -> Option<&Cluster> {
        self.clusters.get(name).map(|links| &*links.cluster)
    }

    fn kube<'a>(&'a self, target: &'a Target, read: &'a KubeRead) -> BoxFuture<'a, Result<KubeAnswer, ReadError>> {
        async move {
            match self.clusters.get(&target.cluster) {
                Some(links) => links.read(target, read, false).await,
                None => Err(no_route(format!("the kit has no cluster {:?}", target.cluster))),
            }
        }
        .boxed()
    }

    fn kube_anonymous<'a>(
        &'a self,
        target: &'a Target,
        read: &'a KubeRead,
    ) -> BoxFuture<'a, Result<KubeAnswer, ReadError>> {
        async move {
            match self.clusters.get(&target.cluster) {
                Some(links) => links.read(target, read, true).await,
                None => Err(no_route(format!("the kit has no cluster {:?}", target.cluster))),
            }
        }
        .boxed()
    }

    fn script<'a>(
        &'a self,
        target: &'a Target,
        script: &'a Script,
        limit: Duration,
    ) -> BoxFuture<'a, Result<ScriptOutput, ReadError>> {
        async move {
            match (self.clusters.get(&target.cluster), &target.part) {
                (Some(links), Part::Host(host)) => links.look(host, script, limit).await,
                _ => Err(no_route(format!("{target} is not a host of the kit"))),
            }
        }
        .boxed()
    }

    fn host_key<'a>(&'a self, target: &'a Target, limit: Duration) -> BoxFuture<'a, Result<Option<String>, ReadError>> {
        async move {
            match (self.clusters.get(&target.cluster), &target.part) {
                (Some(links), Part::Host(host)) => links.host_key(host, limit).await.map(Some),
                _ => Ok(None),
            }
        }
        .boxed()
    }

    fn connect(&self, address: SocketAddr, limit: Duration) -> BoxFuture<'_, Result<Duration, ReadError>> {
        async move {
            let began = Instant::now();
            let result = timeout(limit, TcpStream::connect(address)).await;
            let took = began.elapsed();
            let (kind, why) = match result {
                Ok(Ok(_)) => return Ok(took),
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    (ReadErrorKind::NoRoute, "connection refused".to_owned())
                }
                Ok(Err(error)) => (ReadErrorKind::NoRoute, error.to_string()),
                Err(_) => (ReadErrorKind::TimedOut, "no answer".to_owned()),
            };
            let tried = vec![format!("{address}: {why} (after {:.1} s)", took.as_secs_f64())];
            let hint = Some(format!("nc -vz -w 5 {} {}", address.ip(), address.port()));
            Err(ReadError { kind, tried, hint })
        }
        .boxed()
    }

    fn source_towards(&self, to: SocketAddr) -> Option<IpAddr> {
        let any: IpAddr = if to.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        // A datagram socket that is connected sends nothing: the kernel only looks its route up.
        let socket = std::net::UdpSocket::bind((any, 0)).ok()?;
        socket.connect(to).ok()?;
        Some(socket.local_addr().ok()?.ip())
    }

    fn learn(&self, cluster: &str, way: Way) {
        let Some(links) = self.clusters.get(cluster) else { return };
        match way {
            Way::Recovery { host, port, trust, own } => {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                let dial = links.hosts.way(&host, address);
                let name = recovery_name(&host);
                let facts = ApiServer { name, address, via: Some(host.clone()), host: Some(host) };
                links.api.join(Recovery { facts, trust, own }, dial);
            }
            Way::NoRecovery { host } => links.api.part(&recovery_name(&host)),
            Way::Credential(won) => links.api.known_by(won),
        }
    }

    fn known_by(&self, cluster: &str) -> Option<String> {
        self.clusters.get(cluster)?.api.won()
    }

    fn entrance(&self, cluster: &str) -> Option<Entrance> {
        self.clusters.get(cluster)?.api.entrance()
    }

    fn recoveries(&self, cluster: &str) -> Vec<String> {
        let all = self.clusters.get(cluster).map(|links| links.api.recoveries()).unwrap_or_default();
        all.into_iter().filter_map(|server| server.host).collect()
    }
}

impl Writes for Live {
    fn perform<'a>(&'a self, target: &'a Target, op: &'a Op, limit: Duration) -> BoxFuture<'a, Outcome> {
        async move {
            let links = self.clusters.get(&target.cluster);
            match (op, links, &target.part) {
                (Op::Kube(call), Some(links), _) => links.write(target, call, limit).await,
                (Op::Host(command), Some(links), Part::Host(host)) => links.command(host, command, limit).await,
                (Op::File(put), Some(links), Part::Host(host)) => links.put(host, put, limit).await,
                (Op::Http(call), ..) => hook(call, limit).await,
                (Op::Local(command), ..) => local(command, limit).await,
                _ => Outcome::Failed(format!("not sent: the kit has no {target} to do this on")),
            }
        }
        .boxed()
    }
}

impl World for Live {
    /// See [`crate::link::api`] and [`crate::link::ssh::Output`] for what is counted.
    fn costs(&self) -> Costs {
        self.clusters.iter().flat_map(|(cluster, links)| spent(cluster, links)).collect()
    }

    fn costs_on(&self, cluster: &str) -> Costs {
        self.clusters.get(cluster).into_iter().flat_map(|links| spent(cluster, links)).collect()
    }

    fn cost_of(&self, target: &Target) -> Cost {
        let Some(links) = self.clusters.get(&target.cluster) else { return Cost::default() };
        let cost = match &target.part {
            Part::ApiServer(name) => links.api.costs().remove(name),
            Part::Host(name) => links.hosts.costs().remove(name),
            Part::Cluster | Part::Local => None,
        };
        cost.unwrap_or_default()
    }

    fn rest(&self, cluster: &str) {
        if let Some(links) = self.clusters.get(cluster) {
            links.api.rest();
            links.hosts.rest();
        }
    }
}

/// What was spent on each API server and host of a cluster.
fn spent(cluster: &str, links: &Links) -> Vec<(Target, Cost)> {
    let servers = links.api.costs().into_iter().map(|(name, cost)| (Target::api_server(cluster, name), cost));
    let hosts = links.hosts.costs().into_iter().map(|(name, cost)| (Target::host(cluster, name), cost));
    servers.chain(hosts).collect()
}

fn no_route(why: String) -> ReadError {
    ReadError { kind: ReadErrorKind::NoRoute, tried: vec![why], hint: Some("breakglass probe".into()) }
}

/// One line of at most `chars` characters.
fn one_line(text: &str, chars: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Of a command that ended badly: only its author knows what it does before that.
fn half(why: &str) -> Outcome {
    Outcome::Unknown(format!("{why}; what it did before that is not known"))
}

/// What is told of a command whose output is kept nowhere.
fn amount(status: i32, stdout: usize, stderr: usize) -> String {
    let streams = [(stdout, "standard output"), (stderr, "standard error")];
    let printed: String = streams
        .iter()
        .filter(|(bytes, _)| *bytes > 0)
        .map(|(bytes, stream)| format!(", {} on {stream}", words::bytes(u64::try_from(*bytes).unwrap_or(u64::MAX))))
        .collect();
    let kept = if printed.is_empty() { "" } else { "; not kept: it may hold secrets" };
    format!("exit status {status}{printed}{kept}")
}

async fn hook(call: &HttpCall, limit: Duration) -> Outcome {
    let Some(body) = call.body.bytes() else {
        return Outcome::Failed("not sent: the body kept beside the journal is not at hand".into());
    };
    let called = hook::call(hook::Call {
        method: call.method.as_str(),
        url: &call.url,
        dial: &call.dial,
        headers: &call.headers,
        secret_headers: &call.secret_headers,
        secret_path: call.secret_path.as_deref(),
        body,
        secret_body: call.secret_body.as_deref(),
        limit,
    });
    match called.await {
        Ok((code, length)) => {
            let good = if call.expect.is_empty() { (200..300).contains(&code) } else { call.expect.contains(&code) };
            let said = if length == 0 { code.to_string() } else { format!("{code}, {length} bytes") };
            match code {
                _ if good => Outcome::done(said),
                // A gateway that says so does not know what became of the call behind it.
                500.. => Outcome::Unknown(format!("the hook answered {said}")),
                _ => Outcome::Failed(format!("the hook answered {said}")),
            }
        }
        Err(hook::NoAnswer::NotSent(why)) => Outcome::Failed(format!("not sent: {why}")),
        Err(hook::NoAnswer::Lost(why)) => Outcome::Unknown(why),
    }
}

async fn local(command: &LocalCommand, limit: Duration) -> Outcome {
    match local::run(&command.argv, limit).await {
        local::Ran::Exited { status, stdout, stderr } if command.quiet => {
            let said = amount(status, stdout.len(), stderr.len());
            if status == 0 { Outcome::done(said) } else { half(&said) }
        }
        local::Ran::Exited { status: 0, stdout, .. } => Outcome::done(one_line(&stdout, 200)),
        local::Ran::Exited { status, stdout, stderr } => {
            let words = if stderr.trim().is_empty() { &stdout } else { &stderr };
            half(&format!("exit status {status}: {}", one_line(words, 300)))
        }
        local::Ran::Killed => Outcome::Unknown(format!("killed after {:.0} s", limit.as_secs_f64())),
        local::Ran::NotStarted(why) => Outcome::Failed(format!("not started: {why}")),
    }
}

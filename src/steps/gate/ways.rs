//! The run's own ways to an API server, as the kit has them: a gate that cuts one is not confirmed, and opens by itself.

use std::net::IpAddr;
use std::time::Duration;

use futures::future::join_all;

use crate::change::{Op, Target};
use crate::host::gate::Reply;
use crate::journal::ChangeRecord;
use crate::kit::{ApiServer, Cluster, Host};
use crate::steps::{Look, Sends};
use crate::world::{Accept, KubeRead};

/// What tells in the journal which ways were open when the gate was closed.
pub(in crate::steps) const WAYS: &str = "ways";
/// The longest that a connection may take. A reset is there within a round trip, or two when a packet is lost; who waits
/// longer for a drowning server's full queue only keeps the gate from being closed, or what was open before from being cut.
const CONNECTED: Duration = Duration::from_millis(1500);
/// The longest that a request through another host may take, its login included; and a connection where silence is the
/// gate's answer.
const ANSWERED: Duration = Duration::from_secs(5);

/// The API servers behind the gate of a host that the kit reaches by a way which meets that gate. What goes through SSH
/// to the host itself arrives over its loopback device, which no gate looks at.
fn met<'a>(host: &'a Host, cluster: &'a Cluster) -> impl Iterator<Item = &'a ApiServer> {
    cluster.api_servers.iter().filter(|server| {
        let here = server.host.as_deref() == Some(host.name.as_str()) || server.address.ip() == host.address;
        here && server.via.as_deref() != Some(host.name.as_str()) && !server.address.ip().is_loopback()
    })
}

/// What is sent to try them.
pub(in crate::steps) fn announced(host: &Host, cluster: &Cluster) -> Vec<Sends> {
    let one = |server: &ApiServer| match server.via {
        None => Sends::Connect(server.address),
        Some(_) => Sends::Get("/livez".into()),
    };
    met(host, cluster).map(one).collect()
}

/// How a way is.
enum Way {
    Open,
    Refused(String),
    Slow,
}

/// A TCP connection is enough where nothing stands between: a gate refuses its very first packet, and a drowning server
/// still takes it. From another host it takes a request to see.
async fn attempt(look: Look<'_>, server: &ApiServer, answer: Reply) -> Way {
    let began = tokio::time::Instant::now();
    let limit = if server.via.is_none() && answer == Reply::Reset { CONNECTED } else { ANSWERED };
    let met = if server.via.is_none() {
        look.reads.connect(server.address, limit).await.map(|_| ())
    } else {
        let read = KubeRead { path: "/livez".into(), accept: Accept::Text, limit };
        look.reads.kube(&Target::api_server(&look.target.cluster, &server.name), &read).await.map(|_| ())
    };
    match met {
        Ok(()) => Way::Open,
        // What a gate refuses is refused sooner; what takes longer is slow for another reason.
        Err(error) if began.elapsed() < limit * 4 / 5 => Way::Refused(error.to_string()),
        Err(_) => Way::Slow,
    }
}

/// The names of the API servers whose way is open now, before the gate is closed.
pub(in crate::steps) async fn open(look: Look<'_>, cluster: &Cluster, host: &Host) -> Vec<String> {
    let tries = met(host, cluster).map(async |server| match attempt(look, server, Reply::Reset).await {
        Way::Open => Some(server.name.clone()),
        Way::Refused(_) | Way::Slow => None,
    });
    join_all(tries).await.into_iter().flatten().collect()
}

/// The ways that were open when the gate was closed, by the change that closed it.
pub(in crate::steps) fn noted(close: &ChangeRecord) -> Vec<String> {
    let Op::Host(command) = &close.change.op else { return Vec::new() };
    let ways = command.script.args.iter().find(|(key, _)| key == WAYS);
    ways.map(|(_, names)| names.split_whitespace().map(str::to_owned).collect()).unwrap_or_default()
}

/// A way that was open and is cut now.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::steps) struct Shut {
    /// What was seen, as a sentence.
    pub(in crate::steps) why: String,
    /// The address to let through, where it can be told.
    pub(in crate::steps) allow: Option<IpAddr>,
}

/// Of the ways that were open, the first that the gate cuts.
pub(in crate::steps) async fn shut(
    look: Look<'_>,
    cluster: &Cluster,
    host: &Host,
    names: &[String],
    answer: Reply,
) -> Option<Shut> {
    for server in met(host, cluster).filter(|server| names.contains(&server.name)) {
        let mut way = attempt(look, server, answer).await;
        if matches!(way, Way::Refused(_)) || answer == Reply::Silence && matches!(way, Way::Slow) {
            // A connection that was kept from before may just have been cut, and one packet may be lost.
            way = attempt(look, server, answer).await;
        }
        let why = match (way, answer) {
            (Way::Open, _) | (Way::Slow, Reply::Reset) => continue,
            (Way::Slow, Reply::Silence) => format!("nothing within {} s", ANSWERED.as_secs()),
            (Way::Refused(why), _) => why,
        };
        let from = match &server.via {
            Some(via) => cluster.host(via).map(|via| via.address),
            None => look.reads.source_towards(server.address),
        };
        return Some(Shut {
            why: format!("{} at {} was reached before it was closed, and now: {why}", server.name, server.address),
            allow: from,
        });
    }
    None
}

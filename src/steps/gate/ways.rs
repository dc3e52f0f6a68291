//! The run's own ways to an API server, as the kit has them: a gate that cuts one is not confirmed, and opens by itself.

use std::net::IpAddr;
use std::time::Duration;

use futures::future::join_all;

use super::LOOK_LIMIT;
use crate::change::Target;
use crate::host::gate::{self, Reply};
use crate::kit::{ApiServer, Cluster, Host};
use crate::steps::{Look, Sends};
use crate::world::{Accept, KubeRead};

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

/// A way that was open and is cut now.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::steps) struct Shut {
    /// What was seen, as a sentence.
    pub(in crate::steps) why: String,
    /// The address to let through, where it can be told.
    pub(in crate::steps) allow: Option<IpAddr>,
}

/// What trying the ways again came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::steps) struct Tried {
    /// The first that the gate cuts.
    pub(in crate::steps) shut: Option<Shut>,
    /// A sentence for each that could not be tried, because its API server is away.
    pub(in crate::steps) away: Vec<String>,
}

/// Tries the ways that were open before the gate was closed, until one is found that the gate cuts.
///
/// A connection that is refused says something about the gate only while somebody listens behind it: a server that was
/// killed for its memory refuses, too. So the host is asked, before and after a second try.
pub(in crate::steps) async fn again(
    look: Look<'_>,
    cluster: &Cluster,
    host: &Host,
    names: &[String],
    answer: Reply,
) -> Tried {
    let mut tried = Tried::default();
    for server in met(host, cluster).filter(|server| names.contains(&server.name)) {
        let first = attempt(look, server, answer).await;
        if refusal(&first, answer).is_none() {
            continue;
        }
        let before = listens(look, server).await;
        // A connection that was kept from before may just have been cut, and one packet may be lost.
        let second = attempt(look, server, answer).await;
        let Some(why) = refusal(&second, answer) else { continue };
        let (name, address) = (&server.name, server.address);
        if !(before && listens(look, server).await) {
            let what = "was reached before the gate was closed, and nobody listens there now";
            tried.away.push(format!(
                "{name} at {address} {what}: whether the gate lets this run through is not known ({why})"
            ));
            continue;
        }
        let from = match &server.via {
            Some(via) => cluster.host(via).map(|via| via.address),
            None => look.reads.source_towards(address),
        };
        tried.shut = Some(Shut {
            why: format!(
                "{name} at {address} was reached before it was closed, somebody listens there, and now: {why}"
            ),
            allow: from,
        });
        break;
    }
    tried
}

/// Why an attempt looks as if the gate had cut it.
fn refusal(way: &Way, answer: Reply) -> Option<String> {
    match (way, answer) {
        (Way::Open, _) | (Way::Slow, Reply::Reset) => None,
        (Way::Slow, Reply::Silence) => Some(format!("nothing within {} s", ANSWERED.as_secs())),
        (Way::Refused(why), _) => Some(why.clone()),
    }
}

/// Whether somebody listens on the API server's port, by its host's own word; a host that does not say leaves it at that.
async fn listens(look: Look<'_>, server: &ApiServer) -> bool {
    let state = look.reads.ask(look.target, &gate::status(), LOOK_LIMIT).await.ok().flatten();
    let listening = state.and_then(|state| state.listening);
    listening.is_none_or(|ports| ports.contains(&server.address.port()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Seat, gate_on};
    use super::*;
    use crate::steps::History;

    /// The ways of cp1 tried again, when so many connections are refused and this is who listens on the host.
    async fn tried(refused: usize, listening: &'static [u16]) -> Tried {
        let cp1 = Seat::at("cp1", History::default());
        cp1.fake.on_script(gate_on("cp1", 0, listening, 0));
        cp1.fake.refuse_connections(refused);
        again(cp1.look(), cp1.cluster(), cp1.host(), &["api1".into()], Reply::Reset).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_the_gate_s_only_while_somebody_listens_behind_it() {
        let cut = tried(2, &[22, 6443]).await;
        assert!(cut.shut.is_some_and(|shut| shut.why.contains("somebody listens there")) && cut.away.is_empty());
        let away = tried(2, &[22]).await;
        assert!(away.shut.is_none() && away.away[0].contains("nobody listens there now"), "{away:?}");
        // One packet that was lost.
        assert_eq!(tried(1, &[22, 6443]).await, Tried::default());
        assert_eq!(tried(0, &[22]).await, Tried::default());
    }
}

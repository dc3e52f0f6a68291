//! What shows that a gate is closed, and to whom it is not.

use std::net::SocketAddr;
use std::time::Duration;

use super::LOOK_LIMIT;
use crate::change::Target;
use crate::finding::Finding;
use crate::host::gate::{self, BackEnd, GateSpec, Knock, Side};
use crate::kit::{ApiServer, Cluster, Host};
use crate::steps::{Look, StepError};
use crate::words;
use crate::world::{Accept, KubeRead};

/// The longest that the API's own answer is waited for. A server that has just been given room may need ten seconds for
/// its first, and the next step's request is better off in its queue than this question.
const API_LIMIT: Duration = Duration::from_secs(1);

/// Tries a port from another host. One that gets in although it should not ends the step: the gate does not bite.
pub(in crate::steps) async fn knock(
    look: Look<'_>,
    cluster: &Cluster,
    from: &str,
    to: SocketAddr,
    spec: &GateSpec,
) -> Result<String, StepError> {
    let vantage = Target::host(&look.target.cluster, from);
    let met = look.reads.ask(&vantage, &gate::knock(to), LOOK_LIMIT).await;
    let met = met.unwrap_or_else(|error| Knock::NotKnown(error.to_string()));
    let listed = cluster.host(from).is_some_and(|host| spec.allow.iter().any(|a| a.net.contains(host.address)));
    match (met, listed) {
        (Knock::Open, false) => Err(StepError::Refused {
            why: format!(
                "{}: the gate stands, and {from} still connects to {to}: something goes round it",
                look.target
            ),
            hint: Some(format!(
                "breakglass gate status --targets {}; look for a balancer on the host",
                look.target.short()
            )),
        }),
        (Knock::Open, true) => Ok(format!("from {from}, which is let through: {to} answers")),
        (Knock::Refused, false) => Ok(format!("from {from}: {to} is refused")),
        (Knock::Silent, false) => Ok(format!("from {from}: {to} is silent")),
        (Knock::Refused | Knock::Silent, true) => {
            Ok(format!("from {from}, which is let through, {to} does not answer: something else refuses it"))
        }
        (Knock::NotKnown(why), _) => Ok(format!("not proved from {from}: {why}")),
    }
}

/// The API server's own answer, over the operator's route.
pub(in crate::steps) async fn let_through(look: Look<'_>, cluster: &Cluster) -> Option<Finding> {
    let server = server_on(look.target, cluster)?;
    let target = Target::api_server(&cluster.name, &server.name);
    let read = KubeRead { path: "/livez".into(), accept: Accept::Text, limit: API_LIMIT };
    Some(match look.reads.kube(&target, &read).await {
        Ok(answer) => Finding::GetsThrough {
            server: server.name.clone(),
            code: answer.code,
            took_ms: words::as_millis(answer.took),
        },
        Err(error) => format!("the operator does not get an answer of {} yet: {error}", server.name).into(),
    })
}

fn server_on<'a>(target: &Target, cluster: &'a Cluster) -> Option<&'a ApiServer> {
    cluster.api_servers.iter().find(|server| server.host.as_deref() == Some(target.short()))
}

/// Where a client would find the API server of a host.
pub(in crate::steps) fn knocked(host: &Host, cluster: &Cluster, spec: &GateSpec) -> Vec<SocketAddr> {
    match &spec.side {
        Side::Server { ports } => ports.iter().map(|port| SocketAddr::new(host.address, *port)).collect(),
        // From a node, or a pod's host: the API servers themselves.
        Side::Client { .. } => super::wish::endpoints(cluster),
    }
}

/// What an operator has to know about the host.
pub(in crate::steps) fn notes(
    seen: &gate::Survey,
    spec: &GateSpec,
    back_end: BackEnd,
    cluster: &Cluster,
) -> Vec<String> {
    let mut notes: Vec<String> = seen
        .managers
        .iter()
        .map(|manager| format!("{} is here: {}", manager.name(), back_end.beside(*manager)))
        .collect();
    if !seen.posing.is_empty() {
        notes.push(format!(
            "{} here: neither root's nor a static pod's nor its unit's, so its ports and peers do not count",
            seen.posing.join(", ")
        ));
    }
    for balancer in seen.balancers() {
        let name = balancer.process.as_deref().unwrap_or("a balancer");
        notes.push(format!(
            "{name} listens on port {} here: its clients come from this host, which is let through; gate that port too, \
             in the same gate-close (--port {0} beside the API's)",
            balancer.port
        ));
    }
    if let Some(hole) = gate::v6_hole(spec, seen, back_end) {
        notes.push(format!("NOT CLOSED: {hole}"));
    }
    if let Side::Server { ports } = &spec.side {
        let away = ports.iter().filter(|port| !seen.listens(**port));
        notes.extend(away.map(|port| {
            format!("nothing listens on port {port} here just now: it is closed before its API server's next start")
        }));
    }
    notes.extend(elsewhere(cluster, spec));
    if seen.can_destroy == Some(false) {
        notes.push(
            "this kernel does not let sockets be closed from outside; the gate resets each as the server next sends"
                .into(),
        );
    }
    notes
}

/// API servers of the kit whose address is no host's: behind a balancer, one refused client is all of them.
fn elsewhere(cluster: &Cluster, spec: &GateSpec) -> Option<String> {
    let stranger = |server: &&ApiServer| {
        let address = server.address.ip();
        !address.is_loopback()
            && server.via.is_none()
            && server.host.is_none()
            && cluster.hosts.iter().all(|host| host.address != address)
    };
    let server = cluster.api_servers.iter().find(stranger)?;
    matches!(spec.side, Side::Server { .. }).then(|| {
        format!(
            "{} at {} is no host of the kit: if that is a balancer, this run's requests through it are refused with its \
             other clients'; give the kit a way through SSH (via)",
            server.name, server.address
        )
    })
}

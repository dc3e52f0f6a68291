//! The clusters of the kit.

use serde_json::{Value, json};

use crate::kit::check::Finding;
use crate::kit::{Cluster, Credential};
use crate::render::{VERSION, one_line, table};
use crate::words;

/// A cluster by its name alone.
pub(crate) fn name(name: &str) -> String {
    one_line(name)
}

/// The same.
pub(crate) fn name_json(name: &str) -> Value {
    json!({ "v": VERSION, "cluster": name })
}

/// A line for each.
pub(crate) fn text(all: &[Cluster]) -> String {
    let heading = ["CLUSTER", "API SERVERS", "HOSTS", "CREDENTIAL", "FILE"];
    table(&heading, &all.iter().map(row).collect::<Vec<_>>())
}

fn servers(cluster: &Cluster) -> Vec<String> {
    cluster.api_servers.iter().map(|server| server.name.clone()).collect()
}

fn hosts(cluster: &Cluster) -> Vec<String> {
    cluster.hosts.iter().map(|host| host.name.clone()).collect()
}

fn credential(cluster: &Cluster) -> &'static str {
    match cluster.credential {
        Credential::Certificate { .. } => "certificate",
        Credential::Token(_) => "token",
        Credential::Anonymous => "none",
    }
}

fn row(cluster: &Cluster) -> Vec<String> {
    let (servers, hosts) = (words::fold(&servers(cluster)), words::fold(&hosts(cluster)));
    let acting_as = cluster.acting_as.as_ref().map(|other| format!(", as {}", other.said())).unwrap_or_default();
    let who = format!("{}{acting_as}", credential(cluster));
    vec![cluster.name.clone(), servers, hosts, who, cluster.source.clone()]
}

/// One, and what there is to say of it.
pub(crate) fn json(cluster: &Cluster, findings: &[Finding]) -> Value {
    let mut value = json!({
        "v": VERSION,
        "cluster": cluster.name,
        "apiServers": servers(cluster),
        "hosts": hosts(cluster),
        "credential": credential(cluster),
        "file": cluster.source,
        "findings": findings,
    });
    if let Some(other) = &cluster.acting_as {
        value["as"] = other.user.clone().into();
    }
    value
}

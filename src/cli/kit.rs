//! `kit import|list|check`

use std::process::ExitCode;

use serde_json::json;

use super::{App, clusters, failure};
use crate::error::Failure;
use crate::kit::{self, Cluster, Credential};
use crate::render::{Output, VERSION, one_line, table};
use crate::words;

/// Look after the kit: what was prepared in peace.
#[derive(Debug, clap::Args)]
pub(super) struct Kit {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Import(super::kit_import::Import),
    /// List the clusters of the kit by name.
    List,
    /// Read every file of the kit and say everything that is wrong: addresses, certificates and their dates, keys.
    ///
    /// Contacts nothing. Without names, all clusters.
    Check {
        /// Clusters: names, `eu[1-3]`, `all`, `!name`.
        names: Vec<String>,
    },
}

impl Kit {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let folder = clusters::kit_dir(app);
        let refused = |all| failure::refused("the kit", all);
        match self.verb {
            Verb::Import(verb) => show(app, &verb.run(app, &folder)?),
            Verb::List => {
                let names = kit::load::names(&folder).map_err(|refusal| refused(vec![refusal]))?;
                if names.is_empty() {
                    app.screen.err(&format!("no cluster in {}", folder.display()));
                }
                for name in names {
                    app.screen.out(&match app.output {
                        Output::Json => json!({ "v": VERSION, "cluster": name }).to_string(),
                        Output::Text => one_line(&name),
                    });
                }
            }
            Verb::Check { names } => {
                let names = if names.is_empty() { vec!["all".to_owned()] } else { names };
                let found = kit::load::clusters(&folder, &names, app.process).map_err(refused)?;
                show(app, &found);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn show(app: &App, found: &[Cluster]) {
    match app.output {
        Output::Json => found.iter().for_each(|cluster| app.screen.out(&value(cluster).to_string())),
        Output::Text => {
            let heading = ["CLUSTER", "API SERVERS", "HOSTS", "CREDENTIAL", "FILE"];
            app.screen.out(&table(&heading, &found.iter().map(row).collect::<Vec<_>>()));
        }
    }
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
    vec![cluster.name.clone(), servers, hosts, credential(cluster).to_owned(), cluster.source.clone()]
}

fn value(cluster: &Cluster) -> serde_json::Value {
    json!({
        "v": VERSION,
        "cluster": cluster.name,
        "apiServers": servers(cluster),
        "hosts": hosts(cluster),
        "credential": credential(cluster),
        "file": cluster.source,
    })
}

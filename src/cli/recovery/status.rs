//! `recovery-apiserver status`

use std::process::ExitCode;
use std::time::Duration;

use crate::change::Target;
use crate::cli::common::hosts::Hosts;
use crate::cli::{App, drive};
use crate::error::{Class, Failure};
use crate::host::recovery::{self, Standing};
use crate::render::Output;
use crate::render::view;
use crate::world::{Accept, KubeRead, Reads as _, Way, recovery_name};

/// How long one may take to say what it was asked.
const LIMIT: Duration = Duration::from_secs(5);

/// What stands on each control-plane host: its port, whose it is, how long it is there yet, its memory and its requests
///
/// Asks the hosts over SSH; one that stands is asked itself how many requests it had.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Status {
    /// Only these hosts, by their names in the kit.
    #[arg(long, value_name = "NAMES")]
    targets: Option<String>,
}

impl Status {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        drive::block_on(async {
            let hosts = Hosts::chosen(app, self.targets.as_deref()).await?;
            let mut all = Vec::new();
            for (target, said) in hosts.ask(&recovery::status()).await {
                let requests = match &said {
                    Ok(standing) => requests(&hosts, &target, standing).await,
                    Err(_) => None,
                };
                all.push(view::recovery::Row { target, said, requests });
            }
            app.screen.out(&match app.output {
                Output::Json => all.iter().map(|row| format!("{}\n", view::recovery::json(row))).collect(),
                Output::Text => view::recovery::text(&all),
            });
            if all.iter().all(|row| row.said.is_err()) {
                return Err(Failure::new(Class::NoRoute, "no host could be asked")
                    .hint("one that stands ends by itself; breakglass probe looks for another way in"));
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// How many requests it has had, as it counts them itself.
async fn requests(hosts: &Hosts, target: &Target, standing: &Standing) -> Option<u64> {
    let one = standing.as_ref().filter(|one| one.listens)?;
    let (host, trust) = (target.short().to_owned(), one.trust.clone()?);
    let itself = Target::api_server(&target.cluster, recovery_name(&host));
    hosts.live.learn(&target.cluster, Way::Recovery { host, port: one.port, trust, own: None });
    let read = KubeRead { path: "/metrics".into(), accept: Accept::Text, limit: LIMIT };
    let answer = hosts.live.kube(&itself, &read).await.ok().filter(|answer| answer.code == 200)?;
    let counts = answer.text.lines().filter(|line| line.starts_with("apiserver_request_total{"));
    let count = |line: &str| line.rsplit_once(' ')?.1.parse::<f64>().ok();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let whole = |number: f64| number as u64;
    Some(counts.filter_map(count).map(whole).sum())
}

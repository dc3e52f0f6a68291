//! `top`

use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;
use futures::future::join_all;
use serde_json::{Map, Value};

use super::{App, clusters, drive};
use crate::duration::HumanDuration;
use crate::error::{Class, Failure};
use crate::finding::ranking::Ranking;
use crate::kit::Cluster;
use crate::render::Output;
use crate::render::view;
use crate::sandbox::Weather;
use crate::steps::find_offender::Params;
use crate::world::live::{Live, Options};

/// Looks come no faster than this: each reads logs on hosts that are short of processor time.
const FASTEST: Duration = Duration::from_secs(2);

/// Who loads the API servers: users, what they ask for, from where, and the workload behind them, with or without the API
///
/// Examples:
///   breakglass top --cluster prod
///   breakglass top --cluster prod --last 30s --watch
///   breakglass top --source audit --source log -o json          no API request at all
///
/// Read are the audit logs on the hosts, counted there; the requests that each API server holds (one GET of 12 to 50 KB each,
/// and nothing else asks the API); the API servers' own logs; open connections; and who tries at a gate that stands. What a source
/// cannot know is said. Changes nothing. Ends by Ctrl-C or after --for where it watches.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Top {
    /// Read only this; may be given several times.
    #[arg(long = "source", value_name = "SOURCE", value_enum)]
    sources: Vec<Source>,

    /// How far back logs are read, by the hosts' own clocks.
    #[arg(long, value_name = "TIME")]
    last: Option<HumanDuration>,

    /// The most of its newest logs that a host reads, in megabytes.
    #[arg(long, value_name = "MB")]
    most_mb: Option<u64>,

    /// The audit log on the hosts; without it, the one that the running kube-apiserver was told to write.
    #[arg(long, value_name = "PATH")]
    audit_log: Option<String>,

    /// The API server's own log on the hosts; without it, where the kubelet or journald keeps it.
    #[arg(long, value_name = "PATH")]
    server_log: Option<String>,

    /// How many clients are shown.
    #[arg(long, value_name = "N", default_value_t = 10)]
    rows: usize,

    /// Again and again.
    #[arg(long)]
    watch: bool,

    /// Between two looks.
    #[arg(long, value_name = "TIME", default_value = "5s", requires = "watch")]
    every: HumanDuration,

    /// End after this long.
    #[arg(long = "for", value_name = "TIME", requires = "watch")]
    length: Option<HumanDuration>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Source {
    Audit,
    Requests,
    Log,
    Sockets,
    Gate,
}

impl Top {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let look = Params::typed(self.params()).map_err(|faults| {
            let what = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            Failure::new(Class::Refused, what).hint("breakglass top --help")
        })?;
        drive::block_on(async {
            let chosen = clusters::choose_in(Weather::Storm, app).await?;
            let options = Options { run: crate::journal::new_id(app.process.clock.now()), tell: None };
            let live = Live::new(chosen.clusters.iter().cloned(), &options);
            tokio::select! {
                told = self.show(app, &live, &look, &chosen.clusters) => told,
                stopped = tokio::signal::ctrl_c() => match stopped {
                    Ok(()) => Ok(ExitCode::SUCCESS),
                    Err(error) => Err(Failure::from_error(Class::Bug, error)),
                },
            }
        })
    }

    /// As a runbook says it.
    fn params(&self) -> Value {
        let mut with = Map::new();
        if !self.sources.is_empty() {
            let names = self.sources.iter().filter_map(ValueEnum::to_possible_value);
            with.insert("sources".into(), names.map(|name| name.get_name().to_owned()).collect());
        }
        with.extend(self.last.map(|last| ("last".to_owned(), last.to_string().into())));
        with.extend(self.most_mb.map(|most| ("mostMb".to_owned(), most.into())));
        for (key, path) in [("auditLog", &self.audit_log), ("serverLog", &self.server_log)] {
            with.extend(path.as_deref().map(|path| (key.to_owned(), path.into())));
        }
        with.into()
    }

    /// Looks at all clusters at the same time, once or until the time is over.
    async fn show(&self, app: &App<'_>, live: &Live, look: &Params, clusters: &[Cluster]) -> Result<ExitCode, Failure> {
        let began = tokio::time::Instant::now();
        let mut ticks = tokio::time::interval(self.every.0.max(FASTEST));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let looks = clusters.iter().map(async |cluster| (cluster.name.clone(), look.rank(live, cluster).await));
            let all: Vec<(String, Ranking)> = join_all(looks).await;
            app.screen.out(&match app.output {
                Output::Json => {
                    all.iter().map(|(name, ranking)| format!("{}\n", view::top::json(name, ranking))).collect()
                }
                Output::Text => view::top::text(&all, self.rows),
            });
            let over = !self.watch || self.length.is_some_and(|length| began.elapsed() >= length.0);
            if over {
                let told = all.iter().any(|(_, ranking)| ranking.sources.iter().any(|told| !told.by.is_empty()));
                return if told { Ok(ExitCode::SUCCESS) } else { Err(nothing()) };
            }
        }
    }
}

fn nothing() -> Failure {
    Failure::new(Class::NoRoute, "no host and no API server told anything")
        .hint("breakglass probe looks for a way in; breakglass gate close makes room without knowing who it is")
}

//! `gate watch`

use std::process::ExitCode;
use std::time::Duration;

use crate::cli::common::hosts::Hosts;
use crate::cli::{App, drive};
use crate::duration::HumanDuration;
use crate::error::{Class, Failure};
use crate::host::gate;
use crate::render::Output;
use crate::render::view::gate_watch::Frame;

/// The second look comes this soon, or sooner.
const FIRST: Duration = Duration::from_secs(1);
/// Looks come no faster than this.
const FASTEST: Duration = Duration::from_millis(200);

/// Who hammers, live: attempts per second, per host and summed over all of them, without an API request
///
/// Ends by Ctrl-C or after --for.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Watch {
    /// Between two looks.
    #[arg(long, value_name = "TIME", default_value = "2s")]
    every: HumanDuration,

    /// End after this long.
    #[arg(long = "for", value_name = "TIME")]
    length: Option<HumanDuration>,

    /// How many sources are shown.
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,

    /// Only these hosts, by their names in the kit.
    #[arg(long, value_name = "NAMES")]
    targets: Option<String>,
}

impl Watch {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        drive::block_on(async {
            let hosts = Hosts::chosen(app, self.targets.as_deref()).await?;
            tokio::select! {
                () = self.show(app, &hosts) => Ok(ExitCode::SUCCESS),
                stopped = tokio::signal::ctrl_c() => match stopped {
                    Ok(()) => Ok(ExitCode::SUCCESS),
                    Err(error) => Err(Failure::from_error(Class::Bug, error)),
                },
            }
        })
    }

    /// Shows what two looks differ by, at least once, until the time is over.
    async fn show(&self, app: &App<'_>, hosts: &Hosts) {
        let every = self.every.0.max(FASTEST);
        let began = tokio::time::Instant::now();
        let mut before = hosts.ask(&gate::status()).await;
        // The second look comes soon: there are no rates before it.
        let mut ticks = tokio::time::interval_at(began + every.min(FIRST), every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = hosts.ask(&gate::status()).await;
            let frame = Frame::between(&before, &now);
            app.screen.out(&match app.output {
                Output::Json => format!("{}\n", frame.json(self.top)),
                Output::Text => frame.text(self.top),
            });
            before = now;
            if self.length.is_some_and(|length| began.elapsed() >= length.0) {
                break;
            }
        }
    }
}

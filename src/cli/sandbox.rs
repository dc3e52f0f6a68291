//! `sandbox`

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use super::{App, clusters, drive, failure, inputs};
use crate::duration::HumanDuration;
use crate::error::{Class, Failure};
use crate::kit::import;
use crate::render::{Output, view};
use crate::sandbox::{NAME, Sandbox, Weather};

/// Keep the embedded practice cluster up, with a kit for it, and work on it from another terminal
///
/// Examples:
///   breakglass sandbox                  until Ctrl-C
///   breakglass sandbox --for 30m        or until then
///
/// TLS, SSH, routes, requests and scripts are real and go over loopback; objects, load and what hosts do are simulated.
/// It begins drowning, with --peace quiet. The kit is gone with it; the journals of your runs stay.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct SandboxVerb {
    /// End after this long, like 30m.
    #[arg(long = "for", value_name = "TIME")]
    end_after: Option<HumanDuration>,

    /// Begin on a quiet day, for drills: everything answers.
    #[arg(long)]
    peace: bool,
}

impl SandboxVerb {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        if !app.flags.clusters.cluster.is_empty() {
            let what = "the sandbox is a cluster of its own; --cluster means others";
            return Err(inputs::refuse(what, "leave it out, also as BREAKGLASS_CLUSTER"));
        }
        clusters::has_sandbox()?;
        clusters::alone(app, "the sandbox")?;
        drive::block_on(async {
            let no_start = |error| Failure::from_error(Class::NoRoute, error);
            // Before anything is said: whoever reads the announcement may end it at once.
            let mut signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()]
                .into_iter()
                .map(signal)
                .collect::<std::io::Result<Vec<_>>>()
                .map_err(|error| no_start(anyhow::Error::from(error).context("cannot listen for signals")))?;
            let weather = if self.peace { Weather::Peace } else { Weather::Storm };
            let sandbox = Sandbox::start(weather).await.map_err(no_start)?;
            let folder = sandbox.folder().join("kit");
            let text = import::text(NAME, &sandbox.cluster, app.process)
                .map_err(|all| failure::refused("the kit of the sandbox", all))?;
            import::write(&folder, NAME, &text, false)
                .map_err(|refusal| failure::refused("the kit of the sandbox", vec![refusal]))?;
            let kit = folder.display().to_string();
            match app.output {
                Output::Json => app.screen.out(&view::sandbox::json(&kit).to_string()),
                Output::Text => app.screen.out(&view::sandbox::text(&kit, &sandbox.cluster, weather, self.end_after)),
            }
            let ended = async {
                match self.end_after {
                    Some(time) => tokio::time::sleep(time.0).await,
                    None => std::future::pending().await,
                }
            };
            let signalled = futures::future::select_all(signals.iter_mut().map(|signal| Box::pin(signal.recv())));
            tokio::select! {
                () = ended => {}
                _ = signalled => {}
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

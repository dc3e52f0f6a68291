//! A single verb is a runbook of one step: same plan, same consent, same journal, same undo.

use std::process::ExitCode;

use serde_json::{Map, Value};

use super::drive::{self, Mode};
use super::entrance::{self, WriteKubeconfig};
use super::{clusters, failure};
use crate::cli::App;
use crate::error::Failure;
use crate::runbook::{Policy, Resolved};

/// What to do with the plan of a single verb.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(in crate::cli) struct How {
    /// Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig.
    #[arg(long, conflicts_with = "drill", help_heading = "Safety")]
    plan: bool,

    /// Look for real, pretend the writes.
    #[arg(long, help_heading = "Safety")]
    drill: bool,
}

/// One step as typed.
pub(in crate::cli) struct Single {
    pub(in crate::cli) kind: &'static str,
    pub(in crate::cli) with: Map<String, Value>,
    pub(in crate::cli) targets: Option<String>,
    pub(in crate::cli) how: How,
}

impl Single {
    pub(in crate::cli) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        self.run_with(app, Policy::default())
    }

    pub(in crate::cli) fn run_with(self, app: &App, policy: Policy) -> Result<ExitCode, Failure> {
        self.run_for(app, policy, &WriteKubeconfig::default())
    }

    /// The same; after a good end, the way in that was won is written down, if that was asked for.
    pub(in crate::cli) fn run_for(
        self,
        app: &App,
        mut policy: Policy,
        kubeconfig: &WriteKubeconfig,
    ) -> Result<ExitCode, Failure> {
        if let Some(timeout) = app.flags.connection.request_timeout {
            policy.timeout = timeout;
        }
        let resolved = Resolved::single(self.kind, self.with, self.targets.as_deref(), &policy)
            .map_err(|all| failure::refused("the command", all))?;
        drive::block_on(async {
            let mode = if self.how.drill { Mode::Drill } else { Mode::Run };
            if self.how.plan {
                let chosen = clusters::choose(app).await?;
                drive::print(app, &drive::build(resolved, &chosen.clusters, app.flags.safety.fleet())?);
                return Ok(ExitCode::SUCCESS);
            }
            let chosen = clusters::choose_in(mode.weather(&resolved), app).await?;
            let Some(file) = kubeconfig.file()? else {
                return drive::begin(app, resolved, &chosen, mode).await;
            };
            let cluster = entrance::only(&chosen.clusters)?;
            drive::begin_then(app, resolved, &chosen, mode, |reads| entrance::of_run(app, reads, file, cluster)).await
        })
    }
}

/// The one object that a verb acts on, in kubectl's words.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct ObjectArgs {
    /// The object: TYPE/NAME, TYPE NAME, or TYPE/NAMESPACE/NAME; a type that is no built-in one as
    /// GROUP/VERSION/RESOURCE/NAMESPACE/NAME.
    #[arg(required = true, num_args = 1..=2, value_name = "OBJECT")]
    object: Vec<String>,
}

impl ObjectArgs {
    /// As the parameters `object` and `namespace` of a step.
    pub(in crate::cli) fn params(&self, app: &App) -> Map<String, Value> {
        let mut with = Map::new();
        with.insert("object".into(), self.object.join("/").into());
        if let Some(namespace) = &app.flags.connection.namespace {
            with.insert("namespace".into(), namespace.as_str().into());
        }
        with
    }
}

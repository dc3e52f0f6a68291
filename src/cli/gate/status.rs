//! `gate status`

use std::process::ExitCode;

use crate::cli::common::hosts::Hosts;
use crate::cli::{App, drive};
use crate::error::{Class, Failure};
use crate::host::gate;
use crate::render::Output;
use crate::render::view::gate_status;

/// What stands on each host: closed, opening, open; whose it is, and how it goes on by itself
///
/// Asks the hosts over SSH, never the API.
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
            let said = hosts.ask(&gate::status()).await;
            app.screen.out(&match app.output {
                Output::Json => {
                    said.iter().map(|(target, said)| format!("{}\n", gate_status::json(target, said))).collect()
                }
                Output::Text => gate_status::text(&said),
            });
            if said.iter().all(|(_, said)| said.is_err()) {
                return Err(Failure::new(Class::NoRoute, "no host could be asked")
                    .hint("a gate that stands opens by itself; breakglass probe looks for another way in"));
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

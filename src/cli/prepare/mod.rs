//! `prepare authorization-config`

mod authorization_config;

use std::process::ExitCode;

use super::{App, single};
use crate::error::Failure;

/// Prepare a cluster in peace for what has to be quick in an incident
#[derive(Debug, clap::Args)]
pub(super) struct Prepare {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    AuthorizationConfig(authorization_config::AuthorizationConfig),
}

impl Prepare {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        match self.verb {
            Verb::AuthorizationConfig(verb) => verb.run(app),
        }
    }
}

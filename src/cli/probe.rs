//! `probe`

use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::Map;

use super::App;
use super::single::{How, Single};
use crate::error::Failure;

/// Look at each API server and say which layer is broken: network, TLS, credential, overload, process, etcd
///
/// Examples:
///   breakglass probe --cluster prod
///   breakglass probe --server 10.0.0.1 --via cp1
///   breakglass probe --cluster all --require healthy --yes || page-somebody
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Probe {
    /// What must be found; otherwise it ends with an exit code.
    #[arg(long, value_enum, default_value_t = Require::Nothing)]
    require: Require,

    /// Only these API servers, by their names in the kit.
    #[arg(long, value_name = "NAMES")]
    targets: Option<String>,

    #[command(flatten)]
    how: How,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Require {
    Nothing,
    Answers,
    Healthy,
}

impl Probe {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let require = match self.require {
            Require::Nothing => "nothing",
            Require::Answers => "answers",
            Require::Healthy => "healthy",
        };
        let with = Map::from_iter([("require".to_owned(), require.into())]);
        Single { kind: "probe", with, targets: self.targets, how: self.how }.run(app)
    }
}

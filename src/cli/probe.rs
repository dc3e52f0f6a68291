//! `probe`

use std::process::ExitCode;
use std::str::FromStr;

use clap::ValueEnum;
use serde_json::{Map, Value};

use super::App;
use super::single::{How, Single};
use crate::error::Failure;
use crate::runbook::Policy;

/// Look at each API server and say which layer is broken: network, TLS, credential, overload, process, etcd
///
/// Examples:
///   breakglass probe --cluster prod
///   breakglass probe --server 10.0.0.1 --via cp1
///   breakglass probe --cluster all --require healthy --at-least 2 || page-somebody
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Probe {
    /// What must be found of every API server; otherwise it ends with an exit code. Without it, that one of them answers.
    #[arg(long, value_enum)]
    require: Option<Require>,

    /// Of how many API servers of a cluster `--require` must be found: all, any, or a number.
    #[arg(long, value_name = "N", requires = "require", conflicts_with = "targets")]
    at_least: Option<AtLeast>,

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

/// How many.
#[derive(Debug, Clone)]
struct AtLeast(Value);

impl FromStr for AtLeast {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse::<u32>()) {
            ("all" | "any", _) => Ok(Self(text.into())),
            (_, Ok(number)) if number > 0 => Ok(Self(number.into())),
            _ => Err("expected all, any, or a number above zero".into()),
        }
    }
}

impl Probe {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let require = match self.require {
            Some(Require::Nothing) => "nothing",
            Some(Require::Answers) | None => "answers",
            Some(Require::Healthy) => "healthy",
        };
        let mut with = Map::from_iter([("require".to_owned(), require.into())]);
        let unsaid = self.require.is_none() && self.targets.is_none();
        if let Some(number) = self.at_least.map(|AtLeast(number)| number).or_else(|| unsaid.then(|| "any".into())) {
            with.insert("atLeast".to_owned(), number);
        }
        // Silence is what it is there to tell: it is not asked again and again first.
        let policy = Policy { retries: 0, ..Policy::default() };
        Single { kind: "probe", with, targets: self.targets, how: self.how }.run_with(app, policy)
    }
}

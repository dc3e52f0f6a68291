//! `recovery-apiserver`: start, stop, and a look.

mod status;

use std::process::ExitCode;

use serde_json::{Map, Value};

use super::App;
use super::common::entrance::WriteKubeconfig;
use super::common::inputs;
use super::single::{How, Single};
use crate::duration::HumanDuration;
use crate::error::Failure;
use crate::limits::Limits;
use crate::runbook::Policy;

/// A private API server beside a drowned or broken one, on a control-plane host's loopback, for this tool's own requests
///
/// Examples:
///   breakglass recovery-apiserver start                          15 minutes, then it ends by itself
///   breakglass recovery-apiserver start --unset bad-flag         where the host's own does not start with a flag
///   breakglass recovery-apiserver start --without-webhooks       where a webhook refuses everything
///   breakglass recovery-apiserver start --mint --write-kubeconfig admin.conf   for kubectl, until it ends
///   breakglass recovery-apiserver status
///   breakglass recovery-apiserver stop
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct RecoveryApiserver {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Start(Start),
    Status(status::Status),
    Stop(Stop),
}

impl RecoveryApiserver {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        match self.verb {
            Verb::Start(verb) => verb.run(app),
            Verb::Status(verb) => verb.run(app),
            Verb::Stop(verb) => verb.run(app),
        }
    }
}

/// Start one on the first control-plane host that can; where one stands, let it be there longer
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct Start {
    /// How long it is there, with nobody to end it [default: 15m].
    #[arg(long = "for", value_name = "TIME")]
    time: Option<HumanDuration>,

    /// Its port on the host's loopback [default: the first free one from 16443 on].
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,

    /// A flag of kube-apiserver that is set, without its dashes; may be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = entry)]
    set: Vec<(String, String)>,

    /// A flag of the host's API server that is left out, without its dashes; may be given several times.
    #[arg(long = "unset", value_name = "NAME")]
    unset: Vec<String>,

    /// Admission webhooks have no say there.
    #[arg(long)]
    without_webhooks: bool,

    /// Have it know us by a client certificate of system:masters that is made here and good there alone.
    #[arg(long)]
    mint: bool,

    #[command(flatten)]
    kubeconfig: WriteKubeconfig,

    /// A file of the host that is the program [default: that of the running process, else out of the image store].
    #[arg(long, value_name = "PATH")]
    program: Option<String>,

    /// Only these hosts, by their names in the kit, in this order.
    #[arg(long, value_name = "NAMES")]
    targets: Option<String>,

    #[command(flatten)]
    how: How,
}

fn entry(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".into()),
    }
}

impl Start {
    fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let mut with = Map::new();
        with.extend(self.time.map(|time| ("for".to_owned(), time.to_string().into())));
        with.extend(self.port.map(|port| ("port".to_owned(), port.into())));
        with.extend(self.program.map(|path| ("program".to_owned(), path.into())));
        let set: Map<String, Value> = self.set.into_iter().map(|(name, value)| (name, value.into())).collect();
        if !set.is_empty() {
            with.insert("set".into(), set.into());
        }
        if !self.unset.is_empty() {
            with.insert("unset".into(), self.unset.into());
        }
        for (name, wanted) in [("withoutWebhooks", self.without_webhooks), ("mint", self.mint)] {
            if wanted {
                with.insert(name.into(), true.into());
            }
        }
        // A host that cannot be reached keeps no other from having one.
        let policy = Policy { limits: Limits::whatever_fails(1), ..Policy::default() };
        if self.kubeconfig.file()?.is_some() && !self.mint {
            return Err(inputs::refuse("--write-kubeconfig has nothing to write without --mint", "add --mint"));
        }
        let single = Single { kind: "recovery-apiserver-start", with, targets: self.targets, how: self.how };
        single.run_for(app, policy, &self.kubeconfig)
    }
}

/// End it before its time, whoever started it
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct Stop {
    /// Only that of this run [default: whoever's].
    #[arg(long, value_name = "RUN", default_value = "any", hide_default_value = true)]
    of: String,

    /// Only on these hosts, by their names in the kit.
    #[arg(long, value_name = "NAMES")]
    targets: Option<String>,

    #[command(flatten)]
    how: How,
}

impl Stop {
    fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let with = Map::from_iter([("of".to_owned(), self.of.into())]);
        let policy = Policy { limits: Limits::whatever_fails(64), ..Policy::default() };
        Single { kind: "recovery-apiserver-stop", with, targets: self.targets, how: self.how }.run_with(app, policy)
    }
}

//! `journal verify`

use std::process::ExitCode;

use serde_json::json;

use super::{App, failure};
use crate::error::Failure;
use crate::journal::{self, Store};
use crate::render::{Output, VERSION, one_line};

/// Work on the records of runs.
#[derive(Debug, clap::Args)]
pub(super) struct Journal {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Verify(Verify),
}

/// Prove that no line of a run's journal was changed, removed or put in later.
#[derive(Debug, clap::Args)]
struct Verify {
    /// The run: its id, the beginning or end of it, or `last`.
    run: String,
}

impl Journal {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let Verb::Verify(Verify { run }) = self.verb;
        let folder = Store::at(app.process.runs_dir()).open(&run).map_err(failure::store)?;
        let (lines, hash) = journal::verify(&folder).map_err(failure::journal)?;
        app.screen.out(&match app.output {
            Output::Json => json!({ "v": VERSION, "run": folder.run, "lines": lines, "hash": hash }).to_string(),
            Output::Text => one_line(&format!("{}: {lines} lines, the chain holds, last hash {hash}", folder.run)),
        });
        Ok(ExitCode::SUCCESS)
    }
}

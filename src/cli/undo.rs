//! `undo`

use std::process::ExitCode;

use super::{App, clusters, drive, failure};
use crate::error::Failure;
use crate::journal::{self, Store, Writer};

/// Take back what stands of a run, newest first, by the journal alone
///
/// What somebody else has changed since is not forced: it is said, with what to do by hand, and the rest goes on.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Undo {
    /// The run: its id, the beginning or end of it, or `last`.
    run: String,
}

impl Undo {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let folder = Store::at(app.process.runs_dir()).open(&self.run).map_err(failure::store)?;
        let run = journal::read(&folder).map_err(failure::journal)?.run;
        if run.header.drill {
            app.screen.err(&format!("run {} was a drill: nothing was changed, so nothing is taken back", folder.run));
            return Ok(ExitCode::SUCCESS);
        }
        drive::block_on(async {
            let chosen = clusters::of_run(app, &run.header).await?;
            let writer = Writer::open(folder, app.process.clock).map_err(failure::journal)?;
            drive::undo(app, writer, &run, &chosen).await
        })
    }
}

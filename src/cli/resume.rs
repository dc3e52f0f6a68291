//! `resume`

use std::process::ExitCode;

use super::{App, clusters, drive, failure, last};
use crate::error::Failure;
use crate::journal::Writer;

/// Go on with a run that was stopped, killed or left half done
///
/// Steps that are done are passed over. What is not known, because a reply was lost, is looked at again first.
/// The consent that was given counts, as long as the plan is still the same.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Resume {
    /// The run: its id, the beginning or end of it, or `last`: the one that began last, not counting those that came to
    /// a good end or only looked.
    run: String,
}

impl Resume {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let (folder, run) = last::run(app, &self.run, last::For::Resume)?;
        drive::block_on(async {
            let chosen = clusters::of_run(app, &run).await?;
            let writer = Writer::open(folder, app.process.clock).map_err(failure::journal)?;
            drive::resume(app, writer, &run, &chosen).await
        })
    }
}

//! `show`

use std::process::ExitCode;

use super::{App, failure, inputs, trust};
use crate::error::Failure;
use crate::journal::{self, Store};
use crate::render;

/// Tell a run again from its journal: what was seen, done and answered, in the words of the run itself.
#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// The run: its id, the beginning or end of it, or `last`.
    run: String,
}

impl Show {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let folder = Store::at(app.process.runs_dir()).open(&self.run).map_err(failure::store)?;
        trust::tell(app, [&folder]);
        let mut lines = Vec::new();
        let journal = journal::read_each(&folder, |line, _| lines.push(line)).map_err(failure::journal)?;
        render::show_run(&app.screen, app.output, &journal, &lines, &inputs::step_names(&journal.run.header));
        if app.output == render::Output::Text {
            let lines = crate::words::count(journal.count, "line");
            let said = format!(
                "journal: {lines}, head {}; noted elsewhere, it proves them: `journal verify --head`",
                journal.last_hash
            );
            app.screen.out(&said);
        }
        if journal.torn {
            app.screen.err("the last line of the journal is torn: the process was killed while writing it");
        }
        Ok(ExitCode::SUCCESS)
    }
}

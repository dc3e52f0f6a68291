//! `runs`

use std::process::ExitCode;

use super::{App, failure, trust};
use crate::error::Failure;
use crate::journal::{self, Store};
use crate::render::Output;
use crate::render::view::runs;

/// List the runs, newest first, with what of them still stands.
#[derive(Debug, clap::Args)]
pub(super) struct Runs {
    /// At most this many.
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

impl Runs {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let store = Store::at(app.process.runs_dir());
        let ids = store.runs().map_err(failure::store)?;
        let mut shown = Vec::new();
        let mut folders = Vec::new();
        for id in ids.iter().rev().take(self.limit) {
            // A damaged journal must not hide the others.
            let folder = store.open(id).ok();
            let run = folder.as_ref().and_then(|folder| journal::glance(folder).ok());
            folders.extend(folder);
            match app.output {
                Output::Json => app.screen.out(&runs::json(id, run.as_ref()).to_string()),
                Output::Text => shown.push((id.as_str(), run)),
            }
        }
        if app.output == Output::Text {
            if shown.is_empty() {
                app.screen.err(&format!("no runs in {}", store.root().display()));
            } else {
                app.screen.out(&runs::text(&shown));
            }
        }
        trust::tell(app, &folders);
        Ok(ExitCode::SUCCESS)
    }
}

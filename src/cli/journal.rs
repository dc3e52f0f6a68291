//! `journal verify`

use std::process::ExitCode;

use super::{App, failure, trust};
use crate::error::Failure;
use crate::journal::{self, Store};
use crate::render::{Output, view};

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

/// Prove that the lines of a run's journal follow from one another, and that none is missing
///
/// A line that was changed, removed or put in later is named. That lines were cut off at the end, or that the whole file was
/// written anew with new hashes, shows against a head that was kept elsewhere: the one that this machine keeps when a run
/// ends (the file `heads` beside the runs, which whoever may write to the journal may change as well), or --head HASH, as
/// `show` and this command print it.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct Verify {
    /// The run: its id, the beginning or end of it, or `last`.
    run: String,

    /// A hash that the last line had, as it was noted elsewhere: at least its first 16 digits.
    #[arg(long, value_name = "HASH", value_parser = head)]
    head: Option<String>,
}

/// The beginning of a hash that is long enough to mean one line.
fn head(text: &str) -> Result<String, String> {
    let fits = (16..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if fits { Ok(text.to_ascii_lowercase()) } else { Err("expected 16 to 64 hexadecimal digits".into()) }
}

impl Journal {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let Verb::Verify(Verify { run, head }) = self.verb;
        let folder = Store::at(app.process.runs_dir()).open(&run).map_err(failure::store)?;
        trust::tell(app, [&folder]);
        let verified = journal::verify(&folder, head.as_deref()).map_err(failure::journal)?;
        app.screen.out(&match app.output {
            Output::Json => view::journal::json(&folder.run, &verified).to_string(),
            Output::Text => view::journal::text(&folder.run, &verified),
        });
        Ok(ExitCode::SUCCESS)
    }
}

//! The beginning of a runbook, for real or as a drill.

use std::process::ExitCode;

use super::clusters;
use super::drive::{self, Mode};
use super::inputs::RunbookArgs;
use crate::cli::App;
use crate::error::Failure;
use crate::runbook::On;

/// For real, or as a drill.
pub(in crate::cli) fn runbook(runbook: &RunbookArgs, app: &App, mode: Mode) -> Result<ExitCode, Failure> {
    // What is wrong with it is said before anything is asked for its clusters.
    let weather = mode.weather(&runbook.resolve(app, On::NotYet)?);
    drive::block_on(async {
        let chosen = clusters::choose_in(weather, app).await?;
        let resolved = runbook.resolve(app, chosen.on())?;
        drive::begin(app, resolved, &chosen, mode).await
    })
}

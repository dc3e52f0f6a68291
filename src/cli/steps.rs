//! `steps`

use std::process::ExitCode;

use super::App;
use crate::error::{Class, Failure};
use crate::render::Output;
use crate::render::view::steps;
use crate::steps::{KINDS, kind};
use crate::words;

/// What a step of a runbook can be, with every parameter.
#[derive(Debug, clap::Args)]
pub(super) struct Steps {
    /// One kind, in full.
    kind: Option<String>,
}

impl Steps {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let Some(name) = self.kind else {
            app.screen.out(&match app.output {
                Output::Json => KINDS.iter().map(|kind| format!("{}\n", steps::json(*kind))).collect(),
                Output::Text => steps::list(app.screen.out_paint(), app.screen.out_width()),
            });
            return Ok(ExitCode::SUCCESS);
        };
        let found = kind(&name).ok_or_else(|| {
            let failure = Failure::new(Class::Refused, format!("no step kind is called {name:?}"));
            match words::nearest(&name, KINDS.iter().map(|kind| kind.name())) {
                Some(near) => failure.hint(format!("did you mean {near}?")),
                None => failure.hint("`breakglass steps` lists them"),
            }
        })?;
        app.screen.out(&match app.output {
            Output::Json => steps::json(found).to_string(),
            Output::Text => steps::page(found),
        });
        Ok(ExitCode::SUCCESS)
    }
}

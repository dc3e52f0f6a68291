//! `runs`

use std::process::ExitCode;

use serde_json::json;

use super::{App, failure, trust};
use crate::error::Failure;
use crate::journal::{self, Glance, Store};
use crate::render::{Output, VERSION, table};

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
        let mut rows = Vec::new();
        let mut folders = Vec::new();
        for id in ids.iter().rev().take(self.limit) {
            // A damaged journal must not hide the others.
            let folder = store.open(id).ok();
            let run = folder.as_ref().and_then(|folder| journal::glance(folder).ok());
            folders.extend(folder);
            match app.output {
                Output::Json => app.screen.out(&json(id, run.as_ref()).to_string()),
                Output::Text => rows.push(row(id, run.as_ref())),
            }
        }
        if app.output == Output::Text {
            if rows.is_empty() {
                app.screen.err(&format!("no runs in {}", store.root().display()));
            } else {
                app.screen.out(&table(&["RUN", "RUNBOOK", "CLUSTERS", "OPERATOR", "ENDED", "STANDS"], &rows));
            }
        }
        trust::tell(app, &folders);
        Ok(ExitCode::SUCCESS)
    }
}

fn ended(run: &Glance) -> String {
    match &run.ended {
        None => "no (killed, or under way)".into(),
        Some((0, _)) => "well".into(),
        Some((code, _)) => format!("code {code}"),
    }
}

/// Changes that stand; a drill's never did.
fn stands(run: &Glance) -> usize {
    if run.header.drill { 0 } else { run.stands }
}

fn row(id: &str, run: Option<&Glance>) -> Vec<String> {
    let Some(run) = run else {
        return vec![id.into(), "?".into(), "?".into(), "?".into(), "its journal is damaged".into(), "?".into()];
    };
    let name = if run.header.drill { format!("{} (drill)", run.header.name) } else { run.header.name.clone() };
    let clusters = crate::words::fold(&run.header.clusters);
    let stands = crate::words::count(stands(run), "change");
    vec![id.into(), name, clusters, run.header.operator.clone(), ended(run), stands]
}

fn json(id: &str, run: Option<&Glance>) -> serde_json::Value {
    let Some(run) = run else { return json!({ "v": VERSION, "run": id, "damaged": true }) };
    json!({
        "v": VERSION,
        "run": id,
        "runbook": run.header.name,
        "drill": run.header.drill,
        "clusters": run.header.clusters,
        "operator": run.header.operator,
        "reason": run.header.reason,
        "started": run.began.to_string(),
        "code": run.ended.as_ref().map(|(code, _)| code),
        "stands": stands(run),
    })
}

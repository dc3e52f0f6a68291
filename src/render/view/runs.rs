//! Runs, with what of them still stands.

use serde_json::json;

use crate::journal::Glance;
use crate::render::{VERSION, table};
use crate::words;

/// A line for each; one without a glance has a damaged journal.
pub(crate) fn text(all: &[(&str, Option<Glance>)]) -> String {
    let rows: Vec<_> = all.iter().map(|(id, run)| row(id, run.as_ref())).collect();
    table(&["RUN", "RUNBOOK", "CLUSTERS", "OPERATOR", "ENDED", "STANDS"], &rows)
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
    let clusters = words::fold(&run.header.clusters);
    let stands = words::count(stands(run), "change");
    vec![id.into(), name, clusters, run.header.operator.clone(), ended(run), stands]
}

/// One run; without a glance its journal is damaged.
pub(crate) fn json(id: &str, run: Option<&Glance>) -> serde_json::Value {
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

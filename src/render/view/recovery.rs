//! The recovery API servers of the hosts.

use serde_json::json;

use crate::change::Target;
use crate::duration::HumanDuration;
use crate::host::recovery::{Recovery, Standing};
use crate::render::{VERSION, table};
use crate::words;

/// What one host said.
pub(crate) struct Row {
    /// The host.
    pub target: Target,
    /// What stands there, or why it could not be asked.
    pub said: Result<Standing, String>,
    /// How many requests it has had, where it says so.
    pub requests: Option<u64>,
}

/// One host.
pub(crate) fn json(row: &Row) -> serde_json::Value {
    let (one, error) = match &row.said {
        Ok(standing) => (standing.as_ref(), None),
        Err(why) => (None, Some(why)),
    };
    let recovery = one.map(|one| {
        json!({
            "state": state(one), "run": one.run, "operator": one.operator, "port": one.port, "ageSeconds": one.age.as_secs(),
            "leftSeconds": one.left.as_secs(), "memoryBytes": one.memory, "requests": row.requests,
            "last": one.died.as_ref().map(|died| &died.last),
        })
    });
    json!({ "v": VERSION, "target": row.target, "recovery": recovery, "error": error })
}

fn state(one: &Recovery) -> &'static str {
    match one {
        Recovery { died: Some(_), .. } => "died",
        Recovery { watched: false, server: Some(_), .. } => "has lost what ends it; stop it,",
        Recovery { listens: true, .. } => "serves",
        Recovery { server: Some(_), .. } => "starts",
        _ => "is gone",
    }
}

/// One line for each host.
pub(crate) fn text(all: &[Row]) -> String {
    let row = |row: &Row| {
        let mut cells = vec![row.target.cluster.clone(), row.target.short().to_owned()];
        match &row.said {
            Err(why) => cells.push(format!("cannot be asked: {why}")),
            Ok(None) => cells.push("none".into()),
            Ok(Some(one)) => {
                let last = one.died.as_ref().map_or_else(String::new, |died| format!(": {}", died.last));
                cells.push(format!("{} on port {}{last}", state(one), one.port));
                cells.push(HumanDuration(one.age).to_string());
                cells.push(HumanDuration(one.left).to_string());
                cells.push(one.memory.map(words::bytes).unwrap_or_default());
                cells.push(row.requests.map(|requests| requests.to_string()).unwrap_or_default());
                cells.push(format!("{} of {}", one.run, one.operator));
            }
        }
        cells
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    table(&["CLUSTER", "HOST", "RECOVERY API SERVER", "FOR", "LEFT", "MEMORY", "REQUESTS", "WHOSE"], &rows)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::host::recovery::Died;

    #[test]
    fn each_host_has_a_line_that_says_what_stands_there() {
        let one = Recovery {
            run: "r1".into(),
            operator: "alice".into(),
            port: 16443,
            age: Duration::from_secs(12),
            left: Duration::from_secs(888),
            watched: true,
            server: Some(7),
            memory: Some(400 << 20),
            listens: true,
            died: None,
            trust: None,
            own: String::new(),
        };
        let dead = Recovery {
            server: None,
            listens: false,
            died: Some(Died { status: 1, last: "Error: unknown flag: --x".into() }),
            ..one.clone()
        };
        let row = |host: &str, said, requests| Row { target: Target::host("prod", host), said, requests };
        let all = [
            row("cp1", Ok(Some(one)), Some(34)),
            row("cp2", Ok(Some(dead)), None),
            row("cp3", Ok(None), None),
            row("cp4", Err("no route".into()), None),
        ];
        let text = text(&all);
        let has = |number: usize, parts: &[&str]| {
            let line = text.lines().nth(number).unwrap_or_default();
            assert!(parts.iter().all(|part| line.contains(part)), "{parts:?}: {text}");
        };
        has(1, &["cp1", "serves on port 16443", "12s", "14m48s", "419.4 MB", "34", "r1 of alice"]);
        has(2, &["cp2", "died on port 16443: Error: unknown flag: --x"]);
        has(3, &["cp3", "none"]);
        has(4, &["cp4", "cannot be asked: no route"]);
        assert_eq!(json(&all[0])["recovery"]["leftSeconds"], 888);
        assert_eq!((json(&all[2])["recovery"].is_null(), json(&all[3])["error"].as_str()), (true, Some("no route")));
    }
}

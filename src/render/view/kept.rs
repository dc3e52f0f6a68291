//! What `kit refresh` has kept.

use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::json;

use crate::change::Target;
use crate::kit::kept::Fate;
use crate::render::{VERSION, table};

/// One component of one host.
pub(crate) struct Row {
    /// The host.
    pub target: Target,
    /// The component; empty where the whole host is meant.
    pub program: &'static str,
    /// What became of its manifest, or why the host could not be asked.
    pub said: Result<Outcome, String>,
}

/// What became of a manifest.
pub(crate) enum Outcome {
    /// It is kept.
    Kept {
        /// In place of what.
        fate: Fate,
        /// Where.
        path: PathBuf,
    },
    /// It is not.
    Left {
        /// The reason.
        why: String,
        /// When the copy that is kept was seen to be good.
        before: Option<Timestamp>,
    },
    /// The host runs none of them as a static pod.
    Nothing,
}

/// One line for each.
pub(crate) fn text(all: &[Row]) -> String {
    let cells = |row: &Row| {
        let said = match &row.said {
            Err(why) => format!("cannot be asked: {why}"),
            Ok(Outcome::Nothing) => "nothing runs as a static pod here".into(),
            Ok(Outcome::Kept { fate: Fate::First, path }) => format!("kept: {}", path.display()),
            Ok(Outcome::Kept { fate: Fate::Same, .. }) => "kept, the same as before".into(),
            Ok(Outcome::Kept { fate: Fate::Instead(before), path }) => {
                format!("kept: {}; it was another before: {}", path.display(), before.display())
            }
            Ok(Outcome::Left { why, before }) => {
                let before = before.map_or_else(
                    || "there is no copy of it".to_owned(),
                    |seen| format!("the copy of {} stays", seen.strftime("%Y-%m-%d %H:%M UTC")),
                );
                format!("not kept: {why}; {before}")
            }
        };
        vec![row.target.cluster.clone(), row.target.short().to_owned(), row.program.to_owned(), said]
    };
    table(&["CLUSTER", "HOST", "COMPONENT", "MANIFEST"], &all.iter().map(cells).collect::<Vec<_>>())
}

/// One.
pub(crate) fn json(row: &Row) -> serde_json::Value {
    let program = Some(row.program).filter(|program| !program.is_empty());
    let mut value = json!({ "v": VERSION, "target": row.target, "program": program });
    match &row.said {
        Err(why) => value["error"] = why.as_str().into(),
        Ok(Outcome::Nothing) => value["kept"] = false.into(),
        Ok(Outcome::Kept { fate, path }) => {
            value["kept"] = true.into();
            value["file"] = path.display().to_string().into();
            value["changed"] = (*fate != Fate::Same).into();
        }
        Ok(Outcome::Left { why, before }) => {
            value["kept"] = false.into();
            value["why"] = why.as_str().into();
            value["copyOf"] = json!(before);
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_component_has_a_line_that_says_what_became_of_its_manifest() {
        let row = |program, said| Row { target: Target::host("prod", "cp1"), program, said };
        let kept = |fate| Ok(Outcome::Kept { fate, path: "/k/cp1.etcd.yaml".into() });
        let left = |before| Ok(Outcome::Left { why: "it does not answer (HTTP 500)".into(), before });
        let all = [
            row("etcd", kept(Fate::First)),
            row("etcd", kept(Fate::Same)),
            row("etcd", kept(Fate::Instead("/k/cp1.etcd.yaml~".into()))),
            row("etcd", left(None)),
            row("etcd", left(Some("2026-11-20T14:03:00Z".parse().unwrap()))),
            row("", Ok(Outcome::Nothing)),
            row("", Err("no route".into())),
        ];
        let text = text(&all);
        let lines: Vec<&str> = text.lines().skip(1).collect();
        for (line, end) in lines.iter().zip([
            "etcd       kept: /k/cp1.etcd.yaml",
            "etcd       kept, the same as before",
            "etcd       kept: /k/cp1.etcd.yaml; it was another before: /k/cp1.etcd.yaml~",
            "etcd       not kept: it does not answer (HTTP 500); there is no copy of it",
            "etcd       not kept: it does not answer (HTTP 500); the copy of 2026-11-20 14:03 UTC stays",
            "nothing runs as a static pod here",
            "cannot be asked: no route",
        ]) {
            assert!(line.ends_with(end), "{line}: {end}");
        }
        assert_eq!(json(&all[0])["changed"], true);
        assert_eq!(json(&all[1])["changed"], false);
        assert_eq!(json(&all[4])["copyOf"], "2026-11-20T14:03:00Z");
        assert_eq!((json(&all[6])["error"].as_str(), json(&all[6])["program"].is_null()), (Some("no route"), true));
    }
}

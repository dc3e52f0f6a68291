//! What proves a journal.

use serde_json::json;

use crate::journal::Verified;
use crate::render::{VERSION, one_line};

/// One line.
pub(crate) fn text(run: &str, verified: &Verified) -> String {
    let Verified { lines, head, anchored } = verified;
    let proof = match anchored {
        Some(at) if at == lines => "it is the head that was kept".to_owned(),
        Some(at) => format!("the head that was kept is line {at}; nothing vouches for what came after"),
        None => "no head was kept: lines cut off at the end, or a file written anew, would not show".into(),
    };
    one_line(&format!("{run}: {lines} lines, the chain holds, last hash {head}; {proof}"))
}

/// The same.
pub(crate) fn json(run: &str, verified: &Verified) -> serde_json::Value {
    let Verified { lines, head, anchored } = verified;
    json!({ "v": VERSION, "run": run, "lines": lines, "hash": head, "anchored": anchored })
}

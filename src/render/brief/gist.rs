//! Of what was said or sent, the part that a person needs in a run told in short.

use crate::change::Target;
use crate::finding::{Clause, Finding, Piece, Sentence};

/// Of a run of several steps, what is longer is told by its main clause.
const CLAUSE: usize = 90;

/// Errors name their target where that helps; here it stands in front anyway.
pub(super) fn nameless<'a>(target: &Target, what: &'a str) -> &'a str {
    let without = |name: &str| what.strip_prefix(name)?.strip_prefix(": ");
    without(&target.to_string()).or_else(|| without(target.short())).unwrap_or(what)
}

/// A whole sentence.
pub(super) fn told(sentence: &Sentence) -> Vec<Piece> {
    joined(sentence, |clause| {
        let after = Some(clause.after()).filter(|after| !after.is_empty());
        clause.main.iter().cloned().chain(after.map(Piece::Text)).collect()
    })
}

/// Of a long sentence what is always told.
pub(super) fn gist(what: &Finding) -> Vec<Piece> {
    let sentence = what.sentence();
    if sentence.to_string().chars().count() <= CLAUSE {
        return told(&sentence);
    }
    if let Finding::Note(note) = what {
        return vec![Piece::Text(main_clause(note))];
    }
    let mut pieces = joined(&sentence, |clause| clause.main.clone());
    if sentence.0.iter().any(|clause| !clause.after().is_empty()) {
        pieces.push(Piece::Text(" …".to_owned()));
    }
    pieces
}

pub(super) fn joined(sentence: &Sentence, of: impl Fn(&Clause) -> Vec<Piece>) -> Vec<Piece> {
    let clauses = sentence.0.iter().map(of);
    clauses.reduce(|all, clause| [all, vec![Piece::Text("; ".to_owned())], clause].concat()).unwrap_or_default()
}

/// A note up to its first colon or semicolon.
fn main_clause(note: &str) -> String {
    let end = note.match_indices([':', ';']).find(|(at, sign)| *at > 0 && note[at + sign.len()..].starts_with(' '));
    match end {
        Some((at, _)) => format!("{} …", &note[..at]),
        None => note.to_owned(),
    }
}

/// A request by its object, without what only a machine reads: `DELETE pods/telemetry` for
/// `DELETE /api/v1/namespaces/telemetry/pods?limit=500`.
pub(in crate::render) fn short(what: &str) -> String {
    let Some((method, path)) = what.split_once(" /") else { return what.to_owned() };
    if !matches!(method, "GET" | "POST" | "PUT" | "PATCH" | "DELETE") || path.contains(' ') {
        return what.to_owned();
    }
    let path = path.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').collect();
    let (group, rest) = match parts.as_slice() {
        ["api", _, rest @ ..] => (String::new(), rest),
        // Kubernetes' own groups with long names: their resources are known without.
        ["apis", group, _, rest @ ..] if group.ends_with(".k8s.io") => (String::new(), rest),
        ["apis", group, _, rest @ ..] => (format!(".{group}"), rest),
        _ => return what.to_owned(),
    };
    let name = match rest {
        ["namespaces", namespace, resource, name @ ..] => {
            [&[&*format!("{resource}{group}"), namespace], name].concat().join("/")
        }
        [resource, name @ ..] => [&[&*format!("{resource}{group}")], name].concat().join("/"),
        [] => return what.to_owned(),
    };
    format!("{method} {name}")
}

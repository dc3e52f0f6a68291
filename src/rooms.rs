//! Which other rooms a source file uses, for the tests that keep rooms apart: every path from `crate`, `super` or `self`,
//! alone or out of a group, in a `use` or in the middle of a line.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Every path that a file of `src` uses, from the crate's root on, such as `steps::gate::ways`; a glob ends in `*`.
pub(crate) fn used(file: &Path) -> BTreeSet<String> {
    paths(&module(file), &std::fs::read_to_string(file).unwrap())
}

/// Every source file under this folder of `src` or beside it under its name: `a.rs`, `a/mod.rs`, `a/b.rs`.
pub(crate) fn files(room: &str) -> Vec<PathBuf> {
    let at = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room);
    let mut found = Vec::new();
    let mut folders = vec![at.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.extend([at.with_extension("rs")].into_iter().filter(|alone| alone.is_file()));
    found.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    found
}

/// The module that a file is.
fn module(file: &Path) -> Vec<String> {
    let inside = file.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap().with_extension("");
    let mut words: Vec<String> = inside.iter().map(|word| word.to_str().unwrap().to_owned()).collect();
    words.pop_if(|last| matches!(last.as_str(), "mod" | "lib" | "main"));
    words
}

/// The words and marks of a text, without remarks and without what stands in quotes.
fn tokens(text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let raw = rest.strip_prefix('r').map(|after| after.trim_start_matches('#')).filter(|it| it.starts_with('"'));
        let len = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(quoted) = raw {
            let hashes = rest.len() - 1 - quoted.len();
            let end = format!("\"{}", "#".repeat(hashes));
            let inside = hashes + 2;
            rest[inside..].find(&end).map_or(rest.len(), |at| inside + at + end.len())
        } else if first == '"' {
            let mut escaped = false;
            let end = rest[1..].find(|c| {
                let plain = !escaped;
                escaped = plain && c == '\\';
                plain && c == '"'
            });
            end.map_or(rest.len(), |at| at + 2)
        } else if word(first) {
            rest.find(|c| !word(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else if let Some(quoted) = ["'\"'", "'\\''", "'{'", "'}'"].iter().find(|it| rest.starts_with(**it)) {
            quoted.len()
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(len);
        if !token.starts_with([' ', '\n', '"', '\'']) && !token.starts_with("//") {
            all.push(token);
        }
        rest = after;
    }
    all
}

fn paths(module: &[String], text: &str) -> BTreeSet<String> {
    let tokens = tokens(text);
    let mut found = BTreeSet::new();
    // Modules inside the file, with the depth of braces at which each began.
    let (mut inside, mut depth): (Vec<(String, usize)>, usize) = (Vec::new(), 0);
    let mut at = 0;
    while at < tokens.len() {
        match (tokens[at], tokens.get(at + 1), tokens.get(at + 2)) {
            ("mod", Some(name), Some(&"{")) => {
                inside.push(((*name).to_owned(), depth));
                depth += 1;
                at += 3;
            }
            ("{", _, _) => {
                depth += 1;
                at += 1;
            }
            ("}", _, _) => {
                depth = depth.saturating_sub(1);
                inside.pop_if(|(_, began)| *began == depth);
                at += 1;
            }
            // Not in the middle of a path, and no word of visibility.
            ("crate" | "super" | "self", Some(&"::"), _) if at == 0 || tokens[at - 1] != "::" => {
                let here: Vec<String> =
                    module.iter().cloned().chain(inside.iter().map(|(name, _)| name.clone())).collect();
                at = path(&tokens, at, here, &mut found);
            }
            _ => at += 1,
        }
    }
    found
}

/// One path, or a group of them, that goes on from `base`; where the text goes on after it.
fn path(tokens: &[&str], mut at: usize, mut base: Vec<String>, found: &mut BTreeSet<String>) -> usize {
    loop {
        match tokens.get(at) {
            Some(&"{") => {
                at += 1;
                while tokens.get(at).is_some_and(|token| *token != "}") {
                    let before = at;
                    at = path(tokens, at, base.clone(), found);
                    at += if tokens.get(at) == Some(&"as") { 2 } else { 0 };
                    at += usize::from(at == before || tokens.get(at) == Some(&","));
                }
                return at + 1;
            }
            Some(&"crate") => base.clear(),
            Some(&"super") => drop(base.pop()),
            Some(&"self") => {}
            Some(word) if *word == "*" || word.starts_with(|c: char| c.is_alphanumeric() || c == '_') => {
                base.push((*word).to_owned());
            }
            _ => break,
        }
        at += 1;
        if tokens.get(at) != Some(&"::") {
            break;
        }
        at += 1;
    }
    found.insert(base.join("::"));
    at
}

#[test]
fn paths_are_found_in_whatever_form_they_stand() {
    let raw = "const RAW: &str = r#\"crate::no::raw \"quoted\"\"#;";
    let code = r#"
        //! crate::no::remark
        use super::{exec, http::{self, Call as C}, self};
        use crate::steps::{
            delete,
            gate::*,
        };
        pub(in crate::steps) fn f() -> super::probe::Probe { let a = "crate::no::text"; crate::world::look('"', '{') }
        mod tests {
            use super::*;
            use super::super::park;
        }
        fn g() { self::inner::h(); super::revoke::x() }
    "#;
    let module = ["steps", "wait_for"].map(str::to_owned);
    let found = paths(&module, &format!("{raw}{code}"));
    let expected = [
        "steps",
        "steps::delete",
        "steps::exec",
        "steps::gate::*",
        "steps::http",
        "steps::http::Call",
        "steps::park",
        "steps::probe::Probe",
        "steps::revoke::x",
        "steps::wait_for::*",
        "steps::wait_for::inner::h",
        "world::look",
    ];
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    assert_eq!(found, expected);
}

#[test]
fn files_are_found_alone_and_in_folders() {
    let names = |room: &str| files(room).len();
    assert!(names("steps/wait_for") > 3 && names("steps/delete") == 1 && names("steps/no_such_room") == 0);
}

//! The rooms of the program and what keeps them apart: the order in which they may use each other, and how a source file's
//! uses are found, for the tests that hold it.
//!
//! A use is every path from `crate`, `super` or `self`, alone or out of a group, in a `use` or in the middle of a line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Every room, the highest first. A room uses what stands after it, never what stands before it.
const ROOMS: &[&str] = &[
    "cli",
    "render",
    "sandbox",
    "engine",
    "plan",
    "runbook",
    "status",
    "steps",
    "world",
    "link",
    "kit",
    "event",
    "journal",
    "host",
    "cost",
    "finding",
    "change",
    "saved",
    "found",
    "script",
    "guarded",
    "yaml",
    "refusal",
    "duration",
    "limits",
    "error",
    "process",
    "bounded",
    "descriptors",
    "shell",
    "words",
];

/// Every path that a file of `src` uses, from the crate's root on, such as `steps::gate::ways`; a glob ends in `*`.
pub(crate) fn used(file: &Path) -> BTreeSet<String> {
    let scanned = scan(&module(file), &std::fs::read_to_string(file).unwrap(), Tests::Too);
    scanned.uses.into_iter().map(|used| used.path.join("::")).collect()
}

/// Every source file under this folder of `src` or beside it under its name: `a.rs`, `a/mod.rs`, `a/b.rs`.
pub(crate) fn files(room: &str) -> Vec<PathBuf> {
    let at = src().join(room);
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

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// A module by its path from the crate's root, which is empty.
type Name = Vec<String>;

/// The module that a file is.
fn module(file: &Path) -> Name {
    let inside = file.strip_prefix(src()).unwrap().with_extension("");
    let mut words: Name = inside.iter().map(|word| word.to_str().unwrap().to_owned()).collect();
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

/// Whether what is built for tests alone counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tests {
    Too,
    Not,
}

#[derive(Default)]
struct Scanned {
    uses: Vec<Used>,
    /// The modules that it declares and that are files of their own.
    children: Vec<String>,
}

struct Used {
    path: Name,
    /// What it is called here, where an import says so.
    imported: Option<String>,
}

fn scan(module: &[String], text: &str, tests: Tests) -> Scanned {
    let tokens = tokens(text);
    let mut scanned = Scanned::default();
    // Modules inside the file, with the depth of braces at which each began.
    let (mut inside, mut depth): (Vec<(String, usize)>, usize) = (Vec::new(), 0);
    let mut at = 0;
    while at < tokens.len() {
        let rest = &tokens[at..];
        if tests == Tests::Not && rest.starts_with(&["#", "[", "cfg", "(", "test", ")", "]"]) {
            at += 7 + item(&rest[7..]);
            continue;
        }
        match (tokens[at], tokens.get(at + 1), tokens.get(at + 2)) {
            ("mod", Some(name), Some(&";")) => {
                scanned.children.push((*name).to_owned());
                at += 3;
            }
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
            (word, next, _) => {
                let import = at > 0 && tokens[at - 1] == "use";
                // Not in the middle of a path, and no word of visibility.
                let from_here = matches!(word, "crate" | "super" | "self")
                    && next == Some(&"::")
                    && (at == 0 || tokens[at - 1] != "::");
                if from_here || import {
                    let here: Name =
                        module.iter().cloned().chain(inside.iter().map(|(name, _)| name.clone())).collect();
                    let mut found = Vec::new();
                    at = path(&tokens, at, here, &mut found);
                    let kept = |(path, name): (Name, String)| Used { path, imported: import.then_some(name) };
                    scanned.uses.extend(found.into_iter().map(kept));
                } else {
                    at += 1;
                }
            }
        }
    }
    scanned
}

/// How many words an item has, its attributes before it.
fn item(tokens: &[&str]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while tokens.get(at..at + 2).is_some_and(|two| two == ["#", "["]) {
        at += tokens[at..].iter().position(|token| *token == "]").map_or(tokens.len(), |end| end + 1);
    }
    while let Some(token) = tokens.get(at) {
        at += 1;
        match *token {
            "{" => depth += 1,
            "}" if depth == 1 => break,
            "}" => depth -= 1,
            ";" if depth == 0 => break,
            _ => {}
        }
    }
    at
}

/// One path, or a group of them, that goes on from `base`; where the text goes on after it.
fn path(tokens: &[&str], mut at: usize, mut base: Name, found: &mut Vec<(Name, String)>) -> usize {
    loop {
        match tokens.get(at) {
            Some(&"{") => {
                at += 1;
                while tokens.get(at).is_some_and(|token| *token != "}") {
                    let before = at;
                    at = path(tokens, at, base.clone(), found);
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
    let renamed = (tokens.get(at) == Some(&"as")).then(|| tokens.get(at + 1)).flatten();
    let name = renamed.map(|name| (*name).to_owned()).or_else(|| base.last().cloned()).unwrap_or_default();
    found.push((base, name));
    at + if renamed.is_some() { 2 } else { 0 }
}

/// The program as it is built, without its tests: which module uses which, and by what name.
struct Program {
    modules: BTreeMap<Name, Scanned>,
}

impl Program {
    fn read() -> Self {
        let mut modules = BTreeMap::new();
        let mut open = vec![(Name::new(), src().join("lib.rs"))];
        while let Some((name, file)) = open.pop() {
            let scanned = scan(&name, &std::fs::read_to_string(&file).unwrap(), Tests::Not);
            for child in &scanned.children {
                let inside = name.iter().fold(src(), |at, word| at.join(word)).join(child);
                let files = [inside.with_extension("rs"), inside.join("mod.rs")];
                let file = files.into_iter().find(|file| file.is_file()).unwrap_or_else(|| panic!("{name:?} {child}"));
                open.push((name.iter().cloned().chain([child.clone()]).collect(), file));
            }
            modules.insert(name, scanned);
        }
        Self { modules }
    }

    /// The module that holds what a path names, wherever it is only handed on from.
    fn holder(&self, path: &[String], depth: usize) -> Option<Name> {
        let mut length = path.len();
        while !self.modules.contains_key(&path[..length]) {
            length -= 1;
        }
        let (found, rest) = path.split_at(length);
        let handed_on = rest.first().and_then(|name| {
            let uses = &self.modules[found].uses;
            let import = uses.iter().find(|used| used.imported.as_ref() == Some(name) && used.path != path)?;
            let whole: Name = import.path.iter().chain(&rest[1..]).cloned().collect();
            (depth < 6).then(|| self.holder(&whole, depth + 1)).flatten()
        });
        handed_on.or_else(|| (length > 0).then(|| found.to_vec()))
    }

    /// From which module to which, with what is used.
    fn arrows(&self) -> BTreeMap<(Name, Name), BTreeSet<String>> {
        let mut arrows: BTreeMap<(Name, Name), BTreeSet<String>> = BTreeMap::new();
        for (from, scanned) in &self.modules {
            for used in &scanned.uses {
                if let Some(to) = self.holder(&used.path, 0).filter(|to| to != from && !from.is_empty()) {
                    arrows.entry((from.clone(), to)).or_default().insert(used.path.join("::"));
                }
            }
        }
        arrows
    }
}

/// Whatever can reach itself again.
fn circles(arrows: &BTreeSet<(String, String)>) -> BTreeSet<String> {
    let reached = |from: &str| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from.to_owned()];
        while let Some(at) = open.pop() {
            for (_, to) in arrows.iter().filter(|(from, _)| *from == at) {
                if seen.insert(to.clone()) {
                    open.push(to.clone());
                }
            }
        }
        seen
    };
    let all: BTreeSet<&String> = arrows.iter().map(|(from, _)| from).collect();
    all.into_iter().filter(|name| reached(name).contains(*name)).cloned().collect()
}

#[test]
fn every_room_has_its_place() {
    let program = Program::read();
    let rooms: BTreeSet<&str> =
        program.modules.keys().filter(|name| name.len() == 1).map(|it| it[0].as_str()).collect();
    assert_eq!(rooms, ROOMS.iter().copied().collect());
    assert_eq!(rooms.len(), ROOMS.len());
}

#[test]
fn no_room_uses_one_above_it() {
    let place = |room: &str| ROOMS.iter().position(|it| *it == room).unwrap();
    let mut up = Vec::new();
    for ((from, to), what) in Program::read().arrows() {
        if place(&to[0]) < place(&from[0]) {
            up.push(format!("{} uses {what:?}", from.join("/")));
        }
    }
    assert!(up.is_empty(), "{up:#?}");
}

/// A folder's own file holds what its files share, so the two may use each other; any other circle is none of a tree.
#[test]
fn no_files_use_each_other_in_a_circle() {
    let program = Program::read();
    let arrows = program.arrows();
    let apart = |(from, to): &(Name, Name)| !from.starts_with(to) && !to.starts_with(from);
    let between = arrows.keys().filter(|arrow| apart(arrow)).map(|(from, to)| (from.join("/"), to.join("/"))).collect();
    assert_eq!(circles(&between), BTreeSet::new());
    assert!(program.modules.len() > 150, "{}", program.modules.len());
}

/// What verbs share stands in `common`, which knows none of them.
#[test]
fn no_verb_uses_another() {
    let mut found = Vec::new();
    for ((from, to), what) in Program::read().arrows() {
        let [(room, verb), (other_room, other)] =
            [&from, &to].map(|it| (it[0].as_str(), it.get(1).map(String::as_str)));
        let verbs = room == "cli" && other_room == "cli" && verb.is_some() && other.is_some();
        if verbs && verb != other && other != Some("common") {
            found.push(format!("{} uses {what:?}", from.join("/")));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Ways round a border that tests may go and the program may not: what it is called, and the only files that have it. The
/// borders that hold for tests, too, are in `clippy.toml`.
const DOORS: &[(&str, &[&str])] = &[
    // A child gets the limits that we were started with: `descriptors::command`.
    ("std::process::Command", &[]),
    // A task that nobody waits for outlives the run that began it; the practice cluster ends with its process.
    ("tokio::spawn", &["sandbox/api", "sandbox/ssh"]),
];

#[test]
fn no_door_stands_beside_a_border() {
    for (door, known) in DOORS {
        let words: Vec<&str> = door.split("::").flat_map(|word| ["::", word]).skip(1).collect();
        let having: BTreeSet<String> = Program::read()
            .modules
            .keys()
            .filter(|name| {
                let inside = name.iter().fold(src(), |at, word| at.join(word));
                let files = [inside.with_extension("rs"), inside.join("mod.rs"), inside.join("lib.rs")];
                let file = files.into_iter().find(|file| file.is_file()).unwrap();
                let text = std::fs::read_to_string(file).unwrap();
                built(&tokens(&text)).windows(words.len()).any(|window| window == words)
            })
            .map(|name| name.join("/"))
            .collect();
        let known: BTreeSet<String> = known.iter().map(|file| (*file).to_owned()).collect();
        assert_eq!(having, known, "{door}");
    }
}

/// The words of a text without what is built for tests alone.
fn built<'a>(tokens: &[&'a str]) -> Vec<&'a str> {
    let (mut at, mut kept) = (0, Vec::new());
    while at < tokens.len() {
        if tokens[at..].starts_with(&["#", "[", "cfg", "(", "test", ")", "]"]) {
            at += 7 + item(&tokens[at + 7..]);
        } else {
            kept.push(tokens[at]);
            at += 1;
        }
    }
    kept
}

#[test]
fn a_circle_is_found_however_long_it_is() {
    let arrow = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    let straight = BTreeSet::from([arrow("a", "b"), arrow("b", "c"), arrow("a", "c")]);
    assert_eq!(circles(&straight), BTreeSet::new());
    let round = straight.into_iter().chain([arrow("c", "d"), arrow("d", "b")]).collect();
    assert_eq!(circles(&round), ["b", "c", "d"].map(str::to_owned).into());
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
        #[cfg(test)]
        mod tests {
            use super::*;
            use super::super::park;
        }
        fn g() { self::inner::h(); super::revoke::x() }
    "#;
    let module = ["steps", "wait_for"].map(str::to_owned);
    let found = |tests: Tests| -> BTreeSet<String> {
        let uses = scan(&module, &format!("{raw}{code}"), tests).uses;
        uses.into_iter().map(|used| used.path.join("::")).collect()
    };
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
    let expected: BTreeSet<String> = expected.map(str::to_owned).into();
    assert_eq!(found(Tests::Too), expected);
    let of_tests = ["steps::park", "steps::wait_for::*"].map(str::to_owned);
    assert_eq!(found(Tests::Not), &expected - &of_tests.into());
}

#[test]
fn files_are_found_alone_and_in_folders() {
    let names = |room: &str| files(room).len();
    assert!(names("steps/wait_for") > 3 && names("steps/delete") == 1 && names("steps/no_such_room") == 0);
}

//! Whatever hints, errors, help and documents tell people to type is a command that the program takes.

use std::fs;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;

use crate::runbook::builtin::BUILTINS;

/// How a command stands in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// To be typed as it stands: a hint, or a line of a block of code.
    Whole,
    /// In a sentence, between backticks: what it is about may be left out.
    Named,
}

#[derive(Debug)]
struct Typed {
    at: String,
    words: Vec<String>,
    form: Form,
}

fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.extension().is_some_and(|ext| ext == ending) {
            found.push(path);
        }
    }
}

/// The words of a command up to where the sentence goes on: subcommands, flags with their values, runbooks of the binary, and
/// names in capitals, braces or with a sign in them. In code, everything is a word.
fn words(text: &str, whole: bool) -> Vec<String> {
    let root = super::command("breakglass");
    let mut at = root.clone();
    let mut words = vec!["breakglass".to_owned()];
    let mut values = 0;
    for raw in text.split_whitespace().skip(1) {
        let open = at.has_subcommands() && words.iter().all(|word| !word.starts_with('-'));
        let name = raw.starts_with(|c: char| c.is_ascii_uppercase() || "{<".contains(c))
            || raw.contains(['/', '='])
            || raw == "last"
            || BUILTINS.iter().any(|runbook| runbook.name == raw);
        let flag = raw.starts_with('-');
        if !whole && !open && !flag && !name && values == 0 {
            break;
        }
        values = match raw.strip_prefix("--") {
            Some(long) if !long.contains('=') => {
                let takes = at.get_arguments().chain(root.get_arguments()).find(|arg| arg.get_long() == Some(long));
                takes.map_or(0, |arg| usize::from(arg.get_action().takes_values()))
            }
            _ if flag => 1,
            _ => 0,
        };
        words.push(filled(raw));
        match at.find_subcommand(raw).cloned().filter(|_| open) {
            Some(below) => at = below,
            // No such verb; the rest can only be guessed at.
            None if open && !flag => break,
            None => {}
        }
    }
    words
}

/// With something in the place of braces, a number where they say so.
fn filled(word: &str) -> String {
    match word.split_once('{') {
        Some((before, rest)) => {
            let (name, after) = rest.split_once('}').unwrap_or((rest, ""));
            format!("{before}{}{after}", if name == "number" { "1" } else { "x" })
        }
        None => word.to_owned(),
    }
}

/// Every `breakglass …` in one line of a text, up to one of these signs.
fn cut<'a>(line: &'a str, ends: &'a [char]) -> impl Iterator<Item = &'a str> {
    line.match_indices("breakglass ").map(move |(start, _)| {
        let rest = &line[start..];
        rest.find(ends).map_or(rest, |end| &rest[..end])
    })
}

/// What is between backticks, and begins with the program's name.
fn named(at: &str, line: &str, all: &mut Vec<Typed>) {
    for text in line.split('`').skip(1).step_by(2).filter(|text| text.starts_with("breakglass ")) {
        all.push(Typed { at: at.to_owned(), words: words(text, true), form: Form::Named });
    }
}

fn in_document(path: &Path, all: &mut Vec<Typed>) {
    let mut fenced = false;
    for (number, line) in fs::read_to_string(path).unwrap().lines().enumerate() {
        let at = format!("{}:{}", path.display(), number + 1);
        fenced ^= line.starts_with("```");
        let typed = line.trim_start().trim_start_matches("$ ");
        if (fenced || line.starts_with("    ")) && typed.starts_with("breakglass ") {
            // A remark stands apart; of alternatives, each is a command.
            let command = typed.split("   ").next().unwrap_or_default();
            for text in command.split('|').map(|text| text.trim().trim_start_matches("breakglass ")) {
                let words = words(&format!("breakglass {text}"), true);
                all.push(Typed { at: at.clone(), words, form: Form::Whole });
            }
        }
        named(&at, line, all);
    }
}

/// The lines of a source with their numbers; a string that goes on in the next line is one.
fn joined(program: &str) -> Vec<(usize, String)> {
    let (mut lines, mut goes_on) = (Vec::<(usize, String)>::new(), false);
    for (number, line) in program.lines().enumerate() {
        let ends = |text: &&str| line.trim_start().starts_with("//") || text.ends_with("\\n");
        let text = line.strip_suffix('\\').filter(|text| !ends(text));
        match lines.last_mut().filter(|_| goes_on) {
            Some((_, last)) => last.push_str(text.unwrap_or(line).trim_start()),
            None => lines.push((number, text.unwrap_or(line).to_owned())),
        }
        goes_on = text.is_some();
    }
    lines
}

/// What a conversation that is kept as a test tells people to type.
fn in_transcript(path: &Path, all: &mut Vec<Typed>) {
    for (number, line) in fs::read_to_string(path).unwrap().lines().enumerate() {
        let at = format!("{}:{}", path.display(), number + 1);
        if let Some(hint) = line.strip_prefix("hint: ") {
            named(&at, hint, all);
        }
        let next = line.trim_start().strip_prefix("next ").map(str::trim_start);
        if let Some(command) = next.filter(|text| text.starts_with("breakglass ")) {
            all.push(Typed { at, words: words(command, true), form: Form::Whole });
        }
    }
}

/// Flags of the other programs that people are told to run.
const FOREIGN: &[(&str, &str)] = &[
    ("kubectl", "--clusterrole"),
    ("kubectl", "--grace-period"),
    ("kubectl", "--no-headers"),
    ("kubectl", "--raw"),
    ("kubectl", "--replicas"),
    ("kubectl", "--serviceaccount"),
    ("kubectl", "--show-labels"),
    ("kubectl", "--timeout"),
    ("kubectl", "--show-managed-fields"),
    ("kubectl", "--type"),
    ("kubectl", "--wait"),
    ("kube-apiserver", "--admission-control-config-file"),
    ("kube-controller-manager", "--controllers"),
    ("crictl", "--name"),
    ("kubeadm", "--client-name"),
    ("kubeadm", "--org"),
    ("kubeadm", "--validity-period"),
    ("curl", "--data-binary"),
];

/// Every long flag in the strings of a source, with its place.
fn flags(path: &Path, found: &mut Vec<(String, String)>) {
    let text = fs::read_to_string(path).unwrap();
    let program = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    for (number, line) in joined(program) {
        if line.trim_start().starts_with("//") {
            continue;
        }
        // What stands between quotes; one that is escaped is no end.
        let line = line.replace("\\\"", "'");
        for string in line.split('"').skip(1).step_by(2) {
            for word in string.split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '-') {
                if word.strip_prefix("--").is_some_and(|name| name.starts_with(|c: char| c.is_ascii_lowercase())) {
                    found.push((format!("{}:{}", path.display(), number + 1), word.to_owned()));
                }
            }
        }
    }
}

fn in_source(path: &Path, all: &mut Vec<Typed>) {
    let text = fs::read_to_string(path).unwrap();
    let program = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let verbs = super::command("breakglass");
    for (number, line) in joined(program) {
        let line = line.as_str();
        let at = format!("{}:{}", path.display(), number + 1);
        if line.trim_start().starts_with("//") {
            named(&at, line, all);
            continue;
        }
        // A line of an announcement that stands alone.
        let whole = line.trim_start().starts_with("\\x20 ");
        for text in cut(line, &['"', '`', ';', ',', '(', ')', '\\']) {
            // Elsewhere the program is spoken of.
            if text.split_whitespace().nth(1).is_some_and(|word| verbs.find_subcommand(word).is_some()) {
                all.push(Typed { at: at.clone(), words: words(text, whole), form: Form::Whole });
            }
        }
    }
}

fn all() -> Vec<Typed> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut documents, mut sources) = (vec![root.join("README.md"), root.join("CHANGELOG.md")], Vec::new());
    files(&root.join("docs"), "md", &mut documents);
    files(&root.join("runbooks"), "yaml", &mut documents);
    files(&root.join("src"), "rs", &mut sources);
    sources.retain(|path| {
        let path = path.to_string_lossy();
        !path.ends_with("tests.rs") && !path.contains("/tests/") && !path.ends_with("cli/typed.rs")
    });
    let mut all = Vec::new();
    documents.iter().for_each(|path| in_document(path, &mut all));
    let mut transcripts = Vec::new();
    files(&root.join("tests/cmd"), "md", &mut transcripts);
    transcripts.iter().for_each(|path| in_transcript(path, &mut all));
    sources.iter().for_each(|path| in_source(path, &mut all));
    all
}

fn fault(typed: &Typed) -> Option<String> {
    let error = super::command("breakglass").try_get_matches_from(&typed.words).err()?;
    let about = matches!(
        error.kind(),
        ErrorKind::MissingRequiredArgument
            | ErrorKind::MissingSubcommand
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    let fine = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let what = error.to_string();
    let line = || what.lines().take(3).collect::<Vec<_>>().join(" ");
    let passes = fine || about && typed.form == Form::Named;
    (!passes).then(|| format!("{}: {}: {}", typed.at, typed.words.join(" "), line()))
}

#[test]
fn what_people_are_told_to_type_is_taken() {
    let all = all();
    let faults: Vec<String> = all.iter().filter_map(fault).collect();
    assert!(all.len() > 60, "only {} were found", all.len());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A flag that stands alone in a sentence is one of some verb's, or of the program that is named there. What runs on hosts is
/// no hint.
#[test]
fn every_flag_that_is_spoken_of_is_one() {
    fn long(command: &clap::Command, all: &mut Vec<String>) {
        all.extend(command.get_arguments().filter_map(|arg| arg.get_long()).map(|name| format!("--{name}")));
        command.get_subcommands().for_each(|below| long(below, all));
    }
    let (mut ours, mut sources, mut found) = (vec!["--help".into(), "--version".into()], Vec::new(), Vec::new());
    long(&super::command("breakglass"), &mut ours);
    for room in ["cli", "engine", "journal", "kit", "link", "render", "runbook", "status", "steps", "world"] {
        files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room), "rs", &mut sources);
    }
    sources.retain(|path| {
        let path = path.to_string_lossy();
        !path.ends_with("tests.rs") && !path.contains("tests/") && !path.ends_with("cli/typed.rs")
    });
    sources.iter().for_each(|path| flags(path, &mut found));
    let foreign = |flag: &str| FOREIGN.iter().any(|(_, known)| *known == flag);
    let unknown: Vec<_> = found.iter().filter(|(_, flag)| !ours.contains(flag) && !foreign(flag)).collect();
    assert!(found.len() > 60, "only {} were found", found.len());
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn a_command_ends_where_the_sentence_goes_on() {
    for (text, expected) in [
        ("breakglass gate open tries again", "breakglass gate open"),
        ("breakglass gate status --targets {} now", "breakglass gate status --targets x"),
        ("breakglass undo {run} takes it back", "breakglass undo x"),
        ("breakglass gate close --plan prints them", "breakglass gate close --plan"),
        ("breakglass kit shwo names them", "breakglass kit shwo"),
    ] {
        assert_eq!(words(text, false).join(" "), expected);
    }
    let typed = |text: &str, form| Typed { at: String::new(), words: words(text, false), form };
    assert!(fault(&typed("breakglass kit shwo names them", Form::Named)).is_some());
    assert!(fault(&typed("breakglass undo", Form::Whole)).is_some());
    assert!(fault(&typed("breakglass undo", Form::Named)).is_none());
}

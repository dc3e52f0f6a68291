//! One value of a YAML or JSON text set, added or removed, and every other byte left as it is.
//!
//! `None` where the text is laid out in a way that is not known here. What comes out is parsed and compared by the caller:
//! nothing in here has to be trusted.

use std::ops::Range;

use serde_json::Value;

use crate::yaml::{Key, Node, Tree};

/// Sets the value at a path; maps that are missing on the way are made.
pub(super) fn set(text: &str, root: &Node, path: &[&str], value: &str) -> Option<String> {
    let (mut node, mut parent, mut flow) = (root, None, is_flow(text, root));
    for (depth, word) in path.iter().enumerate() {
        let rest = &path[depth..];
        match &node.tree {
            Tree::Map(_) if is_alias(text, node) => return Some(replace(text, node, &filled(node, rest, value))),
            Tree::Map(entries) => match entries.iter().find(|(key, _)| key.word == *word) {
                Some((key, child)) => (node, parent) = (child, Some(key)),
                None => return add(text, node, parent, flow, rest, value),
            },
            Tree::List(items) => (node, parent) = (items.get(word.parse::<usize>().ok()?)?, None),
            Tree::Null => return fill(text, node, parent?, &nested(rest, value)),
            Tree::Bool(_) | Tree::Number(_) | Tree::String(_) | Tree::Hole => return None,
        }
        flow |= is_flow(text, node);
    }
    match &node.tree {
        Tree::Null => fill(text, node, parent?, &quoted(value)),
        Tree::Bool(_) | Tree::Number(_) | Tree::String(_) => {
            let token = &text[token(text, node)];
            if token.starts_with(['|', '>']) {
                return None;
            }
            let quotes = flow || token.starts_with(['"', '\'']);
            Some(replace(text, node, &if quotes { quoted(value) } else { scalar(value) }))
        }
        Tree::List(_) | Tree::Map(_) | Tree::Hole => None,
    }
}

/// Adds a text at the end of the list at a path.
pub(super) fn push(text: &str, root: &Node, path: &[&str], value: &str) -> Option<String> {
    let (list, flow) = walk(text, root, path)?;
    let last = list.items().last()?;
    let end = token(text, last).end;
    if flow {
        return Some(splice(text, end..end, &format!(", {}", quoted(value))));
    }
    let start = line_start(text, last.bytes.start);
    let dash = text[start..last.bytes.start].find('-')?;
    let indent = &text[start..start + dash];
    if !indent.chars().all(|c| c == ' ') {
        return None;
    }
    let line = format!("{indent}- {}", scalar(value));
    Some(insert_line(text, next_line(text, end), &line))
}

/// Puts a map before the first item of the list at a path; a remark above that item stays above it.
pub(super) fn put_first(text: &str, root: &Node, path: &[&str], map: &Value) -> Option<String> {
    let (list, _) = walk(text, root, path)?;
    let first = list.items().first()?;
    // A list of dashes may begin with an item in brackets, and then its own beginning is that of the item.
    let start = line_start(text, first.bytes.start);
    let before = &text[start..first.bytes.start];
    let indent = before.trim_end().strip_suffix('-').filter(|indent| indent.bytes().all(|b| b == b' '));
    let Some(indent) = indent else {
        let bracket = text[list.bytes.start..first.bytes.start].find('[')?;
        let at = list.bytes.start + bracket + 1;
        return Some(splice(text, at..at, &format!("{map}, ")));
    };
    let mut lines = Vec::new();
    written(map, 0, &mut lines);
    let lines: String = lines
        .iter()
        .enumerate()
        .map(|(at, line)| format!("{indent}{}{line}{}", if at == 0 { "- " } else { "  " }, ending(text)))
        .collect();
    Some(splice(text, start..start, &lines))
}

/// A map of texts, switches and such maps, line by line.
fn written(map: &Value, depth: usize, lines: &mut Vec<String>) {
    let spaces = "  ".repeat(depth);
    for (key, value) in map.as_object().into_iter().flatten() {
        match value {
            Value::Object(_) => {
                lines.push(format!("{spaces}{key}:"));
                written(value, depth + 1, lines);
            }
            Value::String(text)
                if text.bytes().all(|b| b.is_ascii_alphabetic() || b"/-".contains(&b)) && !text.starts_with('-') =>
            {
                lines.push(format!("{spaces}{key}: {text}"));
            }
            other => lines.push(format!("{spaces}{key}: {other}")),
        }
    }
}

/// Removes the entry or item at a path, with its line and the remark on it.
pub(super) fn remove(text: &str, root: &Node, path: &[&str]) -> Option<String> {
    let (last, above) = path.split_last()?;
    let (holder, flow) = walk(text, root, above)?;
    let (at, spans): (usize, Vec<Range<usize>>) = match &holder.tree {
        Tree::Map(entries) => (
            entries.iter().position(|(key, _)| key.word == *last)?,
            entries.iter().map(|(key, node)| key.bytes.start..token(text, node).end.max(key.bytes.end)).collect(),
        ),
        Tree::List(items) => (last.parse().ok()?, items.iter().map(|item| token(text, item)).collect()),
        Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::String(_) | Tree::Hole => return None,
    };
    let span = spans.get(at)?.clone();
    if flow {
        let range = match (spans.get(at + 1), at.checked_sub(1).map(|before| &spans[before])) {
            (Some(next), _) => span.start..next.start,
            (None, Some(before)) => before.end..span.end,
            (None, None) => span,
        };
        return Some(splice(text, range, ""));
    }
    let range = line_start(text, span.start)..next_line(text, span.end);
    let before = text[range.start..span.start].trim();
    let after = text[span.end..range.end].trim();
    if !(before.is_empty() || before == "-") || !(after.is_empty() || after.starts_with('#')) {
        return None;
    }
    let without = splice(text, range, "");
    if spans.len() > 1 {
        return Some(without);
    }
    // What stays of a map must say that it is empty, or it would be nothing.
    let (name, above) = above.split_last()?;
    let (outer, _) = walk(text, root, above)?;
    let (key, _) = outer.entries().iter().find(|(key, _)| key.word == *name)?;
    let colon = key.bytes.end + text[key.bytes.end..].find(':')? + 1;
    Some(splice(&without, colon..colon, " {}"))
}

/// The node at a path, and whether it stands in brackets.
fn walk<'a>(text: &str, root: &'a Node, path: &[&str]) -> Option<(&'a Node, bool)> {
    let (mut node, mut flow) = (root, is_flow(text, root));
    for word in path {
        node = match &node.tree {
            Tree::List(items) => items.get(word.parse::<usize>().ok()?)?,
            Tree::Map(_) => node.get(word)?,
            Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::String(_) | Tree::Hole => return None,
        };
        flow |= is_flow(text, node);
    }
    Some((node, flow))
}

/// Adds an entry to a map: behind its opening bracket, below its own key, or before an entry that is not its first.
fn add(text: &str, map: &Node, parent: Option<&Key>, flow: bool, path: &[&str], value: &str) -> Option<String> {
    let entries = map.entries();
    if flow {
        let at = map.bytes.start + text[map.bytes.clone()].find('{').unwrap_or(0) + 1;
        let inner = nested(path, value);
        let inner = inner.strip_prefix('{')?.strip_suffix('}')?;
        let comma = if entries.is_empty() { "" } else { ", " };
        return Some(splice(text, at..at, &format!("{inner}{comma}")));
    }
    let (first, _) = entries.first()?;
    let indent = first.bytes.start - line_start(text, first.bytes.start);
    let at = if let Some(key) = parent {
        next_line(text, key.bytes.end)
    } else {
        let starts: Vec<usize> = entries.iter().skip(1).map(|(key, _)| line_start(text, key.bytes.start)).collect();
        // A remark belongs to the line below it.
        let remark = |at: usize| text[..at].lines().next_back().is_some_and(|line| line.trim_start().starts_with('#'));
        *starts.iter().rev().find(|at| !remark(**at)).or(starts.last())?
    };
    let mut lines = String::new();
    for (depth, word) in path.iter().enumerate() {
        let spaces = " ".repeat(indent + 2 * depth);
        if depth + 1 < path.len() {
            lines.push_str(&format!("{spaces}{word}:{}", ending(text)));
        } else {
            lines.push_str(&format!("{spaces}{word}: {}", scalar(value)));
        }
    }
    Some(insert_line(text, at, &lines))
}

/// Puts a value where a key has none.
fn fill(text: &str, null: &Node, key: &Key, value: &str) -> Option<String> {
    if !text[token(text, null)].is_empty() && null.bytes.start > key.bytes.end {
        return Some(replace(text, null, value));
    }
    let colon = key.bytes.end + text[key.bytes.end..].find(':')? + 1;
    Some(splice(text, colon..colon, &format!(" {value}")))
}

/// A map written out in place of its alias, with one more value.
fn filled(map: &Node, path: &[&str], value: &str) -> String {
    let mut json = map.to_json();
    let mut slot = &mut json;
    for word in path {
        if !slot.is_object() {
            *slot = Value::Object(serde_json::Map::new());
        }
        slot = &mut slot[*word];
    }
    *slot = Value::from(value);
    json.to_string()
}

/// A value in the maps of its path, in brackets: right in YAML and in JSON.
fn nested(path: &[&str], value: &str) -> String {
    path.iter().rev().fold(quoted(value), |inner, word| format!("{{{}: {inner}}}", quoted(word)))
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A string as YAML: bare when it cannot be taken for anything else, else as a JSON string.
fn scalar(text: &str) -> String {
    let quantity = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let quantity = quantity.len() < text.len()
        && quantity.starts_with(|c: char| c.is_ascii_digit())
        && matches!(&text[quantity.len()..], "m" | "k" | "M" | "G" | "T" | "Ki" | "Mi" | "Gi" | "Ti")
        && quantity.chars().all(|c| c.is_ascii_digit() || c == '.');
    let flag = text.starts_with("--") && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=,*".contains(c));
    if quantity || (flag && text.len() > 3) { text.to_owned() } else { quoted(text) }
}

fn is_flow(text: &str, node: &Node) -> bool {
    matches!(node.tree, Tree::Map(_) | Tree::List(_)) && text[node.bytes.start..].starts_with(['{', '['])
}

fn is_alias(text: &str, node: &Node) -> bool {
    text[node.bytes.start..].starts_with('*')
}

/// The bytes of a scalar, without blanks behind it.
fn token(text: &str, node: &Node) -> Range<usize> {
    node.bytes.start..node.bytes.start + text[node.bytes.clone()].trim_end().len()
}

fn replace(text: &str, node: &Node, with: &str) -> String {
    splice(text, token(text, node), with)
}

fn splice(text: &str, range: Range<usize>, with: &str) -> String {
    [&text[..range.start], with, &text[range.end..]].concat()
}

/// A line put before the one at `at`; the last line of a text may lack its end.
fn insert_line(text: &str, at: usize, line: &str) -> String {
    let end = ending(text);
    if at == text.len() && !text.ends_with('\n') {
        return format!("{text}{end}{line}");
    }
    splice(text, at..at, &format!("{line}{end}"))
}

fn ending(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

fn next_line(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |newline| at + newline + 1)
}

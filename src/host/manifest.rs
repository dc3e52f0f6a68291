//! Static-pod manifest surgery: resources and flags of one container, as few lines changed as can be.
//!
//! The text is edited line by line so that comments and order stay, then parsed and compared with what was wanted; an
//! edit that did not come out exactly so is thrown away and the document is written anew from its values instead.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// What to change in a container. `None` as a value removes the entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edit {
    /// Resource requests: `cpu`, `memory` to a quantity.
    pub requests: BTreeMap<String, Option<String>>,
    /// Resource limits.
    pub limits: BTreeMap<String, Option<String>>,
    /// Command-line flags without the dashes.
    pub flags: BTreeMap<String, Option<String>>,
}

/// An edited manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The new text.
    pub text: String,
    /// What changed, one phrase each (`limits.memory 2Gi -> 8Gi`); empty when everything was so already.
    pub changes: Vec<String>,
    /// Comments and order were kept.
    pub kept_layout: bool,
}

/// Edits the container whose program is `program` (by base name of its first command word, or by its name).
///
/// # Errors
/// One sentence: no manifest, or no such container.
pub fn edit(text: &str, program: &str, edit: &Edit) -> Result<Edited, String> {
    let before: Value = serde_saphyr::from_str(text).map_err(|e| format!("it is not YAML: {e}"))?;
    let index = container(&before, program)?;
    let mut wanted = before.clone();
    let mut changes = Vec::new();
    let target = wanted.pointer_mut(&format!("/spec/containers/{index}")).ok_or("it has no containers")?;
    for (kind, values) in [("requests", &edit.requests), ("limits", &edit.limits)] {
        set_resources(target, kind, values, &mut changes);
    }
    set_flags(target, &edit.flags, &mut changes)?;
    if changes.is_empty() {
        return Ok(Edited { text: text.to_owned(), changes, kept_layout: true });
    }
    let spliced =
        splice(text, index, edit).filter(|new| serde_saphyr::from_str::<Value>(new).is_ok_and(|after| after == wanted));
    let kept_layout = spliced.is_some();
    let text = match spliced {
        Some(text) => text,
        None => serde_saphyr::to_string(&wanted).map_err(|e| format!("it cannot be written anew: {e}"))?,
    };
    Ok(Edited { text, changes, kept_layout })
}

fn container(manifest: &Value, program: &str) -> Result<usize, String> {
    let containers =
        manifest.pointer("/spec/containers").and_then(Value::as_array).ok_or("it has no spec.containers")?;
    let runs = |container: &Value| {
        let word = container.pointer("/command/0").and_then(Value::as_str).unwrap_or_default();
        word.rsplit('/').next() == Some(program) || container.get("name").and_then(Value::as_str) == Some(program)
    };
    containers.iter().position(runs).ok_or_else(|| format!("none of its containers runs {program}"))
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "unset".into(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn set_resources(
    container: &mut Value,
    kind: &str,
    values: &BTreeMap<String, Option<String>>,
    changes: &mut Vec<String>,
) {
    for (name, value) in values {
        let now = container.pointer(&format!("/resources/{kind}/{name}")).cloned();
        let same = value.as_ref().map_or(now.is_none(), |v| shown(now.as_ref()) == *v);
        if same {
            continue;
        }
        let new = value.as_ref().map(|v| Value::from(v.as_str()));
        changes.push(format!("{kind}.{name} {} -> {}", shown(now.as_ref()), shown(new.as_ref())));
        let group = entry(entry(container, "resources"), kind);
        if let Value::Object(map) = group {
            match new {
                Some(new) => drop(map.insert(name.clone(), new)),
                None => drop(map.remove(name)),
            }
        }
    }
}

fn entry<'a>(value: &'a mut Value, key: &str) -> &'a mut Value {
    if !value.is_object() {
        *value = json!({});
    }
    match value {
        Value::Object(map) => {
            let slot = map.entry(key).or_insert_with(|| Value::Object(Map::new()));
            if slot.is_null() {
                *slot = Value::Object(Map::new());
            }
            slot
        }
        other => other,
    }
}

/// The list that holds the flags: `args` when there are any, else `command`.
fn flag_list(container: &Value) -> Option<&'static str> {
    let has = |key: &str| container.get(key).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    if has("args") { Some("args") } else { has("command").then_some("command") }
}

fn set_flags(
    container: &mut Value,
    flags: &BTreeMap<String, Option<String>>,
    changes: &mut Vec<String>,
) -> Result<(), String> {
    if flags.is_empty() {
        return Ok(());
    }
    let key = flag_list(container).ok_or("its container has neither command nor args")?;
    let Some(Value::Array(list)) = container.get_mut(key) else { return Ok(()) };
    for (flag, value) in flags {
        let is_it = |word: &Value| word.as_str().is_some_and(|word| is_flag(word, flag));
        let at = list.iter().position(is_it);
        let now = at.and_then(|i| list[i].as_str()).map(|word| word.split_once('=').map_or("", |(_, v)| v).to_owned());
        if now == *value {
            continue;
        }
        let show = |v: &Option<String>| v.clone().unwrap_or_else(|| "unset".into());
        changes.push(format!("--{flag} {} -> {}", show(&now), show(value)));
        match (at, value) {
            (Some(i), Some(value)) => list[i] = Value::from(format!("--{flag}={value}")),
            (Some(i), None) => drop(list.remove(i)),
            (None, Some(value)) => list.push(Value::from(format!("--{flag}={value}"))),
            (None, None) => {}
        }
    }
    Ok(())
}

fn is_flag(word: &str, flag: &str) -> bool {
    word.strip_prefix("--")
        .is_some_and(|rest| rest == flag || rest.strip_prefix(flag).is_some_and(|r| r.starts_with('=')))
}

/// A line of block-style YAML: its indent, and its content without a leading `- `.
struct BlockLine<'a> {
    indent: usize,
    dash: bool,
    content: &'a str,
}

fn block(line: &str) -> Option<BlockLine<'_>> {
    let trimmed = line.trim_start_matches(' ');
    if trimmed.is_empty() || trimmed.starts_with('#') {
        return None;
    }
    let indent = line.len() - trimmed.len();
    let dash = trimmed == "-" || trimmed.starts_with("- ");
    let content = if dash { trimmed[1..].trim_start_matches(' ') } else { trimmed };
    Some(BlockLine { indent, dash, content })
}

/// The lines below the one at `head` that belong to it: deeper, or (for a sequence) dashes at the same indent.
fn body(lines: &[String], head: usize, indent: usize) -> std::ops::Range<usize> {
    let mut end = head + 1;
    for (i, line) in lines.iter().enumerate().skip(head + 1) {
        match block(line) {
            None => {}
            Some(b) if b.indent > indent || (b.indent == indent && b.dash) => end = i + 1,
            Some(_) => break,
        }
    }
    head + 1..end
}

/// The line within a range that holds this key at exactly this column.
fn find_key(lines: &[String], range: std::ops::Range<usize>, column: usize, key: &str) -> Option<usize> {
    range.into_iter().find(|i| {
        block(&lines[*i]).is_some_and(|b| {
            let at = lines[*i].len() - b.content.len();
            at == column
                && b.content.strip_prefix(key).is_some_and(|rest| rest.trim_end() == ":" || rest.starts_with(": "))
        })
    })
}

/// The edit on the text's own lines; `None` when the text is not laid out as expected.
fn splice(text: &str, index: usize, edit: &Edit) -> Option<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let all = 0..lines.len();
    let spec = find_key(&lines, all, 0, "spec")?;
    let spec_body = body(&lines, spec, 0);
    let column = spec_body.clone().find_map(|i| block(&lines[i])).map(|b| b.indent)?;
    let containers = find_key(&lines, spec_body, column, "containers")?;
    let list = body(&lines, containers, column);
    let dash = list.clone().find_map(|i| block(&lines[i]).filter(|b| b.dash)).map(|b| b.indent)?;
    let starts: Vec<usize> =
        list.clone().filter(|i| block(&lines[*i]).is_some_and(|b| b.dash && b.indent == dash)).collect();
    let start = *starts.get(index)?;
    let mut end = starts.get(index + 1).copied().unwrap_or(list.end);
    let first = block(&lines[start])?;
    let column = lines[start].len() - first.content.len();
    for (kind, values) in [("requests", &edit.requests), ("limits", &edit.limits)] {
        for (name, value) in values {
            end = splice_resource(&mut lines, start..end, column, [kind, name], value.as_deref())?;
        }
    }
    for (flag, value) in &edit.flags {
        end = splice_flag(&mut lines, start..end, column, flag, value.as_deref())?;
    }
    let mut text = lines.join("\n");
    text.push('\n');
    Some(text)
}

/// Sets or removes `resources.KIND.NAME`; the new end of the container.
fn splice_resource(
    lines: &mut Vec<String>,
    item: std::ops::Range<usize>,
    column: usize,
    [kind, name]: [&str; 2],
    value: Option<&str>,
) -> Option<usize> {
    let mut end = item.end;
    let mut range = item;
    let mut column = column;
    for (depth, key) in ["resources", kind].into_iter().enumerate() {
        let at = match find_key(lines, range.clone(), column, key) {
            Some(at) if lines[at].trim_end().ends_with('}') => return None,
            Some(at) => at,
            None if value.is_none() => return Some(end),
            None => {
                // At the end of what is above it: after the last line that has content.
                let last = range.clone().rev().find(|i| block(&lines[*i]).is_some())?;
                let at = if depth == 0 { last + 1 } else { range.start };
                lines.insert(at, format!("{}{key}:", " ".repeat(column)));
                end += 1;
                at
            }
        };
        range = body(lines, at, column);
        column = range.clone().find_map(|i| block(&lines[i])).map_or(column + 2, |b| b.indent.max(column + 2));
    }
    match (find_key(lines, range.clone(), column, name), value) {
        (Some(at), Some(value)) => lines[at] = format!("{}{name}: {}", " ".repeat(column), scalar(value)),
        (Some(_), None) if range.len() == 1 => return None,
        (Some(at), None) => {
            lines.remove(at);
            end -= 1;
        }
        (None, Some(value)) => {
            lines.insert(range.start, format!("{}{name}: {}", " ".repeat(column), scalar(value)));
            end += 1;
        }
        (None, None) => {}
    }
    Some(end)
}

/// Sets or removes one flag; the new end of the container.
fn splice_flag(
    lines: &mut Vec<String>,
    item: std::ops::Range<usize>,
    column: usize,
    flag: &str,
    value: Option<&str>,
) -> Option<usize> {
    let head = ["args", "command"].into_iter().find_map(|key| find_key(lines, item.clone(), column, key))?;
    let list = body(lines, head, column);
    let words: Vec<usize> = list.filter(|i| block(&lines[*i]).is_some_and(|b| b.dash)).collect();
    let last = *words.last()?;
    let at = words
        .into_iter()
        .find(|i| block(&lines[*i]).is_some_and(|b| is_flag(b.content.trim_matches(['"', '\'']), flag)));
    let indent = block(&lines[last])?.indent;
    let mut end = item.end;
    match (at, value) {
        (Some(at), Some(value)) => {
            lines[at] = format!("{}- {}", " ".repeat(indent), scalar(&format!("--{flag}={value}")));
        }
        (Some(at), None) => {
            lines.remove(at);
            end -= 1;
        }
        (None, Some(value)) => {
            lines.insert(last + 1, format!("{}- {}", " ".repeat(indent), scalar(&format!("--{flag}={value}"))));
            end += 1;
        }
        (None, None) => {}
    }
    Some(end)
}

/// A string as YAML: bare when it cannot be taken for anything else, else as a JSON string.
fn scalar(text: &str) -> String {
    let bare = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '-')
        || (text.starts_with(|c: char| c.is_ascii_digit()) && text.ends_with(|c: char| c.is_ascii_alphabetic()));
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=,".contains(c));
    if bare && plain && text.len() > 1 { text.to_owned() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBEADM: &str = r#"apiVersion: v1
kind: Pod
metadata:
  annotations:
    kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint: 10.0.0.2:6443
  name: kube-apiserver # the one
spec:
  containers:
  - command:
    - kube-apiserver
    - --advertise-address=10.0.0.2
    # tuned last winter
    - --max-requests-inflight=400
    image: registry.k8s.io/kube-apiserver:v1.34.4
    name: kube-apiserver
    resources:
      requests:
        cpu: 250m
    volumeMounts:
    - mountPath: /etc/ssl/certs
      name: ca-certs
  - name: other
    command: ["sleep", "1"]
  hostNetwork: true
"#;

    fn set(pairs: &[(&str, &str)]) -> BTreeMap<String, Option<String>> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), Some((*v).to_owned()))).collect()
    }

    #[test]
    fn only_the_wanted_lines_change() {
        let change = Edit {
            requests: set(&[("cpu", "4")]),
            limits: set(&[("memory", "8Gi")]),
            flags: set(&[("max-requests-inflight", "800"), ("goaway-chance", "0.001")]),
        };
        let edited = edit(KUBEADM, "kube-apiserver", &change).unwrap();
        assert!(edited.kept_layout);
        let before: Vec<&str> = KUBEADM.lines().collect();
        let after: Vec<&str> = edited.text.lines().collect();
        let added: Vec<&&str> = after.iter().filter(|l| !before.contains(l)).collect();
        let gone: Vec<&&str> = before.iter().filter(|l| !after.contains(l)).collect();
        assert_eq!(
            added,
            [
                &"    - --max-requests-inflight=800",
                &"    - --goaway-chance=0.001",
                &"      limits:",
                &"        memory: 8Gi",
                &"        cpu: \"4\"",
            ]
        );
        assert_eq!(gone, [&"    - --max-requests-inflight=400", &"        cpu: 250m"]);
        assert_eq!(edited.changes.len(), 4);
    }

    #[test]
    fn what_is_so_already_changes_nothing() {
        let change = Edit {
            requests: set(&[("cpu", "250m")]),
            flags: set(&[("max-requests-inflight", "400")]),
            ..Edit::default()
        };
        let edited = edit(KUBEADM, "kube-apiserver", &change).unwrap();
        assert_eq!((edited.text.as_str(), edited.changes.len()), (KUBEADM, 0));
    }

    #[test]
    fn entries_can_be_removed() {
        let change = Edit { flags: BTreeMap::from([("max-requests-inflight".into(), None)]), ..Edit::default() };
        let edited = edit(KUBEADM, "kube-apiserver", &change).unwrap();
        assert!(edited.kept_layout && !edited.text.contains("max-requests-inflight"));
        assert!(edited.text.contains("# tuned last winter"));
    }

    #[test]
    fn a_layout_that_cannot_be_edited_is_written_anew() {
        let flow = r#"{"kind":"Pod","spec":{"containers":[{"name":"a","command":["/k/kube-apiserver","--x=1"]}]}}"#;
        let change = Edit { limits: set(&[("cpu", "2")]), flags: set(&[("x", "2")]), ..Edit::default() };
        let edited = edit(flow, "kube-apiserver", &change).unwrap();
        assert!(!edited.kept_layout);
        let value: Value = serde_saphyr::from_str(&edited.text).unwrap();
        assert_eq!(value.pointer("/spec/containers/0/command/1"), Some(&json!("--x=2")));
        assert_eq!(value.pointer("/spec/containers/0/resources/limits/cpu"), Some(&json!("2")));
    }

    #[test]
    fn a_strange_manifest_is_refused() {
        assert!(edit("a: [", "kube-apiserver", &Edit::default()).is_err());
        assert!(edit("a: 1", "kube-apiserver", &Edit::default()).unwrap_err().contains("spec.containers"));
        assert!(edit(KUBEADM, "etcd", &Edit::default()).unwrap_err().contains("etcd"));
    }
}

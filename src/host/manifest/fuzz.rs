//! Manifests put together piece by piece, and edited: refused, or changed in what was wanted and in nothing else.

use proptest::prelude::*;

use super::*;
use crate::fuzz::each;

/// A line of a command: a flag in one of its forms, a remark, or what else people put there.
fn any_line() -> impl Strategy<Value = String> {
    let value = prop_oneof!["[0-9]{1,3}", "[a-z*,-]{1,6}", Just(String::new()), "[ -~é]{0,8}"];
    let remark = prop_oneof![3 => Just(""), 1 => Just(" # --m=1")];
    let name = prop_oneof![4 => Just("m"), 1 => Just("max_in"), 1 => Just("max-in"), 1 => Just("x")];
    (0..9_u8, name, value, remark).prop_map(|(form, name, value, remark)| match form {
        0..=2 => format!("- --{name}={}{remark}", value.replace([':', '#', ' '], "")),
        3 => format!("- {}{remark}", Value::from(format!("--{name}={value}"))),
        4 => format!("- --{name}{remark}\n    - {}{remark}", Value::from(value)),
        5 => format!("- --{name}{remark}"),
        6 => format!("# --{name}={value}"),
        7 => format!("- |-\n      --{name}={value}"),
        _ => format!("- {value}{remark}"),
    })
}

fn any_manifest() -> impl Strategy<Value = String> {
    let lines = prop::collection::vec(any_line(), 0..5);
    let resources = prop::sample::select(vec![
        "",
        "    resources: {}\n",
        "    resources:\n",
        "    resources: {limits: {memory: 1Gi}} # why\n",
        "    resources:\n      limits:\n        # why\n        memory: 1Gi # so\n",
        "    resources:\n      requests: {cpu: 1}\n      limits: ~\n",
        "    resources: &r\n      limits: {memory: &m 1Gi}\n    other: *m\n",
    ]);
    let around = prop::sample::select(vec![("", ""), ("---\n", "---\n"), ("# é\n", "---\n{"), ("\u{feff}", "")]);
    (lines, resources, around, 0..4_u8).prop_map(|(lines, resources, (before, after), shape)| {
        let command: String = lines.iter().map(|line| format!("    {line}\n")).collect();
        let text = match shape {
            0 => format!("spec:\n  containers:\n  - command: [kube-apiserver, --m=1, \"--x\", \"2\"]\n{resources}    name: a\n"),
            1 => format!("spec:\n  containers:\n  - name: kube-apiserver\n    args:\n{command}{resources}"),
            _ => {
                format!("spec:\n  containers:\n  - name: a\n    command:\n    - kube-apiserver\n{command}{resources}    image: x\n")
            }
        };
        let text = format!("{before}{text}{after}");
        if shape == 3 { text.replace('\n', "\r\n") } else { text }
    })
}

fn any_edit() -> impl Strategy<Value = Edit> {
    let value = prop::option::of(prop_oneof!["[0-9]{1,3}", "[ -~é]{0,8}"]);
    let flags = prop::collection::btree_map(prop::sample::select(vec!["m", "max-in", "new"]), value, 0..3);
    let memory = prop::option::of(prop::option::of("[1-9]Gi"));
    (flags, memory).prop_map(|(flags, memory)| Edit {
        flags: flags.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        limits: memory.into_iter().map(|memory| ("memory".to_owned(), memory)).collect(),
        ..Edit::default()
    })
}

/// What pflag makes of a command line: the last value of each flag, without our own reading of it.
fn effective(container: &Value, flag: &str) -> Option<String> {
    let words: Vec<&str> = ["command", "args"]
        .iter()
        .flat_map(|list| container[*list].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    let mut found = None;
    for (at, word) in words.iter().enumerate() {
        let word = word.replace('_', "-");
        if let Some(value) = words[at].split_once('=').filter(|_| word.starts_with(&format!("--{flag}="))) {
            found = Some(value.1.to_owned());
        } else if word == format!("--{flag}") {
            let next = words.get(at + 1).filter(|next| !next.starts_with("--"));
            found = Some(next.map_or_else(|| "true".to_owned(), |next| (*next).to_owned()));
        }
    }
    found
}

/// Refused, or only the wanted values differ: nothing else in the manifest, and no line that nobody meant.
#[test]
fn any_manifest_is_refused_or_edited_as_wanted() {
    let (tried, edited_ones) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    each(2_000, &(any_manifest(), any_edit()), |(text, change)| {
        tried.set(tried.get() + 1);
        let Ok(edited) = edit(&text, "kube-apiserver", &change) else { return Ok(()) };
        edited_ones.set(edited_ones.get() + 1);
        let first = |text: &str| read(text).map(|(root, _)| root.to_json()).map_err(TestCaseError::fail);
        let (mut before, mut after) = (first(&text)?, first(&edited.text)?);
        for (flag, value) in &change.flags {
            let found = effective(&after["spec"]["containers"][0], flag);
            prop_assert_eq!(&found, value, "{} became {}", text, edited.text);
        }
        if let Some(memory) = change.limits.get("memory") {
            let found = after.pointer("/spec/containers/0/resources/limits/memory").and_then(Value::as_str);
            prop_assert_eq!(found, memory.as_deref(), "{} became {}", text, edited.text);
        }
        // The rest is the same, once all that was to change is left out.
        for manifest in [&mut before, &mut after] {
            let container = &mut manifest["spec"]["containers"][0];
            if let Some(map) = container.as_object_mut() {
                map.remove("resources");
            }
            for list in ["command", "args"] {
                let Some(items) = container.get_mut(list).and_then(Value::as_array_mut) else { continue };
                let wanted = |word: &str| {
                    let word = word.replace('_', "-");
                    change
                        .flags
                        .keys()
                        .any(|flag| word == format!("--{flag}") || word.starts_with(&format!("--{flag}=")))
                };
                let mut last = false;
                items.retain(|item| {
                    let word = item.as_str().unwrap_or_default();
                    let value_of_wanted = last && !word.starts_with("--");
                    last = wanted(word) && !word.contains('=');
                    !wanted(word) && !value_of_wanted
                });
            }
        }
        prop_assert_eq!(before, after, "{} became {}", text, edited.text);
        // Lines that hold nothing wanted stay, byte for byte.
        let lines = |text: &str| text.split_inclusive('\n').map(str::to_owned).collect::<Vec<_>>();
        let (old, new) = (lines(&text), lines(&edited.text));
        let remarks =
            |lines: &[String]| lines.iter().filter(|line| line.trim().starts_with('#')).cloned().collect::<Vec<_>>();
        prop_assert_eq!(remarks(&old), remarks(&new));
        prop_assert_eq!(text.contains("\r\n"), edited.text.contains("\r\n"));
        Ok(())
    });
    assert!(edited_ones.get() > tried.get() / 4, "only {} of {} were edited", edited_ones.get(), tried.get());
}

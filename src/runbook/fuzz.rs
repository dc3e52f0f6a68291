//! Runbooks that were broken: refused with their lines, or read.

use proptest::prelude::*;

use super::tests::{GOOD, words};
use super::*;
use crate::fuzz::{each, mangled};

/// Every refusal has its file, and a line of it.
fn placed(refusals: &[Refusal], text: &str) -> Result<(), TestCaseError> {
    prop_assert!(!refusals.is_empty());
    let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}']).count();
    for refusal in refusals {
        prop_assert!(refusal.at.file == "r.yaml" || refusal.at.file == COMMAND_LINE, "{refusal}");
        prop_assert!(refusal.at.line <= lines + 1 && !refusal.what.is_empty(), "{refusal}");
    }
    Ok(())
}

/// A runbook that was broken is refused with its lines, or says the same as a value that can be read again.
#[test]
fn no_broken_runbook_makes_it_panic() {
    let samples: Vec<&str> = builtin::BUILTINS.iter().map(|builtin| builtin.text).chain([GOOD]).collect();
    let given = words(&[("memory", "8Gi"), ("offender", "ds/telemetry/agent")]);
    each(150, &mangled(&samples), |text| {
        let runbook = match Runbook::parse(&text, "r.yaml") {
            Ok(runbook) => runbook,
            Err(refusals) => return placed(&refusals, &text),
        };
        for on in [On::NotYet, On::One("prod"), On::Several] {
            match runbook.resolve(&given, on) {
                Ok(resolved) => {
                    prop_assert!(!resolved.steps.is_empty() || text.contains("when"));
                    let consent = resolved.typed_consent.as_deref();
                    prop_assert!(consent.is_none_or(|word| !word.trim().is_empty()), "{consent:?}");
                }
                Err(refusals) => placed(&refusals, &text)?,
            }
        }
        Ok(())
    });
}

#[test]
fn no_soup_of_its_own_words_makes_it_panic() {
    let word = prop::sample::select(vec![
        "spec:",
        "steps:",
        "- ",
        "kind: ",
        "scale-apiserver",
        "with: ",
        "{",
        "}",
        "[",
        "]",
        "&a ",
        "*a",
        "\n",
        "  ",
        "${memory}",
        "$${",
        "${",
        "params:",
        "default: ",
        "null",
        "metadata:",
        "? ",
        "!!binary ",
        "|\n",
        "'",
        "\"",
        "0x1",
        "<<: ",
        "---\n",
    ]);
    let soup =
        prop_oneof![3 => prop::collection::vec(word, 0..60).prop_map(|words| words.concat()), 1 => "\\PC{0,200}"];
    each(2_000, &soup, |text| match Runbook::parse(&text, "r.yaml") {
        Ok(_) => Ok(()),
        Err(refusals) => placed(&refusals, &text),
    });
}

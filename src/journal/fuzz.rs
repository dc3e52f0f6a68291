//! Journals as disks and strangers may leave them: what is read is what was written, or its beginning, or it is refused with
//! its line; and whatever the lines say, they are told without a panic.

use std::path::Path;

use proptest::prelude::*;

use super::read::{chain, parse, seal};
use super::{Entry, FORMAT, Header, JournalError, Line, MINOR, StepState};
use crate::change::{Body, Change, Facts, HostCommand, Inverse, Keep, KubeCall, Method, Note, Op, Target};
use crate::cost::Cost;
use crate::fuzz::{each, mangled};
use crate::render::{Output, Screen, show_run};
use crate::script::Script;

fn header() -> Header {
    Header {
        reason: Some("it drowns".into()),
        runbook: "apiVersion: breakglass/v1".into(),
        clusters: vec!["österreich".into()],
        plan: "00".into(),
        ..Header::sample("20250101-000000.000-abcd")
    }
}

fn change(kind: u8) -> Box<Change> {
    let command =
        || HostCommand { script: Script::new("x", "true"), fresh_connection: false, idempotent: true, quiet: false };
    let kube = Op::Kube(KubeCall {
        method: Method::Patch,
        path: "/apis/apps/v1/namespaces/a/daemonsets/b".into(),
        content_type: "application/json-patch+json".into(),
        body: Body::Json(serde_json::json!([{"op": "test", "path": "/metadata/uid", "value": "7"}])),
        idempotent: true,
        already: vec![404],
        holds: None,
    });
    let (op, inverse) = match kind {
        0 => (kube.clone(), Inverse::By(Box::new(kube))),
        1 => (Op::Host(command()), Inverse::NotNeeded("it ends by itself".into())),
        _ => (kube, Inverse::Impossible("it is gone".into())),
    };
    let renew = Keep::Renew { lease: "gate".into(), every_secs: 0, op: Box::new(command()), look: None };
    Box::new(Change {
        key: "park".into(),
        note: Some(Note::of(&["what", "was"])),
        op,
        guard: "its uid is 7".into(),
        inverse,
        because: "it floods".into(),
        by_hand: "kubectl patch …".into(),
        deadline_secs: u64::MAX,
        keep: if kind == 1 { renew } else { Keep::Nothing },
    })
}

/// Any entry, also where it makes no sense.
fn entry() -> impl Strategy<Value = Entry> {
    let id = 1_u32..4;
    let step = prop_oneof![8 => 0_usize..3, 1 => Just(usize::MAX)];
    let said = || prop::sample::select(vec!["", "200 patched", "\x1b[2Jé\nerror: x"]).prop_map(str::to_owned);
    let cost =
        (any::<u64>(), any::<u64>()).prop_map(|(requests, bytes)| Cost { requests, bytes_out: bytes, bytes_in: bytes });
    let state =
        prop::sample::select(vec![StepState::Done, StepState::Failed, StepState::Declined, StepState::Interrupted]);
    let target = || Target::host("österreich", "cp1");
    (0_u8..16, id, step, (said(), state, prop::option::of(cost), any::<u8>())).prop_map(
        move |(kind, id, step, (said, state, cost, code))| {
            let cluster = "österreich".to_owned();
            let costs = cost.map(|cost| [(Target::api_server("österreich", "api1"), cost)].into_iter().collect());
            match kind {
                0 => Entry::Started(Box::new(header())),
                1 => Entry::Resumed { operator: said },
                2 => Entry::StepStarted { cluster, step },
                3 => Entry::StepEnded { cluster, step, state, why: said, costs },
                4 => Entry::Answered { cluster, step, question: said, yes: code % 2 == 0 },
                5 => Entry::Saw { target: target(), step, what: said.into() },
                6..=8 => Entry::Intended {
                    id,
                    step,
                    target: target(),
                    change: change(code % 3),
                    host_key: Some(format!("SHA256:{id}")).filter(|_| id % 2 == 0),
                },
                9 => Entry::Failed { id, why: said },
                10 => Entry::Unknown { id, why: said },
                11 => Entry::NotMade { id },
                12 => Entry::Undoing { id },
                13 => Entry::Undone { id, said },
                14 => Entry::Stuck { id, why: said },
                _ if code % 4 == 0 => Entry::Ended { code, why: said, costs, stands: Some(step) },
                _ => Entry::Done { id, said, facts: Facts::default() },
            }
        },
    )
}

/// The first line and up to so many others.
fn lines() -> impl Strategy<Value = Vec<Line>> {
    prop::collection::vec(entry(), 0..8).prop_map(|entries| {
        let all = std::iter::once(Entry::Started(Box::new(header()))).chain(entries);
        let at = "2025-01-01T00:00:00Z".parse().unwrap();
        (1..).zip(all).map(|(seq, entry)| Line { seq, at, written: None, entry }).collect()
    })
}

/// Texts of lines as they stand in the file, each with the right hash.
fn sealed<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let (mut hash, mut all) = (String::new(), String::new());
    for text in texts {
        hash = chain(&hash, text);
        all.push_str(&seal(text, &hash));
    }
    all
}

fn texts(lines: &[Line]) -> Vec<String> {
    lines.iter().map(|line| serde_json::to_string(line).unwrap()).collect()
}

fn read(text: &str) -> Result<(super::Journal, Vec<Line>), JournalError> {
    let mut lines = Vec::new();
    // A line without its end is torn, which is another test's; here it is read.
    let end = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
    let whole = format!("{text}{end}");
    let journal = parse(Path::new("journal.jsonl"), whole.as_bytes(), |line, _| lines.push(line))?;
    Ok((journal, lines))
}

#[test]
fn lines_in_any_order_fold_or_are_refused_with_their_line_and_what_folds_is_told() {
    each(1_000, &lines(), |lines| {
        let written = texts(&lines);
        match read(&sealed(written.iter().map(String::as_str))) {
            Ok((journal, again)) => {
                prop_assert_eq!(&again, &lines);
                for output in [Output::Text, Output::Json] {
                    show_run(&Screen::to(std::io::sink(), std::io::sink()), output, &journal, &again, &["one".into()]);
                }
                prop_assert!(journal.run.standing().count() <= journal.run.changes.len());
            }
            Err(JournalError::Damaged { line, .. }) => {
                prop_assert!((1..=lines.len()).contains(&line), "{line}");
                // What stands before that line is good.
                let before = sealed(written.iter().take(line - 1).map(String::as_str));
                prop_assert!(line == 1 || read(&before).is_ok(), "{line}");
            }
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        }
        Ok(())
    });
}

/// Whoever changes a journal without its hashes is found out: what is read is what was written, from its beginning on.
#[test]
fn what_is_read_from_a_broken_journal_is_its_beginning_or_it_is_refused() {
    let entries = [Entry::Intended {
        id: 1,
        step: 0,
        target: Target::host("österreich", "cp1"),
        change: change(0),
        host_key: None,
    }]
    .into_iter()
    .chain([
        Entry::Done { id: 1, said: "200".into(), facts: Facts::default() },
        Entry::Ended { code: 0, why: String::new(), costs: None, stands: None },
    ]);
    let all = std::iter::once(Entry::Started(Box::new(header()))).chain(entries);
    let at = "2025-01-01T00:00:00Z".parse().unwrap();
    let lines: Vec<Line> = (1..).zip(all).map(|(seq, entry)| Line { seq, at, written: None, entry }).collect();
    let whole = sealed(texts(&lines).iter().map(String::as_str));
    let count = lines.len();
    each(2_000, &mangled(&[&whole]), |text| {
        match read(&text) {
            Ok((_, again)) => {
                prop_assert!(lines.starts_with(&again) && whole.starts_with(text.trim_end_matches('\n')));
            }
            Err(JournalError::Damaged { line, .. }) => prop_assert!(line <= text.lines().count().max(count), "{line}"),
            Err(JournalError::Newer { format, minor, .. }) => prop_assert!((format, minor) > (FORMAT, MINOR)),
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        }
        Ok(())
    });
}

/// And whoever mends the hashes writes what he likes: it is read, or refused with its line.
#[test]
fn lines_that_say_anything_are_read_or_refused() {
    let all = [
        Entry::Started(Box::new(header())),
        Entry::Intended {
            id: 1,
            step: 0,
            target: Target::host("österreich", "cp1"),
            change: change(1),
            host_key: None,
        },
        Entry::Done { id: 1, said: "200".into(), facts: Facts::default() },
        Entry::StepEnded {
            cluster: "österreich".into(),
            step: 0,
            state: StepState::Done,
            why: String::new(),
            costs: None,
        },
    ];
    let at = "2025-01-01T00:00:00Z".parse().unwrap();
    let lines: Vec<Line> = (1..).zip(all).map(|(seq, entry)| Line { seq, at, written: None, entry }).collect();
    each(2_000, &mangled(&[texts(&lines).join("\n")]), |text| {
        match read(&sealed(text.split('\n'))) {
            Ok((journal, again)) => {
                show_run(&Screen::to(std::io::sink(), std::io::sink()), Output::Text, &journal, &again, &[]);
                prop_assert!(again.len() == text.split('\n').count());
            }
            Err(JournalError::Damaged { line, .. }) => prop_assert!(line <= text.split('\n').count(), "{line}"),
            Err(JournalError::Newer { format, minor, .. }) => prop_assert!((format, minor) > (FORMAT, MINOR)),
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        }
        Ok(())
    });
}

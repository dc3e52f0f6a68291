//! Whatever far sides, runbooks and names say: the bytes that reach a terminal are text, line breaks and our own colours.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::tests::{Buffer, screen};
use super::{
    Output, Paint, Refusals, Renderer, Screen, one_line, plan_outline, plan_text, show_failure, show_run, table,
    without_color,
};
use crate::change::{Change, Facts, HostCommand, Inverse, Keep, Op, Target};
use crate::cost::{Cost, Costs};
use crate::error::{Class, Failure};
use crate::event::{ChangeEnd, Event, Listener as _};
use crate::finding::{Answer, Finding, Probe};
use crate::found::{Found, Type};
use crate::fuzz::each;
use crate::journal::{Entry, Header, Journal, Line, StepState, fold};
use crate::kit::sample;
use crate::limits::Limits;
use crate::plan::{self, Plan};
use crate::process::Clock;
use crate::refusal::{Location, Refusal};
use crate::runbook::{OnFailure, Policy, Resolved, StepDecl};
use crate::script::Script;

/// What the forged lines begin with.
const FORGED: &str = "FORGED";

fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        Just("\n".to_owned() + FORGED),
        Just("\r".to_owned() + FORGED),
        Just("\r\n".to_owned() + FORGED),
        Just("\u{2028}".to_owned() + FORGED),
        Just("\u{85}".to_owned() + FORGED),
        Just("\x1b[1A\x1b[2K".to_owned()),
        Just("\x1b]52;c;cm0gLXJm\x07".to_owned()),
        Just("\x1b[32mok\x1b[0m".to_owned()),
        Just("\x1b[8m".to_owned()),
        Just("\u{9b}2J\u{7f}".to_owned()),
        Just("\u{202e}\u{2066}\u{200b}\u{feff}".to_owned()),
        any::<char>().prop_map(String::from),
        "[a-z /]{0,8}",
    ];
    prop::collection::vec(pieces, 1..6).prop_map(|pieces| format!("x{}", pieces.concat()))
}

/// Every kind of event, with the text wherever a text can be.
fn events(text: &str) -> Vec<Event> {
    let (s, target) = (|| text.to_owned(), Target::host(text, text));
    let costs = Costs::from_iter([(Target::api_server(s(), s()), Cost { requests: 1, bytes_out: 2, bytes_in: 3 })]);
    let mut all = vec![
        Event::RunStarted { run: s(), runbook: s(), drill: false, clusters: vec![s()], steps: 1 },
        Event::StepStarted { cluster: s(), step: 0, name: s(), intent: s(), why: s(), targets: 1 },
        Event::Saw { target: target.clone(), step: 0, what: s().into() },
        Event::Waiting { target: target.clone(), step: 0, what: s(), left_secs: 9 },
        Event::Trouble { target: target.clone(), step: 0, what: s(), hint: Some(s()), again: true },
    ];
    let ends = [ChangeEnd::Done, ChangeEnd::Failed, ChangeEnd::Unknown, ChangeEnd::Undone, ChangeEnd::Stuck];
    for (id, state) in (1..).zip(ends) {
        let loads = vec![(s(), s())];
        all.push(Event::ChangeSent { target: target.clone(), step: 0, id, what: s(), because: s(), loads });
        let by_hand = Some(s());
        all.push(Event::ChangeEnded {
            target: target.clone(),
            id,
            what: s(),
            state,
            said: s(),
            took_ms: 1,
            by_hand,
            unsent: false,
        });
    }
    all.extend([
        Event::Found { target: target.clone(), step: 0, name: s(), value: s() },
        Event::Saw { target: target.clone(), step: 0, what: Finding::LeftOut { server: s(), why: s() } },
        Event::Saw { target: target.clone(), step: 0, what: probed(s()) },
        Event::TargetEnded { target, step: 0, state: StepState::Failed, changes: 1, why: text.to_owned() },
        Event::StepEnded {
            cluster: s(),
            step: 0,
            name: s(),
            state: StepState::Failed,
            why: s(),
            costs: costs.clone(),
            took_ms: 1,
        },
        Event::UndoStarted { run: s(), clusters: vec![s()], changes: 2, needless: 1 },
        Event::RunEnded { run: s(), code: 5, why: s(), costs: costs.clone(), took_ms: 1, next: vec![s()] },
        Event::RunEnded { run: s(), code: 0, why: s(), costs, took_ms: 1, next: vec![s()] },
    ]);
    all
}

/// A probe of a server with this name, which says it, too.
fn probed(text: String) -> Finding {
    let next = Some(text.clone());
    let live = Answer { says: text.clone(), tried: text.clone(), next, ..Answer::default() };
    Finding::Probe(Box::new(Probe { server: text, connection: None, live, ready: None, anonymous: false }))
}

/// A plan that says the text wherever a runbook can.
fn plan(text: &str) -> Plan {
    let policy = Policy {
        timeout: std::time::Duration::from_secs(60),
        retries: 0,
        on_failure: OnFailure::Stop,
        limits: Limits { at_once: 1, canary: false, batch: 0, max_failures: 1 },
        confirm: true,
    };
    let step = |kind: &str, with: Value| StepDecl {
        name: text.into(),
        kind: crate::steps::kind(kind).unwrap(),
        why: text.into(),
        with,
        only: None,
        later: Vec::new(),
        targets: None,
        policy: policy.clone(),
        at: Location::default(),
    };
    let steps = vec![
        step("confirm", json!({ "question": text })),
        step("exec", json!({ "run": text, "unless": text, "undo": { "run": text } })),
        step("exec", json!({ "argv": ["echo", text], "local": true, "noUndo": text })),
        step(
            "http",
            json!({ "method": "POST", "url": "https://pager.test/1", "body": { text: text }, "noUndo": text }),
        ),
    ];
    let params = Map::from_iter([(text.to_owned(), text.into())]);
    let (name, purpose) = (text.to_owned(), text.to_owned());
    let runbook = Resolved { name, purpose, text: text.into(), params, steps, typed_consent: None };
    plan::build(runbook, vec![sample::cluster("prod", 3)], Limits::CLUSTERS)
        .unwrap_or_else(|refusals| panic!("{refusals:?}"))
}

/// Everything that is told, to both streams of a screen.
fn tell(text: &str, screen: std::sync::Arc<Screen>, paint: Paint) {
    for verbose in [false, true] {
        let clock = Clock::Fixed(jiff::Timestamp::UNIX_EPOCH);
        let renderer = Renderer::new(screen.clone(), Output::Text, verbose, clock);
        events(text).into_iter().for_each(|event| renderer.hear(event));
        renderer.note(text);
    }
    screen.err(text);
    screen.out(&table(&["A", "B"], &[vec![text.to_owned(), text.to_owned()]]));
    let plan = plan(text);
    screen.err_lines(&plan_outline(&plan, paint, None));
    screen.out(&plan_text(&plan, paint));
    let error = anyhow::anyhow!(text.to_owned()).context(text.to_owned());
    show_failure(&screen, Output::Text, &Failure::from_error(Class::Refused, error).hint(text));
    let at = Location { file: text.into(), line: 1, column: 2 };
    let refusal = Refusal { at, what: text.into(), hint: Some(text.into()) };
    for all in [vec![refusal.clone()], vec![refusal.clone(), refusal]] {
        show_failure(&screen, Output::Text, &Failure::from_error(Class::Refused, Refusals { of: "the kit", all }));
    }
}

fn seen(c: char) -> bool {
    let hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    c == '\n' || !(c.is_control() || hidden)
}

/// A journal that says the text wherever a journal can.
fn journal(text: &str) -> (Journal, Vec<crate::journal::Line>) {
    let (s, target) = (|| text.to_owned(), || Target::host(text, text));
    let header = Header {
        format: 1,
        minor: 1,
        run: s(),
        operator: s(),
        machine: s(),
        version: s(),
        reason: Some(s()),
        drill: false,
        writes: true,
        runbook: s(),
        name: s(),
        params: Map::from_iter([(s(), s().into())]),
        clusters: vec![s()],
        kit: s(),
        plan: s(),
        fleet: Some(Limits::CLUSTERS),
        identities: Vec::new(),
    };
    let script = Script::new(text, text).arg(text, text).words(text);
    let command = HostCommand { script, fresh_connection: false, idempotent: true, quiet: false };
    let change = |inverse| {
        let (op, keep) = (Op::Host(command.clone()), Keep::Nothing);
        Box::new(Change {
            key: s(),
            note: None,
            op,
            guard: s(),
            inverse,
            because: s(),
            by_hand: s(),
            deadline_secs: 1,
            keep,
        })
    };
    let intended =
        |id, inverse| Entry::Intended { id, step: 0, target: target(), change: change(inverse), host_key: None };
    let costs =
        Some(Costs::from_iter([(Target::api_server(s(), s()), Cost { requests: 1, bytes_out: 2, bytes_in: 3 })]));
    let entries = [
        Entry::Started(Box::new(header)),
        Entry::StepStarted { cluster: s(), step: 0 },
        Entry::Saw { target: target(), step: 0, what: s().into() },
        Entry::Found { target: target(), step: 0, found: Found { name: s(), of: Type::User, value: s() } },
        Entry::Answered { cluster: s(), step: 0, question: s(), yes: true },
        intended(1, Inverse::By(Box::new(Op::Host(command.clone())))),
        Entry::Done { id: 1, said: s(), facts: Facts::default() },
        intended(2, Inverse::Impossible(s())),
        Entry::Unknown { id: 2, why: s() },
        Entry::NotMade { id: 2 },
        intended(3, Inverse::NotNeeded(s())),
        Entry::Failed { id: 3, why: s() },
        Entry::Undoing { id: 1 },
        Entry::Stuck { id: 1, why: s() },
        Entry::Resumed { operator: s() },
        Entry::Undoing { id: 1 },
        Entry::Undone { id: 1, said: s() },
        Entry::StepEnded { cluster: s(), step: 0, state: StepState::Failed, why: s(), costs: costs.clone() },
        Entry::Ended { code: 6, why: s(), costs, stands: Some(1) },
    ];
    let at = jiff::Timestamp::UNIX_EPOCH;
    let lines: Vec<_> = (1..).zip(entries).map(|(seq, entry)| Line { seq, at, written: None, entry }).collect();
    let run = fold(&lines).unwrap();
    (Journal { count: lines.len(), run, last_hash: String::new(), torn: false, intact_bytes: 0 }, lines)
}

#[test]
fn nothing_that_strangers_say_reaches_the_terminal_raw() {
    each(48, &hostile(), |text| {
        let (plain, out, err) = screen();
        tell(&text, plain, Paint::new(false));
        for said in [out.text(), err.text()] {
            prop_assert!(said.chars().all(seen), "{said:?}");
            prop_assert!(!said.lines().any(|line| line.starts_with(FORGED)), "{said}");
        }
        let (colored_out, colored_err) = (Buffer::default(), Buffer::default());
        let colored = Screen::colored(colored_out.clone(), colored_err.clone()).into();
        tell(&text, colored, Paint::new(true));
        // Without our own colours it is the same text, so no colour is a stranger's.
        prop_assert_eq!(without_color(&colored_out.text()), out.text());
        prop_assert_eq!(without_color(&colored_err.text()), err.text());
        Ok(())
    });
}

/// One line stays one line: where the text is one plain word, and where it is hostile, there are as many lines.
#[test]
fn what_is_told_has_as_many_lines_whatever_is_said() {
    let lines = |text: &str| {
        let (screen, out, err) = screen();
        let (journal, lines) = journal(text);
        show_run(&screen, Output::Text, &journal, &lines, &[text.to_owned()]);
        screen.out(&table(&["A", "B"], &[vec![text.to_owned(), text.to_owned()]]));
        screen.err(text);
        (out.text().lines().count(), err.text().lines().count())
    };
    let plain = lines("plain");
    // A command to type by hand, and a reason, may have lines of their own, which are shown as such.
    let text = hostile().prop_map(|text| text.replace('\n', ""));
    each(200, &text, |text| {
        prop_assert_eq!(lines(&text), plain);
        Ok(())
    });
}

/// As a far side sends them: what is no text is replaced before it comes here, and stays harmless.
#[test]
fn bytes_that_are_no_text_are_told_as_such() {
    each(200, &prop::collection::vec(any::<u8>(), 0..200), |bytes| {
        let text = String::from_utf8_lossy(&bytes);
        let (screen, out, err) = screen();
        let (journal, lines) = journal(&text);
        show_run(&screen, Output::Text, &journal, &lines, &[]);
        screen.err(&text);
        drop(screen.prompt(&one_line(&text)));
        prop_assert!(out.text().chars().chain(err.text().chars()).all(seen));
        Ok(())
    });
}

/// What a far side says at length is no line of that length; a plan is shown whole.
#[test]
fn what_is_told_of_a_run_has_a_length_that_a_person_reads() {
    for piece in ["x", "é", "\u{202e}", "\n"] {
        let text = piece.repeat(1 << 14);
        let (screen, out, err) = screen();
        let renderer = Renderer::new(screen.clone(), Output::Text, false, Clock::Fixed(jiff::Timestamp::UNIX_EPOCH));
        events(&text).into_iter().for_each(|event| renderer.hear(event));
        renderer.note(&text);
        let (journal, lines) = journal(&text);
        show_run(&screen, Output::Text, &journal, &lines, &[]);
        let error = anyhow::anyhow!(text.clone()).context(text.clone());
        show_failure(&screen, Output::Text, &Failure::from_error(Class::Refused, error).hint(&text));
        let (out, err) = (out.text(), err.text());
        let longest = out.lines().chain(err.lines()).map(str::len).max().unwrap_or(0);
        assert!(longest < 60_000, "{longest} bytes in one line");
        if piece != "\n" {
            assert!(err.contains("… (") && err.contains(" more)"), "it is said that there is more");
        }
    }
}

#[test]
fn json_has_no_control_character_and_reads_back_as_it_was() {
    each(48, &hostile(), |text| {
        let (screen, out, _) = screen();
        let renderer = Renderer::new(screen, Output::Json, false, Clock::Fixed(jiff::Timestamp::UNIX_EPOCH));
        let target = Target::host("prod", "cp1");
        renderer.hear(Event::Saw { target, step: 0, what: text.clone().into() });
        prop_assert!(out.text().trim_end().chars().all(|c| c != '\n' && seen(c)), "{}", out.text());
        let read: Value = serde_json::from_str(&out.text()).unwrap();
        prop_assert_eq!(&read["what"], &Value::from(text));
        Ok(())
    });
}

//! What a run looks like, from its events to the bytes on both streams.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::{Output, Refusals, Renderer, Screen, show_failure, without_color};
use crate::change::Target;
use crate::cost::{Cost, Costs};
use crate::error::{Class, Failure};
use crate::event::{ChangeEnd, Event, Listener as _};
use crate::finding::{Answer, Finding, Probe};
use crate::journal::StepState;
use crate::process::Clock;
use crate::refusal::{Location, Refusal};

#[derive(Clone, Default)]
pub(super) struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Buffer {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

pub(super) fn screen() -> (Arc<Screen>, Buffer, Buffer) {
    let (out, err) = (Buffer::default(), Buffer::default());
    (Arc::new(Screen::to(out.clone(), err.clone())), out, err)
}

/// With all that is told.
fn told(output: Output, events: Vec<Event>) -> (String, String) {
    let (screen, out, err) = screen();
    let renderer = Renderer::new(screen, output, true, Clock::Fixed(jiff::Timestamp::UNIX_EPOCH));
    events.into_iter().for_each(|event| renderer.hear(event));
    (out.text(), err.text())
}

fn host(name: &str) -> Target {
    Target::host("prod", name)
}

fn started(drill: bool) -> Event {
    Event::RunStarted { run: "r1".into(), runbook: "try".into(), drill, clusters: vec!["prod".into()], steps: 1 }
}

fn step() -> Event {
    Event::StepStarted {
        cluster: "prod".into(),
        step: 0,
        name: "close".into(),
        intent: "close the gate".into(),
        why: String::new(),
        targets: 2,
    }
}

fn sent(id: u32, name: &str) -> Event {
    let (what, because) = ("gate.close port=6443".into(), "the port is open".into());
    Event::ChangeSent { target: host(name), step: 0, id, what, because, loads: Vec::new() }
}

fn ended(id: u32, name: &str, state: ChangeEnd, said: &str) -> Event {
    let by_hand = (state == ChangeEnd::Unknown).then(|| "nft list ruleset".to_owned());
    let (what, said) = ("gate.close port=6443".into(), said.to_owned());
    Event::ChangeEnded { target: host(name), id, what, state, said, took_ms: 30, by_hand, unsent: false }
}

fn step_ended(state: StepState, why: &str) -> Event {
    let (cluster, name) = ("prod".into(), "close".into());
    let costs = Costs::from_iter([
        (Target::api_server("prod", "cp1"), Cost { requests: 1, bytes_out: 256, bytes_in: 1024 }),
        (Target::host("prod", "cp1"), Cost { requests: 2, bytes_out: 256, bytes_in: 1024 }),
    ]);
    Event::StepEnded { cluster, step: 0, name, state, why: why.into(), costs, took_ms: 1200 }
}

fn run_ended(code: u8, why: &str) -> Event {
    let cost = Cost { requests: 2, bytes_out: 512, bytes_in: 4096 };
    Event::RunEnded {
        run: "r1".into(),
        code,
        why: why.into(),
        costs: Costs::from_iter([(Target::api_server("prod", "cp1"), cost)]),
        took_ms: 1300,
        next: vec!["breakglass undo r1".into()],
    }
}

/// In short, 80 columns wide, with or without colour.
fn brief(color: bool, events: Vec<Event>) -> (String, String) {
    let (out, err) = (Buffer::default(), Buffer::default());
    let screen = Arc::new(Screen::wide(80, color, out.clone(), err.clone()));
    let renderer = Renderer::new(screen, Output::Text, false, Clock::Fixed(jiff::Timestamp::UNIX_EPOCH));
    events.into_iter().for_each(|event| renderer.hear(event));
    (out.text(), err.text())
}

/// What all have in common once, then the reason of each on a line of its own, and commands unbroken.
#[test]
fn servers_that_do_not_answer_are_told_one_by_one() {
    let probe = |n: u8| {
        let says = "it was reached, and gave no answer in time (drowning, hung or cut off)".to_owned();
        let tried = format!("cp{n} (10.0.0.{n}:6443 through cp{n} by SSH): connected, but no TLS handshake in 10.0 s");
        let next =
            Some(format!("ssh root@10.0.0.{n} 'ss -ltn sport = :6443; sudo crictl ps -a --name kube-apiserver'"));
        let live = Answer { says, tried, next, ..Answer::default() };
        let probe = Probe { server: format!("cp{n}"), connection: None, live, ready: None, anonymous: false };
        Event::Saw { target: Target::cluster("prod"), step: 0, what: Finding::Probe(Box::new(probe)) }
    };
    let why = "no route: none of 2 API servers answers";
    let events =
        vec![started(false), step(), probe(1), probe(2), step_ended(StepState::Failed, why), run_ended(4, why)];
    let (_, err) = brief(false, events);
    let told = "cp[1-2]: /livez it was reached, and gave no answer in time\n            (drowning, hung or cut off)";
    let reason = |n: u8| {
        format!(
            "            cp{n}: cp{n} (10.0.0.{n}:6443 through cp{n} by SSH): connected, but no TLS\n            handshake in \
             10.0 s\n            next: ssh root@10.0.0.{n} 'ss -ltn sport = :6443; sudo crictl ps -a --name kube-apiserver'\n"
        )
    };
    for part in [why.to_owned(), told.to_owned(), reason(1), reason(2)] {
        assert!(err.contains(&part), "{part}\n{err}");
    }
}

#[test]
fn in_short_a_run_is_a_line_for_each_step_and_its_end() {
    let saw = |name: &str, cut: u32| Event::Saw {
        target: host(name),
        step: 0,
        what: format!("closed (nft), and {cut} open connections cut, none of them left behind at all").into(),
    };
    let ends = |name: &str| {
        let (target, state, why) = (host(name), StepState::Done, String::new());
        Event::TargetEnded { target, step: 0, state, changes: 1, why }
    };
    let events = || {
        vec![
            started(false),
            step(),
            sent(1, "cp1"),
            sent(2, "cp2"),
            ended(1, "cp1", ChangeEnd::Done, "result=closed"),
            ended(2, "cp2", ChangeEnd::Done, "result=closed"),
            saw("cp1", 7),
            saw("cp2", 12),
            ends("cp1"),
            ends("cp2"),
            step_ended(StepState::Done, "2 changes"),
            run_ended(0, "every step is done; 2 changes"),
        ]
    };
    let (out, err) = brief(false, events());
    assert_eq!(
        err,
        "run r1: try on prod, 1 step\n\
         [1/1] close cp[1-2]: closed (nft), and 7-12 open connections cut, none of them\n\
         \x20           left behind at all (2 changes, 1 request, 2 commands, 1.2 s)\n"
    );
    assert_eq!(
        out,
        "run r1: every step is done; 2 changes, in 1.3 s\n\
         \x20 cost     2 API requests, 512 B sent, 4.0 kB received\n\
         \x20 next     breakglass undo r1\n"
    );
    let colored = brief(true, events());
    assert!(colored.1.contains('\x1b'), "{colored:?}");
    assert_eq!((without_color(&colored.0), without_color(&colored.1)), (out, err));
}

#[test]
fn in_short_too_what_is_not_known_is_left_with_the_command_for_a_person() {
    let fails = Event::TargetEnded {
        target: host("cp1"),
        step: 0,
        state: StepState::Failed,
        changes: 0,
        why: "no reply".into(),
    };
    let (out, err) = brief(
        false,
        vec![
            started(false),
            step(),
            sent(1, "cp1"),
            ended(1, "cp1", ChangeEnd::Unknown, "no reply"),
            fails,
            step_ended(StepState::Failed, "cp1: no reply"),
            run_ended(5, "prod: step \"close\": cp1: no reply"),
        ],
    );
    assert!(out.contains("  unknown  gate.close port=6443 on prod/cp1\n"), "{out}");
    assert!(out.contains("  left     prod/cp1: by hand: nft list ruleset\n"), "{out}");
    assert!(err.contains("[1/1] close failed: cp1: unknown: gate.close port=6443: no reply\n"), "{err}");
    assert!(err.ends_with("error: prod: step \"close\" failed, see above\nhint: `breakglass undo r1`\n"), "{err}");
}

#[test]
fn a_good_run_ends_in_a_report_of_what_was_done_and_what_it_cost() {
    let (out, err) = told(
        Output::Text,
        vec![
            started(false),
            step(),
            sent(1, "cp1"),
            sent(2, "cp2"),
            ended(1, "cp1", ChangeEnd::Done, "closed"),
            ended(2, "cp2", ChangeEnd::Done, "closed"),
            step_ended(StepState::Done, "2 changes"),
            run_ended(0, "every step is done; 2 changes"),
        ],
    );
    assert_eq!(
        err,
        "run r1: try on prod, 1 step\n\
         [1/1] close: close the gate (2 targets)\n\
         \x20 sends    cp[1-2]: gate.close port=6443, because the port is open\n\
         \x20 done     cp[1-2]: closed (30 ms)\n\
         \x20 ok       prod: 2 changes (1.2 s)\n\
         \x20            cost: 1 API request and 2 commands, 512 B sent, 2.0 kB received\n"
    );
    assert_eq!(
        out,
        "run r1: every step is done; 2 changes, in 1.3 s\n\
         \x20 done     gate.close port=6443 on prod/cp[1-2]\n\
         \x20 cost     prod/api/cp1: 2 requests, 512 B sent, 4.0 kB received\n\
         \x20 next     breakglass undo r1\n"
    );
}

#[test]
fn what_is_not_known_is_left_with_the_command_for_a_person() {
    let (out, err) = told(
        Output::Text,
        vec![
            started(false),
            step(),
            sent(1, "cp1"),
            ended(1, "cp1", ChangeEnd::Unknown, "no reply"),
            step_ended(StepState::Failed, "cp1: no reply"),
            run_ended(5, "prod: step \"close\": no reply"),
        ],
    );
    assert!(out.contains("  unknown  gate.close port=6443 on prod/cp1\n"), "{out}");
    assert!(out.contains("  left     prod/cp1: by hand: nft list ruleset\n"), "{out}");
    assert!(!out.contains("done "), "an unknown outcome is never reported as done: {out}");
    assert!(err.ends_with("error: prod: step \"close\": no reply\nhint: `breakglass undo r1`\n"), "{err}");
}

#[test]
fn a_drill_says_that_it_pretends() {
    let events = vec![
        started(true),
        step(),
        sent(1, "cp1"),
        ended(1, "cp1", ChangeEnd::Pretended, "pretended"),
        step_ended(StepState::Done, "1 change"),
    ];
    let (_, err) = told(Output::Text, events);
    assert!(err.starts_with("drill r1: try on prod, 1 step; looks are real, writes are pretended\n"), "{err}");
    assert!(err.contains("  would    cp1: gate.close"), "{err}");
    assert!(!err.contains("done"), "{err}");
}

#[test]
fn json_is_one_versioned_object_a_line_on_standard_output() {
    let (out, err) = told(Output::Json, vec![started(false), sent(1, "cp1"), run_ended(0, "done")]);
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        lines.iter().map(|l| l["event"].as_str().unwrap()).collect::<Vec<_>>(),
        ["run-started", "change-sent", "run-ended"]
    );
    assert!(lines.iter().all(|line| line["v"] == super::VERSION && line["at"] == "1970-01-01T00:00:00Z"));
    assert_eq!(err, "");
}

#[test]
fn all_refusals_are_listed_and_one_alone_is_the_sentence() {
    let refusal = |line: usize, hint: Option<&str>| Refusal {
        at: Location { file: "a.yaml".into(), line, column: 3 },
        what: "unknown step kind \"x\"".into(),
        hint: hint.map(str::to_owned),
    };
    let shown = |all: Vec<Refusal>| {
        let (screen, _, err) = screen();
        let failure = Failure::from_error(Class::Refused, Refusals { of: "the runbook", all });
        show_failure(&screen, Output::Text, &failure);
        err.text()
    };
    assert_eq!(
        shown(vec![refusal(3, Some("did you mean \"y\"?"))]),
        "error: a.yaml:3:3: unknown step kind \"x\"\nhint: did you mean \"y\"?\n"
    );
    assert_eq!(
        shown(vec![refusal(3, Some("did you mean \"y\"?")), refusal(9, None)]),
        "error: the runbook is refused for 2 reasons\n\
         \x20 1: a.yaml:3:3: unknown step kind \"x\" (did you mean \"y\"?)\n\
         \x20 2: a.yaml:9:3: unknown step kind \"x\"\n"
    );
}

#[test]
fn causes_are_numbered() {
    let (screen, out, err) = screen();
    let error = anyhow::anyhow!("permission denied").context("cannot read the key").context("no credential");
    let failure = Failure::from_error(Class::Refused, error).hint("chmod 600 key");
    show_failure(&screen, Output::Json, &failure);
    let text = "error: no credential\n  1: cannot read the key\n  2: permission denied\nhint: chmod 600 key\n";
    assert_eq!(err.text(), text);
    let json: Value = serde_json::from_str(&out.text()).unwrap();
    assert_eq!((&json["event"], &json["code"]), (&"error".into(), &3.into()));
}

#[test]
fn each_cluster_that_failed_is_one_reason() {
    let (_, err) = told(Output::Text, vec![run_ended(5, "east: <html> / 503\nwest: late")]);
    assert!(
        err.starts_with("error: 2 clusters did not get to the end\n  1: east: <html> / 503\n  2: west: late\n"),
        "{err}"
    );
}

#[test]
fn a_command_of_several_lines_can_be_copied() {
    let by_hand = Some("cat <<E\nx\nE\n".to_owned());
    let (target, what, said) = (host("cp1"), "run".into(), "lost".into());
    let ended =
        Event::ChangeEnded { target, id: 1, what, state: ChangeEnd::Unknown, said, took_ms: 0, by_hand, unsent: false };
    let (out, err) = told(Output::Text, vec![started(false), ended, run_ended(5, "lost")]);
    assert!(err.contains("by hand: cat <<E\n") && err.contains("             x\n"), "{err}");
    assert!(out.contains("prod/cp1: by hand: cat <<E\n"), "{out}");
}

/// Hosts of two clusters may have the same names, and what needs nothing is no change that was taken back.
#[test]
fn an_undo_is_told_with_its_clusters_in_full_and_for_machines() {
    let clusters: Vec<String> = ["east", "west"].map(str::to_owned).to_vec();
    let undone = |id, cluster: &str, unsent| {
        let (target, state) = (Target::host(cluster, "cp1"), ChangeEnd::Undone);
        let (what, said) = ("gate.open".into(), "off".into());
        Event::ChangeEnded { target, id, what, state, said, took_ms: 0, by_hand: None, unsent }
    };
    let began = Event::UndoStarted { run: "r1".into(), clusters, changes: 3, needless: 1 };
    let events =
        vec![began, undone(1, "east", false), undone(2, "west", false), undone(3, "west", true), run_ended(0, "over")];
    let (out, err) = told(Output::Text, events.clone());
    assert_eq!(
        err,
        "taking back 2 changes of run r1 on east,west\n\
         \x20 undone   east/cp1,west/cp1: gate.open: off\n\
         \x20 no need  west/cp1: gate.open: off\n"
    );
    let list = "  undone   gate.open on east/cp1,west/cp1\n  no need  gate.open on west/cp1\n";
    assert!(out.contains(list), "{out}");
    let (out, _) = told(Output::Json, events);
    let first: Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    let want = serde_json::json!({
        "v": super::VERSION, "at": "1970-01-01T00:00:00Z",
        "event": "undo-started", "run": "r1", "clusters": ["east", "west"], "changes": 3, "needless": 1,
    });
    assert_eq!(first, want);
}

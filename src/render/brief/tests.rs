use super::*;
use crate::cost::{Cost, Costs};
use crate::finding::{Answer, Probe};

fn host(cluster: &str, name: &str) -> Target {
    Target::host(cluster, name)
}

fn started(clusters: &[&str], steps: usize) -> Event {
    let clusters = clusters.iter().map(|cluster| (*cluster).to_owned()).collect();
    Event::RunStarted { run: "r1".into(), runbook: "try".into(), drill: false, clusters, steps }
}

fn begins(cluster: &str, targets: usize) -> Event {
    let (cluster, name) = (cluster.to_owned(), "close-gate".to_owned());
    Event::StepStarted { cluster, step: 0, name, intent: "close it".into(), why: String::new(), targets }
}

fn saw(target: Target, what: &str) -> Event {
    Event::Saw { target, step: 0, what: what.into() }
}

fn ended(target: Target, state: StepState, why: &str) -> Event {
    Event::TargetEnded { target, step: 0, state, changes: 1, why: why.into() }
}

fn ends(cluster: &str, state: StepState, why: &str, took_ms: u64) -> Event {
    let cost = |requests| Cost { requests, bytes_out: 256, bytes_in: 1024 };
    let costs = [(Target::api_server(cluster, "cp1"), cost(1)), (host(cluster, "cp1"), cost(5))].into_iter().collect();
    let (cluster, name) = (cluster.to_owned(), "close-gate".to_owned());
    Event::StepEnded { cluster, step: 0, name, state, why: why.into(), costs, took_ms }
}

/// What a brief says of events that come at once, and one second later.
fn said(brief: &mut Brief, events: &[Event]) -> String {
    let now = Instant::now();
    let mut lines: Vec<Line> = events.iter().flat_map(|event| brief.hear(event, now)).collect();
    lines.extend(brief.tick(now + WAIT));
    lines.iter().map(|line| format!("{}{}\n", line.head, line.text)).collect()
}

#[test]
fn a_step_is_told_once_for_all_hosts_that_are_alike() {
    let mut brief = Brief::default();
    let mut events = vec![started(&["prod"], 2), begins("prod", 3)];
    for (name, cut) in [("cp1", 80), ("cp2", 82), ("cp3", 81)] {
        events.push(Event::ChangeSent {
            target: host("prod", name),
            step: 0,
            id: cut,
            what: "gate.close port 6443".into(),
            because: "the port is open".into(),
            loads: Vec::new(),
        });
        let (what, said) = ("gate.close port 6443".into(), "result=closed".into());
        let (target, state) = (host("prod", name), ChangeEnd::Done);
        events.push(Event::ChangeEnded {
            target,
            id: cut,
            what,
            state,
            said,
            took_ms: 9,
            by_hand: None,
            unsent: false,
        });
        events.push(saw(host("prod", name), "closed (nft)"));
        events.push(saw(host("prod", name), &format!("{cut} open connections cut, none left")));
        events.push(ended(host("prod", name), StepState::Done, ""));
    }
    events.push(ends("prod", StepState::Done, "3 changes", 900));
    assert_eq!(
        said(&mut brief, &events),
        "run r1: try on prod, 2 steps\n\
         [1/2] close-gate        cp[1-3]: closed (nft); 80-82 open connections cut, none left \
         (3 changes, 1 request, 5 commands, 900 ms)\n"
    );
}

#[test]
fn a_step_that_fails_says_each_cause_once_with_its_hosts() {
    let mut brief = Brief::default();
    let mut events = vec![started(&["prod"], 2), begins("prod", 130)];
    for number in 1..=120 {
        let target = host("prod", &format!("h{number}"));
        let what = format!("h{number}: no SSH: connection refused after {number} ms");
        let hint = Some("is sshd running?".into());
        events.push(Event::Trouble { target: target.clone(), step: 0, what: what.clone(), hint, again: false });
        events.push(ended(target, StepState::Failed, &what));
    }
    events.push(ended(host("prod", "h121"), StepState::Failed, "another gate stands there"));
    events.push(ends("prod", StepState::Failed, "a wall of text", 900));
    let said = said(&mut brief, &events);
    let lines: Vec<&str> = said.lines().skip(1).map(str::trim_start).collect();
    assert_eq!(
        lines,
        [
            "[1/2] close-gate        failed: h[1-120]: no SSH: connection refused after 1-120 ms",
            "h121: another gate stands there",
            "not begun: 9 targets (121 changes, 1 request, 5 commands, 900 ms)",
            "hint: is sshd running?",
        ]
    );
}

#[test]
fn clusters_that_come_to_the_same_are_one() {
    let mut brief = Brief::default();
    let names: Vec<String> = (1..=300).map(|number| format!("c{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut events = vec![started(&names, 2)];
    for (at, cluster) in (1..).zip(&names) {
        events.push(begins(cluster, 1));
        events.push(saw(host(cluster, "cp1"), "closed (nft)"));
        events.push(ended(host(cluster, "cp1"), StepState::Done, ""));
        events.push(ends(cluster, StepState::Done, "1 change", at * 2));
    }
    assert_eq!(
        said(&mut brief, &events),
        "run r1: try on c[1-300], 2 steps\n\
         [1/2] close-gate        c[1-300]/cp1: closed (nft) (300 clusters, 300 changes, 300 requests, 1500 commands, \
         2 ms to 600 ms)\n"
    );
}

#[test]
fn what_was_found_is_told_before_a_question_and_once() {
    let mut brief = Brief::default();
    let now = Instant::now();
    for event in [started(&["prod"], 2), begins("prod", 1), saw(Target::cluster("prod"), "it has 3 volumes")] {
        brief.hear(&event, now);
    }
    let lines = brief.flush();
    assert_eq!(lines.iter().map(|line| &*line.text).collect::<Vec<_>>(), ["it has 3 volumes"]);
    let end = ended(Target::cluster("prod"), StepState::Done, "");
    let rest = said(&mut brief, &[end, ends("prod", StepState::Done, "1 change", 5)]);
    assert_eq!(rest, "[1/2] close-gate        1 change, 1 request, 5 commands, 5 ms\n");
}

#[test]
fn a_wait_is_told_now_and_then_where_no_live_line_shows_it() {
    let waiting = |left_secs| Event::Waiting { target: host("prod", "cp1"), step: 0, what: "peace".into(), left_secs };
    let now = Instant::now();
    for live in [false, true] {
        let mut brief = Brief::new(live);
        brief.hear(&started(&["prod"], 2), now);
        brief.hear(&begins("prod", 1), now);
        assert_eq!(brief.hear(&waiting(600), now), []);
        let later = brief.hear(&waiting(570), now + WAITS_EVERY);
        let texts: Vec<&str> = later.iter().map(|line| &*line.text).collect();
        assert_eq!(texts, if live { vec![] } else { vec!["cp1 waits for peace; 9 min 30 s left"] });
        assert_eq!(brief.hear(&waiting(569), now + WAITS_EVERY), [], "not again at once");
    }
}

#[test]
fn of_a_long_sentence_the_main_clause_is_told() {
    let long = "the kubelets are refused, too: open it or freeze the node lifecycle before four minutes are over";
    let events = |steps| {
        let says = ["closed (nft)", long, "not proved from outside"].map(|what| saw(host("prod", "cp1"), what));
        let end = ends("prod", StepState::Done, "1 change", 5);
        [vec![started(&["prod"], steps), begins("prod", 1)], says.to_vec(), vec![end]].concat()
    };
    let of_many = said(&mut Brief::default(), &events(2));
    assert!(
        of_many.contains("cp1: closed (nft); the kubelets are refused, too …; not proved from outside ("),
        "{of_many}"
    );
    let of_one = said(&mut Brief::default(), &events(1));
    assert!(of_one.contains(&format!("cp1: closed (nft); {long}; not proved from outside")), "{of_one}");
}

/// What a finding knows of its amounts, of its API server and of what may be left out need not be guessed from its words.
#[test]
fn findings_are_told_together_by_what_they_are() {
    let gate = |name: &str, secs| {
        let (now, back_end, taken_over) = ("closed".to_owned(), "nft".to_owned(), String::new());
        let next = Some(("everybody".to_owned(), secs));
        Event::Saw { target: host("prod", name), step: 0, what: Finding::Gate { now, back_end, next, taken_over } }
    };
    let probe = |server: &str, took_ms| {
        let says = "it was reached, and gave no answer in time (drowning, hung or cut off)".to_owned();
        let (tried, server) = (format!("{server} at 10.0.0.1: no TLS handshake in {took_ms} ms"), server.to_owned());
        let live = Answer { says, tried, ..Answer::default() };
        let probe = Probe { server, connection: None, live, ready: None, anonymous: false };
        let what = Finding::Probe(Box::new(probe));
        Event::Saw { target: Target::cluster("prod"), step: 0, what }
    };
    let through = |server: &str, took_ms| {
        let what = Finding::GetsThrough { server: server.into(), code: 200, took_ms };
        Event::Saw { target: host("prod", server), step: 0, what }
    };
    let mut events = vec![started(&["prod"], 2), begins("prod", 3)];
    events.extend([gate("cp1", 899), gate("cp2", 898), through("cp1", 468), through("cp2", 82)]);
    events.extend([probe("api1", 10), probe("api2", 20), ends("prod", StepState::Done, "1 change", 5)]);
    let text = said(&mut Brief::default(), &events);
    for part in [
        "cp[1-2]: closed (nft), everybody in 14m58-59s by itself; the operator gets through: /livez of cp[1-2] says 200 in \
         82-468 ms",
        "api[1-2]: /livez it was reached, and gave no answer in time (drowning, hung or cut off) …",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn of_many_sentences_the_first_are_told_and_the_others_counted() {
    let says = |count: usize| {
        (0..count).map(|at| {
            saw(host("prod", "cp1"), &format!("sentence {} that is none too long", ["a", "b"][at % 2].repeat(at + 1)))
        })
    };
    let events = |steps, count| {
        let mut events = vec![started(&["prod"], steps), begins("prod", 1)];
        events.extend(says(count));
        events.push(ends("prod", StepState::Done, "1 change", 5));
        events
    };
    let of_many = said(&mut Brief::default(), &events(2, 9));
    assert!(of_many.contains("; 6 more (-v) ("), "{of_many}");
    let of_one = said(&mut Brief::default(), &events(1, 9));
    assert!(!of_one.contains("more") && of_one.contains("aaaaaaaaa"), "{of_one}");
    // A change of each of five hundred nodes is no list that anybody reads.
    let of_nodes = said(&mut Brief::default(), &events(1, 40));
    assert!(of_nodes.contains("; 28 more (-v) ("), "{of_nodes}");
}

#[test]
fn a_cause_that_was_told_is_not_told_again_at_the_end() {
    let cause = "cp1: it is gone";
    let end_after = |state: StepState, why: &str| {
        let mut brief = Brief::default();
        said(&mut brief, &[started(&["prod"], 2), begins("prod", 1), ends("prod", state, cause, 5)]);
        let (run, why, next) = ("r1".to_owned(), why.to_owned(), Vec::new());
        let event = Event::RunEnded { run, code: 5, why, costs: Costs::default(), took_ms: 5, next };
        brief.end(&event).failure.iter().map(|line| line.text.clone()).collect::<Vec<_>>()
    };
    let end = |why: &str| end_after(StepState::Failed, why);
    let stopped = end_after(StepState::Interrupted, "prod: step \"close-gate\": cp1: it is gone");
    assert_eq!(stopped, ["prod: step \"close-gate\" stopped, see above"]);
    assert_eq!(end("prod: step \"close-gate\": cp1: it is gone"), ["prod: step \"close-gate\" failed, see above"]);
    assert_eq!(end("prod: it is not known whether it took effect"), ["prod: it is not known whether it took effect"]);
}

#[test]
fn requests_are_told_by_their_objects() {
    let table = [
        ("DELETE /apis/apps/v1/namespaces/telemetry/daemonsets/agent", "DELETE daemonsets.apps/telemetry/agent"),
        ("DELETE /api/v1/namespaces/x/pods?labelSelector=a%3Db&limit=500", "DELETE pods/x"),
        ("PATCH /apis/rbac.authorization.k8s.io/v1/clusterroles/a", "PATCH clusterroles/a"),
        ("DELETE /api/v1/nodes/n1", "DELETE nodes/n1"),
        ("POST https://pager.test/1", "POST https://pager.test/1"),
        ("gate.close port /x", "gate.close port /x"),
        ("GET /livez", "GET /livez"),
    ];
    for (what, told) in table {
        assert_eq!(short(what), told);
    }
}

fn undone(target: Target, id: u32, unsent: bool) -> Event {
    let (what, said, state) = ("gate.open for everybody".into(), "result=open".into(), ChangeEnd::Undone);
    Event::ChangeEnded { target, id, what, state, said, took_ms: 5, by_hand: None, unsent }
}

fn undo_of(clusters: &[&str], changes: usize, needless: usize) -> Event {
    let clusters = clusters.iter().map(|cluster| (*cluster).to_owned()).collect();
    Event::UndoStarted { run: "r1".into(), clusters, changes, needless }
}

fn run_ended(code: u8, why: &str) -> Event {
    let (run, why, next) = ("r1".to_owned(), why.to_owned(), Vec::new());
    Event::RunEnded { run, code, why, costs: Costs::default(), took_ms: 5, next }
}

/// What was sent is news; what ended by itself is a number.
#[test]
fn what_needs_no_taking_back_is_counted() {
    let cp1 = || host("prod", "cp1");
    let gone = [undone(cp1(), 1, false), undone(cp1(), 2, true), undone(cp1(), 3, true)];
    let end = run_ended(0, "1 change taken back, 2 needed none");
    let told = said(&mut Brief::default(), &[[undo_of(&["prod"], 3, 2)].as_slice(), &gone, &[end]].concat());
    assert_eq!(
        told,
        "taking back 1 change of run r1 on prod\n\
         \x20 undone   cp1: gate.open for everybody: result=open\n\
         \x20          2 changes need no taking back\n"
    );
    let nothing = said(&mut Brief::default(), &[undo_of(&["prod"], 2, 2)]);
    assert_eq!(nothing, "nothing to take back of run r1 on prod\n");
}

/// Hosts of two clusters may have the same names.
#[test]
fn an_undo_names_the_clusters_of_its_hosts() {
    let mut brief = Brief::default();
    let events = [
        undo_of(&["east", "west"], 2, 0),
        undone(host("east", "cp1"), 1, false),
        undone(host("west", "cp1"), 2, false),
    ];
    assert_eq!(
        said(&mut brief, &events),
        "taking back 2 changes of run r1 on east,west\n\
         \x20 undone   east/cp1,west/cp1: gate.open for everybody: result=open\n"
    );
    let why = "east: 1 change taken back; could not\nwest: 1 change taken back; could not";
    let end = brief.end(&run_ended(6, why));
    let causes: Vec<_> = end.failure.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(causes, ["east,west: 1 change taken back; could not"]);
}

/// In a run on many clusters each says for itself that it is taken back, with its own number, alike ones together.
#[test]
fn a_run_that_takes_back_says_on_which_cluster_and_how_much() {
    let names = ["c1", "c2", "c3"];
    let mut events = vec![started(&names, 2)];
    for (at, name) in (1..).zip(names) {
        events.extend([begins(name, 1), ends(name, StepState::Failed, "no", 5), undo_of(&[name], 4, 1)]);
        events.push(undone(host(name, "cp1"), at, false));
    }
    let told = said(&mut Brief::default(), &events);
    for part in [
        "  begins   c[1-3]: taking back 3 changes of run r1\n",
        "  undone   c1/cp1,c2/cp1,c3/cp1: gate.open for everybody",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    assert!(told.find("failed: ") < told.find("begins"), "what it came to is told first\n{told}");
}

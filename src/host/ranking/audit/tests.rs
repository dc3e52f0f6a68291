//! The script, run as a host runs it, on each awk that hosts have.

use serde_json::{Value, json};

use super::*;
use crate::host::ranking::tests::{run, run_with};

/// Programs that are called `awk` somewhere.
const AWKS: [&str; 3] = ["mawk", "gawk", "busybox awk"];

/// One event.
struct Event {
    id: u32,
    user: &'static str,
    agent: &'static str,
    verb: &'static str,
    uri: &'static str,
    resource: &'static str,
    stage: &'static str,
    code: u16,
    took_ms: u32,
    address: &'static str,
    pod: &'static str,
}

const LIST: Event = Event {
    id: 1,
    user: "system:serviceaccount:telemetry:agent",
    agent: "agent/1.0",
    verb: "list",
    uri: "/api/v1/pods?limit=500",
    resource: "pods",
    stage: "ResponseComplete",
    code: 200,
    took_ms: 1500,
    address: "10.1.0.9",
    pod: "agent-7xk2p",
};

impl Event {
    /// A line as an API server writes it: the order of its keys is that of the type.
    fn line(&self) -> String {
        let text = |text: &str| Value::from(text).to_string();
        let began = format!("2026-11-28T07:00:{:02}.000000Z", self.id % 50);
        let ms = (self.id % 50) * 1000 + self.took_ms;
        let ended = format!("2026-11-28T07:{:02}:{:02}.{:03}000Z", ms / 60_000, ms / 1000 % 60, ms % 1000);
        let extra = if self.pod.is_empty() {
            String::new()
        } else {
            let node = format!("node-of-{}", self.pod);
            let extra = json!({"authentication.kubernetes.io/node-name": [node], "authentication.kubernetes.io/pod-name": [self.pod]});
            format!(",\"extra\":{extra}")
        };
        let object = if self.resource.is_empty() {
            String::new()
        } else {
            let (resource, group) = self.resource.split_once('.').unwrap_or((self.resource, ""));
            let (group, part) = group.split_once('/').unwrap_or((group, ""));
            let (resource, part) = resource.split_once('/').unwrap_or((resource, part));
            let group = if group.is_empty() { String::new() } else { format!("\"apiGroup\":\"{group}\",") };
            let part = if part.is_empty() { String::new() } else { format!(",\"subresource\":\"{part}\"") };
            format!(
                ",\"objectRef\":{{\"resource\":\"{resource}\",\"namespace\":\"a\",{group}\"apiVersion\":\"v1\"{part}}}"
            )
        };
        let status = if self.stage == "RequestReceived" {
            String::new()
        } else {
            format!(",\"responseStatus\":{{\"metadata\":{{}},\"code\":{}}}", self.code)
        };
        format!(
            "{{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"Metadata\",\"auditID\":\"id-{}\",\"stage\":\"{}\",\
             \"requestURI\":{},\"verb\":{},\"user\":{{\"username\":{},\"groups\":[\"system:authenticated\"]{extra}}},\
             \"sourceIPs\":[\"{}\"],\"userAgent\":{}{object}{status},\"requestReceivedTimestamp\":\"{began}\",\
             \"stageTimestamp\":\"{ended}\",\"annotations\":{{\"authorization.k8s.io/decision\":\"allow\"}}}}\n",
            self.id,
            self.stage,
            text(self.uri),
            text(self.verb),
            text(self.user),
            self.address,
            text(self.agent),
        )
    }
}

/// A folder with logs in it, `audit.log` and others.
struct Logs(tempfile::TempDir);

impl Logs {
    fn of(text: &[u8]) -> Self {
        let logs = Self(tempfile::tempdir().unwrap());
        logs.put("audit.log", text);
        logs
    }

    fn put(&self, name: &str, text: &[u8]) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    fn ask(&self, seconds: u64, most: u64) -> Query<AuditRank> {
        audit(&self.0.path().join("audit.log").display().to_string(), seconds, most)
    }

    /// On the awk of this machine.
    fn ranked(&self) -> Ranked {
        read(&run(self.ask(0, 1 << 30).into()))
    }
}

fn read(said: &str) -> Ranked {
    match parse(said) {
        Some(Audited::Ranked(ranked)) => ranked,
        other => panic!("{other:?}: {said}"),
    }
}

/// What a row is about, and how much.
fn told(ranked: &Ranked) -> Vec<(String, String, u64, u64)> {
    let mut all: Vec<_> = ranked
        .rows
        .iter()
        .map(|row| {
            (row.user.clone().unwrap_or_default(), format!("{} {}", row.verb, row.resource), row.requests, row.watches)
        })
        .collect();
    all.sort();
    all
}

fn row(user: &str, asks: &str, requests: u64, watches: u64) -> (String, String, u64, u64) {
    (user.to_owned(), asks.to_owned(), requests, watches)
}

#[test]
fn each_request_counts_once_whatever_its_stages_and_watches_that_go_on_are_told() {
    let watch = "/api/v1/pods?watch=true";
    let from_the_start = "/api/v1/pods?allowWatchBookmarks=true&sendInitialEvents=true&watch=true";
    let lines = [
        Event { stage: "RequestReceived", ..LIST },
        LIST,
        Event { id: 2, stage: "RequestReceived", ..LIST },
        Event { id: 2, code: 429, took_ms: 500, ..LIST },
        Event { id: 3, stage: "RequestReceived", ..LIST },
        Event { id: 4, verb: "watch", uri: watch, stage: "ResponseStarted", ..LIST },
        Event { id: 4, verb: "watch", uri: watch, took_ms: 59_000, ..LIST },
        Event { id: 5, verb: "watch", uri: from_the_start, stage: "ResponseStarted", ..LIST },
        Event {
            id: 6,
            verb: "watch",
            uri: from_the_start,
            stage: "ResponseStarted",
            pod: "agent-9d8sz",
            address: "10.1.0.8",
            ..LIST
        },
        Event { id: 7, user: "jane", pod: "", verb: "patch", resource: "deployments.apps/scale", ..LIST },
        Event { id: 8, user: "jane", pod: "", verb: "get", uri: "/metrics?x=y", resource: "", ..LIST },
    ];
    let text: String = lines.iter().map(Event::line).collect();
    let logs = Logs::of(text.as_bytes());
    let mut answers = Vec::new();
    for awk in AWKS {
        let functions = ["nice() { shift 2; \"$@\"; }".to_owned(), format!("awk() {{ {awk} \"$@\"; }}")];
        let said = run_with(logs.ask(0, 1 << 30).into(), &functions.each_ref().map(String::as_str));
        let ranked = read(&said);
        assert_eq!(
            told(&ranked),
            [
                row("jane", "get /metrics", 1, 0),
                row("jane", "patch deployments.apps/scale", 1, 0),
                row(LIST.user, "list pods", 3, 0),
                row(LIST.user, "watch from the start pods", 2, 2),
                row(LIST.user, "watch pods", 1, 0),
            ],
            "{awk}: {said}"
        );
        let list = ranked.rows.iter().find(|row| row.verb == "list").unwrap();
        assert_eq!((list.millis, list.refused, list.agent.as_deref()), (Some(2000), 1, Some("agent/1.0")), "{awk}");
        let start = ranked.rows.iter().find(|row| row.verb == "watch from the start").unwrap();
        assert_eq!((start.nodes, start.source_count, start.pods.len(), start.millis), (2, 2, 2, None), "{awk}");
        assert_eq!((ranked.lines, ranked.skipped, ranked.whole), (11, 0, true), "{awk}");
        assert_eq!(ranked.stages, Stages { received: true, started: true, complete: true });
        answers.push(ranked.rows);
    }
    assert!(answers.windows(2).all(|two| {
        let ages = |rows: &[crate::host::ranking::Row]| rows.iter().map(|row| row.first - row.last).collect::<Vec<_>>();
        ages(&two[0]) == ages(&two[1])
    }));
}

#[test]
fn nothing_that_a_client_says_makes_it_somebody_else() {
    let forged = Event {
        uri: "/api?x=\",\"verb\":\"get\",\"user\":{\"username\":\"jane\"}",
        agent: "a\",\"sourceIPs\":[\"6.6.6.6\"],\"userAgent\":\"kubelet\t\u{1b}[2J\n\\",
        ..LIST
    };
    let quoted = Event { user: "o\"brien\\", pod: "", ..LIST };
    let logs = Logs::of([forged.line(), quoted.line()].concat().as_bytes());
    let ranked = logs.ranked();
    assert_eq!(told(&ranked), [row("o\"brien\\", "list pods", 1, 0), row(LIST.user, "list pods", 1, 0)]);
    let first = ranked.rows.iter().find(|row| row.user.as_deref() == Some(LIST.user)).unwrap();
    assert_eq!(first.sources, [("10.1.0.9".parse().unwrap(), 1)]);
    assert_eq!(first.agent.as_deref(), Some(forged.agent));
}

/// What a request carried may look like the end of its event.
#[test]
fn an_object_in_an_event_is_no_part_of_it() {
    let plain = LIST.line().replace("\"level\":\"Metadata\"", "\"level\":\"Request\"");
    let object = ",\"requestObject\":{\"requestReceivedTimestamp\":\"1999-01-01T00:00:00.000000Z\",\"stageTimestamp\":\"1999-01-01T00:00:00.000000Z\"}";
    let at = plain.find(",\"requestReceivedTimestamp\"").unwrap();
    let logs = Logs::of(format!("{}{object}{}", &plain[..at], &plain[at..]).as_bytes());
    let ranked = logs.ranked();
    assert_eq!(ranked.rows[0].millis, Some(1500));
    assert!(ranked.rows[0].first < 40 * 365 * 86_400, "{ranked:?}");
}

#[test]
fn hostile_lines_are_left_out_and_counted() {
    let long = Event { uri: Box::leak(format!("/api/v1/{}", "x".repeat(3 << 20)).into_boxed_str()), ..LIST }.line();
    let mut text = LIST.line().as_bytes()[40..].to_vec();
    text.extend(LIST.line().as_bytes());
    text.extend(b"\x00\xff\xfe\x1b[2J binary \x00\n\n");
    text.extend(long.as_bytes());
    text.extend(LIST.line().replace("\"requestReceivedTimestamp\"", "\"x\"").as_bytes());
    text.extend(&LIST.line().as_bytes()[..150]);
    let logs = Logs::of(&text);
    for awk in AWKS {
        let functions = ["nice() { shift 2; \"$@\"; }".to_owned(), format!("awk() {{ {awk} \"$@\"; }}")];
        let said = run_with(logs.ask(0, 1 << 30).into(), &functions.each_ref().map(String::as_str));
        let ranked = read(&said);
        assert_eq!(told(&ranked), [row(LIST.user, "list pods", 2, 0)], "{awk}: {said}");
        assert_eq!(ranked.skipped, 2, "{awk}: {said}");
    }
}

#[test]
fn what_is_no_audit_log_is_told_from_an_empty_one() {
    assert_eq!(parse(&run(audit("/nowhere/audit.log", 0, 1000).into())), Some(Audited::NoLog));
    assert_eq!(parse(&run(Logs::of(b"2026 Event x\n").ask(0, 1000).into())), Some(Audited::NotJson));
    assert!(Logs::of(b"").ranked().rows.is_empty());
    assert_eq!(parse("log=/a\nlines=3\nrow=:\tu\n"), None, "it broke off");
}

#[test]
fn rotated_logs_are_read_too_newest_first_as_far_as_wanted() {
    let many = |user: &'static str| Event { user, pod: "", ..LIST }.line().repeat(50);
    let logs = Logs::of(many("now").as_bytes());
    let set = |name: &str, ago: u64| {
        let file = std::fs::File::options().write(true).open(logs.0.path().join(name)).unwrap();
        file.set_modified(std::time::SystemTime::from(jiff::Timestamp::now()) - std::time::Duration::from_secs(ago))
            .unwrap();
    };
    let packed = |text: &str| {
        let mut gzip = std::process::Command::new("gzip")
            .arg("-c")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut gzip.stdin.take().unwrap(), text.as_bytes()).unwrap();
        gzip.wait_with_output().unwrap().stdout
    };
    logs.put("audit-2026-11-28T06-00-00.000.log", many("before").as_bytes());
    logs.put("audit-2026-11-28T05-00-00.000.log.gz", &packed(&many("long-ago")));
    logs.put("audit-other.log", many("no part of it").as_bytes());
    set("audit-2026-11-28T06-00-00.000.log", 60);
    set("audit-2026-11-28T05-00-00.000.log.gz", 7200);
    // The one that is read has been rotated just now, and stands there under both names.
    std::fs::hard_link(logs.0.path().join("audit.log"), logs.0.path().join("audit-2026-11-28T07-00-00.000.log"))
        .unwrap();
    let users =
        |ranked: &Ranked| told(ranked).into_iter().map(|(user, _, requests, _)| (user, requests)).collect::<Vec<_>>();
    let all = logs.ranked();
    let expected = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), 50)).collect::<Vec<_>>();
    assert_eq!(users(&all), expected(&["before", "long-ago", "now"]));
    assert!(all.whole);
    // Nothing in the older one can be as young as that. The times in these lines are fixed, and none of them is, either.
    let said = run(logs.ask(3600, 1 << 30).into());
    assert!(said.contains("also=") && !said.contains(".gz"), "{said}");
    // Nor is more read than so many bytes: the newest ones, from the beginning of a line.
    let one = Event { user: "now", pod: "", ..LIST }.line().len() as u64;
    let part = read(&run(logs.ask(0, one * 10 + 5).into()));
    assert_eq!(users(&part), [("now".to_owned(), 10)]);
    assert!(!part.whole);
}

#[test]
fn two_halves_of_a_long_log_lose_no_line_and_have_none_in_common() {
    let lines: String = (0..9000).map(|id| Event { id, ..LIST }.line()).collect();
    assert!(lines.len() > 4_000_000);
    let ranked = Logs::of(lines.as_bytes()).ranked();
    assert_eq!(told(&ranked), [row(LIST.user, "list pods", 9000, 0)]);
    assert_eq!((ranked.lines, ranked.skipped), (9000, 0));
}

#[test]
fn only_the_last_so_many_seconds_by_the_hosts_clock_are_counted() {
    let now = jiff::Timestamp::now();
    let at = |ago: i64| format!("{:.6}", now - jiff::SignedDuration::from_secs(ago));
    let line = |ago: i64, user: &'static str| {
        let text = Event { user, ..LIST }.line();
        text.replace("2026-11-28T07:00:01.000000Z", &at(ago)).replace("2026-11-28T07:00:02.500000Z", &at(ago - 1))
    };
    let logs = Logs::of([line(4000, "old"), line(60, "new"), line(10, "new")].concat().as_bytes());
    let ranked = read(&run(logs.ask(300, 1 << 30).into()));
    assert_eq!(told(&ranked), [row("new", "list pods", 2, 0)]);
    assert!((40..=300).contains(&ranked.span) && ranked.rows[0].last < 300, "{ranked:?}");
}

//! What stands, from the laptop that did it and from an empty one.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Home, Practice};

/// What one home is told of a practice cluster.
fn status(home: &Home, kit: &str, args: &[&str]) -> Value {
    let all = [&["status", "--kit", kit, "--api", "-o", "json"], args].concat();
    let said = home.run(&all).is(0, &[]);
    serde_json::from_str(&said.out).unwrap()
}

/// How many of each kind stand, and who takes them back.
fn kinds(status: &Value) -> BTreeMap<(String, String), usize> {
    let mut all = BTreeMap::new();
    for one in status["stands"].as_array().unwrap() {
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        *all.entry((word(&one["kind"]), word(&one["back"]["by"]))).or_default() += 1;
    }
    all
}

fn counted(all: &[(&str, &str, usize)]) -> BTreeMap<(String, String), usize> {
    all.iter().map(|(kind, by, number)| (((*kind).to_owned(), (*by).to_owned()), *number)).collect()
}

const FREEZE: &str = "\
apiVersion: breakglass/v1
kind: Runbook
metadata: {name: freeze, purpose: Freeze.}
spec:
  steps:
    - {name: freeze, kind: freeze-nodes}
";

#[test]
fn whoever_looks_sees_what_stands_and_whose_it_is_with_a_journal_or_without() {
    let (alice, bob) = (Home::new(), Home::new());
    let practice = Practice::start(&alice, &["--peace"]);
    let kit = practice.kit.as_str();
    let text = |home: &Home| practice.run(home, &["status", "--api", "--exit-code"]);
    for home in [&alice, &bob] {
        let _ = text(home).is(0, &["sandbox: nothing stands\n", "objects were looked at by 20 requests"]);
    }
    std::fs::write(alice.path("freeze.yaml"), FREEZE).unwrap();
    for args in [
        &["gate", "close", "--reason", "it drowns"][..],
        &["park", "ds/telemetry/agent"],
        &["revoke", "--workload", "ds/telemetry/agent"],
        &["disarm"],
        &["restore-rights"],
        &["recovery-apiserver", "start"],
        &["run", "freeze.yaml"],
        &["prepare", "authorization-config"],
        &["jail", "sa/telemetry/agent"],
    ] {
        let _ = practice.run(&alice, &[args, &["--yes"]].concat()).is(0, &["every step is done"]);
    }

    // Without a journal: all but the binding that was deleted, each with whose it is and a way back.
    let marks = [
        ("disarmed", "kubectl", 1),
        ("gate", "verb", 3),
        ("jail", "host", 3),
        ("manifest", "host", 6),
        ("parked", "kubectl", 1),
        ("recovery-apiserver", "verb", 1),
        ("restored", "kubectl", 1),
    ];
    let seen = status(&bob, kit, &[]);
    assert_eq!(kinds(&seen), counted(&marks), "{seen:#}");
    for one in seen["stands"].as_array().unwrap() {
        assert_eq!((&one["operator"], &one["seen"]), (&Value::from("sre"), &Value::from("mark")), "{one:#}");
        assert!(one["since"].is_string() && one["run"].as_str().unwrap().starts_with("20"), "{one:#}");
        let ends = ["gate", "recovery-apiserver"].contains(&one["kind"].as_str().unwrap());
        assert_eq!(one["ends"]["seconds"].is_u64(), ends, "{one:#}");
    }
    let said = text(&bob)
        .is(9, &["sandbox: 8 things stand", "cp[1-3]", "gate: closed", "(it_drowns)", "node lifecycle frozen"]);
    assert!(said.out.contains("everybody in ") && !said.out.contains("breakglass undo"), "{}", said.out);
    // What it was not told to look at it does not speak of.
    let hosts =
        practice.run(&bob, &["status"]).is(0, &["sandbox: 5 things stand", "not looked at: objects in the API"]);
    assert!(!hosts.out.contains("parked"), "{}", hosts.out);

    // With the journal: the same things, once each, and the one that leaves no mark.
    let seen = status(&alice, kit, &[]);
    let here: Vec<_> =
        marks.iter().map(|(kind, _, number)| (*kind, "undo", *number)).chain([("unmarked", "undo", 1)]).collect();
    assert_eq!(kinds(&seen), counted(&here), "{seen:#}");
    let unseen = practice.run(&alice, &["status"]).is(0, &["parked (by its journal; not looked at)", "deleted"]);
    assert!(unseen.out.contains("taken back by: breakglass undo"), "{}", unseen.out);

    // The command that the empty laptop is given does it, and the first one sees that.
    let of = |seen: &Value, kind: &str| {
        let all = seen["stands"].as_array().unwrap();
        all.iter().find(|one| one["kind"] == kind).unwrap()["back"]["command"].as_str().unwrap().to_owned()
    };
    let stop = of(&status(&bob, kit, &[]), "recovery-apiserver");
    let words: Vec<&str> = stop.split(' ').skip(1).chain(["--yes"]).collect();
    let _ = bob.run(&words).is(0, &["every step is done"]);
    let seen = status(&alice, kit, &[]);
    assert_eq!(seen["gone"].as_array().map(Vec::len), Some(1), "{seen:#}");
    assert_eq!(seen["gone"][0]["kind"], "recovery-apiserver");

    let runs: std::collections::BTreeSet<&str> = ["stands", "gone"]
        .into_iter()
        .flat_map(|list| seen[list].as_array().unwrap())
        .map(|one| one["run"].as_str().unwrap())
        .collect();
    assert_eq!(runs.len(), 9);
    for run in runs.iter().rev() {
        let _ = practice.run(&alice, &["undo", run, "--yes"]).is(0, &[]);
    }
    for home in [&alice, &bob] {
        let _ = text(home).is(0, &["sandbox: nothing stands\n"]);
    }
    practice.end();
}

/// What could not be looked at is not known, whatever the rest says; a journal of another cluster of that name is not this one's.
#[test]
fn what_cannot_be_looked_at_is_said_and_a_namesake_is_told_apart() {
    let home = Home::new();
    let practice = Practice::start(&home, &["--peace"]);
    let park = ["park", "ds/telemetry/agent", "--yes", "--kit", &practice.kit];
    let _ = home.run(&park).is(0, &["every step is done"]);
    practice.end();
    // Its kit is gone with it: the journal tells of it all the same.
    let said = home.run(&["status"]).is(3, &["sandbox: 1 thing stands by the journals here", "breakglass undo"]);
    assert!(!said.out.contains("nothing stands"), "{}", said.out);
    let other = Practice::start(&home, &["--peace"]);
    let told = home.run(&["status", "--kit", &other.kit, "--api"]);
    let told = told.is(0, &["sandbox: nothing stands", "sandbox (another of that name, of ", "not looked at"]);
    assert!(told.out.contains("sandbox (another of that name"), "{}", told.out);

    let text = std::fs::read_to_string(std::path::Path::new(&other.kit).join("sandbox.yaml")).unwrap();
    let dead = super::Home::new();
    std::fs::create_dir(dead.path("kit")).unwrap();
    // Nobody listens for SSH there.
    let lines = text.lines().map(|line| {
        let at = line.find("port:").map(|at| &line[..at]);
        at.map_or_else(|| line.to_owned(), |before| format!("{before}port: 1"))
    });
    std::fs::write(dead.path("kit/sandbox.yaml"), lines.collect::<Vec<_>>().join("\n")).unwrap();
    for (path, mode) in [("kit/sandbox.yaml", 0o600), ("kit", 0o700)] {
        std::fs::set_permissions(dead.path(path), std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    }
    let _ = dead.run(&["status", "--kit", "kit", "--exit-code"]).is(
        4,
        &[
            "sandbox: nothing was seen to stand; not all could be looked at",
            "not known: sandbox/cp[1-3]: what stands there",
            "no host could be asked",
        ],
    );
    other.end();
}

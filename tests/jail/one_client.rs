//! The main job: one client out, and nobody else.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use testbed::User;

use super::clients::{Asked, Asking, Client, Who};
use super::scene::{OFFENDER, Scene, scene};

/// So long after the command begins may a request of the offender's still be served, on a machine that does other things, too.
const LOOSE: Duration = Duration::from_secs(20);
pub(super) const AGENT: &str = "serviceaccount/telemetry/agent";

/// How often it is put in and taken out.
const ROUNDS: usize = 3;

pub(super) fn since(at: SystemTime, from: SystemTime) -> f64 {
    match at.duration_since(from) {
        Ok(after) => after.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    }
}

/// When a file got its name: that of its inode's last change.
pub(super) fn renamed(file: &Path) -> Result<SystemTime> {
    let meta = std::fs::metadata(file)?;
    let (seconds, nanos) = (u64::try_from(meta.ctime())?, u32::try_from(meta.ctime_nsec())?);
    Ok(UNIX_EPOCH + Duration::new(seconds, nanos))
}

/// The last request that was answered so.
pub(super) fn last(asked: &[Asked], server: usize, code: u16, before: SystemTime) -> Option<&Asked> {
    asked.iter().rev().find(|one| one.server == server && one.at < before && one.code == Ok(code))
}

/// The first request that was answered so.
pub(super) fn first(asked: &[Asked], server: usize, code: u16, after: SystemTime) -> Option<&Asked> {
    asked.iter().find(|one| one.server == server && one.at >= after && one.code == Ok(code))
}

pub(super) fn told(what: &str, seconds: &mut [f64]) {
    seconds.sort_by(f64::total_cmp);
    let (median, most) = (seconds[seconds.len() / 2], seconds[seconds.len() - 1]);
    println!("jail: {what}: n {}, min {:.3}, median {median:.3}, max {most:.3} s", seconds.len(), seconds[0]);
}

/// Clients that nobody is to notice it by.
fn innocents(scene: &Scene) -> Result<Vec<(&'static str, Asking)>> {
    let pause = Duration::from_millis(20);
    let all = [
        ("a like service account", Who::Token(scene.token("calm")?), "/api/v1/namespaces?limit=500"),
        ("alice", Who::Certificate(User::Alice), "/api/v1/namespaces/kube-system"),
        ("system:masters", Who::Certificate(User::Masters), "/api/v1/nodes"),
        ("nobody, who asks for its health", Who::Nobody, "/livez"),
    ];
    all.into_iter().map(|(name, who, path)| Ok((name, scene.asks(&Client { who, path, pause })?))).collect()
}

pub(super) fn nobody_else() -> Result<()> {
    let scene = &*scene()?;
    let before = scene.files()?;
    let mut marks = Vec::new();
    for server in scene.servers() {
        marks.push(server.audit().mark()?);
    }
    let offender =
        Client { who: Who::Token(scene.token("agent")?), path: "/api/v1/namespaces?limit=500", pause: Duration::ZERO };
    let offender = scene.asks(&offender)?;
    let innocents = innocents(scene)?;
    let (mut from_command, mut from_rename, mut out) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        offender.answered(200)?;
        let began = SystemTime::now();
        let said = scene.alice.run(&["jail", AGENT, "--yes", "-v"])?;
        let over = SystemTime::now();
        ensure!(said.contains("in force: ") && said.contains("the audit log shows it"), "{said}");
        offender.answered(500)?;
        let asked = offender.so_far();
        for server in 0..scene.servers().len() {
            let renamed = renamed(&scene.config(server))?;
            let served = last(&asked, server, 200, over).context("it was never served")?;
            let refused = first(&asked, server, 500, began).context("it was never refused")?;
            ensure!(refused.at > served.at, "it was served after it had been refused: {served:?} {refused:?}");
            ensure!(since(served.at, began) < LOOSE.as_secs_f64(), "served after {:.1} s", since(served.at, began));
            from_command.push(since(served.at, began));
            from_rename.push(since(refused.at, renamed));
        }
        let began = SystemTime::now();
        scene.alice.run(&["undo", "last", "--yes"])?;
        offender.answered(200)?;
        let asked = offender.so_far();
        for server in 0..scene.servers().len() {
            out.push(since(first(&asked, server, 200, began).context("it was not let out")?.at, began));
        }
        ensure!(scene.files()? == before, "the files are not what they were");
    }
    told("from the command to the last request that was served", &mut from_command);
    told("from the rename to the first request that was refused", &mut from_rename);
    told("from the command of the undo to the first request that was served", &mut out);
    drop(offender);
    for (who, innocent) in innocents {
        println!("jail: {who}: {} requests, all served", innocent.always_served(who)?);
    }
    for (server, mark) in scene.servers().iter().zip(marks) {
        let all = server.audit().since(mark)?;
        let ours: Vec<_> = all.iter().filter(|one| one.user_agent.starts_with("breakglass/")).collect();
        ensure!(ours.is_empty(), "requests of ours: {ours:?}");
        let refused = all.iter().filter(|one| one.code() == Some(500));
        let other = refused.clone().find(|one| one.user.username != OFFENDER);
        ensure!(other.is_none(), "refused: {}", other.map(ToString::to_string).unwrap_or_default());
        println!("jail: {}: {} requests refused, none of ours", server.host().name(), refused.count());
    }
    Ok(())
}

/// The commands that docs/jail.md says.
fn by_hand() -> Result<String> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/jail.md"))?;
    let lines = text.lines().skip_while(|line| !line.starts_with("    cd /etc/kubernetes/authorization"));
    let lines: Vec<&str> = lines.take_while(|line| line.starts_with("    ")).collect();
    ensure!(lines.len() == 3, "{lines:?}");
    Ok(format!("set -e\n{}\n", lines.join("\n")))
}

pub(super) fn what_stands_in_the_way() -> Result<()> {
    let scene = &*scene()?;
    let before = scene.files()?;
    let alice = &scene.alice;
    for (subject, part) in [
        ("group/system:masters", "before any authorizer is asked"),
        ("system:anonymous", "restarted again and again"),
        ("system:apiserver", "no authorizer is asked about it"),
    ] {
        alice.fails(&["jail", subject, "--yes"], 3, &[part])?;
    }
    // Those that the cluster, or we, live by are typed, once for all hosts.
    for vital in ["serviceaccount/kube-system/coredns", "group/system:nodes", "user/alice", "group/oncall"] {
        alice.fails(&["jail", vital, "--yes"], 8, &["Type", "--consent"])?;
    }
    ensure!(scene.files()? == before, "something was written");

    // By name, and only what was named: the API servers themselves say what is refused.
    let calm =
        |path| scene.asks(&Client { who: Who::Token(scene.token("calm")?), path, pause: Duration::from_millis(50) });
    let (lists, gets) = (calm("/api/v1/nodes?limit=1")?, calm("/api/v1/namespaces/telemetry")?);
    let narrow =
        ["jail", "group/system:serviceaccounts:telemetry", "--verbs", "list,watch", "--resources", "no,pods", "--yes"];
    let said = alice.run(&narrow)?;
    ensure!(said.contains("in force: "), "{said}");
    lists.answered(500)?;
    gets.answered(200)?;
    // A second one beside it, whose name has to be quoted everywhere.
    let odd = "user/it's \"odd\" \\ J\u{fc}rgen";
    let said = alice.run(&["jail", odd, "--within", "5s", "--yes", "-v"])?;
    for part in ["is not known: no request of it stands in", "other jails stand in"] {
        ensure!(said.contains(part), "{part:?}: {said}");
    }
    let mine = alice.run(&["runs"])?;
    let odd_run = mine.split_whitespace().find(|word| word.starts_with("20")).context("no run")?.to_owned();
    lists.answered(500)?;
    // Whoever edits the lines keeps them, and is told; the file is named.
    let file = scene.config(0);
    let text = std::fs::read_to_string(&file)?;
    std::fs::write(&file, text.replacen("timeout: 1s", "timeout: 2s", 1))?;
    alice.fails(&["undo", &odd_run, "--yes"], 6, &["take them out by hand"])?;
    std::fs::write(&file, &text)?;
    alice.run(&["undo", &odd_run, "--yes"])?;
    lists.answered(500)?;
    gets.always_served("what was not named")?;
    let all = alice.run(&["runs", "-o", "json"])?;
    let first = all.split("\"run\":\"").nth(2).and_then(|rest| rest.split('"').next()).context("no run")?;
    alice.run(&["undo", first, "--yes"])?;
    lists.answered(200)?;
    ensure!(scene.files()? == before, "the files are not what they were");

    // The runbook, unattended, for a client that it names itself.
    let shipped = ["run", "jail-client", "-p", "client=sa/telemetry/calm", "-p", "verbs=list,watch", "--yes", "-v"];
    let said = alice.run(&shipped)?;
    for part in ["in force: ", "ready 2 times in a row"] {
        ensure!(said.contains(part), "{part:?}: {said}");
    }
    lists.answered(500)?;
    alice.run(&["undo", "last", "--yes"])?;
    lists.answered(200)?;

    // Taken out as the documents say, without the program: the undo finds nothing left to do.
    let said = alice.run(&["jail", AGENT, "--within", "5s", "--yes"])?;
    let run =
        said.split_whitespace().find(|word| word.starts_with("20")).context("no run")?.trim_end_matches(':').to_owned();
    for host in &scene.hosts {
        host.sh(&by_hand()?.replace("RUN", &run))?.ok()?;
    }
    ensure!(scene.files()? == before, "by hand, the files are not what they were");
    alice.run(&["undo", &run, "--yes"])?;

    // A file that no API server would take is not touched, and neither is one that is gone.
    for (text, part) in [
        ("apiVersion: v1\nkind: Pod\n", "an AuthorizationConfiguration of"),
        (
            "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers: [{type: RBAC, name: rbac}]\n",
            "by hand",
        ),
    ] {
        let good = std::fs::read(&file)?;
        std::fs::write(&file, text)?;
        alice.fails(&["jail", AGENT, "--targets", scene.hosts[0].name(), "--yes"], 3, &[part])?;
        ensure!(std::fs::read_to_string(&file)? == text, "it was touched");
        std::fs::write(&file, good)?;
    }
    lists.answered(200)?;
    ensure!(scene.files()? == before, "the files are not what they were");
    Ok(())
}

//! The scripts run as they are sent, by each shell that hosts have, on a folder of this test's own.

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::*;
use crate::script::said;

const SHELLS: [&[&str]; 3] = [&["sh", "-s"], &["bash", "-s"], &["busybox", "sh", "-s"]];
const TEXT: &str = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers:\n  # Ours.\n  - type: Node\n    name: node\n  - {type: RBAC, name: rbac}";

pub(super) fn jail() -> Jail {
    let called = "serviceaccount/telemetry/agent".to_owned();
    let who = Who::User("system:serviceaccount:telemetry:agent".into());
    Jail {
        run: "r1".into(),
        step: "1".into(),
        operator: "alice".into(),
        reason: "too loud".into(),
        at: "2026-11-28T04:00:00Z".into(),
        whom: Whom { who, called, verbs: Vec::new(), resources: Vec::new() },
    }
}

/// A folder with a file, as an API server would have it.
struct Scene {
    _root: tempfile::TempDir,
    file: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("it's a folder");
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join("config $x.yaml");
        std::fs::write(&file, TEXT).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        // Only root may give files away; for anybody else the owner is himself.
        let _ = std::os::unix::fs::chown(&file, Some(12345), Some(54321));
        Self { _root: root, file }
    }

    fn path(&self) -> &str {
        self.file.to_str().unwrap()
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.file).unwrap()
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.file, text).unwrap();
    }

    fn put(&self, jail: &Jail) -> (Script, Put) {
        let beside = kubeconfig_beside(self.path(), &jail.name());
        let text = self.text();
        let put = put_in_text(&text, jail, &beside).unwrap();
        (super::put(self.path(), jail, &sha256_hex(text.as_bytes()), &put), put)
    }

    fn beside(&self) -> Vec<String> {
        let folder = std::fs::read_dir(self.file.parent().unwrap()).unwrap();
        let mut names: Vec<String> = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn run(shell: &[&str], script: &Script) -> (i32, Answer) {
    run_with(shell, script, "")
}

/// The same with something that is done first.
fn run_with(shell: &[&str], script: &Script, first: &str) -> (i32, Answer) {
    let script = Script { body: format!("{first}{}", script.body), ..script.clone() };
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.text().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8_lossy(said(&output.stdout).unwrap_or_default()).into_owned();
    assert!(output.stderr.is_empty() || !first.is_empty(), "{shell:?}: {output:?}");
    (output.status.code().unwrap_or(-1), Answer::parse(&printed))
}

#[track_caller]
fn refuses(shell: &[&str], script: &Script, part: &str) {
    let (status, answer) = run(shell, script);
    assert!(
        status != 0 && answer.get("failed").is_some_and(|why| why.contains(part)),
        "{shell:?}: {status} {answer:?}"
    );
}

#[test]
fn lines_are_put_in_and_taken_out_to_the_byte_whoever_came_after() {
    for shell in SHELLS {
        let scene = Scene::new();
        let owner = |path: &Path| {
            let meta = std::fs::metadata(path).unwrap();
            (meta.uid(), meta.gid(), meta.mode())
        };
        let before = owner(&scene.file);
        let (first, second) = (jail(), Jail { run: "r2".into(), ..jail() });
        let (script, put) = scene.put(&first);
        for _ in 0..2 {
            let (status, answer) = run(shell, &script);
            assert_eq!((status, answer.get("jailed")), (0, Some(scene.path())), "{shell:?}: {answer:?}");
            assert_eq!(scene.text(), put.text, "{shell:?}");
        }
        let kubeconfig = scene.file.with_file_name("breakglass-jail-r1-1.kubeconfig");
        assert_eq!((owner(&scene.file), owner(&kubeconfig)), (before, before), "{shell:?}");
        assert!(std::fs::read_to_string(&kubeconfig).unwrap().contains("https://127.0.0.1:1"));
        let (script, other) = scene.put(&second);
        assert_eq!(run(shell, &script).0, 0);
        // The first one out: the second one stays whole, and so does what others have written since.
        scene.write(&scene.text().replace("  # Ours.\n", "  # Ours, and theirs.\n"));
        let out = take_out(scene.path(), &first, &put.block);
        for _ in 0..2 {
            assert_eq!(run(shell, &out).0, 0, "{shell:?}");
            assert_eq!(scene.text(), TEXT.replace("  # Ours.", &format!("{}  # Ours, and theirs.", other.block)));
            assert_eq!(scene.beside(), ["breakglass-jail-r2-1.kubeconfig", "config $x.yaml"], "{shell:?}");
        }
        scene.write(&scene.text().replace(", and theirs", ""));
        assert_eq!(run(shell, &take_out(scene.path(), &second, &other.block)).0, 0);
        assert_eq!((scene.text().as_str(), owner(&scene.file)), (TEXT, before), "{shell:?}");
        assert_eq!(scene.beside(), ["config $x.yaml"], "{shell:?}");
    }
}

#[test]
fn what_somebody_else_has_written_is_left_and_said() {
    for shell in SHELLS {
        let scene = Scene::new();
        let (script, put) = scene.put(&jail());
        scene.write(&format!("{TEXT}\n"));
        refuses(shell, &script, "somebody else has changed it");
        assert_eq!((scene.text(), scene.beside().len()), (format!("{TEXT}\n"), 1), "{shell:?}");

        scene.write(TEXT);
        assert_eq!(run(shell, &script).0, 0);
        let changed = put.text.replace("timeout: 1s", "timeout: 2s");
        scene.write(&changed);
        let out = take_out(scene.path(), &jail(), &put.block);
        refuses(shell, &script, "somebody has changed them");
        refuses(shell, &out, "take them out by hand");
        scene.write(&put.text.replacen("begin", "begins", 1));
        refuses(shell, &out, "take them out by hand");
        assert!(scene.file.with_file_name("breakglass-jail-r1-1.kubeconfig").exists(), "a server that starts needs it");

        // Taken out by hand, all but the kubeconfig.
        scene.write(TEXT);
        assert_eq!(run(shell, &out).0, 0, "{shell:?}");
        assert_eq!((scene.text().as_str(), scene.beside().len()), (TEXT, 1));
        std::fs::remove_file(&scene.file).unwrap();
        refuses(shell, &out, "is gone");
    }
}

#[test]
fn a_script_that_dies_anywhere_leaves_a_file_that_is_whole_and_what_comes_after_goes_on() {
    for shell in SHELLS {
        // Each program that changes something, killed in its place, the first or the second time.
        for (tool, time) in ["cp", "mv", "rm", "sync"].iter().flat_map(|tool| (1..=3).map(move |time| (tool, time))) {
            let scene = Scene::new();
            let dies = format!(
                "dies=0\n{tool}() {{ dies=$((dies + 1)); [ \"$dies\" != {time} ] || kill -9 $$; command {tool} \"$@\"; }}\n"
            );
            let (script, put) = scene.put(&jail());
            let out = take_out(scene.path(), &jail(), &put.block);
            run_with(shell, &script, &dies);
            assert!([TEXT, &put.text].contains(&scene.text().as_str()), "{shell:?} {tool} {time}: {}", scene.text());
            assert!(
                scene.text() == TEXT || scene.beside().iter().any(|name| name.ends_with("1.kubeconfig")),
                "{shell:?} {tool} {time}"
            );
            assert_eq!(run(shell, &script).0, 0, "{shell:?} {tool} {time}");
            assert_eq!(scene.text(), put.text, "{shell:?} {tool} {time}");
            run_with(shell, &out, &dies);
            assert!([TEXT, &put.text].contains(&scene.text().as_str()), "{shell:?} {tool} {time}: {}", scene.text());
            assert_eq!(run(shell, &out).0, 0, "{shell:?} {tool} {time}");
            assert_eq!(
                (scene.text().as_str(), scene.beside()),
                (TEXT, vec!["config $x.yaml".to_owned()]),
                "{shell:?} {tool} {time}"
            );
        }
    }
}

#[test]
fn a_disk_without_room_changes_nothing() {
    for shell in SHELLS {
        let scene = Scene::new();
        let (script, put) = scene.put(&jail());
        // What is written is cut off.
        let full = "cat() { head -c 10; return 1; }\n";
        let (status, answer) = run_with(shell, &script, full);
        assert!(
            status != 0 && answer.get("failed").is_some_and(|why| why.contains("disk full?")),
            "{shell:?}: {answer:?}"
        );
        assert_eq!((scene.text().as_str(), scene.beside().len()), (TEXT, 1), "{shell:?}");
        assert_eq!(run(shell, &script).0, 0);
        let (status, _) = run_with(shell, &take_out(scene.path(), &jail(), &put.block), full);
        assert!(status != 0 && scene.text() == put.text, "{shell:?}");
    }
}

#[test]
fn two_orders_at_once_both_come_in() {
    let scene = Scene::new();
    let (first, _) = scene.put(&jail());
    let other = Jail { run: "r2".into(), ..jail() };
    let (second, _) = scene.put(&other);
    // Time for the other between the last look and the rename.
    let slow = "mv() { sleep 0.3; command mv \"$@\"; }\n";
    let [a, b] = std::thread::scope(|scope| {
        [&first, &second]
            .map(|script| scope.spawn(|| run_with(&["sh", "-s"], script, slow).0))
            .map(|thread| thread.join().unwrap())
    });
    // Whoever came second has seen another text than there is, and looks again.
    assert_eq!([a, b].iter().filter(|status| **status == 0).count(), 1, "{a} {b}");
    let late = if a == 0 { other } else { jail() };
    assert_eq!(run(&["sh", "-s"], &scene.put(&late).0).0, 0);
    assert_eq!(scene.text().matches(" begin\n").count(), 2);
}

#[test]
fn a_look_at_a_host_without_an_api_server_says_so() {
    for shell in SHELLS {
        let (status, _) = run(shell, look("/etc/kubernetes/manifests", &jail()).script());
        assert_eq!(status, 0, "{shell:?}");
    }
    let query = look("/etc/kubernetes/manifests", &jail());
    assert_eq!(
        query.read("process=7\nmode=Node,RBAC\nconfig=\nend=yes\n").unwrap().servers,
        [Server {
            pid: 7,
            mode: "Node,RBAC".into(),
            config: String::new(),
            file: Err("it was not said where the file is".into()),
        }]
    );
    assert!(query.read("process=7\n").is_err(), "it broke off");
}

/// A line of an audit log, as API servers write it.
fn line(id: &str, (user, groups): (&str, &str), verb: &str, stage: &str, (code, at): (u16, &str)) -> String {
    let why = if code == 500 { ",\"annotations\":{\"authorization.k8s.io/reason\":\"internal error\"}" } else { "" };
    let user = as_go(user);
    format!(
        "{{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"Metadata\",\"auditID\":\"{id}\",\"stage\":\"{stage}\",\
         \"requestURI\":\"/api/v1/pods\",\"verb\":\"{verb}\",\"user\":{{\"username\":{user},\"groups\":[{groups}]}},\"sourceIPs\":[\"10.0.0.9\"],\
         \"userAgent\":\"a\",\"objectRef\":{{\"resource\":\"pods\",\"apiVersion\":\"v1\"}},\"responseStatus\":{{\"metadata\":{{}},\"code\":{code}}},\
         \"requestReceivedTimestamp\":\"2026-11-28T07:39:{at}Z\",\"stageTimestamp\":\"2026-11-28T07:39:59.0Z\"{why}}}\n"
    )
}

/// What is seen of whom, where the file was changed at 07:39:10, of this audit log and this log of the server.
fn effect(whom: &Whom, log: &str, out: &str) -> Effect {
    let file = |text: &str| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    };
    let (log, out) = (file(log), file(out));
    let query = look("/m", &Jail { whom: whom.clone(), ..jail() });
    let Lines { has, fits } = Lines::of(whom);
    let body = format!(
        "log={}; out={}; stands=yes; at=1795851550; needle={}; pattern={}; most={MOST}; grace={GRACE_SECS}; said={}\n{EFFECT}",
        quote(log.path().to_str().unwrap()),
        quote(out.path().to_str().unwrap()),
        quote(&has),
        quote(&fits),
        quote(&super::said("r1 step 1"))
    );
    let mut all = Vec::new();
    for shell in SHELLS {
        let mut command = Command::new(shell[0]);
        command.args(&shell[1..]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(Script::new("x", body.clone()).text().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let printed = String::from_utf8_lossy(said(&output.stdout).unwrap()).into_owned();
        all.push(query.read(&printed).unwrap().effect);
    }
    assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
    Effect { log: None, out: None, ..all.remove(0) }
}

#[test]
fn what_is_refused_and_what_is_served_all_the_same_is_told_by_the_time_of_the_request() {
    let agent = ("system:serviceaccount:telemetry:agent", "\"system:serviceaccounts\",\"system:authenticated\"");
    let log = [
        line("1", agent, "list", "ResponseComplete", (200, "09.999999")),
        // It came before the server can be counted on to have read the file.
        line("2", agent, "list", "ResponseComplete", (200, "11.500000")),
        line("3", agent, "list", "ResponseComplete", (500, "12.000001")),
        line("3", agent, "list", "ResponseComplete", (500, "12.000001")),
        line("4", agent, "get", "ResponseComplete", (500, "13.000001")),
        line("5", agent, "list", "ResponseComplete", (500, "08.000000")),
        line("6", ("alice", "\"oncall\""), "list", "ResponseComplete", (200, "14.000000")),
        line("7", agent, "watch", "ResponseStarted", (200, "02.000000")),
        line("8", agent, "watch", "ResponseStarted", (200, "03.000000")),
        line("8", agent, "watch", "ResponseComplete", (200, "03.000000")),
        line("9", agent, "watch", "ResponseStarted", (200, "12.000000")),
    ]
    .concat();
    let out = format!(
        "E1128 errors.go:83] \"Unhandled Error\" err=\"cel evaluation error: expression '['{}'][1] == ''' resulted in error\"\n\
         2026-11-28T07:39:11Z stderr F I1128 reload.go:252] \"reloaded authz config\"\n",
        super::said("r1 step 1")
    );
    let seen = effect(&jail().whom, &log, &out);
    let reload = Some("I1128 reload.go:252] \"reloaded authz config\"".to_owned());
    // The watch that began at 12 is not the newest by far, and the one that was refused last is.
    assert_eq!(seen, Effect { refused: 2, served: 1, watches: 2, told: 1, reload, ..Effect::default() });
    let more: String =
        (4..7).map(|at| line("x", agent, "get", "ResponseComplete", (500, &format!("1{at}.0")))).collect();
    assert_eq!(
        effect(&jail().whom, &(log.clone() + &more), &out).served,
        0,
        "what was served before that counts no longer"
    );
    let after = line("y", agent, "get", "ResponseComplete", (200, "20.000000"));
    assert_eq!(effect(&jail().whom, &(log.clone() + &more + &after), &out).served, 1);

    let lists = Whom { verbs: vec!["list".into()], ..jail().whom };
    assert_eq!((effect(&lists, &log, "").refused, effect(&lists, &log, "").served), (1, 0));
    let nodes = Whom { resources: vec![Resource { plural: "nodes".into(), group: String::new() }], ..jail().whom };
    assert_eq!(effect(&nodes, &log, "").refused, 0);
    let group = |name: &str| Whom { who: Who::Group(name.into()), ..jail().whom };
    assert_eq!(effect(&group("oncall"), &log, "").served, 1);
    assert_eq!(effect(&group("on.all"), &log, "").served, 0);
    assert_eq!(effect(&group("system:authenticated"), &log, "").refused, 2);
}

#[test]
fn odd_names_are_found_as_an_audit_log_writes_them() {
    let odd = "it's <\"odd\"> & \\ [x]^$ J\u{fc}rgen";
    let name = as_go(odd);
    let user = Whom { who: Who::User(odd.into()), ..jail().whom };
    let log = line("1", (odd, "\"system:masters\""), "list", "ResponseComplete", (500, "13.000000"));
    let seen = effect(&user, &log, "");
    assert_eq!((seen.refused, seen.masters), (1, true));
    let group = Whom { who: Who::Group(odd.into()), ..jail().whom };
    let log = line("1", ("a", &format!("\"b\",{name}")), "list", "ResponseComplete", (500, "13.000000"));
    assert_eq!((effect(&group, &log, "").refused, effect(&group, &log, "").masters), (1, false));
}

//! The whole program against the embedded practice cluster: real TLS, SSH and signals, over loopback only.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod practised;
mod status;
mod terminal;

use std::fs::Permissions;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use base64::Engine as _;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

const BIN: &str = env!("CARGO_BIN_EXE_breakglass");

/// A home of our own: nothing of the machine's configuration reaches the program.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.of(BIN);
        command.args(args);
        command
    }

    fn of(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.0.path()).env("USER", "sre").env("PATH", "/usr/bin:/bin");
        command.env("BREAKGLASS_STATE", self.path("state")).current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Said {
        Said::from(self.command(args).output().unwrap())
    }
}

/// Both streams and the exit code.
#[must_use]
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

impl Said {
    /// Ended with this code and said all of these.
    fn is(self, code: i32, said: &[&str]) -> Self {
        let all = format!("{}{}", self.out, self.err);
        assert_eq!(self.code, code, "{all}");
        for text in said {
            assert!(all.contains(text), "{text:?} is not in:\n{all}");
        }
        self
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// `breakglass sandbox`, ended with the value even when a test fails.
struct Practice {
    child: Child,
    kit: String,
}

impl Practice {
    fn start(home: &Home, args: &[&str]) -> Self {
        let args: Vec<&str> = ["sandbox", "--for", "5m"].iter().chain(args).copied().collect();
        let mut child = home.command(&args).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let said: Vec<String> = lines.take(6).collect();
        let kit = said.iter().find_map(|line| line.trim().strip_prefix("export BREAKGLASS_KIT=").map(str::to_owned));
        Self { child, kit: kit.unwrap_or_else(|| panic!("no kit was printed: {said:?}")) }
    }

    /// What the kit's file says.
    fn file(&self) -> Value {
        let text = std::fs::read_to_string(Path::new(&self.kit).join("sandbox.yaml")).unwrap();
        serde_saphyr::from_str(&text).unwrap()
    }

    fn spec(&self) -> Value {
        self.file()["spec"].clone()
    }

    /// What somebody else is told who has its kit.
    fn run(&self, home: &Home, args: &[&str]) -> Said {
        home.run(&[args, &["--kit", &self.kit, "--cluster", "sandbox"]].concat())
    }

    fn end(mut self) {
        signal(&self.child, Signal::TERM);
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        let folder = Path::new(&self.kit).parent().unwrap();
        assert!(!folder.exists(), "{} is still there", folder.display());
    }
}

impl Drop for Practice {
    fn drop(&mut self) {
        // Ended already, when all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_first_command_recovers_the_practice_cluster() {
    let home = Home::new();
    let args = ["run", "--sandbox", "api-overload", "--yes", "--reason", "practice"];
    let run = Said::from(home.command(&args).env("BREAKGLASS_COLUMNS", "80").output().unwrap());
    // A script that the sandbox does not simulate would fail its step.
    let run = run.is(0, &["[11/11] look-again", "every step is done", "requests"]);
    assert!(!run.err.contains("does not simulate"), "{}", run.err);
    // The practice cluster is gone with the process: what cannot work is told nobody.
    let said = format!("{}{}", run.out, run.err);
    assert!(said.contains("breakglass show") && !said.contains("breakglass undo"), "{said}");
    let _ = home.run(&["journal", "verify", "last"]).is(0, &[]);
    let _ = home.run(&["show", "last"]).is(0, &["api-overload on sandbox, 11 steps", "sends    ", "done     "]);
    as_in_readme(&format!("{}{}", run.err, run.out));
}

/// README shows the plan and the run as they are seen at 80 columns: the same lines of the plan, the same steps with the same
/// kinds of figures, the same end; times, counts and who answered are another run's.
fn as_in_readme(seen: &str) {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, after) = readme.split_once("$ breakglass run --sandbox api-overload\n").expect("the picture is in README");
    let shown: Vec<&str> = after.lines().take_while(|line| line.starts_with("    ")).map(|line| &line[4..]).collect();
    assert!(shown.iter().chain(&seen.lines().collect::<Vec<_>>()).all(|line| line.chars().count() <= 80), "{seen}");
    let [shown, seen] = [&shown.join("\n"), seen].map(Picture::of);
    assert_eq!(shown, seen);
}

/// What does not differ from run to run.
#[derive(Debug, PartialEq)]
struct Picture {
    /// The lines before the question, figures masked.
    plan: String,
    /// Each step's number and name, and what is counted of it.
    steps: Vec<(String, Vec<String>)>,
    /// The lines after the steps.
    end: String,
}

impl Picture {
    fn of(text: &str) -> Self {
        let (plan, rest) = text.split_once("Run this plan").expect("a plan before the question");
        let end = rest.rfind("\nrun ").expect("an end");
        let mut steps: Vec<(String, String)> = Vec::new();
        for line in rest[..end].lines().skip(2) {
            match line.strip_prefix('[') {
                Some(_) => steps.push((line[..24].trim().to_owned(), line[24..].to_owned())),
                None => steps.last_mut().expect("a step before its text").1.push_str(&format!(" {}", line.trim())),
            }
        }
        // On a busy machine a step also says what it waits for; only its end counts what it took.
        steps.retain(|(_, text)| text.ends_with(')'));
        let counted = |text: &str| {
            let tally = &text[text.rfind(" (").map_or(0, |at| at + 2)..];
            masked(tally.trim_end_matches(')')).split(", ").map(str::to_owned).collect()
        };
        let steps = steps.iter().map(|(label, text)| (label.clone(), counted(text))).collect();
        Self { plan: masked(plan), steps, end: masked(&rest[end..]) }
    }
}

#[test]
fn what_a_busy_machine_waits_for_is_no_step_of_the_picture() {
    let text = |waits: &str| {
        let step = "[1/1] open-gate         cp1: open (12 changes, 14.1 s)";
        Picture::of(&format!(
            "plan\nRun this plan (1)? yes\nrun 1: one step\n{waits}{step}\nrun 1: every step is done\n"
        ))
    };
    let waits = "[1/1] open-gate         cp1 waits for three good looks in a row; 14 min 2 s left\n";
    assert_eq!(text(waits), text(""));
    assert_eq!(text("").steps.len(), 1);
}

/// One blank between words, `#` for words that are figures, and their units as what they measure.
fn masked(text: &str) -> String {
    let word = |word: &str| match word.trim_end_matches([',', ')']) {
        "ms" | "s" => "time".to_owned(),
        "B" | "kB" | "MB" => "bytes".to_owned(),
        figure if figure.starts_with(|c: char| c.is_ascii_digit()) && !figure.ends_with("Gi") => {
            format!("#{}", &word[figure.len()..])
        }
        _ => word.to_owned(),
    };
    text.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_drill_goes_through_every_step_and_writes_nothing() {
    let home = Home::new();
    let drill = home.run(&["drill", "--sandbox", "api-overload", "-p", "window=1s", "-o", "json"]);
    let drill = drill.is(0, &["look-again"]);
    let events: Vec<Value> = drill.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ended: Vec<&Value> = events.iter().filter(|event| event["event"] == "change-ended").collect();
    assert!(!ended.is_empty());
    assert!(ended.iter().all(|event| event["state"] == "pretended"), "{ended:?}");
    let _ = home.run(&["undo", "last"]).is(0, &["was a drill: nothing was changed"]);
}

#[test]
fn ctrl_c_in_the_middle_lets_the_change_in_flight_finish_and_says_what_stands() {
    let home = Home::new();
    let mut child =
        home.command(&["run", "--sandbox", "api-overload", "--yes"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    // The plan comes first, and names every step too.
    assert!(lines.any(|line| line.starts_with("run ")), "the run never began");
    assert!(lines.any(|line| line.contains("[4/11] park-offender")), "the fourth step never began");
    signal(&child, Signal::INT);
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    // The practice cluster is gone: it cannot be resumed there.
    let said = |word: &str| rest.iter().any(|line| line.contains(word));
    assert!(said("breakglass show") && !said("breakglass resume"), "{rest:?}");
    let _ = home.run(&["journal", "verify", "last"]).is(0, &[]);
    let shown = home.run(&["show", "last"]).is(0, &["stopped"]);
    assert!(!shown.out.contains("unknown"), "{}", shown.out);
}

#[test]
fn closing_a_gate_takes_five_scripts_on_a_host() {
    let home = Home::new();
    let close = ["gate", "close", "--sandbox", "--yes", "--reason", "practice", "-o", "json"];
    let closed = home.run(&close).is(0, &["none left"]);
    let last: Value = serde_json::from_str(closed.out.lines().last().unwrap()).unwrap();
    let scripts = |host: &str| last["costs"][format!("sandbox/{host}")]["requests"].clone();
    // A look, the closing, its confirmation, the cut, a look.
    assert_eq!(["cp1", "cp2", "cp3"].map(scripts), [json!(5), json!(5), json!(5)], "{last}");
}

const DELETE_BEHIND_THE_GATE: &str = "\
apiVersion: breakglass/v1
kind: Runbook
metadata: {name: practice, purpose: Make room and delete.}
spec:
  steps:
    - {name: close, kind: gate-close, with: {for: 15m}}
    - {name: healthy, kind: wait-for, with: {health: {times: 1}}}
    - {name: count, kind: wait-for, with: {clientRate: {user: 'system:serviceaccount:telemetry:agent', atMost: 0, over: 1s}}}
    - {name: delete, kind: delete, with: {object: daemonsets.apps/telemetry/agent}}
";

#[test]
fn another_terminal_works_on_a_practice_cluster_that_is_kept_up() {
    let home = Home::new();
    let practice = Practice::start(&home, &[]);
    let with_kit = |args: &[&str]| practice.run(&home, args);
    std::fs::write(home.path("practice.yaml"), DELETE_BEHIND_THE_GATE).unwrap();
    let _ = with_kit(&["run", "practice.yaml", "--yes"]).is(0, &["every step is done"]);
    // It is the same cluster still: what was deleted is gone.
    let _ = with_kit(&["delete", "ds/telemetry/agent", "--yes"]).is(0, &["is not there", "0 changes"]);
    let runs = home.run(&["runs", "-o", "json"]).is(0, &[]);
    let runs: Vec<Value> = runs.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let first = runs.iter().find(|run| run["name"] == "practice" || run["runbook"] == "practice");
    let id = first.and_then(|run| run["run"].as_str()).unwrap_or_else(|| panic!("{runs:?}"));
    let _ = with_kit(&["undo", id, "--yes"]).is(0, &["nothing of this run stands"]);
    // An opened gate is not closed by an undo, which must not sound as if it were.
    let _ = with_kit(&["gate", "close", "--yes"]).is(0, &["none left"]);
    let _ = with_kit(&["gate", "open", "--at-once", "--yes"]).is(0, &["every step is done"]);
    let _ =
        with_kit(&["undo", "last", "--yes"]).is(0, &["nothing to take back of 3 changes: opening is not taken back"]);
    practice.end();
}

/// The same certificates, the same API servers, and hosts on loopback as before: only the keys that they show tell.
#[test]
fn undo_writes_to_no_host_that_is_another_machine_now() {
    let home = Home::new();
    let (ours, others) = (Practice::start(&home, &["--peace"]), Practice::start(&home, &["--peace"]));
    let _ = home.run(&["gate", "close", "--kit", &ours.kit, "--for", "15m", "--yes"]).is(0, &["none left"]);
    let _ = home.run(&["gate", "close", "--kit", &others.kit, "--for", "15m", "--yes"]).is(0, &["none left"]);
    let runs = home.run(&["runs", "-o", "json"]).is(0, &[]);
    let ids: Vec<Value> =
        runs.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["run"].clone()).collect();
    let id = ids.iter().filter_map(Value::as_str).min().unwrap();

    let mut file = ours.file();
    file["spec"]["hosts"] = others.spec()["hosts"].clone();
    std::fs::create_dir(home.path("kit")).unwrap();
    std::fs::write(home.path("kit/sandbox.yaml"), file.to_string()).unwrap();
    std::fs::set_permissions(home.path("kit/sandbox.yaml"), Permissions::from_mode(0o600)).unwrap();
    let _ =
        home.run(&["undo", id, "--kit", "kit", "--yes"]).is(6, &["is another machine than the one this run changed"]);
    let _ = home.run(&["gate", "status", "--kit", &others.kit]).is(0, &["closed"]);
    let _ = home.run(&["undo", id, "--kit", &ours.kit, "--yes"]).is(0, &["nothing of this run stands"]);
    [ours, others].into_iter().for_each(Practice::end);
}

#[test]
fn nobody_else_looks_into_the_folder_of_a_practice_cluster() {
    let home = Home::new();
    let practice = Practice::start(&home, &["--peace"]);
    let folder = Path::new(&practice.kit).parent().unwrap();
    assert_eq!(std::fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
    practice.end();
}

#[test]
fn a_kit_is_imported_from_a_kubeconfig_and_works() {
    let home = Home::new();
    let practice = Practice::start(&home, &["--peace"]);
    let spec = practice.spec();
    let data = |value: &Value| {
        // Folded over lines in the file; one line in a kubeconfig.
        let text: String = value.as_str().unwrap().split_whitespace().collect();
        assert!(base64::engine::general_purpose::STANDARD.decode(&text).is_ok());
        text
    };
    let server = format!("https://{}", spec["apiServers"][0]["address"].as_str().unwrap());
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "admin@practice",
        "contexts": [{ "name": "admin@practice", "context": { "cluster": "c", "user": "u" } }],
        "clusters": [{ "name": "c", "cluster": {
            "server": server, "tls-server-name": spec["tlsServerName"],
            "certificate-authority-data": data(&spec["certificateAuthorityData"]),
        } }],
        "users": [{ "name": "u", "user": {
            "client-certificate-data": data(&spec["user"]["clientCertificateData"]),
            "client-key-data": data(&spec["user"]["clientKeyData"]),
        } }],
    });
    std::fs::write(home.path("admin.conf"), config.to_string()).unwrap();
    let import = ["kit", "import", "--kubeconfig", "admin.conf", "--kit", "kit"];
    let with = |more: &[&str]| home.run(&import.iter().chain(more).copied().collect::<Vec<_>>());
    let _ = with(&[]).is(3, &["\"admin@practice\" cannot be a name in the kit"]);
    let _ = with(&["practice", "--host", "cp1=cp1.invalid"]).is(2, &["is not an IP address"]);
    let _ = with(&["practice"]).is(0, &["direct", "certificate"]);
    let _ = with(&["practice"]).is(3, &["is there already", "--replace"]);
    let _ = home.run(&["probe", "--kit", "kit", "--require", "healthy"]).is(0, &["/readyz ok"]);
    let _ = with(&["practice", "--replace", "--host", "cp1=127.0.0.1:2222,user=ops,sudo"]).is(0, &["cp1,direct"]);
    practice.end();
}

#[test]
fn a_word_that_must_be_typed_is_not_answered_by_yes() {
    let home = Home::new();
    let runbook = "apiVersion: breakglass/v1\nkind: Runbook\nmetadata: {name: ask, purpose: ask}\nspec:\n  \
                   typedConsent: ${cluster}\n  steps:\n    - {kind: probe}\n";
    std::fs::write(home.path("typed.yaml"), runbook).unwrap();
    let run = |more: &[&str]| {
        let args = ["run", "./typed.yaml", "--sandbox"];
        home.run(&args.iter().chain(more).copied().collect::<Vec<_>>())
    };
    let _ = run(&["--yes"]).is(8, &["which --yes does not answer", "--consent WORD"]);
    let _ = run(&["--yes", "--consent", "production"]).is(8, &["wants another word typed"]);
    let _ = run(&["--consent", "sandbox"]).is(3, &["--consent goes with --yes"]);
    let _ = run(&["--yes", "-p", "cluster=other"]).is(3, &["cannot be given"]);
    assert!(!home.path("state").exists(), "no run was begun");
    let _ = run(&["--yes", "--consent", "sandbox"]).is(0, &["every step is done"]);
    // Whatever may ask for a word takes it the same way; what never asks for one says so.
    let probe = ["probe", "--sandbox", "--yes", "--consent", "sandbox"];
    let _ = home.run(&probe).is(3, &["nothing here asks for a word", "leave --consent out"]);
}

/// One thing on the operator's own machine for each cluster.
const MARK: &str = "\
apiVersion: breakglass/v1
kind: Runbook
metadata: {name: mark, purpose: Leave a mark for each cluster.}
spec:
  steps:
    - {name: mark, kind: exec, with: {local: true, run: 'mktemp -d $HOME/mark.XXXXXX', undo: {run: 'for mark in $HOME/mark.*; do rmdir $mark && exit; done; exit 1'}}}
";

#[test]
fn an_undo_goes_on_beside_a_cluster_whose_kit_is_broken() {
    let (home, practice) = (Home::new(), Home::new());
    let practice = Practice::start(&practice, &[]);
    std::fs::create_dir(home.path("kit")).unwrap();
    let file = |name: &str| {
        let mut file = practice.file();
        file["metadata"]["name"] = json!(name);
        file
    };
    let put = |name: &str, file: Value| {
        let path = home.path(&format!("kit/{name}.yaml"));
        std::fs::write(&path, file.to_string()).unwrap();
        std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    };
    let marks = || {
        let names = std::fs::read_dir(home.path("")).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with("mark.")).count()
    };
    for name in ["east", "north", "west"] {
        put(name, file(name));
    }
    std::fs::write(home.path("book.yaml"), MARK).unwrap();
    let _ =
        home.run(&["run", "./book.yaml", "--kit", "kit", "--cluster", "all", "--yes"]).is(0, &["every step is done"]);
    assert_eq!(marks(), 3);
    put("east", json!({"apiVersion": "breakglass/v1", "kind": "Cluster", "metadata": {"name": "east"}, "spec": {}}));
    std::fs::remove_file(home.path("kit/north.yaml")).unwrap();
    let notes =
        ["note: east is left as it is: ", "note: north is left as it is: ", ": 1 change to take back, newest first"];
    let ends = ["east: 1 change not taken back", "north: 1 change not taken back", "north.yaml: cannot be read"];
    let _ = home.run(&["undo", "last", "--yes"]).is(6, &notes).is(6, &ends);
    assert_eq!(marks(), 2);
    put("east", file("east"));
    put("north", file("north"));
    let _ = home.run(&["undo", "last", "--yes"]).is(0, &["nothing of this run stands"]);
    assert_eq!(marks(), 0);
    practice.end();
}

/// A runbook that parks, and then does what is refused.
const PARK_THEN_REFUSED: &str = "\
apiVersion: breakglass/v1
kind: Runbook
metadata: {name: half, purpose: Half of it.}
spec:
  steps:
    - {name: park, kind: park, with: {object: daemonsets.apps/telemetry/agent}}
    - {name: delete, kind: delete, with: {object: daemonsets.apps/telemetry/agent, uid: another}}
";

const WAIT_IN_VAIN: &str = "\
apiVersion: breakglass/v1
kind: Runbook
metadata: {name: wait, purpose: Wait for what does not come.}
spec:
  steps:
    - {name: wait, kind: wait-for, with: {absent: {object: daemonsets.apps/telemetry/agent}}, timeout: 2s}
";

/// The rows of README's table, each as a script would meet it.
#[test]
fn exit_codes_mean_what_the_table_says() {
    let home = Home::new();
    let practice = Practice::start(&home, &["--peace"]);
    let with_kit = |args: &[&str]| practice.run(&home, args);
    std::fs::write(home.path("half.yaml"), PARK_THEN_REFUSED).unwrap();
    std::fs::write(home.path("wait.yaml"), WAIT_IN_VAIN).unwrap();
    let no_resume = |said: Said| assert!(!said.err.contains("breakglass resume"), "{}", said.err);

    // What only looks asks nobody, and shows no plan first.
    let looked = with_kit(&["probe"]).is(0, &["/readyz ok"]);
    assert!(!looked.err.contains("Looks at each API server"), "{}", looked.err);
    let _ = with_kit(&["probe", "--require", "healthy", "--at-least", "9"]).is(3, &["can never be"]);
    let _ = with_kit(&["probe", "--at-least", "2"]).is(2, &["--require"]);
    no_resume(with_kit(&["delete", "ds/telemetry/agent", "--uid", "another", "--yes"]).is(3, &["has uid"]));
    let _ = with_kit(&["park", "ds/telemetry/agent"]).is(8, &["nobody can be asked"]);
    let said = with_kit(&["run", "half.yaml", "--yes"]).is(5, &["has uid", "breakglass resume", "breakglass undo"]);
    drop(said);
    let _ = home.run(&["runs"]).is(0, &["code 5", "code 3"]);
    let _ = with_kit(&["undo", "last", "--yes"]).is(0, &["nothing of this run stands"]);
    no_resume(with_kit(&["run", "wait.yaml", "--yes"]).is(124, &["still waiting"]));
    let _ = with_kit(&["delete", "ds/telemetry/agent", "--no-save", "--yes"]).is(0, &["every step is done"]);
    no_resume(with_kit(&["undo", "last", "--yes"]).is(6, &["was not saved"]));
    let _ = with_kit(&["delete", "agent", "--yes"]).is(3, &["is not an object"]);

    // The same cluster where nobody listens.
    let spec = practice.spec();
    let servers = spec["apiServers"].as_array().unwrap();
    let mut text = std::fs::read_to_string(Path::new(&practice.kit).join("sandbox.yaml")).unwrap();
    for server in servers {
        text = text.replace(server["address"].as_str().unwrap(), "127.0.0.1:1");
    }
    std::fs::create_dir(home.path("dead")).unwrap();
    std::fs::write(home.path("dead/sandbox.yaml"), text).unwrap();
    for file in ["dead/sandbox.yaml", "dead"] {
        let mode = if file == "dead" { 0o700 } else { 0o600 };
        std::fs::set_permissions(home.path(file), std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    }
    let dead = home.run(&["probe", "--kit", "dead"]).is(4, &["connection refused"]);
    for word in ["drowning", "reached,", "breakglass resume"] {
        assert!(!dead.err.contains(word), "{word}: {}", dead.err);
    }
    let _ = home.run(&["runs", "--limit", "1"]).is(0, &["code 4"]);
    let _ = home.run(&["probe", "--kit", "dead", "--require", "nothing"]).is(0, &["connection refused"]);
    practice.end();
}

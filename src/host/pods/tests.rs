//! The scripts on folders that look like a host's: its logs of pods, its control groups, its `/run`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::*;

const UID: &str = "25100346-8177-4ea8-95c8-4a40b468054f";
const OTHER: &str = "9bc7e70f-184d-46c1-82f4-f008160f5841";

/// A host's folders, and a shell that takes them for the real ones. A freezer of version 2 is a file here, which does what it is told.
struct Stand {
    root: tempfile::TempDir,
    shell: &'static str,
}

const SHELLS: [&str; 3] = ["sh", "bash", "busybox sh"];

impl Stand {
    fn new(shell: &'static str) -> Self {
        let stand = Self { root: tempfile::tempdir().unwrap(), shell };
        for folder in ["logs", "run", "two"] {
            fs::create_dir(stand.path(folder)).unwrap();
        }
        fs::write(stand.path("mounts"), format!("cgroup2 {} cgroup2 rw 0 0\n", stand.path("two").display())).unwrap();
        stand
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// A pod whose group is this folder, with a process in it.
    fn pod(&self, name: &str, uid: &str, group: &str) -> PathBuf {
        fs::create_dir_all(self.path(&format!("logs/{name}_{uid}/main"))).unwrap();
        let group = self.path("two").join(group);
        fs::create_dir_all(group.join("container")).unwrap();
        fs::write(group.join("cgroup.freeze"), "0\n").unwrap();
        // A kernel says so only once all are at rest; here they are when that was asked.
        fs::write(group.join("cgroup.events"), "populated 1\nfrozen 1\n").unwrap();
        group
    }

    fn run(&self, script: &Script) -> (Option<i32>, String) {
        let here = |name: &str| self.path(name).display().to_string();
        let mut text = script.text();
        for (there, here) in [
            ("/var/log/pods", here("logs")),
            ("/proc/self/mounts", here("mounts")),
            ("/run/breakglass-frozen-", here("run/breakglass-frozen-")),
            // No unit of the machine's own is made by a test.
            ("/run/systemd/system", here("none")),
        ] {
            text = text.replace(there, &here);
        }
        let mut words = self.shell.split(' ');
        let mut command = Command::new(words.next().unwrap());
        command.args(words).arg("-s").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{}", self.shell);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    fn look(&self) -> Seen {
        let query = look(&which());
        query.read(&self.run(query.script()).1).unwrap()
    }

    /// Ends what was started here, whatever became of the test.
    fn keepers(&self) -> Vec<String> {
        let of = |folder: PathBuf| ["a", "b"].map(|keeper| fs::read_to_string(folder.join(keeper).join("state")));
        let folders = fs::read_dir(self.path("run")).unwrap().filter_map(|entry| Some(entry.ok()?.path()));
        folders.flat_map(of).filter_map(|pid| Some(pid.ok()?.trim().to_owned())).collect()
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        for pid in self.keepers() {
            let _ = Command::new("kill").args(["-KILL", &pid]).stderr(Stdio::null()).status();
        }
    }
}

fn which() -> Which {
    Which {
        object: "daemonsets.apps/telemetry/agent".into(),
        namespace: "telemetry".into(),
        forms: vec!["agent-[a-z0-9][a-z0-9][a-z0-9][a-z0-9][a-z0-9]".into()],
    }
}

fn one(seconds: u64) -> Freeze {
    Freeze {
        run: "r1".into(),
        step: "2".into(),
        operator: "alice o'neil".into(),
        reason: "it's \"why\"".into(),
        which: which(),
        seconds,
    }
}

fn asked(group: &Path) -> bool {
    fs::read_to_string(group.join("cgroup.freeze")).unwrap().trim() == "1"
}

/// With a wide guard: two shells are to be scheduled.
fn until(what: &str, is: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_mins(1), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn pods_are_found_by_their_logs_and_their_groups_however_these_are_named() {
    for shell in SHELLS {
        let stand = Stand::new(shell);
        stand.pod("telemetry_agent-7xk2p", UID, &format!("kubepods/besteffort/pod{UID}"));
        let slice =
            format!("kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{}.slice", OTHER.replace('-', "_"));
        stand.pod("telemetry_agent-8xk2p", OTHER, &slice);
        // Another's, another namespace's, one that has ended, a static one.
        stand.pod(
            "telemetry_agent-x-7xk2p",
            "00000000-0000-4000-8000-000000000001",
            "kubepods/pod00000000-0000-4000-8000-000000000001",
        );
        stand.pod(
            "telemetry2_agent-7xk2p",
            "00000000-0000-4000-8000-000000000002",
            "kubepods/pod00000000-0000-4000-8000-000000000002",
        );
        fs::create_dir_all(stand.path("logs/telemetry_agent-9xk2p_00000000-0000-4000-8000-000000000003")).unwrap();
        let hash = "0123456789abcdef0123456789abcdef";
        stand.pod("telemetry_agent-5xk2p", hash, &format!("kubepods/pod{hash}"));
        let seen = stand.look();
        let pods: Vec<_> =
            seen.pods.iter().map(|pod| (pod.name.as_str(), pod.uid.as_str(), pod.freezer, pod.frozen)).collect();
        assert_eq!(pods, [("agent-7xk2p", UID, Some(2), false), ("agent-8xk2p", OTHER, Some(2), false)], "{shell}");
        assert!(!seen.blind && seen.frozen.is_empty());
        fs::remove_file(stand.path("two/kubepods/besteffort").join(format!("pod{UID}/cgroup.freeze"))).unwrap();
        assert_eq!(stand.look().pods[0].freezer, None, "{shell}: a kernel that cannot");
        fs::remove_dir_all(stand.path("logs")).unwrap();
        assert!(stand.look().blind, "{shell}");
    }
}

#[test]
fn what_is_frozen_stays_so_with_what_comes_and_goes_on_by_undo() {
    for shell in SHELLS {
        let stand = Stand::new(shell);
        let group = stand.pod("telemetry_agent-7xk2p", UID, &format!("kubepods/pod{UID}"));
        let by_others = stand.pod("telemetry_agent-8xk2p", OTHER, &format!("kubepods/pod{OTHER}"));
        fs::write(by_others.join("cgroup.freeze"), "1\n").unwrap();
        let bystander = stand.pod(
            "telemetry_agents-7xk2p",
            "00000000-0000-4000-8000-000000000001",
            "kubepods/pod00000000-0000-4000-8000-000000000001",
        );
        for _ in 0..2 {
            let (code, said) = stand.run(&freeze(&one(600)));
            assert_eq!((code, said.contains("pods=2\nfrozen=2\n")), (Some(0), true), "{shell}: {said}");
        }
        assert!(asked(&group) && !asked(&bystander), "{shell}");
        let seen = stand.look();
        let [stands] = &seen.frozen[..] else { panic!("{seen:?}") };
        assert_eq!((stands.run.as_str(), stands.operator.as_str(), stands.held), ("r1", "alice o'neil", 1), "{shell}");
        assert_eq!(
            (stands.object.as_str(), stands.reason.as_str()),
            ("daemonsets.apps/telemetry/agent", "it's \"why\"")
        );
        assert!(stands.watched && stands.left > Duration::from_mins(9), "{stands:?}");
        let query = frozen();
        assert_eq!(query.read(&stand.run(query.script()).1).unwrap().len(), 1, "{shell}");

        // One that comes, and one that somebody lets go.
        let came = stand.pod(
            "telemetry_agent-9xk2p",
            "00000000-0000-4000-8000-000000000002",
            "kubepods/pod00000000-0000-4000-8000-000000000002",
        );
        until("what came to be frozen", || asked(&came));
        fs::write(group.join("cgroup.freeze"), "0\n").unwrap();
        until("it to be frozen again", || asked(&group));
        // The first of those that keep it is killed: the second does its work.
        let first = fs::read_to_string(stand.path("run/breakglass-frozen-r1-2/a/state")).unwrap();
        assert!(Command::new("kill").args(["-KILL", first.trim()]).status().unwrap().success());
        fs::write(group.join("cgroup.freeze"), "0\n").unwrap();
        until("the second to freeze it", || asked(&group));

        for thawed in ["thawed=3", "thawed=absent"] {
            let (code, said) = stand.run(&thaw(&one(600)));
            // What was frozen by somebody else stays as it was.
            let thawed = if thawed == "thawed=3" { "thawed=2" } else { thawed };
            assert_eq!((code, said.contains(thawed)), (Some(0), true), "{shell}: {said}");
        }
        assert!(!asked(&group) && !asked(&came) && asked(&by_others), "{shell}");
        assert_eq!(fs::read_dir(stand.path("run")).unwrap().count(), 0, "{shell}");
    }
}

#[test]
fn it_ends_by_itself_whoever_of_those_that_keep_it_was_killed() {
    for (shell, killed) in [("sh", "a"), ("bash", "b"), ("busybox sh", "")] {
        let stand = Stand::new(shell);
        let group = stand.pod("telemetry_agent-7xk2p", UID, &format!("kubepods/pod{UID}"));
        assert_eq!(stand.run(&freeze(&one(4))).0, Some(0), "{shell}");
        assert!(asked(&group));
        if !killed.is_empty() {
            let pid = fs::read_to_string(stand.path(&format!("run/breakglass-frozen-r1-2/{killed}/state"))).unwrap();
            assert!(Command::new("kill").args(["-KILL", pid.trim()]).status().unwrap().success());
        }
        until("its end", || fs::read_dir(stand.path("run")).unwrap().count() == 0);
        assert!(!asked(&group), "{shell}: {killed}");
    }
}

#[test]
fn where_both_were_killed_a_look_says_so_and_what_is_typed_there_takes_it_back() {
    let stand = Stand::new("sh");
    let group = stand.pod("telemetry_agent-7xk2p", UID, &format!("kubepods/pod{UID}"));
    stand.run(&freeze(&one(600)));
    for pid in stand.keepers() {
        assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
    }
    until("both to be gone", || !stand.look().frozen[0].watched);
    assert!(asked(&group));
    let folder = stand.path("run/breakglass-frozen-r1-2");
    let command = by_hand(folder.to_str().unwrap());
    let status = Command::new("sh").args(["-c", &command]).status().unwrap();
    assert!(status.success() && !asked(&group) && !folder.exists(), "{command}");
}

/// The freezer of version 1, where a host has nothing else.
#[test]
fn the_freezer_of_version_1_is_asked_in_its_own_words() {
    let stand = Stand::new("sh");
    let group = stand.pod("telemetry_agent-7xk2p", UID, &format!("kubepods/pod{UID}"));
    let line = format!("cgroup {} cgroup rw,relatime,freezer 0 0\n", stand.path("two").display());
    fs::write(stand.path("mounts"), line).unwrap();
    fs::write(group.join("container/cgroup.procs"), "").unwrap();
    fs::write(group.join("freezer.state"), "THAWED\n").unwrap();
    assert_eq!(stand.look().pods, [], "nothing runs in it");
    fs::write(group.join("container/cgroup.procs"), "1\n").unwrap();
    assert_eq!(stand.look().pods[0].freezer, Some(1));
    assert_eq!(stand.run(&freeze(&one(600))).0, Some(0));
    let state = || fs::read_to_string(group.join("freezer.state")).unwrap();
    assert_eq!(state(), "FROZEN\n");
    stand.run(&thaw(&one(600)));
    assert_eq!(state(), "THAWED\n");
}

#[test]
fn an_answer_that_broke_off_is_none() {
    let query = look(&which());
    assert!(query.read("pod=a b 2 yes\n").is_err());
    let read = query.read("frozen.run=lost\npod=a b 0 no\npod=torn\nend=yes\n").unwrap();
    assert_eq!((read.pods.len(), read.pods[0].freezer, read.frozen.len()), (1, None, 0));
}

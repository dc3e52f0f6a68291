//! What exchanges a manifest on a host is killed, or told to end, at each of its own lines and between its commands: the
//! real scripts under the machine's sh, in a folder of their own, before a kubelet that is a thread of the test.
//!
//! Wherever it ends, the manifest is in its place or its state says that it is not; it is the old text or the new one,
//! whole; and `mend`, another exchange and its inverse come to the same end.

use std::collections::VecDeque;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::{Place, Seen, State, Swap};
use crate::change::sha256_hex;
use crate::host::swap;
use crate::script::Script;

/// Most of a case is waiting.
const AT_ONCE: usize = 8;
const BEGIN: &str = "<<'BREAKGLASS_RUNNER'";
const END: &str = "\nBREAKGLASS_RUNNER\n";
/// Sleeps a tenth, waits for no disk, and starts no program that takes longer to start than all else that a case does:
/// everything answers. The real ones are asked in the tests of the exchange and of login environments.
const QUICK: &str = "sleep() { command sleep 0.1; }\nsync() { :; }\ncurl() { printf 200; }\njournalctl() { :; }\n";

fn text(program: &str, word: &str) -> String {
    format!("kind: Pod\nspec:\n  containers:\n  - command:\n    - {program}\n    - --word={word}\n")
}

/// Where the shell can be made to kill itself: before each line of the runner, and before each command that another
/// one leads to. `sh -n` says which of these places are any.
fn points(runner: &str) -> Vec<(usize, &'static str)> {
    let lines = runner.match_indices('\n').map(|(at, _)| (at + 1, "bgk\n"));
    let led_to =
        |mark: &'static str, insert| runner.match_indices(mark).map(move |(at, mark)| (at + mark.len(), insert));
    let all =
        std::iter::once((0, "bgk\n")).chain(lines).chain(led_to("&& ", "bgk && ")).chain(led_to("|| { ", "bgk; "));
    let valid = |(at, insert): &(usize, &str)| {
        let mut text = runner.to_owned();
        text.insert_str(*at, insert);
        let mut check = Command::new("sh").arg("-n").stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        check.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        check.wait().unwrap().success()
    };
    // What makes its own environment first does nothing else, and has a line end inside of quotes.
    let made = runner.find("\numask").expect("no umask");
    // After its last line there is none, and a runner that has another one was not written whole.
    let any = |(at, _): &(usize, &str)| *at == 0 || (made + 1..runner.len()).contains(at);
    let mut points: Vec<_> = all.filter(any).filter(valid).collect();
    points.sort_unstable();
    points
}

/// The points that an exchange comes to when nobody kills it, and how many times.
fn passed(word: &str) -> Vec<((usize, &'static str), usize)> {
    let stand = Stand::new(word);
    let text = swap::swap(&stand.forward).text();
    let points = points(&runner(&text).1);
    let log = stand.dir.path().join("passed");
    let (code, said) = stand.before_a_kubelet(|| {
        let (before, mut runner, after) = runner(&text);
        for (number, (at, insert)) in points.iter().enumerate().rev() {
            runner.insert_str(*at, &insert.replace("bgk", &format!("bgk {number}")));
        }
        let bgk = format!("bgk() {{ echo \"$1\" >>'{}'; }}\n", log.display());
        // Nobody dies here, so a runner that a busy machine is slow to start is waited for.
        let patient = quick(&before).replace("\"$i\" -lt 300 ]", "\"$i\" -lt 9000 ]");
        stand.sh(&format!("{patient}{QUICK}{bgk}{runner}{after}"))
    });
    assert_eq!(code, if word == "bad" { 6 } else { 0 }, "{said}");
    let log = std::fs::read_to_string(log).unwrap();
    let count = |number: usize| log.lines().filter(|line| *line == number.to_string()).count();
    points
        .into_iter()
        .enumerate()
        .map(|(number, point)| (point, count(number)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// A script that sleeps little itself.
fn quick(text: &str) -> String {
    text.replacen("main() {\n", &format!("main() {{\n{QUICK}"), 1)
}

/// A script's text before its runner, the runner, and the text after it.
fn runner(text: &str) -> (String, String, String) {
    let at = text.find(BEGIN).expect("no runner");
    let begin = at + text[at..].find('\n').unwrap() + 1;
    let end = begin + text[begin..].find(END).unwrap() + 1;
    (text[..begin].to_owned(), text[begin..end].to_owned(), text[end..].to_owned())
}

/// A kubelet: a process for the manifest that is in the folder, as long as it is there.
fn kubelet(manifest: &Path, program: &Path, stop: &AtomicBool) {
    let mut pod: Option<(String, Child)> = None;
    while !stop.load(Ordering::Relaxed) {
        let wanted = std::fs::read_to_string(manifest).ok().filter(|text| !text.contains("--word=bad"));
        if pod.as_ref().map(|(text, _)| text) != wanted.as_ref() {
            end(pod.take());
            let start = |text| (text, Command::new(program).arg("600").spawn().unwrap());
            pod = wanted.filter(|text| text.ends_with('\n')).map(start);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    end(pod);
}

fn end(pod: Option<(String, Child)>) {
    if let Some((_, mut process)) = pod {
        process.kill().unwrap();
        process.wait().unwrap();
    }
}

/// A host's folder, with the exchange there and back.
struct Stand {
    dir: tempfile::TempDir,
    program: PathBuf,
    old: String,
    new: String,
    forward: Swap,
    back: Swap,
}

impl Stand {
    fn new(word: &str) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let dir = tempfile::tempdir().unwrap();
        // The scripts find processes by this name on the whole machine. All as long, so that a point is the same in each.
        let name = format!("bgk-{}-{:05}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let program = dir.path().join(&name);
        std::os::unix::fs::symlink("/bin/sleep", &program).unwrap();
        let place = Place {
            manifests: dir.path().join("manifests").to_str().unwrap().to_owned(),
            program: name.clone(),
            run: "r1".into(),
            operator: "alice".into(),
            tag: "1-room".into(),
        };
        let (old, new) = (text(&name, "old"), text(&name, word));
        let file = format!("{}/api.yaml", place.manifests);
        std::fs::create_dir(&place.manifests).unwrap();
        std::fs::create_dir(place.beside()).unwrap();
        for (path, text) in [(&file, &old), (&place.before(), &old), (&place.next(), &new)] {
            std::fs::write(path, text).unwrap();
        }
        let sum = |text: &str| sha256_hex(text.as_bytes());
        let forward = Swap {
            file,
            from: sum(&old),
            staged: place.next(),
            to: sum(&new),
            origin: "http://127.0.0.1".into(),
            port: 1,
            health: "/livez",
            exit_secs: 60,
            ready_secs: if word == "bad" { 1 } else { 60 },
            only_while: None,
            place,
        };
        let back = Swap {
            from: forward.to.clone(),
            to: forward.from.clone(),
            staged: forward.place.before(),
            ready_secs: 60,
            only_while: None,
            ..forward.clone()
        };
        Self { dir, program, old, new, forward, back }
    }

    /// Does something before a living kubelet.
    fn with_kubelet<R>(&self, work: impl FnOnce() -> R) -> R {
        struct Stops<'a>(&'a AtomicBool);
        impl Drop for Stops<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| kubelet(Path::new(&self.forward.file), &self.program, &stop));
            let _stops = Stops(&stop);
            work()
        })
    }

    /// Does something once the kubelet's first process is there: a runner that finds none would take the first for the new one.
    fn before_a_kubelet<R>(&self, work: impl FnOnce() -> R) -> R {
        self.with_kubelet(|| {
            while self.look().processes.is_empty() {
                std::thread::sleep(Duration::from_millis(20));
            }
            work()
        })
    }

    /// Runs the text of a script; its exit status and what it said.
    fn sh(&self, text: &str) -> (i32, String) {
        let mut child = Command::new("sh")
            .arg("-s")
            .current_dir(self.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code().unwrap_or(-1), String::from_utf8(output.stdout).unwrap())
    }

    /// As the engine says it: again, where the host does not know how it ended.
    fn say(&self, script: &Script) -> (i32, String) {
        let mut said = self.say_once(script);
        for _ in 0..2 {
            if said.0 == 7 {
                said = self.say_once(script);
            }
        }
        said
    }

    fn say_once(&self, script: &Script) -> (i32, String) {
        let (before, runner, after) = if script.name == "manifest.swap" {
            runner(&script.text())
        } else {
            (script.text(), String::new(), String::new())
        };
        let before = quick(&before);
        let runner = if runner.is_empty() { runner } else { format!("{QUICK}{runner}") };
        self.sh(&format!("{before}{runner}{after}"))
    }

    /// The exchange, whose runner sends itself this signal when it comes to this point for the `nth` time.
    fn exchange_dying(&self, (at, insert): (usize, &str), nth: usize, signal: &str) -> (i32, String) {
        let (before, mut runner, after) = runner(&swap::swap(&self.forward).text());
        let before = quick(&before);
        runner.insert_str(at, insert);
        let bgk = format!("bgk() {{ bgn=$((${{bgn:-0}}+1)); [ \"$bgn\" -ne {nth} ] || kill -{signal} $$; }}\n");
        self.sh(&format!("{before}{QUICK}{bgk}{runner}{after}"))
    }

    fn look(&self) -> Seen {
        let look = swap::look(&self.forward.place);
        look.read(&self.say(look.script()).1).unwrap().unwrap()
    }

    fn manifest(&self) -> Option<String> {
        std::fs::read_to_string(&self.forward.file).ok()
    }

    /// The manifest is one of the two, whole and alone in its folder, or it is away and the host says so.
    fn is_true(&self, what: &str) -> Option<State> {
        let seen = self.look();
        match self.manifest() {
            Some(text) => assert!(text == self.old || text == self.new, "{what}: {text:?}"),
            None => {
                assert_eq!(seen.state, Some(State::Broken), "{what}: the manifest is away");
                let out = std::fs::read_to_string(format!("{}/out.yaml", self.forward.place.beside()));
                assert_eq!(out.as_ref().ok(), Some(&self.old), "{what}: the manifest is lost");
            }
        }
        assert!(std::fs::read_dir(&self.forward.place.manifests).unwrap().count() <= 1, "{what}: a file too many");
        seen.state
    }

    /// Back to the old text, with nothing left beside.
    fn undone(&self, what: &str) {
        let (code, said) = self.say(&swap::swap(&self.back));
        assert_eq!(code, 0, "{what}: undo: {said}");
        assert_eq!(self.manifest().as_ref(), Some(&self.old), "{what}: undo");
        for copy in [self.forward.place.before(), self.forward.place.next()] {
            std::fs::remove_file(copy).unwrap();
        }
        let (code, said) = self.say(&swap::folder_away(&self.forward.place));
        assert_eq!(
            code,
            0,
            "{what}: {said}: {:?}",
            std::fs::read_dir(self.forward.place.beside()).map(Iterator::count)
        );
    }
}

/// Each point that is come to, for itself.
fn at_each_point(word: &str, signal: &str, check: impl Fn(&Stand, &str) + Sync) {
    // What several commands go through is come to again: each time counts where it goes on to the new text.
    let times =
        |insert, count: usize| if insert != "bgk\n" && (word, signal) == ("new", "KILL") { count.min(3) } else { 1 };
    let cases =
        passed(word).into_iter().flat_map(|(point, count)| (1..=times(point.1, count)).map(move |nth| (point, nth)));
    let queue: VecDeque<_> = cases.collect();
    let (all, queue, died) = (queue.len(), Mutex::new(queue), AtomicUsize::new(0));
    let worker = || {
        loop {
            let Some((point, nth)) = queue.lock().unwrap().pop_front() else { return };
            let stand = Stand::new(word);
            stand.before_a_kubelet(|| {
                let (code, said) = stand.exchange_dying(point, nth, signal);
                let what = format!("{signal} at {point:?}, time {nth}: {code} {said}");
                died.fetch_add(usize::from(code == 7), Ordering::Relaxed);
                check(&stand, &what);
            });
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
    // Where it only waits, it may come by less often than the first time.
    let died = died.into_inner();
    assert!(all > 40 && died * 4 > all * 3, "only {died} of {all} died");
}

#[test]
fn killed_at_any_line_the_manifest_is_kept_and_the_exchange_gone_on_with_and_taken_back() {
    at_each_point("new", "KILL", |stand, what| {
        let state = stand.is_true(what);
        if state == Some(State::Broken) {
            let (code, said) = stand.say(&swap::mend(&stand.forward.place));
            assert_eq!(code, 0, "{what}: mend: {said}");
            assert!(stand.manifest().is_some(), "{what}: mended, and no manifest");
        }
        let (code, said) = stand.say(&swap::swap(&stand.forward));
        assert_eq!((code, stand.manifest().as_ref()), (0, Some(&stand.new)), "{what}: resume: {said}");
        stand.undone(what);
    });
}

#[test]
fn killed_at_any_line_of_a_reversal_it_is_taken_back() {
    at_each_point("bad", "KILL", |stand, what| {
        stand.is_true(what);
        stand.undone(what);
    });
}

#[test]
fn told_to_end_at_any_line_it_puts_the_manifest_back_first() {
    at_each_point("new", "TERM", |stand, what| {
        stand.is_true(what);
        assert!(stand.manifest().is_some(), "{what}: it left the manifest out");
        stand.undone(what);
    });
}

/// The same script, which waits before this line of its own until it is let go; for a minute at most.
fn held(mut script: Script, line: &str, go: &Path) -> Script {
    assert!(script.body.contains(line), "{}", script.body);
    let until =
        format!("n=0; until [ -e '{}' ] || [ \"$n\" -ge 600 ]; do command sleep 0.1; n=$((n+1)); done", go.display());
    script.body = script.body.replacen(line, &format!("{until}\n{line}"), 1);
    script
}

/// Long enough for what was started to be in the middle of it, mostly: nothing goes wrong where it is not.
fn let_go_soon(go: &Path) {
    std::thread::sleep(Duration::from_millis(500));
    std::fs::write(go, "").unwrap();
}

#[test]
fn the_way_back_waits_for_the_way_there_to_end() {
    let stand = Stand::new("new");
    let go = stand.dir.path().join("go");
    let slow = held(swap::swap(&stand.forward), "gone \"$EXIT\" || { back stayed; exit 1; }\n", &go);
    stand.before_a_kubelet(|| {
        std::thread::scope(|scope| {
            let there = scope.spawn(|| stand.say_once(&slow));
            while stand.look().state != Some(State::Moving) {
                assert!(!there.is_finished(), "it was over before it was seen under way");
                std::thread::sleep(Duration::from_millis(5));
            }
            scope.spawn(|| let_go_soon(&go));
            let (code, said) = stand.say(&swap::swap(&stand.back));
            assert_eq!((code, stand.manifest().as_ref()), (0, Some(&stand.old)), "{said}");
        });
    });
}

/// The script of a client that was killed lives on: one that comes while it prepares an exchange joins it, and undoes nothing of it.
#[test]
fn two_orders_of_one_exchange_are_one() {
    let stand = Stand::new("new");
    let go = stand.dir.path().join("go");
    // A disk that is short of breath, as a drowning etcd's.
    let slow = held(swap::swap(&stand.forward), "  sync \"$B/put.yaml\" 2>/dev/null || sync\n", &go);
    stand.before_a_kubelet(|| {
        std::thread::scope(|scope| {
            let first = scope.spawn(|| stand.say_once(&slow));
            while !Path::new(&format!("{}/put.yaml", stand.forward.place.beside())).exists() {
                assert!(!first.is_finished(), "it was over before it was seen at work");
                std::thread::sleep(Duration::from_millis(5));
            }
            scope.spawn(|| let_go_soon(&go));
            let (code, said) = stand.say_once(&swap::swap(&stand.forward));
            assert_eq!((code, stand.manifest().as_ref()), (0, Some(&stand.new)), "{said}");
            let (code, said) = first.join().unwrap();
            assert_eq!((code, stand.manifest().as_ref()), (0, Some(&stand.new)), "the first: {said}");
        });
        stand.undone("two orders");
    });
}

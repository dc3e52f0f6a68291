//! The scripts of an exchange, run by the machine's own sh.

use super::*;

mod processes;

fn place(dir: &str) -> Place {
    Place {
        manifests: format!("{dir}/manifests"),
        program: "kube-apiserver".into(),
        run: "r1".into(),
        operator: "alice".into(),
        tag: "room".into(),
    }
}

/// Runs a script's text with the machine's own sh.
fn run(script: &Script) -> (i32, String) {
    run_by("exec sh -s", script)
}

/// The same, by a login that runs this.
fn run_by(login: &str, script: &Script) -> (i32, String) {
    use std::io::Write as _;
    // Who started the tests may not have cared for the end of his terminal; a shell cannot undo that, and a login does.
    let mut child = std::process::Command::new("env")
        .args(["--default-signal=HUP", "sh", "-c", login])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.text().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_folder_stands_beside_and_never_inside() {
    let place = place("/etc/kubernetes");
    assert_eq!(place.beside(), "/etc/kubernetes/breakglass-r1-room");
    assert!(!place.before().starts_with("/etc/kubernetes/manifests/"));
}

#[test]
fn looking_finds_the_manifest_and_its_backup_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(dir.path().to_str().unwrap());
    std::fs::create_dir(&place.manifests).unwrap();
    let text = "kind: Pod\nspec:\n  containers:\n  - command:\n    - /k/kube-apiserver\n    - --secure-port=6443\n";
    std::fs::write(format!("{}/api.yaml", place.manifests), text).unwrap();
    std::fs::write(format!("{}/etcd.yaml", place.manifests), "kind: Pod\n# for kube-apiserver\n- etcd\n").unwrap();
    let balancer =
        "kind: Pod\nmetadata: {labels: {for: \"kube-apiserver\"}}\nspec:\n  containers:\n  - command: [haproxy]\n";
    std::fs::write(format!("{}/a-balancer.yaml", place.manifests), balancer).unwrap();
    let one = looked(&run(look(&place).script()).1, &place.program).unwrap().unwrap();
    assert_eq!((one.files.len(), one.text.as_str()), (1, text));
    assert_eq!(one.namesakes, [format!("{}/a-balancer.yaml", place.manifests)]);
    assert_eq!(one.sha256, crate::change::sha256_hex(text.as_bytes()));
    std::fs::write(format!("{}/api.yaml.bak", place.manifests), text).unwrap();
    assert_eq!(looked(&run(look(&place).script()).1, &place.program).unwrap().unwrap().files.len(), 2);
}

#[test]
fn the_program_is_found_however_its_word_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(dir.path().to_str().unwrap());
    std::fs::create_dir(&place.manifests).unwrap();
    let found = |text: &str| {
        std::fs::write(format!("{}/api.yaml", place.manifests), format!("kind: Pod\n{text}\n")).unwrap();
        let seen = looked(&run(look(&place).script()).1, &place.program).unwrap().unwrap();
        seen.files.len() + seen.namesakes.len() == 1
    };
    for text in [
        "    - kube-apiserver # do not reorder",
        "    - /k/kube-apiserver\r",
        "    - '/k/kube-apiserver'",
        "    command: [kube-apiserver, --x=1]",
        "    command: [ /go-runner, /k/kube-apiserver ]",
        "    command: [\n      kube-apiserver,\n      --x=1]",
        "    args: [\"/go-runner\", \"/k/kube-apiserver\"]",
        "    - &program kube-apiserver",
        "    - /hyperkube\n    - apiserver",
        "    - exec /k/kube-apiserver --x=1 >/tmp/pipe",
        "    - |\n      exec kube-apiserver \\\n        --x=1",
    ] {
        assert!(found(text), "{text}");
    }
    for text in [
        "    # - kube-apiserver",
        "    # [kube-apiserver, x]",
        "    - kube-apiserver-x",
        "    - --for=kube-apiserver",
        "    # /hyperkube",
    ] {
        assert!(!found(text), "{text}");
    }
}

#[test]
fn the_folder_comes_and_goes_with_what_an_exchange_left() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(dir.path().to_str().unwrap());
    assert_eq!(run(&folder(&place)).0, 0);
    assert_eq!(run(&folder(&place)).0, 0);
    std::fs::write(format!("{}/state", place.beside()), "ready").unwrap();
    std::fs::write(place.before(), "kept").unwrap();
    assert_ne!(run(&folder_away(&place)).0, 0);
    std::fs::remove_file(place.before()).unwrap();
    assert_eq!(run(&folder_away(&place)).0, 0);
    assert!(!std::path::Path::new(&place.beside()).exists());
    assert_eq!(run(&folder_away(&place)).0, 0);
}

#[test]
fn a_missing_folder_is_said() {
    let (code, out) = run(look(&place("/nonexistent")).script());
    assert_eq!(code, 3);
    assert!(looked(&out, "x").unwrap().unwrap_err().contains("/nonexistent/manifests"));
}

#[test]
fn an_exchange_is_refused_when_somebody_else_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(dir.path().to_str().unwrap());
    std::fs::create_dir(&place.manifests).unwrap();
    std::fs::create_dir(place.beside()).unwrap();
    let file = format!("{}/api.yaml", place.manifests);
    std::fs::write(&file, "theirs").unwrap();
    std::fs::write(place.next(), "new").unwrap();
    let exchange = Swap {
        staged: place.next(),
        file: file.clone(),
        from: crate::change::sha256_hex(b"ours"),
        to: crate::change::sha256_hex(b"new"),
        origin: "https://127.0.0.1".into(),
        port: 1,
        health: "/livez",
        exit_secs: 1,
        ready_secs: 1,
        only_while: None,
        place,
    };
    let (code, out) = run(&swap(&exchange));
    assert_eq!(code, 4, "{out}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "theirs");
}

/// A folder with a manifest `old`, a staged text `new`, and the exchange between them of a program that does not run.
fn exchange(dir: &tempfile::TempDir) -> Swap {
    let mut place = place(dir.path().to_str().unwrap());
    place.program = "breakglass-no-such-program".into();
    std::fs::create_dir(&place.manifests).unwrap();
    std::fs::create_dir(place.beside()).unwrap();
    std::fs::write(format!("{}/api.yaml", place.manifests), "old").unwrap();
    std::fs::write(place.next(), "new").unwrap();
    Swap {
        staged: place.next(),
        file: format!("{}/api.yaml", place.manifests),
        from: crate::change::sha256_hex(b"old"),
        to: crate::change::sha256_hex(b"new"),
        origin: "https://127.0.0.1".into(),
        port: 1,
        health: "/livez",
        exit_secs: 1,
        ready_secs: 1,
        only_while: None,
        place,
    }
}

#[test]
fn an_exchange_whose_runner_died_is_seen_mended_and_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    let exchange = exchange(&dir);
    let beside = exchange.place.beside();
    std::fs::rename(&exchange.file, format!("{beside}/out.yaml")).unwrap();
    std::fs::write(format!("{beside}/order"), format!("{}\nx-y\n", exchange.file)).unwrap();
    // No process has a number beyond the kernel's most.
    std::fs::write(format!("{beside}/state"), "out 99999999\n").unwrap();
    let seen = looked(&run(look(&exchange.place).script()).1, &exchange.place.program).unwrap().unwrap();
    assert_eq!((seen.state, seen.files.len()), (Some(State::Broken), 0));
    assert_eq!(run(&mend(&exchange.place)).0, 0);
    assert_eq!(std::fs::read_to_string(&exchange.file).unwrap(), "old");
    // And an exchange puts it right by itself.
    std::fs::rename(&exchange.file, format!("{beside}/out.yaml")).unwrap();
    std::fs::write(format!("{beside}/state"), "out 99999999\n").unwrap();
    assert_eq!(run(&swap(&exchange)).0, 6);
    assert_eq!(std::fs::read_to_string(&exchange.file).unwrap(), "old");
}

#[test]
fn a_process_that_was_there_before_is_never_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut exchange = exchange(&dir);
    exchange.place.program = "breakglass-old-one".into();
    let old = Alive::start(&dir, &exchange.place.program);
    let (code, out) = run(&swap(&exchange));
    drop(old);
    assert_eq!(code, 6, "{out}");
    assert!(out.contains("did not exit"), "{out}");
    assert_eq!(std::fs::read_to_string(&exchange.file).unwrap(), "old");
}

#[test]
fn the_old_text_comes_back_when_nothing_answers() {
    let dir = tempfile::tempdir().unwrap();
    let exchange = exchange(&dir);
    let (code, out) = run(&swap(&exchange));
    assert_eq!(code, 6, "{out}");
    assert_eq!(std::fs::read_to_string(&exchange.file).unwrap(), "old");
    assert_eq!(std::fs::read_dir(&exchange.place.manifests).unwrap().count(), 1);
}

/// The inverse of an exchange that was never sent, or whose manifest is back already, has nothing to do.
#[test]
fn an_exchange_whose_end_stands_already_is_ready_and_one_that_has_no_process_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut exchange = exchange(&dir);
    std::mem::swap(&mut exchange.from, &mut exchange.to);
    let (code, out) = run(&swap(&exchange));
    assert_eq!(code, 6, "{out}");
    assert!(out.contains("no process"), "{out}");
    exchange.place.program = "breakglass-one-alive".into();
    let alive = Alive::start(&dir, &exchange.place.program);
    let (code, out) = run(&swap(&exchange));
    drop(alive);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("state=ready"), "{out}");
    assert_eq!(std::fs::read_to_string(&exchange.file).unwrap(), "old");
}

/// A process of a program that does nothing, under a name of its own; it ends with this value.
struct Alive(std::process::Child);

impl Alive {
    fn start(dir: &tempfile::TempDir, program: &str) -> Self {
        let path = format!("{}/{program}", dir.path().display());
        if !std::path::Path::new(&path).exists() {
            std::os::unix::fs::symlink("/bin/sleep", &path).unwrap();
        }
        Self(std::process::Command::new(&path).arg("100").spawn().unwrap())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until a file begins with this, and says what it is then.
fn until(path: &str, begins: &str) -> String {
    let began = std::time::Instant::now();
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if text.starts_with(begins) && text.ends_with('\n') {
            return text;
        }
        assert!(began.elapsed().as_secs() < 60, "{path} is {text:?} and does not begin with {begins:?}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// Begins an exchange, sends its runner a signal once its state is this, and gives what the script said in the end.
fn interrupted(exchange: &Swap, at: &str, signal: &str) -> (i32, String) {
    let state = format!("{}/state", exchange.place.beside());
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run(&swap(exchange)));
        let text = until(&state, at);
        let wanted = if at == "out " { format!("{}/out.yaml", exchange.place.beside()) } else { exchange.file.clone() };
        while !std::path::Path::new(&wanted).exists() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let pid = text.split_whitespace().nth(1).unwrap();
        assert!(std::process::Command::new("kill").args([signal, pid]).status().unwrap().success());
        running.join().unwrap()
    })
}

#[test]
fn a_runner_that_is_told_to_end_puts_the_manifest_back_whatever_it_was_at() {
    for signal in ["-TERM", "-HUP"] {
        for at in ["out ", "in "] {
            let dir = tempfile::tempdir().unwrap();
            let mut exchange = exchange(&dir);
            exchange.place.program = format!("breakglass-slow-{}{signal}", at.trim());
            let old = (at == "out ").then(|| Alive::start(&dir, &exchange.place.program));
            (exchange.exit_secs, exchange.ready_secs) = (50, 50);
            let (code, out) = interrupted(&exchange, at, signal);
            drop(old);
            assert_eq!(code, 7, "{signal} {at}: {out}");
            assert!(out.contains("unknown=") && out.contains("told to end"), "{signal} {at}: {out}");
            assert_eq!(std::fs::read_to_string(&exchange.file).unwrap(), "old", "{signal} {at}");
            let seen = looked(&run(look(&exchange.place).script()).1, &exchange.place.program).unwrap().unwrap();
            assert_eq!(seen.state, Some(State::Stopped), "{signal} {at}");
            // Nothing of it is left when undo has taken the copies away.
            std::fs::remove_file(exchange.place.next()).unwrap();
            let (code, out) = run(&folder_away(&exchange.place));
            assert_eq!(code, 0, "{signal} {at}: {out}");
        }
    }
}

/// Killed with no time for anything: whoever looks sees it, in this run or in another, on this host or from another.
#[test]
fn a_second_engineer_sees_what_a_dead_exchange_left_and_whose_it_is() {
    for (at, stands) in [("out ", Stands::Out), ("in ", Stands::Broken)] {
        let dir = tempfile::tempdir().unwrap();
        let mut exchange = exchange(&dir);
        exchange.place.program = format!("breakglass-killed-{}", at.trim());
        exchange.place.tag = "1-room".into();
        std::fs::create_dir(exchange.place.beside()).unwrap();
        std::fs::rename(&exchange.staged, exchange.place.next()).unwrap();
        exchange.staged = exchange.place.next();
        std::fs::write(exchange.place.before(), "old").unwrap();
        let old = (at == "out ").then(|| Alive::start(&dir, &exchange.place.program));
        (exchange.exit_secs, exchange.ready_secs) = (50, 50);
        let (code, out) = interrupted(&exchange, at, "-KILL");
        drop(old);
        assert_eq!(code, 7, "{at}: {out}");
        let theirs = Place { run: "r2".into(), ..exchange.place.clone() };
        let seen = looked(&run(look(&theirs).script()).1, &theirs.program).unwrap().unwrap();
        let program = &exchange.place.program;
        let from_afar = under_way_seen(&run(under_way(&exchange.place.manifests, program).script()).1).unwrap();
        for other in [&seen.others, &from_afar] {
            let [other] = other.as_slice() else { panic!("{at}: {other:?}") };
            assert_eq!((other.stands, other.run.as_str(), other.operator.as_str()), (stands, "r1", "alice"), "{at}");
            assert_eq!((&other.file, &other.folder), (&exchange.file, &exchange.place.beside()), "{at}");
        }
        let none = under_way_seen(&run(under_way(&exchange.place.manifests, "etcd").script()).1).unwrap();
        assert_eq!(none, [], "{at}: another program is no concern");
        // Mended by its own run, nothing is left to see, and the folder goes with its copies.
        assert_eq!(run(&mend(&exchange.place)).0, 0);
        assert_eq!(looked(&run(look(&theirs).script()).1, &theirs.program).unwrap().unwrap().others, []);
        assert!(!std::path::Path::new(&format!("{}/out.yaml", exchange.place.beside())).exists(), "{at}");
    }
}

#[test]
fn of_many_runners_exactly_one_takes_the_manifest_out() {
    let dir = tempfile::tempdir().unwrap();
    let exchange = exchange(&dir);
    let mut prepared = swap(&exchange);
    assert!(prepared.body.contains("\n  launch\n"));
    prepared.body = prepared.body.replace("\n  launch\n", "\n  exit 0\n");
    assert_eq!(run(&prepared).0, 0);
    let runner = format!("{}/runner", exchange.place.beside());
    let all: Vec<_> = (0..8).map(|_| std::process::Command::new("sh").arg(&runner).spawn().unwrap()).collect();
    let codes: Vec<_> = all.into_iter().map(|mut one| one.wait().unwrap().code().unwrap()).collect();
    assert_eq!(codes.iter().filter(|code| **code != 3).count(), 1, "{codes:?}");
    assert_eq!(std::fs::read_to_string(&exchange.file).unwrap(), "old");
    // One that comes when all is over.
    assert_eq!(std::process::Command::new("sh").arg(&runner).status().unwrap().code(), Some(3));
}

/// The runner is systemd's where systemd works, and comes all the same where it does not: at once, too late, or never.
#[test]
fn the_runner_outlives_the_login_by_systemd_and_comes_without_it() {
    let works = "shift 3; setsid \"$@\" &";
    for (how, is) in [
        ("works", works.to_owned()),
        ("refuses", "exit 1".into()),
        ("hangs", "exec sleep 120".into()),
        ("is late", format!("sleep 7; {works}")),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let exchange = exchange(&dir);
        let stub = format!("{}/as-a-service", dir.path().display());
        std::fs::write(&stub, format!("#!/bin/sh\necho \"$@\" >>{stub}.log\n{is}\n")).unwrap();
        std::fs::set_permissions(&stub, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let mut script = swap(&exchange);
        script.body = script.body.replace("/run/systemd/system", dir.path().to_str().unwrap());
        script.body = script.body.replace("have systemd-run", "true").replace("systemd-run", &stub);
        // A test may not be in the first process's network, nor see it.
        script.body = script.body.replace("/proc/1/ns/net", "/proc/self/ns/net");
        let began = std::time::Instant::now();
        let (code, out) = run(&script);
        assert_eq!(code, 6, "{how}: {out}");
        // One that hangs is not waited for; how long the rest takes is the machine's matter.
        assert!(began.elapsed().as_secs() < 110, "{how}: {:?}", began.elapsed());
        assert_eq!(std::fs::read_to_string(&exchange.file).unwrap(), "old", "{how}");
        let asked = std::fs::read_to_string(format!("{stub}.log")).unwrap();
        let wanted = format!("--collect --quiet --no-block sh {}/runner\n", exchange.place.beside());
        assert_eq!(asked, wanted, "{how}");
    }
}

#[test]
fn every_state_that_a_runner_writes_is_known() {
    let words = RUNNER.split([';', '\n', '{', '|']).filter_map(|part| {
        let (verb, word) = part.trim().trim_start_matches("then ").split_once(' ')?;
        let word = word.split(' ').next()?;
        matches!(verb, "state" | "back").then_some(word)
    });
    let words: Vec<&str> = words.filter(|word| word.chars().all(|c| c.is_ascii_lowercase())).collect();
    for word in ["in", "ready", "untaken", "stayed", "unwritten", "reverted", "broken"] {
        assert!(words.contains(&word), "{word} is not found in {words:?}");
    }
    let ends = RUNNER.lines().filter_map(|line| line.strip_prefix("end="));
    for word in words.into_iter().chain(ends).chain(["out"]) {
        let answer = looked(&format!("state={word}\nlooked=yes\n"), "x").unwrap().unwrap();
        assert!(answer.state.is_some(), "{word}");
    }
}

/// Whatever there is no room for, it is said before the manifest is taken out.
#[test]
fn a_full_disk_is_said_before_anything_is_taken_out() {
    // Files of more than so many blocks of 512 bytes cannot be written.
    let limited = |blocks: u32| format!("trap '' XFSZ; ulimit -f {blocks}; exec sh -s");
    for (what, login, new) in [
        ("order", "exec sh -s".to_owned(), "new".to_owned()),
        ("runner", limited(4), "new".into()),
        ("put.yaml", limited(64), "new".repeat(40_000)),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut exchange = exchange(&dir);
        std::fs::write(&exchange.staged, &new).unwrap();
        exchange.to = crate::change::sha256_hex(new.as_bytes());
        if what == "order" {
            std::os::unix::fs::symlink("/dev/full", format!("{}/order", exchange.place.beside())).unwrap();
        }
        let (code, out) = run_by(&login, &swap(&exchange));
        assert_eq!(code, 3, "{what}: {out}");
        assert!(out.contains(what) && out.contains("nothing was changed"), "{what}: {out}");
        assert_eq!(std::fs::read_to_string(&exchange.file).unwrap(), "old", "{what}");
        assert_eq!(
            looked(&run(look(&exchange.place).script()).1, &exchange.place.program).unwrap().unwrap().state,
            None,
            "{what}"
        );
    }
}

#[test]
fn an_exchange_whose_mark_ran_out_is_not_begun() {
    let dir = tempfile::tempdir().unwrap();
    let exchange = exchange(&dir);
    assert_eq!(run(&folder(&exchange.place)).0, 0);
    let mark = std::fs::File::options().write(true).open(format!("{}/mark", exchange.place.beside())).unwrap();
    let theirs = |run_: &str| {
        let place = Place { run: run_.into(), ..exchange.place.clone() };
        looked(&run(look(&place).script()).1, &place.program).unwrap().unwrap()
    };
    assert_eq!(theirs("r2").others[0].stands, Stands::Marked);
    assert!(theirs("r1").marked.is_some_and(|age| age < 60));
    // As old as that, and from tomorrow: no clock makes a mark stand for ever.
    let now = mark.metadata().unwrap().modified().unwrap();
    for wrong in [-100_i64, 86_400] {
        let apart = std::time::Duration::from_secs(wrong.unsigned_abs());
        mark.set_modified(if wrong < 0 { now - apart } else { now + apart }).unwrap();
        assert_eq!(theirs("r2").others, [], "{wrong}");
        let (code, out) = run(&swap(&exchange));
        assert_eq!(code, 5, "{wrong}: {out}");
        assert_eq!(std::fs::read_to_string(&exchange.file).unwrap(), "old");
    }
}

/// A kubelet of two lines: no manifest, no process; another manifest, another process, which answers. It does so whatever the
/// login has set.
#[test]
fn a_new_process_that_answers_ends_an_exchange_and_the_copy_goes() {
    use std::io::{Read as _, Write as _};
    let dir = tempfile::tempdir().unwrap();
    let mut exchange = exchange(&dir);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    std::fs::write(format!("{}/.curlrc", dir.path().display()), "proxy = http://127.0.0.1:9\n").unwrap();
    let login = format!(
        "export HOME={0} CURL_HOME={0} http_proxy=http://127.0.0.1:9 GREP_OPTIONS=-v IFS=/ POSIXLY_CORRECT=1; umask 077; exec sh -s",
        dir.path().display()
    );
    std::fs::set_permissions(&exchange.file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    exchange.place.program = "breakglass-good-one".into();
    exchange.origin = "http://127.0.0.1".into();
    exchange.port = listener.local_addr().unwrap().port();
    (exchange.exit_secs, exchange.ready_secs) = (30, 30);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run_by(&login, &swap(&exchange)));
        let mut process = Some(Alive::start(&dir, &exchange.place.program));
        let (mut was, began) = ("old".to_owned(), std::time::Instant::now());
        while !running.is_finished() && began.elapsed().as_secs() < 60 {
            let text = std::fs::read_to_string(&exchange.file).unwrap_or_default();
            if text != was {
                process = None;
                if !text.is_empty() {
                    process = Some(Alive::start(&dir, &exchange.place.program));
                }
                was = text;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let (code, out) = running.join().unwrap();
        assert_eq!(code, 0, "{out}");
        assert!(process.is_some());
    });
    assert_eq!(std::fs::read_to_string(&exchange.file).unwrap(), "new");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&exchange.file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o644, "the manifest's own");
    let left: Vec<_> =
        std::fs::read_dir(exchange.place.beside()).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name != "out.yaml" && name != "mark"), "{left:?}");
}

/// A mount of the same file system keeps a manifest from being renamed just as another one does, and has its number.
#[test]
fn a_folder_that_nothing_can_be_renamed_into_is_refused_before_anything_is_taken_out() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for shell in ["sh", "bash", "busybox sh"] {
        for how in [
            "mount --bind {m} {m}",
            "mkdir {b}/m; mv {m}/api.yaml {b}/m; rmdir {m}; mount -t tmpfs none {b}/s; mv {b}/m/api.yaml {b}/s; ln -s {b}/s {m}",
        ] {
            let dir = tempfile::tempdir().unwrap();
            let exchange = exchange(&dir);
            let side = dir.path().join("s");
            std::fs::create_dir(&side).unwrap();
            let how = how.replace("{b}", dir.path().to_str().unwrap()).replace("{m}", &exchange.place.manifests);
            let login = format!(
                "exec unshare -m sh -c {}",
                quote(&format!("{how}; {shell} -s; code=$?; cat {}; exit $code", exchange.file))
            );
            let (code, out) = run_by(&login, &swap(&exchange));
            assert_eq!(code, 3, "{shell}, {how}: {out}");
            assert!(out.contains("nothing can be renamed between") && out.contains("nothing was changed"), "{out}");
            assert!(out.ends_with("old"), "{shell}, {how}: it was touched: {out}");
            assert_eq!(std::fs::read_dir(exchange.place.beside()).unwrap().count(), 2, "next.yaml and turn");
        }
    }
    // A link to a folder of the same file system is none of that.
    let dir = tempfile::tempdir().unwrap();
    let exchange = exchange(&dir);
    let real = dir.path().join("real");
    std::fs::rename(&exchange.place.manifests, &real).unwrap();
    std::os::unix::fs::symlink(&real, &exchange.place.manifests).unwrap();
    assert_eq!(run(&swap(&exchange)).0, 6, "it is tried, and nothing answers");
    assert_eq!(std::fs::read_to_string(&exchange.file).unwrap(), "old");
}

/// A link in the place of the manifest would be taken out, and what it leads to would not.
#[test]
fn a_link_is_refused_before_anything_is_taken_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut exchange = exchange(&dir);
    exchange.place.program = "kube-apiserver".into();
    let behind = format!("{}/.v2.yaml", exchange.place.manifests);
    let text = "kind: Pod\nspec:\n  containers:\n  - command: [kube-apiserver]\n";
    std::fs::write(&behind, text).unwrap();
    std::fs::remove_file(&exchange.file).unwrap();
    std::os::unix::fs::symlink(".v2.yaml", &exchange.file).unwrap();
    exchange.from = crate::change::sha256_hex(text.as_bytes());
    for script in [look(&exchange.place).into(), swap(&exchange)] {
        let (code, out) = run(&script);
        assert_eq!(code, 3, "{}: {out}", script.name);
        assert!(out.contains("is a symbolic link"), "{out}");
        assert_eq!(std::fs::read_to_string(&exchange.file).unwrap(), text);
    }
}

//! The scripts of an exchange, run by the machine's own sh.

use super::*;

fn place(dir: &str) -> Place {
    Place {
        manifests: format!("{dir}/manifests"),
        program: "kube-apiserver".into(),
        run: "r1".into(),
        tag: "room".into(),
    }
}

/// Runs a script's text with the machine's own sh.
fn run(script: &Script) -> (i32, String) {
    use std::io::Write as _;
    let mut child = std::process::Command::new("sh")
        .arg("-s")
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
    let one = seen(&run(&look(&place)).1, &place.program).unwrap();
    assert_eq!((one.files.len(), one.text.as_str()), (1, text));
    assert_eq!(one.others, [format!("{}/a-balancer.yaml", place.manifests)]);
    assert_eq!(one.sha256, crate::change::sha256_hex(text.as_bytes()));
    std::fs::write(format!("{}/api.yaml.bak", place.manifests), text).unwrap();
    assert_eq!(seen(&run(&look(&place)).1, &place.program).unwrap().files.len(), 2);
}

#[test]
fn the_program_is_found_however_its_word_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(dir.path().to_str().unwrap());
    std::fs::create_dir(&place.manifests).unwrap();
    let found = |text: &str| {
        std::fs::write(format!("{}/api.yaml", place.manifests), format!("kind: Pod\n{text}\n")).unwrap();
        let seen = seen(&run(&look(&place)).1, &place.program).unwrap();
        seen.files.len() + seen.others.len() == 1
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
    ] {
        assert!(found(text), "{text}");
    }
    for text in
        ["    # - kube-apiserver", "    # [kube-apiserver, x]", "    - kube-apiserver-x", "    - --for=kube-apiserver"]
    {
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
    let (code, out) = run(&look(&place("/nonexistent")));
    assert_eq!(code, 3);
    assert!(seen(&out, "x").unwrap_err().contains("/nonexistent/manifests"));
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
    let seen = seen(&run(&look(&exchange.place)).1, &exchange.place.program).unwrap();
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
    let program = format!("{}/breakglass-old-one", dir.path().display());
    std::os::unix::fs::symlink("/bin/sleep", &program).unwrap();
    let mut old = std::process::Command::new(&program).arg("60").spawn().unwrap();
    exchange.place.program = "breakglass-old-one".into();
    let (code, out) = run(&swap(&exchange));
    old.kill().unwrap();
    old.wait().unwrap();
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
    let program = format!("{}/breakglass-one-alive", dir.path().display());
    std::os::unix::fs::symlink("/bin/sleep", &program).unwrap();
    let mut alive = std::process::Command::new(&program).arg("60").spawn().unwrap();
    exchange.place.program = "breakglass-one-alive".into();
    let (code, out) = run(&swap(&exchange));
    alive.kill().unwrap();
    alive.wait().unwrap();
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("state=ready"), "{out}");
    assert_eq!(std::fs::read_to_string(&exchange.file).unwrap(), "old");
}

#[test]
fn a_runner_that_is_told_to_end_puts_the_manifest_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut exchange = exchange(&dir);
    let program = format!("{}/breakglass-slow-one", dir.path().display());
    std::os::unix::fs::symlink("/bin/sleep", &program).unwrap();
    let mut old = std::process::Command::new(&program).arg("60").spawn().unwrap();
    exchange.place.program = "breakglass-slow-one".into();
    exchange.exit_secs = 50;
    let out = format!("{}/out.yaml", exchange.place.beside());
    let state = format!("{}/state", exchange.place.beside());
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run(&swap(&exchange)));
        while !std::path::Path::new(&out).exists() && !running.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let text = std::fs::read_to_string(&state).unwrap();
        let pid = text.split_whitespace().nth(1).unwrap().to_owned();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let (code, out) = running.join().unwrap();
        assert_eq!(code, 7, "{out}");
        assert!(out.contains("unknown="), "{out}");
    });
    old.kill().unwrap();
    old.wait().unwrap();
    assert_eq!(std::fs::read_to_string(&exchange.file).unwrap(), "old");
    assert!(!std::path::Path::new(&out).exists());
}

//! Which process is the program itself, and which keeps an exchange.

use super::*;

/// What they are called by, and what they are told first; of those only who is the program itself counts.
#[test]
fn processes_are_told_by_the_program_that_they_run() {
    use std::os::unix::process::CommandExt as _;
    let program = format!("kube-forms{}", std::process::id());
    let short = program.trim_start_matches("kube-").to_owned();
    // `cat` waits for its standard input, whatever it is called and cannot find.
    let start = |words: &[&str]| {
        let mut command = std::process::Command::new("/bin/cat");
        command.arg0(words[0]).args(&words[1..]).arg("-").stdin(std::process::Stdio::piped());
        Alive(command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap())
    };
    for (words, counts) in [
        ("PROGRAM", true),
        ("/usr/local/bin/PROGRAM", true),
        ("kubernetes/PROGRAM|x", true),
        ("/hyperkube|SHORT", true),
        ("hyperkube|PROGRAM", true),
        ("/usr/bin/hyperkube|controller-manager|PROGRAM", false),
        ("/go-runner|/var/log/PROGRAM|PROGRAM", false),
        ("/sbin/tini|--|PROGRAM", false),
        ("/bin/sh|exec PROGRAM --x=1", false),
        ("tee|/var/log/PROGRAM", false),
        ("SHORT", false),
        ("PROGRAM-proxy", false),
    ] {
        let words = words.replace("PROGRAM", &program).replace("SHORT", &short);
        let one = start(&words.split('|').collect::<Vec<_>>());
        // Named by the name that it was started under as soon as the kernel has its words.
        let cmdline = format!("/proc/{}/cmdline", one.0.id());
        while !std::fs::read(&cmdline).unwrap_or_default().ends_with(b"-\0") {
            std::thread::yield_now();
        }
        let (code, out) = run(&Script::new("t", format!("{GENUINE}{LIB}processes {}", quote(&program))));
        assert_eq!((code, out.contains(&format!("\n{}:", one.0.id()))), (0, counts), "{words:?}: {out}");
    }
}

/// A process's words end with NUL each, and busybox's grep stops at the first.
#[test]
fn a_runner_that_lives_is_known_whatever_grep_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let tools = dir.path().join("tools");
    std::fs::create_dir(&tools).unwrap();
    for tool in ["grep", "tr", "cut", "sed", "cat"] {
        std::os::unix::fs::symlink("/bin/busybox", tools.join(tool)).unwrap();
    }
    let folder = dir.path().to_str().unwrap();
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", "read -r x; : \"$0\"", &format!("{folder}/runner")]).stdin(std::process::Stdio::piped());
    let one = Alive(command.spawn().unwrap());
    std::fs::write(dir.path().join("state"), format!("out {}\n", one.0.id())).unwrap();
    for path in [format!("{}:$PATH", tools.display()), "$PATH".to_owned()] {
        let script = format!("PATH={path}\n{LIB}\nsay is \"$(standing {})\"\n", quote(folder));
        let (code, out) = run(&Script::new("t", script));
        assert!(code == 0 && out.contains("is=out\n"), "{path}: {out}");
    }
    drop(one);
    let (_, out) = run(&Script::new("t", format!("{LIB}\nsay is \"$(standing {})\"\n", quote(folder))));
    assert!(out.contains("is=broken\n"), "{out}");
}

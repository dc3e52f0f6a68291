//! The test process moves into its own network, mount, process and name namespaces before the first test.
//!
//! So nothing that a test does can leave the machine or stay on it: there is no route out, and when the first process of
//! the namespaces ends, the kernel takes away every process, namespace, firewall rule and mount. The chain is
//!
//! ```text
//! test binary -> leash (dies with the test binary, becomes `unshare`) -> init (process 1) -> the tests
//! ```
//!
//! Each link is this same binary, told by a variable which one it is; each checks that against the kernel's word, so a
//! program started by a test is never taken for a link.

use std::{
    env, fs,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, anyhow};
use libtest_mimic::{Arguments, Failed, Trial};
use rustix::{
    mount::{MountFlags, mount},
    process::{Pid, Signal, WaitOptions, WaitStatus, getpid, getppid, set_parent_process_death_signal, wait},
};

use crate::{
    cgroup::{self, Janitor},
    command::exit_code,
    host_init,
    lab::WORK,
    machine,
    turn::{timed, told},
};

/// Which link of the chain this process is.
pub(crate) const ROLE: &str = "BREAKGLASS_TESTBED_ROLE";
/// Set by whoever wants a level that cannot run to fail the whole run.
const REQUIRE_ALL: &str = "BREAKGLASS_TESTS_REQUIRE_ALL";

/// The `main` of a test binary that uses the lab. Where the lab cannot run, every test is counted as skipped and the
/// reason is said once; with `BREAKGLASS_TESTS_REQUIRE_ALL` set that is a failure.
pub fn main(tests: Vec<Trial>) -> ExitCode {
    let arguments = Arguments::from_args();
    if arguments.list {
        return libtest_mimic::run(&arguments, tests).exit_code();
    }
    if !is_outside() {
        return run_isolated(move || libtest_mimic::run(&arguments, tests).exit_code());
    }
    let reasons = machine::lacks();
    if reasons.is_empty() {
        return concluded(isolate());
    }
    for reason in reasons {
        eprintln!("testbed: skipped: {reason}");
    }
    let skipped = tests.into_iter().map(|test| test.with_ignored_flag(true)).collect();
    let conclusion = libtest_mimic::run(&arguments, skipped);
    if env::var_os(REQUIRE_ALL).is_some() { ExitCode::FAILURE } else { conclusion.exit_code() }
}

/// One test of a binary whose `main` is [`main`]: a failure is shown with its whole chain of causes.
pub fn test(name: impl Into<String>, story: impl FnOnce() -> Result<()> + Send + 'static) -> Trial {
    let name = name.into();
    Trial::test(name.clone(), move || timed(&name, || told(story)).map_err(|error| Failed::from(format!("{error:?}"))))
}

/// Does this process's part when it is a link between the outermost process and the innermost; the first thing in a
/// `main` that looks at its arguments before [`run_isolated`].
pub fn play_role() -> Option<ExitCode> {
    Some(concluded(match role() {
        Role::Outside | Role::Inside => return None,
        Role::Leash(parent) => Err(leash(&parent)),
        Role::Init => init(),
        Role::Janitor(name) => cgroup::clean_after(&name),
        Role::Host(folder) => host_init::run(Path::new(&folder)),
    }))
}

/// Runs `body` in fresh namespaces, in a process of its own, and returns its exit code. Needs root and Linux.
pub fn run_isolated(body: impl FnOnce() -> ExitCode) -> ExitCode {
    play_role().unwrap_or_else(|| {
        if !is_outside() {
            return body();
        }
        let reasons = machine::lacks();
        concluded(if reasons.is_empty() { isolate() } else { Err(anyhow!("{}", reasons.join("\ntestbed: "))) })
    })
}

fn concluded(code: Result<i32>) -> ExitCode {
    match code {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        Err(error) => {
            eprintln!("testbed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether this process is still on the machine, with its network, and not in a lab.
pub fn is_outside() -> bool {
    matches!(role(), Role::Outside)
}

enum Role {
    Outside,
    Leash(String),
    Init,
    Inside,
    Host(String),
    Janitor(String),
}

fn role() -> Role {
    let role = env::var(ROLE).unwrap_or_default();
    // The leash and the janitor hand their role to nobody: what they start has another one.
    let (name, value) = role.split_once('=').unwrap_or((&role, ""));
    let first = getpid() == Pid::INIT;
    match name {
        "leash" => Role::Leash(value.to_owned()),
        "janitor" => Role::Janitor(value.to_owned()),
        "init" if first => Role::Init,
        "host" if first => Role::Host(value.to_owned()),
        "inside" if getppid() == Some(Pid::INIT) => Role::Inside,
        _ => Role::Outside,
    }
}

/// Starts the chain and waits for its end.
fn isolate() -> Result<i32> {
    let role = format!("leash={}", getpid().as_raw_nonzero());
    let janitor = Janitor::hire()?;
    let mut leash = Command::new(env::current_exe()?);
    leash.args(env::args_os().skip(1)).env(ROLE, role);
    janitor.introduce(&mut leash);
    let ended = leash.spawn()?.wait()?;
    janitor.wait()?;
    Ok(exit_code(ended))
}

/// Becomes `unshare`, tied to the life of the test binary: the death signal survives the exec, and `--kill-child` hands
/// it on to process 1 of the new namespaces.
fn leash(parent: &str) -> anyhow::Error {
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return error.into();
    }
    // If the parent died before the line above there is no signal left to come.
    if getppid().is_none_or(|now| now.as_raw_nonzero().to_string() != parent) {
        return anyhow!("the test process ended before its lab was made");
    }
    let binary = match env::current_exe() {
        Ok(binary) => binary,
        Err(error) => return error.into(),
    };
    let error = Command::new("unshare")
        .args(["--net", "--mount", "--pid", "--uts", "--fork", "--mount-proc", "--kill-child"])
        .arg(binary)
        .args(env::args_os().skip(1))
        .env(ROLE, "init")
        .exec();
    anyhow::Error::from(error).context("`unshare` could not be started")
}

/// Process 1 of the lab: a private `/run`, then the tests as a child, then nothing but collecting orphans.
fn init() -> Result<i32> {
    private_run().context("no private /run for the lab")?;
    let temporary = Path::new(WORK).join("tmp");
    fs::create_dir_all(&temporary)?;
    let mut tests = Command::new(env::current_exe()?);
    tests.args(env::args_os().skip(1)).env(ROLE, "inside").env("TMPDIR", temporary);
    // What would lead a test to the engineer's own clusters and keys.
    for variable in ["KUBECONFIG", "SSH_AUTH_SOCK", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"] {
        tests.env_remove(variable);
    }
    let child = tests.spawn()?;
    reap_until(Pid::from_child(&child))
}

/// A tmpfs hides the machine's `/run`: the names of `ip netns`, lock files of iptables and the work folder live there
/// and vanish with the mount namespace.
fn private_run() -> Result<()> {
    mount("tmpfs", "/run", "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, c"mode=755")?;
    for folder in ["/run/netns", "/run/sshd", "/run/lock", WORK] {
        fs::create_dir_all(folder)?;
    }
    Ok(())
}

/// Collects every child that ends until `main` does; returns its exit code.
pub(crate) fn reap_until(main: Pid) -> Result<i32> {
    loop {
        if let Some((ended, status)) = wait(WaitOptions::empty())?
            && ended == main
        {
            return Ok(code_of(status));
        }
    }
}

/// Collects children for ever: the rest of the life of a host's process 1.
pub(crate) fn reap_for_ever() -> ! {
    loop {
        if wait(WaitOptions::empty()).is_err() {
            // No child is left; the next one is an orphan that may come at any time.
            std::thread::park_timeout(std::time::Duration::from_millis(50));
        }
    }
}

fn code_of(status: WaitStatus) -> i32 {
    status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal)).unwrap_or(1)
}

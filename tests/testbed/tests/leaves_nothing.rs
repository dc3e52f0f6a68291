//! However a lab ends, nothing of it stays on the machine; and two labs know nothing of each other.

use std::{
    collections::BTreeSet,
    env, fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use testbed::{Lab, test};

/// Makes this binary be the lab that is killed instead of the tests.
const VICTIM: &str = "BREAKGLASS_TESTBED_VICTIM";

fn main() -> ExitCode {
    if env::var_os(VICTIM).is_some() {
        return testbed::run_isolated(victim);
    }
    testbed::main(vec![
        test("sigkill_of_the_test_process_leaves_nothing", || alone(|before| killed(before, "KILL"))),
        test("sigterm_of_the_test_process_leaves_nothing", || alone(|before| killed(before, "TERM"))),
        test("the_end_of_the_tests_leaves_nothing", || alone(ended)),
        test("the_exit_code_is_that_of_the_tests", || alone(exit_code)),
        test("two_labs_do_not_disturb_each_other", || alone(two_labs)),
        test("what_the_machine_lacks_is_said_before_anything_starts", || alone(lacking)),
    ])
}

/// Two hosts with the usual names, a rule, a process that has left its session, files, a control group: then it waits.
fn victim() -> ExitCode {
    let make = || -> Result<()> {
        let lab = Lab::shared()?;
        let hosts = lab.hosts(["cp1", "cp2"])?;
        hosts[0]
            .sh("nft add table inet left; setsid sleep 777 >/dev/null 2>&1 </dev/null & echo x >/etc/left")?
            .ok()?;
        let group = lab.cgroup("cpu", "cp1/left")?;
        let _sleep =
            hosts[1].spawn(&["sh", "-c", &format!("echo $$ >{}/cgroup.procs; sleep 778; true", group.display())])?;
        tempfile::NamedTempFile::new()?.keep()?;
        println!("ready {}", hosts[0].ip4());
        let mut line = String::new();
        std::io::stdin().read_line(&mut line)?;
        std::mem::forget(hosts);
        Ok(())
    };
    match make() {
        Ok(()) => ExitCode::from(7),
        Err(error) => {
            println!("failed: {error:?}");
            ExitCode::FAILURE
        }
    }
}

struct Victim {
    lab: Child,
    ready: String,
}

impl Victim {
    /// Another lab inside this test's own, so that whatever it leaves is seen and still can't harm the machine.
    fn start() -> Result<Self> {
        let mut lab =
            Command::new(env::current_exe()?).env(VICTIM, "1").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut ready = String::new();
        BufReader::new(lab.stdout.take().context("no stdout")?).read_line(&mut ready)?;
        if !ready.starts_with("ready") {
            bail!("the lab did not come up: {ready}");
        }
        Ok(Self { lab, ready })
    }
}

/// Everything that a lab could leave behind, as seen from around it.
#[derive(Debug, PartialEq, Eq)]
struct Traces {
    processes: BTreeSet<String>,
    namespaces: BTreeSet<String>,
    mounts: String,
    /// Those of `/run`, which the labs share here; the machine's disk is read-only to them.
    files: BTreeSet<String>,
    groups: BTreeSet<String>,
    rules: String,
}

fn traces() -> Result<Traces> {
    let (mut processes, mut namespaces) = (BTreeSet::new(), BTreeSet::new());
    for entry in fs::read_dir("/proc")?.flatten() {
        let pid = entry.file_name().to_string_lossy().into_owned();
        let state = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        if !pid.bytes().all(|byte| byte.is_ascii_digit()) || state.contains(") Z ") {
            continue;
        }
        processes.insert(pid);
        for kind in ["net", "mnt", "pid", "uts"] {
            let link = fs::read_link(entry.path().join("ns").join(kind));
            namespaces.extend(link.map(|link| link.display().to_string()));
        }
    }
    let list = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path().display().to_string()).collect()
    };
    let mut files = list("/run");
    files.extend(list("/run/netns"));
    files.extend(list(&env::temp_dir().to_string_lossy()));
    let mut groups = BTreeSet::new();
    for line in fs::read_to_string("/proc/self/mounts")?.lines().filter(|line| line.contains(" cgroup")) {
        let root = line.split(' ').nth(1).context("a mount without a place")?;
        let own = Path::new(root).join(Lab::shared()?.cgroup_name()?);
        groups.extend(list(&own.to_string_lossy()));
        groups.extend(list(root).into_iter().filter(|group| *group == own.to_string_lossy()));
    }
    let rules = Command::new("nft").args(["list", "ruleset"]).output()?.stdout;
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    Ok(Traces { processes, namespaces, mounts, files, groups, rules: String::from_utf8_lossy(&rules).into_owned() })
}

/// Compares until nothing is left; the kernel needs a moment to take namespaces apart.
fn expect_no_trace(before: &Traces) -> Result<()> {
    let started = Instant::now();
    loop {
        let now = traces()?;
        if now == *before {
            return Ok(());
        }
        if started.elapsed() > Duration::from_secs(60) {
            bail!("left behind; before: {before:#?}\nafter: {now:#?}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// One story at a time, for the traces are those of the whole process; and no trace of it for the next to stumble over.
fn alone(story: impl FnOnce(&Traces) -> Result<()>) -> Result<()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    Lab::shared()?.cgroup("cpu", "")?;
    let before = traces()?;
    story(&before)?;
    expect_no_trace(&before)
}

fn killed(before: &Traces, signal: &str) -> Result<()> {
    let Victim { mut lab, .. } = Victim::start()?;
    let during = traces()?;
    assert!(during.processes.len() >= before.processes.len() + 8, "the lab that is to be killed does not live");
    assert!(during.namespaces.len() >= before.namespaces.len() + 8);
    assert!(during.groups.len() > before.groups.len());
    let kill = Command::new("kill").args([&format!("-{signal}"), &lab.id().to_string()]).status()?;
    assert!(kill.success());
    // Held open beyond the wait, so that the lab can't have ended by itself for want of an input.
    let _held = lab.stdin.take();
    lab.wait()?;
    Ok(())
}

fn ended(before: &Traces) -> Result<()> {
    let Victim { mut lab, .. } = Victim::start()?;
    drop(lab.stdin.take());
    lab.wait()?;
    // Without waiting: an orderly end is over when the process is.
    let now = traces()?;
    assert_eq!(now.processes, before.processes);
    assert_eq!(now.groups, before.groups);
    Ok(())
}

fn exit_code(_: &Traces) -> Result<()> {
    let Victim { mut lab, .. } = Victim::start()?;
    drop(lab.stdin.take());
    assert_eq!(lab.wait()?.code(), Some(7));
    Ok(())
}

fn two_labs(_: &Traces) -> Result<()> {
    let (mut first, mut second) = (Victim::start()?, Victim::start()?);
    // The same names and the same addresses, each in its own world.
    assert_eq!(first.ready, second.ready);
    first.lab.kill()?;
    let _held = first.lab.stdin.take();
    first.lab.wait()?;
    drop(second.lab.stdin.take());
    assert_eq!(second.lab.wait()?.code(), Some(7), "the second lab fell with the first");
    Ok(())
}

fn lacking(_: &Traces) -> Result<()> {
    let run = |command: &mut Command| -> Result<(Option<i32>, String)> {
        let output = command.env("PATH", "/nonexistent").env_remove("BREAKGLASS_TESTS_REQUIRE_ALL").output()?;
        Ok((output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()))
    };
    let (code, said) = run(&mut Command::new(env::current_exe()?))?;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("testbed: skipped: `nft` is not on the PATH: apt-get install nftables"), "{said}");
    assert!(said.contains("0 passed; 0 failed; 6 ignored"), "{said}");
    let mut required = Command::new(env::current_exe()?);
    let output = required.env("PATH", "/nonexistent").env("BREAKGLASS_TESTS_REQUIRE_ALL", "1").output()?;
    assert!(!output.status.success(), "a skipped level passed where all are required");
    // Root without the right to make namespaces, as in most containers.
    let mut container = Command::new("setpriv");
    container.args(["--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]).arg(env::current_exe()?);
    let output = container.output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("skipped: root may not make namespaces here"), "{said}");
    assert!(said.contains("run the container with --privileged"), "{said}");
    // An ordinary user learns that root is needed, and nothing else is tried.
    let mut user = Command::new("setpriv");
    user.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(env::current_exe()?);
    let output = user.env("BREAKGLASS_TESTS_REQUIRE_ALL", "1").output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("needs root: run it again with sudo -E"), "{said}");
    Ok(())
}

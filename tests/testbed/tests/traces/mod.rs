//! What a lab could leave behind, and a lab to be ended on purpose.

use std::{
    collections::BTreeSet,
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use testbed::Lab;

/// Makes a binary be the lab that is killed instead of the tests.
const VICTIM: &str = "BREAKGLASS_TESTBED_VICTIM";

/// The life of the lab that is killed, in a binary that was started to be one: `make`, say so, wait.
pub(crate) fn victim<T>(make: impl FnOnce() -> Result<(String, T)>) -> Option<ExitCode> {
    env::var_os(VICTIM)?;
    Some(testbed::run_isolated(|| {
        let live = || -> Result<()> {
            let (said, made) = make()?;
            println!("ready {said}");
            std::io::stdin().read_line(&mut String::new())?;
            std::mem::forget(made);
            Ok(())
        };
        match live() {
            Ok(()) => ExitCode::from(7),
            Err(error) => {
                println!("failed: {error:?}");
                ExitCode::FAILURE
            }
        }
    }))
}

/// Another lab inside this test's own, so that whatever it leaves is seen and still can't harm the machine; and what it
/// said when it was up.
pub(crate) fn start_victim() -> Result<(Child, String)> {
    let mut lab =
        Command::new(env::current_exe()?).env(VICTIM, "1").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut ready = String::new();
    BufReader::new(lab.stdout.take().context("no stdout")?).read_line(&mut ready)?;
    if !ready.starts_with("ready") {
        bail!("the lab did not come up: {ready}");
    }
    Ok((lab, ready))
}

/// Everything that a lab could leave behind, as seen from around it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Traces {
    pub(crate) processes: BTreeSet<String>,
    namespaces: BTreeSet<String>,
    mounts: String,
    /// Those of `/run`, which the labs share here; the machine's disk is read-only to them.
    files: BTreeSet<String>,
    pub(crate) groups: BTreeSet<String>,
    rules: String,
}

impl Traces {
    /// What was not there before, and what is no longer there.
    fn difference(&self, now: &Self) -> String {
        let lines = |text: &String| text.lines().map(str::to_owned).collect::<BTreeSet<String>>();
        let mut said = String::new();
        for (what, before, after) in [
            ("processes", &self.processes, &now.processes),
            ("namespaces", &self.namespaces, &now.namespaces),
            ("mounts", &lines(&self.mounts), &lines(&now.mounts)),
            ("files", &self.files, &now.files),
            ("groups", &self.groups, &now.groups),
            ("rules", &lines(&self.rules), &lines(&now.rules)),
        ] {
            if before != after {
                let (left, gone): (Vec<_>, Vec<_>) =
                    (after.difference(before).collect(), before.difference(after).collect());
                said += &format!("{what} left behind: {left:?}, and gone: {gone:?}\n");
            }
        }
        said
    }
}

pub(crate) fn traces() -> Result<Traces> {
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
    for own in own_groups()? {
        groups.extend(list(&own.to_string_lossy()));
    }
    let rules = Command::new("nft").args(["list", "ruleset"]).output()?.stdout;
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    Ok(Traces { processes, namespaces, mounts, files, groups, rules: String::from_utf8_lossy(&rules).into_owned() })
}

/// This lab's own group in every hierarchy.
fn own_groups() -> Result<Vec<PathBuf>> {
    let (mounts, name) = (fs::read_to_string("/proc/self/mounts")?, Lab::shared()?.cgroup_name()?);
    let groups = mounts.lines().filter(|line| line.contains(" cgroup"));
    groups.map(|line| Ok(Path::new(line.split(' ').nth(1).context("a mount without a place")?).join(&name))).collect()
}

/// Compares until nothing is left; the kernel needs a moment to take namespaces apart.
pub(crate) fn expect_no_trace(before: &Traces) -> Result<()> {
    let started = Instant::now();
    loop {
        let now = traces()?;
        if now == *before {
            return Ok(());
        }
        if started.elapsed() > Duration::from_secs(60) {
            bail!("{}", before.difference(&now));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// One story at a time, for the traces are those of the whole process; and no trace of it for the next to stumble over.
pub(crate) fn alone(story: impl FnOnce(&Traces) -> Result<()>) -> Result<()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // The groups of the lab around, which a lab inside of it would make on its way to its own.
    for own in own_groups()? {
        fs::create_dir_all(own)?;
    }
    let before = traces()?;
    story(&before)?;
    expect_no_trace(&before)
}

pub(crate) fn killed(before: &Traces, signal: &str) -> Result<()> {
    let (mut lab, _) = start_victim()?;
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

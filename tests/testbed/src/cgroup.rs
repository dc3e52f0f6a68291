//! Control groups of the lab: the one thing that no namespace takes away, so a janitor outside of them does.

use std::{
    env, fs,
    io::{Read, stdin},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};

use crate::isolate::ROLE;

/// What a lab's groups weigh beside all else, six times as much as usual: a server in there whose processor time a test limits
/// shall get what that says. By version 1 of control groups and by version 2; each has one of the files.
const WEIGHT: [(&str, &str); 2] = [("cpu.shares", "6144"), ("cpu.weight", "600")];

/// Tells the processes inside which name they may use.
const NAME: &str = "BREAKGLASS_TESTBED_CGROUP";
/// How long the groups' last processes may take to be gone after the lab's end.
const LIMIT: Duration = Duration::from_secs(60);

/// The name of this lab's group at the top of every hierarchy of control groups, without a slash. Whatever makes groups
/// for the lab makes them below; what is elsewhere stays on the machine for ever.
pub(crate) fn name() -> Result<String> {
    env::var(NAME).context("this process is not isolated and has no control group")
}

/// The folder of one group of this lab, made if it was not there. `controller` (`cpu`, `memory`, …) picks the hierarchy
/// where there are several; in a unified one (cgroups v2) there is just one.
///
/// # Errors
/// If the kernel has no such controller.
pub(crate) fn group(controller: &str, path: &str) -> Result<PathBuf> {
    let hierarchies = hierarchies();
    let with = hierarchies.iter().find(|(_, options)| options.split(',').any(|option| option == controller));
    let unified = || hierarchies.iter().find(|(_, options)| options == UNIFIED);
    let (root, _) = with.or_else(unified).with_context(|| format!("no control groups for `{controller}` here"))?;
    let name = name()?;
    let group = root.join(&name).join(path);
    fs::create_dir_all(&group).with_context(|| format!("no control group at {}", group.display()))?;
    // Beside all else is the outermost lab's group, whatever a lab in a lab weighs in there.
    let outermost = root.join(name.split('/').next().unwrap_or(&name));
    for (file, weight) in WEIGHT {
        // One that weighs no more than others is enough where nobody else is busy.
        let _ = fs::write(outermost.join(file), weight);
    }
    Ok(group)
}

/// A process that outlives its maker by a few seconds, however that ends, and removes the lab's groups then.
pub(crate) struct Janitor {
    process: Child,
    name: String,
}

impl Janitor {
    pub(crate) fn hire() -> Result<Self> {
        let id = std::process::id();
        // A lab in a lab lives below the outer one's group, whose janitor survives them both.
        let name = match name() {
            Ok(outer) => format!("{outer}/lab-{id}"),
            Err(_) => format!("breakglass-lab-{id}-{:x}", SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos()),
        };
        // A group of processes of its own, so that a Ctrl-C for the tests is none for it.
        let mut janitor = Command::new(env::current_exe()?);
        janitor.env(ROLE, format!("janitor={name}")).stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
        Ok(Self { process: janitor.spawn()?, name })
    }

    /// Lets `command` and its descendants know the name.
    pub(crate) fn introduce(&self, command: &mut Command) {
        command.env(NAME, &self.name);
    }

    pub(crate) fn wait(mut self) -> Result<()> {
        drop(self.process.stdin.take());
        self.process.wait()?;
        Ok(())
    }
}

/// The janitor's whole life. Its standard input ends when the lab's outermost process does.
pub(crate) fn clean_after(name: &str) -> Result<i32> {
    stdin().read_to_end(&mut Vec::new())?;
    let started = Instant::now();
    for (root, _) in hierarchies() {
        let group = root.join(name);
        while group.exists() {
            remove(&group);
            if started.elapsed() > LIMIT {
                anyhow::bail!("the control group {} is still in use: remove it with rmdir", group.display());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(0)
}

fn remove(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    // Refused while a process is still ending in there; the caller tries again.
    let _ = fs::remove_dir(group);
}

const UNIFIED: &str = "unified";

/// The mount point of each hierarchy with its options, which name the controllers.
fn hierarchies() -> Vec<(PathBuf, String)> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let hierarchy = |line: &str| {
        let mut fields = line.split(' ').skip(1);
        let (place, kind, options) = (fields.next()?, fields.next()?, fields.next()?);
        match kind {
            "cgroup" => Some((PathBuf::from(place), options.to_owned())),
            "cgroup2" => Some((PathBuf::from(place), UNIFIED.to_owned())),
            _ => None,
        }
    };
    mounts.lines().filter_map(hierarchy).collect()
}

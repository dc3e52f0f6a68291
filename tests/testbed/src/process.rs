//! Processes as the kernel shows them in `/proc`, which from the lab includes those of every host.

use std::{collections::BTreeMap, fs, path::PathBuf};

use rustix::process::{Pid, Signal, kill_process};

/// One process of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id as the lab sees it: what [`Process::signal`] uses.
    pub pid: u32,
    /// Its id as the host itself sees it.
    pub pid_on_host: u32,
    pub parent: u32,
    pub argv: Vec<String>,
    /// The state letter of `ps`: `T` is stopped, `Z` is a zombie.
    pub state: char,
}

impl Process {
    /// The last part of the program's name: `/k/kube-apiserver` is `kube-apiserver`; `sshd: root@notty` is `sshd`.
    pub fn name(&self) -> &str {
        let first = self.argv.first().map_or("", String::as_str);
        let program = first.split([' ', ':']).next().unwrap_or(first);
        program.rsplit('/').next().unwrap_or(program)
    }

    /// Sends a signal; a process that is gone already is no error.
    pub fn signal(&self, signal: Signal) {
        signal_pid(self.pid, signal);
    }

    /// Whether it is `root`, or was started by it or by what `root` started.
    pub(crate) fn descends_from(&self, root: u32) -> bool {
        let (mut pid, mut parent) = (self.pid, self.parent);
        while pid != root && parent > 1 {
            let Some(above) = Self::read(parent) else { return false };
            (pid, parent) = (above.pid, above.parent);
        }
        pid == root
    }

    /// `None` when the process ended while it was read.
    pub(crate) fn read(pid: u32) -> Option<Self> {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let status = fs::read_to_string(folder.join("status")).ok()?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let argv = fs::read(folder.join("cmdline")).ok()?;
        let argv = String::from_utf8_lossy(&argv).trim_end_matches('\0').split('\0').map(str::to_owned).collect();
        Some(Self {
            pid,
            pid_on_host: field("NSpid:")?.split_whitespace().last()?.parse().ok()?,
            parent: field("PPid:")?.parse().ok()?,
            argv,
            state: field("State:")?.chars().next()?,
        })
    }
}

/// Every process id of the lab, the hosts' included.
pub(crate) fn pids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Kills `root` and all of its descendants. They are stopped first, so that none can start another meanwhile.
pub(crate) fn kill_tree(root: u32) {
    let mut tree = vec![root];
    signal_pid(root, Signal::STOP);
    loop {
        let parents: BTreeMap<u32, u32> =
            pids().into_iter().filter_map(|pid| Some((pid, Process::read(pid)?.parent))).collect();
        let known = tree.len();
        for (pid, parent) in parents {
            if tree.contains(&parent) && !tree.contains(&pid) {
                signal_pid(pid, Signal::STOP);
                tree.push(pid);
            }
        }
        if tree.len() == known {
            break;
        }
    }
    for pid in tree {
        signal_pid(pid, Signal::KILL);
    }
}

/// Sends a signal; a process that is gone already is no error.
pub(crate) fn signal_pid(pid: u32, signal: Signal) {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    // The only failure left to root is that the process has ended, which is what most callers want.
    let _ = kill_process(pid, signal);
}

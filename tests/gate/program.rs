//! The program with a kit and a state folder of its own.

use std::{
    fs,
    net::{Ipv6Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, ensure};
use breakglass::host::gate::{self, GateState};
use testbed::{Host, Kit, Lab, Output, Running};

pub(crate) const PORT: u16 = 6443;
/// More than any of this takes on two busy cores.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);

/// One engineer: a kit, a state folder.
pub(crate) struct Program {
    folder: PathBuf,
}

impl Program {
    /// With a kit of API hosts and of others.
    pub(crate) fn new(name: &str, api: &[Host], others: &[Host]) -> Result<Self> {
        let lab = Lab::shared()?;
        let folder = lab.folder(name)?;
        Kit::direct(api).and_nodes(others).write(lab, &folder.join("kit"), "east")?;
        Ok(Self { folder })
    }

    /// With a kit of many clusters.
    pub(crate) fn fleet(name: &str, clusters: &[&[Host]]) -> Result<Self> {
        let lab = Lab::shared()?;
        let folder = lab.folder(name)?;
        for (n, hosts) in clusters.iter().enumerate() {
            Kit::direct(hosts).write(lab, &folder.join("kit"), &format!("c{n}"))?;
        }
        Ok(Self { folder })
    }

    /// Changes the kit's file of the only cluster.
    pub(crate) fn edit_kit(&self, edit: impl Fn(&str) -> String) -> Result<()> {
        let path = self.folder.join("kit/east.yaml");
        let (before, after) = (fs::read_to_string(&path)?, edit(&fs::read_to_string(&path)?));
        ensure!(before != after, "nothing to change in {before}");
        Ok(fs::write(path, after)?)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass"));
        command.args(words).env_clear().env("HOME", &self.folder).env("PATH", "/usr/bin:/bin");
        command.env("BREAKGLASS_KIT", self.folder.join("kit")).env("BREAKGLASS_STATE", self.folder.join("state"));
        command
    }

    /// Starts a command.
    pub(crate) fn start(&self, words: &[&str]) -> Result<Running> {
        Running::start(&mut self.command(words), b"")
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Result<Output> {
        self.start(words)?.wait(LIMIT)
    }

    /// Lines of the only run's journal.
    pub(crate) fn journal_lines(&self) -> usize {
        journals(&self.folder.join("state/runs"))
            .iter()
            .filter_map(|path| fs::read(path).ok())
            .fold(0, |sum, bytes| sum + bytes.split(|byte| *byte == b'\n').count() - 1)
    }

    /// Forgets the runs.
    pub(crate) fn forget(&self) -> Result<()> {
        let state = self.folder.join("state");
        if state.exists() {
            fs::remove_dir_all(state)?;
        }
        Ok(())
    }
}

fn journals(runs: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(runs).into_iter().flatten().flatten();
    entries.map(|entry| entry.path().join("journal.jsonl")).filter(|path| path.exists()).collect()
}

/// Something that listens where an API server would.
pub(crate) fn listen(host: &Host) -> Result<()> {
    let listener = host.in_network(|| Ok(TcpListener::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT)))?))?;
    thread::spawn(move || {
        // Each is held until its client hangs up: a socket that the gate has to cut.
        let mut open = Vec::new();
        for stream in listener.incoming().flatten() {
            open.push(stream);
        }
    });
    Ok(())
}

/// What stands on a host, seen on the host itself.
pub(crate) fn status(host: &Host) -> Result<Option<GateState>> {
    let output = host.command_within(&["sh", "-s"], gate::status().script().text().as_bytes(), LIMIT)?;
    gate::status().read(&output.stdout).map_err(|why| anyhow!("no status in {output:?}: {why}"))
}

/// Looks again every 50 ms until `done`; how long that took.
pub(crate) fn until(limit: Duration, mut done: impl FnMut() -> Result<bool>) -> Result<Duration> {
    let started = Instant::now();
    while !done()? {
        ensure!(started.elapsed() < limit, "not so within {limit:?}");
        thread::sleep(Duration::from_millis(50));
    }
    Ok(started.elapsed())
}

//! The program as an engineer runs it, with a kit of API hosts and the host of all nodes.

use std::{path::PathBuf, process::Command};

use anyhow::{Result, anyhow};
use breakglass::host::gate;
use testbed::{Host, Kit, Lab, Running};

use crate::LONG;

/// One engineer: a kit, and folders for runs.
pub(crate) struct Engineer {
    folder: PathBuf,
}

impl Engineer {
    pub(crate) fn new(name: &str, credentials: &[PathBuf; 3], servers: &[Host], nodes: &Host) -> Result<Self> {
        let lab = Lab::shared()?;
        let folder = lab.folder(&format!("engineer-{name}"))?;
        Kit::direct(servers).and_nodes(std::slice::from_ref(nodes)).with_credentials(credentials).write(
            lab,
            &folder.join("kit"),
            "lab",
        )?;
        Ok(Self { folder })
    }

    /// Starts a command; its run is kept under `name`.
    pub(crate) fn start(&self, name: &str, words: &[&str]) -> Result<Running> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass"));
        command.args(words).env_clear().env("HOME", &self.folder).env("PATH", "/usr/bin:/bin").env("USER", "alice");
        command
            .env("BREAKGLASS_KIT", self.folder.join("kit"))
            .env("BREAKGLASS_STATE", self.folder.join("runs").join(name));
        Running::start(&mut command, b"")
    }

    /// Runs a command that has to succeed.
    pub(crate) fn run(&self, name: &str, words: &[&str]) -> Result<()> {
        self.start(name, words)?.wait(LONG)?.ok().map(|_| ())
    }
}

/// How many stages are through, seen on the host itself; `None` without a gate.
pub(crate) fn level(host: &Host) -> Result<Option<usize>> {
    let output = host.command_within(&["sh", "-s"], gate::status().script().text().as_bytes(), LONG)?;
    let state = gate::status().read(&output.stdout).map_err(|why| anyhow!("no status in {output:?}: {why}"))?;
    Ok(state.map(|state| state.level()))
}

//! kubectl and curl as an engineer would use them, each with its own time taken.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{Access, Output, Running, User, binaries};

/// How long a command may take unless its caller says otherwise.
const LIMIT: Duration = Duration::from_mins(1);

/// kubectl with one kubeconfig and a home of its own, whose discovery cache is cold at first and warm afterwards.
#[derive(Clone, Debug)]
pub struct Kubectl {
    kubeconfig: PathBuf,
    home: PathBuf,
}

impl Kubectl {
    /// kubectl with this kubeconfig, and a home of its own.
    pub fn new(kubeconfig: PathBuf, home: PathBuf) -> Self {
        Self { kubeconfig, home }
    }

    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Runs it from the operator's machine, for at most a minute.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        self.run_within(arguments, b"", LIMIT)
    }

    /// The same with an input and a limit.
    pub fn run_within(&self, arguments: &[&str], stdin: &[u8], limit: Duration) -> Result<Output> {
        Running::start(&mut self.command(arguments)?, stdin)?.wait(limit)
    }

    /// What `-o json` prints.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        let text = self.run(&[arguments, &["-o", "json"]].concat())?.ok()?;
        serde_json::from_str(&text).context(text)
    }

    /// Applies a manifest.
    pub fn apply(&self, manifest: &str) -> Result<()> {
        self.run_within(&["apply", "-f", "-"], manifest.as_bytes(), LIMIT)?.ok().map(|_| ())
    }

    /// A `Command` that its caller runs.
    pub fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(binaries::component("kubectl")?);
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(arguments);
        command.env("HOME", &self.home).env_remove("KUBECONFIG");
        Ok(command)
    }
}

/// curl with a user's certificate: the barest client there is, one new connection a request.
#[derive(Clone, Debug)]
pub struct Curl {
    arguments: Vec<String>,
}

impl Curl {
    pub fn new(access: &Access, user: User) -> Result<Self> {
        let [ca, cert, key] = access.credential_files(user)?.map(|path| path.display().to_string());
        Ok(Self {
            arguments: vec![
                "-sS".to_owned(),
                "--cacert".to_owned(),
                ca,
                "--cert".to_owned(),
                cert,
                "--key".to_owned(),
                key,
            ],
        })
    }

    /// GETs a URL; the exit code is curl's own: 7 refused, 28 timed out, 60 wrong certificate, 22 an HTTP error.
    pub fn get(&self, url: &str, limit: Duration) -> Result<Output> {
        self.run(&["-f", url], limit)
    }

    /// DELETEs a URL.
    pub fn delete(&self, url: &str, limit: Duration) -> Result<Output> {
        self.run(&["-f", "-X", "DELETE", url], limit)
    }

    fn run(&self, arguments: &[&str], limit: Duration) -> Result<Output> {
        let mut command = Command::new("curl");
        command.args(&self.arguments).args(["-m", &limit.as_secs_f32().to_string()]).args(arguments);
        Running::start(&mut command, b"")?.wait(limit * 2 + LIMIT)
    }
}

//! Child processes whose wait always ends, and which leave nobody behind.

use std::{
    fs::File,
    io::{Read, Seek, Write},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, pidfd_open},
};

use crate::process::kill_tree;

/// What a finished command said. `code` is 128 + N when signal N ended it, as a shell would say.
#[derive(Debug, Clone)]
pub struct Output {
    pub command: String,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Output {
    pub fn success(&self) -> bool {
        self.code == 0
    }

    /// The standard output of a command that had to succeed, without the last newline.
    ///
    /// # Errors
    /// If it did not: the command, its code and both of its outputs.
    pub fn ok(self) -> Result<String> {
        if self.success() {
            return Ok(self.stdout.trim_end_matches('\n').to_owned());
        }
        let Output { command, code, stdout, stderr, took } = self;
        bail!("`{command}` ended with {code} after {took:.1?}: {}{}", stdout.trim_end(), stderr.trim_end())
    }
}

/// A command that is still running: killed with all of its descendants when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    command: String,
    stdout: File,
    stderr: File,
    started: Instant,
}

impl Running {
    /// Starts `command`; its outputs go to nameless files, so nothing it leaves open can make a reader hang.
    pub fn start(command: &mut Command, stdin: &[u8]) -> Result<Self> {
        let text = readable(command);
        let nameless = || tempfile::tempfile().context("no nameless file for a command's output");
        let (mut input, stdout, stderr) = (nameless()?, nameless()?, nameless()?);
        input.write_all(stdin)?;
        input.rewind()?;
        command.stdin(Stdio::from(input)).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
        let child = command.spawn().with_context(|| format!("`{text}` could not be started"))?;
        Ok(Self { child, command: text, stdout, stderr, started: Instant::now() })
    }

    /// The process id as the lab sees it.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end for at most `limit`, then kills it.
    ///
    /// # Errors
    /// If the limit passed: the command, the limit and what it had said until then.
    pub fn wait(mut self, limit: Duration) -> Result<Output> {
        let ended = wait_for(&mut self.child, limit)?;
        if ended.is_none() {
            kill_tree(self.child.id());
            self.child.wait()?;
        }
        let (stdout, stderr) = (contents(&mut self.stdout)?, contents(&mut self.stderr)?);
        let Some(status) = ended else {
            bail!("`{}` did not end within {limit:?} and was killed: {stdout}{stderr}", self.command);
        };
        let took = self.started.elapsed();
        Ok(Output { command: self.command.clone(), code: exit_code(status), stdout, stderr, took })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.is_running() {
            kill_tree(self.child.id());
            // The wait takes the dead process out of the table; there is nobody to tell that it failed.
            let _ = self.child.wait();
        }
    }
}

/// Runs a program of this machine to its end; see [`Running::wait`].
pub(crate) fn run(command: &mut Command, stdin: &[u8], limit: Duration) -> Result<Output> {
    Running::start(command, stdin)?.wait(limit)
}

/// What a shell would give for the end of a child: its code, or 128 + N for signal N.
pub fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1)
}

fn wait_for(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    if let Some(status) = child.try_wait()? {
        return Ok(Some(status));
    }
    let end = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let until = Instant::now() + limit;
    loop {
        let left = Timespec::try_from(until.saturating_duration_since(Instant::now()))?;
        match poll(&mut [PollFd::new(&end, PollFlags::IN)], Some(&left)) {
            // A signal to this process: whoever handles it has done so by now.
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(child.try_wait()?),
        }
    }
}

fn contents(file: &mut File) -> Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn readable(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

//! One server process of a control plane on its host, with its log.

use std::{
    fs,
    path::PathBuf,
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::Signal;

use crate::{Host, Process, Running, binaries};

/// How often a wait looks again.
const LOOK: Duration = Duration::from_millis(100);
/// How many of its last lines a component's failure shows.
const TAIL: usize = 25;

/// A server that was started as a process; killed when dropped.
#[derive(Debug)]
pub struct Component {
    name: String,
    program: String,
    host: Host,
    running: Mutex<Running>,
}

impl Component {
    /// Starts `argv` on `host`; its first word names one of the programs of [`binaries`].
    pub(crate) fn start(host: &Host, argv: &[String]) -> Result<Self> {
        let name = argv.first().context("a component has a name")?;
        Self::start_program(host, name, &binaries::component(name)?.display().to_string(), &argv[1..])
    }

    /// The same for one that ends itself, as a controller does that has lost its lease: it is started again, as its
    /// kubelet would do. After [`Component::kill`] it stays dead.
    pub(crate) fn start_for_good(host: &Host, argv: &[String]) -> Result<Self> {
        let name = argv.first().context("a component has a name")?;
        let program = binaries::component(name)?.display().to_string();
        let killed = 128 + Signal::KILL.as_raw();
        let again = format!("until \"$@\"; [ $? = {killed} ]; do sleep 2; done");
        let words = ["-c".to_owned(), again, "sh".to_owned(), program].into_iter().chain(argv[1..].iter().cloned());
        Self::start_program(host, name, "sh", &words.collect::<Vec<_>>())
    }

    /// The same for another program than those.
    pub(crate) fn start_program(host: &Host, name: &str, program: &str, arguments: &[String]) -> Result<Self> {
        let running = spawn(host, name, program, arguments)?;
        let (name, program) = (name.to_owned(), program.to_owned());
        Ok(Self { name, program, host: host.clone(), running: Mutex::new(running) })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The server's process, for signals and for its id: of those of its name the one that was started here.
    ///
    /// # Errors
    /// If it has ended: with the tail of its log.
    pub fn process(&self) -> Result<Process> {
        let root = self.lock()?.id();
        let ours = |process: &Process| process.state != 'Z' && process.descends_from(root);
        let found = self.host.processes_named(&self.name)?.into_iter().find(ours);
        found.ok_or_else(|| anyhow!("{} has ended\n{}", self.title(), self.tail()))
    }

    /// Kills it and waits until it is gone.
    pub fn kill(&self) -> Result<()> {
        if let Ok(process) = self.process() {
            process.signal(Signal::KILL);
        }
        // `nsenter` stops itself when its child is stopped, and then would never see the child's end.
        if let Some(nsenter) = Process::read(self.lock()?.id()) {
            nsenter.signal(Signal::CONT);
        }
        let title = format!("the end of {}", self.title());
        wait_until(&title, Duration::from_secs(30), || Ok(!self.lock()?.is_running()))
    }

    /// Starts it again, with other arguments than before, after [`Component::kill`] or its own end.
    pub(crate) fn start_again(&self, arguments: &[String]) -> Result<()> {
        *self.lock()? = spawn(&self.host, &self.name, &self.program, arguments)?;
        Ok(())
    }

    pub fn log(&self) -> PathBuf {
        log_file(&self.host, &self.name)
    }

    /// The last lines of its log.
    pub fn tail(&self) -> String {
        let text = fs::read(self.log()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        format!("the end of {}:\n{tail}", self.log().display())
    }

    /// Waits until `ready` says so.
    ///
    /// # Errors
    /// If the limit passed or the process ended before: with the tail of its log.
    pub(crate) fn wait(&self, limit: Duration, mut ready: impl FnMut() -> Result<bool>) -> Result<()> {
        let waited = wait_until(&self.title(), limit, || {
            if !self.lock()?.is_running() {
                bail!("{} ended while it started", self.title());
            }
            ready()
        });
        waited.map_err(|error| anyhow!("{error:#}\n{}", self.tail()))
    }

    fn title(&self) -> String {
        format!("{} on {}", self.name, self.host.name())
    }

    fn lock(&self) -> Result<std::sync::MutexGuard<'_, Running>> {
        self.running.lock().map_err(|_| anyhow!("another user of {} panicked", self.title()))
    }
}

fn log_file(host: &Host, name: &str) -> PathBuf {
    host.dir().join("logs").join(format!("{name}.log"))
}

fn spawn(host: &Host, name: &str, program: &str, arguments: &[String]) -> Result<Running> {
    let log = log_file(host, name);
    fs::create_dir_all(log.parent().unwrap_or(host.dir()))?;
    let script =
        format!("mkdir -p {0}/tmp; export TMPDIR={0}/tmp; exec \"$@\" >>{1} 2>&1", host.dir().display(), log.display());
    let mut argv = vec!["sh", "-c", &script, "sh", program];
    argv.extend(arguments.iter().map(String::as_str));
    host.spawn(&argv)
}

/// Looks again and again until `done` says so; an error of `done` ends the wait at once.
///
/// # Errors
/// If `limit` passed: what was waited for, and how long.
pub fn wait_until(what: &str, limit: Duration, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let started = Instant::now();
    while !done()? {
        if started.elapsed() > limit {
            bail!("waited {limit:?} for {what}, in vain");
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// Does `step` again and again until it succeeds.
///
/// # Errors
/// If `limit` passed: what was waited for, how long, and how the last try failed.
pub(crate) fn wait_until_ok<T>(what: &str, limit: Duration, mut step: impl FnMut() -> Result<T>) -> Result<()> {
    let mut last = None;
    let waited = wait_until(what, limit, || {
        last = step().err();
        Ok(last.is_none())
    });
    waited.map_err(|error| anyhow!("{error:#}; the last try: {:#}", last.unwrap_or_else(|| anyhow!("none"))))
}

//! The test binaries, and one of them running in a group of processes of its own.
//!
//! ```text
//! suite -> leash -> test binary -> whatever it starts
//! ```
//!
//! The leash is this same program, and leads a session of its own. Its standard input ends when the suite does, by whatever
//! signal: then it kills its whole group, itself with it. When the test binary ends first, the suite kills what that left behind.

use std::{
    collections::HashMap,
    env,
    ffi::OsString,
    fmt,
    fs::{self, File},
    io::{self, Read as _, Seek as _, Write as _, stdin, stdout},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_current_process_group, kill_process_group, nice, setsid, waitid,
};
use serde_json::Value;

use crate::{
    LOOK,
    budget::{self, Needs},
    said::{self, Said},
};

/// The first argument of a leash.
pub(crate) const LEASH: &str = "--leash";
/// How nice a binary of integration tests is: it has three times the weight of whatever else runs on this machine. The program
/// and real servers have deadlines, and are tested for what they do in time; what merely computes can wait.
const HURRIED: i32 = -5;
/// The same for what ends last: three times as much again.
const IN_FRONT: i32 = -10;

/// One test binary of the workspace.
#[derive(Debug, Clone)]
pub(crate) struct Binary {
    /// `lib` (of breakglass), `testbed` (its library), the name of a file or folder of `tests`, or `bin/NAME`.
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    /// The folder of its package, where cargo would run it.
    pub(crate) folder: PathBuf,
    /// Its tests are of `tests`, and run the program, or much of it.
    integration: bool,
    /// They run in the testbed.
    pub(crate) real_parts: bool,
}

/// The test binaries that these arguments of cargo select, as it built them; without any, all of the workspace.
pub(crate) fn all(select: &[String]) -> Result<Vec<Binary>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["test", "--locked", "--no-run", "--message-format=json"]);
    if select.is_empty() {
        command.arg("--workspace")
    } else {
        command.args(select)
    };
    let output = command.output().context("no cargo")?;
    ensure!(output.status.success(), "cargo test --no-run: {}", String::from_utf8_lossy(&output.stderr));
    let mut all: Vec<Binary> = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        all.extend(Binary::of_message(line, |path| fs::read_to_string(path).unwrap_or_default()));
    }
    ensure!(!all.is_empty(), "cargo built no test binary");
    Ok(all)
}

impl Binary {
    /// The test binary that a line of cargo's messages tells of.
    fn of_message(line: &str, source: impl Fn(&Path) -> String) -> Option<Self> {
        let message: Value = serde_json::from_str(line).ok()?;
        if message["reason"] != "compiler-artifact" || message["profile"]["test"] != true {
            return None;
        }
        let program = PathBuf::from(message["executable"].as_str()?);
        let folder = Path::new(message["manifest_path"].as_str()?).parent()?.to_owned();
        let (kind, name) = (message["target"]["kind"][0].as_str()?, message["target"]["name"].as_str()?);
        let name = match kind {
            "test" => name.to_owned(),
            "lib" if name == "breakglass" => "lib".to_owned(),
            "lib" => name.to_owned(),
            "bin" => format!("bin/{name}"),
            _ => return None,
        };
        let integration = kind == "test";
        let real_parts =
            integration && source(Path::new(message["target"]["src_path"].as_str()?)).contains("testbed::");
        Some(Self { name, program, folder, integration, real_parts })
    }

    pub(crate) fn needs(&self) -> Needs {
        budget::needs(&self.name)
    }

    /// Whether storms beside it are held back.
    pub(crate) fn is_beside_storms(&self) -> bool {
        self.integration && !self.needs().last
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.folder).env("CARGO_MANIFEST_DIR", &self.folder);
        command
    }

    /// The names of its tests.
    pub(crate) fn tests(&self) -> Result<Vec<String>> {
        let output = self.command().arg("--list").output().with_context(|| self.name.clone())?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
    }

    #[cfg(test)]
    pub(crate) fn fake(name: &str) -> Self {
        let real_parts = name != "lib";
        Self { name: name.into(), program: "/bin/true".into(), folder: "/".into(), integration: real_parts, real_parts }
    }
}

/// A test binary on its leash.
#[derive(Debug)]
pub(crate) struct Running {
    binary: Binary,
    leash: Child,
    /// What it prints, with a position of our own in it.
    output: File,
    began: Instant,
    /// Bytes.
    peak: u64,
}

impl Running {
    /// Starts it: all of its tests, those whose names contain `filter`, or the one that has this name exactly.
    /// `whole` is whether it is part of a run of everything: then it tries as much as it can.
    pub(crate) fn start(binary: &Binary, filter: Option<&str>, exact: bool, whole: bool) -> Result<Self> {
        let (written, output) = file()?;
        let needs = binary.needs();
        let mut leash = binary.command();
        let program = std::mem::replace(&mut leash, Command::new(env::current_exe()?)).get_program().to_owned();
        leash.current_dir(&binary.folder).env("CARGO_MANIFEST_DIR", &binary.folder);
        let niceness = match binary.integration {
            true if needs.last => IN_FRONT,
            true => HURRIED,
            false => 0,
        };
        leash.arg(LEASH).arg(niceness.to_string()).arg(program);
        leash.args(filter);
        if exact {
            leash.arg("--exact");
        }
        if !binary.real_parts {
            // The harness of the standard library tells the time of each test only when asked in this way.
            leash.args(["-Zunstable-options", "--report-time"]).env("RUSTC_BOOTSTRAP", "1");
        }
        if let Some(threads) = needs.threads.filter(|_| binary.real_parts) {
            leash.arg(format!("--test-threads={threads}"));
        }
        if whole && binary.name == "lib" {
            leash.env("FUZZ_TIMES", "4");
        }
        leash.stdin(Stdio::piped()).stdout(written.try_clone()?).stderr(written);
        let leash = leash.spawn().with_context(|| format!("{} could not be started", binary.name))?;
        let began = Instant::now();
        Ok(Self { binary: binary.clone(), leash, output, began, peak: 0 })
    }

    pub(crate) fn binary(&self) -> &Binary {
        &self.binary
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&self) -> Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(Pid::from_child(&self.leash)), options)?.is_some())
    }

    /// Takes down what it has in memory now.
    pub(crate) fn sample(&mut self, processes: &Processes) {
        self.peak = self.peak.max(processes.memory_of_tree(self.leash.id()));
    }

    /// Prints what it has printed since.
    pub(crate) fn show_new(&mut self) -> Result<()> {
        let mut bytes = Vec::new();
        self.output.read_to_end(&mut bytes)?;
        stdout().write_all(&bytes)?;
        Ok(stdout().flush()?)
    }

    /// Waits for its end, and prints what it prints meanwhile if that is to be seen.
    pub(crate) fn wait(mut self, live: bool) -> Result<Ended> {
        while !self.has_ended()? {
            if live {
                self.show_new()?;
            }
            thread::sleep(LOOK);
        }
        self.finish(live)
    }

    /// What became of one that has ended; whatever it left behind is killed.
    pub(crate) fn finish(mut self, live: bool) -> Result<Ended> {
        let took = self.began.elapsed();
        if live {
            self.show_new()?;
        }
        // Not collected yet, so that its number, which is its group's, is nobody else's.
        let processor = processor_time(self.leash.id());
        let left = kill_process_group(Pid::from_child(&self.leash), Signal::KILL);
        let status = self.leash.wait()?;
        if let Err(error) = left
            && error != rustix::io::Errno::SRCH
        {
            bail!("what {} left behind could not be ended: {error}", self.binary.name);
        }
        let mut bytes = Vec::new();
        self.output.rewind()?;
        self.output.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (binary, code, peak) = (self.binary, testbed::exit_code(status), self.peak);
        Ok(Ended { said: said::read(&text), text, binary, code, took, processor, peak })
    }
}

/// A nameless file that one side writes and the other reads, each at its own place.
fn file() -> Result<(File, File)> {
    let file = tempfile::NamedTempFile::new().context("no file for what a test binary prints")?;
    Ok((file.reopen()?, file.reopen()?))
}

/// A test binary that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) binary: Binary,
    pub(crate) code: i32,
    pub(crate) text: String,
    pub(crate) said: Said,
    pub(crate) took: Duration,
    /// Processor time of it and of all that it started and waited for.
    pub(crate) processor: Duration,
    /// The most memory that it and its descendants were seen to use, in bytes; what several share counts for each.
    pub(crate) peak: u64,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (took, processor) = (self.took.as_secs_f64(), self.processor.as_secs_f64());
        let share = processor * 100.0 / took.max(0.001);
        write!(f, "{took:.0} s, {processor:.0} s of processor ({share:.0} %), {} MB", self.peak / 1_000_000)
    }
}

/// The whole life of a leash: how nice it is to others, a program, its arguments.
pub(crate) fn hold(words: &[OsString]) -> ExitCode {
    let [niceness, program, arguments @ ..] = words else { return ExitCode::from(2) };
    if let Err(error) = setsid() {
        eprintln!("no session of its own: {error}");
        return ExitCode::from(2);
    }
    be_nice(niceness.to_string_lossy().parse().unwrap_or_default());
    thread::spawn(|| {
        // Its end is what counts, however it comes.
        let _ = stdin().read_to_end(&mut Vec::new());
        let _ = kill_current_process_group(Signal::KILL);
    });
    match Command::new(program).args(arguments).stdin(Stdio::null()).status() {
        Ok(status) => ExitCode::from(u8::try_from(testbed::exit_code(status)).unwrap_or(1)),
        Err(error) => {
            eprintln!("{}: {error}", program.to_string_lossy());
            ExitCode::from(127)
        }
    }
}

/// To the rest of the machine; only root may hurry.
fn be_nice(niceness: i32) {
    let process = nice(niceness).map(drop).map_err(io::Error::from);
    // A kernel without it weighs processes, one with it their sessions.
    let session = match fs::write("/proc/self/autogroup", niceness.to_string()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        written => written,
    };
    if let (Err(error), true) = (process.and(session), niceness < 0) {
        eprintln!("tests/run: no more of the processors than others have: {error}");
    }
}

/// The fields of `/proc/PID/stat` after the program's name: the state is the first.
fn stat(process: &str) -> Option<Vec<u64>> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    Some(fields.split_whitespace().map(|field| field.parse().unwrap_or_default()).collect())
}

/// Of a process and of what it waited for.
fn processor_time(process: u32) -> Duration {
    let ticks: u64 = stat(&process.to_string()).map_or(0, |fields| fields.iter().skip(11).take(4).sum());
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// Every process of the machine at one moment: its pages in memory, and its children.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    pages: HashMap<u32, u64>,
    children: HashMap<u32, Vec<u32>>,
}

impl Processes {
    pub(crate) fn now() -> Self {
        let mut all = Self::default();
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        for number in entries.filter_map(|entry| entry.file_name().into_string().ok()?.parse::<u32>().ok()) {
            let Some(fields) = stat(&number.to_string()) else { continue };
            let parent = fields.get(1).and_then(|&parent| u32::try_from(parent).ok()).unwrap_or_default();
            all.pages.insert(number, fields.get(21).copied().unwrap_or_default());
            all.children.entry(parent).or_default().push(number);
        }
        all
    }

    /// Bytes that a process and all of its descendants have in memory; what several share counts for each.
    fn memory_of_tree(&self, root: u32) -> u64 {
        let (mut tree, mut pages) = (vec![root], 0);
        while let Some(process) = tree.pop() {
            pages += self.pages.get(&process).copied().unwrap_or_default();
            tree.extend(self.children.get(&process).into_iter().flatten());
        }
        pages * rustix::param::page_size() as u64
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;

    use super::*;

    fn message(kind: &str, name: &str, test: bool) -> String {
        serde_json::json!({
            "reason": "compiler-artifact", "manifest_path": "/w/Cargo.toml", "executable": format!("/t/{name}-1"),
            "target": {"kind": [kind], "name": name, "src_path": "/w/x.rs"}, "profile": {"test": test},
        })
        .to_string()
    }

    #[test]
    fn what_cargo_built_has_a_name_each() {
        let of = |kind, name, source: &'static str| {
            Binary::of_message(&message(kind, name, true), |_| source.to_owned())
                .map(|binary| (binary.name, binary.real_parts))
        };
        assert_eq!(of("lib", "breakglass", "testbed::"), Some(("lib".into(), false)));
        assert_eq!(of("lib", "testbed", ""), Some(("testbed".into(), false)));
        assert_eq!(of("bin", "enter", "testbed::"), Some(("bin/enter".into(), false)));
        assert_eq!(of("test", "enter", "use testbed::Lab;"), Some(("enter".into(), true)));
        assert_eq!(of("test", "sandbox", "fn x() {}"), Some(("sandbox".into(), false)));
        assert_eq!(of("bench", "gate", ""), None);
        assert!(Binary::of_message(&message("test", "x", false), |_| String::new()).is_none());
        assert!(Binary::of_message("   Compiling x", |_| String::new()).is_none());
    }

    /// Every `tests/run WORD` of the documents: a test binary, or a part of a test's name.
    #[test]
    fn the_documents_name_what_there_is() {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let is_there = |word: &str| {
            let files =
                [format!("tests/{word}/main.rs"), format!("tests/{word}.rs"), format!("tests/testbed/tests/{word}.rs")];
            let bin = word.strip_prefix("bin/").map(|name| format!("tests/testbed/src/bin/{name}"));
            ["lib", "testbed", "BINARY", "TEST"].contains(&word)
                || files.iter().chain(&bin).any(|file| top.join(file).exists())
                || sources(&top.join("tests")).iter().any(|text| text.contains(word))
        };
        let mut words = 0;
        for document in ["CONTRIBUTING.md", "README.md", "docs/testbed.md", "docs/figures.md", "docs/README.md"] {
            let text = fs::read_to_string(top.join(document)).unwrap();
            for word in text.split("tests/run ").skip(1) {
                let word: String = word.chars().take_while(|c| c.is_alphanumeric() || "_/".contains(*c)).collect();
                assert!(word.is_empty() || is_there(&word), "{document}: there is no test binary and no test `{word}`");
                words += 1;
            }
        }
        assert!(words > 15, "the documents name {words}");
    }

    /// The texts of all tests.
    fn sources(folder: &Path) -> Vec<String> {
        let mut texts = Vec::new();
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                texts.extend(sources(&path));
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                texts.extend(fs::read_to_string(path));
            }
        }
        texts
    }

    #[test]
    fn a_binary_ends_with_all_that_it_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script");
        fs::write(&script, "#!/bin/sh\nsleep 1000 & echo $!\necho 'test result: ok. 1 passed; 0 failed; 0 ignored'\n")
            .unwrap();
        Command::new("chmod").arg("+x").arg(&script).status().unwrap();
        let (written, output) = file().unwrap();
        let began = Instant::now();
        // As the suite starts it, without being its program here.
        let leash = Command::new("sh")
            .args(["-c", "\"$0\"; exit 3"])
            .arg(&script)
            .stdin(Stdio::piped())
            .stdout(written)
            .process_group(0)
            .spawn()
            .unwrap();
        let binary = Binary::fake("gate");
        let running = Running { binary, leash, output, began, peak: 0 };
        let ended = running.wait(false).unwrap();
        assert_eq!((ended.code, ended.said.passed), (3, 1));
        let left = ended.text.lines().next().unwrap().to_owned();
        let gone = || {
            stat(&left).is_none()
                || fs::read_to_string(format!("/proc/{left}/stat")).is_ok_and(|stat| stat.contains(") Z"))
        };
        testbed::wait_until("the end of what was left behind", Duration::from_secs(30), || Ok(gone())).unwrap();
    }
}

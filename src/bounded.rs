//! Reads that end: what a file or a program of this machine gives, up to a length.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

use crate::{descriptors, words};

/// A file, opened without waiting, and nothing else.
///
/// # Errors
/// When it cannot be opened, or is no file.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let regular = |about: &Metadata| if about.is_file() { Ok(()) } else { Err(io::Error::other("not a file")) };
    // A device may do something when it is opened.
    regular(&std::fs::metadata(path)?)?;
    let file = at_once(path)?;
    // The name may stand for something else by now.
    regular(&file.metadata()?)?;
    Ok(file)
}

/// Without waiting for whoever writes to a pipe.
fn at_once(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

/// A whole file, when it is a file and not too long.
///
/// # Errors
/// As [`open`], and when it is longer than `limit` bytes.
pub(crate) fn file(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    all(open(path)?, limit)
}

/// A whole file, or what comes out of a pipe (`<(…)`, `/dev/stdin`) within so long a time.
///
/// # Errors
/// When it cannot be opened, is longer than `limit` bytes, or its end did not come within that time.
pub(crate) fn file_or_pipe(path: &Path, limit: usize, within: Duration) -> io::Result<Vec<u8>> {
    let mut from = at_once(path)?;
    let end = Instant::now() + within;
    let mut bytes = Vec::new();
    let mut part = vec![0; 64 << 10];
    loop {
        // A file is always ready; a pipe is once something came, or its writers are gone.
        let left = end.saturating_duration_since(Instant::now());
        let left =
            Timespec { tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() };
        match rustix::event::poll(&mut [PollFd::new(&from, PollFlags::IN)], Some(&left)) {
            Ok(0) => return Err(late(within)),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        match from.read(&mut part) {
            Ok(0) => return Ok(bytes),
            Ok(count) => bytes.extend_from_slice(&part[..count]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
        if bytes.len() > limit {
            return Err(too_long(limit));
        }
        if Instant::now() >= end {
            return Err(late(within));
        }
    }
}

fn late(within: Duration) -> io::Error {
    let why = format!(
        "its end did not come within {}: it is a pipe or a device, and whoever writes to it is late",
        words::millis(within.as_millis().try_into().unwrap_or(u64::MAX))
    );
    io::Error::new(io::ErrorKind::TimedOut, why)
}

/// Everything from a reader, when it is not too long.
///
/// # Errors
/// When it cannot be read, or is longer than `limit` bytes.
pub(crate) fn all(from: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit { Err(too_long(limit)) } else { Ok(bytes) }
}

fn too_long(limit: usize) -> io::Error {
    io::Error::other(format!("longer than {}, the most that is read", words::bytes(limit as u64)))
}

/// Why there is no output.
#[derive(Debug)]
pub(crate) enum NoOutput {
    /// The program could not be run.
    NotRun(io::Error),
    /// It did not end in time and was killed.
    Late,
    /// It printed more than that on one stream and was killed.
    Long(usize),
}

/// Runs a program with nothing on its standard input; what it prints, at most so much on each stream.
///
/// # Errors
/// When it could not be run, did not end by `deadline`, or printed more than `limit` bytes on a stream.
pub(crate) async fn output(command: &mut Command, limit: usize, deadline: Instant) -> Result<Output, NoOutput> {
    output_heard(command, limit, deadline, &|_| {}).await
}

/// Hears a line as soon as it is there.
pub(crate) type Hear<'a> = &'a (dyn Fn(&str) + Sync);

/// The same, and what it says on standard error is heard as it comes: it may wait for a person who has to read it.
///
/// # Errors
/// As [`output`].
pub(crate) async fn output_heard(
    command: &mut Command,
    limit: usize,
    deadline: Instant,
    hear: Hear<'_>,
) -> Result<Output, NoOutput> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = descriptors::start(command).map_err(NoOutput::NotRun)?;
    let (out, err) = (stream(child.stdout.take(), limit), heard(child.stderr.take(), limit, hear));
    let ended = async { child.wait().await.map_err(NoOutput::NotRun) };
    match tokio::time::timeout_at(deadline.into(), async { tokio::try_join!(out, err, ended) }).await {
        Err(_) => Err(NoOutput::Late),
        Ok(result) => result.map(|(stdout, stderr, status)| Output { status, stdout, stderr }),
    }
}

async fn stream(from: Option<impl AsyncRead + Unpin>, limit: usize) -> Result<Vec<u8>, NoOutput> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        from.take(limit as u64 + 1).read_to_end(&mut bytes).await.map_err(NoOutput::NotRun)?;
    }
    if bytes.len() > limit { Err(NoOutput::Long(limit)) } else { Ok(bytes) }
}

/// What does not end in a line break is heard after this long: a question stands on an open line.
const OPEN_LINE: Duration = Duration::from_millis(300);

async fn heard(from: Option<impl AsyncRead + Unpin>, limit: usize, hear: Hear<'_>) -> Result<Vec<u8>, NoOutput> {
    let (mut bytes, mut said, mut part) = (Vec::new(), 0, [0; 4096]);
    let say = |line: &[u8]| match String::from_utf8_lossy(line).trim_end() {
        "" => {}
        line => hear(line),
    };
    let Some(mut from) = from else { return Ok(bytes) };
    loop {
        let patience = if said < bytes.len() { OPEN_LINE } else { Duration::MAX };
        let Ok(read) = tokio::time::timeout(patience, from.read(&mut part)).await else {
            say(&bytes[said..]);
            said = bytes.len();
            continue;
        };
        let read = read.map_err(NoOutput::NotRun)?;
        bytes.extend_from_slice(&part[..read]);
        while let Some(length) = bytes[said..].iter().position(|byte| *byte == b'\n') {
            say(&bytes[said..said + length]);
            said += length + 1;
        }
        if read == 0 || bytes.len() > limit {
            say(&bytes[said..]);
            return if read == 0 { Ok(bytes) } else { Err(NoOutput::Long(limit)) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit_and_a_device_not_at_all() {
        let five = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(five.path(), "12345").unwrap();
        assert_eq!(file(five.path(), 5).unwrap(), b"12345");
        let why = file(five.path(), 4).unwrap_err().to_string();
        assert_eq!(why, "longer than 4 B, the most that is read");
        assert_eq!(file(Path::new("/dev/zero"), 4).unwrap_err().to_string(), "not a file");
        assert_eq!(all(io::repeat(b'x'), 7).unwrap_err().to_string(), "longer than 7 B, the most that is read");
    }

    fn pipe(folder: &Path) -> std::path::PathBuf {
        let path = folder.join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }

    #[test]
    fn a_pipe_that_nobody_writes_to_is_waited_for_a_while_and_no_longer() {
        let folder = tempfile::tempdir().unwrap();
        let path = pipe(folder.path());
        assert_eq!(file(&path, 9).unwrap_err().to_string(), "not a file");
        let why = file_or_pipe(&path, 9, Duration::from_millis(30)).unwrap_err();
        assert_eq!(why.kind(), io::ErrorKind::TimedOut);
        assert!(why.to_string().starts_with("its end did not come within 30 ms"), "{why}");
        // One that is written to without an end in sight, and then one with an end.
        let long = Duration::from_secs(60);
        let write = |text: &'static str| {
            let path = path.clone();
            std::thread::spawn(move || std::fs::write(path, text))
        };
        let writer = write("123456789");
        assert_eq!(file_or_pipe(&path, 9, long).unwrap(), b"123456789");
        writer.join().unwrap().unwrap();
        let writer = write("1234567890");
        assert!(file_or_pipe(&path, 9, long).unwrap_err().to_string().starts_with("longer than 9 B"));
        let _ = writer.join().unwrap();
        for (device, said) in [("/dev/null", ""), ("/dev/zero", "longer than 9 B, the most that is read")] {
            let why =
                file_or_pipe(Path::new(device), 9, long).map_or_else(|error| error.to_string(), |_| String::new());
            assert_eq!(why, said, "{device}");
        }
    }

    /// The program's own text, by file, without what is only for tests.
    fn sources(folder: &Path, all: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.display().to_string();
            if path.is_dir() {
                sources(&path, all);
            } else if !["tests.rs", "_tests/", "fuzz.rs", "kills.rs", "rooms.rs", "/fake/", "/tests/", "/typed.rs"]
                .iter()
                .any(|part| name.contains(part))
            {
                let text = std::fs::read_to_string(&path).unwrap();
                let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
                all.push((name, text[..end].to_owned()));
            }
        }
    }

    /// Whoever reads reads through here, or has a bound in the same line.
    #[test]
    fn no_reader_goes_round_the_bounds() {
        let mut all = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
        assert!(all.len() > 100);
        let unbounded =
            ["fs::read(", "read_to_string(", "read_to_end(", "read_line(", ".lines().await", "to_bytes().await"];
        for (name, text) in all.iter().filter(|(name, _)| !name.ends_with("/bounded.rs")) {
            for line in text.lines().filter(|line| unbounded.iter().any(|word| line.contains(word))) {
                assert!(line.contains("take("), "{name}: {line}");
            }
            // Folders, to flush them.
            for line in text.lines().filter(|line| line.contains("File::open(")) {
                assert!(line.contains("sync_all"), "{name}: {line}");
            }
        }
    }

    async fn sh(line: &str, limit: usize, time: Duration) -> Result<Output, NoOutput> {
        output(descriptors::command("sh").args(["-c", line]), limit, Instant::now() + time).await
    }

    #[tokio::test]
    async fn a_program_is_heard_up_to_a_length_and_a_time() {
        let long = Duration::from_secs(120);
        let heard = sh("echo out; echo err >&2; exit 3", 4, long).await.unwrap();
        assert_eq!((heard.status.code(), &*heard.stdout, &*heard.stderr), (Some(3), &b"out\n"[..], &b"err\n"[..]));
        for endless in ["while :; do echo out; done", "while :; do echo err >&2; done", "echo 12345; sleep 600"] {
            assert!(matches!(sh(endless, 4, long).await, Err(NoOutput::Long(4))), "{endless}");
        }
        assert!(matches!(sh("sleep 600", 4, Duration::from_millis(20)).await, Err(NoOutput::Late)));
        let none = output(&mut descriptors::command("/no/such/program"), 4, Instant::now() + long).await;
        assert!(matches!(none, Err(NoOutput::NotRun(_))), "{none:?}");
    }

    #[tokio::test]
    async fn what_a_program_says_is_heard_while_it_waits() {
        let folder = tempfile::TempDir::new().unwrap();
        let go = folder.path().join("go");
        let heard = std::sync::Mutex::new(Vec::new());
        let hear = |line: &str| {
            heard.lock().unwrap().push(line.to_owned());
            // It goes on only when its question was heard, which ends in no line break.
            if line.ends_with('?') {
                std::fs::write(&go, "").unwrap();
            }
        };
        let line =
            "echo one >&2; printf 'two?' >&2; while [ ! -e \"$0\" ]; do sleep 0.01; done; echo three >&2; echo out";
        let mut command = descriptors::command("sh");
        let long = Instant::now() + Duration::from_secs(120);
        let output = output_heard(command.args(["-c", line]).arg(&go), 99, long, &hear).await.unwrap();
        assert_eq!((&*output.stdout, &*output.stderr), (&b"out\n"[..], &b"one\ntwo?three\n"[..]));
        assert_eq!(*heard.lock().unwrap(), ["one", "two?", "three"]);
    }
}

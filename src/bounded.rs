//! Reads that end: what a file or a program of this machine gives, up to a length.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

use crate::words;

/// A whole file, when it is a file and not too long.
pub fn file(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    // A pipe that nobody writes to would be waited for.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a file"));
    }
    all(File::open(path)?, limit)
}

/// Everything from a reader, when it is not too long.
pub fn all(from: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit { Err(too_long(limit)) } else { Ok(bytes) }
}

fn too_long(limit: usize) -> io::Error {
    io::Error::other(format!("longer than {}, the most that is read", words::bytes(limit as u64)))
}

/// Why there is no output.
#[derive(Debug)]
pub enum NoOutput {
    /// The program could not be run.
    NotRun(io::Error),
    /// It did not end in time and was killed.
    Late,
    /// It printed more than that on one stream and was killed.
    Long(usize),
}

/// Runs a program with nothing on its standard input; what it prints, at most so much on each stream.
pub async fn output(command: &mut Command, limit: usize, deadline: Instant) -> Result<Output, NoOutput> {
    output_heard(command, limit, deadline, &|_| {}).await
}

/// Hears a line as soon as it is there.
pub type Hear<'a> = &'a (dyn Fn(&str) + Sync);

/// The same, and what it says on standard error is heard as it comes: it may wait for a person who has to read it.
pub async fn output_heard(
    command: &mut Command,
    limit: usize,
    deadline: Instant,
    hear: Hear<'_>,
) -> Result<Output, NoOutput> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(NoOutput::NotRun)?;
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
    use crate::descriptors;

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

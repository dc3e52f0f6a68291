//! Commands on the operator's own machine.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;

/// Kept of each output stream; the rest is read and dropped.
const OUTPUT_LIMIT: u64 = 64 << 10;

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ran {
    /// By itself.
    Exited {
        /// Its status; 128 + the number when a signal ended it.
        status: i32,
        /// Standard output.
        stdout: String,
        /// Standard error.
        stderr: String,
    },
    /// It was killed, with all that it had started, when the time was used up.
    Killed,
    /// It was never started.
    NotStarted(String),
}

/// Runs a program without a shell and with nothing on its standard input.
pub async fn run(argv: &[String], limit: Duration) -> Ran {
    let Some((program, args)) = argv.split_first() else {
        return Ran::NotStarted("there is no program to run".into());
    };
    let mut command = crate::descriptors::command(program);
    // A group of its own, so that the end of the time ends its children too.
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    let mut child = match crate::descriptors::start(&mut command) {
        Ok(child) => child,
        Err(error) => return Ran::NotStarted(format!("{program}: {error}")),
    };
    let group = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
    let guard = KillGroup(group);
    let (out, err) = (read(child.stdout.take()), read(child.stderr.take()));
    let ended = timeout(limit, async { tokio::join!(child.wait(), out, err) }).await;
    match ended {
        Ok((Ok(status), stdout, stderr)) => {
            guard.spare();
            let status = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
            Ran::Exited { status, stdout, stderr }
        }
        Ok((Err(_), ..)) | Err(_) => Ran::Killed,
    }
}

/// Also when the caller stops waiting.
struct KillGroup(Option<rustix::process::Pid>);

impl KillGroup {
    fn spare(mut self) {
        self.0 = None;
    }
}

impl Drop for KillGroup {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

async fn read(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let mut kept = Vec::new();
    let _ = (&mut stream).take(OUTPUT_LIMIT).read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[tokio::test]
    async fn what_it_says_and_how_it_ends_come_back() {
        let ran = run(&argv(&["sh", "-c", "echo out; echo err >&2; exit 3"]), Duration::from_secs(20)).await;
        assert_eq!(ran, Ran::Exited { status: 3, stdout: "out\n".into(), stderr: "err\n".into() });
        let ran = run(&argv(&["sh", "-c", "kill -TERM $$"]), Duration::from_secs(20)).await;
        assert!(matches!(ran, Ran::Exited { status: 143, .. }), "{ran:?}");
        let ran = run(&argv(&["/no/such/program"]), Duration::from_secs(20)).await;
        assert!(matches!(ran, Ran::NotStarted(_)), "{ran:?}");
    }

    #[tokio::test]
    async fn the_end_of_the_time_ends_its_children_too() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("pid");
        let line = format!("sleep 600 & echo $! > {}; wait", mark.display());
        let ran = run(&argv(&["sh", "-c", &line]), Duration::from_millis(700)).await;
        assert_eq!(ran, Ran::Killed);
        let pid: i32 = std::fs::read_to_string(&mark).unwrap().trim().parse().unwrap();
        let gone = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        };
        let patience = std::time::Instant::now();
        while !gone() && patience.elapsed() < Duration::from_secs(10) {
            tokio::task::yield_now().await;
        }
        assert!(gone(), "the child lives on");
    }
}

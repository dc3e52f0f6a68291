//! How many files and connections this process may have open at once.
//!
//! A login's usual limit of 1024 is a few hundred hosts. What the system allows beyond it is ours to take; but not our
//! children's to inherit, since programs exist that walk through all the descriptors they may have.

use std::ffi::OsStr;
use std::io;
use std::sync::OnceLock;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};
use tokio::process::{Child, Command};

/// More than any run can use.
const ENOUGH: u64 = 1 << 16;

/// The limit that we were started with, where it was raised.
static BEFORE: OnceLock<Rlimit> = OnceLock::new();

/// Takes as many as the system allows. Done once, at the start of the program.
pub fn raise() {
    let before = getrlimit(Resource::Nofile);
    let wanted = before.maximum.map_or(ENOUGH, |most| most.min(ENOUGH));
    if before.current.is_none_or(|now| now >= wanted) {
        return;
    }
    // Where that is refused, what there is has to do: sessions queue for it.
    if setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..before }).is_ok() {
        let _ = BEFORE.set(before);
    }
}

/// How many more may be opened.
pub fn left() -> u64 {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(ENOUGH).min(ENOUGH);
    let open = std::fs::read_dir("/proc/self/fd").map_or(64, |all| all.count() as u64);
    limit.saturating_sub(open)
}

/// A program to be started by [`start`].
#[expect(clippy::disallowed_methods, reason = "the one place where children are made")]
pub fn command(program: impl AsRef<OsStr>) -> Command {
    Command::new(program)
}

/// Starts a program with the limit that we were started with.
///
/// It begins with ours, which is taken from it a moment later: what asks sooner may take some time over what is not there.
///
/// # Errors
/// When it cannot be started.
pub fn start(command: &mut Command) -> io::Result<Child> {
    #[expect(clippy::disallowed_methods, reason = "the one place where children are started")]
    let child = command.spawn()?;
    // Until it is waited for, its number is nobody else's.
    let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some((before, pid)) = BEFORE.get().zip(pid) {
        // One that has ended, or belongs to somebody else by now, needs no limit.
        let _ = prlimit(Some(pid), Resource::Nofile, *before);
    }
    Ok(child)
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn what_is_allowed_is_taken_and_children_get_what_was() {
        let first = getrlimit(Resource::Nofile);
        let (soft, most) = (Some(3000), first.maximum);
        assert!(most.is_none_or(|most| most > 3000), "this test needs a higher hard limit: {most:?}");
        setrlimit(Resource::Nofile, Rlimit { current: soft, ..first }).unwrap();
        raise();
        assert_eq!(getrlimit(Resource::Nofile).current, Some(most.map_or(ENOUGH, |most| most.min(ENOUGH))));
        assert!(left() > 2000, "{}", left());
        // It asks when it is told to: what it has from its first moment on is not promised.
        let mut child = command("sh");
        child.args(["-c", "read go; ulimit -n"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = start(&mut child).unwrap();
        child.stdin.take().unwrap().write_all(b"go\n").await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "3000");
    }
}

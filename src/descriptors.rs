//! How many files and connections this process may have open at once.
//!
//! A login's usual limit of 1024 is a few hundred hosts. What the system allows beyond it is ours to take; but not our
//! children's to inherit, since programs exist that walk through all the descriptors they may have.

use std::ffi::OsStr;
use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::process::Command;

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

/// A program to be started with the limit that we were started with.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    #[expect(clippy::disallowed_methods, reason = "the one place where children are made")]
    let mut command = Command::new(program);
    if let Some(before) = BEFORE.get().copied() {
        let give_back = move || setrlimit(Resource::Nofile, before).map_err(std::io::Error::from);
        // SAFETY: between fork and exec this makes one system call; it takes no lock and no memory.
        #[expect(unsafe_code, reason = "only there can a limit be set for the child alone")]
        unsafe {
            command.pre_exec(give_back);
        }
    }
    command
}

#[cfg(test)]
mod tests {
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
        let child = command("sh").args(["-c", "ulimit -n"]).output().await.unwrap();
        assert_eq!(String::from_utf8_lossy(&child.stdout).trim(), "3000");
    }
}

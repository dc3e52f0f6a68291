//! Files that decide whom we trust: whoever can write them decides it, too.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::shell::word;

/// Why a file or folder cannot be trusted: it is another user's, or others than its owner can write it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Open {
    path: PathBuf,
    why: Vec<String>,
    /// Commands that close it, each without the path.
    steps: Vec<String>,
}

impl Open {
    /// The command that closes it to others.
    pub fn close(&self) -> String {
        self.close_as(&word(&self.path.display().to_string()))
    }

    /// The same, with the path in other words.
    pub fn close_as(&self, path: &str) -> String {
        self.steps.iter().map(|step| format!("{step} {path}")).collect::<Vec<_>>().join(" && ")
    }
}

impl std::fmt::Display for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.path.display(), self.why.join(" and "))
    }
}

/// Why a file or folder cannot be trusted, if that is so.
///
/// The group counts as others, unless it is its owner's own, which by custom has the owner's number: with it, a umask of 002
/// leaves files that the group can write everywhere. In a folder with the sticky bit others cannot replace a file. Root's
/// files are trusted by everybody, and under sudo those of whoever typed it.
pub(crate) fn fault(path: &Path) -> Option<Open> {
    judged(path, Us::real())
}

/// Whose files are ours.
#[derive(Debug, Clone, Copy)]
struct Us {
    uid: u32,
    gid: u32,
    sudo: Option<u32>,
}

impl Us {
    #[expect(
        clippy::disallowed_methods,
        reason = "who started us is no setting, and the rooms below have no `Process`"
    )]
    fn real() -> Self {
        let uid = rustix::process::geteuid();
        let sudo = std::env::var("SUDO_UID").ok().filter(|_| uid.is_root()).and_then(|uid| uid.parse().ok());
        Self { uid: uid.as_raw(), gid: rustix::process::getegid().as_raw(), sudo }
    }

    fn own(self, uid: u32) -> bool {
        uid == 0 || uid == self.uid || Some(uid) == self.sudo
    }
}

fn judged(path: &Path, us: Us) -> Option<Open> {
    let meta = std::fs::metadata(path).ok()?;
    let (mut why, mut steps) = (Vec::new(), Vec::new());
    if !us.own(meta.uid()) {
        why.push(format!("belongs to user {}, who is neither you nor root", meta.uid()));
        let sudo = if us.uid == 0 { "" } else { "sudo " };
        steps.push(format!("{sudo}chown {}:{}", us.uid, us.gid));
    }
    if by_others(&meta) {
        why.push(format!("can be written by others: its mode is {:04o}", meta.mode() & 0o7777));
        steps.push("chmod go-w".to_owned());
    }
    (!why.is_empty()).then(|| Open { path: path.to_owned(), why, steps })
}

fn by_others(meta: &Metadata) -> bool {
    let mode = meta.mode();
    let group = mode & 0o020 != 0 && meta.gid() != meta.uid();
    (group || mode & 0o002 != 0) && !(meta.is_dir() && mode & 0o1000 != 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_others_can_write_is_told_with_the_way_out() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let fault_at = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
            fault(path)
        };
        let own_group = std::fs::metadata(&file).map(|meta| meta.uid() == meta.gid()).unwrap();
        for (mode, open) in [(0o600, false), (0o644, false), (0o664, !own_group), (0o646, true), (0o666, true)] {
            assert_eq!(fault_at(&file, mode).is_some(), open, "{mode:o}");
        }
        let open = fault_at(&file, 0o666).unwrap();
        let said = open.to_string();
        assert!(said.ends_with("file can be written by others: its mode is 0666"), "{said}");
        assert!(std::process::Command::new("sh").arg("-c").arg(open.close()).status().unwrap().success());
        assert_eq!(fault(&file), None);
        for (mode, open) in [(0o755, false), (0o777, true), (0o1777, false)] {
            assert_eq!(fault_at(folder.path(), mode).is_some(), open, "{mode:o}");
        }
        assert_eq!(fault(&folder.path().join("gone")), None);
    }

    /// Only root can give a file away: for others a stranger is who asks.
    #[test]
    fn what_belongs_to_another_user_is_told_with_the_way_out() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("a file");
        std::fs::write(&file, "").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
        let root = rustix::process::geteuid().is_root();
        if root {
            std::os::unix::fs::chown(&file, Some(4321), Some(4321)).unwrap();
        }
        let owner = std::fs::metadata(&file).unwrap().uid();
        let us = Us { uid: owner + 1, gid: owner + 2, sudo: None };
        let open = judged(&file, us).unwrap();
        let why = format!("file belongs to user {owner}, who is neither you nor root and can be written by others");
        assert!(open.to_string().contains(&why), "{open}");
        assert_eq!(open.close_as("x"), format!("sudo chown {}:{} x && chmod go-w x", owner + 1, owner + 2));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(judged(&file, us).is_some());
        for us in [Us { uid: owner, ..us }, Us { uid: 0, sudo: Some(owner), ..us }] {
            assert_eq!(judged(&file, us), None, "{us:?}");
        }
        if root {
            let open = judged(&file, Us { uid: 0, gid: 0, sudo: None }).unwrap();
            assert!(std::process::Command::new("sh").arg("-c").arg(open.close()).status().unwrap().success());
            assert_eq!(judged(&file, us), None);
        }
    }
}

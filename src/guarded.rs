//! Files that decide whom we trust: whoever can write them decides it, too.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Why a file or folder cannot be trusted, if that is so: others than its owner can write it.
///
/// The group counts as others, unless it is its owner's own, which by custom has the owner's number: with it, a umask of 002
/// leaves files that the group can write everywhere. In a folder with the sticky bit others cannot replace a file.
pub fn fault(path: &Path) -> Option<String> {
    let meta = std::fs::metadata(path).ok().filter(by_others)?;
    Some(format!("{} can be written by others: its mode is {:04o}", path.display(), meta.mode() & 0o7777))
}

/// The command that closes it to others.
pub fn chmod(path: &Path) -> String {
    format!("chmod go-w {}", path.display())
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
        let said = fault_at(&file, 0o666).unwrap();
        assert!(said.ends_with("file can be written by others: its mode is 0666"), "{said}");
        assert!(std::process::Command::new("sh").arg("-c").arg(chmod(&file)).status().unwrap().success());
        assert_eq!(fault(&file), None);
        for (mode, open) in [(0o755, false), (0o777, true), (0o1777, false)] {
            assert_eq!(fault_at(folder.path(), mode).is_some(), open, "{mode:o}");
        }
        assert_eq!(fault(&folder.path().join("gone")), None);
    }
}

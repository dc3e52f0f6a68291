//! Files of the kit, written so that a full disk leaves no half of one, and so that only their owner can read them.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Writes a file beside its place and renames it there.
///
/// # Errors
/// As the file system says.
pub(super) fn put(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(std::io::ErrorKind::InvalidInput.into());
    };
    let staged = folder.join(format!(".{}.new", name.to_string_lossy()));
    let _ = std::fs::remove_file(&staged);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&staged)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&staged, path)?;
    File::open(folder)?.sync_all()
}

/// A folder that only its owner can enter, with those above it.
///
/// # Errors
/// As the file system says.
pub(super) fn folder(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// What the text is called that was in the place of another before: `NAME~`, as editors do.
pub(super) fn before(path: &Path) -> PathBuf {
    let mut before = path.to_owned().into_os_string();
    before.push("~");
    before.into()
}

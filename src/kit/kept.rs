//! What is kept in peace of a cluster's hosts, beside the cluster's file: `NAME.kept/HOST.PROGRAM.yaml` is the text of the manifest
//! that a component was last seen to answer with; the one before it has a `~` at its end.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::{Cluster, put, read};
use crate::guarded;

/// A kept text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The text.
    pub text: String,
    /// The time of its file: when the component was last seen to answer with it, unless the kit was copied since.
    pub seen: Timestamp,
    /// Where it lies.
    pub path: PathBuf,
}

/// What became of a text that was to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// There was none yet.
    First,
    /// The same was there.
    Same,
    /// It takes the place of another one, which lies here now.
    Instead(PathBuf),
}

/// Where the text of a component of a host is kept; `None` for a cluster that is in no file of a kit.
pub fn path(cluster: &Cluster, host: &str, program: &str) -> Option<PathBuf> {
    cluster.kept.as_ref().map(|folder| folder.join(format!("{host}.{program}.yaml")))
}

/// The text that is kept, if one is.
///
/// # Errors
/// One that cannot be read, or that others than its owner could have written: whoever can, decides what runs on the host.
pub fn find(cluster: &Cluster, host: &str, program: &str) -> Result<Option<Kept>, String> {
    let Some(path) = path(cluster, host, program).filter(|path| path.exists()) else { return Ok(None) };
    for trusted in [path.parent(), Some(path.as_path())].into_iter().flatten() {
        if let Some(open) = guarded::fault(trusted) {
            return Err(format!("{open}: {}", open.close()));
        }
    }
    let cannot = |why: &dyn std::fmt::Display| format!("{} cannot be read: {why}", path.display());
    let modified = std::fs::metadata(&path).and_then(|meta| meta.modified()).map_err(|error| cannot(&error))?;
    let seen = Timestamp::try_from(modified).map_err(|error| cannot(&error))?;
    let bytes = read::read(&path).map_err(|error| cannot(&error))?;
    let text = read::text(bytes).map_err(|why| cannot(&why))?;
    Ok(Some(Kept { text, seen, path }))
}

/// Keeps a text.
///
/// # Errors
/// One sentence; what was kept before stays then. What [`find`] would refuse in the incident is refused here, in peace.
pub fn keep(path: &Path, text: &str) -> Result<Fate, String> {
    let folder = path.parent().unwrap_or(path);
    if let Some(open) = guarded::fault(folder) {
        return Err(format!("{open}: {}", open.close()));
    }
    let put = || -> std::io::Result<Fate> {
        put::folder(folder)?;
        let fate = match path.exists().then(|| read::read(path)).transpose()? {
            None => Fate::First,
            Some(old) if old == text.as_bytes() => Fate::Same,
            Some(old) => {
                let before = put::before(path);
                put::put(&before, &old)?;
                Fate::Instead(before)
            }
        };
        // The same is written anew, too: the file's time says when the component was last seen to answer with it.
        put::put(path, text.as_bytes())?;
        Ok(fate)
    };
    put().map_err(|error| format!("{} cannot be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::sample;
    use super::*;

    #[test]
    fn a_text_is_kept_closed_with_the_one_before_it_and_found_again() {
        let dir = tempfile::TempDir::new().unwrap();
        let mut cluster = sample::cluster("prod", 1);
        assert_eq!(find(&cluster, "cp1", "etcd"), Ok(None));
        cluster.kept = Some(dir.path().join("prod.kept"));
        assert_eq!(find(&cluster, "cp1", "etcd"), Ok(None));
        let path = path(&cluster, "cp1", "etcd").unwrap();
        assert_eq!(keep(&path, "a"), Ok(Fate::First));
        assert_eq!(keep(&path, "a"), Ok(Fate::Same));
        let before = dir.path().join("prod.kept/cp1.etcd.yaml~");
        assert_eq!(keep(&path, "b"), Ok(Fate::Instead(before.clone())));
        assert_eq!(std::fs::read_to_string(&before).unwrap(), "a");
        assert_eq!(find(&cluster, "cp1", "etcd").unwrap().unwrap().text, "b");
        assert_eq!(find(&cluster, "cp1", "kube-apiserver"), Ok(None));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(&path), mode(&before), mode(path.parent().unwrap())], [0o600, 0o600, 0o700]);
        // What others could have written does not run on a host.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o622)).unwrap();
        assert!(find(&cluster, "cp1", "etcd").unwrap_err().contains("chmod"));
        let folder = path.parent().unwrap();
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(keep(&path, "c").unwrap_err().contains("chmod"));
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        // A folder where a file should be: nothing is lost by it.
        let taken = dir.path().join("prod.kept/cp2.etcd.yaml");
        std::fs::create_dir(&taken).unwrap();
        assert!(keep(&taken, "a").unwrap_err().contains("cannot be written"));
    }
}

//! What the kernel grants each user: root runs all labs, so they share it.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Each kubelet, containerd and API server watches its files by several of these; 128 on most machines.
const INSTANCES: &str = "/proc/sys/fs/inotify/max_user_instances";
/// More than all labs together use.
const ENOUGH: u64 = 2048;

/// A limit that is raised until this is dropped. Without the right to raise it everything goes on with what there is.
#[derive(Debug)]
pub(crate) struct Raised {
    path: PathBuf,
    before: Option<u64>,
}

impl Raised {
    pub(crate) fn for_labs_side_by_side() -> Self {
        Self::to(Path::new(INSTANCES), ENOUGH)
    }

    fn to(path: &Path, enough: u64) -> Self {
        let known = fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
        let before = known.filter(|before| *before < enough && fs::write(path, enough.to_string()).is_ok());
        Self { path: path.to_owned(), before }
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            let _ = fs::write(&self.path, before.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_raised_and_put_back_and_one_that_is_enough_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("limit");
        for (before, meanwhile) in [("128\n", "2048"), ("4096\n", "4096\n"), ("none\n", "none\n")] {
            fs::write(&path, before).unwrap();
            let raised = Raised::to(&path, 2048);
            assert_eq!(fs::read_to_string(&path).unwrap(), meanwhile);
            drop(raised);
            assert_eq!(fs::read_to_string(&path).unwrap().trim(), before.trim());
        }
    }
}

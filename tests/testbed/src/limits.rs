//! Limits on what a server may use, by version 1 of control groups.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, ensure};

use crate::{Process, cgroup};

/// A share of the processors for some processes together. Lifted when dropped; the lab's janitor removes the group.
#[derive(Debug)]
pub struct CpuLimit {
    group: PathBuf,
}

impl CpuLimit {
    /// Gives `process` with all of its threads `percent` of one processor.
    ///
    /// # Errors
    /// On a machine without version 1 of the `cpu` control group.
    pub fn new(name: &str, process: &Process, percent: u32) -> Result<Self> {
        let group = cgroup::group("cpu", name)?;
        ensure!(
            group.join("cpu.cfs_quota_us").exists(),
            "{} has no cpu.cfs_quota_us: start the machine with systemd.unified_cgroup_hierarchy=0",
            group.display()
        );
        let limit = Self { group };
        limit.write("cpu.cfs_period_us", "100000")?;
        limit.set(percent)?;
        limit.write("cgroup.procs", &process.pid.to_string())?;
        Ok(limit)
    }

    /// Changes the share, as a bigger machine would.
    pub fn set(&self, percent: u32) -> Result<()> {
        self.write("cpu.cfs_quota_us", &(percent * 1000).to_string())
    }

    fn write(&self, file: &str, value: &str) -> Result<()> {
        let path = self.group.join(file);
        fs::write(&path, value).with_context(|| format!("write {value} to {}", path.display()))
    }
}

impl Drop for CpuLimit {
    fn drop(&mut self) {
        // Without a group there is nothing left to lift.
        let _ = self.write("cpu.cfs_quota_us", "-1");
    }
}

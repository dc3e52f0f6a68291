//! Limits on what a server may use, by version 1 of control groups.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

use crate::{Process, cgroup};

/// A share of a processor for each of some processes. Lifted when dropped; the lab's janitor removes the groups.
#[derive(Debug)]
pub struct CpuLimit {
    groups: Vec<PathBuf>,
}

impl CpuLimit {
    /// Gives `process` with all of its threads `percent` of one processor.
    ///
    /// # Errors
    /// On a machine without version 1 of the `cpu` control group.
    pub fn new(name: &str, process: &Process, percent: u32) -> Result<Self> {
        Self::for_each(name, std::slice::from_ref(process), percent)
    }

    /// The same for several processes: as much for each.
    ///
    /// # Errors
    /// On a machine without version 1 of the `cpu` control group.
    pub fn for_each(name: &str, processes: &[Process], percent: u32) -> Result<Self> {
        let mut limit = Self { groups: Vec::new() };
        for (number, process) in processes.iter().enumerate() {
            let group = cgroup::group("cpu", &format!("{name}-{number}"))?;
            ensure!(
                group.join("cpu.cfs_quota_us").exists(),
                "{} has no cpu.cfs_quota_us: start the machine with systemd.unified_cgroup_hierarchy=0",
                group.display()
            );
            write(&group, "cpu.cfs_period_us", "100000")?;
            limit.groups.push(group.clone());
            limit.set(percent)?;
            write(&group, "cgroup.procs", &process.pid.to_string())?;
        }
        Ok(limit)
    }

    /// Changes the share of each, as bigger machines would.
    pub fn set(&self, percent: u32) -> Result<()> {
        self.groups.iter().try_for_each(|group| write(group, "cpu.cfs_quota_us", &(percent * 1000).to_string()))
    }
}

fn write(group: &Path, file: &str, value: &str) -> Result<()> {
    let path = group.join(file);
    fs::write(&path, value).with_context(|| format!("write {value} to {}", path.display()))
}

impl Drop for CpuLimit {
    fn drop(&mut self) {
        for group in &self.groups {
            // Without a group there is nothing left to lift.
            let _ = write(group, "cpu.cfs_quota_us", "-1");
        }
    }
}

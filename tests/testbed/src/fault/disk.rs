//! Faults of a host's disk.

use std::ffi::CString;

use anyhow::Result;
use rustix::{
    fs::statvfs,
    mount::{MountFlags, mount_remount},
};

use super::Undo;
use crate::{
    host::{DISK, Host},
    host_init::OVERLAID,
};

/// Lays a read-only view over each folder. The mounts below stay writable for files that are open already, because a
/// real remount would be refused while any is.
pub(super) fn read_only(host: &Host) -> Result<Undo> {
    let folders = OVERLAID.join(" ");
    let own = host.dir().display();
    let undo = format!("for f in {folders}; do umount -l -R /$f; done; umount -l -R {own}");
    let inject = format!(
        "set -e; for f in {folders}; do mount --rbind /$f /$f; mount -o remount,bind,ro /$f; done; \
         mount -o remount,bind,ro /etc/kubernetes; mount --bind {own} {own}; mount -o remount,bind,ro {own}"
    );
    if let Err(error) = host.sh(&inject)?.ok() {
        let _ = host.sh(&undo);
        return Err(error);
    }
    let host = host.clone();
    Ok(Box::new(move || host.sh(&undo)?.ok().map(drop)))
}

/// Shrinks the disk to what is on it: the next page that somebody wants is refused.
pub(super) fn full(host: &Host) -> Result<Undo> {
    let host = host.clone();
    let disk = statvfs(host.dir())?;
    resize(&host, &((disk.f_blocks - disk.f_bfree) * disk.f_frsize).to_string())?;
    Ok(Box::new(move || resize(&host, DISK)))
}

fn resize(host: &Host, size: &str) -> Result<()> {
    let options = CString::new(format!("mode=755,size={size}"))?;
    mount_remount(host.dir(), MountFlags::empty(), options.as_c_str())?;
    Ok(())
}

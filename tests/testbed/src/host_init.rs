//! What process 1 of a host does: it furnishes the host's namespaces and collects orphans for ever.

use std::{ffi::CString, fs, io::Write, path::Path};

use anyhow::{Context, Result};
use rustix::{
    mount::{MountFlags, mount, mount_bind, mount_bind_recursive},
    system::sethostname,
};

use crate::{isolate::reap_for_ever, lab::WORK, net::ip_batch};

/// Folders of the machine that a host sees through an overlay: it reads the machine's files and writes its own.
pub(crate) const OVERLAID: &[&str] = &["etc", "home", "opt", "root", "tmp", "usr", "var"];

/// Never returns unless something failed. Speaks to the lab on stdout: its process id as the lab sees it, then `ready`.
pub(crate) fn run(folder: &Path) -> Result<i32> {
    // `/proc` is still the lab's here, so this link holds the id that the lab knows us by.
    let pid = fs::read_link("/proc/self")?;
    let name = folder.file_name().context("a host's folder has a name")?.to_string_lossy().into_owned();
    sethostname(name.as_bytes())?;
    mount("proc", "/proc", "proc", MountFlags::empty(), None)?;
    overlay(folder)?;
    own_run(folder)?;
    fs::create_dir_all("/etc/kubernetes")?;
    mount_bind(folder.join("kubernetes"), "/etc/kubernetes")?;
    ip_batch(&[], &fs::read_to_string(folder.join("network"))?)?;
    println!("{} ready", pid.display());
    std::io::stdout().flush()?;
    reap_for_ever()
}

fn overlay(folder: &Path) -> Result<()> {
    for name in OVERLAID.iter().filter(|name| Path::new("/").join(name).is_dir()) {
        let (upper, work) = (folder.join("upper").join(name), folder.join("work").join(name));
        fs::create_dir_all(&upper)?;
        fs::create_dir_all(&work)?;
        // The root of an overlay has the mode of its upper folder; `/tmp` and `/root` must keep theirs.
        let lower = Path::new("/").join(name);
        fs::set_permissions(&upper, fs::metadata(&lower)?.permissions())?;
        let options = format!("lowerdir={},upperdir={},workdir={}", lower.display(), upper.display(), work.display());
        mount("overlay", &lower, "overlay", MountFlags::empty(), CString::new(options)?.as_c_str())
            .with_context(|| format!("no overlay on /{name}"))?;
    }
    Ok(())
}

/// The host's own `/run`. Its folder of the lab's work folder stays in its place, because its own files are named there.
fn own_run(folder: &Path) -> Result<()> {
    let run = folder.join("run");
    for place in [folder.to_owned(), Path::new(WORK).join("shared")] {
        let inside = run.join(place.strip_prefix("/run")?);
        fs::create_dir_all(&inside)?;
        mount_bind(&place, &inside)?;
    }
    for name in ["sshd", "lock"] {
        fs::create_dir_all(run.join(name))?;
    }
    mount_bind_recursive(&run, "/run")?;
    Ok(())
}

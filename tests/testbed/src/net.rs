//! Work inside another network namespace, without starting a process there.

use std::{fs::File, os::fd::AsFd, path::Path, time::Duration};

use anyhow::{Context, Result, anyhow};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::command::run;
use std::process::Command;

/// Runs `work` on a thread of its own that has moved into the namespace at `namespace` first. Sockets that `work` makes,
/// and processes that it starts, stay there.
pub(crate) fn inside<T: Send>(namespace: &Path, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let namespace =
        File::open(namespace).with_context(|| format!("no network namespace at {}", namespace.display()))?;
    std::thread::scope(|scope| {
        scope
            .spawn(|| {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
                work()
            })
            .join()
            .map_err(|_| anyhow!("the thread in the network namespace panicked"))?
    })
}

/// Gives `ip` a list of commands, all in one process.
///
/// # Errors
/// The first command that failed, as `ip` names it; those after it were not tried.
pub(crate) fn ip_batch(options: &[&str], commands: &str) -> Result<()> {
    let mut ip = Command::new("ip");
    ip.args(options).args(["-batch", "-"]);
    run(&mut ip, commands.as_bytes(), Duration::from_secs(60))?.ok().context(commands.to_owned())?;
    Ok(())
}

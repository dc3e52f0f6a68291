//! What can be broken on a host. A fault ends when its guard is dropped, so a test can't leave a host broken for the next.

mod disk;
mod firewall;
mod link;
mod program;
mod sshd;

use std::time::Duration;

use anyhow::{Context, Result};

use crate::host::Host;

/// One way for a host to be broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Its wire is cut: packets vanish, in both directions.
    LinkDown,
    /// Of the packets in each direction, ARP included, this share in percent is lost at random.
    Loss { percent: u8 },
    /// Both directions of its wire carry this many kilobits a second.
    SlowLink { kbit: u32 },
    /// Port 22 accepts connections and never says a word.
    SilentSsh,
    /// sshd drops this share in percent of new connections at its `MaxStartups` limit, before its banner.
    MaxStartups { percent: u8 },
    /// sshd's side of each connection arrives byte by byte with this pause between two.
    TrickleSsh { pause: Duration },
    /// Every process of this program gets SIGSTOP: its sockets stay open and nobody answers.
    Stopped { program: String },
    /// Every process of this program gets SIGKILL. Dropping the guard does not start it again.
    Killed { program: String },
    /// Its file systems, `/etc/kubernetes` too, but not `/run`, refuse writes by whoever opens a file from now on.
    ReadOnly,
    /// Its disk is full: a write to any of its folders says "No space left on device".
    DiskFull,
    /// There is no `nft` on its PATH.
    NoNft,
    /// No `nft`, no iptables-nft: `iptables` is iptables-legacy, as on a host of some years ago.
    LegacyOnly,
}

impl Fault {
    /// Breaks the host until the guard is dropped.
    ///
    /// # Errors
    /// If it could not be done on this host; then nothing of it stays.
    pub fn inject(&self, host: &Host) -> Result<FaultGuard> {
        let undo = match self {
            Self::LinkDown => link::down(host),
            Self::Loss { percent } => link::loss(host, *percent),
            Self::SlowLink { kbit } => link::slow(host, *kbit),
            Self::SilentSsh => sshd::silent(host),
            Self::MaxStartups { percent } => sshd::max_startups(host, *percent),
            Self::TrickleSsh { pause } => sshd::trickle(host, *pause),
            Self::Stopped { program } => program::stop(host, program),
            Self::Killed { program } => program::kill(host, program),
            Self::ReadOnly => disk::read_only(host),
            Self::DiskFull => disk::full(host),
            Self::NoNft => firewall::hide_nft(host),
            Self::LegacyOnly => firewall::legacy_only(host),
        };
        let undo = undo.with_context(|| format!("{self:?} could not be injected on host {}", host.name()))?;
        Ok(FaultGuard { undo: Some(undo), what: format!("{self:?} on host {}", host.name()) })
    }
}

type Undo = Box<dyn FnOnce() -> Result<()> + Send>;

/// Mends the host when dropped.
#[must_use = "the fault ends when its guard is dropped"]
pub struct FaultGuard {
    undo: Option<Undo>,
    what: String,
}

impl FaultGuard {
    /// Mends the host now.
    ///
    /// # Errors
    /// If it stays broken; a drop could only print that.
    pub fn mend(mut self) -> Result<()> {
        let undo = self.undo.take();
        undo.map_or(Ok(()), |undo| undo()).with_context(|| format!("{} could not be mended", self.what))
    }
}

impl Drop for FaultGuard {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.undo.take().map(|undo| undo()) {
            eprintln!("testbed: {} could not be mended: {error:#}", self.what);
        }
    }
}

//! The operator's side of the lab: a bridge with no way out, the work folder, the keys, and the hosts that were asked for.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};

use crate::{
    cgroup,
    command::{Output, run},
    host::Host,
    net::ip_batch,
    probe::Probe,
    ssh::{Identity, Ssh},
};

/// The lab's work folder, on a tmpfs that vanishes with the namespaces.
pub(crate) const WORK: &str = "/run/testbed";
/// The operator's addresses: the tests and the program under test connect from these.
pub const OPERATOR_IP4: Ipv4Addr = Ipv4Addr::new(10, 90, 0, 1);
pub const OPERATOR_IP6: Ipv6Addr = Ipv6Addr::new(0xfd90, 0, 0, 0, 0, 0, 0, 1);
/// Of the bridge. One that is not told its address takes the lowest of its ports', so a new host could change it; what
/// another host sent at that moment went to the old one and was lost, and a connection hung for two minutes.
const OPERATOR_MAC: &str = "02:00:0a:5a:00:01";
/// How many hosts are furnished at once; more only makes each slower.
const BUILDERS: usize = 8;

/// The operator's machine and the network that the hosts hang on. One for each test binary: [`Lab::shared`].
#[derive(Debug)]
pub struct Lab {
    ssh: Ssh,
    names: Mutex<BTreeSet<String>>,
    next: AtomicU16,
}

impl Lab {
    /// The lab of this process, made by the first caller.
    ///
    /// # Errors
    /// If the process did not go through [`crate::main`] or [`crate::run_isolated`], or the bridge can't be made.
    pub fn shared() -> Result<&'static Self> {
        static LAB: OnceLock<Result<Lab, String>> = OnceLock::new();
        let lab = LAB.get_or_init(|| Lab::new().map_err(|error| format!("{error:#}")));
        lab.as_ref().map_err(|error| anyhow!("no lab: {error}"))
    }

    fn new() -> Result<Self> {
        ensure!(
            Path::new(WORK).is_dir(),
            "this process is not isolated: call testbed::main in a test with `harness = false`"
        );
        ip_batch(
            &[],
            &format!(
                "link set lo up\nlink add br0 address {OPERATOR_MAC} type bridge mcast_snooping 0\n\
                 addr add {OPERATOR_IP4}/16 dev br0\naddr add {OPERATOR_IP6}/64 dev br0 nodad\nlink set br0 up\n"
            ),
        )?;
        let shared = Path::new(WORK).join("shared");
        fs::create_dir_all(&shared)?;
        Ok(Self { ssh: Ssh::new(&shared)?, names: Mutex::default(), next: AtomicU16::new(0) })
    }

    /// One new host. It lives until the last clone of its handle is dropped.
    ///
    /// # Errors
    /// If the name is taken or is no host name, or the host did not come up; then with the tail of its log.
    pub fn host(&self, name: &str) -> Result<Host> {
        self.hosts([name])?.pop().context("one host was asked for")
    }

    /// Many new hosts, in the order of their names; made side by side, so this is the way to get hundreds.
    ///
    /// # Errors
    /// As for [`Lab::host`]; then none of them stays.
    pub fn hosts(&self, names: impl IntoIterator<Item = impl Into<String>>) -> Result<Vec<Host>> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let plots: Vec<Plot> = names.into_iter().map(|name| self.plot(name)).collect::<Result<_>>()?;
        let wires = plots.iter().fold(String::new(), |mut text, Plot { name, link, .. }| {
            let _ = writeln!(
                text,
                "netns add {name}\nlink add {link} type veth peer name eth0 netns {name}\nlink set {link} master br0 up"
            );
            text
        });
        ip_batch(&[], &wires)?;
        let hosts = self.build(&plots)?;
        self.ssh.add_hosts(&hosts)?;
        Ok(hosts)
    }

    /// The key that every host lets in as `root`, and as every user of [`Host::add_user`].
    pub fn identity(&self) -> &Identity {
        self.ssh.identity()
    }

    /// A second key that no host knows; hosts let it in because its certificate is signed by a CA they trust.
    pub fn certified_identity(&self) -> &Identity {
        self.ssh.certified_identity()
    }

    /// A key that no host lets in.
    pub fn stranger(&self) -> &Identity {
        self.ssh.stranger()
    }

    /// The public keys of all hosts made so far, by name and by both addresses.
    pub fn known_hosts(&self) -> &Path {
        self.ssh.known_hosts()
    }

    /// The same with hashed names, as `HashKnownHosts yes` writes them.
    pub fn hashed_known_hosts(&self) -> Result<PathBuf> {
        self.ssh.hashed_known_hosts()
    }

    /// For `ssh -F`: all hosts made so far by name, with identity and known hosts.
    pub fn ssh_config(&self) -> &Path {
        self.ssh.config()
    }

    /// The machine's own `ssh` with [`Lab::ssh_config`], for at most a minute: `lab.ssh(&["cp1", "hostname"])`.
    pub fn ssh(&self, words: &[&str]) -> Result<Output> {
        run(Command::new("ssh").arg("-F").arg(self.ssh_config()).args(words), b"", Duration::from_secs(60))
    }

    /// [`Lab::ssh_config`] with every host but `jump` behind `jump`.
    pub fn ssh_config_through(&self, jump: &Host) -> Result<PathBuf> {
        self.ssh.config_through(jump)
    }

    /// A folder of the operator's, new with each call, gone with the lab.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = Path::new(WORK).join("operator");
        fs::create_dir_all(&folder)?;
        let folder = tempfile::Builder::new().prefix(name).tempdir_in(folder)?;
        Ok(folder.keep())
    }

    /// The name of this lab's control group at the top of each hierarchy, without a slash. Only what is below is removed
    /// at the end.
    pub fn cgroup_name(&self) -> Result<String> {
        cgroup::name()
    }

    /// The folder of one control group, made if it was not there: `cgroup("cpu", "cp1/apiserver")`.
    ///
    /// # Errors
    /// If the kernel has no such controller.
    pub fn cgroup(&self, controller: &str, path: &str) -> Result<PathBuf> {
        cgroup::group(controller, path)
    }

    /// What a port answers when the operator connects to it.
    pub fn probe(&self, to: impl Into<IpAddr>, port: u16, limit: Duration) -> Result<Probe> {
        Probe::connect(SocketAddr::new(to.into(), port), limit)
    }

    fn plot(&self, name: String) -> Result<Plot> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        ensure!(!name.is_empty() && name.len() < 64 && name.chars().all(fits), "`{name}` is no host name");
        let mut names = self.names.lock().map_err(|_| anyhow!("another host's making panicked"))?;
        ensure!(names.insert(name.clone()), "there is a host `{name}` already: a name is given once in a lab");
        let number = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Plot { link: format!("v{number}"), name, number })
    }

    fn build(&self, plots: &[Plot]) -> Result<Vec<Host>> {
        let mut hosts: Vec<Option<Result<Host>>> = plots.iter().map(|_| None).collect();
        let share = plots.len().div_ceil(BUILDERS).max(1);
        std::thread::scope(|scope| {
            for (plots, hosts) in plots.chunks(share).zip(hosts.chunks_mut(share)) {
                scope.spawn(move || {
                    for (plot, host) in plots.iter().zip(hosts) {
                        *host = Some(Host::build(plot, &self.ssh).context(plot.name.clone()));
                    }
                });
            }
        });
        hosts.into_iter().map(|host| host.unwrap_or_else(|| Err(anyhow!("a builder panicked")))).collect()
    }
}

/// The name and the wire of a host that is about to be built.
#[derive(Debug, Clone)]
pub(crate) struct Plot {
    pub(crate) name: String,
    /// The operator's end of its veth pair.
    pub(crate) link: String,
    /// Counts from 1 and makes its addresses.
    pub(crate) number: u16,
}

impl Plot {
    pub(crate) fn ip4(&self) -> Ipv4Addr {
        let [high, low] = self.number.to_be_bytes();
        Ipv4Addr::new(10, 90, 1 + high, low)
    }

    pub(crate) fn ip6(&self) -> Ipv6Addr {
        Ipv6Addr::new(0xfd90, 0, 0, 0, 0, 0, 1, self.number)
    }
}

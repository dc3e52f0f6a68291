//! One host of the lab: what it is called, and what can be done on it and seen of it from outside.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use rustix::{
    mount::{MountFlags, UnmountFlags, mount, unmount},
    process::Signal,
};

use crate::{
    command::{Output, Running, run},
    isolate::ROLE,
    lab::{Plot, WORK},
    machine::find_program,
    net,
    probe::Probe,
    process::{Process, pids, signal_pid},
    ssh::{Ssh, make_key},
};

/// How long a command on a host may take unless its caller says otherwise.
const LIMIT: Duration = Duration::from_secs(60);
/// How long a host's sshd may take to listen; hundreds of hosts start at once on two cores.
const UP: Duration = Duration::from_secs(90);
/// Size of a host's disk: a tmpfs of its own, so that it can be full or read-only alone.
pub(crate) const DISK: &str = "4g";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A handle to one host; clones are the same host, and it ends with the last of them.
#[derive(Debug, Clone)]
pub struct Host(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    plot: Plot,
    folder: PathBuf,
    /// Process 1 of the host, as the lab sees it.
    init: u32,
    unshare: Mutex<Child>,
}

impl Host {
    pub(crate) fn build(plot: &Plot, ssh: &Ssh) -> Result<Self> {
        let folder = Path::new(WORK).join("hosts").join(&plot.name);
        furnish(plot, ssh, &folder)?;
        let (unshare, init) = start_init(plot, &folder)?;
        let host = Self(Arc::new(Inner { plot: plot.clone(), folder, init, unshare: Mutex::new(unshare) }));
        host.start_sshd(&[])?;
        Ok(host)
    }

    pub fn name(&self) -> &str {
        &self.0.plot.name
    }

    pub fn ip4(&self) -> Ipv4Addr {
        self.0.plot.ip4()
    }

    pub fn ip6(&self) -> Ipv6Addr {
        self.0.plot.ip6()
    }

    /// The operator's end of the host's wire: what the bridge calls it.
    pub fn link(&self) -> &str {
        &self.0.plot.link
    }

    /// The host's disk: the same path on the host and outside it. What components keep belongs in here.
    pub fn dir(&self) -> &Path {
        &self.0.folder
    }

    /// The host's `/etc/kubernetes`, as seen from outside; a watch on either side sees writes of the other.
    pub fn etc_kubernetes(&self) -> PathBuf {
        self.0.folder.join("kubernetes")
    }

    /// The path of the network namespace, for tools that want one.
    pub fn netns(&self) -> PathBuf {
        Path::new("/run/netns").join(self.name())
    }

    /// Process 1 of the host, as the lab sees it: what `nsenter -t` wants.
    pub fn init_pid(&self) -> u32 {
        self.0.init
    }

    /// The public key of its sshd: type and base64.
    pub fn host_key(&self) -> Result<String> {
        let text = fs::read_to_string(self.0.folder.join("host_key.pub"))?;
        Ok(text.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
    }

    /// Runs a shell script on the host as root, without ssh, for at most a minute.
    ///
    /// # Errors
    /// If it could not run or did not end; a code other than 0 is in the output, see [`Output::ok`].
    pub fn sh(&self, script: &str) -> Result<Output> {
        self.command(&["sh", "-c", script])
    }

    /// Runs a program on the host as root, without ssh, for at most a minute.
    pub fn command(&self, argv: &[&str]) -> Result<Output> {
        self.command_within(argv, b"", LIMIT)
    }

    /// The same with an input and a limit.
    pub fn command_within(&self, argv: &[&str], stdin: &[u8], limit: Duration) -> Result<Output> {
        run(&mut self.enter(argv), stdin, limit).with_context(|| format!("on host {}", self.name()))
    }

    /// Starts a program on the host that goes on running; dropping the handle kills it with all of its children.
    pub fn spawn(&self, argv: &[&str]) -> Result<Running> {
        Running::start(&mut self.enter(argv), b"").with_context(|| format!("on host {}", self.name()))
    }

    /// A `Command` that runs `argv` on the host, for callers who set its environment, outputs and end themselves.
    pub fn enter(&self, argv: &[&str]) -> Command {
        let mut nsenter = Command::new("nsenter");
        nsenter.args(["-t", &self.0.init.to_string(), "--net", "--mount", "--uts", "--pid", "--"]).args(argv);
        nsenter.env_clear().env("PATH", PATH).env("HOME", "/root").env("USER", "root").env("LANG", "C.UTF-8");
        nsenter
    }

    /// Runs Rust code on a thread in the host's network namespace: sockets made in it are the host's.
    pub fn in_network<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        net::inside(&self.netns(), work)
    }

    /// What a port answers when this host connects to it.
    pub fn probe(&self, to: impl Into<IpAddr>, port: u16, limit: Duration) -> Result<Probe> {
        let to = SocketAddr::new(to.into(), port);
        self.in_network(|| Probe::connect(to, limit))
    }

    /// Every process of the host, its process 1 and zombies included.
    pub fn processes(&self) -> Result<Vec<Process>> {
        let namespace = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let own = namespace(self.0.init).with_context(|| format!("host {} has ended", self.name()))?;
        Ok(pids().into_iter().filter(|pid| namespace(*pid).as_ref() == Some(&own)).filter_map(Process::read).collect())
    }

    /// Its processes whose program has this name; see [`Process::name`].
    pub fn processes_named(&self, name: &str) -> Result<Vec<Process>> {
        Ok(self.processes()?.into_iter().filter(|process| process.name() == name).collect())
    }

    /// Makes a user whom the lab's identity logs in as; `sudo` lets it become root without a password.
    pub fn add_user(&self, name: &str, sudo: bool) -> Result<()> {
        // `*` is a password that never matches; `!`, the default, makes sshd take the account for locked.
        self.command(&["useradd", "--create-home", "--shell", "/bin/sh", "--password", "*", name])?.ok()?;
        if sudo {
            let rule = format!("printf '{name} ALL=(ALL) NOPASSWD: ALL\\n' >/etc/sudoers.d/{name}");
            self.sh(&format!("umask 227; {rule}"))?.ok()?;
        }
        Ok(())
    }

    /// Ends the listening sshd; sessions go on.
    pub fn stop_sshd(&self) -> Result<()> {
        let pid = fs::read_to_string(self.0.folder.join("sshd.pid"))?;
        let listener = self.processes()?.into_iter().find(|process| process.pid_on_host.to_string() == pid.trim());
        let listener = listener.context("no sshd is listening")?;
        listener.signal(Signal::TERM);
        let started = Instant::now();
        while Process::read(listener.pid).is_some_and(|process| process.state != 'Z') {
            if started.elapsed() > UP {
                bail!("sshd of {} did not end within {UP:?} of SIGTERM", self.name());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Starts sshd with the host's configuration; `options` (`Name=value`) win over it.
    pub fn start_sshd(&self, options: &[&str]) -> Result<()> {
        // sshd starts itself again for each connection, so it insists on its full path.
        let sshd = find_program("sshd").context("`sshd` is not on the PATH")?.display().to_string();
        let folder = self.0.folder.display();
        let (config, log) = (format!("{folder}/sshd_config"), format!("{folder}/sshd.log"));
        let pid_file = format!("{folder}/sshd.pid");
        // Its log is an open file and not `-E`, which each connection would open anew: that fails on a read-only disk.
        // The pid file is the last thing that it writes before it serves.
        let start = r#"rm -f "$1"; log=$2; shift 2; setsid "$@" >>"$log" 2>&1 </dev/null &"#;
        let mut argv = vec!["sh", "-c", start, "sh", &pid_file, &log, &sshd, "-D", "-e", "-f", &config];
        argv.extend(options.iter().flat_map(|option| ["-o", option]));
        // Not in the file, whose `MaxStartups` would win over an option.
        if !options.iter().any(|option| option.starts_with("MaxStartups=")) {
            argv.extend(["-o", "MaxStartups=100:30:200"]);
        }
        self.command(&argv)?.ok()?;
        let started = Instant::now();
        while !fs::read_to_string(&pid_file).is_ok_and(|pid| pid.ends_with('\n')) {
            if started.elapsed() > UP {
                bail!("sshd did not come up within {UP:?}: {}", fs::read_to_string(log).unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Waits until something on the host accepts connections at `port` of its loopback.
    pub fn wait_for_port(&self, port: u16, limit: Duration) -> Result<()> {
        let started = Instant::now();
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        self.in_network(|| {
            while Probe::connect(to, limit)? != Probe::Open {
                if started.elapsed() > limit {
                    bail!("nothing listened at port {port} of {} within {limit:?}", self.name());
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // All of this is tidiness while the lab goes on; at its end the kernel takes everything away anyway.
        signal_pid(self.init, Signal::KILL);
        if let Ok(mut unshare) = self.unshare.lock() {
            let _ = unshare.wait();
        }
        let netns = Path::new("/run/netns").join(&self.plot.name);
        let _ = unmount(&netns, UnmountFlags::DETACH);
        let _ = fs::remove_file(netns);
        let _ = unmount(&self.folder, UnmountFlags::DETACH);
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Puts the host's disk, host key and configuration in place.
fn furnish(plot: &Plot, ssh: &Ssh, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let options = std::ffi::CString::new(format!("mode=755,size={DISK}"))?;
    mount("tmpfs", folder, "tmpfs", MountFlags::empty(), options.as_c_str()).context("no tmpfs for the host's disk")?;
    for name in ["kubernetes", "run", "upper/etc"] {
        fs::create_dir_all(folder.join(name))?;
    }
    let Plot { name, .. } = plot;
    let (ip4, ip6) = (plot.ip4(), plot.ip6());
    make_key(&folder.join("host_key"), name)?;
    fs::write(folder.join("sshd_config"), ssh.sshd_config(folder))?;
    let hosts = format!("127.0.0.1 localhost\n::1 localhost\n{ip4} {name}\n{ip6} {name}\n");
    fs::write(folder.join("upper/etc/hosts"), hosts)?;
    fs::write(folder.join("upper/etc/hostname"), format!("{name}\n"))?;
    // The machine's owner may have a shell that takes half a second to start; each command over ssh would wait for it.
    fs::create_dir_all(folder.join("upper/root"))?;
    fs::write(folder.join("upper/root/.bashrc"), "")?;
    let network =
        format!("link set lo up\naddr add {ip4}/16 dev eth0\naddr add {ip6}/64 dev eth0 nodad\nlink set eth0 up\n");
    fs::write(folder.join("network"), network)?;
    Ok(())
}

/// Starts process 1 in the host's namespaces and reads from it the id that the lab knows it by.
fn start_init(plot: &Plot, folder: &Path) -> Result<(Child, u32)> {
    let binary = std::env::current_exe()?;
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--uts", "--pid", "--fork", "--kill-child"]).arg(binary);
    unshare.env_clear().env("PATH", PATH).env(ROLE, format!("host={}", folder.display()));
    // A log and not the terminal, also because `unshare` complains when its child is killed, as every host's is.
    let log = folder.join("init.log");
    unshare.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(fs::File::create(&log)?);
    let mut child = net::inside(&Path::new("/run/netns").join(&plot.name), || Ok(unshare.spawn()?))?;
    let stdout = child.stdout.take().ok_or_else(|| anyhow!("no pipe from process 1"))?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let Some(pid) = line.strip_suffix(" ready\n") else {
        let _ = child.wait();
        bail!("its process 1 ended before it was ready: {}", fs::read_to_string(log).unwrap_or_default());
    };
    Ok((child, pid.parse()?))
}

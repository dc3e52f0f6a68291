//! What the lab needs of the machine: found out before anything is started.

use std::{env, fs, path::PathBuf, process::Command, time::Duration};

use rustix::process::geteuid;

use crate::command::run;

/// Programs the lab starts, each with the Debian package that brings it.
const TOOLS: &[(&str, &str)] = &[
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("ip", "iproute2"),
    ("tc", "iproute2"),
    ("ss", "iproute2"),
    ("nft", "nftables"),
    ("iptables-legacy", "iptables"),
    ("iptables-nft", "iptables"),
    ("ipset", "ipset"),
    ("sshd", "openssh-server"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("sudo", "sudo"),
    ("useradd", "passwd"),
    ("curl", "curl"),
    ("haproxy", "haproxy"),
    ("containerd", "containerd"),
    ("ctr", "containerd"),
    ("runc", "runc"),
    ("busybox", "busybox-static"),
];

/// Features of the kernel that the lab uses: a command in fresh namespaces that shows each, and what to do without it.
const FEATURES: &[(&str, &str)] = &[
    // First, because it hides the machine's folder where the trials after it leave lock files.
    ("mount -n -t tmpfs tmpfs /run", "no tmpfs: it is in every kernel, look into the limits of your container"),
    ("ip link add b0 type bridge", "no bridges: modprobe bridge"),
    ("ip link add v0 type veth peer name v1", "no veth pairs: modprobe veth"),
    ("ip link set lo up && ip addr add fd90::1/128 dev lo", "no IPv6: boot without ipv6.disable=1"),
    ("nft add table inet t", "no nftables: modprobe nf_tables"),
    ("iptables-legacy -n -L", "no legacy iptables: modprobe iptable_filter"),
    ("ip6tables-legacy -n -L", "no legacy ip6tables: modprobe ip6table_filter"),
    ("ipset create s hash:ip timeout 1", "no ipset: modprobe ip_set_hash_ip"),
];

/// One sentence for each thing that the lab needs and this machine lacks, with how to get it.
pub(crate) fn lacks() -> Vec<String> {
    if !cfg!(target_os = "linux") {
        return vec!["the lab is made of Linux namespaces: run it on Linux".to_owned()];
    }
    if !geteuid().is_root() {
        return vec!["the lab makes network namespaces and needs root: run it again with sudo -E".to_owned()];
    }
    let tools: Vec<_> = TOOLS
        .iter()
        .filter(|(tool, _)| find_program(tool).is_none())
        .map(|(tool, package)| format!("`{tool}` is not on the PATH: apt-get install {package}"))
        .collect();
    if tools.is_empty() { lacking_features() } else { tools }
}

/// The full path of a program on the PATH.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Tries each feature in namespaces that are gone when the trial is over.
fn lacking_features() -> Vec<String> {
    let mut lacking = Vec::new();
    if !fs::read_to_string("/proc/filesystems").unwrap_or_default().contains("\toverlay\n") {
        lacking.push("this kernel has no overlay file system: modprobe overlay".to_owned());
    }
    let trials = FEATURES.iter().map(|(trial, advice)| format!("{{ {trial}; }} >/dev/null 2>&1 || echo '{advice}'\n"));
    let mut unshare = Command::new("unshare");
    unshare.args(["--net", "--mount", "--pid", "--uts", "--fork", "--mount-proc", "sh", "-c"]);
    match run(unshare.arg(trials.collect::<String>()), b"", Duration::from_secs(30)) {
        Ok(tried) if tried.success() => {
            lacking.extend(tried.stdout.lines().map(|advice| format!("this kernel has {advice}")));
        }
        Ok(tried) => lacking.push(format!(
            "root may not make namespaces here ({}): run the container with --privileged",
            tried.stderr.trim_end()
        )),
        Err(error) => lacking.push(format!("{error:#}")),
    }
    lacking
}

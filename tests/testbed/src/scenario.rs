//! The scenarios that a person can walk into; `tests/testbed/enter --list` prints this table.

use std::{any::Any, fs, os::unix::fs::symlink, path::Path, path::PathBuf, process::Command};

use anyhow::{Context, Result};
use rustix::mount::mount_bind;

use crate::{
    binaries,
    fault::Fault,
    host::Host,
    kit::Kit,
    lab::Lab,
    machine::find_program,
    storm::{STORM, STORM_APF, STORM_MASTERS, STORM_UNBOUND},
};

mod clusters;

/// One line of the table.
pub struct Scenario {
    pub name: &'static str,
    /// What is there, in one sentence.
    pub about: &'static str,
    /// Runs before the isolation, while there is still a way out: downloads and builds belong here.
    pub prepare: fn() -> Result<()>,
    pub start: fn(&'static Lab) -> Result<Scene>,
}

/// Every scenario, in the order in which one learns from them.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "hosts",
        about: "three hosts with SSH: cp1 filters with nftables, cp2 with iptables-nft, cp3 knows only iptables-legacy",
        prepare: || Ok(()),
        start: hosts,
    },
    Scenario {
        name: "api",
        about: "one control plane, cp1, with 12 hollow nodes",
        prepare: binaries::prepare,
        start: clusters::api,
    },
    Scenario {
        name: "ha",
        about: "three API servers, cp1 to cp3, behind the load balancer lb, with 12 hollow nodes",
        prepare: binaries::prepare,
        start: clusters::ha,
    },
    Scenario {
        name: "dns",
        about: "one control plane, cp1, found by a name that CoreDNS on dns learns from it; kubectl is on bastion",
        prepare: binaries::prepare,
        start: clusters::dns,
    },
    Scenario {
        name: "kubelet",
        about: "a control plane of static pods on cp1, with kubelet and containerd, and worker1, which runs real pods",
        prepare: binaries::prepare,
        start: clusters::kubelet,
    },
    Scenario {
        name: "storm",
        about: "200 telemetry collectors on 25 hollow nodes drown the API server of cp1: kubectl hardly gets in",
        prepare: binaries::prepare,
        start: |lab| clusters::storm(lab, &STORM),
    },
    Scenario {
        name: "storm-unbound",
        about: "the same, but the collectors' token outlives their pods",
        prepare: binaries::prepare,
        start: |lab| clusters::storm(lab, &STORM_UNBOUND),
    },
    Scenario {
        name: "storm-ha",
        about: "three API servers, cp1 to cp3, without a load balancer, drown under the collectors of 24 nodes",
        prepare: binaries::prepare,
        start: clusters::storm_ha,
    },
    Scenario {
        name: "storm-apf",
        about: "the same server with priority and fairness, under 80 collectors: slow, but open",
        prepare: binaries::prepare,
        start: |lab| clusters::storm(lab, &STORM_APF),
    },
    Scenario {
        name: "storm-masters",
        about: "a smaller one, whose 80 collectors have a certificate of system:masters, which it neither queues nor turns away",
        prepare: binaries::prepare,
        start: |lab| clusters::storm(lab, &STORM_MASTERS),
    },
    Scenario {
        name: "storm-oom",
        about: "a static pod that is killed for its memory again and again, by one real pod on worker1",
        prepare: binaries::prepare,
        start: clusters::storm_oom,
    },
];

/// The scenario of that name.
///
/// # Errors
/// If there is none: the names that there are.
pub fn find(name: &str) -> Result<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name).with_context(|| {
        let names: Vec<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        format!("there is no scenario `{name}`: it is one of {}", names.join(", "))
    })
}

/// A scenario that is up. It ends when this is dropped.
pub struct Scene {
    /// What to try, a line each.
    pub hints: [String; 3],
    /// What `BREAKGLASS_KIT` leads to, as the cluster `testbed`.
    pub kit: Kit,
    /// Set for the shell, beside what every scenario has: `KUBECONFIG`, …
    pub variables: Vec<(&'static str, PathBuf)>,
    /// Put on the PATH beside `breakglass`: `kubectl`, …
    pub programs: Vec<PathBuf>,
    /// Whatever has to live as long as the scene: hosts, control planes, faults.
    pub alive: Box<dyn Any>,
}

impl Scene {
    /// A shell or another command inside the scene: at home in a folder that vanishes with it, with `program` and the
    /// scene's programs first on the PATH, and with an `ssh` that knows the hosts by name.
    pub fn command(&self, lab: &Lab, program: &Path, argv: &[String]) -> Result<Command> {
        let home = lab.folder("home")?;
        let folder = home.join("bin");
        fs::create_dir(&folder)?;
        for program in self.programs.iter().map(PathBuf::as_path).chain([program]) {
            let name = program.file_name().with_context(|| format!("{} is no program", program.display()))?;
            symlink(program, folder.join(name))?;
        }
        // This mount is the lab's alone, like all that are made in it.
        mount_bind(lab.ssh_config(), "/etc/ssh/ssh_config").context("no ssh configuration for the shell")?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(folder).chain(std::env::split_paths(&path)))?;
        let kit = home.join("kit");
        self.kit.write(lab, &kit, "testbed")?;
        let (first, rest) = argv.split_first().context("no command to run")?;
        let mut command = Command::new(first);
        command.args(rest).env("PATH", path).env("HOME", &home).env("BREAKGLASS_KIT", kit);
        for state in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"] {
            command.env_remove(state);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }
}

/// The shell of whoever walks in.
pub fn shell() -> Vec<String> {
    let shell = std::env::var("SHELL").unwrap_or_default();
    let shell = if Path::new(&shell).is_file() { Some(shell.into()) } else { find_program("bash") };
    vec![shell.map_or_else(|| "sh".to_owned(), |path: PathBuf| path.display().to_string())]
}

fn hosts(lab: &'static Lab) -> Result<Scene> {
    let hosts = lab.hosts(["cp1", "cp2", "cp3"])?;
    let legacy = hosts.last().map(|host| Fault::LegacyOnly.inject(host)).transpose()?;
    for host in &hosts {
        host.sh(somebody_elses_rules(host))?.ok()?;
        host.add_user("oncall", true)?;
    }
    Ok(Scene {
        hints: [
            "ssh cp1 nft list ruleset       (cp2: iptables -S, cp3: iptables-legacy; also as oncall@cp1, with sudo)"
                .into(),
            "ssh -J cp1 cp2 hostname        (a jump host; 10.90.0.1 and fd90::1 are you)".into(),
            "breakglass --help".into(),
        ],
        kit: Kit::through(&hosts),
        variables: Vec::new(),
        programs: Vec::new(),
        alive: Box::new((hosts, legacy)),
    })
}

/// A firewall as one finds it: its rules are not ours to change.
fn somebody_elses_rules(host: &Host) -> &'static str {
    match host.name() {
        "cp1" => {
            "nft -f - <<'E'\ntable inet site {\n  chain input {\n    type filter hook input priority filter\n    \
             ct state established,related accept\n    tcp dport { 22, 6443 } accept\n    tcp dport 2379 drop\n  }\n}\nE"
        }
        "cp2" => "iptables -A INPUT -p tcp --dport 2379 -j DROP; ip6tables -A INPUT -p tcp --dport 2379 -j DROP",
        _ => "iptables -A INPUT -p tcp --dport 2379 -j DROP; ipset create site hash:ip; ipset add site 192.0.2.7",
    }
}

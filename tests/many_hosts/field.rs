//! A practice cluster in a process of its own whose hosts have hundreds of names, for tests and the benchmark.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

const BIN: &str = env!("CARGO_BIN_EXE_breakglass");

/// A practice cluster in a process of its own, and a home to work on it from.
pub(crate) struct Field {
    home: TempDir,
    practice: Child,
    /// The practice cluster's own file.
    cluster: Value,
}

impl Field {
    pub(crate) fn new() -> Self {
        let home = TempDir::new().unwrap();
        let mut practice = command(home.path(), "unlimited", &["sandbox", "--for", "5m", "--peace"]);
        practice.stdout(Stdio::piped());
        let mut practice = practice.spawn().unwrap();
        let lines = BufReader::new(practice.stdout.take().unwrap()).lines().map_while(Result::ok);
        let said: Vec<String> = lines.take(6).collect();
        let kit = said.iter().find_map(|line| line.trim().strip_prefix("export BREAKGLASS_KIT=")).unwrap();
        let text = std::fs::read_to_string(Path::new(kit).join("sandbox.yaml")).unwrap();
        Self { home, practice, cluster: serde_saphyr::from_str(&text).unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A kit of so many clusters with so many hosts each. Behind a bastion, that is the practice cluster's first host, and every
    /// host has a copy of all that leads to it.
    pub(crate) fn kit(&self, clusters: usize, hosts: usize, bastion: bool) {
        let folder = self.path("kit");
        std::fs::create_dir_all(&folder).unwrap();
        let own = self.cluster["spec"]["hosts"].as_array().unwrap();
        for number in 1..=clusters {
            let mut cluster = self.cluster.clone();
            cluster["metadata"]["name"] = json!(format!("c{number}"));
            let named = (0..hosts).map(|at| {
                let mut host = own[at % own.len()].clone();
                host["name"] = json!(format!("h{}", at + 1));
                if bastion {
                    host["ssh"]["jumps"] = json!(["bastion"]);
                }
                host
            });
            cluster["spec"]["hosts"] = named.collect();
            for (at, server) in cluster["spec"]["apiServers"].as_array_mut().unwrap().iter_mut().enumerate() {
                server["via"] = json!(format!("h{}", at + 1));
            }
            if bastion {
                let first = &own[0];
                cluster["spec"]["jumps"] =
                    json!([{ "name": "bastion", "address": first["address"], "ssh": first["ssh"] }]);
            }
            let path = folder.join(format!("c{number}.yaml"));
            std::fs::write(&path, cluster.to_string()).unwrap();
            restrict(&path);
        }
    }

    /// The program, with so many descriptors at most (`SOFT:HARD`, or one number for both), or `unlimited`.
    pub(crate) fn command(&self, descriptors: &str, args: &[&str]) -> Command {
        command(self.home.path(), descriptors, args)
    }

    pub(crate) fn bastion_port(&self) -> u16 {
        self.cluster["spec"]["hosts"][0]["ssh"]["port"].as_u64().unwrap().try_into().unwrap()
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        let _ = self.practice.kill();
        let _ = self.practice.wait();
    }
}

fn restrict(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn command(home: &Path, descriptors: &str, args: &[&str]) -> Command {
    let mut command = Command::new("sh");
    let limit = "case $0 in unlimited) ;; *) ulimit -S -n ${0%:*} && ulimit -H -n ${0#*:} ;; esac && exec \"$@\"";
    command.args(["-c", limit, descriptors, BIN]).args(args).env_clear();
    command.env("HOME", home).env("USER", "sre").env("PATH", "/usr/bin:/bin").env("BREAKGLASS_KIT", home.join("kit"));
    command.env("BREAKGLASS_STATE", home.join("state")).current_dir(home).stdin(Stdio::null());
    command
}

/// Connections that a process has to a port of this machine.
pub(crate) fn connections_of(process: u32, port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{port:04X}");
    let inodes: Vec<&str> = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.get(2).is_some_and(|to| to.ends_with(&port)) && fields.get(3) == Some(&"01"))
        .map(|fields| fields[9])
        .collect();
    let open = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let links = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    links.filter(|link| inodes.iter().any(|inode| link.as_os_str() == format!("socket:[{inode}]").as_str())).count()
}

//! The kubelet kind: a control-plane host whose etcd and API server are real static pods of a real kubelet with containerd
//! and runc, and workers that run DaemonSet pods.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};

use crate::{
    Host, Lab, Process,
    access::Access,
    audit::AuditLog,
    binaries, cgroup,
    component::{Component, wait_until},
    components::{ApiFlags, Member},
    control_plane::{self, Options, UP, answers, lay_out, ready_nodes},
    image,
    kubectl::Kubectl,
    manifests,
    pki::{Pki, User, Validity},
    process::pids,
};

/// Every hierarchy that runc and the kubelet make groups in.
const CONTROLLERS: [&str; 9] =
    ["cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "name=systemd"];
/// Kernel settings that a kubelet writes; each host gets a copy, so that the machine keeps its own.
const SETTINGS: &str = "vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops \
                        kernel/keys/root_maxkeys kernel/keys/root_maxbytes";
/// Where Debian puts the plugins that give pods their network.
const CNI: &str = "/usr/lib/cni";
const SOCKET: &str = "/run/containerd/containerd.sock";

/// A host with containerd and a kubelet; its containers end with the host.
struct Node {
    host: Host,
    _containerd: Component,
    kubelet: Component,
}

/// A control plane of static pods, and its nodes.
pub struct KubeletPlane {
    access: Access,
    member: Member,
    nodes: Vec<Node>,
}

impl KubeletPlane {
    /// Starts the control plane on `host` and waits until it and its node are ready. `memory` limits the API server's pod
    /// (`600Mi`): past it, the kernel kills the server.
    ///
    /// # Errors
    /// If a part does not come up in time: with the tail of the kubelet's log.
    pub fn start(lab: &Lab, host: &Host, memory: Option<&str>) -> Result<Self> {
        Self::start_as(lab, host, memory, control_plane::member(host))
    }

    /// The same with an API server that listens at this port of the host's own address, and on no other.
    pub fn start_at(lab: &Lab, host: &Host, port: u16) -> Result<Self> {
        Self::start_as(lab, host, None, Member { own_port: Some(port), ..control_plane::member(host) })
    }

    fn start_as(lab: &Lab, host: &Host, memory: Option<&str>, member: Member) -> Result<Self> {
        let pki = Pki::new()?;
        lay_out(&pki, host, &member, &Options::default(), &member.url())?;
        let manifests = host.etc_kubernetes().join("manifests");
        fs::create_dir_all(&manifests)?;
        for (file, text) in manifests::all(&member, &ApiFlags::default(), memory, &binaries::folder()?) {
            fs::write(manifests.join(file), text)?;
        }
        let node = Node::start(host, 0)?;
        node.kubelet.wait(UP, || is_ready(host, &member))?;
        let access = Access::new(lab, pki, member.url(), std::iter::once(&member))?;
        access.give_rights()?;
        let plane = Self { access, member, nodes: vec![node] };
        plane.wait_node(0)?;
        Ok(plane)
    }

    /// Adds a worker, which runs DaemonSet pods.
    pub fn add_worker(&mut self, host: &Host) -> Result<()> {
        fs::create_dir_all(host.etc_kubernetes().join("pki"))?;
        fs::write(host.etc_kubernetes().join("pki/ca.crt"), self.access.pki().cluster.pem())?;
        let file = host.etc_kubernetes().join("kubelet.conf");
        self.access.pki().node_kubeconfig(&file, host.name(), self.access.endpoint())?;
        let number = self.nodes.len();
        self.nodes.push(Node::start(host, number)?);
        self.wait_node(number)
    }

    pub fn access(&self) -> &Access {
        &self.access
    }

    /// kubectl as this user, with a cold discovery cache.
    pub fn kubectl(&self, user: User) -> Result<Kubectl> {
        self.access.kubectl(user)
    }

    /// The control-plane host.
    pub fn host(&self) -> &Host {
        &self.nodes[0].host
    }

    pub fn audit(&self) -> AuditLog {
        AuditLog::new(self.member.audit_log())
    }

    /// A node's kubelet, by the name of its host: a server to kill or to stop, with a log.
    pub fn kubelet(&self, host: &str) -> Result<&Component> {
        let node = self.nodes.iter().find(|node| node.host.name() == host);
        Ok(&node.with_context(|| format!("there is no node {host}"))?.kubelet)
    }

    /// Kills a node's kubelet and starts it again; its containers go on.
    pub fn restart_kubelet(&self, host: &Host) -> Result<()> {
        let kubelet = self.kubelet(host.name())?;
        kubelet.kill()?;
        kubelet.start_again(&kubelet_arguments(host, &host.dir().join("node"))[1..])
    }

    /// Whether the API server says on its own host that it is ready.
    pub fn is_ready(&self) -> Result<bool> {
        is_ready(self.host(), &self.member)
    }

    /// Everything that the authorities signed for the control-plane host, but for its kubelet's, as if it had ended with the year 2020.
    pub fn end_certificates(&self) -> Result<()> {
        let (host, own) = (self.host(), self.member.url());
        let addresses = self.member.addresses();
        self.access.pki().lay_out_leaves(
            &host.etc_kubernetes(),
            host.name(),
            &addresses,
            (&own, &own),
            Validity::Expired,
        )
    }

    /// The process of a static pod's component on the control-plane host, if it runs now.
    pub fn static_pod(&self, name: &str) -> Option<Process> {
        pod_process(self.host(), name)
    }

    /// The folder of the static pods' manifests, as seen from outside.
    pub fn manifests(&self) -> PathBuf {
        self.host().etc_kubernetes().join("manifests")
    }

    fn wait_node(&self, number: usize) -> Result<()> {
        let node = &self.nodes[number];
        let masters = self.access.kubectl(User::Masters)?;
        node.kubelet.wait(UP, || Ok(ready_nodes(&masters, node.host.name())? == 1))
    }
}

impl Node {
    fn start(host: &Host, number: usize) -> Result<Self> {
        let bridge = Path::new(CNI).join("bridge");
        ensure!(bridge.is_file(), "no {}: apt-get install containernetworking-plugins", bridge.display());
        let folder = host.dir().join("node");
        fs::create_dir_all(folder.join("cni"))?;
        prepare_groups(host.name())?;
        keep_settings(host, &folder)?;
        fs::write(folder.join("containerd.toml"), containerd_config(&folder))?;
        fs::write(folder.join("kubelet.yaml"), kubelet_config(&folder, host.name(), number == 0)?)?;
        let arguments = ["--config".to_owned(), folder.join("containerd.toml").display().to_string()];
        let containerd = Component::start_program(host, "containerd", "containerd", &arguments)?;
        let ctr = ["ctr", "-a", SOCKET, "-n", "k8s.io"];
        containerd.wait(UP, || Ok(host.command(&[&ctr[..], &["version"]].concat())?.success()))?;
        image::write_archive(&folder)?;
        let archive = folder.join("images.tar").display().to_string();
        host.command(&[&ctr[..], &["images", "import", &archive]].concat())?.ok()?;
        let kubelet = Component::start(host, &kubelet_arguments(host, &folder))?;
        fs::write(folder.join("cni/10-lab.conflist"), cni_config(number))?;
        Ok(Self { host: host.clone(), _containerd: containerd, kubelet })
    }
}

fn is_ready(host: &Host, member: &Member) -> Result<bool> {
    answers(host, &format!("{}/readyz", member.url()))
}

/// A container's process in the network of `host` (static pods and others with `hostNetwork`), if it runs now.
pub fn pod_process(host: &Host, name: &str) -> Option<Process> {
    let namespace = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    let own = namespace(host.init_pid())?;
    let of_host = pids().into_iter().filter(|pid| namespace(*pid).as_ref() == Some(&own));
    of_host.filter_map(Process::read).find(|process| process.name() == name && process.state != 'Z')
}

/// Makes the group that the kubelet takes for the root of all groups, in every hierarchy.
fn prepare_groups(host: &str) -> Result<()> {
    for controller in CONTROLLERS {
        let group = cgroup::group(controller, host)?;
        if controller == "cpuset" {
            let top = group.parent().context("a group has a parent")?;
            inherit_cpuset(top)?;
            inherit_cpuset(&group)?;
        }
    }
    Ok(())
}

/// A new cpuset takes no process before it has processors and memory nodes.
fn inherit_cpuset(group: &Path) -> Result<()> {
    let parent = group.parent().context("a group has a parent")?;
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let value =
            fs::read(parent.join(file)).with_context(|| format!("{} is no version 1 cpuset", parent.display()))?;
        fs::write(group.join(file), value)?;
    }
    Ok(())
}

fn keep_settings(host: &Host, folder: &Path) -> Result<()> {
    let copies = folder.join("sys").display().to_string();
    let script = format!(
        "mkdir -p {copies}; for name in {SETTINGS}; do copy={copies}/$(basename $name); \
         cat /proc/sys/$name >$copy && mount --bind $copy /proc/sys/$name || exit 1; done"
    );
    host.sh(&script)?.ok().map(|_| ()).map_err(|error| anyhow!("no private kernel settings: {error:#}"))
}

fn containerd_config(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        r#"version = 2
root = "{folder}/containerd"
state = "/run/containerd"
[grpc]
  address = "{SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # Root in a container may not lower an oom_score_adj, and without this line every sandbox fails.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI}"
    conf_dir = "{folder}/cni"
"#,
        pause = image::PAUSE
    )
}

fn kubelet_config(folder: &Path, host: &str, control_plane: bool) -> Result<String> {
    let folder = folder.display();
    let taints = "registerWithTaints: [{key: node-role.kubernetes.io/control-plane, effect: NoSchedule}]\n";
    Ok(format!(
        "apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
staticPodPath: /etc/kubernetes/manifests
containerRuntimeEndpoint: unix://{SOCKET}
cgroupDriver: cgroupfs
cgroupRoot: /{group}/{host}
failCgroupV1: false
failSwapOn: false
authentication: {{anonymous: {{enabled: false}}, webhook: {{enabled: false}}, x509: {{clientCAFile: /etc/kubernetes/pki/ca.crt}}}}
authorization: {{mode: AlwaysAllow}}
evictionHard: {{memory.available: 50Mi, nodefs.available: 1%, imagefs.available: 1%}}
imageGCHighThresholdPercent: 100
volumePluginDir: {folder}/plugins
resolvConf: \"\"
{taints}",
        group = cgroup::name()?,
        taints = if control_plane { taints } else { "" },
    ))
}

fn kubelet_arguments(host: &Host, folder: &Path) -> Vec<String> {
    let folder = folder.display();
    vec![
        "kubelet".to_owned(),
        format!("--config={folder}/kubelet.yaml"),
        "--kubeconfig=/etc/kubernetes/kubelet.conf".to_owned(),
        format!("--root-dir={folder}/kubelet"),
        format!("--cert-dir={folder}/kubelet-pki"),
        format!("--hostname-override={}", host.name()),
        format!("--node-ip={}", host.ip4()),
    ]
}

/// A bridge of the node's own, without any firewall rule.
fn cni_config(number: usize) -> String {
    format!(
        r#"{{"cniVersion": "0.4.0", "name": "lab", "plugins": [{{"type": "bridge", "bridge": "cni0", "isGateway": true,
"ipam": {{"type": "host-local", "ranges": [[{{"subnet": "10.244.{number}.0/24"}}]], "routes": [{{"dst": "0.0.0.0/0"}}]}}}}]}}
"#
    )
}

/// Waits until the API server has died and come back `times` times; returns the ids that its processes had.
pub fn watch_restarts(plane: &KubeletPlane, times: usize, limit: Duration) -> Result<Vec<u32>> {
    let mut seen: Vec<u32> = Vec::new();
    wait_until(&format!("{times} restarts of the API server"), limit, || {
        if let Some(process) = plane.static_pod("kube-apiserver")
            && !seen.contains(&process.pid)
        {
            seen.push(process.pid);
        }
        Ok(seen.len() > times)
    })?;
    Ok(seen)
}

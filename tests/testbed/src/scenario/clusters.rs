//! The scenes with a control plane: each has kubectl, alice's kubeconfig and a kit.

use std::{any::Any, path::PathBuf};

use anyhow::Result;

use super::Scene;
use crate::{
    Host, Lab, User,
    access::Access,
    binaries,
    control_plane::{ControlPlane, Options},
    kit::Kit,
    kubelet::KubeletPlane,
    name_server::NameServer,
    storm::{STORM_HA, STORM_OOM, Settings, Storm, start_storm_oom},
};

/// Hollow nodes of a scene without a storm.
const NODES: u8 = 12;

pub(super) fn api(lab: &'static Lab) -> Result<Scene> {
    let (servers, nodes) = (lab.hosts(["cp1"])?, lab.hosts(["nodes"])?);
    let mut plane = ControlPlane::start(lab, &[&servers[0]], &Options::default())?;
    plane.add_hollow_nodes(&nodes[0], NODES)?;
    let hints =
        ["kubectl get nodes -o wide", "ssh cp1 tail -n 1 /run/testbed/hosts/cp1/data/audit.log", "breakglass --help"];
    let furnishing = Furnishing::new(plane.access(), &servers, &nodes)?;
    Ok(furnishing.scene(hints, (plane, servers, nodes)))
}

pub(super) fn ha(lab: &'static Lab) -> Result<Scene> {
    let (servers, nodes) = (lab.hosts(["cp1", "cp2", "cp3"])?, lab.hosts(["nodes"])?);
    let options = Options { balancer: Some(lab.host("lb")?), ..Options::default() };
    let mut plane = ControlPlane::start(lab, &servers.iter().collect::<Vec<_>>(), &options)?;
    plane.add_hollow_nodes(&nodes[0], NODES)?;
    let hints = [
        "kubectl get --raw /readyz       (by way of the load balancer)",
        "ssh cp1 pkill kube-apiserver    (and again: kubectl get nodes)",
        "breakglass --help",
    ];
    let furnishing = Furnishing::new(plane.access(), &servers, &nodes)?;
    Ok(furnishing.scene(hints, ((plane, options), servers, nodes)))
}

pub(super) fn dns(lab: &'static Lab) -> Result<Scene> {
    let (servers, others) = (lab.hosts(["cp1"])?, lab.hosts(["dns", "bastion"])?);
    let plane = ControlPlane::start(lab, &[&servers[0]], &Options::default())?;
    let names = NameServer::start(&others[0], plane.access(), &servers[0])?;
    names.serve_bastion(&others[1], plane.access())?;
    let hints = [
        "ssh bastion kubectl get namespaces     (finds cp1 by a name that cp1 has told)",
        "ssh dns pkill coredns                  (and again: there is no way to cp1 any more)",
        "breakglass probe --cluster testbed     (asks nobody for a name)",
    ];
    let furnishing = Furnishing::new(plane.access(), &servers, &others)?;
    Ok(furnishing.scene(hints, ((plane, names), servers, others)))
}

pub(super) fn kubelet(lab: &'static Lab) -> Result<Scene> {
    let (servers, workers) = (lab.hosts(["cp1"])?, lab.hosts(["worker1"])?);
    let mut plane = KubeletPlane::start(lab, &servers[0], None)?;
    plane.add_worker(&workers[0])?;
    let hints = [
        "kubectl get pods -A -o wide",
        "ssh cp1 ls /etc/kubernetes/manifests",
        "ssh cp1 ctr -n k8s.io containers list",
    ];
    let furnishing = Furnishing::new(plane.access(), &servers, &workers)?;
    Ok(furnishing.scene(hints, (plane, servers, workers)))
}

pub(super) fn storm(lab: &'static Lab, settings: &Settings) -> Result<Scene> {
    let (servers, nodes) = (lab.hosts(["cp1"])?, lab.hosts(["nodes"])?);
    let storm = Storm::start(lab, &servers[0], &nodes[0], settings)?;
    let hints = [
        "time kubectl delete daemonset bystander-0 --wait=false",
        "ssh cp1 ss -Htn state established sport = :6443",
        "breakglass --help               (the offender: daemonset telemetry-agent in telemetry)",
    ];
    let furnishing = Furnishing::new(storm.plane().access(), &servers, &nodes)?;
    Ok(furnishing.scene(hints, (storm, servers, nodes)))
}

pub(super) fn storm_ha(lab: &'static Lab) -> Result<Scene> {
    let (servers, nodes) = (lab.hosts(["cp1", "cp2", "cp3"])?, lab.hosts(["nodes"])?);
    let storm = Storm::start_on(lab, &servers.iter().collect::<Vec<_>>(), &nodes[0], &STORM_HA)?;
    let hints = [
        "time kubectl delete daemonset bystander-0 --wait=false",
        "ssh cp2 pkill kube-apiserver    (it stays dead; its collectors and nodes turn to cp1 and cp3)",
        "breakglass --help               (the offender: daemonset telemetry-agent in telemetry)",
    ];
    let furnishing = Furnishing::new(storm.plane().access(), &servers, &nodes)?;
    Ok(furnishing.scene(hints, (storm, servers, nodes)))
}

pub(super) fn storm_oom(lab: &'static Lab) -> Result<Scene> {
    let (servers, workers) = (lab.hosts(["cp1"])?, lab.hosts(["worker1"])?);
    let plane = start_storm_oom(lab, &servers[0], &workers[0], &STORM_OOM)?;
    let hints = [
        "while sleep 1; do kubectl get --raw /readyz; done",
        "ssh cp1 ctr -n k8s.io tasks list",
        "breakglass --help               (the offender: daemonset telemetry-agent in telemetry)",
    ];
    let furnishing = Furnishing::new(plane.access(), &servers, &workers)?;
    Ok(furnishing.scene(hints, (plane, servers, workers)))
}

/// What every scene with a control plane gives to whoever walks in.
struct Furnishing {
    kit: Kit,
    variables: Vec<(&'static str, PathBuf)>,
    programs: Vec<PathBuf>,
}

impl Furnishing {
    fn new(access: &Access, servers: &[Host], others: &[Host]) -> Result<Self> {
        let credentials = access.credential_files(User::Alice)?;
        Ok(Self {
            kit: Kit::direct(servers).and_nodes(others).with_credentials(&credentials),
            variables: vec![("KUBECONFIG", access.kubeconfig(User::Alice))],
            programs: vec![binaries::component("kubectl")?, binaries::component("etcdctl")?],
        })
    }

    /// The scene, which lives as long as `parts`.
    fn scene(self, hints: [&str; 3], parts: impl Any) -> Scene {
        let Self { kit, variables, programs } = self;
        Scene { hints: hints.map(str::to_owned), kit, variables, programs, alive: Box::new(parts) }
    }
}

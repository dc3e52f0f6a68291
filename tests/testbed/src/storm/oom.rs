//! The storm that kills: a static pod with a limit on its memory, under clients that make it build long answers.

use anyhow::Result;
use serde_json::json;

use super::service::{self, ballast};
use crate::{
    Host, Lab, binaries,
    component::wait_until,
    control_plane::UP,
    image,
    kubelet::{KubeletPlane, pod_process},
    pki::User,
};

/// The settings of a storm that kills.
#[derive(Clone, Debug)]
pub struct OomSettings {
    /// What the API server's pod may use.
    pub memory: &'static str,
    /// Collectors of the one pod on the worker.
    pub collectors: u32,
    /// curl's user agent gets indented JSON, which the server builds whole in its memory.
    pub user_agent: &'static str,
    pub list: &'static str,
    /// Pods of 10 KB.
    pub ballast: usize,
}

/// A static pod that is killed for its memory again and again, by a shell script's worth of curl on one worker.
pub const STORM_OOM: OomSettings =
    OomSettings { memory: "600Mi", collectors: 40, user_agent: "curl/7.88.1", list: "/api/v1/pods", ballast: 1200 };

/// Starts a control plane of static pods on `host` and a worker, fills it, and lets a real pod of the telemetry service
/// loose on the worker, until the pod is deleted: the API server is killed for its memory, starts, and is killed again.
pub fn start_storm_oom(lab: &Lab, host: &Host, worker: &Host, settings: &OomSettings) -> Result<KubeletPlane> {
    let mut plane = KubeletPlane::start(lab, host, Some(settings.memory))?;
    plane.add_worker(worker)?;
    ballast(plane.access(), [settings.ballast, 0, 0])?;
    let program = binaries::telemetry_agent()?;
    let secrets = "/var/run/secrets/kubernetes.io/serviceaccount";
    let pod = json!({
        "serviceAccountName": "agent",
        "hostNetwork": true,
        "terminationGracePeriodSeconds": 1,
        "volumes": [{"name": "programs", "hostPath": {"path": program.parent()}}],
        "containers": [{
            "name": "agent",
            "image": image::BUSYBOX,
            "volumeMounts": [{"name": "programs", "mountPath": "/k"}],
            "command": [
                "telemetry-agent", "storm",
                format!("--servers={}", plane.access().endpoint()),
                format!("--ca={secrets}/ca.crt"),
                format!("--token={secrets}/token"),
                format!("--user-agent={}", settings.user_agent),
                format!("--per-pod={}", settings.collectors),
                format!("--paths={}", settings.list),
            ],
        }],
    });
    let masters = plane.kubectl(User::Masters)?;
    masters.apply(service::ACCOUNT)?;
    masters.apply(&service::daemon_set(&pod))?;
    wait_until("the telemetry service on the worker", UP, || Ok(pod_process(worker, "telemetry-agent").is_some()))?;
    Ok(plane)
}

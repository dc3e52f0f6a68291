//! A kubelet, containerd and the containers of a control plane and a worker, killed in the middle: nothing of them stays.

use std::process::ExitCode;

use anyhow::Result;
use testbed::{KubeletPlane, Lab, pod_process, test};
use traces::{alone, killed};

mod traces;

fn main() -> ExitCode {
    if let Some(code) = traces::victim(kubelets) {
        return code;
    }
    testbed::main_with_kubernetes(vec![test("sigkill_among_containers_leaves_nothing", || {
        alone(|before| killed(before, "KILL"))
    })])
}

fn kubelets() -> Result<(String, KubeletPlane)> {
    let lab = Lab::shared()?;
    let mut plane = KubeletPlane::start(lab, &lab.host("cp1")?, None)?;
    plane.add_worker(&lab.host("worker1")?)?;
    anyhow::ensure!(pod_process(plane.host(), "etcd").is_some(), "no container runs that could be left");
    Ok((plane.host().ip4().to_string(), plane))
}

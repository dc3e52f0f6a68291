//! Static-pod manifests as kubeadm writes them, for the components of one host.

use std::{fmt::Write as _, path::Path};

use crate::{
    components::{self, ApiFlags, Member},
    image::BUSYBOX,
};

/// One static pod: its file is `{name}.yaml`.
struct Pod<'a> {
    command: &'a [String],
    /// Files and folders of the host that the container sees at the same path, and whether they are folders.
    mounts: &'a [(&'a str, bool)],
    /// Lines of the container, indented by four.
    extra: String,
}

/// Every manifest of a control-plane host: file name and text. `programs` is the folder of the components' binaries.
pub(crate) fn all(member: &Member, flags: &ApiFlags, memory: Option<&str>, programs: &Path) -> Vec<(String, String)> {
    let data = member.data.display().to_string();
    let alone = std::slice::from_ref(member);
    let pods = [
        Pod {
            command: &components::etcd(member, alone),
            mounts: &[("/etc/kubernetes/pki/etcd", true), (&data, true)],
            extra: requests("100m"),
        },
        Pod {
            command: &components::api_server(member, flags),
            mounts: &[("/etc/kubernetes/pki", true), ("/etc/kubernetes/audit-policy.yaml", false), (&data, true)],
            extra: requests("250m") + &memory.map(limit).unwrap_or_default() + &probes(member),
        },
        Pod {
            command: &components::controller_manager(false),
            mounts: &[("/etc/kubernetes/pki", true), ("/etc/kubernetes/controller-manager.conf", false)],
            extra: requests("200m"),
        },
        Pod {
            command: &components::scheduler(false),
            mounts: &[("/etc/kubernetes/scheduler.conf", false)],
            extra: requests("100m"),
        },
    ];
    pods.iter().map(|pod| (format!("{}.yaml", pod.command[0]), text(pod, programs))).collect()
}

fn requests(cpu: &str) -> String {
    format!("    resources:\n      requests:\n        cpu: {cpu}\n")
}

fn limit(memory: &str) -> String {
    format!("      limits:\n        memory: {memory}\n")
}

/// kubeadm's own probes and patience.
fn probes(member: &Member) -> String {
    let probe = |kind: &str, path: &str, delay: u32, period: u32, failures: u32| {
        format!(
            "    {kind}:\n      failureThreshold: {failures}\n      httpGet:\n        host: {}\n        path: {path}\n        \
             port: {}\n        scheme: HTTPS\n      initialDelaySeconds: {delay}\n      \
             periodSeconds: {period}\n      timeoutSeconds: 15\n",
            member.ip4,
            member.port()
        )
    };
    probe("livenessProbe", "/livez", 10, 10, 8)
        + &probe("readinessProbe", "/readyz", 0, 1, 3)
        + &probe("startupProbe", "/livez", 10, 10, 24)
}

fn text(pod: &Pod<'_>, programs: &Path) -> String {
    let name = &pod.command[0];
    let (mut mounts, mut volumes) = (String::new(), String::new());
    for (number, (path, folder)) in pod.mounts.iter().enumerate() {
        let kind = if *folder { "DirectoryOrCreate" } else { "FileOrCreate" };
        let _ = write!(mounts, "    - mountPath: {path}\n      name: host-{number}\n");
        let _ = write!(volumes, "  - hostPath:\n      path: {path}\n      type: {kind}\n    name: host-{number}\n");
    }
    let command = pod.command.iter().fold(String::new(), |all, word| all + &format!("    - {word}\n"));
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  labels:\n    component: {name}\n    tier: control-plane\n  name: {name}\n  \
         namespace: kube-system\nspec:\n  containers:\n  - command:\n{command}    image: {BUSYBOX}\n    \
         imagePullPolicy: IfNotPresent\n    name: {name}\n{extra}    volumeMounts:\n    - mountPath: /k\n      \
         name: programs\n      readOnly: true\n{mounts}  hostNetwork: true\n  priorityClassName: system-node-critical\n  \
         volumes:\n  - hostPath:\n      path: {programs}\n      type: Directory\n    name: programs\n{volumes}",
        extra = pod.extra,
        programs = programs.display(),
    )
}

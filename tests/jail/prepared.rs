//! From `--authorization-mode` to a file, a jail in it, and back again, under a real kubelet.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use testbed::{Kit, KubeletPlane, Lab, User, wait_until};

use super::clients::{Asking, Client, Who};
use super::scene::{CLIENTS, token};
use super::{Engineer, LONG, files};

const PREPARE: [&str; 3] = ["prepare", "authorization-config", "--yes"];
const JAIL: [&str; 3] = ["jail", "sa/telemetry/agent", "--yes"];

/// What stands in the host's folder, and in that of its manifests.
fn all(plane: &KubeletPlane) -> Result<Vec<String>> {
    let folder = plane.host().etc_kubernetes();
    let mut all: Vec<String> = Vec::new();
    for folder in [folder.clone(), plane.manifests(), folder.join("authorization")] {
        let there = if folder.exists() { files(&folder)? } else { Vec::new() };
        all.extend(there.into_iter().map(|file| format!("{}: {file:?}", folder.display())));
        all.push(format!("{}: {}", folder.display(), folder.exists()));
    }
    Ok(all)
}

fn flags(plane: &KubeletPlane) -> Result<String> {
    let server = plane.static_pod("kube-apiserver").context("no API server")?;
    Ok(std::fs::read_to_string(format!("/proc/{}/cmdline", server.pid))?.replace('\0', " "))
}

pub(super) fn there_and_back() -> Result<()> {
    let lab = Lab::shared()?;
    let host = lab.host("prepared-cp")?;
    let plane = KubeletPlane::start(lab, &host, None)?;
    plane.kubectl(User::Masters)?.apply(CLIENTS)?;
    let alice = Engineer { folder: lab.folder("engineer")? };
    Kit::direct(std::slice::from_ref(&host)).with_credentials(&plane.access().credential_files(User::Alice)?).write(
        lab,
        &alice.folder.join("kit"),
        "lab",
    )?;
    let before = all(&plane)?;
    let url = [plane.access().endpoint().to_owned()];
    let offender = Client {
        who: Who::Token(token(&plane.kubectl(User::Masters)?, "agent")?),
        path: "/api/v1/nodes",
        pause: Duration::from_millis(50),
    };
    let offender = Asking::start(plane.access(), &url, &offender)?;

    let way = ["runs with --authorization-mode=Node,RBAC", "breakglass prepare authorization-config"];
    alice.fails(&JAIL, 3, &way)?;
    ensure!(all(&plane)? == before, "something was written");

    let mark = plane.audit().mark()?;
    let said = alice.run(&PREPARE)?;
    ensure!(said.contains("it runs with --authorization-config=/etc/kubernetes/authorization/config.yaml"), "{said}");
    let ours: Vec<_> =
        plane.audit().since(mark)?.into_iter().filter(|one| one.user_agent.starts_with("breakglass/")).collect();
    ensure!(ours.iter().all(|one| one.uri.starts_with("/readyz")), "requests of ours: {ours:?}");
    ensure!(!flags(&plane)?.contains("authorization-mode"), "{}", flags(&plane)?);
    offender.answered(200)?;
    let again = alice.run(&PREPARE)?;
    ensure!(again.contains("its manifest says --authorization-config=") && again.contains("0 changes"), "{again}");

    let prepared = all(&plane)?;
    let said = alice.run(&JAIL)?;
    ensure!(said.contains("in force: "), "{said}");
    offender.answered(500)?;
    // A recovery API server goes by the same file, and so do its refusals.
    alice.run(&["recovery-apiserver", "start", "--yes"])?;
    alice.run(&["recovery-apiserver", "stop", "--yes"])?;
    // The way back of the preparation would end the jail, and is not gone while it stands.
    let runs = alice.run(&["runs", "-o", "json"])?;
    let run = |at: usize| {
        let run = runs.split("\"run\":\"").nth(at).and_then(|rest| rest.split('"').next());
        run.map(str::to_owned).with_context(|| format!("no run {at}: {runs}"))
    };
    // The newest first: the two of the recovery API server, the jail, the second preparation, the first.
    let (jail, preparation) = (run(3)?, run(5)?);
    let server = plane.static_pod("kube-apiserver").context("no API server")?.pid;
    alice.fails(&["undo", &preparation, "--yes"], 6, &["is not what was put there"])?;
    ensure!(plane.static_pod("kube-apiserver").is_some_and(|now| now.pid == server), "it was started anew");
    offender.answered(500)?;
    alice.run(&["undo", &jail, "--yes"])?;
    offender.answered(200)?;
    ensure!(all(&plane)? == prepared, "the jail has left something: {:?}", all(&plane)?);

    a_file_that_is_mounted_by_itself(&plane, &alice)?;
    offender.answered(200)?;
    ensure!(all(&plane)? == prepared, "not the same: {:?}", all(&plane)?);

    alice.run(&["undo", &preparation, "--yes"])?;
    ensure!(all(&plane)? == before, "not the same: {:?}", all(&plane)?);
    ensure!(flags(&plane)?.contains("--authorization-mode=Node,RBAC"), "{}", flags(&plane)?);
    offender.answered(200)
}

/// A new file would never be seen through such a mount: it is told, and nothing is written.
fn a_file_that_is_mounted_by_itself(plane: &KubeletPlane, alice: &Engineer) -> Result<()> {
    let manifest = plane.manifests().join("kube-apiserver.yaml");
    let text = std::fs::read_to_string(&manifest)?;
    let single = text
        .replace("mountPath: /etc/kubernetes/authorization\n", "mountPath: /etc/kubernetes/authorization/config.yaml\n")
        .replace(
            "path: /etc/kubernetes/authorization\n      type: Directory\n",
            "path: /etc/kubernetes/authorization/config.yaml\n      type: File\n",
        );
    ensure!(single.matches("authorization/config.yaml").count() == 3, "{single}");
    let exchange = |text: &str| -> Result<()> {
        let old = plane.static_pod("kube-apiserver").map(|server| server.pid);
        let part = plane.host().etc_kubernetes().join("part");
        std::fs::copy(&manifest, &part)?;
        std::fs::write(&part, text)?;
        std::fs::rename(&part, &manifest)?;
        wait_until("the API server of another manifest", LONG, || {
            Ok(plane.static_pod("kube-apiserver").is_some_and(|now| Some(now.pid) != old) && plane.is_ready()?)
        })
    };
    exchange(&single)?;
    alice.fails(&JAIL, 3, &["is mounted by itself, as a single file", "hostPath of type Directory"])?;
    exchange(&text)
}

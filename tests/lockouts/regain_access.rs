//! One word for whoever knows only that kubectl does not work: the runbook looks which lockout it is, and opens just that one.

use std::fs;

use anyhow::{Result, ensure};
use testbed::{Kit, Lab, Snapshot, User, Validity, wait_until};

use super::bad_manifest::{crashed, files, kubectl_is_out, kubectl_works, write};
use super::credentials::colleague;
use super::rights::{ADMINS, BINDINGS, administrator, deletes, stays, waits_for};
use super::webhook_deadlock::{ADMISSION, is_let_in, locked_out, tidied};
use super::{LONG, Scene, flat, scene};

const REGAIN: &[&str] = &["run", "regain-access", "--yes", "-v"];
const COPY: &str = "kube-apiserver.yaml.bak";

/// All files of the host but those that containers, their runtime and the kubelet write all the time.
fn host(scene: &Scene) -> Result<Snapshot> {
    let busy = ["/var", "/run/containerd"];
    Ok(busy.iter().fold(scene.host().snapshot()?, |all, folder| all.without(folder)))
}

pub(super) fn each_lockout_is_told_apart_and_opened() -> Result<()> {
    let scene = &*scene()?;
    kubectl_works(scene)?;
    nothing_is_changed_where_nothing_is_wrong(scene)?;
    a_certificate_that_has_ended(scene)?;
    a_binding_that_is_gone(scene)?;
    a_dead_webhook(scene)?;
    a_stray_manifest(scene)
}

fn nothing_is_changed_where_nothing_is_wrong(scene: &Scene) -> Result<()> {
    let (before, mark) = (host(scene)?, scene.plane.audit().mark()?);
    let said = flat(&scene.run(REGAIN)?);
    for part in
        ["nothing was found that stands between us and the API", "silent is no", "needsCredential is no", "0 changes"]
    {
        ensure!(said.contains(part), "{part:?} was not said:\n{said}");
    }
    before.changes_until(&host(scene)?).expect_none()?;
    let asked = scene.plane.audit().by("alice", mark)?;
    ensure!(!asked.is_empty() && asked.iter().all(|it| matches!(&*it.verb, "get" | "list")), "{asked:?}");
    Ok(())
}

fn a_certificate_that_has_ended(scene: &Scene) -> Result<()> {
    scene.write_kit(User::Expired)?;
    let out = scene.plane.kubectl(User::Expired)?.run_within(&["get", "namespaces"], b"", LONG)?;
    ensure!(!out.success(), "kubectl was not out: {out:?}");
    let said = flat(&scene.run(REGAIN)?);
    ensure!(said.contains("does not know our credential") && said.contains("super-admin.conf"), "{said}");
    ensure!(said.contains("lacksRights is no") && said.contains("breakglass access --write-kubeconfig"), "{said}");
    colleague(scene)?.run(&["get", "namespaces"])?.ok()?;
    scene.write_kit(User::Alice)
}

fn a_binding_that_is_gone(scene: &Scene) -> Result<()> {
    let (masters, admin) = (scene.plane.kubectl(User::Masters)?, administrator(scene)?);
    let before = scene.object(&format!("{BINDINGS}/{ADMINS}"))?;
    deletes(&masters, ADMINS)?;
    waits_for(&admin, false)?;
    write_kit_of_administrators(scene)?;
    // A drill says what it would do, and does not.
    let would = flat(&scene.run(&["drill", "regain-access"])?);
    ensure!(would.contains("may not do what administrators may") && would.contains("would POST"), "{would}");
    waits_for(&admin, false)?;
    let said = flat(&scene.run(REGAIN)?);
    waits_for(&admin, true)?;
    ensure!(said.contains("may not do what administrators may") && said.contains("1 change"), "{said}");
    scene.run(&["undo", "last", "--access", "--yes"])?;
    waits_for(&admin, false)?;
    scene.run(REGAIN)?;
    waits_for(&admin, true)?;
    let now = scene.object(&format!("{BINDINGS}/{ADMINS}"))?;
    ensure!(now["roleRef"] == before["roleRef"] && now["subjects"] == before["subjects"], "{now:#}");
    stays(&masters, "clusterrolebinding", ADMINS)?;
    scene.write_kit(User::Alice)
}

fn a_dead_webhook(scene: &Scene) -> Result<()> {
    let kubectl = scene.kubectl()?;
    locked_out(&kubectl)?;
    let path = format!("{ADMISSION}/validatingwebhookconfigurations/policy");
    let before = scene.object(&path)?;
    let said = flat(&scene.run(REGAIN)?);
    wait_until("a pod that is let in", LONG, || is_let_in(&kubectl))?;
    ensure!(said.contains("service policy/policy:443: it has no endpoints") && said.contains("1 change"), "{said}");
    scene.run(&["undo", "last", "--yes"])?;
    ensure!(scene.object(&path)? == before, "not what it was");
    tidied(&kubectl)
}

fn a_stray_manifest(scene: &Scene) -> Result<()> {
    let whole = files(&scene.plane.manifests())?;
    let good = fs::read_to_string(scene.plane.manifests().join("kube-apiserver.yaml"))?;
    write(scene, COPY, &good.replacen("    image:", "    - --flag-of-last-year=1\n    image:", 1))?;
    crashed(scene, "flag-of-last-year")?;
    kubectl_is_out(scene)?;
    let broken = files(&scene.plane.manifests())?;
    let said = flat(&scene.run(REGAIN)?);
    kubectl_works(scene)?;
    ensure!(said.contains("a stray file that wins") && said.contains(COPY), "{said}");
    ensure!(files(&scene.plane.manifests())? == whole, "the folder is not what it was without the copy");
    scene.run(&["undo", "last", "--yes"])?;
    ensure!(files(&scene.plane.manifests())? == broken, "not the same bytes");
    fs::remove_file(scene.plane.manifests().join(COPY))?;
    kubectl_works(scene)
}

/// A kit with what kubeadm gives to administrators, whose rights hang on one binding.
fn write_kit_of_administrators(scene: &Scene) -> Result<()> {
    let pair = scene.plane.access().pki().cluster.client("kubernetes-admin", Some(ADMINS), Validity::Now)?;
    let [ca, cert, key] = scene.plane.access().credential_files(User::Nobody)?;
    pair.write(&cert.with_extension(""))?;
    Kit::direct(&[scene.host().clone()]).with_credentials(&[ca, cert, key]).write(
        Lab::shared()?,
        &scene.folder.join("kit"),
        "lab",
    )
}

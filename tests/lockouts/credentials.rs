//! L4 and L5: nobody is known to the API by what the engineer has, because the sign-on is gone or the certificate has ended.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use testbed::{Kubectl, User, wait_until};

use super::{LONG, Scene, scene};

/// A credential that is won, and a request that takes it.
fn runbook(scene: &Scene, name: &str, access: &str) -> Result<String> {
    let file = scene.folder.join(format!("{name}.yaml"));
    let text = format!(
        "apiVersion: breakglass/v1\nkind: Runbook\nmetadata: {{name: {name}, purpose: a request by a credential that was won}}\n\
         spec:\n  steps:\n  - {{name: known, kind: access, with: {access}}}\n  - {{name: through, kind: delete, with: {{object: configmap/default/{name}}}}}\n"
    );
    fs::write(&file, text)?;
    scene.plane.kubectl(User::Masters)?.run(&["create", "configmap", name, "-n", "default"])?.ok()?;
    Ok(file.display().to_string())
}

fn is_gone(scene: &Scene, name: &str) -> Result<()> {
    let said = scene.plane.kubectl(User::Masters)?.run(&["get", "configmap", name, "-n", "default"])?;
    ensure!(said.stderr.contains("NotFound"), "{said:?}");
    Ok(())
}

/// kubectl of somebody who has only what the program wrote down.
pub(super) fn colleague(scene: &Scene) -> Result<Kubectl> {
    colleague_by(scene, &["access"])
}

fn colleague_by(scene: &Scene, words: &[&str]) -> Result<Kubectl> {
    let file = scene.folder.join("colleague.conf");
    if file.exists() {
        fs::remove_file(&file)?;
    }
    let said = scene.run(&[words, &["--write-kubeconfig", &file.display().to_string()]].concat())?;
    ensure!(said.contains("a secret"), "{said}");
    ensure!(fs::metadata(&file)?.permissions().mode() & 0o777 == 0o600, "others may read it");
    Ok(Kubectl::new(file, scene.folder.clone()))
}

/// No file that the program keeps has a key of the host's in it, in any form that it could stand in.
fn no_secret_is_kept(scene: &Scene) -> Result<()> {
    let config = fs::read_to_string(scene.host().etc_kubernetes().join("super-admin.conf"))?;
    let key = config.lines().find_map(|line| line.trim().strip_prefix("client-key-data: ")).context("no key")?;
    let pem = String::from_utf8(STANDARD.decode(key)?)?;
    let inner = pem.lines().nth(1).context("a key of one line")?;
    stands_in_no_file(scene, &[key, inner, "PRIVATE KEY"])
}

/// None of these stands in a file that the program keeps of its runs.
pub(super) fn stands_in_no_file(scene: &Scene, secrets: &[&str]) -> Result<()> {
    let mut folders = vec![scene.folder.join("state")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
            for secret in secrets {
                ensure!(!text.contains(secret), "a key stands in {}", path.display());
            }
        }
    }
    Ok(())
}

pub(super) fn a_certificate_that_has_ended() -> Result<()> {
    let scene = &*scene()?;
    let out = scene.plane.kubectl(User::Expired)?.run_within(&["get", "namespaces"], b"", LONG)?;
    ensure!(!out.success(), "kubectl was not out: {out:?}");
    scene.write_kit(User::Expired)?;
    let before = scene.host().snapshot()?.without("/var").without("/run/containerd");
    let said = scene.run(&["run", "admin-certificate-expired", "--yes"])?;
    ensure!(said.contains("super-admin.conf") && said.contains("system:masters"), "{said}");
    let file = runbook(scene, "ended", "{}")?;
    scene.run(&["run", &file, "--yes"])?;
    is_gone(scene, "ended")?;
    colleague(scene)?.run(&["get", "namespaces"])?.ok()?;
    no_secret_is_kept(scene)?;
    before.changes_until(&scene.host().snapshot()?.without("/var").without("/run/containerd")).expect_none()?;
    scene.write_kit(User::Alice)
}

/// What the identity provider gave is refused, and no file of the host is good either: the CA signs, once the word is typed.
pub(super) fn a_sign_on_that_is_gone() -> Result<()> {
    let scene = &*scene()?;
    let out = scene.plane.kubectl(User::Foreign)?.run_within(&["get", "namespaces"], b"", LONG)?;
    ensure!(!out.success(), "kubectl was not out: {out:?}");
    scene.write_kit(User::Foreign)?;
    scene.run(&["run", "sso-gone", "--yes"])?;
    colleague(scene)?.run(&["get", "namespaces"])?.ok()?;

    let folder = scene.host().etc_kubernetes();
    let files = ["super-admin.conf", "admin.conf"].map(|name| (folder.join(name), folder.join(format!("{name}.away"))));
    for (file, away) in &files {
        fs::rename(file, away)?;
    }
    let file = runbook(scene, "signed", "{mint: true, for: 10m}")?;
    let mark = scene.plane.audit().mark()?;
    let before = scene.host().snapshot()?.without("/var").without("/run/containerd");
    let asked = scene.ends(&["run", &file, "--yes"])?;
    ensure!(!asked.success() && asked.stderr.contains("Type sign"), "{asked:?}");
    scene.run(&["run", &file, "--yes", "--consent", "sign"])?;
    is_gone(scene, "signed")?;
    before.changes_until(&scene.host().snapshot()?.without("/var").without("/run/containerd")).expect_none()?;
    let minted = ["access", "--mint", "--for", "10m", "--yes", "--consent", "sign"];
    let known = colleague_by(scene, &minted)?.run(&["auth", "whoami"])?.ok()?;
    ensure!(known.contains("breakglass:alice") && known.contains("system:masters"), "{known}");
    // A colleague who is only to look: by a group that was bound to that in peace.
    let masters = scene.plane.kubectl(User::Masters)?;
    let bound = ["create", "clusterrolebinding", "readers", "--clusterrole=view", "--group=oncall-readers"];
    masters.run(&bound)?.ok()?;
    let reader = colleague_by(scene, &[&minted[..2], &["--group", "oncall-readers"], &minted[2..]].concat())?;
    wait_until("the rights of the group", LONG, || Ok(reader.run(&["get", "pods"])?.success()))?;
    let refused = reader.run(&["delete", "configmap", "nobody"])?;
    ensure!(refused.stderr.contains("Forbidden"), "{refused:?}");
    masters.run(&["delete", "clusterrolebinding", "readers"])?.ok()?;
    for (file, away) in &files {
        fs::rename(away, file)?;
    }
    wait_until("the API server's own record of who asked", LONG, || {
        let all = scene.plane.audit().by("breakglass:alice", mark)?;
        Ok(all.iter().any(|request| request.verb == "delete"))
    })?;
    no_secret_is_kept(scene)?;
    scene.write_kit(User::Alice)
}

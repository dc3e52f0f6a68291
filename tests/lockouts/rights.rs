//! L6: the binding that makes administrators is deleted, emptied, or gives another role.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use testbed::{Kubectl, User, wait_until};

use super::{LONG, Scene, scene};

pub(super) const BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
const ROLE: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles/cluster-admin";
pub(super) const ADMINS: &str = "kubeadm:cluster-admins";
/// Names are free in RBAC but for `/` and `%`; and as it stands in a path.
const ODD: (&str, &str) = ("on call: J\u{fc}rgen's + \"night\"", "on%20call%3A%20J%C3%BCrgen%27s%20%2B%20%22night%22");
/// How often each way in is measured.
const TIMES: usize = 3;

/// kubectl with the file that kubeadm gives to administrators.
pub(super) fn administrator(scene: &Scene) -> Result<Kubectl> {
    scene.plane.access().kubectl_with(scene.host().etc_kubernetes().join("admin.conf"))
}

/// Whether it is let in, and else that it is told no.
fn is_in(kubectl: &Kubectl) -> Result<bool> {
    let output = kubectl.run(&["get", "nodes"])?;
    ensure!(output.success() || output.stderr.contains("Forbidden"), "{output:?}");
    Ok(output.success())
}

pub(super) fn waits_for(kubectl: &Kubectl, is_to_be_in: bool) -> Result<()> {
    let what = if is_to_be_in { "an administrator who is let in" } else { "an administrator who is told no" };
    wait_until(what, LONG, || Ok(is_in(kubectl)? == is_to_be_in))
}

pub(super) fn deletes(masters: &Kubectl, name: &str) -> Result<()> {
    masters.run(&["delete", "clusterrolebinding", name])?.ok().map(|_| ())
}

/// What was repaired is meant to stay: its mark goes (docs/status.md), and the next test finds nothing that stands.
pub(super) fn stays(masters: &Kubectl, kind: &str, name: &str) -> Result<()> {
    masters.run(&["annotate", kind, name, "breakglass.io/restored-"])?.ok().map(|_| ())
}

/// Seconds until kubectl is let in again.
fn until_in(kubectl: &Kubectl, opens: impl FnOnce() -> Result<()>) -> Result<f32> {
    let began = Instant::now();
    opens()?;
    while !is_in(kubectl)? {}
    Ok(began.elapsed().as_secs_f32())
}

pub(super) fn deleted() -> Result<()> {
    let scene = &*scene()?;
    let masters = scene.plane.kubectl(User::Masters)?;
    let administrator = administrator(scene)?;
    waits_for(&administrator, true)?;
    deletes(&masters, ADMINS)?;
    waits_for(&administrator, false)?;

    scene.write_kit(User::Nobody)?;
    let refused = scene.ends(&["run", "rbac-deleted", "-p", "access=false", "--yes"])?;
    let said = format!("{}{}", refused.stdout, refused.stderr);
    ensure!(refused.code == 3 && said.contains("403"), "{said}");
    ensure!(said.contains("/etc/kubernetes/super-admin.conf") && said.contains("our credential is"), "{said}");

    // A host has the credential that the engineer lacks; the way back takes it, too.
    scene.run(&["run", "rbac-deleted", "--yes"])?;
    waits_for(&administrator, true)?;
    scene.run(&["undo", "last", "--access", "--yes"])?;
    waits_for(&administrator, false)?;

    // Where no host has one, and the cluster does not even know the engineer: an API server of his own does.
    scene.write_kit(User::Foreign)?;
    scene.run(&["run", "rbac-deleted", "-p", "access=false", "-p", "recovery=true", "--yes"])?;
    waits_for(&administrator, true)?;
    deletes(&masters, ADMINS)?;
    waits_for(&administrator, false)?;

    scene.write_kit(User::Masters)?;
    let (mut program, mut script) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        program.push(until_in(&administrator, || scene.run(&["run", "rbac-deleted", "--yes"]).map(|_| ()))?);
        let now = scene.object(&format!("{BINDINGS}/{ADMINS}"))?;
        let reference =
            json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"});
        let group = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": ADMINS});
        ensure!(now["roleRef"] == reference && now["subjects"] == json!([group]), "{now:#}");
        scene.run(&["undo", "last", "--yes"])?;
        waits_for(&administrator, false)?;
        let gone = masters.run(&["get", "clusterrolebinding", ADMINS])?;
        ensure!(gone.stderr.contains("NotFound"), "{gone:?}");

        let by_hand = ["create", "clusterrolebinding", ADMINS, "--clusterrole=cluster-admin"];
        let by_hand = [&by_hand[..], &["--group=kubeadm:cluster-admins"]].concat();
        script.push(until_in(&administrator, || masters.run(&by_hand)?.ok().map(|_| ()))?);
        deletes(&masters, ADMINS)?;
        waits_for(&administrator, false)?;
    }
    println!(
        "rbac-deleted: until kubectl is let in: the runbook {program:.2?} s, a prepared kubectl create {script:.2?} s"
    );

    // What somebody else has edited since is not deleted.
    scene.run(&["run", "rbac-deleted", "--yes"])?;
    waits_for(&administrator, true)?;
    masters.run(&["label", "clusterrolebinding", ADMINS, "team=b"])?.ok()?;
    let left = scene.ends(&["undo", "last", "--yes"])?;
    ensure!(left.code == 6 && left.stderr.contains("/metadata/labels"), "{left:?}");
    ensure!(is_in(&administrator)?, "it was taken away all the same");
    masters.run(&["label", "clusterrolebinding", ADMINS, "team-"])?.ok()?;
    scene.run(&["undo", "last", "--yes"])?;
    waits_for(&administrator, false)?;
    scene.run(&["run", "rbac-deleted", "--yes"])?;
    stays(&masters, "clusterrolebinding", ADMINS)?;
    let left = scene.ends(&["undo", "last", "--yes"])?;
    ensure!(left.code == 6 && is_in(&administrator)?, "what was meant to stay was taken away: {left:?}");
    scene.write_kit(User::Alice)
}

/// Runs it, waits until somebody is let in, takes it back; all is as it was before then, to the byte.
fn there_and_back(scene: &Scene, who: &Kubectl, paths: &[&str], arguments: &[&str]) -> Result<()> {
    let objects = || paths.iter().map(|path| scene.object(path)).collect::<Result<Vec<Value>>>();
    let before = objects()?;
    waits_for(who, false)?;
    scene.run(arguments)?;
    waits_for(who, true)?;
    scene.run(&["undo", "last", "--yes"])?;
    waits_for(who, false)?;
    let mut after = objects()?;
    for (after, before) in after.iter_mut().zip(&before) {
        // What was deleted and made anew is another one to the server.
        for field in ["uid", "creationTimestamp"] {
            after["metadata"][field] = before["metadata"][field].clone();
        }
    }
    ensure!(after == before, "{after:#?} is not {before:#?}");
    Ok(())
}

pub(super) fn emptied() -> Result<()> {
    let scene = &*scene()?;
    let (masters, alice) = (scene.plane.kubectl(User::Masters)?, scene.kubectl()?);
    scene.write_kit(User::Masters)?;
    let patched = |object: [&str; 2], patch: &str| -> Result<()> {
        masters.run(&["patch", object[0], object[1], "--type=json", "-p", patch])?.ok().map(|_| ())
    };

    // The role of all administrators gives nothing, and kubeadm's binding names nobody.
    let role = scene.object(ROLE)?;
    patched(["clusterrole", "cluster-admin"], r#"[{"op": "replace", "path": "/rules", "value": []}]"#)?;
    patched(["clusterrolebinding", ADMINS], r#"[{"op": "remove", "path": "/subjects"}]"#)?;
    let administrator = administrator(scene)?;
    let paths = [ROLE, &format!("{BINDINGS}/{ADMINS}")];
    there_and_back(scene, &administrator, &paths, &["run", "rbac-deleted", "--yes"])?;
    waits_for(&alice, false)?;
    scene.run(&["run", "rbac-deleted", "--yes"])?;
    waits_for(&administrator, true)?;
    waits_for(&alice, true)?;
    ensure!(scene.object(ROLE)?["rules"] == role["rules"], "{:#}", scene.object(ROLE)?);

    // Alice's own binding names somebody else; then it gives another role.
    let path = format!("{BINDINGS}/oncall");
    let other = r#"[{"op": "replace", "path": "/subjects/0/name", "value": "bob"}]"#;
    patched(["clusterrolebinding", "oncall"], other)?;
    let oncall = ["restore-rights", "--binding", "oncall", "--user", "alice", "--yes"];
    there_and_back(scene, &alice, &[&path], &oncall)?;
    deletes(&masters, "oncall")?;
    masters.run(&["create", "clusterrolebinding", "oncall", "--clusterrole=system:discovery", "--user=alice"])?.ok()?;
    let asked = scene.ends(&oncall)?;
    ensure!(asked.code == 8 && asked.stderr.contains("--consent"), "{asked:?}");
    there_and_back(scene, &alice, &[&path], &[&oncall[..], &["--consent", "oncall"]].concat())?;

    // A name that has to be quoted everywhere, of a binding and of a group.
    let odd = ["restore-rights", "--binding", ODD.0, "--group", ODD.0, "--user", "alice", "--yes"];
    waits_for(&alice, false)?;
    scene.run(&odd)?;
    waits_for(&alice, true)?;
    let made = scene.object(&format!("{BINDINGS}/{}", ODD.1))?;
    ensure!(made["metadata"]["name"] == ODD.0 && made["subjects"][0]["name"] == ODD.0, "{made:#}");
    scene.run(&["undo", "last", "--yes"])?;
    waits_for(&alice, false)?;

    scene.run(&[&oncall[..], &["--consent", "oncall"]].concat())?;
    waits_for(&alice, true)?;
    stays(&masters, "clusterrole", "cluster-admin")?;
    stays(&masters, "clusterrolebinding", ADMINS)?;
    stays(&masters, "clusterrolebinding", "oncall")?;
    scene.write_kit(User::Alice)
}

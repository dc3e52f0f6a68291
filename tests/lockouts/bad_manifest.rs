//! L8: a flag that the API server does not know, written into its manifest by hand: it crash-loops, and kubectl is out.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use testbed::wait_until;

use super::{LONG, Scene, flat, scene};

/// All files of a folder, by name: their bytes and their modes.
pub(super) fn files(folder: &Path) -> Result<Vec<(String, Vec<u8>, u32)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        all.push((name, fs::read(entry.path())?, entry.metadata()?.permissions().mode()));
    }
    all.sort();
    Ok(all)
}

/// What stands beside the manifests' folder.
pub(super) fn beside(scene: &Scene) -> Result<Vec<String>> {
    let folder = scene.plane.manifests().parent().context("a folder has one above it")?.to_owned();
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Puts a file there in one step, as careful people do.
pub(super) fn write(scene: &Scene, name: &str, text: &str) -> Result<()> {
    let folder = scene.plane.manifests();
    let part = folder.with_file_name("part");
    fs::write(&part, text)?;
    fs::set_permissions(&part, fs::Permissions::from_mode(0o600))?;
    fs::rename(part, folder.join(name)).context("the file was not put there")
}

/// kubectl finds nobody, and no process of the API server lives on.
pub(super) fn kubectl_is_out(scene: &Scene) -> Result<()> {
    let kubectl = scene.kubectl()?;
    wait_until("an API server that is down", LONG, || {
        Ok(scene.plane.static_pod("kube-apiserver").is_none() && !kubectl.run(&["get", "nodes"])?.success())
    })
}

pub(super) fn kubectl_works(scene: &Scene) -> Result<()> {
    let kubectl = scene.kubectl()?;
    wait_until("kubectl to work", LONG, || Ok(kubectl.run(&["get", "nodes"])?.success()))
}

/// The manifest with more lines before its first flag.
fn with_flags(good: &str, lines: &str) -> String {
    let own = good.replacen("    - kube-apiserver\n", &format!("    - kube-apiserver\n{lines}"), 1);
    if own == good {
        good.replacen("kube-apiserver\n    - --", &format!("kube-apiserver\n{lines}    - --"), 1)
    } else {
        own
    }
}

/// Waits until a container of it has crashed on this flag.
pub(super) fn crashed(scene: &Scene, words: &str) -> Result<()> {
    wait_until("the last words of a container", LONG, || {
        let said = scene.host().sh(&format!(
            "grep -l -e '{words}' /var/log/pods/kube-system_kube-apiserver*/*/*.log 2>/dev/null || true"
        ))?;
        Ok(!said.ok()?.trim().is_empty())
    })
}

pub(super) fn a_bad_flag_is_taken_out_and_comes_back_by_undo() -> Result<()> {
    let scene = &*scene()?;
    kubectl_works(scene)?;
    let (whole, around) = (files(&scene.plane.manifests())?, beside(scene)?);
    let file = scene.plane.manifests().join("kube-apiserver.yaml");
    let good = fs::read_to_string(&file)?;
    // Two of them, and a remark that has to stay.
    let first = "    - --audit-log-maxsiez=100 # said Ann\n    # - --audit-log-maxsiez=200\n";
    let bad = with_flags(&good, first);
    ensure!(bad != good, "no place for a flag in:\n{good}");
    let bad = bad.replacen("    image:", "    - --max-requests-inflight\n    - many\n    image:", 1);
    write(scene, "kube-apiserver.yaml", &bad)?;
    crashed(scene, "audit-log-maxsiez")?;
    kubectl_is_out(scene)?;
    let broken = files(&scene.plane.manifests())?;

    let began = Instant::now();
    let said = flat(&scene.run(&["run", "bad-manifest", "--yes", "--reason", "a rehearsal"])?);
    kubectl_works(scene)?;
    println!("bad-manifest: kubectl works after {:.1} s, two flags", began.elapsed().as_secs_f64());
    for part in [
        "bad flag: --audit-log-maxsiez",
        "unknown flag",
        "bad flag: --max-requests-inflight",
        "invalid argument \"many\"",
    ] {
        ensure!(said.contains(part), "{part:?} was not said:\n{said}");
    }
    let mended = fs::read_to_string(&file)?;
    ensure!(
        mended == good.replacen("    - kube-apiserver\n", "    - kube-apiserver\n    # - --audit-log-maxsiez=200\n", 1)
            || mended.replace("    # - --audit-log-maxsiez=200\n", "") == good,
        "not just the flags went:\n{mended}"
    );
    let again = flat(&scene.run(&["rescue-manifest", "--yes"])?);
    ensure!(again.contains("answers: nothing to do"), "{again}");

    // Undone: down again, to the byte; by hand it is put right.
    let run = scene.last_run("bad-manifest")?;
    scene.run(&["undo", &run, "--yes"])?;
    ensure!(files(&scene.plane.manifests())? == broken, "not the same bytes: {:?}", files(&scene.plane.manifests())?);
    ensure!(beside(scene)? == around, "something is left beside the folder: {:?}", beside(scene)?);
    write(scene, "kube-apiserver.yaml", &good)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(mode(&whole, "kube-apiserver.yaml")?))?;
    kubectl_works(scene)?;
    ensure!(files(&scene.plane.manifests())? == whole, "the scene is not what it was");
    Ok(())
}

/// The manifest is gone, and then there is one that nobody can read; its host still has a good text of it.
pub(super) fn another_text_is_put_in_where_the_manifest_is_gone() -> Result<()> {
    let scene = &*scene()?;
    kubectl_works(scene)?;
    let whole = files(&scene.plane.manifests())?;
    let file = scene.plane.manifests().join("kube-apiserver.yaml");
    // As kubeadm leaves one when it upgrades.
    let backup = scene.host().etc_kubernetes().join("tmp/kubeadm-backup-manifests-1/kube-apiserver.yaml");
    fs::create_dir_all(backup.parent().context("a folder")?)?;
    fs::copy(&file, &backup)?;
    let around = beside(scene)?;
    fs::remove_file(&file)?;
    kubectl_is_out(scene)?;
    let told = scene.ends(&["run", "bad-manifest", "--yes"])?;
    let said = flat(&format!("{}{}", told.stdout, told.stderr));
    let from = format!("from={}", "/etc/kubernetes/tmp/kubeadm-backup-manifests-1/kube-apiserver.yaml");
    let hint = format!("--{}", from.replacen('=', " ", 1));
    ensure!(!told.success() && said.contains("manifest gone") && said.contains(&hint), "{said}");

    for old in [None, Some("apiVersion: v1\nkind: Pod\nspec: {containers: [{name: kube-apiserver\n")] {
        if let Some(text) = old {
            write(scene, "kube-apiserver.yaml", text)?;
            kubectl_is_out(scene)?;
        }
        let broken = files(&scene.plane.manifests())?;
        let began = Instant::now();
        scene.run(&["run", "bad-manifest", "-p", &from, "--yes"])?;
        kubectl_works(scene)?;
        println!("bad-manifest from: kubectl works after {:.1} s, {old:?}", began.elapsed().as_secs_f64());
        ensure!(fs::read(&file)? == fs::read(&backup)?, "another text stands there");
        scene.run(&["undo", "last", "--yes"])?;
        ensure!(
            files(&scene.plane.manifests())? == broken,
            "not the same bytes: {:?}",
            files(&scene.plane.manifests())?
        );
        ensure!(beside(scene)? == around, "something is left beside the folder: {:?}", beside(scene)?);
        kubectl_is_out(scene)?;
    }
    let good = fs::read_to_string(&backup)?;
    write(scene, "kube-apiserver.yaml", &good)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(mode(&whole, "kube-apiserver.yaml")?))?;
    fs::remove_dir_all(scene.host().etc_kubernetes().join("tmp"))?;
    kubectl_works(scene)?;
    ensure!(files(&scene.plane.manifests())? == whole, "the scene is not what it was");
    Ok(())
}

/// What was kept in peace is put in where the manifest is gone, and no other text of it lies on the host.
pub(super) fn the_kits_copy_is_put_in_where_the_manifest_is_gone() -> Result<()> {
    let scene = &*scene()?;
    kubectl_works(scene)?;
    let whole = files(&scene.plane.manifests())?;
    let kept = scene.folder.join("kit/lab.kept");
    let refresh = ["kit", "refresh", "lab"];
    let host = scene.host().name();
    let none = scene.ends(&["rescue-manifest", "--from", "kit", "--yes"])?;
    ensure!(none.code == 3 && flat(&none.stderr).contains("breakglass kit refresh"), "{none:?}");
    let said = scene.run(&refresh)?;
    for program in ["kube-apiserver", "etcd", "kube-scheduler", "kube-controller-manager"] {
        let bytes = fs::read(kept.join(format!("{host}.{program}.yaml")));
        let own = whole.iter().find(|(name, _, _)| *name == format!("{program}.yaml"));
        ensure!(bytes.ok().as_ref() == own.map(|(_, bytes, _)| bytes), "{program} is not kept as it is:\n{said}");
    }
    let again = scene.run(&refresh)?;
    ensure!(again.matches("the same as before").count() == whole.len(), "{again}");

    let file = scene.plane.manifests().join("kube-apiserver.yaml");
    let around = beside(scene)?;
    let good = fs::read_to_string(&file)?;
    fs::remove_file(&file)?;
    kubectl_is_out(scene)?;
    let left = scene.ends(&refresh)?;
    ensure!(left.code == 3 && left.stdout.contains("not kept: there is none in"), "{left:?}");
    let told = scene.ends(&["run", "bad-manifest", "--yes"])?;
    let said = flat(&format!("{}{}", told.stdout, told.stderr));
    ensure!(!told.success() && said.contains("manifest gone") && said.contains("--from kit"), "{said}");

    // What others could have written does not run as root on a host.
    let copy = kept.join(format!("{host}.kube-apiserver.yaml"));
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o666))?;
    let open = scene.ends(&["rescue-manifest", "--from", "kit", "--yes"])?;
    ensure!(!open.success() && flat(&open.stderr).contains("chmod"), "{open:?}");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o600))?;

    let broken = files(&scene.plane.manifests())?;
    let began = Instant::now();
    scene.run(&["run", "bad-manifest", "-p", "from=kit", "--yes"])?;
    kubectl_works(scene)?;
    println!("bad-manifest from=kit: kubectl works after {:.1} s", began.elapsed().as_secs_f64());
    ensure!(fs::read_to_string(&file)? == good, "another text stands there");
    scene.run(&["undo", "last", "--yes"])?;
    ensure!(files(&scene.plane.manifests())? == broken, "not the same: {:?}", files(&scene.plane.manifests())?);
    ensure!(beside(scene)? == around, "something is left beside the folder: {:?}", beside(scene)?);
    kubectl_is_out(scene)?;

    // A text with which it does not answer is not kept, and the copy is the good one still.
    write(scene, "kube-apiserver.yaml", &with_flags(&good, "    - --max-requests-inflight=many\n"))?;
    let left = scene.ends(&refresh)?;
    ensure!(left.code == 3 && left.stdout.contains("not kept: it does not answer"), "{left:?}");
    ensure!(fs::read_to_string(&copy)? == good, "a bad text was kept");
    scene.run(&["rescue-manifest", "--from", "kit", "--yes"])?;
    kubectl_works(scene)?;
    ensure!(fs::read_to_string(&file)? == good, "another text stands there");
    scene.run(&["undo", "last", "--yes"])?;
    write(scene, "kube-apiserver.yaml", &good)?;
    kubectl_works(scene)?;
    fs::remove_dir_all(&kept)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(mode(&whole, "kube-apiserver.yaml")?))?;
    ensure!(files(&scene.plane.manifests())? == whole, "the scene is not what it was");
    Ok(())
}

/// Whoever restarts the kubelet of an API server that crash-loops has it hold on to the old pod, whatever is mended then.
pub(super) fn a_kubelet_that_holds_on_is_told() -> Result<()> {
    let scene = &*scene()?;
    kubectl_works(scene)?;
    let whole = files(&scene.plane.manifests())?;
    let good = fs::read_to_string(scene.plane.manifests().join("kube-apiserver.yaml"))?;
    write(scene, "kube-apiserver.yaml", &with_flags(&good, "    - --audit-log-maxsiez=100\n"))?;
    crashed(scene, "audit-log-maxsiez")?;
    kubectl_is_out(scene)?;
    scene.plane.restart_kubelet(scene.host())?;
    // It has taken the old text up once a container of its own has crashed; the last one of the kubelet before may crash only now.
    let logs = "/var/log/pods/kube-system_kube-apiserver*/*/*.log";
    let before = scene.host().sh(&format!("ls {logs}"))?.ok()?;
    wait_until("the crash of another container", LONG, || {
        let crashed = scene.host().sh(&format!("grep -ls maxsiez {logs} || true"))?.ok()?;
        Ok(crashed.lines().any(|log| !before.contains(log)))
    })?;
    write(scene, "kube-apiserver.yaml", &good)?;
    fs::set_permissions(
        scene.plane.manifests().join("kube-apiserver.yaml"),
        fs::Permissions::from_mode(mode(&whole, "kube-apiserver.yaml")?),
    )?;
    let told = scene.ends(&["rescue-manifest", "--yes"])?;
    let said = flat(&format!("{}{}", told.stdout, told.stderr));
    for part in ["its kubelet does not start it", "no container of it was started since", "systemctl restart kubelet"] {
        ensure!(!told.success() && said.contains(part), "{part}: {said}");
    }
    kubectl_is_out(scene)?;
    scene.plane.restart_kubelet(scene.host())?;
    kubectl_works(scene)?;
    ensure!(files(&scene.plane.manifests())? == whole, "the scene is not what it was");
    Ok(())
}

pub(super) fn mode(files: &[(String, Vec<u8>, u32)], name: &str) -> Result<u32> {
    files.iter().find(|(own, _, _)| own == name).map(|(_, _, mode)| *mode).context("no such file")
}

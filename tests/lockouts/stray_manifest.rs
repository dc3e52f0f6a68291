//! L9: a copy of the API server's manifest, left in the folder of the static pods: its kubelet obeys the copy, and kubectl is out.

use std::fs;
use std::time::Instant;

use anyhow::{Result, ensure};

use super::bad_manifest::{beside, crashed, files, kubectl_is_out, kubectl_works, write};
use super::{flat, scene};

const COPY: &str = "kube-apiserver.yaml.bak";

pub(super) fn a_stray_copy_is_moved_out_and_comes_back_by_undo() -> Result<()> {
    let scene = &*scene()?;
    kubectl_works(scene)?;
    let (whole, around) = (files(&scene.plane.manifests())?, beside(scene)?);
    let good = fs::read_to_string(scene.plane.manifests().join("kube-apiserver.yaml"))?;
    let stray = good.replacen("    image:", "    - --experimental-flag-of-yesterday=1\n    image:", 1);
    ensure!(stray != good, "no place for a flag in:\n{good}");
    write(scene, COPY, &stray)?;
    crashed(scene, "experimental-flag-of-yesterday")?;
    kubectl_is_out(scene)?;
    let broken = files(&scene.plane.manifests())?;

    let began = Instant::now();
    let said = flat(&scene.run(&["run", "stray-manifest", "--yes", "--reason", "a rehearsal"])?);
    kubectl_works(scene)?;
    println!("stray-manifest: kubectl works after {:.1} s", began.elapsed().as_secs_f64());
    ensure!(said.contains("a stray file that wins") && said.contains(COPY), "{said}");
    ensure!(files(&scene.plane.manifests())? == whole, "the folder is not what it was without the copy");

    let run = scene.last_run("stray-manifest")?;
    scene.run(&["undo", &run, "--yes"])?;
    ensure!(files(&scene.plane.manifests())? == broken, "not the same bytes: {:?}", files(&scene.plane.manifests())?);
    ensure!(beside(scene)? == around, "something is left beside the folder: {:?}", beside(scene)?);
    fs::remove_file(scene.plane.manifests().join(COPY))?;
    kubectl_works(scene)?;
    ensure!(files(&scene.plane.manifests())? == whole, "the scene is not what it was");
    Ok(())
}

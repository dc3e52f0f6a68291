//! What a real API server and its kubelet would not take, refused before anything is taken out; and why one did not come.

use anyhow::{Context as _, Result, ensure};
use testbed::wait_until;

use super::{LONG, Scene, scene};

/// Runs a step of the program that must fail; what it said.
fn fails(scene: &Scene, name: &str, arguments: &[&str]) -> Result<String> {
    let all = [&["scale-apiserver", "--cluster", "lab", "--yes"], arguments].concat();
    let output = scene.program(name, &all).output()?;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{text}");
    ensure!(!output.status.success(), "{arguments:?} ended well:\n{text}");
    Ok(text)
}

/// The process that runs is asked, and stays the one that runs.
pub(super) fn with_the_server_untouched() -> Result<()> {
    let scene = &*scene()?;
    wait_until("a ready API server", LONG, || scene.plane.is_ready())?;
    let (manifests, beside) = (scene.manifests()?, scene.left_beside()?);
    let before = scene.plane.static_pod("kube-apiserver").context("no API server")?.pid;
    for (arguments, parts) in [
        (
            ["--flag", "max-request-inflight=800"],
            ["unknown flag: --max-request-inflight", "did you mean --max-requests-inflight"],
        ),
        (["--flag", "max-requests-inflight=many"], ["invalid argument \"many\"", "max-requests-inflight"]),
        (
            ["--limit", "memory=64Mi"],
            ["limits.memory 64Mi is not more than what kube-apiserver uses now", "would be killed"],
        ),
        (["--limit", "memory=60Ti"], ["the request, too, is", "the kubelet would not start the pod"]),
    ] {
        let text = fails(scene, "refused", &arguments)?;
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in parts {
            ensure!(flat.contains(part), "{arguments:?}: {part:?} is not in:\n{text}");
        }
        scene.is_as_it_was(&manifests, &beside)?;
    }
    let after = scene.plane.static_pod("kube-apiserver").context("no API server")?.pid;
    ensure!(after == before, "the API server was started anew");
    // What it knows is not refused.
    let text = scene.run(
        "refused",
        &["scale-apiserver", "--cluster", "lab", "--drill", "--yes", "--flag", "goaway-chance=0.001"],
    )?;
    ensure!(!text.contains("not checked"), "{text}");
    Ok(())
}

/// A value that its parser takes and its own check does not: only its log can tell.
pub(super) fn or_told_by_its_log() -> Result<()> {
    let scene = &*scene()?;
    wait_until("a ready API server", LONG, || scene.plane.is_ready())?;
    let (manifests, beside) = (scene.manifests()?, scene.left_beside()?);
    let text = fails(scene, "told", &["--flag", "goaway-chance=7"])?;
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["its log ends:", "goaway-chance", "the same edit would fail again"] {
        ensure!(flat.contains(part), "{part:?} is not in:\n{text}");
    }
    scene.run("told", &["undo", "last", "--yes"])?;
    wait_until("a ready API server", LONG, || scene.plane.is_ready())?;
    scene.is_as_it_was(&manifests, &beside)
}

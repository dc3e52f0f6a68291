//! L11: the API server is killed for its memory at each start, by clients that come back at once: kubectl is out.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use testbed::{
    Kit, Kubectl, Lab, STORM_OOM, User, place_for_a_storm, pod_process, start_storm_oom, wait_until, watch_restarts,
};

use super::bad_manifest::{beside, files};
use super::{LONG, Scene, flat};

/// More than two starts of a static pod take, with the kubelet's pauses between them.
const RESTARTS: Duration = Duration::from_mins(4);
/// What all of this takes: an order among storms and no promise.
const STORY: Duration = Duration::from_secs(150);
const MEMORY: &str = "memory=2Gi";
const OFFENDER: &str = "offender=ds/telemetry/telemetry-agent";

/// Seconds until kubectl is answered three times in a row, while something runs that is to bring that about; and what came of it.
pub(super) fn until_in<T>(kubectl: &Kubectl, opens: impl FnOnce() -> Result<T>) -> Result<(f32, T)> {
    let (began, over) = (Instant::now(), AtomicBool::new(false));
    thread::scope(|scope| {
        let watching = scope.spawn(|| -> Result<f32> {
            let (mut first, mut in_a_row) = (0.0, 0);
            while in_a_row < 3 {
                ensure!(!over.load(Ordering::Relaxed) || began.elapsed() < LONG * 2, "kubectl is not answered");
                let answered = kubectl.run_within(&["get", "nodes"], b"", Duration::from_secs(10));
                let answered = answered.is_ok_and(|output| output.success());
                if in_a_row == 0 {
                    first = began.elapsed().as_secs_f32();
                }
                in_a_row = if answered { in_a_row + 1 } else { 0 };
                thread::sleep(Duration::from_millis(100));
            }
            Ok(first)
        });
        let opened = opens();
        over.store(true, Ordering::Relaxed);
        let took = watching.join().map_err(|_| anyhow::anyhow!("who watched kubectl panicked"))?;
        Ok((took?, opened?))
    })
}

/// It is not answered for a quarter of a minute, whatever the server's short lives.
fn kubectl_is_out(kubectl: &Kubectl) -> Result<()> {
    let (mut asked, mut answered) = (0, 0);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(15) {
        asked += 1;
        let output = kubectl.run_within(&["get", "nodes"], b"", Duration::from_secs(10));
        answered += u32::from(output.is_ok_and(|output| output.success()));
        thread::sleep(Duration::from_millis(200));
    }
    println!("testbed: kubectl: {answered} of {asked} answered while it loops");
    ensure!(asked >= 2 && answered * 4 <= asked, "kubectl is not out: {answered} of {asked} answered");
    Ok(())
}

pub(super) fn an_api_server_that_is_killed_at_each_start_comes_back_and_undo_is_exact() -> Result<()> {
    let _place = place_for_a_storm(STORY)?;
    let lab = Lab::shared()?;
    let hosts = lab.hosts(["oom-cp", "oom-worker"])?;
    let plane = start_storm_oom(lab, &hosts[0], &hosts[1], &STORM_OOM)?;
    let scene = Scene { plane, worker: hosts[1].clone(), folder: lab.folder("engineer-oom")? };
    Kit::direct(&hosts[..1])
        .and_nodes(&hosts[1..])
        .with_credentials(&scene.plane.access().credential_files(User::Alice)?)
        .write(lab, &scene.folder.join("kit"), "lab")?;
    watch_restarts(&scene.plane, 2, RESTARTS)?;
    let kubectl = scene.kubectl()?;
    kubectl_is_out(&kubectl)?;
    let (broken, around) = (files(&scene.plane.manifests())?, beside(&scene)?);
    // Its host says so; at a moment when it answers there is nothing to tell.
    wait_until("the class of what keeps it down", LONG, || {
        let told = scene.ends(&["rescue-manifest", "--yes"])?;
        Ok(flat(&told.stderr).contains("killed for its memory by the kernel"))
    })?;

    // The offender is not known: the engineer is in, and finds out who it is.
    let arguments = ["run", "apiserver-oom-loop", "-p", MEMORY, "-p", "reopen=false", "--yes", "-v"];
    let (took, said) = until_in(&kubectl, || scene.run(&arguments))?;
    println!("testbed: apiserver-oom-loop: kubectl works after {took:.1} s, the offender unknown");
    let knocks = format!("the loudest: {}", hosts[1].ip4());
    ensure!(flat(&said).contains(&knocks), "{knocks:?} was not said:\n{said}");
    scene.run(&["undo", "last", "--yes"])?;
    ensure!(files(&scene.plane.manifests())? == broken, "not the same bytes: {:?}", files(&scene.plane.manifests())?);
    ensure!(beside(&scene)? == around, "something is left beside the folder: {:?}", beside(&scene)?);
    // The same bytes are the same pod to its kubelet, which goes on with the pause that it was in: minutes, by now.
    wait_until("the death of the API server", RESTARTS, || Ok(scene.plane.static_pod("kube-apiserver").is_none()))?;
    kubectl_is_out(&kubectl)?;

    let arguments = ["run", "apiserver-oom-loop", "-p", MEMORY, "-p", OFFENDER, "--yes", "-v"];
    let (took, _) = until_in(&kubectl, || scene.run(&arguments))?;
    println!("testbed: apiserver-oom-loop: kubectl works after {took:.1} s, the offender known");
    wait_until("the end of the offender's process", LONG, || Ok(pod_process(&hosts[1], "telemetry-agent").is_none()))?;
    let manifest = fs::read_to_string(scene.plane.manifests().join("kube-apiserver.yaml"))?;
    ensure!(manifest.contains("memory: 2Gi"), "{manifest}");
    scene.run(&["undo", "last", "--yes"]).context("undo")?;
    ensure!(files(&scene.plane.manifests())? == broken, "not the same bytes: {:?}", files(&scene.plane.manifests())?);
    ensure!(beside(&scene)? == around, "something is left beside the folder: {:?}", beside(&scene)?);
    Ok(())
}

//! Flux's own controller of Kustomizations, over a repository that is a file.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::time::Instant;

use super::*;

const AGENT: [&str; 2] = ["daemonset", "agent"];
const APPS: [&str; 4] = ["kustomization", "apps", "-n", "flux-system"];
const TOP: [&str; 4] = ["kustomization", "flux-system", "-n", "flux-system"];

const SOURCE: &str = "
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
spec: {interval: 1h, url: 'https://git.test/apps'}
";

/// A Kustomization over a folder of the repository. That it is not to be suspended stands there, too: its parent sees to that.
fn kustomization(name: &str, folder: &str) -> String {
    format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: {name}, namespace: flux-system}}
spec:
  interval: 1s
  retryInterval: 1s
  path: ./{folder}
  prune: true
  suspend: false
  targetNamespace: default
  sourceRef: {{kind: GitRepository, name: flux-system}}
"
    )
}

const WORKLOAD: &str = "
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: main, image: none.invalid/none:1}]}
";

/// What nobody freezes: each time that it comes back Flux has been at work.
const CLOCK: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: clock}}";

/// Packs the repository; its digest as Flux writes it.
fn packed(folder: &Path) -> Result<(Vec<u8>, String)> {
    let top = kustomization("apps", "apps");
    for (file, text) in
        [("clusters/apps.yaml", top.as_str()), ("apps/agent.yaml", WORKLOAD), ("clock/clock.yaml", CLOCK)]
    {
        let file = folder.join("repository").join(file);
        fs::create_dir_all(file.parent().context("a folder")?)?;
        fs::write(file, text)?;
    }
    let (archive, repository) = (folder.join("repository.tar.gz"), folder.join("repository"));
    let mut tar = Command::new("tar");
    tar.arg("-czf").arg(&archive).arg("-C").arg(&repository).arg(".");
    Running::start(&mut tar, b"")?.wait(LONG)?.ok()?;
    let sum = Running::start(Command::new("sha256sum").arg(&archive), b"")?.wait(LONG)?.ok()?;
    let digest = format!("sha256:{}", sum.split_whitespace().next().context("a sum")?);
    Ok((fs::read(archive)?, digest))
}

/// Serves it to whoever asks, on loopback, for as long as this process lives.
fn served(archive: Vec<u8>) -> Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let url = format!("http://{}/repository.tar.gz", listener.local_addr()?);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = [0; 4096];
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", archive.len());
            // Who hangs up asks again.
            let _ = stream
                .read(&mut request)
                .and_then(|_| stream.write_all(head.as_bytes()))
                .and_then(|()| stream.write_all(&archive));
        }
    });
    Ok(url)
}

/// The controller; killed when dropped.
fn controller(kubeconfig: &Path, log: &Path) -> Result<Running> {
    let program = testbed::flux()?;
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$@\" >>\"$0\" 2>&1"]).arg(log).arg(program).env("RUNTIME_NAMESPACE", "flux-system");
    command.args(["--metrics-addr=127.0.0.1:0", "--health-addr=127.0.0.1:0"]).env("KUBECONFIG", kubeconfig);
    Running::start(&mut command, b"")
}

/// Flux has put something else back so often that nobody froze: it is alive, and has looked.
fn rounds(kubectl: &Kubectl, times: u64) -> Result<()> {
    for _ in 0..times {
        kubectl.run(&["delete", "configmap", "clock"])?.ok()?;
        wait_until("Flux to be at work", LONG, || Ok(uid(kubectl, &["configmap", "clock"])?.is_some()))?;
    }
    Ok(())
}

pub(super) fn frozen() -> Result<()> {
    let _turn = turn();
    let Plane { plane, .. } = shared()?;
    let (kubectl, engineer) = (plane.kubectl(User::Masters)?, Engineer::new("flux")?);
    let (archive, digest) = packed(&engineer.folder)?;
    let url = served(archive)?;
    kubectl.apply(SOURCE)?;
    let artifact = serde_json::json!({"status": {"artifact": {"path": "a/repository.tar.gz", "url": url, "digest": digest,
        "revision": "main@sha1:0000000000000000000000000000000000000001", "lastUpdateTime": "2026-01-01T00:00:00Z"}}});
    let status =
        ["patch", "gitrepository", "flux-system", "-n", "flux-system", "--subresource=status", "--type=merge", "-p"];
    kubectl.run(&[&status[..], &[&artifact.to_string()]].concat())?.ok()?;
    let log = engineer.folder.join("kustomize-controller.log");
    let flux = controller(kubectl.kubeconfig(), &log)?;
    kubectl.apply(
        &kustomization("flux-system", "clusters").replace("targetNamespace: default", "targetNamespace: flux-system"),
    )?;
    kubectl.apply(&kustomization("clock", "clock"))?;
    let there = wait_until("what Flux puts there", LONG, || Ok(uid(&kubectl, &AGENT)?.is_some()));
    there.with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
    rounds(&kubectl, 1)?;

    // Deleted, it is back; with its own Kustomization suspended by hand, the parent sets that going again, and it is back.
    let before = uid(&kubectl, &AGENT)?;
    kubectl.run(&["delete", "daemonset", "agent"])?.ok()?;
    let began = Instant::now();
    wait_until("the workload to be put back", LONG, || {
        Ok(uid(&kubectl, &AGENT)?.is_some_and(|now| Some(now) != before))
    })?;
    println!("testbed: deleted, Flux has the workload back after {:.1} s", began.elapsed().as_secs_f64());
    let suspend = |to: &str| format!(r#"{{"spec": {{"suspend": {to}}}}}"#);
    let suspended = || -> Result<bool> { Ok(whole(&kubectl, &APPS)?["spec"]["suspend"] == true) };
    kubectl
        .run(&["patch", "kustomization", "apps", "-n", "flux-system", "--type=merge", "-p", &suspend("true")])?
        .ok()?;
    wait_until("the parent to set it going again", LONG, || Ok(!suspended()?))?;

    let before = [whole(&kubectl, &TOP)?, whole(&kubectl, &APPS)?];
    let mark = plane.servers()[0].audit().mark()?;
    let told = engineer.does(&["freeze-automation", "ds/default/agent"])?;
    let requests = sent(mark)?;
    ensure!(requests.iter().filter(|one| one.starts_with("patch ")).count() >= 2, "{requests:?}");
    println!("testbed: {} requests froze two Kustomizations", requests.len());
    ensure!(
        told.contains("kustomization/flux-system/apps is put back by kustomization/flux-system/flux-system"),
        "{told}"
    );
    engineer.does(&["delete", "ds/default/agent"])?;
    rounds(&kubectl, ROUNDS)?;
    ensure!(uid(&kubectl, &AGENT)?.is_none() && suspended()?, "it is back");

    engineer.undoes(&told)?;
    ensure!([whole(&kubectl, &TOP)?, whole(&kubectl, &APPS)?] == before, "{before:?}");
    wait_until("the workload to be put back", LONG, || Ok(uid(&kubectl, &AGENT)?.is_some()))?;
    drop(flux);
    // Without their controller nobody takes their finalizers away.
    for name in ["apps", "flux-system", "clock"] {
        let patch = [
            "patch",
            "kustomization",
            name,
            "-n",
            "flux-system",
            "--type=merge",
            "-p",
            r#"{"metadata": {"finalizers": null}}"#,
        ];
        kubectl.run(&patch)?.ok()?;
    }
    kubectl.run(&["delete", "kustomizations", "--all", "-n", "flux-system"])?.ok()?;
    kubectl.run(&["delete", "daemonset", "agent"])?.ok().map(drop)
}

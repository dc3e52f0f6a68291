//! A recovery API server beside a static pod's own: it answers while that one hangs, and leaves nothing, however it ends.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;
use testbed::{Kubectl, Process, Snapshot, User, wait_until};

use super::credentials::stands_in_no_file;
use super::{LONG, Scene, scene};

const FOLDER: &str = "/run/breakglass-recovery";

/// A private server, the one request that has to get through, and the end of it.
const RUNBOOK: &str = "
apiVersion: breakglass/v1
kind: Runbook
metadata: {name: through, purpose: a delete beside a server that hangs}
spec:
  steps:
  - {name: beside, kind: recovery-apiserver-start, with: {for: 2m}}
  - {name: through, kind: delete, with: {object: configmap/default/offender}}
  - {name: over, kind: recovery-apiserver-stop}
";

/// The recovery API server's process.
pub(super) fn server(scene: &Scene) -> Result<Option<Process>> {
    let all = scene.host().processes()?.into_iter();
    Ok(all.into_iter().find(|process| process.argv.first().is_some_and(|word| word.starts_with(FOLDER))))
}

/// All files but those that containers and their runtime write all the time.
pub(super) fn files(scene: &Scene) -> Result<Snapshot> {
    let busy = ["/var/log", "/var/lib/etcd", "/var/lib/kubelet", "/var/lib/containerd", "/run/containerd"];
    Ok(busy.iter().fold(scene.host().snapshot()?, |all, folder| all.without(folder)))
}

pub(super) fn nothing_is_left(scene: &Scene) -> Result<()> {
    wait_until("nothing of the recovery API server", LONG, || {
        let listens = scene.host().sh("ss -Hltn 'sport = :16443'")?.ok()?;
        let folder = scene.host().sh(&format!("ls -d {FOLDER} 2>/dev/null || true"))?.ok()?;
        Ok(server(scene)?.is_none() && listens.trim().is_empty() && folder.trim().is_empty())
    })
}

pub(super) fn a_write_gets_through_beside_a_server_that_hangs() -> Result<()> {
    let scene = &*scene()?;
    scene.write_kit(User::Masters)?;
    let masters = scene.plane.kubectl(User::Masters)?;
    masters.run(&["create", "configmap", "offender", "-n", "default"])?.ok()?;
    let file = scene.folder.join("through.yaml");
    fs::write(&file, RUNBOOK)?;
    let before = files(scene)?;

    let own = scene.plane.static_pod("kube-apiserver").context("no API server")?;
    own.signal(Signal::STOP);
    let out = masters.run_within(&["get", "configmap", "offender", "-n", "default"], b"", Duration::from_secs(5));
    let ran = scene.run(&["run", &file.display().to_string(), "--yes", "-v"]);
    own.signal(Signal::CONT);
    ensure!(out.is_err() || out.is_ok_and(|out| !out.success()), "kubectl was not out");
    ensure!(ran?.contains("recovery-"), "it was not asked");
    let gone = masters.run(&["get", "configmap", "offender", "-n", "default"])?;
    ensure!(gone.stderr.contains("NotFound"), "{gone:?}");
    nothing_is_left(scene)?;
    before.changes_until(&files(scene)?).expect_none()?;
    scene.write_kit(User::Alice)
}

/// By its time, by a signal to what keeps it, by the death of what keeps it, and by another engineer's word.
pub(super) fn it_leaves_nothing_however_it_ends() -> Result<()> {
    let scene = &*scene()?;
    let before = files(scene)?;
    let start = |time: &str| scene.run(&["recovery-apiserver", "start", "--for", time, "--yes"]);

    let said = start("15s")?;
    ensure!(said.contains("serves at 127.0.0.1:16443"), "{said}");
    nothing_is_left(scene)?;
    before.changes_until(&files(scene)?).expect_none()?;

    start("10m")?;
    let status = scene.run(&["recovery-apiserver", "status"])?;
    ensure!(status.contains("serves on port 16443") && status.contains("of alice"), "{status}");
    let again = start("20m")?;
    ensure!(again.contains("started by alice"), "{again}");
    // A verb of its own takes the way that stands, when it is told to.
    let through =
        scene.run(&["delete", "configmap/nobody", "-n", "default", "--recovery", "--access", "--yes", "-v"])?;
    ensure!(through.contains("recovery-") && through.contains("super-admin.conf"), "{through}");
    scene.host().sh(&format!("kill $(cat {FOLDER}/state)"))?.ok()?;
    nothing_is_left(scene)?;
    before.changes_until(&files(scene)?).expect_none()?;

    start("10m")?;
    scene.host().sh(&format!("kill -KILL $(cat {FOLDER}/state)"))?.ok()?;
    wait_until("the end of the server with what keeps it", LONG, || Ok(server(scene)?.is_none()))?;
    scene.run(&["recovery-apiserver", "stop", "--yes"])?;
    nothing_is_left(scene)?;
    before.changes_until(&files(scene)?).expect_none()?;

    start("10m")?;
    scene.run(&["undo", "last", "--yes"])?;
    nothing_is_left(scene)?;
    before.changes_until(&files(scene)?).expect_none()
}

/// L8 and more: what stands in the way is said, and one that can be started in spite of it is.
pub(super) fn what_stands_in_the_way_is_said() -> Result<()> {
    let scene = &*scene()?;
    scene.write_kit(User::Masters)?;
    let etcd = scene.plane.static_pod("etcd").context("no etcd")?;
    etcd.signal(Signal::STOP);
    let refused = scene.ends(&["recovery-apiserver", "start", "--yes"]);
    etcd.signal(Signal::CONT);
    let refused = refused?;
    ensure!(!refused.success() && refused.stderr.contains("etcd does not answer"), "{refused:?}");
    nothing_is_left(scene)?;

    // A flag that it does not know: its own process dies at each start, and no other is there to take the program from.
    let manifest = scene.plane.manifests().join("kube-apiserver.yaml");
    let before = fs::read_to_string(&manifest)?;
    fs::write(&manifest, before.replacen("    - --etcd-servers", "    - --no-such-flag=1\n    - --etcd-servers", 1))?;
    wait_until("the end of the old process", LONG, || Ok(scene.plane.static_pod("kube-apiserver").is_none()))?;
    let died = scene.ends(&["recovery-apiserver", "start", "--yes"])?;
    let said = died.stdout + &died.stderr;
    ensure!(died.code != 0 && said.contains("unknown flag: --no-such-flag") && said.contains("--unset"), "{said}");
    scene.run(&["recovery-apiserver", "stop", "--yes"])?;
    let file = scene.folder.join("unset.yaml");
    let text =
        RUNBOOK.replace("{for: 2m}", "{for: 2m, unset: [no-such-flag]}").replace("default/offender", "default/unset");
    fs::write(&file, text)?;
    let ran = scene.run(&["run", &file.display().to_string(), "--yes", "-v"]);
    fs::write(&manifest, before)?;
    // The configmap was never there: what counts is who said so.
    ensure!(ran?.contains("recovery-"), "it was not asked");
    nothing_is_left(scene)?;
    wait_until("the host's own API server", LONG, || scene.plane.is_ready())?;
    scene.write_kit(User::Alice)
}

/// A webhook that nobody answers for, and that is asked before anything is deleted.
const WEBHOOK: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: nobody-answers}
webhooks:
- name: deletions.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  timeoutSeconds: 1
  clientConfig: {service: {name: nobody, namespace: default}}
  rules:
  - {apiGroups: [''], apiVersions: [v1], operations: [DELETE], resources: [configmaps]}
";

/// Neither what refuses on admission nor what one may do counts there, when that was asked for: to whom it was asked for alone, and no
/// longer than it is there.
pub(super) fn webhooks_and_rights_do_not_stand_in_its_way() -> Result<()> {
    let scene = &*scene()?;
    let masters = scene.plane.kubectl(User::Masters)?;
    // Signed by an authority that this cluster has never heard of.
    scene.write_kit(User::Foreign)?;
    masters.apply(WEBHOOK)?;
    masters.run(&["create", "configmap", "offender", "-n", "default"])?.ok()?;
    wait_until("the webhook that refuses", LONG, || {
        let out = masters.run(&["delete", "configmap", "offender", "-n", "default"])?;
        if out.success() {
            masters.run(&["create", "configmap", "offender", "-n", "default"])?.ok()?;
        }
        Ok(out.stderr.contains("deletions.example.com"))
    })?;
    let record = scene.plane.audit().beside(".breakglass");
    let mark = record.mark()?;
    let before = files(scene)?;
    let file = scene.folder.join("known.yaml");
    fs::write(&file, RUNBOOK.replace("{for: 2m}", "{for: 2m, withoutWebhooks: true, mint: true}"))?;
    scene.run(&["run", &file.display().to_string(), "--yes", "-v"])?;
    let gone = masters.run(&["get", "configmap", "offender", "-n", "default"])?;
    ensure!(gone.stderr.contains("NotFound"), "{gone:?}");
    nothing_is_left(scene)?;

    // For a colleague's kubectl, through a tunnel: here the host's own loopback.
    let (one, other) = (scene.folder.join("one.conf"), scene.folder.join("other.conf"));
    for file in [&one, &other] {
        let file = file.display().to_string();
        let said = scene.run(&["recovery-apiserver", "start", "--mint", "--write-kubeconfig", &file, "--yes"])?;
        ensure!(said.contains("ssh -N -L 127.0.0.1:16443") && said.contains("knows us as system:masters"), "{said}");
        let again = scene.ends(&["recovery-apiserver", "start", "--mint", "--write-kubeconfig", &file, "--yes"])?;
        ensure!(!again.success() && again.stderr.contains("is there already"), "{again:?}");
    }
    // Both are taken there, and by no other server; what the cluster does not know is not taken there either.
    let whoami = |file: &Path, port: u16| {
        let kubectl = Kubectl::new(file.to_owned(), scene.folder.clone());
        let server = format!("https://127.0.0.1:{port}");
        scene.host().in_network(|| kubectl.run(&["auth", "whoami", "--server", &server, "--insecure-skip-tls-verify"]))
    };
    for file in [&one, &other] {
        let kubectl = Kubectl::new(file.clone(), scene.folder.clone());
        let known = scene.host().in_network(|| kubectl.run(&["auth", "whoami"]))?.ok()?;
        ensure!(known.contains("breakglass:alice") && known.contains("system:masters"), "{known}");
        let main = whoami(file, 6443)?;
        ensure!(!main.success() && main.stderr.contains("Unauthorized"), "{main:?}");
    }
    ensure!(!whoami(scene.plane.kubectl(User::Foreign)?.kubeconfig(), 16443)?.success(), "a stranger was let in");
    ensure!(whoami(masters.kubeconfig(), 16443)?.success(), "the cluster's own was not let in");
    stands_in_no_file(scene, &["PRIVATE KEY"])?;
    // Who came that way, and for what, is on record beside the record of the host's own.
    let asked = record.by("breakglass:alice", mark)?;
    let has = |verb: &str, part: &str| asked.iter().any(|one| one.verb == verb && one.uri.contains(part));
    ensure!(has("delete", "configmaps") && has("create", "selfsubjectreviews"), "{asked:?}");
    scene.run(&["recovery-apiserver", "stop", "--yes"])?;
    nothing_is_left(scene)?;
    ensure!(!whoami(&one, 16443)?.success(), "it is there no more");
    before.changes_until(&files(scene)?).expect_none()?;
    masters.run(&["delete", "validatingwebhookconfiguration", "nobody-answers"])?.ok()?;
    scene.write_kit(User::Alice)
}

//! An offender whose pods ask the API in a loop is ended on its nodes, and the API servers are asked nothing for it: their audit log
//! tells what arrived.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use testbed::{Host, Kit, Lab, User, audit::Mark, wait_until};

use super::{LONG, Scene, engineer, flat, program, scene};

/// What is watched to stay silent is watched for this long; its loop takes less than half a second.
const SILENT: Duration = Duration::from_secs(8);

/// A DaemonSet that asks by kubectl, with an account of its own. `extra` are lines of its container.
fn asks(scene: &Scene, name: &str, spec: &str, extra: &str) -> Result<String> {
    let kubectl = scene.kubectl()?.command(&[])?;
    let programs = std::path::Path::new(kubectl.get_program()).parent().context("no folder")?.to_owned();
    let secrets = "/var/run/secrets/kubernetes.io/serviceaccount";
    let ask = format!(
        "httpd -p 8080 -h /tmp; while :; do kubectl --server={} --certificate-authority={secrets}/ca.crt \
         --token=$(cat {secrets}/token) --request-timeout=5s get --raw /api/v1/namespaces/default/pods; sleep 0.1; done",
        scene.plane.access().endpoint()
    );
    Ok(format!(
        "
apiVersion: v1
kind: ServiceAccount
metadata: {{name: {name}, namespace: default}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: {name}, namespace: default}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      serviceAccountName: {name}
      terminationGracePeriodSeconds: 1
{spec}      volumes: [{{name: programs, hostPath: {{path: {}}}}}]
      containers:
      - name: main
        image: bg.local/busybox:1
        command: [sh, -c, '{ask}']
        env: [{{name: HOME, value: /tmp}}]
        volumeMounts: [{{name: programs, mountPath: /k}}]
{extra}",
        programs.display()
    ))
}

struct Watched<'a> {
    scene: &'a Scene,
    folder: std::path::PathBuf,
}

impl Watched<'_> {
    fn mark(&self) -> Result<Mark> {
        self.scene.plane.audit().mark()
    }

    /// How often the account of a DaemonSet has asked since.
    fn asked(&self, name: &str, since: Mark) -> Result<usize> {
        let user = format!("system:serviceaccount:default:{name}");
        Ok(self.scene.plane.audit().by(&user, since)?.len())
    }

    fn asks(&self, name: &str) -> Result<()> {
        let since = self.mark()?;
        wait_until(&format!("{name} to ask"), LONG, || Ok(self.asked(name, since)? > 1))
    }

    /// It asks nothing, while these others go on.
    fn is_silent(&self, name: &str, others: &[&str], since: Mark) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < SILENT {
            ensure!(self.asked(name, since)? == 0, "{name} asks: {} times", self.asked(name, since)?);
            std::thread::sleep(Duration::from_millis(500));
        }
        for other in others {
            wait_until(&format!("{other} to go on"), LONG, || Ok(self.asked(other, since)? > 0))?;
        }
        ensure!(self.asked(name, since)? == 0, "{name} asks");
        Ok(())
    }

    /// The node's own heartbeat arrives.
    fn beats(&self, since: Mark) -> Result<()> {
        let node = format!("system:node:{}", self.scene.worker.name());
        let beat = |one: &testbed::audit::Request| one.is_write() && one.uri.contains("/leases/");
        wait_until("the node's heartbeat", LONG, || Ok(self.scene.plane.audit().by(&node, since)?.iter().any(beat)))
    }

    /// The program to its good end, without one request of its own to the API.
    fn run(&self, arguments: &[&str]) -> Result<String> {
        let since = self.mark()?;
        let said = flat(&engineer(&self.folder, arguments)?);
        let ours = self.scene.plane.audit().by("alice", since)?;
        ensure!(ours.is_empty(), "{arguments:?} asked the API: {ours:?}");
        Ok(said)
    }

    fn freeze(&self, object: &str, time: &str) -> Result<String> {
        let worker = self.scene.worker.name();
        self.run(&[
            "freeze-pods",
            object,
            "-n",
            "default",
            "--targets",
            worker,
            "--for",
            time,
            "--yes",
            "-v",
            "--reason",
            "it asks",
        ])
    }

    fn pod(&self, name: &str) -> Result<Value> {
        let pods = self.scene.plane.kubectl(User::Masters)?.json(&["get", "pods", "-l", &format!("app={name}")])?;
        let of_worker = |pod: &&Value| pod["spec"]["nodeName"] == self.scene.worker.name();
        pods["items"].as_array().into_iter().flatten().find(of_worker).cloned().context("no pod")
    }
}

/// An engineer of this scene, whose kit knows the node.
fn watched<'a>(scene: &'a Scene, folder: &str) -> Result<Watched<'a>> {
    let lab = Lab::shared()?;
    let folder = lab.folder(folder)?;
    Kit::direct(&[scene.host().clone()])
        .and_nodes(std::slice::from_ref(&scene.worker))
        .with_credentials(&scene.plane.access().credential_files(User::Alice)?)
        .write(lab, &folder.join("kit"), "lab")?;
    Ok(Watched { scene, folder })
}

/// How many freezes stand on the node, by their folders.
fn freezes(scene: &Scene) -> Result<usize> {
    Ok(scene.worker.sh("ls -d /run/breakglass-frozen-* 2>/dev/null | wc -l")?.ok()?.trim().parse()?)
}

/// How many groups of pods they have ever frozen, also of pods that are gone.
fn groups_held(scene: &Scene) -> Result<usize> {
    Ok(scene.worker.sh("cat /run/breakglass-frozen-*/held | sort -u | wc -l")?.ok()?.trim().parse()?)
}

pub(super) fn they_stand_still_and_go_on() -> Result<()> {
    let scene = &*scene()?;
    let lab = Lab::shared()?;
    let watched = watched(scene, "engineer-on-nodes")?;
    let masters = scene.plane.kubectl(User::Masters)?;
    let worker = &scene.worker;
    let host_network = "      hostNetwork: true\n";
    let probe =
        "        livenessProbe: {httpGet: {port: 8080}, periodSeconds: 2, failureThreshold: 3, timeoutSeconds: 3}\n";
    masters.apply(&asks(scene, "asker", host_network, "")?.replace("-p 8080", "-p 8081"))?;
    // One whose name begins with the other's.
    masters.apply(&asks(scene, "asker-x", host_network, "")?.replace("-p 8080", "-p 8082"))?;
    masters.apply(&asks(scene, "prober", host_network, probe)?)?;
    for name in ["asker", "asker-x", "prober"] {
        watched.asks(name)?;
    }

    let plan = flat(&engineer(
        &watched.folder,
        &["freeze-pods", "ds/asker", "-n", "default", "--targets", worker.name(), "--plan"],
    )?);
    ensure!(plan.contains("0 API requests"), "{plan}");
    let told = watched.freeze("ds/asker", "10m")?;
    ensure!(told.contains("1 pod of daemonsets.apps/default/asker frozen"), "{told}");
    let since = watched.mark()?;
    watched.is_silent("asker", &["asker-x", "prober"], since)?;
    watched.beats(since)?;
    // Once more, by another run: theirs it is.
    let again = super::ends(
        &watched.folder,
        &["freeze-pods", "ds/asker", "-n", "default", "--targets", worker.name(), "--yes"],
    )?;
    ensure!(!again.success() && flat(&again.stderr).contains("frozen already, by alice"), "{again:?}");

    scene.plane.restart_kubelet(worker)?;
    let restarted = watched.mark()?;
    watched.beats(restarted)?;
    watched.is_silent("asker", &["asker-x"], since)?;

    // A pod that is deleted ends as ever, and the one that comes for it stands still, too.
    let (first, held) = (watched.pod("asker")?["metadata"]["uid"].clone(), groups_held(scene)?);
    masters.run(&["delete", "pod", "-l", "app=asker", "--wait=false"])?.ok()?;
    wait_until("another pod", LONG, || Ok(watched.pod("asker").is_ok_and(|pod| pod["metadata"]["uid"] != first)))?;
    let came = watched.mark()?;
    wait_until("what keeps the freeze to hold that, too", LONG, || Ok(groups_held(scene)? > held))?;
    println!("the pod that came later asked {} times before it stood still", watched.asked("asker", came)?);
    watched.is_silent("asker", &["asker-x"], watched.mark()?)?;

    // Whoever has no journal sees it, and what to type.
    let bob = lab.folder("engineer-on-nodes-bob")?;
    super::ends(&bob, &["--version"])?;
    let status = program(&bob, &["status", "-o", "json", "--exit-code"])
        .env("BREAKGLASS_KIT", watched.folder.join("kit"))
        .output()?;
    let status: Value = serde_json::from_slice(&status.stdout)?;
    let stands = status["stands"].as_array().into_iter().flatten();
    let one = stands.into_iter().find(|one| one["kind"] == "frozen-pods").with_context(|| format!("{status:#}"))?;
    println!("status: {one:#}");
    let command = one["back"]["command"].as_str().context("no command")?;
    let (_, typed) = command.split_once('\'').context("nothing is quoted")?;
    ensure!(one["back"]["by"] == "host", "{one:#}");
    worker.sh(typed.trim_end_matches('\''))?.ok()?;
    watched.asks("asker")?;
    ensure!(freezes(scene)? == 0, "{one:#}");

    watched.freeze("ds/asker", "10m")?;
    watched.is_silent("asker", &["asker-x"], watched.mark()?)?;

    watched.run(&["undo", "last", "--yes"])?;
    watched.asks("asker")?;
    ensure!(freezes(scene)? == 0, "something is left");

    // Its kubelet kills what answers no probe, and starts it again: into the frost. What keeps it is killed, and it ends in time.
    let pids = frozen_prober(&watched, worker)?;
    let frozen = Instant::now();
    let since = watched.mark()?;
    worker.sh("kill -KILL $(cat /run/breakglass-frozen-*/a/state)")?.ok()?;
    let left =
        || -> Result<usize> { Ok(worker.sh(&format!("ls -d {pids} 2>/dev/null | wc -l"))?.stdout.trim().parse()?) };
    wait_until("its kubelet to kill the container", LONG, || Ok(left()? == 0))?;
    println!("its kubelet killed the container {:.0?} after the freeze", frozen.elapsed());
    watched.is_silent("prober", &["asker", "asker-x"], since)?;
    let last = watched.mark()?;
    wait_until("it to end by itself", LONG, || Ok(freezes(scene)? == 0))?;
    let ended = frozen.elapsed();
    ensure!(ended > Duration::from_secs(80), "it ended after {ended:?}");
    wait_until("prober to ask again", LONG, || Ok(watched.asked("prober", last)? > 1))?;
    println!("it ended by itself {ended:.0?} after the freeze, and asks again after {:.0?}", frozen.elapsed());
    for name in ["asker", "asker-x", "prober"] {
        masters.run(&["delete", "daemonset", name])?.ok()?;
    }
    Ok(())
}

/// Freezes the one with a probe; where its processes are. On a busy node its kubelet may just have killed them: then once more.
fn frozen_prober(watched: &Watched<'_>, worker: &Host) -> Result<String> {
    for _ in 0..10 {
        watched.asks("prober")?;
        watched.freeze("ds/prober", "90s")?;
        // Its shell and its server: other programs of the node say no such thing.
        let pids = worker.sh("pgrep -f 'httpd -[p] 8080' | sed 's/^/\\/proc\\//' | tr '\\n' ' '")?.ok()?;
        if !pids.trim().is_empty() {
            return Ok(pids);
        }
        watched.run(&["undo", "last", "--yes"])?;
    }
    bail!("its kubelet kills it all the time")
}

/// The way to the API of its pods alone is closed on their node, which finds what they send from itself.
pub(super) fn their_way_to_the_api_is_closed() -> Result<()> {
    let scene = &*scene()?;
    let watched = watched(scene, "engineer-way")?;
    let masters = scene.plane.kubectl(User::Masters)?;
    let worker = &scene.worker;
    let own_network = "";
    masters.apply(&asks(scene, "sender", own_network, "")?)?;
    masters.apply(&asks(scene, "sender-x", own_network, "")?)?;
    masters.apply(&asks(scene, "hosty", "      hostNetwork: true\n", "")?.replace("-p 8080", "-p 8090"))?;
    // What a network of pods does on a real control plane: it knows the way back.
    let mut bridge = String::new();
    wait_until("the pods' bridge", LONG, || {
        let route = worker.sh("ip -o -4 route show dev cni0 | cut -d ' ' -f 1")?;
        route.stdout.trim().clone_into(&mut bridge);
        Ok(!bridge.is_empty())
    })?;
    scene.host().sh(&format!("ip route replace {bridge} via {}", worker.ip4()))?.ok()?;
    for name in ["sender", "sender-x", "hosty"] {
        watched.asks(name)?;
    }
    let close = |object: &'static str| {
        [
            "gate",
            "close",
            "--nodes",
            "--offender",
            object,
            "-n",
            "default",
            "--targets",
            worker.name(),
            "--for",
            "5m",
            "--yes",
            "-v",
        ]
    };
    let host = super::ends(&watched.folder, &close("ds/hosty"))?;
    ensure!(!host.success() && flat(&host.stderr).contains("sends from the host's own network"), "{host:?}");
    watched.asks("hosty")?;
    let told = watched.run(&close("ds/sender"))?;
    let since = watched.mark()?;
    watched.is_silent("sender", &["sender-x", "hosty"], since)?;
    watched.beats(since)?;
    ensure!(told.contains("gate.close"), "{told}");
    engineer(&watched.folder, &["gate", "open", "--at-once", "--targets", worker.name(), "--yes"])?;
    watched.asks("sender")?;
    for name in ["sender", "sender-x", "hosty"] {
        masters.run(&["delete", "daemonset", name])?.ok()?;
    }
    Ok(())
}

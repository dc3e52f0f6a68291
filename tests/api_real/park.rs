//! What `park` asks of a real API server: whether it takes the patches, and what stands before and after.

use std::process::{Command, Output};

use serde_json::{Value, json};

use super::{Kit, LIMIT, Lab, Plane, Result, User, ensure, shared, turn};

/// No pod of it ever runs; whether its claims go is for its controller, which is told not to.
const STORE: &str = "
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store}
spec:
  serviceName: store
  replicas: 2
  selector: {matchLabels: {app: store}}
  persistentVolumeClaimRetentionPolicy: {whenScaled: Delete, whenDeleted: Retain}
  template:
    metadata: {labels: {app: store}}
    spec: {containers: [{name: main, image: none.invalid/none:1}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
";

/// Parked, it has no pods and keeps its claims; taken back, it is as it was.
pub(crate) fn claims_stay() -> Result<()> {
    let _turn = turn();
    let Plane { plane, hosts } = shared()?;
    let lab = Lab::shared()?;
    let folder = lab.folder("kits")?.join("park");
    Kit::direct(hosts).with_credentials(&plane.access().credential_files(User::Masters)?).write(lab, &folder, "lab")?;
    let kubectl = plane.kubectl(User::Masters)?;
    kubectl.apply(STORE)?;
    let spec = || -> Result<Value> {
        let seen = kubectl.json(&["get", "statefulset", "store"])?;
        let policy = &seen["spec"]["persistentVolumeClaimRetentionPolicy"];
        Ok(json!([
            seen["spec"]["replicas"],
            policy,
            seen["metadata"]["annotations"]["breakglass.io/parked"].is_string()
        ]))
    };
    let claims = || -> Result<usize> { Ok(kubectl.json(&["get", "pvc"])?["items"].as_array().map_or(0, Vec::len)) };
    testbed::wait_until("a claim of each pod or of the first", LIMIT, || Ok(claims()? > 0))?;
    let before = claims()?;
    let run = |words: &[&str]| -> Result<Output> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass"));
        command.args(words).arg("--yes").env("BREAKGLASS_STATE", folder.join("state"));
        Ok(command.arg("--kit").arg(&folder).output()?)
    };
    let parked = run(&["park", "sts/default/store", "--cluster", "lab"])?;
    let said = String::from_utf8_lossy(&parked.stderr).into_owned() + &String::from_utf8_lossy(&parked.stdout);
    ensure!(parked.status.success() && said.contains("set to retain them"), "{said}");
    let policy = |scaled: &str| json!({"whenScaled": scaled, "whenDeleted": "Retain"});
    ensure!(spec()? == json!([0, policy("Retain"), true]), "{}", spec()?);
    testbed::wait_until("its controller to have seen it", LIMIT, || {
        let seen = kubectl.json(&["get", "statefulset", "store"])?;
        Ok(seen["status"]["observedGeneration"] == seen["metadata"]["generation"])
    })?;
    ensure!(claims()? >= before, "{} of {before} claims are left", claims()?);

    let undone = run(&["undo", "last"])?;
    ensure!(undone.status.success(), "{}", String::from_utf8_lossy(&undone.stderr));
    ensure!(spec()? == json!([2, policy("Delete"), false]), "{}", spec()?);
    kubectl.run(&["delete", "statefulset", "store", "--wait=false"])?.ok()?;
    kubectl.run(&["delete", "pvc", "--all", "--wait=false"])?.ok().map(drop)
}

/// One of each kind that makes pods. The autoscaler has to scale the Deployment up before anything else.
const ALL: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: crowd}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: front, namespace: crowd}
spec:
  replicas: 1
  selector: {matchLabels: {app: front}}
  template:
    metadata: {labels: {app: front}}
    spec: {containers: [{name: main, image: none.invalid/none:1}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: front, namespace: crowd}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: front}
  minReplicas: 3
  maxReplicas: 5
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: bare, namespace: crowd}
spec:
  replicas: 2
  selector: {matchLabels: {app: bare}}
  template:
    metadata: {labels: {app: bare}}
    spec: {containers: [{name: main, image: none.invalid/none:1}]}
---
apiVersion: v1
kind: ReplicationController
metadata: {name: old, namespace: crowd}
spec:
  replicas: 1
  selector: {app: old}
  template:
    metadata: {labels: {app: old}}
    spec: {containers: [{name: main, image: none.invalid/none:1}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store, namespace: crowd}
spec:
  serviceName: store
  replicas: 1
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec: {containers: [{name: main, image: none.invalid/none:1}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: crowd}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: main, image: none.invalid/none:1}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: sweep, namespace: crowd}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: main, image: none.invalid/none:1}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: night, namespace: crowd}
spec:
  schedule: '0 3 * * *'
  jobTemplate:
    spec:
      template:
        spec: {restartPolicy: Never, containers: [{name: main, image: none.invalid/none:1}]}
";

/// What is at work in it.
const KINDS: &str = "cronjobs,deployments,replicasets,replicationcontrollers,statefulsets,jobs,daemonsets";

/// Parked, a namespace has no pods and its autoscaler leaves it so; taken back, it is as it was.
pub(crate) fn all_of_a_namespace() -> Result<()> {
    let _turn = turn();
    let Plane { plane, hosts } = shared()?;
    let lab = Lab::shared()?;
    let folder = lab.folder("kits")?.join("crowd");
    Kit::direct(hosts).with_credentials(&plane.access().credential_files(User::Alice)?).write(lab, &folder, "lab")?;
    let kubectl = plane.kubectl(User::Masters)?;
    kubectl.apply(ALL)?;
    let items = |kinds: &str| -> Result<Vec<Value>> {
        let list = kubectl.json(&["get", kinds, "-n", "crowd"])?;
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    };
    let pods = || -> Result<usize> { Ok(items("pods")?.len()) };
    let replicas = || -> Result<Value> {
        Ok(kubectl.json(&["get", "deployment", "front", "-n", "crowd"])?["spec"]["replicas"].clone())
    };
    testbed::wait_until("its autoscaler to scale it up", LIMIT, || Ok(replicas()? == 3))?;
    // Three, two, one, one of the set, and one of the Job; no node is there for the DaemonSet.
    testbed::wait_until("all of its pods", LIMIT, || Ok(pods()? >= 8))?;
    // What each says that it wants, and its marks.
    let wanted = || -> Result<Vec<Value>> {
        // The ReplicaSet of the Deployment follows it in its own time.
        let all = items(KINDS)?.into_iter().filter(|one| one["metadata"]["ownerReferences"].is_null());
        Ok(all
            .map(|one| {
                json!([
                    one["kind"],
                    one["metadata"]["name"],
                    one["spec"],
                    one["metadata"]["annotations"]["breakglass.io/parked"]
                ])
            })
            .collect())
    };
    let before = wanted()?;
    let run = |words: &[&str]| -> Result<String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass"));
        command.args(words).arg("--yes").env("BREAKGLASS_STATE", folder.join("state"));
        let output = command.arg("--kit").arg(&folder).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        ensure!(output.status.success(), "{said}");
        Ok(said)
    };
    let audit = plane.servers()[0].audit();
    let mark = audit.mark()?;
    let said = run(&["park", "ns/crowd", "--cluster", "lab"])?;
    for word in
        ["7 workloads of namespace crowd to park", "an autoscaler sets the replicas of deployments.apps/crowd/front"]
    {
        ensure!(said.contains(word), "{word}: {said}");
    }
    let verbs: Vec<String> = audit.by("alice", mark)?.into_iter().map(|request| request.verb).collect();
    ensure!(verbs == [["list"; 7], ["patch"; 7]].concat(), "{verbs:?}");
    testbed::wait_until("its pods to be gone", LIMIT, || Ok(pods()? == 0))?;
    testbed::wait_until("its autoscaler to have looked at it", LIMIT, || {
        let seen = kubectl.json(&["get", "hpa", "front", "-n", "crowd"])?;
        Ok(seen["status"]["conditions"].to_string().contains("ScalingDisabled"))
    })?;
    ensure!(replicas()? == 0 && pods()? == 0, "the autoscaler has left it alone");

    run(&["undo", "last"])?;
    let after = wanted()?;
    ensure!(after == before, "{} and {}", json!(after), json!(before));
    testbed::wait_until("all of its pods again", LIMIT, || Ok(pods()? >= 8))?;
    kubectl.run(&["delete", "namespace", "crowd", "--wait=false"])?.ok().map(drop)
}

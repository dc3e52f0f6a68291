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

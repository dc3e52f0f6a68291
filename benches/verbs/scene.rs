//! An engineer's machine in front of a control plane: the program with its kit, kubectl and curl, all as alice.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;
use testbed::{ControlPlane, Host, Kit, Kubectl, Lab, User, wait_until};

pub(crate) const AGENT: &str = "/apis/apps/v1/namespaces/default/daemonsets/agent";

/// The seconds that each peer gives its own request.
const LIMIT: &str = "60s";

/// What `park` does to a DaemonSet, said to kubectl and to curl.
pub(crate) const PATCH: &str = r#"{"spec":{"template":{"spec":{"nodeSelector":{"bench/parked":"yes"}}}}}"#;

const MANIFEST: &str = "
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: main, image: none.invalid/none:1}]}
";

/// Which way the program goes to the API server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Direct,
    Ssh,
}

pub(crate) struct Scene {
    pub(crate) plane: ControlPlane,
    pub(crate) host: Host,
    program: PathBuf,
    /// Homes, kits and journals: on the machine's own disk, where an `fsync` costs what it costs.
    folder: TempDir,
    masters: Kubectl,
    warm: Kubectl,
    credentials: [PathBuf; 3],
}

impl Scene {
    pub(crate) fn start(program: &Path) -> Result<Self> {
        let lab = Lab::shared()?;
        let host = lab.host("cp1")?;
        let plane = ControlPlane::start(lab, &[&host], &testbed::Options::default())?;
        let credentials = plane.access().credential_files(User::Alice)?;
        let folder = TempDir::new()?;
        let hosts = [host.clone()];
        for (name, kit) in [("direct", Kit::direct(&hosts)), ("ssh", Kit::through(&hosts))] {
            kit.with_credentials(&credentials).write(lab, &folder.path().join(name), "lab")?;
        }
        let (masters, warm) = (plane.kubectl(User::Masters)?, plane.kubectl(User::Alice)?);
        // Its discovery cache becomes warm.
        warm.run(&["get", "daemonsets"])?.ok()?;
        Ok(Self { plane, host, program: program.to_owned(), folder, masters, warm, credentials })
    }

    /// The object that every verb acts on, as it was at first.
    pub(crate) fn make_agent(&self) -> Result<()> {
        let gone = self.masters.run(&["delete", "daemonset", "agent", "--ignore-not-found", "--cascade=background"])?;
        gone.ok()?;
        self.masters.apply(MANIFEST)
    }

    /// The same with three revisions, as its controller numbers them. Each has to be a second younger than the one before.
    pub(crate) fn make_revisions(&self) -> Result<()> {
        self.make_agent()?;
        for number in 1..=3 {
            if number > 1 {
                std::thread::sleep(Duration::from_secs(1));
                self.masters.apply(&MANIFEST.replace("none:1", &format!("none:{number}")))?;
            }
            wait_until("its controller to have seen it", Duration::from_mins(1), || {
                let seen = self.masters.json(&["get", "daemonset", "agent"])?;
                Ok(seen["status"]["observedGeneration"] == seen["metadata"]["generation"])
            })?;
        }
        Ok(())
    }

    /// The program on that object.
    pub(crate) fn breakglass(&self, way: Way, verb: &str, flags: &[&str]) -> Command {
        let kit = match way {
            Way::Direct => "direct",
            Way::Ssh => "ssh",
        };
        let mut command = program(&self.program, self.folder.path(), kit);
        command.args([verb, "ds/agent", "-n", "default", "--cluster", "lab", "--yes"]).args(flags);
        command
    }

    pub(crate) fn warm(&self, arguments: &[&str]) -> Result<Command> {
        kubectl(&self.warm, arguments)
    }

    /// kubectl as on a machine that has not asked this cluster before.
    pub(crate) fn cold(&self, arguments: &[&str]) -> Result<Command> {
        kubectl(&self.plane.kubectl(User::Alice)?, arguments)
    }

    pub(crate) fn curl(&self, method: &str, body: Option<(&str, &str)>) -> Command {
        let [ca, cert, key] = &self.credentials;
        let mut command = Command::new("curl");
        command.args(["-sSf", "-m", LIMIT.trim_end_matches('s'), "-X", method]);
        command.arg("--cacert").arg(ca).arg("--cert").arg(cert).arg("--key").arg(key);
        if let Some((kind, body)) = body {
            command.args(["-H", &format!("Content-Type: {kind}"), "-d", body]);
        }
        command.arg(format!("{}{AGENT}", self.plane.access().endpoint())).stdin(Stdio::null());
        command
    }
}

/// The program with an environment of its own; `folder` holds its kits and becomes its home.
pub(crate) fn program(program: &Path, folder: &Path, kit: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", folder)
        .env("USER", "alice")
        .env("BREAKGLASS_KIT", folder.join(kit))
        .env("BREAKGLASS_STATE", folder.join("state"))
        .stdin(Stdio::null());
    command
}

fn kubectl(kubectl: &Kubectl, arguments: &[&str]) -> Result<Command> {
    let mut command = kubectl.command(arguments).context("no kubectl")?;
    command.args(["--request-timeout", LIMIT]).stdin(Stdio::null());
    Ok(command)
}

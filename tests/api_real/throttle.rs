//! One client let in one request at a time by a real API server, everybody else untouched.

use std::process::Command;
use std::thread;

use super::{Kit, LIMIT, Lab, Plane, Result, User, anyhow, ensure, shared, turn};

const THERE: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: throttle}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: agent, namespace: throttle}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: other, namespace: throttle}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: throttle}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects:
- {kind: ServiceAccount, name: agent, namespace: throttle}
- {kind: ServiceAccount, name: other, namespace: throttle}
";

/// How many requests a client sends at a time.
const AT_ONCE: usize = 20;
/// What they ask for.
const LIST: &str = "/api/v1/namespaces/throttle/pods";

/// Somebody who asks.
struct Client {
    token: String,
    ca: std::path::PathBuf,
    url: String,
}

impl Client {
    /// What so many requests at the same time are answered with: served, and refused with 429. Rights that were just given are
    /// not heard of by all at once: such a no is neither.
    fn asks(&self) -> Result<(usize, usize)> {
        let mut command = Command::new("curl");
        command.args(["-sS", "-m", "60", "--parallel", "--parallel-immediate", "--parallel-max", &AT_ONCE.to_string()]);
        command.arg("--cacert").arg(&self.ca).args(["-H", &format!("Authorization: Bearer {}", self.token)]);
        for _ in 0..AT_ONCE * 5 {
            command.args(["-o", "/dev/null", "-w", "%{http_code}\n"]).arg(format!("{}{LIST}", self.url));
        }
        let said = testbed::Running::start(&mut command, b"")?.wait(LIMIT * 2)?.ok()?;
        let count = |code: &str| said.lines().filter(|line| *line == code).count();
        Ok((count("200"), count("429")))
    }
}

pub(super) fn one_at_a_time() -> Result<()> {
    let _turn = turn();
    let Plane { plane, hosts } = shared()?;
    let lab = Lab::shared()?;
    let folder = lab.folder("throttle")?;
    let files = plane.access().credential_files(User::Alice)?;
    Kit::direct(hosts).with_credentials(&files).write(lab, &folder.join("kit"), "lab")?;
    let masters = plane.kubectl(User::Masters)?;
    masters.apply(THERE)?;
    let run = |words: &[&str]| -> Result<testbed::Output> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass"));
        command.args(words).env_clear().env("HOME", &folder).env("PATH", "/usr/bin:/bin").env("USER", "alice");
        command.env("BREAKGLASS_KIT", folder.join("kit")).env("BREAKGLASS_STATE", folder.join("state"));
        testbed::Running::start(&mut command, b"")?.wait(LIMIT * 2)
    };
    let [ca, ..] = files;
    let client = |name: &str| -> Result<Client> {
        let token = masters.run(&["create", "token", name, "-n", "throttle"])?.ok()?.trim().to_owned();
        Ok(Client { token, ca: ca.clone(), url: plane.servers()[0].url() })
    };
    let (agent, other) = (client("agent")?, client("other")?);
    let whole = (AT_ONCE * 5, 0);
    let until_served = |what: &str| testbed::wait_until(what, LIMIT, || Ok(agent.asks()? == whole));
    until_served("a client that is served")?;
    let objects = || masters.run(&["get", "flowschemas,prioritylevelconfigurations", "-o", "name"])?.ok();
    let before = objects()?;

    let audit = plane.servers()[0].audit();
    let mark = audit.mark()?;
    // While it asks, what is refused is seen.
    let throttled = thread::scope(|scope| -> Result<String> {
        let asking = scope.spawn(|| -> Result<()> {
            while objects()? == before || agent.asks()?.1 == 0 {}
            agent.asks().map(drop)
        });
        let output = run(&["throttle", "sa/throttle/agent", "--cluster", "lab", "--yes"])?;
        asking.join().map_err(|_| anyhow!("it broke"))??;
        let said = format!("{}{}", output.stdout, output.stderr);
        output.ok()?;
        Ok(said)
    })?;
    ensure!(throttled.contains("heed it"), "{throttled}");
    let asked = audit.by("alice", mark)?;
    let writes = |verb: &str| asked.iter().filter(|one| one.is_write() && one.verb == verb).count();
    ensure!(
        (writes("create"), asked.iter().all(|one| !one.is_write() || one.verb == "create")) == (2, true),
        "{asked:?}"
    );
    let (served, refused) = agent.asks()?;
    ensure!(refused > served && served > 0, "{served} served, {refused} refused");
    ensure!(served + refused == AT_ONCE * 5, "something else was answered to some");
    testbed::wait_until("another client that is served", LIMIT, || Ok(other.asks()?.0 == AT_ONCE * 5))?;
    ensure!(other.asks()? == whole, "somebody else is refused");

    run(&["undo", "last", "--yes"])?.ok()?;
    ensure!(objects()? == before, "something is left: {}", objects()?);
    until_served("a client that is served again")?;

    // The administrators of system:masters are exempt, and no subject says so.
    let refused = run(&["throttle", "group/system:masters", "--cluster", "lab", "--yes"])?;
    ensure!(refused.code == 3 && refused.stderr.contains("is exempt"), "{refused:?}");
    Ok(())
}

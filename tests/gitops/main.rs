//! Who puts a removed workload back, and how that is stopped: a loop as Argo CD's, and Flux's own controller, against a real API
//! server.

#![expect(clippy::disallowed_macros, reason = "a test says on its standard output what it measured")]

mod argo;
mod flux;
mod refused;
mod repository;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::Value;
use testbed::{ControlPlane, Host, Kit, Kubectl, Lab, Options, Output, Running, User, test, wait_until};

/// More than anything takes here.
const LONG: Duration = Duration::from_mins(5);
/// So often GitOps has to have looked, in vain, before it counts as stopped.
const ROUNDS: u64 = 12;

fn main() -> ExitCode {
    testbed::main_with_kubernetes(vec![
        test("flux_itself_leaves_a_workload_away_once_it_is_frozen_and_puts_it_back_after_undo", flux::frozen),
        test("applications_of_applications_are_frozen_from_the_top_and_come_back_to_the_byte", argo::frozen),
        test("a_policy_keeps_just_one_object_away_whoever_puts_it_back", refused::kept_away),
        test("a_policy_ends_by_the_time_that_the_server_itself_writes", refused::ends),
        test("an_application_set_leaves_its_applications_alone_and_marks_suffice_to_thaw", argo::thawed),
    ])
}

/// The tests take turns: they count requests.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Plane {
    plane: ControlPlane,
    hosts: Vec<Host>,
}

fn shared() -> Result<&'static Plane> {
    static PLANE: OnceLock<Result<Plane, String>> = OnceLock::new();
    let start = || -> Result<Plane> {
        let lab = Lab::shared()?;
        let hosts = lab.hosts(["cp1"])?;
        let plane = ControlPlane::start(lab, &[&hosts[0]], &Options::default())?;
        let masters = plane.kubectl(User::Masters)?;
        masters.apply(&repository::definitions())?;
        wait_until("resources that are served", LONG, || Ok(repository::served(&masters)))?;
        masters.apply("{apiVersion: v1, kind: Namespace, metadata: {name: argocd}}")?;
        masters.apply("{apiVersion: v1, kind: Namespace, metadata: {name: flux-system}}")?;
        Ok(Plane { plane, hosts })
    };
    let plane = PLANE.get_or_init(|| start().map_err(|error| format!("{error:#}")));
    plane.as_ref().map_err(|error| anyhow!("{error}"))
}

/// The program, as alice, with a state of its own.
struct Engineer {
    folder: PathBuf,
}

impl Engineer {
    fn new(name: &str) -> Result<Self> {
        Self::of(name, User::Alice)
    }

    /// The same with the credential of somebody else.
    fn of(name: &str, user: User) -> Result<Self> {
        let Plane { plane, hosts } = shared()?;
        let lab = Lab::shared()?;
        let folder = lab.folder(name)?;
        let files = plane.access().credential_files(user)?;
        Kit::direct(hosts).with_credentials(&files).write(lab, &folder.join("kit"), "lab")?;
        Ok(Self { folder })
    }

    fn says(&self, words: &[&str]) -> Result<Output> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass"));
        command.args(words).env_clear().env("HOME", &self.folder).env("PATH", "/usr/bin:/bin");
        command.env("BREAKGLASS_KIT", self.folder.join("kit")).env("BREAKGLASS_STATE", self.folder.join("state"));
        Running::start(&mut command, b"")?.wait(LONG)
    }

    /// A verb that has to end well: all that was said.
    fn does(&self, words: &[&str]) -> Result<String> {
        let said = self.says(&[words, &["--cluster", "lab", "--yes", "--reason", "a rehearsal", "-v"]].concat())?;
        ensure!(said.success(), "{said:?}");
        Ok(said.stdout + &said.stderr)
    }

    /// Takes back the run that said this.
    fn undoes(&self, told: &str) -> Result<()> {
        let run = told.split_whitespace().skip_while(|word| *word != "run").nth(1).context("a run")?;
        let said = self.says(&["undo", run.trim_end_matches([':', ',']), "--yes"])?;
        ensure!(said.success(), "{said:?}");
        Ok(())
    }
}

/// What this program sent since then, as verbs and paths.
fn sent(mark: testbed::audit::Mark) -> Result<Vec<String>> {
    let requests = shared()?.plane.servers()[0].audit().by("alice", mark)?;
    Ok(requests.iter().map(|one| format!("{} {}", one.verb, one.uri)).collect())
}

/// An object's uid; `None` where it is not there.
fn uid(kubectl: &Kubectl, words: &[&str]) -> Result<Option<String>> {
    let said =
        kubectl.run(&[&["get", "--ignore-not-found", "-o", "jsonpath={.metadata.uid}"], words].concat())?.ok()?;
    Ok(Some(said.trim().to_owned()).filter(|uid| !uid.is_empty()))
}

/// All of an object but what its server counts.
fn whole(kubectl: &Kubectl, words: &[&str]) -> Result<Value> {
    let mut object = kubectl.json(&[&["get"], words].concat())?;
    for field in ["resourceVersion", "generation", "managedFields"] {
        object["metadata"].as_object_mut().context("metadata")?.remove(field);
    }
    object.as_object_mut().context("an object")?.remove("status");
    Ok(object)
}

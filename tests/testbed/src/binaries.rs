//! Where the programs of a control plane are; they are built here once for this machine's user.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::OnceLock,
    time::Duration,
};

use anyhow::{Result, anyhow, ensure};
use libtest_mimic::{Arguments, Trial};

use crate::{command::run, isolate};

/// A cold build of Kubernetes takes 10 minutes on two free cores.
const BUILD_LIMIT: Duration = Duration::from_mins(45);

/// The `main` of a test binary that needs Kubernetes: builds it first, while there is still a way to the Go modules.
pub fn main_with_kubernetes(tests: Vec<Trial>) -> ExitCode {
    let list = Arguments::from_args().list;
    if !list && let Err(error) = prepare() {
        eprintln!("testbed: {error:#}");
        return ExitCode::FAILURE;
    }
    isolate::main(tests)
}

/// Builds what is not in the cache yet; inside the lab there is nothing to do.
pub fn prepare() -> Result<()> {
    if isolate::is_outside() {
        component("kube-apiserver")?;
        telemetry_agent()?;
        name_server()?;
        flux()?;
    }
    Ok(())
}

/// The full path of a component, `kubectl` or `etcdctl`.
///
/// # Errors
/// If it can't be built (no Go, no way to the Go modules), or `KUBEBUILDER_ASSETS` lacks it.
pub(crate) fn component(name: &str) -> Result<PathBuf> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    program(&FOLDER, "k8s", name)
}

/// The full path of the storm's load generator.
pub(crate) fn telemetry_agent() -> Result<PathBuf> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    program(&FOLDER, "telemetry-agent", "telemetry-agent")
}

/// The full path of Flux's controller of Kustomizations.
pub fn flux() -> Result<PathBuf> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    program(&FOLDER, "kustomize-controller", "kustomize-controller")
}

/// The full path of CoreDNS.
pub(crate) fn name_server() -> Result<PathBuf> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    program(&FOLDER, "coredns", "coredns")
}

/// The folder of all components, for static pods.
pub(crate) fn folder() -> Result<PathBuf> {
    component("kube-apiserver").map(|path| path.parent().unwrap_or(Path::new("/")).to_owned())
}

fn program(folder: &OnceLock<Result<PathBuf, String>>, module: &str, name: &str) -> Result<PathBuf> {
    let folder = folder.get_or_init(|| build(module).map_err(|error| format!("{error:#}")));
    let program = folder.as_ref().map_err(|error| anyhow!("{error}"))?.join(name);
    ensure!(
        program.is_file(),
        "there is no {}: unset KUBEBUILDER_ASSETS, or name a folder that has it",
        program.display()
    );
    Ok(program)
}

fn build(module: &str) -> Result<PathBuf> {
    let mut script = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("k8s/build"));
    let folder = run(script.arg(module), b"", BUILD_LIMIT)?.ok()?;
    Ok(PathBuf::from(folder.trim()))
}

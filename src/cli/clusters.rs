//! Which clusters a verb works on, and where they are written down.

use std::path::PathBuf;

use super::{App, failure, inputs};
use crate::error::{Class, Failure};
use crate::kit::{self, Cluster};
use crate::sandbox::Sandbox;

/// The clusters of a command.
pub(super) struct Chosen {
    /// In the order they are worked on.
    pub(super) clusters: Vec<Cluster>,
    /// Where they were found, for the journal.
    pub(super) source: String,
    /// The practice cluster, which lives as long as this value.
    _sandbox: Option<Sandbox>,
}

const SANDBOX: &str = "sandbox";
/// Parameters whose value is known on the practice cluster.
pub(super) const KNOWN_IN_SANDBOX: &[(&str, &str)] = &[
    ("offender", crate::sandbox::OFFENDER),
    ("delete", "true"),
    ("memory", "8Gi"),
    // A practice run is over in a minute; a real re-opening takes its time.
    ("window", "3s"),
];

/// The clusters that the flags name.
pub(super) async fn choose(app: &App<'_>) -> Result<Chosen, Failure> {
    if app.flags.clusters.sandbox {
        return sandbox().await;
    }
    let (folder, mut words) = (kit_dir(app), app.flags.clusters.cluster.clone());
    if words.is_empty() {
        let known = kit::load::names(&folder).map_err(|refusal| failure::refused("the kit", vec![refusal]))?;
        // The kit's only cluster needs no name; of several, none is meant by saying nothing.
        if known.len() > 1 {
            let what = format!("the kit has {} clusters and none was named", known.len());
            return Err(inputs::refuse(what, format!("--cluster {}, or --cluster all", crate::words::fold(&known))));
        }
        words = known;
    }
    named(app, &words, &folder)
}

/// The embedded practice cluster, started now.
async fn sandbox() -> Result<Chosen, Failure> {
    let sandbox = Sandbox::start().await.map_err(|error| Failure::from_error(Class::NoRoute, error))?;
    Ok(Chosen { clusters: vec![sandbox.cluster.clone()], source: SANDBOX.into(), _sandbox: Some(sandbox) })
}

/// The clusters of a run that was begun before.
pub(super) fn of_run(app: &App, header: &crate::journal::Header) -> Result<Chosen, Failure> {
    if header.kit == SANDBOX {
        let what = format!("run {} was made on a practice cluster that is gone with its process", header.run);
        return Err(inputs::refuse(what, format!("`breakglass show {}` tells what it did", header.run)));
    }
    let folder = app.flags.clusters.kit.as_ref().map_or_else(|| PathBuf::from(&header.kit), |_| kit_dir(app));
    named(app, &header.clusters, &folder)
}

/// Clusters of the kit.
fn named(app: &App, words: &[String], folder: &std::path::Path) -> Result<Chosen, Failure> {
    let clusters = kit::load::clusters(folder, words, app.process).map_err(|all| failure::refused("the kit", all))?;
    Ok(Chosen { clusters, source: folder.display().to_string(), _sandbox: None })
}

/// The kit's folder: the flag, else where it is looked for.
pub(super) fn kit_dir(app: &App) -> PathBuf {
    app.flags.clusters.kit.as_ref().map_or_else(|| app.process.kit_dir(), |dir| app.process.cwd.join(dir))
}

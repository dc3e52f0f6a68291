//! The little grammar for targets.

use crate::change::Target;
use crate::kit::Cluster;
use crate::plan::scope_targets;
use crate::steps::Scope;

/// The targets of a step on a cluster.
///
/// # Errors
/// One sentence.
pub fn targets(cluster: &Cluster, scope: Scope, words: Option<&str>) -> Result<Vec<Target>, String> {
    let all = scope_targets(cluster, scope);
    let Some(words) = words else { return Ok(all) };
    let wanted: Vec<&str> = words.split(',').map(str::trim).collect();
    Ok(all.into_iter().filter(|target| wanted.contains(&target.short())).collect())
}

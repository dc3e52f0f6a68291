//! What an API server says that its priority levels do.

use crate::script::amount;

/// Where it says so.
pub(super) const LEVELS: &str = "/debug/api_priority_and_fairness/dump_priority_levels";

/// A level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Level {
    /// Requests that it has refused since it is there.
    pub(super) rejected: u64,
}

/// The level with this name; `None`: there is none.
///
/// # Errors
/// When it is no such dump.
pub(super) fn read(dump: &str, name: &str) -> Result<Option<Level>, ()> {
    let mut rows = dump.lines().map(|line| line.split(',').map(str::trim).collect::<Vec<_>>());
    let heading = rows.next().unwrap_or_default();
    let column = |name: &str| heading.iter().position(|known| *known == name);
    let (Some(level), Some(rejected)) = (column("PriorityLevelName"), column("RejectedRequests")) else {
        return Err(());
    };
    let row = rows.find(|row| row.get(level) == Some(&name));
    let rejected = |row: Vec<&str>| row.get(rejected).and_then(|cell| amount(cell)).unwrap_or(0);
    Ok(row.map(|row| Level { rejected: rejected(row) }))
}

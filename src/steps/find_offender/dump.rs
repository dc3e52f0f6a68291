//! The requests that an API server holds, as its dump of priority and fairness tells them.

/// What is asked: each request with its user and what it asks for.
pub(super) const DUMP: &str = "/debug/api_priority_and_fairness/dump_requests?includeRequestDetails=1";

/// One request that waits for its seats or has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) user: String,
    pub(super) verb: String,
    pub(super) resource: String,
    pub(super) seats: u64,
}

/// Reads a dump: the requests, and how many rows could not be read; `None`: it is no dump that names users.
///
/// Columns are found by their names. A user's name may have commas in it, so that a row with too many cells is one that cannot be
/// read: no cell of it is known to stand where it seems to.
pub(super) fn read(text: &str) -> Option<(Vec<Held>, usize)> {
    let mut rows = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.split(',').map(str::trim).collect::<Vec<_>>());
    let heading = rows.next()?;
    let column = |name: &str| heading.iter().position(|known| *known == name);
    let user = column("UserName")?;
    let rest = ["Verb", "APIVersion", "Resource", "SubResource", "APIPath", "InitialSeats"].map(column);
    let [verb, version, resource, subresource, path, seats] = rest;
    let mut unread = 0;
    let mut all = Vec::new();
    for row in rows {
        let cell = |at: Option<usize>| at.and_then(|at| row.get(at)).copied().unwrap_or_default();
        if row.len() != heading.len() || cell(Some(user)).is_empty() {
            unread += 1;
            continue;
        }
        let group = cell(version).split_once('/').map(|(group, _)| group).unwrap_or_default();
        let resource = match named(cell(resource), group, cell(subresource)) {
            named if named.is_empty() => cell(path).to_owned(),
            named => named,
        };
        // A seat is what a request takes at least.
        let seats = cell(seats).parse().unwrap_or(1).max(1);
        all.push(Held { user: cell(Some(user)).to_owned(), verb: cell(verb).to_owned(), resource, seats });
    }
    Some((all, unread))
}

/// A resource as it is written in a table: `pods`, `deployments.apps`, `pods/log`.
pub(super) fn named(resource: &str, group: &str, subresource: &str) -> String {
    let mut name = resource.to_owned();
    if !resource.is_empty() && !group.is_empty() {
        name = format!("{name}.{group}");
    }
    if !resource.is_empty() && !subresource.is_empty() {
        name = format!("{name}/{subresource}");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "PriorityLevelName, FlowSchemaName, QueueIndex, RequestIndexInQueue, FlowDistingsher, ArriveTime, \
                        InitialSeats, FinalSeats, AdditionalLatency, StartTime, UserName, Verb, APIPath, Namespace, Name, \
                        APIVersion, Resource, SubResource\n";

    fn row(user: &str, seats: &str, asks: &str) -> String {
        format!(
            "workload-low, service-accounts, 3, 0, {user}, 2026-01-01T00:00:00Z, {seats}, 0, 0s, 0001-01-01T00:00:00Z, {user}, {asks}\n"
        )
    }

    #[test]
    fn each_request_is_read_with_its_user_and_what_it_asks_for() {
        let agent = "system:serviceaccount:telemetry:agent";
        let text = [
            HEAD.to_owned(),
            row(agent, "10", "list, /api/v1/pods, , , v1, pods, "),
            row(agent, "1", "get, /apis/apps/v1/namespaces/a/deployments/x/scale, a, x, apps/v1, deployments, scale"),
            row("jane", "", "get, /metrics, , , /, , "),
        ];
        let (held, unread) = read(&text.concat()).unwrap();
        let told: Vec<(&str, &str, &str, u64)> =
            held.iter().map(|h| (h.user.as_str(), h.verb.as_str(), h.resource.as_str(), h.seats)).collect();
        assert_eq!(
            told,
            [(agent, "list", "pods", 10), (agent, "get", "deployments.apps/scale", 1), ("jane", "get", "/metrics", 1)]
        );
        assert_eq!(unread, 0);
    }

    #[test]
    fn a_row_that_does_not_fit_its_heading_is_counted_and_named_to_nobody() {
        let text =
            [HEAD.to_owned(), row("CN=eve, O=x", "10", "list, /api/v1/pods, , , v1, pods, "), "half, a row".into()];
        assert_eq!(read(&text.concat()), Some((Vec::new(), 2)));
        assert_eq!(read("<html>504</html>"), None);
        assert_eq!(read(""), None);
    }
}

#[cfg(test)]
mod fuzz {
    use super::read;

    #[test]
    fn a_broken_dump_has_no_more_requests_than_rows() {
        const DUMPS: &[&str] = &[
            "FlowDistingsher, InitialSeats, UserName, Verb, APIPath, APIVersion, Resource, SubResource\n\
             a, 3, system:serviceaccount:a:b, list, /api/v1/pods, v1, pods, \n\
             a, 1, jane, get, /metrics, /, , \n",
            "404 page not found\n",
        ];
        crate::fuzz::each(4_000, &crate::fuzz::mangled(DUMPS), |dump| {
            if let Some((held, unread)) = read(&dump) {
                proptest::prop_assert!(held.len() + unread <= dump.lines().count(), "{}", dump);
                proptest::prop_assert!(held.iter().all(|one| dump.contains(&one.user)), "{}", dump);
            }
            Ok(())
        });
    }
}

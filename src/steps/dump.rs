//! Whose requests an API server holds, as its own dump says.

/// Where it says so.
pub(super) const DUMP: &str = "/debug/api_priority_and_fairness/dump_requests";

/// The rows of a dump that belong to a user; the column is found by its name, spelled wrongly in every release.
pub(super) fn held_by(dump: &str, user: &str) -> Option<usize> {
    let mut rows = dump.lines().map(|line| line.split(',').map(str::trim).collect::<Vec<_>>());
    let column = rows.next()?.iter().position(|name| name.starts_with("FlowDisting"))?;
    Some(rows.filter(|row| row.get(column) == Some(&user)).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dump_is_read_by_the_name_of_its_column() {
        let dump = "PriorityLevelName, FlowSchemaName, QueueIndex, RequestIndexInQueue, FlowDistingsher, ArriveTime\n\
                    workload-low, service-accounts, 3, 0, system:serviceaccount:a:b, 2024\n\
                    workload-low, service-accounts, -1, -1, system:serviceaccount:a:b, 2024\n\
                    workload-low, service-accounts, 3, 1, system:serviceaccount:a:bb, 2024\n\
                    exempt, exempt, -1, -1, , 2024\n";
        assert_eq!(held_by(dump, "system:serviceaccount:a:b"), Some(2));
        assert_eq!(held_by(dump, "nobody"), Some(0));
        assert_eq!(held_by("", "x"), None);
    }
}

#[cfg(test)]
mod fuzz {
    use super::held_by;

    /// No row counts twice, and none that names another.
    #[test]
    fn a_broken_dump_counts_no_more_rows_than_name_the_user() {
        const DUMPS: &[&str] = &[
            "PriorityLevelName, FlowSchemaName, QueueIndex, RequestIndexInQueue, FlowDistingsher, ArriveTime\n\
             workload-low, service-accounts, 3, 0, system:serviceaccount:a:b, 2024\n\
             workload-low, service-accounts, -1, -1, system:serviceaccount:a:b, 2024\nexempt, exempt, -1, -1, , 2024\n",
            "<html><body>504 Gateway Time-out</body></html>",
        ];
        crate::fuzz::each(8_000, &crate::fuzz::mangled(DUMPS), |dump| {
            let user = "system:serviceaccount:a:b";
            let most = dump.lines().skip(1).filter(|row| row.split(',').any(|cell| cell.trim() == user)).count();
            proptest::prop_assert!(held_by(&dump, user).is_none_or(|found| found <= most), "{}", dump);
            Ok(())
        });
    }
}

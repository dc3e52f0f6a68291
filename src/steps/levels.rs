//! What an API server says that its priority levels do.

use crate::script::{MOST, amount};

/// Where it says so.
pub(super) const LEVELS: &str = "/debug/api_priority_and_fairness/dump_priority_levels";

/// The column of a level's name, and that of what it has rejected, in rows below them; `None`: it is no such dump.
fn rejecting(dump: &str) -> Option<impl Iterator<Item = (&str, Option<u64>)>> {
    let mut rows = dump.lines().map(|line| line.split(',').map(str::trim).collect::<Vec<_>>());
    let heading = rows.next()?;
    let column = |name: &str| heading.iter().position(|known| *known == name);
    let (level, rejected) = (column("PriorityLevelName")?, column("RejectedRequests")?);
    Some(rows.filter_map(move |row| Some((*row.get(level)?, row.get(rejected).and_then(|cell| amount(cell))))))
}

/// How many requests all levels together have rejected so far; `None`: it is no such dump.
pub(super) fn rejected(dump: &str) -> Option<u64> {
    Some(rejecting(dump)?.filter_map(|(_, rejected)| rejected).fold(0, u64::saturating_add).min(MOST))
}

/// It is no dump of levels.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoDump;

/// How many the level with this name has rejected; `None`: there is no such level.
///
/// # Errors
/// When it is no such dump.
pub(super) fn rejected_by(dump: &str, name: &str) -> Result<Option<u64>, NoDump> {
    let mut levels = rejecting(dump).ok_or(NoDump)?;
    Ok(levels.find(|(level, _)| *level == name).map(|(_, rejected)| rejected.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_tells_which_levels_are_there_and_what_they_have_refused() {
        let dump = "PriorityLevelName, ActiveQueues, RejectedRequests\nexempt, <none>, <none>\nglobal-default, 0, 7\n\
                    breakglass-r.1, <none>, 12\n";
        assert_eq!(rejected(dump), Some(19));
        assert_eq!(rejected_by(dump, "breakglass-r.1"), Ok(Some(12)));
        assert_eq!(rejected_by(dump, "exempt"), Ok(Some(0)));
        assert_eq!(rejected_by(dump, "breakglass-r"), Ok(None));
        for none in ["404 page not found", ""] {
            assert_eq!((rejected(none), rejected_by(none, "x")), (None, Err(NoDump)));
        }
    }

    #[test]
    fn rejects_are_summed_over_the_levels() {
        let dump = "PriorityLevelName, ActiveQueues, IsIdle, IsQuiescing, WaitingRequests, ExecutingRequests, \
                    DispatchedRequests, RejectedRequests, TimedoutRequests, CancelledRequests\n\
                    exempt, <none>, <none>, <none>, <none>, <none>, <none>, <none>, <none>, <none>\n\
                    global-default, 0, true, false, 0, 0, 40, 7, 0, 0\nworkload-low, 1, false, false, 3, 1, 9, 5, 1, 0\n";
        assert_eq!(rejected(dump), Some(12));
        assert_eq!(rejected("no such page"), None);
    }
}

#[cfg(test)]
mod fuzz {
    use super::rejected;

    #[test]
    fn the_sum_of_a_broken_dump_can_be_counted_with() {
        const DUMP: &str = "PriorityLevelName, ActiveQueues, RejectedRequests, TimedoutRequests\n\
            exempt, <none>, <none>, <none>\nglobal-default, 0, 7, 0\nworkload-low, 1, 5, 0\n";
        crate::fuzz::each(8_000, &crate::fuzz::mangled(&[DUMP]), |dump| {
            let sum = rejected(&dump);
            proptest::prop_assert!(sum.is_none_or(|sum| sum.checked_mul(1000).is_some()), "{:?}", sum);
            Ok(())
        });
    }
}

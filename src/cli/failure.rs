//! Errors of the rooms below, each with its class and the next command to type.

use crate::error::{Class, Failure};
use crate::journal::{JournalError, StoreError};
use crate::refusal::Refusal;
use crate::render::Refusals;

/// A run that is not there, or a folder that cannot be used.
pub(super) fn store(error: StoreError) -> Failure {
    match error {
        StoreError::NoSuchRun { .. } => Failure::from_error(Class::Refused, error),
        StoreError::Io { .. } => Failure::from_error(Class::Journal, error)
            .hint("runs are kept in $BREAKGLASS_STATE/runs, else ~/.local/state/breakglass/runs"),
        StoreError::Damaged(_) => Failure::from_error(Class::Journal, error),
    }
}

/// A journal that cannot be read or written.
pub(super) fn journal(error: JournalError) -> Failure {
    match error {
        JournalError::Store(error) => store(error),
        JournalError::InUse { ref run } => {
            let hint = format!("`breakglass show {run}` tells how far it is; Ctrl-C there stops it");
            Failure::from_error(Class::Refused, error).hint(hint)
        }
        JournalError::Newer { ref version, .. } => {
            let which = version.as_ref().map_or_else(
                || "use the version of breakglass that wrote it, or a newer one".to_owned(),
                |version| format!("use breakglass {version}, which wrote it, or a newer one"),
            );
            Failure::from_error(Class::Journal, error).hint(which)
        }
        JournalError::Torn { ref run, .. } => {
            let hint = format!(
                "the lines before it hold: `breakglass show {run}`; `breakglass resume {run}` or `breakglass undo {run}` cuts \
                 it off and goes on"
            );
            Failure::from_error(Class::Journal, error).hint(hint)
        }
        JournalError::Damaged { .. } => Failure::from_error(Class::Journal, error)
            .hint("nothing is done on the word of a damaged journal; put the file back from a copy, or go on by hand"),
        JournalError::Io { .. } | JournalError::Broken(_) => Failure::from_error(Class::Journal, error),
    }
}

/// Everything that was refused.
pub(super) fn refused(of: &'static str, all: Vec<Refusal>) -> Failure {
    Failure::from_error(Class::Refused, Refusals { of, all })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_last_line_holds_nobody_up() {
        let run = "20250101-000000-abcd".to_owned();
        let failure = journal(JournalError::Torn { run, path: "journal.jsonl".into(), line: 5 });
        assert_eq!(failure.class, Class::Journal);
        assert!(failure.to_string().starts_with("journal.jsonl:5: the last line is torn"), "{failure}");
        assert!(failure.hints[0].contains("`breakglass undo 20250101-000000-abcd` cuts it off"), "{:?}", failure.hints);
        assert!(!failure.hints.iter().any(|hint| hint.contains("damaged")), "{:?}", failure.hints);
    }

    #[test]
    fn a_run_that_is_under_way_is_named_with_what_to_type() {
        let failure = journal(JournalError::InUse { run: "20250101-000000-abcd".into() });
        assert_eq!(failure.class, Class::Refused);
        assert!(failure.hints[0].contains("`breakglass show 20250101-000000-abcd`"), "{:?}", failure.hints);
    }
}

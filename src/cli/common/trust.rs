//! Runs whose record others could have written: told where it is read, refused where it would be acted upon.

use std::collections::BTreeSet;

use crate::cli::App;
use crate::error::{Class, Failure};
use crate::journal::RunFolder;

/// Refuses to act on the word of others.
pub(in crate::cli) fn refuse(folder: &RunFolder) -> Result<(), Failure> {
    let open = folder.open_to_others();
    if open.is_empty() {
        return Ok(());
    }
    let faults = open.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let what = format!("run {} is not to be trusted: {faults}; nothing was contacted or changed", folder.run);
    let mut failure = Failure::new(Class::Refused, what);
    for open in &open {
        failure = failure.hint(format!("`{}`", open.close()));
    }
    let run = &folder.run;
    Err(failure.hint(format!(
        "then see whether it is what was done: `breakglass show {run}`; `breakglass journal verify {run}`"
    )))
}

/// Says it, once for each file or folder.
pub(in crate::cli) fn tell<'a>(app: &App, folders: impl IntoIterator<Item = &'a RunFolder>) {
    let open: BTreeSet<_> = folders.into_iter().flat_map(RunFolder::open_to_others).collect();
    for open in open {
        app.screen
            .err(&format!("note: {open}: what stands there need not be true, and `undo` refuses it; {}", open.close()));
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::journal::{Header, Store, Writer};
    use crate::process::Clock;

    #[test]
    fn nothing_is_done_on_the_word_of_a_journal_that_others_can_write() {
        let state = tempfile::tempdir().unwrap();
        let store = Store::at(state.path().join("runs"));
        let folder = store.create("20250101-000000.000-abcd").unwrap();
        let at = "2025-01-01T00:00:00Z".parse().unwrap();
        drop(Writer::create(folder.clone(), Header::sample(&folder.run), Clock::Fixed(at)).unwrap());
        refuse(&folder).unwrap();
        let blobs = folder.path.join("blobs");
        for path in [state.path(), store.root(), &folder.path, &folder.journal(), &blobs] {
            let before = fs::metadata(path).unwrap().permissions();
            fs::set_permissions(path, Permissions::from_mode(before.mode() | 0o002)).unwrap();
            let failure = refuse(&folder).unwrap_err();
            assert_eq!(failure.class, Class::Refused);
            let said = format!("{} can be written by others", path.display());
            assert!(failure.to_string().contains(&said), "{failure}");
            assert_eq!(failure.hints[0], format!("`chmod go-w {}`", path.display()));
            fs::set_permissions(path, before).unwrap();
        }
        refuse(&folder).unwrap();
    }
}

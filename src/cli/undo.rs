//! `undo`

use std::collections::BTreeMap;
use std::process::ExitCode;

use super::{App, clusters, drive, failure, last};
use crate::change::Inverse;
use crate::error::{Class, Failure};
use crate::journal::{ChangeRecord, ChangeState, Run, Writer};
use crate::render::one_line;
use crate::words;

/// Take back what stands of a run, newest first, by the journal alone
///
/// Shows what stands, and asks. What somebody else has changed since is not forced: it is said, with what to do by hand, and the rest goes on.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Undo {
    /// The run: its id, the beginning or end of it, or `last`: the one that began last, not counting those that came to
    /// their end and changed nothing.
    run: String,
}

impl Undo {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let (folder, run) = last::run(app, &self.run, last::For::Undo)?;
        if run.header.drill {
            app.screen.err(&format!("run {} was a drill: nothing was changed, so nothing is taken back", folder.run));
            return Ok(ExitCode::SUCCESS);
        }
        by_hand_only(&run)?;
        drive::block_on(async {
            let chosen = clusters::to_take_back(app, &run).await?;
            let writer = Writer::open(folder, app.process.clock).map_err(failure::journal)?;
            drive::undo(app, writer, &run, &chosen).await
        })
    }
}

/// Says at once what an undo before found: that what stands cannot be taken back, any of it.
fn by_hand_only(run: &Run) -> Result<(), Failure> {
    let found = |record: &ChangeRecord| record.state == ChangeState::Stuck && !record.has_a_way_back();
    if run.standing().next().is_none() || !run.standing().all(found) {
        return Ok(());
    }
    let each = run.standing().map(|record| match &record.change.inverse {
        Inverse::Impossible(why) => format!("change {} on {}: {why}", record.id, record.target),
        Inverse::By(_) | Inverse::NotNeeded(_) => format!("change {} on {}", record.id, record.target),
    });
    let (id, each) = (&run.header.run, one_line(&each.collect::<Vec<_>>().join("; ")));
    let stands = words::count(run.standing().count(), "change");
    let what = format!("{stands} of run {id} cannot be taken back, and nothing else of it stands: {each}");
    let hint = format!("`breakglass show {id}` tells what was done; what of it is not wanted is put right by hand");
    Err(Failure::new(Class::Stuck, what).hint(hint))
}

/// What stands of a run but on the clusters that are left out, newest first, and what takes each back.
pub(super) fn listing(run: &Run, left_out: &BTreeMap<String, String>) -> String {
    let mut standing: Vec<_> = run.standing().filter(|record| !left_out.contains_key(&record.target.cluster)).collect();
    standing.reverse();
    let mut lines =
        vec![format!("run {}: {} to take back, newest first", run.header.run, words::count(standing.len(), "change"))];
    for record in standing {
        lines.push(format!("  change {} on {}: {}", record.id, record.target, record.change.op.summary()));
        lines.push(match &record.change.inverse {
            Inverse::By(op) => format!("    taken back by: {}", op.summary()),
            Inverse::NotNeeded(why) => format!("    nothing to take back: {why}"),
            Inverse::Impossible(why) => format!("    cannot be taken back: {why}"),
        });
    }
    lines.iter().map(|line| one_line(line)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{self, Store};

    #[test]
    fn what_stands_is_listed_newest_first_with_its_way_back() {
        let store = Store::at(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/journals/1.0"));
        let mut stood = journal::read(&store.open("20250101T000000Z-test").unwrap()).unwrap().run;
        // As it was before it was undone.
        for record in stood.changes.values_mut() {
            record.state = journal::ChangeState::Done;
        }
        let text = listing(&stood, &BTreeMap::new());
        let ids: Vec<u32> =
            text.lines().filter_map(|line| line.strip_prefix("  change ")?.split(' ').next()?.parse().ok()).collect();
        let mut want: Vec<u32> = stood.changes.keys().copied().collect();
        want.reverse();
        assert_eq!(ids, want);
        assert!(text.contains("    taken back by: DELETE https://pager.test/1"), "{text}");
        for record in stood.changes.values_mut() {
            record.change.inverse = Inverse::Impossible("it is sent".into());
        }
        assert!(listing(&stood, &BTreeMap::new()).contains("    cannot be taken back: it is sent"));
        by_hand_only(&stood).unwrap();
        for record in stood.changes.values_mut() {
            record.state = journal::ChangeState::Stuck;
        }
        let failure = by_hand_only(&stood).unwrap_err();
        assert_eq!(failure.class, Class::Stuck);
        assert!(failure.to_string().contains("it is sent") && !failure.hints[0].contains("undo"), "{failure:?}");
        let first = stood.changes.values_mut().next().unwrap();
        first.change.inverse = Inverse::NotNeeded("it ends by itself".into());
        by_hand_only(&stood).unwrap();
    }
}

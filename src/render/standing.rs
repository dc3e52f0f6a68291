//! What stands of a run, before it is taken back.

use std::collections::BTreeMap;

use super::one_line;
use crate::change::Inverse;
use crate::journal::Run;
use crate::words;

/// What stands of a run but on the clusters that are left out, newest first, and what takes each back.
pub(crate) fn standing_text(run: &Run, left_out: &BTreeMap<String, String>) -> String {
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
        let text = standing_text(&stood, &BTreeMap::new());
        let ids: Vec<u32> =
            text.lines().filter_map(|line| line.strip_prefix("  change ")?.split(' ').next()?.parse().ok()).collect();
        let mut want: Vec<u32> = stood.changes.keys().copied().collect();
        want.reverse();
        assert_eq!(ids, want);
        assert!(text.contains("    taken back by: DELETE https://pager.test/1"), "{text}");
        for record in stood.changes.values_mut() {
            record.change.inverse = Inverse::Impossible("it is sent".into());
        }
        assert!(standing_text(&stood, &BTreeMap::new()).contains("    cannot be taken back: it is sent"));
    }
}

//! What stands of a run, before it is taken back.

use std::collections::{BTreeMap, BTreeSet};

use super::alike::{Gathered, names};
use super::brief::short;
use super::summary::needless as needless_text;
use super::{Line, Paint, Tone, one_line, painted};
use crate::change::Inverse;
use crate::journal::{ChangeRecord, Run};
use crate::words;

/// Between what stands and what takes it back; no line has it.
const APART: char = '\n';

/// What stands of a run but on the clusters that are left out, newest first, and what takes each back: a line for each group of
/// hosts, or, `verbose`, for each change.
pub(crate) fn standing_text(
    run: &Run,
    left_out: &BTreeMap<String, String>,
    (verbose, paint, width): (bool, Paint, Option<usize>),
) -> String {
    let mut standing: Vec<_> = run.standing().filter(|record| !left_out.contains_key(&record.target.cluster)).collect();
    standing.reverse();
    let needless = standing.iter().filter(|record| record.needs_no_undo()).count();
    let what = match standing.len() - needless {
        0 => needless_text(needless),
        back => format!("{} to take back, newest first", words::count(back, "change")),
    };
    let on = &run.header.clusters;
    let on: Vec<String> =
        on.iter().filter(|name| standing.iter().any(|record| record.target.cluster == **name)).cloned().collect();
    let head = Line::head(format!("run {} on {}: {what}", run.header.run, words::fold(&on)));
    let lines = if verbose { each(&standing) } else { groups(&standing, on.len() > 1) };
    painted(&std::iter::once(head).chain(lines).collect::<Vec<_>>(), paint, width)
}

/// What is asked before it is taken back: who says yes to six changes of which four need nothing looks for the other four later.
pub(crate) fn undo_question<'a>(run: &str, standing: impl Iterator<Item = &'a ChangeRecord>) -> String {
    match standing.filter(|record| !record.needs_no_undo()).count() {
        0 => format!("Nothing of run {run} has to be taken back. Count all of it as taken back?"),
        back => format!("Take back {} of run {run}?", words::count(back, "change")),
    }
}

fn each(standing: &[&ChangeRecord]) -> Vec<Line> {
    let both = |record: &&ChangeRecord| {
        let what = format!("{}: {}", record.target, record.change.op.summary());
        let back = match &record.change.inverse {
            Inverse::By(op) => by(&op.summary()),
            Inverse::NotNeeded(why) => Line::new(Tone::Plain, "    nothing to take back: ", why),
            Inverse::Impossible(why) => impossible(why),
        };
        [Line::new(Tone::Plain, format!("  change {} on ", record.id), what), back]
    };
    standing.iter().flat_map(both).collect()
}

fn groups(standing: &[&ChangeRecord], fleet: bool) -> Vec<Line> {
    let (mut back, mut stuck) = (Gathered::default(), Gathered::default());
    let (mut needless, mut reasons) = (0, BTreeSet::new());
    for record in standing {
        let what = one_line(&short(&record.change.op.summary()));
        match &record.change.inverse {
            Inverse::By(op) => back.add(&record.target, &format!("{what}{APART}{}", one_line(&short(&op.summary())))),
            Inverse::Impossible(why) => stuck.add(&record.target, &format!("{what}{APART}{}", one_line(why))),
            Inverse::NotNeeded(why) => {
                needless += 1;
                reasons.insert(why.as_str());
            }
        }
    }
    let told = |all: &Gathered, how: fn(&str) -> Line| -> Vec<Line> {
        let lines = all.all().iter().flat_map(|alike| {
            let (who, text) = (names(alike.targets(), fleet), alike.text());
            let (what, back) = text.split_once(APART).unwrap_or((&text, ""));
            let who = if who.is_empty() { who } else { format!("{who}: ") };
            [Line::new(Tone::Plain, format!("  {who}"), what), how(back)]
        });
        lines.collect()
    };
    let mut lines = told(&back, by);
    lines.extend(told(&stuck, impossible));
    if needless > 0 {
        let why = reasons.into_iter().collect::<Vec<_>>().join("; ");
        lines.push(Line::new(Tone::Plain, format!("  nothing to take back of {needless}: "), why));
    }
    lines
}

fn by(op: &str) -> Line {
    Line::new(Tone::Plain, "    taken back by: ", op)
}

fn impossible(why: &str) -> Line {
    Line::new(Tone::Warn, "    cannot be taken back: ", why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Target;
    use crate::journal::{self, Store};

    fn run() -> Run {
        let store = Store::at(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/journals/1.0"));
        let mut stood = journal::read(&store.open("20250101T000000Z-test").unwrap()).unwrap().run;
        // As it was before it was undone.
        for record in stood.changes.values_mut() {
            record.state = journal::ChangeState::Done;
        }
        stood
    }

    fn text(run: &Run, verbose: bool) -> String {
        standing_text(run, &BTreeMap::new(), (verbose, Paint::default(), None))
    }

    /// Three hosts and two changes of each: what a person says yes to is two lines.
    #[test]
    fn of_many_hosts_it_is_told_once_and_what_needs_nothing_is_counted() {
        let mut stood = run();
        let backed = |record: &&ChangeRecord| matches!(record.change.inverse, Inverse::By(_));
        let one = stood.changes.values().find(backed).unwrap().clone();
        let of = |id: u32| {
            let mut record =
                ChangeRecord { id, target: Target::host("prod", format!("cp{}", id % 3 + 1)), ..one.clone() };
            if id >= 3 {
                record.change.inverse = Inverse::NotNeeded("it goes with the gate".into());
            }
            (id, record)
        };
        stood.changes = (0..6).map(of).collect();
        stood.header.clusters = vec!["prod".into()];
        assert!(text(&stood, false).starts_with("run 20250101T000000Z-test on prod: 3 changes to take back, newest"));
        let Inverse::By(back) = &one.change.inverse else { unreachable!("it was found by it") };
        let what = one.change.op.summary();
        assert_eq!(
            text(&stood, false).lines().skip(1).collect::<Vec<_>>(),
            [
                format!("  cp[1-3]: {what}"),
                format!("    taken back by: {}", back.summary()),
                "  nothing to take back of 3: it goes with the gate".to_owned(),
            ]
        );
        assert_eq!(text(&stood, true).lines().count(), 13);
        let asked = |stood: &Run| undo_question(&stood.header.run, stood.standing());
        assert_eq!(asked(&stood), "Take back 3 changes of run 20250101T000000Z-test?");

        stood.changes.retain(|id, _| *id >= 3);
        assert!(text(&stood, false).starts_with("run 20250101T000000Z-test on prod: 3 changes need no taking back\n"));
        assert!(asked(&stood).starts_with("Nothing of run 20250101T000000Z-test has to be taken back. "));
    }

    /// Hosts of two clusters may have the same names; where one is left out, the other is named once.
    #[test]
    fn hosts_are_named_with_their_cluster_where_there_are_several() {
        let stood = run();
        let told = text(&stood, false);
        assert!(
            told.starts_with("run 20250101T000000Z-test on east,west: ") && told.contains("  east,west/"),
            "{told}"
        );
        let left_out = [("east".to_owned(), "its kit is broken".to_owned())].into();
        let told = standing_text(&stood, &left_out, (false, Paint::default(), None));
        assert!(told.starts_with("run 20250101T000000Z-test on west: ") && !told.contains("west/"), "{told}");
    }

    #[test]
    fn what_stands_is_listed_newest_first_with_its_way_back() {
        let mut stood = run();
        let told = text(&stood, true);
        let ids: Vec<u32> =
            told.lines().filter_map(|line| line.strip_prefix("  change ")?.split(' ').next()?.parse().ok()).collect();
        let mut want: Vec<u32> = stood.changes.keys().copied().collect();
        want.reverse();
        assert_eq!(ids, want);
        assert!(told.contains("    taken back by: DELETE https://pager.test/1"), "{told}");
        for record in stood.changes.values_mut() {
            record.change.inverse = Inverse::Impossible("it is sent".into());
        }
        assert!(text(&stood, true).contains("    cannot be taken back: it is sent"));
    }
}

//! What is written: one text of a manifest over another, or a stray file out of the folder; each with its exact inverse.

use serde::{Deserialize, Serialize};

use super::strays::Stray;
use crate::change::{Blob, Change, Inverse, Keep, Note, Op};
use crate::host::manifest::{self, Edit};
use crate::host::rescue::{self, Evidence};
use crate::host::swap::{File, Place, Seen};
use crate::steps::Look;
use crate::steps::static_pod::{folder, put};

/// What a change of this step is remembered by.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Mended {
    /// The processes that ran before it.
    pub(super) processes: Vec<u32>,
    /// What is there no more once it is made: the SHA-256 of a text that was replaced, the path of a file that was moved.
    pub(super) gone: String,
    /// What was wrong, as it is said.
    pub(super) class: String,
}

/// The folder beside, where it is not there yet.
pub(super) fn beside(place: &Place, seen: &Seen, because: &str) -> Option<Change> {
    (!seen.folder).then(|| Change { note: None, ..folder(place, because) })
}

/// One text of a manifest in the place of another.
pub(super) struct Replace<'a> {
    pub(super) place: &'a Place,
    pub(super) seen: &'a Seen,
    pub(super) file: &'a File,
    pub(super) edit: &'a Edit,
    /// Which of the flags it is, from 1.
    pub(super) round: usize,
    pub(super) class: String,
}

/// Where the text of a round is staged; that of the round before is what its undo puts back.
fn staged(place: &Place, round: usize) -> String {
    if round <= 1 { place.next() } else { format!("{}/next-{round}.yaml", place.beside()) }
}

impl Replace<'_> {
    pub(super) fn changes(&self, program: &str, evidence: &Evidence, look: Look<'_>) -> Result<Vec<Change>, String> {
        let Self { place, seen, file, round, .. } = *self;
        let text = file.text.clone()?;
        let edited = manifest::edit(&text, program, self.edit)?;
        let (old, new) = (Blob::new(text.as_bytes()), Blob::new(edited.text.as_bytes()));
        let because = format!("{}: {}", self.class, edited.changes.join(", "));
        let mut changes: Vec<Change> = beside(place, seen, &because).into_iter().collect();
        let before = if round == 1 { place.before() } else { staged(place, round - 1) };
        let next = staged(place, round);
        if round == 1 && seen.before.as_ref() != Some(&old.sha256) {
            changes.push(put("keep", before.clone(), &old, seen.before.as_deref(), &because));
        }
        let stage = format!("stage-{round}");
        let there = seen.next.as_ref().filter(|_| round == 1);
        if there != Some(&new.sha256) && !(round > 1 && look.history.done(&stage)) {
            changes.push(put(&stage, next.clone(), &new, there.map(String::as_str), &because));
        }
        let by_hand = format!(
            "diff {} {before}; breakglass rescue-manifest once more, or edit it by hand: $EDITOR {0}",
            file.path
        );
        let note = Mended { processes: pids(evidence), gone: old.sha256.clone(), class: self.class.clone() };
        changes.push(replaces(
            place,
            &file.path,
            round,
            (&old.sha256, &new.sha256),
            (&before, &next),
            because,
            by_hand,
            &note,
        ));
        Ok(changes)
    }
}

#[expect(clippy::too_many_arguments, reason = "each is a word of one change")]
pub(super) fn replaces(
    place: &Place,
    file: &str,
    round: usize,
    (from, to): (&str, &str),
    (before, next): (&str, &str),
    because: String,
    by_hand: String,
    note: &Mended,
) -> Change {
    Change {
        key: format!("replace-{round}"),
        note: Some(Note::of(note)),
        op: Op::order(rescue::replace(place, file, (from, to), next)),
        guard: format!("{file} still has sha256 {from}"),
        inverse: Inverse::By(Box::new(Op::order(rescue::replace(place, file, (to, from), before)))),
        because,
        by_hand,
        deadline_secs: 60,
        keep: Keep::Nothing,
    }
}

/// The stray file moved out of the folder.
pub(super) fn moves(place: &Place, seen: &Seen, evidence: &Evidence, stray: Stray<'_>, class: String) -> Vec<Change> {
    let Stray { goes, stays, wins } = stray;
    let processes = if wins { pids(evidence) } else { Vec::new() };
    let note = Mended { processes, gone: goes.path.clone(), class: class.clone() };
    let name = goes.path.rsplit('/').next().unwrap_or("stray");
    let to = format!("{}/stray-{name}", place.beside());
    let out = rescue::move_file(place, (&goes.path, &to), &goes.sha256, Some(&stays.path));
    let back = rescue::move_file(place, (&to, &goes.path), &goes.sha256, None);
    let moved = Change {
        key: format!("move-{name}"),
        note: Some(Note::of(&note)),
        op: Op::order(out),
        guard: format!("{} still has sha256 {}, and {} is there", goes.path, goes.sha256, stays.path),
        inverse: Inverse::By(Box::new(Op::order(back))),
        because: class.clone(),
        by_hand: format!("mv {} {to}", goes.path),
        deadline_secs: 60,
        keep: Keep::Nothing,
    };
    beside(place, seen, &class).into_iter().chain([moved]).collect()
}

pub(super) fn pids(evidence: &Evidence) -> Vec<u32> {
    evidence.processes.iter().map(|(pid, _)| *pid).collect()
}

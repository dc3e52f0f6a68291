//! Another text of the manifest, one that lies on the host or the kit's copy, put in the place of the one that keeps the component
//! down, or of one that is gone: by name only. Which text is the good one, no program can know, and a manifest may have been taken
//! out on purpose.

use std::fmt;

use super::mend::{Mended, beside, pids, replaces};
use crate::change::{Blob, Change, Inverse, Keep, Note, Op, Target};
use crate::host::manifest;
use crate::host::rescue::{self, Evidence};
use crate::host::swap::{Place, Seen};
use crate::kit::Cluster;
use crate::kit::kept::{self, Kept};
use crate::steps::Look;
use crate::steps::static_pod::put;

/// What such a change is called.
pub(super) const CLASS: &str = "a text that was named";
const STAGE: &str = "stage-from";
/// How the kit's copy is named.
const KIT: &str = "kit";

/// Which text was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum From {
    /// A file of the host, by its path.
    Host(String),
    /// What `kit refresh` kept of it.
    Kit,
}

impl From {
    pub(super) fn parse(word: &str) -> Result<Self, &'static str> {
        match word {
            KIT => Ok(Self::Kit),
            path if path.starts_with('/') && !path.contains(['\n', '\0']) => Ok(Self::Host(path.to_owned())),
            _ => Err(
                "expected the absolute path of a file on the host, or kit for the copy that breakglass kit refresh kept",
            ),
        }
    }

    /// The file of the host, where it is one.
    pub(super) fn on_host(&self) -> Option<&str> {
        match self {
            Self::Host(path) => Some(path),
            Self::Kit => None,
        }
    }

    /// Why it cannot be put in on any host of the cluster, said of this one.
    pub(super) fn refuse(&self, target: &Target, cluster: &Cluster, program: &str) -> Option<String> {
        let has = |host: &crate::kit::Host| kept::path(cluster, &host.name, program).is_some_and(|path| path.exists());
        let none = *self == Self::Kit && !cluster.hosts.iter().any(has);
        none.then(|| {
            format!(
                "the kit has no copy of the manifest of {program} of {}: in peace, breakglass kit refresh keeps one; now, name a \
                 file of the host",
                target.short()
            )
        })
    }
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.on_host().unwrap_or("the kit's copy"))
    }
}

/// The copy in the kit, as a person speaks of it.
pub(super) fn words(kept: &Kept) -> String {
    format!("the kit's copy, a file of {}", kept.seen.strftime("%Y-%m-%d %H:%M UTC"))
}

/// Where the manifest is, or would be.
pub(super) fn file(place: &Place, seen: &Seen) -> String {
    let usual = || format!("{}/{}.yaml", place.manifests.trim_end_matches('/'), place.program);
    seen.all.first().map_or_else(usual, |file| file.path.clone())
}

/// One text in the place of another, or of none.
pub(super) struct Puts<'a> {
    pub(super) place: &'a Place,
    pub(super) seen: &'a Seen,
    /// What it is, for sentences.
    pub(super) from: &'a str,
    pub(super) text: &'a str,
    /// What stands where it goes.
    pub(super) old: Option<&'a [u8]>,
}

impl Puts<'_> {
    pub(super) fn changes(&self, evidence: &Evidence, look: Look<'_>) -> Result<Vec<Change>, String> {
        let Self { place, seen, from, text, old } = *self;
        manifest::image(text, &place.program)?;
        let file = file(place, seen);
        let new = Blob::new(text.as_bytes());
        let old = old.map(Blob::new);
        if old.as_ref().is_some_and(|old| old.sha256 == new.sha256) {
            return Err(format!("it is the text that stands in {file} already"));
        }
        let because = format!("{from} was named as the text of {file}");
        let next = place.next();
        let mut changes: Vec<Change> = beside(place, seen, &because).into_iter().collect();
        if let Some(old) = &old
            && seen.before.as_ref() != Some(&old.sha256)
        {
            changes.push(put("keep", place.before(), old, seen.before.as_deref(), &because));
        }
        if seen.next.as_ref() != Some(&new.sha256) && !look.history.done(STAGE) {
            changes.push(put(STAGE, next.clone(), &new, seen.next.as_deref(), &because));
        }
        let class = format!("{CLASS}, {from}");
        let gone = old.as_ref().map_or_else(|| next.clone(), |old| old.sha256.clone());
        let note = Mended { processes: pids(evidence), gone, class };
        changes.push(match &old {
            Some(old) => {
                let by_hand = format!("diff {next} {file}; cp {next} {file}");
                let sums = (old.sha256.as_str(), new.sha256.as_str());
                replaces(place, &file, 1, sums, (&place.before(), &next), because, by_hand, &note)
            }
            None => puts_in(place, (&next, &file), &new.sha256, because, Some(Note::of(&note))),
        });
        Ok(changes)
    }
}

/// A staged text moved into the folder, where nothing has its name.
pub(super) fn puts_in(
    place: &Place,
    (next, file): (&str, &str),
    sha256: &str,
    because: String,
    note: Option<Note>,
) -> Change {
    Change {
        key: "put-in".into(),
        note,
        op: Op::order(rescue::move_file(place, (next, file), sha256, None)),
        guard: format!("there is no {file}"),
        inverse: Inverse::By(Box::new(Op::order(rescue::move_file(place, (file, next), sha256, None)))),
        because,
        by_hand: format!("cp -p {next} {file}"),
        deadline_secs: 60,
        keep: Keep::Nothing,
    }
}

//! Exchanges of the same program's manifest by other runs: on the host itself, and on every other control-plane host.
//!
//! Two engineers never take two API servers out at once. A step marks its own host, then looks here, and begins when nobody
//! else has marked a host or begun. Of two who see each other's mark, the one with the later run lets its own run out.

use std::time::Duration;

use futures::future::join_all;

use super::{Look, Sends, StepError};
use crate::change::{Op, Part, Target};
use crate::host::swap::{self, MARK_LIFE, Other, Place, Stands};
use crate::kit::{Cluster, Host};

const LOOK_LIMIT: Duration = Duration::from_secs(10);

/// What was seen of others.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    /// Where, and what stands there.
    all: Vec<(Target, Other)>,
    /// Hosts that could not be asked: one sentence each.
    pub(super) unasked: Vec<String>,
}

/// What has to be done about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Nobody is in the way.
    Free,
    /// Somebody is, and comes to an end by itself.
    Wait {
        /// Who, where, and what to type.
        what: String,
        /// They let us go first.
        first: bool,
    },
}

/// What a run does next that wants to take a manifest out.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is its turn.
    Go,
    /// Its mark is to be set, or set anew, so that others see it.
    Mark,
    /// Somebody else is in the way: who, where, and what to type.
    Wait(String),
}

impl Way {
    /// With a mark of this age on its own host; `None`: none that counts.
    pub(super) fn turn(self, marked: Option<u64>) -> Turn {
        match (self, marked) {
            (Self::Free, Some(_)) => Turn::Go,
            // Those who let us go first wait for our mark or for its end, so it must not end before theirs.
            (Self::Wait { first: true, .. }, Some(age)) if age > MARK_LIFE / 2 => Turn::Mark,
            (Self::Free | Self::Wait { first: true, .. }, None) => Turn::Mark,
            (Self::Wait { what, .. }, _) => Turn::Wait(what),
        }
    }
}

/// Taking an exchange back takes a manifest out, too: this is where; `None`: the inverse takes none out.
pub fn taken_out_by(inverse: &Op) -> Option<Place> {
    match inverse {
        Op::Host(command) => swap::place_of(&command.script),
        Op::Kube(_) | Op::File(_) | Op::Http(_) | Op::Local(_) => None,
    }
}

/// Sets the mark there that others see before they take a manifest out.
pub fn mark_of(place: &Place) -> Op {
    Op::order(swap::folder(place))
}

/// Whose turn it is, as for a first exchange, and the hosts that could not be asked; `marked`: how old our own mark is.
///
/// # Errors
/// When a host has lost its manifest to an exchange that broke off.
pub async fn turn(
    look_at: Look<'_>,
    place: &Place,
    marked: Option<Duration>,
) -> Result<(Turn, Vec<String>), StepError> {
    let query = swap::under_way(&place.manifests, &place.program);
    // A host that cannot be asked says so to the order, too.
    let here = look_at.reads.ask(look_at.target, &query, LOOK_LIMIT).await.unwrap_or_default();
    let here: Vec<Other> = here.into_iter().filter(|other| other.run != place.run).collect();
    let seen = look(look_at, &place.program, &here).await;
    let fresh = marked.map(|age| age.as_secs()).filter(|age| *age <= MARK_LIFE);
    Ok((seen.way(look_at, &place.program)?.turn(fresh), seen.unasked))
}

/// Every control-plane host but this one.
fn others<'a>(target: &'a Target, cluster: &'a Cluster) -> impl Iterator<Item = &'a Host> {
    cluster.api_hosts().filter(|host| target.part != Part::Host(host.name.clone()))
}

/// The looks, each said once.
pub(super) fn announced(target: &Target, cluster: &Cluster, program: &str) -> Vec<Sends> {
    let mut looks = Vec::new();
    for host in others(target, cluster) {
        let look = Sends::Look(swap::under_way(&host.manifests, program).into());
        if !looks.contains(&look) {
            looks.push(look);
        }
    }
    looks
}

/// Looks at every control-plane host but this one.
pub(super) async fn look(look: Look<'_>, program: &str, here: &[Other]) -> Elsewhere {
    let mut seen = Elsewhere::default();
    seen.all.extend(here.iter().map(|other| (look.target.clone(), other.clone())));
    let Some(cluster) = look.reads.cluster(&look.target.cluster) else { return seen };
    let answers = join_all(others(look.target, cluster).map(async |host| {
        let target = Target::host(&cluster.name, &host.name);
        let others = look.reads.ask(&target, &swap::under_way(&host.manifests, program), LOOK_LIMIT).await;
        (target, others)
    }))
    .await;
    for (target, others) in answers {
        match others {
            Ok(others) => seen.all.extend(others.into_iter().map(|other| (target.clone(), other))),
            Err(why) => seen.unasked.push(format!(
                "{} could not be asked whether a manifest is being exchanged there too: {}",
                target.short(),
                crate::words::one_line(&why.to_string())
            )),
        }
    }
    seen
}

impl Elsewhere {
    /// Whether this run may take a manifest out.
    ///
    /// # Errors
    /// When a host has lost its manifest to an exchange that broke off: nobody takes a second one out then.
    pub(super) fn way(&self, look: Look<'_>, program: &str) -> Result<Way, StepError> {
        if let Some((target, other)) = self.all.iter().find(|(_, other)| other.stands == Stands::Out) {
            return Err(out(target, program, other));
        }
        let run = look.mark.run.as_str();
        let moving = |(_, other): &&(Target, Other)| other.stands == Stands::Moving;
        let marked = |(_, other): &&(Target, Other)| other.stands == Stands::Marked && other.run != run;
        if let Some((target, other)) = self.all.iter().find(moving) {
            let what = format!(
                "the exchange of {program}'s manifest on {} to end, by {}, begun {} s ago (`breakglass show {}`)",
                target.short(),
                whose(other),
                other.age,
                other.run
            );
            return Ok(Way::Wait { what, first: false });
        }
        // Whoever is before all others goes first; the names of runs are in the order in which they began.
        let others: Vec<_> = self.all.iter().filter(marked).collect();
        let Some((target, other)) = others.iter().min_by_key(|(_, other)| &other.run) else { return Ok(Way::Free) };
        let what = format!(
            "{}, who is about to exchange {program}'s manifest on {} (`breakglass show {}`); the mark there ends in {} s",
            whose(other),
            target.short(),
            other.run,
            MARK_LIFE.saturating_sub(other.age)
        );
        Ok(Way::Wait { what, first: run < other.run.as_str() })
    }
}

fn whose(other: &Other) -> String {
    let who = if other.operator.is_empty() { "somebody" } else { &other.operator };
    format!("{who} (run {})", other.run)
}

/// A host whose manifest lies beside the folder.
pub(super) fn out(target: &Target, program: &str, other: &Other) -> StepError {
    let Other { folder, file, run, .. } = other;
    StepError::Refused {
        why: format!(
            "{target}: the manifest that starts {program} is out of its place: {} took it out {} s ago, and what \
             exchanged it died. It lies in {folder}/out.yaml",
            whose(other),
            other.age
        ),
        hint: Some(format!(
            "breakglass resume {run}, or breakglass undo {run}, where that run's journal is; without it, on {}: mv \
             {folder}/out.yaml {file}",
            target.short()
        )),
    }
}

/// One that broke off here with a manifest in its place.
pub(super) fn broke_off(other: &Other) -> Option<String> {
    (other.stands == Stands::Broken).then(|| {
        format!(
            "an exchange by {} broke off here {} s ago with a manifest in its place; `breakglass resume {}` or `undo` settles it",
            whose(other),
            other.age,
            other.run
        )
    })
}

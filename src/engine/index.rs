//! What the engine looks up of a run while it drives it: by step, target and cluster, so that a look at one host costs the
//! same however many others there are.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::change::{Keep, Target};
use crate::journal::{ChangeRecord, ChangeState, Entry, Line, Run};

/// A lease by where it stands and what it is called.
type Held = (Target, String);

/// Positions in a run, kept up line by line. It holds numbers of changes; the changes themselves stand in the run.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The changes on a target, by their step, oldest first.
    changes: HashMap<Target, BTreeMap<usize, Vec<u32>>>,
    /// The changes on a cluster, oldest first.
    clusters: HashMap<String, Vec<u32>>,
    /// The key that a host had shown before the newest change there that knows it.
    host_keys: HashMap<Target, String>,
    /// When a step first began on a cluster.
    began: HashMap<(String, usize), jiff::Timestamp>,
    /// The changes that were made and take a lease (true) or release it, by number: the newest has the last word.
    leases: HashMap<Held, BTreeMap<u32, bool>>,
    /// The leases that changed since they were last asked for.
    moved: Vec<Held>,
}

impl Index {
    /// Of a run that was taken over; when its steps began is told by [`Self::begin`].
    pub(super) fn of(run: &Run) -> Self {
        let mut index = Self::default();
        for record in run.changes.values() {
            index.intended(record);
            index.settled(record);
        }
        index
    }

    /// Takes note of a line that the run has taken in.
    pub(super) fn note(&mut self, line: &Line, run: &Run) {
        match &line.entry {
            Entry::StepStarted { cluster, step } => self.begin(cluster, *step, line.at),
            Entry::Intended { id, .. } => {
                if let Some(record) = run.changes.get(id) {
                    self.intended(record);
                }
            }
            Entry::Done { id, .. }
            | Entry::Failed { id, .. }
            | Entry::Unknown { id, .. }
            | Entry::NotMade { id }
            | Entry::Undoing { id }
            | Entry::Undone { id, .. }
            | Entry::Stuck { id, .. } => {
                if let Some(record) = run.changes.get(id) {
                    self.settled(record);
                }
            }
            Entry::Started(_)
            | Entry::Resumed { .. }
            | Entry::StepEnded { .. }
            | Entry::Answered { .. }
            | Entry::Saw { .. }
            | Entry::Found { .. }
            | Entry::Ended { .. } => {}
        }
    }

    /// A step began on a cluster; only the first time counts.
    pub(super) fn begin(&mut self, cluster: &str, step: usize, at: jiff::Timestamp) {
        self.began.entry((cluster.to_owned(), step)).or_insert(at);
    }

    fn intended(&mut self, record: &ChangeRecord) {
        self.changes.entry(record.target.clone()).or_default().entry(record.step).or_default().push(record.id);
        self.clusters.entry(record.target.cluster.clone()).or_default().push(record.id);
        if let Some(key) = &record.host_key {
            self.host_keys.insert(record.target.clone(), key.clone());
        }
    }

    fn settled(&mut self, record: &ChangeRecord) {
        let (name, takes) = match &record.change.keep {
            Keep::Renew { lease, .. } => (lease, true),
            Keep::Release { lease } => (lease, false),
            Keep::Nothing => return,
        };
        let held = (record.target.clone(), name.clone());
        let words = self.leases.entry(held.clone()).or_default();
        let before = words.last_key_value().map(|(id, _)| *id);
        if record.state == ChangeState::Done {
            words.insert(record.id, takes);
        } else {
            words.remove(&record.id);
        }
        if words.last_key_value().map(|(id, _)| *id) != before {
            self.moved.push(held);
        }
    }

    /// The changes of a step on a target, oldest first.
    pub(super) fn of_step(&self, step: usize, target: &Target) -> &[u32] {
        self.changes.get(target).and_then(|steps| steps.get(&step)).map_or(&[], Vec::as_slice)
    }

    /// The changes of all steps before one on a target, in the order of the steps.
    pub(super) fn before(&self, step: usize, target: &Target) -> impl Iterator<Item = u32> {
        let steps = self.changes.get(target).into_iter().flat_map(move |steps| steps.range(..step));
        steps.flat_map(|(_, ids)| ids.iter().copied())
    }

    /// The changes on a cluster, oldest first.
    pub(super) fn on_cluster(&self, cluster: &str) -> &[u32] {
        self.clusters.get(cluster).map_or(&[], Vec::as_slice)
    }

    /// The key that a host had shown when something was last changed there, where that is known.
    pub(super) fn host_key(&self, target: &Target) -> Option<&str> {
        self.host_keys.get(target).map(String::as_str)
    }

    /// When a step first began on a cluster.
    pub(super) fn since(&self, cluster: &str, step: usize) -> Option<jiff::Timestamp> {
        self.began.get(&(cluster.to_owned(), step)).copied()
    }

    /// The change that holds a lease: none where it was released or taken back.
    fn holder(&self, held: &Held) -> Option<u32> {
        self.leases.get(held)?.last_key_value().and_then(|(id, takes)| takes.then_some(*id))
    }

    /// The changes that hold the leases which moved since this was last asked; of a run that was taken over, all that stand.
    pub(super) fn moved(&mut self) -> BTreeSet<u32> {
        let moved = std::mem::take(&mut self.moved);
        moved.iter().filter_map(|held| self.holder(held)).collect()
    }

    /// Whether the lease that a change took is still held by it.
    pub(super) fn holds(&self, record: &ChangeRecord) -> bool {
        let Keep::Renew { lease, .. } = &record.change.keep else { return false };
        self.holder(&(record.target.clone(), lease.clone())) == Some(record.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Change, HostCommand, Op};
    use crate::journal::{Header, fold};
    use crate::script::Script;

    fn command() -> HostCommand {
        HostCommand { script: Script::new("x", "true"), fresh_connection: false, idempotent: true, quiet: false }
    }

    /// A run that these entries make, and its index: kept up line by line, and made anew of the run.
    fn indexed(entries: Vec<Entry>) -> (Run, Index, Index) {
        let at = jiff::Timestamp::UNIX_EPOCH;
        let all = std::iter::once(Entry::Started(Box::new(Header::sample("run")))).chain(entries);
        let lines: Vec<Line> = (1..).zip(all).map(|(seq, entry)| Line { seq, at, written: None, entry }).collect();
        let mut index = Index::default();
        for count in 1..=lines.len() {
            index.note(&lines[count - 1], &fold(&lines[..count]).unwrap());
        }
        let run = fold(&lines).unwrap();
        let anew = Index::of(&run);
        (run, index, anew)
    }

    fn intended(id: u32, step: usize, host: &str, keep: Keep) -> Entry {
        let change = Box::new(Change { keep, ..Change::sample("k", Op::Host(command())) });
        let host_key = (id == 1).then(|| "ssh-ed25519 SHA256:1".to_owned());
        Entry::Intended { id, step, target: Target::host("east", host), change, host_key }
    }

    fn done(id: u32) -> Entry {
        Entry::Done { id, said: String::new(), facts: crate::change::Facts::default() }
    }

    #[test]
    fn changes_are_found_by_their_step_and_target() {
        let entries = vec![
            Entry::StepStarted { cluster: "east".into(), step: 0 },
            intended(1, 0, "cp1", Keep::Nothing),
            intended(2, 0, "cp2", Keep::Nothing),
            done(1),
            intended(3, 1, "cp1", Keep::Nothing),
            intended(4, 0, "cp1", Keep::Nothing),
        ];
        let (_, kept, anew) = indexed(entries);
        let (cp1, cp2) = (Target::host("east", "cp1"), Target::host("east", "cp2"));
        for index in [&kept, &anew] {
            assert_eq!((index.of_step(0, &cp1), index.of_step(1, &cp1)), (&[1, 4][..], &[3][..]));
            assert_eq!((index.of_step(0, &cp2), index.of_step(1, &cp2)), (&[2][..], &[][..]));
            assert_eq!(index.before(1, &cp1).collect::<Vec<_>>(), [1, 4]);
            assert_eq!(index.before(0, &cp1).count(), 0);
            assert_eq!((index.on_cluster("east"), index.on_cluster("west")), (&[1, 2, 3, 4][..], &[][..]));
            assert_eq!((index.host_key(&cp1), index.host_key(&cp2)), (Some("ssh-ed25519 SHA256:1"), None));
        }
        assert_eq!((kept.since("east", 0), kept.since("east", 1)), (Some(jiff::Timestamp::UNIX_EPOCH), None));
    }

    #[test]
    fn a_lease_is_held_by_the_last_change_that_stands() {
        let lease = || "gate".to_owned();
        let renew = || Keep::Renew { lease: lease(), every_secs: 5, op: Box::new(command()), look: None };
        let release = || Keep::Release { lease: lease() };
        let holder = |entries: Vec<Entry>| {
            let (run, kept, mut anew) = indexed(entries);
            let holds = |index: &Index| {
                run.changes.values().filter(|record| index.holds(record)).map(|record| record.id).collect::<Vec<_>>()
            };
            assert_eq!(holds(&kept), holds(&anew));
            assert_eq!(Vec::from_iter(anew.moved()), holds(&anew), "a run that is taken over tells all that stand");
            assert!(anew.moved().is_empty(), "and each once");
            holds(&kept)
        };
        let taken = || vec![intended(1, 0, "cp1", renew()), done(1)];
        let and = |mut all: Vec<Entry>, more: Vec<Entry>| {
            all.extend(more);
            all
        };
        assert!(holder(vec![intended(1, 0, "cp1", renew())]).is_empty(), "it was not made yet");
        assert_eq!(holder(taken()), [1]);
        assert!(holder(and(taken(), vec![Entry::Undoing { id: 1 }])).is_empty());
        assert_eq!(holder(and(taken(), vec![intended(2, 1, "cp1", release())])), [1]);
        let released = || and(taken(), vec![intended(2, 1, "cp1", release()), done(2)]);
        assert!(holder(released()).is_empty());
        assert_eq!(holder(and(released(), vec![Entry::Undoing { id: 2 }])), [1], "the release was taken back");
        let twice =
            and(taken(), vec![intended(2, 0, "cp1", renew()), done(2), intended(3, 0, "cp2", renew()), done(3)]);
        assert_eq!(holder(twice), [2, 3]);
    }
}

//! The journal as the engine uses it: many targets append to one writer, and read their own history from memory.
//!
//! Nobody's thread waits for the disk: lines that come while one fsync is under way go together with the next, on a
//! thread of its own. Whoever appends goes on once his own line is on the disk, so no act is ahead of its line.

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::index::Index;
use super::keeper::Lease;
use crate::change::{Change, Inverse, Keep, Op, Part, Target};
use crate::engine::Tally;
use crate::journal::{
    ChangeRecord, ChangeState, Entry, JournalError, Line, Run, StoreError, Tail, Writer, fold, read_each,
};
use crate::process::Clock;
use crate::steps::History;

/// The open journal and the lines behind it.
#[derive(Debug)]
pub struct Record {
    inner: Mutex<Inner>,
    tail: Arc<Tail>,
    /// One flush at a time; who waits for his turn mostly finds that his line went with the one before.
    turn: tokio::sync::Mutex<()>,
    /// Hosts may keep the same bytes at the same time.
    keeping: Arc<Mutex<()>>,
    clock: Clock,
}

#[derive(Debug)]
struct Inner {
    writer: Writer,
    run: Run,
    index: Index,
    /// When this process took the run over.
    here: jiff::Timestamp,
}

impl Record {
    /// Takes a writer over, with what its journal says so far.
    ///
    /// # Errors
    /// When the journal cannot be read back.
    pub fn new(writer: Writer, clock: Clock) -> Result<Self, JournalError> {
        let here = clock.now();
        // Written by an earlier process whose clock was ahead of this one's: that was before now all the same.
        let before = here.saturating_sub(std::time::Duration::from_nanos(1)).unwrap_or(here);
        let past = |at: jiff::Timestamp| if at > here { before } else { at };
        let mut began = Vec::new();
        let mut journal = read_each(writer.folder(), |line, _| {
            if let Entry::StepStarted { cluster, step } = line.entry {
                began.push((cluster, step, past(line.at)));
            }
        })?;
        for change in journal.run.changes.values_mut() {
            (change.intended_at, change.moved_at) = (past(change.intended_at), past(change.moved_at));
        }
        let mut index = Index::of(&journal.run);
        began.iter().for_each(|(cluster, step, at)| index.begin(cluster, *step, *at));
        let tail = writer.tail();
        let inner = Mutex::new(Inner { writer, run: journal.run, index, here });
        Ok(Self { inner, tail, turn: tokio::sync::Mutex::default(), keeping: Arc::default(), clock })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere does not make the journal's file wrong: every append is whole or refused.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends an entry; on the disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written; nothing is accepted afterwards.
    pub async fn append(&self, entry: Entry) -> Result<(), JournalError> {
        let seq = {
            let mut inner = self.inner();
            let line = inner.writer.stage(entry)?;
            inner.note(&line)?;
            line.seq
        };
        self.on_disk(seq).await
    }

    /// Writes down that a change is about to be made, its blobs kept first; its number.
    ///
    /// # Errors
    /// As `append`, and when a blob cannot be kept.
    pub async fn intend(
        &self,
        step: usize,
        target: &Target,
        change: &Change,
        host_key: Option<String>,
    ) -> Result<u32, JournalError> {
        self.keep(change).await?;
        let (id, seq) = {
            let mut inner = self.inner();
            let (id, line) = inner.writer.intend(step, target, change, host_key)?;
            inner.note(&line)?;
            (id, line.seq)
        };
        self.on_disk(seq).await?;
        Ok(id)
    }

    /// Keeps what a change carries and what its inverse does.
    async fn keep(&self, change: &Change) -> Result<(), JournalError> {
        let mut ops = vec![change.op.clone()];
        if let Inverse::By(op) = &change.inverse {
            ops.push((**op).clone());
        }
        if ops.iter().all(|op| op.blob().is_none()) {
            return Ok(());
        }
        let (folder, one_at_a_time) = (self.inner().writer.folder().clone(), Arc::clone(&self.keeping));
        let keep = move || {
            let _turn = one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
            ops.iter().try_for_each(|op| folder.keep(op))
        };
        blocking(keep).await.map_err(JournalError::Store)
    }

    /// Keeps the hash of the last line outside the journal. That it could not be kept takes nothing from the journal.
    pub(super) fn keep_head(&self) {
        drop(self.inner().writer.keep_head());
    }

    /// Waits until a line is on the disk.
    async fn on_disk(&self, seq: u64) -> Result<(), JournalError> {
        while !self.tail.has(seq)? {
            let _turn = self.turn.lock().await;
            if !self.tail.has(seq)? {
                let tail = Arc::clone(&self.tail);
                blocking(move || tail.flush()).await;
            }
        }
        Ok(())
    }

    /// What a step did on a target so far. Of who has answered, the API servers of its cluster.
    pub fn history(&self, step: usize, target: &Target) -> History {
        let inner = self.inner();
        let (run, index) = (&inner.run, &inner.index);
        let changes = |ids: &[u32]| ids.iter().filter_map(|id| run.changes.get(id)).cloned().collect();
        let here = (target.cluster.clone(), step, String::new());
        let answers = run.answers.range(here..).take_while(|((c, s, _), _)| *c == target.cluster && *s == step);
        let pretended = if run.header.drill {
            let before = index.before(step, target).filter_map(|id| run.changes.get(&id));
            before.filter(|c| c.state == ChangeState::Done).map(|c| c.change.clone()).collect()
        } else {
            Vec::new()
        };
        History {
            changes: changes(index.of_step(step, target)),
            answers: answers.map(|((_, _, question), yes)| (question.clone(), *yes)).collect(),
            since: index.since(&target.cluster, step),
            now: self.clock.now(),
            here: inner.here,
            answered: run.answered.as_ref().map(|all| servers(all, &target.cluster)),
            pretended,
        }
    }

    /// The key that a host showed when this run last changed something there, where that is known.
    pub fn host_key(&self, target: &Target) -> Option<String> {
        self.inner().index.host_key(target).map(str::to_owned)
    }

    /// Reads the run as it stands, without a copy of it. What reads must not wait for anything: nobody can write meanwhile.
    pub fn read<T>(&self, read: impl FnOnce(&Run) -> T) -> T {
        read(&self.inner().run)
    }

    /// A copy of the run as it stands.
    #[cfg(test)]
    pub fn run(&self) -> Run {
        self.read(Clone::clone)
    }

    /// How a step ended on a cluster, if it did.
    pub fn step_ended(&self, cluster: &str, step: usize) -> Option<crate::journal::StepState> {
        self.inner().run.steps.get(&(cluster.to_owned(), step)).copied()
    }

    /// The changes that stand on a cluster, newest first.
    pub fn standing(&self, cluster: &str) -> Vec<ChangeRecord> {
        let inner = self.inner();
        let all = inner.index.on_cluster(cluster).iter().rev().filter_map(|id| inner.run.changes.get(id));
        all.filter(|record| record.stands()).cloned().collect()
    }

    /// Fills what an op that was read from the journal keeps beside it.
    ///
    /// # Errors
    /// When a kept copy is gone or damaged.
    pub fn fill(&self, op: &mut Op) -> Result<(), StoreError> {
        self.inner().writer.folder().fill(op)
    }

    /// The leases that were taken, or came to another change, since this was last asked; first of all, those that stand.
    pub(super) fn leases_moved(&self) -> Vec<Lease> {
        let mut inner = self.inner();
        let moved = inner.index.moved();
        moved.into_iter().filter_map(|change| lease(inner.run.changes.get(&change)?)).collect()
    }

    /// The lease that a change took; `None` once it was released, taken back or taken anew.
    pub(super) fn lease(&self, change: u32) -> Option<Lease> {
        let inner = self.inner();
        let record = inner.run.changes.get(&change)?;
        inner.index.holds(record).then(|| lease(record)).flatten()
    }

    /// The changes by their end.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for change in self.inner().run.changes.values() {
            match change.state {
                ChangeState::Done => tally.done += 1,
                ChangeState::Undone if change.needs_no_undo() => tally.needless += 1,
                ChangeState::Undone => tally.undone += 1,
                ChangeState::Unknown | ChangeState::Intended | ChangeState::Undoing => tally.unknown += 1,
                ChangeState::Stuck => tally.stuck += 1,
                ChangeState::Failed | ChangeState::NotMade => {}
            }
        }
        tally
    }
}

/// What is renewed for a change that took a lease.
fn lease(record: &ChangeRecord) -> Option<Lease> {
    let Keep::Renew { lease, every_secs, op, look } = &record.change.keep else { return None };
    Some(Lease {
        change: record.id,
        step: record.step,
        target: record.target.clone(),
        name: lease.clone(),
        every: Duration::from_secs((*every_secs).max(1)),
        op: (**op).clone(),
        look: look.clone(),
    })
}

/// Those that are API servers of a cluster.
fn servers(all: &BTreeSet<Target>, cluster: &str) -> BTreeSet<Target> {
    let of_it = |target: &&Target| target.cluster == cluster && matches!(target.part, Part::ApiServer(_));
    all.range(Target::api_server(cluster, "")..).take_while(of_it).cloned().collect()
}

/// Does what blocks on a thread where nobody waits for it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let error = match tokio::task::spawn_blocking(work).await {
        Ok(done) => return done,
        Err(error) => error,
    };
    match error.try_into_panic() {
        Ok(cause) => resume_unwind(cause),
        // Only a runtime that is shutting down takes no more work: whoever waits is dropped with it.
        Err(_) => std::future::pending().await,
    }
}

impl Inner {
    fn note(&mut self, line: &Line) -> Result<(), JournalError> {
        fold::advance(&mut self.run, line).map_err(|what| JournalError::Damaged {
            path: self.writer.folder().journal(),
            line: usize::try_from(line.seq).unwrap_or(0),
            what,
        })?;
        self.index.note(line, &self.run);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Facts, HostCommand};
    use crate::journal::{Header, Store};
    use crate::script::Script;

    /// The first process wrote an hour ahead of the second, whose clock has been put right since.
    #[tokio::test(start_paused = true)]
    async fn what_a_clock_that_was_ahead_wrote_is_past_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Store::at(dir.path()).create("20250101-000000-abcd").unwrap();
        let header = Header::sample("20250101-000000-abcd");
        let change = Change::sample(
            "close",
            Op::Host(HostCommand {
                script: Script::new("gate.close", ""),
                fresh_connection: false,
                idempotent: true,
                quiet: false,
            }),
        );
        let (target, second) = (Target::host("east", "cp1"), Duration::from_secs);
        let noon: jiff::Timestamp = "2025-01-01T12:00:00Z".parse().unwrap();
        let ahead = Clock::Fixed("2025-01-01T13:00:00Z".parse().unwrap());
        let mut writer = Writer::create(folder.clone(), header, ahead).unwrap();
        writer.append(Entry::StepStarted { cluster: "east".into(), step: 0 }).unwrap();
        let (id, _) = writer.intend(0, &target, &change, None).unwrap();
        writer.append(Entry::Done { id, said: String::new(), facts: Facts::default() }).unwrap();
        drop(writer);
        let clock = Clock::Paced { shows: noon, at: tokio::time::Instant::now() };
        let record = Record::new(Writer::open(folder, clock).unwrap(), clock).unwrap();
        for passed in [0, 20] {
            tokio::time::advance(second(passed)).await;
            let history = record.history(0, &target);
            let [made] = history.changes.as_slice() else { panic!("{:?}", history.changes) };
            assert!(!history.just_now(made, second(30)), "this process did not see it");
            assert_eq!(history.ago(made.moved_at), second(passed));
            assert_eq!(history.ago(history.since.unwrap()), second(passed));
        }
    }
}

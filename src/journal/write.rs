//! Appending: a line is on the disk before the caller goes on, and lines that wait together share one fsync.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::format::Written;
use super::read::{Heads, chain, read_each, seal};
use super::{Entry, FORMAT, Header, JournalError, Line, MINOR, RunFolder};
use crate::change::{Change, Target};
use crate::process::Clock;

/// Where lines go; tests put in one that fails.
pub(crate) trait Disk: Send + std::fmt::Debug {
    /// Appends a line.
    fn append(&mut self, record: &[u8]) -> io::Result<()>;

    /// What was appended is on the disk when this returns.
    fn sync(&mut self) -> io::Result<()>;
}

impl Disk for File {
    fn append(&mut self, record: &[u8]) -> io::Result<()> {
        // One write call a line, so that a kill leaves at most one torn line.
        self.write_all(record)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Lines on their way to the disk. Whoever flushes takes all that wait with him, so that many targets share one fsync.
#[derive(Debug)]
pub(crate) struct Tail {
    path: PathBuf,
    waiting: Mutex<Waiting>,
    /// Held for a whole flush: lines reach the file in the order of their numbers.
    disk: Mutex<Box<dyn Disk>>,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<String>,
    /// The number of the last line that waits or waited.
    last: u64,
    /// The number of the last line that is on the disk.
    durable: u64,
    /// Set by the first flush that failed: from then on nothing is accepted, so that no write can happen unrecorded.
    failed: Option<(io::ErrorKind, String)>,
}

/// A panic elsewhere does not make the journal's file wrong: every line is whole or refused.
fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tail {
    fn new(path: PathBuf, file: File, durable: u64) -> Arc<Self> {
        let waiting = Waiting { last: durable, durable, ..Waiting::default() };
        Arc::new(Self { path, waiting: Mutex::new(waiting), disk: Mutex::new(Box::new(file)) })
    }

    /// Brings everything that waits to the disk. Blocks.
    pub(crate) fn flush(&self) {
        let mut disk = locked(&self.disk);
        let (lines, last) = {
            let mut waiting = locked(&self.waiting);
            if waiting.failed.is_some() {
                return;
            }
            (std::mem::take(&mut waiting.lines), waiting.last)
        };
        if lines.is_empty() {
            return;
        }
        let written = lines.iter().try_for_each(|line| disk.append(line.as_bytes())).and_then(|()| disk.sync());
        let mut waiting = locked(&self.waiting);
        match written {
            Ok(()) => waiting.durable = last,
            Err(error) => waiting.failed = Some((error.kind(), error.to_string())),
        }
    }

    /// Whether a line is on the disk.
    ///
    /// # Errors
    /// When it never will be.
    pub(crate) fn has(&self, seq: u64) -> Result<bool, JournalError> {
        let waiting = locked(&self.waiting);
        match &waiting.failed {
            _ if waiting.durable >= seq => Ok(true),
            None => Ok(false),
            Some((kind, why)) => Err(JournalError::io("append to", &self.path, io::Error::new(*kind, why.clone()))),
        }
    }
}

/// The open journal of a run. While it is held, no other process can append to it.
#[derive(Debug)]
pub struct Writer {
    folder: RunFolder,
    tail: Arc<Tail>,
    _lock: Lock,
    seq: u64,
    hash: String,
    next_change: u32,
    /// The format of the lines so far.
    written: Written,
    clock: Clock,
}

impl Writer {
    /// Starts the journal of a new run.
    ///
    /// # Errors
    /// When the file cannot be made, locked or written.
    pub fn create(folder: RunFolder, header: Header, clock: Clock) -> Result<Self, JournalError> {
        let path = folder.journal();
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| JournalError::io("make", &path, e))?;
        let lock = Lock::take(&file, &folder)?;
        let tail = Tail::new(path, file, 0);
        let (hash, written) = (String::new(), Written::from(&header));
        let mut writer = Self { folder, tail, _lock: lock, seq: 0, hash, next_change: 1, written, clock };
        writer.append(Entry::Started(Box::new(header)))?;
        super::store::sync_dir(&writer.folder.path).map_err(|e| JournalError::io("fsync", &writer.folder.path, e))?;
        Ok(writer)
    }

    /// Opens a journal to go on with it. A torn last line, left by a kill in the middle of an append, is cut off.
    ///
    /// # Errors
    /// When it is damaged, of a newer format, or held by a run that is still alive.
    pub fn open(folder: RunFolder, clock: Clock) -> Result<Self, JournalError> {
        let path = folder.journal();
        let file =
            OpenOptions::new().append(true).read(true).open(&path).map_err(|e| JournalError::io("open", &path, e))?;
        let lock = Lock::take(&file, &folder)?;
        // Heads that cannot be read keep nobody from taking up a run; `verify` says so.
        let mut heads = Heads::new(folder.heads().unwrap_or_default());
        let journal = read_each(&folder, |line, hash| heads.hear(&line, hash))?;
        let written = journal.run.written;
        if written.is_newer() {
            return Err(written.newer(&path));
        }
        heads.check(&folder, journal.count)?;
        if journal.torn {
            file.set_len(journal.intact_bytes).map_err(|e| JournalError::io("cut the torn last line off", &path, e))?;
        }
        let next_change = journal.run.changes.keys().next_back().map_or(1, |id| id + 1);
        let seq = journal.count as u64;
        let tail = Tail::new(path, file, seq);
        Ok(Self { folder, tail, _lock: lock, seq, hash: journal.last_hash, next_change, written, clock })
    }

    /// Puts something between the journal and its file.
    #[cfg(test)]
    pub(crate) fn through(self, wrap: impl FnOnce(Box<dyn Disk>) -> Box<dyn Disk>) -> Self {
        let mut disk = locked(&self.tail.disk);
        let file = std::mem::replace(&mut *disk, Box::new(Nowhere));
        *disk = wrap(file);
        drop(disk);
        self
    }

    /// Keeps the hash of the last line outside the journal, too.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn keep_head(&self) -> io::Result<()> {
        self.folder.keep_head(self.seq, &self.hash)
    }

    /// What brings lines to the disk.
    pub(crate) fn tail(&self) -> Arc<Tail> {
        Arc::clone(&self.tail)
    }

    /// The run's folder.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// Appends one entry; on the disk when this returns.
    ///
    /// # Errors
    /// When it could not be written or fsynced; every later call fails too.
    pub fn append(&mut self, entry: Entry) -> Result<Line, JournalError> {
        let line = self.stage(entry)?;
        self.tail.flush();
        self.tail.has(line.seq)?;
        Ok(line)
    }

    /// Puts one entry in the row of those that wait for the disk. It counts once [`Tail::has`] has it.
    ///
    /// # Errors
    /// When an earlier line could not be written.
    pub(crate) fn stage(&mut self, entry: Entry) -> Result<Line, JournalError> {
        let path = self.folder.journal();
        let mut waiting = locked(&self.tail.waiting);
        if waiting.failed.is_some() {
            return Err(JournalError::Broken(path));
        }
        let written = self.written.is_before(FORMAT, MINOR).then(Written::here);
        let line = Line { seq: self.seq + 1, at: self.clock.now(), written, entry };
        let text = serde_json::to_string(&line).map_err(|e| JournalError::io("encode a line of", &path, e.into()))?;
        self.hash = chain(&self.hash, &text);
        self.seq = line.seq;
        if let Some(written) = &line.written {
            self.written.clone_from(written);
        }
        waiting.lines.push(seal(&text, &self.hash));
        waiting.last = line.seq;
        Ok(line)
    }

    /// As [`Self::stage`], that a change is about to be made, whose blobs are kept already; its number and the line.
    ///
    /// # Errors
    /// As `stage`.
    pub(crate) fn intend(
        &mut self,
        step: usize,
        target: &Target,
        change: &Change,
        host_key: Option<String>,
    ) -> Result<(u32, Line), JournalError> {
        let id = self.next_change;
        let entry = Entry::Intended { id, step, target: target.clone(), change: Box::new(change.clone()), host_key };
        let line = self.stage(entry)?;
        self.next_change += 1;
        Ok((id, line))
    }
}

/// Where nothing can be written.
#[cfg(test)]
#[derive(Debug)]
struct Nowhere;

#[cfg(test)]
impl Disk for Nowhere {
    fn append(&mut self, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn sync(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// The lock on a journal. It is given back by word when it is dropped: closing the file is not enough while a child that
/// another thread starts still has its copy of it, between fork and exec (flock(2)).
#[derive(Debug)]
struct Lock(File);

impl Lock {
    fn take(file: &File, folder: &RunFolder) -> Result<Self, JournalError> {
        let failed = |error| JournalError::io("lock", &folder.journal(), error);
        let file = file.try_clone().map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(JournalError::InUse { run: folder.run.clone() }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Nothing is lost when it fails: the lock ends with the file's last copy.
        let _ = self.0.unlock();
    }
}

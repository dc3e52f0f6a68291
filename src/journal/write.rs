//! Appending: one line, flushed and fsynced before the caller goes on.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use super::read::{chain, seal};
use super::{Entry, Header, JournalError, Line, RunFolder, read};
use crate::change::{Change, Target};
use crate::process::Clock;

/// Where lines go; tests put in one that fails.
pub(crate) trait Disk: Send + std::fmt::Debug {
    /// Appends a line; on the disk when this returns.
    fn append(&mut self, record: &[u8]) -> io::Result<()>;
}

impl Disk for File {
    fn append(&mut self, record: &[u8]) -> io::Result<()> {
        // One write call, so that a kill leaves at most one torn line.
        self.write_all(record).and_then(|()| self.sync_data())
    }
}

/// The open journal of a run. While it is held, no other process can append to it.
#[derive(Debug)]
pub struct Writer {
    folder: RunFolder,
    disk: Box<dyn Disk>,
    _lock: Lock,
    seq: u64,
    hash: String,
    next_change: u32,
    clock: Clock,
    /// Set by the first failed append: from then on nothing is accepted, so that no write can happen unrecorded.
    broken: bool,
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
        let mut writer = Self {
            folder,
            disk: Box::new(file),
            _lock: lock,
            seq: 0,
            hash: String::new(),
            next_change: 1,
            clock,
            broken: false,
        };
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
        let journal = read(&folder)?;
        if journal.torn {
            file.set_len(journal.intact_bytes).map_err(|e| JournalError::io("cut the torn last line off", &path, e))?;
        }
        let next_change = journal.run.changes.keys().next_back().map_or(1, |id| id + 1);
        Ok(Self {
            folder,
            disk: Box::new(file),
            _lock: lock,
            seq: journal.lines.len() as u64,
            hash: journal.last_hash,
            next_change,
            clock,
            broken: false,
        })
    }

    /// Puts something between the journal and its file.
    #[cfg(test)]
    pub(crate) fn through(mut self, wrap: impl FnOnce(Box<dyn Disk>) -> Box<dyn Disk>) -> Self {
        self.disk = wrap(self.disk);
        self
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
        let path = self.folder.journal();
        if self.broken {
            return Err(JournalError::Broken(path));
        }
        let line = Line { seq: self.seq + 1, at: self.clock.now(), entry };
        let text = serde_json::to_string(&line).map_err(|e| JournalError::io("encode a line of", &path, e.into()))?;
        let hash = chain(&self.hash, &text);
        if let Err(e) = self.disk.append(seal(&text, &hash).as_bytes()) {
            self.broken = true;
            return Err(JournalError::io("append to", &path, e));
        }
        self.seq += 1;
        self.hash = hash;
        Ok(line)
    }

    /// Writes down that a change is about to be made, its blobs kept first; its number and the line.
    ///
    /// # Errors
    /// As `append`, and when a blob cannot be kept.
    pub fn intend(&mut self, step: usize, target: &Target, change: &Change) -> Result<(u32, Line), JournalError> {
        self.folder.keep(&change.op).map_err(JournalError::Store)?;
        if let crate::change::Inverse::By(op) = &change.inverse {
            self.folder.keep(op).map_err(JournalError::Store)?;
        }
        let id = self.next_change;
        let entry = Entry::Intended { id, step, target: target.clone(), change: Box::new(change.clone()) };
        let line = self.append(entry)?;
        self.next_change += 1;
        Ok((id, line))
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

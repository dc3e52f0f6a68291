//! Where runs are kept: one folder each, blobs by their hash.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::{JournalError, StoreError};
use crate::change::{Blob, Op, sha256_hex};
use crate::{bounded, guarded};

/// More than any object or manifest that is kept.
const LONGEST: usize = 1 << 28;

/// The folder that holds all runs.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// One run's folder.
#[derive(Debug, Clone)]
pub struct RunFolder {
    /// The folder.
    pub path: PathBuf,
    /// The run's id, which is the folder's name.
    pub run: String,
}

fn io(what: &str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let (what, path) = (what.to_owned(), path.to_owned());
    move |error| StoreError::Io { what, path, error }
}

/// Makes a folder that only its owner can enter, and the folders above it.
fn private_dir(path: &Path) -> Result<(), StoreError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io("make the folder", path))
}

/// Makes what was written to a folder's list of names last.
pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The name of the file with the last hashes.
const HEADS: &str = "heads";
/// Of that file: a line for each end of a run, and no run was ever ended a hundred thousand times.
const HEADS_LONGEST: usize = 16 << 20;
/// How far the ids of two runs are apart at least.
const TICK: SignedDuration = SignedDuration::from_millis(1);
/// The time in an id. Without the fraction: an id of a version that had none.
const TIME: &str = "%Y%m%d-%H%M%S%.f";

/// An id for a run that began then: the time, so that ids sort, and four hex digits against two in one moment.
pub fn new_id(began: Timestamp) -> String {
    let mut tail = [0_u8; 2];
    // Without randomness the id is less unlikely to clash; the run's folder is made only if it is not there yet.
    let _ = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut tail);
    format!("{}-{}", began.strftime("%Y%m%d-%H%M%S.%3f"), crate::change::hex(&tail))
}

/// When a run began, by its id; `None`: it was not made by this program.
pub fn began(id: &str) -> Option<Timestamp> {
    let (time, _) = id.rsplit_once('-')?;
    let time = jiff::civil::DateTime::strptime(TIME, time).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

impl Store {
    /// The store in this folder; nothing is made yet.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes the folder of a new run.
    ///
    /// # Errors
    /// When it cannot be made, or is there already.
    pub fn create(&self, run: &str) -> Result<RunFolder, StoreError> {
        private_dir(&self.root)?;
        let path = self.root.join(run);
        fs::DirBuilder::new().mode(0o700).create(&path).map_err(io("make the run's folder", &path))?;
        private_dir(&path.join("blobs"))?;
        sync_dir(&self.root).map_err(io("fsync", &self.root))?;
        Ok(RunFolder { path, run: run.to_owned() })
    }

    /// An id for a run that begins now: later than those of all runs that are here, so that ids sort as the runs began,
    /// also where several begin in one second or the clock was set back.
    ///
    /// # Errors
    /// When the folder is there and cannot be read.
    pub fn next_id(&self, now: Timestamp) -> Result<String, StoreError> {
        let ours = |id: &String| began(id);
        let latest = self.runs()?.iter().rev().find_map(ours);
        let next = latest.and_then(|latest| latest.checked_add(TICK).ok());
        Ok(new_id(next.map_or(now, |next| next.max(now))))
    }

    /// The ids of all runs, oldest first (an id begins with the time it was made).
    ///
    /// # Errors
    /// When the folder is there and cannot be read.
    pub fn runs(&self) -> Result<Vec<String>, StoreError> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(io("list", &self.root)(e)),
        };
        let mut runs: Vec<String> = entries
            .filter_map(Result::ok)
            .filter(|entry| entry.path().join("journal.jsonl").exists())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        runs.sort();
        Ok(runs)
    }

    /// The run whose id is, or begins with or ends in, what was typed; `last` is the newest.
    ///
    /// # Errors
    /// None or several fit.
    pub fn open(&self, typed: &str) -> Result<RunFolder, StoreError> {
        let runs = self.runs()?;
        let fits: Vec<&String> = if typed == "last" {
            runs.last().into_iter().collect()
        } else {
            runs.iter().filter(|run| run.starts_with(typed) || run.ends_with(typed)).collect()
        };
        match fits.as_slice() {
            [run] => Ok(RunFolder { path: self.root.join(run.as_str()), run: (*run).clone() }),
            many => {
                Err(StoreError::NoSuchRun { typed: typed.into(), near: many.iter().map(|r| (*r).clone()).collect() })
            }
        }
    }
}

impl RunFolder {
    /// The journal's path.
    pub fn journal(&self) -> PathBuf {
        self.path.join("journal.jsonl")
    }

    /// What of this others own or can write, from the state folder down: who can, decides what is taken back and how. The
    /// copies in `blobs` are proven by their names.
    pub fn open_to_others(&self) -> Vec<guarded::Open> {
        let above = self.path.ancestors().skip(1).take(2).map(Path::to_owned);
        let own = [self.path.clone(), self.journal(), self.path.join("blobs"), self.heads_path()];
        let mut all: Vec<PathBuf> = above.collect();
        all.reverse();
        all.extend(own);
        all.iter().filter_map(|path| guarded::fault(path)).collect()
    }

    /// Beside the folders of all runs: which line was the last, and its hash, each time a run came to an end. A journal that
    /// lost its last lines, or was written anew, still fits itself; it does not fit this.
    fn heads_path(&self) -> PathBuf {
        self.path.with_file_name(HEADS)
    }

    /// Keeps the hash of the last line outside the journal.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn keep_head(&self, line: u64, hash: &str) -> io::Result<()> {
        // A pipe in its place that nobody reads would be waited for.
        let at_once = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let mut options = fs::OpenOptions::new();
        let mut file = options.append(true).create(true).mode(0o600).custom_flags(at_once).open(self.heads_path())?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("not a file"));
        }
        file.write_all(format!("{} {line} {hash}\n", self.run).as_bytes())
    }

    /// The heads that were kept of this run: the number of a line and its hash.
    ///
    /// # Errors
    /// When they are there and cannot be read: what they would have said is not known.
    pub(super) fn heads(&self) -> Result<Vec<(usize, String)>, JournalError> {
        let path = self.heads_path();
        let read = match bounded::file(&path, HEADS_LONGEST) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            read => read.map_err(|error| JournalError::io("read", &path, error))?,
        };
        let text = String::from_utf8_lossy(&read);
        let is_hash = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let head = |line: &str| match line.split(' ').collect::<Vec<_>>().as_slice() {
            [run, at, hash] if *run == self.run && is_hash(hash) => Some((at.parse().ok()?, (*hash).to_owned())),
            _ => None,
        };
        Ok(text.lines().filter_map(head).collect())
    }

    fn blob_path(&self, sha256: &str) -> PathBuf {
        self.path.join("blobs").join(sha256)
    }

    /// Keeps the blob of an op; on the disk before this returns.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, op: &Op) -> Result<(), StoreError> {
        let Some((blob, bytes)) = op.blob().and_then(|blob| Some((blob, blob.bytes.as_ref()?))) else { return Ok(()) };
        let path = self.blob_path(&blob.sha256);
        if path.exists() {
            return Ok(());
        }
        let part = path.with_extension("part");
        let write = || -> io::Result<()> {
            let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&part, &path)?;
            sync_dir(&self.path.join("blobs"))
        };
        write().map_err(io("keep a copy in", &path))
    }

    /// Fills the blob of an op that was read from the journal.
    ///
    /// # Errors
    /// When a copy is gone or is not what it was.
    pub fn fill(&self, op: &mut Op) -> Result<(), StoreError> {
        if let Some(blob) = op.blob_mut() {
            let path = self.blob_path(&blob.sha256);
            let bytes = bounded::file(&path, LONGEST).map_err(io("read the kept copy", &path))?;
            if sha256_hex(&bytes) != blob.sha256 {
                return Err(StoreError::Damaged(path));
            }
            *blob = Blob::new(bytes);
        }
        Ok(())
    }
}

//! Reading back: strict, and forgiving exactly one thing, a torn last line.

use std::io::{self, BufRead, BufReader};
use std::path::Path;

use super::format::Written;
use super::{JournalError, Line, Run, RunFolder, fold};
use crate::bounded;
use crate::change::sha256_hex;

/// More than the longest run writes; what is longer is not read into memory.
const LONGEST: u64 = 1 << 30;
/// What is read of a file at a time, in bytes.
const BUFFER: usize = 64 << 10;

/// A journal as read: what its lines came to, not the lines.
#[derive(Debug, Clone)]
pub struct Journal {
    /// How many lines it has.
    pub count: usize,
    /// What they fold to.
    pub run: Run,
    /// The hash that the next line follows.
    pub last_hash: String,
    /// The file ended in a line that was never finished.
    pub torn: bool,
    /// Length of the file without the torn line, in bytes.
    pub intact_bytes: u64,
}

/// The hash of a line: SHA-256 over the hash before it and the line's own text.
pub(super) fn chain(before: &str, text: &str) -> String {
    sha256_hex(format!("{before}\n{text}").as_bytes())
}

const SEAL: &str = ",\"hash\":\"";

/// The line as it stands in the file: its text with the hash as last field, so that it is one JSON object.
pub(super) fn seal(text: &str, hash: &str) -> String {
    let open = text.strip_suffix('}').unwrap_or(text);
    format!("{open}{SEAL}{hash}\"}}\n")
}

/// The text and the hash of a sealed line.
fn unseal(record: &str) -> Option<(String, &str)> {
    let (open, hash) = record.strip_suffix("\"}")?.rsplit_once(SEAL)?;
    Some((format!("{open}}}"), hash))
}

/// Reads a run's journal and proves its chain. Its lines are not kept: of a long one, only what it came to has to fit in memory.
///
/// # Errors
/// When it cannot be read, is damaged anywhere but in a torn last line, or is of a newer format.
pub fn read(folder: &RunFolder) -> Result<Journal, JournalError> {
    read_each(folder, |_, _| {})
}

/// The same; each line is heard with its hash, in order, once it is proven and before it is known that those after it hold.
///
/// # Errors
/// As [`read`].
pub fn read_each(folder: &RunFolder, hear: impl FnMut(Line, &str)) -> Result<Journal, JournalError> {
    let path = folder.journal();
    let file = bounded::open(&path).map_err(|e| JournalError::io("read", &path, e))?;
    let journal = parse(&path, BufReader::with_capacity(BUFFER, file), hear)?;
    let (here, there) = (&folder.run, &journal.run.header.run);
    if here != there {
        return Err(JournalError::Damaged {
            path,
            line: 1,
            what: format!("it is the journal of run {there}, not of {here}"),
        });
    }
    Ok(journal)
}

/// What `verify` proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Lines in the file.
    pub lines: usize,
    /// The hash of the last one.
    pub head: String,
    /// Up to which line it is proven that the file is the one that was written: a head that was kept elsewhere is the hash of
    /// that line. `None`: none was kept, so the lines only fit one another.
    pub anchored: Option<usize>,
}

/// The heads that were kept when a run came to an end, held against the lines as they are read.
pub(super) struct Heads {
    /// The number of a line, and the hash that it had.
    kept: Vec<(usize, String)>,
    /// For each, whether its line has that hash.
    met: Vec<bool>,
}

impl Heads {
    pub(super) fn new(kept: Vec<(usize, String)>) -> Self {
        let met = vec![false; kept.len()];
        Self { kept, met }
    }

    pub(super) fn hear(&mut self, line: &Line, hash: &str) {
        for ((at, then), met) in self.kept.iter().zip(&mut self.met) {
            *met |= (*at).max(1) as u64 == line.seq && then == hash;
        }
    }

    /// The last line that one of them speaks of.
    ///
    /// # Errors
    /// When lines are missing that were there then.
    pub(super) fn check(self, folder: &RunFolder, lines: usize) -> Result<Option<usize>, JournalError> {
        let mut anchored = None;
        for ((at, hash), met) in self.kept.into_iter().zip(self.met) {
            if !met {
                let what = format!(
                    "when the run came to an end it had {at} lines and the head {hash}, and has not now: lines were cut off at \
                     the end, or the file was written anew"
                );
                return Err(JournalError::Damaged { path: folder.journal(), line: lines, what });
            }
            anchored = anchored.max(Some(at));
        }
        Ok(anchored)
    }
}

/// Proves a run's chain, against `head` (the whole hash, or its first 16 digits and more) and against the heads that were kept
/// when the run came to an end.
///
/// # Errors
/// As `read`; a torn last line too, since it is not what was written; and a head that is the hash of no line.
pub fn verify(folder: &RunFolder, head: Option<&str>) -> Result<Verified, JournalError> {
    // A journal that is damaged is told as that, whatever became of the heads.
    let (mut heads, unread) = match folder.heads() {
        Ok(kept) => (Heads::new(kept), None),
        Err(error) => (Heads::new(Vec::new()), Some(error)),
    };
    let mut at_head = None;
    let journal = read_each(folder, |line, hash| {
        heads.hear(&line, hash);
        if head.is_some_and(|head| hash.starts_with(head)) {
            at_head = usize::try_from(line.seq).ok();
        }
    })?;
    if let Some(error) = unread {
        return Err(error);
    }
    let lines = journal.count;
    let missing = |what: String| JournalError::Damaged { path: folder.journal(), line: lines, what };
    let mut anchored = heads.check(folder, lines)?;
    if let Some(head) = head {
        let Some(at) = at_head else {
            let what = "no line has the head {head}: lines were cut off at the end, or the file was written anew";
            return Err(missing(what.replace("{head}", head)));
        };
        anchored = anchored.max(Some(at));
    }
    if journal.torn {
        return Err(JournalError::Torn { run: folder.run.clone(), path: folder.journal(), line: lines + 1 });
    }
    Ok(Verified { lines, head: journal.last_hash, anchored })
}

/// Reads line by line.
pub(super) fn parse(
    path: &Path,
    from: impl BufRead,
    mut hear: impl FnMut(Line, &str),
) -> Result<Journal, JournalError> {
    let damaged = |line: usize, what: String| JournalError::Damaged { path: path.to_owned(), line, what };
    let unread = |error| JournalError::io("read", path, error);
    let mut from = from.take(LONGEST + 1);
    let (mut record, mut run, mut written) = (Vec::new(), None, Written::default());
    let (mut count, mut intact_bytes, mut last_hash) = (0, 0, String::new());
    let torn = loop {
        record.clear();
        let length = from.read_until(b'\n', &mut record).map_err(unread)? as u64;
        // A torn line may end in the middle of a character, so it is told apart before a line is read as text.
        let Some(whole) = record.strip_suffix(b"\n") else { break !record.is_empty() };
        (count, intact_bytes) = (count + 1, intact_bytes + length);
        if intact_bytes > LONGEST {
            return Err(unread(io::Error::other("longer than the longest that is read")));
        }
        let text = std::str::from_utf8(whole).map_err(|_| damaged(count, "it is not UTF-8".into()))?;
        if run.is_none() {
            written = Written::on(text);
            written.readable(path)?;
        }
        let (body, said) = unseal(text).ok_or_else(|| damaged(count, "it has no hash".into()))?;
        let hash = chain(&last_hash, &body);
        if hash != said {
            return Err(damaged(count, "its hash does not follow from the lines before it".into()));
        }
        last_hash = hash;
        let line: Line = match serde_json::from_str(&body) {
            Ok(line) => line,
            Err(error) => {
                // It follows from the lines before it, so it is what was written: maybe by a program that knows more.
                let written = Written::from_on(&body).unwrap_or(written);
                let newer = written.is_newer().then(|| written.newer(path));
                return Err(newer.unwrap_or_else(|| damaged(count, error.to_string())));
            }
        };
        if let Some(from_on) = &line.written {
            written.clone_from(from_on);
            written.readable(path)?;
        }
        if line.seq != count as u64 {
            return Err(damaged(count, format!("it is numbered {}", line.seq)));
        }
        let moved = match &mut run {
            None => fold::start(&line).map(|first| run = Some(first)),
            Some(run) => fold::advance(run, &line),
        };
        moved.map_err(|what| damaged(count, what))?;
        hear(line, &last_hash);
    };
    let run = run.ok_or_else(|| damaged(0, "the journal is empty".into()))?;
    Ok(Journal { count, run, last_hash, torn, intact_bytes })
}

//! Reading back: strict, and forgiving exactly one thing, a torn last line.

use std::path::Path;

use super::{Entry, FORMAT, IllegalMove, JournalError, Line, Run, RunFolder, fold};
use crate::bounded;
use crate::change::sha256_hex;

/// More than the longest run writes; what is longer is not read into memory.
const LONGEST: usize = 1 << 30;

/// A journal as read.
#[derive(Debug, Clone)]
pub struct Journal {
    /// Its lines.
    pub lines: Vec<Line>,
    /// What they fold to.
    pub run: Run,
    /// The hash that the next line follows.
    pub last_hash: String,
    /// The hash of each line.
    pub hashes: Vec<String>,
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

/// Reads a run's journal and proves its chain.
///
/// # Errors
/// When it cannot be read, is damaged anywhere but in a torn last line, or is of a newer format.
pub fn read(folder: &RunFolder) -> Result<Journal, JournalError> {
    let path = folder.journal();
    let bytes = bounded::file(&path, LONGEST).map_err(|e| JournalError::io("read", &path, e))?;
    // A torn line may end in the middle of a character, so it is cut off before the rest is read as text.
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let (whole, rest) = bytes.split_at(whole);
    let text = std::str::from_utf8(whole).map_err(|e| {
        let line = whole[..e.valid_up_to()].split(|byte| *byte == b'\n').count();
        JournalError::Damaged { path: path.clone(), line, what: "it is not UTF-8".into() }
    })?;
    let journal = parse(&path, text, !rest.is_empty())?;
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

/// Compares a journal with the heads that were kept when its run came to an end; the last line that one of them speaks of.
///
/// # Errors
/// When lines are missing that were there then, or the heads cannot be read.
pub(super) fn fits_heads(folder: &RunFolder, journal: &Journal) -> Result<Option<usize>, JournalError> {
    let mut anchored = None;
    for (at, hash) in folder.heads()? {
        if journal.hashes.get(at.saturating_sub(1)) != Some(&hash) {
            let what = format!(
                "when the run came to an end it had {at} lines and the head {hash}, and has not now: lines were cut off at the \
                 end, or the file was written anew"
            );
            return Err(JournalError::Damaged { path: folder.journal(), line: journal.lines.len(), what });
        }
        anchored = anchored.max(Some(at));
    }
    Ok(anchored)
}

/// Proves a run's chain, against `head` (the whole hash, or its first 16 digits and more) and against the heads that were kept
/// when the run came to an end.
///
/// # Errors
/// As `read`; a torn last line too, since it is not what was written; and a head that is the hash of no line.
pub fn verify(folder: &RunFolder, head: Option<&str>) -> Result<Verified, JournalError> {
    let journal = read(folder)?;
    let lines = journal.lines.len();
    let missing = |what: String| JournalError::Damaged { path: folder.journal(), line: lines, what };
    let mut anchored = fits_heads(folder, &journal)?;
    if let Some(head) = head {
        let Some(at) = journal.hashes.iter().rposition(|hash| hash.starts_with(head)) else {
            let what = "no line has the head {head}: lines were cut off at the end, or the file was written anew";
            return Err(missing(what.replace("{head}", head)));
        };
        anchored = anchored.max(Some(at + 1));
    }
    if journal.torn {
        return Err(JournalError::Torn { run: folder.run.clone(), path: folder.journal(), line: lines + 1 });
    }
    Ok(Verified { lines, head: journal.last_hash, anchored })
}

/// Reads whole lines.
pub(super) fn parse(path: &Path, text: &str, torn: bool) -> Result<Journal, JournalError> {
    let damaged = |line: usize, what: String| JournalError::Damaged { path: path.to_owned(), line, what };
    let mut lines: Vec<Line> = Vec::new();
    let (mut hash, mut hashes) = (String::new(), Vec::new());
    for (index, record) in text.split_terminator('\n').enumerate() {
        if index == 0 {
            refuse_newer(path, record)?;
        }
        let (body, said) = unseal(record).ok_or_else(|| damaged(index + 1, "it has no hash".into()))?;
        hash = chain(&hash, &body);
        if hash != said {
            return Err(damaged(index + 1, "its hash does not follow from the lines before it".into()));
        }
        let line: Line = serde_json::from_str(&body).map_err(|e| damaged(index + 1, e.to_string()))?;
        if line.seq != index as u64 + 1 {
            return Err(damaged(index + 1, format!("it is numbered {}", line.seq)));
        }
        lines.push(line);
        hashes.push(hash.clone());
    }
    let run = fold(&lines).map_err(|IllegalMove { seq, what }| damaged(usize::try_from(seq).unwrap_or(0), what))?;
    Ok(Journal { lines, run, last_hash: hash, hashes, torn, intact_bytes: text.len() as u64 })
}

/// A newer format may hold entries this version cannot read, or be sealed in another way, so it is told apart before
/// the line is proven or decoded.
fn refuse_newer(path: &Path, body: &str) -> Result<(), JournalError> {
    let value: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let format = value.pointer("/entry/started/format").and_then(serde_json::Value::as_u64).unwrap_or(0);
    if format > u64::from(FORMAT) {
        return Err(JournalError::Newer { path: path.to_owned(), format: u32::try_from(format).unwrap_or(u32::MAX) });
    }
    Ok(())
}

impl Journal {
    /// The entries with the time each was written.
    pub fn entries(&self) -> impl Iterator<Item = (&jiff::Timestamp, &Entry)> {
        self.lines.iter().map(|line| (&line.at, &line.entry))
    }
}

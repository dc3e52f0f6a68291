//! What a list of runs says of one. Of a run that came to an end that is in its first line and its last, however long it is
//! between them; nothing is proven by that. Any other is read whole.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::format::Written;
use super::{Entry, Header, JournalError, Line, RunFolder, read};
use crate::bounded;

/// The longest first or last line that is looked at: a runbook stands in the one, the costs of thousands of hosts in the other.
const LONGEST: u64 = 8 << 20;

/// A run as a list has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Glance {
    /// The first line.
    pub header: Header,
    /// When it was written.
    pub began: Timestamp,
    /// How the run last ended: exit code and sentence. `None`: it is under way, or was killed.
    pub ended: Option<(u8, String)>,
    /// How many changes stand: made, or perhaps made.
    pub stands: usize,
}

/// Looks at a run.
///
/// # Errors
/// As [`read`], where the whole journal has to be read; else only when its first or last line is damaged.
pub fn glance(folder: &RunFolder) -> Result<Glance, JournalError> {
    if let Some(glance) = at_both_ends(folder) {
        return Ok(glance);
    }
    let run = read(folder)?.run;
    let stands = run.standing().count();
    Ok(Glance { header: run.header, began: run.span.0, ended: run.ended, stands })
}

/// `None` where that does not tell: the run has no end, an older version wrote it, or something is wrong with it.
fn at_both_ends(folder: &RunFolder) -> Option<Glance> {
    let mut file = bounded::open(&folder.journal()).ok()?;
    let first = first_line(&file).ok()?;
    if Written::on(&first).is_newer() {
        return None;
    }
    let first: Line = line(&first)?;
    let last: Line = line(&last_line(&mut file).ok()?)?;
    let Entry::Started(header) = first.entry else { return None };
    let Entry::Ended { code, why, stands: Some(stands), .. } = last.entry else { return None };
    let here = header.run == folder.run && first.seq == 1 && last.seq > 1;
    here.then(|| Glance { header: *header, began: first.at, ended: Some((code, why)), stands })
}

/// A line as it stands in the file, its hash left unread.
fn line<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

fn first_line(file: &File) -> io::Result<String> {
    let mut text = Vec::new();
    BufReader::new(file).take(LONGEST).read_until(b'\n', &mut text)?;
    String::from_utf8(text).map_err(io::Error::other)
}

/// The last line, which has to be whole.
fn last_line(file: &mut File) -> io::Result<String> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut size: u64 = 16 << 10;
    loop {
        let from = length.saturating_sub(size);
        file.seek(SeekFrom::Start(from))?;
        let mut part = Vec::new();
        file.by_ref().take(size).read_to_end(&mut part)?;
        let whole = part.strip_suffix(b"\n").ok_or_else(|| io::Error::other("the last line is torn"))?;
        if let Some(before) = whole.iter().rposition(|byte| *byte == b'\n') {
            return String::from_utf8(whole[before + 1..].to_vec()).map_err(io::Error::other);
        }
        if from == 0 || size >= LONGEST {
            return Err(io::Error::other("no line before it"));
        }
        size *= 4;
    }
}

//! An API server's audit log as requests: what really arrived, and what it answered.

use std::{
    fmt,
    fs::File,
    io::{ErrorKind, Read, Seek, SeekFrom},
    path::PathBuf,
};

use anyhow::{Context, Result};
use serde::Deserialize;

/// One answered request. The shape is that of `audit.k8s.io/v1` `Event`, as far as the tests look at it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    pub stage: Stage,
    pub verb: String,
    #[serde(rename = "requestURI")]
    pub uri: String,
    pub user: Who,
    #[serde(default)]
    pub user_agent: String,
    /// The client's address first, then proxies that added theirs.
    #[serde(default, rename = "sourceIPs")]
    pub source_ips: Vec<String>,
    pub response_status: Option<Status>,
    /// RFC 3339 with microseconds.
    pub request_received_timestamp: String,
    pub stage_timestamp: String,
}

/// How far a request had come when the line was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Stage {
    RequestReceived,
    ResponseStarted,
    ResponseComplete,
    Panic,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Who {
    #[serde(default)]
    pub username: String,
    #[serde(default)]
    pub groups: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Status {
    #[serde(default)]
    pub code: u16,
}

impl Request {
    pub fn code(&self) -> Option<u16> {
        self.response_status.as_ref().map(|status| status.code)
    }

    /// Whether this is a finished request, not the start of a watch.
    pub fn is_complete(&self) -> bool {
        self.stage == Stage::ResponseComplete
    }

    /// Whether it could have changed something.
    pub fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch" | "head" | "options")
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, uri, user, user_agent, request_received_timestamp: at, .. } = self;
        let source = self.source_ips.first().map_or("?", String::as_str);
        write!(f, "{at} {} {verb} {uri} -> {:?} from {source} ({user_agent})", user.username, self.code())
    }
}

/// The audit log of one API server.
#[derive(Clone, Debug)]
pub struct AuditLog {
    path: PathBuf,
}

/// A place in an audit log: everything after it is new.
#[derive(Clone, Copy, Debug)]
pub struct Mark(u64);

impl AuditLog {
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The log of another server that writes beside this one, with this behind the name.
    #[must_use]
    pub fn beside(&self, behind: &str) -> Self {
        let mut path = self.path.clone().into_os_string();
        path.push(behind);
        Self { path: path.into() }
    }

    /// Where the log ends now.
    pub fn mark(&self) -> Result<Mark> {
        match std::fs::metadata(&self.path) {
            Ok(file) => Ok(Mark(file.len())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Mark(0)),
            Err(error) => Err(error).with_context(|| self.path.display().to_string()),
        }
    }

    /// Every request that was written after `mark`, oldest first, by whoever it was.
    ///
    /// # Errors
    /// If the log can't be read, or a whole line of it is no audit event.
    pub fn since(&self, mark: Mark) -> Result<Vec<Request>> {
        let mut text = Vec::new();
        let mut file = File::open(&self.path).with_context(|| self.path.display().to_string())?;
        file.seek(SeekFrom::Start(mark.0.saturating_sub(1)))?;
        file.read_to_end(&mut text)?;
        parse(after(mark, &text)?)
    }

    /// The finished requests of one user since `mark`.
    pub fn by(&self, user: &str, mark: Mark) -> Result<Vec<Request>> {
        let mut requests = self.since(mark)?;
        requests.retain(|request| request.user.username == user && request.is_complete());
        Ok(requests)
    }
}

/// What began after a mark, in what was read from the byte before it: a line that was being written then began before.
fn after(mark: Mark, read: &[u8]) -> Result<&str> {
    let first = if mark.0 == 0 { Some(0) } else { read.iter().position(|byte| *byte == b'\n').map(|end| end + 1) };
    Ok(std::str::from_utf8(&read[first.unwrap_or(read.len())..])?)
}

fn parse(text: &str) -> Result<Vec<Request>> {
    // The server may be in the middle of its last line.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"kind":"Event","stage":"ResponseComplete","requestURI":"/livez","verb":"get","user":{"username":"alice","groups":["oncall"]},"sourceIPs":["10.90.0.1"],"userAgent":"curl/8","responseStatus":{"metadata":{},"code":200},"requestReceivedTimestamp":"2026-11-22T01:02:03.000004Z","stageTimestamp":"2026-11-22T01:02:03.000005Z"}"#;

    #[test]
    fn what_was_being_written_at_a_mark_began_before_it() {
        let log = format!("{LINE}\n{LINE}\n{LINE}\n");
        for (mark, lines) in [(0, 3), (LINE.len() + 1, 2), (LINE.len() + 9, 1), (LINE.len(), 2), (log.len(), 0)] {
            let read = &log.as_bytes()[mark.saturating_sub(1)..];
            let text = after(Mark(mark as u64), read).expect("text");
            assert_eq!(parse(text).expect("whole lines").len(), lines, "{mark}");
        }
    }

    #[test]
    fn a_line_that_is_still_being_written_is_left_for_the_next_look() {
        let requests = parse(&format!("{LINE}\n{{\"kind\":\"Ev")).expect("whole lines parse");
        assert_eq!(requests.len(), 1);
        assert_eq!(
            requests[0].to_string(),
            "2026-11-22T01:02:03.000004Z alice get /livez -> Some(200) from 10.90.0.1 (curl/8)"
        );
        assert!(!requests[0].is_write());
    }

    #[test]
    fn a_whole_line_that_is_no_event_is_an_error() {
        assert!(parse("{\"kind\":\"Ev\n").is_err());
    }
}

//! How often one client's requests stand in what a host's audit log gains in some seconds.

use super::offender::{AUDIT_LOG, DISTINCT};
use super::order::{AuditCount, Order as _};
use crate::script::{Answer, Script, quote};

/// Whose requests are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Client {
    /// A user, as the API server knows it.
    User(String),
    /// How the user agent begins, as the client says it.
    Agent(String),
}

impl Client {
    /// How it stands in a line of an audit log.
    fn needle(&self) -> String {
        match self {
            Self::User(user) => format!("\"user\":{{\"username\":{}", serde_json::Value::from(user.as_str())),
            Self::Agent(agent) => {
                let agent = serde_json::Value::from(agent.as_str()).to_string();
                format!("\"userAgent\":{}", agent.trim_end_matches('"'))
            }
        }
    }
}

/// Counts lines added to an audit log. Its size is asked, not its text read; only what was added is searched.
/// Each request counts once, whatever its stage: a watch that goes on has no `ResponseComplete`, and is dear all the same.
const COUNT: &str = r#"
if [ -z "$log" ] || [ ! -r "$log" ]; then say log none; exit 0; fi
from=$(wc -c <"$log")
sleep "$seconds"
to=$(wc -c <"$log")
# It was rotated: what is there now is all new.
[ "$to" -ge "$from" ] || from=0
added() { tail -c +"$((from + 1))" "$log" | head -c "$((to - from))"; }
say log "$log"
say bytes "$((to - from))"
say lines "$(added | grep -c .)"
say events "$(added | grep -c '"auditID":')"
say known "$(tail -c 8388608 "$log" | grep -c -F -- "$needle")"
say requests "$(added | grep -F -- "$needle" | distinct)"
"#;

/// Counts for so many seconds in the log of this path; empty: the one that the running kube-apiserver was told to write.
pub fn count(log: &str, client: &Client, seconds: u64) -> Script {
    let body = format!(
        "log={}\nneedle={}\nseconds={seconds}\n{AUDIT_LOG}\n{DISTINCT}\n{COUNT}",
        quote(log),
        quote(&client.needle())
    );
    let (user, agent) = match client {
        Client::User(user) => (user.clone(), String::new()),
        Client::Agent(agent) => (String::new(), agent.clone()),
    };
    AuditCount { log: log.to_owned(), user, agent, seconds }.script(body)
}

/// What a host counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counted {
    /// It has no audit log that can be read.
    NoLog,
    /// What its log gained has lines, and none of them is an event of the JSON form: they name nobody in the way that is
    /// looked for.
    NotJson,
    /// The client's requests.
    Requests {
        /// How many were added.
        added: u64,
        /// How many lines of the log's end name the client at all; `None` where the host did not say.
        known: Option<u64>,
    },
}

/// Reads the answer of [`count`]; `None` if it broke off.
pub fn parse(stdout: &str) -> Option<Counted> {
    let answer = Answer::parse(stdout);
    if answer.get("log") == Some("none") {
        return Some(Counted::NoLog);
    }
    if answer.number("lines").is_some_and(|lines| lines > 0) && answer.number("events") == Some(0) {
        return Some(Counted::NotJson);
    }
    answer.number("requests").map(|added| Counted::Requests { added, known: answer.number("known") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_told_from_a_log_that_can_not_be_counted() {
        assert_eq!(parse("log=none\n"), Some(Counted::NoLog));
        assert_eq!(parse("log=/a\nbytes=9\nlines=3\nevents=0\nknown=0\nrequests=0\n"), Some(Counted::NotJson));
        let counted = Counted::Requests { added: 7, known: Some(2) };
        assert_eq!(parse("log=/a\nbytes=9\nlines=3\nevents=3\nknown=2\nrequests=7\n"), Some(counted));
        assert_eq!(parse("log=/a\nbytes=9\nlines=3\n"), None, "it broke off");
    }
}

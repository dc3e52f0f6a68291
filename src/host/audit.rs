//! How often one client's requests stand in what a host's audit log gains in some seconds.

use super::offender::{AUDIT_LOG, DISTINCT};
use super::order::{Order as _, Query, order};
use crate::script::{Answer, quote};

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

order! {
    /// Counts a client's requests in the audit log for some seconds.
    AuditCount = "audit.count" { log: String, user: String, agent: String, seconds: u64 } -> Counted, |_, stdout| parse(stdout)
}

/// Counts for so many seconds in the log of this path; empty: the one that the running kube-apiserver was told to write.
pub fn count(log: &str, client: &Client, seconds: u64) -> Query<AuditCount> {
    let body = format!(
        "log={}\nneedle={}\nseconds={seconds}\n{AUDIT_LOG}\n{DISTINCT}\n{COUNT}",
        quote(log),
        quote(&client.needle())
    );
    let (user, agent) = match client {
        Client::User(user) => (user.clone(), String::new()),
        Client::Agent(agent) => (String::new(), agent.clone()),
    };
    AuditCount { log: log.to_owned(), user, agent, seconds }.query(body)
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
    use crate::script::Script;

    #[test]
    fn a_count_is_told_from_a_log_that_can_not_be_counted() {
        assert_eq!(parse("log=none\n"), Some(Counted::NoLog));
        assert_eq!(parse("log=/a\nbytes=9\nlines=3\nevents=0\nknown=0\nrequests=0\n"), Some(Counted::NotJson));
        let counted = Counted::Requests { added: 7, known: Some(2) };
        assert_eq!(parse("log=/a\nbytes=9\nlines=3\nevents=3\nknown=2\nrequests=7\n"), Some(counted));
        assert_eq!(parse("log=/a\nbytes=9\nlines=3\n"), None, "it broke off");
    }

    /// Runs the script; what is added to the log is added while it would sleep.
    fn run(log: &str, client: &Client, added: &str) -> Answer {
        let mut script = Script::from(count(log, client, 1));
        script.body = format!("sleep() {{ printf '%s' {} >>\"$log\"; }}\n{}", quote(added), script.body);
        let mut child = std::process::Command::new("sh")
            .arg("-s")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), script.text().as_bytes()).unwrap();
        Answer::parse(&String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap())
    }

    #[test]
    fn only_what_was_added_to_the_log_is_counted() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let line = |user: &str, stage: &str| {
            format!(
                "{{\"auditID\":\"of {user}\",\"stage\":\"{stage}\",\"user\":{{\"username\":\"{user}\"}},\"userAgent\":\"agent/1\"}}\n"
            )
        };
        let mine = line("it's me", "ResponseComplete");
        std::fs::write(file.path(), mine.repeat(3)).unwrap();
        let log = file.path().display().to_string();
        let user = Client::User("it's me".into());
        let added = format!("{mine}{}{}", line("it's me", "ResponseStarted"), line("me", "ResponseComplete"));
        let answer = run(&log, &user, &added);
        assert_eq!(answer.number("requests"), Some(1), "{answer:?}");
        assert_eq!(run(&log, &Client::Agent("agent/".into()), &added).number("requests"), Some(2));
        // A line that names no request is one of its own: nothing is called quiet for the want of a name.
        let nameless = "{\"stage\":\"ResponseComplete\",\"user\":{\"username\":\"it's me\"}}\n";
        let answer = run(&log, &user, &nameless.repeat(2));
        assert_eq!(
            (answer.number("requests"), answer.number("events"), answer.number("lines")),
            (Some(2), Some(0), Some(2))
        );
        assert!(answer.number("known").is_some_and(|known| known > 2), "{answer:?}");
        assert_eq!(run("/nowhere", &user, "").get("log"), Some("none"));
    }

    /// A watch that goes on is a request; the lines of one request are one.
    #[test]
    fn watches_that_go_on_are_counted() {
        let line = |id: &str, stage: &str| {
            format!(
                r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"{id}","stage":"{stage}","requestURI":"/api/v1/pods?sendInitialEvents=true&watch=true","verb":"watch","user":{{"username":"agent","groups":[]}},"userAgent":"x"}}"#
            )
        };
        let stages = [
            ("1", "RequestReceived"),
            ("1", "ResponseStarted"),
            ("2", "ResponseStarted"),
            ("3", "ResponseStarted"),
            ("3", "ResponseComplete"),
        ];
        let lines: Vec<String> = stages.iter().map(|(id, stage)| line(id, stage)).collect();
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("audit.log");
        std::fs::write(&log, "").unwrap();
        // What is added while the script sleeps is added by its own `sleep`.
        let added = lines.join("\n");
        let body = format!(
            "say() {{ echo \"$1=$2\"; }}\n{DISTINCT}\nsleep() {{ printf '%s\\n' '{added}' >>\"$log\"; }}\nlog={}\nneedle='\"user\":{{\"username\":\"agent\"'\nseconds=1\n{COUNT}",
            log.display()
        );
        let output = std::process::Command::new("sh").arg("-c").arg(body).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("requests=3\n"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    }
}

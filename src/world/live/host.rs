//! Scripts on hosts: what their end, or the loss of it, means.

use std::time::Duration;

use super::{Links, one_line};
use crate::change::{Facts, FilePut, HostCommand, Outcome, Said};
use crate::host::file;
use crate::link::hosts::{Connection, Ran, status};
use crate::link::ssh::{Exit, Fault, Output, Reach, SshError};
use crate::script::{Answer, Script};
use crate::world::{ReadError, ReadErrorKind, ScriptOutput};

impl Links {
    pub(super) async fn look(&self, host: &str, script: &Script, limit: Duration) -> Result<ScriptOutput, ReadError> {
        let ran = self.hosts.run(host, script, Connection::Kept, true, limit).await;
        match ran.map(|ran| ran.result) {
            None => Err(no_host(host)),
            Some(Err(error)) => Err(not_read(&error)),
            Some(Ok(output)) => Ok(ScriptOutput {
                status: status(&output.exit),
                stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
                stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            }),
        }
    }

    pub(super) async fn host_key(&self, host: &str, limit: Duration) -> Result<String, ReadError> {
        let shown = self.hosts.host_key(host, limit).await.ok_or_else(|| no_host(host))?;
        shown.map_err(|error| not_read(&error))
    }

    pub(super) async fn command(&self, host: &str, command: &HostCommand, limit: Duration) -> Outcome {
        let connection = if command.fresh_connection { Connection::Fresh } else { Connection::Kept };
        let tell = match (command.quiet, command.script.is_a_runbook_s()) {
            (true, _) => amount_only,
            (false, true) => theirs,
            (false, false) => outcome,
        };
        self.change(host, &command.script, connection, command.idempotent, limit, tell).await
    }

    pub(super) async fn put(&self, host: &str, put: &FilePut, limit: Duration) -> Outcome {
        match file::put(put) {
            Ok(script) => self.change(host, &script, Connection::Kept, true, limit, outcome).await,
            Err(why) => Outcome::Failed(format!("not sent: {why}")),
        }
    }

    async fn change(
        &self,
        host: &str,
        script: &Script,
        connection: Connection,
        repeatable: bool,
        limit: Duration,
        tell: impl Fn(&Output) -> Outcome,
    ) -> Outcome {
        let Some(Ran { result, lost }) = self.hosts.run(host, script, connection, repeatable, limit).await else {
            return Outcome::Failed(format!("not sent: the kit has no host {host:?}"));
        };
        let said = match result {
            Ok(output) => tell(&output),
            Err(error) if error.outcome_unknown() => Outcome::Unknown(format!("{error}; look: {}", error.hint())),
            Err(error) => Outcome::Failed(format!("not sent: {error}; look: {}", error.hint())),
        };
        match lost {
            Some(error) => after_loss(said, &format!("{error}; look: {}", error.hint())),
            None => said,
        }
    }
}

fn no_host(host: &str) -> ReadError {
    super::no_route(format!("the kit has no host {host:?}"))
}

fn not_read(error: &SshError) -> ReadError {
    ReadError { kind: kind(error), tried: vec![error.to_string()], hint: Some(error.hint()) }
}

/// What a second sending says when nobody knows what became of the first: only its success counts for both. Where the
/// second was refused or did not get through, the first may have done the work, or half of it.
fn after_loss(second: Outcome, first: &str) -> Outcome {
    match second {
        done @ Outcome::Done(_) => done,
        Outcome::Failed(why) | Outcome::NotTaken(why) | Outcome::Unknown(why) => {
            Outcome::Unknown(format!("sent twice; the first time: {first}; the second time: {why}"))
        }
    }
}

/// Of a command whose output may be a secret.
fn amount_only(output: &Output) -> Outcome {
    let said = |status| super::amount(status, output.stdout.len(), output.stderr.len());
    match &output.exit {
        Exit::Status(0) => Outcome::done(said(0)),
        Exit::Status(_) => super::half(&said(status(&output.exit))),
        Exit::Signal(name) => Outcome::Unknown(format!("ended by SIG{name}")),
    }
}

/// Of a runbook's own text.
fn theirs(output: &Output) -> Outcome {
    match outcome(output) {
        Outcome::Failed(why) => super::half(&why),
        // What it means is its author's to know.
        Outcome::Done(said) => Outcome::done(said.words),
        other @ (Outcome::NotTaken(_) | Outcome::Unknown(_)) => other,
    }
}

/// The most that is kept of a reason, in characters.
const REASON: usize = 1_000;
/// So many lines of an answer are kept; more than any script of ours prints that changes something.
const PAIRS: usize = 64;

fn outcome(output: &Output) -> Outcome {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    match &output.exit {
        Exit::Status(0) => {
            let facts = Facts { answer: Answer::parse(&stdout).start(PAIRS, REASON), ..Facts::default() };
            Outcome::Done(Said { words: one_line(&stdout, 300), facts })
        }
        // It was stopped somewhere in the middle.
        Exit::Signal(name) => Outcome::Unknown(format!("ended by SIG{name}: {}", tail(&stderr))),
        Exit::Status(status) => {
            let said = Answer::parse(&stdout);
            // The script itself says that it may still happen: nothing is called failed that is not known to be.
            if let Some(why) = said.get("unknown") {
                return Outcome::Unknown(one_line(why, REASON));
            }
            Outcome::Failed(match said.get("failed") {
                Some(why) => one_line(why, REASON),
                None if stderr.trim().is_empty() => format!("exit status {status}: {}", tail(&stdout)),
                None => format!("exit status {status}: {}", tail(&stderr)),
            })
        }
    }
}

/// The last words, where the reason usually stands.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    one_line(&lines[lines.len().saturating_sub(4)..].join(" / "), 400)
}

fn kind(error: &SshError) -> ReadErrorKind {
    match &*error.fault {
        Fault::Timeout { .. } | Fault::NotReached(Reach::TimedOut) => ReadErrorKind::TimedOut,
        Fault::HostKey(_) | Fault::Auth { .. } | Fault::KeyFile(_) | Fault::Refused(_) => ReadErrorKind::Refused,
        Fault::TooLong { .. } => ReadErrorKind::Malformed,
        Fault::NotReached(_)
        | Fault::Handshake(_)
        | Fault::Lost { .. }
        | Fault::TunnelRefused { .. }
        | Fault::Local(_) => ReadErrorKind::NoRoute,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_quiet_command_printed_is_told_nobody() {
        for (exit, expected) in [
            (Exit::Status(0), "exit status 0, 4 B on standard output; not kept: it may hold secrets"),
            (
                Exit::Status(3),
                "exit status 3, 4 B on standard output; not kept: it may hold secrets; what it did before that is not known",
            ),
            (Exit::Signal("KILL".into()), "ended by SIGKILL"),
        ] {
            let output =
                Output { exit, stdout: b"hush".to_vec(), stderr: Vec::new(), bytes_sent: 0, bytes_received: 0 };
            let (Outcome::Done(Said { words, .. }) | Outcome::Failed(words) | Outcome::Unknown(words)) =
                amount_only(&output)
            else {
                panic!("not taken in")
            };
            assert_eq!(words, expected);
        }
    }

    #[test]
    fn after_a_lost_first_sending_only_success_is_believed() {
        assert_eq!(after_loss(Outcome::done("restored"), "lost"), Outcome::done("restored"));
        let second = Outcome::Failed("the file is not as it was".into());
        let Outcome::Unknown(why) = after_loss(second, "the session ended") else {
            panic!("believed the second answer")
        };
        assert!(why.contains("the session ended") && why.contains("the file is not as it was"), "{why}");
        assert!(matches!(after_loss(Outcome::Unknown("no answer".into()), "lost"), Outcome::Unknown(_)));
    }

    /// An exchange whose runner is still to come, or died, is no failure: undo would throw its copies away.
    #[test]
    fn what_a_script_calls_unknown_is_never_taken_for_failed() {
        let said = |stdout: &str| {
            let exit = Exit::Status(7);
            let stdout = stdout.as_bytes().to_vec();
            outcome(&Output { exit, stdout, stderr: Vec::new(), bytes_sent: 0, bytes_received: 0 })
        };
        assert_eq!(said("state=none\nunknown=look there\n"), Outcome::Unknown("look there".into()));
        assert_eq!(said("failed=no\n"), Outcome::Failed("no".into()));
        // A runbook's text may do something before it fails, and says nothing of it.
        let exit = Exit::Status(3);
        let output = Output { exit, stdout: b"half".to_vec(), stderr: Vec::new(), bytes_sent: 0, bytes_received: 0 };
        for tell in [theirs, amount_only] {
            assert!(matches!(tell(&output), Outcome::Unknown(why) if why.contains("exit status 3")));
        }
    }
}

//! Whether a server that refuses knows its rights and resources yet.
//!
//! An API server serves for some seconds before it has read its roles, its service accounts and its custom resources. Until then it
//! answers 401, 403 and "no such resource" to those who may. `/readyz` says so: the informers, and the hooks that run after the
//! start, are among its checks (kube-apiserver 1.34). One that does not know our credential yet is asked as a kubelet asks, without
//! any; before it knows its roles it refuses even that. One that says nothing clear is given the time that a start takes. A no that was on its way for seconds may be older than what `/readyz` says: it stands where
//! the same is said to a request that was sent after that. So a refusal costs two requests more: `/readyz`, and the same once again.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::time::Instant;

use super::client::Server;
use super::standing::Word;
use super::{Answer, ApiRequest};
use crate::link::fault::Fault;

pub(super) const READYZ: &str = "/readyz";
/// How long it is given to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks the server itself, and not for long.
pub(super) async fn ask(server: &Server, deadline: Instant) -> Said {
    let until = deadline.min(Instant::now() + PATIENCE);
    let ready = async |anonymous| {
        let request = ApiRequest { anonymous, ..ApiRequest::get(READYZ, "*/*") };
        server.send(&request, until, &AtomicBool::new(false)).await
    };
    let ours = ready(false).await;
    let unknown = ours.as_ref().is_ok_and(|answer| matches!(answer.code, 401 | 403));
    Said(if unknown && server.has_our_credential() { ready(true).await } else { ours })
}

/// What it said to that.
pub(super) struct Said(Result<Answer, Fault>);

impl Said {
    pub(super) fn word(&self) -> Word {
        match &self.0 {
            Ok(answer) => word(answer),
            // Killed since.
            Err(fault) if fault.looks_like_restart() => Word::Starting,
            Err(_) => Word::Unclear,
        }
    }
}

/// What an answer to that comes to.
pub(super) fn word(answer: &Answer) -> Word {
    match answer.code {
        _ if answer.stranger.is_some() => Word::Unclear,
        200 => Word::NotStarting,
        500 if still_starting(&answer.text) => Word::Starting,
        500 => Word::NotStarting,
        // Before it knows its roles nobody may ask; one that is full, and a balancer, say something else.
        _ => Word::Unclear,
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.word() {
            Word::Starting => "it is starting",
            Word::NotStarting => "it is not starting",
            Word::Unclear => "it may be starting",
        };
        match &self.0 {
            Ok(answer) => write!(f, "{}: {word}", answer.code),
            Err(fault) => write!(f, "{fault}: {word}"),
        }
    }
}

/// Whether what a server lists of its checks says that it has just begun.
fn still_starting(checks: &str) -> bool {
    let failed = checks.lines().filter_map(|line| line.strip_prefix("[-]"));
    let mut names = failed.filter_map(|check| check.split(' ').next());
    names.any(|name| name.starts_with("informer-sync") || name.starts_with("poststarthook/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_starting_while_its_own_checks_say_so() {
        let failed = |names: &[&str]| -> String {
            names.iter().map(|name| format!("[-]{name} failed: reason withheld\n")).collect()
        };
        let says = |names: &[&str]| still_starting(&format!("[+]ping ok\n{}readyz check failed\n", failed(names)));
        assert!(says(&["poststarthook/rbac/bootstrap-roles"]) && says(&["informer-sync"]));
        assert!(says(&["etcd", "poststarthook/start-apiextensions-informers"]));
        assert!(!says(&["etcd"]) && !says(&["shutdown", "etcd-readiness"]) && !says(&[]));
        assert!(!still_starting("[+]poststarthook/rbac/bootstrap-roles ok\n[-]etcd failed: reason withheld\n"));
    }
}

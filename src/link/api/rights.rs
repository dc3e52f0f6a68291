//! Whether a server that refuses knows its rights and resources yet.
//!
//! An API server serves for some seconds before it has read its roles, its service accounts and its custom resources. Until then it
//! answers 401, 403 and "no such resource" to those who may. `/readyz`, which asks for no rights, says so: the informers,
//! and the hooks that run after the start, are among its checks (kube-apiserver 1.34). A no that was on its way for seconds may be
//! older than what `/readyz` says: it stands where the same is said to a request that was sent after that. So a refusal
//! costs two requests more: `/readyz`, and the same once again.

use std::time::Duration;

use tokio::time::Instant;

use super::client::Server;
use super::{Answer, ApiRequest};

/// How long it is given to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// May this answer, to anything but a question after its health, be that of a server that is not ready?
pub(super) fn doubtful(answer: &Answer) -> bool {
    let unknown = matches!(answer.code, 401 | 403) || (answer.code == 404 && !answer.names_an_object());
    unknown && answer.stranger.is_none()
}

/// Asks the server itself, once and not for long. One that says nothing may have been killed since, or drowns: its no counts no more
/// than that of one that says it is starting.
pub(super) async fn are_being_read(server: &Server, deadline: Instant) -> bool {
    let ready = ApiRequest::get("/readyz", "*/*");
    let until = deadline.min(Instant::now() + PATIENCE);
    let answer = server.send(&ready, until, &std::sync::atomic::AtomicBool::new(false)).await;
    answer.map_or(true, |answer| answer.code == 500 && still_starting(&answer.text))
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

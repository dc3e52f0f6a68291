//! What is asked about before a client is held up by all API servers: the cluster, or we, may live by it.

use super::Question;
use super::rbac::subject::Subject;
use crate::kit::{Cluster, MASTERS};

/// Why it is asked about; `None`: nothing speaks against it.
pub(super) fn vital(subject: &Subject, cluster: &Cluster) -> Option<String> {
    let ours = cluster.known_as();
    // Whom everything is allowed is held up by nothing.
    let us = !ours.groups.iter().any(|group| group == MASTERS)
        && match subject {
            Subject::Group(name) => ours.groups.contains(name),
            Subject::User(_) | Subject::Account { .. } => {
                subject.user_name().is_some_and(|name| ours.users.contains(&name))
            }
        };
    if us {
        return Some("our own credential is of it: we are held up, too".into());
    }
    match subject {
        Subject::Group(name) if name == "system:nodes" => {
            Some("no kubelet gets anything done, and nodes are given up".into())
        }
        Subject::User(name) if name.starts_with("system:node:") => {
            Some("a kubelet is called so: its node is given up".into())
        }
        subject => subject.vital().map(str::to_owned),
    }
}

/// The question: `what` is to be done to it.
pub(super) fn question(id: &str, subject: &Subject, what: &str, why: &str) -> Question {
    Question {
        id: id.into(),
        text: format!("{what}, and {why}. Type {subject} if that is meant"),
        typed: Some(subject.to_string()),
        unattended: false,
        otherwise: None,
    }
}

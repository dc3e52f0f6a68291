//! What a host says of its API server and a jail, as values.

use super::decoded;
use crate::script::Answer;

/// One API server's process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its number.
    pub pid: u32,
    /// Its `--authorization-mode`; empty: it was given none.
    pub mode: String,
    /// Its `--authorization-config`, as it sees it; empty: it was given none.
    pub config: String,
    /// The same file as the host sees it, or why nothing can be put in its place.
    pub file: Result<String, String>,
}

/// What a host has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The API servers that run there.
    pub servers: Vec<Server>,
    /// Programs that have an API server inside, whose flags nobody sees.
    pub inside: Vec<String>,
    /// The file's SHA-256.
    pub sha256: String,
    /// The file's text, or why it cannot be read; `None`: there is no file.
    pub text: Option<Result<String, String>>,
    /// The kubeconfig of this jail is there.
    pub kubeconfig: bool,
    /// How long ago the file was changed the last time, in seconds.
    pub age: u64,
    /// What is seen of whom the jail holds.
    pub effect: Effect,
}

/// What is seen of whom a jail holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// The audit log; `None`: there is none that can be read.
    pub log: Option<String>,
    /// Its requests come with the group that everything is allowed before any authorizer is asked.
    pub masters: bool,
    /// Requests that were refused as a jail refuses, by the audit log since the file's last change.
    pub refused: u64,
    /// How many of the newest of its requests, of those that came some seconds after that, were served all the same.
    pub served: u64,
    /// Watches that the audit log shows to go on.
    pub watches: u64,
    /// Requests that this very jail has refused, by the server's own log.
    pub told: u64,
    /// The server's own log.
    pub out: Option<String>,
    /// Its last line about the file.
    pub reload: Option<String>,
}

/// Reads what `look` printed; `None` if it broke off.
pub(super) fn seen(stdout: &str) -> Option<Seen> {
    let answer = Answer::parse(stdout);
    if !answer.yes("end") {
        return None;
    }
    let mut servers: Vec<Server> = Vec::new();
    for (key, value) in answer.pairs() {
        match (key, servers.last_mut()) {
            ("process", _) => {
                let file = Err("it was not said where the file is".into());
                servers.push(Server { pid: value.parse().ok()?, mode: String::new(), config: String::new(), file });
            }
            ("mode", Some(server)) => value.clone_into(&mut server.mode),
            ("config", Some(server)) => value.clone_into(&mut server.config),
            ("file", Some(server)) => server.file = Ok(value.to_owned()),
            ("no", Some(server)) => server.file = Err(value.to_owned()),
            _ => {}
        }
    }
    let one = |key: &str| answer.get(key).map(str::to_owned);
    let number = |key: &str| answer.number(key).unwrap_or(0);
    Some(Seen {
        servers,
        inside: answer.all("inside").map(str::to_owned).collect(),
        sha256: one("sha256").unwrap_or_default(),
        text: decoded(&answer, "text"),
        kubeconfig: answer.yes("kubeconfig"),
        age: number("age"),
        effect: Effect {
            log: one("log").filter(|log| log != "none"),
            masters: answer.yes("masters"),
            refused: number("refused"),
            served: number("served"),
            watches: number("watches"),
            told: number("told"),
            out: one("out"),
            reload: one("reload"),
        },
    })
}

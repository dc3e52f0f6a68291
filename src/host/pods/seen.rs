//! What a host says of pods, as values.

use std::time::Duration;

use crate::script::{Answer, amount};

/// A pod that has processes on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Its uid.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// The version of the control groups that freeze it; `None`: nothing here can.
    pub freezer: Option<u8>,
    /// It is at rest.
    pub frozen: bool,
}

/// A freeze that stands, whoever made it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frozen {
    /// Its folder.
    pub folder: String,
    /// Whose run.
    pub run: String,
    /// By whom.
    pub operator: String,
    /// Whose pods, as it can be typed.
    pub object: String,
    /// Why, in the operator's words.
    pub reason: String,
    /// Since when.
    pub age: Duration,
    /// For how long yet.
    pub left: Duration,
    /// What keeps it and ends it is there.
    pub watched: bool,
    /// How many pods it holds.
    pub held: u64,
}

/// What a look found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The pods, by name.
    pub pods: Vec<Pod>,
    /// The freezes.
    pub frozen: Vec<Frozen>,
    /// The host keeps no logs of pods where they are looked for: nobody can tell whether there are any.
    pub blind: bool,
}

/// Reads what a look printed; `None` if it broke off.
pub(super) fn seen(stdout: &str) -> Option<Seen> {
    let frozen = frozen(stdout)?;
    let answer = Answer::parse(stdout);
    let pod = |line: &str| {
        let mut words = line.split(' ');
        let (uid, name, version, frozen) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let freezer = version.parse().ok().filter(|version| *version != 0);
        Some(Pod { uid: uid.into(), name: name.into(), freezer, frozen: frozen == "yes" })
    };
    let mut pods: Vec<Pod> = answer.all("pod").filter_map(pod).collect();
    pods.sort_by(|one, other| one.name.cmp(&other.name));
    Some(Seen { pods, frozen, blind: answer.get("logs") == Some("none") })
}

/// Reads which freezes stand; `None` if it broke off.
pub(super) fn frozen(stdout: &str) -> Option<Vec<Frozen>> {
    let answer = Answer::parse(stdout);
    if !answer.yes("end") {
        return None;
    }
    let mut all: Vec<Frozen> = Vec::new();
    let seconds = |value: &str| Duration::from_secs(amount(value).unwrap_or(0));
    for (key, value) in answer.pairs() {
        match (key, all.last_mut()) {
            ("frozen.folder", _) => all.push(Frozen { folder: value.to_owned(), ..Frozen::default() }),
            ("frozen.run", Some(last)) => value.clone_into(&mut last.run),
            ("frozen.by", Some(last)) => value.clone_into(&mut last.operator),
            ("frozen.object", Some(last)) => value.clone_into(&mut last.object),
            ("frozen.why", Some(last)) => value.clone_into(&mut last.reason),
            ("frozen.age", Some(last)) => last.age = seconds(value),
            ("frozen.left", Some(last)) => last.left = seconds(value),
            ("frozen.watched", Some(last)) => last.watched = value == "yes",
            ("frozen.held", Some(last)) => last.held = amount(value).unwrap_or(0),
            _ => {}
        }
    }
    Some(all)
}

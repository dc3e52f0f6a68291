//! Which requests of a client are meant, as a runbook says it.

use super::{Fault, object};
use crate::host::jail::{Resource, which};
use crate::words;

/// What can be asked of an API server.
const VERBS: [&str; 8] = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

/// Some of its requests; all, where nothing is named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Requests {
    /// Of these verbs.
    pub(super) verbs: Vec<String>,
    /// For these.
    pub(super) resources: Vec<Resource>,
}

impl Requests {
    /// Reads the parameters `verbs` and `resources`, with what is wrong with them.
    pub(super) fn read(verbs: Option<Vec<String>>, resources: Option<Vec<String>>) -> (Self, Vec<Fault>) {
        let mut faults = Vec::new();
        // A list that was left empty must not come to everything.
        for (name, list) in [("verbs", &verbs), ("resources", &resources)] {
            if list.as_ref().is_some_and(Vec::is_empty) {
                faults.push(Fault::at(name, "it is empty: leave it out where all are meant"));
            }
        }
        let (verbs, mut read) = (verbs.unwrap_or_default(), Vec::new());
        for verb in verbs.iter().filter(|verb| !VERBS.contains(&verb.as_str())) {
            let near = words::nearest(verb, VERBS).map_or_else(String::new, |near| format!("; did you mean {near}?"));
            faults.push(Fault::at("verbs", format!("{verb:?} is none of {}{near}", VERBS.join(", "))));
        }
        for typed in resources.iter().flatten() {
            match object::resource(typed) {
                Ok((plural, group)) => read.push(Resource { plural, group }),
                Err(why) => faults.push(Fault::at("resources", why)),
            }
        }
        (Self { verbs, resources: read }, faults)
    }

    /// In words, for the end of a sentence.
    pub(super) fn words(&self) -> String {
        which(&self.verbs, &self.resources)
    }
}

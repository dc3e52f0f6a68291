//! Whose host it is. The key that a host showed stands beside each change that was made there; before a run that is taken up
//! again, or taken back, writes to a host, that is compared.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;

use super::{Engine, GRACE, Stop};
use crate::change::{Inverse, Op, Target};
use crate::event::Event;
use crate::journal::ChangeRecord;

/// The longest that a host may take to show its key: it has to be logged in to.
const WITHIN: Duration = Duration::from_secs(30);

/// The key a host shows now; `Ok(None)`: there is none to see.
pub(super) async fn shown(engine: Engine<'_>, host: &Target, left: Duration) -> Result<Option<String>, String> {
    let limit = WITHIN.min(left);
    tokio::select! {
        shown = engine.world.host_key(host, limit) => shown.map_err(|error| error.to_string()),
        () = tokio::time::sleep(limit + GRACE) => Err(format!("{host} showed no host key within {} s", limit.as_secs())),
        () = engine.cancel.reached(Stop::Soon) => Err("stopped by a signal".into()),
    }
}

/// What two keys of a host say about the machine behind it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Machine {
    Same,
    Another,
    /// A host has a key of each type: of two types nobody can tell.
    NotKnown,
}

pub(super) fn machine(then: &str, now: &str) -> Machine {
    let kind = |key: &str| key.split(' ').next().map(str::to_owned);
    match (then == now, kind(then) == kind(now)) {
        (true, _) => Machine::Same,
        (false, true) => Machine::Another,
        (false, false) => Machine::NotKnown,
    }
}

/// Why nothing is written to a host that shows another key.
pub(super) fn another(host: &Target, then: &str, now: &str) -> String {
    format!(
        "{host} is another machine than the one this run changed: it showed the host key {then} then, and shows {now} now; \
         nothing was sent to it. If it was made anew, nothing of the run is left on it; else --kit FOLDER names the kit of \
         the cluster that was meant"
    )
}

/// What must not be written to, on one cluster.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    /// Hosts, each with the reason.
    hosts: BTreeMap<Target, String>,
    /// Why the API is none of ours, either.
    api: Option<String>,
}

impl Strangers {
    /// Looks at every host that an inverse would be sent to, before the first is sent.
    pub(super) async fn among(engine: Engine<'_>, standing: &[ChangeRecord]) -> Self {
        let mut then: BTreeMap<&Target, (usize, &str)> = BTreeMap::new();
        for record in standing.iter().rev().filter(|record| on_host(&record.change.inverse)) {
            if let Some(key) = &record.host_key {
                then.insert(&record.target, (record.step, key));
            }
        }
        let looks = then.keys().map(|host| shown(engine, host, WITHIN));
        let (mut same, mut others, mut found) = (0, Vec::new(), Self::default());
        for ((host, (step, then)), now) in then.iter().zip(join_all(looks).await) {
            match now {
                Err(why) => drop(found.hosts.insert((*host).clone(), format!("not sent: {why}"))),
                Ok(Some(now)) if machine(then, &now) == Machine::Same => same += 1,
                Ok(Some(now)) if machine(then, &now) == Machine::Another => {
                    others.push(host.short().to_owned());
                    found.hosts.insert((*host).clone(), another(host, then, &now));
                }
                Ok(now) => engine.events.hear(Event::Saw {
                    target: (*host).clone(),
                    step: *step,
                    what: format!(
                        "not known whether it is the machine of then: it showed the host key {then}, and now {}",
                        now.as_deref().unwrap_or("none")
                    )
                    .into(),
                }),
            }
        }
        if same == 0 && !others.is_empty() {
            found.api = Some(format!(
                "not sent: {} showed another host key than in this run, and no host the same, so this may be another \
                 cluster's API",
                crate::words::fold(&others)
            ));
        }
        found
    }

    /// Why the inverse of a change is not sent; `None`: it may be.
    pub(super) fn forbid(&self, record: &ChangeRecord) -> Option<String> {
        match &record.change.inverse {
            Inverse::By(op) => match &**op {
                Op::Host(_) | Op::File(_) => self.hosts.get(&record.target).cloned(),
                Op::Kube(_) => self.api.clone(),
                Op::Http(_) | Op::Local(_) => None,
            },
            Inverse::NotNeeded(_) | Inverse::Impossible(_) => None,
        }
    }
}

fn on_host(inverse: &Inverse) -> bool {
    matches!(inverse, Inverse::By(op) if matches!(**op, Op::Host(_) | Op::File(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_of_one_type_tell_two_machines_apart() {
        let (one, other) = ("ssh-ed25519 SHA256:a", "ssh-ed25519 SHA256:b");
        assert_eq!(machine(one, one), Machine::Same);
        assert_eq!(machine(one, other), Machine::Another);
        assert_eq!(machine(one, "ssh-rsa SHA256:a"), Machine::NotKnown);
    }
}

//! Whether SSH would get into the hosts, as far as that can be said from here.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Cluster;
use super::finding::{Asks, Finding, Level, finding};
use crate::words;

/// What stands in the way. What is the same for many hosts is said once.
pub(super) fn logins(cluster: &Cluster, asks: Asks<'_>, now: Timestamp) -> Vec<Finding> {
    let (mut unknown, mut no_key) = (BTreeSet::new(), BTreeSet::new());
    // By whether there is another way to log in, and what is wrong.
    let mut faults: BTreeMap<(bool, String), BTreeSet<String>> = BTreeMap::new();
    for host in &cluster.hosts {
        let jumps = host.ssh.jumps.iter().map(|jump| (&jump.name, jump.address, &jump.ssh));
        for (name, address, ssh) in jumps.chain([(&host.name, host.address, &host.ssh)]) {
            if !(asks.knows_host_key)(address, ssh) {
                unknown.insert(name.clone());
            }
            let keys = (asks.keys)(ssh, now);
            let way = keys.usable || ssh.agent.as_ref().is_some_and(|socket| socket.exists());
            if !way && keys.faults.is_empty() {
                no_key.insert(name.clone());
            }
            for fault in keys.faults {
                faults.entry((way, fault)).or_default().insert(name.clone());
            }
        }
    }
    let about = |names: BTreeSet<String>| format!("hosts {}", words::fold(&names.into_iter().collect::<Vec<_>>()));
    let said = |names: BTreeSet<String>, says: &str, hint: &str| {
        (!names.is_empty()).then(|| finding(&about(names), Level::Broken, says, Some(hint)))
    };
    let unknown = said(
        unknown,
        "no host key is known, so SSH will be refused",
        "compare it once with `ssh HOST true`, then import again, or hostKeys: in the file",
    );
    let no_key = said(
        no_key,
        "no key and no agent to log in with",
        "identities: [FILE] under ssh in the file, or start the agent: ssh-add FILE",
    );
    let faults = faults.into_iter().map(|((way, fault), names)| {
        let (level, rest) = if way {
            (Level::Warning, "passed over; another key or the agent has to do")
        } else {
            (Level::Broken, "and there is no other key and no agent")
        };
        finding(&about(names), level, format!("{fault}; {rest}"), None)
    });
    unknown.into_iter().chain(no_key).chain(faults).collect()
}

#[cfg(test)]
mod tests {
    use super::super::check::Keys;
    use super::super::{SshAccess, sample};
    use super::*;

    fn says(cluster: &Cluster, known: bool, keys: &dyn Fn(&SshAccess, Timestamp) -> Keys) -> Vec<String> {
        let found = logins(cluster, Asks { knows_host_key: &|_, _| known, keys }, Timestamp::UNIX_EPOCH);
        found.iter().map(|f| format!("{:?} {}: {}", f.level, f.about, f.says)).collect()
    }

    #[test]
    fn hosts_without_a_way_in_are_said_once_for_all() {
        let mut cluster = sample::cluster("prod", 3);
        let none = |_: &SshAccess, _| Keys { usable: false, faults: Vec::new() };
        let key = "Broken hosts cp[1-3]: no key and no agent to log in with";
        let said = says(&cluster, false, &none);
        assert_eq!(said, ["Broken hosts cp[1-3]: no host key is known, so SSH will be refused", key]);
        assert_eq!(says(&cluster, true, &none), [key]);
        // An agent whose socket is gone is none.
        cluster.hosts.iter_mut().for_each(|host| host.ssh.agent = Some("/nonexistent/agent".into()));
        assert_eq!(says(&cluster, true, &none), [key]);
        assert_eq!(says(&cluster, true, &|_, _| Keys { usable: true, faults: Vec::new() }), Vec::<String>::new());
    }

    #[test]
    fn a_key_that_is_no_use_is_broken_where_there_is_no_other_way() {
        let mut cluster = sample::cluster("prod", 2);
        let keys = |usable| move |_: &SshAccess, _: Timestamp| Keys { usable, faults: vec!["it is open".into()] };
        let broken = "Broken hosts cp[1-2]: it is open; and there is no other key and no agent";
        assert_eq!(says(&cluster, true, &keys(false)), [broken]);
        let told = "Warning hosts cp[1-2]: it is open; passed over; another key or the agent has to do";
        assert_eq!(says(&cluster, true, &keys(true)), [told]);
        // Something that is there.
        cluster.hosts.iter_mut().for_each(|host| host.ssh.agent = Some("/".into()));
        assert_eq!(says(&cluster, true, &keys(false)), [told]);
    }
}

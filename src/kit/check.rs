//! What is known of a cluster's kit without contacting anybody: what ends soon, what is missing, what hangs on one thread.

use jiff::{SignedDuration, Timestamp};

use super::pem::{age, certificates, token_end};
use super::{Cluster, Credential};

/// Certificates that end sooner are worth a word.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// What: `client certificate`, `host cp1`, …
    pub about: String,
    /// Whether it is as it should be.
    pub good: bool,
    /// One sentence.
    pub says: String,
}

/// Looks at a cluster as it was loaded; what makes loading fail is not repeated here.
pub fn check(cluster: &Cluster, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut say = |about: &str, good: bool, says: String| {
        findings.push(Finding { about: about.to_owned(), good, says });
    };
    for cert in certificates(&cluster.ca).unwrap_or_default() {
        say(
            "certificate authority",
            ends_well(cert.not_after, now),
            format!("{}: {}", cert.subject, end(cert.not_after, now)),
        );
    }
    match &cluster.credential {
        Credential::Certificate { cert, .. } => {
            for cert in certificates(cert).unwrap_or_default().into_iter().take(1) {
                let says = format!("{}: {}", cert.subject, end(cert.not_after, now));
                say("client certificate", ends_well(cert.not_after, now), says);
            }
        }
        Credential::Token(token) => match token_end(token) {
            Some(at) => say("token", ends_well(at, now), end(at, now)),
            None => say("token", true, "does not say when it ends".into()),
        },
        Credential::Anonymous => {
            say("credential", false, "there is none: only health endpoints and hosts can be used".into());
        }
    }
    if cluster.api_servers.iter().all(|server| server.via.is_none()) {
        say(
            "routes",
            false,
            "no API server is reached through a host; a gate before the API would stop us, too".into(),
        );
    }
    if cluster.api_hosts().next().is_none() {
        say("hosts", false, "no host of the control plane: the gate and scale-apiserver have nowhere to act".into());
    }
    for host in &cluster.hosts {
        let about = format!("host {}", host.name);
        let ways = host.ssh.jumps.iter().map(|jump| (&jump.name, &jump.ssh)).chain([(&host.name, &host.ssh)]);
        for (name, ssh) in ways {
            if ssh.host_keys.is_empty() && !ssh.known_hosts.iter().any(|path| path.is_file()) {
                say(&about, false, format!("no host key is known for {name}, so SSH will be refused"));
            }
            if ssh.agent.is_none() && !ssh.identities.iter().any(|path| path.is_file()) {
                say(&about, false, format!("no key and no agent to log in to {name} with"));
            }
        }
    }
    findings
}

fn ends_well(at: Timestamp, now: Timestamp) -> bool {
    at.duration_since(now) > SOON
}

fn end(at: Timestamp, now: Timestamp) -> String {
    if at < now {
        return format!("ended on {at}, {} ago", age(now.duration_since(at)));
    }
    format!("ends on {at}, in {}", age(at.duration_since(now)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, pair};
    use super::*;

    #[test]
    fn what_ends_and_what_is_missing_is_said() {
        let (cert, key) = pair("me", 2020, 2027);
        let mut cluster = Cluster {
            name: "prod".into(),
            api_servers: Vec::new(),
            hosts: Vec::new(),
            tls_server_name: None,
            ca: pair("ca", 2020, 2026).0.into_bytes(),
            credential: Credential::Certificate { cert: cert.into_bytes(), key: key.into_bytes() },
            sets: std::collections::BTreeMap::new(),
            source: String::new(),
        };
        let now = NOW.parse().unwrap();
        let says = |cluster: &Cluster| {
            check(cluster, now).iter().map(|f| format!("{} {} {}", f.good, f.about, f.says)).collect::<Vec<_>>()
        };
        let said = says(&cluster);
        assert_eq!(said[0], "false certificate authority CN=ca: ended on 2026-01-01T00:00:00Z, 151 days ago");
        assert_eq!(said[1], "true client certificate CN=me: ends on 2027-01-01T00:00:00Z, in 214 days");
        assert!(said[2].starts_with("false routes") && said[3].starts_with("false hosts"), "{said:?}");
        cluster.credential = Credential::Anonymous;
        assert!(says(&cluster)[1].starts_with("false credential there is none"));
    }
}

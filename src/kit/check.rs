//! What is known of a cluster's kit without contacting anybody: what ends soon, what is missing, what hangs on one thread.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use super::file::MANIFESTS;
use super::pem::{age, certificates, token_end};
use super::{Cluster, Credential, SshAccess};
use crate::refusal::{Location, Refusal};
use crate::words;

/// Certificates that end sooner are worth a word.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// What: `client certificate`, `hosts cp[1-3]`, …
    pub about: String,
    /// How it is.
    pub level: Level,
    /// One sentence.
    pub says: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// How a thing is that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Good,
    /// It works, and will not for ever, or not in every incident.
    Warning,
    /// It would not work tonight.
    Broken,
}

impl Finding {
    /// As it stands among what was refused when the file was read.
    pub fn refusal(&self, cluster: &Cluster) -> Refusal {
        let at = Location { file: cluster.source.clone(), ..Location::default() };
        Refusal { at, what: format!("{}: {}", self.about, self.says), hint: self.hint.clone() }
    }
}

/// Whether the key of a host at this address is known.
pub type KnowsHostKey<'a> = &'a dyn Fn(IpAddr, &SshAccess) -> bool;

/// Looks at a cluster as it was loaded; what makes loading fail is not repeated here.
pub fn check(cluster: &Cluster, knows_host_key: KnowsHostKey<'_>, now: Timestamp) -> Vec<Finding> {
    let mut findings = authority(cluster, now);
    findings.extend(leaves(cluster));
    findings.push(credential(cluster, now));
    findings.extend(ports(cluster));
    findings.extend(distribution(cluster));
    if cluster.api_servers.iter().all(|server| server.via.is_none()) {
        let says = "no API server is reached through a host; a gate before the API would stop us, too";
        findings.push(finding("routes", Level::Warning, says, Some(ADD_HOSTS)));
    }
    if cluster.api_hosts().next().is_none() {
        let says = "no host of the control plane: the gate and scale-apiserver have nowhere to act";
        findings.push(finding("hosts", Level::Warning, says, Some(ADD_HOSTS)));
    }
    findings.extend(logins(cluster, knows_host_key));
    findings
}

const ADD_HOSTS: &str = "breakglass kit import NAME --host cp1=10.0.0.11 --replace, or hosts: in the file";
const RENEW: &str =
    "make a new one while the API still answers, and import again: breakglass kit import NAME --replace";

fn finding(about: &str, level: Level, says: impl Into<String>, hint: Option<&str>) -> Finding {
    Finding { about: about.to_owned(), level, says: says.into(), hint: hint.map(str::to_owned) }
}

/// Its certificates. In the months of a rotation an old one stands beside the new one, so one that is good is enough.
fn authority(cluster: &Cluster, now: Timestamp) -> Vec<Finding> {
    let certificates = certificates(&cluster.ca).unwrap_or_default();
    let one_is_good = certificates.iter().any(|cert| cert.not_after > now);
    let of = |cert: &super::pem::CertFacts| {
        let level = match until(cert.not_after, now) {
            Level::Broken if one_is_good => Level::Warning,
            level => level,
        };
        let hint = (level != Level::Good)
            .then_some("take its successor from a control-plane host: /etc/kubernetes/pki/ca.crt");
        finding("certificate authority", level, format!("{}: {}", cert.subject, end(cert.not_after, now)), hint)
    };
    certificates.iter().map(of).collect()
}

/// Authorities that are none: some kubeconfigs name the server's own certificate.
fn leaves(cluster: &Cluster) -> impl Iterator<Item = Finding> {
    let none = certificates(&cluster.ca).unwrap_or_default().into_iter().filter(|cert| !cert.is_authority);
    none.map(|cert| {
        let says = format!(
            "{} is no authority (CA:FALSE): it vouches only for a server that shows this very certificate, until that is renewed",
            cert.subject
        );
        let hint = "take the authority's from a control-plane host: /etc/kubernetes/pki/ca.crt";
        finding("certificate authority", Level::Warning, says, Some(hint))
    })
}

/// Ports of one API server that differ, straight and through its host.
fn ports(cluster: &Cluster) -> Vec<Finding> {
    let (through, straight): (Vec<_>, Vec<_>) = cluster.api_servers.iter().partition(|server| server.via.is_some());
    let differ = through.iter().filter_map(|inside| {
        let host = inside.host.as_ref()?;
        let outside = straight.iter().find(|outside| outside.host.as_ref() == Some(host))?;
        let (inside, outside) = (inside.address.port(), outside.address.port());
        (inside != outside).then(|| {
            let says =
                format!("the API server of host {host} is asked on port {inside} there, and on {outside} straight");
            let hint = format!(
                "where {outside} is right: kit import with --host {host}=ADDRESS,api={outside}, or address: in the file"
            );
            finding("ports", Level::Warning, says, Some(&hint))
        })
    });
    differ.collect()
}

/// Distributions that keep the static pods elsewhere, or have none: their authorities say their names.
fn distribution(cluster: &Cluster) -> Option<Finding> {
    let all = certificates(&cluster.ca).unwrap_or_default();
    let of = |name: &str| all.iter().any(|cert| cert.subject.contains(name));
    let usual: Vec<String> =
        cluster.api_hosts().filter(|host| host.manifests == MANIFESTS).map(|host| host.name.clone()).collect();
    if usual.is_empty() {
        return None;
    }
    let about = format!("hosts {}", words::fold(&usual));
    if of("rke2-server-ca") {
        let says =
            "the authority is RKE2's, which keeps its static pods in another folder and writes them again itself";
        let hint = "manifests: /var/lib/rancher/rke2/agent/pod-manifests in the file, or --host NAME,manifests=FOLDER";
        return Some(finding(&about, Level::Warning, says, Some(hint)));
    }
    of("k3s-server-ca").then(|| {
        let says =
            "the authority is k3s', whose API server is no static pod: scale-apiserver and freeze-nodes cannot act";
        finding(&about, Level::Warning, says, None)
    })
}

fn credential(cluster: &Cluster, now: Timestamp) -> Finding {
    let ends = |about: &str, says: String, at: Timestamp| {
        let level = until(at, now);
        finding(about, level, says, (level != Level::Good).then_some(RENEW))
    };
    match &cluster.credential {
        Credential::Certificate { cert, .. } => match certificates(cert).unwrap_or_default().first() {
            Some(cert) if cert.not_before > now => {
                let says = cert.fault(now).unwrap_or_default();
                finding("client certificate", Level::Broken, says, Some("is this machine's clock right (date -u)?"))
            }
            Some(cert) => {
                let says = format!("{}: {}", cert.subject, end(cert.not_after, now));
                ends("client certificate", says, cert.not_after)
            }
            None => finding("client certificate", Level::Broken, "there is none in it", Some(RENEW)),
        },
        Credential::Token(token) => match token_end(token).or(cluster.credential_ends) {
            Some(at) => ends("token", end(at, now), at),
            None => {
                let says = "does not say when it ends; a client certificate does";
                finding("token", Level::Warning, says, Some("breakglass probe shows whether it is still taken"))
            }
        },
        Credential::Anonymous => {
            let says = "there is none: only health endpoints and hosts can be used";
            finding(
                "credential",
                Level::Broken,
                says,
                Some("user: in the file, or breakglass kit import NAME --replace"),
            )
        }
    }
}

/// Whether SSH would get into the hosts, as far as that can be said from here. What is the same for many is said once.
fn logins(cluster: &Cluster, knows_host_key: KnowsHostKey<'_>) -> Vec<Finding> {
    let (mut unknown, mut no_key) = (BTreeSet::new(), BTreeSet::new());
    for host in &cluster.hosts {
        let jumps = host.ssh.jumps.iter().map(|jump| (&jump.name, jump.address, &jump.ssh));
        for (name, address, ssh) in jumps.chain([(&host.name, host.address, &host.ssh)]) {
            if !knows_host_key(address, ssh) {
                unknown.insert(name.clone());
            }
            if !ssh.agent.as_ref().is_some_and(|socket| socket.exists())
                && !ssh.identities.iter().any(|at| at.is_file())
            {
                no_key.insert(name.clone());
            }
        }
    }
    let about = |names: &BTreeSet<String>| format!("hosts {}", words::fold(&names.iter().cloned().collect::<Vec<_>>()));
    let said = |names: BTreeSet<String>, says: &str, hint: &str| {
        (!names.is_empty()).then(|| finding(&about(&names), Level::Broken, says, Some(hint)))
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
    unknown.into_iter().chain(no_key).collect()
}

fn until(at: Timestamp, now: Timestamp) -> Level {
    if at <= now {
        Level::Broken
    } else if at.duration_since(now) > SOON {
        Level::Good
    } else {
        Level::Warning
    }
}

fn end(at: Timestamp, now: Timestamp) -> String {
    if at <= now {
        return format!("ended on {at}, {} ago", age(now.duration_since(at)));
    }
    format!("ends on {at}, in {}", age(at.duration_since(now)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, pair};
    use super::*;

    fn says(cluster: &Cluster, now: &str, known: bool) -> Vec<String> {
        let found = check(cluster, &|_, _| known, now.parse().unwrap());
        found.iter().map(|f| format!("{:?} {}: {}", f.level, f.about, f.says)).collect()
    }

    /// A certificate that may sign others.
    fn authority(name: &str, from: i32, to: i32) -> Vec<u8> {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        (params.not_before, params.not_after) = (rcgen::date_time_ymd(from, 1, 1), rcgen::date_time_ymd(to, 1, 1));
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem().into_bytes()
    }

    fn cluster(hosts: u8) -> Cluster {
        let (cert, key) = pair("me", 2020, 2027);
        Cluster {
            ca: authority("ca", 2020, 2026),
            credential: Credential::Certificate { cert: cert.into_bytes(), key: key.into_bytes() },
            ..super::super::sample::cluster("prod", hosts)
        }
    }

    #[test]
    fn what_ends_is_said_before_it_does() {
        let mut cluster = cluster(0);
        let said = says(&cluster, NOW, true);
        assert_eq!(said[0], "Broken certificate authority: CN=ca: ended on 2026-01-01T00:00:00Z, 151 days ago");
        assert_eq!(said[1], "Good client certificate: CN=me: ends on 2027-01-01T00:00:00Z, in 214 days");
        let said = says(&cluster, "2026-12-10T00:00:00Z", true);
        assert_eq!(said[1], "Warning client certificate: CN=me: ends on 2027-01-01T00:00:00Z, in 22 days");
        assert!(says(&cluster, "2027-01-01T00:00:00Z", true)[1].starts_with("Broken client certificate"));
        // A rotation: the old one beside the new one.
        cluster.ca.extend(authority("new", 2020, 2040));
        let said = says(&cluster, NOW, true);
        assert!(said[0].starts_with("Warning certificate authority: CN=ca") && said[1].starts_with("Good"), "{said:?}");
    }

    #[test]
    fn an_authority_that_is_none_is_said() {
        let mut cluster = cluster(0);
        cluster.ca = authority("ca", 2020, 2040);
        assert!(!says(&cluster, NOW, true).iter().any(|said| said.contains("CA:FALSE")));
        cluster.ca.extend(pair("leaf", 2020, 2040).0.into_bytes());
        let said = says(&cluster, NOW, true);
        assert!(said[2].starts_with("Warning certificate authority: CN=leaf is no authority (CA:FALSE)"), "{said:?}");
    }

    #[test]
    fn ports_that_differ_and_other_folders_are_said() {
        let mut cluster = cluster(2);
        let warned = |cluster: &Cluster| {
            let said = says(cluster, NOW, true).into_iter();
            said.filter(|said| said.starts_with("Warning ports") || said.contains("the authority is"))
                .collect::<Vec<_>>()
        };
        // api1 straight on cp1, and once more through it.
        cluster.api_servers[1] = crate::kit::ApiServer {
            address: "127.0.0.1:6443".parse().unwrap(),
            via: Some("cp1".into()),
            host: Some("cp1".into()),
            ..cluster.api_servers[1].clone()
        };
        assert_eq!(warned(&cluster), Vec::<String>::new());
        cluster.api_servers[0].address.set_port(16443);
        let said = warned(&cluster);
        assert_eq!(
            said,
            ["Warning ports: the API server of host cp1 is asked on port 6443 there, and on 16443 straight"]
        );
        cluster.api_servers[0].address.set_port(6443);
        for (name, expected) in [("rke2-server-ca@1700000000", "RKE2's"), ("k3s-server-ca@1700000000", "k3s'")] {
            cluster.ca = authority(name, 2020, 2040);
            let said = warned(&cluster);
            assert!(
                said.len() == 1 && said[0].starts_with("Warning hosts cp[1-2]") && said[0].contains(expected),
                "{said:?}"
            );
        }
        cluster.hosts.iter_mut().for_each(|host| host.manifests = "/elsewhere".into());
        assert_eq!(warned(&cluster), Vec::<String>::new());
    }

    #[test]
    fn what_is_missing_is_said() {
        let mut cluster = cluster(0);
        let said = says(&cluster, NOW, true);
        assert!(said[2].starts_with("Warning routes") && said[3].starts_with("Warning hosts"), "{said:?}");
        cluster.credential = Credential::Anonymous;
        assert!(says(&cluster, NOW, true)[1].starts_with("Broken credential: there is none"));
        cluster.credential = Credential::Token("opaque".into());
        assert!(says(&cluster, NOW, true)[1].starts_with("Warning token: does not say when it ends"));
        cluster.credential_ends = Some("2026-06-01T00:15:00Z".parse().unwrap());
        let said = says(&cluster, NOW, true);
        assert_eq!(said[1], "Warning token: ends on 2026-06-01T00:15:00Z, in 15 minutes");
    }

    #[test]
    fn hosts_without_a_way_in_are_said_once_for_all() {
        let mut cluster = cluster(3);
        let said = says(&cluster, NOW, false).split_off(3);
        let key = "Broken hosts cp[1-3]: no key and no agent to log in with";
        assert_eq!(said, ["Broken hosts cp[1-3]: no host key is known, so SSH will be refused", key]);
        assert_eq!(says(&cluster, NOW, true).split_off(3), [key]);
        // An agent whose socket is gone is none.
        cluster.hosts.iter_mut().for_each(|host| host.ssh.agent = Some("/nonexistent/agent".into()));
        assert_eq!(says(&cluster, NOW, true).split_off(3), [key]);
        let here = std::env::current_exe().unwrap();
        cluster.hosts.iter_mut().for_each(|host| host.ssh.identities = vec![here.clone()]);
        assert_eq!(says(&cluster, NOW, true).len(), 3);
    }
}

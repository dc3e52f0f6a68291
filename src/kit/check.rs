//! What is known of a cluster's kit without contacting anybody: what ends soon, what is missing, what hangs on one thread.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::ServerName;

use super::finding::finding;
pub use super::finding::{Asks, Finding, Keys, Level};
use super::logins::logins;
use super::pem::{age, certificates, token_end, token_start};
use super::{Cluster, Credential};
use crate::host::manifest::MANIFESTS;
use crate::words;

/// Certificates that end sooner are worth a word.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Looks at a cluster as it was loaded; what makes loading fail is not repeated here.
pub fn check(cluster: &Cluster, asks: Asks<'_>, now: Timestamp) -> Vec<Finding> {
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
    findings.extend(places(cluster));
    findings.extend(logins(cluster, asks, now));
    findings
}

const ADD_HOSTS: &str = "breakglass kit import NAME --host cp1=10.0.0.11 --replace, or hosts: in the file";
const CLOCK: &str = "is this machine's clock right (date -u)?";
const RENEW: &str =
    "make a new one while the API still answers, and import again: breakglass kit import NAME --replace";

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

/// Names, addresses and folders that nothing can stand at.
fn places(cluster: &Cluster) -> Vec<Finding> {
    let broken = |about: String, says: String| finding(&about, Level::Broken, says, None);
    let name = cluster.tls_server_name.iter().filter(|name| ServerName::try_from(name.as_str()).is_err());
    let name = name.map(|name| {
        let says = format!("{name:?} is neither a DNS name nor an IP address, so no API server can be verified");
        finding(
            "tlsServerName",
            Level::Broken,
            says,
            Some("one of the names in the API servers' certificates: kubernetes"),
        )
    });
    let servers = cluster.api_servers.iter().filter_map(|server| {
        let fault = no_place(server.address.ip()).or_else(|| (server.address.port() == 0).then_some("has no port"))?;
        Some(broken(format!("API server {}", server.name), format!("address: {} {fault}", server.address)))
    });
    let jumps = cluster.hosts.iter().flat_map(|host| &host.ssh.jumps).map(|jump| (&jump.name, jump.address));
    let hosts = cluster.hosts.iter().map(|host| (&host.name, host.address)).chain(jumps);
    let hosts = hosts.filter_map(|(name, address)| {
        let fault = no_place(address)?;
        Some(broken(format!("host {name}"), format!("address: {address} {fault}")))
    });
    let paths = cluster.hosts.iter().flat_map(|host| {
        let folder = Some(&host.manifests).filter(|folder| !is_path(folder));
        let program = host.recovery_program.as_ref().filter(|file| !is_path(file));
        let folder = folder.map(|folder| format!("manifests: {folder:?} is no folder from / on"));
        let program = program.map(|file| format!("recoveryProgram: {file:?} is no file from / on"));
        folder.into_iter().chain(program).map(|says| broken(format!("host {}", host.name), says))
    });
    let mut all: Vec<Finding> = name.chain(servers).chain(hosts).chain(paths).collect();
    // A jump host stands before many.
    let mut said = BTreeSet::new();
    all.retain(|one| said.insert((one.about.clone(), one.says.clone())));
    all
}

/// Why nobody can be reached at an address.
fn no_place(address: IpAddr) -> Option<&'static str> {
    if address.is_unspecified() {
        return Some("is nobody's address");
    }
    let many = address.is_multicast() || address == IpAddr::from(Ipv4Addr::BROADCAST);
    many.then_some("is the address of many")
}

fn is_path(text: &str) -> bool {
    let mut parts = text.split('/').skip(1);
    text.starts_with('/') && text.len() > 1 && !text.chars().any(char::is_control) && parts.all(|part| part != "..")
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
                finding("client certificate", Level::Broken, says, Some(CLOCK))
            }
            Some(cert) if !cert.for_clients => {
                let says = format!(
                    "{} is for servers (its extended key usage has no clientAuth), so no API server takes it",
                    cert.subject
                );
                finding("client certificate", Level::Broken, says, Some(RENEW))
            }
            Some(cert) => {
                let says = format!("{}: {}", cert.subject, end(cert.not_after, now));
                ends("client certificate", says, cert.not_after)
            }
            None => finding("client certificate", Level::Broken, "there is none in it", Some(RENEW)),
        },
        Credential::Token(token) if token_start(token).is_some_and(|at| at > now) => {
            let says = cluster.void(now).unwrap_or_default();
            finding("token", Level::Broken, says, Some(CLOCK))
        }
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
        let keys = |_: &crate::kit::SshAccess, _| Keys { usable: true, faults: Vec::new() };
        let found = check(cluster, Asks { knows_host_key: &|_, _| known, keys: &keys }, now.parse().unwrap());
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
    fn a_certificate_that_is_not_for_clients_is_said() {
        use rcgen::ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};
        for (usages, good) in
            [(vec![], true), (vec![ServerAuth], false), (vec![ServerAuth, ClientAuth], true), (vec![Any], true)]
        {
            let key = rcgen::KeyPair::generate().unwrap();
            let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
            params.extended_key_usages = usages;
            (params.not_before, params.not_after) =
                (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2040, 1, 1));
            let cert = params.self_signed(&key).unwrap().pem().into_bytes();
            let credential = Credential::Certificate { cert, key: key.serialize_pem().into_bytes() };
            let said = says(&Cluster { credential, ..cluster(0) }, NOW, true).remove(1);
            assert_eq!(!said.contains("has no clientAuth") && said.starts_with("Good"), good, "{said}");
        }
    }

    #[test]
    fn what_nothing_can_stand_at_is_said() {
        let good = cluster(2);
        assert_eq!(good.hosts.len(), 2);
        let said = |spoil: &dyn Fn(&mut Cluster)| {
            let mut cluster = good.clone();
            spoil(&mut cluster);
            let before = says(&good, NOW, true);
            says(&cluster, NOW, true).into_iter().filter(|said| !before.contains(said)).collect::<Vec<_>>()
        };
        assert_eq!(said(&|c| c.tls_server_name = Some("kubernetes".into())), Vec::<String>::new());
        assert_eq!(said(&|c| c.tls_server_name = Some("10.0.0.1".into())), Vec::<String>::new());
        for name in ["", "a b", "kubernetes:6443", "https://kubernetes"] {
            let said = said(&|c| c.tls_server_name = Some(name.into()));
            assert!(said.len() == 1 && said[0].starts_with("Broken tlsServerName"), "{name}: {said:?}");
        }
        let server = |address: &'static str| move |c: &mut Cluster| c.api_servers[0].address = address.parse().unwrap();
        let port = said(&server("10.0.0.1:0"));
        assert_eq!(port, ["Broken API server api1: address: 10.0.0.1:0 has no port"]);
        let nobody = said(&server("0.0.0.0:6443"));
        assert_eq!(nobody, ["Broken API server api1: address: 0.0.0.0:6443 is nobody's address"]);
        let many = said(&|c| c.hosts[1].address = "ff02::1".parse().unwrap());
        assert_eq!(many, ["Broken host cp2: address: ff02::1 is the address of many"]);
        for folder in ["", "/", "etc/kubernetes", "~/m", "/etc/../m", "/a\nb"] {
            let of = said(&|c| c.hosts[0].manifests = folder.into());
            assert!(of.len() == 1 && of[0].starts_with("Broken host cp1: manifests: "), "{folder}: {of:?}");
            let of = said(&|c| c.hosts[0].recovery_program = Some(folder.into()));
            assert!(of.len() == 1 && of[0].starts_with("Broken host cp1: recoveryProgram: "), "{folder}: {of:?}");
        }
    }
}

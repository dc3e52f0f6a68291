//! Which of the credentials that lie on a cluster's hosts can be used.

use super::{ApiServer, Cluster, Credential, pem};
use crate::host::credentials::{Held, Keeps, Secret};

/// A credential that was won during a run, and what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Won {
    /// The credential.
    pub credential: Credential,
    /// Whose it is and where it is from, without its secret.
    pub of: String,
}

/// What somebody else needs to come the way that this process comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entrance {
    /// The server, and the host that it is reached through, if it is.
    pub server: ApiServer,
    /// The certificates that it is verified against, PEM.
    pub trust: Vec<u8>,
    /// The name in its certificate, where that is not its address.
    pub name: Option<String>,
    /// What it knows him by.
    pub won: Won,
}

/// Whether a file's credential is of this cluster and good now; if not, why.
fn judge(held: &Held, cluster: &Cluster, host: &str, now: jiff::Timestamp) -> Result<Won, String> {
    let secret = held.secret.as_ref().map_err(|why| format!("{}: {why}", held.path))?;
    let ours = pem::certificates(&cluster.ca).unwrap_or_default();
    let theirs = pem::certificates(&held.authority).unwrap_or_default();
    // A CA is its name and its key: one that was signed anew, with another time, is the same.
    let same = |own: &pem::CertFacts, other: &pem::CertFacts| {
        own.subject == other.subject && own.public_key == other.public_key
    };
    if !theirs.is_empty() && !theirs.iter().any(|cert| ours.iter().any(|own| same(own, cert))) {
        return Err(format!("{}: it is of another cluster: its CA is none of the kit's", held.path));
    }
    let (credential, who) = match secret {
        Secret::Certificate { cert, key } => {
            let facts = pem::certificates(cert).map_err(|why| format!("{}: {why}", held.path))?;
            let who = facts.first().map(|cert| cert.subject.clone()).unwrap_or_default();
            (Credential::Certificate { cert: cert.clone(), key: key.clone() }, who)
        }
        Secret::Token(token) => (Credential::Token(token.clone()), "a token".to_owned()),
    };
    if let Some(why) = credential.void(now, None) {
        return Err(format!("{}: {why}", held.path));
    }
    Ok(Won { credential, of: format!("{} of {host} ({who})", held.path) })
}

/// The best of a host's.
///
/// # Errors
/// Why each of them cannot be used.
pub fn best(keeps: &Keeps, cluster: &Cluster, host: &str, now: jiff::Timestamp) -> Result<Won, Vec<String>> {
    let mut faults = Vec::new();
    for held in &keeps.held {
        match judge(held, cluster, host, now) {
            Ok(good) => return Ok(good),
            Err(why) => faults.push(why),
        }
    }
    Err(faults)
}

/// A kubeconfig for somebody's kubectl, that comes this way.
pub fn kubeconfig(cluster: &str, entrance: &Entrance) -> String {
    use base64::Engine as _;
    let data = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let server = format!("https://{}", entrance.server.address);
    let mut to = serde_json::json!({ "server": server, "certificate-authority-data": data(&entrance.trust) });
    if let Some(name) = &entrance.name {
        to["tls-server-name"] = name.as_str().into();
    }
    let user = match &entrance.won.credential {
        Credential::Certificate { cert, key } => {
            serde_json::json!({ "client-certificate-data": data(cert), "client-key-data": data(key) })
        }
        Credential::Token(token) => serde_json::json!({ "token": token }),
        Credential::Anonymous => serde_json::json!({}),
    };
    let name = cluster;
    // JSON is YAML, and needs no care for what stands in it.
    let config = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": name,
        "clusters": [{ "name": name, "cluster": to }],
        "users": [{ "name": "breakglass", "user": user }],
        "contexts": [{ "name": name, "context": { "cluster": name, "user": "breakglass" } }],
    });
    format!("{config:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_another_cluster_or_that_has_ended_is_never_taken() {
        let now: jiff::Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let (key, other) = (&key, rcgen::KeyPair::generate().unwrap());
        let signed = |name: &str, until: i32, key: &rcgen::KeyPair| {
            let mut params = rcgen::CertificateParams::default();
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
            (params.not_before, params.not_after) =
                (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(until, 1, 1));
            params.self_signed(key).unwrap().pem().into_bytes()
        };
        let cert = |name: &str, until: i32| signed(name, until, key);
        let (ours, theirs) = (cert("ours", 2040), signed("ours", 2040, &other));
        let cluster = Cluster { ca: ours.clone(), ..super::super::sample::cluster("east", 1) };
        let held = |path: &str, authority: &[u8], cert: Vec<u8>| Held {
            path: path.into(),
            authority: authority.to_vec(),
            secret: Ok(Secret::Certificate { cert, key: b"K".to_vec() }),
        };
        let keeps = Keeps {
            held: vec![
                held("/stale", &theirs, cert("admin", 2040)),
                held("/ended", &ours, cert("admin", 2026)),
                Held { path: "/plugin".into(), authority: ours.clone(), secret: Err("it has none".into()) },
                held("/good", &ours, cert("kubernetes-super-admin", 2040)),
            ],
            ..Keeps::default()
        };
        let good = best(&keeps, &cluster, "cp1", now).ok().unwrap();
        assert_eq!(good.of, "/good of cp1 (CN=kubernetes-super-admin)");
        let anew = Keeps { held: vec![held("/anew", &cert("ours", 2050), cert("admin", 2040))], ..Keeps::default() };
        assert!(best(&anew, &cluster, "cp1", now).is_ok(), "a CA that was signed anew is the same");
        let none = Keeps { held: keeps.held[..3].to_vec(), ..keeps };
        let faults = best(&none, &cluster, "cp1", now).err().unwrap();
        for (fault, part) in faults.iter().zip(["another cluster", "expired", "it has none"]) {
            assert!(fault.contains(part), "{fault}");
        }
    }
}

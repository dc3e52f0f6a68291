//! Who we are to the API, as far as our own credential says it itself.

use x509_parser::prelude::{FromDer as _, X509Certificate};

use base64::Engine as _;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::{Cluster, Credential};

/// The group that is allowed everything before anybody is asked.
pub const MASTERS: &str = "system:masters";

/// A user and its groups, as API servers take them from a credential.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownAs {
    /// The users: our own, and the one that we act as.
    pub users: Vec<String>,
    /// Their groups, those that every user is in left out.
    pub groups: Vec<String>,
}

impl Cluster {
    /// Who we are to its API; nobody where our credential does not say so itself.
    pub fn known_as(&self) -> KnownAs {
        let mut known = match &self.credential {
            Credential::Certificate { cert, .. } => certificate(cert),
            Credential::Token(token) => account(token),
            Credential::Anonymous => None,
        }
        .unwrap_or_default();
        if let Some(acting) = &self.acting_as {
            known.users.push(acting.user.clone());
            known.groups.extend(acting.groups.iter().cloned());
        }
        known
    }
}

/// Its common name is the user, its organisations are the groups.
fn certificate(pem: &[u8]) -> Option<KnownAs> {
    let der = CertificateDer::pem_slice_iter(pem).next()?.ok()?;
    let (_, cert) = X509Certificate::from_der(&der).ok()?;
    let text = |part: &x509_parser::x509::AttributeTypeAndValue<'_>| part.as_str().ok().map(str::to_owned);
    let users = cert.subject().iter_common_name().filter_map(text).collect();
    Some(KnownAs { users, groups: cert.subject().iter_organization().filter_map(text).collect() })
}

/// Of a service account; what others are called only the API server's settings know.
fn account(token: &str) -> Option<KnownAs> {
    let claims = token.trim().split('.').nth(1)?;
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    let user = claims.get("sub")?.as_str().filter(|user| user.starts_with("system:serviceaccount:"))?;
    let namespace = user.split(':').nth(2)?;
    let groups = vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")];
    Some(KnownAs { users: vec![user.to_owned()], groups })
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::kit::ActingAs;

    #[test]
    fn a_credential_says_whom_the_api_takes_us_for() {
        let of = |credential| Cluster { credential, ..sample::cluster("east", 1) };
        let (cert, key) = super::super::tests::pair("alice", 2020, 2030);
        let own = of(Credential::Certificate { cert: cert.into_bytes(), key: key.into_bytes() });
        assert_eq!(own.known_as().users, ["alice"]);
        let acting = ActingAs { user: "bob".into(), groups: vec!["ops".into()], ..ActingAs::default() };
        let both = Cluster { acting_as: Some(acting), ..own };
        assert_eq!(both.known_as().users, ["alice", "bob"]);
        assert!(both.known_as().groups.contains(&"ops".to_owned()));
        let token = |claims: &str| {
            let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims);
            of(Credential::Token(format!("a.{claims}.c"))).known_as()
        };
        let account = token("{\"sub\": \"system:serviceaccount:ops:bot\"}");
        assert_eq!(account.groups, ["system:serviceaccounts", "system:serviceaccounts:ops"]);
        assert_eq!(token("{\"sub\": \"0815\"}"), KnownAs::default());
        assert_eq!(of(Credential::Token("x".into())).known_as(), KnownAs::default());
        assert_eq!(of(Credential::Anonymous).known_as(), KnownAs::default());
    }
}

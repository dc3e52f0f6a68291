//! What can be said of certificates and keys without contacting anybody.

use jiff::Timestamp;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// A certificate in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertFacts {
    /// Whom it names.
    pub subject: String,
    /// When it begins to be good.
    pub not_before: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
    /// Its public key, DER.
    pub(super) public_key: Vec<u8>,
}

impl CertFacts {
    /// Why it is not good at a moment, with the date and how far away it is.
    pub fn fault(&self, now: Timestamp) -> Option<String> {
        if now > self.not_after {
            let since = age(now.duration_since(self.not_after));
            return Some(format!("certificate of {} expired on {}, {since} ago", self.subject, self.not_after));
        }
        (now < self.not_before).then(|| {
            let until = age(self.not_before.duration_since(now));
            format!("certificate of {} is not valid before {}, in {until}", self.subject, self.not_before)
        })
    }
}

/// The certificates of a PEM text, the first one ours when it is a chain.
///
/// # Errors
/// One sentence, beginning in lower case.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertFacts>, String> {
    let mut found = Vec::new();
    for der in CertificateDer::pem_slice_iter(pem) {
        let der = der.map_err(|error| format!("no PEM: {error}"))?;
        let (_, cert) = X509Certificate::from_der(&der).map_err(|error| format!("no X.509 certificate: {error}"))?;
        let time = |at: x509_parser::time::ASN1Time| {
            Timestamp::from_second(at.timestamp()).map_err(|error| format!("its dates make no sense: {error}"))
        };
        found.push(CertFacts {
            subject: cert.subject().to_string(),
            not_before: time(cert.validity().not_before)?,
            not_after: time(cert.validity().not_after)?,
            public_key: cert.public_key().raw.to_vec(),
        });
    }
    if found.is_empty() { Err("no certificate in it; expected PEM".into()) } else { Ok(found) }
}

/// Checks that a key is one and belongs to a certificate.
///
/// # Errors
/// One sentence, beginning in lower case.
pub fn key_of(pem: &[u8], cert: &CertFacts) -> Result<(), String> {
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
        if pem.windows(9).any(|word| word == b"ENCRYPTED") {
            "the key is encrypted; it has to be readable without a person".to_owned()
        } else {
            "no private key in it; expected PEM".to_owned()
        }
    })?;
    let key =
        rustls::crypto::ring::sign::any_supported_type(&key).map_err(|_| "a key of an unknown type".to_owned())?;
    match key.public_key() {
        Some(public) if public.as_ref() != cert.public_key.as_slice() => {
            Err(format!("the key does not belong to the certificate of {}", cert.subject))
        }
        _ => Ok(()),
    }
}

/// When a token says that it ends, if it is one that says so.
pub fn token_end(token: &str) -> Option<Timestamp> {
    use base64::Engine as _;
    let [_, claims, _] = token.trim().split('.').collect::<Vec<_>>()[..] else { return None };
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    Timestamp::from_second(claims.get("exp")?.as_i64()?).ok()
}

/// `3 days`, `5 hours`, `2 minutes`.
pub(super) fn age(duration: jiff::SignedDuration) -> String {
    let secs = usize::try_from(duration.as_secs()).unwrap_or(0);
    match secs {
        0..120 => crate::words::count(secs, "second"),
        120..7_200 => crate::words::count(secs / 60, "minute"),
        7_200..172_800 => crate::words::count(secs / 3_600, "hour"),
        _ => crate::words::count(secs / 86_400, "day"),
    }
}

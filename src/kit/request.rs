//! What we ask to be known by: its key is made here, and stays in memory.

use std::time::Duration;

use jiff::Timestamp;
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};

/// A key and the request for a certificate of it, PEM.
#[derive(Clone)]
pub struct Request {
    /// The request; no secret.
    pub text: String,
    /// The key.
    pub key: Vec<u8>,
}

fn said(error: rcgen::Error) -> String {
    format!("no client certificate could be made: {error}")
}

fn named(user: &str, group: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, group);
    params.distinguished_name.push(DnType::CommonName, user);
    params
}

impl Request {
    /// For a user of a group.
    ///
    /// # Errors
    /// One sentence, when the machine makes no key.
    pub fn new(user: &str, group: &str) -> Result<Self, String> {
        let key = KeyPair::generate().map_err(said)?;
        let params = named(user, group);
        let text = params.serialize_request(&key).and_then(|request| request.pem()).map_err(said)?;
        Ok(Self { text, key: key.serialize_pem().into_bytes() })
    }
}

/// How far the clocks of two machines may be apart, for a certificate that ends with what takes it.
const APART: Duration = Duration::from_hours(24);

/// A client certificate that vouches for itself: whoever is told to take it takes it, and no other.
#[derive(Clone, PartialEq, Eq)]
pub struct Own {
    /// The certificate, PEM; no secret.
    pub cert: String,
    /// Its key, PEM.
    pub key: Vec<u8>,
}

impl Own {
    /// For a user of a group, for a day around this moment.
    ///
    /// # Errors
    /// One sentence, when the machine makes no key.
    pub fn new(user: &str, group: &str, now: Timestamp) -> Result<Self, String> {
        let key = KeyPair::generate().map_err(said)?;
        let mut params = named(user, group);
        let now = Duration::from_secs(now.as_second().try_into().unwrap_or(0));
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        (params.not_before, params.not_after) = (epoch + now.saturating_sub(APART), epoch + now.saturating_add(APART));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let cert = params.self_signed(&key).map_err(said)?;
        Ok(Self { cert: cert.pem(), key: key.serialize_pem().into_bytes() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::pem;

    #[test]
    fn what_vouches_for_itself_is_of_its_user_and_group_and_ends_within_a_day() {
        let now: Timestamp = "2026-06-01T12:00:00Z".parse().unwrap();
        let own = Own::new("breakglass:alice", "system:masters", now).unwrap();
        let facts = pem::certificates(own.cert.as_bytes()).unwrap();
        assert_eq!(facts.len(), 1);
        assert!(facts[0].subject.contains("system:masters") && facts[0].subject.contains("breakglass:alice"));
        assert_eq!(facts[0].not_after, "2026-06-02T12:00:00Z".parse().unwrap());
        assert!(String::from_utf8(own.key).unwrap().contains("PRIVATE KEY") && !own.cert.contains("PRIVATE KEY"));
    }
}

//! A request for a client certificate: its key is made here, and stays in memory.

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

/// A key and the request for a certificate of it, PEM.
#[derive(Clone)]
pub struct Request {
    /// The request; no secret.
    pub text: String,
    /// The key.
    pub key: Vec<u8>,
}

impl Request {
    /// For a user of a group.
    ///
    /// # Errors
    /// One sentence, when the machine makes no key.
    pub fn new(user: &str, group: &str) -> Result<Self, String> {
        let said = |error: rcgen::Error| format!("no request for a certificate could be made: {error}");
        let key = KeyPair::generate().map_err(said)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, group);
        params.distinguished_name.push(DnType::CommonName, user);
        let text = params.serialize_request(&key).and_then(|request| request.pem()).map_err(said)?;
        Ok(Self { text, key: key.serialize_pem().into_bytes() })
    }
}

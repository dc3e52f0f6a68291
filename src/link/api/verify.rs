//! Whom an API server is verified against: the kit's authorities, and what stands among them though it is none.

use std::sync::Arc;

use crate::link::fault::tls;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// By chain; and, as Go does it for kubectl, a server that shows the very certificate that it is to be verified with. Many a
/// kubeconfig names the server's own certificate as the authority, which it is not for our TLS library.
#[derive(Debug)]
pub(super) struct Authorities {
    named: Vec<CertificateDer<'static>>,
    by_chain: Arc<WebPkiServerVerifier>,
}

impl Authorities {
    /// Of certificates, DER.
    pub(super) fn new(named: Vec<CertificateDer<'static>>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for cert in &named {
            roots.add(cert.clone()).map_err(|error| tls::words(&error))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let by_chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        Ok(Self { named, by_chain: by_chain.map_err(|error| error.to_string())? })
    }
}

impl ServerCertVerifier for Authorities {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let by_chain = self.by_chain.verify_server_cert(shown, between, name, ocsp, now);
        if by_chain.is_ok() || !self.named.iter().any(|named| named == shown) {
            return by_chain;
        }
        good_by_itself(shown, now)?;
        verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_chain.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_chain.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_chain.supported_verify_schemes()
    }
}

/// Its dates and its purpose.
fn good_by_itself(shown: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let (_, cert) = X509Certificate::from_der(shown).map_err(|_| CertificateError::BadEncoding)?;
    let time = |at: x509_parser::time::ASN1Time| {
        let seconds = u64::try_from(at.timestamp()).unwrap_or_default();
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
    };
    let (not_before, not_after) = (time(cert.validity().not_before), time(cert.validity().not_after));
    if now < not_before {
        return Err(CertificateError::NotValidYetContext { time: now, not_before }.into());
    }
    if now > not_after {
        return Err(CertificateError::ExpiredContext { time: now, not_after }.into());
    }
    match cert.extended_key_usage() {
        Ok(Some(usage)) if !usage.value.any && !usage.value.server_auth => Err(CertificateError::InvalidPurpose.into()),
        Ok(_) => Ok(()),
        Err(_) => Err(CertificateError::BadEncoding.into()),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};

    use super::*;

    /// 2026-06-01.
    const NOW: u64 = 1_780_272_000;

    fn params(change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
        let mut params = CertificateParams::new(["kubernetes".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2030, 1, 1));
        change(&mut params);
        params
    }

    fn said(named: &CertificateDer<'static>, shown: &CertificateDer<'_>, name: &'static str) -> String {
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(NOW));
        let name = ServerName::try_from(name).unwrap();
        let said = Authorities::new(vec![named.clone()]).unwrap().verify_server_cert(shown, &[], &name, &[], now);
        said.map_or_else(|error| error.to_string(), |_| "good".into())
    }

    #[test]
    fn a_server_that_shows_the_very_certificate_that_it_is_verified_with_is_good() {
        let key = || KeyPair::generate().unwrap();
        let ca = params(|ca| {
            ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            ca.distinguished_name.push(rcgen::DnType::CommonName, "ca");
        });
        let ca = CertifiedIssuer::self_signed(ca, key()).unwrap();
        let of_ca = |change: fn(&mut CertificateParams)| {
            params(change).signed_by(&key(), &ca).map(|cert| cert.der().clone()).unwrap()
        };
        let leaf = of_ca(|_| {});
        // By chain, as ever.
        assert_eq!(said(ca.der(), &leaf, "kubernetes"), "good");
        // The leaf in the place of its authority, as Rancher and RKE2 write it; it vouches for no other.
        assert_eq!(said(&leaf, &leaf, "kubernetes"), "good");
        assert!(said(&leaf, &of_ca(|_| {}), "kubernetes").contains("UnknownIssuer"));
        // What `openssl req -x509` makes is an authority and a server in one.
        assert_eq!(said(ca.der(), ca.der(), "kubernetes"), "good");
        let alone = params(|_| {}).self_signed(&key()).unwrap();
        assert_eq!(said(alone.der(), alone.der(), "kubernetes"), "good");
        // It is for this server, now, and for a server.
        assert!(said(&leaf, &leaf, "other").contains("not valid for"), "{}", said(&leaf, &leaf, "other"));
        for (change, expected) in [
            ((|cert| cert.not_after = rcgen::date_time_ymd(2026, 1, 1)) as fn(&mut CertificateParams), "expired"),
            (|cert| cert.not_before = rcgen::date_time_ymd(2027, 1, 1), "not valid yet"),
            (|cert| cert.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth], "InvalidPurpose"),
        ] {
            let leaf = of_ca(change);
            let said = said(&leaf, &leaf, "kubernetes");
            assert!(said.contains(expected), "{expected}: {said}");
        }
        let any = of_ca(|cert| {
            cert.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        });
        assert_eq!(said(&any, &any, "kubernetes"), "good");
    }
}

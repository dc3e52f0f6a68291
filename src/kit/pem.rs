//! What can be said of certificates and keys without contacting anybody.

use base64::Engine as _;
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
    /// Whether it may sign others.
    pub is_authority: bool,
    /// Whether a client may show it: it says so, or does not say whom it is for.
    pub for_clients: bool,
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
        let usage = cert.extended_key_usage().map_err(|error| format!("no X.509 certificate: {error}"))?;
        found.push(CertFacts {
            subject: cert.subject().to_string(),
            not_before: time(cert.validity().not_before)?,
            not_after: time(cert.validity().not_after)?,
            // Before version 3 nothing said so, and every one could be.
            is_authority: cert.is_ca() || cert.version() != x509_parser::x509::X509Version::V3,
            for_clients: usage.is_none_or(|usage| usage.value.any || usage.value.client_auth),
            public_key: cert.public_key().raw.to_vec(),
        });
    }
    if found.is_empty() { Err("no certificate in it; expected PEM".into()) } else { Ok(found) }
}

/// A key that belongs to a certificate, under the label of its form: what is under `PRIVATE KEY` need not be PKCS#8, and
/// kubectl tries every form whatever the label says, where our TLS library goes by the label.
///
/// # Errors
/// One sentence, beginning in lower case.
pub fn key_of(pem: &[u8], cert: &CertFacts) -> Result<Vec<u8>, String> {
    let labelled = PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
        if pem.windows(9).any(|word| word == b"ENCRYPTED") {
            "the key is encrypted; it has to be readable without a person".to_owned()
        } else {
            "no private key in it; expected PEM".to_owned()
        }
    })?;
    let der = labelled.secret_der();
    let known = "no key of a known form; expected PKCS#8, PKCS#1 or SEC1";
    let key = PrivateKeyDer::try_from(der).map_err(|_| known.to_owned())?;
    let signer = rustls::crypto::ring::sign::any_supported_type(&key).map_err(|_| {
        if der.windows(P521.len()).any(|part| part == P521) {
            "a key on the curve P-521, which the TLS library of breakglass cannot use; make one on P-256 with a \
             certificate of its own, on a control-plane host: kubeadm kubeconfig user"
                .to_owned()
        } else {
            "a key of an unknown type; RSA, P-256, P-384 and Ed25519 can be used".to_owned()
        }
    })?;
    if signer.public_key().is_some_and(|public| public.as_ref() != cert.public_key.as_slice()) {
        return Err(format!("the key does not belong to the certificate of {}", cert.subject));
    }
    let label = match &key {
        PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
        _ => "PRIVATE KEY",
    };
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    Ok(format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n").into_bytes())
}

/// The object identifier of the curve P-521, DER.
const P521: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23];

/// When a token says that it ends, if it is one that says so.
pub fn token_end(token: &str) -> Option<Timestamp> {
    token_time(token, "exp")
}

/// When a token says that it begins to be good, if it is one that says so.
pub fn token_start(token: &str) -> Option<Timestamp> {
    token_time(token, "nbf")
}

/// Seconds since 1970, whole ones or not.
fn token_time(token: &str, claim: &str) -> Option<Timestamp> {
    let [_, claims, _] = token.trim().split('.').collect::<Vec<_>>()[..] else { return None };
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    let at = claims.get(claim)?;
    let whole = || Some(jiff::SignedDuration::try_from_secs_f64(at.as_f64()?).ok()?.as_secs());
    Timestamp::from_second(at.as_i64().or_else(whole)?).ok()
}

/// `3 days`, `5 hours`, `2 minutes`.
pub(crate) fn age(duration: jiff::SignedDuration) -> String {
    let secs = usize::try_from(duration.as_secs()).unwrap_or(0);
    match secs {
        0..120 => crate::words::count(secs, "second"),
        120..7_200 => crate::words::count(secs / 60, "minute"),
        7_200..172_800 => crate::words::count(secs / 3_600, "hour"),
        _ => crate::words::count(secs / 86_400, "day"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::pair;
    use super::*;

    /// PKCS#1, made for this test.
    const RSA: &str = "MIIEogIBAAKCAQEA57BXtZpXNuX7ZIfbpOEZvGk3rJFvn4pSD1rHhA88RdH1un9b8u0GbVrnMLDFHKC2B44xTHsdH3VgRtd0wpDP\
        Lkfy9jY/hy1itlHPMN7kLStvBJD6VbDQ1l9KhK2yQ3d+Wqy41BCwSD+Uex4vHAQ9AmQNJs5zp8jjvmCAz4aG6IVJllXkH7Qq/hI6\
        ZWXAV6FzQzwHVfY3GkEYDY26amOCOqqpL9OUO8QOD8DwazOBjBxsDCyt3ubfOR3yWcvetGmd8Xu1u+z9Dc0KpzczMrP23/fQ608S\
        ffpgV4Kw/4U//8Q3cTw72WCgQ+Zx8einfybqNfRZc17496oNKxyXOEAOwQIDAQABAoIBAAJ20iwuHrGUzfumnilAT7x/zqXyMAov\
        zQVLZ7VNf+TSfqGudsCUmkFx0v2BgqbLdh1NXKNj3KzKGQKuuwuteES6DYF+uX6sxfhaM8ZhBpfofM2emx5r3LGzv+T6c3ohUDJ0\
        o8aBn/rrNdAK1ci3wolOPDRV0B1TaWJkOe8QcHsevLNjQhWL3vjdRaCGiH1oaRRXv3Q9W+ksnThduV+Rw4uv4rXoGdhgPFsGPoQY\
        0+WvN6ovYlDb/kCAgFwlJYdOes4xpF5M84YWTqMhB2/y94ZKJGZ2Iu6oeKzSHEabXtd5NE68Zra+yzf4GUR4ngMsvXJLOFZokBff\
        r/4Z8Rq8SekCgYEA+tgRZLBCDYYkcIzaRv83KOA+pZZY2s+Rl9K4WDN02R7YwCkX551wBSYwn1J6FwYdLB3tb14mNJrdaILxH/ge\
        Khuf9Jhr0nVF7ptqxeNNAxtDgVEKbWcnT0TIZ7YhJRZ5QwITP/P2En6FccfZbroWIpesKtJseSR+jdjbsLud+WUCgYEA7HN7F6EY\
        0QqH6pKkcW+FLSOTX/yUx3i5zBIfEND/cWxW/3Z0ROFaQ3DnOVEkGmZ93dnxBdXohwm1q+PAHXCfx6RE6862bLe0D+oYxQ/oSWXp\
        g4IBdrRIAlYG0+xmJxswv7DcWv42mPa7HWysx8cWy5fqeEXUWNsPNraWb1z22C0CgYA4tWA5Qx+rrwfN6gnuwwPVWdzP0o2D6ikg\
        CaNjTT69VxvpVWDyG8WXZGrZmevACMHPl3R2GPLKMbicR/37HDy1iElBIrQ9gAWvS7N3yUs/yIoaUhfpY8ifQw2LZMFZgRso6u8v\
        JhgbVj8U2flt7uPSLjfd9nRPbtCtgLkp20B7gQKBgBRp2+SsWdIiUJ2lz2CjuiGtgpm02rtl5tSBdAElqggGzHP9rAgOVJah9rRy\
        FuXYl2FB4ZcZYpvV8MNIRFvGT2US/4hELmewbHE7SqwotWswyzo5TRsMcXMSLkC5lhAmPs0t3bhVXi1Sj9D4guo0e/lTwkBj9vM8\
        5lFY7h/rLLx5AoGALwNGcT3aCF3g8z2ySTDQZsVCTQDWsj9NMISTczVX9A5/vJKqOafaMic90y4F0w07pWV/9HOFQVJUYdHyOY3D\
        U3aES6ll2TVmb+fyQzcoiR4SaxEszZ4QP/Qia636C5xbbk4blU5/Y5lHTLzSxs2+mELN65tT+WnJOc1qLVvqFTY=";
    /// SEC1 on P-521, made for this test.
    const P521: &str = "MIHcAgEBBEIB898GXTgUSfUAszM1o0siAGKhFO1BDSxfU6MGkxgYO/47alaW3mAISD1cAK/AattQ29C0T/A7cv4XYGRIOESatIOg\
        BwYFK4EEACOhgYkDgYYABAGBPtqbAmpjQzwAthWbi5yDHYwpwwcCetzZ+moO76lv28HWfiEIbVrjYEjYplkP9vcSKnBjN4LM19Oq\
        0/9VDW4peABDsnG07+Upfcy5eM1MamKUZ1Xj/8ZZlbzVUVEV0MfYaUPnsA2kJQkQXjAPm2v1hjB+2W7CUX+d7YSgD5FnAtKTlw==";

    fn pem(label: &str, base64: &str) -> String {
        format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
    }

    fn body(pem: &str) -> String {
        pem.lines().filter(|line| !line.starts_with('-')).collect()
    }

    /// As the API's link reads it: by its label alone.
    fn is_used(pem: &[u8]) -> bool {
        let key = PrivateKeyDer::from_pem_slice(pem).unwrap();
        rustls::crypto::ring::sign::any_supported_type(&key).is_ok()
    }

    #[test]
    fn a_key_is_known_by_its_form_whatever_its_label_says() {
        let base64 = base64::engine::general_purpose::STANDARD;
        let (cert, key) = pair("me", 2020, 2030);
        let ec = certificates(cert.as_bytes()).unwrap().remove(0);
        let pkcs8 = body(&key);
        let der = base64.decode(&pkcs8).unwrap();
        let inner = der.windows(5).position(|part| part == [2, 1, 1, 4, 32]).unwrap() - 2;
        let sec1 = base64.encode(&der[inner..]);
        let rsa_key = PrivateKeyDer::Pkcs1(base64.decode(RSA).unwrap().into());
        let public = rustls::crypto::ring::sign::any_supported_type(&rsa_key).unwrap().public_key().unwrap().to_vec();
        let rsa = CertFacts { public_key: public, ..ec.clone() };
        for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"] {
            for (form, text, cert) in [("PKCS#8", &*pkcs8, &ec), ("SEC1", &sec1, &ec), ("PKCS#1", RSA, &rsa)] {
                let made =
                    key_of(pem(label, text).as_bytes(), cert).unwrap_or_else(|fault| panic!("{form} {label}: {fault}"));
                assert!(is_used(&made), "{form} under {label}");
            }
        }
        let fault = key_of(pem("PRIVATE KEY", RSA).as_bytes(), &ec).unwrap_err();
        assert!(fault.contains("does not belong"), "{fault}");
    }

    #[test]
    fn a_token_says_when_it_begins_and_ends() {
        for (claims, start, end) in [
            (r#"{"exp":1780264800}"#, None, Some("2026-05-31T22:00:00Z")),
            (r#"{"exp":1780264800.75,"nbf":1780264700.5}"#, Some("2026-05-31T21:58:20Z"), Some("2026-05-31T22:00:00Z")),
            (r#"{"exp":1e300,"nbf":"1"}"#, None, None),
        ] {
            let token = format!("e30.{}.x", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims));
            let said = |at: Option<Timestamp>| at.map(|at| at.to_string());
            assert_eq!(said(token_start(&token)).as_deref(), start, "{claims}");
            assert_eq!(said(token_end(&token)).as_deref(), end, "{claims}");
        }
    }

    #[test]
    fn a_key_that_cannot_be_used_is_said_with_the_way_out() {
        let ec = certificates(pair("me", 2020, 2030).0.as_bytes()).unwrap().remove(0);
        for (text, expected) in [
            (pem("EC PRIVATE KEY", P521), "P-521"),
            (pem("PRIVATE KEY", P521), "make one on P-256"),
            (pem("PRIVATE KEY", "AAAA"), "no key of a known form"),
            (pem("ENCRYPTED PRIVATE KEY", "AAAA"), "is encrypted"),
            ("nothing".to_owned(), "no private key in it"),
        ] {
            let fault = key_of(text.as_bytes(), &ec).unwrap_err();
            assert!(fault.contains(expected), "{expected}: {fault}");
        }
    }
}

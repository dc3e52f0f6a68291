//! A certificate issued anew: the same key, names and usages, another time. Only the signature is somebody else's to make.
//!
//! What is signed is the old certificate's own text with another serial number and other dates, so whatever it says besides stays
//! as it is, to the byte, whoever wrote it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::change::sha256_hex;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BITS: u8 = 0x03;
/// `[0]`: the version, which is left out of certificates older than version 3.
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// From this year on times are written in the longer form.
const LONG_TIMES: i16 = 2050;

/// A certificate with its own bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paper {
    /// All of it.
    pub der: Vec<u8>,
    /// Whom it names.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// When it begins to be good.
    pub not_before: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
    /// Its public key, DER with its algorithm, as `openssl pkey -pubout` says it.
    pub public_key: Vec<u8>,
    names: (Vec<u8>, Vec<u8>),
    key_id: Option<Vec<u8>>,
    authority_key_id: Option<Vec<u8>>,
}

impl Paper {
    /// The certificates of a PEM text.
    ///
    /// # Errors
    /// One sentence, beginning in lower case.
    pub fn all(pem: &[u8]) -> Result<Vec<Self>, String> {
        CertificateDer::pem_slice_iter(pem)
            .map(|der| der.map_err(|error| format!("no PEM: {error}")).and_then(|der| Self::read(&der)))
            .collect()
    }

    /// The certificate of a PEM text that holds one.
    ///
    /// # Errors
    /// One sentence, beginning in lower case.
    pub fn one(pem: &[u8]) -> Result<Self, String> {
        let mut all = Self::all(pem)?;
        match (all.pop(), all.len()) {
            (None, _) => Err("there is no certificate in it; expected PEM".into()),
            (Some(one), 0) => Ok(one),
            (Some(_), more) => Err(format!("it holds {} certificates, and only one of its own can be told", more + 1)),
        }
    }

    fn read(der: &[u8]) -> Result<Self, String> {
        let none = |error: &dyn std::fmt::Display| format!("no X.509 certificate: {error}");
        let (_, cert) = X509Certificate::from_der(der).map_err(|error| none(&error))?;
        let time = |at: x509_parser::time::ASN1Time| {
            Timestamp::from_second(at.timestamp()).map_err(|error| format!("its dates make no sense: {error}"))
        };
        let (mut key_id, mut authority_key_id) = (None, None);
        for extension in cert.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectKeyIdentifier(id) => key_id = Some(id.0.to_vec()),
                ParsedExtension::AuthorityKeyIdentifier(id) => {
                    authority_key_id = id.key_identifier.as_ref().map(|id| id.0.to_vec());
                }
                _ => {}
            }
        }
        Ok(Self {
            der: der.to_vec(),
            subject: cert.subject().to_string(),
            issuer: cert.issuer().to_string(),
            not_before: time(cert.validity().not_before)?,
            not_after: time(cert.validity().not_after)?,
            public_key: cert.public_key().raw.to_vec(),
            names: (cert.subject().as_raw().to_vec(), cert.issuer().as_raw().to_vec()),
            key_id,
            authority_key_id,
        })
    }

    /// Tells it from others.
    pub fn sha256(&self) -> String {
        sha256_hex(&self.der)
    }

    /// Whether it is signed by this authority: by its key, where its signature is of a known kind; by name and key identifier else.
    pub fn issued_by(&self, authority: &Self) -> bool {
        if self.names.1 != authority.names.0 {
            return false;
        }
        if let (Some(own), Some(theirs)) = (&self.authority_key_id, &authority.key_id)
            && own != theirs
        {
            return false;
        }
        let Ok((_, cert)) = X509Certificate::from_der(&self.der) else { return false };
        let algorithm = cert.signature_algorithm.algorithm.to_id_string();
        let Some(algorithm) = Key::of(authority).ok().and_then(|key| key.verifies(&algorithm)) else { return true };
        let (text, signed) = (cert.tbs_certificate.as_ref(), &cert.signature_value.data);
        verify(algorithm, authority, text, signed)
    }

    /// Whether it is its own issuer.
    pub fn is_root(&self) -> bool {
        self.issued_by(self)
    }

    /// Another certificate of the same authority: its name and its key.
    pub fn succeeds(&self, other: &Self) -> bool {
        self.names.0 == other.names.0 && self.public_key == other.public_key
    }
}

/// The keys that can sign here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Rsa,
    P256,
    P384,
}

impl Key {
    fn of(authority: &Paper) -> Result<Self, String> {
        let (_, cert) = X509Certificate::from_der(&authority.der).map_err(|error| error.to_string())?;
        let algorithm = &cert.public_key().algorithm;
        let curve = algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok()).map(|oid| oid.to_id_string());
        match (algorithm.algorithm.to_id_string().as_str(), curve.as_deref()) {
            ("1.2.840.113549.1.1.1", _) => Ok(Self::Rsa),
            ("1.2.840.10045.2.1", Some("1.2.840.10045.3.1.7")) => Ok(Self::P256),
            ("1.2.840.10045.2.1", Some("1.3.132.0.34")) => Ok(Self::P384),
            _ => Err("its key is neither RSA nor on P-256 or P-384".into()),
        }
    }

    /// How its signatures with SHA-256 are named, DER.
    fn named(self) -> &'static [u8] {
        match self {
            Self::Rsa => &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00],
            Self::P256 | Self::P384 => &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
        }
    }

    fn own(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Rsa => &signature::RSA_PKCS1_2048_8192_SHA256,
            Self::P256 => &signature::ECDSA_P256_SHA256_ASN1,
            Self::P384 => &signature::ECDSA_P384_SHA256_ASN1,
        }
    }

    /// What checks a signature of this kind; `None`: it is of none that is known.
    fn verifies(self, algorithm: &str) -> Option<&'static dyn VerificationAlgorithm> {
        match (self, algorithm) {
            (Self::Rsa, "1.2.840.113549.1.1.11") | (_, "1.2.840.10045.4.3.2") => Some(self.own()),
            (Self::Rsa, "1.2.840.113549.1.1.12") => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
            (Self::Rsa, "1.2.840.113549.1.1.13") => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
            (Self::P256, "1.2.840.10045.4.3.3") => Some(&signature::ECDSA_P256_SHA384_ASN1),
            (Self::P384, "1.2.840.10045.4.3.3") => Some(&signature::ECDSA_P384_SHA384_ASN1),
            _ => None,
        }
    }
}

fn verify(algorithm: &'static dyn VerificationAlgorithm, authority: &Paper, text: &[u8], signed: &[u8]) -> bool {
    let Ok((_, cert)) = X509Certificate::from_der(&authority.der) else { return false };
    UnparsedPublicKey::new(algorithm, &cert.public_key().subject_public_key.data).verify(text, signed).is_ok()
}

/// One element of DER: its tag, what is in it, and all of its bytes.
struct Element<'a> {
    tag: u8,
    inside: &'a [u8],
    whole: &'a [u8],
}

/// Takes the next element.
fn take<'a>(bytes: &mut &'a [u8]) -> Option<Element<'a>> {
    let all = *bytes;
    let (tag, first) = (*all.first()?, *all.get(1)?);
    let (head, length) = match first {
        0..=0x7f => (2, usize::from(first)),
        0x81..=0x84 => {
            let digits = all.get(2..2 + usize::from(first & 0x7f))?;
            (2 + digits.len(), digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)))
        }
        _ => return None,
    };
    let end = head.checked_add(length)?;
    let whole = all.get(..end)?;
    *bytes = &all[end..];
    Some(Element { tag, inside: &whole[head..], whole })
}

fn element(tag: u8, inside: &[u8]) -> Vec<u8> {
    let length = inside.len().to_be_bytes();
    let digits = &length[length.iter().position(|digit| *digit != 0).unwrap_or(length.len() - 1)..];
    let mut all = vec![tag];
    if let [short @ 0..=0x7f] = digits {
        all.push(*short);
    } else {
        all.push(0x80 | u8::try_from(digits.len()).unwrap_or_default());
        all.extend(digits);
    }
    all.extend(inside);
    all
}

fn time(at: Timestamp) -> Vec<u8> {
    let at = at.to_zoned(jiff::tz::TimeZone::UTC);
    if at.year() < LONG_TIMES {
        return element(UTC_TIME, at.strftime("%y%m%d%H%M%SZ").to_string().as_bytes());
    }
    element(GENERALIZED_TIME, at.strftime("%Y%m%d%H%M%SZ").to_string().as_bytes())
}

/// The text to sign: a certificate with another time and another serial number. The same `seed` gives the same number.
///
/// # Errors
/// Why there can be none, as one sentence, beginning in lower case.
pub fn draft(of: &Paper, authority: &Paper, time_of: (Timestamp, Timestamp), seed: &str) -> Result<Vec<u8>, String> {
    let key = Key::of(authority)?;
    parts(&of.der, key, time_of, seed).ok_or_else(|| "it is no certificate of version 3".to_owned())
}

fn parts(der: &[u8], key: Key, (from, until): (Timestamp, Timestamp), seed: &str) -> Option<Vec<u8>> {
    let mut outer = take(&mut &*der).filter(|it| it.tag == SEQUENCE)?.inside;
    let mut inner = take(&mut outer).filter(|it| it.tag == SEQUENCE)?.inside;
    let version = take(&mut inner).filter(|it| it.tag == VERSION)?;
    let [_serial, _algorithm, issuer, _validity] =
        [take(&mut inner)?, take(&mut inner)?, take(&mut inner)?, take(&mut inner)?];
    let mut serial = ring::digest::digest(&ring::digest::SHA256, seed.as_bytes()).as_ref()[..16].to_vec();
    // Positive, and of the same length whatever comes.
    serial[0] = serial[0] & 0x7f | 0x40;
    let validity = element(SEQUENCE, &[time(from), time(until)].concat());
    let all = [version.whole, &element(INTEGER, &serial), key.named(), issuer.whole, &validity, inner];
    Some(element(SEQUENCE, &all.concat()))
}

/// The signed certificate as PEM, once its signature is seen to be the authority's.
///
/// # Errors
/// Why it is none, as one sentence, beginning in lower case.
pub fn finish(text: &[u8], signed: &[u8], authority: &Paper) -> Result<String, String> {
    let key = Key::of(authority)?;
    if !verify(key.own(), authority, text, signed) {
        return Err(format!("the signature is not by the key of {}", authority.subject));
    }
    let bits = element(BITS, &[&[0], signed].concat());
    let der = element(SEQUENCE, &[text, key.named(), &bits].concat());
    let base64 = STANDARD.encode(der);
    let lines: Vec<&str> = base64.as_bytes().chunks(64).filter_map(|line| str::from_utf8(line).ok()).collect();
    Ok(format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// By openssl, the tool that hosts have: what it signs is taken, and what comes of it is good by its own word.
    fn made(key: &str) -> (String, String) {
        let dir = tempfile::tempdir().unwrap();
        let sh = |text: &str| {
            let output =
                std::process::Command::new("sh").arg("-ec").arg(text).current_dir(dir.path()).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        sh(&format!(
            "openssl genpkey {key} -out ca.key; openssl genpkey {key} -out own.key
             openssl req -x509 -new -key ca.key -out ca.crt -days 3650 -subj /CN=kubernetes -addext keyUsage=critical,keyCertSign
             openssl req -new -key own.key -out own.csr -subj /O=system:masters/CN=api
             printf 'subjectAltName=DNS:kubernetes,IP:10.96.0.1\\nkeyUsage=critical,digitalSignature\\nextendedKeyUsage=serverAuth\\nauthorityKeyIdentifier=keyid\\n' >ext
             openssl x509 -req -in own.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 1 -extfile ext -out own.crt"
        ));
        let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
        let (authority, own) = (Paper::one(&read("ca.crt")).unwrap(), Paper::one(&read("own.crt")).unwrap());
        assert!(own.issued_by(&authority) && authority.is_root() && !own.is_root());
        // Beyond 2049 the other form of a time is due.
        let text = draft(&own, &authority, (at("2026-01-01T00:00:00Z"), at("2051-02-03T04:05:06Z")), "seed").unwrap();
        std::fs::write(dir.path().join("text"), &text).unwrap();
        sh("openssl dgst -sha256 -sign ca.key -out signed text; openssl dgst -sha256 -sign own.key -out other text");
        let pem = finish(&text, &read("signed"), &authority).unwrap();
        assert!(finish(&text, &read("other"), &authority).unwrap_err().contains("not by the key of CN=kubernetes"));
        std::fs::write(dir.path().join("new.crt"), &pem).unwrap();
        let shown =
            |name: &str| sh(&format!("openssl x509 -noout -text -certopt no_serial,no_validity,no_sigdump -in {name}"));
        sh("openssl verify -x509_strict -CAfile ca.crt new.crt");
        assert_eq!(shown("own.crt"), shown("new.crt"));
        let new = Paper::one(pem.as_bytes()).unwrap();
        assert_eq!((new.not_before, new.not_after), (at("2026-01-01T00:00:00Z"), at("2051-02-03T04:05:06Z")));
        assert!(new.issued_by(&authority) && new.public_key == own.public_key && new.der != own.der);
        (sh("openssl x509 -noout -serial -in new.crt"), pem)
    }

    #[test]
    fn a_certificate_issued_anew_says_the_same_but_for_its_time_and_is_good() {
        for key in [
            "-algorithm RSA -pkeyopt rsa_keygen_bits:2048",
            "-algorithm EC -pkeyopt ec_paramgen_curve:P-256",
            "-algorithm EC -pkeyopt ec_paramgen_curve:P-384",
        ] {
            let (serial, _) = made(key);
            assert_eq!(serial, made(key).0, "the same seed gives the same number");
        }
    }

    #[test]
    fn an_authority_of_the_same_name_with_another_key_is_not_the_issuer() {
        let authority = |key: &rcgen::KeyPair| {
            let mut params = rcgen::CertificateParams::default();
            params.distinguished_name.push(rcgen::DnType::CommonName, "kubernetes");
            params.self_signed(key).unwrap()
        };
        let [ours, theirs] = [(); 2].map(|()| authority(&rcgen::KeyPair::generate().unwrap()));
        let [ours, theirs] = [ours, theirs].map(|cert| Paper::one(cert.pem().as_bytes()).unwrap());
        assert!(ours.is_root() && !ours.issued_by(&theirs) && !ours.succeeds(&theirs));
    }

    #[test]
    fn what_is_no_certificate_is_refused_and_never_a_fault_of_ours() {
        for text in ["", "x", "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"] {
            assert!(Paper::one(text.as_bytes()).is_err());
        }
        for bytes in [&[][..], &[0x30], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30, 0x80], &[0x30, 0x02, 0x30, 0x00]]
        {
            assert!(parts(bytes, Key::P256, (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH), "").is_none());
        }
        for length in [0, 1, 127, 128, 255, 256, 65_536] {
            let made = element(SEQUENCE, &vec![7; length]);
            let read = take(&mut &*made).unwrap();
            assert_eq!((read.inside.len(), read.whole.len()), (length, made.len()));
        }
    }
}

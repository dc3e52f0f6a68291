//! OpenSSH certificates as they go over the wire (PROTOCOL.certkeys).
//!
//! Read here because the ssh-key crate refuses `forever`, the end of validity that ssh-keygen writes by default.
//! What was signed is taken from the bytes as they came, never encoded anew.

use signature::Verifier as _;
use ssh_key::{PublicKey, Signature};

use super::known_hosts::wire_string;

/// Suffix of the key types that are certificates.
pub(super) const SUFFIX: &str = "-cert-v01@openssh.com";

/// A certificate's second kind: made out to hosts.
pub(super) const HOST: u32 = 2;

/// The fields of a certificate. Nothing has been verified.
pub(super) struct Certificate<'a> {
    /// The certified key, in wire form.
    pub(super) key: Vec<u8>,
    /// 1 for users, [`HOST`] for hosts.
    pub(super) kind: u32,
    pub(super) principals: Vec<String>,
    /// Unix seconds, the first at which it is valid.
    pub(super) valid_after: u64,
    /// Unix seconds, the first at which it is not valid any more; `u64::MAX` is for ever.
    pub(super) valid_before: u64,
    /// Names of the critical options.
    pub(super) critical: Vec<String>,
    /// The authority's key, in wire form.
    pub(super) authority: &'a [u8],
    signed: &'a [u8],
    signature: &'a [u8],
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.take(length)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.string()?.to_vec()).ok()
    }

    /// A string that holds strings; with `pairs`, every second one is a value and is passed over.
    fn texts(&mut self, pairs: bool) -> Option<Vec<String>> {
        let mut inner = Self(self.string()?);
        let mut texts = Vec::new();
        while !inner.0.is_empty() {
            texts.push(inner.text()?);
            if pairs {
                inner.string()?;
            }
        }
        Some(texts)
    }
}

impl<'a> Certificate<'a> {
    /// Whether a key in wire form is a certificate.
    pub(super) fn is_one(blob: &[u8]) -> bool {
        wire_string(blob).is_some_and(|kind| kind.ends_with(SUFFIX.as_bytes()))
    }

    /// Takes a certificate apart; `None` if it is not exactly one.
    pub(super) fn parse(blob: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(blob);
        let plain = std::str::from_utf8(reader.string()?).ok()?.strip_suffix(SUFFIX)?.to_owned();
        let _nonce = reader.string()?;
        // How many strings make the public key.
        let parts = match plain.as_str() {
            "ssh-ed25519" => 1,
            "ssh-rsa" | "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" | "ecdsa-sha2-nistp521" => 2,
            _ => return None,
        };
        let mut key = Vec::new();
        put_string(&mut key, plain.as_bytes());
        for _ in 0..parts {
            put_string(&mut key, reader.string()?);
        }
        let _serial = reader.u64()?;
        let kind = reader.u32()?;
        let _key_id = reader.string()?;
        let principals = reader.texts(false)?;
        let (valid_after, valid_before) = (reader.u64()?, reader.u64()?);
        let critical = reader.texts(true)?;
        let _extensions = reader.string()?;
        let _reserved = reader.string()?;
        let authority = reader.string()?;
        let signed = &blob[..blob.len() - reader.0.len()];
        let signature = reader.string()?;
        reader.0.is_empty().then_some(Self {
            key,
            kind,
            principals,
            valid_after,
            valid_before,
            critical,
            authority,
            signed,
            signature,
        })
    }

    /// Whether the authority named in it has signed it. An authority may not be a certificate itself.
    pub(super) fn is_signed(&self) -> bool {
        let (Ok(authority), Ok(signature)) =
            (PublicKey::from_bytes(self.authority), Signature::try_from(self.signature))
        else {
            return false;
        };
        authority.key_data().verify(self.signed, &signature).is_ok()
    }
}

fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::super::host_key;
    use super::*;
    use base64::Engine as _;
    use std::process::Command;

    fn made(arguments: &[&str]) -> Vec<u8> {
        let dir = tempfile::tempdir().expect("tempdir");
        let run = |arguments: &[&str]| {
            let out = Command::new("ssh-keygen").arg("-q").args(arguments).current_dir(&dir).output().expect("runs");
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        };
        run(&["-t", "ed25519", "-N", "", "-f", "ca"]);
        run(&["-t", "ecdsa", "-N", "", "-f", "key"]);
        run(&[&["-s", "ca", "-I", "id"][..], arguments, &["key.pub"]].concat());
        let text = std::fs::read_to_string(dir.path().join("key-cert.pub")).expect("certificate");
        let blob = text.split(' ').nth(1).expect("blob");
        base64::engine::general_purpose::STANDARD.decode(blob).expect("base64")
    }

    #[test]
    fn what_ssh_keygen_writes_is_read_and_every_changed_byte_is_noticed() {
        let blob = made(&["-h", "-n", "a,b.example", "-V", "19700102000000Z:19700103000000Z", "-O", "critical:x=y"]);
        let good = Certificate::parse(&blob).expect("parses");
        assert_eq!((good.kind, good.valid_after, good.valid_before), (HOST, 86_400, 172_800));
        assert_eq!(
            (good.principals.as_slice(), good.critical.as_slice()),
            (&["a".to_owned(), "b.example".into()][..], &["x".to_owned()][..])
        );
        assert!(good.is_signed());
        // A renewed certificate is the same host: what counts is the key inside.
        let shown = host_key::shown(&blob);
        assert_eq!(shown, host_key::shown(&good.key));
        assert!(shown.starts_with("ecdsa-sha2-nistp256 SHA256:"), "{shown}");
        for index in 0..blob.len() {
            let mut bad = blob.clone();
            bad[index] ^= 1;
            assert!(!Certificate::parse(&bad).is_some_and(|c| c.is_signed()), "byte {index} does not matter");
        }
        let forever = made(&["-n", "joe"]);
        let forever = Certificate::parse(&forever).expect("parses");
        assert_eq!((forever.kind, forever.valid_after, forever.valid_before), (1, 0, u64::MAX));
        assert!(forever.is_signed());
    }
}

#[cfg(test)]
mod fuzz {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_makes_it_panic() {
        crate::fuzz::each(5_000, &prop::collection::vec(any::<u8>(), 0..200), |bytes| {
            let mut blob = Vec::new();
            put_string(&mut blob, b"ssh-ed25519-cert-v01@openssh.com");
            blob.extend(bytes);
            if let Some(certificate) = Certificate::parse(&blob) {
                certificate.is_signed();
            }
            Ok(())
        });
    }
}

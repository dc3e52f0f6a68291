//! Private key files and what lies beside them.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use ssh_key::{Algorithm, PrivateKey, PublicKey};

use super::Endpoint;
use super::certificate::Certificate;
use super::error::{KeyFileFault, KeyFileProblem};
use crate::bounded;

/// Larger than any key; keeps a wrong path (a log, a device) from being read into memory.
const LIMIT: u64 = 1 << 20;

/// One identity file of an endpoint, as far as it could be used.
pub(super) struct Identity {
    pub(super) path: PathBuf,
    /// The private key's text, or why it can't be used from the file. An agent may still hold it.
    pub(super) private: Result<String, KeyFileFault>,
    /// Wire form of the public key, when it is known: from the private key, or from `.pub` beside it.
    pub(super) public: Option<Vec<u8>>,
    /// Its certificates: `-cert.pub` beside it, and those given apart that are for this key.
    pub(super) certificates: Vec<UserCertificate>,
}

/// A user certificate file.
#[derive(Clone)]
pub(super) struct UserCertificate {
    pub(super) path: PathBuf,
    pub(super) text: String,
    pub(super) blob: Vec<u8>,
}

impl UserCertificate {
    fn load(path: PathBuf) -> Option<Self> {
        let text = read_text(&path).ok()?.trim_end().to_owned();
        let blob = blob_of_line(&text)?;
        Some(Self { path, text, blob })
    }

    /// Why it is not good at a moment.
    fn fault(&self, now: u64) -> Option<String> {
        let Certificate { valid_after, valid_before, .. } = Certificate::parse(&self.blob)?;
        let date = |at: u64| {
            let at = i64::try_from(at).ok().and_then(|at| jiff::Timestamp::from_second(at).ok());
            at.map_or_else(|| "a date out of range".to_owned(), |at| at.to_string())
        };
        let path = self.path.display();
        if now >= valid_before {
            return Some(format!("user certificate {path} ended on {}", date(valid_before)));
        }
        (now < valid_after).then(|| format!("user certificate {path} is not valid before {}", date(valid_after)))
    }

    /// Wire form of the key that it certifies.
    fn key(&self) -> Option<Vec<u8>> {
        Certificate::parse(&self.blob).map(|certificate| certificate.key)
    }
}

/// Reads all identities of an endpoint, with the certificates that belong to each.
pub(super) fn load_all(endpoint: &Endpoint) -> Vec<Identity> {
    let apart: Vec<_> = endpoint.certificates.iter().cloned().filter_map(UserCertificate::load).collect();
    let mut identities: Vec<_> = endpoint.identities.iter().filter_map(|path| load(path)).collect();
    for identity in &mut identities {
        let ours = |c: &&UserCertificate| identity.public.is_some() && c.key() == identity.public;
        let more: Vec<_> = apart.iter().filter(ours).cloned().collect();
        identity.certificates.extend(more);
    }
    identities
}

/// Whether a key of an endpoint can be used as it stands in its file at a moment (Unix seconds), and what is wrong with the
/// others and with their certificates: one sentence each, before anybody logs in.
pub(super) fn beforehand(endpoint: &Endpoint, now: u64) -> (bool, Vec<String>) {
    let identities = load_all(endpoint);
    let mut faults = Vec::new();
    for path in &endpoint.identities {
        match identities.iter().find(|identity| identity.path == *path).map(|identity| &identity.private) {
            None => faults.push(format!("identity {} is not there", path.display())),
            Some(Err(fault)) => faults.push(fault.beforehand()),
            Some(Ok(_)) => {}
        }
    }
    for path in endpoint.certificates.iter().filter(|path| UserCertificate::load((*path).clone()).is_none()) {
        faults.push(format!("{} is not there or no SSH certificate", path.display()));
    }
    let certificates = identities.iter().flat_map(|identity| &identity.certificates);
    faults.extend(certificates.filter_map(|certificate| certificate.fault(now)));
    (identities.iter().any(|identity| identity.private.is_ok()), faults)
}

/// Reads one identity. `None` when there is no such file at all: ssh's list of defaults names many that don't exist.
fn load(path: &Path) -> Option<Identity> {
    let public_file = read_text(&beside(path, ".pub")).ok().as_deref().and_then(blob_of_line);
    let (public, private) = match read_private(path) {
        Ok(text) => match examine(&text) {
            (public, None) => (public, Ok(text)),
            (public, Some(problem)) => (public, Err(problem)),
        },
        Err(Some(problem)) => (None, Err(problem)),
        // With its `.pub` alone a key can still be found in the agent.
        Err(None) if public_file.is_some() => (None, Err(KeyFileProblem::PublicOnly)),
        Err(None) => return None,
    };
    Some(Identity {
        path: path.to_owned(),
        private: private.map_err(|problem| KeyFileFault { path: path.to_owned(), problem }),
        public: public.or(public_file),
        certificates: UserCertificate::load(beside(path, "-cert.pub")).into_iter().collect(),
    })
}

/// What a private key's text says about itself: its public half, and why it can't be used as it is.
fn examine(text: &str) -> (Option<Vec<u8>>, Option<KeyFileProblem>) {
    if let Some(blob) = blob_of_line(text) {
        return (Some(blob), Some(KeyFileProblem::PublicOnly));
    }
    if let Ok(key) = PrivateKey::from_openssh(text) {
        let public = key.public_key().to_bytes().ok();
        let hardware = matches!(key.algorithm(), Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256);
        let problem = if key.is_encrypted() {
            Some(KeyFileProblem::Encrypted)
        } else {
            hardware.then_some(KeyFileProblem::Hardware)
        };
        return (public, problem);
    }
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return (None, Some(KeyFileProblem::Encrypted));
    }
    if !text.contains("PRIVATE KEY-----") {
        return (None, Some(KeyFileProblem::Unreadable("it is not a private key".into())));
    }
    // Older PEM kinds, and OpenSSH keys of types that our reader does not know: the library decides.
    (None, None)
}

/// `Err(None)`: no such file.
fn read_private(path: &Path) -> Result<String, Option<KeyFileProblem>> {
    let unreadable = |e: &std::io::Error| {
        (e.kind() != std::io::ErrorKind::NotFound).then(|| KeyFileProblem::Unreadable(e.to_string()))
    };
    // The permissions are those of the opened file: the name may point elsewhere a moment later.
    let file = bounded::open(path).map_err(|e| unreadable(&e))?;
    let about = file.metadata().map_err(|e| unreadable(&e))?;
    let mut text = String::new();
    file.take(LIMIT).read_to_string(&mut text).map_err(|e| unreadable(&e))?;
    // ssh looks at its own user's files only: a key that belongs to another user and is readable here was shared on purpose.
    // A public key is nothing to hide.
    let mode = about.mode() & 0o777;
    if about.uid() == rustix::process::getuid().as_raw() && mode & 0o077 != 0 && blob_of_line(&text).is_none() {
        return Err(Some(KeyFileProblem::OpenPermissions(mode)));
    }
    Ok(text)
}

fn read_text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    bounded::open(path)?.take(LIMIT).read_to_string(&mut text)?;
    Ok(text)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Wire form of a one-line public key or certificate (`type base64 comment`).
fn blob_of_line(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let mut fields = text.split_ascii_whitespace();
    let kind = fields.next()?;
    let blob = base64::engine::general_purpose::STANDARD.decode(fields.next()?).ok()?;
    (super::known_hosts::wire_string(&blob) == Some(kind.as_bytes())).then_some(blob)
}

/// The one-line form of a public key in wire form.
pub(super) fn line_of_blob(blob: &[u8]) -> String {
    use base64::Engine as _;
    let kind = super::known_hosts::wire_string(blob).unwrap_or_default();
    format!("{} {}", String::from_utf8_lossy(kind), base64::engine::general_purpose::STANDARD.encode(blob))
}

/// `SHA256:…`, or the type when the text is no key we can read; for messages.
pub(super) fn name_of_blob(blob: &[u8]) -> String {
    PublicKey::from_bytes(blob).map_or_else(
        |_| String::from_utf8_lossy(super::known_hosts::wire_string(blob).unwrap_or_default()).into_owned(),
        |key| key.fingerprint(ssh_key::HashAlg::Sha256).to_string(),
    )
}

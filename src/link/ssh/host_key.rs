//! Which host keys we may trust, decided before the handshake (what to ask for) and after it (what was shown).
//!
//! libssh2 would ask for certificates first and then not verify who signed them, so certificates are asked for only
//! when a `@cert-authority` line speaks of the host, and every check is made here.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::certificate::{self, Certificate};
use super::known_hosts::{KnownHosts, Line, Marker, glob, lookup_name, wire_string};

/// Which keys an endpoint may show. Always strict: a key that no line vouches for is refused.
#[derive(Debug, Clone, Default)]
pub struct HostKeys {
    /// The lines, shared by all endpoints.
    pub known: Arc<KnownHosts>,
    /// `HostKeyAlias`: looked up as it is, without a port.
    pub alias: Option<String>,
    /// The name the lines use, when it is not the address we dial. Looked up with the port, as ssh does.
    pub host: Option<String>,
}

/// Why a host key is not trusted.
#[derive(Debug, Clone)]
pub struct HostKeyFault {
    /// The reason.
    pub problem: HostKeyProblem,
    /// `SHA256:…` of the key that was shown (of the key inside, for a certificate).
    pub fingerprint: String,
    /// Its type, for instance `ssh-ed25519`.
    pub key_type: String,
    /// The name that was looked up.
    pub name: String,
    /// `file:line` of the line that decided, if one did.
    pub line: Option<String>,
    /// Where lines were looked for.
    pub sources: Vec<String>,
    /// How many lines could not be read; one of them may be the missing one.
    pub damaged: Vec<String>,
    address: String,
    port: u16,
}

/// See [`HostKeyFault`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostKeyProblem {
    /// No line speaks of this host and this key.
    Unknown,
    /// A line of the same key type has another key: the host was reinstalled, or it is not the host.
    Mismatch,
    /// A `@revoked` line names this key or the authority that signed it.
    Revoked,
    /// A `@cert-authority` line fits, but the certificate is not good; the reason.
    BadCertificate(String),
}

/// The lines that speak of one endpoint.
pub(super) struct Expected<'a> {
    keys: &'a HostKeys,
    lines: Vec<&'a Line>,
    /// As looked up.
    name: String,
    /// Without port: what a certificate's principals are compared with.
    principal: String,
    address: &'a str,
    port: u16,
}

/// Plain algorithms that libssh2 has, best first.
const PLAIN: [&str; 6] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
];

/// The type a key has in known_hosts when it is used with `algorithm`.
fn key_type_of(algorithm: &str) -> &str {
    if algorithm.starts_with("rsa-sha2-") { "ssh-rsa" } else { algorithm }
}

impl HostKeys {
    pub(super) fn expect<'a>(&'a self, address: &'a str, port: u16) -> Expected<'a> {
        let host = self.host.as_deref().unwrap_or(address);
        let (name, principal) = match &self.alias {
            Some(alias) => (alias.to_ascii_lowercase(), alias.to_ascii_lowercase()),
            None => (lookup_name(host, port), host.to_ascii_lowercase()),
        };
        let mut lines = self.known.matching(&name);
        // ssh falls back to the entry without port when nothing names this port, so that one line serves every port.
        if self.alias.is_none() && port != 22 && !lines.iter().any(|line| line.marker != Marker::Revoked) {
            lines.extend(self.known.matching(&principal));
        }
        Expected { keys: self, lines, name, principal, address, port }
    }
}

impl Expected<'_> {
    /// The value for libssh2's host key preference: what is known comes first, so that a host with several keys shows
    /// the one that we can check.
    pub(super) fn algorithms(&self) -> String {
        let mut list: Vec<String> = Vec::new();
        if self.lines.iter().any(|line| line.marker == Marker::CertAuthority) {
            list.extend(PLAIN.iter().map(|algorithm| format!("{algorithm}{}", certificate::SUFFIX)));
        }
        let known = |algorithm: &&&str| {
            self.lines.iter().any(|l| l.marker == Marker::Plain && l.key_type == key_type_of(algorithm))
        };
        list.extend(PLAIN.iter().filter(known).map(|a| (*a).to_owned()));
        list.extend(PLAIN.iter().filter(|a| !known(a)).map(|a| (*a).to_owned()));
        list.join(",")
    }

    /// Whether `shown`, the key or certificate as it came over the wire, may be trusted at `now` (Unix seconds).
    pub(super) fn judge(&self, shown: &[u8], now: u64) -> Result<(), Box<HostKeyFault>> {
        if !Certificate::is_one(shown) {
            return self.judge_plain(shown);
        }
        let Some(certificate) = Certificate::parse(shown) else {
            return Err(self.fault(HostKeyProblem::BadCertificate("not readable".into()), shown, None));
        };
        for key in [&certificate.key, certificate.authority] {
            if let Some(line) = self.find(Marker::Revoked, key) {
                return Err(self.fault(HostKeyProblem::Revoked, &certificate.key, Some(line)));
            }
        }
        match self.find(Marker::CertAuthority, certificate.authority) {
            Some(line) => self
                .check(&certificate, now)
                .map_err(|why| self.fault(HostKeyProblem::BadCertificate(why), &certificate.key, Some(line))),
            // Another authority than ours: the key inside may still be known by itself. ssh does the same.
            None => self.judge_plain(&certificate.key),
        }
    }

    fn judge_plain(&self, key: &[u8]) -> Result<(), Box<HostKeyFault>> {
        if let Some(line) = self.find(Marker::Revoked, key) {
            return Err(self.fault(HostKeyProblem::Revoked, key, Some(line)));
        }
        if self.find(Marker::Plain, key).is_some() {
            return Ok(());
        }
        let kind = wire_string(key).unwrap_or_default();
        let other = self.lines.iter().find(|l| l.marker == Marker::Plain && l.key_type.as_bytes() == kind);
        Err(match other {
            Some(line) => self.fault(HostKeyProblem::Mismatch, key, Some(line)),
            None => self.fault(HostKeyProblem::Unknown, key, None),
        })
    }

    /// Everything that a host certificate of a trusted authority must still fulfil.
    fn check(&self, certificate: &Certificate<'_>, now: u64) -> Result<(), String> {
        if certificate.kind != certificate::HOST {
            return Err("it is a user certificate".into());
        }
        if !certificate.is_signed() {
            return Err("the authority's signature is wrong, or of a kind that is not supported".into());
        }
        if now < certificate.valid_after {
            let ahead = certificate.valid_after - now;
            return Err(format!("valid only from {ahead} s from now on; is this machine's clock right?"));
        }
        if now >= certificate.valid_before {
            let ago = now - certificate.valid_before;
            return Err(format!("expired {ago} s ago; is this machine's clock right?"));
        }
        if let Some(option) = certificate.critical.first() {
            return Err(format!("critical option {option} is not known"));
        }
        // No principals means every host (PROTOCOL.certkeys); with some, ssh lets them be patterns.
        let names = &certificate.principals;
        let fits = |name: &String| glob(name.to_ascii_lowercase().as_bytes(), self.principal.as_bytes());
        if !names.is_empty() && !names.iter().any(fits) {
            return Err(format!("made out to {}, not to {}", names.join(", "), self.principal));
        }
        Ok(())
    }

    fn find(&self, marker: Marker, key: &[u8]) -> Option<&Line> {
        self.lines.iter().find(|line| line.marker == marker && line.key == key).copied()
    }

    fn fault(&self, problem: HostKeyProblem, key: &[u8], line: Option<&Line>) -> Box<HostKeyFault> {
        let digest = ring::digest::digest(&ring::digest::SHA256, key);
        Box::new(HostKeyFault {
            problem,
            fingerprint: format!("SHA256:{}", STANDARD_NO_PAD.encode(digest)),
            key_type: wire_string(key).map(|t| String::from_utf8_lossy(t).into_owned()).unwrap_or_default(),
            name: self.name.clone(),
            line: line.map(Line::at),
            sources: self.keys.known.sources().to_vec(),
            damaged: self.keys.known.damaged().to_vec(),
            address: self.address.to_owned(),
            port: self.port,
        })
    }
}

impl HostKeyFault {
    /// The next command to type.
    pub(super) fn hint(&self) -> String {
        use crate::link::shell::word;
        let file = word(self.sources.first().map_or("~/.ssh/known_hosts", String::as_str));
        match &self.problem {
            HostKeyProblem::Unknown => format!(
                "ssh-keyscan -p {} {} | ssh-keygen -lf - # compare with the host's console, then: ssh-keyscan -p {} {} >> {file}",
                self.port, self.address, self.port, self.address
            ),
            HostKeyProblem::Mismatch => {
                let file = self.line.as_deref().and_then(|at| at.rsplit_once(':')).map_or(file, |(f, _)| word(f));
                format!(
                    "ssh-keygen -lF {} -f {file} # if the host was reinstalled: ssh-keygen -R {} -f {file}",
                    word(&self.name),
                    word(&self.name)
                )
            }
            HostKeyProblem::Revoked | HostKeyProblem::BadCertificate(_) => {
                format!("ssh-keyscan -c -p {} {} | cut -d' ' -f2- | ssh-keygen -Lf -", self.port, self.address)
            }
        }
    }
}

impl fmt::Display for HostKeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, key_type, fingerprint, .. } = self;
        let line = self.line.as_deref().unwrap_or("no line");
        match &self.problem {
            HostKeyProblem::Unknown => {
                write!(f, "host key not known: nothing vouches for {name} with {key_type} {fingerprint}")?;
                if !self.sources.is_empty() {
                    write!(f, " (looked in {})", self.sources.join(", "))?;
                }
            }
            HostKeyProblem::Mismatch => write!(
                f,
                "HOST KEY HAS CHANGED: {line} has another {key_type} key for {name} than the {fingerprint} it showed"
            )?,
            HostKeyProblem::Revoked => write!(f, "host key of {name} is revoked by {line}: {key_type} {fingerprint}")?,
            HostKeyProblem::BadCertificate(why) => {
                write!(f, "host certificate of {name} refused: {why} ({key_type} {fingerprint}, authority in {line})")?;
            }
        }
        match self.damaged.as_slice() {
            [] => Ok(()),
            [one] => write!(f, "; note: {one}"),
            [one, rest @ ..] => write!(f, "; note: {one}, and {} more", rest.len()),
        }
    }
}

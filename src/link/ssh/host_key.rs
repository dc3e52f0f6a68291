//! Which host keys we may trust, decided before the handshake (what to ask for) and after it (what was shown).
//!
//! libssh2 would ask for certificates first and then not verify who signed them, so certificates are asked for only
//! when a `@cert-authority` line speaks of the host, and every check is made here.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::certificate::{self, Certificate};
use super::known_hosts::{KnownHosts, Line, Marker, glob, lookup_name, wire_string};
use super::lesson::Lesson;

/// Which keys an endpoint may show. Always strict: a key that no line vouches for is refused.
#[derive(Debug, Clone, Default)]
pub struct HostKeys {
    /// The lines, shared by all endpoints.
    pub known: Arc<KnownHosts>,
    /// `HostKeyAlias`: looked up as it is, without a port, and nothing else is.
    pub alias: Option<String>,
    /// The name the lines use, when it is not the address we dial. Looked up with the port, as ssh does, and before the
    /// address.
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
    /// Those of them that are files.
    files: Vec<PathBuf>,
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
    /// Whether one of them does more than revoke.
    vouched: bool,
    /// As looked up; the first of the names when none of them is known.
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

fn fingerprint(key: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, key);
    format!("SHA256:{}", STANDARD_NO_PAD.encode(digest))
}

fn key_type(key: &[u8]) -> String {
    wire_string(key).map(|t| String::from_utf8_lossy(t).into_owned()).unwrap_or_default()
}

/// The type and the fingerprint of what a host showed. Of a certificate it is the key inside, which stays when it is renewed.
pub(super) fn shown(blob: &[u8]) -> String {
    let inside = Certificate::parse(blob).filter(|_| Certificate::is_one(blob)).map(|certificate| certificate.key);
    let key = inside.as_deref().unwrap_or(blob);
    format!("{} {}", key_type(key), fingerprint(key))
}

impl HostKeys {
    /// The name that is looked up, and what is said of it.
    ///
    /// With `HostKeyAlias` that is the alias alone, without a port. Else it is the host's name; when nothing vouches for a key
    /// of that, its address. Of both the form with the port goes first, and the one without serves every port. A key that is
    /// revoked under any of these names is revoked.
    pub(super) fn expect<'a>(&'a self, address: &'a str, port: u16) -> Expected<'a> {
        let names = self.names(address, port);
        let mut found: Option<(usize, Vec<&Line>)> = None;
        let mut revoked: Vec<&Line> = Vec::new();
        for (index, (name, _)) in names.iter().enumerate() {
            let lines = self.known.matching(name);
            if found.is_none() && lines.iter().any(|line| line.marker != Marker::Revoked) {
                found = Some((index, lines));
            } else {
                revoked.extend(lines.into_iter().filter(|line| line.marker == Marker::Revoked));
            }
        }
        let vouched = found.is_some();
        let (index, mut lines) = found.unwrap_or_default();
        lines.extend(revoked);
        let (name, principal) = names.into_iter().nth(index).unwrap_or_default();
        Expected { keys: self, lines, vouched, name, principal, address, port }
    }

    /// The names to look up, in this order, each with its form without port.
    fn names(&self, address: &str, port: u16) -> Vec<(String, String)> {
        if let Some(alias) = &self.alias {
            return vec![(alias.to_ascii_lowercase(), alias.to_ascii_lowercase())];
        }
        let host = self.host.as_deref().unwrap_or(address);
        let mut names = Vec::new();
        for bare in [host.to_ascii_lowercase(), address.to_ascii_lowercase()] {
            for name in [lookup_name(&bare, port), bare.clone()] {
                if !names.iter().any(|(known, _)| *known == name) {
                    names.push((name, bare.clone()));
                }
            }
        }
        names
    }

    /// The name under which a key of the host is known, if one is.
    pub fn found_under(&self, address: &str, port: u16) -> Option<String> {
        let expected = self.expect(address, port);
        expected.vouched.then_some(expected.name)
    }

    /// Every line that speaks of the host, as one that speaks of `name` alone.
    pub fn lines_as(&self, name: &str, address: &str, port: u16) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for line in self.expect(address, port).lines {
            let line = line.of(name);
            if !all.contains(&line) {
                all.push(line);
            }
        }
        all
    }

    /// Two lines that contradict each other: one gives the host's name a key, the other its address another of the same type.
    /// ssh refuses such a host by `CheckHostIP yes`, whichever of the two it shows.
    pub(super) fn contradiction(&self, address: &str, port: u16) -> Option<[String; 2]> {
        let host = self.host.as_deref().filter(|host| self.alias.is_none() && *host != address)?;
        let plain = |name: &str| -> Vec<&Line> {
            let lines = self.known.matching(&lookup_name(name, port));
            lines.into_iter().filter(|line| line.marker == Marker::Plain).collect()
        };
        let (named, addressed) = (plain(host), plain(address));
        named.iter().find_map(|name| {
            let mut same_type = addressed.iter().filter(|line| line.key_type == name.key_type).peekable();
            let other = *same_type.peek()?;
            let agreed = |line: &&&Line| named.iter().any(|name| name.key == line.key);
            (!same_type.any(|line| agreed(&line))).then(|| [name.at(), other.at()])
        })
    }
}

impl Expected<'_> {
    /// The name that is looked up.
    pub(super) fn into_name(self) -> String {
        self.name
    }

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
        Box::new(HostKeyFault {
            problem,
            fingerprint: fingerprint(key),
            key_type: key_type(key),
            name: self.name.clone(),
            line: line.map(Line::at),
            sources: self.keys.known.sources().to_vec(),
            files: self.keys.known.files().to_vec(),
            damaged: self.keys.known.damaged().to_vec(),
            address: self.address.to_owned(),
            port: self.port,
        })
    }
}

impl HostKeyFault {
    /// The next command to type. `through` are the arguments of `ssh` for the jump host before this one.
    pub(super) fn hint(&self, through: Option<&str>) -> String {
        let lesson = Lesson { name: &self.name, address: &self.address, port: self.port, files: &self.files, through };
        match &self.problem {
            HostKeyProblem::Unknown => lesson.look_and_learn(),
            HostKeyProblem::Mismatch => {
                let file = self.line.as_deref().and_then(|at| at.rsplit_once(':')).map(|(file, _)| Path::new(file));
                match file.filter(|file| self.files.iter().any(|known| known == file)) {
                    Some(file) => format!(
                        "{} # only if the host was reinstalled, and with the fingerprint of its console: {} && {}",
                        lesson.fingerprints(),
                        lesson.forget(file, self.line.as_deref()),
                        lesson.learn_in(Some(file))
                    ),
                    None => format!(
                        "{} # only if the host was reinstalled: {}",
                        lesson.fingerprints(),
                        lesson.learn_in(None)
                    ),
                }
            }
            HostKeyProblem::Revoked | HostKeyProblem::BadCertificate(_) => {
                format!("{} | cut -d' ' -f2- | ssh-keygen -Lf -", lesson.scan("-c "))
            }
        }
    }
}

impl std::error::Error for HostKeyFault {}

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

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::Endpoint;
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPXXLZu1LxKz8JUHOzSUDKTgvJEoxzTNoDsAV5Yjn1S";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPXXLZu1LxKz8JUHOzSUDKTgvJEoxzTNoDsAV5Yjn1T";

    fn blob(key: &str) -> Vec<u8> {
        use base64::engine::general_purpose::STANDARD;
        STANDARD.decode(key.split(' ').nth(1).unwrap()).unwrap()
    }

    fn keys(text: &str, host: Option<&str>, alias: Option<&str>) -> HostKeys {
        let mut known = KnownHosts::default();
        known.add("t", text);
        HostKeys { known: Arc::new(known), alias: alias.map(str::to_owned), host: host.map(str::to_owned) }
    }

    #[test]
    fn the_names_are_those_of_ssh() {
        // (known_hosts, host, alias, port, whether KEY is good for 10.0.0.1)
        type Case<'a> = (&'a str, Option<&'a str>, Option<&'a str>, u16, bool);
        let table: &[Case<'_>] = &[
            ("cp1 KEY", Some("cp1"), None, 22, true),
            ("10.0.0.1 KEY", Some("cp1"), None, 22, true),
            ("10.0.0.1 KEY", None, None, 22, true),
            ("cp1 OTHER\n10.0.0.1 KEY", Some("cp1"), None, 22, false),
            ("cp1 KEY\n10.0.0.1 OTHER", Some("cp1"), None, 22, true),
            ("10.0.0.1 KEY\ncp1 KEY", Some("cp1"), Some("alias"), 22, false),
            ("alias KEY", Some("cp1"), Some("Alias"), 2222, true),
            ("[cp1]:2222 KEY\ncp1 OTHER", Some("cp1"), None, 2222, true),
            ("[cp1]:2222 OTHER\ncp1 KEY", Some("cp1"), None, 2222, false),
            ("cp1 KEY", Some("cp1"), None, 2222, true),
            ("[10.0.0.1]:2222 KEY", Some("cp1"), None, 2222, true),
            ("[10.0.0.1]:2222 KEY", Some("cp1"), None, 2223, false),
            ("cp1 KEY\n@revoked 10.0.0.1 KEY", Some("cp1"), None, 22, false),
            ("@revoked cp1 KEY\n10.0.0.1 KEY", Some("cp1"), None, 22, false),
            ("@revoked * OTHER\n10.0.0.1 KEY", Some("cp1"), None, 22, true),
        ];
        for (text, host, alias, port, good) in table {
            let keys = keys(&text.replace("KEY", KEY).replace("OTHER", OTHER), *host, *alias);
            assert_eq!(
                keys.expect("10.0.0.1", *port).judge(&blob(KEY), 0).is_ok(),
                *good,
                "{text} {host:?} {alias:?} {port}"
            );
        }
    }

    #[test]
    fn a_name_and_an_address_that_contradict_each_other_are_found() {
        let at = |text: &str| {
            let text = text.replace("KEY", KEY).replace("OTHER", OTHER);
            keys(&text, Some("cp1"), None).contradiction("10.0.0.1", 22)
        };
        assert_eq!(at("cp1 KEY\n10.0.0.1 OTHER"), Some(["t:1".to_owned(), "t:2".to_owned()]));
        assert_eq!(at("cp1 KEY\n10.0.0.1 KEY"), None);
        assert_eq!(at("cp1 KEY\n10.0.0.1 OTHER\n10.0.0.1 KEY"), None);
        assert_eq!(at("cp1 KEY"), None);
    }

    /// A folder of commands that do what the real ones would: `ssh-keyscan` writes what it dialled, `ssh` runs its last word.
    fn commands() -> tempfile::TempDir {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::TempDir::new().unwrap();
        let scan = format!(
            "#!/bin/sh\necho \"# $3:$2 SSH-2.0\" >&2\nif [ \"$2\" = 22 ]; then name=$3; else name=\"[$3]:$2\"; fi\necho \"$name {KEY}\"\n"
        );
        let ssh = "#!/bin/sh\nfor last; do :; done\nexec sh -c \"$last\"\n";
        for (name, text) in [("ssh-keyscan", scan.as_str()), ("ssh", ssh)] {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        folder
    }

    fn endpoint(host_keys: HostKeys, port: u16, jumps: Vec<Endpoint>) -> Endpoint {
        Endpoint {
            name: "cp1".into(),
            address: "10.0.0.1".into(),
            port,
            user: "ops".into(),
            identities: Vec::new(),
            identities_only: true,
            certificates: Vec::new(),
            agent: None,
            host_keys,
            jumps,
            sudo: false,
        }
    }

    /// What a person does who believes the hint: the command after the comparison, word for word.
    fn follow(hint: &str, commands: &Path) {
        let (_, command) = hint.rsplit_once(": ").expect(hint);
        let path = format!("{}:/usr/bin:/bin", commands.display());
        let done = Command::new("sh").arg("-c").arg(command).env("PATH", path).output().unwrap();
        assert!(done.status.success(), "{command}: {done:?}");
    }

    #[test]
    fn a_hint_that_is_followed_makes_the_key_known() {
        let commands = commands();
        // What the file holds before; `None`: not even its folder is there.
        let files = [
            None,
            Some(String::new()),
            Some("cp9 junk without an end".to_owned()),
            Some(format!("10.0.0.1,cp1,alias,[10.0.0.1]:2222 {OTHER}\n")),
        ];
        let names = [(None, None), (Some("cp1"), None), (None, Some("alias")), (Some("cp1"), Some("al/ias&"))];
        let mut followed = 0;
        // The last one can be written by others, so nothing in it is believed.
        let files = files
            .into_iter()
            .map(|file| (file, 0o600))
            .chain([(Some(String::new()), 0o666), (Some("cp9 junk without an end".to_owned()), 0o666)]);
        let files: Vec<_> = files.collect();
        for ((before, mode), (host, alias)) in files.iter().flat_map(|file| names.map(|names| (file, names))) {
            for (port, behind) in [(22, false), (2222, false), (22, true)] {
                let home = tempfile::TempDir::new().unwrap();
                let file = home.path().join("a folder/known_hosts");
                if let Some(before) = before {
                    std::fs::create_dir(file.parent().unwrap()).unwrap();
                    std::fs::write(&file, before).unwrap();
                    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(*mode)).unwrap();
                }
                let read = || {
                    let known = Arc::new(KnownHosts::from_files(&["/dev/null".into(), file.clone()]));
                    let (alias, host) = (alias.map(str::to_owned), host.map(str::to_owned));
                    HostKeys { known, alias, host }
                };
                let jumps = if behind { vec![endpoint(HostKeys::default(), 22, Vec::new())] } else { Vec::new() };
                let way = endpoint(read(), port, jumps);
                let fault = way.host_keys.expect(&way.address, port).judge(&blob(KEY), 0).unwrap_err();
                let hint = fault.hint(way.through().as_deref());
                follow(&hint, commands.path());
                let now = read();
                let judged = now.expect(&way.address, port).judge(&blob(KEY), 0);
                assert!(judged.is_ok(), "{hint}\n{judged:?}\n{:?}", std::fs::read_to_string(&file));
                followed += 1;
            }
        }
        assert_eq!(followed, 6 * 4 * 3);
    }

    #[test]
    fn where_no_file_is_read_the_kit_is_what_to_write_to() {
        let mut known = KnownHosts::from_files(&["/dev/null".into()]);
        known.add("the kit, host cp1", &format!("10.0.0.1 {OTHER}"));
        let way = endpoint(HostKeys { known: Arc::new(known), ..HostKeys::default() }, 22, Vec::new());
        let fault = way.host_keys.expect(&way.address, 22).judge(&blob(KEY), 0).unwrap_err();
        assert!(fault.hint(None).contains("under hostKeys of this host in the kit"), "{}", fault.hint(None));
        assert!(!fault.hint(None).contains("/dev/null"), "{}", fault.hint(None));
    }
}

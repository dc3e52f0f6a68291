//! OpenSSH `known_hosts` lines: read once, asked many times.
//!
//! libssh2 has a reader of its own, but it matches no wildcard, ignores `@revoked` and knows no certificate authority,
//! so a key that the operator has revoked would pass. The rules here are those of `sshd(8)`, SSH_KNOWN_HOSTS FILE FORMAT.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::bounded;
use crate::guarded;

/// Fleets have long ones; a hundred thousand keys fit.
const LONGEST: usize = 32 << 20;

/// What the optional first field of a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    Plain,
    CertAuthority,
    Revoked,
}

#[derive(Debug, Clone)]
enum Hosts {
    /// `(negated, lower-case pattern)`
    Patterns(Vec<(bool, String)>),
    /// HMAC-SHA1 of the name, keyed with the salt.
    Hashed { salt: Vec<u8>, hash: Vec<u8> },
}

/// One usable line.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) marker: Marker,
    hosts: Hosts,
    /// `ssh-ed25519`, `ssh-rsa`, …
    pub(super) key_type: String,
    /// The key as it goes over the wire.
    pub(super) key: Vec<u8>,
    source: Arc<str>,
    number: usize,
}

impl Line {
    /// `file:line`, for people.
    pub(super) fn at(&self) -> String {
        format!("{}:{}", self.source, self.number)
    }

    /// As a line of a known_hosts file that speaks of `name` alone: what a file holds in hashes and patterns, made fit to be
    /// kept elsewhere.
    pub(super) fn of(&self, name: &str) -> String {
        let marker = match self.marker {
            Marker::Plain => "",
            Marker::CertAuthority => "@cert-authority ",
            Marker::Revoked => "@revoked ",
        };
        format!("{marker}{name} {} {}", self.key_type, BASE64.encode(&self.key))
    }

    fn fits(&self, name: &str) -> bool {
        match &self.hosts {
            Hosts::Hashed { salt, hash } => {
                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
                ring::hmac::verify(&key, name.as_bytes(), hash).is_ok()
            }
            Hosts::Patterns(patterns) => {
                let mut hit = false;
                for (negated, pattern) in patterns {
                    if glob(pattern.as_bytes(), name.as_bytes()) {
                        if *negated {
                            return false;
                        }
                        hit = true;
                    }
                }
                hit
            }
        }
    }
}

/// All lines of all known_hosts files and of the kit, in the order given. Cheap to share: parse once, wrap in an [`Arc`].
#[derive(Debug, Clone, Default)]
pub struct KnownHosts {
    lines: Vec<Line>,
    sources: Vec<String>,
    files: Vec<PathBuf>,
    damaged: Vec<String>,
    digest: OnceLock<String>,
}

/// All of a file; `/dev/null` is one that many name here.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if path == Path::new("/dev/null") { Ok(Vec::new()) } else { bounded::file(path, LONGEST) }
}

impl KnownHosts {
    /// Reads the files that exist; a missing one is normal (ssh skips it as well), an unreadable one is a note in
    /// [`KnownHosts::damaged`], since the host key will then simply not be known. So is one that others own or can write: its keys
    /// are not believed, but what it revokes is.
    pub fn from_files(paths: &[PathBuf]) -> Self {
        let mut all = Self::default();
        for path in paths {
            let shown = path.display().to_string();
            all.files.push(path.clone());
            match read(path) {
                Ok(bytes) => {
                    let before = all.lines.len();
                    all.add(&shown, &String::from_utf8_lossy(&bytes));
                    if let Some(open) = guarded::fault(path).filter(|_| path != Path::new("/dev/null")) {
                        let read = all.lines.split_off(before);
                        all.lines.extend(read.into_iter().filter(|line| line.marker == Marker::Revoked));
                        all.damaged.push(format!("{open}: {}", open.close()));
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => all.sources.push(shown),
                Err(error) => {
                    all.damaged.push(format!("{shown}: {error}"));
                    all.sources.push(shown);
                }
            }
        }
        all
    }

    /// Adds lines that come from elsewhere, for instance the kit. `source` is shown as `source:line` in messages.
    pub fn add(&mut self, source: &str, text: &str) {
        self.digest = OnceLock::new();
        self.sources.push(source.to_owned());
        let source: Arc<str> = source.into();
        for (index, raw) in text.lines().enumerate() {
            let raw = raw.trim();
            if raw.is_empty() || raw.starts_with('#') {
                continue;
            }
            match parse(raw, &source, index + 1) {
                Ok(line) => self.lines.push(line),
                Err(why) => self.damaged.push(format!("{source}:{}: {why}", index + 1)),
            }
        }
    }

    /// Adds a `RevokedHostKeys` file: none of its keys is good for any host.
    ///
    /// # Errors
    ///
    /// When the file can't be read or used: ssh refuses every host then, and so must we.
    pub fn add_revoked(&mut self, path: &Path) -> Result<(), String> {
        let shown = path.display();
        let bytes = read(path).map_err(|e| format!("RevokedHostKeys {shown}: {e}"))?;
        if bytes.starts_with(b"SSHKRL\n") {
            return Err(format!("RevokedHostKeys {shown} is a binary revocation list; write its keys as text lines"));
        }
        self.digest = OnceLock::new();
        let before = self.damaged.len();
        for (index, key) in String::from_utf8_lossy(&bytes).lines().enumerate() {
            let key = key.trim();
            if !key.is_empty() && !key.starts_with('#') {
                match parse(&format!("@revoked * {key}"), &shown.to_string().into(), index + 1) {
                    Ok(line) => self.lines.push(line),
                    Err(why) => self.damaged.push(format!("{shown}:{}: {why}", index + 1)),
                }
            }
        }
        match self.damaged.get(before) {
            Some(why) => Err(format!("RevokedHostKeys {why}")),
            None => Ok(()),
        }
    }

    /// The same for all whose lines say the same, wherever they were read.
    pub(super) fn digest(&self) -> &str {
        self.digest.get_or_init(|| {
            let mut sum = ring::digest::Context::new(&ring::digest::SHA256);
            for Line { marker, hosts, key_type, key, .. } in &self.lines {
                sum.update(format!("{marker:?} {hosts:?} {key_type} {}\n", BASE64.encode(key)).as_bytes());
            }
            BASE64.encode(sum.finish())
        })
    }

    /// Lines and files that could not be used, one sentence each. ssh skips them silently; so do we, but we can say so.
    pub fn damaged(&self) -> &[String] {
        &self.damaged
    }

    /// Where lines were looked for, in order.
    pub fn sources(&self) -> &[String] {
        &self.sources
    }

    /// Those of [`KnownHosts::sources`] that are known_hosts files, whether they are there or not.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Lines that speak of `name` (a plain name or `[name]:port`).
    pub(super) fn matching<'a>(&'a self, name: &str) -> Vec<&'a Line> {
        let name = name.to_ascii_lowercase();
        self.lines.iter().filter(|line| line.fits(&name)).collect()
    }

    /// Whether any line, plain or marked, speaks of `name` (a plain name or `[name]:port`).
    pub fn mentions(&self, name: &str) -> bool {
        !self.matching(name).is_empty()
    }
}

/// The name ssh looks up: `host` on port 22, `[host]:port` elsewhere.
pub fn lookup_name(host: &str, port: u16) -> String {
    if port == 22 { host.to_ascii_lowercase() } else { format!("[{}]:{port}", host.to_ascii_lowercase()) }
}

fn parse(raw: &str, source: &Arc<str>, number: usize) -> Result<Line, &'static str> {
    let mut fields = raw.split_ascii_whitespace();
    let mut hosts = fields.next().ok_or("empty line")?;
    let mut marker = Marker::Plain;
    if hosts.starts_with('@') {
        marker = match hosts {
            "@cert-authority" => Marker::CertAuthority,
            "@revoked" => Marker::Revoked,
            _ => return Err("unknown marker"),
        };
        hosts = fields.next().ok_or("no host field")?;
    }
    let key_type = fields.next().ok_or("no key type")?;
    let key = BASE64.decode(fields.next().ok_or("no key")?).map_err(|_| "the key is not base64")?;
    if wire_string(&key) != Some(key_type.as_bytes()) {
        return Err("the key is not of the type that the line says");
    }
    let hosts = parse_hosts(hosts)?;
    Ok(Line { marker, hosts, key_type: key_type.to_owned(), key, source: Arc::clone(source), number })
}

fn parse_hosts(field: &str) -> Result<Hosts, &'static str> {
    if let Some(hashed) = field.strip_prefix("|1|") {
        let (salt, hash) = hashed.split_once('|').ok_or("a hashed name has two parts")?;
        let salt = BASE64.decode(salt).map_err(|_| "the salt is not base64")?;
        let hash = BASE64.decode(hash).map_err(|_| "the hashed name is not base64")?;
        if salt.len() != 20 || hash.len() != 20 {
            return Err("salt and hashed name are 20 bytes each");
        }
        return Ok(Hosts::Hashed { salt, hash });
    }
    if field.starts_with('|') {
        return Err("unknown kind of hashed name");
    }
    let patterns = field.split(',').filter(|p| !p.is_empty()).map(|p| match p.strip_prefix('!') {
        Some(rest) => (true, rest.to_ascii_lowercase()),
        None => (false, p.to_ascii_lowercase()),
    });
    Ok(Hosts::Patterns(patterns.collect()))
}

/// The first length-prefixed string of a wire-format key: its type.
pub(super) fn wire_string(blob: &[u8]) -> Option<&[u8]> {
    let (len, rest) = blob.split_first_chunk::<4>()?;
    rest.get(..usize::try_from(u32::from_be_bytes(*len)).ok()?)
}

/// `*` is any run, `?` any one character; there is no escape. Linear in time: only the last `*` is ever retried.
pub(super) fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((after, from)) => {
                    retry = Some((after, from + 1));
                    p = after;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPXXLZu1LxKz8JUHOzSUDKTgvJEoxzTNoDsAV5Yjn1S";

    fn known(hosts: &str) -> KnownHosts {
        let mut all = KnownHosts::default();
        all.add("t", &format!("{hosts} {KEY} a comment"));
        assert_eq!(all.damaged(), &[] as &[String]);
        all
    }

    #[test]
    fn lines_are_kept_for_one_name_with_what_they_mean() {
        let mut all = known("cp?,!cp9");
        all.add("u", &format!("@cert-authority *.example,cp* {KEY}\n@revoked * {KEY}"));
        let lines_of = |all: &KnownHosts| -> Vec<_> { all.matching("cp1").into_iter().map(|l| l.of("cp1")).collect() };
        let kept = lines_of(&all);
        assert_eq!(kept, [format!("cp1 {KEY}"), format!("@cert-authority cp1 {KEY}"), format!("@revoked cp1 {KEY}")]);
        let mut again = KnownHosts::default();
        again.add("kit", &kept.join("\n"));
        assert_eq!(lines_of(&again), kept);
        assert!(!again.mentions("cp2"));
    }

    #[test]
    fn names_patterns_negation_ports_and_hashes() {
        let table: &[(&str, &str, bool)] = &[
            ("cp1", "cp1", true),
            ("cp1", "CP1", true),
            ("CP1", "cp1", true),
            ("cp1", "cp10", false),
            ("cp1,10.0.0.1", "10.0.0.1", true),
            ("cp?", "cp1", true),
            ("cp?", "cp12", false),
            ("*.a.example", "x.a.example", true),
            ("*.a.example", "a.example", false),
            ("*,!cp9", "cp1", true),
            ("*,!cp9", "cp9", false),
            ("!cp9,*", "cp9", false),
            ("!cp9", "cp1", false),
            ("[cp1]:2222", "[cp1]:2222", true),
            ("[cp1]:2222", "cp1", false),
            ("cp1", "[cp1]:2222", false),
            ("[*.example]:2222", "[a.example]:2222", true),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxbxx", false),
        ];
        for (hosts, name, want) in table {
            assert_eq!(known(hosts).mentions(name), *want, "{hosts} against {name}");
        }
    }

    #[test]
    fn what_others_can_write_makes_no_key_known_but_revokes() {
        use std::os::unix::fs::PermissionsExt as _;

        let file = tempfile::NamedTempFile::new().expect("temp");
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPXXLZu1LxKz8JUHOzSUDKTgvJEoxzTNoDsAV5Yjn1S";
        std::fs::write(file.path(), format!("a {key}\n@cert-authority a {key}\n@revoked b {key}\n")).expect("written");
        for (mode, lines) in [(0o644, 3), (0o666, 1)] {
            std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).expect("chmod");
            let known = KnownHosts::from_files(&[file.path().to_owned()]);
            assert_eq!(known.lines.len(), lines, "{mode:o}");
            assert_eq!(known.damaged().len(), usize::from(mode == 0o666), "{:?}", known.damaged());
        }
        let known = KnownHosts::from_files(&[file.path().to_owned()]);
        assert!(known.damaged()[0].contains("can be written by others") && known.damaged()[0].contains("chmod go-w "));
    }

    #[test]
    fn damaged_lines_are_named_and_skipped() {
        let mut all = KnownHosts::default();
        all.add("f", &format!("cp1 ssh-ed25519 !!!\n@odd cp1 {KEY}\ncp1\n|2|x {KEY}\ncp1 ssh-rsa AAAAC3NzaC1lZDI1NTE5\n# c\n\ncp2 {KEY}"));
        assert!(!all.mentions("cp1") && all.mentions("cp2"));
        let lines: Vec<_> = all.damaged().iter().map(|d| d.split(':').nth(1).expect("line").to_owned()).collect();
        assert_eq!(lines, ["1", "2", "3", "4", "5"]);
    }

    fn keygen_finds(file: &std::path::Path, name: &str) -> bool {
        Command::new("ssh-keygen")
            .arg("-F")
            .arg(name)
            .arg("-f")
            .arg(file)
            .output()
            .expect("ssh-keygen runs")
            .status
            .success()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(150))]
        #[test]
        fn agrees_with_ssh_keygen(
            hosts in prop::collection::vec("!?[ab*?]{1,4}", 1..4), name in "[abAB]{1,4}", hash in any::<bool>(), port in any::<bool>(),
        ) {
            let dir = tempfile::tempdir().expect("tempdir");
            let file = dir.path().join("kh");
            // ssh looks names up in small letters; `ssh-keygen -F` takes them as they are, which shows on hashed lines.
            let looked_up = lookup_name(&name, if port { 2222 } else { 22 });
            let name = if port { looked_up.clone() } else { name };
            let hosts = if port { hosts.iter().map(|h| match h.strip_prefix('!') {
                Some(h) => format!("![{h}]:2222"), None => format!("[{h}]:2222") }).collect() } else { hosts };
            std::fs::write(&file, format!("{} {KEY}\n", hosts.join(","))).expect("write");
            if hash {
                Command::new("ssh-keygen").arg("-H").arg("-f").arg(&file).output().expect("ssh-keygen runs");
            }
            let ours = KnownHosts::from_files(std::slice::from_ref(&file)).mentions(&name);
            prop_assert_eq!(ours, keygen_finds(&file, &looked_up), "{:?} {}", std::fs::read_to_string(&file), name);
        }

        #[test]
        fn nothing_makes_it_panic(text in "\\PC{0,80}", name in "\\PC{0,20}") {
            let mut all = KnownHosts::default();
            all.add("x", &text);
            all.mentions(&name);
        }

        #[test]
        fn any_bytes_as_key_type(blob in prop::collection::vec(any::<u8>(), 0..12)) {
            let _ = wire_string(&blob);
        }
    }
}

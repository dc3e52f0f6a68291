//! Reads what a file of the kit points at, and says what is wrong with it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;

use super::Credential;
use super::pem;
use crate::guarded;
use crate::process::Process;
use crate::yaml::{Faults, Node, Tree};

/// Files with keys are short; anything longer is something else.
const LONGEST: usize = 1 << 20;

/// Where paths begin.
pub(super) struct Place<'a> {
    /// The folder that relative paths begin at.
    pub(super) folder: PathBuf,
    pub(super) process: &'a Process,
    pub(super) whose: Whose,
}

/// Whose files they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// The kit's, prepared in peace: a secret that others can read is refused, in a file of its own as in place.
    Kit,
    /// kubectl's: read as kubectl reads them, since the incident is now; that others can read a secret is a note, in a file
    /// of its own as in place.
    Kubectl,
}

/// A value that may stand in a file or in place: the node of each, if given.
#[derive(Clone, Copy)]
pub(super) struct Either<'a> {
    pub(super) path: Option<&'a Node>,
    pub(super) data: Option<&'a Node>,
}

impl<'a> Either<'a> {
    /// The keys `name` and `nameData` of a map; a key without a value is none.
    pub(super) fn of(map: Option<&'a Node>, name: &str) -> Self {
        let get = |key: &str| map.and_then(|map| map.get(key)).filter(|node| node.tree != Tree::Null);
        Self { path: get(name), data: get(&format!("{name}Data")) }
    }

    pub(super) fn node(self) -> Option<&'a Node> {
        self.path.or(self.data)
    }
}

impl Place<'_> {
    /// A path as written, from here.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        match text.strip_prefix("~/") {
            Some(rest) => self.process.home().join(rest),
            None => self.folder.join(text),
        }
    }

    /// Bytes from a file or from base64 in place.
    pub(super) fn bytes(&self, either: Either<'_>, secret: bool, faults: &mut Faults) -> Option<Vec<u8>> {
        if let (Some(_), Some(data)) = (either.path, either.data) {
            faults.refuse(data, "given twice: as a file and in place", None);
            return None;
        }
        if let Some(node) = either.path {
            let path = self.path(node.text()?);
            if secret && self.whose == Whose::Kit {
                closed(&path, node, faults)?;
            }
            return match read(&path) {
                Ok(bytes) => Some(bytes),
                Err(error) => {
                    faults.refuse(node, format!("cannot read {}: {error}", path.display()), None);
                    None
                }
            };
        }
        let node = either.data?;
        let text: String = node.text()?.chars().filter(|c| !c.is_whitespace()).collect();
        match base64::engine::general_purpose::STANDARD.decode(text) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                faults.refuse(node, format!("not base64: {error}"), None);
                None
            }
        }
    }

    /// The certificates of an authority.
    pub(super) fn authority(&self, either: Either<'_>, faults: &mut Faults) -> Option<Vec<u8>> {
        let bytes = self.bytes(either, false, faults)?;
        if let Some(node) = either.path
            && let Some(path) = node.text().map(|text| self.path(text))
        {
            trusted(&path, node, faults)?;
        }
        if let (Err(fault), Some(node)) = (pem::certificates(&bytes), either.node()) {
            faults.refuse(node, format!("certificate authority: {fault}"), None);
            return None;
        }
        Some(bytes)
    }

    /// A client certificate and its key. That they have ended is no fault of a file: SSH needs neither, and what does is told
    /// ([`super::Cluster::void`]).
    pub(super) fn certificate(&self, cert: Either<'_>, key: Either<'_>, faults: &mut Faults) -> Option<Credential> {
        let (cert_node, key_node) = match (cert.node(), key.node()) {
            (Some(cert), Some(key)) => (cert, key),
            (Some(node), None) => {
                faults.refuse(node, "a client certificate without its key", None);
                return None;
            }
            (None, Some(node)) => {
                faults.refuse(node, "a client key without its certificate", None);
                return None;
            }
            (None, None) => return None,
        };
        let cert = self.bytes(cert, false, faults);
        let key = self.bytes(key, true, faults);
        let facts = cert.as_deref().and_then(|pem| match pem::certificates(pem) {
            Ok(facts) => facts.into_iter().next(),
            Err(fault) => {
                faults.refuse(cert_node, format!("client certificate: {fault}"), None);
                None
            }
        });
        let key = match (key, &facts) {
            (Some(key), Some(facts)) => match pem::key_of(&key, facts) {
                Ok(key) => Some(key),
                Err(fault) => {
                    faults.refuse(key_node, fault, None);
                    None
                }
            },
            (key, _) => key,
        };
        Some(Credential::Certificate { cert: cert?, key: key? })
    }

    /// A bearer token.
    pub(super) fn token(&self, file: Option<&Node>, inline: Option<&Node>, faults: &mut Faults) -> Option<Credential> {
        let node = file.or(inline)?;
        if let (Some(_), Some(inline)) = (file, inline) {
            faults.refuse(inline, "given twice: as a file and in place", None);
            return None;
        }
        let text = match inline {
            Some(inline) => inline.text()?.to_owned(),
            None => {
                let bytes = self.bytes(Either { path: file, data: None }, true, faults)?;
                String::from_utf8_lossy(&bytes).into_owned()
            }
        };
        let token = text.trim().to_owned();
        if token.is_empty() || token.chars().any(|c| c.is_whitespace() || c.is_control()) {
            faults.refuse(node, "a bearer token is one word without spaces", None);
            return None;
        }
        Some(Credential::Token(token))
    }
}

/// Refuses a file with a secret that others can read; `None` when it was refused.
pub(super) fn closed(path: &Path, node: &Node, faults: &mut Faults) -> Option<()> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.permissions().mode() & 0o077 != 0 => {
            let mode = meta.permissions().mode() & 0o777;
            let what = format!("{} can be read by others: its mode is {mode:04o}", path.display());
            faults.refuse(node, what, Some(chmod(path)));
            None
        }
        Ok(_) => Some(()),
        Err(error) => {
            faults.refuse(node, format!("cannot read {}: {error}", path.display()), None);
            None
        }
    }
}

/// Refuses a file that decides whom we trust and that is another user's or that others can write; `None` when it was refused.
pub(super) fn trusted(path: &Path, node: &Node, faults: &mut Faults) -> Option<()> {
    let Some(open) = guarded::fault(path) else { return Some(()) };
    faults.refuse(node, open.to_string(), Some(open.close()));
    None
}

/// That others can read a file with a secret, if they can.
pub(super) fn open_note(path: &Path) -> Option<String> {
    let open = std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0);
    open.then(|| format!("{} holds a secret and can be read by others: {}", path.display(), chmod(path)))
}

/// The command that closes a file.
pub(super) fn chmod(path: &Path) -> String {
    format!("chmod 600 {}", path.display())
}

/// A whole file, when it is a file and not too long.
pub(super) fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    crate::bounded::file(path, LONGEST)
}

/// The text of a file: UTF-8, or UTF-16 that says so by its mark, as PowerShell writes it and kubectl reads it.
pub(super) fn text(bytes: Vec<u8>) -> Result<String, &'static str> {
    let (rest, unit): (_, fn([u8; 2]) -> u16) = match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => (rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => (rest, u16::from_be_bytes),
        _ => return String::from_utf8(bytes).map_err(|_| "is not text in UTF-8"),
    };
    let (units, odd) = rest.as_chunks::<2>();
    let text = char::decode_utf16(units.iter().map(|pair| unit(*pair))).collect::<Result<String, _>>();
    text.ok().filter(|_| odd.is_empty()).ok_or("begins as UTF-16 and is not text in it")
}

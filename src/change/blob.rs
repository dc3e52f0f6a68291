//! Bytes by their hash.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Bytes that are kept beside the journal and named in it by their hash only: saved objects and manifests may hold
/// secrets, and no secret ever enters the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// Lower-case hex of the SHA-256 of the bytes.
    pub sha256: String,
    /// Length in bytes.
    pub len: u64,
    /// The bytes; absent when the record was read back from a journal and not yet filled from its store.
    #[serde(skip)]
    pub bytes: Option<Arc<[u8]>>,
}

impl Blob {
    /// Takes bytes in and hashes them.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self { sha256: sha256_hex(&bytes), len: bytes.len() as u64, bytes: Some(bytes) }
    }
}

/// The SHA-256 of some bytes, as lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

/// The first twelve digits of a hash, enough to compare by eye; a placeholder of a plan stays whole.
pub fn short_hash(hash: &str) -> &str {
    if hash.starts_with('<') { hash } else { hash.get(..12).unwrap_or(hash) }
}

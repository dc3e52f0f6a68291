//! What was spent on one API server or host.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::cost::Cost;

/// Counts while others read. Shared by everything that talks to the same place.
#[derive(Debug, Default)]
pub struct Meter {
    requests: AtomicU64,
    bytes_out: AtomicU64,
    bytes_in: AtomicU64,
}

impl Meter {
    /// One more request or script.
    pub fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes that went out.
    pub fn sent(&self, bytes: u64) {
        self.bytes_out.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes that came in.
    pub fn received(&self, bytes: u64) {
        self.bytes_in.fetch_add(bytes, Ordering::Relaxed);
    }

    /// What was spent so far.
    pub fn read(&self) -> Cost {
        Cost {
            requests: self.requests.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
        }
    }
}

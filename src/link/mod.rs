//! The only users of kube, reqwest and ssh2: API calls, SSH sessions, tunnels, quoting. Nothing here knows of steps or plans.

pub mod api;
pub mod hook;
pub mod hosts;
pub mod local;
pub mod meter;
pub mod names;
pub mod shell;
pub mod ssh;

/// TLS by ring, for everything in this process that asks rustls for its default.
fn use_ring() {
    // An error means that it is set already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

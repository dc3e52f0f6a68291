//! The only users of kube, reqwest and ssh2: API calls, SSH sessions, tunnels, quoting. Nothing here knows of steps or plans.
//!
//! `api`, `ssh`, `hook` and `local` know nothing of each other. `dial`, `fault` and `meter` are what they share; `hosts`
//! and `names` stand above `ssh`, and `hosts` lends its sessions to `api` as a [`dial::Dial`].

pub mod api;
pub mod dial;
pub mod fault;
pub mod hook;
pub mod hosts;
pub mod local;
pub mod meter;
pub mod names;
pub mod ssh;

/// TLS by ring, for everything in this process that asks rustls for its default.
fn use_ring() {
    // An error means that it is set already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    use crate::rooms::{files, used};

    /// The links, and what stands above them.
    #[test]
    fn no_link_uses_another() {
        let links = ["api", "ssh", "hook", "local"];
        let mut read = 0;
        for link in links {
            for file in files(&format!("link/{link}")) {
                read += 1;
                for path in used(&file) {
                    let other = path.strip_prefix("link::").and_then(|rest| rest.split("::").next());
                    let apart = |other: &str| {
                        other != link && links.iter().chain(&["hosts", "names", "*"]).any(|it| *it == other)
                    };
                    assert!(!other.is_some_and(apart), "{} uses {path}", file.display());
                }
            }
        }
        assert!(read > 15, "{read}");
    }
}

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
pub mod shell;
pub mod ssh;

/// TLS by ring, for everything in this process that asks rustls for its default.
fn use_ring() {
    // An error means that it is set already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// The links, and what each may use of this room.
    #[test]
    fn no_link_uses_another() {
        let room = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/link");
        let links = ["api", "ssh", "hook", "local"];
        let mut read = 0;
        for link in links {
            let alone = room.join(format!("{link}.rs"));
            let inside = fs::read_dir(room.join(link)).into_iter().flatten().map(|entry| entry.unwrap().path());
            for file in inside.chain([alone]).filter(|path| path.is_file()) {
                let text = fs::read_to_string(&file).unwrap();
                read += 1;
                for other in links.iter().chain(&["hosts", "names"]).filter(|other| **other != link) {
                    let used =
                        text.contains(&format!("link::{other}::")) || text.contains(&format!("super::super::{other}"));
                    assert!(!used, "{} uses {other}", file.display());
                }
            }
        }
        assert!(read > 15, "{read}");
    }
}

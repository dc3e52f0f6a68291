//! A kit for the program under test: what an engineer would have prepared in peace for the hosts of a lab.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{host::Host, lab::Lab, pki::Authority};

/// The line of a kit's file for an authority that has signed nothing: a kit must name one, also where the test's API
/// servers have no certificate.
pub fn unknown_authority() -> Result<String> {
    let pem = Authority::new("nobody")?.pem();
    Ok(format!("  certificateAuthorityData: {}\n", STANDARD.encode(pem)))
}

/// One cluster's file of a kit. Every host is reached by its address, as root with the lab's identity.
#[derive(Debug, Clone, Default)]
pub struct Kit {
    hosts: Vec<Host>,
    api_servers: String,
    credentials: String,
}

impl Kit {
    /// An API server at port 6443 of the loopback of each host, reached through SSH. Nobody to the API.
    #[must_use]
    pub fn through(hosts: &[Host]) -> Self {
        let api_servers = hosts.iter().fold(String::new(), |mut text, host| {
            let _ = writeln!(text, "    - {{name: {0}, address: '127.0.0.1:6443', via: {0}}}", host.name());
            text
        });
        Self { hosts: hosts.to_vec(), api_servers, credentials: String::new() }
    }

    /// An API server at this port of each host's own address and of no other, reached through SSH.
    #[must_use]
    pub fn through_at(hosts: &[Host], port: u16) -> Self {
        let api_servers = hosts.iter().fold(String::new(), |mut text, host| {
            let _ = writeln!(text, "    - {{name: {0}, address: '{1}:{port}', via: {0}}}", host.name(), host.ip4());
            text
        });
        Self { api_servers, ..Self::through(hosts) }
    }

    /// The same API servers, dialled directly.
    #[must_use]
    pub fn direct(hosts: &[Host]) -> Self {
        let api_servers = hosts.iter().fold(String::new(), |mut text, host| {
            let _ = writeln!(text, "    - {{name: {0}, address: '{1}:6443', host: {0}}}", host.name(), host.ip4());
            text
        });
        Self { api_servers, ..Self::through(hosts) }
    }

    /// Hosts that run no API server.
    #[must_use]
    pub fn and_nodes(mut self, nodes: &[Host]) -> Self {
        self.hosts.extend_from_slice(nodes);
        self
    }

    /// The files of the CA that the API servers are verified against, of our certificate, and of its key.
    #[must_use]
    pub fn with_credentials(mut self, [ca, certificate, key]: &[PathBuf; 3]) -> Self {
        self.credentials = format!(
            "  certificateAuthority: {}\n  user: {{clientCertificate: {}, clientKey: {}}}\n",
            ca.display(),
            certificate.display(),
            key.display()
        );
        self
    }

    /// Writes `NAME.yaml` into `folder`, which becomes what `BREAKGLASS_KIT` names.
    pub fn write(&self, lab: &Lab, folder: &Path, name: &str) -> Result<()> {
        let mut text = format!("apiVersion: breakglass/v1\nkind: Cluster\nmetadata: {{name: {name}}}\nspec:\n");
        text += &if self.credentials.is_empty() { unknown_authority()? } else { self.credentials.clone() };
        let (key, known) = (lab.identity().key().display(), lab.known_hosts().display());
        let _ = writeln!(text, "  ssh: {{user: root, identities: [{key}], agent: none, knownHosts: [{known}]}}");
        let _ = write!(text, "  apiServers:\n{}  hosts:\n", self.api_servers);
        for host in &self.hosts {
            let _ = writeln!(text, "    - {{name: {}, address: {}}}", host.name(), host.ip4());
        }
        fs::create_dir_all(folder)?;
        fs::write(folder.join(format!("{name}.yaml")), text)?;
        Ok(())
    }
}

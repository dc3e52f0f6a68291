//! The practice cluster: real TLS and SSH servers inside this process, simulated state and load behind them.
//!
//! Everything above `link` cannot tell it from a real control plane: routes, handshakes, host keys, requests and
//! scripts are real and go over loopback. What is simulated, and said to be so: the objects, the load, and what a host
//! does when it is sent a script. A host of the sandbox never runs a command: it acts on the script's first line (its
//! name and arguments), and refuses names that it does not know.

mod api;
mod certificates;
mod gate;
mod host;
mod jail;
mod names;
mod objects;
mod patch;
mod pki;
mod pods;
mod ranking;
mod recovery;
mod rescue;
mod revisions;
mod said;
mod ssh;
mod storm;
mod world;

use std::fs::Permissions;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::kit::{ApiServer, Cluster, Credential, Host, Role, SshAccess};
pub(crate) use names::{NAME, OFFENDER, Weather};
use world::{Papers, World};

/// Whether this build has a practice cluster.
pub(crate) const BUILT_IN: bool = true;

const HOSTS: [&str; 3] = ["cp1", "cp2", "cp3"];
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A practice cluster that lives as long as this value.
pub(crate) struct Sandbox {
    /// The cluster as a kit would describe it.
    pub cluster: Cluster,
    /// Holds the private key of the operator for SSH, gone with the value.
    folder: tempfile::TempDir,
    /// The servers; aborted when dropped.
    _servers: JoinSet<()>,
}

impl Sandbox {
    /// Starts three API servers and three hosts on loopback.
    ///
    /// # Errors
    /// When keys cannot be made or loopback cannot be listened on.
    pub(crate) async fn start(weather: Weather) -> Result<Self> {
        let pki = pki::Pki::new().context("cannot make the sandbox's certificates")?;
        let mut place = tempfile::Builder::new();
        place.prefix("breakglass-sandbox-").permissions(Permissions::from_mode(0o700));
        let folder = place.tempdir().context("cannot make a folder")?;
        let operator = ssh::Keypair::generate()?;
        let identity = folder.path().join("id_ed25519");
        operator.write(&identity)?;
        let world = Arc::new(World::new(&HOSTS, weather, papers(&pki)?));
        let mut servers = JoinSet::new();
        let (mut hosts, mut api_servers) = (Vec::new(), Vec::new());
        let mut sshds = Vec::new();
        for _ in HOSTS {
            sshds.push(listen().await?);
        }
        let beside: Arc<[SocketAddr]> = sshds.iter().map(TcpListener::local_addr).collect::<std::io::Result<_>>()?;
        for (index, (name, sshd)) in HOSTS.into_iter().zip(sshds).enumerate() {
            let api = listen().await?;
            let (api_address, ssh_address) = (api.local_addr()?, sshd.local_addr()?);
            let host_key = ssh::Keypair::generate()?;
            let host_keys = vec![format!("[{LOOPBACK}]:{} {}", ssh_address.port(), host_key.public_line()?)];
            let recovery = listen().await?;
            let recovery_address = recovery.local_addr()?;
            for (listener, door) in [(api, api::Door::Main(index)), (recovery, api::Door::Recovery)] {
                servers.spawn(api::serve(listener, pki.server_config()?, Arc::clone(&world), door));
            }
            let (world, operator, beside) = (Arc::clone(&world), operator.clone(), Arc::clone(&beside));
            let guest = ssh::Guest { world, index, api: api_address, recovery: recovery_address, beside, operator };
            servers.spawn(ssh::serve(sshd, host_key, guest));
            hosts.push(host(name, ssh_address, host_keys, &identity));
            api_servers.push(ApiServer {
                name: name.to_owned(),
                address: api_address,
                via: Some(name.to_owned()),
                host: Some(name.to_owned()),
            });
        }
        let (cert, key) = pki.client()?;
        let cluster = Cluster {
            name: NAME.into(),
            api_servers,
            hosts,
            tls_server_name: Some(pki::SERVER_NAME.into()),
            ca: pki.ca().into_bytes(),
            credential: Credential::Certificate { cert: cert.into_bytes(), key: key.into_bytes() },
            credential_ends: None,
            acting_as: None,
            sets: std::collections::BTreeMap::new(),
            source: "the embedded sandbox".into(),
            kept: None,
        };
        Ok(Self { cluster, folder, _servers: servers })
    }

    /// A folder that only the operator can look into, gone with the value.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// What lies on the hosts: the kubeconfig of an administrator, as kubeadm writes it.
fn papers(pki: &pki::Pki) -> Result<Papers> {
    let data = |text: &str| STANDARD.encode(text);
    let (cert, key) = pki.client()?;
    let admin = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: admin\ncontexts:\n- name: admin\n  context: {{cluster: sandbox, user: admin}}\n\
         clusters:\n- name: sandbox\n  cluster: {{certificate-authority-data: {}}}\n\
         users:\n- name: admin\n  user: {{client-certificate-data: {}, client-key-data: {}}}\n",
        data(&pki.ca()),
        data(&cert),
        data(&key),
    );
    Ok(Papers { authority: pki.ca(), admin })
}

async fn listen() -> Result<TcpListener> {
    TcpListener::bind(SocketAddr::new(LOOPBACK, 0)).await.context("cannot listen on loopback")
}

fn host(name: &str, ssh: SocketAddr, host_keys: Vec<String>, identity: &std::path::Path) -> Host {
    Host {
        name: name.to_owned(),
        address: ssh.ip(),
        ssh: SshAccess {
            port: ssh.port(),
            user: "root".into(),
            identities: vec![identity.to_owned()],
            identities_only: true,
            certificates: Vec::new(),
            agent: None,
            host_keys,
            known_hosts: Vec::new(),
            host_key_alias: None,
            jumps: Vec::new(),
            sudo: false,
        },
        roles: vec![Role::ControlPlane],
        manifests: crate::host::manifest::MANIFESTS.into(),
        recovery_program: None,
    }
}

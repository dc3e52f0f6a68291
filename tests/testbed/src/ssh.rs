//! Client keys, `known_hosts` and ssh configuration, written so that OpenSSH and the program under test both read them.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
    time::Duration,
};

use anyhow::{Result, anyhow};

use crate::{command::run, host::Host};

/// A client's private key file; its public key is beside it with `.pub`, its certificate with `-cert.pub`.
#[derive(Debug, Clone)]
pub struct Identity {
    key: PathBuf,
}

impl Identity {
    pub fn key(&self) -> &Path {
        &self.key
    }

    pub fn public_key(&self) -> PathBuf {
        self.key.with_extension("pub")
    }

    /// The user certificate's path; only [`crate::Lab::certified_identity`] has one.
    pub fn certificate(&self) -> PathBuf {
        self.key.with_file_name(format!("{}-cert.pub", self.key.file_name().unwrap_or_default().to_string_lossy()))
    }
}

#[derive(Debug)]
pub(crate) struct Ssh {
    folder: PathBuf,
    known_hosts: PathBuf,
    config: PathBuf,
    identity: Identity,
    certified: Identity,
    stranger: Identity,
    /// Name, addresses and public key of every host made so far.
    hosts: Mutex<Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    ip4: String,
    ip6: String,
    public_key: String,
}

impl Ssh {
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let key = |name: &str| -> Result<Identity> {
            let key = folder.join(name);
            make_key(&key, name)?;
            Ok(Identity { key })
        };
        let (identity, certified, stranger, ca) =
            (key("identity")?, key("certified")?, key("stranger")?, key("user_ca")?);
        let mut sign = Command::new("ssh-keygen");
        sign.args(["-q", "-s"]).arg(ca.key()).args(["-I", "on-call", "-n", "root,oncall", "-V", "+1d"]);
        run(sign.arg(certified.public_key()), b"", Duration::from_secs(30))?.ok()?;
        fs::copy(identity.public_key(), folder.join("authorized_keys"))?;
        let ssh = Self {
            known_hosts: folder.join("known_hosts"),
            config: folder.join("ssh_config"),
            folder: folder.to_owned(),
            identity,
            certified,
            stranger,
            hosts: Mutex::default(),
        };
        ssh.write()?;
        Ok(ssh)
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn certified_identity(&self) -> &Identity {
        &self.certified
    }

    pub(crate) fn stranger(&self) -> &Identity {
        &self.stranger
    }

    pub(crate) fn known_hosts(&self) -> &Path {
        &self.known_hosts
    }

    pub(crate) fn config(&self) -> &Path {
        &self.config
    }

    pub(crate) fn hashed_known_hosts(&self) -> Result<PathBuf> {
        let hashed = self.folder.join("known_hosts_hashed");
        fs::copy(self.known_hosts(), &hashed)?;
        run(Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(&hashed), b"", Duration::from_secs(30))?.ok()?;
        Ok(hashed)
    }

    pub(crate) fn config_through(&self, jump: &Host) -> Result<PathBuf> {
        let path = self.folder.join(format!("ssh_config_through_{}", jump.name()));
        let text = format!("Host * !{0} !{1} !{2}\n  ProxyJump {0}\n\n", jump.name(), jump.ip4(), jump.ip6());
        fs::write(&path, text + &fs::read_to_string(self.config())?)?;
        Ok(path)
    }

    pub(crate) fn add_hosts(&self, new: &[Host]) -> Result<()> {
        let mut hosts = self.hosts.lock().map_err(|_| anyhow!("another host's making panicked"))?;
        for host in new {
            hosts.push(Entry {
                name: host.name().to_owned(),
                ip4: host.ip4().to_string(),
                ip6: host.ip6().to_string(),
                public_key: host.host_key()?,
            });
        }
        drop(hosts);
        self.write()
    }

    /// The configuration of a host's sshd, with its own host key beside it.
    pub(crate) fn sshd_config(&self, host: &Path) -> String {
        let (host, shared) = (host.display(), self.folder.display());
        format!(
            "ListenAddress 0.0.0.0\nListenAddress ::\nHostKey {host}/host_key\nPidFile {host}/sshd.pid\n\
             AuthorizedKeysFile {shared}/authorized_keys\nTrustedUserCAKeys {shared}/user_ca.pub\nStrictModes no\n\
             UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PermitRootLogin prohibit-password\nUseDNS no\nMaxSessions 50\n\
             AllowStreamLocalForwarding yes\nSubsystem sftp internal-sftp\n"
        )
    }

    fn write(&self) -> Result<()> {
        let hosts = self.hosts.lock().map_err(|_| anyhow!("another host's making panicked"))?;
        let (mut known, mut config) = (String::new(), String::new());
        for Entry { name, ip4, ip6, public_key } in hosts.iter() {
            let _ = writeln!(known, "{name},{ip4},{ip6} {public_key}");
            let _ = writeln!(config, "Host {name}\n  HostName {ip4}\n");
        }
        let _ = write!(
            config,
            "Host *\n  User root\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n  \
             GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  BatchMode yes\n  ConnectTimeout 10\n",
            self.identity.key.display(),
            self.known_hosts().display(),
        );
        // Renamed in, because a client that another test starts may be reading.
        for (path, text) in [(self.known_hosts(), known), (self.config(), config)] {
            let new = path.with_extension("new");
            fs::write(&new, text)?;
            fs::rename(&new, path)?;
        }
        Ok(())
    }
}

/// Makes an Ed25519 key pair without a passphrase.
pub(crate) fn make_key(path: &Path, comment: &str) -> Result<()> {
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"]).arg(path);
    run(&mut keygen, b"", Duration::from_secs(30))?.ok()?;
    Ok(())
}

//! `kit import`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::cli::{App, clusters, drive, failure, inputs, signals};
use crate::error::{Class, Failure};
use crate::kit::adhoc::{Asking, Plugins};
use crate::kit::import::{self, HostWord, Written};
use crate::kit::keep::{self, same_authority};
use crate::kit::{self, Cluster, Host, adhoc};
use crate::link::names;
use crate::link::ssh::config::Overrides;
use crate::refusal::Refusal;
use crate::words;

/// `ssh -G` for every host, one name looked up and one credential plugin end by then.
const FIND_WITHIN: Duration = Duration::from_secs(60);

/// Make a file of the kit from what kubectl's and SSH's configurations say today, so that an incident needs neither
///
/// Examples:
///   breakglass kit import prod --context prod-admin --host cp1 --host cp2 --host cp3
///   breakglass kit import prod --host cp1=10.0.0.1,user=ops,sudo --host node7=10.0.0.7,role=node
///   breakglass kit import --kubeconfig admin.conf --tls-server-name kubernetes --replace
///   breakglass kit import rke2 --host cp1=10.0.0.1,manifests=/var/lib/rancher/rke2/agent/pod-manifests
///   breakglass kit import mk8s --host cp1=10.0.0.1,api=16443
///
/// A host takes two more words: `manifests=` is the folder of its static pods; `api=` is the API server's port on it, which
/// is else the port of the kubeconfig where that names a host's own address, and 6443 where it names a load balancer.
///
/// Nothing is connected to; names are looked up now and not in an incident. Certificates and keys of the kubeconfig go
/// into the file, which only its owner can read, and so do the host keys that known_hosts has; SSH keys stay where they
/// are.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Import {
    /// The cluster's name in the kit [default: the context's name].
    name: Option<String>,

    /// A host; may be given several times. A name of `ssh_config`, or
    /// NAME=ADDRESS[:PORT][,user=NAME][,identity=FILE][,jump=HOST][,role=control-plane|node][,sudo].
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<HostWord>,

    /// Write the cluster's file anew. Without --host its hosts stay; the file before is kept as NAME.yaml~.
    #[arg(long)]
    replace: bool,
}

impl Import {
    /// Writes the file and gives back what is read from it.
    pub(super) fn run(self, app: &App, folder: &Path) -> Result<Vec<Cluster>, Failure> {
        let connection = &app.flags.connection;
        if connection.via.is_some() || !app.flags.clusters.cluster.is_empty() || app.flags.clusters.sandbox {
            let what = "kit import takes one cluster of the kubeconfig; --via, --cluster and --sandbox mean others";
            return Err(inputs::refuse(what, "hosts are given by --host, the cluster by --context"));
        }
        let kit_refused = |refusal| failure::refused("the kit", vec![refusal]);
        let named = self.name.as_deref().filter(|name| kit::load::is_name(name));
        let mut old = named.map(|name| self.old(app, folder, name)).transpose()?.flatten();
        let found = async {
            let deadline = Instant::now() + FIND_WITHIN;
            let (hosts, notes) = self.hosts(app, deadline).await.map_err(|all| failure::refused("the hosts", all))?;
            let ways = if self.hosts.is_empty() { old.as_ref().map_or(&[][..], |old| &old.hosts) } else { &hosts };
            let found = cluster(app, ways, deadline).await.map_err(|all| failure::refused("the cluster", all))?;
            notes.iter().chain(&found.notes).for_each(|note| app.screen.err(&format!("note: {note}")));
            Ok((hosts, found))
        };
        // A plugin may wait for a person; where that one has enough, it ends with us.
        let (hosts, mut found) = drive::block_on(async {
            tokio::select! {
                found = found => found,
                Ok(()) = signals::stopped() => {
                    Err(Failure::new(Class::Interrupted, "stopped; nothing was written").hint("run the same again"))
                }
            }
        })?;
        let name = self.name.clone().unwrap_or_else(|| found.cluster.name.clone());
        if !kit::load::is_name(&name) {
            let what =
                format!("{name:?} cannot be a name in the kit: letters, digits, dots, dashes and underscores can");
            return Err(inputs::refuse(what, "give one: breakglass kit import NAME"));
        }
        if self.name.is_none() {
            old = self.old(app, folder, &name)?;
        }
        // Where it may be another cluster's, nothing of it is taken; whether its hosts may be dropped is asked below.
        let of_it = old.as_ref().filter(|old| same_authority(old, &found.cluster));
        if connection.tls_server_name.is_none()
            && let Some(known) = of_it.and_then(|old| old.tls_server_name.clone())
        {
            found.cluster.tls_server_name = Some(known);
        }
        if found.cluster.tls_server_name.is_none()
            && let Some(server) = found.cluster.api_servers.first().filter(|_| !hosts.is_empty())
        {
            // On a host's loopback the certificate does not stand for the address that is dialled.
            let ip = server.address.ip().to_string();
            app.screen.err(&format!(
                "note: through hosts, certificates are verified against {ip} too; when those of other API servers do not \
                 hold it, give a name that all of them do: --tls-server-name kubernetes"
            ));
            found.cluster.tls_server_name = Some(ip);
        }
        let ports = self.hosts.iter().filter_map(|word| Some((word.name.clone(), word.api_port?))).collect();
        let whole = match old {
            Some(old) if self.hosts.is_empty() => {
                let said = kept(&old);
                let whole = keep::keep(found.cluster, old).map_err(kit_refused)?;
                said.filter(|_| !whole.hosts.is_empty()).iter().for_each(|said| app.screen.err(said));
                whole
            }
            old => {
                let mut whole = import::with_hosts(found.cluster, hosts, &ports);
                if let Some(old) = old {
                    left_out(&old, &whole).iter().for_each(|said| app.screen.err(said));
                    whole.sets = if same_authority(&old, &whole) { old.sets } else { whole.sets };
                }
                whole
            }
        };
        if let Some(note) = other_port(&whole, &ports) {
            app.screen.err(&note);
        }
        let text = import::text(&name, &whole, app.process).map_err(|all| failure::refused("what was found", all))?;
        let Written { path, before } = import::write(folder, &name, &text, self.replace).map_err(kit_refused)?;
        let before = before.map(|before| format!(" (the one before is kept as {})", before.display()));
        app.screen.err(&format!(
            "wrote {}{}; next: breakglass probe --cluster {name}{}",
            path.display(),
            before.unwrap_or_default(),
            clusters::kit_word(app)
        ));
        kit::load::clusters(folder, &[name], app.process).map_err(|all| failure::refused("the kit", all))
    }

    /// The file that is replaced. One that cannot be loaded is in the way only where its hosts were to be kept.
    fn old(&self, app: &App<'_>, folder: &Path, name: &str) -> Result<Option<Cluster>, Failure> {
        if !self.replace {
            return Ok(None);
        }
        match keep::old(folder, name, app.process) {
            Err(_) if !self.hosts.is_empty() => Ok(None),
            found => found.map_err(|all| failure::refused("the kit", all)),
        }
    }

    /// Every host that was given, by the operator's own SSH configuration; or everything that is wrong with them.
    async fn hosts(&self, app: &App<'_>, deadline: Instant) -> Result<(Vec<Host>, Vec<String>), Vec<Refusal>> {
        let resolver = names::resolver(app.process);
        let (mut hosts, mut notes, mut refusals) = (Vec::new(), Vec::new(), Vec::new());
        for word in &self.hosts {
            let overrides = Overrides {
                address: word.address,
                user: word.user.clone(),
                port: word.port,
                identities: word.identities.iter().map(|path| absolute(app, path)).collect(),
                jump: word.jump.clone(),
                sudo: word.sudo,
            };
            match names::host(&resolver, &word.name, &overrides, deadline).await {
                Ok(named) => {
                    notes.extend(named.notes);
                    let mut host = Host { roles: word.roles.clone(), ..named.host };
                    if let Some(folder) = &word.manifests {
                        host.manifests.clone_from(folder);
                    }
                    notes.extend(names::copy_host_keys(&mut host));
                    hosts.push(host);
                }
                Err(refusal) => refusals.push(refusal),
            }
        }
        if refusals.is_empty() { Ok((hosts, notes)) } else { Err(refusals) }
    }
}

/// What of the old file stays.
fn kept(old: &Cluster) -> Option<String> {
    let hosts: Vec<String> = old.hosts.iter().map(|host| host.name.clone()).collect();
    (!hosts.is_empty()).then(|| {
        format!("note: kept from {}, since no --host says otherwise: hosts {}", old.source, words::fold(&hosts))
    })
}

/// Which hosts of the old file are given up.
fn left_out(old: &Cluster, new: &Cluster) -> Option<String> {
    let gone = old.hosts.iter().filter(|host| new.host(&host.name).is_none()).map(|host| host.name.clone());
    let gone: Vec<String> = gone.collect();
    (!gone.is_empty()).then(|| format!("note: left out, since no --host names them: hosts {}", words::fold(&gone)))
}

/// The cluster of the kubeconfig and the flags. With hosts of the control plane its own address need not be found.
async fn cluster(app: &App<'_>, hosts: &[Host], deadline: Instant) -> Result<adhoc::Found, Vec<Refusal>> {
    let flags = |via| app.flags.connection.flags(via);
    let hear = |line: &str| app.screen.err(line);
    let asking = Asking { deadline, plugins: Plugins::Run, hear: &hear };
    let Some(host) = hosts.iter().find(|host| host.roles.contains(&kit::Role::ControlPlane)) else {
        return adhoc::cluster(&flags(None), app.process, &asking).await;
    };
    // Whether there is a direct route is found out without a plugin: it is run once, whatever it says.
    let looking = Asking { plugins: Plugins::Named, ..asking };
    let Err(refusals) = adhoc::cluster(&flags(None), app.process, &looking).await else {
        return adhoc::cluster(&flags(None), app.process, &asking).await;
    };
    let mut found = adhoc::cluster(&flags(Some(host.clone())), app.process, &asking).await?;
    let why = refusals.iter().map(|refusal| refusal.what.as_str()).collect::<Vec<_>>().join("; ");
    found.notes.push(format!("no direct route, only through hosts: {why}"));
    Ok(found)
}

/// That the port on the hosts is a guess, when the only port that is known is of something before them.
fn other_port(cluster: &Cluster, said: &BTreeMap<String, u16>) -> Option<String> {
    let (through, direct): (Vec<_>, Vec<_>) = cluster.api_servers.iter().partition(|server| server.via.is_some());
    let guessed = through.iter().find(|server| !said.contains_key(&server.name))?;
    let port = guessed.address.port();
    let other = direct.iter().find(|server| server.host.is_none())?;
    if direct.iter().any(|server| server.address.port() == port) {
        return None;
    }
    Some(format!(
        "note: on the hosts the API server's port is taken to be {port}; {} is of something before them; where it is another, \
         say it: --host {}=ADDRESS,api=PORT",
        other.address, guessed.name
    ))
}

/// A path as it must stand in the kit, whose paths are relative to its own files.
fn absolute(app: &App, path: &Path) -> PathBuf {
    match path.strip_prefix("~") {
        Ok(rest) => app.process.home().join(rest),
        Err(_) => app.process.cwd.join(path),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Arc;

    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Verb};
    use crate::process::Process;
    use crate::render::{Output, Refusals, Screen};

    /// A folder with a kubeconfig whose user is `user`, and a kit whose cluster prod has the host cp1.
    fn folder(user: &str) -> tempfile::TempDir {
        let dir = tempfile::TempDir::new().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem();
        std::fs::create_dir(dir.path().join("a kit")).unwrap();
        let config = format!(
            "current-context: prod\ncontexts: [{{name: prod, context: {{cluster: c, user: u}}}}]\n\
             clusters: [{{name: c, cluster: {{server: 'https://10.0.0.9:443', certificate-authority: ca.crt}}}}]\n\
             users: [{{name: u, user: {user}}}]\n"
        );
        let kit = "apiVersion: breakglass/v1\nkind: Cluster\nmetadata: {name: prod}\nspec:\n  tlsServerName: kubernetes\n  \
                   certificateAuthority: ../ca.crt\n  user: {token: old}\n  sets: {pool: [10.9.0.0/16]}\n  \
                   apiServers: [{name: cp1, address: '127.0.0.1:16443', via: cp1}]\n  \
                   jumps: [{name: bastion, address: 192.0.2.1, ssh: {user: joe}}]\n  hosts: [{name: cp1, address: 10.0.0.1, \
                   ssh: {user: ops, sudo: true, jumps: [bastion], hostKeys: [ssh-ed25519 AAAA]}}]\n";
        for (name, text) in [("ca.crt", ca.as_str()), ("config", &config), ("a kit/prod.yaml", kit)] {
            std::fs::write(dir.path().join(name), text).unwrap();
            std::fs::set_permissions(dir.path().join(name), std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        dir
    }

    /// What was said on standard error.
    #[derive(Clone, Default)]
    struct Said(Arc<std::sync::Mutex<Vec<u8>>>);

    impl std::io::Write for Said {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn import(dir: &Path, words: &[&str]) -> (Result<(), String>, String) {
        let line = ["breakglass", "--kit", "a kit", "--kubeconfig", "config", "kit", "import"];
        let cli = Cli::try_parse_from(line.iter().chain(words)).unwrap();
        let mut process = Process { cwd: dir.to_owned(), ..Process::real() };
        process.env.insert("HOME".into(), dir.display().to_string());
        let said = Said::default();
        let screen = Arc::new(Screen::to(std::io::sink(), said.clone()));
        let app = App { process: &process, flags: cli.flags, output: Output::Text, screen };
        let Verb::Kit(verb) = cli.verb else { panic!("kit import") };
        let done = verb.run(&app).map(|_| ()).map_err(|failure| match failure.source.downcast_ref::<Refusals>() {
            Some(refusals) => refusals.all.iter().map(|refusal| format!("{refusal}\n")).collect(),
            None => failure.source.to_string(),
        });
        let said = String::from_utf8(said.0.lock().unwrap().clone()).unwrap();
        (done, said)
    }

    #[test]
    fn to_replace_a_file_keeps_what_was_not_given_anew() {
        let dir = folder("{token: new}");
        let file = dir.path().join("a kit/prod.yaml");
        let before = std::fs::read_to_string(&file).unwrap();
        // By the name of the context as by its own.
        for words in [&["prod", "--replace"][..], &["--replace"]] {
            let (done, said) = import(dir.path(), words);
            done.unwrap();
            assert!(said.contains("note: kept from ") && said.contains(": hosts cp1\n"), "{said}");
            assert!(said.contains("prod.yaml~); next: breakglass probe --cluster prod --kit 'a kit'\n"), "{said}");
            let home = Process { cwd: dir.path().to_owned(), ..Process::real() };
            let kept = kit::load::file(&file, &home).unwrap();
            let cp1 = kept.host("cp1").unwrap();
            assert_eq!((cp1.ssh.user.as_str(), cp1.ssh.sudo, cp1.ssh.jumps.len()), ("ops", true, 1));
            assert_eq!(cp1.ssh.host_keys, ["10.0.0.1 ssh-ed25519 AAAA"]);
            assert_eq!((kept.sets.len(), kept.tls_server_name.as_deref()), (1, Some("kubernetes")));
            let servers: Vec<String> = kept.api_servers.iter().map(|server| server.address.to_string()).collect();
            assert_eq!(servers, ["127.0.0.1:16443", "10.0.0.9:443"]);
            assert!(matches!(&kept.credential, kit::Credential::Token(token) if token == "new"));
            if words.len() == 2 {
                assert_eq!(std::fs::read_to_string(dir.path().join("a kit/prod.yaml~")).unwrap(), before);
            }
        }
        // What cannot be read cannot be kept.
        std::fs::write(&file, "apiVersion: breakglass/v1").unwrap();
        let why = import(dir.path(), &["prod", "--replace"]).0.unwrap_err();
        assert!(why.contains("cannot be kept"), "{why}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "apiVersion: breakglass/v1");
    }

    #[test]
    fn a_plugin_that_fails_is_run_once() {
        let dir = folder("{exec: {command: sh, args: ['-c', 'echo ran >>\"$HOME/ran\"; echo no >&2; exit 1']}}");
        let (done, said) = import(dir.path(), &["prod", "--replace"]);
        assert!(done.unwrap_err().contains("plugin sh failed"), "{said}");
        assert_eq!(std::fs::read_to_string(dir.path().join("ran")).unwrap(), "ran\n");
    }
}

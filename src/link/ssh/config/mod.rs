//! From a name that an operator types to an [`Endpoint`], by the operator's own OpenSSH configuration.
//!
//! The configuration is read by OpenSSH itself (`ssh -G`), which opens no connection: nobody else gets `Match`, `Include`
//! and tokens right. Without an OpenSSH client there is no half parser, only OpenSSH's defaults, and a note that says so.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use self::words::Words;
use super::{Endpoint, HostKeys, KnownHosts};
use crate::bounded::{self, NoOutput};
use crate::shell::line;
use crate::words::bytes;

#[cfg(test)]
mod fuzz;
mod proxy;
mod words;

/// The variable that names the agent's socket.
const AGENT: &str = "SSH_AUTH_SOCK";
/// Chains longer than this are loops.
const JUMPS: usize = 8;
/// Of a configuration as ssh prints it: some kilobytes.
const LONGEST: usize = 1 << 20;

/// What is taken from the process around us; the resolver asks no environment itself.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The OpenSSH client, if there is one.
    pub client: Option<PathBuf>,
    /// `ssh -F`: instead of the user's and the system's configuration.
    pub config: Option<PathBuf>,
    /// The operator's home folder, for `~` and the defaults.
    pub home: PathBuf,
    /// The operator's local user name.
    pub user: String,
    /// The operator's local user id.
    pub uid: u32,
    /// The name of this machine.
    pub machine: String,
    /// The environment: `SSH_AUTH_SOCK`, and what `${NAME}` in paths stands for.
    pub env: BTreeMap<String, String>,
}

/// What is said on the command line or in the kit, and goes before the configuration.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The IP address to dial; the configuration's host name is then only used to find the host key.
    pub address: Option<IpAddr>,
    /// The remote user.
    pub user: Option<String>,
    /// The SSH port.
    pub port: Option<u16>,
    /// Private key files, tried before those of the configuration.
    pub identities: Vec<PathBuf>,
    /// In the form of `ssh -J`; `none` for a direct connection.
    pub jump: Option<String>,
    /// Run scripts by `sudo -n`.
    pub sudo: bool,
}

/// An endpoint, and what should be known about how it was found.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// Ready for [`super::Session::connect`].
    pub endpoint: Endpoint,
    /// Whether a name was looked up to get an address: that will not work when DNS is down.
    pub looked_up: bool,
    /// What the configuration says and is not done, one sentence each.
    pub notes: Vec<String>,
}

/// Why a name could not be made an endpoint; nothing has been connected to.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{alias}: {why}")]
pub struct ResolveError {
    /// The name as given.
    pub alias: String,
    why: String,
    hint: String,
}

impl ResolveError {
    /// The next command to type.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

/// known_hosts files and lists of revoked keys.
type Sources = (Vec<PathBuf>, Vec<PathBuf>);

/// Resolves many names; known_hosts files are read once for all of them.
#[derive(Debug, Default)]
pub struct Resolver {
    around: Surroundings,
    known: Mutex<HashMap<Sources, Arc<KnownHosts>>>,
}

/// What `ssh -G` printed, by lower-case option.
struct Options(Vec<(String, String)>);

impl Options {
    fn parse(text: &str) -> Self {
        let pairs = text.lines().filter_map(|l| l.split_once(' '));
        Self(pairs.map(|(option, value)| (option.to_owned(), value.trim().to_owned())).collect())
    }

    fn all<'a>(&'a self, option: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(name, _)| name == option).map(|(_, value)| value.as_str())
    }

    /// The option's value, unless it is `none`.
    fn one(&self, option: &str) -> Option<&str> {
        self.all(option).next().filter(|value| !value.eq_ignore_ascii_case("none"))
    }
}

impl Resolver {
    /// A resolver with nothing cached yet.
    pub fn new(around: Surroundings) -> Self {
        Self { around, known: Mutex::default() }
    }

    /// The endpoint for `alias`. Opens no connection; at most one name is looked up, and only when there is no IP.
    ///
    /// # Errors
    ///
    /// [`ResolveError`] when ssh does not accept its configuration, wants a proxy command, or nothing gives an address.
    pub async fn resolve(
        &self,
        alias: &str,
        overrides: &Overrides,
        deadline: Instant,
    ) -> Result<Resolved, ResolveError> {
        self.chain(alias, overrides, deadline, JUMPS).await
    }

    /// One name with everything that leads to it. Boxed, since jump hosts have configurations of their own.
    fn chain<'a>(
        &'a self,
        alias: &'a str,
        overrides: &'a Overrides,
        deadline: Instant,
        left: usize,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Resolved, ResolveError>> + Send + 'a>> {
        Box::pin(async move {
            let options = self.options(alias, overrides, deadline).await?;
            let mut notes = self.notes(&options);
            let mut endpoint = self.endpoint(alias, &options, overrides)?;
            let mut looked_up = false;
            let jump = match (options.one("proxyjump"), options.one("proxycommand")) {
                (None, Some(command)) => Some(self.jump_of(alias, command, &mut notes)?),
                (jump, _) => jump.map(str::to_owned),
            };
            if let Some(jump) = jump.as_deref() {
                // A jump host that its own `Host *` sends through itself is reached directly, as by ssh.
                if !names_itself(jump, alias) {
                    let Some(left) = left.checked_sub(1) else {
                        return Err(self.error(alias, "its jump hosts go in a circle".into()));
                    };
                    (endpoint.jumps, looked_up) = self.jumps(jump, deadline, left, &mut notes).await?;
                }
            }
            if endpoint.jumps.is_empty() && endpoint.address.parse::<IpAddr>().is_err() {
                let family = options.one("addressfamily").unwrap_or("any");
                endpoint.address = self.look_up(alias, &endpoint.address, family, deadline).await?.to_string();
                looked_up = true;
            }
            if options.one("checkhostip") == Some("yes")
                && endpoint.jumps.is_empty()
                && let Some([named, addressed]) = endpoint.host_keys.contradiction(&endpoint.address, endpoint.port)
            {
                return Err(self.error(
                    alias,
                    format!("{named} has one key for its name and {addressed} another for its address, and CheckHostIP is yes"),
                ));
            }
            Ok(Resolved { endpoint, looked_up, notes })
        })
    }

    /// The jump host that a ProxyCommand stands for, when it is one that only goes through a host.
    fn jump_of(&self, alias: &str, command: &str, notes: &mut Vec<String>) -> Result<String, ResolveError> {
        if let Some(jump) = proxy::as_jump(command) {
            notes.push(format!("{alias}: its ProxyCommand ({command}) is done as ProxyJump {jump}"));
            return Ok(jump);
        }
        let mut error =
            self.error(alias, format!("its ProxyCommand ({command}) is not run; a jump host can be gone through"));
        error.hint = format!(
            "name the host to go through: ProxyJump BASTION for Host {alias} in {}, or --host {alias}=ADDRESS,jump=BASTION of \
             breakglass kit import",
            self.config_file()
        );
        Err(error)
    }

    /// `ProxyJump a,b`: `a` as it is configured, jump hosts of its own included, then `b` through it.
    async fn jumps(
        &self,
        jump: &str,
        deadline: Instant,
        left: usize,
        notes: &mut Vec<String>,
    ) -> Result<(Vec<Endpoint>, bool), ResolveError> {
        let mut way: Vec<Endpoint> = Vec::new();
        let mut looked_up = false;
        for hop in jump.split(',') {
            let (user, host, port) = parse_hop(hop).ok_or_else(|| self.error(hop, "not a jump host".into()))?;
            let direct = (!way.is_empty()).then(|| "none".to_owned());
            let overrides = Overrides { user, port, jump: direct, ..Overrides::default() };
            if !way.is_empty() {
                // Its name, if it has no address, is looked up by the host before it and not by us.
                let options = self.options(&host, &overrides, deadline).await?;
                notes.extend(self.notes(&options));
                way.push(self.endpoint(&host, &options, &overrides)?);
                continue;
            }
            let found = self.chain(&host, &overrides, deadline, left).await?;
            looked_up |= found.looked_up;
            notes.extend(found.notes);
            let mut endpoint = found.endpoint;
            way.append(&mut endpoint.jumps);
            way.push(endpoint);
        }
        Ok((way, looked_up))
    }

    async fn options(&self, alias: &str, overrides: &Overrides, deadline: Instant) -> Result<Options, ResolveError> {
        if alias.is_empty() || alias.starts_with('-') || alias.contains(['\0', '\n', ' ']) {
            return Err(self.error(alias, "not a host name".into()));
        }
        let Some(client) = &self.around.client else { return Ok(self.defaults(alias, overrides)) };
        let mut argv: Vec<String> = vec!["-G".into()];
        if let Some(config) = &self.around.config {
            argv.extend(["-F".into(), config.display().to_string()]);
        }
        // Canonical names would be looked up.
        argv.extend(["-o".into(), "CanonicalizeHostname=no".into()]);
        for (option, value) in [
            ("User", overrides.user.clone()),
            ("Port", overrides.port.map(|p| p.to_string())),
            ("ProxyJump", overrides.jump.clone()),
        ] {
            argv.extend(value.into_iter().flat_map(|v| ["-o".to_owned(), format!("{option}={v}")]));
        }
        argv.extend(["--".into(), alias.to_owned()]);
        let mut command = crate::descriptors::command(client);
        command.args(&argv);
        let output = match bounded::output(&mut command, LONGEST, deadline).await {
            Err(NoOutput::Late) => {
                return Err(self.error(alias, "ssh -G did not answer in time; a `Match exec` may hang".into()));
            }
            Err(NoOutput::Long(most)) => {
                let most = bytes(most as u64);
                let why =
                    format!("ssh -G printed more than {most} and was killed; a `Match exec` may print without end");
                return Err(self.error(alias, why));
            }
            Err(NoOutput::NotRun(e)) => {
                return Err(self.error(alias, format!("{} can't be run: {e}", client.display())));
            }
            Ok(output) => output,
        };
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
            let said: String = said.chars().take(300).collect();
            return Err(self.error(alias, format!("ssh does not accept its configuration: {said}")));
        }
        Ok(Options::parse(&String::from_utf8_lossy(&output.stdout)))
    }

    /// What OpenSSH does with an empty configuration.
    fn defaults(&self, alias: &str, overrides: &Overrides) -> Options {
        let mut pairs = vec![
            ("hostname", alias.to_owned()),
            ("user", overrides.user.clone().unwrap_or_else(|| self.around.user.clone())),
            ("port", overrides.port.unwrap_or(22).to_string()),
            ("userknownhostsfile", "~/.ssh/known_hosts ~/.ssh/known_hosts2".into()),
            ("globalknownhostsfile", "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2".into()),
        ];
        pairs.extend(["id_rsa", "id_ecdsa", "id_ed25519"].map(|key| ("identityfile", format!("~/.ssh/{key}"))));
        pairs.extend(overrides.jump.clone().map(|jump| ("proxyjump", jump)));
        Options(pairs.into_iter().map(|(option, value)| (option.to_owned(), value)).collect())
    }

    fn endpoint(&self, alias: &str, options: &Options, overrides: &Overrides) -> Result<Endpoint, ResolveError> {
        let host = options.one("hostname").unwrap_or(alias).to_owned();
        let port = options.one("port").and_then(|p| p.parse().ok()).unwrap_or(22);
        let user = options.one("user").unwrap_or(&self.around.user).to_owned();
        let key_alias = options.one("hostkeyalias");
        let words = Words {
            around: &self.around,
            alias,
            host: &host,
            port,
            user: &user,
            key_alias: key_alias.unwrap_or(&host),
            jump: options.one("proxyjump").unwrap_or_default(),
        };
        let refuse = |option: &str, why: String| self.error(alias, format!("{option} {why}"));
        let path = |option: &str, text: &str| words.path(text).map_err(|why| refuse(option, why));
        let listed = |option: &str| -> Result<Vec<PathBuf>, ResolveError> {
            let all = options.all(option).flat_map(words::files);
            all.filter(|text| text != "none").map(|text| path(option, &text)).collect()
        };
        let mut known_files = self.user_files(listed("userknownhostsfile")?);
        known_files.extend(listed("globalknownhostsfile")?);
        let known = self.known(&known_files, &listed("revokedhostkeys")?).map_err(|why| self.error(alias, why))?;
        let agent = match options.all("identityagent").next() {
            None => self.around.env.get(AGENT).map(PathBuf::from),
            Some(text) => words.agent(text).map_err(|why| refuse("identityagent", why))?,
        };
        let named = |option: &str| -> Result<Vec<PathBuf>, ResolveError> {
            options.all(option).filter(|p| *p != "none").map(|text| path(option, text)).collect()
        };
        Ok(Endpoint {
            name: alias.to_owned(),
            address: overrides.address.map_or_else(|| host.clone(), |ip| ip.to_string()),
            port,
            identities: overrides.identities.iter().cloned().chain(named("identityfile")?).collect(),
            identities_only: options.one("identitiesonly") == Some("yes"),
            certificates: named("certificatefile")?,
            agent: agent.filter(|socket| !socket.as_os_str().is_empty()),
            host_keys: HostKeys { known, alias: key_alias.map(str::to_owned), host: Some(host.clone()) },
            jumps: Vec::new(),
            sudo: overrides.sudo,
            user,
        })
    }

    /// The operator's own files. Who keeps none in them (`/dev/null`, `none`) is asked for those that ssh has by default: a key
    /// that nobody vouches for is refused here, and a refusal must leave a place to write it to.
    fn user_files(&self, mut files: Vec<PathBuf>) -> Vec<PathBuf> {
        files.retain(|file| file != Path::new("/dev/null"));
        if files.is_empty() {
            let folder = self.around.home.join(".ssh");
            files = vec![folder.join("known_hosts"), folder.join("known_hosts2")];
        }
        files
    }

    fn known(&self, files: &[PathBuf], revoked: &[PathBuf]) -> Result<Arc<KnownHosts>, String> {
        let mut cache = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (files.to_vec(), revoked.to_vec());
        if let Some(known) = cache.get(&key) {
            return Ok(Arc::clone(known));
        }
        let mut known = KnownHosts::from_files(files);
        for file in revoked {
            known.add_revoked(file)?;
        }
        let known = Arc::new(known);
        cache.insert(key, Arc::clone(&known));
        Ok(known)
    }

    async fn look_up(&self, alias: &str, name: &str, family: &str, deadline: Instant) -> Result<IpAddr, ResolveError> {
        let started = Instant::now();
        let fail = |why: String| {
            let mut error = self
                .error(alias, format!("{name} has no address after {:.1} s: {why}", started.elapsed().as_secs_f64()));
            error.hint = format!("give its IP address: in the kit, or as HostName in {}", self.config_file());
            error
        };
        let found = tokio::time::timeout_at(deadline.into(), tokio::net::lookup_host((name, 0))).await;
        let found =
            found.map_err(|_| fail("the name service did not answer".into()))?.map_err(|e| fail(e.to_string()))?;
        let fits = |ip: &IpAddr| match family {
            "inet" => ip.is_ipv4(),
            "inet6" => ip.is_ipv6(),
            _ => true,
        };
        found.map(|address| address.ip()).find(fits).ok_or_else(|| fail(format!("none of family {family}")))
    }

    /// What the configuration asks for and does not get.
    fn notes(&self, options: &Options) -> Vec<String> {
        let mut notes = Vec::new();
        if self.around.client.is_none() {
            notes.push(
                "there is no OpenSSH client here: its configuration is not read, only its defaults are used".into(),
            );
        }
        if let Some(relaxed @ ("no" | "off" | "false" | "accept-new")) = options.one("stricthostkeychecking") {
            notes.push(format!(
                "StrictHostKeyChecking {relaxed} is not followed: an unknown host key is refused all the same"
            ));
        }
        let forgets = options.all("userknownhostsfile").any(|value| matches!(value, "/dev/null" | "none"));
        if forgets {
            notes.push("UserKnownHostsFile keeps no host keys: they are looked for in ~/.ssh/known_hosts".into());
        }
        for option in ["knownhostscommand", "pkcs11provider", "bindaddress", "bindinterface"] {
            if let Some(value) = options.one(option) {
                notes.push(format!("{option} {value} is not used"));
            }
        }
        notes
    }

    fn error(&self, alias: &str, why: String) -> ResolveError {
        let client = self.around.client.as_deref().unwrap_or(Path::new("ssh")).display().to_string();
        let mut argv = vec![client, "-G".to_owned()];
        if let Some(config) = &self.around.config {
            argv.extend(["-F".to_owned(), config.display().to_string()]);
        }
        argv.push(alias.to_owned());
        ResolveError { alias: alias.to_owned(), why, hint: line(&argv) }
    }

    fn config_file(&self) -> String {
        self.around.config.as_ref().map_or_else(|| "~/.ssh/config".into(), |path| path.display().to_string())
    }
}

/// Whether the way to `alias` is given as `alias` itself.
fn names_itself(jump: &str, alias: &str) -> bool {
    parse_hop(jump).is_some_and(|(_, host, _)| host.eq_ignore_ascii_case(alias))
}

/// `[ssh://][user@]host[:port]`, with `[…]` around an IPv6 address.
fn parse_hop(text: &str) -> Option<(Option<String>, String, Option<u16>)> {
    let text = text.trim();
    let text = text.strip_prefix("ssh://").unwrap_or(text).trim_end_matches('/');
    let (user, rest) = match text.rsplit_once('@') {
        Some((user, rest)) => (Some(user.to_owned()), rest),
        None => (None, text),
    };
    let (host, port) = if let Some(inner) = rest.strip_prefix('[') {
        let (host, after) = inner.split_once(']')?;
        (host, after.strip_prefix(':'))
    } else if rest.matches(':').count() == 1 {
        let (host, port) = rest.split_once(':')?;
        (host, Some(port))
    } else {
        (rest, None)
    };
    let port = port.map(|p| p.parse::<u16>().ok().filter(|p| *p > 0).ok_or(())).transpose().ok()?;
    (!host.is_empty() && !host.contains(',')).then(|| (user, host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_read_as_ssh_reads_them() {
        type Hop<'a> = (Option<&'a str>, &'a str, Option<u16>);
        let table: &[(&str, Option<Hop<'_>>)] = &[
            ("bastion", Some((None, "bastion", None))),
            ("joe@bastion:2222", Some((Some("joe"), "bastion", Some(2222)))),
            ("ssh://joe@bastion:2222/", Some((Some("joe"), "bastion", Some(2222)))),
            ("[fd00::1]:2222", Some((None, "fd00::1", Some(2222)))),
            ("fd00::1", Some((None, "fd00::1", None))),
            ("a@b@c", Some((Some("a@b"), "c", None))),
            ("bastion:x", None),
            ("bastion:0", None),
            ("", None),
        ];
        for (text, want) in table {
            let got = parse_hop(text);
            let got = got.as_ref().map(|(user, host, port)| (user.as_deref(), host.as_str(), *port));
            assert_eq!(got, *want, "{text}");
        }
    }
}

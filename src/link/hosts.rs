//! SSH to the hosts of a run: one kept session for each, opened when first needed.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::dial::{Dial, Stream};
use super::fault::{Fault, FaultKind};
use super::meter::Meter;
use super::ssh::{self, Endpoint, Exit, HostKeys, Kept, KnownHosts, Output, SshError};
use crate::cost::Cost;
use crate::kit::{Cluster, Host, SshAccess};
use crate::script::{Script, said};

/// From the first packet to a login: with jump hosts on the way, and a server that may be short of processor time.
const CONNECT: Duration = Duration::from_secs(20);
/// The host's own connection to an address beside it.
const TUNNEL: Duration = Duration::from_secs(5);

/// The hosts of one cluster. Nothing is read or contacted before the first use of a host.
#[derive(Debug)]
pub struct Hosts {
    cluster: Arc<Cluster>,
    library: Arc<Library>,
    lines: Mutex<BTreeMap<String, Arc<Line>>>,
}

/// Every known_hosts file of a run, read once for all hosts of all clusters.
#[derive(Debug, Default)]
pub struct Library(Mutex<HashMap<Vec<PathBuf>, Arc<KnownHosts>>>);

impl Library {
    fn known(&self, name: &str, access: &SshAccess) -> Arc<KnownHosts> {
        let mut read = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let files = read
            .entry(access.known_hosts.clone())
            .or_insert_with(|| Arc::new(KnownHosts::from_files(&access.known_hosts)));
        if access.host_keys.is_empty() {
            return Arc::clone(files);
        }
        let mut known = KnownHosts::clone(files);
        known.add(&format!("the kit, host {name}"), &access.host_keys.join("\n"));
        Arc::new(known)
    }
}

#[derive(Debug)]
struct Line {
    endpoint: Endpoint,
    session: Kept,
    meter: Meter,
}

/// How a script came to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// Over the kept session, opened if there is none.
    Kept,
    /// Over one of its own, so that its success proves that new connections get through.
    Fresh,
}

/// What became of a script.
#[derive(Debug)]
pub struct Ran {
    /// Of the last time it was sent.
    pub result: Result<Output, SshError>,
    /// Of the time before that: it may have run then, wholly or in part, and may still be running.
    pub lost: Option<SshError>,
}

impl Hosts {
    /// The hosts of a cluster.
    pub fn new(cluster: Arc<Cluster>, library: Arc<Library>) -> Self {
        Self { cluster, library, lines: Mutex::default() }
    }

    /// Runs a script. A dead kept session is replaced once, when nothing of the script had been sent, or when
    /// `repeatable` says that it may run twice.
    ///
    /// `None` when there is no such host. The result is as of [`Session::connect`] and [`Session::exec`].
    pub async fn run(
        &self,
        host: &str,
        script: &Script,
        connection: Connection,
        repeatable: bool,
        limit: Duration,
    ) -> Option<Ran> {
        let line = self.line(host)?;
        let deadline = Instant::now() + limit;
        let first = line.run(script, connection, deadline).await;
        match first {
            Err(error)
                if connection == Connection::Kept
                    && session_died(&error)
                    && (repeatable || !error.outcome_unknown())
                    && Instant::now() < deadline =>
            {
                let result = line.run(script, connection, deadline).await;
                Some(Ran { result, lost: Some(error).filter(SshError::outcome_unknown) })
            }
            result => Some(Ran { result, lost: None }),
        }
    }

    /// The key that a host shows on the way in, as `TYPE SHA256:...`; `None` when there is no such host.
    pub async fn host_key(&self, host: &str, limit: Duration) -> Option<Result<String, SshError>> {
        let line = self.line(host)?;
        let session = line.session.lend(&line.endpoint, Instant::now() + limit, CONNECT).await;
        Some(session.map(|session| session.host_key().to_owned()))
    }

    /// A way to an address as the host sees it.
    pub fn way(self: &Arc<Self>, host: &str, to: std::net::SocketAddr) -> Arc<dyn Dial> {
        Arc::new(Through { hosts: Arc::clone(self), host: host.to_owned(), to })
    }

    /// What was spent on each host that was used.
    pub fn costs(&self) -> BTreeMap<String, Cost> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|(name, line)| (name.clone(), line.meter.read())).collect()
    }

    /// Ends the kept sessions that are not in use; what is needed later is opened again.
    pub fn rest(&self) {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.values().for_each(|line| line.session.forget());
    }

    fn line(&self, name: &str) -> Option<Arc<Line>> {
        let host = self.cluster.host(name)?;
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines.entry(name.to_owned()).or_insert_with(|| {
            let (session, meter) = (Kept::default(), Meter::default());
            Arc::new(Line { endpoint: endpoint(host, &self.library), session, meter })
        });
        Some(Arc::clone(line))
    }
}

impl Line {
    async fn run(&self, script: &Script, connection: Connection, deadline: Instant) -> Result<Output, SshError> {
        let fresh = Kept::default();
        let kept = match connection {
            Connection::Kept => &self.session,
            Connection::Fresh => &fresh,
        };
        let session = kept.lend(&self.endpoint, deadline, CONNECT).await?;
        let result = session.exec(self.endpoint.script_command(), script.text().into_bytes(), deadline).await;
        let result = result.map(answer_alone);
        match &result {
            Ok(output) => {
                self.meter.request();
                self.meter.sent(output.bytes_sent);
                self.meter.received(output.bytes_received);
            }
            Err(error) => {
                if error.outcome_unknown() {
                    self.meter.request();
                }
                let slow = matches!(&*error.fault, ssh::Fault::Timeout { .. });
                if connection == Connection::Kept && (slow || session_died(error)) {
                    // It may only have been slow; but the next script shall not find out at its own cost.
                    self.session.forget();
                }
            }
        }
        if connection == Connection::Fresh {
            session.clone().close().await;
        }
        result
    }
}

/// A status that shells give for what cannot be run.
const NOT_RUN: i32 = 126;

/// The output without what the login itself printed before the script began. Where it never began, nothing on standard
/// output is an answer: it may say why, so it stands with the errors, and the status is not that of a success.
fn answer_alone(mut output: Output) -> Output {
    if let Some(said) = said(&output.stdout) {
        output.stdout = said.to_vec();
        return output;
    }
    let noise = std::mem::take(&mut output.stdout);
    if output.success() {
        output.exit = Exit::Status(NOT_RUN);
        output.stderr.extend_from_slice(b"the login ended well but did not run the script that was sent; it said: ");
    }
    output.stderr.extend_from_slice(&noise);
    output
}

/// Through a host to an address beside it, over the kept session.
struct Through {
    hosts: Arc<Hosts>,
    host: String,
    to: std::net::SocketAddr,
}

impl Dial for Through {
    fn dial(&self) -> BoxFuture<'_, Result<Stream, Fault>> {
        async move {
            let Some(line) = self.hosts.line(&self.host) else {
                return Err(Fault::new(FaultKind::NoWay, format!("the kit has no host {:?}", self.host)));
            };
            let session = line.session.lend(&line.endpoint, Instant::now() + CONNECT, CONNECT).await;
            let session = session.map_err(|error| way_fault(&error))?;
            let (host, port) = (self.to.ip().to_string(), self.to.port());
            match session.dial(&host, port, Instant::now() + TUNNEL).await {
                Ok(stream) => Ok(Stream::Tunnel(stream)),
                Err(error) => {
                    if session_died(&error) {
                        line.session.forget();
                    }
                    Err(way_fault(&error))
                }
            }
        }
        .boxed()
    }
}

fn session_died(error: &SshError) -> bool {
    matches!(&*error.fault, ssh::Fault::Lost { .. })
}

fn way_fault(error: &SshError) -> Fault {
    // How long it took is said of the whole attempt.
    let mut detail = format!("SSH to {}: {}", error.target, error.fault);
    if error.attempts > 1 {
        detail += &format!(" ({} attempts)", error.attempts);
    }
    let kind = match &*error.fault {
        // The host was reached: who does not answer is the API server, and the hint is the caller's.
        ssh::Fault::TunnelRefused { .. } if error.nobody_listens() => {
            return Fault::new(FaultKind::Refused, detail);
        }
        ssh::Fault::TunnelRefused { .. } if error.forbidden() => FaultKind::NoWay,
        ssh::Fault::TunnelRefused { .. } => FaultKind::Ssh,
        ssh::Fault::Timeout { .. } | ssh::Fault::NotReached(_) | ssh::Fault::Handshake(_) | ssh::Fault::Lost { .. } => {
            FaultKind::Ssh
        }
        ssh::Fault::Local(_) => FaultKind::Local,
        ssh::Fault::HostKey(_)
        | ssh::Fault::Auth { .. }
        | ssh::Fault::KeyFile(_)
        | ssh::Fault::Refused(_)
        | ssh::Fault::TooLong { .. } => FaultKind::NoWay,
    };
    // What SSH could not do says nothing about the API server behind it.
    Fault { kind, detail, hint: Some(error.hint()) }
}

/// The exit status as a shell would give it.
pub fn status(exit: &Exit) -> i32 {
    match exit {
        Exit::Status(status) => *status,
        Exit::Signal(name) => 128 + signal_number(name),
    }
}

fn signal_number(name: &str) -> i32 {
    match name {
        "HUP" => 1,
        "INT" => 2,
        "QUIT" => 3,
        "ABRT" => 6,
        "KILL" => 9,
        "SEGV" => 11,
        "PIPE" => 13,
        "ALRM" => 14,
        "TERM" => 15,
        _ => 0,
    }
}

/// What the SSH link has to know of a host of the kit.
pub fn endpoint(host: &Host, library: &Library) -> Endpoint {
    let jumps = host.ssh.jumps.iter().map(|jump| hop(&jump.name, jump.address, &jump.ssh, Vec::new(), library));
    hop(&host.name, host.address, &host.ssh, jumps.collect(), library)
}

/// The way to one host, once those before it are passed.
pub(super) fn hop(
    name: &str,
    address: std::net::IpAddr,
    access: &SshAccess,
    jumps: Vec<Endpoint>,
    library: &Library,
) -> Endpoint {
    let known = library.known(name, access);
    Endpoint {
        name: name.to_owned(),
        address: address.to_string(),
        port: access.port,
        user: access.user.clone(),
        identities: access.identities.clone(),
        identities_only: access.identities_only,
        certificates: access.certificates.clone(),
        agent: access.agent.clone(),
        host_keys: HostKeys { known, alias: access.host_key_alias.clone(), host: None },
        jumps,
        sudo: access.sudo,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(exit: Exit, stdout: &str) -> (Exit, String, String) {
        let (stdout, stderr) = (stdout.as_bytes().to_vec(), b"E;".to_vec());
        let output = answer_alone(Output { exit, stdout, stderr, bytes_sent: 0, bytes_received: 0 });
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.exit, text(output.stdout), text(output.stderr))
    }

    /// What is wrong behind the host is no fault of the way to it, and the way's hint would not help.
    #[test]
    fn each_door_on_the_way_has_its_own_hint() {
        let tunnel = |why: &str| ssh::Fault::TunnelRefused { to: "127.0.0.1:6443".into(), why: why.into() };
        for (fault, kind, hint) in [
            (tunnel("Channel open failure (connect failed)"), FaultKind::Refused, None),
            (
                tunnel("Channel open failure (administratively prohibited)"),
                FaultKind::NoWay,
                Some("allowtcpforwarding"),
            ),
            (tunnel("Channel open failure (resource shortage)"), FaultKind::Ssh, Some("ssh ")),
            (ssh::Fault::NotReached(ssh::Reach::Refused), FaultKind::Ssh, Some("ssh -v")),
        ] {
            let said = way_fault(&SshError::sample(fault));
            assert_eq!(said.kind, kind, "{said}");
            let words = said.to_string();
            assert!(
                !words.contains("no way in") && !words.contains("(after "),
                "said again by whoever tells it: {words}"
            );
            assert!(
                said.hint.as_deref().map_or(hint.is_none(), |is| hint.is_some_and(|part| is.contains(part))),
                "{said:?}"
            );
        }
    }

    #[test]
    fn only_what_the_script_printed_is_its_answer() {
        let mark = crate::script::MARK;
        let noisy = alone(Exit::Status(3), &format!("failed=0 updates=3\nmotd {mark}failed=busy\n{mark}"));
        assert_eq!(noisy, (Exit::Status(3), format!("failed=busy\n{mark}"), "E;".into()));
        let quiet = alone(Exit::Status(0), mark);
        assert_eq!(quiet, (Exit::Status(0), String::new(), "E;".into()));
    }

    #[test]
    fn a_login_that_runs_something_else_is_no_success() {
        let (exit, stdout, stderr) = alone(Exit::Status(0), "end=yes\nThis account is a menu\n");
        assert_eq!((exit, stdout.as_str()), (Exit::Status(NOT_RUN), ""));
        assert!(stderr.starts_with("E;the login ended well but did not run") && stderr.contains("a menu"), "{stderr}");
        let refused = alone(Exit::Status(1), "This account is currently not available.\n");
        assert_eq!(refused, (Exit::Status(1), String::new(), "E;This account is currently not available.\n".into()));
    }
}

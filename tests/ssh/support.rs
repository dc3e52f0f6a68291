//! What the tests share: endpoints for hosts of the lab, deadlines, and a runtime.

use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use breakglass::link::ssh::{Endpoint, Fault, HostKeys, KnownHosts, Session, SshError};
use libtest_mimic::{Failed, Trial};
use testbed::{Host, Lab, timed};

pub(crate) type Verdict = Result<(), Failed>;

/// Held by a crowd for itself: beside hundreds of logins on two processors no other test's deadline means anything.
static CROWD: RwLock<()> = RwLock::new(());

/// A test that runs on a runtime of its own.
pub(crate) fn trial<F>(name: &'static str, body: fn() -> F) -> Trial
where
    F: Future<Output = Verdict> + 'static,
{
    Trial::test(name, move || {
        let _beside = CROWD.read().unwrap_or_else(PoisonError::into_inner);
        timed(name, || run(body))
    })
}

/// The same, with no other test of this binary beside it.
pub(crate) fn crowd<F>(name: &'static str, body: fn() -> F) -> Trial
where
    F: Future<Output = Verdict> + 'static,
{
    Trial::test(name, move || {
        let _alone = CROWD.write().unwrap_or_else(PoisonError::into_inner);
        timed(name, || run(body))
    })
}

fn run<F: Future<Output = Verdict>>(body: fn() -> F) -> Verdict {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(body())
}

/// More than anything takes that does not hang, on a machine that is busy with other things.
pub(crate) fn plenty() -> Instant {
    seconds(60)
}

pub(crate) fn seconds(count: u64) -> Instant {
    Instant::now() + Duration::from_secs(count)
}

/// Keys of every host of the lab that exists by now.
pub(crate) fn known() -> Result<HostKeys, Failed> {
    let known = KnownHosts::from_files(&[Lab::shared()?.known_hosts().to_owned()]);
    Ok(HostKeys { known: Arc::new(known), alias: None, host: None })
}

/// `host` as the lab's key gets into it.
pub(crate) fn endpoint(host: &Host) -> Result<Endpoint, Failed> {
    Ok(Endpoint {
        name: host.name().to_owned(),
        address: host.ip4().to_string(),
        port: 22,
        user: "root".to_owned(),
        identities: vec![Lab::shared()?.identity().key().to_owned()],
        identities_only: true,
        certificates: Vec::new(),
        agent: None,
        host_keys: known()?,
        jumps: Vec::new(),
        sudo: false,
    })
}

/// A new host and a session to it.
pub(crate) async fn session(name: &str) -> Result<(Host, Session), Failed> {
    let host = Lab::shared()?.host(name)?;
    let session = Session::connect(&endpoint(&host)?, plenty()).await?;
    Ok((host, session))
}

/// The failure of a connect that must not succeed.
pub(crate) async fn refused(endpoint: &Endpoint, deadline: Instant) -> Result<SshError, Failed> {
    match Session::connect(endpoint, deadline).await {
        Ok(_) => Err("the login succeeded".into()),
        Err(error) => {
            assert!(!error.outcome_unknown(), "{error}");
            assert!(!error.hint().is_empty());
            Ok(error)
        }
    }
}

/// For messages of failed expectations.
pub(crate) fn unexpected(fault: &Fault) -> Failed {
    format!("unexpected: {fault:?}").into()
}

/// Something that is not the same byte over and over.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A folder of the operator's with a file in it.
pub(crate) fn file(name: &str, text: &str) -> Result<PathBuf, Failed> {
    let path = Lab::shared()?.folder("ssh")?.join(name);
    std::fs::write(&path, text)?;
    Ok(path)
}

/// One more SSH server on a host, with options (`Name=value`) of its own instead of those of the host's usual one.
pub(crate) fn sshd(host: &Host, port: u16, options: &[&str]) -> Result<testbed::Running, Failed> {
    let usual = std::fs::read_to_string(host.dir().join("sshd_config"))?;
    let mut lines: Vec<String> = options.iter().map(|option| option.replacen('=', " ", 1)).collect();
    lines.extend([format!("Port {port}"), "PidFile none".to_owned()]);
    // sshd takes the first value of most options, but all host keys and the last MaxStartups.
    let keyword = |line: &str| line.split(' ').next().map(str::to_owned);
    let ours: Vec<_> = lines.iter().map(|line| keyword(line)).collect();
    lines.extend(usual.lines().filter(|line| !ours.contains(&keyword(line))).map(str::to_owned));
    let text = lines.join("\n") + "\n";
    let path = host.dir().join(format!("sshd_config.{port}"));
    std::fs::write(&path, text)?;
    let path = path.display().to_string();
    let running = host.spawn(&["/usr/sbin/sshd", "-D", "-f", &path])?;
    host.wait_for_port(port, Duration::from_secs(60))?;
    Ok(running)
}

//! What a fan-out over 200 hosts costs the operator's machine: connect, check the host key, log in, run `true`, close.
//!
//! `cargo bench --bench ssh_fanout` (as root, on Linux) compares three clients against the same real OpenSSH server, which
//! answers at 200 addresses: this program's sessions, the barest loop over the ssh2 crate, and `xargs -P` with `ssh`.
//! CPU time is that of the client alone, user and system; the servers' is not in it, though they share the machine, so the
//! wall time says little. `cargo bench --bench ssh_fanout -- ROUNDS` changes the number of rounds.

#![expect(clippy::disallowed_macros, reason = "a benchmark prints its result")]

use std::error::Error;
use std::fmt::Write as _;
use std::io::Read as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use breakglass::link::ssh::{Endpoint, HostKeys, KnownHosts, Session};
use futures::StreamExt as _;
use testbed::Lab;

type Client<'a> = (&'a str, &'a dyn Fn(&Field) -> Outcome<()>);
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const HOSTS: usize = 200;
const IN_FLIGHT: usize = 64;
const PORT: u16 = 2222;

fn main() -> ExitCode {
    testbed::run_isolated(|| match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ssh_fanout: {error}");
            ExitCode::FAILURE
        }
    })
}

/// Where the 200 are, and how to get in.
struct Field {
    addresses: Vec<String>,
    key: PathBuf,
    known_hosts: PathBuf,
    config: PathBuf,
    _server: testbed::Running,
    _host: testbed::Host,
}

fn run() -> Outcome<()> {
    // Cargo adds `--bench`.
    let rounds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(7);
    let field = prepare()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let clients: [Client<'_>; 3] =
        [("breakglass", &|field| runtime.block_on(ours(field))), ("bare ssh2", &bare), ("xargs -P ssh", &by_ssh)];
    let mut spent = vec![Vec::new(); clients.len()];
    // Interleaved, so that what else the machine does hits all three; the first round only warms up.
    for round in 0..=rounds {
        for ((_, client), spent) in clients.iter().zip(&mut spent) {
            let (cpu, started) = (cpu()?, Instant::now());
            client(&field)?;
            if round > 0 {
                spent.push((self::cpu()?.saturating_sub(cpu), started.elapsed()));
            }
        }
    }
    println!("{HOSTS} hosts, {IN_FLIGHT} at once, {rounds} rounds; milliseconds for each host, min / median / max");
    let mut medians = Vec::new();
    for ((name, _), spent) in clients.iter().zip(&spent) {
        let [cpu, wall] = [spread(spent.iter().map(|s| s.0)), spread(spent.iter().map(|s| s.1))];
        println!(
            "{name:14} client CPU {:6.2} / {:6.2} / {:6.2}   wall {:6.2} / {:6.2} / {:6.2}",
            cpu[0], cpu[1], cpu[2], wall[0], wall[1], wall[2]
        );
        medians.push(cpu[1]);
    }
    println!(
        "CPU by median: breakglass is {:.2} times bare ssh2; ssh is {:.1} times breakglass",
        medians[0] / medians[1],
        medians[2] / medians[0]
    );
    Ok(())
}

/// Smallest, middle and largest, in milliseconds for each host.
fn spread(times: impl Iterator<Item = Duration>) -> [f64; 3] {
    let mut all: Vec<f64> = times.map(|time| time.as_secs_f64() * 1000.0 / 200.0).collect();
    all.sort_by(f64::total_cmp);
    [all[0], all[all.len() / 2], all[all.len() - 1]]
}

/// CPU time of this process and of the children it has waited for. The lab's hosts are not waited for while it lives.
fn cpu() -> Outcome<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields[11..15].iter().map(|field| field.parse::<u64>()).sum::<Result<_, _>>()?;
    // A tick is 10 ms wherever Linux lets programs see one.
    Ok(Duration::from_millis(ticks * 10))
}

fn prepare() -> Outcome<Field> {
    let lab = Lab::shared()?;
    let host = lab.host("many")?;
    // Its shell reads no start-up files.
    host.add_user("ops", false)?;
    let addresses: Vec<String> = (1..=HOSTS).map(|n| format!("10.91.0.{n}")).collect();
    let batch =
        addresses.iter().fold(String::new(), |text, address| text + &format!("addr add {address}/32 dev eth0\n"));
    host.command_within(&["ip", "-batch", "-"], batch.as_bytes(), Duration::from_secs(30))?.ok()?;
    if !Command::new("ip").args(["route", "add", "10.91.0.0/24", "dev", "br0"]).status()?.success() {
        return Err("no route to the addresses".into());
    }
    let usual = std::fs::read_to_string(host.dir().join("sshd_config"))?;
    let kept = usual.lines().filter(|line| !line.starts_with("MaxStartups") && !line.starts_with("PidFile"));
    let text = kept.fold(format!("Port {PORT}\nPidFile none\nMaxStartups 1000\n"), |text, line| text + line + "\n");
    let sshd_config = host.dir().join("sshd_config.bench");
    std::fs::write(&sshd_config, text)?;
    let server = host.spawn(&["/usr/sbin/sshd", "-D", "-f", &sshd_config.display().to_string()])?;
    host.wait_for_port(PORT, Duration::from_secs(20))?;

    let folder = lab.folder("bench")?;
    let (known_hosts, config, key) = (folder.join("known_hosts"), folder.join("config"), host.host_key()?);
    let known = addresses.iter().fold(String::new(), |mut text, address| {
        let _ = writeln!(text, "[{address}]:{PORT} {key}");
        text
    });
    std::fs::write(&known_hosts, known)?;
    let identity = lab.identity().key().to_owned();
    let text = format!(
        "Host *\n User ops\n Port {PORT}\n IdentityFile {}\n IdentitiesOnly yes\n UserKnownHostsFile {}\n GlobalKnownHostsFile /dev/null\n \
         StrictHostKeyChecking yes\n BatchMode yes\n",
        identity.display(),
        known_hosts.display()
    );
    std::fs::write(&config, text)?;
    Ok(Field { addresses, key: identity, known_hosts, config, _server: server, _host: host })
}

async fn ours(field: &Field) -> Outcome<()> {
    let known = Arc::new(KnownHosts::from_files(std::slice::from_ref(&field.known_hosts)));
    let all = futures::stream::iter(&field.addresses).map(|address| {
        let endpoint = Endpoint {
            name: address.clone(),
            address: address.clone(),
            port: PORT,
            user: "ops".into(),
            identities: vec![field.key.clone()],
            identities_only: true,
            certificates: Vec::new(),
            agent: None,
            host_keys: HostKeys { known: Arc::clone(&known), alias: None, host: None },
            jumps: Vec::new(),
            sudo: false,
        };
        async move {
            let deadline = Instant::now() + Duration::from_secs(60);
            let session = Session::connect(&endpoint, deadline).await?;
            let output = session.exec("true", Vec::new(), deadline).await?;
            session.close().await;
            Ok::<_, Box<dyn Error + Send + Sync>>(output.success())
        }
    });
    let mut all = all.buffer_unordered(IN_FLIGHT);
    while let Some(done) = all.next().await {
        if !done? {
            return Err("`true` failed".into());
        }
    }
    Ok(())
}

fn bare(field: &Field) -> Outcome<()> {
    let next = AtomicUsize::new(0);
    let failed: Mutex<Option<String>> = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..IN_FLIGHT {
            scope.spawn(|| {
                while let Some(address) = field.addresses.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let (Err(error), Ok(mut failed)) = (bare_one(address, field), failed.lock()) {
                        *failed = Some(format!("{address}: {error}"));
                    }
                }
            });
        }
    });
    failed.into_inner()?.map_or(Ok(()), |error| Err(error.into()))
}

fn bare_one(address: &str, Field { key, known_hosts, .. }: &Field) -> Outcome<()> {
    #[expect(clippy::disallowed_methods, reason = "the bare library is what we compare with")]
    let mut session = ssh2::Session::new()?;
    session.set_tcp_stream(TcpStream::connect((address, PORT))?);
    session.handshake()?;
    let mut known = session.known_hosts()?;
    known.read_file(known_hosts, ssh2::KnownHostFileKind::OpenSSH)?;
    let (shown, _) = session.host_key().ok_or("no host key")?;
    if !matches!(known.check_port(address, PORT, shown), ssh2::CheckResult::Match) {
        return Err("host key not known".into());
    }
    session.userauth_pubkey_file("ops", None, Path::new(key), None)?;
    let mut channel = session.channel_session()?;
    channel.exec("true")?;
    channel.read_to_end(&mut Vec::new())?;
    channel.wait_close()?;
    if channel.exit_status()? == 0 { Ok(()) } else { Err("`true` failed".into()) }
}

fn by_ssh(field: &Field) -> Outcome<()> {
    let mut xargs = Command::new("xargs");
    xargs.args(["-P", &IN_FLIGHT.to_string(), "-I", "{}", "ssh", "-F"]).arg(&field.config).args(["{}", "true"]);
    let list = field.config.with_file_name("list");
    std::fs::write(&list, field.addresses.join("\n") + "\n")?;
    let status = xargs.stdin(Stdio::from(std::fs::File::open(list)?)).status()?;
    if status.success() { Ok(()) } else { Err(format!("xargs ended with {status}").into()) }
}

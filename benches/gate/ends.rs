//! From the command to the end of a storm: the program, and prepared scripts of ssh, nft, ss and curl.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tempfile::TempDir;
use testbed::{API_PORT, Curl, Host, Kit, Lab, OPERATOR_IP4, Output, Probe, Running, STORM, Storm, User};

use crate::close::rules;
use crate::figures::machine;

const SCRIPT: &str = include_str!("ends.sh");
/// A storm that has not ended by then is said to go on.
const LIMIT: Duration = Duration::from_secs(150);
/// So many small GETs in a row, each over a new connection and each within [`QUICK`], make a server in good order.
const ROW: usize = 10;
const QUICK: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_millis(100);
/// How long a lone kubectl may try.
const PATIENCE: Duration = Duration::from_mins(1);

/// What ends, or does not end, a storm.
type Peer = (&'static str, fn(&Field) -> Command);

pub(crate) fn run(program: &Path, rounds: usize) -> Result<()> {
    let lab = Lab::shared()?;
    let hosts = lab.hosts(["cp1", "nodes"])?;
    let storm = Storm::start(lab, &hosts[0], &hosts[1], &STORM)?;
    let field = Field::new(program, &storm, &hosts[0], &hosts[1])?;
    println!("\nthe storm: {}; {}", storm.agents()?, machine()?);
    println!("a lone kubectl delete: {}", lone_kubectl(&storm)?);
    let peers: [Peer; 3] = [
        ("breakglass run api-overload", |field| field.breakglass()),
        ("ends.sh: gate, DELETE, its pods and its binding, open at once", |field| field.script("all")),
        ("ends.sh: gate, DELETE, open at once", |field| field.script("delete")),
    ];
    let mut all = peers.map(|(name, _)| (name, Vec::<Option<Duration>>::new()));
    for round in 0..rounds {
        // Whoever goes first in one round goes last in the next.
        for turn in 0..peers.len() {
            let at = (turn + round) % peers.len();
            let took = field.ended(&mut peers[at].1(&field))?;
            println!("  round {}: {}: {}", round + 1, peers[at].0, words(took));
            all[at].1.push(took);
            storm.blow_again()?;
        }
    }
    println!("\nfrom the command to the end of the storm, {rounds} rounds; seconds, min median max");
    for (name, mut times) in all {
        // What did not end comes last.
        times.sort_by_key(|took| took.unwrap_or(Duration::MAX));
        let of = |at: usize| words(times[at]);
        println!("{name:62} {} {} {}", of(0), of(times.len() / 2), of(times.len() - 1));
    }
    println!("at the end: {}", machine()?);
    Ok(())
}

fn words(took: Option<Duration>) -> String {
    took.map_or_else(|| format!("not within {}", LIMIT.as_secs()), |took| format!("{:.1}", took.as_secs_f32()))
}

/// A storm and what either peer needs to end it.
struct Field<'a> {
    program: &'a Path,
    storm: &'a Storm,
    api: &'a Host,
    nodes: &'a Host,
    folder: TempDir,
    /// The folder of alice's certificate and key, and of the cluster's CA certificate.
    credentials: PathBuf,
}

impl<'a> Field<'a> {
    fn new(program: &'a Path, storm: &'a Storm, api: &'a Host, nodes: &'a Host) -> Result<Self> {
        let folder = TempDir::new()?;
        let files = storm.plane().access().credential_files(User::Alice)?;
        let credentials = files[0].parent().context("a file in no folder")?.to_owned();
        Kit::direct(std::slice::from_ref(api)).and_nodes(std::slice::from_ref(nodes)).with_credentials(&files).write(
            Lab::shared()?,
            &folder.path().join("kit"),
            "lab",
        )?;
        fs::write(folder.path().join("rules"), rules())?;
        fs::write(folder.path().join("ends.sh"), SCRIPT)?;
        Ok(Self { program, storm, api, nodes, folder, credentials })
    }

    fn breakglass(&self) -> Command {
        let mut command = crate::program(self.program, self.folder.path());
        command.args(["run", "api-overload", "--cluster", "lab", "-p", "offender=ds/telemetry/telemetry-agent"]);
        command.args(["-p", "delete=true", "--yes", "--reason", "a benchmark"]);
        command
    }

    fn script(&self, way: &str) -> Command {
        let mut command = Command::new("sh");
        let file = |name: &str| self.folder.path().join(name);
        command.arg(file("ends.sh")).arg(Lab::shared().map_or(Path::new(""), Lab::ssh_config)).arg(file("rules"));
        command.arg(OPERATOR_IP4.to_string()).arg(self.api.name()).arg(&self.credentials);
        command.arg(self.storm.plane().access().endpoint()).arg(way).stdin(Stdio::null());
        command
    }

    /// From the command until nodes get in again, no collector is left, and the server is in good order; `None`: not in time.
    fn ended(&self, command: &mut Command) -> Result<Option<Duration>> {
        let began = Instant::now();
        let mut running = Running::start(command, b"")?;
        let curl = Curl::new(self.storm.plane().access(), User::Alice)?;
        let url = format!("{}/api/v1/namespaces/kube-system", self.storm.plane().access().endpoint());
        let (mut row, mut since) = (0, began);
        while began.elapsed() < LIMIT {
            let asked = Instant::now();
            let calm = !running.is_running()
                && self.storm.agents()?.agents == 0
                && self.nodes.probe(self.api.ip4(), API_PORT, QUICK)? == Probe::Open
                && curl.get(&url, QUICK).ok().is_some_and(|answer: Output| answer.success() && answer.took < QUICK);
            since = if calm && row == 0 { asked } else { since };
            row = if calm { row + 1 } else { 0 };
            if row == ROW {
                return Ok(Some(since - began));
            }
            thread::sleep(EVERY);
        }
        self.api
            .sh("nft delete table inet byhand 2>/dev/null; nft delete table inet breakglass 2>/dev/null; true")?
            .ok()?;
        Ok(None)
    }
}

/// Deletes a bystander, so that the storm goes on.
fn lone_kubectl(storm: &Storm) -> Result<String> {
    let kubectl = storm.plane().kubectl(User::Alice)?;
    let arguments = ["delete", "daemonset", "bystander-0", "--wait=false"];
    Ok(match kubectl.run_within(&arguments, b"", PATIENCE) {
        Ok(output) => format!("ended with {} after {:.1} s", output.code, output.took.as_secs_f32()),
        Err(_) => format!("nothing in {} s", PATIENCE.as_secs()),
    })
}

//! A recovery API server on clusters of two sizes: how soon it listens and is ready, and what it holds in memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use testbed::{ControlPlane, Host, Kit, Lab, Options, Running, User, ballast, wait_until};

use crate::figures::machine;

const LIMIT: Duration = Duration::from_mins(3);
/// How long after it is ready its memory is read.
const SETTLED: Duration = Duration::from_secs(5);
/// So many pods of 10 KB, one size after another.
const SIZES: [usize; 2] = [2_000, 20_000];
const PEERS: [(&str, &[&str]); 2] =
    [("without a watch cache, as it is", &[]), ("with one", &["--set", "watch-cache=true"])];

/// From the command: until it listens, until it is ready; and its memory, once it has settled and at most, in MB.
struct Sample([f64; 4]);

pub(crate) fn run(program: &Path, rounds: usize) -> Result<()> {
    let lab = Lab::shared()?;
    let host = lab.host("cp1")?;
    let plane = ControlPlane::start(lab, &[&host], &Options::default())?;
    let folder = TempDir::new()?;
    let files = plane.access().credential_files(User::Masters)?;
    Kit::direct(std::slice::from_ref(&host)).with_credentials(&files).write(lab, &folder.path().join("kit"), "lab")?;
    for pods in SIZES {
        ballast(plane.access(), [pods, 0, 0])?;
        println!("\n{pods} pods of 10 KB; {}", machine()?);
        let mut all = PEERS.map(|_| Vec::<Sample>::new());
        for round in 0..rounds {
            // Whoever goes first in one round goes last in the next.
            for turn in 0..PEERS.len() {
                let at = (turn + round) % PEERS.len();
                all[at].push(sample(program, folder.path(), &host, &files, PEERS[at].1)?);
            }
        }
        println!(
            "{rounds} rounds, min / median / max: s until it listens, s until it is ready, MB settled, MB at most"
        );
        for ((name, _), samples) in PEERS.into_iter().zip(all) {
            let columns = (0..4).map(|column| {
                let mut values: Vec<f64> = samples.iter().map(|sample| sample.0[column]).collect();
                values.sort_by(f64::total_cmp);
                format!("{:.1} / {:.1} / {:.1}", values[0], values[values.len() / 2], values[values.len() - 1])
            });
            println!("{name:32} {}", columns.collect::<Vec<_>>().join("   "));
        }
    }
    println!("at the end: {}", machine()?);
    Ok(())
}

fn sample(program: &Path, folder: &Path, host: &Host, files: &[PathBuf; 3], flags: &[&str]) -> Result<Sample> {
    let run = |words: &[&str]| {
        let command = &mut crate::program(program, folder);
        Running::start(command.args(words).args(["--cluster", "lab", "--yes"]), b"")?.wait(LIMIT)?.ok()
    };
    let began = Instant::now();
    run(&[&["recovery-apiserver", "start", "--reason", "a benchmark"], flags].concat())?;
    let listens = began.elapsed().as_secs_f64();
    let [_, cert, key] = files.each_ref().map(|file| file.display().to_string());
    let url = "https://127.0.0.1:16443/readyz";
    let asks = ["-skS", "--max-time", "5", "--cert", &cert, "--key", &key, url];
    let mut said = String::new();
    let waited = wait_until("a recovery API server that is ready", LIMIT, || {
        let output = host.in_network(|| Running::start(Command::new("curl").args(asks), b"")?.wait(LIMIT))?;
        said = output.stdout + &output.stderr;
        Ok(said == "ok")
    });
    waited.with_context(|| format!("it said: {said}"))?;
    let is_ready = began.elapsed().as_secs_f64();
    std::thread::sleep(SETTLED);
    let of = |process: &&testbed::Process| {
        process.argv.first().is_some_and(|word| word.starts_with("/run/breakglass-recovery/"))
    };
    let processes = host.processes()?;
    let process = processes.iter().find(of).context("no recovery API server")?;
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid))?;
    let memory = |name: &str| -> Result<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no memory")?;
        let kib: f64 = line.split_whitespace().next().context("no number")?.parse()?;
        Ok(kib * 1024.0 / 1e6)
    };
    let sample = Sample([listens, is_ready, memory("VmRSS:")?, memory("VmHWM:")?]);
    ensure!(sample.0[2] > 10.0, "that is no API server");
    run(&["recovery-apiserver", "stop"])?;
    Ok(sample)
}

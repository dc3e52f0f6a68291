//! From the command to the one request that gets through, in a storm that goes on: by a gate, by a recovery API server, by both.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tempfile::TempDir;
use testbed::{Kit, Lab, Running, STORM, Storm, User};

use crate::figures::machine;

const LIMIT: Duration = Duration::from_mins(3);
/// For a gate to be opened, and a recovery API server to be ended.
const AFTER: Duration = Duration::from_mins(1);
const GATE: &str = "{name: gate, kind: gate-close}";
const BESIDE: &str = "{name: beside, kind: recovery-apiserver-start, with: {wait: false}}";

pub(crate) fn run(program: &Path, rounds: usize) -> Result<()> {
    let lab = Lab::shared()?;
    let hosts = lab.hosts(["cp1", "nodes"])?;
    let storm = Storm::start(lab, &hosts[0], &hosts[1], &STORM)?;
    let folder = TempDir::new()?;
    let files = storm.plane().access().credential_files(User::Masters)?;
    Kit::direct(&hosts[..1]).and_nodes(&hosts[1..]).with_credentials(&files).write(
        lab,
        &folder.path().join("kit"),
        "lab",
    )?;
    storm.wait_risen()?;
    println!("\nthe storm: {}; {}", storm.agents()?, machine()?);
    let peers: [(&str, &[&str]); 4] = [
        ("a gate", &[GATE]),
        ("a recovery API server", &[BESIDE]),
        ("a recovery API server, then a gate", &[BESIDE, GATE]),
        ("a gate, then a recovery API server", &[GATE, BESIDE]),
    ];
    let mut all = peers.map(|(name, _)| (name, Vec::<Duration>::new()));
    for round in 0..rounds {
        // Whoever goes first in one round goes last in the next.
        for turn in 0..peers.len() {
            let at = (turn + round) % peers.len();
            let victim = round * peers.len() + turn;
            let file = folder.path().join("through.yaml");
            fs::write(&file, runbook(peers[at].1, victim))?;
            let run = |words: &[&str], limit| {
                Running::start(crate::program(program, folder.path()).args(words).args(["--cluster", "lab"]), b"")?
                    .wait(limit)
            };
            let file = file.to_str().context("no path")?;
            let began = Instant::now();
            let output = run(&["run", file, "--yes", "--reason", "a benchmark"], LIMIT)?;
            let took = began.elapsed();
            println!("  round {}: {}: {:.1} s, exit code {}", round + 1, peers[at].0, took.as_secs_f32(), output.code);
            if !output.success() {
                println!("{}{}", output.stdout, output.stderr);
            }
            all[at].1.push(took);
            run(&["gate", "open", "--at-once", "--yes"], AFTER)?;
            run(&["recovery-apiserver", "stop", "--yes"], AFTER)?.ok()?;
            storm.wait_risen()?;
        }
    }
    println!("\nfrom the command to its end, the request answered, {rounds} rounds; seconds, min median max");
    for (name, mut times) in all {
        times.sort();
        let of = |at: usize| times[at].as_secs_f32();
        println!("{name:40} {:.1} {:.1} {:.1}", of(0), of(times.len() / 2), of(times.len() - 1));
    }
    println!("at the end: {}", machine()?);
    Ok(())
}

/// These steps, and the deletion of a bystander, so that the storm goes on.
fn runbook(before: &[&str], victim: usize) -> String {
    let steps: String = before.iter().map(|step| format!("  - {step}\n")).collect();
    format!(
        "apiVersion: breakglass/v1\nkind: Runbook\nmetadata: {{name: through, purpose: one request}}\nspec:\n  steps:\n{steps}  - \
         {{name: through, kind: delete, with: {{object: daemonset/default/bystander-{victim}}}}}\n"
    )
}

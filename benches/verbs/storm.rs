//! The seconds that count: from the command to the offender's end, while the server drowns.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tempfile::TempDir;
use testbed::{Kit, Lab, STORM, Storm, User};

use crate::figures::machine;
use crate::scene;

/// How long a lone kubectl may try.
const PATIENCE: Duration = Duration::from_mins(1);
const RECOVERY: [&str; 12] = [
    "run",
    "api-overload",
    "--cluster",
    "lab",
    "-p",
    "offender=daemonsets.apps/telemetry/telemetry-agent",
    "-p",
    "delete=true",
    "--yes",
    "-o",
    "json",
    "--no-canary",
];

/// Each round has a storm of its own: the first cure ends it.
pub(crate) fn run(program: &Path, rounds: usize) -> Result<()> {
    let lab = Lab::shared()?;
    for round in 1..=rounds {
        let hosts = lab.hosts([format!("cp{round}"), format!("nodes{round}")])?;
        let storm = Storm::start(lab, &hosts[0], &hosts[1], &STORM)?;
        println!("\nround {round}: {}; {}", storm.agents()?, machine()?);
        println!("  a lone kubectl delete: {}", lone_kubectl(&storm)?);
        let folder = TempDir::new()?;
        Kit::direct(&hosts[..1])
            .and_nodes(&hosts[1..])
            .with_credentials(&storm.plane().access().credential_files(User::Alice)?)
            .write(lab, &folder.path().join("kit"), "lab")?;
        println!("  breakglass {}", RECOVERY.join(" "));
        recover(scene::program(program, folder.path(), "kit").args(RECOVERY))?;
    }
    Ok(())
}

/// A bystander is deleted, so that the storm goes on.
fn lone_kubectl(storm: &Storm) -> Result<String> {
    let kubectl = storm.plane().kubectl(User::Alice)?;
    let began = Instant::now();
    let arguments = ["delete", "daemonset", "bystander-0", "--wait=false"];
    Ok(match kubectl.run_within(&arguments, b"", PATIENCE) {
        Ok(output) if output.success() => format!("done after {:.1} s", output.took.as_secs_f32()),
        Ok(output) => format!("failed after {:.1} s: {}", output.took.as_secs_f32(), output.stderr.trim()),
        Err(_) => format!("still nothing after {:.1} s, killed", began.elapsed().as_secs_f32()),
    })
}

/// Prints what the program has confirmed and when, until the deletion is; the rest of the run is not waited for.
fn recover(command: &mut Command) -> Result<()> {
    let began = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
    let lines = BufReader::new(child.stdout.take().context("no output")?).lines();
    let told = milestones(lines, began);
    // The storm and its host end with this round, so nothing is left half done.
    child.kill()?;
    child.wait()?;
    told
}

fn milestones(lines: impl Iterator<Item = std::io::Result<String>>, began: Instant) -> Result<()> {
    // A change's end does not name its step; its beginning does.
    let mut names = BTreeMap::new();
    let mut steps = BTreeMap::new();
    let mut last = String::new();
    for line in lines {
        let line = line?;
        let event: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
        match event["event"].as_str() {
            Some("step-started") => {
                names.insert(event["step"].as_u64(), event["name"].as_str().unwrap_or_default().to_owned());
            }
            Some("change-sent") => {
                steps.insert(event["id"].as_u64(), names.get(&event["step"].as_u64()).cloned().unwrap_or_default());
            }
            Some("change-ended") => {
                let step = steps.get(&event["id"].as_u64()).map_or("", String::as_str);
                let (state, said) = (event["state"].as_str().unwrap_or("?"), event["said"].as_str().unwrap_or("?"));
                println!("  {:6.1} s  {step}: {state}, {said}", began.elapsed().as_secs_f32());
                if step == "delete-offender" && state == "done" {
                    return Ok(());
                }
            }
            Some("trouble") => println!("  {:6.1} s  {}", began.elapsed().as_secs_f32(), event["what"]),
            _ => {}
        }
        last = line;
    }
    bail!("the run ended without a confirmed DELETE: {last}")
}

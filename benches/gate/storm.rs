//! How soon a gate helps: from the command, and from the block itself, until small GETs are quick again.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use tempfile::TempDir;
use testbed::{Curl, Kit, Lab, Output, Running, STORM, Storm, User};

use crate::figures::machine;

const LIMIT: Duration = Duration::from_secs(20);
/// Longer than any server here takes to come back.
const LONG: Duration = Duration::from_mins(2);
const QUICK: Duration = Duration::from_millis(100);
/// So many in a row, one each [`EVERY`], make a p99 that counts: five seconds' worth.
const ROW: usize = 25;
const EVERY: Duration = Duration::from_millis(200);

pub(crate) fn run(program: &Path) -> Result<()> {
    let lab = Lab::shared()?;
    let hosts = lab.hosts(["cp1", "nodes"])?;
    let storm = Storm::start(lab, &hosts[0], &hosts[1], &STORM)?;
    println!("\nthe storm: {}; {}", storm.agents()?, machine()?);
    let folder = TempDir::new()?;
    Kit::direct(&hosts[..1]).with_credentials(&storm.plane().access().credential_files(User::Alice)?).write(
        lab,
        &folder.path().join("kit"),
        "lab",
    )?;
    let mut close = crate::program(program, folder.path());
    close.args(["gate", "close", "--cluster", "lab", "--yes", "--reason", "a benchmark"]);
    let began = Instant::now();
    let closing = Running::start(&mut close, b"")?;
    let closing = thread::spawn(move || closing.wait(LONG));
    let mut blocked = None;
    while blocked.is_none() {
        ensure!(began.elapsed() < LONG, "no gate within {LONG:?}");
        let refused = hosts[1].probe(hosts[0].ip4(), testbed::API_PORT, LIMIT)? == testbed::Probe::Refused;
        blocked = refused.then(Instant::now);
        thread::sleep(Duration::from_millis(20));
    }
    let blocked = blocked.unwrap_or(began);
    let (first, quick) = until_quick(&storm, blocked)?;
    let closing = closing.join().map_err(|_| anyhow!("the wait for it panicked"))??;
    ensure!(closing.success(), "{closing:?}");
    println!("  {:6.1} s  from the command to the block", (blocked - began).as_secs_f32());
    println!("  {:6.1} s  from the command to its end, proved closed", closing.took.as_secs_f32());
    println!("  {:6.1} s  from the block to the first answer to a small GET", first.as_secs_f32());
    println!("  {:6.1} s  from the block to {ROW} in a row within {QUICK:?} each", quick.as_secs_f32());
    println!("at the end: {}", machine()?);
    Ok(())
}

/// From `since` to the first answer, and to the first of a whole row of quick ones.
fn until_quick(storm: &Storm, since: Instant) -> Result<(Duration, Duration)> {
    let curl = Curl::new(storm.plane().access(), User::Alice)?;
    let url = format!("{}/api/v1/namespaces/kube-system", storm.plane().access().endpoint());
    let (mut first, mut row, mut began) = (None, 0, since);
    while row < ROW {
        ensure!(since.elapsed() < LONG, "small GETs are not quick within {LONG:?}");
        let asked = Instant::now();
        let answer = curl.get(&url, LIMIT).ok().filter(Output::success);
        if answer.is_some() {
            first.get_or_insert(since.elapsed());
        }
        if answer.is_some_and(|output| output.took < QUICK) {
            began = if row == 0 { asked } else { began };
            row += 1;
        } else {
            row = 0;
        }
        thread::sleep(EVERY);
    }
    Ok((first.unwrap_or_default(), began - since))
}

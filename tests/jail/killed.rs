//! The program killed at each line of its journal: `resume` or `undo` come to the same end.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Result, ensure};
use testbed::wait_until;

use super::clients::{Client, Who};
use super::scene::{Scene, scene};

/// More lines than the journal of such a run has.
const LINES: usize = 16;

/// Kills a jail as soon as its journal has so many lines; whether it had not come to its end before.
fn killed(scene: &Scene, lines: usize) -> Result<bool> {
    let runs = scene.alice.folder.join("state/runs");
    let all =
        || -> Vec<_> { std::fs::read_dir(&runs).into_iter().flatten().flatten().map(|entry| entry.path()).collect() };
    let before = all();
    let mut command = scene.alice.program(&["jail", "sa/telemetry/agent", "--yes"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let written = || {
        let own = all().into_iter().find(|run| !before.contains(run));
        let text = own.and_then(|run| std::fs::read_to_string(run.join("journal.jsonl")).ok());
        text.map_or(0, |text| text.lines().count())
    };
    let mut ended = false;
    // Closer than any wait of the testbed's: a line may be a millisecond before the next.
    while !ended && written() < lines {
        std::thread::sleep(Duration::from_millis(1));
        ended = child.try_wait()?.is_some();
    }
    child.kill()?;
    child.wait()?;
    Ok(!ended)
}

pub(super) fn anywhere() -> Result<()> {
    let scene = &*scene()?;
    let before = scene.files()?;
    let who = Who::Token(scene.token("agent")?);
    let offender = scene.asks(&Client { who, path: "/api/v1/nodes", pause: Duration::from_millis(20) })?;
    let mut stood = [0; 4];
    for lines in 1..=LINES {
        let broken_off = killed(scene, lines)?;
        // What was sent goes on on its host.
        let mut now = scene.files()?;
        wait_until("hosts at which nothing is under way", super::LONG, || {
            std::thread::sleep(Duration::from_millis(500));
            let before = std::mem::replace(&mut now, scene.files()?);
            Ok(before == now)
        })?;
        let hosts = now.iter().zip(&before).filter(|(now, then)| now != then).count();
        println!("jail: killed at line {lines}, in time: {broken_off}; lines on {hosts} of 3 hosts");
        if broken_off {
            stood[hosts] += 1;
        }
        if broken_off && lines % 2 == 0 {
            let resumed = scene.alice.ends(&["resume", "last", "--yes"])?;
            // Its last line may have come before the kill.
            ensure!(resumed.success() || resumed.stderr.contains("came to its end"), "{resumed:?}");
            offender.answered(500)?;
        }
        scene.alice.run(&["undo", "last", "--yes"])?;
        offender.answered(200)?;
        ensure!(scene.files()? == before, "killed at line {lines}, the files are not what they were");
        if !broken_off {
            break;
        }
    }
    ensure!(stood[0] > 0 && stood[1..].iter().sum::<usize>() > 0, "it was not killed before and after: {stood:?}");
    Ok(())
}

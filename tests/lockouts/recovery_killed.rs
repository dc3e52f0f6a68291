//! The client of a recovery API server is killed at each place of its journal: what it started ends all the same.

use std::fs;

use anyhow::{Result, ensure};
use testbed::{Running, wait_until};

use super::recovery_server::{files, nothing_is_left, server};
use super::{LONG, Scene, scene};

/// Lines of all journals.
fn lines(scene: &Scene) -> usize {
    let runs = fs::read_dir(scene.folder.join("state/runs")).into_iter().flatten().flatten();
    let journals = runs.filter_map(|run| fs::read_to_string(run.path().join("journal.jsonl")).ok());
    journals.map(|text| text.lines().count()).sum()
}

/// Whether a login of the client, or a script that it had started, still lives on the host.
fn is_at_work(scene: &Scene) -> Result<bool> {
    Ok(scene.host().processes()?.iter().any(|process| {
        process.argv.first().is_some_and(|title| title.contains("@notty"))
            || process.argv.iter().any(|word| word == "-s")
    }))
}

/// By itself where it was killed at an odd place, by `undo` where at an even one.
pub(super) fn at_each_place_of_its_journal() -> Result<()> {
    let scene = &*scene()?;
    let before = files(scene)?;
    let (mut place, mut stood) = (0, 0);
    loop {
        place += 1;
        let wanted = lines(scene) + place;
        let start = ["recovery-apiserver", "start", "--mint", "--for", "10s", "--yes"];
        let mut run = Running::start(&mut scene.program(&start), b"")?;
        wait_until("a place in the journal", LONG, || Ok(lines(scene) >= wanted || !run.is_running()))?;
        let is_over = !run.is_running();
        drop(run);
        // What was sent before is carried out all the same.
        wait_until("the end of what the client had sent", LONG, || Ok(!is_at_work(scene)?))?;
        stood += usize::from(server(scene)?.is_some());
        if place % 2 == 0 {
            scene.run(&["undo", "last", "--yes"])?;
        }
        nothing_is_left(scene)?;
        before.changes_until(&files(scene)?).expect_none()?;
        if is_over {
            break;
        }
    }
    println!("killed at {place} places; at {stood} of them it stood");
    ensure!(place > 4 && stood > 1, "killed at {place} places, and at {stood} of them it stood");
    Ok(())
}

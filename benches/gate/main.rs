//! What closing a gate costs, and how soon it helps.
//!
//!     cargo bench --bench gate                     one host and 50, against a prepared shell script, 9 rounds
//!     cargo bench --bench gate -- ROUNDS           another number of rounds
//!     cargo bench --bench gate -- storm            from the command to small GETs that are quick again, on a storm
//!     cargo bench --bench gate -- ends [ROUNDS]    from the command to the end of a storm, against prepared scripts
//!     cargo bench --bench gate -- through [ROUNDS] from the command to one request that gets through in a storm, by a gate and by a
//!                                                  recovery API server
//!     cargo bench --bench gate -- recovery [ROUNDS] from the command to a recovery API server that listens and is ready, and what it
//!                                                  holds, at 2,000 and at 20,000 pods, with and without a watch cache
//!     … -- --program FILE …                        measures that build of the program
//!
//! Needs root and Linux, as the testbed does. What is counted how is in `docs/figures.md`.

#![expect(clippy::disallowed_macros, reason = "a benchmark prints its result")]

mod close;
mod ends;
#[path = "../verbs/figures.rs"]
mod figures;
mod recovery;
mod storm;
mod through;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, ensure};

fn main() -> ExitCode {
    // Kubernetes is built before the isolation, while there is still a way to the Go modules.
    let words: Vec<String> = std::env::args().skip(1).collect();
    let asked = match Asked::read(words.into_iter()) {
        Ok(asked) => asked,
        Err(error) => return failed(&error),
    };
    if asked.what != What::Close
        && let Err(error) = testbed::prepare()
    {
        return failed(&error);
    }
    testbed::run_isolated(|| run(&asked).map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS))
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("gate: {error:?}");
    ExitCode::FAILURE
}

fn run(asked: &Asked) -> Result<()> {
    println!("{}; {}", asked.program.display(), figures::machine()?);
    match asked.what {
        What::Close => close::run(&asked.program, asked.rounds.unwrap_or(9)),
        What::Storm => storm::run(&asked.program),
        What::Through => through::run(&asked.program, asked.rounds.unwrap_or(5)),
        What::Recovery => recovery::run(&asked.program, asked.rounds.unwrap_or(5)),
        What::Ends => ends::run(&asked.program, asked.rounds.unwrap_or(5)),
    }
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Close,
    Storm,
    Ends,
    Through,
    Recovery,
}

/// What was typed.
struct Asked {
    what: What,
    rounds: Option<usize>,
    program: PathBuf,
}

impl Asked {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut asked = Self { what: What::Close, rounds: None, program: env!("CARGO_BIN_EXE_breakglass").into() };
        while let Some(word) = words.next() {
            match word.as_str() {
                // Cargo adds this one.
                "--bench" => {}
                "storm" => asked.what = What::Storm,
                "ends" => asked.what = What::Ends,
                "recovery" => asked.what = What::Recovery,
                "through" => asked.what = What::Through,
                "--program" => asked.program = words.next().context("--program takes a file")?.into(),
                number => {
                    let rounds = number.parse().with_context(|| format!("`{number}` is no number of rounds"))?;
                    ensure!(rounds > 0, "give at least one round");
                    asked.rounds = Some(rounds);
                }
            }
        }
        asked.program = asked.program.canonicalize().with_context(|| asked.program.display().to_string())?;
        Ok(asked)
    }
}

/// The program with an environment of its own; `folder` holds its kit and becomes its home.
fn program(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", folder)
        .env("USER", "alice")
        .env("BREAKGLASS_KIT", folder.join("kit"))
        .env("BREAKGLASS_STATE", folder.join("state"))
        .stdin(Stdio::null());
    command
}

//! What a verb costs, on a real control plane: requests and bytes, wall and processor time, and the seconds until the
//! offender is gone under a storm. Peers run in the same rounds, one after another.
//!
//!     cargo bench --bench verbs                     idle server, 15 rounds
//!     cargo bench --bench verbs -- ROUNDS           another number of rounds
//!     cargo bench --bench verbs -- storm [ROUNDS]   a drowning server, 1 round
//!     … -- --program FILE …                         measures that build of the program
//!
//! Needs root and Linux, as the testbed does. What is counted how is in `docs/figures.md`.

#![expect(clippy::disallowed_macros, reason = "a benchmark prints its result")]

mod figures;
mod idle;
mod scene;
mod storm;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};

fn main() -> ExitCode {
    // Kubernetes is built before the isolation, while there is still a way to the Go modules.
    if let Err(error) = testbed::prepare() {
        return failed(&error);
    }
    testbed::run_isolated(|| run().map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS))
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("verbs: {error:?}");
    ExitCode::FAILURE
}

fn run() -> Result<()> {
    let asked = Asked::read(std::env::args().skip(1))?;
    println!("{}; {}", asked.program.display(), figures::machine()?);
    if asked.storm { storm::run(&asked.program, asked.rounds.unwrap_or(1)) } else { idle::run(&asked) }
}

/// What was typed.
struct Asked {
    storm: bool,
    rounds: Option<usize>,
    program: PathBuf,
}

impl Asked {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut asked = Self { storm: false, rounds: None, program: env!("CARGO_BIN_EXE_breakglass").into() };
        while let Some(word) = words.next() {
            match word.as_str() {
                // Cargo adds this one.
                "--bench" => {}
                "storm" => asked.storm = true,
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

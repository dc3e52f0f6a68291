//! SSH sessions against real OpenSSH servers, and against servers that misbehave.

use std::process::ExitCode;

use libtest_mimic::Trial;

mod commands;
mod support;
mod tunnels;

fn main() -> ExitCode {
    let mut tests: Vec<Trial> = Vec::new();
    tests.extend(commands::tests());
    tests.extend(tunnels::tests());
    testbed::main(tests)
}

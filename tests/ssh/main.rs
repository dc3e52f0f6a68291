//! SSH sessions against real OpenSSH servers, and against servers that misbehave.

use std::process::ExitCode;

use libtest_mimic::Trial;

mod commands;
mod fan_out;
mod logins;
mod names;
mod odd_servers;
mod support;
mod tunnels;

fn main() -> ExitCode {
    let mut tests: Vec<Trial> = Vec::new();
    tests.extend(commands::tests());
    tests.extend(tunnels::tests());
    tests.extend(names::tests());
    tests.extend(logins::tests());
    tests.extend(odd_servers::tests());
    tests.extend(fan_out::tests());
    testbed::main(tests)
}

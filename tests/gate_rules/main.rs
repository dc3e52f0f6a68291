//! The gate's texts on real kernels: what they load, whom they refuse, and how they end by themselves.
//!
//! The shell on the host runs exactly the text that the program sends; what it does is seen with real connections.

#![expect(clippy::disallowed_macros, reason = "a test says the figures it measured on its standard output")]

use std::process::ExitCode;

use libtest_mimic::Trial;

mod counts;
mod expiry;
mod nodes;
mod rules;
mod scripts;
mod shares;
mod stand;
mod streams;

fn main() -> ExitCode {
    let mut tests: Vec<Trial> = Vec::new();
    tests.extend(rules::tests());
    tests.extend(expiry::tests());
    tests.extend(streams::tests());
    tests.extend(nodes::tests());
    tests.extend(shares::tests());
    tests.extend(counts::tests());
    tests.extend(scripts::tests());
    testbed::main(tests)
}

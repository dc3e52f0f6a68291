//! The program. Everything is in the library; a pipe that closes is no signal here, failed writes are passed over.

use std::process::ExitCode;

fn main() -> ExitCode {
    breakglass::descriptors::raise();
    breakglass::cli::main(&breakglass::process::Process::real())
}

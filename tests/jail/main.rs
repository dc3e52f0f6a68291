//! Jails on real API servers: one client is refused by all of them at once, everybody else is served throughout, no request of ours
//! is seen, and what was put on the hosts goes again to the byte, wherever the program was killed.

#![expect(clippy::disallowed_methods, reason = "a test has no `Process` to ask")]
#![expect(clippy::disallowed_macros, reason = "a test says the figures that it measured")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use testbed::{Output, Running, test};

mod clients;
mod figures;
mod killed;
mod one_client;
mod prepared;
mod scene;

/// More than anything takes here, also where storms blow beside it.
const LONG: Duration = Duration::from_mins(10);

fn main() -> ExitCode {
    let mut tests = vec![
        test("an_api_server_is_prepared_in_peace_jails_and_comes_back_to_the_byte", prepared::there_and_back),
        test("one_client_is_refused_by_three_api_servers_and_nobody_else_ever", one_client::nobody_else),
        test("a_jail_that_is_killed_anywhere_is_gone_on_with_or_taken_back_to_the_byte", killed::anywhere),
        test(
            "whatever_stands_in_the_way_of_a_jail_is_told_before_anything_is_written",
            one_client::what_stands_in_the_way,
        ),
    ];
    // For docs/figures.md, and not for every day.
    if let Some(rounds) = std::env::var("BREAKGLASS_JAILS").ok().and_then(|rounds| rounds.parse().ok()) {
        tests.push(test("what_a_jail_costs", move || figures::what_a_jail_costs(rounds)));
    }
    testbed::main_with_kubernetes(tests)
}

/// An engineer with a kit, a home and runs.
struct Engineer {
    folder: PathBuf,
}

impl Engineer {
    /// The program with these arguments.
    fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.folder)
            .env("USER", "alice")
            .env("BREAKGLASS_KIT", self.folder.join("kit"))
            .env("BREAKGLASS_STATE", self.folder.join("state"));
        command
    }

    /// Runs it to its end, however that comes out.
    fn ends(&self, arguments: &[&str]) -> Result<Output> {
        let output = Running::start(&mut self.program(arguments), b"")?.wait(LONG)?;
        println!("$ breakglass {}\n{}{}", arguments.join(" "), output.stdout, output.stderr);
        Ok(output)
    }

    /// The same to its good end; what it printed on both streams, without the breaks of its lines.
    fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = self.ends(arguments)?;
        ensure!(output.success(), "breakglass {} ended with {}: {output:?}", arguments.join(" "), output.code);
        Ok(flat(&output))
    }

    /// The same to a bad end with this code.
    fn fails(&self, arguments: &[&str], code: i32, said: &[&str]) -> Result<()> {
        let output = self.ends(arguments)?;
        ensure!(output.code == code, "breakglass {} ended with {}: {output:?}", arguments.join(" "), output.code);
        let all = flat(&output);
        said.iter().try_for_each(|part| {
            ensure!(all.contains(part), "{part:?} was not said: {all}");
            Ok(())
        })
    }
}

/// What was printed, without the breaks of its lines.
fn flat(output: &Output) -> String {
    format!("{} {}", output.stdout, output.stderr).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// All files of a folder, by name: their bytes, modes and owners.
fn files(folder: &Path) -> Result<Vec<(String, Vec<u8>, u32, u32)>> {
    use std::os::unix::fs::MetadataExt as _;
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let (name, meta) = (entry.file_name().to_string_lossy().into_owned(), entry.metadata()?);
        if meta.is_file() {
            all.push((name, std::fs::read(entry.path())?, meta.mode(), meta.uid()));
        }
    }
    all.sort();
    Ok(all)
}

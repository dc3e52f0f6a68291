//! `tests/testbed/enter SCENARIO`: a shell, or one command, among real hosts and control planes.

use std::{
    env,
    ffi::OsString,
    path::PathBuf,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, ensure};
use testbed::{Lab, is_outside, play_role, run_isolated, scenario};

const USAGE: &str = "usage: tests/testbed/enter SCENARIO [-- COMMAND...]\n       tests/testbed/enter --list";

fn main() -> ExitCode {
    if let Some(code) = play_role() {
        return code;
    }
    let arguments: Vec<String> =
        env::args_os().skip(1).map(OsString::into_string).map(Result::unwrap_or_default).collect();
    let (name, command) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--list"] => {
            for scenario in scenario::SCENARIOS {
                println!("{:<13} {}", scenario.name, scenario.about);
            }
            return ExitCode::SUCCESS;
        }
        [name] if !name.starts_with('-') => (name, scenario::shell()),
        [name, "--", _, ..] => (name, arguments[2..].to_vec()),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let scenario = match scenario::find(name) {
        Ok(scenario) => scenario,
        Err(error) => {
            eprintln!("enter: {error:#}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if is_outside()
        && let Err(error) = build_program().and_then(|()| (scenario.prepare)())
    {
        eprintln!("enter: {error:#}");
        return ExitCode::FAILURE;
    }
    run_isolated(|| {
        walk_in(scenario, &command).unwrap_or_else(|error| {
            eprintln!("enter: {error:#}");
            ExitCode::FAILURE
        })
    })
}

/// Starts the scenario, says what to try, and ends as the command ends.
fn walk_in(scenario: &scenario::Scenario, argv: &[String]) -> Result<ExitCode> {
    let lab = Lab::shared()?;
    eprintln!("{}: {}; starting ...", scenario.name, scenario.about);
    let scene = (scenario.start)(lab).with_context(|| format!("scenario {} did not start", scenario.name))?;
    for hint in &scene.hints {
        eprintln!("  try: {hint}");
    }
    let program = program().context("the program was not built")?;
    let mut command = scene.command(lab, &program, argv)?;
    let ended = command.status().with_context(|| format!("`{}` could not be started", argv.join(" ")))?;
    Ok(ExitCode::from(u8::try_from(testbed::exit_code(ended)).unwrap_or(1)))
}

/// The release binary where there is one, else the one that tests use. Both stand beside this one.
fn program() -> Option<PathBuf> {
    let target = env::current_exe().ok()?.parent()?.parent()?.to_owned();
    ["release", "debug"].iter().map(|profile| target.join(profile).join("breakglass")).find(|path| path.is_file())
}

fn build_program() -> Result<()> {
    if program().is_some() {
        return Ok(());
    }
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--package", "breakglass", "--manifest-path"]);
    let built = command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml")).status().context("no cargo")?;
    ensure!(built.success(), "breakglass could not be built: {built}");
    ensure!(program().is_some(), "breakglass was built, but not beside {}", env::current_exe()?.display());
    Ok(())
}

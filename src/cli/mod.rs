//! The only user of clap: one file per verb, each with its arguments and one function.
//!
//! What was typed ends here: the rooms below see resolved values only. Arguments are read before the runtime is built,
//! so that `--version` costs next to nothing.

mod access;
mod common;
mod completions;
mod delete;
mod disarm;
mod drill;
mod end_pods;
#[cfg(test)]
mod fit;
mod freeze_automation;
mod freeze_pods;
mod gate;
mod jail;
mod journal;
mod kit;
mod options;
mod park;
mod plan;
mod prepare;
mod probe;
mod recovery;
mod refuse_return;
mod release;
mod remove_finalizers;
mod renew_certificates;
mod rescue_manifest;
mod restore_rights;
mod resume;
mod revoke;
mod revoke_tokens;
mod rollback;
mod run;
mod runbook;
mod runs;
mod sandbox;
mod scale_apiserver;
mod show;
mod status;
mod steps;
mod thaw_automation;
mod throttle;
mod top;
#[cfg(test)]
mod typed;
mod undo;

use common::{
    automation, begin, client, clusters, drive, failure, flags, hosts, inputs, last, signals, single, trust, ways,
};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::error::{Class, Failure};
use crate::process::Process;
use crate::render::{Color, Output, Paint, Screen, one_line, show_failure, without_color};

/// Get into a drowning Kubernetes control plane, gate it, remove the offender, re-open in stages
///
/// Examples:
///   breakglass kit check                                    read the kit, in peace
///   breakglass drill api-overload -p offender=ds/ns/agent   look for real, pretend the writes
///   breakglass plan api-overload -p offender=ds/ns/agent    what would be sent; contacts no server
///   breakglass run api-overload -p offender=ds/ns/agent     shows the plan, asks, keeps a journal
///   breakglass delete daemonset/agent -n telemetry --via cp1
///   breakglass undo last                                    take back what stands
///   breakglass status                                       what stands anywhere, and whose it is
#[derive(Debug, Parser)]
#[command(name = "breakglass", version, verbatim_doc_comment, max_term_width = 110)]
#[command(subcommand_required = true, arg_required_else_help = true, subcommand_value_name = "VERB")]
#[command(subcommand_help_heading = "Verbs", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    flags: flags::Flags,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Run(run::RunVerb),
    Drill(drill::Drill),
    Plan(plan::PlanVerb),
    Resume(resume::Resume),
    Undo(undo::Undo),
    Runs(runs::Runs),
    Show(show::Show),
    Status(status::Status),
    Journal(journal::Journal),
    Top(top::Top),
    Gate(gate::Gate),
    Delete(delete::Delete),
    RemoveFinalizers(remove_finalizers::RemoveFinalizers),
    Park(park::Park),
    Release(release::Release),
    Rollback(rollback::Rollback),
    EndPods(end_pods::EndPods),
    FreezePods(freeze_pods::FreezePods),
    Revoke(revoke::Revoke),
    RevokeTokens(revoke_tokens::RevokeTokens),
    Jail(jail::Jail),
    Throttle(throttle::Throttle),
    RestoreRights(restore_rights::RestoreRights),
    Disarm(disarm::Disarm),
    FreezeAutomation(freeze_automation::FreezeAutomation),
    ThawAutomation(thaw_automation::ThawAutomation),
    RefuseReturn(refuse_return::RefuseReturn),
    Probe(probe::Probe),
    Access(access::Access),
    RecoveryApiserver(recovery::RecoveryApiserver),
    RescueManifest(rescue_manifest::RescueManifest),
    RenewCertificates(renew_certificates::RenewCertificates),
    ScaleApiserver(scale_apiserver::ScaleApiserver),
    Prepare(prepare::Prepare),
    Kit(kit::Kit),
    Runbook(runbook::RunbookVerb),
    Sandbox(sandbox::SandboxVerb),
    Steps(steps::Steps),
    Options(options::Options),
    Completions(completions::Completions),
}

/// What every verb works with.
struct App<'a> {
    process: &'a Process,
    flags: flags::Flags,
    output: Output,
    screen: Arc<Screen>,
}

/// Runs the program.
pub fn main(process: &Process) -> ExitCode {
    let name = program(process.args.first());
    let cli = match spare(heeding(command(name), process))
        .try_get_matches_from(&process.args)
        .and_then(|m| Cli::from_arg_matches(&m))
    {
        Ok(cli) => cli,
        Err(error) => return said(&error, process),
    };
    let output = cli.flags.output.output.into();
    let screen = Arc::new(Screen::real(process, cli.flags.output.color.into(), output == Output::Text));
    let app = App { process, flags: cli.flags, output, screen };
    let code = match dispatch(cli.verb, &app) {
        Ok(code) => code,
        Err(failure) => {
            show_failure(&app.screen, app.output, &failure);
            ExitCode::from(failure.class.exit_code())
        }
    };
    told(&app.screen, code)
}

/// The exit code, if all data got out. What a verb did, it did: only a good end is taken back, for a script would go on with
/// half of the data.
fn told(screen: &Screen, code: ExitCode) -> ExitCode {
    let Some(error) = screen.lost() else { return code };
    screen.err(&format!(
        "error: standard output could not be written, what it would have shown is lost: {error}; nothing else was held up by that"
    ));
    if code == ExitCode::SUCCESS { ExitCode::from(Class::Bug.exit_code()) } else { code }
}

fn dispatch(verb: Verb, app: &App) -> Result<ExitCode, Failure> {
    match verb {
        Verb::Run(verb) => verb.run(app),
        Verb::Drill(verb) => verb.run(app),
        Verb::Plan(verb) => verb.run(app),
        Verb::Resume(verb) => verb.run(app),
        Verb::Undo(verb) => verb.run(app),
        Verb::Runs(verb) => verb.run(app),
        Verb::Show(verb) => verb.run(app),
        Verb::Status(verb) => verb.run(app),
        Verb::Journal(verb) => verb.run(app),
        Verb::Top(verb) => verb.run(app),
        Verb::Gate(verb) => verb.run(app),
        Verb::Delete(verb) => verb.run(app),
        Verb::RemoveFinalizers(verb) => verb.run(app),
        Verb::Park(verb) => verb.run(app),
        Verb::Release(verb) => verb.run(app),
        Verb::Rollback(verb) => verb.run(app),
        Verb::EndPods(verb) => verb.run(app),
        Verb::FreezePods(verb) => verb.run(app),
        Verb::Revoke(verb) => verb.run(app),
        Verb::RevokeTokens(verb) => verb.run(app),
        Verb::Jail(verb) => verb.run(app),
        Verb::Throttle(verb) => verb.run(app),
        Verb::RestoreRights(verb) => verb.run(app),
        Verb::Disarm(verb) => verb.run(app),
        Verb::FreezeAutomation(verb) => verb.run(app),
        Verb::ThawAutomation(verb) => verb.run(app),
        Verb::RefuseReturn(verb) => verb.run(app),
        Verb::Probe(verb) => verb.run(app),
        Verb::Access(verb) => verb.run(app),
        Verb::RecoveryApiserver(verb) => verb.run(app),
        Verb::RescueManifest(verb) => verb.run(app),
        Verb::RenewCertificates(verb) => verb.run(app),
        Verb::ScaleApiserver(verb) => verb.run(app),
        Verb::Prepare(verb) => verb.run(app),
        Verb::Kit(verb) => verb.run(app),
        Verb::Runbook(verb) => verb.run(app),
        Verb::Sandbox(verb) => verb.run(app),
        Verb::Steps(verb) => verb.run(app),
        Verb::Options(verb) => Ok(verb.run(app)),
        Verb::Completions(verb) => verb.run(app),
    }
}

/// The whole command line, under the name it was called by.
fn command(name: &'static str) -> clap::Command {
    Cli::command().bin_name(name).after_long_help(exit_codes())
}

/// A variable that is set to nothing says nothing, as everywhere: one that a script left empty is no flag.
fn heeding(command: clap::Command, process: &Process) -> clap::Command {
    let empty = |arg: &clap::Arg| {
        let name = arg.get_env().and_then(std::ffi::OsStr::to_str);
        name.is_some_and(|name| process.env.get(name).is_some_and(String::is_empty))
    };
    let command = command.mut_args(|arg| if empty(&arg) { arg.env(None::<&'static str>) } else { arg });
    command.mut_subcommands(|verb| heeding(verb, process))
}

/// Help that shows what is a verb's own. What every verb takes is listed once, by `options`, as kubectl does.
fn spare(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| if arg.is_global_set() { arg.hide(true) } else { arg });
    command.after_help(OPTIONS).mut_subcommands(spare)
}

/// Where the flags of all verbs stand.
const OPTIONS: &str =
    "The flags that every verb takes, for clusters, connection, safety and output: `breakglass options`";

/// As a plugin, kubectl calls `kubectl-breakglass` and people type `kubectl breakglass`.
fn program(arg: Option<&OsString>) -> &'static str {
    let file = arg.map(Path::new).and_then(Path::file_stem).and_then(|stem| stem.to_str());
    if file.is_some_and(|stem| stem.starts_with("kubectl-")) { "kubectl breakglass" } else { "breakglass" }
}

/// Help, a version, or what is wrong with the command line.
fn said(error: &clap::Error, process: &Process) -> ExitCode {
    let mut text = cleaned(error.render().ansi().to_string(), process);
    if !error.use_stderr() {
        // The marks of our doc comments; whoever reads a terminal is used to these.
        text = text.replace('`', "'");
    }
    let screen = Screen::real(process, color_asked(process), false);
    let print = |paint: Paint| if paint.is_on() { text.clone() } else { without_color(&text) };
    if error.use_stderr() {
        screen.err_lines(&print(screen.err_paint()));
        ExitCode::from(Class::Usage.exit_code())
    } else {
        screen.out(&print(screen.out_paint()));
        told(&screen, ExitCode::SUCCESS)
    }
}

/// What clap says, with the values that it quotes from the command line and from our variables made fit for a terminal.
fn cleaned(said: String, process: &Process) -> String {
    let words = process.args.iter().map(|arg| arg.to_string_lossy());
    let variables = process.env.iter().filter(|(name, _)| name.starts_with("BREAKGLASS_"));
    let typed = words.chain(variables.map(|(_, value)| value.into()));
    typed.fold(said, |said, word| {
        // clap quotes a whole word, or what stands before or after the sign.
        let (name, value) = word.split_once('=').unwrap_or_default();
        [&*word, name, value].into_iter().fold(said, |said, part| match one_line(part) {
            shown if shown == part => said,
            shown => said.replace(part, &shown),
        })
    })
}

/// `--color` of a command line that could not be read as a whole.
fn color_asked(process: &Process) -> Color {
    let mut words = process.args.iter().filter_map(|arg| arg.to_str());
    let flag = words.by_ref().find_map(|word| match word.strip_prefix("--color") {
        Some("") => Some(None),
        Some(value) => value.strip_prefix('=').map(Some),
        None => None,
    });
    match flag.and_then(|value| value.or_else(|| words.next())) {
        Some("always") => Color::Always,
        Some("never") => Color::Never,
        _ => Color::Auto,
    }
}

fn exit_codes() -> String {
    let mut text = String::from("Exit codes:\n    0  done, or nothing to do\n");
    for class in Class::ALL {
        let _ = writeln!(text, "  {:>3}  {}", class.exit_code(), class.meaning());
    }
    let _ = write!(text, "\n{OPTIONS}.");
    text.push_str("\nEvery flag may be set by a variable, BREAKGLASS_ and its name: BREAKGLASS_KIT, BREAKGLASS_VIA.\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command("breakglass").debug_assert();
    }

    #[test]
    fn lost_output_ends_badly_and_hides_no_other_end() {
        let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let screen = Screen::to(full(), std::io::sink());
        assert_eq!(told(&screen, ExitCode::SUCCESS), ExitCode::SUCCESS);
        screen.out("data");
        assert_eq!(told(&screen, ExitCode::SUCCESS), ExitCode::from(1));
        assert_eq!(told(&screen, ExitCode::from(6)), ExitCode::from(6));
    }

    #[test]
    fn an_empty_variable_is_none_of_any_verb() {
        fn asked(command: &clap::Command, names: &mut Vec<String>) {
            names.extend(command.get_arguments().filter_map(|arg| Some(arg.get_env()?.to_str()?.to_owned())));
            command.get_subcommands().for_each(|verb| asked(verb, names));
        }
        let heeded = |value: Option<&str>| {
            let (mut all, mut left) = (Vec::new(), Vec::new());
            asked(&command("breakglass"), &mut all);
            let env = all.iter().filter_map(|name| Some((name.clone(), value?.to_owned()))).collect();
            let process = Process { env, ..Process::real() };
            asked(&heeding(command("breakglass"), &process), &mut left);
            (all, left)
        };
        for value in [None, Some("0")] {
            let (all, left) = heeded(value);
            assert!(all.len() > 20 && all == left, "{all:?}\n{left:?}");
        }
        assert_eq!(heeded(Some("")).1, Vec::<String>::new());
        heeding(command("breakglass"), &Process::real()).debug_assert();
    }

    #[test]
    fn kubectl_finds_it_as_a_plugin() {
        assert_eq!(program(Some(&"/usr/local/bin/kubectl-breakglass".into())), "kubectl breakglass");
        assert_eq!(program(Some(&"target/debug/breakglass".into())), "breakglass");
        assert_eq!(program(None), "breakglass");
    }

    #[test]
    fn what_was_typed_comes_back_as_one_clean_line() {
        for args in [["breakglass", "--what\n\x1b[2Jever=\x1b[32m1"], ["breakglass", "--color=\x1b[32m\nerror: x"]] {
            let process = Process { args: args.map(OsString::from).to_vec(), ..Process::real() };
            let error = command("breakglass").try_get_matches_from(args).unwrap_err();
            let said = without_color(&cleaned(error.render().ansi().to_string(), &process));
            assert!(!said.contains('\x1b') && (said.contains(r"\x1b[32m") || said.contains(r"\x1b[2J")), "{said}");
            assert!(!said.lines().any(|line| line.starts_with("error: x")), "{said}");
        }
    }

    #[test]
    fn the_colours_of_the_help_are_known_as_ours() {
        let help = command("breakglass").render_long_help().ansi().to_string();
        assert!(help.contains('\x1b') && !without_color(&help).contains('\x1b'), "{help:?}");
        let wrong = command("breakglass").try_get_matches_from(["breakglass", "rnu"]).unwrap_err();
        let wrong = wrong.render().ansi().to_string();
        assert!(wrong.contains('\x1b') && !without_color(&wrong).contains('\x1b'), "{wrong:?}");
    }

    #[test]
    fn every_exit_code_is_in_the_help() {
        // As one line: where it breaks is the terminal's.
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let help = one_line(&command("breakglass").render_long_help().to_string());
        for class in Class::ALL {
            let row = one_line(&format!("{} {}", class.exit_code(), class.meaning()));
            assert!(help.contains(&row), "not in the help: {row}");
        }
    }
}

//! `options`

use std::process::ExitCode;

use clap::Args as _;

use super::App;
use super::common::flags::Flags;
use crate::render::without_color;

/// List the flags that every verb takes: clusters, connection, safety, output
#[derive(Debug, clap::Args)]
pub(super) struct Options {}

impl Options {
    pub(super) fn run(self, app: &App) -> ExitCode {
        let text = text().replace('`', "'");
        app.screen.out(&if app.screen.out_paint().is_on() { text } else { without_color(&text) });
        ExitCode::SUCCESS
    }
}

/// Each with its short help, also those that a verb's own short help had no room for.
fn text() -> String {
    let command = Flags::augment_args(clap::Command::new("options")).disable_help_flag(true);
    let command = command.mut_args(|arg| arg.hide_short_help(false).hide_env(true));
    let mut command = command
        .help_template("These go with every verb, before its name or after.\n\n{all-args}{after-help}")
        .max_term_width(110)
        .after_help("Every flag may be set by a variable, BREAKGLASS_ and its name: BREAKGLASS_KIT, BREAKGLASS_VIA.");
    command.render_help().ansi().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{command, spare};

    #[test]
    fn what_every_verb_takes_is_listed_here_and_in_no_verb_s_help() {
        let listed = without_color(&text());
        let mut root = command("breakglass");
        let flags: Vec<String> = root
            .get_arguments()
            .filter(|arg| arg.is_global_set())
            .filter_map(|arg| Some(format!("--{}", arg.get_long()?)))
            .collect();
        assert!(flags.len() > 20, "{flags:?}");
        root = spare(root);
        root.build();
        let mut verbs = Vec::new();
        helps(&mut root, &mut verbs);
        assert!(verbs.len() > 30, "{}", verbs.len());
        for flag in flags {
            let alone = |text: &str| text.split(|c: char| c.is_whitespace() || c == ',').any(|word| word == flag);
            assert!(alone(&listed), "{flag} is not in: {listed}");
            // As an option, at the beginning of a line: an example may use it.
            let shows = |help: &&String| help.lines().any(|line| line.trim_start().starts_with('-') && alone(line));
            assert!(verbs.iter().find(shows).is_none(), "{flag}: {:?}", verbs.iter().find(shows));
        }
        // What doc comments write round an address.
        for help in verbs.iter().chain([&listed]) {
            assert!(!help.contains("<http"), "{help}");
        }
    }

    /// The long help of a verb and of all below it.
    fn helps(command: &mut clap::Command, all: &mut Vec<String>) {
        all.push(without_color(&command.render_long_help().ansi().to_string()));
        command.get_subcommands_mut().for_each(|verb| helps(verb, all));
    }
}

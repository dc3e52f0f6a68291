//! `completions`

use std::process::ExitCode;

use clap_complete::Shell;

use super::{App, command};
use crate::error::{Class, Failure};

/// Print the completions of a shell
///
/// Examples:
///   breakglass completions bash > /etc/bash_completion.d/breakglass
///   breakglass completions zsh > "${fpath[1]}/_breakglass"
///   breakglass completions fish > ~/.config/fish/completions/breakglass.fish
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let text = String::from_utf8(text(self.shell)).map_err(|error| Failure::from_error(Class::Bug, error))?;
        app.screen.out(&text);
        Ok(ExitCode::SUCCESS)
    }
}

fn text(shell: Shell) -> Vec<u8> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command("breakglass"), "breakglass", &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The checked-in files are what the program prints; `BLESS=1` writes them.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "the switch of a test, not of the program")]
    fn the_checked_in_completions_are_current() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
        let files = [
            (Shell::Bash, "breakglass.bash"),
            (Shell::Zsh, "_breakglass"),
            (Shell::Fish, "breakglass.fish"),
            (Shell::Elvish, "breakglass.elv"),
            (Shell::PowerShell, "_breakglass.ps1"),
        ];
        for (shell, name) in files {
            let path = folder.join(name);
            if std::env::var_os("BLESS").is_some() {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(&path, text(shell)).unwrap();
            }
            let stored = std::fs::read(&path).unwrap_or_default();
            assert!(stored == text(shell), "{name} is not what `completions` prints; run this test with BLESS=1");
        }
    }
}

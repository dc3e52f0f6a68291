//! What older versions wrote down as sentences alone, read as values once, here.

use crate::change::{Facts, Op};
use crate::script::Answer;

/// What a host answered to an op: the lines of its script, joined by blanks.
pub(super) fn facts(op: &Op, said: &str) -> Facts {
    let ours = match op {
        Op::Host(command) => !command.quiet && !command.script.is_a_runbook_s(),
        Op::Kube(_) | Op::File(_) | Op::Http(_) | Op::Local(_) => false,
    };
    let begins =
        |word: &str| word.split_once('=').is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_alphanumeric()));
    let lines = said.split_whitespace().filter(|_| ours).fold(String::new(), |lines, word| {
        let between = match (lines.is_empty(), begins(word)) {
            (true, _) => "",
            (false, true) => "\n",
            (false, false) => " ",
        };
        lines + between + word
    });
    Facts { answer: Answer::parse(&lines) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::HostCommand;
    use crate::script::Script;

    fn read(name: &str, said: &str) -> Vec<(String, String)> {
        let script = Script::new(name, "");
        let op = Op::Host(HostCommand { script, fresh_connection: false, idempotent: true, quiet: false });
        facts(&op, said).answer.pairs().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn the_lines_of_an_answer_that_were_made_one_are_told_apart_again() {
        let pairs = |all: &[(&str, &str)]| -> Vec<(String, String)> {
            all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        assert_eq!(read("gate.cut", "before=12 after=0"), pairs(&[("before", "12"), ("after", "0")]));
        assert_eq!(read("gate.cut", "unable=ss is not here"), pairs(&[("unable", "ss is not here")]));
        assert_eq!(read("gate.cut", "the reply was lost; a new look found it made"), []);
        // What a runbook's own text prints means nothing here.
        assert_eq!(read("exec.run", "before=12 after=0"), []);
    }
}

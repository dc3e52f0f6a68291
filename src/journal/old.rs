//! What versions before format 1.3 wrote down as sentences, keys and scripts alone, read as values once, here. The notes made
//! of it have the form that format 1.3 gives them, which does not change any more. No line says which version wrote it, and
//! those versions append to any journal of a format 1: so this is asked for every change that has no note.

use serde_json::{Value, json};

use crate::change::{Change, Facts, Note, Op};
use crate::host::gate::{GateArm, GateClose};
use crate::host::orders::Orders;
use crate::host::swap::{ManifestFolder, ManifestMend, ManifestSwap};
use crate::script::{Answer, Script};

/// What its step remembered of a change.
pub(super) fn note(change: &Change, run: &str) -> Option<Note> {
    let note = match &change.op {
        Op::Host(command) => of_script(&change.key, &command.script, run),
        Op::File(put) => folder(put.path.rsplit_once('/')?.0, run),
        Op::Kube(call) => {
            let revision = call.path.split(['?', '&']).find_map(|one| one.strip_prefix("resourceVersion="))?;
            Some(json!({"revision": revision.parse::<u64>().ok()?}))
        }
        Op::Http(_) | Op::Local(_) => None,
    };
    note.as_ref().map(Note::of)
}

fn of_script(key: &str, script: &Script, run: &str) -> Option<Value> {
    match Orders::read(&script.name, &script.args).ok()? {
        Orders::GateClose(GateClose { spec, back_end, .. }) => {
            let told = script.args.iter().find(|(name, _)| name == "ways");
            let ways: Vec<&str> = told.into_iter().flat_map(|(_, names)| names.split_whitespace()).collect();
            Some(json!({"spec": spec, "back_end": back_end, "ways": ways}))
        }
        Orders::GateArm(GateArm { level, .. }) => {
            let keys =
                [("stage-", "stage"), ("close-again-", "close-again"), ("hold-", "hold-on"), ("follow-", "follow")];
            let (_, purpose) = keys.into_iter().find(|(begins, _)| key.starts_with(begins))?;
            Some(json!({"purpose": purpose, "level": level}))
        }
        Orders::ManifestFolder(ManifestFolder { path, .. }) => folder(&path, run),
        Orders::ManifestMend(ManifestMend { beside }) | Orders::ManifestSwap(ManifestSwap { beside, .. }) => {
            folder(&beside, run)
        }
        _ => None,
    }
}

/// The folder beside the manifests that an exchange keeps its files in.
fn folder(path: &str, run: &str) -> Option<Value> {
    let (_, tag) = path.rsplit_once(&format!("/breakglass-{run}-"))?;
    Some(json!({"tag": tag}))
}

/// What the far side answered: of a host the lines of its script, joined by blanks; of a DELETE whether it left nothing.
pub(super) fn facts(op: &Op, said: &str) -> Facts {
    let ours = match op {
        // What a drill says is what it would have sent.
        Op::Host(command) => !command.quiet && !command.script.is_a_runbook_s() && !said.starts_with("pretended: "),
        Op::Kube(_) => return Facts { gone: said.ends_with(", and it is gone"), ..Facts::default() },
        Op::File(_) | Op::Http(_) | Op::Local(_) => false,
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
    Facts { answer: Answer::parse(&lines), ..Facts::default() }
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

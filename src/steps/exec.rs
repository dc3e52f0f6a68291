//! `exec`: a command of the runbook's author, on hosts or here.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::again::{self, Before};
use super::{Announced, Fault, Kind, Look, Scope, Step, StepError, Survey, Times, params, schema_of};
use crate::change::{Change, HostCommand, Inverse, Keep, LocalCommand, Op, Target};
use crate::duration::HumanDuration;
use crate::kit::Cluster;
use crate::script::Script;
use crate::shell::word;

const KEY: &str = "exec";

/// The kind.
pub(super) struct Exec;

/// Runs a command. One of `run` and `argv` is needed, and one of `undo` and `noUndo`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// What is run: a text for sh.
    #[serde(default)]
    run: Option<String>,
    /// What is run: a program and its arguments, without a shell.
    #[serde(default)]
    argv: Option<Vec<String>>,
    /// On the operator's own machine, not on hosts.
    #[serde(default)]
    local: bool,
    /// A text for sh that only looks: exit status 0 means that nothing has to be done. Hosts only.
    #[serde(default)]
    unless: Option<String>,
    /// What takes it back.
    #[serde(default)]
    undo: Option<Command>,
    /// Why nothing takes it back.
    #[serde(default)]
    no_undo: Option<String>,
    /// Running it twice does no harm: it is repeated when its outcome is not known.
    #[serde(default)]
    idempotent: bool,
    /// Tell the last words of what it prints, and keep them in the journal. Without it only the exit status and how much
    /// it printed are told and kept: it may print secrets.
    #[serde(default)]
    keep_output: bool,
    /// How long it may take.
    #[serde(default = "deadline")]
    deadline: HumanDuration,
}

/// A command: `run` or `argv`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Command {
    /// A text for sh.
    #[serde(default)]
    run: Option<String>,
    /// A program and its arguments, without a shell.
    #[serde(default)]
    argv: Option<Vec<String>>,
}

fn deadline() -> HumanDuration {
    HumanDuration::secs(60)
}

struct Execution {
    command: What,
    undo: Result<What, String>,
    with: Params,
}

/// What is run.
#[derive(Debug, Clone)]
enum What {
    Shell(String),
    Argv(Vec<String>),
}

impl What {
    /// Exactly one of the two forms.
    fn read(name: &str, run: Option<String>, argv: Option<Vec<String>>) -> Result<Self, Fault> {
        match (run, argv) {
            (Some(run), None) if !run.trim().is_empty() => Ok(Self::Shell(run)),
            (None, Some(argv)) if argv.first().is_some_and(|program| !program.is_empty()) => Ok(Self::Argv(argv)),
            (Some(_), Some(_)) => Err(Fault::at(name, "run and argv exclude each other")),
            (None, None) => Err(Fault::at(name, "one of run and argv is needed")),
            _ => Err(Fault::at(name, "it is empty")),
        }
    }

    /// As a text for sh.
    fn text(&self) -> String {
        match self {
            Self::Shell(text) => text.clone(),
            Self::Argv(argv) => argv.iter().map(|text| word(text)).collect::<Vec<_>>().join(" "),
        }
    }

    fn op(&self, name: &str, with: &Params) -> Op {
        let (idempotent, quiet) = (with.idempotent, !with.keep_output);
        if !with.local {
            let script = Script::new(name, self.text()).arg("run", self.text());
            return Op::Host(HostCommand { script, fresh_connection: false, idempotent, quiet });
        }
        let argv = match self {
            Self::Shell(text) => vec!["/bin/sh".into(), "-c".into(), text.clone()],
            Self::Argv(argv) => argv.clone(),
        };
        Op::Local(LocalCommand { argv, idempotent, quiet })
    }
}

impl Kind for Exec {
    fn name(&self) -> &'static str {
        "exec"
    }

    fn doc(&self) -> &'static str {
        "Runs a command on hosts, or on the operator's machine with `local: true`. What takes it back is given in \
         `undo`, or the reason why nothing does in `noUndo`: one of them must be there. With `unless`, a text that only \
         looks, the step does nothing where that succeeds, and looks again afterwards whether it took. Without it, \
         what was done once in a run is not done again. An outcome that is not known (the command may be running still, \
         or ended with another exit status than 0, and only its author knows what it did before that) is asked about, unless the command is `idempotent`. The command itself stands in the plan and in the journal; \
         of what it prints only the amount does, and its exit status, unless `keepOutput` says otherwise. On a host it runs \
         under sh with LC_ALL=C and umask 022, and sees no variable of the login but who logged in and how; what else it \
         needs, it sets itself. No API request."
    }

    fn scope(&self) -> Scope {
        Scope::ApiHosts
    }

    fn scope_of(&self, with: &Value) -> Scope {
        if with["local"] == true { Scope::Local } else { self.scope() }
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let with: Params = params(with)?;
        let mut faults = Vec::new();
        let command = What::read("run", with.run.clone(), with.argv.clone()).map_err(|fault| faults.push(fault));
        let undo = match (&with.undo, &with.no_undo) {
            (Some(undo), None) => {
                What::read("undo", undo.run.clone(), undo.argv.clone()).map(Ok).map_err(|fault| faults.push(fault))
            }
            (None, Some(why)) if !why.trim().is_empty() => Ok(Err(why.clone())),
            (Some(_), Some(_)) => {
                faults.push(Fault::at("undo", "undo and noUndo exclude each other"));
                Err(())
            }
            _ => {
                faults.push(Fault::at("undo", "say what takes it back, or in noUndo why nothing does"));
                Err(())
            }
        };
        if with.local && with.unless.is_some() {
            faults.push(Fault::at("unless", "it looks at hosts, so it cannot stand beside local"));
        }
        match (command, undo) {
            (Ok(command), Ok(undo)) if faults.is_empty() => Ok(Box::new(Execution { command, undo, with })),
            _ => Err(faults),
        }
    }
}

impl Step for Execution {
    fn intent(&self) -> String {
        format!("run {}{}", self.command.text().trim(), if self.with.local { " here" } else { "" })
    }

    fn announce(&self, _: &Target, _: &Cluster) -> Vec<Announced> {
        let before = |script| Announced::look(script, Times::AtMost(3), "is it so already, and did it take");
        let unless = self.unless().map(before);
        let run = Announced::op(self.op(), Times::Once, "the command itself");
        unless.into_iter().chain([run]).collect()
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        async move {
            if let Some(script) = self.unless() {
                let output = look.reads.script(look.target, &script, self.with.deadline.0).await?;
                if output.status == 0 {
                    return Ok(Survey::done());
                }
                // A command that was cut off by its deadline may be running still.
                let open = look.history.last(KEY).is_some_and(|record| record.state.is_open());
                if self.with.idempotent || !open {
                    return Ok(Survey::change(self.change()));
                }
            }
            Ok(match again::before(look.history, KEY, self.with.idempotent, &self.intent())? {
                Before::Made => Survey::done(),
                Before::Ask(question) => Survey { ask: Some(question), ..Survey::default() },
                Before::NotMade => Survey::change(self.change()),
                Before::Repeat => Survey::blind(self.change()),
            })
        }
        .boxed()
    }
}

impl Execution {
    fn unless(&self) -> Option<Script> {
        let text = self.with.unless.as_ref()?;
        Some(Script::new("exec.unless", text.clone()).arg("run", text.clone()))
    }

    fn op(&self) -> Op {
        self.command.op("exec.run", &self.with)
    }

    fn change(&self) -> Change {
        let inverse = match &self.undo {
            Ok(undo) => Inverse::By(Box::new(undo.op("exec.undo", &self.with))),
            Err(why) => Inverse::Impossible(why.clone()),
        };
        Change {
            key: KEY.into(),
            note: None,
            op: self.op(),
            guard: self.with.unless.as_ref().map_or("none".into(), |text| format!("fails: {text}")),
            inverse,
            because: "the runbook says so".into(),
            by_hand: self.command.text(),
            deadline_secs: self.with.deadline.0.as_secs().max(1),
            keep: Keep::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn quiet(with: Value) -> Vec<bool> {
        let with: Params = serde_json::from_value(with).unwrap();
        let what = What::Shell("cat /etc/token".into());
        ["exec.run", "exec.undo"]
            .iter()
            .map(|name| match what.op(name, &with) {
                Op::Host(command) => command.quiet,
                Op::Local(command) => command.quiet,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn what_a_command_prints_is_kept_only_where_the_runbook_says_so() {
        assert_eq!(quiet(json!({"run": "true"})), [true, true]);
        assert_eq!(quiet(json!({"run": "true", "local": true})), [true, true]);
        assert_eq!(quiet(json!({"run": "true", "keepOutput": true})), [false, false]);
        assert_eq!(quiet(json!({"run": "true", "local": true, "keepOutput": true})), [false, false]);
    }
}

//! What verbs are given, from words to values: runbooks, parameters, clusters.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::failure;
use crate::cli::App;
use crate::error::{Class, Failure};
use crate::journal::Header;
use crate::refusal::{Location, Refusal};
use crate::runbook::builtin::Builtin;
use crate::runbook::{COMMAND_LINE, On, Resolved, Runbook};
use crate::yaml::{self, Faults, Tree};
use crate::{bounded, guarded};

/// Parameters whose value is known on the practice cluster.
const KNOWN_IN_SANDBOX: &[(&str, &str)] = &[
    ("offender", crate::sandbox::OFFENDER),
    ("delete", "true"),
    ("memory", "8Gi"),
    // A practice run is over in a minute; a real re-opening takes its time.
    ("window", "3s"),
];

/// A runbook and its parameters.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct RunbookArgs {
    /// The runbook: the name of a built-in one (`breakglass runbook list`), or a file.
    pub(in crate::cli) runbook: String,

    /// A parameter of the runbook; may be given several times.
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    params: Vec<(String, String)>,

    /// A YAML file of parameters; those of the command line win.
    #[arg(long = "params", value_name = "FILE", env = "BREAKGLASS_PARAMS", hide_env_values = true)]
    params_file: Option<PathBuf>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl RunbookArgs {
    /// The runbook with its values, or everything that is wrong with both.
    pub(in crate::cli) fn resolve(&self, app: &App, on: On<'_>) -> Result<Resolved, Failure> {
        if matches!(on, On::NotYet) {
            unused(app);
        }
        let known = if app.flags.clusters.sandbox { KNOWN_IN_SANDBOX } else { &[] };
        let runbook = runbook(app, &self.runbook)?;
        let mut given: BTreeMap<String, String> = known
            .iter()
            .filter(|(name, _)| runbook.params.iter().any(|param| param.name == *name))
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        if let Some(file) = &self.params_file {
            given.extend(params_of(app, file)?);
        }
        given.extend(self.params.iter().cloned());
        runbook.resolve(&given, on).map_err(|all| failure::refused("the runbook", all))
    }
}

/// Says which flags mean nothing to a runbook, whose steps name their own objects and times.
fn unused(app: &App) {
    let connection = &app.flags.connection;
    let given = [
        ("--namespace", connection.namespace.is_some(), "its steps name their namespaces"),
        ("--request-timeout", connection.request_timeout.is_some(), "its steps have a `timeout` of their own"),
    ];
    for (flag, _, why) in given.iter().filter(|(_, given, _)| *given) {
        app.screen.err(&format!("note: {flag} has no effect on a runbook: {why}"));
    }
}

/// The runbook that was named.
pub(in crate::cli) fn runbook(app: &App, name: &str) -> Result<Runbook, Failure> {
    let refused = |all| failure::refused("the runbook", all);
    let path = app.process.cwd.join(name);
    let is_path = name.contains('/') || path.extension().is_some_and(|end| end == "yaml" || end == "yml");
    if !is_path && !path.is_file() {
        let builtin = Builtin::find(name).map_err(|refusal| {
            let failure = refused(vec![refusal]);
            failure.hint("`breakglass runbook list` lists them")
        })?;
        return builtin.runbook().map_err(refused);
    }
    let text = read(&path, "runbook")?;
    Runbook::parse(&text, name).map_err(refused)
}

fn params_of(app: &App, file: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let shown = file.display().to_string();
    let text = read(&app.process.cwd.join(file), "file of parameters")?;
    let mut faults = Faults::new(&shown);
    let root = yaml::parse(&text, &mut faults);
    if let Some(root) = &root
        && !matches!(root.tree, Tree::Map(_))
    {
        faults.refuse(root, "expected NAME: VALUE, one a line", None);
    }
    let json = faults.or(root).map_err(|all| failure::refused("the file of parameters", all))?;
    let Some(Value::Object(map)) = json.map(|root| root.to_json()) else { return Ok(BTreeMap::new()) };
    Ok(map.into_iter().map(|(name, value)| (name, word(&value))).collect())
}

/// A value as it would stand on the command line.
fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(word).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// More than the reader of YAML takes, which says so with the file's name and size.
const LONGEST: usize = 8 << 20;
/// How long whoever writes to a pipe may take to be done.
const PATIENCE: Duration = Duration::from_secs(10);

fn read(path: &Path, what: &str) -> Result<String, Failure> {
    // A pipe or a terminal is whoever typed the command.
    if path.is_file()
        && let Some(open) = guarded::fault(path)
    {
        return Err(Failure::new(Class::Refused, format!("the {what} {open}")).hint(format!("`{}`", open.close())));
    }
    let read = bounded::file_or_pipe(path, LONGEST, PATIENCE);
    let text = read.and_then(|bytes| String::from_utf8(bytes).map_err(std::io::Error::other));
    text.map_err(|error| {
        let sentence = format!("cannot read the {what} {}", path.display());
        Failure::from_error(Class::Refused, anyhow::Error::from(error).context(sentence))
    })
}

/// The names of a run's steps, as far as its runbook can still be read.
pub(in crate::cli) fn step_names(header: &Header) -> Vec<String> {
    again(header).map(|resolved| resolved.steps.into_iter().map(|step| step.name).collect()).unwrap_or_default()
}

/// The runbook of a run that was begun before.
pub(in crate::cli) fn again(header: &Header) -> Result<Resolved, Vec<Refusal>> {
    Runbook::parse(&header.runbook, &format!("the runbook of run {}", header.run))?.resolve_again(&header.params)
}

/// Something that is wrong with the command line as a whole.
pub(in crate::cli) fn refuse(what: impl Into<String>, hint: impl Into<String>) -> Failure {
    let at = Location { file: COMMAND_LINE.into(), ..Location::default() };
    failure::refused("the command", vec![Refusal { at, what: what.into(), hint: Some(hint.into()) }])
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_runbook_that_others_can_write_is_not_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(read(file.path(), "runbook").unwrap(), "");
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o606)).unwrap();
        let failure = read(file.path(), "runbook").unwrap_err();
        assert_eq!(failure.class, Class::Refused);
        assert!(failure.to_string().contains("can be written by others: its mode is 0606"), "{failure}");
        assert_eq!(failure.hints, [format!("`chmod go-w {}`", file.path().display())]);
    }
}

//! Text to a runbook, and a runbook with its values to what a plan is built from.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize as _;
use serde_json::{Map, Value};

use super::file::StepFile;
use super::fill::{Values, give};
use super::params::ParamFile;
use super::params::{CLUSTER, Param};
use super::{On, Resolved, StepDecl, results, schema};
use crate::refusal::{Location, Refusal};
use crate::steps::{self, KINDS};
use crate::words;
use crate::yaml::{self, Faults, Node, Tree};

/// The name of the file that a command line stands for.
pub const COMMAND_LINE: &str = "command line";

/// A runbook that was read and found right as far as that can be said without its values.
#[derive(Debug, Clone)]
pub struct Runbook {
    /// Its name.
    pub name: String,
    /// Its purpose, in one sentence.
    pub purpose: String,
    /// The parameters it declares, in the order of the file, and `cluster`.
    pub params: Vec<Param>,
    /// The text it was read from.
    pub text: String,
    file: String,
    root: Node,
}

impl Runbook {
    /// Reads a runbook. `file` is what its refusals call it.
    ///
    /// # Errors
    /// Everything that is wrong, each with its line and column.
    pub fn parse(text: &str, file: &str) -> Result<Self, Vec<Refusal>> {
        let mut faults = Faults::new(file);
        let Some(root) = yaml::parse(text, &mut faults) else { return Err(faults.into_vec()) };
        yaml::check(&root, &schema::envelope(), "", &mut faults);
        let params = declared(&root, &mut faults);
        let metadata = |key: &str| root.get("metadata").and_then(|m| m.get(key)).and_then(Node::text);
        let runbook = Self {
            name: metadata("name").unwrap_or_default().to_owned(),
            purpose: metadata("purpose").unwrap_or_default().to_owned(),
            params,
            text: text.to_owned(),
            file: file.to_owned(),
            root,
        };
        let values = runbook.defaults();
        runbook.steps(&Values { params: &runbook.params, values: &values, open: true }, &mut faults);
        faults.or(runbook).map_err(lineless)
    }

    /// Fills in values from the command line.
    ///
    /// # Errors
    /// Every value that is unknown, missing or does not fit, and everything that is wrong with the steps they lead to.
    pub fn resolve(&self, given: &BTreeMap<String, String>, on: On<'_>) -> Result<Resolved, Vec<Refusal>> {
        if given.contains_key(CLUSTER) {
            let at = Location { file: COMMAND_LINE.into(), ..Location::default() };
            let what = format!("parameter {CLUSTER:?} is the name of the cluster and cannot be given");
            return Err(vec![Refusal { at, what, hint: Some("choose the cluster with --cluster".into()) }]);
        }
        let given = given.iter().map(|(name, word)| (name.as_str(), word));
        self.with_values(given, on.cluster(), |param, word| param.read(word))
    }

    /// Fills in values that were resolved before, as kept in a journal.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub fn resolve_again(&self, values: &Map<String, Value>) -> Result<Resolved, Vec<Refusal>> {
        self.with_values(values.iter().map(|(name, value)| (name.as_str(), value)), None, Param::take)
    }

    fn with_values<'a, V>(
        &self,
        given: impl Iterator<Item = (&'a str, V)>,
        cluster: Option<&str>,
        read: impl Fn(&Param, V) -> Result<Value, String>,
    ) -> Result<Resolved, Vec<Refusal>> {
        let mut refusals = Faults::new(COMMAND_LINE);
        let mut values = self.defaults();
        // Only where it is used: the clusters stand beside the parameters anyhow.
        let cluster = cluster.filter(|_| self.text.contains("${cluster}"));
        values.extend(cluster.map(|name| (CLUSTER.to_owned(), Value::from(name))));
        let mut mentioned = BTreeSet::new();
        for (name, value) in given {
            mentioned.insert(name);
            let Some(param) = self.params.iter().find(|param| param.name == name) else {
                let known: Vec<&str> = self.params.iter().map(|p| p.name.as_str()).collect();
                let what = format!("runbook {} has no parameter {name:?}", self.name);
                let near = words::nearest(name, known.iter().copied()).map(|near| format!("did you mean {near:?}?"));
                refusals.place(0, 0, what, near.or_else(|| Some(format!("it has {}", known.join(", ")))));
                continue;
            };
            match read(param, value) {
                Ok(value) => drop(values.insert(name.to_owned(), value)),
                Err(fault) => refusals.place(0, 0, format!("parameter {name:?}: {fault}"), None),
            }
        }
        for param in self.params.iter().filter(|param| param.required && !mentioned.contains(param.name.as_str())) {
            let help = if param.help.is_empty() { String::new() } else { format!(": {}", param.help) };
            let what = format!("parameter {:?} is missing{help}; expected {}", param.name, param.expected());
            refusals.place(0, 0, what, Some(give(&param.name)));
        }
        let mut faults = Faults::new(&self.file);
        let filler = Values { params: &self.params, values: &values, open: !refusals.is_empty() };
        let steps = self.steps(&filler, &mut faults);
        let consent = self.root.get("spec").and_then(|spec| spec.get("typedConsent"));
        let typed_consent = consent.and_then(|node| typed_consent(node, &filler, &mut faults));
        refusals.extend(lineless(faults.into_vec()));
        refusals.or(Resolved {
            name: self.name.clone(),
            purpose: self.purpose.clone(),
            text: self.text.clone(),
            params: values,
            steps,
            typed_consent,
        })
    }

    fn defaults(&self) -> Map<String, Value> {
        self.params.iter().filter_map(|param| Some((param.name.clone(), param.default.clone()?))).collect()
    }

    /// The steps with values filled in, each checked against its kind.
    fn steps(&self, values: &Values<'_>, faults: &mut Faults) -> Vec<StepDecl> {
        let mut steps: Vec<StepDecl> = Vec::new();
        let nodes = self.root.get("spec").and_then(|spec| spec.get("steps")).map(Node::items).unwrap_or_default();
        for node in nodes {
            let (node, open) = results::take(node, values.params, values.values);
            let node = values.fill(&node, faults);
            if !values.open && node.get("when").is_some_and(is_off) {
                continue;
            }
            yaml::check(&node, &schema::step(), "step", faults);
            let Some((kind, named)) = node.get("kind").and_then(|kind| Some((kind.text()?, kind))) else { continue };
            let name = node.get("name").and_then(Node::text).unwrap_or(kind).to_owned();
            if let Some(first) = steps.iter().find(|step| step.name == name) {
                let what = format!("two steps are called {name:?}; the first is on line {}", first.at.line);
                faults.refuse(node.get("name").unwrap_or(&node), what, Some("give one of them another name".into()));
            }
            let Some(found) = steps::kind(kind) else {
                let known = || KINDS.iter().map(|kind| kind.name());
                let hint = words::nearest(kind, known()).map(|near| format!("did you mean {near:?}?"));
                let list = known().collect::<Vec<_>>().join(", ");
                faults.refuse(named, format!("unknown step kind {kind:?}: expected one of {list}"), hint);
                continue;
            };
            let nothing = node.with(Tree::Map(Vec::new()));
            let with = node.get("with").unwrap_or(&nothing);
            check_with(found, &name, with, faults);
            let (only, later) = results::check(open, (name.as_str(), found), &steps, nodes, faults);
            // What the schema let through and serde does not; what it did not let through was said above.
            let before = faults.is_empty();
            let file = match StepFile::deserialize(node.to_json()) {
                Ok(file) => file,
                Err(error) if before => {
                    faults.refuse(&node, format!("step {name:?}: {error}"), None);
                    continue;
                }
                Err(_) => continue,
            };
            steps.push(StepDecl {
                name,
                kind: found,
                why: file.why.clone(),
                with: Value::Object(file.with.clone()),
                only,
                later,
                targets: file.targets.clone(),
                policy: file.policy(),
                at: lineless_place(faults.at(&node)),
            });
        }
        steps
    }
}

/// The word that has to be typed. One that has no value is refused: without it, nobody would have to type anything.
fn typed_consent(node: &Node, values: &Values<'_>, faults: &mut Faults) -> Option<String> {
    let before = faults.is_empty();
    let filled = values.fill(node, faults);
    let word = filled.text().map(str::trim).filter(|word| !word.is_empty());
    if word.is_none() && before && faults.is_empty() && !values.open {
        let name = node.text().and_then(|text| text.strip_prefix("${")?.strip_suffix('}'));
        let what = "typedConsent has no word in it, so nobody could type it";
        faults.refuse(node, what, Some(name.map_or_else(|| "write the word there".into(), give)));
    }
    word.map(str::to_owned)
}

/// What `when` takes as a no.
fn is_off(when: &Node) -> bool {
    match &when.tree {
        Tree::Hole | Tree::Null | Tree::Bool(false) => true,
        Tree::String(text) => text.is_empty() || text == "false",
        Tree::List(items) => items.is_empty(),
        Tree::Number(number) => number.as_f64() == Some(0.0),
        Tree::Map(_) | Tree::Bool(true) => false,
    }
}

/// Checks the parameters of a step: first by the schema, every fault with its own line, then what only the kind knows.
fn check_with(kind: &dyn steps::Kind, step: &str, with: &Node, faults: &mut Faults) {
    let mut found = Faults::new(faults.at(with).file);
    yaml::check(with, &kind.schema(), "", &mut found);
    if found.is_empty() && !has_holes(with) {
        for fault in kind.build(with.to_json()).err().unwrap_or_default() {
            // As deep as the file goes: what a parameter says by leaving it out has no line of its own.
            let node = fault.at.iter().try_fold(with, |node, key| node.get(key).ok_or(node));
            found.refuse(node.unwrap_or_else(|outer| outer), fault.to_string(), None);
        }
    }
    faults.extend(
        found
            .into_vec()
            .into_iter()
            .map(|refusal| Refusal { what: format!("step {step:?}: {}", refusal.what), ..refusal }),
    );
}

fn has_holes(node: &Node) -> bool {
    node.tree == Tree::Hole || node.items().iter().any(has_holes) || node.entries().iter().any(|(_, n)| has_holes(n))
}

/// The parameters that a file declares. What is wrong with the declarations by their schema was said before.
fn declared(root: &Node, faults: &mut Faults) -> Vec<Param> {
    let mut params = Vec::new();
    for (key, node) in root.get("spec").and_then(|spec| spec.get("params")).map(Node::entries).unwrap_or_default() {
        let good = key.word.starts_with(|c: char| c.is_ascii_alphabetic())
            && key.word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !good {
            let what = format!("parameter name {:?}: expected a letter, then letters, digits, - and _", key.word);
            faults.place(key.line, key.column, what, None);
        }
        let file = ParamFile::deserialize(node.to_json()).unwrap_or_default();
        let (param, fault) = Param::new(&key.word, file);
        if let Some(fault) = fault {
            let at = node.get("default").unwrap_or(node);
            faults.refuse(at, format!("parameter {:?}: {fault}", key.word), None);
        }
        if param.name == CLUSTER {
            let what = format!("parameter {CLUSTER:?} is there already: the name of the cluster");
            faults.place(key.line, key.column, what, Some("give it another name".into()));
        }
        params.push(param);
    }
    params.retain(|param: &Param| param.name != CLUSTER);
    params.push(Param::cluster());
    params
}

/// A command line has no lines to point at, though its text form has.
fn lineless_place(at: Location) -> Location {
    if at.file == COMMAND_LINE { Location { line: 0, column: 0, ..at } } else { at }
}

fn lineless(refusals: Vec<Refusal>) -> Vec<Refusal> {
    refusals.into_iter().map(|refusal| Refusal { at: lineless_place(refusal.at), ..refusal }).collect()
}

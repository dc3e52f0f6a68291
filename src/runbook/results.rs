//! `${steps.NAME.RESULT}`: a parameter of a step that an earlier step of the same cluster finds out during the run.
//!
//! It stands alone in its place, or is the default of a parameter of the runbook, which whoever runs it can give instead.

use serde_json::{Map, Value};

use super::StepDecl;
use super::params::Param;
use crate::found::Type;
use crate::refusal::Location;
use crate::steps::{self, Kind};
use crate::words;
use crate::yaml::{Faults, Key, Node, Tree};

/// How a reference begins.
pub(super) const STEPS: &str = "steps.";

/// A place in a step's parameters where a result is to stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hole {
    /// The keys that lead there, from the outside in.
    at: Vec<String>,
    /// The step that finds it.
    step: String,
    /// What it is called.
    result: String,
    /// The parameter of the runbook whose default it is.
    param: Option<String>,
    line: usize,
    column: usize,
}

/// A parameter of a step whose value is known only once an earlier step has found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    /// The keys that lead to the parameter, from the outside in.
    pub at: Vec<String>,
    /// The name of the step that finds it.
    pub step: String,
    /// What the result is called.
    pub result: String,
    /// What it is.
    pub of: Type,
    /// The parameter of the runbook that can be given instead.
    pub param: Option<String>,
    /// Where it is written.
    pub place: Location,
}

impl Later {
    /// What stands in its place until it is known.
    pub fn placeholder(&self) -> String {
        placeholder(&self.step, &self.result)
    }

    /// Puts a value in its place.
    pub fn fill(&self, with: &mut Value, value: &str) {
        let there = self.at.iter().try_fold(with, |inner, key| inner.get_mut(key.as_str()));
        if let Some(there) = there {
            *there = value.into();
        }
    }
}

fn placeholder(step: &str, result: &str) -> String {
    format!("<{result} found by {step}>")
}

/// The step and the result that a text refers to, when it is a reference and nothing else.
fn reference(text: &str) -> Option<(&str, &str)> {
    let (step, result) = text.strip_prefix("${")?.strip_suffix('}')?.strip_prefix(STEPS)?.split_once('.')?;
    let word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    (word(step) && word(result)).then_some((step, result))
}

/// The step with a placeholder for each reference among its parameters, and what these refer to.
pub(super) fn take(step: &Node, params: &[Param], values: &Map<String, Value>) -> (Node, Vec<Hole>) {
    let mut holes = Vec::new();
    let Tree::Map(entries) = &step.tree else { return (step.clone(), holes) };
    let mut entries: Vec<(Key, Node)> = entries.clone();
    for (key, node) in &mut entries {
        if key.word == "with" {
            *node = within(node, &mut Vec::new(), (params, values), &mut holes);
        }
    }
    (step.with(Tree::Map(entries)), holes)
}

fn within(node: &Node, at: &mut Vec<String>, given: (&[Param], &Map<String, Value>), holes: &mut Vec<Hole>) -> Node {
    match &node.tree {
        Tree::Map(entries) => {
            let mut inner = Vec::new();
            for (key, value) in entries {
                at.push(key.word.clone());
                inner.push((key.clone(), within(value, at, given, holes)));
                at.pop();
            }
            node.with(Tree::Map(inner))
        }
        Tree::String(text) => {
            let (params, values) = given;
            let whole = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
            let param = whole.filter(|name| params.iter().any(|param| param.name == *name));
            let meant = param.and_then(|name| values.get(name)?.as_str()).unwrap_or(text);
            let Some((step, result)) = reference(meant) else { return node.clone() };
            holes.push(Hole {
                at: at.clone(),
                step: step.to_owned(),
                result: result.to_owned(),
                param: param.map(str::to_owned),
                line: node.line,
                column: node.column,
            });
            node.with(Tree::String(placeholder(step, result)))
        }
        _ => node.clone(),
    }
}

/// What the holes of a step come to; refused is what no earlier step gives, or gives as something else.
pub(super) fn check(
    holes: Vec<Hole>,
    (name, kind): (&str, &dyn Kind),
    earlier: &[StepDecl],
    all: &[Node],
    faults: &mut Faults,
) -> Vec<Later> {
    let mut later = Vec::new();
    for hole in holes {
        let mut refuse =
            |what: String, hint| faults.place(hole.line, hole.column, format!("step {name:?}: {what}"), hint);
        let Some(from) = earlier.iter().find(|step| step.name == hole.step) else {
            let called =
                |node: &&Node| node.get("name").or_else(|| node.get("kind")).and_then(Node::text) == Some(&hole.step);
            let what = if all.iter().any(|node| called(&node)) {
                format!(
                    "step {:?} does not come before this one, or is left out: a result is there for later steps only",
                    hole.step
                )
            } else {
                format!("no earlier step is called {:?}", hole.step)
            };
            let near = words::nearest(&hole.step, earlier.iter().map(|step| step.name.as_str()));
            refuse(what, near.map(|near| format!("did you mean ${{steps.{near}.{}}}?", hole.result)));
            continue;
        };
        let gives = from.kind.gives();
        let Some(given) = gives.iter().find(|gives| gives.name == hole.result) else {
            let what = format!("step {:?} ({}) gives no {:?}", from.name, from.kind.name(), hole.result);
            let known: Vec<&str> = gives.iter().map(|gives| gives.name).collect();
            let hint =
                if known.is_empty() { "it gives nothing".into() } else { format!("it gives {}", known.join(", ")) };
            refuse(what, Some(hint));
            continue;
        };
        match kind.takes().iter().find(|takes| takes.at.iter().eq(hole.at.iter())) {
            Some(takes) if takes.of == given.of => later.push(Later {
                place: Location { line: hole.line, column: hole.column, ..from.at.clone() },
                at: hole.at,
                step: hole.step,
                result: hole.result,
                of: given.of,
                param: hole.param,
            }),
            Some(takes) => {
                let (at, wants, is) = (hole.at.join("."), takes.of.words(), given.of.words());
                refuse(format!("{at} takes {wants}, and {} of step {:?} is {is}", hole.result, from.name), None);
            }
            None => {
                let at = hole.at.join(".");
                refuse(format!("{at} takes no result of another step"), takes_hint(kind));
            }
        }
    }
    later
}

fn takes_hint(kind: &dyn steps::Kind) -> Option<String> {
    let takes: Vec<String> = kind.takes().iter().map(|takes| takes.at.join(".")).collect();
    (!takes.is_empty()).then(|| format!("{} does", takes.join(", ")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::runbook::{On, Resolved, Runbook};

    fn resolve(steps: &str, params: &str, given: &[(&str, &str)]) -> Result<Resolved, Vec<String>> {
        let text = format!(
            "apiVersion: breakglass/v1\nkind: Runbook\nmetadata: {{name: r, purpose: p}}\nspec:\n  params: {params}\n  steps:\n{steps}"
        );
        let given =
            given.iter().map(|(name, word)| ((*name).to_owned(), (*word).to_owned())).collect::<BTreeMap<_, _>>();
        let resolved = Runbook::parse(&text, "r.yaml").and_then(|runbook| runbook.resolve(&given, On::One("prod")));
        resolved.map_err(|all| all.iter().map(ToString::to_string).collect())
    }

    const PARK: &str = "    - {kind: park, with: {object: ds/telemetry/agent}}\n";

    #[test]
    fn a_result_of_an_earlier_step_leaves_a_hole() {
        let rate = "    - {kind: wait-for, with: {clientRate: {user: '${steps.park.client}', atMost: 1}}}\n";
        let resolved = resolve(&format!("{PARK}{rate}"), "{}", &[]).unwrap();
        let [later] = resolved.steps[1].later.as_slice() else { panic!("{:?}", resolved.steps[1].later) };
        assert_eq!((later.step.as_str(), later.result.as_str(), later.of), ("park", "client", Type::User));
        assert_eq!((later.place.line, later.param.as_ref()), (8, None));
        let mut with = resolved.steps[1].with.clone();
        assert_eq!(with["clientRate"]["user"], "<client found by park>");
        later.fill(&mut with, "jane");
        assert_eq!(with["clientRate"]["user"], "jane");
    }

    #[test]
    fn a_default_that_is_a_result_gives_way_to_what_is_given() {
        let revoke = "    - {kind: revoke, with: {subject: '${who}'}}\n";
        let params = "{who: {default: '${steps.park.client}'}}";
        let steps = format!("{PARK}{revoke}");
        let found = resolve(&steps, params, &[]).unwrap();
        assert_eq!(found.steps[1].later[0].param.as_deref(), Some("who"));
        let given = resolve(&steps, params, &[("who", "user/jane")]).unwrap();
        assert_eq!((given.steps[1].later.len(), &given.steps[1].with["subject"]), (0, &Value::from("user/jane")));
    }

    #[test]
    fn what_no_earlier_step_gives_is_refused_with_its_line_and_column() {
        let revoke = |subject: &str| format!("    - {{kind: revoke, with: {{subject: '{subject}'}}}}\n");
        for (steps, line, says) in [
            (revoke("${steps.park.client}") + PARK, 7, "step \"park\" does not come before this one"),
            (
                PARK.to_owned() + &revoke("${steps.parc.client}"),
                8,
                "no earlier step is called \"parc\"; did you mean ${steps.park.client}?",
            ),
            (
                PARK.to_owned() + &revoke("${steps.park.clint}"),
                8,
                "step \"park\" (park) gives no \"clint\"; it gives client",
            ),
            (
                PARK.to_owned() + "    - {kind: delete, with: {object: '${steps.park.client}'}}\n",
                8,
                "object takes no result of another step",
            ),
            (PARK.to_owned() + &revoke("user/${steps.park.client}"), 8, "stands alone"),
            (PARK.to_owned() + "    - {kind: probe, targets: '${steps.park.client}'}\n", 8, "stands alone"),
        ] {
            let refused = resolve(&steps, "{}", &[]).unwrap_err().join("\n");
            assert!(
                refused.contains(&format!("r.yaml:{line}:")) && !refused.contains(&format!("r.yaml:{line}:0")),
                "{refused}"
            );
            let words: Vec<&str> = says.split("; ").collect();
            assert!(words.iter().all(|part| refused.contains(part)), "{says}: {refused}");
        }
    }

    #[test]
    fn a_default_that_is_a_result_is_no_text_for_other_places() {
        let params = "{who: {default: '${steps.park.client}'}}";
        for step in [
            "    - {kind: revoke, with: {subject: 'user/${who}'}}\n",
            "    - {kind: revoke, with: {subject: user/jane, bindings: ['${who}']}}\n",
            "    - {kind: probe, targets: '${who}'}\n",
            "    - {kind: exec, with: {run: 'id ${who}'}}\n",
        ] {
            let refused = resolve(&format!("{PARK}{step}"), params, &[]).map(|found| found.steps[1].with.clone());
            let refused = refused.expect_err(step).join("\n");
            assert!(refused.contains("r.yaml:8:") && refused.contains("stands alone"), "{refused}");
        }
    }
}

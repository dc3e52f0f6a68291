//! `${steps.NAME.RESULT}`: a parameter of a step that an earlier step of the same cluster finds out during the run; or in `when`,
//! whether the step is run at all.
//!
//! It stands alone in its place, or is the default of a parameter of the runbook, which whoever runs it can give instead.

use serde_json::{Map, Value};

use super::StepDecl;
use super::params::Param;
use crate::found::{Type, placeholder};
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

/// The step and the result that a text refers to, when it is a reference and nothing else.
fn reference(text: &str) -> Option<(&str, &str)> {
    let (step, result) = text.strip_prefix("${")?.strip_suffix('}')?.strip_prefix(STEPS)?.split_once('.')?;
    let word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    (word(step) && word(result)).then_some((step, result))
}

/// What a step leaves open until earlier ones have found it.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// Whether it is run.
    when: Option<Hole>,
    /// Parameters.
    with: Vec<Hole>,
}

/// The step with a placeholder for each reference among its parameters, and what these and its `when` refer to.
pub(super) fn take(step: &Node, params: &[Param], values: &Map<String, Value>) -> (Node, Open) {
    let mut open = Open::default();
    let Tree::Map(entries) = &step.tree else { return (step.clone(), open) };
    let mut entries: Vec<(Key, Node)> = entries.clone();
    for (key, node) in &mut entries {
        if key.word == "with" {
            *node = within(node, &mut Vec::new(), (params, values), &mut open.with);
        }
        if key.word == "when" && matches!(node.tree, Tree::String(_)) {
            let mut holes = Vec::new();
            let filled = within(node, &mut vec!["when".to_owned()], (params, values), &mut holes);
            if let Some(hole) = holes.pop() {
                // It is a step of the plan; the run decides.
                (*node, open.when) = (filled.with(Tree::Bool(true)), Some(hole));
            }
        }
    }
    (step.with(Tree::Map(entries)), open)
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

/// What a step leaves open comes to: whether it is run, and its parameters. Refused is what no earlier step gives, or gives as
/// something else.
pub(super) fn check(
    open: Open,
    step: (&str, &dyn Kind),
    earlier: &[StepDecl],
    all: &[Node],
    faults: &mut Faults,
) -> (Option<Later>, Vec<Later>) {
    let when = open.when.and_then(|hole| given(hole, step.0, earlier, all, faults, |_| Ok(Type::YesNo)));
    let takes = |hole: &Hole| {
        let fits = step.1.takes().iter().find(|takes| takes.at.iter().eq(hole.at.iter()));
        fits.map(|takes| takes.of).ok_or_else(|| takes_hint(step.1))
    };
    let with = open.with.into_iter().filter_map(|hole| given(hole, step.0, earlier, all, faults, takes)).collect();
    (when, with)
}

/// One of them. `takes`: what its place takes, or what to say where it takes nothing.
fn given(
    hole: Hole,
    name: &str,
    earlier: &[StepDecl],
    all: &[Node],
    faults: &mut Faults,
    takes: impl Fn(&Hole) -> Result<Type, Option<String>>,
) -> Option<Later> {
    let mut refuse = |what: String, hint| {
        faults.place(hole.line, hole.column, format!("step {name:?}: {what}"), hint);
        None
    };
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
        return refuse(what, near.map(|near| format!("did you mean ${{steps.{near}.{}}}?", hole.result)));
    };
    let gives = from.kind.gives();
    let Some(given) = gives.iter().find(|gives| gives.name == hole.result) else {
        let what = format!("step {:?} ({}) gives no {:?}", from.name, from.kind.name(), hole.result);
        let known: Vec<&str> = gives.iter().map(|gives| gives.name).collect();
        let hint = if known.is_empty() { "it gives nothing".into() } else { format!("it gives {}", known.join(", ")) };
        return refuse(what, Some(hint));
    };
    match takes(&hole) {
        Ok(of) if of == given.of => Some(Later {
            place: Location { line: hole.line, column: hole.column, ..from.at.clone() },
            at: hole.at,
            step: hole.step,
            result: hole.result,
            of,
            param: hole.param,
        }),
        Ok(wants) => {
            let (at, wants, is) = (hole.at.join("."), wants.words(), given.of.words());
            refuse(format!("{at} takes {wants}, and {} of step {:?} is {is}", hole.result, from.name), None)
        }
        Err(hint) => refuse(format!("{} takes no result of another step", hole.at.join(".")), hint),
    }
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
                "object takes a workload, and client of step \"park\" is a user name",
            ),
            (
                PARK.to_owned() + "    - {kind: delete, with: {namespace: '${steps.park.client}'}}\n",
                8,
                "namespace takes no result of another step; object does",
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
    fn whether_a_step_is_run_may_be_found_by_an_earlier_one() {
        let why = "    - {name: why, kind: diagnose}\n";
        let park = |when: &str| format!("    - {{kind: park, when: '{when}', with: {{object: ds/telemetry/agent}}}}\n");
        let resolved = resolve(&(why.to_owned() + &park("${steps.why.silent}")), "{}", &[]).unwrap();
        let only = resolved.steps[1].only.clone().unwrap();
        assert_eq!((only.step.as_str(), only.result.as_str(), only.of), ("why", "silent", Type::YesNo));
        assert!(resolved.steps[0].only.is_none() && resolved.steps[1].later.is_empty());
        // The default of a parameter, which whoever runs it can give instead: then it is known beforehand.
        let params = "{broken: {default: '${steps.why.silent}'}}";
        let steps = why.to_owned() + &park("${broken}");
        assert_eq!(
            resolve(&steps, params, &[]).unwrap().steps[1].only.as_ref().unwrap().param.as_deref(),
            Some("broken")
        );
        assert!(resolve(&steps, params, &[("broken", "yes")]).unwrap().steps[1].only.is_none());
        assert_eq!(resolve(&steps, params, &[("broken", "false")]).unwrap().steps.len(), 1);
        for (steps, says) in [
            (park("${steps.why.silent}") + why, "does not come before this one"),
            (why.to_owned() + &park("${steps.why.silly}"), "gives no \"silly\"; it gives silent, answers"),
            (why.to_owned() + &park("x${steps.why.silent}"), "stands alone"),
            (
                PARK.to_owned() + "    - {kind: probe, when: '${steps.park.client}'}\n",
                "when takes a yes or no, and client of step \"park\" is a user name",
            ),
        ] {
            let refused = resolve(&steps, "{}", &[]).unwrap_err().join("\n");
            assert!(says.split("; ").all(|part| refused.contains(part)), "{says}: {refused}");
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

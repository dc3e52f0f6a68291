//! `${name}` in a tree: a scalar that is exactly that takes the value with its type, any other text takes it as text.

use serde_json::{Map, Value};

use super::params::{self, CLUSTER, Param};
use super::results::STEPS;
use crate::words;
use crate::yaml::{Faults, Node, Tree};

/// The values so far, and what to make of those that are missing.
pub(super) struct Values<'a> {
    pub(super) params: &'a [Param],
    pub(super) values: &'a Map<String, Value>,
    /// Values may still come: what uses a missing one is left open instead of refused.
    pub(super) open: bool,
}

impl Values<'_> {
    /// The tree with every `${name}` filled in; unknown names are refused. `$${` stands for `${`.
    pub(super) fn fill(&self, node: &Node, faults: &mut Faults) -> Node {
        let tree = match &node.tree {
            Tree::String(text) if text.contains("${") => return self.text(node, text, faults),
            Tree::List(items) => Tree::List(items.iter().map(|item| self.fill(item, faults)).collect()),
            Tree::Map(entries) => {
                Tree::Map(entries.iter().map(|(key, value)| (key.clone(), self.fill(value, faults))).collect())
            }
            other => other.clone(),
        };
        node.with(tree)
    }

    fn text(&self, node: &Node, text: &str, faults: &mut Faults) -> Node {
        let whole = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        if let Some(name) = whole.filter(|name| !name.contains(['$', '{', '}'])) {
            return match self.value(node, name, faults) {
                Some(value) => node.of(value),
                None => node.with(Tree::Hole),
            };
        }
        let mut out = String::new();
        let mut rest = text;
        let mut open = false;
        while let Some(at) = rest.find("${") {
            let before = &rest[..at];
            if let Some(before) = before.strip_suffix('$') {
                out += before;
                out += "${";
                rest = &rest[at + 2..];
                continue;
            }
            out += before;
            let Some(end) = rest[at..].find('}') else {
                let hint = Some("close it, or write $${ for a plain ${".into());
                faults.refuse(node, "\"${\" without its \"}\"", hint);
                return node.with(Tree::Hole);
            };
            let name = &rest[at + 2..at + end];
            match self.value(node, name, faults) {
                Some(value) => out += &params::text(value),
                None => {
                    open = true;
                    if !self.open
                        && name != CLUSTER
                        && self.params.iter().any(|param| param.name == name && !param.required)
                    {
                        let what = format!("parameter {name:?} has no value, and this text needs one");
                        faults.refuse(node, what, Some(give(name)));
                    }
                }
            }
            rest = &rest[at + end + 1..];
        }
        out += rest;
        node.with(if open { Tree::Hole } else { Tree::String(out) })
    }

    fn value(&self, node: &Node, name: &str, faults: &mut Faults) -> Option<&Value> {
        if name.starts_with(STEPS) {
            let what = format!(
                "${{{name}}} stands alone in `when`, or in a parameter of a step under `with`, as ${{steps.STEP.RESULT}}"
            );
            faults.refuse(node, what, None);
            return None;
        }
        if !self.params.iter().any(|param| param.name == name) {
            let known: Vec<&str> = self.params.iter().map(|param| param.name.as_str()).collect();
            let hint = match words::nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean ${{{near}}}?"),
                None => format!("declared under spec.params: {}; write $${{ for a plain ${{", known.join(", ")),
            };
            faults.refuse(node, format!("unknown parameter {name:?}"), Some(hint));
        }
        if name == CLUSTER && !self.values.contains_key(CLUSTER) {
            let what = "${cluster} is the name of one cluster, and this is about several";
            faults.refuse(node, what, Some("run it on one at a time: --cluster NAME".into()));
        }
        let value = self.values.get(name);
        if value.is_some_and(refers) {
            let what = format!(
                "parameter {name:?} is what a step finds, unless it is given; that stands alone in a parameter of a step under `with`, as \
                 ${{{name}}}"
            );
            faults.refuse(node, what, Some(give(name)));
            return None;
        }
        value
    }
}

/// Whether a value has a reference to a result in it. Nobody fills that in any more, so that it would go out as it is written.
fn refers(value: &Value) -> bool {
    match value {
        Value::String(text) => text.split("${").skip(1).any(|after| after.starts_with(STEPS)),
        Value::Array(items) => items.iter().any(refers),
        _ => false,
    }
}

/// The hint for a value that is missing.
pub(super) fn give(name: &str) -> String {
    format!("give it with --param {name}=VALUE")
}

//! A tree against a JSON Schema, as far as the schemas of step kinds and of the kit's files use it.
//!
//! serde alone would stop at the first fault and would not know where the others are.

use std::net::IpAddr;

use serde_json::Value;

use super::{Faults, Node, Tree};
use crate::duration::{self, HumanDuration};
use crate::words;

/// References in references; deeper is a circle.
const DEPTH: usize = 64;

/// Checks a tree and adds every fault. `name` is what the tree is called in messages, empty for a whole file.
pub(crate) fn check(node: &Node, schema: &Value, name: &str, faults: &mut Faults) {
    Checker { root: schema, faults }.check(node, schema, name, 0);
}

struct Checker<'a> {
    root: &'a Value,
    faults: &'a mut Faults,
}

impl Checker<'_> {
    fn check(&mut self, node: &Node, schema: &Value, name: &str, depth: usize) {
        if node.tree == Tree::Hole || depth > DEPTH {
            return;
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#'))
            && let Some(target) = self.root.pointer(target).cloned()
        {
            self.check(node, &target, name, depth + 1);
        }
        for part in list(schema, "allOf") {
            self.check(node, part, name, depth + 1);
        }
        let alternatives: Vec<&Value> = list(schema, "anyOf").iter().chain(list(schema, "oneOf")).collect();
        if !alternatives.is_empty() {
            self.alternatives(node, &alternatives, name, depth + 1);
        }
        if let Some(words) = words_of(schema) {
            self.one_of(node, &words, name);
            return;
        }
        if !self.of_type(node, schema, name) {
            return;
        }
        match &node.tree {
            Tree::Map(_) => self.map(node, schema, name, depth),
            Tree::List(items) => {
                self.length(node, schema, name, items.len(), ("minItems", "maxItems", "item"));
                if let Some(each) = schema.get("items") {
                    for (i, item) in items.iter().enumerate() {
                        self.check(item, each, &format!("{name}[{i}]"), depth + 1);
                    }
                }
            }
            Tree::String(text) => self.text(node, schema, name, text),
            Tree::Number(number) => self.number(node, schema, name, number),
            Tree::Null | Tree::Bool(_) | Tree::Hole => {}
        }
    }

    fn map(&mut self, node: &Node, schema: &Value, name: &str, depth: usize) {
        let properties = schema.get("properties").and_then(Value::as_object);
        let known = || properties.into_iter().flatten().map(|(word, _)| word.as_str());
        for (key, value) in node.entries() {
            let inner = if name.is_empty() { key.word.clone() } else { format!("{name}.{}", key.word) };
            match (properties.and_then(|p| p.get(&key.word)), schema.get("additionalProperties")) {
                (Some(schema), _) => self.check(value, schema, &inner, depth + 1),
                (None, Some(Value::Bool(false))) => {
                    let within = if name.is_empty() { String::new() } else { format!(" in {name}") };
                    let expected = known().collect::<Vec<_>>().join(", ");
                    let expected =
                        if expected.is_empty() { "no key is expected".into() } else { format!("expected {expected}") };
                    let what = format!("unknown key {:?}{within}: {expected}", key.word);
                    self.faults.place(key.line, key.column, what, did_you_mean(&key.word, known()));
                }
                (None, Some(schema @ Value::Object(_))) => self.check(value, schema, &inner, depth + 1),
                (None, _) => {}
            }
        }
        for word in list(schema, "required").iter().filter_map(Value::as_str) {
            if node.get(word).is_none() {
                let within = if name.is_empty() { String::new() } else { format!(" in {name}") };
                let what = properties.and_then(|p| p.get(word)).map(expected).unwrap_or_default();
                self.faults.refuse(node, format!("missing key {word:?}{within}: expected {what}"), None);
            }
        }
    }

    /// Whether the type fits; says so when not.
    fn of_type(&mut self, node: &Node, schema: &Value, name: &str) -> bool {
        let types: Vec<&str> = match schema.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => return true,
        };
        if types.iter().any(|word| is(&node.tree, word)) {
            return true;
        }
        let hint = match &node.tree {
            Tree::Number(number) if is_duration(schema) => Some(format!("write {number}s for seconds")),
            Tree::Number(_) | Tree::Bool(_) if types.contains(&"string") => {
                Some(format!("write \"{}\" with quotes", node.to_json()))
            }
            _ => None,
        };
        let what = format!("{}expected {}, found {}", prefix(name), expected(schema), found(&node.tree));
        self.faults.refuse(node, what, hint);
        false
    }

    fn text(&mut self, node: &Node, schema: &Value, name: &str, text: &str) {
        let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
        let wrong = match format {
            duration::FORMAT => text.parse::<HumanDuration>().err(),
            "ip" => text.parse::<IpAddr>().err().map(|_| format!("{text:?} is not an IP address")),
            _ => None,
        };
        if let Some(wrong) = wrong {
            self.faults.refuse(node, format!("{}{wrong}", prefix(name)), None);
            return;
        }
        self.length(node, schema, name, text.chars().count(), ("minLength", "maxLength", "character"));
        let Some(pattern) = schema.get("pattern").and_then(Value::as_str) else { return };
        // A pattern that our own schema got wrong is found by a test over all schemas, not by the operator.
        if regex::Regex::new(pattern).is_ok_and(|regex| !regex.is_match(text)) {
            let what = format!("{}{text:?} does not fit: expected {}", prefix(name), expected(schema));
            self.faults.refuse(node, what, None);
        }
    }

    fn number(&mut self, node: &Node, schema: &Value, name: &str, number: &serde_json::Number) {
        let value = number.as_f64().unwrap_or(f64::NAN);
        let bound = |word: &str| schema.get(word).and_then(Value::as_f64);
        let low = bound("minimum").filter(|low| value < *low);
        let high = bound("maximum").filter(|high| value > *high);
        if low.is_some() || high.is_some() {
            let what = format!("{}expected {}, found {number}", prefix(name), expected(schema));
            self.faults.refuse(node, what, None);
        }
    }

    fn length(
        &mut self,
        node: &Node,
        schema: &Value,
        name: &str,
        length: usize,
        (least, most, noun): (&str, &str, &str),
    ) {
        let bound = |word: &str| schema.get(word).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        if let Some(least) = bound(least).filter(|least| length < *least) {
            let what = format!("{}expected at least {}", prefix(name), words::count(least, noun));
            self.faults.refuse(node, what, None);
        }
        if let Some(most) = bound(most).filter(|most| length > *most) {
            let what = format!("{}expected at most {}", prefix(name), words::count(most, noun));
            self.faults.refuse(node, what, None);
        }
    }

    fn one_of(&mut self, node: &Node, words: &[&Value], name: &str) {
        let value = node.to_json();
        if words.contains(&&value) {
            return;
        }
        let shown: Vec<String> = words.iter().map(|word| plain(word)).collect();
        let hint = node.text().and_then(|text| did_you_mean(text, shown.iter().map(String::as_str)));
        let expected = if shown.len() == 1 { shown.join("") } else { format!("one of {}", shown.join(", ")) };
        let what = format!("{}expected {expected}, found {}", prefix(name), found(&node.tree));
        self.faults.refuse(node, what, hint);
    }

    /// One of several schemas: when none fits, the faults of the one that was most likely meant are said.
    fn alternatives(&mut self, node: &Node, schemas: &[&Value], name: &str, depth: usize) {
        let words: Option<Vec<_>> = schemas.iter().map(|schema| words_of(schema)).collect();
        if let Some(words) = words {
            return self.one_of(node, &words.concat(), name);
        }
        let mut tried = Vec::new();
        for schema in schemas {
            let mut faults = Faults::default();
            Checker { root: self.root, faults: &mut faults }.check(node, schema, name, depth);
            if faults.is_empty() {
                return;
            }
            tried.push(*schema);
        }
        let meant: Vec<&&Value> = tried.iter().filter(|schema| meant(node, schema)).collect();
        if let [schema] = meant.as_slice() {
            return self.check(node, schema, name, depth);
        }
        // `Option` in Rust: the alternative that is not null is the one to explain.
        let real: Vec<&&Value> = tried.iter().filter(|s| s.get("type") != Some(&Value::from("null"))).collect();
        if let [schema] = real.as_slice() {
            return self.check(node, schema, name, depth);
        }
        let keys: Vec<&str> = real.iter().filter_map(|schema| only_key(schema)).collect();
        let hint = match node.entries() {
            [(key, _)] => did_you_mean(&key.word, keys.iter().copied()),
            _ => node.text().and_then(|text| did_you_mean(text, keys.iter().copied())),
        };
        let choices: Vec<String> = real.iter().map(|schema| expected(schema)).collect();
        let what = format!("{}expected {}, found {}", prefix(name), choices.join(", or "), found(&node.tree));
        self.faults.refuse(node, what, hint);
    }
}

/// Whether an alternative is the one that was meant: its only key is there, or its tag says so, or its type alone fits.
fn meant(node: &Node, schema: &Value) -> bool {
    let Tree::Map(_) = node.tree else {
        return schema.get("type").and_then(Value::as_str).is_some_and(|word| is(&node.tree, word));
    };
    if let Some(key) = only_key(schema) {
        return node.get(key).is_some();
    }
    let tags = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    tags.filter_map(|(key, schema)| Some((node.get(key)?, schema.get("const")?)))
        .any(|(node, word)| node.to_json() == *word)
}

/// The key of an alternative that has exactly one, as enums with contents do.
fn only_key(schema: &Value) -> Option<&str> {
    let [key] = list(schema, "required") else { return None };
    (schema.get("properties")?.as_object()?.len() == 1).then_some(key.as_str()?)
}

fn list<'a>(schema: &'a Value, word: &str) -> &'a [Value] {
    schema.get(word).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The values of an `enum` or `const`, also of alternatives that are nothing else.
fn words_of(schema: &Value) -> Option<Vec<&Value>> {
    if let Some(word) = schema.get("const") {
        return Some(vec![word]);
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return Some(words.iter().collect());
    }
    let alternatives = list(schema, "oneOf");
    if alternatives.is_empty() {
        return None;
    }
    alternatives.iter().map(words_of).collect::<Option<Vec<_>>>().map(|words| words.concat())
}

fn is(tree: &Tree, word: &str) -> bool {
    match tree {
        Tree::Null => word == "null",
        Tree::Bool(_) => word == "boolean",
        Tree::Number(number) => word == "number" || (word == "integer" && (number.is_i64() || number.is_u64())),
        Tree::String(_) => word == "string",
        Tree::List(_) => word == "array",
        Tree::Map(_) => word == "object",
        Tree::Hole => true,
    }
}

fn is_duration(schema: &Value) -> bool {
    schema.get("format").and_then(Value::as_str) == Some(duration::FORMAT)
}

/// What a schema wants, in words.
fn expected(schema: &Value) -> String {
    if let Some(words) = words_of(schema) {
        let words: Vec<String> = words.into_iter().filter(|word| !word.is_null()).map(plain).collect();
        return if words.len() == 1 { words.join("") } else { format!("one of {}", words.join(", ")) };
    }
    if is_duration(schema) {
        return "a duration like 90s, 5m or 1h30m".into();
    }
    if let Some(key) = only_key(schema) {
        return format!("{key}: …");
    }
    let range = match (schema.get("minimum"), schema.get("maximum")) {
        (Some(low), Some(high)) => format!(" from {low} to {high}"),
        (Some(low), None) => format!(" from {low}"),
        (None, Some(high)) => format!(" up to {high}"),
        (None, None) => String::new(),
    };
    let name = |word: &str| match word {
        "string" => Some(
            if schema.get("format").and_then(Value::as_str) == Some("ip") { "an IP address" } else { "text" }.into(),
        ),
        "boolean" => Some("true or false".into()),
        "integer" => Some(format!("a whole number{range}")),
        "number" => Some(format!("a number{range}")),
        "array" => Some("a list".into()),
        "object" => Some("a map".into()),
        _ => None::<String>,
    };
    let kinds: Vec<String> = match schema.get("type") {
        Some(Value::String(one)) => name(one).into_iter().collect(),
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).filter_map(name).collect(),
        _ => Vec::new(),
    };
    let examples: Vec<String> = list(schema, "examples").iter().map(plain).collect();
    let like = if examples.is_empty() { String::new() } else { format!(" like {}", examples.join(" or ")) };
    if kinds.is_empty() {
        let first = list(schema, "anyOf").iter().chain(list(schema, "oneOf")).map(expected);
        let first: Vec<String> = first.filter(|words| words != "a value").collect();
        return if first.is_empty() { "a value".into() } else { first.join(", or ") };
    }
    kinds.join(" or ") + &like
}

/// What is there, in words.
fn found(tree: &Tree) -> String {
    match tree {
        Tree::Null => "nothing".into(),
        Tree::Bool(bool) => bool.to_string(),
        Tree::Number(number) => format!("the number {number}"),
        Tree::String(text) => format!("{:?}", text.chars().take(60).collect::<String>()),
        Tree::List(_) => "a list".into(),
        Tree::Map(entries) => match entries.as_slice() {
            [(key, _)] => format!("a map with the key {:?}", key.word),
            _ => "a map".into(),
        },
        Tree::Hole => "a parameter".into(),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn prefix(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!("{name}: ") }
}

/// The hint for a slip.
fn did_you_mean<'a>(typed: &str, words: impl IntoIterator<Item = &'a str>) -> Option<String> {
    words::nearest(typed, words).map(|word| format!("did you mean {word:?}?"))
}

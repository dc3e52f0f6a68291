//! Parameters: what they are declared as, and the values that are given for them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::duration::HumanDuration;

/// What fits a parameter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum ParamType {
    /// Text.
    #[default]
    String,
    /// A whole number.
    Int,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// `90s`, `5m`, `1h30m`.
    Duration,
    /// A whole number from 0 to 100, with or without `%`.
    Percent,
    /// A list; on the command line separated by commas.
    List,
}

/// One parameter as a file declares it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct ParamFile {
    /// What fits. Text when not given.
    #[serde(default, rename = "type")]
    pub(super) of: ParamType,
    /// The type of a list's items. Text when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) items: Option<ParamType>,
    /// The value when none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) default: Option<Value>,
    /// Whether it must be given. When not given here: true without a default. A parameter that is not required and has
    /// no value takes the key that it stands under out of the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) required: Option<bool>,
    /// The only values that are accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) choices: Vec<Value>,
    /// What it is, in one sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) help: String,
}

impl ParamType {
    fn expected(self) -> &'static str {
        match self {
            Self::String => "text",
            Self::Int => "a whole number",
            Self::Number => "a number",
            Self::Bool => "true or false",
            Self::Duration => "a duration like 90s, 5m or 1h30m",
            Self::Percent => "a percentage from 0 to 100",
            Self::List => "a list",
        }
    }

    /// A value of this type from a value of the file; `None` when it does not fit.
    fn take(self, value: &Value) -> Option<Value> {
        match (self, value) {
            (Self::String, Value::String(_)) | (Self::Bool, Value::Bool(_)) | (Self::Number, Value::Number(_)) => {
                Some(value.clone())
            }
            (Self::Int, Value::Number(number)) => (number.is_i64() || number.is_u64()).then(|| value.clone()),
            (Self::Duration, Value::String(text)) => text.parse::<HumanDuration>().ok().map(|_| value.clone()),
            (Self::Percent, Value::Number(number)) => number.as_u64().filter(|n| *n <= 100).map(Value::from),
            (Self::Percent, Value::String(text)) => {
                text.strip_suffix('%')?.parse().ok().filter(|n: &u64| *n <= 100).map(Value::from)
            }
            _ => None,
        }
    }

    /// A value of this type from a word of the command line.
    fn read(self, word: &str) -> Option<Value> {
        match self {
            Self::String => Some(word.into()),
            Self::Int => word.parse::<i64>().ok().map(Value::from),
            Self::Number => word.parse().ok().and_then(serde_json::Number::from_f64).map(Value::Number),
            Self::Bool => word.parse::<bool>().ok().map(Value::from),
            Self::Percent => self.take(&Value::from(format!("{}%", word.strip_suffix('%').unwrap_or(word)))),
            Self::Duration => self.take(&Value::from(word)),
            Self::List => None,
        }
    }
}

/// The parameter that every runbook has and nobody gives.
pub(super) const CLUSTER: &str = "cluster";

/// A parameter as declared.
#[derive(Debug, Clone)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// Its type.
    pub of: ParamType,
    /// The type of a list's items.
    pub items: ParamType,
    /// Its value when none is given.
    pub default: Option<Value>,
    /// Whether it must be given.
    pub required: bool,
    /// The only values that are accepted; empty: all of its type.
    pub choices: Vec<Value>,
    /// What it is.
    pub help: String,
}

impl Param {
    pub(super) fn new(name: &str, file: ParamFile) -> (Self, Option<String>) {
        let mut param = Self {
            name: name.to_owned(),
            of: file.of,
            items: file.items.unwrap_or_default(),
            required: file.required.unwrap_or(file.default.is_none()),
            default: None,
            choices: file.choices,
            help: file.help,
        };
        let fault = match file.default.map(|value| param.take(&value)) {
            Some(Ok(value)) => {
                param.default = Some(value);
                None
            }
            Some(Err(fault)) => Some(format!("default: {fault}")),
            None => None,
        };
        (param, fault)
    }

    /// The name of the cluster, which every runbook may use.
    pub(super) fn cluster() -> Self {
        Self {
            name: CLUSTER.into(),
            of: ParamType::String,
            items: ParamType::String,
            default: None,
            required: false,
            choices: Vec::new(),
            help: "the name of the cluster".into(),
        }
    }

    /// What fits, in words.
    pub fn expected(&self) -> String {
        if !self.choices.is_empty() {
            let words: Vec<String> = self.choices.iter().map(text).collect();
            return format!("one of {}", words.join(", "));
        }
        match self.of {
            ParamType::List => format!("a list, each item {}", self.items.expected()),
            other => other.expected().to_owned(),
        }
    }

    /// A value that was written in a file or kept in a journal.
    ///
    /// # Errors
    /// What was expected, and what was found.
    pub fn take(&self, value: &Value) -> Result<Value, String> {
        let taken = match (self.of, value) {
            (ParamType::List, Value::Array(items)) => {
                items.iter().map(|item| self.items.take(item)).collect::<Option<Vec<_>>>().map(Value::Array)
            }
            (of, value) => of.take(value),
        };
        self.accept(taken, &value.to_string())
    }

    /// A value from the command line.
    ///
    /// # Errors
    /// What was expected, and what was found.
    pub fn read(&self, word: &str) -> Result<Value, String> {
        let taken = match self.of {
            ParamType::List if word.is_empty() => Some(Value::Array(Vec::new())),
            ParamType::List => {
                let items = word.split(',').map(|item| self.items.read(item.trim()));
                items.collect::<Option<Vec<_>>>().map(Value::Array)
            }
            of => of.read(word),
        };
        self.accept(taken, &format!("{word:?}"))
    }

    fn accept(&self, taken: Option<Value>, found: &str) -> Result<Value, String> {
        taken
            .filter(|value| self.choices.is_empty() || self.choices.contains(value))
            .ok_or_else(|| format!("expected {}, found {found}", self.expected()))
    }
}

/// A value inside other text.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn param(of: ParamType, items: ParamType, choices: &[Value]) -> Param {
        Param { of, items, choices: choices.to_vec(), ..Param::cluster() }
    }

    #[test]
    fn words_of_the_command_line_become_values_of_the_type() {
        use ParamType::{Bool, Duration, Int, List, Number, Percent, String};
        for (of, items, word, value) in [
            (String, String, "5", json!("5")),
            (Int, String, "-5", json!(-5)),
            (Number, String, "0.5", json!(0.5)),
            (Bool, String, "true", json!(true)),
            (Duration, String, "1h30m", json!("1h30m")),
            (Percent, String, "25", json!(25)),
            (Percent, String, "25%", json!(25)),
            (List, String, "a, b", json!(["a", "b"])),
            (List, Percent, "1,50,100", json!([1, 50, 100])),
            (List, String, "", json!([])),
        ] {
            assert_eq!(param(of, items, &[]).read(word), Ok(value.clone()), "{word}");
            assert_eq!(param(of, items, &[]).take(&value), Ok(value), "{word} again, as kept in a journal");
        }
    }

    #[test]
    fn what_does_not_fit_is_said_with_what_was_expected() {
        use ParamType::{Bool, Duration, Int, List, Percent, String};
        for (of, word, expected) in [
            (Int, "5.5", "a whole number"),
            (Bool, "yes", "true or false"),
            (Duration, "5", "a duration like"),
            (Percent, "101", "a percentage from 0 to 100"),
            (List, "1,x", "a list, each item a whole number"),
        ] {
            let error = param(of, Int, &[]).read(word).unwrap_err();
            assert!(error.contains(expected) && error.contains(word), "{error}");
        }
        let error = param(String, String, &[json!("a"), json!("b")]).read("c").unwrap_err();
        assert_eq!(error, "expected one of a, b, found \"c\"");
    }
}

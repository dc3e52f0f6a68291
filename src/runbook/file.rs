//! The runbook's file, word by word: what serde reads and what the JSON Schema is made from.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::params::ParamFile;
use super::{OnFailure, Policy};
use crate::duration::HumanDuration;
use crate::limits::Limits;
use crate::yaml::ApiVersion;

/// A runbook: parameters and a list of steps, worked through in order on every chosen cluster.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RunbookFile {
    /// The version of this format.
    pub(super) api_version: ApiVersion,
    /// What this file is.
    pub(super) kind: FileKind,
    /// What it is called and what it is for.
    pub(super) metadata: Metadata,
    /// What it does.
    pub(super) spec: Spec,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) enum FileKind {
    Runbook,
}

/// What it is called and what it is for.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct Metadata {
    /// Lower-case words with dashes.
    #[schemars(regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"), example = "api-overload")]
    pub(super) name: String,
    /// What it is for, in one sentence.
    pub(super) purpose: String,
}

/// What it does.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct Spec {
    /// Values that are given when it is run; used as `${name}` in the steps.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) params: BTreeMap<String, ParamFile>,
    /// A word that must be typed before the run begins, instead of a yes; `--yes` does not answer it, `--consent WORD` does. `${cluster}` is the name of the cluster, where the run is on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) typed_consent: Option<String>,
    /// The steps, in order.
    #[schemars(length(min = 1))]
    pub(super) steps: Vec<StepFile>,
}

/// One step.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct StepFile {
    /// Its name; unique in the runbook. The kind's name when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// Its kind.
    pub(super) kind: String,
    /// Why it is there, in one sentence: shown with the step in the plan and on the screen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) why: String,
    /// Whether the step is there at all. A parameter that is false, empty, or has no value takes the step out. A result that is a
    /// yes or no, `${steps.NAME.RESULT}`, decides during the run: with a no, the step is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) when: Option<Value>,
    /// The kind's parameters.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(super) with: Map<String, Value>,
    /// Which targets: names, `cp[1-3]`, `role:control-plane`, `role:node`, `all`, `!name`, separated by commas.
    /// When not given: where the kind is at home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) targets: Option<String>,
    /// The end of the step on one target, whatever it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) timeout: Option<HumanDuration>,
    /// How often a failed look is repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub(super) retries: Option<u32>,
    /// What a failure leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) on_failure: Option<OnFailure>,
    /// At most this many targets at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub(super) fanout: Option<usize>,
    /// The first target alone, before the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) canary: Option<bool>,
    /// The targets after the canary in groups of this many, each group done before the next begins. 0: one group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) batch: Option<usize>,
    /// The step takes no new targets once this many have failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub(super) max_failures: Option<usize>,
    /// Ask before the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) confirm: Option<bool>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            timeout: Duration::from_mins(10),
            retries: 3,
            on_failure: OnFailure::Stop,
            limits: Limits::TARGETS,
            confirm: false,
        }
    }
}

impl StepFile {
    /// Where the step says nothing, the defaults.
    pub(super) fn policy(&self) -> Policy {
        let default = Policy::default();
        Policy {
            timeout: self.timeout.map_or(default.timeout, Duration::from),
            retries: self.retries.unwrap_or(default.retries),
            on_failure: self.on_failure.unwrap_or(default.on_failure),
            limits: Limits {
                at_once: self.fanout.unwrap_or(default.limits.at_once),
                canary: self.canary.unwrap_or(default.limits.canary),
                batch: self.batch.unwrap_or(default.limits.batch),
                max_failures: self.max_failures.unwrap_or(default.limits.max_failures),
            },
            confirm: self.confirm.unwrap_or(default.confirm),
        }
    }

    /// A step with every policy written out.
    pub(super) fn new(kind: &str, with: Map<String, Value>, targets: Option<String>, policy: &Policy) -> Self {
        Self {
            name: None,
            kind: kind.to_owned(),
            why: String::new(),
            when: None,
            with,
            targets,
            timeout: Some(policy.timeout.into()),
            retries: Some(policy.retries),
            on_failure: Some(policy.on_failure),
            fanout: Some(policy.limits.at_once),
            canary: Some(policy.limits.canary),
            batch: Some(policy.limits.batch),
            max_failures: Some(policy.limits.max_failures),
            confirm: Some(policy.confirm),
        }
    }
}

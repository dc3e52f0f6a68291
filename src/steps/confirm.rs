//! `confirm`: a question to the operator.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Announced, Fault, Kind, Look, Question, Scope, Sends, Step, StepError, Survey, Times, params, schema_of};
use crate::change::Target;
use crate::kit::Cluster;

const QUESTION: &str = "confirm";

/// The kind.
pub(super) struct Confirm;

/// Asks before the run goes on. Costs nothing; nothing has to be undone.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// The question.
    question: String,
    /// The word that has to be typed; without it, yes or no.
    #[serde(default)]
    typed: Option<String>,
    /// What `--yes` answers. `no` is for what only a person may decide: then a run with `--yes` ends here.
    #[serde(default)]
    unattended: Answer,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    #[default]
    Yes,
    No,
}

impl Kind for Confirm {
    fn name(&self) -> &'static str {
        "confirm"
    }

    fn doc(&self) -> &'static str {
        "Asks the operator before the run goes on: yes or no, or a word that has to be typed. An answer of yes is kept \
         in the journal, so `resume` does not ask again. Costs no request; there is nothing to undo."
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let with: Params = params(with)?;
        if with.question.trim().is_empty() {
            return Err(vec![Fault::at("question", "it is empty")]);
        }
        if with.typed.as_deref().is_some_and(|word| word.trim() != word || word.is_empty()) {
            return Err(vec![Fault::at("typed", "it is empty, or has spaces around it that nobody will type")]);
        }
        Ok(Box::new(with))
    }
}

impl Step for Params {
    fn intent(&self) -> String {
        format!("ask: {}", self.question)
    }

    fn announce(&self, _: &Target, _: &Cluster) -> Vec<Announced> {
        let what = Sends::Ask(self.question.clone());
        vec![Announced::new(what, Times::Once, "the run goes on only after a yes")]
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        let found = match look.history.answer(QUESTION) {
            Some(true) => Ok(Survey::done()),
            Some(false) => Err(StepError::Declined(self.question.clone())),
            None => Ok(Survey {
                ask: Some(Question {
                    id: QUESTION.into(),
                    text: format!("{}: {}", look.target, self.question),
                    typed: self.typed.clone(),
                    unattended: self.unattended == Answer::Yes,
                    otherwise: None,
                }),
                ..Survey::default()
            }),
        };
        async move { found }.boxed()
    }
}

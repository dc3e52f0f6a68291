//! Consent is a value: what destroys takes one as an argument, so forgetting to ask does not compile.

use futures::future::BoxFuture;

use crate::plan::Plan;
use crate::steps::Question;

/// The operator said yes to exactly one plan. Made only here.
#[derive(Debug, Clone)]
pub struct Consent {
    digest: String,
}

/// The person, or what stands in for one.
pub trait Operator: Send + Sync {
    /// Asks; `None` when nobody can be asked.
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Option<bool>>;
}

impl Consent {
    /// Asks for consent to a plan that has been shown.
    pub async fn ask(plan: &Plan, operator: &dyn Operator) -> Option<Self> {
        let question = Question {
            id: "plan".into(),
            text: format!("Run this plan ({})?", crate::change::short_hash(&plan.digest)),
            typed: plan.runbook.typed_consent.clone(),
            // A word that has to be typed is there so that nobody says yes in passing.
            unattended: plan.runbook.typed_consent.is_none(),
            otherwise: None,
        };
        let yes = operator.ask(&question).await?;
        yes.then(|| Self { digest: plan.digest.clone() })
    }

    /// The word that the plan wants typed was given beforehand; `None` when this is another one, or it wants none.
    pub fn typed(plan: &Plan, word: &str) -> Option<Self> {
        let right = plan.runbook.typed_consent.as_deref() == Some(word);
        right.then(|| Self { digest: plan.digest.clone() })
    }

    /// Consent to take back what a run did: what is undone was consented to when it was done, and the operator asked
    /// for the undo by name.
    pub fn to_undo(run: &crate::journal::Run) -> Self {
        Self { digest: run.header.plan.clone() }
    }

    /// What neither writes nor asks anything needs no yes; `None` when it does.
    pub fn to_look(plan: &Plan) -> Option<Self> {
        let looks = !plan.writes() && !plan.asks() && plan.runbook.typed_consent.is_none();
        looks.then(|| Self { digest: plan.digest.clone() })
    }

    /// A drill changes nothing and needs no yes.
    pub fn for_drill(plan: &Plan) -> Self {
        Self { digest: plan.digest.clone() }
    }

    /// A run that is taken up again keeps the consent it was given, if the plan is still the same.
    pub fn resumed(plan: &Plan, run: &crate::journal::Run) -> Option<Self> {
        (plan.digest == run.header.plan).then(|| Self { digest: plan.digest.clone() })
    }

    /// Whether it was given to this plan.
    pub fn covers(&self, digest: &str) -> bool {
        self.digest == digest
    }
}

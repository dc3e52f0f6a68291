//! `thaw-automation`: what was told to leave things alone gets back what was there before, as the mark that stands in it says.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::automation::{self, Automation, Params, Walked, Wish};
use super::{Announced, Fault, Kind, Look, Scope, Step, StepError, Survey, params, schema_of};
use crate::change::Target;
use crate::kit::Cluster;
use crate::words;

/// The kind.
pub(super) struct ThawAutomation;

struct Thawing {
    wish: Wish,
    with: Params,
}

impl Kind for ThawAutomation {
    fn name(&self) -> &'static str {
        "thaw-automation"
    }

    fn doc(&self) -> &'static str {
        "Gives back what `freeze-automation` took, also of a run whose journal is elsewhere: the annotation breakglass.io/frozen in \
         each object says which run froze it and what was there before. Found in the same way: from a workload upwards, by its \
         own name, or all of the cluster.\n\n\
         For each a JSON patch that tests the uid, the mark and the field as seen, puts the old value back and takes the mark \
         away; the nearest to the workload first. What somebody has set anew meanwhile stands, and only the mark goes. What has no \
         mark is left as it is. One GET of the object, one GET and one PATCH for each that is frozen, and one GET of each more. \
         `undo` freezes each again. `undo` of the run that froze does the same without this, where its journal is."
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let with: Params = params(with)?;
        let wish = Wish::read(&with)?;
        Ok(Box::new(Thawing { wish, with }))
    }
}

impl Step for Thawing {
    fn intent(&self) -> String {
        format!("thaw {}, where breakglass has frozen it", self.wish.what())
    }

    fn announce(&self, _: &Target, _: &Cluster) -> Vec<Announced> {
        let mut all = automation::looks(&self.wish);
        let ops = json!(
            "<a JSON patch that tests the uid, the mark and the field as seen, puts back there what the mark says was there before, and \
             takes the mark away>"
        );
        all.push(automation::patch(&self.wish, &self.with, ops, "gives it back what was there before it was frozen"));
        all
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        self.look(look).boxed()
    }
}

impl Thawing {
    async fn look(&self, look: Look<'_>) -> Result<Survey, StepError> {
        let (argocd, limit) = (self.with.argocd_namespace.as_str(), self.with.look_within.0);
        let Walked { chain, saw, .. } = match &self.wish {
            Wish::All(sorts) => automation::everything(look, sorts, argocd, limit).await?,
            Wish::Of(which) => automation::follow(look, which, argocd, limit).await?,
        };
        let mut survey = Survey { saw, ..Survey::default() };
        let deadline = self.with.deadline.0.as_secs().max(1);
        for one in &chain {
            match one.thaw(deadline) {
                Some(Ok(change)) => survey.changes.push(change),
                Some(Err(why)) => {
                    let next = format!("kubectl edit {} {} -n {}", one.at.resource(), one.at.name, one.named.namespace);
                    survey.see([format!("{} is left as it is: {why}; next: {next}", one.named)]);
                }
                None => {}
            }
        }
        if survey.changes.len() > self.with.at_most as usize {
            let count = words::count(survey.changes.len(), "object");
            return Err(StepError::Refused {
                why: format!("{count} would be changed, more than `atMost` allows ({})", self.with.at_most),
                hint: Some("raise `atMost`".into()),
            });
        }
        if survey.changes.is_empty() && look.history.changes.is_empty() {
            survey.see([format!("nothing of {} is marked as frozen by breakglass", self.wish.what())]);
        }
        Ok(automation::settled(look, survey, &chain, is_thawed))
    }
}

fn is_thawed(one: &Automation) -> bool {
    one.frozen_by().is_none()
}

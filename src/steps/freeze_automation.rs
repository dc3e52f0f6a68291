//! `freeze-automation`: what would put an object back is told to leave it alone, from the top down, and told again by `undo` as it
//! was.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::automation::{self, Automation, Named, Params, Walked, Wish};
use super::kube_object::text;
use super::{Announced, Fault, Kind, Look, Scope, Step, StepError, Survey, params, schema_of};
use crate::change::{Change, Note, Target};
use crate::finding::Finding;
use crate::journal::ChangeState;
use crate::kit::Cluster;
use crate::words;

/// How many of what may be many are told one by one.
const TOLD: usize = 8;
/// A sync that was under way when its Application was frozen may still set another one going: for so long nothing may.
const SETTLES: Duration = Duration::from_secs(3);

/// The kind.
pub(super) struct FreezeAutomation;

struct Freezing {
    wish: Wish,
    with: Params,
}

/// What is kept with each change.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// The version of the object that was changed, before. It is the same afterwards in a drill alone.
    version: String,
    /// What puts the object back that was named: later looks look at just these, and after a kill it may be gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    found: Option<Found>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Found {
    /// What can be told to stop, the nearest first.
    chain: Vec<Named>,
    /// What cannot, and what to type.
    held: Vec<(String, String)>,
}

impl Kind for FreezeAutomation {
    fn name(&self) -> &'static str {
        "freeze-automation"
    }

    fn doc(&self) -> &'static str {
        "Keeps an object from being put back: what manages it is told to leave things alone. Who that is, is read from the object \
         itself (Argo CD's tracking id, the labels of Argo CD and Flux, the owner that is its controller), and so on upwards: \
         an Application that another one manages, or an ApplicationSet, would be set going again. The topmost is frozen first.\n\n\
         An Application loses `syncPolicy.automated`, an ApplicationSet gets `applicationsSync: create-only`, a Kustomization, a \
         HelmRelease and the CronJob of a Job get `suspend: true`: one field each, by a JSON patch that tests the uid and what was \
         seen there. The run, and what was there, are left in the annotation breakglass.io/frozen. `undo` puts each field back to \
         the byte, or names what somebody has changed since; `thaw-automation` does so without the journal.\n\n\
         One GET of the object, one GET and one PATCH for each of at most 6 that put it back, and two GETs of each more, the last \
         3 s later: a controller that sets one going again meanwhile is seen, and it is frozen once more, three times at most. With `all`: \
         all Applications, or all Kustomizations and HelmReleases, of the cluster, by lists of 50 a page and a PATCH each (`park \
         sts/argocd/argocd-application-controller` stops all of Argo CD by two requests).\n\n\
         A sync that is under way goes on to its end, and is told. Where nothing that can be told to stop puts it back, but an \
         operator, or an Argo CD of another cluster, the step fails with what to type. An installation by Helm alone puts nothing \
         back."
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
        Ok(Box::new(Freezing { wish, with }))
    }
}

impl Step for Freezing {
    fn intent(&self) -> String {
        format!("freeze {}: nothing is put back by it until it is thawed", self.wish.what())
    }

    fn announce(&self, _: &Target, _: &Cluster) -> Vec<Announced> {
        let mut all = automation::looks(&self.wish);
        let why = "tells it to leave things alone, the topmost first";
        all.push(automation::patch(&self.wish, &self.with, automation::freezing(), why));
        all
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        self.look(look).boxed()
    }

    fn interval(&self) -> Duration {
        SETTLES
    }
}

impl Freezing {
    /// All that has to be frozen, the nearest first.
    async fn walk(&self, look: Look<'_>) -> Result<Walked, StepError> {
        let (argocd, limit) = (self.with.argocd_namespace.as_str(), self.with.look_within.0);
        let which = match &self.wish {
            Wish::All(sorts) => return automation::everything(look, sorts, argocd, limit).await,
            Wish::Of(which) => which,
        };
        match look.history.notes::<Kept>().filter_map(|(_, kept)| kept.found).next_back() {
            Some(Found { chain, held }) => Ok(Walked { held, ..automation::again(look, &chain, limit).await? }),
            None => automation::follow(look, which, argocd, limit).await,
        }
    }

    async fn look(&self, look: Look<'_>) -> Result<Survey, StepError> {
        let first = look.history.changes.is_empty();
        let Walked { chain, held, saw } = self.walk(look).await?;
        let mut survey = Survey { saw, ..Survey::default() };
        let (run, by) = (look.mark.run.as_str(), look.mark.operator.as_str());
        let deadline = self.with.deadline.0.as_secs().max(1);
        let found = matches!(self.wish, Wish::Of(_))
            .then(|| Found { chain: chain.iter().map(|one| one.named.clone()).collect(), held: held.clone() });
        let mut at_rest = Vec::new();
        for one in chain.iter().rev() {
            match one.rest().filter(|_| !pretended(look, one)) {
                Some(edit) => {
                    survey
                        .see(look.history.done(&one.key()).then(|| set_going_again(one, &self.with.argocd_namespace)));
                    survey.see(one.under_way());
                    let note = Note::of(&Kept { version: version(one), found: found.clone() });
                    survey.changes.push(Change { note: Some(note), ..one.freeze(&edit, (run, by), deadline) });
                }
                None if is_ours(one, run) || pretended(look, one) => {}
                None => at_rest.push(match one.frozen_by() {
                    Some(other) => format!("{} (frozen by run {other})", one.named),
                    None => one.named.to_string(),
                }),
            }
        }
        if matches!(self.wish, Wish::All(_)) && survey.changes.len() > self.with.at_most as usize {
            return Err(self.too_many(&survey, &chain));
        }
        if first {
            survey.see(self.told(&chain, &held, &mut at_rest));
        }
        let drill = chain.iter().any(|one| pretended(look, one));
        let settling = look.history.changes.iter().any(|record| look.history.just_now(record, SETTLES));
        if survey.changes.is_empty() && settling && (held.is_empty() || !drill) {
            let names = chain.iter().map(|one| one.named.to_string()).collect::<Vec<_>>();
            let what = format!("{} to stay frozen for {} s", words::fold(&names), SETTLES.as_secs());
            survey.waiting_for = Some(what);
        } else if survey.changes.is_empty()
            && let Some((why, next)) = held.into_iter().next()
        {
            survey.fails = Some(StepError::Refused { why, hint: Some(next) });
        }
        Ok(automation::settled(look, survey, &chain, |one| is_ours(one, run) || pretended(look, one)))
    }

    fn too_many(&self, survey: &Survey, chain: &[Automation]) -> StepError {
        let sort = chain.first().map_or("Argo CD", |one| one.named.sort.whose());
        let controller = match sort {
            "Flux" => "breakglass park deploy/flux-system/kustomize-controller; the same of helm-controller".to_owned(),
            _ => format!("breakglass park sts/{}/argocd-application-controller", self.with.argocd_namespace),
        };
        StepError::Refused {
            why: format!(
                "{} would be changed, more than `atMost` allows ({})",
                words::count(survey.changes.len(), "object"),
                self.with.at_most
            ),
            hint: Some(format!("{controller} stops all of it by two requests; or raise `atMost`")),
        }
    }

    /// What is said of what needs no change, and where nothing does at all.
    fn told(&self, chain: &[Automation], held: &[(String, String)], at_rest: &mut Vec<String>) -> Vec<Finding> {
        let mut all = Vec::new();
        let more = at_rest.len().saturating_sub(TOLD);
        if !at_rest.is_empty() {
            at_rest.truncate(TOLD);
            let and = if more > 0 { format!(", and {more} more") } else { String::new() };
            all.push(format!("at rest already: {}{and}", at_rest.join(", ")).into());
        }
        if chain.is_empty() && held.is_empty() {
            let what = self.wish.what();
            all.push(
                format!("nothing that is known is {what}: no mark of Argo CD or Flux that leads to one, and no controller owns it")
                    .into(),
            );
        }
        all
    }
}

fn version(one: &Automation) -> String {
    text(&one.object, "/metadata/resourceVersion").to_owned()
}

/// Whether a drill has pretended to freeze it, in this step or an earlier one: no look shows that.
fn pretended(look: Look<'_>, one: &Automation) -> bool {
    let (key, version) = (one.key(), version(one));
    let mut here = look.history.notes::<Kept>().filter(|(record, _)| record.change.key == key);
    look.history.pretended.iter().any(|change| change.key == key)
        || here.any(|(record, kept)| record.state == ChangeState::Done && kept.version == version)
}

/// Whether it is frozen by this run.
fn is_ours(one: &Automation, run: &str) -> bool {
    one.rest().is_none() && one.frozen_by().as_deref() == Some(run)
}

fn set_going_again(one: &Automation, argocd: &str) -> Finding {
    let next = match one.named.sort.whose() {
        "Argo CD" => format!(
            "breakglass park deploy/{argocd}/argocd-applicationset-controller, or sts/{argocd}/argocd-application-controller"
        ),
        "Flux" => "breakglass park deploy/flux-system/kustomize-controller".to_owned(),
        _ => format!(
            "kubectl get {} {} -n {} -o yaml --show-managed-fields says who",
            one.at.resource(),
            one.at.name,
            one.named.namespace
        ),
    };
    format!("{} was frozen, and something has set it going again; where it does so once more: {next}", one.named).into()
}

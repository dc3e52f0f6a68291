//! What is seen of it once the template is there: how far its pods are, and what nobody knows yet.

use serde_json::Value;

use super::revisions::{images, kubectl};
use super::{Decided, Rolling, hash, marked_by};
use crate::journal::ChangeRecord;
use crate::steps::kube_object::{self, Seen};
use crate::steps::rollout::{self, Rollout};
use crate::steps::{Look, StepError, Survey};
use crate::world::Accept;

impl Rolling {
    /// The PATCH was taken in.
    pub(super) async fn rolled_back(&self, look: Look<'_>, record: &ChangeRecord) -> Result<Survey, StepError> {
        if self.with.wait.is_none() {
            return Ok(Survey::done().saw(self.unseen()));
        }
        let since = Some(record.moved_at);
        match kube_object::get(look, &self.object, Accept::Json, self.with.look_within.0).await {
            // In a drill it cannot be there.
            Ok(Seen::There(seen)) if marked_by(&seen) != look.mark.run => {
                self.awaited(look, since, "what stands there is not what this run has put", |said| self.not_over(said))
            }
            // Who keeps it in Git or in a chart leaves the mark where it is.
            Ok(Seen::There(seen)) if self.was_rolled_back(look, &seen) => Err(StepError::Refused {
                why: format!(
                    "the template of {} was put back, and is again what it was before ({}): somebody else has put that there",
                    self.object,
                    images(&seen["spec"]["template"])
                ),
                hint: Some(format!(
                    "breakglass freeze-automation {} stops Argo CD and Flux, whoever else keeps it is stopped by hand; then the same again",
                    self.object
                )),
            }),
            Ok(Seen::There(seen)) => self.over(look, &seen, since),
            Ok(Seen::Absent) => Err(StepError::Refused {
                why: format!("{} was rolled back, and is gone since: somebody else has deleted it", self.object),
                hint: Some(
                    "breakglass runs tells whether a run has deleted it; breakglass undo RUN puts it back".into(),
                ),
            }),
            // It was taken in: that nobody can look now makes it no failure to get in.
            Err(StepError::Read(error)) => {
                self.awaited(look, since, &format!("nobody can look ({error})"), |said| self.unknown(said))
            }
            Err(other) => Err(other),
        }
    }

    /// Whether the template is again what it was before.
    fn was_rolled_back(&self, look: Look<'_>, seen: &Value) -> bool {
        let decided = look.history.notes::<Decided>().next_back();
        decided.is_some_and(|(_, decided)| decided.template == hash(seen))
    }

    /// The template is the one that was meant: what its pods are, where that was asked for.
    pub(super) fn over(
        &self,
        look: Look<'_>,
        seen: &Value,
        since: Option<jiff::Timestamp>,
    ) -> Result<Survey, StepError> {
        if self.with.wait.is_none() {
            return Ok(Survey::done().saw(self.unseen()));
        }
        match rollout::read(&self.object, seen) {
            Rollout::Over(said) => {
                let images = images(&seen["spec"]["template"]);
                Ok(Survey::done().saw(format!("{}: {said} ({images})", self.object)))
            }
            Rollout::Going(said) => self.awaited(look, since, &said, |said| self.not_over(said)),
            Rollout::Stands(said) => Err(self.not_over(&said)),
        }
    }

    fn awaited(
        &self,
        look: Look<'_>,
        since: Option<jiff::Timestamp>,
        said: &str,
        late: impl FnOnce(&str) -> StepError,
    ) -> Result<Survey, StepError> {
        let waited = since.map(|since| look.history.ago(since)).unwrap_or_default();
        if self.with.wait.is_some_and(|wait| waited < wait.0) {
            return Ok(Survey::waiting(format!("the pods of {} to be what its template says: {said}", self.object)));
        }
        Err(late(&format!("after {} s {said}", waited.as_secs())))
    }

    fn not_over(&self, said: &str) -> StepError {
        self.late(&format!("the template of {} is back, its pods are not: {said}", self.object))
    }

    fn unknown(&self, said: &str) -> StepError {
        self.late(&format!("the template of {} was put back, and what its pods are is unknown: {said}", self.object))
    }

    fn late(&self, why: &str) -> StepError {
        StepError::Refused {
            why: why.into(),
            hint: Some(format!("kubectl rollout status {} --timeout=5m", kubectl(&self.object))),
        }
    }

    /// What is not known once only the template is there.
    fn unseen(&self) -> String {
        format!(
            "the template is back; what its pods are is unknown: they change as their controller and their nodes hear of it, not \
             behind a closed gate; next: kubectl rollout status {} --timeout=5m",
            kubectl(&self.object)
        )
    }
}

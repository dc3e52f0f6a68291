//! `refuse-return`: API servers refuse to make one object, by its exact name, until a time.

mod policy;

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use self::policy::{Judged, Part, Terms};
use super::kube_object::{self, Going, Seen, Served};
use super::{Announced, Fault, Kind, Look, ObjectRef, Scope, Step, StepError, Survey, Times, params, schema_of};
use crate::change::{Op, Target};
use crate::duration::HumanDuration;
use crate::journal::ChangeRecord;
use crate::kit::Cluster;
use crate::world::Accept;

/// For so long after the POSTs API servers may not have read the policy: each watches for it, and looks at what came of that once
/// a second.
const READ_BY_THEN: Duration = Duration::from_secs(3);
/// The longest that a policy may be in force: a forgotten one is found by those who do not look for it.
const LONGEST: Duration = Duration::from_hours(24 * 30);

/// The kind.
pub(super) struct RefuseReturn;

/// Keeps one object from being made, or set going, again.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// The object: `ds/NAMESPACE/NAME` and the like, or `GROUP/VERSION/PLURAL/NAMESPACE/NAME`. It may be gone already.
    object: String,
    /// Its namespace, when the name does not say it.
    #[serde(default)]
    namespace: Option<String>,
    /// For how long, by the clock of the API server; 30 days at most. After that everything is as before, and `undo` only tidies up.
    #[serde(default = "lasts")]
    lasts: HumanDuration,
    /// Whom to ask, for the message that whoever is refused reads: a name, a channel, a number. Else it names who ran this.
    #[serde(default)]
    ask: Option<String>,
    /// How long each request that looks may take.
    #[serde(default = "kube_object::look_within")]
    look_within: HumanDuration,
    /// How long each POST may stay unanswered, all attempts together, before the outcome is looked at.
    #[serde(default = "kube_object::write_deadline")]
    deadline: HumanDuration,
}

fn lasts() -> HumanDuration {
    HumanDuration::secs(24 * 60 * 60)
}

struct Refusing {
    object: ObjectRef,
    with: Params,
}

impl Kind for RefuseReturn {
    fn name(&self) -> &'static str {
        "refuse-return"
    }

    fn doc(&self) -> &'static str {
        "Keeps one object away whoever makes it: a ValidatingAdmissionPolicy and its binding, which API servers judge by themselves \
         (no webhook, no pod), refuse to create just this object, by group, resource, namespace and name. Where it is there it \
         stays, and what would change its spec or its scale is refused: first park it, or delete it afterwards. Everything else, \
         and all other objects, go on; so do its status, its metadata and its deletion.\n\n\
         Whoever is refused reads which run it was, until when, and whom to ask. It ends by itself: the expression compares the \
         time that the API server itself has just written into the object (its creationTimestamp, or the newest time among \
         its managedFields) with the end, because such expressions have no clock. A change of scale carries no time: that is \
         refused until `undo`.\n\n\
         Three GETs, the object, the policy and the binding, and two POSTs. Then it waits 3 s, so that what follows finds it in \
         force: each API server reads it by itself, within a second or so, and nobody can ask one whether it has. \
         `undo` deletes both, where they still are as we made them; a look before each DELETE says which uid and version it has. \
         The run is left in the annotation breakglass.io/refused of both.\n\n\
         Kubernetes 1.30 and later; an older one is refused with nothing changed. What manages the object tries on, and says \
         that it is refused: `freeze-automation` stops it."
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let with: Params = params(with)?;
        let mut faults: Vec<Fault> = kube_object::too_short(with.deadline).into_iter().collect();
        if with.lasts.0 < Duration::from_secs(10) || with.lasts.0 > LONGEST {
            faults.push(Fault::at("lasts", "it must be between 10s and 30d"));
        }
        if with.ask.as_deref().is_some_and(|ask| ask.trim().is_empty()) {
            faults.push(Fault::at("ask", "say whom to ask, or leave it out"));
        }
        let object = ObjectRef::parse(&with.object, with.namespace.as_deref()).and_then(policy::can_be_refused);
        match object {
            Ok(object) if faults.is_empty() => Ok(Box::new(Refusing { object, with })),
            object => Err(object.err().map(|why| Fault::at("object", why)).into_iter().chain(faults).collect()),
        }
    }
}

impl Step for Refusing {
    fn intent(&self) -> String {
        format!("refuse whoever makes {} again, for {}", self.object, self.with.lasts)
    }

    fn announce(&self, _: &Target, _: &Cluster) -> Vec<Announced> {
        let get = |at: &ObjectRef, why: &str| {
            let why = format!("{why}; again only when a POST was refused or its reply was lost");
            Announced::get(at.path(), Times::AtMost(4), &why)
        };
        let mut all = vec![get(&self.object, "sees whether it is there, and the server's clock")];
        let terms = Terms::announced(&self.object, self.with.lasts);
        for part in Part::BOTH {
            all.push(get(&part.at(&self.object), "sees whether there is one already"));
            all.push(Announced::op(Op::Kube(part.creating(&terms)), Times::Once, part.why()));
        }
        all
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        self.look(look).boxed()
    }

    fn interval(&self) -> Duration {
        READ_BY_THEN
    }
}

impl Refusing {
    async fn look(&self, look: Look<'_>) -> Result<Survey, StepError> {
        let parts: Vec<Part> = Part::BOTH.into_iter().filter(|part| !look.history.done(part.key())).collect();
        if parts.is_empty() {
            let fresh = look.history.changes.iter().any(|record| look.history.just_now(record, READ_BY_THEN));
            let what = || format!("each API server to have read it, for {} s", READ_BY_THEN.as_secs());
            return Ok(Survey { waiting_for: fresh.then(what), ..Survey::default() });
        }
        let limit = self.with.look_within.0;
        let (seen, date) = kube_object::dated(look, &self.object, Accept::Metadata, limit).await?;
        // The operator's clock may go wrong, and the servers' is what ends it.
        let now = date.unwrap_or(look.history.now);
        let mut survey = Survey::default();
        survey.see([self.told(&seen)]);
        let mut terms = self.terms(look, &self.until(look, now)?);
        for part in parts {
            let at = part.at(&self.object);
            let judged = match kube_object::served(look, &at, limit).await? {
                Served::Not => return Err(self.too_old()),
                Served::Absent => None,
                Served::There(object) => Some(policy::judge(&object, terms.mark(), now)),
            };
            let open = |record: &&ChangeRecord| record.change.key == part.key() && record.state.is_open();
            if matches!(judged, Some(Judged::Ours { .. })) {
                survey.arrived.extend(look.history.missed(part.key()));
            } else {
                survey.not_made.extend(look.history.changes.iter().filter(open).map(|record| record.id));
            }
            match judged {
                None => survey.changes.push(part.create(&terms, self.with.deadline.0.as_secs().max(1))),
                // The policy of before a kill: its binding says the same.
                Some(Judged::Ours { until }) => terms = self.terms(look, &until),
                Some(Judged::Others { by, until }) => {
                    survey.see([format!("{} is kept away by run {by} already, until {until} ({at})", self.object)]);
                }
                Some(Judged::Over { by, until }) => return Err(self.over(&at, &by, &until)),
                Some(Judged::Foreign) => {
                    return Err(StepError::Refused {
                        why: format!("{at} is there, and nothing in it says that breakglass made it"),
                        hint: Some(format!("kubectl get {} {} -o yaml", at.resource(), at.name)),
                    });
                }
            }
        }
        Ok(survey)
    }

    /// What of it is there now.
    fn told(&self, seen: &Seen) -> String {
        let Seen::There(object) = seen else { return format!("{} is not there", self.object) };
        match Going::of(object) {
            Some(going) => format!("{}: {going}", self.object),
            None => format!(
                "{} is there and stays: only what would change its spec is refused; next, where it is to go: breakglass delete {}",
                self.object, self.object
            ),
        }
    }

    /// When it ends, by the clock of the server: so long after the step began, also where a kill came between.
    fn until(&self, look: Look<'_>, now: jiff::Timestamp) -> Result<String, StepError> {
        let since = look.history.since.unwrap_or(look.history.now);
        let ago = (look.history.now.as_second() - since.as_second()).max(0);
        let lasts = i64::try_from(self.with.lasts.0.as_secs()).unwrap_or(i64::MAX);
        let left = lasts - ago;
        let end = now.as_second().checked_add(left).and_then(|end| jiff::Timestamp::from_second(end).ok());
        match end.filter(|_| left > 0) {
            Some(end) => Ok(end.to_string()),
            None => Err(StepError::Refused {
                why: format!("the step began {ago} s ago, and was to last {}: that is over", self.with.lasts),
                hint: Some(format!("breakglass refuse-return {}", self.object)),
            }),
        }
    }

    fn terms(&self, look: Look<'_>, until: &str) -> Terms {
        let ask = self.with.ask.as_deref().unwrap_or(&look.mark.operator);
        Terms::new(&self.object, (&look.mark.run, look.step), until, &look.mark.reason, ask)
    }

    fn too_old(&self) -> StepError {
        StepError::Refused {
            why: "this API server serves no validatingadmissionpolicies in admissionregistration.k8s.io/v1, which are in \
                  Kubernetes since 1.30"
                .into(),
            hint: Some(format!("breakglass freeze-automation {} stops what makes it instead", self.object)),
        }
    }

    fn over(&self, at: &ObjectRef, by: &str, until: &str) -> StepError {
        let run = by.split(' ').next().unwrap_or_default();
        StepError::Refused {
            why: format!("run {by} kept {} away until {until}, which is over; its {at} is still there", self.object),
            hint: Some(format!(
                "breakglass undo {run}; or kubectl delete validatingadmissionpolicybinding,validatingadmissionpolicy {}; then the same again",
                at.name
            )),
        }
    }
}

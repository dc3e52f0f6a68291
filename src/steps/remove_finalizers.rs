//! `remove-finalizers`: what holds one object that is being deleted, taken off it, so that it ends.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::along::takes_along;
use super::finalizers::{NAMESPACE, of_collector, protects};
use super::kube_object::{self, Going, Seen, kubectl, removing, text};
use super::marking::{self, Edit};
use super::{
    Announced, Fault, Kind, Look, ObjectRef, Question, Scope, Sends, Step, StepError, Survey, Times, params, schema_of,
};
use crate::change::{Change, Holds, Inverse, Keep, Note, Op, Target};
use crate::duration::HumanDuration;
use crate::journal::{ChangeRecord, ChangeState};
use crate::kit::Cluster;
use crate::shell;
use crate::world::Accept;

const KEY: &str = "remove-finalizers";
const FINALIZERS: &str = "/metadata/finalizers";

/// The kind.
pub(super) struct RemoveFinalizers;

/// Takes finalizers off one object.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// The object: `daemonsets.apps/NAMESPACE/NAME`, `ds/NAMESPACE/NAME`, or `GROUP/VERSION/RESOURCE/NAMESPACE/NAME`.
    object: String,
    /// Its namespace, when the name does not say it.
    #[serde(default)]
    namespace: Option<String>,
    /// These finalizers and no others. Without it all that are on it; those of the garbage collector only when they stand here.
    #[serde(default)]
    #[schemars(length(min = 1))]
    finalizers: Option<Vec<String>>,
    /// Also where nobody has deleted the object. Then they hold nothing yet, and a later deletion does not wait for them.
    #[serde(default)]
    before_delete: bool,
    /// The uid that the object must have, when it is known already.
    #[serde(default)]
    uid: Option<String>,
    /// How long an object that nothing but its grace period holds any more is waited for.
    #[serde(default = "gone_within")]
    gone_within: HumanDuration,
    /// How long each look may take.
    #[serde(default = "kube_object::look_within")]
    look_within: HumanDuration,
    /// How long the PATCH may stay unanswered, all attempts together, before the outcome is looked at.
    #[serde(default = "kube_object::write_deadline")]
    deadline: HumanDuration,
}

fn gone_within() -> HumanDuration {
    HumanDuration::secs(30)
}

struct Removing {
    object: ObjectRef,
    with: Params,
}

/// What the change was about, for the looks after it.
#[derive(Debug, Clone, serde::Serialize, Deserialize)]
struct Removed {
    uid: String,
    version: String,
    finalizers: Vec<String>,
}

/// What is to be taken off an object as it was seen.
struct Taking {
    on: Vec<String>,
    going: Option<Going>,
    chosen: Vec<String>,
    /// Those that stay on it.
    left: Vec<String>,
    /// What holds it after that: those, and what stands in a namespace's spec.
    held: Vec<String>,
}

impl Kind for RemoveFinalizers {
    fn name(&self) -> &'static str {
        "remove-finalizers"
    }

    fn doc(&self) -> &'static str {
        "Takes finalizers off one object that is being deleted and does not go away, by its exact name. A finalizer is a \
         controller's word that it has to clean up first; where that controller is dead for good, nobody ever takes it back. What it \
         guards is then NOT cleaned up: what that is, is said of the finalizers that are well known, before the object's name has to be \
         typed. Four requests: a GET that says what holds it, one more after the answer, one JSON patch that tests the uid and just the \
         list that was seen, and a GET that sees whether it is gone. Where somebody has changed the list since, nothing is changed.\n\n\
         Refused are: an object that nobody has deleted (unless `beforeDelete` says so), a finalizer that is not on it, and, unless they \
         are named, the garbage collector's own: without `orphan`, what the object owns is deleted. The finalizer `kubernetes` of a \
         namespace is refused always: what is in the namespace would stay in etcd where nobody sees it.\n\n\
         Where the last one goes, the object is gone with it. It is saved before, and `undo` makes it anew from that copy, with its \
         finalizers and another uid, without its owners, and not being deleted; not where more goes with it than a copy has (a claim's \
         volume, what is in a namespace). Where others still hold it, `undo` can do nothing: a server lets nobody add a \
         finalizer to an object that is being deleted. What was taken off before a deletion is put back, unless the object was deleted or \
         changed there since. No mark is left: what goes carries none."
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let with: Params = params(with)?;
        let object = ObjectRef::parse(&with.object, with.namespace.as_deref());
        let mut faults: Vec<Fault> = object.as_ref().err().map(|why| Fault::at("object", why)).into_iter().collect();
        faults.extend(kube_object::too_short(with.deadline));
        let named = with.finalizers.as_deref().unwrap_or_default();
        for (index, name) in named.iter().enumerate() {
            if !is_name(name) {
                faults.push(Fault::at("finalizers", format!("{name:?} is no finalizer: write its exact name")));
            } else if named[..index].contains(name) {
                faults.push(Fault::at("finalizers", format!("{name:?} is named twice")));
            } else if name == NAMESPACE && object.as_ref().is_ok_and(is_namespace) {
                faults.push(Fault::at("finalizers", namespaces_own(&with.object)));
            }
        }
        match object {
            Ok(object) if faults.is_empty() => Ok(Box::new(Removing { object, with })),
            _ => Err(faults),
        }
    }
}

/// A name as Kubernetes has them: `foregroundDeletion`, `example.com/hold`.
fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._/".contains(c);
    !name.is_empty() && name.len() <= 317 && name.chars().all(fits)
}

fn is_namespace(object: &ObjectRef) -> bool {
    object.group.is_empty() && object.plural == "namespaces"
}

/// Why that of a namespace stays.
fn namespaces_own(of: &str) -> String {
    format!(
        "{NAMESPACE:?} of {of} stands in its spec until all that is in it is deleted; without it that stays in etcd where nobody sees \
         it, and is there again when a namespace of that name is"
    )
}

impl Step for Removing {
    fn intent(&self) -> String {
        let which = match &self.with.finalizers {
            Some(named) => listed(named),
            None => "all finalizers that hold it".into(),
        };
        format!("take {which} off {}, so that it ends, although nobody cleans up after it", self.object)
    }

    fn announce(&self, _: &Target, _: &Cluster) -> Vec<Announced> {
        let get = |times, why: &str| Announced::get(self.object.path(), times, why);
        let ask = Sends::Ask(format!("whether {} is to end so: its name is typed", self.object));
        let patch = |left: &str| {
            let op = json!([
                {"op": "test", "path": "/metadata/uid", "value": "<uid seen by the GET>"},
                {"op": "test", "path": FINALIZERS, "value": "<those seen by the GET>"},
                if left.is_empty() { json!({"op": "remove", "path": FINALIZERS}) }
                else { json!({"op": "add", "path": FINALIZERS, "value": left}) },
            ]);
            Op::Kube(marking::patching(&self.object, op, None))
        };
        let mut all = vec![
            get(Times::AtMost(2), "says what holds it, once more after the answer, and keeps the object"),
            Announced::new(ask, Times::AtMost(2), "what the finalizers guard is not cleaned up"),
            Announced::op(patch(""), Times::Once, "takes them off"),
        ];
        if self.with.finalizers.is_some() {
            let op = patch("<the others, in their order>");
            all.push(Announced::op(op, Times::AtMost(1), "instead, when there are others"));
        }
        let times = Times::Every { interval: self.interval(), until: self.with.gone_within.0 };
        all.push(get(times, "looks whether it is gone, and what still holds it"));
        all
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        async move {
            let seen = kube_object::get(look, &self.object, Accept::Json, self.with.look_within.0).await?;
            match (look.history.last(KEY), seen) {
                (Some(record), seen) if record.state == ChangeState::Done || record.state.is_open() => {
                    self.after(look, record, &seen)
                }
                (_, seen) => match (late(look, &seen), seen) {
                    // It arrived after a look that had given it up.
                    (Some(record), seen) => self.after(look, record, &seen),
                    (None, Seen::Absent) => Ok(Survey::done().saw(format!("{} is not there", self.object))),
                    (None, Seen::There(object)) => self.fresh(look, &object),
                },
            }
        }
        .boxed()
    }
}

impl Removing {
    /// Nothing of ours is under way.
    fn fresh(&self, look: Look<'_>, object: &Value) -> Result<Survey, StepError> {
        let uid = text(object, "/metadata/uid");
        kube_object::is_meant(&self.object, self.with.uid.as_deref(), object)?;
        let going = Going::of(object);
        let on = on(object);
        let chosen = self.chosen(&on, going.as_ref())?;
        if going.is_none() && !self.with.before_delete {
            let typed = self.object.typed();
            return Err(StepError::Refused {
                why: format!("nobody has deleted {}: {} hold nothing now", self.object, listed(&on)),
                hint: Some(format!(
                    "breakglass delete {typed}; or, for a deletion that is still to come, the same with --before-delete"
                )),
            });
        }
        let without = |all: &[String]| all.iter().filter(|name| !chosen.contains(name)).cloned().collect();
        let taking = Taking {
            left: without(&on),
            held: going.as_ref().map(|going| without(&going.holds)).unwrap_or_default(),
            on,
            going,
            chosen: chosen.clone(),
        };
        let id = format!("without {} (uid {uid})", chosen.join(", "));
        match look.history.answer(&id) {
            Some(true) => {}
            Some(false) => {
                return Err(StepError::Declined(format!("take {} off {}", listed(&chosen), self.object)));
            }
            None => {
                let text = self.question(&taking, object);
                let typed = Some(self.object.name.clone());
                let question = Question { id, text, typed, unattended: false, otherwise: None };
                return Ok(Survey { ask: Some(question), ..Survey::default() });
            }
        }
        Ok(Survey::change(self.change(object, &taking)))
    }

    /// Which of those that are on it are to go.
    fn chosen(&self, on: &[String], going: Option<&Going>) -> Result<Vec<String>, StepError> {
        let refused = |why: String, hint: String| Err(StepError::Refused { why, hint: Some(hint) });
        let look = || format!("kubectl get {} -o yaml", kubectl(&self.object));
        // A namespace has one of its own, in its spec.
        let in_spec = going.filter(|going| going.holds.iter().any(|hold| hold == NAMESPACE && !on.contains(hold)));
        if let Some(named) = &self.with.finalizers {
            let missing: Vec<String> = named.iter().filter(|name| !on.contains(name)).cloned().collect();
            if missing.is_empty() {
                return Ok(named.clone());
            }
            let are = if on.is_empty() { "none is".into() } else { format!("on it: {}", listed(on)) };
            return refused(format!("{} is not on {}; {are}", listed(&missing), self.object), look());
        }
        match (on.is_empty(), in_spec, going) {
            (true, Some(going), _) => {
                let by_hand = format!(
                    "kubectl get ns {0} -o json | jq 'del(.spec.finalizers)' | kubectl replace --raw \
                     /api/v1/namespaces/{0}/finalize -f -",
                    self.object.name
                );
                let hint = format!("{}; what loses sight of all that is left in it: {by_hand}", going.in_the_way());
                return refused(format!("{going}; {}", namespaces_own(&self.object.to_string())), hint);
            }
            (true, None, Some(going)) => {
                return refused(format!("no finalizer is on {}: {going}", self.object), look());
            }
            (true, None, None) => {
                let hint = format!("breakglass delete {}", self.object.typed());
                return refused(format!("no finalizer is on {}, and nobody has deleted it", self.object), hint);
            }
            (false, ..) => {}
        }
        let collectors: Vec<String> = on.iter().filter(|name| of_collector(name)).map(|name| told(name)).collect();
        if !collectors.is_empty() {
            let names: Vec<&str> = on.iter().map(String::as_str).collect();
            return refused(
                format!("{} has {}", self.object, collectors.join("; ")),
                format!("where that is meant, by name: {}", removing(&self.object, &names)),
            );
        }
        Ok(on.to_vec())
    }

    fn question(&self, taking: &Taking, object: &Value) -> String {
        let each = taking.chosen.iter().map(|name| told(name)).collect::<Vec<_>>().join("; ");
        let (state, then) = match &taking.going {
            None => ("nobody has deleted it".into(), "Undo puts them back, as long as nobody deletes it".into()),
            Some(going) if !taking.held.is_empty() => {
                let why = "no server takes a finalizer onto what is being deleted";
                (
                    going.to_string(),
                    format!("{} still hold it then, and undo can put none back: {why}", listed(&taking.held)),
                )
            }
            Some(going) => {
                let when = if going.grace.is_zero() { "then" } else { "then, or once its kubelet says so" };
                let back = match takes_along(&self.object, object, false) {
                    Some(what) => format!("and {what}: undo brings nothing of that back"),
                    None => {
                        "and undo makes it anew from a copy, with another uid: that cleans nothing up either".into()
                    }
                };
                (going.to_string(), format!("It is gone {when}, {back}"))
            }
        };
        let system = self.object.namespace.as_deref() == Some("kube-system");
        let system = if system { ". It is in kube-system, where Kubernetes itself runs" } else { "" };
        format!("{}: {state}. To be taken off it: {each}. {then}{system}. Do it?", self.object)
    }

    fn change(&self, object: &Value, taking: &Taking) -> Change {
        let Taking { on, going, chosen, left, .. } = taking;
        let uid = text(object, "/metadata/uid");
        let after = if left.is_empty() { Value::Null } else { json!(left) };
        let edit = Edit { field: FINALIZERS.into(), beside: None, before: json!(on), after };
        let (there, back) = marking::exchanged(object, std::slice::from_ref(&edit));
        let by_hand =
            format!("kubectl patch {} --type=json -p {}", kubectl(&self.object), shell::quote(&there.to_string()));
        let version = text(object, "/metadata/resourceVersion").to_owned();
        let removed = Removed { uid: uid.into(), version, finalizers: chosen.clone() };
        Change {
            key: KEY.into(),
            note: Some(Note::of(&removed)),
            op: Op::Kube(marking::patching(&self.object, there, None)),
            guard: format!("{} still has uid {uid}, and just the finalizers {}", self.object, on.join(", ")),
            inverse: match going {
                None => self.put_back(object, &edit, back),
                Some(_) => self.made_anew(object, taking),
            },
            because: format!("{} is to be without {}", self.object, listed(chosen)),
            by_hand,
            deadline_secs: self.with.deadline.0.as_secs().max(1),
            keep: Keep::Nothing,
        }
    }

    /// Puts them on the same object again, as long as nobody has deleted it.
    fn put_back(&self, object: &Value, edit: &Edit, back: Value) -> Inverse {
        let test = |path: &str, value: &Value| json!({"op": "test", "path": path, "value": value});
        let uid = &object["metadata"]["uid"];
        let mut ops = vec![test("/metadata/uid", uid), test("/metadata/deletionTimestamp", &Value::Null)];
        ops.extend(back.as_array().cloned().unwrap_or_default());
        let fields = vec![(FINALIZERS.into(), edit.before.clone()), ("/metadata/uid".into(), uid.clone())];
        let holds = Holds { path: self.object.path(), fields, as_sent: false };
        Inverse::By(Box::new(Op::Kube(marking::patching(&self.object, ops.into(), Some(holds)))))
    }

    fn made_anew(&self, object: &Value, taking: &Taking) -> Inverse {
        if !taking.held.is_empty() {
            let why = "it is being deleted, and a server lets nobody add a finalizer to such an object";
            return Inverse::Impossible(format!("{}: {why}", self.object));
        }
        if let Some(what) = takes_along(&self.object, object, false) {
            return Inverse::Impossible(format!("{}: {what}", self.object));
        }
        let mut saved = object.clone();
        // Those were a way of the deletion that is over.
        if let Some(all) = saved.pointer_mut(FINALIZERS).and_then(Value::as_array_mut) {
            all.retain(|name| !name.as_str().is_some_and(of_collector));
        }
        kube_object::created_again(&self.object, &saved)
    }

    /// A PATCH of ours was taken in, or its reply never came: what is there now?
    fn after(&self, look: Look<'_>, record: &ChangeRecord, seen: &Seen) -> Result<Survey, StepError> {
        let Some(removed) = removed(record) else {
            return Err(StepError::refused(format!("change {} does not say what it took off", record.id)));
        };
        let open = record.state.is_open();
        let done = |saw: String| {
            let arrived = (record.state != ChangeState::Done).then_some(record.id);
            Survey { arrived: arrived.into_iter().collect(), ..Survey::done().saw(saw) }
        };
        let Seen::There(object) = seen else { return Ok(done(format!("{} is gone", self.object))) };
        let uid = text(object, "/metadata/uid");
        if uid != removed.uid {
            return Ok(done(format!("{} is gone, and there again with uid {uid}", self.object)));
        }
        let on = on(object);
        let there: Vec<String> = removed.finalizers.iter().filter(|name| on.contains(name)).cloned().collect();
        if !there.is_empty() && open {
            return self.fresh(look, object);
        }
        // What a drill pretends to take off is there, in the version that was seen.
        if !there.is_empty() && text(object, "/metadata/resourceVersion") == removed.version {
            return Ok(Survey::done());
        }
        if !there.is_empty() {
            return Err(StepError::Refused {
                why: format!("{} again on {}: somebody has put back what was taken off", listed(&there), self.object),
                hint: Some(format!("kubectl get {} -o yaml --show-managed-fields", kubectl(&self.object))),
            });
        }
        let Some(going) = Going::of(object) else {
            return Ok(done(format!(
                "{} stands, and nobody has deleted it: they hold no deletion any more",
                self.object
            )));
        };
        if !going.holds.is_empty() {
            return Ok(done(format!("{} is not gone: {going}", self.object)));
        }
        let waited = look.history.ago(record.moved_at);
        if waited < self.with.gone_within.0 + going.grace {
            let waits = Some(format!("{} to be gone: {going}", self.object));
            return Ok(Survey { waiting_for: waits, saw: Vec::new(), ..done(String::new()) });
        }
        Err(StepError::Refused {
            why: format!("{} is not gone after {} s: {going}", self.object, waited.as_secs()),
            hint: Some(going.hint(&self.object)),
        })
    }
}

fn removed(record: &ChangeRecord) -> Option<Removed> {
    record.change.note.as_ref().and_then(Note::read)
}

/// The PATCH that a look had given up, where what it was to take off is off now.
fn late<'a>(look: Look<'a>, seen: &Seen) -> Option<&'a ChangeRecord> {
    let missed = look.history.missed(KEY)?;
    let record = look.history.changes.iter().find(|record| record.id == missed)?;
    let Removed { uid, finalizers, .. } = removed(record)?;
    match seen {
        Seen::Absent => Some(record),
        Seen::There(object) => {
            let on = on(object);
            let is_off = text(object, "/metadata/uid") != uid || !finalizers.iter().any(|name| on.contains(name));
            is_off.then_some(record)
        }
    }
}

/// The finalizers that are on an object.
fn on(object: &Value) -> Vec<String> {
    let all = object.pointer(FINALIZERS).and_then(Value::as_array).into_iter().flatten();
    all.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Names as they stand in a sentence: a few of them.
fn listed(names: &[String]) -> String {
    const NAMED: usize = 6;
    let more = names.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ") + &more
}

/// A finalizer with what it guards.
fn told(name: &str) -> String {
    match protects(name) {
        Some(what) => format!("{name} ({what})"),
        None => format!("{name} (its controller's own: what it guards is not known here, and may stay behind)"),
    }
}

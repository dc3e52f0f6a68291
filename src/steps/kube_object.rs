//! Looking at objects, what several kinds read out of them, and putting one back.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::finalizers::{FOREGROUND, NAMESPACE, ORPHAN};
use super::{Fault, Look, ObjectRef, StepError};
use crate::change::{Blob, Body, Holds, Inverse, KubeCall, Method, Op};
use crate::duration::HumanDuration;
use crate::world::{Accept, KubeAnswer, KubeRead, ReadError, ReadErrorKind};
use crate::{saved, shell};

/// How long one look may take, unless a runbook says another time.
pub(super) fn look_within() -> HumanDuration {
    HumanDuration::secs(30)
}

/// How long a write may knock, unless a runbook says another time. Longer than the longest pause of a crash loop: what is
/// sent is guarded, so it may knock until the server is back.
pub(super) fn write_deadline() -> HumanDuration {
    HumanDuration::secs(330)
}

/// What is wrong with a deadline.
pub(super) fn too_short(deadline: HumanDuration) -> Option<Fault> {
    let short = deadline.0 < Duration::from_secs(1);
    short.then(|| Fault::at("deadline", "it must be at least 1s; a drowning server needs 30s and more"))
}

/// When an object was made, measured on the server's clock alone: the operator's may go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    Before,
    Since,
    /// Too close to tell, or the server said no time.
    NotKnown,
}

/// How far the clocks of a cluster's API servers may be apart; to the second only, besides.
const APART: i64 = 60;

/// Whether an object was made before or after a moment that lies `ago` seconds back.
pub(super) fn made(object: &Value, date: Option<jiff::Timestamp>, ago: i64) -> Made {
    let created = text(object, "/metadata/creationTimestamp").parse::<jiff::Timestamp>().ok();
    let age = date.zip(created).map(|(now, created)| now.as_second() - created.as_second());
    match age {
        Some(age) if age > ago + APART => Made::Before,
        Some(age) if age + APART < ago => Made::Since,
        Some(_) | None => Made::NotKnown,
    }
}

/// What a GET of one object came to.
pub(super) enum Seen {
    /// It is there.
    There(Value),
    /// It is not there.
    Absent,
}

/// The same of one whose whole resource this API server may not serve.
pub(super) enum Served {
    /// It is there.
    There(Value),
    /// It is not there.
    Absent,
    /// No object of its kind can be.
    Not,
}

/// One GET of one object.
///
/// # Errors
/// When nothing answered within `limit`, or the answer says neither that it is there nor that it is not.
pub(super) async fn get(
    look: Look<'_>,
    object: &ObjectRef,
    accept: Accept,
    limit: Duration,
) -> Result<Seen, StepError> {
    dated(look, object, accept, limit).await.map(|(seen, _)| seen)
}

/// The same, with what the server's clock said.
///
/// # Errors
/// As `get`.
pub(super) async fn dated(
    look: Look<'_>,
    object: &ObjectRef,
    accept: Accept,
    limit: Duration,
) -> Result<(Seen, Option<jiff::Timestamp>), StepError> {
    let (served, answer) = ask(look, object, accept, limit).await?;
    let seen = match served {
        Served::There(object) => Seen::There(object),
        Served::Absent => Seen::Absent,
        Served::Not => {
            let what = "that resource is not served (yet: it can take 15s after a restart)";
            return Err(odd(&answer, &object.path(), what).into());
        }
    };
    Ok((seen, answer.date))
}

/// One GET of one object of a kind that not every cluster has.
///
/// # Errors
/// As `get`, but where no object of the kind can be.
pub(super) async fn served(look: Look<'_>, object: &ObjectRef, limit: Duration) -> Result<Served, StepError> {
    ask(look, object, Accept::Json, limit).await.map(|(served, _)| served)
}

async fn ask(
    look: Look<'_>,
    object: &ObjectRef,
    accept: Accept,
    limit: Duration,
) -> Result<(Served, KubeAnswer), StepError> {
    let read = KubeRead { path: object.path(), accept, limit };
    let answer = look.reads.kube(look.target, &read).await?;
    match answer.code {
        200 => match answer.json() {
            Value::Object(map) => {
                let seen = Value::Object(map);
                match saved::another(&read.path, &seen) {
                    Some(other) => Err(odd(&answer, &read.path, &format!("its body is {other}")).into()),
                    None => Ok((Served::There(seen), answer)),
                }
            }
            _ => Err(odd(&answer, &read.path, "its body is no object").into()),
        },
        404 if names(&answer, object) => Ok((Served::Absent, answer)),
        404 => Ok((Served::Not, answer)),
        401 | 403 => Err(refused(&answer, &read.path).into()),
        _ => Err(odd(&answer, &read.path, "no answer to build on").into()),
    }
}

/// One GET of one page of a list.
///
/// # Errors
/// When nothing answered within `limit`, or the answer is no list.
pub(super) async fn list(look: Look<'_>, path: &str, accept: Accept, limit: Duration) -> Result<Value, StepError> {
    let read = KubeRead { path: path.to_owned(), accept, limit };
    let answer = look.reads.kube(look.target, &read).await?;
    match answer.code {
        200 => match answer.json() {
            list if text(&list, "/kind").ends_with("List") || list["items"].is_array() => Ok(list),
            _ => Err(odd(&answer, path, "its body is no list").into()),
        },
        _ => Err(no_list(&answer, path)),
    }
}

/// Why an answer is no list.
pub(super) fn no_list(answer: &KubeAnswer, path: &str) -> StepError {
    match answer.code {
        401 | 403 => refused(answer, path).into(),
        _ => odd(answer, path, "no answer to build on").into(),
    }
}

/// What stands on a page of a list; an empty one may come as `"items": null`.
pub(crate) fn items(list: &Value) -> &[Value] {
    list["items"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The token that leads from a page of a list to the next one.
pub(crate) fn next_page(list: &Value) -> Option<&str> {
    list.pointer("/metadata/continue").and_then(Value::as_str).filter(|token| !token.is_empty())
}

/// Percent-encodes all that may not stand in the value of a query.
pub(crate) fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, super::object::UNRESERVED).to_string()
}

/// Refuses an object that has another uid than the one that was named in the step.
pub(super) fn is_meant(object: &ObjectRef, wanted: Option<&str>, seen: &Value) -> Result<(), StepError> {
    let uid = text(seen, "/metadata/uid");
    let Some(wanted) = wanted.filter(|wanted| *wanted != uid) else { return Ok(()) };
    Err(StepError::Refused {
        why: format!("{object} has uid {uid}, not {wanted}: it is another object by the same name"),
        hint: Some("take `uid` out of the step, or name the uid that is there now".into()),
    })
}

/// Creates an object again as it was seen: kept beside the journal, without what a server sets and without its owners.
pub(super) fn created_again(at: &ObjectRef, seen: &Value) -> Inverse {
    let Ok(bytes) = serde_json::to_vec(&saved::cleaned(seen)) else {
        return Inverse::Impossible(format!("{at} was not saved (it could not be encoded)"));
    };
    Inverse::By(Box::new(Op::Kube(KubeCall {
        method: Method::Post,
        path: at.collection(),
        content_type: "application/json".into(),
        body: Body::Saved(Blob::new(bytes)),
        // There is one object by a name: a second POST is refused.
        idempotent: true,
        // A 409 can also mean that the old one is still going: the engine looks.
        already: Vec::new(),
        holds: Some(Holds {
            path: at.path(),
            fields: vec![("/metadata/deletionTimestamp".into(), Value::Null)],
            as_sent: true,
        }),
    })))
}

/// What `created_again` will not restore.
pub(super) fn without_owner(object: &ObjectRef, seen: &Value) -> Option<String> {
    let owners = seen.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    owners.is_some_and(|all| !all.is_empty()).then(|| {
        format!("undo would put {object} back without its owner: nobody can know now whether it will be there")
    })
}

/// Whether a 404 is about the object, not about its whole resource.
fn names(answer: &KubeAnswer, object: &ObjectRef) -> bool {
    answer.json().pointer("/details/name").and_then(Value::as_str) == Some(object.name.as_str())
}

fn odd(answer: &KubeAnswer, path: &str, what: &str) -> ReadError {
    ReadError { kind: ReadErrorKind::Malformed, tried: vec![said(answer, path, what)], hint: None }
}

fn refused(answer: &KubeAnswer, path: &str) -> ReadError {
    let hint = match answer.void {
        Some(_) => crate::kit::RENEW.into(),
        None => "use a credential of system:masters: --kubeconfig or the kit's `credential`".into(),
    };
    let hint = Some(hint);
    ReadError { kind: ReadErrorKind::Denied, tried: vec![said(answer, path, "we may not")], hint }
}

fn said(answer: &KubeAnswer, path: &str, what: &str) -> String {
    let took = answer.took.as_millis();
    format!("GET {path} on {}: {} after {took} ms, {what}: {}", answer.server, answer.code, answer.message())
}

/// An object that was deleted and is still there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Going {
    /// When its deletion was asked for; the server notes only when its grace ends.
    since: Option<jiff::Timestamp>,
    /// How long it may take to end by itself.
    pub(super) grace: Duration,
    /// The finalizers that hold it.
    pub(super) holds: Vec<String>,
    /// What its controller says about that.
    says: Vec<String>,
    /// Why it cannot be looked at.
    unseen: Option<String>,
}

impl Going {
    /// Reads an object; `None` when nobody has deleted it.
    pub(super) fn of(object: &Value) -> Option<Self> {
        let ends: jiff::Timestamp = text(object, "/metadata/deletionTimestamp").parse().ok()?;
        let grace = object.pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_u64).unwrap_or(0);
        let grace = Duration::from_secs(grace);
        let since = ends.checked_sub(grace).unwrap_or(ends);
        let words = |pointer: &str| {
            let all = object.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
            all.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
        };
        // A namespace has its own in its spec, and says in its conditions what is left in it.
        let holds = [words("/metadata/finalizers"), words("/spec/finalizers")].concat();
        let conditions = object.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
        let says = conditions
            .filter(|condition| text(condition, "/type").starts_with("Namespace") && condition["status"] == "True")
            .map(|condition| text(condition, "/message").to_owned())
            .collect();
        Some(Self { since: Some(since), grace, holds, says, unseen: None })
    }

    /// One that nobody can look at.
    pub(super) fn unseen(why: String) -> Self {
        Self { unseen: Some(why), ..Self::default() }
    }

    /// What to type next. Nothing here takes a finalizer away by itself: what it guards would never be cleaned up.
    pub(super) fn hint(&self, object: &ObjectRef) -> String {
        let of = kubectl(object);
        if self.unseen.is_some() {
            return format!("breakglass probe; then kubectl get {of}");
        }
        let others: Vec<&str> = self.holds.iter().map(String::as_str).filter(|hold| *hold != NAMESPACE).collect();
        let Some(first) = others.first() else {
            return if self.holds.is_empty() {
                format!("kubectl get {of} -o yaml")
            } else {
                format!("{}; kubectl get {of} -o yaml says what is left in it", self.in_the_way())
            };
        };
        let wait = match *first {
            "kubernetes.io/pvc-protection" | "kubernetes.io/pv-protection" => {
                format!("end the pods (or the claim) that still use it: kubectl describe {of}")
            }
            FOREGROUND | ORPHAN => "the garbage collector does it, and what is owned goes first: is a kube-controller-manager leading \
                                    (kubectl -n kube-system get lease kube-controller-manager), and does a finalizer hold \
                                    what it owns?"
                .into(),
            hold => format!("start whoever serves {hold}, or wait for it"),
        };
        format!("{wait}; only where that will never be: {}", removing(object, &others))
    }

    /// What a namespace waits for, by its own conditions.
    pub(super) fn in_the_way(&self) -> &'static str {
        let says = |word: &str| self.says.iter().any(|says| says.contains(word));
        if says("Discovery failed") || says("unable to retrieve") {
            "an aggregated API is dead, and nobody can list what is in the namespace: breakglass disarm --drill names it"
        } else if says("finalizers remaining") {
            "finalizers hold objects in it: breakglass remove-finalizers OBJECT, for each of them"
        } else {
            "what is in it goes first: is a kube-controller-manager leading?"
        }
    }
}

/// What takes these finalizers away.
pub(super) fn removing(object: &ObjectRef, finalizers: &[&str]) -> String {
    let all = finalizers.iter().map(|name| format!(" --finalizer {}", shell::word(name))).collect::<String>();
    format!("breakglass remove-finalizers {}{all}", object.typed())
}

/// An object as kubectl's `get` and the like take it.
pub(super) fn kubectl(object: &ObjectRef) -> String {
    let namespace = object.namespace.as_ref().map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
    format!("{} {}{namespace}", object.resource(), shell::word(&object.name))
}

impl fmt::Display for Going {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.unseen {
            return write!(f, "its deletion was taken in, and nobody can look whether it is gone ({why})");
        }
        let Some(since) = self.since else {
            return f.write_str("it is there, and nothing says that it is being deleted");
        };
        write!(f, "it is being deleted, since {}", since.strftime("%Y-%m-%d %H:%M:%S UTC"))?;
        if !self.holds.is_empty() {
            write!(f, ", held by {}", self.holds.join(", "))?;
        }
        if !self.grace.is_zero() {
            write!(f, ", with {} s of grace", self.grace.as_secs())?;
        }
        for says in &self.says {
            write!(f, "; {says}")?;
        }
        Ok(())
    }
}

/// A field as text; empty when it is not there.
pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The revision of an object or a list; servers count up, though no promise says so.
pub(super) fn revision(object: &Value) -> Option<u64> {
    text(object, "/metadata/resourceVersion").parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The server notes when the grace ends, which may be in the future.
    #[test]
    fn a_deletion_began_before_its_grace_and_says_what_holds_it() {
        let pod = json!({"metadata": {
            "deletionTimestamp": "2025-01-01T00:00:30Z", "deletionGracePeriodSeconds": 30, "finalizers": ["example.com/hold"],
        }});
        let said = Going::of(&pod).unwrap().to_string();
        let expected =
            "it is being deleted, since 2025-01-01 00:00:00 UTC, held by example.com/hold, with 30 s of grace";
        assert_eq!(said, expected);
        let namespace = json!({
            "metadata": {"deletionTimestamp": "2025-01-01T00:00:30Z"},
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"conditions": [
                {"type": "NamespaceContentRemaining", "status": "True", "message": "pods. has 3 resource instances"},
                {"type": "NamespaceDeletionContentFailure", "status": "False", "message": "all is well"},
            ]},
        });
        let said = Going::of(&namespace).unwrap().to_string();
        assert!(said.ends_with("held by kubernetes; pods. has 3 resource instances"), "{said}");
        assert_eq!(Going::of(&json!({"metadata": {"finalizers": ["x"]}})), None);
    }
}

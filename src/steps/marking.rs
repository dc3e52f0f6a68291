//! Writes to one object that leave the run's mark in it, and the ones that take both back: a JSON patch that tests what was
//! seen, or a DELETE of just what was seen.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

use super::ObjectRef;
use super::kube_object::text;
use crate::change::{AS_SEEN, Body, Holds, KubeCall, Method};

const ANNOTATIONS: &str = "/metadata/annotations";

/// Who parked it, and what has to come back. As a node label that no node has, a DaemonSet asks for it, too.
pub(crate) const PARKED: &str = "breakglass.io/parked";
/// Who took whom out of a binding.
pub(crate) const REVOKED: &str = "breakglass.io/revoked";
/// Which run and step created an object or added to it.
pub(crate) const RESTORED: &str = "breakglass.io/restored";
/// Who disarmed it.
pub(crate) const DISARMED: &str = "breakglass.io/disarmed";
/// Who froze it, and what was there before, as JSON.
pub(crate) const FROZEN: &str = "breakglass.io/frozen";

/// Who rolled it back, and from which revision.
pub(crate) const ROLLED_BACK: &str = "breakglass.io/rolled-back";
/// Which run and step made it, and whom it holds down.
pub(crate) const THROTTLED: &str = "breakglass.io/throttled";
/// Which run and step made it, a policy that refuses an object, or the binding of one.
pub(crate) const REFUSED: &str = "breakglass.io/refused";
/// What such a policy refuses: its name is a hash.
pub(crate) const REFUSED_OBJECT: &str = "breakglass.io/object";
/// When such a policy ends, as its expressions have it.
pub(crate) const REFUSED_UNTIL: &str = "breakglass.io/until";

/// One field that a patch changes.
#[derive(Debug, Clone)]
pub(super) struct Edit {
    /// Which.
    pub(super) field: String,
    /// Another field that tells whether it is the right one, and what has to stand there: the name beside a place in a list.
    pub(super) beside: Option<(String, Value)>,
    /// What stands there; `Null`: nothing.
    pub(super) before: Value,
    /// What is to stand there.
    pub(super) after: Value,
}

impl Edit {
    fn tests(&self, now: &Value) -> Vec<Value> {
        let beside = self.beside.iter().map(|(path, value)| json!({"op": "test", "path": path, "value": value}));
        beside.chain([json!({"op": "test", "path": self.field, "value": now})]).collect()
    }

    fn put(&self, value: &Value) -> Value {
        match value {
            Value::Null => json!({"op": "remove", "path": self.field}),
            value => json!({"op": "add", "path": self.field, "value": value}),
        }
    }

    /// What has to stand there for it to be taken back.
    fn holds(&self) -> impl Iterator<Item = (String, Value)> {
        self.beside.clone().into_iter().chain([(self.field.clone(), self.before.clone())])
    }
}

/// Where a mark of this name is, as a JSON pointer.
fn pointer(mark: &str) -> String {
    format!("{ANNOTATIONS}/{}", mark.replace('/', "~1"))
}

/// What is left in an object is words: the run first, what else there is to say, and last who. Marks from before that have no last.
const BY: &str = " by=";
/// What stands in a name as it is.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b':').remove(b'@').remove(b'+').remove(b'-').remove(b',');

/// A mark with who leaves it: whoever finds it knows whom to ask.
pub(super) fn signed(mark: &str, operator: &str) -> String {
    let name: String = operator.chars().take(60).collect();
    format!("{mark}{BY}{}", utf8_percent_encode(&name, PLAIN))
}

/// A mark without who, and who, as far as it says.
pub(crate) fn unsigned(text: &str) -> (&str, Option<String>) {
    match text.rsplit_once(BY) {
        Some((mark, name)) if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:@+-,%".contains(&byte)) => {
            (mark, Some(percent_decode_str(name).decode_utf8_lossy().into_owned()))
        }
        _ => (text, None),
    }
}

/// The run that left this mark in an object, with what else it says but who; empty where none did.
pub(super) fn marked_by<'a>(object: &'a Value, mark: &str) -> &'a str {
    unsigned(text(object, &pointer(mark))).0
}

/// The patch that makes these edits and leaves the signed mark, and the one that puts all back, exactly. The second tests no uid: what
/// was deleted and put back meanwhile has them still.
pub(super) fn patches(object: &Value, edits: &[Edit], mark: &str, by: &str) -> (Value, Value) {
    let at = pointer(mark);
    let ours = |before: &&Value| before.as_str().is_some_and(|text| unsigned(text).0 == unsigned(by).0);
    let marked = object.pointer(&at).filter(|before| !ours(before));
    let seen = object.pointer(&at).unwrap_or(&Value::Null);
    let leave = if object.pointer(ANNOTATIONS).is_some_and(Value::is_object) {
        [json!({"op": "test", "path": at, "value": seen}), json!({"op": "add", "path": at, "value": by})]
    } else {
        [
            json!({"op": "test", "path": ANNOTATIONS, "value": null}),
            json!({"op": "add", "path": ANNOTATIONS, "value": {mark: by}}),
        ]
    };
    let unmark = marked.map_or_else(
        || json!({"op": "remove", "path": at}),
        |before| json!({"op": "replace", "path": at, "value": before}),
    );
    let mut there = vec![json!({"op": "test", "path": "/metadata/uid", "value": object["metadata"]["uid"]})];
    there.extend(edits.iter().flat_map(|edit| edit.tests(&edit.before)));
    there.extend(edits.iter().map(|edit| edit.put(&edit.after)));
    there.extend(leave);
    let mut back: Vec<Value> = edits.iter().flat_map(|edit| edit.tests(&edit.after)).collect();
    back.push(json!({"op": "test", "path": at, "value": by}));
    back.extend(edits.iter().map(|edit| edit.put(&edit.before)));
    back.push(unmark);
    (there.into(), back.into())
}

/// These edits and one more, that takes the mark away; for [`exchanged`], which leaves none.
pub(super) fn unmarking(object: &Value, edits: &[Edit], mark: &str) -> Vec<Edit> {
    let edit = |field: String, before: &Value| Edit { field, beside: None, before: before.clone(), after: Value::Null };
    let annotations = object.pointer(ANNOTATIONS).unwrap_or(&Value::Null);
    let alone = annotations.as_object().is_some_and(|map| map.len() == 1);
    // No server keeps an empty map: what goes with the mark comes back with it.
    let last = if alone { edit(ANNOTATIONS.into(), annotations) } else { edit(pointer(mark), &annotations[mark]) };
    edits.iter().cloned().chain([last]).collect()
}

/// The patch that makes these edits and leaves no mark, and the one that puts all back.
pub(super) fn exchanged(object: &Value, edits: &[Edit]) -> (Value, Value) {
    let mut there = vec![json!({"op": "test", "path": "/metadata/uid", "value": object["metadata"]["uid"]})];
    there.extend(edits.iter().flat_map(|edit| edit.tests(&edit.before)));
    there.extend(edits.iter().map(|edit| edit.put(&edit.after)));
    let tests = edits.iter().flat_map(|edit| edit.tests(&edit.after));
    let back: Vec<Value> = tests.chain(edits.iter().map(|edit| edit.put(&edit.before))).collect();
    (there.into(), back.into())
}

/// What a patch that makes these edits looks like before a look, with placeholders.
pub(super) fn announced(edits: &[Edit]) -> Value {
    let mut ops = vec![json!({"op": "test", "path": "/metadata/uid", "value": "<uid seen by the look>"})];
    ops.extend(edits.iter().flat_map(|edit| edit.tests(&edit.before)));
    ops.extend(edits.iter().map(|edit| edit.put(&edit.after)));
    ops.push(json!({"op": "test", "path": "<the run's mark, or all annotations>", "value": "<as seen>"}));
    ops.push(json!({"op": "add", "path": "<the same>", "value": "<this run>"}));
    ops.into()
}

/// The state that the second of [`patches`] brings back.
pub(super) fn as_before(at: &ObjectRef, edits: &[Edit]) -> Holds {
    Holds { path: at.path(), fields: edits.iter().flat_map(Edit::holds).collect(), as_sent: false }
}

/// A JSON patch.
pub(super) fn patching(at: &ObjectRef, ops: Value, holds: Option<Holds>) -> KubeCall {
    KubeCall {
        method: Method::Patch,
        path: at.path(),
        content_type: "application/json-patch+json".into(),
        body: Body::Json(ops),
        // Its own tests fail once it was applied.
        idempotent: true,
        already: Vec::new(),
        holds,
    }
}

/// Makes an object.
pub(super) fn creating(at: &ObjectRef, body: Value) -> KubeCall {
    KubeCall {
        method: Method::Post,
        path: at.collection(),
        content_type: "application/json".into(),
        body: Body::Json(body),
        // There is one object by a name: a second POST is refused.
        idempotent: true,
        already: Vec::new(),
        holds: None,
    }
}

/// Deletes what [`creating`] made, as the look before the DELETE finds it, and only where these fields still are as they were
/// sent.
pub(super) fn deleting_again(at: &ObjectRef, sent: &Value, same: &[&str]) -> KubeCall {
    let same = same.iter().map(|field| ((*field).to_owned(), sent.pointer(field).cloned().unwrap_or_default()));
    // Who compares this without the look that it wants finds that it differs.
    let fields = same.chain([("/metadata/uid".to_owned(), AS_SEEN.into())]).collect();
    let holds = Holds { path: at.path(), fields, as_sent: false };
    KubeCall { holds: Some(holds), ..deleting(at, AS_SEEN, AS_SEEN) }
}

/// Deletes what was seen and nothing else: one that somebody has changed since has another version.
pub(super) fn deleting(at: &ObjectRef, uid: &str, version: &str) -> KubeCall {
    let options = json!({
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "preconditions": {"uid": uid, "resourceVersion": version},
    });
    KubeCall {
        method: Method::Delete,
        path: at.path(),
        content_type: "application/json".into(),
        body: Body::Json(options),
        idempotent: true,
        // One that is gone was taken away by somebody else, unless a reply of ours was lost: the engine looks.
        already: Vec::new(),
        holds: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: &str = "breakglass.io/disarmed";

    fn edit(before: Value) -> Edit {
        let beside = Some(("/webhooks/0/name".into(), json!("a")));
        Edit { field: "/webhooks/0/failurePolicy".into(), beside, before, after: json!("Ignore") }
    }

    #[test]
    fn what_was_changed_is_put_back_exactly_and_the_mark_with_it() {
        let object = json!({"metadata": {"uid": "u", "annotations": {"b": "c"}}});
        let (there, back) = patches(&object, &[edit(json!("Fail"))], MARK, "r1");
        let at = "/metadata/annotations/breakglass.io~1disarmed";
        let name = json!({"op": "test", "path": "/webhooks/0/name", "value": "a"});
        let field = |op: &str, value: &str| json!({"op": op, "path": "/webhooks/0/failurePolicy", "value": value});
        assert_eq!(
            there,
            json!([{"op": "test", "path": "/metadata/uid", "value": "u"}, name, field("test", "Fail"), field("add", "Ignore"),
                {"op": "test", "path": at, "value": null}, {"op": "add", "path": at, "value": "r1"}])
        );
        assert_eq!(
            back,
            json!([name, field("test", "Ignore"), {"op": "test", "path": at, "value": "r1"}, field("add", "Fail"),
                {"op": "remove", "path": at}])
        );
        let (there, _) = patches(&json!({"metadata": {}}), &[edit(json!("Fail"))], MARK, "r1");
        assert_eq!(there[5], json!({"op": "add", "path": "/metadata/annotations", "value": {MARK: "r1"}}));
    }

    #[test]
    fn a_mark_goes_with_what_it_stands_for_and_comes_back_with_it() {
        let frozen = Edit { field: "/spec/suspend".into(), beside: None, before: json!(true), after: Value::Null };
        let at = |annotations: Value| {
            let object = json!({"metadata": {"uid": "u", "annotations": annotations}});
            exchanged(&object, &unmarking(&object, std::slice::from_ref(&frozen), MARK))
        };
        let (there, back) = at(json!({MARK: "r1", "b": "c"}));
        let mark = "/metadata/annotations/breakglass.io~1disarmed";
        assert_eq!(there[2], json!({"op": "test", "path": mark, "value": "r1"}));
        assert_eq!(
            [&there[3], &there[4]],
            [&json!({"op": "remove", "path": "/spec/suspend"}), &json!({"op": "remove", "path": mark})]
        );
        assert_eq!(back[3], json!({"op": "add", "path": mark, "value": "r1"}));
        // Alone, it takes the map with it.
        let (there, back) = at(json!({MARK: "r1"}));
        assert_eq!(there[4], json!({"op": "remove", "path": "/metadata/annotations"}));
        assert_eq!(back[1], json!({"op": "test", "path": "/metadata/annotations", "value": null}));
        assert_eq!(back[3], json!({"op": "add", "path": "/metadata/annotations", "value": {MARK: "r1"}}));
    }

    #[test]
    fn what_was_not_there_is_taken_away_again_and_an_earlier_mark_comes_back() {
        let object = json!({"metadata": {"uid": "u", "annotations": {MARK: "r0"}}});
        let (_, back) = patches(&object, &[edit(Value::Null)], MARK, "r1");
        assert_eq!(back[3], json!({"op": "remove", "path": "/webhooks/0/failurePolicy"}));
        assert_eq!(back[4]["value"], "r0");
        // Our own mark is none that was there before us.
        let object = json!({"metadata": {"uid": "u", "annotations": {MARK: "r1"}}});
        assert_eq!(patches(&object, &[edit(Value::Null)], MARK, "r1").1[4]["op"], "remove");
    }
}

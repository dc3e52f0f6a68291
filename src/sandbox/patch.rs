//! What the simulated API server does with a patch.

use serde_json::{Value, json};

/// A JSON patch (RFC 6902) of `test`, `add`, `replace` and `remove`; nothing changes unless all of it applies.
pub(super) fn json_patch(target: &mut Value, patch: &Value) -> Result<(), String> {
    let mut patched = target.clone();
    for op in patch.as_array().ok_or("a JSON patch is a list")? {
        let word = |key: &str| op.get(key).and_then(Value::as_str).unwrap_or_default();
        let (kind, path) = (word("op"), word("path"));
        let (parent, key) = path.rsplit_once('/').ok_or("a path begins with a slash")?;
        let key = key.replace("~1", "/").replace("~0", "~");
        let value = op.get("value").cloned().unwrap_or_default();
        let now = patched.pointer(path).cloned();
        let map = patched
            .pointer_mut(parent)
            .and_then(Value::as_object_mut)
            .ok_or_else(|| format!("{parent} is no object"))?;
        match kind {
            "test" if now.clone().unwrap_or_default() == value => {}
            "test" => return Err(format!("the test of {path} failed")),
            "add" => drop(map.insert(key, value)),
            "replace" if now.is_some() => drop(map.insert(key, value)),
            "remove" if now.is_some() => drop(map.remove(&key)),
            _ => return Err(format!("{kind} does not apply to {path}")),
        }
    }
    *target = patched;
    Ok(())
}

/// A JSON merge patch (RFC 7386).
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Value::Object(map) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            map.remove(key);
        } else {
            merge(map.entry(key.as_str()).or_insert(Value::Null), value);
        }
    }
}

/// No server keeps an empty map: with the last label goes the map of them.
pub(super) fn no_empty_maps(object: &mut Value) {
    for (of, map) in [("/metadata", "annotations"), ("/metadata", "labels"), ("/spec/template/spec", "nodeSelector")] {
        let Some(parent) = object.pointer_mut(of).and_then(Value::as_object_mut) else { continue };
        if parent.get(map).and_then(Value::as_object).is_some_and(serde_json::Map::is_empty) {
            parent.remove(map);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_patch_applies_whole_or_not_at_all() {
        let mut object = json!({ "spec": { "a": 1 } });
        let bad = json!([{ "op": "replace", "path": "/spec/a", "value": 2 }, { "op": "test", "path": "/spec/b", "value": 1 }]);
        assert!(json_patch(&mut object, &bad).is_err());
        assert_eq!(object, json!({ "spec": { "a": 1 } }));
        let good =
            json!([{ "op": "test", "path": "/spec/a", "value": 1 }, { "op": "add", "path": "/spec/x~1y", "value": 3 }]);
        json_patch(&mut object, &good).unwrap();
        assert_eq!(object, json!({ "spec": { "a": 1, "x/y": 3 } }));
    }

    #[test]
    fn a_merge_patch_adds_changes_and_removes() {
        let mut object = json!({ "a": { "b": 1, "c": 2 } });
        merge(&mut object, &json!({ "a": { "b": null, "d": { "e": null, "f": 3 } } }));
        assert_eq!(object, json!({ "a": { "c": 2, "d": { "f": 3 } } }));
    }
}

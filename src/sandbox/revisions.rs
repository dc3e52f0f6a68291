//! What the simulated controller of a DaemonSet keeps of its earlier templates.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Where they stand.
const HERE: &str = "/apis/apps/v1/namespaces/telemetry/controllerrevisions";

/// A revision of the offender.
pub(super) fn revision(owner: &Value, number: i64, made: &str, template: &Value) -> (String, Value) {
    let name = format!("agent-{number}");
    let mut template = template.clone();
    template["$patch"] = json!("replace");
    let object = json!({
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": name,
            "namespace": "telemetry",
            "creationTimestamp": made,
            "labels": owner["spec"]["selector"]["matchLabels"],
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent", "controller": true,
                "uid": owner["metadata"]["uid"],
            }],
        },
        "revision": number,
        "data": { "spec": { "template": template } },
    });
    (format!("{HERE}/{name}"), object)
}

/// A DaemonSet was changed: its template has the newest number from now on, that of an old one again or one of its own.
pub(super) fn number(objects: &mut BTreeMap<String, Value>, owner: &Value, made: &str) {
    let kept = |object: &Value| {
        let mut template = object["data"]["spec"]["template"].clone();
        template.as_object_mut().map(|template| template.remove("$patch"));
        template
    };
    let own = || format!("{HERE}/");
    let newest = objects.range(own()..).take_while(|(path, _)| path.starts_with(HERE));
    let newest = newest.filter_map(|(_, object)| object["revision"].as_i64()).max().unwrap_or(0);
    let template = &owner["spec"]["template"];
    let old = objects.iter_mut().find(|(path, object)| path.starts_with(HERE) && kept(object) == *template);
    match old {
        Some((_, old)) if old["revision"] == newest => {}
        Some((_, old)) => old["revision"] = json!(newest + 1),
        None => objects.extend([revision(owner, newest + 1, made, template)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_that_was_there_before_gets_the_newest_number_again() {
        let owner = |image: &str| json!({"metadata": {"uid": "u"}, "spec": {"template": {"image": image}}});
        let mut objects = BTreeMap::new();
        let mut now = |image: &str| {
            number(&mut objects, &owner(image), "2024-12-11T23:12:00Z");
            objects
                .values()
                .map(|one| (one["data"]["spec"]["template"]["image"].clone(), one["revision"].clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(now("a"), [(json!("a"), json!(1))]);
        assert_eq!(now("b"), [(json!("a"), json!(1)), (json!("b"), json!(2))]);
        assert_eq!(now("b").len(), 2);
        assert_eq!(now("a"), [(json!("a"), json!(3)), (json!("b"), json!(2))]);
    }
}

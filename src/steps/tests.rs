//! What holds for every kind, and what single kinds refuse before anything is contacted.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{KINDS, kind};
use crate::rooms::{files, used};

#[test]
fn every_kind_has_a_name_of_its_own_a_page_and_a_closed_schema() {
    let names: BTreeSet<&str> = KINDS.iter().map(|kind| kind.name()).collect();
    assert_eq!(names.len(), KINDS.len());
    for kind in KINDS {
        let name = kind.name();
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{name}");
        assert!(kind.doc().len() > 100, "{name}: say what it does, what it costs, how it is undone");
        let schema = kind.schema();
        assert_eq!(schema["type"], "object", "{name}");
        assert_eq!(schema["additionalProperties"], false, "{name}: {schema:#}");
        for (parameter, what) in schema["properties"].as_object().into_iter().flatten() {
            assert!(what["description"].is_string() || what["anyOf"].is_array(), "{name}: {parameter} says nothing");
        }
    }
}

#[track_caller]
fn refused(name: &str, with: Value, fault: &str) {
    let faults = kind(name).unwrap().build(with).err().unwrap_or_default();
    let faults = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    assert!(faults.contains(fault), "{name}: {faults:?}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    refused("delete", json!({"object": "ds/agent"}), "object: \"ds/agent\" needs a namespace");
    refused("delete", json!({"object": "ds/a/b", "deadline": "0s"}), "deadline");
    refused("delete", json!({"object": "ds/a/b", "froce": true}), "froce");
    refused("park", json!({"object": "cm/a/b"}), "configmaps cannot be parked");
    refused("end-pods", json!({"workload": "cm/a/b"}), "configmaps make no pods");
    refused("end-pods", json!({"workload": "ds/a"}), "workload: \"ds/a\" needs a namespace");
    refused("end-pods", json!({"workload": "ds/a/b", "selector": "!x"}), "selector: \"!x\" asks for no label");
    refused("end-pods", json!({"workload": "ds/a/b", "grace": 0}), "say `force: true`");
    refused("end-pods", json!({"workload": "ds/a/b", "grace": 1, "force": true}), "exclude each other");
    refused("end-pods", json!({"workload": "ds/a/b", "page": 501}), "page: from 1 to 500");
    refused("revoke", json!({}), "subject: say whose rights");
    refused("revoke", json!({"subject": "jane", "workload": "ds/a/b"}), "exclude each other");
    refused("revoke", json!({"subject": "group/system:masters"}), "before any binding is asked");
    refused("revoke", json!({"subject": "system:node:worker-1"}), "node authoriser");
    refused("revoke", json!({"subject": "ds/a/b"}), "`workload`");
    refused("revoke", json!({"workload": "cm/a/b"}), "configmaps run as no service account");
    refused("revoke", json!({"subject": "jane", "bindings": ["clusterrole/view"]}), "is no binding");
    refused(
        "revoke",
        json!({"subject": "jane", "bindings": ["rolebinding/a/b", "rolebindings/a/b"]}),
        "is named twice",
    );
    refused("restore-rights", json!({"binding": "oncall"}), "say whom oncall has to name");
    refused("restore-rights", json!({"binding": "a/b", "groups": ["x"]}), "binding: ");
    refused("restore-rights", json!({"role": "a/b"}), "role: ");
    refused("restore-rights", json!({"role": ""}), "role: ");
    refused("restore-rights", json!({"groups": ["x", "x"]}), "groups: group/x is named twice");
    refused("restore-rights", json!({"groups": [""]}), "groups: ");
    refused("restore-rights", json!({"users": ["a\nb"]}), "users: ");
    refused("restore-rights", json!({"deadline": "0s"}), "deadline");
    refused("confirm", json!({"question": ""}), "question");
    refused("confirm", json!({"question": "?", "typed": "yes "}), "typed");
    refused("probe", json!({"within": "0s"}), "within");
    refused("exec", json!({"run": "true"}), "undo: say what takes it back");
    refused("exec", json!({"run": "true", "argv": ["true"], "noUndo": "x"}), "exclude each other");
    refused("exec", json!({"argv": [], "noUndo": "x"}), "empty");
    refused("exec", json!({"run": "true", "noUndo": "x", "local": true, "unless": "true"}), "unless");
    refused("http", json!({"url": "https://x"}), "undo: say which call");
    refused("http", json!({"url": "x", "noUndo": "x"}), "is not an http");
    refused("http", json!({"url": "https://me:pw@x", "noUndo": "x"}), "credential");
    refused("http", json!({"url": "https://x", "noUndo": "x", "headers": {"Authorization": "x"}}), "secretHeaders");
    refused("http", json!({"url": "https://x", "undo": {"url": "https://x", "methd": "PUT"}}), "methd");
    refused(
        "http",
        json!({"url": "https://x/a?b=1&access_token=hush", "noUndo": "x"}),
        "access_token in the URL looks like a secret",
    );
    refused(
        "http",
        json!({"url": "https://x", "noUndo": "x", "undo": {"url": "https://x?sig=hush"}}),
        "sig in the URL",
    );
    refused(
        "http",
        json!({"url": "https://x", "noUndo": "x", "body": {"a": [{"routing_key": "hush"}]}}),
        "routing_key in the body looks like a secret",
    );
    refused("http", json!({"url": "https://hooks.slack.com/services/T0/B0/hush", "noUndo": "x"}), "secretPath");
    refused("http", json!({"url": "https://x", "noUndo": "x", "body": {}, "secretBody": "/f"}), "exclude each other");
    refused("http", json!({"url": "https://x", "noUndo": "x", "methd": "PUT"}), "methd");
}

/// What two kinds share stands in a file of its own.
#[test]
fn no_kind_uses_another() {
    let modules: Vec<String> = KINDS.iter().map(|kind| kind.name().replace('-', "_")).collect();
    for module in &modules {
        let files = files(&format!("steps/{module}"));
        assert!(!files.is_empty(), "{module}");
        for (file, path) in files.iter().flat_map(|file| used(file).into_iter().map(move |path| (file, path))) {
            // A glob would hide what is used.
            assert_ne!(path, "steps::*", "{}", file.display());
            let other = path.strip_prefix("steps::").and_then(|rest| rest.split("::").next()).unwrap_or_default();
            assert!(other == module || !modules.iter().any(|it| it == other), "{} uses {path}", file.display());
        }
    }
}

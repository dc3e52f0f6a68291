//! The controller manager as freezing and thawing see it: its manifest, and the list of its controllers.

use std::collections::BTreeMap;

use super::static_pod::{Patience, StaticPod};
use crate::host::manifest::Edit;

/// The controllers that act on nodes that do not report.
pub(super) const CONTROLLERS: [&str; 2] = ["node-lifecycle-controller", "taint-eviction-controller"];

/// The controller manager as a static pod.
pub(super) fn controller_manager(tag: &'static str) -> StaticPod {
    StaticPod {
        program: "kube-controller-manager",
        tag,
        health: "/healthz",
        port: 10257,
        patience: Patience { exit: 40, ready: 60 },
    }
}

/// The value of `--controllers` in a manifest; `*` when it is not said.
pub(super) fn controllers(manifest: &str) -> Vec<String> {
    let said = manifest.lines().find_map(|line| line.split_once("--controllers=").map(|(_, value)| value));
    let said = said.map_or("*", |value| value.trim().trim_matches(['"', '\'', ',']));
    said.split(',').map(str::to_owned).collect()
}

/// The edit that makes `--controllers` this list.
pub(super) fn wanted(controllers: &[String]) -> Edit {
    Edit { flags: BTreeMap::from([("controllers".to_owned(), Some(controllers.join(",")))]), ..Edit::default() }
}

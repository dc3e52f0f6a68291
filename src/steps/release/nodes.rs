//! The nodes that a DaemonSet fits, in the order in which they get it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::kube_object::text;
use super::super::marking::PARKED;
use super::super::pods::{self, Page};
use super::super::workload::labels_text;
use super::super::{Look, ObjectRef, StepError};
use crate::change::{KubeCall, sha256_hex};
use crate::steps::marking;

/// Where they are listed.
pub(super) const COLLECTION: &str = "/api/v1/nodes";
/// Nodes of one page of a list.
pub(super) const PAGE: u32 = 500;
/// More are not looked through.
pub(super) const MOST: u32 = PAGE * pods::PAGES;
/// The label, as a JSON pointer into a node.
const LABEL: &str = "/metadata/labels/breakglass.io~1parked";
/// A node with one of these runs what everything hangs on.
const CONTROL_PLANE: [&str; 2] = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];

/// What there is of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Nodes {
    /// In the order in which they get it: those that have the label already, then by the hash of the name, so that no pool or
    /// zone comes as a whole; those of the control plane last.
    pub(super) all: Vec<Node>,
    /// How many changes of nodes there were of which it is not known that they were made.
    pub(super) troubles: usize,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Node {
    /// It has no label of this release.
    without: bool,
    control_plane: bool,
    hash: String,
    pub(super) name: String,
    pub(super) uid: String,
}

impl Nodes {
    /// Those on the pages of a list: not the ones that have a label of another release.
    pub(super) fn read(pages: &[Page], ours: &str, troubles: usize) -> Self {
        let node = |object: &Value| {
            let labels = &object["metadata"]["labels"];
            let label = labels[PARKED].as_str();
            let name = text(object, "/metadata/name").to_owned();
            label.is_none_or(|label| label == ours).then(|| Node {
                without: label.is_none(),
                control_plane: CONTROL_PLANE.iter().any(|role| labels.get(role).is_some()),
                hash: sha256_hex(name.as_bytes()),
                name,
                uid: text(object, "/metadata/uid").to_owned(),
            })
        };
        let mut all: Vec<Node> = pages.iter().flat_map(|page| &page.items).filter_map(node).collect();
        all.sort();
        Self { all, troubles }
    }

    /// Whether a node had the label when they were listed.
    pub(super) fn has(&self, name: &str) -> bool {
        self.all.iter().any(|node| node.name == name && !node.without)
    }

    /// How many have the label, and the next ones that are to get it so that `wanted` have it. `made`: those that have got it
    /// since the list.
    pub(super) fn towards(&self, wanted: usize, made: &BTreeSet<String>) -> (usize, Vec<&Node>) {
        let (with, without): (Vec<&Node>, Vec<&Node>) =
            self.all.iter().partition(|node| !node.without || made.contains(&node.name));
        let next = without.into_iter().take(wanted.saturating_sub(with.len())).collect();
        (with.len(), next)
    }
}

/// All nodes that have these labels.
///
/// # Errors
/// When they could not be listed.
pub(super) async fn list(look: Look<'_>, selector: &str, within: std::time::Duration) -> Result<Vec<Page>, StepError> {
    let too_many =
        "a node selector in the DaemonSet that fits fewer of them (docs/release.md): what it does not fit gets no pod";
    pods::pages(look, COLLECTION, selector, PAGE, within, too_many).await
}

/// What the rest of a node selector asks for, as a query has it.
pub(super) fn rest(selector: &Map<String, Value>) -> String {
    let mut rest = selector.clone();
    rest.remove(PARKED);
    labels_text(Some(&Value::Object(rest)))
}

/// How many of `all` each stage takes; one that would bring nothing new is none.
pub(super) fn counts(stages: &[u8], all: usize) -> Vec<usize> {
    let mut counts: Vec<usize> = stages.iter().map(|share| (all * usize::from(*share)).div_ceil(100)).collect();
    counts.dedup();
    counts
}

/// A node.
pub(super) fn at(name: &str) -> ObjectRef {
    ObjectRef { group: String::new(), version: "v1".into(), plural: "nodes".into(), namespace: None, name: name.into() }
}

/// Gives a node the label.
pub(super) fn label(node: &str, uid: &str, label: &str) -> KubeCall {
    let ops = json!([
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "test", "path": LABEL, "value": null},
        {"op": "add", "path": LABEL, "value": label},
    ]);
    marking::patching(&at(node), ops, None)
}

/// Takes the label from a node, if it is ours. A node that is gone has none.
pub(super) fn unlabel(node: &str, label: &str) -> KubeCall {
    let ops = json!([{"op": "test", "path": LABEL, "value": label}, {"op": "remove", "path": LABEL}]);
    KubeCall { already: vec![404], ..marking::patching(&at(node), ops, None) }
}

/// The same as an inverse, which has to see that it is so already.
pub(super) fn unlabel_back(node: &str, label: &str) -> KubeCall {
    let holds =
        crate::change::Holds { path: at(node).path(), fields: vec![(LABEL.into(), Value::Null)], as_sent: false };
    KubeCall { holds: Some(holds), ..unlabel(node, label) }
}

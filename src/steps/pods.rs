//! Looking at the pods that have some labels: how many there are, and whose.

use std::time::Duration;

use serde_json::Value;

use super::kube_object::{self, encode, items, next_page, text};
use super::{Look, StepError};
use crate::world::Accept;

/// Pods of one page of a list.
pub(super) const PAGE: u32 = 500;
/// Pages that one look reads at most.
pub(super) const PAGES: u32 = 20;
/// Stands in the plan for the token that leads to the next page.
pub(super) const TOKEN: &str = "<token of the page before>";

/// How many pods of a selector are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Left {
    /// So many, on the one page that was read.
    pub(super) pods: usize,
    /// So many of them are being deleted.
    pub(super) going: usize,
    /// There are more than fit on the page.
    pub(super) more: bool,
}

impl Left {
    fn read(list: &Value) -> Self {
        let going = items(list).iter().filter(|pod| going(pod)).count();
        Self { pods: items(list).len(), going, more: next_page(list).is_some() }
    }
}

/// How many pods of a selector are left: one list of one page of metadata.
///
/// # Errors
/// When nothing answered `within` that time, or the answer is no list.
pub(super) async fn pods_left(
    look: Look<'_>,
    namespace: &str,
    selector: &str,
    limit: u32,
    within: Duration,
) -> Result<Left, StepError> {
    let path = path(&collection(namespace), selector, limit);
    let list = kube_object::list(look, &path, Accept::MetadataList, within).await?;
    Ok(Left::read(&list))
}

/// One page of a list, as metadata.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Page {
    /// What stands on it.
    pub(super) items: Vec<Value>,
    /// The path and query that lead to the very same objects again, whatever came since: at the revision of the list.
    pub(super) again: String,
    /// That revision; `None`: its server did not say it as a number.
    pub(super) revision: Option<u64>,
}

/// What to type where there are too many pods.
pub(super) const TOO_MANY: &str = "give `selector`, with labels that only the workload's pods have, or a larger `page`";

/// All pages of a list, at one revision. `too_many`: what to type where there are more than are looked through.
///
/// # Errors
/// When one of them could not be read, or there are too many.
pub(super) async fn pages(
    look: Look<'_>,
    collection: &str,
    selector: &str,
    limit: u32,
    within: Duration,
    too_many: &str,
) -> Result<Vec<Page>, StepError> {
    let base = path(collection, selector, limit);
    let (mut pages, mut token): (Vec<Page>, Option<String>) = (Vec::new(), None);
    loop {
        if pages.len() >= PAGES as usize {
            let most = u64::from(limit) * u64::from(PAGES);
            let what = if selector.is_empty() { String::new() } else { format!(" with {selector}") };
            return Err(StepError::Refused {
                why: format!("there are more than {most} objects{what} in {collection}: they are not looked through"),
                hint: Some(too_many.into()),
            });
        }
        let path = token.map_or_else(|| base.clone(), |token| format!("{base}&continue={}", encode(&token)));
        let list = kube_object::list(look, &path, Accept::MetadataList, within).await?;
        let (again, revision) = match pages.first() {
            None => (at(&base, text(&list, "/metadata/resourceVersion")), kube_object::revision(&list)),
            Some(first) => (path, first.revision),
        };
        pages.push(Page { items: items(&list).to_vec(), again, revision });
        token = next_page(&list).map(str::to_owned);
        if token.is_none() {
            return Ok(pages);
        }
    }
}

/// The path of a namespace's pods.
pub(super) fn collection(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods")
}

/// The path and query of a list; with an empty selector all of it.
pub(super) fn path(collection: &str, selector: &str, limit: u32) -> String {
    let selector = match selector {
        "" => String::new(),
        // As the plan shows what only a look can know.
        shown if shown.starts_with('<') => format!("labelSelector={shown}&"),
        selector => format!("labelSelector={}&", encode(selector)),
    };
    format!("{collection}?{selector}limit={limit}")
}

/// A path and query at one revision of everything.
pub(super) fn at(path: &str, revision: &str) -> String {
    format!("{path}&resourceVersion={revision}&resourceVersionMatch=Exact")
}

/// Is it being deleted?
pub(super) fn going(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_selector_cannot_leave_its_place_in_the_query() {
        assert_eq!(
            path(&collection("telemetry"), "app in (a,b)&limit=9", 50),
            "/api/v1/namespaces/telemetry/pods?labelSelector=app%20in%20%28a%2Cb%29%26limit%3D9&limit=50"
        );
    }

    #[test]
    fn pods_are_counted_with_those_that_are_going() {
        let pod = json!({"metadata": {}});
        let going = json!({"metadata": {"deletionTimestamp": "2025-01-01T00:00:00Z"}});
        let list = json!({"metadata": {"continue": "x"}, "items": [pod, going]});
        assert_eq!(Left::read(&list), Left { pods: 2, going: 1, more: true });
        let none = json!({"kind": "PartialObjectMetadataList", "metadata": {}, "items": null});
        assert_eq!(Left::read(&none), Left { pods: 0, going: 0, more: false });
    }
}

//! Looking for the bindings that name a subject.

use std::time::Duration;

use super::binding::{self, Binding, CLUSTER, NAMESPACED, short};
use super::subject::Subject;
use super::taking;
use crate::finding::Finding;
use crate::steps::kube_object::{self, Seen};
use crate::steps::{Look, ObjectRef, StepError};
use crate::words;
use crate::world::Accept;

/// How many bindings stand on a page of a list.
const PAGE: u32 = 500;
/// How many pages of a list are read.
pub(in crate::steps) const PAGES: u32 = 10;
/// How many of what may be many are told one by one.
pub(in crate::steps) const TOLD: usize = 8;

/// Where the first page of a list is.
pub(in crate::steps) fn first_page(plural: &str) -> String {
    format!("{}?limit={PAGE}", binding::list(plural))
}

/// The named bindings, one by one.
pub(in crate::steps) async fn each(
    look: Look<'_>,
    names: &[ObjectRef],
    limit: Duration,
    saw: &mut Vec<Finding>,
) -> Result<Vec<Binding>, StepError> {
    let mut all = Vec::new();
    for at in names {
        match kube_object::get(look, at, Accept::Json, limit).await? {
            Seen::There(object) => all.push(Binding { at: at.clone(), object }),
            // One of ours that is gone needs no word.
            Seen::Absent if look.history.last(&taking::key(at)).is_some() => {}
            Seen::Absent => saw.push(format!("{} is not there", short(at)).into()),
        }
    }
    Ok(all)
}

/// All bindings that name the subject or have our mark for it, by two lists. Tells what its groups leave to it.
pub(in crate::steps) async fn all(
    look: Look<'_>,
    subject: &Subject,
    limit: Duration,
    saw: &mut Vec<Finding>,
) -> Result<Vec<Binding>, StepError> {
    let (mut all, mut left) = (Vec::new(), Vec::new());
    for plural in [CLUSTER, NAMESPACED] {
        let (mut path, mut seen) = (first_page(plural), 0);
        for page in 1..=PAGES {
            let list = kube_object::list(look, &path, Accept::Json, limit).await?;
            let items = kube_object::items(&list);
            seen += items.len();
            for binding in items.iter().map(|item| Binding::item(plural, item.clone())) {
                left.extend(binding.still_allows(subject));
                if binding.names(subject) || taking::is_marked(&binding, &look.mark.run, subject) {
                    all.push(binding);
                }
            }
            let Some(next) = kube_object::next_page(&list) else { break };
            if page == PAGES {
                let unseen = format!(
                    "there are more than {seen} {plural}, and the others were not looked at: name those that matter as \
                     `bindings`"
                );
                saw.push(unseen.into());
            }
            path = format!("{}&continue={}", first_page(plural), kube_object::encode(next));
        }
    }
    let more = left.len().saturating_sub(TOLD);
    left.truncate(TOLD);
    saw.extend(left.into_iter().map(Finding::Note));
    if more > 0 {
        saw.push(format!("and through its groups by {} more", words::count(more, "binding")).into());
    }
    Ok(all)
}

//! From an object up to all that puts it back, and what puts that back.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::claims::{self, Claim, Claims};
use super::{Automation, MOST, Named, Sort, Which};
use crate::finding::Finding;
use crate::steps::kube_object::{self, Going, Seen, Served, encode, items, next_page, text};
use crate::steps::{Look, ObjectRef, StepError};
use crate::words;
use crate::world::{Accept, KubeRead};

/// How many steps it may be from an object up to the topmost that is looked at.
const DEPTH: usize = 4;
/// How many objects stand on a page of a list; an Application with many resources is large.
const PAGE: u32 = 50;
/// How many pages are read.
const PAGES: u32 = 20;

/// What was found on the way up.
#[derive(Debug, Default)]
pub(in crate::steps) struct Walked {
    /// What can be told to stop, the nearest first.
    pub(in crate::steps) chain: Vec<Automation>,
    /// What puts it back and cannot be told to stop from here: why, and what to type.
    pub(in crate::steps) held: Vec<(String, String)>,
    pub(in crate::steps) saw: Vec<Finding>,
}

impl Walked {
    fn note(&mut self, what: impl Into<Finding>) {
        self.saw.push(what.into());
    }

    /// Adds what an object says; gives what is to be followed.
    fn heard(&mut self, of: &str, claims: Claims, is_automation: bool) -> Vec<Claim> {
        self.saw.extend(claims.notes.into_iter().map(Finding::Note));
        for (who, next) in claims.held {
            let why = format!("{of} is put back by {who}");
            self.note(why.clone());
            // That something else looks after an automation is told: whether it gives way, the look after it shows.
            if !is_automation {
                self.held.push((why, next));
            }
        }
        claims.followed
    }
}

/// One object by its name, in whichever version is served; `None`: in none.
async fn get(look: Look<'_>, named: &Named, limit: Duration) -> Result<Option<(ObjectRef, Seen)>, StepError> {
    let versions = named.version.as_deref().map_or_else(|| named.sort.versions().to_vec(), |version| vec![version]);
    for version in versions {
        let at = named.sort.at(version, &named.namespace, &named.name).map_err(StepError::refused)?;
        match kube_object::served(look, &at, limit).await? {
            Served::There(object) => return Ok(Some((at, Seen::There(object)))),
            Served::Absent => return Ok(Some((at, Seen::Absent))),
            Served::Not => {}
        }
    }
    Ok(None)
}

/// Follows what an object says of itself, and what that says, up to the top. `again`: what is known to be there already.
///
/// # Errors
/// When something could not be read, or the object that was named is not there.
pub(in crate::steps) async fn follow(
    look: Look<'_>,
    which: &Which,
    argocd: &str,
    limit: Duration,
) -> Result<Walked, StepError> {
    let mut walked = Walked::default();
    let mut queue = VecDeque::new();
    match which {
        Which::Object(at) => {
            let Seen::There(object) = kube_object::get(look, at, Accept::Json, limit).await? else {
                return Err(StepError::Refused {
                    why: format!("{at} is not there, so that nobody can tell what puts it back"),
                    hint: Some(
                        "name what puts it back: application/NAMESPACE/NAME, kustomization/… or helmrelease/…".into(),
                    ),
                });
            };
            let claims = walked.heard(&at.to_string(), claims::read(at, &object, argocd), false);
            queue.extend(claims.into_iter().map(|claim| (at.to_string(), claim, 1)));
        }
        Which::Named(named) => {
            let Some((at, Seen::There(object))) = get(look, named, limit).await? else {
                return Err(StepError::Refused {
                    why: format!("{named} is not there"),
                    hint: Some(format!("kubectl get {}.{} -A", named.sort.plural(), named.sort.group())),
                });
            };
            walked.take(Automation { named: named.clone(), at, object }, argocd, 1, &mut queue);
        }
    }
    while let Some((child, claim, depth)) = queue.pop_front() {
        if walked.chain.iter().any(|one| one.named == claim.named) {
            continue;
        }
        if depth > DEPTH || walked.chain.len() >= MOST as usize {
            walked.note(format!("{child} is put back by {}, which was not looked at: too far up", claim.named));
            continue;
        }
        match get(look, &claim.named, limit).await? {
            Some((at, Seen::There(object))) => {
                walked.note(format!("{child} is put back by {} ({})", claim.named, claim.by));
                walked.take(Automation { named: claim.named, at, object }, argocd, depth, &mut queue);
            }
            found => walked.missing(&child, &claim, found.is_some()),
        }
    }
    Ok(walked)
}

impl Walked {
    fn take(&mut self, one: Automation, argocd: &str, depth: usize, queue: &mut VecDeque<(String, Claim, usize)>) {
        if let Some(going) = Going::of(&one.object) {
            self.note(format!("{}: {going}", one.named));
        }
        let name = one.named.to_string();
        let claims = self.heard(&name, claims::read(&one.at, &one.object, argocd), true);
        queue.extend(claims.into_iter().map(|claim| (name.clone(), claim, depth + 1)));
        self.chain.push(one);
    }

    /// What is said to put an object back, and is not here.
    fn missing(&mut self, child: &str, claim: &Claim, served: bool) {
        let Claim { named, by, certain } = claim;
        let where_to = if served {
            "it is not there".to_owned()
        } else {
            format!("this API server serves no {}.{}", named.sort.plural(), named.sort.group())
        };
        let why = format!("{child} is put back by {named} ({by}), and {where_to}");
        if !certain {
            let whose = named.sort.whose();
            return self.note(format!(
                "{child} has the label {by}, which says nothing by itself: {where_to}, so {whose} it is not"
            ));
        }
        self.note(why.clone());
        // One Argo CD may look after many clusters, and a Flux after another one.
        let next = format!(
            "{} that works here from another cluster is told there: breakglass freeze-automation {named}",
            named.sort.whose()
        );
        self.held.push((why, next));
    }
}

/// All automation of one maker in the cluster, the topmost last, as `follow` has it.
///
/// # Errors
/// When it could not be listed, or there is none of that maker here.
pub(in crate::steps) async fn everything(
    look: Look<'_>,
    sorts: &[Sort],
    argocd: &str,
    limit: Duration,
) -> Result<Walked, StepError> {
    let (mut walked, mut served) = (Walked::default(), false);
    for sort in sorts {
        served |= listed(look, *sort, limit, &mut walked).await?;
    }
    if !served {
        let (sort, whose) = (sorts[0], sorts[0].whose());
        return Err(StepError::Refused {
            why: format!("there is no {whose} here: this API server serves no {}.{}", sort.plural(), sort.group()),
            hint: Some(
                "kubectl get --raw /apis | grep -o -e argoproj.io -e toolkit.fluxcd.io says what it serves".into(),
            ),
        });
    }
    let mut parents: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in &walked.chain {
        let claims = claims::read(&one.at, &one.object, argocd).followed;
        parents.insert(one.key(), claims.into_iter().map(|claim| claim.named.to_string()).collect());
    }
    let height = |one: &Automation| height(&parents, &one.key(), DEPTH * 2);
    walked.chain.sort_by_cached_key(|one| std::cmp::Reverse(height(one)));
    Ok(walked)
}

/// How many there are above it. One that looks after itself is at the top.
fn height(parents: &BTreeMap<String, Vec<String>>, key: &str, most: usize) -> usize {
    let above = parents.get(key).into_iter().flatten().filter(|parent| *parent != key && parents.contains_key(*parent));
    if most == 0 {
        return 0;
    }
    above.map(|parent| 1 + height(parents, parent, most - 1)).max().unwrap_or(0)
}

/// Where the first page of the list of a kind is, over all namespaces.
pub(super) fn first_page(sort: Sort, version: &str) -> String {
    format!("/apis/{}/{version}/{}?limit={PAGE}", sort.group(), sort.plural())
}

/// How many pages are read beside the first, and how they are asked for.
pub(super) fn next_pages(sort: Sort, version: &str) -> (String, u32) {
    (format!("{}&continue=<where the page before ended>", first_page(sort, version)), PAGES - 1)
}

/// Adds all of a kind; no where it is not served.
async fn listed(look: Look<'_>, sort: Sort, limit: Duration, walked: &mut Walked) -> Result<bool, StepError> {
    for version in sort.versions() {
        let first = first_page(sort, version);
        let mut path = first.clone();
        for page in 1..=PAGES {
            let read = KubeRead { path: path.clone(), accept: Accept::Json, limit };
            let answer = look.reads.kube(look.target, &read).await?;
            if answer.code == 404 && page == 1 {
                break;
            }
            if answer.code != 200 {
                return Err(kube_object::no_list(&answer, &path));
            }
            let list = answer.json();
            for item in items(&list) {
                let [namespace, name] = ["/metadata/namespace", "/metadata/name"].map(|field| text(item, field));
                if let Ok(at) = sort.at(version, namespace, name) {
                    let named = Named::new(sort, namespace, name);
                    walked.chain.push(Automation { named, at, object: item.clone() });
                }
            }
            let Some(next) = next_page(&list) else { return Ok(true) };
            if page == PAGES {
                walked.note(format!(
                    "there are more than {} {}, and the others were not looked at",
                    words::count(walked.chain.len(), "object"),
                    sort.plural()
                ));
                return Ok(true);
            }
            path = format!("{first}&continue={}", encode(next));
        }
    }
    Ok(false)
}

/// Looks once more at what is known to be there. What is gone is left out.
///
/// # Errors
/// When something could not be read.
pub(in crate::steps) async fn again(look: Look<'_>, known: &[Named], limit: Duration) -> Result<Walked, StepError> {
    let mut walked = Walked::default();
    for named in known {
        if let Some((at, Seen::There(object))) = get(look, named, limit).await? {
            walked.chain.push(Automation { named: named.clone(), at, object });
        }
    }
    Ok(walked)
}

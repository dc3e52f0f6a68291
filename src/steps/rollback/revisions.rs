//! What its controller keeps of a workload's earlier pod templates, and which of them is meant.

use std::fmt;

use serde_json::Value;

use crate::duration::HumanDuration;
use crate::saved;
use crate::steps::kube_object::{self, items, next_page, text};
use crate::steps::marking::PARKED;
use crate::steps::owners::controller;
use crate::steps::workload::selector_text;
use crate::steps::{Look, ObjectRef, StepError, pods, rollout};
use crate::world::Accept;

/// Where a Deployment's controller writes the number down.
const NUMBER: &str = "/metadata/annotations/deployment.kubernetes.io~1revision";
/// What a Deployment's controller puts into the template of a ReplicaSet beside what it was given.
const HASH: &str = "pod-template-hash";
/// Why a revision was made, in somebody's words.
pub(super) const CAUSE: &str = "/metadata/annotations/kubernetes.io~1change-cause";
/// Revisions of one page: each is a few KB, and a controller keeps ten unless it was told otherwise.
pub(super) const PAGE: u32 = 100;
/// Pages that one look reads at most.
pub(super) const PAGES: u32 = 5;
/// How many revisions a message names.
const NAMED: usize = 10;
/// How many images a revision is told by, and how many signs of each.
const IMAGES: (usize, usize) = (3, 90);

/// An earlier template of a workload, as its controller keeps it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Revision {
    pub(super) number: i64,
    /// When its template was first there; a later roll back to it makes its number new, and not this.
    made: Option<jiff::Timestamp>,
    pub(super) template: Value,
    /// The change cause that stood there then; `Null`: none.
    pub(super) cause: Value,
}

/// Which revision is meant.
#[derive(Debug, PartialEq)]
pub(super) enum Choice<'a> {
    Goes {
        /// The revision that it has now; `None`: its controller has not numbered it yet.
        from: Option<i64>,
        to: &'a Revision,
        /// Revisions in between that are only a parking.
        passed: Vec<i64>,
    },
    /// Its template is that one's already.
    Already(String),
}

/// What a look at the workload itself tells.
pub(super) struct Now<'a> {
    pub(super) object: &'a ObjectRef,
    pub(super) seen: &'a Value,
    /// What the server's clock says, if it does.
    pub(super) date: Option<jiff::Timestamp>,
}

/// Where the revisions of an object are; `None`: it has none that could be put back.
pub(super) fn collection(object: &ObjectRef) -> Option<String> {
    let plural = match (object.group.as_str(), object.version.as_str(), object.plural.as_str()) {
        ("apps", "v1", "daemonsets" | "statefulsets") => "controllerrevisions",
        ("apps", "v1", "deployments") => "replicasets",
        _ => return None,
    };
    Some(ObjectRef { plural: plural.into(), ..object.clone() }.collection())
}

/// The revisions of a workload, oldest number first: all of them, or those of the pages up to the one with this number.
pub(super) async fn of(
    look: Look<'_>,
    now: &Now<'_>,
    number: Option<i64>,
    within: std::time::Duration,
) -> Result<Vec<Revision>, StepError> {
    let object = now.object;
    let uid = text(now.seen, "/metadata/uid");
    let selector = selector_text(&now.seen["spec"]["selector"]).map_err(StepError::refused)?;
    if selector.is_empty() {
        return Err(StepError::refused(format!("{object} says no labels by which its revisions could be found")));
    }
    let base = pods::path(&collection(object).unwrap_or_default(), &selector, PAGE);
    let (mut all, mut token): (Vec<Revision>, Option<String>) = (Vec::new(), None);
    for _ in 0..PAGES {
        let path =
            token.map_or_else(|| base.clone(), |token| format!("{base}&continue={}", kube_object::encode(&token)));
        let list = kube_object::list(look, &path, Accept::Json, within).await?;
        let own = items(&list).iter().filter(|one| controller(one).is_some_and(|owner| text(owner, "/uid") == uid));
        all.extend(own.filter_map(Revision::read));
        token = next_page(&list).map(str::to_owned);
        if token.is_none() || number.is_some_and(|number| all.iter().any(|one| one.number == number)) {
            all.sort_by_key(|one| one.number);
            return Ok(all);
        }
    }
    Err(StepError::Refused {
        why: format!(
            "more than {} objects in {} have the labels of {object}: they are not looked through for its revisions",
            PAGE * PAGES,
            collection(object).unwrap_or_default()
        ),
        hint: Some(format!("kubectl rollout history {}", kubectl(object))),
    })
}

/// As kubectl takes it.
pub(super) fn kubectl(object: &ObjectRef) -> String {
    let namespace = object.namespace.as_ref().map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
    format!("{}/{}{namespace}", object.resource(), object.name)
}

impl Revision {
    /// Reads a ControllerRevision or a ReplicaSet; `None` for one without a number or a whole template: nothing can be done
    /// with it, and its controller does not count it either.
    pub(super) fn read(item: &Value) -> Option<Self> {
        let (number, template) = match item.get("data") {
            Some(data) => {
                let mut template = data.pointer("/spec/template")?.clone();
                // It is kept as the patch that puts it back; one that is not whole would be mixed with what is there.
                let whole = template.as_object_mut()?.remove("$patch")?;
                (whole == "replace").then_some((item["revision"].as_i64()?, template))?
            }
            None => {
                let mut template = item.pointer("/spec/template")?.clone();
                template.pointer_mut("/metadata/labels")?.as_object_mut()?.remove(HASH);
                (text(item, NUMBER).parse().ok()?, template)
            }
        };
        Some(Self {
            number,
            made: text(item, "/metadata/creationTimestamp").parse().ok(),
            template,
            cause: item.pointer(CAUSE).cloned().unwrap_or_default(),
        })
    }

    /// The run that parked a DaemonSet: that is a revision of its own, too.
    pub(super) fn parked_by(&self) -> Option<&str> {
        parked_by(&self.template)
    }
}

/// The run that parked what has this template.
fn parked_by(template: &Value) -> Option<&str> {
    template.pointer("/spec/nodeSelector")?.get(PARKED)?.as_str()
}

/// The images of a template, in short.
pub(super) fn images(template: &Value) -> String {
    let (count, length) = IMAGES;
    let of = |list: &str| template["spec"][list].as_array().into_iter().flatten();
    let all: Vec<&str> = of("containers").chain(of("initContainers")).map(|one| text(one, "/image")).collect();
    let short = |image: &&str| match image.char_indices().nth(length) {
        Some((end, _)) => format!("{}\u{2026}", &image[..end]),
        None => (*image).to_owned(),
    };
    let mut said: Vec<String> = all.iter().take(count).map(short).collect();
    if all.len() > count {
        said.push(format!("and {} more", all.len() - count));
    }
    if said.is_empty() { "no image".into() } else { said.join(", ") }
}

/// A time as long as its largest unit: `3h`.
fn roughly(secs: i64) -> HumanDuration {
    let secs = u64::try_from(secs).unwrap_or_default();
    let unit = [86_400, 3_600, 60].into_iter().find(|unit| secs >= *unit).unwrap_or(1);
    HumanDuration::secs(secs / unit * unit)
}

/// A revision, told with its age.
pub(super) struct Told<'a>(pub(super) &'a Revision, pub(super) Option<jiff::Timestamp>);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(revision, date) = self;
        write!(f, "{} ({}", revision.number, images(&revision.template))?;
        if let Some(run) = revision.parked_by() {
            write!(f, ", parked by run {run}")?;
        }
        match (revision.made, date) {
            (Some(made), Some(date)) => {
                write!(f, ", made {} ago)", roughly(date.as_second() - made.as_second()))
            }
            (Some(made), None) => write!(f, ", made {})", made.strftime("%Y-%m-%d %H:%M:%S UTC")),
            (None, _) => f.write_str(")"),
        }
    }
}

impl Now<'_> {
    fn template(&self) -> &Value {
        &self.seen["spec"]["template"]
    }

    /// Whether its controller has seen what is wanted of it: then the newest revision is what it has now.
    fn numbered(&self) -> bool {
        rollout::seen(self.seen)
    }

    fn list(&self, revisions: &[Revision]) -> String {
        if revisions.is_empty() {
            return "its controller keeps none".into();
        }
        let all: Vec<String> = revisions.iter().rev().take(NAMED).map(|one| Told(one, self.date).to_string()).collect();
        let more = if revisions.len() > NAMED { "; and older ones" } else { "" };
        format!("there are {}{more}", all.join("; "))
    }

    /// A refusal that names the revisions, and the command that says which one is meant.
    fn which(&self, why: &str, revisions: &[Revision], number: i64) -> StepError {
        let object = self.object;
        StepError::Refused {
            why: format!("{object} {why}; {}", self.list(revisions)),
            hint: Some(format!("say which one is meant: breakglass rollback {object} --to-revision {number}")),
        }
    }

    /// Which of the revisions is meant: the one with this number, or the one before the one that it has.
    ///
    /// # Errors
    /// What is wrong, and which revisions there are.
    pub(super) fn choose<'r>(&self, revisions: &'r [Revision], number: Option<i64>) -> Result<Choice<'r>, StepError> {
        let object = self.object;
        let has = revisions.iter().rev().find(|one| saved::same(&one.template, self.template()));
        if let Some(number) = number {
            let Some(to) = revisions.iter().find(|one| one.number == number) else {
                return Err(StepError::Refused {
                    why: format!("{object} has no revision {number}; {}", self.list(revisions)),
                    hint: Some(format!("kubectl rollout history {}", kubectl(object))),
                });
            };
            if saved::same(&to.template, self.template()) {
                return Ok(Choice::Already(format!("{object} has the template of revision {number} already")));
            }
            let newest = revisions.last().filter(|_| self.numbered());
            return Ok(Choice::Goes { from: has.or(newest).map(|one| one.number), to, passed: Vec::new() });
        }
        if let Some(run) = parked_by(self.template()) {
            let below = revisions.iter().rev().filter(|one| one.parked_by().is_none()).nth(1);
            return Err(StepError::Refused {
                why: format!(
                    "{object} is parked by run {run}: the revision before is the one that was parked; {}",
                    self.list(revisions)
                ),
                hint: Some(match below {
                    Some(Revision { number, .. }) => {
                        format!("breakglass rollback {object} --to-revision {number}   (it is not parked then)")
                    }
                    None => format!("breakglass undo {run}"),
                }),
            });
        }
        let Some(newest) = revisions.last() else { return Err(self.none_before(revisions)) };
        // What its controller has not seen yet has no number: then the newest revision is the one before.
        let from = match has {
            Some(has) if has.number == newest.number => Some(newest),
            Some(has) if !self.numbered() => {
                return Ok(Choice::Already(format!(
                    "{object} has the template of revision {} already, and not of the newest, {}: somebody has rolled it back, \
                     and its controller has not heard of it yet",
                    has.number, newest.number
                )));
            }
            Some(_) => {
                return Err(StepError::Refused {
                    why: format!("{object} was changed between two looks; {}", self.list(revisions)),
                    hint: Some(format!("kubectl rollout history {}; then the same again", kubectl(object))),
                });
            }
            None => self.numbered().then_some(newest),
        };
        let mut before =
            revisions.iter().rev().filter(|one| from.is_none_or(|from| one.number < from.number)).peekable();
        let mut passed = Vec::new();
        while let Some(one) = before.next_if(|one| one.parked_by().is_some()) {
            passed.push(one.number);
        }
        let Some(to) = before.next() else { return Err(self.none_before(revisions)) };
        // Its template is older than the one before it: to go back is what somebody has done already.
        let older = |from: &&Revision| from.made.zip(to.made).is_some_and(|(from, to)| from < to);
        if let Some(from) = from.filter(older) {
            let why = format!(
                "was rolled back already: the template of its revision {} is older than that of revision {}, which it would go \
                 back to",
                from.number, to.number
            );
            let mark = super::marked_by(self.seen);
            let by = if mark.is_empty() { String::new() } else { format!(" (run {mark} did so last)") };
            return Err(self.which(&format!("{why}{by}"), revisions, to.number));
        }
        if saved::same(&to.template, self.template()) {
            return Ok(Choice::Already(format!("{object} has the template of revision {} already", to.number)));
        }
        Ok(Choice::Goes { from: from.map(|from| from.number), to, passed })
    }

    fn none_before(&self, revisions: &[Revision]) -> StepError {
        let none = self.seen.pointer("/spec/revisionHistoryLimit") == Some(&Value::from(0));
        let why = if none { " (its revisionHistoryLimit is 0: its controller keeps none)" } else { "" };
        let object = self.object;
        StepError::Refused {
            why: format!("{object} has no revision before the one that it has{why}; {}", self.list(revisions)),
            hint: Some(format!("put the old template back from where it was made, or breakglass park {object}")),
        }
    }
}

//! What runs in a cluster and puts objects back: the objects by which its controllers are told what to do, and the one field of
//! each that tells them to leave things alone.
//!
//! The mark that is left there says which run did it and what was there before, so that it can be taken back without the journal.

mod claims;
mod walk;
mod wish;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::kube_object::text;
use super::marking::{self, Edit, FROZEN as MARK};
use super::{Look, ObjectRef, Survey};
use crate::change::{Change, Inverse, Keep, Op};
use crate::journal::ChangeRecord;
use crate::shell;

pub(super) use claims::comes_back;
pub(super) use walk::{Walked, again, everything, follow};
pub(super) use wish::{Params, Wish, freezing, looks, patch};

/// How many objects are looked at on the way up from one.
const MOST: u32 = 6;
const SYNC_POLICY: &str = "/spec/syncPolicy";
const AUTOMATED: &str = "/spec/syncPolicy/automated";
const APPLICATIONS_SYNC: &str = "/spec/syncPolicy/applicationsSync";
const SUSPEND: &str = "/spec/suspend";
/// What an ApplicationSet is told, so that it leaves the Applications alone that there are.
const CREATE_ONLY: &str = "create-only";

/// A kind of object that a controller acts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Sort {
    /// Argo CD: what is in a repository, put into a cluster.
    Application,
    /// Argo CD: makes Applications.
    ApplicationSet,
    /// Flux: what is in a repository, put into the cluster.
    Kustomization,
    /// Flux: a Helm chart, kept installed.
    HelmRelease,
    /// Makes Jobs.
    CronJob,
}

/// What is frozen by a field of its own, and by no step but this: group, versions, resource.
pub(crate) fn freezable() -> impl Iterator<Item = (&'static str, &'static [&'static str], String)> {
    Sort::NAMED.into_iter().map(|sort| (sort.group(), sort.versions(), sort.plural()))
}

impl Sort {
    /// All that a name may be typed of. What is typed as a CronJob is a workload.
    const NAMED: [Self; 4] = [Self::Application, Self::ApplicationSet, Self::Kustomization, Self::HelmRelease];

    /// As it is typed.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::ApplicationSet => "applicationset",
            Self::Kustomization => "kustomization",
            Self::HelmRelease => "helmrelease",
            Self::CronJob => "cronjob",
        }
    }

    /// As its own CRD has it shorter.
    fn short(self) -> &'static str {
        match self {
            Self::Application => "app",
            Self::ApplicationSet => "appset",
            Self::Kustomization => "ks",
            Self::HelmRelease => "hr",
            Self::CronJob => "cj",
        }
    }

    fn group(self) -> &'static str {
        match self {
            Self::Application | Self::ApplicationSet => "argoproj.io",
            Self::Kustomization => "kustomize.toolkit.fluxcd.io",
            Self::HelmRelease => "helm.toolkit.fluxcd.io",
            Self::CronJob => "batch",
        }
    }

    /// The resource, as it stands in paths.
    pub(super) fn plural(self) -> String {
        format!("{}s", self.word())
    }

    /// The versions that are asked for, one after the other, until one is served.
    pub(super) fn versions(self) -> &'static [&'static str] {
        match self {
            Self::Application | Self::ApplicationSet => &["v1alpha1"],
            Self::Kustomization => &["v1", "v1beta2"],
            Self::HelmRelease => &["v2", "v2beta2", "v2beta1"],
            Self::CronJob => &["v1"],
        }
    }

    /// Whose it is.
    pub(super) fn whose(self) -> &'static str {
        match self {
            Self::Application | Self::ApplicationSet => "Argo CD",
            Self::Kustomization | Self::HelmRelease => "Flux",
            Self::CronJob => "Kubernetes",
        }
    }

    /// The fields of which a mark may say what was there.
    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Application => &[AUTOMATED],
            Self::ApplicationSet => &[APPLICATIONS_SYNC, SYNC_POLICY],
            Self::Kustomization | Self::HelmRelease | Self::CronJob => &[SUSPEND],
        }
    }

    /// An object of this kind. Names come from labels, which anybody may have written: what is none is refused.
    fn at(self, version: &str, namespace: &str, name: &str) -> Result<ObjectRef, String> {
        ObjectRef::parse(&format!("{}/{version}/{}/{namespace}/{name}", self.group(), self.plural()), None)
    }
}

/// One of them by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Named {
    pub(super) sort: Sort,
    pub(super) namespace: String,
    pub(super) name: String,
    /// The only version that is asked for, where somebody said one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

impl Named {
    fn new(sort: Sort, namespace: &str, name: &str) -> Self {
        Self { sort, namespace: namespace.to_owned(), name: name.to_owned(), version: None }
    }

    /// Reads `application/NAMESPACE/NAME` and the like; `None`: it is the name of something else.
    fn parse(typed: &str, namespace: Option<&str>, argocd: &str) -> Option<Result<Self, String>> {
        let parts: Vec<&str> = typed.split('/').collect();
        if let [group, version, plural, ..] = parts.as_slice()
            && let Some(sort) = Sort::NAMED.into_iter().find(|it| it.group() == *group && it.plural() == *plural)
        {
            let read = ObjectRef::parse(typed, namespace).and_then(|at| {
                let namespace = at.namespace.ok_or(format!("{typed:?} needs a namespace"))?;
                Ok(Self { version: Some((*version).to_owned()), ..Self::new(sort, &namespace, &at.name) })
            });
            return Some(read);
        }
        let word = parts.first()?.to_ascii_lowercase();
        let (word, group) = word.split_once('.').map_or((word.as_str(), None), |(word, group)| (word, Some(group)));
        let is = |sort: &Sort| {
            (word == sort.word() || word == sort.plural() || word == sort.short())
                && group.is_none_or(|group| group == sort.group())
        };
        let sort = Sort::NAMED.into_iter().find(is)?;
        let of_argocd = sort.whose() == "Argo CD";
        let named = match (parts.as_slice(), namespace) {
            ([_, inside, name], None) => Ok((*inside, *name)),
            ([_, inside, name], Some(beside)) if *inside == beside => Ok((*inside, *name)),
            ([_, inside, _], Some(beside)) => {
                Err(format!("{typed:?} is in namespace {inside:?}, but namespace says {beside:?}"))
            }
            ([_, name], Some(beside)) => Ok((beside, *name)),
            ([_, name], None) if of_argocd => Ok((argocd, *name)),
            ([_, name], None) => Err(format!("{typed:?} needs a namespace: write {}/NAMESPACE/{name}", sort.word())),
            _ => Err(format!("{typed:?} is no name: expected {}/NAMESPACE/NAME", sort.word())),
        };
        Some(named.and_then(|(namespace, name)| {
            sort.at(sort.versions()[0], namespace, name)?;
            Ok(Self::new(sort, namespace, name))
        }))
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.sort.word(), self.namespace, self.name)
    }
}

/// What is looked at first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Which {
    /// Something that is put back.
    Object(ObjectRef),
    /// What puts something back.
    Named(Named),
}

/// One of them as it was seen.
#[derive(Debug, Clone)]
pub(super) struct Automation {
    pub(super) named: Named,
    pub(super) at: ObjectRef,
    pub(super) object: Value,
}

/// What a mark says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    run: String,
    /// The field that was changed, and what was there.
    before: Option<(String, Value)>,
}

impl Automation {
    /// Which change of a step is about it.
    pub(super) fn key(&self) -> String {
        self.named.to_string()
    }

    fn field(&self, pointer: &str) -> &Value {
        self.object.pointer(pointer).unwrap_or(&Value::Null)
    }

    fn annotation(&self, name: &str) -> &str {
        self.object["metadata"]["annotations"][name].as_str().unwrap_or_default()
    }

    /// The edit that tells its controller to leave things alone; `None`: it does already.
    pub(super) fn rest(&self) -> Option<Edit> {
        let edit = |field: &str, after: Value| {
            Some(Edit { field: field.into(), beside: None, before: self.field(field).clone(), after })
        };
        match self.named.sort {
            // The annotation is younger, and where it is set nothing at all is done.
            Sort::Application if self.annotation("argocd.argoproj.io/skip-reconcile") == "true" => None,
            Sort::Application => match self.field(AUTOMATED) {
                Value::Object(automated) if automated.get("enabled") != Some(&json!(false)) => {
                    edit(AUTOMATED, Value::Null)
                }
                _ => None,
            },
            Sort::ApplicationSet if matches!(text(&self.object, APPLICATIONS_SYNC), CREATE_ONLY | "create-delete") => {
                None
            }
            Sort::ApplicationSet if self.field(SYNC_POLICY).is_object() => edit(APPLICATIONS_SYNC, json!(CREATE_ONLY)),
            Sort::ApplicationSet => edit(SYNC_POLICY, json!({"applicationsSync": CREATE_ONLY})),
            Sort::Kustomization | Sort::HelmRelease | Sort::CronJob if *self.field(SUSPEND) == json!(true) => None,
            Sort::Kustomization | Sort::HelmRelease | Sort::CronJob => edit(SUSPEND, json!(true)),
        }
    }

    /// What goes on for a while although it is told to leave things alone.
    pub(super) fn under_way(&self) -> Option<String> {
        let under_way = match self.named.sort {
            Sort::Application => {
                text(&self.object, "/status/operationState/phase") == "Running" || self.object["operation"].is_object()
            }
            Sort::Kustomization | Sort::HelmRelease => {
                let all = self.field("/status/conditions").as_array().into_iter().flatten();
                let mut all = all.filter(|one| one["type"] == "Reconciling" && one["status"] == "True");
                all.any(|one| text(one, "/reason") == "Progressing")
            }
            Sort::ApplicationSet | Sort::CronJob => false,
        };
        let stop = match self.named.sort {
            Sort::Application => format!(", with its retries (argocd app terminate-op {} ends it)", self.named.name),
            _ => String::new(),
        };
        under_way.then(|| {
            format!("{}: a sync is under way; it goes on to its end{stop}, and may put back once more", self.named)
        })
    }

    fn mark(&self) -> Option<Mark> {
        let said = Some(marking::marked_by(&self.object, MARK)).filter(|said| !said.is_empty())?;
        let (run, before) = said.split_once(' ').unwrap_or((said, ""));
        let before: Value = serde_json::from_str(before).unwrap_or_default();
        let known = |(field, value): (&String, &Value)| {
            self.named.sort.fields().contains(&field.as_str()).then(|| (field.clone(), value.clone()))
        };
        Some(Mark { run: run.to_owned(), before: before.as_object().and_then(|map| map.iter().find_map(known)) })
    }

    /// The run that froze it, if one of ours did.
    pub(super) fn frozen_by(&self) -> Option<String> {
        self.mark().map(|mark| mark.run)
    }

    /// The change that freezes it by this edit.
    pub(super) fn freeze(&self, edit: &Edit, (run, operator): (&str, &str), deadline_secs: u64) -> Change {
        let edits = std::slice::from_ref(edit);
        // What was there before the run came is what counts, however often it is set going again meanwhile.
        let said = Some(marking::marked_by(&self.object, MARK)).filter(|_| self.frozen_by().as_deref() == Some(run));
        let mark = said.map_or_else(|| format!("{run} {}", json!({ &edit.field: edit.before })), str::to_owned);
        let patches = marking::patches(&self.object, edits, MARK, &marking::signed(&mark, operator));
        let because = format!("{} is to leave what it manages alone", self.named);
        self.change(edits, patches, because, deadline_secs)
    }

    /// The change that gives back what was there before somebody froze it; `Err`: why that is not known.
    pub(super) fn thaw(&self, deadline_secs: u64) -> Option<Result<Change, String>> {
        let mark = self.mark()?;
        let Some((field, before)) = mark.before else {
            return Some(Err(format!("its mark {MARK} does not say what was there before")));
        };
        let now = self.field(&field);
        let frozen = match field.as_str() {
            AUTOMATED => Value::Null,
            APPLICATIONS_SYNC => json!(CREATE_ONLY),
            SYNC_POLICY => json!({"applicationsSync": CREATE_ONLY}),
            _ => json!(true),
        };
        // What somebody has set since then stands: only the mark is left to take away.
        let ours = (*now == frozen).then(|| Edit { field, beside: None, before: now.clone(), after: before });
        let because = match ours {
            Some(_) => format!("{} is to work again as before run {} froze it", self.named, mark.run),
            None => format!("{} was set anew since run {} froze it: only its mark is left", self.named, mark.run),
        };
        let edits = marking::unmarking(&self.object, ours.as_slice(), MARK);
        let patches = marking::exchanged(&self.object, &edits);
        Some(Ok(self.change(&edits, patches, because, deadline_secs)))
    }

    fn change(&self, edits: &[Edit], patches: (Value, Value), because: String, deadline_secs: u64) -> Change {
        let (there, back) = patches;
        let holds = marking::as_before(&self.at, edits);
        let inverse = Inverse::By(Box::new(Op::Kube(marking::patching(&self.at, back, Some(holds)))));
        let fields: Vec<String> =
            edits.iter().map(|edit| format!(", and {} is still {}", edit.field, edit.before)).collect();
        let by_hand = format!(
            "kubectl patch {} {} -n {} --type=json -p {}",
            self.at.resource(),
            self.at.name,
            self.named.namespace,
            shell::word(&there.to_string())
        );
        Change {
            key: self.key(),
            note: None,
            guard: format!("{} still has uid {}{}", self.named, text(&self.object, "/metadata/uid"), fields.concat()),
            op: Op::Kube(marking::patching(&self.at, there, None)),
            inverse,
            because,
            by_hand,
            deadline_secs,
            keep: Keep::Nothing,
        }
    }
}

/// What came of the changes whose outcome is not known: made, where an object is as this run leaves it.
pub(super) fn settled(
    look: Look<'_>,
    mut survey: Survey,
    seen: &[Automation],
    ours: impl Fn(&Automation) -> bool,
) -> Survey {
    for record in &look.history.changes {
        let ChangeRecord { id, change, .. } = record;
        let wanted = survey.changes.iter().any(|other| other.key == change.key);
        let made = seen.iter().any(|one| one.key() == change.key && ours(one));
        if record.state.is_open() && !wanted && !made {
            survey.not_made.push(*id);
        }
        if made && !wanted {
            survey.arrived.extend(look.history.missed(&change.key).filter(|missed| missed == id));
        }
    }
    survey
}

#[cfg(test)]
mod tests;

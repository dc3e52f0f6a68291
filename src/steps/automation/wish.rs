//! What is to be frozen or thawed, as it is typed, and what may be sent for it.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::walk::{first_page, next_pages};
use super::{MOST, Named, Sort, Which};
use crate::change::Op;
use crate::duration::HumanDuration;
use crate::steps::marking::{self, Edit};
use crate::steps::{Announced, Fault, ObjectRef, Times, kube_object};

/// Stands in the plan for what only a look can know.
const SOME: &str = "<applications, applicationsets, kustomizations, helmreleases or cronjobs>";

/// Whose automation.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::steps) struct Params {
    /// The workload, `ds/NAMESPACE/NAME` and the like: what puts it back is found from its own labels, annotations and owner, and
    /// so on upwards. Or that itself: `application/NAMESPACE/NAME`, `applicationset/…`, `kustomization/…` or `helmrelease/…`.
    #[serde(default)]
    object: Option<String>,
    /// Its namespace, when the name does not say it.
    #[serde(default)]
    namespace: Option<String>,
    /// In place of `object`: all Applications of Argo CD, or all Kustomizations and HelmReleases of Flux, in the cluster.
    #[serde(default)]
    all: Option<All>,
    /// With `all`: when more objects than this would be changed, nothing is.
    #[serde(default = "at_most")]
    pub(in crate::steps) at_most: u32,
    /// The namespace of Argo CD: where an Application is looked for that is named without one.
    #[serde(default = "argocd")]
    pub(in crate::steps) argocd_namespace: String,
    /// How long each request that looks may take.
    #[serde(default = "kube_object::look_within")]
    pub(in crate::steps) look_within: HumanDuration,
    /// How long each PATCH may stay unanswered, all attempts together, before the outcome is looked at.
    #[serde(default = "kube_object::write_deadline")]
    pub(in crate::steps) deadline: HumanDuration,
}

/// All that one maker's controllers act by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum All {
    /// Applications, and the ApplicationSets that make them.
    ArgoCd,
    /// Kustomizations and HelmReleases.
    Flux,
}

fn at_most() -> u32 {
    200
}

fn argocd() -> String {
    "argocd".into()
}

/// What is wished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::steps) enum Wish {
    /// What puts one object back.
    Of(Which),
    /// Everything of these kinds.
    All(&'static [Sort]),
}

impl Wish {
    /// Reads the parameters.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub(in crate::steps) fn read(with: &Params) -> Result<Self, Vec<Fault>> {
        let mut faults: Vec<Fault> = kube_object::too_short(with.deadline).into_iter().collect();
        let argocd = &with.argocd_namespace;
        if Sort::Application.at("v1alpha1", argocd, "x").is_err() {
            faults.push(Fault::at("argocdNamespace", format!("{argocd:?} is no namespace")));
        }
        if with.at_most == 0 {
            faults.push(Fault::at("atMost", "it must be at least 1"));
        }
        let wish = match (&with.object, with.all) {
            (Some(_), Some(_)) => Err(Fault::at("all", "`object` and `all` exclude each other")),
            (None, None) => Err(Fault::at("object", "say what is put back, or what puts it back, or `all`")),
            (None, Some(_)) if with.namespace.is_some() => {
                Err(Fault::at("namespace", "`all` is all of the cluster, in every namespace"))
            }
            (None, Some(All::ArgoCd)) => Ok(Self::All(&[Sort::ApplicationSet, Sort::Application])),
            (None, Some(All::Flux)) => Ok(Self::All(&[Sort::Kustomization, Sort::HelmRelease])),
            (Some(typed), None) => match Named::parse(typed, with.namespace.as_deref(), argocd) {
                Some(named) => named.map(|named| Self::Of(Which::Named(named))),
                None => {
                    ObjectRef::parse(typed, with.namespace.as_deref()).map(|object| Self::Of(Which::Object(object)))
                }
            }
            .map_err(|why| Fault::at("object", why)),
        };
        match wish {
            Ok(wish) if faults.is_empty() => Ok(wish),
            wish => Err(wish.err().into_iter().chain(faults).collect()),
        }
    }

    /// What it is about, in words.
    pub(in crate::steps) fn what(&self) -> String {
        match self {
            Self::Of(Which::Object(at)) => format!("what puts {at} back"),
            Self::Of(Which::Named(named)) => named.to_string(),
            Self::All(sorts) => {
                let all: Vec<String> = sorts.iter().map(|sort| format!("{}s", sort.word())).collect();
                format!("all {} of {}", all.join(" and "), sorts[0].whose())
            }
        }
    }
}

/// The looks that may be sent, the first ones and those after.
pub(in crate::steps) fn looks(wish: &Wish) -> Vec<Announced> {
    let mut all = Vec::new();
    match wish {
        Wish::Of(Which::Object(at)) => {
            all.push(Announced::get(
                at.path(),
                Times::AtMost(3),
                "what it says of who puts it back; anew only after a kill",
            ));
            all.push(one_of_them());
        }
        Wish::Of(Which::Named(_)) => all.push(one_of_them()),
        Wish::All(sorts) => {
            for sort in *sorts {
                let version = match sort.versions() {
                    [one] => (*one).to_owned(),
                    several => format!("<{}, whichever is served>", several.join(" or ")),
                };
                let why = "finds them, and sees after the changes what came of them";
                all.push(Announced::get(first_page(*sort, &version), Times::AtMost(LOOKS + 2), why));
                let (next, pages) = next_pages(*sort, &version);
                all.push(Announced::get(next, Times::AtMost(LOOKS * pages), "the next page, when there are more"));
            }
        }
    }
    all
}

/// How often all of it is looked at: before, after, once more a while later, and where something was set going again.
const LOOKS: u32 = 5;

fn one_of_them() -> Announced {
    let path = format!("/apis/<its group and version>/namespaces/<its namespace>/{SOME}/<its name>");
    let why = "each that puts it back, up to the topmost: what it says, and after the changes what came of them";
    Announced::get(path, Times::AtMost(LOOKS * MOST), why)
}

/// The patch that may be sent to each, with placeholders.
pub(in crate::steps) fn patch(wish: &Wish, with: &Params, ops: Value, why: &str) -> Announced {
    let at = ObjectRef {
        group: "<its group>".into(),
        version: "<its version>".into(),
        plural: SOME.into(),
        namespace: Some("<its namespace>".into()),
        name: "<its name>".into(),
    };
    let most = match wish {
        Wish::Of(_) => MOST,
        Wish::All(_) => with.at_most,
    };
    Announced::op(Op::Kube(marking::patching(&at, ops, None)), Times::AtMost(most), why)
}

/// The patch that freezes.
pub(in crate::steps) fn freezing() -> Value {
    let edit = Edit {
        field: "</spec/syncPolicy/automated, /spec/syncPolicy/applicationsSync or /spec/suspend>".into(),
        beside: None,
        before: json!("<as seen>"),
        after: json!("<what tells its controller to leave things alone>"),
    };
    let mut ops = marking::announced(&[edit]);
    // An Application loses a field by it, the others get one.
    ops[2] = json!({"op": "<remove, or add>", "path": ops[2]["path"], "<value>": ops[2]["value"]});
    ops
}

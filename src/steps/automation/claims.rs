//! Who puts an object back, as far as its own metadata tells.

use serde_json::Value;

use super::{Named, Sort};
use crate::steps::ObjectRef;
use crate::steps::kube_object::text;

/// Label or annotation, who leaves it there, and whether he comes back to look.
const MARKS: [(&str, &str); 10] = [
    ("argocd.argoproj.io/tracking-id", "Argo CD"),
    ("argocd.argoproj.io/instance", "Argo CD"),
    ("kustomize.toolkit.fluxcd.io/name", "Flux"),
    ("helm.toolkit.fluxcd.io/name", "Flux"),
    ("meta.helm.sh/release-name", "Helm"),
    ("olm.owner", "the Operator Lifecycle Manager"),
    ("addonmanager.kubernetes.io/mode", "the addon manager"),
    ("objectset.rio.cattle.io/owner-name", "the deploy controller of k3s or RKE2"),
    ("fleet.cattle.io/bundle-id", "Fleet"),
    (MANAGED_BY, ""),
];

/// Those of them that put objects back and have no object here by which they are told to stop.
const AT_WORK: [&str; 4] =
    ["olm.owner", "addonmanager.kubernetes.io/mode", "objectset.rio.cattle.io/owner-name", "fleet.cattle.io/bundle-id"];

const TRACKING: &str = "argocd.argoproj.io/tracking-id";
const INSTANCE: &str = "argocd.argoproj.io/instance";
/// The same in older installations, and a label of nearly every chart: it says little.
const ANY_INSTANCE: &str = "app.kubernetes.io/instance";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const RELEASE: &str = "meta.helm.sh/release-name";

/// How many of those who have written to an object are told.
const WRITERS: usize = 4;

/// Something that is said to put an object back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) named: Named,
    /// What says so.
    pub(super) by: String,
    /// Nothing else would say so.
    pub(super) certain: bool,
}

/// All that an object says of who puts it back.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// What can be told to stop.
    pub(super) followed: Vec<Claim>,
    /// What puts it back and cannot be told to stop from here: who, and what to type.
    pub(super) held: Vec<(String, String)>,
    /// What else it says.
    pub(super) notes: Vec<String>,
}

/// A label or an annotation.
fn said<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    let metadata = &object["metadata"];
    metadata["labels"][key].as_str().or_else(|| metadata["annotations"][key].as_str()).filter(|said| !said.is_empty())
}

/// Who owns or manages an object, in words.
pub(in crate::steps) fn owners(object: &Value) -> Vec<String> {
    let references = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    let mut owners: Vec<String> =
        references.map(|reference| format!("{} {}", text(reference, "/kind"), text(reference, "/name"))).collect();
    for (key, who) in MARKS {
        let Some(value) = said(object, key) else { continue };
        let who = if who.is_empty() { value } else { who };
        if !owners.iter().any(|owner| owner.starts_with(who)) {
            owners.push(format!("{who} ({key}={value})"));
        }
    }
    owners
}

/// The warning that goes with `owners`, for whoever is about to change or delete an object.
pub(in crate::steps) fn comes_back(at: &ObjectRef, object: &Value) -> Option<String> {
    let owners = owners(object);
    let who = owners.join(", ");
    let followed = [TRACKING, INSTANCE, "kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name"];
    let is_followed = followed.iter().any(|key| said(object, key).is_some());
    let next = if is_followed { format!(": breakglass freeze-automation {at}") } else { String::new() };
    (!owners.is_empty()).then(|| format!("{at} belongs to {who}: it may be put back; stop that first{next}"))
}

/// What an object says of who puts it back. `argocd`: the namespace of Argo CD.
pub(super) fn read(at: &ObjectRef, object: &Value, argocd: &str) -> Claims {
    let mut claims = Claims::default();
    claims.of_its_controller(at, object);
    claims.of_argocd(at, object, argocd);
    claims.of_flux(object);
    if let Some(release) = said(object, RELEASE) {
        claims.notes.push(format!(
            "the Helm release {release} installed {at}: nothing of Helm runs that would put it back before the next `helm upgrade`"
        ));
    }
    for (key, who) in MARKS.iter().filter(|(key, _)| AT_WORK.contains(key)) {
        if let Some(value) = said(object, key) {
            let next = format!(
                "kubectl get {} {}{} -o yaml; or keep it away: breakglass refuse-return {at}",
                at.resource(),
                at.name,
                in_namespace(at)
            );
            claims.held.push((format!("{who} ({key}={value})"), next));
        }
    }
    if claims.followed.is_empty() && claims.held.is_empty() {
        let manager = said(object, MANAGED_BY).filter(|_| said(object, RELEASE).is_none());
        claims.notes.extend(manager.map(|who| format!("{at} says that {who} manages it ({MANAGED_BY})")));
        claims.notes.extend(writers(at, object));
    }
    claims
}

/// Who has written to an object, the latest first: all that is left to go by where nothing else tells of somebody.
fn writers(at: &ObjectRef, object: &Value) -> Option<String> {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    // Its status, and its scale, are written by who carries it out.
    let mut entries: Vec<_> = entries
        .filter(|entry| text(entry, "/subresource").is_empty())
        .map(|entry| (text(entry, "/time"), text(entry, "/manager")))
        .filter(|(_, manager)| !manager.is_empty())
        .collect();
    entries.sort_unstable();
    let said: Vec<String> =
        entries.iter().rev().take(WRITERS).map(|(time, manager)| format!("{manager} ({time})")).collect();
    let by = said.join(", ");
    (!said.is_empty()).then(|| {
        format!(
            "{at} was written by {by}: what of it comes by itself may put it back; whoever it is: breakglass refuse-return \
             {at}"
        )
    })
}

fn in_namespace(at: &ObjectRef) -> String {
    at.namespace.as_ref().map(|namespace| format!(" -n {namespace}")).unwrap_or_default()
}

impl Claims {
    fn claim(&mut self, sort: Sort, (namespace, name): (&str, &str), by: String, certain: bool) {
        match sort.at(sort.versions()[0], namespace, name) {
            Ok(_) => self.followed.push(Claim { named: Named::new(sort, namespace, name), by, certain }),
            Err(why) => self.notes.push(format!("{by} names nothing that could be there: {why}")),
        }
    }

    /// The one owner that makes it again.
    fn of_its_controller(&mut self, at: &ObjectRef, object: &Value) {
        let references = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
        let Some(owner) = references.into_iter().find(|reference| reference["controller"] == true) else { return };
        let (kind, name, api) = (text(owner, "/kind"), text(owner, "/name"), text(owner, "/apiVersion"));
        let (group, version) = api.split_once('/').unwrap_or(("", api));
        let namespace = at.namespace.as_deref().unwrap_or_default();
        let by = format!("its owner, {kind} {name}");
        match (group, kind) {
            ("argoproj.io", "ApplicationSet") => self.claim(Sort::ApplicationSet, (namespace, name), by, true),
            ("batch", "CronJob") => self.claim(Sort::CronJob, (namespace, name), by, true),
            ("apps", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet") | ("batch", "Job") => {
                let owner = format!("{}/{namespace}/{name}", kind.to_ascii_lowercase());
                self.held.push((by, format!("breakglass freeze-automation {owner}")));
            }
            _ => {
                let resource = [kind, version, group].into_iter().filter(|word| !word.is_empty());
                let resource = resource.collect::<Vec<_>>().join(".");
                let next = format!(
                    "kubectl get {resource} {name}{} -o yaml says what its operator is told; where nothing there stops it, stop \
                     the operator itself: breakglass park deploy/NAMESPACE/NAME; or keep it away: breakglass refuse-return {at}",
                    in_namespace(at)
                );
                self.held.push((format!("{by} ({api}), by its operator"), next));
            }
        }
    }

    fn of_argocd(&mut self, at: &ObjectRef, object: &Value, argocd: &str) {
        // An Application in another namespace than Argo CD's is called NAMESPACE_NAME.
        let place = |instance: &str| {
            let (namespace, name) = instance.split_once('_').unwrap_or((argocd, instance));
            (namespace.to_owned(), name.to_owned())
        };
        if let Some(id) = said(object, TRACKING) {
            let by = format!("{TRACKING}={id}");
            let parts: Vec<&str> = id.splitn(3, ':').collect();
            let [instance, resource, object_name] = parts.as_slice() else {
                return self.notes.push(format!("{by} is not as Argo CD writes it"));
            };
            if !is_about(at, object, resource, object_name) {
                return self
                    .notes
                    .push(format!("{by} is about another object: {at} is a copy, which Argo CD leaves alone"));
            }
            let (namespace, name) = place(instance);
            return self.claim(Sort::Application, (&namespace, &name), by, true);
        }
        let flux =
            ["kustomize", "helm"].iter().any(|of| said(object, &format!("{of}.toolkit.fluxcd.io/name")).is_some());
        let by_chart = said(object, RELEASE).is_some() || flux;
        let instance = said(object, INSTANCE).map(|instance| (INSTANCE, instance, true));
        let any = said(object, ANY_INSTANCE).map(|instance| (ANY_INSTANCE, instance, false)).filter(|_| !by_chart);
        if let Some((key, instance, certain)) = instance.or(any) {
            let (namespace, name) = place(instance);
            self.claim(Sort::Application, (&namespace, &name), format!("{key}={instance}"), certain);
        }
    }

    fn of_flux(&mut self, object: &Value) {
        for (sort, of) in [(Sort::HelmRelease, "helm"), (Sort::Kustomization, "kustomize")] {
            let [name, namespace] =
                ["name", "namespace"].map(|word| said(object, &format!("{of}.toolkit.fluxcd.io/{word}")));
            if let (Some(name), Some(namespace)) = (name, namespace) {
                self.claim(sort, (namespace, name), format!("{of}.toolkit.fluxcd.io/name={name}"), true);
            }
        }
    }
}

/// Whether the rest of a tracking id is about the object that has it.
fn is_about(at: &ObjectRef, object: &Value, resource: &str, name: &str) -> bool {
    let (group, kind) = resource.split_once('/').unwrap_or_default();
    let (namespace, name) = name.split_once('/').unwrap_or_default();
    let kind_of = text(object, "/kind");
    group == at.group
        && (kind_of.is_empty() || kind == kind_of)
        && name == at.name
        // What has no namespace is tracked with the one that its Application goes to.
        && at.namespace.as_deref().is_none_or(|inside| inside == namespace)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn workload() -> ObjectRef {
        ObjectRef::parse("ds/telemetry/agent", None).unwrap()
    }

    fn claims(metadata: &Value) -> Claims {
        read(&workload(), &json!({"kind": "DaemonSet", "metadata": metadata}), "argocd")
    }

    fn followed(metadata: &Value) -> Vec<(String, bool)> {
        claims(metadata).followed.into_iter().map(|claim| (claim.named.to_string(), claim.certain)).collect()
    }

    #[test]
    fn who_puts_an_object_back_is_read_from_its_metadata() {
        let object = json!({"metadata": {
            "labels": {"app.kubernetes.io/managed-by": "Helm", "argocd.argoproj.io/instance": "edge"},
            "annotations": {"meta.helm.sh/release-name": "agent"},
            "ownerReferences": [{"kind": "Operator", "name": "telemetry"}],
        }});
        assert_eq!(
            owners(&object),
            [
                "Operator telemetry",
                "Argo CD (argocd.argoproj.io/instance=edge)",
                "Helm (meta.helm.sh/release-name=agent)"
            ]
        );
        assert!(owners(&json!({"metadata": {"labels": {"app": "x"}}})).is_empty());
    }

    #[test]
    fn an_application_is_named_by_a_tracking_id_of_the_object_itself() {
        let tracked = |id: &str| json!({"annotations": {"argocd.argoproj.io/tracking-id": id}});
        let of = |id: &str| followed(&tracked(id));
        let certain = |name: &str| vec![(name.to_owned(), true)];
        assert_eq!(of("edge:apps/DaemonSet:telemetry/agent"), certain("application/argocd/edge"));
        assert_eq!(of("team-a_edge:apps/DaemonSet:telemetry/agent"), certain("application/team-a/edge"));
        for copy in ["edge:apps/DaemonSet:other/agent", "edge:apps/Deployment:telemetry/agent", "edge:apps/DaemonSet"] {
            assert_eq!(of(copy), [], "{copy}");
            assert_eq!(claims(&tracked(copy)).notes.len(), 1, "{copy}");
        }
        // What a path could not hold is no name.
        let hostile = claims(&tracked("../../x_y?z:apps/DaemonSet:telemetry/agent"));
        assert!(hostile.followed.is_empty() && hostile.notes[0].contains("names nothing"), "{hostile:?}");
    }

    #[test]
    fn a_label_of_any_chart_is_no_proof_and_one_of_helm_itself_says_that_it_is_none() {
        let label = |key: &str| json!({"labels": {key: "edge"}});
        assert_eq!(followed(&label("argocd.argoproj.io/instance")), [("application/argocd/edge".to_owned(), true)]);
        assert_eq!(followed(&label("app.kubernetes.io/instance")), [("application/argocd/edge".to_owned(), false)]);
        let helm = json!({"labels": {"app.kubernetes.io/instance": "edge"}, "annotations": {"meta.helm.sh/release-name": "edge"}});
        assert_eq!(followed(&helm), []);
        assert!(claims(&helm).notes[0].contains("nothing of Helm runs"));
    }

    #[test]
    fn flux_names_both_a_release_and_a_kustomization() {
        let label = |of: &str| json!({"labels": {format!("{of}.toolkit.fluxcd.io/name"): "agent", format!("{of}.toolkit.fluxcd.io/namespace"): "flux-system"}});
        assert_eq!(followed(&label("helm")), [("helmrelease/flux-system/agent".to_owned(), true)]);
        assert_eq!(followed(&label("kustomize")), [("kustomization/flux-system/agent".to_owned(), true)]);
    }

    #[test]
    fn of_its_owners_only_the_one_that_makes_it_again_counts() {
        let owned = |api: &str, kind: &str, controller: bool| json!({"ownerReferences": [{"apiVersion": api, "kind": kind, "name": "x", "controller": controller}]});
        assert_eq!(followed(&owned("batch/v1", "CronJob", true)), [("cronjob/telemetry/x".to_owned(), true)]);
        let held = |api: &str, kind: &str, controller: bool| claims(&owned(api, kind, controller)).held;
        assert_eq!(held("apps/v1", "Deployment", true)[0].1, "breakglass freeze-automation deployment/telemetry/x");
        let (who, next) = held("example.com/v1beta1", "Telemetry", true).remove(0);
        assert!(who.contains("Telemetry x (example.com/v1beta1)"), "{who}");
        assert!(next.starts_with("kubectl get Telemetry.v1beta1.example.com x -n telemetry"), "{next}");
        assert!(held("example.com/v1beta1", "Telemetry", false).is_empty());
    }

    #[test]
    fn of_an_object_without_a_mark_it_is_told_who_has_written_to_it() {
        let entry = |manager: &str, time: &str, subresource: &str| json!({"manager": manager, "time": time, "subresource": subresource});
        let fields = json!([
            entry("acme-operator", "2026-01-02T00:00:00Z", ""),
            entry("kubectl-create", "2026-01-01T00:00:00Z", ""),
            entry("kube-controller-manager", "2026-01-03T00:00:00Z", "status"),
            entry("", "2026-01-03T00:00:00Z", "")
        ]);
        let notes = claims(&json!({ "managedFields": fields })).notes;
        let wanted = "was written by acme-operator (2026-01-02T00:00:00Z), kubectl-create (2026-01-01T00:00:00Z): ";
        assert!(notes.len() == 1 && notes[0].contains(wanted), "{notes:?}");
        // Where a mark says it nobody has to guess.
        let labels = json!({"argocd.argoproj.io/instance": "edge"});
        assert!(claims(&json!({"labels": labels, "managedFields": fields})).notes.is_empty());
    }

    #[test]
    fn what_comes_back_to_look_and_cannot_be_told_is_named() {
        for key in AT_WORK {
            let (who, next) = claims(&json!({"labels": {key: "x"}})).held.remove(0);
            assert!(
                who.contains(key) && next.starts_with("kubectl get daemonsets.apps agent -n telemetry"),
                "{who} {next}"
            );
        }
    }
}

//! Names of Kubernetes objects, and the exact path of each, without discovery.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt;

use crate::found::is_placeholder;
use crate::{shell, words};

/// One object, named exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRef {
    /// API group; empty for the core group.
    pub group: String,
    /// API version.
    pub version: String,
    /// The resource, as it stands in paths.
    pub plural: String,
    /// The namespace; `None` for what has none.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

/// A resource whose path is known without asking a server.
struct Known {
    plural: &'static str,
    group: &'static str,
    version: &'static str,
    namespaced: bool,
    /// Singular and short names, as kubectl takes them.
    aliases: &'static [&'static str],
}

const fn known(
    plural: &'static str,
    group: &'static str,
    version: &'static str,
    namespaced: bool,
    aliases: &'static [&'static str],
) -> Known {
    Known { plural, group, version, namespaced, aliases }
}

const KNOWN: &[Known] = &[
    known("pods", "", "v1", true, &["pod", "po"]),
    known("services", "", "v1", true, &["service", "svc"]),
    known("endpoints", "", "v1", true, &["ep"]),
    known("configmaps", "", "v1", true, &["configmap", "cm"]),
    known("secrets", "", "v1", true, &["secret"]),
    known("serviceaccounts", "", "v1", true, &["serviceaccount", "sa"]),
    known("persistentvolumeclaims", "", "v1", true, &["persistentvolumeclaim", "pvc"]),
    known("replicationcontrollers", "", "v1", true, &["replicationcontroller", "rc"]),
    known("events", "", "v1", true, &["event", "ev"]),
    known("podtemplates", "", "v1", true, &["podtemplate"]),
    known("resourcequotas", "", "v1", true, &["resourcequota", "quota"]),
    known("limitranges", "", "v1", true, &["limitrange", "limits"]),
    known("namespaces", "", "v1", false, &["namespace", "ns"]),
    known("nodes", "", "v1", false, &["node", "no"]),
    known("persistentvolumes", "", "v1", false, &["persistentvolume", "pv"]),
    known("daemonsets", "apps", "v1", true, &["daemonset", "ds"]),
    known("deployments", "apps", "v1", true, &["deployment", "deploy"]),
    known("statefulsets", "apps", "v1", true, &["statefulset", "sts"]),
    known("replicasets", "apps", "v1", true, &["replicaset", "rs"]),
    known("jobs", "batch", "v1", true, &["job"]),
    known("cronjobs", "batch", "v1", true, &["cronjob", "cj"]),
    known("horizontalpodautoscalers", "autoscaling", "v2", true, &["horizontalpodautoscaler", "hpa"]),
    known("poddisruptionbudgets", "policy", "v1", true, &["poddisruptionbudget", "pdb"]),
    known("networkpolicies", "networking.k8s.io", "v1", true, &["networkpolicy", "netpol"]),
    known("ingresses", "networking.k8s.io", "v1", true, &["ingress", "ing"]),
    known("ingressclasses", "networking.k8s.io", "v1", false, &["ingressclass"]),
    known("runtimeclasses", "node.k8s.io", "v1", false, &["runtimeclass"]),
    known("certificatesigningrequests", "certificates.k8s.io", "v1", false, &["certificatesigningrequest", "csr"]),
    known("leases", "coordination.k8s.io", "v1", true, &["lease"]),
    known("endpointslices", "discovery.k8s.io", "v1", true, &["endpointslice"]),
    known("roles", "rbac.authorization.k8s.io", "v1", true, &["role"]),
    known("rolebindings", "rbac.authorization.k8s.io", "v1", true, &["rolebinding"]),
    known("clusterroles", "rbac.authorization.k8s.io", "v1", false, &["clusterrole"]),
    known("clusterrolebindings", "rbac.authorization.k8s.io", "v1", false, &["clusterrolebinding"]),
    known("priorityclasses", "scheduling.k8s.io", "v1", false, &["priorityclass", "pc"]),
    known("storageclasses", "storage.k8s.io", "v1", false, &["storageclass", "sc"]),
    known("volumeattachments", "storage.k8s.io", "v1", false, &["volumeattachment"]),
    known("csinodes", "storage.k8s.io", "v1", false, &["csinode"]),
    known("csistoragecapacities", "storage.k8s.io", "v1", true, &["csistoragecapacity"]),
    known("controllerrevisions", "apps", "v1", true, &["controllerrevision"]),
    known("csidrivers", "storage.k8s.io", "v1", false, &["csidriver"]),
    known("flowschemas", "flowcontrol.apiserver.k8s.io", "v1", false, &["flowschema"]),
    known("prioritylevelconfigurations", "flowcontrol.apiserver.k8s.io", "v1", false, &["prioritylevelconfiguration"]),
    known(
        "validatingwebhookconfigurations",
        "admissionregistration.k8s.io",
        "v1",
        false,
        &["validatingwebhookconfiguration"],
    ),
    known(
        "mutatingwebhookconfigurations",
        "admissionregistration.k8s.io",
        "v1",
        false,
        &["mutatingwebhookconfiguration"],
    ),
    known("validatingadmissionpolicies", "admissionregistration.k8s.io", "v1", false, &["validatingadmissionpolicy"]),
    known(
        "validatingadmissionpolicybindings",
        "admissionregistration.k8s.io",
        "v1",
        false,
        &["validatingadmissionpolicybinding"],
    ),
    known("mutatingadmissionpolicies", "admissionregistration.k8s.io", "v1", false, &["mutatingadmissionpolicy"]),
    known(
        "mutatingadmissionpolicybindings",
        "admissionregistration.k8s.io",
        "v1",
        false,
        &["mutatingadmissionpolicybinding"],
    ),
    known("apiservices", "apiregistration.k8s.io", "v1", false, &["apiservice"]),
    known("customresourcedefinitions", "apiextensions.k8s.io", "v1", false, &["customresourcedefinition", "crd"]),
];

/// The group whose names are the freest.
const RBAC: &str = "rbac.authorization.k8s.io";

/// What an object may be called, for messages.
const FORMS: &str =
    "RESOURCE/NAMESPACE/NAME, RESOURCE/NAME for what has no namespace, or GROUP/VERSION/RESOURCE/[NAMESPACE/]NAME";

impl ObjectRef {
    /// Reads a name: `daemonsets.apps/telemetry/agent`, `ds/agent` with a namespace beside it, `ns/telemetry`, or
    /// `stable.example.com/v1/crontabs/NAMESPACE/NAME` for what is not built in.
    ///
    /// # Errors
    /// One sentence: what is wrong and what would be right.
    pub fn parse(text: &str, namespace: Option<&str>) -> Result<Self, String> {
        // Of what is found only later nobody knows the kind: in a plan it is shown as that which is on every node.
        if is_placeholder(text) {
            return Ok(Self::spelled("apps", "v1", "daemonsets", Some("<its namespace>"), text));
        }
        let parts: Vec<&str> = text.split('/').collect();
        let wrong = |part: &str| format!("{part:?} in {text:?} cannot be part of an exact name; expected {FORMS}");
        let Some((name, before)) = parts.split_last() else { return Err(wrong(text)) };
        if let Some(part) = before.iter().chain(namespace.iter()).find(|part| !word(part)) {
            return Err(wrong(part));
        }
        // What RBAC binds may be called anything that a path can hold.
        let rbac =
            before.first().is_some_and(|first| *first == RBAC || lookup(first).is_ok_and(|known| known.group == RBAC));
        if !(word(name) || rbac && segment_name(name)) {
            return Err(wrong(name));
        }
        match *parts.as_slice() {
            [resource, name] => Self::short(text, resource, namespace, name),
            [resource, in_name, name] => Self::short(text, resource, one(text, in_name, namespace)?, name),
            [group, version, ..] if !spelled_out(group, version) => Err(format!(
                "{text:?}: {group:?} is no API group and {version:?} no version (a part of an object, like an eviction, \
                 is no object of its own); expected {FORMS}"
            )),
            [group, version, plural, name] => Ok(Self::spelled(group, version, plural, namespace, name)),
            [group, version, plural, in_name, name] => {
                Ok(Self::spelled(group, version, plural, one(text, in_name, namespace)?, name))
            }
            _ => Err(format!("{text:?} is not an object: expected {FORMS}")),
        }
    }

    fn spelled(group: &str, version: &str, plural: &str, namespace: Option<&str>, name: &str) -> Self {
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            plural: plural.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        }
    }

    /// By a word that is built in, or by `RESOURCE.VERSION.GROUP`, which says all that discovery would be asked for, but whether
    /// its objects have a namespace.
    fn short(text: &str, resource: &str, namespace: Option<&str>, name: &str) -> Result<Self, String> {
        if let Some((plural, version, group)) = fully(resource) {
            return Ok(Self::spelled(group, version, plural, namespace, name));
        }
        let known = lookup(resource)?;
        match (known.namespaced, namespace) {
            (true, None) => Err(format!("{text:?} needs a namespace: write {}/NAMESPACE/{name}", known.plural)),
            (false, Some(_)) => Err(format!("{text:?}: {} have no namespace: write {resource}/{name}", known.plural)),
            _ => Ok(Self::spelled(known.group, known.version, known.plural, namespace, name)),
        }
    }

    /// The path of the list it is in: where it would be created.
    pub fn collection(&self) -> String {
        let base = if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        };
        match &self.namespace {
            Some(namespace) => format!("{base}/namespaces/{namespace}/{}", self.plural),
            None => format!("{base}/{}", self.plural),
        }
    }

    /// The path of the object itself.
    pub fn path(&self) -> String {
        format!("{}/{}", self.collection(), segment(&self.name))
    }

    /// As it can be typed again without a look at what servers serve; a word of a shell.
    pub fn typed(&self) -> String {
        let built_in = KNOWN
            .iter()
            .any(|known| (known.plural, known.group, known.version) == (&*self.plural, &*self.group, &*self.version));
        let text = match &self.namespace {
            _ if built_in => self.to_string(),
            Some(namespace) => format!("{}/{}/{}/{namespace}/{}", self.group, self.version, self.plural, self.name),
            None => format!("{}/{}/{}/{}", self.group, self.version, self.plural, self.name),
        };
        shell::word(&text)
    }

    /// `RESOURCE.GROUP`, as kubectl writes it.
    pub fn resource(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{}/{namespace}/{}", self.resource(), self.name),
            None => write!(f, "{}/{}", self.resource(), self.name),
        }
    }
}

/// The namespace in the name, when it does not contradict the one beside it.
fn one<'a>(text: &str, inside: &'a str, beside: Option<&str>) -> Result<Option<&'a str>, String> {
    match beside {
        Some(other) if other != inside => {
            Err(format!("{text:?} is in namespace {inside:?}, but namespace says {other:?}"))
        }
        _ => Ok(Some(inside)),
    }
}

/// A resource by its plural and its group, however kubectl would take it: `po`, `deployments`, `certificates.cert-manager.io`.
///
/// # Errors
/// One sentence: what is wrong and what would be right.
pub(super) fn resource(text: &str) -> Result<(String, String), String> {
    if let Ok(known) = lookup(text) {
        return Ok((known.plural.to_owned(), known.group.to_owned()));
    }
    let label = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    match text.split_once('.') {
        Some((plural, group)) if label(plural) && group.split('.').all(label) => {
            Ok((plural.to_owned(), group.to_owned()))
        }
        _ => {
            let words = KNOWN.iter().map(|known| known.plural);
            let near = words::nearest(text, words).map_or_else(String::new, |near| format!("; did you mean {near}?"));
            Err(format!("{text:?} is no resource that is built in{near} (others: PLURAL.GROUP)"))
        }
    }
}

/// The parts of `RESOURCE.VERSION.GROUP`, kubectl's way to name a resource fully.
fn fully(resource: &str) -> Option<(&str, &str, &str)> {
    let (plural, rest) = resource.split_once('.')?;
    let (version, group) = rest.split_once('.')?;
    (!plural.is_empty() && spelled_out(group, version)).then_some((plural, version, group))
}

fn lookup(resource: &str) -> Result<&'static Known, String> {
    let lower = resource.to_ascii_lowercase();
    let (plural, group) = lower.split_once('.').map_or((lower.as_str(), None), |(p, g)| (p, Some(g)));
    let found = KNOWN.iter().find(|known| known.plural == plural || known.aliases.contains(&plural));
    match (found, group) {
        (Some(known), None) => Ok(known),
        (Some(known), Some(group)) if known.group == group => Ok(known),
        (_, Some(group)) => Err(format!(
            "{resource:?} is not built in, and no server is asked what it serves: write {group}/VERSION/{plural}/NAMESPACE/NAME, or \
             {plural}.VERSION.{group}/NAMESPACE/NAME"
        )),
        (None, None) => {
            let words =
                KNOWN.iter().flat_map(|known| std::iter::once(known.plural).chain(known.aliases.iter().copied()));
            let near = words::nearest(&lower, words).map_or_else(String::new, |near| format!("; did you mean {near}?"));
            Err(format!(
                "{resource:?} is no resource that is built in{near} (others: GROUP/VERSION/RESOURCE/[NAMESPACE/]NAME)"
            ))
        }
    }
}

/// All but what RFC 3986 calls unreserved.
pub(super) const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A name as it stands in a path: some resources let any sign but `/` and `%` be in their names. A placeholder of a plan
/// stays whole.
fn segment(name: &str) -> String {
    const ESCAPED: &AsciiSet = &UNRESERVED.remove(b':').remove(b'@').remove(b'+');
    if name.starts_with('<') { name.to_owned() } else { utf8_percent_encode(name, ESCAPED).to_string() }
}

/// Whether the first two parts of a long name are a group and a version: a group has a dot in it, but for the few old ones,
/// and a version is `v1`, `v2beta1` or the like.
fn spelled_out(group: &str, version: &str) -> bool {
    let old = ["apps", "batch", "autoscaling", "policy", "extensions"].contains(&group);
    let number = version.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    (old || group.contains('.')) && number && version.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether Kubernetes lets a name be a segment of a path: its loosest rule, and that of RBAC.
fn segment_name(name: &str) -> bool {
    let fits = |c: char| !c.is_control() && c != '/' && c != '%';
    !name.is_empty() && name.len() <= 253 && name != "." && name != ".." && name.chars().all(fits)
}

/// Whether a text can stand in a path as it is, and cannot lead out of its place.
fn word(part: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._:@".contains(c);
    !part.is_empty() && part.len() <= 253 && part.chars().all(fits) && part.chars().any(|c| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn path(text: &str, namespace: Option<&str>, expected: &str) {
        assert_eq!(ObjectRef::parse(text, namespace).map(|o| o.path()), Ok(expected.to_owned()));
    }

    #[test]
    fn names_lead_to_exact_paths() {
        let ds = "/apis/apps/v1/namespaces/telemetry/daemonsets/agent";
        path("daemonsets.apps/telemetry/agent", None, ds);
        path("daemonset/telemetry/agent", None, ds);
        path("ds/agent", Some("telemetry"), ds);
        path("ds/telemetry/agent", Some("telemetry"), ds);
        path("po/default/web-0", None, "/api/v1/namespaces/default/pods/web-0");
        path("ns/telemetry", None, "/api/v1/namespaces/telemetry");
        path(
            "clusterrolebindings/system:node",
            None,
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/system:node",
        );
        path("stable.example.com/v1/crontabs/a/b", None, "/apis/stable.example.com/v1/namespaces/a/crontabs/b");
        path("stable.example.com/v1/crontabs/b", None, "/apis/stable.example.com/v1/crontabs/b");
        path("crontabs.v1.stable.example.com/a/b", None, "/apis/stable.example.com/v1/namespaces/a/crontabs/b");
        path(
            "crontabs.v1beta2.stable.example.com/b",
            Some("a"),
            "/apis/stable.example.com/v1beta2/namespaces/a/crontabs/b",
        );
        path("crontabs.v1.stable.example.com/b", None, "/apis/stable.example.com/v1/crontabs/b");
        path("deployments.v1.apps/a/b", None, "/apis/apps/v1/namespaces/a/deployments/b");
    }

    #[test]
    fn what_is_told_to_be_typed_leads_to_the_same_object() {
        for (text, typed) in [
            ("ds/telemetry/agent", "daemonsets.apps/telemetry/agent"),
            ("ns/telemetry", "namespaces/telemetry"),
            ("crontabs.v1.stable.example.com/a/b", "stable.example.com/v1/crontabs/a/b"),
            ("stable.example.com/v1/clocks/b", "stable.example.com/v1/clocks/b"),
            ("autoscaling/v1/horizontalpodautoscalers/a/b", "autoscaling/v1/horizontalpodautoscalers/a/b"),
            ("clusterrolebinding/of team", "'clusterrolebindings.rbac.authorization.k8s.io/of team'"),
        ] {
            let object = ObjectRef::parse(text, None).unwrap();
            assert_eq!(object.typed(), typed);
            assert_eq!(ObjectRef::parse(typed.trim_matches('\''), None), Ok(object));
        }
    }

    #[test]
    fn rbac_objects_may_be_called_anything_that_a_path_can_hold() {
        let at = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
        path("clusterrolebinding/alice@example.com", None, &format!("{at}/alice@example.com"));
        path("clusterrolebinding/admins of team (a)*", None, &format!("{at}/admins%20of%20team%20%28a%29%2A"));
        path("clusterrolebinding/zoë", None, &format!("{at}/zo%C3%AB"));
        path("clusterrolebinding/a?x=y#z", None, &format!("{at}/a%3Fx%3Dy%23z"));
        path("rbac.authorization.k8s.io/v1/clusterrolebindings/a b", None, &format!("{at}/a%20b"));
        for name in ["..", ".", "", "50%", "a\nb"] {
            refused(&format!("clusterrolebinding/{name}"), None, "exact name");
        }
    }

    #[test]
    fn what_an_incident_meets_is_built_in() {
        path("ev/telemetry/agent.17", None, "/api/v1/namespaces/telemetry/events/agent.17");
        path("csr/node-1", None, "/apis/certificates.k8s.io/v1/certificatesigningrequests/node-1");
        path("ingressclass/nginx", None, "/apis/networking.k8s.io/v1/ingressclasses/nginx");
        path("volumeattachment/csi-1", None, "/apis/storage.k8s.io/v1/volumeattachments/csi-1");
        path("runtimeclass/gvisor", None, "/apis/node.k8s.io/v1/runtimeclasses/gvisor");
        path("apps/v1/controllerrevisions/a/b", None, "/apis/apps/v1/namespaces/a/controllerrevisions/b");
    }

    #[test]
    fn a_name_that_a_server_gave_leads_to_that_name_alone() {
        let named = |name: &str| {
            let at = ObjectRef::parse("clusterrolebinding/x", None).unwrap();
            ObjectRef { name: name.into(), ..at }.path()
        };
        let at = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
        assert_eq!(named("oidc:jane@example.com"), format!("{at}/oidc:jane@example.com"));
        assert_eq!(named("a b?c#d"), format!("{at}/a%20b%3Fc%23d"));
    }

    #[track_caller]
    fn refused(text: &str, namespace: Option<&str>, part: &str) {
        let error = ObjectRef::parse(text, namespace).unwrap_err();
        assert!(error.contains(part), "{error}");
    }

    #[test]
    fn what_is_not_exact_is_refused_with_what_would_be_right() {
        refused("ds/agent", None, "daemonsets/NAMESPACE/agent");
        refused("ns/telemetry", Some("x"), "have no namespace");
        refused("ds/a/agent", Some("b"), "namespace says \"b\"");
        refused("daemonste/a/b", None, "did you mean daemonset?");
        refused("crontabs.stable.example.com/a/b", None, "stable.example.com/VERSION/crontabs");
        refused("ds/telemetry/*", None, "exact name");
        refused("ds/telemetry/..", None, "exact name");
        refused("ds/telemetry/a?x=y", None, "exact name");
        refused("ds", None, "expected RESOURCE");
        // A part of an object is no object, and no group.
        refused("pods/ns/x/eviction", None, "is no API group");
        refused("pods/v1/x/eviction", None, "is no API group");
        refused("stable.example.com/crontabs/a/b", None, "no version");
        refused("ds/telemetry/", None, "exact name");
    }

    #[test]
    fn every_known_word_means_one_resource() {
        let mut words: Vec<&str> =
            KNOWN.iter().flat_map(|known| std::iter::once(known.plural).chain(known.aliases.iter().copied())).collect();
        let all = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), all);
    }
}

//! One binding as a server tells it: what it gives, and to whom.

use serde_json::{Value, json};

use super::subject::{GROUP, Subject};
use crate::steps::ObjectRef;
use crate::steps::kube_object::text;

/// Roles that every cluster gives to everybody, and that nothing can be overloaded by.
const HARMLESS: [&str; 4] =
    ["system:discovery", "system:basic-user", "system:public-info-viewer", "system:service-account-issuer-discovery"];

/// The two resources that bind.
pub(in crate::steps) const CLUSTER: &str = "clusterrolebindings";
/// See `CLUSTER`.
pub(in crate::steps) const NAMESPACED: &str = "rolebindings";

/// A binding, named exactly.
pub(in crate::steps) fn at(plural: &str, namespace: Option<&str>, name: &str) -> ObjectRef {
    ObjectRef {
        group: GROUP.into(),
        version: "v1".into(),
        plural: plural.into(),
        namespace: namespace.map(str::to_owned),
        name: name.into(),
    }
}

/// Where all bindings of a resource are listed, of every namespace.
pub(in crate::steps) fn list(plural: &str) -> String {
    format!("/apis/{GROUP}/v1/{plural}")
}

/// Reads the name of a binding: `clusterrolebinding/NAME` or `rolebinding/NAMESPACE/NAME`.
///
/// # Errors
/// One sentence: what is wrong and what would be right.
pub(in crate::steps) fn parse(typed: &str) -> Result<ObjectRef, String> {
    let at = ObjectRef::parse(typed, None)?;
    let binds = at.group == GROUP && matches!(at.plural.as_str(), CLUSTER | NAMESPACED);
    binds.then_some(at).ok_or_else(|| {
        format!("{typed:?} is no binding: expected clusterrolebinding/NAME or rolebinding/NAMESPACE/NAME")
    })
}

/// A binding that was seen.
#[derive(Debug, Clone)]
pub(in crate::steps) struct Binding {
    /// Its name.
    pub(in crate::steps) at: ObjectRef,
    /// All of it.
    pub(in crate::steps) object: Value,
}

impl Binding {
    /// An item of a list. Those say neither their kind nor their version.
    pub(in crate::steps) fn item(plural: &str, item: Value) -> Self {
        let (namespace, name) = (text(&item, "/metadata/namespace"), text(&item, "/metadata/name"));
        let at = at(plural, Some(namespace).filter(|namespace| !namespace.is_empty()), name);
        let kind = if plural == CLUSTER { "ClusterRoleBinding" } else { "RoleBinding" };
        let mut object = json!({"kind": kind, "apiVersion": format!("{GROUP}/v1")});
        if let (Value::Object(item), Some(object)) = (item, object.as_object_mut()) {
            object.extend(item);
        }
        Self { at, object }
    }

    /// Whom it names.
    pub(in crate::steps) fn subjects(&self) -> &[Value] {
        self.object["subjects"].as_array().map_or(&[], Vec::as_slice)
    }

    /// Whether it names this one.
    pub(in crate::steps) fn names(&self, subject: &Subject) -> bool {
        self.subjects().iter().any(|entry| subject.is(entry, self.at.namespace.as_deref()))
    }

    /// What it gives.
    pub(in crate::steps) fn role(&self) -> String {
        format!("{} {}", text(&self.object, "/roleRef/kind"), text(&self.object, "/roleRef/name"))
    }

    /// What is left to a subject by a group that it is in.
    pub(in crate::steps) fn still_allows(&self, subject: &Subject) -> Option<String> {
        let role = text(&self.object, "/roleRef/name");
        if text(&self.object, "/roleRef/kind") == "ClusterRole" && HARMLESS.contains(&role) {
            return None;
        }
        let named = |group: &String| self.names(&Subject::Group(group.clone()));
        let group = subject.groups().into_iter().find(named)?;
        Some(format!("{subject} is still allowed through group {group} by {} ({})", short(&self.at), self.role()))
    }

    /// Who puts back what is taken out of it, as far as its own metadata tells.
    pub(in crate::steps) fn comes_back(&self) -> Option<String> {
        let auto = &self.object["metadata"]["annotations"]["rbac.authorization.kubernetes.io/autoupdate"];
        (auto == "true").then(|| format!("each API server puts {} back when it starts (autoupdate)", short(&self.at)))
    }
}

/// A binding in few words, as it can be typed again.
pub(in crate::steps) fn short(at: &ObjectRef) -> String {
    match &at.namespace {
        Some(namespace) => format!("rolebinding/{namespace}/{}", at.name),
        None => format!("clusterrolebinding/{}", at.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(role: &str, group: &str) -> Binding {
        let item = json!({
            "metadata": {"name": "b"},
            "roleRef": {"kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "User", "name": "jane"}, {"kind": "Group", "name": group}],
        });
        Binding::item(CLUSTER, item)
    }

    #[test]
    fn rights_through_a_group_are_told_but_for_those_that_everybody_has() {
        let agent = Subject::parse("sa/telemetry/agent", None).unwrap();
        for group in ["system:serviceaccounts", "system:serviceaccounts:telemetry", "system:authenticated"] {
            let said = bound("view", group).still_allows(&agent).unwrap_or_default();
            let expected = format!(
                "serviceaccount/telemetry/agent is still allowed through group {group} by clusterrolebinding/b (ClusterRole view)"
            );
            assert_eq!(said, expected);
        }
        for (role, group) in [
            ("view", "system:serviceaccounts:edge"),
            ("view", "oncall"),
            ("system:discovery", "system:authenticated"),
            ("system:basic-user", "system:authenticated"),
            ("system:public-info-viewer", "system:authenticated"),
            ("system:service-account-issuer-discovery", "system:serviceaccounts"),
        ] {
            assert_eq!(bound(role, group).still_allows(&agent), None, "{role} {group}");
        }
        assert!(bound("view", "system:authenticated").still_allows(&Subject::User("jane".into())).is_some());
        assert!(bound("view", "system:authenticated").still_allows(&Subject::Group("oncall".into())).is_none());
    }

    #[test]
    fn an_item_of_a_list_can_be_created_again() {
        let item = json!({"metadata": {"name": "b", "namespace": "telemetry"}, "roleRef": {}});
        let binding = Binding::item(NAMESPACED, item);
        assert_eq!(short(&binding.at), "rolebinding/telemetry/b");
        assert_eq!(binding.object["kind"], "RoleBinding");
        assert_eq!(binding.object["apiVersion"], "rbac.authorization.k8s.io/v1");
        assert_eq!(binding.subjects(), [] as [Value; 0]);
    }

    #[test]
    fn only_bindings_are_taken_for_bindings() {
        assert_eq!(parse("clusterrolebinding/system:x").map(|at| short(&at)), Ok("clusterrolebinding/system:x".into()));
        assert_eq!(parse("rolebindings/a/b").map(|at| short(&at)), Ok("rolebinding/a/b".into()));
        assert!(parse("clusterrole/view").unwrap_err().contains("is no binding"));
        assert!(parse("rolebinding/b").unwrap_err().contains("needs a namespace"));
    }
}

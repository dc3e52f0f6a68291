//! Whose rights: how a subject is written, and what is no offender's to lose.

use std::fmt;

use serde_json::{Value, json};

use crate::found::is_placeholder;
use crate::shell;
use crate::steps::kube_object::text;
use crate::steps::{ObjectRef, workload};

/// The API group of roles and bindings, and of the users and groups that they name.
pub(in crate::steps) const GROUP: &str = "rbac.authorization.k8s.io";
/// What a service account is called as a user.
const ACCOUNT: &str = "system:serviceaccount:";
/// The group of every service account; with `:NAMESPACE` behind it, of those of a namespace.
const ACCOUNTS: &str = "system:serviceaccounts";
/// Groups that are easily taken for users.
const GROUPS: [&str; 6] = ["system:masters", "system:nodes", AUTHENTICATED, UNAUTHENTICATED, ACCOUNTS, KUBEADM_ADMINS];
const AUTHENTICATED: &str = "system:authenticated";
const UNAUTHENTICATED: &str = "system:unauthenticated";
/// The group of kubeadm's administrators, and the binding that gives it everything.
pub(in crate::steps) const KUBEADM_ADMINS: &str = "kubeadm:cluster-admins";
/// Where what Kubernetes itself is made of runs.
const KUBE_SYSTEM: &str = "kube-system";

/// What a subject may be called, for messages.
const FORMS: &str =
    "system:serviceaccount:NAMESPACE:NAME, serviceaccount/NAMESPACE/NAME, user/NAME, group/NAME, or a user name";

/// Whose rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::steps) enum Subject {
    /// A service account.
    Account {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A user, by the name that its certificate or its identity provider gives it.
    User(String),
    /// A group.
    Group(String),
}

impl Subject {
    /// Reads a subject; `namespace` is for `serviceaccount/NAME`.
    ///
    /// # Errors
    /// One sentence: what is wrong and what would be right.
    pub(in crate::steps) fn parse(typed: &str, namespace: Option<&str>) -> Result<Self, String> {
        if typed.trim() != typed || typed.is_empty() || typed.chars().any(char::is_control) {
            return Err(format!("{typed:?} is no name; expected {FORMS}"));
        }
        let kind = typed.split_once('/').map_or("", |(kind, _)| kind).to_ascii_lowercase();
        if wild(typed, &kind) {
            return Err(format!("{typed:?} is a wildcard: name one user, group or service account"));
        }
        let read = match (kind.as_str(), typed.split_once('/')) {
            ("sa" | "serviceaccount" | "serviceaccounts", _) => return Self::account(typed, namespace),
            (_, Some((_, ""))) => return Err(format!("{typed:?} names nobody; expected {FORMS}")),
            ("user", Some((_, name))) => Self::user(name)?,
            ("group", Some((_, name))) => Self::Group(name.to_owned()),
            _ if !is_placeholder(typed) && ObjectRef::parse(typed, namespace).is_ok() => {
                return Err(format!("{typed:?} is an object: name what runs as a service account as `workload`"));
            }
            (_, Some(_)) => return Err(format!("{typed:?} is no subject; expected {FORMS}")),
            (_, None) if GROUPS.contains(&typed) || typed.starts_with(&format!("{ACCOUNTS}:")) => {
                return Err(format!("{typed:?} is a group: write group/{typed}"));
            }
            (_, None) => Self::user(typed)?,
        };
        match (&read, namespace) {
            (Self::User(_) | Self::Group(_), Some(_)) => Err(format!("{typed:?}: users and groups have no namespace")),
            (Self::Account { namespace: inside, .. }, Some(other)) if inside != other => {
                Err(format!("{typed:?} is in namespace {inside:?}, but namespace says {other:?}"))
            }
            _ => Ok(read),
        }
    }

    /// `serviceaccount/NAMESPACE/NAME`, by the rules for any object.
    fn account(typed: &str, namespace: Option<&str>) -> Result<Self, String> {
        let ObjectRef { namespace, name, .. } = ObjectRef::parse(typed, namespace)?;
        Ok(Self::Account { namespace: namespace.unwrap_or_default(), name })
    }

    /// A user; a service account, when that is what it is called.
    fn user(name: &str) -> Result<Self, String> {
        let Some(rest) = name.strip_prefix(ACCOUNT) else { return Ok(Self::User(name.to_owned())) };
        match rest.split_once(':') {
            Some((namespace, name)) => Self::account(&format!("serviceaccount/{namespace}/{name}"), None),
            None => Err(format!("{name:?} is no service account: {ACCOUNT}NAMESPACE:NAME")),
        }
    }

    /// The service account that pods of this template run as.
    pub(in crate::steps) fn of_pod(namespace: &str, spec: &Value) -> Self {
        Self::Account { namespace: namespace.to_owned(), name: workload::service_account(spec).to_owned() }
    }

    /// Whether a binding's entry means this one. A service account without a namespace is one of the binding's own, and
    /// a user may be called what a service account is called: the authoriser takes both.
    pub(in crate::steps) fn is(&self, entry: &Value, binding_namespace: Option<&str>) -> bool {
        let (kind, called) = (text(entry, "/kind"), text(entry, "/name"));
        match self {
            Self::Group(name) => kind == "Group" && called == name,
            Self::User(name) => kind == "User" && called == name,
            Self::Account { namespace, name } => match kind {
                "ServiceAccount" => {
                    let inside = match text(entry, "/namespace") {
                        "" => binding_namespace.unwrap_or_default(),
                        inside => inside,
                    };
                    called == name && inside == namespace
                }
                "User" => called == format!("{ACCOUNT}{namespace}:{name}"),
                _ => false,
            },
        }
    }

    /// As it stands in a binding.
    pub(in crate::steps) fn entry(&self) -> Value {
        match self {
            Self::Account { namespace, name } => {
                json!({"kind": "ServiceAccount", "namespace": namespace, "name": name})
            }
            Self::User(name) => json!({"apiGroup": GROUP, "kind": "User", "name": name}),
            Self::Group(name) => json!({"apiGroup": GROUP, "kind": "Group", "name": name}),
        }
    }

    /// As kubectl takes it where it makes a binding.
    pub(in crate::steps) fn kubectl_flag(&self) -> String {
        match self {
            Self::Account { namespace, name } => {
                format!("--serviceaccount={}", shell::word(&format!("{namespace}:{name}")))
            }
            Self::User(name) => format!("--user={}", shell::word(name)),
            Self::Group(name) => format!("--group={}", shell::word(name)),
        }
    }

    /// Who else it is, where that is nearly everybody.
    pub(in crate::steps) fn everybody(&self) -> Option<&'static str> {
        match self {
            Self::Group(name) if name == AUTHENTICATED => {
                Some("it is everybody whom the cluster knows, every pod among them")
            }
            Self::Group(name) if name == UNAUTHENTICATED => {
                Some("it is everybody who reaches its port, without a credential")
            }
            Self::User(name) if name == "system:anonymous" => {
                Some("it is everybody who reaches its port, without a credential")
            }
            Self::Group(name) if name == ACCOUNTS => Some("it is every pod of the cluster"),
            _ => None,
        }
    }

    /// What its requests come from, as the API server knows it; `None` for a group.
    pub(in crate::steps) fn user_name(&self) -> Option<String> {
        match self {
            Self::Account { namespace, name } => Some(format!("{ACCOUNT}{namespace}:{name}")),
            Self::User(name) => Some(name.clone()),
            Self::Group(_) => None,
        }
    }

    /// The groups that it is certainly in.
    pub(in crate::steps) fn groups(&self) -> Vec<String> {
        match self {
            Self::Account { namespace, .. } => {
                vec![format!("{ACCOUNTS}:{namespace}"), ACCOUNTS.into(), AUTHENTICATED.into()]
            }
            Self::User(_) => vec![AUTHENTICATED.into()],
            Self::Group(_) => Vec::new(),
        }
    }

    /// Why no binding can take its rights away, or none may.
    pub(in crate::steps) fn out_of_reach(&self) -> Option<String> {
        match self {
            Self::Group(name) if name == "system:masters" => Some(format!(
                "{self} is allowed everything before any binding is asked: nothing in the API takes that away, only \
                 another certificate authority does"
            )),
            Self::User(name) if name == "system:apiserver" => {
                Some(format!("{self} is what API servers call themselves: it is allowed everything, by no binding"))
            }
            Self::Group(name) if name == "system:nodes" => Some(node(self)),
            Self::User(name) if name.starts_with("system:node:") => Some(node(self)),
            _ => None,
        }
    }

    /// Why an account that a workload was found to run as may be more than the workload's own.
    pub(in crate::steps) fn shared(&self) -> Option<&'static str> {
        let default = matches!(self, Self::Account { name, .. } if name == "default");
        default.then_some("every pod of its namespace that does not say another runs as it")
    }

    /// Why losing its rights may end more than an offender; nothing for an ordinary one.
    pub(in crate::steps) fn vital(&self) -> Option<&'static str> {
        match self {
            Self::Account { namespace, .. } if namespace == KUBE_SYSTEM => Some("a part of Kubernetes runs as it"),
            Self::Account { .. } => None,
            Self::Group(name) if name == KUBEADM_ADMINS => Some("it is the administrators, perhaps you"),
            Self::Group(name) if name == ACCOUNTS => Some("every pod of the cluster is in it"),
            Self::Group(name) if name == AUTHENTICATED || name == UNAUTHENTICATED => Some("it is everybody"),
            Self::Group(name) if name.starts_with(&format!("{ACCOUNTS}:")) => {
                name.ends_with(&format!(":{KUBE_SYSTEM}")).then_some("parts of Kubernetes are in it")
            }
            Self::User(name) | Self::Group(name) => {
                name.starts_with("system:").then_some("a part of Kubernetes is called so")
            }
        }
    }
}

/// Whether more than one is meant. In a flow schema `*` is everybody; elsewhere it is a name that nobody has. A name that has
/// a star in it, as a certificate for `*.example.com` has, is one where it is said to be: `user/*.example.com`.
fn wild(typed: &str, kind: &str) -> bool {
    match kind {
        "user" | "group" => typed.split_once('/').is_some_and(|(_, name)| name == "*"),
        _ => typed.contains('*'),
    }
}

fn node(subject: &Subject) -> String {
    format!(
        "{subject}: what a kubelet may do comes from the node authoriser, which asks no binding, and what else is bound to \
         it no node can do without"
    )
}

/// As it can be typed again.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account { namespace, name } => write!(f, "serviceaccount/{namespace}/{name}"),
            Self::User(name) => write!(f, "user/{name}"),
            Self::Group(name) => write!(f, "group/{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn reads(typed: &str, namespace: Option<&str>, expected: &str) {
        assert_eq!(Subject::parse(typed, namespace).map(|subject| subject.to_string()), Ok(expected.to_owned()));
    }

    #[test]
    fn a_subject_is_read_however_it_is_spelled() {
        for typed in [
            "system:serviceaccount:telemetry:agent",
            "serviceaccount/telemetry/agent",
            "sa/telemetry/agent",
            "user/system:serviceaccount:telemetry:agent",
        ] {
            reads(typed, None, "serviceaccount/telemetry/agent");
            reads(typed, Some("telemetry"), "serviceaccount/telemetry/agent");
        }
        reads("sa/agent", Some("telemetry"), "serviceaccount/telemetry/agent");
        reads("user/arn:aws:iam::1:role/ci", None, "user/arn:aws:iam::1:role/ci");
        reads("jane@example.com", None, "user/jane@example.com");
        reads("group/oncall", None, "group/oncall");
        reads("user/*.example.com", None, "user/*.example.com");
    }

    #[track_caller]
    fn refused(typed: &str, namespace: Option<&str>, part: &str) {
        let error = Subject::parse(typed, namespace).unwrap_err();
        assert!(error.contains(part), "{error}");
    }

    #[test]
    fn what_is_no_subject_is_refused_with_what_would_be_right() {
        refused("", None, "expected system:serviceaccount");
        refused("jane ", None, "is no name");
        refused("sa/agent", None, "needs a namespace");
        refused("system:serviceaccount:agent", None, "system:serviceaccount:NAMESPACE:NAME");
        refused("system:serviceaccount:a:b/..", None, "is no subject");
        refused("system:serviceaccount:a:..", None, "exact name");
        refused("ds/telemetry/agent", None, "`workload`");
        refused("role/ci/x/y/z/0", None, "user/NAME");
        refused("group/", None, "names nobody");
        for all in ["*", "user/*", "USER/*", "group/*", "agent-*", "sa/telemetry/*", "system:serviceaccount:*:*"] {
            refused(all, None, "is a wildcard");
        }
        refused("system:masters", None, "write group/system:masters");
        refused("system:serviceaccounts:telemetry", None, "write group/");
        refused("user/jane", Some("telemetry"), "have no namespace");
        refused("system:serviceaccount:a:b", Some("c"), "namespace says \"c\"");
    }

    #[test]
    fn an_entry_is_the_subject_in_each_of_its_spellings_and_in_no_other() {
        let agent = Subject::parse("sa/telemetry/agent", None).unwrap();
        let account = |namespace| json!({"kind": "ServiceAccount", "name": "agent", "namespace": namespace});
        let no_namespace = json!({"kind": "ServiceAccount", "name": "agent"});
        let as_user = json!({"kind": "User", "name": "system:serviceaccount:telemetry:agent"});
        assert!(agent.is(&account("telemetry"), Some("elsewhere")));
        assert!(agent.is(&no_namespace, Some("telemetry")));
        assert!(agent.is(&as_user, None));
        assert!(!agent.is(&account("edge"), Some("telemetry")));
        assert!(!agent.is(&no_namespace, Some("edge")));
        assert!(!agent.is(&no_namespace, None));
        assert!(!agent.is(&json!({"kind": "User", "name": "agent"}), Some("telemetry")));
        assert!(!agent.is(&json!({"kind": "Group", "name": "system:serviceaccount:telemetry:agent"}), None));
        let jane = Subject::User("jane".into());
        assert!(jane.is(&json!({"kind": "User", "name": "jane"}), None));
        assert!(!jane.is(&json!({"kind": "Group", "name": "jane"}), None));
        assert!(Subject::Group("jane".into()).is(&json!({"kind": "Group", "name": "jane"}), None));
    }

    #[test]
    fn a_pod_runs_as_what_its_template_says_or_as_the_default() {
        let of = |spec: Value| Subject::of_pod("telemetry", &spec).to_string();
        assert_eq!(
            of(json!({"serviceAccountName": "agent", "serviceAccount": "old"})),
            "serviceaccount/telemetry/agent"
        );
        assert_eq!(of(json!({"serviceAccount": "old"})), "serviceaccount/telemetry/old");
        assert_eq!(of(json!({})), "serviceaccount/telemetry/default");
    }

    #[test]
    fn what_the_cluster_lives_by_is_known() {
        let of = |typed: &str| Subject::parse(typed, None).unwrap();
        for typed in ["group/system:masters", "group/system:nodes", "user/system:node:worker-1", "system:apiserver"] {
            assert!(of(typed).out_of_reach().is_some(), "{typed}");
        }
        for typed in [
            "group/system:authenticated",
            "group/system:unauthenticated",
            "group/system:serviceaccounts",
            "group/system:serviceaccounts:kube-system",
            "group/kubeadm:cluster-admins",
            "system:kube-controller-manager",
            "system:kube-scheduler",
            "sa/kube-system/coredns",
        ] {
            assert!(of(typed).vital().is_some(), "{typed}");
        }
        for typed in ["sa/telemetry/agent", "jane", "group/oncall", "group/system:serviceaccounts:telemetry"] {
            assert!(of(typed).vital().is_none() && of(typed).out_of_reach().is_none(), "{typed}");
        }
    }
}

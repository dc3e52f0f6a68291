//! The policy that refuses one object, and its binding: what stands in them, and whose they are.

use serde_json::{Value, json};

use crate::change::{Change, Inverse, Keep, KubeCall, Op, sha256_hex};
use crate::duration::HumanDuration;
use crate::shell;
use crate::steps::ObjectRef;
use crate::steps::marking::{self, REFUSED, REFUSED_OBJECT as OBJECT, REFUSED_UNTIL as UNTIL};

const GROUP: &str = "admissionregistration.k8s.io";
/// What of each has to be as it was sent, for undo to delete it. The rest of its spec is filled in by servers.
const AS_SENT: [&str; 4] =
    ["/metadata/annotations", "/spec/validations", "/spec/matchConstraints/resourceRules", "/spec/policyName"];
/// The most characters of what somebody has typed that stand in a message.
const TYPED: usize = 200;

/// One of the two objects that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Policy,
    Binding,
}

/// What both say.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    object: ObjectRef,
    /// The run and its step.
    mark: String,
    /// RFC 3339, to the second.
    until: String,
    /// For whoever is refused.
    message: String,
}

/// What a look at one of the two says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// This step of this run made it, and it is in force until then.
    Ours { until: String },
    /// Another one did, and it is in force until then.
    Others { by: String, until: String },
    /// Another one did, and it has ended.
    Over { by: String, until: String },
    /// Nobody knows who did.
    Foreign,
}

/// Refuses what no policy can refuse.
pub(super) fn can_be_refused(object: ObjectRef) -> Result<ObjectRef, String> {
    if object.group == GROUP {
        return Err(format!("{object} decides on admission itself: API servers judge none of these by a policy"));
    }
    Ok(object)
}

/// As one line that may stand in a message.
fn line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(TYPED).collect()
}

impl Terms {
    /// `by`: who runs it. `ask`: whom to ask, where that is somebody else.
    pub(super) fn new(object: &ObjectRef, (run, step): (&str, usize), until: &str, why: &str, ask: &str) -> Self {
        let (why, ask) = (line(why), line(ask));
        let why = if why.is_empty() { why } else { format!(" ({why})") };
        Self {
            object: object.clone(),
            mark: format!("{run} step {}", step + 1),
            until: until.to_owned(),
            message: format!(
                "{object} is kept away until {until} by run {run} of breakglass{why}. Ask {ask} before you bring it back; \
                 breakglass undo {run} lets it in."
            ),
        }
    }

    /// What is left in both.
    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    /// As a plan shows it.
    pub(super) fn announced(object: &ObjectRef, lasts: HumanDuration) -> Self {
        let until = format!("<{lasts} after the look>");
        let mut terms = Self::new(object, ("<this run>", 0), &until, "<why>", "<whom to ask>");
        "<this run and step>".clone_into(&mut terms.mark);
        terms.message = terms.message.replace(" (<why>)", "<why>");
        terms
    }

    fn metadata(&self, name: &str) -> Value {
        json!({"name": name, "annotations": {
            REFUSED: self.mark, OBJECT: self.object.to_string(), UNTIL: self.until,
        }})
    }

    /// A clock is nothing that such an expression has. What has just been made bears the time at which the API server took it
    /// in, and nobody else can write that; where a field has changed, its manager's entry does.
    fn validations(&self) -> Value {
        let over = |time: &str| format!("timestamp({time}) >= timestamp('{}')", self.until);
        let created = format!("request.operation != 'CREATE' || {}", over("object.metadata.creationTimestamp"));
        let updated = format!(
            "request.operation != 'UPDATE' || has(oldObject.metadata.deletionTimestamp) || \
             (has(object.spec) && has(oldObject.spec) && object.spec == oldObject.spec) || \
             (has(object.metadata.managedFields) && object.metadata.managedFields.exists(f, has(f.time) && {}))",
            over("f.time")
        );
        let validation =
            |expression: String| json!({"expression": expression, "message": self.message, "reason": "Forbidden"});
        json!([validation(created), validation(updated)])
    }

    fn resources(&self) -> Vec<String> {
        let ObjectRef { group, plural, .. } = &self.object;
        let scales = match (group.as_str(), plural.as_str()) {
            ("", plural) => plural == "replicationcontrollers",
            ("apps", plural) => plural != "daemonsets",
            (group, _) => group.contains('.') && !group.ends_with(".k8s.io"),
        };
        let scale = scales.then(|| format!("{plural}/scale"));
        [plural.clone()].into_iter().chain(scale).collect()
    }

    fn policy(&self, name: &str) -> Value {
        let ObjectRef { group, namespace, name: object, .. } = &self.object;
        let mut matched = json!({"resourceRules": [{
            "apiGroups": [group], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"],
            "resources": self.resources(), "resourceNames": [object], "scope": "*",
        }]});
        if let Some(namespace) = namespace {
            matched["namespaceSelector"] = json!({"matchLabels": {"kubernetes.io/metadata.name": namespace}});
        }
        json!({
            "apiVersion": format!("{GROUP}/v1"), "kind": "ValidatingAdmissionPolicy", "metadata": self.metadata(name),
            // An expression that fails refuses, too: that is this one object, by what matches, whatever happens.
            "spec": {"failurePolicy": "Fail", "matchConstraints": matched, "validations": self.validations()},
        })
    }
}

impl Part {
    /// In the order in which they are made: the binding is what puts it in force.
    pub(super) const BOTH: [Self; 2] = [Self::Policy, Self::Binding];

    /// Where it is: one name for one object, whoever refuses it.
    pub(super) fn at(self, object: &ObjectRef) -> ObjectRef {
        let plural = match self {
            Self::Policy => "validatingadmissionpolicies",
            Self::Binding => "validatingadmissionpolicybindings",
        };
        let name = format!("breakglass-refuses-{}", &sha256_hex(object.to_string().as_bytes())[..16]);
        ObjectRef { group: GROUP.into(), version: "v1".into(), plural: plural.into(), namespace: None, name }
    }

    /// Which change makes it.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Binding => "binding",
        }
    }

    pub(super) fn why(self) -> &'static str {
        match self {
            Self::Policy => "says what is refused, until when, and whom to ask",
            Self::Binding => "puts that in force",
        }
    }

    fn body(self, terms: &Terms) -> Value {
        let name = self.at(&terms.object).name;
        match self {
            Self::Policy => terms.policy(&name),
            Self::Binding => json!({
                "apiVersion": format!("{GROUP}/v1"), "kind": "ValidatingAdmissionPolicyBinding",
                "metadata": terms.metadata(&name), "spec": {"policyName": name, "validationActions": ["Deny"]},
            }),
        }
    }

    pub(super) fn creating(self, terms: &Terms) -> KubeCall {
        marking::creating(&self.at(&terms.object), self.body(terms))
    }

    /// The change that makes it, and deletes it again.
    pub(super) fn create(self, terms: &Terms, deadline_secs: u64) -> Change {
        let (at, body) = (self.at(&terms.object), self.body(terms));
        let by_hand = format!("echo {} | kubectl create -f -", shell::word(&body.to_string()));
        Change {
            key: self.key().into(),
            note: None,
            guard: format!("there is no {at}"),
            inverse: Inverse::By(Box::new(Op::Kube(marking::deleting_again(&at, &body, &AS_SENT)))),
            op: Op::Kube(marking::creating(&at, body)),
            because: format!("{} is to stay away: {at} {}", terms.object, self.why()),
            by_hand,
            deadline_secs,
            keep: Keep::Nothing,
        }
    }
}

/// Whose one is, and whether it has ended by this time.
pub(super) fn judge(seen: &Value, mark: &str, now: jiff::Timestamp) -> Judged {
    let said = |key: &str| seen["metadata"]["annotations"][key].as_str().unwrap_or_default().to_owned();
    let (by, until) = (said(REFUSED), said(UNTIL));
    if by.is_empty() {
        return Judged::Foreign;
    }
    if by == mark {
        return Judged::Ours { until };
    }
    match until.parse::<jiff::Timestamp>() {
        Ok(end) if end <= now => Judged::Over { by, until },
        _ => Judged::Others { by, until },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str) -> ObjectRef {
        ObjectRef::parse(name, None).unwrap()
    }

    fn policy(name: &str) -> Value {
        let terms = Terms::new(&object(name), ("r1", 0), "2026-01-02T03:04:05Z", "a\nstorm", "the on-call of platform");
        Part::Policy.body(&terms)
    }

    #[test]
    fn just_one_object_is_matched_by_all_that_names_it() {
        let rule = |name: &str| policy(name)["spec"]["matchConstraints"].clone();
        let agent = rule("ds/telemetry/agent");
        assert_eq!(agent["namespaceSelector"], json!({"matchLabels": {"kubernetes.io/metadata.name": "telemetry"}}));
        assert_eq!(
            agent["resourceRules"],
            json!([{"apiGroups": ["apps"], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"],
                "resources": ["daemonsets"], "resourceNames": ["agent"], "scope": "*"}])
        );
        let resources = |name: &str| rule(name)["resourceRules"][0]["resources"].clone();
        assert_eq!(resources("deploy/a/x"), json!(["deployments", "deployments/scale"]));
        assert_eq!(resources("cj/a/x"), json!(["cronjobs"]));
        assert_eq!(resources("example.com/v1/agents/a/x"), json!(["agents", "agents/scale"]));
        let role = rule("clusterrole/x");
        assert_eq!(
            (&role["namespaceSelector"], &role["resourceRules"][0]["apiGroups"][0]),
            (&Value::Null, &json!("rbac.authorization.k8s.io"))
        );
        // One name for one object.
        let name = |of: &str| Part::Binding.at(&object(of)).name;
        assert_eq!(name("ds/a/x"), name("daemonset/a/x"));
        assert!(name("ds/a/x") != name("ds/b/x") && name("ds/a/x") != name("deploy/a/x"));
    }

    #[test]
    fn whoever_is_refused_reads_who_it_was_until_when_and_whom_to_ask_in_one_line() {
        let said = policy("ds/telemetry/agent")["spec"]["validations"][0]["message"].clone();
        assert_eq!(
            said,
            "daemonsets.apps/telemetry/agent is kept away until 2026-01-02T03:04:05Z by run r1 of breakglass (a storm). Ask the \
             on-call of platform before you bring it back; breakglass undo r1 lets it in."
        );
        let long = line(&"x ".repeat(5000));
        assert_eq!(long.len(), TYPED);
    }

    #[test]
    fn whose_a_policy_is_stands_in_it() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let seen = |by: &str, until: &str| {
            judge(&json!({"metadata": {"annotations": {REFUSED: by, UNTIL: until}}}), "r1 step 1", now)
        };
        assert_eq!(seen("r1 step 1", ""), Judged::Ours { until: String::new() });
        let (by, late, early) =
            ("r0 step 2".to_owned(), "2026-01-02T00:00:00Z".to_owned(), "2025-12-31T00:00:00Z".to_owned());
        assert_eq!(seen(&by, &early), Judged::Over { by: by.clone(), until: early });
        assert_eq!(seen(&by, &late), Judged::Others { by: by.clone(), until: late });
        // Nobody knows when it ends: it stands.
        assert_eq!(seen(&by, "soon"), Judged::Others { by, until: "soon".into() });
        assert_eq!(judge(&json!({"metadata": {}}), "r1 step 1", now), Judged::Foreign);
    }
}

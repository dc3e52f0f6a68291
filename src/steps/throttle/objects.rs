//! The two objects: what they say, how they are made, and how they go again.

use serde_json::{Value, json};

use crate::change::{Change, Inverse, Keep, Op};
use crate::duration::HumanDuration;
use crate::shell;
use crate::steps::marking::{self, THROTTLED};
use crate::steps::rbac::subject::Subject;
use crate::steps::requests::Requests;
use crate::steps::{Look, ObjectRef};

/// The key of the change that makes the level.
pub(super) const LEVEL: &str = "level";
/// The key of the change that makes the schema.
pub(super) const FLOW: &str = "flow";
const GROUP: &str = "flowcontrol.apiserver.k8s.io";
/// Before all others but `exempt`, whose precedence no other may have.
const PRECEDENCE: u32 = 2;
/// What of each has to be as it was sent, for undo to delete it.
const AS_SENT: [&str; 2] = ["/metadata/annotations", "/spec"];

/// The rules of a flow schema that match these requests of a subject.
fn rule(subject: &Subject, requests: &Requests) -> Value {
    let verbs = if requests.verbs.is_empty() { json!(["*"]) } else { json!(requests.verbs) };
    let of = |groups: Value, resources: Value| json!({"verbs": verbs, "apiGroups": groups, "resources": resources, "clusterScope": true, "namespaces": ["*"]});
    let resources: Vec<Value> = if requests.resources.is_empty() {
        vec![of(json!(["*"]), json!(["*"]))]
    } else {
        requests.resources.iter().map(|one| of(json!([one.group]), json!([one.plural]))).collect()
    };
    let mut rule = json!({"subjects": [entry(subject)], "resourceRules": resources});
    if requests.resources.is_empty() {
        rule["nonResourceRules"] = json!([{"verbs": verbs, "nonResourceURLs": ["*"]}]);
    }
    rule
}

/// A subject as a flow schema has it.
fn entry(subject: &Subject) -> Value {
    match subject {
        Subject::Account { namespace, name } => {
            json!({"kind": "ServiceAccount", "serviceAccount": {"namespace": namespace, "name": name}})
        }
        Subject::User(name) => json!({"kind": "User", "user": {"name": name}}),
        Subject::Group(name) => json!({"kind": "Group", "group": {"name": name}}),
    }
}

/// The objects of one step of one run.
#[derive(Debug, Clone)]
pub(super) struct Objects {
    name: String,
    mark: String,
}

impl Objects {
    pub(super) fn of(look: Look<'_>) -> Self {
        let mark = format!("{}.{}", look.mark.run, look.step + 1);
        Self { name: format!("breakglass-{}", mark.to_lowercase()), mark }
    }

    /// Before it is known which run.
    pub(super) fn planned() -> Self {
        Self { name: "breakglass-<this run and step>".into(), mark: "<this run and step>".into() }
    }

    /// What both are called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn at(&self, plural: &str) -> ObjectRef {
        ObjectRef {
            group: GROUP.into(),
            version: "v1".into(),
            plural: plural.into(),
            namespace: None,
            name: self.name.clone(),
        }
    }

    pub(super) fn level(&self) -> ObjectRef {
        self.at("prioritylevelconfigurations")
    }

    pub(super) fn flow(&self) -> ObjectRef {
        self.at("flowschemas")
    }

    fn metadata(&self, subject: &Subject) -> Value {
        json!({"name": self.name, "annotations": {THROTTLED: format!("{} {subject}", self.mark)}})
    }

    fn level_body(&self, subject: &Subject) -> Value {
        json!({
            "apiVersion": format!("{GROUP}/v1"), "kind": "PriorityLevelConfiguration", "metadata": self.metadata(subject),
            "spec": {"type": "Limited", "limited": {
                "nominalConcurrencyShares": 0, "lendablePercent": 0, "borrowingLimitPercent": 0,
                "limitResponse": {"type": "Reject"},
            }},
        })
    }

    fn flow_body(&self, subject: &Subject, requests: &Requests) -> Value {
        json!({
            "apiVersion": format!("{GROUP}/v1"), "kind": "FlowSchema", "metadata": self.metadata(subject),
            "spec": {
                "priorityLevelConfiguration": {"name": self.name}, "matchingPrecedence": PRECEDENCE,
                "rules": [rule(subject, requests)],
            },
        })
    }

    /// What may be sent, and what for.
    pub(super) fn announced(&self, subject: &Subject, requests: &Requests) -> [(Op, &'static str); 2] {
        let level = marking::creating(&self.level(), self.level_body(subject));
        let flow = marking::creating(&self.flow(), self.flow_body(subject, requests));
        [
            (Op::Kube(level), "the level: no seat of its own, and what it cannot run is rejected"),
            (Op::Kube(flow), "the schema: what is asked by the client goes to that level"),
        ]
    }

    pub(super) fn make_level(&self, subject: &Subject, deadline: HumanDuration) -> Change {
        let because = format!("a level that lets one request in at a time is there for {subject}");
        create(LEVEL, &self.level(), self.level_body(subject), because, deadline)
    }

    pub(super) fn make_flow(&self, subject: &Subject, requests: &Requests, deadline: HumanDuration) -> Change {
        let because = format!("of {subject}, {} go to that level", requests.words());
        create(FLOW, &self.flow(), self.flow_body(subject, requests), because, deadline)
    }
}

fn create(key: &str, at: &ObjectRef, body: Value, because: String, deadline: HumanDuration) -> Change {
    Change {
        key: key.into(),
        note: None,
        guard: format!("there is no {at}"),
        inverse: Inverse::By(Box::new(Op::Kube(marking::deleting_again(at, &body, &AS_SENT)))),
        by_hand: format!("echo {} | kubectl create -f -", shell::word(&body.to_string())),
        op: Op::Kube(marking::creating(at, body)),
        because,
        deadline_secs: deadline.0.as_secs().max(1),
        keep: Keep::Nothing,
    }
}

//! The two objects: what they say, how they are made, and how they go again.

use serde_json::{Value, json};

use crate::change::{AS_SEEN, Body, Change, Holds, Inverse, Keep, KubeCall, Method, Op};
use crate::duration::HumanDuration;
use crate::shell;
use crate::steps::marking::deleting;
use crate::steps::rbac::subject::Subject;
use crate::steps::{Fault, Look, ObjectRef, object};
use crate::words;

/// The key of the change that makes the level.
pub(super) const LEVEL: &str = "level";
/// The key of the change that makes the schema.
pub(super) const FLOW: &str = "flow";
const GROUP: &str = "flowcontrol.apiserver.k8s.io";
/// Who made them is left in the objects.
const MARK: &str = "breakglass.io/throttled";
/// Before all others but `exempt`, whose precedence no other may have.
const PRECEDENCE: u32 = 2;
/// What can be asked of an API server.
const VERBS: [&str; 8] = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

/// Which requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Which {
    verbs: Vec<String>,
    /// Plural and group.
    resources: Vec<(String, String)>,
}

impl Which {
    /// Reads what was named.
    ///
    /// # Errors
    /// Every fault.
    pub(super) fn read(verbs: Option<&[String]>, resources: Option<&[String]>) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        // A list that was left empty must not come to everything.
        for (name, list) in [("verbs", verbs), ("resources", resources)] {
            if list.is_some_and(<[String]>::is_empty) {
                faults.push(Fault::at(name, "it is empty: leave it out where all are meant"));
            }
        }
        let (verbs, resources) = (verbs.unwrap_or_default(), resources.unwrap_or_default());
        for verb in verbs.iter().filter(|verb| !VERBS.contains(&verb.as_str())) {
            let near = words::nearest(verb, VERBS).map_or_else(String::new, |near| format!("; did you mean {near}?"));
            faults.push(Fault::at("verbs", format!("{verb:?} is none of {}{near}", VERBS.join(", "))));
        }
        let mut read = Vec::new();
        for typed in resources {
            match object::resource(typed) {
                Ok(resource) => read.push(resource),
                Err(why) => faults.push(Fault::at("resources", why)),
            }
        }
        if faults.is_empty() { Ok(Self { verbs: verbs.to_vec(), resources: read }) } else { Err(faults) }
    }

    /// In words.
    pub(super) fn words(&self) -> String {
        let resources: Vec<String> = self.resources.iter().map(|(plural, group)| named(plural, group)).collect();
        match (self.verbs.join(", "), resources.join(", ")) {
            (verbs, resources) if verbs.is_empty() && resources.is_empty() => "all requests".into(),
            (verbs, resources) if resources.is_empty() => format!("the requests to {verbs}"),
            (verbs, resources) if verbs.is_empty() => format!("the requests for {resources}"),
            (verbs, resources) => format!("the requests to {verbs} {resources}"),
        }
    }

    /// The rules of a flow schema that match these requests of a subject.
    fn rule(&self, subject: &Subject) -> Value {
        let verbs = if self.verbs.is_empty() { json!(["*"]) } else { json!(self.verbs) };
        let of = |groups: Value, resources: Value| json!({"verbs": verbs, "apiGroups": groups, "resources": resources, "clusterScope": true, "namespaces": ["*"]});
        let resources: Vec<Value> = if self.resources.is_empty() {
            vec![of(json!(["*"]), json!(["*"]))]
        } else {
            self.resources.iter().map(|(plural, group)| of(json!([group]), json!([plural]))).collect()
        };
        let mut rule = json!({"subjects": [entry(subject)], "resourceRules": resources});
        if self.resources.is_empty() {
            rule["nonResourceRules"] = json!([{"verbs": verbs, "nonResourceURLs": ["*"]}]);
        }
        rule
    }
}

fn named(plural: &str, group: &str) -> String {
    if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") }
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
        json!({"name": self.name, "annotations": {MARK: format!("{} {subject}", self.mark)}})
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

    fn flow_body(&self, subject: &Subject, which: &Which) -> Value {
        json!({
            "apiVersion": format!("{GROUP}/v1"), "kind": "FlowSchema", "metadata": self.metadata(subject),
            "spec": {
                "priorityLevelConfiguration": {"name": self.name}, "matchingPrecedence": PRECEDENCE,
                "rules": [which.rule(subject)],
            },
        })
    }

    /// What may be sent, and what for.
    pub(super) fn announced(&self, subject: &Subject, which: &Which) -> [(Op, &'static str); 2] {
        let level = post(&self.level(), self.level_body(subject));
        let flow = post(&self.flow(), self.flow_body(subject, which));
        [
            (Op::Kube(level), "the level: no seat of its own, and what it cannot run is rejected"),
            (Op::Kube(flow), "the schema: what is asked by the client goes to that level"),
        ]
    }

    pub(super) fn make_level(&self, subject: &Subject, deadline: HumanDuration) -> Change {
        let because = format!("a level that lets one request in at a time is there for {subject}");
        create(LEVEL, &self.level(), self.level_body(subject), because, deadline)
    }

    pub(super) fn make_flow(&self, subject: &Subject, which: &Which, deadline: HumanDuration) -> Change {
        let because = format!("{} of {subject} go to that level", which.words());
        create(FLOW, &self.flow(), self.flow_body(subject, which), because, deadline)
    }
}

fn post(at: &ObjectRef, body: Value) -> KubeCall {
    KubeCall {
        method: Method::Post,
        path: at.collection(),
        content_type: "application/json".into(),
        body: Body::Json(body),
        // There is one object by a name: a second POST is refused.
        idempotent: true,
        already: Vec::new(),
        holds: None,
    }
}

fn create(key: &str, at: &ObjectRef, body: Value, because: String, deadline: HumanDuration) -> Change {
    // What is deleted again is what we made, as the look before the DELETE finds it, and only where it is still that.
    let same = ["/metadata/annotations", "/spec"];
    let same = same.map(|field| (field.to_owned(), body.pointer(field).cloned().unwrap_or_default()));
    let fields = same.into_iter().chain([("/metadata/uid".to_owned(), AS_SEEN.into())]).collect();
    let holds = Holds { path: at.path(), fields, as_sent: false };
    let delete = KubeCall { holds: Some(holds), ..deleting(at, AS_SEEN, AS_SEEN) };
    Change {
        key: key.into(),
        note: None,
        by_hand: format!("echo {} | kubectl create -f -", shell::word(&body.to_string())),
        op: Op::Kube(post(at, body)),
        guard: format!("there is no {at}"),
        inverse: Inverse::By(Box::new(Op::Kube(delete))),
        because,
        deadline_secs: deadline.0.as_secs().max(1),
        keep: Keep::Nothing,
    }
}

//! What a restored right needs: a role that gives all, a binding that names somebody; what is missing there, and the writes that
//! add just that.

use serde_json::{Value, json};

use super::binding::{self, Binding, CLUSTER, short};
use super::subject::{GROUP, Subject};
use crate::change::{Change, Inverse, Keep, KubeCall, Op};
use crate::shell;
use crate::steps::kube_object::{self, Going, text};
use crate::steps::marking::{self, Edit, RESTORED, deleting, patching};
use crate::steps::{ObjectRef, StepError};

/// The role that gives everything; every API server makes it at its start.
pub(in crate::steps) const ADMIN: &str = "cluster-admin";
const AUTOUPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";
const SUBJECTS: &str = "/subjects";
const RULES: &str = "/rules";
const ANNOTATIONS: &str = "/metadata/annotations";
const LABELS: &str = "/metadata/labels";

/// Something that has to be there.
#[derive(Debug, Clone)]
pub(in crate::steps) struct Wish {
    pub(in crate::steps) at: ObjectRef,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    /// The role that gives everything, as every API server makes it.
    Everything,
    /// Some other role: nobody knows what belongs in it.
    Role,
    /// A binding of a role to these, and perhaps others.
    Binding { role: String, subjects: Vec<Subject>, bootstrap: bool },
}

/// What a look at a wish's object came to.
pub(in crate::steps) enum Judged {
    /// It is so.
    There,
    /// These have to be made, one after the other.
    Lacks(Vec<Change>),
    /// The binding gives another role: that one cannot be changed, only deleted and made anew.
    GivesAnother(String),
}

/// Whom a change is made for and how long it may take.
#[derive(Debug, Clone, Copy)]
pub(in crate::steps) struct By<'a> {
    /// What is left in the object: the run and its step.
    pub(in crate::steps) mark: &'a str,
    /// Who: left there, too.
    pub(in crate::steps) operator: &'a str,
    pub(in crate::steps) deadline_secs: u64,
}

/// Behind the mark of what was created: whoever finds it knows that all of it is ours.
const CREATED: &str = " created";

impl By<'_> {
    fn created(self) -> String {
        marking::signed(&format!("{}{CREATED}", self.mark), self.operator)
    }

    fn added(self) -> String {
        marking::signed(self.mark, self.operator)
    }
}

impl Wish {
    /// A role, with all its rules where it is known which these are.
    pub(in crate::steps) fn role(name: &str) -> Self {
        let what = if name == ADMIN { What::Everything } else { What::Role };
        Self { at: ObjectRef { plural: "clusterroles".into(), ..binding::at(CLUSTER, None, name) }, what }
    }

    /// A binding of a cluster role. `bootstrap`: it is one of those that every API server makes at its start.
    pub(in crate::steps) fn binding(name: &str, role: &str, subjects: Vec<Subject>, bootstrap: bool) -> Self {
        Self {
            at: binding::at(CLUSTER, None, name),
            what: What::Binding { role: role.to_owned(), subjects, bootstrap },
        }
    }

    /// Whether it is about a binding.
    pub(in crate::steps) fn is_a_binding(&self) -> bool {
        matches!(self.what, What::Binding { .. })
    }

    /// Its object, as it can be typed.
    pub(in crate::steps) fn short(&self) -> String {
        match self.what {
            What::Binding { .. } => short(&self.at),
            What::Everything | What::Role => format!("clusterrole/{}", self.at.name),
        }
    }

    /// Which change makes it so.
    pub(in crate::steps) fn key(&self) -> String {
        format!("restore-{}", self.short())
    }

    /// Which change takes a binding of another role away first.
    pub(in crate::steps) fn key_of_old(&self) -> String {
        format!("take-{}", self.short())
    }

    /// What it is for, in the plan.
    pub(in crate::steps) fn intent(&self) -> String {
        match &self.what {
            What::Everything => format!("{} with all its rules", self.short()),
            What::Role => format!("{} (looked at only)", self.short()),
            What::Binding { role, subjects, .. } => {
                format!("{} of ClusterRole {role} to {}", self.short(), listed(subjects))
            }
        }
    }

    /// All of it as it is created where there is none.
    fn created(&self, mark: &str) -> Value {
        let bootstrap = || {
            let annotations = json!({AUTOUPDATE: "true", RESTORED: mark});
            json!({
                "name": self.at.name, "annotations": annotations,
                "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
            })
        };
        let plain = || json!({"name": self.at.name, "annotations": {RESTORED: mark}});
        let version = format!("{GROUP}/v1");
        match &self.what {
            What::Everything | What::Role => {
                json!({"apiVersion": version, "kind": "ClusterRole", "metadata": bootstrap(), "rules": all_rules()})
            }
            What::Binding { role, subjects, bootstrap: by_servers } => json!({
                "apiVersion": version, "kind": "ClusterRoleBinding",
                "metadata": if *by_servers { bootstrap() } else { plain() },
                "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": role},
                "subjects": subjects.iter().map(Subject::entry).collect::<Vec<_>>(),
            }),
        }
    }

    /// What may be sent for it, with placeholders for what only a look can know, and what for.
    pub(in crate::steps) fn announced(&self) -> Vec<(Op, &'static str)> {
        let edit = |field: &str| {
            let value = |what: &str| json!(format!("<{what}>"));
            vec![Edit {
                field: field.into(),
                beside: None,
                before: value("as seen"),
                after: value("with what is missing"),
            }]
        };
        let create = (Op::Kube(self.creating("<this run and step>")), "creates it, where there is none");
        let patch = |field: &str| Op::Kube(patching(&self.at, marking::announced(&edit(field)), None));
        match self.what {
            What::Role => Vec::new(),
            What::Everything => vec![create, (patch(RULES), "adds the rules that are missing, instead")],
            What::Binding { .. } => {
                let delete = Op::Kube(deleting(&self.at, "<uid seen by the look>", "<version seen by the look>"));
                vec![
                    create,
                    (patch(SUBJECTS), "adds whom it does not name, instead"),
                    (delete, "deletes it first, where it gives another role and that was agreed to"),
                ]
            }
        }
    }

    /// What a look says of an object that is not there.
    ///
    /// # Errors
    /// When it is a role that nobody here can make.
    pub(in crate::steps) fn absent(&self, by: By<'_>) -> Result<Judged, StepError> {
        match &self.what {
            What::Role => Err(StepError::Refused {
                why: format!("{} is not there: a binding to it would give nothing", self.short()),
                hint: Some("kubectl get clusterroles --no-headers says which there are".into()),
            }),
            What::Everything | What::Binding { .. } => Ok(Judged::Lacks(vec![self.create(by)])),
        }
    }

    /// What a look says of an object that is there. `replace`: a binding of another role may be deleted and made anew.
    ///
    /// # Errors
    /// When it is being deleted, or its rules are not its own.
    pub(in crate::steps) fn judge(&self, object: &Value, replace: bool, by: By<'_>) -> Result<Judged, StepError> {
        if let Some(going) = Going::of(object) {
            return Err(StepError::Refused {
                why: format!("{}: {going}", self.short()),
                hint: Some(going.hint(&self.at)),
            });
        }
        match &self.what {
            What::Role => Ok(Judged::There),
            What::Everything => self.rules(object, by),
            What::Binding { role, subjects, .. } => {
                let gives = Binding { at: self.at.clone(), object: object.clone() };
                if text(object, "/roleRef/kind") != "ClusterRole" || text(object, "/roleRef/name") != role {
                    let changes = || vec![self.take_old(&gives, role, by), self.create(by)];
                    return Ok(if replace { Judged::Lacks(changes()) } else { Judged::GivesAnother(gives.role()) });
                }
                let missing: Vec<Subject> = subjects.iter().filter(|one| !gives.names(one)).cloned().collect();
                if missing.is_empty() {
                    return Ok(Judged::There);
                }
                let all = gives.subjects().iter().cloned().chain(missing.iter().map(Subject::entry)).collect();
                let because = format!("{} does not name {}", self.short(), listed(&missing));
                Ok(Judged::Lacks(vec![self.add(object, SUBJECTS, all, because, by)]))
            }
        }
    }

    fn rules(&self, object: &Value, by: By<'_>) -> Result<Judged, StepError> {
        if object.get("aggregationRule").is_some_and(|rule| !rule.is_null()) {
            return Err(StepError::Refused {
                why: format!(
                    "{} has an aggregationRule: a controller writes its rules, and would take out what is added",
                    self.short()
                ),
                hint: Some(format!("kubectl edit {}, and take its aggregationRule out", self.short())),
            });
        }
        let rules = object["rules"].as_array().cloned().unwrap_or_default();
        let missing: Vec<Value> =
            all_rules().into_iter().filter(|wanted| !rules.iter().any(|it| covers(it, wanted))).collect();
        if missing.is_empty() {
            return Ok(Judged::There);
        }
        let because = format!("{} does not give everything", self.short());
        Ok(Judged::Lacks(vec![self.add(object, RULES, [rules, missing].concat(), because, by)]))
    }

    /// Whether this step of this run made it what it is.
    pub(in crate::steps) fn is_ours(object: &Value, mark: &str) -> bool {
        let marked = marking::marked_by(object, RESTORED);
        marked.strip_suffix(CREATED).unwrap_or(marked) == mark
    }

    /// What API servers will do with it when they start, as far as it says.
    pub(in crate::steps) fn at_a_start(&self, object: Option<&Value>) -> Option<String> {
        let by_servers = matches!(self.what, What::Everything | What::Binding { bootstrap: true, .. });
        let object = object.filter(|_| by_servers);
        let off = object.is_some_and(|object| object["metadata"]["annotations"][AUTOUPDATE] == "false");
        off.then(|| format!("no API server puts {} right at its start: {AUTOUPDATE} is \"false\" there", self.short()))
    }

    fn creating(&self, mark: &str) -> KubeCall {
        marking::creating(&self.at, self.created(mark))
    }

    fn create(&self, by: By<'_>) -> Change {
        let (call, body) = (self.creating(&by.created()), self.created(&by.created()));
        let by_hand = match &self.what {
            What::Binding { role, subjects, .. } => {
                let to = subjects.iter().map(Subject::kubectl_flag).collect::<Vec<_>>().join(" ");
                let (name, role) = (shell::word(&self.at.name), shell::word(role));
                format!("kubectl create clusterrolebinding {name} --clusterrole={role} {to}")
            }
            What::Everything | What::Role => {
                format!("echo {} | kubectl create -f -", shell::word(&body.to_string()))
            }
        };
        self.change(self.key(), call, self.deleted_again(&body), "there is none by this name", by_hand, by)
    }

    /// Deletes what we create, where it is still just what we sent.
    fn deleted_again(&self, sent: &Value) -> Inverse {
        let same =
            [ANNOTATIONS, LABELS, "/metadata/finalizers", "/metadata/ownerReferences", RULES, "/roleRef", SUBJECTS];
        Inverse::By(Box::new(Op::Kube(marking::deleting_again(&self.at, sent, &same))))
    }

    fn add(&self, object: &Value, field: &str, all: Vec<Value>, because: String, by: By<'_>) -> Change {
        let before = object.pointer(field).cloned().unwrap_or_default();
        let edits = [Edit { field: field.into(), beside: None, before, after: all.into() }];
        let (there, back) = marking::patches(object, &edits, RESTORED, &by.added());
        let inverse = patching(&self.at, back, Some(marking::as_before(&self.at, &edits)));
        let by_hand = format!(
            "kubectl patch {} {} --type=json -p {}",
            self.at.resource(),
            shell::word(&self.at.name),
            shell::word(&there.to_string())
        );
        let call = patching(&self.at, there, None);
        let inverse = Inverse::By(Box::new(Op::Kube(inverse)));
        let uid = text(object, "/metadata/uid");
        let guard = format!("{} still has uid {uid}, and {field} is as it was seen", self.short());
        Change { guard, because, ..self.change(self.key(), call, inverse, "", by_hand, by) }
    }

    fn take_old(&self, old: &Binding, role: &str, by: By<'_>) -> Change {
        let (uid, version) = (text(&old.object, "/metadata/uid"), text(&old.object, "/metadata/resourceVersion"));
        let call = deleting(&self.at, uid, version);
        let guard = format!("{} still has uid {uid} and version {version}", self.short());
        let by_hand = format!("kubectl delete clusterrolebinding {}", shell::word(&self.at.name));
        let because =
            format!("it gives {}, and which role a binding gives cannot be changed: it is to be {role}", old.role());
        let inverse = kube_object::created_again(&self.at, &old.object);
        Change { guard, because, ..self.change(self.key_of_old(), call, inverse, "", by_hand, by) }
    }

    fn change(&self, key: String, call: KubeCall, inverse: Inverse, why: &str, by_hand: String, by: By<'_>) -> Change {
        Change {
            key,
            note: None,
            op: Op::Kube(call),
            guard: format!("there is no {}", self.short()),
            inverse,
            because: format!("{}: {why}", self.short()),
            by_hand,
            deadline_secs: by.deadline_secs,
            keep: Keep::Nothing,
        }
    }
}

fn listed(subjects: &[Subject]) -> String {
    subjects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The rules of the role that gives everything, as API servers make it.
fn all_rules() -> Vec<Value> {
    vec![
        json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}),
        json!({"nonResourceURLs": ["*"], "verbs": ["*"]}),
    ]
}

/// Whether a rule gives all that another one does, which names everything by stars.
fn covers(rule: &Value, wanted: &Value) -> bool {
    let all = |field: &str| rule[field].as_array().is_some_and(|words| words.iter().any(|word| word == "*"));
    let narrowed = rule["resourceNames"].as_array().is_some_and(|names| !names.is_empty());
    !narrowed && wanted.as_object().is_some_and(|fields| fields.keys().all(|field| all(field)))
}

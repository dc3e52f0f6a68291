//! The write that disarms an object, and the one that arms it again.

use serde_json::{Value, json};

use super::webhook::{Configuration, Webhook, short, without};
use crate::change::{Change, Inverse, Keep, KubeCall, Op};
use crate::shell;
use crate::steps::ObjectRef;
use crate::steps::kube_object::{self, text};
use crate::steps::marking::{self, DISARMED, Edit};

const ACTIONS: &str = "/spec/validationActions";

/// What is done to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum How {
    /// What a webhook does not answer is let through.
    Ignore,
    /// A webhook is not asked about these namespaces.
    Exclude(Vec<String>),
    /// A policy warns where it refused.
    Warn,
    /// The object is saved and deleted.
    Delete,
}

impl How {
    /// In words.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Ignore => "failurePolicy Ignore, so that what it does not answer is let through".into(),
            Self::Exclude(namespaces) => format!("not asked about {}", namespaces.join(", ")),
            Self::Warn => "validationActions Warn, so that it warns where it refused".into(),
            Self::Delete => "saved and deleted".into(),
        }
    }

    /// What it changes in one webhook; `None`: it is so already.
    pub(super) fn of(&self, webhook: Webhook<'_>) -> Option<Edit> {
        let (name, after) = match self {
            Self::Ignore => ("failurePolicy", webhook.fails().then(|| json!("Ignore"))),
            Self::Exclude(namespaces) => ("namespaceSelector", without(webhook.field("namespaceSelector"), namespaces)),
            Self::Warn | Self::Delete => return None,
        };
        let (place, before) = (webhook.place, webhook.field(name).clone());
        Some(Edit {
            field: format!("/webhooks/{place}/{name}"),
            beside: Some((format!("/webhooks/{place}/name"), json!(webhook.name()))),
            before,
            after: after?,
        })
    }

    /// What it changes in a policy's binding; `None`: it is so already.
    pub(super) fn of_binding(&self, binding: &Value) -> Option<Edit> {
        let before = binding.pointer(ACTIONS)?;
        let actions: Vec<&str> = before.as_array()?.iter().filter_map(Value::as_str).collect();
        if *self != Self::Warn || !actions.contains(&"Deny") {
            return None;
        }
        let after: Vec<&str> = actions.iter().map(|action| if *action == "Deny" { "Warn" } else { action }).collect();
        Some(Edit { field: ACTIONS.into(), beside: None, before: before.clone(), after: json!(after) })
    }

    /// What may be sent for an object, with placeholders for what only a look can know, and what for.
    pub(super) fn announced(&self, at: &ObjectRef, several: bool) -> Vec<(Op, &'static str)> {
        let patching = |body| Op::Kube(marking::patching(at, body, None));
        let edit = |name: &str, after: Value| Edit {
            field: format!("/webhooks/<its place>/{name}"),
            beside: Some(("/webhooks/<its place>/name".into(), json!("<its name>"))),
            before: json!("<as seen>"),
            after,
        };
        let (edit, why) = match self {
            Self::Delete => {
                let delete = marking::deleting(at, "<uid seen by the look>", "<version seen by the look>");
                return vec![(Op::Kube(delete), "deletes it; it is saved beside the journal")];
            }
            Self::Warn => {
                let edit = Edit {
                    field: ACTIONS.into(),
                    beside: None,
                    before: json!("<as seen>"),
                    after: json!("<the same with Warn for Deny>"),
                };
                (edit, "lets through what the policy refuses, with a warning")
            }
            Self::Ignore => (edit("failurePolicy", json!("Ignore")), "lets through what the webhook does not answer"),
            Self::Exclude(_) => {
                let after = json!("<the same without the namespaces>");
                (edit("namespaceSelector", after), "keeps the webhook out of the namespaces")
            }
        };
        let mut all = vec![(patching(marking::announced(&[edit])), why)];
        if several {
            let ops = json!("<the same tests and changes for each of its webhooks, in one patch>");
            all.push((patching(ops), "instead, where several webhooks of one configuration are changed"));
        }
        all
    }
}

/// Which change of a step an object's is.
pub(super) fn key(at: &ObjectRef) -> String {
    format!("disarm-{}", short(at))
}

/// The run that disarmed an object, if it was one of ours; empty where none did.
pub(super) fn marked_by(object: &Value) -> &str {
    marking::marked_by(object, DISARMED)
}

/// The change that makes these edits in an object.
pub(super) fn patch(seen: &Configuration, edits: &[Edit], how: &How, by: &str, deadline_secs: u64) -> Change {
    let Configuration { at, object } = seen;
    let (there, back) = marking::patches(object, edits, DISARMED, by);
    let inverse = Inverse::By(Box::new(Op::Kube(marking::patching(at, back, Some(marking::as_before(at, edits))))));
    let fields: Vec<String> = edits.iter().map(|edit| format!("{} is still {}", edit.field, edit.before)).collect();
    let by_hand =
        format!("kubectl patch {} {} --type=json -p {}", at.resource(), at.name, shell::word(&there.to_string()));
    Change {
        key: key(at),
        note: None,
        guard: format!("{} still has uid {}, and {}", short(at), text(object, "/metadata/uid"), fields.join(", ")),
        op: Op::Kube(marking::patching(at, there, None)),
        inverse,
        because: because(seen, edits, how),
        by_hand,
        deadline_secs,
        keep: Keep::Nothing,
    }
}

fn because(seen: &Configuration, edits: &[Edit], how: &How) -> String {
    let names: Vec<&str> = edits.iter().filter_map(|edit| edit.beside.as_ref()?.1.as_str()).collect();
    match names.as_slice() {
        [] => format!("{} is to be disarmed: {}", short(&seen.at), how.words()),
        names => format!("{} of {} is to be disarmed: {}", names.join(", "), short(&seen.at), how.words()),
    }
}

/// The change that deletes an object as it was seen.
pub(super) fn delete(seen: &Configuration, deadline_secs: u64) -> Change {
    let Configuration { at, object } = seen;
    let (uid, version) = (text(object, "/metadata/uid"), text(object, "/metadata/resourceVersion"));
    let call: KubeCall = marking::deleting(at, uid, version);
    let options = call.body.bytes().unwrap_or_default();
    let options = shell::word(&String::from_utf8_lossy(&options));
    Change {
        key: key(at),
        note: None,
        guard: format!("{} still has uid {uid} and version {version}", short(at)),
        by_hand: format!("echo {options} | kubectl delete --raw {} -f -", shell::word(&call.path)),
        op: Op::Kube(call),
        inverse: kube_object::created_again(at, object),
        because: format!("{} is to be disarmed: {}", short(at), How::Delete.words()),
        deadline_secs,
        keep: Keep::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::disarm::webhook::{VALIDATING, at};

    fn seen() -> Configuration {
        let webhook =
            |name: &str, policy: &str| json!({"name": name, "failurePolicy": policy, "namespaceSelector": {}});
        let object = json!({"metadata": {"name": "policy", "uid": "u", "resourceVersion": "7"},
            "webhooks": [webhook("a", "Ignore"), webhook("b", "Fail")]});
        Configuration { at: at(VALIDATING, "policy"), object }
    }

    #[test]
    fn only_the_webhook_that_refuses_is_changed_at_its_place_and_by_its_name() {
        let seen = seen();
        let edits: Vec<Edit> = seen.webhooks().filter_map(|webhook| How::Ignore.of(webhook)).collect();
        let [edit] = edits.as_slice() else { panic!("{edits:?}") };
        assert_eq!((edit.field.as_str(), &edit.before), ("/webhooks/1/failurePolicy", &json!("Fail")));
        assert_eq!(edit.beside, Some(("/webhooks/1/name".into(), json!("b"))));
        let change = patch(&seen, &edits, &How::Ignore, "r1", 60);
        assert!(change.because.starts_with("b of validatingwebhookconfiguration/policy"), "{}", change.because);
        assert!(
            change.by_hand.starts_with("kubectl patch validatingwebhookconfigurations.admissionregistration.k8s.io ")
        );
    }

    #[test]
    fn a_namespace_is_left_out_and_the_selector_comes_back_as_it_was() {
        let seen = seen();
        let how = How::Exclude(vec!["policy".into()]);
        let edits: Vec<Edit> = seen.webhooks().filter_map(|webhook| how.of(webhook)).collect();
        assert_eq!(edits.len(), 2, "also of one that only hangs");
        assert_eq!(edits[0].before, json!({}));
        assert_eq!(edits[0].after["matchExpressions"][0]["values"], json!(["policy"]));
    }

    #[test]
    fn a_policy_warns_where_it_refused_and_goes_on_auditing() {
        let binding = |actions: Value| json!({"spec": {"validationActions": actions}});
        let edit = How::Warn.of_binding(&binding(json!(["Deny", "Audit"]))).unwrap();
        assert_eq!(edit.after, json!(["Warn", "Audit"]));
        assert!(How::Warn.of_binding(&binding(json!(["Audit"]))).is_none());
        assert!(How::Warn.of_binding(&json!({})).is_none());
    }

    #[test]
    fn what_is_deleted_is_deleted_as_it_was_seen_and_kept_whole() {
        let change = delete(&seen(), 60);
        let Op::Kube(call) = &change.op else { panic!("{:?}", change.op) };
        assert_eq!(call.demanded_uid(), Some("u"));
        let Inverse::By(op) = &change.inverse else { panic!("{:?}", change.inverse) };
        assert!(op.blob().is_some());
    }
}

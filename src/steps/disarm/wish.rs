//! What is to be disarmed and how, as a runbook or a person says it, with all that can be refused without a look.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use super::taking::How;
use super::webhook::{GROUP, MUTATING, VALIDATING, short};
use crate::steps::{Fault, ObjectRef};
use crate::world::{ABOUT_FILES, FROM_FILES};

/// What is to be disarmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    /// Whatever cannot answer.
    Dead,
    /// The webhook of this name, wherever it is.
    Webhook(String),
    /// This object, or one webhook of it.
    Object { at: ObjectRef, sort: Sort, webhook: Option<String> },
}

/// What kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// A configuration of webhooks.
    Webhooks,
    /// The binding of a validating policy.
    Binding,
    /// The binding of a mutating policy, which knows nothing between all and nothing.
    Mutating,
    /// An aggregated API.
    ApiService,
}

/// What to do, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum HowWord {
    /// A webhook's failurePolicy becomes Ignore: what it does not answer is let through.
    Ignore,
    /// A webhook is not asked about `namespaces` any more. What has no namespace it is asked about all the same.
    Exclude,
    /// A validating policy warns where it refused.
    Warn,
    /// The object is saved and deleted.
    Delete,
}

impl HowWord {
    fn word(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Exclude => "exclude",
            Self::Warn => "warn",
            Self::Delete => "delete",
        }
    }
}

impl Wish {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong, and with which parameter.
    pub(super) fn read(object: Option<&str>, webhook: Option<&str>) -> Result<Self, Fault> {
        for (key, name) in [("object", object), ("webhook", webhook)] {
            if let Some(name) = name.filter(|name| name.ends_with(FROM_FILES)) {
                return Err(Fault::at(
                    key,
                    format!("{name:?} comes from a file, and the API cannot disarm it; next: {ABOUT_FILES}"),
                ));
            }
        }
        let fits = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if let Some(name) = webhook.filter(|name| name.is_empty() || !name.chars().all(fits)) {
            return Err(Fault::at(
                "webhook",
                format!("{name:?} is no webhook's name: one is like pods.policy.example.com"),
            ));
        }
        let webhook = webhook.map(str::to_owned);
        let Some(object) = object else { return Ok(webhook.map_or(Self::Dead, Self::Webhook)) };
        let at = ObjectRef::parse(object, None).map_err(|why| Fault::at("object", why))?;
        let sort = match (at.group.as_str(), at.plural.as_str()) {
            (GROUP, VALIDATING | MUTATING) => Sort::Webhooks,
            (GROUP, "validatingadmissionpolicybindings") => Sort::Binding,
            (GROUP, "mutatingadmissionpolicybindings") => Sort::Mutating,
            ("apiregistration.k8s.io", "apiservices") => Sort::ApiService,
            (GROUP, "validatingadmissionpolicies" | "mutatingadmissionpolicies") => {
                return Err(Fault::at(
                    "object",
                    "a policy acts by its bindings: name the binding that the refusal quotes",
                ));
            }
            _ => {
                let why = format!(
                    "{} is not asked about admission; what can be disarmed: validatingwebhookconfigurations, \
                     mutatingwebhookconfigurations, validatingadmissionpolicybindings, mutatingadmissionpolicybindings and \
                     apiservices",
                    at.resource()
                );
                return Err(Fault::at("object", why));
            }
        };
        if webhook.is_some() && sort != Sort::Webhooks {
            return Err(Fault::at("webhook", format!("{} has no webhooks", short(&at))));
        }
        Ok(Self::Object { at, sort, webhook })
    }

    /// What kind of object it is about.
    pub(super) fn sort(&self) -> Sort {
        match self {
            Self::Dead | Self::Webhook(_) => Sort::Webhooks,
            Self::Object { sort, .. } => *sort,
        }
    }
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dead => f.write_str("every webhook that refuses what it does not answer, and cannot answer"),
            Self::Webhook(name) => write!(f, "webhook {name}"),
            Self::Object { at, webhook: None, .. } => f.write_str(&short(at)),
            Self::Object { at, webhook: Some(name), .. } => write!(f, "webhook {name} of {}", short(at)),
        }
    }
}

/// What is done, the narrowest where nothing is said.
///
/// # Errors
/// What does not fit what is to be disarmed.
pub(super) fn how(wish: &Wish, word: Option<HowWord>, namespaces: &[String]) -> Result<How, Fault> {
    let narrowest = match wish.sort() {
        Sort::Webhooks if namespaces.is_empty() => HowWord::Ignore,
        Sort::Webhooks => HowWord::Exclude,
        Sort::Binding => HowWord::Warn,
        Sort::Mutating | Sort::ApiService => HowWord::Delete,
    };
    let word = word.unwrap_or(narrowest);
    if word != HowWord::Exclude && !namespaces.is_empty() {
        return Err(Fault::at("namespaces", format!("they go with `how: exclude`, not with `how: {}`", word.word())));
    }
    match (word, wish.sort()) {
        (HowWord::Ignore, Sort::Webhooks) => Ok(How::Ignore),
        (HowWord::Exclude, Sort::Webhooks) => excluded(namespaces),
        (HowWord::Warn, Sort::Binding) => Ok(How::Warn),
        (HowWord::Delete, _) if matches!(wish, Wish::Object { webhook: None, .. }) => Ok(How::Delete),
        (HowWord::Delete, _) => {
            let why = "the whole object goes, and all webhooks in it: name it as `object`, without `webhook`";
            Err(Fault::at("how", why))
        }
        (word, _) => {
            let or = if narrowest == HowWord::Delete { "" } else { " or `delete`" };
            let why = format!("{wish} knows no `{}`: what it knows is `{}`{or}", word.word(), narrowest.word());
            Err(Fault::at("how", why))
        }
    }
}

fn excluded(namespaces: &[String]) -> Result<How, Fault> {
    let label = |name: &&String| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        name.is_empty() || name.len() > 63 || !name.chars().all(fits)
    };
    match namespaces.iter().find(label) {
        Some(name) => Err(Fault::at("namespaces", format!("{name:?} is no namespace's name"))),
        None if namespaces.is_empty() => Err(Fault::at("namespaces", "say which: `how: exclude` leaves these out")),
        None => Ok(How::Exclude(namespaces.to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn read(object: &str, webhook: &str) -> Result<Wish, String> {
        let some = |word: &'static str| Some(word).filter(|word| !word.is_empty());
        let (object, webhook) = (object.to_owned().leak(), webhook.to_owned().leak());
        Wish::read(some(object), some(webhook)).map_err(|fault| fault.to_string())
    }

    #[test]
    fn what_can_be_disarmed_is_named_exactly() {
        assert_eq!(read("", ""), Ok(Wish::Dead));
        assert_eq!(read("", "pods.x"), Ok(Wish::Webhook("pods.x".into())));
        let named = |object: &str| read(object, "").map(|wish| wish.sort());
        assert_eq!(named("mutatingwebhookconfiguration/a"), Ok(Sort::Webhooks));
        assert_eq!(named("validatingadmissionpolicybinding/a"), Ok(Sort::Binding));
        assert_eq!(named("admissionregistration.k8s.io/v1beta1/mutatingadmissionpolicybindings/a"), Ok(Sort::Mutating));
        assert_eq!(named("apiservice/v1beta1.metrics.k8s.io"), Ok(Sort::ApiService));
        for (object, webhook, word) in [
            ("ds/a/b", "", "what can be disarmed"),
            ("validatingadmissionpolicy/a", "", "bindings"),
            ("apiservice/v1.x", "pods.x", "has no webhooks"),
            ("", "a b", "is no webhook's name"),
            ("", "pods.x.static.k8s.io", "--admission-control-config-file"),
            ("validatingadmissionpolicybinding/b.static.k8s.io", "", "--admission-control-config-file"),
        ] {
            let why = read(object, webhook).unwrap_err();
            assert!(why.contains(word), "{object} {webhook}: {why}");
        }
    }

    #[test]
    fn the_narrowest_change_is_taken_unless_another_fits_and_is_asked_for() {
        let of = |object: &str, webhook: &str, word, namespaces: &[&str]| {
            let namespaces: Vec<String> = namespaces.iter().map(|name| (*name).to_owned()).collect();
            how(&read(object, webhook).unwrap(), word, &namespaces).map_err(|fault| fault.to_string())
        };
        let configuration = "validatingwebhookconfiguration/a";
        assert_eq!(of("", "", None, &[]), Ok(How::Ignore));
        assert_eq!(of(configuration, "", None, &["policy"]), Ok(How::Exclude(vec!["policy".into()])));
        assert_eq!(of(configuration, "", Some(HowWord::Delete), &[]), Ok(How::Delete));
        assert_eq!(of("validatingadmissionpolicybinding/a", "", None, &[]), Ok(How::Warn));
        assert_eq!(of("apiservice/a", "", None, &[]), Ok(How::Delete));
        for (object, webhook, word, namespaces, says) in [
            ("", "", HowWord::Delete, &[][..], "name it as `object`"),
            (configuration, "pods.x", HowWord::Delete, &[], "all webhooks in it"),
            (configuration, "", HowWord::Exclude, &[], "say which"),
            (configuration, "", HowWord::Exclude, &["A/b"], "no namespace's name"),
            (configuration, "", HowWord::Ignore, &["policy"], "go with `how: exclude`"),
            (configuration, "", HowWord::Warn, &[], "knows no `warn`"),
            ("validatingadmissionpolicybinding/a", "", HowWord::Ignore, &[], "is `warn` or `delete`"),
            ("apiservice/a", "", HowWord::Ignore, &[], "knows is `delete`"),
        ] {
            let why = of(object, webhook, Some(word), namespaces).unwrap_err();
            assert!(why.contains(says), "{object} {word:?}: {why}");
        }
    }
}

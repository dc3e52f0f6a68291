//! Admission webhooks as a configuration tells them, pure: whom each calls, about what, and what it does when nobody answers.

use std::fmt;

use base64::Engine as _;
use jiff::Timestamp;
use serde_json::Value;

use crate::kit::pem;
use crate::steps::ObjectRef;
use crate::steps::kube_object::text;
use crate::steps::workload::selector_text;

/// The group of all that decides on admission.
pub(super) const GROUP: &str = "admissionregistration.k8s.io";
/// The two resources that hold webhooks.
pub(super) const VALIDATING: &str = "validatingwebhookconfigurations";
/// See `VALIDATING`.
pub(super) const MUTATING: &str = "mutatingwebhookconfigurations";
/// What a server takes for the time where a configuration says none.
const TIMEOUT: u64 = 10;
/// How many rules or namespaces of a webhook are told.
const TOLD: usize = 4;

/// An object that was seen, and where.
#[derive(Debug, Clone)]
pub(super) struct Configuration {
    /// Its name.
    pub(super) at: ObjectRef,
    /// All of it.
    pub(super) object: Value,
}

/// One entry of a configuration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Webhook<'a> {
    /// Its place in the list.
    pub(super) place: usize,
    entry: &'a Value,
}

/// A service that a webhook calls.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Service {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) port: u64,
}

impl Service {
    /// As all that may be called says whom to call.
    pub(super) fn read(service: &Value) -> Option<Self> {
        let word = |key: &str| service[key].as_str().map(str::to_owned);
        let port = service["port"].as_u64().unwrap_or(443);
        Some(Self { namespace: word("namespace")?, name: word("name")?, port })
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "service {}/{}:{}", self.namespace, self.name, self.port)
    }
}

/// A configuration or a binding, named exactly.
pub(super) fn at(plural: &str, name: &str) -> ObjectRef {
    ObjectRef { group: GROUP.into(), version: "v1".into(), plural: plural.into(), namespace: None, name: name.into() }
}

/// An object in few words, as it can be typed again.
pub(super) fn short(at: &ObjectRef) -> String {
    let one = match at.plural.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None => at.plural.strip_suffix('s').unwrap_or(&at.plural).to_owned(),
    };
    format!("{one}/{}", at.name)
}

impl Configuration {
    /// An item of a list.
    pub(super) fn item(plural: &str, item: &Value) -> Self {
        Self { at: at(plural, text(item, "/metadata/name")), object: item.clone() }
    }

    /// Its webhooks, in their order.
    pub(super) fn webhooks(&self) -> impl Iterator<Item = Webhook<'_>> {
        let all = self.object["webhooks"].as_array().map_or(&[][..], Vec::as_slice);
        all.iter().enumerate().map(|(place, entry)| Webhook { place, entry })
    }
}

impl<'a> Webhook<'a> {
    /// Its name, which a refusal quotes.
    pub(super) fn name(self) -> &'a str {
        text(self.entry, "/name")
    }

    /// A field of it; `Null` where there is none.
    pub(super) fn field(self, name: &str) -> &'a Value {
        &self.entry[name]
    }

    /// Whether what it does not answer is refused.
    pub(super) fn fails(self) -> bool {
        text(self.entry, "/failurePolicy") != "Ignore"
    }

    /// How long it may take, in seconds.
    pub(super) fn timeout(self) -> u64 {
        self.entry["timeoutSeconds"].as_u64().unwrap_or(TIMEOUT)
    }

    /// The service that it calls; `None`: it calls a URL.
    pub(super) fn service(self) -> Option<Service> {
        Service::read(self.entry.pointer("/clientConfig/service")?)
    }

    /// The URL that it calls.
    pub(super) fn url(self) -> &'a str {
        text(self.entry, "/clientConfig/url")
    }

    /// What it is asked about, in words: `CREATE pods; CREATE,UPDATE deployments.apps`.
    fn rules(self) -> String {
        let rules = self.entry["rules"].as_array().map_or(&[][..], Vec::as_slice);
        let words = |rule: &Value, key: &str| -> Vec<String> {
            let all = rule[key].as_array().into_iter().flatten().filter_map(Value::as_str);
            all.map(str::to_owned).collect()
        };
        let mut all: Vec<String> = rules
            .iter()
            .map(|rule| {
                let groups = words(rule, "apiGroups");
                let of = |resource: &String| match groups.as_slice() {
                    [group] if group.is_empty() => resource.clone(),
                    [group] if group == "*" && resource == "*" => "everything".into(),
                    groups => format!("{resource}.{}", groups.join("|")),
                };
                let resources: Vec<String> = words(rule, "resources").iter().map(of).collect();
                format!("{} {}", words(rule, "operations").join(","), resources.join(", "))
            })
            .collect();
        let more = all.len().saturating_sub(TOLD);
        all.truncate(TOLD);
        if more > 0 {
            all.push(format!("{more} rules more"));
        }
        if all.is_empty() { "nothing".into() } else { all.join("; ") }
    }

    /// Where, in words.
    fn scope(self) -> String {
        let selector = &self.entry["namespaceSelector"];
        match selector_text(selector) {
            Ok(words) if words.is_empty() => "in every namespace".into(),
            Ok(words) => format!("in namespaces with {words}"),
            Err(_) => format!("in namespaces that fit {selector}"),
        }
    }

    /// Whether it is asked about the pods of its own service's namespace, so that they cannot come back without it. Only what
    /// needs no look at that namespace's labels is said.
    pub(super) fn judges_its_own(self) -> bool {
        let rules = self.entry["rules"].as_array().map_or(&[][..], Vec::as_slice);
        let has = |rule: &Value, key: &str, wanted: &[&str]| {
            rule[key].as_array().into_iter().flatten().filter_map(Value::as_str).any(|word| wanted.contains(&word))
        };
        let pods = |rule: &Value| {
            has(rule, "apiGroups", &["", "*"])
                && has(rule, "resources", &["pods", "*", "*/*", "pods/*"])
                && has(rule, "operations", &["CREATE", "*"])
        };
        let empty = |key: &str| selector_text(&self.entry[key]).is_ok_and(|words| words.is_empty());
        rules.iter().any(pods) && empty("namespaceSelector") && empty("objectSelector")
    }

    /// What it says of itself: the first half of its chain.
    pub(super) fn says(self) -> String {
        let (policy, after) = if self.fails() { ("Fail", "refused") } else { ("Ignore", "let through") };
        format!(
            "webhook {} ({policy}: {after} when it does not answer within {} s; asked about {} {})",
            self.name(),
            self.timeout(),
            self.rules(),
            self.scope()
        )
    }

    /// The authority that it is verified against.
    pub(super) fn authority(self, now: Timestamp) -> Authority {
        let bundle = text(self.entry, "/clientConfig/caBundle");
        if bundle.is_empty() {
            return Authority::Missing;
        }
        let read = base64::engine::general_purpose::STANDARD.decode(bundle).map_err(|error| error.to_string());
        let certificates = match read.and_then(|pem| pem::certificates(&pem)) {
            Ok(certificates) => certificates,
            Err(why) => return Authority::Unreadable(why),
        };
        match certificates.iter().max_by_key(|one| one.not_after) {
            Some(last) if last.not_after < now => Authority::Ended(last.subject.clone(), last.not_after),
            Some(last) => Authority::Good(last.not_after),
            None => Authority::Missing,
        }
    }
}

/// What a webhook's certificate is verified against, as far as its configuration tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Authority {
    /// Until then, whichever of them lasts longest.
    Good(Timestamp),
    /// All of them have ended.
    Ended(String, Timestamp),
    /// None is named: what the API server's own system trusts counts.
    Missing,
    /// It can be read by nobody, the API server included.
    Unreadable(String),
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good(until) => write!(f, "its CA is good until {}", until.strftime("%Y-%m-%d")),
            Self::Ended(subject, at) => write!(f, "its CA {subject} ended on {}", at.strftime("%Y-%m-%d")),
            Self::Missing => f.write_str("no CA of its own (caBundle is empty)"),
            Self::Unreadable(why) => write!(f, "its caBundle cannot be read ({why})"),
        }
    }
}

impl Authority {
    /// No certificate can be good by it.
    pub(super) fn is_void(&self) -> bool {
        matches!(self, Self::Ended(..) | Self::Unreadable(_))
    }
}

/// The namespace selector with these namespaces left out; `None`: they are left out already.
pub(super) fn without(selector: &Value, namespaces: &[String]) -> Option<Value> {
    const KEY: &str = "kubernetes.io/metadata.name";
    let expressions = selector["matchExpressions"].as_array().cloned().unwrap_or_default();
    let excluded = |namespace: &&String| {
        expressions.iter().any(|one| {
            let values = one["values"].as_array().into_iter().flatten();
            text(one, "/key") == KEY
                && text(one, "/operator") == "NotIn"
                && values.clone().any(|value| value == namespace.as_str())
        })
    };
    let missing: Vec<&String> = namespaces.iter().filter(|namespace| !excluded(namespace)).collect();
    if missing.is_empty() {
        return None;
    }
    let mut all = expressions.clone();
    all.push(serde_json::json!({"key": KEY, "operator": "NotIn", "values": missing}));
    let mut selector = selector.as_object().cloned().unwrap_or_default();
    selector.insert("matchExpressions".into(), all.into());
    Some(selector.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn configuration(entry: Value) -> Configuration {
        Configuration::item(VALIDATING, &json!({"metadata": {"name": "policy"}, "webhooks": [entry]}))
    }

    fn first(seen: &Configuration) -> Webhook<'_> {
        seen.webhooks().next().unwrap()
    }

    #[test]
    fn a_webhook_says_what_it_is_asked_about_where_and_what_comes_of_its_silence() {
        let entry = json!({"name": "pods.example.com", "timeoutSeconds": 2, "rules": [
            {"apiGroups": [""], "operations": ["CREATE"], "resources": ["pods", "services"]},
            {"apiGroups": ["apps", "batch"], "operations": ["CREATE", "UPDATE"], "resources": ["*"]},
            {"apiGroups": ["*"], "operations": ["*"], "resources": ["*"]}]});
        assert_eq!(
            first(&configuration(entry)).says(),
            "webhook pods.example.com (Fail: refused when it does not answer within 2 s; asked about CREATE pods, services; \
             CREATE,UPDATE *.apps|batch; * everything in every namespace)"
        );
        let entry = json!({"name": "x", "failurePolicy": "Ignore",
            "namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]}});
        assert_eq!(
            first(&configuration(entry)).says(),
            "webhook x (Ignore: let through when it does not answer within 10 s; asked about nothing in namespaces with a \
             notin (b))"
        );
    }

    #[test]
    fn whether_it_keeps_its_own_pods_away_is_seen_in_its_rules() {
        let entry = |resources: &str, selector: Value| {
            json!({"namespaceSelector": selector,
            "rules": [{"apiGroups": [""], "operations": ["CREATE"], "resources": [resources]}]})
        };
        let own = |entry: Value| first(&configuration(entry)).judges_its_own();
        assert!(own(entry("pods", json!({}))));
        assert!(own(entry("*", Value::Null)));
        assert!(!own(entry("services", json!({}))));
        assert!(!own(entry("pods", json!({"matchLabels": {"a": "b"}}))));
    }

    #[test]
    fn an_authority_that_has_ended_or_cannot_be_read_is_void() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let bundle = |pem: &str| {
            let bundle = base64::engine::general_purpose::STANDARD.encode(pem);
            first(&configuration(json!({"clientConfig": {"caBundle": bundle}}))).authority(now)
        };
        let made = |from: i32, to: i32| {
            let mut params = rcgen::CertificateParams::default();
            params.not_before = rcgen::date_time_ymd(from, 1, 1);
            params.not_after = rcgen::date_time_ymd(to, 1, 1);
            params.distinguished_name.push(rcgen::DnType::CommonName, "webhooks");
            params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
        };
        let (old, new) = (made(2020, 2021), made(2020, 2030));
        assert!(bundle(&old).is_void());
        assert!(bundle(&old).to_string().ends_with("ended on 2021-01-01"), "{}", bundle(&old));
        assert_eq!(bundle(&(old + &new)).to_string(), "its CA is good until 2030-01-01");
        assert!(bundle("no pem").is_void());
        assert_eq!(bundle(""), Authority::Missing);
    }

    #[test]
    fn a_namespace_is_left_out_once_and_what_stood_there_stays() {
        let before = json!({"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "x", "operator": "Exists"}]});
        let names = ["kube-system".to_owned(), "policy".to_owned()];
        let once = without(&before, &names).unwrap();
        let ours =
            json!({"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system", "policy"]});
        assert_eq!(
            once,
            json!({"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "x", "operator": "Exists"}, ours]})
        );
        assert_eq!(without(&once, &names), None);
        assert_eq!(without(&Value::Null, &names), Some(json!({"matchExpressions": [ours]})));
    }

    #[test]
    fn a_name_is_told_as_it_can_be_typed() {
        assert_eq!(short(&at(VALIDATING, "a")), "validatingwebhookconfiguration/a");
        assert_eq!(short(&at("validatingadmissionpolicies", "a")), "validatingadmissionpolicy/a");
    }
}

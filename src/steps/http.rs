//! `http`: a call to a traffic manager, a pager, a load balancer.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::again::{self, Before};
use super::{Announced, Fault, Kind, Look, Scope, Step, StepError, Survey, Times, params, schema_of};
use crate::change::{Body, Change, HttpCall, Inverse, Keep, Method, Op, Target};
use crate::duration::HumanDuration;
use crate::kit::Cluster;
use crate::shell::quote;

const KEY: &str = "http";

/// The kind.
pub(super) struct Http;

/// Calls a hook. One of `undo` and `noUndo` is needed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// The call.
    #[serde(flatten)]
    call: Call,
    /// The call that takes it back.
    #[serde(default)]
    undo: Option<Call>,
    /// Why nothing takes it back.
    #[serde(default)]
    no_undo: Option<String>,
    /// How long it may take.
    #[serde(default = "deadline")]
    deadline: HumanDuration,
}

/// A call.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Call {
    /// The method.
    #[serde(default)]
    method: Verb,
    /// The whole URL. No credential belongs in it: it stands in the journal.
    url: String,
    /// Addresses (`IP:PORT`) to dial instead of looking the name up, so that it works without DNS.
    #[serde(default)]
    dial: Vec<SocketAddr>,
    /// Headers without secrets.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Headers whose value is read from a file when the call is made.
    #[serde(default)]
    secret_headers: BTreeMap<String, String>,
    /// A file whose text follows the URL when the call is made: for hooks whose address is the secret.
    #[serde(default)]
    secret_path: Option<String>,
    /// A file that is sent as the body when the call is made, instead of `body`.
    #[serde(default)]
    secret_body: Option<String>,
    /// The body, sent as JSON (`Content-Type: application/json`, unless a header says otherwise).
    #[serde(default)]
    body: Option<Value>,
    /// Status codes that mean success; none: any 2xx.
    #[serde(default)]
    expect: Vec<u16>,
    /// Calling it twice does no harm: it is repeated when its reply is lost. PUT and DELETE are taken to be so.
    #[serde(default)]
    idempotent: Option<bool>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Verb {
    Get,
    #[default]
    Post,
    Put,
    Patch,
    Delete,
}

fn deadline() -> HumanDuration {
    HumanDuration::secs(30)
}

impl Call {
    fn idempotent(&self) -> bool {
        self.idempotent.unwrap_or(matches!(self.method, Verb::Get | Verb::Put | Verb::Delete))
    }

    fn op(&self) -> Op {
        let pairs = |map: &BTreeMap<String, String>| map.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        Op::Http(HttpCall {
            method: match self.method {
                Verb::Get => Method::Get,
                Verb::Post => Method::Post,
                Verb::Put => Method::Put,
                Verb::Patch => Method::Patch,
                Verb::Delete => Method::Delete,
            },
            url: self.url.clone(),
            dial: self.dial.clone(),
            headers: pairs(&self.headers),
            secret_headers: pairs(&self.secret_headers),
            secret_path: self.secret_path.clone(),
            secret_body: self.secret_body.clone(),
            body: self.body.clone().map_or(Body::Empty, Body::Json),
            expect: self.expect.clone(),
            idempotent: self.idempotent(),
        })
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let rest = self.url.strip_prefix("https://").or_else(|| self.url.strip_prefix("http://"));
        let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
        match host {
            None | Some("") => {
                faults.push(Fault::at("url", format!("{:?} is not an http:// or https:// URL", self.url)));
            }
            Some(host) if host.contains('@') => {
                faults.push(Fault::at("url", "it holds a credential; use secretHeaders, whose values are in files"));
            }
            Some(_) => {}
        }
        for header in self.headers.keys().filter(|header| secret(header)) {
            let why = "it looks like a secret and would stand in the journal: use secretHeaders";
            faults.push(Fault::at(header, why).under("headers"));
        }
        let query = self.url.split_once('?').map(|(_, query)| query).unwrap_or_default();
        for (key, _) in query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(key, _)| secret(key)) {
            let why = format!("{key} in the URL looks like a secret and would stand in the journal: use secretPath");
            faults.push(Fault::at("url", why));
        }
        if let Some(host) = self.host().filter(|host| address_is_secret(host, &self.url)) {
            let why = format!(
                "an address at {host} is a secret as a whole: put what follows the host into the file of secretPath"
            );
            faults.push(Fault::at("url", why));
        }
        let mut keys = Vec::new();
        self.body.iter().for_each(|body| secrets(body, &mut keys));
        for key in keys {
            let why = format!("{key} in the body looks like a secret and would stand in the journal: use secretBody");
            faults.push(Fault::at("body", why));
        }
        if self.body.is_some() && self.secret_body.is_some() {
            faults.push(Fault::at("body", "body and secretBody exclude each other"));
        }
        for code in self.expect.iter().filter(|code| !(100..600).contains(*code)) {
            faults.push(Fault::at("expect", format!("{code} is no status code")));
        }
        faults
    }

    /// The URL's host, without a port.
    fn host(&self) -> Option<&str> {
        let rest = self.url.split_once("://")?.1;
        let authority = rest.split(['/', '?', '#']).next()?;
        match authority.strip_prefix('[') {
            Some(v6) => v6.split(']').next(),
            None => authority.split(':').next(),
        }
    }

    /// The name that has to be looked up for it.
    fn looks_up(&self) -> Option<&str> {
        self.host().filter(|host| self.dial.is_empty() && host.parse::<IpAddr>().is_err())
    }

    fn by_hand(&self) -> String {
        let method = format!("{:?}", self.method).to_uppercase();
        let headers: String = self
            .headers
            .iter()
            .map(|(name, value)| format!(" -H {}", quote(&format!("{name}: {value}"))))
            .chain(self.secret_headers.iter().map(|(name, path)| {
                // The file is read when the command is typed, as it is when the call is made.
                format!(" -H {}\"$(cat {})\"", quote(&format!("{name}: ")), quote(path))
            }))
            .collect();
        let mut names = self.headers.keys().chain(self.secret_headers.keys());
        let json = if names.any(|name| name.eq_ignore_ascii_case("content-type")) {
            ""
        } else {
            " -H 'content-type: application/json'"
        };
        let body = match (&self.body, &self.secret_body) {
            (_, Some(path)) => format!("{json} --data-binary {}", quote(&format!("@{path}"))),
            (Some(body), None) => format!("{json} -d {}", quote(&body.to_string())),
            (None, None) => String::new(),
        };
        let rest = self.secret_path.as_ref().map_or_else(String::new, |path| format!("\"$(cat {})\"", quote(path)));
        format!("curl -sS -X {method}{headers}{body} {}{rest}", quote(&self.url))
    }
}

/// Whether something by this name is no business of a journal.
fn secret(name: &str) -> bool {
    let name: String = name.to_ascii_lowercase().replace(['-', '_'], "");
    let whole = ["key", "sig", "auth", "pw", "pwd", "pass"];
    let parts =
        ["authorization", "cookie", "token", "secret", "password", "passwd", "apikey", "credential", "privatekey"];
    let more = ["routingkey", "integrationkey", "accesskey", "signature"];
    whole.contains(&name.as_str()) || parts.iter().chain(&more).any(|part| name.contains(part))
}

/// The keys of texts in a body that look like secrets.
fn secrets<'a>(body: &'a Value, found: &mut Vec<&'a str>) {
    match body {
        Value::Object(map) => {
            let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
            found.extend(map.iter().filter(|(key, value)| secret(key) && text(value)).map(|(key, _)| key.as_str()));
            map.values().for_each(|value| secrets(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| secrets(item, found)),
        _ => {}
    }
}

/// Hooks that let in whoever knows their address.
fn address_is_secret(host: &str, url: &str) -> bool {
    let path =
        url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map(|(_, path)| path).unwrap_or_default();
    let known = host == "hooks.slack.com" || host.ends_with(".webhook.office.com");
    let discord = matches!(host, "discord.com" | "discordapp.com") && path.starts_with("api/webhooks/");
    let after = |prefix: &str| path.strip_prefix(prefix).unwrap_or(path);
    (known && !after("services/").is_empty()) || (discord && path != "api/webhooks/")
}

impl Kind for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    fn doc(&self) -> &'static str {
        "Calls a hook: a traffic manager, a pager, a load balancer. One request, from the operator's machine. What \
         takes it back is another call in `undo`, or the reason why nothing does in `noUndo`: one of them must be \
         there. With `dial` no name is looked up; without it the plan says which one is. What is secret is read from files when \
         the call is made (`secretHeaders`, `secretPath`, `secretBody`) and stands in no plan and no journal; what looks \
         like a secret elsewhere is refused. When the reply is lost, PUT, DELETE and what is said to be \
         `idempotent` are repeated; anything else is asked about."
    }

    fn scope(&self) -> Scope {
        Scope::Local
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let with: Params = params(with)?;
        let mut faults = with.call.faults();
        faults.extend(with.undo.iter().flat_map(Call::faults).map(|fault| fault.under("undo")));
        match (&with.undo, &with.no_undo) {
            (Some(_), Some(_)) => faults.push(Fault::at("undo", "undo and noUndo exclude each other")),
            (Some(_), None) => {}
            (None, Some(why)) if !why.trim().is_empty() => {}
            _ => faults.push(Fault::at("undo", "say which call takes it back, or in noUndo why none does")),
        }
        if faults.is_empty() { Ok(Box::new(with)) } else { Err(faults) }
    }
}

impl Step for Params {
    fn intent(&self) -> String {
        self.call.op().summary()
    }

    fn announce(&self, _: &Target, _: &Cluster) -> Vec<Announced> {
        vec![Announced::op(self.call.op(), Times::Once, self.why())]
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        let found =
            again::before(look.history, KEY, self.call.idempotent(), &self.intent()).map(|before| match before {
                Before::Made => Survey::done(),
                Before::Ask(question) => Survey { ask: Some(question), ..Survey::default() },
                Before::NotMade => Survey::change(self.change()),
                Before::Repeat => Survey::blind(self.change()),
            });
        async move { found }.boxed()
    }
}

impl Params {
    /// With a warning: no name is looked up on the way out of an incident, but where a runbook does without `dial`.
    fn why(&self) -> String {
        let looks = |what: &str, call: &Call| {
            call.looks_up()
                .map(|name| format!("{what} looks the name {name} up, and fails without DNS: `dial` needs none"))
        };
        let undo = self.undo.as_ref().and_then(|undo| looks("its undo", undo));
        let warnings = [looks("it", &self.call), undo].into_iter().flatten().map(|warning| format!("; {warning}"));
        format!("the hook{}", warnings.collect::<String>())
    }

    fn change(&self) -> Change {
        let inverse = match (&self.undo, &self.no_undo) {
            (Some(undo), _) => Inverse::By(Box::new(undo.op())),
            (None, why) => Inverse::Impossible(why.clone().unwrap_or_default()),
        };
        Change {
            key: KEY.into(),
            note: None,
            op: self.call.op(),
            guard: "none: a hook knows no guards".into(),
            inverse,
            because: "the runbook says so".into(),
            by_hand: self.call.by_hand(),
            deadline_secs: self.deadline.0.as_secs().max(1),
            keep: Keep::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_shell_gives_curl_what_the_call_would_send() {
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("it's a token");
        std::fs::write(&token, "Bearer hush\n").unwrap();
        let call: Call = serde_json::from_value(json!({
            "url": "https://hook.test/a?b='$(id)'&c=1",
            "headers": {"X-Who": "o'brien"},
            "secretHeaders": {"Authorization": token},
            "body": {"text": "it's `down` $HOME"},
        }))
        .unwrap();
        let script = format!(r#"curl() {{ printf '%s\n' "$@"; }}; {}"#, call.by_hand());
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let want = [
            "-sS",
            "-X",
            "POST",
            "-H",
            "X-Who: o'brien",
            "-H",
            "Authorization: Bearer hush",
            "-H",
            "content-type: application/json",
            "-d",
            r#"{"text":"it's `down` $HOME"}"#,
            "https://hook.test/a?b='$(id)'&c=1",
        ];
        assert_eq!(said.lines().collect::<Vec<_>>(), want);
    }

    #[track_caller]
    fn looks_up(with: Value, expected: &[&str]) {
        let step = Http.build(with).map_err(|faults| format!("{faults:?}")).unwrap();
        let cluster = Cluster {
            name: "prod".into(),
            api_servers: Vec::new(),
            hosts: Vec::new(),
            tls_server_name: None,
            ca: Vec::new(),
            credential: crate::kit::Credential::Anonymous,
            credential_ends: None,
            acting_as: None,
            sets: std::collections::BTreeMap::default(),
            source: "a test".into(),
            kept: None,
        };
        let announced = step.announce(&Target::local("prod"), &cluster);
        let all: Vec<String> = announced.iter().map(|one| one.why.clone()).collect();
        assert_eq!(all.join("; ").matches("looks the name").count(), expected.len(), "{all:?}");
        for name in expected {
            assert!(all.iter().any(|why| why.contains(&format!("looks the name {name} up"))), "{all:?}");
        }
    }

    #[test]
    fn a_name_that_is_looked_up_is_announced() {
        let undo = json!({"url": "https://back.test/1", "method": "DELETE"});
        looks_up(json!({"url": "https://pager.test:8443/1?x=y", "noUndo": "x"}), &["pager.test"]);
        looks_up(json!({"url": "https://pager.test/1", "dial": ["10.0.0.9:443"], "undo": undo}), &["back.test"]);
        looks_up(json!({"url": "https://pager.test/1", "undo": undo}), &["pager.test", "back.test"]);
        looks_up(json!({"url": "https://10.0.0.9/1", "noUndo": "x"}), &[]);
        looks_up(json!({"url": "http://[::1]:80/1", "noUndo": "x"}), &[]);
    }
}

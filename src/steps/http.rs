//! `http`: a call to a traffic manager, a pager, a load balancer.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::again::{self, Before};
use super::{Announced, Kind, Look, Scope, Sends, Step, StepError, Survey, Times, params, schema_of};
use crate::change::{Body, Change, HttpCall, Inverse, Keep, Method, Op, Target};
use crate::duration::HumanDuration;
use crate::host::script::quote;
use crate::kit::Cluster;

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
            body: self.body.clone().map_or(Body::Empty, Body::Json),
            expect: self.expect.clone(),
            idempotent: self.idempotent(),
        })
    }

    fn faults(&self, name: &str) -> Vec<String> {
        let mut faults = Vec::new();
        let rest = self.url.strip_prefix("https://").or_else(|| self.url.strip_prefix("http://"));
        let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
        match host {
            None | Some("") => faults.push(format!("{name}: {:?} is not an http:// or https:// URL", self.url)),
            Some(host) if host.contains('@') => {
                faults.push(format!("{name}: the URL holds a credential; use secretHeaders, whose values are in files"));
            }
            Some(_) => {}
        }
        let secret = |header: &&String| {
            let header = header.to_ascii_lowercase();
            ["authorization", "cookie", "token", "secret", "api-key"].iter().any(|word| header.contains(word))
        };
        for header in self.headers.keys().filter(secret) {
            faults.push(format!("{name}: {header} looks like a secret and would stand in the journal: use secretHeaders"));
        }
        for code in self.expect.iter().filter(|code| !(100..600).contains(*code)) {
            faults.push(format!("{name}: {code} in expect is no status code"));
        }
        faults
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
        let body = self.body.as_ref().map_or_else(String::new, |b| format!("{json} -d {}", quote(&b.to_string())));
        format!("curl -sS -X {method}{headers}{body} {}", quote(&self.url))
    }
}

impl Kind for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    fn doc(&self) -> &'static str {
        "Calls a hook: a traffic manager, a pager, a load balancer. One request, from the operator's machine. What \
         takes it back is another call in `undo`, or the reason why nothing does in `noUndo`: one of them must be \
         there. With `dial` no name is looked up. When the reply is lost, PUT, DELETE and what is said to be \
         `idempotent` are repeated; anything else is asked about."
    }

    fn scope(&self) -> Scope {
        Scope::Local
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<String>> {
        let with: Params = params(with)?;
        let mut faults = with.call.faults("url");
        faults.extend(with.undo.iter().flat_map(|undo| undo.faults("undo")));
        match (&with.undo, &with.no_undo) {
            (Some(_), Some(_)) => faults.push("undo: undo and noUndo exclude each other".into()),
            (Some(_), None) => {}
            (None, Some(why)) if !why.trim().is_empty() => {}
            _ => faults.push("undo: say which call takes it back, or in noUndo why none does".into()),
        }
        if faults.is_empty() { Ok(Box::new(with)) } else { Err(faults) }
    }
}

impl Step for Params {
    fn intent(&self) -> String {
        self.call.op().summary()
    }

    fn announce(&self, _: &Target, _: &Cluster) -> Vec<Announced> {
        vec![Announced {
            what: Sends::Op(Box::new(self.call.op())),
            writes: true,
            times: Times::Once,
            why: "the hook".into(),
        }]
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        let found = again::before(look.history, KEY, self.call.idempotent(), &self.intent()).map(|before| match before {
            Before::Made => Survey::done(),
            Before::Ask(question) => Survey { ask: Some(question), ..Survey::default() },
            Before::NotMade => Survey::change(self.change()),
            Before::Repeat => Survey::blind(self.change()),
        });
        async move { found }.boxed()
    }
}

impl Params {
    fn change(&self) -> Change {
        let inverse = match (&self.undo, &self.no_undo) {
            (Some(undo), _) => Inverse::By(Box::new(undo.op())),
            (None, why) => Inverse::Impossible(why.clone().unwrap_or_default()),
        };
        Change {
            key: KEY.into(),
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
            "-sS", "-X", "POST", "-H", "X-Who: o'brien", "-H", "Authorization: Bearer hush",
            "-H", "content-type: application/json", "-d", r#"{"text":"it's `down` $HOME"}"#,
            "https://hook.test/a?b='$(id)'&c=1",
        ];
        assert_eq!(said.lines().collect::<Vec<_>>(), want);
    }
}

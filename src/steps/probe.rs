//! `probe`: what answers, how fast, and which layer is broken.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Announced, Kind, Look, Scope, Sends, Step, StepError, Survey, Times, params, schema_of};
use crate::change::{Part, Target};
use crate::duration::HumanDuration;
use crate::kit::{ApiServer, Cluster};
use crate::world::{Accept, KubeAnswer, KubeRead, ReadError, ReadErrorKind};

const LIVEZ: &str = "/livez";
const READYZ: &str = "/readyz";
/// Slower than this, an answer to a health endpoint is a sign of trouble.
const SLOW: Duration = Duration::from_secs(1);

/// The kind.
pub(super) struct Probe;

/// Looks at each API server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// What must be found; otherwise the step fails.
    #[serde(default)]
    require: Require,
    /// How long each of the requests may take.
    #[serde(default = "within")]
    within: HumanDuration,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Require {
    /// Nothing: report what is seen and go on.
    #[default]
    Nothing,
    /// The API server answers, whatever it says.
    Answers,
    /// `/readyz` answers 200.
    Healthy,
}

fn within() -> HumanDuration {
    HumanDuration::secs(10)
}

impl Kind for Probe {
    fn name(&self) -> &'static str {
        "probe"
    }

    fn doc(&self) -> &'static str {
        "Looks at each API server: a TCP connection (when it is reached directly), GET /livez, GET /readyz, and says in \
         words which layer is broken: network, TLS, credential, overload (429), the process, etcd. At most two requests \
         per API server, exempt from priority and fairness. Changes nothing. Fails only when told what to require."
    }

    fn scope(&self) -> Scope {
        Scope::ApiServers
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<String>> {
        let with: Params = params(with)?;
        if with.within.0.is_zero() {
            return Err(vec!["within: it must be longer than 0s".into()]);
        }
        Ok(Box::new(with))
    }
}

/// What a probe came to, for `require`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Silent,
    Answers,
    Healthy,
}

impl Step for Params {
    fn intent(&self) -> String {
        "look at every API server: connection, /livez, /readyz".into()
    }

    fn announce(&self, target: &Target, cluster: &Cluster) -> Vec<Announced> {
        let look = |what, why: &str| Announced { what, writes: false, times: Times::AtMost(1), why: why.into() };
        let connect = direct(target, cluster)
            .map(|server| look(Sends::Connect(server.address), "does anything listen, and how far away is it"));
        connect
            .into_iter()
            .chain([
                look(Sends::Get(LIVEZ.into()), "is the process alive"),
                look(Sends::Get(READYZ.into()), "is it ready, and if not, which check fails; not asked when /livez is silent"),
            ])
            .collect()
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        async move {
            let name = look.target.short();
            let mut survey = Survey::done();
            let cluster = look.reads.cluster(&look.target.cluster);
            if let Some(server) = cluster.and_then(|cluster| direct(look.target, cluster)) {
                let said = match look.reads.connect(server.address, self.within.0).await {
                    Ok(took) => format!("connected in {} ms", took.as_millis()),
                    Err(error) => format!("no connection: {error}"),
                };
                survey.saw.push(format!("{name}: {} {said}", server.address));
            }
            let mut state = State::Silent;
            for path in [LIVEZ, READYZ] {
                let read = KubeRead { path: path.into(), accept: Accept::Text, limit: self.within.0 };
                let answer = look.reads.kube(look.target, &read).await;
                let silent = answer.is_err();
                survey.saw.push(format!("{name}: {path} {}", words(&answer)));
                state = state.max(match &answer {
                    Ok(answer) if answer.code == 200 && path == READYZ => State::Healthy,
                    Ok(_) => State::Answers,
                    Err(_) => State::Silent,
                });
                if silent {
                    // The second question would wait as long for the same, and cost a drowning server as much.
                    break;
                }
            }
            self.judge(state, survey)
        }
        .boxed()
    }
}

impl Params {
    fn judge(&self, state: State, survey: Survey) -> Result<Survey, StepError> {
        let wanted = match self.require {
            Require::Nothing => return Ok(survey),
            Require::Answers => State::Answers,
            Require::Healthy => State::Healthy,
        };
        if state >= wanted {
            return Ok(survey);
        }
        Err(StepError::Refused {
            why: format!("the step requires {:?}: {}", self.require, survey.saw.join("; ")).to_lowercase(),
            hint: Some("breakglass gate close, when it drowns; breakglass probe again".into()),
        })
    }
}

/// The API server behind a target, when it is dialled from here.
fn direct<'a>(target: &Target, cluster: &'a Cluster) -> Option<&'a ApiServer> {
    let Part::ApiServer(name) = &target.part else { return None };
    cluster.api_server(name).filter(|server| server.via.is_none())
}

/// An answer of a health endpoint, or its absence, in words that name the layer.
fn words(answer: &Result<KubeAnswer, ReadError>) -> String {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let layer = match error.kind {
                ReadErrorKind::NoRoute => "no way in (network, or the process is down)",
                ReadErrorKind::TimedOut => "no answer in time (drowning, hung or cut off)",
                ReadErrorKind::Refused => "TLS or SSH refused us, or we refused it",
                ReadErrorKind::Nonsense => "what answers there is no API server",
            };
            let next = error.hint.as_ref().map(|hint| format!("; next: {hint}")).unwrap_or_default();
            return format!("{layer}: {}{next}", error.tried.join("; "));
        }
    };
    let took = answer.took.as_millis();
    match answer.code {
        200 if answer.took >= SLOW => format!("ok, but slow: {took} ms"),
        200 => format!("ok in {took} ms"),
        401 => format!("401 in {took} ms: it lives, and does not know our credential"),
        403 => format!("403 in {took} ms: it lives, and our credential may not look at it"),
        429 => format!("429 in {took} ms: it lives, and turns requests away (overload)"),
        500..=599 => {
            let failed = failed_checks(&answer.text);
            let what = match failed.as_slice() {
                [] => answer.message(),
                checks if checks.contains(&"etcd") || checks.contains(&"etcd-readiness") => {
                    format!("it cannot reach etcd (failing: {})", checks.join(", "))
                }
                checks => format!("failing: {}", checks.join(", ")),
            };
            format!("{} in {took} ms: {what}", answer.code)
        }
        code => format!("{code} in {took} ms: {}", answer.message()),
    }
}

/// The names after `[-]` in the body of a health endpoint.
fn failed_checks(body: &str) -> Vec<&str> {
    body.lines()
        .filter_map(|line| line.strip_prefix("[-]"))
        .map(|line| line.split_whitespace().next().unwrap_or(line))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(code: u16, text: &str, millis: u64, expected: &str) {
        let took = Duration::from_millis(millis);
        let answer = KubeAnswer { code, text: text.into(), server: "api1".into(), took };
        assert_eq!(words(&Ok(answer)), expected);
    }

    #[test]
    fn answers_name_the_layer_that_is_broken() {
        case(200, "ok", 12, "ok in 12 ms");
        case(200, "ok", 4100, "ok, but slow: 4100 ms");
        case(429, "", 3, "429 in 3 ms: it lives, and turns requests away (overload)");
        case(
            500,
            "[+]ping ok\n[-]etcd failed: reason withheld\n[-]informer-sync failed: reason withheld\n",
            7,
            "500 in 7 ms: it cannot reach etcd (failing: etcd, informer-sync)",
        );
        case(500, "[-]poststarthook/rbac/bootstrap-roles failed\n", 7, "500 in 7 ms: failing: poststarthook/rbac/bootstrap-roles");
        case(504, "gateway", 9, "504 in 9 ms: gateway");
    }

    #[test]
    fn silence_is_told_apart() {
        let say = |kind| words(&Err(ReadError { kind, tried: vec!["x".into()], hint: None }));
        assert!(say(ReadErrorKind::NoRoute).starts_with("no way in"));
        // A deadline may pass before anything was connected: nothing may be called reached.
        assert!(say(ReadErrorKind::TimedOut).starts_with("no answer in time"));
        assert!(say(ReadErrorKind::Refused).starts_with("TLS or SSH"));
    }

    #[test]
    fn what_to_type_next_stands_beside_the_silence() {
        let hint = Some("ssh-keyscan cp1".to_owned());
        let said = words(&Err(ReadError { kind: ReadErrorKind::Refused, tried: vec!["no key".into()], hint }));
        assert!(said.ends_with("no key; next: ssh-keyscan cp1"), "{said}");
    }
}

#[cfg(test)]
mod fuzz {
    use super::*;

    #[test]
    fn whatever_a_server_answers_is_a_sentence_of_a_bounded_length() {
        const BODIES: &[&str] = &[
            "[+]ping ok\n[-]etcd failed: reason withheld\n[-]informer-sync failed: reason withheld\nhealthz check failed\n",
            r#"{"kind":"Status","code":403,"reason":"Forbidden","message":"nodes is forbidden","details":{"name":"x"}}"#,
            "<html><head><title>502 Bad Gateway</title></head></html>",
        ];
        crate::fuzz::each(4_000, &(crate::fuzz::mangled(BODIES), 100_u16..600), |(text, code)| {
            let answer = KubeAnswer { code, text, server: "api1".into(), took: Duration::from_millis(7) };
            let said = words(&Ok(answer));
            proptest::prop_assert!(!said.is_empty() && said.chars().count() < 600, "{}", said.len());
            Ok(())
        });
    }
}

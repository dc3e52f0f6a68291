//! `probe`: what answers, how fast, and which layer is broken.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Announced, Fault, Kind, Look, Scope, Sends, Step, StepError, Survey, Times, params, schema_of};
use crate::change::{Part, Target};
use crate::duration::HumanDuration;
use crate::finding::{self, Answer, Connection, Finding};
use crate::kit::{ApiServer, Cluster};
use crate::words;
use crate::world::{Accept, KubeAnswer, KubeRead, ReadError, ReadErrorKind};

const LIVEZ: &str = "/livez";
const READYZ: &str = "/readyz";
/// Slower than this, an answer to a health endpoint is a sign of trouble.
const SLOW: Duration = Duration::from_secs(1);
/// So many failing checks are named, each up to so many characters.
const SHOWN: usize = 5;
const LONGEST_NAME: usize = 80;
/// What to type about a credential that is not known.
const CREDENTIAL: &str = "breakglass kit check; on a control-plane host: sudo kubeadm certs check-expiration";

/// The kind.
pub(super) struct Probe;

/// Looks at each API server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// What must be found; otherwise the step fails.
    #[serde(default)]
    require: Require,
    /// Of how many API servers of a cluster: `all` (each is judged by itself), `any`, or a number.
    #[serde(default)]
    at_least: AtLeast,
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

/// How many API servers must be as required.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
enum AtLeast {
    /// A word.
    Word(Word),
    /// So many.
    Number(usize),
    /// All of them.
    #[default]
    #[serde(skip)]
    Default,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Word {
    /// Every one.
    All,
    /// One of them.
    Any,
}

impl AtLeast {
    /// `None`: all.
    fn number(self) -> Option<usize> {
        match self {
            Self::Word(Word::All) | Self::Default => None,
            Self::Word(Word::Any) => Some(1),
            Self::Number(number) => Some(number),
        }
    }
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
         words which layer is broken: network, SSH, TLS, credential, overload (429), the process, etcd, or something on the \
         way that answers in its place. At most two requests per API server, exempt from priority and fairness; where the \
         first is a 401, the second goes without our credential, to tell a server that is well from one that is not. \
         Changes nothing. Fails only when told what to require, and of how many."
    }

    fn scope(&self) -> Scope {
        Scope::ApiServers
    }

    /// What is required of some of them is judged over the cluster.
    fn scope_of(&self, with: &Value) -> Scope {
        let some = params::<Params>(with.clone()).is_ok_and(|with| with.at_least.number().is_some());
        if some { Scope::Cluster } else { Scope::ApiServers }
    }

    /// One that is dead must not keep us from looking at the others.
    fn all_together(&self) -> bool {
        true
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let with: Params = params(with)?;
        let mut faults = Vec::new();
        if with.within.0.is_zero() {
            faults.push(Fault::at("within", "it must be longer than 0s"));
        }
        match with.at_least.number() {
            Some(0) => {
                faults.push(Fault::at("atLeast", "it must be at least 1; leave `require` out to require nothing"));
            }
            Some(_) if with.require == Require::Nothing => {
                faults.push(Fault::at("atLeast", "of what? say it in `require`"));
            }
            _ => {}
        }
        if faults.is_empty() { Ok(Box::new(with)) } else { Err(faults) }
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
        let look = |what, why: &str| Announced::new(what, Times::AtMost(1), why);
        let one = |server: Target| {
            let connect = direct(&server, cluster)
                .map(|server| look(Sends::Connect(server.address), "does anything listen, and how far away is it"));
            let ready = "is it ready, and if not, which check fails; without our credential when /livez does not know it; \
                         not asked when /livez is silent";
            connect
                .into_iter()
                .chain([look(Sends::Get(LIVEZ.into()), "is the process alive"), look(Sends::Get(READYZ.into()), ready)])
        };
        servers(target, cluster).into_iter().flat_map(one).collect()
    }

    fn refuse(&self, target: &Target, cluster: &Cluster) -> Vec<String> {
        let there = servers(target, cluster).len();
        let wanted = self.at_least.number().filter(|wanted| *wanted > there);
        let too_many =
            |wanted| format!("atLeast: {wanted} of {} can never be", crate::words::count(there, "API server"));
        wanted.map(too_many).into_iter().collect()
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        async move {
            let Some(cluster) = look.reads.cluster(&look.target.cluster) else {
                return Err(StepError::refused(format!("the kit has no {}", look.target)));
            };
            let servers = servers(look.target, cluster);
            let seen = join_all(servers.iter().map(|server| self.one(look, server, cluster))).await;
            let states: Vec<State> = seen.iter().map(|(state, _)| *state).collect();
            let fails = self.judge(&states);
            Ok(Survey { saw: seen.into_iter().map(|(_, saw)| saw).collect(), fails, ..Survey::default() })
        }
        .boxed()
    }
}

impl Params {
    /// Looks at one API server.
    async fn one(&self, look: Look<'_>, server: &Target, cluster: &Cluster) -> (State, Finding) {
        let connection = match direct(server, cluster) {
            Some(server) => Some(self.connect(look, server).await),
            None => None,
        };
        let read = |path: &str| KubeRead { path: path.into(), accept: Accept::Text, limit: self.within.0 };
        let alive = look.reads.kube(server, &read(LIVEZ)).await;
        let (mut ready, mut anonymous) = (None, false);
        let state = match &alive {
            // The second question would wait as long for the same, and cost a drowning server as much.
            Err(_) => State::Silent,
            Ok(answer) if answer.code == 401 => {
                anonymous = true;
                ready = Some(unknown(&look.reads.kube_anonymous(server, &read(READYZ)).await));
                State::Answers
            }
            Ok(_) => {
                let answer = look.reads.kube(server, &read(READYZ)).await;
                ready = Some(judged(&answer));
                if answer.is_ok_and(|answer| answer.code == 200) { State::Healthy } else { State::Answers }
            }
        };
        let (server, live) = (server.short().to_owned(), judged(&alive));
        (state, Finding::Probe(Box::new(finding::Probe { server, connection, live, ready, anonymous })))
    }

    async fn connect(&self, look: Look<'_>, server: &ApiServer) -> Connection {
        let address = server.address;
        match look.reads.connect(address, self.within.0).await {
            Ok(took) => Connection { address, took_ms: Some(words::as_millis(took)), why: String::new() },
            Err(error) => Connection { address, took_ms: None, why: error.tried.join("; ") },
        }
    }

    /// Why what was found is not what is required; `None`: it is.
    fn judge(&self, states: &[State]) -> Option<StepError> {
        let wanted = match self.require {
            Require::Nothing => return None,
            Require::Answers => State::Answers,
            Require::Healthy => State::Healthy,
        };
        let found = states.iter().filter(|state| **state >= wanted).count();
        if found >= self.at_least.number().unwrap_or(states.len()) {
            return None;
        }
        let hint = Some("breakglass gate close, when it drowns; breakglass probe again".to_owned());
        let servers = words::count(states.len(), "API server");
        let what = if wanted == State::Healthy { "is healthy" } else { "answers" };
        if states.iter().all(|state| *state == State::Silent) {
            let why =
                if states.len() == 1 { "it does not answer".to_owned() } else { format!("none of {servers} answers") };
            return Some(ReadError { kind: ReadErrorKind::NoRoute, tried: vec![why], hint }.into());
        }
        let why =
            if states.len() == 1 { "it is not healthy".to_owned() } else { format!("{found} of {servers} {what}") };
        Some(StepError::Refused { why, hint })
    }
}

/// The API servers that a target stands for.
fn servers(target: &Target, cluster: &Cluster) -> Vec<Target> {
    match &target.part {
        Part::Cluster => {
            cluster.api_servers.iter().map(|server| Target::api_server(&cluster.name, &server.name)).collect()
        }
        Part::ApiServer(_) | Part::Host(_) | Part::Local => vec![target.clone()],
    }
}

/// The API server behind a target, when it is dialled from here.
fn direct<'a>(target: &Target, cluster: &'a Cluster) -> Option<&'a ApiServer> {
    let Part::ApiServer(name) = &target.part else { return None };
    cluster.api_server(name).filter(|server| server.via.is_none())
}

/// An answer of a health endpoint, or its absence, in words that name the layer.
fn judged(answer: &Result<KubeAnswer, ReadError>) -> Answer {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let layer = match error.kind {
                ReadErrorKind::NoRoute => "no way in",
                ReadErrorKind::TimedOut => "it was reached, and gave no answer in time (drowning, hung or cut off)",
                ReadErrorKind::Cut => {
                    "it was reached, and hung up (it starts or stops, or something on the way cuts it off)"
                }
                ReadErrorKind::Refused => "TLS or SSH refused us, or we refused it",
                ReadErrorKind::Denied => "we may not look",
                ReadErrorKind::Malformed => "what answers there is no API server",
            };
            let (tried, next) = (error.tried.join("; "), error.hint.clone());
            return Answer { says: layer.into(), tried, next, ..Answer::default() };
        }
    };
    let (says, next) = match answer.code {
        200 => (String::new(), None),
        401 => {
            let (why, next) = match &answer.void {
                Some(void) => (format!(": {void}"), crate::kit::RENEW),
                None => (String::new(), CREDENTIAL),
            };
            (format!("it lives, and does not know our credential{why}"), Some(next.to_owned()))
        }
        403 => ("it lives, and our credential may not look at it".into(), None),
        429 => ("it lives, and turns requests away (overload)".into(), None),
        500..=599 => match failed_checks(&answer.text).as_slice() {
            [] => (answer.message(), None),
            checks if checks.contains(&"etcd") || checks.contains(&"etcd-readiness") => {
                (format!("it cannot reach etcd (failing: {})", some(checks)), None)
            }
            checks => (format!("failing: {}", some(checks)), None),
        },
        _ => (answer.message(), None),
    };
    Answer { says, next, ..answered(answer) }
}

fn answered(answer: &KubeAnswer) -> Answer {
    let (code, took_ms) = (Some(answer.code), Some(words::as_millis(answer.took)));
    Answer { code, took_ms, slow: answer.took >= SLOW, ..Answer::default() }
}

/// What a server says to somebody without a credential, after it did not know ours.
fn unknown(answer: &Result<KubeAnswer, ReadError>) -> Answer {
    match answer {
        Ok(answer) if answer.code == 200 => {
            Answer { says: "the server is well, our credential is not".into(), ..answered(answer) }
        }
        Ok(answer) if matches!(answer.code, 401 | 403) => {
            Answer { says: "it lets nobody look, so how it is is not known".into(), ..answered(answer) }
        }
        other => judged(other),
    }
}

/// Names as a person reads them: of many, or of very long ones, the beginning.
fn some(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| name.chars().take(LONGEST_NAME).collect()).collect();
    let more = names.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    shown.join(", ") + &more
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
    use crate::world::fake::kube_answer;

    /// What is said of `/livez`.
    pub(super) fn words(live: Answer) -> String {
        let (server, connection, ready) = ("api1".into(), None, None);
        let said = finding::Probe { server, connection, live, ready, anonymous: false };
        Finding::Probe(Box::new(said)).sentence().to_string().trim_start_matches("/livez ").to_owned()
    }

    #[track_caller]
    fn case(code: u16, text: &str, millis: u64, expected: &str) {
        let took = Duration::from_millis(millis);
        assert_eq!(words(judged(&Ok(kube_answer(code, text, took)))), expected);
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
        case(
            500,
            "[-]poststarthook/rbac/bootstrap-roles failed\n",
            7,
            "500 in 7 ms: failing: poststarthook/rbac/bootstrap-roles",
        );
        let many = "[-]a-check-that-is-named failed\n".repeat(9);
        case(
            500,
            &many,
            7,
            &format!("500 in 7 ms: failing: {}a-check-that-is-named and 4 more", "a-check-that-is-named, ".repeat(4)),
        );
        case(504, "gateway", 9, "504 in 9 ms: gateway");
    }

    #[test]
    fn silence_is_told_apart() {
        let say = |kind| words(judged(&Err(ReadError { kind, tried: vec!["x".into()], hint: None })));
        assert!(say(ReadErrorKind::NoRoute).starts_with("no way in"));
        // Said only of what was connected: see the link.
        assert!(say(ReadErrorKind::TimedOut).starts_with("it was reached"));
        assert!(say(ReadErrorKind::Refused).starts_with("TLS or SSH"));
        assert!(!say(ReadErrorKind::Cut).contains("in time"));
    }

    /// On a 401 the second question tells a server that is well from one that is not.
    #[test]
    fn a_credential_that_is_not_known_is_told_apart_from_a_sick_server() {
        let say = |code: u16, text: &str| words(unknown(&Ok(kube_answer(code, text, Duration::from_millis(3)))));
        assert_eq!(say(200, "ok"), "ok in 3 ms: the server is well, our credential is not");
        assert!(say(401, "").contains("is not known"));
        assert_eq!(say(500, "[-]etcd failed"), "500 in 3 ms: it cannot reach etcd (failing: etcd)");
    }

    #[test]
    fn what_is_required_is_required_of_so_many() {
        use State::{Answers, Healthy, Silent};
        let case = |with: Value, states: &[State], fine: bool, silent: bool| {
            let with: Params = params(with).unwrap();
            let judged = with.judge(states);
            assert_eq!(judged.is_none(), fine, "{with:?} {states:?}");
            assert_eq!(matches!(judged, Some(StepError::Read(_))), silent, "{with:?} {states:?}");
        };
        let any = serde_json::json!({"require": "answers", "atLeast": "any"});
        case(any.clone(), &[Silent, Answers, Silent], true, false);
        case(any, &[Silent, Silent, Silent], false, true);
        let two = serde_json::json!({"require": "healthy", "atLeast": 2});
        case(two.clone(), &[Healthy, Answers, Healthy], true, false);
        case(two.clone(), &[Healthy, Answers, Silent], false, false);
        case(two, &[Silent, Silent, Silent], false, true);
        case(serde_json::json!({"require": "healthy"}), &[Healthy], true, false);
        case(serde_json::json!({"require": "healthy", "atLeast": "all"}), &[Healthy, Silent], false, false);
        case(serde_json::json!({}), &[Silent], true, false);
        let kind = super::super::kind("probe").unwrap();
        let faults = |with: Value| {
            let faults = kind.build(with).err().unwrap_or_default();
            faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        assert!(faults(serde_json::json!({"require": "answers", "atLeast": 0})).contains("at least 1"));
        assert!(faults(serde_json::json!({"atLeast": "any"})).contains("of what"));
        assert!(!faults(serde_json::json!({"require": "answers", "atLeast": "most"})).is_empty());
    }

    #[test]
    fn what_to_type_next_stands_beside_the_silence() {
        let hint = Some("ssh-keyscan cp1".to_owned());
        let said = words(judged(&Err(ReadError { kind: ReadErrorKind::Refused, tried: vec!["no key".into()], hint })));
        assert!(said.ends_with("no key; next: ssh-keyscan cp1"), "{said}");
    }
}

#[cfg(test)]
mod fuzz {
    use super::*;
    use crate::world::fake::kube_answer;

    #[test]
    fn whatever_a_server_answers_is_a_sentence_of_a_bounded_length() {
        const BODIES: &[&str] = &[
            "[+]ping ok\n[-]etcd failed: reason withheld\n[-]informer-sync failed: reason withheld\nhealthz check failed\n",
            r#"{"kind":"Status","code":403,"reason":"Forbidden","message":"nodes is forbidden","details":{"name":"x"}}"#,
            "<html><head><title>502 Bad Gateway</title></head></html>",
        ];
        crate::fuzz::each(4_000, &(crate::fuzz::mangled(BODIES), 100_u16..600), |(text, code)| {
            let answer = kube_answer(code, text, Duration::from_millis(7));
            let said = tests::words(judged(&Ok(answer)));
            proptest::prop_assert!(!said.is_empty() && said.chars().count() < 600, "{}", said.len());
            Ok(())
        });
    }
}

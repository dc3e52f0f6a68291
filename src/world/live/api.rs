//! Reads and writes through the Kubernetes API: what an answer, or the lack of one, means.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Links, one_line};
use crate::change::{KubeCall, Method, Outcome, Part, Target};
use crate::kit::{ApiServer, Host};
use crate::link::api::{Answer, ApiRequest, Conclusion, End, Kind, Reply, Tried};
use crate::link::fault::FaultKind;
use crate::world::{ABOUT_FILES, Accept, FROM_FILES, KubeAnswer, KubeRead, ReadError, ReadErrorKind};

impl Links {
    /// `anonymous`: without our certificate or token.
    pub(super) async fn read(
        &self,
        target: &Target,
        read: &KubeRead,
        anonymous: bool,
    ) -> Result<KubeAnswer, ReadError> {
        let request = ApiRequest { anonymous, ..ApiRequest::get(&read.path, read.accept.header()) };
        let began = Instant::now();
        let conclusion = self.api.send(only(target), &request, kind_of_read(&read.path), read.limit).await;
        let Some(conclusion) = conclusion else { return Err(super::no_route(no_server(target))) };
        let Conclusion { end, tried, .. } = conclusion;
        let failed = |kind| {
            let hint = next(&tried).or_else(|| Some(self.by_hand(target)));
            ReadError { kind, tried: sentences(&tried), hint }
        };
        let reply = match end {
            End::Answered(reply) | End::GaveUp { last: Some(reply), .. } if reply.answer.stranger.is_some() => {
                return Err(failed(ReadErrorKind::Malformed));
            }
            // A server that starts said no to the last: that answers nothing. Should it mean it after all, its words are told.
            End::GaveUp { last: Some(reply), .. } if reply.answer.may_be_early() => {
                let mut error = failed(ReadErrorKind::TimedOut);
                let said = one_line(&reply.answer.message(), 300);
                error.tried.push(format!("it may be starting; it said: {said}"));
                return Err(error);
            }
            End::Answered(reply) | End::GaveUp { last: Some(reply), .. } => reply,
            End::GaveUp { last: None, shut } => {
                return Err(failed(match shut.map(|fault| fault.kind) {
                    Some(FaultKind::Certificate | FaultKind::Rejected | FaultKind::NoTls | FaultKind::NoWay) => {
                        ReadErrorKind::Refused
                    }
                    Some(FaultKind::Malformed | FaultKind::TurnedAway) => ReadErrorKind::Malformed,
                    Some(_) => ReadErrorKind::NoRoute,
                    // Nothing got as far as the server's port: nobody knows whether it drowns.
                    None if tried.iter().all(|tried| !tried.reached) => ReadErrorKind::NoRoute,
                    None if tried.iter().filter(|tried| tried.reached).all(|tried| tried.hung_up) => ReadErrorKind::Cut,
                    None => ReadErrorKind::TimedOut,
                }));
            }
        };
        let server = self.api.name_of(reply.server);
        let Answer { code, text, date, void, .. } = reply.answer;
        Ok(KubeAnswer { code, text, server, date, took: began.elapsed(), void, early: reply.early })
    }

    pub(super) async fn write(&self, target: &Target, call: &KubeCall, limit: Duration) -> Outcome {
        let Some(body) = call.body.bytes() else {
            return Outcome::Failed("not sent: the body kept beside the journal is not at hand".into());
        };
        // The DELETE of a collection answers with everything that it deleted; its metadata is long enough.
        let collection = call.method == Method::Delete && call.path.contains('?');
        let request = ApiRequest {
            method: call.method.as_str(),
            path: call.path.clone(),
            accept: if collection { Accept::MetadataList } else { Accept::Json }.header(),
            content_type: call.content_type.clone(),
            body: body.into(),
            writes: true,
            anonymous: false,
        };
        let kind = if call.idempotent { Kind::Guarded } else { Kind::Single };
        match self.api.send(only(target), &request, kind, limit).await {
            Some(conclusion) => outcome(call, conclusion, |index| self.api.name_of(index)),
            None => Outcome::Failed(format!("not sent: {}", no_server(target))),
        }
    }

    /// What a person types to see for himself why an API server does not answer.
    fn by_hand(&self, target: &Target) -> String {
        let wanted = only(target);
        let server = self.cluster.api_servers.iter().find(|server| wanted.is_none_or(|name| server.name == name));
        let Some(server) = server else { return "breakglass probe".into() };
        match server.host.as_ref().or(server.via.as_ref()).and_then(|name| self.cluster.host(name)) {
            Some(host) => on_host(host, server),
            None => handshake(server, self.cluster.tls_server_name.as_deref()),
        }
    }
}

fn on_host(host: &Host, server: &ApiServer) -> String {
    let look = format!("ss -ltn sport = :{}; sudo crictl ps -a --name kube-apiserver", server.address.port());
    host.by_hand(&look)
}

fn handshake(server: &ApiServer, name: Option<&str>) -> String {
    let name = name.map(|name| format!(" -servername {name}")).unwrap_or_default();
    format!("openssl s_client -connect {}{name} </dev/null", server.address)
}

fn only(target: &Target) -> Option<&str> {
    match &target.part {
        Part::ApiServer(name) => Some(name),
        _ => None,
    }
}

fn no_server(target: &Target) -> String {
    match only(target) {
        Some(name) => format!("the kit has no API server {name:?} in {}", target.cluster),
        None => format!("the kit has no API server of {}", target.cluster),
    }
}

fn kind_of_read(path: &str) -> Kind {
    let health = ["/livez", "/readyz", "/healthz"].iter().any(|prefix| path.starts_with(prefix));
    let objects = path.starts_with("/api/") || path.starts_with("/apis/");
    match (health, objects) {
        (true, _) => Kind::Health,
        (_, true) => Kind::Look,
        _ => Kind::Dump,
    }
}

/// What the way itself says that a person should type: for the last attempt that knew it.
fn next(tried: &[Tried]) -> Option<String> {
    tried.iter().rev().find_map(|tried| tried.hint.clone())
}

fn sentences(tried: &[Tried]) -> Vec<String> {
    tried.iter().map(ToString::to_string).collect()
}

/// How to get past what refused it on admission, and may be drowning itself.
fn past_admission(said: &str) -> String {
    let quoted = |after: &str, mark: char| {
        let rest = said.split_once(after)?.1;
        let name = rest.split_once(mark)?.0;
        let fits = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        (!name.is_empty() && name.chars().all(fits)).then(|| name.to_owned())
    };
    let from_files = |name: &str| {
        let found = name.ends_with(FROM_FILES);
        found.then(|| format!("; {name} comes from a file, and the API cannot take it away; next: {ABOUT_FILES}"))
    };
    if let Some(webhook) = quoted("failed calling webhook \"", '"') {
        return from_files(&webhook).unwrap_or_else(|| {
            format!(
                "; next: `breakglass disarm --webhook {webhook}` lets through what it does not answer (undo arms it again), then \
                 this again"
            )
        });
    }
    if let Some(webhook) = quoted("admission webhook \"", '"') {
        return from_files(&webhook).unwrap_or_else(|| {
            format!(
                "; next: `breakglass disarm --webhook {webhook} --exclude-namespace NAMESPACE` keeps it out of a namespace; \
                 `breakglass disarm --webhook {webhook} --drill` says in which configuration it is, which `breakglass disarm \
                 CONFIGURATION --delete` takes away (undo puts it back)"
            )
        });
    }
    if let Some(binding) = quoted("with binding '", '\'') {
        return from_files(&binding).unwrap_or_else(|| {
            format!(
                "; next: `breakglass disarm validatingadmissionpolicybinding/{binding}` has that policy warn where it refused \
                 (undo arms it again), then this again"
            )
        });
    }
    String::new()
}

/// Whether the answer to a DELETE tells that the object is gone: it is a `Status` then in place of the object. What comes as
/// an object may still be there, held by a finalizer or its grace period.
fn is_gone(call: &KubeCall, body: &str) -> bool {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    call.method == Method::Delete && !call.path.contains('?') && body["kind"] == "Status"
}

fn done(words: String, gone: bool) -> Outcome {
    if gone { Outcome::gone(words + ", and it is gone") } else { Outcome::done(words) }
}

/// What the attempts at a write came to.
fn outcome(call: &KubeCall, conclusion: Conclusion, name: impl Fn(usize) -> String) -> Outcome {
    let Conclusion { end, unanswered, tried } = conclusion;
    let attempts: u32 = tried.iter().map(|attempt| attempt.times).sum();
    let count = if attempts > 1 { format!(" (attempt {attempts})") } else { String::new() };
    match end {
        End::Answered(reply) => {
            let Reply { server, answer, took, .. } = &reply;
            let from = format!("{} from {} in {:.2} s{count}", answer.code, name(*server), took.as_secs_f64());
            let already = call.already.contains(&answer.code) && (answer.code != 404 || answer.names_an_object());
            let why = || {
                let said = reply.answer.message();
                format!("{from}: {}{}", one_line(&said, 300), past_admission(&said))
            };
            match answer.code {
                200..300 => done(from, is_gone(call, &answer.text)),
                _ if already => {
                    let how = if unanswered {
                        "an earlier attempt of ours, whose answer was lost, had done it"
                    } else {
                        "it was so already"
                    };
                    done(format!("{from}: {how}"), call.method == Method::Delete)
                }
                // An earlier attempt may be just what this one ran into.
                _ if unanswered => Outcome::Unknown(format!("{}, after an attempt that was not answered", why())),
                500.. if !answer.refused_by_webhook() => Outcome::Unknown(why()),
                _ => Outcome::Failed(why()),
            }
        }
        End::GaveUp { last, shut } => {
            let next = next(&tried).map(|hint| format!("; next: {hint}")).unwrap_or_default();
            let tried = sentences(&tried).join("; ") + &next;
            let last =
                last.map(|reply| format!("; it said: {}", one_line(&reply.answer.message(), 300))).unwrap_or_default();
            match shut {
                _ if unanswered => Outcome::Unknown(format!("{tried}{last}")),
                // A foreign certificate, a login that is refused: trying again brings the same.
                Some(_) => Outcome::Failed(format!("not done: {tried}{last}")),
                None => Outcome::NotTaken(format!("not taken in: {tried}{last}")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_refuses_on_admission_is_named_with_the_way_past_it() {
        let call = r#"Internal error occurred: failed calling webhook "validate.kyverno.svc-fail": failed to call webhook: Post "https://kyverno-svc.kyverno.svc:443/validate/fail?timeout=10s": context deadline exceeded"#;
        let said = past_admission(call);
        assert!(said.contains("`breakglass disarm --webhook validate.kyverno.svc-fail`"), "{said}");
        let denied = r#"admission webhook "validation.gatekeeper.sh" denied the request: [no-delete] not today"#;
        // Ignore would not help against one that answers.
        assert!(past_admission(denied).contains("--webhook validation.gatekeeper.sh --exclude-namespace"));
        let policy = "ValidatingAdmissionPolicy 'hold' with binding 'hold-all' denied request: not today";
        assert!(past_admission(policy).contains("validatingadmissionpolicybinding/hold-all"));
        let from_file = policy.replace("hold-all", "hold-all.static.k8s.io");
        assert!(past_admission(&from_file).contains("--admission-control-config-file"));
        for other in ["forbidden", "admission webhook \"a; rm -rf /\" denied", "failed calling webhook \""] {
            assert_eq!(past_admission(other), "", "{other}");
        }
    }

    #[test]
    fn an_answer_to_a_delete_says_whether_the_object_is_gone() {
        let call = |method, path: &str| KubeCall {
            method,
            path: path.into(),
            content_type: String::new(),
            body: crate::change::Body::Empty,
            idempotent: true,
            already: Vec::new(),
            holds: None,
        };
        let one = call(Method::Delete, "/api/v1/namespaces/a/pods/x");
        assert!(is_gone(&one, r#"{"kind":"Status","status":"Success"}"#));
        assert!(!is_gone(&one, r#"{"kind":"Pod","metadata":{"deletionTimestamp":"2025-01-01T00:00:00Z"}}"#));
        assert!(!is_gone(&one, ""));
        let patch = call(Method::Patch, "/api/v1/namespaces/a/pods/x");
        assert!(!is_gone(&patch, r#"{"kind":"Status"}"#));
    }
}

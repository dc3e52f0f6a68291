//! Reads and writes through the Kubernetes API: what an answer, or the lack of one, means.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Links, one_line};
use crate::change::{KubeCall, Method, Outcome, Part, Target};
use crate::host::script::quote;
use crate::kit::{ApiServer, Host};
use crate::link::api::{ApiRequest, Conclusion, End, Kind, Reply, Tried};
use crate::link::fault::FaultKind;
use crate::world::{Accept, KubeAnswer, KubeRead, ReadError, ReadErrorKind};

impl Links {
    pub(super) async fn read(&self, target: &Target, read: &KubeRead) -> Result<KubeAnswer, ReadError> {
        let request = ApiRequest {
            method: "GET",
            path: read.path.clone(),
            accept: read.accept.header(),
            content_type: String::new(),
            body: Arc::default(),
            writes: false,
        };
        let began = Instant::now();
        let conclusion = self.api.send(only(target), &request, kind_of_read(&read.path), read.limit).await;
        let Some(conclusion) = conclusion else { return Err(super::no_route(no_server(target))) };
        let Conclusion { end, tried, .. } = conclusion;
        let reply = match end {
            End::Answered(reply) | End::GaveUp { last: Some(reply), .. } => reply,
            End::GaveUp { last: None, shut } => {
                let kind = match shut.as_ref().map(|fault| fault.kind) {
                    Some(FaultKind::Certificate | FaultKind::Rejected | FaultKind::NoWay) => ReadErrorKind::Refused,
                    Some(FaultKind::Nonsense) => ReadErrorKind::Nonsense,
                    Some(_) => ReadErrorKind::NoRoute,
                    None if tried.iter().all(|tried| tried.came.starts_with("connection refused")) => {
                        ReadErrorKind::NoRoute
                    }
                    None => ReadErrorKind::TimedOut,
                };
                let hint = shut.and_then(|fault| fault.hint).or_else(|| Some(self.by_hand(target)));
                return Err(ReadError { kind, tried: sentences(&tried), hint });
            }
        };
        let server = self.api.server(reply.server).name.clone();
        let (code, text, date) = (reply.answer.code, reply.answer.text, reply.answer.date);
        Ok(KubeAnswer { code, text, server, date, took: began.elapsed() })
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
        };
        let kind = if call.idempotent { Kind::Guarded } else { Kind::Single };
        match self.api.send(only(target), &request, kind, limit).await {
            Some(conclusion) => outcome(call, conclusion, |index| self.api.server(index).name.clone()),
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
    format!("ssh -p {} {}@{} {}", host.ssh.port, host.ssh.user, host.address, quote(&look))
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

fn sentences(tried: &[Tried]) -> Vec<String> {
    tried.iter().map(ToString::to_string).collect()
}

/// What the attempts at a write came to.
fn outcome(call: &KubeCall, conclusion: Conclusion, name: impl Fn(usize) -> String) -> Outcome {
    let Conclusion { end, unanswered, tried } = conclusion;
    let attempts: u32 = tried.iter().map(|attempt| attempt.times).sum();
    let count = if attempts > 1 { format!(" (attempt {attempts})") } else { String::new() };
    match end {
        End::Answered(reply) => {
            let Reply { server, answer, took } = &reply;
            let from = format!("{} from {} in {:.2} s{count}", answer.code, name(*server), took.as_secs_f64());
            let already = call.already.contains(&answer.code) && (answer.code != 404 || answer.names_an_object());
            let why = || format!("{from}: {}", one_line(&reply.answer.message(), 300));
            match answer.code {
                200..300 => Outcome::Done(from),
                _ if already && unanswered => {
                    Outcome::Done(format!("{from}: an earlier attempt of ours, whose answer was lost, had done it"))
                }
                _ if already => Outcome::Done(format!("{from}: it was so already")),
                // An earlier attempt may be just what this one ran into.
                _ if unanswered => Outcome::Unknown(format!("{}, after an attempt that was not answered", why())),
                500.. if !answer.refused_by_webhook() => Outcome::Unknown(why()),
                _ => Outcome::Failed(why()),
            }
        }
        End::GaveUp { last, shut } => {
            let tried = sentences(&tried).join("; ");
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

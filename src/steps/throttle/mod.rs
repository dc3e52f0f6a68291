//! `throttle`: API Priority and Fairness lets one request of a client in at a time, and refuses the others unread, by two objects
//! of the API.

mod objects;
#[cfg(test)]
mod tests;

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use self::objects::Objects;
use super::kube_object::{self, Served};
use super::levels::{LEVELS, NoDump, rejected_by};
use super::rbac::subject::Subject;
use super::requests::Requests;
use super::results::Takes;
use super::{
    Announced, Fault, Kind, Look, ObjectRef, Scope, Sends, Step, StepError, Survey, Times, params, schema_of, servers,
    vital,
};
use crate::change::{Change, Target};
use crate::duration::HumanDuration;
use crate::found::Type;
use crate::kit::{ApiServer, Cluster, MASTERS};
use crate::words;
use crate::world::{Accept, KubeRead};

/// The question about a subject that the cluster, or we, may live by.
const VITAL: &str = "vital";
/// The longest that one API server may take to say what its levels do.
const LOOK_LIMIT: Duration = Duration::from_secs(10);
/// So long nothing that is refused is waited for once all API servers have the level.
const QUIET: Duration = Duration::from_secs(5);

/// The step kind.
pub(super) struct Throttle;

/// Whom, and which of its requests.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// Whom: `system:serviceaccount:NAMESPACE:NAME`, `serviceaccount/NAMESPACE/NAME`, `user/NAME`, `group/NAME`, or a user name.
    subject: String,
    /// The namespace of the service account, when the name does not say it.
    #[serde(default)]
    namespace: Option<String>,
    /// Only requests of these verbs: `list`, `watch`. Without it: all, also what is about no resource.
    #[serde(default)]
    #[schemars(length(min = 1))]
    verbs: Option<Vec<String>>,
    /// Only requests for these: `pods`, `deployments.apps`, `PLURAL.GROUP`. Without it: all, also what is about no resource.
    #[serde(default)]
    #[schemars(length(min = 1))]
    resources: Option<Vec<String>>,
    /// How long the API servers may take to heed it.
    #[serde(default = "within")]
    within: HumanDuration,
    /// How long a POST may stay unanswered, all attempts together, before the outcome is looked at.
    #[serde(default = "kube_object::write_deadline")]
    deadline: HumanDuration,
}

fn within() -> HumanDuration {
    HumanDuration::secs(60)
}

struct Throttling {
    subject: Subject,
    requests: Requests,
    with: Params,
}

impl Kind for Throttle {
    fn name(&self) -> &'static str {
        "throttle"
    }

    fn doc(&self) -> &'static str {
        "Has API Priority and Fairness let in one request of a client at a time, and refuse all others unread.\n\n\
         Two objects: a priority level without seats of its own, which lends and borrows none and rejects (429), and a flow schema \
         before all others but `exempt` that sends the client's requests there. Two GETs and two POSTs; then one GET of the levels' \
         dump to each API server, until it shows the level, and what it has refused. Wants Kubernetes 1.29 or newer \
         (flowcontrol.apiserver.k8s.io/v1) with priority and fairness on. A 429 is answered before anything is read or \
         encoded, and client-go waits a second and more before it asks again. What it does not end: TLS handshakes and authentication, \
         watches that are open, a request under way. Whoever is in system:masters is exempt: refused where the subject says \
         so, and told where nothing is refused. `jail` needs no API at all, and refuses everything; it wants the API servers' file of \
         authorizers. A subject that the cluster may live by, or that is our own, has to be typed again. `undo` deletes both objects, \
         the schema first, where they are still as they were made."
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn takes(&self) -> &'static [Takes] {
        &[Takes { at: &["subject"], of: Type::User }]
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let with: Params = params(with)?;
        let (requests, mut faults) = Requests::read(with.verbs.clone(), with.resources.clone());
        faults.extend(kube_object::too_short(with.deadline));
        if with.within.0 < Duration::from_secs(5) || with.within.0 > Duration::from_mins(10) {
            faults.push(Fault::at("within", "it must be between 5s and 10m"));
        }
        let subject = Subject::parse(&with.subject, with.namespace.as_deref()).map_err(|why| Fault::at("subject", why));
        let subject = subject.and_then(|subject| match out_of_reach(&subject) {
            Some(why) => Err(Fault::at("subject", why)),
            None => Ok(subject),
        });
        match subject {
            Ok(subject) if faults.is_empty() => Ok(Box::new(Throttling { subject, requests, with })),
            subject => Err(subject.err().into_iter().chain(faults).collect()),
        }
    }
}

/// Why priority and fairness cannot hold it up.
fn out_of_reach(subject: &Subject) -> Option<String> {
    match subject {
        Subject::Group(name) if name == MASTERS => Some(format!(
            "{subject} is exempt: the mandatory flow schema `exempt` comes before all others, and no seat is counted. Where it has to \
             be stopped: breakglass gate close, or breakglass run masters-offender"
        )),
        Subject::User(name) if name == "system:apiserver" => {
            Some(format!("{subject} is what API servers call themselves, and in system:masters"))
        }
        _ => None,
    }
}

impl Step for Throttling {
    fn intent(&self) -> String {
        format!(
            "throttle {} ({}): one request at a time on each API server, all others are refused with 429",
            self.subject,
            self.requests.words()
        )
    }

    fn announce(&self, _: &Target, cluster: &Cluster) -> Vec<Announced> {
        let mut sent = Vec::new();
        if let Some(why) = vital::vital(&self.subject, cluster) {
            let what = Sends::Ask(format!("whether it is meant: {why}"));
            sent.push(Announced::new(what, Times::AtMost(1), "it is typed out"));
        }
        let objects = Objects::planned();
        let looks = Times::Every { interval: self.interval(), until: self.with.within.0 };
        for at in [objects.level(), objects.flow()] {
            sent.push(Announced::get(format!("{}/{}", at.collection(), at.name), looks, "whether it is there"));
        }
        for (op, why) in objects.announced(&self.subject, &self.requests) {
            sent.push(Announced::op(op, Times::Once, why));
        }
        for server in servers::asked(cluster, &[]).0 {
            let why = format!("{} has the level, and what it has refused", server.name);
            sent.push(Announced::get(LEVELS, looks, why));
        }
        sent
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        self.look(look).boxed()
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }
}

impl Throttling {
    async fn look(&self, look: Look<'_>) -> Result<Survey, StepError> {
        let none = || StepError::refused(format!("{}: the kit does not know this cluster", look.target));
        let cluster = look.reads.cluster(&look.target.cluster).ok_or_else(none)?;
        if let Some(why) = vital::vital(&self.subject, cluster) {
            match look.history.answer(VITAL) {
                Some(true) => {}
                Some(false) => return Err(StepError::Declined(format!("throttle {}", self.subject))),
                None => {
                    let what = format!("of {}, {} are to be throttled", self.subject, self.requests.words());
                    let question = vital::question(VITAL, &self.subject, &what, &why);
                    return Ok(Survey { ask: Some(question), ..Survey::default() });
                }
            }
        }
        let objects = Objects::of(look);
        let (level, flow) = (self.there(look, &objects.level()).await?, self.there(look, &objects.flow()).await?);
        let mut changes: Vec<Change> = Vec::new();
        if !level {
            changes.push(objects.make_level(&self.subject, self.with.deadline));
        }
        if !flow {
            changes.push(objects.make_flow(&self.subject, &self.requests, self.with.deadline));
        }
        if !changes.is_empty() {
            let waiting_for = Some("the API servers to heed it".to_owned());
            return Ok(Survey { changes, waiting_for, ..Survey::default() });
        }
        let arrived = look.history.changes.iter().filter(|record| record.state.is_open()).map(|record| record.id);
        let mut survey = self.effect(look, cluster, &objects).await?;
        survey.arrived.extend(arrived);
        survey.arrived.extend([objects::LEVEL, objects::FLOW].iter().filter_map(|key| look.history.missed(key)));
        Ok(survey)
    }

    async fn there(&self, look: Look<'_>, at: &ObjectRef) -> Result<bool, StepError> {
        match kube_object::served(look, at, LOOK_LIMIT).await? {
            Served::There(_) => Ok(true),
            Served::Absent => Ok(false),
            Served::Not => Err(StepError::Refused {
                why: format!(
                    "{}: this API server serves no {} in flowcontrol.apiserver.k8s.io/v1, which are in Kubernetes since 1.29",
                    look.target, at.plural
                ),
                hint: Some(self.stronger()),
            }),
        }
    }

    /// The next stronger way.
    fn stronger(&self) -> String {
        let subject = crate::shell::word(&self.subject.to_string());
        format!("breakglass jail {subject}; or breakglass gate close")
    }

    /// Whether the API servers have the level, by their own word, and what it has refused.
    async fn effect(&self, look: Look<'_>, cluster: &Cluster, objects: &Objects) -> Result<Survey, StepError> {
        let made = look.history.changes.iter().map(|record| record.moved_at).max();
        let since = made.map(|at| look.history.ago(at)).unwrap_or_default();
        let (servers, left_out) = servers::asked(cluster, &[]);
        let seen = join_all(servers.iter().map(|server| self.level_on(look, server, objects))).await;
        let (mut heed, mut missing, mut off, mut unknown) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut refused = 0_u64;
        for (server, seen) in servers.iter().zip(seen) {
            let name = server.name.clone();
            match seen {
                OnServer::Heeds { rejected } => {
                    refused = refused.saturating_add(rejected);
                    heed.push(name);
                }
                OnServer::NotYet => missing.push(name),
                OnServer::Off => off.push(name),
                OnServer::Unknown(why) => unknown.push(format!("whether {name} heeds it is not known: {why}")),
            }
        }
        let mut survey = Survey::default();
        survey.see(left_out);
        let stands = |why: String| StepError::Refused {
            why: format!("both objects stand, and {why}"),
            hint: Some(format!("breakglass undo {}; then {}", look.mark.run, self.stronger())),
        };
        if !off.is_empty() {
            return Err(stands(format!(
                "{}: priority and fairness is off there ({LEVELS}: 404), so that nobody is held up",
                words::fold(&off)
            )));
        }
        if !missing.is_empty() && since >= self.with.within.0 {
            return Err(stands(format!("{} has no such level after {}", words::fold(&missing), self.with.within)));
        }
        if !missing.is_empty() {
            return Ok(Survey { waiting_for: Some(format!("{} to heed it", words::fold(&missing))), ..survey });
        }
        // Whoever waits for its next try is not heard of at once.
        if refused == 0 && unknown.is_empty() && since < QUIET {
            return Ok(Survey { waiting_for: Some("a request of it that is refused".into()), ..survey });
        }
        survey.see(unknown);
        let requests = words::count(usize::try_from(refused).unwrap_or(usize::MAX), "request");
        Ok(match (heed.is_empty(), refused) {
            (true, _) => survey.saw(format!("whether anybody is held up is not known; next: {}", self.stronger())),
            (false, 0) => survey.saw(format!(
                "{} heed it, and have refused nothing so far: it asks nothing, or one at a time, or is in {MASTERS}, which is \
                 exempt (breakglass top says how much it asks)",
                words::fold(&heed)
            )),
            (false, _) => survey.saw(format!("{} heed it: {requests} of it refused so far", words::fold(&heed))),
        })
    }

    /// The level on one API server.
    async fn level_on(&self, look: Look<'_>, server: &ApiServer, objects: &Objects) -> OnServer {
        let target = Target::api_server(&look.target.cluster, &server.name);
        let read = KubeRead { path: LEVELS.into(), accept: Accept::Text, limit: LOOK_LIMIT };
        let answer = match look.reads.kube(&target, &read).await {
            Ok(answer) => answer,
            Err(error) => return OnServer::Unknown(error.to_string()),
        };
        match (answer.code, rejected_by(&answer.text, objects.name())) {
            (200, Ok(Some(rejected))) => OnServer::Heeds { rejected },
            (200, Ok(None)) => OnServer::NotYet,
            (200, Err(NoDump)) => {
                OnServer::Unknown(format!("GET {LEVELS} is answered with something that is no such dump"))
            }
            (404, _) => OnServer::Off,
            (code, _) => OnServer::Unknown(format!("GET {LEVELS}: {code} {}", answer.message())),
        }
    }
}

/// What one API server makes of it.
enum OnServer {
    /// It has the level, and has refused so many requests by it.
    Heeds { rejected: u64 },
    /// It has no such level yet.
    NotYet,
    /// It runs without priority and fairness.
    Off,
    /// It did not say, for this reason.
    Unknown(String),
}

//! `revoke-tokens`: a service account is deleted, so that no API server takes a token of it any more.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::automation;
use super::dump::{DUMP, held_by};
use super::kube_object::{self, Going, Seen, text};
use super::rbac::subject::Subject;
use super::{
    Announced, Fault, Kind, Look, ObjectRef, Question, Scope, Sends, Step, StepError, Survey, Times, params, schema_of,
    servers, vital,
};
use crate::change::{Body, Change, Keep, KubeCall, Method, Note, Op, Target};
use crate::duration::HumanDuration;
use crate::journal::{ChangeRecord, ChangeState};
use crate::kit::{ApiServer, Cluster};
use crate::world::{Accept, KubeRead};
use crate::{shell, words};

const KEY: &str = "revoke-tokens";
/// For so long an API server takes a token again that it has just taken.
const CACHED: Duration = Duration::from_secs(11);
/// The longest that one API server may take to say whose requests it holds.
const DUMP_LIMIT: Duration = Duration::from_secs(10);
/// Stands in the plan for what only a look can know.
const UID: &str = "<uid seen by the GET>";

/// The kind.
pub(super) struct RevokeTokens;

/// Has every token of a service account refused.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// The service account: `serviceaccount/NAMESPACE/NAME`, or `system:serviceaccount:NAMESPACE:NAME`.
    subject: String,
    /// Its namespace, when the name does not say it.
    #[serde(default)]
    namespace: Option<String>,
    /// The uid that it must have, when it is known already.
    #[serde(default)]
    uid: Option<String>,
    /// How long it may take until no API server holds a request of it any more.
    #[serde(default = "within")]
    within: HumanDuration,
    /// How long each look may take.
    #[serde(default = "kube_object::look_within")]
    look_within: HumanDuration,
    /// How long the DELETE may stay unanswered, all attempts together, before the outcome is looked at.
    #[serde(default = "kube_object::write_deadline")]
    deadline: HumanDuration,
}

fn within() -> HumanDuration {
    HumanDuration::secs(90)
}

struct Revoking {
    subject: Subject,
    /// What its requests come from.
    user: String,
    at: ObjectRef,
    with: Params,
}

impl Kind for RevokeTokens {
    fn name(&self) -> &'static str {
        "revoke-tokens"
    }

    fn doc(&self) -> &'static str {
        "Has every token of a service account refused, by deleting its account. Its requests get a 401, whatever its rights come from, \
         and before they take a seat: the ServiceAccount is saved and deleted, with the uid that was seen as precondition, once its name was \
         typed. All pods that run as it \
         lose the API, and no new pod of it is let in. Its Secrets of tokens go with it.\n\n\
         It cannot be taken back whole. `undo` makes an account of that name anew, with another uid; the tokens that are out stay \
         refused, until pods are new or their kubelets have fetched new ones, 48 minutes at most as a rule. Whoever makes the account \
         anew does the same: the account `default` of a namespace is made at once by its controller, others by GitOps.\n\n\
         Two GETs, one before the question and one after, one DELETE, and a GET that sees it gone. After 11 s, for an API server takes \
         a token again for 10 s, one GET of each API server's dump of requests, until none holds a request of it. That says \
         nothing of watches that are open: they go on until they end. An account of kube-system, and our own, are refused."
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let with: Params = params(with)?;
        let mut faults: Vec<Fault> = kube_object::too_short(with.deadline).into_iter().collect();
        if with.within.0 < Duration::from_secs(15) || with.within.0 > Duration::from_mins(30) {
            faults.push(Fault::at("within", "it must be between 15s and 30m"));
        }
        let read = Subject::parse(&with.subject, with.namespace.as_deref()).and_then(account);
        match read {
            Ok((subject, user, at)) if faults.is_empty() => Ok(Box::new(Revoking { subject, user, at, with })),
            read => Err(read.err().map(|why| Fault::at("subject", why)).into_iter().chain(faults).collect()),
        }
    }
}

/// The object of a service account that may be deleted.
fn account(subject: Subject) -> Result<(Subject, String, ObjectRef), String> {
    let (Subject::Account { namespace, name }, Some(user)) = (&subject, subject.user_name()) else {
        return Err(format!(
            "{subject} is no service account: its credentials are not the cluster's to take back; jail, throttle or revoke it"
        ));
    };
    if let Some(why) = subject.vital() {
        return Err(format!(
            "{subject}: {why}, and would not work again before its pods are new; revoke, throttle or jail it"
        ));
    }
    let at = ObjectRef::parse(&format!("serviceaccount/{namespace}/{name}"), None)?;
    Ok((subject, user, at))
}

impl Step for Revoking {
    fn intent(&self) -> String {
        format!("delete the account of {}, so that every token of it is refused", self.subject)
    }

    fn announce(&self, _: &Target, cluster: &Cluster) -> Vec<Announced> {
        let get = |times, why: &str| Announced::get(self.at.path(), times, why);
        let ask = Sends::Ask(format!("whether {} is to be deleted: its name is typed", self.at));
        let looks = Times::Every { interval: self.interval(), until: self.with.within.0 };
        let mut all = vec![
            get(Times::AtMost(2), "sees its uid, once more after the answer, and keeps it"),
            Announced::new(ask, Times::AtMost(2), "tokens that are out are refused for good"),
            Announced::op(Op::Kube(self.call(UID)), Times::Once, "deletes it"),
            get(looks, "looks whether it is gone, and stays so"),
        ];
        for server in servers::asked(cluster, &[]).0 {
            let why = format!("whose requests does {} hold (12 to 50 KB)", server.name);
            all.push(Announced::get(DUMP, looks, why));
        }
        all
    }

    fn refuse(&self, _: &Target, cluster: &Cluster) -> Vec<String> {
        vital::vital(&self.subject, cluster).map(|why| format!("{}: {why}", self.subject)).into_iter().collect()
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        async move {
            let seen = kube_object::get(look, &self.at, Accept::Json, self.with.look_within.0).await?;
            match (look.history.last(KEY), seen) {
                (Some(record), seen) if record.state == ChangeState::Done || record.state.is_open() => {
                    self.after(look, record, &seen).await
                }
                (_, Seen::Absent) => {
                    Ok(Survey::done().saw(format!("{} is not there: no token of it is taken", self.at)))
                }
                (_, Seen::There(object)) => self.fresh(look, &object),
            }
        }
        .boxed()
    }
}

impl Revoking {
    /// Nothing of ours is under way.
    fn fresh(&self, look: Look<'_>, object: &Value) -> Result<Survey, StepError> {
        let uid = text(object, "/metadata/uid");
        kube_object::is_meant(&self.at, self.with.uid.as_deref(), object)?;
        if let Some(going) = Going::of(object) {
            return Err(StepError::Refused {
                why: format!("{} is deleted already, and tokens of it are refused a minute later: {going}", self.at),
                hint: Some(going.hint(&self.at)),
            });
        }
        let id = format!("without {} (uid {uid})", self.at);
        match look.history.answer(&id) {
            Some(true) => {}
            Some(false) => return Err(StepError::Declined(format!("delete {}", self.at))),
            None => {
                let (text, typed) = (self.question(), Some(self.at.name.clone()));
                let question = Question { id, text, typed, unattended: false, otherwise: None };
                return Ok(Survey { ask: Some(question), ..Survey::default() });
            }
        }
        let mut survey = Survey::change(self.change(object));
        survey.see(automation::comes_back(&self.at, object));
        Ok(survey)
    }

    fn question(&self) -> String {
        let shared = if self.at.name == "default" {
            ". Every pod of its namespace that names no other account runs as it, and its controller makes it anew at once"
        } else {
            ""
        };
        format!(
            "{} is to be deleted: every token of it is refused, all pods that run as it lose the API, no new one is let in, and its \
             Secrets of tokens go with it{shared}. Undo makes an account of that name anew, not the tokens: pods are refused until they are \
             new, or until their kubelets have fetched new ones, 48 minutes at most as a rule. Do it?",
            self.at
        )
    }

    fn change(&self, object: &Value) -> Change {
        let uid = text(object, "/metadata/uid");
        let call = self.call(uid);
        let options = call.body.bytes().unwrap_or_default();
        let options = shell::word(&String::from_utf8_lossy(&options));
        let by_hand = format!("echo {options} | kubectl delete --raw {} -f -", shell::word(&call.path));
        Change {
            key: KEY.into(),
            note: Some(Note::of(&uid)),
            op: Op::Kube(call),
            guard: format!("{} still has uid {uid}", self.at),
            inverse: kube_object::created_again(&self.at, object),
            because: format!("no token of {} is to be taken", self.subject),
            by_hand,
            deadline_secs: self.with.deadline.0.as_secs().max(1),
            keep: Keep::Nothing,
        }
    }

    fn call(&self, uid: &str) -> KubeCall {
        KubeCall {
            method: Method::Delete,
            path: self.at.path(),
            content_type: "application/json".into(),
            body: Body::Json(json!({
                "kind": "DeleteOptions",
                "apiVersion": "v1",
                "propagationPolicy": "Background",
                "preconditions": {"uid": uid},
            })),
            idempotent: true,
            already: vec![404],
            holds: None,
        }
    }

    /// A DELETE of ours was taken in, or its reply never came: what is there now, and who is still heard?
    async fn after(&self, look: Look<'_>, record: &ChangeRecord, seen: &Seen) -> Result<Survey, StepError> {
        let uid: String = record.change.note.as_ref().and_then(Note::read).unwrap_or_default();
        let open = record.state.is_open();
        let since = look.history.ago(record.moved_at);
        let late = since >= self.with.within.0;
        let mut survey = Survey { arrived: open.then_some(record.id).into_iter().collect(), ..Survey::default() };
        match seen {
            Seen::There(object) if text(object, "/metadata/uid") == uid => {
                let going = Going::of(object);
                if open && going.is_none() {
                    return self.fresh(look, object);
                }
                let going = going.unwrap_or_default();
                if late {
                    return Err(StepError::Refused {
                        why: format!("{} is not gone after {} s: {going}", self.at, since.as_secs()),
                        hint: Some(going.hint(&self.at)),
                    });
                }
                survey.waiting_for = Some(format!("{} to be gone: {going}", self.at));
                return Ok(survey);
            }
            Seen::There(object) => survey.see([format!(
                "{} is there again, with uid {}, made by somebody else: whoever runs as it is taken once it has a new token",
                self.at,
                text(object, "/metadata/uid")
            )]),
            Seen::Absent => {}
        }
        if since < CACHED {
            let what = format!("the API servers to forget its tokens, for {} s", CACHED.as_secs());
            return Ok(Survey { waiting_for: Some(what), saw: Vec::new(), ..survey });
        }
        let none = || StepError::refused(format!("{}: the kit does not know this cluster", look.target));
        let cluster = look.reads.cluster(&look.target.cluster).ok_or_else(none)?;
        let (servers, _) = servers::asked(cluster, &[]);
        let held = join_all(servers.iter().map(|server| self.held_on(look, server))).await;
        let (mut silent, mut holding, mut requests) = (Vec::new(), Vec::new(), 0);
        for (server, held) in servers.iter().zip(held) {
            match held {
                Ok(0) => silent.push(server.name.clone()),
                Ok(some) => {
                    holding.push(server.name.clone());
                    requests += some;
                }
                Err(why) => survey.see([format!("whether {} holds requests of it is not known: {why}", server.name)]),
            }
        }
        if !holding.is_empty() {
            let what = format!(
                "{} of {} that {} still hold",
                words::count(requests, "request"),
                self.user,
                words::fold(&holding)
            );
            if late {
                return Err(StepError::Refused {
                    why: format!("{} is gone for {} s, and there are {what}", self.at, since.as_secs()),
                    hint: Some(format!("breakglass jail {}", self.subject)),
                });
            }
            return Ok(Survey { waiting_for: Some(format!("the end of {what}")), saw: Vec::new(), ..survey });
        }
        let whose = &self.user;
        let end = if silent.is_empty() {
            "whether anybody still takes its tokens is not known".to_owned()
        } else {
            format!("{} hold no request of {whose}", words::fold(&silent))
        };
        Ok(survey.saw(format!("{} is gone, and {end}", self.at)))
    }

    /// How many of its requests one API server holds; why that is not known.
    async fn held_on(&self, look: Look<'_>, server: &ApiServer) -> Result<usize, String> {
        let target = Target::api_server(&look.target.cluster, &server.name);
        let read = KubeRead { path: DUMP.into(), accept: Accept::Text, limit: DUMP_LIMIT };
        let answer = look.reads.kube(&target, &read).await.map_err(|error| error.to_string())?;
        match answer.code {
            200 => held_by(&answer.text, &self.user).ok_or_else(|| format!("GET {DUMP}: it names no users")),
            404 => Err("priority and fairness is off there".into()),
            code => Err(format!("GET {DUMP}: {code} {}", answer.message())),
        }
    }
}

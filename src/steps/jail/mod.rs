//! `jail`: what one client asks is refused by the API servers themselves, by an authorizer in a file of their hosts, with no request to
//! the API.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use self::judge::{Verdict, judge};
use super::rbac::subject::Subject;
use super::requests::Requests;
use super::results::Takes;
use super::{
    Announced, Fault, Kind, Look, Question, Scope, Sends, Step, StepError, Survey, Times, params, schema_of, vital,
};
use crate::change::{Change, Inverse, Keep, Op, Part, Target, sha256_hex};
use crate::duration::HumanDuration;
use crate::found::Type;
use crate::host::jail::{self, Jail, OLDEST, Seen, Who, Whom};
use crate::kit::{Cluster, Host, MASTERS};

mod judge;
#[cfg(test)]
mod tests;

const LOOK_LIMIT: Duration = Duration::from_secs(30);
/// The change.
const PUT: &str = "jail";
/// The question about a subject that the cluster, or we, may live by.
const VITAL: &str = "vital";
/// The step kind.
pub(super) struct JailClient;

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
    /// How long a request of it is looked for that shows whether the jail is in force.
    #[serde(default = "within")]
    within: HumanDuration,
}

fn within() -> HumanDuration {
    HumanDuration::secs(15)
}

struct Jailing {
    subject: Subject,
    whom: Whom,
    within: Duration,
}

impl Kind for JailClient {
    fn name(&self) -> &'static str {
        "jail"
    }

    fn doc(&self) -> &'static str {
        "Has the API servers refuse one client, by a file of their hosts and no API request.\n\n\
         An authorizer before all others, in the file behind `--authorization-config` of each API server: they read it again by \
         themselves, within a second, without a restart, and nobody else is refused anything. \
         Costs no API request: one look and one write by SSH on each host, all at the same time, then a look each second at the audit \
         log until it shows the effect. Each host is looked at before anything is written. An API server that runs with \
         `--authorization-mode` is told, with what prepares it in peace; so is a file that is mounted by itself or laid out in a way \
         that only a person can edit. The lines stand between marks that say whose they are, beside them a kubeconfig that leads \
         nowhere. `undo` takes just these lines out, also where others came since, and names the file where somebody has changed them.\n\n\
         What it does not end: connections and TLS handshakes, authentication, watches that are open (they go on until they end). Each \
         refusal is an HTTP 500 that costs a server about half a millisecond and a line in its log; where that drowns it still, `gate-close` is the \
         next stronger way. `system:masters` is asked by no authorizer: it is refused, and told where the audit log shows it. A subject \
         that the cluster may live by, or that is our own, has to be typed again."
    }

    fn scope(&self) -> Scope {
        Scope::ApiHosts
    }

    fn all_together(&self) -> bool {
        true
    }

    fn takes(&self) -> &'static [Takes] {
        &[Takes { at: &["subject"], of: Type::User }]
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let with: Params = params(with)?;
        let (Requests { verbs, resources }, mut faults) = Requests::read(with.verbs, with.resources);
        if with.within.0 < Duration::from_secs(5) || with.within.0 > Duration::from_mins(10) {
            faults.push(Fault::at("within", "it must be between 5s and 10m"));
        }
        let subject = Subject::parse(&with.subject, with.namespace.as_deref()).map_err(|why| Fault::at("subject", why));
        let subject = subject.and_then(|subject| match out_of_reach(&subject, !resources.is_empty()) {
            Some(why) => Err(Fault::at("subject", why)),
            None => Ok(subject),
        });
        match subject {
            Ok(subject) if faults.is_empty() => {
                let who = match (&subject, subject.user_name()) {
                    (Subject::Group(name), _) => Who::Group(name.clone()),
                    (_, name) => Who::User(name.unwrap_or_default()),
                };
                let whom = Whom { who, called: subject.to_string(), verbs, resources };
                Ok(Box::new(Jailing { subject, whom, within: with.within.0 }))
            }
            subject => Err(subject.err().into_iter().chain(faults).collect()),
        }
    }
}

/// Why no authorizer can hold it, or none may.
fn out_of_reach(subject: &Subject, named: bool) -> Option<String> {
    match subject {
        Subject::Group(name) if name == MASTERS => Some(format!(
            "{subject} is allowed everything before any authorizer is asked: no jail holds it. Where it has to be stopped: breakglass \
             gate close, or another certificate authority"
        )),
        Subject::User(name) if name == "system:apiserver" => {
            Some(format!("{subject} is what API servers call themselves: no authorizer is asked about it"))
        }
        _ if unknown_to_all(subject) && !named => Some(format!(
            "{subject} is how kubelets and load balancers ask for the health of API servers: one that is refused is restarted again and \
             again. Name the resources that are meant"
        )),
        _ => None,
    }
}

/// Everybody who asks without a credential.
fn unknown_to_all(subject: &Subject) -> bool {
    match subject {
        Subject::User(name) => name == "system:anonymous",
        Subject::Group(name) => name == "system:unauthenticated",
        Subject::Account { .. } => false,
    }
}

fn host_of<'a>(target: &Target, cluster: &'a Cluster) -> Option<&'a Host> {
    match &target.part {
        Part::Host(name) => cluster.host(name),
        Part::Cluster | Part::ApiServer(_) | Part::Local => None,
    }
}

impl Jailing {
    fn question(&self, cluster: &Cluster, why: &str) -> Question {
        let what = format!(
            "on all API servers of {} {} of {} are to be refused",
            cluster.name,
            self.whom.which(),
            self.subject
        );
        vital::question(VITAL, &self.subject, &what, why)
    }

    async fn look(&self, look: Look<'_>) -> Result<Survey, StepError> {
        let none = || StepError::refused(format!("{} is not a host of the kit", look.target));
        let cluster = look.reads.cluster(&look.target.cluster).ok_or_else(none)?;
        let host = host_of(look.target, cluster).ok_or_else(none)?;
        if let Some(why) = vital::vital(&self.subject, cluster) {
            match look.history.answer(VITAL) {
                Some(true) => {}
                Some(false) => return Err(StepError::Declined(format!("jail {}", self.subject))),
                None => return Ok(Survey { ask: Some(self.question(cluster, &why)), ..Survey::default() }),
            }
        }
        let jail = self.jail(look);
        let query = jail::look(&host.manifests, &jail);
        let seen = look.reads.ask(look.target, &query, LOOK_LIMIT).await?;
        let place = Place::of(look.target, &self.subject, &seen)?;
        if place.text.lines().any(|line| line.trim() == jail.begin()) {
            let mut survey = self.effect(look, &seen, &place)?;
            survey.arrived.extend(look.history.missed(PUT));
            return Ok(survey);
        }
        self.put(look, &jail, &seen, &place)
    }

    fn jail(&self, look: Look<'_>) -> Jail {
        let at = look.history.since.map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        Jail {
            run: look.mark.run.clone(),
            step: (look.step + 1).to_string(),
            operator: look.mark.operator.clone(),
            reason: look.mark.reason.clone(),
            // Whoever looks again has to find the same lines.
            at: at.unwrap_or_default(),
            whom: self.whom.clone(),
        }
    }

    /// The change, where the lines do not stand there.
    fn put(&self, look: Look<'_>, jail: &Jail, seen: &Seen, place: &Place<'_>) -> Result<Survey, StepError> {
        let (target, file) = (look.target, place.file);
        if seen.effect.masters {
            return Err(StepError::Refused {
                why: format!(
                    "{target}: the audit log shows requests of {} with the group {MASTERS}: no authorizer is asked about them, so no \
                     jail holds it",
                    self.subject
                ),
                hint: Some("breakglass gate close; then breakglass run masters-offender".into()),
            });
        }
        let kubeconfig = jail::kubeconfig_beside(place.config, &jail.name());
        let put = jail::put_in_text(place.text, jail, &kubeconfig).map_err(|why| by_hand(target, file, &why))?;
        let from = sha256_hex(place.text.as_bytes());
        let change = Change {
            key: PUT.into(),
            note: None,
            op: Op::order(jail::put(file, jail, &from, &put)),
            guard: format!("{file} still has sha256 {from}"),
            inverse: Inverse::By(Box::new(Op::order(jail::take_out(file, jail, &put.block)))),
            because: "the API servers themselves are to refuse it".into(),
            by_hand: format!("vi {file} on {}, with the lines that docs/jail.md says", target.short()),
            deadline_secs: 60,
            keep: Keep::Nothing,
        };
        let others = others(place.text);
        let mut survey = Survey::change(change);
        if !others.is_empty() {
            survey.saw.push(format!("other jails stand in {file}: {}", others.join(", ")).into());
        }
        if jail::version(place.text).as_deref() == Some(OLDEST) {
            survey.saw.push(format!("{file} is of {OLDEST}: an API server of 1.29 does not read it again").into());
        }
        Ok(survey)
    }

    /// What is seen of it, where the lines stand there.
    fn effect(&self, look: Look<'_>, seen: &Seen, place: &Place<'_>) -> Result<Survey, StepError> {
        let (target, file) = (look.target, place.file);
        if !seen.kubeconfig {
            return Err(StepError::Refused {
                why: format!(
                    "{target}: {file} names a kubeconfig that is gone: an API server that starts now does not start"
                ),
                hint: Some(format!("breakglass undo {}", look.mark.run)),
            });
        }
        let verdict = judge(&seen.effect, seen.age, self.within.as_secs());
        let watches = match seen.effect.watches {
            0 => None,
            1 => Some("1 watch of it goes on until it ends".to_owned()),
            open => Some(format!("{open} watches of it go on until they end")),
        };
        Ok(match verdict {
            Verdict::InForce(finding) => {
                let survey = Survey::done().saw(finding);
                watches.into_iter().fold(survey, Survey::saw)
            }
            Verdict::Waits(what) => Survey::waiting(what),
            Verdict::Unknown(why) => Survey::done().saw(format!("whether it is in force is not known: {why}")),
            Verdict::Not(why) => {
                return Err(StepError::Refused {
                    why: format!("{target}: the lines stand in {file}, and are not in force: {why}"),
                    hint: Some(format!(
                        "on {}: grep 'authorization config' {} | tail -n 3 says why; breakglass undo {} takes the lines out; the next \
                         stronger way: breakglass gate close",
                        target.short(),
                        seen.effect.out.as_deref().unwrap_or("the log of its API server"),
                        look.mark.run
                    )),
                });
            }
        })
    }
}

/// Where a jail is put.
struct Place<'a> {
    /// The file as the host sees it.
    file: &'a str,
    /// The same as its API server sees it.
    config: &'a str,
    text: &'a str,
}

impl<'a> Place<'a> {
    fn of(target: &Target, subject: &Subject, seen: &'a Seen) -> Result<Self, StepError> {
        let host = target.short();
        let refused =
            |why: String, hint: String| StepError::Refused { why: format!("{target}: {why}"), hint: Some(hint) };
        let Some(server) = seen.servers.first() else {
            let (why, hint) = match seen.inside.as_slice() {
                [] => (
                    "no API server runs there".to_owned(),
                    "breakglass probe; breakglass rescue-manifest says why".to_owned(),
                ),
                inside => (
                    format!("{} has its API server inside, and what that was told nobody sees", inside.join(", ")),
                    "docs/jail.md says what to do by hand".to_owned(),
                ),
            };
            return Err(refused(why, hint));
        };
        if let Some(other) =
            seen.servers.iter().find(|other| other.config != server.config || other.file != server.file)
        {
            let why = format!("two API servers run there, {} and {}, and not by the same file", server.pid, other.pid);
            return Err(refused(why, format!("ssh to {host}: ps -ww -p {},{}", server.pid, other.pid)));
        }
        if server.config.is_empty() {
            let mode = match server.mode.as_str() {
                "" => "without --authorization-mode, which allows everything".to_owned(),
                mode => format!("with --authorization-mode={mode}"),
            };
            return Err(refused(
                format!(
                    "its API server runs {mode} and without --authorization-config: what it was told as it started holds until it is \
                     started again, so nothing can be put before its authorizers now"
                ),
                format!(
                    "in peace: breakglass prepare authorization-config (one restart of each API server); now: breakglass revoke {}, or \
                     breakglass gate close",
                    crate::shell::word(&subject.to_string())
                ),
            ));
        }
        let file = server.file.as_ref().map_err(|why| {
            let hint = if why.contains("by itself") {
                format!("in the API server's manifest on {host}, mount the folder (hostPath of type Directory), and not the file")
            } else {
                format!("on {host}, as root: ls -la {0}; findmnt -T {0}", server.config)
            };
            refused(why.clone(), hint)
        })?;
        match &seen.text {
            Some(Ok(text)) => Ok(Self { file, config: &server.config, text }),
            Some(Err(why)) => Err(by_hand(target, file, why)),
            None => Err(by_hand(target, file, "it could not be read")),
        }
    }
}

fn by_hand(target: &Target, file: &str, why: &str) -> StepError {
    StepError::Refused {
        why: format!("{target}: {file}: {why}"),
        hint: Some(format!("on {}: less {file}", target.short())),
    }
}

/// The jails that stand in a text, as their marks name them.
fn others(text: &str) -> Vec<String> {
    let begin = |line: &str| Some(line.trim().strip_prefix("# breakglass jail ")?.strip_suffix(": begin")?.to_owned());
    text.lines().filter_map(begin).collect()
}

impl Step for Jailing {
    fn intent(&self) -> String {
        format!(
            "have all API servers refuse {} ({}), with no request to the API; its connections and the watches that are open go on",
            self.subject,
            self.whom.which()
        )
    }

    fn announce(&self, target: &Target, cluster: &Cluster) -> Vec<Announced> {
        let Some(host) = host_of(target, cluster) else { return Vec::new() };
        let mut all = Vec::new();
        if let Some(why) = vital::vital(&self.subject, cluster) {
            let what = Sends::Ask(format!("whether it is meant: {why}"));
            all.push(Announced::new(what, Times::AtMost(1), "it is typed out, once for all hosts"));
        }
        let every = Times::Every { interval: self.interval(), until: self.within + judge::READ_AGAIN };
        let jail = jail::planned(&self.whom);
        let look = jail::look(&host.manifests, &jail);
        all.push(Announced::look(
            look,
            every,
            "finds the file before; after, what is refused and what is served; no API request",
        ));
        let put = Op::order(jail::announced(&jail));
        all.push(Announced::op(
            put,
            Times::Once,
            "the API server reads it again by itself: no restart, and no API request",
        ));
        all
    }

    fn refuse(&self, target: &Target, cluster: &Cluster) -> Vec<String> {
        match host_of(target, cluster) {
            Some(_) => Vec::new(),
            None => vec!["the authorizers' file is on a host, and this is none of the kit's hosts".into()],
        }
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        self.look(look).boxed()
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }
}

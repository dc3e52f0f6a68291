//! `diagnose`: what stands between us and the API, as results for later steps.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::results::Gives;
use super::{Announced, Fault, Kind, Look, Scope, Step, StepError, Survey, Times, params, schema_of};
use crate::change::Target;
use crate::duration::HumanDuration;
use crate::found::{NO, Type, YES};
use crate::kit::{Cluster, RENEW};
use crate::words;
use crate::world::{Accept, KubeAnswer, KubeRead, ReadError, ReadErrorKind};

const LIVEZ: &str = "/livez";
/// A small object that only those may read who may do everything, or nearly.
const ADMINISTRATORS: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles/cluster-admin";
/// Who shows no credential at all.
const NOBODY: &str = "system:anonymous";
/// The longest that a request may be given.
const LONGEST: Duration = Duration::from_mins(10);

const SILENT: Gives = yes_no("silent", "whether an API server gives no answer: it is down, cut off, or drowned");
const ANSWERS: Gives = yes_no("answers", "whether an API server answers");
const CREDENTIAL: Gives =
    yes_no("needsCredential", "whether our credential is not known to the API, or may not do what administrators may");
const RIGHTS: Gives =
    yes_no("lacksRights", "whether our credential is known to the API and may not do what administrators may");

const fn yes_no(name: &'static str, what: &'static str) -> Gives {
    Gives { name, of: Type::YesNo, what }
}

/// The kind.
pub(super) struct Diagnose;

/// Looks for what stands between us and the API.
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
    /// Nothing: tell what is seen and go on.
    #[default]
    Nothing,
    /// Every API server answers, and our credential may do what administrators may.
    Open,
}

fn within() -> HumanDuration {
    HumanDuration::secs(5)
}

impl Kind for Diagnose {
    fn name(&self) -> &'static str {
        "diagnose"
    }

    fn doc(&self) -> &'static str {
        "Looks for what stands between us and the API, and tells later steps.\n\n\
         They are run or left out for it: `when: ${steps.NAME.RESULT}`. \
         Does each API server answer (GET /livez), does the API know our credential, and may it read what only administrators may (one \
         GET of the ClusterRole cluster-admin)? Gives, each as yes or no: `silent`, an API server gives no answer; `answers`, one does; \
         `needsCredential`, ours is not known or may not do what administrators may; `lacksRights`, it is known and may not. What it cannot see it does not find: of an API that knows nobody \
         nothing is known of his rights, and of one that is silent nothing at all. Whether admission refuses is seen by `disarm`, why a \
         server is down by `rescue-manifest`. At most one request per API server, exempt from priority and fairness, and one more. \
         Changes nothing. Fails only with `require: open`, and says which command helps further."
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn gives(&self) -> &'static [Gives] {
        &[SILENT, ANSWERS, CREDENTIAL, RIGHTS]
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let with: Params = params(with)?;
        if with.within.0.is_zero() || with.within.0 > LONGEST {
            return Err(vec![Fault::at(
                "within",
                format!("{}: take more than 0s, and 10 minutes at most", with.within),
            )]);
        }
        Ok(Box::new(with))
    }
}

/// How one API server was found.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Server {
    /// It answers.
    Lives,
    /// It answers, and does not know us.
    Strange,
    /// It turns requests away.
    Busy,
    /// No answer, and what kind of silence.
    Silent(ReadErrorKind, String),
}

impl Server {
    fn of(answer: &Result<KubeAnswer, ReadError>) -> Self {
        match answer {
            Ok(answer) if answer.code == 401 => Self::Strange,
            Ok(answer) if answer.code == 429 => Self::Busy,
            Ok(_) => Self::Lives,
            Err(error) if error.kind == ReadErrorKind::Denied => Self::Strange,
            Err(error) => Self::Silent(error.kind, error.tried.join("; ")),
        }
    }

    /// What was seen, after its name.
    fn says(&self) -> String {
        match self {
            Self::Lives => "it answers".into(),
            Self::Strange => "it answers, and does not know our credential".into(),
            Self::Busy => "it answers, and turns requests away (429): it drowns".into(),
            Self::Silent(kind, tried) => {
                let what = match kind {
                    ReadErrorKind::NoRoute => "no way leads to it: it is down, or something between us refuses",
                    ReadErrorKind::TimedOut => {
                        "it was reached and gave no answer in time: it drowns, hangs or is cut off"
                    }
                    ReadErrorKind::Cut => {
                        "it was reached and hung up: it starts, dies, or something between us cuts it off"
                    }
                    ReadErrorKind::Refused => "TLS or SSH refused us, or we refused it",
                    ReadErrorKind::Denied | ReadErrorKind::Malformed => "what answers there is no API server",
                };
                format!("{what} ({tried})")
            }
        }
    }
}

/// What our credential is to the API.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    /// It may read what administrators may.
    Administrator,
    /// It is not known, and why that is no wonder where that is known.
    Unknown(String),
    /// It is known, and may not.
    Forbidden(String),
    /// Nobody could be asked, or nothing came.
    Unasked(String),
}

impl Standing {
    fn of(answer: &Result<KubeAnswer, ReadError>) -> Self {
        match answer {
            Ok(answer) if answer.code == 401 => Self::Unknown(answer.message()),
            Ok(answer) if answer.code == 403 && answer.text.contains(NOBODY) => {
                Self::Unknown("we come without a credential".into())
            }
            Ok(answer) if answer.code == 403 => Self::Forbidden(answer.message()),
            // Without the role, whoever may read it finds nothing.
            Ok(answer) if answer.code == 404 => Self::Forbidden("the ClusterRole cluster-admin is not there".into()),
            Ok(answer) if answer.code == 200 => Self::Administrator,
            Ok(answer) => Self::Unasked(format!("{}: {}", answer.code, answer.message())),
            Err(error) if error.kind == ReadErrorKind::Denied => Self::Unknown(error.tried.join("; ")),
            Err(error) => Self::Unasked(error.to_string()),
        }
    }

    fn says(&self) -> String {
        match self {
            Self::Administrator => "our credential is known to the API and may read what administrators may".into(),
            Self::Unknown(why) => format!("the API does not know our credential: {why}"),
            Self::Forbidden(why) => {
                format!("our credential is known to the API and may not do what administrators may: {why}")
            }
            Self::Unasked(why) => format!("what our credential may do is not known: {why}"),
        }
    }
}

/// All that was seen.
struct Seen {
    servers: Vec<(String, Server)>,
    standing: Standing,
}

impl Seen {
    fn any(&self, is: impl Fn(&Server) -> bool) -> bool {
        self.servers.iter().any(|(_, server)| is(server))
    }

    fn answers(&self) -> bool {
        self.any(|server| !matches!(server, Server::Silent(..)))
    }

    fn silent(&self) -> bool {
        self.any(|server| matches!(server, Server::Silent(..)))
    }

    fn is_open(&self) -> bool {
        self.servers.iter().all(|(_, server)| *server == Server::Lives) && self.standing == Standing::Administrator
    }

    /// What is so, for later steps.
    fn results(&self) -> [(Gives, bool); 4] {
        let forbidden = matches!(self.standing, Standing::Forbidden(_));
        let unknown = matches!(self.standing, Standing::Unknown(_));
        [(SILENT, self.silent()), (ANSWERS, self.answers()), (CREDENTIAL, unknown || forbidden), (RIGHTS, forbidden)]
    }

    /// The sentences for a person.
    fn sentences(&self) -> Vec<String> {
        let mut all = Vec::new();
        if self.is_open() {
            all.push("nothing was found that stands between us and the API".into());
        }
        if self.answers() {
            all.push(self.standing.says());
        }
        let mut alike: Vec<(String, Vec<String>)> = Vec::new();
        for (name, server) in &self.servers {
            let says = server.says();
            match alike.iter_mut().find(|(said, _)| *said == says) {
                Some((_, names)) => names.push(name.clone()),
                None => alike.push((says, vec![name.clone()])),
            }
        }
        all.extend(alike.into_iter().map(|(says, names)| format!("{}: {says}", words::fold(&names))));
        all
    }

    /// Why it is not open, and what helps further.
    fn fault(&self) -> StepError {
        let silent = self.servers.iter().filter(|(_, server)| *server != Server::Lives && *server != Server::Strange);
        let silent: Vec<&(String, Server)> = silent.collect();
        let Some((name, first)) = silent.first() else {
            return StepError::Refused { why: self.standing.says(), hint: Some(self.about_us()) };
        };
        let many = if silent.len() > 1 {
            format!(" ({} in all)", words::count(silent.len(), "API server"))
        } else {
            String::new()
        };
        let (kind, hint) = match first {
            Server::Silent(kind @ (ReadErrorKind::NoRoute | ReadErrorKind::Cut), _) => (*kind, DOWN),
            Server::Silent(kind @ (ReadErrorKind::Refused | ReadErrorKind::Denied | ReadErrorKind::Malformed), _) => {
                (*kind, SHUT)
            }
            Server::Silent(kind, _) => (*kind, DROWNED),
            _ => (ReadErrorKind::TimedOut, DROWNED),
        };
        let tried = vec![format!("{name}: {}{many}", first.says())];
        ReadError { kind, tried, hint: Some(hint.to_owned()) }.into()
    }

    fn about_us(&self) -> String {
        match &self.standing {
            Standing::Forbidden(_) => {
                "breakglass restore-rights --binding NAME --group GROUP (or --user NAME), for a binding of your own"
                    .into()
            }
            Standing::Unasked(_) => DROWNED.into(),
            Standing::Administrator | Standing::Unknown(_) => {
                format!("breakglass access --mint has the cluster's CA sign a new one; {RENEW}")
            }
        }
    }
}

/// What helps further where the servers cannot work off what they are asked.
const DROWNED: &str = "where a workload drowns it: breakglass run api-overload -p offender=KIND/NAMESPACE/NAME; \
     where it is killed for its memory again and again: breakglass run apiserver-oom-loop -p memory=8Gi; \
     where nobody knows: breakglass gate close";
/// Where none listens.
const DOWN: &str = "what rescue-manifest says of its host; \
     where it is killed for its memory at each start: breakglass run apiserver-oom-loop -p memory=8Gi; \
     for the way there: breakglass probe";
/// Where something shuts us out before the API.
const SHUT: &str = "breakglass probe; where its certificate has ended: breakglass run certificates-expired; \
     breakglass recovery-apiserver start shows a certificate of its own";

impl Step for Params {
    fn intent(&self) -> String {
        "look for what stands between us and the API".into()
    }

    fn announce(&self, _: &Target, cluster: &Cluster) -> Vec<Announced> {
        let livez = Announced::get(LIVEZ, Times::AtMost(1), "does it answer, and does it know us");
        let mut all = vec![livez; cluster.api_servers.len()];
        all.push(Announced::get(
            ADMINISTRATORS,
            Times::AtMost(1),
            "may we do what administrators may; not asked when nobody answers",
        ));
        all
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        async move {
            let cluster = look.reads.cluster(&look.target.cluster);
            let cluster = cluster.ok_or_else(|| StepError::refused(format!("the kit has no {}", look.target)))?;
            let seen = self.look(look, cluster).await;
            let mut survey = Survey::done();
            survey.see(seen.sentences());
            // Whoever goes on with kubectl has to be told that it does not come by what the run won.
            survey.see(look.reads.known_by(&cluster.name).map(|of| {
                format!(
                    "only this run is known by {of}; for kubectl, where your own credential is not good: breakglass access \
                     --write-kubeconfig admin.conf"
                )
            }));
            for (gives, is_so) in seen.results() {
                survey.found.push(gives.found(if is_so { YES } else { NO }));
            }
            if self.require == Require::Open && !seen.is_open() {
                survey.fails = Some(seen.fault());
            }
            Ok(survey)
        }
        .boxed()
    }
}

impl Params {
    async fn look(&self, look: Look<'_>, cluster: &Cluster) -> Seen {
        let read = |path: &str, accept| KubeRead { path: path.into(), accept, limit: self.within.0 };
        let one = |name: &str| {
            let (target, read) = (Target::api_server(&cluster.name, name), read(LIVEZ, Accept::Text));
            let name = name.to_owned();
            async move { (name, Server::of(&look.reads.kube(&target, &read).await)) }
        };
        let servers = join_all(cluster.api_servers.iter().map(|server| one(&server.name))).await;
        let mut seen = Seen { servers, standing: Standing::Unasked("no API server answers".into()) };
        if seen.answers() {
            seen.standing = Standing::of(&look.reads.kube(look.target, &read(ADMINISTRATORS, Accept::Metadata)).await);
        }
        seen
    }
}

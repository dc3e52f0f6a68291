//! `wait-for`: the effect, not the answer.
//!
//! Each survey takes its whole window anew (so many looks in a row, so many samples), and remembers nothing: a run that
//! was killed and resumed waits by the same measure.

mod client;
mod health;
mod objects;
mod rollouts;

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{
    Announced, Fault, Kind, Look, Scope, Sends, Step, StepError, Survey, Takes, Times, params, schema_of, servers,
};
use crate::change::Target;
use crate::duration::HumanDuration;
use crate::finding::Finding;
use crate::found::Type;
use crate::kit::{ApiServer, Cluster};
use crate::world::{KubeAnswer, ReadError, ReadErrorKind};

/// The kind.
pub(super) struct WaitFor;

/// Waits until all of the conditions hold, looked at in this order.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// Every API server says that it is ready, several times in a row.
    #[serde(default)]
    health: Option<health::Health>,
    /// Every API server answers a small GET fast.
    #[serde(default)]
    latency: Option<health::Latency>,
    /// A client's requests are rare, counted in the audit logs on the hosts.
    #[serde(default)]
    client_rate: Option<client::Rate>,
    /// A client's requests are few, as the API servers hold them at a moment.
    #[serde(default)]
    client_requests: Option<client::Requests>,
    /// An object is gone.
    #[serde(default)]
    absent: Option<objects::Absent>,
    /// Pods are gone.
    #[serde(default)]
    pods_gone: Option<objects::PodsGone>,
    /// Pods are what the template of their workload says.
    #[serde(default)]
    rolled_out: Option<rollouts::RolledOut>,
    /// API servers (`NAME`, or `CLUSTER/NAME`) that are neither asked nor judged: dead for good, and somebody knows it.
    #[serde(default)]
    without: Vec<String>,
    /// How long to pause after a look that found the conditions not to hold.
    #[serde(default = "interval")]
    interval: HumanDuration,
}

fn interval() -> HumanDuration {
    HumanDuration::secs(5)
}

/// What a condition was found to be.
enum Found {
    /// It holds, and this was seen.
    Holds(Vec<Finding>),
    /// Not yet, because of this.
    NotYet(String),
}

/// An answer that says that we may not look: no waiting changes it.
fn denied(server: &Target, answer: &KubeAnswer) -> Result<(), StepError> {
    if !answer.is_denied() {
        return Ok(());
    }
    Err(StepError::Read(ReadError {
        kind: ReadErrorKind::Denied,
        tried: vec![format!("{}: {} {}", server.short(), answer.code, answer.message())],
        hint: Some("kubectl auth whoami; breakglass probe".into()),
    }))
}

/// Why a server gave no answer, in words, if that can change; else the end of the wait.
fn unanswered(server: &ApiServer, error: ReadError) -> Result<String, StepError> {
    if error.kind.lasts() { Err(error.into()) } else { Ok(format!("{}: {error}", server.name)) }
}

/// The API servers of one look.
struct Asked<'a> {
    cluster: &'a Cluster,
    servers: Vec<&'a ApiServer>,
    /// Those that are left out.
    without: Vec<Finding>,
}

impl<'a> Asked<'a> {
    fn of(look: Look<'a>, without: &[String]) -> Result<Self, StepError> {
        let cluster = look.reads.cluster(&look.target.cluster);
        let cluster = cluster.ok_or_else(|| StepError::refused(format!("the kit has no {}", look.target)))?;
        let (servers, without) = servers::asked(cluster, without);
        Ok(Self { cluster, servers, without })
    }

    fn target(&self, server: &ApiServer) -> Target {
        Target::api_server(&self.cluster.name, &server.name)
    }

    /// Leaves a silent server out if it was dead all along. To be asked only when another one has answered.
    async fn leave_out(&mut self, look: Look<'_>, server: &ApiServer) -> bool {
        let Some(why) = servers::left_out(look, self.cluster, server, false).await else { return false };
        self.servers.retain(|other| other.name != server.name);
        self.without.push(why);
        true
    }

    /// What was seen, with who was left out.
    fn holds(self, what: Finding) -> Found {
        Found::Holds(std::iter::once(what).chain(self.without).collect())
    }
}

/// One thing to wait for.
trait Condition: Send + Sync {
    /// In words.
    fn intent(&self) -> String;

    /// What each look sends: what, how many at a time over its window, and what for.
    fn sends(&self, servers: &[&ApiServer], cluster: &Cluster) -> Vec<(Sends, Duration, String)>;

    /// Whether it judges API servers one by one.
    fn judges_servers(&self) -> bool {
        false
    }

    /// What the schema cannot say.
    fn faults(&self) -> Vec<Fault>;

    /// Looks over the whole window.
    fn look<'a>(&'a self, look: Look<'a>, asked: Asked<'a>) -> BoxFuture<'a, Result<Found, StepError>>;
}

impl Params {
    /// With the name of its parameter.
    fn conditions(&self) -> Vec<(&'static str, &dyn Condition)> {
        fn one<'a, C: Condition>(name: &'static str, c: Option<&'a C>) -> Option<(&'static str, &'a dyn Condition)> {
            c.map(|c| (name, c as &dyn Condition))
        }
        [
            one("health", self.health.as_ref()),
            one("latency", self.latency.as_ref()),
            one("clientRate", self.client_rate.as_ref()),
            one("clientRequests", self.client_requests.as_ref()),
            one("absent", self.absent.as_ref()),
            one("podsGone", self.pods_gone.as_ref()),
            one("rolledOut", self.rolled_out.as_ref()),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl Kind for WaitFor {
    fn name(&self) -> &'static str {
        "wait-for"
    }

    fn doc(&self) -> &'static str {
        "Waits until conditions hold, all in the same look; the step's timeout ends the wait. Changes nothing.\n\n\
         `health`: GET /readyz on every API server, several times in a row; exempt from priority and fairness.\n\
         `latency`: a small GET on every API server, so many samples; one seat each.\n\
         `clientRate`: no API request: the audit logs on the hosts are counted over a window, by user or user agent; a \
         watch counts when it begins. What their policy leaves out is not in them: that is said when nothing of the client \
         stands there.\n\
         `clientRequests`: one GET of the priority-and-fairness dump per API server and look, 12 to 50 KB; counts what \
         is queued or under way at a moment, so a client that asks rarely and is answered fast can be missed, and so are \
         watches once they have begun: where a client watches, use `clientRate`.\n\
         `absent`: one GET of the object's metadata.\n\
         `podsGone`: one LIST of metadata, one page of at most 50, by namespace and label.\n\
         `rolledOut`: one GET of a DaemonSet, StatefulSet or Deployment, whose status tells how many of its pods are new and \
         available, or, with `seen`, that its controller has seen the template.\n\n\
         `health`, `latency` and `clientRequests` judge every API server of the kit but those in `without`, and those \
         that are away, after 30 s of this step: either not one answer in this run and a host that cannot be reached, \
         or no listening process on a host whose gate stands closed (it opens last, when the server answers). Who is left \
         out is said each time, and asked again at each look."
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn takes(&self) -> &'static [Takes] {
        &[
            Takes { at: &["clientRate", "user"], of: Type::User },
            Takes { at: &["clientRequests", "user"], of: Type::User },
        ]
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let with: Params = params(with)?;
        let conditions = with.conditions();
        let mut faults: Vec<Fault> = conditions
            .iter()
            .flat_map(|(name, condition)| condition.faults().into_iter().map(move |fault| fault.under(*name)))
            .collect();
        if conditions.is_empty() {
            let names = "health, latency, clientRate, clientRequests, absent, podsGone, rolledOut";
            faults.push(Fault::whole(format!("nothing to wait for: give one or more of {names}")));
        }
        if with.interval.0 < Duration::from_secs(1) {
            faults.push(Fault::at("interval", "shorter than 1s would add to the load"));
        }
        if faults.is_empty() { Ok(Box::new(with)) } else { Err(faults) }
    }
}

impl Step for Params {
    fn intent(&self) -> String {
        let all: Vec<String> = self.conditions().iter().map(|(_, condition)| condition.intent()).collect();
        format!("wait until {}", all.join(", and "))
    }

    fn announce(&self, _: &Target, cluster: &Cluster) -> Vec<Announced> {
        // The step's own timeout ends it; the plan puts that in.
        let every = |(what, interval, why): (_, _, String)| {
            Announced::new(what, Times::Every { interval, until: Duration::MAX }, why)
        };
        let (servers, _) = servers::asked(cluster, &self.without);
        let mut sends: Vec<_> =
            self.conditions().iter().flat_map(|(_, condition)| condition.sends(&servers, cluster)).collect();
        if self.conditions().iter().any(|(_, condition)| condition.judges_servers()) {
            let hosts = servers::announced(cluster, &self.without);
            sends.extend(hosts.into_iter().map(|(what, why)| (what, self.interval.0, why)));
        }
        sends.into_iter().map(every).collect()
    }

    fn refuse(&self, _: &Target, cluster: &Cluster) -> Vec<String> {
        servers::refuse(cluster, &self.without)
    }

    fn interval(&self) -> Duration {
        self.interval.0
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        async move {
            let mut saw = Vec::new();
            for (_, condition) in self.conditions() {
                match condition.look(look, Asked::of(look, &self.without)?).await {
                    Ok(Found::Holds(what)) => saw.extend(what),
                    Ok(Found::NotYet(what)) => return Ok(Survey::waiting(what)),
                    // Nobody answers: that is what one waits through. Who is not let in stays outside.
                    Err(StepError::Read(error)) if !error.kind.lasts() => {
                        return Ok(Survey::waiting(format!("{} ({error})", condition.intent())));
                    }
                    Err(other) => return Err(other),
                }
            }
            Ok(Survey { saw, ..Survey::default() })
        }
        .boxed()
    }
}

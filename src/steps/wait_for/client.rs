//! What one client still asks of the API servers.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Asked, Condition, Found, denied, unanswered};
use crate::change::Target;
use crate::duration::HumanDuration;
use crate::finding::Finding;
use crate::host::audit::{self, AuditCount, Client, Counted};
use crate::host::order::Query;
use crate::kit::{ApiServer, Cluster};
use crate::steps::dump::{DUMP, held_by};
use crate::steps::{Fault, Look, Sends, StepError};
use crate::words;
use crate::world::{Accept, KubeRead, ReadErrorKind};

/// The longest one dump may take.
const DUMP_LIMIT: Duration = Duration::from_secs(15);
/// What a look on a host may take beyond its window.
const BEYOND: Duration = Duration::from_secs(20);

/// A client's requests are rare.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Rate {
    /// The user: `system:serviceaccount:NAMESPACE:NAME`.
    #[serde(default)]
    user: Option<String>,
    /// How the user agent begins; clients choose it themselves, so it proves less than the user.
    #[serde(default)]
    user_agent: Option<String>,
    /// So many requests a second, over all API servers together.
    at_most: f64,
    /// How long to count.
    #[serde(default = "ten_seconds")]
    over: HumanDuration,
    /// The audit log on the hosts; without it, the one that the running kube-apiserver was told to write.
    #[serde(default)]
    audit_log: Option<String>,
}

/// A client's requests are few.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Requests {
    /// The user: `system:serviceaccount:NAMESPACE:NAME`.
    user: String,
    /// So many requests queued or under way, over all API servers together.
    #[serde(default)]
    at_most: u32,
    /// How often in a row.
    #[serde(default = "three")]
    times: u32,
    /// The pause between two looks.
    #[serde(default = "two_seconds")]
    every: HumanDuration,
}

fn three() -> u32 {
    3
}

fn two_seconds() -> HumanDuration {
    HumanDuration::secs(2)
}

fn ten_seconds() -> HumanDuration {
    HumanDuration::secs(10)
}

impl Rate {
    fn who(&self) -> &str {
        self.user.as_deref().or(self.user_agent.as_deref()).unwrap_or_default()
    }

    fn client(&self) -> Client {
        match &self.user {
            Some(user) => Client::User(user.clone()),
            None => Client::Agent(self.who().to_owned()),
        }
    }

    fn query(&self) -> Query<AuditCount> {
        audit::count(self.audit_log.as_deref().unwrap_or_default(), &self.client(), self.over.0.as_secs().max(1))
    }
}

/// The hosts that run an API server.
fn hosts(cluster: &Cluster) -> Vec<Target> {
    cluster.api_hosts().map(|host| Target::host(&cluster.name, &host.name)).collect()
}

impl Condition for Rate {
    fn intent(&self) -> String {
        format!("{} makes at most {} requests a second over {}", self.who(), self.at_most, self.over)
    }

    fn sends(&self, _: &[&ApiServer], cluster: &Cluster) -> Vec<(Sends, Duration, String)> {
        let one = |host: Target| {
            let why = format!("counts its requests in the audit log of {}; no API request", host.short());
            (Sends::Look(self.query().into()), self.over.0, why)
        };
        hosts(cluster).into_iter().map(one).collect()
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.user.is_some() == self.user_agent.is_some() || self.who().is_empty() {
            faults.push(Fault::whole("one of user and userAgent is needed"));
        }
        if !(self.at_most >= 0.0 && self.at_most.is_finite()) {
            faults.push(Fault::at("atMost", "it must be 0 or more"));
        }
        if self.over.0 < Duration::from_secs(1) || self.over.0 > Duration::from_mins(10) {
            faults.push(Fault::at("over", "it must be between 1s and 10m"));
        }
        if self.audit_log.as_ref().is_some_and(|path| !path.starts_with('/')) {
            faults.push(Fault::at("auditLog", "it must be an absolute path"));
        }
        faults
    }

    fn look<'a>(&'a self, look: Look<'a>, _: Asked<'a>) -> BoxFuture<'a, Result<Found, StepError>> {
        async move {
            let hosts = look.reads.cluster(&look.target.cluster).map(hosts).unwrap_or_default();
            if hosts.is_empty() {
                return Err(no_log("the kit has no host with an API server"));
            }
            let query = self.query();
            let limit = self.over.0 + BEYOND;
            let counts = join_all(hosts.iter().map(|host| look.reads.ask(host, &query, limit))).await;
            let (mut requests, mut known) = (0, Some(0));
            for (host, counted) in hosts.iter().zip(counts) {
                match counted {
                    Ok(Counted::NoLog) => {
                        return Err(no_log(&format!("no audit log can be read on {}", host.short())));
                    }
                    Ok(Counted::NotJson) => {
                        return Err(no_log(&format!("the audit log on {} is not in the JSON form", host.short())));
                    }
                    Ok(Counted::Requests { added, known: here }) => {
                        requests += added;
                        known = known.zip(here).map(|(all, here)| all + here);
                    }
                    Err(error) if error.kind == ReadErrorKind::Malformed => {
                        return Ok(Found::NotYet(format!("a count from {}", host.short())));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            #[expect(clippy::cast_precision_loss, reason = "a count of requests in minutes")]
            let rate = requests as f64 / self.over.0.as_secs_f64();
            let (who, over_ms) = (self.who().to_owned(), words::as_millis(self.over.0));
            let said = Finding::ClientRate { who, requests, over_ms };
            Ok(if rate <= self.at_most {
                let mut saw = vec![said];
                if known == Some(0) {
                    let who = self.who();
                    let nothing = format!(
                        "nothing of {who} stands in the audit logs at all: where their policy leaves it out, this proves nothing"
                    );
                    saw.push(nothing.into());
                }
                Found::Holds(saw)
            } else {
                Found::NotYet(format!("at most {}/s ({said})", self.at_most))
            })
        }
        .boxed()
    }
}

fn no_log(why: &str) -> StepError {
    StepError::Refused {
        why: format!("clientRate: {why}"),
        hint: Some("name it in auditLog, or use clientRequests, which asks the API servers".into()),
    }
}

impl Requests {
    /// How many of its requests all API servers hold now; why not, when that cannot be told yet.
    async fn held(&self, look: Look<'_>, asked: &mut Asked<'_>) -> Result<Result<usize, String>, StepError> {
        let read = KubeRead { path: DUMP.into(), accept: Accept::Text, limit: DUMP_LIMIT };
        let servers = asked.servers.clone();
        let targets: Vec<Target> = servers.iter().map(|server| asked.target(server)).collect();
        let answers = join_all(targets.iter().map(|server| look.reads.kube(server, &read))).await;
        let heard = answers.iter().any(Result::is_ok);
        let mut held = 0;
        for ((known, server), answer) in servers.iter().zip(&targets).zip(answers) {
            let answer = match answer {
                Ok(answer) => answer,
                Err(error) => match unanswered(known, error)? {
                    _ if heard && asked.leave_out(look, known).await => continue,
                    why => return Ok(Err(why)),
                },
            };
            match answer.code {
                200 => match held_by(&answer.text, &self.user) {
                    Some(number) => held += number,
                    None => return Ok(Err(format!("{}: its dump names no users", server.short()))),
                },
                404 => {
                    return Err(StepError::Refused {
                        why: format!("clientRequests: {} has priority and fairness switched off", server.short()),
                        hint: Some("use clientRate, which counts in the audit logs".into()),
                    });
                }
                code => {
                    denied(server, &answer)?;
                    return Ok(Err(format!("{}: {code} {}", server.short(), answer.message())));
                }
            }
        }
        Ok(Ok(held))
    }
}

impl Condition for Requests {
    fn intent(&self) -> String {
        format!(
            "the API servers hold at most {} requests of {}, {} times in a row",
            self.at_most, self.user, self.times
        )
    }

    fn sends(&self, servers: &[&ApiServer], _: &Cluster) -> Vec<(Sends, Duration, String)> {
        let one = |server: &&ApiServer| {
            (Sends::Get(DUMP.into()), self.every.0, format!("whose requests does {} hold (12 to 50 KB)", server.name))
        };
        servers.iter().map(one).collect()
    }

    fn judges_servers(&self) -> bool {
        true
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.user.is_empty() {
            faults.push(Fault::at("user", "it is empty"));
        }
        if self.times == 0 {
            faults.push(Fault::at("times", "it must be at least 1"));
        }
        if self.every.0 < Duration::from_secs(1) {
            faults.push(Fault::at("every", "shorter than 1s; each dump takes a lock in the API server"));
        }
        faults
    }

    fn look<'a>(&'a self, look: Look<'a>, mut asked: Asked<'a>) -> BoxFuture<'a, Result<Found, StepError>> {
        async move {
            let mut most = 0;
            for round in 0..self.times {
                if round > 0 {
                    tokio::time::sleep(self.every.0).await;
                }
                let held = match self.held(look, &mut asked).await? {
                    Ok(held) => held,
                    Err(why) => return Ok(Found::NotYet(format!("a count of requests ({why})"))),
                };
                if held > self.at_most as usize {
                    let (user, wanted) = (&self.user, self.at_most);
                    return Ok(Found::NotYet(format!("at most {wanted} requests of {user} (there are {held})")));
                }
                most = most.max(held);
            }
            Ok(asked.holds(Finding::ClientRequests { user: self.user.clone(), most }))
        }
        .boxed()
    }
}

//! Calls to a cluster's API servers: by which server, how often, and what came of it.
//!
//! Counted per server: a request counts when it is about to go out on a connection (also when its answer never comes),
//! and bytes are those of HTTP inside TLS, heads and bodies, both ways. Handshakes and what never got that far count
//! nothing.

mod attempts;
mod client;
mod connect;
mod rights;
mod standing;
mod stranger;
mod verify;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::FutureExt as _;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

pub use attempts::{Conclusion, End, Kind, Reply, Tried};
use client::{Server, Us};
use standing::Standing;

use crate::cost::Cost;
use crate::kit::held::{Entrance, Won};
use crate::kit::{ApiServer, Cluster};
use crate::link::dial::Dial;

/// One request as it is sent, to whichever server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiRequest {
    /// `GET`, `DELETE`, …
    pub method: &'static str,
    /// Path and query, from `/`.
    pub path: String,
    /// The `Accept` header.
    pub accept: &'static str,
    /// `Content-Type` of the body.
    pub content_type: String,
    /// The body; no header speaks of an empty one.
    pub body: Arc<[u8]>,
    /// It changes something: the status line alone is an answer.
    pub writes: bool,
    /// Sent without our certificate or token.
    pub anonymous: bool,
}

impl ApiRequest {
    /// A GET of this path with our credential, that accepts this.
    pub fn get(path: impl Into<String>, accept: &'static str) -> Self {
        Self {
            method: "GET",
            path: path.into(),
            accept,
            content_type: String::new(),
            body: Arc::default(),
            writes: false,
            anonymous: false,
        }
    }
}

/// What a server answered, whatever the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub code: u16,
    /// The body.
    pub text: String,
    /// For how long it asks to be left alone.
    pub retry_after: Option<Duration>,
    /// What its clock said.
    pub date: Option<Timestamp>,
    /// The uid of the flow schema that sorted the request, when priority and fairness is on.
    pub flow_schema: Option<String>,
    /// It came from no API server, and from what instead: one line.
    pub stranger: Option<String>,
    /// It did not know our credential, and why that is no wonder: one line.
    pub void: Option<String>,
}

impl Answer {
    /// The message of a Kubernetes `Status`, or the body as it is; of a stranger, who it is.
    pub fn message(&self) -> String {
        if let Some(stranger) = &self.stranger {
            return stranger.clone();
        }
        let status: Value = serde_json::from_str(&self.text).unwrap_or_default();
        let said = status["message"].as_str().unwrap_or(&self.text);
        self.void.iter().fold(said.to_owned(), |said, void| format!("{said}: {void}"))
    }

    /// Does a 404 speak of an object? If not, it speaks of a resource type or a path that is not served (yet).
    pub fn names_an_object(&self) -> bool {
        let status: Value = serde_json::from_str(&self.text).unwrap_or_default();
        status["details"]["name"].as_str().is_some_and(|name| !name.is_empty())
    }

    /// May it be, to anything but a question after its health, the no of a server that does not know its rights or resources yet?
    pub fn may_be_early(&self) -> bool {
        let unknown = matches!(self.code, 401 | 403) || (self.code == 404 && !self.names_an_object());
        unknown && self.stranger.is_none() && self.void.is_none()
    }

    /// Is this a 500 about an admission webhook? Admission stands before storage, so nothing was changed.
    pub fn refused_by_webhook(&self) -> bool {
        self.code == 500 && (self.text.contains("failed calling webhook") || self.text.contains("admission webhook"))
    }
}

/// Hears one sentence per attempt, as it ends.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// An API server that no kit names: started for this run, on a host's loopback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Its name here, its address and the host it is reached through.
    pub facts: ApiServer,
    /// The certificates that it is verified against, PEM: its own, as its host told them.
    pub trust: Vec<u8>,
    /// What it alone knows us by, where that is not what all others do.
    pub own: Option<Won>,
}

/// The API servers of one cluster and what is known of them. Connections are made when needed and kept for a while.
pub struct Api {
    /// Those of the kit, and behind them those that appeared since. None is ever taken out: a place in here is its name
    /// to all that is on its way.
    servers: RwLock<Vec<Arc<Server>>>,
    standing: Standing,
    us: Arc<Us>,
    tell: Option<Tell>,
}

impl Api {
    /// Contacts nothing. `dial` gives the way to each server.
    pub fn new(
        cluster: &Arc<Cluster>,
        dial: impl Fn(&ApiServer) -> Arc<dyn Dial>,
        user_agent: &Arc<str>,
        tell: Option<Tell>,
    ) -> Self {
        let us = Arc::new(Us::new(Arc::clone(cluster), Arc::clone(user_agent)));
        let server = |facts: &ApiServer| Arc::new(Server::new(facts.clone(), Arc::clone(&us), dial(facts), None));
        let servers: Vec<_> = cluster.api_servers.iter().map(server).collect();
        Self { standing: Standing::new(servers.len()), servers: RwLock::new(servers), us, tell }
    }

    fn servers(&self) -> Vec<Arc<Server>> {
        self.servers.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A recovery API server is there from now on, and asked first for objects. One that was there under the same name is asked
    /// no more.
    pub fn join(&self, recovery: Recovery, dial: Arc<dyn Dial>) {
        let mut servers = self.servers.write().unwrap_or_else(PoisonError::into_inner);
        let before = servers.iter().find(|server| server.is_recovery() && server.name == recovery.facts.name);
        if let Some(before) = before {
            if before.facts == recovery.facts && before.is(&recovery.trust, recovery.own.as_ref()) {
                return;
            }
            before.close();
        }
        self.standing.joined();
        let us = recovery.own.map_or_else(|| Arc::clone(&self.us), |own| Arc::new(self.us.known_as(own)));
        servers.push(Arc::new(Server::new(recovery.facts, us, dial, Some(recovery.trust))));
    }

    /// The recovery API server of this name is there no more.
    pub fn part(&self, name: &str) {
        self.servers()
            .iter()
            .filter(|server| server.is_recovery() && server.name == name)
            .for_each(|gone| gone.close());
    }

    /// The recovery API servers that are there.
    pub fn recoveries(&self) -> Vec<ApiServer> {
        self.servers().iter().filter(|server| server.is_recovery()).map(|server| server.facts.clone()).collect()
    }

    /// From now on we are known by this, but where a server knows us by one of its own.
    pub fn known_by(&self, won: Won) {
        self.us.known_by(won);
        self.rest();
    }

    /// Whose credential that is.
    pub fn won(&self) -> Option<String> {
        self.us.won().map(|won| won.of)
    }

    /// The way in by a credential that was won, if one was: to a recovery API server before all others.
    pub fn entrance(&self) -> Option<Entrance> {
        let servers = self.servers();
        let open = || servers.iter().filter(|server| !server.is_closed());
        let own = open().filter(|server| server.is_recovery()).find_map(|server| server.entrance());
        own.or_else(|| open().find_map(|server| server.entrance()))
    }

    /// Whom a request may go to, best first: the recovery API servers before all others, for objects and where no server is
    /// named. What is asked of a server itself, its health or its figures, is meant for those of the kit.
    fn order(&self, servers: &[Arc<Server>], only: Option<&str>, kind: Kind) -> Vec<usize> {
        let of_objects = matches!(kind, Kind::Look | Kind::Guarded | Kind::Single);
        let wanted = |index: &usize| {
            let Some(server) = servers.get(*index).filter(|server| !server.is_closed()) else { return false };
            match only {
                Some(name) => server.name == name,
                None => of_objects || !server.is_recovery(),
            }
        };
        let mut order: Vec<usize> = self.standing.order().into_iter().filter(wanted).collect();
        order.sort_by_key(|index| !servers[*index].is_recovery());
        order
    }

    /// Sends a request to the named server, or to whichever answers, as often as its kind allows, within `limit`.
    /// `None` when there is no such server.
    pub async fn send(
        &self,
        only: Option<&str>,
        request: &ApiRequest,
        kind: Kind,
        limit: Duration,
    ) -> Option<Conclusion> {
        let all = self.servers();
        let servers = self.order(&all, only, kind);
        if servers.is_empty() {
            return None;
        }
        let attempt = |index: usize, until: Instant, received: Arc<AtomicBool>| {
            let server = &all[index];
            async move {
                let sent = Instant::now();
                let answer = server.send(request, until, &received).await?;
                if kind == Kind::Health && request.path == rights::READYZ {
                    self.standing.says(index, rights::word(&answer));
                } else if kind != Kind::Health && answer.may_be_early() {
                    // It did nothing, so nothing is lost with what is open yet.
                    received.store(false, Ordering::Relaxed);
                    self.ask_whether_it_starts(server, index, sent, until).await;
                }
                Ok(answer)
            }
            .boxed()
        };
        let tell = |tried: &Tried| {
            if let Some(tell) = &self.tell {
                tell(&format!("{} {}: {tried}", request.method, request.path));
            }
        };
        let view = |index: usize| all[index].view();
        Some(attempts::drive(kind, limit, &servers, &self.standing, view, attempt, tell).await)
    }

    /// Asks a server that refused what was sent then, unless that is known, or another refusal has it asked meanwhile.
    async fn ask_whether_it_starts(&self, server: &Server, index: usize, sent: Instant, until: Instant) {
        let refused = Instant::now();
        let Ok(_turn) = timeout_at(until, server.asking.lock()).await else { return };
        if self.standing.need_not_be_asked(index, sent, refused) {
            return;
        }
        let said = rights::ask(server, until).await;
        if let Some(tell) = &self.tell {
            tell(&format!("GET /readyz, whether it is starting: {}: {said}", server.view().label));
        }
        self.standing.says(index, said.word());
    }

    /// The name of the server with this index, as [`Conclusion`] gives it.
    pub fn name_of(&self, index: usize) -> String {
        self.servers().get(index).map(|server| server.name.clone()).unwrap_or_default()
    }

    /// Lets go of the connections that are kept; the next request makes new ones.
    pub fn rest(&self) {
        self.servers().iter().for_each(|server| server.rest());
    }

    /// What was spent on each server so far.
    pub fn costs(&self) -> BTreeMap<String, Cost> {
        let mut all = BTreeMap::<String, Cost>::new();
        for server in self.servers() {
            *all.entry(server.name.clone()).or_default() += server.meter.read();
        }
        all
    }
}

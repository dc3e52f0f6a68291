//! What stands behind a webhook: its service, who would answer there, and the authority that they are verified against.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::webhook::{Authority, Service, Webhook};
use crate::steps::kube_object::{self, Seen, text};
use crate::steps::{Look, ObjectRef, StepError};
use crate::words;
use crate::world::{Accept, ReadErrorKind};

/// How many services are looked at.
pub(super) const SERVICES: u32 = 50;
/// How many slices of a service are read.
const SLICES: u32 = 100;

/// Who would answer for a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Backing {
    /// So many endpoints, and so many of them ready.
    Endpoints {
        /// Ready.
        ready: usize,
        /// In all.
        all: usize,
    },
    /// There is no such service.
    NoService,
    /// It has no such port.
    NoPort,
    /// It is a name for another address, which nobody can look into from here.
    External(String),
    /// It could not be looked at.
    Unseen(String),
}

impl fmt::Display for Backing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoints { all: 0, .. } => f.write_str("it has no endpoints"),
            Self::Endpoints { ready: 0, all } => write!(f, "none of its {} is ready", words::count(*all, "endpoint")),
            Self::Endpoints { ready, all } => write!(f, "{ready} of its {} ready", words::count(*all, "endpoint")),
            Self::NoService => f.write_str("which is not there"),
            Self::NoPort => f.write_str("which has no such port"),
            Self::External(name) => write!(f, "a name for {name}, and who answers there is not known here"),
            Self::Unseen(why) => write!(f, "not looked at: {why}"),
        }
    }
}

impl Backing {
    /// Whether anybody can answer.
    pub(super) fn judge(&self) -> Verdict {
        match self {
            Self::Endpoints { ready: 0, .. } | Self::NoService | Self::NoPort => Verdict::CannotAnswer,
            Self::Endpoints { .. } => Verdict::MayAnswer,
            Self::External(_) | Self::Unseen(_) => Verdict::NotKnown,
        }
    }
}

/// Whether a webhook can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It cannot.
    CannotAnswer,
    /// Somebody is there to answer; what they say is another matter.
    MayAnswer,
    /// Nobody can tell from here.
    NotKnown,
}

/// Services that were looked at, each once.
#[derive(Debug, Default)]
pub(super) struct Chains {
    seen: BTreeMap<Service, Backing>,
    now: Timestamp,
}

impl Chains {
    /// `now`: by the API server's clock where it told it.
    pub(super) fn at(now: Timestamp) -> Self {
        Self { now, seen: BTreeMap::new() }
    }

    /// Looks at who answers for a service.
    ///
    /// # Errors
    /// When nobody answers; that we may not look is no error.
    pub(super) async fn follow(
        &mut self,
        look: Look<'_>,
        service: Option<Service>,
        limit: Duration,
    ) -> Result<(), StepError> {
        let Some(service) = service.filter(|service| !self.seen.contains_key(service)) else { return Ok(()) };
        let backing = if self.seen.len() >= SERVICES as usize {
            Backing::Unseen(format!("{SERVICES} services were looked at, and no more; name it to have it looked at"))
        } else {
            backing(look, &service, limit).await.or_else(unseen)?
        };
        self.seen.insert(service, backing);
        Ok(())
    }

    /// What was found of a service.
    pub(super) fn of(&self, service: Option<Service>) -> Option<(Service, &Backing)> {
        let service = service?;
        let backing = self.seen.get(&service)?;
        Some((service, backing))
    }

    /// Whether it can answer.
    pub(super) fn judge(&self, webhook: Webhook<'_>) -> Verdict {
        if webhook.authority(self.now).is_void() {
            return Verdict::CannotAnswer;
        }
        self.of(webhook.service()).map_or(Verdict::NotKnown, |(_, backing)| backing.judge())
    }

    /// The whole chain in one sentence.
    pub(super) fn says(&self, configuration: &str, webhook: Webhook<'_>) -> String {
        let behind = match self.of(webhook.service()) {
            Some((service, backing)) => format!("{service}: {backing}"),
            None if webhook.url().is_empty() => "it names neither a service nor a URL".into(),
            None => format!("URL {}, and whether it answers cannot be seen through the API", webhook.url()),
        };
        let authority = match webhook.authority(self.now) {
            Authority::Missing if !webhook.url().is_empty() => String::new(),
            authority => format!("; {authority}"),
        };
        let own = if webhook.fails() && self.judge(webhook) == Verdict::CannotAnswer && webhook.judges_its_own() {
            "; it is asked about its own pods, too: it cannot come back by itself"
        } else {
            ""
        };
        format!("{configuration} -> {} -> {behind}{authority}{own}", webhook.says())
    }
}

/// A look that was refused tells nothing; one that nobody answered is tried again.
fn unseen(error: StepError) -> Result<Backing, StepError> {
    match error {
        StepError::Read(error) if error.kind == ReadErrorKind::Denied => Ok(Backing::Unseen(error.to_string())),
        other => Err(other),
    }
}

async fn backing(look: Look<'_>, service: &Service, limit: Duration) -> Result<Backing, StepError> {
    let object = match kube_object::get(look, &at(&service.namespace, &service.name), Accept::Json, limit).await? {
        Seen::Absent => return Ok(Backing::NoService),
        Seen::There(object) => object,
    };
    if text(&object, "/spec/type") == "ExternalName" {
        return Ok(Backing::External(text(&object, "/spec/externalName").to_owned()));
    }
    let ports = object.pointer("/spec/ports").and_then(Value::as_array);
    if !ports.is_some_and(|ports| ports.iter().any(|port| port["port"].as_u64() == Some(service.port))) {
        return Ok(Backing::NoPort);
    }
    let slices = kube_object::list(look, &slices(&service.namespace, &service.name), Accept::Json, limit).await?;
    let (mut ready, mut all) = (0, 0);
    for slice in kube_object::items(&slices) {
        for endpoint in slice["endpoints"].as_array().into_iter().flatten() {
            all += 1;
            // One that says nothing of itself counts as ready, also for the API server.
            ready += usize::from(endpoint.pointer("/conditions/ready") != Some(&Value::Bool(false)));
        }
    }
    Ok(Backing::Endpoints { ready, all })
}

/// Where a service is.
pub(super) fn at(namespace: &str, name: &str) -> ObjectRef {
    ObjectRef {
        group: String::new(),
        version: "v1".into(),
        plural: "services".into(),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    }
}

/// Where the endpoints of a service are listed. Placeholders stay whole.
pub(super) fn slices(namespace: &str, service: &str) -> String {
    let service = if service.starts_with('<') { service.to_owned() } else { kube_object::encode(service) };
    format!(
        "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3D{service}\
         &limit={SLICES}"
    )
}

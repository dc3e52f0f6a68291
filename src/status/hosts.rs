//! The marks on a host. A new kind of mark is a file here and a line of `LOOKS`.

mod gate;
mod jail;
mod left;
mod pods;
mod recovery;

pub(super) use left::done;

use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;

use super::{Found, Kind, NotKnown, Stands};
use crate::change::Target;
use crate::kit::{Host, Role};
use crate::world::{ReadError, ReadErrorKind, Reads};

/// How long one look at a host may take.
const LIMIT: Duration = Duration::from_secs(30);

/// A host that is looked at.
#[derive(Clone, Copy)]
pub struct On<'a> {
    /// What looks.
    pub reads: &'a dyn Reads,
    /// The host.
    pub target: &'a Target,
    /// What the kit knows of it.
    pub host: &'a Host,
    /// When.
    pub now: Timestamp,
}

impl On<'_> {
    /// A verb has to be told this host: without names it means those of the API servers.
    fn is_to_be_named(&self) -> bool {
        !self.host.roles.contains(&Role::ControlPlane)
    }
}

/// What one look found.
#[derive(Default)]
struct Marks {
    stands: Vec<Stands>,
    remarks: Vec<String>,
}

/// A look that answers in a while.
type Looking<'a> = BoxFuture<'a, Result<Marks, ReadError>>;

/// One kind of look: what it is for, the kinds of marks that it finds, and how.
struct HostLook {
    what: &'static str,
    finds: &'static [Kind],
    look: for<'a> fn(On<'a>) -> Looking<'a>,
}

/// All looks, each one script.
const LOOKS: [HostLook; 5] = [
    HostLook { what: "a gate", finds: &[Kind::Gate], look: gate::look },
    HostLook { what: "a recovery API server", finds: &[Kind::Recovery], look: recovery::look },
    HostLook { what: "a jail", finds: &[Kind::Jail], look: jail::look },
    HostLook { what: "frozen pods", finds: &[Kind::FrozenPods], look: pods::look },
    HostLook {
        what: "manifests and certificates",
        finds: &[Kind::Manifest, Kind::Certificates, Kind::Scratch],
        look: left::look,
    },
];

/// Looks for all marks on a host. One that cannot be reached is asked no more.
pub async fn look(on: On<'_>) -> Found {
    let mut found = Found::default();
    let (cluster, host) = (&on.target.cluster, on.target.short());
    for one in LOOKS {
        let said = (one.look)(on).await;
        match said {
            Ok(Marks { stands, remarks }) => {
                found.stands.extend(stands);
                found.remarks.extend(remarks);
                found.looked.extend(one.finds.iter().map(|kind| (cluster.clone(), Some(host.to_owned()), *kind)));
            }
            Err(error) => {
                let reached = error.kind == ReadErrorKind::Malformed;
                let what = if reached { one.what } else { "what stands there" };
                found.not_known.push(NotKnown {
                    cluster: Some(cluster.clone()),
                    host: Some(host.to_owned()),
                    what: what.into(),
                    why: error.to_string(),
                });
                if !reached {
                    break;
                }
            }
        }
    }
    found
}

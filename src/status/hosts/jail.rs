//! The jails in the file of authorizers of a host's API server.

use futures::FutureExt as _;

use super::{LIMIT, Looking, Marks, On};
use crate::host::jail::{self, Held};
use crate::status::{Back, Kind, Place, Seen, Stands};

pub(super) fn look(on: On<'_>) -> Looking<'_> {
    async move {
        let standing = on.reads.ask(on.target, &jail::standing(&on.host.manifests), LIMIT).await?;
        let stands = standing.jails.iter().map(|one| stands(on, &standing.file, one)).collect();
        Ok(Marks { stands, ..Marks::default() })
    }
    .boxed()
}

fn stands(on: On<'_>, file: &str, one: &Held) -> Stands {
    let command = one.by_hand(file);
    Stands {
        cluster: on.target.cluster.clone(),
        place: Place::Host(on.target.short().to_owned()),
        kind: Kind::Jail,
        part: one.name(),
        what: format!("jail: {}", one.whom),
        run: one.run.clone(),
        operator: Some(one.operator.clone()).filter(|by| !by.is_empty()),
        about: one.reason.clone(),
        since: one.at.parse().ok(),
        ends: None,
        seen: Seen::Mark,
        back: Back::OnHost { from_here: on.host.by_hand(&command), command },
    }
}

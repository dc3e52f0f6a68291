//! The pods of a host that are frozen.

use futures::FutureExt as _;

use super::{LIMIT, Looking, Marks, On};
use crate::duration::HumanDuration;
use crate::host::pods::{self, Frozen};
use crate::status::{Back, Ends, Kind, Place, Seen, Stands, ago};
use crate::words;

pub(super) fn look(on: On<'_>) -> Looking<'_> {
    async move {
        let all = on.reads.ask(on.target, &pods::frozen(), LIMIT).await?;
        Ok(Marks { stands: all.iter().map(|one| stands(on, one)).collect(), ..Marks::default() })
    }
    .boxed()
}

fn stands(on: On<'_>, one: &Frozen) -> Stands {
    let command = pods::by_hand(&one.folder);
    let pods = words::count(usize::try_from(one.held).unwrap_or(usize::MAX), "pod");
    let lost = if one.watched { "" } else { ", and what ends it was killed" };
    let how = format!("they go on in {}", HumanDuration(one.left));
    Stands {
        cluster: on.target.cluster.clone(),
        place: Place::Host(on.target.short().to_owned()),
        kind: Kind::FrozenPods,
        part: one.folder.clone(),
        what: format!("{pods} of {} frozen{lost}", one.object),
        run: one.run.clone(),
        operator: Some(one.operator.clone()).filter(|by| !by.is_empty()),
        about: one.reason.clone(),
        since: ago(on.now, one.age.as_secs()),
        ends: one.watched.then_some(Ends { seconds: one.left.as_secs(), how }),
        seen: Seen::Mark,
        back: Back::OnHost { from_here: on.host.by_hand(&command), command },
    }
}

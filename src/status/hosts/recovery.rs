//! The recovery API server of a host.

use futures::FutureExt as _;

use super::{LIMIT, Looking, Marks, On};
use crate::duration::HumanDuration;
use crate::host::recovery::{self, Recovery};
use crate::status::{Back, Ends, Kind, Place, Seen, Stands, ago};

pub(super) fn look(on: On<'_>) -> Looking<'_> {
    async move {
        let Some(one) = on.reads.ask(on.target, &recovery::status(), LIMIT).await? else {
            return Ok(Marks::default());
        };
        let how = format!("it ends in {}", HumanDuration(one.left));
        let stands = Stands {
            cluster: on.target.cluster.clone(),
            place: Place::Host(on.target.short().to_owned()),
            kind: Kind::Recovery,
            part: String::new(),
            what: format!("recovery API server on port {}{}", one.port, word(&one)),
            run: one.run.clone(),
            operator: Some(one.operator.clone()).filter(|by| !by.is_empty()),
            about: String::new(),
            since: ago(on.now, one.age.as_secs()),
            // One that has lost what ends it stays until somebody ends it.
            ends: one.watched.then_some(Ends { seconds: one.left.as_secs(), how }),
            seen: Seen::Mark,
            back: Back::Verb {
                words: format!("recovery-apiserver stop --of {}", crate::shell::word(&one.run)),
                targets: on.is_to_be_named(),
            },
        };
        Ok(Marks { stands: vec![stands], ..Marks::default() })
    }
    .boxed()
}

fn word(one: &Recovery) -> String {
    match one {
        Recovery { died: Some(died), .. } => format!(", died: {}", died.last),
        Recovery { watched: false, server: Some(_), .. } => ", has lost what ends it".into(),
        Recovery { watched: false, .. } => ", is gone, and its folder is left".into(),
        Recovery { listens: false, .. } => ", starts".into(),
        _ => String::new(),
    }
}

//! The gate of a host.

use std::time::Duration;

use futures::FutureExt as _;
use jiff::Timestamp;

use super::{LIMIT, Looking, Marks, On};
use crate::duration::HumanDuration;
use crate::host::gate::{self, GateState};
use crate::status::{Back, Ends, Kind, Place, Seen, Stands};

pub(super) fn look(on: On<'_>) -> Looking<'_> {
    async move {
        let Some(state) = on.reads.ask(on.target, &gate::status(), LIMIT).await? else { return Ok(Marks::default()) };
        let Some(mark) = &state.mark else {
            let what = "rules with the name of a gate stand there that are not ours: breakglass gate status";
            return Ok(Marks { remarks: vec![format!("{}: {what}", on.target)], ..Marks::default() });
        };
        let stands = Stands {
            cluster: on.target.cluster.clone(),
            place: Place::Host(on.target.short().to_owned()),
            kind: Kind::Gate,
            part: String::new(),
            what: format!("gate: {}", word(&state)),
            run: mark.run.clone(),
            operator: Some(mark.operator.clone()),
            about: [mark.reason.clone(), state.taken_over()]
                .into_iter()
                .filter(|text| !text.is_empty())
                .collect::<Vec<_>>()
                .join("; "),
            since: i64::try_from(mark.at).ok().and_then(|at| Timestamp::from_second(at).ok()),
            ends: ends(&state),
            seen: Seen::Mark,
            back: Back::Verb {
                words: format!("gate open --of {}", crate::shell::word(&mark.run)),
                targets: on.is_to_be_named(),
            },
        };
        Ok(Marks { stands: vec![stands], ..Marks::default() })
    }
    .boxed()
}

fn word(state: &GateState) -> String {
    match state {
        state if !state.stands() => "open, it has run out and its rules are left".into(),
        state if !state.confirmed => format!("{}, not confirmed", state.now()),
        state => state.now(),
    }
}

/// The next stage, and everybody.
fn ends(state: &GateState) -> Option<Ends> {
    let seconds = state.armed_ms / 1000;
    let last = format!("everybody in {}", HumanDuration(Duration::from_secs(seconds)));
    let next = state.then();
    let how = if next == last { last } else { format!("{next}, {last}") };
    state.stands().then_some(Ends { seconds, how })
}

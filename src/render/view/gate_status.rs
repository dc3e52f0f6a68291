//! What stands on each host.

use std::fmt::Write as _;

use serde_json::json;

use crate::change::Target;
use crate::host::gate::GateState;
use crate::render::{VERSION, one_line, table};
use crate::words;

/// What one host said: a gate, none, or why it could not be asked.
pub(crate) type Said = Result<Option<GateState>, String>;

/// One host.
pub(crate) fn json(target: &Target, said: &Said) -> serde_json::Value {
    let (gate, error) = match said {
        Ok(state) => (json!(state), None),
        Err(why) => (json!(null), Some(why)),
    };
    json!({ "v": VERSION, "target": target, "gate": gate, "level": state(said).map(GateState::level), "error": error })
}

pub(super) fn state(said: &Said) -> Option<&GateState> {
    said.as_ref().ok().and_then(Option::as_ref)
}

/// The state in words that are the same on hosts in the same state.
fn word(said: &Said) -> String {
    match said {
        Err(why) => format!("cannot be asked: {why}"),
        Ok(None) => "open: no gate".into(),
        Ok(Some(gate)) if gate.mark.is_none() => "rules with our name that are not ours".into(),
        Ok(Some(gate)) if !gate.stands() => "open: it has run out, its rules are left".into(),
        Ok(Some(gate)) if !gate.confirmed => format!("{}, not confirmed", gate.now()),
        Ok(Some(gate)) => gate.now(),
    }
}

/// Cluster, state and run, and the hosts that are alike in them.
type Group<'a> = ((&'a str, String, String), Vec<&'a (Target, Said)>);

/// One line for the hosts of a cluster that are in the same state; then what is wrong with the whole.
pub(crate) fn text(all: &[(Target, Said)]) -> String {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for one in all {
        let run = state(&one.1).map_or_else(String::new, whose);
        let key = (one.0.cluster.as_str(), word(&one.1), run);
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, members)) => members.push(one),
            None => groups.push((key, vec![one])),
        }
    }
    let rows: Vec<Vec<String>> =
        groups.iter().map(|((cluster, word, _), members)| row(cluster, word, members)).collect();
    let mut text = table(&["CLUSTER", "HOSTS", "GATE", "NEXT BY ITSELF", "TRIED", "LET IN", "REFUSED", "WHOSE"], &rows);
    for cluster in half_closed(all) {
        let _ = writeln!(text, "\n{}", one_line(&cluster));
    }
    text
}

fn row(cluster: &str, word: &str, members: &[&(Target, Said)]) -> Vec<String> {
    let names: Vec<String> = members.iter().map(|(target, _)| target.short().to_owned()).collect();
    let states: Vec<&GateState> = members.iter().filter_map(|(_, said)| state(said)).collect();
    let sum = |of: fn(&GateState) -> u64| match states.as_slice() {
        [] => String::new(),
        states => states.iter().map(|state| of(state)).sum::<u64>().to_string(),
    };
    let next = states.iter().filter(|state| state.stands()).min_by_key(|state| state.next_ms());
    vec![
        cluster.to_owned(),
        words::fold(&names),
        word.to_owned(),
        next.map(|state| state.then()).unwrap_or_default(),
        sum(|state| state.counters.attempts),
        sum(|state| state.counters.admitted),
        sum(|state| state.counters.refused),
        states.first().map(|state| whose(state)).unwrap_or_default(),
    ]
}

/// Whose gate it is, why, and who drives it by now.
fn whose(state: &GateState) -> String {
    let Some(mark) = &state.mark else { return String::new() };
    let why = if mark.reason.is_empty() { String::new() } else { format!(" ({})", mark.reason) };
    let taken = if state.taken_over().is_empty() { String::new() } else { format!(", {}", state.taken_over()) };
    format!("{} of {}{why}{taken}", mark.run, mark.operator)
}

/// Control planes with some hosts closed and some not: behind a balancer, the open ones get everything.
fn half_closed(all: &[(Target, Said)]) -> Vec<String> {
    let mut clusters: Vec<&str> = all.iter().map(|(target, _)| target.cluster.as_str()).collect();
    clusters.dedup();
    let stands = |said: &Said| state(said).is_some_and(GateState::stands);
    let half = clusters.into_iter().filter_map(|cluster| {
        let of: Vec<&(Target, Said)> = all.iter().filter(|(target, _)| target.cluster == cluster).collect();
        let rest: Vec<String> =
            of.iter().filter(|(_, said)| !stands(said)).map(|(target, _)| target.short().to_owned()).collect();
        (!rest.is_empty() && rest.len() < of.len()).then(|| {
            format!(
                "{cluster} is half closed: {} of {} hosts; what is refused there goes to {} (breakglass gate close --targets {})",
                of.len() - rest.len(),
                of.len(),
                words::fold(&rest),
                words::fold(&rest),
            )
        })
    });
    half.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::gate::{Driver, status};

    fn closed(name: &str) -> (Target, Said) {
        let text = "uptime=1.00\nback_end=nft\nowner=run=r1 by=alice at=7 ports=6443 hold=900 step=60 stage=share:5 why=it%20drowns\n\
            set.armed={ 6443 expires 960s }\nset.confirmed=elements = { 6443 }\nset.until_1={ 6443 expires 900s }\n\
            counters=counter attempts { packets 7 bytes 1 }\n";
        (Target::host("east", name), Ok(status().read(text).unwrap()))
    }

    #[test]
    fn hosts_in_the_same_state_are_one_line_and_a_half_closed_plane_is_said() {
        let open = (Target::host("east", "cp3"), Ok(None));
        let dead = (Target::host("east", "cp4"), Err("no answer in time: cp4".into()));
        let text = text(&[closed("cp1"), closed("cp2"), open, dead]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].contains("cp[1-2]") && lines[1].contains("closed") && lines[1].contains(" 14 "), "{text}");
        assert!(lines[1].contains("5 % in 15m"), "{text}");
        assert!(lines[2].contains("cp3") && lines[2].contains("open: no gate"), "{text}");
        assert!(lines[3].contains("cannot be asked: no answer in time"), "{text}");
        assert!(text.contains("east is half closed: 2 of 4 hosts; what is refused there goes to cp[3-4]"), "{text}");
    }

    #[test]
    fn hosts_that_another_run_has_taken_over_are_a_line_of_their_own() {
        let (target, mut said) = closed("cp2");
        if let Ok(Some(state)) = &mut said {
            state.driver = Some(Driver { run: "r2".into(), operator: "bob".into() });
        }
        let text = text(&[closed("cp1"), (target, said)]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].contains("cp1") && lines[1].ends_with("r1 of alice (it drowns)"), "{text}");
        assert!(lines[2].contains("cp2") && lines[2].ends_with("in the hands of run r2 of bob"), "{text}");
    }

    #[test]
    fn a_plane_that_is_closed_as_a_whole_is_not_half_closed() {
        assert!(!text(&[closed("cp1"), closed("cp2")]).contains("half closed"));
        assert!(!text(&[(Target::host("east", "cp1"), Ok(None))]).contains("half closed"));
    }
}

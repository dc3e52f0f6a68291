//! What an edited manifest would come to on its host, looked at before anything is taken out: what cannot work is refused,
//! what may not last or cannot be told is said.

use std::time::Duration;

use super::{Look, StepError};
use crate::host::manifest::{Edit, Listens, amount, as_quantity};
use crate::host::rewriter::rewriter;
use crate::host::room::{self, Ask, Asked, Room};
use crate::host::swap::Place;
use crate::words;
use crate::world::ReadErrorKind;

const LOOK_LIMIT: Duration = Duration::from_secs(40);
/// So many names of flags are offered in place of one that is not known.
const NEAR: usize = 3;

/// An edit that is to be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish<'a> {
    pub(super) place: &'a Place,
    /// The manifest's path.
    pub(super) file: &'a str,
    /// The text that would be put in.
    pub(super) text: &'a str,
    pub(super) edit: &'a Edit,
    pub(super) ask: &'a Ask,
    /// Where the program that is there should listen.
    pub(super) listens: Listens,
    /// Where another program writes the manifest again, it is refused.
    pub(super) lasting: bool,
}

/// Looks at the host and judges; what is said otherwise, one sentence each.
pub(super) async fn check(look: Look<'_>, wish: Wish<'_>) -> Result<Vec<String>, StepError> {
    let at = look.target;
    let room = match look.reads.ask(at, &room::look(wish.place, wish.ask, Some(wish.listens)), LOOK_LIMIT).await {
        Ok(room) => Ok(room),
        Err(error) if error.kind == ReadErrorKind::TimedOut => {
            Err(format!("no answer within {} s", LOOK_LIMIT.as_secs()))
        }
        Err(error) if error.kind == ReadErrorKind::Malformed => Err(error.tried.join("; ")),
        Err(error) => return Err(error.into()),
    };
    let mut notes = match &room {
        Ok(room) => {
            judge(room, &wish).map_err(|no| StepError::Refused { why: format!("{at}: {}", no.why), hint: no.hint })?
        }
        Err(why) => {
            vec![format!("not checked whether the host and this version of {} can take it ({why})", wish.place.program)]
        }
    };
    let runs = room.map(|room| room.runs).unwrap_or_default();
    if let Some(by) = rewriter(wish.file, wish.text, &runs) {
        if wish.lasting {
            return Err(StepError::Refused {
                why: format!("{at}: {} is put back by {}: what is put into it here would not last", wish.file, by.who),
                hint: Some(by.instead.into()),
            });
        }
        notes.push(format!("{} may be put back by {}: {}", wish.file, by.who, by.instead));
    }
    Ok(notes)
}

/// Why an edit cannot work.
#[derive(Debug, PartialEq, Eq)]
struct No {
    why: String,
    hint: Option<String>,
}

fn judge(room: &Room, wish: &Wish<'_>) -> Result<Vec<String>, No> {
    let mut notes = Vec::new();
    if room.unseen {
        let (program, port) = (&wish.place.program, wish.listens.port);
        return Err(No {
            why: format!(
                "somebody listens on port {port}, where {program} should, and no process of it is seen: it is started in a way \
                 that is not known here, so nobody could tell when the old one is gone and the new one there"
            ),
            hint: Some(format!("ss -ltnp 'sport = :{port}' there says who it is; edit {} by hand", wish.file)),
        });
    }
    flags(room, wish, &mut notes)?;
    for name in ["memory", "cpu"] {
        if wish.edit.limits.contains_key(name) || wish.edit.requests.contains_key(name) {
            capacity(room, wish, name, &mut notes)?;
        }
    }
    if matches!(wish.edit.limits.get("memory"), Some(Some(_))) {
        memory(room, wish, &mut notes)?;
    }
    if wish.edit.limits.contains_key("memory") || wish.edit.requests.contains_key("memory") {
        memory_now(room, wish, &mut notes);
    }
    Ok(notes)
}

/// The program itself says which flags it knows.
fn flags(room: &Room, wish: &Wish<'_>, notes: &mut Vec<String>) -> Result<(), No> {
    let program = &wish.place.program;
    match &room.asked {
        Asked::Fine => Ok(()),
        Asked::Not(why) => {
            notes.push(format!("not checked whether this version of {program} knows {}: {why}", asked(wish.ask)));
            Ok(())
        }
        Asked::Lacks(names) => Err(No {
            why: format!("this version of {program} does not know {}, and would not start with it", names.join(", ")),
            hint: None,
        }),
        Asked::Refuses { said, flags } => {
            let unknown = said.rsplit(' ').next().unwrap_or_default().trim_start_matches('-');
            let near = if said.starts_with("unknown flag") { nearest(unknown, flags) } else { Vec::new() };
            let near: Vec<String> = near.into_iter().map(|name| format!("--{name}")).collect();
            let hint = match near.as_slice() {
                [] => format!("{program} --help, where its image can be run"),
                near => format!("did you mean {}?", near.join(" or ")),
            };
            Err(No {
                why: format!("the {program} that runs there would not start with {}: {said}", asked(wish.ask)),
                hint: Some(hint),
            })
        }
    }
}

fn asked(ask: &Ask) -> String {
    ask.flags.iter().chain(&ask.names).map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// Names that were probably meant: the nearest by spelling, and those that hold all of its words.
fn nearest<'a>(name: &str, flags: &'a [String]) -> Vec<&'a str> {
    let parts: Vec<&str> = name.split('-').filter(|part| part.len() > 2).collect();
    let same = |flag: &&str| !parts.is_empty() && parts.iter().all(|part| flag.contains(part));
    let all = || flags.iter().map(String::as_str);
    let first = words::nearest(name, all());
    let mut near: Vec<&str> = first.into_iter().chain(all().filter(same).filter(|flag| first != Some(*flag))).collect();
    near.truncate(NEAR);
    near
}

/// What the host has of `memory` or `cpu`: its kubelet starts no pod that asks for more.
fn capacity(room: &Room, wish: &Wish<'_>, name: &str, notes: &mut Vec<String>) -> Result<(), No> {
    let read = |kind| amount(wish.text, &wish.place.program, kind, name).unwrap_or_default();
    let (limit, request) = (read("limits"), read("requests"));
    #[expect(clippy::cast_precision_loss, reason = "amounts of a host are far below what an f64 holds exactly")]
    let has = if name == "memory" { most_memory(room) } else { room.cpus }.map(|has| has as f64);
    let show = |amount: f64| if name == "memory" { as_quantity(amount) } else { format!("{amount}") };
    let Some(has) = has else {
        notes.push(format!("not checked whether the host has enough {name}: it did not say how much it has"));
        return Ok(());
    };
    // A limit without a request is the request, too.
    if let Some(asks) = request.or(limit)
        && asks > has
    {
        let (what, hint) = match request {
            Some(_) => ("its request", format!("set requests.{name} to less than {}", show(has))),
            None => (
                "its limit, which without a request is the request, too",
                format!("set limits.{name} to less than {0}, or requests.{name} beside it", show(has)),
            ),
        };
        let why = format!(
            "{name}: {what}, is {}, and {} {}: the kubelet would not start the pod",
            show(asks),
            whose(room, name),
            show(has)
        );
        return Err(No { why, hint: Some(hint) });
    }
    if let Some(limit) = limit.filter(|limit| *limit > has) {
        notes.push(format!(
            "limits.{name} {} is more than the host has ({}): it holds nothing back",
            show(limit),
            show(has)
        ));
    }
    Ok(())
}

/// The most memory that a pod of the host can come to.
fn most_memory(room: &Room) -> Option<u64> {
    room.memory.map(|memory| room.ceiling.map_or(memory, |most| most.min(memory)))
}

/// Whose the most is, as the beginning of a sentence that ends with it.
fn whose(room: &Room, name: &str) -> &'static str {
    let held = name == "memory" && room.ceiling.is_some_and(|most| room.memory.is_some_and(|memory| most < memory));
    if held { "the control groups above its pod let all pods together have" } else { "the host has" }
}

/// What the host has for the new process now: what it could hand out, and what the old one gives back.
fn memory_now(room: &Room, wish: &Wish<'_>, notes: &mut Vec<String>) {
    let read = |kind| amount(wish.text, &wish.place.program, kind, "memory").unwrap_or_default();
    let set = |edit: &std::collections::BTreeMap<_, _>| edit.contains_key("memory");
    let Some(available) = room.available else {
        notes.push("not checked whether there is enough memory now: the host did not say how much is available".into());
        return;
    };
    let used = room.used.map_or(0, |used| used.now);
    #[expect(clippy::cast_precision_loss, reason = "amounts of a host are far below what an f64 holds exactly")]
    let [now, has, available, used] = {
        let now = available.saturating_add(used);
        [now, most_memory(room).unwrap_or(u64::MAX), available, used].map(|bytes| bytes as f64)
    };
    for (kind, amount) in [("limits", read("limits")), ("requests", read("requests"))] {
        let asked = set(if kind == "limits" { &wish.edit.limits } else { &wish.edit.requests });
        // What is more than there is at all was said already.
        let Some(amount) = amount.filter(|amount| asked && *amount > now && *amount <= has) else { continue };
        notes.push(format!(
            "{kind}.memory {} is more than the host has for it now, {} ({} available and {} that its process uses): before it \
             comes so far, the host has no memory left and kills what it chooses",
            as_quantity(amount),
            as_quantity(now),
            as_quantity(available),
            as_quantity(used)
        ));
    }
}

/// What the process holds now must fit below the limit, or the new one is killed as soon as it has come so far.
fn memory(room: &Room, wish: &Wish<'_>, notes: &mut Vec<String>) -> Result<(), No> {
    let program = &wish.place.program;
    let Ok(Some(limit)) = amount(wish.text, program, "limits", "memory") else { return Ok(()) };
    let Some(used) = room.used else {
        notes.push(format!(
            "not checked whether {program} needs more than limits.memory: no process of it can be measured"
        ));
        return Ok(());
    };
    #[expect(clippy::cast_precision_loss, reason = "memory is far below what an f64 holds exactly")]
    let (now, most) = (used.now as f64, used.most as f64);
    if now >= limit {
        let why = format!(
            "limits.memory {} is not more than what {program} uses now, {}: the new process would be killed",
            as_quantity(limit),
            as_quantity(now)
        );
        return Err(No {
            why,
            hint: Some(format!("give it more than that, like limits.memory={}", as_quantity(now * 1.5))),
        });
    }
    if most >= limit {
        notes.push(format!(
            "limits.memory {} is not more than what {program} used at its most since it was started, {} (now {})",
            as_quantity(limit),
            as_quantity(most),
            as_quantity(now)
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::host::room::Used;

    const GI: u64 = 1 << 30;

    fn room(asked: Asked) -> Room {
        Room {
            memory: Some(16 * GI),
            available: Some(9 * GI),
            ceiling: None,
            unseen: false,
            cpus: Some(8),
            used: Some(Used { now: 3 * GI, most: 5 * GI }),
            asked,
            runs: Vec::new(),
        }
    }

    /// What is said of a pod with these resources when limits and requests of it were set.
    fn judged(room: &Room, resources: &str, set: &[&str]) -> Result<Vec<String>, No> {
        let text = format!(
            "kind: Pod\nspec:\n  containers:\n  - name: a\n    command: [kube-apiserver]\n    resources: {resources}\n"
        );
        let place = Place {
            manifests: "/m".into(),
            program: "kube-apiserver".into(),
            run: "r".into(),
            operator: "a".into(),
            tag: "t".into(),
        };
        let names = |kind: &str| -> BTreeMap<String, Option<String>> {
            let of_kind = set.iter().filter_map(|word| word.strip_prefix(kind));
            of_kind.map(|name| (name.to_owned(), Some("1".to_owned()))).collect()
        };
        let edit = Edit { limits: names("limits."), requests: names("requests."), ..Edit::default() };
        let ask = Ask { flags: vec!["--max-request-inflight=800".into()], names: Vec::new() };
        let listens = Listens::by_default(6443);
        judge(
            room,
            &Wish { place: &place, file: "/m/a.yaml", text: &text, edit: &edit, ask: &ask, listens, lasting: false },
        )
    }

    #[track_caller]
    fn refused(resources: &str, set: &[&str], part: &str) {
        let no = judged(&room(Asked::Fine), resources, set).expect_err("refused");
        assert!(no.why.contains(part) && no.hint.is_some(), "{no:?}");
    }

    #[track_caller]
    fn noted(room: &Room, resources: &str, set: &[&str], part: &str) {
        let notes = judged(room, resources, set).unwrap();
        assert!(if part.is_empty() { notes.is_empty() } else { notes.iter().any(|n| n.contains(part)) }, "{notes:?}");
    }

    #[test]
    fn a_limit_below_what_the_process_uses_is_refused_with_both_figures() {
        refused(
            "{limits: {memory: 2Gi}}",
            &["limits.memory"],
            "limits.memory 2Gi is not more than what kube-apiserver uses now, 3Gi",
        );
        refused("{limits: {memory: 3Gi}}", &["limits.memory"], "would be killed");
        let fine = room(Asked::Fine);
        noted(&fine, "{limits: {memory: 4Gi}}", &["limits.memory"], "at its most since it was started, 5Gi (now 3Gi)");
        noted(&fine, "{limits: {memory: 6Gi}}", &["limits.memory"], "");
        // What stood there before is not judged when something else is set.
        noted(&fine, "{limits: {memory: 2Gi}}", &["requests.cpu"], "");
        let unknown = Room { used: None, ..room(Asked::Fine) };
        noted(&unknown, "{limits: {memory: 2Gi}}", &["limits.memory"], "no process of it can be measured");
    }

    #[test]
    fn more_than_the_host_has_is_refused_as_a_request_and_said_as_a_limit() {
        refused(
            "{limits: {memory: 64Gi}}",
            &["limits.memory"],
            "without a request is the request, too, is 64Gi, and the host has 16Gi",
        );
        refused("{limits: {memory: 64Gi}, requests: {memory: 20Gi}}", &["requests.memory"], "its request, is 20Gi");
        refused("{limits: {cpu: 16}}", &["limits.cpu"], "is 16, and the host has 8");
        refused("{requests: {cpu: 8500m}}", &["requests.cpu"], "is 8.5, and the host has 8");
        let fine = room(Asked::Fine);
        noted(
            &fine,
            "{limits: {memory: 64Gi}, requests: {memory: 8Gi}}",
            &["limits.memory"],
            "is more than the host has (16Gi)",
        );
        noted(&fine, "{limits: {cpu: 16}, requests: {cpu: 4}}", &["limits.cpu"], "more than the host has (8)");
        noted(&fine, "{requests: {cpu: 8}}", &["requests.cpu"], "");
        // All pods together may have less than the host has.
        let held = Room { ceiling: Some(14 * GI), ..room(Asked::Fine) };
        let no = judged(&held, "{requests: {memory: 15Gi}}", &["requests.memory"]).expect_err("refused");
        assert!(
            no.why.contains("is 15Gi, and the control groups above its pod let all pods together have 14Gi"),
            "{no:?}"
        );
        assert!(
            judged(&Room { ceiling: Some(64 * GI), ..held }, "{requests: {memory: 15Gi}}", &["requests.memory"])
                .is_ok()
        );
        let silent = Room { memory: None, cpus: None, ..room(Asked::Fine) };
        noted(&silent, "{requests: {cpu: 99}}", &["requests.cpu"], "did not say how much");
    }

    /// 9Gi are available, and the old process gives back its 3Gi.
    #[test]
    fn more_than_there_is_now_is_said_with_its_figures() {
        let fine = room(Asked::Fine);
        noted(&fine, "{limits: {memory: 12Gi}}", &["limits.memory"], "");
        for (resources, set) in [
            ("{limits: {memory: 13Gi}, requests: {memory: 1Gi}}", "limits.memory"),
            ("{requests: {memory: 13Gi}}", "requests.memory"),
        ] {
            let part = format!(
                "{set} 13Gi is more than the host has for it now, 12Gi (9Gi available and 3Gi that its process uses)"
            );
            noted(&fine, resources, &[set], &part);
        }
        let down = Room { used: None, ..room(Asked::Fine) };
        noted(
            &down,
            "{limits: {memory: 10Gi}}",
            &["limits.memory"],
            "now, 9Gi (9Gi available and 0Mi that its process uses)",
        );
        let silent = Room { available: None, ..room(Asked::Fine) };
        noted(&silent, "{limits: {memory: 10Gi}}", &["limits.memory"], "did not say how much is available");
        // A limit that holds nothing back is said once.
        assert_eq!(
            judged(&fine, "{limits: {memory: 64Gi}, requests: {memory: 1Gi}}", &["limits.memory"]).unwrap().len(),
            1
        );
    }

    #[test]
    fn what_listens_and_is_no_known_process_is_refused() {
        let unseen = Room { unseen: true, ..room(Asked::Fine) };
        let no = judged(&unseen, "{}", &[]).expect_err("refused");
        assert!(
            no.why.contains("listens on port 6443, where kube-apiserver should, and no process of it is seen"),
            "{no:?}"
        );
        assert!(no.hint.unwrap().contains("ss -ltnp 'sport = :6443'"));
    }

    #[test]
    fn a_flag_that_the_program_does_not_know_is_refused_with_near_names() {
        let flags = ["max-requests-inflight", "max-mutating-requests-inflight", "v", "min-request-timeout"];
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let said = |said: &str| room(Asked::Refuses { said: said.into(), flags: flags.clone() });
        let no = judged(&said("unknown flag: --max-request-inflight"), "{}", &[]).expect_err("refused");
        assert!(no.why.contains("would not start with --max-request-inflight=800: unknown flag"), "{no:?}");
        let hint = "did you mean --max-requests-inflight or --max-mutating-requests-inflight?";
        assert_eq!(no.hint.as_deref(), Some(hint));
        let no = judged(&said("unknown flag: --frobnicate"), "{}", &[]).expect_err("refused");
        assert!(no.hint.unwrap().contains("--help"));
        let bad = "invalid argument \"many\" for \"--max-requests-inflight\" flag: strconv.ParseInt";
        assert!(judged(&said(bad), "{}", &[]).expect_err("refused").why.contains("invalid argument"));
        let lacks = room(Asked::Lacks(vec!["taint-eviction-controller".into()]));
        assert!(
            judged(&lacks, "{}", &[]).expect_err("refused").why.contains("does not know taint-eviction-controller")
        );
        noted(
            &room(Asked::Not("no process runs".into())),
            "{}",
            &[],
            "not checked whether this version of kube-apiserver knows --max",
        );
    }
}

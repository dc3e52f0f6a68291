//! The orders to a host: close, arm, open; and what it answers.

use super::{BackEnd, Driver, GateSpec, Mark, Times, Turn, mark};
use crate::host::order::{Order as _, Told, order};
use crate::script::{Script, quote};
use crate::words;

impl Told for BackEnd {
    fn tell(&self) -> Option<String> {
        Some(self.word().to_owned())
    }

    fn hear(text: Option<&str>) -> Option<Self> {
        Self::from_word(text?)
    }
}

impl Told for GateSpec {
    fn tell(&self) -> Option<String> {
        // It holds nothing that JSON cannot say.
        Some(serde_json::to_string(self).unwrap_or_default())
    }

    fn hear(text: Option<&str>) -> Option<Self> {
        serde_json::from_str(text?).ok()
    }
}

/// The exact rules that closing writes: text by text, each with the command that reads it.
pub fn rules(spec: &GateSpec, back_end: BackEnd) -> Vec<(String, String)> {
    back_end.filter().rules(spec)
}

order! {
    /// Closes a gate.
    GateClose = "gate.close" { run: String, back_end: BackEnd, spec: GateSpec }
}

/// Closes the gate: it stands for `confirm_within` seconds unless [`arm`] is said in time.
///
/// Refuses on the host, before writing, if another run's gate stands there or a table of our name is not ours.
pub fn close(spec: &GateSpec, back_end: BackEnd) -> Script {
    let filter = back_end.filter();
    let body = format!("{}{}", filter.toolset().lib, filter.close_body(spec));
    let words = format!("{} by {back_end}, for {} s unless confirmed", ports(&spec.ports()), spec.confirm_within);
    GateClose { run: spec.run.clone(), back_end, spec: spec.clone() }
        .script(body)
        .words(words)
        .loads(rules(spec, back_end))
}

order! {
    /// Sets the fuses of a gate.
    GateArm = "gate.arm" {
        run: String, back_end: BackEnd, level: u64, hold: u64, step: u64, was: String, by: String, operator: String
    }
}

/// Sets the fuses of a standing gate: `level` stages are through, the next comes by itself after `hold` seconds, the rest
/// `mark.step` seconds apart.
///
/// Level 0 on a fresh gate is its confirmation; the same level later is an extension; a higher one opens a stage; a lower
/// one closes stages again. Fails if the gate has run out or is another run's, or if another run than `was` (and `by`) has
/// set its fuses in the meantime.
pub fn arm(mark: &Mark, back_end: BackEnd, turn: &Turn) -> Script {
    let (level, last, hold) = (turn.level, mark.rungs.len(), turn.hold);
    let words = match level {
        0 => format!("confirmed by {back_end}: shut for {hold} s, then open in {} by itself", stages(last)),
        _ if level >= last => format!("the last of {} is in", stages(last)),
        _ => format!("stage {level} of {last} is in, the next in {hold} s by itself"),
    };
    let body = fuses(mark, back_end, turn, false);
    GateArm {
        run: mark.run.clone(),
        back_end,
        level: turn.level as u64,
        hold: turn.hold.into(),
        step: mark.step.into(),
        was: turn.was.clone(),
        by: turn.by.run.clone(),
        operator: turn.by.operator.clone(),
    }
    .script(body)
    .words(words)
}

order! {
    /// Holds a closed gate shut.
    GateRenew = "gate.renew" {
        run: String, back_end: BackEnd, level: u64, hold: u64, step: u64, was: String, by: String, operator: String
    }
}

/// Holds a closed gate shut for `hold` seconds more, as long as `by` set its fuses last and no stage has come.
///
/// Where that is no longer so it changes nothing and succeeds, saying `lost=WHY`: the gate is not this run's to hold.
pub fn renew(mark: &Mark, back_end: BackEnd, hold: u32, by: &Driver) -> Script {
    let turn = Turn { level: 0, hold, was: by.run.clone(), by: by.clone() };
    let body = fuses(mark, back_end, &turn, true);
    GateRenew {
        run: mark.run.clone(),
        back_end,
        level: 0,
        hold: hold.into(),
        step: mark.step.into(),
        was: turn.was,
        by: turn.by.run,
        operator: turn.by.operator,
    }
    .script(body)
    .words(format!("shut for {hold} s more"))
}

/// What is done where an order cannot be carried out: `no RESULT WHY`.
const REFUSE: &str = r#"no() { [ -z "${locked:-}" ] || ipt_unlock; say result "$1"; fail "$2"; }
"#;
/// The same for a renewal.
const LOSE: &str = r#"no() { [ -z "${locked:-}" ] || ipt_unlock; say result "$1"; say lost "$2"; exit 0; }
"#;

fn fuses(mark: &Mark, back_end: BackEnd, turn: &Turn, renewal: bool) -> String {
    let times = Times::confirmed(mark.rungs.len(), turn.level, turn.hold, mark.step);
    let no = if renewal { LOSE } else { REFUSE };
    let body = back_end.filter().arm_body(mark, &times, turn, renewal);
    let gone =
        "no open 'no gate stands here any more: it was opened, or the host was restarted, or its rules were flushed'";
    format!("{no}{}{body}", guarded(back_end, &mark.run, gone))
}

order! {
    /// Takes a gate away.
    GateOpen = "gate.open" { run: String, back_end: BackEnd, was: String, by: String, operator: String }
}

/// Takes the gate of this run away, with everything that belongs to it. A host without a gate answers `open` too.
///
/// Fails if another run than `was` (and `by`) has set its fuses in the meantime, unless it has run out.
pub fn open(run: &str, back_end: BackEnd, was: &str, by: &Driver) -> Script {
    let body = back_end.filter().open_body(run, was, &by.run);
    let hint = format!("; nothing was opened; to open it all the same: breakglass gate open --of {run}");
    let taken =
        format!("taken() {{ no moved \"another run sets the fuses of this gate now: $1\"{}; }}\n", quote(&hint));
    let Driver { run: by, operator } = by.clone();
    GateOpen { run: run.to_owned(), back_end, was: was.to_owned(), by, operator }
        .script(format!("{REFUSE}{taken}{}{body}", guarded(back_end, run, "say result open; return 0")))
        .words(format!("for everybody, by {back_end}"))
}

fn stages(count: usize) -> String {
    words::count(count, "stage")
}

/// `port 6443`, `ports 6443, 6444`.
pub(super) fn ports(ports: &[u16]) -> String {
    let numbers: Vec<String> = ports.iter().map(ToString::to_string).collect();
    format!("{} {}", if ports.len() == 1 { "port" } else { "ports" }, numbers.join(", "))
}

/// Everything before an order that needs our own gate to stand there: it says who is there instead, and ends.
fn guarded(back_end: BackEnd, run: &str, gone: &str) -> String {
    let filter = back_end.filter();
    let (lib, ready, f) = (filter.toolset().lib, filter.ready(), filter.functions());
    let run = mark::run_field(run);
    format!(
        r#"{lib}{ready}
{f}_there || {{ {gone}; }}
owner=$({f}_owner)
case " $owner" in
*' {run} '*) ;;
*' run='*) say owner "$owner"; no held "the gate of another run stands here: $owner" ;;
*) no foreign 'rules with our name that are not ours are there' ;;
esac
"#
    )
}

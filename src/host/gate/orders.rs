//! The orders to a host: close, arm, open; and what it answers.

use super::{BackEnd, GateSpec, Mark, Times, iptables, mark, nft};
use crate::host::script::{Answer, Script};

/// The exact rules that closing writes, as labelled texts: what `plan` prints.
pub fn rules(spec: &GateSpec, back_end: BackEnd) -> Vec<(String, String)> {
    match back_end {
        BackEnd::Nft => {
            vec![("nft -f -".to_owned(), nft::ruleset(spec)), ("nft -f -".to_owned(), nft::arming(spec))]
        }
        BackEnd::IptablesNft | BackEnd::IptablesLegacy => vec![
            ("ipset restore".to_owned(), iptables::sets(spec)),
            (format!("{back_end}-restore -w 5 --noflush"), iptables::table(spec, false)),
            (format!("ip6{}-restore -w 5 --noflush", &back_end.word()[2..]), iptables::table(spec, true)),
        ],
    }
}

/// Closes the gate: it stands for `confirm_within` seconds unless [`arm`] is said in time.
///
/// Refuses on the host, before writing, if another run's gate stands there or a table of our name is not ours.
pub fn close(spec: &GateSpec, back_end: BackEnd) -> Script {
    let body = match back_end {
        BackEnd::Nft => format!("{}{}", nft::LIB, nft::close_body(spec)),
        _ => format!("{}{}", iptables::LIB, iptables::close_body(spec, back_end)),
    };
    // A GateSpec holds nothing that JSON cannot say.
    let said = serde_json::to_string(spec).unwrap_or_default();
    Script::new("gate.close", body).arg("run", &spec.run).arg("back_end", back_end.word()).arg("spec", said)
}

/// Sets the fuses of a standing gate: `level` stages are through, the next comes by itself after `hold` seconds, the rest
/// `mark.step` seconds apart.
///
/// Level 0 on a fresh gate is its confirmation; the same level later is an extension; a higher one opens a stage; a lower
/// one closes stages again. Fails if the gate has run out or is another run's.
pub fn arm(mark: &Mark, back_end: BackEnd, level: usize, hold: u32) -> Script {
    let times = Times::confirmed(mark.rungs.len(), level, hold, mark.step);
    let body = match back_end {
        BackEnd::Nft => nft::arm_body(mark, &times),
        _ => iptables::arm_body(mark, &times),
    };
    let gone =
        "say result open; fail 'no gate stands here any more: the host was restarted, or its rules were flushed'";
    Script::new("gate.arm", format!("{}{body}", guarded(back_end, &mark.run, gone)))
        .arg("run", &mark.run)
        .arg("back_end", back_end.word())
        .arg("level", level.to_string())
        .arg("hold", hold.to_string())
        .arg("step", mark.step.to_string())
}

/// Takes the gate of this run away, with everything that belongs to it. A host without a gate answers `open` too.
pub fn open(run: &str, back_end: BackEnd) -> Script {
    let body = match back_end {
        BackEnd::Nft => nft::OPEN_BODY,
        _ => iptables::OPEN_BODY,
    };
    Script::new("gate.open", format!("{}{body}", guarded(back_end, run, "say result open; return 0")))
        .arg("run", run)
        .arg("back_end", back_end.word())
}

/// Everything before an order that needs our own gate to stand there: it says who is there instead, and ends.
fn guarded(back_end: BackEnd, run: &str, gone: &str) -> String {
    let (lib, pick, f) = match back_end {
        BackEnd::Nft => (nft::LIB, "have nft || fail 'nft is not on this host'".to_owned(), "nft"),
        _ => (iptables::LIB, format!("ipt_pick {back_end} || fail 'no usable {back_end} on this host'"), "ipt"),
    };
    let run = mark::run_field(run);
    format!(
        r#"{lib}{pick}
{f}_there || {{ {gone}; }}
owner=$({f}_owner)
case " $owner" in
*' {run} '*) ;;
*' run='*) say result held; say owner "$owner"; fail "the gate of another run stands here: $owner" ;;
*) say result foreign; fail 'rules with our name that are not ours are there' ;;
esac
"#
    )
}

/// What stands on a host where a gate of ours was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The gate was put up.
    Closed,
    /// This run's gate stood there already; nothing was written.
    Already,
    /// The fuses were set.
    Armed,
    /// No gate stands: taken away, run out, or never there.
    Open,
    /// Another run's gate; its mark if it could be read.
    Held(Option<Mark>),
    /// Rules with our name that carry no mark of ours.
    Foreign,
    /// The host's tools refused.
    Failed,
}

/// A host's answer to [`close`], [`arm`] or [`open`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What stands there now.
    pub standing: Standing,
    /// The host's sentence if it did not do as told.
    pub failed: Option<String>,
}

/// Reads the answer; `None` if the script broke off before it said anything.
pub fn parse_outcome(stdout: &str) -> Option<Outcome> {
    let answer = Answer::parse(stdout);
    let failed = answer.get("failed").map(str::to_owned);
    let standing = match (answer.get("result"), &failed) {
        (Some("closed"), _) => Standing::Closed,
        (Some("already"), _) => Standing::Already,
        (Some("armed"), _) => Standing::Armed,
        (Some("open"), _) => Standing::Open,
        (Some("held"), _) => Standing::Held(answer.get("owner").and_then(Mark::read)),
        (Some("foreign"), _) => Standing::Foreign,
        (Some(_), _) | (None, Some(_)) => Standing::Failed,
        (None, None) => return None,
    };
    Some(Outcome { standing, failed })
}

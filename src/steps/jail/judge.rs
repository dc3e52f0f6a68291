//! Whether a jail is in force, by what others wrote down than who put it there.

use std::time::Duration;

use crate::finding::Finding;
use crate::host::jail::{Effect, GRACE_SECS};
use crate::words;

/// An API server that hears of no change looks at its file once a minute.
pub(super) const READ_AGAIN: Duration = Duration::from_secs(75);

/// What was seen comes to.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    InForce(Finding),
    Waits(String),
    /// Nothing shows it; why.
    Unknown(String),
    Not(String),
}

/// Of a file that was changed `age` seconds ago, where a request is looked for that long.
pub(super) fn judge(effect: &Effect, age: u64, within: u64) -> Verdict {
    let served = usize::try_from(effect.served).unwrap_or(usize::MAX);
    if served > 0 {
        let were = format!(
            "{} of the newest that it asked more than {GRACE_SECS} s after the change {} served",
            words::count(served, "request"),
            if served == 1 { "was" } else { "were" }
        );
        return if effect.masters {
            Verdict::Not(format!("{were}, with the group system:masters, about which no authorizer is asked"))
        } else if age < READ_AGAIN.as_secs() {
            Verdict::Waits(format!("the API server to read the file again ({were})"))
        } else {
            Verdict::Not(format!("{were}{}", reload(effect)))
        };
    }
    let log = |refused, shown_by: &str| {
        Verdict::InForce(Finding::Jailed { refused, secs: age.max(1), shown_by: shown_by.into() })
    };
    match (effect.refused, effect.told) {
        (0, 0) => {}
        (0, told) => return log(told, "the API server's own log"),
        (refused, _) => return log(refused, "the audit log"),
    }
    let Some(seen) = effect.log.as_ref().or(effect.out.as_ref()) else {
        return Verdict::Unknown("neither an audit log nor the API server's own can be read on this host".into());
    };
    if age < within {
        return Verdict::Waits("a request of it, which shows whether it is refused".into());
    }
    Verdict::Unknown(format!("no request of it stands in {seen} for {within} s{}", reload(effect)))
}

/// What the server said of the file last.
fn reload(effect: &Effect) -> String {
    effect
        .reload
        .as_ref()
        .map_or_else(String::new, |line| format!("; its API server's last word about the file: {line}"))
}

//! What the rules on a host say about themselves: who, in which run, when, why, and how it goes on.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::Stage;
use crate::words;

/// First word of every comment of ours; the number is the format's.
pub(crate) const MARK: &str = "breakglass/1";

/// nftables keeps at most 127 bytes of a rule's comment.
const COMMENT: usize = 120;

/// The longest single value, so that a field always fits into a comment.
const VALUE: usize = 96;

/// All but letters, digits and what is harmless in every file and shell. Angle brackets stand in plans, for what is not known yet.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'.')
    .remove(b'_')
    .remove(b':')
    .remove(b'@')
    .remove(b'+')
    .remove(b'-')
    .remove(b',')
    .remove(b'<')
    .remove(b'>');

/// What the host keeps about a gate, in comments of rules that do nothing. Values are cut after about 90 characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The run that made it.
    pub run: String,
    /// Who made it.
    pub operator: String,
    /// The reason that the operator gave; empty where none was.
    pub reason: String,
    /// When, in seconds since 1970 by the operator's clock.
    pub at: u64,
    /// The ports it is about.
    pub ports: Vec<u16>,
    /// Seconds that a confirmation or an extension gives it.
    pub hold: u32,
    /// Seconds between stages.
    pub step: u32,
    /// Its stages, but for a last one that lets everybody in.
    pub rungs: Vec<Rung>,
    /// A number for all that it is and that does not stand above; see [`GateSpec::number`](super::GateSpec::number). Empty
    /// in a mark that does not say it.
    #[serde(default)]
    pub number: String,
}

impl Mark {
    /// Who made it, and why where that was said.
    pub(crate) fn by(&self) -> String {
        if self.reason.is_empty() { self.operator.clone() } else { format!("{} ({})", self.operator, self.reason) }
    }
}

/// One stage as the mark names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// Percent of the source addresses.
    Share(u8),
    /// A named set of addresses.
    Set(String),
    /// New connections a second.
    Rate(u32),
    /// So many source addresses of each family.
    Count(u32),
}

impl From<&Stage> for Rung {
    fn from(stage: &Stage) -> Self {
        match stage {
            Stage::Share(percent) => Self::Share(*percent),
            Stage::Set { name, .. } => Self::Set(name.clone()),
            Stage::Rate(rate) => Self::Rate(*rate),
            Stage::Count(count) => Self::Count(*count),
        }
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(percent) => write!(f, "{percent} %"),
            Self::Set(name) => f.write_str(name),
            Self::Rate(rate) => write!(f, "{rate}/s"),
            Self::Count(count) => f.write_str(&words::count(usize::try_from(*count).unwrap_or(usize::MAX), "source")),
        }
    }
}

impl Rung {
    fn field(&self) -> String {
        match self {
            Self::Share(percent) => format!("share:{percent}"),
            Self::Set(name) => format!("set:{name}"),
            Self::Rate(rate) => format!("rate:{rate}"),
            Self::Count(count) => format!("count:{count}"),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let (kind, value) = text.split_once(':')?;
        Some(match kind {
            "share" => Self::Share(value.parse().ok()?),
            "set" => Self::Set(value.to_owned()),
            "rate" => Self::Rate(value.parse().ok()?),
            "count" => Self::Count(value.parse().ok()?),
            _ => return None,
        })
    }
}

impl Mark {
    /// The comments to put on rules, in order. Harmless in nft files, iptables-restore files and shells alike.
    pub(crate) fn comments(&self) -> Vec<String> {
        let ports: Vec<String> = self.ports.iter().map(ToString::to_string).collect();
        let mut fields = vec![
            field("run", &self.run),
            field("by", &self.operator),
            field("at", &self.at.to_string()),
            field("ports", &ports.join(",")),
            field("hold", &self.hold.to_string()),
            field("step", &self.step.to_string()),
            self.number_field(),
        ];
        fields.extend(self.rungs.iter().map(|r| field("stage", &r.field())));
        fields.push(field("why", &self.reason));
        let mut comments: Vec<String> = Vec::new();
        for field in fields {
            match comments.last_mut() {
                Some(last) if last.len() + 1 + field.len() <= COMMENT => {
                    last.push(' ');
                    last.push_str(&field);
                }
                _ => comments.push(format!("{MARK} {field}")),
            }
        }
        comments
    }

    /// The field that tells a gate from another one of the same run.
    pub(crate) fn number_field(&self) -> String {
        field("is", &self.number)
    }

    /// How the gate that carries this mark is another one than `asked`, one sentence part each; nothing where it is the same.
    pub fn differs(&self, asked: &Self) -> Vec<String> {
        let mut all = Vec::new();
        let mut one = |what: &str, there: String, wanted: String| {
            if there != wanted {
                all.push(format!("{what} {there} there, {wanted} asked for"));
            }
        };
        let list = |all: Vec<String>| if all.is_empty() { "none".to_owned() } else { all.join(", ") };
        let ports = |mark: &Self| list(mark.ports.iter().map(ToString::to_string).collect());
        let stages = |mark: &Self| list(mark.rungs.iter().map(ToString::to_string).collect());
        one("ports:", ports(self), ports(asked));
        one("stages before everybody:", stages(self), stages(asked));
        one("for:", format!("{} s", self.hold), format!("{} s", asked.hold));
        one("step:", format!("{} s", self.step), format!("{} s", asked.step));
        if all.is_empty() && self.number != asked.number {
            all.push("another side, list of allowed addresses, balancer, set of a stage, or answer".to_owned());
        }
        all
    }

    /// The mark out of the comments' fields, joined by blanks, without their first word; `None` if this is no mark of ours.
    pub(crate) fn read(fields: &str) -> Option<Self> {
        let mut mark = Self {
            run: String::new(),
            operator: String::new(),
            reason: String::new(),
            at: 0,
            ports: Vec::new(),
            hold: 0,
            step: 0,
            rungs: Vec::new(),
            number: String::new(),
        };
        for word in fields.split_whitespace() {
            let Some((key, value)) = word.split_once('=') else { continue };
            let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
            match key {
                "run" => mark.run = value,
                "by" => mark.operator = value,
                "why" => mark.reason = value,
                "at" => mark.at = value.parse().ok()?,
                "ports" => mark.ports = value.split(',').filter_map(|p| p.parse().ok()).collect(),
                "hold" => mark.hold = value.parse().ok()?,
                "step" => mark.step = value.parse().ok()?,
                "is" => mark.number = value,
                "stage" => mark.rungs.push(Rung::read(&value)?),
                _ => {}
            }
        }
        (!mark.run.is_empty()).then_some(mark)
    }
}

/// Who set the fuses last: the run that closed the gate, or a later one that extends it or opens it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Driver {
    /// The run.
    pub run: String,
    /// Who started it.
    pub operator: String,
}

impl Driver {
    /// What the host keeps about it, as harmless as the comments of a [`Mark`].
    pub(crate) fn comment(&self) -> String {
        let run = field("run", &self.run);
        let by = limited("by", &self.operator, COMMENT.saturating_sub(run.len() + 1));
        format!("{run} {by}")
    }

    /// The same out of a comment; `None` if this is none of ours.
    pub(crate) fn read(comment: &str) -> Option<Self> {
        Mark::read(comment).map(|mark| Self { run: mark.run, operator: mark.operator })
    }

    /// A number that stands for this run at work on the gate of `of`, where a rule set can ask for it (FNV-1a). Never 0.
    pub(crate) fn key(&self, of: &str) -> u32 {
        key(of, &self.run)
    }
}

/// See [`Driver::key`].
pub(crate) fn key(gate: &str, driver: &str) -> u32 {
    crate::words::fnv(gate.bytes().chain([b'/']).chain(driver.bytes())).max(1)
}

/// The field that tells a run's gate from another run's, as it stands in the first comment.
pub(crate) fn run_field(run: &str) -> String {
    field("run", run)
}

fn field(key: &str, value: &str) -> String {
    limited(key, value, VALUE)
}

/// A field of at most so many bytes.
fn limited(key: &str, value: &str, most: usize) -> String {
    let mut text = format!("{key}=");
    for c in value.chars() {
        let one = utf8_percent_encode(c.encode_utf8(&mut [0; 4]), ENCODED).to_string();
        if text.len() + one.len() > most {
            break;
        }
        text.push_str(&one);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Mark {
        Mark {
            run: "20261122-134228-k3v9".into(),
            operator: "alice@example.com".into(),
            reason: "telemetry agent; 100% of \"LIST\"s é".into(),
            at: 1_790_000_000,
            ports: vec![6443, 8443],
            hold: 900,
            step: 60,
            rungs: vec![Rung::Set("kubelets".into()), Rung::Share(1), Rung::Count(5), Rung::Share(25), Rung::Rate(50)],
            number: "0123abcd".into(),
        }
    }

    #[test]
    fn a_mark_is_read_back_from_its_comments() {
        let comments = sample().comments();
        let fields: Vec<&str> = comments.iter().map(|c| c.strip_prefix("breakglass/1 ").unwrap()).collect();
        assert!(fields[0].starts_with("run=20261122-134228-k3v9 by=alice@example.com at=1790000000"));
        assert_eq!(Mark::read(&fields.join(" ")), Some(sample()));
        assert_eq!(Mark::read("something else=1"), None);
    }

    #[test]
    fn marks_from_before_there_were_numbers_of_sources_are_read_as_ever() {
        let old = "run=r1 by=alice at=7 ports=6443 hold=900 step=60 stage=set:web stage=share:25 stage=rate:50 why=x";
        let rungs = Mark::read(old).unwrap().rungs;
        assert_eq!(rungs, [Rung::Set("web".into()), Rung::Share(25), Rung::Rate(50)]);
        let words = [Rung::Count(1), Rung::Count(5)].map(|rung| rung.to_string());
        assert_eq!(words, ["1 source", "5 sources"]);
    }

    #[test]
    fn a_driver_is_read_back_and_never_outgrows_its_comment() {
        let driver = Driver { run: "r2".into(), operator: "bob@example.com".into() };
        assert_eq!(Driver::read(&driver.comment()), Some(driver.clone()));
        let long = Driver { run: "r".repeat(60), operator: "\"é".repeat(90) };
        assert!(long.comment().len() <= COMMENT && long.comment().is_ascii(), "{}", long.comment());
        assert_ne!(driver.key("r1"), driver.key("r3"));
    }

    #[test]
    fn no_value_can_leave_its_comment_or_outgrow_it() {
        let mut mark = sample();
        mark.operator = "\"; flush ruleset; '$(reboot)`\n".repeat(20);
        mark.reason = "é".repeat(500);
        for comment in mark.comments() {
            assert!(comment.len() <= COMMENT, "{comment}");
            assert!(comment.chars().all(|c| c.is_ascii_alphanumeric() || " ._:@+-,<>%=/".contains(c)), "{comment}");
        }
    }
}

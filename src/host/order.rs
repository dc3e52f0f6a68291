//! Every script that a host can be sent, as a closed set of values: its name, what it is told, and how its answer is read.
//!
//! Name and arguments stand in a script's first line and in the journal; here they become a value again. What the script
//! does is written beside its subject (`gate/`, `swap/`, ...), and begins with `Order::script`. Whoever acts on orders, as
//! the sandbox does, matches on [`Orders`] and so has to answer every one of them.
//!
//! To add one: a line in `orders!` below, and its text. A runbook's own text is no order: it has no other meaning than itself.

use std::fmt;

use super::gate::{self, BackEnd, GateSpec};
use super::{apiserver, audit, offender, room, swap, why};
use crate::script::{Answer, Script};

/// One script: its name, what it is told, and what it answers.
pub trait Order: Sized {
    /// As dotted words.
    const NAME: &'static str;

    /// What it answers, as a value.
    type Answer;

    /// What it is told, in order.
    fn args(&self) -> Vec<(String, String)>;

    /// The order that was told this; `None` when something of it is missing or makes no sense. What is told besides is left out.
    fn read(args: &[(String, String)]) -> Option<Self>;

    /// Reads what the script printed; `None` if it broke off.
    fn parse(stdout: &str) -> Option<Self::Answer>;

    /// The script that does it.
    fn script(&self, body: impl Into<String>) -> Script {
        Script { args: self.args(), ..Script::new(Self::NAME, body) }
    }

    /// The order that a script is, if it is one of this kind.
    fn of(script: &Script) -> Option<Self> {
        (script.name == Self::NAME).then(|| Self::read(&script.args)).flatten()
    }
}

/// One thing that an order is told, as text and back.
trait Told: Sized {
    fn tell(&self) -> Option<String>;
    fn hear(text: Option<&str>) -> Option<Self>;
}

impl Told for String {
    fn tell(&self) -> Option<String> {
        Some(self.clone())
    }

    fn hear(text: Option<&str>) -> Option<Self> {
        text.map(str::to_owned)
    }
}

impl Told for Option<String> {
    fn tell(&self) -> Option<String> {
        self.clone()
    }

    fn hear(text: Option<&str>) -> Option<Self> {
        Some(text.map(str::to_owned))
    }
}

impl Told for u64 {
    fn tell(&self) -> Option<String> {
        Some(self.to_string())
    }

    fn hear(text: Option<&str>) -> Option<Self> {
        text?.parse().ok()
    }
}

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

/// A script that this version does not know, or one that does not say all that it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// No order is called so.
    Name(String),
    /// Something that it has to be told is missing, or makes no sense.
    Told(&'static str),
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "this version has no script {name:?}"),
            Self::Told(name) => write!(f, "the script {name} is not told all that it needs"),
        }
    }
}

macro_rules! orders {
    ($($(#[$doc:meta])* $order:ident = $name:literal { $($field:ident: $type:ty),* } -> $answer:ty, $parse:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq)]
            pub struct $order {
                $(
                    /// As the first line of the script says it.
                    pub $field: $type,
                )*
            }

            impl Order for $order {
                const NAME: &'static str = $name;
                type Answer = $answer;

                fn args(&self) -> Vec<(String, String)> {
                    let all: Vec<(&str, Option<String>)> = vec![$((stringify!($field), self.$field.tell())),*];
                    all.into_iter().filter_map(|(key, told)| Some((key.to_owned(), told?))).collect()
                }

                fn read(args: &[(String, String)]) -> Option<Self> {
                    let told = |key: &str| args.iter().find(|(known, _)| known == key).map(|(_, text)| text.as_str());
                    let _ = &told;
                    Some(Self { $($field: Told::hear(told(stringify!($field)))?,)* })
                }

                fn parse(stdout: &str) -> Option<Self::Answer> {
                    $parse(stdout)
                }
            }
        )*

        /// Every order.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Orders {
            $($(#[$doc])* $order($order),)*
        }

        impl Orders {
            /// The names of all.
            #[cfg(test)]
            pub(super) const NAMES: &[&'static str] = &[$($name),*];

            /// The order that has this name and was told this.
            ///
            /// # Errors
            /// When there is none.
            pub fn read(name: &str, args: &[(String, String)]) -> Result<Self, Unread> {
                match name {
                    $($name => $order::read(args).map(Self::$order).ok_or(Unread::Told($name)),)*
                    other => Err(Unread::Name(other.to_owned())),
                }
            }

            /// Its name.
            #[cfg(test)]
            pub(super) fn name(&self) -> &'static str {
                match self {
                    $(Self::$order(_) => $name,)*
                }
            }
        }
    };
}

orders! {
    /// Looks at what a host is for a gate.
    GateSurvey = "gate.survey" { manifests: String } -> gate::Survey, gate::parse_survey;
    /// Looks at what stands.
    GateStatus = "gate.status" {} -> Option<gate::GateState>, gate::parse_status;
    /// Looks at the memory of the API servers' processes.
    GateMemory = "gate.memory" {} -> gate::Memory, gate::parse_memory;
    /// Connects from a host.
    GateKnock = "gate.knock" { to: String } -> gate::Knock, |stdout| Some(gate::parse_knock(stdout));
    /// Cuts the connections of who is refused.
    GateCut = "gate.cut" { run: String, ports: Option<String>, filter: Option<String> } -> gate::Cut,
        |stdout| gate::parse_cut(&Answer::parse(stdout));
    /// Closes a gate.
    GateClose = "gate.close" { run: String, back_end: BackEnd, spec: GateSpec } -> Answer, |stdout| Some(Answer::parse(stdout));
    /// Sets the fuses of a gate.
    GateArm = "gate.arm" {
        run: String, back_end: BackEnd, level: u64, hold: u64, step: u64, was: String, by: String, operator: String
    } -> Answer, |stdout| Some(Answer::parse(stdout));
    /// Holds a closed gate shut.
    GateRenew = "gate.renew" {
        run: String, back_end: BackEnd, level: u64, hold: u64, step: u64, was: String, by: String, operator: String
    } -> Answer, |stdout| Some(Answer::parse(stdout));
    /// Takes a gate away.
    GateOpen = "gate.open" { run: String, back_end: BackEnd, was: String, by: String, operator: String } -> Answer, |stdout| Some(Answer::parse(stdout));
    /// Counts a client's requests in the audit log for some seconds.
    AuditCount = "audit.count" { log: String, user: String, agent: String, seconds: u64 } -> audit::Counted, audit::parse;
    /// Looks for what is left of an offender.
    OffenderLook = "offender.look" { ports: String, user: String, log: String, from: String } -> offender::Seen, offender::parse;
    /// Looks whether the API server runs.
    Presence = "apiserver.presence" {} -> apiserver::Presence, apiserver::parse_presence;
    /// Looks at a manifest, its process, and what stands of exchanges.
    ManifestLook = "manifest.look" { manifests: String, program: String, beside: String } -> Answer, swap::looked;
    /// Looks at exchanges alone.
    ManifestUnderWay = "manifest.under-way" { manifests: String, program: String } -> Vec<swap::Other>,
        |stdout| swap::under_way_seen(stdout).ok();
    /// Makes the folder beside the manifests, with the mark in it.
    ManifestFolder = "manifest.folder" { path: String, run: String, operator: String, program: String } -> Answer, |stdout| Some(Answer::parse(stdout));
    /// Takes it away.
    ManifestFolderAway = "manifest.folder-away" { path: String } -> Answer, |stdout| Some(Answer::parse(stdout));
    /// Puts right what a dead exchange left.
    ManifestMend = "manifest.mend" { beside: String } -> Answer, |stdout| Some(Answer::parse(stdout));
    /// Exchanges a manifest.
    ManifestSwap = "manifest.swap" {
        file: String, from: String, staged: String, to: String, program: String, origin: String, port: u64, beside: String,
        run: String, operator: String
    } -> Answer, |stdout| Some(Answer::parse(stdout));
    /// Looks at the room that a host has, and asks the program.
    ManifestRoom = "manifest.room" { program: String, flags: String, names: String } -> room::Room, |stdout| room::room(stdout).ok();
    /// Reads why a new process did not answer.
    ManifestWhy = "manifest.why" { beside: String } -> why::Why, |stdout| Some(why::why(stdout));
    /// Puts a file.
    FilePut = "file.put" { path: String, expect: String, sha256: String } -> Answer, |stdout| Some(Answer::parse(stdout));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_back_from_its_script_and_what_is_no_order_is_told_apart() {
        let swap = ManifestMend { beside: "/etc/kubernetes/breakglass-r-1".into() };
        let script = swap.script("true").arg("more", "than it knows");
        assert_eq!(ManifestMend::of(&script), Some(swap.clone()));
        assert_eq!(Orders::read(&script.name, &script.args), Ok(Orders::ManifestMend(swap)));
        assert_eq!(GateStatus::of(&script), None);
        let unknown = Orders::read("gate.lift", &[]).unwrap_err();
        assert_eq!(unknown.to_string(), "this version has no script \"gate.lift\"");
        let torn = Orders::read("gate.arm", &script.args).unwrap_err();
        assert_eq!(torn.to_string(), "the script gate.arm is not told all that it needs");
    }
}
